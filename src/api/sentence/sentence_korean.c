#include "api/sentence/korean.h"
#include "api/sentence/sentence_internal.h"
#include "base/instant.h"

static void add(struct buffer *out, const char *text) { buffer_add_text(out, text_of(text)); }

static void add_name(struct buffer *out, struct text name)
{
	buffer_printf(out, "‘%.*s’", TEXT_FORMAT(name));
}

static void add_scalar(struct buffer *out, const struct expr_scalar *scalar, const char *unit)
{
	if (scalar->type == EXPR_STRING)
		buffer_printf(out, "“%.*s”", TEXT_FORMAT(scalar->text));
	else if (scalar->type == EXPR_BOOL)
		add(out, scalar->boolean ? "참" : "거짓");
	else
		korean_add_number(out, scalar->number);
	if (scalar->type == EXPR_NUMBER)
		add(out, unit);
}

static void add_scalars(struct buffer *out, const struct expr_test *test, const char *unit)
{
	for (unsigned i = 0; i < test->value_count; i++) {
		add(out, i > 0 ? ", " : "");
		add_scalar(out, &test->values[i], unit);
	}
}

/* What stands behind the values: "3회 이상". */
static const char *const needs[EXPR_OP_COUNT] = {
	[EXPR_EQ]          = "",
	[EXPR_NEQ]         = " 아님",
	[EXPR_GT]          = " 초과",
	[EXPR_GTE]         = " 이상",
	[EXPR_LT]          = " 미만",
	[EXPR_LTE]         = " 이하",
	[EXPR_IN]          = " 중 하나",
	[EXPR_NOT_IN]      = " 모두 아님",
	[EXPR_CONTAINS]    = " 포함",
	[EXPR_STARTS_WITH] = " 시작",
	[EXPR_ENDS_WITH]   = " 끝남",
	[EXPR_EXISTS]      = "값이 있음",
	[EXPR_ABSENT]      = "값이 없음",
	[EXPR_WITHIN_LAST] = " 이내의 과거",
	[EXPR_WITHIN_NEXT] = " 이내의 미래",
	[EXPR_BEFORE]      = " 이전",
	[EXPR_AFTER]       = " 이후",
};

static void add_need(struct buffer *out, const struct expr_test *test, const char *unit)
{
	if (expr_test_is_relative(test))
		korean_add_duration(out, test->duration_ms);
	else if (test->op == EXPR_BEFORE || test->op == EXPR_AFTER)
		korean_add_instant(out, test->instant_ms);
	else
		add_scalars(out, test, unit);
	if (test->op == EXPR_STARTS_WITH || test->op == EXPR_ENDS_WITH)
		korean_add_particle(out, KOREAN_BY);
	add(out, needs[test->op]);
}

static void add_window(struct buffer *out, const struct expr_event *event)
{
	if (event->from_ms != INSTANT_MS_NONE) {
		korean_add_instant(out, event->from_ms);
		add(out, "부터 ");
		korean_add_instant(out, event->to_ms);
		add(out, " 전까지 ");
		return;
	}
	if (event->within_ms > 0) {
		add(out, "최근 ");
		korean_add_duration(out, event->within_ms);
		add(out, event->until_ms > 0 ? " 중 " : " 동안 ");
	}
	if (event->until_ms > 0) {
		korean_add_duration(out, event->until_ms);
		add(out, " 전까지 ");
	}
	if (event->within_ms == 0 && event->until_ms == 0)
		add(out, "지금까지 ");
}

static void add_what(struct buffer *out, struct text name, const struct expr_where *where)
{
	if (where != NULL) {
		add(out, "조건(");
		expr_write_text_where(out, where);
		add(out, ")에 맞는 ");
	}
	if (text_equal(name, TEXT("*")))
		add(out, where == NULL ? "모든" : "");
	else
		add_name(out, name);
	add(out, out->data[out->length - 1] == ' ' ? "이벤트" : " 이벤트");
}

/* The name of an aggregate's number, with the particle, and the unit of the number. */
static const struct aggregate_words {
	const char *before; /* the event */
	const char *name;   /* behind it; of those with a property behind its name */
	const char *unit;
	const char *after; /* the number */
} aggregates[EXPR_AGGREGATE_COUNT] = {
	[EXPR_COUNT]            = {"", "", "회", ""},
	[EXPR_SUM]              = {"", "합계가", "", ""},
	[EXPR_AVG]              = {"", "평균이", "", ""},
	[EXPR_MIN]              = {"", "최솟값이", "", ""},
	[EXPR_MAX]              = {"", "최댓값이", "", ""},
	[EXPR_DISTINCT]         = {"", "서로 다른 값이", "개", ""},
	[EXPR_FIRST]            = {"", "첫 값이", "", ""},
	[EXPR_LAST]             = {"", "마지막 값이", "", ""},
	[EXPR_DAYS_SINCE_LAST]  = {"마지막 ", "", "일", " 전으로"},
	[EXPR_DAYS_SINCE_FIRST] = {"첫 ", "", "일", " 전으로"},
};

static void add_value(struct buffer *out, const struct value *value)
{
	double number;
	if (value_number(value, &number)) {
		korean_add_number(out, number);
	} else if (value->type == VALUE_STRING) {
		buffer_printf(out, "“%.*s”", TEXT_FORMAT(value->text));
	} else if (value->type == VALUE_TRUE || value->type == VALUE_FALSE) {
		add(out, value->type == VALUE_TRUE ? "참" : "거짓");
	} else if (value->type == VALUE_STRING_SET) {
		struct byte_reader set = byte_reader_of(value->text.data, value->text.length);
		struct text        item;
		add(out, "[");
		for (bool first = true; value_set_next(&set, &item); first = false)
			buffer_printf(out, "%s“%.*s”", first ? "" : ", ", TEXT_FORMAT(item));
		add(out, "] 목록");
	} else {
		add(out, "공개되지 않는 값");
	}
}

static bool is_missing(const struct value *value)
{
	return value->type == VALUE_NONE || value->type == VALUE_NULL;
}

static void add_event(struct buffer *out, const struct explain_node *node)
{
	const struct expr_event      *event = &node->expr->event;
	const struct aggregate_words *words = &aggregates[event->aggregate];
	double                        number;
	add_window(out, event);
	add(out, words->before);
	add_what(out, event->name, event->where);
	if (event->property.length > 0) {
		add(out, "의 ");
		add_name(out, event->property);
		buffer_printf(out, " %s", node->leaf.missing ? "값이" : words->name);
	} else {
		add(out, "가");
	}
	add(out, " ");
	if (node->leaf.missing) {
		add(out, "없어");
		return;
	}
	if (sentence_number(node, &number)) {
		korean_add_number(out, number);
		add(out, words->unit);
	} else {
		add_value(out, &node->leaf.value);
	}
	if (words->after[0] != '\0')
		add(out, words->after);
	else
		korean_add_particle(out, KOREAN_BY);
}

static void add_trait(struct buffer *out, const struct explain_node *node)
{
	add_name(out, node->expr->trait.name);
	if (is_missing(&node->trait)) {
		add(out, " 특성의 값이 없어");
		return;
	}
	add(out, " 특성이 ");
	add_value(out, &node->trait);
	korean_add_particle(out, KOREAN_BY);
}

static void add_sequence(struct buffer *out, const struct explain_node *node)
{
	const struct expr_sequence *sequence = &node->expr->sequence;
	if (sequence->within_ms > 0) {
		korean_add_duration(out, sequence->within_ms);
		add(out, " 안에 ");
	}
	for (unsigned i = 0; i < sequence->step_count; i++) {
		add(out, i > 0 ? " → " : "");
		add_what(out, sequence->steps[i].name, sequence->steps[i].where);
	}
	add(out, " 순서를 ");
	if (sequence->ended_within_ms > 0) {
		add(out, "최근 ");
		korean_add_duration(out, sequence->ended_within_ms);
		add(out, " 이내에 ");
	}
	add(out, node->holds ? "마쳐" : "마치지 않아");
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
		add_name(out, names->segment_key(names->context, node->expr->segment.number));
		add(out, node->holds ? " 세그먼트에 속해 있어" : " 세그먼트에 속해 있지 않아");
	}
}

static void add_condition(struct buffer *out, const struct explain_node *node)
{
	add(out, "(");
	if (node->expr->kind == EXPR_EVENT)
		add_need(out, &node->expr->event.test, aggregates[node->expr->event.aggregate].unit);
	else if (node->expr->kind == EXPR_TRAIT)
		add_need(out, &node->expr->trait.test, "");
	else
		add(out, node->expr->kind == EXPR_SEQUENCE ? "순서를 마침" : "소속");
	add(out, ")");
}

static void korean_clause(struct buffer *out, const struct clause *clause, enum clause_end end,
                          const struct sentence_names *names)
{
	static const char *const endings[CLAUSE_ENDS] = {"하고, ", "하므로 ", "하며, ", "합니다."};
	static const char *const not_endings[CLAUSE_ENDS] = {"고, ", "으므로 ", "으며, ", "습니다."};
	const struct explain_node *node                   = clause->node;
	add_fact(out, node, names);
	add(out, clause->negated ? " 제외 기준" : " 기준");
	add_condition(out, node);
	if (!clause->negated)
		buffer_printf(out, "을 충족%s%s", node->holds ? "" : "하지 못", endings[end]);
	else if (node->holds)
		buffer_printf(out, "에 해당%s", endings[end]);
	else
		buffer_printf(out, "에 해당하지 않%s", not_endings[end]);
}

static void korean_more(struct buffer *out, size_t count, enum clause_end end)
{
	static const char *const endings[CLAUSE_ENDS] = {"있고, ", "있으므로 ", "있으며, ",
	                                                 "있습니다."};
	buffer_printf(out, "그 밖의 조건이 %zu개 %s", count, endings[end]);
}

static void korean_member(struct buffer *out, struct text key, bool member)
{
	add(out, "이 사용자는 ");
	add_name(out, key);
	add(out, member ? " 세그먼트에 속해 있" : " 세그먼트에 속해 있지 않");
}

static void add_flip(struct buffer *out, const struct explain_flip *flip)
{
	add(out, "다른 일이 없으면 ");
	if (flip->event.length > 0) {
		add_name(out, flip->event);
		add(out, flip->cause == CAUSE_EVENT ? " 이벤트의 시각이 되는 "
		         : flip->begins             ? " 이벤트가 기간에 들어오는 "
		                                    : " 이벤트가 기간을 벗어나는 ");
	}
	korean_add_instant(out, flip->at_ms);
	add(out, "에 ");
}

static void add_unknown(struct buffer *out, const struct explain_flip *flip)
{
	add(out, "적어도 ");
	korean_add_instant(out, flip->at_ms);
	add(out, " 전까지는 시간만으로 바뀌지 않습니다.");
}

static void korean_member_future(struct buffer *out, const struct explain_flip *flip, bool member)
{
	add(out, "으며, ");
	if (flip->at_ms == INSTANT_MS_NEVER) {
		add(out, "시간이 지나는 것만으로는 바뀌지 않습니다.");
	} else if (!flip->exact) {
		add_unknown(out, flip);
	} else {
		add_flip(out, flip);
		add(out, member ? "나갑니다." : "들어갑니다.");
	}
}

static void korean_node_future(struct buffer *out, const struct explain_flip *flip, bool holds,
                               uint64_t more)
{
	if (flip->at_ms == INSTANT_MS_NEVER)
		buffer_printf(out, "%llu회 더 발생하면 ", (unsigned long long)more);
	else if (!flip->exact)
		add_unknown(out, flip);
	else
		add_flip(out, flip);
	if (flip->exact)
		add(out, holds ? "충족하지 않게 됩니다." : "충족하게 됩니다.");
}

const struct sentence_words sentence_korean = {
	.clause        = korean_clause,
	.more          = korean_more,
	.member        = korean_member,
	.member_future = korean_member_future,
	.node_future   = korean_node_future,
};
