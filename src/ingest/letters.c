#include "ingest/letters.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/instant.h"
#include "base/log.h"
#include "ingest/letters_internal.h"
#include "ingest/raw.h"
#include "vault/vault_letters.h"

#define LETTERS struct letters_settings
static const struct setting table[] = {
	SETTING_DURATION(LETTERS, retention_ms, "dead-letter-retention", "14d", 60000,
                     INT64_C(3660) * DAY_MS, "How long rejected events are kept"),
	SETTING_INT(LETTERS, count_max, "dead-letter-count", "10000", 0, 1000000,
                "Rejected events kept of each source; beyond it the oldest go"),
	SETTING_BYTES(LETTERS, bytes_max, "dead-letter-bytes", "64MiB", 0, INT64_C(1) << 40,
                  "Bytes of rejected events kept of each source; beyond it the oldest go"),
};
#undef LETTERS

struct settings letters_settings_of(struct letters_settings *target)
{
	return (struct settings){table, sizeof table / sizeof table[0], target};
}

const struct letters_settings *letters_settings(const struct letters *letters)
{
	return &letters->settings;
}

/* ---- Taking them in ---- */

static size_t cut_length(struct text text)
{
	size_t length = text.length;
	if (length <= LETTER_BYTES_MAX)
		return length;
	length = LETTER_BYTES_MAX;
	while (length > 0 && ((unsigned char)text.data[length] & 0xc0) == 0x80)
		length--; /* not within a character */
	return length;
}

static struct text content_of(struct text event, struct text shared)
{
	struct buffer content = {0};
	buffer_add_u32(&content, (uint32_t)shared.length);
	buffer_add_text(&content, shared);
	buffer_add(&content, event.data, cut_length(event));
	return buffer_text(&content); /* its memory is the letter's */
}

/* The batch's members that hold for all of its messages. */
static void write_shared(struct json batch, struct buffer *out)
{
	static const char *const names[] = {"sentAt", "context"};
	struct json_writer       w       = json_writer_of(out);
	json_begin_object(&w);
	for (unsigned i = 0; i < 2; i++) {
		struct json value = json_get(batch, names[i]);
		if (json_type(value) != JSON_NONE) {
			json_add_key(&w, text_of(names[i]));
			json_add_value(&w, value);
		}
	}
	json_end_object(&w);
	if (out->length > LETTER_BYTES_MAX)
		buffer_clear(out);
}

static void keep_detail(struct letter *letter, const struct ingest_rejection *rejection)
{
	size_t field = rejection->field.length, reason = rejection->reason.length;
	if (field + reason == 0)
		return;
	letter->detail = malloc(field + reason);
	if (letter->detail == NULL)
		abort();
	letter->field  = (struct text){letter->detail, field};
	letter->reason = (struct text){letter->detail + field, reason};
	if (field > 0)
		memcpy(letter->detail, rejection->field.data, field);
	if (reason > 0)
		memcpy(letter->detail + field, rejection->reason.data, reason);
}

static void capture(const struct ingest_request *request, int64_t at_ms, struct text event,
                    struct text shared, const struct ingest_rejection *rejection, letter_list *list)
{
	struct letter letter = {.source_number = request->source_number,
	                        .at_ms         = at_ms,
	                        .kind          = request->kind,
	                        .code          = rejection->code,
	                        .index         = rejection->index,
	                        .bytes         = event.length,
	                        .content       = content_of(event, shared)};
	keep_detail(&letter, rejection);
	VECTOR_ADD(list, letter);
}

static void free_texts(struct letter *letter)
{
	free((char *)letter->content.data);
	free(letter->detail);
}

static void capture_listed(const struct ingest_request *request, int64_t at_ms,
                           struct raw_items items, struct text shared,
                           const struct ingest_rejection *rejected, size_t count, letter_list *list)
{
	uint32_t index = 0;
	for (size_t i = 0; i < count && raw_next(&items); index++)
		if (rejected[i].index == index)
			capture(request, at_ms, items.item, shared, &rejected[i++], list);
}

void letters_capture(struct letters *letters, const struct ingest_request *request, int64_t at_ms,
                     struct text body, struct json batch, const struct ingest_rejection *rejected,
                     size_t count, letter_list *list)
{
	if (atomic_load_explicit(&letters->full, memory_order_relaxed)) {
		atomic_fetch_add_explicit(&letters->dropped, count, memory_order_relaxed);
		return;
	}
	size_t taken = count < LETTERS_WAITING_MAX ? count : LETTERS_WAITING_MAX;
	atomic_fetch_add_explicit(&letters->dropped, count - taken, memory_order_relaxed);

	struct buffer shared = {0};
	bool          listed = request->kind == INGEST_BATCH || request->kind == INGEST_EVENTS;
	if (request->kind == INGEST_BATCH)
		write_shared(batch, &shared);
	struct raw_items items =
		raw_items(body, request->kind == INGEST_BATCH ? TEXT("batch") : TEXT("events"));
	if (listed && items.at < items.end)
		capture_listed(request, at_ms, items, buffer_text(&shared), rejected, taken, list);
	else /* one message is the body */
		capture(request, at_ms, body, TEXT(""), &rejected[0], list);
	buffer_done(&shared);
}

void letters_drop(letter_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free_texts(&list->items[i]);
	list->count = 0;
}

void letters_add(struct letters *letters, letter_list *list)
{
	size_t kept = 0;
	pthread_mutex_lock(&letters->lock);
	for (size_t i = 0; i < list->count; i++) {
		struct letter *letter = &list->items[i];
		if (letters->waiting.count >= LETTERS_WAITING_MAX ||
		    letters->waiting_bytes + letter->content.length > LETTERS_WAITING_BYTES_MAX) {
			free_texts(letter);
			atomic_store(&letters->full, true);
			continue;
		}
		letters->waiting_bytes += letter->content.length;
		VECTOR_ADD(&letters->waiting, *letter);
		kept++;
	}
	pthread_mutex_unlock(&letters->lock);
	atomic_fetch_add(&letters->dropped, list->count - kept);
	list->count = 0;
}

/* ---- Sealing ---- */

/* As collection reads ids: a string, or a number as its text. */
static bool id_of(struct json event, const char *name, struct buffer *number, struct text *ret_id)
{
	struct json value = json_get(event, name);
	if (json_type(value) == JSON_STRING) {
		*ret_id = json_string(value);
	} else if (json_is_number(value)) {
		struct json_writer w = json_writer_of(number);
		buffer_clear(number);
		json_add_value(&w, value);
		*ret_id = buffer_text(number);
	} else {
		return false;
	}
	return ret_id->length > 0 && ret_id->length <= VAULT_ID_BYTES_MAX;
}

static bool find_id(struct json event, struct buffer *number, struct vault_id *ret_id)
{
	static const struct {
		const char *name;
		enum vault_namespace namespace;
	} names[] = {
		{"userId", VAULT_USER}, {"anonymousId", VAULT_ANONYMOUS}, {"previousId", VAULT_ANONYMOUS}};
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		if (id_of(event, names[i].name, number, &ret_id->id)) {
			ret_id->namespace = names[i].namespace;
			return true;
		}
	return false;
}

/* Whose it is, of those who are known. */
static bool find_person(struct letters *letters, const struct letter *letter,
                        struct person *ret_person)
{
	uint32_t        shared;
	struct json     event;
	struct error    err;
	struct vault_id id;
	struct buffer   number = {0};
	uint64_t        sequence;
	memcpy(&shared, letter->content.data, sizeof shared);
	size_t      begin = sizeof shared + shared;
	struct text text  = {letter->content.data + begin, letter->content.length - begin};
	bool        found = json_parse_text(letters->parser, text, &event, &err) == STATUS_OK &&
	             json_type(event) == JSON_OBJECT && find_id(event, &number, &id) &&
	             vault_resolve(letters->vault, &id, 1, false, ret_person, NULL, &sequence, &err) ==
	                 STATUS_OK &&
	             ret_person->slot != SLOT_NONE;
	buffer_done(&number);
	return found;
}

static struct store_letter seal(struct letters *letters, const struct letter *letter,
                                struct arena *arena)
{
	struct store_letter sealed = {
		.source_number = letter->source_number,
		.at_ms         = letter->at_ms,
		.code          = text_of(ingest_code_name(letter->code)),
		.place  = letter_place(letter->kind, letter->index, letter->code, letter->field, arena),
		.reason = letter->reason.length > 0 ? arena_text(arena, letter->reason)
	                                        : text_of(ingest_code_message(letter->code)),
		.kind   = letter->kind,
		.bytes  = letter->bytes,
	};
	struct person person = {0};
	struct error  err;
	struct buffer out = {0};
	sealed.personal   = find_person(letters, letter, &person) &&
	                  vault_seal(letters->vault, person, LETTER_PURPOSE, letter->content, &out,
	                             &err) == STATUS_OK;
	if (sealed.personal) {
		sealed.partition = person.partition;
		sealed.slot      = person.slot;
	} else {
		vault_seal_letter(letters->vault, LETTER_PURPOSE, letter->content, &out);
	}
	sealed.content = arena_text(arena, buffer_text(&out));
	buffer_done(&out);
	return sealed;
}

enum status letters_open(struct letters *letters, const struct store_letter *letter,
                         struct arena *arena, struct text *ret_event, struct text *ret_shared,
                         struct error *err)
{
	struct buffer plain  = {0};
	struct person person = {letter->partition, letter->slot};
	enum status   status =
        letter->personal
			  ? vault_unseal(letters->vault, person, LETTER_PURPOSE, letter->content, &plain, err)
			  : vault_unseal_letter(letters->vault, LETTER_PURPOSE, letter->content, &plain, err);
	uint32_t shared = 0;
	if (status == STATUS_OK && plain.length >= sizeof shared) {
		memcpy(&shared, plain.data, sizeof shared);
		const char *begin = plain.data + sizeof shared;
		*ret_shared       = arena_text(arena, (struct text){begin, shared});
		*ret_event =
			arena_text(arena, (struct text){begin + shared, plain.length - sizeof shared - shared});
	}
	buffer_done(&plain);
	return status;
}

/* ---- To the store ---- */

static int by_source(const void *a, const void *b)
{
	const struct store_letter *left = a, *right = b;
	if (left->source_number != right->source_number)
		return left->source_number < right->source_number ? -1 : 1;
	return (left->at_ms > right->at_ms) - (left->at_ms < right->at_ms);
}

static enum status store_letters(struct letters *letters, const letter_list *list,
                                 struct error *err)
{
	const struct store_letter_limits limits = {(uint64_t)letters->settings.count_max,
	                                           letters->settings.bytes_max};
	struct arena                     arena;
	arena_init(&arena);
	struct store_letter *sealed = ARENA_ARRAY(&arena, struct store_letter, list->count + 1);
	for (size_t i = 0; i < list->count; i++)
		sealed[i] = seal(letters, &list->items[i], &arena);
	qsort(sealed, list->count, sizeof *sealed, by_source);
	enum status status =
		letters->store->ops->letter_add(letters->store, sealed, list->count, &limits, err);
	atomic_fetch_add(status == STATUS_OK ? &letters->added : &letters->dropped, list->count);
	arena_done(&arena);
	return status;
}

static enum status read_totals(struct letters *letters, struct error *err)
{
	struct store_letter_totals totals;
	enum status                status =
		letters->store->ops->letter_totals(letters->store, INT64_MAX, &totals, err);
	if (status == STATUS_OK) {
		pthread_mutex_lock(&letters->totals_lock);
		letters->totals = totals;
		pthread_mutex_unlock(&letters->totals_lock);
	}
	return status;
}

enum status letters_flush(struct letters *letters, struct error *err)
{
	letter_list list;
	enum status status = STATUS_OK;
	pthread_mutex_lock(&letters->flushing);
	pthread_mutex_lock(&letters->lock);
	list                   = letters->waiting;
	letters->waiting       = (letter_list){0};
	letters->waiting_bytes = 0;
	atomic_store(&letters->full, false);
	pthread_mutex_unlock(&letters->lock);
	if (list.count > 0) {
		status = store_letters(letters, &list, err);
		if (status == STATUS_OK)
			status = read_totals(letters, err);
	}
	pthread_mutex_unlock(&letters->flushing);
	letters_drop(&list);
	VECTOR_DONE(&list);
	return status;
}

/* Others delete old ones, with their age, and those of deleted sources. */
static enum status refresh_totals(struct letters *letters, struct error *err)
{
	if (letters->rounds++ % LETTERS_TOTALS_ROUNDS != 0)
		return STATUS_OK;
	return read_totals(letters, err);
}

static void tend(struct letters *letters)
{
	struct error err;
	bool         failed =
		letters_flush(letters, &err) != STATUS_OK || refresh_totals(letters, &err) != STATUS_OK;
	if (failed && !letters->failing)
		log_error("rejected events could not be kept", &err);
	letters->failing = failed;
}

static void *run(void *context)
{
	struct letters *letters = context;
	pthread_mutex_lock(&letters->lock);
	for (bool last = false; !last;) {
		struct timespec until = clock_deadline(LETTERS_WAIT_MS);
		if (!letters->stopping)
			pthread_cond_timedwait(&letters->wake, &letters->lock, &until);
		last = letters->stopping;
		pthread_mutex_unlock(&letters->lock);
		tend(letters);
		pthread_mutex_lock(&letters->lock);
	}
	pthread_mutex_unlock(&letters->lock);
	return NULL;
}

/* ---- Life ---- */

struct letters *letters_new(struct store *store, struct vault *vault, struct journal *journal,
                            const struct letters_settings *settings)
{
	struct letters    *letters = calloc(1, sizeof *letters);
	pthread_condattr_t monotonic;
	if (letters == NULL)
		abort();
	letters->store    = store;
	letters->vault    = vault;
	letters->journal  = journal;
	letters->settings = *settings;
	letters->parser   = json_parser_new();
	pthread_mutex_init(&letters->flushing, NULL);
	pthread_mutex_init(&letters->lock, NULL);
	pthread_mutex_init(&letters->totals_lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&letters->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (pthread_create(&letters->thread, NULL, run, letters) != 0)
		abort();
	return letters;
}

void letters_free(struct letters *letters)
{
	if (letters == NULL)
		return;
	pthread_mutex_lock(&letters->lock);
	letters->stopping = true;
	pthread_cond_signal(&letters->wake);
	pthread_mutex_unlock(&letters->lock);
	pthread_join(letters->thread, NULL);
	VECTOR_DONE(&letters->waiting);
	json_parser_free(letters->parser);
	pthread_cond_destroy(&letters->wake);
	pthread_mutex_destroy(&letters->totals_lock);
	pthread_mutex_destroy(&letters->lock);
	pthread_mutex_destroy(&letters->flushing);
	free(letters);
}

void letters_counts(struct letters *letters, struct letters_counts *ret_counts)
{
	*ret_counts = (struct letters_counts){.added   = atomic_load(&letters->added),
	                                      .dropped = atomic_load(&letters->dropped)};
	pthread_mutex_lock(&letters->totals_lock);
	ret_counts->stored = letters->totals;
	pthread_mutex_unlock(&letters->totals_lock);
}
