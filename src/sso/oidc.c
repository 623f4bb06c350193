#include "sso/oidc.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "access/jwks.h"
#include "base/hash.h"
#include "http/client.h"

/* What an issuer said of itself. */
struct said {
	char         *issuer; /* NULL: free */
	struct buffer document;
	struct buffer keys;
	int64_t       at_ms;
};

struct oidc {
	pthread_mutex_t lock;
	struct said     said[OIDC_ISSUERS_MAX];
};

struct oidc *oidc_new(void)
{
	struct oidc *oidc = calloc(1, sizeof *oidc);
	assert(oidc != NULL);
	pthread_mutex_init(&oidc->lock, NULL);
	return oidc;
}

static void forget(struct said *said)
{
	free(said->issuer);
	buffer_done(&said->document);
	buffer_done(&said->keys);
	*said = (struct said){0};
}

void oidc_free(struct oidc *oidc)
{
	if (oidc == NULL)
		return;
	for (unsigned i = 0; i < OIDC_ISSUERS_MAX; i++)
		forget(&oidc->said[i]);
	pthread_mutex_destroy(&oidc->lock);
	free(oidc);
}

/* ---- What is kept ---- */

/* Its place; that of the oldest when there is none; under the lock. */
static struct said *place_of(struct oidc *oidc, struct text issuer)
{
	struct said *oldest = &oidc->said[0];
	for (unsigned i = 0; i < OIDC_ISSUERS_MAX; i++) {
		struct said *said = &oidc->said[i];
		if (said->issuer != NULL && text_equal(text_of(said->issuer), issuer))
			return said;
		if (said->issuer == NULL || (oldest->issuer != NULL && said->at_ms < oldest->at_ms))
			oldest = said;
	}
	return oldest;
}

static void keep(struct oidc *oidc, struct text issuer, struct text document, struct text keys,
                 int64_t now_ms)
{
	pthread_mutex_lock(&oidc->lock);
	struct said *said = place_of(oidc, issuer);
	forget(said);
	said->issuer = strndup(issuer.data, issuer.length);
	assert(said->issuer != NULL);
	buffer_add_text(&said->document, document);
	buffer_add_text(&said->keys, keys);
	said->at_ms = now_ms;
	pthread_mutex_unlock(&oidc->lock);
}

static bool find_kept(struct oidc *oidc, struct text issuer, int64_t now_ms, struct arena *arena,
                      struct text *ret_document, struct text *ret_keys)
{
	pthread_mutex_lock(&oidc->lock);
	const struct said *said  = place_of(oidc, issuer);
	bool               found = said->issuer != NULL && text_equal(text_of(said->issuer), issuer) &&
	             now_ms - said->at_ms < OIDC_KEPT_MS;
	if (found) {
		*ret_document = arena_text(arena, buffer_text(&said->document));
		*ret_keys     = arena_text(arena, buffer_text(&said->keys));
	}
	pthread_mutex_unlock(&oidc->lock);
	return found;
}

/* ---- Requests ---- */

/* Somebody who asks: one client, one parser for each document that is open at a time. */
struct asking {
	struct oidc               *oidc;
	const struct sso_provider *provider;
	struct arena              *arena;
	struct http_client        *client;
	struct json_parser        *document_parser; /* of what the provider says of itself */
	struct json_parser        *parser;          /* of the answer at hand */
	struct json                document;
	struct text                keys;
	int64_t                    monotonic_ms;
};

static enum status unavailable(const struct asking *asking, const char *what, const char *why,
                               struct error *err)
{
	return error_set(err, STATUS_UNAVAILABLE, "The provider \"%.*s\": %s: %s",
	                 TEXT_FORMAT(asking->provider->name), what, why);
}

static bool may_ask(const struct asking *asking, struct text url)
{
	return sso_address_is_good(url, sso_address_is_loopback(asking->provider->issuer));
}

/* The answer's status and body, from the arena. */
static enum status send(const struct asking *asking, const char *what,
                        struct http_client_request *request, unsigned *ret_status,
                        struct text *ret_body, struct error *err)
{
	struct http_client_response response = {0};
	struct error                why;
	request->timeout_ms     = OIDC_TIMEOUT_MS;
	request->body_bytes_max = OIDC_BODY_BYTES_MAX;
	if (!may_ask(asking, text_of(request->url)))
		return unavailable(asking, what, "its address is not https", err);
	enum status status = http_client_send(asking->client, request, &response, &why);
	if (status == STATUS_OK) {
		*ret_status = response.status;
		*ret_body   = arena_text(asking->arena, buffer_text(&response.body));
	} else {
		status = unavailable(asking, what, why.reason, err);
	}
	if (response.body.data != NULL)
		sodium_memzero(response.body.data, response.body.length);
	http_client_response_done(&response);
	return status;
}

static enum status get(const struct asking *asking, const char *what, const char *url,
                       struct text authorization, struct text *ret_body, struct error *err)
{
	const struct http_header   headers[] = {{TEXT("Accept"), TEXT("application/json")},
	                                        {TEXT("Authorization"), authorization}};
	struct http_client_request request   = {
		  .url = url, .headers = headers, .header_count = authorization.length > 0 ? 2 : 1};
	unsigned    http_status = 0;
	enum status status      = send(asking, what, &request, &http_status, ret_body, err);
	if (status == STATUS_OK && http_status != 200)
		return unavailable(asking, what, arena_printf(asking->arena, "it answers %u", http_status),
		                   err);
	return status;
}

static enum status parse(const struct asking *asking, struct json_parser *parser, const char *what,
                         struct text text, struct json *ret_root, struct error *err)
{
	if (json_parse_text(parser, text, ret_root, NULL) != STATUS_OK ||
	    json_type(*ret_root) != JSON_OBJECT)
		return unavailable(asking, what, "the answer is no JSON object", err);
	return STATUS_OK;
}

static struct text string_of(struct json object, const char *name)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_STRING ? json_string(value) : TEXT("");
}

/* An endpoint that the provider must name; from the arena. */
static enum status endpoint(const struct asking *asking, const char *name, const char **ret_url,
                            struct error *err)
{
	struct text url = string_of(asking->document, name);
	if (url.length == 0 || !may_ask(asking, url))
		return unavailable(asking, "discovery",
		                   arena_printf(asking->arena, "%s is no https address", name), err);
	*ret_url = arena_text(asking->arena, url).data;
	return STATUS_OK;
}

/* ---- Discovery ---- */

static enum status fetch_keys(struct asking *asking, struct error *err)
{
	const char *url;
	enum status status = endpoint(asking, "jwks_uri", &url, err);
	return status == STATUS_OK ? get(asking, "its keys", url, TEXT(""), &asking->keys, err)
	                           : status;
}

static enum status discover(struct asking *asking, struct error *err)
{
	struct text issuer = asking->provider->issuer, document;
	if (find_kept(asking->oidc, issuer, asking->monotonic_ms, asking->arena, &document,
	              &asking->keys))
		return parse(asking, asking->document_parser, "discovery", document, &asking->document,
		             err);
	/* Discovery, 4.1: a slash at the end goes. */
	struct text base = issuer;
	if (base.data[base.length - 1] == '/')
		base.length--;
	const char *url =
		arena_printf(asking->arena, "%.*s/.well-known/openid-configuration", TEXT_FORMAT(base));
	enum status status;
	if ((status = get(asking, "discovery", url, TEXT(""), &document, err)) != STATUS_OK ||
	    (status = parse(asking, asking->document_parser, "discovery", document, &asking->document,
	                    err)) != STATUS_OK)
		return status;
	if (!text_equal(string_of(asking->document, "issuer"), issuer))
		return unavailable(asking, "discovery", "it names another issuer", err);
	if ((status = fetch_keys(asking, err)) == STATUS_OK)
		keep(asking->oidc, issuer, document, asking->keys, asking->monotonic_ms);
	return status;
}

static struct asking begin(struct oidc *oidc, const struct sso_provider *provider,
                           int64_t monotonic_ms, struct arena *arena)
{
	return (struct asking){.oidc            = oidc,
	                       .provider        = provider,
	                       .arena           = arena,
	                       .client          = http_client_new(),
	                       .document_parser = json_parser_new(),
	                       .parser          = json_parser_new(),
	                       .monotonic_ms    = monotonic_ms};
}

static void end(struct asking *asking)
{
	http_client_free(asking->client);
	json_parser_free(asking->document_parser);
	json_parser_free(asking->parser);
}

/* ---- There ---- */

static void add_parameter(struct buffer *out, const char *name, struct text value)
{
	if (out->length > 0 && out->data[out->length - 1] != '?')
		buffer_add_u8(out, '&');
	buffer_printf(out, "%s=", name);
	buffer_add_percent(out, value);
}

static void add_challenge(struct buffer *out, struct text verifier)
{
	struct buffer challenge = {0};
	uint8_t       hash[SHA256_BYTES];
	hash_sha256(verifier.data, verifier.length, hash);
	jws_add_base64(&challenge, hash, sizeof hash);
	add_parameter(out, "code_challenge", buffer_text(&challenge));
	buffer_done(&challenge);
}

static bool has_openid(struct text scopes)
{
	for (size_t begin = 0, at = 0; at <= scopes.length; at++)
		if (at == scopes.length || scopes.data[at] == ' ') {
			if (text_equal((struct text){scopes.data + begin, at - begin}, TEXT("openid")))
				return true;
			begin = at + 1;
		}
	return false;
}

/* Without openid there is no ID token. */
static void add_scopes(struct buffer *out, struct text scopes)
{
	struct buffer all = {0};
	if (!has_openid(scopes))
		buffer_add_text(&all, TEXT("openid "));
	buffer_add_text(&all, scopes);
	add_parameter(out, "scope", buffer_text(&all));
	buffer_done(&all);
}

static enum status write_address(const struct asking *asking, const struct oidc_login *login,
                                 struct text *ret_url, struct error *err)
{
	struct buffer out = {0};
	const char   *url;
	enum status   status = endpoint(asking, "authorization_endpoint", &url, err);
	if (status != STATUS_OK)
		return status;
	buffer_printf(&out, "%s%c", url, strchr(url, '?') == NULL ? '?' : '&');
	buffer_add_text(&out, TEXT("response_type=code"));
	add_parameter(&out, "client_id", asking->provider->client_id);
	add_parameter(&out, "redirect_uri", login->redirect_uri);
	add_scopes(&out, asking->provider->scopes);
	add_parameter(&out, "state", login->state);
	add_parameter(&out, "nonce", login->nonce);
	add_challenge(&out, login->verifier);
	add_parameter(&out, "code_challenge_method", TEXT("S256"));
	*ret_url = arena_text(asking->arena, buffer_text(&out));
	buffer_done(&out);
	return STATUS_OK;
}

enum status oidc_authorization(struct oidc *oidc, const struct sso_provider *provider,
                               const struct oidc_login *login, int64_t monotonic_ms,
                               struct arena *arena, struct text *ret_url, struct error *err)
{
	struct asking asking = begin(oidc, provider, monotonic_ms, arena);
	enum status   status = discover(&asking, err);
	if (status == STATUS_OK)
		status = write_address(&asking, login, ret_url, err);
	end(&asking);
	return status;
}

/* ---- And back ---- */

/* Whether the provider takes the secret only in the body; without a list it takes it in the header
 * (Discovery, 3). */
static bool wants_post(const struct asking *asking)
{
	struct json list = json_get(asking->document, "token_endpoint_auth_methods_supported");
	bool        post = false;
	for (struct json_iterator i = json_iterate(list); json_next(&i);) {
		struct text name = json_type(i.value) == JSON_STRING ? json_string(i.value) : TEXT("");
		if (text_equal(name, TEXT("client_secret_basic")))
			return false;
		post |= text_equal(name, TEXT("client_secret_post"));
	}
	return post;
}

/* RFC 6749, 2.3.1: each percent-encoded before they are joined. */
static struct text basic(const struct asking *asking)
{
	struct buffer pair = {0}, text = {0};
	buffer_add_percent(&pair, asking->provider->client_id);
	buffer_add_u8(&pair, ':');
	buffer_add_percent(&pair, asking->provider->client_secret);
	size_t size = sodium_base64_encoded_len(pair.length, sodium_base64_VARIANT_ORIGINAL);
	buffer_add_text(&text, TEXT("Basic "));
	sodium_bin2base64(buffer_reserve(&text, size), size, (const uint8_t *)pair.data, pair.length,
	                  sodium_base64_VARIANT_ORIGINAL);
	text.length += size - 1;
	struct text header = arena_text(asking->arena, buffer_text(&text));
	sodium_memzero(pair.data, pair.length);
	sodium_memzero(text.data, text.length);
	buffer_done(&pair);
	buffer_done(&text);
	return header;
}

static void write_exchange(const struct asking *asking, const struct oidc_login *login,
                           struct text code, bool in_body, struct buffer *out)
{
	const struct sso_provider *provider = asking->provider;
	buffer_add_text(out, TEXT("grant_type=authorization_code"));
	add_parameter(out, "code", code);
	add_parameter(out, "redirect_uri", login->redirect_uri);
	add_parameter(out, "code_verifier", login->verifier);
	if (provider->client_secret.length == 0 || in_body)
		add_parameter(out, "client_id", provider->client_id);
	if (provider->client_secret.length > 0 && in_body)
		add_parameter(out, "client_secret", provider->client_secret);
}

struct tokens {
	struct text id_token;
	struct text access_token; /* empty: none */
};

/* RFC 6749, 5.2: what is wrong by its short name. */
static enum status refused(const struct asking *asking, unsigned http_status, struct json answer,
                           struct error *err)
{
	struct text name = string_of(answer, "error");
	if (http_status != 400 || !text_equal(name, TEXT("invalid_grant")))
		return unavailable(asking, "its token endpoint",
		                   arena_printf(asking->arena, "it answers %u %.40s", http_status,
		                                arena_text(asking->arena, name).data),
		                   err);
	return error_set_field(err, STATUS_UNAUTHORIZED, "code",
	                       "The provider refuses the code: it was used, is over, or of another "
	                       "login");
}

static enum status exchange(const struct asking *asking, const struct oidc_login *login,
                            struct text code, struct tokens *ret_tokens, struct error *err)
{
	bool               secret     = asking->provider->client_secret.length > 0;
	bool               post       = wants_post(asking);
	struct http_header headers[3] = {
		{TEXT("Accept"), TEXT("application/json")},
		{TEXT("Content-Type"), TEXT("application/x-www-form-urlencoded")}};
	struct http_client_request request     = {.headers = headers, .header_count = 2};
	struct buffer              body        = {0};
	struct json                answer      = {0};
	unsigned                   http_status = 0;
	struct text                text;
	enum status                status = endpoint(asking, "token_endpoint", &request.url, err);
	if (status != STATUS_OK)
		return status;
	if (secret && !post)
		headers[request.header_count++] =
			(struct http_header){TEXT("Authorization"), basic(asking)};
	write_exchange(asking, login, code, post, &body);
	request.body = buffer_text(&body);
	status       = send(asking, "its token endpoint", &request, &http_status, &text, err);
	sodium_memzero(body.data, body.length);
	buffer_done(&body);
	if (status == STATUS_OK)
		status = parse(asking, asking->parser, "its token endpoint", text, &answer, err);
	if (status != STATUS_OK)
		return status;
	if (http_status != 200)
		return refused(asking, http_status, answer, err);
	ret_tokens->id_token     = arena_text(asking->arena, string_of(answer, "id_token"));
	ret_tokens->access_token = arena_text(asking->arena, string_of(answer, "access_token"));
	return ret_tokens->id_token.length > 0
	           ? STATUS_OK
	           : unavailable(asking, "its token endpoint", "the answer has no ID token", err);
}

/* With the keys at hand. */
static enum status verify_with(const struct asking *asking, struct text token, struct buffer *out,
                               enum jws_algorithm *ret_algorithm, struct error *err)
{
	struct json  root;
	struct jwks *jwks;
	enum status  status = parse(asking, asking->parser, "its keys", asking->keys, &root, err);
	if (status != STATUS_OK)
		return status;
	struct error why;
	if (jwks_read(root, &jwks, &why) != STATUS_OK)
		return unavailable(asking, "its keys", why.reason, err);
	status = jwks_verify(jwks, token, out, ret_algorithm, err);
	jwks_free(jwks);
	return status;
}

/* The keys may be others by now: they are fetched once more. */
static enum status verify(struct asking *asking, struct text token, struct buffer *out,
                          enum jws_algorithm *ret_algorithm, struct error *err)
{
	struct buffer      document = {0};
	struct json_writer w        = json_writer_of(&document);
	struct error       why;
	enum status        status = verify_with(asking, token, out, ret_algorithm, &why);
	if (status == STATUS_NOT_FOUND && (status = fetch_keys(asking, &why)) == STATUS_OK) {
		json_add_value(&w, asking->document);
		keep(asking->oidc, asking->provider->issuer, buffer_text(&document), asking->keys,
		     asking->monotonic_ms);
		status = verify_with(asking, token, out, ret_algorithm, &why);
	}
	buffer_done(&document);
	if (status == STATUS_NOT_FOUND)
		return error_set(err, STATUS_UNAUTHORIZED, "%s", why.reason);
	if (status != STATUS_OK)
		*err = why;
	return status;
}

static enum status read_claims(struct asking *asking, const struct oidc_login *login,
                               const struct tokens *tokens, int64_t now_ms,
                               struct sso_claims *ret_claims, struct error *err)
{
	struct buffer        text = {0};
	struct json          claims;
	struct id_token_wish wish   = {.issuer       = asking->provider->issuer,
	                               .client_id    = asking->provider->client_id,
	                               .nonce        = login->nonce,
	                               .access_token = tokens->access_token,
	                               .now_ms       = now_ms};
	enum status          status = verify(asking, tokens->id_token, &text, &wish.algorithm, err);
	if (status == STATUS_OK)
		status = parse(asking, asking->parser, "its ID token", buffer_text(&text), &claims, err);
	if (status == STATUS_OK)
		status = id_token_check(claims, &wish, err);
	if (status == STATUS_OK)
		sso_claims_take(claims, asking->provider->groups_claim, asking->arena, ret_claims);
	buffer_done(&text);
	return status;
}

/* Many a provider tells addresses and groups there only (Core, 5.4). */
static enum status ask_more(const struct asking *asking, const struct tokens *tokens,
                            struct sso_claims *claims, struct error *err)
{
	struct text url = string_of(asking->document, "userinfo_endpoint"), text;
	struct json root;
	const char *address;
	enum status status;
	if ((claims->email.length > 0 && claims->has_groups) || url.length == 0 ||
	    tokens->access_token.length == 0)
		return STATUS_OK;
	struct text bearer =
		text_of(arena_printf(asking->arena, "Bearer %.*s", TEXT_FORMAT(tokens->access_token)));
	if ((status = endpoint(asking, "userinfo_endpoint", &address, err)) != STATUS_OK ||
	    (status = get(asking, "its userinfo", address, bearer, &text, err)) != STATUS_OK ||
	    (status = parse(asking, asking->parser, "its userinfo", text, &root, err)) != STATUS_OK)
		return status;
	if (!text_equal(string_of(root, "sub"), claims->subject)) /* Core, 5.3.2 */
		return error_set_field(err, STATUS_UNAUTHORIZED, "sub",
		                       "The provider's userinfo is of somebody else");
	sso_claims_take(root, asking->provider->groups_claim, asking->arena, claims);
	return STATUS_OK;
}

/* RFC 9207: that the code is of the provider to whom the browser was sent. */
static enum status check_issuer(const struct asking *asking, struct text issuer, struct error *err)
{
	struct json told = json_get(asking->document, "authorization_response_iss_parameter_supported");
	bool        must = json_type(told) == JSON_BOOL && json_bool(told);
	if (issuer.length == 0 && !must)
		return STATUS_OK;
	if (!text_equal(issuer, asking->provider->issuer))
		return error_set_field(err, STATUS_UNAUTHORIZED, "iss", "The answer is of another issuer");
	return STATUS_OK;
}

enum status oidc_finish(struct oidc *oidc, const struct sso_provider *provider,
                        const struct oidc_login *login, struct text code, struct text issuer,
                        int64_t now_ms, int64_t monotonic_ms, struct arena *arena,
                        struct sso_claims *ret_claims, struct error *err)
{
	struct asking     asking = begin(oidc, provider, monotonic_ms, arena);
	struct tokens     tokens = {0};
	struct sso_claims claims = {0};
	enum status       status;
	if ((status = discover(&asking, err)) == STATUS_OK &&
	    (status = check_issuer(&asking, issuer, err)) == STATUS_OK &&
	    (status = exchange(&asking, login, code, &tokens, err)) == STATUS_OK &&
	    (status = read_claims(&asking, login, &tokens, now_ms, &claims, err)) == STATUS_OK &&
	    (status = ask_more(&asking, &tokens, &claims, err)) == STATUS_OK)
		*ret_claims = claims;
	end(&asking);
	return status;
}
