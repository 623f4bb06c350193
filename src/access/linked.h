#ifndef SONNIM_ACCESS_LINKED_H
#define SONNIM_ACCESS_LINKED_H

/* People of the home workspace who may enter another: a row there of the same id, with roles of
 * that workspace, and without anything to log in with. Neither a password nor the address leads to
 * it; a session comes of one at home alone (sessions_begin()) and counts only while home says so
 * (struct access_host). */

#include "access/people.h"

/* Whether it is such a row. */
bool linked_is(struct access *access, const struct store_person *row);

/* Adds it, or takes over name, address and roles. `home`: his account there. STATUS_INVALID with
 * the field: there is no such role. */
MUST_USE enum status linked_put(struct access *access, const struct account *home,
                                struct text roles, int64_t now_ms, struct arena *arena,
                                struct error *err);

/* Removes those that are not among the `count` ids; `*ret_removed` says whether there were any. */
MUST_USE enum status linked_keep(struct access *access, const struct text *ids, size_t count,
                                 bool *ret_removed, struct error *err);

/* STATUS_NOT_FOUND: home says that the session is over. */
MUST_USE enum status linked_check(struct access *access, const char *session_id, int64_t now_ms,
                                  struct error *err);

/* STATUS_NOT_FOUND: home says that he may do nothing there. */
MUST_USE enum status linked_check_person(struct access *access, const char *person_id,
                                         struct error *err);

#endif
