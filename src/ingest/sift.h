#ifndef SONNIM_INGEST_SIFT_H
#define SONNIM_INGEST_SIFT_H

/* JSON objects become value lists (model/value.h), and what is personal (model/personal.h) goes
 * into a list of its own, by dotted path, with an entry of type PERSONAL in its place:
 *
 *   {"ip":"1.2.3.4","page":{"url":"/","title":"…80 bytes…"}}        in the context
 *      clear     ip PERSONAL, page {url "/", title PERSONAL}
 *      personal  "ip" "1.2.3.4", "page.title" "…"
 *
 * JSON null is never personal: it says that there is nothing. One walk along the cursor; one
 * owner. On the way each member is checked against the source's tracking plan, which may replace
 * it, and added to the list's shape (ingest/shapes.h), each only where wanted. */

#include "base/json.h"
#include "ingest/ingest.h"
#include "ingest/plan.h"
#include "model/classes.h"
#include "model/value.h"

struct sift {
	enum personal_place   place;
	const struct classes *classes;  /* NULL: what is personal by default alone */
	struct plan_check    *check;    /* NULL: every member as it comes */
	bool                  watching; /* makes `shape` */
	uint64_t              shape;    /* of the list since it was begun */
	struct buffer         personal; /* a value list, once ended */
	unsigned              personal_count;
	size_t                personal_begin;
	struct buffer         path;            /* of the object that is walked; empty at the top */
	struct buffer nested[VALUE_DEPTH_MAX]; /* by depth: objects before their size is known */

	struct buffer *out; /* the list at the top */
	unsigned       count;
	size_t         begin;
};

void sift_init(struct sift *sift, enum personal_place place);
void sift_done(struct sift *sift);

/* Begins a list at the end of `out`; members follow; the end. */
void sift_begin(struct sift *sift, struct buffer *out);
void sift_end(struct sift *sift);

/* INGEST_ACCEPTED, or why the value cannot be: INVALID_NUMBER, TOO_DEEP. The list is then
 * useless. */
enum ingest_code sift_add(struct sift *sift, struct text name, struct json value);

/* A string that is not from JSON. */
void sift_add_text(struct sift *sift, struct text name, struct text value);

void sift_add_bool(struct sift *sift, struct text name, bool value);

/* {name: {inner: value}} for a string. */
void sift_add_nested_text(struct sift *sift, struct text name, struct text inner,
                          struct text value);

#endif
