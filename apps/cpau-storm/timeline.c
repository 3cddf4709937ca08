/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "timeline.h"

struct timeline *timeline_create(uint64_t interval_ns)
{
	struct timeline *t = calloc(1, sizeof(*t));

	if (t)
		t->interval_ns = interval_ns;
	return t;
}

void timeline_start(struct timeline *t, uint64_t now)
{
	t->ends = now + t->interval_ns;
}

void timeline_attached(struct timeline *t, uint64_t latency_ns)
{
	hist_add(&t->latency, latency_ns);
}

static void close_interval(struct timeline *t, const struct timeline_totals *totals,
			   uint32_t in_flight)
{
	if (t->n == TIMELINE_MAX) {
		t->truncated = true;
		return;
	}
	t->intervals[t->n++] = (struct timeline_interval){
		.n = {.started = totals->started - t->last.started,
		      .attached = totals->attached - t->last.attached,
		      .refused = totals->refused - t->last.refused,
		      .shed_by_an = totals->shed_by_an - t->last.shed_by_an,
		      .failed = totals->failed - t->last.failed,
		      .packets = totals->packets - t->last.packets},
		.in_flight = in_flight,
		.p50_us = (double)hist_quantile(&t->latency, 0.5) / 1000,
		.p99_us = (double)hist_quantile(&t->latency, 0.99) / 1000,
	};
	t->last = *totals;
	if (t->latency.count > 0)
		memset(&t->latency, 0, sizeof(t->latency));
}

void timeline_advance(struct timeline *t, uint64_t now, const struct timeline_totals *totals,
		      uint32_t in_flight)
{
	for (; now >= t->ends && !t->truncated; t->ends += t->interval_ns)
		close_interval(t, totals, in_flight);
}

void timeline_finish(struct timeline *t, const struct timeline_totals *totals, uint32_t in_flight)
{
	if (!t->truncated)
		close_interval(t, totals, in_flight);
}
