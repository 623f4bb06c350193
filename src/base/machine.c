#include "base/machine.h"

#include <stdio.h>
#include <unistd.h>

/* The number that begins a file; UINT64_MAX: there is none, or "max". */
static uint64_t read_number(const char *path)
{
	unsigned long long number = UINT64_MAX;
	FILE              *file   = fopen(path, "re");
	if (file == NULL)
		return UINT64_MAX;
	if (fscanf(file, "%llu", &number) != 1)
		number = UINT64_MAX;
	fclose(file);
	return number;
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
	unsigned long long size, resident, shared;
	FILE              *file = fopen("/proc/self/statm", "re");
	if (file == NULL)
		return 0;
	int count = fscanf(file, "%llu %llu %llu", &size, &resident, &shared);
	fclose(file);
	return count == 3 && resident > shared ? (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE)
	                                       : 0;
}
