#include "api/collection/observations.h"

#include "api/collection/counting.h"

enum status observations_load(struct sources *sources, struct store *store, struct error *err)
{
	struct store_observation *rows;
	struct arena              arena;
	size_t                    count;
	arena_init(&arena);
	enum status status = store->ops->observation_list(store, &arena, &rows, &count, err);
	for (size_t i = 0; status == STATUS_OK && i < count; i++) {
		const struct store_observation *row    = &rows[i];
		struct source                  *source = source_of(sources, row->source_number);
		const struct observed_row       seen   = {
					.event    = row->event,
					.property = row->property,
					.kind     = observed_kind_of(row->kind),
					.seen     = {(uint64_t)row->count, row->first_ms, row->last_ms, row->sample}};
		if (seen.kind != OBSERVED_NOTHING)
			observed_load(source_observed(source, (enum observed_family)row->family), &seen);
	}
	arena_done(&arena);
	return status;
}

static enum status write(struct store *store, uint32_t source_number, enum observed_family family,
                         const observed_row_list *list, struct arena *arena, struct error *err)
{
	struct store_observation *rows = ARENA_ARRAY(arena, struct store_observation, list->count + 1);
	for (size_t i = 0; i < list->count; i++) {
		const struct observed_row *row = &list->items[i];
		rows[i]                        = (struct store_observation){
								   .source_number = source_number,
								   .family        = family,
								   .event         = row->event,
								   .property      = row->property,
								   .kind          = text_of(observed_kind_name(row->kind)),
								   .count         = (int64_t)row->seen.count,
								   .first_ms      = row->seen.first_ms,
								   .last_ms       = row->seen.last_ms,
								   .sample        = row->seen.sample,
        };
	}
	enum status status = STATUS_OK;
	for (size_t done = 0; done < list->count && status == STATUS_OK;) {
		size_t left  = list->count - done;
		size_t count = left < COUNTING_ROWS_AT_ONCE ? left : COUNTING_ROWS_AT_ONCE;
		status       = store->ops->observation_put(store, rows + done, count, err);
		done += count;
	}
	return status;
}

static enum status keep(struct source *source, enum observed_family family, struct store *store,
                        bool new_only, struct arena *arena, struct error *err)
{
	struct observed  *observed = source_observed(source, family);
	observed_row_list list     = {0};
	observed_take(observed, new_only, arena, &list);
	enum status status = write(store, source_number(source), family, &list, arena, err);
	if (status != STATUS_OK)
		observed_return(observed);
	VECTOR_DONE(&list);
	arena_reset(arena);
	return status;
}

enum status observations_keep(struct ingest *ingest, struct store *store, bool new_only,
                              struct error *err)
{
	struct sources *sources = ingest_sources(ingest);
	struct arena    arena;
	enum status     status = STATUS_OK;
	arena_init(&arena);
	watch_flush(ingest_watch(ingest));
	for (struct source *source = sources_next(sources, NULL); source != NULL && status == STATUS_OK;
	     source                = sources_next(sources, source)) {
		status = keep(source, OBSERVED_TYPES, store, new_only, &arena, err);
		if (status == STATUS_OK)
			status = keep(source, OBSERVED_VIOLATIONS, store, new_only, &arena, err);
	}
	arena_done(&arena);
	return status;
}
