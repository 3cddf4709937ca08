/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From the data network: the session by the destination, and what the packet must be before the
 * filter is asked about its source.
 */
#include "gate/internal.h"

static bool is_icmp_error_protocol(const struct gate_inner *inner)
{
	return inner->protocol == (inner->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

/* The UE is who the session says, whatever its row was when the address was looked up. */
static bool find_session(struct gate *g, struct gate_packet *p)
{
	const uint8_t *destination = gate_inner_destination(&p->inner, gate_packet_ip(p));
	struct gate_row *row = p->row;
	bool is_open = row && gate_row_read(row, &p->teid, &p->session) == GATE_ROW_OPEN;

	p->row = NULL;
	if (!is_open || p->session.an_teid == 0 ||
	    (p->inner.v6 ? p->session.ipv6_prefix != load_be64(destination)
			 : p->session.ipv4 != load_be32(destination)))
		return gate_refuse(g, p, GATE_COUNT_NO_SESSION);
	p->row = row;
	return true;
}

/* True: the packet's key is set. The checksum of its header was right when it was received. */
static bool admit(struct gate *g, struct gate_packet *p)
{
	const uint8_t *ip = gate_packet_ip(p), *source;

	if (!find_session(g, p))
		return false;
	source = gate_inner_source(&p->inner, ip);
	if (p->inner.options)
		return gate_refuse(g, p, GATE_COUNT_DOWNLINK_BAD);
	if (p->inner.later) {
		if (!gate_inner_is_tcp_or_udp(&p->inner))
			return gate_refuse(g, p, GATE_COUNT_DOWNLINK_BAD);
		gate_key_set_no_port(&p->key, p->inner.v6, p->inner.protocol, source);
		return true;
	}
	if (gate_inner_has_ports(&p->inner, ip)) {
		gate_key_set(&p->key, p->inner.v6, p->inner.protocol, source,
			     ip + p->inner.header_len);
		return true;
	}
	if (is_icmp_error_protocol(&p->inner) && !p->inner.fragment && gate_read_quote(p))
		return true;
	return gate_refuse(g, p, GATE_COUNT_DOWNLINK_BAD);
}

static const _Atomic uint32_t *place_of(const struct gate_table *t, const struct gate_packet *p)
{
	const uint8_t *destination = gate_inner_destination(&p->inner, gate_packet_ip(p));

	if (p->inner.v6) {
		uint64_t i = load_be64(destination) - t->config.first_prefix;

		return i < t->config.n_prefixes ? &t->by_prefix[i] : NULL;
	}
	uint32_t i = load_be32(destination) - t->config.first_ipv4;

	return i < t->config.n_ipv4 ? &t->by_ipv4[i] : NULL;
}

static bool open_packet(struct gate *g, struct rte_mbuf *mbuf, struct gate_packet *p,
			const _Atomic uint32_t **place)
{
	*p = (struct gate_packet){.mbuf = mbuf};
	*place = NULL;
	if (gate_inner_parse(&p->inner, gate_packet_ip(p), rte_pktmbuf_data_len(mbuf)) !=
	    GATE_INNER_OK)
		return gate_refuse(g, p, GATE_COUNT_DOWNLINK_BAD);
	rte_pktmbuf_trim(mbuf, (uint16_t)(rte_pktmbuf_data_len(mbuf) - p->inner.total));
	*place = place_of(g->shared->table, p);
	rte_prefetch0((const void *)(uintptr_t)*place);
	return true;
}

void gate_downlink(struct gate *g, struct rte_mbuf **mbufs, unsigned int n)
{
	const struct gate_table *t = g->shared->table;
	const _Atomic uint32_t *places[NET_BURST];
	struct gate_packet *packets = g->packets;
	unsigned int opened = 0, admitted = 0;

	for (unsigned int i = 0; i < n; i++)
		opened += open_packet(g, mbufs[i], &packets[opened], &places[opened]);
	for (unsigned int i = 0; i < opened; i++) {
		uint32_t row =
			places[i] ? atomic_load_explicit(places[i], memory_order_acquire) : 0;

		if (!row)
			continue;
		packets[i].row = &t->rows[row - 1];
		rte_prefetch0(packets[i].row);
		rte_prefetch0(&packets[i].row->meter);
	}
	for (unsigned int i = 0; i < opened; i++) {
		if (admitted != i)
			packets[admitted] = packets[i];
		admitted += admit(g, &packets[admitted]);
	}
	gate_forward(g, packets, admitted);
}
