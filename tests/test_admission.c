/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Admission against a queue that is served at a steady pace, polled each millisecond: the cycles of
 * these tests are microseconds.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "au/admission.h"

enum { ANS = 64, PACE = 40, TARGET = 5000, WINDOW = 50000, POLL = 1000, SECOND = 1000000 };

struct node {
	double rate; /* requests a second */
	double due;
	unsigned long asked, let_in;
};

struct world {
	struct node strangers; /* behind all access nodes; each turn they come first */
	struct au_admission admission;
	struct au_demand demand[ANS];
	struct node nodes[ANS];
	uint64_t now;
	double queue;
	uint64_t longest; /* delay that an admitted request met */
};

static struct world world;

static void set_up(void)
{
	memset(&world, 0, sizeof(world));
	au_admission_init(&world.admission, TARGET, WINDOW, world.demand);
}

static void forget(struct world *w)
{
	for (unsigned int i = 0; i < ANS; i++)
		w->nodes[i].asked = w->nodes[i].let_in = 0;
	w->strangers.asked = w->strangers.let_in = 0;
	w->longest = 0;
}

static void let_strangers_ask(struct world *w)
{
	struct node *n = &w->strangers;

	for (n->due += n->rate * POLL / SECOND; n->due >= 1; n->due--) {
		n->asked++;
		if (!au_admission_ask_stranger(&w->admission, true))
			continue;
		n->let_in++;
		w->queue++;
	}
}

/* Requests come in turn, one of each node at a time. */
static void turn(struct world *w)
{
	bool more = true;

	w->queue -= (double)POLL / PACE;
	if (w->queue < 0)
		w->queue = 0;
	au_admission_begin(&w->admission, w->now, (uint64_t)(w->queue * PACE), PACE);
	for (unsigned int i = 0; i < ANS; i++)
		w->nodes[i].due += w->nodes[i].rate * POLL / SECOND;
	let_strangers_ask(w);
	while (more) {
		more = false;
		for (unsigned int i = 0; i < ANS; i++) {
			struct node *n = &w->nodes[i];

			if (n->due < 1)
				continue;
			more = true;
			n->due--;
			n->asked++;
			if (!au_admission_ask(&w->admission, i, true))
				continue;
			n->let_in++;
			w->queue++;
			if (w->admission.delay > w->longest)
				w->longest = w->admission.delay;
		}
	}
	w->now += POLL;
}

static void run(struct world *w, unsigned int seconds)
{
	for (unsigned int i = 0; i < seconds * SECOND / POLL; i++)
		turn(w);
}

static double share(const struct node *n)
{
	return (double)n->let_in / (double)n->asked;
}

static double let_in_a_second(const struct world *w, unsigned int seconds)
{
	unsigned long sum = 0;

	for (unsigned int i = 0; i < ANS; i++)
		sum += w->nodes[i].let_in;
	return (double)sum / seconds;
}

Test(admission, everybody_is_let_in_while_there_is_room, .init = set_up)
{
	for (unsigned int i = 0; i < ANS; i++)
		world.nodes[i].rate = 0.9 * SECOND / PACE / ANS;
	run(&world, 2);
	for (unsigned int i = 0; i < ANS; i++)
		cr_expect_eq(world.nodes[i].let_in, world.nodes[i].asked);
	cr_expect_not(au_admission_refuses(&world.admission));
}

Test(admission, at_ten_times_the_capacity_the_queue_stays_full_and_short, .init = set_up)
{
	for (unsigned int i = 0; i < ANS; i++)
		world.nodes[i].rate = 10.0 * SECOND / PACE / ANS;
	run(&world, 1);
	forget(&world);
	run(&world, 2);
	cr_expect_geq(let_in_a_second(&world, 2), 0.97 * SECOND / PACE);
	cr_expect_leq(let_in_a_second(&world, 2), 1.01 * SECOND / PACE);
	cr_expect_leq(world.longest, 2 * TARGET + 2 * PACE);
	for (unsigned int i = 0; i < ANS; i++)
		cr_expect_float_eq(share(&world.nodes[i]), 0.1, 0.03, "node %u: %.3f", i,
				   share(&world.nodes[i]));
}

Test(admission, a_flood_of_one_node_does_not_meet_the_others, .init = set_up)
{
	world.nodes[0].rate = 20.0 * SECOND / PACE;
	for (unsigned int i = 1; i < ANS; i++)
		world.nodes[i].rate = 0.5 * SECOND / PACE / ANS;
	run(&world, 1);
	forget(&world);
	run(&world, 2);
	for (unsigned int i = 1; i < ANS; i++)
		cr_expect_geq(share(&world.nodes[i]), 0.99, "node %u: %.3f", i,
			      share(&world.nodes[i]));
	/* What they leave is the flooder's. */
	cr_expect_geq(let_in_a_second(&world, 2), 0.95 * SECOND / PACE);
}

Test(admission, those_who_ask_for_more_than_their_part_get_equal_parts, .init = set_up)
{
	const double capacity = (double)SECOND / PACE;

	/* Two small ones get all; of three large ones each a third of what is left. */
	world.nodes[0].rate = world.nodes[1].rate = 0.1 * capacity;
	world.nodes[2].rate = 0.6 * capacity;
	world.nodes[3].rate = 2 * capacity;
	world.nodes[4].rate = 6 * capacity;
	run(&world, 2);
	forget(&world);
	run(&world, 4);
	cr_expect_geq(share(&world.nodes[0]), 0.99);
	cr_expect_geq(share(&world.nodes[1]), 0.99);
	for (unsigned int i = 2; i < 5; i++)
		cr_expect_float_eq((double)world.nodes[i].let_in / 4, 0.8 / 3 * capacity,
				   0.05 * capacity, "node %u: %.3f of the capacity", i,
				   (double)world.nodes[i].let_in / 4 / capacity);
}

Test(admission, once_the_storm_is_over_everybody_is_let_in_again, .init = set_up)
{
	world.nodes[0].rate = 50.0 * SECOND / PACE;
	run(&world, 2);
	world.nodes[0].rate = 0.8 * SECOND / PACE;
	world.nodes[0].due = 0;
	run(&world, 1);
	forget(&world);
	run(&world, 1);
	cr_expect_eq(world.nodes[0].let_in, world.nodes[0].asked);
	cr_expect_not(au_admission_refuses(&world.admission));
}

Test(admission, a_silence_is_no_window, .init = set_up)
{
	world.nodes[0].rate = 2.0 * SECOND / PACE;
	run(&world, 1);
	world.now += 10 * SECOND;
	world.queue = 0;
	world.nodes[0].rate = 0.5 * SECOND / PACE;
	forget(&world);
	run(&world, 1);
	cr_expect_geq(share(&world.nodes[0]), 0.95);
	cr_expect_eq(world.demand[0].asked, (uint32_t)(world.nodes[0].asked + 2 * SECOND / PACE));
}

Test(admission, without_memory_nobody_is_let_in_and_it_counts_as_overload, .init = set_up)
{
	au_admission_begin(&world.admission, 0, 0, PACE);
	cr_expect_not(au_admission_ask(&world.admission, 0, false));
	cr_expect(au_admission_refuses(&world.admission));
	cr_expect_eq(world.demand[0].asked, 1);
	cr_expect_eq(world.demand[0].let_in, 0);
}

/* ---------------------------------------------------------------- strangers */

Test(admission, strangers_are_let_in_while_there_is_room, .init = set_up)
{
	world.strangers.rate = 0.4 * SECOND / PACE;
	world.nodes[0].rate = 0.5 * SECOND / PACE;
	run(&world, 2);
	cr_expect_eq(world.strangers.let_in, world.strangers.asked);
	cr_expect_eq(world.nodes[0].let_in, world.nodes[0].asked);
}

Test(admission, a_flood_of_strangers_refuses_nobody_else, .init = set_up)
{
	world.strangers.rate = 10.0 * SECOND / PACE;
	for (unsigned int i = 0; i < ANS; i++)
		world.nodes[i].rate = 0.9 * SECOND / PACE / ANS;
	run(&world, 4);
	for (unsigned int i = 0; i < ANS; i++)
		cr_expect_eq(world.nodes[i].let_in, world.nodes[i].asked);
	cr_expect_not(au_admission_refuses(&world.admission));
	cr_expect_leq(world.longest, 2 * TARGET);
	/* What is left over is theirs. */
	cr_expect_float_eq((double)world.strangers.let_in / 4, 0.1 * SECOND / PACE,
			   0.02 * SECOND / PACE);
}

Test(admission, strangers_get_nothing_while_others_are_refused, .init = set_up)
{
	world.strangers.rate = 1.0 * SECOND / PACE;
	world.nodes[0].rate = 5.0 * SECOND / PACE;
	run(&world, 1);
	forget(&world);
	run(&world, 2);
	cr_expect_leq((double)world.strangers.let_in, 0.01 * (double)world.strangers.asked);
	cr_expect_geq(let_in_a_second(&world, 2), 0.95 * SECOND / PACE);
}

Test(admission, without_memory_no_stranger_is_let_in_and_it_counts_for_nothing, .init = set_up)
{
	au_admission_begin(&world.admission, 0, 0, PACE);
	cr_expect_not(au_admission_ask_stranger(&world.admission, false));
	cr_expect_not(au_admission_refuses(&world.admission));
	cr_expect(au_admission_ask_stranger(&world.admission, true));
}
