#ifndef SONNIM_APP_DELIVERY_H
#define SONNIM_APP_DELIVERY_H

/* Sends messages to a running server's POST /v1/batch, over one connection that is kept alive: what
 * `sonnim import` and `sonnim simulate` share.
 *
 * While the server asks for patience (429, 503) or does not answer it tries again: after the
 * seconds of Retry-After, else after a pause that doubles, until `retry_ms` passed without success.
 * Every message must have a messageId, so that one that arrived although its answer was lost counts
 * once. */

#include <signal.h>

#include "app/client.h"

struct delivery_settings {
	char   *write_key;
	char   *write_key_file;
	int64_t retry_ms;
};

struct delivery {
	struct client               *client;
	char                         authorization[512];
	int64_t                      retry_ms;
	const volatile sig_atomic_t *stop; /* becomes true: give up; may be NULL */
	uint64_t                     retries;
	char                         position[64]; /* of what was taken last; "" before */
};

enum delivery_outcome {
	DELIVERED,            /* client->answer says what was rejected */
	DELIVERY_TOO_LARGE,   /* the server takes smaller bodies only */
	DELIVERY_REFUSED,     /* by an answer that will not change; printed */
	DELIVERY_UNREACHABLE, /* printed */
	DELIVERY_STOPPED,
};

/* Entries of a command's table whose target has a member `delivery`. */
#define DELIVERY_SETTINGS(target)                                                                  \
	SETTING_STRING(target, delivery.write_key, "write-key", NULL,                                  \
	               "Write key of the source; better in a file, since others see command lines",    \
	               "KEY"),                                                                         \
		SETTING_STRING(target, delivery.write_key_file, "write-key-file", NULL,                    \
	                   "File with the write key; without one, a token finds or makes a source",    \
	                   "FILE"),                                                                    \
		SETTING_DURATION(target, delivery.retry_ms, "retry", "60s", 0, INT64_C(86400000),          \
	                     "How long to try again when the server does not answer or is full")

/* Takes the write key of the settings, or, with a token only, that of the source `source_name`,
 * which is made when it is not there. Prints what went wrong. */
enum exit_code delivery_open(struct delivery *delivery, struct client *client,
                             const struct delivery_settings *settings, const char *source_name);

enum delivery_outcome delivery_send(struct delivery *delivery, struct text body);

/* Sleeps, but not beyond the stop. */
void delivery_pause(const struct delivery *delivery, int64_t ms);

#endif
