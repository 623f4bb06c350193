#include "model/personal.h"

#include <stddef.h>

/* A name covers what lies within it: "address" also "address.city". */
static const char *const trait_names[] = {
	"email",         "phone",       "name",         "first_name", "last_name",
	"firstName",     "lastName",    "address",      "birthday",   "device_token",
	"device_tokens", "deviceToken", "deviceTokens", "push_token", "push_tokens",
	"pushToken",     "pushTokens",  "ad_id",        "adId",       "advertising_id",
	"advertisingId", "idfa",        "gaid",         NULL,
};
static const char *const property_names[] = {"email", "phone", NULL};
static const char *const context_names[]  = {
	 "ip", "device.id", "device.token", "device.advertisingId", NULL,
};

static bool covers(struct text name, struct text path)
{
	return text_starts_with(path, name) &&
	       (path.length == name.length || path.data[name.length] == '.');
}

static bool is_covered(struct text path, const char *const *names)
{
	for (; *names != NULL; names++)
		if (covers(text_of(*names), path))
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

bool personal_refuses(enum personal_place place, struct text path, const char **ret_reason)
{
	if (!personal_by_name(place, path))
		return false;
	*ret_reason = "personal data is kept sealed: only exists and absent can be asked of it "
				  "(eq and in of email and phone come with a later release)";
	return true;
}
