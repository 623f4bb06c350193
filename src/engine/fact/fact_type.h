#ifndef SONNIM_ENGINE_FACT_TYPE_H
#define SONNIM_ENGINE_FACT_TYPE_H

/* Types of facts (contracts, rule 26): which events bring a fact into the world, which correct it,
 * and the property that says which fact it is. Order and Booking are built in; others are declared
 * by SETTING records, in all partitions alike. An event plays one part in one type.
 *
 *   body of SETTING = u8 1 (a type of facts), sized name, sized original, sized updated,
 *                     sized cancelled, sized key             (updated or cancelled may be empty) */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/map.h"
#include "base/vector.h"
#include "model/value.h"

enum { FACT_TYPES_MAX = 64, FACT_NAME_BYTES_MAX = 256, SETTING_FACT_TYPE = 1 };

enum fact_part { FACT_NONE, FACT_ORIGINAL, FACT_UPDATED, FACT_CANCELLED };

struct fact_type {
	struct text       name;
	struct text       original;
	struct text       updated;   /* empty: none */
	struct text       cancelled; /* empty: none */
	struct value_path key;
	uint64_t          declared_position; /* 0: built in */
};

struct fact_types {
	VECTOR(struct fact_type) list;
	struct map_text by_event; /* type * 4 + part */
	uint64_t        lengths;  /* of the events' names, a bit each (modulo 64) */
	struct arena    arena;
};

void fact_types_init(struct fact_types *types); /* with the built-in ones */
void fact_types_done(struct fact_types *types);

/* Why a type cannot be declared: STATUS_INVALID with the field, STATUS_CONFLICT when its name or
 * one of its events is taken, or there are FACT_TYPES_MAX. */
MUST_USE enum status fact_types_check(const struct fact_types *types, const struct fact_type *type,
                                      struct error *err);

void                 fact_type_encode(const struct fact_type *type, struct buffer *out);
MUST_USE enum status fact_type_decode(struct text body, struct arena *arena,
                                      struct fact_type *ret_type, struct error *err);

/* Copies a checked type. */
void fact_types_add(struct fact_types *types, const struct fact_type *type,
                    uint64_t declared_position);

/* The part that events of this name play, in `*ret_type`. A few nanoseconds for most names. */
enum fact_part fact_types_part(const struct fact_types *types, struct text event,
                               const struct fact_type **ret_type);

/* The key of the fact that an event with these properties is about, as text; false: of none. */
bool fact_type_key(const struct fact_type *type, struct text properties, struct buffer *into,
                   struct text *ret_key);

#endif
