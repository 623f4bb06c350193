#include "app/process/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <string.h>

static int supervisor; /* its end */

static int set_up(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char               name[64];
	(void)state;
	snprintf(name, sizeof name, "@sonnim-notify-%d", (int)getpid());
	memcpy(address.sun_path, name, strlen(name));
	address.sun_path[0] = '\0';
	supervisor          = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t length    = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	assert_int_equal(bind(supervisor, (struct sockaddr *)&address, length), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return close(supervisor);
}

/* What it was told, "" for nothing. */
static const char *heard(void)
{
	static char message[1024];
	ssize_t     length               = recv(supervisor, message, sizeof message - 1, MSG_DONTWAIT);
	message[length < 0 ? 0 : length] = '\0';
	return message;
}

static void the_supervisor_hears_of_each_step(void **state)
{
	(void)state;
	struct notify *notify = notify_new();
	assert_null(getenv("NOTIFY_SOCKET")); /* not for programs that are started from here */
	notify_status(notify, "reading");
	assert_string_equal(heard(), "STATUS=reading");
	notify_extend(notify, 2500);
	assert_string_equal(heard(), "EXTEND_TIMEOUT_USEC=2500000");
	notify_ready(notify, "ready");
	assert_string_equal(heard(), "READY=1\nSTATUS=ready");
	notify_reloading(notify);
	assert_non_null(strstr(heard(), "RELOADING=1\nMONOTONIC_USEC="));
	notify_stopping(notify);
	assert_string_equal(heard(), "STOPPING=1");
	notify_free(notify);
}

static void a_sign_of_life_is_given_only_when_it_is_asked_for_and_due(void **state)
{
	(void)state;
	struct notify *notify = notify_new();
	notify_alive(notify);
	assert_string_equal(heard(), "");
	notify_free(notify);

	char process[32];
	snprintf(process, sizeof process, "%d", (int)getpid());
	tear_down(NULL);
	set_up(NULL);
	setenv("WATCHDOG_USEC", "3600000000", 1);
	setenv("WATCHDOG_PID", process, 1);
	notify = notify_new();
	notify_alive(notify);
	assert_string_equal(heard(), "WATCHDOG=1");
	notify_alive(notify); /* half an hour has not passed */
	assert_string_equal(heard(), "");
	notify_free(notify);
}

static void without_a_supervisor_nothing_is_sent(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	struct notify *notify = notify_new();
	notify_ready(notify, "ready");
	assert_string_equal(heard(), "");
	notify_free(notify);
	notify_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_supervisor_hears_of_each_step),
		TEST(a_sign_of_life_is_given_only_when_it_is_asked_for_and_due),
		TEST(without_a_supervisor_nothing_is_sent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
