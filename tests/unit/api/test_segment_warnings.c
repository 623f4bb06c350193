#include "api/segment/segment_warnings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "engine/apply/names.h"
#include "model/rules.h"
#include "model/value.h"

static void see(struct names *names, const char *event, const char *property)
{
	struct buffer list  = {0};
	size_t        begin = value_list_begin(&list);
	value_add(&list, text_of(property), &(struct value){.type = VALUE_TRUE});
	value_list_end(&list, begin, 1);
	names_see_event(names, text_of(event), buffer_text(&list), 1);
	buffer_done(&list);
}

/* What is warned of in `definition` where the two partitions have seen these. */
static void assert_warnings(const struct names partitions[2], const char *definition,
                            const char *expected)
{
	struct buffer        copies[2] = {{0}, {0}};
	struct segment_names names     = {copies, 2};
	names_write(&partitions[0], &copies[0]);
	names_write(&partitions[1], &copies[1]);

	struct json_parser *parser = json_parser_new();
	struct arena        arena;
	struct json         body;
	struct expr        *expr;
	struct error        err = {0};
	arena_init(&arena);
	assert_int_equal(json_parse_text(parser, text_of(definition), &body, &err), STATUS_OK);
	assert_int_equal(rules_parse(body, &arena, &expr, &err), STATUS_OK);

	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	segment_warnings_write(&w, body, expr, NULL, 0, &names);
	buffer_add_u8(&out, '\0');
	assert_string_equal(out.data, expected);
	buffer_done(&out);
	segment_names_done(&names);
	arena_done(&arena);
	json_parser_free(parser);
}

#define SUM(event, property)                                                                       \
	"{\"expression\":{\"event\":\"" event "\",\"aggregate\":\"sum\",\"property\":\"" property      \
	"\",\"op\":\"gt\",\"value\":1}}"

static void a_name_is_known_when_any_partition_has_it(void **state)
{
	(void)state;
	struct names partitions[2] = {0};
	see(&partitions[0], "A", "x");
	see(&partitions[1], "B", "other");
	see(&partitions[1], "A", "price");
	assert_warnings(partitions, SUM("A", "x"), "[]");
	assert_warnings(partitions, SUM("A", "price"), "[]");
	names_done(&partitions[0]);
	names_done(&partitions[1]);
}

static void a_property_of_another_event_is_not_known(void **state)
{
	(void)state;
	struct names partitions[2] = {0};
	see(&partitions[0], "A", "price");
	see(&partitions[1], "B", "prices");
	assert_warnings(
		partitions, SUM("B", "price"),
		"[{\"field\":\"expression.property\",\"message\":\"No \\\"B\\\" with a property "
		"\\\"price\\\" was ever seen\",\"nearest\":\"prices\"}]");
	assert_warnings(partitions, SUM("*", "price"), "[]");
	names_done(&partitions[0]);
	names_done(&partitions[1]);
}

static void nothing_is_said_of_a_kind_that_has_no_room(void **state)
{
	(void)state;
	struct names partitions[2] = {0};
	see(&partitions[0], "A", "x");
	partitions[1].sets[NAME_EVENT].full = true;
	assert_warnings(partitions, SUM("Unknown", "x"), "[]");
	assert_warnings(partitions, SUM("A", "unknown"), "[]");
	names_done(&partitions[0]);
	names_done(&partitions[1]);
}

static void warnings_have_a_limit(void **state)
{
	(void)state;
	struct names  partitions[2] = {0};
	struct buffer definition = {0}, expected = {0};
	buffer_add_text(&definition, TEXT("{\"expression\":{\"or\":["));
	buffer_add_text(&expected, TEXT("["));
	for (unsigned i = 0; i <= SEGMENT_WARNINGS_MAX; i++) {
		buffer_printf(&definition, "%s{\"trait\":\"unknown trait %u\",\"op\":\"exists\"}",
		              i == 0 ? "" : ",", i);
		if (i < SEGMENT_WARNINGS_MAX)
			buffer_printf(&expected,
			              "%s{\"field\":\"expression.or[%u].trait\",\"message\":\"No trait "
			              "\\\"unknown trait %u\\\" was ever seen\",\"nearest\":null}",
			              i == 0 ? "" : ",", i, i);
	}
	buffer_add(&definition, "]}}", 4);
	buffer_add(&expected, "]", 2);
	assert_warnings(partitions, definition.data, expected.data);
	buffer_done(&definition);
	buffer_done(&expected);
}

static void steps_of_a_sequence_are_named_by_their_index(void **state)
{
	(void)state;
	struct names partitions[2] = {0};
	see(&partitions[0], "Viewed", "category");
	see(&partitions[1], "Ordered", "revenue");
	assert_warnings(
		partitions,
		"{\"expression\":\"not sequence(Viewed then Orderd then Ordered where revenu > 1)\"}",
		"[{\"field\":\"expression.not.sequence[1].event\",\"message\":\"No event \\\"Orderd\\\" "
		"was "
		"ever seen\",\"nearest\":\"Ordered\"},"
		"{\"field\":\"expression.not.sequence[2].where.property\",\"message\":\"No "
		"\\\"Ordered\\\" with a property \\\"revenu\\\" was ever seen\",\"nearest\":\"revenue\"}]");
	names_done(&partitions[0]);
	names_done(&partitions[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_known_when_any_partition_has_it),
		cmocka_unit_test(a_property_of_another_event_is_not_known),
		cmocka_unit_test(nothing_is_said_of_a_kind_that_has_no_room),
		cmocka_unit_test(warnings_have_a_limit),
		cmocka_unit_test(steps_of_a_sequence_are_named_by_their_index),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
