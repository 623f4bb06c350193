#include "transfer/export/export_row.h"

#include "base/csv.h"
#include "base/instant.h"
#include "base/json.h"
#include "model/value.h"
#include "vault/mask.h"

void export_writer_init(struct export_writer *writer, struct vault *vault,
                        enum export_format format, bool masked)
{
	*writer = (struct export_writer){
		.vault = vault, .format = format, .masked = masked, .of = {0, SLOT_NONE}};
	arena_init(&writer->arena);
}

void export_writer_done(struct export_writer *writer)
{
	arena_done(&writer->arena);
	buffer_done(&writer->plain);
	buffer_done(&writer->personal[0]);
	buffer_done(&writer->personal[1]);
	buffer_done(&writer->json);
}

/* ---- Who ---- */

static enum status find_id(struct export_writer *writer, struct person person, struct error *err)
{
	if (writer->of.partition == person.partition && writer->of.slot == person.slot)
		return STATUS_OK;
	arena_reset(&writer->arena);
	enum status status = vault_external_id(writer->vault, person, &writer->arena, &writer->id, err);
	writer->known      = status == STATUS_OK;
	writer->of         = person;
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static struct text id_of(const struct export_writer *writer, enum vault_namespace namespace)
{
	return writer->known && writer->id.namespace == namespace ? writer->id.id : TEXT("");
}

/* ---- Personal values ---- */

/* The two lists of a sealed block; empty when the key is gone. */
static enum status unseal(struct export_writer *writer, struct person person, struct text sealed,
                          struct text ret_lists[2], struct error *err)
{
	ret_lists[0] = ret_lists[1] = TEXT("");
	buffer_clear(&writer->plain);
	if (sealed.length == 0)
		return STATUS_OK;
	enum status status =
		vault_unseal(writer->vault, person, RECORD_SEAL_PURPOSE, sealed, &writer->plain, err);
	if (status != STATUS_OK)
		return status == STATUS_NOT_FOUND ? STATUS_OK : status;
	struct byte_reader reader = byte_reader_of(writer->plain.data, writer->plain.length);
	ret_lists[0]              = read_sized(&reader);
	ret_lists[1]              = read_sized(&reader);
	return STATUS_OK;
}

static struct text masked(struct export_writer *writer, unsigned which, struct text list)
{
	struct buffer *into = &writer->personal[which];
	if (!writer->masked || list.length == 0)
		return list;
	buffer_clear(into);
	mask_list(list, into);
	return buffer_text(into);
}

/* The newest personal traits, in `personal[1]`. */
static enum status gather_traits(struct export_writer *writer, const struct export_profile *profile,
                                 struct error *err)
{
	struct buffer *list  = &writer->personal[1];
	unsigned       count = 0;
	buffer_clear(list);
	size_t begin = value_list_begin(list);
	for (size_t i = 0; i < profile->block_count; i++) {
		const struct view_sealed *block = &profile->blocks[i];
		struct text               lists[2];
		enum status               status = unseal(writer, block->sealer, block->sealed, lists, err);
		if (status != STATUS_OK)
			return status;
		for (struct value_reader r = value_read(lists[0]); value_next(&r);) {
			if (!view_sealed_has(block, r.name))
				continue;
			value_add(list, r.name, &r.value);
			count++;
		}
	}
	value_list_end(list, begin, count);
	return STATUS_OK;
}

/* ---- CSV ---- */

void export_add_text(struct buffer *out, struct text text, bool keep_formulas)
{
	if (keep_formulas)
		csv_add_field(out, text);
	else
		csv_add_text(out, text);
}

static void add_field(struct buffer *out, struct text text)
{
	csv_add_field(out, text);
	buffer_add_u8(out, ',');
}

/* What somebody else has chosen. */
static void add_text(const struct export_writer *writer, struct buffer *out, struct text text)
{
	export_add_text(out, text, writer->keep_formulas);
	buffer_add_u8(out, ',');
}

static void add_instant(struct buffer *out, int64_t ms)
{
	char text[INSTANT_TEXT_BYTES];
	add_field(out, ms == INSTANT_MS_NONE ? TEXT("") : instant_format(ms, text));
}

static void add_list(struct export_writer *writer, struct buffer *out, struct text list,
                     struct text personal)
{
	struct json_writer json = json_writer_of(&writer->json);
	buffer_clear(&writer->json);
	value_list_write_json(&json, list, personal);
	csv_add_field(out, buffer_text(&writer->json));
}

static void end_row(struct buffer *out) { buffer_add_text(out, TEXT("\r\n")); }

void export_write_head(struct export_writer *writer, bool profiles, struct buffer *out)
{
	if (writer->format != EXPORT_CSV)
		return;
	buffer_add_text(out, profiles ? TEXT("userId,anonymousId,identified,createdAt,lastActiveAt,"
	                                     "traits\r\n")
	                              : TEXT("userId,anonymousId,type,event,messageId,timestamp,"
	                                     "receivedAt,properties,context\r\n"));
}

/* ---- Events ---- */

static struct text type_of(enum record_call call)
{
	return call == CALL_PAGE ? TEXT("page") : call == CALL_SCREEN ? TEXT("screen") : TEXT("track");
}

static void write_event_csv(struct export_writer *writer, const struct event *event,
                            const struct text personal[2], struct buffer *out)
{
	const struct record *record = &event->record;
	add_text(writer, out, id_of(writer, VAULT_USER));
	add_text(writer, out, id_of(writer, VAULT_ANONYMOUS));
	add_field(out, type_of(record->call));
	add_text(writer, out, record->name);
	add_text(writer, out, record->message_id);
	add_instant(out, event->time_ms);
	add_instant(out, event->received_ms);
	add_list(writer, out, record->properties, personal[0]);
	buffer_add_u8(out, ',');
	add_list(writer, out, record->context, personal[1]);
	end_row(out);
}

static void write_id_json(const struct export_writer *writer, struct json_writer *json)
{
	if (!writer->known)
		json_member_null(json, "userId");
	else
		json_member_string(json, writer->id.namespace == VAULT_USER ? "userId" : "anonymousId",
		                   writer->id.id);
}

static void write_event_json(struct export_writer *writer, const struct event *event,
                             const struct text personal[2], struct buffer *out)
{
	const struct record *record = &event->record;
	struct json_writer   json   = json_writer_of(out);
	json_begin_object(&json);
	write_id_json(writer, &json);
	json_member_string(&json, "type", type_of(record->call));
	json_member_string(&json, "event", record->name);
	if (record->message_id.length > 0)
		json_member_string(&json, "messageId", record->message_id);
	json_member_instant(&json, "timestamp", event->time_ms);
	json_member_instant(&json, "receivedAt", event->received_ms);
	json_add_key(&json, TEXT("properties"));
	value_list_write_json(&json, record->properties, personal[0]);
	json_add_key(&json, TEXT("context"));
	value_list_write_json(&json, record->context, personal[1]);
	json_end_object(&json);
	buffer_add_u8(out, '\n');
}

enum status export_write_event(struct export_writer *writer, const struct export_event *event,
                               struct buffer *out, struct error *err)
{
	const struct record *record = &event->event.record;
	struct person        sealer = {event->event.partition, record->slot};
	struct text          lists[2];
	enum status          status = find_id(writer, event->owner, err);
	if (status == STATUS_OK)
		status = unseal(writer, sealer, record->sealed, lists, err);
	if (status != STATUS_OK)
		return status;
	struct text personal[2] = {masked(writer, 0, lists[0]), masked(writer, 1, lists[1])};
	if (writer->format == EXPORT_CSV)
		write_event_csv(writer, &event->event, personal, out);
	else
		write_event_json(writer, &event->event, personal, out);
	return STATUS_OK;
}

/* ---- Profiles ---- */

enum status export_writer_open(struct export_writer *writer, const struct export_profile *profile,
                               const struct vault_id **ret_id, struct text *ret_personal,
                               struct error *err)
{
	enum status status = find_id(writer, profile->person, err);
	if (status == STATUS_OK)
		status = gather_traits(writer, profile, err);
	if (status != STATUS_OK)
		return status;
	*ret_id       = writer->known ? &writer->id : NULL;
	*ret_personal = masked(writer, 0, buffer_text(&writer->personal[1]));
	return STATUS_OK;
}

enum status export_write_profile(struct export_writer *writer, const struct export_profile *profile,
                                 struct buffer *out, struct error *err)
{
	const struct view_person *view = &profile->view;
	const struct vault_id    *id;
	struct text               personal;
	enum status               status = export_writer_open(writer, profile, &id, &personal, err);
	if (status != STATUS_OK)
		return status;
	if (writer->format == EXPORT_CSV) {
		add_text(writer, out, id_of(writer, VAULT_USER));
		add_text(writer, out, id_of(writer, VAULT_ANONYMOUS));
		add_field(out, view->identified ? TEXT("true") : TEXT("false"));
		add_instant(out, view->created_ms);
		add_instant(out, view->last_active_ms);
		add_list(writer, out, view->traits, personal);
		end_row(out);
		return STATUS_OK;
	}
	struct json_writer json = json_writer_of(out);
	json_begin_object(&json);
	write_id_json(writer, &json);
	json_member_string(&json, "type", TEXT("identify"));
	json_member_bool(&json, "identified", view->identified);
	json_member_instant(&json, "createdAt", view->created_ms);
	if (view->last_active_ms == INSTANT_MS_NONE)
		json_member_null(&json, "lastActiveAt");
	else
		json_member_instant(&json, "lastActiveAt", view->last_active_ms);
	json_add_key(&json, TEXT("traits"));
	value_list_write_json(&json, view->traits, personal);
	json_end_object(&json);
	buffer_add_u8(out, '\n');
	return STATUS_OK;
}
