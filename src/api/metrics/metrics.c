#include "api/metrics/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "api/access/sso.h"
#include "api/audience/audiences.h"
#include "api/audience/filter_set.h"
#include "api/call_limit.h"
#include "api/metrics/metrics_process.h"
#include "api/metrics/metrics_text.h"
#include "api/stream/consumers.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/instant.h"
#include "base/machine.h"
#include "base/map.h"
#include "http/tls.h"
#include "ingest/letters.h"
#include "ingest/source.h"
#include "journal/file_log.h"
#include "vault/vault_subjects.h"

/* Upper bounds of the duration histogram; the last bucket has none. */
static const double bounds_s[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                  0.1,    0.25,  0.5,    1,     2.5,  5,     10};
enum { BOUND_COUNT = sizeof bounds_s / sizeof bounds_s[0], CLASS_COUNT = 6 };

struct route_counts {
	_Atomic uint64_t answers[CLASS_COUNT]; /* by the status's first digit */
	_Atomic uint64_t buckets[BOUND_COUNT + 1];
	_Atomic uint64_t duration_ns;
};

struct metrics {
	struct map_text      routes; /* "GET /api/v1/segments" → struct route_counts */
	struct route_counts *counts; /* one a route, and one for what matched none */
	_Atomic uint64_t     accepted;
	_Atomic uint64_t     rejected[INGEST_CODE_COUNT];
};

enum { KEY_BYTES = 160 };

/* "METHOD PATH", with the long prefix where the short one was used. Every request does this, so no
 * printf. */
static struct text key_of(struct text method, const char *path, char into[KEY_BYTES])
{
	const struct text prefix = TEXT(API_PREFIX), short_prefix = TEXT(API_SHORT_PREFIX);
	struct text       rest = text_of(path), named = TEXT(WORKSPACE_PREFIX "/");
	if (text_starts_with(rest, named))
		rest = text_of(path + named.length - 1);
	bool is_short = text_starts_with(rest, TEXT(API_SHORT_PREFIX "/")) &&
	                !text_starts_with(rest, TEXT(API_PREFIX "/"));
	size_t length = method.length;
	if (length + rest.length + prefix.length + 1 > KEY_BYTES)
		return (struct text){into, 0};
	memcpy(into, method.data, length);
	into[length++] = ' ';
	if (is_short) {
		memcpy(into + length, prefix.data, prefix.length);
		length += prefix.length;
		rest.data += short_prefix.length;
		rest.length -= short_prefix.length;
	}
	memcpy(into + length, rest.data, rest.length);
	return (struct text){into, length + rest.length};
}

struct metrics *metrics_new(void)
{
	struct metrics *metrics = calloc(1, sizeof *metrics);
	char            key[KEY_BYTES];
	assert(metrics != NULL);
	metrics->counts = calloc(api_route_count + 1, sizeof *metrics->counts);
	assert(metrics->counts != NULL);
	for (size_t i = 0; i < api_route_count; i++)
		*map_text_put(&metrics->routes, key_of(text_of(api_routes[i].method), api_routes[i].path,
		                                       key)) = &metrics->counts[i];
	return metrics;
}

void metrics_free(struct metrics *metrics)
{
	if (metrics == NULL)
		return;
	map_text_done(&metrics->routes);
	free(metrics->counts);
	free(metrics);
}

static void add(_Atomic uint64_t *counter, uint64_t more)
{
	atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void metrics_answered(struct metrics *metrics, const struct http_request *request,
                      unsigned http_status)
{
	char                 key[KEY_BYTES];
	struct route_counts *counts =
		map_text_get(&metrics->routes, key_of(http_method(request), http_pattern(request), key));
	if (counts == NULL)
		counts = &metrics->counts[api_route_count];
	uint64_t ns    = (uint64_t)(clock_monotonic_ns() - http_received_ns(request));
	unsigned bound = 0;
	while (bound < BOUND_COUNT && (double)ns > bounds_s[bound] * 1e9)
		bound++;
	add(&counts->answers[http_status / 100 < CLASS_COUNT ? http_status / 100 : 0], 1);
	add(&counts->buckets[bound], 1);
	add(&counts->duration_ns, ns);
}

void metrics_ingested(struct metrics *metrics, const struct ingest_result *result)
{
	add(&metrics->accepted, result->accepted_count);
	for (size_t i = 0; i < result->rejected_count; i++)
		add(&metrics->rejected[result->rejected[i].code], 1);
}

/* ---- Prometheus text ---- */

static void write_route(struct buffer *out, const struct route_counts *counts, const char *method,
                        const char *path)
{
	uint64_t total = 0;
	for (unsigned i = 0; i < BOUND_COUNT; i++) {
		total += get(&counts->buckets[i]);
		buffer_printf(
			out,
			"sonnim_http_request_duration_seconds_bucket{method=\"%s\",route=\"%s\",le=\"%g\"} "
			"%" PRIu64 "\n",
			method, path, bounds_s[i], total);
	}
	total += get(&counts->buckets[BOUND_COUNT]);
	buffer_printf(
		out,
		"sonnim_http_request_duration_seconds_bucket{method=\"%s\",route=\"%s\",le=\"+Inf\"} "
		"%" PRIu64 "\n",
		method, path, total);
	buffer_printf(out,
	              "sonnim_http_request_duration_seconds_sum{method=\"%s\",route=\"%s\"} %.9g\n",
	              method, path, (double)get(&counts->duration_ns) / 1e9);
	buffer_printf(
		out, "sonnim_http_request_duration_seconds_count{method=\"%s\",route=\"%s\"} %" PRIu64 "\n",
		method, path, total);
}

static bool was_used(const struct route_counts *counts)
{
	uint64_t any = 0;
	for (unsigned i = 0; i < CLASS_COUNT; i++)
		any |= get(&counts->answers[i]);
	return any != 0;
}

static const char *method_of(size_t route)
{
	return route < api_route_count ? api_routes[route].method : "";
}

static const char *path_of(size_t route)
{
	return route < api_route_count ? api_routes[route].path : "other";
}

static void write_http(struct buffer *out, const struct metrics *metrics)
{
	metric_head(out, "sonnim_http_requests_total", "counter",
	            "Requests answered, by route and status");
	for (size_t r = 0; r <= api_route_count; r++)
		for (unsigned c = 1; c < CLASS_COUNT; c++)
			if (get(&metrics->counts[r].answers[c]) > 0)
				buffer_printf(out,
				              "sonnim_http_requests_total{method=\"%s\",route=\"%s\","
				              "status=\"%uxx\"} %" PRIu64 "\n",
				              method_of(r), path_of(r), c, get(&metrics->counts[r].answers[c]));
	metric_head(out, "sonnim_http_request_duration_seconds", "histogram",
	            "From a request's headers to its answer");
	for (size_t r = 0; r <= api_route_count; r++)
		if (was_used(&metrics->counts[r]))
			write_route(out, &metrics->counts[r], method_of(r), path_of(r));
}

static void write_ingest(struct buffer *out, const struct metrics *metrics)
{
	metric_one(out, "sonnim_ingest_accepted_total", "counter", "Messages taken in",
	           get(&metrics->accepted));
	metric_head(out, "sonnim_ingest_rejected_total", "counter", "Messages rejected, by code");
	for (unsigned c = INGEST_ACCEPTED + 1; c < INGEST_CODE_COUNT; c++) {
		/* Several codes share a name: the sum, with the first of them. */
		const char *name  = ingest_code_name((enum ingest_code)c);
		uint64_t    sum   = 0;
		bool        first = true;
		for (unsigned o = INGEST_ACCEPTED + 1; o < INGEST_CODE_COUNT; o++)
			if (strcmp(name, ingest_code_name((enum ingest_code)o)) == 0) {
				first = first && o >= c;
				sum += get(&metrics->rejected[o]);
			}
		if (first)
			buffer_printf(out, "sonnim_ingest_rejected_total{code=\"%s\"} %" PRIu64 "\n", name,
			              sum);
	}
}

static void write_lag(struct buffer *out, const struct sources_totals *totals)
{
	uint64_t count = 0;
	metric_head(out, "sonnim_ingest_lag_seconds", "histogram",
	            "From the time of an accepted event to its arrival");
	for (unsigned i = 0; i < SOURCE_LAG_COUNT; i++) {
		count += totals->lags[i];
		if (source_lag_bounds_ms[i] == INT64_MAX)
			buffer_printf(out, "sonnim_ingest_lag_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n",
			              count);
		else
			buffer_printf(out, "sonnim_ingest_lag_seconds_bucket{le=\"%" PRId64 "\"} %" PRIu64 "\n",
			              source_lag_bounds_ms[i] / 1000, count);
	}
	buffer_printf(
		out, "sonnim_ingest_lag_seconds_sum %.3f\nsonnim_ingest_lag_seconds_count %" PRIu64 "\n",
		(double)totals->lag_sum_ms / 1000, count);
}

static void write_sources(struct buffer *out, const struct api *api)
{
	struct sources_totals totals;
	sources_totals(ingest_sources(api->config.ingest), &totals);
	metric_head(out, "sonnim_ingest_refused_total", "counter",
	            "Requests of known sources that were refused whole, by reason");
	for (unsigned i = 0; i < SOURCE_REFUSAL_COUNT; i++)
		buffer_printf(out, "sonnim_ingest_refused_total{reason=\"%s\"} %" PRIu64 "\n",
		              source_refusal_name((enum source_refusal)i), totals.refused[i]);
	metric_one(out, "sonnim_debugger_bytes", "gauge", "Held of the newest events of sources",
	           totals.debug_bytes);
	metric_one(out, "sonnim_debugger_bytes_max", "gauge", "Beyond it events are noted without text",
	           DEBUG_BYTES_MAX);
	metric_one(out, "sonnim_ingest_bytes_total", "counter", "Bodies of sources that were taken in",
	           totals.bytes);
	write_lag(out, &totals);
	metric_one(out, "sonnim_tracking_plans", "gauge", "Sources with a tracking plan", totals.plans);
	metric_one(out, "sonnim_ingest_suppressed_total", "counter",
	           "Messages of suppressed ids, which were answered and dropped", totals.suppressed);
	metric_one(out, "sonnim_suppressed_ids", "gauge", "Ids whose messages are dropped",
	           vault_suppressed_count(api->config.vault));
	metric_one(out, "sonnim_plan_violations_total", "counter",
	           "Accepted events of which something goes against their source's tracking plan",
	           totals.violations);
	metric_one(out, "sonnim_observed_drifted", "gauge",
	           "Properties and traits that came with more than one type", totals.drifted);
	metric_one(out, "sonnim_observed_names", "gauge",
	           "Properties whose types, or violations, are noted", totals.observed_names);
	metric_one(out, "sonnim_observed_beyond_total", "counter",
	           "What was observed of sources and found no room", totals.observed_beyond);
	metric_one(out, "sonnim_observed_bytes", "gauge", "Held of what was observed of sources",
	           totals.observed_bytes);
	metric_one(out, "sonnim_observed_bytes_max", "gauge", "Beyond it nothing new is noted",
	           OBSERVED_BYTES_MAX);
}

static void write_letters(struct buffer *out, const struct api *api)
{
	struct letters_counts          counts;
	const struct letters_settings *limits = letters_settings(api->config.letters);
	letters_counts(api->config.letters, &counts);
	metric_one(out, "sonnim_dead_letters_added_total", "counter", "Rejected events kept",
	           counts.added);
	metric_one(out, "sonnim_dead_letters_dropped_total", "counter",
	           "Rejected events not kept: too many at once, or the store took none",
	           counts.dropped);
	metric_one(out, "sonnim_dead_letters", "gauge", "Rejected events there are",
	           counts.stored.count);
	metric_one(out, "sonnim_dead_letters_bytes", "gauge", "Bytes of what they brought",
	           counts.stored.bytes);
	metric_one(out, "sonnim_dead_letters_source_max", "gauge", "Kept of each source",
	           (uint64_t)limits->count_max);
	metric_one(out, "sonnim_dead_letters_source_bytes_max", "gauge", "Bytes kept of each source",
	           limits->bytes_max);
	metric_one(out, "sonnim_dead_letters_retention_seconds", "gauge", "How long they are kept",
	           (uint64_t)(limits->retention_ms / 1000));
}

static void write_logins(struct buffer *out, const struct api *api)
{
	struct access_counts counts = access_counts(api->config.access);
	struct store        *store  = api->config.store;
	uint64_t             sessions;
	metric_one(out, "sonnim_logins_total", "counter", "People who were let in", counts.logins);
	metric_one(out, "sonnim_logins_refused_total", "counter", "Wrong address or password",
	           counts.refused);
	metric_one(out, "sonnim_logins_delayed_total", "counter",
	           "Attempts that came too early behind wrong ones", counts.delayed);
	metric_one(out, "sonnim_login_passwords_total", "counter", "Passwords that were compared",
	           counts.passwords);
	metric_one(out, "sonnim_login_passwords_waiting", "gauge",
	           "Passwords to be compared or hashed, one at a time",
	           (uint64_t)atomic_load(&api->password_count));
	metric_one(out, "sonnim_login_passwords_waiting_max", "gauge", "Beyond it logins get 429",
	           API_PASSWORDS_MAX);
	sso_write_metrics(api->sso, (unsigned)atomic_load(&api->sso_count), API_SSO_MAX, out);
	metric_one(out, "sonnim_login_refreshes_total", "counter", "Refresh tokens exchanged",
	           counts.refreshes);
	metric_one(out, "sonnim_login_reuses_total", "counter",
	           "Refresh tokens that came a second time, and ended their session", counts.reuses);
	if (store->ops->session_count(store, &sessions, NULL) == STATUS_OK)
		metric_one(out, "sonnim_sessions", "gauge", "Logins that are not over", sessions);
	mailer_write_metrics(api->mailer, out);
}

static void write_server(struct buffer *out, const struct api *api)
{
	struct http_server_counts counts = http_server_counts(api->server);
	metric_one(out, "sonnim_http_connections", "gauge", "Open connections", counts.connections);
	metric_one(out, "sonnim_http_connections_max", "gauge", "More wait in the kernel's queue",
	           counts.connections_max);
	metric_one(out, "sonnim_http_connections_refused_total", "counter",
	           "Connections of addresses that had as many as they may", counts.refused);
	metric_one(out, "sonnim_http_websockets", "gauge", "Open WebSockets", counts.websockets);
	metric_one(out, "sonnim_http_suspended", "gauge", "Requests waiting for their answer",
	           counts.suspended);
	metric_one(out, "sonnim_http_body_bytes", "gauge", "Held in request bodies",
	           counts.bodies_bytes);
	metric_one(out, "sonnim_http_body_bytes_max", "gauge", "Beyond it large bodies get 503",
	           counts.bodies_bytes_max);
	metric_one(out, "sonnim_http_uploads", "gauge", "Bodies that are on their way to a file",
	           counts.uploads);
	metric_one(out, "sonnim_http_timeouts_total", "counter",
	           "Connections closed since a request, or the next one, took too long to come",
	           counts.timeouts);
	metric_one(out, "sonnim_websocket_dropped_total", "counter",
	           "Messages replaced for slow readers", counts.websocket_dropped);
}

static void write_workspaces(struct buffer *out, const struct api *api)
{
	const struct api_workspaces *workspaces = api->config.workspaces;
	struct workspace_counts      counts;
	if (workspaces == NULL)
		return;
	workspaces->counts(workspaces->context, &counts);
	metric_one(out, "sonnim_workspaces", "gauge", "Workspaces besides the default one", counts.all);
	metric_one(out, "sonnim_workspaces_open", "gauge", "Of them those that run", counts.open);
	metric_one(out, "sonnim_workspaces_failed", "gauge",
	           "Of them those that could not be opened when they were last asked for",
	           counts.failed);
	metric_one(out, "sonnim_workspaces_memory_bytes", "gauge",
	           "Memory that those which run may hold, taken from the default one's",
	           counts.memory_bytes);
	metric_one(out, "sonnim_workspaces_opened_total", "counter", "Openings", counts.opened);
	metric_one(out, "sonnim_workspaces_closed_total", "counter", "Closings", counts.closed);
	metric_one(out, "sonnim_workspaces_refused_total", "counter",
	           "Requests that were answered 503 since their workspace was not open in time",
	           counts.refused);
}

/* One listener, or both. */
static void write_listener(struct buffer *out, const char *name, const struct http_server *server,
                           const char *listener, uint64_t value)
{
	if (server != NULL && http_server_tls(server) != NULL)
		buffer_printf(out, "%s{listener=\"%s\"} %" PRIu64 "\n", name, listener, value);
}

static void write_tls(struct buffer *out, const struct api *api)
{
	const struct http_server *servers[]   = {api->server, api->service};
	static const char *const  listeners[] = {"main", "service"};
	struct http_tls_counts    counts[2]   = {0};
	if (http_server_tls(api->server) == NULL)
		return;
	for (unsigned i = 0; i < 2; i++)
		if (servers[i] != NULL)
			counts[i] = http_tls_counts(http_server_tls(servers[i]));
	metric_head(out, "sonnim_tls_certificate_expires_seconds", "gauge",
	            "When the server's certificate ends, in seconds since 1970");
	for (unsigned i = 0; i < 2; i++)
		write_listener(out, "sonnim_tls_certificate_expires_seconds", servers[i], listeners[i],
		               (uint64_t)(counts[i].expires_ms / 1000));
	metric_head(out, "sonnim_tls_reloads_total", "counter", "Certificates that were read anew");
	for (unsigned i = 0; i < 2; i++)
		write_listener(out, "sonnim_tls_reloads_total", servers[i], listeners[i],
		               counts[i].reloads);
	metric_head(out, "sonnim_tls_reload_failures_total", "counter",
	            "Changed certificates that could not be used; the old ones stay");
	for (unsigned i = 0; i < 2; i++)
		write_listener(out, "sonnim_tls_reload_failures_total", servers[i], listeners[i],
		               counts[i].reload_failures);
	metric_head(out, "sonnim_tls_clients_refused_total", "counter",
	            "Handshakes of services whose certificate was not taken");
	for (unsigned i = 0; i < 2; i++)
		write_listener(out, "sonnim_tls_clients_refused_total", servers[i], listeners[i],
		               counts[i].clients_refused);
}

static void write_memory(struct buffer *out, const struct api *api, const struct engine_status *s)
{
	struct vault_status   vault;
	struct queries_status queries;
	uint64_t              sum = 0;
	vault_status(api->config.vault, &vault);
	queries_status(api->config.queries, &queries);
	metric_head(out, "sonnim_memory_bytes", "gauge", "What grows with data, by kind");
	for (unsigned i = 0; i < ENGINE_MEMORY_COUNT; i++) {
		sum += s->memory_bytes[i];
		buffer_printf(out, "sonnim_memory_bytes{kind=\"%s\"} %" PRIu64 "\n",
		              engine_memory_name((enum engine_memory)i), s->memory_bytes[i]);
	}
	buffer_printf(out, "sonnim_memory_bytes{kind=\"vault\"} %" PRIu64 "\n", vault.memory_bytes);
	buffer_printf(out, "sonnim_memory_bytes{kind=\"columns\"} %" PRIu64 "\n", queries.memory_bytes);
	metric_one(out, "sonnim_engine_memory_bytes", "gauge", "Of the engine, all kinds", sum);
	metric_one(out, "sonnim_memory_used_bytes", "gauge",
	           "What the limit is compared with: all kinds, and request bodies",
	           s->memory_used_bytes);
	metric_one(out, "sonnim_memory_limit_bytes", "gauge", "Collection answers 503 beyond it",
	           s->memory_limit_bytes);
	metric_one(out, "sonnim_memory_full", "gauge", "1 while collection answers 503 for it",
	           s->memory_full);
}

static void write_engine(struct buffer *out, const struct api *api)
{
	struct engine_status s;
	engine_status(api->config.engine, &s);
	struct journal *journal = api->config.journal;
	int64_t         lag_ms  = journal->ops->log_time_ms(journal) - s.clock_ms;
	metric_one(out, "sonnim_engine_replayed", "gauge",
	           "1 once everything there at start is applied", s.replayed);
	metric_one(out, "sonnim_engine_failed", "gauge", "1 when the journal could not be read",
	           s.failed);
	metric_one(out, "sonnim_engine_applied_position", "gauge", "Applied by every thread",
	           s.applied_position);
	metric_one(out, "sonnim_engine_lag_records", "gauge", "In the journal, not yet applied",
	           s.journal_position > s.applied_position ? s.journal_position - s.applied_position
	                                                   : 0);
	metric_real(out, "sonnim_engine_lag_seconds", "gauge", "Log time minus the slowest partition",
	            lag_ms > 0 ? (double)lag_ms / 1e3 : 0);
	metric_one(out, "sonnim_engine_persons", "gauge", "Persons", s.persons);
	metric_one(out, "sonnim_engine_events", "gauge", "Events stored", s.events);
	metric_one(out, "sonnim_engine_events_duplicate_total", "counter", "Dropped by dedupe",
	           s.events_duplicate);
	metric_one(out, "sonnim_mart_answers", "gauge", "Tables of the data mart on their way",
	           (uint64_t)atomic_load(&api->mart_count));
	metric_one(out, "sonnim_engine_events_enriched_total", "counter",
	           "That got fields of a product or a property", s.events_enriched);
	metric_head(out, "sonnim_dimension_rows", "gauge", "Rows of a dimension");
	for (unsigned i = 0; i < DIMENSION_COUNT; i++)
		buffer_printf(out, "sonnim_dimension_rows{dimension=\"%s\"} %" PRIu64 "\n",
		              dimension_table((enum dimension)i)->name, s.dimension_rows[i]);
	metric_one(out, "sonnim_engine_changes_total", "counter", "Entries of the change stream",
	           s.changes);
	metric_one(out, "sonnim_engine_timers_fired_total", "counter", "Timers fired", s.timers_fired);
	metric_real(out, "sonnim_engine_timer_late_max_seconds", "gauge",
	            "How far behind its instant a timer fired at most, since start",
	            s.timer_late_ms_max > 0 ? (double)s.timer_late_ms_max / 1e3 : 0);
	write_memory(out, api, &s);
}

static void write_events(struct buffer *out, const struct api *api)
{
	struct engine_status s;
	engine_status(api->config.engine, &s);
	const struct events_store_status *e = &s.stored;
	metric_one(out, "sonnim_events_parts", "gauge", "Files of the event store", e->parts);
	metric_one(out, "sonnim_events_bytes", "gauge", "Their bytes", e->bytes);
	metric_one(out, "sonnim_events_flushes_total", "counter", "Tails written to files since start",
	           e->flushes);
	metric_one(out, "sonnim_events_merges_total", "counter",
	           "Times that files were merged, rewritten or dropped since start", e->merges);
	metric_one(out, "sonnim_events_parts_to_rewrite", "gauge",
	           "Files whose columns other settings have chosen", e->parts_to_rewrite);
	metric_one(out, "sonnim_events_parts_with_erased", "gauge",
	           "Files that still hold events of erased persons, which nobody reads any more",
	           e->parts_forgotten);
	metric_one(out, "sonnim_events_parts_damaged", "gauge", "Files of which rows cannot be read",
	           e->parts_damaged);
	metric_one(out, "sonnim_events_failing", "gauge",
	           "1 while files cannot be written and events stay in memory", e->failing);
}

static void write_checkpoints(struct buffer *out, const struct api *api)
{
	struct engine_status s;
	engine_status(api->config.engine, &s);
	const struct checkpoints_status *c      = &s.checkpoints;
	int64_t                          age_ms = clock_wall_ms() - c->oldest_ms;
	metric_one(out, "sonnim_checkpoint_rounds_total", "counter",
	           "Checkpoints of partitions completed", c->rounds);
	metric_one(out, "sonnim_checkpoint_rounds_failed_total", "counter",
	           "Given up since definitions changed, or failed", c->rounds_failed);
	metric_one(out, "sonnim_checkpoint_failing", "gauge",
	           "1 when the last one could not be written", c->failing);
	metric_one(out, "sonnim_checkpoint_bytes_total", "counter",
	           "Written by checkpoints and the change stream since start", c->bytes);
	metric_real(out, "sonnim_checkpoint_duration_seconds", "gauge", "Of the last one completed",
	            (double)c->duration_ms / 1e3);
	if (c->oldest_ms != INSTANT_MS_NONE)
		metric_real(out, "sonnim_checkpoint_age_seconds", "gauge",
		            "Of the oldest of the partitions' newest ones",
		            age_ms > 0 ? (double)age_ms / 1e3 : 0);
	metric_real(out, "sonnim_checkpoint_pause_max_seconds", "gauge",
	            "How long one held up its partition's thread at most, since start",
	            (double)c->pause_us_max / 1e6);
	metric_one(out, "sonnim_checkpoint_needed_after_position", "gauge",
	           "The journal before it is needed by no checkpoint", c->needed_after);
	metric_one(out, "sonnim_checkpoint_damaged", "gauge", "Found damaged at start", c->damaged);
	metric_one(out, "sonnim_replay_records", "gauge", "Read from the journal at start",
	           s.replay_records);
	metric_real(out, "sonnim_replay_seconds", "gauge", "From the start until all was applied",
	            (double)s.replay_ms / 1e3);
}

static void write_journal(struct buffer *out, const struct api *api)
{
	struct journal        *journal = api->config.journal;
	struct file_log_status s;
	file_log_status(journal, &s);
	metric_one(out, "sonnim_journal_position", "gauge", "Of the last durable record",
	           journal->ops->position(journal));
	metric_one(out, "sonnim_journal_first_position", "gauge", "Of the first record that is kept",
	           s.first_position);
	metric_one(out, "sonnim_journal_needed_position", "gauge",
	           "What lies before it is deleted once it is old", s.needed_position);
	metric_one(out, "sonnim_journal_files", "gauge", "Files", s.files);
	metric_one(out, "sonnim_journal_files_compressed", "gauge", "Files that are compressed",
	           s.files_packed);
	metric_one(out, "sonnim_journal_disk_bytes", "gauge", "That all files take", s.disk_bytes);
	metric_one(out, "sonnim_journal_files_deleted_total", "counter", "Since start",
	           s.files_deleted);
	metric_one(out, "sonnim_journal_compressed_bytes_total", "counter",
	           "Of files compressed since start", s.bytes_packed);
	metric_one(out, "sonnim_journal_compressed_to_bytes_total", "counter", "What became of them",
	           s.bytes_packed_to);
	metric_one(out, "sonnim_journal_keeping_failures_total", "counter",
	           "Files that could not be compressed or deleted, since start", s.keeping_failures);
	metric_one(out, "sonnim_journal_failed", "gauge", "1 after a failed write or sync", s.failed);
	metric_one(out, "sonnim_journal_full", "gauge", "1 while the disk is full", s.full);
	metric_one(out, "sonnim_journal_clock_held", "gauge",
	           "1 while a jump of the clock is not followed", s.clock_held);
	metric_one(out, "sonnim_journal_frames_total", "counter", "Group commits since start",
	           s.frames);
	metric_one(out, "sonnim_journal_bytes_total", "counter", "Written since start", s.bytes);
	metric_one(out, "sonnim_journal_records_total", "counter", "Written since start", s.records);
	metric_one(out, "sonnim_journal_queue_bytes", "gauge", "Waiting for the next group commit",
	           s.queue_bytes);
	metric_real(out, "sonnim_journal_sync_seconds_total", "counter", "Time spent in sync",
	            (double)s.sync_ns_total / 1e9);
}

static void write_vault(struct buffer *out, const struct api *api)
{
	struct vault_status s;
	vault_status(api->config.vault, &s);
	metric_one(out, "sonnim_vault_persons", "gauge", "Persons", s.persons);
	metric_one(out, "sonnim_vault_links", "gauge", "Visitors linked to users", s.links);
	metric_one(out, "sonnim_vault_memory_bytes", "gauge", "Memory", s.memory_bytes);
	metric_one(out, "sonnim_vault_failed", "gauge", "1 after a failed write", s.failed);
}

static void write_queries(struct buffer *out, const struct api *api)
{
	struct queries_status s;
	queries_status(api->config.queries, &s);
	metric_one(out, "sonnim_query_started_total", "counter", "Questions about all persons",
	           s.started);
	metric_one(out, "sonnim_query_running", "gauge", "Of these, under way", s.running);
	metric_one(out, "sonnim_query_persons_scanned_total", "counter",
	           "Persons whose stored events were looked at for a part of a question",
	           s.persons_scanned);
	metric_one(out, "sonnim_query_persons_asked_total", "counter",
	           "Persons who were asked one by one, or by a segment's bitmap", s.persons_asked);
	metric_one(out, "sonnim_query_columns", "gauge", "Columns of traits and metrics", s.columns);
	metric_one(out, "sonnim_query_columns_built", "gauge",
	           "Of these, built in the partition that has the fewest", s.columns_built);
	metric_one(out, "sonnim_query_memory_bytes_max", "gauge",
	           "New columns are refused beyond it, and new strings not told apart",
	           s.memory_bytes_max);
}

/* Of the process and its listeners, which are no workspace's own: with those of home. */
static void write_of_server(struct buffer *out, const struct api *api)
{
	metrics_write_process(out, api);
	write_server(out, api);
	write_workspaces(out, api);
	write_tls(out, api);
}

static void write_all(struct api_call *call)
{
	const struct api *api = call->api;
	struct buffer     out = {0};
	metrics_write_workspace(&out, api);
	if (api_is_home(api))
		write_of_server(&out, api);
	write_http(&out, api->metrics);
	write_ingest(&out, api->metrics);
	write_sources(&out, api);
	write_letters(&out, api);
	write_logins(&out, api);
	call_limit_write_metrics(api, &out);
	write_engine(&out, api);
	write_events(&out, api);
	write_checkpoints(&out, api);
	write_journal(&out, api);
	write_vault(&out, api);
	write_queries(&out, api);
	consumers_write_metrics(&out, call->api);
	if (api_is_open(api))
		audiences_write_metrics(api->audiences, &out);
	filter_set_write_metrics(api->filters, &out);
	jobs_write_metrics(call->api->config.jobs, &out);
	retention_write_metrics(call->api->config.retention, &out);
	audit_write_metrics(call->api->config.audit, &out);
	if (api->config.backups != NULL)
		api->config.backups->write_metrics(api->config.backups->context, &out);

	struct http_request *request = call->request;
	call_end(call);
	http_respond(request, 200, "text/plain; version=0.0.4; charset=utf-8", &out);
}

void metrics_get(struct api_call *call) { call_on_worker(call, write_all); }
