#ifndef SONNIM_APP_AUDIT_KEPT_H
#define SONNIM_APP_AUDIT_KEPT_H

/* The audit trail among what is kept for a time: whole files are dropped, and a signed record says
 * so, from which what is left is verified. */

#include "audit/audit.h"
#include "job/retention.h"

/* Both outlive the retention. */
void audit_kept_register(struct retention *retention, struct audit *audit, const int64_t *age_ms);

#endif
