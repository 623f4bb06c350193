#ifndef SONNIM_AUDIT_ANCHOR_H
#define SONNIM_AUDIT_ANCHOR_H

/* KEYRING/audit.head: the newest head that is durable, outside the data, so that a tail that is cut
 * off the trail shows although nobody was told a head since.
 *
 *   │ head, blanks, newline: 1,024 bytes │ the same │   written in turn; the newer good one counts
 *
 * It is written after each sync of the trail, without a sync of its own: behind a loss of power it
 * may be older than the trail, never newer. */

#include "audit/audit_key.h"

struct audit_anchor {
	int      fd; /* −1: not open */
	unsigned turn;
	char     path[4096];
};

/* Opens the file, or makes it. `ret_head->seq` is 0 when it holds no head. Heads of another
 * workspace or of a key that is not known do not count. */
MUST_USE enum status audit_anchor_open(const char              *keyring_directory,
                                       const uint8_t            workspace_id[16],
                                       const struct audit_keys *keys, struct audit_anchor *anchor,
                                       struct audit_head *ret_head, struct error *err);
void                 audit_anchor_close(struct audit_anchor *anchor);

MUST_USE enum status audit_anchor_write(struct audit_anchor *anchor, const struct audit_head *head,
                                        struct error *err);

/* Reads it alone; STATUS_NOT_FOUND: there is none, or no head in it that counts. `workspace_id`
 * NULL: any. */
MUST_USE enum status audit_anchor_read(const char *keyring_directory, const uint8_t *workspace_id,
                                       const struct audit_keys *keys, struct audit_head *ret_head,
                                       struct error *err);

#endif
