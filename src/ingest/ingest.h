#ifndef SONNIM_INGEST_INGEST_H
#define SONNIM_INGEST_INGEST_H

/* The way in: the JSON of a collection request (Segment's Tracking API, the platform's own events
 * API) becomes records in the journal.
 *
 *   ingest_parse ──► each message checked and encoded ──► persons ──► personal values ──► journal
 *                    (rejected one by one)                (vault)     sealed (vault)         │
 *                                                            └── new ones durable first ─────┤
 *                                                                                  done, once
 *
 * It sees journal and vault, never the engine. A message is one event or call of a request; its
 * index is its place in the array. What is wrong with one message rejects that message alone, with
 * a code and a sentence (see INGEST_CODES); the others are taken.
 *
 * Meaning (contracts.md: rules 7, 12, 20 to 25, "Collection", "Events"), where that leaves it open:
 *  - The size of a message is that of its JSON text, or, where that is less, of the same without
 *    white space and with escapes counted as the characters they stand for; a batch's `context`
 *    included.
 *  - TOO_OLD holds for every call, by the log time at which the request came.
 *  - `originalTimestamp` counts where `timestamp` is absent. JSON null is absent everywhere.
 *  - A batch's own `context` fills what a message's context does not have (top-level fields).
 *  - Call, ids, name, times, `messageId`, `writeKey`, `integrations`, `receivedAt`, `channel`,
 *    `version`, `_metadata` are not stored among the context or properties.
 *  - `name` and `category` of page and screen become properties and win over properties so named.
 *
 * Order: records lie in the journal in the array's order within each partition; a message sees the
 * links that an earlier one of its request made. Everything of one request lies in one append: it
 * is there whole or not at all. New persons and links are durable in the vault before (a request
 * that fails afterwards leaves a person without records, which does not exist for anybody; what it
 * has linked is merged all the same, with a later request or at the next start).
 *
 * Threads: an `ingest_thread` belongs to one thread; nothing is allocated per message in the steady
 * state. Cost: docs/benchmarks.md, bench/ingest_bench.c. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "ingest/quota.h"
#include "journal/journal.h"
#include "vault/vault.h"

struct event_types;
struct letters;
struct sources;
struct source;
struct watch;
struct ingest;        /* one a process */
struct ingest_thread; /* one a thread that receives requests */

enum {
	INGEST_BODY_BYTES_MAX       = 4 << 20, /* the API answers 413 above; asserted here */
	INGEST_MESSAGES_MAX         = 50000,   /* in one request; above: STATUS_TOO_LARGE */
	INGEST_MESSAGE_ID_BYTES_MAX = 256,
};

/* Why one message was rejected: INGEST_…, code for the outside, sentence. */
#define INGEST_CODES(X)                                                                            \
	X(INVALID_MESSAGE, "INVALID_MESSAGE", "the message is not a JSON object")                      \
	X(UNKNOWN_TYPE, "UNKNOWN_TYPE",                                                                \
	  "type is none of track, identify, page, screen, group, alias, merge")                        \
	X(UNKNOWN_EVENT_TYPE, "UNKNOWN_EVENT_TYPE",                                                    \
	  "eventType is none of clicks, installs, orders, addToCart, and not registered")              \
	X(MISSING_ID, "MISSING_ID", "neither userId nor anonymousId is given")                         \
	X(MISSING_USER_ID, "MISSING_ID", "userId is missing")                                          \
	X(MISSING_PREVIOUS_ID, "MISSING_ID", "previousId is missing")                                  \
	X(UNSUPPORTED_MERGE, "UNSUPPORTED_MERGE",                                                      \
	  "mergeProperties must be one userId and one anonymousId: a visitor becomes a user")          \
	X(MISSING_GROUP_ID, "MISSING_ID", "groupId is missing")                                        \
	X(MISSING_EVENT_NAME, "MISSING_EVENT_NAME", "event is missing or not a string")                \
	X(INVALID_ID, "INVALID_ID",                                                                    \
	  "an id is neither a string nor a number, or is longer than 1,024 bytes")                     \
	X(INVALID_MESSAGE_ID, "INVALID_MESSAGE_ID",                                                    \
	  "messageId is neither a string nor a number, or is longer than 256 bytes")                   \
	X(INVALID_TIMESTAMP, "INVALID_TIMESTAMP", "timestamp is not an RFC 3339 instant")              \
	X(INVALID_NUMBER, "INVALID_NUMBER", "a number is not finite as a double")                      \
	X(INVALID_FIELD, "INVALID_FIELD",                                                              \
	  "properties, traits, attributes and context are objects, name and category strings")         \
	X(TOO_OLD, "TOO_OLD", "the event is older than events are kept")                               \
	X(TOO_DEEP, "TOO_DEEP", "arrays and objects are nested more than 64 deep")                     \
	X(EVENT_TOO_LARGE, "EVENT_TOO_LARGE", "the message is larger than 32 KB")                      \
	X(PLAN_VIOLATION, "PLAN_VIOLATION", "the message goes against the source's tracking plan")     \
	X(ALREADY_IDENTIFIED, "ALREADY_IDENTIFIED",                                                    \
	  "previousId is known as a userId: two users are never merged")

enum ingest_code {
	INGEST_ACCEPTED = 0,
#define X(name, code, message) INGEST_##name,
	INGEST_CODES(X)
#undef X
		INGEST_CODE_COUNT,
	/* No rejection: the sender is told that all is well, and nothing of the message is kept. */
	INGEST_SUPPRESSED = INGEST_CODE_COUNT
};

/* Static. */
const char *ingest_code_name(enum ingest_code code);
const char *ingest_code_message(enum ingest_code code);

struct ingest_rejection {
	uint32_t         index;
	enum ingest_code code;
	struct text      field;  /* where in the message: "properties.price"; empty: as its code says */
	struct text      reason; /* what is wrong, exactly; empty: as its code says */
};

/* Its reason, else the code's message. */
struct text ingest_rejection_reason(const struct ingest_rejection *rejection);

struct ingest_config {
	struct journal *journal;
	struct vault   *vault;
	uint32_t        partition_count; /* that of the vault */
	int64_t         retention_ms;    /* whole days; INSTANT_MS_NEVER: unlimited */

	struct letters
		*letters; /* where what is rejected goes, of requests with a source; NULL: none */

	/* What was in the journal when the process started (sources_new()). */
	uint64_t replayed_through;

	/* Asked before anything of a request is accepted: STATUS_OK, or why nothing is taken now
	 * (STATUS_NO_MEMORY, STATUS_UNAVAILABLE). Any thread; cheap; NULL: always. */
	enum status (*admit)(void *context);
	void *admit_context;
};

/* What a request's messages are. */
enum ingest_kind {
	INGEST_BATCH, /* {"batch":[…],"sentAt",…}, each with its `type`; or one such message */
	INGEST_TRACK, /* this and the next five: one message, whatever its `type` says */
	INGEST_IDENTIFY,
	INGEST_PAGE,
	INGEST_SCREEN,
	INGEST_GROUP,
	INGEST_ALIAS,
	INGEST_EVENTS, /* the platform's own: an array or {"events":[…]} */
	INGEST_EVENT,  /* one of these */
	INGEST_MERGE,  /* one message, RudderStack's: an alias that names both in `mergeProperties` */
	INGEST_KIND_COUNT
};

struct ingest_result {
	/* OK: what was accepted is durable (also when that is nothing).
	 * INVALID: the body has no messages where they belong; TOO_LARGE: more than
	 * INGEST_MESSAGES_MAX, or than the journal takes at once. Not retriable.
	 * LIMITED: the source has sent too much: `limited` says which limit, and when to come again.
	 * NO_SPACE, UNAVAILABLE, NO_MEMORY: nothing was accepted, the client shall retry.
	 * FAILED: nothing more is taken until the server restarts; this may or may not be there. */
	enum status          status;
	const struct error  *err; /* unless OK */
	struct quota_refusal limited;

	uint64_t position;    /* of the last record in the journal; 0 when there is none */
	int64_t  log_time_ms; /* its stamp */
	unsigned accepted_count;
	const struct ingest_rejection *rejected; /* by index, ascending; gone with the result */
	size_t                         rejected_count;
};

/* Called exactly once for each submit: before ingest_submit() returns, or later from the journal's
 * or the vault's thread. Do little, never block, never submit from it. `result` is gone when it
 * returns. */
typedef void ingest_done_fn(void *context, const struct ingest_result *result);

struct ingest_request {
	enum ingest_kind kind;
	uint32_t         source_number; /* 0: the platform's own API */
	ingest_done_fn  *done;
	void            *context;
	struct source   *source; /* whose limits hold, for whom it is counted and kept; NULL: nobody */

	/* Whose tracking plan holds, and of whose properties the types are observed; NULL: nobody's.
	 * What a request that fails brought was observed all the same, and is again when it is sent
	 * again. */
	struct source *planned;
};

struct ingest *ingest_new(const struct ingest_config *config);
void           ingest_free(struct ingest *ingest); /* after its threads */

/* The registered event types: nobody but who calls this adds to them. */
struct event_types *ingest_event_types(struct ingest *ingest);

struct sources *ingest_sources(struct ingest *ingest);

/* What the workspace says of its names; NULL: nothing. It holds for requests from now on; the one
 * before stays until the end, for those that still use it: changes are rare. Takes it over. */
struct classes;
const struct classes *ingest_classes(const struct ingest *ingest);
void                  ingest_set_classes(struct ingest *ingest, struct classes *classes);

/* For changes of plans, and of what was observed. */
struct watch *ingest_watch(struct ingest *ingest);

struct ingest_thread *ingest_thread_new(struct ingest *ingest);

/* Every request of it must have been called back: stop the HTTP server, close the vault, free the
 * journal, in this order, before. Any thread. */
void ingest_thread_free(struct ingest_thread *thread);

/* Parses a body behind which JSON_PADDING_BYTES may be read. STATUS_INVALID, with what is wrong: it
 * is no JSON. The body must stay until ingest_submit(), which belongs to the last body parsed. */
MUST_USE enum status ingest_parse(struct ingest_thread *thread, const char *padded_body,
                                  size_t length, struct error *err);

/* `writeKey` of the parsed body: of its object, else of the first message of its batch. False:
 * none. The text lives until the thread parses again. */
bool ingest_write_key(const struct ingest_thread *thread, struct text *ret_write_key);

/* Tells of a merge that the vault knows of and the journal may not (at start, vault_each_merge());
 * with ingest_finish_merges(), or with the next request, it is appended. */
void ingest_merge(struct ingest *ingest, const struct vault_merge *merge);
void ingest_finish_merges(struct ingest_thread *thread);

/* Takes the parsed body in. Once for each parse. */
void ingest_submit(struct ingest_thread *thread, const struct ingest_request *request);

/* The same without taking anything in: what would be rejected, as far as a message says so itself.
 * `done` is called before it returns. */
void ingest_check(struct ingest_thread *thread, const struct ingest_request *request);

#endif
