#include "model/expr_internal.h"
#include "model/rules.h"

/* What each aggregate asks for (rule 2). */
static const struct {
	bool              takes_property;
	enum expr_subject subject;
} aggregates[EXPR_AGGREGATE_COUNT] = {
	[EXPR_COUNT]            = {false, EXPR_SUBJECT_COUNT},
	[EXPR_SUM]              = {true, EXPR_SUBJECT_SUM},
	[EXPR_AVG]              = {true, EXPR_SUBJECT_AVERAGE},
	[EXPR_MIN]              = {true, EXPR_SUBJECT_NUMBER},
	[EXPR_MAX]              = {true, EXPR_SUBJECT_NUMBER},
	[EXPR_DISTINCT]         = {true, EXPR_SUBJECT_COUNT},
	[EXPR_FIRST]            = {true, EXPR_SUBJECT_VALUE},
	[EXPR_LAST]             = {true, EXPR_SUBJECT_VALUE},
	[EXPR_DAYS_SINCE_LAST]  = {false, EXPR_SUBJECT_DAYS},
	[EXPR_DAYS_SINCE_FIRST] = {false, EXPR_SUBJECT_DAYS},
};

bool expr_takes_property(enum expr_aggregate aggregate)
{
	return aggregates[aggregate].takes_property;
}

static enum status read_aggregate(struct expr_parser *parser, struct json object,
                                  const struct expr_place *place,
                                  enum expr_aggregate     *ret_aggregate)
{
	struct json value = json_get(object, "aggregate");
	if (json_type(value) == JSON_NONE) {
		*ret_aggregate = EXPR_COUNT;
		return STATUS_OK;
	}
	if (json_type(value) != JSON_STRING)
		return expr_refuse(parser, STATUS_INVALID, place, "aggregate", "must be a string");

	for (enum expr_aggregate a = 0; a < EXPR_AGGREGATE_COUNT; a++) {
		if (!text_equal(json_string(value), text_of(expr_aggregate_name(a))))
			continue;
		*ret_aggregate = a;
		return STATUS_OK;
	}
	return expr_refuse(parser, STATUS_INVALID, place, "aggregate",
	                   "unknown aggregate: known are count, sum, avg, min, max, distinct, first, "
	                   "last, days_since_last, days_since_first");
}

static enum status read_property(struct expr_parser *parser, struct json object,
                                 const struct expr_place *place, struct expr_event *event)
{
	if (aggregates[event->aggregate].takes_property)
		return expr_read_name(parser, object, place, "property", &event->property);
	if (json_type(json_get(object, "property")) != JSON_NONE)
		return expr_refuse(parser, STATUS_INVALID, place, "property", "%s takes no property",
		                   expr_aggregate_name(event->aggregate));
	return STATUS_OK;
}

/* Of what is personal only its presence is known, and only first and last can ask for that. */
static enum status check_property(struct expr_parser *parser, const struct expr_place *place,
                                  const struct expr_event *event)
{
	bool of_values = aggregates[event->aggregate].subject == EXPR_SUBJECT_VALUE;
	if (!aggregates[event->aggregate].takes_property ||
	    (of_values && expr_asks_for_presence(event->test.op)))
		return STATUS_OK;
	return expr_check_property(parser, place, of_values ? "op" : "property", event->property);
}

static enum status read_between(struct expr_parser *parser, struct json value,
                                const struct expr_place *place, struct expr_event *event)
{
	if (json_type(value) != JSON_ARRAY || json_count(value) != 2)
		return expr_refuse(parser, STATUS_INVALID, place, NULL, "must be an array of two instants");
	int64_t              ms[2];
	struct text          text[2];
	unsigned             count    = 0;
	struct json_iterator iterator = json_iterate(value);
	for (; json_next(&iterator); count++) {
		struct expr_place item = {place->parent, place->name, count};
		enum status       status =
			expr_read_instant(parser, iterator.value, &item, &ms[count], &text[count]);
		if (status != STATUS_OK)
			return status;
	}
	if (ms[0] >= ms[1])
		return expr_refuse(parser, STATUS_INVALID, place, NULL,
		                   "the first instant must be before the second");
	event->from_ms   = ms[0];
	event->to_ms     = ms[1];
	event->from_text = text[0];
	event->to_text   = text[1];
	return STATUS_OK;
}

static enum status read_span(struct expr_parser *parser, struct json object,
                             const struct expr_place *place, struct expr_event *event)
{
	struct json       within        = json_get(object, "within");
	struct json       until         = json_get(object, "until");
	struct json       between       = json_get(object, "between");
	struct expr_place within_place  = {place, TEXT("within"), -1};
	struct expr_place until_place   = {place, TEXT("until"), -1};
	struct expr_place between_place = {place, TEXT("between"), -1};
	bool              has_within    = json_type(within) != JSON_NONE;
	bool              has_until     = json_type(until) != JSON_NONE;
	enum status       status        = STATUS_OK;

	if (json_type(between) != JSON_NONE) {
		if (has_within || has_until)
			return expr_refuse(parser, STATUS_INVALID, &between_place, NULL,
			                   "cannot stand together with %s", has_within ? "within" : "until");
		return read_between(parser, between, &between_place, event);
	}
	if (has_within)
		status = expr_read_duration(parser, within, &within_place, &event->within_ms);
	if (status == STATUS_OK && has_until)
		status = expr_read_duration(parser, until, &until_place, &event->until_ms);
	if (status == STATUS_OK && has_within && event->until_ms >= event->within_ms)
		status =
			expr_refuse(parser, STATUS_INVALID, &until_place, NULL, "must be less than within");
	return status;
}

/* The event and the `where` of a leaf or step. */
static enum status read_what(struct expr_parser *parser, struct json object,
                             const struct expr_place *place, unsigned depth, struct text *ret_name,
                             struct expr_where **ret_where)
{
	struct json       where       = json_get(object, "where");
	struct expr_place where_place = {place, TEXT("where"), -1};
	enum status       status      = expr_read_name(parser, object, place, "event", ret_name);
	if (status == STATUS_OK && json_type(where) != JSON_NONE)
		status = expr_read_where(parser, where, &where_place, depth, ret_where);
	if (status == STATUS_OK && !parser->canonical)
		*ret_name = rules_event_name(*ret_name);
	return status;
}

enum status expr_read_event(struct expr_parser *parser, struct json object,
                            const struct expr_place *place, unsigned depth,
                            struct expr_event *ret_event)
{
	static const char *const members[] = {"event",   "where", "aggregate", "property", "within",
	                                      "between", "until", "op",        "value",    NULL};
	struct expr_event        event     = {.from_ms = INSTANT_MS_NONE, .to_ms = INSTANT_MS_NONE};

	enum status status = expr_check_members(parser, object, place, members);
	if (status == STATUS_OK)
		status = read_aggregate(parser, object, place, &event.aggregate);
	if (status == STATUS_OK)
		status = read_property(parser, object, place, &event);
	if (status == STATUS_OK)
		status = read_span(parser, object, place, &event);
	if (status == STATUS_OK)
		status =
			expr_read_test(parser, object, place, aggregates[event.aggregate].subject, &event.test);
	if (status == STATUS_OK)
		status = check_property(parser, place, &event);
	if (status == STATUS_OK)
		status = read_what(parser, object, place, depth, &event.name, &event.where);
	if (status == STATUS_OK)
		*ret_event = event;
	return status;
}

static enum status read_steps(struct expr_parser *parser, struct json value,
                              const struct expr_place *place, unsigned depth,
                              struct expr_sequence *sequence)
{
	static const char *const members[] = {"event", "where", NULL};
	size_t                   count     = json_type(value) == JSON_ARRAY ? json_count(value) : 0;
	if (count < EXPR_STEPS_MIN || count > EXPR_STEPS_MAX)
		return expr_refuse(parser, STATUS_INVALID, place, "sequence",
		                   "must be an array of %d to %d steps", EXPR_STEPS_MIN, EXPR_STEPS_MAX);

	sequence->steps = ARENA_ARRAY(parser->arena, struct expr_step, count);
	for (struct json_iterator i = json_iterate(value); json_next(&i);) {
		struct expr_place step_place = {place, TEXT("sequence"), sequence->step_count};
		struct expr_step *step       = &sequence->steps[sequence->step_count];
		enum status       status     = expr_check_members(parser, i.value, &step_place, members);
		if (status == STATUS_OK)
			status = read_what(parser, i.value, &step_place, depth, &step->name, &step->where);
		if (status != STATUS_OK)
			return status;
		sequence->step_count++;
	}
	return STATUS_OK;
}

static enum status read_bound(struct expr_parser *parser, struct json object,
                              const struct expr_place *place, const char *member, int64_t *ret_ms)
{
	struct json       value       = json_get(object, member);
	struct expr_place bound_place = {place, text_of(member), -1};
	return json_type(value) == JSON_NONE ? STATUS_OK
	                                     : expr_read_duration(parser, value, &bound_place, ret_ms);
}

enum status expr_read_sequence(struct expr_parser *parser, struct json object,
                               const struct expr_place *place, unsigned depth,
                               struct expr_sequence *ret_sequence)
{
	static const char *const members[] = {"sequence", "within", "ended_within", NULL};
	struct expr_sequence     sequence  = {0};
	enum status              status    = expr_check_members(parser, object, place, members);
	if (status == STATUS_OK)
		status = read_bound(parser, object, place, "within", &sequence.within_ms);
	if (status == STATUS_OK)
		status = read_bound(parser, object, place, "ended_within", &sequence.ended_within_ms);
	if (status == STATUS_OK)
		status = read_steps(parser, json_get(object, "sequence"), place, depth, &sequence);
	if (status == STATUS_OK)
		*ret_sequence = sequence;
	return status;
}
