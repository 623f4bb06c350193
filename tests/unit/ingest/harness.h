#ifndef SONNIM_TESTS_INGEST_HARNESS_H
#define SONNIM_TESTS_INGEST_HARNESS_H

/* An ingest over the fakes: submit JSON, see what was answered and what the journal got. */

#include "fakes.h"
#include "ingest/ingest.h"

/* 2025-01-07T10:30:00Z: what the log's clock says. */
#define NOW_MS       INT64_C(1736245800000)
#define RETENTION_MS (1096 * INT64_C(86400000))

struct harness {
	struct fake_journal   journal;
	struct ingest        *ingest;
	struct ingest_thread *thread;
	enum status           admits;
	struct source        *planned; /* of what is submitted; NULL: nobody */

	/* The last answer. */
	unsigned    done_count; /* of all */
	enum status status;
	enum status err_status;
	uint64_t    position;
	unsigned    accepted_count;
	VECTOR(struct ingest_rejection) rejected; /* without their texts */
	struct harness_detail {
		char field[512], reason[1024];
	} detail; /* of the first of them */

	struct buffer text; /* what the functions below answer */
};

/* For cmocka: a new harness in `state`, and its end. */
int harness_new(void **state);
int harness_free(void **state);

/* Parses and submits; the parse must succeed. */
void harness_submit(struct harness *harness, enum ingest_kind kind, struct text json);
void harness_submit_string(struct harness *harness, enum ingest_kind kind, const char *json);

/* The same, and one message was rejected for this and nothing accepted. */
void assert_rejected(struct harness *harness, enum ingest_kind kind, const char *json,
                     const char *code);

/* The same, and everything was accepted; the record that came last. */
struct record assert_accepted(struct harness *harness, enum ingest_kind kind, const char *json);

/* Record `index` of the journal. */
struct record harness_record(struct harness *harness, unsigned index);

/* Its properties or traits, or its context, as JSON, with what was sealed in its place. */
const char *values_json(struct harness *harness, const struct record *record);
const char *context_json(struct harness *harness, const struct record *record);

/* The same without what was sealed. */
const char *clear_values_json(struct harness *harness, const struct record *record);
const char *clear_context_json(struct harness *harness, const struct record *record);

#endif
