/* Behind a restore the change stream may end before what a consumer has confirmed: what it knows
 * never happened here. It is set back to where the restored stream ended, so that it misses nothing
 * of what comes, what time alone has changed since included. */

#include "api/stream/consumers.h"

#include "api/stream/consumer_cursor.h"
#include "engine/view.h"
#include "engine/wait.h"

struct lengths {
	struct engine_wait wait;
	int64_t            reaches_ms; /* what was restored */
	uint64_t          *changes;    /* by partition: until then */
};

static void count_run(struct engine_read *read, struct view *view)
{
	struct lengths *lengths = (struct lengths *)read;
	struct change   change;
	size_t          count = 0;
	uint64_t        low = view_first_change(view), high = view_changes(view, 0, 0, &change, &count);
	while (low < high) { /* instants never go back */
		uint64_t middle = low + (high - low) / 2;
		view_changes(view, middle, 1, &change, &count);
		if (change.at_ms <= lengths->reaches_ms)
			low = middle + 1;
		else
			high = middle;
	}
	lengths->changes[view_partition(view)] = low;
}

static enum status read_lengths(struct api *api, int64_t reaches_ms, uint64_t *changes,
                                struct error *err)
{
	struct lengths lengths = {
		.wait.read.run = count_run, .reaches_ms = reaches_ms, .changes = changes};
	return engine_wait_all(api->config.engine, &lengths.wait, err);
}

static enum status set_back(struct api *api, struct store_consumer *consumer,
                            const uint64_t *changes, struct arena *arena, struct error *err)
{
	struct store          *store = api->config.store;
	struct consumer_cursor cursor;
	struct buffer          text   = {0};
	bool                   behind = false;
	enum status            status =
		consumer_cursor_read(consumer->cursor, api->config.partition_count, arena, &cursor, err);
	for (uint32_t i = 0; status == STATUS_OK && i < cursor.partition_count; i++)
		if (cursor.after[i] > changes[i]) {
			cursor.after[i] = changes[i];
			behind          = true;
		}
	if (status != STATUS_OK || !behind)
		return status;
	consumer_cursor_write(&cursor, &text);
	consumer->cursor = buffer_text(&text);
	status           = store->ops->consumer_put(store, consumer, err);
	buffer_done(&text);
	return status;
}

enum status api_restored(struct api *api, int64_t reaches_ms, struct error *err)
{
	struct store          *store     = api->config.store;
	struct store_consumer *consumers = NULL;
	struct arena           arena;
	size_t                 count = 0;
	arena_init(&arena);
	uint64_t   *changes = ARENA_ARRAY(&arena, uint64_t, api->config.partition_count);
	enum status status  = store->ops->consumer_list(store, &arena, &consumers, &count, err);
	if (status == STATUS_OK && count > 0)
		status = read_lengths(api, reaches_ms, changes, err);
	for (size_t i = 0; i < count && status == STATUS_OK; i++)
		status = set_back(api, &consumers[i], changes, &arena, err);
	arena_done(&arena);
	return status;
}
