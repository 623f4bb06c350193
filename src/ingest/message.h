#ifndef SONNIM_INGEST_MESSAGE_H
#define SONNIM_INGEST_MESSAGE_H

/* One message: checked, and encoded as far as that goes without knowing the person. */

#include "base/arena.h"
#include "ingest/ingest.h"
#include "ingest/plan.h"
#include "ingest/source.h"
#include "ingest/sift.h"
#include "model/record.h"

/* A place in one of the decoder's buffers, which move as they grow. */
struct span {
	size_t begin;
	size_t length;
};

static inline struct text span_text(struct span span, const struct buffer *buffer)
{
	return (struct text){buffer->data + span.begin, span.length};
}

/* Texts point into the parsed document or the decoder's arena; absent ones are empty. */
struct message {
	uint32_t         index; /* in the request */
	enum ingest_code code;  /* INGEST_ACCEPTED, or why not */
	enum record_call call;
	struct text      user_id;
	struct text      anonymous_id;
	struct text      previous_id; /* of alias */
	struct text      message_id;
	struct text      name; /* as stored, of an event */
	int64_t          timestamp_ms;
	int64_t          skew_ms;
	struct span      values;   /* properties or traits, in `lists` */
	struct span      context;  /* in `lists` */
	struct span      consents; /* traits that an event sets, in `lists`; length 0: none */
	struct span      personal; /* what is to be sealed, in `personal`; length 0: nothing */

	/* What went against the plan: see decoder_violations(). */
	uint64_t violation_begin;
	unsigned violation_count;
	unsigned violation_rejecting; /* the one for which it was rejected, if it was */

	/* Filled by persons.h. */
	struct person person;
	bool          identified;
	bool          links;  /* a RECORD_LINK goes with it, with `before` */
	struct person before; /* the anonymous profile known before; slot SLOT_NONE: none */
};

/* Decodes the messages of one request after another. One thread. */
struct decoder {
	struct buffer lists;
	struct buffer personal;
	struct buffer indexes; /* of the message at hand: a value list */
	unsigned      consent_count;
	struct buffer scratch;
	struct arena  arena; /* ids that were numbers */
	struct sift   values;
	struct sift   context;

	struct vault       *vault;       /* makes blind indexes */
	struct event_types *event_types; /* the registered ones */
	const struct plan  *plan;        /* of the request at hand; NULL: none */
	struct plan_check   check;
	VECTOR(struct plan_violation) violations; /* the newest of the request */
	uint64_t violations_gone;                 /* how many were before them */

	/* Of the request. */
	enum ingest_kind     kind;
	size_t               body_length;
	int64_t              now_ms;
	int64_t              retention_ms;
	int64_t              sent_at_ms;     /* of the batch; INSTANT_MS_NONE: none */
	struct json          shared_context; /* of the batch */
	size_t               shared_bytes;   /* its size */
	int64_t              lag_ms;         /* of the message at hand */
	struct source_counts counts;         /* of those accepted: their lag, and `bytes` */
};

void decoder_init(struct decoder *decoder, struct event_types *event_types, struct vault *vault);
void decoder_done(struct decoder *decoder);

/* Forgets the request before, and its memory where that was unusually much. */
void decoder_begin(struct decoder *decoder, enum ingest_kind kind, size_t body_length,
                   int64_t now_ms, int64_t retention_ms);

/* `sentAt` and `context` of a batch. */
void decoder_share(struct decoder *decoder, struct json batch);

/* What the accepted messages of the request take so far. */
static inline size_t decoder_bytes(const struct decoder *decoder)
{
	return decoder->lists.length + decoder->personal.length;
}

/* What the message's properties or traits are called where they are observed: its name, or that of
 * the traits; empty: it has none. */
static inline struct text decoder_observed_name(const struct message *message)
{
	return message->call == CALL_IDENTIFY ? TEXT("$identify") : message->name;
}

/* Its violations; NULL where it has none, or DECODER_VIOLATIONS_KEPT newer ones have come. */
enum { DECODER_VIOLATIONS_KEPT = 4096 };
const struct plan_violation *decoder_violations(const struct decoder *decoder,
                                                const struct message *message);

/* Decodes `json`; `next` is what follows it in its array (only looked at to see where it ends).
 * Returns `ret_message->code`; a rejected message leaves nothing in the buffers. */
enum ingest_code decoder_message(struct decoder *decoder, struct json json, struct json next,
                                 uint32_t index, struct message *ret_message);

#endif
