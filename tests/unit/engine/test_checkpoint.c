/* Checkpoints of a partition that goes on meanwhile, and restarts from them: state and change
 * stream are those of a run that was never interrupted. */

#include "engine/apply/feature.h"
#include "engine/checkpoint/checkpoint.h"

#include <errno.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../faulty_disk.h"
#include "../seed.h"
#include "engine/checkpoint/checkpoint_internal.h"
#include "run.h"

enum { SLOTS = 3500, STEPS = 1500, START_MS = 1000000 };

static char directory[64];

static int new_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "/tmp/sonnim-test-checkpoint-XXXXXX");
	return mkdtemp(directory) == NULL;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
	(void)info, (void)type, (void)place;
	return remove(path);
}

static int remove_directory(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name)
{
	static char path[160];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

/* ---- A run with checkpoints ---- */

struct world {
	struct run          run;
	struct checkpoints *checkpoints;
	int64_t             now_ms;
	size_t              read;  /* batches before this one are not read again */
	uint64_t            after; /* what the last start said */
	uint32_t            version;
};

static void open_checkpoints(struct world *world)
{
	struct checkpoints_config config = {
		.directory = directory, .partition_count = 1, .bytes_per_s = UINT64_C(1) << 40};
	struct error err = {0};
	if (checkpoints_new(&config, &world->checkpoints, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
}

static enum status load(struct world *world, bool journal_begins, struct error *err)
{
	static const _Atomic bool stopping;
	open_checkpoints(world);
	return checkpoint_load(world->checkpoints, world->run.partition, journal_begins, &stopping,
	                       &world->after, err);
}

static void begin(struct world *world)
{
	struct error err = {0};
	*world           = (struct world){.now_ms = START_MS};
	run_begin(&world->run);
	if (load(world, true, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
}

/* Leaves as kill -9 would: what is on its way to the disk stays away. */
static void die(struct world *world)
{
	checkpoints_free(world->checkpoints);
	partition_free(world->run.partition);
	dimensions_free(world->run.dimensions);
	world->run.dimensions = dimensions_new(1);
}

static struct partition *fresh(struct world *world)
{
	struct partition *partition =
		partition_new(0, RUN_RETENTION_MS, events_new(0, &world->run.budget), world->run.plans);
	partition->enrichment.dimensions = world->run.dimensions;
	return partition;
}

/* Batches of one stamp come in one go, as from the engine's threads. The stored events are in no
 * checkpoint: everything is read again. */
static void feed_again(struct partition *partition, const struct run *run)
{
	VECTOR(struct journal_read) stamp = {0};
	struct error err                  = {0};
	for (size_t i = 0; i < run->batches.count; i++) {
		const struct run_batch *batch = &run->batches.items[i];
		VECTOR_ADD(&stamp, (struct journal_read){.record_count   = batch->count,
		                                         .records        = {batch->records, batch->size},
		                                         .first_position = batch->position,
		                                         .log_time_ms    = batch->log_time_ms});
		if (i + 1 < run->batches.count && batch[1].log_time_ms == batch->log_time_ms)
			continue;
		if (partition_apply(partition, stamp.items, stamp.count, &err) != STATUS_OK)
			fail_msg("%s", err.reason);
		stamp.count = 0;
	}
	VECTOR_DONE(&stamp);
}

static void start_again(struct world *world)
{
	struct error err     = {0};
	world->run.partition = fresh(world);
	if (load(world, true, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	feed_again(world->run.partition, &world->run);
	partition_advance(world->run.partition, world->now_ms);
	assert_false(world->run.partition->resume.active);
	assert_int_equal(world->run.partition->changes.differing, 0);
}

static void turn(struct world *world)
{
	checkpoint_turn(world->checkpoints, &world->run.partition, 1,
	                world->run.partition->last_position);
}

static uint64_t rounds(struct world *world)
{
	struct checkpoints_status status;
	checkpoints_status(world->checkpoints, &status);
	return status.rounds;
}

static unsigned newest(const struct world *world)
{
	return checkpoint_newest_line(&world->checkpoints->partitions[0]);
}

static const struct checkpoint_manifest *manifest_of(const struct world *world, unsigned line)
{
	return &world->checkpoints->partitions[0].lines[line].manifest;
}

/* So many rounds, each with something new in it; the last one holds everything. */
static void finish_rounds(struct world *world, unsigned count)
{
	while (count-- > 0) {
		run_event(&world->run, 1, world->now_ms, world->now_ms, "Round", "{}", NULL);
		do
			turn(world);
		while (newest(world) == CHECKPOINT_LINES ||
		       manifest_of(world, newest(world))->position < world->run.position);
	}
}

static void done(struct world *world)
{
	checkpoints_free(world->checkpoints);
	run_done(&world->run);
}

/* ---- What happens ---- */

static const char *const expressions[] = {
	"{\"event\":\"Order\",\"within\":\"60s\",\"op\":\"gte\",\"value\":2}",
	"{\"event\":\"Order\",\"aggregate\":\"sum\",\"property\":\"$amount\",\"within\":\"5m\","
	"\"op\":\"gte\",\"value\":100}",
	"{\"event\":\"Click\",\"op\":\"eq\",\"value\":0}",
	"{\"and\":[{\"segment\":\"1\"},{\"not\":{\"trait\":\"tier\",\"op\":\"eq\",\"value\":\"VIP\"}}]"
	"}",
	"{\"event\":\"*\",\"within\":\"10m\",\"until\":\"60s\",\"op\":\"lt\",\"value\":3}",
	"{\"or\":[{\"trait\":\"seen\",\"op\":\"within_last\",\"value\":\"3m\"},{\"segment\":\"3\"}]}",
	"{\"event\":\"Order\",\"where\":{\"property\":\"due\",\"op\":\"within_last\",\"value\":\"2m\"},"
	"\"op\":\"gte\",\"value\":1}",
	"{\"event\":\"Click\",\"within\":\"2m\",\"op\":\"in\",\"value\":[1,3]}",
	"{\"event\":\"Order\",\"where\":{\"property\":\"category\",\"op\":\"eq\",\"value\":\"c1\"},"
	"\"within\":\"10m\",\"op\":\"gte\",\"value\":2}",
};
enum { EXPRESSIONS = sizeof expressions / sizeof expressions[0] };

static void define_all(struct world *world)
{
	for (uint32_t i = 0; i < EXPRESSIONS; i++)
		run_define(&world->run, world->now_ms, i + 1, expressions[i]);
}

static void instant(char into[32], int64_t at_ms)
{
	time_t    seconds = at_ms / 1000;
	struct tm parts;
	gmtime_r(&seconds, &parts);
	strftime(into, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static void happen(struct world *world)
{
	struct run *run  = &world->run;
	uint32_t    slot = (uint32_t)seed_below(seed_below(3) == 0 ? SLOTS : 40);
	char        text[128], due[32];
	if (seed_below(3) > 0)
		world->now_ms += (int64_t)(seed_below(4) == 0 ? seed_below(30000) : seed_below(200));
	instant(due, world->now_ms + (int64_t)seed_below(400000) - 200000);
	uint64_t kind = seed_below(20);
	if (kind < 14) {
		int64_t time_ms = world->now_ms + (int64_t)seed_below(90000) - 60000;
		snprintf(text, sizeof text, "{\"amount\":%d,\"due\":\"%s\",\"product_id\":\"p%d\"}",
		         (int)seed_below(90) - 20, due, (int)seed_below(6));
		run_event(run, slot, world->now_ms, time_ms, kind < 9 ? "Order" : "Click", text,
		          kind == 0 ? "again" : NULL);
	} else if (kind < 18) {
		snprintf(text, sizeof text, "{\"tier\":%s,\"seen\":\"%s\"}", kind < 16 ? "\"VIP\"" : "null",
		         due);
		run_traits(run, slot, world->now_ms, text);
	} else if (kind == 18) {
		snprintf(text, sizeof text, "{\"category\":\"c%d\"}", (int)seed_below(3));
		run_dimension(run, world->now_ms, seed_below(2) ? "p1" : "p2",
		              seed_below(4) > 0 ? text : NULL);
	} else if (seed_below(3) == 0) {
		run_feed(run, world->now_ms, &(struct record){.kind = RECORD_ERASURE, .slot = slot});
	} else {
		partition_advance(run->partition, world->now_ms);
	}
}

/* ---- Comparing ---- */

static int compare_texts(const void *left, const void *right)
{
	const struct text *a = left, *b = right;
	size_t             length = a->length < b->length ? a->length : b->length;
	int                order  = memcmp(a->data, b->data, length);
	return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

/* All but its room, which tells only how it came to be. */
static void dump_series(const struct series *series, struct buffer *out)
{
	struct buffer      bytes = {0};
	struct byte_reader reader;
	series_write(series, &bytes);
	reader = byte_reader_of(bytes.data, bytes.length);
	if (series != NULL) {
		buffer_add_u8(out, read_u8(&reader));
		buffer_add_u8(out, read_u8(&reader));
		buffer_add_varint(out, read_varint(&reader));
		read_varint(&reader);
	}
	buffer_add(out, reader.at, read_left(&reader));
	buffer_done(&bytes);
}

/* Features and memberships by what they are, since their indices are another run's. */
static void dump_profile(const struct partition *partition, const struct profile *profile,
                         struct buffer *out)
{
	struct buffer all             = {0};
	VECTOR(struct text) parts     = {0};
	VECTOR(size_t) ends           = {0};
	const struct catalog *catalog = &partition->catalog;
	for (uint32_t i = 0; profile->features != NULL && i < profile->features->count; i++) {
		const struct person_feature *kept = &profile->features->items[i];
		buffer_add_sized(&all, catalog->features.items[kept->feature].plan->key);
		buffer_add_i64(&all, kept->next_ms);
		dump_series(kept->series, &all);
		VECTOR_ADD(&ends, all.length);
	}
	for (uint32_t i = 0; profile->memberships != NULL && i < profile->memberships->count; i++) {
		const struct membership *membership = &profile->memberships->items[i];
		buffer_printf(&all, "segment %u %u %lld", catalog->rules.items[membership->rule].segment,
		              membership->member, (long long)membership->since_ms);
		VECTOR_ADD(&ends, all.length);
	}
	for (size_t i = 0; i < ends.count; i++) {
		size_t from = i == 0 ? 0 : ends.items[i - 1];
		VECTOR_ADD(&parts, (struct text){all.data + from, ends.items[i] - from});
	}
	if (parts.count > 0)
		qsort(parts.items, parts.count, sizeof *parts.items, compare_texts);
	for (size_t i = 0; i < parts.count; i++)
		buffer_add_sized(out, parts.items[i]);
	buffer_done(&all);
	VECTOR_DONE(&parts);
	VECTOR_DONE(&ends);
}

/* When events that matter no more are let go is not part of the state: now. */
static void forget(struct partition *partition, int64_t now_ms)
{
	for (uint32_t slot = 0; slot < partition->profiles.slot_count; slot++) {
		struct profile *profile = profiles_change(&partition->profiles, slot);
		if (profile == NULL)
			continue;
		for (uint32_t i = 0; profile->features != NULL && i < profile->features->count; i++) {
			const struct person_feature *kept = &profile->features->items[i];
			const struct feature *feature     = &partition->catalog.features.items[kept->feature];
			if (kept->series != NULL && feature->plan->cap == SERIES_UNLIMITED)
				series_forget(kept->series, &feature->kept, now_ms);
		}
		feature_forget(partition, profile, now_ms);
	}
}

/* With what they got from dimensions. */
static void dump_events(const struct partition *partition, uint32_t slot, struct buffer *out)
{
	const struct events_query query = {
		.from_ms          = INT64_MIN,
		.to_ms            = INT64_MAX,
		.through_position = partition->last_position,
		.now_ms           = atomic_load(&partition->clock_ms),
		.retention_ms     = RUN_RETENTION_MS,
	};
	event_list list = {0};
	events_read(partition->events, slot, &query, &list);
	for (size_t i = 0; i < list.count; i++)
		buffer_add_sized(out, list.items[i].record.properties);
	event_list_done(&list);
}

static void dump(const struct partition *partition, struct buffer *out)
{
	for (uint32_t slot = 0; slot < partition->profiles.slot_count; slot++) {
		const struct profile *profile = profiles_find(&partition->profiles, slot);
		if (profile == NULL)
			continue;
		buffer_printf(out, "%u %d %u %lld %lld ", slot, profile->identified, profile->newest_change,
		              (long long)profile->created_ms, (long long)profile->newest_event_ms);
		buffer_add_sized(out, profile_traits(profile));
		buffer_add_i64(out, profile->traits == NULL ? 0 : profile->traits->next_ms);
		dump_profile(partition, profile, out);
		dump_events(partition, slot, out);
	}
	for (uint32_t i = 1; i <= EXPRESSIONS; i++) {
		uint32_t           index = catalog_live(&partition->catalog, i);
		const struct rule *rule =
			index == RULE_NONE ? NULL : &partition->catalog.rules.items[index];
		if (rule != NULL)
			buffer_printf(out, "rule %u %lld %lld %lld ", i, (long long)rule->since_ms[0],
			              (long long)rule->since_ms[1], (long long)rule->exception_balance);
	}
	names_save(&partition->names, out);
	for (size_t i = 0; i < partition->changes.spans.count; i++) {
		const struct default_span *span = &partition->changes.spans.items[i];
		buffer_printf(out, "span %u %llu %llu %d%d%d%d%d", span->segment,
		              (unsigned long long)span->from_index, (unsigned long long)span->to_index,
		              span->holds[0], span->holds[1], span->announced[0], span->announced[1],
		              span->ended);
	}
	buffer_printf(out, "%llu persons, id %llu-%u, change %llu",
	              (unsigned long long)partition->profiles.person_count,
	              (unsigned long long)partition->last_position, partition->ordinal,
	              (unsigned long long)partition->last_change_id);
}

static void expect_uninterrupted(struct world *world)
{
	struct dimensions *kept = world->run.dimensions;
	world->run.dimensions   = dimensions_new(1);
	struct partition *whole = fresh(world);
	struct buffer     own = {0}, other = {0};
	feed_again(whole, &world->run);
	partition_advance(whole, world->now_ms);
	partition_advance(world->run.partition, world->now_ms);
	run_stream(whole, &other);
	run_stream(world->run.partition, &own);
	assert_int_equal(own.length, other.length);
	assert_memory_equal(own.data, other.data, own.length);
	own.length = other.length = 0;
	forget(whole, world->now_ms);
	forget(world->run.partition, world->now_ms);
	dump(whole, &other);
	dump(world->run.partition, &own);
	assert_int_equal(own.length, other.length);
	assert_memory_equal(own.data, other.data, own.length);
	buffer_done(&own);
	buffer_done(&other);
	partition_free(whole);
	dimensions_free(world->run.dimensions);
	world->run.dimensions = kept;
}

/* ---- Tests ---- */

static void restarts_at_random_instants_change_nothing(void **state)
{
	(void)state;
	struct world world;
	begin(&world);
	define_all(&world);
	for (unsigned i = 0; i < STEPS; i++) {
		happen(&world);
		for (uint64_t turns = seed_below(4); turns > 0; turns--)
			turn(&world);
		if (seed_below(60) == 0) {
			die(&world);
			start_again(&world);
		}
		if (seed_below(100) == 0)
			run_define(&world.run, world.now_ms, 7 + (uint32_t)seed_below(2), /* nobody refers to */
			           expressions[seed_below(3)]);
	}
	expect_uninterrupted(&world);
	finish_rounds(&world, 1);
	die(&world);
	start_again(&world);
	assert_true(world.after > 0);
	expect_uninterrupted(&world);
	done(&world);
}

static bool is_failing(const struct world *world)
{
	struct checkpoints_status status;
	checkpoints_status(world->checkpoints, &status);
	return status.failing;
}

/* Until a round has failed. */
static void fail_a_round(struct world *world, int error_number)
{
	faulty_disk_set(error_number, (int)seed_below(3));
	while (!is_failing(world)) {
		run_event(&world->run, 1, world->now_ms, world->now_ms, "Round", "{}", NULL);
		turn(world);
	}
	faulty_disk_set(0, 0);
}

/* Full, or broken, for a while, and perhaps killed meanwhile: what is loaded is whole. */
static void a_disk_that_fails_costs_a_checkpoint_and_nothing_else(void **state)
{
	(void)state;
	struct world world;
	begin(&world);
	define_all(&world);
	for (unsigned i = 0; i < STEPS; i++) {
		happen(&world);
		for (uint64_t turns = seed_below(4); turns > 0; turns--)
			turn(&world);
		if (seed_below(20) == 0)
			faulty_disk_set(seed_below(2) == 0 ? ENOSPC : EIO, (int)seed_below(12));
		if (seed_below(10) == 0)
			faulty_disk_set(0, 0);
		if (i % 300 == 299)
			fail_a_round(&world, i % 600 == 299 ? ENOSPC : EIO);
		if (seed_below(80) == 0) {
			die(&world);
			faulty_disk_set(0, 0);
			start_again(&world);
		}
	}
	faulty_disk_set(0, 0);
	finish_rounds(&world, 2);
	assert_false(is_failing(&world));
	expect_uninterrupted(&world);
	die(&world);
	start_again(&world);
	assert_true(world.after > 0);
	expect_uninterrupted(&world);
	done(&world);
}

static void a_checkpoint_is_resumed_from_its_own_position(void **state)
{
	(void)state;
	struct world world;
	begin(&world);
	define_all(&world);
	for (unsigned i = 0; i < 300; i++)
		happen(&world);
	finish_rounds(&world, 2);
	uint64_t position = world.run.partition->last_position;
	assert_int_equal(checkpoints_needed_after(world.checkpoints),
	                 manifest_of(&world, 1 - newest(&world))->position);
	die(&world);
	start_again(&world);
	assert_int_equal(world.after, position);
	expect_uninterrupted(&world);
	done(&world);
}

/* Flips a bit of a file at or behind `from`, before `to`. */
static void damage(const char *path, uint64_t from, uint64_t to)
{
	FILE *file = fopen(path, "r+");
	assert_non_null(file);
	long at = (long)(from + seed_below(to - from));
	fseek(file, at, SEEK_SET);
	int byte = fgetc(file);
	fseek(file, at, SEEK_SET);
	fputc(byte ^ 1 << seed_below(8), file);
	fclose(file);
}

static void damage_whole(const char *path)
{
	struct stat info;
	assert_int_equal(stat(path, &info), 0);
	damage(path, 0, (uint64_t)info.st_size);
}

static void damage_manifest(unsigned line)
{
	damage_whole(path_of(line == 0 ? "0000-a.manifest" : "0000-b.manifest"));
}

static void damage_block(const struct world *world, unsigned line)
{
	const struct checkpoint_manifest *manifest = manifest_of(world, line);
	const struct checkpoint_place    *place =
		&manifest->blocks.items[seed_below(manifest->blocks.count)].place;
	char path[CHECKPOINT_PATH_MAX];
	checkpoint_blocks_path(path, directory, 0, line, manifest->generation);
	damage(path, place->offset, place->offset + place->stored_bytes);
}

static void a_damaged_checkpoint_falls_back_to_the_one_before(void **state)
{
	(void)state;
	for (unsigned blocks = 0; blocks < 2; blocks++) {
		struct world              world;
		struct checkpoints_status status;
		begin(&world);
		define_all(&world);
		for (unsigned i = 0; i < 200; i++)
			happen(&world);
		finish_rounds(&world, 1);
		uint64_t position = world.run.partition->last_position;
		for (unsigned i = 0; i < 50; i++)
			happen(&world);
		finish_rounds(&world, 1);
		if (blocks)
			damage_block(&world, newest(&world));
		else
			damage_manifest(newest(&world));
		die(&world);
		start_again(&world);
		checkpoints_status(world.checkpoints, &status);
		assert_int_equal(status.damaged, 1);
		assert_int_equal(world.after, position);
		expect_uninterrupted(&world);
		finish_rounds(&world, 2);
		die(&world);
		start_again(&world);
		checkpoints_status(world.checkpoints, &status);
		assert_int_equal(status.damaged, 0);
		expect_uninterrupted(&world);
		done(&world);
		remove_directory(NULL);
		mkdir(directory, 0700);
	}
}

static void without_a_whole_checkpoint_everything_is_read_again_or_the_start_stops(void **state)
{
	(void)state;
	struct world world;
	struct error err = {0};
	begin(&world);
	define_all(&world);
	for (unsigned i = 0; i < 200; i++)
		happen(&world);
	finish_rounds(&world, 2);
	die(&world);
	damage_manifest(0);
	damage_manifest(1);
	world.run.partition = fresh(&world);
	assert_int_equal(load(&world, false, &err), STATUS_CORRUPT);
	assert_non_null(strstr(err.reason, "the journal does not reach back"));
	die(&world);
	start_again(&world);
	assert_int_equal(world.after, 0);
	expect_uninterrupted(&world);
	done(&world);
}

static void a_damaged_change_stream_comes_again_from_the_journal(void **state)
{
	(void)state;
	struct world world;
	begin(&world);
	define_all(&world);
	for (unsigned i = 0; i < 400; i++) {
		happen(&world);
		turn(&world);
	}
	finish_rounds(&world, 2);
	die(&world);
	damage_whole(path_of("0000.changes"));
	start_again(&world);
	expect_uninterrupted(&world);
	finish_rounds(&world, 2);
	die(&world);
	start_again(&world);
	expect_uninterrupted(&world);
	done(&world);
}

static void a_round_is_given_up_when_definitions_change(void **state)
{
	(void)state;
	struct world              world;
	struct checkpoints_status status;
	begin(&world);
	define_all(&world);
	for (unsigned i = 0; i < 200; i++)
		happen(&world);
	finish_rounds(&world, 1);
	uint32_t    segment = 1, version = 2;
	const char *expression = expressions[1];
	run_prepare(&world.run, world.now_ms, 1, &segment, &version, &expression);
	uint64_t before = rounds(&world);
	for (unsigned i = 0; i < 200; i++)
		turn(&world);
	assert_int_equal(rounds(&world), before);
	run_activate(&world.run, world.now_ms, 0, NULL);
	finish_rounds(&world, 1);
	die(&world);
	start_again(&world);
	expect_uninterrupted(&world);
	checkpoints_status(world.checkpoints, &status);
	assert_int_equal(status.damaged, 0);
	done(&world);
}

#define DIRECTORY_TEST(test) cmocka_unit_test_setup_teardown(test, new_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIRECTORY_TEST(a_disk_that_fails_costs_a_checkpoint_and_nothing_else),
		DIRECTORY_TEST(a_checkpoint_is_resumed_from_its_own_position),
		DIRECTORY_TEST(restarts_at_random_instants_change_nothing),
		DIRECTORY_TEST(a_damaged_checkpoint_falls_back_to_the_one_before),
		DIRECTORY_TEST(without_a_whole_checkpoint_everything_is_read_again_or_the_start_stops),
		DIRECTORY_TEST(a_damaged_change_stream_comes_again_from_the_journal),
		DIRECTORY_TEST(a_round_is_given_up_when_definitions_change),
	};
	seed_begin("checkpoint");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
