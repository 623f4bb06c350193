#ifndef SONNIM_VAULT_SECRET_KEY_H
#define SONNIM_VAULT_SECRET_KEY_H

/* A key that an operator keeps: 32 bytes as 64 hexadecimal digits, blanks around them do not count.
 * It comes from one of
 *   a file        must not be readable by others
 *   a command     run by /bin/sh, prints it (a secrets' manager) within SECRET_KEY_SECONDS_MAX
 *   a variable    of the environment
 * What is said of a mistake names where it came from, never what was read. */

#include "base/error.h"
#include "vault/cipher.h"

enum { SECRET_KEY_SECONDS_MAX = 30 };

/* `whence` is what it is called: "--backup-key-file". STATUS_INVALID: it is no such key, or others
 * can read it; STATUS_TIMEOUT: the command has not ended. */
MUST_USE enum status secret_key_of_file(const char *path, const char *whence,
                                        uint8_t ret_key[CIPHER_KEY_BYTES], struct error *err);
MUST_USE enum status secret_key_of_command(const char *command, const char *whence,
                                           uint8_t ret_key[CIPHER_KEY_BYTES], struct error *err);
MUST_USE enum status secret_key_of_text(struct text text, const char *whence,
                                        uint8_t ret_key[CIPHER_KEY_BYTES], struct error *err);

#endif
