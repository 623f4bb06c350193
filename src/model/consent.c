#include "model/consent.h"

#include <string.h>

#include "base/hash.h"

bool consent_is_name(struct text name)
{
	if (name.length == 0 || name.length > CONSENT_NAME_BYTES_MAX)
		return false;
	for (size_t i = 0; i < name.length; i++)
		if ((unsigned char)name.data[i] < ' ' || name.data[i] == '.' || name.data[i] == 0x7f)
			return false;
	return true;
}

static void path_of(struct arena *arena, struct text text, struct value_path *ret_path)
{
	value_path_init(
		ret_path, text_of(arena_printf(arena, "consent.%.*s", (int)text.length, text.data)), arena);
}

bool consent_read(struct text text, struct arena *arena, struct consent *ret_consent)
{
	const char *dot     = text.length == 0 ? NULL : memchr(text.data, '.', text.length);
	struct text purpose = {text.data, dot == NULL ? text.length : (size_t)(dot - text.data)};
	if (!consent_is_name(purpose))
		return false;
	*ret_consent = (struct consent){.text      = arena_text(arena, text),
	                                .marketing = text_equal(purpose, TEXT("marketing"))};
	path_of(arena, purpose, &ret_consent->purpose);
	if (dot == NULL)
		return true;
	struct text channel = {dot + 1, text.length - purpose.length - 1};
	if (!consent_is_name(channel))
		return false;
	ret_consent->channel_name = arena_text(arena, channel);
	path_of(arena, text, &ret_consent->channel);
	return true;
}

/* Whether some channel of the purpose is agreed to: flat names that begin with it, or an object. */
static bool any_channel(const struct consent *consent, struct text traits,
                        const struct value *purpose)
{
	struct text name = consent->purpose.name;
	for (struct value_reader r = value_read(traits); value_next(&r);)
		if (r.value.type == VALUE_TRUE && text_starts_with(r.name, name) &&
		    r.name.length > name.length && r.name.data[name.length] == '.')
			return true;
	if (purpose->type == VALUE_OBJECT)
		for (struct value_reader r = value_read(purpose->text); value_next(&r);)
			if (r.value.type == VALUE_TRUE)
				return true;
	return false;
}

static bool in_marketing_consent(const struct consent *consent, struct text traits)
{
	struct text        name  = TEXT("marketing_consent"), item;
	struct value       value = value_find(traits, name, hash_name(name));
	struct byte_reader set   = byte_reader_of(value.text.data, value.text.length);
	if (value.type == VALUE_TRUE)
		return true;
	if (value.type == VALUE_STRING)
		return consent->channel_name.length == 0 || text_equal(value.text, consent->channel_name);
	if (value.type != VALUE_STRING_SET)
		return false;
	while (value_set_next(&set, &item))
		if (consent->channel_name.length == 0 || text_equal(item, consent->channel_name))
			return true;
	return false;
}

bool consent_given(const struct consent *consent, struct text traits)
{
	struct value none    = {.type = VALUE_NONE};
	bool         any     = consent->channel_name.length == 0;
	struct value channel = any || traits.length == 0 ? none : value_at(traits, &consent->channel);
	struct value purpose = traits.length == 0 ? none : value_at(traits, &consent->purpose);
	if (traits.length == 0)
		return false;
	if (channel.type == VALUE_TRUE || channel.type == VALUE_FALSE)
		return channel.type == VALUE_TRUE;
	if (purpose.type == VALUE_TRUE || purpose.type == VALUE_FALSE)
		return purpose.type == VALUE_TRUE;
	return (any && any_channel(consent, traits, &purpose)) ||
	       (consent->marketing && in_marketing_consent(consent, traits));
}
