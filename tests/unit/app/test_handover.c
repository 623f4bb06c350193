#include "app/process/handover.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <string.h>

enum { PATH_BYTES = 300, PASSED = 130 }; /* more than go with one message */

struct fixture {
	char             data[PATH_BYTES];
	struct handover *handover;
	struct sockets   sockets; /* of the old server */
	struct sockets   taken;
	struct error     err;
	_Atomic int      status; /* of the successor, once it has ended */
	const char      *listen;
};

static int listening_socket(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int                fd      = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* A directory whose path is longer than that of a Unix socket may be. */
static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	char            base[]  = "/tmp/sonnim-handover-XXXXXX";
	assert_non_null(mkdtemp(base));
	snprintf(fixture->data, sizeof fixture->data, "%s/%0150d", base, 1);
	assert_int_equal(mkdir(fixture->data, 0700), 0);
	fixture->listen = "127.0.0.1:0";
	*state          = fixture;
	return handover_open(fixture->data, &fixture->handover, &fixture->err) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	handover_close(fixture->handover);
	sockets_close(&fixture->taken);
	assert_int_equal(rmdir(fixture->data), 0); /* nothing is left in it */
	*strrchr(fixture->data, '/') = '\0';
	rmdir(fixture->data);
	free(fixture);
	return 0;
}

static void offer(struct fixture *fixture, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		fixture->sockets.fds[fixture->sockets.count++] = listening_socket();
}

static void *take(void *context)
{
	struct fixture *fixture = context;
	fixture->status = handover_take(fixture->data, fixture->listen, &fixture->taken, &fixture->err);
	return NULL;
}

/* The old one's answer to a successor; it has ended when this returns. */
static bool give(struct fixture *fixture, pthread_t *successor)
{
	assert_int_equal(pthread_create(successor, NULL, take, fixture), 0);
	bool given;
	do { /* nobody is there yet: false, and the sockets are closed */
		offer(fixture, PASSED);
		usleep(1000);
		given = handover_give(fixture->handover, &fixture->sockets);
		assert_int_equal(fixture->sockets.count, 0);
	} while (!given && fixture->status == STATUS_OK);
	return given;
}

static void all_sockets_arrive_and_the_successor_waits_for_the_end(void **state)
{
	struct fixture *fixture = *state;
	pthread_t       successor;
	assert_true(give(fixture, &successor));
	handover_shut(fixture->handover);
	handover_close(fixture->handover);
	fixture->handover = NULL;
	pthread_join(successor, NULL);
	assert_int_equal(fixture->status, STATUS_OK);
	assert_int_equal(fixture->taken.count, PASSED);
	assert_int_equal(sockets_check(&fixture->taken, &fixture->err), STATUS_OK);
}

static void a_successor_that_listens_elsewhere_takes_nothing(void **state)
{
	struct fixture *fixture = *state;
	pthread_t       successor;
	fixture->listen = "127.0.0.2:0";
	assert_false(give(fixture, &successor));
	pthread_join(successor, NULL);
	assert_int_equal(fixture->status, STATUS_INVALID);
	assert_string_equal(fixture->err.field, "listen");
	assert_int_equal(fixture->taken.count, 0);
}

static void who_serves_nobody_is_not_found(void **state)
{
	struct fixture *fixture = *state;
	handover_shut(fixture->handover);
	take(fixture);
	assert_int_equal(fixture->status, STATUS_NOT_FOUND);
}

/* A server of another version, or none. */
static void *answer_wrongly(void *context)
{
	struct fixture *fixture  = context;
	char            wrong[4] = "none";
	int             fd       = -1;
	while (fd < 0)
		fd = accept(handover_fd(fixture->handover), NULL, NULL);
	assert_int_equal(send(fd, wrong, sizeof wrong, MSG_NOSIGNAL), sizeof wrong);
	close(fd);
	return NULL;
}

static void an_answer_that_is_not_understood_is_refused(void **state)
{
	struct fixture *fixture = *state;
	pthread_t       other;
	assert_int_equal(pthread_create(&other, NULL, answer_wrongly, fixture), 0);
	take(fixture);
	pthread_join(other, NULL);
	assert_int_equal(fixture->status, STATUS_UNSUPPORTED);
}

static void what_a_killed_server_has_left_is_no_server(void **state)
{
	struct fixture *fixture = *state;
	char            path[PATH_BYTES + 32];
	handover_close(fixture->handover);
	snprintf(path, sizeof path, "%s/handover.sock", fixture->data);
	fclose(fopen(path, "w"));
	take(fixture);
	assert_int_equal(fixture->status, STATUS_NOT_FOUND);
	assert_int_equal(handover_open(fixture->data, &fixture->handover, &fixture->err), STATUS_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_sockets_arrive_and_the_successor_waits_for_the_end),
		TEST(a_successor_that_listens_elsewhere_takes_nothing),
		TEST(who_serves_nobody_is_not_found),
		TEST(an_answer_that_is_not_understood_is_refused),
		TEST(what_a_killed_server_has_left_is_no_server),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
