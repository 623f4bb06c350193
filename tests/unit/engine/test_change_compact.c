/* The old part of a change stream is dropped; what histories are derived from stays, against a
 * model that looks through all entries. */

#include "engine/change/change_compact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../seed.h"
#include "base/file.h"

enum { SLOTS = 400, SEGMENTS = 9, ENTRIES = 60000 };

static const uint32_t by_default[] = {5, 2};

static VECTOR(struct stored_change) model;
static uint32_t newest[SLOTS]; /* index + 1 */
static char     paths[4][64];

static void add_entry(struct change change)
{
	uint32_t previous = 0;
	change.position   = model.count / 3;
	change.at_ms      = (int64_t)model.count * 10;
	if (change.slot != SLOT_NONE) {
		previous            = newest[change.slot];
		newest[change.slot] = (uint32_t)model.count + 1;
	}
	VECTOR_ADD(&model, (struct stored_change){.change = change, .previous = previous});
}

static void add_random(void)
{
	uint32_t slot = (uint32_t)(seed_below(SLOTS) * seed_below(SLOTS) / SLOTS);
	if (seed_below(500) == 0)
		add_entry((struct change){.slot    = SLOT_NONE,
		                          .segment = by_default[seed_below(2)],
		                          .entered = seed_below(2) != 0,
		                          .cause   = CAUSE_DEFINITION});
	else if (newest[slot] == 0)
		add_entry((struct change){.slot = slot, .entered = true, .cause = CAUSE_CREATED});
	else
		add_entry((struct change){.slot           = slot,
		                          .segment        = (uint32_t)(1 + seed_below(SEGMENTS)),
		                          .entered        = seed_below(2) != 0,
		                          .cause          = CAUSE_EVENT,
		                          .event_position = model.count});
}

static struct change_file *open_file(const char *path)
{
	const uint8_t       id[16] = {1};
	struct change_file *file;
	struct error        err = {0};
	if (change_file_open(path, id, 3, &file, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	return file;
}

static void append(struct change_file *file, uint64_t first, uint32_t count)
{
	struct buffer bytes = {0};
	struct error  err   = {0};
	change_chunk_encode(&model.items[first], count, first, &bytes);
	assert_int_equal(change_file_write(file, file->end, buffer_text(&bytes), &err), STATUS_OK);
	change_file_adopt(file, bytes.length, count);
	buffer_done(&bytes);
}

static int make_stream(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		snprintf(paths[i], sizeof paths[i], "/tmp/sonnim-test-compact-%ld-%d", (long)getpid(), i);
		unlink(paths[i]);
	}
	while (model.count < ENTRIES)
		add_random();
	struct change_file *file = open_file(paths[0]);
	for (uint64_t first = 0; first < ENTRIES;) {
		uint32_t count =
			(uint32_t)(seed_below(8) == 0 ? CHANGE_CHUNK_ENTRIES_MAX : 1 + seed_below(3000));
		if (count > ENTRIES - first)
			count = (uint32_t)(ENTRIES - first);
		append(file, first, count);
		first += count;
	}
	change_file_close(file);
	return 0;
}

static int remove_stream(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		unlink(paths[i]);
	VECTOR_DONE(&model);
	memset(newest, 0, sizeof newest);
	return 0;
}

/* Where some chunk behind `from` begins, not the first and not behind the last. */
static uint64_t random_cut(const struct change_file *file, uint64_t from)
{
	VECTOR(uint64_t) begins = {0};
	for (size_t i = 1; i < file->chunks.count; i++)
		if (file->chunks.items[i].first_index > from && !file->chunks.items[i].kept)
			VECTOR_ADD(&begins, file->chunks.items[i].first_index);
	assert_true(begins.count > 0);
	uint64_t cut = begins.items[seed_below(begins.count)];
	VECTOR_DONE(&begins);
	return cut;
}

static struct change_file *compact(const struct change_file *file, uint64_t cut, const char *path)
{
	const struct change_cut wish = {.cut              = cut,
	                                .count            = file->count,
	                                .slot_count       = SLOTS,
	                                .default_segments = by_default,
	                                .default_count    = 2};
	struct change_file     *made;
	struct error            err = {0};
	if (change_compact(file, &wish, path, &made, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	return made;
}

static bool is_by_default(uint32_t segment)
{
	return segment == by_default[0] || segment == by_default[1];
}

/* Whether an entry before the cut stays with what it says. */
static bool stays(uint64_t index, uint64_t cut)
{
	const struct change *change = &model.items[index].change;
	if (change->slot == SLOT_NONE || change->segment == 0)
		return true;
	for (uint64_t i = index + 1; i < cut; i++)
		if (model.items[i].change.slot == change->slot &&
		    model.items[i].change.segment == change->segment)
			return false;
	return change->entered || is_by_default(change->segment);
}

static void expect_chain(const struct change_file *file, uint32_t slot, uint64_t cut)
{
	uint32_t at    = newest[slot];
	bool     first = true; /* of those before the cut */
	for (uint32_t i = newest[slot]; i > 0; i = model.items[i - 1].previous) {
		const struct stored_change *wanted = &model.items[i - 1];
		bool                        whole  = i - 1 >= cut || stays(i - 1, cut);
		if (whole || first) {
			assert_int_equal(at, i);
			const struct stored_change *found = change_file_at(file, at - 1);
			const struct change         bare  = {.slot = slot};
			assert_memory_equal(&found->change, whole ? &wanted->change : &bare, sizeof bare);
			if (i - 1 > cut)
				assert_int_equal(found->previous, wanted->previous);
			at = found->previous;
		} else {
			assert_ptr_equal(change_file_at(file, i - 1), &change_dropped);
		}
		if (i - 1 < cut)
			first = false;
	}
	assert_int_equal(at, 0);
}

static void expect(const struct change_file *file, uint64_t cut)
{
	assert_int_equal(file->cut, cut);
	assert_int_equal(file->count, ENTRIES);
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		if (newest[slot] > 0)
			expect_chain(file, slot, cut);
	for (uint64_t i = 0; i < ENTRIES; i++)
		if (i >= cut || model.items[i].change.slot == SLOT_NONE)
			assert_memory_equal(change_file_at(file, i), &model.items[i], sizeof model.items[i]);
	for (uint32_t segment = 0; segment <= SEGMENTS; segment++) {
		uint64_t at = change_file_next_of(file, segment, cut);
		for (uint64_t i = cut; i < ENTRIES; i++) {
			if (model.items[i].change.segment != segment)
				continue;
			assert_int_equal(at, i);
			at = change_file_next_of(file, segment, at + 1);
		}
		assert_true(at == UINT64_MAX);
	}
}

static void what_histories_are_derived_from_stays(void **state)
{
	(void)state;
	struct change_file *file = open_file(paths[0]);
	uint64_t            cut  = random_cut(file, 0);
	struct change_file *made = compact(file, cut, paths[1]);
	expect(made, cut);
	change_file_close(made);
	made = open_file(paths[1]);
	expect(made, cut);
	change_file_close(made);
	change_file_close(file);
}

static void cutting_twice_is_cutting_once(void **state)
{
	(void)state;
	struct change_file *file   = open_file(paths[0]);
	uint64_t            first  = random_cut(file, 0);
	struct change_file *made   = compact(file, first, paths[1]);
	uint64_t            second = made->chunks.items[made->chunks.count - 1].first_index;
	if (second > first)
		second = random_cut(made, first);
	struct change_file *once  = compact(file, second, paths[2]);
	struct change_file *twice = second > first ? compact(made, second, paths[3]) : NULL;
	if (twice != NULL) {
		struct buffer a = {0}, b = {0};
		struct error  err = {0};
		expect(twice, second);
		assert_int_equal(file_read(paths[2], 1 << 30, &a, &err), STATUS_OK);
		assert_int_equal(file_read(paths[3], 1 << 30, &b, &err), STATUS_OK);
		assert_int_equal(a.length, b.length);
		assert_memory_equal(a.data, b.data, a.length);
		buffer_done(&a);
		buffer_done(&b);
		change_file_close(twice);
	}
	change_file_close(once);
	change_file_close(made);
	change_file_close(file);
}

static void what_is_appended_meanwhile_is_taken_in(void **state)
{
	(void)state;
	struct change_file *file  = open_file(paths[0]);
	struct change_file *made  = compact(file, random_cut(file, 0), paths[1]);
	uint64_t            cut   = made->cut;
	struct error        err   = {0};
	struct buffer       bytes = {0};
	for (int i = 0; i < 100; i++)
		add_random();
	change_chunk_encode(&model.items[ENTRIES], 100, ENTRIES, &bytes);
	assert_int_equal(change_file_write(made, made->end, buffer_text(&bytes), &err), STATUS_OK);
	assert_int_equal(change_file_reach(made, &err), STATUS_OK);
	assert_int_equal(made->count, ENTRIES + 100);
	assert_int_equal(made->cut, cut);
	for (uint64_t i = cut; i < ENTRIES + 100; i++)
		assert_memory_equal(change_file_at(made, i), &model.items[i], sizeof model.items[i]);
	buffer_done(&bytes);
	change_file_close(made);
	change_file_close(file);
}

static void any_flipped_bit_before_the_cut_is_found(void **state)
{
	(void)state;
	struct change_file *file = open_file(paths[0]);
	struct change_file *made = compact(file, random_cut(file, 0), paths[1]);
	uint64_t            end  = made->chunks.items[0].offset + made->chunks.items[0].bytes;
	for (int i = 0; i < 200; i++) {
		uint64_t at = 64 + seed_below(end - 64);
		uint8_t  byte, flipped;
		assert_int_equal(pread(made->fd, &byte, 1, (off_t)at), 1);
		flipped = byte ^ (uint8_t)(1 << seed_below(8));
		assert_int_equal(pwrite(made->fd, &flipped, 1, (off_t)at), 1);
		struct change_file *damaged = open_file(paths[1]);
		assert_int_equal(damaged->count, 0);
		change_file_close(damaged);
		assert_int_equal(pwrite(made->fd, &byte, 1, (off_t)at), 1);
	}
	change_file_close(made);
	change_file_close(file);
}

static bool use_some(void *context, uint64_t bytes)
{
	uint64_t *left = context;
	if (*left < bytes)
		return false;
	*left -= bytes;
	return true;
}

static void it_stops_when_it_is_told(void **state)
{
	(void)state;
	struct change_file     *file = open_file(paths[0]);
	uint64_t                left = seed_below(file->end);
	const struct change_cut wish = {.cut        = random_cut(file, 0),
	                                .count      = file->count,
	                                .slot_count = SLOTS,
	                                .use        = use_some,
	                                .context    = &left};
	struct change_file     *made;
	struct error            err = {0};
	assert_int_equal(change_compact(file, &wish, paths[1], &made, &err), STATUS_UNAVAILABLE);
	change_file_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_stream, remove_stream)
		TEST(what_histories_are_derived_from_stays),
		TEST(cutting_twice_is_cutting_once),
		TEST(what_is_appended_meanwhile_is_taken_in),
		TEST(any_flipped_bit_before_the_cut_is_found),
		TEST(it_stops_when_it_is_told),
#undef TEST
	};
	seed_begin("change_compact");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
