#include "destination/marketing_platform.h"

#include <stdio.h>
#include <string.h>

static void write_body(const struct marketing_import *import, struct buffer *out)
{
	struct json_writer writer = json_writer_of(out);
	json_begin_object(&writer);
	json_member_string(&writer, "segmentName", import->segment_name);
	json_member_int(&writer, "users", (int64_t)import->users);
	json_member_string(&writer, "source", import->source);
	json_member_string(&writer, "exportId", text_of(import->export_id));
	json_end_object(&writer);
}

static bool take_id(struct json value, char into[MARKETING_SEGMENT_BYTES])
{
	if (json_type(value) == JSON_STRING) {
		struct text id = json_string(value);
		if (id.length == 0 || id.length >= MARKETING_SEGMENT_BYTES)
			return false;
		snprintf(into, MARKETING_SEGMENT_BYTES, "%.*s", TEXT_FORMAT(id));
		return true;
	}
	if (json_type(value) != JSON_INT)
		return false;
	snprintf(into, MARKETING_SEGMENT_BYTES, "%lld", (long long)json_int(value));
	return true;
}

static enum status read_segment(const struct destination *destination, struct text body,
                                char ret_segment[MARKETING_SEGMENT_BYTES], struct error *err)
{
	static const char *const names[] = {"segmentId", "segment_id", "marketing_segment_id", "id"};
	struct json_parser      *parser  = json_parser_new();
	struct json              answer;
	struct error             unread;
	bool                     found = false;
	if (json_parse_text(parser, body, &answer, &unread) == STATUS_OK &&
	    json_type(answer) == JSON_OBJECT)
		for (unsigned i = 0; i < sizeof names / sizeof names[0] && !found; i++)
			found = take_id(json_get(answer, names[i]), ret_segment);
	json_parser_free(parser);
	if (found)
		return STATUS_OK;
	return error_set(err, STATUS_INVALID, "destination %s: the answer names no segment",
	                 destination->name);
}

static enum status judge(const struct destination *destination, unsigned http, struct error *err)
{
	enum status status = destination_judge(http);
	if (status == STATUS_OK)
		return STATUS_OK;
	return error_set(err, status, "destination %s: the platform answers %u", destination->name,
	                 http);
}

enum status marketing_platform_import(struct http_client            *client,
                                      const struct destination      *destination,
                                      const struct marketing_import *import,
                                      char ret_segment[MARKETING_SEGMENT_BYTES], struct error *err)
{
	struct http_client_response response = {0};
	struct buffer               url = {0}, body = {0}, bearer = {0};
	struct http_header          headers[3] = {
				 {TEXT("Content-Type"), TEXT("application/json")},
				 {TEXT("Idempotency-Key"), text_of(import->export_id)},
    };
	size_t header_count = 2;
	size_t length       = strlen(destination->url);
	while (length > 0 && destination->url[length - 1] == '/')
		length--;
	buffer_printf(&url, "%.*s/segments/import", (int)length, destination->url);
	buffer_add_u8(&url, '\0');
	write_body(import, &body);
	if (*destination->token != '\0') {
		buffer_printf(&bearer, "Bearer %s", destination->token);
		headers[header_count++] = (struct http_header){TEXT("Authorization"), buffer_text(&bearer)};
	}
	const struct http_client_request request = {.method       = "POST",
	                                            .url          = url.data,
	                                            .headers      = headers,
	                                            .header_count = header_count,
	                                            .body         = buffer_text(&body)};
	enum status                      status  = http_client_send(client, &request, &response, err);
	if (status == STATUS_OK)
		status = judge(destination, response.status, err);
	if (status == STATUS_OK)
		status = read_segment(destination, buffer_text(&response.body), ret_segment, err);
	if (bearer.length > 0)
		explicit_bzero(bearer.data, bearer.length);
	buffer_done(&bearer);
	buffer_done(&body);
	buffer_done(&url);
	http_client_response_done(&response);
	return status;
}
