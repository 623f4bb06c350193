#ifndef SONNIM_TESTS_MODEL_DEFINITION_H
#define SONNIM_TESTS_MODEL_DEFINITION_H

/* Reading definitions out of string literals, for the tests of this folder. Everything lies in one
 * arena and one parser, which live until definition_done(). */

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/expr.h"

static struct arena        definition_arena;
static struct json_parser *definition_parser;

static inline int definition_begin(void **state)
{
	(void)state;
	arena_init(&definition_arena);
	definition_parser = json_parser_new();
	return 0;
}

static inline int definition_done(void **state)
{
	(void)state;
	arena_done(&definition_arena);
	json_parser_free(definition_parser);
	return 0;
}

/* Lives until the next call. */
static inline struct json json_of(struct text text)
{
	struct json  root;
	struct error err;
	if (json_parse_text(definition_parser, text, &root, &err) != STATUS_OK)
		fail_msg("%.*s: %s", TEXT_FORMAT(text), err.reason);
	return root;
}

static inline struct expr *expr_of(struct text text)
{
	struct expr *expr;
	struct error err;
	if (expr_parse_json(json_of(text), "expression", &definition_arena, &expr, &err) != STATUS_OK)
		fail_msg("%.*s: %s: %s", TEXT_FORMAT(text), err.field, err.reason);
	return expr;
}

/* Segments are numbered by the bytes of their names: each has its own number, "none" has none. */
static inline uint32_t number_of_segment(void *context, struct text reference)
{
	uint32_t number = 0;
	(void)context;
	if (text_equal(reference, TEXT("none")))
		return 0;
	for (size_t i = 0; i < reference.length; i++)
		number = number * 31 + (unsigned char)reference.data[i];
	return number == 0 ? 1 : number;
}

static inline void resolve(struct expr *expr)
{
	struct error err;
	if (expr_resolve(expr, "expression", number_of_segment, NULL, &err) != STATUS_OK)
		fail_msg("%s: %s", err.field, err.reason);
}

/* With a NUL, in the arena. */
static inline const char *kept(struct buffer *buffer)
{
	struct text copy = arena_text(&definition_arena, buffer_text(buffer));
	buffer_done(buffer);
	return copy.data;
}

static inline const char *canonical_of(struct text text)
{
	struct buffer out  = {0};
	struct expr  *expr = expr_of(text);
	resolve(expr);
	expr_write_canonical(&out, expr);
	return kept(&out);
}

static inline const char *json_text_of(const struct expr *expr)
{
	struct buffer      out    = {0};
	struct json_writer writer = json_writer_of(&out);
	expr_write_json(&writer, expr);
	return kept(&out);
}

static inline const char *text_of_expr(const struct expr *expr)
{
	struct buffer out = {0};
	expr_write_text(&out, expr);
	return kept(&out);
}

#define DEFINITION_TEST(name)                                                                      \
	cmocka_unit_test_setup_teardown(name, definition_begin, definition_done)

#endif
