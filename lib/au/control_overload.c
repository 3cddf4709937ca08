/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What control does about more attaches than can be served, beside refusing them: it tells access
 * nodes to hold some back (OVERLOAD START, after TS 38.413 8.7.7), and sends those that it refuses
 * away for as long as those before them will take.
 */
#include <math.h>
#include <stdlib.h>

#include "au/control.h"

enum {
	/* Looks at all access nodes: while they hold back; and in the calm and at the beginning of
	 * a storm, so that what is counted is of the storm. */
	PASSES_HZ = 20,
	QUICK_HZ = 50,
	QUICK_LOOKS = 3,
	SLICE = 64,	/* access nodes that are told, a poll */
	LEVELS = 16,	/* steps towards the common level */
	HOLDS_S = 2,	/* an OVERLOAD START, unless it is repeated */
	SHORTEST_S = 2, /* that T3346 can say */
};
/* What is asked for goes beyond what is served by this much, so that nothing is left idle: refusing
 * the rest costs little. Of those that come back, fewer: they were refused once already. */
static const double SURPLUS = 1.3, SURPLUS_BACK = 1.1;
static const double LEAST = 0.01;

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

/* What each access node would ask for if it held nothing back, attaches a second: what came, by the
 * share that it was told to let through. More is believed at once, less by and by. True: some of
 * what came was refused. */
static bool take_stock(struct au_control *c, double seconds)
{
	bool refused = false;

	for (unsigned int an = 0; an < c->shared->n_ans; an++) {
		struct control_an *o = &c->overload[an];
		uint32_t asked = 0, let_in = 0;

		for (unsigned int w = 0; w < c->shared->n_workers; w++) {
			const struct au_demand *d = &c->shared->demand[w][an];

			let_in += __atomic_load_n(&d->let_in, __ATOMIC_RELAXED);
			asked += __atomic_load_n(&d->asked, __ATOMIC_RELAXED);
		}
		double demand = (asked - o->asked) / o->keep / seconds;

		refused |= asked - o->asked > let_in - o->let_in;
		o->asked = asked;
		o->let_in = let_in;
		o->demand = demand > o->demand ? demand : (o->demand + demand) / 2;
	}
	return refused;
}

/* What the crypto stages serve, attaches a second, as they last measured it under load. */
static double capacity(const struct au_shared *shared)
{
	double sum = 0;

	for (unsigned int i = 0; i < shared->n_crypto; i++)
		sum += (double)shared->tsc_hz /
		       (double)atomic_load_explicit(&shared->paces[i].cycles, memory_order_relaxed);
	return sum;
}

/* The room is shared max-min: who asks for less than the level gets all of it, the others the
 * level. INFINITY: there is room for everybody. */
static double level(const struct au_control *c, double room)
{
	double level = INFINITY;

	for (unsigned int i = 0; i < LEVELS; i++) {
		double below = 0;
		unsigned int above = 0;

		for (unsigned int an = 0; an < c->shared->n_ans; an++)
			if (c->overload[an].demand <= level)
				below += c->overload[an].demand;
			else
				above++;
		if (i == 0 && below <= room)
			return INFINITY;
		double next = i == 0	  ? room / c->shared->n_ans
			      : above > 0 ? (room - below) / above
					  : level;

		if (next == level)
			break;
		level = next;
	}
	return level;
}

/* From the first refusal on, until there is room for all again. Every shard comes to the same by
 * itself, and tells those whose AN SETUP it answered. */
static void share_out(struct au_control *c, bool refused)
{
	double most = INFINITY;

	if (refused || c->sharing_out)
		most = level(c, SURPLUS * capacity(c->shared));
	c->sharing_out = most < INFINITY;
	for (unsigned int an = 0; an < c->shared->n_ans; an++) {
		struct control_an *o = &c->overload[an];

		o->keep = o->demand > most ? RTE_MAX(most / o->demand, LEAST) : 1;
	}
}

static void look_at(struct au_control *c, unsigned int an)
{
	struct control_an *o = &c->overload[an];
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
		uint64_t since = c->tsc - c->overload_tsc, hz = c->shared->tsc_hz;

		if (since < hz / (c->sharing_out && c->quick_looks == 0 ? PASSES_HZ : QUICK_HZ))
			return;
		if (c->quick_looks > 0)
			c->quick_looks--;
		share_out(c, take_stock(c, (double)since / (double)hz));
		c->overload_tsc = c->tsc;
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

/* The refused come back one after the other, as fast as the crypto stages serve, by this shard's
 * part of them: each is given the turn after the one before it, up to the longest back-off; from
 * there on the turns are given twice. */
uint8_t control_back_off(struct au_control *c)
{
	const double rate = capacity(c->shared) / c->shared->n_shards;
	const double tick = (double)c->tick, second = AU_TICKS_PER_S;
	double longest = c->shared->config->timers.back_off_s * second;

	if (c->next_turn < tick + SHORTEST_S * second)
		c->next_turn = tick + SHORTEST_S * second;
	if (c->next_turn > tick + longest)
		c->next_turn = tick + longest / 2;
	c->next_turn += second * SURPLUS_BACK / rate;
	if (!c->sharing_out)
		c->quick_looks = QUICK_LOOKS;
	return wire_timer2_encode((uint32_t)((c->next_turn - tick) / second));
}

bool control_overload_init(struct au_control *c)
{
	c->overload = calloc(c->shared->n_ans, sizeof(*c->overload));
	if (!c->overload)
		return false;
	for (unsigned int i = 0; i < c->shared->n_ans; i++)
		c->overload[i].keep = 1;
	c->overload_tsc = c->tsc;
	c->overload_next = c->shared->n_ans;
	return true;
}
