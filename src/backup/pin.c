#include "backup/pin.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/vector.h"
#include "engine/checkpoint/checkpoint_manifest.h"
#include "engine/dimension/dimensions.h"
#include "events/manifest.h"

enum { TRIES_MAX = 20, DESCRIPTORS = 16 };

struct pin {
	const char    *data;
	const uint8_t *workspace_id;
	uint32_t       partition;
};

static enum status too_long(const struct pin *pin, struct error *err)
{
	return error_set(err, STATUS_INVALID, "%s: the path is too long", pin->data);
}

/* Both paths of a file; `name` is relative to the data. */
static bool paths(const struct pin *pin, const char *name, char from[PATH_MAX], char to[PATH_MAX])
{
	return snprintf(from, PATH_MAX, "%s/%s", pin->data, name) < PATH_MAX &&
	       snprintf(to, PATH_MAX, "%s/" PIN_DIRECTORY "/%s", pin->data, name) < PATH_MAX;
}

/* STATUS_NOT_FOUND: it is not there (any more). */
static enum status link_file(const struct pin *pin, const char *name, struct error *err)
{
	char from[PATH_MAX], to[PATH_MAX];
	if (!paths(pin, name, from, to))
		return too_long(pin, err);
	if (unlink(to) != 0 && errno != ENOENT)
		return file_error(err, errno, "remove", to);
	if (link(from, to) != 0)
		return file_error(err, errno, "link", from);
	return STATUS_OK;
}

/* Whether a file is the one that was linked, or both are not there. */
static bool is_same(const struct pin *pin, const char *name)
{
	char        from[PATH_MAX], to[PATH_MAX];
	struct stat now, then;
	if (!paths(pin, name, from, to))
		return false;
	bool there = stat(from, &now) == 0, was_there = stat(to, &then) == 0;
	return there == was_there && (!there || (now.st_ino == then.st_ino));
}

static enum status make_directory(const struct pin *pin, const char *name, struct error *err)
{
	char from[PATH_MAX], to[PATH_MAX];
	if (!paths(pin, name, from, to))
		return too_long(pin, err);
	return directory_create(to, 0700, err);
}

/* Links a manifest and what it names, until it has not changed meanwhile. */
typedef enum status link_rest_fn(const struct pin *pin, const char *manifest, unsigned line,
                                 struct error *err);

static enum status link_group(const struct pin *pin, const char *manifest, unsigned line,
                              link_rest_fn *link_rest, struct error *err)
{
	for (unsigned i = 0; i < TRIES_MAX; i++) {
		struct error absent = {0};
		enum status  status = link_file(pin, manifest, &absent);
		bool         named  = status == STATUS_OK;
		if (named)
			status = link_rest(pin, manifest, line, &absent);
		if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
			if (err != NULL)
				*err = absent;
			return status;
		}
		if (is_same(pin, manifest))
			return named && status != STATUS_OK
			           ? error_set(err, STATUS_CORRUPT, "%s names a file that is missing", manifest)
			           : STATUS_OK;
	}
	return error_set(err, STATUS_UNAVAILABLE, "%s changes faster than it can be held", manifest);
}

/* ---- Checkpoints ---- */

static enum status link_blocks(const struct pin *pin, const char *manifest, unsigned line,
                               struct error *err)
{
	char          from[PATH_MAX], to[PATH_MAX];
	char          name[CHECKPOINT_PATH_MAX];
	struct buffer bytes = {0};
	if (!paths(pin, manifest, from, to))
		return too_long(pin, err);
	struct checkpoint_manifest read   = {0};
	enum status                status = file_read(to, CHECKPOINT_BYTES_MAX, &bytes, err);
	if (status != STATUS_OK)
		return status;
	status = checkpoint_manifest_read(buffer_text(&bytes), pin->workspace_id, pin->partition, &read,
	                                  err);
	buffer_done(&bytes);
	if (status != STATUS_OK) /* a start does not use a damaged one either */
		return STATUS_OK;
	checkpoint_blocks_path(name, "checkpoints", pin->partition, line, read.generation);
	checkpoint_manifest_done(&read);
	return link_file(pin, name, err);
}

static enum status link_checkpoints(const struct pin *pin, struct error *err)
{
	enum status status = STATUS_OK;
	for (unsigned line = 0; line < CHECKPOINT_LINES && status == STATUS_OK; line++) {
		char name[CHECKPOINT_PATH_MAX];
		checkpoint_manifest_path(name, "checkpoints", pin->partition, line);
		status = link_group(pin, name, line, link_blocks, err);
	}
	/* It has everything that the manifests count on, since it is linked behind them. */
	char         name[32];
	struct error absent = {0};
	snprintf(name, sizeof name, "checkpoints/%04u.changes", pin->partition);
	if (status == STATUS_OK && (status = link_file(pin, name, &absent)) == STATUS_NOT_FOUND)
		return STATUS_OK;
	if (absent.status != STATUS_OK && err != NULL)
		*err = absent;
	return status;
}

/* ---- Stored events ---- */

static enum status link_parts(const struct pin *pin, const char *name, unsigned line,
                              struct error *err)
{
	char            from[PATH_MAX], to[PATH_MAX], part[64];
	struct manifest manifest = {0};
	(void)line;
	if (!paths(pin, name, from, to))
		return too_long(pin, err);
	enum status status = manifest_read(to, &manifest, err);
	for (size_t i = 0; i < manifest.parts.count && status == STATUS_OK; i++) {
		snprintf(part, sizeof part, "events/%04u/%016" PRIx64 ".part", pin->partition,
		         manifest.parts.items[i].number);
		status = link_file(pin, part, err);
	}
	manifest_done(&manifest);
	return status;
}

static enum status link_events(const struct pin *pin, struct error *err)
{
	char name[64];
	snprintf(name, sizeof name, "events/%04u", pin->partition);
	enum status status = make_directory(pin, name, err);
	if (status != STATUS_OK)
		return status;
	snprintf(name, sizeof name, "events/%04u/manifest", pin->partition);
	return link_group(pin, name, 0, link_parts, err);
}

/* ---- Dimensions ---- */

/* What the checkpoints of a line count on; not there while there are no rows. */
static enum status link_dimensions(const struct pin *pin, struct error *err)
{
	enum status status = STATUS_OK;
	for (unsigned line = 0; line < CHECKPOINT_LINES && status == STATUS_OK; line++) {
		char         name[DIMENSIONS_PATH_MAX];
		struct error absent = {0};
		dimensions_path(name, "checkpoints", line);
		status = link_file(pin, name, &absent);
		if (status == STATUS_NOT_FOUND)
			status = STATUS_OK;
		else if (status != STATUS_OK && err != NULL)
			*err = absent;
	}
	return status;
}

static bool are_dimensions_same(const struct pin *pin)
{
	bool same = true;
	for (unsigned line = 0; line < CHECKPOINT_LINES; line++) {
		char name[DIMENSIONS_PATH_MAX];
		dimensions_path(name, "checkpoints", line);
		same = same && is_same(pin, name);
	}
	return same;
}

/* ---- The audit trail ---- */

/* Its files are only appended to, and the oldest removed: what is behind the end of a record that
 * was being written is cut off by a start. What is under way at that moment is no matter of whoever
 * restores it. */
static enum status link_audit(const struct pin *pin, struct error *err)
{
	char        from[PATH_MAX], to[PATH_MAX];
	enum status status = make_directory(pin, "audit", err);
	if (status != STATUS_OK)
		return status;
	if (!paths(pin, "audit", from, to))
		return too_long(pin, err);
	DIR *directory = opendir(from);
	if (directory == NULL)
		return errno == ENOENT ? STATUS_OK : file_error(err, errno, "open", from);
	for (struct dirent *entry; status == STATUS_OK && (entry = readdir(directory)) != NULL;) {
		char         name[sizeof entry->d_name + sizeof "audit/"];
		struct error absent = {0};
		if (!text_ends_with(text_of(entry->d_name), TEXT(".jsonl")))
			continue;
		snprintf(name, sizeof name, "audit/%s", entry->d_name);
		status = link_file(pin, name, &absent);
		if (status == STATUS_NOT_FOUND) /* it has become too old since */
			status = STATUS_OK;
		else if (status != STATUS_OK && err != NULL)
			*err = absent;
	}
	closedir(directory);
	return status;
}

/* ---- All ---- */

/* The checkpoints of all partitions with the dimensions that they share: begun anew when these were
 * written meanwhile, since the newer file may lack what the checkpoints linked before it need. */
static enum status link_all_checkpoints(struct pin *pin, uint32_t partition_count,
                                        struct error *err)
{
	for (unsigned i = 0; i < TRIES_MAX; i++) {
		enum status status = link_dimensions(pin, err);
		for (pin->partition = 0; pin->partition < partition_count && status == STATUS_OK;
		     pin->partition++)
			status = link_checkpoints(pin, err);
		if (status != STATUS_OK || are_dimensions_same(pin))
			return status;
	}
	return error_set(err, STATUS_UNAVAILABLE, "dimensions change faster than they can be held");
}

enum status pin_take(const char *data, const uint8_t workspace_id[16], uint32_t partition_count,
                     struct error *err)
{
	struct pin  pin = {.data = data, .workspace_id = workspace_id};
	enum status status;
	if ((status = pin_release(data, err)) != STATUS_OK ||
	    (status = make_directory(&pin, "checkpoints", err)) != STATUS_OK)
		return status;
	/* The stored events of a later moment do no harm: a start takes those it needs. */
	status = link_all_checkpoints(&pin, partition_count, err);
	for (pin.partition = 0; pin.partition < partition_count && status == STATUS_OK; pin.partition++)
		status = link_events(&pin, err);
	return status == STATUS_OK ? link_audit(&pin, err) : status;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)walk;
	return (type == FTW_DP ? rmdir(path) : unlink(path)) != 0;
}

enum status pin_release(const char *data, struct error *err)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof path, "%s/" PIN_DIRECTORY, data) >= PATH_MAX)
		return error_set(err, STATUS_INVALID, "%s: the path is too long", data);
	if (nftw(path, remove_entry, DESCRIPTORS, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
		return STATUS_OK;
	return file_error(err, errno, "remove", path);
}

/* nftw() has no context. */
static _Thread_local struct {
	pin_visit_fn *visit;
	void         *context;
	size_t        skip; /* of the path: "DATA/pinned/" */
	enum status   status;
	struct error *err;
} walk_state;

static int visit_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)walk;
	if (type != FTW_F)
		return 0;
	walk_state.status =
		walk_state.visit(walk_state.context, path + walk_state.skip, path, walk_state.err);
	return walk_state.status != STATUS_OK;
}

enum status pin_each(const char *data, pin_visit_fn *visit, void *context, struct error *err)
{
	char path[PATH_MAX];
	int  length = snprintf(path, sizeof path, "%s/" PIN_DIRECTORY, data);
	if (length >= PATH_MAX)
		return error_set(err, STATUS_INVALID, "%s: the path is too long", data);
	walk_state.visit   = visit;
	walk_state.context = context;
	walk_state.skip    = (size_t)length + 1;
	walk_state.status  = STATUS_OK;
	walk_state.err     = err;
	if (nftw(path, visit_entry, DESCRIPTORS, FTW_PHYS) == 0)
		return STATUS_OK;
	return walk_state.status != STATUS_OK ? walk_state.status
	                                      : file_error(err, errno, "read", path);
}
