#ifndef SONNIM_ACCESS_RESET_H
#define SONNIM_ACCESS_RESET_H

/* A new password for who has forgotten his, by a token that is mailed to his address. The token
 * bears its time and the version of the person's row, and a code of ours (code.h): nothing of it is
 * kept, and it is good for RESET_MINUTES and until anything of the person changes, so once. */

#include "access/code.h"
#include "access/people.h"

enum { RESET_MINUTES = 30 };

/* STATUS_NOT_FOUND: nobody who may log in by a password has the address: not to be told to who
 * asks. */
MUST_USE enum status reset_begin(struct access *access, struct text email, int64_t now_ms,
                                 struct arena *arena, struct account *ret_account,
                                 char ret_token[CODE_TEXT_BYTES], struct error *err);

/* Sets the password, and ends all sessions of the person. Costs a password. STATUS_UNAUTHORIZED:
 * the token is none, was used, or is over. */
MUST_USE enum status reset_finish(struct access *access, struct text token, struct text password,
                                  int64_t now_ms, struct arena *arena, struct account *ret_account,
                                  struct error *err);

#endif
