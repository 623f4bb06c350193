#include "query/query.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/instant.h"
#include "engine/apply/partition.h"
#include "engine/change/change_record.h"
#include "query/past.h"
#include "query/query_internal.h"
#include "query/sample.h"

static const char *const way_names[] = {
	[QUERY_BY_COLUMN]  = "column",
	[QUERY_BY_SEGMENT] = "segment",
	[QUERY_BY_SCAN]    = "scan",
	[QUERY_BY_PERSON]  = "person",
};

static const char *const part_names[] = {
	[QUERY_CONDITION] = "condition",
	[QUERY_BREAKDOWN] = "breakdown",
	[QUERY_REVENUE]   = "revenue",
};

const char *query_part_name(enum query_part part) { return part_names[part]; }

const char *query_way_name(enum query_way way) { return way_names[way]; }

/* ---- The end ---- */

/* The tree is planned by now. */
static void join_asked(struct query *query, const struct asker *asker)
{
	size_t count = query->tree.atoms.count;
	if (query->asked == NULL)
		query->asked = ARENA_ARRAY(&query->arena, struct query_step, count);
	for (uint32_t i = 0; i < count; i++) {
		struct query_step       *step = &query->asked[i];
		const struct asker_atom *atom = &asker->atoms[i];
		step->way                     = atom->way;
		step->persons += atom->persons;
		step->rows += asker_rows(asker, i);
		step->passed += atom->passed;
		step->took_ns += atom->took_ns;
		atomic_fetch_add(atom->way == QUERY_BY_SCAN ? &query->queries->persons_scanned
		                                            : &query->queries->persons_asked,
		                 atom->way == QUERY_BY_COLUMN ? 0 : atom->persons);
	}
}

static void join_visited(struct query *query, const struct visit *visit, unsigned dimension)
{
	unsigned dimensions = query->wish.dimension_count;
	unsigned place      = visit->dimension != NULL ? dimension : dimensions + (unsigned)visit->part;
	struct query_step *step = &query->visited[place];
	if (step->text.length == 0)
		step->text = visit_text(visit, query->revenue, &query->arena);
	step->part = visit->dimension != NULL ? QUERY_BREAKDOWN : QUERY_REVENUE;
	step->way  = visit_way(visit);
	step->persons += visit->persons;
	step->rows += visit->fold == NULL ? 0 : fold_rows(visit->fold);
	step->took_ns += visit->took_ns;
}

static void join_visits(struct query *query, const struct visits *visits)
{
	struct query_answer *answer     = &query->answer;
	unsigned             dimensions = query->wish.dimension_count;
	for (unsigned i = 0; i < visits->count; i++) {
		const struct visit *visit = &visits->items[i];
		join_visited(query, visit, i);
		if (i < dimensions)
			groups_merge(&query->groups[i], &visit->groups);
		else if (visit->part == REVENUE_ORDERS)
			answer->order_count += (uint64_t)visit->sum;
		else
			answer->revenue += visit->part == REVENUE_REFUNDED ? -visit->sum : visit->sum;
		answer->order_count += visit->count;
	}
}

void query_join(struct query *query, const struct query_answer *found, const struct asker *asker,
                const struct visits *visits)
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
	join_asked(query, asker);
	join_visits(query, visits);
	pthread_mutex_unlock(&query->lock);
}

static void add_step(struct query_answer *answer, const struct query_step *step)
{
	if (answer->step_count < QUERY_STEPS_MAX)
		answer->steps[answer->step_count++] = *step;
}

/* What is asked of a list or of the version that is compared with was not written: it is no
 * step. */
static void collect_steps(struct query *query)
{
	struct query_answer *answer = &query->answer;
	size_t               atoms  = query->asked == NULL ? 0 : query->tree.atoms.count;
	answer->steps               = ARENA_ARRAY(&query->arena, struct query_step, QUERY_STEPS_MAX);
	for (size_t i = 0; i < atoms; i++) {
		const struct expr *expr = query->tree.atoms.items[i].expr;
		struct buffer      text = {0};
		if (expr == NULL)
			continue;
		expr_write_text(&text, expr);
		query->asked[i].text = arena_text(&query->arena, buffer_text(&text));
		buffer_done(&text);
		add_step(answer, &query->asked[i]);
	}
	for (unsigned i = 0; i < VISITS_MAX; i++)
		if (query->visited[i].text.length > 0)
			add_step(answer, &query->visited[i]);
}

/* What only shares need. */
static void let_go(struct query *query)
{
	for (unsigned i = 0; i < QUERY_DIMENSIONS_MAX; i++)
		groups_done(&query->groups[i]);
	tree_done(&query->tree);
	plan_unref(query->plan);
	plan_unref(query->revenue);
	for (unsigned i = 0; i < query->wish.set_count; i++)
		member_list_unref(query->wish.lists[i]);
}

void query_part_is_over(struct query *query)
{
	if (atomic_fetch_sub(&query->left, 1) > 1)
		return;
	struct query_answer *answer = &query->answer;
	collect_steps(query);
	answer->dimension_count = query->wish.dimension_count;
	for (unsigned i = 0; i < answer->dimension_count; i++)
		answer->dimensions[i] = groups_largest(&query->groups[i], &query->arena);
	let_go(query);
	answer->took_ns = clock_monotonic_ns() - query->started_ns;
	atomic_fetch_sub(&query->queries->running, 1);
	query->wish.done(query->wish.context, query);
}

const struct query_answer *query_answer(const struct query *query) { return &query->answer; }

bool query_next_member(const struct query *query, uint32_t partition, uint32_t from_slot,
                       uint32_t *ret_slot)
{
	assert(query->wish.members && partition < query->queries->partition_count);
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
	uint32_t count = query->members == NULL ? 0 : query->queries->partition_count;
	for (uint32_t i = 0; i < count; i++)
		if (query->members[i] != NULL)
			roaring_bitmap_free(query->members[i]);
	free(query->members);
	pthread_mutex_destroy(&query->lock);
	arena_done(&query->arena);
	free(query);
}

/* ---- On the way ---- */

static struct past past_of(const struct query *query, int64_t now_ms)
{
	return (struct past){query->wish.as_of_ms, now_ms, engine_retention_ms(query->queries->engine)};
}

static bool uses_traits(const struct query *query)
{
	bool uses = false;
	for (size_t i = 0; i < query->tree.atoms.count; i++)
		uses |= query->tree.atoms.items[i].kind == NODE_TRAIT;
	for (unsigned i = 0; i < query->wish.dimension_count; i++)
		uses |= query->wish.dimensions[i].trait.length > 0;
	return uses;
}

/* Some of the year's orders are not kept any more. */
static bool lacks_revenue(const struct query *query, const struct past *past)
{
	return query->revenue != NULL &&
	       past_window_reaches_behind(past,
	                                  revenue_leaf(query->revenue, REVENUE_ORDERS)->span.within_ms);
}

enum status query_plan(struct query *query, struct partition *partition, int64_t now_ms)
{
	const struct past     past    = past_of(query, now_ms);
	const struct catalog *catalog = query->past ? &partition->catalog : NULL;
	enum status           status  = STATUS_OK;
	for (unsigned i = 0, rule = 0; i < query->wish.set_count && status == STATUS_OK; i++)
		if (query->wish.lists[i] != NULL)
			tree_add_list(&query->tree, query->wish.lists[i]);
		else
			status = tree_add_rule(&query->tree, query->plan, rule++, catalog);
	if (query->wish.compared != 0)
		tree_add_segment(&query->tree, query->wish.compared);
	query->answer.exact = !query->past || (!uses_traits(query) && !lacks_revenue(query, &past));
	if (status != STATUS_OK)
		return status;
	return query->past && past_tree_reaches_behind(&past, &query->tree) ? STATUS_INVALID
	                                                                    : STATUS_OK;
}

static void begin(struct engine_read *read, struct view *view)
{
	share_begin((struct query *)read, view);
}

static void all_begun(struct engine_read *read, enum status status, const struct error *err)
{
	struct query *query = (struct query *)read;
	(void)err;
	pthread_mutex_lock(&query->lock);
	query->answer.as_of_ms = query->past ? query->wish.as_of_ms : read->as_of_ms;
	if (status != STATUS_OK) {
		query->answer.status = status;
		atomic_store(&query->broken, true);
	}
	pthread_mutex_unlock(&query->lock);
	query_part_is_over(query);
}

/* ---- The begin ---- */

static enum status compile(const struct queries *queries, const struct query_wish *wish,
                           struct plan **ret_plan, struct error *err)
{
	struct buffer        body                  = {0};
	struct change_rule   rules[QUERY_SETS_MAX] = {0};
	struct change_record record                = {.rules = rules};
	for (unsigned i = 0; i < wish->set_count; i++)
		if (wish->lists[i] == NULL)
			rules[record.rule_count++].canonical = wish->sets[i];
	change_record_write_prepare(&body, &record);
	enum status status =
		plan_compile(buffer_text(&body), engine_retention_ms(queries->engine), ret_plan, err);
	buffer_done(&body);
	return status;
}

/* Texts are copied, lists referred to. */
static void keep_wish(struct query *query)
{
	struct query_wish *wish  = &query->wish;
	struct arena      *arena = &query->arena;
	for (unsigned i = 0, rule = 0; i < wish->set_count; i++)
		if (wish->lists[i] != NULL)
			member_list_ref(wish->lists[i]);
		else
			wish->sets[i] = query->plan->rules[rule++].canonical;
	for (unsigned i = 0; i < wish->dimension_count; i++) {
		struct query_dimension *dimension = &wish->dimensions[i];
		dimension->trait                  = arena_text(arena, dimension->trait);
		dimension->event                  = arena_text(arena, dimension->event);
		dimension->property               = arena_text(arena, dimension->property);
	}
}

static struct query *query_new(struct queries *queries, const struct query_wish *wish,
                               struct plan *plan)
{
	struct query *query = calloc(1, sizeof *query);
	if (query == NULL)
		abort();
	query->queries    = queries;
	query->wish       = *wish;
	query->plan       = plan;
	query->past       = wish->as_of_ms != INSTANT_MS_NONE;
	query->started_ns = clock_monotonic_ns();
	query->read =
		(struct engine_read){.run = begin, .done = all_begun, .min_position = wish->min_position};
	if (wish->order_event.length > 0)
		query->revenue = revenue_plan(wish->order_event, wish->refund_event,
		                              engine_retention_ms(queries->engine));
	if (wish->members) {
		query->members = calloc(queries->partition_count, sizeof *query->members);
		if (query->members == NULL)
			abort();
	}
	arena_init(&query->arena);
	keep_wish(query);
	pthread_mutex_init(&query->lock, NULL);
	atomic_store(&query->left, 1);
	tree_init(&query->tree);
	for (unsigned i = 0; i < QUERY_DIMENSIONS_MAX; i++)
		groups_init(&query->groups[i]);
	return query;
}

static bool reaches_behind(const struct past *past, const struct query *query)
{
	bool behind = false;
	for (unsigned i = 0; i < query->wish.dimension_count; i++)
		behind |= query->wish.dimensions[i].trait.length == 0 &&
		          past_window_reaches_behind(past, query->wish.dimensions[i].within_ms);
	for (uint32_t i = 0; i < query->plan->leaf_count; i++) {
		const struct plan_leaf *leaf = &query->plan->leaves[i];
		behind |= past_reaches_behind(past, leaf, &query->plan->features[leaf->feature]);
	}
	return behind;
}

static enum status check_past(const struct query *query, struct error *err)
{
	const struct past past = past_of(query, engine_now_ms(query->queries->engine));
	if (past.as_of_ms > past.now_ms)
		return error_set_field(err, STATUS_INVALID, "as_of", "It lies in the future");
	if (reaches_behind(&past, query))
		return error_set_field(err, STATUS_INVALID, "as_of",
		                       "A window of it reaches behind the retention, to events that are "
		                       "not kept any more");
	return STATUS_OK;
}

/* Who asks for it asks again. Without room orders are folded each time. */
static void keep_revenue(struct queries *queries, const struct query_wish *wish)
{
	struct error err;
	enum status  status = STATUS_OK;
	if (wish->order_event.length > 0)
		status = queries_keep_revenue(queries, wish->order_event, wish->refund_event, &err);
	(void)status;
}

enum status query_start(struct queries *queries, const struct query_wish *wish,
                        struct query **ret_query, struct error *err)
{
	assert(wish->set_count >= 1 && wish->set_count <= QUERY_SETS_MAX);
	assert(wish->sample_count <= QUERY_SAMPLE_MAX);
	assert(wish->dimension_count <= QUERY_DIMENSIONS_MAX);
	assert(wish->as_of_ms == INSTANT_MS_NONE || wish->compared == 0);
	struct plan *plan;
	enum status  status = compile(queries, wish, &plan, err);
	if (status != STATUS_OK)
		return status;
	keep_revenue(queries, wish);
	struct query *query = query_new(queries, wish, plan);
	if (query->past && (status = check_past(query, err)) != STATUS_OK) {
		let_go(query);
		query_free(query);
		return status;
	}
	atomic_fetch_add(&queries->started, 1);
	atomic_fetch_add(&queries->running, 1);
	*ret_query = query;
	engine_read_all(queries->engine, &query->read);
	return STATUS_OK;
}
