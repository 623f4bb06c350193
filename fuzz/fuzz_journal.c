/* The journal's files, as a disk may give them back. The bytes are taken three ways:
 *  - as a whole file of the log: header and scan;
 *  - as the frames of a file whose header is good, each with its checksum made right where its
 *    header makes sense, so that what lies behind the checksum is reached, too;
 *  - as the payload of one good frame. */

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "journal/log_scan.h"

static const uint64_t mark = UINT64_C(0x0123456789abcdef);

/* Touches every byte that a good frame hands out. */
static void walk_frame(void *context, const struct frame *frame, uint64_t offset)
{
	(void)offset;
	uint64_t *records = context;
	if (frame->kind != FRAME_DATA)
		return;
	struct journal_read  read;
	struct frame_batches batches = frame_batches(frame);
	uint64_t             next    = frame->first_position;
	unsigned char        sum     = 0;
	while (frame_batch_next(&batches, &read)) {
		assert(read.first_position == next && read.record_count > 0);
		for (size_t i = 0; i < read.records.length; i++)
			sum ^= (unsigned char)read.records.data[i];
		next += read.record_count;
		*records += read.record_count;
	}
	volatile unsigned char sink = sum;
	(void)sink;
	assert(next == frame_last_position(frame) + 1);
}

static void scan(struct log_file *file)
{
	struct log_scan scan;
	struct error    err;
	uint64_t        records = 0;
	enum status     status  = log_scan(file, walk_frame, &records, &scan, &err);
	assert(status == STATUS_OK);
	assert(scan.records == records);
	assert(scan.end_offset >= LOG_FILE_HEADER_BYTES || file->length < LOG_FILE_HEADER_BYTES);
	assert(scan.end_offset <= file->length);
	assert((scan.end == LOG_SCAN_DAMAGED) == (scan.reason[0] != '\0'));
}

static int memory_file(const uint8_t *head, size_t head_size, const uint8_t *data, size_t size)
{
	int fd = memfd_create("journal", MFD_CLOEXEC);
	assert(fd >= 0);
	ssize_t wrote = pwrite(fd, head, head_size, 0);
	assert(wrote == (ssize_t)head_size);
	wrote = pwrite(fd, data, size, (off_t)head_size);
	assert(wrote == (ssize_t)size);
	return fd;
}

/* By its name: the header is checked first. */
static void take_as_file(const uint8_t *data, size_t size)
{
	char directory[] = "/tmp/sonnim-fuzz-journal-XXXXXX";
	char path[LOG_PATH_BYTES_MAX];
	if (mkdtemp(directory) == NULL)
		abort();
	log_file_path(path, directory, 1);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	assert(fd >= 0);
	ssize_t wrote = write(fd, data, size);
	assert(wrote == (ssize_t)size);
	close(fd);

	struct log_file file;
	struct error    err;
	enum status     status = log_file_open(directory, 1, O_RDONLY, &file, &err);
	if (status == STATUS_OK) {
		scan(&file);
		log_file_close(&file);
	} else {
		assert(status == STATUS_CORRUPT && err.fatal);
	}
	unlink(path);
	rmdir(directory);
}

/* Makes marks and checksums right, frame by frame, as far as their sizes go. */
static void mend(uint8_t *data, size_t size)
{
	size_t at = 0;
	while (at + FRAME_HEADER_BYTES <= size) {
		uint64_t first_position;
		int64_t  log_time_ms;
		uint32_t numbers[3];
		memcpy(&first_position, data + at + 16, 8);
		memcpy(&log_time_ms, data + at + 24, 8);
		memcpy(numbers, data + at + 32, sizeof numbers);
		struct frame frame = {
			.first_position = first_position,
			.log_time_ms    = log_time_ms,
			.record_count   = numbers[1],
			.batch_count    = numbers[2],
			.kind           = data[at + 44],
			.payload        = {NULL, numbers[0]},
		};
		if (numbers[0] > size || at + frame_bytes(numbers[0]) > size)
			return;
		frame_encode(data + at, &frame, mark, LOG_FILE_HEADER_BYTES + at);
		at += frame_bytes(numbers[0]);
	}
}

static void take_as_frames(const uint8_t *data, size_t size)
{
	struct log_file file = {.header = {.mark = mark, .first_position = 1}};
	uint8_t         head[LOG_FILE_HEADER_BYTES];
	uint8_t        *mended = malloc(size + 1);
	memcpy(mended, data, size);
	mend(mended, size);
	file.length            = LOG_FILE_HEADER_BYTES + size;
	file.header.file_bytes = file.length;
	log_file_header_encode(&file.header, head);
	file.fd = memory_file(head, sizeof head, mended, size);
	scan(&file);
	log_file_close(&file);
	free(mended);
}

static void take_as_payload(const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(frame_bytes(size));
	memcpy(bytes + FRAME_HEADER_BYTES, data, size);
	for (uint32_t batches = 1; batches <= 2; batches++) {
		struct frame frame = {
			.first_position = 1,
			.record_count   = batches,
			.batch_count    = batches,
			.kind           = FRAME_DATA,
			.payload        = {NULL, size},
		};
		size_t   taken;
		uint64_t records = 0;
		frame_encode(bytes, &frame, mark, LOG_FILE_HEADER_BYTES);
		enum frame_check check =
			frame_check(bytes, frame_bytes(size), mark, LOG_FILE_HEADER_BYTES, &frame, &taken);
		assert(check == FRAME_GOOD || check == FRAME_MALFORMED);
		if (check == FRAME_GOOD)
			walk_frame(&records, &frame, 0);
	}
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	take_as_file(data, size);
	take_as_frames(data, size);
	take_as_payload(data, size);
	return 0;
}
