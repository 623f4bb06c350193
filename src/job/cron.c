#include "job/cron.h"

#include <assert.h>

#include "base/instant.h"

enum {
	MINUTES_OF_HOUR = 60,
	HOURS_OF_DAY    = 24,
	WEEKDAYS        = 7,
	ALL_HOURS       = (1 << HOURS_OF_DAY) - 1,
	/* From one 29 February to the next when a leap year is left out: 8 years. */
	DAYS_AHEAD_MAX = 9 * 366,
};

#define HOUR_MS (INT64_C(60) * MINUTE_MS)
/* Clocks are set by less than this. */
#define TURN_MS_MAX (3 * HOUR_MS)

/* ---- Reading ---- */

struct field {
	const char *name;
	int         min;
	int         max;
	const char *names; /* three letters each, the first stands for `names_from` */
	int         names_from;
};

static const struct field fields[] = {
	{"minute", 0, 59, "", 0},
	{"hour", 0, 23, "", 0},
	{"day of the month", 1, 31, "", 0},
	{"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", 1},
	{"weekday", 0, 7, "SUNMONTUEWEDTHUFRISAT", 0},
};
enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELD_COUNT };

struct scan {
	const char *at;
	const char *end;
};

static bool take(struct scan *scan, char c)
{
	if (scan->at == scan->end || *scan->at != c)
		return false;
	scan->at++;
	return true;
}

static bool take_digits(struct scan *scan, int *ret_number)
{
	const char *begin  = scan->at;
	int         number = 0;
	for (; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; scan->at++) {
		if (scan->at - begin == 4)
			return false;
		number = number * 10 + (*scan->at - '0');
	}
	*ret_number = number;
	return scan->at > begin;
}

static bool same_letter(char letter, char upper) { return (letter & ~0x20) == upper; }

static bool take_name(struct scan *scan, const struct field *field, int *ret_number)
{
	if (scan->end - scan->at < 3)
		return false;
	for (int i = 0; field->names[3 * i] != '\0'; i++) {
		const char *name = field->names + 3 * i;
		if (same_letter(scan->at[0], name[0]) && same_letter(scan->at[1], name[1]) &&
		    same_letter(scan->at[2], name[2])) {
			scan->at += 3;
			*ret_number = field->names_from + i;
			return true;
		}
	}
	return false;
}

static enum status bad(const struct field *field, const char *what, struct error *err)
{
	return error_set_field(err, STATUS_INVALID, "cron", "The field \"%s\" %s", field->name, what);
}

static enum status take_value(struct scan *scan, const struct field *field, int *ret_number,
                              struct error *err)
{
	if (!take_digits(scan, ret_number) && !take_name(scan, field, ret_number))
		return bad(field, "has something that is no number or name", err);
	if (*ret_number < field->min || *ret_number > field->max)
		return error_set_field(err, STATUS_INVALID, "cron",
		                       "The field \"%s\" has %d, but takes %d to %d only", field->name,
		                       *ret_number, field->min, field->max);
	return STATUS_OK;
}

/* One item of a list: `*`, a value or a range, and its step. */
static enum status take_item(struct scan *scan, const struct field *field, uint64_t *set,
                             struct error *err)
{
	int         from = field->min, to = field->max, step = 1;
	bool        one    = false;
	enum status status = STATUS_OK;
	if (!take(scan, '*')) {
		if ((status = take_value(scan, field, &from, err)) != STATUS_OK)
			return status;
		one = !take(scan, '-');
		if (!one && (status = take_value(scan, field, &to, err)) != STATUS_OK)
			return status;
		if (!one && to == 0 && field == &fields[WEEKDAY])
			to = WEEKDAYS; /* FRI-SUN */
	}
	if (take(scan, '/')) {
		one = false;
		if (!take_digits(scan, &step) || step == 0)
			return bad(field, "has a step that is no number from 1 on", err);
	}
	if (one)
		to = from;
	if (from > to)
		return bad(field, "has a range that ends before it begins", err);
	for (int i = from; i <= to; i += step)
		*set |= UINT64_C(1) << i;
	return STATUS_OK;
}

static enum status read_field(struct text text, const struct field *field, uint64_t *ret_set,
                              struct error *err)
{
	struct scan scan = {text.data, text.data + text.length};
	*ret_set         = 0;
	do {
		enum status status = take_item(&scan, field, ret_set, err);
		if (status != STATUS_OK)
			return status;
	} while (take(&scan, ','));
	return scan.at == scan.end ? STATUS_OK : bad(field, "has something behind its values", err);
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* Splits at blanks; false: there are not five. */
static bool split(struct text text, struct text ret_fields[FIELD_COUNT])
{
	const char *at = text.data, *end = text.data + text.length;
	unsigned    count = 0;
	for (;;) {
		while (at < end && is_blank(*at))
			at++;
		if (at == end)
			return count == FIELD_COUNT;
		const char *begin = at;
		while (at < end && !is_blank(*at))
			at++;
		if (count == FIELD_COUNT)
			return false;
		ret_fields[count++] = (struct text){begin, (size_t)(at - begin)};
	}
}

/* Whether some year has such a day. */
static bool has_days(const struct cron *cron)
{
	static const int leap_year = 2024;
	if (!cron->any_weekday)
		return true; /* by weekday alone, or by either */
	for (int month = 1; month <= 12; month++)
		for (int day = 1; day <= instant_days_of_month(leap_year, month); day++)
			if ((cron->months >> month & 1) != 0 && (cron->days >> day & 1) != 0)
				return true;
	return false;
}

enum status cron_parse(struct text text, struct cron *ret_cron, struct error *err)
{
	struct text texts[FIELD_COUNT];
	uint64_t    sets[FIELD_COUNT];
	if (text.length > CRON_TEXT_BYTES_MAX)
		return error_set_field(err, STATUS_INVALID, "cron", "Longer than %d bytes",
		                       CRON_TEXT_BYTES_MAX);
	if (!split(text, texts))
		return error_set_field(err, STATUS_INVALID, "cron",
		                       "Five fields are needed: minute, hour, day of the month, month, "
		                       "weekday");
	for (unsigned i = 0; i < FIELD_COUNT; i++) {
		enum status status = read_field(texts[i], &fields[i], &sets[i], err);
		if (status != STATUS_OK)
			return status;
	}
	struct cron cron = {
		.minutes     = sets[MINUTE],
		.hours       = (uint32_t)sets[HOUR],
		.days        = (uint32_t)sets[DAY],
		.months      = (uint16_t)sets[MONTH],
		.weekdays    = (uint8_t)((sets[WEEKDAY] | sets[WEEKDAY] >> WEEKDAYS) & 0x7f),
		.any_day     = texts[DAY].data[0] == '*',
		.any_weekday = texts[WEEKDAY].data[0] == '*',
	};
	if (!has_days(&cron))
		return error_set_field(err, STATUS_INVALID, "cron", "No year has such a day");
	*ret_cron = cron;
	return STATUS_OK;
}

/* ---- Instants ---- */

static bool day_matches(const struct cron *cron, int64_t local_ms)
{
	int year, month, day;
	instant_date(local_ms, &year, &month, &day);
	if ((cron->months >> month & 1) == 0)
		return false;
	int64_t days      = instant_floor_day_ms(local_ms) / DAY_MS;
	int     weekday   = (int)(((days + 4) % WEEKDAYS + WEEKDAYS) % WEEKDAYS); /* 1970: Thursday */
	bool    of_month  = (cron->days >> day & 1) != 0;
	bool    of_week   = (cron->weekdays >> weekday & 1) != 0;
	bool    is_either = !cron->any_day && !cron->any_weekday;
	return is_either ? of_month || of_week : of_month && of_week;
}

/* The second instant at which clocks show this time, or the first again. */
static int64_t second_instant_ms(const struct zone *zone, int64_t first_ms, int64_t local_ms)
{
	int64_t back_ms = zone_offset_ms(zone, first_ms) - zone_offset_ms(zone, first_ms + TURN_MS_MAX);
	int64_t second_ms = first_ms + back_ms;
	return back_ms > 0 && second_ms + zone_offset_ms(zone, second_ms) == local_ms ? second_ms
	                                                                              : first_ms;
}

/* The earliest instant of this local day behind `after_ms`; INSTANT_MS_NEVER: none. */
static int64_t next_of_day(const struct cron *cron, const struct zone *zone, int64_t day_ms,
                           int64_t after_ms)
{
	int64_t next_ms = INSTANT_MS_NEVER;
	for (int minute = 0; minute < HOURS_OF_DAY * MINUTES_OF_HOUR; minute++) {
		if ((cron->hours >> minute / MINUTES_OF_HOUR & 1) == 0 ||
		    (cron->minutes >> minute % MINUTES_OF_HOUR & 1) == 0)
			continue;
		int64_t local_ms   = day_ms + minute * MINUTE_MS;
		int64_t instant_ms = zone_instant_ms(zone, local_ms);
		if (instant_ms <= after_ms && cron->hours == ALL_HOURS)
			instant_ms = second_instant_ms(zone, instant_ms, local_ms);
		if (instant_ms > after_ms && instant_ms < next_ms)
			next_ms = instant_ms;
	}
	return next_ms;
}

int64_t cron_next_ms(const struct cron *cron, const struct zone *zone, int64_t after_ms)
{
	if (after_ms > INSTANT_MS_MAX - DAYS_AHEAD_MAX * DAY_MS)
		return INSTANT_MS_NEVER;
	/* From the day before: its skipped or repeated times may lie behind midnight. */
	int64_t day_ms = instant_floor_day_ms(after_ms + zone_offset_ms(zone, after_ms)) - DAY_MS;
	for (int i = 0; i < DAYS_AHEAD_MAX; i++, day_ms += DAY_MS) {
		if (!day_matches(cron, day_ms))
			continue;
		int64_t next_ms = next_of_day(cron, zone, day_ms, after_ms);
		if (next_ms != INSTANT_MS_NEVER)
			return next_ms;
	}
	assert(!"cron_parse() lets only days through that come again");
	return INSTANT_MS_NEVER;
}
