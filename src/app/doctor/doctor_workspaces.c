/* The other workspaces: where each lies, who may read it, and its audit trail. */

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/doctor/doctor.h"
#include "base/vector.h"

typedef VECTOR(char *) names;

static bool has(const char *directory, const char *name)
{
	char path[PATH_MAX];
	return snprintf(path, sizeof path, "%s/%s", directory, name) < (int)sizeof path &&
	       access(path, F_OK) == 0;
}

static bool contains(const names *ids, const char *id)
{
	for (size_t i = 0; i < ids->count; i++)
		if (strcmp(ids->items[i], id) == 0)
			return true;
	return false;
}

/* The ids below PLACE/workspaces that are not among `ids` yet. */
static void add_ids(names *ids, const char *place)
{
	DIR *listing = opendir(place);
	if (listing == NULL)
		return;
	for (const struct dirent *entry; (entry = readdir(listing)) != NULL;)
		if (strlen(entry->d_name) == UUID_TEXT_BYTES - 1 && !contains(ids, entry->d_name))
			VECTOR_ADD(ids, strdup(entry->d_name));
	closedir(listing);
}

static int compare_ids(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;
	return strcmp(*a, *b);
}

/* What a crash has left of one that was made or deleted the next start of the server removes. */
static void check_place(struct findings *own, const char *data, const char *keyring)
{
	if (access(data, F_OK) != 0) {
		findings_add(own, "data", DOCTOR_WARNING, "%s is not there, but its keys are", data);
		findings_advise(own, "restore it; one that was being made the next start removes");
		return;
	}
	doctor_check_place(own, data, keyring);
	doctor_check_trail(own, data, keyring);
}

/* Of one that is sound a line, of others what there is to do. */
static void take_over(struct findings *findings, const struct findings *own)
{
	bool sound = true;
	for (size_t i = 0; i < own->count; i++) {
		const struct finding *finding = &own->items[i];
		if (finding->state == DOCTOR_OK)
			continue;
		findings_add(findings, finding->check, finding->state, "%s", finding->text);
		findings_advise(findings, "%s", finding->advice);
		sound = false;
	}
	if (sound)
		findings_add(findings, "workspace", DOCTOR_OK, "data, keys and audit trail are sound");
}

static void check_one(struct findings *findings, const char *data_place, const char *keyring_place,
                      const char *id)
{
	char            data[PATH_MAX], keyring[PATH_MAX];
	struct findings own = {.verified_bytes = findings->verified_bytes};
	snprintf(findings->workspace, sizeof findings->workspace, "%s", id);
	if (snprintf(data, sizeof data, "%s/%s", data_place, id) < (int)sizeof data &&
	    snprintf(keyring, sizeof keyring, "%s/%s", keyring_place, id) < (int)sizeof keyring)
		check_place(&own, data, keyring);
	take_over(findings, &own);
	findings->verified_bytes = own.verified_bytes;
	findings->workspace[0]   = '\0';
	findings_done(&own);
}

void doctor_check_workspaces(struct findings *findings, const struct serve_settings *settings)
{
	char  data[PATH_MAX], keyring[PATH_MAX];
	names ids = {0};
	if (snprintf(data, sizeof data, "%s/workspaces", settings->data) >= (int)sizeof data ||
	    snprintf(keyring, sizeof keyring, "%s/workspaces", settings->keyring) >=
	        (int)sizeof keyring)
		return; /* told of the data already */
	add_ids(&ids, data);
	add_ids(&ids, keyring);
	if (ids.count > 0)
		qsort(ids.items, ids.count, sizeof ids.items[0], compare_ids);
	for (size_t i = 0; i < ids.count; i++) {
		if (has(data, ids.items[i]) || has(keyring, ids.items[i]))
			check_one(findings, data, keyring, ids.items[i]);
		free(ids.items[i]);
	}
	VECTOR_DONE(&ids);
}
