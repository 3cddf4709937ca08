/* SPDX-License-Identifier: BSD-3-Clause
 *
 * GTP-U between the gate and access nodes: TS 29.281 clause 7, but for G-PDUs.
 */
#include <rte_ring.h>

#include "gate/internal.h"

/* The message is in the mbuf; port is the peer's. */
static bool send_message(struct gate *g, const struct net_datagram *d, uint16_t port,
			 struct rte_mbuf *mbuf, size_t n)
{
	const struct net_if *nif = &g->shared->nifs[d->from.nif];
	struct rte_mbuf *frames[NET_FRAGMENTS_MAX];
	struct net_peer to = d->from;

	to.port = port;
	rte_pktmbuf_append(mbuf, (uint16_t)n);
	unsigned int n_frames = net_udp_finish(nif, mbuf, &to, nif->gtpu_port, g->ip_id++,
					       g->config.pool, g->config.indirect_pool, frames);

	if (n_frames == 0)
		gate_count(g, GATE_COUNT_NO_MBUF, 1);
	for (unsigned int i = 0; i < n_frames; i++)
		net_tx_push(&g->tx[d->from.nif], frames[i]);
	return n_frames > 0;
}

/* 7.2.2, to the port that asked (4.4.2.2). */
static void send_echo_response(struct gate *g, const struct net_datagram *d, uint16_t sequence)
{
	struct rte_mbuf *mbuf = gate_allocate(g);

	if (!mbuf)
		return;
	size_t n = gtpu_encode_echo_response(rte_pktmbuf_mtod(mbuf, uint8_t *),
					     rte_pktmbuf_tailroom(mbuf), sequence);

	if (send_message(g, d, d->from.port, mbuf, n))
		gate_count(g, GATE_COUNT_ECHO_REQUESTS, 1);
}

/* Each access node by itself: junk from one costs no other an answer. */
static bool has_turn(struct gate *g, const struct net_datagram *d)
{
	return gate_bucket_take(&g->signalling_buckets[(unsigned int)d->source % GATE_AN_BUCKETS],
				&g->signalling_pace, g->tsc);
}

/* 7.3.1: none about TEID 0. */
void gate_send_error_indication(struct gate *g, const struct net_datagram *d, uint32_t teid)
{
	struct rte_mbuf *mbuf;

	if (teid == 0 || !has_turn(g, d))
		return;
	mbuf = gate_allocate(g);
	if (!mbuf)
		return;
	size_t n = gtpu_encode_error_indication(rte_pktmbuf_mtod(mbuf, uint8_t *),
						rte_pktmbuf_tailroom(mbuf), teid, d->from.local.a,
						d->from.local.family == 6 ? 16 : 4);

	if (send_message(g, d, GTPU_PORT, mbuf, n))
		gate_count(g, GATE_COUNT_ERROR_INDICATIONS_SENT, 1);
}

/* 7.2.3 */
void gate_send_supported_extensions(struct gate *g, const struct net_datagram *d)
{
	struct rte_mbuf *mbuf;

	if (!has_turn(g, d))
		return;
	mbuf = gate_allocate(g);
	if (!mbuf)
		return;
	size_t n = gtpu_encode_supported_extensions(rte_pktmbuf_mtod(mbuf, uint8_t *),
						    rte_pktmbuf_tailroom(mbuf), 0);

	send_message(g, d, GTPU_PORT, mbuf, n);
}

/* The access node says by its own TEID which session it does not know. Only sessions of its own
 * are looked at: it can end nobody else's. */
static void handle_error_indication(struct gate *g, const struct net_datagram *d,
				    struct span payload)
{
	const struct gate_table *t = g->shared->table;
	uint8_t address[16];
	size_t address_len;
	uint32_t an_teid, teid;

	if (!gtpu_decode_error_indication(payload, &an_teid, address, &address_len)) {
		gate_count(g, GATE_COUNT_GTPU_TRUNCATED, 1);
		return;
	}
	gate_count(g, GATE_COUNT_ERROR_INDICATIONS, 1);
	teid = gate_table_find(t, (uint16_t)d->source, an_teid);
	if (teid == 0)
		return;
	unsigned int shard = gate_row_of_teid(teid) / t->config.capacity;

	if (rte_ring_enqueue(g->shared->events[shard], (void *)(uintptr_t)teid) != 0)
		gate_count(g, GATE_COUNT_EVENT_RING_FULL, 1);
}

void gate_handle_signalling(struct gate *g, const struct net_datagram *d,
			    const struct gtpu_header *h)
{
	switch (h->type) {
	case GTPU_ECHO_REQUEST:
		send_echo_response(g, d, h->sequence);
		break;
	case GTPU_ECHO_RESPONSE:
		gate_count(g, GATE_COUNT_ECHO_RESPONSES, 1);
		break;
	case GTPU_ERROR_INDICATION:
		handle_error_indication(g, d, h->payload);
		break;
	case GTPU_END_MARKER:
		gate_count(g, GATE_COUNT_END_MARKERS, 1);
		break;
	case GTPU_SUPPORTED_EXTENSION_HEADERS:
		gate_count(g, GATE_COUNT_SUPPORTED_EXTENSIONS, 1);
		break;
	default:
		gate_count(g, GATE_COUNT_GTPU_UNKNOWN, 1);
	}
}
