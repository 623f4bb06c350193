#include "app/background/audit_kept.h"

static enum status look(void *context, int64_t before_ms, struct retention_look *ret_look,
                        struct error *err)
{
	struct audit_amount all, due;
	(void)err;
	audit_look(context, before_ms, &ret_look->oldest_ms, &all, &due);
	ret_look->all = (struct retention_amount){all.files, all.bytes};
	ret_look->due = (struct retention_amount){due.files, due.bytes};
	return STATUS_OK;
}

static enum status drop(void *context, struct job *job, int64_t before_ms,
                        struct retention_amount *dropped, struct error *err)
{
	struct audit_amount amount = {0};
	enum status         status = audit_drop(context, before_ms, &amount, err);
	job_use_bytes(job, amount.bytes);
	dropped->count += amount.files;
	dropped->bytes += amount.bytes;
	return status;
}

void audit_kept_register(struct retention *retention, struct audit *audit, const int64_t *age_ms)
{
	const struct retention_thing thing = {.name    = "audit",
	                                      .summary = "Files of the audit trail",
	                                      .setting = "audit-retention",
	                                      .age_ms  = age_ms,
	                                      .look    = look,
	                                      .drop    = drop,
	                                      .context = audit};
	retention_register(retention, &thing);
}
