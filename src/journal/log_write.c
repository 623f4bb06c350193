#include "journal/log_write.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { ZEROS_BYTES = 64 * 1024 };

static int allocate(int fd, uint64_t offset, uint64_t length)
{
	while (fallocate(fd, 0, (off_t)offset, (off_t)length) != 0) {
		/* Where the file system knows no fallocate, the C library writes into each block. */
		if (errno == EOPNOTSUPP)
			return posix_fallocate(fd, (off_t)offset, (off_t)length);
		if (errno != EINTR)
			return errno;
	}
	return 0;
}

static int64_t write_at(int fd, const void *data, size_t length, uint64_t offset)
{
	return pwrite(fd, data, length, (off_t)offset);
}

static int64_t boot_ms(void)
{
	struct timespec time;
	clock_gettime(CLOCK_BOOTTIME, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

const struct file_log_system log_write_system = {
	.allocate     = allocate,
	.write        = write_at,
	.sync         = fdatasync,
	.wall_ms      = clock_wall_ms,
	.monotonic_ms = boot_ms,
};

enum status log_write_failed(struct error *err, int error_number, const char *what,
                             const char *path)
{
	error_set_errno(err, STATUS_FAILED, error_number, "cannot %s %s", what, path);
	if (err != NULL)
		err->fatal = true;
	return STATUS_FAILED;
}

enum status log_write(const struct file_log_system *system, const struct log_file *file,
                      const void *data, size_t length, uint64_t offset, struct error *err)
{
	const char *at = data;
	while (length > 0) {
		int64_t written = system->write(file->fd, at, length, offset);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return log_write_failed(err, written < 0 ? errno : EIO, "write", file->path);
		at += written;
		offset += (uint64_t)written;
		length -= (size_t)written;
	}
	return STATUS_OK;
}

enum status log_write_sync(const struct file_log_system *system, const struct log_file *file,
                           struct error *err)
{
	if (system->sync(file->fd) != 0)
		return log_write_failed(err, errno, "sync", file->path);
	return STATUS_OK;
}

enum status log_write_zeros(const struct file_log_system *system, const struct log_file *file,
                            uint64_t offset, uint64_t length, struct error *err)
{
	static const char zeros[ZEROS_BYTES];
	while (length > 0) {
		size_t      bytes  = length < sizeof zeros ? (size_t)length : sizeof zeros;
		enum status status = log_write(system, file, zeros, bytes, offset, err);
		if (status != STATUS_OK)
			return status;
		offset += bytes;
		length -= bytes;
	}
	return log_write_sync(system, file, err);
}

enum status log_write_header(const struct file_log_system *system, const struct log_file *file,
                             struct error *err)
{
	uint8_t bytes[LOG_FILE_HEADER_BYTES];
	log_file_header_encode(&file->header, bytes);
	enum status status = log_write(system, file, bytes, sizeof bytes, 0, err);
	return status != STATUS_OK ? status : log_write_sync(system, file, err);
}

enum status log_write_seal(const struct file_log_system *system, const struct log_file *file,
                           uint64_t offset, uint64_t next_position, int64_t log_time_ms,
                           struct error *err)
{
	uint8_t            bytes[FRAME_HEADER_BYTES];
	const struct frame seal = {
		.first_position = next_position,
		.log_time_ms    = log_time_ms,
		.kind           = FRAME_SEAL,
	};
	frame_encode(bytes, &seal, file->header.mark, offset);
	enum status status = log_write(system, file, bytes, sizeof bytes, offset, err);
	return status != STATUS_OK ? status : log_write_sync(system, file, err);
}
