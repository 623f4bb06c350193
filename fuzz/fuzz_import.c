/* A file to import and its mapping: all up to the first NUL is the mapping as JSON, the rest the
 * file, of any format and compression.
 *
 * Whatever comes: a mapping is taken or refused with the place; a row becomes a message that is one
 * JSON object with type and message id, or is bad with a reason; rows are counted by lines that
 * only go up; and read again from the place of any of them, the rest is the same. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "transfer/import/import_infer.h"
#include "transfer/import/import_plan.h"

enum { ROWS_MAX = 2000, TEXT_BYTES_MAX = 4 << 20 };

#define CHECK(condition)                                                                           \
	do {                                                                                           \
		if (!(condition)) {                                                                        \
			fprintf(stderr, "broken: %s\n", #condition);                                           \
			abort();                                                                               \
		}                                                                                          \
	} while (0)

/* What was read of a file: a line for each row. */
struct reading {
	struct import_input *input;
	struct import_rows   rows;
	struct import_plan   plan;
	struct import_infer  infer;
	struct json_parser  *parser;
	struct buffer        out;
	size_t               begin_of_row[ROWS_MAX]; /* in `out` */
	struct import_place  place_of_row[ROWS_MAX];
	unsigned             row_count;
	bool                 whole; /* to the end */
};

static void add_row(struct reading *reading)
{
	struct buffer message = {0};
	struct error  err;
	struct json   json;
	int64_t       time_ms;
	enum status   status =
		import_map_message(&reading->plan.map, &reading->rows, &message, &time_ms, &err);
	CHECK(status == STATUS_OK || status == STATUS_INVALID);
	if (status == STATUS_OK) {
		CHECK(json_parse_text(reading->parser, buffer_text(&message), &json, &err) == STATUS_OK);
		CHECK(json_type(json) == JSON_OBJECT);
		CHECK(json_type(json_get(json, "type")) != JSON_NONE);
		CHECK(json_type(json_get(json, "messageId")) != JSON_NONE);
		buffer_add_text(&reading->out, buffer_text(&message));
	} else {
		CHECK(message.length == 0 && err.reason[0] != '\0');
		buffer_printf(&reading->out, "%s", err.reason);
	}
	buffer_done(&message);
}

static void read_rows(struct reading *reading)
{
	struct error err;
	uint64_t     line = 0;
	while (reading->row_count < ROWS_MAX && reading->out.length < TEXT_BYTES_MAX) {
		reading->begin_of_row[reading->row_count] = reading->out.length;
		reading->place_of_row[reading->row_count] = import_rows_place(&reading->rows);
		enum status status                        = import_rows_next(&reading->rows, &err);
		if (status != STATUS_OK && status != STATUS_INVALID) {
			reading->whole = status == STATUS_NOT_FOUND;
			return;
		}
		CHECK(reading->rows.line > line);
		line = reading->rows.line;
		buffer_printf(&reading->out, "%llu ", (unsigned long long)line);
		if (status == STATUS_INVALID) {
			buffer_printf(&reading->out, "%s", err.reason);
		} else {
			if (reading->infer.columns.count > 0)
				import_infer_row(&reading->infer, &reading->rows);
			add_row(reading);
		}
		buffer_add_u8(&reading->out, '\n');
		reading->row_count++;
	}
}

/* False: refused before the first row. */
static bool begin(struct reading *reading, int fd, struct text mapping)
{
	char          path[64];
	struct error  err;
	struct json   json    = {0};
	struct buffer ignored = {0};
	*reading              = (struct reading){.parser = json_parser_new()};
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	bool is_json =
		mapping.length == 0 || json_parse_text(reading->parser, mapping, &json, &err) == STATUS_OK;
	enum status status = import_plan_init(&reading->plan, json, TEXT(""), "mapping", &err);
	CHECK(status == STATUS_OK || (status == STATUS_INVALID && err.field[0] != '\0'));
	if (status == STATUS_OK && is_json)
		status = import_input_open(path, &reading->input, &err);
	if (status == STATUS_OK && is_json)
		status = import_rows_open(&reading->rows, reading->input, reading->plan.format,
		                          reading->plan.delimiter, reading->plan.columns, &err);
	if (status == STATUS_OK && is_json)
		status = import_map_bind(&reading->plan.map, &reading->rows, &ignored, &err);
	if (status == STATUS_OK && is_json)
		import_infer_init(&reading->infer, &reading->rows);
	buffer_done(&ignored);
	return status == STATUS_OK && is_json;
}

static void end(struct reading *reading)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	if (reading->infer.columns.count > 0)
		import_infer_write(&reading->infer, &reading->rows, &w);
	buffer_done(&out);
	import_rows_close(&reading->rows);
	import_input_close(reading->input);
	import_infer_done(&reading->infer);
	import_plan_done(&reading->plan);
	json_parser_free(reading->parser);
	buffer_done(&reading->out);
}

static void check_again(const struct reading *first, int fd, struct text mapping, unsigned row)
{
	struct reading again;
	struct error   err;
	CHECK(begin(&again, fd, mapping));
	CHECK(import_rows_go_on(&again.rows, first->place_of_row[row], &err) == STATUS_OK);
	read_rows(&again);
	size_t left = first->out.length - first->begin_of_row[row];
	CHECK(again.whole && again.out.length == left);
	CHECK(left == 0 ||
	      memcmp(again.out.data, first->out.data + first->begin_of_row[row], left) == 0);
	end(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul     = size > 0 ? memchr(data, 0, size) : NULL;
	size_t         length  = nul != NULL ? (size_t)(nul - data) : 0;
	struct text    mapping = {(const char *)data, length};
	const uint8_t *file    = nul != NULL ? nul + 1 : data;
	size_t         left    = size - (size_t)(file - data);
	int            fd      = memfd_create("import", MFD_CLOEXEC);
	CHECK(fd >= 0 && (left == 0 || write(fd, file, left) == (ssize_t)left));
	struct reading first;
	if (begin(&first, fd, mapping)) {
		read_rows(&first);
		if (first.whole && first.row_count > 0) {
			check_again(&first, fd, mapping, first.row_count / 2);
			check_again(&first, fd, mapping, first.row_count - 1);
		}
	}
	end(&first);
	close(fd);
	return 0;
}
