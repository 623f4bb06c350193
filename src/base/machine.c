#include "base/machine.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LINE_BYTES = 256 };

/* The first line of a file; false: there is none. */
static bool read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return false;
	bool read = fgets(line, (int)size, file) != NULL;
	fclose(file);
	return read;
}

/* The number that a file holds; UINT64_MAX: none, or "max". */
static uint64_t read_number(const char *path)
{
	char line[LINE_BYTES];
	if (!read_line(path, line, sizeof line) || line[0] < '0' || line[0] > '9')
		return UINT64_MAX;
	return strtoull(line, NULL, 10);
}

/* The least limit of the process's control group (version 2) and of those around it. */
static uint64_t group_limit(void)
{
	static const char root[] = "/sys/fs/cgroup";
	char              line[LINE_BYTES], path[sizeof root + LINE_BYTES + sizeof "/memory.max"];
	uint64_t          least = UINT64_MAX;
	if (!read_line("/proc/self/cgroup", line, sizeof line) || strncmp(line, "0::/", 4) != 0)
		return least;
	char *group                 = line + 3;
	group[strcspn(group, "\n")] = '\0';
	for (char *end = group + strlen(group); end != NULL; end = strrchr(group, '/')) {
		*end = '\0';
		snprintf(path, sizeof path, "%s%s/memory.max", root, group);
		uint64_t limit = read_number(path);
		least          = limit < least ? limit : least;
	}
	return least;
}

uint64_t machine_memory_bytes(void)
{
	static const char version_1[] = "/sys/fs/cgroup/memory/memory.limit_in_bytes";
	uint64_t          bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	const uint64_t    limits[] = {group_limit(), read_number(version_1)};
	for (unsigned i = 0; i < sizeof limits / sizeof limits[0]; i++)
		if (limits[i] < bytes)
			bytes = limits[i];
	return bytes;
}

uint64_t machine_used_bytes(void)
{
	char line[LINE_BYTES]; /* size, resident, shared, in pages */
	if (!read_line("/proc/self/statm", line, sizeof line))
		return 0;
	char    *at       = line;
	uint64_t size     = strtoull(at, &at, 10);
	uint64_t resident = strtoull(at, &at, 10);
	uint64_t shared   = strtoull(at, &at, 10);
	return size >= resident && resident > shared
	           ? (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE)
	           : 0;
}

static uint64_t count_files(void)
{
	DIR     *directory = opendir("/proc/self/fd");
	uint64_t count     = 0;
	if (directory == NULL)
		return 0;
	for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count > 0 ? count - 1 : 0; /* the directory's own */
}

static double seconds_of(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

void machine_process(struct machine_process *ret_process)
{
	char          line[LINE_BYTES]; /* size, resident, …, in pages */
	struct rusage usage;
	struct rlimit files;
	*ret_process = (struct machine_process){.open_files = count_files()};
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		ret_process->processor_seconds = seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		ret_process->files_max = files.rlim_cur;
	if (!read_line("/proc/self/statm", line, sizeof line))
		return;
	char    *at                 = line;
	uint64_t page               = (uint64_t)sysconf(_SC_PAGESIZE);
	ret_process->virtual_bytes  = strtoull(at, &at, 10) * page;
	ret_process->resident_bytes = strtoull(at, &at, 10) * page;
}
