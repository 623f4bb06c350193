#ifndef SONNIM_TESTS_CONTRACT_JOURNAL_FAULTY_SYSTEM_H
#define SONNIM_TESTS_CONTRACT_JOURNAL_FAULTY_SYSTEM_H

/* System calls for a file log that fail on demand. One log at a time; settings may change while it
 * runs. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "journal/file_log.h"

struct faults {
	atomic_int  allocate_errno; /* 0: it works */
	atomic_int  write_errno;
	atomic_int  sync_errno;
	atomic_int  calls_spared;    /* writes, syncs and allocations that work before one fails */
	atomic_uint write_bytes_max; /* of one call; 0: no limit */

	atomic_int allocates, writes, syncs; /* calls so far */

	_Atomic int64_t wall_ms; /* 0: the real clocks */
	_Atomic int64_t monotonic_ms;
};

extern struct faults                faults;
extern const struct file_log_system faulty_system;

void faults_reset(void);

/* While the gate is closed syncs wait. */
void sync_gate_close(void);
void sync_gate_open(void);
void sync_gate_wait_for_one(void); /* until a sync waits at the closed gate */

#endif
