#include "engine/fact/fact_type.h"

static struct fact_type type_of(struct arena *arena, const char *name, const char *original,
                                const char *updated, const char *cancelled, const char *key)
{
	struct fact_type type = {.name      = text_of(name),
	                         .original  = text_of(original),
	                         .updated   = text_of(updated),
	                         .cancelled = text_of(cancelled)};
	value_path_init(&type.key, text_of(key), arena);
	return type;
}

void fact_types_init(struct fact_types *types)
{
	*types = (struct fact_types){0};
	arena_init(&types->arena);
	const struct fact_type built_in[] = {
		type_of(&types->arena, "Order", "Order Completed", "Order Updated", "Order Cancelled",
	            "order_id"),
		type_of(&types->arena, "Booking", "Booking Created", "Booking Updated", "Booking Cancelled",
	            "booking_id"),
	};
	for (size_t i = 0; i < sizeof built_in / sizeof built_in[0]; i++)
		fact_types_add(types, &built_in[i], 0);
}

void fact_types_done(struct fact_types *types)
{
	map_text_done(&types->by_event);
	VECTOR_DONE(&types->list);
	arena_done(&types->arena);
}

static enum status check_text(struct text text, const char *field, bool optional, struct error *err)
{
	if (text.length > FACT_NAME_BYTES_MAX || (text.length == 0 && !optional))
		return error_set_field(err, STATUS_INVALID, field, "%s must be 1 to %d bytes long", field,
		                       FACT_NAME_BYTES_MAX);
	return STATUS_OK;
}

static enum status check_event(const struct fact_types *types, struct text event, const char *field,
                               struct error *err)
{
	if (event.length == 0 || map_text_get(&types->by_event, event) == NULL)
		return STATUS_OK;
	return error_set_field(err, STATUS_CONFLICT, field,
	                       "\"%.*s\" plays a part in a type of facts already", TEXT_FORMAT(event));
}

enum status fact_types_check(const struct fact_types *types, const struct fact_type *type,
                             struct error *err)
{
	enum status status;
	if ((status = check_text(type->name, "name", false, err)) != STATUS_OK ||
	    (status = check_text(type->original, "original", false, err)) != STATUS_OK ||
	    (status = check_text(type->updated, "updated", true, err)) != STATUS_OK ||
	    (status = check_text(type->cancelled, "cancelled", true, err)) != STATUS_OK ||
	    (status = check_text(type->key.name, "key", false, err)) != STATUS_OK)
		return status;
	if (type->updated.length == 0 && type->cancelled.length == 0)
		return error_set_field(err, STATUS_INVALID, "updated",
		                       "a type of facts has an event that updates or one that cancels");
	if (text_equal(type->original, type->updated) || text_equal(type->original, type->cancelled) ||
	    text_equal(type->updated, type->cancelled))
		return error_set_field(err, STATUS_INVALID, "original",
		                       "original, updated and cancelled must be different events");
	for (size_t i = 0; i < types->list.count; i++)
		if (text_equal(types->list.items[i].name, type->name))
			return error_set_field(err, STATUS_CONFLICT, "name",
			                       "there is a type of facts with this name already");
	if ((status = check_event(types, type->original, "original", err)) != STATUS_OK ||
	    (status = check_event(types, type->updated, "updated", err)) != STATUS_OK ||
	    (status = check_event(types, type->cancelled, "cancelled", err)) != STATUS_OK)
		return status;
	if (types->list.count == FACT_TYPES_MAX)
		return error_set(err, STATUS_CONFLICT, "there are %d types of facts, which is the most",
		                 FACT_TYPES_MAX);
	return STATUS_OK;
}

void fact_type_encode(const struct fact_type *type, struct buffer *out)
{
	buffer_add_u8(out, SETTING_FACT_TYPE);
	buffer_add_sized(out, type->name);
	buffer_add_sized(out, type->original);
	buffer_add_sized(out, type->updated);
	buffer_add_sized(out, type->cancelled);
	buffer_add_sized(out, type->key.name);
}

enum status fact_type_decode(struct text body, struct arena *arena, struct fact_type *ret_type,
                             struct error *err)
{
	struct byte_reader reader = byte_reader_of(body.data, body.length);
	uint8_t            kind   = read_u8(&reader);
	struct fact_type   type   = {.name = read_sized(&reader)};
	type.original             = read_sized(&reader);
	type.updated              = read_sized(&reader);
	type.cancelled            = read_sized(&reader);
	struct text key           = read_sized(&reader);
	if (reader.failed || read_left(&reader) > 0 || kind != SETTING_FACT_TYPE)
		return error_set(err, STATUS_CORRUPT, "a setting that is not known to this version");
	value_path_init(&type.key, key, arena);
	*ret_type = type;
	return STATUS_OK;
}

static void add_event(struct fact_types *types, struct text event, enum fact_part part)
{
	if (event.length == 0)
		return;
	types->lengths |= UINT64_C(1) << (event.length & 63);
	uintptr_t place                        = (types->list.count - 1) * 4 + (uintptr_t)part;
	*map_text_put(&types->by_event, event) = (void *)place;
}

void fact_types_add(struct fact_types *types, const struct fact_type *type,
                    uint64_t declared_position)
{
	struct fact_type copy = {.name              = arena_text(&types->arena, type->name),
	                         .original          = arena_text(&types->arena, type->original),
	                         .updated           = arena_text(&types->arena, type->updated),
	                         .cancelled         = arena_text(&types->arena, type->cancelled),
	                         .declared_position = declared_position};
	value_path_init(&copy.key, arena_text(&types->arena, type->key.name), &types->arena);
	VECTOR_ADD(&types->list, copy);
	add_event(types, copy.original, FACT_ORIGINAL);
	add_event(types, copy.updated, FACT_UPDATED);
	add_event(types, copy.cancelled, FACT_CANCELLED);
}

enum fact_part fact_types_part(const struct fact_types *types, struct text event,
                               const struct fact_type **ret_type)
{
	if ((types->lengths >> (event.length & 63) & 1) == 0)
		return FACT_NONE;
	uintptr_t place = (uintptr_t)map_text_get(&types->by_event, event);
	if (place == 0)
		return FACT_NONE;
	*ret_type = &types->list.items[place / 4];
	return (enum fact_part)(place % 4);
}

bool fact_type_key(const struct fact_type *type, struct text properties, struct buffer *into,
                   struct text *ret_key)
{
	struct value value = value_at(properties, &type->key);
	return value_key(&value, into, ret_key);
}
