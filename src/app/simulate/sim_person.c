#include "app/simulate/sim_person.h"

#include <stdio.h>

#include "app/simulate/sim_chance.h"
#include "base/instant.h"

#define COUNT_OF(list)        (sizeof(list) / sizeof((list)[0]))
#define WORD_OF(list, random) ((list)[sim_scale(random, COUNT_OF(list))])
#define MEMBERS_PER_MILLE     650
#define MEMBER_SINCE_MS       (1095 * DAY_MS)
#define AGE_MIN               16
#define AGE_SPREAD            55
#define KOREANS_PER_MILLE     850
#define PHONE_NUMBER_COUNT    UINT64_C(100000000)

/* Some names stand several times: as often as they are, about. */
static const char *const korean_families[] = {
	"김", "김", "김", "김", "이", "이", "이", "박", "박", "최", "정", "강", "조",
	"윤", "장", "임", "한", "오", "서", "신", "권", "황", "안", "송", "류", "홍",
};
static const char *const korean_women[] = {
	"서연", "서윤", "지우", "서현", "민서", "하은", "하윤", "윤서", "지민", "지유",
	"수아", "지아", "은서", "다은", "예은", "수빈", "소율", "예린", "유진", "미영",
	"은정", "현주", "지영", "은주", "경희", "영미", "보라", "슬기",
};
static const char *const korean_men[] = {
	"민준", "서준", "도윤", "예준", "시우", "하준", "주원", "지호", "지훈", "준서",
	"건우", "현우", "우진", "선우", "연우", "민재", "정우", "승우", "동현", "성호",
	"영수", "상훈", "재호", "진우", "태양", "한결", "성민", "정훈",
};
static const char *const english_families[] = {
	"Smith", "Johnson", "Williams", "Brown", "Jones", "Garcia", "Miller",   "Davis",
	"Lopez", "Wilson",  "Anderson", "Moore", "Lee",   "Clark",  "Robinson", "O'Brien",
};
static const char *const english_women[] = {"Olivia", "Emma",  "Amelia", "Sophia", "Mia",  "Grace",
                                            "Emily",  "Chloe", "Hannah", "Zoë",    "Ruth", "Alice"};
static const char *const english_men[]   = {"Liam", "Noah", "Oliver", "James",  "Lucas", "Henry",
                                            "Jack", "Leo",  "Daniel", "Samuel", "David", "André"};

static const char *const regions[SIM_REGION_COUNT] = {"서울", "부산", "제주", "강릉",
                                                      "경주", "여수", "속초", "전주"};
static const char *const devices[] = {"mobile", "mobile", "mobile", "desktop", "desktop", "tablet"};
static const char *const channels[] = {"organic",  "organic", "search_ad", "social",
                                       "referral", "email",   "affiliate"};

enum question {
	DEVICE = 1,
	LANGUAGE,
	GENDER,
	MEMBER,
	YEAR,
	DAY,
	CREATED,
	REGION,
	REGIONS,
	TIER,
	CHANNEL,
	CONSENTS,
	FAMILY,
	GIVEN,
	PHONE,
};

static uint64_t answer(const struct sim_population *population, unsigned number,
                       enum question question)
{
	return sim_hash(population->seed, number, question);
}

const char *sim_person_device(const struct sim_population *population, unsigned number)
{
	return WORD_OF(devices, answer(population, number, DEVICE));
}

const char *sim_region(uint64_t number) { return regions[number % SIM_REGION_COUNT]; }

/* By rank among all, give or take an eighth. */
static const char *tier_of(const struct sim_population *population, unsigned number)
{
	uint64_t rank = UINT64_C(1000) * number / population->count;
	rank += sim_scale(answer(population, number, TIER), 125);
	return rank < 80 ? "VIP" : rank < 250 ? "GOLD" : rank < 550 ? "SILVER" : "BASIC";
}

static void name_of(const struct sim_population *population, struct sim_person *person)
{
	uint64_t    family = answer(population, person->number, FAMILY);
	uint64_t    given  = answer(population, person->number, GIVEN);
	const char *family_name, *given_name;
	if (person->korean) {
		family_name = WORD_OF(korean_families, family);
		given_name  = person->female ? WORD_OF(korean_women, given) : WORD_OF(korean_men, given);
	} else {
		family_name = WORD_OF(english_families, family);
		given_name  = person->female ? WORD_OF(english_women, given) : WORD_OF(english_men, given);
	}
	snprintf(person->family, sizeof person->family, "%s", family_name);
	snprintf(person->given, sizeof person->given, "%s", given_name);
}

static void birth_of(const struct sim_population *population, struct sim_person *person)
{
	int year, month, day;
	instant_date(population->start_ms, &year, &month, &day);
	/* The sum of two: most are of middle age. */
	uint64_t random     = answer(population, person->number, YEAR);
	int      age        = AGE_MIN + (int)(random % AGE_SPREAD + (random >> 32) % AGE_SPREAD) / 2;
	random              = answer(population, person->number, DAY);
	person->birth_year  = year - age;
	person->birth_month = 1 + (int)(random % 12);
	person->birth_day   = 1 + (int)((random >> 32) % (unsigned)instant_days_of_month(
														 person->birth_year, person->birth_month));
}

void sim_person(const struct sim_population *population, unsigned number,
                struct sim_person *ret_person)
{
	uint64_t language = answer(population, number, LANGUAGE);
	uint64_t member   = answer(population, number, MEMBER);
	uint64_t region   = answer(population, number, REGION);
	uint64_t consents = answer(population, number, CONSENTS);

	*ret_person              = (struct sim_person){.number = number};
	ret_person->korean       = sim_scale(language, 1000) < KOREANS_PER_MILLE;
	ret_person->female       = answer(population, number, GENDER) % 100 < 53;
	ret_person->member       = sim_scale(member, 1000) < MEMBERS_PER_MILLE;
	ret_person->region       = (unsigned)sim_scale(region, SIM_REGION_COUNT);
	ret_person->region_count = 1 + (unsigned)(answer(population, number, REGIONS) % 4 / 2);
	ret_person->tier         = tier_of(population, number);
	ret_person->device       = sim_person_device(population, number);
	ret_person->channel      = WORD_OF(channels, answer(population, number, CHANNEL));
	/* In percent. */
	ret_person->email_consent = consents % 100 < 70;
	ret_person->sms_consent   = (consents >> 16) % 100 < 50;
	ret_person->push_consent  = (consents >> 32) % 100 < 60;

	ret_person->created_ms =
		population->start_ms -
		(int64_t)sim_scale(answer(population, number, CREATED), MEMBER_SINCE_MS);
	birth_of(population, ret_person);
	name_of(population, ret_person);
}

/* ---- Traits ---- */

static int age_at(const struct sim_person *person, int64_t now_ms)
{
	int year, month, day;
	instant_date(now_ms, &year, &month, &day);
	bool had_birthday =
		month > person->birth_month || (month == person->birth_month && day >= person->birth_day);
	return year - person->birth_year - !had_birthday;
}

static void write_name(const struct sim_person *person, struct json_writer *w)
{
	char name[2 * SIM_PERSON_NAME_BYTES];
	if (person->korean)
		snprintf(name, sizeof name, "%s%s", person->family, person->given);
	else
		snprintf(name, sizeof name, "%s %s", person->given, person->family);
	json_member_string(w, "name", text_of(name));
	json_member_string(w, "first_name", text_of(person->given));
	json_member_string(w, "last_name", text_of(person->family));
}

static void write_contact(const struct sim_person *person, struct json_writer *w)
{
	char     text[64];
	unsigned number = (unsigned)(person->number % PHONE_NUMBER_COUNT);
	snprintf(text, sizeof text, "user%05u@example.com", person->number);
	json_member_string(w, "email", text_of(text));
	snprintf(text, sizeof text, "010-%04u-%04u", number / 10000 % 1000, number % 10000);
	json_member_string(w, "phone", text_of(text));
}

static void write_consents(const struct sim_person *person, struct json_writer *w)
{
	json_add_key(w, TEXT("marketing_consent"));
	json_begin_array(w);
	if (person->email_consent)
		json_add_string(w, TEXT("email"));
	if (person->sms_consent)
		json_add_string(w, TEXT("sms"));
	if (person->push_consent)
		json_add_string(w, TEXT("push"));
	json_end_array(w);
}

void sim_person_write_traits(const struct sim_person *person, int64_t now_ms, int64_t created_ms,
                             struct json_writer *w)
{
	char text[64];
	int  age = age_at(person, now_ms);
	write_name(person, w);
	write_contact(person, w);
	snprintf(text, sizeof text, "%04d-%02d-%02d", person->birth_year, person->birth_month,
	         person->birth_day);
	json_member_string(w, "birthday", text_of(text));
	if (age < 70)
		snprintf(text, sizeof text, "%ds", age / 10 * 10);
	else
		snprintf(text, sizeof text, "70s+");
	json_member_string(w, "age_band", text_of(text));
	json_member_string(w, "gender", person->female ? TEXT("F") : TEXT("M"));
	json_member_string(w, "language", person->korean ? TEXT("ko") : TEXT("en"));
	json_member_string(w, "membership_tier", text_of(person->tier));
	json_member_string(w, "device_type", text_of(person->device));
	json_member_string(w, "acquisition_channel", text_of(person->channel));
	json_member_string(w, "region", text_of(sim_region(person->region)));
	json_add_key(w, TEXT("active_regions"));
	json_begin_array(w);
	for (unsigned i = 0; i < person->region_count; i++)
		json_add_string(w, text_of(sim_region(person->region + i)));
	json_end_array(w);
	write_consents(person, w);
	if (created_ms != INSTANT_MS_NONE)
		json_member_instant(w, "created_at", created_ms);
}
