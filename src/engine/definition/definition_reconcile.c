/* What the store wants and the journal has not: carried into it again. Rows of the outbox are gone
 * once their records are in the journal; where a restore has cut the journal behind them, or has
 * brought a store back that is newer, the segments themselves tell what is missing. After any other
 * start there is nothing to do. */

#include "engine/definition/definition_internal.h"
#include "model/record.h"

/* The version that the engine has; 0: none. */
static uint32_t live_version(const struct change_rule *live, size_t count, uint32_t segment)
{
	for (size_t i = 0; i < count; i++)
		if (live[i].segment == segment)
			return live[i].version;
	return 0;
}

static enum status queue(struct definitions *definitions, bool prepare, uint32_t segment,
                         uint32_t version, struct error *err)
{
	struct buffer payload = {0};
	rollout_write_payload(&payload, segment, version);
	struct store_outbox row    = {.kind    = prepare ? RECORD_PREPARE : RECORD_ACTIVATE,
	                              .payload = buffer_text(&payload)};
	enum status         status = definitions->store->ops->segment_commit(
				definitions->store, &(struct store_commit){.outbox = &row, .outbox_count = 1}, err);
	if (status == STATUS_OK)
		rollout_add(definitions, row.id, prepare, segment, version);
	buffer_done(&payload);
	return status;
}

static enum status reconcile_known(struct definitions *definitions, const struct known *known,
                                   uint32_t live, struct error *err)
{
	const struct store_segment *segment = &known->segment;
	if (known->queued > 0 || (segment->active && segment->state == STORE_VERSION_FAILED))
		return STATUS_OK;
	if (segment->active && live != segment->version)
		return queue(definitions, true, segment->number, segment->version, err);
	if (!segment->active && live != 0)
		return queue(definitions, false, segment->number, segment->version, err);
	return STATUS_OK;
}

enum status definitions_reconcile(struct definitions *definitions, const struct change_rule *live,
                                  size_t live_count, struct error *err)
{
	enum status status = STATUS_OK;
	for (size_t i = 0; i < definitions->segments.count && status == STATUS_OK; i++)
		if (definitions->segments.items[i] != NULL)
			status = reconcile_known(definitions, definitions->segments.items[i],
			                         live_version(live, live_count, (uint32_t)i), err);
	/* Those that the store has not are deleted there. */
	for (size_t i = 0; i < live_count && status == STATUS_OK; i++)
		if (definitions_known(definitions, live[i].segment) == NULL)
			status = queue(definitions, false, live[i].segment, live[i].version, err);
	return status;
}
