#include "destination/s3.h"

#include <stdio.h>
#include <string.h>

enum { TIMEOUT_MS = 300000, CODE_BYTES = 64 };

/* ---- Addresses ---- */

void s3_key(const struct destination *destination, const char *name, struct buffer *out)
{
	buffer_printf(out, "%s%s", destination->prefix, name);
}

void s3_location(const struct destination *destination, const char *name, struct buffer *out)
{
	buffer_printf(out, "s3://%s/", destination->bucket);
	s3_key(destination, name, out);
}

/* RFC 3986: all but the unreserved characters. */
static void add_encoded(struct buffer *out, struct text text, bool keep_slashes)
{
	for (size_t i = 0; i < text.length; i++) {
		unsigned char byte  = (unsigned char)text.data[i];
		bool          plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
		             (byte >= '0' && byte <= '9') || strchr("-_.~", byte) != NULL;
		if (byte != '\0' && (plain || (keep_slashes && byte == '/')))
			buffer_add_u8(out, byte);
		else
			buffer_printf(out, "%%%02X", byte);
	}
}

/* NUL-ended. `query`: sorted, encoded, each parameter with a "="; empty: none. */
static void add_url(struct buffer *out, const struct destination *destination, struct text key,
                    const char *query)
{
	char        amazon[256];
	const char *endpoint = destination->endpoint;
	if (*endpoint == '\0') {
		snprintf(amazon, sizeof amazon, "https://s3.%s.amazonaws.com", destination->region);
		endpoint = amazon;
	}
	struct text host = text_of(strstr(endpoint, "://") + 3);
	while (host.length > 0 && host.data[host.length - 1] == '/')
		host.length--;
	int scheme = (int)(host.data - endpoint);
	if (destination->path_style)
		buffer_printf(out, "%.*s%.*s/%s/", scheme, endpoint, TEXT_FORMAT(host),
		              destination->bucket);
	else
		buffer_printf(out, "%.*s%s.%.*s/", scheme, endpoint, destination->bucket,
		              TEXT_FORMAT(host));
	add_encoded(out, key, true);
	if (*query != '\0')
		buffer_printf(out, "?%s", query);
	buffer_add_u8(out, '\0');
}

/* ---- Answers ---- */

/* What stands in the first <name>…</name>; empty: there is none. The answers are flat. */
static struct text element(struct text xml, const char *name)
{
	char open[CODE_BYTES], close[CODE_BYTES];
	snprintf(open, sizeof open, "<%s>", name);
	snprintf(close, sizeof close, "</%s>", name);
	const char *begin = xml.length == 0 ? NULL : memmem(xml.data, xml.length, open, strlen(open));
	if (begin == NULL)
		return TEXT("");
	begin += strlen(open);
	const char *end = memmem(begin, xml.length - (size_t)(begin - xml.data), close, strlen(close));
	return end == NULL ? TEXT("") : (struct text){begin, (size_t)(end - begin)};
}

static void keep_code(struct text code, char into[CODE_BYTES])
{
	size_t length = 0;
	for (; length < code.length && length < CODE_BYTES - 1; length++) {
		char byte = code.data[length];
		if (!((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')))
			break;
		into[length] = byte;
	}
	into[length] = '\0';
}

static enum status judge(const struct destination          *destination,
                         const struct http_client_response *response, struct error *err)
{
	char        code[CODE_BYTES];
	struct text body = buffer_text(&response->body);
	keep_code(element(body, "Code"), code);
	if (response->status / 100 == 2) {
		/* Completing may fail behind a 200. */
		if (memmem(body.data == NULL ? "" : body.data, body.length, "<Error>", 7) == NULL)
			return STATUS_OK;
		return error_set(err, STATUS_UNAVAILABLE, "destination %s: %s", destination->name, code);
	}
	return error_set(err, destination_judge(response->status),
	                 "destination %s: the bucket answers %u %s", destination->name,
	                 response->status, code);
}

/* ---- Requests ---- */

static enum status send_request(struct http_client *client, const struct destination *destination,
                                const char *method, struct text key, const char *query,
                                const char *content_type, struct text body,
                                struct http_client_response *response, struct error *err)
{
	struct buffer url = {0};
	add_url(&url, destination, key, query);
	const struct http_client_signature signature = {
		destination->region, "s3", destination->access_key_id, destination->secret_access_key};
	const struct http_header         header  = {TEXT("Content-Type"),
	                                            text_of(content_type == NULL ? "" : content_type)};
	const struct http_client_request request = {.method       = method,
	                                            .url          = url.data,
	                                            .headers      = &header,
	                                            .header_count = content_type != NULL,
	                                            .body         = body,
	                                            .timeout_ms   = TIMEOUT_MS,
	                                            .signature    = &signature};
	enum status                      status  = http_client_send(client, &request, response, err);
	buffer_done(&url);
	return status == STATUS_OK ? judge(destination, response, err) : status;
}

enum status s3_put(struct http_client *client, const struct destination *destination,
                   struct text key, const char *content_type, struct text body, struct error *err)
{
	struct http_client_response response = {0};
	enum status                 status =
		send_request(client, destination, "PUT", key, "", content_type, body, &response, err);
	http_client_response_done(&response);
	return status;
}

enum status s3_begin(struct http_client *client, const struct destination *destination,
                     struct text key, const char *content_type, char ret_upload[S3_UPLOAD_ID_BYTES],
                     struct error *err)
{
	struct http_client_response response = {0};
	enum status status = send_request(client, destination, "POST", key, "uploads=", content_type,
	                                  TEXT(""), &response, err);
	if (status == STATUS_OK) {
		struct text id = element(buffer_text(&response.body), "UploadId");
		if (id.length == 0 || id.length >= S3_UPLOAD_ID_BYTES)
			status = error_set(err, STATUS_INVALID, "destination %s: the bucket names no upload",
			                   destination->name);
		else
			snprintf(ret_upload, S3_UPLOAD_ID_BYTES, "%.*s", TEXT_FORMAT(id));
	}
	http_client_response_done(&response);
	return status;
}

static void add_upload(struct buffer *query, const char *upload)
{
	buffer_add_text(query, TEXT("uploadId="));
	add_encoded(query, text_of(upload), false);
	buffer_add_u8(query, '\0');
}

enum status s3_part(struct http_client *client, const struct destination *destination,
                    struct text key, const char *upload, unsigned number, struct text body,
                    char ret_etag[S3_ETAG_BYTES], struct error *err)
{
	struct http_client_response response = {0};
	struct buffer               query    = {0};
	struct text                 etag;
	buffer_printf(&query, "partNumber=%u&", number);
	add_upload(&query, upload);
	enum status status =
		send_request(client, destination, "PUT", key, query.data, NULL, body, &response, err);
	if (status == STATUS_OK) {
		if (!http_client_header(&response, "ETag", &etag) || etag.length >= S3_ETAG_BYTES)
			status = error_set(err, STATUS_INVALID, "destination %s: a part has no ETag",
			                   destination->name);
		else
			snprintf(ret_etag, S3_ETAG_BYTES, "%.*s", TEXT_FORMAT(etag));
	}
	buffer_done(&query);
	http_client_response_done(&response);
	return status;
}

static void add_parts(struct buffer *xml, const char (*etags)[S3_ETAG_BYTES], unsigned count)
{
	buffer_add_text(xml, TEXT("<CompleteMultipartUpload>"));
	for (unsigned i = 0; i < count; i++) {
		buffer_printf(xml, "<Part><PartNumber>%u</PartNumber><ETag>", i + 1);
		for (const char *at = etags[i]; *at != '\0'; at++) {
			if (*at == '"')
				buffer_add_text(xml, TEXT("&quot;"));
			else if (*at != '<' && *at != '&')
				buffer_add_u8(xml, (uint8_t)*at);
		}
		buffer_add_text(xml, TEXT("</ETag></Part>"));
	}
	buffer_add_text(xml, TEXT("</CompleteMultipartUpload>"));
}

enum status s3_complete(struct http_client *client, const struct destination *destination,
                        struct text key, const char *upload, const char (*etags)[S3_ETAG_BYTES],
                        unsigned count, struct error *err)
{
	struct http_client_response response = {0};
	struct buffer               query = {0}, xml = {0};
	add_upload(&query, upload);
	add_parts(&xml, etags, count);
	enum status status = send_request(client, destination, "POST", key, query.data,
	                                  "application/xml", buffer_text(&xml), &response, err);
	buffer_done(&xml);
	buffer_done(&query);
	http_client_response_done(&response);
	return status;
}

enum status s3_abort(struct http_client *client, const struct destination *destination,
                     struct text key, const char *upload, struct error *err)
{
	struct http_client_response response = {0};
	struct buffer               query    = {0};
	add_upload(&query, upload);
	enum status status = send_request(client, destination, "DELETE", key, query.data, NULL,
	                                  TEXT(""), &response, err);
	buffer_done(&query);
	http_client_response_done(&response);
	return status;
}
