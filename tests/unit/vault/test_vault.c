#include "vault_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"

enum { MANY = 1000 };

static struct text sealed_for(struct vault_fixture *f, struct person person, const char *purpose,
                              const char *plain)
{
	struct buffer out;
	buffer_init(&out);
	assert_ok(f, vault_seal(f->vault, person, text_of(purpose), text_of(plain), &out, &f->err));
	struct text sealed = arena_text(&f->arena, buffer_text(&out));
	buffer_done(&out);
	return sealed;
}

static enum status unseal(struct vault_fixture *f, struct person person, const char *purpose,
                          struct text sealed, struct buffer *out)
{
	return vault_unseal(f->vault, person, text_of(purpose), sealed, out, &f->err);
}

static void an_id_is_the_same_person_each_time(void **state)
{
	struct vault_fixture *f     = *state;
	struct person         first = vault_user(f, "kim");
	assert_true(person_equal(vault_user(f, "kim"), first));
	assert_false(person_equal(vault_user(f, "lee"), first));
}

static void users_and_visitors_are_separate_name_spaces(void **state)
{
	struct vault_fixture *f = *state;
	assert_false(person_equal(vault_user(f, "kim"), vault_visitor(f, "kim")));
}

static void an_unknown_id_that_is_not_to_be_created_has_a_partition_and_no_slot(void **state)
{
	struct vault_fixture *f    = *state;
	struct person         none = vault_look_up(f, VAULT_USER, "kim");
	assert_int_equal(none.slot, SLOT_NONE);
	assert_int_equal(vault_user(f, "kim").partition, none.partition);
}

static void an_unknown_id_twice_in_a_batch_is_one_person(void **state)
{
	struct vault_fixture *f      = *state;
	struct vault_id       ids[3] = {
			  {VAULT_USER, TEXT("kim")}, {VAULT_USER, TEXT("lee")}, {VAULT_USER, TEXT("kim")}};
	struct person persons[3];
	uint64_t      sequence;
	assert_ok(f, vault_resolve(f->vault, ids, 3, true, persons, NULL, &sequence, &f->err));
	assert_true(person_equal(persons[0], persons[2]));
	assert_false(person_equal(persons[0], persons[1]));
}

/* Ids "user-0" … as one batch. */
static void resolve_many(struct vault_fixture *f, struct person persons[MANY], bool create)
{
	static char     names[MANY][16];
	struct vault_id ids[MANY];
	for (int i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof names[i], "user-%d", i);
		ids[i] = (struct vault_id){i % 3 == 0 ? VAULT_ANONYMOUS : VAULT_USER, text_of(names[i])};
	}
	uint64_t sequence;
	assert_ok(f, vault_resolve(f->vault, ids, MANY, create, persons, NULL, &sequence, &f->err));
	vault_wait(f->vault, sequence);
}

static void slots_of_a_partition_are_dense_and_unique(void **state)
{
	struct vault_fixture *f = *state;
	struct person         persons[MANY];
	bool                  used[4][MANY] = {0};
	unsigned              count[4]      = {0};
	resolve_many(f, persons, true);
	for (int i = 0; i < MANY; i++) {
		assert_in_range(persons[i].partition, 0, 3);
		assert_in_range(persons[i].slot, 0, MANY - 1);
		assert_false(used[persons[i].partition][persons[i].slot]);
		used[persons[i].partition][persons[i].slot] = true;
		count[persons[i].partition]++;
	}
	for (int partition = 0; partition < 4; partition++) {
		/* Spread by a keyed hash: a partition of four gets about a fourth. */
		assert_in_range(count[partition], MANY / 8, MANY / 2);
		for (unsigned slot = 0; slot < count[partition]; slot++)
			assert_true(used[partition][slot]);
	}
}

static void after_reopening_every_id_has_its_number_and_new_ones_get_new_numbers(void **state)
{
	struct vault_fixture *f = *state;
	struct person         before[MANY], after[MANY];
	resolve_many(f, before, true);
	vault_fixture_reopen(f);
	resolve_many(f, after, false);
	assert_memory_equal(before, after, sizeof before);

	struct person fresh = vault_user(f, "fresh");
	for (int i = 0; i < MANY; i++)
		assert_false(person_equal(before[i], fresh));
}

static void slots_that_the_journal_has_used_are_not_handed_out_again(void **state)
{
	struct vault_fixture *f = *state;
	for (uint32_t partition = 0; partition < 4; partition++)
		vault_reserve(f->vault, partition, 5000);
	struct person person = vault_user(f, "kim");
	assert_int_equal(person.slot, 5000);
	vault_reserve(f->vault, person.partition, 10); /* never back */
	struct person persons[MANY];
	resolve_many(f, persons, true);
	for (int i = 0; i < MANY; i++)
		assert_true(persons[i].slot >= 5000);
}

static void the_external_id_of_a_person_is_that_under_which_it_was_created(void **state)
{
	struct vault_fixture *f    = *state;
	struct person         user = vault_user(f, "kim"), visitor = vault_visitor(f, "손님");
	for (int round = 0; round < 2; round++) {
		struct vault_id id;
		assert_ok(f, vault_external_id(f->vault, user, &f->arena, &id, &f->err));
		assert_int_equal(id.namespace, VAULT_USER);
		assert_true(text_equal(id.id, TEXT("kim")));
		assert_ok(f, vault_external_id(f->vault, visitor, &f->arena, &id, &f->err));
		assert_int_equal(id.namespace, VAULT_ANONYMOUS);
		assert_true(text_equal(id.id, TEXT("손님")));
		vault_fixture_reopen(f);
	}
}

static void an_id_of_the_greatest_length_comes_back_whole(void **state)
{
	struct vault_fixture *f = *state;
	char                  longest[VAULT_ID_BYTES_MAX + 1];
	memset(longest, 'x', VAULT_ID_BYTES_MAX);
	longest[VAULT_ID_BYTES_MAX] = '\0';
	struct person person        = vault_user(f, longest);
	vault_fixture_reopen(f);
	assert_true(person_equal(vault_look_up(f, VAULT_USER, longest), person));
	struct vault_id id;
	assert_ok(f, vault_external_id(f->vault, person, &f->arena, &id, &f->err));
	assert_true(text_equal(id.id, text_of(longest)));
}

static void nobody_has_a_slot_that_was_never_handed_out(void **state)
{
	struct vault_fixture *f = *state;
	struct vault_id       id;
	struct buffer         out;
	buffer_init(&out);
	struct person nobody[] = {{0, 77}, {3, SLOT_NONE}, {99, 0}};
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(vault_external_id(f->vault, nobody[i], &f->arena, &id, &f->err),
		                 STATUS_NOT_FOUND);
		assert_int_equal(vault_seal(f->vault, nobody[i], TEXT("p"), TEXT("x"), &out, &f->err),
		                 STATUS_NOT_FOUND);
	}
	assert_int_equal(out.length, 0);
}

static void what_belongs_to_nobody_is_sealed_by_the_keyring_for_its_purpose(void **state)
{
	struct vault_fixture *f = *state;
	struct buffer         sealed, out;
	buffer_init(&sealed);
	buffer_init(&out);
	vault_seal_common(f->vault, TEXT("letter"), TEXT("누구"), &sealed);
	assert_null(memmem(sealed.data, sealed.length, "누구", strlen("누구")));
	vault_fixture_reopen(f);

	assert_int_equal(
		vault_unseal_common(f->vault, TEXT("other"), buffer_text(&sealed), &out, &f->err),
		STATUS_CORRUPT);
	assert_int_equal(out.length, 0);
	assert_ok(f,
	          vault_unseal_common(f->vault, TEXT("letter"), buffer_text(&sealed), &out, &f->err));
	assert_true(text_equal(buffer_text(&out), TEXT("누구")));
	buffer_done(&out);
	buffer_done(&sealed);
}

static void a_sealed_value_opens_for_its_person_and_purpose_also_after_reopening(void **state)
{
	struct vault_fixture *f      = *state;
	struct person         kim    = vault_user(f, "kim");
	struct text           sealed = sealed_for(f, kim, "record", "kim@example.com");
	assert_int_equal(sealed.length, 12 + strlen("kim@example.com") + 16);
	vault_fixture_reopen(f);

	struct buffer out;
	buffer_init(&out);
	buffer_add_text(&out, TEXT("before "));
	assert_ok(f, unseal(f, kim, "record", sealed, &out));
	assert_true(text_equal(buffer_text(&out), TEXT("before kim@example.com")));
	buffer_done(&out);
}

static void a_sealed_value_of_one_person_does_not_open_for_another(void **state)
{
	struct vault_fixture *f      = *state;
	struct text           sealed = sealed_for(f, vault_user(f, "kim"), "record", "secret");
	struct buffer         out;
	buffer_init(&out);
	assert_int_equal(unseal(f, vault_user(f, "lee"), "record", sealed, &out), STATUS_CORRUPT);
	assert_int_equal(out.length, 0);
	buffer_done(&out);
}

static void a_sealed_value_does_not_open_for_another_purpose(void **state)
{
	struct vault_fixture *f      = *state;
	struct person         kim    = vault_user(f, "kim");
	struct text           sealed = sealed_for(f, kim, "record", "secret");
	struct buffer         out;
	buffer_init(&out);
	assert_int_equal(unseal(f, kim, "recor", sealed, &out), STATUS_CORRUPT);
	assert_int_equal(unseal(f, kim, "record ", sealed, &out), STATUS_CORRUPT);
	buffer_done(&out);
}

static void a_sealed_value_that_was_touched_does_not_open(void **state)
{
	struct vault_fixture *f      = *state;
	struct person         kim    = vault_user(f, "kim");
	struct text           sealed = sealed_for(f, kim, "record", "secret");
	struct buffer         out;
	buffer_init(&out);
	for (size_t i = 0; i < sealed.length; i++) {
		char touched[64];
		assert_in_range(sealed.length, 1, sizeof touched);
		memcpy(touched, sealed.data, sealed.length);
		touched[i] ^= 1;
		assert_int_equal(unseal(f, kim, "record", (struct text){touched, sealed.length}, &out),
		                 STATUS_CORRUPT);
		assert_int_equal(unseal(f, kim, "record", (struct text){sealed.data, i}, &out),
		                 STATUS_CORRUPT);
	}
	assert_int_equal(out.length, 0);
	buffer_done(&out);
}

static void the_same_value_is_never_sealed_alike_twice(void **state)
{
	struct vault_fixture *f   = *state;
	struct person         kim = vault_user(f, "kim");
	assert_false(
		text_equal(sealed_for(f, kim, "record", "same"), sealed_for(f, kim, "record", "same")));
}

static void keys_that_the_cache_has_dropped_come_back_from_the_keyring(void **state)
{
	struct vault_fixture *f = *state;
	struct person         persons[MANY];
	resolve_many(f, persons, true);
	struct text sealed[MANY];
	for (int i = 0; i < MANY; i++)
		sealed[i] = sealed_for(f, persons[i], "record", "value");
	vault_fixture_reopen(f); /* an empty cache */
	for (int i = 0; i < MANY; i++) {
		struct buffer out;
		buffer_init(&out);
		assert_ok(f, unseal(f, persons[i], "record", sealed[i], &out));
		assert_true(text_equal(buffer_text(&out), TEXT("value")));
		buffer_done(&out);
	}
}

struct linked {
	bool          existed;
	struct person before;
};

static struct linked link_visitor(struct vault_fixture *f, const char *anonymous_id,
                                  struct person user)
{
	struct linked linked = {0};
	uint64_t      sequence;
	assert_ok(f, vault_link(f->vault, text_of(anonymous_id), user, &linked.existed, &linked.before,
	                        &sequence, &f->err));
	vault_wait(f->vault, sequence);
	return linked;
}

static void a_linked_visitor_answers_its_user(void **state)
{
	struct vault_fixture *f       = *state;
	struct person         user    = vault_user(f, "kim");
	struct person         visitor = vault_visitor(f, "v1");
	struct linked         linked  = link_visitor(f, "v1", user);
	assert_true(linked.existed);
	assert_true(person_equal(linked.before, visitor));
	for (int round = 0; round < 2; round++) {
		assert_true(person_equal(vault_visitor(f, "v1"), user));
		/* The visitor's own profile stays what it is. */
		struct vault_id id;
		assert_ok(f, vault_external_id(f->vault, visitor, &f->arena, &id, &f->err));
		assert_true(text_equal(id.id, TEXT("v1")));
		vault_fixture_reopen(f);
	}
}

static void linking_an_unknown_visitor_makes_no_person_of_its_own(void **state)
{
	struct vault_fixture *f    = *state;
	struct person         user = vault_user(f, "kim");
	struct vault_status   status;
	assert_false(link_visitor(f, "v1", user).existed);
	vault_status(f->vault, &status);
	assert_int_equal(status.persons, 1);
	assert_int_equal(status.links, 1);
	vault_fixture_reopen(f);
	assert_true(person_equal(vault_visitor(f, "v1"), user));
	vault_status(f->vault, &status);
	assert_int_equal(status.persons, 1);
	assert_int_equal(status.links, 1);
}

static void the_last_link_of_a_visitor_wins_also_after_reopening(void **state)
{
	struct vault_fixture *f   = *state;
	struct person         kim = vault_user(f, "kim"), lee = vault_user(f, "lee");
	link_visitor(f, "v1", kim);
	struct linked moved = link_visitor(f, "v1", lee);
	assert_true(moved.existed);
	assert_true(person_equal(moved.before, kim));
	assert_true(person_equal(vault_visitor(f, "v1"), lee));
	vault_fixture_reopen(f);
	assert_true(person_equal(vault_visitor(f, "v1"), lee));
}

static void count_merge(void *context, const struct vault_merge *merge)
{
	(void)merge;
	++*(unsigned *)context;
}

static void a_visitors_profile_goes_to_the_user_that_he_was_linked_to_first(void **state)
{
	struct vault_fixture *f       = *state;
	struct person         kim     = vault_user(f, "kim");
	struct person         lee     = vault_user(f, "lee");
	struct person         visitor = vault_visitor(f, "v1");
	struct vault_merge    merge;
	assert_false(vault_merged(f->vault, TEXT("v1"), &merge));
	link_visitor(f, "v1", kim);
	link_visitor(f, "v1", lee);
	link_visitor(f, "v1", kim);
	link_visitor(f, "v2", lee); /* without a profile */
	for (int round = 0; round < 2; round++) {
		unsigned count = 0;
		assert_true(vault_merged(f->vault, TEXT("v1"), &merge));
		assert_true(person_equal(merge.visitor, visitor));
		assert_true(person_equal(merge.user, kim));
		assert_false(vault_merged(f->vault, TEXT("v2"), &merge));
		assert_false(vault_merged(f->vault, TEXT("v3"), &merge));
		vault_each_merge(f->vault, count_merge, &count);
		assert_int_equal(count, 1);
		vault_fixture_reopen(f);
	}
}

static void linking_to_the_same_user_again_writes_nothing(void **state)
{
	struct vault_fixture *f   = *state;
	struct person         kim = vault_user(f, "kim");
	link_visitor(f, "v1", kim);
	unsigned      syncs = vault_faults_syncs();
	struct linked again = link_visitor(f, "v1", kim);
	assert_true(again.existed);
	assert_true(person_equal(again.before, kim));
	assert_int_equal(vault_faults_syncs(), syncs);
}

static void a_link_to_nobody_is_not_found_and_changes_nothing(void **state)
{
	struct vault_fixture *f       = *state;
	struct person         visitor = vault_visitor(f, "v1");
	struct linked         linked;
	uint64_t              sequence;
	assert_int_equal(vault_link(f->vault, TEXT("v1"), (struct person){0, 4711}, &linked.existed,
	                            &linked.before, &sequence, &f->err),
	                 STATUS_NOT_FOUND);
	assert_true(person_equal(vault_visitor(f, "v1"), visitor));
}

static void users_and_linked_visitors_are_identified_and_others_are_not(void **state)
{
	struct vault_fixture *f      = *state;
	struct vault_id       ids[4] = {{VAULT_USER, TEXT("kim")},
	                                {VAULT_ANONYMOUS, TEXT("linked")},
	                                {VAULT_ANONYMOUS, TEXT("alone")},
	                                {VAULT_USER, TEXT("unknown")}};
	vault_visitor(f, "linked"); /* known before it was linked */
	link_visitor(f, "linked", vault_user(f, "kim"));
	vault_visitor(f, "alone");
	for (int round = 0; round < 2; round++) {
		struct person persons[4];
		bool          identified[4];
		uint64_t      sequence;
		assert_ok(f,
		          vault_resolve(f->vault, ids, 4, false, persons, identified, &sequence, &f->err));
		assert_true(identified[0]);
		assert_true(identified[1]);
		assert_false(identified[2]);
		assert_false(identified[3]);
		vault_fixture_reopen(f);
	}
}

static void an_id_is_known_once_it_names_a_person_or_is_linked(void **state)
{
	struct vault_fixture *f    = *state;
	struct person         user = vault_user(f, "kim");
	link_visitor(f, "v1", user);
	assert_true(vault_known(f->vault, (struct vault_id){VAULT_USER, TEXT("kim")}));
	assert_true(vault_known(f->vault, (struct vault_id){VAULT_ANONYMOUS, TEXT("v1")}));
	assert_false(vault_known(f->vault, (struct vault_id){VAULT_USER, TEXT("v1")}));
	vault_look_up(f, VAULT_USER, "only looked up");
	assert_false(vault_known(f->vault, (struct vault_id){VAULT_USER, TEXT("only looked up")}));
}

static void the_files_hold_no_id_and_the_keyring_is_its_owners_alone(void **state)
{
	struct vault_fixture *f = *state;
	vault_user(f, "very-recognisable-id");
	vault_fixture_close(f);
	const char *const names[] = {"data/persons.log", "keys/keys.log", "keys/master.key"};
	for (size_t i = 0; i < 3; i++) {
		size_t   length;
		uint8_t *bytes = vault_fixture_read(f, names[i], &length);
		assert_null(memmem(bytes, length, "recognisable", 12));
		free(bytes);
		struct stat info;
		assert_int_equal(stat(vault_fixture_path(f, names[i]), &info), 0);
		assert_int_equal(info.st_mode & 0777, 0600);
	}
	struct stat info;
	assert_int_equal(stat(f->keyring, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0700);
}

static uint32_t u32_at(const uint8_t *bytes, size_t offset)
{
	uint32_t value;
	memcpy(&value, bytes + offset, sizeof value);
	return value;
}

static uint64_t u64_at(const uint8_t *bytes, size_t offset)
{
	uint64_t value;
	memcpy(&value, bytes + offset, sizeof value);
	return value;
}

static void persons_log_lies_as_its_page_says(void **state)
{
	struct vault_fixture *f   = *state;
	struct person         kim = vault_user(f, "kim");
	link_visitor(f, "v1", kim);
	vault_fixture_close(f);
	size_t   length;
	uint8_t *bytes = vault_fixture_read(f, "data/persons.log", &length);
	assert_memory_equal(bytes, "SONNIMVP", 8);
	assert_int_equal(u32_at(bytes, 8), 1);
	assert_int_equal(u32_at(bytes, 12), 4);
	assert_memory_equal(bytes + 16, f->config.workspace_id, 16);

	/* Run 1: the user, its sealed id of 12 + 3 + 16 bytes and 1 of padding. */
	const uint8_t *run = bytes + 64;
	assert_memory_equal(run, "VRUN", 4);
	assert_int_equal(u32_at(run, 4), 64);
	assert_int_equal(u64_at(run, 8), 1);
	assert_int_equal(u64_at(run, 16), 4);
	assert_int_equal(run[32], 1);
	assert_int_equal(run[33], VAULT_USER);
	assert_int_equal(run[34] | run[35] << 8, 31);
	assert_int_equal(u32_at(run, 36), 3);
	assert_int_equal(u64_at(run, 40), person_number(kim));
	assert_int_equal(run[32 + 63], 0);

	/* The link: behind it, and behind an empty run when that was written in between. */
	const uint8_t *next = run + 32 + 64;
	if (u32_at(next, 4) == 0)
		next += 32;
	assert_memory_equal(next, "VRUN", 4);
	assert_int_equal(u32_at(next, 4), 40);
	assert_int_equal(next[32], 2);
	assert_int_equal(u64_at(next, 40), person_number(kim));
	free(bytes);
}

static void keys_log_lies_as_its_page_says(void **state)
{
	struct vault_fixture *f   = *state;
	struct person         kim = vault_user(f, "kim");
	vault_fixture_close(f);
	size_t   length;
	uint8_t *bytes = vault_fixture_read(f, "keys/keys.log", &length);
	assert_int_equal(length, 4 * 64);
	assert_int_equal(u64_at(bytes, 0), UINT64_C(1) << 56 | 1);
	assert_memory_equal(bytes + 8, "SONNIMVK", 8);
	assert_memory_equal(bytes + 16, f->config.workspace_id, 16);
	assert_int_equal(u64_at(bytes, 64), UINT64_C(2) << 56);
	assert_int_equal(u64_at(bytes, 128), UINT64_C(3) << 56 | (uint64_t)kim.partition << 32);
	assert_int_equal(u64_at(bytes, 192), UINT64_C(4) << 56 | person_number(kim));
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_TEST(an_id_is_the_same_person_each_time),
		VAULT_TEST(users_and_visitors_are_separate_name_spaces),
		VAULT_TEST(an_unknown_id_that_is_not_to_be_created_has_a_partition_and_no_slot),
		VAULT_TEST(an_unknown_id_twice_in_a_batch_is_one_person),
		VAULT_TEST(slots_of_a_partition_are_dense_and_unique),
		VAULT_TEST(after_reopening_every_id_has_its_number_and_new_ones_get_new_numbers),
		VAULT_TEST(slots_that_the_journal_has_used_are_not_handed_out_again),
		VAULT_TEST(the_external_id_of_a_person_is_that_under_which_it_was_created),
		VAULT_TEST(an_id_of_the_greatest_length_comes_back_whole),
		VAULT_TEST(nobody_has_a_slot_that_was_never_handed_out),
		VAULT_TEST(a_sealed_value_opens_for_its_person_and_purpose_also_after_reopening),
		VAULT_TEST(a_sealed_value_of_one_person_does_not_open_for_another),
		VAULT_TEST(a_sealed_value_does_not_open_for_another_purpose),
		VAULT_TEST(a_sealed_value_that_was_touched_does_not_open),
		VAULT_TEST(the_same_value_is_never_sealed_alike_twice),
		VAULT_TEST(keys_that_the_cache_has_dropped_come_back_from_the_keyring),
		VAULT_TEST(a_linked_visitor_answers_its_user),
		VAULT_TEST(linking_an_unknown_visitor_makes_no_person_of_its_own),
		VAULT_TEST(the_last_link_of_a_visitor_wins_also_after_reopening),
		VAULT_TEST(a_visitors_profile_goes_to_the_user_that_he_was_linked_to_first),
		VAULT_TEST(linking_to_the_same_user_again_writes_nothing),
		VAULT_TEST(a_link_to_nobody_is_not_found_and_changes_nothing),
		VAULT_TEST(what_belongs_to_nobody_is_sealed_by_the_keyring_for_its_purpose),
		VAULT_TEST(users_and_linked_visitors_are_identified_and_others_are_not),
		VAULT_TEST(an_id_is_known_once_it_names_a_person_or_is_linked),
		VAULT_TEST(persons_log_lies_as_its_page_says),
		VAULT_TEST(keys_log_lies_as_its_page_says),
		VAULT_TEST(the_files_hold_no_id_and_the_keyring_is_its_owners_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
