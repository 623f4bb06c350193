#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "app/doctor/doctor.h"
#include "base/clock.h"

enum {
	NODES_MIN      = 1024, /* files that can still be made */
	SYNCS          = 21,
	SYNC_BYTES     = 4096,
	SYNC_US_GOOD   = 10000,
	SPEED_BYTES    = 32 << 20,
	SPEED_BLOCK    = 1 << 20,
	SPEED_MIB_GOOD = 50,
	FREE_PERCENT   = 10,
	FUTURE_S       = 2, /* a file may be so much younger than now */
	MODE_OF_OTHERS = S_IRWXG | S_IRWXO,
};

/* statfs(2) */
#define MAGIC_TMPFS 0x01021994U
#define MAGIC_NFS   0x6969U
#define MAGIC_SMB2  0xfe534d42U

#define FREE_BYTES_MIN (UINT64_C(64) << 20)

/* The directory, or the first one above it that exists. */
static void existing(const char *path, char into[PATH_MAX])
{
	snprintf(into, PATH_MAX, "%s", path);
	while (access(into, F_OK) != 0 && strcmp(into, "/") != 0 && strcmp(into, ".") != 0) {
		char above[PATH_MAX];
		snprintf(above, sizeof above, "%s", into);
		snprintf(into, PATH_MAX, "%s", dirname(above));
	}
}

/* ---- Room and speed ---- */

static void check_space(struct findings *findings, const char *directory)
{
	struct statvfs space;
	if (statvfs(directory, &space) != 0) {
		findings_add(findings, "disk", DOCTOR_FAILURE, "%s: %s", directory, strerror(errno));
		return;
	}
	uint64_t          left  = (uint64_t)space.f_bavail * space.f_frsize;
	uint64_t          whole = (uint64_t)space.f_blocks * space.f_frsize;
	enum doctor_state state = left < FREE_BYTES_MIN               ? DOCTOR_FAILURE
	                          : left < whole / 100 * FREE_PERCENT ? DOCTOR_WARNING
	                                                              : DOCTOR_OK;
	findings_add(findings, "disk", state, "%s of %s are free in %s", doctor_size(left).text,
	             doctor_size(whole).text, directory);
	findings_advise(findings, "make room, or move the data: on a full disk collection answers 503");
	if (space.f_files > 0 && space.f_favail < NODES_MIN) {
		findings_add(findings, "disk", DOCTOR_FAILURE, "%llu files can still be made in %s",
		             (unsigned long long)space.f_favail, directory);
		findings_advise(findings, "remove small files, or make the file system with more inodes");
	}
	if ((space.f_flag & ST_RDONLY) != 0) {
		findings_add(findings, "disk", DOCTOR_FAILURE, "%s is read-only", directory);
		findings_advise(findings, "dmesg says whether the disk has failed; else mount it anew");
	}
}

static void check_kind(struct findings *findings, const char *directory)
{
	struct statfs system;
	if (statfs(directory, &system) != 0)
		return;
	uint32_t magic = (uint32_t)system.f_type;
	if (magic == MAGIC_TMPFS) {
		findings_add(findings, "disk", DOCTOR_WARNING, "%s lies in memory", directory);
		findings_advise(findings, "the next boot takes the data along: move it to a disk");
	} else if (magic == MAGIC_NFS || magic == MAGIC_SMB2) {
		findings_add(findings, "disk", DOCTOR_WARNING, "%s lies on another machine", directory);
		findings_advise(findings, "locks and syncs of network file systems are weak: a local disk");
	}
}

static int compare_times(const void *left, const void *right)
{
	const int64_t *a = left, *b = right;
	return (*a > *b) - (*a < *b);
}

struct sync_times {
	int64_t median_ns;
	int64_t worst_ns;
};

/* As the journal does it: into room that is there already. False: it cannot be written. */
static bool measure_sync(int fd, struct sync_times *ret_times)
{
	static const char block[SYNC_BYTES];
	int64_t           times[SYNCS];
	int refused = posix_fallocate(fd, 0, (off_t)SYNC_BYTES * SYNCS); /* leaves errno alone */
	if (refused != 0)
		errno = refused;
	if (refused != 0 || fsync(fd) != 0)
		return false;
	for (int i = 0; i < SYNCS; i++) {
		int64_t begin_ns = clock_monotonic_ns();
		if (pwrite(fd, block, sizeof block, (off_t)i * SYNC_BYTES) != SYNC_BYTES ||
		    fdatasync(fd) != 0)
			return false;
		times[i] = clock_monotonic_ns() - begin_ns;
	}
	qsort(times, SYNCS, sizeof times[0], compare_times);
	*ret_times = (struct sync_times){times[SYNCS / 2], times[SYNCS - 1]};
	return true;
}

/* MiB a second of a long write; 0: it cannot be written. */
static double measure_speed(int fd)
{
	char   *block    = calloc(1, SPEED_BLOCK);
	int64_t begin_ns = clock_monotonic_ns();
	bool    written  = block != NULL && lseek(fd, 0, SEEK_SET) == 0;
	for (int at = 0; written && at < SPEED_BYTES; at += SPEED_BLOCK) {
		memset(block, at / SPEED_BLOCK + 1, SPEED_BLOCK);
		written = write(fd, block, SPEED_BLOCK) == SPEED_BLOCK;
	}
	written = written && fdatasync(fd) == 0;
	free(block);
	double seconds = (double)(clock_monotonic_ns() - begin_ns) / 1e9;
	return written && seconds > 0 ? (double)SPEED_BYTES / (1 << 20) / seconds : 0;
}

static void add_measures(struct findings *findings, const char *directory, int fd)
{
	struct sync_times times;
	if (!measure_sync(fd, &times)) {
		findings_add(findings, "sync", DOCTOR_FAILURE, "%s cannot be written: %s", directory,
		             strerror(errno));
		findings_advise(findings, "room, permissions and the state of the disk (dmesg)");
		return;
	}
	findings_add(findings, "sync",
	             times.median_ns > SYNC_US_GOOD * 1000 ? DOCTOR_WARNING : DOCTOR_OK,
	             "%.2f ms a sync (the middle of %d, the worst %.2f): what a request waits for",
	             (double)times.median_ns / 1e6, SYNCS, (double)times.worst_ns / 1e6);
	findings_advise(findings, "a local disk with a write cache that survives a power loss (SSD)");
	struct statvfs space;
	if (fstatvfs(fd, &space) != 0 ||
	    (uint64_t)space.f_bavail * space.f_frsize < FREE_BYTES_MIN + SPEED_BYTES)
		return;
	double speed = measure_speed(fd);
	findings_add(findings, "disk speed", speed < SPEED_MIB_GOOD ? DOCTOR_WARNING : DOCTOR_OK,
	             "%.0f MiB/s written", speed);
	findings_advise(findings,
	                "checkpoints and files of the event store need %d MiB/s beside the "
	                "journal: less load on the disk, or a faster one",
	                SPEED_MIB_GOOD);
}

static void check_writing(struct findings *findings, const char *directory)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof path, "%s/.doctor-XXXXXX", directory) >= (int)sizeof path)
		return;
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0) {
		findings_add(findings, "sync", DOCTOR_FAILURE, "%s cannot be written: %s", directory,
		             strerror(errno));
		findings_advise(findings, "run the doctor as the server's user; chown, or mount it anew");
		return;
	}
	unlink(path);
	add_measures(findings, directory, fd);
	close(fd);
}

/* ---- Who may read ---- */

static void check_owner(struct findings *findings, const char *check, const char *path,
                        const struct stat *status)
{
	if (status->st_uid != geteuid() && geteuid() != 0) {
		findings_add(findings, check, DOCTOR_FAILURE, "%s belongs to another user", path);
		findings_advise(findings, "chown -R to the server's user; or run the doctor as that user");
	} else if ((status->st_mode & MODE_OF_OTHERS) != 0) {
		findings_add(findings, check, DOCTOR_WARNING, "%s can be looked into by others: mode %03o",
		             path, status->st_mode & 0777U);
		findings_advise(findings, "chmod go= %s", path);
	} else {
		findings_add(findings, check, DOCTOR_OK, "%s", path);
	}
}

/* Files that cannot be read, or that others can read: the first of them. */
static void check_files_in(struct findings *findings, const char *check, const char *directory)
{
	DIR *listing = opendir(directory);
	if (listing == NULL) {
		findings_add(findings, check, DOCTOR_FAILURE, "%s: %s", directory, strerror(errno));
		findings_advise(findings, "run the doctor as the server's user, or chown it");
		return;
	}
	for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
		struct stat status;
		if (entry->d_name[0] == '.' || fstatat(dirfd(listing), entry->d_name, &status, 0) != 0)
			continue;
		if (faccessat(dirfd(listing), entry->d_name, R_OK, AT_EACCESS) != 0) {
			findings_add(findings, check, DOCTOR_FAILURE, "%s/%s cannot be read: %s", directory,
			             entry->d_name, strerror(errno));
			findings_advise(findings, "chown or chmod it back: it was the server's");
			break;
		}
		if (S_ISREG(status.st_mode) && (status.st_mode & MODE_OF_OTHERS) != 0) {
			findings_add(findings, check, DOCTOR_WARNING, "%s/%s can be read by others: mode %03o",
			             directory, entry->d_name, status.st_mode & 0777U);
			findings_advise(findings, "chmod go= %s/*", directory);
			break;
		}
	}
	closedir(listing);
}

static void check_directory(struct findings *findings, const char *check, const char *path)
{
	struct stat status;
	if (stat(path, &status) != 0) {
		if (errno == ENOENT) {
			findings_add(findings, check, DOCTOR_OK, "%s is not made yet", path);
			return;
		}
		findings_add(findings, check, DOCTOR_FAILURE, "%s: %s", path, strerror(errno));
		findings_advise(findings, "the server's user must be able to reach it");
	} else if (!S_ISDIR(status.st_mode)) {
		findings_add(findings, check, DOCTOR_FAILURE, "%s is no directory", path);
		findings_advise(findings, "name another one, or move away what lies there");
	} else {
		check_owner(findings, check, path, &status);
	}
}

static void check_token(struct findings *findings, const char *file)
{
	struct stat status;
	if (file == NULL || stat(file, &status) != 0)
		return;
	check_owner(findings, "token file", file, &status);
}

/* A clock that went back shows in files that are younger than now. */
static void check_against_data(struct findings *findings, const char *data)
{
	char        path[PATH_MAX];
	struct stat status;
	if (snprintf(path, sizeof path, "%s/journal", data) >= (int)sizeof path)
		return;
	DIR *listing = opendir(path);
	if (listing == NULL)
		return;
	int64_t newest_s = 0;
	for (const struct dirent *entry; (entry = readdir(listing)) != NULL;)
		if (fstatat(dirfd(listing), entry->d_name, &status, 0) == 0 && status.st_mtime > newest_s)
			newest_s = status.st_mtime;
	closedir(listing);
	int64_t ahead_s = newest_s - clock_wall_ms() / 1000;
	if (ahead_s <= FUTURE_S)
		return;
	findings_add(findings, "clock", DOCTOR_WARNING, "it is %llds behind the journal: it went back",
	             (long long)ahead_s);
	findings_advise(findings, "set it right; until it has caught up, log time goes on from there");
}

static void check_keyring(struct findings *findings, const char *data, const char *keyring)
{
	char journal[PATH_MAX];
	bool begun = snprintf(journal, sizeof journal, "%s/journal", data) < (int)sizeof journal &&
	             access(journal, F_OK) == 0;
	if (begun && access(keyring, F_OK) != 0 && errno == ENOENT) {
		findings_add(findings, "keyring", DOCTOR_FAILURE, "%s is not there, but data are", keyring);
		findings_advise(findings, "bring it back: without it nobody can read them");
		return;
	}
	check_directory(findings, "keyring", keyring);
	if (access(keyring, F_OK) == 0)
		check_files_in(findings, "keyring", keyring);
}

void doctor_check_place(struct findings *findings, const char *data, const char *keyring)
{
	check_against_data(findings, data);
	check_directory(findings, "data", data);
	if (access(data, F_OK) == 0)
		check_files_in(findings, "data", data);
	check_keyring(findings, data, keyring);
	doctor_check_store(findings, data, keyring);
}

void doctor_check_directories(struct findings *findings, const struct serve_settings *settings)
{
	char directory[PATH_MAX];
	existing(settings->data, directory);
	check_space(findings, directory);
	check_kind(findings, directory);
	check_writing(findings, directory);
	doctor_check_place(findings, settings->data, settings->keyring);
	check_token(findings, settings->admin_token_file);
	check_token(findings, settings->setup_token_file);
}
