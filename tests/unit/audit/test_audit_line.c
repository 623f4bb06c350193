#include "audit/audit_line.h"

#include <string.h>

#include "audit_fixture.h"

static const struct audit_record record = {.action      = TEXT("audience.query"),
                                           .actor       = TEXT("token:1"),
                                           .target      = TEXT("a\"b\n"),
                                           .filters     = TEXT("{\"region\":[\"\\u0041\"]}"),
                                           .ip          = TEXT("::1"),
                                           .trace_id    = TEXT("0123"),
                                           .result_size = 7,
                                           .status      = 200};

static struct text line_of(struct buffer *out, const struct audit_key *key, struct audit_link *link)
{
	size_t begin = out->length;
	audit_line_add(out, &record, 1000, key, trail_workspace, link);
	assert_int_equal(out->data[out->length - 1], '\n');
	return (struct text){out->data + begin, out->length - begin - 1};
}

static void a_line_is_one_json_object_with_what_was_promised(void **state)
{
	static const char *const names[] = {"seq",    "timestamp", "user_id", "action", "filters",
	                                    "target", "ip",        "traceId", "prev",   "hash"};
	struct buffer            out     = {0};
	struct audit_link        link    = {0};
	struct json_parser      *parser  = json_parser_new();
	struct json              root;
	struct error             err;
	(void)state;
	struct text line = line_of(&out, NULL, &link);
	assert_int_equal(json_parse_text(parser, line, &root, &err), STATUS_OK);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		assert_true(json_type(json_get(root, names[i])) > JSON_NULL);
	assert_int_equal(json_int(json_get(root, "result_size")), 7);
	assert_true(text_equal(json_string(json_get(root, "target")), record.target));
	assert_true(text_equal(audit_line_action(line), record.action));
	json_parser_free(parser);
	buffer_done(&out);
}

static void a_line_is_read_as_it_was_written(void **state)
{
	struct buffer     out  = {0};
	struct audit_link link = {0}, first;
	struct audit_line read;
	struct error      err;
	(void)state;
	line_of(&out, NULL, &link);
	first            = link;
	struct text line = line_of(&out, NULL, &link);
	assert_int_equal(audit_line_read(line, &read, &err), STATUS_OK);
	assert_int_equal(read.link.seq, 2);
	assert_int_equal(read.link.at_ms, 1000);
	assert_memory_equal(read.link.hash, link.hash, sizeof link.hash);
	assert_memory_equal(read.prev, first.hash, sizeof first.hash);
	assert_false(read.is_signed);
	buffer_done(&out);
}

static void time_never_goes_back_in_the_chain(void **state)
{
	struct buffer     out  = {0};
	struct audit_link link = {.seq = 3, .at_ms = 5000};
	(void)state;
	line_of(&out, NULL, &link);
	assert_int_equal(link.at_ms, 5000);
	buffer_done(&out);
}

static void every_flipped_bit_of_a_signed_line_is_found(void **state)
{
	struct audit_keys keys;
	struct buffer     out  = {0};
	struct audit_link link = {0};
	struct error      err;
	(void)state;
	assert_int_equal(audit_keys_read(trail_keyring, true, &keys, &err), STATUS_OK);
	struct text line = line_of(&out, &keys.items[0], &link);
	for (size_t bit = 0; bit < 8 * line.length; bit++) {
		struct audit_line read = {0};
		out.data[bit / 8] ^= (char)(1 << bit % 8);
		if (audit_line_read(line, &read, &err) == STATUS_OK) {
			struct audit_head head = {.seq = read.link.seq, .at_ms = read.link.at_ms};
			memcpy(head.workspace_id, read.workspace_id, sizeof head.workspace_id);
			memcpy(head.hash, read.link.hash, sizeof head.hash);
			memcpy(head.key_id, read.key_id, sizeof head.key_id);
			memcpy(head.signature, read.signature, sizeof head.signature);
			assert_false(audit_head_verify(&head, &keys));
		}
		out.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	buffer_done(&out);
}

static void long_texts_are_cut_and_long_filters_are_named_by_their_hash(void **state)
{
	static char         text[2 * AUDIT_FILTERS_BYTES_MAX];
	struct buffer       out    = {0};
	struct audit_link   link   = {0};
	struct json_parser *parser = json_parser_new();
	struct json         root;
	struct error        err;
	(void)state;
	memset(text, '\x01', sizeof text);
	struct audit_record longer = record;
	longer.target = longer.actor = longer.ip = longer.trace_id = (struct text){text, sizeof text};
	text[0] = text[sizeof text - 1] = '"';
	memset(text + 1, 'x', sizeof text - 2);
	longer.filters = longer.details = (struct text){text, sizeof text};
	audit_line_add(&out, &longer, 1, NULL, trail_workspace, &link);
	assert_int_equal(json_parse_text(parser, (struct text){out.data, out.length - 1}, &root, &err),
	                 STATUS_OK);
	struct json filters = json_get(root, "filters");
	assert_int_equal(json_int(json_get(filters, "bytes")), sizeof text);
	assert_int_equal(json_string(json_get(root, "target")).length, AUDIT_TEXT_BYTES_MAX);
	json_parser_free(parser);
	buffer_done(&out);
}

static void a_head_goes_to_json_and_back_and_other_keys_do_not_sign_for_it(void **state)
{
	struct audit_keys keys, others = {0};
	struct audit_head head = {.seq = 9, .at_ms = 1234}, again;
	struct buffer     out  = {0};
	struct error      err;
	(void)state;
	assert_int_equal(audit_keys_read(trail_keyring, true, &keys, &err), STATUS_OK);
	audit_head_sign(&head, &keys.items[0]);
	audit_head_write(&head, &out);
	assert_int_equal(audit_head_read(buffer_text(&out), &again, &err), STATUS_OK);
	assert_memory_equal(&again, &head, sizeof head);
	assert_true(audit_head_verify(&again, &keys));
	assert_false(audit_head_verify(&again, &others));
	again.seq++;
	assert_false(audit_head_verify(&again, &keys));
	buffer_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_one_json_object_with_what_was_promised),
		cmocka_unit_test(a_line_is_read_as_it_was_written),
		cmocka_unit_test(time_never_goes_back_in_the_chain),
		cmocka_unit_test_setup_teardown(every_flipped_bit_of_a_signed_line_is_found, trail_setup,
	                                    trail_teardown),
		cmocka_unit_test(long_texts_are_cut_and_long_filters_are_named_by_their_hash),
		cmocka_unit_test_setup_teardown(
			a_head_goes_to_json_and_back_and_other_keys_do_not_sign_for_it, trail_setup,
			trail_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
