/* SPDX-License-Identifier: BSD-3-Clause
 *
 * interlock: keeps a driver's interrupt callbacks and the lcores' bursts apart.
 *
 * DPDK's memif maps and unmaps its rings in EAL's interrupt thread, when the peer connects or goes
 * away, and takes no care of lcores that are inside them: a peer that is killed could take us with
 * it (22.11: memif_disconnect frees the regions that eth_memif_rx reads). EAL runs interrupt
 * callbacks, alarms among them, one after the other in one thread. The interlock is an alarm that
 * is always due, in which the thread spends its time while lcores send and receive; it returns, so
 * that other callbacks can run, only when every lcore stands still, and they go on when it is
 * called again.
 *
 * The same goes for the end of the process: EAL's cleanup unmaps memory in which the interrupt
 * thread still has handles of memif's (net_eal_cleanup).
 *
 * The price: link changes, and every other interrupt of the process, are up to NET_INTERLOCK_MS
 * late, and all lcores pause for some 100 us as often. Only made where a port needs it.
 */
#ifndef CPAU_NET_INTERLOCK_H
#define CPAU_NET_INTERLOCK_H

#include <stdatomic.h>
#include <stdbool.h>

#include <rte_lcore.h>
#include <rte_pause.h>

#include "net/net.h"

enum {
	NET_INTERLOCK_MS = 100,	   /* while all links are up */
	NET_INTERLOCK_DOWN_MS = 1, /* while one is down: connecting takes a dozen messages */
};

/* One lcore's word, on a cache line of its own. Written by the lcore. */
struct net_interlock_lcore {
	_Alignas(64) atomic_bool inside;
	atomic_uint seen; /* the last closing that it stopped for */
};

struct net_interlock {
	_Alignas(64) atomic_uint closing; /* 0: open; else the number of this closing */
	atomic_bool quit;
	unsigned int closings; /* the interrupt thread's */
	const struct net_if *nifs;
	unsigned int n_nifs;
	struct net_interlock_lcore lcores[RTE_MAX_LCORE];
};

/* An interlock for the ports nifs[n], which must outlive it; *interlock is NULL where none of them
 * needs one. It begins closed and opens by itself. False: no memory. */
bool net_interlock_create(const struct net_if *nifs, unsigned int n,
			  struct net_interlock **interlock);
/* After every lcore has left and the ports are stopped, which is done inside, in a turn. */
void net_interlock_destroy(struct net_interlock *g);

/* rte_eal_cleanup as the last thing of a process; where an interlock was made, nothing: the kernel
 * takes the memory back, and memif is used without hugepages, whose files would stay. */
void net_eal_cleanup(void);

/* An lcore that is about to begin its turns, and one that has ended them. */
void net_interlock_enter(struct net_interlock *g, unsigned int lcore);
void net_interlock_leave(struct net_interlock *g, unsigned int lcore);

/* At the beginning of each turn; false: this turn touches no port. */
static inline bool net_interlock_open(struct net_interlock *g, unsigned int lcore)
{
	if (!g)
		return true;
	unsigned int closing = atomic_load_explicit(&g->closing, memory_order_acquire);

	if (closing == 0)
		return true;
	atomic_store_explicit(&g->lcores[lcore].seen, closing, memory_order_release);
	return false;
}

/* Stands still until it is open; until the next look no callback of a driver runs. */
static inline void net_interlock_wait(struct net_interlock *g, unsigned int lcore)
{
	while (!net_interlock_open(g, lcore))
		rte_pause();
}

#endif
