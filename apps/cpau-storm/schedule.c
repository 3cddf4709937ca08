/* SPDX-License-Identifier: BSD-3-Clause */
#include "schedule.h"

/* Of bursts at 0, burst/rate, ... those that begin before the end. */
static uint64_t arrivals_in(double rate, double seconds, uint64_t burst)
{
	return (uint64_t)(rate * seconds / (double)burst + 0.5) * burst;
}

uint64_t schedule_arrivals(const struct storm_config *c)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < c->n_phases; i++)
		n += arrivals_in(c->phases[i].rate, c->phases[i].seconds, c->burst);
	return n;
}

void schedule_init(struct schedule *s, const struct storm_config *c)
{
	uint64_t at = 0, number = 0;

	*s = (struct schedule){.closed = c->n_phases == 0 && c->rate <= 0,
			       .burst = c->burst,
			       .total = c->ues,
			       .n = c->n_phases ? c->n_phases : 1};
	for (unsigned int i = 0; i < c->n_phases; i++) {
		const struct storm_phase *p = &c->phases[i];

		s->phases[i].rate = p->rate;
		s->phases[i].begins = at;
		s->phases[i].first = number;
		at += (uint64_t)(p->seconds * 1e9);
		number += arrivals_in(p->rate, p->seconds, c->burst);
		s->phases[i].ends = at;
		s->phases[i].last = number;
	}
	if (c->n_phases == 0) {
		s->phases[0].rate = c->rate;
		s->phases[0].ends =
			c->duration_s > 0 ? (uint64_t)(c->duration_s * 1e9) : UINT64_MAX;
		s->phases[0].last = UINT64_MAX;
	} else if (number < s->total) {
		s->total = number;
	}
}

uint64_t schedule_time(struct schedule *s, uint64_t i, uint64_t now)
{
	if (s->closed)
		return now;
	while (i >= s->phases[s->arriving].last && s->arriving + 1 < s->n)
		s->arriving++;
	uint64_t in_phase = i - s->phases[s->arriving].first;

	if (s->burst > 1)
		in_phase -= in_phase % s->burst;
	return s->phases[s->arriving].begins +
	       (uint64_t)((double)in_phase / s->phases[s->arriving].rate * 1e9);
}

void schedule_advance(struct schedule *s, uint64_t now)
{
	while (s->running < s->n && now >= s->phases[s->running].ends)
		s->running++;
}

bool schedule_is_over(const struct schedule *s, uint64_t i, uint64_t now)
{
	/* A lone phase with an end is --duration, which ends arrivals whether they are late or
	 * not; of --phase nobody is left out, and the last one is watched to its end. */
	if (s->phases[s->n - 1].last == UINT64_MAX)
		return i >= s->total || now >= s->phases[0].ends;
	return i >= s->total && now >= s->phases[s->n - 1].ends;
}
