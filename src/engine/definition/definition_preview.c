#include "engine/definition/definition_internal.h"

#include <string.h>

struct look {
	struct definitions *definitions;
	const struct known *not_live; /* the first that is named and does not answer; NULL */
};

static void look_at_leaf(void *context, const struct expr *leaf)
{
	struct look *look = context;
	if (leaf->kind != EXPR_SEGMENT || look->not_live != NULL)
		return;
	const struct known *known = definitions_known(look->definitions, leaf->segment.number);
	if (known != NULL && !known->live)
		look->not_live = known;
}

static enum status check_live(struct definitions *definitions, struct text canonical,
                              struct arena *arena, struct error *err)
{
	struct expr *expr;
	enum status  status = expr_parse_canonical(canonical, arena, &expr, err);
	if (status != STATUS_OK)
		return status;
	struct look look = {.definitions = definitions};
	pthread_rwlock_rdlock(&definitions->lock);
	expr_visit_leaves(expr, look_at_leaf, &look);
	if (look.not_live != NULL)
		status = error_set_field(err, STATUS_CONFLICT, "expression",
		                         "Segment \"%.*s\", which it refers to, is not Live",
		                         TEXT_FORMAT(look.not_live->segment.key));
	pthread_rwlock_unlock(&definitions->lock);
	return status;
}

static enum status preview_locked(struct definitions *definitions, struct text id_or_key,
                                  const struct definition_wish *wish, struct arena *arena,
                                  struct definition_preview *ret_preview, struct error *err)
{
	struct definition_preview preview = {0};
	struct store_segment      segment = {.key = TEXT("(preview)")};
	const struct known       *known   = NULL;
	if (id_or_key.data != NULL) {
		known = definitions_find(definitions, id_or_key);
		if (known == NULL)
			return error_set(err, STATUS_NOT_FOUND, "there is no such segment");
		segment.number    = known->segment.number;
		segment.key       = known->segment.key;
		segment.canonical = arena_text(arena, known->segment.canonical);
		pthread_rwlock_rdlock(&definitions->lock);
		preview.compared     = segment.number;
		preview.live_version = known->live ? known->segment.live_version : 0;
		memcpy(preview.id, known->segment.id, sizeof preview.id);
		pthread_rwlock_unlock(&definitions->lock);
	}
	enum status status = STATUS_OK;
	if (wish->body.data != NULL)
		status = definitions_take(definitions, wish, &segment, arena, err);
	if (status == STATUS_OK)
		status = check_live(definitions, segment.canonical, arena, err);
	if (status != STATUS_OK)
		return status;
	preview.canonical = segment.canonical;
	*ret_preview      = preview;
	return STATUS_OK;
}

enum status definition_preview(struct definitions *definitions, struct text id_or_key,
                               const struct definition_wish *wish, struct arena *arena,
                               struct definition_preview *ret_preview, struct error *err)
{
	pthread_mutex_lock(&definitions->commit_lock);
	enum status status = preview_locked(definitions, id_or_key, wish, arena, ret_preview, err);
	pthread_mutex_unlock(&definitions->commit_lock);
	return status;
}
