#ifndef SONNIM_APP_FOLLOW_H
#define SONNIM_APP_FOLLOW_H

/* A second process beside the server: it reads the journal read-only (file_log_follow), applies it
 * with an engine of its own and prints the change stream, a JSON object a line
 * (change_line.h). The server may run, or not; nothing in its data is changed, and neither
 * lock nor vault nor keyring is needed. Timers fire up to the last stamp in the journal. */

#include <stdint.h>

#include "base/error.h"

struct follow_config {
	const char *data;    /* the server's directory */
	uint64_t    through; /* stop once everything up to here is applied; 0: go on for ever */
	uint64_t    from;    /* changes of records before this position are not printed, … */
	int64_t     from_ms; /* … nor those before this instant; both are applied all the same */
	uint64_t    memory_limit_bytes;
};

/* STATUS_NOT_FOUND: there is no journal, or its begin is deleted. */
MUST_USE enum status follow_journal(const struct follow_config *config, struct error *err);

#endif
