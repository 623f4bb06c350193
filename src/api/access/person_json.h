#ifndef SONNIM_API_PERSON_JSON_H
#define SONNIM_API_PERSON_JSON_H

/* People and what they are given, as JSON. */

#include "access/people.h"
#include "access/sessions.h"
#include "base/json.h"

/* {"id","email","name","roles","permissions","subscription_tier","active",…} */
void person_json_write(struct json_writer *writer, const struct account *account);

/* The names in a text with blanks between, as an array. */
void person_json_names(struct json_writer *writer, struct text names);

/* {"access_token","token_type","expires_in","refresh_token",…,"user":{…}}, or, where a second
 * factor is asked for, {"challenge","ticket","expires_in"} */
void person_json_grant(struct json_writer *writer, const struct grant *grant);

/* One of his logins; `current`: the one that asks. */
void person_json_session(struct json_writer *writer, const struct session *session, bool current);

#endif
