#ifndef SONNIM_TESTS_STORE_FAULT_VFS_H
#define SONNIM_TESTS_STORE_FAULT_VFS_H

/* SQLite's own VFS with writes that fail on demand, made the default one. */

#include <stdbool.h>

void fault_vfs_register(void);
void fault_vfs_disk_full(bool full); /* every write and extension fails with ENOSPC */
void fault_vfs_sync_fails(bool fails);

#endif
