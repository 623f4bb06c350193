/* /api/v1/sso-providers: who says who people are. Who configures one cannot give away by it what he
 * lacks; the secret comes in and never goes out. */

#include "access/people.h"
#include "api/access/sso_login.h"
#include "api/call.h"
#include "api/handlers.h"
#include "base/clock.h"

static struct text name_of(struct api_call *call) { return http_param(call->request, "name"); }

static void write_provider(struct api_call *call, struct json_writer *w,
                           const struct sso_provider *provider)
{
	json_begin_object(w);
	json_member_string(w, "name", provider->name);
	sso_provider_write(w, provider);
	json_member_bool(w, "has_secret", provider->client_secret.length > 0);
	json_member_string(w, "redirect_uri", sso_login_redirect_uri(call, provider->name));
	json_member_instant(w, "created_at", provider->created_ms);
	json_member_instant(w, "updated_at", provider->updated_ms);
	json_end_object(w);
}

static enum status find(struct api_call *call, struct sso_provider *ret_provider, struct error *err)
{
	struct store             *store = call->api->config.store;
	struct store_sso_provider row;
	enum status status = store->ops->sso_provider_get(store, name_of(call), call->arena, &row, err);
	return status == STATUS_OK
	           ? sso_provider_open(&row, call->api->config.vault, call->arena, ret_provider, err)
	           : status;
}

static void answer(struct api_call *call, enum status status, const struct sso_provider *provider,
                   const struct error *err)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	if (status != STATUS_OK) {
		call_fail(call, err);
		return;
	}
	write_provider(call, &w, provider);
	call_answer(call, 200, &out);
}

/* ---- GET, DELETE ---- */

static enum status list(struct api_call *call, struct buffer *out, struct error *err)
{
	struct store              *store = call->api->config.store;
	struct store_sso_provider *rows;
	size_t                     count;
	enum status status = store->ops->sso_provider_list(store, call->arena, &rows, &count, err);
	if (status != STATUS_OK)
		return status;
	struct json_writer w = call_begin_list(out);
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		struct sso_provider provider;
		status = sso_provider_open(&rows[i], call->api->config.vault, call->arena, &provider, err);
		if (status == STATUS_OK)
			write_provider(call, &w, &provider);
	}
	call_end_list(&w, CURSOR_OFFSET, (struct text){0}, (int64_t)count, clock_wall_ms());
	return status;
}

static void list_step(struct api_call *call) { call_answer_written(call, list); }

void sso_providers_list(struct api_call *call) { call_on_worker(call, list_step); }

static void get_step(struct api_call *call)
{
	struct sso_provider provider;
	struct error        err    = {0};
	enum status         status = find(call, &provider, &err);
	answer(call, status, &provider, &err);
}

void sso_providers_get(struct api_call *call) { call_on_worker(call, get_step); }

static void delete_step(struct api_call *call)
{
	struct store *store = call->api->config.store;
	struct error  err;
	if (store->ops->sso_provider_delete(store, name_of(call), &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_answer_empty(call, 204);
}

void sso_providers_delete(struct api_call *call) { call_on_worker(call, delete_step); }

/* ---- PUT ---- */

/* What is there of that name already, or a new one of it. */
static enum status begin(struct api_call *call, struct sso_provider *provider, struct error *err)
{
	struct store              *store = call->api->config.store;
	struct store_sso_provider *rows;
	struct error               why;
	size_t                     count;
	*provider          = (struct sso_provider){.created_ms = clock_wall_ms()};
	enum status status = find(call, provider, &why);
	if (status == STATUS_NOT_FOUND) {
		if (!sso_name_is_good(name_of(call)))
			return error_set_field(err, STATUS_INVALID, "name",
			                       "It must be 1 to %d of a-z, 0-9 and -, and begin with a letter",
			                       SSO_NAME_BYTES_MAX);
		provider->name = arena_text(call->arena, name_of(call));
		uuid_new(provider->id);
		status = store->ops->sso_provider_list(store, call->arena, &rows, &count, err);
		if (status == STATUS_OK && count >= SSO_PROVIDERS_MAX)
			status = error_set(err, STATUS_CONFLICT, "There are %d providers already",
			                   SSO_PROVIDERS_MAX);
		return status;
	}
	if (status != STATUS_OK)
		*err = why;
	return status;
}

/* Nobody gives by it what he lacks: neither a role, nor who somebody is. */
static enum status check_giver(struct api_call *call, const struct sso_provider *provider,
                               struct error *err)
{
	const char *field  = provider->mapping_count > 0 ? "role_mapping" : "default_roles";
	uint32_t    scopes = call->token.scopes;
	enum status status = STATUS_OK;
	struct text rest   = sso_provider_all_roles(provider, call->arena);
	while (rest.length > 0 && status == STATUS_OK) {
		const char *blank  = memchr(rest.data, ' ', rest.length);
		size_t      length = blank == NULL ? rest.length : (size_t)(blank - rest.data);
		struct text role   = {rest.data, length};
		status = people_check_roles(call->api->config.access, role, scopes, call->arena, err);
		length += blank != NULL;
		rest = (struct text){rest.data + length, rest.length - length};
	}
	if (status == STATUS_INVALID || status == STATUS_FORBIDDEN) {
		struct error why = *err;
		return error_set_field(err, status, field, "%s", why.reason);
	}
	if (status == STATUS_OK && provider->link_by_email && !scope_allows(scopes, SCOPE_ADMIN))
		return error_set_field(err, STATUS_FORBIDDEN, "link_by_email",
		                       "Only an admin lets a provider say who somebody is that is here "
		                       "already");
	return status;
}

/* What was told to one issuer is told to no other without being said anew: who may change
 * providers could read it there. */
static enum status check_secret(struct json body, const struct sso_provider *before,
                                const struct sso_provider *provider, struct error *err)
{
	if (before->client_secret.length == 0 || text_equal(before->issuer, provider->issuer) ||
	    json_type(json_get(body, "client_secret")) != JSON_NONE)
		return STATUS_OK;
	return error_set_field(err, STATUS_INVALID, "client_secret",
	                       "Another issuer needs its own: name it, or null for none");
}

static enum status put(struct api_call *call, struct sso_provider *provider, struct error *err)
{
	static const char *const  known[] = {"issuer",
	                                     "client_id",
	                                     "client_secret",
	                                     "scopes",
	                                     "groups_claim",
	                                     "role_mapping",
	                                     "default_roles",
	                                     "link_by_email",
	                                     "return_path",
	                                     "active",
	                                     NULL};
	struct store             *store   = call->api->config.store;
	struct store_sso_provider row;
	struct sso_provider       before;
	struct json               body;
	enum status               status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = begin(call, provider, err)) != STATUS_OK)
		return status;
	before = *provider;
	if ((status = sso_provider_read(body, call->arena, provider, err)) != STATUS_OK ||
	    (status = check_secret(body, &before, provider, err)) != STATUS_OK ||
	    (status = check_giver(call, provider, err)) != STATUS_OK)
		return status;
	provider->updated_ms = clock_wall_ms();
	sso_provider_seal(provider, call->api->config.vault, call->arena, &row);
	status               = store->ops->sso_provider_put(store, &row, err);
	provider->created_ms = row.created_ms;
	return status;
}

static void put_step(struct api_call *call)
{
	struct sso_provider provider;
	struct error        err    = {0};
	enum status         status = put(call, &provider, &err);
	answer(call, status, &provider, &err);
}

void sso_providers_put(struct api_call *call) { call_on_worker(call, put_step); }
