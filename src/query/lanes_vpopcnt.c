#include "query/lanes_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512vpopcntdq,avx2,popcnt,bmi"))),   \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512vpopcntdq,avx2,popcnt,bmi")
#endif

#define LANE                __m512i
#define LANE_IS_ZERO(x)     (_mm512_test_epi64_mask((x), (x)) == 0)
#define LANE_LOAD(p)        _mm512_loadu_si512(p)
#define LANE_STORE(p, lane) _mm512_storeu_si512((p), (lane))
#define LANE_COUNTS(x)      _mm512_popcnt_epi64(x)
#define LANE_ADD(x, y)      _mm512_add_epi64((x), (y))
#define LANES_SET           lanes_vpopcnt
#define LANES_NAME          "avx512 vpopcnt"
#include "query/lanes_kernel.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
