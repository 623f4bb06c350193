/* Bodies that go to files, and answers that come from them. */

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

#define HOST "Host: t\r\n"

enum { BYTES_MAX = 6 << 20 };

static int         file = -1;
static atomic_uint received_count, open_at_once = 1;
static enum status last_status;

static int new_file(void)
{
	char path[] = "/tmp/test_upload.XXXXXX";
	int  fd     = mkstemp(path);
	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

static int init(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	fixture_init(*state);
	file = new_file();
	atomic_store(&received_count, 0);
	return 0;
}

static int done(void **state)
{
	fixture_done(*state);
	free(*state);
	close(file);
	return 0;
}

static void received(struct http_request *request, void *context, enum status status,
                     uint64_t bytes, const struct error *err)
{
	struct buffer body = {0};
	(void)context;
	last_status = status;
	atomic_fetch_add(&received_count, 1);
	if (status != STATUS_OK) {
		http_respond_error(request, status == STATUS_TOO_LARGE ? 413 : 500, err);
		return;
	}
	buffer_printf(&body, "%llu", (unsigned long long)bytes);
	http_respond(request, 200, "text/plain", &body);
}

static void *go_ahead(void *request)
{
	sleep_ms(30);
	http_receive(request, file, BYTES_MAX, received, NULL);
	return NULL;
}

static void take(struct http_request *request, void *user)
{
	pthread_t thread;
	(void)user;
	http_suspend(request);
	if (atomic_load(&open_at_once)) {
		http_receive(request, file, BYTES_MAX, received, NULL);
		return;
	}
	assert_int_equal(pthread_create(&thread, NULL, go_ahead, request), 0);
	pthread_detach(thread);
}

static void refuse(struct http_request *request, void *user)
{
	(void)user;
	http_respond_static(request, 401, "text/plain", TEXT("no"));
}

static void *refuse_later(void *request)
{
	sleep_ms(30);
	http_respond_static(request, 401, "text/plain", TEXT("no"));
	return NULL;
}

static void suspend_and_refuse(struct http_request *request, void *user)
{
	pthread_t thread;
	(void)user;
	http_suspend(request);
	assert_int_equal(pthread_create(&thread, NULL, refuse_later, request), 0);
	pthread_detach(thread);
}

static void respond_with_file(struct http_request *request, void *user)
{
	struct stat info;
	(void)user;
	fstat(file, &info);
	http_respond_file(request, 200, "application/octet-stream", dup(file), (uint64_t)info.st_size);
}

static void start(void **state)
{
	FIXTURE_START(*state, {"POST", "/take", take, NULL, true},
	              {"POST", "/refuse", refuse, NULL, true},
	              {"POST", "/later", suspend_and_refuse, NULL, true},
	              {"GET", "/file", respond_with_file, NULL}, {"GET", "/", answer_ok, NULL});
}

static void fill(char *body, size_t length)
{
	for (size_t i = 0; i < length; i++)
		body[i] = (char)(i * 31 + i / 977);
}

static void assert_file_is(const char *body, size_t length)
{
	char *read = malloc(length + 1);
	assert_int_equal(pread(file, read, length + 1, 0), length);
	assert_memory_equal(read, body, length);
	free(read);
}

static void upload(struct peer *peer, const char *path, const char *body, size_t length,
                   unsigned status)
{
	char         head[200];
	struct reply reply;
	snprintf(head, sizeof head, "POST %s HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", path,
	         length);
	peer_say(peer, head);
	peer_send(peer, body, length);
	exchange(peer, "", status, &reply);
	reply_done(&reply);
}

static void bodies_of_any_size_reach_the_file_whole(void **state)
{
	static const size_t sizes[] = {0, 1, 4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 20};
	char               *body    = malloc(5 << 20);
	struct peer         peer;
	fill(body, 5 << 20);
	start(state);
	peer_open(&peer, *state);
	for (unsigned at_once = 0; at_once < 2; at_once++) {
		atomic_store(&open_at_once, at_once);
		for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
			assert_int_equal(ftruncate(file, 0), 0);
			assert_int_equal(lseek(file, 0, SEEK_SET), 0);
			upload(&peer, "/take", body, sizes[i], 200);
			assert_file_is(body, sizes[i]);
		}
	}
	peer_close(&peer);
	free(body);
}

static void chunked_bodies_reach_the_file_too(void **state)
{
	struct peer  peer;
	struct reply reply;
	start(state);
	peer_open(&peer, *state);
	peer_say(&peer,
	         "POST /take HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n");
	sleep_ms(20);
	exchange(&peer, "3\r\nfgh\r\n0\r\n\r\n", 200, &reply);
	assert_string_equal(reply.body, "8");
	reply_done(&reply);
	assert_file_is("abcdefgh", 8);
	exchange(&peer, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, &reply);
	reply_done(&reply);
	peer_close(&peer);
}

static void who_waits_for_consent_gets_it_or_the_answer(void **state)
{
	struct peer  peer;
	struct reply reply;
	char         line[64] = "";
	start(state);
	peer_open(&peer, *state);
	exchange(&peer,
	         "POST /refuse HTTP/1.1\r\n" HOST "Content-Length: 9\r\nExpect: 100-continue\r\n\r\n",
	         401, &reply);
	reply_done(&reply);
	peer_close(&peer);
	peer_open(&peer, *state);
	peer_say(&peer,
	         "POST /take HTTP/1.1\r\n" HOST "Content-Length: 9\r\nExpect: 100-continue\r\n\r\n");
	peer_read(&peer, line, 25);
	assert_string_equal(line, "HTTP/1.1 100 Continue\r\n\r\n");
	exchange(&peer, "123456789", 200, &reply);
	reply_done(&reply);
	peer_close(&peer);
}

static void a_body_over_the_limit_is_413_and_the_connection_lives_on(void **state)
{
	size_t       length = BYTES_MAX + 1;
	char        *body   = calloc(1, length);
	struct peer  peer;
	struct reply reply;
	start(state);
	peer_open(&peer, *state);
	upload(&peer, "/take", body, length, 413);
	peer_say(&peer, "POST /take HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n600001\r\n");
	peer_send(&peer, body, length);
	exchange(&peer, "\r\n0\r\n\r\n", 413, &reply);
	reply_done(&reply);
	assert_int_equal(last_status, STATUS_TOO_LARGE);
	exchange(&peer, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, &reply);
	reply_done(&reply);
	peer_close(&peer);
	free(body);
}

/* As curl does: looks for an answer while there is more to send. */
static bool is_answered(const struct peer *peer)
{
	struct pollfd readable = {.fd = peer->fd, .events = POLLIN};
	return poll(&readable, 1, 0) == 1;
}

static void a_body_that_is_too_long_to_be_read_to_its_end_is_answered_all_the_same(void **state)
{
	enum { CHUNK = 1 << 20, CHUNKS_MAX = 4096 };
	char        *chunk = calloc(1, CHUNK + 2);
	struct peer  peer;
	struct reply reply;
	unsigned     sent = 0;
	memcpy(chunk + CHUNK, "\r\n", 2);
	start(state);
	peer_open(&peer, *state);
	peer_say(&peer, "POST /take HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	while (!is_answered(&peer) && sent++ < CHUNKS_MAX) {
		if (send(peer.fd, "100000\r\n", 8, MSG_NOSIGNAL) != 8 ||
		    send(peer.fd, chunk, CHUNK + 2, MSG_NOSIGNAL) != CHUNK + 2)
			break;
	}
	assert_true(sent < CHUNKS_MAX);
	reply_read(&peer, false, &reply);
	assert_int_equal(reply.status, 413);
	assert_string_equal(reply_header(&reply, "connection"), "close");
	reply_done(&reply);
	peer_close(&peer);
	free(chunk);
}

static void an_answer_before_the_body_comes_behind_it(void **state)
{
	char       *body = calloc(1, 3 << 20);
	struct peer peer;
	start(state);
	peer_open(&peer, *state);
	upload(&peer, "/refuse", body, 3 << 20, 401);
	upload(&peer, "/later", body, 3 << 20, 401);
	upload(&peer, "/refuse", body, 10, 401);
	upload(&peer, "/later", body, 10, 401);
	peer_close(&peer);
	free(body);
}

static void wait_for_received(unsigned count)
{
	for (unsigned i = 0; i < 30000 && atomic_load(&received_count) < count; i++)
		sleep_ms(10);
	assert_int_equal(atomic_load(&received_count), count);
}

static void a_client_that_ends_within_the_body_is_told_of(void **state)
{
	struct peer peer;
	start(state);
	for (unsigned at_once = 0; at_once < 2; at_once++) {
		atomic_store(&open_at_once, at_once);
		peer_open(&peer, *state);
		peer_say(&peer, "POST /take HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\nabc");
		sleep_ms(10);
		peer_close(&peer);
		wait_for_received(at_once + 1);
		assert_int_equal(last_status, STATUS_UNAVAILABLE);
	}
}

static void a_disk_that_cannot_be_written_is_an_error(void **state)
{
	struct peer peer;
	close(file);
	file = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(file >= 0);
	atomic_store(&open_at_once, 1);
	start(state);
	peer_open(&peer, *state);
	upload(&peer, "/take", "abc", 3, 500);
	assert_int_equal(last_status, STATUS_NO_SPACE);
	peer_close(&peer);
}

static void a_file_is_answered_whole(void **state)
{
	size_t       length = 3 << 20;
	char        *body   = malloc(length);
	struct peer  peer;
	struct reply reply;
	fill(body, length);
	assert_int_equal(write(file, body, length), length);
	start(state);
	peer_open(&peer, *state);
	for (unsigned i = 0; i < 2; i++) {
		exchange(&peer, "GET /file HTTP/1.1\r\n" HOST "\r\n", 200, &reply);
		assert_int_equal(reply.body_length, length);
		assert_memory_equal(reply.body, body, length);
		reply_done(&reply);
	}
	peer_close(&peer);
	free(body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, init, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bodies_of_any_size_reach_the_file_whole),
		TEST(chunked_bodies_reach_the_file_too),
		TEST(who_waits_for_consent_gets_it_or_the_answer),
		TEST(a_body_over_the_limit_is_413_and_the_connection_lives_on),
		TEST(a_body_that_is_too_long_to_be_read_to_its_end_is_answered_all_the_same),
		TEST(an_answer_before_the_body_comes_behind_it),
		TEST(a_client_that_ends_within_the_body_is_told_of),
		TEST(a_disk_that_cannot_be_written_is_an_error),
		TEST(a_file_is_answered_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
