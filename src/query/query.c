#include "query/query.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/instant.h"
#include "engine/change/change_record.h"
#include "query/query_internal.h"
#include "query/sample.h"

static const char *const way_names[] = {
	[QUERY_BY_COLUMN]  = "column",
	[QUERY_BY_SEGMENT] = "segment",
	[QUERY_BY_SCAN]    = "scan",
	[QUERY_BY_PERSON]  = "person",
};

const char *query_way_name(enum query_way way) { return way_names[way]; }

/* ---- The end ---- */

static void join_steps(struct query *query, const struct asker *asker)
{
	struct query_answer *answer = &query->answer;
	if (answer->steps == NULL) {
		while (answer->step_count < QUERY_STEPS_MAX &&
		       answer->step_count < query->tree.atoms.count &&
		       query->tree.atoms.items[answer->step_count].expr != NULL)
			answer->step_count++;
		answer->steps = ARENA_ARRAY(&query->arena, struct query_step, answer->step_count);
	}
	for (unsigned i = 0; i < answer->step_count; i++) {
		struct query_step       *step = &answer->steps[i];
		const struct asker_atom *atom = &asker->atoms[i];
		step->way                     = atom->way;
		step->persons += atom->persons;
		step->rows += atom->rows;
		step->passed += atom->passed;
		step->took_ns += atom->took_ns;
	}
}

void query_join(struct query *query, const struct query_answer *found, const struct asker *asker)
{
	struct query_answer *answer = &query->answer;
	const uint32_t       limit  = query->wish.sample_count;
	if (found->status != STATUS_OK)
		atomic_store(&query->broken, true);
	pthread_mutex_lock(&query->lock);
	if (answer->status == STATUS_OK) /* the first failure says why */
		answer->status = found->status;
	answer->person_count += found->person_count;
	answer->size += found->size;
	answer->live_size += found->live_size;
	answer->entering += found->entering;
	answer->leaving += found->leaving;
	answer->compared |= found->compared;
	for (unsigned i = 0; i < 1 << QUERY_SETS_MAX; i++)
		answer->regions[i] += found->regions[i];
	sample_merge(&answer->members, &found->members, limit);
	sample_merge(&answer->enterers, &found->enterers, limit);
	sample_merge(&answer->leavers, &found->leavers, limit);
	join_steps(query, asker);
	pthread_mutex_unlock(&query->lock);
}

static void write_steps(struct query *query)
{
	for (unsigned i = 0; i < query->answer.step_count; i++) {
		struct buffer text = {0};
		expr_write_text(&text, query->tree.atoms.items[i].expr);
		query->answer.steps[i].text = arena_text(&query->arena, buffer_text(&text));
		buffer_done(&text);
	}
}

void query_part_is_over(struct query *query)
{
	if (atomic_fetch_sub(&query->left, 1) > 1)
		return;
	write_steps(query);
	query->answer.took_ns = clock_monotonic_ns() - query->started_ns;
	atomic_fetch_sub(&query->queries->running, 1);
	query->wish.done(query->wish.context, query);
}

const struct query_answer *query_answer(const struct query *query) { return &query->answer; }

bool query_next_member(const struct query *query, uint32_t partition, uint32_t from_slot,
                       uint32_t *ret_slot)
{
	assert(query->wish.members && partition < query->partition_count);
	roaring_uint32_iterator_t at;
	if (query->members[partition] == NULL)
		return false;
	roaring_init_iterator(query->members[partition], &at);
	if (!roaring_move_uint32_iterator_equalorlarger(&at, from_slot))
		return false;
	*ret_slot = at.current_value;
	return true;
}

void query_free(struct query *query)
{
	for (uint32_t i = 0; query->members != NULL && i < query->partition_count; i++)
		if (query->members[i] != NULL)
			roaring_bitmap_free(query->members[i]);
	free(query->members);
	tree_done(&query->tree);
	plan_unref(query->plan);
	pthread_mutex_destroy(&query->lock);
	arena_done(&query->arena);
	free(query);
}

/* ---- The begin ---- */

static void begin(struct engine_read *read, struct view *view)
{
	share_begin((struct query *)read, view);
}

static void all_begun(struct engine_read *read, enum status status, const struct error *err)
{
	struct query *query = (struct query *)read;
	(void)err;
	pthread_mutex_lock(&query->lock);
	query->answer.as_of_ms = read->as_of_ms;
	if (status != STATUS_OK) {
		query->answer.status = status;
		atomic_store(&query->broken, true);
	}
	pthread_mutex_unlock(&query->lock);
	query_part_is_over(query);
}

static enum status compile(struct queries *queries, const struct query_wish *wish,
                           struct plan **ret_plan, struct error *err)
{
	struct buffer        body                  = {0};
	struct change_rule   rules[QUERY_SETS_MAX] = {0};
	struct change_record record                = {.rule_count = wish->set_count, .rules = rules};
	for (unsigned i = 0; i < wish->set_count; i++)
		rules[i].canonical = wish->sets[i];
	change_record_write_prepare(&body, &record);
	enum status status =
		plan_compile(buffer_text(&body), engine_retention_ms(queries->engine), ret_plan, err);
	buffer_done(&body);
	return status;
}

static struct query *query_new(struct queries *queries, const struct query_wish *wish,
                               struct plan *plan)
{
	struct query *query = calloc(1, sizeof *query);
	if (query == NULL)
		abort();
	query->queries         = queries;
	query->wish            = *wish;
	query->plan            = plan;
	query->started_ns      = clock_monotonic_ns();
	query->partition_count = engine_partition_count(queries->engine);
	if (wish->members) {
		query->members = calloc(query->partition_count, sizeof *query->members);
		if (query->members == NULL)
			abort();
	}
	query->read =
		(struct engine_read){.run = begin, .done = all_begun, .min_position = wish->min_position};
	arena_init(&query->arena);
	pthread_mutex_init(&query->lock, NULL);
	atomic_store(&query->left, 1);
	tree_init(&query->tree);
	for (unsigned i = 0; i < wish->set_count; i++)
		tree_add_rule(&query->tree, plan, i, NULL);
	if (wish->compared != 0)
		tree_add_segment(&query->tree, wish->compared);
	return query;
}

enum status query_start(struct queries *queries, const struct query_wish *wish,
                        struct query **ret_query, struct error *err)
{
	assert(wish->set_count >= 1 && wish->set_count <= QUERY_SETS_MAX);
	assert(wish->sample_count <= QUERY_SAMPLE_MAX);
	struct plan *plan;
	enum status  status = compile(queries, wish, &plan, err);
	if (status != STATUS_OK)
		return status;
	struct query *query = query_new(queries, wish, plan);
	atomic_fetch_add(&queries->started, 1);
	atomic_fetch_add(&queries->running, 1);
	*ret_query = query;
	engine_read_all(queries->engine, &query->read);
	return STATUS_OK;
}
