#include "app/process/secure.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { LOOK_MS = 1000 };

/* ---- What the settings have to agree on ---- */

static enum status check_files(const struct http_settings *s, struct error *err)
{
	bool needs_service =
		s->tls_client_ca != NULL || s->tls_client_crl != NULL || s->tls_client_names != NULL;
	if ((s->tls_certificate == NULL) != (s->tls_key == NULL))
		return error_set(err, STATUS_INVALID,
		                 "--tls-certificate and --tls-key go together: one is missing");
	if (s->service_listen == NULL && needs_service)
		return error_set(err, STATUS_INVALID,
		                 "--tls-client-… say who may come in at --service-listen, which is "
		                 "missing");
	if (s->service_listen != NULL && s->tls_certificate == NULL)
		return error_set(err, STATUS_INVALID,
		                 "--service-listen needs --tls-certificate and --tls-key");
	if (s->service_listen != NULL && s->tls_client_ca == NULL)
		return error_set(err, STATUS_INVALID,
		                 "--service-listen needs --tls-client-ca: who may sign the certificates "
		                 "of services");
	return STATUS_OK;
}

static bool others_reach(const struct http_settings *settings, const struct sockets *sockets)
{
	if (sockets->count == 0)
		return !http_address_is_local(settings->listen);
	for (size_t i = 0; i < sockets->count; i++)
		if (!http_socket_is_local(sockets->fds[i]))
			return true;
	return false;
}

static enum status check_listen(const struct http_settings *settings, const struct sockets *sockets,
                                struct error *err)
{
	if (settings->tls_certificate != NULL || settings->trusted_proxies != NULL ||
	    settings->insecure_listen || !others_reach(settings, sockets))
		return STATUS_OK;
	return error_set_field(
		err, STATUS_INVALID, "listen",
		"other machines can reach %s, where tokens and personal data would pass in the clear: use "
		"--tls-certificate and --tls-key, or name the proxies in front (--trusted-proxies), or say "
		"that it is meant (--insecure-listen)",
		sockets->count == 0 ? settings->listen : "the sockets that were passed on");
}

/* ---- Life ---- */

enum status secure_open(const struct http_settings *settings, const struct sockets *sockets,
                        struct secure *secure, struct error *err)
{
	struct http_tls_config config = {.certificate = settings->tls_certificate,
	                                 .key         = settings->tls_key,
	                                 .allow_1_2   = strcmp(settings->tls_min_version, "1.2") == 0};
	enum status            status;
	*secure = (struct secure){0};
	if ((status = check_files(settings, err)) != STATUS_OK ||
	    (status = check_listen(settings, sockets, err)) != STATUS_OK)
		return status;
	if (settings->tls_certificate != NULL)
		status = http_tls_new(&config, &secure->main, err);
	config.client_ca    = settings->tls_client_ca;
	config.client_crl   = settings->tls_client_crl;
	config.client_names = settings->tls_client_names;
	if (status == STATUS_OK && settings->service_listen != NULL)
		status = http_tls_new(&config, &secure->service, err);
	if (status != STATUS_OK)
		secure_close(secure);
	return status;
}

void secure_close(struct secure *secure)
{
	http_tls_free(secure->main);
	http_tls_free(secure->service);
	*secure = (struct secure){0};
}

/* ---- Certificates that change ---- */

static void reload(struct http_tls *tls, const char *listener)
{
	struct error err = {0};
	if (http_tls_reload(tls, &err) == STATUS_OK)
		log_line(LOG_INFO, "certificates were read anew", LOG_STRING("listener", listener));
	else
		log_error("certificates could not be read anew: the old ones stay", &err);
}

void secure_reload(struct secure *secure)
{
	if (secure->main != NULL)
		reload(secure->main, "main");
	if (secure->service != NULL)
		reload(secure->service, "service");
}

void secure_watch(struct secure *secure)
{
	int64_t now_ms = clock_monotonic_ms();
	if (now_ms - secure->looked_ms < LOOK_MS)
		return;
	secure->looked_ms = now_ms;
	if (secure->main != NULL && http_tls_changed(secure->main))
		reload(secure->main, "main");
	if (secure->service != NULL && http_tls_changed(secure->service))
		reload(secure->service, "service");
}

/* ---- Sockets ---- */

static bool is_service(const struct http_settings *settings, int socket)
{
	const char *address = settings->service_listen;
	size_t      length  = address == NULL ? 0 : strlen(address);
	/* Any port would be the main listener's too. */
	return length > 2 && strcmp(address + length - 2, ":0") != 0 &&
	       http_socket_is_at(socket, address);
}

void secure_split(const struct http_settings *settings, const struct sockets *passed,
                  struct sockets *ret_main, struct sockets *ret_service)
{
	ret_main->count = ret_service->count = 0;
	for (size_t i = 0; i < passed->count; i++) {
		struct sockets *to   = is_service(settings, passed->fds[i]) ? ret_service : ret_main;
		to->fds[to->count++] = passed->fds[i];
	}
}
