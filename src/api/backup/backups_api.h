#ifndef SONNIM_API_BACKUPS_API_H
#define SONNIM_API_BACKUPS_API_H

/* What the API knows of backups: the application says what there is; making, verifying and pruning
 * them are jobs. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

struct api_backup {
	const char *id;
	int64_t     begun_ms;
	int64_t     finished_ms;
	int64_t     clock_ms; /* log time that it holds */
	uint64_t    last_position;
	uint64_t    files;
	uint64_t    bytes;
	uint64_t    new_bytes;
	uint64_t    stored_bytes;
	bool        damaged; /* only the id is known */
};

struct api_backups {
	void *context;
	/* Newest first, from the arena. Not on an HTTP loop. */
	enum status (*list)(void *context, struct arena *arena, struct api_backup **ret_backups,
	                    size_t *ret_count, struct error *err);
	/* Prometheus text. */
	void (*write_metrics)(void *context, struct buffer *out);
};

#endif
