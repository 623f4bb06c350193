#include "ingest/persons.h"

#include <stdlib.h>

#include "base/vector.h"

enum { IDS_KEPT_MAX = 4096 }; /* from one request to the next */

void persons_init(struct persons *persons, struct vault *vault)
{
	*persons = (struct persons){.vault = vault};
}

void persons_done(struct persons *persons)
{
	free(persons->ids);
	free(persons->found);
	free(persons->identified);
	free(persons->messages);
	persons_init(persons, persons->vault);
}

static void reserve(struct persons *persons, size_t count)
{
	if (persons->capacity > IDS_KEPT_MAX && count <= IDS_KEPT_MAX)
		persons_done(persons);
	if (count <= persons->capacity)
		return;
	size_t capacity = persons->capacity;
	persons->ids    = vector_grow(persons->ids, &capacity, count, sizeof *persons->ids);
	capacity        = persons->capacity;
	persons->found  = vector_grow(persons->found, &capacity, count, sizeof *persons->found);
	capacity        = persons->capacity;
	persons->identified =
		vector_grow(persons->identified, &capacity, count, sizeof *persons->identified);
	persons->messages =
		vector_grow(persons->messages, &persons->capacity, count, sizeof *persons->messages);
}

static void await(struct persons *persons, uint64_t sequence)
{
	if (sequence > persons->sequence)
		persons->sequence = sequence;
}

static struct vault_id id_of(const struct message *message)
{
	if (message->user_id.length > 0)
		return (struct vault_id){VAULT_USER, message->user_id};
	return (struct vault_id){VAULT_ANONYMOUS, message->anonymous_id};
}

static void ask(struct persons *persons, struct message *message)
{
	persons->ids[persons->count]      = id_of(message);
	persons->messages[persons->count] = message;
	persons->count++;
}

/* Looks up all who were asked for. */
static enum status answer(struct persons *persons, struct error *err)
{
	if (persons->count == 0)
		return STATUS_OK;
	uint64_t    sequence = 0;
	enum status status   = vault_resolve(persons->vault, persons->ids, persons->count, true,
	                                     persons->found, persons->identified, &sequence, err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < persons->count; i++) {
		persons->messages[i]->person     = persons->found[i];
		persons->messages[i]->identified = persons->identified[i];
	}
	persons->count = 0;
	await(persons, sequence);
	return STATUS_OK;
}

/* The anonymous id that a message links to its user; empty: none. */
static struct text linked_id(const struct message *message)
{
	if (message->call == CALL_ALIAS)
		return message->previous_id;
	if (message->call == CALL_IDENTIFY && message->user_id.length > 0)
		return message->anonymous_id;
	return TEXT("");
}

static bool same(struct person a, struct person b)
{
	return a.partition == b.partition && a.slot == b.slot;
}

/* Links, and finds out whose events now become the user's: those of the id's own profile, unless it
 * was linked to somebody before, who keeps them. Two requests may link the same id at the same
 * time: only the one that finds the profile still its own takes it along. */
static enum status link_id(struct persons *persons, struct message *message, struct text id,
                           struct error *err)
{
	struct vault_id anonymous = {VAULT_ANONYMOUS, id};
	struct person   own, before;
	bool            linked, existed;
	uint64_t        sequence;
	enum status     status =
		vault_resolve(persons->vault, &anonymous, 1, false, &own, &linked, &sequence, err);
	if (status != STATUS_OK)
		return status;
	if (linked && same(own, message->person)) {
		await(persons, sequence);
		return STATUS_OK;
	}

	status = vault_link(persons->vault, id, message->person, &existed, &before, &sequence, err);
	if (status != STATUS_OK)
		return persons_erased_meanwhile(status, err);
	await(persons, sequence);
	message->links = !(existed && same(before, message->person));
	message->before =
		existed && !linked && same(before, own) ? before : (struct person){0, SLOT_NONE};
	return STATUS_OK;
}

static enum status resolve_linking(struct persons *persons, struct message *message, struct text id,
                                   struct error *err)
{
	enum status status = answer(persons, err);
	if (status != STATUS_OK)
		return status;
	if (message->call == CALL_ALIAS &&
	    vault_known(persons->vault, (struct vault_id){VAULT_USER, id})) {
		message->code = INGEST_ALREADY_IDENTIFIED;
		return STATUS_OK;
	}
	ask(persons, message);
	status = answer(persons, err);
	return status == STATUS_OK ? link_id(persons, message, id, err) : status;
}

enum status persons_erased_meanwhile(enum status status, struct error *err)
{
	return status == STATUS_NOT_FOUND
	           ? error_set(err, STATUS_UNAVAILABLE, "a person of this request was just erased")
	           : status;
}

enum status persons_resolve(struct persons *persons, struct message *messages, size_t count,
                            struct error *err)
{
	reserve(persons, count);
	persons->sequence = 0;
	persons->count    = 0;
	for (size_t i = 0; i < count; i++) {
		if (messages[i].code != INGEST_ACCEPTED)
			continue;
		struct text id = linked_id(&messages[i]);
		if (id.length == 0) {
			ask(persons, &messages[i]);
			continue;
		}
		enum status status = resolve_linking(persons, &messages[i], id, err);
		if (status != STATUS_OK)
			return status;
	}
	return answer(persons, err);
}
