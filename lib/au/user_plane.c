/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include <rte_errno.h>
#include <rte_malloc.h>

#include "au/smdp.h"
#include "au/stage.h"
#include "au/user_plane.h"

enum {
	EVENT_RING = 1024,
	HANDED_OVER_RING = 4096,
	INDIRECT_MBUFS = 1024, /* for fragments, a gate */
	NEIGHBOURS = 8192,
};

struct au_user_plane {
	struct au_shared *shared;
	struct gate_shared gates;
	uint32_t capacity; /* sessions a shard */
	struct au_smdp *smdp;
	/* The filter before the present one, until no gate uses it: polls of each gate then. */
	struct gate_filter *retired;
	uint64_t *retired_polls;
	unsigned int n_gates, max_gates;
	struct gate **made;
	struct rte_ring **handed_over; /* one a gate */
};

/* ---------------------------------------------------------------- for the control stages */

/* The port over which an access node is reached: one whose link it is on, or else one of its
 * family. -1: there is none. */
static int n3_port(const struct au_user_plane *u, const struct net_addr *an)
{
	int found = -1;

	for (unsigned int i = 0; i < u->gates.n_nifs; i++) {
		const struct net_if *nif = &u->gates.nifs[i];

		if (nif->gtpu_port == 0 || net_if_address(nif, an->family)->family == 0)
			continue;
		if (net_is_on_link(nif, an))
			return (int)i;
		if (found < 0)
			found = (int)i;
	}
	return found;
}

size_t au_user_plane_uplink_tunnel(const struct au_user_plane *u, const struct ue_place *place,
				   uint8_t out[AU_TUNNEL_SIZE_MAX])
{
	const struct net_addr *an = &u->shared->ans[place->an].n3_address;
	int port = n3_port(u, an);

	if (port < 0)
		return 0;
	size_t n = an->family == 4 ? 4 : 16;

	store_be32(out, gate_table_teid(u->gates.table, place->shard, place->slot));
	memcpy(out + 4, net_if_address(&u->gates.nifs[port], an->family)->a, n);
	return 4 + n;
}

static enum wire_cause open_row(struct au_user_plane *u, const struct ue_place *place,
				const struct gate_session *session)
{
	return gate_table_open(u->gates.table, place->shard, place->slot, session)
		       ? WIRE_CAUSE_NONE
		       : WIRE_CAUSE_INTERNAL;
}

enum wire_cause au_user_plane_open(struct au_user_plane *u, const struct ue_place *place,
				   const struct au_user_plane_session *session,
				   struct span downlink_tunnel)
{
	struct gate_session s = {.an = place->an,
				 .ipv4 = session->ipv4,
				 .ipv6_prefix = session->ipv6_prefix,
				 .interface_id = session->interface_id};

	if (downlink_tunnel.n == 0)
		return open_row(u, place, &s);
	if (downlink_tunnel.n != 8 && downlink_tunnel.n != 20)
		return WIRE_CAUSE_IE_BAD_VALUE;
	s.an_teid = load_be32(downlink_tunnel.p);
	s.an_addr.family = downlink_tunnel.n == 8 ? 4 : 6;
	memcpy(s.an_addr.a, downlink_tunnel.p + 4, downlink_tunnel.n - 4);
	/* Of the access node's addresses: a node can draw nobody else's traffic, and not push its
	 * own at a third party. */
	int port = n3_port(u, &s.an_addr);

	if (s.an_teid == 0 || port < 0 || au_an_find(u->shared->an_index, &s.an_addr) != place->an)
		return WIRE_CAUSE_IE_BAD_VALUE;
	s.nif = (uint8_t)port;
	return gate_table_open(u->gates.table, place->shard, place->slot, &s) ? WIRE_CAUSE_NONE
									      : WIRE_CAUSE_INTERNAL;
}

void au_user_plane_close(struct au_user_plane *u, const struct ue_place *place)
{
	gate_table_close(u->gates.table, place->shard, place->slot);
}

bool au_user_plane_usage(const struct au_user_plane *u, const struct ue_place *place,
			 struct gate_usage *usage)
{
	return gate_table_usage(u->gates.table, place->shard, place->slot, usage);
}

unsigned int au_user_plane_events(struct au_user_plane *u, unsigned int shard, uint32_t *slots,
				  unsigned int n)
{
	unsigned int found = 0;
	void *teid;

	while (found < n && rte_ring_dequeue(u->gates.events[shard], &teid) == 0)
		if (gate_table_slot(u->gates.table, shard, (uint32_t)(uintptr_t)teid,
				    &slots[found]))
			found++;
	return found;
}

unsigned int au_user_plane_mtu(const struct au_user_plane *u, uint16_t an)
{
	const struct net_addr *address = &u->shared->ans[an].n3_address;
	int port = n3_port(u, address);

	return port < 0 ? 0 : gate_mtu(&u->gates.nifs[port], address->family);
}

/* ---------------------------------------------------------------- making */

static struct rte_ring *make_ring(const char *kind, unsigned int i, unsigned int size)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "cpau_%s_%u", kind, i);
	return rte_ring_create(name, size, SOCKET_ID_ANY, RING_F_SC_DEQ);
}

static int find_source(void *arg, const struct net_addr *source)
{
	const struct au_shared *shared = arg;

	return au_an_find(shared->an_index, source);
}

static struct gate_table *make_table(const struct au_shared *s, uint32_t capacity)
{
	struct au_pools pools = au_pools_of(s->config);

	return gate_table_create(&(struct gate_table_config){
		.n_shards = s->n_shards,
		.capacity = capacity,
		.first_ipv4 = pools.first_ipv4,
		.n_ipv4 = pools.ipv4_share * s->n_shards,
		.first_prefix = pools.first_prefix,
		.n_prefixes = pools.prefix_share * s->n_shards,
		.numa_node = -1,
	});
}

/* The port towards the data network, by family. */
static unsigned int n6_port(const struct au_shared *s, uint8_t family)
{
	for (unsigned int i = 0; i < s->n_nifs; i++)
		if (s->nifs[i].transit && net_if_address(&s->nifs[i], family)->family != 0)
			return i;
	return s->n_nifs;
}

static bool make_parts(struct au_user_plane *u, const char **why)
{
	struct au_shared *s = u->shared;
	struct gate_shared *g = &u->gates;

	u->max_gates = config_stage_count(s->config, CONFIG_STAGE_GATE);
	u->capacity = RTE_MAX(1u, s->config->ue.max / s->n_shards);
	u->made = calloc(u->max_gates, sizeof(struct gate *));
	u->handed_over = calloc(u->max_gates, sizeof(struct rte_ring *));
	u->retired_polls = calloc(u->max_gates, sizeof(*u->retired_polls));
	g->events = calloc(s->n_shards, sizeof(struct rte_ring *));
	g->neighbours = net_neighbours_create(NEIGHBOURS, -1);
	*why = "no memory for the user plane's rings and neighbours";
	if (!u->made || !u->handed_over || !u->retired_polls || !g->events || !g->neighbours)
		return false;
	for (unsigned int i = 0; i < s->n_shards; i++)
		if (!(g->events[i] = make_ring("events", i, EVENT_RING)))
			return false;
	for (unsigned int i = 0; i < u->max_gates; i++)
		if (!(u->handed_over[i] = make_ring("gate", i, HANDED_OVER_RING)))
			return false;
	*why = "no memory for the user plane's sessions: lower ue.max or the pools, or give EAL "
	       "more";
	g->table = make_table(s, u->capacity);
	if (!g->table)
		return false;
	u->smdp = au_smdp_create(s->config, -1, why);
	if (!u->smdp)
		return false;
	atomic_init(&g->filter, au_smdp_fresh(u->smdp));
	return true;
}

struct au_user_plane *au_user_plane_create(struct au_shared *shared, char *why, size_t why_size)
{
	const struct config_session *session = &shared->config->session;
	struct au_user_plane *u = calloc(1, sizeof(*u));
	const char *reason = "out of memory";

	if (u) {
		u->shared = shared;
		u->gates = (struct gate_shared){
			.nifs = shared->nifs,
			.n_nifs = shared->n_nifs,
			.n6_ipv4 = n6_port(shared, 4),
			.n6_ipv6 = n6_port(shared, 6),
			.n_shards = shared->n_shards,
			.packets_per_s = session->packets_per_s,
			.max_fragments = config_max_fragments(shared->config),
			.fragment_ms = AU_FRAGMENT_MS,
			.find_source = find_source,
			.find_arg = shared,
			.tsc_hz = shared->tsc_hz,
		};
		if (session->dns_ipv6)
			net_addr_parse(session->dns_ipv6, &u->gates.dns_ipv6);
		if (make_parts(u, &reason))
			return u;
		au_user_plane_destroy(u);
	}
	snprintf(why, why_size, "%s", reason);
	return NULL;
}

void au_user_plane_destroy(struct au_user_plane *u)
{
	if (!u)
		return;
	for (unsigned int i = 0; i < u->n_gates; i++)
		gate_destroy(u->made[i]);
	au_smdp_destroy(u->smdp);
	gate_filter_destroy(u->retired);
	gate_filter_destroy((struct gate_filter *)(uintptr_t)atomic_load(&u->gates.filter));
	gate_table_destroy(u->gates.table);
	net_neighbours_destroy(u->gates.neighbours);
	for (unsigned int i = 0; u->gates.events && i < u->gates.n_shards; i++)
		rte_ring_free(u->gates.events[i]);
	for (unsigned int i = 0; u->handed_over && i < u->max_gates; i++)
		rte_ring_free(u->handed_over[i]);
	free(u->gates.events);
	free(u->handed_over);
	free(u->retired_polls);
	free(u->made);
	free(u);
}

struct gate *au_user_plane_add_gate(struct au_user_plane *u, int numa_node,
				    const uint16_t *tx_queues, struct rte_mempool *pool)
{
	struct gate_config config = {.index = u->n_gates,
				     .numa_node = numa_node,
				     .pool = pool,
				     .handed_over = u->handed_over[u->n_gates]};
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "cpau_gate_indirect_%u", u->n_gates);
	config.indirect_pool = rte_pktmbuf_pool_create(name, INDIRECT_MBUFS, 64, 0, 0, numa_node);
	memcpy(config.tx_queue, tx_queues, u->gates.n_nifs * sizeof(*tx_queues));

	struct gate *g = config.indirect_pool ? gate_create(&u->gates, &config) : NULL;

	if (g)
		u->made[u->n_gates++] = g;
	return g;
}

struct rte_ring **au_user_plane_rings(struct au_user_plane *u, unsigned int *n)
{
	*n = u->max_gates;
	return u->handed_over;
}

struct net_neighbours *au_user_plane_neighbours(struct au_user_plane *u)
{
	return u->gates.neighbours;
}

/* ---------------------------------------------------------------- the filter of today */

/* Whether every gate has begun a poll since: a poll looks at the filter once. */
static bool retired_unused(const struct au_user_plane *u)
{
	for (unsigned int i = 0; i < u->n_gates; i++)
		if (gate_polls(u->made[i]) <= u->retired_polls[i] + 1)
			return false;
	return true;
}

void au_user_plane_housekeep(struct au_user_plane *u)
{
	if (u->retired && retired_unused(u)) {
		gate_filter_destroy(u->retired);
		u->retired = NULL;
	}
	if (u->retired)
		return;
	struct gate_filter *fresh = au_smdp_fresh(u->smdp);

	if (!fresh)
		return;
	u->retired = (struct gate_filter *)(uintptr_t)atomic_exchange(&u->gates.filter, fresh);
	for (unsigned int i = 0; i < u->n_gates; i++)
		u->retired_polls[i] = gate_polls(u->made[i]);
}

/* ---------------------------------------------------------------- what it says of itself */

uint64_t au_user_plane_counter(const struct au_user_plane *u, enum gate_counter counter)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; u && i < u->n_gates; i++)
		sum += __atomic_load_n(&gate_counters(u->made[i])[counter], __ATOMIC_RELAXED);
	return sum;
}

uint64_t au_user_plane_net_counter(const struct au_user_plane *u, enum net_counter counter)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; u && i < u->n_gates; i++)
		sum += gate_net_counter(u->made[i], counter);
	return sum;
}

uint64_t au_user_plane_sessions(const struct au_user_plane *u)
{
	return u ? gate_table_sessions(u->gates.table) : 0;
}
