/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_malloc.h>

#include "au/out.h"

enum { SLOTS = 16 }; /* datagrams open at a time */

/* A datagram that is being filled. */
struct open_datagram {
	struct rte_mbuf *mbuf; /* NULL: none */
	struct net_peer peer;
	struct wire_writer writer;
};

struct au_out {
	struct au_shared *shared;
	struct au_counters *counters;
	struct rte_mempool *pool, *indirect;
	struct net_tx *tx; /* one a port */
	uint16_t ip_id;
	struct open_datagram *current; /* between reserve and commit */
	struct open_datagram slots[SLOTS];
};

struct au_out *au_out_create(struct au_shared *shared, const struct au_control_config *config,
			     struct au_counters *counters)
{
	struct au_out *o =
		rte_zmalloc_socket("au_out", sizeof(*o), RTE_CACHE_LINE_SIZE, config->numa_node);

	if (!o)
		return NULL;
	o->tx = rte_zmalloc_socket("au_tx", shared->n_nifs * sizeof(*o->tx), RTE_CACHE_LINE_SIZE,
				   config->numa_node);
	if (!o->tx && shared->n_nifs > 0) {
		rte_free(o);
		return NULL;
	}
	o->shared = shared;
	o->counters = counters;
	o->pool = config->tx_pool;
	o->indirect = config->indirect_pool;
	for (unsigned int i = 0; i < shared->n_nifs; i++) {
		o->tx[i].port_id = shared->nifs[i].port_id;
		o->tx[i].queue = config->tx_queues[i];
	}
	return o;
}

void au_out_destroy(struct au_out *o)
{
	if (!o)
		return;
	for (unsigned int i = 0; i < SLOTS; i++)
		rte_pktmbuf_free(o->slots[i].mbuf);
	rte_free(o->tx);
	rte_free(o);
}

static void send_datagram(struct au_out *o, struct open_datagram *d)
{
	const struct net_if *nif = &o->shared->nifs[d->peer.nif];
	struct rte_mbuf *frames[NET_FRAGMENTS_MAX];

	d->mbuf->data_len = (uint16_t)d->writer.length;
	d->mbuf->pkt_len = (uint32_t)d->writer.length;

	unsigned int n = net_udp_finish(nif, d->mbuf, &d->peer, nif->udp_port, o->ip_id++, o->pool,
					o->indirect, frames);

	d->mbuf = NULL;
	if (n == 0) {
		au_count(&o->counters->events[AU_COUNT_TX_NO_MBUF], 1);
		return;
	}
	au_count(&o->counters->events[AU_COUNT_TX_DATAGRAMS], 1);
	for (unsigned int i = 0; i < n; i++)
		net_tx_push(&o->tx[d->peer.nif], frames[i]);
}

static bool same_peer(const struct net_peer *a, const struct net_peer *b)
{
	return a->port == b->port && a->nif == b->nif && net_addr_equal(&a->addr, &b->addr) &&
	       net_addr_equal(&a->local, &b->local);
}

/* Small records share a datagram that fits the MTU; a record that does not fit it goes alone, in a
 * datagram that is fragmented. */
static size_t share_size(const struct au_out *o, const struct net_peer *peer)
{
	size_t headers = peer->addr.family == 6 ? 48 : 28;

	return o->shared->nifs[peer->nif].mtu - headers;
}

static bool open_datagram(struct au_out *o, struct open_datagram *d, const struct net_peer *peer,
			  size_t payload_size)
{
	size_t size = share_size(o, peer);
	size_t alone = WIRE_DATAGRAM_HEADER_SIZE + WIRE_RECORD_HEADER_SIZE + payload_size;

	d->mbuf = rte_pktmbuf_alloc(o->pool);
	if (!d->mbuf || rte_pktmbuf_tailroom(d->mbuf) < RTE_MAX(size, alone)) {
		rte_pktmbuf_free(d->mbuf);
		d->mbuf = NULL;
		au_count(&o->counters->events[AU_COUNT_TX_NO_MBUF], 1);
		return false;
	}
	d->peer = *peer;
	wire_writer_open(&d->writer, rte_pktmbuf_mtod(d->mbuf, uint8_t *), RTE_MAX(size, alone));
	return true;
}

uint8_t *au_out_reserve(struct au_out *o, const struct net_peer *peer, size_t payload_size)
{
	struct open_datagram *d = &o->slots[(net_addr_hash(&peer->addr) ^ peer->port) % SLOTS];

	if (d->mbuf && same_peer(&d->peer, peer)) {
		uint8_t *p = wire_writer_reserve(&d->writer, payload_size);

		if (p) {
			o->current = d;
			return p;
		}
	}
	if (d->mbuf)
		send_datagram(o, d);
	if (!open_datagram(o, d, peer, payload_size))
		return NULL;
	o->current = d;
	return wire_writer_reserve(&d->writer, payload_size);
}

void au_out_commit(struct au_out *o, enum wire_record_type type, uint32_t an_ue_id,
		   uint64_t au_ue_id, size_t payload_size)
{
	wire_writer_commit(&o->current->writer, type, an_ue_id, au_ue_id, payload_size);
}

void au_out_frame(struct au_out *o, struct rte_mbuf *frame)
{
	unsigned int i = 0;

	while (i + 1 < o->shared->n_nifs && o->tx[i].port_id != frame->port)
		i++;
	net_tx_push(&o->tx[i], frame);
}

void au_out_flush(struct au_out *o)
{
	uint64_t dropped = 0;

	for (unsigned int i = 0; i < SLOTS; i++)
		if (o->slots[i].mbuf)
			send_datagram(o, &o->slots[i]);
	for (unsigned int i = 0; i < o->shared->n_nifs; i++) {
		if (o->tx[i].n > 0)
			net_tx_flush(&o->tx[i]);
		dropped += o->tx[i].dropped;
	}
	__atomic_store_n(&o->counters->events[AU_COUNT_TX_DROPPED], dropped, __ATOMIC_RELAXED);
}
