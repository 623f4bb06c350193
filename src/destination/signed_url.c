#include "destination/signed_url.h"

#include <sodium.h>
#include <stdlib.h>

#define SEAL_PURPOSE TEXT("sonnim file address")

enum { VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING, TOKEN_BYTES_MAX = 1024 };

void signed_url_write(struct vault *vault, struct text base, struct text id, int64_t expires_ms,
                      struct buffer *out)
{
	struct buffer plain = {0}, sealed = {0};
	buffer_add_i64(&plain, expires_ms);
	buffer_add_text(&plain, id);
	vault_seal_common(vault, SEAL_PURPOSE, buffer_text(&plain), &sealed);
	buffer_printf(out, "%.*s/api/v1/audience/exports/%.*s/file?token=", TEXT_FORMAT(base),
	              TEXT_FORMAT(id));
	size_t room = sodium_base64_encoded_len(sealed.length, VARIANT);
	sodium_bin2base64(buffer_reserve(out, room), room, (const unsigned char *)sealed.data,
	                  sealed.length, VARIANT);
	out->length += room - 1; /* without its NUL */
	buffer_done(&sealed);
	buffer_done(&plain);
}

enum status signed_url_check(struct vault *vault, struct text id, struct text token, int64_t now_ms,
                             struct error *err)
{
	unsigned char sealed[TOKEN_BYTES_MAX];
	size_t        length = 0;
	struct buffer plain  = {0};
	struct error  forged;
	bool          valid =
		token.length > 0 &&
		sodium_base642bin(sealed, sizeof sealed, token.data, token.length, NULL, &length, NULL,
	                      VARIANT) == 0 &&
		vault_unseal_common(vault, SEAL_PURPOSE, (struct text){(const char *)sealed, length},
	                        &plain, &forged) == STATUS_OK;
	int64_t expires_ms = 0;
	if (valid) {
		struct byte_reader reader = byte_reader_of(plain.data, plain.length);
		expires_ms                = read_i64(&reader);
		valid = !reader.failed && text_equal(read_bytes(&reader, read_left(&reader)), id);
	}
	buffer_done(&plain);
	if (!valid)
		return error_set(err, STATUS_NOT_FOUND, "This is not an address of this file");
	if (now_ms >= expires_ms)
		return error_set(err, STATUS_NOT_FOUND, "The address of this file has expired");
	return STATUS_OK;
}
