#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/server_internal.h"

enum { LISTEN_BACKLOG = 4096, HOST_BYTES_MAX = 256 };

/* "[::1]:8080", "127.0.0.1:8080", ":8080" */
static bool split_address(const char *address, char host[HOST_BYTES_MAX], char port[8])
{
	const char *colon = strrchr(address, ':');
	if (!colon || strlen(colon + 1) > 5 || colon[1] == '\0' ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    strtoul(colon + 1, NULL, 10) > 65535)
		return false;

	size_t length = (size_t)(colon - address);
	if (length > 0 && address[0] == '[') {
		if (address[length - 1] != ']')
			return false;
		address++;
		length -= 2;
	} else if (memchr(address, ':', length)) {
		return false;
	}
	if (length >= HOST_BYTES_MAX)
		return false;
	memcpy(host, address, length);
	host[length] = '\0';
	memcpy(port, colon + 1, strlen(colon + 1) + 1);
	return true;
}

bool http_address_is_valid(const char *address)
{
	char host[HOST_BYTES_MAX];
	char port[8];
	return split_address(address, host, port);
}

/* Each loop has a socket of its own on the same address (SO_REUSEPORT), among which the kernel
 * spreads connections by a hash: on a shared one whichever loop is awake takes them all. Only the
 * first is bound without it, so that a second server on the address is an error. */
static int bind_to(const struct sockaddr *address, socklen_t length, bool first)
{
	int one  = 1;
	int zero = 0;
	int fd   = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, first ? &zero : &one, sizeof one);
	if (address->sa_family == AF_INET6) /* "[::]:8080" takes IPv4 as well */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	if (bind(fd, address, length) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0 &&
	    listen(fd, LISTEN_BACKLOG) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

int http_listen_again(const struct http_server *server)
{
	struct sockaddr_storage bound;
	socklen_t               length = sizeof bound;

	if (getsockname(server->loops[0].listen_fd, (struct sockaddr *)&bound, &length) != 0)
		return -1;
	return bind_to((struct sockaddr *)&bound, length, false);
}

void http_describe_bound(struct http_server *server)
{
	struct sockaddr_storage bound;
	socklen_t               length = sizeof bound;
	char                    host[INET6_ADDRSTRLEN];

	getsockname(server->listen_fd, (struct sockaddr *)&bound, &length);
	if (bound.ss_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&bound;
		inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
		server->port = ntohs(six->sin6_port);
		snprintf(server->address, sizeof server->address, "[%s]:%u", host, server->port);
	} else {
		const struct sockaddr_in *four = (const struct sockaddr_in *)&bound;
		inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
		server->port = ntohs(four->sin_port);
		snprintf(server->address, sizeof server->address, "%s:%u", host, server->port);
	}
}

enum status http_listen(struct http_server *server, const char *address, struct error *err)
{
	char             host[HOST_BYTES_MAX];
	char             port[8];
	struct addrinfo *found = NULL;
	struct addrinfo  hints = {
		 .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};

	if (!split_address(address, host, port))
		return error_set_field(err, STATUS_INVALID, "listen",
		                       "\"%s\" is not an address such as 127.0.0.1:8080", address);
	int result = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
	if (result != 0)
		return error_set_field(err, STATUS_INVALID, "listen", "cannot resolve \"%s\": %s", host,
		                       gai_strerror(result));

	int why           = 0;
	server->listen_fd = -1;
	for (struct addrinfo *at = found; at && server->listen_fd < 0; at = at->ai_next) {
		server->listen_fd = bind_to(at->ai_addr, at->ai_addrlen, true);
		why               = errno;
	}
	freeaddrinfo(found);
	if (server->listen_fd < 0)
		return error_set_errno(err, STATUS_IO, why, "cannot listen on %s", address);
	http_describe_bound(server);
	return STATUS_OK;
}

/* ---- Sockets that others have bound ---- */

bool http_socket_listens(int socket)
{
	int       family = 0, type = 0, listens = 0;
	socklen_t length = sizeof(int);
	return getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &length) == 0 &&
	       getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &length) == 0 &&
	       getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 &&
	       (family == AF_INET || family == AF_INET6) && type == SOCK_STREAM && listens != 0;
}

static bool same_address(const struct sockaddr_storage *bound, const struct sockaddr *wanted)
{
	if (bound->ss_family != wanted->sa_family)
		return false;
	if (wanted->sa_family == AF_INET6) {
		const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)bound;
		const struct sockaddr_in6 *b = (const struct sockaddr_in6 *)wanted;
		return memcmp(&a->sin6_addr, &b->sin6_addr, sizeof a->sin6_addr) == 0 &&
		       (b->sin6_port == 0 || a->sin6_port == b->sin6_port);
	}
	const struct sockaddr_in *a = (const struct sockaddr_in *)bound;
	const struct sockaddr_in *b = (const struct sockaddr_in *)wanted;
	return a->sin_addr.s_addr == b->sin_addr.s_addr &&
	       (b->sin_port == 0 || a->sin_port == b->sin_port);
}

bool http_socket_is_at(int socket, const char *address)
{
	char                    host[HOST_BYTES_MAX];
	char                    port[8];
	struct addrinfo        *found  = NULL;
	struct addrinfo         hints  = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct sockaddr_storage bound  = {0};
	socklen_t               length = sizeof bound;
	bool                    same   = false;

	if (!split_address(address, host, port) ||
	    getsockname(socket, (struct sockaddr *)&bound, &length) != 0 ||
	    getaddrinfo(host[0] ? host : NULL, port, &hints, &found) != 0)
		return false;
	for (const struct addrinfo *at = found; at && !same; at = at->ai_next)
		same = same_address(&bound, at->ai_addr);
	freeaddrinfo(found);
	return same;
}

/* ---- Who can connect ---- */

static bool is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET6) {
		const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
		return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
	}
	const struct sockaddr_in *four = (const struct sockaddr_in *)address;
	return address->sa_family == AF_INET && ntohl(four->sin_addr.s_addr) >> 24 == 127;
}

bool http_address_is_local(const char *address)
{
	char             host[HOST_BYTES_MAX];
	char             port[8];
	struct addrinfo *found = NULL;
	struct addrinfo  hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	bool             local = true;

	if (!split_address(address, host, port) ||
	    getaddrinfo(host[0] ? host : NULL, port, &hints, &found) != 0)
		return false;
	for (const struct addrinfo *at = found; at; at = at->ai_next)
		local &= is_loopback(at->ai_addr);
	freeaddrinfo(found);
	return local;
}

bool http_socket_is_local(int socket)
{
	struct sockaddr_storage bound  = {0};
	socklen_t               length = sizeof bound;
	return getsockname(socket, (struct sockaddr *)&bound, &length) == 0 &&
	       is_loopback((struct sockaddr *)&bound);
}
