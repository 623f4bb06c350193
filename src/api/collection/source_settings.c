#include "api/collection/source_settings.h"

#include <stdio.h>

#include "api/call.h"

struct source_settings source_settings_default(void)
{
	return (struct source_settings){.any_origin = true};
}

/* ---- Origins ---- */

static bool is_host_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':' ||
	       c == '[' || c == ']';
}

/* What a browser sends as `Origin`: scheme, host and port in lower case, nothing behind; the host
 * may begin with "*.". */
static bool is_origin(struct text origin)
{
	static const struct text schemes[] = {{"https://", 8}, {"http://", 7}};
	size_t                   at        = 0;
	for (unsigned i = 0; i < 2 && at == 0; i++)
		if (text_starts_with(origin, schemes[i]))
			at = schemes[i].length;
	if (at == 0)
		return false;
	if (text_starts_with((struct text){origin.data + at, origin.length - at}, TEXT("*.")))
		at += 2;
	if (at == origin.length)
		return false;
	for (; at < origin.length; at++)
		if (!is_host_byte(origin.data[at]))
			return false;
	return true;
}

static enum status refuse_origin(size_t index, struct error *err)
{
	char field[64];
	snprintf(field, sizeof field, "allowedOrigins[%zu]", index);
	return error_set_field(err, STATUS_INVALID, field,
	                       "It must be an origin as browsers send it, of at most %d bytes: "
	                       "\"https://shop.example\", \"https://*.shop.example\", with the port "
	                       "where it is not the scheme's own",
	                       SOURCE_ORIGIN_BYTES_MAX);
}

static enum status read_origins(struct json origins, struct arena *arena,
                                struct source_settings *settings, struct error *err)
{
	if (json_type(origins) == JSON_NULL) {
		settings->any_origin   = true;
		settings->origin_count = 0;
		return STATUS_OK;
	}
	size_t count = json_count(origins);
	if (json_type(origins) != JSON_ARRAY || count > SOURCE_ORIGINS_MAX)
		return error_set_field(err, STATUS_INVALID, "allowedOrigins",
		                       "It must be null or an array of at most %d origins",
		                       SOURCE_ORIGINS_MAX);
	struct text *texts = ARENA_ARRAY(arena, struct text, count + 1);
	size_t       index = 0;
	for (struct json_iterator i = json_iterate(origins); json_next(&i); index++) {
		if (json_type(i.value) != JSON_STRING ||
		    json_string(i.value).length > SOURCE_ORIGIN_BYTES_MAX ||
		    !is_origin(json_string(i.value)))
			return refuse_origin(index, err);
		texts[index] = arena_text(arena, json_string(i.value));
	}
	settings->any_origin   = false;
	settings->origins      = texts;
	settings->origin_count = count;
	return STATUS_OK;
}

/* ---- Rates ---- */

static enum status read_rate(struct json limit, const char *name, const char *field,
                             int64_t fallback, int64_t *ret_rate, struct error *err)
{
	struct json value = json_get(limit, name);
	*ret_rate         = fallback;
	if (json_type(value) == JSON_NONE && fallback > 0)
		return STATUS_OK;
	if (json_type(value) != JSON_INT || json_int(value) < 1 || json_int(value) > SOURCE_RATE_MAX)
		return error_set_field(err, STATUS_INVALID, field, "It must be a whole number from 1 to %d",
		                       SOURCE_RATE_MAX);
	*ret_rate = json_int(value);
	return STATUS_OK;
}

static enum status read_limit(struct json limit, struct source_settings *settings,
                              struct error *err)
{
	enum status status;
	int64_t     rate, burst;
	if (json_type(limit) == JSON_NULL) {
		settings->rate = settings->burst = 0;
		return STATUS_OK;
	}
	if (json_type(limit) != JSON_OBJECT)
		return error_set_field(err, STATUS_INVALID, "rateLimit", "It must be null or an object");
	for (struct json_iterator i = json_iterate(limit); json_next(&i);)
		if (!text_equal(i.name, TEXT("eventsPerSecond")) && !text_equal(i.name, TEXT("burst"))) {
			char field[ERROR_FIELD_BYTES_MAX];
			snprintf(field, sizeof field, "rateLimit.%.*s", TEXT_FORMAT(i.name));
			return error_set_field(err, STATUS_INVALID, field, "There is no such field here");
		}
	if ((status = read_rate(limit, "eventsPerSecond", "rateLimit.eventsPerSecond", 0, &rate,
	                        err)) != STATUS_OK ||
	    (status = read_rate(limit, "burst", "rateLimit.burst", rate, &burst, err)) != STATUS_OK)
		return status;
	settings->rate  = rate;
	settings->burst = burst;
	return STATUS_OK;
}

/* ---- Quotas ---- */

static const char *const quota_names[QUOTA_PERIODS] = {"eventsPerDay", "eventsPerMonth"};

static enum status read_period(struct json quota, unsigned period, int64_t *ret_events,
                               struct error *err)
{
	struct json value = json_get(quota, quota_names[period]);
	char        field[64];
	*ret_events = 0;
	if (json_type(value) <= JSON_NULL)
		return STATUS_OK;
	snprintf(field, sizeof field, "quota.%s", quota_names[period]);
	if (json_type(value) != JSON_INT || json_int(value) < 1 || json_int(value) > QUOTA_EVENTS_MAX)
		return error_set_field(err, STATUS_INVALID, field,
		                       "It must be null or a whole number from 1 to %lld",
		                       (long long)QUOTA_EVENTS_MAX);
	*ret_events = json_int(value);
	return STATUS_OK;
}

static enum status read_quota(struct json quota, struct source_settings *settings,
                              struct error *err)
{
	enum status status = STATUS_OK;
	if (json_type(quota) == JSON_NULL) {
		settings->quota = (struct quota_sizes){0};
		return STATUS_OK;
	}
	if (json_type(quota) != JSON_OBJECT)
		return error_set_field(err, STATUS_INVALID, "quota", "It must be null or an object");
	for (struct json_iterator i = json_iterate(quota); json_next(&i);)
		if (!text_equal(i.name, text_of(quota_names[QUOTA_DAY])) &&
		    !text_equal(i.name, text_of(quota_names[QUOTA_MONTH]))) {
			char field[ERROR_FIELD_BYTES_MAX];
			snprintf(field, sizeof field, "quota.%.*s", TEXT_FORMAT(i.name));
			return error_set_field(err, STATUS_INVALID, field, "There is no such field here");
		}
	for (unsigned p = 0; p < QUOTA_PERIODS && status == STATUS_OK; p++)
		status = read_period(quota, p, &settings->quota.events[p], err);
	return status;
}

static void write_quota(struct json_writer *writer, const struct quota_sizes *quota)
{
	if (quota->events[QUOTA_DAY] == 0 && quota->events[QUOTA_MONTH] == 0) {
		json_member_null(writer, "quota");
		return;
	}
	json_add_key(writer, TEXT("quota"));
	json_begin_object(writer);
	for (unsigned p = 0; p < QUOTA_PERIODS; p++)
		if (quota->events[p] != 0)
			json_member_int(writer, quota_names[p], quota->events[p]);
	json_end_object(writer);
}

/* ---- All of it ---- */

enum status source_settings_read(struct json body, struct arena *arena,
                                 struct source_settings *settings, struct error *err)
{
	struct json origins = json_get(body, "allowedOrigins");
	struct json limit   = json_get(body, "rateLimit");
	struct json quota   = json_get(body, "quota");
	enum status status  = STATUS_OK;
	if (json_type(origins) != JSON_NONE)
		status = read_origins(origins, arena, settings, err);
	if (status == STATUS_OK && json_type(limit) != JSON_NONE)
		status = read_limit(limit, settings, err);
	if (status == STATUS_OK && json_type(quota) != JSON_NONE)
		status = read_quota(quota, settings, err);
	return status;
}

void source_settings_write(struct json_writer *writer, const struct source_settings *settings)
{
	if (settings->any_origin) {
		json_member_null(writer, "allowedOrigins");
	} else {
		json_add_key(writer, TEXT("allowedOrigins"));
		json_begin_array(writer);
		for (size_t i = 0; i < settings->origin_count; i++)
			json_add_string(writer, settings->origins[i]);
		json_end_array(writer);
	}
	write_quota(writer, &settings->quota);
	if (settings->rate == 0) {
		json_member_null(writer, "rateLimit");
		return;
	}
	json_add_key(writer, TEXT("rateLimit"));
	json_begin_object(writer);
	json_member_int(writer, "eventsPerSecond", settings->rate);
	json_member_int(writer, "burst", settings->burst);
	json_end_object(writer);
}

enum status source_settings_parse(struct text stored, struct arena *arena,
                                  struct source_settings *ret_settings, struct error *err)
{
	*ret_settings = source_settings_default();
	if (stored.length == 0)
		return STATUS_OK;
	struct json_parser *parser = json_parser_new();
	struct json         root;
	struct error        why;
	enum status         status = json_parse_text(parser, stored, &root, &why);
	if (status == STATUS_OK)
		status = source_settings_read(root, arena, ret_settings, &why);
	json_parser_free(parser);
	return status == STATUS_OK
	           ? status
	           : error_set(err, STATUS_CORRUPT, "the settings of a source cannot be read: %s",
	                       why.reason);
}

struct text source_settings_store(const struct source_settings *settings, struct arena *arena)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	source_settings_write(&w, settings);
	json_end_object(&w);
	struct text stored = arena_text(arena, buffer_text(&out));
	buffer_done(&out);
	return stored;
}
