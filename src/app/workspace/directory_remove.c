#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/workspace/directory_internal.h"
#include "base/file.h"

enum { TREE_DESCRIPTORS_MAX = 16, WIPE_BYTES = 4096 };

/* ---- Removing a tree ---- */

/* With zeros, before it is removed: a copy-on-write disk may keep the old blocks, as it may those
 * of any file (docs/security.md). */
static bool wipe(const char *path, uint64_t bytes)
{
	static const char zeros[WIPE_BYTES];
	int               fd    = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	bool              whole = fd >= 0;
	for (uint64_t at = 0; whole && at < bytes; at += sizeof zeros) {
		size_t  length  = bytes - at < sizeof zeros ? (size_t)(bytes - at) : sizeof zeros;
		ssize_t written = pwrite(fd, zeros, length, (off_t)at);
		whole           = written == (ssize_t)length;
	}
	whole = whole && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return whole;
}

static int remove_wiped(const char *path, const struct stat *stat, int kind, struct FTW *place)
{
	(void)place;
	if (kind == FTW_F && S_ISREG(stat->st_mode) && !wipe(path, (uint64_t)stat->st_size))
		return -1;
	return remove(path);
}

static int remove_plain(const char *path, const struct stat *stat, int kind, struct FTW *place)
{
	(void)stat, (void)kind, (void)place;
	return remove(path);
}

/* Gone when it is durable: the parent's entry too. */
static enum status remove_tree(const char *path,
                               int (*each)(const char *, const struct stat *, int, struct FTW *),
                               struct error *err)
{
	char parent[4096];
	if (path == NULL)
		return STATUS_OK;
	if (nftw(path, each, TREE_DESCRIPTORS_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0) {
		if (errno == ENOENT)
			return STATUS_OK;
		return file_error(err, errno, "remove", path);
	}
	snprintf(parent, sizeof parent, "%.*s", (int)(strrchr(path, '/') - path), path);
	return directory_sync(parent, err);
}

enum status directory_remove_files(const struct entry *entry, struct error *err)
{
	enum status status = remove_tree(entry->keyring, remove_wiped, err);
	if (status == STATUS_OK)
		status = remove_tree(entry->data, remove_plain, err);
	return status == STATUS_OK ? remove_tree(entry->backup, remove_plain, err) : status;
}

/* ---- How much there is ---- */

static _Thread_local uint64_t counted_bytes;

static int count(const char *path, const struct stat *stat, int kind, struct FTW *place)
{
	(void)path, (void)place;
	if (kind == FTW_F)
		counted_bytes += (uint64_t)stat->st_blocks * 512;
	return 0;
}

uint64_t directory_disk_bytes(const char *path)
{
	counted_bytes = 0;
	(void)nftw(path, count, TREE_DESCRIPTORS_MAX, FTW_PHYS | FTW_MOUNT); /* files come and go */
	return counted_bytes;
}
