/* `sonnim import`, `export` and `simulate` against a server that answers as the test wants. */

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
	struct http_route    routes[6];
	struct http_router  *router;
	struct http_server  *server;
	char                 url[64];
	char                 directory[64];

	pthread_mutex_t lock;
	VECTOR(struct buffer) bodies;   /* of POST /v1/batch, with those that were refused */
	char        authorization[256]; /* of the last */
	unsigned    refusals;           /* so many of the next are answered with `refusal` */
	unsigned    refusal;
	size_t      body_bytes_max; /* longer ones are 413; 0: none */
	char        answer[1024];   /* of those that are taken; "" a plain success */
	unsigned    sources_made;
	char        query[256]; /* of POST /api/v1/imports */
	const char *result;     /* of the job */
	const char *failure;    /* NULL: it is done */
	bool        source_there;

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

static void take_import(struct http_request *request, void *user)
{
	struct fixture *fixture = user;
	struct text     body    = http_body(request), name, value, header;
	struct buffer   kept = {0}, query = {0};
	buffer_add_text(&kept, body);
	buffer_add_u8(&kept, '\0');
	for (size_t i = 0; i < http_query_count(request); i++) {
		http_query_at(request, i, &name, &value);
		buffer_printf(&query, "%.*s=%.*s ", TEXT_FORMAT(name), TEXT_FORMAT(value));
	}
	pthread_mutex_lock(&fixture->lock);
	VECTOR_ADD(&fixture->bodies, kept);
	snprintf(fixture->query, sizeof fixture->query, "%.*s", (int)query.length, query.data);
	if (http_header(request, "Authorization", &header))
		snprintf(fixture->authorization, sizeof fixture->authorization, "%.*s",
		         TEXT_FORMAT(header));
	pthread_mutex_unlock(&fixture->lock);
	buffer_done(&query);
	http_respond_static(request, 202, "application/json",
	                    TEXT("{\"id\":\"j1\",\"state\":\"queued\"}"));
}

static void get_job(struct http_request *request, void *user)
{
	struct fixture *fixture = user;
	struct buffer   answer  = {0};
	pthread_mutex_lock(&fixture->lock);
	unsigned status = decide(fixture, TEXT(""));
	pthread_mutex_unlock(&fixture->lock);
	if (status != 200)
		buffer_printf(&answer, "{\"error\":{\"code\":\"X\",\"message\":\"not now\"}}");
	else if (fixture->failure != NULL)
		buffer_printf(&answer,
		              "{\"id\":\"j1\",\"state\":\"failed\",\"error\":{\"message\":\"%s\"}}",
		              fixture->failure);
	else
		buffer_printf(&answer, "{\"id\":\"j1\",\"state\":\"done\",\"result\":%s}", fixture->result);
	http_respond(request, status, "application/json", &answer);
}

static void get_rejected(struct http_request *request, void *user)
{
	(void)user;
	http_respond_static(request, 200, "application/x-ndjson", TEXT("{\"line\":3}\n"));
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
	fixture->routes[3] = (struct http_route){"POST", "/api/v1/imports", take_import, fixture};
	fixture->routes[4] = (struct http_route){"GET", "/api/v1/jobs/{id}", get_job, fixture};
	fixture->routes[5] =
		(struct http_route){"GET", "/api/v1/imports/{id}/rejected", get_rejected, fixture};
	http_router_add(fixture->router, "", fixture->routes, 6);
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

static void a_file_is_sent_whole_with_its_mapping_and_the_result_printed(void **state)
{
	struct fixture *fixture = *state;
	fixture->result         = "{\"rows\":3,\"accepted\":3,\"rejected\":0,\"mistakes\":[],"
							  "\"ignoredColumns\":\"color\"}";
	write_file("rows.csv", "userId,color\nu,red\n");
	write_file("key",
	           "{\"map\":{\"properties.a\":\"x\"},\"set\":{\"event\":\"f\"},\"zone\":\"UTC\"}");
	assert_int_equal(run(state, "import rows.csv --url URL --token t --map-file key "
	                            "--map properties.b=y:number --set event=e --zone Asia/Seoul"),
	                 EXIT_DONE);
	assert_int_equal(body_count(state), 1);
	assert_string_equal(fixture->authorization, "Bearer t");
	assert_says(fixture->query, "dryRun=false");
	assert_says(fixture->query, "name=rows.csv");
	const char *sent = body(state, 0);
	assert_says(sent, "name=\"mapping\"\r\n\r\n{\"map\":{\"properties.a\":\"x\",\"properties.b\":"
	                  "\"y:number\"},\"set\":{\"event\":\"f\",\"event\":\"e\"},\"zone\":\"UTC\","
	                  "\"zone\":\"Asia/Seoul\"}\r\n--");
	assert_says(sent, "\r\n\r\nuserId,color\nu,red\n\r\n--");
	assert_says(fixture->out, "3 rows read, 3 accepted, 0 rejected");
	assert_says(fixture->out, "columns ignored: color");
}

static void rejected_rows_are_told_by_mistake_and_kept_in_a_file(void **state)
{
	struct fixture *fixture = *state;
	char            rejects[OUTPUT_BYTES_MAX];
	fixture->result =
		"{\"rows\":3,\"accepted\":1,\"rejected\":2,\"mistakes\":[{\"code\":\"TOO_OLD\","
		"\"reason\":\"too old\",\"rows\":2,\"lines\":[3,4]}]}";
	write_file("rows.csv", "userId,event\nu,e\n");
	assert_int_equal(run(state, "import rows.csv --url URL --token t --rejects rejects"),
	                 EXIT_REFUSED);
	assert_says(fixture->err, "2 rows: TOO_OLD: too old (line 3 4)");
	assert_says(fixture->out, "3 rows read, 1 accepted, 2 rejected");
	read_file("rejects", rejects);
	assert_string_equal(rejects, "{\"line\":3}\n");
}

static void a_job_that_fails_is_exit_code_1_with_its_reason(void **state)
{
	struct fixture *fixture = *state;
	fixture->failure        = "no room on the disk";
	write_file("rows.csv", "userId,event\nu,e\n");
	assert_int_equal(run(state, "import rows.csv --url URL --token t"), EXIT_REFUSED);
	assert_says(fixture->err, "failed: no room on the disk");
}

static void a_server_that_restarts_is_asked_again(void **state)
{
	struct fixture *fixture = *state;
	fixture->result         = "{\"rows\":1,\"accepted\":1,\"rejected\":0}";
	fixture->refusals       = 2;
	fixture->refusal        = 503;
	write_file("rows.csv", "userId,event\nu,e\n");
	assert_int_equal(run(state, "import rows.csv --url URL --token t --json"), EXIT_DONE);
	assert_says(fixture->out, "\"rows\":1,\"accepted\":1");
}

static void no_server_is_exit_code_3(void **state)
{
	write_file("rows.jsonl", ROW("1"));
	assert_int_equal(run(state, "import rows.jsonl --url http://127.0.0.1:1 --token t --retry 0s"),
	                 EXIT_UNREACHABLE);
	assert_says(((struct fixture *)*state)->err, "127.0.0.1:1");
}

static void wrong_usage_is_exit_code_2(void **state)
{
	static const char *const lines[] = {
		"import",
		"import a b",
		"import there-is-no-such-file",
		"import rows.csv --type nothing",
		"import rows.csv --format xml",
		"import rows.csv --rest somewhere",
		"import rows.csv --delimiter ab",
		"import rows.csv --map user=x",
		"import rows.csv --set event",
		"import rows.csv --zone Mars",
		"import rows.csv --order backwards",
		"import rows.csv --no-such-flag",
		"import rows.csv --map-file no-such-file",
		"export",
		"export everything",
	};
	write_file("rows.csv", "userId,event\nu,e\n");
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		char line[200];
		snprintf(line, sizeof line, "%s --url URL --token t", lines[i]);
		if (run(state, line) != EXIT_USAGE)
			fail_msg("%s", lines[i]);
		assert_says(((struct fixture *)*state)->err, "sonnim ");
	}
	assert_int_equal(body_count(state), 0);
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
		TEST(a_file_is_sent_whole_with_its_mapping_and_the_result_printed),
		TEST(rejected_rows_are_told_by_mistake_and_kept_in_a_file),
		TEST(a_job_that_fails_is_exit_code_1_with_its_reason),
		TEST(a_server_that_restarts_is_asked_again),
		TEST(no_server_is_exit_code_3),
		TEST(wrong_usage_is_exit_code_2),
		TEST(help_is_printed),
		TEST(a_simulation_sends_its_messages_and_ends),
		TEST(a_simulation_with_the_same_begin_and_seed_is_the_same),
		TEST(a_simulation_tells_wrong_usage_rejections_and_a_missing_server_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
