#include "base/zone.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/instant.h"
#include "base/vector.h"

enum {
	FILE_BYTES_MAX  = 1 << 20,
	HEADER_BYTES    = 44,
	TYPE_BYTES      = 6,
	LEAP_BYTES      = 12,
	OFFSET_S_MAX    = 26 * 3600, /* RFC 8536 */
	RULE_HOURS_MAX  = 167,
	SECONDS_OF_DAY  = 86400,
	SECONDS_OF_HOUR = 3600,
};

/* "M3.5.0/2": the fifth (that is the last) Sunday of March, at 2 o'clock of the offset before. */
struct turn {
	int     month;
	int     week;
	int     day;
	int64_t time_s;
};

struct zone {
	/* From which second on which offset holds, ascending. */
	VECTOR(struct change {
		int64_t from_s;
		int64_t offset_s;
	})
	changes;
	int64_t first_s; /* the offset before all of them */

	/* Behind the last one. */
	bool        has_rule;
	bool        has_summer;
	int64_t     winter_s;
	int64_t     summer_s;
	struct turn to_summer;
	struct turn to_winter;
};

/* ---- Rules, as POSIX writes TZ ---- */

struct scan {
	const char *at;
	const char *end;
};

static bool take(struct scan *scan, char byte)
{
	if (scan->at == scan->end || *scan->at != byte)
		return false;
	scan->at++;
	return true;
}

static bool take_number(struct scan *scan, int max, int *ret_number)
{
	const char *begin  = scan->at;
	int         number = 0;
	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9' && number <= max)
		number = number * 10 + (*scan->at++ - '0');
	*ret_number = number;
	return scan->at > begin && number <= max;
}

/* "<+09>" or "KST". */
static bool take_name(struct scan *scan)
{
	const char *begin = scan->at;
	if (take(scan, '<')) {
		while (scan->at < scan->end && *scan->at != '>')
			scan->at++;
		return take(scan, '>');
	}
	while (scan->at < scan->end &&
	       ((*scan->at >= 'A' && *scan->at <= 'Z') || (*scan->at >= 'a' && *scan->at <= 'z')))
		scan->at++;
	return scan->at > begin;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct scan *scan, int64_t *ret_s)
{
	int  hours, minutes = 0, seconds = 0;
	bool minus = take(scan, '-');
	if (!minus)
		(void)take(scan, '+');
	if (!take_number(scan, RULE_HOURS_MAX, &hours) ||
	    (take(scan, ':') && !take_number(scan, 59, &minutes)) ||
	    (take(scan, ':') && !take_number(scan, 59, &seconds)))
		return false;
	*ret_s = (int64_t)hours * SECONDS_OF_HOUR + (int64_t)minutes * 60 + seconds;
	if (minus)
		*ret_s = -*ret_s;
	return true;
}

/* The forms with a day of the year do not occur in the database. */
static bool take_turn(struct scan *scan, struct turn *turn)
{
	turn->time_s = (int64_t)2 * SECONDS_OF_HOUR;
	return take(scan, ',') && take(scan, 'M') && take_number(scan, 12, &turn->month) &&
	       turn->month >= 1 && take(scan, '.') && take_number(scan, 5, &turn->week) &&
	       turn->week >= 1 && take(scan, '.') && take_number(scan, 6, &turn->day) &&
	       (!take(scan, '/') || take_time(scan, &turn->time_s));
}

/* STD offset [DST [offset] , turn , turn]; POSIX counts what is added to local time. */
static bool read_rule(struct zone *zone, struct text rule)
{
	struct scan scan = {rule.data, rule.data + rule.length};
	if (!take_name(&scan) || !take_time(&scan, &zone->winter_s))
		return false;
	zone->winter_s = -zone->winter_s;
	zone->has_rule = true;
	if (scan.at == scan.end)
		return true;
	if (!take_name(&scan))
		return false;
	zone->summer_s = zone->winter_s + SECONDS_OF_HOUR;
	if (scan.at < scan.end && *scan.at != ',') {
		if (!take_time(&scan, &zone->summer_s))
			return false;
		zone->summer_s = -zone->summer_s;
	}
	zone->has_summer = true;
	return take_turn(&scan, &zone->to_summer) && take_turn(&scan, &zone->to_winter) &&
	       scan.at == scan.end;
}

/* The local second of a turn in this year. */
static int64_t turn_s(const struct turn *turn, int year)
{
	int64_t first   = instant_days_of_date(year, turn->month, 1);
	int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
	int64_t day     = (turn->day - weekday + 7) % 7 + (int64_t)(turn->week - 1) * 7;
	while (day >= instant_days_of_month(year, turn->month))
		day -= 7;
	return (first + day) * SECONDS_OF_DAY + turn->time_s;
}

static int64_t rule_offset_s(const struct zone *zone, int64_t utc_s)
{
	if (!zone->has_summer)
		return zone->winter_s;
	int year, month, day;
	instant_date((utc_s + zone->winter_s) * 1000, &year, &month, &day);
	int64_t summer = turn_s(&zone->to_summer, year) - zone->winter_s;
	int64_t winter = turn_s(&zone->to_winter, year) - zone->summer_s;
	bool    is_on =
        summer < winter ? utc_s >= summer && utc_s < winter : utc_s >= summer || utc_s < winter;
	return is_on ? zone->summer_s : zone->winter_s;
}

/* ---- TZif ---- */

static uint64_t big_endian(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

struct header {
	uint32_t isut, isstd, leap, time, type, chars;
};

static bool read_header(struct byte_reader *reader, struct header *header, uint8_t *ret_version)
{
	struct text bytes = read_bytes(reader, HEADER_BYTES);
	if (reader->failed || memcmp(bytes.data, "TZif", 4) != 0)
		return false;
	const uint8_t *at   = (const uint8_t *)bytes.data;
	uint32_t      *to[] = {&header->isut, &header->isstd, &header->leap,
	                       &header->time, &header->type,  &header->chars};
	*ret_version        = at[4];
	for (unsigned i = 0; i < 6; i++) {
		*to[i] = (uint32_t)big_endian(at + 20 + (size_t)4 * i, 4);
		if (*to[i] > FILE_BYTES_MAX)
			return false;
	}
	return true;
}

static bool add_changes(struct zone *zone, const struct header *header, const uint8_t *times,
                        const uint8_t *indexes, const uint8_t *types)
{
	zone->first_s = (int32_t)big_endian(types, 4);
	for (uint32_t i = 0; i < header->time; i++) {
		if (indexes[i] >= header->type)
			return false;
		int64_t from_s   = (int64_t)big_endian(times + (size_t)8 * i, 8);
		int64_t offset_s = (int32_t)big_endian(types + (size_t)TYPE_BYTES * indexes[i], 4);
		if (offset_s < -OFFSET_S_MAX || offset_s > OFFSET_S_MAX ||
		    (i > 0 && from_s <= zone->changes.items[i - 1].from_s))
			return false;
		VECTOR_ADD(&zone->changes, (struct change){from_s, offset_s});
	}
	return true;
}

/* The second block, of 64-bit times; the first is for readers of 32 bits. */
static bool read_file(struct zone *zone, struct byte_reader *reader)
{
	struct header header;
	uint8_t       version;
	if (!read_header(reader, &header, &version) || version < '2')
		return false;
	read_bytes(reader, (size_t)header.time * 5 + (size_t)header.type * TYPE_BYTES + header.chars +
	                       (size_t)header.leap * 8 + header.isstd + header.isut);
	if (!read_header(reader, &header, &version) || header.type == 0)
		return false;
	struct text times   = read_bytes(reader, (size_t)header.time * 8);
	struct text indexes = read_bytes(reader, header.time);
	struct text types   = read_bytes(reader, (size_t)header.type * TYPE_BYTES);
	read_bytes(reader,
	           header.chars + (size_t)header.leap * LEAP_BYTES + header.isstd + header.isut);
	if (reader->failed || !add_changes(zone, &header, (const uint8_t *)times.data,
	                                   (const uint8_t *)indexes.data, (const uint8_t *)types.data))
		return false;
	struct text footer = {(const char *)reader->at, read_left(reader)};
	if (footer.length <= 2)
		return true;
	return footer.data[0] == '\n' && footer.data[footer.length - 1] == '\n' &&
	       read_rule(zone, (struct text){footer.data + 1, footer.length - 2});
}

/* ---- Life ---- */

static bool read_offset(struct text name, int64_t *ret_s)
{
	struct scan scan  = {name.data + 1, name.data + name.length};
	int         hours = 0, minutes = 0;
	if (name.length < 3 || (name.data[0] != '+' && name.data[0] != '-'))
		return false;
	scan.end = scan.at + 2;
	if (!take_number(&scan, 23, &hours) || scan.at != scan.end)
		return false;
	scan.end = name.data + name.length;
	if (scan.at < scan.end) {
		(void)take(&scan, ':');
		if (scan.end - scan.at != 2 || !take_number(&scan, 59, &minutes) || scan.at != scan.end)
			return false;
	}
	*ret_s = (int64_t)hours * SECONDS_OF_HOUR + (int64_t)minutes * 60;
	if (name.data[0] == '-')
		*ret_s = -*ret_s;
	return true;
}

/* Letters, digits, "_", "+" and "-", in parts between "/": no way out of the directory. */
static bool is_name(struct text name)
{
	bool part = false;
	if (name.length == 0 || name.length > ZONE_NAME_BYTES_MAX)
		return false;
	for (size_t i = 0; i < name.length; i++) {
		char byte   = name.data[i];
		bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
		bool digit  = byte >= '0' && byte <= '9';
		if (byte == '/' ? !part : !(letter || digit || byte == '_' || byte == '+' || byte == '-'))
			return false;
		part = byte != '/';
	}
	return part;
}

static enum status unknown(struct text name, struct error *err)
{
	int shown = name.length > ZONE_NAME_BYTES_MAX ? ZONE_NAME_BYTES_MAX : (int)name.length;
	return error_set(err, STATUS_INVALID,
	                 "there is no time zone \"%.*s\" (examples: UTC, +09:00, Asia/Seoul)", shown,
	                 name.data);
}

static enum status read_named(struct zone *zone, struct text name, struct error *err)
{
	char          path[ZONE_NAME_BYTES_MAX + 32];
	struct buffer file = {0};
	if (!is_name(name))
		return unknown(name, err);
	snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", TEXT_FORMAT(name));
	enum status status = file_read(path, FILE_BYTES_MAX, &file, err);
	if (status == STATUS_OK) {
		struct byte_reader reader = byte_reader_of(file.data, file.length);
		if (!read_file(zone, &reader))
			status = error_set(err, STATUS_CORRUPT, "%s: not a time zone", path);
	} else {
		status = unknown(name, err); /* a directory too */
	}
	buffer_done(&file);
	return status;
}

enum status zone_open(struct text name, struct zone **ret_zone, struct error *err)
{
	struct zone *zone   = calloc(1, sizeof *zone);
	enum status  status = STATUS_OK;
	assert(zone != NULL);
	if (!text_equal(name, TEXT("UTC")) && !read_offset(name, &zone->first_s))
		status = read_named(zone, name, err);
	if (status != STATUS_OK) {
		zone_close(zone);
		return status;
	}
	*ret_zone = zone;
	return STATUS_OK;
}

void zone_close(struct zone *zone)
{
	if (zone == NULL)
		return;
	VECTOR_DONE(&zone->changes);
	free(zone);
}

/* ---- Times ---- */

static int64_t offset_s(const struct zone *zone, int64_t utc_s)
{
	size_t low = 0, high = zone->changes.count;
	if (high > 0 && utc_s >= zone->changes.items[high - 1].from_s && zone->has_rule)
		return rule_offset_s(zone, utc_s);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (zone->changes.items[middle].from_s <= utc_s)
			low = middle + 1;
		else
			high = middle;
	}
	if (zone->changes.count == 0 && zone->has_rule)
		return rule_offset_s(zone, utc_s);
	return low == 0 ? zone->first_s : zone->changes.items[low - 1].offset_s;
}

static int64_t floor_s(int64_t ms) { return ms / 1000 - (ms % 1000 < 0); }

int64_t zone_offset_ms(const struct zone *zone, int64_t utc_ms)
{
	return offset_s(zone, floor_s(utc_ms)) * 1000;
}

int64_t zone_instant_ms(const struct zone *zone, int64_t local_ms)
{
	/* No zone turns its clocks twice within a day: the offsets of the day before and of the day
	 * after are those before and behind a turn. */
	int64_t before  = zone_offset_ms(zone, local_ms - DAY_MS);
	int64_t behind  = zone_offset_ms(zone, local_ms + DAY_MS);
	int64_t earlier = local_ms - before;
	if (before == behind || zone_offset_ms(zone, earlier) == before)
		return earlier;
	int64_t later = local_ms - behind;
	return zone_offset_ms(zone, later) == behind ? later : earlier;
}
