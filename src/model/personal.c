#include "model/personal.h"

#include <stddef.h>
#include <string.h>

/* A name covers what lies within it: "address" also "address.city". Their lengths stand with them:
 * each property of each event is held against them. */
#define NAME(literal)                                                                              \
	{                                                                                              \
		literal, sizeof(literal) - 1                                                               \
	}
#define NO_NAME                                                                                    \
	{                                                                                              \
		NULL, 0                                                                                    \
	}

static const struct text trait_names[] = {
	NAME("email"),         NAME("phone"),        NAME("name"),          NAME("first_name"),
	NAME("last_name"),     NAME("firstName"),    NAME("lastName"),      NAME("address"),
	NAME("birthday"),      NAME("device_token"), NAME("device_tokens"), NAME("deviceToken"),
	NAME("deviceTokens"),  NAME("push_token"),   NAME("push_tokens"),   NAME("pushToken"),
	NAME("pushTokens"),    NAME("ad_id"),        NAME("adId"),          NAME("advertising_id"),
	NAME("advertisingId"), NAME("idfa"),         NAME("gaid"),          NO_NAME,
};
static const struct text property_names[] = {NAME("email"), NAME("phone"), NO_NAME};
static const struct text context_names[]  = {
	 NAME("ip"), NAME("device.id"), NAME("device.token"), NAME("device.advertisingId"), NO_NAME,
};

static bool covers(struct text name, struct text path)
{
	return path.length >= name.length && path.data[0] == name.data[0] &&
	       memcmp(path.data, name.data, name.length) == 0 &&
	       (path.length == name.length || path.data[name.length] == '.');
}

static bool is_covered(struct text path, const struct text *names)
{
	for (; names->length > 0; names++)
		if (covers(*names, path))
			return true;
	return false;
}

static struct text behind(struct text path, struct text prefix)
{
	return (struct text){path.data + prefix.length, path.length - prefix.length};
}

static bool in_context(struct text path)
{
	struct text traits = TEXT("traits.");
	if (text_starts_with(path, traits))
		return is_covered(behind(path, traits), trait_names);
	return is_covered(path, context_names);
}

bool personal_by_name(enum personal_place place, struct text path)
{
	switch (place) {
	case PERSONAL_IN_TRAITS:
		return is_covered(path, trait_names);
	case PERSONAL_IN_PROPERTIES:
		return is_covered(path, property_names);
	case PERSONAL_IN_CONTEXT:
		return in_context(path);
	}
	return false;
}

static bool is_among(struct text name, const struct text *names)
{
	for (; names->length > 0; names++)
		if (text_equal(name, *names))
			return true;
	return false;
}

bool personal_is_listed(enum personal_place place, struct text name)
{
	struct text traits = TEXT("traits.");
	if (place == PERSONAL_IN_CONTEXT && text_starts_with(name, traits))
		return is_among(behind(name, traits), trait_names);
	return is_among(name, personal_names(place));
}

const struct text *personal_names(enum personal_place place)
{
	return place == PERSONAL_IN_TRAITS       ? trait_names
	       : place == PERSONAL_IN_PROPERTIES ? property_names
	                                         : context_names;
}

enum personal_index personal_indexed(struct text trait)
{
	if (text_equal(trait, TEXT("email")))
		return PERSONAL_EMAIL;
	if (text_equal(trait, TEXT("phone")))
		return PERSONAL_PHONE;
	return text_equal(trait, TEXT("birthday")) ? PERSONAL_BIRTHDAY : PERSONAL_NOT_INDEXED;
}

bool personal_is_index(struct text text)
{
	struct text prefix = TEXT(PERSONAL_INDEX_PREFIX);
	if (text.length != PERSONAL_INDEX_BYTES || !text_starts_with(text, prefix))
		return false;
	for (size_t i = prefix.length; i < text.length; i++)
		if (strchr("0123456789abcdef", text.data[i]) == NULL || text.data[i] == '\0')
			return false;
	return true;
}

static enum personal_tests trait_tests(struct text path)
{
	static const char *const parts[] = {"birthday.year", "birthday.month", "birthday.day"};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (text_equal(path, text_of(parts[i])))
			return PERSONAL_ALL_TESTS;
	enum personal_index index = personal_indexed(path);
	return index == PERSONAL_EMAIL || index == PERSONAL_PHONE ? PERSONAL_EQUALITY
	                                                          : PERSONAL_NO_TESTS;
}

enum personal_tests personal_tests(enum personal_place place, struct text path)
{
	if (!personal_by_name(place, path))
		return PERSONAL_ALL_TESTS;
	return place == PERSONAL_IN_TRAITS ? trait_tests(path) : PERSONAL_NO_TESTS;
}

const char *personal_reason(enum personal_tests tests)
{
	if (tests == PERSONAL_EQUALITY)
		return "personal data is kept sealed: of email and phone only eq, neq, in, not_in, exists "
			   "and absent can be asked, with strings";
	return "personal data is kept sealed: only exists and absent can be asked of it "
		   "(of the traits email and phone also eq and in, of birthday its year, month and day)";
}
