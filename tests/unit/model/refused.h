#ifndef SONNIM_TESTS_MODEL_REFUSED_H
#define SONNIM_TESTS_MODEL_REFUSED_H

/* Definitions that are accepted, and others that are refused: with which status, place, reason. */

#include "definition.h"

static inline enum status parse(const char *text, struct error *err)
{
	struct expr *expr;
	*err = (struct error){0};
	return expr_parse_json(json_of(text_of(text)), "expression", &definition_arena, &expr, err);
}

static inline void check_accepted(const char *const *definitions, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct error err;
		if (parse(definitions[i], &err) != STATUS_OK)
			fail_msg("%s: %s: %s", definitions[i], err.field, err.reason);
	}
}

#define CHECK_ACCEPTED(definitions)                                                                \
	check_accepted(definitions, sizeof(definitions) / sizeof(definitions)[0])

struct refused {
	const char *definition;
	const char *field;
	const char *reason; /* a part of it */
};

static inline void check_refused(const struct refused *cases, size_t count, enum status expected)
{
	for (size_t i = 0; i < count; i++) {
		struct error err;
		enum status  status = parse(cases[i].definition, &err);
		if (status != expected || strcmp(err.field, cases[i].field) != 0 ||
		    strstr(err.reason, cases[i].reason) == NULL)
			fail_msg("%s: status %d, %s: %s", cases[i].definition, status, err.field, err.reason);
		assert_int_equal(err.status, expected);
	}
}

#define CHECK_REFUSED(cases, expected)                                                             \
	check_refused(cases, sizeof(cases) / sizeof(cases)[0], expected)

#endif
