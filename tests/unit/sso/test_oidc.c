#include "sso/oidc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is asked of a provider, and what of its answers is believed, is tested with providers
 * (tests/integration/test_sso.py). Here is nobody who answers. */

static const struct oidc_login login = {
	.state        = {"state", 5},
	.nonce        = {"nonce", 5},
	.verifier     = {"0123456789012345678901234567890123456789012", 43},
	.redirect_uri = {"https://cdp.example.com/api/v1/auth/oidc/company/callback", 57}};

static enum status start(struct oidc *oidc, const char *issuer, struct arena *arena,
                         struct error *err)
{
	const struct sso_provider provider = {.name      = TEXT("company"),
	                                      .issuer    = text_of(issuer),
	                                      .client_id = TEXT("sonnim"),
	                                      .scopes    = TEXT("email")};
	struct text               url      = {0};
	enum status status = oidc_authorization(oidc, &provider, &login, 0, arena, &url, err);
	assert_null(url.data);
	return status;
}

static enum status finish(struct oidc *oidc, const char *issuer, struct arena *arena,
                          struct error *err)
{
	const struct sso_provider provider = {.name      = TEXT("company"),
	                                      .issuer    = text_of(issuer),
	                                      .client_id = TEXT("sonnim"),
	                                      .scopes    = TEXT("email")};
	struct sso_claims         claims   = {0};
	enum status               status =
		oidc_finish(oidc, &provider, &login, TEXT("code"), TEXT(""), 0, 0, arena, &claims, err);
	assert_int_equal(claims.subject.length, 0);
	return status;
}

static void what_is_no_https_is_not_asked(void **state)
{
	static const char *const issuers[] = {"http://login.example.com",
	                                      "http://127.0.0.1.example.com", "file:///etc", "ftp://a",
	                                      "https://a@b"};
	struct oidc             *oidc      = oidc_new();
	struct arena             arena;
	(void)state;
	arena_init(&arena);
	for (size_t i = 0; i < sizeof issuers / sizeof issuers[0]; i++) {
		struct error err = {0};
		assert_int_equal(start(oidc, issuers[i], &arena, &err), STATUS_UNAVAILABLE);
		if (strstr(err.reason, "its address is not https") == NULL)
			fail_msg("%s: %s", issuers[i], err.reason);
		assert_int_equal(finish(oidc, issuers[i], &arena, &err), STATUS_UNAVAILABLE);
	}
	arena_done(&arena);
	oidc_free(oidc);
}

/* A port that is taken, and at which nobody listens. */
static void a_provider_that_does_not_answer_is_named(void **state)
{
	struct oidc       *oidc    = oidc_new();
	struct error       err     = {0};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t          size    = sizeof address;
	int                fd      = socket(AF_INET, SOCK_STREAM, 0);
	struct arena       arena;
	(void)state;
	arena_init(&arena);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	const char *issuer = arena_printf(&arena, "http://127.0.0.1:%u", ntohs(address.sin_port));
	assert_int_equal(start(oidc, issuer, &arena, &err), STATUS_UNAVAILABLE);
	assert_non_null(strstr(err.reason, "\"company\""));
	assert_int_equal(finish(oidc, issuer, &arena, &err), STATUS_UNAVAILABLE);
	close(fd);
	arena_done(&arena);
	oidc_free(oidc);
	oidc_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_https_is_not_asked),
		cmocka_unit_test(a_provider_that_does_not_answer_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
