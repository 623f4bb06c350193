#include "vault/vault_erase.h"
#include "vault_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

enum { MANY = 5000 };

static void erase(struct vault_fixture *f, struct person person)
{
	struct vault_erasure *erasure;
	assert_ok(f, vault_erasure_begin(f->vault, &person, 1, &erasure, &f->err));
	assert_ok(f, vault_erasure_finish(erasure, &f->err));
}

static struct person link_to(struct vault_fixture *f, const char *anonymous_id, struct person user)
{
	bool          existed;
	struct person before;
	uint64_t      sequence;
	assert_ok(f, vault_link(f->vault, text_of(anonymous_id), user, &existed, &before, &sequence,
	                        &f->err));
	vault_wait(f->vault, sequence);
	return before;
}

static void assert_gone(struct vault_fixture *f, struct person person, struct text sealed)
{
	struct vault_id id;
	struct buffer   out = {0};
	assert_int_equal(vault_external_id(f->vault, person, &f->arena, &id, &f->err),
	                 STATUS_NOT_FOUND);
	assert_int_equal(vault_unseal(f->vault, person, TEXT("p"), sealed, &out, &f->err),
	                 STATUS_NOT_FOUND);
	assert_int_equal(vault_seal(f->vault, person, TEXT("p"), TEXT("x"), &out, &f->err),
	                 STATUS_NOT_FOUND);
	buffer_done(&out);
}

static struct text seal(struct vault_fixture *f, struct person person)
{
	struct buffer out = {0};
	assert_ok(f, vault_seal(f->vault, person, TEXT("p"), TEXT("secret"), &out, &f->err));
	struct text sealed = arena_text(&f->arena, buffer_text(&out));
	buffer_done(&out);
	return sealed;
}

static void nothing_of_an_erased_person_opens_also_after_reopening(void **state)
{
	struct vault_fixture *f      = *state;
	struct person         person = vault_user(f, "kim");
	struct text           sealed = seal(f, person);
	erase(f, person);
	for (int round = 0; round < 2; round++) {
		assert_gone(f, person, sealed);
		assert_int_equal(vault_look_up(f, VAULT_USER, "kim").slot, SLOT_NONE);
		assert_false(vault_known(f->vault, (struct vault_id){VAULT_USER, TEXT("kim")}));
		vault_fixture_reopen(f);
	}
}

static void an_erased_id_comes_again_as_somebody_new_also_after_reopening(void **state)
{
	struct vault_fixture *f      = *state;
	struct person         person = vault_user(f, "kim");
	erase(f, person);
	struct person again = vault_user(f, "kim");
	assert_false(person_equal(person, again));
	vault_fixture_reopen(f);
	assert_true(person_equal(vault_user(f, "kim"), again));
	assert_int_equal(again.partition, person.partition);
	/* The highest slot was erased: it is not free either. */
	erase(f, again);
	vault_fixture_reopen(f);
	struct person third = vault_user(f, "kim");
	assert_false(person_equal(third, person));
	assert_false(person_equal(third, again));
}

static void visitors_who_became_the_user_go_with_him(void **state)
{
	struct vault_fixture *f       = *state;
	struct person         visitor = vault_visitor(f, "a1");
	struct text           sealed  = seal(f, visitor);
	struct person         user    = vault_user(f, "kim");
	link_to(f, "a1", user);
	link_to(f, "a2", user); /* never had a profile */

	struct vault_erasure *erasure;
	size_t                count;
	assert_ok(f, vault_erasure_begin(f->vault, &user, 1, &erasure, &f->err));
	vault_erasure_persons(erasure, &count);
	assert_int_equal(count, 2);
	assert_ok(f, vault_erasure_finish(erasure, &f->err));
	for (int round = 0; round < 2; round++) {
		assert_gone(f, visitor, sealed);
		assert_int_equal(vault_look_up(f, VAULT_ANONYMOUS, "a1").slot, SLOT_NONE);
		assert_int_equal(vault_look_up(f, VAULT_ANONYMOUS, "a2").slot, SLOT_NONE);
		vault_fixture_reopen(f);
	}
	struct person fresh = vault_visitor(f, "a1");
	assert_false(person_equal(fresh, visitor));
	struct person other = vault_user(f, "lee");
	assert_true(person_equal(link_to(f, "a1", other), fresh));
	struct vault_merge merge;
	assert_true(vault_merged(f->vault, TEXT("a1"), &merge));
	assert_true(person_equal(merge.visitor, fresh));
	assert_true(person_equal(merge.user, other));
}

static void an_id_that_was_linked_before_answers_that_user_again(void **state)
{
	struct vault_fixture *f       = *state;
	struct person         visitor = vault_visitor(f, "shared");
	struct text           sealed  = seal(f, visitor);
	struct person         first = vault_user(f, "first"), second = vault_user(f, "second");
	link_to(f, "shared", first);
	link_to(f, "shared", second);
	link_to(f, "pad", first);
	link_to(f, "pad", second);
	erase(f, second);
	for (int round = 0; round < 2; round++) {
		assert_true(person_equal(vault_look_up(f, VAULT_ANONYMOUS, "shared"), first));
		assert_true(person_equal(vault_look_up(f, VAULT_ANONYMOUS, "pad"), first));
		struct buffer out = {0};
		assert_ok(f, vault_unseal(f->vault, visitor, TEXT("p"), sealed, &out, &f->err));
		buffer_done(&out);
		vault_fixture_reopen(f);
	}
	/* His events are the first user's: they go with that one. */
	erase(f, first);
	for (int round = 0; round < 2; round++) {
		assert_gone(f, visitor, sealed);
		assert_int_equal(vault_look_up(f, VAULT_ANONYMOUS, "shared").slot, SLOT_NONE);
		assert_int_equal(vault_look_up(f, VAULT_ANONYMOUS, "pad").slot, SLOT_NONE);
		vault_fixture_reopen(f);
	}
}

static void the_first_user_takes_the_visitor_along_and_the_later_one_keeps_the_id(void **state)
{
	struct vault_fixture *f       = *state;
	struct person         visitor = vault_visitor(f, "shared");
	struct text           sealed  = seal(f, visitor);
	struct person         first = vault_user(f, "first"), second = vault_user(f, "second");
	link_to(f, "shared", first);
	link_to(f, "shared", second);
	erase(f, first);
	for (int round = 0; round < 2; round++) {
		assert_gone(f, visitor, sealed);
		assert_true(person_equal(vault_look_up(f, VAULT_ANONYMOUS, "shared"), second));
		struct vault_merge merge;
		assert_false(vault_merged(f->vault, TEXT("shared"), &merge));
		vault_fixture_reopen(f);
	}
}

static void nobody_is_linked_to_or_away_from_who_is_being_erased(void **state)
{
	struct vault_fixture *f       = *state;
	struct person         gone[2] = {vault_user(f, "kim"), vault_visitor(f, "a1")};
	struct person         other   = vault_user(f, "lee"), before;
	bool                  existed;
	uint64_t              sequence;
	struct vault_erasure *erasure;
	assert_ok(f, vault_erasure_begin(f->vault, gone, 2, &erasure, &f->err));
	assert_int_equal(
		vault_link(f->vault, TEXT("a2"), gone[0], &existed, &before, &sequence, &f->err),
		STATUS_UNAVAILABLE);
	assert_int_equal(vault_link(f->vault, TEXT("a1"), other, &existed, &before, &sequence, &f->err),
	                 STATUS_UNAVAILABLE);
	vault_erasure_abandon(erasure);
	link_to(f, "a2", gone[0]);
	link_to(f, "a1", other);
}

static void the_keys_bytes_are_gone_from_the_keyring(void **state)
{
	struct vault_fixture *f      = *state;
	struct person         person = vault_user(f, "kim");
	size_t                length;
	vault_user(f, "lee");
	vault_fixture_close(f);
	uint8_t *before = vault_fixture_read(f, "keys/keys.log", &length);
	assert_int_equal(vault_fixture_open(f), STATUS_OK);
	erase(f, person);
	vault_fixture_close(f);
	uint8_t *after = vault_fixture_read(f, "keys/keys.log", &length);
	unsigned found = 0;
	for (size_t at = 2 * 64; at < length; at += 64) {
		uint64_t head, number = person_number(person);
		memcpy(&head, before + at, sizeof head);
		if (head != (UINT64_C(4) << 56 | number)) {
			assert_memory_equal(before + at, after + at, 64);
			continue;
		}
		found++;
		static const uint8_t zeros[40];
		assert_memory_equal(after + at + 16, zeros, sizeof zeros);
	}
	assert_int_equal(found, 1);
	free(before);
	free(after);
	assert_int_equal(vault_fixture_open(f), STATUS_OK);
}

/* What a backup of the data is: an older persons.log beside the keyring of today. */
static void an_older_copy_of_the_data_knows_nothing_of_who_was_erased(void **state)
{
	struct vault_fixture *f    = *state;
	struct person         gone = vault_user(f, "kim"), stays = vault_user(f, "lee");
	struct text           sealed = seal(f, gone);
	size_t                length;
	vault_fixture_close(f);
	uint8_t *backup = vault_fixture_read(f, "data/persons.log", &length);
	assert_int_equal(vault_fixture_open(f), STATUS_OK);
	struct person later = vault_user(f, "later");
	erase(f, gone);
	erase(f, later);
	vault_fixture_close(f);
	vault_fixture_write(f, "data/persons.log", backup, length);
	free(backup);
	assert_int_equal(vault_fixture_open(f), STATUS_OK);
	assert_gone(f, gone, sealed);
	assert_int_equal(vault_look_up(f, VAULT_USER, "kim").slot, SLOT_NONE);
	assert_true(person_equal(vault_look_up(f, VAULT_USER, "lee"), stays));
	/* Numbers that the copy has never seen are not used again either. */
	for (int i = 0; i < 64; i++) {
		char name[16];
		snprintf(name, sizeof name, "new-%d", i);
		struct person fresh = vault_user(f, name);
		assert_false(person_equal(fresh, gone));
		assert_false(person_equal(fresh, later));
	}
}

static void note_erased(void *context, struct person person)
{
	(void)person;
	++*(unsigned *)context;
}

static void many_are_erased_at_once_and_the_others_stay(void **state)
{
	struct vault_fixture  *f = *state;
	static char            names[MANY][16];
	static struct vault_id ids[MANY];
	static struct person   persons[MANY], gone[MANY / 2], now[MANY];
	uint64_t               sequence;
	for (int i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof names[i], "user-%d", i);
		ids[i] = (struct vault_id){VAULT_USER, text_of(names[i])};
	}
	assert_ok(f, vault_resolve(f->vault, ids, MANY, true, persons, NULL, &sequence, &f->err));
	for (int i = 0; i < MANY / 2; i++)
		gone[i] = persons[2 * i];
	struct vault_erasure *erasure;
	assert_ok(f, vault_erasure_begin(f->vault, gone, MANY / 2, &erasure, &f->err));
	assert_ok(f, vault_erasure_finish(erasure, &f->err));
	for (int round = 0; round < 2; round++) {
		assert_ok(f, vault_resolve(f->vault, ids, MANY, false, now, NULL, &sequence, &f->err));
		for (int i = 0; i < MANY; i++) {
			if (i % 2 == 0)
				assert_int_equal(now[i].slot, SLOT_NONE);
			else
				assert_true(person_equal(now[i], persons[i]));
		}
		unsigned count = 0;
		vault_each_erased(f->vault, note_erased, &count);
		assert_int_equal(count, MANY / 2);
		vault_fixture_reopen(f);
	}
	struct vault_status status;
	vault_status(f->vault, &status);
	assert_int_equal(status.persons, MANY / 2);
}

static void erasing_again_is_nothing(void **state)
{
	struct vault_fixture *f      = *state;
	struct person         person = vault_user(f, "kim");
	struct vault_erasure *erasure;
	size_t                count;
	erase(f, person);
	assert_ok(f, vault_erasure_begin(f->vault, &person, 1, &erasure, &f->err));
	vault_erasure_persons(erasure, &count);
	assert_int_equal(count, 0);
	assert_ok(f, vault_erasure_finish(erasure, &f->err));
}

static void a_failed_sync_is_no_erasure_and_the_vault_takes_no_writes(void **state)
{
	struct vault_fixture *f      = *state;
	struct person         person = vault_user(f, "kim");
	struct vault_erasure *erasure;
	assert_ok(f, vault_erasure_begin(f->vault, &person, 1, &erasure, &f->err));
	vault_faults_set((struct vault_faults){.sync_fails = true});
	assert_int_equal(vault_erasure_finish(erasure, &f->err), STATUS_FAILED);
	vault_faults_set((struct vault_faults){0});
	assert_int_equal(vault_erasure_begin(f->vault, &person, 1, &erasure, &f->err), STATUS_FAILED);
	assert_true(person_equal(vault_look_up(f, VAULT_USER, "kim"), person));
}

/* A crash in between leaves who was named findable, so that the rest is done by doing it again. */
static void visitors_go_before_those_who_lead_to_them(void **state)
{
	struct vault_fixture *f       = *state;
	struct person         visitor = vault_visitor(f, "a1");
	struct text           sealed  = seal(f, visitor);
	struct person         user    = vault_user(f, "kim");
	struct vault_erasure *erasure;
	link_to(f, "a1", user);
	assert_ok(f, vault_erasure_begin(f->vault, &user, 1, &erasure, &f->err));
	vault_faults_set((struct vault_faults){.sync_fails = true});
	assert_int_equal(vault_erasure_finish(erasure, &f->err), STATUS_FAILED);
	vault_faults_set((struct vault_faults){0});
	vault_fixture_reopen(f);
	assert_true(person_equal(vault_look_up(f, VAULT_USER, "kim"), user));
	erase(f, user);
	vault_fixture_reopen(f);
	assert_gone(f, visitor, sealed);
	assert_int_equal(vault_look_up(f, VAULT_USER, "kim").slot, SLOT_NONE);
	assert_int_equal(vault_look_up(f, VAULT_ANONYMOUS, "a1").slot, SLOT_NONE);
}

/* A thread that resolves and seals while others are erased. */
struct busy {
	struct vault *vault;
	_Atomic bool  stop;
};

static void *be_busy(void *argument)
{
	struct busy *busy = argument;
	for (unsigned round = 0; !atomic_load(&busy->stop); round++) {
		char name[16];
		snprintf(name, sizeof name, "p-%u", round % 50);
		struct vault_id id = {VAULT_USER, text_of(name)};
		struct person   person;
		uint64_t        sequence;
		struct error    err;
		struct buffer   out = {0};
		if (vault_resolve(busy->vault, &id, 1, true, &person, NULL, &sequence, &err) != STATUS_OK)
			abort();
		enum status status = vault_seal(busy->vault, person, TEXT("p"), TEXT("x"), &out, &err);
		if (status != STATUS_OK && status != STATUS_NOT_FOUND)
			abort();
		buffer_done(&out);
	}
	return NULL;
}

static void erasing_beside_those_who_come_leaves_no_key_behind(void **state)
{
	struct vault_fixture *f    = *state;
	struct busy           busy = {.vault = f->vault};
	pthread_t             threads[2];
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, be_busy, &busy), 0);
	struct person gone[200];
	struct text   sealed[200];
	for (unsigned i = 0; i < 200; i++) {
		char name[16];
		snprintf(name, sizeof name, "p-%u", i % 50);
		gone[i]   = vault_user(f, name);
		sealed[i] = seal(f, gone[i]);
		erase(f, gone[i]);
		assert_gone(f, gone[i], sealed[i]);
	}
	atomic_store(&busy.stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < 200; i++)
		assert_gone(f, gone[i], sealed[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_TEST(nothing_of_an_erased_person_opens_also_after_reopening),
		VAULT_TEST(an_erased_id_comes_again_as_somebody_new_also_after_reopening),
		VAULT_TEST(visitors_who_became_the_user_go_with_him),
		VAULT_TEST(an_id_that_was_linked_before_answers_that_user_again),
		VAULT_TEST(the_first_user_takes_the_visitor_along_and_the_later_one_keeps_the_id),
		VAULT_TEST(nobody_is_linked_to_or_away_from_who_is_being_erased),
		VAULT_TEST(the_keys_bytes_are_gone_from_the_keyring),
		VAULT_TEST(an_older_copy_of_the_data_knows_nothing_of_who_was_erased),
		VAULT_TEST(many_are_erased_at_once_and_the_others_stay),
		VAULT_TEST(erasing_again_is_nothing),
		VAULT_TEST(a_failed_sync_is_no_erasure_and_the_vault_takes_no_writes),
		VAULT_TEST(visitors_go_before_those_who_lead_to_them),
		VAULT_TEST(erasing_beside_those_who_come_leaves_no_key_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
