#include "transfer/export/export_file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"

enum {
	PIECE_BYTES = 256 << 10,
	GZIP_LEVEL  = 6,
	GZIP_WINDOW = 15 + 16,
	GZIP_MEMORY = 8,
	ZSTD_LEVEL  = 3,
	SHA_BYTES   = 32,
};

static void begin_compression(struct export_file *file)
{
	if (file->compression == EXPORT_GZIP &&
	    deflateInit2(&file->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
	                 Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	if (file->compression != EXPORT_ZSTD)
		return;
	file->zstd = ZSTD_createCStream();
	if (file->zstd == NULL)
		abort();
	ZSTD_CCtx_setParameter(file->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
	ZSTD_CCtx_setParameter(file->zstd, ZSTD_c_checksumFlag, 1);
}

enum status export_file_open(struct export_file *file, const char *directory, const char *name,
                             enum export_compression compression, struct error *err)
{
	*file = (struct export_file){.fd = -1, .compression = compression};
	if (snprintf(file->path, sizeof file->path, "%s/%s", directory, name) >=
	        (int)sizeof file->path ||
	    snprintf(file->part, sizeof file->part, "%s/.%s.part", directory, name) >=
	        (int)sizeof file->part)
		return error_set(err, STATUS_INVALID, "the path of a file is too long");
	file->fd = open(file->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (file->fd < 0)
		return file_error(err, errno, "cannot write", file->part);
	file->sha256 = EVP_MD_CTX_new();
	if (file->sha256 == NULL || EVP_DigestInit_ex(file->sha256, EVP_sha256(), NULL) != 1)
		abort();
	begin_compression(file);
	return STATUS_OK;
}

static enum status write_out(struct export_file *file, struct error *err)
{
	struct buffer *out = &file->out;
	if (out->length == 0)
		return STATUS_OK;
	if (EVP_DigestUpdate(file->sha256, out->data, out->length) != 1)
		abort();
	file->bytes += out->length;
	enum status status = file_write_all(file->fd, out->data, out->length, file->part, err);
	buffer_clear(out);
	return status;
}

static enum status deflate_text(struct export_file *file, struct text text, bool end,
                                struct error *err)
{
	enum status status  = STATUS_OK;
	int         result  = Z_OK;
	file->gzip.next_in  = (Bytef *)text.data;
	file->gzip.avail_in = (uInt)text.length;
	do {
		file->gzip.next_out  = (Bytef *)buffer_reserve(&file->out, PIECE_BYTES);
		file->gzip.avail_out = PIECE_BYTES;
		result               = deflate(&file->gzip, end ? Z_FINISH : Z_NO_FLUSH);
		assert(result != Z_STREAM_ERROR);
		file->out.length += PIECE_BYTES - file->gzip.avail_out;
		if (file->out.length >= PIECE_BYTES)
			status = write_out(file, err);
	} while (status == STATUS_OK && (file->gzip.avail_in > 0 || (end && result != Z_STREAM_END)));
	return status;
}

static enum status zstd_text(struct export_file *file, struct text text, bool end,
                             struct error *err)
{
	ZSTD_inBuffer in     = {text.data, text.length, 0};
	enum status   status = STATUS_OK;
	size_t        left;
	do {
		ZSTD_outBuffer out = {buffer_reserve(&file->out, PIECE_BYTES), PIECE_BYTES, 0};
		left = ZSTD_compressStream2(file->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
		assert(!ZSTD_isError(left));
		file->out.length += out.pos;
		if (file->out.length >= PIECE_BYTES)
			status = write_out(file, err);
	} while (status == STATUS_OK && (in.pos < in.size || (end && left > 0)));
	return status;
}

static enum status take(struct export_file *file, struct text text, bool end, struct error *err)
{
	if (file->compression == EXPORT_GZIP)
		return deflate_text(file, text, end, err);
	if (file->compression == EXPORT_ZSTD)
		return zstd_text(file, text, end, err);
	buffer_add_text(&file->out, text);
	return file->out.length >= PIECE_BYTES ? write_out(file, err) : STATUS_OK;
}

enum status export_file_add(struct export_file *file, struct text text, uint64_t rows,
                            struct error *err)
{
	file->rows += rows;
	file->text_bytes += text.length;
	return text.length > 0 ? take(file, text, false, err) : STATUS_OK;
}

static enum status sync_and_rename(struct export_file *file, struct error *err)
{
	char directory[EXPORT_PATH_BYTES];
	if (fsync(file->fd) != 0)
		return file_error(err, errno, "cannot sync", file->part);
	if (rename(file->part, file->path) != 0)
		return file_error(err, errno, "cannot rename", file->part);
	snprintf(directory, sizeof directory, "%s", file->path);
	*strrchr(directory, '/') = '\0';
	return directory_sync(directory, err);
}

enum status export_file_finish(struct export_file *file, struct error *err)
{
	uint8_t     digest[EVP_MAX_MD_SIZE];
	enum status status = take(file, TEXT(""), true, err);
	if (status == STATUS_OK)
		status = write_out(file, err);
	if (status == STATUS_OK)
		status = sync_and_rename(file, err);
	if (status != STATUS_OK)
		return status;
	if (EVP_DigestFinal_ex(file->sha256, digest, NULL) != 1)
		abort();
	hash_hex(digest, SHA_BYTES, file->checksum);
	close(file->fd);
	file->fd = -1;
	return STATUS_OK;
}

void export_file_done(struct export_file *file)
{
	if (file->fd >= 0) {
		close(file->fd);
		(void)unlink(file->part);
	}
	if (file->compression == EXPORT_GZIP)
		deflateEnd(&file->gzip);
	ZSTD_freeCStream(file->zstd);
	EVP_MD_CTX_free(file->sha256);
	buffer_done(&file->out);
	*file = (struct export_file){.fd = -1};
}

void export_remove_files(const char *path)
{
	DIR *directory = opendir(path);
	if (directory == NULL)
		return;
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			(void)unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
}
