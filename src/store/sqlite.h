#ifndef SONNIM_STORE_SQLITE_H
#define SONNIM_STORE_SQLITE_H

/* The store in one SQLite file: the embedded profile's backend of store/store.h.
 *
 *   path      the database (0600: it holds write keys), journal mode WAL
 *   path-wal, path-shm beside it while it is open
 *
 * Every transaction is synced before it returns (synchronous = FULL). Nobody else may open the
 * file: the caller holds the lock of the data directory. One connection behind one lock, statements
 * prepared once at open: an operation costs some 10 µs to read and one sync to write. */

#include "base/error.h"
#include "store/store.h"

/* Opens the file, makes it when it is absent, and applies the migrations that it lacks.
 * STATUS_CORRUPT: it is no database, none of ours, or a migration was altered after it was applied;
 * STATUS_UNSUPPORTED: a newer version of the product wrote it. Closed by ops->free(). */
MUST_USE enum status sqlite_store_open(const char *path, struct store **ret_store,
                                       struct error *err);

/* Reads the workspace alone and changes nothing; the only thing that may be done beside the process
 * that has the store open. STATUS_NOT_FOUND: there is no store, or no workspace in it yet. */
MUST_USE enum status sqlite_store_workspace(const char *path, struct store_workspace *ret_workspace,
                                            struct error *err);

#endif
