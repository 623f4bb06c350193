#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/workspace/directory_internal.h"
#include "base/instant.h"
#include "base/json.h"

enum {
	MEMORY_BYTES_DEFAULT = 64 << 20,
	JOURNAL_FILE_BYTES   = 16 << 20, /* at most: it takes so much of the disk at once */
	THREADS              = 1,        /* of its engine */
	JOB_THREADS          = 1,
};

static const char *const state_names[] = {"creating", "active", "deleting"};

const char *entry_state_name(enum entry_state state) { return state_names[state]; }

static enum entry_state state_of(struct text name)
{
	unsigned state = 0;
	while (state < ENTRY_DELETING && !text_equal(name, text_of(state_names[state])))
		state++;
	return (enum entry_state)state;
}

/* ---- Limits ---- */

void workspace_limits_write(const struct workspace_limits *limits, struct buffer *out)
{
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
#define X(member, name, smallest) json_member_int(&w, name, limits->member);
	WORKSPACE_LIMITS(X)
#undef X
	json_end_object(&w);
}

/* Of a row: what a later version knows besides is passed over. */
static void read_limits(struct text text, struct workspace_limits *ret_limits)
{
	struct json_parser *parser = json_parser_new();
	struct json         root;
	struct error        ignored;
	*ret_limits = (struct workspace_limits){0};
	if (json_parse_text(parser, text, &root, &ignored) == STATUS_OK) {
		struct json value;
#define X(member, name, smallest)                                                                  \
	value = json_get(root, name);                                                                  \
	if (json_type(value) == JSON_INT)                                                              \
		ret_limits->member = json_int(value);
		WORKSPACE_LIMITS(X)
#undef X
	}
	json_parser_free(parser);
}

uint64_t entry_memory_bytes(const struct entry *entry)
{
	return entry->limits.memory_bytes > 0 ? (uint64_t)entry->limits.memory_bytes
	                                      : MEMORY_BYTES_DEFAULT;
}

/* ---- Settings ---- */

static char *path_of(const char *parent, const char *id)
{
	char *path   = NULL;
	int   length = parent == NULL ? 0 : asprintf(&path, "%s/workspaces/%s", parent, id);
	assert(length >= 0);
	return path;
}

/* The command is told for whom it prints the master key; a variable of its own goes before that of
 * all. */
static void derive_master(struct entry *entry)
{
	const struct serve_settings *settings = entry->directory->settings;
	int                          length   = 0;
	if (settings->master_key_command != NULL)
		length = asprintf(&entry->master_command, "export SONNIM_WORKSPACE=%s; %s", entry->id,
		                  settings->master_key_command);
	if (settings->master_key_env != NULL && length >= 0)
		length = asprintf(&entry->master_variable, "%s_%s", settings->master_key_env, entry->code);
	assert(length >= 0);
	if (entry->master_variable != NULL && getenv(entry->master_variable) == NULL)
		entry->master_variable[strlen(settings->master_key_env)] = '\0';
}

/* Everything that is not its own is home's; what belongs to the process or would be shared with it
 * is nobody's. Made aside: while it runs it reads them, and must at no instant see home's. */
void entry_derive_settings(struct entry *entry)
{
	struct serve_settings  derived  = *entry->directory->settings;
	struct serve_settings *settings = &derived;
	settings->data                  = entry->data;
	settings->keyring               = entry->keyring;
	settings->master_key_command    = entry->master_command;
	settings->master_key_env        = entry->master_variable;
	settings->backup.directory      = entry->backup;
	settings->public_url            = entry->public_url;
	settings->admin_token_file      = NULL;
	settings->setup_token_file      = NULL;
	settings->audit.head_file       = NULL;
	settings->partitions            = entry->partition_count;
	settings->retention_ms          = entry->retention_ms;
	if (settings->journal_file_bytes > JOURNAL_FILE_BYTES)
		settings->journal_file_bytes = JOURNAL_FILE_BYTES;
	settings->threads            = THREADS;
	settings->jobs.threads       = JOB_THREADS;
	settings->memory_limit_bytes = entry_memory_bytes(entry);
	entry->settings              = derived;
}

static enum status check_visit(void *context, const char *session_id, int64_t now_ms,
                               struct error *err)
{
	const struct entry *entry = context;
	struct store       *store = workspace_store(entry->directory->home);
	return store->ops->visit_check(store, text_of(entry->id), text_of(session_id), now_ms, err);
}

static enum status check_person(void *context, const char *person_id, struct error *err)
{
	const struct entry *entry  = context;
	struct access      *home   = workspace_access(entry->directory->home);
	uint32_t            scopes = 0;
	enum status         status = people_scopes_now(home, text_of(person_id), &scopes, err);
	if (status == STATUS_OK && scopes == 0)
		return error_set(err, STATUS_NOT_FOUND, "The person may do nothing at home");
	return status;
}

struct entry *entry_new(struct directory *directory, const struct store_workspace_entry *row)
{
	const struct serve_settings *settings = directory->settings;
	struct entry                *entry    = calloc(1, sizeof *entry);
	assert(entry != NULL);
	entry->directory = directory;
	memcpy(entry->id, row->id, sizeof entry->id);
	snprintf(entry->code, sizeof entry->code, "%.*s", TEXT_FORMAT(row->code));
	snprintf(entry->slug, sizeof entry->slug, "%.*s", TEXT_FORMAT(row->slug));
	snprintf(entry->name, sizeof entry->name, "%.*s", TEXT_FORMAT(row->name));
	read_limits(row->limits, &entry->limits);
	entry->state           = state_of(row->state);
	entry->partition_count = row->partition_count;
	entry->retention_ms    = row->retention_ms;
	entry->version         = row->version;
	entry->created_ms      = row->created_ms;
	entry->updated_ms      = row->updated_ms;
	entry->due_ms          = row->due_ms;
	entry->data            = path_of(settings->data, entry->id);
	entry->keyring         = path_of(settings->keyring, entry->id);
	entry->backup          = path_of(settings->backup.directory, entry->id);
	entry->host            = (struct access_host){entry, check_visit, check_person};
	derive_master(entry);
	int length = asprintf(&entry->path_prefix, "/w/%s", entry->slug);
	if (length >= 0 && settings->public_url != NULL)
		length = asprintf(&entry->public_url, "%s%s", settings->public_url, entry->path_prefix);
	assert(length >= 0);
	return entry;
}

void entry_free(struct entry *entry)
{
	assert(entry->waiting.count == 0 && entry->workspace == NULL);
	VECTOR_DONE(&entry->waiting);
	free(entry->data);
	free(entry->keyring);
	free(entry->backup);
	free(entry->path_prefix);
	free(entry->public_url);
	free(entry->public_keys);
	free(entry->master_command);
	free(entry->master_variable);
	free(entry);
}

void entry_row(const struct entry *entry, struct arena *arena,
               struct store_workspace_entry *ret_row)
{
	struct buffer limits = {0};
	workspace_limits_write(&entry->limits, &limits);
	*ret_row = (struct store_workspace_entry){.code   = arena_text(arena, text_of(entry->code)),
	                                          .slug   = arena_text(arena, text_of(entry->slug)),
	                                          .name   = arena_text(arena, text_of(entry->name)),
	                                          .state  = text_of(entry_state_name(entry->state)),
	                                          .limits = arena_text(arena, buffer_text(&limits)),
	                                          .partition_count = entry->partition_count,
	                                          .retention_ms    = entry->retention_ms,
	                                          .version         = entry->version,
	                                          .created_ms      = entry->created_ms,
	                                          .updated_ms      = entry->updated_ms};
	memcpy(ret_row->id, entry->id, sizeof ret_row->id);
	buffer_done(&limits);
}
