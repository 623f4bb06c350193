#ifndef SONNIM_API_CALL_AUDIT_H
#define SONNIM_API_CALL_AUDIT_H

/* What the audit trail is told of requests. Which, and by what name, stands in the table of routes;
 * the record is made in one place, when the answer is there:
 *
 *   who is let in ─► intention ─► (durable) ─► handler ─► answer ─► record ─► (durable) ─► sent
 *             full disk: 503   AUDIT_DURABLE              size, target    AUDIT_DURABLE
 *
 * So what was begun stands in the trail at the next start, whenever the process is killed: with its
 * record, or as one whose outcome is unknown (audit.h). What handlers tell goes into the intention
 * too, so they tell before they change anything what they know by then.
 *
 * Actor, address, trace id and status come from the request; the target is what the path names or,
 * of something that was made, the "id" of the answer; the size is its "audience_size", "size" or
 * the number of its "items", or the bytes of a file; of a change its version, scopes, roles and
 * permissions are kept too. What cannot be seen from there a handler tells
 * by the functions below, before it answers. No external id and no personal value goes into a
 * record: a person is "profile:PARTITION-SLOT", which means nothing once he was erased.
 *
 * Requests that are refused are recorded too; those of nobody known only at a limited rate
 * (audit_admit_unknown()), which the next such record tells. */

#include "api/call.h"
#include "audit/audit.h"

struct question;

/* Copied. */
void call_audit_target(struct api_call *call, struct text target);
void call_audit_person(struct api_call *call, struct person person);

/* What was asked, without personal values; of several questions a list. */
void call_audit_filters(struct api_call *call, const struct question *question);

/* Who it is, where no token says so (a login): "person:ID". */
void call_audit_actor(struct api_call *call, struct text actor);

/* Whether the asker may see personal values; that he did is recorded. Of a route that is not
 * recorded nobody may. */
bool call_shows_personal(struct api_call *call);

/* "profile:3-17" */
enum { CALL_AUDIT_PERSON_BYTES = 40 };
struct text call_audit_person_name(struct person person, char into[CALL_AUDIT_PERSON_BYTES]);

/* ---- For call.c and handshake.c ---- */

/* Reserves room, and notes that it is under way. STATUS_NO_SPACE, STATUS_FAILED,
 * STATUS_UNAVAILABLE: the request is refused. */
MUST_USE enum status call_audit_begin(struct api_call *call, struct error *err);

/* It was not begun: there will be no record. */
void call_audit_cancel(struct api_call *call);

/* Adds the record of a call that is answered with `http_status` (`body`: what it says, may be
 * NULL). True: `written` will be called, on the trail's thread, and the answer has to wait for it.
 */
bool call_audit_end(struct api_call *call, unsigned http_status, const struct buffer *body,
                    audit_written_fn *written);

#endif
