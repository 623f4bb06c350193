#include "api/woken.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct counter {
	struct woken woken;
	unsigned     wanted, done;
};

/* Counts up to what is wanted, and tells. */
static void *count(void *owner)
{
	struct counter *counter = owner;
	pthread_mutex_lock(&counter->woken.lock);
	while (!counter->woken.stopping) {
		if (counter->done == counter->wanted) {
			woken_wait(&counter->woken, -1);
			continue;
		}
		counter->done = counter->wanted;
		pthread_cond_broadcast(&counter->woken.wake);
	}
	pthread_mutex_unlock(&counter->woken.lock);
	return NULL;
}

static void it_works_when_it_is_woken_and_ends_when_it_is_told_to(void **state)
{
	struct counter counter = {.wanted = 0};
	(void)state;
	woken_start(&counter.woken, count, &counter);
	for (unsigned i = 1; i <= 100; i++) {
		pthread_mutex_lock(&counter.woken.lock);
		counter.wanted = i;
		pthread_cond_broadcast(&counter.woken.wake);
		while (counter.done < i)
			woken_wait(&counter.woken, -1);
		pthread_mutex_unlock(&counter.woken.lock);
	}
	woken_stop(&counter.woken);
	assert_int_equal(counter.done, 100);
	woken_done(&counter.woken);
}

static void *sleep_shortly(void *owner)
{
	struct counter *counter = owner;
	pthread_mutex_lock(&counter->woken.lock);
	while (!counter->woken.stopping) {
		woken_wait(&counter->woken, 1);
		counter->done++;
	}
	pthread_mutex_unlock(&counter->woken.lock);
	return NULL;
}

static void nobody_need_wake_it_when_it_waits_for_a_time(void **state)
{
	struct counter counter = {.wanted = 3};
	unsigned       done    = 0;
	(void)state;
	woken_start(&counter.woken, sleep_shortly, &counter);
	while (done < counter.wanted) {
		pthread_mutex_lock(&counter.woken.lock);
		done = counter.done;
		pthread_mutex_unlock(&counter.woken.lock);
	}
	woken_stop(&counter.woken);
	woken_done(&counter.woken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_works_when_it_is_woken_and_ends_when_it_is_told_to),
		cmocka_unit_test(nobody_need_wake_it_when_it_waits_for_a_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
