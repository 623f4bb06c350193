#include "transfer/import/import_map.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "transfer/import/import_value.h"
#include "base/file.h"
#include "base/hash.h"

enum { MAP_FILE_BYTES_MAX = 1 << 20 };

static const struct text groups[IMPORT_GROUP_COUNT] = {
	[IMPORT_TOP]        = {"", 0},
	[IMPORT_PROPERTIES] = {"properties.", 11},
	[IMPORT_TRAITS]     = {"traits.", 7},
	[IMPORT_CONTEXT]    = {"context.", 8},
};

void import_map_init(struct import_map *map)
{
	*map        = (struct import_map){0};
	map->parser = json_parser_new();
	arena_init(&map->arena);
}

void import_map_done(struct import_map *map)
{
	VECTOR_DONE(&map->rules);
	json_parser_free(map->parser);
	arena_done(&map->arena);
}

/* ---- Rules ---- */

static bool read_field(struct text text, enum import_group *ret_group, struct text *ret_field)
{
	static const char *const top[] = {"userId",    "anonymousId", "previousId", "groupId",
	                                  "messageId", "type",        "event",      "timestamp",
	                                  "name",      "category",    NULL};
	for (enum import_group group = IMPORT_PROPERTIES; group < IMPORT_GROUP_COUNT; group++) {
		if (text_starts_with(text, groups[group]) && text.length > groups[group].length) {
			size_t skip = groups[group].length;
			*ret_group  = group;
			*ret_field  = (struct text){text.data + skip, text.length - skip};
			return true;
		}
	}
	*ret_group = IMPORT_TOP;
	*ret_field = text;
	for (const char *const *name = top; *name != NULL; name++)
		if (text_equal(text, text_of(*name)))
			return true;
	return false;
}

static struct import_rule *find_rule(const struct import_map *map, enum import_group group,
                                     struct text field)
{
	for (size_t i = 0; i < map->rules.count; i++)
		if (map->rules.items[i].group == group && text_equal(map->rules.items[i].field, field))
			return &map->rules.items[i];
	return NULL;
}

static void put_rule(struct import_map *map, const struct import_rule *rule)
{
	struct import_rule *present = find_rule(map, rule->group, rule->field);
	if (present != NULL)
		*present = *rule;
	else
		VECTOR_ADD(&map->rules, *rule);
}

/* COLUMN[:TYPE]; a colon before something else belongs to the column's name. */
static void read_source(struct import_rule *rule, struct text source)
{
	const char *colon = memrchr(source.data, ':', source.length);
	rule->source      = source;
	rule->type        = IMPORT_ANY;
	if (colon == NULL)
		return;
	size_t      before = (size_t)(colon - source.data);
	struct text type   = {colon + 1, source.length - before - 1};
	if (import_type_of_name(type, &rule->type))
		rule->source.length = before;
}

static enum status add(struct import_map *map, struct text field, struct text source, bool constant,
                       struct error *err)
{
	struct import_rule rule = {.constant = constant};
	if (!read_field(arena_text(&map->arena, field), &rule.group, &rule.field))
		return error_set_field(
			err, STATUS_INVALID, constant ? "set" : "map",
			"\"%.*s\" is no field of a message: userId, anonymousId, previousId, "
			"groupId, messageId, type, event, timestamp, name, category, "
			"properties.NAME, traits.NAME, context.NAME",
			TEXT_FORMAT(field));
	source = arena_text(&map->arena, source);
	if (constant)
		rule.source = source;
	else
		read_source(&rule, source);
	put_rule(map, &rule);
	return STATUS_OK;
}

enum status import_map_add(struct import_map *map, struct text rule, bool constant,
                           struct error *err)
{
	const char *equals = memchr(rule.data, '=', rule.length);
	if (equals == NULL)
		return error_set_field(err, STATUS_INVALID, constant ? "set" : "map",
		                       "\"%.*s\" is not FIELD=%s", TEXT_FORMAT(rule),
		                       constant ? "VALUE" : "COLUMN");
	size_t before = (size_t)(equals - rule.data);
	return add(map, (struct text){rule.data, before},
	           (struct text){equals + 1, rule.length - before - 1}, constant, err);
}

void import_map_replace(struct import_map *map, const struct import_map *other)
{
	for (size_t i = 0; i < other->rules.count; i++) {
		struct import_rule rule = other->rules.items[i];
		rule.field              = arena_text(&map->arena, rule.field);
		rule.source             = arena_text(&map->arena, rule.source);
		put_rule(map, &rule);
	}
}

static enum status add_members(struct import_map *map, struct json members, bool constant,
                               struct error *err)
{
	for (struct json_iterator i = json_iterate(members); json_next(&i);) {
		if (json_type(i.value) != JSON_STRING)
			return error_set_field(err, STATUS_INVALID, constant ? "set" : "map",
			                       "the value of \"%.*s\" is not a string", TEXT_FORMAT(i.name));
		enum status status = add(map, i.name, json_string(i.value), constant, err);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

static enum status add_all(struct import_map *map, const char *path, struct json root,
                           struct error *err)
{
	enum status status = STATUS_OK;
	if (json_type(root) != JSON_OBJECT)
		return error_set(err, STATUS_INVALID, "%s: not a JSON object", path);
	for (struct json_iterator i = json_iterate(root); status == STATUS_OK && json_next(&i);) {
		if (text_equal(i.name, TEXT("map")))
			status = add_members(map, i.value, false, err);
		else if (text_equal(i.name, TEXT("set")))
			status = add_members(map, i.value, true, err);
		else
			status = error_set(err, STATUS_INVALID, "%s: \"%.*s\" is neither map nor set", path,
			                   TEXT_FORMAT(i.name));
	}
	return status;
}

enum status import_map_add_file(struct import_map *map, const char *path, struct error *err)
{
	struct buffer file = {0};
	struct json   root;
	enum status   status = file_read(path, MAP_FILE_BYTES_MAX, &file, err);
	if (status == STATUS_OK)
		status = json_parse_text(map->parser, buffer_text(&file), &root, err);
	if (status == STATUS_OK)
		status = add_all(map, path, root, err);
	buffer_done(&file);
	return status;
}

/* ---- Binding ---- */

static enum status find_column(const struct import_rows *rows, struct import_rule *rule,
                               struct error *err)
{
	for (size_t i = 0; i < import_rows_column_count(rows); i++) {
		if (text_equal(import_rows_column(rows, i), rule->source)) {
			rule->column = i;
			return STATUS_OK;
		}
	}
	return error_set_field(err, STATUS_INVALID, "map", "there is no column \"%.*s\"",
	                       TEXT_FORMAT(rule->source));
}

static bool column_used(const struct import_map *map, struct text column)
{
	for (size_t i = 0; i < map->rules.count; i++)
		if (!map->rules.items[i].constant && text_equal(map->rules.items[i].source, column))
			return true;
	return false;
}

/* Columns called like a field, unless the field or the column is in use already; and the rest. */
static void add_columns(struct import_map *map, const struct import_rows *rows,
                        enum import_group rest, struct buffer *ignored)
{
	for (size_t i = 0; i < import_rows_column_count(rows); i++) {
		struct text        column = import_rows_column(rows, i);
		struct import_rule rule   = {.source = column, .column = i};
		if (column_used(map, column))
			continue;
		if (read_field(column, &rule.group, &rule.field) &&
		    find_rule(map, rule.group, rule.field) == NULL) {
			VECTOR_ADD(&map->rules, rule);
		} else if (rest != IMPORT_TOP && column.length > 0) {
			rule.group = rest;
			rule.field = column;
			VECTOR_ADD(&map->rules, rule);
		} else {
			if (ignored->length > 0)
				buffer_add_text(ignored, TEXT(", "));
			buffer_add_text(ignored, column);
		}
	}
}

static int by_group(const void *a, const void *b)
{
	const struct import_rule *left = a, *right = b;
	return (left->group > right->group) - (left->group < right->group);
}

static bool has(const struct import_map *map, const char *field)
{
	return find_rule(map, IMPORT_TOP, text_of(field)) != NULL;
}

static enum status check_complete(const struct import_map *map, struct error *err)
{
	if (!has(map, "userId") && !has(map, "anonymousId"))
		return error_set_field(err, STATUS_INVALID, "map",
		                       "which column is the userId (or the anonymousId)? "
		                       "--map userId=COLUMN");
	if (!has(map, "event") && !has(map, "type") && text_equal(map->type, TEXT("track")))
		return error_set_field(err, STATUS_INVALID, "map",
		                       "what is the name of the event? --map event=COLUMN or "
		                       "--set event=NAME, or another --type");
	return STATUS_OK;
}

static void default_types(struct import_map *map, bool csv)
{
	for (size_t i = 0; i < map->rules.count; i++) {
		struct import_rule *rule = &map->rules.items[i];
		if (rule->constant)
			rule->type = IMPORT_STRING;
		else if (rule->type == IMPORT_ANY && rule->group == IMPORT_TOP &&
		         text_equal(rule->field, TEXT("timestamp")))
			rule->type = IMPORT_TIME;
		else if (rule->type == IMPORT_ANY && csv)
			rule->type = IMPORT_STRING;
	}
}

enum status import_map_bind(struct import_map *map, const struct import_rows *rows,
                            const char *type, enum import_group rest, struct buffer *ret_ignored,
                            struct error *err)
{
	bool csv  = rows->format == IMPORT_FORMAT_CSV;
	map->type = text_of(type);
	if (!csv && map->rules.count == 0) {
		map->whole = true;
		return STATUS_OK;
	}
	for (size_t i = 0; csv && i < map->rules.count; i++) {
		struct import_rule *rule   = &map->rules.items[i];
		enum status         status = rule->constant ? STATUS_OK : find_column(rows, rule, err);
		if (status != STATUS_OK)
			return status;
	}
	if (csv)
		add_columns(map, rows, rest, ret_ignored);
	default_types(map, csv);
	if (map->rules.count > 0)
		qsort(map->rules.items, map->rules.count, sizeof map->rules.items[0], by_group);
	return check_complete(map, err);
}

/* ---- Messages ---- */

/* Begins the group of the rule where it is another than before, ending that one. */
static void enter_group(struct json_writer *writer, enum import_group *current,
                        enum import_group group)
{
	if (*current == group)
		return;
	if (*current != IMPORT_TOP)
		json_end_object(writer);
	*current = group;
	if (group == IMPORT_TOP)
		return;
	json_add_key(writer, (struct text){groups[group].data, groups[group].length - 1});
	json_begin_object(writer);
}

/* The member of a JSON row: by its exact name, else by its path. */
static struct json member_of(struct json object, struct text name)
{
	struct json found = {0};
	for (struct json_iterator i = json_iterate(object); json_next(&i);)
		if (text_equal(i.name, name))
			found = i.value;
	const char *dot = memchr(name.data, '.', name.length);
	if (json_type(found) != JSON_NONE || dot == NULL || json_type(object) != JSON_OBJECT)
		return found;
	size_t before = (size_t)(dot - name.data);
	for (struct json_iterator i = json_iterate(object); json_next(&i);)
		if (text_equal(i.name, (struct text){name.data, before}))
			found = i.value;
	return member_of(found, (struct text){dot + 1, name.length - before - 1});
}

/* The value of the rule in this row as a cell; false: absent. */
static bool cell_of(const struct import_rule *rule, const struct import_rows *rows,
                    struct import_cell *ret_cell)
{
	*ret_cell = (struct import_cell){0};
	if (rule->constant) {
		ret_cell->text = rule->source;
	} else if (rows->format == IMPORT_FORMAT_CSV) {
		ret_cell->text = import_rows_field(rows, rule->column);
	} else {
		ret_cell->json = member_of(rows->json, rule->source);
		if (json_type(ret_cell->json) == JSON_STRING)
			ret_cell->text = json_string(ret_cell->json);
		return json_type(ret_cell->json) > JSON_NULL;
	}
	return ret_cell->text.length > 0;
}

/* 128 bits of the row and its line: two rows that are alike are two. */
static void add_message_id(struct json_writer *writer, const struct import_rows *rows)
{
	char     id[48];
	uint64_t high = hash_bytes_seeded(rows->raw.data, rows->raw.length, rows->line);
	uint64_t low  = hash_bytes_seeded(rows->raw.data, rows->raw.length, ~rows->line);
	snprintf(id, sizeof id, "import-%016llx%016llx", (unsigned long long)high,
	         (unsigned long long)low);
	json_member_string(writer, "messageId", text_of(id));
}

static enum status name_column(struct error *err, struct text column)
{
	struct error cell = *err;
	return error_set(err, STATUS_INVALID, "%.*s: %s", TEXT_FORMAT(column), cell.reason);
}

static enum status write_rules(struct import_map *map, const struct import_rows *rows,
                               struct json_writer *writer, struct error *err)
{
	enum import_group group    = IMPORT_TOP;
	bool              has_id   = false;
	bool              has_type = false;
	for (size_t i = 0; i < map->rules.count; i++) {
		const struct import_rule *rule = &map->rules.items[i];
		struct import_cell        cell;
		if (!cell_of(rule, rows, &cell))
			continue;
		enter_group(writer, &group, rule->group);
		json_add_key(writer, rule->field);
		enum status status = import_value_write(&cell, rule->type, map->parser, writer, err);
		if (status != STATUS_OK)
			return name_column(err, rule->source);
		has_id   = has_id || (group == IMPORT_TOP && text_equal(rule->field, TEXT("messageId")));
		has_type = has_type || (group == IMPORT_TOP && text_equal(rule->field, TEXT("type")));
	}
	enter_group(writer, &group, IMPORT_TOP);
	if (!has_id)
		add_message_id(writer, rows);
	if (!has_type)
		json_member_string(writer, "type", map->type);
	return STATUS_OK;
}

static bool is_given(struct json row, const char *field)
{
	return json_type(json_get(row, field)) > JSON_NULL;
}

static void write_whole(const struct import_map *map, const struct import_rows *rows,
                        struct json_writer *writer)
{
	for (struct json_iterator i = json_iterate(rows->json); json_next(&i);) {
		if (json_type(i.value) == JSON_NULL)
			continue;
		json_add_key(writer, i.name);
		json_add_value(writer, i.value);
	}
	if (!is_given(rows->json, "messageId"))
		add_message_id(writer, rows);
	if (!is_given(rows->json, "type"))
		json_member_string(writer, "type", map->type);
}

enum status import_map_message(struct import_map *map, const struct import_rows *rows,
                               struct buffer *out, struct error *err)
{
	size_t begin = out->length;
	if (map->whole && is_given(rows->json, "messageId") && is_given(rows->json, "type")) {
		buffer_add_text(out, rows->raw);
		return STATUS_OK;
	}
	struct json_writer writer = json_writer_of(out);
	enum status        status = STATUS_OK;
	json_begin_object(&writer);
	if (map->whole)
		write_whole(map, rows, &writer);
	else
		status = write_rules(map, rows, &writer, err);
	json_end_object(&writer);
	if (status != STATUS_OK)
		out->length = begin;
	return status;
}
