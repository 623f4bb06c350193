#include "transfer/export/export_params.h"

#include <stdio.h>

#include "model/consent.h"

const char *const export_format_names[2]      = {"jsonl", "csv"};
const char *const export_compression_names[3] = {"none", "gzip", "zstd"};
const char *const export_compression_ends[3]  = {"", ".gz", ".zst"};

enum status export_refuse(struct error *err, const char *field, const char *reason)
{
	return error_set_field(err, STATUS_INVALID, field, "%s", reason);
}

bool export_read_word(struct json value, const char *const *words, unsigned count,
                      unsigned *ret_which)
{
	for (unsigned i = 0; i < count && json_type(value) == JSON_STRING; i++)
		if (text_equal(json_string(value), text_of(words[i]))) {
			*ret_which = i;
			return true;
		}
	return false;
}

enum status export_read_consent(struct json params, struct text *ret_consent, struct error *err)
{
	struct json    value = json_get(params, "consent");
	struct consent consent;
	struct arena   arena;
	*ret_consent = TEXT("");
	if (json_type(value) == JSON_NONE)
		return STATUS_OK;
	arena_init(&arena);
	bool valid =
		json_type(value) == JSON_STRING && consent_read(json_string(value), &arena, &consent);
	arena_done(&arena);
	if (!valid)
		return export_refuse(err, "params.consent",
		                     "It is a purpose, or a purpose and a channel: \"marketing.email\"");
	*ret_consent = json_string(value);
	return STATUS_OK;
}

uint64_t export_number(struct json object, const char *name)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_INT && json_int(value) >= 0 ? json_uint(value) : 0;
}

void export_copy_text(char *into, size_t size, struct json value)
{
	struct text text = json_type(value) == JSON_STRING ? json_string(value) : TEXT("");
	snprintf(into, size, "%.*s", TEXT_FORMAT(text));
}

void export_name_on_disk(const char *name, bool masked, char *into, size_t size)
{
	snprintf(into, size, "%s%s", masked ? "" : ".", name);
}
