#include "api/sentence/korean.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "base/json.h"

/* How a word ends. */
enum ending { ENDING_UNKNOWN, ENDING_VOWEL, ENDING_RIEUL, ENDING_CONSONANT };

static const char *const particles[][4] = {
	[KOREAN_SUBJECT] = {"이(가)", "가", "이", "이"},
	[KOREAN_TOPIC]   = {"은(는)", "는", "은", "은"},
	[KOREAN_OBJECT]  = {"을(를)", "를", "을", "을"},
	[KOREAN_BY]      = {"(으)로", "로", "로", "으로"},
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

/* Without closing quotes and brackets. */
static struct text without_quotes(struct text text)
{
	static const char *const passed[] = {"”", "’", "\"", "'", ")", "]"};
	for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
		size_t length = strlen(passed[i]);
		if (text.length >= length &&
		    memcmp(text.data + text.length - length, passed[i], length) == 0) {
			text.length -= length;
			i = (size_t)-1;
		}
	}
	return text;
}

static enum ending ending_of_syllable(struct text text)
{
	enum { FIRST = 0xac00, LAST = 0xd7a3, FINALS = 28, RIEUL = 8 };
	const unsigned char *at   = (const unsigned char *)text.data + text.length - 3;
	unsigned             code = (at[0] & 0xfu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
	if ((at[0] & 0xf0) != 0xe0 || code < FIRST || code > LAST)
		return ENDING_UNKNOWN;
	unsigned final = (code - FIRST) % FINALS;
	return final == 0 ? ENDING_VOWEL : final == RIEUL ? ENDING_RIEUL : ENDING_CONSONANT;
}

/* 일 이 삼 사 오 육 칠 팔 구; after zeros 십 백 천 만 억 조; 영. */
static enum ending ending_of_number(struct text text)
{
	static const enum ending digits[] = {
		ENDING_CONSONANT, ENDING_RIEUL,     ENDING_VOWEL, ENDING_CONSONANT, ENDING_VOWEL,
		ENDING_VOWEL,     ENDING_CONSONANT, ENDING_RIEUL, ENDING_RIEUL,     ENDING_VOWEL,
	};
	size_t begin = text.length, zeros = 0;
	bool   decimals = false;
	while (begin > 0 && (is_digit(text.data[begin - 1]) || text.data[begin - 1] == ',' ||
	                     text.data[begin - 1] == '.'))
		decimals |= text.data[--begin] == '.';
	char last = text.data[text.length - 1];
	if (last != '0' || decimals)
		return digits[last - '0'];
	for (size_t i = text.length; i > begin && (text.data[i - 1] == '0' || text.data[i - 1] == ',');)
		zeros += text.data[--i] == '0';
	return zeros >= 12 && zeros < 16 ? ENDING_VOWEL : ENDING_CONSONANT;
}

static enum ending ending_of_latin(struct text text)
{
	size_t begin = text.length;
	bool   upper = true;
	while (begin > 0 && (is_upper(text.data[begin - 1]) || is_lower(text.data[begin - 1])))
		upper &= is_upper(text.data[--begin]);
	char last = text.data[text.length - 1];
	if (upper) /* 엘, 엠, 엔, 알 */
		return last == 'L' || last == 'R'   ? ENDING_RIEUL
		       : last == 'M' || last == 'N' ? ENDING_CONSONANT
		                                    : ENDING_VOWEL;
	if (last == 'l')
		return ENDING_RIEUL;
	if (last == 'm' || last == 'n')
		return ENDING_CONSONANT;
	return strchr("aiouysz", last) != NULL ? ENDING_VOWEL : ENDING_UNKNOWN;
}

static enum ending ending_of(struct text text)
{
	text = without_quotes(text);
	if (text.length == 0)
		return ENDING_UNKNOWN;
	char last = text.data[text.length - 1];
	if (is_digit(last))
		return ending_of_number(text);
	if (is_upper(last) || is_lower(last))
		return ending_of_latin(text);
	return text.length >= 3 ? ending_of_syllable(text) : ENDING_UNKNOWN;
}

void korean_add_particle(struct buffer *out, enum korean_particle particle)
{
	buffer_printf(out, "%s", particles[particle][ending_of(buffer_text(out))]);
}

void korean_add_number(struct buffer *out, double number)
{
	struct buffer      plain = {0};
	struct json_writer w     = json_writer_of(&plain);
	json_add_double(&w, number);
	struct text text     = buffer_text(&plain);
	size_t      sign     = text.data[0] == '-';
	size_t      integers = sign;
	while (integers < text.length && is_digit(text.data[integers]))
		integers++;
	bool digits = memchr(text.data, 'e', text.length) == NULL;
	for (size_t i = 0; i < text.length; i++) {
		if (digits && i > sign && i < integers && (integers - i) % 3 == 0)
			buffer_add_u8(out, ',');
		buffer_add_u8(out, (uint8_t)text.data[i]);
	}
	buffer_done(&plain);
}

void korean_add_duration(struct buffer *out, int64_t ms)
{
	static const struct {
		int64_t     ms;
		const char *name;
	} units[] = {{DAY_MS, "일"}, {60 * MINUTE_MS, "시간"}, {MINUTE_MS, "분"}, {1000, "초"}};
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (ms % units[i].ms == 0) {
			int64_t count = ms / units[i].ms;
			korean_add_number(out, (double)count);
			buffer_printf(out, "%s", units[i].name);
			return;
		}
	korean_add_number(out, (double)ms);
	buffer_printf(out, "밀리초");
}

void korean_add_instant(struct buffer *out, int64_t ms)
{
	char        into[INSTANT_TEXT_BYTES];
	struct text text = instant_format(ms, into); /* 2026-01-01T00:10:00.123Z */
	buffer_printf(out, "%ld년 %ld월 %ld일 %.*s(UTC)", strtol(text.data, NULL, 10),
	              strtol(text.data + 5, NULL, 10), strtol(text.data + 8, NULL, 10),
	              (int)(text.length - 12), text.data + 11);
}
