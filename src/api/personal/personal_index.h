#ifndef SONNIM_API_PERSONAL_INDEX_H
#define SONNIM_API_PERSONAL_INDEX_H

/* Definitions that compare e-mail addresses or telephone numbers hold their blind indexes
 * (vault/blind.h) in place of the values, before anything of them is stored, journalled or
 * shown. */

#include "base/arena.h"
#include "base/error.h"
#include "model/expr.h"
#include "vault/vault.h"

/* STATUS_INVALID with the place: something is neither such an address nor an index. `*ret_changed`:
 * there was one, and what was written of the definition must not be kept. */
MUST_USE enum status personal_index(struct vault *vault, struct expr *expr, const char *field,
                                    struct arena *arena, bool *ret_changed, struct error *err);

/* The expression as JSON, from the arena. */
struct text personal_index_text(const struct expr *expr, struct arena *arena);

#endif
