#include "query/lanes_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,popcnt,bmi"))), apply_to = function)
#else
#pragma GCC target("avx2,popcnt,bmi")
#endif

#define LANE                __m256i
#define LANE_IS_ZERO(x)     (_mm256_testz_si256((x), (x)) != 0)
#define LANE_LOAD(p)        _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define LANE_STORE(p, lane) _mm256_storeu_si256((__m256i *)(void *)(p), (lane))
#define LANES_SET           lanes_avx2
#define LANES_NAME          "avx2"
#include "query/lanes_kernel.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
