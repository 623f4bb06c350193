#include "transfer/import/import_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/file.h"

enum {
	CHUNK_BYTES     = 256 * 1024,
	MAGIC_BYTES     = 4,
	GZIP_WINDOW     = 15 + 16, /* zlib's largest window, with a gzip header */
	ZSTD_WINDOW_LOG = 27,      /* 128 MiB, what the zstd command takes without --long */
};

struct import_input {
	char *path;
	int   fd;
	enum { PLAIN, GZIP, ZSTD } form;
	char          chunk[CHUNK_BYTES]; /* as it lies on the disk */
	size_t        at;
	size_t        length;
	bool          ended;  /* nothing behind the chunk */
	bool          inside; /* a compressed frame that has not ended */
	uint64_t      position;
	uint64_t      size;
	uint64_t      left; /* of the file, or of the part of it that is wanted */
	z_stream      gzip;
	ZSTD_DStream *zstd;
};

/* Adds to the chunk what one read(2) brings. */
static enum status read_more(struct import_input *input, size_t *ret_got, struct error *err)
{
	size_t most = CHUNK_BYTES - input->length;
	if (most > input->left)
		most = (size_t)input->left;
	for (;;) {
		ssize_t got = most == 0 ? 0 : read(input->fd, input->chunk + input->length, most);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return file_error(err, errno, "cannot read", input->path);
		input->length += (size_t)got;
		input->position += (uint64_t)got;
		input->left -= (uint64_t)got;
		*ret_got = (size_t)got;
		return STATUS_OK;
	}
}

static enum status fill(struct import_input *input, struct error *err)
{
	size_t got;
	if (input->ended || input->at < input->length)
		return STATUS_OK;
	input->at = input->length = 0;
	enum status status        = read_more(input, &got, err);
	input->ended              = status == STATUS_OK && got == 0;
	return status;
}

/* The first read of a pipe may be short. */
static enum status fill_magic(struct import_input *input, struct error *err)
{
	size_t got = 1;
	while (input->length < MAGIC_BYTES && got > 0) {
		enum status status = read_more(input, &got, err);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

static void detect(struct import_input *input)
{
	static const char zstd_magic[] = {'\x28', '\xb5', '\x2f', '\xfd'};
	static const char gzip_magic[] = {'\x1f', '\x8b'};
	if (input->length >= sizeof zstd_magic &&
	    memcmp(input->chunk, zstd_magic, sizeof zstd_magic) == 0) {
		input->form = ZSTD;
		input->zstd = ZSTD_createDStream();
		if (input->zstd == NULL)
			abort();
		ZSTD_DCtx_setParameter(input->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
	} else if (input->length >= sizeof gzip_magic &&
	           memcmp(input->chunk, gzip_magic, sizeof gzip_magic) == 0) {
		input->form = GZIP;
		if (inflateInit2(&input->gzip, GZIP_WINDOW) != Z_OK)
			abort();
	}
}

enum status import_input_open(const char *path, struct import_input **ret_input, struct error *err)
{
	return import_input_open_part(path, 0, UINT64_MAX, ret_input, err);
}

enum status import_input_open_part(const char *path, uint64_t offset, uint64_t bytes,
                                   struct import_input **ret_input, struct error *err)
{
	bool                 standard = strcmp(path, "-") == 0;
	struct stat          info;
	struct import_input *input = calloc(1, sizeof *input);
	if (input == NULL)
		abort();
	input->path = strdup(standard ? "the standard input" : path);
	if (input->path == NULL)
		abort();
	input->fd          = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	enum status status = STATUS_OK;
	if (input->fd < 0 || fstat(input->fd, &info) != 0)
		status = file_error(err, errno, "cannot open", input->path);
	else if (S_ISDIR(info.st_mode))
		status = file_error(err, EISDIR, "cannot read", input->path);
	else if (S_ISREG(info.st_mode))
		input->size = (uint64_t)info.st_size;
	input->left = bytes;
	if (status == STATUS_OK && offset > 0 && lseek(input->fd, (off_t)offset, SEEK_SET) < 0)
		status = file_error(err, errno, "cannot read", input->path);
	if (input->size > 0) {
		input->size = input->size > offset ? input->size - offset : 0;
		input->left = input->size < bytes ? input->size : bytes;
		input->size = input->left;
	}
	if (status == STATUS_OK)
		status = fill_magic(input, err);
	if (status != STATUS_OK) {
		import_input_close(input);
		return status;
	}
	detect(input);
	*ret_input = input;
	return STATUS_OK;
}

void import_input_close(struct import_input *input)
{
	if (input == NULL)
		return;
	if (input->form == GZIP)
		inflateEnd(&input->gzip);
	ZSTD_freeDStream(input->zstd);
	if (input->fd >= 0)
		close(input->fd);
	free(input->path);
	free(input);
}

static enum status corrupt(const struct import_input *input, const char *what, struct error *err)
{
	return error_set(err, STATUS_CORRUPT, "%s: %s near byte %llu", input->path, what,
	                 (unsigned long long)(input->position - (input->length - input->at)));
}

/* Takes from the chunk and puts behind `*length`. Several frames in a row are one text. */
static enum status inflate_some(struct import_input *input, char *into, size_t size, size_t *length,
                                struct error *err)
{
	if (!input->inside && inflateReset(&input->gzip) != Z_OK)
		abort();
	input->gzip.next_in   = (Bytef *)(input->chunk + input->at);
	input->gzip.avail_in  = (uInt)(input->length - input->at);
	input->gzip.next_out  = (Bytef *)(into + *length);
	input->gzip.avail_out = (uInt)(size - *length);
	int result            = inflate(&input->gzip, Z_NO_FLUSH);
	input->at             = input->length - input->gzip.avail_in;
	*length               = size - input->gzip.avail_out;
	input->inside         = result != Z_STREAM_END;
	/* Z_BUF_ERROR: nothing more to be had of what there is. */
	if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
		return corrupt(input, "not gzip", err);
	return STATUS_OK;
}

static enum status decompress_some(struct import_input *input, char *into, size_t size,
                                   size_t *length, struct error *err)
{
	ZSTD_inBuffer  in     = {input->chunk, input->length, input->at};
	ZSTD_outBuffer out    = {into, size, *length};
	size_t         result = ZSTD_decompressStream(input->zstd, &out, &in);
	input->at             = in.pos;
	*length               = out.pos;
	input->inside         = result != 0;
	if (ZSTD_isError(result))
		return corrupt(input, ZSTD_getErrorName(result), err);
	return STATUS_OK;
}

static void copy_some(struct import_input *input, char *into, size_t size, size_t *length)
{
	size_t count = input->length - input->at;
	if (count > size - *length)
		count = size - *length;
	memcpy(into + *length, input->chunk + input->at, count);
	input->at += count;
	*length += count;
}

enum status import_input_read(struct import_input *input, char *into, size_t size,
                              size_t *ret_length, struct error *err)
{
	size_t length = 0;
	while (length == 0) {
		enum status status = fill(input, err);
		if (status == STATUS_OK && input->ended) {
			/* A decoder may hold back what it has decoded. */
			if (!input->inside)
				break;
			status = input->form == ZSTD ? decompress_some(input, into, size, &length, err)
			                             : inflate_some(input, into, size, &length, err);
			if (status == STATUS_OK && length == 0)
				status = corrupt(input, "cut off", err);
		} else if (status == STATUS_OK && input->form == GZIP) {
			status = inflate_some(input, into, size, &length, err);
		} else if (status == STATUS_OK && input->form == ZSTD) {
			status = decompress_some(input, into, size, &length, err);
		} else if (status == STATUS_OK) {
			copy_some(input, into, size, &length);
		}
		if (status != STATUS_OK)
			return status;
	}
	*ret_length = length;
	return STATUS_OK;
}

/* In a plain file, from the chunk on. */
static bool seek(struct import_input *input, uint64_t *bytes)
{
	uint64_t held = input->length - input->at;
	if (input->form != PLAIN || input->size == 0 || *bytes <= held)
		return false;
	uint64_t more = *bytes - held;
	if (more > input->size - input->position)
		more = input->size - input->position;
	if (lseek(input->fd, (off_t)more, SEEK_CUR) < 0)
		return false;
	input->position += more;
	input->left -= more;
	input->at = input->length;
	*bytes -= held + more;
	return true;
}

enum status import_input_skip(struct import_input *input, uint64_t bytes, struct error *err)
{
	enum status status = STATUS_OK;
	size_t      length = 1;
	if (bytes == 0 || (seek(input, &bytes) && bytes == 0))
		return STATUS_OK;
	char *dropped = malloc(CHUNK_BYTES);
	if (dropped == NULL)
		abort();
	for (; status == STATUS_OK && bytes > 0 && length > 0; bytes -= length)
		status = import_input_read(input, dropped,
		                           bytes < CHUNK_BYTES ? (size_t)bytes : CHUNK_BYTES, &length, err);
	free(dropped);
	return status;
}

uint64_t import_input_position(const struct import_input *input)
{
	return input->position - (input->length - input->at);
}

uint64_t import_input_size(const struct import_input *input) { return input->size; }
