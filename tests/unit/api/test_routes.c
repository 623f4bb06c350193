#include "api/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What the audit trail is not told of although it is no GET: collection, which is far too much; how
 * far a consumer has read; a ticket, whose socket is told of; a clock that only tests have; a mail
 * that anybody may ask for. */
static const char *const no_changes[] = {"postEvents",   "postEvent", "putConsumer",
                                         "createTicket", "setClock",  "requestPasswordReset"};

static bool is_listed(const char *operation)
{
	for (size_t i = 0; i < sizeof no_changes / sizeof no_changes[0]; i++)
		if (strcmp(no_changes[i], operation) == 0)
			return true;
	return false;
}

static void every_change_waits_for_its_record_but_those_that_are_listed(void **state)
{
	(void)state;
	for (size_t i = 0; i < api_route_count; i++) {
		const struct api_route *route = &api_routes[i];
		bool asks = strcmp(route->method, "GET") == 0 || route->access == ACCESS_WRITE_KEY ||
		            strcmp(route->operation, "sdkMetrics") == 0;
		/* Questions that are too long for a path. */
		bool question = route->audit == AUDIT_READ && route->success == 200;
		if (!asks && !question && !is_listed(route->operation) && route->audit != AUDIT_DURABLE)
			fail_msg("%s changes something, but no record waits for it", route->operation);
	}
}

static void an_action_has_a_name_of_parts_and_only_what_is_recorded_has_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < api_route_count; i++) {
		const struct api_route *route = &api_routes[i];
		if ((route->action != NULL) != (route->audit != AUDIT_NONE))
			fail_msg("%s: action and audit do not agree", route->operation);
		if (route->action == NULL)
			continue;
		size_t length = strspn(route->action, "abcdefghijklmnopqrstuvwxyz_.");
		if (route->action[length] != '\0' || strchr(route->action, '.') == NULL)
			fail_msg("%s: \"%s\" is no name of an action", route->operation, route->action);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_change_waits_for_its_record_but_those_that_are_listed),
		cmocka_unit_test(an_action_has_a_name_of_parts_and_only_what_is_recorded_has_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
