#ifndef SONNIM_API_TRACKING_PLAN_H
#define SONNIM_API_TRACKING_PLAN_H

/* Tracking plans of sources (ingest/plan.h): in the store, and with ingest. */

#include "api/context.h"

/* Lets the plans of the store hold. At start. */
MUST_USE enum status tracking_plans_load(struct api *api, struct error *err);

/* The source was deleted: nothing holds for its number any more, nothing is known of it. On
 * workers. */
MUST_USE enum status tracking_plan_forget(struct api *api, uint32_t source_number,
                                          struct error *err);

#endif
