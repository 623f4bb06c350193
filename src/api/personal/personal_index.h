#ifndef SONNIM_API_PERSONAL_INDEX_H
#define SONNIM_API_PERSONAL_INDEX_H

/* Definitions that compare e-mail addresses or telephone numbers hold their blind indexes
 * (vault/blind.h) in place of the values, before anything of them is stored, journalled or
 * shown. */

#include "api/call.h"
#include "model/expr.h"

/* STATUS_INVALID with the place: something is neither such an address nor an index.
 * STATUS_FORBIDDEN: there is an address, and the asker may not read personal values; how many have
 * it would tell him whose it is. (An index that he was shown tells no address.) `*ret_changed`:
 * there was one, and what was written of the definition must not be kept. Texts are of the call's
 * arena. */
MUST_USE enum status personal_index(struct api_call *call, struct expr *expr, const char *field,
                                    bool *ret_changed, struct error *err);

/* The expression as JSON, from the arena. */
struct text personal_index_text(const struct expr *expr, struct arena *arena);

#endif
