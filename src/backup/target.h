#ifndef SONNIM_BACKUP_TARGET_H
#define SONNIM_BACKUP_TARGET_H

/* Where backups are kept: a place that holds named runs of bytes. The only backend so far is a
 * directory (backup/target_directory.h); an object store would be another.
 *
 * Names have one or two parts, "objects/ab12…" or "repository"; a part holds letters, digits, "-"
 * and "." and does not begin with a dot. What is put is there whole and durable, or not at all,
 * also after a crash. Threads: any. Errors: STATUS_NOT_FOUND, STATUS_NO_SPACE (retriable),
 * STATUS_IO, all with the name of what they are about. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"

struct target;

/* An error ends the walk. */
typedef enum status target_visit_fn(void *context, const char *name, struct error *err);

struct target_ops {
	const char *name;

	/* Durable on return. STATUS_CONFLICT: the name is taken; nothing is changed. */
	enum status (*put)(struct target *, const char *name, struct text bytes, struct error *);

	/* Appends the content; more than `bytes_max` is STATUS_TOO_LARGE. What was put is read from
	 * where it lies, not from a memory of the writing. */
	enum status (*get)(struct target *, const char *name, size_t bytes_max, struct buffer *out,
	                   struct error *);

	enum status (*size)(struct target *, const char *name, uint64_t *ret_bytes, struct error *);

	/* Each name that begins with `folder` and a slash ("objects"), in no order; what is put or
	 * removed meanwhile may be told or not. A folder that is not there has none. */
	enum status (*each)(struct target *, const char *folder, target_visit_fn *visit, void *context,
	                    struct error *);

	/* What is not there is no error. */
	enum status (*remove)(struct target *, const char *name, struct error *);

	/* Gives it another name, durably; one that has it is replaced. */
	enum status (*rename)(struct target *, const char *name, const char *to, struct error *);

	void (*free)(struct target *);
};

/* Every backend's struct begins with this. */
struct target {
	const struct target_ops *ops;
};

#endif
