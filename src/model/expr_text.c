#include "model/expr_text.h"

#include <assert.h>
#include <strings.h>

const char *const expr_text_keywords[] = {
	"and",
	"or",
	"not",
	"segment",
	"trait",
	"count",
	"sum",
	"avg",
	"min",
	"max",
	"distinct",
	"first",
	"last",
	"days_since_last",
	"days_since_first",
	"of",
	"where",
	"within",
	"until",
	"between",
	"sequence",
	"then",
	"ended_within",
	"in",
	"contains",
	"starts_with",
	"ends_with",
	"exists",
	"absent",
	"within_last",
	"within_next",
	"before",
	"after",
	"true",
	"false",
	NULL,
};

bool expr_text_is_keyword(struct text word)
{
	for (const char *const *keyword = expr_text_keywords; *keyword != NULL; keyword++)
		if (strlen(*keyword) == word.length && strncasecmp(*keyword, word.data, word.length) == 0)
			return true;
	return false;
}

bool token_is(const struct token *token, const char *keyword)
{
	return token->type == TOKEN_WORD && token->text.length == strlen(keyword) &&
	       strncasecmp(keyword, token->text.data, token->text.length) == 0;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

static bool begins_name(char c) { return is_letter(c) || c == '_' || c == '$'; }

static bool is_in_name(char c) { return begins_name(c) || is_digit(c) || c == '.'; }

/* Letters of other scripts: the text is UTF-8. */
static bool is_foreign(char c) { return (unsigned char)c >= 0x80; }

bool expr_text_is_bare(struct text name)
{
	if (name.length == 0 || !begins_name(name.data[0]) || expr_text_is_keyword(name))
		return false;
	for (size_t i = 1; i < name.length; i++)
		if (!is_in_name(name.data[i]))
			return false;
	return true;
}

const char *expr_text_sign(enum expr_op op)
{
	static const char *const signs[EXPR_OP_COUNT] = {
		[EXPR_EQ] = "=",   [EXPR_NEQ] = "!=", [EXPR_GT] = ">",
		[EXPR_GTE] = ">=", [EXPR_LT] = "<",   [EXPR_LTE] = "<=",
	};
	assert(op < EXPR_OP_COUNT);
	return signs[op];
}

/* The byte at `at`, 0 behind the end. */
static char byte_at(struct text text, size_t at) { return at < text.length ? text.data[at] : '\0'; }

static struct token token_of(enum token_type type, struct text text, size_t at, size_t end)
{
	return (struct token){.type = type, .at = at, .text = {text.data + at, end - at}};
}

static struct token broken(struct text text, size_t at, size_t end, const char *hint)
{
	struct token token = token_of(TOKEN_BROKEN, text, at, end);
	token.hint         = hint;
	return token;
}

/* How long the escape is that begins at `at`; 0: it is none of JSON's. */
static size_t escape_length(struct text text, size_t at)
{
	char c = byte_at(text, at + 1);
	if (c != 'u')
		return c != '\0' && strchr("\"\\/bfnrt", c) != NULL ? 2 : 0;
	for (size_t i = at + 2; i < at + 6; i++) {
		c = byte_at(text, i);
		if (!is_digit(c) && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F'))
			return 0;
	}
	return 6;
}

static struct token read_string(struct text text, size_t at)
{
	size_t end = at + 1;
	while (end < text.length && text.data[end] != '"') {
		size_t length = text.data[end] == '\\' ? escape_length(text, end) : 1;
		if (length == 0)
			return broken(text, end, end + 1,
			              "what stands behind a backslash is none of JSON's escapes");
		if ((unsigned char)text.data[end] < 0x20)
			return broken(text, end, end + 1, "in a string this character is written as an escape");
		end += length;
	}
	if (end >= text.length)
		return broken(text, at, at + 1, "the string has no closing quote");
	return token_of(TOKEN_STRING, text, at, end + 1);
}

static size_t skip_digits(struct text text, size_t at)
{
	while (is_digit(byte_at(text, at)))
		at++;
	return at;
}

static size_t skip_name(struct text text, size_t at)
{
	while (is_in_name(byte_at(text, at)) || is_foreign(byte_at(text, at)))
		at++;
	return at;
}

/* Behind the fraction and the exponent of a number whose whole part ends at `at`; they are taken
 * only where they are complete. */
static size_t skip_fraction(struct text text, size_t at)
{
	if (byte_at(text, at) == '.' && is_digit(byte_at(text, at + 1)))
		at = skip_digits(text, at + 1);
	if (byte_at(text, at) != 'e' && byte_at(text, at) != 'E')
		return at;
	char   sign   = byte_at(text, at + 1);
	size_t digits = at + (sign == '+' || sign == '-' ? 2 : 1);
	return is_digit(byte_at(text, digits)) ? skip_digits(text, digits) : at;
}

static struct token read_number(struct text text, size_t at)
{
	static const char hint[]   = "numbers are written as in JSON, durations as 30m or 7d";
	bool              negative = text.data[at] == '-';
	size_t            first    = at + negative;
	size_t            whole    = skip_digits(text, first);
	size_t            end      = skip_fraction(text, whole);
	if (!negative && end == whole && is_letter(byte_at(text, end))) {
		while (is_letter(byte_at(text, end)))
			end++;
		if (skip_name(text, end) == end)
			return token_of(TOKEN_DURATION, text, at, end);
	}
	bool leading_zero = byte_at(text, first) == '0' && whole - first > 1;
	if (whole == first || leading_zero || skip_name(text, end) != end)
		return broken(text, at, whole == first ? at + 1 : skip_name(text, end), hint);
	return token_of(TOKEN_NUMBER, text, at, end);
}

/* What people write who know other languages. */
static const struct {
	const char *written;
	const char *hint;
} slips[] = {
	{"==", "equality is written ="},
	{"<>", "inequality is written !="},
	{"≠", "inequality is written !="},
	{"=>", "did you mean >=?"},
	{"=<", "did you mean <=?"},
	{"≥", "did you mean >=?"},
	{"≤", "did you mean <=?"},
	{"&&", "did you mean and?"},
	{"||", "did you mean or?"},
	{"!", "did you mean not?"},
	{"'", "names and strings stand in double quotes"},
	{"‘", "names and strings stand in straight double quotes"},
	{"’", "names and strings stand in straight double quotes"},
	{"“", "names and strings stand in straight double quotes"},
	{"”", "names and strings stand in straight double quotes"},
};

static struct token read_sign(struct text text, size_t at)
{
	static const char *const signs[] = {"!=", ">=", "<=", "=", ">", "<",
	                                    "(",  ")",  "[",  "]", ",", "*"};
	struct text              rest    = {text.data + at, text.length - at};
	for (size_t i = 0; i < sizeof slips / sizeof slips[0]; i++)
		if (text_starts_with(rest, text_of(slips[i].written)) &&
		    !text_starts_with(rest, TEXT("!=")))
			return broken(text, at, at + strlen(slips[i].written), slips[i].hint);
	for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
		if (text_starts_with(rest, text_of(signs[i])))
			return token_of(TOKEN_SIGN, text, at, at + strlen(signs[i]));
	if (is_foreign(rest.data[0]))
		return broken(text, at, skip_name(text, at),
		              "names with other letters than A to Z stand in double quotes");
	return broken(text, at, at + 1, NULL);
}

struct token token_read(struct text text, size_t at)
{
	while (at < text.length && strchr(" \t\r\n", text.data[at]) != NULL && text.data[at] != '\0')
		at++;
	if (at >= text.length)
		return (struct token){.type = TOKEN_END, .at = text.length, .text = {"", 0}};
	char c = text.data[at];
	if (c == '"')
		return read_string(text, at);
	if (is_digit(c) || c == '-')
		return read_number(text, at);
	if (!begins_name(c))
		return read_sign(text, at);

	size_t end = at;
	while (is_in_name(byte_at(text, end)))
		end++;
	if (is_foreign(byte_at(text, end)))
		return broken(text, at, skip_name(text, at),
		              "names with other letters than A to Z stand in double quotes");
	return token_of(TOKEN_WORD, text, at, end);
}
