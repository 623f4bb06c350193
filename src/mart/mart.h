#ifndef SONNIM_MART_MART_H
#define SONNIM_MART_MART_H

/* The data mart: what is known of users, products, properties, behaviour and bookings as tables
 * (docs/mart.md), written row by row from what the engine holds; there is no second copy of it.
 *
 *   dim_users        a row a user, from the traits    fact_user_behavior   a row an event
 *   dim_products     a row a product                  fact_bookings        a row a booking
 *   dim_properties   a row a property                 user_behavior_mart   they, joined
 *
 * A table is of one position of the journal: what was stored later is left out, rows of dimensions
 * are those of one moment; traits have no history and are as they are when their person is read.
 * A booking is its newest version, and stays as a row when it is cancelled.
 *
 * Memory: a piece of about a MiB, whatever the table's length. Thread: one that may wait, since the
 * engine is read piece by piece between events. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "engine/engine.h"
#include "vault/vault.h"

#define MART_TABLES(X)                                                                             \
	X(DIM_USERS, "dim_users")                                                                      \
	X(DIM_PRODUCTS, "dim_products")                                                                \
	X(DIM_PROPERTIES, "dim_properties")                                                            \
	X(FACT_USER_BEHAVIOR, "fact_user_behavior")                                                    \
	X(FACT_BOOKINGS, "fact_bookings")                                                              \
	X(USER_BEHAVIOR_MART, "user_behavior_mart")

enum mart_table {
#define X(name, text) MART_##name,
	MART_TABLES(X)
#undef X
		MART_TABLE_COUNT
};

/* The table of that name; MART_TABLE_COUNT: there is none. */
enum mart_table mart_table_of(struct text name);

struct mart_wish {
	struct engine  *engine;
	struct vault   *vault;
	uint32_t        partition_count;
	enum mart_table table;
	bool            csv;           /* else JSON Lines */
	bool            keep_formulas; /* else its texts are guarded (base/csv.h) */
	bool            masked;        /* personal values */
	uint64_t        position;      /* what was stored later is left out; waited for */
	int64_t         as_of_ms;      /* its log time */
};

/* Takes a piece of the text, which it empties. False: nobody wants more. */
typedef bool mart_write_fn(void *context, struct buffer *piece);

/* Writes the whole table. STATUS_UNAVAILABLE: the engine stops, or `write` said false;
 * STATUS_TIMEOUT: the engine is late; errors of the vault. */
MUST_USE enum status mart_write(const struct mart_wish *wish, mart_write_fn *write, void *context,
                                struct error *err);

#endif
