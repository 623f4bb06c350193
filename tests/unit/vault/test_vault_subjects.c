#include "vault/vault_subjects.h"
#include "vault_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct vault_id kim         = {VAULT_USER, {"kim", 3}},
							 kim_visitor = {VAULT_ANONYMOUS, {"kim", 3}},
							 lee         = {VAULT_USER, {"lee", 3}};

static void note(struct vault_fixture *f, struct vault_id id, enum vault_mark mark, int64_t at_ms)
{
	assert_ok(f, vault_note_subjects(f->vault,
	                                 &(struct vault_note){.id = id, .mark = mark, .at_ms = at_ms},
	                                 1, &f->err));
}

static bool suppressed(struct vault_fixture *f, struct vault_id id)
{
	return vault_any_suppressed(f->vault, &id, 1);
}

static void who_is_suppressed_stays_so_until_released_also_after_reopening(void **state)
{
	struct vault_fixture *f = *state;
	assert_false(vault_suppresses(f->vault));
	note(f, kim, VAULT_SUPPRESSED, 1);
	for (int round = 0; round < 2; round++) {
		assert_true(vault_suppresses(f->vault));
		assert_true(suppressed(f, kim));
		assert_false(suppressed(f, kim_visitor));
		assert_false(suppressed(f, lee));
		vault_fixture_reopen(f);
	}
	note(f, kim, VAULT_RELEASED, 2);
	for (int round = 0; round < 2; round++) {
		assert_false(vault_suppresses(f->vault));
		assert_false(suppressed(f, kim));
		vault_fixture_reopen(f);
	}
}

static void one_suppressed_id_among_several_is_enough(void **state)
{
	struct vault_fixture *f = *state;
	note(f, kim, VAULT_SUPPRESSED, 1);
	const struct vault_id ids[] = {{VAULT_USER, {0}}, lee, kim};
	assert_true(vault_any_suppressed(f->vault, ids, 3));
	assert_false(vault_any_suppressed(f->vault, ids, 2));
}

static bool is_his(struct vault_fixture *f, const char *anonymous_id)
{
	return vault_linked_to_suppressed(f->vault, text_of(anonymous_id));
}

static struct person person_of(struct vault_fixture *f, struct vault_id id)
{
	struct person person;
	uint64_t      sequence;
	assert_ok(f, vault_resolve(f->vault, &id, 1, true, &person, NULL, &sequence, &f->err));
	return person;
}

static void link_to(struct vault_fixture *f, const char *anonymous_id, struct vault_id user)
{
	struct person before;
	uint64_t      sequence;
	bool          existed;
	assert_ok(f, vault_link(f->vault, text_of(anonymous_id), person_of(f, user), &existed, &before,
	                        &sequence, &f->err));
}

static void an_id_that_is_linked_to_who_is_suppressed_is_his_as_long_as_it_is(void **state)
{
	struct vault_fixture *f = *state;
	link_to(f, "phone", kim);
	link_to(f, "desk", lee);
	person_of(f, (struct vault_id){VAULT_ANONYMOUS, TEXT("nobody's")});
	assert_false(is_his(f, "phone"));
	note(f, kim, VAULT_SUPPRESSED, 1);
	for (int round = 0; round < 2; round++) {
		assert_true(is_his(f, "phone"));
		assert_false(is_his(f, "desk") || is_his(f, "nobody's") || is_his(f, "unknown"));
		assert_false(is_his(f, "kim") || is_his(f, ""));
		vault_fixture_reopen(f);
	}
	link_to(f, "phone", lee);
	assert_false(is_his(f, "phone"));
	link_to(f, "phone", kim);
	note(f, kim, VAULT_RELEASED, 2);
	for (int round = 0; round < 2; round++) {
		assert_false(is_his(f, "phone"));
		vault_fixture_reopen(f);
	}
}

/* Of a restore, or of a message that was let in just before. */
static void a_user_who_is_made_behind_his_suppression_is_suppressed(void **state)
{
	struct vault_fixture *f = *state;
	note(f, kim, VAULT_SUPPRESSED, 1);
	link_to(f, "phone", kim);
	assert_true(is_his(f, "phone"));
}

/* The user to whom it is linked was not named. */
static void a_suppressed_visitor_s_user_is_not_suppressed(void **state)
{
	struct vault_fixture *f = *state;
	link_to(f, "phone", kim);
	link_to(f, "desk", kim);
	note(f, (struct vault_id){VAULT_ANONYMOUS, TEXT("phone")}, VAULT_SUPPRESSED, 1);
	for (int round = 0; round < 2; round++) {
		assert_false(is_his(f, "desk"));
		assert_false(suppressed(f, kim));
		vault_fixture_reopen(f);
	}
}

struct noted {
	unsigned count;
	int64_t  at_ms;
	uint8_t  mark;
};

static void on_note(void *context, enum vault_mark mark, int64_t at_ms,
                    const uint8_t request[VAULT_REQUEST_BYTES])
{
	struct noted *noted = context;
	assert_int_equal(request[0], 0);
	noted->count++;
	noted->at_ms = at_ms;
	noted->mark  = (uint8_t)mark;
}

static void what_was_noted_of_an_id_is_told_to_who_has_it(void **state)
{
	struct vault_fixture *f = *state;
	note(f, kim, VAULT_SUPPRESSED, 1);
	note(f, kim, VAULT_ERASED, 7);
	note(f, lee, VAULT_ERASED, 9);
	struct noted noted = {0};
	assert_ok(f, vault_subject_notes(f->vault, kim, on_note, &noted, &f->err));
	assert_int_equal(noted.count, 2);
	assert_int_equal(noted.at_ms, 7);
	assert_int_equal(noted.mark, VAULT_ERASED);
	assert_true(suppressed(f, kim)); /* an erasure is none of a suppression's business */
}

static void a_torn_tail_is_cut_and_the_rest_holds(void **state)
{
	struct vault_fixture *f = *state;
	size_t                length;
	note(f, kim, VAULT_SUPPRESSED, 1);
	note(f, lee, VAULT_SUPPRESSED, 2);
	vault_fixture_close(f);
	uint8_t *bytes = vault_fixture_read(f, "keys/subjects.log", &length);
	assert_int_equal(length, 128);
	bytes[100] ^= 1;
	vault_fixture_write(f, "keys/subjects.log", bytes, length - 7);
	free(bytes);
	assert_int_equal(vault_fixture_open(f), STATUS_OK);
	assert_true(suppressed(f, kim));
	assert_false(suppressed(f, lee));
	note(f, lee, VAULT_SUPPRESSED, 3);
	vault_fixture_reopen(f);
	assert_true(suppressed(f, lee));
}

static void the_file_holds_no_id(void **state)
{
	struct vault_fixture *f = *state;
	size_t                length;
	note(f, (struct vault_id){VAULT_USER, TEXT("a-very-long-id")}, VAULT_SUPPRESSED, 1);
	uint8_t *bytes = vault_fixture_read(f, "keys/subjects.log", &length);
	assert_null(memmem(bytes, length, "very-long", 9));
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_TEST(who_is_suppressed_stays_so_until_released_also_after_reopening),
		VAULT_TEST(one_suppressed_id_among_several_is_enough),
		VAULT_TEST(an_id_that_is_linked_to_who_is_suppressed_is_his_as_long_as_it_is),
		VAULT_TEST(a_user_who_is_made_behind_his_suppression_is_suppressed),
		VAULT_TEST(a_suppressed_visitor_s_user_is_not_suppressed),
		VAULT_TEST(what_was_noted_of_an_id_is_told_to_who_has_it),
		VAULT_TEST(a_torn_tail_is_cut_and_the_rest_holds),
		VAULT_TEST(the_file_holds_no_id),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
