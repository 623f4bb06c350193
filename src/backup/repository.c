#include "backup/repository.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/hash.h"

static const char head_name[]      = "repository";
static const char object_folder[]  = "objects/";
static const char damaged_folder[] = "damaged/";

enum { FORMAT_VERSION = 1, CONTENT_HEAD_BYTES = 8, NAME_BYTES_MAX = 256 };

#define HEAD_MAGIC UINT64_C(0x4b424d494e4e4f53) /* "SONNIMBK" */

/* The document that says what the target is: not sealed, since it holds what unseals the others. */
struct head {
	uint64_t magic;
	uint32_t version;
	uint32_t zero;
	uint8_t  id[REPOSITORY_ID_BYTES];
	uint8_t  wrapped[CIPHER_WRAPPED_BYTES];
	uint64_t checksum;
};
_Static_assert(sizeof(struct head) == 80, "as in docs/formats/backup.md");

/* Before every content, within the seal. */
struct content_head {
	uint32_t bytes;  /* of the content as it was */
	uint8_t  packed; /* a zstd frame follows, else the content */
	uint8_t  zero[3];
};
_Static_assert(sizeof(struct content_head) == CONTENT_HEAD_BYTES, "as in docs/formats/backup.md");

struct keys {
	uint8_t data[CIPHER_KEY_BYTES];
	uint8_t names[CIPHER_KEY_BYTES];
	uint8_t seals[CIPHER_KEY_BYTES];
};

struct repository {
	struct target *target;
	struct keys   *keys; /* locked memory, wiped */
	uint8_t        id[REPOSITORY_ID_BYTES];
};

/* ---- Names ---- */

void object_name(const struct object_id *id, char ret_name[OBJECT_NAME_BYTES])
{
	memcpy(ret_name, object_folder, sizeof object_folder - 1);
	hash_hex(id->bytes, sizeof id->bytes, ret_name + sizeof object_folder - 1);
}

bool object_id_of_name(const char *name, struct object_id *ret_id)
{
	size_t folder = sizeof object_folder - 1;
	return strncmp(name, object_folder, folder) == 0 &&
	       hash_unhex(text_of(name + folder), ret_id->bytes, sizeof ret_id->bytes);
}

struct object_id repository_id_of(const struct repository *repository, struct text content)
{
	struct object_id id;
	int result = crypto_generichash(id.bytes, sizeof id.bytes, (const uint8_t *)content.data,
	                                content.length, repository->keys->names, CIPHER_KEY_BYTES);
	assert(result == 0);
	(void)result;
	return id;
}

/* What is authenticated with an object. */
static uint64_t number_of(const struct object_id *id)
{
	uint64_t number;
	memcpy(&number, id->bytes, sizeof number);
	return number;
}

/* ---- Opening ---- */

static void derive(struct keys *keys)
{
	static const char names[] = "sonnim backup: names";
	static const char seals[] = "sonnim backup: seals";
	crypto_generichash(keys->names, CIPHER_KEY_BYTES, (const uint8_t *)names, sizeof names - 1,
	                   keys->data, CIPHER_KEY_BYTES);
	crypto_generichash(keys->seals, CIPHER_KEY_BYTES, (const uint8_t *)seals, sizeof seals - 1,
	                   keys->data, CIPHER_KEY_BYTES);
}

static enum status make_head(struct repository *repository, const uint8_t key[CIPHER_KEY_BYTES],
                             struct error *err)
{
	struct head head = {.magic = HEAD_MAGIC, .version = FORMAT_VERSION};
	random_bytes(head.id, sizeof head.id);
	cipher_random(repository->keys->data, CIPHER_KEY_BYTES);
	cipher_wrap(key, repository->keys->data, head.wrapped);
	head.checksum = hash_bytes(&head, offsetof(struct head, checksum));
	memcpy(repository->id, head.id, sizeof head.id);
	return repository->target->ops->put(repository->target, head_name,
	                                    (struct text){(const char *)&head, sizeof head}, err);
}

static enum status read_head(struct repository *repository, const uint8_t key[CIPHER_KEY_BYTES],
                             struct text bytes, struct error *err)
{
	struct head head;
	if (bytes.length != sizeof head)
		return error_set(err, STATUS_CORRUPT, "%s: it has not the length that it must have",
		                 head_name);
	memcpy(&head, bytes.data, sizeof head);
	if (head.magic != HEAD_MAGIC ||
	    head.checksum != hash_bytes(&head, offsetof(struct head, checksum)))
		return error_set(err, STATUS_CORRUPT, "%s: it is damaged, or not of Sonnim", head_name);
	if (head.version != FORMAT_VERSION)
		return error_set(err, STATUS_UNSUPPORTED, "%s: format version %u is not known", head_name,
		                 head.version);
	if (!cipher_unwrap(key, head.wrapped, repository->keys->data))
		return error_set(err, STATUS_FORBIDDEN,
		                 "the backup key is not the one that these backups were made with");
	memcpy(repository->id, head.id, sizeof head.id);
	return STATUS_OK;
}

static enum status open_head(struct repository *repository, const uint8_t key[CIPHER_KEY_BYTES],
                             bool write, struct error *err)
{
	struct target *target  = repository->target;
	struct buffer  bytes   = {0};
	struct error   failure = {0};
	enum status status = target->ops->get(target, head_name, sizeof(struct head), &bytes, &failure);
	if (status == STATUS_OK)
		status = read_head(repository, key, buffer_text(&bytes), &failure);
	else if (status == STATUS_NOT_FOUND && write)
		status = make_head(repository, key, &failure);
	else if (status == STATUS_NOT_FOUND)
		status = error_set(&failure, STATUS_NOT_FOUND, "there are no backups in this place");
	if (status != STATUS_OK && err != NULL)
		*err = failure;
	buffer_done(&bytes);
	return status;
}

enum status repository_open(struct target *target, const uint8_t key[CIPHER_KEY_BYTES], bool write,
                            struct repository **ret_repository, struct error *err)
{
	struct repository *repository = calloc(1, sizeof *repository);
	if (repository == NULL || sodium_init() < 0 ||
	    (repository->keys = sodium_malloc(sizeof *repository->keys)) == NULL)
		abort();
	repository->target = target;
	enum status status = open_head(repository, key, write, err);
	if (status != STATUS_OK) {
		repository_free(repository);
		return status;
	}
	derive(repository->keys);
	*ret_repository = repository;
	return STATUS_OK;
}

void repository_free(struct repository *repository)
{
	if (repository == NULL)
		return;
	repository->target->ops->free(repository->target);
	sodium_free(repository->keys);
	free(repository);
}

struct target *repository_target(struct repository *repository) { return repository->target; }

const uint8_t *repository_id(const struct repository *repository) { return repository->id; }

/* ---- Contents ---- */

/* head │ content or zstd frame, into an empty buffer. */
static void pack(struct text content, struct buffer *out)
{
	struct content_head head   = {.bytes = (uint32_t)content.length, .packed = 1};
	size_t              bound  = ZSTD_compressBound(content.length);
	char               *packed = buffer_reserve(out, sizeof head + bound) + sizeof head;
	size_t length = ZSTD_compress(packed, bound, content.data, content.length, REPOSITORY_LEVEL);
	if (ZSTD_isError(length) || length >= content.length) {
		head.packed = 0;
		length      = content.length;
		if (length > 0)
			memcpy(packed, content.data, length);
	}
	memcpy(out->data, &head, sizeof head);
	out->length = sizeof head + length;
}

static enum status unpack(struct text plain, size_t bytes_max, const char *name, struct buffer *out,
                          struct error *err)
{
	struct content_head head = {0};
	if (plain.length >= sizeof head)
		memcpy(&head, plain.data, sizeof head);
	struct text content = {plain.data + sizeof head, plain.length - sizeof head};
	bool        good    = plain.length >= sizeof head && head.bytes <= bytes_max;
	if (good && head.packed == 0) {
		good = content.length == head.bytes;
		if (good)
			buffer_add_text(out, content);
	} else if (good) {
		char  *into   = buffer_reserve(out, head.bytes);
		size_t length = ZSTD_decompress(into, head.bytes, content.data, content.length);
		good          = !ZSTD_isError(length) && length == head.bytes;
		out->length += good ? length : 0;
	}
	return good ? STATUS_OK
	            : error_set(err, STATUS_CORRUPT, "%s: what it holds makes no sense", name);
}

static void seal(const struct repository *repository, struct text purpose, uint64_t number,
                 struct text content, struct buffer *out)
{
	struct buffer plain = {0};
	pack(content, &plain);
	char *into = buffer_reserve(out, plain.length + CIPHER_EXTRA_BYTES);
	cipher_seal(repository->keys->seals, purpose, number, buffer_text(&plain), (uint8_t *)into);
	out->length += plain.length + CIPHER_EXTRA_BYTES;
	buffer_done(&plain);
}

static enum status unseal(const struct repository *repository, struct text purpose, uint64_t number,
                          const char *name, size_t bytes_max, struct buffer *out, struct error *err)
{
	struct target *target = repository->target;
	struct buffer  sealed = {0}, plain = {0};
	enum status    status = target->ops->get(
		   target, name, bytes_max + CONTENT_HEAD_BYTES + CIPHER_EXTRA_BYTES, &sealed, err);
	if (status == STATUS_TOO_LARGE)
		status = error_set(err, STATUS_CORRUPT, "%s: it is larger than any", name);
	if (status == STATUS_OK && sealed.length < CIPHER_EXTRA_BYTES)
		status = error_set(err, STATUS_CORRUPT, "%s: it is cut off", name);
	if (status == STATUS_OK) {
		size_t length = sealed.length - CIPHER_EXTRA_BYTES;
		char  *into   = buffer_reserve(&plain, length);
		plain.length  = length;
		if (!cipher_open(repository->keys->seals, purpose, number, buffer_text(&sealed),
		                 (uint8_t *)into))
			status = error_set(err, STATUS_CORRUPT, "%s: it is damaged", name);
	}
	if (status == STATUS_OK)
		status = unpack(buffer_text(&plain), bytes_max, name, out, err);
	buffer_done(&sealed);
	buffer_done(&plain);
	return status;
}

/* ---- Objects ---- */

enum status repository_get(struct repository *repository, const struct object_id *id,
                           struct buffer *out, struct error *err)
{
	char   name[OBJECT_NAME_BYTES];
	size_t begin = out->length;
	object_name(id, name);
	enum status status =
		unseal(repository, TEXT("object"), number_of(id), name, OBJECT_BYTES_MAX, out, err);
	if (status == STATUS_NOT_FOUND)
		status = error_set(err, STATUS_NOT_FOUND, "%s: it is missing", name);
	if (status != STATUS_OK)
		return status;
	struct object_id found =
		repository_id_of(repository, (struct text){out->data + begin, out->length - begin});
	if (memcmp(&found, id, sizeof found) == 0)
		return STATUS_OK;
	out->length = begin;
	return error_set(err, STATUS_CORRUPT, "%s: it holds another content", name);
}

enum status repository_has(struct repository *repository, const struct object_id *id,
                           struct error *err)
{
	char     name[OBJECT_NAME_BYTES];
	uint64_t bytes;
	object_name(id, name);
	return repository->target->ops->size(repository->target, name, &bytes, err);
}

static enum status store(struct repository *repository, const struct object_id *id,
                         struct text content, uint64_t *ret_stored_bytes, struct error *err)
{
	char          name[OBJECT_NAME_BYTES];
	struct buffer bytes = {0};
	object_name(id, name);
	seal(repository, TEXT("object"), number_of(id), content, &bytes);
	*ret_stored_bytes = bytes.length;
	enum status status =
		repository->target->ops->put(repository->target, name, buffer_text(&bytes), err);
	buffer_clear(&bytes);
	if (status == STATUS_CONFLICT) /* another thread was faster */
		status = STATUS_OK;
	if (status == STATUS_OK)
		status = repository_get(repository, id, &bytes, err);
	buffer_done(&bytes);
	return status;
}

enum status repository_put(struct repository *repository, struct text content,
                           struct object_id *ret_id, uint64_t *ret_stored_bytes, struct error *err)
{
	assert(content.length > 0 && content.length <= OBJECT_BYTES_MAX);
	struct object_id id     = repository_id_of(repository, content);
	struct error     absent = {0};
	uint64_t         stored = 0;
	enum status      status = repository_has(repository, &id, &absent);
	if (status == STATUS_NOT_FOUND)
		status = store(repository, &id, content, &stored, err);
	else if (status != STATUS_OK && err != NULL)
		*err = absent;
	if (status != STATUS_OK)
		return status;
	*ret_id           = id;
	*ret_stored_bytes = stored;
	return STATUS_OK;
}

enum status repository_set_aside(struct repository *repository, const struct object_id *id,
                                 struct error *err)
{
	char name[OBJECT_NAME_BYTES], to[NAME_BYTES_MAX];
	object_name(id, name);
	snprintf(to, sizeof to, "%s%s", damaged_folder, name + sizeof object_folder - 1);
	return repository->target->ops->rename(repository->target, name, to, err);
}

/* ---- Documents ---- */

enum status repository_put_document(struct repository *repository, const char *name,
                                    struct text content, struct error *err)
{
	struct buffer bytes = {0}, back = {0};
	assert(content.length <= DOCUMENT_BYTES_MAX);
	seal(repository, text_of(name), 0, content, &bytes);
	enum status status =
		repository->target->ops->put(repository->target, name, buffer_text(&bytes), err);
	if (status == STATUS_OK)
		status = repository_get_document(repository, name, &back, err);
	if (status == STATUS_OK && !text_equal(buffer_text(&back), content))
		status =
			error_set(err, STATUS_CORRUPT, "%s: it does not read back as it was written", name);
	buffer_done(&bytes);
	buffer_done(&back);
	return status;
}

enum status repository_get_document(struct repository *repository, const char *name,
                                    struct buffer *out, struct error *err)
{
	return unseal(repository, text_of(name), 0, name, DOCUMENT_BYTES_MAX, out, err);
}
