#ifndef SONNIM_VAULT_LETTER_KEY_H
#define SONNIM_VAULT_LETTER_KEY_H

/* The file behind vault_letters.h, opened and closed with the vault. */

#include "base/error.h"
#include "vault/keyring.h"

struct letter_key;

MUST_USE enum status letter_key_open(const char *directory, const struct keyring *keyring,
                                     struct letter_key **ret_key, struct error *err);
void                 letter_key_close(struct letter_key *key); /* NULL is fine; wipes */

#endif
