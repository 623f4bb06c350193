#ifndef SONNIM_VAULT_PERSONS_LOG_H
#define SONNIM_VAULT_PERSONS_LOG_H

/* The format of persons.log; docs/formats/vault.md has the byte layouts.
 *
 *   file header │ run │ run │ run │ zeros (preallocated)
 *   run = header, entries: what one group commit wrote, whole or torn
 *
 * A run tells how many entries of keys.log it needs: those are synced before the run is written, so
 * that a run that is there has its keys. A bad run is the torn tail when no good one lies behind
 * it, else it is damage: the run behind it was written after it had been synced. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "vault/id_index.h"

enum {
	PERSONS_HEADER_BYTES = 64,
	RUN_HEADER_BYTES     = 32,
	RUN_BYTES_MAX        = 128 << 20,
	ENTRY_LINK_BYTES     = 40,
	ENTRY_PERSON_BYTES   = 32, /* and the sealed id behind it, padded to 8 bytes */
};

enum persons_entry_kind {
	ENTRY_PERSON = 1,
	ENTRY_LINK   = 2,
};

struct persons_entry {
	enum persons_entry_kind kind;
	uint64_t                number; /* the person; of a link: the user */
	struct id_hash          masked; /* of the id; of a link: of the anonymous id */
	/* a person's */
	uint8_t namespace;
	uint32_t    key_at; /* which entry of keys.log */
	struct text sealed;
	/* a link's */
	uint64_t nonce;
};

static inline size_t persons_entry_bytes(size_t sealed_bytes)
{
	return ENTRY_PERSON_BYTES + (sealed_bytes + 7) / 8 * 8;
}

void persons_entry_encode(const struct persons_entry *entry, struct buffer *out);
/* False: no entry. `sealed` points into what is read. */
bool persons_entry_decode(struct byte_reader *reader, struct persons_entry *ret_entry);

/* How long a person's entry is, by its first ENTRY_PERSON_BYTES. */
static inline size_t persons_entry_whole_bytes(const uint8_t head[ENTRY_PERSON_BYTES])
{
	return persons_entry_bytes((size_t)head[2] | (size_t)head[3] << 8);
}

void persons_header_encode(const uint8_t workspace_id[16], uint32_t partition_count,
                           uint8_t ret_header[PERSONS_HEADER_BYTES]);

/* Fills the header that the run's first RUN_HEADER_BYTES were kept free for. */
void persons_run_finish(char *run, size_t length, uint64_t number, uint64_t keys_count);

/* Called for each entry, in order; `offset` is where it lies. An error ends the scan. */
typedef enum status persons_entry_fn(void *context, const struct persons_entry *entry,
                                     uint64_t offset, struct error *err);

struct persons_scan {
	uint64_t end;        /* behind the last good run */
	uint64_t run_count;  /* also the number of the last run */
	uint64_t keys_count; /* what the last run needs */
	bool     torn;       /* something other than zeros lay behind `end` */
};

/* Reads the whole file. STATUS_CORRUPT with file and offset. */
MUST_USE enum status persons_log_scan(int fd, const char *path, const uint8_t workspace_id[16],
                                      uint32_t partition_count, persons_entry_fn *entry,
                                      void *context, struct persons_scan *ret_scan,
                                      struct error *err);

#endif
