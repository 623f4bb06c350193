#include "base/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../seed.h"

enum { BLOCKS = 2000, STEPS = 20000 };

static void rooms_hold_what_is_asked_for_and_waste_a_quarter_at_most(void **state)
{
	(void)state;
	for (size_t size = 1; size <= SLAB_BYTES_MAX; size++) {
		size_t room = slab_room(size);
		assert_true(room >= size && room % 8 == 0);
		assert_true(room - size < (size <= 128 ? 8 : size / 4 + 1));
		assert_int_equal(slab_room(room), room);
	}
	assert_int_equal(slab_room(SLAB_BYTES_MAX + 1), SLAB_BYTES_MAX + 1);
}

static void blocks_do_not_overlap(void **state)
{
	(void)state;
	static struct {
		unsigned char *bytes;
		size_t         size;
		unsigned char  mark;
	} blocks[BLOCKS];
	seed_begin("slab");
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned at = (unsigned)seed_below(BLOCKS);
		for (size_t i = 0; i < blocks[at].size; i++)
			assert_int_equal(blocks[at].bytes[i], blocks[at].mark);
		slab_put(blocks[at].bytes, blocks[at].size);
		blocks[at].size  = seed_below(50) == 0 ? seed_below(2 * SLAB_BYTES_MAX) : seed_below(300);
		blocks[at].mark  = (unsigned char)step;
		blocks[at].bytes = slab_get(blocks[at].size);
		assert_int_equal((uintptr_t)blocks[at].bytes % 8, 0);
		if (blocks[at].size > 0)
			memset(blocks[at].bytes, blocks[at].mark, blocks[at].size);
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		slab_put(blocks[i].bytes, blocks[i].size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rooms_hold_what_is_asked_for_and_waste_a_quarter_at_most),
		cmocka_unit_test(blocks_do_not_overlap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
