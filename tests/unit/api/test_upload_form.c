#include "api/transfer/upload_form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define FORM "multipart/form-data; boundary=\"b 1\""
#define PART(name, more, content)                                                                  \
	"--b 1\r\nContent-Disposition: form-data; name=\"" name "\"" more "\r\n\r\n" content "\r\n"

struct fixture {
	struct arena       arena;
	struct upload_form form;
	struct error       err;
};

static int init(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	arena_init(&fixture->arena);
	*state = fixture;
	return 0;
}

static int done(void **state)
{
	struct fixture *fixture = *state;
	arena_done(&fixture->arena);
	free(fixture);
	return 0;
}

static enum status read_form(void **state, const char *type, const char *content)
{
	struct fixture *fixture = *state;
	size_t          length  = strlen(content);
	int             fd      = memfd_create("form", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, length), length);
	enum status status =
		upload_form_read(fd, length, text_of(type), &fixture->arena, &fixture->form, &fixture->err);
	close(fd);
	return status;
}

static void assert_file(void **state, const char *content, const char *file)
{
	const struct upload_form *form = &((struct fixture *)*state)->form;
	assert_int_equal(form->bytes, strlen(file));
	assert_memory_equal(content + form->offset, file, strlen(file));
}

static void what_is_no_form_is_the_file(void **state)
{
	assert_int_equal(read_form(state, "text/csv", "a,b\n"), STATUS_OK);
	assert_file(state, "a,b\n", "a,b\n");
	assert_int_equal(read_form(state, "", ""), STATUS_OK);
	assert_file(state, "", "");
}

static void a_form_has_a_mapping_and_a_file_with_its_name(void **state)
{
	static const char content[] = PART("mapping", "", "{\"map\":{}}") PART(
		"file", "; filename=\"주문.csv\"\r\nContent-Type: text/csv", "a,b\r\n\r\n") "--b 1--\r\n";
	const struct upload_form *form = &((struct fixture *)*state)->form;
	assert_int_equal(read_form(state, FORM, content), STATUS_OK);
	assert_file(state, content, "a,b\r\n\r\n");
	assert_true(text_equal(form->mapping, TEXT("{\"map\":{}}")));
	assert_true(text_equal(form->name, TEXT("주문.csv")));
}

static void a_file_may_be_empty_and_look_like_the_end(void **state)
{
	static const char empty[]  = PART("file", "", "") "--b 1--";
	static const char tricky[] = PART("file", "", "x\r\n--b 1--\r\ny") "--b 1--\r\n";
	assert_int_equal(read_form(state, FORM, empty), STATUS_OK);
	assert_file(state, empty, "");
	assert_int_equal(read_form(state, FORM, tricky), STATUS_OK);
	assert_file(state, tricky, "x\r\n--b 1--\r\ny");
}

static void what_is_no_whole_form_is_refused(void **state)
{
	static const char *const contents[] = {
		"",
		"--b 1",
		"--b 1\r\n",
		"--b 1--\r\n",
		"--other\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--other--",
		PART("file", "", "x"),
		PART("file", "", "x") "--b 1-",
		PART("mapping", "", "{}") "--b 1--",
		"--b 1\r\nContent-Disposition: form-data; name=\"mapping\"\r\n\r\n{}",
		PART("other", "", "x") PART("file", "", "x") "--b 1--",
		"--b 1\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b 1--",
	};
	struct fixture *fixture = *state;
	for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
		if (read_form(state, FORM, contents[i]) != STATUS_INVALID)
			fail_msg("taken: %s", contents[i]);
		assert_string_equal(fixture->err.field, "body");
	}
	assert_int_equal(read_form(state, "multipart/form-data", "x"), STATUS_INVALID);
	assert_int_equal(read_form(state, "multipart/form-data; boundary=", "x"), STATUS_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, init, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_no_form_is_the_file),
		TEST(a_form_has_a_mapping_and_a_file_with_its_name),
		TEST(a_file_may_be_empty_and_look_like_the_end),
		TEST(what_is_no_whole_form_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
