#include "ingest/letters_erase.h"

#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "ingest/letters_internal.h"
#include "vault/vault_erase.h"
#include "vault/vault_letters.h"

enum { PAGE_LETTERS = 256, WORD_BYTES_MIN = 1 };

void letter_terms_init(struct letter_terms *terms, struct vault *vault)
{
	*terms = (struct letter_terms){.vault = vault};
	arena_init(&terms->arena);
}

void letter_terms_done(struct letter_terms *terms)
{
	map_u64_done(&terms->hashes);
	map_u64_done(&terms->id_hashes);
	arena_done(&terms->arena);
	VECTOR_DONE(&terms->few);
}

static uint64_t hash_of(struct text term) { return hash_bytes(term.data, term.length); }

void letter_terms_add(struct letter_terms *terms, struct text term)
{
	if (term.length == 0)
		return;
	*map_u64_put(&terms->hashes, hash_of(term)) = 1;
	if (terms->hashes.count <= LETTER_TERMS_SEARCHED_MAX)
		VECTOR_ADD(&terms->few, arena_text(&terms->arena, term));
}

static void words_of(struct text hash, uint64_t *ret_first, uint64_t *ret_second)
{
	struct byte_reader reader = byte_reader_of(hash.data, hash.length);
	*ret_first                = read_u64(&reader);
	uint64_t second           = read_u64(&reader);
	*ret_second               = second == 0 ? 1 : second;
}

void letter_terms_add_hash(struct letter_terms *terms, struct text hash)
{
	uint64_t first, second;
	words_of(hash, &first, &second);
	*map_u64_put(&terms->id_hashes, first) = second;
}

static bool is_id(const struct letter_terms *terms, enum vault_namespace namespace,
                  struct text                text)
{
	char     hash[VAULT_HASH_BYTES];
	uint64_t first, second;
	vault_id_hash(terms->vault, (struct vault_id){namespace, text}, hash);
	words_of((struct text){hash, sizeof hash}, &first, &second);
	const uint64_t *found = map_u64_find(&terms->id_hashes, first);
	return found != NULL && *found == second;
}

static bool is_term(const struct letter_terms *terms, struct text text)
{
	if (text.length == 0)
		return false;
	if (map_u64_find(&terms->hashes, hash_of(text)) != NULL)
		return true;
	return terms->id_hashes.count > 0 && text.length <= VAULT_ID_BYTES_MAX &&
	       (is_id(terms, VAULT_ANONYMOUS, text) || is_id(terms, VAULT_USER, text));
}

/* Of a value, or of something in it. */
static bool occurs_in(const struct letter_terms *terms, struct json value, struct buffer *number)
{
	if (json_type(value) == JSON_STRING)
		return is_term(terms, json_string(value));
	if (json_is_number(value)) {
		struct json_writer w = json_writer_of(number);
		buffer_clear(number);
		json_add_value(&w, value);
		return is_term(terms, buffer_text(number));
	}
	if (json_type(value) != JSON_OBJECT && json_type(value) != JSON_ARRAY)
		return false;
	for (struct json_iterator i = json_iterate(value); json_next(&i);)
		if (is_term(terms, i.name) || occurs_in(terms, i.value, number))
			return true;
	return false;
}

/* Between quotation marks, of a text that cannot be parsed. */
static bool occurs_quoted(const struct letter_terms *terms, struct text text)
{
	const char *at = text.data, *end = text.data + text.length;
	while (at < end) {
		const char *next = memchr(at, '"', (size_t)(end - at));
		if (next == NULL)
			next = end;
		if (is_term(terms, (struct text){at, (size_t)(next - at)}))
			return true;
		at = next + 1;
	}
	return false;
}

static bool occurs_anywhere(const struct letter_terms *terms, struct text text)
{
	for (size_t i = 0; i < terms->few.count; i++)
		if (memmem(text.data, text.length, terms->few.items[i].data, terms->few.items[i].length) !=
		    NULL)
			return true;
	return false;
}

bool letter_terms_occur(const struct letter_terms *terms, struct text text)
{
	struct json_parser *parser = json_parser_new();
	struct json         root;
	struct error        err;
	struct buffer       number = {0};
	bool                few    = terms->hashes.count <= LETTER_TERMS_SEARCHED_MAX;
	bool                occurs = few && occurs_anywhere(terms, text);
	if (!occurs && json_parse_text(parser, text, &root, &err) == STATUS_OK)
		occurs = occurs_in(terms, root, &number);
	else if (!occurs)
		occurs = occurs_quoted(terms, text);
	buffer_done(&number);
	json_parser_free(parser);
	return occurs;
}

/* One page of them. */
struct page {
	struct letters            *letters;
	const struct letter_terms *terms;
	struct arena               arena;
	VECTOR(struct store_letter) gone;
	VECTOR(struct store_letter) again;
};

static bool names_one(const struct page *page, const struct store_letter *letter, struct text event,
                      struct text shared)
{
	return letter_terms_occur(page->terms, event) || letter_terms_occur(page->terms, shared) ||
	       occurs_anywhere(page->terms, letter->reason);
}

static enum status look_at(struct page *page, const struct store_letter *letter, struct error *err)
{
	struct vault *vault = page->letters->vault;
	struct text   event = {0}, shared = {0};
	enum status   status = letters_open(page->letters, letter, &page->arena, &event, &shared, err);
	if (status == STATUS_NOT_FOUND || status == STATUS_CORRUPT ||
	    (status == STATUS_OK && names_one(page, letter, event, shared))) {
		VECTOR_ADD(&page->gone, *letter);
		return STATUS_OK;
	}
	if (status != STATUS_OK || letter->personal || vault_letter_is_new(vault, letter->content))
		return status;
	struct store_letter sealed  = *letter;
	struct buffer       content = {0}, out = {0};
	buffer_add_u32(&content, (uint32_t)shared.length);
	buffer_add_text(&content, shared);
	buffer_add_text(&content, event);
	vault_seal_letter(vault, LETTER_PURPOSE, buffer_text(&content), &out);
	sealed.content = arena_text(&page->arena, buffer_text(&out));
	VECTOR_ADD(&page->again, sealed);
	buffer_done(&content);
	buffer_done(&out);
	return STATUS_OK;
}

static enum status write_page(struct page *page, uint64_t *removed, struct error *err)
{
	struct store *store  = page->letters->store;
	enum status   status = STATUS_OK;
	for (size_t i = 0; i < page->gone.count && status == STATUS_OK; i++) {
		size_t deleted = 0;
		status         = store->ops->letter_delete(store, page->gone.items[i].source_number,
		                                           &page->gone.items[i].id, 1, &deleted, err);
		*removed += deleted;
	}
	if (status == STATUS_OK && page->again.count > 0)
		status = store->ops->letter_reseal(store, page->again.items, page->again.count, err);
	return status;
}

static enum status take_page(struct page *page, uint64_t *after_id, bool *ret_more,
                             uint64_t *removed, struct error *err)
{
	struct store        *store = page->letters->store;
	struct store_letter *letters;
	size_t               count;
	enum status          status =
		store->ops->letter_all(store, *after_id, PAGE_LETTERS, &page->arena, &letters, &count, err);
	page->gone.count = page->again.count = 0;
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		*after_id = letters[i].id;
		status    = look_at(page, &letters[i], err);
	}
	*ret_more = status == STATUS_OK && count == PAGE_LETTERS;
	return status == STATUS_OK ? write_page(page, removed, err) : status;
}

/* Nobody seals while the key changes: what is sealed under the old one is in the store by then. */
static enum status begin(struct letters *letters, struct error *err)
{
	enum status status = letters_flush(letters, err);
	if (status != STATUS_OK)
		return status;
	pthread_mutex_lock(&letters->flushing);
	status = vault_letters_renew_begin(letters->vault, err);
	pthread_mutex_unlock(&letters->flushing);
	return status;
}

enum status letters_erase(struct letters *letters, const struct letter_terms *terms,
                          letters_go_on_fn *go_on, void *context, uint64_t *ret_removed,
                          struct error *err)
{
	struct page page   = {.letters = letters, .terms = terms};
	uint64_t    after  = 0;
	bool        more   = true;
	*ret_removed       = 0;
	enum status status = begin(letters, err);
	while (status == STATUS_OK && more) {
		arena_init(&page.arena);
		status = take_page(&page, &after, &more, ret_removed, err);
		arena_done(&page.arena);
		if (status == STATUS_OK && !go_on(context))
			status = error_set(err, STATUS_AGAIN, "stopped");
	}
	if (status == STATUS_OK)
		status = vault_letters_renew_end(letters->vault, err);
	VECTOR_DONE(&page.gone);
	VECTOR_DONE(&page.again);
	return status;
}
