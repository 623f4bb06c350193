#ifndef SONNIM_VAULT_SUBJECTS_H
#define SONNIM_VAULT_SUBJECTS_H

/* The file behind vault_subjects.h, opened and closed with the vault. A torn tail is cut. */

#include "base/error.h"

struct subjects;

MUST_USE enum status subjects_open(const char *directory, struct subjects **ret_subjects,
                                   struct error *err);
void                 subjects_close(struct subjects *subjects); /* NULL is fine */

#endif
