#include "vault/vault_subjects.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "vault/subjects.h"
#include "vault/vault_internal.h"

enum { SIEVE_BITS = 20, WINDOW_ENTRIES = 4096 };

/* An entry of the file. */
struct entry {
	uint8_t mark;
	uint8_t namespace; /* 0: noted before it was; the id counts by itself */
	uint8_t        reserved[6];
	int64_t        at_ms;
	struct id_hash hash;
	uint8_t        request[VAULT_REQUEST_BYTES];
	uint64_t       zero;
	uint64_t       checksum; /* of the bytes before it, seeded with the entry's offset */
};
_Static_assert(sizeof(struct entry) == 64, "as in docs/formats/vault.md");

struct subjects {
	char                *path;
	int                  fd;
	pthread_mutex_t      writing; /* of the file's end */
	uint64_t             end;
	bool                 failed;     /* nobody knows what is on the disk */
	pthread_rwlock_t     lock;       /* of the set */
	struct map_u64       suppressed; /* first word of the hash → second, or 1 where that is 0 */
	struct map_u64       persons;    /* users whose ids are among them: person numbers */
	atomic_uint_fast64_t person_count;
	atomic_uint_fast64_t count;
	atomic_uint_fast64_t sieve[(1 << SIEVE_BITS) / 64];
};

static uint64_t checksum(const struct entry *entry, uint64_t offset)
{
	return hash_bytes_seeded(entry, offsetof(struct entry, checksum), offset);
}

static uint64_t second_of(struct id_hash hash) { return hash.second == 0 ? 1 : hash.second; }

static size_t sieve_bit(struct id_hash hash) { return hash.second >> (64 - SIEVE_BITS); }

/* The lock is held for writing, or nobody else knows of it. */
static void take_in(struct subjects *subjects, const struct entry *entry)
{
	size_t bit = sieve_bit(entry->hash);
	if (entry->mark == VAULT_SUPPRESSED) {
		*map_u64_put(&subjects->suppressed, entry->hash.first) = second_of(entry->hash);
		atomic_fetch_or_explicit(&subjects->sieve[bit / 64], UINT64_C(1) << bit % 64,
		                         memory_order_relaxed);
	} else if (entry->mark == VAULT_RELEASED) {
		map_u64_remove(&subjects->suppressed, entry->hash.first);
	}
	atomic_store_explicit(&subjects->count, subjects->suppressed.count, memory_order_release);
}

typedef void entry_fn(void *context, const struct entry *entry);

/* `*ret_end`: behind the last good entry. */
static enum status scan(int fd, const char *path, entry_fn *call, void *context, uint64_t *ret_end,
                        uint64_t *ret_size, struct error *err)
{
	struct stat info;
	if (fstat(fd, &info) != 0)
		return file_error(err, errno, "look at", path);
	*ret_size            = (uint64_t)info.st_size;
	struct entry *window = calloc(WINDOW_ENTRIES, sizeof *window);
	if (window == NULL)
		abort();
	enum status status = STATUS_OK;
	bool        good   = true;
	uint64_t    at     = 0;
	while (good && status == STATUS_OK && at + sizeof *window <= *ret_size) {
		uint64_t left  = (*ret_size - at) / sizeof *window;
		size_t   count = left < WINDOW_ENTRIES ? (size_t)left : WINDOW_ENTRIES;
		status         = file_read_at(fd, window, count * sizeof *window, at, path, err);
		for (size_t i = 0; i < count && status == STATUS_OK && good; i++) {
			good = window[i].checksum == checksum(&window[i], at);
			if (good) {
				call(context, &window[i]);
				at += sizeof *window;
			}
		}
	}
	free(window);
	*ret_end = at;
	return status;
}

static void load_entry(void *context, const struct entry *entry) { take_in(context, entry); }

/* Only the end can be torn: each append is synced before the next begins. */
static enum status cut_tail(struct subjects *subjects, uint64_t size, struct error *err)
{
	if (size - subjects->end >= 2 * (uint64_t)WINDOW_ENTRIES * sizeof(struct entry))
		return error_set(err, STATUS_CORRUPT, "%s: bad entry at offset %" PRIu64, subjects->path,
		                 subjects->end);
	if (size == subjects->end)
		return STATUS_OK;
	log_line(LOG_WARNING, "a torn tail is cut", LOG_STRING("file", subjects->path),
	         LOG_NUMBER("offset", subjects->end));
	return ftruncate(subjects->fd, (off_t)subjects->end) == 0
	           ? STATUS_OK
	           : file_error(err, errno, "cut", subjects->path);
}

enum status subjects_open(const char *directory, struct subjects **ret_subjects, struct error *err)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof path, "%s/subjects.log", directory) >= (int)sizeof path)
		return file_error(err, ENAMETOOLONG, "open", directory);
	struct subjects *subjects = calloc(1, sizeof *subjects);
	if (subjects == NULL || (subjects->path = strdup(path)) == NULL)
		abort();
	pthread_mutex_init(&subjects->writing, NULL);
	pthread_rwlock_init(&subjects->lock, NULL);
	uint64_t    size   = 0;
	enum status status = STATUS_OK;
	subjects->fd       = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (subjects->fd < 0)
		status = file_error(err, errno, "open", path);
	else if ((status = directory_sync(directory, err)) == STATUS_OK)
		status = scan(subjects->fd, path, load_entry, subjects, &subjects->end, &size, err);
	if (status == STATUS_OK)
		status = cut_tail(subjects, size, err);
	if (status == STATUS_OK)
		*ret_subjects = subjects;
	else
		subjects_close(subjects);
	return status;
}

void subjects_close(struct subjects *subjects)
{
	if (subjects == NULL)
		return;
	if (subjects->fd >= 0)
		close(subjects->fd);
	map_u64_done(&subjects->suppressed);
	map_u64_done(&subjects->persons);
	pthread_mutex_destroy(&subjects->writing);
	pthread_rwlock_destroy(&subjects->lock);
	free(subjects->path);
	free(subjects);
}

static struct id_hash hash_of(struct vault *vault, struct vault_id id)
{
	return keyring_hash(vault->keyring, (uint8_t)id.namespace, id.id);
}

/* ---- Users who are known ----
 * Either who notes an id finds its user in the index, or who makes the user finds the id noted:
 * each first adds and then looks. */

static void set_person(struct subjects *subjects, struct person person, bool suppressed)
{
	pthread_rwlock_wrlock(&subjects->lock);
	if (suppressed)
		*map_u64_put(&subjects->persons, person_number(person)) = 1;
	else
		map_u64_remove(&subjects->persons, person_number(person));
	atomic_store_explicit(&subjects->person_count, subjects->persons.count, memory_order_release);
	pthread_rwlock_unlock(&subjects->lock);
}

static void take_in_person(void *context, const struct entry *entry)
{
	struct vault *vault = context;
	if (entry->namespace != VAULT_USER || entry->mark == VAULT_ERASED)
		return;
	struct id_shard *shard = id_index_shard(&vault->index, entry->hash);
	pthread_mutex_lock(&shard->lock);
	const uint64_t *mapping = id_shard_find(shard, entry->hash);
	if (mapping != NULL)
		set_person(vault->subjects, mapping_person(*mapping), entry->mark == VAULT_SUPPRESSED);
	pthread_mutex_unlock(&shard->lock);
}

enum status subjects_find_persons(struct vault *vault, struct error *err)
{
	uint64_t end, size;
	return scan(vault->subjects->fd, vault->subjects->path, take_in_person, vault, &end, &size,
	            err);
}

static bool has_hash(struct subjects *subjects, struct id_hash hash)
{
	size_t   bit = sieve_bit(hash);
	uint64_t word =
		atomic_load_explicit(&subjects->sieve[bit / 64], memory_order_relaxed) >> bit % 64;
	if ((word & 1) == 0)
		return false;
	pthread_rwlock_rdlock(&subjects->lock);
	const uint64_t *found = map_u64_find(&subjects->suppressed, hash.first);
	bool            has   = found != NULL && *found == second_of(hash);
	pthread_rwlock_unlock(&subjects->lock);
	return has;
}

void subjects_note_user(struct vault *vault, struct id_hash hash, struct person user)
{
	if (vault_suppresses(vault) && has_hash(vault->subjects, hash))
		set_person(vault->subjects, user, true);
}

bool vault_linked_to_suppressed(struct vault *vault, struct text anonymous_id)
{
	struct subjects *subjects = vault->subjects;
	if (anonymous_id.length == 0 || anonymous_id.length > VAULT_ID_BYTES_MAX ||
	    atomic_load_explicit(&subjects->person_count, memory_order_acquire) == 0)
		return false;
	struct id_hash   hash  = keyring_hash(vault->keyring, VAULT_ANONYMOUS, anonymous_id);
	struct id_shard *shard = id_index_shard(&vault->index, hash);
	pthread_mutex_lock(&shard->lock);
	const uint64_t *found   = id_shard_find(shard, hash);
	uint64_t        mapping = found == NULL ? 0 : *found;
	pthread_mutex_unlock(&shard->lock);
	if (!mapping_identified(mapping))
		return false;
	pthread_rwlock_rdlock(&subjects->lock);
	bool suppressed =
		map_u64_find(&subjects->persons, person_number(mapping_person(mapping))) != NULL;
	pthread_rwlock_unlock(&subjects->lock);
	return suppressed;
}

/* ---- Noting and asking ---- */

enum status vault_note_subjects(struct vault *vault, const struct vault_note *notes, size_t count,
                                struct error *err)
{
	struct subjects *subjects = vault->subjects;
	struct entry    *entries  = calloc(count + 1, sizeof *entries);
	if (entries == NULL)
		abort();
	pthread_mutex_lock(&subjects->writing);
	enum status status = STATUS_OK;
	if (subjects->failed)
		status = error_set(err, STATUS_FAILED, "%s: a write has failed before", subjects->path);
	for (size_t i = 0; i < count; i++) {
		entries[i] = (struct entry){.mark      = (uint8_t)notes[i].mark,
		                            .namespace = (uint8_t)notes[i].id.namespace,
		                            .at_ms     = notes[i].at_ms,
		                            .hash      = hash_of(vault, notes[i].id)};
		memcpy(entries[i].request, notes[i].request, VAULT_REQUEST_BYTES);
		entries[i].checksum = checksum(&entries[i], subjects->end + i * sizeof *entries);
	}
	if (status == STATUS_OK)
		status = file_write_at(subjects->fd, entries, count * sizeof *entries, subjects->end,
		                       subjects->path, err);
	if (status == STATUS_OK && fdatasync(subjects->fd) != 0) {
		subjects->failed = true;
		status           = file_error(err, errno, "sync", subjects->path);
	}
	if (status == STATUS_OK) {
		subjects->end += count * sizeof *entries;
		pthread_rwlock_wrlock(&subjects->lock);
		for (size_t i = 0; i < count; i++)
			take_in(subjects, &entries[i]);
		pthread_rwlock_unlock(&subjects->lock);
		for (size_t i = 0; i < count; i++)
			take_in_person(vault, &entries[i]);
	}
	pthread_mutex_unlock(&subjects->writing);
	free(entries);
	return status;
}

bool vault_suppresses(struct vault *vault) { return vault_suppressed_count(vault) > 0; }

uint64_t vault_suppressed_count(struct vault *vault)
{
	return atomic_load_explicit(&vault->subjects->count, memory_order_acquire);
}

static bool is_suppressed(struct vault *vault, struct vault_id id)
{
	struct subjects *subjects = vault->subjects;
	if (id.id.length == 0 || id.id.length > VAULT_ID_BYTES_MAX)
		return false;
	return has_hash(subjects, hash_of(vault, id));
}

bool vault_any_suppressed(struct vault *vault, const struct vault_id *ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_suppressed(vault, ids[i]))
			return true;
	return false;
}

struct asking {
	struct id_hash  hash;
	vault_noted_fn *call;
	void           *context;
};

static void tell_entry(void *context, const struct entry *entry)
{
	const struct asking *asking = context;
	if (entry->hash.first == asking->hash.first && entry->hash.second == asking->hash.second)
		asking->call(asking->context, (enum vault_mark)entry->mark, entry->at_ms, entry->request);
}

enum status vault_subject_notes(struct vault *vault, struct vault_id id, vault_noted_fn *call,
                                void *context, struct error *err)
{
	struct asking asking = {hash_of(vault, id), call, context};
	uint64_t      end, size;
	return scan(vault->subjects->fd, vault->subjects->path, tell_entry, &asking, &end, &size, err);
}
