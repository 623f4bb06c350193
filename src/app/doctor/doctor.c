#include "app/doctor/doctor.h"

#include <stdarg.h>
#include <stdio.h>

void findings_add(struct findings *findings, const char *check, enum doctor_state state,
                  const char *format, ...)
{
	va_list arguments;
	if (findings->count == FINDINGS_MAX)
		return;
	struct finding *finding = &findings->items[findings->count++];
	finding->check          = check;
	finding->state          = state;
	finding->advice[0]      = '\0';
	va_start(arguments, format);
	vsnprintf(finding->text, sizeof finding->text, format, arguments);
	va_end(arguments);
}

void findings_advise(struct findings *findings, const char *format, ...)
{
	va_list         arguments;
	struct finding *last = &findings->items[findings->count - 1];
	if (findings->count == 0 || last->state == DOCTOR_OK)
		return;
	va_start(arguments, format);
	vsnprintf(last->advice, sizeof last->advice, format, arguments);
	va_end(arguments);
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
