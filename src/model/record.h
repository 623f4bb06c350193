#ifndef SONNIM_MODEL_RECORD_H
#define SONNIM_MODEL_RECORD_H

/* Records: what the journal holds, and all that the engine learns. Bytes in docs/formats/record.md.
 *
 *   record = u32 size of all that follows, u8 kind, u8 flags, u32 slot, [origin], [source], body
 *   origin = u32 partition, u64 position, u32 ordinal       (RECORD_HAS_ORIGIN: caused elsewhere)
 *   source = sized bytes                                     (RECORD_HAS_SOURCE: an external log's
 *                                                             position, for exactly-once)
 *   EVENT  = u8 call, u8 0, u32 source number, i64 timestamp, i64 skew, sized name,
 *            sized message id, sized properties, sized context, sized sealed
 *   TRAITS = u8 call, u8 0, u32 source number, i64 timestamp, i64 skew, sized message id,
 *            sized traits, sized sealed
 *   LINK   = sized body: u32 partition, u32 slot of the anonymous profile that the id answered
 *            before and whose events now become this person's; slot SLOT_NONE: there was none
 *   ALIAS  = sized body: u32 source number, i64 timestamp, i64 skew, sized message id
 *   MERGE_OUT, MERGE_IN, SETTING = sized bodies: merge_out.h, merge_record.h, fact_type.h
 *   others = sized body, each with its own layout beside its user
 *
 * sealed is encrypted under the person's data key (vault_seal, purpose RECORD_SEAL_PURPOSE):
 *   sized list of the personal properties or traits, sized list of the personal context values;
 *   names are dotted paths. In the clear lists each of them has an entry of type PERSONAL in its
 *   place, so that `exists` works without the key.
 *
 * A record touches one person (slot) or, with SLOT_NONE, the whole partition. Its log time and
 * position stand in the batch that carries it (journal/journal.h), so a record does not know when
 * it was accepted: the engine computes the event's time with the batch's stamp (rule 12).
 *
 * Encoded sizes are limited by RECORD_BYTES_MAX. Decoding never allocates, checks every length and
 * leaves texts pointing into the record. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"
#include "model/person.h"

enum { RECORD_BYTES_MAX = 1 << 20, EVENT_BYTES_MAX = 32 * 1024 };

#define RECORD_SEAL_PURPOSE TEXT("record")

/* Numbers are part of the format: never reused, never changed. */
enum record_kind {
	RECORD_EVENT     = 1, /* track, page, screen */
	RECORD_TRAITS    = 2, /* identify, group, a profile write: traits to set, null removes */
	RECORD_LINK      = 3, /* an anonymous id now belongs to this person */
	RECORD_MERGE_OUT = 4, /* this person's events and traits go to another */
	RECORD_MERGE_IN  = 5, /* caused by MERGE_OUT, in the other's partition */
	RECORD_ERASURE   = 6,
	RECORD_PREPARE   = 7,  /* definition versions to build beside the live ones */
	RECORD_ACTIVATE  = 8,  /* they become live, or definitions cease to be, in one step */
	RECORD_DIMENSION = 9,  /* a version of a dimension table's rows */
	RECORD_CLOCK     = 10, /* the manual clock was moved; the batch's stamp says where to */
	RECORD_CLAIM     = 11, /* first-come-first-served activities */
	RECORD_ALIAS     = 12, /* an alias call: remembered for its message id */
	RECORD_SETTING   = 13, /* a workspace's setting that changes answers (retention, facts) */
	RECORD_ABANDON   = 14, /* definition versions that are being built are dropped */
};

enum record_flag {
	RECORD_HAS_ORIGIN = 1,
	RECORD_HAS_SOURCE = 2,
	RECORD_IDENTIFIED = 4, /* the person is a user, not an anonymous visitor (trait $identified) */
};

enum record_call {
	CALL_TRACK    = 1,
	CALL_PAGE     = 2,
	CALL_SCREEN   = 3,
	CALL_IDENTIFY = 4,
	CALL_GROUP    = 5,
	CALL_ALIAS    = 6,
	CALL_PROFILE  = 7, /* PUT …/profile */
};

struct record_origin {
	uint32_t partition;
	uint64_t position;
	uint32_t ordinal;
};

struct record {
	enum record_kind     kind;
	uint8_t              flags;
	uint32_t             slot;
	struct record_origin origin;
	struct text          source;

	enum record_call call;
	uint32_t         source_number; /* the collection source; 0: the platform's own API */
	int64_t          timestamp_ms;  /* as sent, INSTANT_MS_NONE when absent */
	int64_t          skew_ms;    /* sentAt − timestamp, INSTANT_MS_NONE when not both are there */
	struct text      name;       /* of the event */
	struct text      message_id; /* empty: none */
	struct text      properties; /* or traits: a value list; no bytes: an empty one */
	struct text      context;    /* a value list */
	struct text      sealed;     /* personal values, encrypted; empty: none */

	struct text body; /* of every other kind but ALIAS */
};

/* Whether somebody called, at a time of his own (rule 12). */
static inline bool record_is_call(enum record_kind kind)
{
	return kind == RECORD_EVENT || kind == RECORD_TRAITS || kind == RECORD_ALIAS;
}

/* Appends one record to `out`. Asserts that it is within the limits and its lists are lists. */
void record_encode(struct buffer *out, const struct record *record);

/* Appends the record `encoded`, decoded as `record`, with other properties (a list): as
 * record_encode(), but what stays is copied as it is. */
void record_encode_with(struct buffer *out, struct text encoded, const struct record *record,
                        struct text properties);

/* Decodes the record at the begin of `bytes`; `*ret_size` is what it took. STATUS_CORRUPT with what
 * is wrong. An unknown kind is corrupt: this binary is older than its data. The lists are not
 * looked into: their readers are safe with any bytes. */
MUST_USE enum status record_decode(struct text bytes, struct record *ret_record, size_t *ret_size,
                                   struct error *err);

/* The time of an event (rule 12) accepted at `received_ms`. `*ret_marked` (may be NULL): it lay
 * more than EVENT_FUTURE_MS_MAX ahead and became `received_ms`. Never before INSTANT_MS_MIN,
 * whatever the sender claims. */
enum { EVENT_FUTURE_MS_MAX = 300000 };
int64_t record_time_ms(const struct record *record, int64_t received_ms, bool *ret_marked);

#endif
