#ifndef SONNIM_APP_SIMULATE_SIM_VISIT_H
#define SONNIM_APP_SIMULATE_SIM_VISIT_H

/* A visit: who is there, what lies in the cart, what comes next.
 *
 *   home ─► search, list ─► view … ─► cart ─► (login) ─► checkout ─► order ─► leave
 *
 * From step to step it goes by tables of chances, one for each scenario; leaving is possible nearly
 * everywhere. Nobody enters an activity or a checkout without having logged in, or signed up. */

#include <stdbool.h>
#include <stdint.h>

#include "app/simulate/sim_calendar.h"
#include "app/simulate/sim_chance.h"

enum sim_scenario {
	SIM_TRAFFIC,   /* visitors without end, with daily rhythm, seasons and campaigns */
	SIM_DASHBOARD, /* everybody comes once, to an activity; some go on, up to a purchase */
	SIM_FUNNEL,    /* everybody comes once and goes all the way */
	SIM_LTV,       /* everybody buys at the begin, and some again and again */
};

enum sim_step {
	SIM_HOME,
	SIM_PROMOTION,
	SIM_SEARCH,
	SIM_LIST,
	SIM_VIEW,
	SIM_WISH,
	SIM_ADD,
	SIM_REMOVE,
	SIM_CART,
	SIM_CLICK, /* on an activity */
	SIM_SIGN_UP,
	SIM_LOGIN,
	SIM_ENTER, /* an activity: a place is reserved */
	SIM_CHECKOUT,
	SIM_COUPON,
	SIM_ORDER,
	SIM_LEAVE,
	SIM_STEP_COUNT
};

enum { SIM_CART_MAX = 4 };

struct sim_visit {
	unsigned            user;
	unsigned            number;    /* of all visits */
	bool                known;     /* logged in */
	bool                member;    /* else the first login is preceded by signing up */
	bool                signed_up; /* during this visit */
	bool                has_campaign;
	bool                coupon;
	enum sim_step       step;
	enum sim_step       wanted; /* behind the login; SIM_LEAVE: nothing in particular */
	unsigned            item;   /* the one looked at last */
	unsigned            cart_count;
	unsigned            cart[SIM_CART_MAX];
	unsigned            purchase_count; /* LTV: over all visits */
	int64_t             late_ms;        /* how much later than they say messages arrive */
	struct sim_campaign campaign;
};

/* Moves on. False: the visit is over. */
bool sim_visit_go_on(struct sim_visit *visit, enum sim_scenario scenario,
                     struct sim_chance *chance);

/* In how many of a thousand the step `from` is followed by `to`, before logins and empty carts have
 * their say. */
unsigned sim_visit_per_mille(enum sim_scenario scenario, enum sim_step from, enum sim_step to);

#endif
