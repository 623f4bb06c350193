#include "app/command/import_progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { BAR_WIDTH = 30, DRAW_EVERY_MS = 100, LINE_BYTES_MAX = 600 };

void import_progress_begin(struct import_progress *progress)
{
	*progress = (struct import_progress){.terminal = isatty(STDERR_FILENO) == 1,
	                                     .begin_ms = clock_monotonic_ms()};
}

const char *import_number(uint64_t number, char into[IMPORT_NUMBER_BYTES])
{
	char   digits[24];
	size_t length = (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
	char  *at     = into;
	for (size_t i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			*at++ = ',';
		*at++ = digits[i];
	}
	*at = '\0';
	return into;
}

static void draw_bar(uint64_t position, uint64_t size)
{
	char     bar[BAR_WIDTH + 1];
	unsigned percent = position >= size ? 100 : (unsigned)(position * 100 / size);
	unsigned filled  = percent * BAR_WIDTH / 100;
	memset(bar, ' ', BAR_WIDTH);
	memset(bar, '=', filled);
	if (filled > 0 && filled < BAR_WIDTH)
		bar[filled - 1] = '>';
	bar[BAR_WIDTH] = '\0';
	fprintf(stderr, "[%s] %3u%%  ", bar, percent);
}

void import_progress_draw(struct import_progress *progress, uint64_t position, uint64_t size,
                          uint64_t rows, uint64_t rejected)
{
	int64_t now_ms = clock_monotonic_ms();
	if (!progress->terminal || now_ms - progress->drawn_ms < DRAW_EVERY_MS)
		return;
	char     number[IMPORT_NUMBER_BYTES];
	int64_t  spent_ms = now_ms - progress->begin_ms;
	uint64_t rate     = spent_ms > 0 ? rows * 1000 / (uint64_t)spent_ms : 0;
	fputs("\r\033[K", stderr);
	if (size > 0)
		draw_bar(position, size);
	fprintf(stderr, "%s rows", import_number(rows, number));
	fprintf(stderr, "  %s/s", import_number(rate, number));
	if (rejected > 0)
		fprintf(stderr, "  %s rejected", import_number(rejected, number));
	fflush(stderr);
	progress->drawn    = true;
	progress->drawn_ms = now_ms;
}

void import_progress_end(struct import_progress *progress)
{
	if (progress->drawn)
		fputs("\r\033[K", stderr);
	progress->drawn = false;
}

void import_progress_bad_row(struct import_progress *progress, uint64_t line, struct text code,
                             struct text reason)
{
	if (progress->lines++ >= IMPORT_LINES_MAX)
		return;
	import_progress_end(progress);
	fprintf(stderr, "sonnim import: line %llu: ", (unsigned long long)line);
	if (code.length > 0)
		fprintf(stderr, "%.*s: ", TEXT_FORMAT(code));
	/* What a file holds may move the cursor. */
	for (size_t i = 0; i < reason.length && i < LINE_BYTES_MAX; i++) {
		unsigned char byte = (unsigned char)reason.data[i];
		fputc(byte < 0x20 || byte == 0x7f ? ' ' : byte, stderr);
	}
	fputc('\n', stderr);
	if (progress->lines == IMPORT_LINES_MAX)
		fprintf(stderr, "sonnim import: further bad rows are only counted; "
		                "--rejects FILE keeps all\n");
}
