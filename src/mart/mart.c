#include "mart/mart.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/instant.h"
#include "engine/dimension/dimension_rows.h"
#include "engine/wait.h"
#include "mart/mart_row.h"
#include "transfer/export/export_row.h"

enum { PIECE_BYTES = 64 << 10, ROWS_A_PAGE = 500 };

static const char *const names[MART_TABLE_COUNT] = {
#define X(name, text) text,
	MART_TABLES(X)
#undef X
};

enum mart_table mart_table_of(struct text name)
{
	unsigned table = 0;
	while (table < MART_TABLE_COUNT && !text_equal(name, text_of(names[table])))
		table++;
	return (enum mart_table)table;
}

/* A table on its way. */
struct writing {
	const struct mart_wish *wish;
	mart_write_fn          *write;
	void                   *context;
	struct buffer           out;
	struct buffer           scratch;
	struct buffer           key;
	struct arena            arena; /* of the person at hand */
	VECTOR(struct mart_booking) bookings;
	struct export_writer person; /* ids and personal traits */
};

static enum status give(struct writing *writing, size_t from_bytes, struct error *err)
{
	if (writing->out.length < from_bytes || writing->out.length == 0)
		return STATUS_OK;
	if (writing->write(writing->context, &writing->out))
		return STATUS_OK;
	return error_set(err, STATUS_UNAVAILABLE, "nobody takes the table any more");
}

static void add_row(struct writing *writing, const struct mart_source *source)
{
	mart_row_write(writing->wish->table, writing->wish->csv, writing->wish->keep_formulas, source,
	               &writing->scratch, &writing->out);
}

/* ---- Products and properties ---- */

struct moment {
	struct engine_wait    wait;
	struct dimension_look look;
	bool                  begun;
};

static void begin_look(struct engine_read *read, struct view *view)
{
	struct moment *moment = (struct moment *)read;
	moment->begun         = dimension_look_begin(&moment->look, view);
}

static enum status find_moment(const struct mart_wish *wish, struct dimension_look *ret_look,
                               struct error *err)
{
	struct moment moment = {.wait.read = {.run = begin_look, .min_position = wish->position}};
	enum status   status = engine_wait_person(wish->engine, 0, &moment.wait, err);
	if (status == STATUS_OK && !moment.begun)
		return error_set(err, STATUS_LIMITED, "too many look at products and properties");
	if (status == STATUS_OK)
		*ret_look = moment.look;
	return status;
}

static enum status write_dimension(struct writing *writing, struct error *err)
{
	enum dimension dimension =
		writing->wish->table == MART_DIM_PRODUCTS ? DIMENSION_PRODUCTS : DIMENSION_PROPERTIES;
	struct dimension_found rows[ROWS_A_PAGE];
	struct dimension_look  look;
	uint64_t               serial = 0;
	size_t                 count;
	enum status            status = find_moment(writing->wish, &look, err);
	if (status != STATUS_OK)
		return status;
	do {
		arena_reset(&writing->arena);
		count = dimension_look_next(&look, dimension, &serial, ROWS_A_PAGE, &writing->arena, rows);
		for (size_t i = 0; i < count; i++)
			add_row(writing, &(struct mart_source){.id = rows[i].id, .list = rows[i].list});
		status = give(writing, PIECE_BYTES, err);
	} while (count == ROWS_A_PAGE && status == STATUS_OK);
	dimension_look_end(&look);
	return status;
}

/* ---- Users ---- */

static enum status write_users(struct writing *writing, const struct export_reader *reader,
                               struct error *err)
{
	for (size_t i = 0; i < reader->persons.count; i++) {
		const struct export_profile *profile = &reader->persons.items[i];
		const struct vault_id       *id;
		struct mart_source           source = {.person = &profile->view};
		if (!profile->view.identified || profile->view.created_ms > writing->wish->as_of_ms)
			continue;
		enum status status =
			export_writer_open(&writing->person, profile, &id, &source.personal, err);
		if (status == STATUS_OK && id != NULL) {
			source.id = id->id;
			add_row(writing, &source);
			status = give(writing, PIECE_BYTES, err);
		}
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* ---- What they did ---- */

static struct mart_booking *booking_of(struct writing *writing, const struct event *event)
{
	static const char name[] = "booking_id";
	struct value      value =
		value_find(event->record.properties, text_of(name), hash_name(text_of(name)));
	struct text         key;
	struct mart_booking booking = {0};
	if (!value_key(&value, &writing->key, &key))
		return NULL;
	for (size_t i = 0; i < writing->bookings.count; i++)
		if (text_equal(writing->bookings.items[i].key, key))
			return &writing->bookings.items[i];
	booking.key = arena_text(&writing->arena, key);
	VECTOR_ADD(&writing->bookings, booking);
	return &writing->bookings.items[writing->bookings.count - 1];
}

static void forget_bookings(struct writing *writing)
{
	for (size_t i = 0; i < writing->bookings.count; i++)
		VECTOR_DONE(&writing->bookings.items[i].updates);
	writing->bookings.count = 0;
}

/* The bookings of one person, whose events come in their order. */
static void find_bookings(struct writing *writing, const struct export_event *events, size_t count)
{
	forget_bookings(writing);
	for (size_t i = 0; i < count; i++) {
		const struct event *event = &events[i].event;
		struct text         name  = event->record.name;
		bool                made  = text_equal(name, TEXT("Booking Created")),
			 updated              = text_equal(name, TEXT("Booking Updated")),
			 cancelled            = text_equal(name, TEXT("Booking Cancelled"));
		struct mart_booking *booking =
			made || updated || cancelled ? booking_of(writing, event) : NULL;
		if (booking == NULL)
			continue;
		if (made && booking->original == NULL)
			booking->original = event;
		if (updated)
			VECTOR_ADD(&booking->updates, event);
		booking->cancelled |= cancelled;
	}
}

static const struct mart_booking *booking_made_by(const struct writing *writing,
                                                  const struct event   *event)
{
	for (size_t i = 0; i < writing->bookings.count; i++)
		if (writing->bookings.items[i].original == event)
			return &writing->bookings.items[i];
	return NULL;
}

static enum status write_person(struct writing *writing, const struct export_profile *profile,
                                const struct export_event *events, size_t count, struct error *err)
{
	struct mart_source source = {.person = profile == NULL ? NULL : &profile->view};
	struct vault_id    id;
	arena_reset(&writing->arena);
	if (profile != NULL && profile->view.identified) {
		enum status status =
			vault_external_id(writing->wish->vault, profile->person, &writing->arena, &id, err);
		if (status != STATUS_OK && status != STATUS_NOT_FOUND)
			return status;
		source.id = status == STATUS_OK ? id.id : (struct text){NULL, 0};
	}
	find_bookings(writing, events, count);
	for (size_t i = 0; i < count; i++) {
		source.event   = &events[i].event;
		source.booking = booking_made_by(writing, source.event);
		if (writing->wish->table == MART_FACT_BOOKINGS && source.booking == NULL)
			continue;
		add_row(writing, &source);
	}
	return give(writing, PIECE_BYTES, err);
}

static const struct export_profile *profile_of(const struct export_reader *reader,
                                               struct person owner, size_t *from)
{
	for (; *from < reader->persons.count; (*from)++) {
		const struct person *person = &reader->persons.items[*from].person;
		if (person->partition == owner.partition && person->slot == owner.slot)
			return &reader->persons.items[*from];
		if (person->partition == owner.partition && person->slot > owner.slot)
			break;
	}
	return NULL; /* a visitor who was merged meanwhile */
}

static enum status write_events(struct writing *writing, const struct export_reader *reader,
                                struct error *err)
{
	size_t      profile = 0;
	enum status status  = STATUS_OK;
	for (size_t i = 0, end; i < reader->events.count && status == STATUS_OK; i = end) {
		struct person owner = reader->events.items[i].owner;
		for (end = i + 1; end < reader->events.count; end++)
			if (person_number(reader->events.items[end].owner) != person_number(owner))
				break;
		status = write_person(writing, profile_of(reader, owner, &profile),
		                      &reader->events.items[i], end - i, err);
	}
	return status;
}

static enum status write_persons(struct writing *writing, struct error *err)
{
	const struct mart_wish *wish  = writing->wish;
	bool                    users = wish->table == MART_DIM_USERS;
	struct export_reader    reader;
	enum status             status = STATUS_OK;
	export_reader_init(&reader, wish->engine, wish->vault);
	reader.position = wish->position;
	reader.from_ms  = INT64_MIN;
	reader.to_ms    = INT64_MAX;
	reader.profiles = users;
	reader.both     = !users;
	for (uint32_t p = 0; p < wish->partition_count && status == STATUS_OK; p++)
		for (uint32_t slot = 0; slot != SLOT_NONE && status == STATUS_OK; slot = reader.next_slot) {
			status = export_reader_next(&reader, p, slot, err);
			if (status == STATUS_OK)
				status = users ? write_users(writing, &reader, err)
				               : write_events(writing, &reader, err);
		}
	export_reader_done(&reader);
	return status;
}

enum status mart_write(const struct mart_wish *wish, mart_write_fn *write, void *context,
                       struct error *err)
{
	struct writing writing = {.wish = wish, .write = write, .context = context};
	arena_init(&writing.arena);
	export_writer_init(&writing.person, wish->vault, EXPORT_JSONL, wish->masked);
	mart_row_head(wish->table, wish->csv, &writing.out);
	bool        dimension = wish->table == MART_DIM_PRODUCTS || wish->table == MART_DIM_PROPERTIES;
	enum status status = dimension ? write_dimension(&writing, err) : write_persons(&writing, err);
	if (status == STATUS_OK)
		status = give(&writing, 0, err);
	forget_bookings(&writing);
	VECTOR_DONE(&writing.bookings);
	export_writer_done(&writing.person);
	arena_done(&writing.arena);
	buffer_done(&writing.out);
	buffer_done(&writing.scratch);
	buffer_done(&writing.key);
	return status;
}
