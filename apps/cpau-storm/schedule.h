/* SPDX-License-Identifier: BSD-3-Clause
 *
 * schedule: when UEs arrive: phases of one rate each, one after the other, or as fast as there is
 * room. Pure arithmetic; times are nanoseconds from the start of the storm.
 */
#ifndef CPAU_STORM_SCHEDULE_H
#define CPAU_STORM_SCHEDULE_H

#include "storm.h"

struct schedule {
	bool closed; /* no rate: whoever has room arrives */
	uint64_t burst;
	uint64_t total; /* arrivals, at most */
	unsigned int n; /* phases, at least one */
	struct {
		double rate;
		uint64_t begins, ends; /* UINT64_MAX: never */
		uint64_t first, last;  /* arrivals: numbers from first on, below last */
	} phases[STORM_PHASES_MAX];
	unsigned int arriving; /* phase of the next arrival */
	unsigned int running;  /* phase of the clock; n: all are over */
};

/* Arrivals that the phases ask for. */
uint64_t schedule_arrivals(const struct storm_config *c);
void schedule_init(struct schedule *s, const struct storm_config *c);
/* When number i is to arrive; closed: at now. To be asked in order of i. */
uint64_t schedule_time(struct schedule *s, uint64_t i, uint64_t now);
/* The phase of the clock. */
void schedule_advance(struct schedule *s, uint64_t now);
/* Nobody is to arrive any more, i having been the last. */
bool schedule_is_over(const struct schedule *s, uint64_t i, uint64_t now);

#endif
