#include "engine/history.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
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
	KEEP_US   = 1000,      /* whether entries are */
	KEEP_MS   = 60 * 1000, /* at most, for a disk that does not take them */
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

/* Whether the partition's stream can be cut now: nothing of it comes again, and no file is on its
 * way that is to replace it already. */
static bool may_cut(const struct view *view)
{
	struct checkpoints     *checkpoints = view->engine->checkpoints;
	const struct partition *partition   = view->partition;
	const struct changes   *changes     = &partition->changes;
	return checkpoints != NULL && changes->file != NULL && !partition->resume.active &&
	       changes->count >= changes->stored &&
	       checkpoint_replacing(checkpoints, partition->number) != REPLACING_UNDER_WAY;
}

/* What is due, from where the stream begins; nothing when it is not worth the while. */
static struct history_amount due_of(const struct view *view, int64_t before_ms, uint64_t held)
{
	const struct change_file *file = view->partition->changes.file;
	struct history_amount     due  = {0};
	if (before_ms == INSTANT_MS_NONE || !may_cut(view))
		return due;
	uint64_t limit = checkpoint_needs_changes(view->engine->checkpoints, view->partition->number);
	size_t   chunk = due_chunks(file, before_ms, limit < held ? limit : held);
	for (size_t i = chunk; i-- > 0 && !file->chunks.items[i].kept;) {
		due.count += file->chunks.items[i].count;
		due.bytes += file->chunks.items[i].bytes;
	}
	return due.bytes * DUE_SHARE < file->end ? (struct history_amount){0} : due;
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
	part->due = due_of(view, look->before_ms, look->held == NULL ? UINT64_MAX : look->held[number]);
	part->oldest_ms =
		first < changes->count ? changes_at(changes, first)->change.at_ms : INSTANT_MS_NONE;
	part->all = (struct history_amount){
		changes->count - first, changes->bytes + (changes->file == NULL ? 0 : changes->file->end)};
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

/* ---- Keep ---- */

struct keep {
	struct engine_wait wait;
	uint64_t          *wanted; /* by partition, how many entries; UINT64_MAX: not known yet */
	_Atomic bool       left;
};

static void run_keep(struct engine_read *read, struct view *view)
{
	struct keep          *keep    = (struct keep *)read;
	uint32_t              number  = view_partition(view);
	const struct changes *changes = &view->partition->changes;
	if (changes->file == NULL)
		return;
	if (keep->wanted[number] == UINT64_MAX)
		keep->wanted[number] = changes->count;
	if (changes->stored < keep->wanted[number])
		checkpoint_keep_changes(view->engine->checkpoints, number);
	if (changes->stored < keep->wanted[number])
		atomic_store(&keep->left, true);
}

enum status engine_history_keep(struct engine *engine, struct error *err)
{
	uint32_t    count       = engine_partition_count(engine);
	int64_t     deadline_ns = clock_monotonic_ns() + KEEP_MS * INT64_C(1000000);
	struct keep keep        = {.wanted = malloc(count * sizeof *keep.wanted)};
	enum status status;
	if (keep.wanted == NULL)
		abort();
	for (uint32_t i = 0; i < count; i++)
		keep.wanted[i] = UINT64_MAX;
	for (;;) {
		atomic_store(&keep.left, false);
		keep.wait.read = (struct engine_read){.run = run_keep, .timeout_ms = KEEP_MS};
		status         = engine_wait_all(engine, &keep.wait, err);
		if (status != STATUS_OK || !atomic_load(&keep.left))
			break;
		if (clock_monotonic_ns() > deadline_ns) {
			status = error_set(err, STATUS_UNAVAILABLE, "the change stream cannot be written");
			break;
		}
		usleep(KEEP_US);
	}
	free(keep.wanted);
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
	uint64_t          due; /* entries */
	uint64_t          end; /* of the file, in bytes */
	struct change_cut cut;
	change_segments   segments;

	struct change_file *file; /* the new one, until it is handed over */
};

static void run_plan(struct engine_read *read, struct view *view)
{
	struct drop          *drop    = (struct drop *)read;
	const struct changes *changes = &view->partition->changes;
	drop->due                     = due_of(view, drop->before_ms, drop->held).count;
	if (drop->due == 0)
		return;
	checkpoint_changes_paths(view->engine->checkpoints, drop->partition, drop->path, drop->next);
	memcpy(drop->workspace_id, changes->file->workspace_id, sizeof drop->workspace_id);
	drop->end            = changes->file->end;
	drop->cut.cut        = changes_first(changes) + drop->due;
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

static enum status make_file(struct drop *drop, struct error *err)
{
	struct change_file *file;
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
			if (atomic_load(&drop->engine->stopping) || atomic_load(&drop->engine->failed) ||
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
		add_amount(dropped,
		           &(struct history_amount){drop->due, drop->end > end ? drop->end - end : 0});
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
	if (status == STATUS_OK && drop.due > 0)
		status = cut(&drop, dropped, err);
	VECTOR_DONE(&drop.segments);
	return status;
}
