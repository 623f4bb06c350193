#ifndef SONNIM_PRIVACY_TERMS_H
#define SONNIM_PRIVACY_TERMS_H

/* By what persons who are being erased may be named elsewhere (in dead letters): their own ids, the
 * keyed hashes of the ids that were linked to them, e-mail address and phone. Gathered while they
 * can still be read, kept sealed in the job's directory until the job has ended.
 *
 *   .terms = a list of subjects (vault/subject_list.h), appended to; a torn end is cut */

#include "ingest/letters_erase.h"
#include "transfer/transfer.h"
#include "vault/subject_list.h"
#include "vault/vault_erase.h"

struct privacy_terms {
	struct transfer      *transfer;
	const char           *path;
	int                   fd; /* −1: not open */
	struct subject_writer writer;
};

/* `path` outlives it. */
MUST_USE enum status privacy_terms_open(struct privacy_terms *terms, struct transfer *transfer,
                                        const char *path, struct error *err);
void                 privacy_terms_done(struct privacy_terms *terms);

/* Adds what names those who go; durable on return. Waits for the engine. */
MUST_USE enum status privacy_terms_add(struct privacy_terms       *terms,
                                       const struct vault_erasure *erasure, struct error *err);

/* All that a list holds: this one, or that of the ids that were asked for. */
MUST_USE enum status privacy_terms_read(struct vault *vault, const char *path,
                                        struct letter_terms *letters, struct error *err);

#endif
