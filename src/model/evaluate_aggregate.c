#include <assert.h>
#include <math.h>

#include "base/hash.h"
#include "model/evaluate.h"

/* What is compared with a value of the test. */
enum aggregate_form { FORM_COUNT, FORM_SUM, FORM_AVERAGE, FORM_NUMBER };
struct aggregate {
	enum aggregate_form form;
	bool                missing;
	uint64_t            count; /* of an average: how many amounts */
	__int128            millionths;
	double              number;
};

/* < 0, 0, > 0; exact: no count is rounded to a double. */
static int compare_count(uint64_t count, double with)
{
	if (with < 0)
		return 1;
	if (with >= 0x1p64)
		return -1;
	uint64_t whole = (uint64_t)with;
	if (count != whole)
		return count < whole ? -1 : 1;
	return (double)whole < with ? -1 : 0;
}

static int compare_aggregate(const struct aggregate *aggregate, const struct expr_scalar *with)
{
	if (aggregate->form == FORM_COUNT)
		return compare_count(aggregate->count, with->number);
	if (aggregate->form == FORM_NUMBER)
		return (aggregate->number > with->number) - (aggregate->number < with->number);
	/* A value has 63 bits and a sign, a count 64: they fit. */
	__int128 scaled = with->millionths;
	if (aggregate->form == FORM_AVERAGE)
		scaled *= aggregate->count;
	return (aggregate->millionths > scaled) - (aggregate->millionths < scaled);
}

static bool aggregate_is_among(const struct expr_test *test, const struct aggregate *aggregate)
{
	unsigned begin = 0;
	unsigned end   = test->value_count;
	while (test->sorted && end - begin > 1) {
		unsigned middle = begin + (end - begin) / 2;
		if (compare_aggregate(aggregate, &test->values[middle]) < 0)
			end = middle;
		else
			begin = middle;
	}
	for (; begin < end; begin++)
		if (compare_aggregate(aggregate, &test->values[begin]) == 0)
			return true;
	return false;
}

static bool compares(const struct expr_test *test, const struct aggregate *aggregate)
{
	int order = compare_aggregate(aggregate, &test->values[0]);
	switch (test->op) {
	case EXPR_GT:
		return order > 0;
	case EXPR_GTE:
		return order >= 0;
	case EXPR_LT:
		return order < 0;
	case EXPR_LTE:
		return order <= 0;
	default:
		assert(!"an operator of aggregates");
		return false;
	}
}

/* Of what is missing every test but neq, not_in and absent is false. */
static bool aggregate_passes(const struct expr_test *test, const struct aggregate *aggregate)
{
	switch (test->op) {
	case EXPR_EQ:
	case EXPR_IN:
		return !aggregate->missing && aggregate_is_among(test, aggregate);
	case EXPR_NEQ:
	case EXPR_NOT_IN:
		return aggregate->missing || !aggregate_is_among(test, aggregate);
	case EXPR_EXISTS:
		return !aggregate->missing;
	case EXPR_ABSENT:
		return aggregate->missing;
	default:
		return !aggregate->missing && compares(test, aggregate);
	}
}

bool evaluate_count(const struct expr_test *test, uint64_t count)
{
	return aggregate_passes(test, &(struct aggregate){.form = FORM_COUNT, .count = count});
}

bool evaluate_sum(const struct expr_test *test, __int128 millionths)
{
	return aggregate_passes(test, &(struct aggregate){.form = FORM_SUM, .millionths = millionths});
}

bool evaluate_average(const struct expr_test *test, __int128 millionths, uint64_t count)
{
	const struct aggregate average = {
		.form       = FORM_AVERAGE,
		.missing    = count == 0,
		.count      = count,
		.millionths = millionths,
	};
	return aggregate_passes(test, &average);
}

bool evaluate_extreme(const struct expr_test *test, const double *number)
{
	const struct aggregate extreme = {
		.form    = FORM_NUMBER,
		.missing = number == NULL,
		.number  = number == NULL ? 0 : *number,
	};
	return aggregate_passes(test, &extreme);
}

/* --- days since --- */

/* Whole days are exact as doubles. */
static bool days_pass(const struct expr_test *test, int64_t days)
{
	double number = (double)days;
	return evaluate_extreme(test, &number);
}

bool evaluate_days(const struct expr_test *test, int64_t event_ms, int64_t now_ms)
{
	if (event_ms == INSTANT_MS_NONE)
		return evaluate_extreme(test, NULL);
	assert(event_ms <= now_ms);
	return days_pass(test, (now_ms - event_ms) / DAY_MS);
}

int64_t evaluate_days_next_ms(const struct expr_test *test, int64_t event_ms, int64_t now_ms)
{
	if (event_ms == INSTANT_MS_NONE)
		return INSTANT_MS_NEVER;
	assert(event_ms <= now_ms);
	int64_t       now_days  = (now_ms - event_ms) / DAY_MS;
	int64_t       next_days = INT64_MAX;
	const int64_t days_max  = (INSTANT_MS_MAX - event_ms) / DAY_MS; /* farther than anything */
	bool          holds     = days_pass(test, now_days);

	/* The answer can only change where the days become a value of the test, or leave it. */
	for (unsigned i = 0; i < test->value_count; i++)
		for (int64_t step = 0; step <= 1; step++) {
			double value = test->values[i].number;
			if (!(value >= 0 && value < (double)days_max))
				continue;
			int64_t days = (int64_t)value + step;
			if (days > now_days && days < next_days && days_pass(test, days) != holds)
				next_days = days;
		}
	return next_days == INT64_MAX ? INSTANT_MS_NEVER : event_ms + next_days * DAY_MS;
}

/* --- distinct --- */

/* The upper half tells the types apart: strings have the uppermost bit. */
#define KEY_NUMBER 1
#define KEY_BOOL   2
#define KEY_STRING (UINT64_C(1) << 63)

static struct distinct_key string_key(struct text text)
{
	return (struct distinct_key){hash_bytes_seeded(text.data, text.length, 1) | KEY_STRING,
	                             hash_bytes(text.data, text.length)};
}

static struct distinct_key number_key(double number)
{
	struct distinct_key key = {KEY_NUMBER, 0};
	number                  = number == 0 ? 0 : number; /* −0 is 0 */
	memcpy(&key.low, &number, sizeof number);
	return key;
}

struct distinct_reader evaluate_distinct(const struct value *value)
{
	struct distinct_reader reader = {.value = value};
	if (value->type == VALUE_STRING_SET)
		reader.items = byte_reader_of(value->text.data, value->text.length);
	return reader;
}

bool distinct_next(struct distinct_reader *reader, struct distinct_key *ret_key)
{
	const struct value *value = reader->value;
	struct text         item;
	double              number;
	if (value == NULL)
		return false;
	if (value->type == VALUE_STRING_SET) {
		if (!value_set_next(&reader->items, &item))
			return false;
		*ret_key = string_key(item);
		return true;
	}

	reader->value = NULL;
	if (value->type == VALUE_STRING)
		*ret_key = string_key(value->text);
	else if (value->type == VALUE_TRUE || value->type == VALUE_FALSE)
		*ret_key = (struct distinct_key){KEY_BOOL, value->type == VALUE_TRUE};
	else if (value_number(value, &number))
		*ret_key = number_key(number);
	else
		return false;
	return true;
}
