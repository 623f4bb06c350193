/* How fast traffic is made up, and made up and taken in as far as the journal: parsed, checked,
 * resolved and encoded as records by ingest, with a real vault in a temporary directory; the
 * journal throws away what it gets. One thread, CPU time of it.
 *
 *   simulate_bench [--messages=1000000] [--users=200000] [--batch=500] [--travel] */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/simulate/sim_traffic.h"
#include "base/clock.h"
#include "base/instant.h"
#include "base/settings.h"
#include "taking.h"

struct options {
	int64_t messages;
	int64_t users;
	int64_t batch;
	bool    travel;
};

static const struct setting option_table[] = {
	SETTING_INT(struct options, messages, "messages", "1000000", 1000, 1000000000, "How many"),
	SETTING_INT(struct options, users, "users", "200000", 1, 100000000, "Distinct users"),
	SETTING_INT(struct options, batch, "batch", "500", 1, 5000, "Messages a request"),
	SETTING_BOOL(struct options, travel, "travel", "Bookings instead of orders"),
};

enum { RATE = 20000 };

static struct options options;

static struct taking taking;

/* ---- Messages ---- */

static struct sim_traffic *traffic_of(const struct zone *zone)
{
	struct sim_config config = {.shape               = options.travel ? SIM_TRAVEL : SIM_SHOP,
	                            .seed                = 1,
	                            .users               = (unsigned)options.users,
	                            .rate                = RATE,
	                            .start_ms            = clock_wall_ms() - 2 * DAY_MS,
	                            .zone                = zone,
	                            .late_per_mille      = 10,
	                            .duplicate_per_mille = 5};
	return sim_traffic_new(&config);
}

static void make_body(struct sim_traffic *traffic, struct buffer *body)
{
	buffer_clear(body);
	buffer_add_text(body, TEXT("{\"batch\":["));
	for (int64_t i = 0; i < options.batch; i++) {
		if (i > 0)
			buffer_add_u8(body, ',');
		sim_traffic_next(traffic, body);
	}
	buffer_add_text(body, TEXT("]}"));
	buffer_reserve(body, JSON_PADDING_BYTES);
}

static void print(const char *what, double seconds, double messages)
{
	printf("%-22s %8.3f   µs CPU a message, %.1f M a minute\n", what, seconds / messages * 1e6,
	       messages / seconds * 60 / 1e6);
}

static void measure_making(const struct zone *zone)
{
	struct sim_traffic *traffic = traffic_of(zone);
	struct buffer       body    = {0};
	uint64_t            bytes   = 0;
	int64_t             made    = 0;
	double              begin   = taking_cpu_seconds();
	for (; made < options.messages; made += options.batch) {
		make_body(traffic, &body);
		bytes += body.length;
	}
	print("made", taking_cpu_seconds() - begin, (double)made);
	printf("bytes a message        %8.0f   of JSON\n", (double)bytes / (double)made);
	sim_traffic_free(traffic);
	buffer_done(&body);
}

/* ---- Taking in ---- */

static _Atomic uint64_t accepted, finished;

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

static void measure_taking(struct ingest_thread *thread, const struct zone *zone)
{
	struct sim_traffic   *traffic  = traffic_of(zone);
	struct buffer         body     = {0};
	struct ingest_request request  = {INGEST_BATCH, 1, done, NULL};
	uint64_t              requests = 0;
	struct error          err;
	double                begin = taking_cpu_seconds();
	for (int64_t made = 0; made < options.messages; made += options.batch, requests++) {
		make_body(traffic, &body);
		if (ingest_parse(thread, body.data, body.length, &err) != STATUS_OK) {
			fprintf(stderr, "%s\n", err.reason);
			exit(1);
		}
		ingest_submit(thread, &request);
	}
	double spent = taking_cpu_seconds() - begin;
	while (finished < requests)
		usleep(1000);
	print("made, taken, encoded", spent, (double)accepted);
	printf("bytes a record         %8.0f   in the journal\n",
	       (double)taking.bytes / (double)taking.records);
	sim_traffic_free(traffic);
	buffer_done(&body);
}

static int with_ingest(const struct zone *zone)
{
	if (!taking_begin(&taking))
		return 3;
	measure_taking(taking.thread, zone);
	return taking_end(&taking) ? 0 : 3;
}

int main(int argc, char **argv)
{
	struct error    err;
	struct zone    *zone;
	struct settings sets = {.table  = option_table,
	                        .count  = sizeof option_table / sizeof option_table[0],
	                        .target = &options};
	if (settings_load(&sets, 1, &err) != STATUS_OK ||
	    settings_parse_flags(&sets, 1, &argc, argv, &err) != STATUS_OK) {
		fprintf(stderr, "%s: %s\n", err.field, err.reason);
		return 2;
	}
	if (zone_open(TEXT("+09:00"), &zone, &err) != STATUS_OK)
		return 3;
	measure_making(zone);
	int code = with_ingest(zone);
	zone_close(zone);
	return code;
}
