#ifndef SONNIM_MODEL_PERSON_H
#define SONNIM_MODEL_PERSON_H

/* A person number: the partition and a dense slot in it, never used again. It is all that journal,
 * event store, engine and change stream know of a person; only the vault knows who it is. */

#include <stdint.h>

struct person {
	uint32_t partition;
	uint32_t slot;
};

enum {
	PARTITION_COUNT_MAX = 1024,
	SLOT_NONE           = UINT32_MAX, /* a record that concerns nobody in particular */
};

static inline uint64_t person_number(struct person person)
{
	return (uint64_t)person.partition << 32 | person.slot;
}

static inline struct person person_of_number(uint64_t number)
{
	return (struct person){(uint32_t)(number >> 32), (uint32_t)number};
}

#endif
