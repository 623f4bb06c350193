#include "backup/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/instant.h"
#include "base/log.h"
#include "journal/file_log.h"
#include "journal/log_file.h"

enum {
	LOOK_MS         = 1000,          /* whether a file of the journal was finished */
	HEARTBEAT_MS    = 5 * 60 * 1000, /* a step also when there is nothing new: it tells the time */
	RETRY_MS        = 5000,
	REST_FACTOR     = 9, /* a step that takes long is followed by a rest: 10 % of the time … */
	REST_MS_MAX     = 3 * 60 * 1000, /* … but never so that five minutes could be lost */
	STORE_RUN_BYTES = 256 << 10,     /* the store changes in places */
	LINEAGE_TEXT    = 2 * LINEAGE_BYTES,
};

struct archive {
	struct archive_config config;
	uint8_t               lineage[LINEAGE_BYTES];
	pthread_t             thread;

	pthread_mutex_t     step_lock; /* over a whole step; the members until the next lock */
	struct archive_step last;      /* link.number 0: none yet */
	bool                store_known;
	uint64_t            store_revision;  /* what last.store holds */
	uint64_t            backup_position; /* held for a backup; UINT64_MAX: none */
	int64_t             rests_until_ms;  /* monotonic */

	pthread_mutex_t       lock;
	pthread_cond_t        wake;
	bool                  stopping;
	struct archive_status status;
};

static enum status path_of(const struct archive *archive, const char *name, char into[PATH_MAX],
                           struct error *err)
{
	if (snprintf(into, PATH_MAX, "%s/%s", archive->config.data, name) >= PATH_MAX)
		return error_set(err, STATUS_INVALID, "%s: the path is too long", archive->config.data);
	return STATUS_OK;
}

/* ---- The lineage ---- */

static enum status new_lineage(struct archive *archive, const char *path, struct error *err)
{
	char text[LINEAGE_TEXT + 2];
	random_bytes(archive->lineage, sizeof archive->lineage);
	hash_hex(archive->lineage, sizeof archive->lineage, text);
	text[LINEAGE_TEXT] = '\n';
	return file_replace(path, 0600, text, LINEAGE_TEXT + 1, err);
}

static enum status find_lineage(struct archive *archive, const char *path, struct error *err)
{
	struct buffer bytes  = {0};
	struct error  absent = {0};
	enum status   status = file_read(path, LINEAGE_TEXT + 2, &bytes, &absent);
	if (status == STATUS_NOT_FOUND)
		status = new_lineage(archive, path, err);
	else if (status != STATUS_OK && err != NULL)
		*err = absent;
	else if (status == STATUS_OK && (bytes.length < LINEAGE_TEXT ||
	                                 !hash_unhex((struct text){bytes.data, LINEAGE_TEXT},
	                                             archive->lineage, sizeof archive->lineage)))
		status =
			error_set(err, STATUS_CORRUPT, "%s: it is damaged; without it a new one begins", path);
	buffer_done(&bytes);
	return status;
}

static enum status find_last(struct archive *archive, struct error *err)
{
	chain_link_list links  = {0};
	enum status     status = chain_list(archive->config.repository, CHAIN_ARCHIVE, &links, err);
	const struct chain_link *last = NULL;
	for (size_t i = 0; i < links.count; i++)
		if (memcmp(links.items[i].lineage, archive->lineage, LINEAGE_BYTES) == 0)
			last = &links.items[i];
	if (status == STATUS_OK && last != NULL)
		status = archive_step_get(archive->config.repository, last, &archive->last, err);
	VECTOR_DONE(&links);
	return status;
}

/* Whether the journal and the vault still have what the last step had, and so go on from it. */
static bool goes_on(struct archive *archive)
{
	const struct archive_step *last = &archive->last;
	struct file_log_extent    *files;
	size_t                     count;
	uint64_t                   position;
	int64_t                    stamp_ms;
	file_log_extents(archive->config.journal, &files, &count, &position, &stamp_ms);
	bool found = false;
	for (size_t i = 0; i < count; i++)
		if (files[i].first_position == last->journal_file && files[i].end >= last->journal_end)
			found = true;
	free(files);
	return found && position >= last->last_position &&
	       vault_durable_bytes(archive->config.vault) >= last->vault_bytes;
}

static enum status find_place(struct archive *archive, struct error *err)
{
	char        path[PATH_MAX];
	enum status status;
	if ((status = path_of(archive, "lineage", path, err)) != STATUS_OK ||
	    (status = find_lineage(archive, path, err)) != STATUS_OK ||
	    (status = find_last(archive, err)) != STATUS_OK)
		return status;
	if (archive->last.link.number == 0 || goes_on(archive))
		return STATUS_OK;
	log_message(LOG_WARNING, "the journal does not go on where its archive ends: a new one begins "
	                         "with the next backup");
	archive_step_done(&archive->last);
	archive->last = (struct archive_step){0};
	return new_lineage(archive, path, err);
}

/* ---- A step ---- */

static void hold(struct archive *archive)
{
	uint64_t position =
		archive->last.link.number == 0 ? UINT64_MAX : archive->last.last_position + 1;
	file_log_hold(archive->config.journal,
	              position < archive->backup_position ? position : archive->backup_position);
}

static enum status read_log(void *source, void *into, size_t length, uint64_t offset,
                            size_t *ret_length, struct error *err)
{
	return log_file_read(source, into, length, offset, ret_length, err);
}

static enum status copy_log(struct copy *copy, const char *directory, uint64_t first_position,
                            uint64_t begin, uint64_t end, struct archive_step *step,
                            struct error *err)
{
	struct log_file     file;
	struct step_journal piece  = {.first_position = first_position};
	enum status         status = log_file_open(directory, first_position, O_RDONLY, &file, err);
	if (status != STATUS_OK)
		return status;
	status = copy_range(copy, read_log, &file, begin, end, OBJECT_BYTES_MAX, &piece.extents, err);
	log_file_close(&file);
	VECTOR_ADD(&step->journal, piece);
	return status;
}

/* What the journal has behind the last step. */
static enum status copy_journal(struct archive *archive, struct copy *copy,
                                const struct file_log_extent *files, size_t count,
                                struct archive_step *step, struct error *err)
{
	char        directory[PATH_MAX];
	enum status status = path_of(archive, "journal", directory, err);
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		const struct archive_step *last  = &archive->last;
		uint64_t                   begin = 0;
		if (files[i].first_position < last->journal_file)
			continue;
		if (files[i].first_position == last->journal_file)
			begin = last->journal_end;
		if (begin < files[i].end)
			status =
				copy_log(copy, directory, files[i].first_position, begin, files[i].end, step, err);
	}
	return status;
}

/* The store as it is now: page by page, so that most runs are those of the step before. */
static enum status copy_store(struct archive *archive, struct copy *copy, struct archive_step *step,
                              struct error *err)
{
	struct store *store    = archive->config.store;
	uint64_t      revision = store->ops->revision(store);
	if (archive->store_known && revision == archive->store_revision) {
		step->store_bytes = archive->last.store_bytes;
		for (size_t i = 0; i < archive->last.store.count; i++)
			VECTOR_ADD(&step->store, archive->last.store.items[i]);
		return STATUS_OK;
	}
	char        path[PATH_MAX];
	struct stat info;
	enum status status = path_of(archive, "store.copy", path, err);
	if (status != STATUS_OK)
		return status;
	(void)unlink(path); /* of a crash */
	if ((status = store->ops->snapshot(store, path, err)) != STATUS_OK)
		return status;
	if (stat(path, &info) != 0)
		status = file_error(err, errno, "find", path);
	step->store_bytes = (uint64_t)info.st_size;
	if (status == STATUS_OK)
		status = copy_file(copy, path, 0, step->store_bytes, STORE_RUN_BYTES, &step->store, err);
	(void)unlink(path);
	archive->store_revision = revision;
	archive->store_known    = false; /* until the step is there */
	return status;
}

static enum status fill_step(struct archive *archive, struct copy *copy,
                             const struct file_log_extent *files, size_t count,
                             struct archive_step *step, struct error *err)
{
	char        persons[PATH_MAX];
	bool        first  = archive->last.link.number == 0;
	enum status status = path_of(archive, "vault/persons.log", persons, err);
	if (status == STATUS_OK && !first)
		status = copy_journal(archive, copy, files, count, step, err);
	if (status == STATUS_OK && !first && archive->last.vault_bytes < step->vault_bytes)
		status = copy_file(copy, persons, archive->last.vault_bytes, step->vault_bytes,
		                   OBJECT_BYTES_MAX, &step->vault, err);
	return status == STATUS_OK ? copy_store(archive, copy, step, err) : status;
}

static void note(struct archive *archive, enum status status, const struct copy *copy, bool stepped,
                 int64_t asked_ms)
{
	pthread_mutex_lock(&archive->lock);
	archive->status.failing = status != STATUS_OK;
	archive->status.failures += status != STATUS_OK;
	archive->status.steps += stepped;
	archive->status.bytes += copy->read_bytes;
	archive->status.stored += copy->stored_bytes;
	archive->status.begun = archive->last.link.number > 0;
	if (status == STATUS_OK)
		archive->status.archived_ms = asked_ms;
	pthread_mutex_unlock(&archive->lock);
}

static bool is_news(struct archive *archive, const struct archive_step *step)
{
	const struct archive_step *last  = &archive->last;
	struct store              *store = archive->config.store;
	return step->journal_file != last->journal_file || step->journal_end != last->journal_end ||
	       step->vault_bytes != last->vault_bytes || !archive->store_known ||
	       store->ops->revision(store) != archive->store_revision ||
	       step->wall_ms - last->wall_ms >= HEARTBEAT_MS;
}

/* With step_lock held. `force`: also when there is nothing new. */
static enum status take(struct archive *archive, bool force, struct error *err)
{
	const struct archive_config *config   = &archive->config;
	int64_t                      asked_ms = clock_monotonic_ms();
	struct copy                  copy     = {.repository = config->repository};
	struct archive_step          step     = {.wall_ms = clock_wall_ms()};
	struct file_log_extent      *files;
	size_t                       count;
	memcpy(step.link.lineage, archive->lineage, LINEAGE_BYTES);
	memcpy(step.workspace_id, config->workspace_id, sizeof step.workspace_id);
	step.link.number = archive->last.link.number + 1;
	step.clock_ms    = config->journal->ops->log_time_ms(config->journal);
	file_log_extents(config->journal, &files, &count, &step.last_position, &step.last_ms);
	step.journal_file = files[count - 1].first_position;
	step.journal_end  = files[count - 1].end;
	step.vault_bytes  = vault_durable_bytes(config->vault);

	enum status status = STATUS_OK;
	bool        news   = force || is_news(archive, &step);
	if (news)
		status = fill_step(archive, &copy, files, count, &step, err);
	if (news && status == STATUS_OK)
		status = archive_step_put(config->repository, &step, err);
	if (news && status == STATUS_OK) {
		archive_step_done(&archive->last);
		archive->last        = step;
		archive->store_known = true;
		hold(archive);
	} else {
		archive_step_done(&step);
	}
	free(files);
	/* It was put and could not be read back, or another process has this lineage. */
	if (status == STATUS_CONFLICT) {
		archive_step_done(&archive->last);
		archive->last        = (struct archive_step){0};
		archive->store_known = false;
		struct error ignored;
		(void)find_place(archive, &ignored);
	}
	note(archive, status, &copy, news && status == STATUS_OK, asked_ms);
	return status;
}

/* ---- For backups ---- */

void archive_begin(struct archive *archive) { pthread_mutex_lock(&archive->step_lock); }
void archive_end(struct archive *archive) { pthread_mutex_unlock(&archive->step_lock); }

enum status archive_take(struct archive *archive, uint64_t held_position,
                         const struct archive_step **ret_step, struct error *err)
{
	archive->backup_position = held_position;
	hold(archive);
	enum status status = take(archive, true, err);
	if (status == STATUS_OK)
		*ret_step = &archive->last;
	return status;
}

void archive_release(struct archive *archive)
{
	archive_begin(archive);
	archive->backup_position = UINT64_MAX;
	hold(archive);
	archive_end(archive);
}

const uint8_t *archive_lineage(const struct archive *archive) { return archive->lineage; }

void archive_status(struct archive *archive, struct archive_status *ret_status)
{
	pthread_mutex_lock(&archive->lock);
	*ret_status = archive->status;
	pthread_mutex_unlock(&archive->lock);
}

/* ---- The thread ---- */

/* Whether a file of the journal was finished since the last step. */
static bool file_finished(struct archive *archive)
{
	struct file_log_extent *files;
	size_t                  count;
	uint64_t                position;
	int64_t                 stamp_ms;
	file_log_extents(archive->config.journal, &files, &count, &position, &stamp_ms);
	bool finished = files[count - 1].first_position != archive->last.journal_file;
	free(files);
	return finished;
}

/* The whole store is copied where it has changed, which takes a while where it is large. */
static void rest(struct archive *archive, int64_t began_ms)
{
	int64_t now_ms          = clock_monotonic_ms();
	int64_t rest_ms         = (now_ms - began_ms) * REST_FACTOR;
	archive->rests_until_ms = now_ms + (rest_ms < REST_MS_MAX ? rest_ms : REST_MS_MAX);
}

/* When the next attempt is due, monotonic. */
static int64_t attempt(struct archive *archive, int64_t due_ms)
{
	struct error err    = {0};
	int64_t      now_ms = clock_monotonic_ms();
	pthread_mutex_lock(&archive->lock);
	bool failing = archive->status.failing;
	pthread_mutex_unlock(&archive->lock);
	archive_begin(archive);
	if (archive->last.link.number > 0 && now_ms >= archive->rests_until_ms &&
	    (now_ms >= due_ms || (!failing && file_finished(archive)))) {
		enum status status = take(archive, false, &err);
		rest(archive, now_ms);
		due_ms = now_ms + archive->config.interval_ms;
		if (status != STATUS_OK && due_ms > now_ms + RETRY_MS)
			due_ms = now_ms + RETRY_MS;
		if (status != STATUS_OK && !failing)
			log_error("the journal cannot be archived", &err);
		if (status == STATUS_OK && failing)
			log_message(LOG_INFO, "the journal is archived again");
	}
	archive_end(archive);
	return due_ms;
}

static void *run(void *context)
{
	struct archive *archive = context;
	int64_t         due_ms  = 0;
	pthread_mutex_lock(&archive->lock);
	while (!archive->stopping) {
		pthread_mutex_unlock(&archive->lock);
		due_ms                = attempt(archive, due_ms);
		struct timespec until = clock_deadline(LOOK_MS);
		pthread_mutex_lock(&archive->lock);
		if (!archive->stopping)
			pthread_cond_timedwait(&archive->wake, &archive->lock, &until);
	}
	pthread_mutex_unlock(&archive->lock);
	return NULL;
}

enum status archive_open(const struct archive_config *config, struct archive **ret_archive,
                         struct error *err)
{
	struct archive *archive = calloc(1, sizeof *archive);
	if (archive == NULL)
		abort();
	archive->config          = *config;
	archive->backup_position = UINT64_MAX;
	enum status status       = find_place(archive, err);
	if (status != STATUS_OK) {
		free(archive);
		return status;
	}
	archive->status.begun = archive->last.link.number > 0;
	pthread_mutex_init(&archive->step_lock, NULL);
	pthread_mutex_init(&archive->lock, NULL);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&archive->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	hold(archive);
	if (pthread_create(&archive->thread, NULL, run, archive) != 0)
		abort();
	*ret_archive = archive;
	return STATUS_OK;
}

void archive_close(struct archive *archive)
{
	if (archive == NULL)
		return;
	pthread_mutex_lock(&archive->lock);
	archive->stopping = true;
	pthread_cond_signal(&archive->wake);
	pthread_mutex_unlock(&archive->lock);
	pthread_join(archive->thread, NULL);
	archive->rests_until_ms = 0;
	(void)attempt(archive, 0); /* what came since; a failure is told there */
	archive_step_done(&archive->last);
	pthread_mutex_destroy(&archive->step_lock);
	pthread_mutex_destroy(&archive->lock);
	pthread_cond_destroy(&archive->wake);
	free(archive);
}
