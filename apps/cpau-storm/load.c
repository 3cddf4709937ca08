/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Frames are made once and sent again and again, each time for another session: what differs is
 * written into them. A frame that a driver still has is left alone.
 */
#include <stdlib.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "gtpu/gtpu.h"
#include "load.h"

enum {
	FRAMES = 4096,
	BURST = 64,
	HTTPS = 443,
	SSH = 22,
	TTL = 64,
	DRAIN_MS = 100, /* what is on its way arrives */
	STRIDE = 40503, /* from a session to the next one: neighbours have nothing in common */
};

/* What no gate passes; a packet has its kind in its IPv4 identification, for who sees it come out.
 */
enum hostile { HONEST, BESIDE, PORT, FRAGMENT, SPOOFED, HOSTILE_KINDS };

/* In front of a packet: Ethernet, IPv4, UDP, GTP-U with its container. */
struct headers {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr outer;
	struct rte_udp_hdr udp;
	uint8_t gtpu[GTPU_CONTAINER_HEADER_SIZE];
	struct rte_ipv4_hdr inner;
	struct rte_tcp_hdr tcp;
} __attribute__((packed, aligned(2)));

struct load {
	const struct storm_config *config;
	struct load_session *sessions;
	unsigned int n, next_session, next_frame;
	const struct link_port *n3, *n6;
	struct rte_mbuf *frames[FRAMES];
	uint32_t first_an; /* N3 address, host order */
	struct load_result *result;
	uint64_t begun;
};

/* Of the frames so many in a hundred, evenly among the others; the kinds take turns. */
static enum hostile kind_of_frame(const struct storm_config *c, unsigned int i)
{
	unsigned int before = (unsigned int)(i * c->load_hostile);

	if ((unsigned int)((i + 1) * c->load_hostile) == before)
		return HONEST;
	return BESIDE + before % (HOSTILE_KINDS - BESIDE);
}

static void spoil(struct headers *h, enum hostile kind)
{
	uint32_t to = rte_be_to_cpu_32(h->inner.dst_addr);

	h->inner.packet_id = rte_cpu_to_be_16(kind);
	if (kind == BESIDE)
		h->inner.dst_addr = rte_cpu_to_be_32(to + 1);
	else if (kind == PORT)
		h->tcp.dst_port = RTE_BE16(SSH);
	else if (kind == FRAGMENT)
		h->inner.fragment_offset = RTE_BE16(RTE_IPV4_HDR_MF_FLAG);
	/* SPOOFED: when its session is known */
}

static bool make_frame(struct load *l, struct rte_mbuf *m, enum hostile kind)
{
	unsigned int n = l->config->load_octets;
	uint16_t udp = (uint16_t)(sizeof(struct rte_udp_hdr) + GTPU_CONTAINER_HEADER_SIZE + n);
	struct headers *h = (struct headers *)rte_pktmbuf_append(
		m, (uint16_t)(sizeof(struct headers) - sizeof(h->inner) - sizeof(h->tcp) + n));

	if (!h)
		return false;
	memset(h, 0, m->data_len);
	rte_ether_addr_copy(&l->n3->peer->mac, &h->ether.dst_addr);
	rte_ether_addr_copy(&l->n3->nif->mac, &h->ether.src_addr);
	h->ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	h->outer = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(h->outer) + udp)),
		.time_to_live = TTL,
		.next_proto_id = IPPROTO_UDP,
		.dst_addr = rte_cpu_to_be_32(load_be32(l->n3->peer->addr.a))};
	h->udp = (struct rte_udp_hdr){.src_port = RTE_BE16(GTPU_PORT),
				      .dst_port = RTE_BE16(GTPU_PORT),
				      .dgram_len = rte_cpu_to_be_16(udp)};
	gtpu_write_container_header(h->gtpu, false, 1, 0, (uint16_t)n);
	h->inner =
		(struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
				      .total_length = rte_cpu_to_be_16((uint16_t)n),
				      .time_to_live = TTL,
				      .next_proto_id = IPPROTO_TCP,
				      .dst_addr = rte_cpu_to_be_32(load_be32(l->n6->nif->ipv4.a))};
	h->tcp = (struct rte_tcp_hdr){.src_port = RTE_BE16(49152),
				      .dst_port = RTE_BE16(HTTPS),
				      .data_off = 5 << 4,
				      .tcp_flags = RTE_TCP_ACK_FLAG};
	spoil(h, kind);
	return true;
}

/* Makes it the session's. */
static void address(const struct load *l, struct rte_mbuf *m, const struct load_session *s)
{
	struct headers *h = rte_pktmbuf_mtod(m, struct headers *);

	h->outer.src_addr = rte_cpu_to_be_32(l->first_an + s->an);
	h->outer.hdr_checksum = 0;
	h->outer.hdr_checksum = rte_ipv4_cksum(&h->outer);
	store_be32(h->gtpu + 4, s->teid);
	h->inner.src_addr =
		rte_cpu_to_be_32(s->ipv4 + (h->inner.packet_id == RTE_BE16(SPOOFED) ? 1 : 0));
	h->inner.hdr_checksum = 0;
	h->inner.hdr_checksum = rte_ipv4_cksum(&h->inner);
}

static void send_burst(struct load *l)
{
	struct rte_mbuf *burst[BURST];
	unsigned int n = 0;

	while (n < BURST) {
		struct rte_mbuf *m = l->frames[l->next_frame];

		if (rte_mbuf_refcnt_read(m) > 1)
			break;
		address(l, m, &l->sessions[l->next_session]);
		rte_mbuf_refcnt_update(m, 1); /* it comes back to us, not to the pool */
		burst[n++] = m;
		l->next_frame = (l->next_frame + 1) % FRAMES;
		l->next_session = (l->next_session + STRIDE) % l->n;
	}
	unsigned int sent = rte_eth_tx_burst(l->n3->nif->port_id, 0, burst, (uint16_t)n);

	for (unsigned int i = sent; i < n; i++)
		rte_mbuf_refcnt_update(burst[i], -1);
	/* Those that were not taken come first the next time. */
	l->next_frame = (l->next_frame + FRAMES - (n - sent)) % FRAMES;
	l->result->sent += sent;
	for (unsigned int i = 0; i < sent && l->config->load_hostile > 0; i++)
		l->result->hostile_sent +=
			rte_pktmbuf_mtod(burst[i], struct headers *)->inner.packet_id != HONEST;
}

static bool is_load(const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	return ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4);
}

/* Of a packet that came out. */
static bool is_hostile(const struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, RTE_ETHER_HDR_LEN);

	return m->data_len >= RTE_ETHER_HDR_LEN + sizeof(*ip) && ip->packet_id != HONEST;
}

/* ARP and the like of a port. */
static void answer(const struct link_port *p, struct rte_mbuf **packets, unsigned int n)
{
	struct net_datagram datagrams[NET_BURST];
	struct rte_mbuf *answers[NET_BURST];

	n = net_rx_burst(p->rx, packets, n, rte_rdtsc(), datagrams);
	for (unsigned int i = 0; i < n; i++)
		rte_pktmbuf_free(datagrams[i].mbuf);
	n = net_rx_answers(p->rx, answers, NET_BURST);
	for (unsigned int i = 0; i < n; i++)
		net_tx_push(p->tx, answers[i]);
	if (p->tx->n > 0)
		net_tx_flush(p->tx);
}

static void receive(struct load *l, const struct link_port *p)
{
	struct rte_mbuf *packets[NET_BURST], *others[NET_BURST], *load[NET_BURST];
	unsigned int n = rte_eth_rx_burst(p->nif->port_id, 0, packets, NET_BURST), n_others = 0,
		     n_load = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (is_load(packets[i]) && p == l->n6)
			load[n_load++] = packets[i];
		else
			others[n_others++] = packets[i];
	}
	l->result->received += n_load;
	for (unsigned int i = 0; i < n_load && l->config->load_hostile > 0; i++)
		l->result->hostile_received += is_hostile(load[i]);
	rte_pktmbuf_free_bulk(load, n_load);
	if (n_others > 0)
		answer(p, others, n_others);
	net_rx_expire(p->rx, rte_rdtsc());
}

void load_turn(struct load *l, bool sends)
{
	link_pause();
	if (sends)
		send_burst(l);
	/* As many as one burst may have become. */
	for (unsigned int i = 0; i < 2; i++)
		receive(l, l->n6);
	receive(l, l->n3);
	if (sends)
		l->result->seconds = (double)(rte_rdtsc() - l->begun) / (double)rte_get_tsc_hz();
}

struct load *load_begin(const struct storm_config *config, struct load_session *sessions,
			unsigned int n, struct link *n3, struct link *n6,
			struct load_result *result, const char **why)
{
	struct load *l = calloc(1, sizeof(*l));

	*why = "--load takes two DPDK ports with IPv4 addresses";
	if (!l || !link_port(n3) || !link_port(n6) || link_family(n3) != 4 ||
	    link_family(n6) != 4) {
		free(sessions);
		free(l);
		return NULL;
	}
	*l = (struct load){.config = config,
			   .sessions = sessions,
			   .n = n,
			   .n3 = link_port(n3),
			   .n6 = link_port(n6),
			   .result = result};
	l->first_an = load_be32(l->n3->nif->ipv4.a);
	result->sessions = n;
	*why = "out of memory for packets: give EAL more with -m";
	bool ok = rte_pktmbuf_alloc_bulk(l->n3->pool, l->frames, FRAMES) == 0;

	for (unsigned int i = 0; ok && i < FRAMES; i++)
		ok = make_frame(l, l->frames[i], kind_of_frame(config, i));
	l->begun = rte_rdtsc();
	if (ok)
		return l;
	free(sessions);
	free(l);
	return NULL;
}

void load_end(struct load *l)
{
	uint64_t ends = rte_rdtsc() + rte_get_tsc_hz() / 1000 * DRAIN_MS;

	if (!l)
		return;
	while (rte_rdtsc() < ends)
		load_turn(l, false);
	free(l->sessions);
	free(l); /* the frames end with their pool */
}

bool load_run(const struct storm_config *config, struct load_session *sessions, unsigned int n,
	      struct link *n3, struct link *n6, volatile int *stop, struct load_result *result,
	      const char **why)
{
	struct load *l = load_begin(config, sessions, n, n3, n6, result, why);

	while (l && !*stop && result->seconds < config->load_s)
		load_turn(l, true);
	load_end(l);
	return l != NULL;
}

bool load_run_only(const struct storm_config *config, struct link *n3, struct link *n6,
		   volatile int *stop, struct load_result *result, const char **why)
{
	struct load_session *sessions = calloc(config->load_sessions, sizeof(*sessions));

	*why = "out of memory";
	if (!sessions)
		return false;
	for (unsigned int i = 0; i < config->load_sessions; i++)
		sessions[i] = (struct load_session){.teid = i + 1,
						    .ipv4 = (10u << 24 | 45u << 16) + i,
						    .an = (uint16_t)(i % config->n_ans)};
	return load_run(config, sessions, config->load_sessions, n3, n6, stop, result, why);
}
