#include "api/transfer/upload_form.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { BOUNDARY_BYTES_MAX = 70, NAME_BYTES_MAX = 255 }; /* RFC 2046 */

static enum status refuse(struct error *err, const char *reason)
{
	return error_set_field(err, STATUS_INVALID, "body", "%s", reason);
}

/* The value of `name="…"` (or without quotation marks) among a header's parameters. */
static bool find_parameter(struct text header, const char *name, struct text *ret_value)
{
	size_t length = strlen(name);
	for (size_t at = 0; at + length + 1 < header.length; at++) {
		bool begins = at > 0 && strchr("; \t", header.data[at - 1]) != NULL;
		if (!begins || strncasecmp(header.data + at, name, length) != 0 ||
		    header.data[at + length] != '=')
			continue;
		const char *from = header.data + at + length + 1, *end = header.data + header.length;
		bool        marks = from < end && *from == '"';
		const char *to    = from += marks;
		while (to < end && (marks ? *to != '"' : strchr("; \t\r\n", *to) == NULL))
			to++;
		*ret_value = (struct text){from, (size_t)(to - from)};
		return true;
	}
	return false;
}

static const char *find(const char *at, const char *end, struct text text)
{
	return memmem(at, (size_t)(end - at), text.data, text.length);
}

struct scan {
	const char *begin; /* of the upload */
	const char *at;
	const char *end;
	struct text delimiter; /* "\r\n--boundary" */
};

/* The headers of the part behind the delimiter at `at`; afterwards that stands at its content. */
static enum status take_headers(struct scan *scan, struct text *ret_headers, struct error *err)
{
	const char *line = find(scan->at, scan->end, TEXT("\r\n"));
	const char *ends = line == NULL ? NULL : find(line, scan->end, TEXT("\r\n\r\n"));
	if (ends == NULL)
		return refuse(err, "the form has no field \"file\", or too much before it");
	*ret_headers = (struct text){line, (size_t)(ends - line)};
	scan->at     = ends + 4;
	return STATUS_OK;
}

static enum status take_file(const struct scan *scan, int fd, uint64_t bytes,
                             struct upload_form *form, struct error *err)
{
	char     tail[BOUNDARY_BYTES_MAX + 16];
	size_t   wanted = scan->delimiter.length + 2;
	uint64_t offset = (uint64_t)(scan->at - scan->begin);
	/* "\r\n--boundary--", mostly with a line end behind it. */
	for (size_t behind = 0; behind <= 2; behind += 2) {
		if (bytes < offset + wanted + behind)
			continue;
		if (pread(fd, tail, wanted, (off_t)(bytes - wanted - behind)) != (ssize_t)wanted)
			return error_set_errno(err, STATUS_IO, errno, "cannot read an upload");
		if (memcmp(tail, scan->delimiter.data, scan->delimiter.length) == 0 &&
		    memcmp(tail + wanted - 2, "--", 2) == 0) {
			form->offset = offset;
			form->bytes  = bytes - wanted - behind - offset;
			return STATUS_OK;
		}
	}
	return refuse(err, "the form does not end with the field \"file\"");
}

static enum status read_parts(struct scan *scan, int fd, uint64_t bytes, struct arena *arena,
                              struct upload_form *form, struct error *err)
{
	for (;;) {
		struct text headers, name, file_name;
		enum status status = take_headers(scan, &headers, err);
		if (status != STATUS_OK)
			return status;
		if (!find_parameter(headers, "name", &name))
			return refuse(err, "a field of the form has no name");
		if (text_equal(name, TEXT("file"))) {
			if (find_parameter(headers, "filename", &file_name) &&
			    file_name.length <= NAME_BYTES_MAX)
				form->name = arena_text(arena, file_name);
			return take_file(scan, fd, bytes, form, err);
		}
		const char *end = find(scan->at, scan->end, scan->delimiter);
		if (!text_equal(name, TEXT("mapping")))
			return refuse(err, "a form has the fields \"mapping\" and, at last, \"file\"");
		if (end == NULL)
			return refuse(err, "the mapping is too long, or has no end");
		form->mapping = arena_text(arena, (struct text){scan->at, (size_t)(end - scan->at)});
		scan->at      = end + scan->delimiter.length;
	}
}

enum status upload_form_read(int fd, uint64_t bytes, struct text content_type, struct arena *arena,
                             struct upload_form *ret_form, struct error *err)
{
	struct text boundary;
	*ret_form = (struct upload_form){.bytes = bytes};
	if (content_type.length < 19 || strncasecmp(content_type.data, "multipart/form-data", 19) != 0)
		return STATUS_OK;
	if (!find_parameter(content_type, "boundary", &boundary) || boundary.length == 0 ||
	    boundary.length > BOUNDARY_BYTES_MAX)
		return refuse(err, "the form has no boundary");
	char   *head   = arena_alloc(arena, UPLOAD_FORM_HEAD_BYTES_MAX);
	ssize_t length = pread(fd, head, UPLOAD_FORM_HEAD_BYTES_MAX, 0);
	if (length < 0)
		return error_set_errno(err, STATUS_IO, errno, "cannot read an upload");
	char       *delimiter = arena_printf(arena, "\r\n--%.*s", TEXT_FORMAT(boundary));
	struct scan scan      = {head, head, head + length, text_of(delimiter)};
	/* The first one has no line end before it. */
	if ((size_t)length < scan.delimiter.length ||
	    memcmp(head, delimiter + 2, scan.delimiter.length - 2) != 0)
		return refuse(err, "the form does not begin with its boundary");
	scan.at = head + scan.delimiter.length - 2;
	return read_parts(&scan, fd, bytes, arena, ret_form, err);
}
