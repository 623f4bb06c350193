#include <assert.h>
#include <math.h>

#include "base/decimal.h"
#include "model/expr_internal.h"

/* What an operator compares with. */
enum operand {
	OPERAND_SCALAR,
	OPERAND_LIST,
	OPERAND_NUMBER,
	OPERAND_STRING,
	OPERAND_NONE,
	OPERAND_DURATION,
	OPERAND_INSTANT,
};

static const struct {
	const char  *name;
	enum operand operand;
	bool         of_numbers; /* aggregates that are numbers know it too */
} ops[EXPR_OP_COUNT] = {
	[EXPR_EQ]          = {"eq", OPERAND_SCALAR, true},
	[EXPR_NEQ]         = {"neq", OPERAND_SCALAR, true},
	[EXPR_GT]          = {"gt", OPERAND_NUMBER, true},
	[EXPR_GTE]         = {"gte", OPERAND_NUMBER, true},
	[EXPR_LT]          = {"lt", OPERAND_NUMBER, true},
	[EXPR_LTE]         = {"lte", OPERAND_NUMBER, true},
	[EXPR_IN]          = {"in", OPERAND_LIST, true},
	[EXPR_NOT_IN]      = {"not_in", OPERAND_LIST, true},
	[EXPR_CONTAINS]    = {"contains", OPERAND_STRING, false},
	[EXPR_STARTS_WITH] = {"starts_with", OPERAND_STRING, false},
	[EXPR_ENDS_WITH]   = {"ends_with", OPERAND_STRING, false},
	[EXPR_EXISTS]      = {"exists", OPERAND_NONE, false},
	[EXPR_ABSENT]      = {"absent", OPERAND_NONE, false},
	[EXPR_WITHIN_LAST] = {"within_last", OPERAND_DURATION, false},
	[EXPR_WITHIN_NEXT] = {"within_next", OPERAND_DURATION, false},
	[EXPR_BEFORE]      = {"before", OPERAND_INSTANT, false},
	[EXPR_AFTER]       = {"after", OPERAND_INSTANT, false},
};

/* The years 0001 to 9999, which can be written again. */
#define INSTANT_MS_MIN INT64_C(-62135596800000)
#define INSTANT_MS_MAX INT64_C(253402300799999)

enum { INSTANT_BYTES_MAX = 64 }; /* as written: fractions may have any number of digits */

const char *expr_op_name(enum expr_op op)
{
	assert(op < EXPR_OP_COUNT);
	return ops[op].name;
}

bool expr_asks_for_presence(enum expr_op op) { return op == EXPR_EXISTS || op == EXPR_ABSENT; }

bool expr_takes_list(enum expr_op op) { return ops[op].operand == OPERAND_LIST; }

static const char *subject_name(enum expr_subject subject)
{
	static const char *const names[] = {
		[EXPR_SUBJECT_VALUE] = "a value",   [EXPR_SUBJECT_COUNT] = "a count",
		[EXPR_SUBJECT_SUM] = "a sum",       [EXPR_SUBJECT_AVERAGE] = "an average",
		[EXPR_SUBJECT_NUMBER] = "a number", [EXPR_SUBJECT_DAYS] = "a number of days",
	};
	return names[subject];
}

/* Whether there may be nothing to aggregate (rule 14). */
static bool may_be_missing(enum expr_subject subject)
{
	return subject != EXPR_SUBJECT_COUNT && subject != EXPR_SUBJECT_SUM;
}

static bool knows(enum expr_subject subject, enum expr_op op)
{
	return subject == EXPR_SUBJECT_VALUE || ops[op].of_numbers ||
	       (may_be_missing(subject) && expr_asks_for_presence(op));
}

enum status expr_read_duration(struct expr_parser *parser, struct json value,
                               const struct expr_place *place, int64_t *ret_ms)
{
	int64_t ms;
	bool    valid;
	if (parser->canonical) {
		valid = json_type(value) == JSON_INT;
		ms    = valid ? json_int(value) : 0;
		valid = ms >= DURATION_MS_MIN && ms <= DURATION_MS_MAX && ms % 1000 == 0;
	} else {
		if (json_type(value) != JSON_STRING)
			return expr_refuse(parser, STATUS_INVALID, place, NULL,
			                   "must be a duration such as \"30m\" or \"7d\"");
		valid = duration_parse(json_string(value), &ms);
	}
	if (!valid && ms == 0)
		return expr_refuse(parser, STATUS_INVALID, place, NULL,
		                   "is no duration: one whole number and one of s, m, h, d, w");
	if (!valid)
		return expr_refuse(parser, STATUS_INVALID, place, NULL,
		                   "must be from 60 seconds to 1,095 days");
	*ret_ms = ms;
	return STATUS_OK;
}

static enum status read_canonical_instant(struct expr_parser *parser, struct json value,
                                          const struct expr_place *place, int64_t *ret_ms,
                                          struct text *ret_text)
{
	if (json_type(value) != JSON_INT || json_int(value) < INSTANT_MS_MIN ||
	    json_int(value) > INSTANT_MS_MAX)
		return expr_refuse(parser, STATUS_INVALID, place, NULL,
		                   "must be an instant in milliseconds");
	char into[INSTANT_TEXT_BYTES];
	*ret_ms   = json_int(value);
	*ret_text = arena_text(parser->arena, instant_format(*ret_ms, into));
	return STATUS_OK;
}

enum status expr_read_instant(struct expr_parser *parser, struct json value,
                              const struct expr_place *place, int64_t *ret_ms,
                              struct text *ret_text)
{
	if (parser->canonical)
		return read_canonical_instant(parser, value, place, ret_ms, ret_text);

	if (json_type(value) != JSON_STRING)
		return expr_refuse(parser, STATUS_INVALID, place, NULL,
		                   "must be an instant such as \"2025-01-07T10:30:00Z\"");
	int64_t     ms;
	struct text text = json_string(value);
	if (text.length > INSTANT_BYTES_MAX || !instant_parse(text, &ms))
		return expr_refuse(parser, STATUS_INVALID, place, NULL,
		                   "is no instant in the form of RFC 3339, such as "
		                   "\"2025-01-07T10:30:00Z\"");
	*ret_ms   = ms;
	*ret_text = arena_text(parser->arena, text);
	return STATUS_OK;
}

static enum status read_number(struct expr_parser *parser, double number,
                               const struct expr_place *place, enum expr_subject subject,
                               struct expr_scalar *ret_scalar)
{
	struct expr_scalar scalar = {.type = EXPR_NUMBER, .number = number};
	if (subject == EXPR_SUBJECT_SUM || subject == EXPR_SUBJECT_AVERAGE) {
		if (!decimal_of(number, &scalar.millionths))
			return expr_refuse(parser, STATUS_INVALID, place, NULL,
			                   "%s is compared with numbers up to 9.2e12", subject_name(subject));
		if (!decimal_fits(number))
			return expr_refuse(parser, STATUS_INVALID, place, NULL,
			                   "%s is compared with at most 6 decimals", subject_name(subject));
	}
	if (subject == EXPR_SUBJECT_DAYS && number != floor(number))
		return expr_refuse(parser, STATUS_INVALID, place, NULL, "must be a whole number of days");
	*ret_scalar = scalar;
	return STATUS_OK;
}

static enum status read_string(struct expr_parser *parser, struct text text,
                               const struct expr_place *place, struct expr_scalar *ret_scalar)
{
	if (text.length > EXPR_TEXT_BYTES_MAX)
		return expr_refuse(parser, STATUS_INVALID, place, NULL, "must not be longer than %d bytes",
		                   EXPR_TEXT_BYTES_MAX);
	*ret_scalar =
		(struct expr_scalar){.type = EXPR_STRING, .text = arena_text(parser->arena, text)};
	return STATUS_OK;
}

enum status expr_read_scalar(struct expr_parser *parser, struct json value,
                             const struct expr_place *place, enum expr_subject subject,
                             struct expr_scalar *ret_scalar)
{
	enum json_type type = json_type(value);
	if (json_is_number(value))
		return read_number(parser, json_number(value), place, subject, ret_scalar);
	if (type == JSON_NONE)
		return expr_refuse(parser, STATUS_INVALID, place, NULL, "is required");
	if (type == JSON_OVERFLOW)
		return expr_refuse(parser, STATUS_INVALID, place, NULL, "is too large a number");
	if (subject != EXPR_SUBJECT_VALUE)
		return expr_refuse(parser, STATUS_INVALID, place, NULL,
		                   "must be a number: it is compared with %s", subject_name(subject));
	if (type == JSON_STRING)
		return read_string(parser, json_string(value), place, ret_scalar);
	if (type == JSON_NULL)
		return expr_refuse(parser, STATUS_INVALID, place, NULL,
		                   "null is no value: what is missing is asked for with absent");
	if (type != JSON_BOOL)
		return expr_refuse(parser, STATUS_INVALID, place, NULL,
		                   "must be a string, a number, true or false");
	*ret_scalar = (struct expr_scalar){.type = EXPR_BOOL, .boolean = json_bool(value)};
	return STATUS_OK;
}

static enum status read_one(struct expr_parser *parser, struct json value,
                            const struct expr_place *place, enum expr_subject subject,
                            struct expr_test *test)
{
	struct expr_scalar scalar;
	enum status        status = expr_read_scalar(parser, value, place, subject, &scalar);
	if (status != STATUS_OK)
		return status;

	enum operand operand = ops[test->op].operand;
	if (operand == OPERAND_NUMBER && scalar.type != EXPR_NUMBER)
		return expr_refuse(parser, STATUS_INVALID, place, NULL,
		                   "must be a number: %s compares numbers only", ops[test->op].name);
	if (operand == OPERAND_STRING && (scalar.type != EXPR_STRING || scalar.text.length == 0))
		return expr_refuse(parser, STATUS_INVALID, place, NULL,
		                   "must be a string that is not empty");
	test->values      = ARENA_NEW(parser->arena, struct expr_scalar);
	test->values[0]   = scalar;
	test->value_count = 1;
	return STATUS_OK;
}

static enum status read_list(struct expr_parser *parser, struct json value,
                             const struct expr_place *place, enum expr_subject subject,
                             struct expr_test *test)
{
	if (json_type(value) != JSON_ARRAY)
		return expr_refuse(parser, STATUS_INVALID, place, NULL, "must be an array");
	size_t count = json_count(value);
	if (count == 0 || count > EXPR_LIST_MAX)
		return expr_refuse(parser, STATUS_INVALID, place, NULL, "must have from 1 to %d items",
		                   EXPR_LIST_MAX);

	test->values = ARENA_ARRAY(parser->arena, struct expr_scalar, count);
	for (struct json_iterator i = json_iterate(value); json_next(&i);) {
		struct expr_place item = {place->parent, place->name, test->value_count};
		enum status       status =
			expr_read_scalar(parser, i.value, &item, subject, &test->values[test->value_count]);
		if (status != STATUS_OK)
			return status;
		test->value_count++;
	}
	return STATUS_OK;
}

static enum status read_operand(struct expr_parser *parser, struct json value,
                                const struct expr_place *place, enum expr_subject subject,
                                struct expr_test *test)
{
	enum operand operand = ops[test->op].operand;
	if (operand == OPERAND_NONE) {
		if (json_type(value) != JSON_NONE)
			return expr_refuse(parser, STATUS_INVALID, place, NULL, "%s takes no value",
			                   ops[test->op].name);
		return STATUS_OK;
	}
	if (json_type(value) == JSON_NONE)
		return expr_refuse(parser, STATUS_INVALID, place, NULL, "is required");
	if (operand == OPERAND_LIST)
		return read_list(parser, value, place, subject, test);
	if (operand == OPERAND_DURATION)
		return expr_read_duration(parser, value, place, &test->duration_ms);
	if (operand == OPERAND_INSTANT)
		return expr_read_instant(parser, value, place, &test->instant_ms, &test->instant_text);
	return read_one(parser, value, place, subject, test);
}

static enum status read_op(struct expr_parser *parser, struct json object,
                           const struct expr_place *place, enum expr_subject subject,
                           enum expr_op *ret_op)
{
	struct json value = json_get(object, "op");
	if (json_type(value) == JSON_NONE)
		return expr_refuse(parser, STATUS_INVALID, place, "op", "is required");
	if (json_type(value) != JSON_STRING)
		return expr_refuse(parser, STATUS_INVALID, place, "op", "must be a string");

	for (enum expr_op op = 0; op < EXPR_OP_COUNT; op++) {
		if (!text_equal(json_string(value), text_of(ops[op].name)))
			continue;
		if (!knows(subject, op))
			return expr_refuse(parser, STATUS_INVALID, place, "op", "%s cannot be asked of %s",
			                   ops[op].name, subject_name(subject));
		*ret_op = op;
		return STATUS_OK;
	}
	return expr_refuse(parser, STATUS_INVALID, place, "op",
	                   "unknown operator: known are eq, neq, gt, gte, lt, lte, in, not_in%s",
	                   subject == EXPR_SUBJECT_VALUE
	                       ? ", contains, starts_with, ends_with, exists, absent, "
	                         "within_last, within_next, before, after"
	                   : may_be_missing(subject) ? ", exists, absent"
	                                             : "");
}

enum status expr_read_test(struct expr_parser *parser, struct json object,
                           const struct expr_place *place, enum expr_subject subject,
                           struct expr_test *ret_test)
{
	struct expr_test test   = {0};
	enum status      status = read_op(parser, object, place, subject, &test.op);
	if (status != STATUS_OK)
		return status;
	struct expr_place value = {place, TEXT("value"), -1};
	status = read_operand(parser, json_get(object, "value"), &value, subject, &test);
	if (status == STATUS_OK)
		*ret_test = test;
	return status;
}
