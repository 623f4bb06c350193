#ifndef SONNIM_VAULT_VAULT_H
#define SONNIM_VAULT_VAULT_H

/* The vault: who is who. It alone maps an external id (a namespace and a string) to a person
 * number, and it keeps each person's own data key, under which the id itself and all personal
 * values are encrypted. Deleting one person's key erases the person everywhere at once, backups
 * included.
 *
 *   data/vault/      persons.log   mappings, links: keyed hash of the id, person number, sealed id
 *   KEYRING/         master.key    the workspace's master key (or from outside)
 *                    keys.log      data keys, each wrapped by an intermediate key (one for 4,096
 *                                  persons of a partition), these wrapped by the master key
 *
 * The keyring lies outside the data directory, so that a backup of the data never contains it.
 * Look-up: SipHash-2-4 with 128-bit output under a key of the keyring; the id itself is not needed
 * to find it. Formats in docs/formats/vault.md. Encryption: AES-256-GCM (OpenSSL), data keys
 * wrapped by AES-256 key wrap (RFC 3394). Torn tails of both logs are cut at open; damage before
 * the tail is STATUS_CORRUPT with file and offset.
 *
 * Durability: vault_resolve() hands out new numbers at once, together with a sequence; nothing that
 * uses them may reach the journal before vault_when_durable(sequence) called back (the vault's own
 * thread syncs for all who wait: group commit). A sequence that is already durable calls back at
 * once, on the caller's thread.
 *
 * Threads: any (sharded locks inside). Memory: about 40 bytes a person; the sealed ids and wrapped
 * keys stay in their files (mapped or read on demand); unwrapped keys are cached up to a limit. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"
#include "model/person.h"
#include "model/personal.h"

struct vault;

struct vault_config {
	const char *directory;         /* data/vault; made (0700) when absent */
	const char *keyring_directory; /* outside the data; made (0700) when there is no data yet */
	uint32_t    partition_count;
	uint8_t     workspace_id[16];

	/* What prints the master key, or the name of the variable that holds it; both NULL: the
	 * keyring's file. */
	const char *master_command;
	const char *master_variable;

	/* Of telephone numbers without one: "82" (vault/blind.h). NULL: that. */
	const char *phone_country;

	/* System calls, replaceable by tests; NULL: the real ones. */
	const struct vault_system *system;
};

struct vault_system {
	int (*allocate)(int fd, uint64_t offset, uint64_t length); /* posix_fallocate; 0 or errno */
	int64_t (*write)(int fd, const void *data, size_t length, uint64_t offset); /* pwrite */
	int (*sync)(int fd); /* fdatasync; 0 or -1 with errno */
};

enum vault_namespace { VAULT_USER = 1, VAULT_ANONYMOUS = 2 };

enum { VAULT_ID_BYTES_MAX = 1024 };

struct vault_id {
	enum vault_namespace namespace;
	struct text id; /* 1 to VAULT_ID_BYTES_MAX bytes of UTF-8 */
};

/* STATUS_NOT_FOUND when the data exists but its keyring does not (a restore needs the current one);
 * STATUS_CORRUPT when the keyring belongs to another workspace. */
MUST_USE enum status vault_open(const struct vault_config *config, struct vault **ret_vault,
                                struct error *err);
void                 vault_close(struct vault *vault); /* finishes pending syncs */

/* Slots that the journal has seen in use: allocation goes on behind the larger of vault and
 * journal. To be called for each partition before the first resolve that creates. */
void vault_reserve(struct vault *vault, uint32_t partition, uint32_t slot_count);

/* The person of each id, in batches (prefetched). An anonymous id that is linked answers its user.
 * Unknown ids are created (partition by keyed hash, next slot of it) when `create`, else they
 * answer {partition, SLOT_NONE}. The same unknown id twice in a batch is one person.
 * `*ret_sequence` is what must be durable before any of them is used (0: nothing to wait for);
 * mappings that other threads made and that are not durable yet are included. `ret_identified[i]`
 * (may be NULL): the person is a user (named by a VAULT_USER id, or by an anonymous id that is
 * linked to one). STATUS_NO_SPACE and STATUS_UNAVAILABLE (too many wait for the disk) may pass;
 * STATUS_FAILED after a failed write. On an error the contents of both arrays mean nothing. */
MUST_USE enum status vault_resolve(struct vault *vault, const struct vault_id *ids, size_t count,
                                   bool create, struct person *ret_persons, bool *ret_identified,
                                   uint64_t *ret_sequence, struct error *err);

/* From now on `anonymous_id` answers `user`. What it was before: `*ret_existed` whether it was
 * known at all, `*ret_before` whom it answered (its own profile or another user). An existing own
 * profile stays what it is. Linking to the same user again changes nothing. `user` must be a person
 * of this vault (STATUS_NOT_FOUND). Errors as above. */
MUST_USE enum status vault_link(struct vault *vault, struct text anonymous_id, struct person user,
                                bool *ret_existed, struct person *ret_before,
                                uint64_t *ret_sequence, struct error *err);

/* (STATUS_UNAVAILABLE also while either of them is being erased: vault_erase.h.)
 *
 * A visitor with a profile of his own whose id was linked afterwards: whose his events have become,
 * or are to become. Later links of the id do not move them. */
struct vault_merge {
	struct person visitor;
	struct person user;
};

/* False: the id is not linked, or had no profile. */
bool vault_merged(struct vault *vault, struct text anonymous_id, struct vault_merge *ret_merge);

/* Calls for each of them, in no order; `call` must not use the vault. */
typedef void vault_merge_fn(void *context, const struct vault_merge *merge);
void         vault_each_merge(struct vault *vault, vault_merge_fn *call, void *context);

/* Whether the id is known under the namespace. */
bool vault_known(struct vault *vault, struct vault_id id);

/* Calls back once everything up to `sequence` is durable (STATUS_OK), or can no longer become
 * so. */
typedef void vault_durable_fn(void *context, enum status status, const struct error *err);
void         vault_when_durable(struct vault *vault, uint64_t sequence, vault_durable_fn *durable,
                                void *context);

/* The external id of a person (that under which it was created). STATUS_NOT_FOUND: no such person,
 * or erased. The text is allocated from `arena`. */
MUST_USE enum status vault_external_id(struct vault *vault, struct person person,
                                       struct arena *arena, struct vault_id *ret_id,
                                       struct error *err);

/* Makes a vault_seal() for that person, soon after it, cheaper. */
void vault_prefetch_key(const struct vault *vault, struct person person);

/* Encrypts `plain` under the person's data key and appends it to `out`: 12 bytes of nonce, the
 * ciphertext, 16 of tag. `purpose` is authenticated with it. */
MUST_USE enum status vault_seal(struct vault *vault, struct person person, struct text purpose,
                                struct text plain, struct buffer *out, struct error *err);

/* The reverse. STATUS_NOT_FOUND: the person has no key any more; STATUS_CORRUPT: not authentic. */
MUST_USE enum status vault_unseal(struct vault *vault, struct person person, struct text purpose,
                                  struct text sealed, struct buffer *out, struct error *err);

/* The blind index of an e-mail address or telephone number (vault/blind.h). False: it is none;
 * `*ret_reason` (may be NULL) says so. */
bool vault_index(const struct vault *vault, enum personal_index kind, struct text value,
                 char ret_index[PERSONAL_INDEX_BYTES], const char **ret_reason);

/* The same for what belongs to no known person, under a key of the workspace that the keyring
 * yields: erasing a person does not reach it, so it must not be kept for long. */
void vault_seal_common(struct vault *vault, struct text purpose, struct text plain,
                       struct buffer *out);
/* STATUS_CORRUPT: not authentic. */
MUST_USE enum status vault_unseal_common(struct vault *vault, struct text purpose,
                                         struct text sealed, struct buffer *out, struct error *err);

/* Replaces the master key while everything goes on: wraps anew what the present one wraps. Crashes
 * at any instant lose nothing: the next vault_open() finishes it. `*ret_count` entries. Blocks for
 * some milliseconds. STATUS_CONFLICT: another rotation is under way, or the key's source still has
 * the present one; STATUS_INVALID, STATUS_TIMEOUT: what the source has is no key. */
MUST_USE enum status vault_rotate(struct vault *vault, size_t *ret_count, struct error *err);

/* How many bytes of persons.log are durable: whatever the journal's durable records need is in
 * them. Only appended to, so that a copy of so many bytes is a vault of this moment. */
uint64_t vault_durable_bytes(struct vault *vault);

struct vault_status {
	uint64_t persons;
	uint64_t links;
	uint64_t memory_bytes;
	bool     failed;
};
void vault_status(struct vault *vault, struct vault_status *ret_status);

#endif
