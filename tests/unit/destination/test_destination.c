#include "vault_fixture.h"

#include <string.h>

#include "destination/destination.h"

static struct json_parser *parser;

static struct json parsed(const char *text)
{
	struct json  json;
	struct error err;
	json_parser_free(parser);
	parser = json_parser_new();
	assert_int_equal(json_parse_text(parser, text_of(text), &json, &err), STATUS_OK);
	return json;
}

static const char bucket[] =
	"{\"name\":\"audiences\",\"kind\":\"s3\",\"region\":\"ap-northeast-2\",\"bucket\":\"b\","
	"\"prefix\":\"제주/"
	"\",\"pathStyle\":true,\"accessKeyId\":\"AKIA\",\"secretAccessKey\":\"s3cret\"}";

static struct destination made(struct vault_fixture *f, const char *text)
{
	struct destination destination = {.id = "11111111-1111-4111-8111-111111111111", .version = 1};
	assert_ok(f, destination_read(parsed(text), true, &f->arena, &destination, &f->err));
	return destination;
}

static void what_is_sealed_is_opened_as_it_was(void **state)
{
	struct vault_fixture    *f           = *state;
	struct destination       destination = made(f, bucket), opened;
	struct store_destination row;
	destination_seal(&destination, f->vault, &f->arena, &row);
	assert_null(memmem(row.credentials.data, row.credentials.length, "s3cret", 6));
	assert_null(memmem(row.settings.data, row.settings.length, "s3cret", 6));
	assert_ok(f, destination_open(&row, f->vault, &f->arena, &opened, &f->err));
	assert_string_equal(opened.name, "audiences");
	assert_string_equal(opened.prefix, "제주/");
	assert_string_equal(opened.secret_access_key, "s3cret");
	assert_string_equal(opened.endpoint, "");
	assert_true(opened.path_style);
}

static void credentials_are_never_written(void **state)
{
	struct vault_fixture *f           = *state;
	struct destination    destination = made(f, bucket);
	struct buffer         out         = {0};
	struct json_writer    writer      = json_writer_of(&out);
	destination_write(&writer, &destination);
	assert_null(memmem(out.data, out.length, "s3cret", 6));
	assert_null(memmem(out.data, out.length, "AKIA", 4));
	assert_non_null(memmem(out.data, out.length, "\"secretAccessKey\"", 17));
	buffer_done(&out);
}

static void a_change_leaves_what_it_does_not_name(void **state)
{
	struct vault_fixture *f           = *state;
	struct destination    destination = made(f, bucket);
	assert_ok(f, destination_read(parsed("{\"secretAccessKey\":\"new\",\"prefix\":null}"), false,
	                              &f->arena, &destination, &f->err));
	assert_string_equal(destination.secret_access_key, "new");
	assert_string_equal(destination.access_key_id, "AKIA");
	assert_string_equal(destination.prefix, "");
	assert_string_equal(destination.bucket, "b");
}

static void refused(struct vault_fixture *f, bool create, const char *text, const char *field)
{
	struct destination destination = {0};
	if (!create)
		destination = made(f, bucket);
	assert_int_equal(destination_read(parsed(text), create, &f->arena, &destination, &f->err),
	                 STATUS_INVALID);
	assert_string_equal(f->err.field, field);
}

static void mistakes_are_named(void **state)
{
	struct vault_fixture *f = *state;
	refused(f, true, "{\"name\":\"a\"}", "kind");
	refused(f, true, "{\"kind\":\"ftp\",\"name\":\"a\"}", "kind");
	refused(f, true, "{\"kind\":\"s3\"}", "name");
	refused(f, true, "{\"kind\":\"s3\",\"name\":\"a b\"}", "name");
	refused(f, true, "{\"kind\":\"s3\",\"name\":\"file\"}", "name");
	refused(f, true, "{\"kind\":\"s3\",\"name\":\"a\"}", "region");
	refused(f, true, "{\"kind\":\"s3\",\"name\":\"a\",\"url\":\"http://x\"}", "url");
	refused(f, true, "{\"kind\":\"marketing_platform\",\"name\":\"a\",\"url\":\"ftp://x\"}", "url");
	refused(f, true, "{\"kind\":\"marketing_platform\",\"name\":\"a\",\"url\":\"http://u:p@x\"}",
	        "url");
	refused(f, true, "{\"kind\":\"marketing_platform\",\"name\":\"a\",\"url\":\"http://x/?q\"}",
	        "url");
	refused(f, false, "{\"kind\":\"marketing_platform\"}", "kind");
	refused(f, false, "{\"region\":\"a/b\"}", "region");
	refused(f, false, "{\"bucket\":\"\"}", "bucket");
	refused(f, false, "{\"bucket\":7}", "bucket");
	refused(f, false, "{\"pathStyle\":1}", "pathStyle");
	refused(f, false, "{\"prefix\":\"a\\nb\"}", "prefix");
	refused(f, false, "{\"secretAccessKey\":\"\\u0000\"}", "secretAccessKey");
	refused(f, false, "{\"secret\":\"x\"}", "secret");
}

static void of_another_workspace_it_is_not_opened(void **state)
{
	struct vault_fixture    *f           = *state;
	struct destination       destination = made(f, bucket), opened;
	struct store_destination row;
	destination_seal(&destination, f->vault, &f->arena, &row);
	((char *)row.credentials.data)[row.credentials.length - 1] ^= 1;
	assert_int_equal(destination_open(&row, f->vault, &f->arena, &opened, &f->err), STATUS_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_TEST(what_is_sealed_is_opened_as_it_was),
		VAULT_TEST(credentials_are_never_written),
		VAULT_TEST(a_change_leaves_what_it_does_not_name),
		VAULT_TEST(mistakes_are_named),
		VAULT_TEST(of_another_workspace_it_is_not_opened),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	json_parser_free(parser);
	return failed;
}
