#ifndef SONNIM_AUDIT_AUDIT_INTERNAL_H
#define SONNIM_AUDIT_AUDIT_INTERNAL_H

/* What audit.c (adding), audit_writer.c (the thread), audit_open.c (finding the end),
 * audit_intentions.c (what is under way) and audit_recover.c (what a kill has left of it) share. */

#include <pthread.h>
#include <stdbool.h>

#include "audit/audit.h"
#include "audit/audit_anchor.h"
#include "audit/audit_intentions.h"
#include "audit/audit_sender.h"

/* Room for what the trail itself adds: heads, notes. */
enum { AUDIT_OWN_BYTES = 4 * AUDIT_LINE_BYTES_MAX };

struct audit_waiter {
	audit_written_fn *written;
	void             *context;
};

typedef VECTOR(struct audit_waiter) audit_waiter_list;
typedef VECTOR(uint32_t) audit_slot_list;

/* What is added while the group before is written. */
struct audit_group {
	struct buffer     lines;
	audit_waiter_list waiters;
	audit_slot_list   slots; /* of intentions that are gone when it is written */
	uint64_t          records;
	int64_t           first_ms; /* of its first record */
};

struct audit {
	struct audit_config          config;
	char                        *directory;
	char                        *keyring_directory;
	const struct audit_system   *system;
	const struct audit_settings *settings;
	struct audit_keys            keys;
	const struct audit_key      *key; /* that signs */
	struct audit_sender         *sender;
	struct audit_intentions     *intentions;

	pthread_mutex_t lock; /* over all below, but what is said to be the writer's */
	pthread_cond_t  wake; /* the writer */
	pthread_cond_t  idle; /* whoever waits in audit_note() and audit_drop() */
	pthread_t       thread;
	bool            started;
	bool            stopping;
	bool            failed;
	struct error    failure;

	struct audit_link  last; /* the newest record that was added */
	struct audit_group gathering;

	/* The file that is written. */
	int                 fd;
	audit_file_list     files;     /* by number; the last one is that */
	uint64_t            end;       /* in it: what is written, or is being written */
	uint64_t            written;   /* in it: what is written */
	uint64_t            allocated; /* of it */
	uint64_t            reserved;  /* records that have room and are still to come */
	struct audit_anchor anchor;    /* the writer's */

	uint64_t head_seq;    /* the newest signed record */
	int64_t  unsigned_ms; /* monotonic: since when there is a record behind it; 0: there is none */
	int64_t unsynced_ms; /* monotonic: since when something is written and not synced; 0: nothing */

	double   unknown_credit;
	int64_t  unknown_ms;
	uint64_t unknown_left_out; /* since the last one that was let through */

	struct {
		uint64_t records;
		uint64_t bytes;
		uint64_t syncs;
		uint64_t refused;
		uint64_t left_out;
		uint64_t anchor_failures;
		uint64_t breaks;
		uint64_t unknown;
	} counts;
};

/* Under the lock: makes the line of a record; `sign` closes a head with it. */
void audit_chain(struct audit *audit, const struct audit_record *record, bool sign,
                 const struct audit_waiter *waiter);

/* audit_open.c: finds the end of what is there, and opens the file that is written. `*ret_broken`
 * says why it is no end (JSON), empty when it is one. */
MUST_USE enum status audit_find_end(struct audit *audit, const struct audit_head *anchor,
                                    struct buffer *ret_broken, struct error *err);

/* Makes the file whose first record is `first_seq`, with room for `bytes`; it becomes the one that
 * is written. STATUS_NO_SPACE: nothing has changed. Under the lock, or before the thread runs. */
MUST_USE enum status audit_new_file(struct audit *audit, uint64_t first_seq, uint64_t bytes,
                                    struct error *err);

/* audit_add() of a record that has its call already; `intent` NULL: it has no slot. */
void audit_put(struct audit *audit, const struct audit_intent *intent,
               const struct audit_record *record, bool sign, audit_written_fn *written,
               void *context);

/* Reserves, adds and waits until it is durable. */
MUST_USE enum status audit_note_as(struct audit *audit, const struct audit_record *record,
                                   bool sign, struct error *err);

/* audit_recover.c: adds the records that `found` lacks, durable, before anybody else adds any, and
 * frees their slots. A full disk leaves them to the next start. */
MUST_USE enum status audit_recover(struct audit *audit, const struct audit_found *found,
                                   struct error *err);

/* audit_writer.c: starts the thread. */
void audit_start_writer(struct audit *audit);

#endif
