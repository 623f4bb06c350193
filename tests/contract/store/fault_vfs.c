#include "fault_vfs.h"

#include <assert.h>
#include <sqlite3.h>
#include <stddef.h>

static sqlite3_vfs *real;
static sqlite3_vfs  fault;
static bool         full;
static bool         sync_fails;

/* The real file lies behind ours, which only adds its table of methods. */
struct fault_file {
	sqlite3_file       base;
	sqlite3_io_methods methods;
	sqlite3_file       real[];
};

static sqlite3_file *real_of(sqlite3_file *file) { return ((struct fault_file *)file)->real; }

#define FORWARD(method, parameters, ...)                                                           \
	static int fault_##method parameters                                                           \
	{                                                                                              \
		return real_of(file)->pMethods->x##method(real_of(file), __VA_ARGS__);                     \
	}

FORWARD(Read, (sqlite3_file * file, void *into, int count, sqlite3_int64 at), into, count, at)
FORWARD(Truncate, (sqlite3_file * file, sqlite3_int64 size), size)
FORWARD(FileSize, (sqlite3_file * file, sqlite3_int64 *ret_size), ret_size)
FORWARD(Lock, (sqlite3_file * file, int level), level)
FORWARD(Unlock, (sqlite3_file * file, int level), level)
FORWARD(CheckReservedLock, (sqlite3_file * file, int *ret_held), ret_held)
FORWARD(FileControl, (sqlite3_file * file, int op, void *argument), op, argument)
FORWARD(ShmMap, (sqlite3_file * file, int page, int size, int extend, void volatile **ret_memory),
        page, size, extend, ret_memory)
FORWARD(ShmLock, (sqlite3_file * file, int offset, int n, int flags), offset, n, flags)
FORWARD(ShmUnmap, (sqlite3_file * file, int delete), delete)
FORWARD(Fetch, (sqlite3_file * file, sqlite3_int64 at, int count, void **ret_memory), at, count,
        ret_memory)
FORWARD(Unfetch, (sqlite3_file * file, sqlite3_int64 at, void *memory), at, memory)

static int fault_Write(sqlite3_file *file, const void *data, int count, sqlite3_int64 at)
{
	if (full)
		return SQLITE_FULL;
	return real_of(file)->pMethods->xWrite(real_of(file), data, count, at);
}

static int fault_Sync(sqlite3_file *file, int flags)
{
	if (sync_fails)
		return SQLITE_IOERR_FSYNC;
	return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int fault_Close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int fault_SectorSize(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int fault_DeviceCharacteristics(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static void fault_ShmBarrier(sqlite3_file *file)
{
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                      int *ret_flags)
{
	(void)vfs;
	struct fault_file *ours   = (struct fault_file *)file;
	int                result = real->xOpen(real, name, ours->real, flags, ret_flags);
	if (ours->real->pMethods == NULL) {
		file->pMethods = NULL;
		return result;
	}
	ours->methods = (sqlite3_io_methods){
		.iVersion               = ours->real->pMethods->iVersion,
		.xClose                 = fault_Close,
		.xRead                  = fault_Read,
		.xWrite                 = fault_Write,
		.xTruncate              = fault_Truncate,
		.xSync                  = fault_Sync,
		.xFileSize              = fault_FileSize,
		.xLock                  = fault_Lock,
		.xUnlock                = fault_Unlock,
		.xCheckReservedLock     = fault_CheckReservedLock,
		.xFileControl           = fault_FileControl,
		.xSectorSize            = fault_SectorSize,
		.xDeviceCharacteristics = fault_DeviceCharacteristics,
		.xShmMap                = fault_ShmMap,
		.xShmLock               = fault_ShmLock,
		.xShmBarrier            = fault_ShmBarrier,
		.xShmUnmap              = fault_ShmUnmap,
		.xFetch                 = fault_Fetch,
		.xUnfetch               = fault_Unfetch,
	};
	file->pMethods = &ours->methods;
	return result;
}

void fault_vfs_register(void)
{
	real = sqlite3_vfs_find(NULL);
	assert(real);
	fault          = *real;
	fault.zName    = "fault";
	fault.szOsFile = (int)offsetof(struct fault_file, real) + real->szOsFile;
	fault.xOpen    = fault_open;
	int result     = sqlite3_vfs_register(&fault, 1);
	assert(result == SQLITE_OK);
	(void)result;
}

void fault_vfs_disk_full(bool now) { full = now; }

void fault_vfs_sync_fails(bool fails) { sync_fails = fails; }
