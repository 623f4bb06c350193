#ifndef SONNIM_VAULT_MASK_H
#define SONNIM_VAULT_MASK_H

/* Personal values so that they can be told apart by eye and no more:
 *   email   a***@email.com       phone   010-****-1234       all else   ***
 * What is an address or a number says the last part of its name. */

#include "base/buffer.h"
#include "base/text.h"

/* Appends the masked text; `name` is the value's dotted path. */
void mask_value(struct text name, struct text value, struct buffer *out);

/* A value list whose names are dotted paths, with every value masked. */
void mask_list(struct text list, struct buffer *out);

#endif
