#ifndef SONNIM_PRIVACY_ERASING_H
#define SONNIM_PRIVACY_ERASING_H

/* Erasing persons in journal and vault together. */

#include "privacy/terms.h"
#include "transfer/transfer.h"
#include "vault/vault_subjects.h"

/* Appends an ERASURE record for each person and waits until the journal has them durably;
 * `*ret_position` is that of the last. STATUS_UNAVAILABLE and others of the journal. */
MUST_USE enum status erasing_append(struct transfer *transfer, const struct person *persons,
                                    size_t count, uint64_t *ret_position, struct error *err);

/* Erases the persons whom the ids name: steps 2 to 6 (privacy.h). `known[i]`: the id named
 * somebody; the others are passed over. */
struct erasing {
	const struct vault_id *ids;
	size_t                 count;
	int64_t                at_ms;
	uint8_t                request[VAULT_REQUEST_BYTES];

	bool    *known;        /* out */
	uint64_t person_count; /* out: visitors who became them included */
	uint64_t position;     /* out: of the last record; 0: there was nobody */
};
MUST_USE enum status erasing_run(struct transfer *transfer, struct erasing *erasing,
                                 struct privacy_terms *terms, struct error *err);

/* Waits until the engine has applied the journal so far. */
MUST_USE enum status erasing_await(struct transfer *transfer, uint64_t position, struct error *err);

#endif
