#include "query/lanes_internal.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#define LANE                uint64x2_t
#define LANE_IS_ZERO(x)     (vmaxvq_u32(vreinterpretq_u32_u64(x)) == 0)
#define LANE_LOAD(p)        vld1q_u64(p)
#define LANE_STORE(p, lane) vst1q_u64((p), (lane))
#define LANES_SET           lanes_neon
#define LANES_NAME          "neon"
#include "query/lanes_kernel.h"
#endif
