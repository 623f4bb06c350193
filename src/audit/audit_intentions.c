#include "audit/audit_intentions.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit_internal.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"

enum {
	SLOTS_STEP    = 128,
	SLOTS_MAX     = 4096,
	STEP_BYTES    = SLOTS_STEP * AUDIT_INTENTION_BYTES,
	BEGIN_BYTES   = 16, /* zeros there: it is free */
	CALL_AT       = 8,
	BEGUN_AT      = 16,
	AFTER_AT      = 24,
	MAC_AT        = 32,
	MAC_BYTES     = 16,
	LENGTHS_AT    = 48,
	TEXTS_AT      = 56,
	TEXT_COUNT    = 5,
	WORKSPACE_LEN = 16,
};

_Static_assert(AUDIT_INTENTION_ACTION_MAX + AUDIT_INTENTION_ACTOR_MAX + AUDIT_INTENTION_TARGET_MAX +
                       AUDIT_INTENTION_ADDRESS_MAX + AUDIT_INTENTION_TRACE_MAX <=
                   AUDIT_INTENTION_BYTES - TEXTS_AT,
               "the texts fit a slot");

static const char magic[8] = {'S', 'N', 'i', 'n', 1};

struct mac_key {
	uint8_t bytes[AUDIT_INTENTION_KEY_BYTES];
};

struct audit_intentions {
	const struct audit_system *system;
	char                       path[AUDIT_PATH_BYTES];
	struct mac_key             keys[AUDIT_KEYS_MAX];
	size_t                     key_count;
	int                        fd;

	pthread_mutex_t lock; /* over all below */
	pthread_cond_t  wake;
	pthread_t       thread;
	bool            started;
	bool            stopping;
	bool            failed;

	uint32_t slots; /* that the file has */
	VECTOR(uint32_t) free;
	VECTOR(uint32_t) found; /* until their records are there */
	uint64_t          next_call;
	uint64_t          syncs;
	audit_waiter_list waiters;
};

/* ---- A slot ---- */

struct field {
	size_t offset; /* of the text in a record */
	size_t bytes_max;
};
static const struct field fields[TEXT_COUNT] = {
	{offsetof(struct audit_record, action), AUDIT_INTENTION_ACTION_MAX},
	{offsetof(struct audit_record, actor), AUDIT_INTENTION_ACTOR_MAX},
	{offsetof(struct audit_record, target), AUDIT_INTENTION_TARGET_MAX},
	{offsetof(struct audit_record, ip), AUDIT_INTENTION_ADDRESS_MAX},
	{offsetof(struct audit_record, trace_id), AUDIT_INTENTION_TRACE_MAX},
};

static void make_key(const struct audit_key *key, const uint8_t workspace_id[WORKSPACE_LEN],
                     struct mac_key *ret_key)
{
	static const char purpose[] = "sonnim audit intentions 1";
	uint8_t           message[sizeof purpose + WORKSPACE_LEN];
	memcpy(message, purpose, sizeof purpose);
	memcpy(message + sizeof purpose, workspace_id, WORKSPACE_LEN);
	/* The secret key begins with its seed. */
	int failed = crypto_generichash(ret_key->bytes, sizeof ret_key->bytes, message, sizeof message,
	                                key->secret_key, AUDIT_INTENTION_KEY_BYTES);
	assert(failed == 0);
}

static void make_mac(const struct mac_key *key, uint32_t slot, const char *bytes,
                     uint8_t ret_mac[MAC_BYTES])
{
	crypto_generichash_state state;
	crypto_generichash_init(&state, key->bytes, sizeof key->bytes, MAC_BYTES);
	crypto_generichash_update(&state, (const uint8_t *)&slot, sizeof slot);
	crypto_generichash_update(&state, (const uint8_t *)bytes, MAC_AT);
	crypto_generichash_update(&state, (const uint8_t *)bytes + LENGTHS_AT,
	                          AUDIT_INTENTION_BYTES - LENGTHS_AT);
	crypto_generichash_final(&state, ret_mac, MAC_BYTES);
}

/* Cut off at a character. */
static size_t fitting(struct text text, size_t bytes_max)
{
	if (text.length <= bytes_max)
		return text.length;
	while (bytes_max > 0 && ((unsigned char)text.data[bytes_max] & 0xc0) == 0x80)
		bytes_max--;
	return bytes_max;
}

static void encode(const struct audit_intentions *intentions, const struct audit_intent *intent,
                   const struct audit_record *known, char into[AUDIT_INTENTION_BYTES])
{
	char *at = into + TEXTS_AT;
	memset(into, 0, AUDIT_INTENTION_BYTES);
	memcpy(into, magic, sizeof magic);
	memcpy(into + CALL_AT, &intent->call, sizeof intent->call);
	memcpy(into + BEGUN_AT, &intent->begun_ms, sizeof intent->begun_ms);
	memcpy(into + AFTER_AT, &intent->after_seq, sizeof intent->after_seq);
	for (unsigned i = 0; i < TEXT_COUNT; i++) {
		struct text text;
		memcpy(&text, (const char *)known + fields[i].offset, sizeof text);
		size_t length = fitting(text, fields[i].bytes_max);
		if (length > 0)
			memcpy(at, text.data, length);
		into[LENGTHS_AT + i] = (char)length;
		at += length;
	}
	make_mac(&intentions->keys[intentions->key_count - 1], intent->slot, into,
	         (uint8_t *)into + MAC_AT);
}

static bool is_ours(const struct audit_intentions *intentions, uint32_t slot, const char *bytes)
{
	for (size_t i = 0; i < intentions->key_count; i++) {
		uint8_t mac[MAC_BYTES];
		make_mac(&intentions->keys[i], slot, bytes, mac);
		if (sodium_memcmp(mac, bytes + MAC_AT, sizeof mac) == 0)
			return true;
	}
	return false;
}

static bool decode(const struct audit_intentions *intentions, uint32_t slot,
                   struct audit_intention *found)
{
	if (memcmp(found->slot, magic, sizeof magic) != 0 || !is_ours(intentions, slot, found->slot))
		return false;
	found->intent.slot = slot;
	memcpy(&found->intent.call, found->slot + CALL_AT, sizeof found->intent.call);
	memcpy(&found->intent.begun_ms, found->slot + BEGUN_AT, sizeof found->intent.begun_ms);
	memcpy(&found->intent.after_seq, found->slot + AFTER_AT, sizeof found->intent.after_seq);
	return true;
}

struct audit_record audit_intention_known(const struct audit_intention *intention)
{
	struct audit_record known = {.result_size = -1};
	const char         *at    = intention->slot + TEXTS_AT;
	for (unsigned i = 0; i < TEXT_COUNT; i++) {
		struct text text = {at, (uint8_t)intention->slot[LENGTHS_AT + i]};
		memcpy((char *)&known + fields[i].offset, &text, sizeof text);
		at += text.length;
	}
	return known;
}

/* ---- Writing ---- */

static enum status write_at(struct audit_intentions *intentions, const char *bytes, size_t length,
                            uint64_t offset, struct error *err)
{
	for (;;) {
		int64_t wrote = intentions->system->write(intentions->fd, bytes, length, offset);
		if (wrote == (int64_t)length)
			return STATUS_OK;
		if (wrote >= 0 || errno != EINTR)
			return file_error(err, wrote < 0 ? errno : EIO, "write", intentions->path);
	}
}

/* Under the lock. Zeros are written, so that a slot has its place on the disk before it is used. */
static enum status grow(struct audit_intentions *intentions, struct error *err)
{
	static const char zeros[STEP_BYTES];
	uint64_t          offset = (uint64_t)intentions->slots * AUDIT_INTENTION_BYTES;
	if (intentions->slots >= SLOTS_MAX)
		return error_set(err, STATUS_UNAVAILABLE,
		                 "More than %d requests wait for their records in the audit trail",
		                 SLOTS_MAX);
	int number = intentions->system->allocate(intentions->fd, offset, STEP_BYTES);
	if (number == ENOSPC || number == EDQUOT)
		return error_set(err, STATUS_NO_SPACE,
		                 "The disk is full: there is no room to note in the audit trail that this "
		                 "is under way, so it is not done");
	if (number != 0)
		return file_error(err, number, "allocate", intentions->path);
	enum status status = write_at(intentions, zeros, sizeof zeros, offset, err);
	if (status != STATUS_OK)
		return status;
	intentions->slots += SLOTS_STEP;
	for (uint32_t i = 1; i <= SLOTS_STEP; i++) /* the first is the next to be taken */
		VECTOR_ADD(&intentions->free, intentions->slots - i);
	return STATUS_OK;
}

static enum status refuse(struct error *err)
{
	return error_set(
		err, STATUS_FAILED,
		"The audit trail takes no records until the server is restarted: what is under "
		"way could not be noted");
}

/* One that could not be written: but for a full disk it is over, as in the trail itself. */
static enum status give_up(struct audit_intentions *intentions, uint32_t slot,
                           const struct error *why, struct error *err)
{
	bool full = why->status == STATUS_NO_SPACE;
	pthread_mutex_lock(&intentions->lock);
	bool first         = !full && !intentions->failed;
	intentions->failed = intentions->failed || !full;
	VECTOR_ADD(&intentions->free, slot);
	pthread_mutex_unlock(&intentions->lock);
	if (first)
		log_error("the audit trail cannot note what is under way: what is audited is refused", why);
	if (!full)
		return refuse(err);
	if (err != NULL)
		*err = *why;
	return why->status;
}

static void give_back(struct audit_intentions *intentions, uint32_t slot)
{
	pthread_mutex_lock(&intentions->lock);
	VECTOR_ADD(&intentions->free, slot);
	pthread_mutex_unlock(&intentions->lock);
}

enum status audit_intentions_take(struct audit_intentions   *intentions,
                                  const struct audit_record *known, uint64_t after_seq,
                                  struct audit_intent *ret_intent, struct error *err)
{
	struct audit_intent intent = {.after_seq = after_seq, .begun_ms = clock_wall_ms()};
	struct error        why;
	enum status         status = STATUS_OK;
	pthread_mutex_lock(&intentions->lock);
	if (intentions->failed)
		status = refuse(err);
	else if (intentions->free.count == 0)
		status = grow(intentions, err);
	if (status == STATUS_OK) {
		intent.slot           = intentions->free.items[--intentions->free.count];
		intent.call           = intentions->next_call;
		intentions->next_call = intentions->next_call == UINT64_MAX ? 1 : intentions->next_call + 1;
	}
	pthread_mutex_unlock(&intentions->lock);
	if (status != STATUS_OK)
		return status;
	if (audit_intentions_tell(intentions, &intent, known, &why) != STATUS_OK)
		return give_up(intentions, intent.slot, &why, err);
	*ret_intent = intent;
	return STATUS_OK;
}

enum status audit_intentions_tell(struct audit_intentions   *intentions,
                                  const struct audit_intent *intent,
                                  const struct audit_record *known, struct error *err)
{
	char bytes[AUDIT_INTENTION_BYTES];
	encode(intentions, intent, known, bytes);
	return write_at(intentions, bytes, sizeof bytes, (uint64_t)intent->slot * AUDIT_INTENTION_BYTES,
	                err);
}

static enum status clear(struct audit_intentions *intentions, uint32_t slot, struct error *err)
{
	static const char zeros[BEGIN_BYTES];
	return write_at(intentions, zeros, sizeof zeros, (uint64_t)slot * AUDIT_INTENTION_BYTES, err);
}

void audit_intentions_free(struct audit_intentions *intentions, uint32_t slot)
{
	struct error err;
	if (clear(intentions, slot, &err) == STATUS_OK)
		give_back(intentions, slot);
	else
		log_error("what was under way could not be freed beside the audit trail", &err);
}

enum status audit_intentions_forget(struct audit_intentions *intentions, struct error *err)
{
	enum status status = STATUS_OK;
	for (size_t i = 0; i < intentions->found.count && status == STATUS_OK; i++)
		status = clear(intentions, intentions->found.items[i], err);
	if (status == STATUS_OK && intentions->system->sync(intentions->fd) != 0)
		status = file_error(err, errno, "sync", intentions->path);
	for (size_t i = 0; i < intentions->found.count && status == STATUS_OK; i++)
		give_back(intentions, intentions->found.items[i]);
	if (status == STATUS_OK)
		intentions->found.count = 0;
	return status;
}

/* ---- Syncs ---- */

static void tell_all(const audit_waiter_list *waiters, enum status status)
{
	struct error failed = {0};
	if (status != STATUS_OK)
		error_set(&failed, STATUS_FAILED,
		          "It could not be noted in the audit trail that this is under way, so it was not "
		          "done");
	for (size_t i = 0; i < waiters->count; i++)
		waiters->items[i].written(waiters->items[i].context, status, &failed);
}

/* Never again after a failure, as in the trail itself. */
static enum status sync_now(struct audit_intentions *intentions)
{
	struct error err;
	if (intentions->system->sync(intentions->fd) == 0)
		return STATUS_OK;
	file_error(&err, errno, "sync", intentions->path);
	log_error("the audit trail cannot note what is under way: what is audited is refused", &err);
	return STATUS_FAILED;
}

static void *sync_all(void *context)
{
	struct audit_intentions *intentions = context;
	pthread_mutex_lock(&intentions->lock);
	while (!intentions->stopping || intentions->waiters.count > 0) {
		if (intentions->waiters.count == 0) {
			pthread_cond_wait(&intentions->wake, &intentions->lock);
			continue;
		}
		audit_waiter_list waiters = intentions->waiters;
		intentions->waiters       = (audit_waiter_list){0};
		bool failed               = intentions->failed;
		pthread_mutex_unlock(&intentions->lock);
		enum status status = failed ? STATUS_FAILED : sync_now(intentions);
		pthread_mutex_lock(&intentions->lock);
		intentions->failed = status != STATUS_OK;
		intentions->syncs += status == STATUS_OK;
		pthread_mutex_unlock(&intentions->lock);
		tell_all(&waiters, status);
		VECTOR_DONE(&waiters);
		pthread_mutex_lock(&intentions->lock);
	}
	pthread_mutex_unlock(&intentions->lock);
	return NULL;
}

void audit_intentions_sync(struct audit_intentions *intentions, audit_written_fn *done,
                           void *context)
{
	const struct audit_waiter waiter = {done, context};
	pthread_mutex_lock(&intentions->lock);
	VECTOR_ADD(&intentions->waiters, waiter);
	pthread_cond_signal(&intentions->wake);
	pthread_mutex_unlock(&intentions->lock);
}

struct audit_intentions_counts audit_intentions_counts(struct audit_intentions *intentions)
{
	struct audit_intentions_counts counts;
	pthread_mutex_lock(&intentions->lock);
	counts.slots  = intentions->slots;
	counts.taken  = intentions->slots - intentions->free.count - intentions->found.count;
	counts.syncs  = intentions->syncs;
	counts.failed = intentions->failed;
	pthread_mutex_unlock(&intentions->lock);
	return counts;
}

/* ---- Life ---- */

static bool is_free(const char *bytes)
{
	static const char zeros[BEGIN_BYTES];
	return memcmp(bytes, zeros, sizeof zeros) == 0;
}

static void look_at(struct audit_intentions *intentions, const char *content, uint32_t slot,
                    struct audit_found *found)
{
	struct audit_intention *next  = &found->items[found->count];
	const char             *bytes = content + (size_t)slot * AUDIT_INTENTION_BYTES;
	if (is_free(bytes)) {
		VECTOR_ADD(&intentions->free, slot);
		return;
	}
	memcpy(next->slot, bytes, sizeof next->slot);
	VECTOR_ADD(&intentions->found, slot);
	if (decode(intentions, slot, next))
		found->count++;
	else
		found->damaged++;
}

/* What is behind the last whole slot was being added. */
static enum status read_found(struct audit_intentions *intentions, struct audit_found *ret_found,
                              struct error *err)
{
	struct buffer      content = {0};
	struct audit_found found   = {0};
	enum status        status =
		file_read(intentions->path, (size_t)SLOTS_MAX * AUDIT_INTENTION_BYTES, &content, err);
	if (status != STATUS_OK) {
		buffer_done(&content);
		return status;
	}
	intentions->slots = (uint32_t)(content.length / AUDIT_INTENTION_BYTES);
	found.items       = calloc(intentions->slots + 1, sizeof *found.items);
	if (found.items == NULL)
		abort();
	for (uint32_t slot = intentions->slots; slot > 0; slot--)
		look_at(intentions, content.data, slot - 1, &found);
	buffer_done(&content);
	*ret_found = found;
	return STATUS_OK;
}

static enum status open_file(struct audit_intentions *intentions, const char *directory,
                             struct error *err)
{
	if (snprintf(intentions->path, sizeof intentions->path, "%s/intentions", directory) >=
	    (int)sizeof intentions->path)
		return error_set(err, STATUS_INVALID, "--data: the path is too long");
	intentions->fd =
		open(intentions->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, (mode_t)0600);
	if (intentions->fd < 0)
		return file_error(err, errno, "open", intentions->path);
	return directory_sync(directory, err);
}

static void start(struct audit_intentions *intentions)
{
	int failed = pthread_create(&intentions->thread, NULL, sync_all, intentions);
	assert(failed == 0);
	intentions->started = true;
}

enum status audit_intentions_open(const char *directory, const struct audit_keys *keys,
                                  const uint8_t workspace_id[16], const struct audit_system *system,
                                  struct audit_intentions **ret_intentions,
                                  struct audit_found *ret_found, struct error *err)
{
	struct audit_intentions *intentions = calloc(1, sizeof *intentions);
	struct error             later;
	enum status              status;
	assert(intentions != NULL && keys->count > 0);
	intentions->system = system;
	intentions->fd     = -1;
	pthread_mutex_init(&intentions->lock, NULL);
	pthread_cond_init(&intentions->wake, NULL);
	for (; intentions->key_count < keys->count; intentions->key_count++)
		make_key(&keys->items[intentions->key_count], workspace_id,
		         &intentions->keys[intentions->key_count]);
	do
		random_bytes(&intentions->next_call, sizeof intentions->next_call);
	while (intentions->next_call == 0);
	status = open_file(intentions, directory, err);
	if (status == STATUS_OK)
		status = read_found(intentions, ret_found, err);
	if (status != STATUS_OK) {
		audit_intentions_close(intentions);
		return status;
	}
	if (intentions->slots == 0 && grow(intentions, &later) != STATUS_OK)
		log_error("the audit trail has no room yet for what is under way", &later);
	start(intentions);
	*ret_intentions = intentions;
	return STATUS_OK;
}

void audit_intentions_close(struct audit_intentions *intentions)
{
	if (intentions == NULL)
		return;
	if (intentions->started) {
		pthread_mutex_lock(&intentions->lock);
		intentions->stopping = true;
		pthread_cond_signal(&intentions->wake);
		pthread_mutex_unlock(&intentions->lock);
		pthread_join(intentions->thread, NULL);
	}
	if (intentions->fd >= 0)
		close(intentions->fd);
	VECTOR_DONE(&intentions->free);
	VECTOR_DONE(&intentions->found);
	VECTOR_DONE(&intentions->waiters);
	pthread_mutex_destroy(&intentions->lock);
	pthread_cond_destroy(&intentions->wake);
	sodium_memzero(intentions->keys, sizeof intentions->keys);
	free(intentions);
}
