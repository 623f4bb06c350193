/* What the engine does in its leisure, left out of both programs that bench/protection.py holds
 * against each other: values of columns that no event can be added to (src/query/columns.c) are
 * measured again for as long as nothing else is to do, whether anybody asks or not. That is work by
 * the clock, not by the event: whoever is slower, or idle for longer, has more of it. Linked in the
 * place of one function by the linker's --wrap. */

#include "query/columns_internal.h"

bool __wrap_column_metric_refresh_unadded(struct columns *columns, struct metric_group *group,
                                          int64_t now_ms, int64_t end_ns);

bool __wrap_column_metric_refresh_unadded(struct columns *columns, struct metric_group *group,
                                          int64_t now_ms, int64_t end_ns)
{
	(void)columns;
	(void)group;
	(void)now_ms;
	(void)end_ns;
	return true;
}
