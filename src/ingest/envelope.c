#include "ingest/envelope.h"

#include <string.h>

/* By length and first letter there is at most one name to compare with. */
static enum envelope_field candidate(struct text name)
{
	char first = name.data[0];
	switch (name.length) {
	case 4:
		return first == 't' ? FIELD_TYPE : FIELD_NAME;
	case 5:
		return FIELD_EVENT;
	case 6:
		return first == 'u' ? FIELD_USER_ID : first == 's' ? FIELD_SENT_AT : FIELD_TRAITS;
	case 7:
		return first == 'c' ? FIELD_CONTEXT : FIELD_GROUP_ID;
	case 8:
		return first == 'c' ? FIELD_CATEGORY : FIELD_DEVICE_ID;
	case 9:
		return first == 'm'   ? FIELD_MESSAGE_ID
		       : first == 't' ? FIELD_TIMESTAMP
		       : first == 'e' ? FIELD_EVENT_TYPE
		                      : FIELD_SESSION_ID;
	case 10:
		return first == 'p' && name.data[3] == 'p' ? FIELD_PROPERTIES
		       : first == 'p'                      ? FIELD_PREVIOUS_ID
		                                           : FIELD_ATTRIBUTES;
	case 11:
		return FIELD_ANONYMOUS_ID;
	case 15:
		return FIELD_MERGE_PROPERTIES;
	case 17:
		return FIELD_ORIGINAL_TIMESTAMP;
	default:
		return FIELD_NONE;
	}
}

static enum envelope_field field_of(struct text name)
{
	static const struct text names[FIELD_COUNT] = {
#define X(field, text) [FIELD_##field] = {text, sizeof(text) - 1},
		ENVELOPE_FIELDS(X)
#undef X
	};
	if (name.length == 0)
		return FIELD_NONE;
	enum envelope_field field = candidate(name);
	return text_equal(name, names[field]) ? field : FIELD_NONE;
}

void envelope_read(struct envelope *envelope, struct json message)
{
	*envelope = (struct envelope){.tape = message.tape, .strings = message.strings};
	for (struct json_iterator i = json_iterate(message); json_next(&i);)
		envelope->words[field_of(i.name)] = json_type(i.value) == JSON_NULL ? NULL : i.value.word;
	envelope->words[FIELD_NONE] = NULL;
}
