#include "query/lanes_internal.h"

#define LANE                uint64_t
#define LANE_IS_ZERO(x)     ((x) == 0)
#define LANE_LOAD(p)        (*(p))
#define LANE_STORE(p, lane) (*(p) = (lane))
#define LANES_SET           lanes_plain
#define LANES_NAME          "plain"
#include "query/lanes_kernel.h"
