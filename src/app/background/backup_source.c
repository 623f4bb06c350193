#include "app/background/backup_source.h"

static enum status list(void *context, struct arena *arena, struct api_backup **ret_backups,
                        size_t *ret_count, struct error *err)
{
	struct backup_entry *entries;
	size_t               count;
	enum status          status = backups_list(context, arena, &entries, &count, err);
	if (status != STATUS_OK)
		return status;
	struct api_backup *rows = ARENA_ARRAY(arena, struct api_backup, count);
	for (size_t i = 0; i < count; i++)
		rows[i] = (struct api_backup){.id            = entries[i].id,
		                              .begun_ms      = entries[i].begun_ms,
		                              .finished_ms   = entries[i].finished_ms,
		                              .clock_ms      = entries[i].clock_ms,
		                              .last_position = entries[i].last_position,
		                              .files         = entries[i].files,
		                              .bytes         = entries[i].bytes,
		                              .new_bytes     = entries[i].new_bytes,
		                              .stored_bytes  = entries[i].stored_bytes,
		                              .damaged       = entries[i].damaged};
	*ret_backups = rows;
	*ret_count   = count;
	return STATUS_OK;
}

static void write_metrics(void *context, struct buffer *out)
{
	backups_write_metrics(context, out);
}

struct api_backups backup_source_of(struct backups *backups)
{
	return (struct api_backups){.context = backups, .list = list, .write_metrics = write_metrics};
}
