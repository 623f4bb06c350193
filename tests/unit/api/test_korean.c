#include "api/sentence/korean.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/instant.h"

static void assert_text(struct buffer *out, const char *expected)
{
	buffer_add_u8(out, 0);
	assert_string_equal(out->data, expected);
	buffer_clear(out);
}

static void assert_with(enum korean_particle particle, const char *word, const char *expected)
{
	struct buffer out = {0};
	buffer_add_text(&out, text_of(word));
	korean_add_particle(&out, particle);
	assert_text(&out, expected);
	buffer_done(&out);
}

static void a_particle_follows_the_last_syllable(void **state)
{
	(void)state;
	assert_with(KOREAN_SUBJECT, "제주", "제주가");
	assert_with(KOREAN_SUBJECT, "부산", "부산이");
	assert_with(KOREAN_TOPIC, "제주", "제주는");
	assert_with(KOREAN_OBJECT, "부산", "부산을");
	assert_with(KOREAN_BY, "제주", "제주로");
	assert_with(KOREAN_BY, "부산", "부산으로");
	assert_with(KOREAN_BY, "서울", "서울로");
}

static void quotes_and_brackets_are_passed_over(void **state)
{
	(void)state;
	assert_with(KOREAN_SUBJECT, "“부산”", "“부산”이");
	assert_with(KOREAN_BY, "(서울)", "(서울)로");
	assert_with(KOREAN_SUBJECT, "[‘제주’]", "[‘제주’]가");
}

static void a_number_is_followed_as_it_is_read(void **state)
{
	(void)state;
	assert_with(KOREAN_BY, "1", "1로");                                 /* 일 */
	assert_with(KOREAN_BY, "3", "3으로");                               /* 삼 */
	assert_with(KOREAN_BY, "10", "10으로");                             /* 십 */
	assert_with(KOREAN_BY, "0", "0으로");                               /* 영 */
	assert_with(KOREAN_BY, "30,000", "30,000으로");                     /* 삼만 */
	assert_with(KOREAN_BY, "2,000,000,000,000", "2,000,000,000,000로"); /* 이조 */
	assert_with(KOREAN_SUBJECT, "1.5", "1.5가");
	assert_with(KOREAN_SUBJECT, "17", "17이");
}

static void latin_letters_are_followed_where_their_sound_is_sure(void **state)
{
	(void)state;
	assert_with(KOREAN_SUBJECT, "VIP", "VIP가");
	assert_with(KOREAN_SUBJECT, "HTML", "HTML이");
	assert_with(KOREAN_BY, "HTML", "HTML로");
	assert_with(KOREAN_SUBJECT, "gold", "gold이(가)");
	assert_with(KOREAN_BY, "email", "email로");
	assert_with(KOREAN_BY, "", "(으)로");
	assert_with(KOREAN_BY, "…", "…(으)로");
}

static void numbers_are_grouped(void **state)
{
	(void)state;
	struct buffer out = {0};
	korean_add_number(&out, 0);
	assert_text(&out, "0");
	korean_add_number(&out, 999);
	assert_text(&out, "999");
	korean_add_number(&out, 1000);
	assert_text(&out, "1,000");
	korean_add_number(&out, -1234567.25);
	assert_text(&out, "-1,234,567.25");
	korean_add_number(&out, 1e30);
	assert_text(&out, "1e+30");
	buffer_done(&out);
}

static void durations_and_instants_are_written_out(void **state)
{
	(void)state;
	struct buffer out = {0};
	korean_add_duration(&out, 10 * MINUTE_MS);
	assert_text(&out, "10분");
	korean_add_duration(&out, 365 * DAY_MS);
	assert_text(&out, "365일");
	korean_add_duration(&out, 36 * 60 * MINUTE_MS);
	assert_text(&out, "36시간");
	korean_add_duration(&out, 90 * 1000);
	assert_text(&out, "90초");
	korean_add_instant(&out, 1767226200000);
	assert_text(&out, "2026년 1월 1일 00:10:00(UTC)");
	korean_add_instant(&out, 1767226200007);
	assert_text(&out, "2026년 1월 1일 00:10:00.007(UTC)");
	buffer_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_particle_follows_the_last_syllable),
		cmocka_unit_test(quotes_and_brackets_are_passed_over),
		cmocka_unit_test(a_number_is_followed_as_it_is_read),
		cmocka_unit_test(latin_letters_are_followed_where_their_sound_is_sure),
		cmocka_unit_test(numbers_are_grouped),
		cmocka_unit_test(durations_and_instants_are_written_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
