/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What control does about more attaches than can be served, beside refusing them: it tells access
 * nodes to hold some back (OVERLOAD START, after TS 38.413 8.7.7), and sends those that it refuses
 * away for as long as those before them will take.
 */
#include <stdlib.h>

#include "au/control.h"

enum {
	PASS_TICKS = AU_TICKS_PER_S / 10, /* from one look at all access nodes to the next */
	SLICE = 64,			  /* access nodes a poll */
	FEW = 8,			  /* requests: too few to conclude from */
	HOLDS_S = 2,			  /* an OVERLOAD START, unless it is repeated */
	SHORTEST_S = 2,			  /* that T3346 can say */
};
/* What is asked for goes beyond what is served by this much, so that nothing is left idle. */
static const double SURPLUS = 1.1, GROWTH = 1.25, LEAST = 0.01, FIRST_RATE = 1000;

/* ---------------------------------------------------------------- OVERLOAD START and STOP */

static void tell(struct au_control *c, unsigned int an, unsigned int reduction)
{
	uint8_t percent = (uint8_t)reduction, back_off = wire_timer2_encode(HOLDS_S);
	struct wire_message m;

	wire_message_init(&m, 0, reduction > 0 ? WIRE_OVERLOAD_START : WIRE_OVERLOAD_STOP);
	if (reduction > 0) {
		wire_set(&m, WIRE_IE_TRAFFIC_REDUCTION, &percent, 1);
		wire_set(&m, WIRE_IE_BACK_OFF, &back_off, 1);
	}
	control_send_to(c, &c->peers[an], m.type, 0, 0, &m);
	control_count(c, reduction > 0 ? AU_COUNT_OVERLOAD_STARTS : AU_COUNT_OVERLOAD_STOPS);
}

/* The share of its new attaches that the access node is to let through, from what became of those
 * that it did let through. */
static void look_at(struct au_control *c, unsigned int an)
{
	struct control_an *o = &c->overload[an];
	uint32_t asked = 0, let_in = 0;

	for (unsigned int w = 0; w < c->shared->n_workers; w++) {
		const struct au_demand *d = &c->shared->demand[w][an];

		asked += __atomic_load_n(&d->asked, __ATOMIC_RELAXED);
		let_in += __atomic_load_n(&d->let_in, __ATOMIC_RELAXED);
	}
	uint32_t asked_now = asked - o->asked, let_in_now = let_in - o->let_in;

	if (asked_now <= let_in_now)
		o->keep = o->keep * GROWTH + LEAST;
	else if (asked_now >= FEW) /* halved at most: while a queue is emptied nobody is let in */
		o->keep *= RTE_MAX(SURPLUS * let_in_now / asked_now, 0.5);
	else
		return;
	o->asked = asked;
	o->let_in = let_in;
	if (o->keep > 1)
		o->keep = 1;
	if (o->keep < LEAST)
		o->keep = LEAST;
	unsigned int reduction = (unsigned int)(100 * (1 - o->keep) + 0.5);

	if (reduction > 0 || o->told > 0)
		tell(c, an, reduction);
	__atomic_store_n(&c->holding_back, c->holding_back + (reduction > 0) - (o->told > 0),
			 __ATOMIC_RELAXED);
	o->told = (uint8_t)reduction;
}

unsigned int au_control_holding_back(const struct au_control *c)
{
	return __atomic_load_n(&c->holding_back, __ATOMIC_RELAXED);
}

void control_overload_poll(struct au_control *c)
{
	if (c->overload_next >= c->shared->n_ans) {
		uint64_t since = c->tick - c->overload_tick;

		if (since < PASS_TICKS)
			return;
		c->rate = (3 * c->rate + (double)c->attaches / (double)since * AU_TICKS_PER_S) / 4;
		c->attaches = 0;
		c->overload_tick = c->tick;
		c->overload_next = c->shard;
	}
	/* An access node's words come from the shard that answered its AN SETUP. */
	for (unsigned int i = 0; i < SLICE && c->overload_next < c->shared->n_ans; i++) {
		if (c->peers[c->overload_next].addr.family != 0)
			look_at(c, c->overload_next);
		c->overload_next += c->shared->n_shards;
	}
}

/* ---------------------------------------------------------------- T3346 */

/* The refused come back one after the other, as fast as they can be served: each is given the turn
 * after the one before it, up to the longest back-off; from there on the turns are given twice. */
uint8_t control_back_off(struct au_control *c)
{
	const double tick = (double)c->tick, second = AU_TICKS_PER_S;
	double longest = c->shared->config->timers.back_off_s * second;

	if (c->next_turn < tick + SHORTEST_S * second)
		c->next_turn = tick + SHORTEST_S * second;
	if (c->next_turn > tick + longest)
		c->next_turn = tick + longest / 2;
	c->next_turn += second * SURPLUS / (c->rate > 1 ? c->rate : FIRST_RATE);
	return wire_timer2_encode((uint32_t)((c->next_turn - tick) / second));
}

bool control_overload_init(struct au_control *c)
{
	c->overload = calloc(c->shared->n_ans, sizeof(*c->overload));
	if (!c->overload)
		return false;
	for (unsigned int i = 0; i < c->shared->n_ans; i++)
		c->overload[i].keep = 1;
	c->overload_tick = c->tick;
	c->overload_next = c->shared->n_ans;
	return true;
}
