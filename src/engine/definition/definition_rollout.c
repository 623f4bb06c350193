/* How definitions become live. The rollout thread takes what is queued, up to the first row that
 * touches a segment of the round once more, and carries it through in one go:
 *
 *   queue ──► PREPARE (id: the round's last row) ──► all partitions built ──► ACTIVATE ──► settled
 *                                       └──► cancelled (definition_cancel.c) ──► ABANDON ──┘
 *
 * Which of the two it is, this thread alone decides, once. Rounds follow one another. What a round
 * sends besides its own segments are those that are live and derived from them, bound anew. A row
 * that cannot be sent, since all of that does not fit into a record, or since it refers to a
 * segment that has failed, fails by itself: its segment keeps the version that is live. After a
 * restart the journal tells how far the last round came. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/log.h"
#include "engine/definition/build.h"
#include "engine/change/change_record.h"
#include "engine/definition/definition_internal.h"

enum {
	ROUND_ROWS_MAX  = 256,
	ROUND_BYTES_MAX = RECORD_BYTES_MAX / 2,
	HEAD_BYTES_MAX  = 256, /* of a record and its batch, besides the body */
	POLL_MS         = 2,   /* between two looks at the progress of a build */
	RETRY_MS        = 500, /* after a refusal, a full disk for instance */
};

struct round {
	struct arena arena;
	uint64_t     id;
	VECTOR(struct queued_change) rows;
	VECTOR(uint32_t) segments; /* to be prepared, referred-to ones first */
	VECTOR(uint32_t) off;
	struct buffer prepare; /* the bodies of its records */
	struct buffer activate;
	bool          prepared; /* by the process before this one */
	/* Under queue_lock. */
	bool held;      /* somebody is about to abandon it */
	bool abandoned; /* durably: the store has the wish */
	bool decided;   /* which record ends it */
	/* What becomes live by it; canonical data NULL: the store knows it. */
	VECTOR(struct change_rule) rules;
};

void rollout_write_payload(struct buffer *out, uint32_t segment, uint32_t version)
{
	buffer_add_u32(out, segment);
	buffer_add_u32(out, version);
}

void rollout_add(struct definitions *definitions, uint64_t id, bool prepare, uint32_t segment,
                 uint32_t version)
{
	struct queued_change *change = malloc(sizeof *change);
	if (change == NULL)
		abort();
	*change = (struct queued_change){id, prepare, segment, version, NULL};

	pthread_rwlock_wrlock(&definitions->lock);
	struct known *known = definitions_known(definitions, segment);
	if (known != NULL) {
		known->queued++;
		known->progress = 0;
	}
	pthread_rwlock_unlock(&definitions->lock);

	pthread_mutex_lock(&definitions->queue_lock);
	struct queued_change **end = &definitions->queue;
	while (*end != NULL)
		end = &(*end)->next;
	*end = change;
	pthread_cond_signal(&definitions->queue_filled);
	pthread_mutex_unlock(&definitions->queue_lock);
}

/* Waiting for others, in the rollout's thread. */
struct signal {
	pthread_mutex_t lock;
	pthread_cond_t  changed;
	bool            done;
	enum status     status;
	uint64_t        position;
};

static void signal_init(struct signal *signal)
{
	*signal = (struct signal){.done = false};
	pthread_mutex_init(&signal->lock, NULL);
	pthread_cond_init(&signal->changed, NULL);
}

static void signal_set(struct signal *signal, enum status status, uint64_t position)
{
	pthread_mutex_lock(&signal->lock);
	signal->done     = true;
	signal->status   = status;
	signal->position = position;
	pthread_cond_signal(&signal->changed);
	pthread_mutex_unlock(&signal->lock);
}

static enum status signal_wait(struct signal *signal)
{
	pthread_mutex_lock(&signal->lock);
	while (!signal->done)
		pthread_cond_wait(&signal->changed, &signal->lock);
	pthread_mutex_unlock(&signal->lock);
	pthread_mutex_destroy(&signal->lock);
	pthread_cond_destroy(&signal->changed);
	return signal->status;
}

/* True: the time is over; false: the rollout stops. */
static bool pause_for(struct definitions *definitions, int64_t wait_ms)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += wait_ms % 1000 * 1000000;
	until.tv_sec += wait_ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&definitions->queue_lock);
	int waited = 0;
	while (!definitions->stopping && waited == 0)
		waited =
			pthread_cond_timedwait(&definitions->queue_filled, &definitions->queue_lock, &until);
	bool stopping = definitions->stopping;
	pthread_mutex_unlock(&definitions->queue_lock);
	return !stopping;
}

static void appended(void *context, enum status status, uint64_t position, int64_t log_time_ms,
                     const struct error *err)
{
	(void)log_time_ms;
	(void)err;
	signal_set(context, status, position);
}

static enum status append_once(struct definitions *definitions, struct text record,
                               uint64_t *ret_position)
{
	struct journal_batch *batches = calloc(definitions->partition_count, sizeof *batches);
	if (batches == NULL)
		abort();
	for (uint32_t i = 0; i < definitions->partition_count; i++)
		batches[i] = (struct journal_batch){i, 1, record};

	struct signal signal;
	signal_init(&signal);
	struct error err    = {0};
	enum status  status = definitions->journal->ops->append(
		 definitions->journal, batches, definitions->partition_count, appended, &signal, &err);
	free(batches);
	if (status != STATUS_OK)
		signal_set(&signal, status, 0);
	status        = signal_wait(&signal);
	*ret_position = signal.position;
	return status;
}

/* One record for every partition, in one append; tried again while the journal refuses for a time.
 * False: the rollout stops, or the journal takes nothing any more. */
static bool append(struct definitions *definitions, enum record_kind kind, struct text body,
                   uint64_t *ret_position)
{
	struct buffer record = {0};
	record_encode(&record, &(struct record){.kind = kind, .slot = SLOT_NONE, .body = body});
	enum status status;
	while ((status = append_once(definitions, buffer_text(&record), ret_position)) != STATUS_OK &&
	       status_retriable(status) && pause_for(definitions, RETRY_MS))
		;
	buffer_done(&record);
	return status == STATUS_OK;
}

/* A look at all partitions. */
struct look {
	struct engine_read read;
	struct signal      signal;
	uint64_t           change_id;
	_Atomic unsigned   progress; /* the least */
	_Atomic uint64_t   last_change_id;
	_Atomic uint64_t   pending_id; /* of a build that is not activated; 0: none */
};

static void look_run(struct engine_read *read, struct view *view)
{
	struct look *look     = (struct look *)read;
	unsigned     progress = build_progress(view->partition, look->change_id);
	unsigned     least    = atomic_load(&look->progress);
	while (progress < least && !atomic_compare_exchange_weak(&look->progress, &least, progress))
		;
	/* PREPARE and ACTIVATE reach all partitions in one append: they all say the same. */
	atomic_store(&look->last_change_id, view->partition->last_change_id);
	atomic_store(&look->pending_id,
	             view->partition->builds == NULL ? 0 : view->partition->builds->change_id);
}

static void look_done(struct engine_read *read, enum status status, const struct error *err)
{
	(void)err;
	signal_set(&((struct look *)read)->signal, status, 0);
}

static enum status look_at(struct definitions *definitions, struct look *look,
                           uint64_t min_position)
{
	look->read =
		(struct engine_read){.run = look_run, .done = look_done, .min_position = min_position};
	look->progress = 1000;
	signal_init(&look->signal);
	engine_read_all(definitions->engine, &look->read);
	return signal_wait(&look->signal);
}

static void set_progress(struct definitions *definitions, const struct round *round,
                         unsigned progress)
{
	pthread_rwlock_wrlock(&definitions->lock);
	for (size_t i = 0; i < round->rows.count; i++) {
		struct known *known = definitions_known(definitions, round->rows.items[i].segment);
		if (known != NULL)
			known->progress = progress;
	}
	pthread_rwlock_unlock(&definitions->lock);
	if (definitions->watch.begun != NULL && round->rules.count > 0)
		definitions->watch.progressed(definitions->watch.context, progress);
}

static bool is_abandoned(struct definitions *definitions, const struct round *round)
{
	pthread_mutex_lock(&definitions->queue_lock);
	bool abandoned = round->abandoned;
	pthread_mutex_unlock(&definitions->queue_lock);
	return abandoned;
}

/* Waits until all partitions have applied `position` and built the round, or it is abandoned.
 * False: stop. */
static bool wait_built(struct definitions *definitions, const struct round *round,
                       uint64_t position)
{
	while (!is_abandoned(definitions, round)) {
		struct look look   = {.change_id = round->id};
		enum status status = look_at(definitions, &look, position);
		if (status == STATUS_OK) {
			set_progress(definitions, round, look.progress);
			if (look.progress == 1000)
				return true;
		} else if (status != STATUS_TIMEOUT) {
			return false;
		}
		if (!pause_for(definitions, POLL_MS))
			return false;
	}
	return true;
}

/* Whether it becomes live; from here on nobody changes that. */
static bool decide(struct definitions *definitions, struct round *round)
{
	pthread_mutex_lock(&definitions->queue_lock);
	while (round->held)
		pthread_cond_wait(&definitions->queue_filled, &definitions->queue_lock);
	round->decided = true;
	bool live      = !round->abandoned;
	pthread_mutex_unlock(&definitions->queue_lock);
	return live;
}

static bool wait_applied(struct definitions *definitions, uint64_t position)
{
	for (;;) {
		struct look look   = {0};
		enum status status = look_at(definitions, &look, position);
		if (status != STATUS_TIMEOUT)
			return status == STATUS_OK;
	}
}

static bool contains(const uint32_t *items, size_t count, uint32_t item)
{
	for (size_t i = 0; i < count; i++)
		if (items[i] == item)
			return true;
	return false;
}

/* Adds a segment after those of the round that it refers to; with `lock` held. */
static void add_ordered(struct definitions *definitions, struct round *round,
                        const uint32_t *wanted, size_t wanted_count, uint32_t number)
{
	if (contains(round->segments.items, round->segments.count, number))
		return;
	const struct known *known = definitions_known(definitions, number);
	for (uint32_t i = 0; i < known->reference_count; i++)
		if (contains(wanted, wanted_count, known->references[i]))
			add_ordered(definitions, round, wanted, wanted_count, known->references[i]);
	VECTOR_ADD(&round->segments, number);
}

/* Whether its newest version is to become live: an abandoned change leaves rows that ask for what
 * is live already, or for what is not active any more. */
static bool is_wanted(const struct known *known)
{
	return known != NULL && known->segment.active &&
	       !(known->live && known->segment.live_version == known->segment.version);
}

/* The round's own segments and what is live and derived from them; with `lock` held. */
static void collect_segments(struct definitions *definitions, struct round *round)
{
	VECTOR(uint32_t) wanted = {0};
	for (size_t i = 0; i < round->rows.count; i++) {
		uint32_t segment = round->rows.items[i].segment;
		if (!round->rows.items[i].prepare)
			VECTOR_ADD(&round->off, segment);
		else if (is_wanted(definitions_known(definitions, segment)))
			VECTOR_ADD(&wanted, segment);
	}
	bool more = true;
	while (more) {
		more = false;
		for (uint32_t number = 1; number < definitions->segments.count; number++) {
			const struct known *known = definitions_known(definitions, number);
			if (known == NULL || !known->live || contains(wanted.items, wanted.count, number) ||
			    contains(round->off.items, round->off.count, number))
				continue;
			for (uint32_t i = 0; i < known->reference_count; i++) {
				if (!contains(wanted.items, wanted.count, known->references[i]))
					continue;
				VECTOR_ADD(&wanted, number);
				more = true;
				break;
			}
		}
	}
	for (size_t i = 0; i < wanted.count; i++)
		add_ordered(definitions, round, wanted.items, wanted.count, wanted.items[i]);
	VECTOR_DONE(&wanted);
}

/* A row brings the newest version; what is only bound anew keeps the live one. */
static struct change_rule rule_of(const struct definitions *definitions, const struct round *round,
                                  uint32_t number)
{
	const struct known *known = definitions->segments.items[number];
	for (size_t i = 0; i < round->rows.count; i++)
		if (round->rows.items[i].segment == number)
			return (struct change_rule){number, known->segment.version, known->segment.canonical};
	return (struct change_rule){number, known->segment.live_version, known->live_canonical};
}

/* Names what becomes live and writes the records' bodies; with `lock` held. */
static void write_bodies(struct definitions *definitions, struct round *round)
{
	for (size_t i = 0; i < round->segments.count; i++)
		VECTOR_ADD(&round->rules, rule_of(definitions, round, round->segments.items[i]));
	struct change_record record = {.id         = round->id,
	                               .rule_count = round->rules.count,
	                               .rules      = round->rules.items,
	                               .off_count  = round->off.count,
	                               .off        = round->off.items};
	change_record_write_prepare(&round->prepare, &record);
	change_record_write_activate(&round->activate, &record);
	/* A newer version may free the texts while the round is under way. */
	for (size_t i = 0; i < round->rules.count; i++)
		round->rules.items[i].canonical =
			arena_text(&round->arena, round->rules.items[i].canonical);
}

/* The first rows of the queue, which stay in it: no segment twice, about as much as fits into a
 * record. */
static void look_at_rows(struct definitions *definitions, struct round *round, size_t rows_max)
{
	size_t bytes = 0;
	pthread_mutex_lock(&definitions->queue_lock);
	for (const struct queued_change *change = definitions->queue;
	     change != NULL && round->rows.count < rows_max && bytes < ROUND_BYTES_MAX;
	     change = change->next) {
		bool known = false;
		for (size_t i = 0; i < round->rows.count; i++)
			known |= round->rows.items[i].segment == change->segment;
		if (known)
			break;
		pthread_rwlock_rdlock(&definitions->lock);
		const struct known *segment = definitions_known(definitions, change->segment);
		bytes += segment == NULL ? 0 : segment->segment.canonical.length + 64;
		pthread_rwlock_unlock(&definitions->lock);
		VECTOR_ADD(&round->rows, *change);
		round->id = change->id;
	}
	pthread_mutex_unlock(&definitions->queue_lock);
}

static void take_rows(struct definitions *definitions, size_t count)
{
	pthread_mutex_lock(&definitions->queue_lock);
	while (count-- > 0) {
		struct queued_change *change = definitions->queue;
		definitions->queue           = change->next;
		free(change);
	}
	pthread_mutex_unlock(&definitions->queue_lock);
}

static struct round *round_new(void)
{
	struct round *round = calloc(1, sizeof *round);
	if (round == NULL)
		abort();
	arena_init(&round->arena);
	return round;
}

static void round_free(struct round *round)
{
	if (round == NULL)
		return;
	arena_done(&round->arena);
	VECTOR_DONE(&round->rules);
	VECTOR_DONE(&round->rows);
	VECTOR_DONE(&round->segments);
	VECTOR_DONE(&round->off);
	buffer_done(&round->prepare);
	buffer_done(&round->activate);
	free(round);
}

static void set_live(struct known *known, bool live, uint32_t version, struct text canonical)
{
	if (known == NULL)
		return; /* deleted before this process began */
	if (canonical.data == NULL)
		live = false; /* the store has it no more: it was deleted, and is switched off next */
	free((char *)known->live_canonical.data);
	known->live           = live;
	known->live_canonical = (struct text){0};
	if (!live)
		return;
	char *copy = malloc(canonical.length + 1);
	if (copy == NULL)
		abort();
	memcpy(copy, canonical.data, canonical.length);
	known->live_canonical       = (struct text){copy, canonical.length};
	known->segment.live_version = version;
	if (version == known->segment.version) /* a newer one may be under way, or have failed */
		known->segment.state = STORE_VERSION_LIVE;
}

/* False: deleted before this process began. */
static bool id_of(struct definitions *definitions, uint32_t number, char ret_id[UUID_TEXT_BYTES])
{
	pthread_rwlock_rdlock(&definitions->lock);
	const struct known *known = definitions_known(definitions, number);
	if (known != NULL)
		memcpy(ret_id, known->segment.id, UUID_TEXT_BYTES);
	pthread_rwlock_unlock(&definitions->lock);
	return known != NULL;
}

/* Tells the store of a version that is live, and learns its canonical form from there where need
 * be. */
static enum status settle_rule(struct definitions *definitions, struct round *round,
                               struct change_rule *rule, struct error *err)
{
	char id[UUID_TEXT_BYTES];
	if (!id_of(definitions, rule->segment, id))
		return STATUS_OK;
	const struct store_ops *ops    = definitions->store->ops;
	enum status             status = ops->segment_settle(definitions->store, id, rule->version,
	                                                     STORE_VERSION_LIVE, (struct text){0}, err);
	if (status == STATUS_OK && rule->canonical.data == NULL) {
		struct store_segment segment;
		status = ops->segment_get(definitions->store, text_of(id), &round->arena, &segment, err);
		if (status == STATUS_OK)
			rule->canonical = segment.live_canonical;
	}
	return status == STATUS_NOT_FOUND ? STATUS_OK : status; /* deleted meanwhile */
}

static void set_round_over(struct definitions *definitions, struct round *round, bool live)
{
	pthread_rwlock_wrlock(&definitions->lock);
	for (size_t i = 0; i < round->rules.count && live; i++)
		set_live(definitions_known(definitions, round->rules.items[i].segment), true,
		         round->rules.items[i].version, round->rules.items[i].canonical);
	for (size_t i = 0; i < round->off.count; i++)
		set_live(definitions_known(definitions, round->off.items[i]), false, 0, (struct text){0});
	for (size_t i = 0; i < round->rows.count; i++) {
		struct known *known = definitions_known(definitions, round->rows.items[i].segment);
		if (known != NULL)
			known->queued--;
	}
	pthread_rwlock_unlock(&definitions->lock);
}

/* What the journal's ACTIVATE, or with `live` false its ABANDON, has made true, in the store and in
 * memory. */
static void settle(struct definitions *definitions, struct round *round, bool live)
{
	struct error err    = {0};
	enum status  status = STATUS_OK;
	for (size_t i = 0; i < round->rules.count && status == STATUS_OK && live; i++)
		status = settle_rule(definitions, round, &round->rules.items[i], &err);
	if (status == STATUS_OK)
		status = definitions->store->ops->outbox_done(definitions->store, round->id, &err);
	/* The journal is the truth; the next start settles again. */
	if (status != STATUS_OK)
		log_error("what became live could not be written to the store", &err);
	set_round_over(definitions, round, live);
}

static bool is_brought(const struct round *round, uint32_t segment)
{
	for (size_t i = 0; i < round->rows.count; i++)
		if (round->rows.items[i].segment == segment)
			return true;
	return false;
}

static void tell_begun(struct definitions *definitions, struct round *round)
{
	struct definition_change change = {
		.id       = round->id,
		.segments = arena_alloc(&round->arena, round->rules.count * sizeof *change.segments)};
	for (size_t i = 0; i < round->rules.count; i++) {
		const struct change_rule  *rule    = &round->rules.items[i];
		struct definition_brought *brought = &change.segments[change.count];
		if (!is_brought(round, rule->segment)) {
			change.derived_count++;
		} else if (id_of(definitions, rule->segment, brought->id)) {
			brought->version = rule->version;
			change.count++;
		}
	}
	definitions->watch.begun(definitions->watch.context, &change);
}

static enum definition_end carry_round(struct definitions *definitions, struct round *round,
                                       bool watched)
{
	uint64_t position = 0;
	if (!round->prepared && round->segments.count > 0 &&
	    !append(definitions, RECORD_PREPARE, buffer_text(&round->prepare), &position))
		return DEFINITION_END_LEFT;
	if (watched)
		tell_begun(definitions, round);
	if (!wait_built(definitions, round, position))
		return DEFINITION_END_LEFT;
	bool             live = decide(definitions, round);
	enum record_kind kind = live ? RECORD_ACTIVATE : RECORD_ABANDON;
	if (!append(definitions, kind, buffer_text(&round->activate), &position) ||
	    !wait_applied(definitions, position))
		return DEFINITION_END_LEFT;
	settle(definitions, round, live);
	return live ? DEFINITION_END_LIVE : DEFINITION_END_ABANDONED;
}

static void set_current(struct definitions *definitions, struct round *round)
{
	pthread_mutex_lock(&definitions->queue_lock);
	definitions->current = round;
	pthread_mutex_unlock(&definitions->queue_lock);
}

static bool run_round(struct definitions *definitions, struct round *round)
{
	const struct definition_watch *watch = &definitions->watch;
	/* What only switches off builds nothing. */
	bool watched = watch->begun != NULL && round->rules.count > 0;
	if (round->rules.count == 0 && round->off.count == 0) {
		settle(definitions, round, true); /* nobody wants any more what its rows asked for */
		return true;
	}
	set_current(definitions, round);
	enum definition_end end = carry_round(definitions, round, watched);
	set_current(definitions, NULL);
	if (watched)
		watch->ended(watch->context, end);
	return end != DEFINITION_END_LEFT;
}

/* Those versions of the round that its rows asked for. */
static void list_brought(const struct round *round, struct arena *arena,
                         struct brought **ret_brought, size_t *ret_count)
{
	*ret_brought = ARENA_ARRAY(arena, struct brought, round->rules.count);
	*ret_count   = 0;
	for (size_t i = 0; i < round->rules.count; i++)
		if (is_brought(round, round->rules.items[i].segment))
			(*ret_brought)[(*ret_count)++] =
				(struct brought){round->rules.items[i].segment, round->rules.items[i].version};
}

enum status rollout_hold(struct definitions *definitions, uint64_t change_id, struct arena *arena,
                         bool *ret_held, struct brought **ret_brought, size_t *ret_count,
                         struct error *err)
{
	enum status status = STATUS_OK;
	pthread_mutex_lock(&definitions->queue_lock);
	struct round *round = definitions->current;
	if (round == NULL || round->id != change_id || (round->decided && !round->abandoned)) {
		status = error_set(err, STATUS_CONFLICT, "What it builds is live, or about to be");
	} else {
		*ret_held = round->held = !round->abandoned;
		list_brought(round, arena, ret_brought, ret_count);
	}
	pthread_mutex_unlock(&definitions->queue_lock);
	return status;
}

void rollout_let_go(struct definitions *definitions, bool abandoned)
{
	pthread_mutex_lock(&definitions->queue_lock);
	/* A round that is held is not over; one whose thread has stopped is the next process's. */
	if (definitions->current != NULL) {
		definitions->current->held      = false;
		definitions->current->abandoned = abandoned;
	}
	pthread_cond_broadcast(&definitions->queue_filled);
	pthread_mutex_unlock(&definitions->queue_lock);
}

static bool wait_for_rows(struct definitions *definitions)
{
	pthread_mutex_lock(&definitions->queue_lock);
	while (!definitions->stopping && definitions->queue == NULL)
		pthread_cond_wait(&definitions->queue_filled, &definitions->queue_lock);
	bool stopping = definitions->stopping;
	pthread_mutex_unlock(&definitions->queue_lock);
	return !stopping;
}

/* The segment that one of the round's refers to and that neither is live nor comes to be with it;
 * NULL: none. With `lock` held. */
static const struct known *missing_reference(struct definitions *definitions,
                                             const struct round *round)
{
	for (size_t i = 0; i < round->segments.count; i++) {
		const struct known *known = definitions_known(definitions, round->segments.items[i]);
		for (uint32_t j = 0; j < known->reference_count; j++) {
			const struct known *other = definitions_known(definitions, known->references[j]);
			if (other != NULL && !other->live &&
			    !contains(round->segments.items, round->segments.count, known->references[j]))
				return other;
		}
	}
	return NULL;
}

/* Every partition gets the PREPARE, in one append. */
static size_t prepare_bytes_max(const struct definitions *definitions)
{
	size_t append = JOURNAL_APPEND_BYTES_MAX / definitions->partition_count;
	return (append < RECORD_BYTES_MAX ? append : RECORD_BYTES_MAX) - HEAD_BYTES_MAX;
}

/* Why the round cannot be sent, in the round's arena; no bytes: it can. With `lock` held. */
static struct text fault_of(struct definitions *definitions, struct round *round)
{
	const struct known *missing   = missing_reference(definitions, round);
	size_t              bytes_max = prepare_bytes_max(definitions);
	if (missing != NULL)
		return text_of(arena_printf(&round->arena,
		                            "it refers to segment \"%.*s\", which is not live",
		                            TEXT_FORMAT(missing->segment.key)));
	if (round->prepare.length > bytes_max)
		return text_of(arena_printf(
			&round->arena,
			"with the %zu live segments that are derived from it, the definition takes "
			"%zu bytes; at most %zu with %u partitions",
			round->segments.count - 1, round->prepare.length, bytes_max,
			definitions->partition_count));
	return (struct text){0};
}

static struct round *make_round(struct definitions *definitions, size_t rows_max,
                                struct text *ret_fault)
{
	struct round *round = round_new();
	look_at_rows(definitions, round, rows_max);
	pthread_rwlock_rdlock(&definitions->lock);
	collect_segments(definitions, round);
	write_bodies(definitions, round);
	*ret_fault = fault_of(definitions, round);
	pthread_rwlock_unlock(&definitions->lock);
	return round;
}

static void set_failed(struct definitions *definitions, const struct queued_change *row,
                       uint32_t version, struct text reason)
{
	pthread_rwlock_wrlock(&definitions->lock);
	struct known *known = definitions_known(definitions, row->segment);
	if (known != NULL) {
		known->queued--;
		if (known->segment.version == version) {
			known->segment.state  = STORE_VERSION_FAILED;
			known->segment.reason = arena_text(&known->arena, reason);
		}
	}
	pthread_rwlock_unlock(&definitions->lock);
}

/* The only row of a round that cannot be sent. */
static void fail_row(struct definitions *definitions, const struct round *round, struct text reason)
{
	const struct queued_change *row     = &round->rows.items[0];
	const struct store_ops     *ops     = definitions->store->ops;
	uint32_t                    version = row->version;
	char                        id[UUID_TEXT_BYTES];
	struct error                err;
	enum status                 status = STATUS_OK;
	for (size_t i = 0; i < round->rules.count; i++)
		if (round->rules.items[i].segment == row->segment)
			version = round->rules.items[i].version;
	if (id_of(definitions, row->segment, id)) {
		log_line(LOG_WARNING, "a definition cannot become live", LOG_STRING("segment", id),
		         LOG_NUMBER("version", version));
		status = ops->segment_settle(definitions->store, id, version, STORE_VERSION_FAILED, reason,
		                             &err);
	}
	if (status == STATUS_OK || status == STATUS_NOT_FOUND)
		status = ops->outbox_done(definitions->store, row->id, &err);
	if (status != STATUS_OK)
		log_error("what failed could not be written to the store", &err);
	set_failed(definitions, row, version, reason);
}

/* The next round, its rows taken off the queue. NULL: its only row has failed. */
static struct round *next_round(struct definitions *definitions)
{
	size_t rows_max = ROUND_ROWS_MAX;
	for (;;) {
		struct text   fault;
		struct round *round = make_round(definitions, rows_max, &fault);
		size_t        rows  = round->rows.count;
		if (fault.length == 0 || rows == 1)
			take_rows(definitions, rows);
		if (fault.length == 0)
			return round;
		if (rows == 1)
			fail_row(definitions, round, fault);
		round_free(round);
		if (rows == 1)
			return NULL;
		rows_max = rows / 2;
	}
}

static void *rollout_run(void *pointer)
{
	struct definitions *definitions = pointer;
	struct round       *round       = definitions->unfinished;
	definitions->unfinished         = NULL;
	for (;;) {
		if (round == NULL) {
			if (!wait_for_rows(definitions))
				return NULL;
			round = next_round(definitions);
			if (round == NULL)
				continue;
		}
		bool done = run_round(definitions, round);
		round_free(round);
		round = NULL;
		/* A journal that takes nothing any more: the next start goes on from the outbox. */
		if (!done)
			return NULL;
	}
}

/* What the replayed journal says of definitions. */
struct recovery {
	struct engine_read read;
	struct signal      signal;
	uint64_t           last_change_id;
	uint64_t           pending_id;
	VECTOR(struct change_rule) live; /* without canonical forms */
	VECTOR(struct change_rule) pending;
};

static void recovery_run(struct engine_read *read, struct view *view)
{
	struct recovery      *recovery = (struct recovery *)read;
	const struct catalog *catalog  = &view->partition->catalog;
	recovery->last_change_id       = view->partition->last_change_id;
	for (size_t i = 0; i < catalog->live.count; i++) {
		if (catalog->live.items[i] == RULE_NONE)
			continue;
		const struct rule *rule = &catalog->rules.items[catalog->live.items[i]];
		VECTOR_ADD(&recovery->live, (struct change_rule){rule->segment, rule->plan->version, {0}});
	}
	const struct build *build = view->partition->builds;
	for (uint32_t i = 0; build != NULL && i < build->plan->rule_count; i++)
		VECTOR_ADD(&recovery->pending, (struct change_rule){build->plan->rules[i].segment,
		                                                    build->plan->rules[i].version,
		                                                    {0}});
	recovery->pending_id = build == NULL ? 0 : build->change_id;
}

static void recovery_done(struct engine_read *read, enum status status, const struct error *err)
{
	(void)err;
	signal_set(&((struct recovery *)read)->signal, status, 0);
}

static struct queued_change read_row(const struct store_outbox *row)
{
	struct byte_reader   reader = byte_reader_of(row->payload.data, row->payload.length);
	struct queued_change change = {.id = row->id, .prepare = row->kind == RECORD_PREPARE};
	change.segment              = read_u32(&reader);
	change.version              = read_u32(&reader);
	return change;
}

/* Change ids of the rows that abandon one. */
static uint64_t *read_abandoned(const struct store_outbox *rows, size_t count, struct arena *arena,
                                size_t *ret_count)
{
	uint64_t *ids = ARENA_ARRAY(arena, uint64_t, count);
	*ret_count    = 0;
	for (size_t i = 0; i < count; i++) {
		if (rows[i].kind != RECORD_ABANDON)
			continue;
		struct byte_reader reader = byte_reader_of(rows[i].payload.data, rows[i].payload.length);
		ids[(*ret_count)++]       = read_u64(&reader);
	}
	return ids;
}

/* Whether a restore has brought a store to the journal that knows nothing of what the pending round
 * brings, or has abandoned it: what the store wants is prepared anew. */
static bool is_foreign(struct definitions *definitions, const struct recovery *recovery,
                       const struct round *round)
{
	for (size_t i = 0; i < recovery->pending.count && round->rows.count == 0; i++) {
		const struct change_rule *rule  = &recovery->pending.items[i];
		const struct known       *known = definitions_known(definitions, rule->segment);
		if (known == NULL || !known->segment.active || known->segment.version < rule->version)
			return true;
	}
	return false;
}

/* The store learns what is live; memory learns the live canonical forms. */
static void recover_live(struct definitions *definitions, struct recovery *recovery)
{
	struct round *round = round_new();
	round->id           = recovery->pending_id == 0 ? recovery->last_change_id : 0;
	for (size_t i = 0; i < recovery->live.count; i++)
		VECTOR_ADD(&round->rules, recovery->live.items[i]);
	settle(definitions, round, true);
	round_free(round);
}

static void recover_rows(struct definitions *definitions, struct recovery *recovery,
                         const struct definition_recovery *told, const struct store_outbox *rows,
                         size_t count)
{
	struct round *round = NULL;
	if (recovery->pending_id > 0) {
		round           = round_new();
		round->id       = recovery->pending_id;
		round->prepared = true;
		for (size_t i = 0; i < recovery->pending.count; i++)
			VECTOR_ADD(&round->rules, recovery->pending.items[i]);
	}
	for (size_t i = 0; i < count; i++) {
		struct queued_change change = read_row(&rows[i]);
		if (rows[i].kind == RECORD_ABANDON)
			continue;
		if (change.id > recovery->last_change_id) {
			rollout_add(definitions, change.id, change.prepare, change.segment, change.version);
			continue;
		}
		if (round == NULL)
			continue;
		struct known *known = definitions_known(definitions, change.segment);
		if (known != NULL)
			known->queued++;
		VECTOR_ADD(&round->rows, change);
		if (!change.prepare)
			VECTOR_ADD(&round->off, change.segment);
	}
	if (round != NULL) {
		struct change_record record = {
			.id = round->id, .off_count = round->off.count, .off = round->off.items};
		change_record_write_activate(&round->activate, &record);
		round->abandoned = is_foreign(definitions, recovery, round);
		for (size_t i = 0; i < told->abandoned_count; i++)
			round->abandoned |= told->abandoned[i] == round->id;
	}
	definitions->unfinished = round;
}

static enum status recover(struct definitions *definitions, struct error *err)
{
	struct recovery recovery = {.read = {.run = recovery_run, .done = recovery_done}};
	signal_init(&recovery.signal);
	engine_read_person(definitions->engine, 0, &recovery.read);
	enum status status = signal_wait(&recovery.signal);
	if (status != STATUS_OK)
		return error_set(err, status, "the engine does not tell which definitions are live");

	struct arena arena;
	arena_init(&arena);
	struct store_outbox *rows;
	size_t               count;
	recover_live(definitions, &recovery);
	status = definitions->store->ops->outbox_list(definitions->store, SIZE_MAX / 2, &arena, &rows,
	                                              &count, err);
	if (status == STATUS_OK) {
		struct definition_recovery told = {.last_id    = recovery.last_change_id,
		                                   .pending_id = recovery.pending_id};
		told.abandoned = read_abandoned(rows, count, &arena, &told.abandoned_count);
		if (definitions->watch.recovered != NULL)
			definitions->watch.recovered(definitions->watch.context, &told);
		recover_rows(definitions, &recovery, &told, rows, count);
	}
	if (status == STATUS_OK)
		status = definitions_reconcile(definitions, recovery.live.items, recovery.live.count, err);
	arena_done(&arena);
	VECTOR_DONE(&recovery.live);
	VECTOR_DONE(&recovery.pending);
	return status;
}

enum status rollout_start(struct definitions *definitions, struct error *err)
{
	enum status status = recover(definitions, err);
	if (status != STATUS_OK)
		return status;
	if (pthread_create(&definitions->thread, NULL, rollout_run, definitions) != 0)
		abort();
	return STATUS_OK;
}

void rollout_stop(struct definitions *definitions)
{
	pthread_mutex_lock(&definitions->queue_lock);
	definitions->stopping = true;
	pthread_cond_broadcast(&definitions->queue_filled);
	pthread_mutex_unlock(&definitions->queue_lock);
	pthread_join(definitions->thread, NULL);
	round_free(definitions->unfinished);
	while (definitions->queue != NULL) {
		struct queued_change *next = definitions->queue->next;
		free(definitions->queue);
		definitions->queue = next;
	}
}
