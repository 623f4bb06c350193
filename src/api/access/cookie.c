#include "api/access/cookie.h"

#include <string.h>

#include "api/browser.h"
#include "base/clock.h"
#include "limit/limits.h"

/* ---- Reading ---- */

bool cookie_find(struct text header, struct text name, struct text *ret_value)
{
	const char *at = header.data, *end = at + header.length;
	while (at < end) {
		const char *semicolon = memchr(at, ';', (size_t)(end - at));
		const char *stop      = semicolon == NULL ? end : semicolon;
		while (at < stop && (*at == ' ' || *at == '\t'))
			at++;
		struct text pair = {at, (size_t)(stop - at)};
		if (pair.length > name.length && pair.data[name.length] == '=' &&
		    text_starts_with(pair, name)) {
			*ret_value = (struct text){pair.data + name.length + 1, pair.length - name.length - 1};
			return true;
		}
		at = stop == end ? end : stop + 1;
	}
	return false;
}

static struct text name_of(const struct http_request *request)
{
	return http_is_secure(request) ? TEXT("__Secure-sonnim_refresh") : TEXT("sonnim_refresh");
}

static bool find(const struct http_request *request, struct text *ret_value)
{
	struct text header;
	return http_header(request, "Cookie", &header) &&
	       cookie_find(header, name_of(request), ret_value);
}

/* ---- Whether ---- */

enum status cookie_check_transport(const struct api_call *call, struct error *err)
{
	uint8_t bytes[LIMITS_NETWORK_BYTES];
	bool    local = limits_network(http_client_address(call->request), bytes).length == 0;
	if (http_is_secure(call->request) || local)
		return STATUS_OK;
	return error_set_field(err, STATUS_INVALID, "cookie",
	                       "A login is kept in a cookie over TLS only");
}

enum status cookie_check(const struct api_call *call, struct error *err)
{
	/* Else a form on somebody else's page would log its visitor in as somebody else. */
	if (!browser_is_own(call->api, call->request))
		return error_set_field(err, STATUS_FORBIDDEN, "cookie",
		                       "Only pages of this server's own origin keep a login in a cookie");
	return cookie_check_transport(call, err);
}

/* A browser says where a POST comes from; what says nothing is none, and has no cookies to lose. */
static bool says_where(const struct http_request *request)
{
	struct text value;
	return http_header(request, "Origin", &value) || http_header(request, "Sec-Fetch-Site", &value);
}

enum status cookie_refresh(const struct api_call *call, struct text *ret_refresh, struct error *err)
{
	struct text proof;
	if (!find(call->request, ret_refresh) || ret_refresh->length == 0)
		return error_set_field(err, STATUS_UNAUTHORIZED, "refresh_token",
		                       "There is no refresh token, and no cookie with one");
	if (!http_header(call->request, COOKIE_HEADER, &proof) || proof.length == 0 ||
	    !says_where(call->request) || !browser_is_own(call->api, call->request))
		return error_set(err, STATUS_FORBIDDEN,
		                 "A cookie counts only from pages of this server's own origin, with the "
		                 "header " COOKIE_HEADER);
	return STATUS_OK;
}

/* ---- Setting ---- */

static void set(struct api_call *call, const char *value, int64_t seconds)
{
	struct text name   = name_of(call->request);
	struct text prefix = browser_path_prefix(call->request);
	http_add_header(
		call->request, "Set-Cookie",
		text_of(arena_printf(call->arena,
	                         "%.*s=%s; Path=%.*s/api; Max-Age=%lld; HttpOnly; SameSite=Strict%s",
	                         TEXT_FORMAT(name), value, TEXT_FORMAT(prefix), (long long)seconds,
	                         http_is_secure(call->request) ? "; Secure" : "")));
}

void cookie_keep(struct api_call *call, struct grant *grant)
{
	if (grant->refresh[0] == '\0')
		return;
	set(call, grant->refresh, (grant->session_ends_ms - clock_wall_ms()) / 1000);
	memset(grant->refresh, 0, sizeof grant->refresh);
}

void cookie_drop(struct api_call *call)
{
	struct text value;
	if (find(call->request, &value))
		set(call, "", 0);
}
