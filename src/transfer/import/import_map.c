#include "transfer/import/import_map.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "transfer/import/import_value.h"
#include "base/hash.h"
#include "base/instant.h"
#include "transfer/import/import_time.h"

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
	map->type   = TEXT("track");
	arena_init(&map->arena);
}

void import_map_done(struct import_map *map)
{
	VECTOR_DONE(&map->rules);
	for (unsigned i = 0; i < map->zone_count; i++)
		zone_close(map->zones[i]);
	json_parser_free(map->parser);
	arena_done(&map->arena);
}

/* ---- Rules ---- */

static bool is_of_table(const struct dimension_table *table, struct text text)
{
	bool is = text_equal(text, text_of(table->key));
	for (size_t i = 0; i < table->field_count && !is; i++)
		is = text_equal(text, text_of(table->fields[i].name));
	return is;
}

static bool read_field(const struct import_map *map, struct text text, enum import_group *ret_group,
                       struct text *ret_field)
{
	static const char *const top[] = {"userId",    "anonymousId", "previousId", "groupId",
	                                  "messageId", "type",        "event",      "timestamp",
	                                  "name",      "category",    NULL};
	if (map->table != NULL) {
		*ret_group = IMPORT_TOP;
		*ret_field = text;
		return is_of_table(map->table, text);
	}
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

/* The rule of a field, with nothing but that. */
static enum status begin_rule(struct import_map *map, struct text field, bool constant,
                              struct import_rule *ret_rule, struct error *err)
{
	*ret_rule = (struct import_rule){.constant = constant, .type = IMPORT_ANY};
	if (map->rules.count >= IMPORT_RULES_MAX)
		return error_set_field(err, STATUS_INVALID, constant ? "set" : "map", "more than %d fields",
		                       IMPORT_RULES_MAX);
	if (map->table != NULL && !is_of_table(map->table, field))
		return error_set_field(err, STATUS_INVALID, constant ? "set" : "map",
		                       "\"%.*s\" is no field of %s", TEXT_FORMAT(field), map->table->name);
	if (!read_field(map, arena_text(&map->arena, field), &ret_rule->group, &ret_rule->field))
		return error_set_field(
			err, STATUS_INVALID, constant ? "set" : "map",
			"\"%.*s\" is no field of a message: userId, anonymousId, previousId, "
			"groupId, messageId, type, event, timestamp, name, category, "
			"properties.NAME, traits.NAME, context.NAME",
			TEXT_FORMAT(field));
	return STATUS_OK;
}

enum status import_map_add(struct import_map *map, struct text rule, bool constant,
                           struct error *err)
{
	struct import_rule made;
	const char        *equals = memchr(rule.data, '=', rule.length);
	if (equals == NULL)
		return error_set_field(err, STATUS_INVALID, constant ? "set" : "map",
		                       "\"%.*s\" is not FIELD=%s", TEXT_FORMAT(rule),
		                       constant ? "VALUE" : "COLUMN");
	size_t      before = (size_t)(equals - rule.data);
	enum status status = begin_rule(map, (struct text){rule.data, before}, constant, &made, err);
	if (status != STATUS_OK)
		return status;
	struct text source =
		arena_text(&map->arena, (struct text){equals + 1, rule.length - before - 1});
	if (constant)
		made.source = source;
	else
		read_source(&made, source);
	put_rule(map, &made);
	return STATUS_OK;
}

/* ---- As JSON ---- */

static enum status refuse(struct error *err, const char *group, struct text field,
                          const char *member, const char *reason)
{
	char place[ERROR_FIELD_BYTES_MAX];
	snprintf(place, sizeof place, "%s%s%.*s%s%s", group, field.length > 0 ? "." : "",
	         TEXT_FORMAT(field), member != NULL ? "." : "", member != NULL ? member : "");
	return error_set_field(err, STATUS_INVALID, place, "%s", reason);
}

static enum status find_zone(struct import_map *map, struct json name, const struct zone **ret_zone,
                             struct error *err)
{
	if (json_type(name) != JSON_STRING)
		return error_set(err, STATUS_INVALID, "it must be a string");
	for (unsigned i = 0; i < map->zone_count; i++) {
		if (text_equal(map->zone_names[i], json_string(name))) {
			*ret_zone = map->zones[i];
			return STATUS_OK;
		}
	}
	if (map->zone_count == IMPORT_ZONES_MAX)
		return error_set(err, STATUS_INVALID, "more than %d time zones", IMPORT_ZONES_MAX);
	struct zone *zone;
	enum status  status = zone_open(json_string(name), &zone, err);
	if (status != STATUS_OK)
		return error_set(err, STATUS_INVALID, "there is no such time zone on this machine");
	map->zones[map->zone_count]        = zone;
	map->zone_names[map->zone_count++] = arena_text(&map->arena, json_string(name));
	*ret_zone                          = zone;
	return STATUS_OK;
}

/* A scalar as the text of a cell. */
static bool cell_text(struct import_map *map, struct json value, struct text *ret_text)
{
	struct buffer      out    = {0};
	struct json_writer writer = json_writer_of(&out);
	enum json_type     type   = json_type(value);
	if (type == JSON_STRING) {
		*ret_text = arena_text(&map->arena, json_string(value));
		return true;
	}
	json_add_value(&writer, value);
	*ret_text = arena_text(&map->arena, buffer_text(&out));
	buffer_done(&out);
	return type == JSON_BOOL || json_is_number(value);
}

static enum status read_member(struct import_map *map, struct import_rule *rule, struct text name,
                               struct json value, struct error *err)
{
	bool is_string = json_type(value) == JSON_STRING;
	if (text_equal(name, TEXT("zone")))
		return find_zone(map, value, &rule->zone, err);
	if (text_equal(name, TEXT("default")))
		return cell_text(map, value, &rule->fallback)
		           ? STATUS_OK
		           : error_set(err, STATUS_INVALID, "it must be a string, a number or a boolean");
	if (!is_string)
		return error_set(err, STATUS_INVALID, "it must be a string");
	if (text_equal(name, TEXT("column")))
		rule->source = arena_text(&map->arena, json_string(value));
	else if (text_equal(name, TEXT("format")))
		rule->format = arena_text(&map->arena, json_string(value));
	else if (!text_equal(name, TEXT("type")))
		return error_set(err, STATUS_INVALID, "it is none of column, type, format, zone, default");
	else if (!import_type_of_name(json_string(value), &rule->type))
		return error_set(err, STATUS_INVALID, "there is no such type");
	return rule->format.length > 0 ? import_time_check(rule->format, err) : STATUS_OK;
}

static enum status read_object(struct import_map *map, struct text field, struct json object,
                               struct import_rule *rule, struct error *err)
{
	struct error inner;
	for (struct json_iterator i = json_iterate(object); json_next(&i);) {
		char member[64];
		snprintf(member, sizeof member, "%.*s", TEXT_FORMAT(i.name));
		if (read_member(map, rule, i.name, i.value, &inner) != STATUS_OK)
			return refuse(err, "map", field, member, inner.reason);
	}
	if (rule->source.length == 0)
		return refuse(err, "map", field, "column", "which column?");
	if (rule->format.length > 0 && rule->type == IMPORT_ANY)
		rule->type = IMPORT_TIME;
	if ((rule->format.length > 0 || rule->zone != NULL) && rule->type != IMPORT_TIME &&
	    rule->type != IMPORT_ANY)
		return refuse(err, "map", field, "type", "format and zone are for times");
	return STATUS_OK;
}

static enum status read_map(struct import_map *map, struct json members, struct error *err)
{
	if (json_type(members) != JSON_OBJECT)
		return refuse(err, "map", TEXT(""), NULL, "it must be an object");
	for (struct json_iterator i = json_iterate(members); json_next(&i);) {
		struct import_rule rule;
		enum status        status = begin_rule(map, i.name, false, &rule, err);
		if (status != STATUS_OK)
			return status;
		if (json_type(i.value) == JSON_STRING)
			read_source(&rule, arena_text(&map->arena, json_string(i.value)));
		else if (json_type(i.value) != JSON_OBJECT)
			return refuse(err, "map", i.name, NULL, "it must be a string or an object");
		else if ((status = read_object(map, i.name, i.value, &rule, err)) != STATUS_OK)
			return status;
		put_rule(map, &rule);
	}
	return STATUS_OK;
}

static enum status read_set(struct import_map *map, struct json members, struct error *err)
{
	if (json_type(members) != JSON_OBJECT)
		return refuse(err, "set", TEXT(""), NULL, "it must be an object");
	for (struct json_iterator i = json_iterate(members); json_next(&i);) {
		struct import_rule rule;
		enum status        status = begin_rule(map, i.name, true, &rule, err);
		if (status != STATUS_OK)
			return status;
		rule.type = json_type(i.value) == JSON_STRING ? IMPORT_STRING : IMPORT_JSON;
		if (!cell_text(map, i.value, &rule.source) && json_type(i.value) <= JSON_NULL)
			return refuse(err, "set", i.name, NULL, "null sets nothing");
		put_rule(map, &rule);
	}
	return STATUS_OK;
}

static bool one_of(struct json word, const char *const *words, unsigned *ret_index)
{
	for (*ret_index = 0; words[*ret_index] != NULL; ++*ret_index)
		if (json_type(word) == JSON_STRING &&
		    text_equal(json_string(word), text_of(words[*ret_index])))
			return true;
	return false;
}

enum status import_map_read(struct import_map *map, struct json mapping, struct error *err)
{
	static const char *const types[] = {"track", "identify", "page", "screen",
	                                    "group", "alias",    NULL};
	static const char *const rests[] = {"ignore", "properties", "traits", NULL};
	enum status              status  = STATUS_OK;
	struct error             inner;
	unsigned                 index;
	for (struct json_iterator i = json_iterate(mapping); status == STATUS_OK && json_next(&i);) {
		if (text_equal(i.name, TEXT("map")))
			status = read_map(map, i.value, err);
		else if (text_equal(i.name, TEXT("set")))
			status = read_set(map, i.value, err);
		else if (text_equal(i.name, TEXT("zone")) &&
		         find_zone(map, i.value, &map->zone, &inner) != STATUS_OK)
			status = refuse(err, "zone", TEXT(""), NULL, inner.reason);
		else if (text_equal(i.name, TEXT("type")) && !one_of(i.value, types, &index))
			status = refuse(err, "type", TEXT(""), NULL,
			                "it is none of track, identify, page, screen, group, alias");
		else if (text_equal(i.name, TEXT("type")))
			map->type = text_of(types[index]);
		else if (text_equal(i.name, TEXT("rest")) && !one_of(i.value, rests, &index))
			status = refuse(err, "rest", TEXT(""), NULL, "it is ignore, properties or traits");
		else if (text_equal(i.name, TEXT("rest")))
			map->rest = (enum import_group)index;
	}
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
                        struct buffer *ignored)
{
	for (size_t i = 0; i < import_rows_column_count(rows); i++) {
		struct text        column = import_rows_column(rows, i);
		struct import_rule rule   = {.source = column, .column = i};
		if (column_used(map, column))
			continue;
		if (read_field(map, column, &rule.group, &rule.field) &&
		    find_rule(map, rule.group, rule.field) == NULL) {
			VECTOR_ADD(&map->rules, rule);
		} else if (map->rest != IMPORT_TOP && column.length > 0) {
			rule.group = map->rest;
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
	if (map->table != NULL && has(map, map->table->key))
		return STATUS_OK;
	if (map->table != NULL)
		return error_set_field(err, STATUS_INVALID, "map",
		                       "which column is the %s? --map %s=COLUMN", map->table->key,
		                       map->table->key);
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

/* What a cell without a type becomes in a row of a dimension. */
static enum import_type type_of_field(const struct dimension_table *table, struct text field)
{
	for (size_t i = 0; i < table->field_count; i++) {
		if (!text_equal(field, text_of(table->fields[i].name)))
			continue;
		switch (table->fields[i].type) {
		case DIMENSION_STRINGS:
			return IMPORT_LIST;
		case DIMENSION_BOOLEAN:
			return IMPORT_BOOLEAN;
		case DIMENSION_AMOUNT:
			return IMPORT_NUMBER;
		case DIMENSION_STRING:
			break;
		}
	}
	return IMPORT_STRING;
}

/* What can be known of a rule before the first row. */
static void finish_rule(struct import_map *map, struct import_rule *rule, bool csv)
{
	bool top         = rule->group == IMPORT_TOP && map->table == NULL;
	rule->timestamp  = top && text_equal(rule->field, TEXT("timestamp"));
	rule->message_id = top && text_equal(rule->field, TEXT("messageId"));
	rule->is_type    = top && text_equal(rule->field, TEXT("type"));
	if (rule->type == IMPORT_ANY && (rule->timestamp || rule->zone != NULL))
		rule->type = IMPORT_TIME;
	else if (rule->type == IMPORT_ANY && (csv || rule->constant))
		rule->type = map->table == NULL ? IMPORT_STRING : type_of_field(map->table, rule->field);
	if (rule->zone == NULL)
		rule->zone = map->zone;
	struct buffer      prefix = {0};
	struct json_writer writer = json_writer_of(&prefix);
	json_add_key(&writer, rule->field);
	rule->prefix = arena_text(&map->arena, buffer_text(&prefix));
	buffer_done(&prefix);
}

enum status import_map_bind(struct import_map *map, const struct import_rows *rows,
                            struct buffer *ret_ignored, struct error *err)
{
	bool csv = rows->format == IMPORT_FORMAT_CSV;
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
		add_columns(map, rows, ret_ignored);
	for (size_t i = 0; i < map->rules.count; i++)
		finish_rule(map, &map->rules.items[i], csv);
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
		if (json_type(ret_cell->json) > JSON_NULL)
			return true;
		ret_cell->json = (struct json){0};
	}
	if (ret_cell->text.length == 0)
		ret_cell->text = rule->fallback;
	return ret_cell->text.length > 0;
}

/* 128 bits of the row and its line: two rows that are alike are two. */
static void add_message_id(const struct import_map *map, struct json_writer *writer,
                           const struct import_rows *rows, bool timed)
{
	static const char digits[]       = "0123456789abcdef";
	char              id[7 + 32 + 1] = "import-";
	uint64_t          seed           = timed ? rows->line : rows->line ^ map->digest;
	uint64_t          hashes[2]      = {hash_bytes_seeded(rows->raw.data, rows->raw.length, seed),
	                                    hash_bytes_seeded(rows->raw.data, rows->raw.length, ~seed)};
	for (unsigned i = 0; i < 32; i++)
		id[7 + i] = digits[hashes[i / 16] >> (60 - i % 16 * 4) & 15];
	json_add_key(writer, TEXT("messageId"));
	json_add_string(writer, (struct text){id, 39});
}

static enum status name_column(struct error *err, struct text column)
{
	struct error cell = *err;
	return error_set(err, STATUS_INVALID, "%.*s: %s", TEXT_FORMAT(column), cell.reason);
}

static enum status write_rules(struct import_map *map, const struct import_rows *rows,
                               struct json_writer *writer, int64_t *time_ms, struct error *err)
{
	enum import_group group    = IMPORT_TOP;
	bool              has_id   = false;
	bool              has_type = false;
	for (size_t i = 0; i < map->rules.count; i++) {
		const struct import_rule *rule = &map->rules.items[i];
		struct import_cell        cell;
		int64_t                   unused;
		if (!cell_of(rule, rows, &cell))
			continue;
		enter_group(writer, &group, rule->group);
		json_add_raw(writer, rule->prefix);
		writer->comma      = false;
		enum status status = import_value_write(&cell, rule, map->parser, writer,
		                                        rule->timestamp ? time_ms : &unused, err);
		if (status != STATUS_OK)
			return name_column(err, rule->source);
		has_id   = has_id || rule->message_id;
		has_type = has_type || rule->is_type;
	}
	enter_group(writer, &group, IMPORT_TOP);
	if (map->table != NULL)
		return STATUS_OK;
	if (!has_id)
		add_message_id(map, writer, rows, *time_ms != INSTANT_MS_NONE);
	if (!has_type)
		json_member_string(writer, "type", map->type);
	return STATUS_OK;
}

static bool is_given(struct json row, const char *field)
{
	return json_type(json_get(row, field)) > JSON_NULL;
}

static void write_whole(const struct import_map *map, const struct import_rows *rows,
                        struct json_writer *writer, bool timed)
{
	for (struct json_iterator i = json_iterate(rows->json); json_next(&i);) {
		if (json_type(i.value) == JSON_NULL)
			continue;
		json_add_key(writer, i.name);
		json_add_value(writer, i.value);
	}
	if (map->table != NULL)
		return;
	if (!is_given(rows->json, "messageId"))
		add_message_id(map, writer, rows, timed);
	if (!is_given(rows->json, "type"))
		json_member_string(writer, "type", map->type);
}

static int64_t time_of(struct json row)
{
	int64_t     ms;
	struct json timestamp = json_get(row, "timestamp");
	if (json_type(timestamp) <= JSON_NULL)
		timestamp = json_get(row, "originalTimestamp");
	return json_type(timestamp) == JSON_STRING && instant_parse(json_string(timestamp), &ms)
	           ? ms
	           : INSTANT_MS_NONE;
}

enum status import_map_message(struct import_map *map, const struct import_rows *rows,
                               struct buffer *out, int64_t *ret_time_ms, struct error *err)
{
	size_t  begin   = out->length;
	int64_t time_ms = map->whole && map->table == NULL ? time_of(rows->json) : INSTANT_MS_NONE;
	if (map->whole && map->table == NULL && is_given(rows->json, "messageId") &&
	    is_given(rows->json, "type")) {
		buffer_add_text(out, rows->raw);
		if (ret_time_ms != NULL)
			*ret_time_ms = time_ms;
		return STATUS_OK;
	}
	struct json_writer writer = json_writer_of(out);
	enum status        status = STATUS_OK;
	json_begin_object(&writer);
	if (map->whole)
		write_whole(map, rows, &writer, time_ms != INSTANT_MS_NONE);
	else
		status = write_rules(map, rows, &writer, &time_ms, err);
	json_end_object(&writer);
	if (status != STATUS_OK)
		out->length = begin;
	else if (ret_time_ms != NULL)
		*ret_time_ms = time_ms;
	return status;
}
