#include "api/access/person_json.h"

#include "access/scope.h"

void person_json_names(struct json_writer *w, struct text names)
{
	json_begin_array(w);
	for (size_t begin = 0, at = 0; at <= names.length; at++)
		if (at == names.length || names.data[at] == ' ') {
			if (at > begin)
				json_add_string(w, (struct text){names.data + begin, at - begin});
			begin = at + 1;
		}
	json_end_array(w);
}

void person_json_write(struct json_writer *w, const struct account *account)
{
	json_begin_object(w);
	json_member_string(w, "id", text_of(account->row.id));
	json_member_string(w, "email", account->email);
	json_member_string(w, "name", account->name);
	json_add_key(w, TEXT("roles"));
	person_json_names(w, account->row.roles);
	json_add_key(w, TEXT("permissions"));
	scope_set_write_json(w, account->scopes);
	json_member_string(w, "subscription_tier", account->row.tier);
	json_member_bool(w, "active", account->row.active);
	json_member_bool(w, "email_verified", account->row.email_verified);
	json_member_bool(w, "totp", account->row.totp);
	json_member_instant(w, "created_at", account->row.created_ms);
	json_member_instant(w, "updated_at", account->row.updated_ms);
	json_end_object(w);
}

static void write_challenge(struct json_writer *w, const struct grant *grant)
{
	json_begin_object(w);
	json_member_string(w, "challenge", TEXT("totp"));
	json_member_string(w, "ticket", text_of(grant->challenge));
	json_member_int(w, "expires_in", CHALLENGE_SECONDS);
	json_end_object(w);
}

void person_json_grant(struct json_writer *w, const struct grant *grant)
{
	if (grant->challenge[0] != '\0') {
		write_challenge(w, grant);
		return;
	}
	json_begin_object(w);
	json_member_string(w, "access_token", grant->token);
	json_member_string(w, "token_type", TEXT("Bearer"));
	json_member_int(w, "expires_in", CLAIMS_SECONDS);
	json_member_instant(w, "expires_at", grant->token_ends_ms);
	if (grant->refresh[0] != '\0')
		json_member_string(w, "refresh_token", text_of(grant->refresh));
	json_member_instant(w, "refresh_expires_at", grant->session_ends_ms);
	json_member_string(w, "session_id", text_of(grant->session_id));
	if (grant->device[0] != '\0')
		json_member_string(w, "device_token", text_of(grant->device));
	json_member_bool(w, "totp_required", grant->owes_factor);
	json_add_key(w, TEXT("user"));
	person_json_write(w, &grant->account);
	json_end_object(w);
}

void person_json_session(struct json_writer *w, const struct session *session, bool current)
{
	json_begin_object(w);
	json_member_string(w, "id", text_of(session->row.id));
	json_member_string(w, "address", session->address);
	json_member_string(w, "agent", session->agent);
	json_member_bool(w, "current", current);
	json_member_instant(w, "created_at", session->row.created_ms);
	json_member_instant(w, "used_at", session->row.used_ms);
	json_member_instant(w, "expires_at", session->row.expires_ms);
	json_end_object(w);
}
