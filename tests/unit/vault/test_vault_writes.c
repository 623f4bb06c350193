/* Durability: what is called back when, and what happens when the disk is full or fails. */

#include "vault_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"

/* Callbacks in their order. */
struct calls {
	pthread_mutex_t lock;
	pthread_cond_t  changed;
	int             count;
	int             order[64];
	enum status     status;
	struct error    err;
	pthread_t       thread;
};

struct call {
	struct calls *calls;
	int           number;
};

static struct calls new_calls(void)
{
	return (struct calls){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
}

static void called(void *context, enum status status, const struct error *err)
{
	struct call  *call  = context;
	struct calls *calls = call->calls;
	pthread_mutex_lock(&calls->lock);
	calls->order[calls->count++] = call->number;
	calls->status                = status;
	calls->thread                = pthread_self();
	if (err)
		calls->err = *err;
	pthread_cond_signal(&calls->changed);
	pthread_mutex_unlock(&calls->lock);
}

static int count_of(struct calls *calls)
{
	pthread_mutex_lock(&calls->lock);
	int count = calls->count;
	pthread_mutex_unlock(&calls->lock);
	return count;
}

static void wait_for(struct calls *calls, int count)
{
	pthread_mutex_lock(&calls->lock);
	while (calls->count < count)
		pthread_cond_wait(&calls->changed, &calls->lock);
	pthread_mutex_unlock(&calls->lock);
}

/* Without waiting. */
static enum status resolve(struct vault_fixture *f, const char *id, bool create,
                           struct person *ret_person, uint64_t *ret_sequence)
{
	struct vault_id wanted = {VAULT_USER, text_of(id)};
	return vault_resolve(f->vault, &wanted, 1, create, ret_person, NULL, ret_sequence, &f->err);
}

static void a_callback_waits_for_the_syncs_and_a_later_one_comes_later(void **state)
{
	struct vault_fixture *f     = *state;
	struct calls          calls = new_calls();
	struct call           call[3];
	struct person         person;
	uint64_t              sequence, last = 0;
	vault_faults_set((struct vault_faults){.hold_syncs = true});
	for (int i = 0; i < 3; i++) {
		char id[8];
		snprintf(id, sizeof id, "id-%d", i);
		assert_ok(f, resolve(f, id, true, &person, &sequence));
		assert_true(sequence >= last);
		last    = sequence;
		call[i] = (struct call){&calls, i};
		vault_when_durable(f->vault, sequence, called, &call[i]);
	}
	assert_int_equal(count_of(&calls), 0);
	vault_faults_set((struct vault_faults){0});
	wait_for(&calls, 3);
	assert_int_equal(calls.status, STATUS_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(calls.order[i], i);
	assert_false(pthread_equal(calls.thread, pthread_self()));
}

static void keys_are_synced_before_the_persons_that_need_them_are_written(void **state)
{
	struct vault_fixture *f = *state;
	vault_faults_set((struct vault_faults){0});
	vault_user(f, "kim");
	assert_memory_equal(vault_faults_events(), "wsWS", 4);
}

static void what_is_durable_already_calls_back_at_once_on_the_callers_thread(void **state)
{
	struct vault_fixture *f     = *state;
	struct calls          calls = new_calls();
	struct call           call  = {&calls, 0};
	struct person         person;
	uint64_t              sequence;
	assert_ok(f, resolve(f, "kim", true, &person, &sequence));
	assert_int_not_equal(sequence, 0);
	vault_wait(f->vault, sequence);

	vault_when_durable(f->vault, sequence, called, &call);
	assert_int_equal(count_of(&calls), 1);
	assert_true(pthread_equal(calls.thread, pthread_self()));
	assert_int_equal(calls.status, STATUS_OK);

	assert_ok(f, resolve(f, "kim", true, &person, &sequence));
	assert_int_equal(sequence, 0);
	vault_when_durable(f->vault, 0, called, &call);
	assert_int_equal(count_of(&calls), 2);
}

static void a_mapping_that_another_call_made_must_be_waited_for_too(void **state)
{
	struct vault_fixture *f = *state;
	struct person         person, again;
	uint64_t              made, found;
	vault_faults_set((struct vault_faults){.hold_syncs = true});
	assert_ok(f, resolve(f, "kim", true, &person, &made));
	assert_ok(f, resolve(f, "kim", false, &again, &found));
	assert_true(person_equal(person, again));
	assert_int_equal(found, made);

	/* A linked one as well. */
	bool     existed;
	uint64_t linked;
	assert_ok(f, vault_link(f->vault, TEXT("v1"), person, &existed, &again, &linked, &f->err));
	struct vault_id visitor = {VAULT_ANONYMOUS, TEXT("v1")};
	assert_ok(f, vault_resolve(f->vault, &visitor, 1, false, &again, NULL, &found, &f->err));
	assert_int_equal(found, linked);
	vault_faults_set((struct vault_faults){0});
}

static void a_person_that_is_not_durable_yet_can_be_sealed_for_and_named(void **state)
{
	struct vault_fixture *f = *state;
	struct person         first, second;
	uint64_t              sequence;
	vault_faults_set((struct vault_faults){.hold_syncs = true});
	assert_ok(f, resolve(f, "first", true, &first, &sequence));
	usleep(10000); /* most likely it is being written now, and the second gathers */
	assert_ok(f, resolve(f, "second", true, &second, &sequence));
	struct vault_id id;
	assert_ok(f, vault_external_id(f->vault, first, &f->arena, &id, &f->err));
	assert_true(text_equal(id.id, TEXT("first")));
	assert_ok(f, vault_external_id(f->vault, second, &f->arena, &id, &f->err));
	assert_true(text_equal(id.id, TEXT("second")));
	vault_faults_set((struct vault_faults){0});
}

static void closing_makes_durable_what_nobody_waited_for(void **state)
{
	struct vault_fixture *f = *state;
	struct person         person;
	uint64_t              sequence;
	assert_ok(f, resolve(f, "kim", true, &person, &sequence));
	vault_fixture_reopen(f);
	assert_true(person_equal(vault_look_up(f, VAULT_USER, "kim"), person));
}

static void a_full_disk_refuses_new_persons_for_now_and_uses_up_nothing(void **state)
{
	struct vault_fixture *f      = *state;
	struct person         person = {9, 9};
	uint64_t              sequence;
	vault_faults_set((struct vault_faults){.disk_full = true});
	for (int i = 0; i < 10; i++) {
		enum status status = resolve(f, "kim", true, &person, &sequence);
		assert_int_equal(status, STATUS_NO_SPACE);
		assert_true(status_retriable(status));
	}
	assert_false(vault_known(f->vault, (struct vault_id){VAULT_USER, TEXT("kim")}));

	vault_faults_set((struct vault_faults){0});
	assert_int_equal(vault_user(f, "kim").slot, 0);
}

static void a_full_disk_refuses_links_for_now(void **state)
{
	struct vault_fixture *f   = *state;
	struct person         kim = vault_user(f, "kim"), before;
	bool                  existed;
	uint64_t              sequence;
	vault_fixture_reopen(f); /* nothing is preallocated now */
	vault_faults_set((struct vault_faults){.disk_full = true});
	assert_int_equal(vault_link(f->vault, TEXT("v1"), kim, &existed, &before, &sequence, &f->err),
	                 STATUS_NO_SPACE);
	vault_faults_set((struct vault_faults){0});
	assert_ok(f, vault_link(f->vault, TEXT("v1"), kim, &existed, &before, &sequence, &f->err));
	assert_false(existed);
}

static void space_that_known_ids_did_not_need_is_given_back(void **state)
{
	struct vault_fixture *f = *state;
	struct vault_id       ids[100];
	struct person         persons[100];
	char                  names[100][16];
	uint64_t              sequence = 0;
	for (int i = 0; i < 100; i++) {
		snprintf(names[i], sizeof names[i], "id-%d", i);
		ids[i] = (struct vault_id){VAULT_USER, text_of(names[i])};
	}
	/* Each time one is new, and space for a hundred was reserved. */
	for (int round = 0; round < 1000; round++) {
		snprintf(names[0], sizeof names[0], "new-%d", round);
		ids[0].id = text_of(names[0]);
		assert_ok(f, vault_resolve(f->vault, ids, 100, true, persons, NULL, &sequence, &f->err));
	}
	vault_wait(f->vault, sequence);
	struct stat info;
	assert_int_equal(stat(vault_fixture_path(f, "keys/keys.log"), &info), 0);
	assert_in_range(info.st_size, 1000 * 64, 4 << 20);
	assert_int_equal(stat(vault_fixture_path(f, "data/persons.log"), &info), 0);
	assert_in_range(info.st_size, 1000 * 64, 4 << 20);
}

/* After the failure that `faults` brings: callbacks, new persons, known persons. */
static void check_failed_state(struct vault_fixture *f, struct vault_faults faults)
{
	struct person       known   = vault_user(f, "known"), person;
	struct calls        calls   = new_calls();
	struct call         call[2] = {{&calls, 0}, {&calls, 1}};
	struct vault_status vault;
	uint64_t            sequence;
	vault_fixture_reopen(f); /* nothing is being written any more */
	vault_faults_set(faults);
	assert_ok(f, resolve(f, "lost", true, &person, &sequence));
	vault_when_durable(f->vault, sequence, called, &call[0]);
	wait_for(&calls, 1);
	assert_int_equal(calls.status, STATUS_FAILED);
	assert_true(calls.err.fatal);
	vault_status(f->vault, &vault);
	assert_true(vault.failed);

	/* Not even once the disk is well again. */
	vault_faults_set((struct vault_faults){0});
	unsigned syncs = vault_faults_syncs();
	assert_int_equal(resolve(f, "new", true, &person, &sequence), STATUS_FAILED);
	vault_when_durable(f->vault, calls.count, called, &call[1]);
	assert_ok(f, resolve(f, "known", true, &person, &sequence));
	assert_true(person_equal(person, known));
	assert_int_equal(sequence, 0);

	/* What was to become durable with it never is. */
	assert_ok(f, resolve(f, "lost", false, &person, &sequence));
	assert_int_not_equal(sequence, 0);
	struct calls after = new_calls();
	struct call  late  = {&after, 0};
	vault_when_durable(f->vault, sequence, called, &late);
	assert_int_equal(after.count, 1);
	assert_int_equal(after.status, STATUS_FAILED);
	assert_int_equal(vault_faults_syncs(), syncs);

	vault_fixture_reopen(f);
	assert_true(person_equal(vault_look_up(f, VAULT_USER, "known"), known));
	assert_false(person_equal(vault_user(f, "new"), known));
}

static void after_a_failed_sync_nothing_is_written_until_it_is_reopened(void **state)
{
	check_failed_state(*state, (struct vault_faults){.sync_fails = true});
}

static void after_a_failed_write_nothing_is_written_until_it_is_reopened(void **state)
{
	check_failed_state(*state, (struct vault_faults){.write_fails = true});
}

static void short_writes_are_carried_on(void **state)
{
	struct vault_fixture *f = *state;
	vault_faults_set((struct vault_faults){.short_writes = true});
	struct person kim = vault_user(f, "kim"), lee = vault_user(f, "lee");
	vault_fixture_reopen(f);
	assert_true(person_equal(vault_look_up(f, VAULT_USER, "kim"), kim));
	assert_true(person_equal(vault_look_up(f, VAULT_USER, "lee"), lee));
}

static void persons_that_come_while_a_group_is_written_share_the_next_one(void **state)
{
	struct vault_fixture *f = *state;
	struct person         person;
	uint64_t              sequence = 0;
	vault_user(f, "first");
	unsigned before = vault_faults_syncs();
	vault_faults_set((struct vault_faults){.hold_syncs = true});
	for (int i = 0; i < 200; i++) {
		char id[8];
		snprintf(id, sizeof id, "id-%d", i);
		assert_ok(f, resolve(f, id, true, &person, &sequence));
	}
	vault_faults_set((struct vault_faults){0});
	vault_wait(f->vault, sequence);
	/* Two files a group; at most three groups, one of which may have begun before the hold. */
	assert_in_range(vault_faults_syncs() - before, 2, 6);
}

enum { THREADS = 4, SHARED_IDS = 2000 };

struct creator {
	struct vault  *vault;
	int            number;
	struct person *persons;
	atomic_int    *failures;
};

static void *create_shared(void *argument)
{
	struct creator *creator = argument;
	for (int n = 0; n < SHARED_IDS; n += 20) {
		char            names[20][16];
		struct vault_id ids[20];
		uint64_t        sequence;
		struct error    err;
		for (int i = 0; i < 20; i++) {
			snprintf(names[i], sizeof names[i], "shared-%d", n + i);
			ids[i] = (struct vault_id){VAULT_USER, text_of(names[i])};
		}
		if (vault_resolve(creator->vault, ids, 20, true, creator->persons + n, NULL, &sequence,
		                  &err) != STATUS_OK)
			atomic_fetch_add(creator->failures, 1);
		struct buffer sealed;
		buffer_init(&sealed);
		if (vault_seal(creator->vault, creator->persons[n], TEXT("p"), TEXT("x"), &sealed, &err) !=
		    STATUS_OK)
			atomic_fetch_add(creator->failures, 1);
		buffer_done(&sealed);
	}
	return NULL;
}

static void threads_that_create_the_same_ids_at_once_get_the_same_persons(void **state)
{
	struct vault_fixture *f = *state;
	static struct person  persons[THREADS][SHARED_IDS];
	atomic_int            failures = 0;
	struct creator        creators[THREADS];
	pthread_t             threads[THREADS];
	for (int i = 0; i < THREADS; i++) {
		creators[i] = (struct creator){f->vault, i, persons[i], &failures};
		assert_int_equal(pthread_create(&threads[i], NULL, create_shared, &creators[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(failures, 0);
	for (int i = 1; i < THREADS; i++)
		assert_memory_equal(persons[i], persons[0], sizeof persons[0]);

	struct vault_status status;
	vault_status(f->vault, &status);
	assert_int_equal(status.persons, SHARED_IDS);
	vault_fixture_reopen(f);
	for (int n = 0; n < SHARED_IDS; n++) {
		char id[16];
		snprintf(id, sizeof id, "shared-%d", n);
		assert_true(person_equal(vault_look_up(f, VAULT_USER, id), persons[0][n]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_TEST(a_callback_waits_for_the_syncs_and_a_later_one_comes_later),
		VAULT_TEST(keys_are_synced_before_the_persons_that_need_them_are_written),
		VAULT_TEST(what_is_durable_already_calls_back_at_once_on_the_callers_thread),
		VAULT_TEST(a_mapping_that_another_call_made_must_be_waited_for_too),
		VAULT_TEST(a_person_that_is_not_durable_yet_can_be_sealed_for_and_named),
		VAULT_TEST(closing_makes_durable_what_nobody_waited_for),
		VAULT_TEST(a_full_disk_refuses_new_persons_for_now_and_uses_up_nothing),
		VAULT_TEST(a_full_disk_refuses_links_for_now),
		VAULT_TEST(space_that_known_ids_did_not_need_is_given_back),
		VAULT_TEST(after_a_failed_sync_nothing_is_written_until_it_is_reopened),
		VAULT_TEST(after_a_failed_write_nothing_is_written_until_it_is_reopened),
		VAULT_TEST(short_writes_are_carried_on),
		VAULT_TEST(persons_that_come_while_a_group_is_written_share_the_next_one),
		VAULT_TEST(threads_that_create_the_same_ids_at_once_get_the_same_persons),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
