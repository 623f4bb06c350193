/* The store of a workspace, and whether the keyring beside it is its own. */

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "app/doctor/doctor.h"
#include "base/hash.h"
#include "store/sqlite.h"
#include "vault/keys_log.h"

static void check_keys(struct findings *findings, const char *keyring,
                       const struct store_workspace *workspace)
{
	char             path[PATH_MAX];
	struct key_entry header;
	uint8_t          id[16];
	struct error     err = {0};
	if (snprintf(path, sizeof path, "%s/keys.log", keyring) >= (int)sizeof path)
		return; /* told of the keyring already */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return; /* likewise, or there is none yet */
	bool whole = pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header;
	close(fd);
	if (whole && uuid_bytes(text_of(workspace->id), id) &&
	    key_entry_check_header(&header, path, id, &err) != STATUS_OK) {
		findings_add(findings, "keyring", DOCTOR_FAILURE, "%s", err.reason);
		findings_advise(findings, "bring the keyring of these data back, as it is now");
	}
}

void doctor_check_store(struct findings *findings, const char *data, const char *keyring)
{
	char                   path[PATH_MAX];
	struct store_workspace workspace;
	struct error           err = {0};
	if (snprintf(path, sizeof path, "%s/store.db", data) >= (int)sizeof path)
		return; /* told of the data already */
	enum status status = sqlite_store_workspace(path, &workspace, &err);
	if (status == STATUS_OK) {
		check_keys(findings, keyring, &workspace);
	} else if (status != STATUS_NOT_FOUND) {
		findings_add(findings, "store", DOCTOR_FAILURE, "%s: %s", path, err.reason);
		findings_advise(findings, "look at the disk, then restore: docs/operations.md");
	}
}
