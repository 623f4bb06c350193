/* What a start has of the dimensions: a file beside each line of checkpoints. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zstd.h>

#include "base/file.h"
#include "base/hash.h"
#include "engine/dimension/dimensions_internal.h"

enum {
	FILE_VERSION   = 1,
	MAGIC_BYTES    = 8,
	ID_BYTES       = 16,
	HEAD_BYTES     = MAGIC_BYTES + 4 + ID_BYTES + 8 + 8,
	CHECKSUM_BYTES = 8,
	PACK_LEVEL     = 1,
};

static const char magic[MAGIC_BYTES + 1] = "SONNIMDI";

/* Of a file, packed and not. */
#define FILE_BYTES_MAX (UINT64_C(1) << 36)

void dimensions_path(char ret_path[DIMENSIONS_PATH_MAX], const char *directory, unsigned line)
{
	snprintf(ret_path, DIMENSIONS_PATH_MAX, "%s/dimensions-%c", directory, 'a' + (int)line);
}

/* ---- Writing ---- */

static void write_row(const struct row *row, struct buffer *out)
{
	uint64_t count = 0;
	for (const struct row_version *v = row->newest; v != NULL; v = v->older)
		count++;
	buffer_add_varint(out, row->serial);
	buffer_add_sized(out, (struct text){row->id, row->id_length});
	buffer_add_varint(out, count);
	for (const struct row_version *v = row->newest; v != NULL; v = v->older) {
		buffer_add_varint(out, v->number);
		buffer_add_u8(out, v->deleted);
		if (!v->deleted)
			buffer_add_sized(out, (struct text){v->list, v->size});
	}
}

static void write_table(const struct dimension_rows *table, struct buffer *out)
{
	buffer_add_varint(out, table->in_order.count - table->gone);
	for (size_t i = 0; i < table->in_order.count; i++)
		if (table->in_order.items[i] != NULL)
			write_row(table->in_order.items[i], out);
}

/* Readers go on meanwhile; `*ret_number` is what it reaches to. */
static void write_tables(struct dimensions *dimensions, struct buffer *out, uint64_t *ret_number)
{
	dimensions_begin_read(dimensions);
	*ret_number = dimensions_newest(dimensions);
	for (unsigned i = 0; i < DIMENSION_COUNT; i++)
		write_table(&dimensions->tables[i], out);
	dimensions_end_read(dimensions);
}

static enum status pack(const struct buffer *plain, uint64_t number, const uint8_t workspace_id[16],
                        struct buffer *out, struct error *err)
{
	buffer_add(out, magic, MAGIC_BYTES);
	buffer_add_u32(out, FILE_VERSION);
	buffer_add(out, workspace_id, ID_BYTES);
	buffer_add_u64(out, number);
	buffer_add_u64(out, plain->length);
	size_t room = ZSTD_compressBound(plain->length);
	size_t packed =
		ZSTD_compress(buffer_reserve(out, room), room, plain->data, plain->length, PACK_LEVEL);
	if (ZSTD_isError(packed))
		return error_set(err, STATUS_INTERNAL, "dimensions cannot be packed: %s",
		                 ZSTD_getErrorName(packed));
	out->length += packed;
	buffer_add_u64(out, hash_bytes(out->data, out->length));
	return STATUS_OK;
}

enum status dimensions_keep(struct dimensions *dimensions, const char *directory, unsigned line,
                            const uint8_t workspace_id[16], uint64_t number, uint64_t *ret_bytes,
                            struct error *err)
{
	char          path[DIMENSIONS_PATH_MAX];
	struct buffer plain = {0}, packed = {0};
	uint64_t      reaches;
	*ret_bytes = 0;
	if (number <= dimensions->kept[line])
		return STATUS_OK;
	write_tables(dimensions, &plain, &reaches);
	enum status status = pack(&plain, reaches, workspace_id, &packed, err);
	buffer_done(&plain);
	dimensions_path(path, directory, line);
	if (status == STATUS_OK)
		status = file_replace(path, 0600, packed.data, packed.length, err);
	if (status == STATUS_OK) {
		dimensions->kept[line] = reaches;
		*ret_bytes             = packed.length;
	}
	buffer_done(&packed);
	return status;
}

/* ---- Reading ---- */

static enum status corrupt(const char *path, const char *what, struct error *err)
{
	return error_set(err, STATUS_CORRUPT, "%s: %s", path, what);
}

static enum status unpack(const struct buffer *bytes, const uint8_t workspace_id[16],
                          const char *path, struct buffer *plain, uint64_t *ret_number,
                          struct error *err)
{
	if (bytes->length < HEAD_BYTES + CHECKSUM_BYTES)
		return corrupt(path, "it is too short", err);
	size_t             length = bytes->length - CHECKSUM_BYTES;
	struct byte_reader tail   = byte_reader_of(bytes->data + length, CHECKSUM_BYTES);
	struct byte_reader head   = byte_reader_of(bytes->data, length);
	if (hash_bytes(bytes->data, length) != read_u64(&tail))
		return corrupt(path, "its checksum is wrong", err);
	if (memcmp(read_bytes(&head, MAGIC_BYTES).data, magic, MAGIC_BYTES) != 0 ||
	    read_u32(&head) != FILE_VERSION ||
	    memcmp(read_bytes(&head, ID_BYTES).data, workspace_id, ID_BYTES) != 0)
		return corrupt(path, "it is of another version or workspace", err);
	*ret_number        = read_u64(&head);
	uint64_t plain_max = read_u64(&head);
	if (plain_max > FILE_BYTES_MAX)
		return corrupt(path, "its size makes no sense", err);
	buffer_reserve(plain, plain_max);
	size_t size = ZSTD_decompress(plain->data, plain_max, head.at, read_left(&head));
	if (ZSTD_isError(size) || size != plain_max)
		return corrupt(path, "it does not unpack", err);
	plain->length = size;
	return STATUS_OK;
}

static bool read_row(struct dimensions *dimensions, enum dimension dimension,
                     struct byte_reader *reader, uint64_t number)
{
	uint64_t    serial = read_varint(reader);
	struct text id     = read_sized(reader);
	uint64_t    count  = read_varint(reader);
	if (reader->failed || serial == 0 || id.length == 0 || id.length > DIMENSION_ID_BYTES_MAX)
		return false;
	for (uint64_t i = 0; i < count && !reader->failed; i++) {
		uint64_t    at      = read_varint(reader);
		bool        deleted = read_u8(reader) != 0;
		struct text list    = deleted ? (struct text){NULL, 0} : read_sized(reader);
		if (reader->failed || (!deleted && !value_check(list)))
			return false;
		if (at <= number)
			dimensions_put(dimensions, dimension, id, at, list, serial);
	}
	return !reader->failed;
}

static enum status read_tables(struct dimensions *dimensions, const struct buffer *plain,
                               uint64_t number, const char *path, struct error *err)
{
	struct byte_reader reader = byte_reader_of(plain->data, plain->length);
	bool               whole  = true;
	pthread_rwlock_wrlock(&dimensions->lock);
	for (unsigned i = 0; i < DIMENSION_COUNT && whole; i++) {
		uint64_t rows = read_varint(&reader);
		for (uint64_t r = 0; r < rows && whole; r++)
			whole = read_row(dimensions, (enum dimension)i, &reader, number);
	}
	if (whole && number > atomic_load_explicit(&dimensions->newest, memory_order_relaxed))
		atomic_store_explicit(&dimensions->newest, number, memory_order_release);
	pthread_rwlock_unlock(&dimensions->lock);
	return whole && !reader.failed && read_left(&reader) == 0
	           ? STATUS_OK
	           : corrupt(path, "its rows make no sense", err);
}

enum status dimensions_load(struct dimensions *dimensions, const char *directory, unsigned line,
                            const uint8_t workspace_id[16], uint64_t number, struct error *err)
{
	char          path[DIMENSIONS_PATH_MAX];
	struct buffer bytes = {0}, plain = {0};
	uint64_t      reaches = 0;
	if (number <= atomic_load(&dimensions->loaded[line]))
		return STATUS_OK;
	dimensions_path(path, directory, line);
	enum status status = file_read(path, FILE_BYTES_MAX, &bytes, err);
	if (status == STATUS_OK)
		status = unpack(&bytes, workspace_id, path, &plain, &reaches, err);
	buffer_done(&bytes);
	if (status == STATUS_OK && reaches < number)
		status = corrupt(path, "it does not reach as far as a checkpoint", err);
	if (status == STATUS_OK)
		status = read_tables(dimensions, &plain, number, path, err);
	buffer_done(&plain);
	if (status == STATUS_OK && number > atomic_load(&dimensions->loaded[line]))
		atomic_store(&dimensions->loaded[line], number);
	return status;
}
