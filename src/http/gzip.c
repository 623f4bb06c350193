#include "http/gzip.h"

#include <zlib.h>

enum {
	GZIP_WINDOW_BITS                                             = 15 + 16,
	/* the largest window, gzip's wrapper only */ STEP_BYTES_MIN = 4096
};

static enum status inflate_members(z_stream *stream, size_t bytes_max, struct buffer *out,
                                   struct error *err)
{
	size_t begin = out->length;

	for (;;) {
		size_t used = out->length - begin;
		/* One byte more than allowed, so that "just full" and "too much" differ. */
		size_t step = bytes_max - used + 1;
		size_t wish = used + STEP_BYTES_MIN; /* doubling */
		if (step > wish)
			step = wish;
		stream->next_out  = (Bytef *)buffer_reserve(out, step);
		stream->avail_out = (uInt)step;
		int result        = inflate(stream, Z_NO_FLUSH);
		out->length += step - stream->avail_out;
		if (out->length - begin > bytes_max)
			return error_set(err, STATUS_TOO_LARGE,
			                 "the body is larger than %zu bytes when decompressed", bytes_max);
		if (result == Z_STREAM_END) {
			if (stream->avail_in == 0)
				return STATUS_OK;
			result = inflateReset(stream);
		}
		if (result != Z_OK)
			return error_set(err, STATUS_INVALID, "the body is not valid gzip");
		if (stream->avail_in == 0 && stream->avail_out != 0)
			return error_set(err, STATUS_INVALID, "the gzip body is cut off");
	}
}

enum status gzip_decompress(struct text compressed, size_t bytes_max, struct buffer *out,
                            struct error *err)
{
	z_stream stream = {
		.next_in  = (Bytef *)compressed.data,
		.avail_in = (uInt)compressed.length,
	};

	if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK)
		return error_set(err, STATUS_NO_MEMORY, "no memory to decompress the body");
	enum status status = inflate_members(&stream, bytes_max, out, err);
	inflateEnd(&stream);
	return status;
}
