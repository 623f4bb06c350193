#ifndef SONNIM_FUZZ_FUZZ_H
#define SONNIM_FUZZ_FUZZ_H

/* What a fuzz target defines. It must take any bytes: `data` has no terminator, no padding behind
 * it, and may be of length 0. It aborts when a promise is broken and returns 0 otherwise; it keeps
 * nothing between calls. */

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
