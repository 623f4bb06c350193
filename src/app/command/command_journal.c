#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/command/command.h"
#include "app/follow.h"
#include "base/file.h"
#include "base/instant.h"
#include "base/json.h"
#include "base/settings.h"
#include "base/text.h"
#include "events/events.h"
#include "journal/file_log.h"
#include "model/person.h"
#include "model/record.h"
#include "model/value.h"

struct journal_flags {
	char    *data;
	bool     truncate;
	bool     json;
	char    *from_time;
	int64_t  from;
	int64_t  through;
	uint64_t memory_limit_bytes;
};

static const struct setting table[] = {
	SETTING_STRING(struct journal_flags, data, "data", "./data", "Directory of the data",
                   "DIRECTORY"),
	SETTING_BOOL(struct journal_flags, truncate, "truncate",
                 "verify: give up everything from the first damage on (moved to journal/damaged)"),
	SETTING_BOOL(struct journal_flags, json, "json", "verify: print the report as JSON"),
	SETTING_STRING(struct journal_flags, from_time, "from-time", NULL,
                   "dump, follow: only what is stamped at or after this log time (RFC 3339)",
                   "TIME"),
	SETTING_INT(struct journal_flags, from, "from", "0", 0, INT64_MAX,
                "follow: print only changes by records at or behind this position"),
	SETTING_INT(struct journal_flags, through, "through", "0", 0, INT64_MAX,
                "follow: stop once everything up to this position is applied; 0: go on"),
	SETTING_BYTES(struct journal_flags, memory_limit_bytes, "memory-limit", "1TiB", 64 << 20,
                  INT64_C(1) << 50, "follow: memory for events and profiles"),
};

/* ---- Dump: one JSON line a record ---- */

static const char *kind_name(enum record_kind kind)
{
	static const char *const names[] = {
		[RECORD_EVENT] = "event",         [RECORD_TRAITS] = "traits",
		[RECORD_LINK] = "link",           [RECORD_MERGE_OUT] = "merge-out",
		[RECORD_MERGE_IN] = "merge-in",   [RECORD_ERASURE] = "erasure",
		[RECORD_PREPARE] = "prepare",     [RECORD_ACTIVATE] = "activate",
		[RECORD_DIMENSION] = "dimension", [RECORD_CLOCK] = "clock",
		[RECORD_CLAIM] = "claim",         [RECORD_ALIAS] = "alias",
		[RECORD_SETTING] = "setting",     [RECORD_ABANDON] = "abandon",
	};
	return (size_t)kind < sizeof names / sizeof names[0] && names[kind] != NULL ? names[kind]
	                                                                            : "unknown";
}

static const char *call_name(enum record_call call)
{
	static const char *const names[] = {
		[CALL_TRACK] = "track",       [CALL_PAGE] = "page",   [CALL_SCREEN] = "screen",
		[CALL_IDENTIFY] = "identify", [CALL_GROUP] = "group", [CALL_ALIAS] = "alias",
		[CALL_PROFILE] = "profile",
	};
	return (size_t)call < sizeof names / sizeof names[0] && names[call] != NULL ? names[call]
	                                                                            : "unknown";
}

static void write_call(struct json_writer *w, const struct record *record)
{
	json_member_string(w, "call", text_of(call_name(record->call)));
	json_member_int(w, "source", record->source_number);
	if (record->timestamp_ms != INSTANT_MS_NONE)
		json_member_instant(w, "timestamp", record->timestamp_ms);
	if (record->skew_ms != INSTANT_MS_NONE)
		json_member_int(w, "skewMs", record->skew_ms);
	if (record->kind == RECORD_EVENT)
		json_member_string(w, "name", record->name);
	if (record->message_id.length > 0)
		json_member_string(w, "messageId", record->message_id);
	json_add_key(w, record->kind == RECORD_EVENT ? TEXT("properties") : TEXT("traits"));
	value_list_write_json(w, record->properties, (struct text){0});
	if (record->context.length > 0) {
		json_add_key(w, TEXT("context"));
		value_list_write_json(w, record->context, (struct text){0});
	}
	json_member_int(w, "sealedBytes", (int64_t)record->sealed.length);
}

static void write_record(struct json_writer *w, const struct record *record,
                         const struct journal_read *read, uint64_t position)
{
	json_begin_object(w);
	json_member_int(w, "position", (int64_t)position);
	json_member_int(w, "partition", read->partition);
	json_member_instant(w, "logTime", read->log_time_ms);
	json_member_string(w, "kind", text_of(kind_name(record->kind)));
	if (record->slot != SLOT_NONE)
		json_member_int(w, "slot", record->slot);
	if ((record->flags & RECORD_HAS_ORIGIN) != 0)
		json_member_int(w, "originPosition", (int64_t)record->origin.position);
	if (record->kind == RECORD_EVENT || record->kind == RECORD_TRAITS)
		write_call(w, record);
	else
		json_member_int(w, "bodyBytes", (int64_t)record->body.length);
	json_end_object(w);
}

static void dump_batch(void *context, const struct journal_read *read)
{
	struct text bytes = read->records;
	(void)context;
	for (uint32_t i = 0; i < read->record_count; i++) {
		struct record record;
		struct buffer line = {0};
		struct error  err;
		size_t        size;
		uint64_t      position = read->first_position + i;
		if (record_decode(bytes, &record, &size, &err) != STATUS_OK) {
			fprintf(stderr, "sonnim journal: position %" PRIu64 ": %s\n", position, err.reason);
			return; /* where the next one begins is not known */
		}
		struct json_writer w = json_writer_of(&line);
		write_record(&w, &record, read, position);
		printf("%.*s\n", (int)line.length, line.data);
		buffer_done(&line);
		bytes.data += size;
		bytes.length -= size;
	}
}

/* Records from a log time on: the files before it are not read. */
static enum status dump_from(const char *directory, int64_t from_ms, struct error *err)
{
	const struct file_log_config config = {.directory = directory};
	struct journal              *journal;
	struct journal_reader       *reader;
	struct journal_read          read;
	bool                         wanted[PARTITION_COUNT_MAX];
	uint64_t                     position, through;
	int64_t                      safe_time_ms;
	enum status                  status = file_log_follow(&config, &journal, err);
	if (status != STATUS_OK)
		return status;
	const struct journal_ops *ops = journal->ops;
	memset(wanted, true, sizeof wanted);
	status = ops->find_time(journal, from_ms, &position, err);
	if (status == STATUS_OK)
		status = ops->reader_open(journal, wanted, PARTITION_COUNT_MAX, position - 1, &reader, err);
	if (status == STATUS_OK) {
		while ((status = ops->read(reader, &read, &safe_time_ms, &through, err)) == STATUS_OK)
			dump_batch(NULL, &read);
		ops->reader_close(reader);
	}
	ops->free(journal);
	return status == STATUS_AGAIN ? STATUS_OK : status;
}

/* ---- Verify ---- */

static void print_report(const struct file_log_report *report, bool json)
{
	if (!json) {
		char time[INSTANT_TEXT_BYTES];
		printf("%" PRIu64 " files, %" PRIu64 " frames, %" PRIu64 " records, %" PRIu64 " bytes\n",
		       report->files, report->frames, report->records, report->bytes);
		if (report->records > 0) {
			struct text text = instant_format(report->last_log_time_ms, time);
			printf("last position %" PRIu64 " at %.*s\n", report->last_position, TEXT_FORMAT(text));
		}
		if (report->torn_bytes > 0)
			printf("torn tail of %" PRIu64 " bytes: a start cuts it\n", report->torn_bytes);
		if (report->removed_bytes > 0)
			printf("%" PRIu64 " bytes moved aside\n", report->removed_bytes);
		return;
	}
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	json_member_int(&w, "files", (int64_t)report->files);
	json_member_int(&w, "frames", (int64_t)report->frames);
	json_member_int(&w, "records", (int64_t)report->records);
	json_member_int(&w, "bytes", (int64_t)report->bytes);
	json_member_int(&w, "lastPosition", (int64_t)report->last_position);
	json_member_int(&w, "tornBytes", (int64_t)report->torn_bytes);
	json_member_int(&w, "removedBytes", (int64_t)report->removed_bytes);
	json_end_object(&w);
	printf("%.*s\n", (int)out.length, out.data);
	buffer_done(&out);
}

static enum exit_code run_follow(const struct journal_flags *flags, int64_t from_ms)
{
	const struct follow_config config = {.data               = flags->data,
	                                     .through            = (uint64_t)flags->through,
	                                     .from               = (uint64_t)flags->from,
	                                     .from_ms            = from_ms,
	                                     .memory_limit_bytes = flags->memory_limit_bytes};
	struct error               err;
	if (follow_journal(&config, &err) == STATUS_OK)
		return EXIT_DONE;
	fprintf(stderr, "sonnim journal: %s\n", err.reason);
	return EXIT_REFUSED;
}

/* The event store's parts, of as many partitions as there are. */
static enum status verify_events(const struct journal_flags *flags, struct error *err)
{
	uint64_t      parts = 0, events = 0;
	enum status   status = STATUS_OK;
	struct buffer path   = {0};
	buffer_printf(&path, "%s/events", flags->data);
	buffer_add_u8(&path, '\0');
	for (uint32_t i = 0; i < PARTITION_COUNT_MAX && status == STATUS_OK; i++)
		status = events_store_verify(path.data, i, &parts, &events, err);
	buffer_done(&path);
	if (!flags->json)
		printf("%" PRIu64 " parts of the event store, %" PRIu64 " events\n", parts, events);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum exit_code run(const struct journal_flags *flags, bool dump, const int64_t *from_ms)
{
	struct file_log_report report = {0};
	struct error           err;
	struct buffer          path = {0};
	int                    lock;
	if (directory_lock(flags->data, &lock, &err) != STATUS_OK) {
		fprintf(stderr, "sonnim journal: %s\n", err.reason);
		return EXIT_REFUSED;
	}
	buffer_printf(&path, "%s/journal", flags->data);
	buffer_add_u8(&path, '\0');
	enum status status = from_ms != NULL
	                         ? dump_from(path.data, *from_ms, &err)
	                         : file_log_verify(path.data, flags->truncate && !dump,
	                                           dump ? dump_batch : NULL, NULL, &report, &err);
	if (!dump)
		print_report(&report, flags->json);
	if (!dump && status == STATUS_OK)
		status = verify_events(flags, &err);
	if (status != STATUS_OK)
		fprintf(stderr, "sonnim journal: %s\n", err.reason);
	buffer_done(&path);
	close(lock);
	return status == STATUS_OK ? EXIT_DONE : EXIT_REFUSED;
}

static const char usage[] =
	"sonnim journal verify|dump|follow [FLAGS]\n\n"
	"  verify   Check every checksum; exit code 1 and the place when there is damage\n"
	"  dump     Print one JSON line a record; encrypted values as their sizes\n"
	"  follow   Apply the journal, also while the server writes it, and print the change\n"
	"           stream: one JSON line a change\n\n"
	"For verify and dump the server must be stopped.";

static enum exit_code run_named(int argc, char **argv, const void *own)
{
	const struct journal_flags *flags   = own;
	const char                 *name    = argc == 2 ? argv[1] : "";
	int64_t                     from_ms = 0;
	if (flags->from_time != NULL && !instant_parse(text_of(flags->from_time), &from_ms))
		return command_usage_text(argv[0], "--from-time is no time: 2026-01-31T09:00:00Z");
	if (strcmp(name, "verify") == 0)
		return run(flags, false, NULL);
	if (strcmp(name, "dump") == 0)
		return run(flags, true, flags->from_time != NULL ? &from_ms : NULL);
	if (strcmp(name, "follow") == 0)
		return run_follow(flags, flags->from_time != NULL ? from_ms : INSTANT_MS_NONE);
	return command_usage_text(argv[0], "verify, dump or follow is needed; see --help");
}

enum exit_code command_journal(int argc, char **argv)
{
	struct journal_flags  flags = {0};
	const struct settings own   = {table, sizeof table / sizeof table[0], &flags};
	return command_own(argc, argv, &own, usage, run_named);
}
