/* GET /health/live and /health/ready: for supervisors, without a token. */

#include "api/call.h"
#include "api/handlers.h"
#include "base/instant.h"
#include "journal/file_log.h"

void health_live(struct api_call *call)
{
	call_answer_static(call, "application/json", TEXT("{\"status\":\"ok\"}"));
}

static void write_phases(struct json_writer *w, int phase)
{
	json_add_key(w, TEXT("phases"));
	json_begin_array(w);
	for (int i = 0; i < API_PHASE_COUNT; i++) {
		json_begin_object(w);
		json_member_string(w, "name", text_of(api_phase_name((enum api_phase)i)));
		json_member_bool(w, "done", i < phase || phase == API_PHASE_READY);
		json_end_object(w);
	}
	json_end_array(w);
}

/* writtenAt: when the oldest of the partitions' newest ones was made. */
static void write_checkpoints(struct json_writer *w, const struct engine_status *engine)
{
	const struct checkpoints_status *status = &engine->checkpoints;
	json_add_key(w, TEXT("checkpoints"));
	json_begin_object(w);
	json_member_int(w, "damaged", (int64_t)status->damaged);
	json_member_bool(w, "failing", status->failing);
	json_member_int(w, "neededAfter", (int64_t)status->needed_after);
	if (status->oldest_ms == INSTANT_MS_NONE)
		json_member_null(w, "writtenAt");
	else
		json_member_instant(w, "writtenAt", status->oldest_ms);
	json_end_object(w);
}

static void write_memory(struct json_writer *w, const struct engine_status *engine)
{
	json_add_key(w, TEXT("memory"));
	json_begin_object(w);
	json_member_bool(w, "full", engine->memory_full);
	json_member_int(w, "usedBytes", (int64_t)engine->memory_used_bytes);
	json_member_int(w, "limitBytes", (int64_t)engine->memory_limit_bytes);
	json_end_object(w);
}

static bool write_parts(struct json_writer *w, struct api *api)
{
	struct engine_status   engine;
	struct file_log_status journal;
	struct vault_status    vault;
	engine_status(api->config.engine, &engine);
	file_log_status(api->config.journal, &journal);
	vault_status(api->config.vault, &vault);

	json_add_key(w, TEXT("journal"));
	json_begin_object(w);
	json_member_bool(w, "writable", !journal.failed && !journal.full);
	json_member_bool(w, "full", journal.full);
	json_member_bool(w, "failed", journal.failed);
	json_member_bool(w, "clockHeld", journal.clock_held);
	json_member_int(w, "position", (int64_t)engine.journal_position);
	json_member_int(w, "firstPosition", (int64_t)journal.first_position);
	json_member_instant(w, "firstTime", journal.first_ms);
	json_end_object(w);
	json_add_key(w, TEXT("engine"));
	json_begin_object(w);
	json_member_bool(w, "failed", engine.failed);
	if (engine.failed)
		json_member_string(w, "error", text_of(engine.error.reason));
	json_member_int(w, "position", (int64_t)engine.applied_position);
	json_member_instant(w, "clock", engine.clock_ms);
	json_member_bool(w, "full", engine.memory_full);
	json_end_object(w);
	write_checkpoints(w, &engine);
	write_memory(w, &engine);
	json_add_key(w, TEXT("vault"));
	json_begin_object(w);
	json_member_bool(w, "failed", vault.failed);
	json_end_object(w);
	return !engine.failed && !journal.failed && !vault.failed;
}

/* One that fails is no reason for the server not to be ready. */
static void write_workspaces(struct json_writer *w, const struct api *api)
{
	const struct api_workspaces *workspaces = api->config.workspaces;
	struct workspace_counts      counts;
	if (workspaces == NULL)
		return;
	workspaces->counts(workspaces->context, &counts);
	json_add_key(w, TEXT("workspaces"));
	json_begin_object(w);
	json_member_int(w, "all", (int64_t)counts.all);
	json_member_int(w, "open", (int64_t)counts.open);
	json_member_int(w, "failed", (int64_t)counts.failed);
	json_end_object(w);
}

void health_ready(struct api_call *call)
{
	struct api        *api   = call->api;
	int                phase = atomic_load(&api->phase);
	struct buffer      out = {0}, parts = {0};
	struct json_writer p = json_writer_of(&parts);
	json_begin_object(&p);
	bool sound = write_parts(&p, api);
	json_end_object(&p);
	bool ready = sound && api_is_open(api);

	struct json_writer w = json_writer_of(&out);
	json_begin_object(&w);
	json_member_string(&w, "status",
	                   ready                        ? TEXT("ready")
	                   : !sound                     ? TEXT("failed")
	                   : atomic_load(&api->stopped) ? TEXT("stopping")
	                                                : TEXT("starting"));
	json_member_string(&w, "phase", text_of(api_phase_name((enum api_phase)phase)));
	write_phases(&w, phase);
	json_add_key(&w, TEXT("parts"));
	json_add_raw(&w, buffer_text(&parts));
	write_workspaces(&w, api);
	json_end_object(&w);
	buffer_done(&parts);
	call_answer(call, ready ? 200 : 503, &out);
}
