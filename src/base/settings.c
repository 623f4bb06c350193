#include "base/settings.h"

#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/edit_distance.h"
#include "base/file.h"
#include "base/settings_internal.h"

enum { NAME_BYTES_MAX = 64, FILE_BYTES_MAX = 1 << 20, PLACE_BYTES = 256 };

struct unit {
	const char *name;
	int64_t     factor;
};

/* Largest first, so that the first that divides is the shortest form. */
static const struct unit byte_units[] = {
	{"TiB", INT64_C(1) << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}, {0},
};
static const struct unit duration_units[] = {
	{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {0},
};
static const struct unit no_units[] = {{"", 1}, {0}};

static const struct unit *units_of(enum setting_type type)
{
	return type == SETTING_TYPE_BYTES      ? byte_units
	       : type == SETTING_TYPE_DURATION ? duration_units
	                                       : no_units;
}

void setting_format(enum setting_type type, int64_t number, char into[SETTING_TEXT_BYTES])
{
	const struct unit *unit = units_of(type);
	while (number % unit->factor != 0 || (number == 0 && unit[1].name != NULL))
		unit++;
	snprintf(into, SETTING_TEXT_BYTES, "%lld%s", (long long)(number / unit->factor), unit->name);
}

/* A whole number and one of the type's units. */
static bool parse_number(enum setting_type type, const char *text, int64_t *ret_number)
{
	const char *at       = text;
	bool        negative = type == SETTING_TYPE_INT && *at == '-';
	int64_t     number   = 0;
	at += negative;
	if (!isdigit((unsigned char)*at))
		return false;
	for (; isdigit((unsigned char)*at); at++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_sub_overflow(number, *at - '0', &number))
			return false;
	if (!negative && __builtin_sub_overflow(0, number, &number))
		return false;

	for (const struct unit *unit = units_of(type); unit->name != NULL; unit++)
		if (strcmp(at, unit->name) == 0)
			return !__builtin_mul_overflow(number, unit->factor, ret_number);
	return false;
}

static enum status set_number(const struct setting *setting, char *member, const char *text,
                              const char *where, struct error *err)
{
	static const char *const forms[] = {
		[SETTING_TYPE_INT]      = "a whole number",
		[SETTING_TYPE_BYTES]    = "a size such as 1048576, 64KiB, 1MiB, 4GiB",
		[SETTING_TYPE_DURATION] = "a duration such as 250ms, 5s, 10m, 1h, 3d",
	};
	int64_t number;
	if (!parse_number(setting->type, text, &number))
		return error_set(err, STATUS_INVALID, "%s must be %s", where, forms[setting->type]);
	if (number < setting->min || number > setting->max) {
		char min[SETTING_TEXT_BYTES], max[SETTING_TEXT_BYTES];
		setting_format(setting->type, setting->min, min);
		setting_format(setting->type, setting->max, max);
		return error_set(err, STATUS_INVALID, "%s must be from %s to %s", where, min, max);
	}
	memcpy(member, &number, sizeof number);
	return STATUS_OK;
}

static enum status set_bool(char *member, const char *text, const char *where, struct error *err)
{
	bool value = strcmp(text, "true") == 0;
	if (!value && strcmp(text, "false") != 0)
		return error_set(err, STATUS_INVALID, "%s must be true or false", where);
	memcpy(member, &value, sizeof value);
	return STATUS_OK;
}

static void set_string(char *member, const char *text)
{
	char *old;
	char *copy = text == NULL ? NULL : strdup(text);
	if (text != NULL && copy == NULL)
		abort();
	memcpy(&old, member, sizeof old);
	memcpy(member, &copy, sizeof copy);
	free(old);
}

/* `where` names the place for the error: a flag, a variable, `file:line`. */
static enum status set_value(const struct settings *set, const struct setting *setting,
                             const char *text, const char *where, struct error *err)
{
	char       *member = (char *)set->target + setting->offset;
	enum status status = STATUS_OK;
	if (setting->type == SETTING_TYPE_STRING)
		set_string(member, text);
	else if (setting->type == SETTING_TYPE_BOOL)
		status = set_bool(member, text, where, err);
	else
		status = set_number(setting, member, text, where, err);
	const char *wrong = NULL;
	if (status == STATUS_OK && setting->check != NULL)
		wrong = setting->check(member);
	return wrong == NULL ? status : error_set(err, STATUS_INVALID, "%s %s", where, wrong);
}

static void set_default(const struct settings *set, const struct setting *setting)
{
	char *member = (char *)set->target + setting->offset;
	if (setting->default_text != NULL) {
		enum status status = set_value(set, setting, setting->default_text, setting->name, NULL);
		assert(status == STATUS_OK);
	} else if (setting->type == SETTING_TYPE_STRING) {
		set_string(member, NULL);
	} else {
		memset(member, 0, setting->type == SETTING_TYPE_BOOL ? sizeof(bool) : sizeof(int64_t));
	}
}

struct found {
	const struct settings *set;
	const struct setting  *setting;
};

static bool find(const struct settings *sets, size_t set_count, const char *name, size_t length,
                 struct found *ret_found)
{
	for (size_t i = 0; i < set_count; i++) {
		for (size_t j = 0; j < sets[i].count; j++) {
			const struct setting *setting = &sets[i].table[j];
			if (strlen(setting->name) != length || memcmp(setting->name, name, length) != 0)
				continue;
			*ret_found = (struct found){&sets[i], setting};
			return true;
		}
	}
	return false;
}

static const char *nearest_name(const struct settings *sets, size_t set_count, const char *name,
                                size_t length)
{
	const char *nearest = NULL;
	/* Farther away it would be a guess, not a slip. */
	size_t distance_min = length / 3 + 2;
	if (length > NAME_BYTES_MAX)
		return NULL;
	for (size_t i = 0; i < set_count; i++) {
		for (size_t j = 0; j < sets[i].count; j++) {
			const char *known = sets[i].table[j].name;
			size_t      distance =
				edit_distance((struct text){name, length}, text_of(known), distance_min);
			if (distance >= distance_min)
				continue;
			distance_min = distance;
			nearest      = known;
		}
	}
	return nearest;
}

static enum status unknown(const struct settings *sets, size_t set_count, const char *where,
                           const char *dashes, const char *name, size_t length, struct error *err)
{
	const char *nearest = nearest_name(sets, set_count, name, length);
	int         shown   = length > NAME_BYTES_MAX ? NAME_BYTES_MAX : (int)length;
	if (nearest == NULL)
		return error_set(err, STATUS_INVALID, "%sunknown setting %s%.*s", where, dashes, shown,
		                 name);
	return error_set(err, STATUS_INVALID, "%sunknown setting %s%.*s, did you mean %s%s?", where,
	                 dashes, shown, name, dashes, nearest);
}

static enum status load_environment(const struct settings *set, struct error *err)
{
	for (size_t j = 0; j < set->count; j++) {
		const char *name                                        = set->table[j].name;
		char        variable[NAME_BYTES_MAX + sizeof "SONNIM_"] = "SONNIM_";
		assert(strlen(name) <= NAME_BYTES_MAX);
		char *at = variable + strlen(variable);
		for (; *name != '\0'; name++)
			*at++ = (char)(*name == '-' ? '_' : toupper((unsigned char)*name));
		*at = '\0';

		const char *value = getenv(variable);
		if (value == NULL || *value == '\0')
			continue;
		enum status status = set_value(set, &set->table[j], value, variable, err);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

static char *trim(char *begin, char *end)
{
	while (begin < end && isspace((unsigned char)*begin))
		begin++;
	while (end > begin && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return begin;
}

/* A comment begins with the line or behind white space, so that a value may hold a '#'. */
static void cut_comment(char *line)
{
	for (char *at = line; *at != '\0'; at++) {
		if (*at == '#' && (at == line || isspace((unsigned char)at[-1]))) {
			*at = '\0';
			return;
		}
	}
}

/* A file as it is read: where it stands, and which settings were given. */
struct reading {
	const struct settings *sets;
	size_t                 set_count;
	const char            *file;
	const char            *line_begin;
	unsigned               line;
	unsigned              *lines; /* of each setting, set after set; 0: not given */
};

/* "file:line:column: " of a place in the line. */
static const char *place(const struct reading *reading, const char *at, char into[PLACE_BYTES])
{
	snprintf(into, PLACE_BYTES, "%s:%u:%u: ", reading->file, reading->line,
	         (unsigned)(at - reading->line_begin) + 1);
	return into;
}

/* Where it is noted in which line a setting was given. */
static unsigned *line_of(const struct reading *reading, const struct found *found)
{
	size_t index = (size_t)(found->setting - found->set->table);
	for (const struct settings *set = reading->sets; set != found->set; set++)
		index += set->count;
	return &reading->lines[index];
}

static enum status load_line(const struct reading *reading, char *line, struct error *err)
{
	char         where[PLACE_BYTES];
	struct found found;
	cut_comment(line);
	line = trim(line, line + strlen(line));
	if (*line == '\0')
		return STATUS_OK;
	char *equals = strchr(line, '=');
	if (equals == NULL)
		return error_set(err, STATUS_INVALID, "%sexpected name = value",
		                 place(reading, line, where));

	char *value = trim(equals + 1, equals + 1 + strlen(equals + 1));
	char *name  = trim(line, equals);
	place(reading, name, where);
	if (!find(reading->sets, reading->set_count, name, strlen(name), &found))
		return unknown(reading->sets, reading->set_count, where, "", name, strlen(name), err);
	unsigned *first = line_of(reading, &found);
	if (*first != 0)
		return error_set(err, STATUS_INVALID, "%s%s is given in line %u already", where, name,
		                 *first);
	*first = reading->line;
	char what[PLACE_BYTES + NAME_BYTES_MAX];
	snprintf(what, sizeof what, "%s%s", place(reading, value, where), found.setting->name);
	return set_value(found.set, found.setting, value, what, err);
}

static enum status load_lines(struct reading *reading, struct buffer *content, struct error *err)
{
	/* Lines are ended in place. */
	buffer_add_u8(content, '\n');
	char       *end    = content->data + content->length;
	enum status status = STATUS_OK;
	for (char *line = content->data; line < end && status == STATUS_OK;) {
		char *newline       = memchr(line, '\n', (size_t)(end - line));
		*newline            = '\0';
		reading->line_begin = line;
		reading->line++;
		status = load_line(reading, line, err);
		line   = newline + 1;
	}
	return status;
}

static enum status load_configuration(const struct settings *sets, size_t set_count,
                                      const char *file, struct error *err)
{
	struct buffer content = {0};
	size_t        count   = 0;
	for (size_t i = 0; i < set_count; i++)
		count += sets[i].count;
	struct reading reading = {.sets      = sets,
	                          .set_count = set_count,
	                          .file      = file,
	                          .lines     = calloc(count, sizeof(unsigned))};
	assert(reading.lines != NULL);
	enum status status = file_read(file, FILE_BYTES_MAX, &content, err);
	if (status == STATUS_OK)
		status = load_lines(&reading, &content, err);
	free(reading.lines);
	buffer_done(&content);
	return status;
}

enum status settings_load_file(const struct settings *sets, size_t set_count, const char *file,
                               struct error *err)
{
	for (size_t i = 0; i < set_count; i++)
		for (size_t j = 0; j < sets[i].count; j++)
			set_default(&sets[i], &sets[i].table[j]);

	enum status status = STATUS_OK;
	if (file != NULL)
		status = load_configuration(sets, set_count, file, err);
	for (size_t i = 0; i < set_count && status == STATUS_OK; i++)
		status = load_environment(&sets[i], err);
	return status;
}

enum status settings_load(const struct settings *sets, size_t set_count, struct error *err)
{
	return settings_load_file(sets, set_count, NULL, err);
}

/* One flag at argv[*at]; leaves `*at` at the last argument that it took. */
static enum status parse_flag(const struct settings *sets, size_t set_count, int argc, char **argv,
                              int *at, struct error *err)
{
	const char  *name   = argv[*at] + 2;
	size_t       length = strcspn(name, "=");
	const char  *value  = name[length] == '=' ? name + length + 1 : NULL;
	struct found found;
	if (!find(sets, set_count, name, length, &found))
		return unknown(sets, set_count, "", "--", name, length, err);

	char where[NAME_BYTES_MAX + 3];
	snprintf(where, sizeof where, "--%s", found.setting->name);
	if (value == NULL && found.setting->type == SETTING_TYPE_BOOL)
		value = "true";
	if (value == NULL) {
		if (*at + 1 >= argc)
			return error_set(err, STATUS_INVALID, "%s needs a value", where);
		value = argv[++*at];
	}
	return set_value(found.set, found.setting, value, where, err);
}

/* "-" alone (standard input) and negative numbers are arguments. */
static bool is_short_flag(const char *argument)
{
	return argument[0] == '-' && argument[1] != '\0' && !isdigit((unsigned char)argument[1]);
}

enum status settings_parse_flags(const struct settings *sets, size_t set_count, int *argc,
                                 char **argv, struct error *err)
{
	int kept = *argc > 0 ? 1 : 0;
	int at   = kept;
	for (; at < *argc; at++) {
		if (strcmp(argv[at], "--") == 0) {
			at++;
			break;
		}
		enum status status = STATUS_OK;
		if (strncmp(argv[at], "--", 2) == 0)
			status = parse_flag(sets, set_count, *argc, argv, &at, err);
		else if (is_short_flag(argv[at]))
			status = unknown(sets, set_count, "", "-", argv[at] + 1, strlen(argv[at] + 1), err);
		else
			argv[kept++] = argv[at];
		if (status != STATUS_OK)
			return status;
	}
	while (at < *argc)
		argv[kept++] = argv[at++];
	argv[kept] = NULL;
	*argc      = kept;
	return STATUS_OK;
}

/* ---- Of a running process ---- */

static size_t value_bytes(enum setting_type type)
{
	return type == SETTING_TYPE_STRING ? sizeof(char *)
	       : type == SETTING_TYPE_BOOL ? sizeof(bool)
	                                   : sizeof(int64_t);
}

static bool is_equal(const struct setting *setting, const char *a, const char *b)
{
	const char *text_a, *text_b;
	if (setting->type != SETTING_TYPE_STRING)
		return memcmp(a, b, value_bytes(setting->type)) == 0;
	memcpy(&text_a, a, sizeof text_a);
	memcpy(&text_b, b, sizeof text_b);
	if (text_a == NULL || text_b == NULL)
		return text_a == text_b;
	return strcmp(text_a, text_b) == 0;
}

void settings_compare(const struct settings *before, const struct settings *after, size_t set_count,
                      settings_differs_fn *differs, void *context)
{
	for (size_t i = 0; i < set_count; i++) {
		assert(before[i].table == after[i].table);
		for (size_t j = 0; j < before[i].count; j++) {
			const struct setting *setting = &before[i].table[j];
			if (!is_equal(setting, (const char *)before[i].target + setting->offset,
			              (const char *)after[i].target + setting->offset))
				differs(context, setting);
		}
	}
}

void settings_take_live(const struct settings *into, const struct settings *from, size_t set_count)
{
	for (size_t i = 0; i < set_count; i++) {
		for (size_t j = 0; j < into[i].count; j++) {
			const struct setting *setting = &into[i].table[j];
			char                 *target  = (char *)into[i].target + setting->offset;
			const char           *source  = (const char *)from[i].target + setting->offset;
			if (!setting->live)
				continue;
			if (setting->type != SETTING_TYPE_STRING) {
				memcpy(target, source, value_bytes(setting->type));
				continue;
			}
			const char *text;
			memcpy(&text, source, sizeof text);
			set_string(target, text);
		}
	}
}

void settings_done(const struct settings *sets, size_t set_count)
{
	for (size_t i = 0; i < set_count; i++)
		for (size_t j = 0; j < sets[i].count; j++)
			if (sets[i].table[j].type == SETTING_TYPE_STRING)
				set_string((char *)sets[i].target + sets[i].table[j].offset, NULL);
}
