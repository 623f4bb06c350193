#include "api/metrics/metrics_text.h"

#include <inttypes.h>

void metric_head(struct buffer *out, const char *name, const char *type, const char *help)
{
	buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metric_one(struct buffer *out, const char *name, const char *type, const char *help,
                uint64_t value)
{
	metric_head(out, name, type, help);
	buffer_printf(out, "%s %" PRIu64 "\n", name, value);
}

void metric_real(struct buffer *out, const char *name, const char *type, const char *help,
                 double value)
{
	metric_head(out, name, type, help);
	buffer_printf(out, "%s %.15g\n", name, value);
}
