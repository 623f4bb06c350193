#include "random_expr.h"

#include <string.h>

#include "../seed.h"
#include "base/instant.h"

#define PICK(array) ((array)[seed_below(sizeof(array) / sizeof(array)[0])])

void random_begin(uint64_t seed) { seed_state = seed | 1; }

static const char *const names[] = {"Order", "Click", "*"};

static int64_t random_window(const struct random_scale *scale) { return PICK(scale->windows); }

/* --- tests --- */

static void add_number_test(struct buffer *out, const char *const *numbers, unsigned count)
{
	static const char *const ops[] = {"gte", "gt", "lt", "lte", "eq", "neq", "in", "not_in"};
	uint32_t                 op    = (uint32_t)seed_below(8);
	buffer_printf(out, "\"op\":\"%s\",\"value\":", ops[op]);
	if (op < 6)
		buffer_printf(out, "%s", numbers[seed_below(count)]);
	else
		buffer_printf(out, "[%s,%s]", numbers[seed_below(count)], numbers[seed_below(count)]);
}

#define ADD_NUMBER_TEST(out, numbers)                                                              \
	add_number_test((out), (numbers), sizeof(numbers) / sizeof(numbers)[0])

/* Of aggregates that may be missing. */
static bool add_presence_test(struct buffer *out)
{
	if (seed_below(6) != 0)
		return false;
	buffer_printf(out, "\"op\":\"%s\"", seed_below(2) ? "exists" : "absent");
	return true;
}

static void add_time_test(struct buffer *out, const struct random_scale *scale)
{
	char instant[INSTANT_TEXT_BYTES];
	switch (seed_below(4)) {
	case 0:
		buffer_printf(out, "\"op\":\"within_last\",\"value\":\"%d%s\"", (int)random_window(scale),
		              scale->unit);
		return;
	case 1:
		buffer_printf(out, "\"op\":\"within_next\",\"value\":\"%d%s\"", (int)random_window(scale),
		              scale->unit);
		return;
	default:
		instant_format(seed_below(2) ? scale->between_from_ms : scale->between_to_ms, instant);
		buffer_printf(out, "\"op\":\"%s\",\"value\":\"%s\"", seed_below(2) ? "before" : "after",
		              instant);
	}
}

/* Of the property "tag", which is anything. */
static void add_tag_test(struct buffer *out)
{
	static const char *const tests[] = {
		"\"op\":\"eq\",\"value\":\"red\"",
		"\"op\":\"neq\",\"value\":\"red\"",
		"\"op\":\"eq\",\"value\":true",
		"\"op\":\"gt\",\"value\":5",
		"\"op\":\"lte\",\"value\":5",
		"\"op\":\"in\",\"value\":[\"red\",5]",
		"\"op\":\"not_in\",\"value\":[\"blue\",false]",
		"\"op\":\"contains\",\"value\":\"re\"",
		"\"op\":\"starts_with\",\"value\":\"b\"",
		"\"op\":\"ends_with\",\"value\":\"d\"",
		"\"op\":\"exists\"",
		"\"op\":\"absent\"",
	};
	buffer_printf(out, "%s", PICK(tests));
}

static void add_where_test(struct buffer *out, const struct random_scale *scale)
{
	static const char *const prices[] = {"20", "50", "80"};
	switch (seed_below(5)) {
	case 0:
		buffer_printf(out, "{\"property\":\"region\",\"op\":\"eq\",\"value\":\"제주\"}");
		return;
	case 1:
		buffer_printf(out, "{\"property\":\"price\",");
		ADD_NUMBER_TEST(out, prices);
		break;
	case 2:
		buffer_printf(out, "{\"property\":\"due\",");
		add_time_test(out, scale);
		break;
	default:
		buffer_printf(out, "{\"property\":\"tag\",");
		add_tag_test(out);
	}
	buffer_printf(out, "}");
}

static void add_where(struct buffer *out, const struct random_scale *scale)
{
	if (seed_below(2))
		return;
	buffer_printf(out, "\"where\":");
	switch (seed_below(5)) {
	case 0:
		buffer_printf(out, "{\"not\":");
		add_where_test(out, scale);
		buffer_printf(out, "}");
		break;
	case 1:
		buffer_printf(out, "{\"%s\":[", seed_below(2) ? "and" : "or");
		add_where_test(out, scale);
		buffer_printf(out, ",");
		add_where_test(out, scale);
		buffer_printf(out, "]}");
		break;
	default:
		add_where_test(out, scale);
	}
	buffer_printf(out, ",");
}

/* --- leaves --- */

static void add_span(struct buffer *out, const struct random_scale *scale)
{
	char    from[INSTANT_TEXT_BYTES], to[INSTANT_TEXT_BYTES];
	int64_t window = random_window(scale);
	switch (seed_below(8)) {
	case 0:
		instant_format(scale->between_from_ms, from);
		instant_format(scale->between_to_ms, to);
		buffer_printf(out, "\"between\":[\"%s\",\"%s\"],", from, to);
		return;
	case 1:
		if (window > scale->windows[0])
			buffer_printf(out, "\"within\":\"%d%s\",", (int)window, scale->unit);
		buffer_printf(out, "\"until\":\"%d%s\",", (int)scale->windows[0], scale->unit);
		return;
	case 2:
		return;
	default:
		buffer_printf(out, "\"within\":\"%d%s\",", (int)window, scale->unit);
	}
}

static void add_aggregate(struct buffer *out, const struct random_scale *scale)
{
	static const char *const counts[]  = {"0", "1", "2", "3", "8", "1.5"};
	static const char *const sums[]    = {"0", "30.5", "-10", "60.25"};
	static const char *const prices[]  = {"20", "50", "79", "99"};
	static const char *const days[]    = {"0", "1", "2", "3", "7"};
	static const char *const amounts[] = {"$amount", "price"};
	switch (seed_below(10)) {
	case 0:
	case 1:
		ADD_NUMBER_TEST(out, counts);
		return;
	case 2:
		buffer_printf(out, "\"aggregate\":\"sum\",\"property\":\"%s\",", PICK(amounts));
		ADD_NUMBER_TEST(out, sums);
		return;
	case 3:
		buffer_printf(out, "\"aggregate\":\"avg\",\"property\":\"%s\",", PICK(amounts));
		if (!add_presence_test(out))
			ADD_NUMBER_TEST(out, sums);
		return;
	case 4:
	case 5:
		buffer_printf(out, "\"aggregate\":\"%s\",\"property\":\"%s\",",
		              seed_below(2) ? "min" : "max", seed_below(4) ? "price" : "$amount");
		if (!add_presence_test(out))
			ADD_NUMBER_TEST(out, prices);
		return;
	case 6:
		buffer_printf(out, "\"aggregate\":\"distinct\",\"property\":\"%s\",",
		              seed_below(2) ? "tag" : "region");
		ADD_NUMBER_TEST(out, counts);
		return;
	case 7:
	case 8: {
		bool time = seed_below(3) == 0;
		buffer_printf(out, "\"aggregate\":\"%s\",\"property\":\"%s\",",
		              seed_below(2) ? "first" : "last", time ? "due" : "tag");
		if (time)
			add_time_test(out, scale);
		else
			add_tag_test(out);
		return;
	}
	default:
		buffer_printf(out, "\"aggregate\":\"days_since_%s\",", seed_below(2) ? "first" : "last");
		if (!add_presence_test(out))
			ADD_NUMBER_TEST(out, days);
	}
}

static void add_sequence(struct buffer *out, const struct random_scale *scale)
{
	unsigned steps = 2 + (unsigned)seed_below(3);
	buffer_printf(out, "{\"sequence\":[");
	for (unsigned i = 0; i < steps; i++) {
		buffer_printf(out, "%s{", i == 0 ? "" : ",");
		if (seed_below(2))
			add_where(out, scale);
		buffer_printf(out, "\"event\":\"%s\"}", PICK(names));
	}
	buffer_printf(out, "]");
	if (seed_below(2))
		buffer_printf(out, ",\"within\":\"%d%s\"", (int)random_window(scale), scale->unit);
	if (seed_below(2))
		buffer_printf(out, ",\"ended_within\":\"%d%s\"", (int)random_window(scale), scale->unit);
	buffer_printf(out, "}");
}

static void add_trait(struct buffer *out, const struct random_scale *scale)
{
	switch (seed_below(4)) {
	case 0:
		buffer_printf(out, "{\"trait\":\"tier\",\"op\":\"eq\",\"value\":\"VIP\"}");
		return;
	case 1:
		buffer_printf(out, "{\"trait\":\"tier\",\"op\":\"absent\"}");
		return;
	case 2:
		buffer_printf(out, "{\"trait\":\"$identified\",\"op\":\"eq\",\"value\":false}");
		return;
	default:
		buffer_printf(out, "{\"trait\":\"seen\",");
		add_time_test(out, scale);
		buffer_printf(out, "}");
	}
}

static void add_leaf(struct buffer *out, const struct random_scale *scale, uint32_t below)
{
	uint32_t kind = (uint32_t)seed_below(12);
	if (kind == 0 && below > 1) {
		buffer_printf(out, "{\"segment\":\"%u\"}", (unsigned)(1 + seed_below(below - 1)));
	} else if (kind <= 1) {
		add_trait(out, scale);
	} else if (kind <= 3) {
		add_sequence(out, scale);
	} else {
		buffer_printf(out, "{\"event\":\"%s\",", PICK(names));
		add_where(out, scale);
		add_span(out, scale);
		add_aggregate(out, scale);
		buffer_printf(out, "}");
	}
}

void random_expr(struct buffer *out, const struct random_scale *scale, uint32_t below,
                 unsigned depth)
{
	uint32_t kind = (uint32_t)seed_below(6);
	if (depth == 0 || kind > 2) {
		add_leaf(out, scale, below);
	} else if (kind == 2) {
		buffer_printf(out, "{\"not\":");
		random_expr(out, scale, below, depth - 1);
		buffer_printf(out, "}");
	} else {
		buffer_printf(out, "{\"%s\":[", kind == 0 ? "and" : "or");
		random_expr(out, scale, below, depth - 1);
		buffer_printf(out, ",");
		random_expr(out, scale, below, depth - 1);
		buffer_printf(out, "]}");
	}
}

/* --- events --- */

void random_properties(struct buffer *out, const struct random_scale *scale, int64_t now_ms)
{
	static const char *const tags[]   = {"\"red\"",   "\"blue\"", "5",         "5.0",
	                                     "\"5\"",     "true",     "false",     "-0.0",
	                                     "0",         "null",     "[]",        "[\"red\",\"blue\"]",
	                                     "[\"red\"]", "[1]",      "{\"a\":1}", "7"};
	static const char *const prices[] = {"\"x\"", "null", "1e300"};
	char                     due[INSTANT_TEXT_BYTES];
	instant_format(now_ms + ((int64_t)seed_below(400) - 200) * scale->unit_ms / 60, due);
	buffer_printf(out, "{\"region\":\"%s\",\"revenue\":%d.%u,\"due\":\"%s\"",
	              seed_below(2) ? "제주" : "부산", (int)seed_below(40) - 15,
	              (unsigned)seed_below(1000), due);
	if (seed_below(8) == 0)
		buffer_printf(out, ",\"price\":%s", PICK(prices));
	else if (seed_below(4) != 0)
		buffer_printf(out, ",\"price\":%u", (unsigned)seed_below(100));
	if (seed_below(4) != 0)
		buffer_printf(out, ",\"tag\":%s", PICK(tags));
	buffer_printf(out, "}");
}
