/* SPDX-License-Identifier: BSD-3-Clause
 *
 * gather: jobs on their way into a ring. An enqueue is a locked instruction that waits for all
 * stores before it, most of which are to cold memory: it is done once for many jobs.
 *
 * A stage keeps one for each ring that it fills, adds to it, and flushes it before its poll ends.
 */
#ifndef CPAU_AU_GATHER_H
#define CPAU_AU_GATHER_H

#include <stdbool.h>

#include <rte_ring.h>

enum { AU_GATHER = 32 };

struct au_job;

struct au_gather {
	struct rte_ring *ring;
	unsigned int n;
	struct au_job *jobs[AU_GATHER];
};

/* True: it is full now, and to be flushed before the next job. */
static inline bool au_gather_add(struct au_gather *g, struct au_job *job)
{
	g->jobs[g->n++] = job;
	return g->n == AU_GATHER;
}

/* Returns how many jobs the ring did not take, the last ones in g->jobs; they are the caller's. */
static inline unsigned int au_gather_flush(struct au_gather *g)
{
	unsigned int n = g->n;

	g->n = 0;
	return n == 0 ? 0 : n - rte_ring_enqueue_burst(g->ring, (void **)g->jobs, n, NULL);
}

#endif
