#include "privacy/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "transfer/import/import_rows.h"
#include "vault/subject_list.h"

enum { ASK_EVERY = 1024, NO_COLUMN = -1 };

struct upload {
	struct privacy       *privacy;
	struct job           *job;
	struct import_input  *input;
	struct import_rows    rows;
	struct subject_writer writer;
	int                   user_column;
	int                   anonymous_column;
	struct buffer         number;
};

static int column_of(const struct import_rows *rows, const char *name)
{
	for (size_t i = 0; i < import_rows_column_count(rows); i++)
		if (text_equal(import_rows_column(rows, i), text_of(name)))
			return (int)i;
	return NO_COLUMN;
}

static enum status open_rows(struct upload *upload, const char *path, struct error *err)
{
	struct import_rows *rows   = &upload->rows;
	struct json         file   = json_get(job_params(upload->job), "part");
	struct json         offset = json_get(file, "offset"), bytes = json_get(file, "bytes");
	enum status         status = import_input_open_part(
				path, json_type(offset) == JSON_INT ? json_uint(offset) : 0,
        json_type(bytes) == JSON_INT ? json_uint(bytes) : UINT64_MAX, &upload->input, err);
	if (status == STATUS_OK)
		status = import_rows_open(rows, upload->input, IMPORT_FORMAT_GUESS, ',', NULL, err);
	if (status != STATUS_OK || rows->format != IMPORT_FORMAT_CSV)
		return status;
	upload->user_column      = column_of(rows, "userId");
	upload->anonymous_column = column_of(rows, "anonymousId");
	if (upload->user_column == NO_COLUMN && upload->anonymous_column == NO_COLUMN)
		return error_set(err, STATUS_INVALID,
		                 "the file has neither a column userId nor one anonymousId");
	return STATUS_OK;
}

/* As collection reads ids: a string, or a number as its text. */
static struct text json_id(struct upload *upload, const char *name)
{
	struct json value = json_get(upload->rows.json, name);
	if (json_type(value) == JSON_STRING)
		return json_string(value);
	if (!json_is_number(value))
		return TEXT("");
	struct json_writer w = json_writer_of(&upload->number);
	buffer_clear(&upload->number);
	json_add_value(&w, value);
	return buffer_text(&upload->number);
}

static struct text field_id(const struct upload *upload, int column)
{
	return column == NO_COLUMN || (size_t)column >= upload->rows.fields.count
	           ? TEXT("")
	           : import_rows_field(&upload->rows, (size_t)column);
}

static struct vault_id id_of(struct upload *upload)
{
	bool            csv = upload->rows.format == IMPORT_FORMAT_CSV;
	struct vault_id id  = {VAULT_USER,
                          csv ? field_id(upload, upload->user_column) : json_id(upload, "userId")};
	if (id.id.length == 0)
		id = (struct vault_id){VAULT_ANONYMOUS, csv ? field_id(upload, upload->anonymous_column)
		                                            : json_id(upload, "anonymousId")};
	return id;
}

static enum status read_rows(struct upload *upload, struct privacy_counts *counts,
                             struct error *err)
{
	for (uint64_t row = 1;; row++) {
		struct error bad;
		enum status  status = import_rows_next(&upload->rows, &bad);
		if (status == STATUS_NOT_FOUND)
			return subject_writer_finish(&upload->writer, err);
		if (status != STATUS_OK && status != STATUS_INVALID) {
			*err = bad;
			return status;
		}
		struct vault_id id = status == STATUS_OK ? id_of(upload) : (struct vault_id){0};
		if (id.id.length == 0 || id.id.length > VAULT_ID_BYTES_MAX) {
			counts->invalid++;
			status = STATUS_OK;
		} else {
			status = subject_writer_add(&upload->writer, id, err);
		}
		if (status == STATUS_OK && row % ASK_EVERY == 0 && job_stopping(upload->job) != JOB_GO_ON)
			status = error_set(err, STATUS_AGAIN, "stopped");
		if (status != STATUS_OK)
			return status;
	}
}

/* Into another file, so that the list is there whole or not at all. */
static enum status write_list(struct upload *upload, const char *from, const char *into,
                              struct privacy_counts *counts, struct error *err)
{
	char part[JOB_PATH_BYTES + 8];
	snprintf(part, sizeof part, "%s.part", into);
	int fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return file_error(err, errno, "make", part);
	subject_writer_init(&upload->writer, upload->privacy->transfer->vault, fd, part);
	enum status status = open_rows(upload, from, err);
	if (status == STATUS_OK)
		status = read_rows(upload, counts, err);
	counts->subjects = upload->writer.count;
	subject_writer_done(&upload->writer);
	close(fd);
	if (status == STATUS_OK && rename(part, into) != 0)
		status = file_error(err, errno, "rename", part);
	return status;
}

enum status privacy_upload_read(struct privacy *privacy, struct job *job,
                                struct privacy_counts *counts, struct error *err)
{
	struct upload upload = {
		.privacy = privacy, .job = job, .user_column = NO_COLUMN, .anonymous_column = NO_COLUMN};
	char        from[JOB_PATH_BYTES], into[JOB_PATH_BYTES];
	enum status status = job_file_path(job, PRIVACY_UPLOAD, from, err);
	if (status == STATUS_OK)
		status = job_file_path(job, PRIVACY_SUBJECTS, into, err);
	if (status != STATUS_OK)
		return status;
	*counts = (struct privacy_counts){0};
	status  = write_list(&upload, from, into, counts, err);
	import_rows_close(&upload.rows);
	import_input_close(upload.input);
	buffer_done(&upload.number);
	return status;
}
