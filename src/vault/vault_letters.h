#ifndef SONNIM_VAULT_VAULT_LETTERS_H
#define SONNIM_VAULT_VAULT_LETTERS_H

/* The key of what may be about anybody, known or not: dead letters that name nobody whom the vault
 * knows. Erasing a person renews it: what is still needed is sealed again under the new key, then
 * the old one is overwritten, and with it every older copy of the store is noise.
 *
 *   KEYRING/letters.key   two entries of 64 bytes: number, the key wrapped, checksum
 *   seal ──► u64 number, sealed      renew_begin ──► … seal again … ──► renew_end
 *
 * What was sealed by vault_seal_common() before there was such a key still opens. Threads: any. */

#include "vault/vault.h"

void vault_seal_letter(struct vault *vault, struct text purpose, struct text plain,
                       struct buffer *out);
/* STATUS_NOT_FOUND: its key is gone; STATUS_CORRUPT: not authentic. */
MUST_USE enum status vault_unseal_letter(struct vault *vault, struct text purpose,
                                         struct text sealed, struct buffer *out, struct error *err);

/* Makes the next key, durable on return: what is sealed from now on is under it. When an earlier
 * renewal was interrupted, that one goes on. */
MUST_USE enum status vault_letters_renew_begin(struct vault *vault, struct error *err);
/* Whether this was sealed under the newest key. */
bool vault_letter_is_new(struct vault *vault, struct text sealed);
/* Overwrites the key before. */
MUST_USE enum status vault_letters_renew_end(struct vault *vault, struct error *err);

#endif
