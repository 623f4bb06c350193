#include <string.h>

#include "http/proxy.h"
#include "http/server.h"

static const char *check_address(const void *member)
{
	const char *address;
	memcpy(&address, member, sizeof address);
	return http_address_is_valid(address) ? NULL : "must be an address such as 127.0.0.1:8080";
}

static const char *check_networks(const void *member)
{
	static _Thread_local struct error err;
	struct proxy_networks             networks;
	const char                       *text;
	memcpy(&text, member, sizeof text);
	return text == NULL || proxy_networks_parse(text_of(text), &networks, &err) == STATUS_OK
	           ? NULL
	           : err.reason;
}

static const char *check_header(const void *member)
{
	const char *text;
	memcpy(&text, member, sizeof text);
	return strcmp(text, "x-forwarded-for") == 0 || strcmp(text, "forwarded") == 0
	           ? NULL
	           : "must be x-forwarded-for or forwarded";
}

static const char *check_version(const void *member)
{
	const char *text;
	memcpy(&text, member, sizeof text);
	return strcmp(text, "1.3") == 0 || strcmp(text, "1.2") == 0 ? NULL : "must be 1.3 or 1.2";
}

static const char *check_optional_address(const void *member)
{
	const char *address;
	memcpy(&address, member, sizeof address);
	return address == NULL ? NULL : check_address(member);
}

static const struct setting table[] = {
	SETTING_STRING(struct http_settings, listen, "listen", "127.0.0.1:8080",
                   "Address to listen on; port 0 takes any free one", "HOST:PORT",
                   .check = check_address),
	SETTING_INT(struct http_settings, threads, "http-threads", "0", 0, 256,
                "Threads that serve connections; 0: one for each processor"),
	SETTING_BYTES(struct http_settings, body_bytes_max, "http-body-bytes-max", "4MiB", 1024,
                  INT64_C(1) << 30, "Largest body of a request, before and after decompression",
                  .live = true),
	SETTING_BYTES(struct http_settings, bodies_bytes_max, "http-bodies-bytes-max", "256MiB",
                  1 << 20, INT64_C(1) << 40,
                  "Memory for large bodies of all requests together; beyond it they get 503",
                  .live = true),
	SETTING_BYTES(struct http_settings, header_bytes_max, "http-header-bytes-max", "4KiB", 1024,
                  1 << 20, "Largest request line and headers together"),
	SETTING_INT(struct http_settings, connection_count_max, "http-connections-max", "16384", 1,
                1000000, "Connections at a time; more wait in the kernel's queue"),
	SETTING_INT(struct http_settings, address_connections_max, "http-connections-address-max",
                "1024", 0, 1000000,
                "Connections of one address (of IPv6 its first 64 bits) at a time; 0: any number. "
                "It holds for neither trusted proxies nor this machine itself"),
	SETTING_DURATION(struct http_settings, idle_timeout_ms, "http-idle-timeout", "75s", 1000,
                     86400000, "A connection on which nothing moves for so long is closed"),
	SETTING_DURATION(struct http_settings, request_timeout_ms, "http-request-timeout", "30s", 100,
                     86400000, "Time that a client has to send a request", .live = true),
	SETTING_BYTES(struct http_settings, send_rate_min, "http-send-rate-min", "16KiB", 0,
                  INT64_C(1) << 30,
                  "Bytes a second that a client has to take of an answer, once the request timeout "
                  "is over; 0: it may take as long as it likes"),
	SETTING_DURATION(struct http_settings, stop_timeout_ms, "http-stop-timeout", "10s", 0, 3600000,
                     "Time that requests in flight have to finish when the server stops",
                     .live = true),
	SETTING_DURATION(struct http_settings, stop_linger_ms, "http-stop-linger", "1s", 0, 60000,
                     "When another process goes on with the sockets: time from a connection's last "
                     "answer in which its next request is still served here",
                     .live = true),
	SETTING_INT(struct http_settings, websocket_queue_max, "websocket-queue-max", "256", 1, 1000000,
                "Messages that wait for one slow WebSocket reader", .live = true),
	SETTING_BYTES(struct http_settings, websocket_queue_bytes_max, "websocket-queue-bytes-max",
                  "1MiB", 1024, INT64_C(1) << 30,
                  "Bytes of the messages that wait for one slow WebSocket reader", .live = true),
	SETTING_DURATION(struct http_settings, websocket_ping_ms, "websocket-ping-interval", "30s", 20,
                     3600000,
                     "How often WebSockets are pinged; twice as long without a pong: closed"),
	SETTING_INT(struct http_settings, websocket_rate_max, "websocket-messages-max", "100", 0,
                1000000,
                "Messages a second from one WebSocket's client, ten times as many at once; beyond "
                "it is closed (1008). 0: any number"),
	SETTING_STRING(struct http_settings, trusted_proxies, "trusted-proxies", NULL,
                   "Networks of proxies that may say whom they speak for, such as "
                   "10.0.0.0/8,2001:db8::/32; from elsewhere such headers count for nothing",
                   "NETWORKS", .check = check_networks),
	SETTING_STRING(struct http_settings, proxy_header, "proxy-header", "x-forwarded-for",
                   "What trusted proxies write: x-forwarded-for (with -proto and -host) or "
                   "forwarded (RFC 7239); the other is not looked at",
                   "x-forwarded-for|forwarded", .check = check_header),
	SETTING_STRING(
		struct http_settings, tls_certificate, "tls-certificate", NULL,
		"File (PEM) with the server's certificate, then those in between; read anew when "
		"it changes. Absent: plain HTTP",
		"FILE"),
	SETTING_STRING(struct http_settings, tls_key, "tls-key", NULL,
                   "File (PEM) with the key of that certificate", "FILE"),
	SETTING_STRING(struct http_settings, tls_min_version, "tls-min-version", "1.3",
                   "Oldest version of TLS that is spoken", "1.3|1.2", .check = check_version),
	SETTING_BOOL(struct http_settings, insecure_listen, "insecure-listen",
                 "Listen in plain HTTP where other machines can reach it; without it that needs "
                 "TLS here, or proxies that are trusted"),
	SETTING_STRING(struct http_settings, service_listen, "service-listen", NULL,
                   "A further address, for services that show a certificate", "HOST:PORT",
                   .check = check_optional_address),
	SETTING_STRING(struct http_settings, tls_client_ca, "tls-client-ca", NULL,
                   "File (PEM) with who may sign those certificates", "FILE"),
	SETTING_STRING(struct http_settings, tls_client_crl, "tls-client-crl", NULL,
                   "File (PEM) with lists of those that were revoked; read anew when it changes",
                   "FILE"),
	SETTING_STRING(struct http_settings, tls_client_names, "tls-client-names", NULL,
                   "Names (DNS, URI, e-mail or common name) of which such a certificate must have "
                   "one; absent: any",
                   "NAME,…"),
};

struct settings http_settings_of(struct http_settings *target)
{
	return (struct settings){table, sizeof table / sizeof table[0], target};
}
