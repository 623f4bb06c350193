#ifndef SONNIM_ACCESS_ROLE_H
#define SONNIM_ACCESS_ROLE_H

/* The roles that are built in: names for sets of permissions (access/scope.h). Others are rows of
 * the store (struct store_role). A person has one or more; what he may do is their union. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum { ROLE_NAME_BYTES_MAX = 64, ROLES_OF_PERSON_MAX = 16, ROLES_CUSTOM_MAX = 1000 };

struct role {
	const char *name; /* "marketing-manager" */
	const char *description;
	const char *description_ko;
	uint32_t    scopes;
};

extern const struct role roles_built_in[];
extern const size_t      roles_built_in_count;

/* NULL: it is none of those. */
const struct role *role_built_in(struct text name);

/* Whether a custom role may be called so: 1 to ROLE_NAME_BYTES_MAX of a-z, 0-9 and -, beginning
 * with a letter, and not built in. */
bool role_name_is_free(struct text name);

#endif
