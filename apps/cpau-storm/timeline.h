/* SPDX-License-Identifier: BSD-3-Clause
 *
 * timeline: what happened in each interval of a storm. Of well-behaved UEs. Memory is bounded:
 * after TIMELINE_MAX intervals it stops, and says so.
 */
#ifndef CPAU_STORM_TIMELINE_H
#define CPAU_STORM_TIMELINE_H

#include <stdbool.h>

#include "hist/hist.h"

enum { TIMELINE_MAX = 6000 };

/* Running totals. */
struct timeline_totals {
	uint64_t started, attached, refused, shed_by_an, failed;
	uint64_t packets; /* of the user plane that came out at its end */
};

struct timeline_interval {
	struct timeline_totals n; /* in this interval */
	uint32_t in_flight;	  /* at its end */
	double p50_us, p99_us;	  /* of attaches that completed in it */
};

struct timeline {
	uint64_t interval_ns, ends; /* ends: of the interval that runs */
	unsigned int n;
	bool truncated;
	struct timeline_totals last;
	struct hist latency;
	struct timeline_interval intervals[TIMELINE_MAX];
};

/* NULL: out of memory. free() ends it. */
struct timeline *timeline_create(uint64_t interval_ns);
void timeline_start(struct timeline *t, uint64_t now);
void timeline_attached(struct timeline *t, uint64_t latency_ns);
/* Closes the intervals that have ended. */
void timeline_advance(struct timeline *t, uint64_t now, const struct timeline_totals *totals,
		      uint32_t in_flight);
/* Closes the one that runs. */
void timeline_finish(struct timeline *t, const struct timeline_totals *totals, uint32_t in_flight);

#endif
