#include "vault/id_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/hash.h"

enum { MANY = 200000 };

static struct id_hash hash_of(uint64_t number)
{
	return (struct id_hash){hash_bytes_seeded(&number, sizeof number, 1),
	                        hash_bytes_seeded(&number, sizeof number, 2)};
}

static int new_index(void **state)
{
	struct id_index *index = aligned_alloc(_Alignof(struct id_index), sizeof *index);
	assert_non_null(index);
	id_index_init(index, 0);
	*state = index;
	return 0;
}

static int free_index(void **state)
{
	id_index_done(*state);
	free(*state);
	return 0;
}

static void add(struct id_index *index, struct id_hash hash, uint64_t mapping)
{
	id_shard_add(id_index_shard(index, hash), hash, mapping);
}

static uint64_t find(struct id_index *index, struct id_hash hash)
{
	uint64_t *found = id_shard_find(id_index_shard(index, hash), hash);
	return found ? *found : 0;
}

static void everything_added_is_found_however_often_the_index_grew(void **state)
{
	struct id_index *index = *state;
	for (uint64_t i = 0; i < MANY; i++)
		add(index, hash_of(i), i + 1);
	assert_int_equal(id_index_count(index), MANY);
	for (uint64_t i = 0; i < MANY; i++)
		assert_int_equal(find(index, hash_of(i)), i + 1);
	for (uint64_t i = MANY; i < 2 * MANY; i++)
		assert_int_equal(find(index, hash_of(i)), 0);
	assert_in_range(id_index_memory_bytes(index), 24 * MANY, 50 * MANY);
}

static void hashes_that_share_one_word_are_told_apart(void **state)
{
	struct id_index *index = *state;
	add(index, (struct id_hash){7, 1}, 1);
	add(index, (struct id_hash){7, 2}, 2);
	assert_int_equal(find(index, (struct id_hash){7, 1}), 1);
	assert_int_equal(find(index, (struct id_hash){7, 2}), 2);
	assert_int_equal(find(index, (struct id_hash){7, 3}), 0);
}

static void hashes_at_the_end_of_a_shard_go_on_at_its_begin(void **state)
{
	struct id_index *index = *state;
	/* All at home in the last slot of the first shard. */
	uint64_t last = (UINT64_C(1) << (64 - ID_SHARD_BITS)) - 1;
	for (uint64_t i = 1; i <= 10; i++)
		add(index, (struct id_hash){last, i}, i);
	for (uint64_t i = 1; i <= 10; i++)
		assert_int_equal(find(index, (struct id_hash){last, i}), i);
}

static void a_mapping_keeps_person_and_whether_it_is_identified(void **state)
{
	(void)state;
	struct person person  = {PARTITION_COUNT_MAX - 1, SLOT_NONE - 1u};
	uint64_t      mapping = mapping_of(person, true, UINT64_MAX);
	assert_int_equal(mapping_person(mapping).partition, person.partition);
	assert_int_equal(mapping_person(mapping).slot, person.slot);
	assert_true(mapping_identified(mapping));
	mapping = mapping_of((struct person){0, 0}, false, 0);
	assert_int_not_equal(mapping, 0);
	assert_false(mapping_identified(mapping));
}

static void a_mapping_waits_for_its_group_until_that_is_durable(void **state)
{
	(void)state;
	uint64_t      wrap     = UINT64_C(1) << MAPPING_GROUP_BITS;
	struct person person   = {1, 2};
	uint64_t      groups[] = {5, wrap, 3 * wrap + 1};
	for (size_t i = 0; i < 3; i++) {
		uint64_t mapping = mapping_of(person, false, groups[i]);
		assert_int_equal(mapping_groups_to_wait(mapping, groups[i] - 2), 2);
		assert_int_equal(mapping_groups_to_wait(mapping, groups[i] - 1), 1);
		assert_int_equal(mapping_groups_to_wait(mapping, groups[i]), 0);
		assert_int_equal(mapping_groups_to_wait(mapping, groups[i] + 1000), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(everything_added_is_found_however_often_the_index_grew,
	                                    new_index, free_index),
		cmocka_unit_test_setup_teardown(hashes_that_share_one_word_are_told_apart, new_index,
	                                    free_index),
		cmocka_unit_test_setup_teardown(hashes_at_the_end_of_a_shard_go_on_at_its_begin, new_index,
	                                    free_index),
		cmocka_unit_test(a_mapping_keeps_person_and_whether_it_is_identified),
		cmocka_unit_test(a_mapping_waits_for_its_group_until_that_is_durable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
