#include "app/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/instant.h"
#include "base/machine.h"

enum {
	FILES_MIN      = 1024, /* open at a time, for a few hundred connections */
	FILES_GOOD     = 16384,
	SYNCS          = 21,
	SYNC_BYTES     = 4096,
	SYNC_US_GOOD   = 10000,
	FREE_PERCENT   = 10,
	MEMORY_PERCENT = 80,
	YEAR_2024_S    = 1704067200,
};

#define FREE_BYTES_MIN (UINT64_C(64) << 20)

void findings_add(struct findings *findings, const char *check, enum doctor_state state,
                  const char *format, ...)
{
	va_list arguments;
	if (findings->count == FINDINGS_MAX)
		return;
	struct finding *finding = &findings->items[findings->count++];
	finding->check          = check;
	finding->state          = state;
	va_start(arguments, format);
	vsnprintf(finding->text, sizeof finding->text, format, arguments);
	va_end(arguments);
}

const char *doctor_state_name(enum doctor_state state)
{
	static const char *const names[] = {"good", "poor", "WRONG"};
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

/* ---- The machine ---- */

static void check_files(struct findings *findings)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	enum doctor_state state = limit.rlim_cur < FILES_MIN    ? DOCTOR_WRONG
	                          : limit.rlim_cur < FILES_GOOD ? DOCTOR_POOR
	                                                        : DOCTOR_GOOD;
	findings_add(findings, "open files", state, "%llu at a time%s",
	             (unsigned long long)limit.rlim_cur,
	             state == DOCTOR_GOOD ? "" : "; each connection takes one: raise `ulimit -n`");
}

static void check_address_space(struct findings *findings)
{
	static const struct {
		int         resource;
		const char *name;
	} limits[] = {{RLIMIT_AS, "address space"}, {RLIMIT_DATA, "data"}, {RLIMIT_FSIZE, "file size"}};
	for (unsigned i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		struct rlimit limit;
		if (getrlimit((__rlimit_resource_t)limits[i].resource, &limit) == 0 &&
		    limit.rlim_cur != RLIM_INFINITY)
			findings_add(findings, "limits", DOCTOR_POOR, "%s is limited to %s", limits[i].name,
			             doctor_size(limit.rlim_cur).text);
	}
}

static void check_memory(struct findings *findings, const struct serve_settings *settings)
{
	uint64_t machine = machine_memory_bytes();
	uint64_t limit   = serve_settings_memory_bytes(settings);
	bool     large   = limit > machine / 100 * MEMORY_PERCENT;
	findings_add(findings, "memory", large ? DOCTOR_POOR : DOCTOR_GOOD, "%s; memory-limit is %s%s",
	             doctor_size(machine).text, doctor_size(limit).text,
	             large ? ", which leaves too little for the rest" : "");
}

static void check_clock(struct findings *findings)
{
	struct timex clock = {0};
	bool         known = clock_wall_ms() / 1000 > YEAR_2024_S;
	int          state = adjtimex(&clock);
	char         now[INSTANT_TEXT_BYTES];
	instant_format(clock_wall_ms(), now);
	if (!known)
		findings_add(findings, "clock", DOCTOR_WRONG, "%s: it is not set", now);
	else if (state == TIME_ERROR)
		findings_add(findings, "clock", DOCTOR_POOR,
		             "%s; nothing keeps it right (no NTP, or none that the kernel knows of)", now);
	else
		findings_add(findings, "clock", DOCTOR_GOOD, "%s, kept right", now);
}

/* ---- Directories ---- */

/* The directory, or the first one above it that exists. */
static void existing(const char *path, char into[PATH_MAX])
{
	snprintf(into, PATH_MAX, "%s", path);
	while (access(into, F_OK) != 0 && strcmp(into, "/") != 0 && strcmp(into, ".") != 0) {
		char above[PATH_MAX];
		snprintf(above, sizeof above, "%s", into);
		snprintf(into, PATH_MAX, "%s", dirname(above));
	}
}

static void check_space(struct findings *findings, const char *directory)
{
	struct statvfs space;
	if (statvfs(directory, &space) != 0) {
		findings_add(findings, "disk", DOCTOR_WRONG, "%s: %s", directory, strerror(errno));
		return;
	}
	uint64_t          left  = (uint64_t)space.f_bavail * space.f_frsize;
	uint64_t          whole = (uint64_t)space.f_blocks * space.f_frsize;
	enum doctor_state state = left < FREE_BYTES_MIN               ? DOCTOR_WRONG
	                          : left < whole / 100 * FREE_PERCENT ? DOCTOR_POOR
	                                                              : DOCTOR_GOOD;
	findings_add(findings, "disk", state, "%s of %s are free in %s", doctor_size(left).text,
	             doctor_size(whole).text, directory);
	if (space.f_files > 0 && space.f_favail < FILES_MIN)
		findings_add(findings, "disk", DOCTOR_WRONG, "%llu files can still be made in %s",
		             (unsigned long long)space.f_favail, directory);
}

static int compare_times(const void *left, const void *right)
{
	const int64_t *a = left, *b = right;
	return (*a > *b) - (*a < *b);
}

/* As the journal does it: into room that is there already. False: it cannot be written. */
static bool measure_sync(int fd, int64_t *ret_ns)
{
	static const char block[SYNC_BYTES];
	int64_t           times[SYNCS];
	if (posix_fallocate(fd, 0, (off_t)SYNC_BYTES * SYNCS) != 0 || fsync(fd) != 0)
		return false;
	for (int i = 0; i < SYNCS; i++) {
		int64_t begin_ns = clock_monotonic_ns();
		if (pwrite(fd, block, sizeof block, (off_t)i * SYNC_BYTES) != SYNC_BYTES ||
		    fdatasync(fd) != 0)
			return false;
		times[i] = clock_monotonic_ns() - begin_ns;
	}
	qsort(times, SYNCS, sizeof times[0], compare_times);
	*ret_ns = times[SYNCS / 2];
	return true;
}

static void check_sync(struct findings *findings, const char *directory)
{
	char    path[PATH_MAX];
	int64_t median_ns = 0;
	if (snprintf(path, sizeof path, "%s/.doctor-XXXXXX", directory) >= (int)sizeof path)
		return;
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0) {
		findings_add(findings, "sync", DOCTOR_WRONG, "%s cannot be written: %s", directory,
		             strerror(errno));
		return;
	}
	unlink(path);
	if (!measure_sync(fd, &median_ns))
		findings_add(findings, "sync", DOCTOR_WRONG, "%s cannot be written: %s", directory,
		             strerror(errno));
	else
		findings_add(findings, "sync", median_ns > SYNC_US_GOOD * 1000 ? DOCTOR_POOR : DOCTOR_GOOD,
		             "%.2f ms a sync (the middle of %d): what an accepted request waits for",
		             (double)median_ns / 1e6, SYNCS);
	close(fd);
}

static void check_keyring(struct findings *findings, const char *keyring)
{
	struct stat status;
	if (stat(keyring, &status) != 0)
		findings_add(findings, "keyring", DOCTOR_GOOD, "%s is not made yet", keyring);
	else if (!S_ISDIR(status.st_mode))
		findings_add(findings, "keyring", DOCTOR_WRONG, "%s is no directory", keyring);
	else if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		findings_add(findings, "keyring", DOCTOR_POOR, "%s can be looked into by others: mode %03o",
		             keyring, status.st_mode & 0777U);
	else
		findings_add(findings, "keyring", DOCTOR_GOOD, "%s", keyring);
}

void doctor_check_machine(struct findings *findings, const struct serve_settings *settings)
{
	char directory[PATH_MAX];
	existing(settings->data, directory);
	check_files(findings);
	check_address_space(findings);
	check_memory(findings, settings);
	check_clock(findings);
	check_space(findings, directory);
	check_sync(findings, directory);
	check_keyring(findings, settings->keyring);
}
