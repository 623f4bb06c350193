#include "app/simulate/sim_message.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/instant.h"

/* A visitor's cookie lasts so long. */
#define COOKIE_MS (180 * DAY_MS)

enum { COOKIE_QUESTION = 100 }; /* beside those about persons */

/* ---- The envelope ---- */

static void add_ids(const struct sim_world *world, struct json_writer *w,
                    const struct sim_sender *sender, int64_t at_ms)
{
	char text[64];
	if (sender->known) {
		snprintf(text, sizeof text, "%s-%05u", world->shape == SIM_SHOP ? "shopper" : "traveler",
		         sender->user);
		json_member_string(w, "userId", text_of(text));
	}
	if (sender->anonymous) {
		uint64_t period = (uint64_t)(at_ms / COOKIE_MS);
		uint64_t owner  = (uint64_t)sender->user << 16 ^ period;
		snprintf(text, sizeof text, "visitor-%016" PRIx64,
		         sim_hash(world->seed, owner, COOKIE_QUESTION));
		json_member_string(w, "anonymousId", text_of(text));
	}
}

static void begin_message(struct sim_world *world, struct json_writer *w, const char *type,
                          const struct sim_sender *sender, int64_t at_ms)
{
	char id[64];
	snprintf(id, sizeof id, "sim-%08" PRIx32 "-%" PRIu64, world->tag, world->message_count++);
	json_begin_object(w);
	json_member_string(w, "type", text_of(type));
	json_member_string(w, "messageId", text_of(id));
	json_member_instant(w, "timestamp", at_ms);
	add_ids(world, w, sender, at_ms);
}

static void add_campaign(struct json_writer *w, const struct sim_campaign *campaign)
{
	json_add_key(w, TEXT("campaign"));
	json_begin_object(w);
	json_member_string(w, "name", text_of(campaign->key));
	json_member_string(w, "medium", text_of(campaign->medium));
	json_end_object(w);
}

static void end_message(const struct sim_world *world, struct json_writer *w,
                        const struct sim_sender *sender)
{
	const struct sim_visit *visit = sender->visit;
	if (visit != NULL) {
		char session[48];
		snprintf(session, sizeof session, "%08" PRIx32 "-%u", world->tag, visit->number);
		json_add_key(w, TEXT("context"));
		json_begin_object(w);
		json_member_string(w, "sessionId", text_of(session));
		json_add_key(w, TEXT("device"));
		json_begin_object(w);
		json_member_string(w, "type", text_of(sim_person_device(&world->population, sender->user)));
		json_end_object(w);
		if (visit->has_campaign)
			add_campaign(w, &visit->campaign);
		json_end_object(w);
	}
	json_end_object(w);
}

void sim_begin_event(struct sim_world *world, struct json_writer *w,
                     const struct sim_sender *sender, const char *event, int64_t at_ms)
{
	begin_message(world, w, "track", sender, at_ms);
	json_member_string(w, "event", text_of(event));
	json_add_key(w, TEXT("properties"));
	json_begin_object(w);
}

void sim_end_event(struct sim_world *world, struct json_writer *w, const struct sim_sender *sender)
{
	json_end_object(w);
	end_message(world, w, sender);
}

/* ---- The steps ---- */

static void write_home(struct sim_world *world, struct json_writer *w,
                       const struct sim_sender *sender, int64_t at_ms)
{
	begin_message(world, w, "page", sender, at_ms);
	json_member_string(w, "name", TEXT("Home"));
	json_add_key(w, TEXT("properties"));
	json_begin_object(w);
	json_member_string(w, "url",
	                   world->shape == SIM_SHOP ? TEXT("https://shop.example/")
	                                            : TEXT("https://travel.example/"));
	if (world->scenario == SIM_DASHBOARD || world->scenario == SIM_FUNNEL)
		json_member_int(w, "activity_id", world->activity);
	sim_end_event(world, w, sender);
}

static void write_traits(struct sim_world *world, struct json_writer *w,
                         const struct sim_sender *sender, const struct sim_person *person,
                         int64_t created_ms, int64_t at_ms)
{
	begin_message(world, w, "identify", sender, at_ms);
	json_add_key(w, TEXT("traits"));
	json_begin_object(w);
	sim_person_write_traits(person, at_ms, created_ms, w);
	sim_end_event(world, w, sender);
}

static void write_login(struct sim_world *world, struct json_writer *w,
                        const struct sim_sender *sender, int64_t at_ms)
{
	struct sim_person person;
	sim_person(&world->population, sender->user, &person);
	/* When those signed up who did during an earlier visit stands in that visit's messages. */
	int64_t created_ms = sender->visit->signed_up ? at_ms
	                     : person.member          ? person.created_ms
	                                              : INSTANT_MS_NONE;
	write_traits(world, w, sender, &person, created_ms, at_ms);
}

void sim_write_profile(struct sim_world *world, struct json_writer *w, unsigned user, int64_t at_ms)
{
	struct sim_sender sender = {.user = user, .known = true};
	struct sim_person person;
	sim_person(&world->population, user, &person);
	write_traits(world, w, &sender, &person, person.member ? person.created_ms : at_ms, at_ms);
}

static void add_wishes(struct sim_world *world, struct json_writer *w, int64_t at_ms)
{
	char     text[INSTANT_TEXT_BYTES];
	unsigned ahead    = 1 + (unsigned)sim_below(&world->chance, 60);
	int64_t  check_in = sim_calendar_day(&world->calendar, at_ms) + ahead;
	json_member_string(w, "region", text_of(sim_region(sim_random(&world->chance))));
	instant_format(check_in * DAY_MS, text);
	json_member_string(w, "check_in", (struct text){text, 10});
	json_member_int(w, "guests", 1 + (int64_t)sim_below(&world->chance, 5));
}

static void write_search(struct sim_world *world, struct json_writer *w,
                         const struct sim_sender *sender, int64_t at_ms)
{
	const char *keyword = sim_catalogue_keyword(&world->catalogue, sim_random(&world->chance));
	sim_begin_event(world, w, sender, "Products Searched", at_ms);
	json_member_string(w, "query", text_of(keyword));
	json_member_string(w, "search_keyword", text_of(keyword));
	if (world->shape == SIM_TRAVEL)
		add_wishes(world, w, at_ms);
	sim_end_event(world, w, sender);
}

static void write_list(struct sim_world *world, struct json_writer *w,
                       const struct sim_sender *sender, int64_t at_ms)
{
	const char *category = sim_catalogue_category(&world->catalogue, sim_random(&world->chance));
	sim_begin_event(world, w, sender, "Product List Viewed", at_ms);
	json_member_string(w, "category", text_of(category));
	if (world->shape == SIM_TRAVEL)
		json_member_string(w, "accommodation_type", text_of(category));
	sim_end_event(world, w, sender);
}

static void write_promotion(struct sim_world *world, struct json_writer *w,
                            const struct sim_sender *sender, int64_t at_ms)
{
	const struct sim_campaign *campaign = &sender->visit->campaign;
	sim_begin_event(world, w, sender, "Promotion Clicked", at_ms);
	json_member_string(w, "promotion_id", text_of(campaign->key));
	json_member_string(w, "name", text_of(campaign->name));
	json_member_int(w, "discount_percent", campaign->percent);
	sim_end_event(world, w, sender);
}

static void write_item(struct sim_world *world, struct json_writer *w,
                       const struct sim_sender *sender, const char *event, int64_t at_ms)
{
	const struct sim_visit *visit = sender->visit;
	sim_begin_event(world, w, sender, event, at_ms);
	sim_item_write(&world->catalogue, &world->catalogue.items[visit->item], w);
	json_member_bool(w, "has_cart", visit->cart_count > 0);
	sim_end_event(world, w, sender);
}

static void write_cart(struct sim_world *world, struct json_writer *w,
                       const struct sim_sender *sender, const char *event, int64_t at_ms)
{
	const struct sim_visit *visit = sender->visit;
	int64_t                 value = 0;
	for (unsigned i = 0; i < visit->cart_count; i++)
		value += world->catalogue.items[visit->cart[i]].price;
	sim_begin_event(world, w, sender, event, at_ms);
	json_member_int(w, "value", value);
	json_member_int(w, "product_count", visit->cart_count);
	if (visit->coupon)
		json_member_string(w, "coupon", TEXT("WELCOME10"));
	sim_end_event(world, w, sender);
}

static void write_plain(struct sim_world *world, struct json_writer *w,
                        const struct sim_sender *sender, const char *event, int64_t at_ms)
{
	sim_begin_event(world, w, sender, event, at_ms);
	if (sender->visit->step == SIM_SIGN_UP)
		json_member_string(w, "method", TEXT("email"));
	else
		json_member_int(w, "activity_id", world->activity);
	sim_end_event(world, w, sender);
}

void sim_write_step(struct sim_world *world, struct json_writer *w, const struct sim_visit *visit,
                    int64_t at_ms)
{
	typedef void writer(struct sim_world *, struct json_writer *, const struct sim_sender *,
	                    const char *, int64_t);
	static const struct {
		writer     *write;
		const char *event;
	} events[SIM_STEP_COUNT] = {
		[SIM_VIEW]     = {write_item, "Product Viewed"},
		[SIM_WISH]     = {write_item, "Product Added to Wishlist"},
		[SIM_ADD]      = {write_item, "Product Added"},
		[SIM_REMOVE]   = {write_item, "Product Removed"},
		[SIM_CART]     = {write_cart, "Cart Viewed"},
		[SIM_CHECKOUT] = {write_cart, "Checkout Started"},
		[SIM_COUPON]   = {write_cart, "Coupon Applied"},
		[SIM_CLICK]    = {write_plain, "Activity Clicked"},
		[SIM_ENTER]    = {write_plain, "Activity Entered"},
		[SIM_SIGN_UP]  = {write_plain, "Signed Up"},
	};
	struct sim_sender sender = sim_sender_of(visit);
	switch (visit->step) {
	case SIM_HOME:
		write_home(world, w, &sender, at_ms);
		break;
	case SIM_PROMOTION:
		write_promotion(world, w, &sender, at_ms);
		break;
	case SIM_SEARCH:
		write_search(world, w, &sender, at_ms);
		break;
	case SIM_LIST:
		write_list(world, w, &sender, at_ms);
		break;
	case SIM_LOGIN:
		write_login(world, w, &sender, at_ms);
		break;
	default:
		assert(events[visit->step].write != NULL);
		events[visit->step].write(world, w, &sender, events[visit->step].event, at_ms);
	}
}
