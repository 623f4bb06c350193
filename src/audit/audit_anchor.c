#include "audit/audit_anchor.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum { SLOT_BYTES = 1024, SLOTS = 2 };

static enum status set_path(const char *keyring_directory, char path[4096], struct error *err)
{
	if (snprintf(path, 4096, "%s/audit.head", keyring_directory) >= 4096)
		return error_set(err, STATUS_INVALID, "--keyring: the path is too long");
	return STATUS_OK;
}

/* The newer of those that count, and where it lies; what a torn write has left does not. */
static unsigned choose(const struct buffer *content, const uint8_t *workspace_id,
                       const struct audit_keys *keys, struct audit_head *ret_head)
{
	unsigned found = SLOTS - 1;
	*ret_head      = (struct audit_head){0};
	for (unsigned i = 0; i < SLOTS && (i + 1) * SLOT_BYTES <= content->length; i++) {
		struct audit_head head;
		struct error      ignored;
		struct text       slot = {content->data + i * SLOT_BYTES, SLOT_BYTES};
		if (audit_head_read(slot, &head, &ignored) == STATUS_OK &&
		    (workspace_id == NULL ||
		     memcmp(head.workspace_id, workspace_id, sizeof head.workspace_id) == 0) &&
		    audit_head_verify(&head, keys) && head.seq > ret_head->seq) {
			*ret_head = head;
			found     = i;
		}
	}
	return found;
}

enum status audit_anchor_open(const char *keyring_directory, const uint8_t workspace_id[16],
                              const struct audit_keys *keys, struct audit_anchor *anchor,
                              struct audit_head *ret_head, struct error *err)
{
	struct buffer content = {0};
	*anchor               = (struct audit_anchor){.fd = -1};
	enum status status    = set_path(keyring_directory, anchor->path, err);
	if (status != STATUS_OK)
		return status;
	anchor->fd = open(anchor->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (anchor->fd < 0)
		return file_error(err, errno, "open", anchor->path);
	status = file_read(anchor->path, SLOTS * SLOT_BYTES, &content, err);
	if (status == STATUS_OK)
		anchor->turn = (choose(&content, workspace_id, keys, ret_head) + 1) % SLOTS;
	buffer_done(&content);
	if (status != STATUS_OK)
		audit_anchor_close(anchor);
	return status;
}

void audit_anchor_close(struct audit_anchor *anchor)
{
	if (anchor->fd >= 0)
		close(anchor->fd);
	anchor->fd = -1;
}

enum status audit_anchor_write(struct audit_anchor *anchor, const struct audit_head *head,
                               struct error *err)
{
	struct buffer slot = {0};
	audit_head_write(head, &slot);
	assert(slot.length < SLOT_BYTES);
	memset(buffer_reserve(&slot, SLOT_BYTES - slot.length), ' ', SLOT_BYTES - slot.length);
	slot.data[SLOT_BYTES - 1] = '\n';
	uint64_t    offset        = (uint64_t)anchor->turn * SLOT_BYTES;
	enum status status =
		file_write_at(anchor->fd, slot.data, SLOT_BYTES, offset, anchor->path, err);
	anchor->turn = (anchor->turn + 1) % SLOTS;
	buffer_done(&slot);
	return status;
}

enum status audit_anchor_read(const char *keyring_directory, const uint8_t *workspace_id,
                              const struct audit_keys *keys, struct audit_head *ret_head,
                              struct error *err)
{
	char          path[4096];
	struct buffer content = {0};
	enum status   status  = set_path(keyring_directory, path, err);
	if (status != STATUS_OK ||
	    (status = file_read(path, SLOTS * SLOT_BYTES, &content, err)) != STATUS_OK)
		return status;
	(void)choose(&content, workspace_id, keys, ret_head);
	buffer_done(&content);
	return ret_head->seq > 0 ? STATUS_OK
	                         : error_set(err, STATUS_NOT_FOUND, "%s holds no head", path);
}
