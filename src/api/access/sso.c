#include "api/access/sso.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

#include "api/metrics/metrics_text.h"

static const char code_prefix[] = "snx_";

enum { CODE_BYTES = 32, PREFIX_BYTES = sizeof code_prefix - 1 };

struct code_out {
	uint8_t hash[SHA256_BYTES];         /* of the code and the cookie; its text is not kept */
	char    person_id[UUID_TEXT_BYTES]; /* empty: used */
	int64_t ends_ms;
};

/* In order of their ends, since all live equally long. */
struct sso {
	struct oidc     *oidc;
	_Atomic uint64_t let_in, refused;
	pthread_mutex_t  lock;
	size_t           first, count;
	struct code_out  ring[SSO_CODES_MAX];
};

struct sso *sso_new(void)
{
	struct sso *sso = calloc(1, sizeof *sso);
	assert(sso != NULL);
	sso->oidc = oidc_new();
	pthread_mutex_init(&sso->lock, NULL);
	return sso;
}

void sso_free(struct sso *sso)
{
	if (sso == NULL)
		return;
	oidc_free(sso->oidc);
	pthread_mutex_destroy(&sso->lock);
	free(sso);
}

struct oidc *sso_oidc(struct sso *sso) { return sso->oidc; }

static void hash_of(struct text code, struct text cookie, uint8_t ret_hash[SHA256_BYTES])
{
	struct buffer text = {0};
	buffer_add_sized(&text, code);
	buffer_add_sized(&text, cookie);
	hash_sha256(text.data, text.length, ret_hash);
	buffer_done(&text);
}

static void drop_old(struct sso *sso, int64_t now_ms)
{
	while (sso->count > 0 && sso->ring[sso->first].ends_ms <= now_ms) {
		sso->first = (sso->first + 1) % SSO_CODES_MAX;
		sso->count--;
	}
}

enum status sso_code_add(struct sso *sso, const char *person_id, struct text cookie, int64_t now_ms,
                         char ret_text[SSO_CODE_TEXT_BYTES], struct error *err)
{
	struct code_out out = {.ends_ms = now_ms + SSO_CODE_MS};
	uint8_t         bytes[CODE_BYTES];
	char            text[SSO_CODE_TEXT_BYTES];
	random_bytes(bytes, sizeof bytes);
	memcpy(text, code_prefix, PREFIX_BYTES);
	sodium_bin2base64(text + PREFIX_BYTES, sizeof text - PREFIX_BYTES, bytes, sizeof bytes,
	                  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	memcpy(out.person_id, person_id, sizeof out.person_id);
	hash_of(text_of(text), cookie, out.hash);
	pthread_mutex_lock(&sso->lock);
	drop_old(sso, now_ms);
	bool full = sso->count == SSO_CODES_MAX;
	if (!full)
		sso->ring[(sso->first + sso->count++) % SSO_CODES_MAX] = out;
	pthread_mutex_unlock(&sso->lock);
	if (full)
		return error_set(err, STATUS_LIMITED, "Too many logins are on their way");
	memcpy(ret_text, text, sizeof text);
	return STATUS_OK;
}

bool sso_code_take(struct sso *sso, struct text text, struct text cookie, int64_t now_ms,
                   char ret_person_id[UUID_TEXT_BYTES])
{
	uint8_t hash[SHA256_BYTES];
	bool    taken = false;
	hash_of(text, cookie, hash);
	pthread_mutex_lock(&sso->lock);
	drop_old(sso, now_ms);
	for (size_t i = 0; i < sso->count && !taken; i++) {
		struct code_out *out = &sso->ring[(sso->first + i) % SSO_CODES_MAX];
		taken = out->person_id[0] != '\0' && sodium_memcmp(out->hash, hash, sizeof hash) == 0;
		if (taken) {
			memcpy(ret_person_id, out->person_id, UUID_TEXT_BYTES);
			out->person_id[0] = '\0';
		}
	}
	pthread_mutex_unlock(&sso->lock);
	return taken;
}

void sso_count(struct sso *sso, bool let_in)
{
	atomic_fetch_add(let_in ? &sso->let_in : &sso->refused, 1);
}

void sso_write_metrics(struct sso *sso, unsigned waiting, unsigned waiting_max, struct buffer *out)
{
	pthread_mutex_lock(&sso->lock);
	size_t codes = sso->count;
	pthread_mutex_unlock(&sso->lock);
	metric_one(out, "sonnim_sso_logins_total", "counter",
	           "Answers of providers of single sign-on by which somebody was known",
	           atomic_load(&sso->let_in));
	metric_one(out, "sonnim_sso_refused_total", "counter",
	           "Those by which nobody was, or that could not be had", atomic_load(&sso->refused));
	metric_one(out, "sonnim_sso_waiting", "gauge", "Logins that wait for a provider", waiting);
	metric_one(out, "sonnim_sso_waiting_max", "gauge", "Beyond it such logins get 429",
	           waiting_max);
	metric_one(out, "sonnim_sso_codes", "gauge", "Codes that a page may exchange, at most a minute",
	           codes);
	metric_one(out, "sonnim_sso_codes_max", "gauge", "Beyond it such logins get 429",
	           SSO_CODES_MAX);
}
