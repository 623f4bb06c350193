/* GET /api/v1/users/{id}/explain?segment=: why somebody is, or is not, a member. */

#include "api/call.h"
#include "api/handlers.h"
#include "api/reads.h"
#include "api/sentence/sentence.h"
#include "base/decimal.h"
#include "engine/explain.h"

struct explain {
	struct reads_user  user;
	struct definition  definition;
	struct explanation explanation;
};

static void free_explain(struct api_call *call)
{
	explain_done(&((struct explain *)call->state)->explanation);
}

static void run(struct api_call *call, struct view *view)
{
	struct explain *state = call->state;
	explain_person(view, state->user.person.slot, state->definition.segment.number, call->arena,
	               &state->explanation);
}

static struct text segment_key(void *context, uint32_t number)
{
	struct api_call *call = context;
	struct text      id, key;
	if (!definition_name_of(call->api->definitions, number, call->arena, &id, &key))
		return TEXT("?");
	return key;
}

static void write_sentence(struct json_writer *w, struct buffer sentences[SENTENCE_LANGUAGES])
{
	static const char *const names[SENTENCE_LANGUAGES] = {
		[SENTENCE_KOREAN] = "ko", [SENTENCE_ENGLISH] = "en"};
	json_add_key(w, TEXT("sentence"));
	json_begin_object(w);
	for (int i = 0; i < SENTENCE_LANGUAGES; i++) {
		json_member_string(w, names[i], buffer_text(&sentences[i]));
		buffer_done(&sentences[i]);
	}
	json_end_object(w);
}

/* ---- Nodes ---- */

static void write_flip(struct json_writer *w, const struct explain_flip *flip, bool holds)
{
	json_add_key(w, TEXT("next"));
	if (flip->at_ms == INSTANT_MS_NEVER) {
		json_add_null(w);
		return;
	}
	json_begin_object(w);
	json_member_instant(w, "at", flip->at_ms);
	json_member_bool(w, "exact", flip->exact);
	if (flip->exact) {
		json_member_bool(w, "holds", !holds);
		json_member_string(w, "cause", text_of(cause_name(flip->cause)));
	}
	if (flip->event.length > 0) {
		json_member_string(w, "event", flip->event);
		json_member_instant(w, "eventTime", flip->event_ms);
		if (flip->message_id.length > 0)
			json_member_string(w, "messageId", flip->message_id);
	}
	json_end_object(w);
}

static void write_value(struct json_writer *w, const struct value *value)
{
	json_add_key(w, TEXT("value"));
	if (value->type == VALUE_NONE || value->type == VALUE_PERSONAL)
		json_add_null(w);
	else
		value_write_json(w, value);
	if (value->type == VALUE_PERSONAL)
		json_member_bool(w, "personal", true);
}

static void write_aggregate(struct json_writer *w, const struct explain_node *node)
{
	const struct leaf_value *leaf = &node->leaf;
	switch (leaf->missing ? EXPR_AGGREGATE_COUNT : node->expr->event.aggregate) {
	case EXPR_COUNT:
	case EXPR_DISTINCT:
	case EXPR_DAYS_SINCE_LAST:
	case EXPR_DAYS_SINCE_FIRST:
		json_member_int(w, "value", (int64_t)leaf->count);
		break;
	case EXPR_SUM:
		json_member_double(w, "value", decimal_to_double(leaf->sum));
		break;
	case EXPR_AVG:
		json_member_double(w, "value", decimal_to_double(leaf->sum) / (double)leaf->count);
		break;
	default:
		write_value(w, &leaf->value);
	}
	uint64_t more;
	json_add_key(w, TEXT("changedBy"));
	json_begin_object(w);
	json_member_string(w, "event", node->expr->event.name);
	if (explain_more_events(node, &more))
		json_member_int(w, "count", (int64_t)more);
	json_end_object(w);
}

static void write_leaf(struct api_call *call, struct json_writer *w,
                       const struct explain_node *node)
{
	struct expr leaf = *node->expr;
	if (leaf.kind == EXPR_SEGMENT) /* the canonical form has its number */
		leaf.segment.reference = segment_key(call, leaf.segment.number);
	struct buffer text = {0};
	expr_write_text(&text, &leaf);
	json_member_string(w, "text", buffer_text(&text));
	buffer_done(&text);
	switch (leaf.kind) {
	case EXPR_EVENT:
		write_aggregate(w, node);
		break;
	case EXPR_TRAIT:
		write_value(w, &node->trait);
		json_add_key(w, TEXT("changedBy"));
		json_begin_object(w);
		json_member_string(w, "trait", leaf.trait.name);
		json_end_object(w);
		break;
	case EXPR_SEGMENT:
		reads_write_segment(call, w, leaf.segment.number);
		break;
	default:
		break;
	}
}

static const char *const kind_names[] = {
	[EXPR_AND] = "and",           [EXPR_OR] = "or",       [EXPR_NOT] = "not",
	[EXPR_EVENT] = "event",       [EXPR_TRAIT] = "trait", [EXPR_SEGMENT] = "segment",
	[EXPR_SEQUENCE] = "sequence",
};

static void write_node(struct api_call *call, struct json_writer *w,
                       const struct explain_node *node)
{
	const struct sentence_names names                         = {segment_key, call};
	struct buffer               sentences[SENTENCE_LANGUAGES] = {0};
	json_begin_object(w);
	json_member_string(w, "kind", text_of(kind_names[node->expr->kind]));
	json_member_bool(w, "holds", node->holds);
	if (node->expr->kind > EXPR_NOT)
		write_leaf(call, w, node);
	write_flip(w, &node->flip, node->holds);
	for (int i = 0; i < SENTENCE_LANGUAGES; i++)
		sentence_of_node(&sentences[i], (enum sentence_language)i, node, &names);
	write_sentence(w, sentences);
	if (node->count > 0) {
		json_add_key(w, TEXT("operands"));
		json_begin_array(w);
		for (unsigned i = 0; i < node->count; i++)
			write_node(call, w, &node->operands[i]);
		json_end_array(w);
	}
	json_end_object(w);
}

/* ---- The answer ---- */

static void write_answer(struct api_call *call, struct json_writer *w)
{
	const struct explain       *state                         = call->state;
	const struct explanation   *explanation                   = &state->explanation;
	const struct sentence_names names                         = {segment_key, call};
	struct buffer               sentences[SENTENCE_LANGUAGES] = {0};
	json_begin_object(w);
	call_write_person(call, w, state->user.person);
	reads_write_segment(call, w, state->definition.segment.number);
	json_member_int(w, "version", explanation->version);
	json_member_bool(w, "member", explanation->member);
	if (explanation->member)
		json_member_instant(w, "enteredAt", explanation->entered_ms);
	write_flip(w, &explanation->root.flip, explanation->member);
	for (int i = 0; i < SENTENCE_LANGUAGES; i++)
		sentence_of_member(&sentences[i], (enum sentence_language)i, explanation,
		                   state->definition.segment.key, &names);
	write_sentence(w, sentences);
	json_add_key(w, TEXT("tree"));
	write_node(call, w, &explanation->root);
	json_member_instant(w, "as_of", call_as_of_ms(call));
	json_end_object(w);
}

static void answer(struct api_call *call)
{
	const struct explain *state = call->state;
	struct error          err;
	if (!state->explanation.found || !state->explanation.live) {
		if (!state->explanation.found)
			reads_unknown_user(&err);
		else
			reads_not_live(&state->definition, &err);
		call_fail(call, &err);
		return;
	}
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	write_answer(call, &w);
	call_answer(call, 200, &out);
}

static void look_up(struct api_call *call)
{
	struct explain *state = ARENA_NEW(call->arena, struct explain);
	struct text     segment;
	struct error    err;
	enum status     status = STATUS_OK;
	call->state            = state;
	call->cleanup          = free_explain;
	if (!http_query(call->request, "segment", &segment) || segment.length == 0)
		status = error_set_field(&err, STATUS_INVALID, "segment",
		                         "?segment= names the segment, by id or key");
	if (status == STATUS_OK)
		status = reads_user(call, &state->user, &err);
	if (status == STATUS_OK)
		status =
			definition_get(call->api->definitions, segment, call->arena, &state->definition, &err);
	if (status != STATUS_OK)
		call_fail(call, &err);
	else
		call_read_person(call, state->user.person.partition, run, answer);
}

void users_explain(struct api_call *call) { call_on_worker(call, look_up); }
