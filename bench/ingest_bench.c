/* What taking events in costs before the journal: parse, check, encode, resolve; the journal throws
 * away what it gets. One thread, CPU time of it. The vault is a real one in a temporary directory.
 *
 *   ingest_bench [--batch=100] [--users=1000000] [--seconds=3] [--personal] [--source] [--plan]
 *
 * First every user is seen once (so that the measured ones are known), then the batches: track
 * calls of about 220 bytes, as server libraries send them. --personal gives each an e-mail address
 * and a telephone number, --source a source whose limit is asked, for whom they are counted and the
 * types of whose properties are watched, --plan one with a tracking plan that declares all of
 * them. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/instant.h"
#include "base/json.h"
#include "base/settings.h"
#include "ingest/ingest.h"
#include "ingest/watch.h"
#include "taking.h"

struct options {
	int64_t batch;
	int64_t users;
	int64_t seconds;
	bool    personal;
	bool    source;
	bool    plan;
};

static const struct setting option_table[] = {
	SETTING_INT(struct options, batch, "batch", "100", 1, 20000, "Events a request"),
	SETTING_INT(struct options, users, "users", "1000000", 1, 100000000, "Distinct users"),
	SETTING_INT(struct options, seconds, "seconds", "3", 1, 600, "How long to measure"),
	SETTING_BOOL(struct options, personal, "personal",
                 "With an e-mail address and a telephone number each"),
	SETTING_BOOL(struct options, source, "source", "With a source's limit, statistics and types"),
	SETTING_BOOL(struct options, plan, "plan", "With a source that has a tracking plan"),
};

enum { BODY_COUNT = 500 };

#define PROPERTIES                                                                                 \
	"{\"name\":\"revenue\",\"type\":\"number\",\"required\":true},"                                \
	"{\"name\":\"region\",\"type\":\"string\"},{\"name\":\"nights\",\"type\":\"integer\"},"        \
	"{\"name\":\"sku\",\"type\":\"string\",\"required\":true},"                                    \
	"{\"name\":\"email\",\"type\":\"string\"},{\"name\":\"phone\",\"type\":\"string\"}"

static struct options options;

static struct taking  taking;
static struct source *source; /* NULL: none */

/* ---- Bodies ---- */

static uint64_t random_state = 88172645463325252;

static uint64_t random_below(uint64_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % bound;
}

static void add_event(struct buffer *body, uint64_t user)
{
	static const char *const events[]  = {"Product Viewed", "Product Added", "Order Completed",
	                                      "Products Searched"};
	static const char *const regions[] = {"제주", "부산", "서울", "강릉"};
	char                     time[INSTANT_TEXT_BYTES];
	instant_format(clock_wall_ms(), time);
	buffer_printf(
		body,
		"{\"type\":\"track\",\"userId\":\"user-%07" PRIu64 "\",\"event\":\"%s\","
		"\"messageId\":\"node-%016" PRIx64 "\",\"timestamp\":\"%s\","
		"\"properties\":{\"revenue\":%" PRIu64 ".5,\"region\":\"%s\",\"nights\":%" PRIu64
		",\"sku\":\"p-%" PRIu64 "\"%s}}",
		user, events[random_below(4)], random_below(UINT64_MAX), time, random_below(200000),
		regions[random_below(4)], random_below(7), random_below(10000),
		options.personal ? ",\"email\":\"someone@example.com\",\"phone\":\"+821012345678\"" : "");
}

/* Events of `count` users from `first` on, or of random ones. */
static void make_body(struct buffer *body, uint64_t first, int64_t count, bool random)
{
	buffer_clear(body);
	buffer_printf(body, "{\"sentAt\":\"2026-01-01T00:00:00.000Z\",\"batch\":[");
	for (int64_t i = 0; i < count; i++) {
		if (i > 0)
			buffer_add_u8(body, ',');
		add_event(body, random ? random_below((uint64_t)options.users) : first + (uint64_t)i);
	}
	buffer_printf(body, "]}");
	buffer_reserve(body, JSON_PADDING_BYTES);
}

/* ---- The source ---- */

static const char plan_json[] =
	"{\"violations\":\"rejected\",\"unplannedEvents\":\"rejected\",\"events\":["
	"{\"name\":\"Product Viewed\",\"properties\":[" PROPERTIES "]},"
	"{\"name\":\"Product Added\",\"properties\":[" PROPERTIES "]},"
	"{\"name\":\"Order Completed\",\"properties\":[" PROPERTIES "]},"
	"{\"name\":\"Products Searched\",\"properties\":[" PROPERTIES "]}]}";

static void set_plan(struct ingest *ingest)
{
	struct error        err;
	struct json         root;
	struct plan        *plan;
	struct json_parser *parser = json_parser_new();
	if (json_parse_text(parser, text_of(plan_json), &root, &err) != STATUS_OK ||
	    plan_read(root, &plan, &err) != STATUS_OK) {
		fprintf(stderr, "%s: %s\n", err.field, err.reason);
		exit(1);
	}
	watch_set_plan(ingest_watch(ingest), source, plan);
	json_parser_free(parser);
}

/* ---- Running ---- */

static _Atomic uint64_t accepted;
static _Atomic uint64_t finished;

static void done(void *context, const struct ingest_result *result)
{
	(void)context;
	if (result->status != STATUS_OK || result->rejected_count > 0) {
		fprintf(stderr, "not taken: %s\n",
		        result->status != STATUS_OK ? status_code(result->status)
		                                    : ingest_code_name(result->rejected[0].code));
		exit(1);
	}
	accepted += result->accepted_count;
	finished++;
}

static void submit(struct ingest_thread *thread, const struct buffer *body)
{
	struct error          err;
	struct ingest_request request = {INGEST_BATCH, 1, done, NULL, source, source};
	if (ingest_parse(thread, body->data, body->length, &err) != STATUS_OK) {
		fprintf(stderr, "%s\n", err.reason);
		exit(1);
	}
	ingest_submit(thread, &request);
}

static void see_everyone(struct ingest_thread *thread)
{
	enum { SEEN_AT_ONCE = 5000 };
	struct buffer body     = {0};
	uint64_t      requests = 0;
	double        begin    = taking_cpu_seconds();
	for (int64_t first = 0; first < options.users; first += SEEN_AT_ONCE, requests++) {
		int64_t left = options.users - first;
		make_body(&body, (uint64_t)first, left < SEEN_AT_ONCE ? left : SEEN_AT_ONCE, false);
		submit(thread, &body);
	}
	while (finished < requests)
		usleep(1000);
	printf("new users        %8" PRId64 "   %.3f µs CPU each, with making the bodies\n",
	       options.users, (taking_cpu_seconds() - begin) / (double)options.users * 1e6);
	buffer_done(&body);
}

static void measure(struct ingest_thread *thread)
{
	static struct buffer bodies[BODY_COUNT];
	size_t               bytes = 0;
	for (unsigned i = 0; i < BODY_COUNT; i++) {
		make_body(&bodies[i], 0, options.batch, true);
		bytes += bodies[i].length;
	}
	accepted = taking.bytes = 0;
	double begin = taking_cpu_seconds(), spent = 0;
	for (unsigned i = 0; spent < (double)options.seconds; i++) {
		submit(thread, &bodies[i % BODY_COUNT]);
		if (i % 64 == 0)
			spent = taking_cpu_seconds() - begin;
	}
	spent = taking_cpu_seconds() - begin;
	printf("bytes an event   %8.0f   of JSON, %.0f in the journal\n",
	       (double)bytes / BODY_COUNT / (double)options.batch,
	       (double)taking.bytes / (double)accepted);
	printf("events           %8" PRIu64 "   in batches of %" PRId64 "\n", accepted, options.batch);
	printf("µs CPU an event  %8.3f   goal 0.7\n", spent / (double)accepted * 1e6);
	for (unsigned i = 0; i < BODY_COUNT; i++)
		buffer_done(&bodies[i]);
}

int main(int argc, char **argv)
{
	struct error    err;
	struct settings sets = {.table  = option_table,
	                        .count  = sizeof option_table / sizeof option_table[0],
	                        .target = &options};
	if (settings_load(&sets, 1, &err) != STATUS_OK ||
	    settings_parse_flags(&sets, 1, &argc, argv, &err) != STATUS_OK) {
		fprintf(stderr, "%s: %s\n", err.field, err.reason);
		return 2;
	}
	if (!taking_begin(&taking))
		return 3;
	see_everyone(taking.thread);
	if (options.source || options.plan) {
		source = source_of(ingest_sources(taking.ingest), 1);
		source_set(source, &(struct source_settings){.rate       = SOURCE_RATE_MAX,
		                                             .burst      = SOURCE_RATE_MAX,
		                                             .any_origin = true});
	}
	if (options.plan)
		set_plan(taking.ingest);
	measure(taking.thread);
	return taking_end(&taking) ? 0 : 3;
}
