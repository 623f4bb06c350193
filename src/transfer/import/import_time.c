#include "transfer/import/import_time.h"

#include <string.h>
#include <strings.h>

#include "base/instant.h"

enum { TIME_BYTES_MAX = 64, FORMAT_BYTES_MAX = 128 };

struct scan {
	const char *at;
	const char *end;

	int     year, month, day;
	int     hour, minute, second, ms;
	int     half; /* of the day: −1 unknown, 0, 1 */
	bool    has_offset;
	int64_t offset_ms;
	bool    has_epoch;
	int64_t epoch_s;
};

static bool is_blank(char byte) { return byte == ' ' || byte == '\t'; }

static bool is_digit(const struct scan *scan)
{
	return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

static bool take_byte(struct scan *scan, char byte)
{
	if (scan->at == scan->end || *scan->at != byte)
		return false;
	scan->at++;
	return true;
}

/* `least` to `most` digits. */
static bool take_number(struct scan *scan, int least, int most, int *ret_number)
{
	int count = 0;
	for (*ret_number = 0; count < most && is_digit(scan); count++)
		*ret_number = *ret_number * 10 + (*scan->at++ - '0');
	return count >= least;
}

static bool take_word(struct scan *scan, const char *word, size_t length)
{
	if ((size_t)(scan->end - scan->at) < length || strncasecmp(scan->at, word, length) != 0)
		return false;
	scan->at += length;
	return true;
}

static bool take_month(struct scan *scan)
{
	static const char *const months[] = {"January",   "February", "March",    "April",
	                                     "May",       "June",     "July",     "August",
	                                     "September", "October",  "November", "December"};
	for (int i = 0; i < 12; i++) {
		if (take_word(scan, months[i], strlen(months[i])) || take_word(scan, months[i], 3)) {
			scan->month = i + 1;
			return true;
		}
	}
	return false;
}

static bool take_half(struct scan *scan)
{
	static const char *const words[] = {"am", "pm", "오전", "오후"};
	for (int i = 0; i < 4; i++) {
		if (take_word(scan, words[i], strlen(words[i]))) {
			scan->half = i % 2;
			return true;
		}
	}
	return false;
}

static bool take_offset(struct scan *scan)
{
	int  hours = 0, minutes = 0;
	bool west        = false;
	scan->has_offset = true;
	scan->offset_ms  = 0;
	if (take_byte(scan, 'Z') || take_byte(scan, 'z'))
		return true;
	if (!take_byte(scan, '+') && !(west = take_byte(scan, '-')))
		return false;
	if (!take_number(scan, 2, 2, &hours) || hours > 23)
		return false;
	bool colon = take_byte(scan, ':');
	if ((colon || is_digit(scan)) && (!take_number(scan, 2, 2, &minutes) || minutes > 59))
		return false;
	scan->offset_ms = (hours * 60 + minutes) * MINUTE_MS * (west ? -1 : 1);
	return true;
}

static bool take_fraction(struct scan *scan)
{
	int unit = 100;
	if (!take_byte(scan, '.') && !take_byte(scan, ','))
		return true;
	if (!is_digit(scan))
		return false;
	for (scan->ms = 0; is_digit(scan); scan->at++, unit /= 10)
		scan->ms += (*scan->at - '0') * unit;
	return true;
}

static bool take_epoch(struct scan *scan)
{
	bool minus      = take_byte(scan, '-');
	int  digits     = 0;
	scan->epoch_s   = 0;
	scan->has_epoch = true;
	for (; is_digit(scan) && digits < 13; digits++)
		scan->epoch_s = scan->epoch_s * 10 + (*scan->at++ - '0');
	if (minus)
		scan->epoch_s = -scan->epoch_s;
	return digits > 0;
}

static bool take_short_year(struct scan *scan)
{
	if (!take_number(scan, 2, 2, &scan->year))
		return false;
	scan->year += scan->year < 69 ? 2000 : 1900;
	return true;
}

static bool take_hour_of_twelve(struct scan *scan)
{
	if (!take_number(scan, 1, 2, &scan->hour) || scan->hour < 1 || scan->hour > 12)
		return false;
	scan->hour %= 12;
	return true;
}

static bool take_date(struct scan *scan)
{
	return take_number(scan, 4, 4, &scan->year) && take_byte(scan, '-') &&
	       take_number(scan, 1, 2, &scan->month) && take_byte(scan, '-') &&
	       take_number(scan, 1, 2, &scan->day);
}

static bool take_clock(struct scan *scan)
{
	return take_number(scan, 1, 2, &scan->hour) && take_byte(scan, ':') &&
	       take_number(scan, 2, 2, &scan->minute) && take_byte(scan, ':') &&
	       take_number(scan, 2, 2, &scan->second);
}

static bool take_part(struct scan *scan, char letter)
{
	switch (letter) {
	case 'Y':
		return take_number(scan, 4, 4, &scan->year);
	case 'y':
		return take_short_year(scan);
	case 'm':
		return take_number(scan, 1, 2, &scan->month);
	case 'd':
	case 'e':
		return take_number(scan, 1, 2, &scan->day);
	case 'b':
	case 'B':
		return take_month(scan);
	case 'H':
		return take_number(scan, 1, 2, &scan->hour);
	case 'I':
		return take_hour_of_twelve(scan);
	case 'M':
		return take_number(scan, 1, 2, &scan->minute);
	case 'S':
		return take_number(scan, 1, 2, &scan->second);
	case 'f':
		return take_fraction(scan);
	case 'p':
		return take_half(scan);
	case 'z':
		return take_offset(scan);
	case 's':
		return take_epoch(scan);
	case 'F':
		return take_date(scan);
	case 'T':
		return take_clock(scan);
	default:
		return letter == '%' && take_byte(scan, '%');
	}
}

enum status import_time_check(struct text format, struct error *err)
{
	static const char known[] = "YymdebBHIMSfpzsFT%";
	bool              date    = false;
	if (format.length == 0 || format.length > FORMAT_BYTES_MAX)
		return error_set(err, STATUS_INVALID, "a format has 1 to %d bytes", FORMAT_BYTES_MAX);
	for (size_t i = 0; i < format.length; i++) {
		if (format.data[i] != '%')
			continue;
		char letter = ++i < format.length ? format.data[i] : '\0';
		if (letter == '\0' || strchr(known, letter) == NULL)
			return error_set(err, STATUS_INVALID, "a format knows no %%%c (but %%Y, %%m, %%d, …)",
			                 letter == '\0' ? ' ' : letter);
		date = date || letter == 'd' || letter == 'e' || letter == 's' || letter == 'F';
	}
	if (!date)
		return error_set(err, STATUS_INVALID, "the format has no day");
	return STATUS_OK;
}

static bool in_range(const struct scan *scan)
{
	return scan->year >= 1 && scan->year <= 9999 && scan->month >= 1 && scan->month <= 12 &&
	       scan->day >= 1 && scan->day <= instant_days_of_month(scan->year, scan->month) &&
	       scan->hour <= 23 && scan->minute <= 59 && scan->second <= 59;
}

static bool put_together(const struct scan *scan, const struct zone *zone, int64_t *ret_ms)
{
	int64_t ms;
	if (scan->has_epoch) {
		ms = scan->epoch_s * 1000 + scan->ms;
	} else {
		int hour = scan->half < 0 ? scan->hour : scan->hour % 12 + 12 * scan->half;
		if (!in_range(scan))
			return false;
		ms = instant_days_of_date(scan->year, scan->month, scan->day) * DAY_MS +
		     ((hour * INT64_C(60) + scan->minute) * 60 + scan->second) * 1000 + scan->ms;
		if (scan->has_offset)
			ms -= scan->offset_ms;
		else if (zone != NULL)
			ms = zone_instant_ms(zone, ms);
	}
	*ret_ms = ms;
	return ms >= INSTANT_MS_MIN && ms <= INSTANT_MS_MAX;
}

static void pass_over_blanks(struct scan *scan)
{
	while (scan->at < scan->end && is_blank(*scan->at))
		scan->at++;
}

bool import_time_read(struct text text, struct text format, const struct zone *zone,
                      int64_t *ret_ms)
{
	struct scan scan = {.at    = text.data,
	                    .end   = text.data + text.length,
	                    .year  = 1970,
	                    .month = 1,
	                    .day   = 1,
	                    .half  = -1};
	for (size_t i = 0; i < format.length; i++) {
		char byte = format.data[i];
		if (is_blank(byte))
			pass_over_blanks(&scan);
		else if (byte != '%' && !take_byte(&scan, byte))
			return false;
		else if (byte == '%' && !take_part(&scan, format.data[++i]))
			return false;
	}
	return scan.at == scan.end && put_together(&scan, zone, ret_ms);
}

bool import_time_read_plain(struct text text, const struct zone *zone, int64_t *ret_ms)
{
	enum { DATE_LENGTH = 10, MINUTE_LENGTH = 16, SECOND_LENGTH = 19 };
	char copy[TIME_BYTES_MAX + 4];
	if (text.length == 0 || text.length > TIME_BYTES_MAX)
		return false;
	memcpy(copy, text.data, text.length);
	if (text.length > DATE_LENGTH && copy[DATE_LENGTH] == ' ')
		copy[DATE_LENGTH] = 'T';
	if (text.length == MINUTE_LENGTH) {
		memcpy(copy + MINUTE_LENGTH, ":00", 3);
		text.length += 3;
	}
	if (!instant_parse((struct text){copy, text.length}, ret_ms))
		return false;
	bool local = true;
	for (size_t i = SECOND_LENGTH; i < text.length; i++)
		local = local && (copy[i] == '.' || (copy[i] >= '0' && copy[i] <= '9'));
	if (local && zone != NULL)
		*ret_ms = zone_instant_ms(zone, *ret_ms);
	return *ret_ms >= INSTANT_MS_MIN && *ret_ms <= INSTANT_MS_MAX;
}
