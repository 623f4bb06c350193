#include "vault/subject_list.h"

#include <assert.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "vault/cipher.h"

enum { ENTRY_BYTES = 3, CHUNK_BYTES_MAX = SUBJECT_CHUNK_IDS * (ENTRY_BYTES + VAULT_ID_BYTES_MAX) };

static const struct text purpose = {"subjects", 8};

void subject_writer_init(struct subject_writer *writer, struct vault *vault, int fd,
                         const char *path)
{
	*writer = (struct subject_writer){.vault = vault, .path = path, .fd = fd};
}

static enum status write_chunk(struct subject_writer *writer, struct error *err)
{
	struct buffer out = {0};
	if (writer->in_chunk == 0)
		return STATUS_OK;
	buffer_add_u32(&out, (uint32_t)(writer->plain.length + CIPHER_EXTRA_BYTES));
	vault_seal_common(writer->vault, purpose, buffer_text(&writer->plain), &out);
	enum status status =
		file_write_at(writer->fd, out.data, out.length, writer->offset, writer->path, err);
	if (status == STATUS_OK)
		writer->offset += out.length;
	buffer_done(&out);
	cipher_wipe(writer->plain.data, writer->plain.length);
	buffer_clear(&writer->plain);
	writer->in_chunk = 0;
	return status;
}

enum status subject_writer_add(struct subject_writer *writer, struct vault_id id, struct error *err)
{
	assert(id.id.length >= 1 && id.id.length <= VAULT_ID_BYTES_MAX);
	buffer_add_u8(&writer->plain, (uint8_t)id.namespace);
	buffer_add_u16(&writer->plain, (uint16_t)id.id.length);
	buffer_add_text(&writer->plain, id.id);
	writer->count++;
	return ++writer->in_chunk < SUBJECT_CHUNK_IDS ? STATUS_OK : write_chunk(writer, err);
}

enum status subject_writer_finish(struct subject_writer *writer, struct error *err)
{
	enum status status = write_chunk(writer, err);
	if (status == STATUS_OK && fsync(writer->fd) != 0)
		status = file_error(err, errno, "sync", writer->path);
	return status;
}

void subject_writer_done(struct subject_writer *writer)
{
	if (writer->plain.data != NULL)
		cipher_wipe(writer->plain.data, writer->plain.capacity);
	buffer_done(&writer->plain);
}

static bool read_entry(struct byte_reader *reader, struct arena *arena, vault_id_list *list)
{
	uint8_t namespace = read_u8(reader);
	struct text id    = read_bytes(reader, read_u16(reader));
	if (reader->failed || id.length == 0 || id.length > VAULT_ID_BYTES_MAX ||
	    namespace < VAULT_USER || namespace > SUBJECT_TERM)
		return false;
	VECTOR_ADD(list, (struct vault_id){(enum vault_namespace) namespace, arena_text(arena, id)});
	return true;
}

static enum status read_chunk(struct vault *vault, struct text sealed, const char *path,
                              struct arena *arena, vault_id_list *list, struct error *err)
{
	struct buffer plain  = {0};
	enum status   status = vault_unseal_common(vault, purpose, sealed, &plain, err);
	if (status == STATUS_OK) {
		struct byte_reader reader = byte_reader_of(plain.data, plain.length);
		bool               good   = true;
		while (good && read_left(&reader) > 0)
			good = read_entry(&reader, arena, list);
		if (!good)
			status = error_set(err, STATUS_CORRUPT, "%s: a list of ids cannot be read", path);
	}
	if (plain.data != NULL)
		cipher_wipe(plain.data, plain.length);
	buffer_done(&plain);
	return status;
}

enum status subject_list_read(struct vault *vault, int fd, const char *path, uint64_t *offset,
                              struct arena *arena, vault_id_list *list, struct error *err)
{
	struct stat info;
	uint32_t    length;
	list->count = 0;
	if (fstat(fd, &info) != 0)
		return file_error(err, errno, "look at", path);
	if (*offset >= (uint64_t)info.st_size)
		return STATUS_NOT_FOUND;
	enum status status = file_read_at(fd, &length, sizeof length, *offset, path, err);
	if (status != STATUS_OK)
		return status;
	if (length > CHUNK_BYTES_MAX + CIPHER_EXTRA_BYTES)
		return error_set(err, STATUS_CORRUPT, "%s: a list of ids cannot be read", path);
	struct buffer sealed = {0};
	char         *into   = buffer_reserve(&sealed, length);
	status               = file_read_at(fd, into, length, *offset + sizeof length, path, err);
	if (status == STATUS_OK)
		status = read_chunk(vault, (struct text){into, length}, path, arena, list, err);
	if (status == STATUS_OK)
		*offset += sizeof length + length;
	buffer_done(&sealed);
	return status;
}
