/* A file of the event store whose checksums are right, and all the rest is anything: whatever the
 * bytes, nothing outside of them is read, and rows are read or refused. */

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "events/part_filter.h"
#include "fuzz.h"

static void read_all(struct part *part)
{
	event_list       list = {0};
	struct part_name name = part_name_of(part, TEXT("Order Completed"));
	for (uint32_t person = 0; person < part->header->persons && person < 100; person++) {
		uint32_t slot, row, end;
		if (!part_person(part, person, &slot, &row, &end))
			continue;
		part_has_message(part, slot, TEXT("m-1"), UINT64_MAX, 0, INT64_MAX);
		for (; row < end && row < 1000; row++) {
			struct event event;
			event_list_clear(&list);
			part_has_name(part, row, &name);
			part_read(part, slot, row, &list, &event);
		}
	}
	event_list_done(&list);
}

/* Asks many rows at once. */
static void filter_all(struct part *part)
{
	struct expr_scalar values[] = {{.type = EXPR_STRING, .text = TEXT("제주")},
	                               {.type = EXPR_NUMBER, .number = 30}};
	struct expr_where  region   = {.kind     = EXPR_WHERE_TEST,
	                               .property = TEXT("region"),
	                               .test     = {EXPR_EQ, 1, .values = &values[0]}};
	struct expr_where  amount   = {.kind     = EXPR_WHERE_TEST,
	                               .property = TEXT("$amount"),
	                               .test     = {EXPR_GTE, 1, .values = &values[1]}};
	struct expr_where  device   = {
		   .kind = EXPR_WHERE_TEST, .property = TEXT("context.device"), .test.op = EXPR_ABSENT};
	struct expr_where      *tests[] = {&region, &amount, &device};
	struct expr_where       any     = {.kind = EXPR_WHERE_OR, .count = 3, .operands = tests};
	struct arena            arena;
	struct part_filter      filter;
	struct value            found[64 * 4];
	uint64_t                bits[4];
	struct part_filter_wish wish = {.from_ms = INT64_MIN, .to_ms = INT64_MAX};
	arena_init(&arena);
	wish.where = evaluate_compile_where(&any, &arena);
	if (part_filter_init(&filter, part, &wish)) {
		uint32_t words = (part->header->rows - 1) / 64 + 1;
		for (uint32_t word = 0; word < words && word < 64; word += 4) {
			uint32_t count = words - word < 4 ? words - word : 4;
			for (uint32_t i = 0; i < count; i++)
				bits[i] = UINT64_MAX;
			if (word + count == words)
				bits[count - 1] = UINT64_MAX >> (63 - (part->header->rows - 1) % 64);
			part_filter_run(&filter, word, count, UINT64_MAX, bits);
			struct part_reading reading;
			part_reading_init(&reading, part, &wish.where->tests[0].property);
			part_reading_values(&reading, word, count, bits, found);
			part_reading_done(&reading);
		}
		part_filter_done(&filter);
	}
	arena_done(&arena);
}

/* Of the blocks, where the last column has room for them. */
static void write_checksums(struct part_header *header)
{
	char    *bytes = (char *)header;
	uint64_t left  = header->header_bytes - sizeof *header;
	if (header->column_count == 0 || left / sizeof(struct part_column) < header->column_count)
		return;
	struct part_column *guard = (struct part_column *)(header + 1) + header->column_count - 1;
	if (guard->offset < header->header_bytes || guard->offset > header->file_bytes ||
	    guard->text_bytes > header->file_bytes - guard->offset)
		return;
	struct buffer checksums = {0};
	part_guard_write(
		(struct text){bytes + header->header_bytes, (size_t)(guard->offset - header->header_bytes)},
		&checksums);
	if (checksums.length == guard->text_bytes && checksums.length > 0) {
		memcpy(bytes + guard->offset, checksums.data, checksums.length);
		guard->checksum = hash_bytes(checksums.data, checksums.length);
	}
	buffer_done(&checksums);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct part_header *header = aligned_alloc(PART_ALIGNMENT, (size / PART_ALIGNMENT + 1) * 8);
	struct part        *part;
	if (header == NULL)
		abort();
	memcpy(header, data, size);
	if (size >= sizeof *header && header->header_bytes <= size) {
		header->file_bytes = size;
		if (header->header_bytes >= sizeof *header)
			write_checksums(header);
		header->checksum = 0;
		header->checksum = hash_bytes(header, header->header_bytes);
	}
	if (part_open_bytes((struct text){(const char *)header, size}, "fuzz", &part, NULL) ==
	    STATUS_OK) {
		read_all(part);
		filter_all(part);
		fuse_filter_has(&part->filter, 42);
		enum status status = part_verify(part, NULL);
		(void)status;
		part_unref(part);
	}
	free(header);
	return 0;
}
