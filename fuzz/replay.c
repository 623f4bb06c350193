/* Runs a fuzz target over committed seeds, one file a case: replay FILE_OR_DIRECTORY…
 * A case that breaks a promise aborts the program, so the name is printed first.
 * Ends with `N passed, N failed`; no seed at all is a failure. */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { SEED_BYTES_MAX = 16 << 20, PATH_BYTES_MAX = 4096 };

static unsigned passed_count;

static void die(const char *what, const char *path)
{
	fprintf(stderr, "%s %s: %s\n0 passed, 1 failed\n", what, path, strerror(errno));
	exit(1);
}

static void run_file(const char *path, size_t size)
{
	if (size > SEED_BYTES_MAX) {
		errno = EFBIG;
		die("cannot read", path);
	}
	FILE *file = fopen(path, "rb");
	if (!file)
		die("cannot open", path);

	/* Exactly as large as the seed, so that a sanitizer sees a read behind its end. */
	uint8_t *data = malloc(size ? size : 1);
	if (!data || fread(data, 1, size, file) != size)
		die("cannot read", path);
	fclose(file);

	printf("seed %s\n", path);
	fflush(stdout);
	if (LLVMFuzzerTestOneInput(data, size) != 0)
		abort();
	passed_count++;
	free(data);
}

static void run_path(const char *path);

static void run_directory(const char *path)
{
	struct dirent **entries;
	int             count = scandir(path, &entries, NULL, alphasort);
	if (count < 0)
		die("cannot list", path);

	for (int i = 0; i < count; i++) {
		char child[PATH_BYTES_MAX];
		int  length = snprintf(child, sizeof child, "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.' && length > 0 && (size_t)length < sizeof child)
			run_path(child);
		free(entries[i]);
	}
	free(entries);
}

static void run_path(const char *path)
{
	struct stat info;
	if (stat(path, &info) != 0)
		die("cannot find", path);

	if (S_ISDIR(info.st_mode))
		run_directory(path);
	else
		run_file(path, (size_t)info.st_size);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run_path(argv[i]);

	printf("%u passed, %d failed\n", passed_count, passed_count == 0);
	return passed_count == 0;
}
