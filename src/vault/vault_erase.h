#ifndef SONNIM_VAULT_VAULT_ERASE_H
#define SONNIM_VAULT_VAULT_ERASE_H

/* Erasing persons: their keys and all that leads from an id to them, for good.
 *
 *   vault_erasure_begin    who goes: those named, and the visitors who became them; from now on
 *                          nobody is linked to them or away from them (vault_link:
 *                          STATUS_UNAVAILABLE), so that it stays complete
 *   … the caller makes their erasure known where else it must be, durably …
 *   vault_erasure_finish   keys.log: each key is overwritten in place and synced; then the mappings
 *                          go from memory, links too, and unwrapped keys are wiped
 *
 * What a key was for is noise from then on, wherever it lies: the id and the hash of it in
 * persons.log and every copy of that, personal values in journal, parts, checkpoints and backups.
 * A number is never given to anybody else: its place in keys.log says so, also to older data that
 * is opened with this keyring. The ids may come again, as somebody new.
 *
 * An anonymous id that had been linked to somebody else before answers that user again.
 *
 * Crash: a person whose key was overwritten is erased, another is not; a call that did not return
 * may have erased some. Doing it once more is harmless: whoever has no key is passed over.
 *
 * Cost: each call looks through the index once (some 3 ms a million ids), so erase many at once.
 * Threads: any, one erasure of the same persons at a time.
 *
 * What overwriting cannot reach: flash and copy-on-write file systems keep older blocks for some
 * time. Those blocks hold the key wrapped by the intermediate key, which the master key wraps:
 * where that matters the keyring lies on an encrypted or overwriting file system
 * (docs/security.md). */

#include "vault/vault.h"

enum { VAULT_ERASURE_PERSONS_MAX = 65536 };

struct vault_erasure;

/* `persons` are of this vault; those without a key and repeated ones are passed over. */
MUST_USE enum status vault_erasure_begin(struct vault *vault, const struct person *persons,
                                         size_t count, struct vault_erasure **ret_erasure,
                                         struct error *err);

/* All who go. */
const struct person *vault_erasure_persons(const struct vault_erasure *erasure, size_t *ret_count);

/* The keyed hashes of the ids that lead to them: also of those that are not kept otherwise. */
enum { VAULT_HASH_BYTES = 16 };
size_t vault_erasure_hash_count(const struct vault_erasure *erasure);
void   vault_erasure_hash(const struct vault_erasure *erasure, size_t index,
                          char ret_hash[VAULT_HASH_BYTES]);

/* The same of any id. */
void vault_id_hash(struct vault *vault, struct vault_id id, char ret_hash[VAULT_HASH_BYTES]);

/* Ends it; the erasure is freed in any case. STATUS_FAILED: after a failed write or sync nothing
 * is known of those whose entries were not read back; the vault takes no writes until it is opened
 * again. */
MUST_USE enum status vault_erasure_finish(struct vault_erasure *erasure, struct error *err);
void                 vault_erasure_abandon(struct vault_erasure *erasure); /* NULL is fine */

/* Calls for each person who was ever erased from this keyring. */
typedef void vault_erased_fn(void *context, struct person person);
void         vault_each_erased(struct vault *vault, vault_erased_fn *call, void *context);

#endif
