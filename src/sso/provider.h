#ifndef SONNIM_SSO_PROVIDER_H
#define SONNIM_SSO_PROVIDER_H

/* A provider of single sign-on as it was configured: where it is, who we are there, and what its
 * groups mean here. JSON, in the API as in the store, where the secret is sealed:
 *
 *   {"issuer", "client_id", "client_secret"?, "scopes"?: […], "groups_claim"?, "role_mapping"?:
 *    {"GROUP": ["ROLE", …]}, "default_roles"?: […], "link_by_email"?, "return_path"?, "active"?}
 *
 * Texts lie in the caller's arena. Errors: STATUS_INVALID with the field. */

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "store/store.h"
#include "vault/vault.h"

enum {
	SSO_PROVIDERS_MAX        = 32,
	SSO_NAME_BYTES_MAX       = 64,
	SSO_TEXT_BYTES_MAX       = 1024,
	SSO_MAPPINGS_MAX         = 1000,
	SSO_SCOPES_MAX           = 32,
	SSO_ROLES_OF_GROUP_MAX   = 16,
	SSO_GROUPS_OF_PERSON_MAX = 1000,
};

struct sso_mapping {
	struct text group;
	struct text roles; /* names separated by blanks */
};

struct sso_provider {
	char                id[37];
	struct text         name;
	struct text         issuer;
	struct text         client_id;
	struct text         client_secret; /* empty: a public client, by PKCE alone */
	struct text         scopes;        /* separated by blanks; openid is asked for in any case */
	struct text         groups_claim;
	struct sso_mapping *mappings;
	size_t              mapping_count;
	struct text         default_roles; /* of whom no group maps to anything; empty: he is refused */
	bool                link_by_email;
	struct text return_path; /* of a page of ours that gets a code; empty: a Grant at once */
	bool        active;
	int64_t     created_ms;
	int64_t     updated_ms;
};

/* 1 to SSO_NAME_BYTES_MAX of a-z, 0-9 and -, beginning with a letter. */
bool sso_name_is_good(struct text name);

/* Whether we ask there: https, or http to this machine itself, which `loopback` allows; without
 * credentials and fragment. */
bool sso_address_is_good(struct text url, bool loopback);

/* Whether it is http to this machine itself. */
bool sso_address_is_loopback(struct text url);

/* All of `provider` but name, id and times; a secret that is absent stays. */
MUST_USE enum status sso_provider_read(struct json body, struct arena *arena,
                                       struct sso_provider *provider, struct error *err);

/* Adds the members above but the secret to the object at hand. */
void sso_provider_write(struct json_writer *writer, const struct sso_provider *provider);

void sso_provider_seal(const struct sso_provider *provider, struct vault *vault,
                       struct arena *arena, struct store_sso_provider *ret_row);
/* STATUS_CORRUPT: the row is damaged, or sealed by another keyring. */
MUST_USE enum status sso_provider_open(const struct store_sso_provider *row, struct vault *vault,
                                       struct arena *arena, struct sso_provider *ret_provider,
                                       struct error *err);

/* The roles of who is in these groups, each once, in the order of the mapping; those by default
 * when there are none. */
struct text sso_provider_roles(const struct sso_provider *provider, const struct text *groups,
                               size_t count, struct arena *arena);

/* All roles that it could give, each once. */
struct text sso_provider_all_roles(const struct sso_provider *provider, struct arena *arena);

#endif
