/* Access tokens and what is in them, as clients send them. What nobody signed is refused; what was
 * signed comes back byte by byte; claims that are taken are of our realm and hold for an hour at
 * most. */

#include "fuzz.h"

#include "access/claims.h"
#include "access/code.h"
#include "access/jwt.h"

static const struct claims_realm realm = {"sonnim", "workspace"};
static const char                id[]  = "9c8d968d-bb96-489f-8ca0-7accc0544612";
static const uint8_t             secret[SIGNING_SECRET_BYTES] = {1, 2, 3};

#define NOW_MS INT64_C(1700000000000)

static struct jwt_key *the_key(void)
{
	static struct jwt_key *key;
	struct error           err;
	if (key == NULL) {
		struct text bytes  = {(const char *)secret, sizeof secret};
		enum status status = jwt_key_read(JWT_HS256, text_of(id), bytes, &key, &err);
		assert(status == STATUS_OK);
	}
	return key;
}

static void check_token(struct text token)
{
	struct buffer claims = {0};
	struct error  err    = {0};
	char          named[JWT_KEY_ID_BYTES];
	bool          has_id = jwt_read_key_id(token, named);
	assert(!has_id || jwt_has_form(token));
	if (jwt_verify(the_key(), token, &claims, &err) == STATUS_OK)
		assert(has_id && strcmp(named, id) == 0);
	else
		assert(claims.length == 0 && err.reason[0] != '\0');
	buffer_done(&claims);
}

static void check_signed(struct text claims)
{
	struct buffer token = {0}, found = {0};
	struct error  err;
	jwt_sign(the_key(), claims, &token);
	if (token.length <= JWT_BYTES_MAX) {
		enum status status = jwt_verify(the_key(), buffer_text(&token), &found, &err);
		assert(status == STATUS_OK && text_equal(buffer_text(&found), claims));
	}
	buffer_done(&token);
	buffer_done(&found);
}

static void check_claims(struct text json)
{
	struct claims claims;
	struct error  err;
	if (claims_read(json, &realm, NOW_MS, &claims, &err) != STATUS_OK)
		return;
	assert(uuid_valid(text_of(claims.person_id)) && uuid_valid(text_of(claims.session_id)));
	assert(claims.expires_s > NOW_MS / 1000);
	assert(claims.expires_s - claims.issued_s <= CLAIMS_SECONDS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text text = {(const char *)data, size};
	struct code code;
	check_token(text);
	check_signed(text);
	check_claims(text);
	assert(!code_read(secret, "snr_", text, &code) || text_starts_with(text, TEXT("snr_")));
	return 0;
}
