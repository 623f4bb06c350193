#include "engine/definition/definition.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "engine/definition/definition_internal.h"
#include "model/classes.h"
#include "model/rules.h"

enum { KEY_BYTES_MAX = 128, NAME_BYTES_MAX = 256, DESCRIPTION_BYTES_MAX = 4096 };

static const char *const state_names[] = {
	[DEFINITION_PREPARING] = "Preparing", [DEFINITION_COMPUTING] = "Computing",
	[DEFINITION_LIVE] = "Live",           [DEFINITION_DISABLED] = "Disabled",
	[DEFINITION_FAILED] = "Failed",
};

const char *definition_state_name(enum definition_state state) { return state_names[state]; }

struct known *definitions_known(struct definitions *definitions, uint32_t number)
{
	return number < definitions->segments.count ? definitions->segments.items[number] : NULL;
}

struct known *definitions_find(struct definitions *definitions, struct text id_or_key)
{
	for (size_t i = 0; i < definitions->segments.count; i++) {
		struct known *known = definitions->segments.items[i];
		if (known == NULL || known->deleted)
			continue;
		if (text_equal(known->segment.key, id_or_key) ||
		    text_equal(text_of(known->segment.id), id_or_key))
			return known;
	}
	return NULL;
}

static enum status not_found(struct error *err)
{
	return error_set(err, STATUS_NOT_FOUND, "there is no such segment");
}

/* Copies a segment with its texts. */
static void copy_segment(struct store_segment *to, const struct store_segment *from,
                         struct arena *arena)
{
	*to                = *from;
	to->key            = arena_text(arena, from->key);
	to->name           = arena_text(arena, from->name);
	to->description    = arena_text(arena, from->description);
	to->reason         = arena_text(arena, from->reason);
	to->definition     = arena_text(arena, from->definition);
	to->canonical      = arena_text(arena, from->canonical);
	to->live_canonical = arena_text(arena, from->live_canonical);
}

struct reference_list {
	VECTOR(uint32_t) numbers;
};

static void add_reference(void *context, const struct expr *leaf)
{
	struct reference_list *list = context;
	if (leaf->kind != EXPR_SEGMENT)
		return;
	for (size_t i = 0; i < list->numbers.count; i++)
		if (list->numbers.items[i] == leaf->segment.number)
			return;
	VECTOR_ADD(&list->numbers, leaf->segment.number);
}

uint32_t *definitions_references(const struct expr *expr, struct arena *arena, uint32_t *ret_count)
{
	struct reference_list list = {0};
	expr_visit_leaves(expr, add_reference, &list);
	uint32_t *numbers = ARENA_ARRAY(arena, uint32_t, list.numbers.count);
	if (list.numbers.count > 0)
		memcpy(numbers, list.numbers.items, list.numbers.count * sizeof *numbers);
	*ret_count = (uint32_t)list.numbers.count;
	VECTOR_DONE(&list.numbers);
	return numbers;
}

enum status definitions_remember(struct definitions         *definitions,
                                 const struct store_segment *segment, struct error *err)
{
	struct arena arena;
	arena_init(&arena);
	struct expr *expr;
	enum status  status = expr_parse_canonical(segment->canonical, &arena, &expr, err);
	if (status != STATUS_OK) {
		arena_done(&arena);
		return status;
	}

	pthread_rwlock_wrlock(&definitions->lock);
	while (definitions->segments.count <= segment->number)
		VECTOR_ADD(&definitions->segments, NULL);
	struct known *known = definitions->segments.items[segment->number];
	if (known == NULL) {
		known = calloc(1, sizeof *known);
		if (known == NULL)
			abort();
		arena_init(&known->arena);
		definitions->segments.items[segment->number] = known;
	}
	/* What is live is the rollout's to say: it may have gone on since the caller looked. */
	struct arena         arena_before = known->arena;
	struct store_segment before       = known->segment;
	copy_segment(&known->segment, segment, &arena);
	if (known->live)
		known->segment.live_version = before.live_version;
	if (before.version == segment->version) {
		known->segment.state  = before.state;
		known->segment.reason = arena_text(&arena, before.reason);
	}
	known->references = definitions_references(expr, &arena, &known->reference_count);
	known->arena      = arena;
	pthread_rwlock_unlock(&definitions->lock);
	arena_done(&arena_before);
	return STATUS_OK;
}

/* A copy to be changed and committed. */
static struct store_segment snapshot(struct definitions *definitions, const struct known *known,
                                     struct arena *arena)
{
	struct store_segment segment;
	pthread_rwlock_rdlock(&definitions->lock);
	copy_segment(&segment, &known->segment, arena);
	pthread_rwlock_unlock(&definitions->lock);
	return segment;
}

static void forget_all(struct definitions *definitions)
{
	for (size_t i = 0; i < definitions->segments.count; i++) {
		struct known *known = definitions->segments.items[i];
		if (known == NULL)
			continue;
		arena_done(&known->arena);
		free((char *)known->live_canonical.data);
		free(known);
	}
	VECTOR_DONE(&definitions->segments);
}

static void definitions_free(struct definitions *definitions)
{
	forget_all(definitions);
	pthread_mutex_destroy(&definitions->commit_lock);
	pthread_rwlock_destroy(&definitions->lock);
	pthread_mutex_destroy(&definitions->queue_lock);
	pthread_cond_destroy(&definitions->queue_filled);
	free(definitions);
}

static enum status load(struct definitions *definitions, struct error *err)
{
	struct arena arena;
	arena_init(&arena);
	struct store_segment *segments;
	size_t                count;
	enum status           status =
		definitions->store->ops->segment_list(definitions->store, &arena, &segments, &count, err);
	for (size_t i = 0; status == STATUS_OK && i < count; i++)
		status = definitions_remember(definitions, &segments[i], err);
	arena_done(&arena);
	return status;
}

/* Deleted ones are still named by the changes of their time: a restart must answer the same. */
static enum status load_deleted(struct definitions *definitions, struct error *err)
{
	struct arena arena;
	arena_init(&arena);
	struct store_segment *segments;
	size_t                count;
	enum status status = definitions->store->ops->segment_list_deleted(definitions->store, &arena,
	                                                                   &segments, &count, err);
	for (size_t i = 0; status == STATUS_OK && i < count; i++) {
		segments[i].active = false;
		status             = definitions_remember(definitions, &segments[i], err);
		if (status != STATUS_OK)
			break;
		pthread_rwlock_wrlock(&definitions->lock);
		definitions->segments.items[segments[i].number]->deleted = true;
		pthread_rwlock_unlock(&definitions->lock);
	}
	arena_done(&arena);
	return status;
}

enum status definitions_start(struct engine *engine, struct journal *journal, struct store *store,
                              uint32_t partition_count, const struct definition_watch *watch,
                              struct definitions **ret_definitions, struct error *err)
{
	struct definitions *definitions = calloc(1, sizeof *definitions);
	if (definitions == NULL)
		abort();
	definitions->engine          = engine;
	definitions->journal         = journal;
	definitions->store           = store;
	definitions->partition_count = partition_count;
	if (watch != NULL)
		definitions->watch = *watch;
	pthread_mutex_init(&definitions->commit_lock, NULL);
	pthread_rwlock_init(&definitions->lock, NULL);
	pthread_mutex_init(&definitions->queue_lock, NULL);
	pthread_cond_init(&definitions->queue_filled, NULL);

	enum status status = load(definitions, err);
	if (status == STATUS_OK)
		status = rollout_start(definitions, err);
	if (status != STATUS_OK) {
		definitions_free(definitions);
		return status;
	}
	status = load_deleted(definitions, err);
	if (status != STATUS_OK) {
		definitions_stop(definitions);
		return status;
	}
	*ret_definitions = definitions;
	return STATUS_OK;
}

void definitions_stop(struct definitions *definitions)
{
	rollout_stop(definitions);
	definitions_free(definitions);
}

/* With `lock` held. */
static enum definition_state state_of(const struct known *known)
{
	if (!known->segment.active)
		return DEFINITION_DISABLED;
	if (known->queued > 0)
		return known->progress >= 1000 ? DEFINITION_COMPUTING : DEFINITION_PREPARING;
	if (known->segment.state == STORE_VERSION_FAILED)
		return DEFINITION_FAILED;
	return known->live ? DEFINITION_LIVE : DEFINITION_PREPARING;
}

/* The expression as its author wrote it, references included. */
static enum status read_body(struct text body, struct arena *arena, struct expr **ret_expr,
                             struct error *err)
{
	struct json_parser *parser = json_parser_new();
	struct json         root;
	enum status         status = json_parse_text(parser, body, &root, err);
	if (status == STATUS_OK)
		status = rules_parse_with(root, &classes_of_what_is_kept, arena, ret_expr, err);
	json_parser_free(parser);
	return status;
}

static enum status describe(struct definitions *definitions, const struct known *known,
                            struct arena *arena, struct definition *ret_definition,
                            struct error *err)
{
	pthread_rwlock_rdlock(&definitions->lock);
	copy_segment(&ret_definition->segment, &known->segment, arena);
	ret_definition->state    = state_of(known);
	ret_definition->progress = known->progress;
	if (!known->live)
		ret_definition->segment.live_version = 0;
	pthread_rwlock_unlock(&definitions->lock);
	return read_body(ret_definition->segment.definition, arena, &ret_definition->expr, err);
}

static enum status check_key(struct text key, struct error *err)
{
	if (key.length == 0 || key.length > KEY_BYTES_MAX)
		return error_set_field(err, STATUS_INVALID, "key", "A key has 1 to %d bytes",
		                       KEY_BYTES_MAX);
	if (uuid_valid(key))
		return error_set_field(err, STATUS_INVALID, "key", "A key must not look like an id");
	for (size_t i = 0; i < key.length; i++) {
		unsigned char byte = (unsigned char)key.data[i];
		if (byte <= ' ' || byte == 0x7f || byte == '"' || byte == '/' || byte == '\\')
			return error_set_field(err, STATUS_INVALID, "key",
			                       "A key has no blanks, quotes, slashes or control "
			                       "characters");
	}
	return STATUS_OK;
}

static enum status check_texts(const struct definition_wish *wish, bool create, struct error *err)
{
	if (wish->key.data != NULL) {
		enum status status = check_key(wish->key, err);
		if (status != STATUS_OK)
			return status;
	}
	if ((create && wish->name.data == NULL) || (wish->name.data != NULL && wish->name.length == 0))
		return error_set_field(err, STATUS_INVALID, "name", "A segment needs a name");
	if (wish->name.length > NAME_BYTES_MAX)
		return error_set_field(err, STATUS_INVALID, "name", "A name has at most %d bytes",
		                       NAME_BYTES_MAX);
	if (wish->description.length > DESCRIPTION_BYTES_MAX)
		return error_set_field(err, STATUS_INVALID, "description",
		                       "A description has at most %d bytes", DESCRIPTION_BYTES_MAX);
	return STATUS_OK;
}

/* "VIP in 제주" → "vip-in-제주", with "-2" and so on until it is free. */
static struct text make_key(struct definitions *definitions, struct text name, struct arena *arena)
{
	struct buffer key = {0};
	for (size_t i = 0; i < name.length && key.length < KEY_BYTES_MAX / 2; i++) {
		unsigned char byte = (unsigned char)name.data[i];
		bool letter = byte >= 0x80 || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
		if (byte >= 'A' && byte <= 'Z')
			buffer_add_u8(&key, (uint8_t)(byte - 'A' + 'a'));
		else if (letter)
			buffer_add_u8(&key, byte);
		else if (key.length > 0 && key.data[key.length - 1] != '-')
			buffer_add_u8(&key, '-');
	}
	/* Not through the middle of a character. */
	while (key.length > 0 && name.length > key.length &&
	       ((unsigned char)name.data[key.length] & 0xc0) == 0x80 &&
	       (unsigned char)key.data[key.length - 1] >= 0x80)
		key.length--;
	while (key.length > 0 && key.data[key.length - 1] == '-')
		key.length--;
	if (key.length == 0)
		buffer_add_text(&key, TEXT("segment"));

	struct text stem     = arena_text(arena, buffer_text(&key));
	struct text free_key = stem;
	buffer_done(&key);
	for (unsigned i = 2; definitions_find(definitions, free_key) != NULL; i++)
		free_key = text_of(arena_printf(arena, "%.*s-%u", TEXT_FORMAT(stem), i));
	return free_key;
}

static uint32_t number_of(void *context, struct text reference)
{
	const struct known *known = definitions_find(context, reference);
	return known == NULL ? 0 : known->segment.number;
}

static void write_canonical(const struct expr *expr, struct arena *arena,
                            struct store_segment *segment)
{
	struct buffer canonical = {0};
	expr_write_canonical(&canonical, expr);
	segment->canonical = arena_text(arena, buffer_text(&canonical));
	hash_sha256(canonical.data, canonical.length, segment->hash);
	buffer_done(&canonical);
}

bool definitions_reach(struct definitions *definitions, uint32_t from, uint32_t number,
                       unsigned depth, struct buffer *path)
{
	const struct known *known = definitions_known(definitions, from);
	if (known == NULL || known->deleted || depth > definitions->segments.count)
		return false;
	size_t before = path->length;
	buffer_printf(path, " → %.*s", TEXT_FORMAT(known->segment.key));
	if (from == number)
		return true;
	for (uint32_t i = 0; i < known->reference_count; i++)
		if (definitions_reach(definitions, known->references[i], number, depth + 1, path))
			return true;
	path->length = before;
	return false;
}

/* The field where a mistake of the whole definition is named. */
static const char *place_of(const struct definition_wish *wish)
{
	bool rules = text_starts_with(wish->body, TEXT("{\"logicalExpression\"")) ||
	             text_starts_with(wish->body, TEXT("{\"dependencies\""));
	return rules ? "dependencies" : "expression";
}

static enum status check_references(struct definitions           *definitions,
                                    const struct definition_wish *wish,
                                    const struct store_segment *segment, struct arena *arena,
                                    struct error *err)
{
	uint32_t  count;
	uint32_t *numbers = definitions_references(wish->expr, arena, &count);
	for (uint32_t i = 0; i < count; i++) {
		const struct known *known = definitions_known(definitions, numbers[i]);
		struct buffer       path  = {0};
		buffer_printf(&path, "%.*s", TEXT_FORMAT(segment->key));
		if (definitions_reach(definitions, numbers[i], segment->number, 0, &path)) {
			error_set_field(err, STATUS_INVALID, place_of(wish),
			                "The segment would depend on itself: %.*s",
			                TEXT_FORMAT(buffer_text(&path)));
			buffer_done(&path);
			return STATUS_INVALID;
		}
		buffer_done(&path);
		if (!known->segment.active)
			return error_set_field(err, STATUS_CONFLICT, place_of(wish),
			                       "Segment \"%.*s\" is disabled", TEXT_FORMAT(known->segment.key));
	}
	return STATUS_OK;
}

static enum status check_dependencies(struct definitions           *definitions,
                                      const struct definition_wish *wish, struct error *err)
{
	struct json_parser *parser = json_parser_new();
	struct json         root;
	enum status         status = json_parse_text(parser, wish->body, &root, err);
	if (status == STATUS_OK)
		status = rules_check_dependencies(root, wish->expr, number_of, definitions, err);
	json_parser_free(parser);
	return status;
}

enum status definitions_take(struct definitions *definitions, const struct definition_wish *wish,
                             struct store_segment *segment, struct arena *arena, struct error *err)
{
	enum status status = expr_resolve(wish->expr, "expression", number_of, definitions, err);
	if (status == STATUS_OK)
		status = check_dependencies(definitions, wish, err);
	if (status == STATUS_OK)
		status = check_references(definitions, wish, segment, arena, err);
	if (status != STATUS_OK)
		return status;
	segment->definition = wish->body;
	write_canonical(wish->expr, arena, segment);
	return STATUS_OK;
}

/* Commits a segment, with a row for the journal when `row_kind` is not 0, and hands it on. */
static enum status commit(struct definitions *definitions, struct store_segment *segment,
                          uint32_t expected_version, struct store_audience *audience,
                          uint8_t row_kind, struct error *err)
{
	struct buffer payload = {0};
	rollout_write_payload(&payload, segment->number, segment->version);
	struct store_outbox       row    = {.kind = row_kind, .payload = buffer_text(&payload)};
	const struct store_commit change = {.segments          = segment,
	                                    .count             = 1,
	                                    .expected_versions = &expected_version,
	                                    .outbox            = &row,
	                                    .outbox_count      = row_kind != 0,
	                                    .audience          = audience};

	enum status status = definitions->store->ops->segment_commit(definitions->store, &change, err);
	if (status == STATUS_OK)
		status = definitions_remember(definitions, segment, err);
	if (status == STATUS_OK && row_kind != 0)
		rollout_add(definitions, row.id, row_kind == RECORD_PREPARE, segment->number,
		            segment->version);
	buffer_done(&payload);
	return status;
}

static enum status create_locked(struct definitions           *definitions,
                                 const struct definition_wish *wish, struct arena *arena,
                                 struct definition *ret_definition, struct error *err)
{
	enum status status = check_texts(wish, true, err);
	if (status != STATUS_OK)
		return status;
	if (wish->key.data != NULL && definitions_find(definitions, wish->key) != NULL)
		return error_set_field(err, STATUS_CONFLICT, "key", "Another segment has this key");

	struct store_segment segment = {
		.name        = wish->name,
		.description = wish->description,
		.key        = wish->key.data != NULL ? wish->key : make_key(definitions, wish->name, arena),
		.active     = wish->active,
		.created_ms = clock_wall_ms(),
		.version    = 1,
		.last_version = 1,
		.state        = STORE_VERSION_PREPARING,
	};
	segment.updated_ms = segment.created_ms;
	uuid_new(segment.id);
	status = definitions->store->ops->segment_reserve(definitions->store, &segment.number, err);
	if (status == STATUS_OK)
		status = definitions_take(definitions, wish, &segment, arena, err);
	if (status == STATUS_OK)
		status = commit(definitions, &segment, 0, wish->audience, wish->active ? RECORD_PREPARE : 0,
		                err);
	if (status != STATUS_OK)
		return status;
	return describe(definitions, definitions_known(definitions, segment.number), arena,
	                ret_definition, err);
}

enum status definition_create(struct definitions *definitions, const struct definition_wish *wish,
                              struct arena *arena, struct definition *ret_definition,
                              struct error *err)
{
	pthread_mutex_lock(&definitions->commit_lock);
	enum status status = create_locked(definitions, wish, arena, ret_definition, err);
	pthread_mutex_unlock(&definitions->commit_lock);
	return status;
}

static enum status update_locked(struct definitions *definitions, struct text id_or_key,
                                 uint32_t expected_version, const struct definition_wish *wish,
                                 struct arena *arena, struct definition *ret_definition,
                                 struct error *err)
{
	struct known *known = definitions_find(definitions, id_or_key);
	if (known == NULL)
		return not_found(err);
	enum status status = check_texts(wish, false, err);
	if (status != STATUS_OK)
		return status;
	if (expected_version != 0 && expected_version != known->segment.version)
		return error_set_field(err, STATUS_PRECONDITION, "If-Match", "The segment is at version %u",
		                       known->segment.version);

	struct store_segment segment = snapshot(definitions, known, arena);
	if (wish->key.data != NULL && !text_equal(wish->key, segment.key)) {
		if (definitions_find(definitions, wish->key) != NULL)
			return error_set_field(err, STATUS_CONFLICT, "key", "Another segment has this key");
		segment.key = wish->key;
	}
	if (wish->name.data != NULL)
		segment.name = wish->name;
	if (wish->description.data != NULL)
		segment.description = wish->description;
	if (wish->body.data != NULL)
		status = definitions_take(definitions, wish, &segment, arena, err);
	if (status != STATUS_OK)
		return status;

	bool changed       = !text_equal(segment.canonical, known->segment.canonical);
	segment.updated_ms = clock_wall_ms();
	if (changed) {
		segment.version = ++segment.last_version;
		segment.state   = STORE_VERSION_PREPARING;
	}
	status = commit(definitions, &segment, expected_version, wish->audience,
	                changed && segment.active ? RECORD_PREPARE : 0, err);
	if (status != STATUS_OK)
		return status;
	return describe(definitions, known, arena, ret_definition, err);
}

enum status definition_update(struct definitions *definitions, struct text id_or_key,
                              uint32_t expected_version, const struct definition_wish *wish,
                              struct arena *arena, struct definition *ret_definition,
                              struct error *err)
{
	pthread_mutex_lock(&definitions->commit_lock);
	enum status status =
		update_locked(definitions, id_or_key, expected_version, wish, arena, ret_definition, err);
	pthread_mutex_unlock(&definitions->commit_lock);
	return status;
}

void definitions_write_users(struct definitions *definitions, const struct known *known,
                             struct buffer *out)
{
	for (size_t i = 0; i < definitions->segments.count; i++) {
		const struct known *other = definitions->segments.items[i];
		if (other == NULL || other->deleted || !other->segment.active)
			continue;
		for (uint32_t j = 0; j < other->reference_count; j++)
			if (other->references[j] == known->segment.number)
				buffer_printf(out, "%s\"%.*s\"", out->length > 0 ? ", " : "",
				              TEXT_FORMAT(other->segment.key));
	}
}

/* STATUS_CONFLICT, with their keys, while active definitions refer to it. */
static enum status check_unused(struct definitions *definitions, const struct known *known,
                                struct error *err)
{
	struct buffer users = {0};
	definitions_write_users(definitions, known, &users);
	enum status status = STATUS_OK;
	if (users.length > 0)
		status = error_set(err, STATUS_CONFLICT, "Active segments refer to it: %.*s",
		                   TEXT_FORMAT(buffer_text(&users)));
	buffer_done(&users);
	return status;
}

/* Every segment that the definition names must be active when it is enabled. */
static enum status check_enabled_references(struct definitions *definitions,
                                            const struct known *known, struct error *err)
{
	for (uint32_t i = 0; i < known->reference_count; i++) {
		const struct known *other = definitions_known(definitions, known->references[i]);
		if (other == NULL || other->deleted || !other->segment.active)
			return error_set(err, STATUS_CONFLICT,
			                 "It refers to a segment that is disabled or deleted");
	}
	return STATUS_OK;
}

static enum status set_active_locked(struct definitions *definitions, struct text id_or_key,
                                     bool active, struct arena *arena,
                                     struct definition *ret_definition, struct error *err)
{
	struct known *known = definitions_find(definitions, id_or_key);
	if (known == NULL)
		return not_found(err);
	enum status status = STATUS_OK;
	if (active != known->segment.active) {
		status                       = active ? check_enabled_references(definitions, known, err)
		                                      : check_unused(definitions, known, err);
		struct store_segment segment = snapshot(definitions, known, arena);
		segment.active               = active;
		segment.updated_ms           = clock_wall_ms();
		if (status == STATUS_OK)
			status = commit(definitions, &segment, 0, NULL,
			                active ? RECORD_PREPARE : RECORD_ACTIVATE, err);
	}
	if (status != STATUS_OK)
		return status;
	return describe(definitions, known, arena, ret_definition, err);
}

enum status definition_set_active(struct definitions *definitions, struct text id_or_key,
                                  bool active, struct arena *arena,
                                  struct definition *ret_definition, struct error *err)
{
	pthread_mutex_lock(&definitions->commit_lock);
	enum status status =
		set_active_locked(definitions, id_or_key, active, arena, ret_definition, err);
	pthread_mutex_unlock(&definitions->commit_lock);
	return status;
}

static enum status delete_locked(struct definitions *definitions, struct text id_or_key,
                                 struct error *err)
{
	struct known *known = definitions_find(definitions, id_or_key);
	if (known == NULL)
		return not_found(err);
	enum status status = check_unused(definitions, known, err);
	if (status != STATUS_OK)
		return status;

	struct buffer payload = {0};
	rollout_write_payload(&payload, known->segment.number, known->segment.version);
	struct store_outbox row = {.kind = RECORD_ACTIVATE, .payload = buffer_text(&payload)};
	status = definitions->store->ops->segment_delete(definitions->store, known->segment.id, &row, 1,
	                                                 err);
	buffer_done(&payload);
	if (status != STATUS_OK)
		return status;

	pthread_rwlock_wrlock(&definitions->lock);
	known->deleted        = true;
	known->segment.active = false;
	pthread_rwlock_unlock(&definitions->lock);
	rollout_add(definitions, row.id, false, known->segment.number, known->segment.version);
	return STATUS_OK;
}

enum status definition_delete(struct definitions *definitions, struct text id_or_key,
                              struct error *err)
{
	pthread_mutex_lock(&definitions->commit_lock);
	enum status status = delete_locked(definitions, id_or_key, err);
	pthread_mutex_unlock(&definitions->commit_lock);
	return status;
}

enum status definition_get(struct definitions *definitions, struct text id_or_key,
                           struct arena *arena, struct definition *ret_definition,
                           struct error *err)
{
	pthread_rwlock_rdlock(&definitions->lock);
	struct known *known = definitions_find(definitions, id_or_key);
	pthread_rwlock_unlock(&definitions->lock);
	/* Known segments are never freed while the process lives. */
	return known == NULL ? not_found(err)
	                     : describe(definitions, known, arena, ret_definition, err);
}

enum status definition_list(struct definitions *definitions, struct arena *arena,
                            struct definition **ret_definitions, size_t *ret_count,
                            struct error *err)
{
	VECTOR(struct known *) wanted = {0};
	pthread_rwlock_rdlock(&definitions->lock);
	for (size_t i = 0; i < definitions->segments.count; i++)
		if (definitions->segments.items[i] != NULL && !definitions->segments.items[i]->deleted)
			VECTOR_ADD(&wanted, definitions->segments.items[i]);
	pthread_rwlock_unlock(&definitions->lock);

	struct definition *list   = ARENA_ARRAY(arena, struct definition, wanted.count);
	enum status        status = STATUS_OK;
	for (size_t i = 0; status == STATUS_OK && i < wanted.count; i++)
		status = describe(definitions, wanted.items[i], arena, &list[i], err);
	if (status == STATUS_OK) {
		*ret_definitions = list;
		*ret_count       = wanted.count;
	}
	VECTOR_DONE(&wanted);
	return status;
}

bool definition_name_of(struct definitions *definitions, uint32_t number, struct arena *arena,
                        struct text *ret_id, struct text *ret_key)
{
	pthread_rwlock_rdlock(&definitions->lock);
	const struct known *known = definitions_known(definitions, number);
	if (known != NULL) {
		*ret_id  = arena_text(arena, text_of(known->segment.id));
		*ret_key = arena_text(arena, known->segment.key);
	}
	pthread_rwlock_unlock(&definitions->lock);
	return known != NULL;
}
