/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What both directions have in common behind the checks of their own: filter, rate, TTL, MTU, next
 * hop, and out.
 */
#include <rte_byteorder.h>

#include "gate/internal.h"

enum {
	TUNNEL_HEADROOM = NET_HEADROOM + GTPU_CONTAINER_HEADER_SIZE,
	ETHER_HEADROOM = 18, /* with a VLAN tag */
	QFI = 1,	     /* of the one flow of a session */
	DNS_PORT = 53,
};

unsigned int gate_mtu(const struct net_if *nif, uint8_t an_family)
{
	return nif->mtu - (an_family == 6 ? 40u : 20u) - 8 - GTPU_CONTAINER_HEADER_SIZE;
}

/* ---------------------------------------------------------------- ways */

struct rte_mbuf *gate_allocate(struct gate *g)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(g->config.pool);

	if (!mbuf)
		gate_count(g, GATE_COUNT_NO_MBUF, 1);
	return mbuf;
}

static void solicit(struct gate *g, uint8_t nif, const struct net_addr *hop)
{
	const struct net_if *port = &g->shared->nifs[nif];
	struct rte_mbuf *frame = net_solicit(port, hop->family == 4 ? &port->ipv4 : &port->ipv6,
					     hop, g->config.pool);

	if (frame)
		net_tx_push(&g->tx[nif], frame);
	else
		gate_count(g, GATE_COUNT_NO_MBUF, 1);
}

/* Packets of a burst have few next hops, mostly one. */
static bool find_mac(struct gate *g, uint8_t nif, const struct net_addr *destination,
		     struct rte_ether_addr *mac)
{
	struct gate_hop *last = &g->hops[nif];
	struct net_addr hop;

	if (!last->valid || !net_addr_equal(&last->destination, destination)) {
		last->valid = true;
		last->known = false;
		last->destination = *destination;
		switch (net_next_hop(g->shared->neighbours, &g->shared->nifs[nif], nif, destination,
				     g->tsc, &hop, &last->mac, &last->known)) {
		case NET_HOP_KNOWN:
			last->known = true;
			break;
		case NET_HOP_ASK:
			solicit(g, nif, &hop);
			break;
		default:
			break;
		}
	}
	*mac = last->mac;
	return last->known;
}

bool gate_find_way_to_ue(struct gate *g, const struct gate_session *s, struct gate_way *way)
{
	const struct net_if *nif = &g->shared->nifs[s->nif];

	if (s->an_teid == 0)
		return false;
	way->nif = s->nif;
	way->tunnel = true;
	way->an_teid = s->an_teid;
	way->peer.nif = s->nif;
	way->peer.port = GTPU_PORT;
	way->peer.addr = s->an_addr;
	way->peer.local = s->an_addr.family == 4 ? nif->ipv4 : nif->ipv6;
	return find_mac(g, s->nif, &s->an_addr, &way->peer.mac);
}

bool gate_find_way_to_network(struct gate *g, bool v6, const uint8_t *destination,
			      struct gate_way *way)
{
	struct net_addr to;

	if (v6)
		net_addr_set_ipv6(&to, destination);
	else
		net_addr_set_ipv4(&to, destination);
	way->nif = (uint8_t)(v6 ? g->shared->n6_ipv6 : g->shared->n6_ipv4);
	way->tunnel = false;
	return way->nif < g->shared->n_nifs && find_mac(g, way->nif, &to, &way->peer.mac);
}

static bool give_up(struct gate *g, struct rte_mbuf *mbuf)
{
	gate_count(g, GATE_COUNT_NO_MBUF, 1);
	rte_pktmbuf_free(mbuf);
	return false;
}

bool gate_send(struct gate *g, const struct gate_way *way, struct rte_mbuf *mbuf)
{
	const struct net_if *nif = &g->shared->nifs[way->nif];
	uint16_t n = (uint16_t)rte_pktmbuf_pkt_len(mbuf);

	/* What the port we received it by found out is not for the port it leaves by. */
	mbuf->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
	if (rte_pktmbuf_headroom(mbuf) < (way->tunnel ? TUNNEL_HEADROOM : ETHER_HEADROOM))
		return give_up(g, mbuf);
	if (way->tunnel) {
		gtpu_write_container_header(
			(uint8_t *)rte_pktmbuf_prepend(mbuf, GTPU_CONTAINER_HEADER_SIZE), true, QFI,
			way->an_teid, n);
		if (!net_tunnel_finish(nif, mbuf, &way->peer, GTPU_PORT, g->ip_id++))
			return give_up(g, mbuf);
	} else {
		net_transit_finish(nif, mbuf, &way->peer.mac);
	}
	net_tx_push(&g->tx[way->nif], mbuf);
	return true;
}

/* ---------------------------------------------------------------- packets */

static void count_passed(struct gate *g, struct gate_packet *p)
{
	bool uplink = gate_packet_is_uplink(p);
	struct gate_meter *m = &p->row->meter;

	gate_count(g, uplink ? GATE_COUNT_UPLINK_PACKETS : GATE_COUNT_DOWNLINK_PACKETS, 1);
	gate_count(g, uplink ? GATE_COUNT_UPLINK_OCTETS : GATE_COUNT_DOWNLINK_OCTETS,
		   p->inner.total);
	gate_meter_add(g, uplink ? &m->uplink_packets : &m->downlink_packets, 1);
	gate_meter_add(g, uplink ? &m->uplink_octets : &m->downlink_octets, p->inner.total);
	atomic_store_explicit(&m->last_tsc, g->tsc, memory_order_relaxed);
}

/* Each fragment is a packet of its own from here on. */
static bool send_fragments(struct gate *g, const struct gate_way *way, struct gate_packet *p,
			   unsigned int mtu)
{
	struct rte_mbuf *fragments[NET_FRAGMENTS_MAX];
	unsigned int n =
		net_ipv4_fragment(p->mbuf, mtu, g->config.pool, g->config.indirect_pool, fragments);

	p->mbuf = NULL;
	if (n == 0)
		return gate_refuse(g, p, GATE_COUNT_NO_MBUF);
	for (unsigned int i = 0; i < n; i++)
		gate_send(g, way, fragments[i]);
	gate_count(g, GATE_COUNT_FRAGMENTED, 1);
	return true;
}

static bool has_turn(struct gate *g, struct gate_packet *p)
{
	struct gate_meter *m = &p->row->meter;

	return !g->session_pace.interval ||
	       gate_bucket_take(gate_packet_is_uplink(p) ? &m->uplink_bucket : &m->downlink_bucket,
				&g->session_pace, g->tsc);
}

/* 0: no port leads there. */
static unsigned int mtu_of(const struct gate *g, const struct gate_packet *p)
{
	unsigned int n6 = p->inner.v6 ? g->shared->n6_ipv6 : g->shared->n6_ipv4;

	if (!gate_packet_is_uplink(p))
		return gate_mtu(&g->shared->nifs[p->session.nif], p->session.an_addr.family);
	return n6 < g->shared->n_nifs ? g->shared->nifs[n6].mtu : 0;
}

static bool forward(struct gate *g, struct gate_packet *p)
{
	bool uplink = gate_packet_is_uplink(p);
	uint8_t *ip = gate_packet_ip(p);
	unsigned int mtu = mtu_of(g, p);
	struct gate_way way;

	if (!has_turn(g, p))
		return gate_refuse(g, p,
				   uplink ? GATE_COUNT_UPLINK_RATE : GATE_COUNT_DOWNLINK_RATE);
	if (mtu == 0)
		return gate_refuse(g, p, GATE_COUNT_NO_NEIGHBOUR);
	if (ip[p->inner.v6 ? 7 : 8] <= 1) {
		gate_send_time_exceeded(g, p);
		return gate_refuse(g, p, GATE_COUNT_TTL);
	}
	if (p->inner.total > mtu && p->inner.dont_fragment) {
		gate_send_too_big(g, p, mtu);
		return gate_refuse(g, p, GATE_COUNT_TOO_BIG);
	}
	if (!(uplink ? gate_find_way_to_network(g, p->inner.v6,
						gate_inner_destination(&p->inner, ip), &way)
		     : gate_find_way_to_ue(g, &p->session, &way)))
		return gate_refuse(g, p, GATE_COUNT_NO_NEIGHBOUR);
	gate_inner_decrement_ttl(&p->inner, ip);
	if (p->inner.total > mtu ? !send_fragments(g, &way, p, mtu) : !gate_send(g, &way, p->mbuf))
		return false;
	count_passed(g, p);
	return true;
}

/* Of uplink packets, what they were after is told apart: it is not all harmless. */
static enum gate_counter why_not_allowed(const struct gate_packet *p)
{
	uint16_t port = rte_be_to_cpu_16(p->inner.v6 ? p->key.v6.port : p->key.v4.port);

	if (!gate_packet_is_uplink(p))
		return GATE_COUNT_DOWNLINK_NOT_ALLOWED;
	if (port == GTPU_PORT && p->inner.protocol == IPPROTO_UDP)
		return GATE_COUNT_NESTED_TUNNEL;
	return port == DNS_PORT ? GATE_COUNT_FOREIGN_DNS : GATE_COUNT_NOT_ALLOWED;
}

void gate_forward(struct gate *g, struct gate_packet *packets, unsigned int n)
{
	uint64_t allowed = gate_filter_classify(g->filter, packets, n);

	for (unsigned int i = 0; i < n; i++) {
		if (allowed & UINT64_C(1) << i)
			forward(g, &packets[i]);
		else
			gate_refuse(g, &packets[i], why_not_allowed(&packets[i]));
	}
}
