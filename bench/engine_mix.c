#include "engine_mix.h"

#include <math.h>
#include <stdio.h>

#include "base/instant.h"
#include "model/record.h"
#include "model/value.h"

/* Of unshared segments an event bears SIGNS values, each looked for by one segment at most. */
enum { NAMES = 40, REGIONS = 8, CATEGORIES = 64, SIGNS = 6, AMOUNT_MAX = 1000000 };

const char *const mix_names[MIX_KIND_COUNT] = {"counts", "mix", "unshared"};

/* splitmix64 (Steele, Lea, Flood 2014): one number of a run, by its place. */
static uint64_t random_at(uint64_t place)
{
	uint64_t mixed = place * UINT64_C(0x9e3779b97f4a7c15);
	mixed          = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed          = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ mixed >> 31;
}

static double fraction(uint64_t random) { return (double)(random >> 11) * 0x1p-53; }

/* 1 min to 90 d, each order of magnitude as often. */
static uint64_t within_s(uint64_t random)
{
	return (uint64_t)(60 * pow(90 * 24 * 60, fraction(random)));
}

/* --- segments --- */

static const char *equality(uint32_t number, struct arena *arena)
{
	uint64_t random   = random_at(number + 1000003u);
	unsigned region   = (unsigned)(random % REGIONS);
	unsigned category = (unsigned)(random / REGIONS % CATEGORIES);
	if (number % 4 == 0)
		return arena_printf(arena, "{\"property\":\"region\",\"op\":\"eq\",\"value\":\"r%u\"}",
		                    region);
	if (number % 8 == 1)
		return arena_printf(arena,
		                    "{\"and\":[{\"property\":\"region\",\"op\":\"eq\",\"value\":\"r%u\"},"
		                    "{\"property\":\"category\",\"op\":\"eq\",\"value\":\"category-%u\"}]}",
		                    region, category);
	return arena_printf(
		arena, "{\"property\":\"category\",\"op\":\"eq\",\"value\":\"category-%u\"}", category);
}

static const char *count_of(uint32_t number, const char *where, const char *op, unsigned value,
                            struct arena *arena)
{
	uint64_t random = random_at(number + 2000003u);
	return arena_printf(arena,
	                    "{\"event\":\"Event %u\",\"where\":%s,\"within\":\"%llus\",\"op\":\"%s\","
	                    "\"value\":%u}",
	                    (unsigned)(random % NAMES), where, (unsigned long long)within_s(random), op,
	                    value);
}

/* No two alike, and most of them high: a tenth to a thousandth of the events pass. */
static const char *threshold(uint32_t number, uint32_t segment_count, struct arena *arena)
{
	double passing = pow(10, -1 - 2 * ((double)number / segment_count));
	return count_of(number,
	                arena_printf(arena, "{\"property\":\"revenue\",\"op\":\"gte\",\"value\":%.0f}",
	                             AMOUNT_MAX * (1 - passing)),
	                "gte", 1 + number / 16 % 3, arena);
}

static const char *amount(uint32_t number, struct arena *arena)
{
	uint64_t random = random_at(number + 3000003u);
	unsigned value  = (unsigned)(AMOUNT_MAX / 4 * (1 + random / NAMES % 20));
	return arena_printf(arena,
	                    "{\"event\":\"Event %u\",\"where\":{\"property\":\"region\",\"op\":\"eq\","
	                    "\"value\":\"r%u\"},\"aggregate\":\"sum\",\"property\":\"revenue\","
	                    "\"within\":\"%llus\",\"op\":\"gte\",\"value\":%u}",
	                    (unsigned)(random % NAMES), (unsigned)(random >> 20) % REGIONS,
	                    (unsigned long long)within_s(random), value);
}

static const char *derived(uint32_t number, struct arena *arena)
{
	uint64_t random = random_at(number + 4000003u);
	uint32_t first  = 1 + (uint32_t)(random % (number - 1));
	uint32_t second = 1 + (uint32_t)(random / number % (number - 1));
	return arena_printf(arena, "{\"and\":[{\"segment\":\"%u\"},{\"not\":{\"segment\":\"%u\"}}]}",
	                    first, second);
}

static const char *sign_of(uint32_t number, struct arena *arena)
{
	uint32_t name = number % NAMES, sign = number / NAMES % SIGNS, value = number / NAMES / SIGNS;
	uint64_t random = random_at(number + 5000003u);
	return arena_printf(arena,
	                    "{\"event\":\"Event %u\",\"where\":{\"property\":\"sign_%u\",\"op\":\"eq\","
	                    "\"value\":\"value-%u\"},\"within\":\"%llus\",\"op\":\"gte\",\"value\":%u}",
	                    name, sign, value, (unsigned long long)within_s(random),
	                    1 + (unsigned)(random % 4));
}

const char *mix_segment(enum mix mix, uint32_t number, uint32_t segment_count, struct arena *arena)
{
	if (mix == MIX_UNSHARED)
		return sign_of(number - 1, arena);
	unsigned count = 1 + number / 16 % 4;
	if (mix == MIX_COUNTS)
		return count_of(number, equality(number, arena), "gte", count, arena);
	switch (number % 10) {
	case 1:
	case 2:
		return threshold(number, segment_count, arena);
	case 3:
	case 4:
		return amount(number, arena);
	case 5:
		return derived(number, arena);
	case 6:
		return count_of(number, equality(number, arena), "lt", count, arena);
	default:
		return count_of(number, equality(number, arena), "gte", count, arena);
	}
}

/* --- events --- */

static void add_text(struct buffer *list, const char *name, const char *format, unsigned number)
{
	char text[64];
	snprintf(text, sizeof text, format, number);
	value_add(list, text_of(name), &(struct value){.type = VALUE_STRING, .text = text_of(text)});
}

static void add_signs(struct buffer *list, uint64_t random, uint32_t segment_count)
{
	unsigned values = segment_count / (NAMES * SIGNS) + 1;
	for (unsigned sign = 0; sign < SIGNS; sign++) {
		char name[16];
		snprintf(name, sizeof name, "sign_%u", sign);
		add_text(list, name, "value-%u", (unsigned)(random_at(random + sign) % values));
	}
}

/* One in twenty takes money back. */
static void add_ordinary(struct buffer *list, uint64_t random)
{
	double revenue = floor(fraction(random_at(random)) * AMOUNT_MAX);
	if (random % 20 == 0)
		revenue = -revenue / 2;
	add_text(list, "region", "r%u", (unsigned)(random >> 8) % REGIONS);
	add_text(list, "category", "category-%u", (unsigned)(random >> 16) % CATEGORIES);
	value_add(list, TEXT("revenue"), &(struct value){.type = VALUE_DOUBLE, .number = revenue});
	value_add(list, TEXT("quantity"),
	          &(struct value){.type = VALUE_INT, .integer = (int64_t)(random >> 24 & 7)});
	value_add(list, TEXT("currency"), &(struct value){.type = VALUE_STRING, .text = TEXT("KRW")});
	add_text(list, "product_id", "product-%06u", (unsigned)(random >> 28) % 500000);
}

void mix_event(enum mix mix, uint64_t number, uint64_t persons, uint32_t segment_count,
               int64_t at_ms, struct buffer *out)
{
	static struct buffer list;
	uint64_t             random = random_at(number + (UINT64_C(1) << 40));
	double               active = fraction(random_at(random + 1));
	char                 name[16], id[48];

	buffer_clear(&list);
	size_t begin = value_list_begin(&list);
	if (mix == MIX_UNSHARED)
		add_signs(&list, random, segment_count);
	else
		add_ordinary(&list, random);
	value_list_end(&list, begin, 6);
	snprintf(name, sizeof name, "Event %u", (unsigned)(random >> 40) % NAMES);
	snprintf(id, sizeof id, "%016llx-%08llx", (unsigned long long)random,
	         (unsigned long long)number);
	record_encode(out, &(struct record){.kind  = RECORD_EVENT,
	                                    .flags = RECORD_IDENTIFIED,
	                                    .slot  = (uint32_t)(active * active * (double)persons),
	                                    .call  = CALL_TRACK,
	                                    .timestamp_ms = at_ms - (int64_t)(random >> 32 & 2047),
	                                    .skew_ms      = INSTANT_MS_NONE,
	                                    .name         = text_of(name),
	                                    .message_id   = text_of(id),
	                                    .properties   = buffer_text(&list)});
}
