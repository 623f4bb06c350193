#include "backup/chain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { FORMAT_VERSION = 1, NUMBER_DIGITS = 20 };

/* ---- Names ---- */

void chain_name(const char *folder, const struct chain_link *link, char ret_name[CHAIN_NAME_BYTES])
{
	char lineage[2 * LINEAGE_BYTES + 1];
	hash_hex(link->lineage, LINEAGE_BYTES, lineage);
	snprintf(ret_name, CHAIN_NAME_BYTES, "%s/%s-%0*" PRIu64, folder, lineage, NUMBER_DIGITS,
	         link->number);
}

static bool parse_name(const char *name, struct chain_link *ret_link)
{
	const char *at = strchr(name, '/');
	if (at == NULL || strlen(++at) != 2 * LINEAGE_BYTES + 1 + NUMBER_DIGITS ||
	    at[2 * LINEAGE_BYTES] != '-' ||
	    !hash_unhex((struct text){at, 2 * LINEAGE_BYTES}, ret_link->lineage, LINEAGE_BYTES))
		return false;
	char *end;
	ret_link->number = strtoull(at + 2 * LINEAGE_BYTES + 1, &end, 10);
	return *end == '\0' && ret_link->number > 0;
}

static enum status add_link(void *context, const char *name, struct error *err)
{
	struct chain_link link;
	chain_link_list  *links = context;
	(void)err;
	if (parse_name(name, &link)) /* others are not ours */
		VECTOR_ADD(links, link);
	return STATUS_OK;
}

static int compare(const void *a, const void *b)
{
	const struct chain_link *left  = a;
	const struct chain_link *right = b;
	int                      order = memcmp(left->lineage, right->lineage, LINEAGE_BYTES);
	return order != 0 ? order : (left->number > right->number) - (left->number < right->number);
}

enum status chain_list(struct repository *repository, const char *folder,
                       chain_link_list *ret_links, struct error *err)
{
	struct target  *target = repository_target(repository);
	chain_link_list links  = {0};
	enum status     status = target->ops->each(target, folder, add_link, &links, err);
	if (status != STATUS_OK) {
		VECTOR_DONE(&links);
		return status;
	}
	if (links.count > 0)
		qsort(links.items, links.count, sizeof links.items[0], compare);
	*ret_links = links;
	return STATUS_OK;
}

/* ---- Documents ---- */

static void write_head(const struct chain_link *link, const uint8_t workspace_id[16],
                       struct buffer *out)
{
	buffer_add_u32(out, FORMAT_VERSION);
	buffer_add(out, link->lineage, LINEAGE_BYTES);
	buffer_add_u64(out, link->number);
	buffer_add(out, workspace_id, 16);
}

/* False: of a newer version, or of another place. */
static bool read_head(struct byte_reader *reader, const struct chain_link *expected,
                      struct chain_link *link, uint8_t workspace_id[16])
{
	uint32_t version = read_u32(reader);
	read_fixed(reader, link->lineage, LINEAGE_BYTES);
	link->number = read_u64(reader);
	read_fixed(reader, workspace_id, 16);
	return version == FORMAT_VERSION && compare(link, expected) == 0;
}

static enum status put_document(struct repository *repository, const char *folder,
                                const struct chain_link *link, const struct buffer *content,
                                struct error *err)
{
	char name[CHAIN_NAME_BYTES];
	chain_name(folder, link, name);
	return repository_put_document(repository, name, buffer_text(content), err);
}

static enum status get_document(struct repository *repository, const char *folder,
                                const struct chain_link *link, struct buffer *content,
                                struct error *err)
{
	char name[CHAIN_NAME_BYTES];
	chain_name(folder, link, name);
	return repository_get_document(repository, name, content, err);
}

static enum status malformed(const char *folder, const struct chain_link *link, struct error *err)
{
	char name[CHAIN_NAME_BYTES];
	chain_name(folder, link, name);
	return error_set(err, STATUS_CORRUPT, "%s: it is malformed, or of a newer version", name);
}

/* ---- Steps ---- */

void archive_step_done(struct archive_step *step)
{
	for (size_t i = 0; i < step->journal.count; i++)
		VECTOR_DONE(&step->journal.items[i].extents);
	VECTOR_DONE(&step->journal);
	VECTOR_DONE(&step->vault);
	VECTOR_DONE(&step->store);
}

enum status archive_step_put(struct repository *repository, const struct archive_step *step,
                             struct error *err)
{
	struct buffer out = {0};
	write_head(&step->link, step->workspace_id, &out);
	buffer_add_i64(&out, step->wall_ms);
	buffer_add_i64(&out, step->clock_ms);
	buffer_add_u64(&out, step->last_position);
	buffer_add_i64(&out, step->last_ms);
	buffer_add_u64(&out, step->journal_file);
	buffer_add_u64(&out, step->journal_end);
	buffer_add_u64(&out, step->vault_bytes);
	buffer_add_u64(&out, step->store_bytes);
	buffer_add_varint(&out, step->journal.count);
	for (size_t i = 0; i < step->journal.count; i++) {
		buffer_add_u64(&out, step->journal.items[i].first_position);
		extents_write(&step->journal.items[i].extents, &out);
	}
	extents_write(&step->vault, &out);
	extents_write(&step->store, &out);
	enum status status = put_document(repository, CHAIN_ARCHIVE, &step->link, &out, err);
	buffer_done(&out);
	return status;
}

static bool read_step(struct byte_reader *reader, const struct chain_link *expected,
                      struct archive_step *step)
{
	if (!read_head(reader, expected, &step->link, step->workspace_id))
		return false;
	step->wall_ms       = read_i64(reader);
	step->clock_ms      = read_i64(reader);
	step->last_position = read_u64(reader);
	step->last_ms       = read_i64(reader);
	step->journal_file  = read_u64(reader);
	step->journal_end   = read_u64(reader);
	step->vault_bytes   = read_u64(reader);
	step->store_bytes   = read_u64(reader);
	uint64_t count      = read_varint(reader);
	for (uint64_t i = 0; i < count && !reader->failed; i++) {
		struct step_journal file = {.first_position = read_u64(reader)};
		extents_read(reader, &file.extents);
		VECTOR_ADD(&step->journal, file);
	}
	return extents_read(reader, &step->vault) && extents_read(reader, &step->store) &&
	       read_left(reader) == 0;
}

enum status archive_step_get(struct repository *repository, const struct chain_link *link,
                             struct archive_step *ret_step, struct error *err)
{
	struct buffer       content = {0};
	struct archive_step step    = {0};
	enum status         status  = get_document(repository, CHAIN_ARCHIVE, link, &content, err);
	if (status == STATUS_OK) {
		struct byte_reader reader = byte_reader_of(content.data, content.length);
		if (!read_step(&reader, link, &step))
			status = malformed(CHAIN_ARCHIVE, link, err);
	}
	buffer_done(&content);
	if (status != STATUS_OK) {
		archive_step_done(&step);
		return status;
	}
	*ret_step = step;
	return STATUS_OK;
}

/* ---- Backups ---- */

void backup_summary_done(struct backup_summary *summary) { VECTOR_DONE(&summary->list); }

enum status backup_summary_put(struct repository *repository, const struct backup_summary *summary,
                               struct error *err)
{
	struct buffer out = {0};
	write_head(&summary->link, summary->workspace_id, &out);
	buffer_add_i64(&out, summary->begun_ms);
	buffer_add_i64(&out, summary->finished_ms);
	buffer_add_i64(&out, summary->clock_ms);
	buffer_add_u64(&out, summary->last_position);
	buffer_add_u64(&out, summary->files);
	buffer_add_u64(&out, summary->bytes);
	buffer_add_u64(&out, summary->new_bytes);
	buffer_add_u64(&out, summary->stored_bytes);
	extents_write(&summary->list, &out);
	enum status status = put_document(repository, CHAIN_BACKUPS, &summary->link, &out, err);
	buffer_done(&out);
	return status;
}

static bool read_summary(struct byte_reader *reader, const struct chain_link *expected,
                         struct backup_summary *summary)
{
	if (!read_head(reader, expected, &summary->link, summary->workspace_id))
		return false;
	summary->begun_ms      = read_i64(reader);
	summary->finished_ms   = read_i64(reader);
	summary->clock_ms      = read_i64(reader);
	summary->last_position = read_u64(reader);
	summary->files         = read_u64(reader);
	summary->bytes         = read_u64(reader);
	summary->new_bytes     = read_u64(reader);
	summary->stored_bytes  = read_u64(reader);
	return extents_read(reader, &summary->list) && read_left(reader) == 0;
}

enum status backup_summary_get(struct repository *repository, const struct chain_link *link,
                               struct backup_summary *ret_summary, struct error *err)
{
	struct buffer         content = {0};
	struct backup_summary summary = {0};
	enum status           status  = get_document(repository, CHAIN_BACKUPS, link, &content, err);
	if (status == STATUS_OK) {
		struct byte_reader reader = byte_reader_of(content.data, content.length);
		if (!read_summary(&reader, link, &summary))
			status = malformed(CHAIN_BACKUPS, link, err);
	}
	buffer_done(&content);
	if (status != STATUS_OK) {
		backup_summary_done(&summary);
		return status;
	}
	*ret_summary = summary;
	return STATUS_OK;
}

static enum status read_memory(void *source, void *into, size_t length, uint64_t offset,
                               size_t *ret_length, struct error *err)
{
	const struct buffer *bytes = source;
	(void)err;
	memcpy(into, bytes->data + offset, length);
	*ret_length = length;
	return STATUS_OK;
}

enum status backup_list_put(struct copy *copy, const backup_file_list *files, extent_list *ret_list,
                            struct error *err)
{
	struct buffer bytes = {0};
	extent_list   list  = {0};
	backup_files_write(files, &bytes);
	enum status status =
		copy_range(copy, read_memory, &bytes, 0, bytes.length, OBJECT_BYTES_MAX, &list, err);
	buffer_done(&bytes);
	if (status == STATUS_OK)
		*ret_list = list;
	else
		VECTOR_DONE(&list);
	return status;
}

enum status backup_list_get(struct repository *repository, const struct backup_summary *summary,
                            backup_file_list *ret_files, struct error *err)
{
	struct buffer bytes  = {0};
	enum status   status = STATUS_OK;
	for (size_t i = 0; i < summary->list.count && status == STATUS_OK; i++)
		status = repository_get(repository, &summary->list.items[i].id, &bytes, err);
	if (status == STATUS_OK && !backup_files_read(buffer_text(&bytes), ret_files))
		status = malformed(CHAIN_BACKUPS, &summary->link, err);
	buffer_done(&bytes);
	return status;
}
