#include "transfer/audience/audience_export.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/instant.h"
#include "destination/marketing_platform.h"
#include "destination/s3.h"
#include "destination/signed_url.h"
#include "model/consent.h"
#include "model/expr.h"
#include "transfer/audience/audience_members.h"
#include "transfer/audience/audience_row.h"
#include "transfer/export/export_file.h"
#include "transfer/export/export_params.h"

#define MEMBERS_FILE ".members"

enum {
	PIECE_TEXT_BYTES = 1 << 20,
	NAME_BYTES       = 96,
	ID_BYTES_MAX     = 64,
	ATTEMPTS_MAX     = 60, /* some four hours of a destination that does not take it */
};

struct wish {
	struct text             audience_id;
	struct text             name;
	bool                    snapshot;
	int64_t                 as_of_ms; /* INSTANT_MS_NONE: now */
	enum export_format      format;
	enum export_compression compression;
	struct text             destination;
	struct text             base;
	bool                    masked;
	struct text             consent; /* empty: what the destination says alone */
	struct audience_columns columns;
};

enum phase { PHASE_MEMBERS, PHASE_FILE, PHASE_UPLOAD, PHASE_PLATFORM };

struct etag {
	char text[S3_ETAG_BYTES];
};

struct audience_job {
	struct transfer        *transfer;
	struct job             *job;
	struct wish             wish;
	struct arena            arena;
	bool                    sends; /* to a destination, else it is a file */
	struct destination      destination;
	struct destination      bucket; /* where the file goes: that, or the one that it names */
	bool                    uploads;
	struct http_client     *client;
	struct audience_members members;
	char                    directory[JOB_PATH_BYTES];
	char                    name[NAME_BYTES]; /* of the file, without the dot */
	char                    segment[MARKETING_SEGMENT_BYTES];
	struct consent          consents[2]; /* all of them are needed */
	unsigned                consent_count;

	/* The state. */
	enum phase phase;
	uint64_t   rows;
	uint64_t   left_out; /* for want of consent */
	uint64_t   bytes;
	char       checksum[EXPORT_CHECKSUM_BYTES];
	char       upload[S3_UPLOAD_ID_BYTES]; /* "": none has begun */
	VECTOR(struct etag) etags;
};

/* ---- Parameters ---- */

static enum status read_text(struct json params, const char *name, size_t max,
                             struct text *ret_text, struct error *err)
{
	struct json value = json_get(params, name);
	char        field[32];
	snprintf(field, sizeof field, "params.%s", name);
	if (json_type(value) != JSON_STRING || json_string(value).length == 0 ||
	    json_string(value).length > max)
		return error_set_field(err, STATUS_INVALID, field, "It is a string of 1 to %zu bytes", max);
	*ret_text = json_string(value);
	return STATUS_OK;
}

static enum status read_flag(struct json params, const char *name, const char *field, bool fallback,
                             bool *ret_flag, struct error *err)
{
	struct json value = json_get(params, name);
	*ret_flag         = fallback;
	if (json_type(value) == JSON_NONE)
		return STATUS_OK;
	if (json_type(value) != JSON_BOOL)
		return export_refuse(err, field, "It is true or false");
	*ret_flag = json_bool(value);
	return STATUS_OK;
}

/* It becomes part of a file's name. */
static bool is_id(struct text id)
{
	for (size_t i = 0; i < id.length; i++) {
		char byte = id.data[i];
		if (!((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-'))
			return false;
	}
	return true;
}

static enum status read_as_of(struct wish *wish, struct json params, struct error *err)
{
	struct json value = json_get(params, "as_of");
	wish->as_of_ms    = INSTANT_MS_NONE;
	if (json_type(value) == JSON_NONE ||
	    (json_type(value) == JSON_STRING && instant_parse(json_string(value), &wish->as_of_ms)))
		return STATUS_OK;
	return export_refuse(err, "params.as_of", "It is not an RFC 3339 instant");
}

static enum status read_form(struct wish *wish, struct json params, struct error *err)
{
	struct json compression = json_get(params, "compression");
	unsigned    which       = EXPORT_PLAIN;
	if (json_type(compression) != JSON_NONE &&
	    !export_read_word(compression, export_compression_names, 3, &which))
		return export_refuse(err, "params.compression", "It is none, gzip or zstd");
	wish->compression = (enum export_compression)which;
	if (!export_read_word(json_get(params, "format"), export_format_names, 2, &which))
		return export_refuse(err, "params.format", "It is csv or jsonl");
	wish->format       = (enum export_format)which;
	enum status status = export_read_consent(params, &wish->consent, err);
	if (status != STATUS_OK)
		return status;
	return audience_columns_read(json_get(params, "columns"), &wish->columns, err);
}

static enum status read_wish(struct wish *wish, struct json params, struct error *err)
{
	enum status status;
	*wish = (struct wish){0};
	if ((status = read_text(params, "audience_id", ID_BYTES_MAX, &wish->audience_id, err)) !=
	        STATUS_OK ||
	    (status = read_text(params, "name", EXPR_NAME_BYTES_MAX, &wish->name, err)) != STATUS_OK ||
	    (status = read_text(params, "destination", DESTINATION_NAME_BYTES_MAX, &wish->destination,
	                        err)) != STATUS_OK ||
	    (status = read_text(params, "base", DESTINATION_TEXT_BYTES_MAX, &wish->base, err)) !=
	        STATUS_OK ||
	    (status = read_flag(params, "snapshot", "params.snapshot", false, &wish->snapshot, err)) !=
	        STATUS_OK ||
	    (status = read_as_of(wish, params, err)) != STATUS_OK ||
	    (status = read_flag(params, "masked", "params.masked", true, &wish->masked, err)) !=
	        STATUS_OK)
		return status;
	if (!is_id(wish->audience_id))
		return export_refuse(err, "params.audience_id", "An id is of letters, digits and \"-\"");
	return read_form(wish, params, err);
}

static enum status check(void *context, struct json params, struct error *err)
{
	struct wish wish;
	(void)context;
	return read_wish(&wish, params, err);
}

static const struct job_need *needs(void *context, struct json params)
{
	static const struct job_need masked[]   = {{"audience.export", NULL}, {0}};
	static const struct job_need unmasked[] = {
		{"audience.export", NULL}, {"pii.read", "params.masked"}, {0}};
	struct json wish = json_get(params, "masked");
	(void)context;
	return json_type(wish) == JSON_BOOL && !json_bool(wish) ? unmasked : masked;
}

/* ---- State ---- */

static enum status save(struct audience_job *export, enum phase phase, struct error *err)
{
	struct buffer      state  = {0};
	struct json_writer writer = json_writer_of(&state);
	export->phase             = phase;
	json_begin_object(&writer);
	json_member_int(&writer, "phase", phase);
	json_member_int(&writer, "rows", (int64_t) export->rows);
	json_member_int(&writer, "leftOut", (int64_t) export->left_out);
	json_member_int(&writer, "bytes", (int64_t) export->bytes);
	json_member_string(&writer, "sha256", text_of(export->checksum));
	json_member_string(&writer, "upload", text_of(export->upload));
	json_add_key(&writer, TEXT("etags"));
	json_begin_array(&writer);
	for (size_t i = 0; i < export->etags.count; i++)
		json_add_string(&writer, text_of(export->etags.items[i].text));
	json_end_array(&writer);
	json_end_object(&writer);
	enum status status = job_save(export->job, buffer_text(&state), err);
	buffer_done(&state);
	return status;
}

static enum status read_state(struct audience_job *export, struct error *err)
{
	struct json_parser *parser;
	struct json         state;
	if (job_state(export->job).length == 0)
		return STATUS_OK;
	parser = json_parser_new();
	if (json_parse_text(parser, job_state(export->job), &state, err) != STATUS_OK) {
		json_parser_free(parser);
		return error_set(err, STATUS_CORRUPT, "the saved state cannot be read");
	}
	export->phase    = (enum phase)export_number(state, "phase");
	export->rows     = export_number(state, "rows");
	export->left_out = export_number(state, "leftOut");
	export->bytes    = export_number(state, "bytes");
	export_copy_text(export->checksum, sizeof export->checksum, json_get(state, "sha256"));
	export_copy_text(export->upload, sizeof export->upload, json_get(state, "upload"));
	for (struct json_iterator i = json_iterate(json_get(state, "etags")); json_next(&i);) {
		struct etag etag;
		export_copy_text(etag.text, sizeof etag.text, i.value);
		VECTOR_ADD(&export->etags, etag);
	}
	json_parser_free(parser);
	return STATUS_OK;
}

static enum status stopped(const struct audience_job *export, struct error *err)
{
	return job_stopping(export->job) == JOB_GO_ON ? STATUS_OK
	                                              : error_set(err, STATUS_AGAIN, "stopped");
}

/* ---- Who ---- */

static enum status ask_members(struct audience_job *export, const char *path, struct error *err)
{
	struct buffer definition = {0};
	char          definition_path[JOB_PATH_BYTES];
	enum status status = job_file_path(export->job, AUDIENCE_DEFINITION_FILE, definition_path, err);
	if (status == STATUS_OK)
		status = file_read(definition_path, EXPR_BYTES_MAX, &definition, err);
	if (status == STATUS_OK)
		status = audience_members_ask(export->transfer->queries, buffer_text(&definition),
		                              export->wish.as_of_ms, export->transfer->partition_count,
		                              export->job, path, err);
	buffer_done(&definition);
	return status;
}

static enum status find_members(struct audience_job *export, struct error *err)
{
	char        path[JOB_PATH_BYTES];
	uint32_t    partitions = export->transfer->partition_count;
	enum status status     = job_file_path(export->job, MEMBERS_FILE, path, err);
	if (status == STATUS_OK && export->phase == PHASE_MEMBERS) {
		job_progress(export->job, 0, -1, "members", "finding the members");
		status = export->wish.snapshot
		             ? audience_members_copy(export->transfer->store, export->wish.audience_id,
		                                     partitions, path, err)
		             : ask_members(export, path, err);
		if (status == STATUS_OK)
			status = save(export, PHASE_FILE, err);
	}
	return status == STATUS_OK ? audience_members_open(path, partitions, &export->members, err)
	                           : status;
}

/* ---- The file ---- */

/* {audience_id}_{YYYYMMDD}.csv, of the day at which the members are told (UTC). */
static void name_file(struct audience_job *export)
{
	char        day[INSTANT_TEXT_BYTES];
	struct text instant = instant_format(export->members.as_of_ms, day);
	snprintf(export->name, sizeof export->name, "%.*s_%.4s%.2s%.2s.%s%s",
	         TEXT_FORMAT(export->wish.audience_id), instant.data, instant.data + 5,
	         instant.data + 8, export_format_names[export->wish.format],
	         export_compression_ends[export->wish.compression]);
}

struct rows {
	struct export_reader reader;
	struct export_writer writer;
	struct export_file   file;
	struct buffer        text;
	slot_vector          slots;
	uint64_t             in_text;
};

static enum status flush(struct audience_job *export, struct rows *rows, struct error *err)
{
	enum status status = export_file_add(&rows->file, buffer_text(&rows->text), rows->in_text, err);
	job_use_bytes(export->job, rows->text.length);
	job_progress(export->job, (int64_t)rows->file.rows, (int64_t) export->members.count, "members",
	             "writing");
	buffer_clear(&rows->text);
	rows->in_text = 0;
	return status;
}

static bool agrees(const struct audience_job *export, const struct export_profile *profile)
{
	for (unsigned i = 0; i < export->consent_count; i++)
		if (!consent_given(&export->consents[i], profile->view.traits))
			return false;
	return true;
}

static enum status write_piece(struct audience_job *export, struct rows *rows, struct error *err)
{
	enum status status = STATUS_OK;
	for (size_t i = 0; status == STATUS_OK && i < rows->reader.persons.count; i++) {
		const struct export_profile *profile = &rows->reader.persons.items[i];
		bool                         written = false;
		if (!agrees(export, profile)) {
			export->left_out++;
			continue;
		}
		status = audience_write_row(&rows->writer, &export->wish.columns, profile, &rows->text,
		                            &written, err);
		rows->in_text += written;
		if (status == STATUS_OK && rows->text.length >= PIECE_TEXT_BYTES)
			status = flush(export, rows, err);
	}
	return status;
}

static enum status write_partition(struct audience_job *export, struct rows *rows,
                                   uint32_t partition, struct error *err)
{
	enum status status = STATUS_OK;
	rows->slots.count  = 0;
	if (!slot_list_read(export->members.slots[partition], &rows->slots))
		return error_set(err, STATUS_CORRUPT, "the list of members is damaged");
	if (rows->slots.count == 0)
		return STATUS_OK;
	rows->reader.wanted       = rows->slots.items;
	rows->reader.wanted_count = rows->slots.count;
	for (uint32_t slot = 0; status == STATUS_OK && slot != SLOT_NONE;
	     slot          = rows->reader.next_slot) {
		if ((status = stopped(export, err)) == STATUS_OK)
			status = export_reader_next(&rows->reader, partition, slot, err);
		if (status == STATUS_OK)
			status = write_piece(export, rows, err);
	}
	return status;
}

static enum status write_rows(struct audience_job *export, struct rows *rows, struct error *err)
{
	char name[NAME_BYTES + 1];
	export_name_on_disk(export->name, export->wish.masked, name, sizeof name);
	enum status status =
		export_file_open(&rows->file, export->directory, name, export->wish.compression, err);
	audience_write_head(&export->wish.columns, export->wish.format, &rows->text);
	for (uint32_t i = 0; status == STATUS_OK && i < export->members.partition_count; i++)
		status = write_partition(export, rows, i, err);
	if (status == STATUS_OK)
		status = flush(export, rows, err);
	if (status == STATUS_OK)
		status = export_file_finish(&rows->file, err);
	if (status != STATUS_OK)
		return status;
	export->rows  = rows->file.rows;
	export->bytes = rows->file.bytes;
	memcpy(export->checksum, rows->file.checksum, sizeof export->checksum);
	return save(export, PHASE_UPLOAD, err);
}

static enum status write_file(struct audience_job *export, struct error *err)
{
	struct rows rows = {.file = {.fd = -1}};
	if (export->phase != PHASE_FILE)
		return STATUS_OK;
	export->left_out = 0;
	export_reader_init(&rows.reader, export->transfer->engine, export->transfer->vault);
	export_writer_init(&rows.writer, export->transfer->vault, export->wish.format,
	                   export->wish.masked);
	rows.reader.profiles = true;
	rows.reader.from_ms  = INSTANT_MS_MIN;
	rows.reader.to_ms    = INSTANT_MS_MAX;
	enum status status   = write_rows(export, &rows, err);
	export_file_done(&rows.file);
	export_writer_done(&rows.writer);
	export_reader_done(&rows.reader);
	VECTOR_DONE(&rows.slots);
	buffer_done(&rows.text);
	return status;
}

/* ---- To the bucket ---- */

static const char *content_type(const struct wish *wish)
{
	return wish->compression == EXPORT_GZIP   ? "application/gzip"
	       : wish->compression == EXPORT_ZSTD ? "application/zstd"
	       : wish->format == EXPORT_CSV       ? "text/csv; charset=utf-8"
	                                          : "application/x-ndjson";
}

/* Within job_save()'s limit: the state names every part. */
static size_t part_bytes(uint64_t file_bytes)
{
	enum { PARTS_AIM = 1000 };
	uint64_t least = file_bytes / PARTS_AIM + 1;
	return least < S3_PART_BYTES ? S3_PART_BYTES : (size_t)least;
}

static enum status upload_parts(struct audience_job *export, int fd, const char *path,
                                struct text key, struct buffer *part, struct error *err)
{
	size_t   size   = part_bytes(export->bytes);
	uint64_t offset = (uint64_t) export->etags.count * size;
	while (offset < export->bytes) {
		struct etag etag;
		size_t length = export->bytes - offset < size ? (size_t)(export->bytes - offset) : size;
		buffer_clear(part);
		enum status status = stopped(export, err);
		if (status == STATUS_OK)
			status = file_read_at(fd, buffer_reserve(part, length), length, offset, path, err);
		if (status != STATUS_OK)
			return status;
		job_use_bytes(export->job, length);
		status = s3_part(export->client, &export->bucket, key, export->upload,
		                 (unsigned)export->etags.count + 1, (struct text){part->data, length},
		                 etag.text, err);
		if (status != STATUS_OK)
			return status;
		VECTOR_ADD(&export->etags, etag);
		offset += length;
		job_progress(export->job, (int64_t)offset, (int64_t) export->bytes, "bytes", "uploading");
		if (job_save_due(export->job) && (status = save(export, PHASE_UPLOAD, err)) != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* From the beginning at the next attempt. */
static enum status give_upload_up(struct audience_job *export, enum status status,
                                  struct error *err)
{
	struct error unsaved;
	export->upload[0]   = '\0';
	export->etags.count = 0;
	if (save(export, PHASE_UPLOAD, &unsaved) != STATUS_OK)
		return status;
	return error_set(err, STATUS_AGAIN, "destination %s: the upload is to be begun anew",
	                 export->bucket.name);
}

static enum status upload_in_parts(struct audience_job *export, int fd, const char *path,
                                   struct text key, struct buffer *part, struct error *err)
{
	enum status status     = STATUS_OK;
	bool        resumed    = export->upload[0] != '\0';
	bool        completing = false;
	if (!resumed) {
		status = s3_begin(export->client, &export->bucket, key, content_type(&export->wish),
		                  export->upload, err);
		if (status != STATUS_OK)
			return status;
		status = save(export, PHASE_UPLOAD, err);
	}
	if (status == STATUS_OK)
		status = upload_parts(export, fd, path, key, part, err);
	if (status == STATUS_OK) {
		completing = true;
		status     = s3_complete(export->client, &export->bucket, key, export->upload,
		                         (const char(*)[S3_ETAG_BYTES])(const void *)export->etags.items,
		                         (unsigned)export->etags.count, err);
	}
	/* The bucket has dropped what was begun; or an earlier attempt has perhaps completed it,
	 * without hearing of it or noting its last parts, and completing it fails: servers answer
	 * that in ways of their own. */
	if (status == STATUS_NOT_FOUND ||
	    (resumed && completing && status != STATUS_OK && status != STATUS_FORBIDDEN))
		return give_upload_up(export, status, err);
	return status;
}

static enum status upload_file(struct audience_job *export, struct text key, struct error *err)
{
	char          path[JOB_PATH_BYTES], name[NAME_BYTES + 1];
	struct buffer part = {0};
	int           fd   = -1;
	uint64_t      bytes;
	export_name_on_disk(export->name, export->wish.masked, name, sizeof name);
	enum status status = job_file_path(export->job, name, path, err);
	if (status == STATUS_OK)
		status = file_open(path, &fd, &bytes, err);
	if (status == STATUS_OK && bytes != export->bytes)
		status =
			error_set(err, STATUS_CORRUPT, "%s has another size than it was written with", name);
	if (status == STATUS_OK && bytes > S3_PART_BYTES)
		status = upload_in_parts(export, fd, path, key, &part, err);
	else if (status == STATUS_OK) {
		status = file_read_at(fd, buffer_reserve(&part, bytes + 1), bytes, 0, path, err);
		if (status == STATUS_OK)
			status = s3_put(export->client, &export->bucket, key, content_type(&export->wish),
			                (struct text){part.data, bytes}, err);
	}
	if (fd >= 0)
		close(fd);
	buffer_done(&part);
	return status;
}

static enum status upload(struct audience_job *export, struct error *err)
{
	struct buffer key    = {0};
	enum status   status = STATUS_OK;
	if (export->phase != PHASE_UPLOAD || !export->uploads)
		return STATUS_OK;
	s3_key(&export->bucket, export->name, &key);
	if (key.length > S3_KEY_BYTES_MAX)
		status = error_set(err, STATUS_INVALID, "destination %s: the prefix is too long",
		                   export->bucket.name);
	else
		status = upload_file(export, buffer_text(&key), err);
	buffer_done(&key);
	return status == STATUS_OK ? save(export, PHASE_PLATFORM, err) : status;
}

/* ---- To the platform ---- */

static void add_source(const struct audience_job *export, struct buffer *out)
{
	if (export->uploads)
		s3_location(&export->bucket, export->name, out);
	else
		signed_url_write(export->transfer->vault, export->wish.base, text_of(job_id(export->job)),
		                 clock_wall_ms() + AUDIENCE_SOURCE_MS, out);
}

/* Told before the job is done, so that its own address answers only then: platforms fetch later. */
static enum status tell_platform(struct audience_job *export, struct error *err)
{
	struct buffer source = {0};
	if (!export->sends || export->destination.kind != DESTINATION_MARKETING_PLATFORM)
		return STATUS_OK;
	add_source(export, &source);
	job_progress(export->job, (int64_t) export->rows, (int64_t) export->rows, "members",
	             "telling the platform");
	const struct marketing_import import = {export->wish.name, export->rows, buffer_text(&source),
	                                        job_id(export->job)};
	enum status status = marketing_platform_import(export->client, &export->destination, &import,
	                                               export->segment, err);
	buffer_done(&source);
	return status;
}

/* ---- All of it ---- */

static void tell_result(struct audience_job *export)
{
	struct buffer      result = {0}, location = {0};
	struct json_writer writer = json_writer_of(&result);
	json_begin_object(&writer);
	json_member_string(&writer, "file", text_of(export->name));
	json_member_int(&writer, "rows", (int64_t) export->rows);
	if (export->consent_count > 0)
		json_member_int(&writer, "withoutConsent", (int64_t) export->left_out);
	json_member_int(&writer, "bytes", (int64_t) export->bytes);
	json_member_string(&writer, "sha256", text_of(export->checksum));
	json_member_instant(&writer, "asOf", export->members.as_of_ms);
	json_member_bool(&writer, "masked", export->wish.masked);
	if (export->uploads) {
		s3_location(&export->bucket, export->name, &location);
		json_member_string(&writer, "location", buffer_text(&location));
	}
	if (export->segment[0] != '\0')
		json_member_string(&writer, "marketingSegmentId", text_of(export->segment));
	json_end_object(&writer);
	job_set_result(export->job, buffer_text(&result));
	buffer_done(&location);
	buffer_done(&result);
}

static enum status find_destination(struct audience_job *export, struct error *err)
{
	struct transfer *transfer = export->transfer;
	export->sends             = !text_equal(export->wish.destination, TEXT("file"));
	if (!export->sends)
		return STATUS_OK;
	enum status status =
		destination_load(transfer->store, transfer->vault, export->wish.destination, &export->arena,
	                     &export->destination, err);
	if (status != STATUS_OK)
		return status;
	export->bucket  = export->destination;
	export->uploads = export->destination.kind == DESTINATION_S3;
	if (export->destination.kind == DESTINATION_MARKETING_PLATFORM &&
	    *export->destination.source != '\0') {
		status =
			destination_load(transfer->store, transfer->vault, text_of(export->destination.source),
		                     &export->arena, &export->bucket, err);
		if (status == STATUS_OK && export->bucket.kind != DESTINATION_S3)
			status = error_set(err, STATUS_INVALID, "destination %s: its source %s is no s3",
			                   export->destination.name, export->destination.source);
		export->uploads = true;
	}
	return status;
}

/* What the destination asks for, and what was wished for besides. */
static void find_consents(struct audience_job *export)
{
	struct text texts[] = {export->sends ? destination_consent(&export->destination) : TEXT(""),
	                       export->wish.consent};
	for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (texts[i].length > 0 &&
		    consent_read(texts[i], &export->arena, &export->consents[export->consent_count]))
			export->consent_count++;
}

static enum status work(struct audience_job *export, struct error *err)
{
	enum status status;
	if ((status = read_wish(&export->wish, job_params(export->job), err)) != STATUS_OK ||
	    (status = read_state(export, err)) != STATUS_OK ||
	    (status = find_destination(export, err)) != STATUS_OK ||
	    (status = job_file_path(export->job, "x", export->directory, err)) != STATUS_OK)
		return status;
	*strrchr(export->directory, '/') = '\0';
	find_consents(export);
	if ((status = find_members(export, err)) != STATUS_OK)
		return status;
	name_file(export);
	if ((status = write_file(export, err)) != STATUS_OK ||
	    (status = upload(export, err)) != STATUS_OK ||
	    (status = tell_platform(export, err)) != STATUS_OK)
		return status;
	tell_result(export);
	return STATUS_OK;
}

static void clean_up(struct audience_job *export)
{
	struct buffer key = {0};
	struct error  ignored;
	if (export->upload[0] != '\0' && export->uploads) {
		s3_key(&export->bucket, export->name, &key);
		(void)!s3_abort(export->client, &export->bucket, buffer_text(&key), export->upload,
		                &ignored);
	}
	buffer_done(&key);
	export_remove_files(export->directory);
}

static enum status run(void *context, struct job *job, struct error *err)
{
	struct audience_job export = {.transfer = context, .job = job, .client = http_client_new()};
	arena_init(&export.arena);
	enum status status = work(&export, err);
	if (status != STATUS_OK && job_stopping(job) == JOB_CANCELLED && export.directory[0] != '\0')
		clean_up(&export);
	audience_members_done(&export.members);
	VECTOR_DONE(&export.etags);
	arena_done(&export.arena);
	http_client_free(export.client);
	return status;
}

struct job_kind audience_export_kind(struct transfer *transfer)
{
	return (struct job_kind){
		.name           = AUDIENCE_EXPORT_KIND,
		.summary        = "Writes an audience's members to a file, a bucket or a platform",
		.check          = check,
		.needs          = needs,
		.run            = run,
		.context        = transfer,
		.beside_max     = 2,
		.priority       = 50,
		.attempts_max   = ATTEMPTS_MAX,
		.backoff_ms     = 2000,
		.backoff_ms_max = 300000,
	};
}
