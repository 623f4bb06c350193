#ifndef SONNIM_AUDIT_LINE_H
#define SONNIM_AUDIT_LINE_H

/* One record of the audit trail as a line of JSON (docs/formats/audit.md):
 *
 *   {"seq":7,"timestamp":"…","user_id":"token:…","action":"segment.create",…,"prev":"…","hash":"…"}
 *   └────────────────────── what the hash is of ────────────────────────────────────┘
 *
 * `hash` is the SHA-256 of the line's bytes before `,"hash":`; `prev` is the hash of the record
 * before, 64 zeros for the first. A signed record names its workspace before `prev` and goes on
 * with `,"key":"…","signature":"…"}` behind `hash`.
 * So a chain is checked by its bytes alone; only a search looks into the JSON.
 *
 * Threads: any; nothing here is shared. */

#include <stdbool.h>
#include <stdint.h>

#include "audit/audit_key.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"

enum {
	AUDIT_LINE_BYTES_MAX    = 12288, /* with its newline */
	AUDIT_TEXT_BYTES_MAX    = 256,   /* of actor, action, target, ip; longer ones are cut off */
	AUDIT_FILTERS_BYTES_MAX = 4096,  /* longer ones: their SHA-256 and length instead */
	AUDIT_DETAILS_BYTES_MAX = 1024,  /* the same */
};

/* No member holds personal values or secrets: a person is named by his number. */
struct audit_record {
	struct text action;      /* "audience.query" */
	struct text actor;       /* "token:7f…"; empty: nobody who is known */
	struct text target;      /* id or key of what it was done to; empty: nothing */
	struct text filters;     /* JSON: what was asked; empty: nothing */
	struct text details;     /* a JSON object; empty: none */
	struct text ip;          /* empty: not from the network */
	struct text trace_id;    /* empty: none */
	int64_t     result_size; /* rows, persons, bytes: by action; below 0: none */
	unsigned    status;      /* of HTTP; 0: none */
	bool        personal;    /* personal values were shown in clear */
	bool        unknown;     /* the process ended before its outcome was known */
	uint64_t    call;        /* audit_add() sets it from the intention; 0: there was none */
};

/* Where a record stands in the chain. Zeroed: before the first. */
struct audit_link {
	uint64_t seq; /* from 1, without gaps */
	int64_t  at_ms;
	uint8_t  hash[SHA256_BYTES];
};

/* Adds the line of `record`, with its newline, and moves `*link` on to it; `at_ms` is that of the
 * link at least. `key` NULL: not signed. Cost: two hashes' worth of some hundred bytes, about 2 µs;
 * a signature 25 µs more. */
void audit_line_add(struct buffer *out, const struct audit_record *record, int64_t at_ms,
                    const struct audit_key *key, const uint8_t workspace_id[16],
                    struct audit_link *link);

/* The chain's part of a line. */
struct audit_line {
	struct audit_link link;
	uint8_t           prev[SHA256_BYTES];
	bool              is_signed;
	uint8_t           workspace_id[16]; /* of a signed one */
	uint8_t           key_id[AUDIT_KEY_ID_BYTES];
	uint8_t           signature[AUDIT_SIGNATURE_BYTES];
};

/* Reads a line without its newline and checks its hash. STATUS_INVALID: it has not the form of one;
 * STATUS_CORRUPT: its hash is that of another text (`*ret_line` is filled in all the same). */
MUST_USE enum status audit_line_read(struct text line, struct audit_line *ret_line,
                                     struct error *err);

/* The action of a line that has the form of one; empty: it names none. */
struct text audit_line_action(struct text line);

/* Whether its outcome is unknown. Cost: a search of the line; of those that have it, a parser. */
bool audit_line_unknown(struct text line);

/* The call of a line that has the form of one; 0: it has none. */
uint64_t audit_line_call(struct text line, struct json_parser *parser);

#endif
