#ifndef SONNIM_API_SOURCE_SETTINGS_H
#define SONNIM_API_SOURCE_SETTINGS_H

/* The settings of a source as JSON: members of the source's own object in the API, an object by
 * themselves in the store.
 *
 *   "allowedOrigins": null (pages of any origin may send) or ["https://shop.example", …]
 *   "quota": null or {"eventsPerDay": 1000000, "eventsPerMonth": 20000000}
 *   "rateLimit": null or {"eventsPerSecond": 1000, "burst": 5000}
 */

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "ingest/source.h"

/* Nothing is limited. */
struct source_settings source_settings_default(void);

/* Changes what the members of `body` name; those that are absent stay. Texts are copied to the
 * arena. STATUS_INVALID with the field. */
MUST_USE enum status source_settings_read(struct json body, struct arena *arena,
                                          struct source_settings *settings, struct error *err);

/* The members, into an open object. */
void source_settings_write(struct json_writer *writer, const struct source_settings *settings);

/* What the store keeps; empty: the default. */
MUST_USE enum status source_settings_parse(struct text stored, struct arena *arena,
                                           struct source_settings *ret_settings, struct error *err);
struct text source_settings_store(const struct source_settings *settings, struct arena *arena);

#endif
