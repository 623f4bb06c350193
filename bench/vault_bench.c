/* What the vault costs: `vault_bench [PERSONS [DIRECTORY]]`, 5,000,000 persons in /tmp by default.
 * Prints the cost of an id that is new (processor time of all threads, and elapsed until durable),
 * of a known id in batches of 100 and alone, of sealing and opening 100 bytes, of opening the
 * vault, and the memory. */

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "vault/vault.h"

enum { BATCH = 100, LOOK_UPS = 5000000, SEALS = 1000000, NAME_BYTES = 24 };

static struct vault *vault;
static struct error  err;

static void must(enum status status)
{
	if (status == STATUS_OK)
		return;
	fprintf(stderr, "vault_bench: %s: %s\n", status_code(status), err.reason);
	exit(1);
}

static int64_t cpu_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Of this thread alone: what else runs on the machine does not count, but for its use of caches. */
static int64_t thread_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static uint64_t random_state = 88172645463325252u;

static uint64_t random_next(void) /* xorshift64: cheap beside what is measured */
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

struct batch {
	char            names[BATCH][NAME_BYTES];
	struct vault_id ids[BATCH];
	struct person   persons[BATCH];
	uint64_t        sequence;
};

static void name_id(struct batch *batch, int i, uint64_t number)
{
	int length =
		snprintf(batch->names[i], NAME_BYTES, "customer-%010llu", (unsigned long long)number);
	batch->ids[i] = (struct vault_id){VAULT_USER, {batch->names[i], (size_t)length}};
}

static void resolve(struct batch *batch, size_t count, bool create)
{
	must(vault_resolve(vault, batch->ids, count, create, batch->persons, NULL, &batch->sequence,
	                   &err));
}

static pthread_mutex_t lock    = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t  changed = PTHREAD_COND_INITIALIZER;

static void durable(void *context, enum status status, const struct error *error)
{
	(void)error;
	must(status);
	pthread_mutex_lock(&lock);
	*(bool *)context = true;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
}

static void wait_durable(uint64_t sequence)
{
	bool done = false;
	vault_when_durable(vault, sequence, durable, &done);
	pthread_mutex_lock(&lock);
	while (!done)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void create_persons(uint64_t count)
{
	static struct batch batch;
	uint64_t            window = 0;
	int64_t             begin = clock_monotonic_ns(), cpu = cpu_ns(), names = 0;
	for (uint64_t n = 0; n < count; n += BATCH) {
		int64_t before = cpu_ns();
		for (int i = 0; i < BATCH; i++)
			name_id(&batch, i, n + (uint64_t)i);
		names += cpu_ns() - before;
		resolve(&batch, BATCH, true);
		/* As ingest does: some thousands under way, not all at once. */
		if (++window % 1000 == 0)
			wait_durable(batch.sequence);
	}
	wait_durable(batch.sequence);
	double persons = (double)count;
	printf("new person           %8.0f ns of processor time, %.0f ns elapsed, durable\n",
	       (double)(cpu_ns() - cpu - names) / persons,
	       (double)(clock_monotonic_ns() - begin) / persons);
}

/* Random known ids; `batch_count` of them at a time. */
static void look_up(uint64_t count, size_t batch_count)
{
	enum { BATCHES = 20 }; /* in the cache, as those of a request that was just parsed */
	static struct batch batches[BATCHES];
	int64_t             spent = 0;
	uint64_t            done  = 0;
	while (done < LOOK_UPS) {
		for (int b = 0; b < BATCHES; b++)
			for (size_t i = 0; i < batch_count; i++)
				name_id(&batches[b], (int)i, random_next() % count);
		int64_t begin = thread_ns();
		for (int b = 0; b < BATCHES; b++)
			resolve(&batches[b], batch_count, false);
		spent += thread_ns() - begin;
		done += BATCHES * batch_count;
	}
	printf("known id, %3zu a batch %8.1f ns\n", batch_count, (double)spent / (double)done);
}

/* One new person in batches of one: what a lone request waits for. */
static void create_alone(uint64_t from)
{
	static struct batch batch;
	enum { COUNT = 500 };
	int64_t begin = clock_monotonic_ns();
	for (uint64_t n = 0; n < COUNT; n++) {
		name_id(&batch, 0, from + n);
		resolve(&batch, 1, true);
		wait_durable(batch.sequence);
	}
	printf("new person alone     %8.0f ns until durable\n",
	       (double)(clock_monotonic_ns() - begin) / COUNT);
}

/* `spread` persons in turn: few stay in the cache of keys, all of them do not. */
static void seal(uint64_t spread, uint64_t seals, const char *label)
{
	static struct batch   batch;
	static struct person *persons;
	static char           plain[100];
	struct buffer         sealed = {0}, opened = {0};
	persons = realloc(persons, spread * sizeof *persons);
	assert(persons);
	for (uint64_t n = 0; n < spread; n += BATCH) {
		for (int i = 0; i < BATCH; i++)
			name_id(&batch, i, n + (uint64_t)i);
		resolve(&batch, BATCH, false);
		memcpy(persons + n, batch.persons, sizeof batch.persons);
	}
	int64_t begin = thread_ns();
	for (uint64_t n = 0; n < seals; n++) {
		buffer_clear(&sealed);
		must(vault_seal(vault, persons[n % spread], TEXT("record"),
		                (struct text){plain, sizeof plain}, &sealed, &err));
	}
	double        seal_ns = (double)(thread_ns() - begin) / (double)seals;
	struct person owner   = persons[(seals - 1) % spread];
	begin                 = thread_ns();
	for (uint64_t n = 0; n < seals; n++) {
		buffer_clear(&opened);
		must(vault_unseal(vault, owner, TEXT("record"), buffer_text(&sealed), &opened, &err));
	}
	printf("seal 100 bytes       %8.0f ns, open one %.0f ns (%s)\n", seal_ns,
	       (double)(thread_ns() - begin) / (double)seals, label);
	buffer_done(&sealed);
	buffer_done(&opened);
}

static void name_external_ids(uint64_t count)
{
	static struct batch batch;
	struct arena        arena;
	enum { COUNT = 100000 };
	int64_t spent = 0;
	arena_init(&arena);
	for (int n = 0; n < COUNT; n += BATCH) {
		for (int i = 0; i < BATCH; i++)
			name_id(&batch, i, random_next() % count);
		resolve(&batch, BATCH, false);
		int64_t         begin = thread_ns();
		struct vault_id id;
		for (int i = 0; i < BATCH; i++)
			must(vault_external_id(vault, batch.persons[i], &arena, &id, &err));
		spent += thread_ns() - begin;
		arena_reset(&arena);
	}
	printf("external id          %8.0f ns (at random)\n", (double)spent / COUNT);
	arena_done(&arena);
}

static void open_vault(const char *directory)
{
	char data[128], keyring[128];
	snprintf(data, sizeof data, "%s/data", directory);
	snprintf(keyring, sizeof keyring, "%s/keys", directory);
	struct vault_config config = {.directory         = data,
	                              .keyring_directory = keyring,
	                              .partition_count   = 16,
	                              .workspace_id      = {1}};
	must(vault_open(&config, &vault, &err));
}

static void print_status(void)
{
	struct vault_status status;
	vault_status(vault, &status);
	printf("memory               %8.1f bytes a person, %.0f MiB in all\n",
	       (double)status.memory_bytes / (double)status.persons,
	       (double)status.memory_bytes / (1 << 20));
}

static void remove_all(const char *directory)
{
	const char *const names[] = {
		"data/persons.log", "keys/keys.log", "keys/master.key", "data", "keys", ""};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[160];
		snprintf(path, sizeof path, "%s/%s", directory, names[i]);
		if (remove(path) != 0)
			fprintf(stderr, "cannot remove %s\n", path);
	}
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 5000000;
	char     directory[128];
	snprintf(directory, sizeof directory, "%s/vault-bench-XXXXXX", argc > 2 ? argv[2] : "/tmp");
	if (count < 100000 || !mkdtemp(directory)) {
		fprintf(stderr, "usage: vault_bench [PERSONS, at least 100000 [DIRECTORY]]\n");
		return 2;
	}
	open_vault(directory);
	create_persons(count);
	create_alone(count);
	look_up(count, BATCH);
	look_up(count, 10);
	look_up(count, 1);
	seal(10000, SEALS, "keys in the cache");
	seal(count / BATCH * BATCH, SEALS / 4, "keys of all in turn, most from the file");
	name_external_ids(count);
	print_status();

	int64_t begin = clock_monotonic_ns();
	vault_close(vault);
	printf("close                %8.2f s\n", (double)(clock_monotonic_ns() - begin) / 1e9);
	begin = clock_monotonic_ns();
	open_vault(directory);
	printf("open                 %8.2f s\n", (double)(clock_monotonic_ns() - begin) / 1e9);
	print_status();
	vault_close(vault);
	remove_all(directory);
	return 0;
}
