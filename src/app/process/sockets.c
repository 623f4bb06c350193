#include "app/process/sockets.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST_FD = 3, DECIMAL = 10 };

/* The number that a variable holds; -1 when it is not there or none. */
static long number_in(const char *variable)
{
	const char *text = getenv(variable);
	char       *end;
	if (text == NULL || *text == '\0')
		return -1;
	long number = strtol(text, &end, DECIMAL);
	return *end == '\0' ? number : -1;
}

enum status sockets_of_supervisor(struct sockets *ret_sockets, struct error *err)
{
	long process = number_in("LISTEN_PID");
	long count   = number_in("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	ret_sockets->count = 0;
	if (process != (long)getpid() || count <= 0)
		return STATUS_OK;
	if (count > HTTP_SOCKETS_MAX)
		return error_set(err, STATUS_INVALID, "LISTEN_FDS: %ld sockets, at most %d are taken",
		                 count, HTTP_SOCKETS_MAX);
	for (int i = 0; i < count; i++) {
		ret_sockets->fds[ret_sockets->count++] = FIRST_FD + i;
		(void)fcntl(FIRST_FD + i, F_SETFD, FD_CLOEXEC); /* the check sees one that is not open */
	}
	return sockets_check(ret_sockets, err);
}

enum status sockets_check(const struct sockets *sockets, struct error *err)
{
	for (size_t i = 0; i < sockets->count; i++)
		if (!http_socket_listens(sockets->fds[i]))
			return error_set(err, STATUS_INVALID,
			                 "descriptor %d was passed on and is no TCP socket that listens",
			                 sockets->fds[i]);
	return STATUS_OK;
}

void sockets_close(struct sockets *sockets)
{
	while (sockets->count > 0)
		close(sockets->fds[--sockets->count]);
}
