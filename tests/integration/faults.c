/* Preloaded into a server by faults.py: a wall clock that is wrong, a disk that is full or
 * read-only, and a death at a chosen point, as a small shared file says from one moment to the
 * next.
 *
 *   ┌────────────────┬──────────────┬─────────────────┬─────────────────────┬──────────────┐
 *   │ offset of the  │ errno of the │ what the disk   │ writes and syncs of │ which file:  │
 *   │ wall clock, ms │ disk; 0: it  │ has refused     │ a file until it is  │ place in     │
 *   │                │ is sound     │                 │ killed; 0: never    │ deadly[]     │
 *   └────────────────┴──────────────┴─────────────────┴─────────────────────┴──────────────┘
 *     8 bytes          4              4                 4                     4
 *
 * A full disk (ENOSPC) takes what lands on blocks that the file has already. Standard input, output
 * and error, sockets and pipes are left alone. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct control {
	_Atomic int64_t  clock_ms;
	_Atomic int32_t  disk_errno;
	_Atomic uint32_t refused;
	_Atomic int32_t  death_in;
	_Atomic int32_t  death_of;
};

/* What a path holds. */
static const char *const deadly[] = {"/store.db", "/audit/0", "/audit/intentions"};

static struct control  nothing;
static struct control *control = &nothing;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("SONNIM_TEST_FAULTS");
	int         fd   = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	void *shared = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared != MAP_FAILED)
		control = shared;
	close(fd);
}

#define REAL(result, name, ...)                                                                    \
	static result (*real)(__VA_ARGS__);                                                            \
	if (real == NULL)                                                                              \
	*(void **)&real = dlsym(RTLD_NEXT, name)

/* ---- Clock ---- */

int clock_gettime(clockid_t clock, struct timespec *time)
{
	REAL(int, "clock_gettime", clockid_t, struct timespec *);
	int result = real(clock, time);
	if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
		int64_t ns = time->tv_nsec + control->clock_ms % 1000 * 1000000;
		time->tv_sec += control->clock_ms / 1000 + (ns >= 1000000000) - (ns < 0);
		time->tv_nsec = (ns + 1000000000) % 1000000000;
	}
	return result;
}

/* ---- Disk ---- */

static int refuse(void)
{
	control->refused++;
	errno = control->disk_errno;
	return -1;
}

/* Whether a write of so many bytes there is refused; an offset below 0 is the file's. */
static int is_refused(int fd, int64_t offset, size_t length)
{
	struct stat file;
	if (control->disk_errno == 0 || fd <= STDERR_FILENO || fstat(fd, &file) != 0 ||
	    !S_ISREG(file.st_mode))
		return 0;
	if (control->disk_errno != ENOSPC)
		return 1;
	if (offset < 0)
		offset = (fcntl(fd, F_GETFL) & O_APPEND) != 0 ? file.st_size : lseek(fd, 0, SEEK_CUR);
	return offset + (int64_t)length > (int64_t)file.st_blocks * 512;
}

/* Before that file is written or synced: killed as kill -9 does, if it is time. */
static void count_down(int fd)
{
	char link[64], path[1024];
	if (control->death_in <= 0)
		return;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof path - 1);
	if (length < 0)
		return;
	path[length] = '\0';
	if (strstr(path, deadly[control->death_of]) != NULL &&
	    atomic_fetch_sub(&control->death_in, 1) == 1)
		raise(SIGKILL);
}

ssize_t write(int fd, const void *data, size_t length)
{
	REAL(ssize_t, "write", int, const void *, size_t);
	return is_refused(fd, -1, length) ? refuse() : real(fd, data, length);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
	REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
	count_down(fd);
	return is_refused(fd, offset, length) ? refuse() : real(fd, data, length, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset)
{
	return pwrite(fd, data, length, offset);
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
	REAL(int, "posix_fallocate64", int, off_t, off_t);
	if (is_refused(fd, offset, (size_t)length)) {
		refuse();
		return control->disk_errno;
	}
	return real(fd, offset, length);
}

int posix_fallocate64(int fd, off_t offset, off_t length)
{
	return posix_fallocate(fd, offset, length);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
	REAL(int, "fallocate64", int, int, off_t, off_t);
	return is_refused(fd, offset, (size_t)length) ? refuse() : real(fd, mode, offset, length);
}

int fallocate64(int fd, int mode, off_t offset, off_t length)
{
	return fallocate(fd, mode, offset, length);
}

static int is_read_only(void) { return control->disk_errno == EROFS; }

int fdatasync(int fd)
{
	REAL(int, "fdatasync", int);
	count_down(fd);
	return is_read_only() ? refuse() : real(fd);
}

int fsync(int fd)
{
	REAL(int, "fsync", int);
	count_down(fd);
	return is_read_only() ? refuse() : real(fd);
}

int mkdir(const char *path, mode_t mode)
{
	REAL(int, "mkdir", const char *, mode_t);
	return is_read_only() ? refuse() : real(path, mode);
}

int rename(const char *from, const char *to)
{
	REAL(int, "rename", const char *, const char *);
	return is_read_only() ? refuse() : real(from, to);
}

int unlink(const char *path)
{
	REAL(int, "unlink", const char *);
	return is_read_only() ? refuse() : real(path);
}

int open(const char *path, int flags, ...)
{
	REAL(int, "open64", const char *, int, ...);
	va_list arguments;
	va_start(arguments, flags);
	mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	if (is_read_only() && (flags & O_ACCMODE) != O_RDONLY && strncmp(path, "/dev/", 5) != 0 &&
	    strncmp(path, "/proc/", 6) != 0)
		return refuse();
	return real(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	return open(path, flags, mode);
}
