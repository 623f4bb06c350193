#include "transfer/export/export_job.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/edit_distance.h"
#include "base/file.h"
#include "base/instant.h"
#include "transfer/export/export_file.h"
#include "transfer/export/export_params.h"
#include "transfer/export/export_row.h"

enum { PIECE_TEXT_BYTES = 1 << 20, NAME_BYTES = 64 };

enum what { WHAT_EVENTS, WHAT_PROFILES, WHAT_COUNT };
static const char *const what_names[WHAT_COUNT] = {"events", "profiles"};

struct wish {
	bool                    what[WHAT_COUNT];
	enum export_format      format;
	enum export_compression compression;
	int64_t                 from_ms;
	int64_t                 to_ms;
	bool                    masked;
	bool                    keep_formulas;
	struct text             consent; /* empty: nobody is asked */
};

struct finished_file {
	char     name[NAME_BYTES]; /* without the dot */
	unsigned what;
	uint64_t rows;
	uint64_t bytes;
	char     checksum[EXPORT_CHECKSUM_BYTES];
};

struct export
{
	struct transfer     *transfer;
	struct job          *job;
	struct wish          wish;
	char                 directory[JOB_PATH_BYTES];
	struct export_reader reader;
	struct export_writer writer;
	struct export_file   file;
	struct buffer        text;
	uint64_t             rows;
	struct arena         arena;
	struct consent       consent;

	/* Where it stands: the state. */
	uint64_t position;
	int64_t  begun_ms;
	unsigned what;
	uint32_t partition;
	uint32_t slot;
	uint64_t left_out[WHAT_COUNT]; /* persons, for want of consent */
	VECTOR(struct finished_file) files;
};

/* ---- Parameters ---- */

static enum status read_what(struct wish *wish, struct json value, struct error *err)
{
	unsigned which;
	for (struct json_iterator i = json_iterate(value); json_next(&i);) {
		if (!export_read_word(i.value, what_names, WHAT_COUNT, &which))
			return export_refuse(err, "params.what", "it is an array of \"events\", \"profiles\"");
		wish->what[which] = true;
	}
	if (!wish->what[WHAT_EVENTS] && !wish->what[WHAT_PROFILES])
		return export_refuse(err, "params.what", "events, profiles, or both?");
	return STATUS_OK;
}

static bool read_instant(struct json value, int64_t *ret_ms)
{
	return json_type(value) == JSON_STRING && instant_parse(json_string(value), ret_ms);
}

static enum status unknown(struct error *err, struct text name)
{
	static const char *const known[] = {"what",   "format",       "compression", "from", "to",
	                                    "masked", "keepFormulas", "consent",     NULL};
	const char *const        nearest = edit_nearest(name, known);
	char                     field[ERROR_FIELD_BYTES_MAX];
	snprintf(field, sizeof field, "params.%.*s", TEXT_FORMAT(name));
	if (nearest != NULL)
		return error_set_field(err, STATUS_INVALID, field,
		                       "there is no such parameter: did you mean \"%s\"?", nearest);
	return error_set_field(err, STATUS_INVALID, field,
	                       "there is none but what, format, compression, from, to, masked, "
	                       "keepFormulas and consent");
}

static enum status read_member(struct wish *wish, struct text name, struct json value,
                               struct error *err)
{
	unsigned which;
	if (text_equal(name, TEXT("what")))
		return read_what(wish, value, err);
	if (text_equal(name, TEXT("format"))) {
		if (!export_read_word(value, export_format_names, 2, &which))
			return export_refuse(err, "params.format", "it is jsonl or csv");
		wish->format = (enum export_format)which;
	} else if (text_equal(name, TEXT("compression"))) {
		if (!export_read_word(value, export_compression_names, 3, &which))
			return export_refuse(err, "params.compression", "it is none, gzip or zstd");
		wish->compression = (enum export_compression)which;
	} else if (text_equal(name, TEXT("from"))) {
		if (!read_instant(value, &wish->from_ms))
			return export_refuse(err, "params.from", "it is not an RFC 3339 instant");
	} else if (text_equal(name, TEXT("to"))) {
		if (!read_instant(value, &wish->to_ms))
			return export_refuse(err, "params.to", "it is not an RFC 3339 instant");
	} else if (text_equal(name, TEXT("masked"))) {
		if (json_type(value) != JSON_BOOL)
			return export_refuse(err, "params.masked", "it is true or false");
		wish->masked = json_bool(value);
	} else if (text_equal(name, TEXT("keepFormulas"))) {
		if (json_type(value) != JSON_BOOL)
			return export_refuse(err, "params.keepFormulas", "it is true or false");
		wish->keep_formulas = json_bool(value);
	} else if (!text_equal(name, TEXT("consent"))) {
		return unknown(err, name);
	}
	return STATUS_OK;
}

static enum status read_wish(struct wish *wish, struct json params, struct error *err)
{
	enum status status = STATUS_OK;
	*wish = (struct wish){.from_ms = INSTANT_MS_MIN, .to_ms = INSTANT_MS_MAX, .masked = true};
	for (struct json_iterator i = json_iterate(params); status == STATUS_OK && json_next(&i);)
		status = read_member(wish, i.name, i.value, err);
	if (status == STATUS_OK)
		status = export_read_consent(params, &wish->consent, err);
	if (status != STATUS_OK)
		return status;
	if (json_type(json_get(params, "what")) == JSON_NONE)
		return export_refuse(err, "params.what", "events, profiles, or both?");
	if (wish->from_ms >= wish->to_ms)
		return export_refuse(err, "params.to", "it must be later than from");
	return STATUS_OK;
}

static enum status check(void *context, struct json params, struct error *err)
{
	struct wish wish;
	(void)context;
	return read_wish(&wish, params, err);
}

/* ---- State ---- */

static void write_files(const struct export *export, struct json_writer *writer)
{
	json_begin_array(writer);
	for (size_t i = 0; i < export->files.count; i++) {
		const struct finished_file *file = &export->files.items[i];
		json_begin_object(writer);
		json_member_string(writer, "name", text_of(file->name));
		json_member_string(writer, "what", text_of(what_names[file->what]));
		json_member_int(writer, "rows", (int64_t)file->rows);
		json_member_int(writer, "bytes", (int64_t)file->bytes);
		json_member_string(writer, "sha256", text_of(file->checksum));
		json_end_object(writer);
	}
	json_end_array(writer);
}

/* Of each of what was wanted; nothing where nobody was asked. */
static void write_left_out(const struct export *export, struct json_writer *writer)
{
	if (export->wish.consent.length == 0)
		return;
	json_add_key(writer, TEXT("withoutConsent"));
	json_begin_object(writer);
	for (unsigned i = 0; i < WHAT_COUNT; i++)
		if (export->wish.what[i])
			json_member_int(writer, what_names[i], (int64_t) export->left_out[i]);
	json_end_object(writer);
}

static enum status save(struct export *export, struct error *err)
{
	struct buffer      state  = {0};
	struct json_writer writer = json_writer_of(&state);
	json_begin_object(&writer);
	json_member_int(&writer, "position", (int64_t) export->position);
	json_member_int(&writer, "begunMs", export->begun_ms);
	json_member_int(&writer, "what", export->what);
	json_member_int(&writer, "partition", export->partition);
	json_member_int(&writer, "slot", export->slot);
	write_left_out(export, &writer);
	json_add_key(&writer, TEXT("files"));
	write_files(export, &writer);
	json_end_object(&writer);
	enum status status = job_save(export->job, buffer_text(&state), err);
	buffer_done(&state);
	return status;
}

static enum status read_state(struct export *export, struct error *err)
{
	struct json_parser *parser = json_parser_new();
	struct json         state, begun;
	unsigned            what;
	enum status         status = json_parse_text(parser, job_state(export->job), &state, err);
	if (status != STATUS_OK) {
		json_parser_free(parser);
		return error_set(err, STATUS_CORRUPT, "the saved state cannot be read");
	}
	begun             = json_get(state, "begunMs");
	export->position  = export_number(state, "position");
	export->begun_ms  = json_type(begun) == JSON_INT ? json_int(begun) : 0;
	export->what      = (unsigned)export_number(state, "what");
	export->partition = (uint32_t)export_number(state, "partition");
	export->slot      = (uint32_t)export_number(state, "slot");
	for (unsigned i = 0; i < WHAT_COUNT; i++)
		export->left_out[i] = export_number(json_get(state, "withoutConsent"), what_names[i]);
	for (struct json_iterator i = json_iterate(json_get(state, "files")); json_next(&i);) {
		struct finished_file file = {.rows  = export_number(i.value, "rows"),
		                             .bytes = export_number(i.value, "bytes")};
		export_copy_text(file.name, sizeof file.name, json_get(i.value, "name"));
		export_copy_text(file.checksum, sizeof file.checksum, json_get(i.value, "sha256"));
		if (export_read_word(json_get(i.value, "what"), what_names, WHAT_COUNT, &what))
			file.what = what;
		export->rows += file.rows;
		VECTOR_ADD(&export->files, file);
	}
	json_parser_free(parser);
	return STATUS_OK;
}

static enum status begin(struct export *export, struct error *err)
{
	struct journal *journal = export->transfer->journal;
	if (job_state(export->job).length > 0)
		return read_state(export, err);
	export->position = journal->ops->position(journal);
	export->begun_ms = job_now_ms(export->job);
	return save(export, err);
}

/* ---- Files ---- */

static void name_file(const struct export *export, char into[NAME_BYTES])
{
	unsigned number = 1;
	for (size_t i = 0; i < export->files.count; i++)
		number += export->files.items[i].what == export->what;
	snprintf(into, NAME_BYTES, "%s-%04u.%s%s", what_names[export->what], number,
	         export_format_names[export->wish.format],
	         export_compression_ends[export->wish.compression]);
}

static enum status open_file(struct export *export, struct error *err)
{
	char name[NAME_BYTES], on_disk[NAME_BYTES + 1];
	if (export->files.count == EXPORT_FILES_MAX)
		return error_set(err, STATUS_TOO_LARGE, "more than %d files: choose a shorter range",
		                 EXPORT_FILES_MAX);
	name_file(export, name);
	export_name_on_disk(name, export->wish.masked, on_disk, sizeof on_disk);
	enum status status =
		export_file_open(&export->file, export->directory, on_disk, export->wish.compression, err);
	buffer_clear(&export->text);
	export_write_head(&export->writer, export->what == WHAT_PROFILES, &export->text);
	return status;
}

/* And the state behind it: the next piece begins another. */
static enum status finish_file(struct export *export, struct error *err)
{
	struct finished_file file = {.what = export->what};
	if (export->file.fd < 0)
		return save(export, err);
	enum status status = export_file_add(&export->file, buffer_text(&export->text), 0, err);
	if (status == STATUS_OK)
		status = export_file_finish(&export->file, err);
	if (status != STATUS_OK)
		return status;
	name_file(export, file.name);
	file.rows  = export->file.rows;
	file.bytes = export->file.bytes;
	memcpy(file.checksum, export->file.checksum, sizeof file.checksum);
	VECTOR_ADD(&export->files, file);
	export_file_done(&export->file);
	buffer_clear(&export->text);
	return save(export, err);
}

/* ---- Pieces ---- */

static enum status add_text(struct export *export, uint64_t rows, bool anyway, struct error *err)
{
	struct text text = buffer_text(&export->text);
	if (!anyway && text.length < PIECE_TEXT_BYTES) {
		export->file.rows += rows;
		return STATUS_OK;
	}
	enum status status = export_file_add(&export->file, text, rows, err);
	job_use_bytes(export->job, text.length);
	buffer_clear(&export->text);
	return status;
}

static enum status write_piece(struct export *export, struct error *err)
{
	const struct export_reader *reader = &export->reader;
	size_t      count  = reader->profiles ? reader->persons.count : reader->events.count;
	enum status status = STATUS_OK;
	if (count > 0 && export->file.fd < 0)
		status = open_file(export, err);
	for (size_t i = 0; status == STATUS_OK && i < count; i++) {
		status = reader->profiles ? export_write_profile(&export->writer, &reader->persons.items[i],
		                                                 &export->text, err)
		                          : export_write_event(&export->writer, &reader->events.items[i],
		                                               &export->text, err);
		if (status == STATUS_OK)
			status = add_text(export, 1, false, err);
	}
	export->rows += count;
	export->left_out[export->what] += reader->left_out;
	return status;
}

/* One piece, and where the next begins. */
static enum status take_piece(struct export *export, struct error *err)
{
	enum status status = export_reader_next(&export->reader, export->partition, export->slot, err);
	if (status == STATUS_OK)
		status = write_piece(export, err);
	if (status != STATUS_OK)
		return status;
	export->slot = export->reader.next_slot;
	if (export->slot == SLOT_NONE) {
		export->slot = 0;
		export->partition++;
	}
	job_progress(export->job, (int64_t) export->rows, -1, "rows", what_names[export->what]);
	if (export->file.fd >= 0 && export->file.text_bytes >= EXPORT_FILE_TEXT_BYTES_AIM)
		return finish_file(export, err);
	return STATUS_OK;
}

static enum status take_all(struct export *export, struct error *err)
{
	for (; export->what < WHAT_COUNT; export->what++, export->partition = 0) {
		enum status status      = STATUS_OK;
		export->reader.profiles = export->what == WHAT_PROFILES;
		while (status == STATUS_OK && export->wish.what[export->what] &&
		       export->partition < export->transfer->partition_count) {
			status = job_stopping(export->job) == JOB_GO_ON
			             ? take_piece(export, err)
			             : error_set(err, STATUS_AGAIN, "stopped");
		}
		if (status == STATUS_OK && export->wish.what[export->what])
			status = finish_file(export, err);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* ---- The end ---- */

static void write_manifest(const struct export *export, struct buffer *out)
{
	const struct wish *wish   = &export->wish;
	struct json_writer writer = json_writer_of(out);
	json_begin_object(&writer);
	json_member_string(&writer, "id", text_of(job_id(export->job)));
	json_member_string(&writer, "format", text_of(export_format_names[wish->format]));
	json_member_string(&writer, "compression",
	                   text_of(export_compression_names[wish->compression]));
	json_member_bool(&writer, "masked", wish->masked);
	if (wish->from_ms == INSTANT_MS_MIN)
		json_member_null(&writer, "from");
	else
		json_member_instant(&writer, "from", wish->from_ms);
	if (wish->to_ms == INSTANT_MS_MAX)
		json_member_null(&writer, "to");
	else
		json_member_instant(&writer, "to", wish->to_ms);
	json_member_instant(&writer, "asOf", export->begun_ms);
	json_member_int(&writer, "journalPosition", (int64_t) export->position);
	json_member_int(&writer, "rows", (int64_t) export->rows);
	if (wish->consent.length > 0)
		json_member_string(&writer, "consent", wish->consent);
	write_left_out(export, &writer);
	json_add_key(&writer, TEXT("files"));
	write_files(export, &writer);
	json_end_object(&writer);
}

static enum status finish(struct export *export, struct error *err)
{
	char          path[JOB_PATH_BYTES], name[NAME_BYTES];
	struct buffer manifest = {0};
	snprintf(name, sizeof name, "%s%s", export->wish.masked ? "" : ".", EXPORT_MANIFEST);
	write_manifest(export, &manifest);
	enum status status = job_file_path(export->job, name, path, err);
	if (status == STATUS_OK)
		status = file_replace(path, 0600, manifest.data, manifest.length, err);
	struct buffer      result = {0};
	struct json_writer writer = json_writer_of(&result);
	json_begin_object(&writer);
	json_member_int(&writer, "rows", (int64_t) export->rows);
	json_member_int(&writer, "files", (int64_t) export->files.count);
	json_member_int(&writer, "journalPosition", (int64_t) export->position);
	json_member_bool(&writer, "masked", export->wish.masked);
	write_left_out(export, &writer);
	json_end_object(&writer);
	job_set_result(export->job, buffer_text(&result));
	buffer_done(&result);
	buffer_done(&manifest);
	return status;
}

static enum status work(struct export *export, struct error *err)
{
	enum status status = begin(export, err);
	if (status != STATUS_OK)
		return status;
	export->reader.position = export->position;
	export->reader.from_ms  = export->wish.from_ms;
	export->reader.to_ms    = export->wish.to_ms;
	status                  = take_all(export, err);
	return status == STATUS_OK ? finish(export, err) : status;
}

static enum status run(void *context, struct job *job, struct error *err)
{
	struct export export = {.transfer = context, .job = job, .file = {.fd = -1}};
	enum status status   = read_wish(&export.wish, job_params(job), err);
	if (status == STATUS_OK)
		status = job_file_path(job, "x", export.directory, err);
	if (status != STATUS_OK)
		return status;
	*strrchr(export.directory, '/') = '\0';
	export_reader_init(&export.reader, export.transfer->engine, export.transfer->vault);
	arena_init(&export.arena);
	if (consent_read(export.wish.consent, &export.arena, &export.consent))
		export.reader.consent = &export.consent;
	export_writer_init(&export.writer, export.transfer->vault, export.wish.format,
	                   export.wish.masked);
	export.writer.keep_formulas = export.wish.keep_formulas;
	status                      = work(&export, err);
	export_file_done(&export.file);
	if (status != STATUS_OK && job_stopping(job) == JOB_CANCELLED)
		export_remove_files(export.directory);
	export_writer_done(&export.writer);
	export_reader_done(&export.reader);
	arena_done(&export.arena);
	buffer_done(&export.text);
	VECTOR_DONE(&export.files);
	return status;
}

static const struct job_need *needs(void *context, struct json params)
{
	static const struct job_need masked[]   = {{"user.read", NULL}, {0}};
	static const struct job_need unmasked[] = {
		{"user.read", NULL}, {"pii.read", "params.masked"}, {0}};
	struct json wish = json_get(params, "masked");
	(void)context;
	return json_type(wish) == JSON_BOOL && !json_bool(wish) ? unmasked : masked;
}

struct job_kind export_kind(struct transfer *transfer)
{
	return (struct job_kind){
		.name           = EXPORT_KIND,
		.summary        = "Writes events and profiles to files",
		.check          = check,
		.needs          = needs,
		.run            = run,
		.context        = transfer,
		.beside_max     = 2,
		.priority       = 0,
		.attempts_max   = 10,
		.backoff_ms     = 2000,
		.backoff_ms_max = 60000,
	};
}
