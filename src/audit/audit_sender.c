#include "audit/audit_sender.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "http/client.h"

enum { SEND_TIMEOUT_MS = 5000, HTTP_STATUS_OK = 200, HTTP_STATUS_END = 300 };

struct audit_sender {
	const char     *file;
	const char     *url;
	pthread_mutex_t lock;
	pthread_cond_t  wake;
	pthread_t       thread;
	bool            stopping;
	int64_t         stop_ms; /* monotonic: until when */

	struct audit_head          head; /* the newest; seq 0: none */
	struct audit_sender_counts counts;

	/* The thread's own. */
	uint64_t file_seq; /* through which each place has it */
	uint64_t url_seq;
	bool     told; /* that it fails: once, not at each attempt */
};

/* ---- Places ---- */

static enum status send_to_file(const char *path, struct text line, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return file_error(err, errno, "open", path);
	enum status status = file_write_all(fd, line.data, line.length, path, err);
	if (status == STATUS_OK && fdatasync(fd) != 0)
		status = file_error(err, errno, "sync", path);
	close(fd);
	return status;
}

static enum status send_to_url(const char *url, struct text body, int64_t timeout_ms,
                               struct error *err)
{
	const struct http_header   type    = {TEXT("Content-Type"), TEXT("application/json")};
	struct http_client        *client  = http_client_new();
	struct http_client_request request = {
		.url = url, .headers = &type, .header_count = 1, .body = body, .timeout_ms = timeout_ms};
	struct http_client_response response = {0};
	enum status                 status   = http_client_send(client, &request, &response, err);
	if (status == STATUS_OK &&
	    (response.status < HTTP_STATUS_OK || response.status >= HTTP_STATUS_END))
		status =
			error_set(err, STATUS_UNAVAILABLE, "--audit-head-url was answered %u", response.status);
	http_client_response_done(&response);
	http_client_free(client);
	return status;
}

/* The file gets a line once, whatever becomes of the URL. */
static enum status send_all(struct audit_sender *sender, const struct audit_head *head,
                            int64_t timeout_ms, struct error *err)
{
	struct buffer line   = {0};
	enum status   status = STATUS_OK;
	audit_head_write(head, &line);
	buffer_add(&line, "\n", 1);
	if (sender->file != NULL && sender->file_seq != head->seq) {
		status = send_to_file(sender->file, buffer_text(&line), err);
		if (status == STATUS_OK)
			sender->file_seq = head->seq;
	}
	if (sender->url != NULL && sender->url_seq != head->seq) {
		struct error why = {0};
		enum status  got = send_to_url(sender->url, buffer_text(&line), timeout_ms, &why);
		if (got == STATUS_OK) {
			sender->url_seq = head->seq;
		} else if (status == STATUS_OK) {
			status = got;
			*err   = why;
		}
	}
	buffer_done(&line);
	return status;
}

/* ---- The thread ---- */

static void wait_ms(struct audit_sender *sender, int64_t most_ms)
{
	struct timespec until = clock_deadline(most_ms);
	pthread_cond_timedwait(&sender->wake, &sender->lock, &until);
}

static void note(struct audit_sender *sender, const struct audit_head *head, enum status status,
                 const struct error *err)
{
	if (status == STATUS_OK) {
		sender->counts.sent++;
		sender->counts.seq = head->seq;
		sender->told       = false;
		return;
	}
	sender->counts.failures++;
	if (!sender->told)
		log_error("a head of the audit trail cannot be sent; it is tried again", err);
	sender->told = true;
}

/* Under the lock: how long a request may take now. */
static int64_t timeout_ms(const struct audit_sender *sender)
{
	int64_t left_ms = sender->stop_ms - clock_monotonic_ms();
	if (!sender->stopping || left_ms > SEND_TIMEOUT_MS)
		return SEND_TIMEOUT_MS;
	return left_ms > 1 ? left_ms : 1;
}

static void *run(void *context)
{
	struct audit_sender *sender   = context;
	int64_t              pause_ms = AUDIT_SEND_RETRY_MS;
	bool                 last     = false;
	pthread_mutex_lock(&sender->lock);
	while (!last) {
		if (sender->head.seq == sender->counts.seq && !sender->stopping)
			pthread_cond_wait(&sender->wake, &sender->lock);
		last                         = sender->stopping;
		const struct audit_head head = sender->head;
		if (head.seq == sender->counts.seq)
			continue;
		int64_t most_ms = timeout_ms(sender);
		pthread_mutex_unlock(&sender->lock);
		struct error err    = {0};
		enum status  status = send_all(sender, &head, most_ms, &err);
		pthread_mutex_lock(&sender->lock);
		note(sender, &head, status, &err);
		if (status != STATUS_OK && !sender->stopping)
			wait_ms(sender, pause_ms);
		pause_ms = status == STATUS_OK                   ? AUDIT_SEND_RETRY_MS
		           : pause_ms * 2 < AUDIT_SEND_RETRY_MAX ? pause_ms * 2
		                                                 : AUDIT_SEND_RETRY_MAX;
		last     = last && head.seq == sender->head.seq;
	}
	pthread_mutex_unlock(&sender->lock);
	return NULL;
}

struct audit_sender *audit_sender_start(const char *file, const char *url)
{
	if (file == NULL && url == NULL)
		return NULL;
	struct audit_sender *sender = calloc(1, sizeof *sender);
	assert(sender != NULL);
	sender->file = file;
	sender->url  = url;
	pthread_condattr_t attributes;
	pthread_mutex_init(&sender->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&sender->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	int failed = pthread_create(&sender->thread, NULL, run, sender);
	assert(failed == 0);
	return sender;
}

void audit_sender_put(struct audit_sender *sender, const struct audit_head *head)
{
	if (sender == NULL)
		return;
	pthread_mutex_lock(&sender->lock);
	sender->head = *head;
	pthread_cond_signal(&sender->wake);
	pthread_mutex_unlock(&sender->lock);
}

void audit_sender_stop(struct audit_sender *sender, int64_t wait_ms_most)
{
	if (sender == NULL)
		return;
	pthread_mutex_lock(&sender->lock);
	sender->stopping = true;
	sender->stop_ms  = clock_monotonic_ms() + wait_ms_most;
	pthread_cond_signal(&sender->wake);
	pthread_mutex_unlock(&sender->lock);
	pthread_join(sender->thread, NULL);
	pthread_mutex_destroy(&sender->lock);
	pthread_cond_destroy(&sender->wake);
	free(sender);
}

struct audit_sender_counts audit_sender_counts(struct audit_sender *sender)
{
	struct audit_sender_counts counts = {0};
	if (sender == NULL)
		return counts;
	pthread_mutex_lock(&sender->lock);
	counts = sender->counts;
	pthread_mutex_unlock(&sender->lock);
	return counts;
}
