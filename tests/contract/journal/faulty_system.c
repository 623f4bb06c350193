#include "faulty_system.h"

#include <errno.h>
#include <pthread.h>

#include "journal/log_write.h"

struct faults faults;

static pthread_mutex_t gate_lock    = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t  gate_changed = PTHREAD_COND_INITIALIZER;
static bool            gate_closed;
static unsigned        gate_waiting;

void faults_reset(void)
{
	faults.allocate_errno  = 0;
	faults.write_errno     = 0;
	faults.sync_errno      = 0;
	faults.calls_spared    = 0;
	faults.write_bytes_max = 0;
	faults.allocates       = 0;
	faults.writes          = 0;
	faults.syncs           = 0;
	faults.wall_ms         = 0;
	faults.monotonic_ms    = 0;
	sync_gate_open();
}

void sync_gate_close(void)
{
	pthread_mutex_lock(&gate_lock);
	gate_closed = true;
	pthread_mutex_unlock(&gate_lock);
}

void sync_gate_open(void)
{
	pthread_mutex_lock(&gate_lock);
	gate_closed = false;
	pthread_cond_broadcast(&gate_changed);
	pthread_mutex_unlock(&gate_lock);
}

void sync_gate_wait_for_one(void)
{
	pthread_mutex_lock(&gate_lock);
	while (gate_waiting == 0)
		pthread_cond_wait(&gate_changed, &gate_lock);
	pthread_mutex_unlock(&gate_lock);
}

static void pass_gate(void)
{
	pthread_mutex_lock(&gate_lock);
	gate_waiting++;
	pthread_cond_broadcast(&gate_changed);
	while (gate_closed)
		pthread_cond_wait(&gate_changed, &gate_lock);
	gate_waiting--;
	pthread_mutex_unlock(&gate_lock);
}

/* The error to inject now, or 0. */
static int injected(atomic_int *error_number)
{
	if (*error_number != 0 && atomic_fetch_sub(&faults.calls_spared, 1) > 0)
		return 0;
	return *error_number;
}

static int allocate(int fd, uint64_t offset, uint64_t length)
{
	faults.allocates++;
	int error_number = injected(&faults.allocate_errno);
	return error_number != 0 ? error_number : log_write_system.allocate(fd, offset, length);
}

static int64_t write_at(int fd, const void *data, size_t length, uint64_t offset)
{
	faults.writes++;
	int error_number = injected(&faults.write_errno);
	if (error_number != 0) {
		errno = error_number;
		return -1;
	}
	size_t most = faults.write_bytes_max;
	return log_write_system.write(fd, data, most != 0 && length > most ? most : length, offset);
}

static int sync_file(int fd)
{
	pass_gate();
	faults.syncs++;
	int error_number = injected(&faults.sync_errno);
	if (error_number != 0) {
		errno = error_number;
		return -1;
	}
	return log_write_system.sync(fd);
}

static int64_t wall_ms(void)
{
	return faults.wall_ms != 0 ? faults.wall_ms : log_write_system.wall_ms();
}

static int64_t monotonic_ms(void)
{
	return faults.monotonic_ms != 0 ? faults.monotonic_ms : log_write_system.monotonic_ms();
}

const struct file_log_system faulty_system = {
	.allocate     = allocate,
	.write        = write_at,
	.sync         = sync_file,
	.wall_ms      = wall_ms,
	.monotonic_ms = monotonic_ms,
};
