#ifndef SONNIM_INGEST_PLAN_INTERNAL_H
#define SONNIM_INGEST_PLAN_INTERNAL_H

/* What plan.c makes and plan_check.c reads. */

#include "ingest/plan.h"

struct plan {
	struct arena       arena;
	struct map_text    events; /* name → struct plan_event */
	struct plan_event *traits; /* NULL: nothing is said of them */
	enum plan_action   violations;
	enum plan_action   unplanned;
	enum plan_action   additional;
	enum plan_action   additional_traits;
	size_t             property_count;
};

const char *plan_type_name(enum plan_type type);   /* "string_set" */
const char *plan_type_phrase(enum plan_type type); /* "an array of strings" */

#endif
