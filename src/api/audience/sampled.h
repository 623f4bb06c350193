#ifndef SONNIM_API_SAMPLED_H
#define SONNIM_API_SAMPLED_H

/* The members that an answer shows as a sample (query/query.h): their ids, and their traits of now,
 * the personal ones masked (vault/mask.h) for whoever may not see them. */

#include "api/call.h"
#include "api/user/person_traits.h"
#include "query/query.h"

struct sampled {
	uint32_t count;
	struct sampled_person {
		struct person        person;
		struct arena         arena; /* its own: partitions copy side by side */
		struct person_traits traits;
	} persons[QUERY_SAMPLE_MAX];
};

void sampled_init(struct sampled *sampled, const struct query_sample *sample);
void sampled_done(struct sampled *sampled);

/* Those of the view's partition; on the partitions' threads, at once. */
void sampled_copy(struct sampled *sampled, struct view *view);

/* On a worker: an array. */
void sampled_write(struct api_call *call, struct json_writer *writer,
                   const struct sampled *sampled);

#endif
