/* A row of a dimension as JSON, and the same bytes as the body of a DIMENSION record.
 *
 * Whatever comes: what is refused is so for a reason and leaves nothing behind; a row that is taken
 * is the same when it is read as it is written, and goes through a record unchanged. */

#include <assert.h>
#include <string.h>

#include "fuzz.h"
#include "model/dimension.h"

static void write(enum dimension dimension, struct text list, struct buffer *out)
{
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	dimension_write(dimension, list, &w);
	json_end_object(&w);
}

/* A number may come back as a whole one. */
static void check_written(enum dimension dimension, struct text list)
{
	struct json_parser *parser = json_parser_new();
	struct buffer       first = {0}, back = {0}, again = {0};
	struct json         root;
	write(dimension, list, &first);
	enum status status = json_parse_text(parser, buffer_text(&first), &root, NULL);
	if (status == STATUS_OK)
		status = dimension_row(dimension, root, "", &back, NULL);
	assert(status == STATUS_OK);
	write(dimension, buffer_text(&back), &again);
	assert(text_equal(buffer_text(&again), buffer_text(&first)));
	buffer_done(&first);
	buffer_done(&back);
	buffer_done(&again);
	json_parser_free(parser);
}

/* A put, and a deletion. */
static void check_recorded(enum dimension dimension, struct text id, struct text list)
{
	struct dimension_record record;
	struct buffer           rows = {0}, body = {0};
	struct text             read_id, read_list;
	dimension_add(&rows, id, list);
	dimension_add(&rows, id, (struct text){0});
	dimension_record_encode(1, dimension, 2, buffer_text(&rows), &body);
	enum status status = dimension_record_decode(buffer_text(&body), &record, NULL);
	assert(status == STATUS_OK && record.dimension == dimension);
	bool there = dimension_next(&record, &read_id, &read_list);
	assert(there && text_equal(read_id, id) && text_equal(read_list, list));
	there = dimension_next(&record, &read_id, &read_list);
	assert(there && text_equal(read_id, id) && read_list.data == NULL);
	assert(!dimension_next(&record, &read_id, &read_list));
	buffer_done(&rows);
	buffer_done(&body);
}

static void check_row(enum dimension dimension, struct json root)
{
	struct buffer list = {0}, scratch = {0};
	struct error  err = {0};
	struct text   id;
	const char   *key = dimension_table(dimension)->key;
	if (dimension_row(dimension, root, "rows[3]", &list, &err) != STATUS_OK) {
		assert(strncmp(err.field, "rows[3]", 7) == 0 && err.reason[0] != '\0');
		assert(list.length == 0);
	} else {
		assert(value_check(buffer_text(&list)) && list.length <= DIMENSION_ROW_BYTES_MAX);
		check_written(dimension, buffer_text(&list));
		if (dimension_id(json_get(root, key), key, &scratch, &id, &err) == STATUS_OK)
			check_recorded(dimension, id, buffer_text(&list));
		else
			assert(strcmp(err.field, key) == 0 && err.reason[0] != '\0');
	}
	buffer_done(&list);
	buffer_done(&scratch);
}

static void check_body(struct text body)
{
	struct dimension_record record;
	struct text             id, list;
	if (dimension_record_decode(body, &record, NULL) != STATUS_OK)
		return;
	for (uint64_t left = record.count; left > 0; left--) {
		bool there = dimension_next(&record, &id, &list);
		assert(there && id.length > 0 && id.length <= DIMENSION_ID_BYTES_MAX);
	}
	assert(!dimension_next(&record, &id, &list));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_parser *parser = json_parser_new();
	struct text         text   = {(const char *)data, size};
	struct json         root;
	if (json_parse_text(parser, text, &root, NULL) == STATUS_OK)
		for (unsigned dimension = 0; dimension < DIMENSION_COUNT; dimension++)
			check_row((enum dimension)dimension, root);
	check_body(text);
	json_parser_free(parser);
	return 0;
}
