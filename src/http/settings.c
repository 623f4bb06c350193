#include <string.h>

#include "http/server.h"

static const char *check_address(const void *member)
{
	const char *address;
	memcpy(&address, member, sizeof address);
	return http_address_is_valid(address) ? NULL : "must be an address such as 127.0.0.1:8080";
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
	SETTING_DURATION(struct http_settings, idle_timeout_ms, "http-idle-timeout", "75s", 1000,
                     86400000, "A connection on which nothing moves for so long is closed"),
	SETTING_DURATION(struct http_settings, request_timeout_ms, "http-request-timeout", "30s", 100,
                     86400000, "Time that a client has to send a request", .live = true),
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
};

struct settings http_settings_of(struct http_settings *target)
{
	return (struct settings){table, sizeof table / sizeof table[0], target};
}
