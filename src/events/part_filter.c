#include "events/part_filter.h"

#include <stdlib.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "events/part_words.h"

/* What is known of all values of a column. */
enum certainty { VARIES, ALL_HOLD, NONE_HOLDS };

/* What is known of a text of a dictionary. */
enum knowledge { UNKNOWN, HOLDS, HOLDS_NOT };

struct filter_test {
	const struct where_test *test;
	struct part_reading      reading;
	bool                     missing;                        /* whether it holds of nothing */
	uint8_t                  certain[READING_COLUMNS_MAX];   /* enum certainty */
	int64_t                  only_code[READING_COLUMNS_MAX]; /* of those that hold; −1: others */
	uint8_t                 *known[READING_COLUMNS_MAX + 1]; /* by code; the last of contexts */
};

/* ---- Opening ---- */

static bool passes_value(const struct filter_test *test, const struct value *value, int64_t now_ms)
{
	return evaluate_test(&test->test->test, value, now_ms);
}

static enum certainty certainty_of(bool low, bool high)
{
	if (low != high)
		return VARIES;
	return low ? ALL_HOLD : NONE_HOLDS;
}

/* Comparisons hold, or not, of all numbers between two of which they hold, or not; an equality does
 * not hold where its value lies outside. */
static enum certainty certainty_of_numbers(const struct filter_test *test, const struct part *part,
                                           const struct column *column, int64_t now_ms)
{
	const struct part_column *entry = part_column_entry(part, column);
	struct value              low = {.type = VALUE_DOUBLE}, high = low;
	if (column->encoding == ENCODING_INTS) {
		low.number  = (double)(int64_t)entry->min;
		high.number = (double)(int64_t)entry->max;
	} else {
		memcpy(&low.number, &entry->min, sizeof low.number);
		memcpy(&high.number, &entry->max, sizeof high.number);
	}
	switch (test->test->test.op) {
	case EXPR_GT:
	case EXPR_GTE:
	case EXPR_LT:
	case EXPR_LTE:
		return certainty_of(passes_value(test, &low, now_ms), passes_value(test, &high, now_ms));
	case EXPR_EQ:
		if (test->test->test.values[0].type != EXPR_NUMBER ||
		    test->test->test.values[0].number < low.number ||
		    test->test->test.values[0].number > high.number)
			return NONE_HOLDS;
		return VARIES;
	default:
		return VARIES;
	}
}

/* Whether only texts that are equal to one of the values pass, so that they can be looked for. */
static bool is_equality(const struct expr_test *test)
{
	return test->op == EXPR_EQ || test->op == EXPR_IN;
}

static void open_dictionary(struct filter_test *test, unsigned at, const struct column *column)
{
	enum { LOOKED_FOR_MAX = 16 };
	const struct expr_test *compared = &test->test->test;
	uint32_t                code, found = 0;
	test->known[at] = calloc(column->distinct + 1, 1);
	if (test->known[at] == NULL)
		abort();
	if (column->type != VALUE_STRING || !is_equality(compared) ||
	    compared->value_count > LOOKED_FOR_MAX)
		return;
	memset(test->known[at], HOLDS_NOT, column->distinct);
	for (unsigned i = 0; i < compared->value_count; i++)
		if (compared->values[i].type == EXPR_STRING &&
		    column_code(column, compared->values[i].text, &code) &&
		    test->known[at][code] != HOLDS) {
			test->known[at][code] = HOLDS;
			test->only_code[at]   = code;
			found++;
		}
	test->certain[at] = found == 0 ? NONE_HOLDS : VARIES;
	if (found != 1)
		test->only_code[at] = -1;
}

static void open_test(struct part_filter *filter, struct filter_test *test,
                      const struct where_test *where)
{
	struct value nothing = {.type = VALUE_NONE};
	*test                = (struct filter_test){.test = where};
	part_reading_init(&test->reading, filter->part, &where->property);
	test->missing = passes_value(test, &nothing, filter->wish.now_ms);
	for (unsigned i = 0; i < test->reading.column_count; i++) {
		const struct column *column = test->reading.columns[i];
		test->only_code[i]          = -1;
		if (column->encoding == ENCODING_DICT)
			open_dictionary(test, i, column);
		else if (column->encoding == ENCODING_INTS || column->encoding == ENCODING_DECIMALS ||
		         column->encoding == ENCODING_DOUBLES)
			test->certain[i] =
				certainty_of_numbers(test, filter->part, column, filter->wish.now_ms);
	}
	const struct column *context = test->reading.context;
	if (context == NULL || context->encoding != ENCODING_DICT)
		return;
	test->known[READING_COLUMNS_MAX] = calloc(context->distinct + 1, 1);
	if (test->known[READING_COLUMNS_MAX] == NULL)
		abort();
}

/* Whether a row may have a value of which the test holds (`wanted`), or does not. */
static bool may_be(const struct filter_test *test, bool wanted)
{
	bool may = test->missing == wanted || part_reading_has_odd(&test->reading) ||
	           test->reading.context != NULL;
	for (unsigned i = 0; i < test->reading.column_count; i++)
		may |= test->certain[i] != (wanted ? NONE_HOLDS : ALL_HOLD);
	return may;
}

/* Whether some way through the tests ends well. */
static bool may_pass(const struct part_filter *filter)
{
	bool reached[EXPR_LEAVES_MAX + 1] = {true};
	if (filter->test_count == 0)
		return true;
	for (unsigned i = 0; i < filter->test_count; i++) {
		const struct where_test *where = filter->tests[i].test;
		for (int truth = 0; truth <= 1 && reached[i]; truth++) {
			unsigned next = truth ? where->when_true : where->when_false;
			if (!may_be(&filter->tests[i], truth))
				continue;
			if (next == WHERE_PASSES)
				return true;
			if (next < filter->test_count)
				reached[next] = true;
		}
	}
	return false;
}

static void open_tests(struct part_filter *filter)
{
	const struct compiled_where *where = filter->wish.where;
	if (where == NULL)
		return;
	filter->test_count = where->count;
	filter->tests      = calloc(where->count, sizeof *filter->tests);
	filter->reach = malloc(((size_t)where->count + 2) * FILTER_WORDS_MAX * sizeof *filter->reach);
	if (filter->tests == NULL || filter->reach == NULL)
		abort();
	for (unsigned i = 0; i < where->count; i++)
		open_test(filter, &filter->tests[i], &where->tests[i]);
}

/* Times of acceptance as times and delays bound them. */
static bool is_received_before(const struct part *part, int64_t before_ms)
{
	const struct part_column *delays = part_column_entry(part, part->roles[ROLE_RECEIVED]);
	int64_t                   last_ms;
	return !__builtin_add_overflow(part->header->time_max_ms, (int64_t)delays->max, &last_ms) &&
	       last_ms < before_ms;
}

bool part_filter_init(struct part_filter *filter, struct part *part,
                      const struct part_filter_wish *wish)
{
	const struct part_header *header = part->header;
	*filter = (struct part_filter){.part = part, .wish = *wish, .fast = words_are_fast()};
	if (header->events == 0 || part->roles[ROLE_NAME] == NULL ||
	    header->time_max_ms < wish->from_ms || header->time_min_ms >= wish->to_ms)
		return false;
	filter->name = part_name_of(part, wish->name);
	if (filter->name.nowhere)
		return false;
	filter->by_time = header->time_min_ms < wish->from_ms || header->time_max_ms >= wish->to_ms;
	filter->by_received =
		wish->received_before_ms != 0 && !is_received_before(part, wish->received_before_ms);
	open_tests(filter);
	if (may_pass(filter))
		return true;
	part_filter_done(filter);
	return false;
}

void part_filter_done(struct part_filter *filter)
{
	for (unsigned i = 0; i < filter->test_count; i++) {
		struct filter_test *test = &filter->tests[i];
		part_reading_done(&test->reading);
		for (unsigned j = 0; j <= READING_COLUMNS_MAX; j++)
			free(test->known[j]);
	}
	free(filter->tests);
	free(filter->reach);
}

/* ---- Codes ---- */

#if !defined(__SSE2__)
/* Which of 8 bytes are 0, a bit each. */
INLINE uint64_t zero_bytes(uint64_t bytes)
{
	const uint64_t low  = UINT64_C(0x7f7f7f7f7f7f7f7f);
	uint64_t       zero = ~((((bytes & low) + low) | bytes) | low);
	return ((zero >> 7) * UINT64_C(0x0102040810204080)) >> 56;
}

#endif

/* The same of 4 pairs of bytes. */
INLINE uint64_t zero_pairs(uint64_t pairs)
{
	const uint64_t low  = UINT64_C(0x7fff7fff7fff7fff);
	uint64_t       zero = ~((((pairs & low) + low) | pairs) | low);
	return ((zero >> 15) * UINT64_C(0x1000200040008000)) >> 60;
}

/* Which of 64 bytes are `code`. */
INLINE uint64_t equal_bytes(const uint8_t *at, uint32_t code)
{
	uint64_t result = 0;
#if defined(__SSE2__)
	const __m128i wanted = _mm_set1_epi8((char)code);
	for (unsigned i = 0; i < 4; i++) {
		__m128i codes = _mm_loadu_si128((const __m128i *)(const void *)(at + i * 16));
		result |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(codes, wanted)) << i * 16;
	}
#else
	uint64_t codes;
	for (unsigned i = 0; i < 8; i++) {
		memcpy(&codes, at + i * 8, sizeof codes);
		result |= zero_bytes(codes ^ (code * UINT64_C(0x0101010101010101))) << i * 8;
	}
#endif
	return result;
}

/* Which of 64 numbers from `index` on are `code`, a bit each; not more than there are. */
INLINE uint64_t equal_codes(const struct column *column, uint32_t index, uint32_t code)
{
	uint64_t left = column->count - index, result = 0;
	if (left < 64 || (column->width != 1 && column->width != 2)) {
		for (unsigned i = 0; i < 64 && i < left; i++)
			result |=
				(uint64_t)(column_number_at(column->numbers, column->width, index + i) == code)
				<< i;
		return result;
	}
	const uint8_t *at = column->numbers + (uint64_t)index * column->width;
	uint64_t       codes;
	if (column->width == 1)
		return equal_bytes(at, code);
	for (unsigned i = 0; i < 16; i++) {
		memcpy(&codes, at + i * 8, sizeof codes);
		result |= zero_pairs(codes ^ (code * UINT64_C(0x0001000100010001))) << i * 4;
	}
	return result;
}

INLINE uint64_t named_in_word(const struct part_filter *filter, uint32_t word, uint64_t bits,
                              bool fast)
{
	const struct column *names = filter->part->roles[ROLE_NAME];
	struct word_values   values;
	uint64_t             result = 0;
	bits &= present(names, word);
	if (filter->name.any || bits == 0 || (filter->name.coded && names->width == 0))
		return bits;
	if (!filter->name.coded) {
		EACH_BIT(bit, bits)
		result |= (uint64_t)part_has_name(filter->part, word * 64 + (uint32_t)bit, &filter->name)
		          << bit;
		return result;
	}
	if (!values_of(names, word, &values) || values.rank >= names->count)
		return 0;
	return bits & spread(equal_codes(names, values.rank, filter->name.code), values.present, fast);
}

/* ---- Tests ---- */

static bool evaluate_index(const struct filter_test *test, const struct column *column,
                           uint32_t index, int64_t now_ms)
{
	struct value value = part_reading_of_column(column, index);
	return passes_value(test, &value, now_ms);
}

/* A text of a dictionary that nobody has asked for yet. */
static bool learn(const struct filter_test *test, uint8_t *known, const struct column *column,
                  uint32_t index, int64_t now_ms)
{
	bool holds = evaluate_index(test, column, index, now_ms);
	*known     = holds ? HOLDS : HOLDS_NOT;
	return holds;
}

INLINE uint64_t coded_in_word(const struct filter_test *test, unsigned at,
                              const struct word_values *values, uint64_t bits, int64_t now_ms,
                              bool fast)
{
	enum { MANY = 16 };
	const struct column *column = values->column;
	uint64_t             result = 0;
	if (test->only_code[at] >= 0 && __builtin_popcountll(bits) >= MANY)
		return bits & spread(equal_codes(column, values->rank, (uint32_t)test->only_code[at]),
		                     values->present, fast);
	EACH_BIT(bit, bits)
	{
		uint32_t index = index_of(values, (unsigned)bit);
		uint64_t code  = column_number_at(column->numbers, column->width, index);
		if (code >= column->distinct) {
			part_guard_fail(column->guard, column->numbers);
			continue;
		}
		uint8_t *known = &test->known[at][code];
		bool     holds =
            *known == UNKNOWN ? learn(test, known, column, index, now_ms) : *known == HOLDS;
		result |= (uint64_t)holds << bit;
	}
	return result;
}

INLINE double number_at(const struct column *column, double power, uint32_t index)
{
	if (column->encoding == ENCODING_DOUBLES)
		return ((const double *)(const void *)column->numbers)[index];
	double whole = (double)(int64_t)((uint64_t)column->base +
	                                 column_number_at(column->numbers, column->width, index));
	return column->encoding == ENCODING_INTS ? whole : whole / power;
}

INLINE uint64_t numbers_in_word(const struct filter_test *test, const struct word_values *values,
                                uint64_t bits, int64_t now_ms)
{
	const struct expr_test *compared = &test->test->test;
	const struct column    *column   = values->column;
	double                  power    = column_power(column->scale);
	double                  with     = compared->value_count > 0 ? compared->values[0].number : 0;
	uint64_t                result   = 0;
	EACH_BIT(bit, bits)
	{
		double number = number_at(column, power, index_of(values, (unsigned)bit));
		bool   holds;
		switch (compared->op) {
		case EXPR_GT:
			holds = number > with;
			break;
		case EXPR_GTE:
			holds = number >= with;
			break;
		case EXPR_LT:
			holds = number < with;
			break;
		case EXPR_LTE:
			holds = number <= with;
			break;
		default:
			holds =
				passes_value(test, &(struct value){.type = VALUE_DOUBLE, .number = number}, now_ms);
		}
		result |= (uint64_t)holds << bit;
	}
	return result;
}

INLINE uint64_t values_in_word(const struct filter_test *test, unsigned at, uint32_t word,
                               uint64_t bits, int64_t now_ms, bool fast)
{
	const struct column *column = test->reading.columns[at];
	struct word_values   values;
	uint64_t             result = 0;
	if (test->certain[at] != VARIES)
		return test->certain[at] == ALL_HOLD ? bits : 0;
	if (!values_of(column, word, &values))
		return 0;
	switch (column->encoding) {
	case ENCODING_DICT:
		return coded_in_word(test, at, &values, bits, now_ms, fast);
	case ENCODING_INTS:
	case ENCODING_DECIMALS:
	case ENCODING_DOUBLES:
		return numbers_in_word(test, &values, bits, now_ms);
	default:
		EACH_BIT(bit, bits)
		result |= (uint64_t)evaluate_index(test, column, index_of(&values, (unsigned)bit), now_ms)
		          << bit;
		return result;
	}
}

static bool context_holds(const struct filter_test *test, uint32_t index, int64_t now_ms)
{
	struct text  context = part_reading_text(test->reading.context, index);
	struct value value   = evaluate_property(test->reading.path, (struct text){0}, context);
	return passes_value(test, &value, now_ms);
}

/* Rows that have the property, if at all, in their context. */
INLINE uint64_t contexts_in_word(const struct filter_test *test, uint32_t word, uint64_t bits,
                                 int64_t now_ms)
{
	struct word_values   values;
	const struct column *column = test->reading.context;
	uint8_t             *known  = test->known[READING_COLUMNS_MAX];
	if (!values_of(column, word, &values))
		return 0;
	uint64_t have   = bits & values.present;
	uint64_t result = test->missing ? bits & ~have : 0;
	EACH_BIT(bit, have)
	{
		uint32_t index = index_of(&values, (unsigned)bit);
		uint64_t code  = 0;
		if (known != NULL)
			code = column_number_at(column->numbers, column->width, index);
		if (known == NULL || code >= column->distinct) {
			result |= (uint64_t)context_holds(test, index, now_ms) << bit;
			continue;
		}
		if (known[code] == UNKNOWN)
			known[code] = context_holds(test, index, now_ms) ? HOLDS : HOLDS_NOT;
		result |= (uint64_t)(known[code] == HOLDS) << bit;
	}
	return result;
}

/* Which of these rows do not lie simply, by their shapes. */
INLINE uint64_t odd_rows(const struct part_reading *reading, uint32_t word, uint64_t bits)
{
	const struct column *shapes = reading->part->roles[ROLE_SHAPE];
	struct word_values   values;
	uint64_t             odd  = 0;
	uint64_t             each = bits; /* to be asked by themselves */
	if (reading->all_odd)
		return bits;
	if (shapes != NULL && values_of(shapes, word, &values)) {
		each = reading->raw ? bits & ~values.present : 0;
		EACH_BIT(bit, reading->odd == NULL ? 0 : bits & values.present)
		{
			uint32_t index = index_of(&values, (unsigned)bit);
			uint64_t code  = column_number_at(shapes->numbers, shapes->width, index);
			odd |= (uint64_t)(code >= shapes->distinct || reading->odd[code] != 0) << bit;
		}
	}
	EACH_BIT(bit, each)
	odd |= (uint64_t)part_reading_is_odd(reading, word * 64 + (uint32_t)bit) << bit;
	return odd;
}

/* Of which of these odd rows the test holds. */
static uint64_t odd_in_word(const struct filter_test *test, uint32_t word, uint64_t odd,
                            int64_t now_ms)
{
	uint64_t result = 0;
	EACH_BIT(bit, odd)
	{
		struct value value = part_reading_odd_value(&test->reading, word * 64 + (uint32_t)bit);
		result |= (uint64_t)passes_value(test, &value, now_ms) << bit;
	}
	return result;
}

/* Of which of these rows the test holds. */
INLINE uint64_t test_word(const struct filter_test *test, uint32_t word, uint64_t bits,
                          int64_t now_ms, bool fast)
{
	uint64_t result = 0;
	if (part_reading_has_odd(&test->reading)) {
		uint64_t odd = odd_rows(&test->reading, word, bits);
		result       = odd == 0 ? 0 : odd_in_word(test, word, odd, now_ms);
		bits &= ~odd;
	}
	for (unsigned i = 0; i < test->reading.column_count && bits != 0; i++) {
		uint64_t have = bits & present(test->reading.columns[i], word);
		if (have != 0)
			result |= values_in_word(test, i, word, have, now_ms, fast);
		bits &= ~have;
	}
	if (bits != 0 && test->reading.context != NULL)
		return result | contexts_in_word(test, word, bits, now_ms);
	return test->missing ? result | bits : result;
}

/* ---- Running ---- */

static bool any(const uint64_t *bits, uint32_t word_count)
{
	uint64_t all = 0;
	for (uint32_t i = 0; i < word_count; i++)
		all |= bits[i];
	return all != 0;
}

static uint64_t *reach_of(const struct part_filter *filter, unsigned next)
{
	unsigned at = next == WHERE_PASSES  ? filter->test_count
	              : next == WHERE_FAILS ? filter->test_count + 1
	                                    : next;
	return filter->reach + (size_t)at * FILTER_WORDS_MAX;
}

INLINE void run_tests(struct part_filter *filter, uint32_t first_word, uint32_t word_count,
                      uint64_t *bits, bool fast)
{
	int64_t now_ms = filter->wish.now_ms;
	memset(filter->reach, 0,
	       ((size_t)filter->test_count + 2) * FILTER_WORDS_MAX * sizeof *filter->reach);
	memcpy(filter->reach, bits, word_count * sizeof *bits);
	for (unsigned i = 0; i < filter->test_count; i++) {
		const struct filter_test *test       = &filter->tests[i];
		const uint64_t           *here       = reach_of(filter, i);
		uint64_t                 *when_true  = reach_of(filter, test->test->when_true);
		uint64_t                 *when_false = reach_of(filter, test->test->when_false);
		if (!any(here, word_count))
			continue;
		for (unsigned j = 0; j < test->reading.column_count; j++)
			words_touch(test->reading.columns[j], first_word, word_count);
		if (part_reading_has_odd(&test->reading) && filter->part->roles[ROLE_SHAPE] != NULL)
			words_touch(filter->part->roles[ROLE_SHAPE], first_word, word_count);
		if (test->reading.context != NULL)
			words_touch(test->reading.context, first_word, word_count);
		for (uint32_t j = 0; j < word_count; j++) {
			if (here[j] == 0)
				continue;
			uint64_t holds = test_word(test, first_word + j, here[j], now_ms, fast);
			when_true[j] |= holds;
			when_false[j] |= here[j] & ~holds;
		}
	}
	memcpy(bits, reach_of(filter, WHERE_PASSES), word_count * sizeof *bits);
}

INLINE void run_names(const struct part_filter *filter, uint32_t first_word, uint32_t word_count,
                      uint64_t *bits, bool fast)
{
	words_touch(filter->part->roles[ROLE_NAME], first_word, word_count);
	for (uint32_t i = 0; i < word_count; i++)
		if (bits[i] != 0)
			bits[i] = named_in_word(filter, first_word + i, bits[i], fast);
}

/* Those whose number is at least `min` and at most `max`. */
INLINE void run_range(const struct column *column, int64_t min, int64_t max, uint32_t first_word,
                      uint32_t word_count, uint64_t *bits)
{
	words_touch(column, first_word, word_count);
	for (uint32_t i = 0; i < word_count; i++) {
		uint64_t kept = 0;
		EACH_BIT(bit, bits[i])
		{
			uint32_t row    = (first_word + i) * 64 + (uint32_t)bit;
			int64_t  number = (int64_t)((uint64_t)column->base +
                                       column_number_at(column->numbers, column->width, row));
			kept |= (uint64_t)(number >= min && number <= max) << bit;
		}
		bits[i] = kept;
	}
}

static void run_received(const struct part_filter *filter, uint32_t first_word, uint32_t word_count,
                         uint64_t *bits)
{
	const struct part *part = filter->part;
	for (uint32_t i = 0; i < word_count; i++) {
		uint64_t kept = 0;
		EACH_BIT(bit, bits[i])
		{
			uint32_t row = (first_word + i) * 64 + (uint32_t)bit;
			kept |= (uint64_t)(part_received_ms(part, row) < filter->wish.received_before_ms)
			        << bit;
		}
		bits[i] = kept;
	}
}

INLINE void run(struct part_filter *filter, uint32_t first_word, uint32_t word_count,
                uint64_t through_position, uint64_t *bits, bool fast)
{
	const struct part *part = filter->part;
	run_names(filter, first_word, word_count, bits, fast);
	if (!any(bits, word_count))
		return;
	if (filter->by_time)
		run_range(part->roles[ROLE_TIME], filter->wish.from_ms, filter->wish.to_ms - 1, first_word,
		          word_count, bits);
	if (part->header->position_max > through_position)
		run_range(part->roles[ROLE_POSITION], 0,
		          through_position > INT64_MAX ? INT64_MAX : (int64_t)through_position, first_word,
		          word_count, bits);
	if (filter->by_received)
		run_received(filter, first_word, word_count, bits);
	if (filter->test_count > 0 && any(bits, word_count))
		run_tests(filter, first_word, word_count, bits, fast);
}

FAST static void run_fast(struct part_filter *filter, uint32_t first_word, uint32_t word_count,
                          uint64_t through_position, uint64_t *bits)
{
	run(filter, first_word, word_count, through_position, bits, true);
}

static void run_plain(struct part_filter *filter, uint32_t first_word, uint32_t word_count,
                      uint64_t through_position, uint64_t *bits)
{
	run(filter, first_word, word_count, through_position, bits, false);
}

void part_filter_run(struct part_filter *filter, uint32_t first_word, uint32_t word_count,
                     uint64_t through_position, uint64_t *bits)
{
	if (filter->fast)
		run_fast(filter, first_word, word_count, through_position, bits);
	else
		run_plain(filter, first_word, word_count, through_position, bits);
}
