/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From access nodes: a datagram to the packet in it, and what the packet must be before the filter
 * is asked about its destination.
 */
#include <rte_byteorder.h>

#include "gate/internal.h"

enum { ROWS_AHEAD = 16 };

static const uint64_t link_local = UINT64_C(0xfe80) << 48;

/* The UE's address, or any of its /64; its link-local one for what is said to the router alone. */
static bool is_ues_source(const struct gate_packet *p)
{
	const uint8_t *source = gate_inner_source(&p->inner, gate_packet_ip(p));
	const struct gate_session *s = &p->session;

	if (!p->inner.v6)
		return s->ipv4 && load_be32(source) == s->ipv4;
	if (!s->ipv6_prefix)
		return false;
	if (load_be64(source) == s->ipv6_prefix)
		return true;
	return load_be64(source) == link_local && load_be64(source + 8) == s->interface_id &&
	       gate_is_router_solicitation(p);
}

/* Whether it is the one before the row's own. Generation 0 is nobody's. */
static bool has_ended(uint32_t teid, uint32_t own)
{
	return teid >> GATE_GENERATION_SHIFT != 0 && gate_teid_after(teid) == own;
}

static bool find_session(struct gate *g, struct gate_packet *p)
{
	struct gate_row *row = p->row;
	uint32_t own = 0;
	enum gate_row_state state = row ? gate_row_read(row, &own, &p->session) : GATE_ROW_CLOSED;

	p->row = NULL; /* what follows is not the session's to answer for */
	if (state != GATE_ROW_OPEN || p->teid != own) {
		if (state != GATE_ROW_BUSY)
			gate_send_error_indication(g, p->datagram, p->teid);
		return gate_refuse(g, p,
				   has_ended(p->teid, own) ? GATE_COUNT_ENDED_TEID
							   : GATE_COUNT_UNKNOWN_TEID);
	}
	if (p->session.an != p->datagram->source)
		return gate_refuse(g, p, GATE_COUNT_WRONG_AN);
	p->row = row;
	return true;
}

/* The router is the gate: nothing of it goes any further. */
static bool answer_solicitation(struct gate *g, struct gate_packet *p)
{
	if (g->session_pace.interval &&
	    !gate_bucket_take(&p->row->meter.uplink_bucket, &g->session_pace, g->tsc))
		return gate_refuse(g, p, GATE_COUNT_UPLINK_RATE);
	gate_count(g, GATE_COUNT_ROUTER_SOLICITATIONS, 1);
	gate_send_router_advertisement(g, p);
	rte_pktmbuf_free(p->mbuf);
	return false;
}

/* All that is asked of a packet before the filter. True: its key is set. */
static bool admit(struct gate *g, struct gate_packet *p)
{
	const uint8_t *ip = gate_packet_ip(p);

	if (!find_session(g, p))
		return false;
	switch (gate_inner_parse(&p->inner, ip, rte_pktmbuf_data_len(p->mbuf))) {
	case GATE_INNER_OK:
		break;
	case GATE_INNER_TRUNCATED:
		return gate_refuse(g, p, GATE_COUNT_INNER_TRUNCATED);
	default:
		return gate_refuse(g, p, GATE_COUNT_INNER_BAD);
	}
	if (!gate_inner_checksum(&p->inner, ip))
		return gate_refuse(g, p, GATE_COUNT_INNER_BAD);
	rte_pktmbuf_trim(p->mbuf, (uint16_t)(rte_pktmbuf_data_len(p->mbuf) - p->inner.total));
	if (!is_ues_source(p))
		return gate_refuse(g, p, GATE_COUNT_SPOOFED_SOURCE);
	if (p->inner.fragment)
		return gate_refuse(g, p, GATE_COUNT_UPLINK_FRAGMENT);
	if (p->inner.options)
		return gate_refuse(g, p, GATE_COUNT_EXTENSION_HEADER);
	if (gate_is_router_solicitation(p))
		return answer_solicitation(g, p);
	if (!gate_inner_is_tcp_or_udp(&p->inner))
		return gate_refuse(g, p, GATE_COUNT_UPLINK_PROTOCOL);
	if (!gate_inner_has_ports(&p->inner, ip))
		return gate_refuse(g, p, GATE_COUNT_INNER_TRUNCATED);
	gate_key_set(&p->key, p->inner.v6, p->inner.protocol, gate_inner_destination(&p->inner, ip),
		     ip + p->inner.header_len + 2);
	return true;
}

static bool refuse_message(struct gate *g, const struct net_datagram *d, enum gate_counter why)
{
	gate_count(g, why, 1);
	rte_pktmbuf_free(d->mbuf);
	return false;
}

/* True: a G-PDU, and *p is the packet in it, whose row is on its way into the cache. */
static bool open_message(struct gate *g, const struct net_datagram *d, struct gate_packet *p)
{
	const struct gate_table *t = g->shared->table;
	struct gtpu_header h;

	if (d->local_port != g->shared->nifs[d->from.nif].gtpu_port)
		return refuse_message(g, d, GATE_COUNT_GTPU_UNKNOWN);
	switch (gtpu_decode(&h, d->payload)) {
	case GTPU_OK:
		break;
	case GTPU_TRUNCATED:
		return refuse_message(g, d, GATE_COUNT_GTPU_TRUNCATED);
	case GTPU_VERSION:
		return refuse_message(g, d, GATE_COUNT_GTPU_VERSION);
	case GTPU_EXTENSION_UNKNOWN:
		gate_send_supported_extensions(g, d);
		return refuse_message(g, d, GATE_COUNT_GTPU_EXTENSION);
	default:
		return refuse_message(g, d, GATE_COUNT_GTPU_EXTENSION);
	}
	if (h.type != GTPU_G_PDU) {
		gate_handle_signalling(g, d, &h);
		rte_pktmbuf_free(d->mbuf);
		return false;
	}
	uint32_t row = gate_row_of_teid(h.teid);

	p->mbuf = d->mbuf;
	p->datagram = d;
	p->teid = h.teid;
	p->row = row < t->n_rows ? &t->rows[row] : NULL;
	rte_prefetch0(p->row);
	if (p->row)
		rte_prefetch0(&p->row->meter);
	rte_pktmbuf_adj(d->mbuf,
			(uint16_t)(h.payload.p - rte_pktmbuf_mtod(d->mbuf, const uint8_t *)));
	rte_pktmbuf_trim(d->mbuf, (uint16_t)(rte_pktmbuf_data_len(d->mbuf) - h.payload.n));
	return true;
}

void gate_uplink(struct gate *g, const struct net_datagram *datagrams, unsigned int n)
{
	struct gate_packet *packets = g->packets;
	unsigned int opened = 0, looked_at = 0, admitted = 0;

	/* Rows come into the cache while packets before them are looked at. */
	for (unsigned int i = 0; i < n + ROWS_AHEAD; i++) {
		if (i < n)
			opened += open_message(g, &datagrams[i], &packets[opened]);
		if (looked_at == opened || (i < n && opened - looked_at <= ROWS_AHEAD))
			continue;
		if (admitted != looked_at)
			packets[admitted] = packets[looked_at];
		looked_at++;
		admitted += admit(g, &packets[admitted]);
	}
	gate_forward(g, packets, admitted);
}
