#ifndef SONNIM_APP_SECURE_H
#define SONNIM_APP_SECURE_H

/* Where the process listens, and with which certificates: what the settings of it have to agree on
 * (who listens to other machines speaks TLS, or stands behind proxies that do, or was told that it
 * need not), the TLS of the main listener and of that for services, and the look whether their
 * files have changed. One thread at a time. */

#include "app/process/sockets.h"
#include "http/tls.h"

struct secure {
	struct http_tls *main;    /* NULL: plain HTTP */
	struct http_tls *service; /* NULL: there is no listener for services */
	int64_t          looked_ms;
};

/* STATUS_INVALID names the setting; STATUS_IO a file. `sockets` are those that were passed to the
 * process. */
MUST_USE enum status secure_open(const struct http_settings *settings,
                                 const struct sockets *sockets, struct secure *secure,
                                 struct error *err);
void                 secure_close(struct secure *secure); /* when no server uses it */

/* Reads the files anew where they have changed, looking once a second; the log says how it went. */
void secure_watch(struct secure *secure);
void secure_reload(struct secure *secure); /* in any case */

/* Those of the passed sockets that are the service listener's, and the others. */
void secure_split(const struct http_settings *settings, const struct sockets *passed,
                  struct sockets *ret_main, struct sockets *ret_service);

#endif
