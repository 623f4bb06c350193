#include "api/workspace/credential.h"

#include <sodium.h>
#include <string.h>

#include "access/jwt.h"

enum { CODE_LENGTH = WORKSPACE_CODE_BYTES - 1 };

static bool take_code(struct text text, char end, char ret_code[WORKSPACE_CODE_BYTES])
{
	if (text.length <= CODE_LENGTH || text.data[CODE_LENGTH] != end)
		return false;
	for (size_t i = 0; i < CODE_LENGTH; i++)
		if (strchr("0123456789abcdef", text.data[i]) == NULL || text.data[i] == '\0')
			return false;
	memcpy(ret_code, text.data, CODE_LENGTH);
	ret_code[CODE_LENGTH] = '\0';
	return true;
}

static bool take_prefix(struct text *text, struct text prefix)
{
	if (!text_starts_with(*text, prefix))
		return false;
	text->data += prefix.length;
	text->length -= prefix.length;
	return true;
}

/* The claims of a token as claims_write() writes them. */
static bool code_of_token(struct text token, char ret_code[WORKSPACE_CODE_BYTES])
{
	static const char aud[] = "\"aud\":\"";
	uint8_t           claims[JWT_BYTES_MAX];
	size_t            length;
	const char       *end   = token.data + token.length;
	const char       *begin = memchr(token.data, '.', token.length);
	const char *dot = begin == NULL ? NULL : memchr(begin + 1, '.', (size_t)(end - begin - 1));
	if (dot == NULL ||
	    sodium_base642bin(claims, sizeof claims, begin + 1, (size_t)(dot - begin - 1), NULL,
	                      &length, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
		return false;
	const uint8_t *found = memmem(claims, length, aud, sizeof aud - 1);
	if (found == NULL)
		return false;
	found += sizeof aud - 1;
	size_t left = (size_t)(claims + length - found);
	return take_code((struct text){(const char *)found, left}, '-', ret_code);
}

bool credential_code(struct text credential, char ret_code[WORKSPACE_CODE_BYTES])
{
	if (take_prefix(&credential, TEXT("sonnim_")) || take_prefix(&credential, TEXT("wk_")) ||
	    take_prefix(&credential, TEXT("wst_")))
		return take_code(credential, '_', ret_code);
	return credential.length <= JWT_BYTES_MAX && jwt_has_form(credential) &&
	       code_of_token(credential, ret_code);
}
