#include "vault/key_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { PARTITIONS = 16, SLOTS = 1000 };

static int new_cache(void **state)
{
	struct key_cache *cache = aligned_alloc(_Alignof(struct key_cache), sizeof *cache);
	assert_non_null(cache);
	key_cache_init(cache, PARTITIONS);
	*state = cache;
	return 0;
}

static int free_cache(void **state)
{
	key_cache_done(*state);
	free(*state);
	return 0;
}

static uint64_t number_of(uint32_t partition, uint32_t slot)
{
	return person_number((struct person){partition, slot});
}

static void put(struct key_cache *cache, uint64_t number)
{
	uint8_t key[CIPHER_KEY_BYTES] = {0};
	memcpy(key, &number, sizeof number);
	key_cache_put(cache, number, key);
}

static bool has(struct key_cache *cache, uint64_t number)
{
	uint8_t  key[CIPHER_KEY_BYTES];
	uint64_t got;
	if (!key_cache_get(cache, number, key))
		return false;
	memcpy(&got, key, sizeof got);
	assert_int_equal(got, number);
	return true;
}

static void nobody_gives_way_before_there_are_more_than_it_holds(void **state)
{
	struct key_cache *cache = *state;
	for (uint32_t partition = 0; partition < PARTITIONS; partition++)
		for (uint32_t slot = 0; slot < SLOTS; slot++)
			put(cache, number_of(partition, slot));
	for (uint32_t partition = 0; partition < PARTITIONS; partition++)
		for (uint32_t slot = 0; slot < SLOTS; slot++)
			assert_true(has(cache, number_of(partition, slot)));
}

static void few_persons_lie_at_its_begin_whatever_their_partitions(void **state)
{
	struct key_cache *cache = *state;
	for (uint32_t partition = 0; partition < PARTITIONS; partition++)
		for (uint32_t slot = 0; slot < SLOTS; slot++)
			put(cache, number_of(partition, slot));
	size_t used = 0;
	for (size_t i = 0; i < cache->set_count; i++)
		if (cache->sets[i].tags[0] != 0)
			used = i + 1;
	assert_int_equal(used, PARTITIONS * SLOTS / KEY_CACHE_WAYS);
}

/* So many slots further the same set begins anew. */
static uint32_t slots_around(const struct key_cache *cache)
{
	return (uint32_t)(cache->set_count / PARTITIONS * KEY_CACHE_WAYS);
}

static void a_full_set_lets_them_give_way_in_turn(void **state)
{
	struct key_cache *cache = *state;
	for (uint32_t i = 0; i <= KEY_CACHE_WAYS; i++)
		put(cache, number_of(3, 8 + i * slots_around(cache)));
	assert_false(has(cache, number_of(3, 8)));
	for (uint32_t i = 1; i <= KEY_CACHE_WAYS; i++)
		assert_true(has(cache, number_of(3, 8 + i * slots_around(cache))));
}

static void a_removed_key_is_wiped_and_its_neighbours_stay(void **state)
{
	struct key_cache *cache = *state;
	for (uint32_t slot = 0; slot < KEY_CACHE_WAYS; slot++)
		put(cache, number_of(0, slot));
	key_cache_remove(cache, number_of(0, 2));
	static const uint8_t none[CIPHER_KEY_BYTES];
	for (uint32_t slot = 0; slot < KEY_CACHE_WAYS; slot++)
		assert_int_equal(has(cache, number_of(0, slot)), slot != 2);
	assert_memory_equal(cache->sets[0].keys[2], none, sizeof none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_cache, free_cache)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nobody_gives_way_before_there_are_more_than_it_holds),
		TEST(few_persons_lie_at_its_begin_whatever_their_partitions),
		TEST(a_full_set_lets_them_give_way_in_turn),
		TEST(a_removed_key_is_wiped_and_its_neighbours_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
