#include "base/machine.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
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

uint64_t machine_memory_bytes(void)
{
	static const char *const limits[] = {"/sys/fs/cgroup/memory.max",
	                                     "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
	uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	for (unsigned i = 0; i < sizeof limits / sizeof limits[0]; i++)
		if (read_number(limits[i]) < bytes)
			bytes = read_number(limits[i]);
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
