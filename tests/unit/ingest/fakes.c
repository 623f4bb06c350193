#include "fakes.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "vault/vault_letters.h"
#include "vault/vault_subjects.h"

/* ---- Journal ---- */

static void call_back(struct fake_journal *journal, const struct fake_append *append)
{
	struct error err;
	if (journal->fails != STATUS_OK)
		(void)error_set(&err, journal->fails, "the journal fails");
	append->appended(append->context, journal->fails, append->position, journal->now_ms, &err);
}

static enum status fake_append(struct journal *base, const struct journal_batch *batches,
                               size_t batch_count, journal_appended_fn *appended, void *context,
                               struct error *err)
{
	struct fake_journal *journal = (struct fake_journal *)base;
	if (journal->refuses != STATUS_OK)
		return error_set(err, journal->refuses, "the journal refuses");

	assert(batch_count > 0);
	for (size_t i = 0; i < batch_count; i++) {
		assert(batches[i].partition < FAKE_PARTITION_COUNT);
		assert(batches[i].record_count > 0);
		buffer_add_text(&journal->bytes[batches[i].partition], batches[i].records);
		journal->position += batches[i].record_count;
	}
	journal->append_count++;
	struct fake_append append = {appended, context, journal->position};
	if (journal->waits)
		VECTOR_ADD(&journal->pending, append);
	else
		call_back(journal, &append);
	return STATUS_OK;
}

static int64_t fake_log_time_ms(struct journal *base)
{
	return ((struct fake_journal *)base)->now_ms;
}

static const struct journal_ops fake_ops = {
	.name        = "fake",
	.append      = fake_append,
	.log_time_ms = fake_log_time_ms,
};

void fake_journal_init(struct fake_journal *journal, int64_t now_ms)
{
	*journal = (struct fake_journal){.base = {&fake_ops}, .now_ms = now_ms};
}

void fake_journal_done(struct fake_journal *journal)
{
	assert(journal->pending.count == 0);
	VECTOR_DONE(&journal->pending);
	for (unsigned i = 0; i < FAKE_PARTITION_COUNT; i++)
		buffer_done(&journal->bytes[i]);
}

void fake_journal_sync(struct fake_journal *journal)
{
	for (size_t i = 0; i < journal->pending.count; i++)
		call_back(journal, &journal->pending.items[i]);
	journal->pending.count = 0;
}

/* Record `index`, or, when there are fewer, the number of all in `ret_count`. */
static bool find_record(const struct fake_journal *journal, unsigned index,
                        struct record *ret_record, uint32_t *ret_partition, unsigned *ret_count)
{
	unsigned count = 0;
	for (uint32_t partition = 0; partition < FAKE_PARTITION_COUNT; partition++) {
		struct text bytes = buffer_text(&journal->bytes[partition]);
		while (bytes.length > 0) {
			size_t      size   = 0;
			enum status status = record_decode(bytes, ret_record, &size, NULL);
			assert(status == STATUS_OK);
			if (count++ == index) {
				*ret_partition = partition;
				return true;
			}
			bytes.data += size;
			bytes.length -= size;
		}
	}
	*ret_count = count;
	return false;
}

struct record fake_journal_record(const struct fake_journal *journal, unsigned index,
                                  uint32_t *ret_partition)
{
	struct record record = {0};
	uint32_t      partition;
	unsigned      count;
	bool          found = find_record(journal, index, &record, &partition, &count);
	assert(found);
	if (ret_partition != NULL)
		*ret_partition = partition;
	return record;
}

unsigned fake_journal_count(const struct fake_journal *journal)
{
	struct record record;
	uint32_t      partition;
	unsigned      count = 0;
	find_record(journal, UINT32_MAX, &record, &partition, &count);
	return count;
}

/* ---- Vault ---- */

struct fake_vault fake_vault;

struct mapping {
	enum vault_namespace namespace;
	struct buffer id;
	struct person person;
	bool          identified;
};

struct waiting {
	vault_durable_fn *durable;
	void             *context;
};

static VECTOR(struct mapping) mappings;
static VECTOR(struct waiting) waiting;
static uint32_t slots[FAKE_PARTITION_COUNT];
static uint64_t sequence;
static uint64_t durable_sequence;

void fake_vault_reset(void)
{
	assert(waiting.count == 0);
	for (size_t i = 0; i < mappings.count; i++)
		buffer_done(&mappings.items[i].id);
	VECTOR_DONE(&mappings);
	VECTOR_DONE(&waiting);
	memset(slots, 0, sizeof slots);
	sequence = durable_sequence = 0;

	fake_vault = (struct fake_vault){0};
}

static struct mapping *find(enum vault_namespace namespace, struct text id)
{
	for (size_t i = 0; i < mappings.count; i++) {
		struct mapping *mapping = &mappings.items[i];
		if (mapping->namespace == namespace && text_equal(buffer_text(&mapping->id), id))
			return mapping;
	}
	return NULL;
}

static struct mapping *add(enum vault_namespace namespace, struct text id, struct person person,
                           bool identified)
{
	assert(id.length >= 1 && id.length <= VAULT_ID_BYTES_MAX);
	struct mapping mapping = {namespace, {0}, person, identified};
	buffer_add_text(&mapping.id, id);
	VECTOR_ADD(&mappings, mapping);
	sequence++;
	return &mappings.items[mappings.count - 1];
}

static uint64_t sequence_to_wait_for(void) { return sequence > durable_sequence ? sequence : 0; }

enum status vault_resolve(struct vault *vault, const struct vault_id *ids, size_t count,
                          bool create, struct person *ret_persons, bool *ret_identified,
                          uint64_t *ret_sequence, struct error *err)
{
	(void)vault;
	if (fake_vault.fails != STATUS_OK)
		return error_set(err, fake_vault.fails, "the vault fails");
	fake_vault.resolve_count++;
	for (size_t i = 0; i < count; i++) {
		struct mapping *mapping = find(ids[i].namespace, ids[i].id);
		uint32_t        partition =
			(uint32_t)hash_bytes(ids[i].id.data, ids[i].id.length) % FAKE_PARTITION_COUNT;
		if (mapping == NULL && create)
			mapping =
				add(ids[i].namespace, ids[i].id, (struct person){partition, slots[partition]++},
			        ids[i].namespace == VAULT_USER);
		ret_persons[i]    = mapping ? mapping->person : (struct person){partition, SLOT_NONE};
		ret_identified[i] = mapping && mapping->identified;
	}
	*ret_sequence = sequence_to_wait_for();
	return STATUS_OK;
}

enum status vault_link(struct vault *vault, struct text anonymous_id, struct person user,
                       bool *ret_existed, struct person *ret_before, uint64_t *ret_sequence,
                       struct error *err)
{
	(void)vault;
	if (fake_vault.fails != STATUS_OK)
		return error_set(err, fake_vault.fails, "the vault fails");
	struct mapping *mapping = find(VAULT_ANONYMOUS, anonymous_id);
	*ret_existed            = mapping != NULL;
	if (mapping == NULL)
		mapping = add(VAULT_ANONYMOUS, anonymous_id, user, true);
	else
		*ret_before = mapping->person;
	mapping->person     = user;
	mapping->identified = true;
	sequence++;
	*ret_sequence = sequence_to_wait_for();
	return STATUS_OK;
}

bool vault_known(struct vault *vault, struct vault_id id)
{
	(void)vault;
	return find(id.namespace, id.id) != NULL;
}

static void finish(struct waiting one)
{
	struct error err;
	if (fake_vault.fails != STATUS_OK)
		(void)error_set(&err, fake_vault.fails, "the vault fails");
	one.durable(one.context, fake_vault.fails, &err);
}

void vault_when_durable(struct vault *vault, uint64_t wanted, vault_durable_fn *durable,
                        void *context)
{
	(void)vault;
	assert(wanted > durable_sequence && wanted <= sequence);
	struct waiting one = {durable, context};
	if (fake_vault.waits) {
		VECTOR_ADD(&waiting, one);
		return;
	}
	durable_sequence = sequence;
	finish(one);
}

void fake_vault_sync(void)
{
	durable_sequence = sequence;
	for (size_t i = 0; i < waiting.count; i++)
		finish(waiting.items[i]);
	waiting.count = 0;
}

void vault_prefetch_key(const struct vault *vault, struct person person)
{
	(void)vault;
	(void)person;
}

enum status vault_seal(struct vault *vault, struct person person, struct text purpose,
                       struct text plain, struct buffer *out, struct error *err)
{
	(void)vault;
	(void)err;
	assert(person.slot < slots[person.partition]);
	assert(text_equal(purpose, RECORD_SEAL_PURPOSE));
	fake_vault.seal_count++;
	buffer_add_text(out, TEXT(SEAL_MARK));
	buffer_add_text(out, plain);
	return STATUS_OK;
}

/* The tests here open none of what is sealed. */
enum status vault_unseal(struct vault *vault, struct person person, struct text purpose,
                         struct text sealed, struct buffer *out, struct error *err)
{
	(void)vault;
	(void)person;
	(void)purpose;
	(void)sealed;
	(void)out;
	return error_set(err, STATUS_NOT_FOUND, "no such person");
}

/* The value in hexadecimal digits, as far as they go. */
bool vault_index(const struct vault *vault, enum personal_index kind, struct text value,
                 char ret_index[PERSONAL_INDEX_BYTES], const char **ret_reason)
{
	(void)vault;
	(void)ret_reason;
	if (kind == PERSONAL_EMAIL && memchr(value.data, '@', value.length) == NULL)
		return false;
	memset(ret_index, '0', PERSONAL_INDEX_BYTES);
	memcpy(ret_index, PERSONAL_INDEX_PREFIX, sizeof PERSONAL_INDEX_PREFIX - 1);
	char *digits = ret_index + sizeof PERSONAL_INDEX_PREFIX - 1;
	for (size_t i = 0; i < value.length && i < PERSONAL_INDEX_DIGITS / 2; i++) {
		digits[2 * i]     = "0123456789abcdef"[(unsigned char)value.data[i] >> 4];
		digits[2 * i + 1] = "0123456789abcdef"[(unsigned char)value.data[i] & 15];
	}
	return true;
}

void vault_seal_letter(struct vault *vault, struct text purpose, struct text plain,
                       struct buffer *out)
{
	(void)vault;
	(void)purpose;
	buffer_add_text(out, plain);
}

enum status vault_unseal_letter(struct vault *vault, struct text purpose, struct text sealed,
                                struct buffer *out, struct error *err)
{
	(void)vault;
	(void)purpose;
	(void)err;
	buffer_add_text(out, sealed);
	return STATUS_OK;
}

bool vault_letter_is_new(struct vault *vault, struct text sealed)
{
	(void)vault;
	(void)sealed;
	return true;
}

enum status vault_letters_renew_begin(struct vault *vault, struct error *err)
{
	(void)vault;
	(void)err;
	return STATUS_OK;
}

enum status vault_letters_renew_end(struct vault *vault, struct error *err)
{
	(void)vault;
	(void)err;
	return STATUS_OK;
}

static const char *suppressed; /* the one userId; NULL: nobody */

void fake_vault_suppress(const char *user_id) { suppressed = user_id; }

bool vault_suppresses(struct vault *vault)
{
	(void)vault;
	return suppressed != NULL;
}

bool vault_any_suppressed(struct vault *vault, const struct vault_id *ids, size_t count)
{
	(void)vault;
	for (size_t i = 0; i < count; i++)
		if (suppressed != NULL && ids[i].namespace == VAULT_USER &&
		    text_equal(ids[i].id, text_of(suppressed)))
			return true;
	return false;
}

/* Nobody is linked to him here: that is the vault's to test. */
bool vault_linked_to_suppressed(struct vault *vault, struct text anonymous_id)
{
	(void)vault;
	(void)anonymous_id;
	return false;
}

struct person fake_vault_person(enum vault_namespace namespace, const char *id)
{
	struct mapping *mapping = find(namespace, text_of(id));
	return mapping ? mapping->person : (struct person){0, SLOT_NONE};
}
