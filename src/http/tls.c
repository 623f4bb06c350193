#include "http/tls.h"

#include <assert.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/file.h"
#include "http/server_internal.h"

enum { FILE_COUNT = 4, FILE_BYTES_MAX = 1 << 20, NAME_BYTES_MAX = 256 };

/* Forward secrecy and authenticated encryption in either version; the server chooses. */
#define PRIORITIES_OF(versions)                                                                    \
	"SECURE128:-VERS-ALL:" versions ":-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:"                \
	"+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE"

struct tls_credentials {
	atomic_uint                      references;
	gnutls_certificate_credentials_t certificate;
	gnutls_datum_t                   tickets; /* data NULL: none */
	int64_t                          expires_ms;
};

/* What is told of a file from outside: whether it is still the one that was read. */
struct stamp {
	struct timespec modified;
	ino_t           inode;
	off_t           bytes;
};

struct http_tls {
	char        *files[FILE_COUNT]; /* certificate, key, client_ca, client_crl; NULL: none */
	char        *client_names;
	bool         allow_1_2;
	struct stamp stamps[FILE_COUNT];

	pthread_mutex_t         lock; /* of the pointer */
	struct tls_credentials *newest;

	_Atomic uint64_t reloads;
	_Atomic uint64_t reload_failures;
	_Atomic uint64_t clients_refused;
};

enum file { FILE_CERTIFICATE, FILE_KEY, FILE_CLIENT_CA, FILE_CLIENT_CRL };

const char *tls_priorities(const struct http_tls *tls)
{
	return tls->allow_1_2 ? PRIORITIES_OF("+VERS-TLS1.3:+VERS-TLS1.2")
	                      : PRIORITIES_OF("+VERS-TLS1.3");
}

/* ---- Credentials ---- */

static void free_credentials(struct tls_credentials *credentials)
{
	gnutls_certificate_free_credentials(credentials->certificate);
	if (credentials->tickets.data != NULL) {
		gnutls_memset(credentials->tickets.data, 0, credentials->tickets.size);
		gnutls_free(credentials->tickets.data);
	}
	free(credentials);
}

void tls_detach(struct tls_credentials *credentials)
{
	if (credentials != NULL && atomic_fetch_sub(&credentials->references, 1) == 1)
		free_credentials(credentials);
}

static struct stamp stamp_of(const char *path)
{
	struct stat is;
	if (path == NULL || stat(path, &is) != 0)
		return (struct stamp){0};
	return (struct stamp){is.st_mtim, is.st_ino, is.st_size};
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
	return a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec &&
	       a->inode == b->inode && a->bytes == b->bytes;
}

static enum status read_pem(const char *path, struct buffer *out, struct error *err)
{
	return file_read(path, FILE_BYTES_MAX, out, err);
}

static gnutls_datum_t datum_of(const struct buffer *buffer)
{
	return (gnutls_datum_t){(unsigned char *)buffer->data, (unsigned)buffer->length};
}

static enum status read_end(const gnutls_datum_t *pem, int64_t *ret_ms)
{
	gnutls_x509_crt_t certificate;
	int               result = gnutls_x509_crt_init(&certificate);
	assert(result == GNUTLS_E_SUCCESS);
	result  = gnutls_x509_crt_import(certificate, pem, GNUTLS_X509_FMT_PEM);
	*ret_ms = (int64_t)gnutls_x509_crt_get_expiration_time(certificate) * 1000;
	gnutls_x509_crt_deinit(certificate);
	return result == GNUTLS_E_SUCCESS ? STATUS_OK : STATUS_INVALID;
}

static enum status load_own(const struct http_tls *tls, struct tls_credentials *credentials,
                            struct error *err)
{
	struct buffer certificate = {0}, key = {0};
	enum status   status = read_pem(tls->files[FILE_CERTIFICATE], &certificate, err);
	if (status == STATUS_OK)
		status = read_pem(tls->files[FILE_KEY], &key, err);
	if (status == STATUS_OK) {
		gnutls_datum_t certificate_pem = datum_of(&certificate), key_pem = datum_of(&key);
		int result = gnutls_certificate_set_x509_key_mem(credentials->certificate, &certificate_pem,
		                                                 &key_pem, GNUTLS_X509_FMT_PEM);
		if (result < 0 || read_end(&certificate_pem, &credentials->expires_ms) != STATUS_OK)
			status = error_set(err, STATUS_INVALID, "%s with %s cannot be used: %s",
			                   tls->files[FILE_CERTIFICATE], tls->files[FILE_KEY],
			                   gnutls_strerror(result));
	}
	if (key.data != NULL)
		gnutls_memset(key.data, 0, key.length);
	buffer_done(&key);
	buffer_done(&certificate);
	return status;
}

static int add_trust(gnutls_certificate_credentials_t into, enum file file,
                     const gnutls_datum_t *pem)
{
	return file == FILE_CLIENT_CA
	           ? gnutls_certificate_set_x509_trust_mem(into, pem, GNUTLS_X509_FMT_PEM)
	           : gnutls_certificate_set_x509_crl_mem(into, pem, GNUTLS_X509_FMT_PEM);
}

static enum status load_trust(const struct http_tls *tls, struct tls_credentials *credentials,
                              enum file file, struct error *err)
{
	struct buffer text = {0};
	if (tls->files[file] == NULL)
		return STATUS_OK;
	enum status status = read_pem(tls->files[file], &text, err);
	if (status == STATUS_OK) {
		gnutls_datum_t pem    = datum_of(&text);
		int            result = add_trust(credentials->certificate, file, &pem);
		if (result <= 0)
			status = error_set(err, STATUS_INVALID, "%s has nothing that can be used: %s",
			                   tls->files[file], gnutls_strerror(result));
	}
	buffer_done(&text);
	return status;
}

static enum status load(const struct http_tls *tls, struct tls_credentials **ret_credentials,
                        struct error *err)
{
	struct tls_credentials *credentials = calloc(1, sizeof *credentials);
	enum status             status;
	assert(credentials != NULL);
	credentials->references = 1;
	int result              = gnutls_certificate_allocate_credentials(&credentials->certificate);
	assert(result == GNUTLS_E_SUCCESS);
	if ((status = load_own(tls, credentials, err)) != STATUS_OK ||
	    (status = load_trust(tls, credentials, FILE_CLIENT_CA, err)) != STATUS_OK ||
	    (status = load_trust(tls, credentials, FILE_CLIENT_CRL, err)) != STATUS_OK) {
		free_credentials(credentials);
		return status;
	}
	if (tls->files[FILE_CLIENT_CA] == NULL) {
		result = gnutls_session_ticket_key_generate(&credentials->tickets);
		assert(result == GNUTLS_E_SUCCESS);
	}
	*ret_credentials = credentials;
	return STATUS_OK;
}

/* ---- Clients' certificates ---- */

static bool is_listed(const char *names, const char *name, size_t length)
{
	for (const char *at = names; *at != '\0';) {
		size_t listed = strcspn(at, ",");
		if (listed == length && memcmp(at, name, length) == 0)
			return true;
		at += listed + (at[listed] == ',');
	}
	return false;
}

static bool is_named(gnutls_x509_crt_t certificate, const char *names)
{
	char   name[NAME_BYTES_MAX];
	size_t length = sizeof name;
	for (unsigned i = 0;; i++, length = sizeof name) {
		int type = gnutls_x509_crt_get_subject_alt_name(certificate, i, name, &length, NULL);
		if (type < 0 && type != GNUTLS_E_SHORT_MEMORY_BUFFER) /* no more, or none to be read */
			break;
		if ((type == GNUTLS_SAN_DNSNAME || type == GNUTLS_SAN_URI ||
		     type == GNUTLS_SAN_RFC822NAME) &&
		    is_listed(names, name, length))
			return true;
	}
	length = sizeof name;
	return gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name,
	                                     &length) == GNUTLS_E_SUCCESS &&
	       is_listed(names, name, length);
}

static bool has_listed_name(gnutls_session_t session, const char *names)
{
	unsigned              count = 0;
	const gnutls_datum_t *list  = gnutls_certificate_get_peers(session, &count);
	gnutls_x509_crt_t     certificate;
	if (list == NULL || count == 0 || gnutls_x509_crt_init(&certificate) != GNUTLS_E_SUCCESS)
		return false;
	bool named =
		gnutls_x509_crt_import(certificate, &list[0], GNUTLS_X509_FMT_DER) == GNUTLS_E_SUCCESS &&
		is_named(certificate, names);
	gnutls_x509_crt_deinit(certificate);
	return named;
}

/* In the handshake, on the loop's thread. */
static int verify_client(gnutls_session_t session)
{
	struct http_tls      *tls      = http_loop_current->server->tls;
	gnutls_typed_vdata_st client[] = {
		{.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT}};
	unsigned wrong  = 0;
	int      result = gnutls_certificate_verify_peers(session, client, 1, &wrong);
	if (result == GNUTLS_E_SUCCESS && wrong == 0 &&
	    (tls->client_names == NULL || has_listed_name(session, tls->client_names)))
		return 0;
	atomic_fetch_add(&tls->clients_refused, 1);
	return GNUTLS_E_CERTIFICATE_ERROR;
}

struct tls_credentials *tls_attach(struct http_tls *tls, gnutls_session_t session)
{
	pthread_mutex_lock(&tls->lock);
	struct tls_credentials *credentials = tls->newest;
	atomic_fetch_add(&credentials->references, 1);
	pthread_mutex_unlock(&tls->lock);

	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials->certificate);
	if (credentials->tickets.data != NULL)
		gnutls_session_ticket_enable_server(session, &credentials->tickets);
	if (tls->files[FILE_CLIENT_CA] != NULL) {
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
		gnutls_session_set_verify_function(session, verify_client);
	}
	return credentials;
}

/* ---- Life ---- */

static char *copy_of(const char *text) { return text == NULL ? NULL : strdup(text); }

static void take_stamps(struct http_tls *tls)
{
	for (unsigned i = 0; i < FILE_COUNT; i++)
		tls->stamps[i] = stamp_of(tls->files[i]);
}

enum status http_tls_new(const struct http_tls_config *config, struct http_tls **ret_tls,
                         struct error *err)
{
	struct http_tls *tls = calloc(1, sizeof *tls);
	assert(tls != NULL);
	tls->files[FILE_CERTIFICATE] = copy_of(config->certificate);
	tls->files[FILE_KEY]         = copy_of(config->key);
	tls->files[FILE_CLIENT_CA]   = copy_of(config->client_ca);
	tls->files[FILE_CLIENT_CRL]  = copy_of(config->client_crl);
	tls->client_names            = copy_of(config->client_names);
	tls->allow_1_2               = config->allow_1_2;
	pthread_mutex_init(&tls->lock, NULL);
	take_stamps(tls);
	enum status status = load(tls, &tls->newest, err);
	if (status != STATUS_OK)
		http_tls_free(tls);
	else
		*ret_tls = tls;
	return status;
}

void http_tls_free(struct http_tls *tls)
{
	if (tls == NULL)
		return;
	tls_detach(tls->newest);
	pthread_mutex_destroy(&tls->lock);
	for (unsigned i = 0; i < FILE_COUNT; i++)
		free(tls->files[i]);
	free(tls->client_names);
	free(tls);
}

enum status http_tls_reload(struct http_tls *tls, struct error *err)
{
	struct tls_credentials *fresh, *old;
	take_stamps(tls); /* before: a change while they are read shows later */
	enum status status = load(tls, &fresh, err);
	if (status != STATUS_OK) {
		atomic_fetch_add(&tls->reload_failures, 1);
		return status;
	}
	pthread_mutex_lock(&tls->lock);
	old         = tls->newest;
	tls->newest = fresh;
	pthread_mutex_unlock(&tls->lock);
	tls_detach(old);
	atomic_fetch_add(&tls->reloads, 1);
	return STATUS_OK;
}

bool http_tls_changed(const struct http_tls *tls)
{
	for (unsigned i = 0; i < FILE_COUNT; i++) {
		struct stamp now = stamp_of(tls->files[i]);
		if (!same_stamp(&now, &tls->stamps[i]))
			return true;
	}
	return false;
}

struct http_tls_counts http_tls_counts(const struct http_tls *tls)
{
	struct http_tls       *locked = (struct http_tls *)tls;
	struct http_tls_counts counts = {.reloads         = tls->reloads,
	                                 .reload_failures = tls->reload_failures,
	                                 .clients_refused = tls->clients_refused};
	pthread_mutex_lock(&locked->lock);
	counts.expires_ms = tls->newest->expires_ms;
	pthread_mutex_unlock(&locked->lock);
	return counts;
}
