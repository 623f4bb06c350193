#include "vault/vault_letters.h"
#include "vault_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

static const struct text purpose = {"letter", 6};

static struct text seal(struct vault_fixture *f, const char *plain)
{
	struct buffer out = {0};
	vault_seal_letter(f->vault, purpose, text_of(plain), &out);
	struct text sealed = arena_text(&f->arena, buffer_text(&out));
	buffer_done(&out);
	return sealed;
}

static enum status unseal(struct vault_fixture *f, struct text sealed, const char *expected)
{
	struct buffer out    = {0};
	enum status   status = vault_unseal_letter(f->vault, purpose, sealed, &out, &f->err);
	if (status == STATUS_OK)
		assert_true(text_equal(buffer_text(&out), text_of(expected)));
	buffer_done(&out);
	return status;
}

static void what_is_sealed_opens_also_after_reopening(void **state)
{
	struct vault_fixture *f      = *state;
	struct text           sealed = seal(f, "hello");
	assert_int_equal(unseal(f, sealed, "hello"), STATUS_OK);
	vault_fixture_reopen(f);
	assert_int_equal(unseal(f, sealed, "hello"), STATUS_OK);
}

static void behind_a_renewal_only_what_was_sealed_again_opens(void **state)
{
	struct vault_fixture *f   = *state;
	struct text           old = seal(f, "old");
	assert_true(vault_letter_is_new(f->vault, old));
	assert_ok(f, vault_letters_renew_begin(f->vault, &f->err));
	struct text new = seal(f, "new");
	assert_false(vault_letter_is_new(f->vault, old));
	assert_true(vault_letter_is_new(f->vault, new));
	assert_int_equal(unseal(f, old, "old"), STATUS_OK); /* until it has ended */
	assert_ok(f, vault_letters_renew_end(f->vault, &f->err));
	for (int round = 0; round < 2; round++) {
		assert_int_equal(unseal(f, old, "old"), STATUS_NOT_FOUND);
		assert_int_equal(unseal(f, new, "new"), STATUS_OK);
		vault_fixture_reopen(f);
	}
	for (int i = 0; i < 3; i++) {
		assert_ok(f, vault_letters_renew_begin(f->vault, &f->err));
		assert_ok(f, vault_letters_renew_end(f->vault, &f->err));
	}
	assert_int_equal(unseal(f, new, "new"), STATUS_NOT_FOUND);
}

static void a_renewal_that_was_interrupted_goes_on_with_the_same_key(void **state)
{
	struct vault_fixture *f   = *state;
	struct text           old = seal(f, "old");
	assert_ok(f, vault_letters_renew_begin(f->vault, &f->err));
	struct text new = seal(f, "new");
	vault_fixture_reopen(f);
	assert_int_equal(unseal(f, old, "old"), STATUS_OK);
	assert_ok(f, vault_letters_renew_begin(f->vault, &f->err));
	assert_true(vault_letter_is_new(f->vault, new));
	assert_ok(f, vault_letters_renew_end(f->vault, &f->err));
	assert_int_equal(unseal(f, old, "old"), STATUS_NOT_FOUND);
	assert_int_equal(unseal(f, new, "new"), STATUS_OK);
}

static void what_was_sealed_before_there_was_such_a_key_opens(void **state)
{
	struct vault_fixture *f   = *state;
	struct buffer         out = {0};
	vault_seal_common(f->vault, purpose, TEXT("from before"), &out);
	assert_int_equal(unseal(f, buffer_text(&out), "from before"), STATUS_OK);
	assert_false(vault_letter_is_new(f->vault, buffer_text(&out)));
	buffer_done(&out);
}

static void what_was_touched_does_not_open(void **state)
{
	struct vault_fixture *f      = *state;
	struct text           sealed = seal(f, "hello");
	((char *)(uintptr_t)sealed.data)[sealed.length - 1] ^= 1;
	assert_int_not_equal(unseal(f, sealed, "hello"), STATUS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_TEST(what_is_sealed_opens_also_after_reopening),
		VAULT_TEST(behind_a_renewal_only_what_was_sealed_again_opens),
		VAULT_TEST(a_renewal_that_was_interrupted_goes_on_with_the_same_key),
		VAULT_TEST(what_was_sealed_before_there_was_such_a_key_opens),
		VAULT_TEST(what_was_touched_does_not_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
