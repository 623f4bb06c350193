#include "journal/log_clock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"

void log_clock_init(struct log_clock *clock, enum log_clock_mode mode, bool accept_jump,
                    struct log_clock_sources sources, int64_t last_ms,
                    const struct frame_mark *marked, int64_t marked_ms)
{
	*clock = (struct log_clock){
		.mode         = mode,
		.accept_jump  = accept_jump,
		.now_ms       = last_ms,
		.monotonic_ms = sources.monotonic_ms,
	};
	if (mode == LOG_CLOCK_MANUAL)
		return;

	if (marked != NULL && sources.monotonic_ms >= marked->monotonic_ms) {
		int64_t ran_ms = marked_ms + (sources.monotonic_ms - marked->monotonic_ms);
		if (ran_ms > clock->now_ms)
			clock->now_ms = ran_ms;
		log_clock_read(clock, sources);
	} else if (sources.wall_ms > clock->now_ms) {
		clock->now_ms = sources.wall_ms;
	}
}

int64_t log_clock_read(struct log_clock *clock, struct log_clock_sources sources)
{
	if (clock->mode == LOG_CLOCK_MANUAL)
		return clock->now_ms;

	if (sources.monotonic_ms > clock->monotonic_ms) {
		clock->now_ms += sources.monotonic_ms - clock->monotonic_ms;
		clock->monotonic_ms = sources.monotonic_ms;
	}
	int64_t ahead_ms = sources.wall_ms - clock->now_ms;
	clock->held      = ahead_ms > LOG_CLOCK_JUMP_MS_MAX && !clock->accept_jump;
	if (ahead_ms > 0 && !clock->held)
		clock->now_ms = sources.wall_ms;
	return clock->now_ms;
}

void log_clock_reach(struct log_clock *clock, int64_t now_ms)
{
	if (now_ms > clock->now_ms)
		clock->now_ms = now_ms;
}

enum status log_clock_set(struct log_clock *clock, int64_t now_ms, struct error *err)
{
	if (clock->mode != LOG_CLOCK_MANUAL)
		return error_set(err, STATUS_UNSUPPORTED, "the clock is not a manual one");
	if (now_ms < clock->now_ms)
		return error_set(err, STATUS_CONFLICT,
		                 "the clock is at %" PRId64 " ms already and does not go back",
		                 clock->now_ms);
	clock->now_ms = now_ms;
	return STATUS_OK;
}

void log_clock_boot_id(uint8_t ret_id[16])
{
	memset(ret_id, 0, 16);
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	char    text[64];
	ssize_t length = read(fd, text, sizeof text);
	close(fd);
	uint8_t id[UUID_BYTES];
	if (length >= UUID_TEXT_BYTES - 1 && uuid_bytes((struct text){text, UUID_TEXT_BYTES - 1}, id))
		memcpy(ret_id, id, sizeof id);
}
