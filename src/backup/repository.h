#ifndef SONNIM_BACKUP_REPOSITORY_H
#define SONNIM_BACKUP_REPOSITORY_H

/* What lies in a target of backups (docs/formats/backup.md): objects, each stored once under a name
 * made from its content, and documents that name them. Everything is sealed (AES-256-GCM), so that
 * whoever has the target has nothing, and can change nothing that is not noticed.
 *
 *   key that is given ─ wraps ─► data key ─┬─► of names: keyed BLAKE2b of the content
 *   (file, environment, command)           └─► of seals: objects and documents
 *
 *   content (≤ 4 MiB) ─► zstd, where that pays ─► sealed ─► put ─► read back, unsealed, compared
 *
 * Errors: those of the target; STATUS_CORRUPT: an object or a document is damaged, or not what its
 * name says; STATUS_FORBIDDEN: the key is another repository's. Threads: any. */

#include <stdbool.h>
#include <stdint.h>

#include "backup/target.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"
#include "vault/cipher.h"

enum {
	OBJECT_ID_BYTES    = 32,
	OBJECT_BYTES_MAX   = 4 << 20,
	DOCUMENT_BYTES_MAX = 256 << 20,
	OBJECT_NAME_BYTES  = 8 + 2 * OBJECT_ID_BYTES + 1, /* "objects/", the digits, a NUL */
	REPOSITORY_LEVEL   = 1,                           /* zstd's */
};

struct object_id {
	uint8_t bytes[OBJECT_ID_BYTES];
};

void object_name(const struct object_id *id, char ret_name[OBJECT_NAME_BYTES]);
bool object_id_of_name(const char *name, struct object_id *ret_id); /* false: no object's name */

struct repository;

/* Takes over the target, also on an error. `write`: a target without repository gets one. */
MUST_USE enum status repository_open(struct target *target, const uint8_t key[CIPHER_KEY_BYTES],
                                     bool write, struct repository **ret_repository,
                                     struct error *err);
void                 repository_free(struct repository *repository); /* NULL is fine */

struct target *repository_target(struct repository *repository);

/* A random number that tells repositories apart. */
enum { REPOSITORY_ID_BYTES = 16 };
const uint8_t *repository_id(const struct repository *repository);

/* The id that a content has, or would have. Cost: a hash of it. */
struct object_id repository_id_of(const struct repository *repository, struct text content);

/* Stores 1 to OBJECT_BYTES_MAX bytes unless they are there, and reads back what it has stored.
 * `*ret_stored_bytes` 0: they were. */
MUST_USE enum status repository_put(struct repository *repository, struct text content,
                                    struct object_id *ret_id, uint64_t *ret_stored_bytes,
                                    struct error *err);

/* Appends the content, checked against its id. */
MUST_USE enum status repository_get(struct repository *repository, const struct object_id *id,
                                    struct buffer *out, struct error *err);

/* STATUS_NOT_FOUND: it is not there. Does not look into it. */
MUST_USE enum status repository_has(struct repository *repository, const struct object_id *id,
                                    struct error *err);

/* Takes a damaged object out of use: the next that puts its content stores it anew. */
MUST_USE enum status repository_set_aside(struct repository *repository, const struct object_id *id,
                                          struct error *err);

/* Documents: sealed under their name, compressed. STATUS_CONFLICT: the name is taken. */
MUST_USE enum status repository_put_document(struct repository *repository, const char *name,
                                             struct text content, struct error *err);
MUST_USE enum status repository_get_document(struct repository *repository, const char *name,
                                             struct buffer *out, struct error *err);

#endif
