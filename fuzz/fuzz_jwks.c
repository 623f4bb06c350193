/* Others' sets of public keys, and tokens that are to be signed with one of them: a line of JSON,
 * then the token. A set that is taken has a key; claims come back only of what was signed, and are
 * those that stand in the token. */

#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "access/jwks.h"

static void check_token(const struct jwks *jwks, struct text token)
{
	struct buffer      claims = {0}, said = {0};
	struct jws         parts;
	enum jws_algorithm algorithm = JWS_ALGORITHM_COUNT;
	struct error       err       = {0};
	if (jwks_verify(jwks, token, &claims, &algorithm, &err) == STATUS_OK) {
		assert(algorithm < JWS_ALGORITHM_COUNT);
		assert(jws_split(token, JWKS_TOKEN_BYTES_MAX, &parts));
		assert(jws_read_base64(parts.claims, &said));
		assert(text_equal(buffer_text(&claims), buffer_text(&said)));
	} else {
		assert(claims.length == 0 && err.reason[0] != '\0');
	}
	buffer_done(&claims);
	buffer_done(&said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char         *text   = (const char *)data;
	const char         *end    = size == 0 ? NULL : memchr(text, '\n', size);
	size_t              length = end == NULL ? size : (size_t)(end - text);
	struct json_parser *parser = json_parser_new();
	struct json         root;
	struct jwks        *jwks;
	struct error        err;
	if (json_parse_text(parser, (struct text){text, length}, &root, &err) == STATUS_OK &&
	    jwks_read(root, &jwks, &err) == STATUS_OK) {
		if (end != NULL)
			check_token(jwks, (struct text){end + 1, size - length - 1});
		jwks_free(jwks);
	}
	json_parser_free(parser);
	return 0;
}
