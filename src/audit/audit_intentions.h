#ifndef SONNIM_AUDIT_INTENTIONS_H
#define SONNIM_AUDIT_INTENTIONS_H

/* AUDIT/intentions: what is under way and may have an effect before its record is in the trail. A
 * process that is killed leaves it there, and the next start makes a record of it.
 *
 *   │ slot: 512 bytes │ slot │ …     128 at a time, as many as were ever needed at once, 4,096 at
 *                                    most; one that begins with zeros is free
 *
 *   ┌ magic "SNin" │ version 1, three zeros │ call │ begun, ms │ newest record then │ MAC: 16 bytes
 *   │ 4              4                        8      8           8
 *   └ lengths of the five texts, three zeros │ action actor target ip trace, zeros to the end
 *     8                                        456
 *
 * Little-endian. The MAC (keyed BLAKE2b, RFC 7693, by libsodium) is over the slot's number and all
 * else of the slot, under a key that is made from the trail's own and from the workspace: what was
 * flipped, torn, made up or brought from elsewhere is no intention. A slot is half of what a disk
 * writes at once at least, so a loss of power leaves the one before or the one behind.
 *
 * A slot is written without a sync: that outlives the process. Whoever is about to change something
 * waits for audit_intentions_sync() besides: one fdatasync of a thread of its own for all that wait
 * by then. Slots are freed by overwriting their begin, without a sync: one that comes back behind a
 * loss of power is recognised by the record that bears its call.
 *
 * Threads: any; one at a time for one intention. Cost: 3 µs to take, 2 µs to free, never the disk;
 * growing by 64 KiB 50 µs. */

#include <pthread.h>

#include "audit/audit.h"

enum {
	AUDIT_INTENTION_BYTES       = 512,
	AUDIT_INTENTION_ACTION_MAX  = 64, /* longer texts are cut off */
	AUDIT_INTENTION_ACTOR_MAX   = 96,
	AUDIT_INTENTION_TARGET_MAX  = 192,
	AUDIT_INTENTION_ADDRESS_MAX = 48,
	AUDIT_INTENTION_TRACE_MAX   = 32,
	AUDIT_INTENTION_KEY_BYTES   = 32,
};

/* One that was found when the file was opened. */
struct audit_intention {
	struct audit_intent intent;
	char                slot[AUDIT_INTENTION_BYTES];
};

/* What was known of its record: texts in `slot`. */
struct audit_record audit_intention_known(const struct audit_intention *intention);

struct audit_found {
	struct audit_intention *items;
	size_t                  count;
	uint64_t                damaged; /* slots that are neither free nor an intention */
};

struct audit_intentions;

/* Opens the file, or makes it, and reads what it holds; that keeps its slots until
 * audit_intentions_forget(). `keys`: that of the new ones is the last. `items` is freed by the
 * caller. A full disk is no failure: taking one is. */
MUST_USE enum status audit_intentions_open(const char *directory, const struct audit_keys *keys,
                                           const uint8_t              workspace_id[16],
                                           const struct audit_system *system,
                                           struct audit_intentions  **ret_intentions,
                                           struct audit_found *ret_found, struct error *err);

/* NULL is fine. Nobody takes any more; who waits for a sync is told. */
void audit_intentions_close(struct audit_intentions *intentions);

/* What was found has its records, durable: its slots are free, also those that were damaged. */
MUST_USE enum status audit_intentions_forget(struct audit_intentions *intentions,
                                             struct error            *err);

/* Writes an intention. STATUS_NO_SPACE; STATUS_UNAVAILABLE: there are 4,096; STATUS_FAILED: a write
 * or sync has failed. */
MUST_USE enum status audit_intentions_take(struct audit_intentions   *intentions,
                                           const struct audit_record *known, uint64_t after_seq,
                                           struct audit_intent *ret_intent, struct error *err);

/* Writes it again, with what is known by now. */
MUST_USE enum status audit_intentions_tell(struct audit_intentions   *intentions,
                                           const struct audit_intent *intent,
                                           const struct audit_record *known, struct error *err);

/* A slot whose begin cannot be overwritten is not taken again. */
void audit_intentions_free(struct audit_intentions *intentions, uint32_t slot);

/* `done` is called once, by the thread of this, when all that was written before is on the disk:
 * STATUS_OK, or STATUS_FAILED, then and ever after. */
void audit_intentions_sync(struct audit_intentions *intentions, audit_written_fn *done,
                           void *context);

struct audit_intentions_counts {
	uint64_t taken; /* now */
	uint64_t slots;
	uint64_t syncs;
	bool     failed; /* a write or sync has: nothing is taken any more */
};
struct audit_intentions_counts audit_intentions_counts(struct audit_intentions *intentions);

#endif
