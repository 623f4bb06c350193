#include "engine/apply/profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "model/value.h"

enum { SLOT = 7 };

static void add_series(struct profiles *profiles, struct profile *profile, uint32_t feature)
{
	struct person_feature *kept = profile_feature_add(profiles, profile, feature);
	kept->series                = series_new(SERIES_TIMES);
	for (int i = 0; i < 20; i++)
		kept->series = series_add(kept->series, 0, i, (union series_item){0});
	profiles_count_series(profiles, 0, series_bytes(kept->series));
}

static void set_personal_trait(struct profiles *profiles, struct profile *profile)
{
	struct buffer list  = {0};
	size_t        begin = value_list_begin(&list);
	value_add(&list, TEXT("email"), &(struct value){.type = VALUE_PERSONAL});
	value_list_end(&list, begin, 1);
	profile_set_traits(profiles, profile, buffer_text(&list), TEXT("what only a key opens"),
	                   (struct person){0, SLOT});
	buffer_done(&list);
}

static void what_a_person_took_is_counted_no_more_when_it_is_freed(void **state)
{
	(void)state;
	struct profiles profiles = {0};
	struct profile *profile  = profiles_place(&profiles, SLOT);
	profile->exists          = true;
	uint64_t idle_bytes      = profiles.bytes;

	set_personal_trait(&profiles, profile);
	for (uint32_t i = 0; i < 30; i++) {
		add_series(&profiles, profile, i);
		profile_membership_insert(&profiles, profile, i, i);
	}
	assert_true(profiles.feature_bytes > 0);
	assert_true(profiles.membership_bytes > 0);
	assert_true(profiles.bytes > idle_bytes + profiles.feature_bytes + profiles.membership_bytes);

	profile_clear(&profiles, profile);
	assert_int_equal(profiles.feature_bytes, 0);
	assert_int_equal(profiles.membership_bytes, 0);
	assert_int_equal(profiles.bytes, idle_bytes);
	profiles_done(&profiles);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_person_took_is_counted_no_more_when_it_is_freed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
