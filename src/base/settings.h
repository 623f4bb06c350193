#ifndef SONNIM_BASE_SETTINGS_H
#define SONNIM_BASE_SETTINGS_H

/* Settings and command-line flags from tables. A module declares its table once:
 *
 *   struct journal_settings { char *directory; uint64_t file_bytes; };
 *   static const struct setting settings[] = {
 *     SETTING_BYTES(struct journal_settings, file_bytes, "journal-file-bytes", "256MiB",
 *                   1 << 20, 1 << 30, "Size of one journal file"),
 *   };
 *
 * and gets: parsing of `--journal-file-bytes=64MiB` and `--journal-file-bytes 64MiB`, of the
 * environment variable SONNIM_JOURNAL_FILE_BYTES, of the line `journal-file-bytes = 64MiB` of a
 * configuration file (`#` begins a comment), checks, the text of `--help`, and a part of
 * docs/configuration.md. Order of precedence: flag, environment, file, default. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum setting_type {
	SETTING_TYPE_STRING,   /* char *, owned by the target, freed by settings_done() */
	SETTING_TYPE_BOOL,     /* bool; a bare flag means true */
	SETTING_TYPE_INT,      /* int64_t within bounds */
	SETTING_TYPE_BYTES,    /* uint64_t; 1048576, 1MiB, 4GiB, 64KiB */
	SETTING_TYPE_DURATION, /* int64_t ms; 250ms, 5s, 10m, 1h, 3d */
};

struct setting {
	const char       *name; /* "journal-file-bytes" */
	enum setting_type type;
	size_t            offset;       /* into the target struct */
	const char       *default_text; /* NULL: none (string NULL, number 0, false) */
	int64_t           min;
	int64_t           max;
	const char       *help;       /* one sentence, without a full stop at the end */
	const char       *value_name; /* in --help: "FILE"; NULL: by type */
	bool              live;       /* a running process takes a new value over */

	/* What is wrong with a value beyond its type and bounds, to stand behind the setting's name:
	 * "must be wall or manual"; NULL: nothing. The default passes. */
	const char *(*check)(const void *member);
};

/* What follows the arguments are designated initialisers of the rest: .live = true, .check = f. */
#define SETTING_STRING(target, member, name, default_text, help, value_name, ...)                  \
	{                                                                                              \
		name, SETTING_TYPE_STRING, offsetof(target, member), default_text, 0, 0, help,             \
			value_name __VA_OPT__(, ) __VA_ARGS__                                                  \
	}
#define SETTING_BOOL(target, member, name, help, ...)                                              \
	{                                                                                              \
		name, SETTING_TYPE_BOOL, offsetof(target, member), NULL, 0, 1, help,                       \
			NULL __VA_OPT__(, ) __VA_ARGS__                                                        \
	}
#define SETTING_INT(target, member, name, default_text, min, max, help, ...)                       \
	{                                                                                              \
		name, SETTING_TYPE_INT, offsetof(target, member), default_text, min, max, help,            \
			NULL __VA_OPT__(, ) __VA_ARGS__                                                        \
	}
#define SETTING_BYTES(target, member, name, default_text, min, max, help, ...)                     \
	{                                                                                              \
		name, SETTING_TYPE_BYTES, offsetof(target, member), default_text, min, max, help,          \
			NULL __VA_OPT__(, ) __VA_ARGS__                                                        \
	}
#define SETTING_DURATION(target, member, name, default_text, min, max, help, ...)                  \
	{                                                                                              \
		name, SETTING_TYPE_DURATION, offsetof(target, member), default_text, min, max, help,       \
			NULL __VA_OPT__(, ) __VA_ARGS__                                                        \
	}

/* A table with the struct that it fills. */
struct settings {
	const struct setting *table;
	size_t                count;
	void                 *target;
};

/* Writes the defaults, then the environment (an empty variable counts as unset) into a target that
 * was zeroed before its first load. STATUS_INVALID names the variable. */
MUST_USE enum status settings_load(const struct settings *sets, size_t set_count,
                                   struct error *err);

/* Reads a configuration file over the defaults (call before the environment is applied, that is,
 * with `file` non-NULL settings_load does all three in order). STATUS_INVALID:
 * `file:line:column`, with the nearest known name for an unknown one; a name may stand once. */
MUST_USE enum status settings_load_file(const struct settings *sets, size_t set_count,
                                        const char *file, struct error *err);

/* Consumes the flags of argv (from argv[1] on) and leaves what is no flag in `argv`, with its
 * number in `*argc`; `--` ends the flags. STATUS_INVALID: an unknown flag (with the nearest known
 * one), a missing or bad value. "--help" is not handled here. */
MUST_USE enum status settings_parse_flags(const struct settings *sets, size_t set_count, int *argc,
                                          char **argv, struct error *err);

/* Tells of each setting whose value differs between two sets of targets of the same tables. */
typedef void settings_differs_fn(void *context, const struct setting *setting);
void settings_compare(const struct settings *before, const struct settings *after, size_t set_count,
                      settings_differs_fn *differs, void *context);

/* Copies the values of settings that are `live`. */
void settings_take_live(const struct settings *into, const struct settings *from, size_t set_count);

/* Lines of `--help`, 100 columns at most. */
void settings_help(const struct settings *sets, size_t set_count, struct buffer *out);

/* A Markdown table: name, type, default, bounds, whether it is live, help. */
void settings_markdown(const struct settings *sets, size_t set_count, struct buffer *out);

void settings_done(const struct settings *sets, size_t set_count); /* frees the strings */

#endif
