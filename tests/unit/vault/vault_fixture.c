#include "vault_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t     faults_lock    = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t      faults_changed = PTHREAD_COND_INITIALIZER;
static struct vault_faults faults;
static unsigned            syncs;
static char                events[32];

void vault_faults_set(struct vault_faults now)
{
	pthread_mutex_lock(&faults_lock);
	faults = now;
	memset(events, 0, sizeof events);
	pthread_cond_broadcast(&faults_changed);
	pthread_mutex_unlock(&faults_lock);
}

unsigned vault_faults_syncs(void)
{
	pthread_mutex_lock(&faults_lock);
	unsigned count = syncs;
	pthread_mutex_unlock(&faults_lock);
	return count;
}

const char *vault_faults_events(void)
{
	static char copy[sizeof events];
	pthread_mutex_lock(&faults_lock);
	memcpy(copy, events, sizeof events);
	pthread_mutex_unlock(&faults_lock);
	return copy;
}

/* The lock is held. */
static void note_event(int fd, char of_keys, char of_persons)
{
	char link[32], path[128];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof path - 1);
	size_t  count  = strlen(events);
	if (length < 0 || count + 1 >= sizeof events)
		return;
	path[length]  = '\0';
	events[count] = strstr(path, "keys.log") ? of_keys : of_persons;
}

static struct vault_faults faults_now(void)
{
	pthread_mutex_lock(&faults_lock);
	struct vault_faults now = faults;
	pthread_mutex_unlock(&faults_lock);
	return now;
}

static int fault_allocate(int fd, uint64_t offset, uint64_t length)
{
	if (faults_now().disk_full)
		return ENOSPC;
	return posix_fallocate(fd, (off_t)offset, (off_t)length);
}

static int64_t fault_write(int fd, const void *data, size_t length, uint64_t offset)
{
	struct vault_faults now = faults_now();
	pthread_mutex_lock(&faults_lock);
	note_event(fd, 'w', 'W');
	pthread_mutex_unlock(&faults_lock);
	if (now.write_fails) {
		errno = EIO;
		return -1;
	}
	if (now.short_writes && length > 7)
		length = 7;
	return pwrite(fd, data, length, (off_t)offset);
}

static int fault_sync(int fd)
{
	pthread_mutex_lock(&faults_lock);
	while (faults.hold_syncs)
		pthread_cond_wait(&faults_changed, &faults_lock);
	bool fails = faults.sync_fails;
	syncs++;
	note_event(fd, 's', 'S');
	pthread_mutex_unlock(&faults_lock);
	if (fails) {
		errno = EIO;
		return -1;
	}
	return fdatasync(fd);
}

static const struct vault_system fault_system = {
	.allocate = fault_allocate,
	.write    = fault_write,
	.sync     = fault_sync,
};

int vault_fixture_new(void **state)
{
	struct vault_fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	vault_faults_set((struct vault_faults){0});
	snprintf(f->directory, sizeof f->directory, "/tmp/sonnim-vault-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->data, sizeof f->data, "%s/data", f->directory);
	snprintf(f->keyring, sizeof f->keyring, "%s/keys", f->directory);
	f->config = (struct vault_config){.directory         = f->data,
	                                  .keyring_directory = f->keyring,
	                                  .partition_count   = 4,
	                                  .workspace_id      = {1, 2, 3},
	                                  .system            = &fault_system};
	arena_init(&f->arena);
	assert_ok(f, vault_fixture_open(f));
	*state = f;
	return 0;
}

int vault_fixture_free(void **state)
{
	struct vault_fixture *f = *state;
	vault_faults_set((struct vault_faults){0});
	vault_fixture_close(f);
	arena_done(&f->arena);
	const char *const names[] = {"data/persons.log", "keys/master.key", "keys/keys.log"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unlink(vault_fixture_path(f, names[i]));
	rmdir(f->data);
	rmdir(f->keyring);
	rmdir(f->directory);
	free(f);
	return 0;
}

void vault_fixture_close(struct vault_fixture *f)
{
	if (f->vault)
		vault_close(f->vault);
	f->vault = NULL;
}

enum status vault_fixture_open(struct vault_fixture *f)
{
	return vault_open(&f->config, &f->vault, &f->err);
}

void vault_fixture_reopen(struct vault_fixture *f)
{
	vault_fixture_close(f);
	assert_ok(f, vault_fixture_open(f));
}

const char *vault_fixture_path(struct vault_fixture *f, const char *name)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s", f->directory, name);
	return path;
}

uint8_t *vault_fixture_read(struct vault_fixture *f, const char *name, size_t *ret_length)
{
	FILE *file = fopen(vault_fixture_path(f, name), "rb");
	assert_non_null(file);
	struct stat info;
	assert_int_equal(fstat(fileno(file), &info), 0);
	*ret_length   = (size_t)info.st_size;
	uint8_t *data = malloc(*ret_length + 1);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, *ret_length, file), *ret_length);
	fclose(file);
	return data;
}

void vault_fixture_write(struct vault_fixture *f, const char *name, const void *data, size_t length)
{
	FILE *file = fopen(vault_fixture_path(f, name), "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t  done_changed;
	bool            done;
	enum status     status;
};

static void done(void *context, enum status status, const struct error *err)
{
	(void)err;
	struct waiting *waiting = context;
	pthread_mutex_lock(&waiting->lock);
	waiting->status = status;
	waiting->done   = true;
	pthread_cond_signal(&waiting->done_changed);
	pthread_mutex_unlock(&waiting->lock);
}

void vault_wait(struct vault *vault, uint64_t sequence)
{
	struct waiting waiting = {.lock         = PTHREAD_MUTEX_INITIALIZER,
	                          .done_changed = PTHREAD_COND_INITIALIZER};
	vault_when_durable(vault, sequence, done, &waiting);
	pthread_mutex_lock(&waiting.lock);
	while (!waiting.done)
		pthread_cond_wait(&waiting.done_changed, &waiting.lock);
	pthread_mutex_unlock(&waiting.lock);
	assert_int_equal(waiting.status, STATUS_OK);
}

static struct person resolve_one(struct vault_fixture *f, enum vault_namespace namespace,
                                 const char *id, bool create)
{
	struct vault_id wanted = {namespace, text_of(id)};
	struct person   person = {0};
	uint64_t        sequence;
	assert_ok(f, vault_resolve(f->vault, &wanted, 1, create, &person, NULL, &sequence, &f->err));
	vault_wait(f->vault, sequence);
	return person;
}

struct person vault_user(struct vault_fixture *f, const char *id)
{
	return resolve_one(f, VAULT_USER, id, true);
}

struct person vault_visitor(struct vault_fixture *f, const char *id)
{
	return resolve_one(f, VAULT_ANONYMOUS, id, true);
}

struct person vault_look_up(struct vault_fixture *f, enum vault_namespace namespace, const char *id)
{
	return resolve_one(f, namespace, id, false);
}
