#include "privacy/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/wait.h"

enum { PAGE_ROWS = 1000, TEXT_BYTES_AIM = 1 << 20, NAME_BYTES = 32 };

#define MANIFEST_NAME "manifest.json"

static const struct {
	const char *name;
	const char *what;
} files[PRIVACY_FILE_COUNT] = {
	[PRIVACY_PROFILES] = {"profiles.jsonl", "Ids and traits, a line a person"},
	[PRIVACY_EVENTS]   = {"events.jsonl", "Stored events, a line each"},
	[PRIVACY_SEGMENTS] = {"segments.jsonl", "When the person entered and left segments, and why"},
	[PRIVACY_LINKS]    = {"links.jsonl", "Anonymous ids of visitors who became the person"},
	[PRIVACY_LETTERS]  = {"dead_letters.jsonl", "What was rejected, as it came, and why"},
};

static enum status path_of(const struct privacy_export *export, unsigned which, bool part,
                           char into[JOB_PATH_BYTES], struct error *err)
{
	char name[NAME_BYTES];
	snprintf(name, sizeof name, part ? ".%s.part" : "%s", files[which].name);
	return job_file_path(export->job, name, into, err);
}

static enum status read_segments(struct privacy_export *export, struct error *err)
{
	struct store *store = export->privacy->transfer->store;
	arena_init(&export->arena);
	enum status status = store->ops->segment_list(store, &export->arena, &export->segments[0],
	                                              &export->segment_counts[0], err);
	if (status == STATUS_OK)
		status = store->ops->segment_list_deleted(store, &export->arena, &export->segments[1],
		                                          &export->segment_counts[1], err);
	return status;
}

static const struct store_segment *segment_of(const struct privacy_export *export, uint32_t number)
{
	for (unsigned list = 0; list < 2; list++)
		for (size_t i = 0; i < export->segment_counts[list]; i++)
			if (export->segments[list][i].number == number)
				return &export->segments[list][i];
	return NULL;
}

enum status privacy_export_open(struct privacy_export *export, struct privacy *privacy,
                                struct job *job, struct error *err)
{
	struct transfer *transfer = privacy->transfer;
	*export                   = (struct privacy_export){.privacy = privacy, .job = job};
	for (unsigned i = 0; i < PRIVACY_FILE_COUNT; i++)
		export->fds[i] = -1;
	letter_terms_init(&export->terms, transfer->vault);
	export_reader_init(&export->reader, transfer->engine, transfer->vault);
	export_writer_init(&export->writer, transfer->vault, EXPORT_JSONL, false);
	export->reader.both     = true;
	export->reader.from_ms  = INT64_MIN;
	export->reader.to_ms    = INT64_MAX;
	export->reader.position = transfer->journal->ops->position(transfer->journal);
	enum status status      = read_segments(export, err);
	for (unsigned i = 0; i < PRIVACY_FILE_COUNT && status == STATUS_OK; i++) {
		char path[JOB_PATH_BYTES];
		status = path_of(export, i, true, path, err);
		if (status == STATUS_OK)
			export->fds[i] = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (status == STATUS_OK && export->fds[i] < 0)
			status = file_error(err, errno, "make", path);
	}
	return status;
}

void privacy_export_done(struct privacy_export *export)
{
	if (export->privacy == NULL)
		return;
	for (unsigned i = 0; i < PRIVACY_FILE_COUNT; i++) {
		if (export->fds[i] >= 0)
			close(export->fds[i]);
		buffer_done(&export->texts[i]);
	}
	export_reader_done(&export->reader);
	export_writer_done(&export->writer);
	letter_terms_done(&export->terms);
	map_u64_done(&export->written);
	arena_done(&export->arena);
	export->privacy = NULL;
}

static enum status write_text(struct privacy_export *export, unsigned which, struct error *err)
{
	struct text text   = buffer_text(&export->texts[which]);
	enum status status = file_write_at(export->fds[which], text.data, text.length,
	                                   export->bytes[which], files[which].name, err);
	export->bytes[which] += text.length;
	buffer_clear(&export->texts[which]);
	return status;
}

static enum status add_row(struct privacy_export *export, unsigned which, struct error *err)
{
	export->rows[which]++;
	return export->texts[which].length < TEXT_BYTES_AIM ? STATUS_OK
	                                                    : write_text(export, which, err);
}

/* ---- Profile and events ---- */

static enum status write_piece(struct privacy_export *export, struct error *err)
{
	const struct export_reader *reader = &export->reader;
	enum status                 status = STATUS_OK;
	for (size_t i = 0; i < reader->persons.count && status == STATUS_OK; i++) {
		status = export_write_profile(&export->writer, &reader->persons.items[i],
		                              &export->texts[PRIVACY_PROFILES], err);
		if (status == STATUS_OK)
			status = add_row(export, PRIVACY_PROFILES, err);
	}
	for (size_t i = 0; i < reader->events.count && status == STATUS_OK; i++) {
		status = export_write_event(&export->writer, &reader->events.items[i],
		                            &export->texts[PRIVACY_EVENTS], err);
		if (status == STATUS_OK)
			status = add_row(export, PRIVACY_EVENTS, err);
	}
	return status;
}

static enum status write_person(struct privacy_export *export, struct person person,
                                struct error *err)
{
	const uint32_t wanted[]     = {person.slot};
	enum status    status       = STATUS_OK;
	export->reader.wanted       = wanted;
	export->reader.wanted_count = 1;
	for (uint32_t slot = person.slot; slot != SLOT_NONE && status == STATUS_OK;) {
		status = export_reader_next(&export->reader, person.partition, slot, err);
		if (status == STATUS_OK)
			status = write_piece(export, err);
		slot = export->reader.next_slot;
		if (status == STATUS_OK && job_stopping(export->job) != JOB_GO_ON)
			status = error_set(err, STATUS_AGAIN, "stopped");
	}
	export->reader.wanted = NULL;
	return status;
}

/* ---- Segments ---- */

/* A page of a person's history, copied on the partition's thread. */
struct history {
	struct engine_wait   wait; /* begins it */
	struct arena         arena;
	uint32_t             slot;
	uint64_t             from_index;
	struct view_history *rows;
	size_t               count;
};

static void read_history(struct engine_read *read, struct view *view)
{
	struct history *history = (struct history *)read;
	history->count = view_person_history(view, history->slot, history->from_index, PAGE_ROWS,
	                                     &history->arena, &history->rows);
}

static void write_change(struct privacy_export *export, struct vault_id id,
                         const struct change *change)
{
	const struct store_segment *segment = segment_of(export, change->segment);
	struct json_writer          w       = json_writer_of(&export->texts[PRIVACY_SEGMENTS]);
	json_begin_object(&w);
	json_member_string(&w, id.namespace == VAULT_USER ? "userId" : "anonymousId", id.id);
	if (segment != NULL) {
		json_member_string(&w, "segmentId", text_of(segment->id));
		json_member_string(&w, "segmentName", segment->name);
	}
	json_member_string(&w, "change", change->entered ? TEXT("entered") : TEXT("exited"));
	json_member_instant(&w, "at", change->at_ms);
	json_member_string(&w, "cause", text_of(cause_name((enum cause)change->cause)));
	json_end_object(&w);
	buffer_add_u8(&export->texts[PRIVACY_SEGMENTS], '\n');
}

static enum status write_history(struct privacy_export *export, struct vault_id id,
                                 struct person person, struct error *err)
{
	struct history history = {.slot = person.slot, .count = PAGE_ROWS};
	enum status    status  = STATUS_OK;
	while (status == STATUS_OK && history.count == PAGE_ROWS) {
		arena_init(&history.arena);
		history.wait = (struct engine_wait){.read = {.run = read_history}};
		status       = engine_wait_person(export->privacy->transfer->engine, person.partition,
		                                  &history.wait, err);
		for (size_t i = 0; status == STATUS_OK && i < history.count; i++) {
			write_change(export, id, &history.rows[i].change);
			status = add_row(export, PRIVACY_SEGMENTS, err);
		}
		if (status == STATUS_OK && history.count > 0)
			history.from_index = history.rows[history.count - 1].index + 1;
		arena_done(&history.arena);
	}
	return status;
}

enum status privacy_export_batch(struct privacy_export *export, const struct vault_id *ids,
                                 size_t count, bool *known, uint64_t *persons, struct error *err)
{
	struct vault *vault  = export->privacy->transfer->vault;
	enum status   status = STATUS_OK;
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		struct person person;
		uint64_t      sequence;
		status = vault_resolve(vault, &ids[i], 1, false, &person, NULL, &sequence, err);
		if (status != STATUS_OK)
			break;
		known[i] = person.slot != SLOT_NONE;
		if (!known[i])
			continue;
		status = write_person(export, person, err);
		if (status == STATUS_OK)
			status = write_history(export, ids[i], person, err);
		letter_terms_add(&export->terms, ids[i].id);
		*map_u64_put(&export->written, person_number(person)) = 1;
		++*persons;
	}
	return status;
}

/* ---- Links ---- */

typedef VECTOR(struct vault_merge) merge_list;

static void add_merge(void *context, const struct vault_merge *merge)
{
	merge_list *list = context;
	VECTOR_ADD(list, *merge);
}

static enum status write_link(struct privacy_export *export, const struct vault_merge *merge,
                              struct error *err)
{
	struct vault      *vault = export->privacy->transfer->vault;
	struct buffer     *text  = &export->texts[PRIVACY_LINKS];
	struct arena       arena;
	struct vault_id    visitor, user;
	struct json_writer w = json_writer_of(text);
	arena_init(&arena);
	enum status status = vault_external_id(vault, merge->visitor, &arena, &visitor, err);
	if (status == STATUS_OK)
		status = vault_external_id(vault, merge->user, &arena, &user, err);
	if (status == STATUS_OK) {
		json_begin_object(&w);
		json_member_string(&w, "userId", user.id);
		json_member_string(&w, "anonymousId", visitor.id);
		json_end_object(&w);
		buffer_add_u8(text, '\n');
		letter_terms_add(&export->terms, visitor.id);
		*map_u64_put(&export->written, person_number(merge->visitor)) = 1;
		status = add_row(export, PRIVACY_LINKS, err);
	}
	arena_done(&arena);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status write_links(struct privacy_export *export, struct error *err)
{
	merge_list  merges = {0};
	enum status status = STATUS_OK;
	vault_each_merge(export->privacy->transfer->vault, add_merge, &merges);
	for (size_t i = 0; i < merges.count && status == STATUS_OK; i++)
		if (map_u64_find(&export->written, person_number(merges.items[i].user)) != NULL)
			status = write_link(export, &merges.items[i], err);
	VECTOR_DONE(&merges);
	return status;
}

/* ---- Dead letters ---- */

static bool is_theirs(const struct privacy_export *export, const struct store_letter *letter,
                      struct text event)
{
	struct person person = {letter->partition, letter->slot};
	if (letter->personal)
		return map_u64_find(&export->written, person_number(person)) != NULL;
	return letter_terms_occur(&export->terms, event);
}

static enum status write_letter(struct privacy_export *export, const struct store_letter *letter,
                                struct arena *arena, struct error *err)
{
	struct text event = {0}, shared = {0};
	enum status status =
		letters_open(export->privacy->letters, letter, arena, &event, &shared, err);
	if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !is_theirs(export, letter, event)))
		return STATUS_OK;
	if (status != STATUS_OK)
		return status;
	struct json_writer w = json_writer_of(&export->texts[PRIVACY_LETTERS]);
	json_begin_object(&w);
	json_member_instant(&w, "receivedAt", letter->at_ms);
	json_member_string(&w, "code", letter->code);
	json_member_string(&w, "place", letter->place);
	json_member_string(&w, "event", event); /* as a text: it need not be JSON */
	json_end_object(&w);
	buffer_add_u8(&export->texts[PRIVACY_LETTERS], '\n');
	return add_row(export, PRIVACY_LETTERS, err);
}

static enum status write_letters(struct privacy_export *export, struct error *err)
{
	struct store *store  = export->privacy->transfer->store;
	enum status   status = letters_flush(export->privacy->letters, err);
	uint64_t      after  = 0;
	size_t        count  = PAGE_ROWS;
	while (status == STATUS_OK && count == PAGE_ROWS) {
		struct store_letter *letters;
		struct arena         arena;
		arena_init(&arena);
		status = store->ops->letter_all(store, after, PAGE_ROWS, &arena, &letters, &count, err);
		for (size_t i = 0; status == STATUS_OK && i < count; i++) {
			after  = letters[i].id;
			status = write_letter(export, &letters[i], &arena, err);
		}
		arena_done(&arena);
		if (status == STATUS_OK && job_stopping(export->job) != JOB_GO_ON)
			status = error_set(err, STATUS_AGAIN, "stopped");
	}
	return status;
}

/* ---- End ---- */

static void write_manifest(const struct privacy_export *export, struct buffer *out)
{
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_member_string(&w, "request", text_of(job_id(export->job)));
	json_member_instant(&w, "asOf", job_now_ms(export->job));
	json_add_key(&w, TEXT("files"));
	json_begin_array(&w);
	for (unsigned i = 0; i < PRIVACY_FILE_COUNT; i++) {
		json_begin_object(&w);
		json_member_string(&w, "name", text_of(files[i].name));
		json_member_string(&w, "holds", text_of(files[i].what));
		json_member_int(&w, "rows", (int64_t) export->rows[i]);
		json_member_int(&w, "bytes", (int64_t) export->bytes[i]);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_end_object(&w);
	buffer_add_u8(out, '\n');
}

static enum status name_file(struct privacy_export *export, unsigned which, struct error *err)
{
	char        from[JOB_PATH_BYTES], into[JOB_PATH_BYTES];
	enum status status = write_text(export, which, err);
	if (status == STATUS_OK && fsync(export->fds[which]) != 0)
		status = file_error(err, errno, "sync", files[which].name);
	if (status == STATUS_OK)
		status = path_of(export, which, true, from, err);
	if (status == STATUS_OK)
		status = path_of(export, which, false, into, err);
	if (status == STATUS_OK && rename(from, into) != 0)
		status = file_error(err, errno, "rename", from);
	return status;
}

enum status privacy_export_finish(struct privacy_export *export, struct error *err)
{
	struct buffer manifest = {0};
	char          path[JOB_PATH_BYTES];
	enum status   status = write_links(export, err);
	if (status == STATUS_OK)
		status = write_letters(export, err);
	for (unsigned i = 0; i < PRIVACY_FILE_COUNT && status == STATUS_OK; i++)
		status = name_file(export, i, err);
	if (status == STATUS_OK)
		status = job_file_path(export->job, MANIFEST_NAME, path, err);
	write_manifest(export, &manifest);
	if (status == STATUS_OK)
		status = file_replace(path, 0600, manifest.data, manifest.length, err);
	buffer_done(&manifest);
	return status;
}
