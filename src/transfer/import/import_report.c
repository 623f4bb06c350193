#include "transfer/import/import_report.h"

#include <stdio.h>
#include <string.h>

#include "base/instant.h"

void import_report_init(struct import_report *report)
{
	*report = (struct import_report){.first_ms = INSTANT_MS_NONE, .last_ms = INSTANT_MS_NONE};
}

void import_report_done(struct import_report *report) { VECTOR_DONE(&report->mistakes); }

void import_report_row(struct import_report *report, int64_t time_ms)
{
	report->rows++;
	if (time_ms == INSTANT_MS_NONE)
		return;
	if (report->first_ms == INSTANT_MS_NONE || time_ms < report->first_ms)
		report->first_ms = time_ms;
	if (report->last_ms == INSTANT_MS_NONE || time_ms > report->last_ms)
		report->last_ms = time_ms;
}

static void copy(char *into, size_t size, struct text text)
{
	size_t length = text.length < size - 1 ? text.length : size - 1;
	memset(into, 0, size);
	memcpy(into, text.data, length);
	/* Not within a character. */
	while (length < text.length && length > 0 && ((unsigned char)text.data[length] & 0xc0) == 0x80)
		into[--length] = '\0';
}

static struct import_mistake *find_mistake(struct import_report *report, struct text code,
                                           struct text reason)
{
	struct import_mistake wanted = {0};
	copy(wanted.code, sizeof wanted.code, code);
	copy(wanted.reason, sizeof wanted.reason, reason);
	for (size_t i = 0; i < report->mistakes.count; i++) {
		struct import_mistake *mistake = &report->mistakes.items[i];
		if (strcmp(mistake->reason, wanted.reason) == 0 && strcmp(mistake->code, wanted.code) == 0)
			return mistake;
	}
	if (report->mistakes.count == IMPORT_MISTAKES_MAX)
		return &report->mistakes.items[IMPORT_MISTAKES_MAX - 1];
	if (report->mistakes.count == IMPORT_MISTAKES_MAX - 1) {
		copy(wanted.code, sizeof wanted.code, TEXT("OTHER"));
		copy(wanted.reason, sizeof wanted.reason, TEXT("other mistakes"));
	}
	VECTOR_ADD(&report->mistakes, wanted);
	return &report->mistakes.items[report->mistakes.count - 1];
}

void import_report_reject(struct import_report *report, uint64_t line, struct text code,
                          struct text reason)
{
	struct import_mistake *mistake = find_mistake(report, code, reason);
	report->rejected++;
	mistake->count++;
	if (mistake->line_count < IMPORT_MISTAKE_LINES_MAX)
		mistake->lines[mistake->line_count++] = line;
}

static void write_mistake(const struct import_mistake *mistake, struct json_writer *writer)
{
	json_begin_object(writer);
	json_member_string(writer, "code", text_of(mistake->code));
	json_member_string(writer, "reason", text_of(mistake->reason));
	json_member_int(writer, "rows", (int64_t)mistake->count);
	json_add_key(writer, TEXT("lines"));
	json_begin_array(writer);
	for (unsigned i = 0; i < mistake->line_count; i++)
		json_add_uint(writer, mistake->lines[i]);
	json_end_array(writer);
	json_end_object(writer);
}

static void write_instant(struct json_writer *writer, const char *name, int64_t ms)
{
	if (ms == INSTANT_MS_NONE)
		json_member_null(writer, name);
	else
		json_member_instant(writer, name, ms);
}

void import_report_write(const struct import_report *report, struct json_writer *writer)
{
	json_member_int(writer, "rows", (int64_t)report->rows);
	json_member_int(writer, "accepted", (int64_t)report->accepted);
	json_member_int(writer, "rejected", (int64_t)report->rejected);
	write_instant(writer, "firstTimestamp", report->first_ms);
	write_instant(writer, "lastTimestamp", report->last_ms);
	json_member_int(writer, "journalPosition", (int64_t)report->position);
	json_add_key(writer, TEXT("mistakes"));
	json_begin_array(writer);
	for (size_t i = 0; i < report->mistakes.count; i++)
		write_mistake(&report->mistakes.items[i], writer);
	json_end_array(writer);
}

static uint64_t number_of(struct json object, const char *name)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_INT && json_int(value) > 0 ? json_uint(value) : 0;
}

static int64_t instant_of(struct json object, const char *name)
{
	struct json value = json_get(object, name);
	int64_t     ms;
	return json_type(value) == JSON_STRING && instant_parse(json_string(value), &ms)
	           ? ms
	           : INSTANT_MS_NONE;
}

static struct text text_member(struct json object, const char *name)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_STRING ? json_string(value) : TEXT("");
}

static void read_mistake(struct import_mistake *mistake, struct json object)
{
	*mistake = (struct import_mistake){.count = number_of(object, "rows")};
	copy(mistake->code, sizeof mistake->code, text_member(object, "code"));
	copy(mistake->reason, sizeof mistake->reason, text_member(object, "reason"));
	for (struct json_iterator i = json_iterate(json_get(object, "lines")); json_next(&i);)
		if (mistake->line_count < IMPORT_MISTAKE_LINES_MAX && json_type(i.value) == JSON_INT)
			mistake->lines[mistake->line_count++] = (uint64_t)json_int(i.value);
}

void import_report_read(struct import_report *report, struct json object)
{
	report->rows           = number_of(object, "rows");
	report->accepted       = number_of(object, "accepted");
	report->rejected       = number_of(object, "rejected");
	report->position       = number_of(object, "journalPosition");
	report->first_ms       = instant_of(object, "firstTimestamp");
	report->last_ms        = instant_of(object, "lastTimestamp");
	report->mistakes.count = 0;
	for (struct json_iterator i = json_iterate(json_get(object, "mistakes")); json_next(&i);) {
		struct import_mistake mistake;
		if (report->mistakes.count == IMPORT_MISTAKES_MAX)
			break;
		read_mistake(&mistake, i.value);
		VECTOR_ADD(&report->mistakes, mistake);
	}
}
