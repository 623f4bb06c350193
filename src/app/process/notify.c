#include "app/process/notify.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

enum { MESSAGE_BYTES = 512, DECIMAL = 10 };

struct notify {
	int                fd; /* -1: nobody listens */
	struct sockaddr_un address;
	socklen_t          length;
	int64_t            alive_every_ns; /* 0: nobody asks */
	int64_t            alive_due_ns;
};

static bool address_of(struct notify *notify, const char *name)
{
	size_t length = strlen(name);
	if ((name[0] != '/' && name[0] != '@') || length < 2 ||
	    length >= sizeof notify->address.sun_path)
		return false;
	notify->address.sun_family = AF_UNIX;
	memcpy(notify->address.sun_path, name, length);
	if (name[0] == '@')
		notify->address.sun_path[0] = '\0';
	notify->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	return true;
}

static int64_t watchdog_ns(void)
{
	const char *period  = getenv("WATCHDOG_USEC");
	const char *process = getenv("WATCHDOG_PID");
	if (period == NULL || (process != NULL && strtol(process, NULL, DECIMAL) != (long)getpid()))
		return 0;
	long long period_us = strtoll(period, NULL, DECIMAL);
	return period_us > 0 && period_us < INT64_MAX / 1000 ? period_us * 1000 : 0;
}

struct notify *notify_new(void)
{
	struct notify *notify = calloc(1, sizeof *notify);
	assert(notify != NULL);
	const char *name = getenv("NOTIFY_SOCKET");
	notify->fd       = -1;
	if (name != NULL && address_of(notify, name))
		notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	notify->alive_every_ns = watchdog_ns() / 2;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return notify;
}

void notify_free(struct notify *notify)
{
	if (notify == NULL)
		return;
	if (notify->fd >= 0)
		close(notify->fd);
	free(notify);
}

static void send_message(struct notify *notify, const char *message)
{
	if (notify->fd >= 0)
		(void)sendto(notify->fd, message, strlen(message), MSG_NOSIGNAL,
		             (const struct sockaddr *)&notify->address, notify->length);
}

void notify_ready(struct notify *notify, const char *status)
{
	char message[MESSAGE_BYTES];
	snprintf(message, sizeof message, "READY=1\nSTATUS=%s", status);
	send_message(notify, message);
}

void notify_reloading(struct notify *notify)
{
	char message[MESSAGE_BYTES];
	snprintf(message, sizeof message, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
	         clock_monotonic_ns() / 1000);
	send_message(notify, message);
}

void notify_stopping(struct notify *notify) { send_message(notify, "STOPPING=1"); }

void notify_status(struct notify *notify, const char *status)
{
	char message[MESSAGE_BYTES];
	snprintf(message, sizeof message, "STATUS=%s", status);
	send_message(notify, message);
}

void notify_extend(struct notify *notify, int64_t more_ms)
{
	char message[MESSAGE_BYTES];
	snprintf(message, sizeof message, "EXTEND_TIMEOUT_USEC=%" PRId64, more_ms * 1000);
	send_message(notify, message);
}

void notify_alive(struct notify *notify)
{
	int64_t now_ns = clock_monotonic_ns();
	if (notify->alive_every_ns == 0 || now_ns < notify->alive_due_ns)
		return;
	notify->alive_due_ns = now_ns + notify->alive_every_ns;
	send_message(notify, "WATCHDOG=1");
}
