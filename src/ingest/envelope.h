#ifndef SONNIM_INGEST_ENVELOPE_H
#define SONNIM_INGEST_ENVELOPE_H

/* The fields of a message that mean something to us, by their place on the tape. Of duplicates the
 * last one counts; JSON null is absent; all others are passed over. */

#include "base/json.h"

/* field, name */
#define ENVELOPE_FIELDS(X)                                                                         \
	X(TYPE, "type")                                                                                \
	X(EVENT, "event")                                                                              \
	X(USER_ID, "userId")                                                                           \
	X(ANONYMOUS_ID, "anonymousId")                                                                 \
	X(PREVIOUS_ID, "previousId")                                                                   \
	X(GROUP_ID, "groupId")                                                                         \
	X(MESSAGE_ID, "messageId")                                                                     \
	X(TIMESTAMP, "timestamp")                                                                      \
	X(ORIGINAL_TIMESTAMP, "originalTimestamp")                                                     \
	X(SENT_AT, "sentAt")                                                                           \
	X(PROPERTIES, "properties")                                                                    \
	X(TRAITS, "traits")                                                                            \
	X(CONTEXT, "context")                                                                          \
	X(NAME, "name")                                                                                \
	X(CATEGORY, "category")                                                                        \
	X(MERGE_PROPERTIES, "mergeProperties")                                                         \
	X(EVENT_TYPE, "eventType") /* from here on: the platform's own events */                       \
	X(ATTRIBUTES, "attributes")                                                                    \
	X(SESSION_ID, "sessionId")                                                                     \
	X(DEVICE_ID, "deviceId")

enum envelope_field {
	FIELD_NONE,
#define X(field, name) FIELD_##field,
	ENVELOPE_FIELDS(X)
#undef X
		FIELD_COUNT
};

struct envelope {
	const uint64_t *tape;
	const uint8_t  *strings;
	const uint64_t *words[FIELD_COUNT]; /* NULL: absent */
};

/* `message` is an object. */
void envelope_read(struct envelope *envelope, struct json message);

/* JSON_NONE where it is absent. */
static inline struct json envelope_get(const struct envelope *envelope, enum envelope_field field)
{
	return (struct json){envelope->words[field], envelope->tape, envelope->strings};
}

#endif
