/* kill -9 at random instants: whatever was acknowledged is there, at its position, in order. */

#include "journal_harness.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../unit/seed.h"
#include "base/vector.h"

enum { ROUNDS = 20, THREADS = 2, FILE_BYTES = 1 << 20, ACKNOWLEDGED_MAX = 400 };

/* What the child says through its pipe, at most PIPE_BUF bytes at once. */
struct acknowledged {
	uint32_t thread;
	uint32_t sequence; /* of this thread's appends in this round */
	uint64_t position; /* of its last record */
};

static struct journal *open_log(const char *directory)
{
	const struct file_log_config config = {.directory = directory, .file_bytes = FILE_BYTES};
	struct journal              *journal;
	struct error                 err;
	enum status                  status = file_log_open(&config, &journal, &err);
	if (status != STATUS_OK)
		fprintf(stderr, "%s\n", err.reason);
	assert(status == STATUS_OK);
	return journal;
}

/* The child. */

struct appender {
	struct journal *journal;
	unsigned        round;
	uint32_t        thread;
	int             pipe;
	unsigned        seed;
};

static void *append_for_ever(void *context)
{
	struct appender *appender = context;
	for (uint32_t sequence = 0;; sequence++) {
		/* The last of its records tells whose it is; some fill, of 0 to 20,000 bytes. */
		struct buffer records = {0};
		unsigned      count   = 1 + (unsigned)rand_r(&appender->seed) % 4;
		for (unsigned i = 0; i < count; i++) {
			char head[64];
			snprintf(head, sizeof head, "%u %u %u %u/%u ", appender->round, appender->thread,
			         sequence, i + 1, count);
			size_t fill = (unsigned)rand_r(&appender->seed) % 5000;
			buffer_add_u32(&records, (uint32_t)(strlen(head) + fill));
			buffer_add(&records, head, strlen(head));
			memset(buffer_reserve(&records, fill), 'x', fill);
			records.length += fill;
		}
		struct journal_batch batch  = {appender->thread, count, buffer_text(&records)};
		struct answer        answer = append_batches(appender->journal, &batch, 1);
		buffer_done(&records);
		assert(answer.status == STATUS_OK);
		const struct acknowledged said    = {appender->thread, sequence, answer.position};
		ssize_t                   written = write(appender->pipe, &said, sizeof said);
		assert(written == sizeof said);
	}
}

static void run_child(const char *directory, unsigned round, int pipe, unsigned seed)
{
	static struct appender appenders[THREADS];
	struct journal        *journal = open_log(directory);
	pthread_t              thread;
	for (uint32_t i = 0; i < THREADS; i++) {
		appenders[i] = (struct appender){journal, round, i, pipe, seed + i};
		pthread_create(&thread, NULL, append_for_ever, &appenders[i]);
	}
	for (;;)
		pause();
}

/* The parent. */

struct round {
	struct acknowledged items[ACKNOWLEDGED_MAX + 64 * 1024 / sizeof(struct acknowledged)];
	size_t              count;
};

/* Listens to so many answers, kills, and listens to what was still in the pipe. */
static void run_round(const char *directory, unsigned number, struct round *round)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	unsigned seed  = (unsigned)seed_next();
	size_t   until = seed_below(ACKNOWLEDGED_MAX);
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(ends[0]);
		run_child(directory, number, ends[1], seed);
	}
	close(ends[1]);
	usleep((unsigned)seed_below(3000)); /* so that it also dies while it opens */
	round->count = 0;
	while (round->count < until && read(ends[0], &round->items[round->count],
	                                    sizeof round->items[0]) == sizeof round->items[0])
		round->count++;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	while (read(ends[0], &round->items[round->count], sizeof round->items[0]) ==
	       sizeof round->items[0])
		round->count++;
	close(ends[0]);
}

/* Each append is there whole, and each thread's appends follow one another without a gap. */
static void assert_in_order(const struct gots *gots, size_t from, unsigned number)
{
	unsigned next_sequence[THREADS] = {0}, next_part[THREADS] = {0};
	for (size_t i = from; i < gots->count; i++) {
		unsigned round, thread, sequence, part, parts;
		assert_int_equal(sscanf(gots->items[i].text, "%u %u %u %u/%u", &round, &thread, &sequence,
		                        &part, &parts),
		                 5);
		assert_int_equal(round, number);
		assert_int_equal(sequence, next_sequence[thread]);
		assert_int_equal(part, next_part[thread] + 1);
		next_part[thread] = part == parts ? 0 : part;
		next_sequence[thread] += part == parts;
	}
	for (unsigned t = 0; t < THREADS; t++)
		assert_int_equal(next_part[t], 0);
}

static void assert_acknowledged_are_there(const struct gots *gots, const struct round *round)
{
	for (size_t i = 0; i < round->count; i++) {
		const struct acknowledged *said = &round->items[i];
		assert_true(said->position <= gots->count);
		unsigned number, thread, sequence, part, parts;
		assert_int_equal(sscanf(gots->items[said->position - 1].text, "%u %u %u %u/%u", &number,
		                        &thread, &sequence, &part, &parts),
		                 5);
		assert_int_equal(thread, said->thread);
		assert_int_equal(sequence, said->sequence);
		assert_int_equal(part, parts);
	}
}

static void all_that_was_acknowledged_survives_kill_9(void **state)
{
	(void)state;
	seed_begin("crash");
	char               *directory = temporary_directory();
	static struct round round;
	size_t              records = 0, acknowledged = 0;
	int64_t             last_ms = 0;
	for (unsigned number = 0; number < ROUNDS; number++) {
		run_round(directory, number, &round);
		acknowledged += round.count;

		struct journal *journal = open_log(directory);
		struct gots     gots    = read_all(journal, 0);
		assert_int_equal(gots.status, STATUS_AGAIN);
		assert_in_order(&gots, records, number);
		assert_acknowledged_are_there(&gots, &round);
		for (size_t i = records; i < gots.count; i++) {
			assert_int_equal(gots.items[i].position, i + 1);
			assert_true(gots.items[i].log_time_ms >= last_ms);
			last_ms = gots.items[i].log_time_ms;
		}
		records = gots.count;
		gots_done(&gots);
		/* Every other time the next child meets a log that nobody closed. */
		if (number % 2 == 0) {
			journal->ops->free(journal);
		} else {
			char *crashed = copy_directory(directory);
			journal->ops->free(journal);
			remove_directory(directory);
			directory = crashed;
		}
	}
	print_message("%zu appends acknowledged, %zu records there\n", acknowledged, records);
	assert_true(acknowledged > 0);
	struct file_log_report report;
	struct error           err;
	assert_int_equal(file_log_verify(directory, false, NULL, NULL, &report, &err), STATUS_OK);
	assert_int_equal(report.records, records);
	remove_directory(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_was_acknowledged_survives_kill_9),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
