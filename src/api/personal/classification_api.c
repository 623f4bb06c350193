/* GET and PUT /api/v1/classification: what a workspace says of its own names (model/classes.h). */

#include <stdio.h>

#include "api/call.h"
#include "api/call_audit.h"
#include "api/handlers.h"
#include "api/personal/classification.h"
#include "base/clock.h"
#include "ingest/ingest.h"
#include "model/classes.h"

#define KEPT_NAME TEXT("classification")

enum { AUDIT_TARGET_BYTES_AIM = 512 };

static void write_defaults(struct json_writer *w)
{
	json_begin_array(w);
	for (unsigned place = PERSONAL_IN_TRAITS; place <= PERSONAL_IN_CONTEXT; place++)
		for (const struct text *name = personal_names((enum personal_place)place); name->length > 0;
		     name++) {
			json_begin_object(w);
			json_member_string(w, "place", text_of(class_place_name((enum personal_place)place)));
			json_member_string(w, "name", *name);
			json_member_string(w, "class", TEXT("personal"));
			json_end_object(w);
		}
	json_end_array(w);
}

/* Of what is no longer sealed, as long as it is said. */
static void write_warnings(struct json_writer *w, const struct classes *classes)
{
	char field[48];
	json_add_key(w, TEXT("warnings"));
	json_begin_array(w);
	for (unsigned i = 0; classes != NULL && i < classes->count; i++) {
		if (classes->rules[i].kind != CLASS_NOT_PERSONAL)
			continue;
		snprintf(field, sizeof field, "classes[%u]", i);
		json_begin_object(w);
		json_member_string(w, "field", text_of(field));
		json_member_string(w, "message",
		                   TEXT("What comes under this name lies in clear in journal, events and "
		                        "backups, is shown without pii.read, and outlives an erasure "
		                        "there: it must not say anything of a person"));
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_classes(struct json_writer *w, const struct classes *classes, bool defaults)
{
	json_begin_object(w);
	json_member_int(w, "version", classes == NULL ? 0 : classes->version);
	if (classes == NULL)
		json_member_null(w, "updatedAt");
	else
		json_member_instant(w, "updatedAt", classes->updated_ms);
	json_add_key(w, TEXT("classes"));
	classes_write(w, classes);
	if (defaults) {
		json_add_key(w, TEXT("defaults"));
		write_defaults(w);
		write_warnings(w, classes);
	}
	json_end_object(w);
}

static void answer(struct api_call *call, const struct classes *classes)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	write_classes(&w, classes, true);
	call_add_version(call, classes == NULL ? 0 : classes->version);
	call_answer(call, 200, &out);
}

void classification_get(struct api_call *call)
{
	answer(call, ingest_classes(call->api->config.ingest));
}

/* ---- PUT ---- */

static enum status keep(struct api_call *call, const struct classes *classes, struct error *err)
{
	struct store      *store = call->api->config.store;
	struct buffer      text  = {0};
	struct json_writer w     = json_writer_of(&text);
	write_classes(&w, classes, false);
	enum status status =
		store->ops->kept_put(store, KEPT_NAME, buffer_text(&text), classes->updated_ms, err);
	buffer_done(&text);
	return status;
}

static enum status put(struct api_call *call, struct error *err)
{
	static const char *const known[] = {"classes", NULL};
	struct ingest           *ingest  = call->api->config.ingest;
	struct classes          *classes;
	struct json              body;
	uint32_t                 wanted;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_if_match(call, &wanted, err)) != STATUS_OK ||
	    (status = classes_read(body, &classes, err)) != STATUS_OK)
		return status;
	pthread_mutex_lock(&call->api->plans_lock);
	const struct classes *before = ingest_classes(ingest);
	uint32_t              now    = before == NULL ? 0 : before->version;
	classes->version             = now + 1;
	classes->updated_ms          = clock_wall_ms();
	if (wanted != 0 && wanted != now)
		status = error_set(err, STATUS_PRECONDITION, "It is at version %u", now);
	else
		status = keep(call, classes, err);
	if (status == STATUS_OK)
		ingest_set_classes(ingest, classes);
	else
		classes_free(classes);
	pthread_mutex_unlock(&call->api->plans_lock);
	return status;
}

/* The record of the change names what is not sealed any more. */
static void tell_audit(struct api_call *call, const struct classes *classes)
{
	struct buffer target = {0};
	for (unsigned i = 0; i < classes->count && target.length < AUDIT_TARGET_BYTES_AIM; i++)
		if (classes->rules[i].kind == CLASS_NOT_PERSONAL)
			buffer_printf(&target, "%s%s.%.*s", target.length == 0 ? "not_personal:" : ",",
			              class_place_name(classes->rules[i].place),
			              TEXT_FORMAT(classes->rules[i].name));
	if (target.length > 0)
		call_audit_target(call, buffer_text(&target));
	buffer_done(&target);
}

static void put_step(struct api_call *call)
{
	struct error err;
	if (put(call, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	tell_audit(call, ingest_classes(call->api->config.ingest));
	answer(call, ingest_classes(call->api->config.ingest));
}

void classification_put(struct api_call *call) { call_on_worker(call, put_step); }

/* ---- New definitions ---- */

const struct classes *classification_now(const struct api *api)
{
	return api->config.ingest == NULL ? NULL : ingest_classes(api->config.ingest);
}

struct check {
	const struct classes *classes;
	struct text           sealed; /* the first name that is tested and sealed by its class */
};

static void check_name(struct check *check, enum personal_place place, struct text name,
                       enum expr_op op)
{
	struct text context = TEXT("context.");
	if (op == EXPR_EXISTS || op == EXPR_ABSENT || check->sealed.length > 0)
		return;
	if (place == PERSONAL_IN_PROPERTIES && text_starts_with(name, context)) {
		place = PERSONAL_IN_CONTEXT;
		name  = (struct text){name.data + context.length, name.length - context.length};
	}
	enum personal_class kind = classes_find(check->classes, place, name);
	if (kind == CLASS_PERSONAL || kind == CLASS_FREE_TEXT)
		check->sealed = name;
}

static void check_where(struct check *check, const struct expr_where *where)
{
	if (where == NULL)
		return;
	if (where->kind == EXPR_WHERE_TEST)
		check_name(check, PERSONAL_IN_PROPERTIES, where->property, where->test.op);
	for (unsigned i = 0; where->kind != EXPR_WHERE_TEST && i < where->count; i++)
		check_where(check, where->operands[i]);
}

static void check_leaf(void *context, const struct expr *leaf)
{
	struct check *check = context;
	if (leaf->kind == EXPR_TRAIT)
		check_name(check, PERSONAL_IN_TRAITS, leaf->trait.name, leaf->trait.test.op);
	if (leaf->kind == EXPR_EVENT) {
		check_where(check, leaf->event.where);
		if (leaf->event.property.length > 0)
			check_name(check, PERSONAL_IN_PROPERTIES, leaf->event.property, leaf->event.test.op);
	}
	for (unsigned i = 0; leaf->kind == EXPR_SEQUENCE && i < leaf->sequence.step_count; i++)
		check_where(check, leaf->sequence.steps[i].where);
}

enum status classification_check(struct api *api, const struct expr *expr, const char *field,
                                 struct error *err)
{
	struct check check = {.classes = classification_now(api)};
	if (expr == NULL || check.classes == NULL)
		return STATUS_OK;
	expr_visit_leaves(expr, check_leaf, &check);
	if (check.sealed.length == 0)
		return STATUS_OK;
	return error_set_field(err, STATUS_INVALID, field,
	                       "\"%.*s\" is sealed by the workspace's classification: only exists and "
	                       "absent can be asked of it",
	                       TEXT_FORMAT(check.sealed));
}

/* ---- At start ---- */

enum status classification_load(struct api *api, struct error *err)
{
	struct store       *store  = api->config.store;
	struct json_parser *parser = json_parser_new();
	struct classes     *classes;
	struct arena        arena;
	struct text         text;
	struct json         json;
	int64_t             at_ms;
	arena_init(&arena);
	enum status status = store->ops->kept_get(store, KEPT_NAME, &arena, &text, &at_ms, err);
	bool        none   = status == STATUS_NOT_FOUND;
	if (status == STATUS_OK)
		status = json_parse_text(parser, text, &json, err);
	if (status == STATUS_OK)
		status = classes_read(json, &classes, err);
	if (status == STATUS_OK) {
		struct json version = json_get(json, "version");
		classes->version    = json_type(version) == JSON_INT ? (uint32_t)json_int(version) : 1;
		classes->updated_ms = at_ms;
		ingest_set_classes(api->config.ingest, classes);
	}
	json_parser_free(parser);
	arena_done(&arena);
	return none ? STATUS_OK : status;
}
