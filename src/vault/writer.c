#include "vault/writer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static void *run(void *argument);

static enum status open_both(struct writer *writer, const struct writer_config *config,
                             struct error *err)
{
	enum status  status = append_file_init(&writer->persons, config->system, config->persons_path,
	                                       config->persons_fd, config->persons_end, err);
	struct error keys_err;
	enum status  keys_status = append_file_init(&writer->keys, config->system, config->keys_path,
	                                            config->keys_fd, config->keys_end, &keys_err);
	if (status == STATUS_OK && keys_status != STATUS_OK) {
		if (err)
			*err = keys_err;
		status = keys_status;
	}
	return status;
}

enum status writer_open(struct writer *writer, const struct writer_config *config,
                        struct error *err)
{
	*writer = (struct writer){.group = config->group + 1};
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->wake, NULL);
	atomic_init(&writer->durable, config->group);
	atomic_init(&writer->durable_bytes, config->persons_end);
	atomic_init(&writer->added, config->group);

	enum status status = open_both(writer, config, err);
	if (status == STATUS_OK) {
		int error       = pthread_create(&writer->thread, NULL, run, writer);
		writer->started = error == 0;
		if (error != 0)
			status =
				error_set_errno(err, STATUS_UNAVAILABLE, error, "cannot start the vault's thread");
	}
	if (status != STATUS_OK)
		writer_close(writer);
	return status;
}

void writer_close(struct writer *writer)
{
	if (writer->started) {
		pthread_mutex_lock(&writer->lock);
		writer->stopping = true;
		pthread_cond_signal(&writer->wake);
		pthread_mutex_unlock(&writer->lock);
		pthread_join(writer->thread, NULL);
	}
	/* After a failure the files stay for the next open to judge. */
	append_file_done(&writer->persons, writer->started && !writer->failed);
	append_file_done(&writer->keys, writer->started && !writer->failed);
	VECTOR_DONE(&writer->waiters);
	VECTOR_DONE(&writer->writing_waiters);
	buffer_done(&writer->entry);
	pthread_cond_destroy(&writer->wake);
	pthread_mutex_destroy(&writer->lock);
}

static enum status reserve(struct writer *writer, uint64_t persons_bytes, uint64_t keys_bytes,
                           struct error *err)
{
	if (writer->failed) {
		if (err)
			*err = writer->failure;
		return STATUS_FAILED;
	}
	if (writer->persons.gathering.bytes.length + writer->persons.reserved + persons_bytes >
	    WRITER_GATHERED_BYTES_MAX)
		return error_set(err, STATUS_UNAVAILABLE, "too many new persons wait for the disk");
	if (append_file_end(&writer->persons) + writer->persons.reserved + persons_bytes >
	        PERSONS_LOG_BYTES_MAX ||
	    append_file_end(&writer->keys) + writer->keys.reserved + keys_bytes > KEYS_LOG_BYTES_MAX)
		return error_set(err, STATUS_INTERNAL, "the vault has as many persons as it can hold");
	enum status status = append_file_reserve(&writer->persons, persons_bytes, err);
	if (status != STATUS_OK)
		return status;
	status = append_file_reserve(&writer->keys, keys_bytes, err);
	if (status != STATUS_OK)
		append_file_release(&writer->persons, persons_bytes);
	return status;
}

enum status writer_reserve(struct writer *writer, uint64_t persons_bytes, uint64_t key_count,
                           struct writer_space *space, struct error *err)
{
	uint64_t keys_bytes = key_count * KEY_ENTRY_BYTES;
	pthread_mutex_lock(&writer->lock);
	enum status status = reserve(writer, persons_bytes, keys_bytes, err);
	pthread_mutex_unlock(&writer->lock);
	if (status == STATUS_OK) {
		space->persons_bytes += persons_bytes;
		space->keys_bytes += keys_bytes;
	}
	return status;
}

void writer_release(struct writer *writer, struct writer_space *space)
{
	pthread_mutex_lock(&writer->lock);
	append_file_release(&writer->persons, space->persons_bytes);
	append_file_release(&writer->keys, space->keys_bytes);
	pthread_mutex_unlock(&writer->lock);
	*space = (struct writer_space){0};
}

uint64_t writer_begin(struct writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	if (!writer->failed)
		return writer->group;
	pthread_mutex_unlock(&writer->lock);
	return 0;
}

void writer_end(struct writer *writer) { pthread_mutex_unlock(&writer->lock); }

uint64_t writer_add_key(struct writer *writer, struct writer_space *space, struct key_entry *entry)
{
	uint64_t at = append_file_end(&writer->keys) / KEY_ENTRY_BYTES;
	key_entry_finish(entry, at);
	append_file_add(&writer->keys, entry, sizeof *entry);
	assert(space->keys_bytes >= sizeof *entry);
	space->keys_bytes -= sizeof *entry;
	return at;
}

uint64_t writer_add_entry(struct writer *writer, struct writer_space *space,
                          const struct persons_entry *entry)
{
	static const char header[RUN_HEADER_BYTES];
	uint64_t          before = append_file_end(&writer->persons);
	if (writer->persons.gathering.bytes.length == 0)
		append_file_add(&writer->persons, header, sizeof header);

	buffer_clear(&writer->entry);
	persons_entry_encode(entry, &writer->entry);
	uint64_t offset = append_file_add(&writer->persons, writer->entry.data, writer->entry.length);

	uint64_t used = append_file_end(&writer->persons) - before;
	assert(space->persons_bytes >= used);
	space->persons_bytes -= used;
	atomic_store_explicit(&writer->added, writer->group, memory_order_release);
	return offset;
}

void writer_kick(struct writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	if (!writer->kicked) {
		writer->kicked = true;
		pthread_cond_signal(&writer->wake);
	}
	pthread_mutex_unlock(&writer->lock);
}

/* Whether it is settled already what becomes of the group; else the caller waits for it. */
static bool settled(struct writer *writer, uint64_t group, const struct writer_waiter *waiter,
                    enum status *ret_status, struct error *ret_failure)
{
	bool done = true;
	pthread_mutex_lock(&writer->lock);
	if (group <= writer_durable(writer)) {
		*ret_status = STATUS_OK;
	} else if (writer->failed) {
		*ret_status  = STATUS_FAILED;
		*ret_failure = writer->failure;
	} else {
		assert(group <= writer->group);
		done = false;
		if (group == writer->group)
			VECTOR_ADD(&writer->waiters, *waiter);
		else
			VECTOR_ADD(&writer->writing_waiters, *waiter);
	}
	pthread_mutex_unlock(&writer->lock);
	return done;
}

void writer_when_durable(struct writer *writer, uint64_t group, vault_durable_fn *durable,
                         void *context)
{
	if (group <= writer_durable(writer)) {
		durable(context, STATUS_OK, NULL);
		return;
	}
	enum status  status = STATUS_OK;
	struct error failure;
	if (settled(writer, group, &(struct writer_waiter){durable, context}, &status, &failure))
		durable(context, status, status == STATUS_OK ? NULL : &failure);
}

static void call_back(const writer_waiters *waiters, enum status status, const struct error *err)
{
	for (size_t i = 0; i < waiters->count; i++)
		waiters->items[i].durable(waiters->items[i].context, status,
		                          status == STATUS_OK ? NULL : err);
}

/* Waits until a group has gathered and somebody wants it written; false: stopping, nothing is
 * left. */
static bool take_group(struct writer *writer, uint64_t *ret_group)
{
	pthread_mutex_lock(&writer->lock);
	while (!writer->stopping && (!writer->kicked || writer->persons.gathering.bytes.length == 0)) {
		writer->kicked = false; /* for nothing: what it was for is in the group before */
		pthread_cond_wait(&writer->wake, &writer->lock);
	}
	bool any = writer->persons.gathering.bytes.length > 0;
	if (any) {
		writer->kicked = false;
		append_file_take(&writer->keys);
		append_file_take(&writer->persons);
		*ret_group              = writer->group++;
		writer->writing_waiters = writer->waiters; /* those before were called */
		writer->waiters         = (writer_waiters){0};
	}
	pthread_mutex_unlock(&writer->lock);
	return any;
}

static void finish_run(struct writer *writer, uint64_t group)
{
	struct append_part *part     = &writer->persons.writing;
	uint64_t            keys_end = writer->keys.writing.base + writer->keys.writing.bytes.length;
	persons_run_finish(part->bytes.data, part->bytes.length, group, keys_end / KEY_ENTRY_BYTES);
}

/* No lock: nobody else changes what is being written. */
static enum status write_group(struct writer *writer, uint64_t group, struct error *err)
{
	finish_run(writer, group);
	const struct append_part *part   = &writer->persons.writing;
	enum status               status = append_file_write(&writer->keys, true, err);
	if (status == STATUS_OK)
		status = append_file_write(&writer->persons, true, err);
	if (status == STATUS_OK) /* before anybody hears of it */
		atomic_store_explicit(&writer->durable_bytes, part->base + part->bytes.length,
		                      memory_order_release);
	return status;
}

/* Preallocates before the space is needed, so that callers need not. A full disk is theirs to
 * meet. */
static void allocate_ahead(struct writer *writer, struct append_file *file)
{
	pthread_mutex_lock(&writer->lock);
	uint64_t begin = file->allocated;
	uint64_t end   = append_file_ahead(file);
	pthread_mutex_unlock(&writer->lock);
	if (end <= begin || file->system->allocate(file->fd, begin, end - begin) != 0)
		return;
	pthread_mutex_lock(&writer->lock);
	if (file->allocated < end)
		file->allocated = end;
	pthread_mutex_unlock(&writer->lock);
}

/* An empty run, for when nothing gathers; false: something does, or no space is left. */
static bool take_mark(struct writer *writer, uint64_t *ret_group)
{
	static const char header[RUN_HEADER_BYTES];
	pthread_mutex_lock(&writer->lock);
	bool take = writer->persons.gathering.bytes.length == 0 &&
	            append_file_reserve(&writer->persons, sizeof header, NULL) == STATUS_OK;
	if (take) {
		append_file_add(&writer->persons, header, sizeof header);
		append_file_take(&writer->persons);
		*ret_group = writer->group++;
		/* Nobody waits for it: it has no entries. */
		atomic_store_explicit(&writer->durable, *ret_group, memory_order_release);
	}
	pthread_mutex_unlock(&writer->lock);
	return take;
}

/* Behind the last group, when it is durable, so that damage to it cannot pass for a torn tail.
 * It is not synced, nothing depends on it. */
static enum status write_mark(struct writer *writer, struct error *err)
{
	uint64_t group = 0;
	if (!take_mark(writer, &group))
		return STATUS_OK;
	finish_run(writer, group);
	return append_file_write(&writer->persons, false, err);
}

/* The group is durable: those who waited for it hear of it. */
static void finish_group(struct writer *writer, uint64_t group)
{
	pthread_mutex_lock(&writer->lock);
	atomic_store_explicit(&writer->durable, group, memory_order_release);
	writer_waiters waiters  = writer->writing_waiters;
	writer->writing_waiters = (writer_waiters){0};
	pthread_mutex_unlock(&writer->lock);
	call_back(&waiters, STATUS_OK, NULL);
	VECTOR_DONE(&waiters);
}

/* Everybody who waits now or will wait hears of the failure. */
static void fail(struct writer *writer, const struct error *err)
{
	pthread_mutex_lock(&writer->lock);
	if (!writer->failed)
		writer->failure = *err;
	writer->failed         = true;
	writer->failure.status = STATUS_FAILED;
	writer->failure.fatal  = true;
	writer_waiters first   = writer->writing_waiters;
	writer_waiters second  = writer->waiters;
	writer->waiters = writer->writing_waiters = (writer_waiters){0};
	pthread_mutex_unlock(&writer->lock);
	call_back(&first, STATUS_FAILED, &writer->failure);
	call_back(&second, STATUS_FAILED, &writer->failure);
	VECTOR_DONE(&first);
	VECTOR_DONE(&second);
}

static void *run(void *argument)
{
	struct writer *writer = argument;
	uint64_t       group  = 0;
	while (take_group(writer, &group)) {
		struct error err    = {0};
		enum status  status = write_group(writer, group, &err);
		if (status == STATUS_OK) {
			finish_group(writer, group);
			status = write_mark(writer, &err);
		}
		if (status != STATUS_OK) {
			fail(writer, &err);
			break;
		}
		allocate_ahead(writer, &writer->persons);
		allocate_ahead(writer, &writer->keys);
	}
	return NULL;
}

/* Somebody who sleeps until a group is durable. */
struct settling {
	pthread_mutex_t lock;
	pthread_cond_t  wake;
	bool            done;
	enum status     status;
	struct error    failure;
};

static void settled_now(void *context, enum status status, const struct error *err)
{
	struct settling *settling = context;
	pthread_mutex_lock(&settling->lock);
	settling->done   = true;
	settling->status = status;
	if (err != NULL)
		settling->failure = *err;
	pthread_cond_signal(&settling->wake);
	pthread_mutex_unlock(&settling->lock);
}

enum status writer_settle(struct writer *writer, struct error *err)
{
	struct settling settling = {.lock = PTHREAD_MUTEX_INITIALIZER,
	                            .wake = PTHREAD_COND_INITIALIZER};
	writer_kick(writer);
	writer_when_durable(writer, atomic_load_explicit(&writer->added, memory_order_acquire),
	                    settled_now, &settling);
	pthread_mutex_lock(&settling.lock);
	while (!settling.done)
		pthread_cond_wait(&settling.wake, &settling.lock);
	pthread_mutex_unlock(&settling.lock);
	pthread_cond_destroy(&settling.wake);
	pthread_mutex_destroy(&settling.lock);
	if (settling.status != STATUS_OK && err != NULL)
		*err = settling.failure;
	return settling.status;
}

static enum status replace_keys(struct append_file *file, struct writer_key *keys, size_t count,
                                struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		key_entry_finish(&keys[i].entry, keys[i].at);
		int64_t written;
		do
			written = file->system->write(file->fd, &keys[i].entry, KEY_ENTRY_BYTES,
			                              keys[i].at * KEY_ENTRY_BYTES);
		while (written < 0 && errno == EINTR);
		if (written != KEY_ENTRY_BYTES)
			return file_error(err, written < 0 ? errno : EIO, "write", file->path);
	}
	if (file->system->sync(file->fd) != 0)
		return file_error(err, errno, "sync", file->path);
	return STATUS_OK;
}

enum status writer_replace_keys(struct writer *writer, struct writer_key *keys, size_t count,
                                struct error *err)
{
	if (writer_failed(writer))
		return writer_failure(writer, err);
	struct error failure = {0};
	enum status  status  = replace_keys(&writer->keys, keys, count, &failure);
	if (status == STATUS_OK) {
		/* The last group stays in memory, and is read from there, until the next one comes. */
		pthread_mutex_lock(&writer->lock);
		for (size_t i = 0; i < count; i++)
			append_file_overwrite(&writer->keys, keys[i].at * KEY_ENTRY_BYTES, &keys[i].entry,
			                      KEY_ENTRY_BYTES);
		pthread_mutex_unlock(&writer->lock);
		return STATUS_OK;
	}
	fail(writer, &failure);
	return writer_failure(writer, err);
}

enum status writer_failure(struct writer *writer, struct error *err)
{
	/* Set once, before anybody could learn that it failed. */
	pthread_mutex_lock(&writer->lock);
	assert(writer->failed);
	if (err)
		*err = writer->failure;
	pthread_mutex_unlock(&writer->lock);
	return STATUS_FAILED;
}

bool writer_failed(struct writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	bool failed = writer->failed;
	pthread_mutex_unlock(&writer->lock);
	return failed;
}

enum status writer_read_key(struct writer *writer, uint64_t at, struct key_entry *ret_entry,
                            struct error *err)
{
	return append_file_read(&writer->keys, &writer->lock, at * KEY_ENTRY_BYTES, ret_entry,
	                        sizeof *ret_entry, err);
}

enum status writer_read_person(struct writer *writer, uint64_t offset, void *into, size_t length,
                               struct error *err)
{
	return append_file_read(&writer->persons, &writer->lock, offset, into, length, err);
}
