#include "audit/audit.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/audit_internal.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/instant.h"
#include "base/log.h"

enum { ALLOCATE_BYTES = 1 << 20, PATH_ROOM_BYTES = 64 };

/* ---- Settings ---- */

static const char *check_url(const void *member)
{
	const char *text;
	memcpy(&text, member, sizeof text);
	return strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0
	           ? "must begin with https:// or http://"
	           : NULL;
}

#define AUDIT struct audit_settings
static const struct setting table[] = {
	SETTING_DURATION(AUDIT, head_interval_ms, "audit-head-interval", "1m", 100, DAY_MS,
                     "From a record of the audit trail to a signed head behind it, at most"),
	SETTING_STRING(AUDIT, head_file, "audit-head-file", NULL,
                   "File outside of this machine's data to which signed heads of the audit trail "
                   "are added, a line each",
                   "FILE"),
	SETTING_STRING(AUDIT, head_url, "audit-head-url", NULL,
                   "Where signed heads of the audit trail are posted as JSON; tried again until "
                   "they are taken",
                   "URL", .check = check_url),
	SETTING_BYTES(AUDIT, file_bytes, "audit-file-bytes", "16MiB", 64 << 10, 256 << 20,
                  "Size of one file of the audit trail"),
	SETTING_DURATION(AUDIT, retention_ms, "audit-retention", "1826d", DAY_MS,
                     INT64_C(36500) * DAY_MS,
                     "How long records of the audit trail are kept; dropped by whole files"),
};
#undef AUDIT

struct settings audit_settings_of(struct audit_settings *target)
{
	return (struct settings){table, sizeof table / sizeof table[0], target};
}

/* ---- The system ---- */

static int system_allocate(int fd, uint64_t offset, uint64_t length)
{
	return posix_fallocate(fd, (off_t)offset, (off_t)length);
}

static int64_t system_write(int fd, const void *data, size_t length, uint64_t offset)
{
	return pwrite(fd, data, length, (off_t)offset);
}

static int system_sync(int fd) { return fdatasync(fd); }

static const struct audit_system usual_system = {system_allocate, system_write, system_sync};

/* ---- Adding ---- */

void audit_chain(struct audit *audit, const struct audit_record *record, bool sign,
                 const struct audit_waiter *waiter)
{
	struct audit_group *group = &audit->gathering;
	struct audit_file  *file  = &audit->files.items[audit->files.count - 1];
	audit_line_add(&group->lines, record, clock_wall_ms(), sign ? audit->key : NULL,
	               audit->config.workspace_id, &audit->last);
	if (group->records++ == 0)
		group->first_ms = audit->last.at_ms;
	if (waiter != NULL)
		VECTOR_ADD(&group->waiters, *waiter);
	if (file->first_ms == INSTANT_MS_NONE)
		file->first_ms = audit->last.at_ms;
	if (sign) {
		audit->head_seq    = audit->last.seq;
		audit->unsigned_ms = 0;
	} else if (audit->unsigned_ms == 0) {
		audit->unsigned_ms = clock_monotonic_ms();
	}
}

/* Under the lock: what the file must have room for. */
static uint64_t wanted_bytes(const struct audit *audit)
{
	return audit->end + audit->gathering.lines.length +
	       audit->reserved * (uint64_t)AUDIT_LINE_BYTES_MAX + AUDIT_OWN_BYTES;
}

static enum status reserve(struct audit *audit, struct error *err)
{
	if (audit->failed)
		return error_set(err, STATUS_FAILED,
		                 "The audit trail takes no records until the server is restarted: %s",
		                 audit->failure.reason);
	uint64_t wanted = wanted_bytes(audit) + AUDIT_LINE_BYTES_MAX;
	if (wanted > audit->allocated) {
		uint64_t end = wanted + ALLOCATE_BYTES;
		int number   = audit->system->allocate(audit->fd, audit->allocated, end - audit->allocated);
		if (number == ENOSPC || number == EDQUOT)
			return error_set(err, STATUS_NO_SPACE,
			                 "The disk is full: there is no room for a record of this in the audit "
			                 "trail, so it is not done");
		if (number != 0)
			return file_error(err, number, "allocate", audit->directory);
		audit->allocated = end;
	}
	audit->reserved++;
	return STATUS_OK;
}

enum status audit_reserve(struct audit *audit, struct error *err)
{
	pthread_mutex_lock(&audit->lock);
	enum status status = reserve(audit, err);
	audit->counts.refused += status != STATUS_OK;
	pthread_mutex_unlock(&audit->lock);
	return status;
}

enum status audit_intend(struct audit *audit, const struct audit_record *known,
                         struct audit_intent *ret_intent, struct error *err)
{
	pthread_mutex_lock(&audit->lock);
	enum status status    = reserve(audit, err);
	uint64_t    after_seq = audit->last.seq;
	pthread_mutex_unlock(&audit->lock);
	bool reserved = status == STATUS_OK;
	if (reserved)
		status = audit_intentions_take(audit->intentions, known, after_seq, ret_intent, err);
	if (status == STATUS_OK)
		return status;
	pthread_mutex_lock(&audit->lock);
	audit->reserved -= reserved;
	audit->counts.refused++;
	pthread_mutex_unlock(&audit->lock);
	return status;
}

void audit_intend_better(struct audit *audit, const struct audit_intent *intent,
                         const struct audit_record *known)
{
	struct error ignored;
	enum status  status = audit_intentions_tell(audit->intentions, intent, known, &ignored);
	(void)status;
}

void audit_intend_durably(struct audit *audit, audit_written_fn *durable, void *context)
{
	audit_intentions_sync(audit->intentions, durable, context);
}

void audit_release(struct audit *audit, const struct audit_intent *intent)
{
	if (intent->call != 0)
		audit_intentions_free(audit->intentions, intent->slot);
	pthread_mutex_lock(&audit->lock);
	assert(audit->reserved > 0);
	audit->reserved--;
	pthread_mutex_unlock(&audit->lock);
}

void audit_put(struct audit *audit, const struct audit_intent *intent,
               const struct audit_record *record, bool sign, audit_written_fn *written,
               void *context)
{
	const struct audit_waiter waiter = {written, context};
	pthread_mutex_lock(&audit->lock);
	assert(audit->reserved > 0);
	audit->reserved--;
	audit_chain(audit, record, sign, written != NULL ? &waiter : NULL);
	if (intent != NULL && intent->call != 0)
		VECTOR_ADD(&audit->gathering.slots, intent->slot);
	pthread_cond_signal(&audit->wake);
	pthread_mutex_unlock(&audit->lock);
}

void audit_add(struct audit *audit, const struct audit_intent *intent,
               const struct audit_record *record, audit_written_fn *written, void *context)
{
	struct audit_record numbered = *record;
	numbered.call                = intent->call;
	audit_put(audit, intent, &numbered, false, written, context);
}

/* ---- Waiting ---- */

struct noted {
	struct audit *audit;
	bool          done;
	enum status   status;
	struct error  error;
};

static void note_written(void *context, enum status status, const struct error *err)
{
	struct noted *noted = context;
	pthread_mutex_lock(&noted->audit->lock);
	noted->done   = true;
	noted->status = status;
	noted->error  = *err;
	pthread_cond_broadcast(&noted->audit->idle);
	pthread_mutex_unlock(&noted->audit->lock);
}

enum status audit_note_as(struct audit *audit, const struct audit_record *record, bool sign,
                          struct error *err)
{
	struct noted noted  = {.audit = audit};
	enum status  status = audit_reserve(audit, err);
	if (status != STATUS_OK)
		return status;
	audit_put(audit, NULL, record, sign, note_written, &noted);
	pthread_mutex_lock(&audit->lock);
	while (!noted.done)
		pthread_cond_wait(&audit->idle, &audit->lock);
	pthread_mutex_unlock(&audit->lock);
	if (noted.status != STATUS_OK && err != NULL)
		*err = noted.error;
	return noted.status;
}

enum status audit_note(struct audit *audit, const struct audit_record *record, struct error *err)
{
	return audit_note_as(audit, record, false, err);
}

/* ---- Records of nobody ---- */

bool audit_admit_unknown(struct audit *audit, uint64_t *ret_left_out)
{
	int64_t now_ms = clock_monotonic_ms();
	pthread_mutex_lock(&audit->lock);
	audit->unknown_credit += (double)(now_ms - audit->unknown_ms) * AUDIT_UNKNOWN_RATE / 1000;
	if (audit->unknown_credit > AUDIT_UNKNOWN_BURST)
		audit->unknown_credit = AUDIT_UNKNOWN_BURST;
	audit->unknown_ms = now_ms;
	bool admitted     = audit->unknown_credit >= 1;
	if (admitted) {
		*ret_left_out           = audit->unknown_left_out;
		audit->unknown_left_out = 0;
		audit->unknown_credit -= 1;
	} else {
		audit->unknown_left_out++;
		audit->counts.left_out++;
	}
	pthread_mutex_unlock(&audit->lock);
	return admitted;
}

/* ---- Reading ---- */

void audit_snapshot(struct audit *audit, audit_file_list *ret_files)
{
	audit_file_list files = {0};
	pthread_mutex_lock(&audit->lock);
	for (size_t i = 0; i < audit->files.count; i++)
		VECTOR_ADD(&files, audit->files.items[i]);
	pthread_mutex_unlock(&audit->lock);
	*ret_files = files;
}

const char *audit_directory(const struct audit *audit) { return audit->directory; }

void audit_head(struct audit *audit, struct audit_head *ret_head)
{
	*ret_head = (struct audit_head){0};
	pthread_mutex_lock(&audit->lock);
	ret_head->seq   = audit->last.seq;
	ret_head->at_ms = audit->last.at_ms;
	memcpy(ret_head->hash, audit->last.hash, sizeof ret_head->hash);
	pthread_mutex_unlock(&audit->lock);
	memcpy(ret_head->workspace_id, audit->config.workspace_id, sizeof ret_head->workspace_id);
	audit_head_sign(ret_head, audit->key);
}

void audit_public_key(const struct audit *audit, uint8_t ret_key[AUDIT_PUBLIC_KEY_BYTES])
{
	memcpy(ret_key, audit->key->public_key, AUDIT_PUBLIC_KEY_BYTES);
}

/* ---- Retention ---- */

/* How many files from the oldest on hold nothing newer: what the one behind begins with is. */
static size_t count_due(const audit_file_list *files, int64_t before_ms)
{
	size_t due = 0;
	while (before_ms != INSTANT_MS_NONE && due + 1 < files->count &&
	       files->items[due + 1].first_ms != INSTANT_MS_NONE &&
	       files->items[due + 1].first_ms <= before_ms)
		due++;
	return due;
}

void audit_look(struct audit *audit, int64_t before_ms, int64_t *ret_oldest_ms,
                struct audit_amount *ret_all, struct audit_amount *ret_due)
{
	audit_file_list files;
	audit_snapshot(audit, &files);
	size_t due = count_due(&files, before_ms);
	*ret_all = *ret_due = (struct audit_amount){0};
	*ret_oldest_ms      = files.count > 0 ? files.items[0].first_ms : INSTANT_MS_NONE;
	for (size_t i = 0; i < files.count; i++) {
		ret_all->files++;
		ret_all->bytes += files.items[i].bytes;
		ret_due->files += i < due;
		ret_due->bytes += i < due ? files.items[i].bytes : 0;
	}
	VECTOR_DONE(&files);
}

/* The last record of what is dropped, so that what is left can be checked from there. */
static enum status last_of(struct audit *audit, uint64_t first_seq, struct audit_link *ret_link,
                           struct error *err)
{
	struct buffer content = {0};
	enum status   status =
		audit_file_read(audit->directory, first_seq, (uint64_t)AUDIT_FILE_BYTES_MAX, &content, err);
	struct audit_lines i = {.rest = buffer_text(&content)};
	*ret_link            = (struct audit_link){0};
	while (status == STATUS_OK && audit_lines_next(&i)) {
		struct audit_line line;
		struct error      ignored;
		if (audit_line_read(i.line, &line, &ignored) == STATUS_OK)
			*ret_link = line.link;
	}
	buffer_done(&content);
	return status;
}

static enum status note_drop(struct audit *audit, size_t count, uint64_t bytes,
                             const struct audit_link *through, struct error *err)
{
	char               hash[2 * SHA256_BYTES + 1];
	struct buffer      details = {0};
	struct json_writer w       = json_writer_of(&details);
	hash_hex(through->hash, sizeof through->hash, hash);
	json_begin_object(&w);
	json_member_int(&w, "through_seq", (int64_t)through->seq);
	json_member_string(&w, "through_hash", text_of(hash));
	json_member_instant(&w, "through", through->at_ms);
	json_member_int(&w, "files", (int64_t)count);
	json_member_int(&w, "bytes", (int64_t)bytes);
	json_end_object(&w);
	const struct audit_record record = {.action      = TEXT("audit.drop"),
	                                    .actor       = TEXT("system:retention"),
	                                    .details     = buffer_text(&details),
	                                    .result_size = (int64_t)count};
	enum status               status = audit_note_as(audit, &record, true, err);
	buffer_done(&details);
	return status;
}

/* The oldest first: whatever a crash leaves begins behind a record that a note names, or before. */
static enum status remove_files(struct audit *audit, size_t count, struct audit_amount *dropped,
                                struct error *err)
{
	for (; count > 0; count--) {
		char path[AUDIT_PATH_BYTES];
		pthread_mutex_lock(&audit->lock);
		struct audit_file file = audit->files.items[0];
		pthread_mutex_unlock(&audit->lock);
		audit_file_path(audit->directory, file.first_seq, path);
		if (unlink(path) != 0 && errno != ENOENT)
			return file_error(err, errno, "remove", path);
		pthread_mutex_lock(&audit->lock);
		memmove(audit->files.items, audit->files.items + 1,
		        --audit->files.count * sizeof audit->files.items[0]);
		pthread_mutex_unlock(&audit->lock);
		dropped->files++;
		dropped->bytes += file.bytes;
	}
	return directory_sync(audit->directory, err);
}

enum status audit_drop(struct audit *audit, int64_t before_ms, struct audit_amount *dropped,
                       struct error *err)
{
	audit_file_list   files;
	struct audit_link through;
	uint64_t          bytes  = 0;
	enum status       status = STATUS_OK;
	audit_snapshot(audit, &files);
	size_t due = count_due(&files, before_ms);
	for (size_t i = 0; i < due; i++)
		bytes += files.items[i].bytes;
	if (due > 0)
		status = last_of(audit, files.items[due - 1].first_seq, &through, err);
	VECTOR_DONE(&files);
	if (status != STATUS_OK || due == 0)
		return status;
	status = note_drop(audit, due, bytes, &through, err);
	return status == STATUS_OK ? remove_files(audit, due, dropped, err) : status;
}

/* ---- Life ---- */

static void init(struct audit *audit, const struct audit_config *config)
{
	pthread_condattr_t attributes;
	audit->config            = *config;
	audit->settings          = config->settings;
	audit->system            = config->system != NULL ? config->system : &usual_system;
	audit->directory         = strdup(config->directory);
	audit->keyring_directory = strdup(config->keyring_directory);
	audit->fd                = -1;
	audit->anchor.fd         = -1;
	audit->unknown_credit    = AUDIT_UNKNOWN_BURST;
	audit->unknown_ms        = clock_monotonic_ms();
	assert(audit->directory != NULL && audit->keyring_directory != NULL);
	pthread_mutex_init(&audit->lock, NULL);
	pthread_cond_init(&audit->idle, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&audit->wake, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* A key is made only for a trail that has no records: what is there was signed by another. */
static enum status open_keys(struct audit *audit, struct error *err)
{
	audit_file_list files  = {0};
	enum status     status = audit_files_list(audit->directory, &files, err);
	if (status == STATUS_OK)
		status = audit_keys_read(audit->keyring_directory, files.count == 0, &audit->keys, err);
	VECTOR_DONE(&files);
	if (status == STATUS_OK)
		audit->key = &audit->keys.items[audit->keys.count - 1];
	return status;
}

/* What was found goes into the trail itself, signed, before anything else does. */
static enum status tell_broken(struct audit *audit, struct text details, struct error *err)
{
	const struct audit_record record = {.action      = TEXT("audit.break"),
	                                    .actor       = TEXT("system:audit"),
	                                    .details     = details,
	                                    .result_size = -1};
	audit->counts.breaks++;
	log_message(LOG_ERROR, "the audit trail is not as it was left: audit verify says where");
	return audit_note_as(audit, &record, true, err);
}

enum status audit_open(const struct audit_config *config, struct audit **ret_audit,
                       struct error *err)
{
	struct audit      *audit  = calloc(1, sizeof *audit);
	struct buffer      broken = {0};
	struct audit_found found  = {0};
	struct audit_head  anchor;
	enum status        status;
	assert(audit != NULL);
	init(audit, config);
	if (strlen(config->directory) + PATH_ROOM_BYTES > AUDIT_PATH_BYTES)
		status = error_set(err, STATUS_INVALID, "--data: the path is too long");
	else if ((status = directory_create(audit->directory, 0700, err)) == STATUS_OK &&
	         (status = open_keys(audit, err)) == STATUS_OK &&
	         (status = audit_anchor_open(audit->keyring_directory, config->workspace_id,
	                                     &audit->keys, &audit->anchor, &anchor, err)) == STATUS_OK)
		status = audit_find_end(audit, &anchor, &broken, err);
	if (status == STATUS_OK)
		status = audit_intentions_open(audit->directory, &audit->keys, config->workspace_id,
		                               audit->system, &audit->intentions, &found, err);
	/* Records that a killed process has written count, so they must not be lost any more. */
	if (status == STATUS_OK && found.count > 0 && audit->system->sync(audit->fd) != 0)
		status = file_error(err, errno, "sync", audit->directory);
	if (status == STATUS_OK) {
		audit->sender = audit_sender_start(audit->settings->head_file, audit->settings->head_url);
		audit_start_writer(audit);
		if (broken.length > 0)
			status = tell_broken(audit, buffer_text(&broken), err);
	}
	if (status == STATUS_OK)
		status = audit_recover(audit, &found, err);
	free(found.items);
	buffer_done(&broken);
	if (status != STATUS_OK) {
		audit_close(audit);
		return status;
	}
	*ret_audit = audit;
	return STATUS_OK;
}

/* Only tidies up: zeros at the end mean nothing. */
static void cut_zeros(struct audit *audit)
{
	if (audit->fd < 0)
		return;
	if (!audit->failed && audit->started && ftruncate(audit->fd, (off_t)audit->written) != 0)
		log_message(LOG_WARNING, "a file of the audit trail keeps the zeros behind its end");
	close(audit->fd);
}

void audit_close(struct audit *audit)
{
	if (audit == NULL)
		return;
	if (audit->started) {
		pthread_mutex_lock(&audit->lock);
		audit->stopping = true;
		pthread_cond_signal(&audit->wake);
		pthread_mutex_unlock(&audit->lock);
		pthread_join(audit->thread, NULL);
	}
	audit_intentions_close(audit->intentions);
	audit_sender_stop(audit->sender, AUDIT_STOP_SEND_MS);
	cut_zeros(audit);
	audit_anchor_close(&audit->anchor);
	audit_keys_wipe(&audit->keys);
	VECTOR_DONE(&audit->files);
	VECTOR_DONE(&audit->gathering.waiters);
	VECTOR_DONE(&audit->gathering.slots);
	buffer_done(&audit->gathering.lines);
	pthread_mutex_destroy(&audit->lock);
	pthread_cond_destroy(&audit->wake);
	pthread_cond_destroy(&audit->idle);
	free(audit->directory);
	free(audit->keyring_directory);
	free(audit);
}

/* ---- Metrics ---- */

static void metric(struct buffer *out, const char *name, const char *type, const char *help,
                   double value)
{
	buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name,
	              value);
}

void audit_write_metrics(struct audit *audit, struct buffer *out)
{
	pthread_mutex_lock(&audit->lock);
	const typeof(audit->counts) counts = audit->counts;
	uint64_t files = audit->files.count, bytes = 0, behind = audit->last.seq - audit->head_seq;
	bool     failed      = audit->failed;
	int64_t  unsigned_ms = audit->unsigned_ms;
	for (size_t i = 0; i < files; i++)
		bytes += audit->files.items[i].bytes;
	pthread_mutex_unlock(&audit->lock);
	struct audit_sender_counts     sent     = audit_sender_counts(audit->sender);
	struct audit_intentions_counts underway = audit_intentions_counts(audit->intentions);

	metric(out, "sonnim_audit_records_total", "counter", "Records written to the audit trail",
	       (double)counts.records);
	metric(out, "sonnim_audit_written_bytes_total", "counter", "Bytes written to the audit trail",
	       (double)counts.bytes);
	metric(out, "sonnim_audit_syncs_total", "counter", "Syncs of the audit trail",
	       (double)counts.syncs);
	metric(out, "sonnim_audit_refused_total", "counter",
	       "Requests refused because the audit trail had no room or had failed",
	       (double)counts.refused);
	metric(out, "sonnim_audit_left_out_total", "counter",
	       "Refusals of unknown callers beyond the rate that is recorded one by one",
	       (double)counts.left_out);
	metric(out, "sonnim_audit_breaks_total", "counter",
	       "Starts that found the trail cut, changed or damaged", (double)counts.breaks);
	metric(out, "sonnim_audit_unknown_total", "counter",
	       "Requests that were under way when the process before ended, recorded at the start",
	       (double)counts.unknown);
	metric(out, "sonnim_audit_intentions", "gauge",
	       "Requests that are noted as under way, until their record is written",
	       (double)underway.taken);
	metric(out, "sonnim_audit_intention_syncs_total", "counter",
	       "Syncs of what is noted as under way", (double)underway.syncs);
	metric(out, "sonnim_audit_failed", "gauge",
	       "1 after a failed write: what is audited is refused until a restart",
	       failed || underway.failed);
	metric(out, "sonnim_audit_files", "gauge", "Files of the audit trail", (double)files);
	metric(out, "sonnim_audit_bytes", "gauge", "Bytes of the audit trail", (double)bytes);
	metric(out, "sonnim_audit_unsigned_records", "gauge", "Records behind the newest signed head",
	       (double)behind);
	metric(out, "sonnim_audit_unsigned_seconds", "gauge",
	       "How long the oldest record without a signed head behind it waits for one",
	       unsigned_ms == 0 ? 0 : (double)(clock_monotonic_ms() - unsigned_ms) / 1000);
	metric(out, "sonnim_audit_keyring_failures_total", "counter",
	       "Heads that could not be kept in the keyring", (double)counts.anchor_failures);
	metric(out, "sonnim_audit_heads_sent_total", "counter",
	       "Heads that reached every place they are sent to", (double)sent.sent);
	metric(out, "sonnim_audit_head_failures_total", "counter",
	       "Attempts to send a head that failed", (double)sent.failures);
}
