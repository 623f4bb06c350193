#include "ingest/event_types.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"

struct event_types {
	pthread_rwlock_t lock;
	struct map_text  names; /* → any pointer but NULL */
};

struct event_types *event_types_new(void)
{
	struct event_types *types = calloc(1, sizeof *types);
	if (types == NULL)
		abort();
	pthread_rwlock_init(&types->lock, NULL);
	return types;
}

void event_types_free(struct event_types *types)
{
	map_text_done(&types->names);
	pthread_rwlock_destroy(&types->lock);
	free(types);
}

void event_types_add(struct event_types *types, struct text name)
{
	pthread_rwlock_wrlock(&types->lock);
	*map_text_put(&types->names, name) = types;
	pthread_rwlock_unlock(&types->lock);
}

bool event_types_has(struct event_types *types, struct text name)
{
	pthread_rwlock_rdlock(&types->lock);
	bool known = map_text_get(&types->names, name) != NULL;
	pthread_rwlock_unlock(&types->lock);
	return known;
}
