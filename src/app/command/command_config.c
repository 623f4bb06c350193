#include <stdio.h>

#include "app/command/command.h"
#include "app/serve_settings.h"

enum exit_code command_config(int argc, char **argv)
{
	bool           markdown = false;
	struct setting flag     = {
			"markdown", SETTING_TYPE_BOOL, 0, NULL, 0, 1, "Print docs/configuration.md", NULL};
	struct settings own = {&flag, 1, &markdown};
	struct buffer   out = {0};
	struct error    err;
	if (settings_load(&own, 1, &err) != STATUS_OK)
		return command_usage(argv[0], &err);
	if (command_wants_help(argc, argv)) {
		settings_help(&own, 1, &out);
		printf("Usage: sonnim config [--markdown]\n\nPrints all settings of `sonnim serve` with "
		       "their defaults.\n\n%.*s",
		       (int)out.length, out.data);
		buffer_done(&out);
		return EXIT_DONE;
	}
	if (settings_parse_flags(&own, 1, &argc, argv, &err) != STATUS_OK)
		return command_usage(argv[0], &err);
	if (argc > 1)
		return command_usage_text(argv[0], "\"%s\" is no flag", argv[1]);

	struct serve_settings target = {0};
	struct settings       sets[SERVE_SETTINGS_SETS];
	serve_settings_of(&target, sets);
	if (markdown) {
		printf(
			"# Configuration\n\nMade by `sonnim config --markdown` from the tables that the "
			"program reads.\n\nEach setting of `sonnim serve` is given as a flag (`--data DIR`), "
			"as an environment variable (`SONNIM_DATA`), or as a line of the file that "
			"`--config` names (`data = DIR`; `#` begins a comment). A flag wins over the "
			"environment, that over the file, that over the default.\n\nEverything is checked at "
			"the start; "
			"a mistake is named with flag, variable or `file:line:column`, an unknown name with "
			"the nearest known one (of the environment nothing but the settings' own variables is "
			"looked at). `sonnim doctor --config FILE` checks a file. On SIGHUP "
			"(`systemctl reload`) file and environment are read and checked again: settings with "
			"a *yes* count from then on, of others the log says that they need a restart, and "
			"when anything is wrong all stay as they were.\n\n");
		settings_markdown(sets, SERVE_SETTINGS_SETS, &out);
	} else {
		settings_help(sets, SERVE_SETTINGS_SETS, &out);
	}
	printf("%.*s", (int)out.length, out.data);
	buffer_done(&out);
	return EXIT_DONE;
}
