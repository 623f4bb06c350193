#ifndef SONNIM_API_CREDENTIAL_H
#define SONNIM_API_CREDENTIAL_H

/* To which workspace a credential belongs, told from its text alone, before it is checked:
 *
 *   sonnim_…   wk_…   wst_…             of the home workspace
 *   sonnim_<code>_…  wk_<code>_…  …     of the workspace with that code
 *   a signed token                      of the workspace that its "aud" names
 *
 * A code is the first 8 hexadecimal digits of the workspace's id. What a text says of itself only
 * decides whom it is shown to: that workspace knows it or does not. */

#include <stdbool.h>

#include "base/text.h"

enum { WORKSPACE_CODE_BYTES = 9 }; /* with its NUL */

/* False: it names none. */
bool credential_code(struct text credential, char ret_code[WORKSPACE_CODE_BYTES]);

#endif
