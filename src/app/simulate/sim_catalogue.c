#include "app/simulate/sim_catalogue.h"

#include <stdio.h>

#include "app/simulate/sim_person.h"

#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

struct kind {
	const char *category;
	const char *name;
	unsigned    price_min, price_max; /* hundreds */
};

static const struct kind goods[] = {
	{"fashion", "니트", 290, 1290},
	{"fashion", "코트", 890, 3900},
	{"fashion", "운동화", 490, 1890},
	{"beauty", "세럼", 150, 690},
	{"beauty", "선크림", 90, 350},
	{"living", "침구 세트", 390, 2490},
	{"living", "무드등", 190, 890},
	{"food", "제주 감귤", 150, 450},
	{"food", "한우 선물세트", 690, 3900},
	{"electronics", "무선 이어폰", 490, 3290},
	{"electronics", "공기청정기", 1490, 6900},
	{"kids", "블록 장난감", 190, 1290},
};
static const struct kind rooms[] = {
	{"hotel", "호텔", 890, 3900},
	{"pension", "펜션", 690, 2490},
	{"poolvilla", "풀빌라", 1890, 6900},
	{"glamping", "글램핑", 890, 2290},
	{"guesthouse", "게스트하우스", 250, 690},
	{"hanok", "한옥", 790, 2890},
};
static const char *const themes[] = {"오션뷰", "온천", "바비큐", "커플", "가족", "조식"};
static const char *const shop_words[] = {"니트",   "코트",       "선물세트",    "이어폰",
                                         "선크림", "공기청정기", "블록 장난감", "운동화"};
static const char *const travel_words[] = {"바다 전망", "반려견 동반", "키즈 풀빌라", "오션뷰",
                                           "글램핑",    "온천",        "한옥 스테이", "가족 여행"};

static void item_init(struct sim_item *item, enum sim_shape shape, uint64_t seed, unsigned number)
{
	uint64_t           random = sim_hash(seed, UINT64_C(1) << 40 | number, 0);
	size_t             kinds  = shape == SIM_SHOP ? COUNT_OF(goods) : COUNT_OF(rooms);
	const struct kind *kind   = &(shape == SIM_SHOP ? goods : rooms)[sim_scale(random, kinds)];

	*item = (struct sim_item){
		.number        = number,
		.category      = kind->category,
		.region        = (unsigned)(random % SIM_REGION_COUNT),
		.price         = 100 * (kind->price_min +
                        (unsigned)((random >> 8) % (kind->price_max - kind->price_min))),
		.themes        = (unsigned)(random >> 32) % (1U << COUNT_OF(themes)),
		.pet_friendly  = (random >> 24) % 4 == 0,
		.kids_friendly = (random >> 26) % 2 == 0,
	};
	if (shape == SIM_SHOP)
		snprintf(item->name, sizeof item->name, "%s %u", kind->name, number);
	else
		snprintf(item->name, sizeof item->name, "%s %s %u", sim_region(item->region), kind->name,
		         number);
}

void sim_catalogue_init(struct sim_catalogue *catalogue, enum sim_shape shape, uint64_t seed)
{
	catalogue->shape = shape;
	for (unsigned i = 0; i < SIM_ITEM_COUNT; i++)
		item_init(&catalogue->items[i], shape, seed, i);
}

/* The product of two numbers: the first tenth gets a third of the looks. */
unsigned sim_catalogue_draw(struct sim_chance *chance)
{
	return (unsigned)sim_below(chance, 1 + sim_below(chance, SIM_ITEM_COUNT));
}

const char *sim_catalogue_category(const struct sim_catalogue *catalogue, uint64_t random)
{
	return catalogue->shape == SIM_SHOP ? goods[sim_scale(random, COUNT_OF(goods))].category
	                                    : rooms[sim_scale(random, COUNT_OF(rooms))].category;
}

const char *sim_catalogue_keyword(const struct sim_catalogue *catalogue, uint64_t random)
{
	return catalogue->shape == SIM_SHOP ? shop_words[sim_scale(random, COUNT_OF(shop_words))]
	                                    : travel_words[sim_scale(random, COUNT_OF(travel_words))];
}

void sim_item_write_property(const struct sim_item *item, struct json_writer *w)
{
	char text[32];
	snprintf(text, sizeof text, "h-%03u", item->number);
	json_member_string(w, "property_id", text_of(text));
	json_member_string(w, "property_type", text_of(item->category));
	json_member_string(w, "region", text_of(sim_region(item->region)));
	json_member_bool(w, "pet_friendly", item->pet_friendly);
	json_member_bool(w, "kids_friendly", item->kids_friendly);
	json_add_key(w, TEXT("themes"));
	json_begin_array(w);
	for (unsigned i = 0; i < COUNT_OF(themes); i++)
		if (item->themes >> i & 1)
			json_add_string(w, text_of(themes[i]));
	json_end_array(w);
}

void sim_item_write(const struct sim_catalogue *catalogue, const struct sim_item *item,
                    struct json_writer *w)
{
	char text[32];
	snprintf(text, sizeof text, "p-%03u", item->number);
	json_member_string(w, "product_id", text_of(text));
	json_member_string(w, "name", text_of(item->name));
	json_member_string(w, "category", text_of(item->category));
	json_member_int(w, "price", item->price);
	if (catalogue->shape == SIM_TRAVEL) {
		json_member_string(w, "accommodation_type", text_of(item->category));
		sim_item_write_property(item, w);
	}
}
