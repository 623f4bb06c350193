#ifndef SONNIM_API_SENTENCE_H
#define SONNIM_API_SENTENCE_H

/* An explanation (engine/explain.h) as sentences, in Korean and English:
 *
 *   최근 10분 동안 ‘Order’ 이벤트가 3회로 기준(3회 이상)을 충족하므로
 *   이 사용자는 ‘busy’ 세그먼트에 속해 있으며, 다른 일이 없으면 …에 나갑니다.
 *   In the last 10 minutes "Order" happened 3 times (needs at least 3: met), so the
 *   user is a member of "busy"; if nothing else happens, this changes at ….
 *
 * A sentence is made of clauses, one a leaf that decides: of an `and` that fails those that fail,
 * of an `or` that holds those that hold, else all; at most SENTENCE_CLAUSES_MAX, then how many
 * more. */

#include "base/buffer.h"
#include "engine/explain.h"

enum { SENTENCE_CLAUSES_MAX = 8 };

enum sentence_language { SENTENCE_KOREAN, SENTENCE_ENGLISH, SENTENCE_LANGUAGES };

/* How a segment is named; the text must live until the sentence is written. */
struct sentence_names {
	struct text (*segment_key)(void *context, uint32_t number);
	void *context;
};

/* Why the person is, or is not, a member of the segment with that key. */
void sentence_of_member(struct buffer *out, enum sentence_language language,
                        const struct explanation *explanation, struct text key,
                        const struct sentence_names *names);

/* One node. */
void sentence_of_node(struct buffer *out, enum sentence_language language,
                      const struct explain_node *node, const struct sentence_names *names);

#endif
