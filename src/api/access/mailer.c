#include "api/access/mailer.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "access/reset.h"
#include "api/metrics/metrics_text.h"
#include "api/woken.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "http/smtp.h"

enum { PASSWORD_BYTES = 1024 };

struct wish {
	char   email[PERSON_EMAIL_BYTES];
	size_t length;
};

struct mailer {
	struct access                *access;
	const struct mailer_settings *settings;
	struct attempts              *attempts; /* every wish counts as a wrong guess does */
	_Atomic uint64_t              sent, failed;
	bool                          stopped;
	struct woken                  woken; /* its lock is over what follows */
	size_t                        first;
	size_t                        count;
	struct wish                   waiting[MAILER_WAITING_MAX]; /* a ring */
};

/* ---- Settings ---- */

static const char *check_url(const void *member)
{
	const char *const *url  = member;
	struct text        text = *url == NULL ? (struct text){0} : text_of(*url);
	return *url == NULL || text_starts_with(text, TEXT("smtp://")) ||
	               text_starts_with(text, TEXT("smtps://"))
	           ? NULL
	           : "must begin with smtp:// or smtps://";
}

static const char *check_from(const void *member)
{
	const char *const *from = member;
	return *from == NULL || smtp_address_is_plain(text_of(*from)) ? NULL
	                                                              : "must be an e-mail address";
}

#define MAILER struct mailer_settings
static const struct setting table[] = {
	SETTING_STRING(MAILER, url, "smtp-url", NULL,
                   "Server by which mails are sent: smtp://HOST:PORT with STARTTLS, or smtps://; "
                   "without one passwords are not reset by mail",
                   "URL", .check = check_url),
	SETTING_STRING(MAILER, from, "mail-from", "sonnim@localhost", "Sender of mails", "ADDRESS",
                   .check = check_from),
	SETTING_STRING(MAILER, user, "smtp-user", NULL, "Login at that server", "NAME"),
	SETTING_STRING(MAILER, password_file, "smtp-password-file", NULL,
                   "File with the password of that login, read for each mail", "FILE"),
	SETTING_BOOL(MAILER, plain, "smtp-plain",
                 "Send without TLS and without a login: to a server on this machine"),
	SETTING_STRING(MAILER, reset_url, "reset-url", NULL,
                   "Address of the page where a password is reset; the token is put behind it",
                   "URL"),
};
#undef MAILER

struct settings mailer_settings_of(struct mailer_settings *target)
{
	return (struct settings){table, sizeof table / sizeof table[0], target};
}

/* ---- Mails ---- */

static void write_text(struct buffer *out, const struct mailer_settings *settings,
                       const char *token)
{
	const char *before = settings->reset_url != NULL ? settings->reset_url : "";
	buffer_printf(
		out,
		"안녕하세요.\n\nSonnim 비밀번호 재설정을 요청하셨습니다. %d분 안에 한 번 사용할 수 "
		"있습니다:\n\n"
		"%s%s\n\n요청하지 않으셨다면 이 메일을 무시하세요. 비밀번호는 바뀌지 않습니다.\n\n"
		"---\n\nSomebody asked to reset your password of Sonnim. This is good once, for %d "
		"minutes:\n\n%s%s\n\nIf it was not you, ignore this mail: nothing has changed.\n",
		RESET_MINUTES, before, token, RESET_MINUTES, before, token);
}

static enum status read_password(const char *file, struct buffer *out, struct error *err)
{
	enum status status = file_read(file, PASSWORD_BYTES, out, err);
	while (status == STATUS_OK && out->length > 0 && out->data[out->length - 1] == '\n')
		out->length--;
	if (status == STATUS_OK)
		buffer_add_u8(out, '\0');
	return status;
}

static enum status send_mail(const struct mailer *mailer, struct text to, const char *token,
                             struct error *err)
{
	const struct mailer_settings *settings = mailer->settings;
	struct smtp_server            server   = {
					 .url = settings->url, .user = settings->user, .plain = settings->plain};
	struct buffer text = {0}, password = {0};
	enum status   status = STATUS_OK;
	if (settings->password_file != NULL && !settings->plain)
		status = read_password(settings->password_file, &password, err);
	if (status == STATUS_OK) {
		server.password = password.data != NULL ? password.data : "";
		write_text(&text, settings, token);
		const struct smtp_mail mail = {.from = text_of(settings->from),
		                               .to   = to,
		                               .subject = TEXT("Sonnim 비밀번호 재설정 / password reset"),
		                               .text   = buffer_text(&text),
		                               .now_ms = clock_wall_ms()};
		status                      = smtp_send(&server, &mail, err);
	}
	if (password.data != NULL)
		explicit_bzero(password.data, password.capacity);
	if (text.data != NULL)
		explicit_bzero(text.data, text.capacity);
	buffer_done(&password);
	buffer_done(&text);
	return status;
}

static void work_off(struct mailer *mailer, const struct wish *wish, struct arena *arena)
{
	struct account account;
	char           token[CODE_TEXT_BYTES];
	struct error   err   = {0};
	struct text    email = {wish->email, wish->length};
	enum status    status =
		reset_begin(mailer->access, email, clock_wall_ms(), arena, &account, token, &err);
	if (status == STATUS_NOT_FOUND)
		return;
	if (status == STATUS_OK)
		status = send_mail(mailer, account.email, token, &err);
	if (status == STATUS_OK) {
		atomic_fetch_add(&mailer->sent, 1);
		return;
	}
	log_error("a mail was not sent", &err);
	atomic_fetch_add(&mailer->failed, 1);
}

static void *work(void *owner)
{
	struct mailer *mailer = owner;
	struct arena   arena;
	arena_init(&arena);
	pthread_mutex_lock(&mailer->woken.lock);
	while (!mailer->woken.stopping) {
		if (mailer->count == 0) {
			woken_wait(&mailer->woken, -1);
			continue;
		}
		struct wish wish = mailer->waiting[mailer->first];
		mailer->first    = (mailer->first + 1) % MAILER_WAITING_MAX;
		mailer->count--;
		pthread_mutex_unlock(&mailer->woken.lock);
		work_off(mailer, &wish, &arena);
		arena_reset(&arena);
		pthread_mutex_lock(&mailer->woken.lock);
	}
	pthread_mutex_unlock(&mailer->woken.lock);
	arena_done(&arena);
	return NULL;
}

/* ---- From outside ---- */

bool mailer_is_set(const struct mailer *mailer) { return mailer->settings->url != NULL; }

static bool queue(struct mailer *mailer, struct text email)
{
	pthread_mutex_lock(&mailer->woken.lock);
	bool room = mailer->count < MAILER_WAITING_MAX;
	if (room) {
		struct wish *wish =
			&mailer->waiting[(mailer->first + mailer->count++) % MAILER_WAITING_MAX];
		memcpy(wish->email, email.data, email.length);
		wish->length = email.length;
		pthread_cond_signal(&mailer->woken.wake);
	}
	pthread_mutex_unlock(&mailer->woken.lock);
	return room;
}

enum status mailer_reset(struct mailer *mailer, struct text address, struct text email,
                         int64_t *ret_wait_ms, struct error *err)
{
	int64_t now_ms = clock_monotonic_ms();
	uint8_t hash[STORE_TOKEN_HASH_BYTES]; /* one, however its letters are written */
	access_email_hash(mailer->access, email, hash);
	struct attempt attempt = attempt_of(mailer->attempts, address,
	                                    (struct text){(const char *)hash, sizeof hash}, TEXT(""));
	assert(email.length <= PERSON_EMAIL_BYTES);
	enum status status = attempts_admit(mailer->attempts, &attempt, now_ms, ret_wait_ms, err);
	if (status != STATUS_OK)
		return status;
	attempts_failed(mailer->attempts, &attempt, now_ms);
	if (!queue(mailer, email))
		return error_set(err, STATUS_LIMITED, "Too many mails wait to be sent");
	return STATUS_OK;
}

void mailer_write_metrics(struct mailer *mailer, struct buffer *out)
{
	pthread_mutex_lock(&mailer->woken.lock);
	size_t waiting = mailer->count;
	pthread_mutex_unlock(&mailer->woken.lock);
	metric_one(out, "sonnim_mails_sent_total", "counter", "Mails to reset a password",
	           atomic_load(&mailer->sent));
	metric_one(out, "sonnim_mails_failed_total", "counter", "Mails that no server took",
	           atomic_load(&mailer->failed));
	metric_one(out, "sonnim_mails_waiting", "gauge", "Wishes for a mail that wait", waiting);
	metric_one(out, "sonnim_mails_waiting_max", "gauge", "Beyond it such wishes get 429",
	           MAILER_WAITING_MAX);
}

/* ---- Life ---- */

struct mailer *mailer_new(struct access *access, const struct mailer_settings *settings)
{
	struct mailer *mailer = calloc(1, sizeof *mailer);
	assert(mailer != NULL);
	mailer->access   = access;
	mailer->settings = settings;
	mailer->attempts = attempts_new();
	woken_start(&mailer->woken, work, mailer);
	return mailer;
}

void mailer_stop(struct mailer *mailer)
{
	if (mailer == NULL || mailer->stopped)
		return;
	woken_stop(&mailer->woken);
	mailer->stopped = true;
}

void mailer_free(struct mailer *mailer)
{
	if (mailer == NULL)
		return;
	mailer_stop(mailer);
	woken_done(&mailer->woken);
	attempts_free(mailer->attempts);
	free(mailer);
}
