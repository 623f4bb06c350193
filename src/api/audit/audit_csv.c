#include "api/audit/audit_api.h"
#include "base/csv.h"

static const char *const fields[] = {
	"seq",      "timestamp", "user_id", "action", "target",  "status",  "outcome", "result_size",
	"personal", "ip",        "traceId", "call",   "filters", "details", "prev",    "hash"};

enum { FIELD_COUNT = sizeof fields / sizeof fields[0] };

void audit_csv_head(struct buffer *out)
{
	for (unsigned i = 0; i < FIELD_COUNT; i++)
		buffer_printf(out, "%s%s", i == 0 ? "" : ",", fields[i]);
	buffer_printf(out, "\r\n");
}

void audit_csv_row(struct json record, struct buffer *out)
{
	struct buffer cell = {0};
	for (unsigned i = 0; i < FIELD_COUNT; i++) {
		struct json value = json_get(record, fields[i]);
		buffer_clear(&cell);
		if (i > 0)
			buffer_add(out, ",", 1);
		if (json_type(value) == JSON_STRING) {
			csv_add_text(out, json_string(value));
		} else if (json_type(value) > JSON_NULL) {
			struct json_writer w = json_writer_of(&cell);
			json_add_value(&w, value);
			csv_add_field(out, buffer_text(&cell));
		}
	}
	buffer_printf(out, "\r\n");
	buffer_done(&cell);
}
