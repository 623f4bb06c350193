#ifndef SONNIM_AUDIT_AUDIT_H
#define SONNIM_AUDIT_AUDIT_H

/* The audit trail: who did what, when, from where; append-only, hash-chained, with signed heads.
 *
 *   audit_intend() ─► (durable) ─► the work ─► audit_add() ─► waits ─► one write, one sync ─► told
 *   room on the disk,                          chained, in memory      the writer's thread
 *   an intention
 *
 *   DATA/audit/00000000000000000001.jsonl ─► 00000000000000052113.jsonl ─► …    records and heads
 *   DATA/audit/intentions                    audit_intentions.h: what is under way
 *   KEYRING/audit.key, audit.head            audit_key.h, audit_anchor.h
 *   --audit-head-file, --audit-head-url      audit_sender.h: heads elsewhere
 *
 * What is promised:
 *  - A record that somebody waits for (`written`) is durable before he hears of it: a change is
 *    answered only then. Others are written at once, too, and synced with the next such record, or
 *    after AUDIT_SYNC_MS: a killed process loses those of the last milliseconds, a loss of power
 *    those of AUDIT_SYNC_MS.
 *  - The intention comes first, then the change, its record, and the answer last. What a process
 *    that was killed has left of intentions without a record, the next start adds as records whose
 *    outcome is unknown, each once. Of who waits for it (audit_intend_durably()) this holds behind
 *    a loss of power too; of others behind a kill.
 *  - Room is reserved before the work begins: a full disk (STATUS_NO_SPACE, retriable) refuses the
 *    work and never loses a record. After a failed write or sync everything is refused
 *    (STATUS_FAILED) until a restart, as in the journal.
 *  - Every record bears the hash of the one before. A head (a record with a signature) follows at
 *    most --audit-head-interval after a record, at the end of each file and at stop. The newest
 *    durable record's signature lies in the keyring after each sync, so that a cut tail shows.
 *  - A trail that is found cut or damaged at the end when it is opened goes on in a new file with a
 *    signed record "audit.break", which says what was there and what should have been. It is not
 *    mended: audit verify tells of it for ever.
 *
 * Threads: any. Cost of audit_intend() and audit_add(): about 3 µs each; never the disk. */

#include <stdint.h>

#include "audit/audit_files.h"
#include "audit/audit_line.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/settings.h"

enum {
	AUDIT_SYNC_MS       = 1000,
	AUDIT_UNKNOWN_RATE  = 10, /* a second, of records without an actor; see audit_admit_unknown() */
	AUDIT_UNKNOWN_BURST = 100,
	AUDIT_STOP_SEND_MS  = 3000, /* for the last head, to be sent elsewhere */
	AUDIT_SEND_RETRY_MS = 1000, /* doubles from there */
	AUDIT_SEND_RETRY_MAX = 300000,
};

struct audit_settings {
	int64_t  head_interval_ms;
	char    *head_file; /* NULL: none */
	char    *head_url;  /* NULL: none */
	uint64_t file_bytes;
	int64_t  retention_ms;
};

struct settings audit_settings_of(struct audit_settings *target);

/* What a test may put in the disk's place. */
struct audit_system {
	int (*allocate)(int fd, uint64_t offset, uint64_t length); /* posix_fallocate; 0 or errno */
	int64_t (*write)(int fd, const void *data, size_t length, uint64_t offset); /* pwrite */
	int (*sync)(int fd); /* fdatasync; 0 or −1 with errno */
};

struct audit_config {
	const char                  *directory; /* made when it is absent */
	const char                  *keyring_directory;
	uint8_t                      workspace_id[16];
	const struct audit_settings *settings; /* outlive the trail */
	const struct audit_system   *system;   /* NULL: the system's */
};

struct audit;

/* STATUS_NOT_FOUND: the trail has records but the keyring no key for them. */
MUST_USE enum status audit_open(const struct audit_config *config, struct audit **ret_audit,
                                struct error *err);

/* Writes what waits, a last head, and sends that; NULL is fine. Nobody adds any more. */
void audit_close(struct audit *audit);

typedef void audit_written_fn(void *context, enum status status, const struct error *err);

/* What is about to be done. Zeroed: only the room for its record was reserved. */
struct audit_intent {
	uint64_t call;      /* tells it from all others; never 0 */
	uint64_t after_seq; /* its record comes behind this one */
	int64_t  begun_ms;  /* wall clock */
	uint32_t slot;
};

/* Makes sure that one record has room, for what has had no effect or has one in any case: each is
 * followed by one audit_add() or audit_release(). */
MUST_USE enum status audit_reserve(struct audit *audit, struct error *err);

/* The same, and writes an intention with what is `known` of the record: action, actor, target, ip
 * and trace_id. It outlives the process, not a loss of power. STATUS_UNAVAILABLE: too many. */
MUST_USE enum status audit_intend(struct audit *audit, const struct audit_record *known,
                                  struct audit_intent *ret_intent, struct error *err);

/* It is known better by now. What cannot be written is left as it was. */
void audit_intend_better(struct audit *audit, const struct audit_intent *intent,
                         const struct audit_record *known);

/* `durable` is called once, by a thread of the trail, when all intentions until now are on stable
 * storage: STATUS_OK; or STATUS_FAILED: then the work must not be begun. */
void audit_intend_durably(struct audit *audit, audit_written_fn *durable, void *context);

/* Nothing was done, or nothing that is recorded. */
void audit_release(struct audit *audit, const struct audit_intent *intent);

/* Adds the record for which room was reserved; its texts are copied. The intention is gone when the
 * record is written. `written` NULL: nobody waits; else it is called once, by the writer's thread:
 * STATUS_OK, or STATUS_FAILED. */
void audit_add(struct audit *audit, const struct audit_intent *intent,
               const struct audit_record *record, audit_written_fn *written, void *context);

/* Reserves, adds and waits until it is durable: for what no request asks for. */
MUST_USE enum status audit_note(struct audit *audit, const struct audit_record *record,
                                struct error *err);

/* Whether a record of somebody unknown may be added now, so that nobody fills the disk from
 * outside: AUDIT_UNKNOWN_RATE a second. False: it is counted, and the next one that is let through
 * gets `*ret_left_out` to tell. */
bool audit_admit_unknown(struct audit *audit, uint64_t *ret_left_out);

/* ---- Reading ---- */

/* The files as they are now, the last one as far as it is written: for searches. */
void        audit_snapshot(struct audit *audit, audit_file_list *ret_files);
const char *audit_directory(const struct audit *audit);

/* The newest record's head, signed now. `seq` 0: there is no record yet. */
void audit_head(struct audit *audit, struct audit_head *ret_head);
void audit_public_key(const struct audit *audit, uint8_t ret_key[AUDIT_PUBLIC_KEY_BYTES]);

/* ---- Retention ---- */

struct audit_amount {
	uint64_t files;
	uint64_t bytes;
};

/* What there is, and of it whole files whose records are all older than `before_ms`, the newest
 * file never. */
void audit_look(struct audit *audit, int64_t before_ms, int64_t *ret_oldest_ms,
                struct audit_amount *ret_all, struct audit_amount *ret_due);

/* Drops those files: first a signed record "audit.drop" (through which record, its hash), durable,
 * then the files, the oldest first. */
MUST_USE enum status audit_drop(struct audit *audit, int64_t before_ms,
                                struct audit_amount *dropped, struct error *err);

/* ---- State ---- */

/* Prometheus text. */
void audit_write_metrics(struct audit *audit, struct buffer *out);

#endif
