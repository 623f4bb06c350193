#ifndef SONNIM_ACCESS_SCOPE_H
#define SONNIM_ACCESS_SCOPE_H

/* What somebody may do: the one vocabulary of permissions. API tokens have scopes of it, people
 * have roles (access/role.h), which are sets of it, and every route names the one that it needs.
 * Kept as names separated by blanks, used as a set of bits. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

#define SCOPE_TABLE(X)                                                                             \
	X(SCOPE_EVENTS_WRITE, "events.write", "Send events through the platform's own events API")     \
	X(SCOPE_SEGMENT_READ, "segment.read", "Read segments, their members and their history")        \
	X(SCOPE_SEGMENT_WRITE, "segment.write", "Create, change and delete segments")                  \
	X(SCOPE_USER_READ, "user.read", "Read users' segments, history, profiles and events")          \
	X(SCOPE_PII_READ, "pii.read", "See personal values in profiles and events")                    \
	X(SCOPE_SOURCE_WRITE, "source.write", "Read and change sources and their write keys")          \
	X(SCOPE_AUDIENCE_READ, "audience.read", "Calculate audiences and read saved ones")             \
	X(SCOPE_AUDIENCE_WRITE, "audience.write", "Save, change, refresh and delete audiences")        \
	X(SCOPE_AUDIENCE_EXPORT, "audience.export", "Export the members of audiences")                 \
	X(SCOPE_DIMENSION_READ, "dimension.read", "Read products and properties")                      \
	X(SCOPE_DIMENSION_WRITE, "dimension.write", "Load, change and delete products and properties") \
	X(SCOPE_DESTINATION_WRITE, "destination.write", "Change where audiences are sent")             \
	X(SCOPE_JOB_READ, "job.read", "Read background jobs, their files and schedules")               \
	X(SCOPE_JOB_WRITE, "job.write", "Cancel and retry jobs, change schedules")                     \
	X(SCOPE_CAMPAIGN_SEND, "campaign.send", "Send campaigns")                                      \
	X(SCOPE_TOKEN_WRITE, "token.write", "Make, list and delete tokens")                            \
	X(SCOPE_PERSON_WRITE, "person.write", "Invite, change and delete people, and roles")           \
	X(SCOPE_SETTINGS_WRITE, "settings.write",                                                      \
	  "Change subscriptions, signing keys and single sign-on")                                     \
	X(SCOPE_WORKSPACE_WRITE, "workspace.write", "Make, change and delete other workspaces")        \
	X(SCOPE_PRIVACY_WRITE, "privacy.write", "Suppress, erase and export persons")                  \
	X(SCOPE_AUDIT_READ, "audit.read", "Read the audit trail")                                      \
	X(SCOPE_CLOCK_WRITE, "clock.write", "Move the manual clock")                                   \
	X(SCOPE_METRICS_READ, "metrics.read", "Read /metrics")                                         \
	X(SCOPE_ADMIN, "admin", "Everything")

enum scope_index {
#define X(name, text, help) name##_INDEX,
	SCOPE_TABLE(X)
#undef X
		SCOPE_COUNT
};

enum scope {
	SCOPE_NONE = 0,
#define X(name, text, help) name = 1 << name##_INDEX,
	SCOPE_TABLE(X)
#undef X
};

/* Whether `granted` allows what `needed` (one scope, or SCOPE_NONE) names. */
bool scope_allows(uint32_t granted, enum scope needed);

const char *scope_name(enum scope scope); /* "events.write"; one scope */
const char *scope_help(enum scope scope);

/* What two sets both allow. */
uint32_t scope_set_both(uint32_t a, uint32_t b);

/* The scope of that name; SCOPE_NONE: there is none. */
enum scope scope_of(struct text name);

/* Names separated by blanks, unknown ones left out (an older binary reads a newer token). */
uint32_t scope_set_read(struct text names);
void     scope_set_write(struct buffer *out, uint32_t set);
void     scope_set_write_json(struct json_writer *writer, uint32_t set); /* an array of names */

#endif
