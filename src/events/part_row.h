#ifndef SONNIM_EVENTS_PART_ROW_H
#define SONNIM_EVENTS_PART_ROW_H

/* A row of a part back into the record that it was. Properties are put together from their shape
 * (names, types and columns, in the order in which they came) and the columns' values; what has no
 * column comes from the residual column:
 *
 *   shape    = varint count, { varint column + 1 or 0 for the residual,
 *                              u32 hash, u8 type, sized name }   (the last three as in a list)
 *   residual = the values, in that order, each as in a list
 *
 * A boolean in a column has type TRUE in the shape, whatever it is. */

#include "events/part.h"

/* False: damaged. */
bool part_row_read(struct part *part, uint32_t slot, uint32_t row, event_list *list,
                   struct event *ret_event);

/* Only what event_compare() looks at. */
bool part_row_order(const struct part *part, uint32_t row, struct event *ret_event);

/* How the value of this type lies in a list, without its type: `reader` stands behind the name.
 * Empty for types that have none; failed readers say so themselves. */
struct text part_row_value(struct byte_reader *reader, enum value_type type);

#endif
