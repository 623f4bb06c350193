#include "ingest/suppress.h"

#include "base/buffer.h"
#include "vault/vault_subjects.h"

enum { IDS = 4 };

/* Of a message that was rejected, perhaps before its ids were read: a string, or a number as its
 * text. */
static bool is_suppressed(struct vault *vault, struct json json, const char *name,
                          enum vault_namespace namespace)
{
	struct json     value = json_get(json, name);
	struct vault_id id    = {namespace, {0}};
	struct buffer   text  = {0};
	if (json_type(value) == JSON_STRING) {
		id.id = json_string(value);
	} else if (json_is_number(value)) {
		struct json_writer w = json_writer_of(&text);
		json_add_value(&w, value);
		id.id = buffer_text(&text);
	}
	bool suppressed = vault_any_suppressed(vault, &id, 1);
	buffer_done(&text);
	return suppressed;
}

bool suppress_message(struct vault *vault, const struct message *message, struct json json)
{
	if (message->code == INGEST_ACCEPTED) {
		const struct vault_id ids[IDS] = {{VAULT_USER, message->user_id},
		                                  {VAULT_ANONYMOUS, message->anonymous_id},
		                                  {VAULT_ANONYMOUS, message->previous_id},
		                                  {VAULT_USER, message->previous_id}};
		return vault_any_suppressed(vault, ids, IDS);
	}
	return json_type(json) == JSON_OBJECT &&
	       (is_suppressed(vault, json, "userId", VAULT_USER) ||
	        is_suppressed(vault, json, "anonymousId", VAULT_ANONYMOUS) ||
	        is_suppressed(vault, json, "previousId", VAULT_ANONYMOUS) ||
	        is_suppressed(vault, json, "previousId", VAULT_USER));
}
