#ifndef SONNIM_APP_PROCESS_SOCKETS_H
#define SONNIM_APP_PROCESS_SOCKETS_H

/* Listening sockets that another process has bound, and that outlive this one: those of a
 * supervisor (the protocol of systemd's socket activation: LISTEN_PID, LISTEN_FDS, descriptors from
 * 3 on), or those of the server that this one takes over from (handover.h). Connections that nobody
 * has accepted yet wait in them while servers come and go. */

#include "base/error.h"
#include "http/server.h"

struct sockets {
	int    fds[HTTP_SOCKETS_MAX];
	size_t count;
};

/* The supervisor's, none when there is no supervisor; closed in programs that this one starts.
 * STATUS_INVALID: what was passed is no TCP socket that listens. Once, before there are threads:
 * it takes the variables out of the environment. */
MUST_USE enum status sockets_of_supervisor(struct sockets *ret_sockets, struct error *err);

/* Whether all of them are what a server can use; STATUS_INVALID says which is not. */
MUST_USE enum status sockets_check(const struct sockets *sockets, struct error *err);

void sockets_close(struct sockets *sockets);

#endif
