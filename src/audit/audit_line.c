#include "audit/audit_line.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/instant.h"

/* The ends of a line have fixed lengths, so that they are found from behind whatever the texts of
 * the record hold. */
#define PREV_NAME      ",\"prev\":\""
#define HASH_NAME      "\",\"hash\":\""
#define WORKSPACE_NAME ",\"workspace\":\""
#define KEY_NAME       "\",\"key\":\""
#define SIGNATURE_NAME "\",\"signature\":\""
#define LINE_END       "\"}"

enum {
	HEX_HASH_BYTES      = 2 * SHA256_BYTES,
	HEX_SIGNATURE_BYTES = 2 * AUDIT_SIGNATURE_BYTES,
	SEQ_DIGITS_MAX      = 19,
	CALL_DIGITS         = 16,
};

/* ---- Writing ---- */

/* Cut off at a character. */
static struct text cut(struct text text)
{
	if (text.length <= AUDIT_TEXT_BYTES_MAX)
		return text;
	text.length = AUDIT_TEXT_BYTES_MAX;
	while (text.length > 0 && ((unsigned char)text.data[text.length] & 0xc0) == 0x80)
		text.length--;
	return text;
}

static void member_text(struct json_writer *w, const char *name, struct text text, bool always)
{
	if (text.length > 0)
		json_member_string(w, name, cut(text));
	else if (always)
		json_member_null(w, name);
}

/* JSON as it is, or, when it is too long, what it can be recognised by. */
static void member_json(struct json_writer *w, const char *name, struct text json, size_t bytes_max)
{
	json_add_key(w, text_of(name));
	if (json.length <= bytes_max) {
		json_add_raw(w, json);
		return;
	}
	uint8_t digest[SHA256_BYTES];
	char    hex[HEX_HASH_BYTES + 1];
	hash_sha256(json.data, json.length, digest);
	hash_hex(digest, sizeof digest, hex);
	json_begin_object(w);
	json_member_string(w, "sha256", text_of(hex));
	json_member_int(w, "bytes", (int64_t)json.length);
	json_end_object(w);
}

/* The members that contracts promise are always there. */
static void write_members(struct json_writer *w, const struct audit_record *record)
{
	member_text(w, "user_id", record->actor, true);
	member_text(w, "action", record->action, true);
	member_text(w, "target", record->target, false);
	if (record->filters.length > 0)
		member_json(w, "filters", record->filters, AUDIT_FILTERS_BYTES_MAX);
	else
		json_member_null(w, "filters");
	if (record->result_size >= 0)
		json_member_int(w, "result_size", record->result_size);
	else
		json_member_null(w, "result_size");
	if (record->status != 0)
		json_member_int(w, "status", record->status);
	if (record->unknown)
		json_member_string(w, "outcome", TEXT("unknown"));
	if (record->personal)
		json_member_bool(w, "personal", true);
	if (record->details.length > 0)
		member_json(w, "details", record->details, AUDIT_DETAILS_BYTES_MAX);
	member_text(w, "ip", record->ip, true);
	member_text(w, "traceId", record->trace_id, true);
	if (record->call != 0) {
		char digits[CALL_DIGITS + 1];
		snprintf(digits, sizeof digits, "%016" PRIx64, record->call);
		json_member_string(w, "call", text_of(digits));
	}
}

static void add_hex(struct buffer *out, const char *name, const uint8_t *data, size_t length)
{
	buffer_printf(out, "%s", name);
	hash_hex(data, length, buffer_reserve(out, 2 * length + 1));
	out->length += 2 * length;
}

void audit_line_add(struct buffer *out, const struct audit_record *record, int64_t at_ms,
                    const struct audit_key *key, const uint8_t workspace_id[16],
                    struct audit_link *link)
{
	size_t             begin = out->length;
	struct json_writer w     = json_writer_of(out);
	if (link->seq > 0 && at_ms < link->at_ms)
		at_ms = link->at_ms;
	json_begin_object(&w);
	json_member_int(&w, "seq", (int64_t)(link->seq + 1));
	json_member_instant(&w, "timestamp", at_ms);
	write_members(&w, record);
	if (key != NULL) {
		add_hex(out, WORKSPACE_NAME, workspace_id, 16);
		buffer_add(out, "\"", 1);
	}
	add_hex(out, PREV_NAME, link->hash, SHA256_BYTES);
	buffer_add(out, "\"", 1);
	link->seq++;
	link->at_ms = at_ms;
	hash_sha256(out->data + begin, out->length - begin, link->hash);
	out->length--; /* HASH_NAME begins with that quote */
	add_hex(out, HASH_NAME, link->hash, SHA256_BYTES);
	if (key != NULL) {
		struct audit_head head = {.seq = link->seq, .at_ms = link->at_ms};
		memcpy(head.workspace_id, workspace_id, sizeof head.workspace_id);
		memcpy(head.hash, link->hash, sizeof head.hash);
		audit_head_sign(&head, key);
		add_hex(out, KEY_NAME, head.key_id, sizeof head.key_id);
		add_hex(out, SIGNATURE_NAME, head.signature, sizeof head.signature);
	}
	buffer_printf(out, LINE_END "\n");
	assert(out->length - begin <= AUDIT_LINE_BYTES_MAX);
}

/* ---- Reading ---- */

static bool take_front(struct text *text, struct text wanted)
{
	if (!text_starts_with(*text, wanted))
		return false;
	text->data += wanted.length;
	text->length -= wanted.length;
	return true;
}

/* From behind: NAME, then so many bytes as hexadecimal digits. */
static bool take_back_hex(struct text *text, const char *name, uint8_t *into, size_t length)
{
	size_t name_length = strlen(name);
	if (text->length < name_length + 2 * length)
		return false;
	const char *digits = text->data + text->length - 2 * length;
	char        again[HEX_SIGNATURE_BYTES + 1];
	if (memcmp(digits - name_length, name, name_length) != 0 ||
	    !hash_unhex((struct text){digits, 2 * length}, into, length))
		return false;
	hash_hex(into, length, again);
	if (memcmp(digits, again, 2 * length) != 0)
		return false; /* upper case: a bit was flipped that means nothing */
	text->length -= name_length + 2 * length;
	return true;
}

static bool take_workspace(struct text text, uint8_t workspace_id[16])
{
	if (!text_ends_with(text, TEXT("\"")))
		return false;
	text.length--;
	return take_back_hex(&text, WORKSPACE_NAME, workspace_id, 16);
}

static bool read_front(struct text text, struct audit_link *link)
{
	if (!take_front(&text, TEXT("{\"seq\":")))
		return false;
	size_t digits = 0;
	for (; digits < text.length && text.data[digits] >= '0' && text.data[digits] <= '9'; digits++) {
		if (digits == SEQ_DIGITS_MAX - 1)
			return false;
		link->seq = link->seq * 10 + (uint64_t)(text.data[digits] - '0');
	}
	text.data += digits;
	text.length -= digits;
	if (digits == 0 || link->seq == 0 || !take_front(&text, TEXT(",\"timestamp\":\"")))
		return false;
	const char *end = memchr(text.data, '"', text.length);
	return end != NULL &&
	       instant_parse((struct text){text.data, (size_t)(end - text.data)}, &link->at_ms);
}

enum status audit_line_read(struct text line, struct audit_line *ret_line, struct error *err)
{
	struct audit_line read  = {0};
	struct text       front = line;
	bool good = text_ends_with(front, TEXT(LINE_END)) && line.length < AUDIT_LINE_BYTES_MAX;
	if (good)
		front.length -= sizeof LINE_END - 1;
	struct text unsigned_end = front;
	read.is_signed           = good &&
	                 take_back_hex(&front, SIGNATURE_NAME, read.signature, sizeof read.signature) &&
	                 take_back_hex(&front, KEY_NAME, read.key_id, sizeof read.key_id);
	if (!read.is_signed)
		front = unsigned_end;
	good = good && take_back_hex(&front, HASH_NAME, read.link.hash, sizeof read.link.hash);
	struct text hashed = {line.data, front.length + 1}; /* with the quote */
	good               = good && take_back_hex(&front, PREV_NAME, read.prev, sizeof read.prev) &&
	       (!read.is_signed || take_workspace(front, read.workspace_id)) &&
	       read_front(front, &read.link);
	if (!good)
		return error_set(err, STATUS_INVALID, "It has not the form of a record");
	uint8_t digest[SHA256_BYTES];
	hash_sha256(hashed.data, hashed.length, digest);
	*ret_line = read;
	if (memcmp(digest, read.link.hash, sizeof digest) != 0)
		return error_set(err, STATUS_CORRUPT, "Its hash is not that of its text");
	return STATUS_OK;
}

/* Before it stand a number, an instant and user_id, which holds no quote but escaped ones. */
struct text audit_line_action(struct text line)
{
	static const char name[] = ",\"action\":\"";
	const char       *at     = memmem(line.data, line.length, name, sizeof name - 1);
	if (at == NULL)
		return (struct text){0};
	at += sizeof name - 1;
	const char *end = memchr(at, '"', (size_t)(line.data + line.length - at));
	return end == NULL ? (struct text){0} : (struct text){at, (size_t)(end - at)};
}

/* What was asked may have members of that name too: the line's own one is found by its parser. */
uint64_t audit_line_call(struct text line, struct json_parser *parser)
{
	static const char name[] = ",\"call\":\"";
	struct json       root, call;
	struct error      ignored;
	uint8_t           bytes[CALL_DIGITS / 2];
	uint64_t          number = 0;
	if (memmem(line.data, line.length, name, sizeof name - 1) == NULL ||
	    json_parse_text(parser, line, &root, &ignored) != STATUS_OK)
		return 0;
	call = json_get(root, "call");
	if (json_type(call) != JSON_STRING || !hash_unhex(json_string(call), bytes, sizeof bytes))
		return 0;
	for (size_t i = 0; i < sizeof bytes; i++)
		number = number << 8 | bytes[i];
	return number;
}

bool audit_line_unknown(struct text line)
{
	static const char name[] = ",\"outcome\":\"unknown\"";
	struct json       root;
	struct error      ignored;
	if (memmem(line.data, line.length, name, sizeof name - 1) == NULL)
		return false;
	struct json_parser *parser  = json_parser_new();
	bool                unknown = json_parse_text(parser, line, &root, &ignored) == STATUS_OK &&
	               json_type(json_get(root, "outcome")) == JSON_STRING;
	json_parser_free(parser);
	return unknown;
}
