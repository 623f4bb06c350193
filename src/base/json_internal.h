#ifndef SONNIM_BASE_JSON_INTERNAL_H
#define SONNIM_BASE_JSON_INTERNAL_H

/* What the C++ side (json_simdjson.cc) gives to the C side. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum json_simdjson_result {
	JSON_SIMDJSON_OK,
	JSON_SIMDJSON_NUMBER, /* a number that is malformed, or too large for simdjson */
	JSON_SIMDJSON_STRING, /* an escape that is malformed, or half a surrogate pair */
	JSON_SIMDJSON_UTF8,
	JSON_SIMDJSON_OTHER,
};

struct json_simdjson; /* parser and document; one thread */

struct json_simdjson *json_simdjson_new(void);
void                  json_simdjson_free(struct json_simdjson *simdjson);

/* On anything but success `ret_reason` is a static text. */
enum json_simdjson_result json_simdjson_parse(struct json_simdjson *simdjson,
                                              const char *padded_text, size_t length,
                                              const char **ret_reason);

uint64_t      *json_simdjson_tape(struct json_simdjson *simdjson);
const uint8_t *json_simdjson_strings(const struct json_simdjson *simdjson);

enum { JSON_DIGITS_MAX = 17 };

/* The shortest decimal digits that read back as the finite `number` (without its sign; "0" for 0),
 * and where the decimal point stands: 0.digits × 10^point. Returns how many digits. */
unsigned json_shortest_digits(double number, char ret_digits[JSON_DIGITS_MAX], int *ret_point);

/* How many bytes the valid character at `at` has; 0 when it is not valid UTF-8. In json.c. */
unsigned json_character_length(const uint8_t *at, const uint8_t *end);

#ifdef __cplusplus
}
#endif

#endif
