#ifndef SONNIM_API_SSO_H
#define SONNIM_API_SSO_H

/* What logins by single sign-on keep in memory: what providers said of themselves (sso/oidc.h), and
 * codes that a page of ours exchanges for a session: random, good once, for SSO_CODE_MS, and in the
 * browser alone that began the login (its cookie). Threads: any. */

#include <stdatomic.h>

#include "base/hash.h"
#include "sso/oidc.h"

enum {
	SSO_LOGIN_SECONDS   = 600, /* from the start to the way back */
	SSO_CODE_MS         = 60 * 1000,
	SSO_CODES_MAX       = 1024,
	SSO_CODE_TEXT_BYTES = 48,
};

struct sso;
struct sso *sso_new(void);
void        sso_free(struct sso *sso); /* NULL is fine */

struct oidc *sso_oidc(struct sso *sso);

/* STATUS_LIMITED when SSO_CODES_MAX are out. */
MUST_USE enum status sso_code_add(struct sso *sso, const char *person_id, struct text cookie,
                                  int64_t now_ms, char ret_text[SSO_CODE_TEXT_BYTES],
                                  struct error *err);

/* False: unknown, used, too old, or of another browser. */
bool sso_code_take(struct sso *sso, struct text text, struct text cookie, int64_t now_ms,
                   char ret_person_id[UUID_TEXT_BYTES]);

/* For metrics. */
void sso_count(struct sso *sso, bool let_in);
void sso_write_metrics(struct sso *sso, unsigned waiting, unsigned waiting_max, struct buffer *out);

#endif
