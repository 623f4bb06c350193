#ifndef SONNIM_TESTS_BACKUP_FIXTURE_H
#define SONNIM_TESTS_BACKUP_FIXTURE_H

/* A data directory with a real journal (under the manual clock), vault and store, without an
 * engine, and a place for its backups. */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "backup/backups.h"
#include "backup/restore.h"
#include "journal/file_log.h"

struct backup_fixture {
	char                   root[64];
	char                   data[96];
	char                   keyring[96];
	char                   place[96];
	char                   key_file[96];
	char                   restored[96];
	struct backup_settings settings;
	struct journal        *journal;
	struct vault          *vault;
	struct store          *store;
	struct backups        *backups;
	struct buffer          report;
	int64_t                paced;      /* pieces so far */
	int64_t                stop_after; /* −1: never */
	struct error           err;
};

#define assert_ok(f, call)                                                                         \
	do {                                                                                           \
		if ((call) != STATUS_OK)                                                                   \
			fail_msg("%s: %s", #call, (f)->err.reason);                                            \
	} while (0)

int backup_fixture_setup(void **state); /* everything open, nothing backed up */
int backup_fixture_teardown(void **state);

void backup_fixture_open(struct backup_fixture *f);
void backup_fixture_close(struct backup_fixture *f);

/* One record with these bytes, stamped `log_time_ms`. */
void backup_append(struct backup_fixture *f, const char *record, int64_t log_time_ms);
/* A user, whose mapping is durable on return. */
void backup_user(struct backup_fixture *f, const char *id);
/* A source of that name, as something that the store keeps. */
void backup_source(struct backup_fixture *f, const char *name);
/* A file of the data directory, its folder made. */
void backup_data_file(struct backup_fixture *f, const char *name, const void *bytes, size_t length);

enum status backup_take(struct backup_fixture *f);
/* Lets the archive take a step, as its thread would. */
void        backup_step(struct backup_fixture *f);
enum status backup_restore(struct backup_fixture *f, int64_t to_ms,
                           struct restore_report *ret_report);

/* The records of a journal one behind the other, "a,b,c", and how many users and sources there
 * are. */
void     backup_records(struct backup_fixture *f, const char *data, struct buffer *out);
uint64_t backup_users(struct backup_fixture *f, const char *data);
size_t   backup_sources(struct backup_fixture *f, const char *data);

/* Calls for each file below a directory. */
void   backup_each_file(const char *directory, void (*call)(const char *path, void *context),
                        void       *context);
size_t backup_count_files(const char *directory);

extern const struct backup_task *backup_task_of(struct backup_fixture *f);

#endif
