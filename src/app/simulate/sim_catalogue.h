#ifndef SONNIM_APP_SIMULATE_SIM_CATALOGUE_H
#define SONNIM_APP_SIMULATE_SIM_CATALOGUE_H

/* What is sold: a shop's goods, or the rooms and tours of a travel agency. Some are looked at much
 * more often than others. Made once, from the seed; any number of readers. */

#include <stdbool.h>
#include <stdint.h>

#include "app/simulate/sim_calendar.h"
#include "app/simulate/sim_chance.h"
#include "base/json.h"

enum { SIM_ITEM_COUNT = 400 };

struct sim_item {
	unsigned    number;
	const char *category; /* of goods; property_type of rooms */
	unsigned    region;   /* sim_region(); of rooms */
	unsigned    price;    /* of one, or of one night; KRW, whole hundreds */
	unsigned    themes;   /* bits */
	bool        pet_friendly, kids_friendly;
	char        name[64];
};

struct sim_catalogue {
	enum sim_shape  shape;
	struct sim_item items[SIM_ITEM_COUNT];
};

void sim_catalogue_init(struct sim_catalogue *catalogue, enum sim_shape shape, uint64_t seed);

unsigned sim_catalogue_draw(struct sim_chance *chance);

/* What customers look for: in a shop one of its categories, in travel a region's number. */
const char *sim_catalogue_category(const struct sim_catalogue *catalogue, uint64_t random);
const char *sim_catalogue_keyword(const struct sim_catalogue *catalogue, uint64_t random);

/* product_id, name, category, price and so on, as members of the object that is open. */
void sim_item_write(const struct sim_catalogue *catalogue, const struct sim_item *item,
                    struct json_writer *w);

/* Of rooms: property_id, property_type, region, what it suits. */
void sim_item_write_property(const struct sim_item *item, struct json_writer *w);

#endif
