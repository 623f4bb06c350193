#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

enum { PIECES = 300, PIECE_BYTES = 5000 };

static struct fixture fixture;
static atomic_int     written; /* pieces */
static atomic_int     ended;   /* 1: all were taken, 2: the client was gone */
static atomic_bool    breaks;
static atomic_bool    endless;

static char byte_at(size_t at) { return (char)('a' + (at * 31 + at / 977) % 26); }

static void *produce(void *request)
{
	struct http_stream *stream = http_respond_stream(request, 200, "text/plain");
	struct buffer       piece  = {0};
	bool                taken  = true;
	size_t              at     = 0;
	for (int i = 0; taken && (i < PIECES || atomic_load(&endless)); i++) {
		size_t length = i % 7 == 3 ? 0 : i % PIECE_BYTES + 1;
		for (size_t b = 0; b < length; b++)
			buffer_add_u8(&piece, (uint8_t)byte_at(at++));
		taken = http_stream_write(stream, &piece);
		assert_int_equal(piece.length, 0);
		atomic_fetch_add(&written, 1);
	}
	buffer_done(&piece);
	http_stream_end(stream, !atomic_load(&breaks));
	atomic_store(&ended, taken ? 1 : 2);
	return NULL;
}

static void stream(struct http_request *request, void *user)
{
	pthread_t thread;
	(void)user;
	http_suspend(request);
	assert_int_equal(pthread_create(&thread, NULL, produce, request), 0);
	pthread_detach(thread);
}

static int begin(void **state)
{
	(void)state;
	atomic_store(&written, 0);
	atomic_store(&ended, 0);
	atomic_store(&breaks, false);
	atomic_store(&endless, false);
	fixture_init(&fixture);
	FIXTURE_START(&fixture, {"GET", "/stream", stream, NULL}, {"GET", "/", answer_ok, NULL});
	return 0;
}

static int end(void **state)
{
	(void)state;
	fixture_done(&fixture);
	return 0;
}

static void wait_for_end(int how)
{
	for (int i = 0; i < 30000 && atomic_load(&ended) == 0; i++)
		sleep_ms(10);
	assert_int_equal(atomic_load(&ended), how);
}

static void read_head(struct peer *peer)
{
	char last[4] = {0};
	while (memcmp(last, "\r\n\r\n", 4) != 0) {
		memmove(last, last + 1, 3);
		peer_read(peer, &last[3], 1);
	}
}

static unsigned long chunk_size(struct peer *peer)
{
	char line[32] = {0};
	for (size_t i = 0; i < sizeof line - 1 && strstr(line, "\r\n") == NULL; i++)
		peer_read(peer, &line[i], 1);
	return strtoul(line, NULL, 16);
}

static void what_is_written_piece_by_piece_arrives_whole(void **state)
{
	(void)state;
	struct peer peer;
	peer_open(&peer, &fixture);
	for (int again = 0; again < 2; again++) {
		unsigned long size;
		size_t        at = 0, expected = 0;
		peer_say(&peer, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
		read_head(&peer);
		do {
			char *chunk = malloc((size = chunk_size(&peer)) + 2);
			peer_read(&peer, chunk, size + 2);
			for (unsigned long i = 0; i < size; i++)
				assert_int_equal(chunk[i], byte_at(at++));
			free(chunk);
		} while (size > 0);
		for (int i = 0; i < PIECES; i++)
			expected += i % 7 == 3 ? 0 : (size_t)(i % PIECE_BYTES + 1);
		assert_int_equal(at, expected);
	}
	struct reply reply;
	exchange(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200, &reply);
	reply_done(&reply);
	peer_close(&peer);
	wait_for_end(1);
}

static void a_part_is_not_taken_for_all(void **state)
{
	(void)state;
	struct peer peer;
	size_t      at = 0;
	atomic_store(&breaks, true);
	peer_open(&peer, &fixture);
	peer_say(&peer, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	read_head(&peer);
	while (!peer_at_end(&peer)) {
		unsigned long size = chunk_size(&peer);
		assert_true(size > 0); /* no last chunk */
		char *chunk = malloc(size + 2);
		peer_read(&peer, chunk, size + 2);
		at += size;
		free(chunk);
	}
	assert_true(at > 0);
	peer_close(&peer);
}

static void who_writes_is_told_when_the_client_goes(void **state)
{
	(void)state;
	struct peer peer;
	atomic_store(&endless, true);
	peer_open(&peer, &fixture);
	peer_say(&peer, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	read_head(&peer);
	peer_reset(&peer);
	wait_for_end(2);
}

static void a_client_that_takes_nothing_holds_up_the_writer_and_nobody_else(void **state)
{
	(void)state;
	struct peer peer;
	atomic_store(&endless, true);
	peer_open(&peer, &fixture);
	peer_say(&peer, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	int before, now = -1;
	do {
		before = now;
		sleep_ms(100);
		now = atomic_load(&written);
	} while (now != before);
	assert_int_equal(status_of(&fixture, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
	peer_reset(&peer);
	wait_for_end(2);
}

static void a_head_request_gets_no_body(void **state)
{
	(void)state;
	struct peer  peer;
	struct reply reply;
	atomic_store(&endless, true);
	peer_open(&peer, &fixture);
	peer_say(&peer, "HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	reply_read(&peer, true, &reply);
	reply_done(&reply);
	peer_close(&peer);
	if (atomic_load(&written) > 0)
		wait_for_end(2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_written_piece_by_piece_arrives_whole, begin, end),
		cmocka_unit_test_setup_teardown(a_part_is_not_taken_for_all, begin, end),
		cmocka_unit_test_setup_teardown(who_writes_is_told_when_the_client_goes, begin, end),
		cmocka_unit_test_setup_teardown(
			a_client_that_takes_nothing_holds_up_the_writer_and_nobody_else, begin, end),
		cmocka_unit_test_setup_teardown(a_head_request_gets_no_body, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
