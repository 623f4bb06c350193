#ifndef SONNIM_BASE_MACHINE_H
#define SONNIM_BASE_MACHINE_H

/* The machine, or the part of it that the process was given, and what the process takes of it. */

#include <stdint.h>

/* Memory that the process can have: the machine's, or its control group's limit when that is less
 * (version 2 and version 1). */
uint64_t machine_memory_bytes(void);

/* Memory of the process that nothing but swapping could take away: resident, files not counted. 0
 * when the system does not say. Cost: a read of /proc. */
uint64_t machine_used_bytes(void);

/* What the process has used, and may use. What the system does not say is 0. Cost: reads of /proc.
 */
struct machine_process {
	double   processor_seconds; /* user and system */
	uint64_t resident_bytes;    /* mapped files too */
	uint64_t virtual_bytes;
	uint64_t open_files;
	uint64_t files_max;
};
void machine_process(struct machine_process *ret_process);

#endif
