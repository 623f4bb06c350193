#include "taking.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/instant.h"

enum { PARTITION_COUNT = 16 };

static enum status forget(struct journal *journal, const struct journal_batch *batches,
                          size_t batch_count, journal_appended_fn *appended, void *context,
                          struct error *err)
{
	struct taking *taking = (struct taking *)journal;
	(void)err;
	for (size_t i = 0; i < batch_count; i++) {
		taking->records += batches[i].record_count;
		taking->bytes += batches[i].records.length;
	}
	appended(context, STATUS_OK, taking->records, 0, NULL);
	return STATUS_OK;
}

static int64_t now_ms(struct journal *journal)
{
	(void)journal;
	return clock_wall_ms();
}

static const struct journal_ops forgetful = {
	.name = "forgetful", .append = forget, .log_time_ms = now_ms};

bool taking_begin(struct taking *taking)
{
	struct error err;
	char         vault_path[64], keyring_path[64];
	*taking = (struct taking){.journal = {&forgetful}, .directory = "/tmp/sonnim_bench.XXXXXX"};
	if (mkdtemp(taking->directory) == NULL) {
		perror(taking->directory);
		return false;
	}
	snprintf(vault_path, sizeof vault_path, "%s/vault", taking->directory);
	snprintf(keyring_path, sizeof keyring_path, "%s/keyring", taking->directory);
	const struct vault_config vault = {.directory         = vault_path,
	                                   .keyring_directory = keyring_path,
	                                   .partition_count   = PARTITION_COUNT};
	if (vault_open(&vault, &taking->vault, &err) != STATUS_OK) {
		fprintf(stderr, "%s\n", err.reason);
		return false;
	}
	struct ingest_config config = {.journal         = &taking->journal,
	                               .vault           = taking->vault,
	                               .partition_count = PARTITION_COUNT,
	                               .retention_ms    = 1096 * DAY_MS};
	taking->ingest              = ingest_new(&config);
	taking->thread              = ingest_thread_new(taking->ingest);
	return true;
}

bool taking_end(struct taking *taking)
{
	char command[64];
	vault_close(taking->vault);
	ingest_thread_free(taking->thread);
	ingest_free(taking->ingest);
	snprintf(command, sizeof command, "rm -rf %s", taking->directory);
	return system(command) == 0;
}

double taking_cpu_seconds(void)
{
	struct timespec time;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}
