#include "api/audience/sampled.h"

#include "api/call_audit.h"
#include "api/reads.h"
#include "vault/mask.h"

void sampled_init(struct sampled *sampled, const struct query_sample *sample)
{
	sampled->count = sample->count;
	for (uint32_t i = 0; i < sample->count; i++) {
		sampled->persons[i] = (struct sampled_person){.person = sample->persons[i].person};
		arena_init(&sampled->persons[i].arena);
	}
}

void sampled_done(struct sampled *sampled)
{
	for (uint32_t i = 0; i < sampled->count; i++)
		arena_done(&sampled->persons[i].arena);
	sampled->count = 0;
}

void sampled_copy(struct sampled *sampled, struct view *view)
{
	for (uint32_t i = 0; i < sampled->count; i++) {
		struct sampled_person *one = &sampled->persons[i];
		if (one->person.partition == view_partition(view))
			person_traits_copy(view, one->person.slot, true, &one->arena, &one->traits);
	}
}

static void write_traits(struct api_call *call, struct json_writer *writer,
                         const struct person_traits *traits)
{
	struct text   personal = person_traits_personal(call, traits);
	struct buffer masked   = {0};
	if (!call_shows_personal(call)) {
		mask_list(personal, &masked);
		personal = buffer_text(&masked);
	}
	json_add_key(writer, TEXT("traits"));
	reads_write_values(writer, traits->view.traits, &personal);
	buffer_done(&masked);
}

void sampled_write(struct api_call *call, struct json_writer *writer, const struct sampled *sampled)
{
	json_begin_array(writer);
	for (uint32_t i = 0; i < sampled->count; i++) {
		const struct sampled_person *one = &sampled->persons[i];
		if (!one->traits.found) /* gone since */
			continue;
		json_begin_object(writer);
		call_write_person(call, writer, one->person);
		write_traits(call, writer, &one->traits);
		json_end_object(writer);
	}
	json_end_array(writer);
}
