#ifndef SONNIM_TRANSFER_IMPORT_INPUT_H
#define SONNIM_TRANSFER_IMPORT_INPUT_H

/* The bytes of a file to import: plain, gzip or zstd (told by their first bytes), or "-" for the
 * standard input. One thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct import_input;

MUST_USE enum status import_input_open(const char *path, struct import_input **ret_input,
                                       struct error *err);
/* Only `bytes` of the file, from `offset` on. */
MUST_USE enum status import_input_open_part(const char *path, uint64_t offset, uint64_t bytes,
                                            struct import_input **ret_input, struct error *err);
void                 import_input_close(struct import_input *input); /* NULL is fine */

/* The next bytes, at most `size`; 0 at the end. STATUS_IO, STATUS_CORRUPT (compressed wrongly). */
MUST_USE enum status import_input_read(struct import_input *input, char *into, size_t size,
                                       size_t *ret_length, struct error *err);

/* Passes over so many bytes, or all that there are: at once in a plain file, else by reading. */
MUST_USE enum status import_input_skip(struct import_input *input, uint64_t bytes,
                                       struct error *err);

/* How much of the file was read, and how much there is (0: unknown), as it lies on the disk. */
uint64_t import_input_position(const struct import_input *input);
uint64_t import_input_size(const struct import_input *input);

#endif
