#include "engine/change/change_compact.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum {
	COPY_BYTES   = 1 << 20,
	GATHERED_MAX = 1 << 20, /* segments between two times that they are sorted */
};

struct compaction {
	const struct change_file *file;
	const struct change_cut  *cut;
	size_t                    chunk_count; /* before the cut */
	uint64_t                  source_end;  /* where what is copied ends */

	uint64_t *kept;   /* by index, a bit each: what stays */
	uint64_t *bare;   /* of these, what only leads on */
	uint32_t *seen;   /* by slot: the segment + 1 that was last looked at */
	uint32_t *newest; /* by slot: the newest that stays so far, index + 1 */

	/* The chunk that is being filled. */
	VECTOR(struct stored_change) entries;
	VECTOR(uint32_t) places;
	uint64_t first_index;

	const char   *path;
	int           fd;
	uint64_t      end;
	struct buffer bytes;
};

static bool bit(const uint64_t *bits, uint64_t at) { return (bits[at / 64] >> at % 64 & 1) != 0; }

static void set_bit(uint64_t *bits, uint64_t at) { bits[at / 64] |= UINT64_C(1) << at % 64; }

static void *zeros(size_t count, size_t size)
{
	void *memory = calloc(count + 1, size);
	if (memory == NULL)
		abort();
	return memory;
}

static enum status use(const struct compaction *compaction, uint64_t bytes, struct error *err)
{
	const struct change_cut *cut = compaction->cut;
	return cut->use == NULL || cut->use(cut->context, bytes)
	           ? STATUS_OK
	           : error_set(err, STATUS_UNAVAILABLE, "dropping old changes was stopped");
}

/* ---- What stays ---- */

/* The first of a person's chain; another entry without a segment was left bare by a cut before. */
static bool is_creation(const struct stored_change *entry)
{
	return entry->change.segment == 0 && entry->previous == 0;
}

static int compare_segments(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return (a > b) - (a < b);
}

static void sort_segments(change_segments *segments)
{
	size_t count = 0;
	if (segments->count > 0)
		qsort(segments->items, segments->count, sizeof *segments->items, compare_segments);
	for (size_t i = 0; i < segments->count; i++)
		if (count == 0 || segments->items[count - 1] != segments->items[i])
			segments->items[count++] = segments->items[i];
	segments->count = count;
}

static void find_segments(const struct compaction *compaction, change_segments *ret_segments)
{
	size_t sorted = 0;
	for (size_t i = 0; i < compaction->chunk_count; i++) {
		change_chunk_segments(compaction->file, &compaction->file->chunks.items[i], ret_segments);
		if (ret_segments->count > 2 * sorted + GATHERED_MAX) {
			sort_segments(ret_segments);
			sorted = ret_segments->count;
		}
	}
	sort_segments(ret_segments);
}

static bool held_by_default(const struct change_cut *cut, uint32_t segment)
{
	size_t at = 0;
	while (at < cut->default_count && cut->default_segments[at] != segment)
		at++;
	return at < cut->default_count;
}

/* From the newest back: the first of each person is what decides. */
static void keep_of_segment(struct compaction *compaction, uint32_t segment)
{
	const struct change_file *file       = compaction->file;
	bool                      by_default = held_by_default(compaction->cut, segment);
	for (size_t i = compaction->chunk_count; i-- > 0;) {
		const struct change_chunk  *chunk   = &file->chunks.items[i];
		const struct stored_change *entries = change_chunk_entries(file, chunk);
		struct change_range         range   = change_chunk_range(file, chunk, segment);
		for (const uint16_t *at = range.end; at-- > range.begin;) {
			const struct stored_change *entry = &entries[*at];
			uint32_t                    slot  = entry->change.slot;
			bool                        keep  = slot == SLOT_NONE || is_creation(entry);
			if (!keep && segment > 0 && compaction->seen[slot] != segment + 1) {
				compaction->seen[slot] = segment + 1;
				keep                   = entry->change.entered || by_default;
			}
			if (keep)
				set_bit(compaction->kept, change_chunk_index(file, chunk, *at));
		}
	}
}

/* The newest of each person leads on, if it does not stay anyway. */
static void keep_bare(struct compaction *compaction)
{
	const struct change_file *file = compaction->file;
	memset(compaction->seen, 0, compaction->cut->slot_count * sizeof *compaction->seen);
	for (size_t i = compaction->chunk_count; i-- > 0;) {
		const struct change_chunk  *chunk   = &file->chunks.items[i];
		const struct stored_change *entries = change_chunk_entries(file, chunk);
		for (uint32_t place = chunk->count; place-- > 0;) {
			uint32_t slot  = entries[place].change.slot;
			uint64_t index = change_chunk_index(file, chunk, place);
			if (slot == SLOT_NONE || compaction->seen[slot] != 0)
				continue;
			compaction->seen[slot] = 1;
			if (bit(compaction->kept, index))
				continue;
			set_bit(compaction->kept, index);
			set_bit(compaction->bare, index);
		}
	}
}

static enum status choose(struct compaction *compaction, struct error *err)
{
	enum status     status   = STATUS_OK;
	change_segments segments = {0};
	for (size_t i = 0; i < compaction->chunk_count && status == STATUS_OK; i++)
		status = use(compaction, compaction->file->chunks.items[i].bytes, err);
	if (status != STATUS_OK)
		return status;
	find_segments(compaction, &segments);
	for (size_t i = 0; i < segments.count; i++)
		keep_of_segment(compaction, segments.items[i]);
	VECTOR_DONE(&segments);
	keep_bare(compaction);
	return STATUS_OK;
}

/* ---- The file ---- */

static enum status write_bytes(struct compaction *compaction, struct text bytes, struct error *err)
{
	enum status status = use(compaction, bytes.length, err);
	if (status == STATUS_OK)
		status = file_write_at(compaction->fd, bytes.data, bytes.length, compaction->end,
		                       compaction->path, err);
	compaction->end += bytes.length;
	return status;
}

/* Ends the chunk that is being filled; it stands for everything until `next`. */
static enum status end_chunk(struct compaction *compaction, uint64_t next, struct error *err)
{
	buffer_clear(&compaction->bytes);
	change_kept_encode(compaction->entries.items, compaction->places.items,
	                   (uint32_t)compaction->entries.count, compaction->first_index,
	                   (uint32_t)(next - compaction->first_index), &compaction->bytes);
	compaction->first_index   = next;
	compaction->entries.count = 0;
	compaction->places.count  = 0;
	return write_bytes(compaction, buffer_text(&compaction->bytes), err);
}

static enum status keep_entry(struct compaction *compaction, const struct stored_change *from,
                              uint64_t index, struct error *err)
{
	enum status          status = STATUS_OK;
	struct stored_change entry  = *from;
	uint32_t             slot   = entry.change.slot;
	if (compaction->entries.count == CHANGE_CHUNK_ENTRIES_MAX)
		status = end_chunk(compaction, index, err);
	if (bit(compaction->bare, index))
		entry.change = (struct change){.slot = slot};
	if (slot != SLOT_NONE) {
		entry.previous           = compaction->newest[slot];
		compaction->newest[slot] = (uint32_t)index + 1;
	}
	VECTOR_ADD(&compaction->entries, entry);
	VECTOR_ADD(&compaction->places, (uint32_t)(index - compaction->first_index));
	return status;
}

static enum status write_kept(struct compaction *compaction, struct error *err)
{
	const struct change_file *file   = compaction->file;
	enum status               status = STATUS_OK;
	for (size_t i = 0; i < compaction->chunk_count; i++) {
		const struct change_chunk  *chunk   = &file->chunks.items[i];
		const struct stored_change *entries = change_chunk_entries(file, chunk);
		for (uint32_t place = 0; place < chunk->count && status == STATUS_OK; place++) {
			uint64_t index = change_chunk_index(file, chunk, place);
			if (bit(compaction->kept, index))
				status = keep_entry(compaction, &entries[place], index, err);
		}
	}
	return status == STATUS_OK ? end_chunk(compaction, compaction->cut->cut, err) : status;
}

static enum status copy_rest(struct compaction *compaction, struct error *err)
{
	const struct change_file *file   = compaction->file;
	uint64_t                  from   = file->chunks.items[compaction->chunk_count].offset;
	uint64_t                  end    = compaction->source_end;
	enum status               status = STATUS_OK;
	while (from < end && status == STATUS_OK) {
		size_t length = end - from < COPY_BYTES ? end - from : COPY_BYTES;
		status =
			write_bytes(compaction, (struct text){(const char *)file->map + from, length}, err);
		from += length;
	}
	return status;
}

static enum status write_file(struct compaction *compaction, struct error *err)
{
	change_file_head(compaction->file, &compaction->bytes);
	enum status status = write_bytes(compaction, buffer_text(&compaction->bytes), err);
	if (status == STATUS_OK)
		status = write_kept(compaction, err);
	if (status == STATUS_OK)
		status = copy_rest(compaction, err);
	if (status == STATUS_OK && fdatasync(compaction->fd) != 0)
		status = file_error(err, errno, "sync", compaction->path);
	return status;
}

/* ---- All of it ---- */

static void begin(struct compaction *compaction)
{
	const struct change_file *file = compaction->file;
	const struct change_cut  *cut  = compaction->cut;
	while (compaction->chunk_count < file->chunks.count &&
	       file->chunks.items[compaction->chunk_count].first_index < cut->cut)
		compaction->chunk_count++;
	assert(compaction->chunk_count > 0 && compaction->chunk_count < file->chunks.count &&
	       file->chunks.items[compaction->chunk_count].first_index == cut->cut &&
	       !file->chunks.items[compaction->chunk_count].kept && cut->count <= file->count);
	compaction->source_end = file->end;
	for (size_t i = compaction->chunk_count; i < file->chunks.count; i++)
		if (file->chunks.items[i].first_index == cut->count)
			compaction->source_end = file->chunks.items[i].offset;
	compaction->kept   = zeros(cut->cut / 64 + 1, sizeof *compaction->kept);
	compaction->bare   = zeros(cut->cut / 64 + 1, sizeof *compaction->bare);
	compaction->seen   = zeros(cut->slot_count, sizeof *compaction->seen);
	compaction->newest = zeros(cut->slot_count, sizeof *compaction->newest);
}

static void done(struct compaction *compaction)
{
	free(compaction->kept);
	free(compaction->bare);
	free(compaction->seen);
	free(compaction->newest);
	VECTOR_DONE(&compaction->entries);
	VECTOR_DONE(&compaction->places);
	buffer_done(&compaction->bytes);
	if (compaction->fd >= 0)
		close(compaction->fd);
}

static enum status look_through(const struct compaction *compaction, struct change_file **ret_file,
                                struct error *err)
{
	const struct change_file *file = compaction->file;
	struct change_file       *made;
	enum status               status =
		change_file_open(compaction->path, file->workspace_id, file->partition, &made, err);
	if (status != STATUS_OK)
		return status;
	if (made->end != compaction->end || made->count != compaction->cut->count ||
	    made->cut != compaction->cut->cut) {
		change_file_close(made);
		return error_set(err, STATUS_CORRUPT, "%s: what is read is not what was written",
		                 compaction->path);
	}
	*ret_file = made;
	return STATUS_OK;
}

enum status change_compact(const struct change_file *file, const struct change_cut *cut,
                           const char *path, struct change_file **ret_file, struct error *err)
{
	struct compaction compaction = {.file = file, .cut = cut, .path = path, .fd = -1};
	begin(&compaction);
	enum status status = choose(&compaction, err);
	if (status == STATUS_OK) {
		compaction.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
		status =
			compaction.fd < 0 ? file_error(err, errno, "open", path) : write_file(&compaction, err);
	}
	if (status == STATUS_OK)
		status = look_through(&compaction, ret_file, err);
	done(&compaction);
	return status;
}
