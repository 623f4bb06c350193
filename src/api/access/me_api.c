/* /api/v1/users/{me,settings,subscription}: who has logged in, and what he set. */

#include "api/access/guards.h"
#include "api/access/person_json.h"
#include "access/scope.h"
#include "api/call.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/zone.h"

enum { SUBSCRIPTION_BYTES_MAX = 32, ZONE_BYTES_MAX = 64 };

typedef enum status read_fn(struct api_call *call, struct json body, struct person_change *change,
                            struct error *err);
typedef void        write_fn(struct json_writer *w, const struct account *account);

static void write_settings(struct json_writer *w, const struct account *account)
{
	json_add_raw(w, account->settings);
}

static void write_subscription(struct json_writer *w, const struct account *account)
{
	json_begin_object(w);
	json_member_string(w, "subscription_tier", account->row.tier);
	json_end_object(w);
}

static void answer(struct api_call *call, enum status status, const struct account *account,
                   const struct error *err, write_fn *write)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	if (status != STATUS_OK) {
		call_fail(call, err);
		return;
	}
	write(&w, account);
	call_answer(call, 200, &out);
}

static void get(struct api_call *call, write_fn *write)
{
	struct account account;
	struct error   err    = {0};
	enum status    status = people_get(call->api->config.access, text_of(call->token.person_id),
	                                   call->arena, &account, &err);
	answer(call, status, &account, &err, write);
}

/* His own: whatever he may, he may change what is read here. */
static void put(struct api_call *call, read_fn *read, write_fn *write)
{
	struct person_change change = {0};
	struct account       account;
	struct json          body;
	struct error         err    = {0};
	enum status          status = call_body(call, &body, &err);
	if (status == STATUS_OK)
		status = read(call, body, &change, &err);
	if (status == STATUS_OK)
		status = people_change(call->api->config.access, text_of(call->token.person_id), &change,
		                       SCOPE_ADMIN, clock_wall_ms(), call->arena, &account, &err);
	answer(call, status, &account, &err, write);
}

/* ---- me ---- */

static enum status read_me(struct api_call *call, struct json body, struct person_change *change,
                           struct error *err)
{
	static const char *const known[] = {"name", NULL};
	enum status              status  = call_only(body, known, err);
	(void)call;
	if (status != STATUS_OK)
		return status;
	return call_string(body, "name", false, 1, PERSON_NAME_BYTES, &change->name, err);
}

static void get_me(struct api_call *call) { get(call, person_json_write); }
static void put_me(struct api_call *call) { put(call, read_me, person_json_write); }

void me_get(struct api_call *call) { call_on_worker(call, get_me); }
void me_put(struct api_call *call) { call_on_worker(call, put_me); }

/* ---- settings ---- */

static enum status check_zone(struct text name, struct error *err)
{
	struct zone *zone;
	if (name.data == NULL)
		return STATUS_OK;
	if (zone_open(name, &zone, NULL) != STATUS_OK)
		return error_set_field(err, STATUS_INVALID, "timezone", "There is no such time zone");
	zone_close(zone);
	return STATUS_OK;
}

static enum status check_notifications(struct json value, struct error *err)
{
	static const char *const known[] = {"email", "web", NULL};
	enum json_type           type    = json_type(value);
	if (type == JSON_NONE)
		return STATUS_OK;
	if (type != JSON_OBJECT)
		return error_set_field(err, STATUS_INVALID, "notifications", "It must be an object");
	for (struct json_iterator i = json_iterate(value); json_next(&i);)
		if (json_type(i.value) != JSON_BOOL)
			return error_set_field(err, STATUS_INVALID, "notifications",
			                       "Its members must be true or false");
	return call_only(value, known, err);
}

/* As a whole: what is absent is not set any more. */
static enum status read_settings(struct api_call *call, struct json body,
                                 struct person_change *change, struct error *err)
{
	static const char *const known[] = {"language", "timezone", "notifications", NULL};
	struct text              language, zone;
	enum status              status;
	if ((status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "language", true, 1, 8, &language, err)) != STATUS_OK ||
	    (status = call_string(body, "timezone", true, 1, ZONE_BYTES_MAX, &zone, err)) !=
	        STATUS_OK ||
	    (status = check_zone(zone, err)) != STATUS_OK ||
	    (status = check_notifications(json_get(body, "notifications"), err)) != STATUS_OK)
		return status;
	if (language.data != NULL && !text_equal(language, TEXT("ko")) &&
	    !text_equal(language, TEXT("en")))
		return error_set_field(err, STATUS_INVALID, "language", "It must be ko or en");
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_add_value(&w, body);
	change->settings = arena_text(call->arena, buffer_text(&out));
	buffer_done(&out);
	return STATUS_OK;
}

static void get_settings(struct api_call *call) { get(call, write_settings); }
static void put_settings(struct api_call *call) { put(call, read_settings, write_settings); }

void settings_get(struct api_call *call) { call_on_worker(call, get_settings); }
void settings_put(struct api_call *call) { call_on_worker(call, put_settings); }

/* ---- subscription ---- */

static enum status read_subscription(struct api_call *call, struct json body,
                                     struct person_change *change, struct error *err)
{
	static const char *const known[] = {"subscription_tier", NULL};
	enum status              status  = call_only(body, known, err);
	(void)call;
	if (status != STATUS_OK)
		return status;
	return call_string(body, "subscription_tier", false, 1, SUBSCRIPTION_BYTES_MAX, &change->tier,
	                   err);
}

static void get_subscription(struct api_call *call) { get(call, write_subscription); }
static void put_subscription(struct api_call *call)
{
	put(call, read_subscription, write_subscription);
}

void subscription_get(struct api_call *call) { call_on_worker(call, get_subscription); }
void subscription_put(struct api_call *call) { call_on_worker(call, put_subscription); }
