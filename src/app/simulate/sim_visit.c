#include "app/simulate/sim_visit.h"

#include <assert.h>

#include "app/simulate/sim_catalogue.h"

/* In thousandths; what is left of a thousand leaves. */
typedef uint16_t step_row[SIM_STEP_COUNT];

static const step_row traffic[SIM_STEP_COUNT] = {
	[SIM_HOME]      = {[SIM_SEARCH] = 300, [SIM_LIST] = 300, [SIM_VIEW] = 200, [SIM_LOGIN] = 60},
	[SIM_PROMOTION] = {[SIM_VIEW] = 500, [SIM_LIST] = 250},
	[SIM_SEARCH]    = {[SIM_VIEW] = 650, [SIM_SEARCH] = 150},
	[SIM_LIST]      = {[SIM_VIEW] = 650, [SIM_LIST] = 150},
	[SIM_VIEW] =
		{[SIM_VIEW] = 400, [SIM_ADD] = 130, [SIM_WISH] = 50, [SIM_SEARCH] = 100, [SIM_LOGIN] = 30},
	[SIM_WISH]     = {[SIM_VIEW] = 600},
	[SIM_ADD]      = {[SIM_VIEW] = 350, [SIM_CART] = 450},
	[SIM_REMOVE]   = {[SIM_VIEW] = 600},
	[SIM_CART]     = {[SIM_CHECKOUT] = 550, [SIM_REMOVE] = 100, [SIM_VIEW] = 150},
	[SIM_LOGIN]    = {[SIM_VIEW] = 800},
	[SIM_CHECKOUT] = {[SIM_ORDER] = 600, [SIM_COUPON] = 150},
	[SIM_COUPON]   = {[SIM_ORDER] = 850},
};
static const step_row dashboard[SIM_STEP_COUNT] = {
	[SIM_HOME]     = {[SIM_VIEW] = 400, [SIM_CLICK] = 350},
	[SIM_VIEW]     = {[SIM_VIEW] = 200, [SIM_CLICK] = 500},
	[SIM_CLICK]    = {[SIM_ENTER] = 600},
	[SIM_ENTER]    = {[SIM_CHECKOUT] = 800},
	[SIM_CHECKOUT] = {[SIM_ORDER] = 750},
};
static const step_row funnel[SIM_STEP_COUNT] = {
	[SIM_HOME] = {[SIM_LIST] = 1000},      [SIM_LIST] = {[SIM_VIEW] = 1000},
	[SIM_VIEW] = {[SIM_CLICK] = 1000},     [SIM_CLICK] = {[SIM_ENTER] = 1000},
	[SIM_ENTER] = {[SIM_CHECKOUT] = 1000}, [SIM_CHECKOUT] = {[SIM_ORDER] = 1000},
};
static const step_row ltv[SIM_STEP_COUNT] = {
	[SIM_HOME]     = {[SIM_VIEW] = 1000},
	[SIM_VIEW]     = {[SIM_ADD] = 1000},
	[SIM_ADD]      = {[SIM_CHECKOUT] = 1000},
	[SIM_CHECKOUT] = {[SIM_ORDER] = 1000},
};
static const step_row *const tables[] = {
	[SIM_TRAFFIC] = traffic, [SIM_DASHBOARD] = dashboard, [SIM_FUNNEL] = funnel, [SIM_LTV] = ltv};

enum { CAMPAIGN_PURCHASE_PER_MILLE = 80 }; /* views of campaign visitors, on top */

unsigned sim_visit_per_mille(enum sim_scenario scenario, enum sim_step from, enum sim_step to)
{
	unsigned others = 0;
	if (to != SIM_LEAVE)
		return tables[scenario][from][to];
	for (unsigned step = 0; step < SIM_LEAVE; step++)
		others += tables[scenario][from][step];
	return 1000 - others;
}

static enum sim_step draw(enum sim_scenario scenario, enum sim_step from, struct sim_chance *chance)
{
	unsigned drawn = (unsigned)sim_below(chance, 1000);
	for (unsigned step = 0; step < SIM_LEAVE; step++) {
		unsigned weight = tables[scenario][from][step];
		if (drawn < weight)
			return (enum sim_step)step;
		drawn -= weight;
	}
	return SIM_LEAVE;
}

/* What the visit's state makes of a step that was drawn. */
static enum sim_step admit(struct sim_visit *visit, enum sim_step step)
{
	if (step == SIM_ADD && visit->cart_count == SIM_CART_MAX)
		return SIM_CART;
	if (step == SIM_LOGIN && visit->known)
		return SIM_VIEW;
	if (visit->known || (step != SIM_LOGIN && step != SIM_CHECKOUT && step != SIM_ENTER))
		return step;
	visit->wanted = step == SIM_LOGIN ? SIM_LEAVE : step;
	return visit->member ? SIM_LOGIN : SIM_SIGN_UP;
}

static enum sim_step step_behind(struct sim_visit *visit, enum sim_scenario scenario,
                                 struct sim_chance *chance)
{
	if (visit->step == SIM_SIGN_UP)
		return SIM_LOGIN;
	if (visit->step == SIM_LOGIN && visit->wanted != SIM_LEAVE)
		return visit->wanted;
	if (visit->step == SIM_VIEW && visit->has_campaign &&
	    sim_happens(chance, CAMPAIGN_PURCHASE_PER_MILLE))
		return admit(visit, SIM_ADD);
	return admit(visit, draw(scenario, visit->step, chance));
}

static void enter(struct sim_visit *visit, struct sim_chance *chance)
{
	switch (visit->step) {
	case SIM_VIEW:
		visit->item = sim_catalogue_draw(chance);
		break;
	case SIM_ADD:
		assert(visit->cart_count < SIM_CART_MAX);
		visit->cart[visit->cart_count++] = visit->item;
		break;
	case SIM_REMOVE:
		visit->item = visit->cart[--visit->cart_count];
		break;
	case SIM_SIGN_UP:
		visit->signed_up = true;
		break;
	case SIM_LOGIN:
		visit->known  = true;
		visit->member = true;
		break;
	case SIM_COUPON:
		visit->coupon = true;
		break;
	default:
		break;
	}
}

bool sim_visit_go_on(struct sim_visit *visit, enum sim_scenario scenario, struct sim_chance *chance)
{
	visit->step = step_behind(visit, scenario, chance);
	/* An activity is bought without a cart. */
	if (visit->step == SIM_CHECKOUT && visit->cart_count == 0)
		visit->cart[visit->cart_count++] = visit->item;
	enter(visit, chance);
	return visit->step != SIM_LEAVE;
}
