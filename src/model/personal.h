#ifndef SONNIM_MODEL_PERSONAL_H
#define SONNIM_MODEL_PERSONAL_H

/* What is personal by default (design, vault): it is sealed under the person's key before it leaves
 * ingest, and only its presence stays in clear.
 *  - traits (and context.traits): email, phone, name, first_name, last_name, firstName, lastName,
 *    address, birthday, device tokens, advertising ids;
 *  - in events: email, phone, context.ip, context.device.{id,token,advertisingId};
 *  - every string longer than PERSONAL_TEXT_BYTES_MAX, wherever it stands, and every set or array
 *    that holds one (never filterable). */

#include <stdbool.h>

#include "base/text.h"

enum { PERSONAL_TEXT_BYTES_MAX = 64 };

enum personal_place { PERSONAL_IN_TRAITS, PERSONAL_IN_PROPERTIES, PERSONAL_IN_CONTEXT };

/* Whether the value at this dotted path is personal by its name. */
bool personal_by_name(enum personal_place place, struct text path);

/* Whether a name may only be tested with exists and absent, with the reason for the refusal. */
bool personal_refuses(enum personal_place place, struct text path, const char **ret_reason);

#endif
