#ifndef SONNIM_JOURNAL_LOG_WRITE_H
#define SONNIM_JOURNAL_LOG_WRITE_H

/* Writing to a file of the log, through system calls that tests can replace. Short writes go on;
 * any failure is STATUS_FAILED, fatal: what the file holds then is not known, and nothing is tried
 * again over it. One thread a file. */

#include "journal/file_log.h"
#include "journal/log_file.h"

/* The system calls as they are. The monotonic clock counts through sleep. */
extern const struct file_log_system log_write_system;

/* STATUS_FAILED, fatal: "cannot WHAT PATH: …". */
enum status log_write_failed(struct error *err, int error_number, const char *what,
                             const char *path);

MUST_USE enum status log_write(const struct file_log_system *system, const struct log_file *file,
                               const void *data, size_t length, uint64_t offset, struct error *err);
MUST_USE enum status log_write_sync(const struct file_log_system *system,
                                    const struct log_file *file, struct error *err);

/* Overwrites a part with zeros, durably; its blocks stay allocated. */
MUST_USE enum status log_write_zeros(const struct file_log_system *system,
                                     const struct log_file *file, uint64_t offset, uint64_t length,
                                     struct error *err);

/* The file's header, durably. */
MUST_USE enum status log_write_header(const struct file_log_system *system,
                                      const struct log_file *file, struct error *err);

/* Ends the file with a SEAL at `offset`, durably: the next one begins with `next_position`. */
MUST_USE enum status log_write_seal(const struct file_log_system *system,
                                    const struct log_file *file, uint64_t offset,
                                    uint64_t next_position, int64_t log_time_ms, struct error *err);

#endif
