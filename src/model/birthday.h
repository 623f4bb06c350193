#ifndef SONNIM_MODEL_BIRTHDAY_H
#define SONNIM_MODEL_BIRTHDAY_H

/* What follows from a person's birthday: the trait age_band ("20s"), and the instants at which it
 * changes, which are midnights in UTC. Who was born on February 29 grows older on March 1 where
 * there is no such day. */

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "model/value.h"

struct birthday {
	int year;
	int month;
	int day;
};

/* Of a string in the form of an instant (contracts, rule 7): its date as written. */
bool birthday_parse(struct text text, struct birthday *ret_birthday);

/* As a list {year, month, day}, and the reverse (false: it is none). */
void birthday_write(const struct birthday *birthday, struct buffer *out);
bool birthday_read(struct text list, struct birthday *ret_birthday);

/* "0s", "10s", … "60s", "70s+"; empty before the person is born. Static. */
struct text birthday_age_band(const struct birthday *birthday, int64_t now_ms);

/* The first instant after `now_ms` at which that is another one; INSTANT_MS_NEVER: never again. */
int64_t birthday_next_ms(const struct birthday *birthday, int64_t now_ms);

#endif
