#include "ingest/raw.h"

static const char *behind_space(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
	return at;
}

/* `at` is at the opening quote. */
static const char *behind_string(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		if (*at == '\\')
			at++;
	return at < end ? at + 1 : end;
}

static const char *behind_container(const char *at, const char *end)
{
	size_t depth = 0;
	while (at < end) {
		char c = *at;
		if (c == '"') {
			at = behind_string(at, end);
			continue;
		}
		at++;
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			break;
	}
	return at;
}

static bool ends_scalar(char c)
{
	return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *behind_value(const char *at, const char *end)
{
	if (at == end)
		return end;
	if (*at == '"')
		return behind_string(at, end);
	if (*at == '{' || *at == '[')
		return behind_container(at, end);
	while (at < end && !ends_scalar(*at))
		at++;
	return at;
}

/* The array behind the last such member; NULL: there is none. `at` is behind the opening brace. */
static const char *find_array(const char *at, const char *end, struct text member)
{
	const char *found = NULL;
	while ((at = behind_space(at, end)) < end && *at == '"') {
		const char *name = at;
		at               = behind_string(at, end);
		struct text here = {name + 1, (size_t)(at - name) - 2};
		at               = behind_space(at, end);
		at               = at < end ? behind_space(at + 1, end) : end; /* the colon */
		if (text_equal(here, member))
			found = at < end && *at == '[' ? at : NULL;
		at = behind_space(behind_value(at, end), end);
		if (at < end && *at == ',')
			at++;
	}
	return found;
}

struct raw_items raw_items(struct text body, struct text member)
{
	const char *end   = body.data + body.length;
	const char *array = behind_space(body.data, end);
	if (array < end && *array == '{')
		array = find_array(array + 1, end, member);
	else if (array == end || *array != '[')
		array = NULL;
	return (struct raw_items){.at = array == NULL ? end : array + 1, .end = end};
}

bool raw_next(struct raw_items *items)
{
	const char *at = behind_space(items->at, items->end);
	if (at < items->end && *at == ',')
		at = behind_space(at + 1, items->end);
	if (at >= items->end || *at == ']')
		return false;
	items->at   = behind_value(at, items->end);
	items->item = (struct text){at, (size_t)(items->at - at)};
	return true;
}
