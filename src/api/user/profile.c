/* GET and PUT /api/v1/users/{id}/profile. Personal values lie sealed in the records that brought
 * them: the partition's thread copies the blocks, a worker decrypts them, and only for pii.read. */

#include "api/call.h"
#include "api/call_audit.h"
#include "api/handlers.h"
#include "api/reads.h"
#include "api/user/person_traits.h"
#include "api/user/user_put.h"
#include "base/hash.h"
#include "model/value.h"

struct profile {
	struct reads_user    user;
	struct person_traits of;
};

static void run(struct api_call *call, struct view *view)
{
	struct profile *state = call->state;
	person_traits_copy(view, state->user.person.slot,
	                   scope_allows(call->token.scopes, SCOPE_PII_READ), call->arena, &state->of);
}

/* ---- Personal values ---- */

static struct value find(struct text list, const char *name)
{
	return value_find(list, text_of(name), hash_name(text_of(name)));
}

/* The trait in clear, else among the personal ones. One of another type, as identify takes it, is
 * among the attributes only. */
static void write_trait(struct json_writer *w, const char *trait, enum value_type type,
                        struct text traits, struct text personal)
{
	struct value value = find(traits, trait);
	if (value_is_personal(&value))
		value = find(personal, trait);
	if (value.type != type)
		return;
	json_add_key(w, text_of(trait));
	value_write_json(w, &value);
}

/* ---- The answer ---- */

static void write_profile(struct api_call *call, struct json_writer *w)
{
	const struct profile *state  = call->state;
	struct text           traits = state->of.view.traits;
	bool                  pii    = call_shows_personal(call);
	struct text personal = pii ? person_traits_personal(call, &state->of) : (struct text){0};

	struct vault_id id;
	struct error    err;
	bool known = vault_external_id(call->api->config.vault, state->user.person, call->arena, &id,
	                               &err) == STATUS_OK;
	if (known)
		json_member_string(w, "id", id.id);
	else
		json_member_null(w, "id");
	json_member_bool(w, "identified", state->of.view.identified);
	reads_write_merged(call, w, &state->user);
	if (pii) {
		write_trait(w, "email", VALUE_STRING, traits, personal);
		write_trait(w, "phone", VALUE_STRING, traits, personal);
		write_trait(w, "deviceTokens", VALUE_STRING_SET, traits, personal);
	}
	json_add_key(w, TEXT("attributes"));
	reads_write_values(w, traits, pii ? &personal : NULL);
	json_member_instant(w, "createdAt", state->of.view.created_ms);
	if (state->of.view.last_active_ms == INSTANT_MS_NONE)
		json_member_null(w, "lastActiveAt");
	else
		json_member_instant(w, "lastActiveAt", state->of.view.last_active_ms);
	json_member_instant(w, "as_of", call_as_of_ms(call));
}

static void answer(struct api_call *call)
{
	struct profile *state = call->state;
	struct error    err;
	if (!state->of.found) {
		reads_unknown_user(&err);
		call_fail(call, &err);
		return;
	}
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	write_profile(call, &w);
	json_end_object(&w);
	call_answer(call, 200, &out);
}

static void read_profile(struct api_call *call)
{
	struct profile *state = ARENA_NEW(call->arena, struct profile);
	struct error    err;
	call->state = state;
	if (reads_user(call, &state->user, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_read_person(call, state->user.person.partition, run, answer);
}

void users_profile(struct api_call *call) { read_profile(call); }

/* ---- PUT: an identify call of the platform's own ---- */

static const char *const put_members[] = {"email", "phone", "deviceTokens", "attributes", NULL};

/* Attributes and the three named fields are traits alike; a field wins over an attribute. */
static void write_traits(struct json_writer *w, struct json body)
{
	json_begin_object(w);
	for (struct json_iterator i = json_iterate(json_get(body, "attributes")); json_next(&i);) {
		json_add_key(w, i.name);
		json_add_value(w, i.value);
	}
	for (unsigned i = 0; put_members[i + 1] != NULL; i++) {
		struct json value = json_get(body, put_members[i]);
		if (json_type(value) == JSON_NONE)
			continue;
		json_add_key(w, text_of(put_members[i]));
		json_add_value(w, value);
	}
	json_end_object(w);
}

static enum status check_text(struct json body, const char *name, struct error *err)
{
	enum json_type type = json_type(json_get(body, name));
	if (type != JSON_NONE && type != JSON_NULL && type != JSON_STRING)
		return error_set_field(err, STATUS_INVALID, name,
		                       "It must be a string, or null to remove it");
	return STATUS_OK;
}

static enum status check_tokens(struct json tokens, struct error *err)
{
	enum json_type type  = json_type(tokens);
	bool           valid = type == JSON_NONE || type == JSON_NULL || type == JSON_ARRAY;
	if (type == JSON_ARRAY)
		for (struct json_iterator i = json_iterate(tokens); json_next(&i);)
			valid = valid && json_type(i.value) == JSON_STRING;
	if (!valid)
		return error_set_field(err, STATUS_INVALID, "deviceTokens",
		                       "It must be an array of strings, or null to remove it");
	return STATUS_OK;
}

static enum status check_put(struct json body, struct error *err)
{
	enum status status;
	if ((status = call_only(body, put_members, err)) != STATUS_OK ||
	    (status = check_text(body, "email", err)) != STATUS_OK ||
	    (status = check_text(body, "phone", err)) != STATUS_OK ||
	    (status = check_tokens(json_get(body, "deviceTokens"), err)) != STATUS_OK)
		return status;
	enum json_type attributes = json_type(json_get(body, "attributes"));
	if (attributes != JSON_NONE && attributes != JSON_OBJECT)
		return error_set_field(err, STATUS_INVALID, "attributes", "It must be an object");
	return STATUS_OK;
}

static enum status put_message(struct api_call *call, struct buffer *message, struct error *err)
{
	struct json body;
	enum status status = call_body(call, &body, err);
	if (status == STATUS_OK)
		status = check_put(body, err);
	if (status != STATUS_OK)
		return status;
	struct json_writer w = json_writer_of(message);
	json_begin_object(&w);
	user_put_identity(call, &w);
	json_add_key(&w, TEXT("traits"));
	write_traits(&w, body);
	json_end_object(&w);
	return STATUS_OK;
}

void users_profile_put(struct api_call *call)
{
	user_put(call, INGEST_IDENTIFY, put_message, read_profile);
}
