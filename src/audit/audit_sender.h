#ifndef SONNIM_AUDIT_SENDER_H
#define SONNIM_AUDIT_SENDER_H

/* Sends heads elsewhere, where whoever can write to the data and the keyring cannot: to the end of
 * a file (a line each, synced), and to a URL (POST, JSON). Only the newest head matters: while one
 * cannot be sent, newer ones take its place, and it is tried again with growing pauses. */

#include <stdint.h>

#include "audit/audit_key.h"

struct audit_sender_counts {
	uint64_t sent;
	uint64_t failures;
	uint64_t seq; /* of the newest head that has reached every place; 0: none since start */
};

struct audit_sender;

/* NULL when both are NULL; the strings outlive it. */
struct audit_sender *audit_sender_start(const char *file, const char *url);

/* Takes a copy; never waits. `sender` may be NULL. */
void audit_sender_put(struct audit_sender *sender, const struct audit_head *head);

/* Tries the last one once more, `wait_ms` at most, and ends. NULL is fine. */
void audit_sender_stop(struct audit_sender *sender, int64_t wait_ms);

struct audit_sender_counts audit_sender_counts(struct audit_sender *sender); /* NULL: zeros */

#endif
