#ifndef SONNIM_QUERY_LANES_INTERNAL_H
#define SONNIM_QUERY_LANES_INTERNAL_H

/* The sets there are; each file of one compiles to nothing where the processor is another. */

#include "query/lanes.h"

extern const struct lanes lanes_plain;
#if defined(__x86_64__)
extern const struct lanes lanes_avx2;
extern const struct lanes lanes_avx512;
extern const struct lanes lanes_vpopcnt;
#elif defined(__aarch64__)
extern const struct lanes lanes_neon;
#endif

#endif
