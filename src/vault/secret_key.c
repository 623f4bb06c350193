#include "vault/secret_key.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"

enum { TEXT_BYTES_MAX = 256, MS_PER_SECOND = 1000, NS_PER_MS = 1000000 };

enum status secret_key_of_text(struct text text, const char *whence,
                               uint8_t ret_key[CIPHER_KEY_BYTES], struct error *err)
{
	while (text.length > 0 && strchr(" \t\r\n", text.data[text.length - 1]) != NULL)
		text.length--;
	while (text.length > 0 && strchr(" \t\r\n", text.data[0]) != NULL)
		text = (struct text){text.data + 1, text.length - 1};
	if (hash_unhex(text, ret_key, CIPHER_KEY_BYTES))
		return STATUS_OK;
	return error_set(err, STATUS_INVALID,
	                 "%s: a key is %d hexadecimal digits (openssl rand -hex %d makes one)", whence,
	                 2 * CIPHER_KEY_BYTES, CIPHER_KEY_BYTES);
}

enum status secret_key_of_file(const char *path, const char *whence,
                               uint8_t ret_key[CIPHER_KEY_BYTES], struct error *err)
{
	struct stat   info;
	struct buffer bytes  = {0};
	enum status   status = file_read(path, TEXT_BYTES_MAX, &bytes, err);
	if (status == STATUS_TOO_LARGE)
		status = error_set(err, STATUS_INVALID, "%s %s is too long for a key", whence, path);
	if (status == STATUS_OK && stat(path, &info) == 0 && (info.st_mode & 077) != 0)
		status = error_set(err, STATUS_INVALID, "%s %s can be read by others: chmod 600 it", whence,
		                   path);
	if (status == STATUS_OK)
		status = secret_key_of_text(buffer_text(&bytes), whence, ret_key, err);
	cipher_wipe(bytes.data, bytes.length);
	buffer_done(&bytes);
	return status;
}

/* ---- A command ---- */

/* Starts the shell, in a process group of its own, with its output in a pipe. */
static int spawn(const char *command, pid_t *ret_pid, int *ret_fd)
{
	static const char          shell[] = "/bin/sh";
	char *const                argv[]  = {(char *)shell, (char *)"-c", (char *)command, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t          attributes;
	int                        pipes[2];
	if (pipe2(pipes, O_CLOEXEC) != 0)
		return errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setpgroup(&attributes, 0);
	int failed = posix_spawn(ret_pid, shell, &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	close(pipes[1]);
	if (failed != 0)
		close(pipes[0]);
	else
		*ret_fd = pipes[0];
	return failed;
}

/* All that it prints, up to the limit; what is more is left in the pipe. False: too long a time. */
static bool read_pipe(int fd, char *into, size_t bytes_max, size_t *ret_length)
{
	int64_t until_ns =
		clock_monotonic_ns() + (int64_t)SECRET_KEY_SECONDS_MAX * MS_PER_SECOND * NS_PER_MS;
	*ret_length = 0;
	while (*ret_length < bytes_max) {
		int64_t       left_ms = (until_ns - clock_monotonic_ns()) / NS_PER_MS;
		struct pollfd wait    = {.fd = fd, .events = POLLIN};
		if (left_ms <= 0)
			return false;
		if (poll(&wait, 1, (int)left_ms) <= 0)
			continue;
		ssize_t got = read(fd, into + *ret_length, bytes_max - *ret_length);
		if (got == 0 || (got < 0 && errno != EINTR))
			break;
		*ret_length += got > 0 ? (size_t)got : 0;
	}
	return true;
}

enum status secret_key_of_command(const char *command, const char *whence,
                                  uint8_t ret_key[CIPHER_KEY_BYTES], struct error *err)
{
	char   text[TEXT_BYTES_MAX];
	int    fd = -1, result = 0;
	pid_t  pid;
	size_t length;
	int    failed = spawn(command, &pid, &fd);
	if (failed != 0)
		return error_set_errno(err, STATUS_IO, failed, "cannot run %s", whence);
	bool ended = read_pipe(fd, text, sizeof text, &length);
	close(fd);
	if (!ended)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &result, 0) < 0 && errno == EINTR)
		continue;
	enum status status;
	if (!ended)
		status = error_set(err, STATUS_TIMEOUT, "%s has not ended after %d s", whence,
		                   SECRET_KEY_SECONDS_MAX);
	else if (!WIFEXITED(result) || WEXITSTATUS(result) != 0)
		status = error_set(err, STATUS_INVALID, "%s ended with %d", whence,
		                   WIFEXITED(result) ? WEXITSTATUS(result) : result);
	else
		status = secret_key_of_text((struct text){text, length}, whence, ret_key, err);
	cipher_wipe(text, sizeof text);
	return status;
}
