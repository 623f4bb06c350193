#ifndef SONNIM_TRANSFER_EXPORT_FILE_H
#define SONNIM_TRANSFER_EXPORT_FILE_H

/* One file of an export: written aside under a name that begins with a dot, compressed and hashed
 * as it comes, synced and renamed when it is whole. One thread. */

#include <openssl/evp.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buffer.h"
#include "base/error.h"

enum export_compression { EXPORT_PLAIN, EXPORT_GZIP, EXPORT_ZSTD };

enum { EXPORT_CHECKSUM_BYTES = 65, EXPORT_PATH_BYTES = 4096 };

struct export_file {
	int                     fd; /* −1: none is open */
	char                    path[EXPORT_PATH_BYTES];
	char                    part[EXPORT_PATH_BYTES];
	enum export_compression compression;
	z_stream                gzip;
	ZSTD_CStream           *zstd;
	EVP_MD_CTX             *sha256;
	struct buffer           out;   /* compressed, to be written */
	uint64_t                bytes; /* written */
	uint64_t                text_bytes;
	uint64_t                rows;
	char                    checksum[EXPORT_CHECKSUM_BYTES]; /* once finished: hexadecimal */
};

/* The file will lie in `directory` as `name`. */
MUST_USE enum status export_file_open(struct export_file *file, const char *directory,
                                      const char *name, enum export_compression compression,
                                      struct error *err);

MUST_USE enum status export_file_add(struct export_file *file, struct text text, uint64_t rows,
                                     struct error *err);

/* Durable on return. */
MUST_USE enum status export_file_finish(struct export_file *file, struct error *err);

/* Frees; what was not finished is removed. */
void export_file_done(struct export_file *file);

/* Removes all files of a directory, whole or not: of a job that was cancelled. */
void export_remove_files(const char *directory);

#endif
