#include "faulty_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

struct faulty_disk faulty_disk;

void faulty_disk_set(int error_number, int spared)
{
	atomic_store(&faulty_disk.error_number, 0);
	atomic_store(&faulty_disk.spared, spared);
	atomic_store(&faulty_disk.error_number, error_number);
}

/* The log goes on. */
static bool fails(int fd)
{
	int error_number = atomic_load(&faulty_disk.error_number);
	if (error_number == 0 || fd == STDERR_FILENO || fd == STDOUT_FILENO ||
	    atomic_fetch_sub(&faulty_disk.spared, 1) > 0)
		return false;
	atomic_fetch_add(&faulty_disk.failed, 1);
	errno = error_number;
	return true;
}

ssize_t write(int fd, const void *data, size_t length)
{
	return fails(fd) ? -1 : (ssize_t)syscall(SYS_write, fd, data, length);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
	return fails(fd) ? -1 : (ssize_t)syscall(SYS_pwrite64, fd, data, length, offset);
}

ssize_t pread(int fd, void *into, size_t length, off_t offset)
{
	return fails(fd) ? -1 : (ssize_t)syscall(SYS_pread64, fd, into, length, offset);
}

int fsync(int fd) { return fails(fd) ? -1 : (int)syscall(SYS_fsync, fd); }

int fdatasync(int fd) { return fails(fd) ? -1 : (int)syscall(SYS_fdatasync, fd); }

int rename(const char *from, const char *to)
{
	return fails(-1) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
