#ifndef SONNIM_TESTS_INGEST_FAKES_H
#define SONNIM_TESTS_INGEST_FAKES_H

/* A journal and a vault in memory, for tests of ingest and its fuzz target. The vault stands in
 * place of the real one at link time; there is one a process. "Sealed" is the plain text behind
 * SEAL_MARK. */

#include "base/vector.h"
#include "journal/journal.h"
#include "model/record.h"
#include "vault/vault.h"

#define SEAL_MARK "sealed:"

enum { FAKE_PARTITION_COUNT = 4 };

struct fake_append {
	journal_appended_fn *appended;
	void                *context;
	uint64_t             position;
};

struct fake_journal {
	struct journal base;
	enum status    refuses; /* what append() answers, unless OK */
	enum status    fails;   /* what `appended` is called with */
	bool           waits;   /* `appended` only with fake_journal_sync() */
	int64_t        now_ms;
	uint64_t       position;
	unsigned       append_count;
	struct buffer  bytes[FAKE_PARTITION_COUNT]; /* all records of a partition */
	VECTOR(struct fake_append) pending;
};

void fake_journal_init(struct fake_journal *journal, int64_t now_ms);
void fake_journal_done(struct fake_journal *journal);
void fake_journal_sync(struct fake_journal *journal);

/* Record `index` of all (partition by partition, in order); asserts that it is there. Its partition
 * goes to `ret_partition` (may be NULL). Points into the journal until the next append. */
struct record fake_journal_record(const struct fake_journal *journal, unsigned index,
                                  uint32_t *ret_partition);
unsigned      fake_journal_count(const struct fake_journal *journal);

/* The vault. */
extern struct fake_vault {
	bool        waits; /* vault_when_durable() calls back only with fake_vault_sync() */
	enum status fails; /* what it calls back with, and vault_resolve() answers, unless OK */
	unsigned    resolve_count;
	unsigned    seal_count;
} fake_vault;

void          fake_vault_reset(void);
void          fake_vault_sync(void);
struct person fake_vault_person(enum vault_namespace, const char *id); /* SLOT_NONE: unknown */

/* Whose messages are to be dropped; NULL: nobody's. */
void fake_vault_suppress(const char *user_id);

#endif
