#include "backup/backup_key.h"

#include <stdlib.h>

#include "vault/secret_key.h"

static const char variable[] = "SONNIM_BACKUP_KEY";

enum status backup_key_read(const char *file, const char *command,
                            uint8_t ret_key[CIPHER_KEY_BYTES], struct error *err)
{
	const char *environment = getenv(variable);
	bool        set         = environment != NULL && environment[0] != '\0';
	if ((file != NULL) + (command != NULL) + set != 1)
		return error_set(err, STATUS_INVALID,
		                 "backups need a key from one of --backup-key-file, --backup-key-command "
		                 "and the environment's %s",
		                 variable);
	if (file != NULL)
		return secret_key_of_file(file, "--backup-key-file", ret_key, err);
	if (command != NULL)
		return secret_key_of_command(command, "--backup-key-command", ret_key, err);
	return secret_key_of_text(text_of(environment), variable, ret_key, err);
}
