#include <stdio.h>

#include "app/client.h"

static const struct client_column columns[] = {
	{"Status", "status"},
	{"Phase", "phase"},
	{"Journal writable", "parts.journal.writable"},
	{"Journal position", "parts.journal.position"},
	{"Clock held", "parts.journal.clockHeld"},
	{"Applied position", "parts.engine.position"},
	{"Engine clock", "parts.engine.clock"},
	{"Memory limit reached", "parts.engine.full"},
	{0},
};

enum exit_code command_health(int argc, char **argv)
{
	struct client client;
	if (command_wants_help(argc, argv)) {
		printf(
			"Usage: sonnim health [FLAGS]\n\nAsks GET /health/ready: exit code 0 when the server "
			"is ready, 1 when not.\n\n");
		client_print_flags(NULL);
		return EXIT_DONE;
	}
	enum exit_code code = client_open(&client, NULL, &argc, argv);
	if (code == EXIT_DONE && argc > 1)
		code = command_usage_text(argv[0], "\"%s\" is no flag", argv[1]);
	if (code == EXIT_DONE) {
		code = client_send(&client, "GET", "/health/ready", (struct text){0});
		if (json_type(json_get(client.answer, "status")) == JSON_STRING)
			client_print_object(&client, columns);
	}
	client_close(&client, NULL);
	return code;
}
