#ifndef SONNIM_APP_PROCESS_NOTIFY_H
#define SONNIM_APP_PROCESS_NOTIFY_H

/* What a supervisor is told: the protocol of systemd's services of Type=notify, datagrams to the
 * socket that NOTIFY_SOCKET names (a path, or '@' and an abstract name). Without one nothing is
 * sent. A message that cannot be sent is lost: the supervisor has its own time limits. */

#include <stdint.h>

struct notify; /* one thread at a time */

/* Takes the variables out of the environment: once, before there are threads. */
struct notify *notify_new(void);
void           notify_free(struct notify *notify); /* NULL is fine */

void notify_ready(struct notify *notify, const char *status); /* started, or reloaded */
void notify_reloading(struct notify *notify);
void notify_stopping(struct notify *notify);

/* What it does now, one line, for people. */
void notify_status(struct notify *notify, const char *status);

/* It goes on, and asks for so much time from now on for its start or its end. */
void notify_extend(struct notify *notify, int64_t more_ms);

/* It lives: sends it when half of the time has passed after which the supervisor would give it up
 * (WATCHDOG_USEC). To be called some times a second. */
void notify_alive(struct notify *notify);

#endif
