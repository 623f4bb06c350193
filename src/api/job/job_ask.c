#include "api/job/job_ask.h"

#include <string.h>

#include "api/call_audit.h"
#include "api/job/job_json.h"

static bool allows(void *context, const char *scope)
{
	struct api_call *call = context;
	enum scope       need = scope_of(text_of(scope));
	if (need == SCOPE_PII_READ && scope_allows(call->token.scopes, need))
		call->audit.personal = true; /* its files have personal values */
	/* A kind that names a scope which does not exist needs what nobody but an admin has. */
	return scope_allows(call->token.scopes, need == SCOPE_NONE ? SCOPE_ADMIN : need);
}

struct job_asker job_asker_of(struct api_call *call)
{
	const struct token *token  = &call->token;
	bool                person = token->person_id[0] != '\0';
	return (struct job_asker){
		.name    = text_of(arena_printf(call->arena, person ? "person %s" : "token %s",
                                     person ? token->person_id : token->id)),
		.allows  = allows,
		.context = call,
	};
}

enum status job_ask(struct api_call *call, const struct job_wish *wish, struct store_job *ret_job,
                    struct error *err)
{
	const struct job_asker asker = job_asker_of(call);
	struct job_wish        asked = *wish;
	asked.asker                  = &asker;
	return jobs_add(call->api->config.jobs, &asked, call->arena, ret_job, err);
}

enum status job_ask_plain(struct api_call *call, const struct job_wish *wish,
                          struct store_job *ret_job, struct error *err)
{
	static const char prefix[] = "params.";
	const size_t      length   = sizeof prefix - 1;
	enum status       status   = job_ask(call, wish, ret_job, err);
	if (status != STATUS_OK && strncmp(err->field, prefix, length) == 0)
		memmove(err->field, err->field + length, strlen(err->field + length) + 1);
	return status;
}

void job_answer_accepted(struct api_call *call, const struct store_job *job)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	job_json_write(&w, call->api->config.jobs, job);
	http_add_header(call->request, "Location",
	                text_of(arena_printf(call->arena, "/api/v1/jobs/%s", job->id)));
	call_answer(call, 202, &out);
}
