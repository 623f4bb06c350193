#include "vault/subject_list.h"
#include "vault_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 2 * SUBJECT_CHUNK_IDS + 7 };

static int write_many(struct vault_fixture *f, const char *path)
{
	struct subject_writer writer;
	int                   fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	subject_writer_init(&writer, f->vault, fd, path);
	for (int i = 0; i < MANY; i++) {
		char id[32];
		snprintf(id, sizeof id, "subject-%d", i);
		assert_ok(f,
		          subject_writer_add(
					  &writer, (struct vault_id){i % 2 ? VAULT_USER : VAULT_ANONYMOUS, text_of(id)},
					  &f->err));
	}
	assert_ok(f, subject_writer_finish(&writer, &f->err));
	assert_int_equal(writer.count, MANY);
	subject_writer_done(&writer);
	return fd;
}

static void what_was_written_is_read_in_its_order(void **state)
{
	struct vault_fixture *f    = *state;
	const char           *path = vault_fixture_path(f, "subjects");
	int                   fd = write_many(f, path), count = 0;
	uint64_t              offset = 0;
	vault_id_list         list   = {0};
	enum status           status;
	while ((status = subject_list_read(f->vault, fd, path, &offset, &f->arena, &list, &f->err)) ==
	       STATUS_OK)
		for (size_t i = 0; i < list.count; i++, count++) {
			char id[32];
			snprintf(id, sizeof id, "subject-%d", count);
			assert_true(text_equal(list.items[i].id, text_of(id)));
			assert_int_equal(list.items[i].namespace, count % 2 ? VAULT_USER : VAULT_ANONYMOUS);
		}
	assert_int_equal(status, STATUS_NOT_FOUND);
	assert_int_equal(count, MANY);
	VECTOR_DONE(&list);
	close(fd);
}

static void the_file_holds_no_id_and_what_was_touched_is_corrupt(void **state)
{
	struct vault_fixture *f    = *state;
	const char           *path = vault_fixture_path(f, "subjects");
	int                   fd   = write_many(f, path);
	size_t                length;
	uint64_t              offset = 0;
	vault_id_list         list   = {0};
	uint8_t              *bytes  = vault_fixture_read(f, "subjects", &length);
	assert_null(memmem(bytes, length, "subject-", 8));
	bytes[100] ^= 1;
	assert_int_equal(pwrite(fd, bytes + 100, 1, 100), 1);
	assert_int_equal(subject_list_read(f->vault, fd, path, &offset, &f->arena, &list, &f->err),
	                 STATUS_CORRUPT);
	VECTOR_DONE(&list);
	free(bytes);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_TEST(what_was_written_is_read_in_its_order),
		VAULT_TEST(the_file_holds_no_id_and_what_was_touched_is_corrupt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
