/* docs/filters.md, as far as it is made from the table. */

#include "model/filter_internal.h"

static const char *takes(enum filter_type type)
{
	static const char *const texts[FILTER_TYPE_COUNT] = {
		[FILTER_CHOICE]  = "a value, or several",
		[FILTER_TEXT]    = "a text, or several",
		[FILTER_NUMBER]  = "a least whole number, or a range",
		[FILTER_RANGE]   = "a least number, or a range",
		[FILTER_DAYS]    = "days",
		[FILTER_BOOLEAN] = "true or false",
		[FILTER_PERIOD]  = "days, or from and to",
	};
	return texts[type];
}

static void add_row(struct buffer *out, const struct filter *filter)
{
	buffer_printf(out, "| `%.*s` | %.*s | %.*s | %s | ", TEXT_FORMAT(filter->name),
	              TEXT_FORMAT(filter->label.ko), TEXT_FORMAT(filter->label.en),
	              takes(filter->type));
	for (unsigned i = 0; i < filter->choice_count; i++)
		buffer_printf(out, "%s`%.*s` %.*s", i == 0 ? "" : ", ",
		              TEXT_FORMAT(filter->choices[i].value),
		              TEXT_FORMAT(filter->choices[i].label.ko));
	if (filter->type == FILTER_CHOICE && !filter->closed)
		buffer_add_text(out, filter->choice_count > 0 ? TEXT(" …") : TEXT("…"));
	if (filter->days != 0)
		buffer_printf(out, " | %lld d", (long long)filter->days);
	else
		buffer_add_text(out, TEXT(" | "));
	buffer_printf(out, " | %s |\n", filter->column ? "column" : "scan");
}

static void add_template(struct buffer *out, const struct filter *filter, const char *note)
{
	buffer_printf(out, "\n`%.*s`", TEXT_FORMAT(filter->name));
	if (note != NULL)
		buffer_printf(out, ": %s", note);
	buffer_printf(out, "\n```text\n%.*s\n```\n", TEXT_FORMAT(filter->text));
}

void filters_markdown(struct buffer *out)
{
	struct filters filters;
	filters_init(&filters);
	buffer_add_text(out, TEXT("| name | 이름 | label | takes | values | window | by |\n"
	                          "|---|---|---|---|---|---|---|\n"));
	for (size_t i = 0; i < filters.count; i++)
		add_row(out, &filters.list[i]);
	buffer_add_text(out, TEXT("\n## Templates\n"));
	for (size_t i = 0; i < filters.count; i++)
		add_template(out, &filters.list[i], filter_table[i].note);
	filters_done(&filters);
}
