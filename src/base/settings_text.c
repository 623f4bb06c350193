#include <stdio.h>
#include <string.h>

#include "base/settings.h"
#include "base/settings_internal.h"

enum { COLUMNS_MAX = 100, HELP_COLUMN = 38 };

static const char *const type_names[] = {
	[SETTING_TYPE_STRING] = "text",       [SETTING_TYPE_BOOL] = "true or false",
	[SETTING_TYPE_INT] = "number",        [SETTING_TYPE_BYTES] = "size",
	[SETTING_TYPE_DURATION] = "duration",
};

static const char *value_name(const struct setting *setting)
{
	static const char *const names[] = {
		[SETTING_TYPE_STRING] = "TEXT",       [SETTING_TYPE_BOOL] = NULL,
		[SETTING_TYPE_INT] = "NUMBER",        [SETTING_TYPE_BYTES] = "SIZE",
		[SETTING_TYPE_DURATION] = "DURATION",
	};
	return setting->value_name != NULL ? setting->value_name : names[setting->type];
}

static void pad(struct buffer *out, size_t from, size_t to)
{
	for (; from < to; from++)
		buffer_add_u8(out, ' ');
}

/* Words from HELP_COLUMN on, broken before COLUMNS_MAX; the line already has `column` bytes. */
static void add_wrapped(struct buffer *out, size_t column, const char *text)
{
	if (column + 2 > HELP_COLUMN) {
		buffer_add_u8(out, '\n');
		column = 0;
	}
	pad(out, column, HELP_COLUMN);
	column = HELP_COLUMN;
	for (const char *word = text; *word != '\0';) {
		size_t length = strcspn(word, " ");
		if (column > HELP_COLUMN && column + 1 + length > COLUMNS_MAX) {
			buffer_add_u8(out, '\n');
			pad(out, 0, HELP_COLUMN);
			column = HELP_COLUMN;
		} else if (column > HELP_COLUMN) {
			buffer_add_u8(out, ' ');
			column++;
		}
		buffer_add(out, word, length);
		column += length;
		word += length;
		word += strspn(word, " ");
	}
	buffer_add_u8(out, '\n');
}

static void add_help(struct buffer *out, const struct setting *setting)
{
	size_t begin = out->length;
	buffer_printf(out, "  --%s", setting->name);
	if (value_name(setting) != NULL)
		buffer_printf(out, " %s", value_name(setting));

	struct buffer text = {0};
	buffer_printf(&text, "%s", setting->help);
	if (setting->default_text != NULL && setting->default_text[0] != '\0')
		buffer_printf(&text, " (default %s)", setting->default_text);
	buffer_add_u8(&text, '\0');
	add_wrapped(out, out->length - begin, text.data);
	buffer_done(&text);
}

void settings_help(const struct settings *sets, size_t set_count, struct buffer *out)
{
	for (size_t i = 0; i < set_count; i++)
		for (size_t j = 0; j < sets[i].count; j++)
			add_help(out, &sets[i].table[j]);
}

/* A pipe would end the cell. */
static void add_cell(struct buffer *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '|')
			buffer_add_u8(out, '\\');
		buffer_add_u8(out, (uint8_t)*text);
	}
}

static void add_row(struct buffer *out, const struct setting *setting)
{
	buffer_printf(out, "| `%s` | %s | ", setting->name, type_names[setting->type]);
	if (setting->default_text != NULL && setting->default_text[0] != '\0')
		buffer_printf(out, "`%s`", setting->default_text);
	else if (setting->type == SETTING_TYPE_BOOL)
		buffer_printf(out, "`false`");
	buffer_printf(out, " | ");
	if (setting->type != SETTING_TYPE_STRING && setting->type != SETTING_TYPE_BOOL) {
		char min[SETTING_TEXT_BYTES], max[SETTING_TEXT_BYTES];
		setting_format(setting->type, setting->min, min);
		setting_format(setting->type, setting->max, max);
		buffer_printf(out, "%s to %s", min, max);
	}
	buffer_printf(out, " | %s | ", setting->live ? "yes" : "");
	add_cell(out, setting->help);
	buffer_printf(out, " |\n");
}

void settings_markdown(const struct settings *sets, size_t set_count, struct buffer *out)
{
	buffer_printf(out, "| Setting | Type | Default | Bounds | SIGHUP | Meaning |\n"
	                   "|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < set_count; i++)
		for (size_t j = 0; j < sets[i].count; j++)
			add_row(out, &sets[i].table[j]);
}
