#ifndef SONNIM_TESTS_EVENTS_STORE_FIXTURE_H
#define SONNIM_TESTS_EVENTS_STORE_FIXTURE_H

/* Event stores in a temporary directory, random records, and a reading of them by brute force. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>
#include <cmocka.h>

#include "events/events.h"
#include "events/part_format.h"
#include "model/value.h"

/* A call as it was added. */
struct kept {
	uint32_t     slot;
	struct event event; /* its texts point into `encoded` */
	struct text  encoded;
};

typedef VECTOR(struct kept) kept_list;

struct fixture {
	char                   directory[64];
	struct events_settings settings;
	struct events_budget   budget;
	int64_t                retention_ms;
	uint64_t               position_end;
	struct events_store   *store;
	struct events         *events; /* of partition 0 */
	kept_list              kept;
	uint64_t               position; /* of the last call added */
	int64_t                now_ms;
};

/* One row of random numbers for the program. */
void     fixture_seed(const char *test);
uint64_t fixture_below(uint64_t bound);

void fixture_begin(struct fixture *fixture); /* makes the directory, opens nothing */
void fixture_end(struct fixture *fixture);   /* closes, removes everything */

void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);

/* What opening the store says; it is closed again. The fixture's own is closed. */
enum status fixture_try_open(struct fixture *fixture, struct error *err);

/* Properties of every type, with Korean text, large strings now and then, names that come twice. */
struct text fixture_list(struct buffer *into);

/* Adds a call at the next position; what was kept is added again by fixture_replay(). */
void fixture_add(struct fixture *fixture, uint32_t slot, const struct record *record,
                 int64_t time_ms);
void fixture_add_random(struct fixture *fixture, uint32_t slots);
void fixture_replay(struct fixture *fixture);

void fixture_poll(struct fixture *fixture);

/* Until everything lies in parts. */
void fixture_flush(struct fixture *fixture);

/* Fails unless a read gives what was kept, to the byte, in order. */
void fixture_expect(struct fixture *fixture, uint32_t slot, const struct events_query *query);

/* The only part of partition 0 as bytes of the caller's, to be changed; free() it. */
struct part_header *fixture_part(const struct fixture *fixture, struct text *ret_bytes);
struct part_column *fixture_part_column(struct part_header *header, enum column_role role);
/* Gives the header the checksum that it then has. */
void fixture_seal_header(struct part_header *header);

/* Turns over one bit of the byte; twice the same changes nothing. */
void fixture_change_byte(const char *path, off_t at);

/* The path of the only file in partition 0 whose name ends so. */
void fixture_file(const struct fixture *fixture, const char *end, char into[256]);

#endif
