#ifndef SONNIM_TESTS_FAULTY_DISK_H
#define SONNIM_TESTS_FAULTY_DISK_H

/* A disk that fails on demand, for programs that are linked with faulty_disk.c: its write, pwrite,
 * pread, fsync, fdatasync and rename take the place of the C library's. */

#include <stdatomic.h>

struct faulty_disk {
	atomic_int error_number; /* of the calls that fail; 0: none does */
	atomic_int spared;       /* calls that work before */
	atomic_int failed;       /* so far */
};
extern struct faulty_disk faulty_disk;

/* From now on calls fail, but for the next `spared` ones; 0: none fails. */
void faulty_disk_set(int error_number, int spared);

#endif
