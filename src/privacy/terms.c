#include "privacy/terms.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "model/value.h"
#include "transfer/export/export_row.h"

/* Where the list ends that can be read. */
static enum status find_end(struct privacy_terms *terms, uint64_t *ret_end, struct error *err)
{
	vault_id_list ids    = {0};
	enum status   status = STATUS_OK;
	*ret_end             = 0;
	while (status == STATUS_OK) {
		struct arena arena;
		arena_init(&arena);
		status = subject_list_read(terms->transfer->vault, terms->fd, terms->path, ret_end, &arena,
		                           &ids, err);
		arena_done(&arena);
	}
	VECTOR_DONE(&ids);
	return status == STATUS_NOT_FOUND || status == STATUS_CORRUPT ? STATUS_OK : status;
}

enum status privacy_terms_open(struct privacy_terms *terms, struct transfer *transfer,
                               const char *path, struct error *err)
{
	uint64_t end;
	*terms    = (struct privacy_terms){.transfer = transfer, .path = path};
	terms->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (terms->fd < 0)
		return file_error(err, errno, "make", path);
	enum status status = find_end(terms, &end, err);
	if (status == STATUS_OK && ftruncate(terms->fd, (off_t)end) != 0)
		status = file_error(err, errno, "cut", path);
	subject_writer_init(&terms->writer, transfer->vault, terms->fd, path);
	terms->writer.offset = end;
	return status;
}

void privacy_terms_done(struct privacy_terms *terms)
{
	if (terms->path == NULL)
		return;
	subject_writer_done(&terms->writer);
	if (terms->fd >= 0)
		close(terms->fd);
	terms->path = NULL;
}

static enum status add_ids(struct privacy_terms *terms, const struct person *persons, size_t count,
                           struct error *err)
{
	enum status status = STATUS_OK;
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		struct arena    arena;
		struct vault_id id;
		arena_init(&arena);
		status = vault_external_id(terms->transfer->vault, persons[i], &arena, &id, err);
		if (status == STATUS_OK)
			status = subject_writer_add(&terms->writer, id, err);
		arena_done(&arena);
		if (status == STATUS_NOT_FOUND)
			status = STATUS_OK;
	}
	return status;
}

static enum status add_hashes(struct privacy_terms *terms, const struct vault_erasure *erasure,
                              struct error *err)
{
	enum status status = STATUS_OK;
	size_t      count  = vault_erasure_hash_count(erasure);
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		char hash[VAULT_HASH_BYTES];
		vault_erasure_hash(erasure, i, hash);
		status = subject_writer_add(
			&terms->writer,
			(struct vault_id){(enum vault_namespace)SUBJECT_HASH, {hash, sizeof hash}}, err);
	}
	return status;
}

/* E-mail address and phone, as far as they are there. */
static enum status add_traits(struct privacy_terms *terms, struct export_writer *writer,
                              const struct export_profile *profile, struct error *err)
{
	const struct vault_id *id;
	struct text            personal;
	enum status            status = export_writer_open(writer, profile, &id, &personal, err);
	for (struct value_reader r = value_read(personal); status == STATUS_OK && value_next(&r);)
		if ((text_equal(r.name, TEXT("email")) || text_equal(r.name, TEXT("phone"))) &&
		    r.value.type == VALUE_STRING && r.value.text.length > 0 &&
		    r.value.text.length <= VAULT_ID_BYTES_MAX)
			status = subject_writer_add(
				&terms->writer, (struct vault_id){(enum vault_namespace)SUBJECT_TERM, r.value.text},
				err);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static int by_number(const void *a, const void *b)
{
	uint64_t left  = person_number(*(const struct person *)a);
	uint64_t right = person_number(*(const struct person *)b);
	return (left > right) - (left < right);
}

static enum status read_partition(struct privacy_terms *terms, struct export_reader *reader,
                                  struct export_writer *writer, uint32_t partition,
                                  struct error *err)
{
	enum status status = STATUS_OK;
	for (uint32_t slot = 0; slot != SLOT_NONE && status == STATUS_OK; slot = reader->next_slot) {
		status = export_reader_next(reader, partition, slot, err);
		for (size_t i = 0; status == STATUS_OK && i < reader->persons.count; i++)
			status = add_traits(terms, writer, &reader->persons.items[i], err);
	}
	return status;
}

static enum status add_profiles(struct privacy_terms *terms, const struct person *persons,
                                size_t count, struct error *err)
{
	struct export_reader reader;
	struct export_writer writer;
	struct person       *sorted = calloc(count + 1, sizeof *sorted);
	uint32_t            *slots  = calloc(count + 1, sizeof *slots);
	if (sorted == NULL || slots == NULL)
		abort();
	memcpy(sorted, persons, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, by_number);
	for (size_t i = 0; i < count; i++)
		slots[i] = sorted[i].slot;
	export_reader_init(&reader, terms->transfer->engine, terms->transfer->vault);
	export_writer_init(&writer, terms->transfer->vault, EXPORT_JSONL, false);
	reader.profiles    = true;
	reader.from_ms     = INT64_MIN;
	reader.to_ms       = INT64_MAX;
	reader.position    = terms->transfer->journal->ops->position(terms->transfer->journal);
	enum status status = STATUS_OK;
	for (size_t begin = 0, end; begin < count && status == STATUS_OK; begin = end) {
		for (end = begin + 1; end < count && sorted[end].partition == sorted[begin].partition;)
			end++;
		reader.wanted       = slots + begin;
		reader.wanted_count = end - begin;
		status              = read_partition(terms, &reader, &writer, sorted[begin].partition, err);
	}
	export_reader_done(&reader);
	export_writer_done(&writer);
	free(sorted);
	free(slots);
	return status;
}

enum status privacy_terms_add(struct privacy_terms *terms, const struct vault_erasure *erasure,
                              struct error *err)
{
	size_t               count;
	const struct person *persons = vault_erasure_persons(erasure, &count);
	enum status          status  = add_ids(terms, persons, count, err);
	if (status == STATUS_OK)
		status = add_hashes(terms, erasure, err);
	if (status == STATUS_OK)
		status = add_profiles(terms, persons, count, err);
	return status == STATUS_OK ? subject_writer_finish(&terms->writer, err) : status;
}

enum status privacy_terms_read(struct vault *vault, const char *path, struct letter_terms *letters,
                               struct error *err)
{
	vault_id_list ids    = {0};
	uint64_t      offset = 0;
	enum status   status = STATUS_OK;
	int           fd     = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? STATUS_OK : file_error(err, errno, "open", path);
	while (status == STATUS_OK) {
		struct arena arena;
		arena_init(&arena);
		status = subject_list_read(vault, fd, path, &offset, &arena, &ids, err);
		for (size_t i = 0; i < ids.count && status == STATUS_OK; i++)
			if (ids.items[i].namespace == (enum vault_namespace)SUBJECT_HASH)
				letter_terms_add_hash(letters, ids.items[i].id);
			else
				letter_terms_add(letters, ids.items[i].id);
		arena_done(&arena);
	}
	VECTOR_DONE(&ids);
	close(fd);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
