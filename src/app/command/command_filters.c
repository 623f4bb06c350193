#include <stdio.h>

#include "app/command/command.h"
#include "base/settings.h"
#include "model/filter.h"

struct flags {
	bool  markdown;
	char *check;
};

static const struct setting table[] = {
	SETTING_BOOL(struct flags, markdown, "markdown", "Print docs/filters.md"),
	SETTING_STRING(struct flags, check, "check", NULL,
                   "Check a file of own filters, as --filters of the server takes it", "FILE"),
};

static enum exit_code check(const char *name, const char *file)
{
	struct filters filters;
	struct error   err;
	filters_init(&filters);
	size_t      built_in = filters.count;
	enum status status   = filters_add_file(&filters, file, &err);
	if (status == STATUS_OK)
		printf("%s: %zu filters\n", file, filters.count - built_in);
	else
		fprintf(stderr, "sonnim %s: %s\n", name, err.reason);
	filters_done(&filters);
	return status == STATUS_OK ? EXIT_DONE : EXIT_REFUSED;
}

static const char beginning[] =
	"# Filters\n\n"
	"Made by `sonnim filters --markdown` from the table that the program reads.\n\n"
	"Flat filters ask for persons without an expression: "
	"`{\"region\":[\"제주\"],\"membership\":\"VIP\",\"recency\":30}`. All of them must hold; an "
	"array "
	"means any of its values. Each is a template over the [expression language](language.md): what "
	"is given becomes a value in it, and the filter means what that expression means.\n\n"
	"- **A value** is a string, or an array of them. Where values are listed, a label (풀빌라, "
	"Pool "
	"villa) stands for its value (`poolvilla`) or itself, whichever the events have. Where the "
	"list ends with an ellipsis other values are looked for too.\n"
	"- **A number** is the least: `\"booking_frequency\": 3`. A range is `{\"min\": 2, \"max\": "
	"5}`, "
	"with one end or both, ends included.\n"
	"- **Days** are how long ago at most, from 1 to 1,095: `\"recency\": 30`.\n"
	"- **A period** is days, or `{\"from\": \"2025-01-01\", \"to\": \"2025-02-01\"}` with one end "
	"or "
	"both; `to` is not included.\n"
	"- **false** means that the filter does not hold.\n"
	"- **Another window** than that of the table is given with the value: `\"region\": {\"value\": "
	"[\"제주\"], \"days\": 90}`, `\"view_count\": {\"min\": 3, \"days\": 7}`. One that is given "
	"must lie in the retention (`--retention`, less a day); where none is given and events are "
	"kept "
	"shorter than the table's, it is as long as the retention allows.\n\n"
	"A range with one end leaves out the other one's part of the template. *Column*: what it looks "
	"at is kept by person in memory, for its own window; *scan*: stored events are read.\n\n";

static const char end[] =
	"\n## Own filters\n"
	"A deployment adds its own: in the file that `--filters` names, `{\"filters\":[…]}`, read and "
	"checked at the start (`sonnim filters --check FILE` checks it before), or with `POST "
	"/api/v1/audience/filters`. They are used like the others.\n"
	"```json\n"
	"{\"name\": \"shoe_size\", \"label\": {\"ko\": \"신발 치수\", \"en\": \"Shoe size\"},\n"
	" \"type\": \"choice\", \"days\": 180,\n"
	" \"values\": [{\"value\": \"270\", \"label\": {\"ko\": \"270\", \"en\": \"US 9\"}}],\n"
	" \"template\": \"count(\\\"Product Viewed\\\" where size in [$value]) within $days >= 1\"}\n"
	"```\n"
	"`type` is `choice`, `text`, `number`, `range`, `days`, `boolean` or `period`. `values`, of a "
	"choice, may be left out; with `\"closed\": true` there are no others. `days` is the window "
	"when "
	"none is given. The template is an expression in which parameters stand for values:\n\n"
	"| parameter | stands for | of type |\n|---|---|---|\n"
	"| `$value` | a string; in a list all that are given, elsewhere the test holds for any of them "
	"| choice, text |\n"
	"| `$min`, `$max` | a number | number, range |\n"
	"| `$days` | a duration (`within $days`), or a number of days (`< $days`) | days, period, and "
	"all that have a window |\n"
	"| `$from`, `$to` | an instant: `after $from`, `before $to` | period |\n\n"
	"A test or leaf whose parameter is not given is left out, and with it what has no operand "
	"left.\n";

static void print_markdown(void)
{
	struct buffer out = {0};
	filters_markdown(&out);
	printf("%s%.*s%s", beginning, (int)out.length, out.data, end);
	buffer_done(&out);
}

static void print_list(void)
{
	struct filters filters;
	filters_init(&filters);
	for (size_t i = 0; i < filters.count; i++)
		printf("%-20.*s %-8s %.*s\n", TEXT_FORMAT(filters.list[i].name),
		       filter_type_name(filters.list[i].type), TEXT_FORMAT(filters.list[i].text));
	filters_done(&filters);
}

static enum exit_code run(int argc, char **argv, const void *own)
{
	const struct flags *flags = own;
	if (argc > 1)
		return command_usage_text(argv[0], "\"%s\" is no flag", argv[1]);
	if (flags->check != NULL)
		return check(argv[0], flags->check);
	if (flags->markdown)
		print_markdown();
	else
		print_list();
	return EXIT_DONE;
}

enum exit_code command_filters(int argc, char **argv)
{
	static const char usage[] =
		"sonnim filters [--markdown] [--check FILE]\n\nLists the built-in filters of audiences.";
	struct flags          flags = {0};
	const struct settings own   = {table, sizeof table / sizeof table[0], &flags};
	return command_own(argc, argv, &own, usage, run);
}
