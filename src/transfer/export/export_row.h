#ifndef SONNIM_TRANSFER_EXPORT_ROW_H
#define SONNIM_TRANSFER_EXPORT_ROW_H

/* Rows of an export as text.
 *
 *   JSON Lines  events as GET /api/v1/users/{id}/events lists them: what sonnim import takes again
 *   CSV         RFC 4180: a first row with names; properties, context and traits as JSON in a
 *               field; texts guarded (base/csv.h) unless formulas are to be kept
 *
 * Personal values are masked unless they are wanted as they are; those of a person who was erased
 * since are left out. */

#include "transfer/export/export_read.h"

enum export_format { EXPORT_JSONL, EXPORT_CSV };

struct export_writer {
	struct vault      *vault;
	enum export_format format;
	bool               masked;
	bool               keep_formulas; /* set behind init; else CSV is guarded */

	/* private */
	struct arena    arena;
	struct buffer   plain;
	struct buffer   personal[2];
	struct buffer   json;
	struct person   of; /* whose id this is */
	bool            known;
	struct vault_id id;
};

void export_writer_init(struct export_writer *writer, struct vault *vault,
                        enum export_format format, bool masked);
void export_writer_done(struct export_writer *writer);

/* The first row of a file of CSV; nothing for JSON Lines. */
void export_write_head(struct export_writer *writer, bool profiles, struct buffer *out);

/* One row. Errors are the vault's. */
MUST_USE enum status export_write_event(struct export_writer      *writer,
                                        const struct export_event *event, struct buffer *out,
                                        struct error *err);
MUST_USE enum status export_write_profile(struct export_writer        *writer,
                                          const struct export_profile *profile, struct buffer *out,
                                          struct error *err);

/* Who a profile is of, and his personal traits, masked or not: until the next call. `ret_id` NULL:
 * nobody, the person was erased. */
MUST_USE enum status export_writer_open(struct export_writer        *writer,
                                        const struct export_profile *profile,
                                        const struct vault_id **ret_id, struct text *ret_personal,
                                        struct error *err);

/* A text of CSV without its comma, guarded or as it is (base/csv.h). */
void export_add_text(struct buffer *out, struct text text, bool keep_formulas);

#endif
