#include "backup/repository.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../seed.h"
#include "backup/target_directory.h"
#include "backup_fixture.h"
#include "base/file.h"

static const uint8_t key[CIPHER_KEY_BYTES]   = {7};
static const uint8_t other[CIPHER_KEY_BYTES] = {8};

static struct repository *open_place(struct backup_fixture *f, const char *name, bool write)
{
	char               path[128];
	struct target     *target;
	struct repository *repository;
	snprintf(path, sizeof path, "%s/%s", f->root, name);
	assert_ok(f, target_directory_open(path, write, &target, &f->err));
	assert_ok(f, repository_open(target, key, write, &repository, &f->err));
	return repository;
}

static struct object_id put(struct backup_fixture *f, struct repository *repository,
                            struct text content, uint64_t *ret_stored)
{
	struct object_id id;
	assert_ok(f, repository_put(repository, content, &id, ret_stored, &f->err));
	return id;
}

static void contents_come_back_as_they_were(void **state)
{
	struct backup_fixture *f          = *state;
	struct repository     *repository = open_place(f, "objects-test", true);
	seed_begin("contents_come_back_as_they_were");
	for (int i = 0; i < 50; i++) {
		size_t        length  = i < 5 ? (size_t)i + 1 : seed_next() % (300 << 10) + 1;
		struct buffer content = {0}, back = {0};
		bool          packs = seed_next() % 2 == 0;
		for (size_t k = 0; k < length; k++)
			buffer_add_u8(&content, packs ? (uint8_t)(k / 100) : (uint8_t)seed_next());
		uint64_t         stored;
		struct object_id id = put(f, repository, buffer_text(&content), &stored);
		assert_ok(f, repository_get(repository, &id, &back, &f->err));
		assert_true(text_equal(buffer_text(&content), buffer_text(&back)));
		buffer_done(&content);
		buffer_done(&back);
	}
	repository_free(repository);
}

static void a_content_is_stored_once(void **state)
{
	struct backup_fixture *f          = *state;
	struct repository     *repository = open_place(f, "objects-test", true);
	uint64_t               first, second;
	struct object_id       a = put(f, repository, TEXT("the same"), &first);
	struct object_id       b = put(f, repository, TEXT("the same"), &second);
	assert_memory_equal(&a, &b, sizeof a);
	assert_true(first > 0);
	assert_int_equal(second, 0);
	repository_free(repository);
}

static void holds_plain(const char *path, void *context)
{
	struct buffer bytes = {0};
	struct error  err;
	assert_int_equal(file_read(path, 1 << 20, &bytes, &err), STATUS_OK);
	if (memmem(bytes.data, bytes.length, "kim@example.com", 15) != NULL)
		*(bool *)context = true;
	buffer_done(&bytes);
}

static void nothing_lies_in_clear_where_backups_are_kept(void **state)
{
	struct backup_fixture *f          = *state;
	struct repository     *repository = open_place(f, "objects-test", true);
	uint64_t               stored;
	char                   path[128];
	bool                   found = false;
	put(f, repository, TEXT("kim@example.com"), &stored);
	assert_ok(f,
	          repository_put_document(repository, "archive/x", TEXT("kim@example.com"), &f->err));
	repository_free(repository);
	snprintf(path, sizeof path, "%s/objects-test", f->root);
	backup_each_file(path, holds_plain, &found);
	assert_false(found);
}

static void another_key_is_refused(void **state)
{
	struct backup_fixture *f = *state;
	char                   path[128];
	struct target         *target;
	struct repository     *repository = open_place(f, "objects-test", true);
	repository_free(repository);
	snprintf(path, sizeof path, "%s/objects-test", f->root);
	assert_ok(f, target_directory_open(path, false, &target, &f->err));
	assert_int_equal(repository_open(target, other, false, &repository, &f->err), STATUS_FORBIDDEN);
	assert_non_null(strstr(f->err.reason, "backup key"));
}

static void a_place_without_backups_is_not_found_by_who_reads(void **state)
{
	struct backup_fixture *f = *state;
	struct target         *target;
	struct repository     *repository;
	assert_ok(f, target_directory_open(f->root, false, &target, &f->err));
	assert_int_equal(repository_open(target, key, false, &repository, &f->err), STATUS_NOT_FOUND);
}

/* Changes one byte of the file of an object. */
static void damage(struct backup_fixture *f, const struct object_id *id, long at)
{
	char name[OBJECT_NAME_BYTES], path[256];
	object_name(id, name);
	snprintf(path, sizeof path, "%s/objects-test/objects/%.2s/%s", f->root, name + 8, name + 8);
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	fseek(file, at, SEEK_SET);
	int byte = fgetc(file);
	fseek(file, at, SEEK_SET);
	fputc(byte ^ 1, file);
	fclose(file);
}

static void a_changed_bit_is_noticed_wherever_it_lies(void **state)
{
	struct backup_fixture *f          = *state;
	struct repository     *repository = open_place(f, "objects-test", true);
	uint64_t               stored;
	struct object_id       id = put(f, repository, TEXT("something to keep"), &stored);
	for (long at = 0; at < (long)stored; at++) {
		struct buffer back = {0};
		damage(f, &id, at);
		assert_int_equal(repository_get(repository, &id, &back, &f->err), STATUS_CORRUPT);
		assert_int_equal(back.length, 0);
		damage(f, &id, at);
		buffer_done(&back);
	}
	struct buffer back = {0};
	assert_ok(f, repository_get(repository, &id, &back, &f->err));
	buffer_done(&back);
	repository_free(repository);
}

static void an_object_under_another_name_is_refused(void **state)
{
	struct backup_fixture *f          = *state;
	struct repository     *repository = open_place(f, "objects-test", true);
	struct target         *target     = repository_target(repository);
	uint64_t               stored;
	char                   from[OBJECT_NAME_BYTES], to[OBJECT_NAME_BYTES];
	struct object_id       a    = put(f, repository, TEXT("one"), &stored);
	struct object_id       b    = put(f, repository, TEXT("two"), &stored);
	struct buffer          back = {0};
	object_name(&a, from);
	object_name(&b, to);
	assert_ok(f, target->ops->rename(target, from, to, &f->err));
	assert_int_equal(repository_get(repository, &b, &back, &f->err), STATUS_CORRUPT);
	buffer_done(&back);
	repository_free(repository);
}

static void a_damaged_object_that_was_set_aside_is_stored_anew(void **state)
{
	struct backup_fixture *f          = *state;
	struct repository     *repository = open_place(f, "objects-test", true);
	uint64_t               stored;
	struct object_id       id   = put(f, repository, TEXT("something"), &stored);
	struct buffer          back = {0};
	damage(f, &id, 20);
	assert_ok(f, repository_set_aside(repository, &id, &f->err));
	put(f, repository, TEXT("something"), &stored);
	assert_true(stored > 0);
	assert_ok(f, repository_get(repository, &id, &back, &f->err));
	buffer_done(&back);
	repository_free(repository);
}

static void a_document_under_another_name_is_refused(void **state)
{
	struct backup_fixture *f          = *state;
	struct repository     *repository = open_place(f, "objects-test", true);
	struct target         *target     = repository_target(repository);
	struct buffer          back       = {0};
	assert_ok(f, repository_put_document(repository, "backups/a", TEXT("first"), &f->err));
	assert_int_equal(repository_put_document(repository, "backups/a", TEXT("second"), &f->err),
	                 STATUS_CONFLICT);
	assert_ok(f, target->ops->rename(target, "backups/a", "backups/b", &f->err));
	assert_int_equal(repository_get_document(repository, "backups/b", &back, &f->err),
	                 STATUS_CORRUPT);
	buffer_done(&back);
	repository_free(repository);
}

static void one_process_writes_at_a_time(void **state)
{
	struct backup_fixture *f = *state;
	struct target         *target;
	assert_int_equal(target_directory_open(f->place, true, &target, &f->err), STATUS_CONFLICT);
}

int main(void)
{
#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, backup_fixture_setup, backup_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(contents_come_back_as_they_were),
		TEST(a_content_is_stored_once),
		TEST(nothing_lies_in_clear_where_backups_are_kept),
		TEST(another_key_is_refused),
		TEST(a_place_without_backups_is_not_found_by_who_reads),
		TEST(a_changed_bit_is_noticed_wherever_it_lies),
		TEST(an_object_under_another_name_is_refused),
		TEST(a_damaged_object_that_was_set_aside_is_stored_anew),
		TEST(a_document_under_another_name_is_refused),
		TEST(one_process_writes_at_a_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
