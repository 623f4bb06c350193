#include "api/user/person_traits.h"

#include "api/reads.h"
#include "model/value.h"

void person_traits_copy(struct view *view, uint32_t slot, bool personal, struct arena *arena,
                        struct person_traits *ret_traits)
{
	*ret_traits       = (struct person_traits){0};
	ret_traits->found = view_person(view, slot, &ret_traits->view);
	if (!ret_traits->found)
		return;
	ret_traits->view.traits = arena_text(arena, ret_traits->view.traits);
	if (!personal)
		return;
	ret_traits->block_count = view_sealed_traits(view, slot, arena, &ret_traits->blocks);
	for (size_t i = 0; i < ret_traits->block_count; i++) {
		struct view_sealed *block = &ret_traits->blocks[i];
		block->sealed             = arena_text(arena, block->sealed);
		for (size_t n = 0; n < block->name_count; n++)
			block->names[n] = arena_text(arena, block->names[n]);
	}
}

static unsigned add_block(struct api_call *call, const struct view_sealed *block,
                          struct buffer *list)
{
	struct buffer plain = {0};
	struct error  err;
	unsigned      count = 0;
	if (reads_unseal(call, block->sealer, block->sealed, &plain, &err) == STATUS_OK) {
		struct byte_reader reader = byte_reader_of(plain.data, plain.length);
		struct text        traits = read_sized(&reader);
		for (struct value_reader r = value_read(traits); value_next(&r);)
			if (view_sealed_has(block, r.name)) {
				value_add(list, r.name, &r.value);
				count++;
			}
	}
	buffer_done(&plain);
	return count;
}

struct text person_traits_personal(struct api_call *call, const struct person_traits *traits)
{
	struct buffer list  = {0};
	unsigned      count = 0;
	size_t        begin = value_list_begin(&list);
	for (size_t i = 0; i < traits->block_count; i++)
		count += add_block(call, &traits->blocks[i], &list);
	value_list_end(&list, begin, count);
	struct text kept = arena_text(call->arena, buffer_text(&list));
	buffer_done(&list);
	return kept;
}
