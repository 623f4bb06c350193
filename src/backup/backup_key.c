#include "backup/backup_key.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"

enum { TEXT_BYTES_MAX = 256 };

static const char variable[] = "SONNIM_BACKUP_KEY";

static enum status parse(struct text text, const char *whence, uint8_t ret_key[CIPHER_KEY_BYTES],
                         struct error *err)
{
	while (text.length > 0 && strchr(" \t\r\n", text.data[text.length - 1]) != NULL)
		text.length--;
	while (text.length > 0 && strchr(" \t\r\n", text.data[0]) != NULL)
		text = (struct text){text.data + 1, text.length - 1};
	if (hash_unhex(text, ret_key, CIPHER_KEY_BYTES))
		return STATUS_OK;
	return error_set(err, STATUS_INVALID,
	                 "%s: a backup key is %d hexadecimal digits (openssl rand -hex %d makes one)",
	                 whence, 2 * CIPHER_KEY_BYTES, CIPHER_KEY_BYTES);
}

static enum status read_file(const char *file, uint8_t ret_key[CIPHER_KEY_BYTES], struct error *err)
{
	struct stat   info;
	struct buffer bytes  = {0};
	enum status   status = file_read(file, TEXT_BYTES_MAX, &bytes, err);
	if (status == STATUS_TOO_LARGE)
		status = error_set(err, STATUS_INVALID, "--backup-key-file %s is too long for a key", file);
	if (status == STATUS_OK && stat(file, &info) == 0 && (info.st_mode & 077) != 0)
		status = error_set(err, STATUS_INVALID,
		                   "--backup-key-file %s can be read by others: chmod 600 it", file);
	if (status == STATUS_OK)
		status = parse(buffer_text(&bytes), "--backup-key-file", ret_key, err);
	cipher_wipe(bytes.data, bytes.length);
	buffer_done(&bytes);
	return status;
}

/* All that it prints, up to the limit; what is more is left in the pipe. */
static size_t read_pipe(int fd, char *into, size_t bytes_max)
{
	size_t length = 0;
	while (length < bytes_max) {
		ssize_t got = read(fd, into + length, bytes_max - length);
		if (got == 0 || (got < 0 && errno != EINTR))
			break;
		length += got > 0 ? (size_t)got : 0;
	}
	return length;
}

/* Starts the shell with its output in a pipe. */
static int spawn(const char *command, pid_t *ret_pid, int *ret_fd)
{
	static const char          shell[] = "/bin/sh";
	char *const                argv[]  = {(char *)shell, (char *)"-c", (char *)command, NULL};
	posix_spawn_file_actions_t actions;
	int                        pipes[2];
	if (pipe2(pipes, O_CLOEXEC) != 0)
		return errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
	int failed = posix_spawn(ret_pid, shell, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(pipes[1]);
	if (failed != 0)
		close(pipes[0]);
	else
		*ret_fd = pipes[0];
	return failed;
}

static enum status run(const char *command, uint8_t ret_key[CIPHER_KEY_BYTES], struct error *err)
{
	char  text[TEXT_BYTES_MAX];
	int   fd, result = 0;
	pid_t pid;
	int   failed = spawn(command, &pid, &fd);
	if (failed != 0)
		return error_set_errno(err, STATUS_IO, failed, "cannot run --backup-key-command");
	size_t length = read_pipe(fd, text, sizeof text);
	close(fd);
	while (waitpid(pid, &result, 0) < 0 && errno == EINTR)
		continue;
	enum status status =
		!WIFEXITED(result) || WEXITSTATUS(result) != 0
			? error_set(err, STATUS_INVALID, "--backup-key-command ended with %d",
	                    WIFEXITED(result) ? WEXITSTATUS(result) : result)
			: parse((struct text){text, length}, "--backup-key-command", ret_key, err);
	cipher_wipe(text, sizeof text);
	return status;
}

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
		return read_file(file, ret_key, err);
	if (command != NULL)
		return run(command, ret_key, err);
	return parse(text_of(environment), variable, ret_key, err);
}
