#ifndef SONNIM_VAULT_WRITER_H
#define SONNIM_VAULT_WRITER_H

/* Makes new entries of both logs durable, in groups: one thread writes and syncs what has gathered,
 * keys.log first, then persons.log, and calls back those who wait, in their order. While one group
 * is being written the next one gathers, so that a group is at most two ahead of what is durable.
 *
 *   writer_reserve()        space for what will be added, so that adding cannot fail for lack of it
 *   group = writer_begin()  takes the lock; 0: failed before
 *   writer_add_key(), writer_add_person(), writer_add_link(), all into `group`
 *   writer_end()            lets go of it
 *   writer_release()        what was not used
 *   writer_kick()           lets the thread begin
 *
 * After a failed write or sync nothing is accepted until the vault is reopened.
 * Threads: any. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/vector.h"
#include "vault/append_file.h"
#include "vault/keys_log.h"
#include "vault/persons_log.h"
#include "vault/vault.h"

/* Gathered and not yet being written; beyond it new persons wait for another call. */
enum { WRITER_GATHERED_BYTES_MAX = 64 << 20, WRITER_ENTRY_EXTRA_BYTES = RUN_HEADER_BYTES };
_Static_assert((int)WRITER_GATHERED_BYTES_MAX <= (int)RUN_BYTES_MAX, "a group becomes one run");

/* What the places in slot_table.h reach: some 300 million persons. */
#define PERSONS_LOG_BYTES_MAX (UINT64_C(8) << 32)
#define KEYS_LOG_BYTES_MAX    ((uint64_t)KEY_ENTRY_BYTES << 32)

struct writer_waiter {
	vault_durable_fn *durable;
	void             *context;
};

typedef VECTOR(struct writer_waiter) writer_waiters;

/* What a caller may still add. */
struct writer_space {
	uint64_t persons_bytes;
	uint64_t keys_bytes;
};

struct writer {
	pthread_mutex_t      lock;
	pthread_cond_t       wake;
	pthread_t            thread;
	bool                 started;
	bool                 kicked;
	bool                 stopping;
	bool                 failed;
	struct error         failure;
	struct append_file   persons;
	struct append_file   keys;
	uint64_t             group;           /* that gathers; the number of its run in persons.log */
	writer_waiters       waiters;         /* for the group that gathers */
	writer_waiters       writing_waiters; /* for the one being written */
	struct buffer        entry;           /* for encoding */
	atomic_uint_fast64_t durable;         /* the last group that is */
	atomic_uint_fast64_t added;           /* the last group that has entries */
	atomic_uint_fast64_t durable_bytes;   /* of persons.log */
};

/* What stands in both files already. */
struct writer_config {
	const struct vault_system *system;
	const char                *persons_path;
	const char                *keys_path;
	int                        persons_fd;
	int                        keys_fd;
	uint64_t                   persons_end;
	uint64_t                   keys_end;
	uint64_t                   group; /* the number of the last run */
};

/* Takes over both descriptors, also on error. */
MUST_USE enum status writer_open(struct writer *writer, const struct writer_config *config,
                                 struct error *err);
void                 writer_close(struct writer *writer); /* finishes what has gathered */

/* `persons_bytes`: of the entries, WRITER_ENTRY_EXTRA_BYTES more for each: it may be the first of a
 * group. STATUS_NO_SPACE, STATUS_UNAVAILABLE (retriable), STATUS_FAILED. Adds to `*space`. */
MUST_USE enum status writer_reserve(struct writer *writer, uint64_t persons_bytes,
                                    uint64_t key_count, struct writer_space *space,
                                    struct error *err);
void                 writer_release(struct writer *writer, struct writer_space *space);

/* 0: it failed (writer_failure() says how) and the lock is not held. */
uint64_t writer_begin(struct writer *writer);
void     writer_end(struct writer *writer);

/* Returns the entry's number in keys.log. */
uint64_t writer_add_key(struct writer *writer, struct writer_space *space, struct key_entry *entry);
/* Returns where the entry lies in persons.log. */
uint64_t writer_add_entry(struct writer *writer, struct writer_space *space,
                          const struct persons_entry *entry);

/* Waits until everything that was added is durable. Never on the writer's own thread. */
MUST_USE enum status writer_settle(struct writer *writer, struct error *err);

/* Overwrites durable entries of keys.log in place, durable on return. After a failure as of any
 * write. */
struct writer_key {
	uint64_t         at;
	struct key_entry entry; /* without checksum */
};
MUST_USE enum status writer_replace_keys(struct writer *writer, struct writer_key *keys,
                                         size_t count, struct error *err);

void writer_kick(struct writer *writer);
void writer_when_durable(struct writer *writer, uint64_t group, vault_durable_fn *durable,
                         void *context);

enum status writer_failure(struct writer *writer, struct error *err);
bool        writer_failed(struct writer *writer);

MUST_USE enum status writer_read_key(struct writer *writer, uint64_t at,
                                     struct key_entry *ret_entry, struct error *err);
MUST_USE enum status writer_read_person(struct writer *writer, uint64_t offset, void *into,
                                        size_t length, struct error *err);

static inline uint64_t writer_durable(struct writer *writer)
{
	return atomic_load_explicit(&writer->durable, memory_order_acquire);
}

#endif
