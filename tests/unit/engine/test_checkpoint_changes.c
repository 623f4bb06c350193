/* A file of the change stream that was cut takes the place of the one so far, while the partition
 * goes on, and over restarts. */

#include "engine/checkpoint/checkpoint.h"

#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/change/change_compact.h"
#include "engine/checkpoint/checkpoint_internal.h"
#include "run.h"

enum { NOW_MS = 1000000, A_CHUNK = 50 };

static char                directory[64], path[CHECKPOINT_PATH_MAX], next[CHECKPOINT_PATH_MAX];
static struct run          run;
static struct checkpoints *checkpoints;
static uint32_t            persons;

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
}

/* What a start makes of the directory. */
static void start_again(void)
{
	checkpoints_free(checkpoints);
	partition_free(run.partition);
	run.partition = partition_new(0, RUN_RETENTION_MS, events_new(0, &run.budget), run.plans);
	run.partition->enrichment.dimensions = run.dimensions;
	load();
	struct error err = {0};
	for (size_t i = 0; i < run.batches.count; i++) {
		const struct run_batch   *batch = &run.batches.items[i];
		const struct journal_read read  = {.record_count   = batch->count,
		                                   .records        = {batch->records, batch->size},
		                                   .first_position = batch->position,
		                                   .log_time_ms    = batch->log_time_ms};
		assert_int_equal(partition_apply(run.partition, &read, 1, &err), STATUS_OK);
	}
	assert_int_equal(run.partition->changes.differing, 0);
}

/* New persons, each a change. */
static void add_persons(void)
{
	for (unsigned i = 0; i < A_CHUNK; i++, persons++)
		run_event(&run, persons, NOW_MS + persons + 1, NOW_MS, "Visit", "{}", NULL);
}

/* Behind the newest checkpoint. */
static void make_chunk(void)
{
	add_persons();
	checkpoint_hand_out_changes(&checkpoints->partitions[0]);
	while (run.partition->changes.stored < run.partition->changes.count)
		checkpoint_spill(&checkpoints->partitions[0], 0);
}

/* With its checkpoint. */
static void make_round(void)
{
	add_persons();
	while (run.partition->changes.stored < run.partition->changes.count ||
	       checkpoints->partitions[0].running)
		checkpoint_turn(checkpoints, &run.partition, 1, run.partition->last_position);
}

static int begin(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "/tmp/sonnim-test-changes-XXXXXX");
	assert_non_null(mkdtemp(directory));
	persons = 0;
	run_begin(&run);
	load();
	checkpoint_changes_paths(checkpoints, 0, path, next);
	for (unsigned i = 0; i < 6; i++)
		make_round();
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

/* The stream as it is now, cut where the chunk `chunk` begins. */
static struct change_file *cut_file(size_t chunk)
{
	const struct change_file *own = run.partition->changes.file;
	const struct change_cut   cut = {.cut        = own->chunks.items[chunk].first_index,
	                                 .count      = run.partition->changes.stored,
	                                 .slot_count = run.partition->profiles.slot_count};
	struct change_file       *file, *made;
	struct error              err = {0};
	if (change_file_open(path, own->workspace_id, 0, &file, &err) != STATUS_OK ||
	    change_compact(file, &cut, next, &made, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	change_file_close(file);
	return made;
}

static void wait_for(enum checkpoint_replacing outcome)
{
	while (checkpoint_replacing(checkpoints, 0) == REPLACING_UNDER_WAY)
		checkpoint_spill(&checkpoints->partitions[0], 0);
	assert_int_equal(checkpoint_replacing(checkpoints, 0), outcome);
	assert_int_equal(access(next, F_OK), -1);
}

/* Every change is the creation of the next person. */
static void expect_stream(uint64_t first)
{
	const struct changes *changes = &run.partition->changes;
	assert_int_equal(changes_first(changes), first);
	assert_int_equal(changes->count, persons);
	for (uint64_t i = 0; i < changes->count; i++)
		assert_int_equal(changes_at(changes, i)->change.slot, i);
}

static void what_was_stored_meanwhile_is_in_the_new_file(void **state)
{
	(void)state;
	uint64_t            source_end = run.partition->changes.file->end;
	struct change_file *made       = cut_file(3);
	uint64_t            first      = made->cut;
	make_chunk();
	checkpoint_replace_changes(checkpoints, 0, made, source_end);
	wait_for(REPLACING_DONE);
	expect_stream(first);
	make_round();
	expect_stream(first);
	start_again();
	expect_stream(first);
}

static void one_that_says_something_else_is_given_up_and_removed(void **state)
{
	(void)state;
	uint64_t source_end = run.partition->changes.file->chunks.items[4].offset;
	checkpoint_replace_changes(checkpoints, 0, cut_file(3), source_end);
	wait_for(REPLACING_FAILED);
	expect_stream(0);
	make_round();
	expect_stream(0);
	start_again();
	expect_stream(0);
}

static void an_end_on_the_way_leaves_one_of_the_two(void **state)
{
	(void)state;
	struct change_file *made  = cut_file(3);
	uint64_t            first = made->cut;
	checkpoint_replace_changes(checkpoints, 0, made, run.partition->changes.file->end);
	assert_int_equal(checkpoint_replacing(checkpoints, 0), REPLACING_UNDER_WAY);
	start_again();
	assert_int_equal(access(next, F_OK), -1);
	expect_stream(changes_first(&run.partition->changes) == 0 ? 0 : first);
}

static void a_checkpoint_from_before_the_cut_is_not_used(void **state)
{
	(void)state;
	struct checkpoints_status status;
	make_chunk();
	make_chunk();
	struct change_file *made  = cut_file(run.partition->changes.file->chunks.count - 1);
	uint64_t            first = made->cut;
	checkpoint_replace_changes(checkpoints, 0, made, run.partition->changes.file->end);
	wait_for(REPLACING_DONE);
	assert_true(checkpoint_needs_changes(checkpoints, 0) < first);
	start_again();
	checkpoints_status(checkpoints, &status);
	assert_true(status.damaged > 0);
	expect_stream(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(what_was_stored_meanwhile_is_in_the_new_file),
		TEST(one_that_says_something_else_is_given_up_and_removed),
		TEST(an_end_on_the_way_leaves_one_of_the_two),
		TEST(a_checkpoint_from_before_the_cut_is_not_used),
#undef TEST
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
