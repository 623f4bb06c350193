/* Replays of the whole journal after persons were erased whose records cannot be opened any more:
 * what was told of them does not come again, and everything else stands where it stood. */

#include "engine/checkpoint/checkpoint.h"

#include <ftw.h>
#include <string.h>
#include <unistd.h>

#include "engine/checkpoint/checkpoint_internal.h"
#include "run.h"

enum { NOW_MS = 1000000, ERASED = 4, OTHER = 7, NEW = 9, SEGMENT = 1 };

static char                directory[64];
static struct run          run;
static struct checkpoints *checkpoints;
static bool                sealed[64]; /* batches of the erased, by number */

static bool is_erased(void *context, uint32_t slot)
{
	(void)context;
	return slot == ERASED;
}

static void load(void)
{
	static const _Atomic bool       stopping;
	const struct checkpoints_config config = {
		.directory = directory, .partition_count = 1, .bytes_per_s = UINT64_C(1) << 40};
	struct error err = {0};
	uint64_t     after;
	if (checkpoints_new(&config, &checkpoints, &err) != STATUS_OK ||
	    checkpoint_load(checkpoints, run.partition, true, &stopping, &after, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	run.partition->changes.erased = is_erased;
}

static int begin(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "/tmp/sonnim-test-erased-XXXXXX");
	assert_non_null(mkdtemp(directory));
	memset(sealed, 0, sizeof sealed);
	run_begin(&run);
	load();
	return 0;
}

static int remove_one(const char *name, const struct stat *info, int type, struct FTW *place)
{
	(void)info, (void)type, (void)place;
	return remove(name);
}

static int end(void **state)
{
	(void)state;
	checkpoints_free(checkpoints);
	run_done(&run);
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void add_event(uint32_t slot)
{
	sealed[run.batches.count] = slot == ERASED;
	run_event(&run, slot, NOW_MS + (int64_t)run.batches.count, NOW_MS, "Visit", "{}", NULL);
}

/* A segment that everybody is in who has no order. */
static void define_default(void)
{
	run_define(&run, NOW_MS + (int64_t)run.batches.count, SEGMENT,
	           "{\"event\":\"Order\",\"op\":\"eq\",\"value\":0}");
}

static struct changes *stream(void) { return &run.partition->changes; }

static void store_all(void)
{
	if (stream()->handed < stream()->count)
		checkpoint_hand_out_changes(&checkpoints->partitions[0]);
	while (stream()->stored < stream()->count)
		checkpoint_spill(&checkpoints->partitions[0], 0);
}

/* What cannot be opened does as much as a record of the time. */
static void apply_again(void)
{
	struct error  err     = {0};
	struct buffer nothing = {0};
	record_encode(&nothing, &(struct record){.kind = RECORD_CLOCK, .slot = SLOT_NONE});
	for (size_t i = 0; i < run.batches.count; i++) {
		const struct run_batch   *batch = &run.batches.items[i];
		const struct journal_read read  = {
			 .record_count = batch->count,
			 .records =
                sealed[i] ? buffer_text(&nothing) : (struct text){batch->records, batch->size},
			 .first_position = batch->position,
			 .log_time_ms    = batch->log_time_ms};
		assert_int_equal(partition_apply(run.partition, &read, 1, &err), STATUS_OK);
	}
	buffer_done(&nothing);
	assert_int_equal(stream()->differing, 0);
}

/* What a start makes of the journal where no checkpoint is whole. */
static void start_again(void)
{
	checkpoints_free(checkpoints);
	partition_free(run.partition);
	run.partition = partition_new(0, RUN_RETENTION_MS, events_new(0, &run.budget), run.plans);
	run.partition->enrichment.dimensions = run.dimensions;
	load();
	apply_again();
}

static const struct change *last_change(void)
{
	return &changes_at(stream(), stream()->count - 1)->change;
}

static void an_end_of_the_erased_is_passed_once_the_replay_is_over(void **state)
{
	(void)state;
	add_event(OTHER);
	add_event(ERASED);
	store_all();
	uint64_t stored = stream()->stored;
	start_again();
	assert_true(stream()->count < stored);
	partition_replayed(run.partition);
	assert_int_equal(stream()->count, stored);

	/* Such a partition is written into checkpoints as ever. */
	checkpoint_turn(checkpoints, &run.partition, 1, run.partition->last_position);
	assert_true(checkpoints->partitions[0].running);
}

static void what_comes_after_such_an_end_stands_behind_it_after_every_further_replay(void **state)
{
	(void)state;
	add_event(OTHER);
	add_event(ERASED);
	store_all();
	uint64_t stored = stream()->stored;
	for (unsigned i = 0; i < 3; i++) {
		start_again();
		partition_replayed(run.partition);
		assert_int_equal(stream()->count, stored);
		add_event(NEW + i);
		assert_int_equal(stream()->count, ++stored);
		assert_int_equal(last_change()->slot, NEW + i);
		store_all();
	}
}

static void a_segment_that_holds_for_everybody_begins_with_its_own_entry(void **state)
{
	(void)state;
	add_event(OTHER);
	add_event(ERASED);
	define_default();
	assert_int_equal(last_change()->slot, SLOT_NONE);
	uint64_t from = stream()->count - 1;
	assert_int_equal(stream()->spans.items[0].from_index, from);
	store_all();

	start_again();
	assert_int_equal(stream()->spans.items[0].from_index, from);
	assert_int_equal(changes_at(stream(), from)->change.slot, SLOT_NONE);
}

static void one_that_is_defined_after_such_an_end_does_so_too(void **state)
{
	(void)state;
	add_event(OTHER);
	add_event(ERASED);
	store_all();
	start_again();
	define_default();
	assert_int_equal(stream()->spans.items[0].from_index, stream()->count - 1);
	assert_int_equal(last_change()->slot, SLOT_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(an_end_of_the_erased_is_passed_once_the_replay_is_over),
		TEST(what_comes_after_such_an_end_stands_behind_it_after_every_further_replay),
		TEST(a_segment_that_holds_for_everybody_begins_with_its_own_entry),
		TEST(one_that_is_defined_after_such_an_end_does_so_too),
#undef TEST
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
