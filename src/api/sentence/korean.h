#ifndef SONNIM_API_KOREAN_H
#define SONNIM_API_KOREAN_H

/* What Korean sentences that are put together by a program need: particles that follow the sound
 * of the word before them, numbers and durations.
 *
 * The sound of the last letter: of a Hangul syllable it is its code; of digits how they are read
 * (30,000 삼만, 17 십칠); of Latin letters the letter's name in an abbreviation (VIP 브이아이피), in
 * a word a guess where it is safe. Where it is not, both forms are written: "book이(가)". Closing
 * quotes and brackets are passed over. */

#include "base/buffer.h"

enum korean_particle {
	KOREAN_SUBJECT, /* 이, 가 */
	KOREAN_TOPIC,   /* 은, 는 */
	KOREAN_OBJECT,  /* 을, 를 */
	KOREAN_BY,      /* 으로, 로 (로 after ㄹ) */
};

/* Appends the particle that goes with the last word of `out`. */
void korean_add_particle(struct buffer *out, enum korean_particle particle);

/* "1,234,567.5": at most 6 decimals where the number is not too large for digits. */
void korean_add_number(struct buffer *out, double number);

/* "10분", "7일", "36시간": in the largest unit that divides it. */
void korean_add_duration(struct buffer *out, int64_t ms);

/* "2026년 1월 1일 00:10:00(UTC)", with milliseconds when they are not 0. */
void korean_add_instant(struct buffer *out, int64_t ms);

#endif
