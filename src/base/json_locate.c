#include "base/json_locate.h"

#include <stdint.h>
#include <stdlib.h>

struct walk {
	struct text text;
	size_t      at;
	size_t      found;
	unsigned    depth;
	bool        broken;
};

static char next_of(const struct walk *walk)
{
	return walk->at < walk->text.length ? walk->text.data[walk->at] : '\0';
}

static void skip_blanks(struct walk *walk)
{
	while (next_of(walk) != '\0' && strchr(" \t\r\n", next_of(walk)) != NULL)
		walk->at++;
}

static bool take(struct walk *walk, char expected)
{
	skip_blanks(walk);
	bool is = next_of(walk) == expected && walk->at < walk->text.length;
	walk->at += is;
	return is;
}

static void demand(struct walk *walk, char expected)
{
	if (!walk->broken)
		walk->broken = !take(walk, expected);
}

static void walk_string(struct walk *walk, struct text *ret_raw)
{
	demand(walk, '"');
	size_t begin = walk->at;
	while (!walk->broken && next_of(walk) != '"') {
		walk->broken = (unsigned char)next_of(walk) < 0x20;
		walk->at += walk->broken ? 0 : next_of(walk) == '\\' ? 2 : 1;
	}
	*ret_raw = (struct text){walk->text.data + begin, walk->at - begin};
	demand(walk, '"');
}

static void walk_word(struct walk *walk)
{
	static const char *const words[] = {"true", "false", "null"};
	struct text              rest    = {walk->text.data + walk->at, walk->text.length - walk->at};
	for (unsigned i = 0; i < 3; i++)
		if (text_starts_with(rest, text_of(words[i]))) {
			walk->at += strlen(words[i]);
			return;
		}
	size_t begin = walk->at;
	while (next_of(walk) != '\0' && strchr("+-0123456789.eE", next_of(walk)) != NULL)
		walk->at++;
	walk->broken = walk->at == begin;
}

static void walk_value(struct walk *walk, const char *place);

/* The rest of `place` within the member or item; NULL: it leads elsewhere. */
static const char *within_member(const char *place, struct text name)
{
	if (place == NULL)
		return NULL;
	place += *place == '.';
	size_t length = strcspn(place, ".[");
	return length > 0 && text_equal((struct text){place, length}, name) ? place + length : NULL;
}

static const char *within_item(const char *place, uint64_t index)
{
	char *end;
	if (place == NULL || *place != '[' || strtoull(place + 1, &end, 10) != index || *end != ']')
		return NULL;
	return end + 1;
}

static void walk_object(struct walk *walk, const char *place)
{
	demand(walk, '{');
	if (take(walk, '}'))
		return;
	do {
		struct text name;
		walk_string(walk, &name);
		demand(walk, ':');
		walk_value(walk, within_member(place, name));
	} while (!walk->broken && take(walk, ','));
	demand(walk, '}');
}

static void walk_array(struct walk *walk, const char *place)
{
	uint64_t index = 0;
	demand(walk, '[');
	if (take(walk, ']'))
		return;
	do
		walk_value(walk, within_item(place, index++));
	while (!walk->broken && take(walk, ','));
	demand(walk, ']');
}

/* `place` is what is left of it within this value; NULL: it is not on the way. */
static void walk_value(struct walk *walk, const char *place)
{
	struct text raw;
	if (walk->broken)
		return;
	skip_blanks(walk);
	if (place != NULL)
		walk->found = walk->at;
	walk->broken = ++walk->depth > JSON_LOCATE_DEPTH_MAX;
	if (walk->broken)
		return;
	if (next_of(walk) == '{')
		walk_object(walk, place);
	else if (next_of(walk) == '[')
		walk_array(walk, place);
	else if (next_of(walk) == '"')
		walk_string(walk, &raw);
	else
		walk_word(walk);
	walk->depth--;
}

size_t json_locate(struct text json, const char *place)
{
	struct walk walk = {.text = json};
	walk_value(&walk, place);
	if (!walk.broken)
		skip_blanks(&walk);
	bool ended = !walk.broken && walk.at == json.length;
	return ended ? walk.found : walk.at < json.length ? walk.at : json.length;
}
