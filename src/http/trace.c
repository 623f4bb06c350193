#include "http/trace.h"

#include <stdbool.h>

#include "base/hash.h"

/* 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 */
enum {
	TRACE_AT  = 3,
	SPAN_AT   = 36,
	FLAGS_AT  = 53,
	ALL       = 55,
	TRACE_LEN = 32,
	SPAN_LEN  = 16,
};

void trace_source_init(struct trace_source *source)
{
	random_bytes(source->state, sizeof source->state);
	source->state[0] |= 1; /* all zero would stay so */
}

static uint64_t rotate(uint64_t value, int by) { return value << by | value >> (64 - by); }

static uint64_t next_random(struct trace_source *source)
{
	uint64_t *s      = source->state;
	uint64_t  result = rotate(s[1] * 5, 7) * 9;
	uint64_t  t      = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

static void write_hex(char *into, uint64_t value)
{
	static const char digits[] = "0123456789abcdef";
	for (int i = 0; i < 16; i++)
		into[i] = digits[value >> (60 - 4 * i) & 15];
}

/* Lower-case digits only, as the standard wants it, and not all zero where that is forbidden. */
static bool is_hex(const char *at, size_t length, bool zero_allowed)
{
	bool zero = true;
	for (size_t i = 0; i < length; i++) {
		char c = at[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		zero = zero && c == '0';
	}
	return zero_allowed || !zero;
}

static bool is_valid(struct text parent)
{
	const char *p = parent.data;

	if (parent.length < ALL || p[2] != '-' || p[SPAN_AT - 1] != '-' || p[FLAGS_AT - 1] != '-')
		return false;
	if (!is_hex(p, 2, true) || memcmp(p, "ff", 2) == 0)
		return false;
	/* Later versions may add fields behind another dash, version 00 may not. */
	if (parent.length > ALL && (memcmp(p, "00", 2) == 0 || p[ALL] != '-'))
		return false;
	return is_hex(p + TRACE_AT, TRACE_LEN, false) && is_hex(p + SPAN_AT, SPAN_LEN, false) &&
	       is_hex(p + FLAGS_AT, 2, true);
}

void trace_begin(struct trace *trace, struct trace_source *source, struct text traceparent)
{
	char *parent = trace->parent;

	memcpy(parent, "00-00000000000000000000000000000000-0000000000000000-00", ALL + 1);
	if (is_valid(traceparent)) {
		memcpy(parent + TRACE_AT, traceparent.data + TRACE_AT, TRACE_LEN);
		memcpy(parent + FLAGS_AT, traceparent.data + FLAGS_AT, 2);
	} else {
		write_hex(parent + TRACE_AT, next_random(source) | 1);
		write_hex(parent + TRACE_AT + 16, next_random(source));
	}
	write_hex(parent + SPAN_AT, next_random(source) | 1);
	memcpy(trace->id, parent + TRACE_AT, TRACE_LEN);
	trace->id[TRACE_LEN] = '\0';
}
