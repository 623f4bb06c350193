#include "model/sequence.h"

#include <assert.h>
#include <string.h>

struct sequence *sequence_compile(const struct expr_sequence *expr, int64_t retention_ms,
                                  struct arena *arena)
{
	struct sequence *sequence = ARENA_NEW(arena, struct sequence);
	sequence->step_count      = expr->step_count;
	sequence->within_ms       = expr->within_ms == 0 ? INSTANT_MS_NEVER : expr->within_ms;
	sequence->ended_within_ms =
		expr->ended_within_ms == 0 ? INSTANT_MS_NEVER : expr->ended_within_ms;
	sequence->retention_ms = retention_ms;
	for (unsigned i = 0; i < expr->step_count; i++) {
		const struct expr_step *step = &expr->steps[i];
		bool                    any  = text_equal(step->name, TEXT("*"));
		sequence->steps[i].name      = any ? (struct text){0} : arena_text(arena, step->name);
		sequence->steps[i].where     = evaluate_compile_where(step->where, arena);
		sequence->relative           = sequence->relative || expr_where_is_relative(step->where);
	}
	return sequence;
}

static bool has_name(const struct sequence_step *step, struct text name)
{
	return step->name.length == 0 || text_equal(step->name, name);
}

uint32_t sequence_steps(const struct sequence *sequence, struct text name, struct text properties,
                        struct text context, int64_t now_ms)
{
	uint32_t steps = 0;
	for (unsigned i = 0; i < sequence->step_count; i++) {
		const struct sequence_step *step = &sequence->steps[i];
		if (has_name(step, name) && evaluate_where(step->where, properties, context, now_ms))
			steps |= UINT32_C(1) << i;
	}
	return steps;
}

int64_t sequence_steps_next_ms(const struct sequence *sequence, struct text name,
                               struct text properties, struct text context, int64_t now_ms)
{
	int64_t next_ms = INSTANT_MS_NEVER;
	for (unsigned i = 0; sequence->relative && i < sequence->step_count; i++) {
		const struct sequence_step *step = &sequence->steps[i];
		if (!has_name(step, name))
			continue;
		int64_t change_ms = evaluate_where_next_ms(step->where, properties, context, now_ms);
		if (change_ms < next_ms)
			next_ms = change_ms;
	}
	return next_ms;
}

void sequence_begin(struct sequence_run *run)
{
	for (unsigned i = 0; i < EXPR_STEPS_MAX - 1; i++)
		run->starts_ms[i] = INSTANT_MS_NONE;
	run->first_ms = run->last_ms = INSTANT_MS_NONE;
}

void sequence_add(const struct sequence *sequence, struct sequence_run *run, int64_t time_ms,
                  uint32_t steps)
{
	unsigned last = sequence->step_count - 1;
	for (unsigned i = last; i > 0; i--) {
		int64_t start_ms = run->starts_ms[i - 1];
		if ((steps & UINT32_C(1) << i) == 0 || start_ms == INSTANT_MS_NONE)
			continue;
		if (i < last) {
			run->starts_ms[i] = start_ms;
		} else if (time_ms - start_ms < sequence->within_ms) {
			run->first_ms = start_ms;
			run->last_ms  = time_ms;
		}
	}
	if ((steps & 1) != 0)
		run->starts_ms[0] = time_ms;
}

/* When the retention ends it. */
static int64_t forgotten_ms(const struct sequence *sequence, int64_t time_ms)
{
	return sequence->retention_ms == INSTANT_MS_NEVER
	           ? INSTANT_MS_NEVER
	           : instant_floor_day_ms(time_ms) + sequence->retention_ms;
}

int64_t sequence_end_ms(const struct sequence *sequence, const struct sequence_run *run)
{
	if (run->last_ms == INSTANT_MS_NONE)
		return INSTANT_MS_NONE;
	int64_t end_ms = forgotten_ms(sequence, run->first_ms);
	if (sequence->ended_within_ms == INSTANT_MS_NEVER ||
	    end_ms < run->last_ms + sequence->ended_within_ms)
		return end_ms;
	return run->last_ms + sequence->ended_within_ms;
}

/* The next flip if every event goes on to match what it matches now. `run` has met those that are
 * not of the future. */
static int64_t next_flip_ms(const struct sequence *sequence, struct sequence_run *run,
                            const struct sequence_event *future, size_t count, int64_t now_ms)
{
	int64_t end_ms = sequence_end_ms(sequence, run);
	bool    holds  = now_ms < end_ms;
	for (size_t i = 0; i < count; i++) {
		int64_t time_ms = future[i].time_ms;
		if (holds && time_ms > end_ms)
			return end_ms;
		sequence_add(sequence, run, time_ms, future[i].steps);
		end_ms = sequence_end_ms(sequence, run);
		if (!holds && time_ms < end_ms)
			return time_ms;
	}
	return holds ? end_ms : INSTANT_MS_NEVER;
}

bool sequence_holds(const struct sequence *sequence, const struct sequence_event *events,
                    size_t count, int64_t now_ms, int64_t *ret_next_ms)
{
	struct sequence_run run;
	int64_t             change_ms = INSTANT_MS_NEVER;
	size_t              present   = 0;
	sequence_begin(&run);
	for (size_t i = 0; i < count; i++) {
		assert(i == 0 || events[i].time_ms >= events[i - 1].time_ms);
		if (forgotten_ms(sequence, events[i].time_ms) <= now_ms) {
			present = i + 1;
			continue;
		}
		if (events[i].change_ms < change_ms)
			change_ms = events[i].change_ms;
		if (events[i].time_ms > now_ms)
			continue;
		sequence_add(sequence, &run, events[i].time_ms, events[i].steps);
		present = i + 1;
	}

	bool    holds   = now_ms < sequence_end_ms(sequence, &run);
	int64_t flip_ms = next_flip_ms(sequence, &run, events + present, count - present, now_ms);
	*ret_next_ms    = flip_ms < change_ms ? flip_ms : change_ms;
	return holds;
}
