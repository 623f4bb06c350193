#include "api/personal/personal_index.h"

static bool index_of(void *context, enum personal_index kind, struct text value,
                     char ret_index[PERSONAL_INDEX_BYTES], const char **ret_reason)
{
	return vault_index(context, kind, value, ret_index, ret_reason);
}

enum status personal_index(struct vault *vault, struct expr *expr, const char *field,
                           struct arena *arena, bool *ret_changed, struct error *err)
{
	return expr_index_personal(expr, field, index_of, vault, arena, ret_changed, err);
}

struct text personal_index_text(const struct expr *expr, struct arena *arena)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	expr_write_json(&w, expr);
	struct text text = arena_text(arena, buffer_text(&out));
	buffer_done(&out);
	return text;
}
