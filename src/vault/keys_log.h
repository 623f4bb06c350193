#ifndef SONNIM_VAULT_KEYS_LOG_H
#define SONNIM_VAULT_KEYS_LOG_H

/* The format of keys.log: entries of 64 bytes, found by their place; docs/formats/vault.md has the
 * byte layouts. Entry 0 is the file's header, entry 1 holds the keys of the hashes.
 *
 * Each entry has its own checksum and never crosses a sector, so that one can be made void in
 * place: erasing a person is overwriting 64 bytes. The seed in it is what the person's hash in
 * persons.log is masked with: without it that hash, in every copy and backup, is noise.
 *
 * How many entries there must be says persons.log (its runs): one that is bad or missing before
 * that is damage; what lies behind was never durable and may be torn. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vault/cipher.h"

enum { KEY_ENTRY_BYTES = 64, KEY_AT_HEADER = 0, KEY_AT_HASHES = 1, KEY_AT_FIRST = 2 };

enum key_entry_kind {
	KEY_ENTRY_BAD          = 0, /* as read: the checksum is wrong */
	KEY_ENTRY_HEADER       = 1,
	KEY_ENTRY_HASHES       = 2, /* the keys of the hashes, wrapped by the master key */
	KEY_ENTRY_INTERMEDIATE = 3, /* wrapped by the master key; number: its first person's */
	KEY_ENTRY_DATA         = 4, /* wrapped by the person's intermediate key */
	KEY_ENTRY_VOID         = 5, /* nothing (any more) */
};

struct key_entry {
	uint64_t head; /* kind in the top 8 bits, person number below */
	uint64_t seed;
	uint8_t  wrapped[CIPHER_WRAPPED_BYTES];
	uint64_t checksum; /* XXH3 of the bytes before it, seeded with the entry's place */
};
_Static_assert(sizeof(struct key_entry) == KEY_ENTRY_BYTES, "as in docs/formats/vault.md");

static inline struct key_entry key_entry_of(enum key_entry_kind kind, uint64_t number)
{
	return (struct key_entry){.head = (uint64_t)kind << 56 | number};
}

static inline uint64_t key_entry_number(const struct key_entry *entry)
{
	return entry->head & ((UINT64_C(1) << 56) - 1);
}

/* What takes the place of an erased person's data key: a void entry that still names the number, so
 * that it is never used again, and is known to be erased also beside older copies of the data. */
enum { KEY_SEED_ERASED = 1 };

static inline struct key_entry key_entry_erased(uint64_t number)
{
	struct key_entry entry = key_entry_of(KEY_ENTRY_VOID, number);
	entry.seed             = KEY_SEED_ERASED;
	return entry;
}

/* The last step before it is written at place `at`. */
void key_entry_finish(struct key_entry *entry, uint64_t at);

enum key_entry_kind key_entry_kind(const struct key_entry *entry, uint64_t at);

/* Entry 0. */
struct key_entry     key_entry_header(const uint8_t workspace_id[16]);
MUST_USE enum status key_entry_check_header(const struct key_entry *entry, const char *path,
                                            const uint8_t workspace_id[16], struct error *err);

/* Called for each entry from KEY_AT_FIRST on, bad ones too; an error ends the scan. */
typedef enum status key_entry_fn(void *context, const struct key_entry *entry,
                                 enum key_entry_kind kind, uint64_t at, struct error *err);

/* Reads the whole file behind entry 1. `*ret_count`: entries in it, the first two included, up to
 * the last that is not bad; `*ret_torn`: something other than zeros lies behind. */
MUST_USE enum status keys_log_scan(int fd, const char *path, key_entry_fn *entry, void *context,
                                   uint64_t *ret_count, bool *ret_torn, struct error *err);

#endif
