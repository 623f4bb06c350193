#include "engine/history.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/instant.h"
#include "engine/change/change_compact.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/checkpoint_manifest.h"
#include "engine/engine_internal.h"
#include "engine/view.h"
#include "engine/wait.h"

enum {
	DUE_SHARE = 8,         /* a file is written anew once this part of it is due */
	LOOK_US   = 10 * 1000, /* between two looks whether the new file is in its place */
};

/* ---- How far ---- */

/* Chunks before this one are due, and nobody needs them. */
static size_t due_chunks(const struct change_file *file, int64_t before_ms, uint64_t limit)
{
	size_t begin = 0, low, high = file->chunks.count;
	while (begin < high && file->chunks.items[begin].kept)
		begin++;
	low = begin;
	while (low < high) { /* instants never go back */
		size_t                     middle = low + (high - low) / 2;
		const struct change_chunk *chunk  = &file->chunks.items[middle];
		if (change_chunk_entries(file, chunk)[chunk->count - 1].change.at_ms < before_ms)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == file->chunks.count && low > begin)
		low--; /* the newest stays */
	while (low > begin && file->chunks.items[low].first_index > limit)
		low--;
	return low;
}

/* Where the stream is to begin; where it begins when it is not worth the while. */
static uint64_t cut_of(const struct view *view, int64_t before_ms, uint64_t held)
{
	struct checkpoints     *checkpoints = view->engine->checkpoints;
	const struct partition *partition   = view->partition;
	const struct changes   *changes     = &partition->changes;
	uint64_t                first       = changes_first(changes);
	if (checkpoints == NULL || changes->file == NULL || before_ms == INSTANT_MS_NONE ||
	    partition->resume.active || changes->count < changes->stored)
		return first;
	uint64_t limit = checkpoint_needs_changes(checkpoints, partition->number);
	size_t   chunk = due_chunks(changes->file, before_ms, limit < held ? limit : held);
	if (chunk == changes->file->chunks.count)
		return first;
	uint64_t due = 0;
	for (size_t i = chunk; i-- > 0 && !changes->file->chunks.items[i].kept;)
		due += changes->file->chunks.items[i].bytes;
	return due * DUE_SHARE < changes->file->end ? first
	                                            : changes->file->chunks.items[chunk].first_index;
}

static uint64_t bytes_between(const struct change_file *file, uint64_t from, uint64_t to)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < file->chunks.count; i++)
		if (file->chunks.items[i].first_index >= from && file->chunks.items[i].first_index < to)
			bytes += file->chunks.items[i].bytes;
	return bytes;
}

/* ---- Look ---- */

struct look {
	struct engine_wait   wait;
	int64_t              before_ms;
	const uint64_t      *held;
	struct history_look *parts; /* by partition */
};

static void run_look(struct engine_read *read, struct view *view)
{
	const struct look    *look    = (const struct look *)read;
	uint32_t              number  = view_partition(view);
	const struct changes *changes = &view->partition->changes;
	uint64_t              first   = changes_first(changes);
	struct history_look  *part    = &look->parts[number];
	uint64_t              cut =
		cut_of(view, look->before_ms, look->held == NULL ? UINT64_MAX : look->held[number]);
	part->oldest_ms =
		first < changes->count ? changes_at(changes, first)->change.at_ms : INSTANT_MS_NONE;
	part->all = (struct history_amount){
		changes->count - first, changes->bytes + (changes->file == NULL ? 0 : changes->file->end)};
	part->due = (struct history_amount){cut - first,
	                                    cut > first ? bytes_between(changes->file, first, cut) : 0};
}

static void add_amount(struct history_amount *to, const struct history_amount *amount)
{
	to->count += amount->count;
	to->bytes += amount->bytes;
}

enum status engine_history_look(struct engine *engine, int64_t before_ms, const uint64_t *held,
                                struct history_look *ret_look, struct error *err)
{
	uint32_t    count = engine_partition_count(engine);
	struct look look  = {.wait.read.run = run_look,
	                     .before_ms     = before_ms,
	                     .held          = held,
	                     .parts         = calloc(count, sizeof *look.parts)};
	if (look.parts == NULL)
		abort();
	enum status         status = engine_wait_all(engine, &look.wait, err);
	struct history_look all    = {.oldest_ms = INSTANT_MS_NONE};
	for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
		const struct history_look *part = &look.parts[i];
		if (part->oldest_ms != INSTANT_MS_NONE &&
		    (all.oldest_ms == INSTANT_MS_NONE || part->oldest_ms < all.oldest_ms))
			all.oldest_ms = part->oldest_ms;
		add_amount(&all.all, &part->all);
		add_amount(&all.due, &part->due);
	}
	free(look.parts);
	if (status == STATUS_OK)
		*ret_look = all;
	return status;
}

/* ---- Drop ---- */

struct drop {
	struct engine_wait wait;
	struct engine     *engine;
	uint32_t           partition;
	int64_t            before_ms;
	uint64_t           held;

	/* What the partition said. */
	char              path[CHECKPOINT_PATH_MAX];
	char              next[CHECKPOINT_PATH_MAX];
	uint8_t           workspace_id[16];
	uint64_t          first;
	uint64_t          end; /* of the file, in bytes */
	struct change_cut cut;
	change_segments   segments;

	struct change_file *file; /* the new one, until it is handed over */
};

static void run_plan(struct engine_read *read, struct view *view)
{
	struct drop          *drop    = (struct drop *)read;
	const struct changes *changes = &view->partition->changes;
	drop->first                   = changes_first(changes);
	drop->cut.cut                 = cut_of(view, drop->before_ms, drop->held);
	if (drop->cut.cut == drop->first)
		return;
	checkpoint_changes_paths(view->engine->checkpoints, drop->partition, drop->path, drop->next);
	memcpy(drop->workspace_id, changes->file->workspace_id, sizeof drop->workspace_id);
	drop->end            = changes->file->end;
	drop->cut.count      = changes->stored;
	drop->cut.slot_count = view->partition->profiles.slot_count;
	for (size_t i = 0; i < changes->spans.count; i++)
		VECTOR_ADD(&drop->segments, changes->spans.items[i].segment);
}

static void run_replace(struct engine_read *read, struct view *view)
{
	struct drop *drop = (struct drop *)read;
	checkpoint_replace_changes(view->engine->checkpoints, drop->partition, drop->file, drop->end);
	drop->file = NULL;
}

static int compare_segments(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return (a > b) - (a < b);
}

static enum status make_file(struct drop *drop, struct error *err)
{
	struct change_file *file;
	if (drop->segments.count > 0)
		qsort(drop->segments.items, drop->segments.count, sizeof *drop->segments.items,
		      compare_segments);
	drop->cut.default_segments = drop->segments.items;
	drop->cut.default_count    = drop->segments.count;
	enum status status =
		change_file_open(drop->path, drop->workspace_id, drop->partition, &file, err);
	if (status != STATUS_OK)
		return status;
	status = file->count < drop->cut.count
	             ? error_set(err, STATUS_CORRUPT, "%s: a chunk is damaged", drop->path)
	             : change_compact(file, &drop->cut, drop->next, &drop->file, err);
	change_file_close(file);
	return status;
}

static enum status wait_replaced(struct drop *drop, struct error *err)
{
	for (;; usleep(LOOK_US)) {
		switch (checkpoint_replacing(drop->engine->checkpoints, drop->partition)) {
		case REPLACING_DONE:
			return STATUS_OK;
		case REPLACING_FAILED:
			return error_set(err, STATUS_IO, "%s cannot be replaced, the log says why", drop->path);
		default:
			if (atomic_load(&drop->engine->stopping) ||
			    (drop->cut.use != NULL && !drop->cut.use(drop->cut.context, 0)))
				return error_set(err, STATUS_UNAVAILABLE, "the engine stops");
		}
	}
}

static enum status cut(struct drop *drop, struct history_amount *dropped, struct error *err)
{
	enum status status = make_file(drop, err);
	uint64_t    end    = status == STATUS_OK ? drop->file->end : 0;
	if (status == STATUS_OK) {
		drop->wait.read = (struct engine_read){.run = run_replace};
		status          = engine_wait_person(drop->engine, drop->partition, &drop->wait, err);
	}
	if (status != STATUS_OK) {
		change_file_close(drop->file);
		(void)unlink(drop->next);
		return status;
	}
	status = wait_replaced(drop, err);
	if (status == STATUS_OK)
		add_amount(dropped, &(struct history_amount){drop->cut.cut - drop->first,
		                                             drop->end > end ? drop->end - end : 0});
	return status;
}

enum status engine_history_drop(struct engine *engine, uint32_t partition, int64_t before_ms,
                                uint64_t held, const struct history_pace *pace,
                                struct history_amount *dropped, struct error *err)
{
	struct drop drop   = {.wait.read.run = run_plan,
	                      .engine        = engine,
	                      .partition     = partition,
	                      .before_ms     = before_ms,
	                      .held          = held,
	                      .cut.use       = pace == NULL ? NULL : pace->use,
	                      .cut.context   = pace == NULL ? NULL : pace->context};
	enum status status = engine_wait_person(engine, partition, &drop.wait, err);
	if (status == STATUS_OK && drop.cut.cut > drop.first)
		status = cut(&drop, dropped, err);
	VECTOR_DONE(&drop.segments);
	return status;
}
