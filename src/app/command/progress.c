#include "app/command/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { BAR_WIDTH = 30, DRAW_EVERY_MS = 100 };

const char *progress_number(uint64_t number, char into[PROGRESS_NUMBER_BYTES])
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

static void draw_bar(uint64_t done, uint64_t total)
{
	char     bar[BAR_WIDTH + 1];
	double   part   = done >= total ? 1 : (double)done / (double)total;
	unsigned filled = (unsigned)(part * BAR_WIDTH);
	memset(bar, ' ', BAR_WIDTH);
	memset(bar, '=', filled);
	if (filled > 0 && filled < BAR_WIDTH)
		bar[filled - 1] = '>';
	bar[BAR_WIDTH] = '\0';
	fprintf(stderr, "  [%s] %3u %%", bar, (unsigned)(part * 100));
}

void progress_draw(struct progress *progress, struct text what, uint64_t done, uint64_t total,
                   struct text unit)
{
	char    number[PROGRESS_NUMBER_BYTES];
	int64_t now_ms = clock_monotonic_ms();
	if (isatty(STDERR_FILENO) != 1)
		return;
	if (progress->drawn && now_ms - progress->drawn_ms < DRAW_EVERY_MS)
		return;
	fprintf(stderr, "\r\033[K%.*s", TEXT_FORMAT(what));
	if (total > 0)
		draw_bar(done, total);
	fprintf(stderr, "  %s %.*s", progress_number(done, number), TEXT_FORMAT(unit));
	fflush(stderr);
	progress->drawn_ms = now_ms;
	progress->drawn    = true;
}

void progress_end(struct progress *progress)
{
	if (progress->drawn)
		fputs("\r\033[K", stderr);
	progress->drawn = false;
}
