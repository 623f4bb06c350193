#ifndef SONNIM_AUDIT_VERIFY_H
#define SONNIM_AUDIT_VERIFY_H

/* Reads a whole trail and says what is wrong with it: changed, missing, moved or cut records, files
 * that are not there, signatures that do not fit, and heads (of the keyring, or kept elsewhere)
 * that the trail does not hold. The server may run meanwhile.
 *
 * A trail begins with record 1, or behind records that a signed "audit.drop" says were dropped.
 * What lies behind the newest signed record or head is chained, but whoever can write the files
 * could have written it: `unsigned_records`.
 *
 * Cost: reads everything; about 1 µs a record. Memory: one file. */

#include "audit/audit_files.h"
#include "audit/audit_key.h"

struct audit_finding {
	uint64_t    seq;  /* 0: not of one record */
	uint64_t    file; /* by its first record; 0: of none */
	uint64_t    line; /* from 1; 0: of none */
	const char *what; /* "record 17 is missing" */
};
typedef void audit_finding_fn(void *context, const struct audit_finding *finding);

struct audit_verify_config {
	const char              *directory;
	const struct audit_keys *keys;
	const uint8_t           *workspace_id; /* NULL: that of the first signature that is good */
	const struct audit_head *heads;        /* that the trail must hold */
	size_t                   head_count;
	uint64_t                 from_seq; /* findings before it are not told; 0: all are */
	audit_finding_fn        *found;
	void                    *context;
};

struct audit_report {
	uint64_t files;
	uint64_t records;
	uint64_t first_seq;
	uint64_t last_seq;
	int64_t  last_ms;
	uint64_t signed_records;
	uint64_t heads;            /* that were compared with their records */
	uint64_t heads_dropped;    /* whose records were dropped */
	uint64_t unsigned_records; /* behind everything that was signed */
	uint64_t unknown;          /* whose outcome is unknown: no finding */
	uint64_t torn_bytes;       /* of a line at the end that was not finished: a start cuts it */
	uint64_t findings;
};

/* STATUS_OK: whole. STATUS_CORRUPT: there were findings, each told. Else it cannot be read. */
MUST_USE enum status audit_verify(const struct audit_verify_config *config,
                                  struct audit_report *ret_report, struct error *err);

#endif
