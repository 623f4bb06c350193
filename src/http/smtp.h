#ifndef SONNIM_HTTP_SMTP_H
#define SONNIM_HTTP_SMTP_H

/* Sends one mail to one address over SMTP (libcurl), with TLS from the start (smtps://), by
 * STARTTLS, which the server then must offer, or without. Plain text in UTF-8, as base64, so that
 * no line of it is taken for anything else. Blocks, up to SMTP_TIMEOUT_MS. Threads: any. */

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

enum { SMTP_TIMEOUT_MS = 30 * 1000, SMTP_ADDRESS_BYTES_MAX = 254 };

struct smtp_server {
	const char *url;      /* "smtp://mail.example.com:587" */
	const char *user;     /* NULL: no login */
	const char *password; /* with `user` */
	bool        plain;    /* smtp:// without TLS, and so without secrets: on this machine */
};

struct smtp_mail {
	struct text from; /* addresses only: "cdp@example.com" */
	struct text to;
	struct text subject;
	struct text text;
	int64_t     now_ms;
};

/* STATUS_INVALID: an address that a header could not hold; STATUS_UNAVAILABLE: it did not reach the
 * server, or was not taken. */
MUST_USE enum status smtp_send(const struct smtp_server *server, const struct smtp_mail *mail,
                               struct error *err);

/* Whether SMTP takes the address as it is: ASCII, without blanks, quotes and brackets. */
bool smtp_address_is_plain(struct text address);

#endif
