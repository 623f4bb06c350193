/* Over the real journal and vault: what several threads submit is there whole, sealed, and of the
 * persons that the vault knows. */

#include "ingest/submission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "base/json.h"
#include "ingest/ingest.h"
#include "ingest/watch.h"
#include "journal/file_log.h"
#include "model/record.h"
#include "model/value.h"

enum { PARTITION_COUNT = 4, THREAD_COUNT = 4, REQUESTS = 60, MESSAGES = 5, USERS = 50 };

struct fixture {
	char                  directory[64];
	struct journal       *journal;
	struct vault         *vault;
	struct ingest        *ingest;
	struct ingest_thread *threads[THREAD_COUNT];
	_Atomic unsigned      done;
	_Atomic unsigned      accepted;
	_Atomic unsigned      failed;
	struct source        *planned; /* of what is submitted; NULL: nobody */
};

static void remove_all(const char *directory)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf '%s'", directory);
	assert_int_equal(system(command), 0);
}

static char *path_in(const struct fixture *fixture, const char *name, char into[128])
{
	snprintf(into, 128, "%s/%s", fixture->directory, name);
	return into;
}

static int new_fixture(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	struct error    err     = {0};
	char            log[128], persons[128], keyring[128];
	snprintf(fixture->directory, sizeof fixture->directory, "/tmp/test_submission.XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));

	struct file_log_config log_config = {.directory  = path_in(fixture, "journal", log),
	                                     .file_bytes = 4 << 20};
	if (file_log_open(&log_config, &fixture->journal, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	struct vault_config vault_config = {.directory         = path_in(fixture, "vault", persons),
	                                    .keyring_directory = path_in(fixture, "keyring", keyring),
	                                    .partition_count   = PARTITION_COUNT};
	if (vault_open(&vault_config, &fixture->vault, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	struct ingest_config config = {.journal         = fixture->journal,
	                               .vault           = fixture->vault,
	                               .partition_count = PARTITION_COUNT,
	                               .retention_ms    = 30 * DAY_MS};
	fixture->ingest             = ingest_new(&config);
	for (unsigned i = 0; i < THREAD_COUNT; i++)
		fixture->threads[i] = ingest_thread_new(fixture->ingest);
	*state = fixture;
	return 0;
}

static void wait_for(struct fixture *fixture, unsigned done)
{
	while (fixture->done < done)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static int free_fixture(void **state)
{
	struct fixture *fixture = *state;
	vault_close(fixture->vault);
	fixture->journal->ops->free(fixture->journal);
	for (unsigned i = 0; i < THREAD_COUNT; i++)
		ingest_thread_free(fixture->threads[i]);
	ingest_free(fixture->ingest);
	remove_all(fixture->directory);
	free(fixture);
	return 0;
}

static void done(void *context, const struct ingest_result *result)
{
	struct fixture *fixture = context;
	fixture->accepted += result->accepted_count;
	fixture->failed += result->status != STATUS_OK || result->position == 0;
	fixture->done++;
}

static void submit(struct fixture *fixture, unsigned thread, struct buffer *body)
{
	struct error          err;
	struct ingest_request request = {
		.kind          = INGEST_BATCH,
		.source_number = 1,
		.done          = done,
		.context       = fixture,
		.planned       = fixture->planned,
	};
	buffer_reserve(body, JSON_PADDING_BYTES);
	assert_int_equal(ingest_parse(fixture->threads[thread], body->data, body->length, &err),
	                 STATUS_OK);
	ingest_submit(fixture->threads[thread], &request);
}

/* ---- Several threads ---- */

struct submitter {
	struct fixture *fixture;
	unsigned        number;
	pthread_t       thread;
};

static void *submit_many(void *argument)
{
	struct submitter *submitter = argument;
	struct buffer     body      = {0};
	for (unsigned i = 0; i < REQUESTS; i++) {
		buffer_clear(&body);
		buffer_printf(&body, "{\"batch\":[");
		for (unsigned k = 0; k < MESSAGES; k++) {
			unsigned user = (i * MESSAGES + k + submitter->number) % USERS;
			buffer_printf(&body,
			              "%s{\"type\":\"%s\",\"userId\":\"u%u\",\"anonymousId\":\"a%u\","
			              "\"event\":\"e\",\"messageId\":\"%u-%u-%u\","
			              "\"properties\":{\"email\":\"u%u@example.com\"},"
			              "\"traits\":{\"email\":\"u%u@example.com\"}}",
			              k > 0 ? "," : "", k == 0 ? "identify" : "track", user, user,
			              submitter->number, i, k, user, user);
		}
		buffer_printf(&body, "]}");
		submit(submitter->fixture, submitter->number, &body);
	}
	buffer_done(&body);
	return NULL;
}

/* Its address is sealed under its own key, so that the user's number can be read from it. */
static void check_person(struct fixture *fixture, uint32_t partition, const struct record *record)
{
	struct buffer plain  = {0};
	struct arena  arena  = {0};
	struct person person = {partition, record->slot};
	struct error  err;
	assert_int_equal(
		vault_unseal(fixture->vault, person, RECORD_SEAL_PURPOSE, record->sealed, &plain, &err),
		STATUS_OK);
	struct byte_reader  reader = byte_reader_of(plain.data, plain.length);
	struct value_reader values = value_read(read_sized(&reader));
	assert_true(value_next(&values));
	assert_true(text_equal(values.name, TEXT("email")));

	struct vault_id id;
	arena_init(&arena);
	assert_int_equal(vault_external_id(fixture->vault, person, &arena, &id, &err), STATUS_OK);
	assert_int_equal(id.namespace, VAULT_USER);
	assert_true(text_starts_with(values.value.text, id.id));
	assert_int_equal(values.value.text.data[id.id.length], '@');
	arena_done(&arena);
	buffer_done(&plain);
}

struct counts {
	unsigned events, traits, links;
};

static void check_batch(struct fixture *fixture, const struct journal_read *read,
                        struct counts *counts)
{
	struct text bytes = read->records;
	while (bytes.length > 0) {
		struct record record;
		size_t        size;
		assert_int_equal(record_decode(bytes, &record, &size, NULL), STATUS_OK);
		assert_int_equal(record.flags, RECORD_IDENTIFIED);
		counts->events += record.kind == RECORD_EVENT;
		counts->traits += record.kind == RECORD_TRAITS;
		counts->links += record.kind == RECORD_LINK;
		if (record.kind != RECORD_LINK)
			check_person(fixture, read->partition, &record);
		bytes = (struct text){bytes.data + size, bytes.length - size};
	}
}

static struct counts read_back(struct fixture *fixture)
{
	static const bool      wanted[PARTITION_COUNT] = {true, true, true, true};
	struct journal        *journal                 = fixture->journal;
	struct journal_reader *reader;
	struct journal_read    read;
	struct counts          counts = {0};
	int64_t                safe_ms;
	uint64_t               through;
	struct error           err;
	assert_int_equal(journal->ops->reader_open(journal, wanted, PARTITION_COUNT, 0, &reader, &err),
	                 STATUS_OK);
	enum status status;
	while ((status = journal->ops->read(reader, &read, &safe_ms, &through, &err)) == STATUS_OK)
		check_batch(fixture, &read, &counts);
	assert_int_equal(status, STATUS_AGAIN);
	journal->ops->reader_close(reader);
	return counts;
}

static void what_several_threads_submit_is_there_once_and_of_the_right_persons(void **state)
{
	struct fixture  *fixture = *state;
	struct submitter submitters[THREAD_COUNT];
	for (unsigned i = 0; i < THREAD_COUNT; i++) {
		submitters[i] = (struct submitter){.fixture = fixture, .number = i};
		assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_many, &submitters[i]),
		                 0);
	}
	for (unsigned i = 0; i < THREAD_COUNT; i++)
		pthread_join(submitters[i].thread, NULL);
	wait_for(fixture, THREAD_COUNT * REQUESTS);

	assert_int_equal(fixture->failed, 0);
	assert_int_equal(fixture->accepted, THREAD_COUNT * REQUESTS * MESSAGES);
	struct counts counts = read_back(fixture);
	assert_int_equal(counts.traits, THREAD_COUNT * REQUESTS);
	assert_int_equal(counts.events, THREAD_COUNT * REQUESTS * (MESSAGES - 1));
	/* Each anonymous id always names the same user: one link each, whoever came first. */
	assert_true(counts.links > 0 && counts.links <= USERS);
}

/* A plan that takes everything, so that what is accepted can be counted. */
static struct plan *new_plan(struct json_parser *parser)
{
	struct error err;
	struct json  root;
	struct plan *plan;
	assert_int_equal(
		json_parse_text(
			parser,
			TEXT("{\"unplannedEvents\":\"reported\",\"additionalTraits\":\"reported\","
	             "\"events\":[{\"name\":\"e\",\"additionalProperties\":\"reported\","
	             "\"properties\":[{\"name\":\"값\",\"type\":\"any\",\"required\":true}]}]}"),
			&root, &err),
		STATUS_OK);
	assert_int_equal(plan_read(root, &plan, &err), STATUS_OK);
	return plan;
}

static void plans_change_and_tables_are_forgotten_while_threads_submit(void **state)
{
	struct fixture     *fixture = *state;
	struct watch       *watch   = ingest_watch(fixture->ingest);
	struct json_parser *parser  = json_parser_new();
	struct submitter    submitters[THREAD_COUNT];
	fixture->planned = source_of(ingest_sources(fixture->ingest), 1);
	for (unsigned i = 0; i < THREAD_COUNT; i++) {
		submitters[i] = (struct submitter){.fixture = fixture, .number = i};
		assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_many, &submitters[i]),
		                 0);
	}
	for (unsigned i = 0; fixture->done < THREAD_COUNT * REQUESTS; i++) {
		watch_set_plan(watch, fixture->planned, i % 3 == 0 ? NULL : new_plan(parser));
		watch_forget(watch, fixture->planned, i % 2 == 0 ? OBSERVED_TYPES : OBSERVED_VIOLATIONS);
		watch_flush(watch);
	}
	for (unsigned i = 0; i < THREAD_COUNT; i++)
		pthread_join(submitters[i].thread, NULL);
	assert_int_equal(fixture->failed, 0);
	assert_int_equal(fixture->accepted, THREAD_COUNT * REQUESTS * MESSAGES);
	json_parser_free(parser);
}

static void a_closing_journal_answers_all_that_it_was_given(void **state)
{
	struct fixture *fixture = *state;
	struct buffer   body    = {0};
	for (unsigned i = 0; i < 100; i++) {
		buffer_clear(&body);
		buffer_printf(&body,
		              "{\"batch\":[{\"type\":\"track\",\"event\":\"e\",\"userId\":\"n%u\"}]}", i);
		submit(fixture, 0, &body);
	}
	buffer_done(&body);
	vault_close(fixture->vault);
	fixture->journal->ops->free(fixture->journal);
	assert_int_equal(fixture->done, 100);

	/* For the fixture's end: others in their place. */
	remove_all(fixture->directory);
	ingest_thread_free(fixture->threads[0]);
	for (unsigned i = 1; i < THREAD_COUNT; i++)
		ingest_thread_free(fixture->threads[i]);
	ingest_free(fixture->ingest);
	free(fixture);
	*state = NULL;
	assert_int_equal(new_fixture(state), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_fixture, free_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_several_threads_submit_is_there_once_and_of_the_right_persons),
		TEST(plans_change_and_tables_are_forgotten_while_threads_submit),
		TEST(a_closing_journal_answers_all_that_it_was_given),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
