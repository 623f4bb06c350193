#ifndef SONNIM_BACKUP_EXTENTS_H
#define SONNIM_BACKUP_EXTENTS_H

/* Which objects a file consists of, and lists of such files (docs/formats/backup.md). A content is
 * cut into runs of OBJECT_BYTES_MAX at fixed offsets, so that a file that only grows, or that keeps
 * its pages in place, shares its objects with its copy of the day before. A run of zeros needs no
 * object. */

#include <stdbool.h>
#include <stdint.h>

#include "backup/repository.h"
#include "base/vector.h"

struct extent {
	uint64_t         offset;
	uint32_t         length; /* 1 to OBJECT_BYTES_MAX */
	struct object_id id;     /* zeros: the bytes are zeros */
};

typedef VECTOR(struct extent) extent_list;

bool extent_is_zeros(const struct extent *extent);

void extents_write(const extent_list *extents, struct buffer *out);
bool extents_read(struct byte_reader *reader, extent_list *ret_extents); /* false: malformed */

/* A file of the data directory, as it was when it was read. */
struct backup_file {
	char    *path; /* relative: "events/0007/0000000000000012.part" */
	uint64_t length;
	/* Which file it was: one that never changes need not be read again. 0: not told. */
	uint64_t    inode;
	int64_t     modified_ns;
	extent_list extents;
};

typedef VECTOR(struct backup_file) backup_file_list;

void backup_files_done(backup_file_list *files);
void backup_files_write(const backup_file_list *files, struct buffer *out);
/* False: malformed, or a path that leads outside. */
bool backup_files_read(struct text bytes, backup_file_list *ret_files);

/* Copies contents into a repository. */
struct copy {
	struct repository *repository;
	uint64_t           read_bytes;
	uint64_t           new_bytes;    /* of contents that were not there */
	uint64_t           stored_bytes; /* what they take */
	/* Before each piece, with its size: waits, and says whether to go on. NULL: always. */
	enum status (*pace)(void *context, uint64_t bytes, struct error *err);
	void *pace_context;
};

/* Reads bytes of what is copied; `*ret_length` is less than `length` at its end only. */
typedef enum status copy_read_fn(void *source, void *into, size_t length, uint64_t offset,
                                 size_t *ret_length, struct error *err);

/* Adds the bytes from `begin` to `end` of a source to `extents`, in runs of `run_bytes` at most
 * (OBJECT_BYTES_MAX, or less for what changes in places). STATUS_CORRUPT: it is shorter. */
MUST_USE enum status copy_range(struct copy *copy, copy_read_fn *read, void *source, uint64_t begin,
                                uint64_t end, size_t run_bytes, extent_list *extents,
                                struct error *err);

/* The same of a whole file. */
MUST_USE enum status copy_file(struct copy *copy, const char *path, uint64_t begin, uint64_t end,
                               size_t run_bytes, extent_list *extents, struct error *err);

#endif
