#ifndef SONNIM_TESTS_VAULT_FIXTURE_H
#define SONNIM_TESTS_VAULT_FIXTURE_H

/* A vault in a directory of its own, for each test, with system calls that fail on demand. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vault/vault.h"

struct vault_fixture {
	char                directory[64]; /* holds data/ and keys/ */
	char                data[96];
	char                keyring[96];
	struct vault_config config;
	struct vault       *vault; /* NULL: closed */
	struct arena        arena;
	struct error        err;
};

int vault_fixture_new(void **state);
int vault_fixture_free(void **state);

void        vault_fixture_close(struct vault_fixture *f);
enum status vault_fixture_open(struct vault_fixture *f);
void        vault_fixture_reopen(struct vault_fixture *f);

/* Under the fixture's directory: "data/persons.log", "keys/keys.log"; static. */
const char *vault_fixture_path(struct vault_fixture *f, const char *name);
/* Whole files (malloc). */
uint8_t *vault_fixture_read(struct vault_fixture *f, const char *name, size_t *ret_length);
void     vault_fixture_write(struct vault_fixture *f, const char *name, const void *data,
                             size_t length);

#define VAULT_TEST(name)                                                                           \
	cmocka_unit_test_setup_teardown(name, vault_fixture_new, vault_fixture_free)

#define assert_ok(f, call)                                                                         \
	do {                                                                                           \
		enum status assert_ok_status = (call);                                                     \
		if (assert_ok_status != STATUS_OK)                                                         \
			fail_msg("%s: %s", status_code(assert_ok_status), (f)->err.reason);                    \
	} while (0)

/* One id; waits until it is durable. */
struct person vault_user(struct vault_fixture *f, const char *id);
struct person vault_visitor(struct vault_fixture *f, const char *id);
struct person vault_look_up(struct vault_fixture *f, enum vault_namespace namespace,
                            const char           *id);
void          vault_wait(struct vault *vault, uint64_t sequence); /* until STATUS_OK */

static inline bool person_equal(struct person a, struct person b)
{
	return a.partition == b.partition && a.slot == b.slot;
}

/* System calls: what fails from now on. */
struct vault_faults {
	bool disk_full;
	bool write_fails;
	bool sync_fails;
	bool short_writes;
	bool hold_syncs; /* they wait until it is false */
};
void     vault_faults_set(struct vault_faults faults);
unsigned vault_faults_syncs(void); /* how many there were */

/* Writes and syncs since the last vault_faults_set(), the first ones: w and s of keys.log, W and S
 * of persons.log. Static. */
const char *vault_faults_events(void);

#endif
