#include "app/simulate_shop.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/instant.h"
#include "base/json.h"
#include "base/vector.h"

enum {
	PRODUCT_COUNT        = 240,
	CART_MAX             = 4,
	STEP_MS_MIN          = 4000, /* between two steps of a session */
	STEP_MS_SPREAD       = 26000,
	REFUND_MS_MIN        = 60 * 1000,
	REFUND_MS_SPREAD     = 20 * 60 * 1000,
	MESSAGES_PER_SESSION = 6, /* about, on average */
};

/* Longer than sessions are. */
#define WARM_UP_MS (5 * MINUTE_MS)

enum happening_kind { ARRIVAL, STEP, REFUND };

enum step { HOME, BROWSE, VIEW, LOGIN, CART, ORDER, LEAVE };

struct session {
	unsigned  user;
	unsigned  number; /* of all sessions: part of a visitor's id */
	bool      known;  /* logged in */
	enum step step;
	unsigned  views_left;
	unsigned  product;
	unsigned  cart_count;
	unsigned  cart[CART_MAX];
};

struct happening {
	int64_t             at_ms;
	uint64_t            order; /* of equal instants */
	enum happening_kind kind;
	struct session     *session; /* STEP */
	unsigned            user;    /* REFUND */
	uint64_t            order_number;
	uint64_t            total;
};

struct shop {
	struct shop_config config;
	uint64_t           random;
	uint64_t           message_count;
	uint64_t           happening_count;
	unsigned           session_count;
	uint64_t           order_count;
	VECTOR(struct happening) heap;
};

/* ---- Made-up words ---- */

static const char *const regions[]    = {"제주", "부산", "강릉", "여수",
                                         "경주", "속초", "서울", "전주"};
static const char *const categories[] = {"pension",   "hotel", "glamping",
                                         "poolvilla", "tour",  "camping"};
static const char *const searches[] = {"바다 전망", "반려견 동반", "키즈 풀빌라", "오션뷰",
                                       "글램핑",    "온천",        "주말 여행",   "가족 여행"};
static const char *const tiers[]   = {"BASIC", "BASIC", "BASIC", "SILVER", "GOLD", "VIP"};
static const char *const ages[]    = {"20s", "30s", "30s", "40s", "50s", "60s"};
static const char *const devices[] = {"mobile", "mobile", "desktop", "tablet"};

#define WORD_OF(list, number) ((list)[(number) % (sizeof(list) / sizeof((list)[0]))])

/* ---- Chance ---- */

static uint64_t mix(uint64_t value) /* splitmix64's */
{
	value += UINT64_C(0x9e3779b97f4a7c15);
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

static double chance(struct shop *shop) /* [0, 1) */
{
	shop->random = mix(shop->random);
	return (double)(shop->random >> 11) * 0x1p-53;
}

static unsigned below(struct shop *shop, unsigned bound)
{
	return (unsigned)(chance(shop) * bound);
}

/* What belongs to a shopper or product and never changes. */
static uint64_t trait_of(const struct shop *shop, uint64_t owner, unsigned which)
{
	return mix(mix(shop->config.seed ^ owner * 1000003) + which) >> 8;
}

/* ---- What happens next ---- */

static bool before(const struct happening *a, const struct happening *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void swap(struct happening *a, struct happening *b)
{
	struct happening kept = *a;
	*a                    = *b;
	*b                    = kept;
}

static void push(struct shop *shop, struct happening happening)
{
	happening.order = shop->happening_count++;
	VECTOR_ADD(&shop->heap, happening);
	struct happening *heap = shop->heap.items;
	for (size_t i = shop->heap.count - 1; i > 0 && before(&heap[i], &heap[(i - 1) / 2]);
	     i        = (i - 1) / 2)
        swap(&heap[i], &heap[(i - 1) / 2]);
}

static struct happening pop(struct shop *shop)
{
	struct happening *heap  = shop->heap.items;
	struct happening  first = heap[0];
	heap[0]                 = heap[--shop->heap.count];
	for (size_t i = 0;;) {
		size_t least = i;
		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < shop->heap.count; child++)
			if (before(&heap[child], &heap[least]))
				least = child;
		if (least == i)
			return first;
		swap(&heap[i], &heap[least]);
		i = least;
	}
}

static void push_arrival(struct shop *shop, int64_t now_ms)
{
	double sessions_a_ms = shop->config.rate / MESSAGES_PER_SESSION / 1000;
	double gap_ms        = -log(1 - chance(shop)) / sessions_a_ms;
	push(shop, (struct happening){.at_ms = now_ms + (int64_t)gap_ms, .kind = ARRIVAL});
}

static void push_step(struct shop *shop, struct session *session, int64_t now_ms)
{
	int64_t at_ms = now_ms + STEP_MS_MIN + below(shop, STEP_MS_SPREAD);
	push(shop, (struct happening){.at_ms = at_ms, .kind = STEP, .session = session});
}

static void arrive(struct shop *shop, int64_t now_ms)
{
	/* The square of the chance: the first quarter of the shoppers makes half of the sessions. */
	double          luck    = chance(shop);
	struct session *session = calloc(1, sizeof *session);
	if (session == NULL)
		abort();
	session->user       = (unsigned)(luck * luck * shop->config.users);
	session->number     = shop->session_count++;
	session->known      = chance(shop) < 0.5;
	session->step       = HOME;
	session->views_left = 1 + below(shop, 6);
	push(shop, (struct happening){.at_ms = now_ms, .kind = STEP, .session = session});
	push_arrival(shop, now_ms);
}

/* Arrivals make no message: they are let in until a message comes next. */
static void let_in(struct shop *shop)
{
	while (shop->heap.items[0].kind == ARRIVAL) {
		struct happening arrival = pop(shop);
		arrive(shop, arrival.at_ms);
	}
}

struct shop *shop_new(const struct shop_config *config)
{
	assert(config->users >= 1 && config->rate > 0);

	struct shop *shop = calloc(1, sizeof *shop);
	if (shop == NULL)
		abort();
	shop->config = *config;
	shop->random = mix(config->seed);
	/* Who came before is on the way already, so that the rate is there from the start. */
	push_arrival(shop, config->start_ms - WARM_UP_MS);
	let_in(shop);
	struct buffer before_start = {0};
	while (shop_next_ms(shop) < config->start_ms) {
		buffer_clear(&before_start);
		shop_next(shop, &before_start);
	}
	buffer_done(&before_start);
	return shop;
}

void shop_free(struct shop *shop)
{
	if (shop == NULL)
		return;
	for (size_t i = 0; i < shop->heap.count; i++)
		free(shop->heap.items[i].session);
	VECTOR_DONE(&shop->heap);
	free(shop);
}

/* ---- Messages ---- */

static void add_ids(struct shop *shop, struct json_writer *w, const struct session *session)
{
	char id[64];
	if (session->known) {
		snprintf(id, sizeof id, "shopper-%05u", session->user);
		json_member_string(w, "userId", text_of(id));
	}
	snprintf(id, sizeof id, "visitor-%" PRIx64 "-%u", mix((uint64_t)shop->config.start_ms) >> 40,
	         session->number);
	json_member_string(w, "anonymousId", text_of(id));
}

static void begin_message(struct shop *shop, struct json_writer *w, const char *type, int64_t at_ms)
{
	char id[96];
	snprintf(id, sizeof id, "sim-%" PRIu64 "-%" PRIx64 "-%" PRIu64, shop->config.seed,
	         (uint64_t)shop->config.start_ms, shop->message_count++);
	json_begin_object(w);
	json_member_string(w, "type", text_of(type));
	json_member_string(w, "messageId", text_of(id));
	json_member_instant(w, "timestamp", at_ms);
}

static void end_message(struct shop *shop, struct json_writer *w, unsigned user)
{
	json_add_key(w, TEXT("context"));
	json_begin_object(w);
	json_member_string(w, "locale", TEXT("ko-KR"));
	json_add_key(w, TEXT("device"));
	json_begin_object(w);
	json_member_string(w, "type", text_of(WORD_OF(devices, trait_of(shop, user, 1))));
	json_end_object(w);
	json_end_object(w);
	json_end_object(w);
}

static uint64_t product_trait(const struct shop *shop, unsigned product, unsigned which)
{
	return trait_of(shop, UINT64_C(1) << 40 | product, which);
}

static uint64_t price_of(const struct shop *shop, unsigned product)
{
	return 19000 + product_trait(shop, product, 1) % 380 * 1000;
}

static void add_product(struct shop *shop, struct json_writer *w, unsigned product)
{
	char        text[64];
	const char *category = WORD_OF(categories, product_trait(shop, product, 2));
	const char *region   = WORD_OF(regions, product_trait(shop, product, 3));
	snprintf(text, sizeof text, "p-%03u", product);
	json_member_string(w, "product_id", text_of(text));
	snprintf(text, sizeof text, "%s %s %u", region, category, product % 40 + 1);
	json_member_string(w, "name", text_of(text));
	json_member_string(w, "category", text_of(category));
	json_member_string(w, "region", text_of(region));
	json_member_int(w, "price", (int64_t)price_of(shop, product));
}

static void begin_event(struct shop *shop, struct json_writer *w, const struct session *session,
                        const char *event, int64_t at_ms)
{
	begin_message(shop, w, "track", at_ms);
	add_ids(shop, w, session);
	json_member_string(w, "event", text_of(event));
	json_add_key(w, TEXT("properties"));
	json_begin_object(w);
}

static void end_event(struct shop *shop, struct json_writer *w, unsigned user)
{
	json_end_object(w);
	end_message(shop, w, user);
}

static void write_home(struct shop *shop, struct json_writer *w, const struct session *session,
                       int64_t at_ms)
{
	begin_message(shop, w, "page", at_ms);
	add_ids(shop, w, session);
	json_member_string(w, "name", TEXT("Home"));
	json_add_key(w, TEXT("properties"));
	json_begin_object(w);
	json_member_string(w, "url", TEXT("https://shop.example/"));
	end_event(shop, w, session->user);
}

static void write_browse(struct shop *shop, struct json_writer *w, const struct session *session,
                         int64_t at_ms)
{
	bool search = chance(shop) < 0.4;
	begin_event(shop, w, session, search ? "Products Searched" : "Product List Viewed", at_ms);
	if (search)
		json_member_string(w, "query", text_of(WORD_OF(searches, below(shop, 1000))));
	else
		json_member_string(w, "category", text_of(WORD_OF(categories, below(shop, 1000))));
	end_event(shop, w, session->user);
}

static void write_product(struct shop *shop, struct json_writer *w, const struct session *session,
                          const char *event, int64_t at_ms)
{
	begin_event(shop, w, session, event, at_ms);
	add_product(shop, w, session->product);
	end_event(shop, w, session->user);
}

static void write_login(struct shop *shop, struct json_writer *w, const struct session *session,
                        int64_t at_ms)
{
	char     text[64];
	unsigned user = session->user;
	begin_message(shop, w, "identify", at_ms);
	add_ids(shop, w, session);
	json_add_key(w, TEXT("traits"));
	json_begin_object(w);
	snprintf(text, sizeof text, "Shopper %05u", user);
	json_member_string(w, "name", text_of(text));
	snprintf(text, sizeof text, "shopper-%05u@example.com", user);
	json_member_string(w, "email", text_of(text));
	json_member_string(w, "membership_tier", text_of(WORD_OF(tiers, trait_of(shop, user, 2))));
	json_member_string(w, "gender", trait_of(shop, user, 3) % 2 ? TEXT("F") : TEXT("M"));
	json_member_string(w, "age_band", text_of(WORD_OF(ages, trait_of(shop, user, 4))));
	json_member_string(w, "language", TEXT("ko"));
	json_add_key(w, TEXT("active_regions"));
	json_begin_array(w);
	for (unsigned i = 0; i < 1 + trait_of(shop, user, 5) % 2; i++)
		json_add_string(w, text_of(WORD_OF(regions, trait_of(shop, user, 6) + i)));
	json_end_array(w);
	json_member_bool(w, "marketing_consent", trait_of(shop, user, 7) % 3 != 0);
	end_event(shop, w, user);
}

static void add_order_id(const struct shop *shop, struct json_writer *w, uint64_t number)
{
	char text[64];
	snprintf(text, sizeof text, "S%" PRIx64 "-%" PRIu64,
	         mix((uint64_t)shop->config.start_ms ^ shop->config.seed) >> 32, number);
	json_member_string(w, "order_id", text_of(text));
}

static void write_order(struct shop *shop, struct json_writer *w, const struct session *session,
                        int64_t at_ms)
{
	uint64_t number = shop->order_count++, total = 0;
	for (unsigned i = 0; i < session->cart_count; i++)
		total += price_of(shop, session->cart[i]);

	begin_event(shop, w, session, "Order Completed", at_ms);
	add_order_id(shop, w, number);
	json_member_int(w, "revenue", (int64_t)total);
	json_member_string(w, "currency", TEXT("KRW"));
	json_member_string(w, "region",
	                   text_of(WORD_OF(regions, product_trait(shop, session->cart[0], 3))));
	json_add_key(w, TEXT("products"));
	json_begin_array(w);
	for (unsigned i = 0; i < session->cart_count; i++) {
		json_begin_object(w);
		add_product(shop, w, session->cart[i]);
		json_end_object(w);
	}
	json_end_array(w);
	end_event(shop, w, session->user);

	if (chance(shop) < 0.08) {
		int64_t later_ms = at_ms + REFUND_MS_MIN + below(shop, REFUND_MS_SPREAD);
		push(shop, (struct happening){.at_ms        = later_ms,
		                              .kind         = REFUND,
		                              .user         = session->user,
		                              .order_number = number,
		                              .total        = total});
	}
}

static void write_refund(struct shop *shop, struct json_writer *w, const struct happening *refund)
{
	struct session session = {.user = refund->user, .number = shop->session_count++, .known = true};
	begin_event(shop, w, &session, "Order Refunded", refund->at_ms);
	add_order_id(shop, w, refund->order_number);
	json_member_int(w, "total", (int64_t)refund->total);
	json_member_string(w, "currency", TEXT("KRW"));
	end_event(shop, w, refund->user);
}

/* ---- Sessions ---- */

static enum step after_view(struct shop *shop, struct session *session)
{
	if (chance(shop) < 0.12 && session->cart_count < CART_MAX)
		return CART;
	if (session->views_left > 0)
		return VIEW;
	return session->cart_count > 0 && chance(shop) < 0.6 ? ORDER : LEAVE;
}

/* Nobody orders without having logged in. */
static enum step next_step(struct shop *shop, struct session *session)
{
	switch (session->step) {
	case HOME:
		return chance(shop) < 0.7 ? BROWSE : VIEW;
	case BROWSE:
	case LOGIN:
		return session->cart_count > 0 && session->views_left == 0 ? ORDER : VIEW;
	case VIEW:
	case CART: {
		enum step step = after_view(shop, session);
		bool      must = step == ORDER || chance(shop) < 0.05;
		return !session->known && step != LEAVE && step != CART && must ? LOGIN : step;
	}
	default:
		return LEAVE;
	}
}

static void write_step(struct shop *shop, struct json_writer *w, struct session *session,
                       int64_t at_ms)
{
	switch (session->step) {
	case HOME:
		write_home(shop, w, session, at_ms);
		break;
	case BROWSE:
		write_browse(shop, w, session, at_ms);
		break;
	case VIEW:
		session->product = below(shop, PRODUCT_COUNT);
		session->views_left -= session->views_left > 0;
		write_product(shop, w, session, "Product Viewed", at_ms);
		break;
	case LOGIN:
		session->known = true;
		write_login(shop, w, session, at_ms);
		break;
	case CART:
		session->cart[session->cart_count++] = session->product;
		write_product(shop, w, session, "Product Added", at_ms);
		break;
	case ORDER:
	case LEAVE:
		write_order(shop, w, session, at_ms);
		break;
	}
}

static void go_on(struct shop *shop, struct session *session, int64_t now_ms)
{
	session->step = next_step(shop, session);
	if (session->step == LEAVE)
		free(session);
	else
		push_step(shop, session, now_ms);
}

int64_t shop_next_ms(const struct shop *shop) { return shop->heap.items[0].at_ms; }

void shop_next(struct shop *shop, struct buffer *out)
{
	struct json_writer w         = json_writer_of(out);
	struct happening   happening = pop(shop);
	if (happening.kind == REFUND) {
		write_refund(shop, &w, &happening);
	} else {
		write_step(shop, &w, happening.session, happening.at_ms);
		go_on(shop, happening.session, happening.at_ms);
	}
	let_in(shop);
}
