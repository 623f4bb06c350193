#include "app/process/handover.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

enum {
	MAGIC_BYTES       = 8,
	SOCKETS_A_MESSAGE = 64,
	ANSWER_MS_MAX     = 5000,   /* for the one who asks to say "taken" */
	OFFER_MS_MAX      = 300000, /* for the old one, which may still replay, to answer */
	END_MS_MAX        = 300000, /* for the old one to end */
};

static const char name[]             = "handover.sock";
static const char magic[MAGIC_BYTES] = {'s', 'o', 'n', 'n', 'i', 'm', 0, 1};

struct header {
	char     magic[MAGIC_BYTES];
	uint32_t socket_count;
};

struct handover {
	int door;
	int directory;
	int heir; /* who has taken the sockets; -1: nobody */
};

/* The path of a Unix socket may be shorter than that of the data: by way of its descriptor. */
static struct sockaddr_un address_in(int directory)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory, name);
	return address;
}

static int open_directory(const char *data)
{
	return open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void limit_waiting(int fd, int64_t ms)
{
	const struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* ---- The old one ---- */

enum status handover_open(const char *data, struct handover **ret_handover, struct error *err)
{
	struct handover *handover = calloc(1, sizeof *handover);
	assert(handover != NULL);
	handover->heir             = -1;
	handover->directory        = open_directory(data);
	handover->door             = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = address_in(handover->directory);
	if (handover->directory >= 0 && handover->door >= 0) {
		(void)unlinkat(handover->directory, name, 0);
		if (bind(handover->door, (struct sockaddr *)&address, sizeof address) == 0 &&
		    listen(handover->door, 1) == 0) {
			*ret_handover = handover;
			return STATUS_OK;
		}
	}
	enum status status = file_error(err, errno, "open the socket for a successor in", data);
	handover_close(handover);
	return status;
}

int handover_fd(const struct handover *handover) { return handover->door; }

static bool is_ours(int fd)
{
	struct ucred peer;
	socklen_t    length = sizeof peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

static bool send_some(int fd, const int *sockets, size_t count)
{
	union {
		struct cmsghdr aligned;
		char           bytes[CMSG_SPACE(SOCKETS_A_MESSAGE * sizeof(int))];
	} control               = {0};
	char            byte    = (char)count;
	struct iovec    data    = {&byte, 1};
	struct msghdr   message = {.msg_iov        = &data,
	                           .msg_iovlen     = 1,
	                           .msg_control    = control.bytes,
	                           .msg_controllen = CMSG_SPACE(count * sizeof(int))};
	struct cmsghdr *first   = CMSG_FIRSTHDR(&message);
	first->cmsg_level       = SOL_SOCKET;
	first->cmsg_type        = SCM_RIGHTS;
	first->cmsg_len         = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(first), sockets, count * sizeof(int));
	return sendmsg(fd, &message, MSG_NOSIGNAL) == 1;
}

static bool offer(int fd, const struct sockets *sockets)
{
	struct header header = {.socket_count = (uint32_t)sockets->count};
	memcpy(header.magic, magic, sizeof magic);
	if (send(fd, &header, sizeof header, MSG_NOSIGNAL) != (ssize_t)sizeof header)
		return false;
	for (size_t at = 0; at < sockets->count; at += SOCKETS_A_MESSAGE) {
		size_t left = sockets->count - at;
		if (!send_some(fd, sockets->fds + at, left < SOCKETS_A_MESSAGE ? left : SOCKETS_A_MESSAGE))
			return false;
	}
	char taken;
	return recv(fd, &taken, 1, 0) == 1;
}

bool handover_give(struct handover *handover, struct sockets *sockets)
{
	int fd = accept4(handover->door, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0 && sockets->count > 0 && is_ours(fd)) {
		limit_waiting(fd, ANSWER_MS_MAX);
		if (offer(fd, sockets)) {
			handover->heir = fd;
			fd             = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	sockets_close(sockets);
	return handover->heir >= 0;
}

void handover_shut(struct handover *handover)
{
	if (handover->door < 0)
		return;
	(void)unlinkat(handover->directory, name, 0);
	close(handover->door);
	handover->door = -1;
}

void handover_close(struct handover *handover)
{
	if (handover == NULL)
		return;
	handover_shut(handover);
	if (handover->directory >= 0)
		close(handover->directory);
	if (handover->heir >= 0)
		close(handover->heir);
	free(handover);
}

/* ---- The new one ---- */

static enum status ask(const char *data, int *ret_fd, struct error *err)
{
	int directory = open_directory(data);
	if (directory < 0)
		return error_set(err, STATUS_NOT_FOUND, "there is no server on %s", data);
	struct sockaddr_un address = address_in(directory);
	int                fd      = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool connected = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
	int  why       = errno;
	close(directory);
	if (connected) {
		*ret_fd = fd;
		return STATUS_OK;
	}
	if (fd >= 0)
		close(fd);
	if (why == ENOENT || why == ECONNREFUSED)
		return error_set(err, STATUS_NOT_FOUND, "there is no server on %s", data);
	return file_error(err, why, "ask the server on", data);
}

static bool receive_some(int fd, struct sockets *sockets)
{
	union {
		struct cmsghdr aligned;
		char           bytes[CMSG_SPACE(SOCKETS_A_MESSAGE * sizeof(int))];
	} control;
	char          byte;
	struct iovec  data    = {&byte, 1};
	struct msghdr message = {.msg_iov        = &data,
	                         .msg_iovlen     = 1,
	                         .msg_control    = control.bytes,
	                         .msg_controllen = sizeof control.bytes};
	if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) != 1)
		return false;
	struct cmsghdr *first = CMSG_FIRSTHDR(&message);
	if (first == NULL || first->cmsg_level != SOL_SOCKET || first->cmsg_type != SCM_RIGHTS)
		return false;
	size_t count = (first->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	assert(sockets->count + count <= HTTP_SOCKETS_MAX + SOCKETS_A_MESSAGE);
	for (size_t i = 0; i < count; i++) {
		int socket;
		memcpy(&socket, CMSG_DATA(first) + i * sizeof socket, sizeof socket);
		if (sockets->count < HTTP_SOCKETS_MAX)
			sockets->fds[sockets->count++] = socket;
		else
			close(socket);
	}
	return count > 0 && (message.msg_flags & MSG_CTRUNC) == 0;
}

static enum status receive(int fd, struct sockets *sockets, struct error *err)
{
	struct header header;
	limit_waiting(fd, OFFER_MS_MAX);
	ssize_t length = recv(fd, &header, sizeof header, MSG_WAITALL);
	if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return error_set(err, STATUS_TIMEOUT, "the running server does not answer");
	if (length != (ssize_t)sizeof header || memcmp(header.magic, magic, sizeof magic) != 0 ||
	    header.socket_count == 0 || header.socket_count > HTTP_SOCKETS_MAX)
		return error_set(err, STATUS_UNSUPPORTED,
		                 "the running server does not hand over to this version");
	while (sockets->count < header.socket_count)
		if (!receive_some(fd, sockets))
			return error_set(err, STATUS_IO, "the running server has not handed over its sockets");
	return sockets_check(sockets, err);
}

/* From here on the old one ends, and there is no way back. */
static enum status take(int fd, struct error *err)
{
	char byte = 1;
	if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
		return error_set_errno(err, STATUS_IO, errno, "the running server is gone");
	limit_waiting(fd, END_MS_MAX);
	ssize_t end = recv(fd, &byte, 1, 0);
	if (end < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return error_set(err, STATUS_TIMEOUT, "the server that was taken over does not end");
	return STATUS_OK;
}

enum status handover_take(const char *data, const char *listen, struct sockets *ret_sockets,
                          struct error *err)
{
	int         fd     = -1;
	enum status status = ask(data, &fd, err);
	if (status != STATUS_OK)
		return status;
	ret_sockets->count = 0;
	status             = receive(fd, ret_sockets, err);
	if (status == STATUS_OK && !http_socket_is_at(ret_sockets->fds[0], listen))
		status = error_set_field(err, STATUS_INVALID, "listen",
		                         "the running server listens at another address than %s: stop it, "
		                         "then start this one",
		                         listen);
	if (status == STATUS_OK)
		status = take(fd, err);
	if (status != STATUS_OK)
		sockets_close(ret_sockets);
	close(fd);
	return status;
}
