#ifndef SONNIM_INGEST_PERSONS_H
#define SONNIM_INGEST_PERSONS_H

/* Who the messages of a request are about, and what their identify and alias calls link.
 *
 * The person is the user where userId is given, else the anonymous visitor, who may be linked to a
 * user. One look-up in the vault serves all messages up to the next that links (identify with both
 * ids, alias): that one has to see what came before it, and is seen by what comes behind. */

#include "ingest/message.h"

struct persons {
	struct vault    *vault;
	struct vault_id *ids; /* asked together, with the answers and whose they are */
	struct person   *found;
	bool            *identified;
	struct message **messages;
	size_t           count;
	size_t           capacity;
	uint64_t         sequence; /* what must be durable before any record names these persons */
};

void persons_init(struct persons *persons, struct vault *vault);
void persons_done(struct persons *persons);

/* Fills `person`, `identified`, `links` and `before` of every accepted message; an alias whose
 * previousId is known as a userId becomes ALREADY_IDENTIFIED. Errors are the vault's. */
MUST_USE enum status persons_resolve(struct persons *persons, struct message *messages,
                                     size_t count, struct error *err);

/* A person without key, of whom the vault knew an instant ago: the request is to be sent again, and
 * then is about somebody new. Other statuses as they are. */
enum status persons_erased_meanwhile(enum status status, struct error *err);

#endif
