#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <time.h>

#include "app/doctor/doctor.h"
#include "base/clock.h"
#include "base/instant.h"
#include "base/machine.h"

enum {
	FILES_MIN      = 1024, /* open at a time, for a few hundred connections */
	QUEUE_GOOD     = 4096, /* what the server asks for: http/listen.c */
	MAPS_GOOD      = 65530,
	MEMORY_PERCENT = 80,
	YEAR_2024_S    = 1704067200,
	CLOCK_WATCH_MS = 100,
	CLOCK_SLIP_MS  = 5,
	FILES_MORE     = 1024, /* beside connections: as http/server.c */
	DECIMAL        = 10,
};

/* ---- Limits ---- */

/* The server raises the limit by itself as far as the hard one. */
static void check_files(struct findings *findings, const struct serve_settings *settings)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	rlim_t            wanted = (rlim_t)settings->http.connection_count_max + FILES_MORE;
	enum doctor_state state  = limit.rlim_max < FILES_MIN ? DOCTOR_FAILURE
	                           : limit.rlim_max < wanted  ? DOCTOR_WARNING
	                                                      : DOCTOR_OK;
	findings_add(findings, "open files", state, "%llu at a time, %llu connections wanted",
	             (unsigned long long)limit.rlim_max,
	             (unsigned long long)settings->http.connection_count_max);
	findings_advise(findings,
	                "each connection takes one: LimitNOFILE=%llu in the unit, `ulimit -n` else; or "
	                "lower http-connections-max",
	                (unsigned long long)wanted);
}

static void check_process_limits(struct findings *findings)
{
	static const struct {
		int         resource;
		const char *name;
	} limits[] = {{RLIMIT_AS, "address space"}, {RLIMIT_DATA, "data"}, {RLIMIT_FSIZE, "file size"}};
	for (unsigned i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		struct rlimit limit;
		if (getrlimit((__rlimit_resource_t)limits[i].resource, &limit) != 0 ||
		    limit.rlim_cur == RLIM_INFINITY)
			continue;
		findings_add(findings, "limits", DOCTOR_WARNING, "%s is limited to %s", limits[i].name,
		             doctor_size(limit.rlim_cur).text);
		findings_advise(findings, "lift it (`ulimit`): the server keeps to memory-limit by itself");
	}
}

/* ---- The kernel ---- */

static bool read_line(const char *path, char *line, int size)
{
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return false;
	bool read = fgets(line, size, file) != NULL;
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return read;
}

static void check_at_least(struct findings *findings, const char *name, const char *path,
                           unsigned long least, const char *why)
{
	char line[64];
	if (!read_line(path, line, sizeof line))
		return;
	unsigned long value = strtoul(line, NULL, DECIMAL);
	findings_add(findings, "kernel", value < least ? DOCTOR_WARNING : DOCTOR_OK, "%s is %lu", name,
	             value);
	findings_advise(findings, "%s: sysctl -w %s=%lu, and in /etc/sysctl.d", why, name, least);
}

static void check_huge_pages(struct findings *findings)
{
	char line[128];
	if (!read_line("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof line))
		return;
	bool always = strstr(line, "[always]") != NULL;
	findings_add(findings, "kernel", always ? DOCTOR_WARNING : DOCTOR_OK,
	             "transparent huge pages: %s", line);
	findings_advise(findings,
	                "memory grows in steps of 2 MiB, and is cleared and moved while requests "
	                "wait: transparent_hugepage=madvise on the kernel's command line");
}

static void check_kernel(struct findings *findings)
{
	char line[64];
	check_at_least(findings, "net.core.somaxconn", "/proc/sys/net/core/somaxconn", QUEUE_GOOD,
	               "connections that come in a rush are refused");
	check_at_least(findings, "vm.max_map_count", "/proc/sys/vm/max_map_count", MAPS_GOOD,
	               "files of the event store are mapped");
	check_huge_pages(findings);
	if (read_line("/proc/sys/vm/overcommit_memory", line, sizeof line)) {
		bool strict = line[0] == '2';
		findings_add(findings, "kernel", strict ? DOCTOR_WARNING : DOCTOR_OK,
		             "vm.overcommit_memory is %s", line);
		findings_advise(findings, "memory that is only mapped counts as used: set it to 0");
	}
}

/* ---- Memory and clock ---- */

static void check_memory(struct findings *findings, const struct serve_settings *settings)
{
	uint64_t machine = machine_memory_bytes();
	uint64_t limit   = serve_settings_memory_bytes(settings);
	bool     large   = limit > machine / 100 * MEMORY_PERCENT;
	findings_add(findings, "memory", large ? DOCTOR_WARNING : DOCTOR_OK, "%s; memory-limit is %s",
	             doctor_size(machine).text, doctor_size(limit).text);
	findings_advise(findings,
	                "it leaves too little for files and requests: %s at most, or a larger machine",
	                doctor_size(machine / 100 * MEMORY_PERCENT).text);
}

/* How far the wall clock moves against the monotonic one while it is watched. */
static int64_t watch_clock(void)
{
	const struct timespec pause         = {.tv_nsec = CLOCK_WATCH_MS * 1000000};
	int64_t               wall_begin_ms = clock_wall_ms(), begin_ms = clock_monotonic_ms();
	nanosleep(&pause, NULL);
	return llabs((clock_wall_ms() - wall_begin_ms) - (clock_monotonic_ms() - begin_ms));
}

static void check_clock(struct findings *findings)
{
	struct timex clock   = {0};
	int          state   = adjtimex(&clock);
	int64_t      slip_ms = watch_clock();
	char         now[INSTANT_TEXT_BYTES];
	instant_format(clock_wall_ms(), now);
	if (clock_wall_ms() / 1000 <= YEAR_2024_S) {
		findings_add(findings, "clock", DOCTOR_FAILURE, "%s: it is not set", now);
		findings_advise(findings, "set it before the first event is taken in: `timedatectl`");
	} else if (slip_ms > CLOCK_SLIP_MS) {
		findings_add(findings, "clock", DOCTOR_WARNING, "%s; it moved by %lld ms in %d ms", now,
		             (long long)slip_ms, CLOCK_WATCH_MS);
		findings_advise(findings, "somebody sets it: one time service, and none of the hypervisor");
	} else if (state == TIME_ERROR) {
		findings_add(findings, "clock", DOCTOR_WARNING, "%s; nothing keeps it right", now);
		findings_advise(findings, "systemd-timesyncd or chrony: `timedatectl set-ntp true`");
	} else {
		findings_add(findings, "clock", DOCTOR_OK, "%s, kept right", now);
	}
}

void doctor_check_system(struct findings *findings, const struct serve_settings *settings)
{
	check_files(findings, settings);
	check_process_limits(findings);
	check_kernel(findings);
	check_memory(findings, settings);
	check_clock(findings);
}
