#ifndef SONNIM_TRANSFER_EXPORT_PARAMS_H
#define SONNIM_TRANSFER_EXPORT_PARAMS_H

/* Parameters and saved states of the jobs that write files for others. */

#include "base/json.h"

extern const char *const export_format_names[2];      /* by enum export_format */
extern const char *const export_compression_names[3]; /* by enum export_compression */
extern const char *const export_compression_ends[3];  /* of a file's name */

enum status export_refuse(struct error *err, const char *field, const char *reason);

/* Which of the words it is. */
bool export_read_word(struct json value, const char *const *words, unsigned count,
                      unsigned *ret_which);

/* The member "consent", checked; empty where there is none. STATUS_INVALID: "params.consent". */
MUST_USE enum status export_read_consent(struct json params, struct text *ret_consent,
                                         struct error *err);

/* Of a saved state: 0, and an empty text, where there is nothing of the kind. */
uint64_t export_number(struct json object, const char *name);
void     export_copy_text(char *into, size_t size, struct json value);

/* What holds personal values as they are begins with a dot: it is not listed. */
void export_name_on_disk(const char *name, bool masked, char *into, size_t size);

#endif
