#ifndef SONNIM_INGEST_LETTERS_H
#define SONNIM_INGEST_LETTERS_H

/* Dead letters: what sources have sent and was rejected, with the reason, as it came.
 *
 *   request ─► rejected ─► letters_capture() ─► … answered ─► letters_add() ─► queue
 *              (bytes copied)                                                   │ a thread, each
 *   store: sealed, at most so many and so old a source ◄── seal ◄───────────────┘ LETTERS_WAIT_MS
 *
 * A letter holds personal data. It is sealed under the key of the person whose id it bears, so that
 * erasing him makes it unreadable; under a key for letters (vault_letters.h) when nobody with that
 * id is known: each erasure renews that. Nobody is made known by a rejected event.
 *
 * A request that fails as a whole leaves none: it is sent again. What waits when the process is
 * killed is lost, and so is what comes faster than LETTERS_WAITING_MAX in LETTERS_WAIT_MS; that is
 * counted. Cost: nothing for a request of which nothing is rejected. Threads: any.
 *
 * Content, before it is sealed: uint32 length of `shared`, `shared` (JSON object with the batch's
 * own `sentAt` and `context`, or empty), the bytes as they came. */

#include <stdbool.h>

#include "base/arena.h"
#include "base/settings.h"
#include "base/vector.h"
#include "ingest/ingest.h"
#include "store/store.h"

enum {
	LETTERS_WAIT_MS           = 1000,
	LETTERS_WAITING_MAX       = 5000,
	LETTERS_WAITING_BYTES_MAX = 16 << 20,
	LETTER_BYTES_MAX          = 64 << 10, /* of what came; longer is cut off, and not replayed */
	LETTERS_TOTALS_ROUNDS     = 60, /* of LETTERS_WAIT_MS, between two looks at their totals */
};

struct letters;

struct letters_settings {
	int64_t  retention_ms;
	int64_t  count_max; /* of a source */
	uint64_t bytes_max;
};

struct settings letters_settings_of(struct letters_settings *target);

struct letters *letters_new(struct store *store, struct vault *vault, struct journal *journal,
                            const struct letters_settings *settings);

/* Writes what waits and ends the thread. NULL is fine. */
void letters_free(struct letters *letters);

/* ---- Taking them in ---- */

struct letter {
	uint32_t         source_number;
	int64_t          at_ms;
	enum ingest_kind kind;
	enum ingest_code code;
	uint32_t         index;
	uint64_t         bytes;   /* as they came */
	struct text      content; /* malloc */
	char            *detail;  /* malloc; NULL: as the code says. `field`, then `reason`, in it */
	struct text      field;
	struct text      reason;
};
typedef VECTOR(struct letter) letter_list;

/* Adds a letter for each rejection to `*list`, as far as there is room. `body` is what `request`
 * brought, `batch` the same parsed. */
void letters_capture(struct letters *letters, const struct ingest_request *request, int64_t at_ms,
                     struct text body, struct json batch, const struct ingest_rejection *rejected,
                     size_t count, letter_list *list);

/* Empties the list into the queue. */
void letters_add(struct letters *letters, letter_list *list);

/* Throws them away. */
void letters_drop(letter_list *list);

/* ---- Looking at them ---- */

/* Writes what waits to the store, so that a look-up finds it. Asks the store: not on a loop. */
MUST_USE enum status letters_flush(struct letters *letters, struct error *err);

/* What came, as JSON text, and `shared`; both from the arena. STATUS_NOT_FOUND: the person was
 * erased. */
MUST_USE enum status letters_open(struct letters *letters, const struct store_letter *letter,
                                  struct arena *arena, struct text *ret_event,
                                  struct text *ret_shared, struct error *err);

bool letter_is_cut(const struct store_letter *letter);

/* Where in a request: "batch[3].timestamp", "properties.price"; "" for the whole. `field` empty:
 * what the code is about. */
struct text letter_place(enum ingest_kind kind, uint32_t index, enum ingest_code code,
                         struct text field, struct arena *arena);

/* A body for ingest_parse() that sends the letter again, padded: with its message id, or, where it
 * has none, one that is the letter's own, so that it counts once however often it is sent; and at
 * the time that it had when it came. Its kind is the letter's. `event` is no longer than
 * LETTER_BYTES_MAX. */
struct text letter_body(const struct store_letter *letter, struct text event, struct text shared,
                        struct arena *arena);

struct letters_counts {
	uint64_t                   added;
	uint64_t                   dropped; /* no room in the queue, or not taken by the store */
	struct store_letter_totals stored;  /* as of the last write, or of the last minute */
};
void letters_counts(struct letters *letters, struct letters_counts *ret_counts);
const struct letters_settings *letters_settings(const struct letters *letters);

#endif
