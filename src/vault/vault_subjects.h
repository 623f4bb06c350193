#ifndef SONNIM_VAULT_VAULT_SUBJECTS_H
#define SONNIM_VAULT_VAULT_SUBJECTS_H

/* What is known of ids beyond their persons: whose messages are not to be taken (suppressed), and
 * who was erased when. Kept by keyed hash in the keyring (KEYRING/subjects.log), since it has to
 * outlive the person, a restore, and every copy of the data; docs/formats/vault.md has the bytes.
 *
 *   vault_suppressed()  a bit of a sieve for most ids; one in question is looked up exactly
 *
 * The hash is that of the look-up: whoever has an id and the keyring can ask about it, nobody can
 * list the ids. Threads: any. Cost of vault_suppressed() while nobody is suppressed: a load; else
 * a SipHash and a load. Memory: 128 KiB and some 20 bytes for each suppressed id. */

#include "vault/vault.h"

enum vault_mark {
	VAULT_SUPPRESSED = 1,
	VAULT_RELEASED   = 2, /* no more */
	VAULT_ERASED     = 3, /* the person whom the id named then */
};

enum { VAULT_REQUEST_BYTES = 16 };

struct vault_note {
	struct vault_id id;
	enum vault_mark mark;
	int64_t         at_ms;
	uint8_t         request[VAULT_REQUEST_BYTES]; /* by which it was asked for */
};

/* Durable on return, in their order; a retry writes them once more, which changes nothing.
 * STATUS_NO_SPACE: none is known. STATUS_IO, STATUS_FAILED: what is known is seen at the next open;
 * until then no more is taken. */
MUST_USE enum status vault_note_subjects(struct vault *vault, const struct vault_note *notes,
                                         size_t count, struct error *err);

/* Whether any of the ids is suppressed. Empty ones are nobody's. */
bool vault_any_suppressed(struct vault *vault, const struct vault_id *ids, size_t count);

/* Whether the anonymous id is linked by now to a user who is suppressed by his own id: what comes
 * with it alone is his. Cost while no user who is known is suppressed: a load; else a SipHash and a
 * look-up in the index. */
bool vault_linked_to_suppressed(struct vault *vault, struct text anonymous_id);

/* Whether anybody is: then vault_any_suppressed() is worth asking. */
bool vault_suppresses(struct vault *vault);

uint64_t vault_suppressed_count(struct vault *vault);

/* What was noted of an id, oldest first: `call` for each. Reads the whole file. */
typedef void         vault_noted_fn(void *context, enum vault_mark mark, int64_t at_ms,
                                    const uint8_t request[VAULT_REQUEST_BYTES]);
MUST_USE enum status vault_subject_notes(struct vault *vault, struct vault_id id,
                                         vault_noted_fn *call, void *context, struct error *err);

#endif
