#include "privacy/request.h"

static const char *const type_names[PRIVACY_TYPE_COUNT] = {
	[PRIVACY_SUPPRESS_ONLY]        = "SUPPRESS_ONLY",
	[PRIVACY_UNSUPPRESS]           = "UNSUPPRESS",
	[PRIVACY_DELETE_ONLY]          = "DELETE_ONLY",
	[PRIVACY_SUPPRESS_WITH_DELETE] = "SUPPRESS_WITH_DELETE",
	[PRIVACY_EXPORT]               = "EXPORT",
};

const char *privacy_type_name(enum privacy_type type) { return type_names[type]; }

bool privacy_type_of(struct text name, enum privacy_type *ret_type)
{
	for (unsigned i = 0; i < PRIVACY_TYPE_COUNT; i++)
		if (text_equal(name, text_of(type_names[i]))) {
			*ret_type = (enum privacy_type)i;
			return true;
		}
	return false;
}

enum status privacy_params_read(struct json params, struct privacy_params *ret_params,
                                struct error *err)
{
	struct json type = json_get(params, "type"), reason = json_get(params, "reason");
	struct json file = json_get(params, "file");
	*ret_params      = (struct privacy_params){0};
	if (json_type(type) != JSON_STRING || !privacy_type_of(json_string(type), &ret_params->type))
		return error_set_field(err, STATUS_INVALID, "params.type",
		                       "It is none of SUPPRESS_ONLY, UNSUPPRESS, DELETE_ONLY, "
		                       "SUPPRESS_WITH_DELETE, EXPORT");
	if (json_type(reason) == JSON_STRING)
		ret_params->reason = json_string(reason);
	if (ret_params->reason.length > PRIVACY_REASON_BYTES_MAX)
		return error_set_field(err, STATUS_INVALID, "params.reason", "It is longer than %d bytes",
		                       PRIVACY_REASON_BYTES_MAX);
	if (json_type(file) != JSON_BOOL)
		return error_set_field(err, STATUS_INVALID, "params.file",
		                       "a privacy request is made by POST /api/v1/privacy/requests");
	ret_params->file = json_bool(file);
	return STATUS_OK;
}

void privacy_counts_write(struct json_writer *w, const struct privacy_counts *counts)
{
	json_begin_object(w);
#define X(name) json_member_int(w, #name, (int64_t)counts->name);
	PRIVACY_COUNTS(X)
#undef X
	json_end_object(w);
}

static uint64_t number_of(struct json object, const char *name)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_INT && json_int(value) > 0 ? json_uint(value) : 0;
}

void privacy_counts_read(struct json counts, struct privacy_counts *ret_counts)
{
#define X(name) ret_counts->name = number_of(counts, #name);
	PRIVACY_COUNTS(X)
#undef X
}

void privacy_state_write(const struct privacy_state *state, struct buffer *out)
{
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_member_int(&w, "phase", state->phase);
	json_member_int(&w, "offset", (int64_t)state->offset);
	json_member_bool(&w, "begun", state->begun);
	json_member_int(&w, "doneMs", state->done_ms);
	json_add_key(&w, TEXT("counts"));
	privacy_counts_write(&w, &state->counts);
	json_end_object(&w);
}

enum status privacy_state_read(struct text text, struct privacy_state *ret_state, struct error *err)
{
	struct json_parser *parser = json_parser_new();
	struct json         root;
	*ret_state         = (struct privacy_state){0};
	enum status status = STATUS_OK;
	if (text.length > 0)
		status = json_parse_text(parser, text, &root, err);
	if (status == STATUS_OK && text.length > 0) {
		struct json begun  = json_get(root, "begun");
		ret_state->phase   = (enum privacy_phase)number_of(root, "phase");
		ret_state->offset  = number_of(root, "offset");
		ret_state->begun   = json_type(begun) == JSON_BOOL && json_bool(begun);
		ret_state->done_ms = (int64_t)number_of(root, "doneMs");
		privacy_counts_read(json_get(root, "counts"), &ret_state->counts);
	}
	json_parser_free(parser);
	return status;
}
