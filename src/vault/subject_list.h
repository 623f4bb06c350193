#ifndef SONNIM_VAULT_SUBJECT_LIST_H
#define SONNIM_VAULT_SUBJECT_LIST_H

/* Ids in a file of their own, sealed: whom a privacy request is about, as long as it is worked off.
 *
 *   file  = chunk …              chunk = u32 length, sealed bytes (vault_seal_common)
 *   plain = entry …              entry = u8 namespace (below), u16 length, the id
 *
 * One thread. */

#include "base/arena.h"
#include "base/vector.h"
#include "vault/vault.h"

enum { SUBJECT_CHUNK_IDS = 512 };

/* Beside ids, in place of their namespace. */
enum {
	SUBJECT_HASH = 3, /* the keyed hash of an id (vault_id_hash) */
	SUBJECT_TERM = 4, /* something else by which a person may be named */
};

struct subject_writer {
	struct vault *vault;
	const char   *path;
	int           fd;
	uint64_t      offset;
	uint64_t      count; /* of all ids */
	unsigned      in_chunk;
	struct buffer plain;
};

/* `fd` and `path` stay the caller's; the file is empty. */
void subject_writer_init(struct subject_writer *writer, struct vault *vault, int fd,
                         const char *path);
/* `id` is 1 to VAULT_ID_BYTES_MAX bytes long. */
MUST_USE enum status subject_writer_add(struct subject_writer *writer, struct vault_id id,
                                        struct error *err);
/* Writes the last chunk and syncs. */
MUST_USE enum status subject_writer_finish(struct subject_writer *writer, struct error *err);
void                 subject_writer_done(struct subject_writer *writer);

typedef VECTOR(struct vault_id) vault_id_list;

/* The chunk at `*offset`, whose ids replace those of `*list` (texts from the arena), and moves on.
 * STATUS_NOT_FOUND: the end. STATUS_CORRUPT. */
MUST_USE enum status subject_list_read(struct vault *vault, int fd, const char *path,
                                       uint64_t *offset, struct arena *arena, vault_id_list *list,
                                       struct error *err);

#endif
