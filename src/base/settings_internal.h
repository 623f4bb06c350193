#ifndef SONNIM_BASE_SETTINGS_INTERNAL_H
#define SONNIM_BASE_SETTINGS_INTERNAL_H

/* Between settings.c (values) and settings_text.c (help and documentation). */

#include "base/settings.h"

enum { SETTING_TEXT_BYTES = 32 };

/* A number in the form that the setting's type is written in: "64MiB", "5s", "8". */
void setting_format(enum setting_type type, int64_t number, char into[SETTING_TEXT_BYTES]);

#endif
