#include "app/doctor/doctor.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 64 };

static struct finding *next_finding(struct findings *findings)
{
	if (findings->count == findings->room) {
		findings->room  = findings->room == 0 ? ROOM_FIRST : 2 * findings->room;
		findings->items = realloc(findings->items, findings->room * sizeof *findings->items);
		assert(findings->items != NULL);
	}
	return &findings->items[findings->count++];
}

void findings_add(struct findings *findings, const char *check, enum doctor_state state,
                  const char *format, ...)
{
	va_list arguments;
	if (findings->count == FINDINGS_MAX)
		return;
	struct finding *finding = next_finding(findings);
	memcpy(finding->workspace, findings->workspace, sizeof finding->workspace);
	finding->check     = check;
	finding->state     = state;
	finding->advice[0] = '\0';
	va_start(arguments, format);
	vsnprintf(finding->text, sizeof finding->text, format, arguments);
	va_end(arguments);
}

void findings_advise(struct findings *findings, const char *format, ...)
{
	va_list         arguments;
	struct finding *last = findings->count == 0 ? NULL : &findings->items[findings->count - 1];
	if (last == NULL || last->state == DOCTOR_OK)
		return;
	va_start(arguments, format);
	vsnprintf(last->advice, sizeof last->advice, format, arguments);
	va_end(arguments);
}

void findings_done(struct findings *findings)
{
	free(findings->items);
	*findings = (struct findings){0};
}

const char *doctor_state_name(enum doctor_state state)
{
	static const char *const names[] = {"ok", "warning", "failure"};
	return names[state];
}

struct doctor_size doctor_size(uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	struct doctor_size       size;
	double                   number = (double)bytes;
	unsigned                 unit   = 0;
	for (; number >= 1024 && unit < 6; unit++)
		number /= 1024;
	snprintf(size.text, sizeof size.text, unit == 0 || number >= 100 ? "%.0f %s" : "%.1f %s",
	         number, units[unit]);
	return size;
}
