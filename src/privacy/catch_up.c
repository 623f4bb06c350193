/* Erasures that this data has not seen: it came out of a backup that is older than they. */

#include <stdlib.h>

#include "base/log.h"
#include "engine/apply/partition.h"
#include "engine/survey.h"
#include "engine/wait.h"
#include "privacy/erasing.h"
#include "privacy/privacy.h"
#include "vault/vault_erase.h"

struct catch_up {
	struct engine_wait wait;      /* begins it */
	VECTOR(struct person) erased; /* from the keyring */
	bool *missed;                 /* of each of them */
};

static void add_erased(void *context, struct person person)
{
	struct catch_up *catch_up = context;
	VECTOR_ADD(&catch_up->erased, person);
}

/* On the partitions' threads: each writes of its own persons only. */
static void look(struct engine_read *read, struct view *view)
{
	struct catch_up        *catch_up  = (struct catch_up *)read;
	const struct partition *partition = survey_partition(view);
	for (size_t i = 0; i < catch_up->erased.count; i++) {
		struct person person = catch_up->erased.items[i];
		if (person.partition == partition->number)
			catch_up->missed[i] = person.slot < partition->profiles.slot_count &&
			                      !profiles_erased(&partition->profiles, person.slot);
	}
}

static enum status append_missed(struct privacy *privacy, struct catch_up *catch_up,
                                 struct error *err)
{
	size_t   count    = 0;
	uint64_t position = 0;
	for (size_t i = 0; i < catch_up->erased.count; i++)
		if (catch_up->missed[i])
			catch_up->erased.items[count++] = catch_up->erased.items[i];
	if (count == 0)
		return STATUS_OK;
	enum status status =
		erasing_append(privacy->transfer, catch_up->erased.items, count, &position, err);
	if (status == STATUS_OK)
		status = erasing_await(privacy->transfer, position, err);
	if (status == STATUS_OK)
		log_line(LOG_INFO, "persons who were erased since this data was copied are erased again",
		         LOG_NUMBER("persons", count));
	return status;
}

enum status privacy_catch_up(struct privacy *privacy, struct error *err)
{
	struct catch_up catch_up = {.wait = {.read = {.run = look, .timeout_ms = 60000}}};
	enum status     status   = STATUS_OK;
	vault_each_erased(privacy->transfer->vault, add_erased, &catch_up);
	if (catch_up.erased.count > 0) {
		catch_up.missed = calloc(catch_up.erased.count, sizeof *catch_up.missed);
		if (catch_up.missed == NULL)
			abort();
		status = engine_wait_all(privacy->transfer->engine, &catch_up.wait, err);
		if (status == STATUS_OK)
			status = append_missed(privacy, &catch_up, err);
	}
	VECTOR_DONE(&catch_up.erased);
	free(catch_up.missed);
	return status;
}
