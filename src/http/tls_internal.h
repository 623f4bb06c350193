#ifndef SONNIM_HTTP_TLS_INTERNAL_H
#define SONNIM_HTTP_TLS_INTERNAL_H

/* What the loops ask of TLS. */

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "http/tls.h"

struct tls_credentials;

/* For libmicrohttpd: which versions and ciphers. */
const char *tls_priorities(const struct http_tls *tls);

/* A connection has begun, its handshake has not: it takes the newest credentials, until
 * tls_detach(). */
struct tls_credentials *tls_attach(struct http_tls *tls, gnutls_session_t session);
void                    tls_detach(struct tls_credentials *credentials); /* NULL is fine */

#endif
