#ifndef SONNIM_FUZZ_EXPR_CHECKS_H
#define SONNIM_FUZZ_EXPR_CHECKS_H

/* What holds of every expression that was read, in whatever notation. */

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "base/instant.h"
#include "model/evaluate.h"
#include "model/expr.h"
#include "model/sequence.h"

static inline uint32_t number_of(void *context, struct text reference)
{
	(void)context;
	return hash_name(reference);
}

/* Into the arena. */
static inline struct text canonical_of(struct expr *expr, struct arena *arena)
{
	struct buffer out    = {0};
	enum status   status = expr_resolve(expr, "expression", number_of, NULL, NULL);
	assert(status == STATUS_OK);
	expr_write_canonical(&out, expr);
	struct text canonical = arena_text(arena, buffer_text(&out));
	buffer_done(&out);
	return canonical;
}

static inline void check_canonical(struct text canonical, struct arena *arena)
{
	struct expr  *back;
	struct buffer out    = {0};
	enum status   status = expr_parse_canonical(canonical, arena, &back, NULL);
	assert(status == STATUS_OK);
	expr_write_canonical(&out, back);
	assert(text_equal(buffer_text(&out), canonical));

	buffer_clear(&out);
	expr_write_text(&out, back);
	assert(out.length > 0);
	buffer_done(&out);
}

static inline void check_json(struct json_parser *parser, struct expr *expr, struct text canonical,
                              struct arena *arena)
{
	struct buffer      out    = {0};
	struct json_writer writer = json_writer_of(&out);
	struct json        json;
	struct expr       *back;
	expr_write_json(&writer, expr);
	enum status status = json_parse_text(parser, buffer_text(&out), &json, NULL);
	if (status == STATUS_OK)
		status = expr_parse_json(json, "expression", arena, &back, NULL);
	assert(status == STATUS_OK);
	assert(text_equal(canonical_of(back, arena), canonical));
	buffer_done(&out);
}

/* Of nothing, and of something. */
static inline void evaluate_aggregate(const struct expr_event *event, struct arena *arena)
{
	struct expr_test test   = event->test;
	struct value     value  = {.type = VALUE_STRING, .text = TEXT("1970-01-01")};
	double           number = 1;
	evaluate_sort_test(&test, arena);
	switch (event->aggregate) {
	case EXPR_COUNT:
	case EXPR_DISTINCT:
		evaluate_count(&test, 1);
		break;
	case EXPR_SUM:
		evaluate_sum(&test, 1);
		break;
	case EXPR_AVG:
		evaluate_average(&test, 0, 0);
		evaluate_average(&test, 1, 3);
		break;
	case EXPR_MIN:
	case EXPR_MAX:
		evaluate_extreme(&test, NULL);
		evaluate_extreme(&test, &number);
		break;
	case EXPR_DAYS_SINCE_FIRST:
	case EXPR_DAYS_SINCE_LAST:
		evaluate_days(&test, 0, 1);
		assert(evaluate_days_next_ms(&test, 0, 1) > 1);
		break;
	default:
		evaluate_test(&test, &value, 0);
		assert(evaluate_test_next_ms(&test, &value, 0) > 0);
		break;
	}
}

static inline void evaluate_leaf(void *context, const struct expr *leaf)
{
	struct text empty = {0};
	if (leaf->kind == EXPR_EVENT) {
		struct compiled_where *where = evaluate_compile_where(leaf->event.where, context);
		evaluate_where(where, empty, empty, 0);
		evaluate_where_next_ms(where, empty, empty, 0);
		evaluate_aggregate(&leaf->event, context);
	} else if (leaf->kind == EXPR_SEQUENCE) {
		struct sequence      *sequence  = sequence_compile(&leaf->sequence, DAY_MS, context);
		uint32_t              steps     = sequence_steps(sequence, TEXT("A"), empty, empty, 0);
		struct sequence_event events[2] = {{0, steps, INSTANT_MS_NEVER},
		                                   {1, steps, INSTANT_MS_NEVER}};
		int64_t               next_ms;
		sequence_holds(sequence, events, 2, 0, &next_ms);
		assert(next_ms > 0);
	}
}

/* Its text reads back, and is the text of what was read. */
static inline void check_text(const struct expr *expr, struct text canonical, struct arena *arena)
{
	struct buffer out = {0};
	struct expr  *back;
	expr_write_text(&out, expr);
	struct text text   = arena_text(arena, buffer_text(&out));
	enum status status = expr_parse_text(text, "expression", arena, &back, NULL);
	assert(status == STATUS_OK);
	assert(text_equal(canonical_of(back, arena), canonical));

	buffer_clear(&out);
	expr_write_text(&out, back);
	assert(text_equal(buffer_text(&out), text));
	buffer_done(&out);
}

/* All that holds of an expression that was read. */
static inline void check_expr(struct json_parser *parser, struct expr *expr, struct text canonical,
                              struct arena *arena)
{
	check_canonical(canonical, arena);
	check_json(parser, expr, canonical, arena);
	check_text(expr, canonical, arena);
	expr_visit_leaves(expr, evaluate_leaf, arena);
}

#endif
