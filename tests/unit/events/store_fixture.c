#include "store_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../seed.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/instant.h"

void fixture_seed(const char *test) { seed_begin(test); }

uint64_t fixture_below(uint64_t bound) { return seed_below(bound); }

void fixture_begin(struct fixture *fixture)
{
	*fixture = (struct fixture){
		.settings     = {.tail_bytes = 1, .part_rows_max = 50, .columns_max = 100},
		.budget       = {.limit_bytes = UINT64_MAX},
		.retention_ms = INSTANT_MS_NEVER,
		.position_end = UINT64_MAX,
		.now_ms       = 1000 * DAY_MS,
	};
	memcpy(fixture->directory, "/tmp/sonnim-events-XXXXXX", sizeof "/tmp/sonnim-events-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
}

static void remove_tree(const char *path)
{
	DIR *directory = opendir(path);
	if (directory == NULL) {
		unlink(path);
		return;
	}
	const struct dirent *entry;
	while ((entry = readdir(directory)) != NULL) {
		char inner[512];
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
		remove_tree(inner);
	}
	closedir(directory);
	rmdir(path);
}

void fixture_end(struct fixture *fixture)
{
	fixture_close(fixture);
	remove_tree(fixture->directory);
	for (size_t i = 0; i < fixture->kept.count; i++)
		free((void *)(uintptr_t)fixture->kept.items[i].encoded.data);
	VECTOR_DONE(&fixture->kept);
}

static enum status open_store(struct fixture *fixture, struct events_store **ret_store,
                              struct error *err)
{
	const struct events_store_config config = {.directory       = fixture->directory,
	                                           .partition_count = 1,
	                                           .retention_ms    = fixture->retention_ms,
	                                           .budget          = &fixture->budget,
	                                           .settings        = &fixture->settings,
	                                           .position_end    = fixture->position_end};
	return events_store_open(&config, ret_store, err);
}

void fixture_open(struct fixture *fixture)
{
	struct error err = {0};
	if (open_store(fixture, &fixture->store, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	fixture->events = events_open(fixture->store, 0);
}

void fixture_close(struct fixture *fixture)
{
	if (fixture->store == NULL)
		return;
	events_store_stop(fixture->store);
	events_free(fixture->events);
	events_store_close(fixture->store);
	fixture->store = NULL;
}

enum status fixture_try_open(struct fixture *fixture, struct error *err)
{
	struct events_store *store;
	enum status          status = open_store(fixture, &store, err);
	if (status == STATUS_OK)
		events_store_close(store);
	return status;
}

/* ---- Records ---- */

static struct text random_text(char *into, size_t size)
{
	static const char *const some[] = {"제주", "부산 해운대", "VIP", "", "Seoul", "a", "b", "🙂"};
	if (fixture_below(200) == 0) {
		size_t length = size - fixture_below(50);
		memset(into, 'a' + (int)fixture_below(26), length);
		return (struct text){into, length};
	}
	if (fixture_below(3) != 0)
		return text_of(some[fixture_below(sizeof some / sizeof some[0])]);
	int length = snprintf(into, size, "text %u", (unsigned)fixture_below(100000));
	return (struct text){into, (size_t)length};
}

static struct value random_value(char *into, size_t size, struct buffer *nested)
{
	struct value value = {
		.type = (enum value_type)(1 + fixture_below(VALUE_INDEXED - 1))}; /* what can be written */
	buffer_clear(nested);
	switch (value.type) {
	case VALUE_INT:
		value.integer = fixture_below(20) == 0 ? INT64_MIN : (int64_t)fixture_below(100000) - 500;
		break;
	case VALUE_UINT:
		value.unsigned_integer = UINT64_MAX - fixture_below(1000);
		break;
	case VALUE_DOUBLE:
		value.number = fixture_below(20) == 0 ? 0.1 + 1.0 / (double)(1 + fixture_below(1000))
		                                      : (double)fixture_below(1000000) / 100;
		break;
	case VALUE_STRING:
		value.text = random_text(into, size);
		break;
	case VALUE_STRING_SET:
		for (unsigned i = 0, count = (unsigned)fixture_below(4); i < count; i++)
			buffer_add_sized(nested, random_text(into, size));
		value.text = buffer_text(nested);
		break;
	case VALUE_ARRAY:
		buffer_add_u8(nested, VALUE_TRUE);
		buffer_add_u8(nested, VALUE_STRING);
		buffer_add_sized(nested, random_text(into, size));
		value.text = buffer_text(nested);
		break;
	case VALUE_OBJECT: {
		size_t begin = value_list_begin(nested);
		value_add(nested, TEXT("안"), &(struct value){.type = VALUE_TRUE});
		value_list_end(nested, begin, 1);
		value.text = buffer_text(nested);
		break;
	}
	default:
		break;
	}
	return value;
}

struct text fixture_list(struct buffer *into)
{
	static const char *const names[] = {"region", "revenue", "수량", "ok", "tags", "cart", "x"};
	static char              large[60000];
	struct buffer            nested = {0};
	unsigned                 count  = (unsigned)fixture_below(7);
	size_t                   begin  = value_list_begin(into);
	for (unsigned i = 0; i < count; i++) {
		char         other[32];
		const char  *name  = names[fixture_below(sizeof names / sizeof names[0])];
		struct value value = random_value(large, sizeof large, &nested);
		if (fixture_below(30) == 0) {
			snprintf(other, sizeof other, "rare %u", (unsigned)fixture_below(1000));
			name = other;
		}
		value_add(into, text_of(name), &value);
	}
	value_list_end(into, begin, count);
	buffer_done(&nested);
	return (struct text){into->data + begin, into->length - begin};
}

static void add_to_store(struct fixture *fixture, const struct kept *kept)
{
	events_add(fixture->events, kept->slot, kept->encoded, &kept->event);
}

static void keep(struct fixture *fixture, uint32_t slot, const struct record *record,
                 struct event event)
{
	struct buffer encoded = {0};
	struct kept   kept    = {.slot = slot, .event = event};
	size_t        size;
	record_encode(&encoded, record);
	kept.encoded = buffer_text(&encoded);
	assert_int_equal(record_decode(kept.encoded, &kept.event.record, &size, NULL), STATUS_OK);
	VECTOR_ADD(&fixture->kept, kept);
	add_to_store(fixture, &kept);
}

void fixture_add(struct fixture *fixture, uint32_t slot, const struct record *record,
                 int64_t time_ms)
{
	uint64_t position = ++fixture->position;
	keep(fixture, slot, record,
	     (struct event){.time_ms         = time_ms,
	                    .received_ms     = fixture->now_ms,
	                    .position        = position,
	                    .stored_position = position,
	                    .marked          = fixture_below(10) == 0});
}

static int64_t random_time(const struct fixture *fixture)
{
	if (fixture_below(4) != 0)
		return fixture->now_ms - (int64_t)fixture_below(5000) + 1000;
	return fixture->now_ms - (int64_t)fixture_below(100) * DAY_MS - (int64_t)fixture_below(DAY_MS);
}

void fixture_add_random(struct fixture *fixture, uint32_t slots)
{
	static const char *const names[] = {"Order Completed", "$page", "상품 조회", "a"};
	struct buffer            lists   = {0};
	char                     id[UUID_TEXT_BYTES] = "";
	uint32_t                 slot                = (uint32_t)fixture_below(slots);
	bool                     event               = fixture_below(8) != 0;
	bool                     moved               = fixture_below(20) == 0;
	if (fixture_below(3) == 0)
		uuid_new(id);
	else if (fixture_below(2) == 0)
		snprintf(id, sizeof id, "m-%u", (unsigned)fixture_below(200));
	struct record record = {
		.kind          = event ? RECORD_EVENT : RECORD_TRAITS,
		.flags         = fixture_below(2) == 0 ? RECORD_IDENTIFIED : 0,
		.slot          = moved ? 7000 : slot,
		.call          = event ? CALL_TRACK : CALL_IDENTIFY,
		.source_number = (uint32_t)fixture_below(3),
		.timestamp_ms  = fixture_below(2) == 0 ? INSTANT_MS_NONE : fixture->now_ms - 5,
		.skew_ms       = (int64_t)fixture_below(9000) - 4000,
		.message_id    = text_of(id),
	};
	if (fixture_below(2) == 0)
		record.skew_ms = INSTANT_MS_NONE;
	if (fixture_below(10) == 0) {
		record.flags |= RECORD_HAS_ORIGIN | RECORD_HAS_SOURCE;
		record.origin = (struct record_origin){3, 99, 7};
		record.source = TEXT("offset 5");
	}
	if (event)
		record.name = text_of(names[fixture_below(sizeof names / sizeof names[0])]);
	fixture_list(&lists); /* their memory moves: taken only when all is written */
	size_t end = lists.length;
	fixture_list(&lists);
	record.properties = (struct text){lists.data, end};
	if (event && fixture_below(2) == 0)
		record.context = (struct text){lists.data + end, lists.length - end};
	if (fixture_below(5) == 0)
		record.sealed = TEXT("sealed\0bytes");
	if (!event && record.message_id.length == 0)
		record.message_id = TEXT("never none");

	uint64_t position = ++fixture->position;
	keep(fixture, slot, &record,
	     (struct event){.time_ms         = random_time(fixture),
	                    .received_ms     = fixture->now_ms,
	                    .position        = moved ? position + 1000 : position,
	                    .stored_position = position,
	                    .partition       = moved ? (uint32_t)fixture_below(5) : 0,
	                    .marked          = fixture_below(10) == 0});
	buffer_done(&lists);
}

void fixture_replay(struct fixture *fixture)
{
	for (size_t i = 0; i < fixture->kept.count; i++)
		add_to_store(fixture, &fixture->kept.items[i]);
}

void fixture_poll(struct fixture *fixture)
{
	events_poll(fixture->events, fixture->now_ms, fixture->position, EVENTS_FROM_BEGIN);
}

void fixture_flush(struct fixture *fixture)
{
	while (!events_flush(fixture->events, fixture->position)) {
		fixture_poll(fixture);
		nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
	}
}

/* ---- Reading by brute force ---- */

static bool is_wanted(const struct fixture *fixture, const struct kept *kept, uint32_t slot,
                      const struct events_query *query)
{
	const struct event *event = &kept->event;
	return kept->slot == slot && (query->calls || event->record.kind == RECORD_EVENT) &&
	       event->stored_position <= query->through_position && event->time_ms >= query->from_ms &&
	       event->time_ms < query->to_ms &&
	       events_end_ms(event->time_ms, fixture->retention_ms) > query->now_ms &&
	       (query->name.length == 0 || text_equal(query->name, event->record.name));
}

static int compare_kept(const void *left, const void *right)
{
	const struct event *a     = &(*(struct kept *const *)left)->event;
	const struct event *b     = &(*(struct kept *const *)right)->event;
	int                 order = event_compare(a, b);
	return order != 0 ? order
	                  : (a->stored_position > b->stored_position) -
	                        (a->stored_position < b->stored_position);
}

static void expect_same(const struct kept *kept, const struct event *event)
{
	struct buffer encoded = {0};
	assert_int_equal(event->time_ms, kept->event.time_ms);
	assert_int_equal(event->received_ms, kept->event.received_ms);
	assert_int_equal(event->position, kept->event.position);
	assert_int_equal(event->stored_position, kept->event.stored_position);
	assert_int_equal(event->partition, kept->event.partition);
	assert_int_equal(event->marked, kept->event.marked);
	record_encode(&encoded, &event->record);
	assert_true(text_equal(buffer_text(&encoded), kept->encoded));
	buffer_done(&encoded);
}

void fixture_expect(struct fixture *fixture, uint32_t slot, const struct events_query *query)
{
	VECTOR(const struct kept *) wanted = {0};
	event_list list                    = {0};
	for (size_t i = 0; i < fixture->kept.count; i++)
		if (is_wanted(fixture, &fixture->kept.items[i], slot, query))
			VECTOR_ADD(&wanted, &fixture->kept.items[i]);
	if (wanted.count > 0)
		qsort(wanted.items, wanted.count, sizeof wanted.items[0], compare_kept);

	events_read(fixture->events, slot, query, &list);
	assert_int_equal(list.count, wanted.count);
	for (size_t i = 0; i < list.count; i++)
		expect_same(wanted.items[i], &list.items[i]);
	event_list_done(&list);
	VECTOR_DONE(&wanted);
}

void fixture_file(const struct fixture *fixture, const char *end, char into[256])
{
	char path[128];
	snprintf(path, sizeof path, "%s/0000", fixture->directory);
	DIR *directory = opendir(path);
	assert_non_null(directory);
	unsigned             found = 0;
	const struct dirent *entry;
	while ((entry = readdir(directory)) != NULL) {
		if (!text_ends_with(text_of(entry->d_name), text_of(end)))
			continue;
		snprintf(into, 256, "%s/%.64s", path, entry->d_name);
		found++;
	}
	closedir(directory);
	assert_int_equal(found, 1);
}

void fixture_change_byte(const char *path, off_t at)
{
	char byte;
	int  fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x40;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

struct part_header *fixture_part(const struct fixture *fixture, struct text *ret_bytes)
{
	char          path[256];
	struct error  err;
	struct buffer file = {0};
	fixture_file(fixture, ".part", path);
	assert_int_equal(file_read(path, 64 << 20, &file, &err), STATUS_OK);
	struct part_header *header = aligned_alloc(PART_ALIGNMENT, file.length);
	assert_non_null(header);
	memcpy(header, file.data, file.length);
	*ret_bytes = (struct text){(const char *)header, file.length};
	buffer_done(&file);
	return header;
}

struct part_column *fixture_part_column(struct part_header *header, enum column_role role)
{
	struct part_column *columns = (struct part_column *)(header + 1);
	for (uint32_t i = 0; i < header->column_count; i++)
		if (columns[i].role == role)
			return &columns[i];
	fail_msg("the part has no column %d", (int)role);
	return NULL;
}

void fixture_seal_header(struct part_header *header)
{
	header->checksum = 0;
	header->checksum = hash_bytes(header, header->header_bytes);
}
