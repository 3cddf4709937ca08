/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "gate/internal.h"

enum {
	ICMP_PER_S = 10,	 /* a session, about its packets of one direction */
	SIGNALLING_PER_S = 1000, /* GTP-U errors, an access node */
	DEPTH_MIN = 32,		 /* packets of a bucket; else an eighth of a second's */
	DEPTH_PART = 8,
};

static const struct {
	const char *name, *text;
} counters[GATE_COUNTER_N] = {
#define X(symbol, name, text) [GATE_COUNT_##symbol] = {name, text},
	GATE_COUNTERS(X)
#undef X
};

const char *gate_counter_name(unsigned int counter)
{
	return counter < GATE_COUNTER_N ? counters[counter].name : "?";
}

const char *gate_counter_text(unsigned int counter)
{
	return counter < GATE_COUNTER_N ? counters[counter].text : "?";
}

const uint64_t *gate_counters(const struct gate *g)
{
	return g->counters;
}

uint64_t gate_net_counter(const struct gate *g, enum net_counter counter)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < g->n_queues; i++)
		sum += net_rx_counters(g->queues[i].rx)[counter];
	for (unsigned int i = 0; i < GATE_NIFS; i++)
		if (g->handed_over[i])
			sum += net_rx_counters(g->handed_over[i])[counter];
	return sum;
}

uint64_t gate_polls(const struct gate *g)
{
	return atomic_load_explicit(&g->polls, memory_order_acquire);
}

/* ---------------------------------------------------------------- making */

struct gate_pace gate_pace_make(uint64_t tsc_hz, uint32_t per_s)
{
	struct gate_pace pace = {.interval = tsc_hz / per_s};

	pace.depth = RTE_MAX(tsc_hz / DEPTH_PART, DEPTH_MIN * pace.interval);
	return pace;
}

static struct net_rx *make_rx(struct gate *g, unsigned int nif, struct rte_mempool *pool,
			      unsigned int max_fragments)
{
	const struct gate_shared *s = g->shared;

	return net_rx_create(&(struct net_rx_config){.nif = &s->nifs[nif],
						     .nif_index = (uint8_t)nif,
						     .pool = pool,
						     .max_fragments = max_fragments,
						     .fragment_ms = s->fragment_ms,
						     .numa_node = g->config.numa_node,
						     .find_source = s->find_source,
						     .arg = s->find_arg,
						     .neighbours = s->neighbours});
}

/* Of the ports that serve the user plane. Fragments for us are not handed over. */
static bool make_handed_over(struct gate *g)
{
	for (unsigned int i = 0; i < g->shared->n_nifs; i++) {
		if (!g->shared->nifs[i].gtpu_port && !g->shared->nifs[i].transit)
			continue;
		g->handed_over[i] = make_rx(g, i, g->config.pool, 0);
		if (!g->handed_over[i])
			return false;
	}
	return true;
}

struct gate *gate_create(struct gate_shared *shared, const struct gate_config *config)
{
	struct gate *g;

	if (shared->n_nifs > GATE_NIFS)
		return NULL;
	g = rte_zmalloc_socket("gate", sizeof(*g), RTE_CACHE_LINE_SIZE, config->numa_node);
	if (!g)
		return NULL;
	g->shared = shared;
	g->config = *config;
	g->icmp_pace = gate_pace_make(shared->tsc_hz, ICMP_PER_S);
	g->signalling_pace = gate_pace_make(shared->tsc_hz, SIGNALLING_PER_S);
	if (shared->packets_per_s)
		g->session_pace = gate_pace_make(shared->tsc_hz, shared->packets_per_s);
	for (unsigned int i = 0; i < shared->n_nifs; i++) {
		g->tx[i].port_id = shared->nifs[i].port_id;
		g->tx[i].queue = config->tx_queue[i];
	}
	gate_table_join(shared->table);
	if (config->handed_over && !make_handed_over(g)) {
		gate_destroy(g);
		return NULL;
	}
	return g;
}

void gate_destroy(struct gate *g)
{
	if (!g)
		return;
	gate_table_leave(g->shared->table);
	for (unsigned int i = 0; i < g->n_queues; i++)
		net_rx_destroy(g->queues[i].rx);
	for (unsigned int i = 0; i < GATE_NIFS; i++)
		net_rx_destroy(g->handed_over[i]);
	rte_free(g);
}

bool gate_add_queue(struct gate *g, unsigned int nif, uint16_t queue, struct rte_mempool *pool)
{
	struct gate_queue *q = &g->queues[g->n_queues];

	if (g->n_queues == GATE_QUEUES || nif >= g->shared->n_nifs)
		return false;
	q->rx = make_rx(g, nif, pool, g->shared->max_fragments);
	if (!q->rx)
		return false;
	q->port_id = g->shared->nifs[nif].port_id;
	q->queue = queue;
	q->nif = (uint8_t)nif;
	g->n_queues++;
	return true;
}

/* ---------------------------------------------------------------- turns */

bool gate_refuse(struct gate *g, struct gate_packet *p, enum gate_counter why)
{
	gate_count(g, why, 1);
	if (p->row)
		gate_meter_add(g, &p->row->meter.dropped, 1);
	rte_pktmbuf_free(p->mbuf);
	return false;
}

static void handle(struct gate *g, struct net_rx *rx, unsigned int nif, struct rte_mbuf **frames,
		   unsigned int n)
{
	struct rte_mbuf *given[NET_BURST];
	unsigned int n_datagrams = net_rx_burst(rx, frames, n, g->tsc, g->datagrams);

	gate_uplink(g, g->datagrams, n_datagrams);
	gate_downlink(g, given, net_rx_transit(rx, given));
	n = net_rx_answers(rx, given, NET_BURST);
	for (unsigned int i = 0; i < n; i++)
		net_tx_push(&g->tx[nif], given[i]);
}

static unsigned int poll_queue(struct gate *g, const struct gate_queue *q)
{
	struct rte_mbuf *frames[NET_BURST];
	unsigned int n = rte_eth_rx_burst(q->port_id, q->queue, frames, NET_BURST);

	if (n > 0)
		handle(g, q->rx, q->nif, frames, n);
	net_rx_expire(q->rx, g->tsc);
	return n;
}

/* Frames of one port mostly follow each other. */
static unsigned int poll_handed_over(struct gate *g)
{
	struct rte_mbuf *frames[NET_BURST];
	unsigned int n =
		rte_ring_dequeue_burst(g->config.handed_over, (void **)frames, NET_BURST, NULL);

	for (unsigned int i = 0, end; i < n; i = end) {
		uint16_t nif = frames[i]->port;

		for (end = i + 1; end < n && frames[end]->port == nif; end++)
			;
		handle(g, g->handed_over[nif], nif, frames + i, end - i);
	}
	gate_count(g, GATE_COUNT_HANDED_OVER, n);
	return n;
}

static void flush(struct gate *g)
{
	uint64_t dropped = 0;

	for (unsigned int i = 0; i < g->shared->n_nifs; i++) {
		if (g->tx[i].n > 0)
			net_tx_flush(&g->tx[i]);
		dropped += g->tx[i].dropped;
	}
	gate_count(g, GATE_COUNT_TX_DROPPED, dropped - g->counters[GATE_COUNT_TX_DROPPED]);
}

unsigned int gate_poll(struct gate *g)
{
	unsigned int handled = 0;

	g->tsc = rte_rdtsc();
	g->filter = atomic_load_explicit(&g->shared->filter, memory_order_acquire);
	g->alone = atomic_load_explicit(&g->shared->table->n_gates, memory_order_relaxed) <= 1;
	for (unsigned int i = 0; i < g->shared->n_nifs; i++)
		g->hops[i].valid = false;
	for (unsigned int i = 0; i < g->n_queues; i++)
		handled += poll_queue(g, &g->queues[i]);
	if (g->config.handed_over)
		handled += poll_handed_over(g);
	flush(g);
	atomic_store_explicit(&g->polls, atomic_load_explicit(&g->polls, memory_order_relaxed) + 1,
			      memory_order_release);
	return handled;
}
