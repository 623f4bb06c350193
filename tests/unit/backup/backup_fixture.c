#include "backup_fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/target_directory.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/instant.h"
#include "store/sqlite.h"

enum { PARTITIONS = 2, JOURNAL_FILE_BYTES = 1 << 20 };

static const uint8_t workspace[16] = {1, 2, 3};
static const char    key[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

static void join(char into[96], const struct backup_fixture *f, const char *name)
{
	snprintf(into, 96, "%s/%s", f->root, name);
}

static struct journal *open_journal(struct backup_fixture *f, const char *data)
{
	char                   path[256];
	struct journal        *journal;
	struct file_log_config config = {
		.directory = path, .file_bytes = JOURNAL_FILE_BYTES, .clock = LOG_CLOCK_MANUAL};
	snprintf(path, sizeof path, "%s/journal", data);
	memcpy(config.workspace_id, workspace, sizeof workspace);
	assert_ok(f, file_log_open(&config, &journal, &f->err));
	return journal;
}

static struct vault *open_vault(struct backup_fixture *f, const char *data)
{
	char                path[256];
	struct vault       *vault;
	struct vault_config config = {
		.directory = path, .keyring_directory = f->keyring, .partition_count = PARTITIONS};
	snprintf(path, sizeof path, "%s/vault", data);
	memcpy(config.workspace_id, workspace, sizeof workspace);
	assert_ok(f, vault_open(&config, &vault, &f->err));
	return vault;
}

static struct store *open_store(struct backup_fixture *f, const char *data)
{
	char          path[256];
	struct store *store;
	snprintf(path, sizeof path, "%s/store.db", data);
	assert_ok(f, sqlite_store_open(path, &store, &f->err));
	return store;
}

void backup_fixture_open(struct backup_fixture *f)
{
	struct backups_config config = {.data = f->data, .settings = &f->settings};
	f->journal = config.journal = open_journal(f, f->data);
	f->vault = config.vault = open_vault(f, f->data);
	f->store = config.store = open_store(f, f->data);
	config.partition_count  = PARTITIONS;
	memcpy(config.workspace_id, workspace, sizeof workspace);
	assert_ok(f, backups_open(&config, &f->backups, &f->err));
}

void backup_fixture_close(struct backup_fixture *f)
{
	backups_close(f->backups);
	f->journal->ops->free(f->journal);
	vault_close(f->vault);
	f->store->ops->free(f->store);
	f->backups = NULL;
}

int backup_fixture_setup(void **state)
{
	struct backup_fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	snprintf(f->root, sizeof f->root, "/tmp/sonnim-backup-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	join(f->data, f, "data");
	join(f->keyring, f, "keyring");
	join(f->place, f, "place");
	join(f->key_file, f, "key");
	join(f->restored, f, "restored");
	assert_ok(f, file_replace(f->key_file, 0600, key, sizeof key - 1, &f->err));
	assert_ok(f, directory_create(f->data, 0700, &f->err));
	f->settings   = (struct backup_settings){.directory           = f->place,
	                                         .key_file            = f->key_file,
	                                         .archive_interval_ms = 3600 * 1000,
	                                         .keep_ms             = 30 * DAY_MS};
	f->stop_after = -1;
	backup_fixture_open(f);
	*state = f;
	return 0;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)type;
	(void)walk;
	return remove(path);
}

int backup_fixture_teardown(void **state)
{
	struct backup_fixture *f = *state;
	if (f->backups != NULL)
		backup_fixture_close(f);
	nftw(f->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	buffer_done(&f->report);
	free(f);
	return 0;
}

/* ---- What is backed up ---- */

static void appended(void *context, enum status status, uint64_t position, int64_t log_time_ms,
                     const struct error *err)
{
	(void)position;
	(void)log_time_ms;
	(void)err;
	__atomic_store_n((int *)context, status == STATUS_OK ? 1 : 2, __ATOMIC_SEQ_CST);
}

void backup_append(struct backup_fixture *f, const char *record, int64_t log_time_ms)
{
	struct buffer bytes = {0};
	int           done  = 0;
	buffer_add_u32(&bytes, (uint32_t)strlen(record));
	buffer_add_text(&bytes, text_of(record));
	struct journal_batch batch = {
		.partition = 1, .record_count = 1, .records = buffer_text(&bytes)};
	assert_ok(f, f->journal->ops->clock_set(f->journal, log_time_ms, &f->err));
	assert_ok(f, f->journal->ops->append(f->journal, &batch, 1, appended, &done, &f->err));
	while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) == 0)
		usleep(100);
	assert_int_equal(done, 1);
	buffer_done(&bytes);
}

static void durable(void *context, enum status status, const struct error *err)
{
	(void)err;
	__atomic_store_n((int *)context, status == STATUS_OK ? 1 : 2, __ATOMIC_SEQ_CST);
}

void backup_user(struct backup_fixture *f, const char *id)
{
	struct vault_id wanted = {VAULT_USER, text_of(id)};
	struct person   person;
	uint64_t        sequence;
	int             done = 0;
	assert_ok(f, vault_resolve(f->vault, &wanted, 1, true, &person, NULL, &sequence, &f->err));
	vault_when_durable(f->vault, sequence, durable, &done);
	while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) == 0)
		usleep(100);
	assert_int_equal(done, 1);
}

void backup_source(struct backup_fixture *f, const char *name)
{
	struct store_source source = {.name = text_of(name), .write_key = text_of(name)};
	uuid_new(source.id);
	assert_ok(f, f->store->ops->source_put(f->store, &source, true, &f->err));
}

void backup_data_file(struct backup_fixture *f, const char *name, const void *bytes, size_t length)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", f->data, name);
	char *slash = strrchr(path, '/');
	*slash      = '\0';
	assert_ok(f, directory_create(path, 0700, &f->err));
	*slash = '/';
	assert_ok(f, file_replace(path, 0600, bytes, length, &f->err));
}

/* ---- Work ---- */

static enum status pace(void *context, uint64_t bytes, struct error *err)
{
	struct backup_fixture *f = context;
	(void)bytes;
	f->paced++;
	return f->stop_after >= 0 && f->paced > f->stop_after
	           ? error_set(err, STATUS_AGAIN, "told to stop")
	           : STATUS_OK;
}

static void tell(void *context, int64_t done, int64_t total, const char *what)
{
	(void)context;
	assert_non_null(what);
	assert_true(total < 0 || done <= total);
}

static struct backup_task task = {.pace = pace, .tell = tell};

const struct backup_task *backup_task_of(struct backup_fixture *f)
{
	task.context = f;
	buffer_clear(&f->report);
	f->paced = 0;
	return &task;
}

enum status backup_take(struct backup_fixture *f)
{
	return backups_take(f->backups, backup_task_of(f), &f->report, &f->err);
}

/* Closing takes a step; the next one goes on from there. */
void backup_step(struct backup_fixture *f)
{
	backup_fixture_close(f);
	backup_fixture_open(f);
}

enum status backup_restore(struct backup_fixture *f, int64_t to_ms,
                           struct restore_report *ret_report)
{
	struct restore_wish wish = {.data = f->restored, .keyring = f->keyring, .to_ms = to_ms};
	struct target      *target;
	struct repository  *repository;
	uint8_t             bytes[CIPHER_KEY_BYTES];
	assert_true(hash_unhex((struct text){key, sizeof key - 2}, bytes, sizeof bytes));
	enum status status = target_directory_open(f->place, false, &target, &f->err);
	if (status == STATUS_OK)
		status = repository_open(target, bytes, false, &repository, &f->err);
	if (status != STATUS_OK)
		return status;
	status = restore_run(repository, &wish, ret_report, &f->err);
	repository_free(repository);
	return status;
}

/* ---- What came of it ---- */

static void collect(void *context, const struct journal_read *read)
{
	struct buffer     *out    = context;
	struct byte_reader reader = byte_reader_of(read->records.data, read->records.length);
	for (uint32_t i = 0; i < read->record_count; i++) {
		struct text record = read_bytes(&reader, read_u32(&reader));
		buffer_printf(out, "%s%.*s", out->length > 0 ? "," : "", TEXT_FORMAT(record));
	}
}

/* Opened once as a server would, then read whole. */
void backup_records(struct backup_fixture *f, const char *data, struct buffer *out)
{
	char                   path[256];
	struct file_log_report report;
	struct journal        *journal = open_journal(f, data);
	journal->ops->free(journal);
	snprintf(path, sizeof path, "%s/journal", data);
	buffer_clear(out);
	assert_ok(f, file_log_verify(path, false, collect, out, &report, &f->err));
	buffer_add_u8(out, '\0');
}

uint64_t backup_users(struct backup_fixture *f, const char *data)
{
	struct vault       *vault = open_vault(f, data);
	struct vault_status status;
	vault_status(vault, &status);
	vault_close(vault);
	return status.persons;
}

size_t backup_sources(struct backup_fixture *f, const char *data)
{
	struct store        *store = open_store(f, data);
	struct store_source *sources;
	size_t               count;
	struct arena         arena;
	arena_init(&arena);
	assert_ok(f, store->ops->source_list(store, &arena, &sources, &count, &f->err));
	arena_done(&arena);
	store->ops->free(store);
	return count;
}

static struct {
	void (*call)(const char *path, void *context);
	void *context;
} walk_state;

static int visit(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)walk;
	if (type == FTW_F)
		walk_state.call(path, walk_state.context);
	return 0;
}

void backup_each_file(const char *directory, void (*call)(const char *path, void *context),
                      void       *context)
{
	walk_state.call    = call;
	walk_state.context = context;
	nftw(directory, visit, 16, FTW_PHYS);
}

static void count_one(const char *path, void *context)
{
	(void)path;
	++*(size_t *)context;
}

size_t backup_count_files(const char *directory)
{
	size_t count = 0;
	backup_each_file(directory, count_one, &count);
	return count;
}
