#include "transfer/audience/audience_members.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/instant.h"

enum { MAGIC = 0x424d4e53 /* "SNMB" */, FILE_BYTES_MAX = 1 << 30 };

/* ---- The file ---- */

static void begin(struct buffer *out, int64_t as_of_ms, uint32_t partition_count)
{
	buffer_add_u32(out, MAGIC);
	buffer_add_i64(out, as_of_ms);
	buffer_add_u32(out, partition_count);
}

static void add(struct buffer *out, uint32_t partition, uint64_t count, struct text slots)
{
	buffer_add_u32(out, partition);
	buffer_add_varint(out, count);
	buffer_add_sized(out, slots);
}

static enum status finish(struct buffer *out, const char *path, struct error *err)
{
	buffer_add_u64(out, hash_bytes(out->data, out->length));
	return file_replace(path, 0600, out->data, out->length, err);
}

static bool read_all(struct audience_members *members, uint32_t partition_count)
{
	struct text bytes = buffer_text(&members->file);
	uint64_t    checksum;
	if (bytes.length < sizeof checksum)
		return false;
	bytes.length -= sizeof checksum;
	memcpy(&checksum, bytes.data + bytes.length, sizeof checksum);
	struct byte_reader reader = byte_reader_of(bytes.data, bytes.length);
	bool valid = checksum == hash_bytes(bytes.data, bytes.length) && read_u32(&reader) == MAGIC;
	members->as_of_ms = read_i64(&reader);
	valid             = valid && read_u32(&reader) == partition_count;
	for (uint32_t i = 0; valid && i < partition_count; i++) {
		valid = read_u32(&reader) == i;
		members->count += read_varint(&reader);
		members->slots[i] = read_sized(&reader);
		valid             = valid && !reader.failed;
	}
	return valid;
}

enum status audience_members_open(const char *path, uint32_t partition_count,
                                  struct audience_members *ret_members, struct error *err)
{
	struct audience_members members = {.partition_count = partition_count};
	enum status             status  = file_read(path, FILE_BYTES_MAX, &members.file, err);
	members.slots                   = calloc(partition_count, sizeof *members.slots);
	if (members.slots == NULL)
		abort();
	if (status == STATUS_OK && !read_all(&members, partition_count))
		status = error_set(err, STATUS_CORRUPT, "%s is damaged", path);
	if (status != STATUS_OK)
		audience_members_done(&members);
	else
		*ret_members = members;
	return status;
}

void audience_members_done(struct audience_members *members)
{
	buffer_done(&members->file);
	free(members->slots);
	*members = (struct audience_members){0};
}

/* ---- A question ---- */

struct question {
	struct job     *job;
	pthread_mutex_t lock;
	pthread_cond_t  over;
	bool            done;
};

static bool is_cancelled(void *context)
{
	const struct question *question = context;
	return job_stopping(question->job) != JOB_GO_ON;
}

static void done(void *context, struct query *query)
{
	struct question *question = context;
	(void)query;
	pthread_mutex_lock(&question->lock);
	question->done = true;
	pthread_cond_signal(&question->over);
	pthread_mutex_unlock(&question->lock);
}

static void wait(struct question *question)
{
	pthread_mutex_lock(&question->lock);
	while (!question->done)
		pthread_cond_wait(&question->over, &question->lock);
	pthread_mutex_unlock(&question->lock);
}

static enum status failure(enum status status, struct error *err)
{
	switch (status) {
	case STATUS_OK:
		return STATUS_OK;
	case STATUS_CONFLICT:
		return error_set(err, STATUS_CONFLICT, "a segment that the audience refers to is not Live");
	case STATUS_CORRUPT:
		return error_set(err, STATUS_CORRUPT, "stored events are damaged");
	default:
		return error_set(err, STATUS_AGAIN, "the members could not be told: %s",
		                 status_code(status));
	}
}

static void write_members(const struct query *query, uint32_t partition_count, struct buffer *out)
{
	struct buffer slots = {0};
	begin(out, query_answer(query)->as_of_ms, partition_count);
	for (uint32_t i = 0; i < partition_count; i++) {
		uint32_t last = UINT32_MAX, slot = 0;
		uint64_t count = 0;
		buffer_clear(&slots);
		for (; query_next_member(query, i, slot, &slot); slot++, count++)
			slot_list_add(&slots, &last, slot);
		add(out, i, count, buffer_text(&slots));
	}
	buffer_done(&slots);
}

enum status audience_members_ask(struct queries *queries, struct text definition, int64_t as_of_ms,
                                 uint32_t partition_count, struct job *job, const char *path,
                                 struct error *err)
{
	struct question   question = {.job = job};
	struct query     *query;
	struct buffer     file = {0};
	struct query_wish wish = {.set_count    = 1,
	                          .sets         = {definition},
	                          .as_of_ms     = as_of_ms,
	                          .members      = true,
	                          .is_cancelled = is_cancelled,
	                          .done         = done,
	                          .context      = &question};
	pthread_mutex_init(&question.lock, NULL);
	pthread_cond_init(&question.over, NULL);
	enum status status = query_start(queries, &wish, &query, err);
	if (status == STATUS_OK) {
		wait(&question);
		status = failure(query_answer(query)->status, err);
		if (status == STATUS_OK) {
			write_members(query, partition_count, &file);
			status = finish(&file, path, err);
		}
		query_free(query);
	}
	buffer_done(&file);
	pthread_cond_destroy(&question.over);
	pthread_mutex_destroy(&question.lock);
	return status;
}

/* ---- A snapshot ---- */

enum status audience_members_copy(struct store *store, struct text audience_id,
                                  uint32_t partition_count, const char *path, struct error *err)
{
	struct store_audience        audience;
	struct store_audience_share *shares;
	size_t                       count = 0;
	struct arena                 arena;
	struct buffer                file = {0};
	arena_init(&arena);
	enum status status = store->ops->audience_get(store, audience_id, &arena, &audience, err);
	if (status == STATUS_OK)
		status = store->ops->audience_members(store, audience_id, &arena, &shares, &count, err);
	if (status == STATUS_OK)
		begin(&file, audience.as_of_ms, partition_count);
	for (uint32_t i = 0, at = 0; status == STATUS_OK && i < partition_count; i++) {
		bool        has   = at < count && shares[at].partition == i;
		uint64_t    some  = has ? shares[at].count : 0;
		struct text slots = has ? shares[at].slots : TEXT("");
		add(&file, i, some, slots);
		at += has;
	}
	if (status == STATUS_OK)
		status = finish(&file, path, err);
	buffer_done(&file);
	arena_done(&arena);
	return status;
}
