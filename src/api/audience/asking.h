#ifndef SONNIM_API_ASKING_H
#define SONNIM_API_ASKING_H

/* Calls that are answered with a calculation: waiting for it, giving up when the client is gone,
 * and what all of their answers have. The state of such a call begins with a struct asking. */

#include "api/audience/calculation.h"
#include "api/audience/question.h"
#include "api/call.h"

struct asking {
	struct api_call          *call;
	struct calculation_waiter waiter; /* its calculation is given back with the call */
	call_step_fn             *then;
};

/* In the handler: makes the state (zeroed, `state_bytes` long), watches the client, and goes on
 * with `step` on a worker. */
void asking_begin(struct api_call *call, size_t state_bytes, call_step_fn *step);

/* Asks; `then` is on a worker. */
void asking_ask(struct api_call *call, const struct calculation_wish *wish, call_step_fn *then);

/* What came of it; NULL: the call was answered with the error. */
const struct query_answer *asking_answer(struct api_call *call);

/* Whether the client wants what is kept to be left aside (`Cache-Control: no-cache`). */
bool asking_anew(const struct api_call *call);

/* Writes "audience_size" to "exact" (docs/api.md, "Audiences"). */
void asking_write_figures(struct json_writer *writer, const struct query_answer *answer);

/* Writes "cached" and "took_ms". */
void asking_write_end(struct json_writer *writer, const struct api_call *call);

#endif
