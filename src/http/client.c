#include "http/client.h"

#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/hash.h"

enum { CONNECT_TIMEOUT_MS = 5000, TIMEOUT_MS = 60000, SIGNATURE_BYTES_MAX = 128 };

struct http_client {
	CURL *curl;
	char  why[CURL_ERROR_SIZE];
};

static void start_library(void)
{
	CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
	assert(result == CURLE_OK);
	(void)result;
}

struct http_client *http_client_new(void)
{
	static pthread_once_t once   = PTHREAD_ONCE_INIT;
	struct http_client   *client = calloc(1, sizeof *client);

	pthread_once(&once, start_library);
	assert(client);
	client->curl = curl_easy_init();
	assert(client->curl);
	return client;
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	curl_easy_cleanup(client->curl);
	free(client);
}

static size_t bytes_max(const struct http_client_request *request)
{
	return request->body_bytes_max > 0 ? request->body_bytes_max : HTTP_CLIENT_BODY_BYTES_MAX;
}

struct sink {
	struct buffer *body;
	size_t         bytes_max;
};

static size_t take_body(char *data, size_t size, size_t count, void *user)
{
	struct sink *sink = user;

	if (sink->body->length + size * count > sink->bytes_max)
		return 0;
	buffer_add(sink->body, data, size * count);
	return size * count;
}

static size_t give_body(char *into, size_t size, size_t count, void *user)
{
	const struct http_client_request *request = user;
	size_t                            length;
	return request->read(request->read_context, into, size * count, &length) ? length
	                                                                         : CURL_READFUNC_ABORT;
}

static size_t take_header(char *data, size_t size, size_t count, void *user)
{
	struct buffer *headers = user;

	/* A new status line: what came before belonged to a 100 Continue. */
	if (size * count > 5 && memcmp(data, "HTTP/", 5) == 0)
		buffer_clear(headers);
	else
		buffer_add(headers, data, size * count);
	return size * count;
}

/* libcurl takes the body's hash from this header; older ones do not make it themselves. */
static struct curl_slist *add_body_hash(struct curl_slist                *list,
                                        const struct http_client_request *request)
{
	uint8_t digest[SHA256_BYTES];
	char    line[SIGNATURE_BYTES_MAX] = "x-amz-content-sha256: ";
	hash_sha256(request->body.data, request->body.length, digest);
	hash_hex(digest, sizeof digest, line + strlen(line));
	return curl_slist_append(list, line);
}

static struct curl_slist *header_list(const struct http_client_request *request)
{
	struct curl_slist *list = NULL;
	struct buffer      line = {0};

	for (size_t i = 0; i < request->header_count; i++) {
		buffer_clear(&line);
		/* curl's form for an empty value is a semicolon. */
		if (request->headers[i].value.length == 0)
			buffer_printf(&line, "%.*s;", TEXT_FORMAT(request->headers[i].name));
		else
			buffer_printf(&line, "%.*s: %.*s", TEXT_FORMAT(request->headers[i].name),
			              TEXT_FORMAT(request->headers[i].value));
		buffer_add_u8(&line, 0);
		list = curl_slist_append(list, line.data);
		assert(list);
	}
	buffer_done(&line);
	if (request->signature != NULL)
		list = add_body_hash(list, request);
	/* No round trip before bodies, but before one that may be very large. Not where it is signed: a
	 * header that is left out would be signed too. */
	if (request->signature == NULL)
		list = curl_slist_append(list, request->read ? "Transfer-Encoding: chunked" : "Expect:");
	assert(list);
	if (request->read)
		list = curl_slist_append(list, "Expect: 100-continue");
	assert(list);
	return list;
}

static void sign(CURL *curl, const struct http_client_signature *signature)
{
	char provider[SIGNATURE_BYTES_MAX];
	snprintf(provider, sizeof provider, "aws:amz:%s:%s", signature->region, signature->service);
	curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, provider);
	curl_easy_setopt(curl, CURLOPT_USERNAME, signature->key_id);
	curl_easy_setopt(curl, CURLOPT_PASSWORD, signature->secret);
}

static const char *method_of(const struct http_client_request *request)
{
	if (request->method != NULL)
		return request->method;
	return request->body.length > 0 || request->read ? "POST" : "GET";
}

static void prepare(struct http_client *client, const struct http_client_request *request,
                    struct http_client_response *response, struct sink *sink,
                    struct curl_slist *headers)
{
	CURL       *curl   = client->curl;
	const char *method = method_of(request);
	int64_t     connect_ms =
        request->connect_timeout_ms ? request->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	int64_t total_ms = request->timeout_ms ? request->timeout_ms : TIMEOUT_MS;

	curl_easy_reset(curl); /* keeps connections */
	curl_easy_setopt(curl, CURLOPT_URL, request->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	if (request->ca != NULL)
		curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "127.0.0.1,localhost,::1");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->why);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)total_ms);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, sink);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, &response->headers);
	if (strcmp(method, "HEAD") == 0) {
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	} else if (request->read) {
		curl_easy_setopt(curl, CURLOPT_POST, 1L);
		curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_body);
		curl_easy_setopt(curl, CURLOPT_READDATA, (void *)request);
	} else if (request->body.length > 0 || strcmp(method, "POST") == 0 ||
	           strcmp(method, "PUT") == 0) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
		                 request->body.length > 0 ? request->body.data : "");
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	if (request->signature != NULL)
		sign(curl, request->signature);
}

/* Whether a request that did not come to its end may have been carried out all the same. */
static bool may_be_done(const struct http_client_request *request)
{
	const char *method = method_of(request);
	return strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0;
}

static enum status explain(const struct http_client *client, CURLcode result,
                           const struct http_client_request *request, struct error *err)
{
	const char *url   = request->url;
	const char *why   = client->why[0] ? client->why : curl_easy_strerror(result);
	const char *begin = strstr(url, "://");
	begin             = begin ? begin + 3 : url;
	/* Only the host and port: the rest may hold keys and passwords. */
	int         length = (int)strcspn(begin, "/?#");
	const char *at     = memchr(begin, '@', (size_t)length);
	if (at) {
		length -= (int)(at + 1 - begin);
		begin = at + 1;
	}

	switch (result) {
	case CURLE_OPERATION_TIMEDOUT:
		return error_set(err, STATUS_TIMEOUT, "%.*s: %s", length, begin, why);
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return error_set(err, STATUS_INVALID, "%.*s: %s", length, begin, why);
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return error_set(err, STATUS_UNAVAILABLE,
		                 "%.*s: the connection ended amidst the request%s: %s", length, begin,
		                 may_be_done(request) ? ", which may have been carried out" : "", why);
	case CURLE_ABORTED_BY_CALLBACK:
		return error_set(err, STATUS_IO, "%.*s: what was to be sent cannot be read", length, begin);
	case CURLE_WRITE_ERROR:
		return error_set(err, STATUS_TOO_LARGE, "%.*s: the answer is larger than %zu bytes", length,
		                 begin, bytes_max(request));
	default:
		return error_set(err, STATUS_UNAVAILABLE, "%.*s: %s", length, begin, why);
	}
}

enum status http_client_send(struct http_client *client, const struct http_client_request *request,
                             struct http_client_response *response, struct error *err)
{
	struct curl_slist *headers = header_list(request);
	long               status  = 0;

	buffer_clear(&response->headers);
	buffer_clear(&response->body);
	response->status = 0;
	client->why[0]   = '\0';
	struct sink sink = {&response->body, bytes_max(request)};
	prepare(client, request, response, &sink, headers);
	CURLcode result = curl_easy_perform(client->curl);
	curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	if (result != CURLE_OK)
		return explain(client, result, request, err);
	curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
	response->status = (unsigned)status;
	return STATUS_OK;
}

bool http_client_header(const struct http_client_response *response, const char *name,
                        struct text *ret_value)
{
	size_t      length = strlen(name);
	const char *at     = response->headers.data;
	const char *end    = at + response->headers.length;

	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		if (!line_end)
			return false;
		if ((size_t)(line_end - at) > length && at[length] == ':' &&
		    strncasecmp(at, name, length) == 0) {
			const char *value = at + length + 1;
			while (value < line_end && (*value == ' ' || *value == '\t'))
				value++;
			const char *last = line_end;
			while (last > value && (last[-1] == '\r' || last[-1] == ' '))
				last--;
			*ret_value = (struct text){value, (size_t)(last - value)};
			return true;
		}
		at = line_end + 1;
	}
	return false;
}

void http_client_response_done(struct http_client_response *response)
{
	buffer_done(&response->headers);
	buffer_done(&response->body);
}
