/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>

#include "base/base.h"
#include "au/admission.h"

/* The part follows what was let in by this much more, so that the room is always wanted. */
static const double SURPLUS = 1.05, GROWTH = 1.2, LEAST_PART = 0.05;

void au_admission_init(struct au_admission *a, uint64_t target, uint64_t length,
		       struct au_demand *demand)
{
	*a = (struct au_admission){.target = target,
				   .length = length,
				   .demand = demand,
				   .part = INFINITY,
				   .random = UINT64_C(0x9e3779b97f4a7c15)};
}

/* The part of the next window, from what became of this one. */
static void end_window(struct au_admission *a)
{
	if (a->late > 0) {
		double served = (double)(a->passed - a->late) / a->passed;
		double from = a->part < a->highest ? a->part : a->highest;

		/* A window in which nobody was served, a pause of the machine's, says little. */
		a->part = from * (served < 0.5 ? 0.5 : served) * SURPLUS;
		if (a->part < LEAST_PART)
			a->part = LEAST_PART;
	} else if (a->above > 0) {
		a->part *= GROWTH;
	} else {
		a->part = INFINITY;
	}
	a->highest = a->passed = a->above = a->late = 0;
}

void au_admission_begin(struct au_admission *a, uint64_t tsc, uint64_t delay, uint64_t step)
{
	a->delay = delay;
	a->step = step;
	if (tsc < a->window_end)
		return;
	end_window(a);
	/* After a silence, what was counted before is of no window next to this one. */
	a->window += tsc - a->window_end < a->length ? 1 : 2;
	a->window_end = tsc + a->length;
}

/* The requests of an access node in this window or the last, whichever saw more. */
static uint32_t count(struct au_admission *a, struct au_demand *d)
{
	if (d->window != a->window) {
		d->before = d->window + 1 == a->window ? d->now : 0;
		d->now = 0;
		d->window = a->window;
	}
	d->now++;
	if (d->now > a->highest)
		a->highest = d->now;
	return d->now > d->before ? d->now : d->before;
}

static double random_share(struct au_admission *a)
{
	a->random ^= a->random >> 12;
	a->random ^= a->random << 25;
	a->random ^= a->random >> 27;
	return (double)(a->random >> 11) * 0x1p-53;
}

bool au_admission_ask(struct au_admission *a, unsigned int an, bool room)
{
	struct au_demand *d = &a->demand[an];
	double asked = count(a, d);
	uint64_t limit = a->target;

	__atomic_store_n(&d->asked, d->asked + 1, __ATOMIC_RELAXED);
	/* While the queue is short there is room for those above their part too: none is left idle.
	 */
	if (asked > a->part) {
		if (a->delay > a->target / 4 && random_share(a) * asked >= a->part) {
			a->above++;
			return false;
		}
	} else {
		limit *= AU_ADMISSION_PATIENCE;
	}
	a->passed++;
	if (!room || a->delay > limit) {
		a->late++;
		return false;
	}
	a->delay += a->step;
	__atomic_store_n(&d->let_in, d->let_in + 1, __ATOMIC_RELAXED);
	return true;
}

/* Once anybody else is refused, in this window or the last, nothing is left over. */
bool au_admission_ask_stranger(struct au_admission *a, bool room)
{
	if (!room || a->delay > a->target || au_admission_refuses(a))
		return false;
	a->delay += a->step;
	return true;
}
