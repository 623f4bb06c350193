#include "api/stream/consumer_cursor.h"

#include "api/cursor.h"

static bool read_content(struct text content, struct consumer_cursor *cursor)
{
	struct byte_reader reader = byte_reader_of(content.data, content.length);
	cursor->turn              = read_u32(&reader);
	if (read_u32(&reader) != cursor->partition_count || cursor->turn >= cursor->partition_count)
		return false;
	for (uint32_t i = 0; i < cursor->partition_count; i++)
		cursor->after[i] = read_varint(&reader);
	return !reader.failed && read_left(&reader) == 0;
}

enum status consumer_cursor_read(struct text text, uint32_t partition_count, struct arena *arena,
                                 struct consumer_cursor *ret_cursor, struct error *err)
{
	struct consumer_cursor cursor  = {.partition_count = partition_count,
	                                  .after = ARENA_ARRAY(arena, uint64_t, partition_count)};
	struct buffer          content = {0};
	enum status            status  = STATUS_OK;
	if (text.length > 0)
		status = cursor_read(text, CURSOR_CHANGES, &content, err);
	if (status == STATUS_OK && text.length > 0 && !read_content(buffer_text(&content), &cursor))
		status = error_set_field(err, STATUS_INVALID, "cursor",
		                         "The cursor is not one of this workspace's changes");
	buffer_done(&content);
	if (status == STATUS_OK)
		*ret_cursor = cursor;
	return status;
}

void consumer_cursor_write(const struct consumer_cursor *cursor, struct buffer *out)
{
	struct buffer content = {0};
	buffer_add_u32(&content, cursor->turn);
	buffer_add_u32(&content, cursor->partition_count);
	for (uint32_t i = 0; i < cursor->partition_count; i++)
		buffer_add_varint(&content, cursor->after[i]);
	cursor_write(out, CURSOR_CHANGES, buffer_text(&content));
	buffer_done(&content);
}
