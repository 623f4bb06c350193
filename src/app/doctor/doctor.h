#ifndef SONNIM_APP_DOCTOR_H
#define SONNIM_APP_DOCTOR_H

/* What `sonnim doctor` finds: one line a check, with what to do where there is something. A failure
 * keeps the server from working; a warning makes it slow, or will be a failure soon. */

#include "app/serve_settings.h"
#include "base/buffer.h"

enum { FINDINGS_MAX = 96, FINDING_BYTES_MAX = 256 };

enum doctor_state { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_FAILURE };

struct finding {
	const char       *check; /* "disk" */
	enum doctor_state state;
	char              text[FINDING_BYTES_MAX];
	char              advice[FINDING_BYTES_MAX]; /* "": nothing is to be done */
};

struct findings {
	size_t         count;
	struct finding items[FINDINGS_MAX];
};

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

/* The audit trail: its key, and, as long as it is small, every record. */
void doctor_check_audit(struct findings *findings, const struct serve_settings *settings);

#endif
