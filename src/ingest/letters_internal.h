#ifndef SONNIM_INGEST_LETTERS_INTERNAL_H
#define SONNIM_INGEST_LETTERS_INTERNAL_H

/* What letters.c and letters_erase.c share. */

#include <pthread.h>
#include <stdatomic.h>

#include "ingest/letters.h"

#define LETTER_PURPOSE TEXT("dead letter")

struct letters {
	struct store           *store;
	struct vault           *vault;
	struct journal         *journal;
	struct letters_settings settings;

	pthread_mutex_t     flushing; /* one at a time, with the parser */
	struct json_parser *parser;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t  wake;
	bool            stopping;
	letter_list     waiting;
	size_t          waiting_bytes;

	_Atomic bool     full; /* nothing needs to be copied */
	_Atomic uint64_t added;
	_Atomic uint64_t dropped;

	pthread_mutex_t            totals_lock;
	struct store_letter_totals totals;

	bool      failing; /* the last write: logged once */
	unsigned  rounds;  /* since the totals were read */
	pthread_t thread;
};

#endif
