#ifndef SONNIM_ENGINE_SURVEY_H
#define SONNIM_ENGINE_SURVEY_H

/* A long look at all persons of a partition as they are at one instant, while events go on.
 *
 *   instant as_of      events go on                        slots in order, in slices
 *       │              ▼ slot 7: before_change(7)
 *       ├── 0 1 2 3 4 ·─·─·─·─·─·─·─·  ◄ cursor            done: ahead of the cursor or behind it
 *       ▼
 *
 * It begins within a read of all (engine_read_all()), at the read's instant. Before a record or a
 * timer changes a person the survey is told: it looks at him right then, if it has not yet. So
 * everybody is seen as he was, and nobody waits. Between batches, and while there is nothing else
 * to do, it goes on by itself.
 *
 * An ACTIVATE changes what segments are: it breaks all surveys (STATUS_AGAIN, to be asked anew), as
 * the engine's end does (STATUS_UNAVAILABLE).
 *
 * Nothing of it is part of the engine's state: the change stream knows nothing of surveys. What
 * looks at the partition uses its headers (engine/apply/partition.h, leaf.h) and changes nothing.
 *
 * Thread: the partition's, for everything. */

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/engine.h"

struct partition;
struct survey;

struct survey_ops {
	/* Something of this person, and of nobody else, is about to change: a record or a timer, also
	 * one that brings him into being. Called for slots of any number, again and again. */
	void (*before_change)(struct survey *survey, uint32_t slot);
	/* A slice: at least something, then until this monotonic instant. Ends itself with
	 * survey_end(), in here alone. */
	void (*go_on)(struct survey *survey, int64_t end_ns);
	/* It is over, and has ended; nothing is to be called any more. */
	void (*broken)(struct survey *survey, enum status status);
};

struct survey {
	const struct survey_ops *ops;
	struct partition        *partition;
	int64_t                  begun_ms; /* the instant of the read */
	struct survey           *next;
};

/* Within engine_read.run. The memory stays the caller's. */
void survey_begin(struct survey *survey, const struct survey_ops *ops, struct view *view);
void survey_end(struct survey *survey);

/* The partition that a read sees, for those who use its headers. */
struct partition *survey_partition(const struct view *view);

/* ---- For the partition and its thread ---- */

/* partition->surveys is not NULL. */
void survey_before_change(struct partition *partition, uint32_t slot);
void survey_break_all(struct partition *partition, enum status status);

/* The partition's clock or, before it, the instant of the oldest survey: what exists then is still
 * read. */
int64_t survey_clock_ms(const struct partition *partition);

/* A slice of one of the partition's surveys, the next one another time; there is one. */
void survey_go_on(struct partition *partition, int64_t end_ns);

#endif
