#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <strings.h>

#include "http/websocket_internal.h"

enum { KEY_BYTES = 24 /* base64 of 16 bytes */ };

static bool has_token(const struct http_request *request, const char *name, const char *token)
{
	struct text value;
	size_t      length = strlen(token);

	if (!http_header(request, name, &value))
		return false;
	for (size_t i = 0; i + length <= value.length; i++) {
		bool   begins = i == 0 || strchr(", \t", value.data[i - 1]);
		size_t end    = i + length;
		bool   ends   = end == value.length || strchr(", \t", value.data[end]);
		if (begins && ends && strncasecmp(value.data + i, token, length) == 0)
			return true;
	}
	return false;
}

bool websocket_requested(const struct http_request *request)
{
	return has_token(request, "Upgrade", "websocket");
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool websocket_offer_at(const struct http_request *request, unsigned index, struct text *ret_name)
{
	struct text value;

	if (!http_header(request, "Sec-WebSocket-Protocol", &value))
		return false;
	const char *at  = value.data;
	const char *end = at + value.length;
	for (;; index--) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *last  = comma ? comma : end;
		if (index == 0) {
			while (at < last && is_blank(*at))
				at++;
			while (last > at && is_blank(last[-1]))
				last--;
			*ret_name = (struct text){at, (size_t)(last - at)};
			return last > at;
		}
		if (!comma)
			return false;
		at = comma + 1;
	}
}

/* RFC 6455, section 4.2.2, item 5.4. */
static void write_accept(struct text key, char accept[WEBSOCKET_ACCEPT_BYTES + 1])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char              input[KEY_BYTES + sizeof guid - 1];
	unsigned char     digest[EVP_MAX_MD_SIZE];

	memcpy(input, key.data, KEY_BYTES);
	memcpy(input + KEY_BYTES, guid, sizeof guid - 1);
	int result = EVP_Digest(input, sizeof input, digest, NULL, EVP_sha1(), NULL);
	assert(result == 1);
	(void)result;
	EVP_EncodeBlock((unsigned char *)accept, digest, 20);
}

static bool is_base64(struct text key)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	if (key.length != KEY_BYTES || memcmp(key.data + 22, "==", 2) != 0)
		return false;
	for (size_t i = 0; i < 22; i++)
		if (!key.data[i] || !strchr(digits, key.data[i]))
			return false;
	return true;
}

static bool refuse(struct http_request *request, unsigned http_status, const char *reason)
{
	struct error err = {0};

	error_set(&err, STATUS_INVALID, "%s", reason);
	if (http_status == 426) {
		http_add_header(request, "Upgrade", TEXT("websocket"));
		http_add_header(request, "Sec-WebSocket-Version", TEXT("13"));
	}
	http_respond_error(request, http_status, &err);
	return false;
}

static struct websocket *new_socket(struct http_request            *request,
                                    const struct websocket_options *options, struct text key)
{
	struct websocket *socket = calloc(1, sizeof *socket);
	assert(socket);

	socket->references = 1;
	socket->loop       = request->loop;
	socket->loop_index = request->loop->index;
	socket->options    = *options;
	socket->fd         = -1;
	socket->post.run   = websocket_flush;
	socket->queue_end  = &socket->queue;
	memcpy(socket->trace_id, request->trace.id, sizeof socket->trace_id);
	write_accept(key, socket->accept);
	pthread_mutex_init(&socket->lock, NULL);
	return socket;
}

bool websocket_accept(struct http_request *request, const struct websocket_options *options)
{
	struct text key, version;

	assert(options->on_close);
	if (!websocket_requested(request))
		return refuse(request, 426, "this path speaks WebSocket only");
	if (!text_equal(request->method, TEXT("GET")) || !request->http_1_1 ||
	    !has_token(request, "Connection", "upgrade") || request->body_length > 0)
		return refuse(request, 400, "this is no valid WebSocket handshake");
	if (!http_header(request, "Sec-WebSocket-Version", &version) ||
	    !text_equal(version, TEXT("13")))
		return refuse(request, 426, "only version 13 of WebSocket is supported");
	if (!http_header(request, "Sec-WebSocket-Key", &key) || !is_base64(key))
		return refuse(request, 400, "Sec-WebSocket-Key is missing or not valid");

	request->socket = new_socket(request, options, key);
	if (options->subprotocol)
		http_add_header(request, "Sec-WebSocket-Protocol", text_of(options->subprotocol));
	http_answer_ready(request, 101);
	return true;
}
