#include "vault/blind.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

enum { EMAIL_BYTES_MAX = 254, PHONE_DIGITS_MIN = 5, PHONE_DIGITS_MAX = 15 };

static struct text trimmed(struct text text)
{
	while (text.length > 0 && (unsigned char)text.data[0] <= ' ') {
		text.data++;
		text.length--;
	}
	while (text.length > 0 && (unsigned char)text.data[text.length - 1] <= ' ')
		text.length--;
	return text;
}

/* ---- Hangul (Unicode, 3.12): conjoining letters become a syllable ---- */

enum {
	SYLLABLE_FIRST = 0xac00,
	LEAD_FIRST     = 0x1100,
	VOWEL_FIRST    = 0x1161,
	TAIL_FIRST     = 0x11a7, /* no letter: stands for none */
	LEADS          = 19,
	VOWELS         = 21,
	TAILS          = 28,
};

/* A code point of three bytes, as all of these are; 0: another. */
static unsigned three_bytes(struct text text, size_t at)
{
	const unsigned char *bytes = (const unsigned char *)text.data + at;
	if (text.length - at < 3 || (bytes[0] & 0xf0) != 0xe0)
		return 0;
	return (bytes[0] & 0x0fU) << 12 | (bytes[1] & 0x3fU) << 6 | (bytes[2] & 0x3fU);
}

static size_t put_three(char *out, unsigned point)
{
	out[0] = (char)(0xe0 | point >> 12);
	out[1] = (char)(0x80 | (point >> 6 & 0x3f));
	out[2] = (char)(0x80 | (point & 0x3f));
	return 3;
}

/* The syllable that begins at `at`, and how many bytes it takes; 0: none does. */
static unsigned compose(struct text text, size_t at, size_t *ret_bytes)
{
	unsigned lead = three_bytes(text, at) - LEAD_FIRST;
	if (lead >= LEADS)
		return 0;
	unsigned vowel = at + 3 < text.length ? three_bytes(text, at + 3) - VOWEL_FIRST : VOWELS;
	if (vowel >= VOWELS)
		return 0;
	unsigned tail = at + 6 < text.length ? three_bytes(text, at + 6) - TAIL_FIRST : 0;
	bool     has  = tail >= 1 && tail < TAILS;
	*ret_bytes    = has ? 9 : 6;
	return SYLLABLE_FIRST + (lead * VOWELS + vowel) * TAILS + (has ? tail : 0);
}

/* ---- Normal forms: how many bytes they take, 0 when it is none ---- */

static size_t normal_email(struct text value, char into[EMAIL_BYTES_MAX])
{
	struct text text   = trimmed(value);
	size_t      length = 0, sign = 0, signs = 0, bytes;
	if (text.length > EMAIL_BYTES_MAX)
		return 0;
	for (size_t at = 0; at < text.length;) {
		unsigned syllable = compose(text, at, &bytes);
		if (syllable != 0) {
			length += put_three(into + length, syllable);
			at += bytes;
			continue;
		}
		char c = text.data[at++];
		if (c == '@') {
			sign = length;
			signs++;
		}
		into[length++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	return signs == 1 && sign > 0 && sign + 1 < length ? length : 0;
}

/* Its digits as they stand; `*ret_plus`: a + before them. */
static size_t digits_of(struct text text, char into[PHONE_DIGITS_MAX + 3], bool *ret_plus)
{
	size_t length = 0;
	*ret_plus     = false;
	for (size_t i = 0; i < text.length; i++) {
		char c = text.data[i];
		if (c == '+' && length == 0 && !*ret_plus)
			*ret_plus = true;
		else if (c >= '0' && c <= '9' && length < PHONE_DIGITS_MAX + 3)
			into[length++] = c;
		else if (memchr(" -./()", c, 6) == NULL)
			return 0;
	}
	return length;
}

static size_t normal_phone(const struct blind *blind, struct text value,
                           char into[PHONE_DIGITS_MAX])
{
	char        raw[PHONE_DIGITS_MAX + 3];
	bool        plus;
	size_t      length  = digits_of(trimmed(value), raw, &plus);
	struct text digits  = {raw, length};
	struct text country = text_of(blind->country);
	if (!plus && text_starts_with(digits, TEXT("00"))) {
		digits = (struct text){raw + 2, length - 2};
		plus   = true;
	}
	bool national = !plus && text_starts_with(digits, TEXT("0"));
	if (!national && text_starts_with(digits, country)) {
		national      = true;
		digits.data   = digits.data + country.length;
		digits.length = digits.length - country.length;
	}
	if (national && text_starts_with(digits, TEXT("0")))
		digits = (struct text){digits.data + 1, digits.length - 1};
	size_t whole = (national ? country.length : 0) + digits.length;
	if (whole < PHONE_DIGITS_MIN || whole > PHONE_DIGITS_MAX)
		return 0;
	if (national)
		memcpy(into, country.data, country.length);
	memcpy(into + whole - digits.length, digits.data, digits.length);
	return whole;
}

bool blind_index(const struct blind *blind, enum personal_index kind, struct text value,
                 char ret_index[PERSONAL_INDEX_BYTES], const char **ret_reason)
{
	assert(kind == PERSONAL_EMAIL || kind == PERSONAL_PHONE);

	uint8_t input[1 + EMAIL_BYTES_MAX], hash[crypto_shorthash_siphashx24_BYTES];
	size_t  length = kind == PERSONAL_EMAIL ? normal_email(value, (char *)input + 1)
	                                        : normal_phone(blind, value, (char *)input + 1);
	if (length == 0) {
		if (ret_reason != NULL)
			*ret_reason = kind == PERSONAL_EMAIL ? "It must be an e-mail address"
			                                     : "It must be a telephone number";
		return false;
	}
	static_assert(crypto_shorthash_siphashx24_KEYBYTES == HASH_KEY_BYTES, "SipHash's key");
	static_assert(2 * sizeof hash == PERSONAL_INDEX_DIGITS, "its output, in hexadecimal digits");
	input[0] = (uint8_t)kind;
	crypto_shorthash_siphashx24(hash, input, 1 + length, blind->key);
	sodium_memzero(input, sizeof input);

	char digits[PERSONAL_INDEX_DIGITS + 1];
	hash_hex(hash, sizeof hash, digits);
	memcpy(ret_index, PERSONAL_INDEX_PREFIX, sizeof PERSONAL_INDEX_PREFIX - 1);
	memcpy(ret_index + sizeof PERSONAL_INDEX_PREFIX - 1, digits, PERSONAL_INDEX_DIGITS);
	return true;
}
