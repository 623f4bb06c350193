#ifndef SONNIM_MODEL_CONSENT_H
#define SONNIM_MODEL_CONSENT_H

/* What a person has agreed to: by purpose ("marketing", "Advertising"), and by channel within it
 * ("email"). It stands among the traits, so that it is journalled, asked for in expressions and
 * moved with the person like any other:
 *
 *   consent.PURPOSE            true or false: for all channels of which nothing else is said
 *   consent.PURPOSE.CHANNEL    true or false: decides for the channel
 *   marketing_consent          a set of channels, agreed to for the purpose "marketing", where the
 *                              two say nothing (the filter of that name)
 *
 * Names may be flat, with their dots, or paths into objects. Nothing said is no consent. */

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "model/value.h"

enum { CONSENT_NAME_BYTES_MAX = 64, CONSENT_TEXT_BYTES_MAX = 2 * CONSENT_NAME_BYTES_MAX + 1 };

/* What is asked: "marketing.email", or "marketing": the purpose as a whole, or any of its channels
 * where nothing is said of the whole. */
struct consent {
	struct text       text;
	struct value_path purpose; /* consent.marketing */
	struct value_path channel; /* consent.marketing.email; no name: any */
	struct text       channel_name;
	bool              marketing;
};

/* Whether it can be the name of a purpose or channel: 1 to CONSENT_NAME_BYTES_MAX bytes without
 * dots and control characters. */
bool consent_is_name(struct text name);

/* "PURPOSE" or "PURPOSE.CHANNEL", copied into the arena. False: it is neither. */
bool consent_read(struct text text, struct arena *arena, struct consent *ret_consent);

/* Whether these traits give it. */
bool consent_given(const struct consent *consent, struct text traits);

#endif
