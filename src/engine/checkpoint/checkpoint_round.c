/* The partition's side of a checkpoint: what of it is written when. */

#include "engine/checkpoint/checkpoint_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/checkpoint/checkpoint_catalog.h"

enum {
	FILE_BYTES_MIN  = 1 << 20, /* a blocks' file that is smaller is not begun anew */
	FILE_TIMES_MAX  = 2,       /* as large as what of it is in use: then it is */
	WAIT_MS         = 1,       /* for the writer */
	WAIT_MS_MAX     = 1000,
	FLUSH_POSITIONS = 200000, /* that a start may have to read for the stored events' sake */
};

/* ---- Begin ---- */

/* Bytes of the line's file that its newest manifest names. */
static uint64_t used_bytes(const struct checkpoint_manifest *manifest)
{
	uint64_t bytes = manifest->definitions.stored_bytes + manifest->names.stored_bytes;
	for (size_t i = 0; i < manifest->blocks.count; i++)
		bytes += manifest->blocks.items[i].place.stored_bytes;
	return bytes;
}

static bool is_worn(const struct checkpoint_line *line)
{
	return !line->exists || line->outdated ||
	       (line->manifest.file_bytes > FILE_BYTES_MIN &&
	        line->manifest.file_bytes > FILE_TIMES_MAX * used_bytes(&line->manifest));
}

static void add_part(struct partition_checkpoint *target, enum checkpoint_job_kind kind,
                     uint32_t block, struct buffer *bytes)
{
	struct checkpoint_job *job = checkpoint_job_new(target, kind);
	job->block                 = block;
	job->bytes                 = *bytes;
	checkpoint_writer_add(target->owner, job);
}

static void add_definitions(struct partition_checkpoint *target, const struct checkpoint_line *line)
{
	const struct partition *partition = target->partition;
	struct buffer           bytes     = {0};
	if (!target->full && line->manifest.last_change_id == partition->last_change_id) {
		target->next.definitions = line->manifest.definitions;
		return;
	}
	checkpoint_catalog_write(&partition->catalog, &bytes);
	add_part(target, JOB_DEFINITIONS, 0, &bytes);
}

static void copy_future(struct future *to, const struct future *from)
{
	for (size_t i = 0; i < from->count; i++)
		future_add(to, from->items[i]);
}

/* The blocks that the line has already stay where they are. */
static void begin_blocks(struct partition_checkpoint *target, const struct checkpoint_line *line)
{
	const struct profiles *profiles = &target->partition->profiles;
	uint32_t count = (profiles->slot_count + PROFILES_PER_BLOCK - 1) / PROFILES_PER_BLOCK;
	for (uint32_t i = 0; i < count; i++) {
		struct checkpoint_block block = {.position = target->next.position};
		if (!target->full && i < line->manifest.blocks.count)
			block.place = line->manifest.blocks.items[i].place;
		VECTOR_ADD(&target->next.blocks, block);
	}
}

/* A start reads what the stored events' parts lack, however far the checkpoint reaches. */
static void flush_events(const struct partition *partition, uint64_t through)
{
	if (through > events_through(partition->events) + FLUSH_POSITIONS)
		(void)events_flush(partition->events, through); /* the next round's start profits */
}

static void begin(struct partition_checkpoint *target, uint64_t through, int64_t now_ns)
{
	struct partition *partition        = target->partition;
	unsigned          newest           = checkpoint_newest_line(target);
	target->line                       = newest == 0 ? 1 : 0;
	const struct checkpoint_line *line = &target->lines[target->line];
	target->full                       = is_worn(line);
	target->running                    = true;
	/* A start reads the journal from what no part holds. */
	(void)events_flush(partition->events, through);
	target->ending        = false;
	target->cursor        = 0;
	target->began_ns      = now_ns;
	target->written.count = 0;
	atomic_store(&target->outcome, OUTCOME_NONE);
	target->next = (struct checkpoint_manifest){
		.round          = newest == CHECKPOINT_LINES ? 1 : target->lines[newest].manifest.round + 1,
		.retention_ms   = partition->retention_ms,
		.generation     = line->manifest.generation + target->full,
		.file_bytes     = target->full ? 0 : line->manifest.file_bytes,
		.position       = through > partition->last_position ? through : partition->last_position,
		.clock_ms       = atomic_load(&partition->clock_ms),
		.first_change   = partition->changes.count,
		.last_change_id = partition->last_change_id,
	};
	flush_events(partition, target->next.position);
	copy_future(&target->next.future, &partition->future);
	begin_blocks(target, line);
	add_definitions(target, line);
	struct buffer names = {0};
	names_save(&partition->names, &names);
	facts_save(&partition->facts, &names);
	merge_save(&partition->merges, &names);
	enrichment_save(&partition->enrichment, &names);
	target->dimension_number = enrichment_number(&partition->enrichment, UINT64_MAX);
	add_part(target, JOB_NAMES, 0, &names);
}

/* Whether something happened since the newest checkpoint, or there is no second one. */
static bool is_new(const struct partition_checkpoint *target, uint64_t through)
{
	unsigned newest = checkpoint_newest_line(target);
	if (newest == CHECKPOINT_LINES || !target->lines[1 - newest].exists)
		return true;
	const struct checkpoint_manifest *manifest = &target->lines[newest].manifest;
	return through > manifest->position ||
	       manifest->change_count != target->partition->changes.count;
}

static bool may_begin(const struct partition_checkpoint *target, uint64_t through)
{
	const struct partition *partition = target->partition;
	return partition->changes.file != NULL && partition->builds == NULL &&
	       partition->merges.arriving.count == 0 && !partition->resume.active &&
	       partition->changes.count >= partition->changes.stored && through > 0 &&
	       is_new(target, through);
}

/* ---- Blocks ---- */

static uint8_t mark_of(const struct partition_checkpoint *target)
{
	return (uint8_t)(1 << target->line);
}

/* A block into which persons came since the begin lies behind the list; it is new, so that all of
 * its records are behind the begin. */
static bool is_wanted(const struct partition_checkpoint *target, uint32_t block)
{
	const struct profiles *profiles = &target->partition->profiles;
	return profiles->blocks[block] != NULL &&
	       (target->full || (profiles->changed[block] & mark_of(target)) != 0);
}

static void write_block(struct partition_checkpoint *target, uint32_t block, uint64_t through)
{
	struct partition *partition = target->partition;
	struct buffer     bytes     = {0};
	checkpoint_block_write(partition, block, &target->marks, &bytes);
	partition->profiles.changed[block] &= (uint8_t)~mark_of(target);
	VECTOR_ADD(&target->written, block);
	target->next.blocks.items[block].position =
		through > partition->last_position ? through : partition->last_position;
	add_part(target, JOB_BLOCK, block, &bytes);
}

/* ---- End ---- */

static void end(struct partition_checkpoint *target)
{
	const struct partition     *partition = target->partition;
	const struct changes       *changes   = &partition->changes;
	struct checkpoint_manifest *next      = &target->next;
	while (changes->handed < changes->count)
		checkpoint_hand_out_changes(target);
	next->end_position = partition->last_position;
	next->end_ordinal  = partition->ordinal;
	next->end_clock_ms = atomic_load(&partition->clock_ms);
	next->change_count = changes->count;
	for (size_t i = 0; i < changes->spans.count; i++)
		VECTOR_ADD(&next->spans, changes->spans.items[i]);
	target->ending = true;
	checkpoint_writer_add(target->owner, checkpoint_job_new(target, JOB_FINISH));
}

static void abandon(struct partition_checkpoint *target)
{
	target->ending = true;
	checkpoint_writer_add(target->owner, checkpoint_job_new(target, JOB_ABANDON));
}

/* The writer is done with the round. */
static void close_round(struct partition_checkpoint *target, bool done)
{
	struct checkpoints     *checkpoints = target->owner;
	struct checkpoint_line *line        = &target->lines[target->line];
	struct profiles        *profiles    = &target->partition->profiles;
	if (done) {
		checkpoint_manifest_done(&line->manifest);
		line->manifest = target->next;
		line->exists   = true;
		line->outdated = false;
		atomic_fetch_add(&checkpoints->rounds, 1);
		atomic_store(&checkpoints->duration_ms,
		             (clock_monotonic_ns() - target->began_ns) / 1000000);
		checkpoint_publish(target);
	} else {
		/* The file of a full round may be begun already: the line is what it was all the same. */
		for (size_t i = 0; i < target->written.count; i++)
			profiles->changed[target->written.items[i]] |= mark_of(target);
		checkpoint_manifest_done(&target->next);
		atomic_fetch_add(&checkpoints->rounds_failed, 1);
	}
	target->next    = (struct checkpoint_manifest){0};
	target->running = false;
	target->due_ns  = target->began_ns + checkpoints->config.interval_ms * 1000000;
}

/* ---- Turns ---- */

/* Whether definitions have changed since the begin, or are about to. */
static bool is_spoilt(const struct partition_checkpoint *target)
{
	return target->partition->builds != NULL ||
	       target->partition->last_change_id != target->next.last_change_id;
}

/* Goes on with a round until `until_ns`; false: it waits for the writer. */
static bool go_on(struct partition_checkpoint *target, uint64_t through, int64_t until_ns)
{
	struct checkpoints *checkpoints = target->owner;
	while (target->cursor < target->next.blocks.count) {
		if (is_spoilt(target)) {
			abandon(target);
			return false;
		}
		if (!is_wanted(target, target->cursor)) {
			target->cursor++;
			continue;
		}
		if (atomic_load(&checkpoints->queued_bytes) >= CHECKPOINT_QUEUE_BYTES_MAX)
			return false;
		write_block(target, target->cursor++, through);
		if (clock_monotonic_ns() >= until_ns)
			return true;
	}
	if (is_spoilt(target))
		abandon(target);
	else if (clock_monotonic_ns() >= target->spills_after_ns)
		end(target);
	return false;
}

/* Returns in how many ms it wants to be called again. */
static int64_t turn_partition(struct partition_checkpoint *target, uint64_t through, int64_t now_ns,
                              int64_t until_ns)
{
	if (target->running && target->ending) {
		int outcome = atomic_load(&target->outcome);
		if (outcome == OUTCOME_NONE)
			return WAIT_MS;
		close_round(target, outcome == OUTCOME_DONE);
	}
	if (!target->running && now_ns >= target->due_ns) {
		if (may_begin(target, through)) {
			begin(target, through, now_ns);
			return 0; /* that is a slice of its own */
		}
		target->due_ns = now_ns + target->owner->config.interval_ms * 1000000;
	}
	if (target->running)
		return target->ending || !go_on(target, through, until_ns) ? WAIT_MS : 0;
	int64_t wait_ms = (target->due_ns - now_ns) / 1000000 + 1;
	return wait_ms < WAIT_MS_MAX ? wait_ms : WAIT_MS_MAX;
}

/* Whose turn it is: the one under way, else the one that waits longest. */
static struct partition_checkpoint *whose_turn(struct checkpoints      *checkpoints,
                                               struct partition *const *partitions, uint32_t count,
                                               int64_t now_ns)
{
	struct partition_checkpoint *found = NULL;
	for (uint32_t i = 0; i < count; i++) {
		struct partition_checkpoint *target = &checkpoints->partitions[partitions[i]->number];
		checkpoint_spill(target, now_ns);
		if (target->running)
			found = target;
		else if (found == NULL || (!found->running && target->due_ns < found->due_ns))
			found = target;
	}
	return found;
}

int64_t checkpoint_turn(struct checkpoints *checkpoints, struct partition *const *partitions,
                        uint32_t count, uint64_t through)
{
	int64_t                      now_ns   = clock_monotonic_ns();
	int64_t                      until_ns = now_ns + checkpoints->config.slice_us * 1000;
	struct partition_checkpoint *target   = whose_turn(checkpoints, partitions, count, now_ns);
	int64_t                      wait_ms  = turn_partition(target, through, now_ns, until_ns);
	int64_t                      took_us  = (clock_monotonic_ns() - now_ns) / 1000;
	if (took_us > atomic_load(&checkpoints->pause_us_max))
		atomic_store(&checkpoints->pause_us_max, took_us);
	return wait_ms;
}
