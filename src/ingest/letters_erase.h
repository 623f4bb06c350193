#ifndef SONNIM_INGEST_LETTERS_ERASE_H
#define SONNIM_INGEST_LETTERS_ERASE_H

/* Dead letters when persons are erased. Those that were sealed under the key of one of them are
 * noise already and go; of the others, those go in which a term occurs (an id of the erased), as a
 * value or, with few terms, anywhere in the text. What stays and names nobody known is sealed under
 * a new key, and the old one is overwritten: older copies of the store cannot be read.
 *
 * Cost: every letter is read, opened and searched once, and some written anew. */

#include "base/map.h"
#include "ingest/letters.h"

enum { LETTER_TERMS_SEARCHED_MAX = 64 /* looked for anywhere in a letter */ };

struct letter_terms {
	struct vault  *vault;
	struct map_u64 hashes;    /* of all terms */
	struct map_u64 id_hashes; /* first word of keyed hashes of ids → second, or 1 where it is 0 */
	struct arena   arena;
	VECTOR(struct text) few; /* the terms, while there are no more than that */
};

void letter_terms_init(struct letter_terms *terms, struct vault *vault);
void letter_terms_done(struct letter_terms *terms);
void letter_terms_add(struct letter_terms *terms, struct text term);
/* Any id with this keyed hash (vault_id_hash()) is a term. */
void letter_terms_add_hash(struct letter_terms *terms, struct text hash);

/* Whether one of them occurs in a text that is JSON, or was to be. */
bool letter_terms_occur(const struct letter_terms *terms, struct text text);

/* `*ret_removed`: so many went. A retry after an error goes on. `use` is asked now and then whether
 * to go on (false: STATUS_AGAIN). */
typedef bool         letters_go_on_fn(void *context);
MUST_USE enum status letters_erase(struct letters *letters, const struct letter_terms *terms,
                                   letters_go_on_fn *go_on, void *context, uint64_t *ret_removed,
                                   struct error *err);

#endif
