#include <ctype.h>

#include "api/sentence/korean.h"
#include "api/sentence/sentence_internal.h"
#include "base/instant.h"

static void add(struct buffer *out, const char *text) { buffer_add_text(out, text_of(text)); }

static void add_name(struct buffer *out, struct text name)
{
	buffer_printf(out, "\"%.*s\"", TEXT_FORMAT(name));
}

static void add_instant(struct buffer *out, int64_t ms)
{
	char into[INSTANT_TEXT_BYTES];
	buffer_add_text(out, instant_format(ms, into));
}

static void add_duration(struct buffer *out, int64_t ms)
{
	static const struct {
		int64_t     ms;
		const char *name;
	} units[]   = {{DAY_MS, "day"},
	               {60 * MINUTE_MS, "hour"},
	               {MINUTE_MS, "minute"},
	               {1000, "second"},
	               {1, "millisecond"}};
	size_t unit = 0;
	while (ms % units[unit].ms != 0)
		unit++;
	int64_t count = ms / units[unit].ms;
	korean_add_number(out, (double)count);
	buffer_printf(out, " %s%s", units[unit].name, count == 1 ? "" : "s");
}

static void add_scalars(struct buffer *out, const struct expr_test *test)
{
	for (unsigned i = 0; i < test->value_count; i++) {
		const struct expr_scalar *scalar = &test->values[i];
		add(out, i > 0 ? ", " : "");
		if (scalar->type == EXPR_STRING)
			add_name(out, scalar->text);
		else if (scalar->type == EXPR_BOOL)
			add(out, scalar->boolean ? "true" : "false");
		else
			korean_add_number(out, scalar->number);
	}
}

static const char *const needs[EXPR_OP_COUNT] = {
	[EXPR_EQ]          = "",
	[EXPR_NEQ]         = "other than ",
	[EXPR_GT]          = "more than ",
	[EXPR_GTE]         = "at least ",
	[EXPR_LT]          = "less than ",
	[EXPR_LTE]         = "at most ",
	[EXPR_IN]          = "one of ",
	[EXPR_NOT_IN]      = "none of ",
	[EXPR_CONTAINS]    = "containing ",
	[EXPR_STARTS_WITH] = "starting with ",
	[EXPR_ENDS_WITH]   = "ending with ",
	[EXPR_EXISTS]      = "any value",
	[EXPR_ABSENT]      = "no value",
	[EXPR_WITHIN_LAST] = "a time within the last ",
	[EXPR_WITHIN_NEXT] = "a time within the next ",
	[EXPR_BEFORE]      = "a time before ",
	[EXPR_AFTER]       = "a time after ",
};

static void add_need(struct buffer *out, const struct expr_test *test)
{
	add(out, needs[test->op]);
	if (expr_test_is_relative(test))
		add_duration(out, test->duration_ms);
	else if (test->op == EXPR_BEFORE || test->op == EXPR_AFTER)
		add_instant(out, test->instant_ms);
	else
		add_scalars(out, test);
}

static void add_window(struct buffer *out, const struct expr_event *event)
{
	if (event->from_ms != INSTANT_MS_NONE) {
		add(out, "from ");
		add_instant(out, event->from_ms);
		add(out, " to ");
		add_instant(out, event->to_ms);
		add(out, " ");
	} else if (event->within_ms > 0) {
		add(out, "in the last ");
		add_duration(out, event->within_ms);
		add(out, " ");
	}
	if (event->until_ms > 0) {
		add(out, "up to ");
		add_duration(out, event->until_ms);
		add(out, " ago ");
	}
}

static void add_what(struct buffer *out, struct text name, const struct expr_where *where)
{
	if (text_equal(name, TEXT("*")))
		add(out, "any event");
	else
		add_name(out, name);
	if (where != NULL) {
		add(out, " with ");
		expr_write_text_where(out, where);
	}
}

static void add_value(struct buffer *out, const struct value *value)
{
	double number;
	if (value_number(value, &number)) {
		korean_add_number(out, number);
	} else if (value->type == VALUE_STRING) {
		add_name(out, value->text);
	} else if (value->type == VALUE_TRUE || value->type == VALUE_FALSE) {
		add(out, value->type == VALUE_TRUE ? "true" : "false");
	} else if (value->type == VALUE_STRING_SET) {
		struct byte_reader set = byte_reader_of(value->text.data, value->text.length);
		struct text        item;
		add(out, "the list [");
		for (bool first = true; value_set_next(&set, &item); first = false)
			buffer_printf(out, "%s\"%.*s\"", first ? "" : ", ", TEXT_FORMAT(item));
		add(out, "]");
	} else {
		add(out, "a value that is not shown");
	}
}

static const char *const aggregates[EXPR_AGGREGATE_COUNT] = {
	[EXPR_SUM]              = "the sum of ",
	[EXPR_AVG]              = "the average of ",
	[EXPR_MIN]              = "the smallest ",
	[EXPR_MAX]              = "the largest ",
	[EXPR_DISTINCT]         = "the number of different values of ",
	[EXPR_FIRST]            = "the first ",
	[EXPR_LAST]             = "the last ",
	[EXPR_DAYS_SINCE_LAST]  = "the last ",
	[EXPR_DAYS_SINCE_FIRST] = "the first ",
};

static void add_count(struct buffer *out, const struct explain_node *node)
{
	add_what(out, node->expr->event.name, node->expr->event.where);
	add(out, " happened ");
	if (node->leaf.count == 1) {
		add(out, "once");
	} else {
		korean_add_number(out, (double)node->leaf.count);
		add(out, " times");
	}
}

static void add_days(struct buffer *out, const struct explain_node *node)
{
	const struct expr_event *event = &node->expr->event;
	add(out, aggregates[event->aggregate]);
	add_what(out, event->name, event->where);
	if (node->leaf.missing) {
		add(out, " never happened");
		return;
	}
	add(out, " was ");
	korean_add_number(out, (double)node->leaf.count);
	add(out, node->leaf.count == 1 ? " day ago" : " days ago");
}

static void add_aggregate(struct buffer *out, const struct explain_node *node)
{
	const struct expr_event *event = &node->expr->event;
	double                   number;
	add(out, aggregates[event->aggregate]);
	add_name(out, event->property);
	add(out, " of ");
	add_what(out, event->name, event->where);
	if (node->leaf.missing) {
		add(out, " does not exist");
		return;
	}
	add(out, " is ");
	if (sentence_number(node, &number))
		korean_add_number(out, number);
	else
		add_value(out, &node->leaf.value);
}

static void add_event(struct buffer *out, const struct explain_node *node)
{
	enum expr_aggregate aggregate = node->expr->event.aggregate;
	add_window(out, &node->expr->event);
	if (aggregate == EXPR_COUNT)
		add_count(out, node);
	else if (aggregate == EXPR_DAYS_SINCE_LAST || aggregate == EXPR_DAYS_SINCE_FIRST)
		add_days(out, node);
	else
		add_aggregate(out, node);
}

static void add_trait(struct buffer *out, const struct explain_node *node)
{
	add(out, "trait ");
	add_name(out, node->expr->trait.name);
	if (node->trait.type == VALUE_NONE || node->trait.type == VALUE_NULL) {
		add(out, " has no value");
		return;
	}
	add(out, " is ");
	add_value(out, &node->trait);
}

static void add_sequence(struct buffer *out, const struct explain_node *node)
{
	const struct expr_sequence *sequence = &node->expr->sequence;
	add(out, "the sequence ");
	for (unsigned i = 0; i < sequence->step_count; i++) {
		add(out, i > 0 ? ", then " : "");
		add_what(out, sequence->steps[i].name, sequence->steps[i].where);
	}
	if (sequence->within_ms > 0) {
		add(out, ", within ");
		add_duration(out, sequence->within_ms);
	}
	if (sequence->ended_within_ms > 0) {
		add(out, ", ended within the last ");
		add_duration(out, sequence->ended_within_ms);
	}
	add(out, node->holds ? ", is complete" : ", is not complete");
}

static void add_fact(struct buffer *out, const struct explain_node *node,
                     const struct sentence_names *names)
{
	switch (node->expr->kind) {
	case EXPR_EVENT:
		add_event(out, node);
		break;
	case EXPR_TRAIT:
		add_trait(out, node);
		break;
	case EXPR_SEQUENCE:
		add_sequence(out, node);
		break;
	default:
		add(out, node->holds ? "the user is a member of " : "the user is no member of ");
		add_name(out, names->segment_key(names->context, node->expr->segment.number));
	}
}

static void english_clause(struct buffer *out, const struct clause *clause, enum clause_end end,
                           const struct sentence_names *names)
{
	static const char *const   endings[CLAUSE_ENDS] = {", and ", ", so ", "; ", "."};
	const struct explain_node *node                 = clause->node;
	size_t                     begin                = out->length;
	add_fact(out, node, names);
	if (begin == 0)
		out->data[0] = (char)toupper((unsigned char)out->data[0]);
	add(out, clause->negated ? " (must not be " : " (needs ");
	if (node->expr->kind == EXPR_EVENT)
		add_need(out, &node->expr->event.test);
	else if (node->expr->kind == EXPR_TRAIT)
		add_need(out, &node->expr->trait.test);
	else
		add(out, node->expr->kind == EXPR_SEQUENCE ? "complete" : "a member");
	add(out, node->holds != clause->negated ? ": met)" : ": not met)");
	add(out, endings[end]);
}

static void english_more(struct buffer *out, size_t count, enum clause_end end)
{
	static const char *const endings[CLAUSE_ENDS] = {", and ", ", so ", "; ", "."};
	buffer_printf(out, "%zu more condition%s%s", count, count == 1 ? "" : "s", endings[end]);
}

static void english_member(struct buffer *out, struct text key, bool member)
{
	add(out, member ? "the user is a member of " : "the user is no member of ");
	add_name(out, key);
	add(out, "; ");
}

static void add_flip(struct buffer *out, const struct explain_flip *flip)
{
	add_instant(out, flip->at_ms);
	if (flip->event.length == 0)
		return;
	add(out, ", when ");
	add_name(out, flip->event);
	add(out, flip->cause == CAUSE_EVENT ? " begins to count"
	         : flip->begins             ? " comes into the window"
	                                    : " falls out of the window");
}

static void english_future(struct buffer *out, const struct explain_flip *flip)
{
	if (flip->exact) {
		add(out, "if nothing else happens, this changes at ");
		add_flip(out, flip);
	} else {
		add(out, "time alone does not change this before ");
		add_instant(out, flip->at_ms);
	}
	add(out, ".");
}

static void english_member_future(struct buffer *out, const struct explain_flip *flip, bool member)
{
	(void)member;
	if (flip->at_ms == INSTANT_MS_NEVER)
		add(out, "time alone does not change this.");
	else
		english_future(out, flip);
}

static void english_node_future(struct buffer *out, const struct explain_flip *flip, bool holds,
                                uint64_t more)
{
	(void)holds;
	if (flip->at_ms == INSTANT_MS_NEVER)
		buffer_printf(out, "%llu more would change this.", (unsigned long long)more);
	else
		english_future(out, flip);
}

const struct sentence_words sentence_english = {
	.clause        = english_clause,
	.more          = english_more,
	.member        = english_member,
	.member_future = english_member_future,
	.node_future   = english_node_future,
};
