#include "engine/merge/relay.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "base/vector.h"
#include "engine/apply/partition.h"

enum flight { FLIGHT_NONE, FLIGHT_ON_ITS_WAY, FLIGHT_DURABLE, FLIGHT_FAILED };

/* What a partition sends. */
struct outbox {
	struct relay       *relay;
	uint32_t            number;
	size_t              sent;   /* the first of the queue that are durable */
	size_t              flying; /* behind these: whole merges in flight */
	struct merge_cursor begun;  /* how far the merge behind both is durable */
	struct merge_cursor cursor; /* the same, once the flight has landed */
	_Atomic int         flight;
	_Atomic bool        called_back; /* of the last flight: the journal is done with the outbox */
	_Atomic uint64_t    oldest; /* causing position of the first of the queue; UINT64_MAX: empty */
};

struct relay {
	struct journal   *journal;
	uint32_t          partition_count;
	relay_wake_fn    *wake;
	void             *context;
	struct outbox    *outboxes;
	_Atomic uint64_t *received; /* by receiver, origin */
};

struct relay *relay_new(struct journal *journal, uint32_t partition_count, relay_wake_fn *wake,
                        void *context)
{
	struct relay *relay = calloc(1, sizeof *relay);
	if (relay == NULL)
		abort();
	*relay          = (struct relay){journal, partition_count, wake, context, NULL, NULL};
	relay->outboxes = calloc(partition_count, sizeof *relay->outboxes);
	relay->received = calloc((size_t)partition_count * partition_count, sizeof *relay->received);
	if (relay->outboxes == NULL || relay->received == NULL)
		abort();
	for (uint32_t i = 0; i < partition_count; i++) {
		relay->outboxes[i].relay  = relay;
		relay->outboxes[i].number = i;
		atomic_init(&relay->outboxes[i].oldest, UINT64_MAX);
		atomic_init(&relay->outboxes[i].called_back, true);
	}
	return relay;
}

void relay_free(struct relay *relay)
{
	free(relay->outboxes);
	free(relay->received);
	free(relay);
}

static _Atomic uint64_t *received(const struct relay *relay, uint32_t receiver, uint32_t origin)
{
	return &relay->received[(size_t)receiver * relay->partition_count + origin];
}

/* Takes out of the queue what the receivers have. */
static void take_out(struct relay *relay, struct partition *partition)
{
	struct outbox *outbox = &relay->outboxes[partition->number];
	struct merges *merges = &partition->merges;
	while (merges->caused.count > 0) {
		const struct merge_caused *first = &merges->caused.items[0];
		if (atomic_load(received(relay, first->user.partition, partition->number)) <
		    first->position)
			break;
		merge_caused_remove(partition);
		if (outbox->sent > 0)
			outbox->sent--;
		else if (outbox->flying > 0)
			outbox->flying--;
	}
	atomic_store(&outbox->oldest,
	             merges->caused.count == 0 ? UINT64_MAX : merges->caused.items[0].position);
}

void relay_applied(struct relay *relay, struct partition *partition)
{
	struct merges *merges = &partition->merges;
	for (size_t i = 0; i < merges->news.count; i++) {
		uint32_t origin = merges->news.items[i];
		if (origin >= relay->partition_count)
			continue;
		atomic_store(received(relay, partition->number, origin), merge_received(partition, origin));
		relay->wake(relay->context, origin);
	}
	merges->news.count = 0;
	if (merges->caused.count > 0)
		take_out(relay, partition);
}

bool relay_settled(const struct relay *relay, uint64_t position)
{
	for (uint32_t i = 0; i < relay->partition_count; i++)
		if (atomic_load(&relay->outboxes[i].oldest) <= position)
			return false;
	return true;
}

/* ---- Sending ---- */

static void landed(void *context, enum status status, uint64_t position, int64_t log_time_ms,
                   const struct error *err)
{
	struct outbox *outbox = context;
	(void)position;
	(void)log_time_ms;
	(void)err;
	atomic_store(&outbox->flight, status == STATUS_OK ? FLIGHT_DURABLE : FLIGHT_FAILED);
	outbox->relay->wake(outbox->relay->context, outbox->number);
	/* Last: who waits for it may free the outbox. */
	atomic_store(&outbox->called_back, true);
}

/* Records by receiver. */
struct cargo {
	uint32_t      partition;
	uint32_t      record_count;
	struct buffer records;
};
typedef VECTOR(struct cargo) cargo_list;

static struct cargo *cargo_of(cargo_list *list, uint32_t partition)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].partition == partition)
			return &list->items[i];
	VECTOR_ADD(list, (struct cargo){.partition = partition});
	return &list->items[list->count - 1];
}

/* Whole merges, and at the end perhaps the begin of one, or its continuation: in all
 * MERGE_APPEND_BYTES and a part. */
static void load(struct outbox *outbox, struct partition *partition, cargo_list *list)
{
	const struct merges *merges = &partition->merges;
	size_t               bytes  = 0;
	outbox->cursor              = outbox->begun;
	while (bytes < MERGE_APPEND_BYTES && outbox->sent + outbox->flying < merges->caused.count) {
		const struct merge_caused *caused = &merges->caused.items[outbox->sent + outbox->flying];
		struct cargo              *cargo  = cargo_of(list, caused->user.partition);
		size_t                     before = cargo->records.length;
		struct buffer              part   = {0};
		uint32_t                   count;
		bool whole = merge_encode(partition, caused, &outbox->cursor, MERGE_APPEND_BYTES - bytes,
		                          &part, &count);
		buffer_add_text(&cargo->records, buffer_text(&part));
		buffer_done(&part);
		cargo->record_count += count;
		bytes += cargo->records.length - before;
		if (!whole)
			return;
		outbox->cursor = (struct merge_cursor){0};
		outbox->flying++;
	}
}

static void take_off(struct outbox *outbox, const cargo_list *list)
{
	struct journal_batch *batches = calloc(list->count, sizeof *batches);
	struct error          err;
	if (batches == NULL)
		abort();
	for (size_t i = 0; i < list->count; i++)
		batches[i] = (struct journal_batch){list->items[i].partition, list->items[i].record_count,
		                                    buffer_text(&list->items[i].records)};
	struct journal *journal = outbox->relay->journal;
	atomic_store(&outbox->flight, FLIGHT_ON_ITS_WAY);
	atomic_store(&outbox->called_back, false);
	if (journal->ops->append(journal, batches, list->count, landed, outbox, &err) != STATUS_OK) {
		atomic_store(&outbox->flight, FLIGHT_FAILED);
		atomic_store(&outbox->called_back, true);
	}
	free(batches);
}

static void look_at_flight(struct outbox *outbox)
{
	int flight = atomic_load(&outbox->flight);
	if (flight == FLIGHT_DURABLE) {
		outbox->sent += outbox->flying;
		outbox->begun = outbox->cursor;
	} else if (flight == FLIGHT_FAILED) {
		outbox->begun = (struct merge_cursor){0};
	} else {
		return;
	}
	outbox->flying = 0;
	atomic_store(&outbox->flight, FLIGHT_NONE);
}

void relay_send(struct relay *relay, struct partition *partition, bool live)
{
	struct outbox *outbox = &relay->outboxes[partition->number];
	if (partition->merges.news.count > 0)
		relay_applied(relay, partition); /* what a checkpoint knew */
	look_at_flight(outbox);
	if (partition->merges.caused.count == 0)
		return;
	take_out(relay, partition);
	if (!live || atomic_load(&outbox->flight) != FLIGHT_NONE ||
	    outbox->sent == partition->merges.caused.count)
		return;
	cargo_list   list = {0};
	struct error err;
	load(outbox, partition, &list);
	/* The engine stops over damaged events: none may go into the journal before. */
	if (events_check(partition->events, &err) == STATUS_OK)
		take_off(outbox, &list);
	for (size_t i = 0; i < list.count; i++)
		buffer_done(&list.items[i].records);
	VECTOR_DONE(&list);
}

void relay_land(struct relay *relay, struct partition *partition)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	while (!atomic_load(&relay->outboxes[partition->number].called_back))
		nanosleep(&pause, NULL);
}
