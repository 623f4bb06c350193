#ifndef SONNIM_APP_DOCTOR_H
#define SONNIM_APP_DOCTOR_H

/* What `sonnim doctor` finds: one line a check. Findings that are WRONG keep the server from
 * working, those that are POOR make it slow, or will be WRONG soon. */

#include "app/serve_settings.h"
#include "base/buffer.h"

enum { FINDINGS_MAX = 64, FINDING_BYTES_MAX = 256 };

enum doctor_state { DOCTOR_GOOD, DOCTOR_POOR, DOCTOR_WRONG };

struct finding {
	const char       *check; /* "disk" */
	enum doctor_state state;
	char              text[FINDING_BYTES_MAX];
};

struct findings {
	size_t         count;
	struct finding items[FINDINGS_MAX];
};

void findings_add(struct findings *findings, const char *check, enum doctor_state state,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

const char *doctor_state_name(enum doctor_state state); /* "good" */

/* "1.5 GiB" */
struct doctor_size {
	char text[32];
};
struct doctor_size doctor_size(uint64_t bytes);

/* The machine and the directories; writes and removes one file in the data directory (or in the
 * one above, when it is not made yet) to measure a sync. */
void doctor_check_machine(struct findings *findings, const struct serve_settings *settings);

#endif
