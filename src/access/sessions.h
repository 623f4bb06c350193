#ifndef SONNIM_ACCESS_SESSIONS_H
#define SONNIM_ACCESS_SESSIONS_H

/* Logins, and who asks.
 *
 *   login ─► session ─┬─ access token   signed, CLAIMS_SECONDS; names the session (claims.h)
 *                     └─ refresh token  exchanged once for the next pair
 *
 * A refresh token is good once. One that comes a second time was stolen, now or then: the session
 * ends, and with it everything that came of the login. Which generation a token is of is told from
 * itself (code.h), so that a made-up one ends nobody's session.
 *
 * An access token counts only while its session is there and its person may log in, and for no
 * more than his roles come to by now, whatever it says: sessions_identify() asks the store. Who
 * keeps the answer forgets it when sessions, people or roles change.
 *
 * Who has a second factor (second_factor.h) gets a challenge instead of a session, and wrong codes
 * count as wrong passwords: a right password forgets none of them. Its ticket bears its time and
 * what his factor was then: nothing of it is kept, and it is good until a code is used, so once.
 *
 * A session is stored only while its person is still who was let in (sessions_begin()): what ends
 * his sessions ends those too that are on their way.
 *
 * A wrong address and a wrong password are told apart by nothing: not by the text, not by the time,
 * which goes into one comparison of a password in either case (password.h, attempts.h). */

#include "access/code.h"
#include "access/people.h"

enum {
	SESSION_AGENT_BYTES_MAX = 256,
	SESSIONS_OF_PERSON_MAX  = 100,
	SESSION_SHARED_MS       = 10 * 1000,
	CHALLENGE_SECONDS       = 300
};

/* What somebody is given who logged in or refreshed. */
struct grant {
	struct account account;
	char           session_id[UUID_TEXT_BYTES];
	struct text    token; /* access token; from the arena */
	char           refresh[CODE_TEXT_BYTES];
	/* That this device is known, until the password is another; empty behind a refresh. */
	char    device[CODE_TEXT_BYTES];
	int64_t token_ends_ms;
	int64_t session_ends_ms; /* unless it is refreshed before */
	bool    owes_factor; /* he may do nothing but what is his own until he has a second factor */
	/* Not empty: there is nothing of the above but who it is. He has a second factor, whose code
	 * comes with this ticket to sessions_login_code(). */
	char challenge[CODE_TEXT_BYTES];
};

struct login {
	struct text email;
	struct text password;
	struct text device;  /* what an earlier login gave; empty: none */
	struct text address; /* where from, as http_client_address() says */
	struct text agent;   /* with what: cut off at SESSION_AGENT_BYTES_MAX */

	/* Called before there is a session, with whose it is; NULL: nobody is told. */
	void (*begins)(void *context, const char *person_id, const char *session_id);
	void *context;
};

/* `monotonic_ms` is for delays. STATUS_UNAUTHORIZED: wrong, whatever of it; STATUS_LIMITED: too
 * early, `*ret_wait_ms` says how much. Costs a password. Beyond SESSIONS_OF_PERSON_MAX the
 * session that was used longest ago ends. */
MUST_USE enum status sessions_login(struct access *access, const struct login *login,
                                    int64_t now_ms, int64_t monotonic_ms, struct arena *arena,
                                    struct grant *ret_grant, int64_t *ret_wait_ms,
                                    struct error *err);

/* The second step of a login: a code of his second factor, or one of recovery, and the ticket that
 * the first gave. Of the login all but e-mail and password count. STATUS_UNAUTHORIZED with the
 * field "ticket": it is none, was used, or is over (CHALLENGE_SECONDS); or "code". */
MUST_USE enum status sessions_login_code(struct access *access, const struct login *login,
                                         struct text ticket, struct text code, int64_t now_ms,
                                         int64_t monotonic_ms, struct arena *arena,
                                         struct grant *ret_grant, int64_t *ret_wait_ms,
                                         struct error *err);

/* A session for somebody who is known by other means than a password: of the login address and
 * agent count. Who has a second factor gets a challenge. */
MUST_USE enum status sessions_enter(struct access *access, const struct account *account,
                                    const struct login *login, int64_t now_ms, struct arena *arena,
                                    struct grant *ret_grant, struct error *err);

/* A session for somebody who has just registered: of the login address and agent count.
 * `account` is who he was when he was let in: where he was changed since then by anything that
 * bears on it (his password, a second factor, that he may log in), there is none:
 * STATUS_UNAUTHORIZED. Of another change, such as of his roles, the grant tells the outcome. */
MUST_USE enum status sessions_begin(struct access *access, const struct account *account,
                                    const struct login *login, int64_t now_ms, struct arena *arena,
                                    struct grant *ret_grant, struct error *err);

/* What is asked for with a refresh token. */
struct refresh {
	struct text token;
	int64_t     now_ms;
	/* The windows of one browser share the token, so that two of them may come with the same one:
	 * for SESSION_SHARED_MS the second gets an access token, and no refresh token (the first has
	 * it for both). */
	bool shared;
};

/* STATUS_UNAUTHORIZED: it is none, its session is over, or it was used before: then the session
 * has ended, `*ret_ended` is true and the caller forgets what he keeps. */
MUST_USE enum status sessions_refresh(struct access *access, const struct refresh *refresh,
                                      struct arena *arena, struct grant *ret_grant, bool *ret_ended,
                                      struct error *err);

struct identity {
	char     person_id[UUID_TEXT_BYTES];
	char     session_id[UUID_TEXT_BYTES];
	uint32_t claimed; /* what the token says */
	uint32_t scopes;  /* of that what the roles still give */
	int64_t  expires_ms;
};

/* Who bears that access token. STATUS_UNAUTHORIZED: see claims.h and jwt.h; or his session is
 * over. */
MUST_USE enum status sessions_identify(struct access *access, struct text token, int64_t now_ms,
                                       struct identity *ret_identity, struct error *err);

/* The same without the token: whether the session goes on, and for what. */
MUST_USE enum status sessions_recheck(struct access *access, int64_t now_ms,
                                      struct identity *identity, struct error *err);

struct session {
	struct store_session row;
	struct text          address;
	struct text          agent;
};

MUST_USE enum status sessions_list(struct access *access, struct text person_id,
                                   struct arena *arena, struct session **ret_sessions,
                                   size_t *ret_count, struct error *err);
/* One of that person. STATUS_NOT_FOUND: he has no such one. */
MUST_USE enum status sessions_end(struct access *access, struct text person_id,
                                  struct text session_id, struct error *err);
MUST_USE enum status sessions_end_all(struct access *access, struct text person_id,
                                      struct text except_id, struct error *err);

#endif
