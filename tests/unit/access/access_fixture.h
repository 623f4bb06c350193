#ifndef SONNIM_TESTS_ACCESS_FIXTURE_H
#define SONNIM_TESTS_ACCESS_FIXTURE_H

/* People of a workspace in a directory of its own, by one clock. What a test has besides is its
 * own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "access/sessions.h"

/* By this clock; what is signed says so. */
#define NOW_MS INT64_C(1700000000000)

struct fixture {
	char                   directory[64];
	struct store          *store;
	struct vault          *vault;
	struct access_settings settings;
	struct access         *access;
	struct arena           arena;
	struct account         kim; /* whom a test adds, if it needs one */
	struct error           err;
};

#define assert_ok(f, call)                                                                         \
	do {                                                                                           \
		enum status assert_ok_status = (call);                                                     \
		if (assert_ok_status != STATUS_OK)                                                         \
			fail_msg("%s: %s", status_code(assert_ok_status), (f)->err.reason);                    \
	} while (0)

/* Of everybody who is added. */
extern const struct text password;

/* Nobody is there. `second_factor`: optional or required; `host` (NULL: none) outlives it. */
struct fixture *access_fixture_new(const char *second_factor, const struct access_host *host);
int             access_fixture_tear_down(void **state);

/* Somebody named Kim. */
struct account access_fixture_add(struct fixture *f, const char *email, const char *roles);

/* A session of his, whose password nobody asks for. */
struct grant access_fixture_begin(struct fixture *f, const struct account *account, int64_t now_ms);

#endif
