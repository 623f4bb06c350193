#ifndef SONNIM_API_MAILER_H
#define SONNIM_API_MAILER_H

/* Sends the mails by which a password is reset, on a thread of its own: who asks is answered before
 * anybody looks whether he exists, so that neither answer nor time tells. What waits is lost with
 * the process; who asked asks again. */

#include <stdbool.h>
#include <stdint.h>

#include "access/access.h"
#include "base/buffer.h"
#include "base/settings.h"

enum { MAILER_WAITING_MAX = 256 };

struct mailer_settings {
	char *url; /* NULL: no mails are sent */
	char *from;
	char *user;
	char *password_file;
	bool  plain;
	char *reset_url; /* what a token is put behind; NULL: the mail holds the token alone */
};

/* The table over such a struct, for settings_load() and settings_parse_flags(). */
struct settings mailer_settings_of(struct mailer_settings *target);

struct mailer;
struct mailer *mailer_new(struct access *access, const struct mailer_settings *settings);
void           mailer_stop(struct mailer *mailer); /* what waits is dropped; NULL, again: fine */
void           mailer_free(struct mailer *mailer); /* NULL is fine */

/* Whether there is a server to send by. */
bool mailer_is_set(const struct mailer *mailer);

/* Takes the wish of somebody at `address` for a mail to `email`: STATUS_LIMITED when there were too
 * many of him, or too many wait; `*ret_wait_ms` says how long. Whether anybody has the address
 * plays no part. Any thread, at once. */
MUST_USE enum status mailer_reset(struct mailer *mailer, struct text address, struct text email,
                                  int64_t *ret_wait_ms, struct error *err);

void mailer_write_metrics(struct mailer *mailer, struct buffer *out);

#endif
