#include "access/scope.h"

#include <assert.h>

static const struct {
	const char *name;
	const char *help;
} scopes[SCOPE_COUNT] = {
#define X(scope, text, help) {text, help},
	SCOPE_TABLE(X)
#undef X
};

bool scope_allows(uint32_t granted, enum scope needed)
{
	return needed == SCOPE_NONE || (granted & ((uint32_t)needed | SCOPE_ADMIN)) != 0;
}

static unsigned index_of(enum scope scope)
{
	assert(scope != SCOPE_NONE);
	return (unsigned)__builtin_ctz((unsigned)scope);
}

const char *scope_name(enum scope scope) { return scopes[index_of(scope)].name; }

const char *scope_help(enum scope scope) { return scopes[index_of(scope)].help; }

enum scope scope_of(struct text name)
{
	for (unsigned i = 0; i < SCOPE_COUNT; i++)
		if (text_equal(name, text_of(scopes[i].name)))
			return (enum scope)(1u << i);
	return SCOPE_NONE;
}

uint32_t scope_set_read(struct text names)
{
	uint32_t set = 0;
	for (size_t begin = 0, at = 0; at <= names.length; at++)
		if (at == names.length || names.data[at] == ' ') {
			set |= scope_of((struct text){names.data + begin, at - begin});
			begin = at + 1;
		}
	return set;
}

void scope_set_write(struct buffer *out, uint32_t set)
{
	bool first = true;
	for (unsigned i = 0; i < SCOPE_COUNT; i++)
		if ((set >> i & 1) != 0) {
			buffer_printf(out, first ? "%s" : " %s", scopes[i].name);
			first = false;
		}
}

uint32_t scope_set_both(uint32_t a, uint32_t b)
{
	return (a & SCOPE_ADMIN) != 0 ? b : (b & SCOPE_ADMIN) != 0 ? a : a & b;
}

void scope_set_write_json(struct json_writer *writer, uint32_t set)
{
	json_begin_array(writer);
	for (unsigned i = 0; i < SCOPE_COUNT; i++)
		if ((set >> i & 1) != 0)
			json_add_string(writer, text_of(scopes[i].name));
	json_end_array(writer);
}
