#ifndef SONNIM_BACKUP_KEY_H
#define SONNIM_BACKUP_KEY_H

/* The key that wraps the data key of a repository of backups: 32 bytes as 64 hexadecimal digits,
 * blanks around them do not count. It comes from exactly one of
 *   --backup-key-file FILE           must not be readable by others
 *   --backup-key-command COMMAND     run by /bin/sh, prints it (a secrets' manager)
 *   SONNIM_BACKUP_KEY                in the environment
 * and lies neither among the data nor among the backups. */

#include "base/error.h"
#include "vault/cipher.h"

/* Each may be NULL. STATUS_INVALID says what is wrong with which, never the key. */
MUST_USE enum status backup_key_read(const char *file, const char *command,
                                     uint8_t ret_key[CIPHER_KEY_BYTES], struct error *err);

#endif
