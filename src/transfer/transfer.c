#include "transfer/transfer.h"

#include "transfer/audience/audience_export.h"
#include "transfer/export/export_job.h"
#include "transfer/import/import_job.h"

void transfer_register(struct transfer *transfer, struct jobs *jobs)
{
	struct job_kind import   = import_kind(transfer);
	struct job_kind export   = export_kind(transfer);
	struct job_kind audience = audience_export_kind(transfer);
	jobs_register(jobs, &import);
	jobs_register(jobs, &export);
	jobs_register(jobs, &audience);
}
