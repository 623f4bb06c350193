#include "ingest/suppress.h"

#include "base/buffer.h"
#include "vault/vault_subjects.h"

enum { IDS = 4 };

/* Of a message that was rejected, perhaps before its ids were read: a string, or a number as its
 * text. */
static struct text id_of(struct json json, const char *name, struct buffer *text)
{
	struct json value = json_get(json, name);
	if (json_type(value) == JSON_STRING)
		return json_string(value);
	if (!json_is_number(value))
		return TEXT("");
	struct json_writer w = json_writer_of(text);
	json_add_value(&w, value);
	return buffer_text(text);
}

static bool names_suppressed(struct vault *vault, struct text user, struct text anonymous,
                             struct text previous)
{
	const struct vault_id ids[IDS] = {{VAULT_USER, user},
	                                  {VAULT_ANONYMOUS, anonymous},
	                                  {VAULT_ANONYMOUS, previous},
	                                  {VAULT_USER, previous}};
	return vault_any_suppressed(vault, ids, IDS) ||
	       (user.length == 0 && vault_linked_to_suppressed(vault, anonymous));
}

bool suppress_message(struct vault *vault, const struct message *message, struct json json)
{
	struct buffer texts[IDS] = {0};
	if (message->code == INGEST_ACCEPTED)
		return names_suppressed(vault, message->user_id, message->anonymous_id,
		                        message->previous_id);
	if (json_type(json) != JSON_OBJECT)
		return false;
	bool suppressed = names_suppressed(vault, id_of(json, "userId", &texts[0]),
	                                   id_of(json, "anonymousId", &texts[1]),
	                                   id_of(json, "previousId", &texts[2]));
	for (unsigned i = 0; i < IDS; i++)
		buffer_done(&texts[i]);
	return suppressed;
}
