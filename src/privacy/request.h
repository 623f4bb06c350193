#ifndef SONNIM_PRIVACY_REQUEST_H
#define SONNIM_PRIVACY_REQUEST_H

/* What a request is, and what has come of it so far. */

#include "base/json.h"
#include "privacy/privacy.h"

const char *privacy_type_name(enum privacy_type type); /* "DELETE_ONLY" */
bool        privacy_type_of(struct text name, enum privacy_type *ret_type);

static inline bool privacy_type_deletes(enum privacy_type type)
{
	return type == PRIVACY_DELETE_ONLY || type == PRIVACY_SUPPRESS_WITH_DELETE;
}

static inline bool privacy_type_suppresses(enum privacy_type type)
{
	return type == PRIVACY_SUPPRESS_ONLY || type == PRIVACY_SUPPRESS_WITH_DELETE;
}

/* The parameters of a job. STATUS_INVALID with the field. */
struct privacy_params {
	enum privacy_type type;
	struct text       reason;
	bool              file; /* the ids come as a file that is yet to be read */
};
MUST_USE enum status privacy_params_read(struct json params, struct privacy_params *ret_params,
                                         struct error *err);

/* What has come of it. The table is that of the answers, too. */
#define PRIVACY_COUNTS(X)                                                                          \
	X(subjects) /* ids that were asked for */                                                      \
	X(done)     /* of them */                                                                      \
	X(unknown)  /* nobody had the id */                                                            \
	X(invalid)  /* rows of the file without a usable id */                                         \
	X(persons)  /* erased or exported: with the visitors who became them */                        \
	X(letters)  /* dead letters removed */                                                         \
	X(files)    /* of exports and imports removed */

struct privacy_counts {
#define X(name) uint64_t name;
	PRIVACY_COUNTS(X)
#undef X
};
void privacy_counts_write(struct json_writer *w, const struct privacy_counts *counts);
void privacy_counts_read(struct json counts, struct privacy_counts *ret_counts);

enum privacy_phase { PRIVACY_READING, PRIVACY_WORKING, PRIVACY_CLEANING };

/* Where the job goes on. */
struct privacy_state {
	enum privacy_phase    phase;
	uint64_t              offset;  /* in .subjects */
	bool                  begun;   /* the batch there, perhaps to its end */
	int64_t               done_ms; /* when the last batch was; 0: none is */
	struct privacy_counts counts;
};
void                 privacy_state_write(const struct privacy_state *state, struct buffer *out);
MUST_USE enum status privacy_state_read(struct text text, struct privacy_state *ret_state,
                                        struct error *err);

#endif
