#include "http/smtp.h"

#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/hash.h"

enum { LINE_BYTES = 57, ENVELOPE_BYTES = SMTP_ADDRESS_BYTES_MAX + 3 };

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
	CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
	assert(result == CURLE_OK);
}

bool smtp_address_is_plain(struct text address)
{
	if (address.length == 0 || address.length > SMTP_ADDRESS_BYTES_MAX)
		return false;
	for (size_t i = 0; i < address.length; i++) {
		char c = address.data[i];
		if (c <= ' ' || c >= 0x7f || strchr("<>()[]\\,;:\"", c) != NULL)
			return false;
	}
	return memchr(address.data, '@', address.length) != NULL;
}

/* ---- The message ---- */

static void add_base64(struct buffer *out, const char *data, size_t length)
{
	size_t size = sodium_base64_ENCODED_LEN(length, sodium_base64_VARIANT_ORIGINAL);
	char  *at   = buffer_reserve(out, size);
	sodium_bin2base64(at, size, (const uint8_t *)data, length, sodium_base64_VARIANT_ORIGINAL);
	out->length += size - 1;
}

static void add_body(struct buffer *out, struct text text)
{
	for (size_t at = 0; at < text.length; at += LINE_BYTES) {
		size_t left = text.length - at;
		add_base64(out, text.data + at, left < LINE_BYTES ? left : LINE_BYTES);
		buffer_add_text(out, TEXT("\r\n"));
	}
}

/* As RFC 5322 writes it, whatever the locale. */
static void add_date(struct buffer *out, int64_t now_ms)
{
	static const char *const days[]   = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t                   seconds  = (time_t)(now_ms / 1000);
	struct tm                utc;
	gmtime_r(&seconds, &utc);
	buffer_printf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[utc.tm_wday],
	              utc.tm_mday, months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
	              utc.tm_sec);
}

static void write_message(const struct smtp_mail *mail, struct buffer *out)
{
	char id[UUID_TEXT_BYTES];
	uuid_new(id);
	add_date(out, mail->now_ms);
	buffer_printf(out,
	              "From: <%.*s>\r\nTo: <%.*s>\r\nMessage-ID: <%s@sonnim>\r\nSubject: =?UTF-8?B?",
	              TEXT_FORMAT(mail->from), TEXT_FORMAT(mail->to), id);
	add_base64(out, mail->subject.data, mail->subject.length);
	buffer_add_text(out, TEXT("?=\r\nMIME-Version: 1.0\r\n"
	                          "Content-Type: text/plain; charset=utf-8\r\n"
	                          "Content-Transfer-Encoding: base64\r\n"
	                          "Auto-Submitted: auto-generated\r\n\r\n"));
	add_body(out, mail->text);
}

/* ---- Sending ---- */

struct source {
	struct text left;
};

static size_t give(char *into, size_t size, size_t count, void *user)
{
	struct source *source = user;
	size_t         length = size * count < source->left.length ? size * count : source->left.length;
	memcpy(into, source->left.data, length);
	source->left.data += length;
	source->left.length -= length;
	return length;
}

static void envelope(struct text address, char into[ENVELOPE_BYTES])
{
	into[0] = '<';
	memcpy(into + 1, address.data, address.length);
	memcpy(into + 1 + address.length, ">", 2);
}

static CURLcode perform(const struct smtp_server *server, const struct smtp_mail *mail,
                        struct source *source)
{
	char               from[ENVELOPE_BYTES], to[ENVELOPE_BYTES];
	CURL              *curl = curl_easy_init();
	struct curl_slist *recipients;
	assert(curl != NULL);
	envelope(mail->from, from);
	envelope(mail->to, to);
	recipients = curl_slist_append(NULL, to);
	assert(recipients != NULL);
	curl_easy_setopt(curl, CURLOPT_URL, server->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)SMTP_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_USE_SSL,
	                 server->plain ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
	if (server->user != NULL && !server->plain) {
		curl_easy_setopt(curl, CURLOPT_USERNAME, server->user);
		curl_easy_setopt(curl, CURLOPT_PASSWORD, server->password);
	}
	curl_easy_setopt(curl, CURLOPT_MAIL_FROM, from);
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients);
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
	curl_easy_setopt(curl, CURLOPT_READDATA, source);
	CURLcode result = curl_easy_perform(curl);
	curl_slist_free_all(recipients);
	curl_easy_cleanup(curl);
	return result;
}

enum status smtp_send(const struct smtp_server *server, const struct smtp_mail *mail,
                      struct error *err)
{
	struct buffer message = {0};
	if (!smtp_address_is_plain(mail->from) || !smtp_address_is_plain(mail->to))
		return error_set(err, STATUS_INVALID, "The address cannot be mailed to");
	pthread_once(&curl_once, start_curl);
	write_message(mail, &message);
	struct source source = {buffer_text(&message)};
	CURLcode      result = perform(server, mail, &source);
	sodium_memzero(message.data, message.length); /* it may hold a token */
	buffer_done(&message);
	if (result != CURLE_OK) /* the server's own words may repeat the address */
		return error_set(err, STATUS_UNAVAILABLE, "The mail was not taken: %s",
		                 curl_easy_strerror(result));
	return STATUS_OK;
}
