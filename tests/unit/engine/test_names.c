#include "engine/apply/names.h"

#include "model/value.h"
#include "run.h"

static struct buffer list_of(const char *name)
{
	struct buffer list  = {0};
	size_t        begin = value_list_begin(&list);
	value_add(&list, text_of(name), &(struct value){.type = VALUE_TRUE});
	value_list_end(&list, begin, 1);
	return list;
}

static void see_event(struct names *names, const char *event, const char *property,
                      uint64_t position)
{
	struct buffer list = list_of(property);
	names_see_event(names, text_of(event), buffer_text(&list), position);
	buffer_done(&list);
}

/* The entries of a kind: "1:name 2:name". */
static void assert_kind(const struct names *names, enum name_kind kind, const char *expected)
{
	struct buffer out = {0}, found = {0};
	names_write(names, &out);
	struct byte_reader reader = byte_reader_of(out.data, out.length);
	for (unsigned i = 0; i < NAME_KIND_COUNT; i++) {
		read_u8(&reader);
		struct text        entries = read_sized(&reader);
		struct byte_reader entry   = byte_reader_of(entries.data, entries.length);
		uint32_t           event;
		struct text        name;
		while (i == (unsigned)kind && names_read(&entry, &event, &name))
			buffer_printf(&found, "%u:%.*s ", event, TEXT_FORMAT(name));
	}
	buffer_add_u8(&found, '\0');
	assert_string_equal(found.data, expected);
	assert_int_equal(read_left(&reader), 0);
	buffer_done(&out);
	buffer_done(&found);
}

static void each_name_is_kept_once_and_properties_by_event(void **state)
{
	(void)state;
	struct names names = {0};
	for (unsigned i = 0; i < 3; i++) {
		see_event(&names, "A", "x", 1);
		see_event(&names, "B", "x", 1);
		see_event(&names, "B", "y", 1);
	}
	struct buffer traits = list_of("tier");
	names_see_traits(&names, buffer_text(&traits));
	buffer_done(&traits);
	assert_kind(&names, NAME_EVENT, "0:A 0:B ");
	assert_kind(&names, NAME_PROPERTY, "1:x 2:x 2:y ");
	assert_kind(&names, NAME_TRAIT, "0:tier ");
	names_done(&names);
}

static void properties_are_looked_at_in_the_first_events_and_then_by_position(void **state)
{
	(void)state;
	struct names names = {0};
	for (unsigned i = 1; i < NAMES_EVENTS_FIRST; i++)
		see_event(&names, "A", "x", 1);
	see_event(&names, "A", "last", 1);
	see_event(&names, "A", "missed", NAMES_POSITIONS + 1);
	assert_kind(&names, NAME_PROPERTY, "1:x 1:last ");
	see_event(&names, "A", "found", 2 * NAMES_POSITIONS);
	assert_kind(&names, NAME_PROPERTY, "1:x 1:last 1:found ");
	names_done(&names);
}

static void more_names_than_there_is_room_for_are_not_kept(void **state)
{
	(void)state;
	struct names names = {0};
	char         name[32];
	unsigned     i = 0;
	/* Not one for each: two names may have one hash. */
	for (; names.sets[NAME_EVENT].count < NAMES_MAX; i++) {
		snprintf(name, sizeof name, "event %u", i);
		names_see_event(&names, text_of(name), TEXT(""), 1);
	}
	assert_false(names.sets[NAME_EVENT].full);
	size_t length = names.sets[NAME_EVENT].written.length;
	for (unsigned more = 0; more < 100; more++) {
		snprintf(name, sizeof name, "more %u", more);
		see_event(&names, name, "x", 1);
	}
	assert_true(names.sets[NAME_EVENT].full);
	assert_int_equal(names.sets[NAME_EVENT].count, NAMES_MAX);
	assert_int_equal(names.sets[NAME_EVENT].written.length, length);
	names_done(&names);
}

static void a_partition_gives_the_same_names_when_it_is_fed_again(void **state)
{
	(void)state;
	struct run run;
	run_begin(&run);
	for (unsigned i = 0; i < 3 * NAMES_EVENTS_FIRST; i++) {
		char properties[32];
		snprintf(properties, sizeof properties, "{\"p%u\":1}", i);
		run_event(&run, i % 5, 1000 + i, INSTANT_MS_NONE, i % 2 ? "A" : "B", properties, NULL);
	}
	run_traits(&run, 1, 2000, "{\"tier\":1}");
	struct buffer first = {0}, again = {0};
	names_write(&run.partition->names, &first);
	/* 200 of the first events, and of the 100 that follow those at every 64th position. */
	assert_in_range(run.partition->names.sets[NAME_PROPERTY].count, 201, 204);

	struct partition *fresh =
		partition_new(0, RUN_RETENTION_MS, events_new(0, &run.budget), run.plans);
	for (size_t i = 0; i < run.batches.count; i++) {
		const struct run_batch *batch = &run.batches.items[i];
		struct journal_read     read  = {.record_count   = batch->count,
		                                 .records        = {batch->records, batch->size},
		                                 .first_position = batch->position,
		                                 .log_time_ms    = batch->log_time_ms};
		struct error            err;
		assert_int_equal(partition_apply(fresh, &read, 1, &err), STATUS_OK);
	}
	names_write(&fresh->names, &again);
	assert_true(text_equal(buffer_text(&first), buffer_text(&again)));
	partition_free(fresh);
	buffer_done(&first);
	buffer_done(&again);
	run_done(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_name_is_kept_once_and_properties_by_event),
		cmocka_unit_test(properties_are_looked_at_in_the_first_events_and_then_by_position),
		cmocka_unit_test(more_names_than_there_is_room_for_are_not_kept),
		cmocka_unit_test(a_partition_gives_the_same_names_when_it_is_fed_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
