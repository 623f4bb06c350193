#include "model/birthday.h"

#include "base/hash.h"
#include "base/instant.h"

static const char *const bands[] = {"0s", "10s", "20s", "30s", "40s", "50s", "60s", "70s+"};

enum { BAND_YEARS = 10, BAND_COUNT = sizeof bands / sizeof bands[0], DATE_BYTES = 10 };

static int digits(const char *text, unsigned count)
{
	int number = 0;
	for (unsigned i = 0; i < count; i++)
		number = 10 * number + (text[i] - '0');
	return number;
}

bool birthday_parse(struct text text, struct birthday *ret_birthday)
{
	int64_t ms;
	if (text.length < DATE_BYTES || !instant_parse(text, &ms))
		return false;
	*ret_birthday =
		(struct birthday){digits(text.data, 4), digits(text.data + 5, 2), digits(text.data + 8, 2)};
	return true;
}

static void add_part(struct buffer *out, struct text name, int number)
{
	value_add(out, name, &(struct value){.type = VALUE_INT, .integer = number});
}

void birthday_write(const struct birthday *birthday, struct buffer *out)
{
	size_t begin = value_list_begin(out);
	add_part(out, TEXT("year"), birthday->year);
	add_part(out, TEXT("month"), birthday->month);
	add_part(out, TEXT("day"), birthday->day);
	value_list_end(out, begin, 3);
}

static bool read_part(struct text list, struct text name, int64_t min, int64_t max, int *ret_number)
{
	struct value value = value_find(list, name, hash_name(name));
	if (value.type != VALUE_INT || value.integer < min || value.integer > max)
		return false;
	*ret_number = (int)value.integer;
	return true;
}

bool birthday_read(struct text list, struct birthday *ret_birthday)
{
	return read_part(list, TEXT("year"), 1, 9999, &ret_birthday->year) &&
	       read_part(list, TEXT("month"), 1, 12, &ret_birthday->month) &&
	       read_part(list, TEXT("day"), 1, 31, &ret_birthday->day);
}

/* When the person grows so old; February 29 of a common year is March 1. */
static int64_t age_ms(const struct birthday *birthday, int age)
{
	return instant_days_of_date(birthday->year + age, birthday->month, birthday->day) * DAY_MS;
}

/* The first band that has not come yet. */
static int next_band(const struct birthday *birthday, int64_t now_ms)
{
	int band = 0;
	while (band < (int)BAND_COUNT && age_ms(birthday, band * BAND_YEARS) <= now_ms)
		band++;
	return band;
}

struct text birthday_age_band(const struct birthday *birthday, int64_t now_ms)
{
	int band = next_band(birthday, now_ms);
	return band == 0 ? TEXT("") : text_of(bands[band - 1]);
}

int64_t birthday_next_ms(const struct birthday *birthday, int64_t now_ms)
{
	int band = next_band(birthday, now_ms);
	return band == BAND_COUNT ? INSTANT_MS_NEVER : age_ms(birthday, band * BAND_YEARS);
}
