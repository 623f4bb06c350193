#ifndef SONNIM_APP_DOCTOR_H
#define SONNIM_APP_DOCTOR_H

/* What `sonnim doctor` finds: one line a check, with what to do where there is something. A failure
 * keeps the server from working; a warning makes it slow, or will be a failure soon. */

#include "app/serve_settings.h"
#include "base/buffer.h"
#include "base/hash.h"

enum { FINDINGS_MAX = 8192, FINDING_BYTES_MAX = 256 };

enum doctor_state { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_FAILURE };

struct finding {
	const char       *check;                      /* "disk" */
	char              workspace[UUID_TEXT_BYTES]; /* its id; "": the default one, or none */
	enum doctor_state state;
	char              text[FINDING_BYTES_MAX];
	char              advice[FINDING_BYTES_MAX]; /* "": nothing is to be done */
};

struct findings {
	size_t          count, room;
	struct finding *items;
	char            workspace[UUID_TEXT_BYTES]; /* of what is found now */
	uint64_t        verified_bytes;             /* of audit trails, so far */
};

void findings_done(struct findings *findings);

void findings_add(struct findings *findings, const char *check, enum doctor_state state,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* What to do about the last finding, unless it is ok. */
void findings_advise(struct findings *findings, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

const char *doctor_state_name(enum doctor_state state); /* "ok" */

/* "1.5 GiB" */
struct doctor_size {
	char text[32];
};
struct doctor_size doctor_size(uint64_t bytes);

/* Limits of process and kernel, memory, clock; takes a tenth of a second. */
void doctor_check_system(struct findings *findings, const struct serve_settings *settings);

/* The directories and files that the settings name: room, speed, who may read them. Writes and
 * removes a file in the data directory (or in the one above, when it is not made yet). */
void doctor_check_directories(struct findings *findings, const struct serve_settings *settings);

/* Of one workspace's directories: who may read them, whether the keys are there, whether the clock
 * went back, and what doctor_check_store() finds. */
void doctor_check_place(struct findings *findings, const char *data, const char *keyring);

/* Whether the store can be read, and the keyring is that of these data; nothing where they are. */
void doctor_check_store(struct findings *findings, const char *data, const char *keyring);

/* The audit trail, and who else vouches for it. */
void doctor_check_audit(struct findings *findings, const struct serve_settings *settings);
/* Of one workspace: its key, and, as long as all of them are small, every record. */
void doctor_check_trail(struct findings *findings, const char *data, const char *keyring);

/* The same of the other workspaces, each by its name. */
void doctor_check_workspaces(struct findings *findings, const struct serve_settings *settings);

#endif
