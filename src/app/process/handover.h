#ifndef SONNIM_APP_PROCESS_HANDOVER_H
#define SONNIM_APP_PROCESS_HANDOVER_H

/* From one server to the next on the same data, without a refused connection:
 *
 *   old (serves)                              new (`serve --take-over`)
 *     DATA/handover.sock  ◄──── connects ─────
 *     ──── its sockets (SCM_RIGHTS) ─────────►
 *     ◄─── "taken" ───────────────────────────   or closes: the old one goes on as if nothing was
 *     accepts no more, answers what is under     (connections wait in the sockets' queues)
 *     way, syncs, closes and unlocks the data
 *     ──── end of the stream ────────────────►   opens the data, replays, accepts
 *
 * The messages: 8 bytes of magic (the last one is the version), the number of sockets as 4 bytes in
 * the machine's order, then one byte with every SOCKETS_A_MESSAGE sockets. Only the user that the
 * server runs as may ask, and can reach the socket, for DATA is that user's alone. */

#include "app/process/sockets.h"

/* ---- The old one ---- */

struct handover; /* one thread at a time */

/* Opens the door, after the data was locked: whatever lies there of an earlier process goes. */
MUST_USE enum status handover_open(const char *data, struct handover **ret_handover,
                                   struct error *err);

/* Readable when somebody asks. */
int handover_fd(const struct handover *handover);

/* Answers who asks, with the server's sockets, which are closed here. True: they were taken, and
 * this process has to end now. Waits 5 s at most for the other one. */
bool handover_give(struct handover *handover, struct sockets *sockets);

/* Closes the door; who has the sockets still waits. Before the data is unlocked. */
void handover_shut(struct handover *handover);

/* Tells who has the sockets that the data is free, and frees. NULL is fine. */
void handover_close(struct handover *handover);

/* ---- The new one ---- */

/* Asks the server that runs on this data and waits until it has ended. STATUS_NOT_FOUND: none
 * runs. STATUS_INVALID: it listens at another address than `listen`; it goes on. STATUS_TIMEOUT: it
 * does not answer (it goes on), or does not end. */
MUST_USE enum status handover_take(const char *data, const char *listen,
                                   struct sockets *ret_sockets, struct error *err);

#endif
