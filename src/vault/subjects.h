#ifndef SONNIM_VAULT_SUBJECTS_H
#define SONNIM_VAULT_SUBJECTS_H

/* The file behind vault_subjects.h, opened and closed with the vault. A torn tail is cut. */

#include "base/error.h"

#include "vault/id_index.h"

struct subjects;
struct vault;

MUST_USE enum status subjects_open(const char *directory, struct subjects **ret_subjects,
                                   struct error *err);
void                 subjects_close(struct subjects *subjects); /* NULL is fine */

/* Who of the users that are known is suppressed: once, when the index is there. */
MUST_USE enum status subjects_find_persons(struct vault *vault, struct error *err);

/* A user is new, whose id may be suppressed since before. The shard's lock is held. */
void subjects_note_user(struct vault *vault, struct id_hash hash, struct person user);

#endif
