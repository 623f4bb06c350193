/* GET /api/v1/users?email=…|phone=…: who has this address, or this number, now. It is compared by
 * its blind index, as a segment would: nothing else knows it, and the index goes with the person's
 * key. */

#include "api/audience/asking.h"
#include "api/audience/sampled.h"
#include "api/call_audit.h"
#include "api/handlers.h"

struct search {
	struct asking  asking; /* first */
	struct sampled shown;
	uint64_t       size;
	int64_t        as_of_ms;
};

static enum status read_wish(struct api_call *call, struct calculation_wish *wish,
                             struct error *err)
{
	char                index[PERSONAL_INDEX_BYTES];
	const char         *reason;
	struct text         email = {0}, phone = {0};
	bool                by_email = http_query(call->request, "email", &email);
	bool                by_phone = http_query(call->request, "phone", &phone);
	const char         *trait    = by_email ? "email" : "phone";
	enum personal_index kind     = by_email ? PERSONAL_EMAIL : PERSONAL_PHONE;
	if (by_email == by_phone)
		return error_set_field(err, STATUS_INVALID, by_email ? "phone" : "email",
		                       "One of email and phone is needed");
	if (!vault_index(call->api->config.vault, kind, by_email ? email : phone, index, &reason))
		return error_set_field(err, STATUS_INVALID, trait, "%s", reason);

	struct text written =
		text_of(arena_printf(call->arena, "{\"trait\":\"%s\",\"op\":\"eq\",\"value\":\"%.*s\"}",
	                         trait, (int)sizeof index, index));
	struct buffer       canonical = {0};
	struct json_parser *parser    = json_parser_new();
	struct json         json;
	struct expr        *expr;
	enum status         status = json_parse_text(parser, written, &json, err);
	if (status == STATUS_OK)
		status = expr_parse_json(json, trait, call->arena, &expr, err);
	json_parser_free(parser);
	if (status != STATUS_OK)
		return status;
	expr_write_canonical(&canonical, expr);
	*wish = (struct calculation_wish){
		.set_count    = 1,
		.sets         = {arena_text(call->arena, buffer_text(&canonical))},
		.as_of_ms     = INSTANT_MS_NONE,
		.min_position = call->min_position,
		.sample_count = QUERY_SAMPLE_MAX,
		.passing      = true,
		.anew         = true,
	};
	buffer_done(&canonical);
	return STATUS_OK;
}

static void copy(struct api_call *call, struct view *view)
{
	struct search *state = call->state;
	sampled_copy(&state->shown, view);
}

static void write_answer(struct api_call *call)
{
	struct search     *state = call->state;
	struct buffer      out   = {0};
	struct json_writer w     = json_writer_of(&out);
	call->audit.personal     = true;
	json_begin_object(&w);
	json_add_key(&w, TEXT("items"));
	sampled_write(call, &w, &state->shown);
	sampled_done(&state->shown);
	json_member_null(&w, "next");
	json_member_int(&w, "total", (int64_t)state->size);
	json_member_instant(&w, "as_of", state->as_of_ms);
	json_end_object(&w);
	call_answer(call, 200, &out);
}

static void not_copied(struct api_call *call)
{
	struct search *state = call->state;
	sampled_done(&state->shown);
	call_fail(call, call->read_error);
}

static void calculated(struct api_call *call)
{
	struct search             *state  = call->state;
	const struct query_answer *answer = asking_answer(call);
	if (answer == NULL)
		return;
	state->size     = answer->size;
	state->as_of_ms = answer->as_of_ms;
	sampled_init(&state->shown, &answer->members);
	call->read_failed = not_copied;
	call_read_all(call, copy, write_answer);
}

static void look_up(struct api_call *call)
{
	struct calculation_wish wish;
	struct error            err;
	if (read_wish(call, &wish, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		asking_ask(call, &wish, calculated);
}

void users_search(struct api_call *call) { asking_begin(call, sizeof(struct search), look_up); }
