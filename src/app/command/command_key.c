#include "app/command/subcommand.h"

static const struct client_column columns[] = {{"Keys wrapped anew", "rewrapped"}, {0}};

static const struct subcommand table[] = {
	{"rotate", "", "Replace the keyring's master key while the server runs", 0,
     .request =
         {.method = "POST", .base = "/api/v1/master-key", .rest = "rotate", .columns = columns}},
	{0},
};

enum exit_code command_key(int argc, char **argv)
{
	return subcommand_main("key", table, argc, argv);
}
