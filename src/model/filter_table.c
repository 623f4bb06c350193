/* The 32 filters that are built in. Their events are those of Segment's e-commerce specification
 * and of bookings (Booking Created); traits and properties are named as in the data mart. What an
 * order or a booking says is that of its newest version, and nothing once it is cancelled. */

#include "model/filter_internal.h"

#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))
#define CHOICE(value, ko, en)                                                                      \
	{                                                                                              \
		TEXT(value), { TEXT(ko), TEXT(en) }                                                        \
	}
#define CHOICES(list) .choices = (list), .choice_count = COUNT_OF(list)

static const struct filter_choice memberships[] = {
	CHOICE("VIP", "VIP", "VIP"),
	CHOICE("GOLD", "골드", "Gold"),
	CHOICE("SILVER", "실버", "Silver"),
	CHOICE("BASIC", "일반", "Basic"),
};
static const struct filter_choice devices[] = {
	CHOICE("mobile", "모바일", "Mobile"),
	CHOICE("desktop", "데스크톱", "Desktop"),
	CHOICE("tablet", "태블릿", "Tablet"),
};
static const struct filter_choice genders[] = {
	CHOICE("F", "여성", "Female"),
	CHOICE("M", "남성", "Male"),
};
static const struct filter_choice ages[] = {
	CHOICE("10s", "10대", "Teens"),
	CHOICE("20s", "20대", "Twenties"),
	CHOICE("30s", "30대", "Thirties"),
	CHOICE("40s", "40대", "Forties"),
	CHOICE("50s", "50대", "Fifties"),
	CHOICE("60s", "60대", "Sixties"),
	CHOICE("70s+", "70대 이상", "Seventy and over"),
};
static const struct filter_choice languages[] = {
	CHOICE("ko", "한국어", "Korean"),
	CHOICE("en", "영어", "English"),
	CHOICE("ja", "일본어", "Japanese"),
	CHOICE("zh", "중국어", "Chinese"),
};
static const struct filter_choice acquisitions[] = {
	CHOICE("organic", "자연 유입", "Organic"), CHOICE("search_ad", "검색 광고", "Search ad"),
	CHOICE("social", "소셜", "Social"),        CHOICE("referral", "추천", "Referral"),
	CHOICE("email", "이메일", "E-mail"),       CHOICE("affiliate", "제휴", "Affiliate"),
};
static const struct filter_choice consents[] = {
	CHOICE("email", "이메일", "E-mail"),
	CHOICE("sms", "문자", "Text message"),
	CHOICE("push", "푸시 알림", "Push notification"),
};
static const struct filter_choice accommodations[] = {
	CHOICE("hotel", "호텔", "Hotel"),
	CHOICE("pension", "펜션", "Pension"),
	CHOICE("poolvilla", "풀빌라", "Pool villa"),
	CHOICE("glamping", "글램핑", "Glamping"),
	CHOICE("guesthouse", "게스트하우스", "Guesthouse"),
	CHOICE("hanok", "한옥", "Hanok"),
};
static const struct filter_choice weekdays[] = {
	CHOICE("mon", "월", "Monday"),    CHOICE("tue", "화", "Tuesday"),
	CHOICE("wed", "수", "Wednesday"), CHOICE("thu", "목", "Thursday"),
	CHOICE("fri", "금", "Friday"),    CHOICE("sat", "토", "Saturday"),
	CHOICE("sun", "일", "Sunday"),
};

/* In the order in which they are shown. */
const struct filter_row filter_table[] = {
	/* Traits */
	{"membership", "멤버십 등급", "Membership", FILTER_CHOICE, CHOICES(memberships),
     .template = "trait(membership_tier) in [$value]"},
	{"device_type", "기기", "Device", FILTER_CHOICE, CHOICES(devices),
     .template = "trait(device_type) in [$value]"},
	{"gender", "성별", "Gender", FILTER_CHOICE, CHOICES(genders),
     .template = "trait(gender) in [$value]"},
	{"age_band", "연령대", "Age band", FILTER_CHOICE, CHOICES(ages),
     .template = "trait(age_band) in [$value]"},
	{"active_regions", "활동 지역", "Active regions", FILTER_CHOICE,
     .template = "trait(active_regions) in [$value]"},
	{"language", "언어", "Language", FILTER_CHOICE, CHOICES(languages),
     .template = "trait(language) in [$value]"},
	{"acquisition_channel", "유입 경로", "Acquisition channel", FILTER_CHOICE,
     CHOICES(acquisitions), .template = "trait(acquisition_channel) in [$value]"},
	{"marketing_consent", "마케팅 수신 동의", "Marketing consent", FILTER_CHOICE, CHOICES(consents),
     .note     = "The trait is an array of the channels that were agreed to.",
     .template = "trait(marketing_consent) in [$value]"},
	{"signup_period", "가입 시기", "Signed up", FILTER_PERIOD,
     .note     = "By the trait `created_at`, an instant or a date.",
     .template = "trait(created_at) within_last $days and trait(created_at) after $from "
                 "and trait(created_at) before $to"},
	{"recency", "최근 활동", "Last active within", FILTER_DAYS,
     .note = "Any event, of whatever name.", .template = "days_since_last(*) < $days"},

	/* Behaviour */
	{"region", "관심 지역", "Region", FILTER_CHOICE, .days = 365,
     .note     = "Any event with a `region`: searches, views, carts, orders, bookings.",
     .template = "count(* where region in [$value]) within $days >= 1"},
	{"accommodation_type", "숙소 유형", "Accommodation type", FILTER_CHOICE,
     CHOICES(accommodations), .days = 365,
     .template = "count(* where accommodation_type in [$value]) within $days >= 1"},
	{"search_keyword", "검색어", "Search keyword", FILTER_TEXT, .days = 365,
     .note     = "A part of the keyword is enough; upper and lower case differ.",
     .template = "count(\"Products Searched\" where query contains $value "
                 "or search_keyword contains $value) within $days >= 1"},
	{"viewed_category", "조회 카테고리", "Viewed category", FILTER_CHOICE, .days = 365,
     .template = "count(\"Product Viewed\" where category in [$value]) within $days >= 1 "
                 "or count(\"Product List Viewed\" where category in [$value]) within $days >= 1"},
	{"view_count", "상품 조회 수", "Products viewed", FILTER_NUMBER, .days = 30,
     .template = "count(\"Product Viewed\") within $days >= $min "
                 "and count(\"Product Viewed\") within $days <= $max"},
	{"session_count", "방문 횟수", "Sessions", FILTER_NUMBER, .days = 30,
     .note     = "Different values of `context.sessionId`.",
     .template = "distinct(context.sessionId of *) within $days >= $min "
                 "and distinct(context.sessionId of *) within $days <= $max"},
	{"has_cart", "장바구니 보유", "Has a cart", FILTER_BOOLEAN, .days = 30,
     .note     = "What the newest event with a `has_cart` says; of those without such "
                 "events, whether anything was put into the cart.",
     .template = "last(has_cart of *) within $days = true "
                 "or last(has_cart of *) within $days absent "
                 "and count(\"Product Added\") within $days >= 1"},
	{"cart_abandoned", "장바구니 이탈", "Cart abandoned within", FILTER_DAYS,
     .note     = "Something was put into the cart within these days, and none of the orders and "
                 "bookings of these days came after anything that was put there. An order without "
                 "a cart before it does not count; an order after the first of two carts does.",
     .template = "count(\"Product Added\") within $days >= 1 "
                 "and not sequence(\"Product Added\" then \"Order Completed\") ended_within $days "
                 "and not sequence(\"Product Added\" then \"Booking Created\") ended_within $days"},
	{"wishlist", "찜", "Has wishes", FILTER_BOOLEAN, .days = 365,
     .note     = "Something was put on the list, whether or not it is still there.",
     .template = "count(\"Product Added to Wishlist\") within $days >= 1"},
	{"coupon_used", "쿠폰 사용", "Used a coupon", FILTER_BOOLEAN, .days = 365,
     .template = "count(\"Order Completed\" where coupon exists) within $days >= 1 "
                 "or count(\"Booking Created\" where coupon exists) within $days >= 1"},
	{"price_range", "조회 가격대", "Price range viewed", FILTER_RANGE, .days = 365,
     .template = "count(\"Product Viewed\" where price >= $min and price <= $max) "
                 "within $days >= 1"},

	/* Bookings and orders */
	{"booking_frequency", "예약 횟수", "Bookings a year", FILTER_NUMBER, .days = 365,
     .note     = "Bookings or orders: a least number holds when there are so many of one of "
                 "the two, a largest when there are not more of either.",
     .template = "(count(\"Booking Created\") within $days >= $min "
                 "or count(\"Order Completed\") within $days >= $min) "
                 "and count(\"Booking Created\") within $days <= $max "
                 "and count(\"Order Completed\") within $days <= $max"},
	{"last_booking", "최근 예약", "Booked within", FILTER_DAYS,
     .template = "days_since_last(\"Booking Created\") < $days "
                 "or days_since_last(\"Order Completed\") < $days"},
	{"total_spent", "총 결제 금액", "Total spent", FILTER_RANGE, .days = 365,
     .note     = "As `booking_frequency`, by the amounts. What was cancelled is gone, "
                 "refunds are not taken off.",
     .template = "(sum($amount of \"Booking Created\") within $days >= $min "
                 "or sum($amount of \"Order Completed\") within $days >= $min) "
                 "and sum($amount of \"Booking Created\") within $days <= $max "
                 "and sum($amount of \"Order Completed\") within $days <= $max"},
	{"average_order_value", "평균 결제 금액", "Average order value", FILTER_RANGE, .days = 365,
     .note     = "Of the bookings, or of the orders.",
     .template = "avg($amount of \"Booking Created\") within $days >= $min "
                 "and avg($amount of \"Booking Created\") within $days <= $max "
                 "or avg($amount of \"Order Completed\") within $days >= $min "
                 "and avg($amount of \"Order Completed\") within $days <= $max"},
	{"lead_time_days", "예약 리드타임", "Lead time in days", FILTER_NUMBER, .days = 365,
     .note     = "From the booking to the arrival.",
     .template = "count(\"Booking Created\" where lead_time_days >= $min "
                 "and lead_time_days <= $max) within $days >= 1"},
	{"days_of_week", "숙박 요일", "Days of the week", FILTER_CHOICE, CHOICES(weekdays),
     .closed = true, .days = 365, .note = "One of the nights is of such a day.",
     .template = "count(\"Booking Created\" where days_of_week in [$value]) within $days >= 1"},
	{"stay_nights", "숙박 일수", "Nights of a stay", FILTER_NUMBER, .days = 365,
     .note     = "By the property `nights`.",
     .template = "count(\"Booking Created\" where nights >= $min and nights <= $max) "
                 "within $days >= 1"},
	{"property_type", "예약 숙소 유형", "Booked property type", FILTER_CHOICE,
     CHOICES(accommodations), .days = 365,
     .template = "count(\"Booking Created\" where property_type in [$value]) within $days >= 1"},
	{"pet_friendly", "반려동물 동반 예약", "Booked pet-friendly", FILTER_BOOLEAN, .days = 365,
     .template = "count(\"Booking Created\" where pet_friendly = true) within $days >= 1"},
	{"kids_friendly", "키즈 숙소 예약", "Booked kids-friendly", FILTER_BOOLEAN, .days = 365,
     .template = "count(\"Booking Created\" where kids_friendly = true) within $days >= 1"},
	{"themes", "예약 테마", "Booked themes", FILTER_CHOICE, .days = 365,
     .template = "count(\"Booking Created\" where themes in [$value]) within $days >= 1"},
};
const unsigned filter_table_count = COUNT_OF(filter_table);
_Static_assert(COUNT_OF(filter_table) == 32, "as docs/filters.md says");
