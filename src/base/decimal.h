#ifndef SONNIM_BASE_DECIMAL_H
#define SONNIM_BASE_DECIMAL_H

/* Exact amounts (contracts, rule 19): the exact value of a double, rounded half to even to 6
 * decimals, as a whole number of millionths. Numbers beyond ±9.2·10¹² have none. Sums are kept in
 * 128 bits, which 2⁶⁴ of them cannot overflow. */

#include <stdbool.h>
#include <stdint.h>

#define DECIMAL_ONE   INT64_C(1000000)
#define DECIMAL_LIMIT 9.2e12 /* the largest magnitude, inclusive */

/* False when `number` is beyond the limit or not finite. */
bool decimal_of(double number, int64_t *ret_millionths);

/* Whether the shortest decimal form of `number` has at most 6 decimals. */
bool decimal_fits(double number);

/* The double nearest to a sum, for answers (never for comparisons). */
double decimal_to_double(__int128 millionths);

#endif
