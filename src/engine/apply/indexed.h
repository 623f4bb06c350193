#ifndef SONNIM_ENGINE_INDEXED_H
#define SONNIM_ENGINE_INDEXED_H

/* What the engine may know of personal traits: the blind indexes of e-mail address and phone, and
 * the parts of the birthday. Ingest seals them with the values they belong to (model/record.h);
 * here they are opened when such a trait comes, and stand in the profile's list in memory as
 * VALUE_INDEXED, where VALUE_PERSONAL stood. They are never written: checkpoints and merges have
 * VALUE_PERSONAL again, and who reads them opens what is sealed once more. So whose key is gone
 * has no index anywhere.
 *
 * The trait age_band follows from the birthday. It is a trait like others, in clear; while the
 * birthday is known it overrules what was sent, and a timer moves it at midnight (UTC) of the
 * birthday on which it changes.
 *
 * Cost: one decryption for each record that sets one of these traits. */

#include "engine/apply/profile.h"

/* Opens what was sealed for the engine. The vault's; any thread. */
struct unsealer {
	/* Appends the plain text to `out`. False: nothing; the person has no key any more. */
	bool (*open)(void *context, struct person sealer, struct text sealed, struct buffer *out);
	/* Whether the person was erased: has been, also when his ERASURE record is yet to come. */
	bool (*erased)(void *context, struct person person);
	void *context;
};

/* Opens what is sealed of the traits that can be indexed and are not yet. `unsealer` NULL: nothing
 * can be opened. */
void indexed_restore(struct profiles *profiles, struct profile *profile,
                     const struct unsealer *unsealer);

/* Sets age_band to what it is at `now_ms`. True: it was another. */
bool indexed_set_age(struct profiles *profiles, struct profile *profile, int64_t now_ms);

/* When it changes next; INSTANT_MS_NEVER. */
int64_t indexed_age_next_ms(const struct profile *profile, int64_t now_ms);

/* A list as it may be written. Returns `list` itself when nothing of it is indexed, else what it
 * wrote into `into` (cleared). */
struct text indexed_strip(struct text list, struct buffer *into);

#endif
