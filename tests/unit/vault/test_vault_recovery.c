/* What an open makes of files that were torn, damaged, lost or exchanged, and of a killed
 * process. */

#include "vault_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/log.h"
#include "vault/keys_log.h"
#include "vault/persons_log.h"

#define PERSONS "data/persons.log"
#define KEYS    "keys/keys.log"

/* Both files, after the second and after the third of three users, each in a run of its own. Behind
 * each run lies an empty one. */
struct files {
	struct person users[3];
	uint8_t      *persons;
	uint8_t      *keys;
	size_t        persons_two, persons_three;
	size_t        keys_two, keys_three;
};

static struct files three_users(struct vault_fixture *f)
{
	struct files files;
	files.users[0] = vault_user(f, "first");
	files.users[1] = vault_user(f, "second");
	vault_fixture_close(f);
	free(vault_fixture_read(f, PERSONS, &files.persons_two));
	free(vault_fixture_read(f, KEYS, &files.keys_two));
	assert_ok(f, vault_fixture_open(f));
	files.users[2] = vault_user(f, "third");
	vault_fixture_close(f);
	files.persons = vault_fixture_read(f, PERSONS, &files.persons_three);
	files.keys    = vault_fixture_read(f, KEYS, &files.keys_three);
	return files;
}

/* Where the run of the third user ends. */
static size_t run_end(const struct files *files) { return files->persons_three - RUN_HEADER_BYTES; }

static void free_files(struct files *files)
{
	free(files->persons);
	free(files->keys);
}

static void write_both(struct vault_fixture *f, const struct files *files, size_t persons_length,
                       size_t keys_length)
{
	vault_fixture_write(f, PERSONS, files->persons, persons_length);
	vault_fixture_write(f, KEYS, files->keys, keys_length);
}

/* The first two are there, the third is not, a new one gets a number that nobody had. */
static void check_two_of_three(struct vault_fixture *f, const struct files *files)
{
	assert_ok(f, vault_fixture_open(f));
	assert_true(person_equal(vault_look_up(f, VAULT_USER, "first"), files->users[0]));
	assert_true(person_equal(vault_look_up(f, VAULT_USER, "second"), files->users[1]));
	assert_int_equal(vault_look_up(f, VAULT_USER, "third").slot, SLOT_NONE);
	struct vault_id id;
	assert_ok(f, vault_external_id(f->vault, files->users[1], &f->arena, &id, &f->err));
	assert_true(text_equal(id.id, TEXT("second")));

	struct person fresh = vault_user(f, "fresh");
	for (int i = 0; i < 2; i++)
		assert_false(person_equal(fresh, files->users[i]));
	vault_fixture_reopen(f);
	assert_true(person_equal(vault_look_up(f, VAULT_USER, "first"), files->users[0]));
	assert_true(person_equal(vault_look_up(f, VAULT_USER, "fresh"), fresh));
	vault_fixture_close(f);
}

static void a_torn_run_of_persons_is_cut_wherever_it_is_torn(void **state)
{
	struct vault_fixture *f     = *state;
	struct files          files = three_users(f);
	for (size_t length = files.persons_two; length < run_end(&files); length++) {
		write_both(f, &files, length, files.keys_three);
		check_two_of_three(f, &files);
	}
	free_files(&files);
}

static void a_torn_empty_run_takes_nobody_with_it(void **state)
{
	struct vault_fixture *f     = *state;
	struct files          files = three_users(f);
	for (size_t length = run_end(&files); length < files.persons_three; length++) {
		write_both(f, &files, length, files.keys_three);
		assert_ok(f, vault_fixture_open(f));
		assert_true(person_equal(vault_look_up(f, VAULT_USER, "third"), files.users[2]));
		vault_fixture_close(f);
	}
	free_files(&files);
}

static void a_run_of_persons_with_one_wrong_bit_at_the_end_is_cut(void **state)
{
	struct vault_fixture *f     = *state;
	struct files          files = three_users(f);
	/* As after a crash: the empty run was not written yet. */
	for (size_t at = files.persons_two; at < run_end(&files); at++) {
		files.persons[at] ^= (uint8_t)(1 << at % 8);
		write_both(f, &files, run_end(&files), files.keys_three);
		check_two_of_three(f, &files);
		files.persons[at] ^= (uint8_t)(1 << at % 8);
	}
	free_files(&files);
}

static void a_torn_tail_of_keys_is_cut_wherever_it_is_torn(void **state)
{
	struct vault_fixture *f     = *state;
	struct files          files = three_users(f);
	for (size_t length = files.keys_two; length < files.keys_three; length++) {
		/* Keys are written first: the run of persons is not there yet. */
		write_both(f, &files, files.persons_two, length);
		check_two_of_three(f, &files);
	}
	free_files(&files);
}

static void keys_without_their_persons_are_kept_and_their_slots_not_used_again(void **state)
{
	struct vault_fixture *f     = *state;
	struct files          files = three_users(f);
	write_both(f, &files, files.persons_two, files.keys_three);
	assert_ok(f, vault_fixture_open(f));
	assert_false(person_equal(vault_user(f, "third"), files.users[2]));
	struct vault_id id;
	assert_int_equal(vault_external_id(f->vault, files.users[2], &f->arena, &id, &f->err),
	                 STATUS_NOT_FOUND);
	free_files(&files);
}

static void a_torn_key_before_a_whole_one_is_no_damage_later_on(void **state)
{
	struct vault_fixture *f     = *state;
	struct files          files = three_users(f);
	/* Two keys behind those that are needed; of a torn write the second may be there alone. */
	size_t   length = files.keys_two + 2 * KEY_ENTRY_BYTES;
	uint8_t *keys   = calloc(1, length);
	assert_non_null(keys);
	memcpy(keys, files.keys, files.keys_two);
	memset(keys + files.keys_two, 0x5a, KEY_ENTRY_BYTES);
	struct key_entry entry = key_entry_of(KEY_ENTRY_VOID, 0);
	key_entry_finish(&entry, files.keys_two / KEY_ENTRY_BYTES + 1);
	memcpy(keys + files.keys_two + KEY_ENTRY_BYTES, &entry, sizeof entry);
	vault_fixture_write(f, PERSONS, files.persons, files.persons_two);
	vault_fixture_write(f, KEYS, keys, length);
	check_two_of_three(f, &files);
	free(keys);
	free_files(&files);
}

static void preallocated_zeros_at_the_end_are_no_matter(void **state)
{
	struct vault_fixture *f     = *state;
	struct files          files = three_users(f);
	size_t                zeros = 3 << 20;
	files.persons               = realloc(files.persons, files.persons_three + zeros);
	files.keys                  = realloc(files.keys, files.keys_three + zeros);
	assert_true(files.persons && files.keys);
	memset(files.persons + files.persons_three, 0, zeros);
	memset(files.keys + files.keys_three, 0, zeros);
	write_both(f, &files, files.persons_three + zeros, files.keys_three + zeros);
	assert_ok(f, vault_fixture_open(f));
	for (int i = 0; i < 3; i++) {
		const char *const ids[] = {"first", "second", "third"};
		assert_true(person_equal(vault_look_up(f, VAULT_USER, ids[i]), files.users[i]));
	}
	free_files(&files);
}

static void check_corrupt(struct vault_fixture *f, const char *file)
{
	assert_int_equal(vault_fixture_open(f), STATUS_CORRUPT);
	assert_null(f->vault);
	assert_non_null(strstr(f->err.reason, file));
	assert_non_null(strstr(f->err.reason, "offset"));
}

static void a_wrong_bit_in_a_run_that_was_durable_is_damage_that_is_named(void **state)
{
	struct vault_fixture *f     = *state;
	struct files          files = three_users(f);
	for (size_t at = 0; at < run_end(&files); at++) {
		files.persons[at] ^= (uint8_t)(1 << at % 8);
		write_both(f, &files, files.persons_three, files.keys_three);
		check_corrupt(f, "persons.log");
		files.persons[at] ^= (uint8_t)(1 << at % 8);
	}
	/* Nothing was cut or written: the right bit brings all back. */
	write_both(f, &files, files.persons_three, files.keys_three);
	assert_ok(f, vault_fixture_open(f));
	assert_true(person_equal(vault_look_up(f, VAULT_USER, "third"), files.users[2]));
	free_files(&files);
}

static void a_wrong_bit_in_a_key_that_is_needed_is_damage_that_is_named(void **state)
{
	struct vault_fixture *f     = *state;
	struct files          files = three_users(f);
	for (size_t at = 0; at < files.keys_three; at++) {
		files.keys[at] ^= (uint8_t)(1 << at % 8);
		write_both(f, &files, files.persons_three, files.keys_three);
		check_corrupt(f, "keys.log");
		files.keys[at] ^= (uint8_t)(1 << at % 8);
	}
	free_files(&files);
}

static void a_keyring_older_than_the_persons_is_damage_that_is_named(void **state)
{
	struct vault_fixture *f     = *state;
	struct files          files = three_users(f);
	write_both(f, &files, files.persons_three, files.keys_two);
	check_corrupt(f, "keys.log");
	free_files(&files);
}

static void data_without_its_keyring_is_not_found(void **state)
{
	struct vault_fixture *f = *state;
	vault_user(f, "kim");
	vault_fixture_close(f);
	struct vault_config config  = f->config;
	f->config.keyring_directory = "/nonexistent";
	assert_int_equal(vault_fixture_open(f), STATUS_NOT_FOUND);
	f->config = config;
	assert_ok(f, vault_fixture_open(f));
}

static void a_keyring_without_its_master_key_is_not_found_and_none_is_made(void **state)
{
	struct vault_fixture *f = *state;
	vault_user(f, "kim");
	vault_fixture_close(f);
	assert_int_equal(unlink(vault_fixture_path(f, "keys/master.key")), 0);
	assert_int_equal(vault_fixture_open(f), STATUS_NOT_FOUND);
	assert_int_equal(access(vault_fixture_path(f, "keys/master.key"), F_OK), -1);
}

static void another_master_key_is_refused(void **state)
{
	struct vault_fixture *f = *state;
	vault_user(f, "kim");
	vault_fixture_close(f);
	char master[65];
	memset(master, 'a', 64);
	master[64] = '\n';
	vault_fixture_write(f, "keys/master.key", master, sizeof master);
	assert_int_equal(vault_fixture_open(f), STATUS_CORRUPT);
	vault_fixture_write(f, "keys/master.key", "not a key\n", 10);
	assert_int_equal(vault_fixture_open(f), STATUS_CORRUPT);
}

static void the_keyring_of_another_workspace_is_refused(void **state)
{
	struct vault_fixture *f = *state;
	vault_user(f, "kim");
	vault_fixture_close(f);
	f->config.workspace_id[15] ^= 1;
	assert_int_equal(vault_fixture_open(f), STATUS_CORRUPT);

	/* Also for a workspace that has no data yet. */
	char elsewhere[128];
	snprintf(elsewhere, sizeof elsewhere, "%s/data2", f->directory);
	f->config.directory = elsewhere;
	assert_int_equal(vault_fixture_open(f), STATUS_CORRUPT);
	rmdir(elsewhere);
}

static void persons_that_were_lost_are_not_begun_anew(void **state)
{
	struct vault_fixture *f = *state;
	vault_user(f, "kim");
	vault_fixture_close(f);
	assert_int_equal(unlink(vault_fixture_path(f, PERSONS)), 0);
	assert_int_equal(vault_fixture_open(f), STATUS_CORRUPT);
}

static void a_crash_while_the_keyring_was_made_is_taken_up(void **state)
{
	struct vault_fixture *f = *state;
	vault_fixture_close(f);
	assert_int_equal(unlink(vault_fixture_path(f, PERSONS)), 0);
	assert_ok(f, vault_fixture_open(f)); /* all but persons.log was there */
	vault_fixture_close(f);
	assert_int_equal(unlink(vault_fixture_path(f, PERSONS)), 0);
	assert_int_equal(unlink(vault_fixture_path(f, KEYS)), 0);
	assert_ok(f, vault_fixture_open(f)); /* only master.key was there */
	vault_user(f, "kim");
	vault_fixture_reopen(f);
	assert_true(vault_known(f->vault, (struct vault_id){VAULT_USER, TEXT("kim")}));
}

static void another_number_of_partitions_is_refused(void **state)
{
	struct vault_fixture *f = *state;
	vault_fixture_close(f);
	f->config.partition_count = 8;
	assert_int_equal(vault_fixture_open(f), STATUS_CORRUPT);
}

static void a_keyring_in_use_is_a_conflict(void **state)
{
	struct vault_fixture *f     = *state;
	struct vault         *other = NULL;
	assert_int_equal(vault_open(&f->config, &other, &f->err), STATUS_CONFLICT);
	assert_null(other);
}

static void a_person_whose_key_was_made_void_is_gone_for_good(void **state)
{
	struct vault_fixture *f     = *state;
	struct files          files = three_users(f);
	/* The third user's key is the last entry. */
	uint64_t         at    = files.keys_three / KEY_ENTRY_BYTES - 1;
	struct key_entry entry = key_entry_of(KEY_ENTRY_VOID, 0);
	key_entry_finish(&entry, at);
	memcpy(files.keys + at * KEY_ENTRY_BYTES, &entry, sizeof entry);
	write_both(f, &files, files.persons_three, files.keys_three);

	assert_ok(f, vault_fixture_open(f));
	assert_int_equal(vault_look_up(f, VAULT_USER, "third").slot, SLOT_NONE);
	struct vault_id id;
	struct buffer   out;
	buffer_init(&out);
	assert_int_equal(vault_external_id(f->vault, files.users[2], &f->arena, &id, &f->err),
	                 STATUS_NOT_FOUND);
	assert_int_equal(vault_seal(f->vault, files.users[2], TEXT("p"), TEXT("x"), &out, &f->err),
	                 STATUS_NOT_FOUND);
	assert_true(person_equal(vault_look_up(f, VAULT_USER, "first"), files.users[0]));
	struct person again = vault_user(f, "third");
	assert_false(person_equal(again, files.users[2]));
	vault_fixture_reopen(f);
	assert_true(person_equal(vault_look_up(f, VAULT_USER, "third"), again));
	free_files(&files);
}

/* What the child of a round has been told is durable; in shared memory. */
enum { ROUNDS = 20, ACKNOWLEDGED_MAX = 200000, BATCH = 8, SEALED_BYTES = 64 };

struct acknowledged {
	char          id[24];
	struct person person;
	bool          link; /* `id` is a visitor that answers `person` */
	uint8_t       sealed[SEALED_BYTES];
	size_t        sealed_length;
	atomic_bool   there;
};

struct round {
	atomic_int          next;
	struct acknowledged all[ACKNOWLEDGED_MAX];
};

struct child_batch {
	struct acknowledged *entries[BATCH + 1];
};

static void note_durable(void *context, enum status status, const struct error *err)
{
	(void)err;
	struct child_batch *batch = context;
	for (int i = 0; i <= BATCH && status == STATUS_OK; i++)
		atomic_store(&batch->entries[i]->there, true);
	free(batch);
}

struct child {
	struct vault *vault;
	struct round *round;
	int           number;
};

static void must(bool success)
{
	if (!success)
		_exit(3);
}

/* A batch of new users, and a visitor linked to the first of them. */
static void create_batch(struct child *child, int first)
{
	struct vault_id     ids[BATCH];
	struct person       persons[BATCH];
	struct error        err;
	uint64_t            sequence, link_sequence;
	struct child_batch *batch = calloc(1, sizeof *batch);
	must(batch);
	for (int i = 0; i <= BATCH; i++) {
		batch->entries[i] = &child->round->all[first + i];
		snprintf(batch->entries[i]->id, sizeof batch->entries[i]->id, "id-%d", first + i);
		if (i < BATCH)
			ids[i] = (struct vault_id){VAULT_USER, text_of(batch->entries[i]->id)};
	}
	must(vault_resolve(child->vault, ids, BATCH, true, persons, NULL, &sequence, &err) ==
	     STATUS_OK);
	for (int i = 0; i < BATCH; i++) {
		struct acknowledged *entry = batch->entries[i];
		struct buffer        sealed;
		buffer_init(&sealed);
		must(vault_seal(child->vault, persons[i], TEXT("p"), ids[i].id, &sealed, &err) ==
		     STATUS_OK);
		must(sealed.length <= SEALED_BYTES);
		memcpy(entry->sealed, sealed.data, sealed.length);
		entry->sealed_length = sealed.length;
		entry->person        = persons[i];
		buffer_done(&sealed);
	}
	struct acknowledged *link = batch->entries[BATCH];
	bool                 existed;
	struct person        before;
	link->link   = true;
	link->person = persons[0];
	must(vault_link(child->vault, text_of(link->id), persons[0], &existed, &before, &link_sequence,
	                &err) == STATUS_OK);
	vault_when_durable(child->vault, sequence > link_sequence ? sequence : link_sequence,
	                   note_durable, batch);
}

static void *create_until_killed(void *argument)
{
	struct child *child = argument;
	int           first;
	while ((first = atomic_fetch_add(&child->round->next, BATCH + 1)) + BATCH < ACKNOWLEDGED_MAX)
		create_batch(child, first);
	return NULL;
}

static void run_child(struct vault_fixture *f, struct round *round)
{
	must(vault_fixture_open(f) == STATUS_OK);
	struct child children[2];
	for (int i = 0; i < 2; i++) {
		pthread_t thread;
		children[i] = (struct child){f->vault, round, i};
		must(pthread_create(&thread, NULL, create_until_killed, &children[i]) == 0);
	}
	for (;;)
		pause();
}

static void check_entry(struct vault_fixture *f, const struct acknowledged *entry)
{
	struct person found = vault_look_up(f, entry->link ? VAULT_ANONYMOUS : VAULT_USER, entry->id);
	assert_true(person_equal(found, entry->person));
	if (entry->link)
		return;
	struct buffer   out;
	struct vault_id id;
	struct text     sealed = {(const char *)entry->sealed, entry->sealed_length};
	buffer_init(&out);
	assert_ok(f, vault_unseal(f->vault, found, TEXT("p"), sealed, &out, &f->err));
	assert_true(text_equal(buffer_text(&out), text_of(entry->id)));
	assert_ok(f, vault_external_id(f->vault, found, &f->arena, &id, &f->err));
	assert_true(text_equal(id.id, text_of(entry->id)));
	buffer_done(&out);
}

static int check_round(struct vault_fixture *f, const struct round *round, int from)
{
	int end = atomic_load(&round->next), there = 0;
	assert_ok(f, vault_fixture_open(f));
	for (int i = from; i < end && i < ACKNOWLEDGED_MAX; i++) {
		if (!atomic_load(&round->all[i].there))
			continue;
		check_entry(f, &round->all[i]);
		there++;
	}
	vault_fixture_close(f);
	arena_reset(&f->arena);
	return there;
}

static bool is_any_durable(const struct round *round, int from)
{
	int  end = atomic_load(&round->next);
	bool any = from + BATCH >= ACKNOWLEDGED_MAX; /* no room for more */
	for (int i = from; i < end && i < ACKNOWLEDGED_MAX && !any; i++)
		any = atomic_load(&round->all[i].there);
	return any;
}

static void whatever_was_called_durable_is_there_after_a_kill(void **state)
{
	struct vault_fixture *f    = *state;
	unsigned              seed = (unsigned)time(NULL);
	print_message("seed %u\n", seed);
	struct round *round =
		mmap(NULL, sizeof *round, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(round != MAP_FAILED);
	vault_fixture_close(f);
	int total = 0;
	for (int i = 0; i < ROUNDS; i++) {
		int   from  = atomic_load(&round->next);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0)
			run_child(f, round);
		/* Every other one is killed when there is something to lose, however slow the machine. */
		while (i % 2 == 1 && !is_any_durable(round, from))
			usleep(1000);
		usleep(5000 + (useconds_t)(rand_r(&seed) % 60000));
		assert_int_equal(kill(child, SIGKILL), 0);
		int status;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status)); /* it did not end by itself */
		total += check_round(f, round, from);
	}
	print_message("%d entries were called durable\n", total);
	assert_true(total > 0);
	/* At the end all rounds' are there, each with its own number. */
	assert_int_equal(check_round(f, round, 0), total);
	munmap(round, sizeof *round);
}

int main(void)
{
	log_level_set(LOG_ERROR); /* every torn tail is a line in the log */
	const struct CMUnitTest tests[] = {
		VAULT_TEST(a_torn_run_of_persons_is_cut_wherever_it_is_torn),
		VAULT_TEST(a_torn_empty_run_takes_nobody_with_it),
		VAULT_TEST(a_run_of_persons_with_one_wrong_bit_at_the_end_is_cut),
		VAULT_TEST(a_torn_tail_of_keys_is_cut_wherever_it_is_torn),
		VAULT_TEST(keys_without_their_persons_are_kept_and_their_slots_not_used_again),
		VAULT_TEST(a_torn_key_before_a_whole_one_is_no_damage_later_on),
		VAULT_TEST(preallocated_zeros_at_the_end_are_no_matter),
		VAULT_TEST(a_wrong_bit_in_a_run_that_was_durable_is_damage_that_is_named),
		VAULT_TEST(a_wrong_bit_in_a_key_that_is_needed_is_damage_that_is_named),
		VAULT_TEST(a_keyring_older_than_the_persons_is_damage_that_is_named),
		VAULT_TEST(data_without_its_keyring_is_not_found),
		VAULT_TEST(a_keyring_without_its_master_key_is_not_found_and_none_is_made),
		VAULT_TEST(another_master_key_is_refused),
		VAULT_TEST(the_keyring_of_another_workspace_is_refused),
		VAULT_TEST(persons_that_were_lost_are_not_begun_anew),
		VAULT_TEST(a_crash_while_the_keyring_was_made_is_taken_up),
		VAULT_TEST(another_number_of_partitions_is_refused),
		VAULT_TEST(a_keyring_in_use_is_a_conflict),
		VAULT_TEST(a_person_whose_key_was_made_void_is_gone_for_good),
		VAULT_TEST(whatever_was_called_durable_is_there_after_a_kill),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
