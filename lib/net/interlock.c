/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include <rte_alarm.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>

#include "net/interlock.h"

/* Not sooner: EAL goes through all alarms that are due, new ones too, before it looks elsewhere. */
enum { SLICE_MS = 10, LOOK_US = 20, SOON_US = 30 };

/* EAL is one a process, and so is this. */
static bool memif_used;

static bool all_links_up(const struct net_interlock *g)
{
	for (unsigned int i = 0; i < g->n_nifs; i++) {
		struct rte_eth_link link;

		if (g->nifs[i].unmaps &&
		    (rte_eth_link_get_nowait(g->nifs[i].port_id, &link) != 0 || !link.link_status))
			return false;
	}
	return true;
}

static bool is_still(struct net_interlock *g, unsigned int lcore)
{
	const struct net_interlock_lcore *l = &g->lcores[lcore];

	return !atomic_load(&l->inside) || atomic_load(&l->seen) == g->closings;
}

/* An alarm; lcores have stood still since it last returned. */
static void hold(void *arg)
{
	struct net_interlock *g = arg;
	unsigned int ms = all_links_up(g) ? NET_INTERLOCK_MS : NET_INTERLOCK_DOWN_MS;

	atomic_store(&g->closing, 0);
	for (unsigned int slept = 0; slept < ms && !atomic_load(&g->quit); slept += SLICE_MS)
		rte_delay_us_sleep(1000 * RTE_MIN(ms - slept, (unsigned int)SLICE_MS));
	g->closings += g->closings == UINT32_MAX ? 2 : 1;
	atomic_store(&g->closing, g->closings);
	for (unsigned int i = 0; i < RTE_MAX_LCORE; i++)
		while (!is_still(g, i))
			rte_delay_us_sleep(LOOK_US);
	/* Should this fail, which needs memory, lcores would stand still for ever. */
	while (!atomic_load(&g->quit) && rte_eal_alarm_set(SOON_US, hold, g) != 0)
		rte_delay_us_sleep(LOOK_US);
}

bool net_interlock_create(const struct net_if *nifs, unsigned int n,
			  struct net_interlock **interlock)
{
	bool needed = false;

	*interlock = NULL;
	for (unsigned int i = 0; i < n; i++)
		needed |= nifs[i].unmaps;
	if (!needed)
		return true;
	memif_used = true;
	struct net_interlock *g = aligned_alloc(_Alignof(struct net_interlock), sizeof(*g));

	if (!g)
		return false;
	memset(g, 0, sizeof(*g));
	g->nifs = nifs;
	g->n_nifs = n;
	g->closings = 1;
	atomic_init(&g->closing, g->closings);
	if (rte_eal_alarm_set(SOON_US, hold, g) != 0) {
		free(g);
		return false;
	}
	*interlock = g;
	return true;
}

void net_interlock_destroy(struct net_interlock *g)
{
	if (!g)
		return;
	atomic_store(&g->quit, true);
	rte_eal_alarm_cancel(hold, g); /* waits for one that is under way */
	free(g);
}

void net_interlock_enter(struct net_interlock *g, unsigned int lcore)
{
	/* Either the next closing sees this lcore inside, or this lcore's next look sees the
	 * closing. */
	if (!g)
		return;
	atomic_store(&g->lcores[lcore].inside, true);
	atomic_thread_fence(memory_order_seq_cst);
}

void net_interlock_leave(struct net_interlock *g, unsigned int lcore)
{
	if (g)
		atomic_store(&g->lcores[lcore].inside, false);
}

void net_eal_cleanup(void)
{
	if (!memif_used)
		rte_eal_cleanup();
}
