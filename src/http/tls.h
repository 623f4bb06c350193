#ifndef SONNIM_HTTP_TLS_H
#define SONNIM_HTTP_TLS_H

/* TLS of a server's connections (GnuTLS, by libmicrohttpd): certificates that are exchanged while
 * the server runs, and, where it is asked for, clients that must show one of their own.
 *
 *   files ──► credentials, the newest ──► each new connection takes a reference for its life
 *
 * TLS 1.3, or 1.2 beside it by choice; forward secrecy and authenticated ciphers only. Sessions are
 * resumed by tickets whose key lies in memory only, except where clients show certificates: each of
 * their connections is to be verified anew. ALPN offers http/1.1.
 *
 * Clients' certificates: the chain up to `client_ca`, its times, its purpose (client
 * authentication) and the lists of those that were revoked are checked in the handshake; who fails
 * has no connection. With `client_names` one of the certificate's alternative names (DNS, URI,
 * e-mail), or its common name, has to be among them. */

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct http_tls;

struct http_tls_config {
	const char *certificate; /* PEM file: the server's, then those in between */
	const char *key;         /* PEM file */
	bool        allow_1_2;
	const char *client_ca;    /* PEM file; NULL: clients show no certificate */
	const char *client_crl;   /* PEM file; NULL: none is revoked */
	const char *client_names; /* "svc-a.example,spiffe://corp/b"; NULL: any */
};

/* Reads the files; texts are copied. STATUS_INVALID or STATUS_IO names the file. */
MUST_USE enum status http_tls_new(const struct http_tls_config *config, struct http_tls **ret_tls,
                                  struct error *err);
/* When no server uses it any more. NULL is fine. */
void http_tls_free(struct http_tls *tls);

/* Reads the files anew, for connections to come; what cannot be used leaves the old ones in place.
 * One thread at a time. */
MUST_USE enum status http_tls_reload(struct http_tls *tls, struct error *err);

/* Whether a file is another than when they were read last, well or not. The same thread. */
bool http_tls_changed(const struct http_tls *tls);

/* For metrics; any thread. */
struct http_tls_counts {
	uint64_t reloads;
	uint64_t reload_failures;
	uint64_t clients_refused; /* whose certificate was not taken, or who had none */
	int64_t  expires_ms;      /* end of the server's certificate */
};
struct http_tls_counts http_tls_counts(const struct http_tls *tls);

#endif
