#include <stdio.h>

#include "app/command/subcommand.h"
#include "base/hash.h"

static const char base[] = "/api/v1/audiences";

static const struct client_column figure_columns[] = {
	{"Audience", "audience_id"},
	{"Definition", "text"},
	{"Size", "audience_size"},
	{"Users", "total_users"},
	{"Ratio", "ratio"},
	{"Average order", "average_order_value"},
	{"Revenue in a year", "expected_revenue"},
	{"As of", "as_of"},
	{"Cached", "cached"},
	{"Took ms", "took_ms"},
	{0},
};

static const struct client_column list_columns[] = {
	{"ID", "id"},
	{"NAME", "name"},
	{"KIND", "kind"},
	{"VERSION", "version"},
	{"SIZE", "audience_size"},
	{"AS OF", "as_of"},
	{"DEFINITION", "text"},
	{0},
};

static const struct client_column object_columns[] = {
	{"Id", "id"},
	{"Name", "name"},
	{"Description", "description"},
	{"Kind", "kind"},
	{"Version", "version"},
	{"Definition", "text"},
	{"Segment", "segment.key"},
	{"State", "segment.state"},
	{"Size", "audience_size"},
	{"Users", "total_users"},
	{"Ratio", "ratio"},
	{"As of", "as_of"},
	{"Average order", "figures.average_order_value"},
	{"Revenue in a year", "figures.expected_revenue"},
	{0},
};

static const struct client_column version_columns[] = {
	{"VERSION", "version"}, {"NAME", "name"}, {"AT", "at"}, {"DEFINITION", "definition"}, {0}};

static const struct client_column overview_columns[] = {
	{"Users", "total_users"},
	{"Active in 30 days", "active_users"},
	{"As of", "as_of"},
	{0},
};

static const struct client_column compared_columns[] = {
	{"AUDIENCE", "audience_id"}, {"NAME", "name"}, {"KIND", "kind"}, {"SIZE", "size"}, {0}};

/* By place, from 0. */
static const struct client_column together_columns[] = {
	{"TOGETHER", "audiences"}, {"SIZE", "size"}, {0}};
static const struct client_column exactly_columns[] = {
	{"ONLY IN", "audiences"}, {"SIZE", "size"}, {0}};

static const struct client_column overlap_columns[] = {
	{"In any", "union"}, {"Users", "total_users"}, {"As of", "as_of"}, {0}};

static bool is_json(const char *who) { return who[0] == '{'; }

/* Filters as JSON stand as they are, anything else is an expression. */
static void write_question(struct json_writer *writer, const char *who)
{
	json_add_key(writer, is_json(who) ? TEXT("filters") : TEXT("expression"));
	if (is_json(who))
		json_add_raw(writer, text_of(who));
	else
		json_add_string(writer, text_of(who));
}

static enum exit_code calculate(struct client *client, const struct subcommand_flags *flags,
                                char **a)
{
	struct buffer      body   = {0};
	struct json_writer writer = json_writer_of(&body);
	(void)flags;
	json_begin_object(&writer);
	write_question(&writer, a[0]);
	json_end_object(&writer);
	enum exit_code code = subcommand_object(client, "POST", "/api/v1/audience/calculate", NULL,
	                                        NULL, buffer_text(&body), figure_columns);
	buffer_done(&body);
	return code;
}

/* An id of one that is known, or a definition. */
static void write_compared(struct json_writer *writer, const char *who)
{
	if (uuid_valid(text_of(who))) {
		json_add_string(writer, text_of(who));
		return;
	}
	json_begin_object(writer);
	write_question(writer, who);
	json_end_object(writer);
}

static void print_part(struct json answer, const char *part, const struct client_column *columns)
{
	client_print_table(json_get(answer, part), columns, true);
	printf("\n");
}

static void print_overlap(const struct client *client)
{
	if (!client->settings.json) {
		print_part(client->answer, "audiences", compared_columns);
		print_part(client->answer, "pairs", together_columns);
		print_part(client->answer, "regions", exactly_columns);
	}
	client_print_object(client, overlap_columns);
}

static enum exit_code overlap(struct client *client, const struct subcommand_flags *flags, char **a)
{
	struct buffer      body   = {0};
	struct json_writer writer = json_writer_of(&body);
	(void)flags;
	json_begin_object(&writer);
	json_add_key(&writer, TEXT("audiences"));
	json_begin_array(&writer);
	for (; *a != NULL; a++)
		write_compared(&writer, *a);
	json_end_array(&writer);
	json_end_object(&writer);
	enum exit_code code =
		client_send(client, "POST", "/api/v1/audience/overlap", buffer_text(&body));
	if (code == EXIT_DONE)
		print_overlap(client);
	buffer_done(&body);
	return code;
}

static enum exit_code save_as(struct client *client, const char *kind, char **a)
{
	struct buffer      body   = {0};
	struct json_writer writer = json_writer_of(&body);
	json_begin_object(&writer);
	json_member_string(&writer, "name", text_of(a[0]));
	json_member_string(&writer, "kind", text_of(kind));
	write_question(&writer, a[1]);
	json_end_object(&writer);
	enum exit_code code =
		subcommand_object(client, "POST", base, NULL, NULL, buffer_text(&body), object_columns);
	buffer_done(&body);
	return code;
}

static enum exit_code save(struct client *client, const struct subcommand_flags *flags, char **a)
{
	(void)flags;
	return save_as(client, "live", a);
}

static enum exit_code freeze(struct client *client, const struct subcommand_flags *flags, char **a)
{
	(void)flags;
	return save_as(client, "snapshot", a);
}

static enum exit_code redefine(struct client *client, const struct subcommand_flags *flags,
                               char **a)
{
	struct buffer      body   = {0};
	struct json_writer writer = json_writer_of(&body);
	(void)flags;
	json_begin_object(&writer);
	write_question(&writer, a[1]);
	json_end_object(&writer);
	enum exit_code code =
		subcommand_object(client, "PUT", base, a[0], NULL, buffer_text(&body), object_columns);
	buffer_done(&body);
	return code;
}

static const struct subcommand table[] = {
	{"calculate", "WHO",
     "Size and worth: WHO is an expression, or filters: '{\"membership\":\"VIP\",\"recency\":30}'",
     1, calculate},
	{"overlap", "WHO WHO…",
     "How two to five share their members; WHO may be an id, too. Numbers are places, from 0", 2,
     overlap, .argument_count_max = 5},
	{"overview", "", "Users, and how many of them are active", 0,
     .request = {.method  = "GET",
                 .base    = "/api/v1/audience/overview",
                 .columns = overview_columns}},
	{"list", "", "All saved audiences", 0, .request = {.base = base, .columns = list_columns}},
	{"get", "ID", "One saved audience", 1,
     .request = {.method = "GET", .base = base, .columns = object_columns}},
	{"save", "NAME WHO", "Save an audience that stays live", 2, save},
	{"snapshot", "NAME WHO", "Save who is in it now", 2, freeze},
	{"redefine", "ID WHO", "Change who is asked for", 2, redefine},
	{"refresh", "ID", "Calculate it anew; a snapshot gets the members of now", 1,
     .request = {.method = "POST", .base = base, .rest = "refresh", .columns = object_columns}},
	{"versions", "ID", "What each version said", 1,
     .request = {.base = base, .rest = "versions", .columns = version_columns}},
	{"delete", "ID", "Delete a saved audience", 1,
     .request = {.method = "DELETE", .base = base, .columns = object_columns}},
	{0},
};

enum exit_code command_audience(int argc, char **argv)
{
	return subcommand_main("audience", table, argc, argv);
}
