/* `sonnim import` and `sonnim simulate` against a server that answers as the test wants. */

#include "app/command/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/vector.h"
#include "http/router.h"

enum { ARGUMENTS_MAX = 24, OUTPUT_BYTES_MAX = 1 << 16 };

struct fixture {
	struct http_settings settings;
	struct http_route    routes[3];
	struct http_router  *router;
	struct http_server  *server;
	char                 url[64];
	char                 directory[64];

	pthread_mutex_t lock;
	VECTOR(struct buffer) bodies; /* of POST /v1/batch, with those that were refused */
	char     authorization[256];  /* of the last */
	unsigned refusals;            /* so many of the next are answered with `refusal` */
	unsigned refusal;
	size_t   body_bytes_max; /* longer ones are 413; 0: none */
	char     answer[1024];   /* of those that are taken; "" a plain success */
	unsigned sources_made;
	bool     source_there;

	char out[OUTPUT_BYTES_MAX]; /* of the last command */
	char err[OUTPUT_BYTES_MAX];
};

/* ---- The server ---- */

static unsigned decide(struct fixture *fixture, struct text body)
{
	if (fixture->refusals > 0) {
		fixture->refusals--;
		return fixture->refusal;
	}
	return fixture->body_bytes_max > 0 && body.length > fixture->body_bytes_max ? 413 : 200;
}

static void take_batch(struct http_request *request, void *user)
{
	struct fixture *fixture = user;
	struct text     body    = http_body(request), header;
	struct buffer   kept = {0}, answer = {0};
	pthread_mutex_lock(&fixture->lock);
	buffer_add_text(&kept, body);
	buffer_add_u8(&kept, '\0');
	VECTOR_ADD(&fixture->bodies, kept);
	if (http_header(request, "Authorization", &header))
		snprintf(fixture->authorization, sizeof fixture->authorization, "%.*s",
		         TEXT_FORMAT(header));
	unsigned status = decide(fixture, body);
	if (status == 200)
		buffer_printf(&answer, "%s", fixture->answer[0] ? fixture->answer : "{\"success\":true}");
	else
		buffer_printf(&answer, "{\"error\":{\"code\":\"X\",\"message\":\"not like this\"}}");
	pthread_mutex_unlock(&fixture->lock);
	if (status == 503 || status == 429)
		http_add_header(request, "Retry-After", TEXT("0"));
	http_add_header(request, "X-Sonnim-Position", TEXT("p9"));
	http_respond(request, status, "application/json", &answer);
}

static void list_sources(struct http_request *request, void *user)
{
	struct fixture *fixture = user;
	http_respond_static(request, 200, "application/json",
	                    fixture->source_there
	                        ? TEXT("{\"items\":[{\"name\":\"other\",\"writeKey\":\"no\"},"
	                               "{\"name\":\"import\",\"writeKey\":\"found\"}]}")
	                        : TEXT("{\"items\":[]}"));
}

static void make_source(struct http_request *request, void *user)
{
	((struct fixture *)user)->sources_made++;
	http_respond_static(request, 201, "application/json",
	                    TEXT("{\"name\":\"import\",\"writeKey\":\"made\"}"));
}

/* ---- The fixture ---- */

static int new_fixture(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	struct error    err;
	struct settings sets = http_settings_of(&fixture->settings);
	assert_int_equal(settings_load(&sets, 1, &err), STATUS_OK);
	free(fixture->settings.listen);
	fixture->settings.listen  = strdup("127.0.0.1:0");
	fixture->settings.threads = 1;
	pthread_mutex_init(&fixture->lock, NULL);

	fixture->routes[0] = (struct http_route){"POST", "/v1/batch", take_batch, fixture};
	fixture->routes[1] = (struct http_route){"GET", "/api/v1/sources", list_sources, fixture};
	fixture->routes[2] = (struct http_route){"POST", "/api/v1/sources", make_source, fixture};
	fixture->router    = http_router_new();
	http_router_add(fixture->router, "", fixture->routes, 3);
	struct http_server_config config = {.settings = &fixture->settings, .router = fixture->router};
	assert_int_equal(http_server_start(&config, &fixture->server, &err), STATUS_OK);
	snprintf(fixture->url, sizeof fixture->url, "http://%s/", http_server_address(fixture->server));
	snprintf(fixture->directory, sizeof fixture->directory, "/tmp/test_import.XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	assert_int_equal(chdir(fixture->directory), 0);
	*state = fixture;
	return 0;
}

static int free_fixture(void **state)
{
	struct fixture *fixture = *state;
	struct settings sets    = http_settings_of(&fixture->settings);
	http_server_free(fixture->server);
	http_router_free(fixture->router);
	settings_done(&sets, 1);
	for (size_t i = 0; i < fixture->bodies.count; i++)
		buffer_done(&fixture->bodies.items[i]);
	VECTOR_DONE(&fixture->bodies);
	static const char *const files[] = {"rows.csv", "rows.jsonl", "rejects", "key", "out", "err"};
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		unlink(files[i]);
	assert_int_equal(chdir("/tmp"), 0);
	rmdir(fixture->directory);
	pthread_mutex_destroy(&fixture->lock);
	free(fixture);
	return 0;
}

static void write_file(const char *name, const char *content)
{
	FILE *file = fopen(name, "w");
	assert_non_null(file);
	fputs(content, file);
	fclose(file);
}

static void read_file(const char *name, char into[OUTPUT_BYTES_MAX])
{
	FILE *file = fopen(name, "r");
	assert_non_null(file);
	into[fread(into, 1, OUTPUT_BYTES_MAX - 1, file)] = '\0';
	fclose(file);
}

static int redirect(FILE *stream, const char *path)
{
	fflush(stream);
	int kept = dup(fileno(stream));
	assert_non_null(freopen(path, "w", stream));
	return kept;
}

static void restore(FILE *stream, int kept)
{
	fflush(stream);
	assert_true(dup2(kept, fileno(stream)) >= 0);
	close(kept);
}

/* Runs one command line, words between spaces; "URL" stands for the server's. */
static enum exit_code run(void **state, const char *line)
{
	struct fixture *fixture = *state;
	char            words[1024], *argv[ARGUMENTS_MAX] = {NULL}, *rest = NULL;
	int             argc = 0;
	snprintf(words, sizeof words, "sonnim %s", line);
	for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		assert_true(argc < ARGUMENTS_MAX - 1);
		argv[argc++] = strcmp(word, "URL") == 0 ? fixture->url : word;
	}
	int            out  = redirect(stdout, "out");
	int            err  = redirect(stderr, "err");
	enum exit_code code = command_main(argc, argv);
	restore(stdout, out);
	restore(stderr, err);
	read_file("out", fixture->out);
	read_file("err", fixture->err);
	return code;
}

static void assert_says(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static const char *body(void **state, size_t index)
{
	struct fixture *fixture = *state;
	assert_true(index < fixture->bodies.count);
	return fixture->bodies.items[index].data;
}

static size_t body_count(void **state) { return ((struct fixture *)*state)->bodies.count; }

#define ROW(id) "{\"type\":\"track\",\"messageId\":\"" id "\",\"userId\":\"u\",\"event\":\"e\"}"

/* ---- Import ---- */

static void rows_are_sent_in_order_and_in_batches_with_the_write_key(void **state)
{
	write_file("rows.jsonl", ROW("1") "\n" ROW("2") "\n" ROW("3") "\n");
	assert_int_equal(run(state, "import rows.jsonl --url URL --write-key k --batch 2"), EXIT_DONE);
	assert_int_equal(body_count(state), 2);
	assert_string_equal(body(state, 0), "{\"batch\":[" ROW("1") "," ROW("2") "]}");
	assert_string_equal(body(state, 1), "{\"batch\":[" ROW("3") "]}");
	assert_string_equal(((struct fixture *)*state)->authorization, "Basic azo=");
	assert_says(((struct fixture *)*state)->out, "3 rows read, 3 accepted, 0 rejected");
}

static void the_write_key_may_stand_in_a_file(void **state)
{
	write_file("key", "k\n");
	write_file("rows.jsonl", ROW("1"));
	assert_int_equal(run(state, "import rows.jsonl --url URL --write-key-file key"), EXIT_DONE);
	assert_string_equal(((struct fixture *)*state)->authorization, "Basic azo=");
}

static void a_token_finds_the_source_or_makes_it(void **state)
{
	struct fixture *fixture = *state;
	write_file("rows.jsonl", ROW("1"));
	assert_int_equal(run(state, "import rows.jsonl --url URL --token t"), EXIT_DONE);
	assert_int_equal(fixture->sources_made, 1);
	assert_string_equal(fixture->authorization, "Basic bWFkZTo=");
	fixture->source_there = true;
	assert_int_equal(run(state, "import rows.jsonl --url URL --token t"), EXIT_DONE);
	assert_int_equal(fixture->sources_made, 1);
	assert_string_equal(fixture->authorization, "Basic Zm91bmQ6");
}

static void without_key_and_token_it_is_wrong_usage(void **state)
{
	write_file("rows.jsonl", ROW("1"));
	assert_int_equal(run(state, "import rows.jsonl --url URL"), EXIT_USAGE);
}

static void a_server_that_asks_for_patience_gets_the_same_rows_again(void **state)
{
	struct fixture *fixture = *state;
	fixture->refusals       = 2;
	fixture->refusal        = 503;
	write_file("rows.jsonl", ROW("1"));
	assert_int_equal(run(state, "import rows.jsonl --url URL --write-key k --json"), EXIT_DONE);
	assert_int_equal(body_count(state), 3);
	assert_string_equal(body(state, 0), body(state, 2));
	assert_says(fixture->out, "\"rows\":1,\"accepted\":1,\"rejected\":0,\"retries\":2");
	assert_says(fixture->out, "\"position\":\"p9\"");
}

static void a_server_that_stays_full_is_given_up(void **state)
{
	struct fixture *fixture = *state;
	fixture->refusals       = 1000000;
	fixture->refusal        = 429;
	write_file("rows.jsonl", ROW("1"));
	assert_int_equal(run(state, "import rows.jsonl --url URL --write-key k --retry 1s"),
	                 EXIT_UNREACHABLE);
	assert_says(fixture->out, "1 rows read, 0 accepted, 0 rejected");
}

static void no_server_is_exit_code_3(void **state)
{
	write_file("rows.jsonl", ROW("1"));
	assert_int_equal(
		run(state, "import rows.jsonl --url http://127.0.0.1:1 --write-key k --retry 0s"),
		EXIT_UNREACHABLE);
	assert_says(((struct fixture *)*state)->err, "127.0.0.1:1");
}

static void a_refused_key_is_exit_code_1_with_the_servers_words(void **state)
{
	struct fixture *fixture = *state;
	fixture->refusals       = 1;
	fixture->refusal        = 401;
	write_file("rows.jsonl", ROW("1"));
	assert_int_equal(run(state, "import rows.jsonl --url URL --write-key k"), EXIT_REFUSED);
	assert_says(fixture->err, "401: not like this");
}

static void bad_rows_are_named_with_line_and_reason_and_kept(void **state)
{
	struct fixture *fixture = *state;
	char            rejects[OUTPUT_BYTES_MAX];
	snprintf(fixture->answer, sizeof fixture->answer,
	         "{\"success\":true,\"rejected\":[{\"index\":1,\"code\":\"TOO_OLD\","
	         "\"message\":\"too old\"},{\"index\":99}]}");
	write_file("rows.csv", "userId,event,messageId,n\nu,e,1,5\nu,e,2,five\nu,e,3,6\n");
	assert_int_equal(run(state, "import rows.csv --url URL --write-key k --rejects rejects "
	                            "--map properties.n=n:number"),
	                 EXIT_REFUSED);
	assert_says(fixture->err, "line 3: n: \"five\" is not a number");
	assert_says(fixture->err, "line 4: TOO_OLD: too old");
	assert_says(fixture->out, "3 rows read, 1 accepted, 2 rejected");
	read_file("rejects", rejects);
	assert_string_equal(rejects, "{\"line\":3,\"reason\":\"n: \\\"five\\\" is not a number\","
	                             "\"row\":\"u,e,2,five\"}\n"
	                             "{\"line\":4,\"code\":\"TOO_OLD\",\"reason\":\"too old\","
	                             "\"row\":\"u,e,3,6\"}\n");
}

static void a_body_that_is_too_large_is_sent_in_halves(void **state)
{
	struct fixture *fixture = *state;
	fixture->body_bytes_max = sizeof "{\"batch\":[" ROW("1") "]}";
	write_file("rows.jsonl",
	           ROW("1") "\n" ROW("2") "\n"
	                                  "{\"type\":\"track\",\"messageId\":\"3\",\"userId\":"
	                                  "\"uuuuuuuuuuuuuuuuuuuuuuuuuuuu\"}\n");
	assert_int_equal(run(state, "import rows.jsonl --url URL --write-key k"), EXIT_REFUSED);
	assert_says(fixture->err, "line 3: PAYLOAD_TOO_LARGE");
	assert_says(fixture->out, "3 rows read, 2 accepted, 1 rejected");
}

static void a_dry_run_prints_and_sends_nothing(void **state)
{
	write_file("rows.csv", "userId,event,messageId\nu,e,1\n");
	assert_int_equal(run(state, "import rows.csv --dry-run"), EXIT_DONE);
	assert_string_equal(((struct fixture *)*state)->out,
	                    "{\"userId\":\"u\",\"event\":\"e\",\"messageId\":\"1\","
	                    "\"type\":\"track\"}\n");
	assert_int_equal(body_count(state), 0);
}

static void ignored_columns_are_named(void **state)
{
	write_file("rows.csv", "userId,event,color\nu,e,red\n");
	assert_int_equal(run(state, "import rows.csv --url URL --write-key k"), EXIT_DONE);
	assert_says(((struct fixture *)*state)->out, "columns ignored: color");
}

static void wrong_usage_is_exit_code_2(void **state)
{
	static const char *const lines[] = {
		"import",
		"import a b --dry-run",
		"import there-is-no-such-file --dry-run",
		"import rows.csv --dry-run --type nothing",
		"import rows.csv --dry-run --format xml",
		"import rows.csv --dry-run --rest somewhere",
		"import rows.csv --dry-run --delimiter ab",
		"import rows.csv --dry-run --map user=x",
		"import rows.csv --dry-run --map userId=nobody",
		"import rows.csv --dry-run --set event",
		"import rows.csv --dry-run --batch 0",
		"import rows.csv --dry-run --no-such-flag",
		"import rows.csv --dry-run --map-file no-such-file",
		"import rows.csv --dry-run --rejects /no/such/directory/file",
	};
	write_file("rows.csv", "userId,event\nu,e\n");
	assert_int_equal(run(state, "import rows.csv --dry-run"), EXIT_DONE);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		if (run(state, lines[i]) != EXIT_USAGE)
			fail_msg("%s", lines[i]);
		assert_says(((struct fixture *)*state)->err, "sonnim import: ");
	}
}

static void help_is_printed(void **state)
{
	assert_int_equal(run(state, "import --help"), EXIT_DONE);
	assert_says(((struct fixture *)*state)->out, "--map FIELD=COLUMN");
	assert_int_equal(run(state, "simulate --help"), EXIT_DONE);
	assert_says(((struct fixture *)*state)->out, "--seed");
}

/* ---- Simulate ---- */

static void a_simulation_sends_its_messages_and_ends(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(run(state, "simulate --url URL --write-key k --rate 100 --duration 10s "
	                            "--speed 0 --batch 50 --json"),
	                 EXIT_DONE);
	assert_true(body_count(state) > 2);
	assert_true(text_starts_with(text_of(body(state, 0)), TEXT("{\"batch\":[{\"type\":")));
	assert_says(fixture->out, "\"rejected\":0,\"retries\":0");
}

static void a_simulation_with_the_same_begin_and_seed_is_the_same(void **state)
{
	struct fixture *fixture = *state;
	const char     *line = "simulate --dry-run --seed 5 --start 2025-01-07 --duration 3s --speed 0";
	char           *first;
	assert_int_equal(run(state, line), EXIT_DONE);
	first = strdup(fixture->out);
	assert_true(strlen(first) > 100);
	assert_int_equal(run(state, line), EXIT_DONE);
	assert_string_equal(fixture->out, first);
	free(first);
}

static void a_simulation_tells_wrong_usage_rejections_and_a_missing_server_apart(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(run(state, "simulate --url URL --write-key k --speed 0"), EXIT_USAGE);
	assert_int_equal(run(state, "simulate --url URL --write-key k --start someday"), EXIT_USAGE);
	assert_int_equal(run(state, "simulate --url URL --write-key k now"), EXIT_USAGE);
	assert_int_equal(run(state, "simulate --url http://127.0.0.1:1 --write-key k --retry 0s"),
	                 EXIT_UNREACHABLE);
	snprintf(fixture->answer, sizeof fixture->answer, "{\"rejected\":[{\"index\":0}]}");
	assert_int_equal(run(state, "simulate --url URL --write-key k --duration 2s --speed 0"),
	                 EXIT_REFUSED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_fixture, free_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_are_sent_in_order_and_in_batches_with_the_write_key),
		TEST(the_write_key_may_stand_in_a_file),
		TEST(a_token_finds_the_source_or_makes_it),
		TEST(without_key_and_token_it_is_wrong_usage),
		TEST(a_server_that_asks_for_patience_gets_the_same_rows_again),
		TEST(a_server_that_stays_full_is_given_up),
		TEST(no_server_is_exit_code_3),
		TEST(a_refused_key_is_exit_code_1_with_the_servers_words),
		TEST(bad_rows_are_named_with_line_and_reason_and_kept),
		TEST(a_body_that_is_too_large_is_sent_in_halves),
		TEST(a_dry_run_prints_and_sends_nothing),
		TEST(ignored_columns_are_named),
		TEST(wrong_usage_is_exit_code_2),
		TEST(help_is_printed),
		TEST(a_simulation_sends_its_messages_and_ends),
		TEST(a_simulation_with_the_same_begin_and_seed_is_the_same),
		TEST(a_simulation_tells_wrong_usage_rejections_and_a_missing_server_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
