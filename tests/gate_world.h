/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A gate between two ports of rings, N3 and N6, with three sessions; packets for it, octet by
 * octet; and what may leave it, told without the code under test. For test_gate and fuzz_gate:
 * what goes wrong here ends the process.
 */
#ifndef CPAU_TESTS_GATE_WORLD_H
#define CPAU_TESTS_GATE_WORLD_H

#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "gate/gate.h"
#include "gtpu/gtpu.h"

enum {
	N3,
	N6,
	WORLD_PORTS,

	WORLD_SHARDS = 2,
	WORLD_CAPACITY = 16,
	WORLD_SESSIONS = 3,
	WORLD_RING = 256,
	WORLD_MBUFS = 1023,
	WORLD_EVENTS = 8,

	ETHER = 14,
	TYPE_IPV4 = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_IPV6 = 0x86dd,
	ICMP = 1,
	TCP = 6,
	UDP = 17,
	ICMPV6 = 58,
};
#define WORLD_IPV4   UINT32_C(0x0a000000)
#define WORLD_PREFIX UINT64_C(0x20010db8aa000000)

/* Every address here, in the octets of its family. */
static const uint8_t n3_ipv4[16] = {192, 0, 2, 1}, n6_ipv4[16] = {198, 51, 100, 1};
static const uint8_t n3_ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
static const uint8_t n6_ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 6, [15] = 1};
static const uint8_t an_ipv4[2][16] = {{192, 0, 2, 100}, {192, 0, 2, 101}};
static const uint8_t an_ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, [14] = 1, 0};
static const uint8_t smdp_ipv4[16] = {203, 0, 113, 10}, dns_ipv4[16] = {203, 0, 113, 53};
static const uint8_t smdp_ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0x80, [15] = 0x10};
static const uint8_t dns_ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0x53, [15] = 0x53};
static const uint8_t gateway_ipv4[16] = {198, 51, 100, 254};
static const uint8_t gateway_ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 6, [15] = 0xfe};
static const uint8_t an_mac[6] = {2, 0, 0, 0, 0, 0xa0}, gateway_mac[6] = {2, 0, 0, 0, 0, 0xfe};

struct octets {
	size_t n;
	uint8_t p[4096];
};

struct world {
	struct gate_shared shared;
	struct net_if nifs[WORLD_PORTS];
	struct rte_mempool *pools[WORLD_PORTS], *pool, *indirect;
	struct rte_ring *to[WORLD_PORTS], *from[WORLD_PORTS], *handed_over;
	struct rte_ring *events[WORLD_SHARDS];
	struct gate_filter *filter;
	struct gate *gate;
	struct octets got[WORLD_PORTS][WORLD_RING];
	unsigned int n_got[WORLD_PORTS];
};

static struct world w;

/* Which session stands where, and at which access node. */
struct world_session {
	unsigned int shard;
	uint32_t slot;
	int an;
	bool an_is_v6;
	uint32_t number; /* of the addresses */
};
static const struct world_session world_sessions[WORLD_SESSIONS] = {
	{0, 1, 0, false, 5},
	{1, 2, 1, false, 9},
	{1, 3, 2, true, 12},
};

static const struct gate_rule world_rules[] = {
	{{4, {203, 0, 113, 10}}, 32, TCP, 443},
	{{4, {203, 0, 113, 128}}, 25, TCP, 443},
	{{4, {203, 0, 113, 53}}, 32, UDP, 53},
	{{4, {203, 0, 113, 20}}, 32, TCP, 0},
	{{6, {0x20, 0x01, 0x0d, 0xb8, 0, 0x80}}, 48, TCP, 443},
	{{6, {0x20, 0x01, 0x0d, 0xb8, 0, 0x53, [15] = 0x53}}, 128, UDP, 53},
};
enum { WORLD_RULES = sizeof(world_rules) / sizeof(world_rules[0]) };

static inline void world_check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "gate_world: %s\n", what);
	abort();
}

/* ---------------------------------------------------------------- start and end */

static inline struct net_addr world_addr(bool v6, const uint8_t *octets)
{
	struct net_addr a = {.family = v6 ? 6 : 4};

	memcpy(a.a, octets, v6 ? 16 : 4);
	return a;
}

static inline int world_find_source(void *arg, const struct net_addr *source)
{
	(void)arg;
	if (source->family == 6)
		return memcmp(source->a, an_ipv6, 16) == 0 ? 2 : -1;
	for (int i = 0; i < 2; i++)
		if (memcmp(source->a, an_ipv4[i], 4) == 0)
			return i;
	return -1;
}

static inline struct gate_session world_session(unsigned int i)
{
	const struct world_session *s = &world_sessions[i];

	return (struct gate_session){
		.an = (uint16_t)s->an,
		.nif = N3,
		.an_addr = world_addr(s->an_is_v6, s->an_is_v6 ? an_ipv6 : an_ipv4[s->an]),
		.an_teid = 0x1000 + s->number,
		.ipv4 = WORLD_IPV4 + s->number,
		.ipv6_prefix = WORLD_PREFIX + s->number,
		.interface_id = 0x0200000000000000 + s->number};
}

static inline uint32_t world_teid(unsigned int i)
{
	return gate_table_teid(w.shared.table, world_sessions[i].shard, world_sessions[i].slot);
}

static inline void world_open(unsigned int i)
{
	struct gate_session s = world_session(i);

	world_check(gate_table_open(w.shared.table, world_sessions[i].shard, world_sessions[i].slot,
				    &s),
		    "a session cannot be opened");
}

static inline void world_close(unsigned int i)
{
	gate_table_close(w.shared.table, world_sessions[i].shard, world_sessions[i].slot);
}

static inline void world_start_port(unsigned int i, const char *name, const char *device)
{
	char to[16], from[16];
	int code;

	snprintf(to, sizeof(to), "to_%s", name);
	snprintf(from, sizeof(from), "from_%s", name);
	w.to[i] = rte_ring_create(to, WORLD_RING, SOCKET_ID_ANY, 0);
	w.from[i] = rte_ring_create(from, WORLD_RING, SOCKET_ID_ANY, 0);
	world_check(w.to[i] && w.from[i] &&
			    rte_eth_from_rings(name, &w.to[i], 1, &w.from[i], 1, 0) >= 0,
		    "no ring port");
	world_check(net_port_start(&(struct net_port_config){.device = device,
							     .rx_queues = 1,
							     .tx_queues = 1,
							     .rx_descriptors = 256,
							     .tx_descriptors = 256,
							     .mtu = 1500,
							     .mbufs = WORLD_MBUFS},
				   &w.nifs[i], &w.pools[i], &code) == NET_PORT_OK,
		    "a port does not start");
}

static inline void world_learn(unsigned int nif, bool v6, const uint8_t *address,
			       const uint8_t mac[6])
{
	struct net_addr a = world_addr(v6, address);
	struct rte_ether_addr ether;

	memcpy(&ether, mac, 6);
	net_neighbours_learn(w.shared.neighbours, (uint8_t)nif, &a, &ether, rte_rdtsc());
}

static inline void world_set_ports(void)
{
	w.nifs[N3] = (struct net_if){.gtpu_port = GTPU_PORT,
				     .ipv4 = world_addr(false, n3_ipv4),
				     .ipv6 = world_addr(true, n3_ipv6),
				     .ipv4_length = 24,
				     .ipv6_length = 64,
				     .addresses = 1};
	w.nifs[N6] = (struct net_if){.transit = true,
				     .ipv4 = world_addr(false, n6_ipv4),
				     .ipv6 = world_addr(true, n6_ipv6),
				     .ipv4_length = 24,
				     .ipv6_length = 64,
				     .gateway_ipv4 = world_addr(false, gateway_ipv4),
				     .gateway_ipv6 = world_addr(true, gateway_ipv6),
				     .addresses = 1};
	world_start_port(N3, "n3", "net_ring_n3");
	world_start_port(N6, "n6", "net_ring_n6");
}

static inline void world_make_gate(void)
{
	world_check((w.gate = gate_create(&w.shared,
					  &(struct gate_config){.numa_node = SOCKET_ID_ANY,
								.pool = w.pool,
								.indirect_pool = w.indirect,
								.handed_over = w.handed_over})) &&
			    gate_add_queue(w.gate, N3, 0, w.pools[N3]) &&
			    gate_add_queue(w.gate, N6, 0, w.pools[N6]),
		    "no gate");
}

/* After EAL has started. */
static inline void world_start(uint32_t packets_per_s)
{
	memset(&w, 0, sizeof(w));
	world_set_ports();
	w.pool = rte_pktmbuf_pool_create("gate", WORLD_MBUFS, 0, 0, NET_MBUF_DATA, SOCKET_ID_ANY);
	w.indirect = rte_pktmbuf_pool_create("indirect", WORLD_MBUFS, 0, 0, 0, SOCKET_ID_ANY);
	w.handed_over = rte_ring_create("handed_over", WORLD_RING, SOCKET_ID_ANY, 0);
	w.events[0] = rte_ring_create("events_0", WORLD_EVENTS, SOCKET_ID_ANY, 0);
	w.events[1] = rte_ring_create("events_1", WORLD_EVENTS, SOCKET_ID_ANY, 0);
	w.filter = gate_filter_create(world_rules, WORLD_RULES, SOCKET_ID_ANY);
	w.shared = (struct gate_shared){
		.nifs = w.nifs,
		.n_nifs = WORLD_PORTS,
		.n6_ipv4 = N6,
		.n6_ipv6 = N6,
		.table = gate_table_create(&(struct gate_table_config){.n_shards = WORLD_SHARDS,
								       .capacity = WORLD_CAPACITY,
								       .first_ipv4 = WORLD_IPV4,
								       .n_ipv4 = 256,
								       .first_prefix = WORLD_PREFIX,
								       .n_prefixes = 256,
								       .numa_node = SOCKET_ID_ANY}),
		.neighbours = net_neighbours_create(64, SOCKET_ID_ANY),
		.dns_ipv6 = world_addr(true, dns_ipv6),
		.events = w.events,
		.n_shards = WORLD_SHARDS,
		.packets_per_s = packets_per_s,
		.max_fragments = 16,
		.fragment_ms = 1000,
		.find_source = world_find_source,
		.tsc_hz = rte_get_tsc_hz(),
	};
	world_check(w.pool && w.indirect && w.handed_over && w.events[0] && w.events[1] &&
			    w.filter && w.shared.table && w.shared.neighbours,
		    "no memory");
	atomic_store(&w.shared.filter, w.filter);
	world_learn(N3, false, an_ipv4[0], an_mac);
	world_learn(N3, false, an_ipv4[1], an_mac);
	world_learn(N3, true, an_ipv6, an_mac);
	world_learn(N6, false, gateway_ipv4, gateway_mac);
	world_learn(N6, true, gateway_ipv6, gateway_mac);
	world_make_gate();
	for (unsigned int i = 0; i < WORLD_SESSIONS; i++)
		world_open(i);
}

/* Mbufs that nobody gave back. */
static inline unsigned int world_end(void)
{
	unsigned int lost;

	net_port_stop(&w.nifs[N3]);
	net_port_stop(&w.nifs[N6]);
	gate_destroy(w.gate);
	lost = rte_mempool_in_use_count(w.pool) + rte_mempool_in_use_count(w.indirect) +
	       rte_mempool_in_use_count(w.pools[N3]) + rte_mempool_in_use_count(w.pools[N6]);
	gate_filter_destroy(w.filter);
	gate_table_destroy(w.shared.table);
	net_neighbours_destroy(w.shared.neighbours);
	return lost;
}

/* ---------------------------------------------------------------- octets */

static inline uint32_t world_sum(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static inline uint16_t world_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static inline void world_fix_ipv4(uint8_t *ip)
{
	store_be16(ip + 10, 0);
	store_be16(ip + 10, world_fold(world_sum(ip, (size_t)(ip[0] & 15) * 4, 0)));
}

/* Of the n octets of an upper layer at p, whose checksum is at `at`, with its pseudo-header. */
static inline void world_fix_upper(const uint8_t *ip, uint8_t protocol, uint8_t *p, size_t n,
				   size_t at)
{
	bool v6 = ip[0] >> 4 == 6;
	uint32_t sum = protocol + (uint32_t)n;

	if (protocol == ICMP)
		sum = 0;
	else
		sum = world_sum(ip + (v6 ? 8 : 12), v6 ? 32 : 8, sum);
	store_be16(p + at, 0);
	store_be16(p + at, world_fold(world_sum(p, n, sum)));
}

/* An IP packet between a UE and somebody. */
struct packet {
	bool v6;
	uint8_t protocol;
	uint8_t source[16], destination[16];
	uint16_t source_port, destination_port;
	uint8_t ttl;
	uint16_t flags; /* IPv4: DF, MF, offset */
	size_t payload; /* behind the header of the upper layer */
};

static inline void world_ue_address(unsigned int session, bool v6, uint8_t out[16])
{
	struct gate_session s = world_session(session);

	memset(out, 0, 16);
	if (v6) {
		store_be64(out, s.ipv6_prefix);
		store_be64(out + 8, s.interface_id);
	} else {
		store_be32(out, s.ipv4);
	}
}

/* To the SM-DP+, which is allowed. */
static inline struct packet world_request(unsigned int session, bool v6)
{
	struct packet p = {.v6 = v6,
			   .protocol = TCP,
			   .source_port = 40000,
			   .destination_port = 443,
			   .ttl = 64,
			   .payload = 11};

	world_ue_address(session, v6, p.source);
	memcpy(p.destination, v6 ? smdp_ipv6 : smdp_ipv4, 16);
	return p;
}

/* The other way round. */
static inline struct packet world_answer(unsigned int session, bool v6)
{
	struct packet p = world_request(session, v6);

	memcpy(p.source, p.destination, 16);
	world_ue_address(session, v6, p.destination);
	p.source_port = 443;
	p.destination_port = 40000;
	return p;
}

static inline size_t world_ip_header(const struct octets *o)
{
	return o->p[0] >> 4 == 6 ? 40 : 20;
}

static inline void world_put_ip(struct octets *o, const struct packet *p, size_t n)
{
	uint8_t *ip = o->p;

	memset(ip, 0, 40);
	if (p->v6) {
		ip[0] = 0x60;
		store_be16(ip + 4, (uint16_t)n);
		ip[6] = p->protocol;
		ip[7] = p->ttl;
		memcpy(ip + 8, p->source, 16);
		memcpy(ip + 24, p->destination, 16);
	} else {
		ip[0] = 0x45;
		store_be16(ip + 2, (uint16_t)(20 + n));
		store_be16(ip + 4, 0x1234);
		store_be16(ip + 6, p->flags);
		ip[8] = p->ttl;
		ip[9] = p->protocol;
		memcpy(ip + 12, p->source, 4);
		memcpy(ip + 16, p->destination, 4);
		world_fix_ipv4(ip);
	}
	o->n = (p->v6 ? 40 : 20) + n;
}

static inline struct octets world_packet(const struct packet *p)
{
	size_t header = p->protocol == TCP ? 20 : 8;
	struct octets o;

	world_put_ip(&o, p, header + p->payload);
	uint8_t *l4 = o.p + world_ip_header(&o);

	memset(l4, 0, header);
	memset(l4 + header, 0x5a, p->payload);
	store_be16(l4, p->source_port);
	store_be16(l4 + 2, p->destination_port);
	if (p->protocol == TCP)
		l4[12] = 0x50;
	else
		store_be16(l4 + 4, (uint16_t)(header + p->payload));
	world_fix_upper(o.p, p->protocol, l4, header + p->payload, p->protocol == TCP ? 16 : 6);
	return o;
}

/* An ICMP message of the p's protocol in p's addresses: type, code, rest, and what it quotes. */
static inline struct octets world_icmp(const struct packet *p, uint8_t type, uint8_t code,
				       const struct octets *quoted, size_t n)
{
	struct packet icmp = *p;
	struct octets o;

	icmp.protocol = p->v6 ? ICMPV6 : ICMP;
	world_put_ip(&o, &icmp, 8 + n);
	uint8_t *l4 = o.p + world_ip_header(&o);

	memset(l4, 0, 8);
	l4[0] = type;
	l4[1] = code;
	if (quoted)
		memcpy(l4 + 8, quoted->p, n);
	else
		memset(l4 + 8, 0, n);
	world_fix_upper(o.p, icmp.protocol, l4, 8 + n, 2);
	return o;
}

/* What a UE says first on its link. */
static inline struct octets world_solicitation(unsigned int session)
{
	struct packet p = {.v6 = true, .ttl = 255};

	store_be16(p.source, 0xfe80);
	store_be64(p.source + 8, world_session(session).interface_id);
	store_be16(p.destination, 0xff02);
	p.destination[15] = 2;
	return world_icmp(&p, 133, 0, NULL, 0);
}

/* In front of it, 16 octets of GTP-U as an access node writes them. */
static inline struct octets world_g_pdu(const struct octets *inner, uint32_t teid)
{
	struct octets o;

	gtpu_write_container_header(o.p, false, 1, teid, (uint16_t)inner->n);
	memcpy(o.p + GTPU_CONTAINER_HEADER_SIZE, inner->p, inner->n);
	o.n = GTPU_CONTAINER_HEADER_SIZE + inner->n;
	return o;
}

/* A GTP-U message in a frame from an access node (2: over IPv6). */
static inline struct octets world_n3_frame(const struct octets *message, int an, uint16_t port)
{
	struct packet outer = {.v6 = an == 2,
			       .protocol = UDP,
			       .source_port = port,
			       .destination_port = GTPU_PORT,
			       .ttl = 64,
			       .payload = message->n};
	struct octets datagram, frame;

	memcpy(outer.source, an == 2 ? an_ipv6 : an_ipv4[an], 16);
	memcpy(outer.destination, an == 2 ? n3_ipv6 : n3_ipv4, 16);
	datagram = world_packet(&outer);
	uint8_t *udp = datagram.p + world_ip_header(&datagram);

	memcpy(udp + 8, message->p, message->n);
	world_fix_upper(datagram.p, UDP, udp, 8 + message->n, 6);
	memcpy(frame.p, &w.nifs[N3].mac, 6);
	memcpy(frame.p + 6, an_mac, 6);
	store_be16(frame.p + 12, outer.v6 ? TYPE_IPV6 : TYPE_IPV4);
	memcpy(frame.p + ETHER, datagram.p, datagram.n);
	frame.n = ETHER + datagram.n;
	return frame;
}

static inline struct octets world_n6_frame(const struct octets *packet)
{
	struct octets frame;

	memcpy(frame.p, &w.nifs[N6].mac, 6);
	memcpy(frame.p + 6, gateway_mac, 6);
	store_be16(frame.p + 12, packet->p[0] >> 4 == 6 ? TYPE_IPV6 : TYPE_IPV4);
	memcpy(frame.p + ETHER, packet->p, packet->n);
	frame.n = ETHER + packet->n;
	return frame;
}

/* ---------------------------------------------------------------- in and out */

static inline struct rte_mbuf *world_mbuf(unsigned int port, const struct octets *frame)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w.pools[port]);

	world_check(m != NULL, "no mbuf");
	memcpy(rte_pktmbuf_append(m, (uint16_t)frame->n), frame->p, frame->n);
	return m;
}

static inline void world_send(unsigned int port, const struct octets *frame)
{
	world_check(rte_ring_enqueue(w.to[port], world_mbuf(port, frame)) == 0, "a ring is full");
}

static inline void world_keep(unsigned int port, struct rte_mbuf *frame)
{
	struct octets *o = &w.got[port][w.n_got[port]++];

	o->n = 0;
	for (const struct rte_mbuf *m = frame; m; m = m->next) {
		memcpy(o->p + o->n, rte_pktmbuf_mtod(m, void *), m->data_len);
		o->n += m->data_len;
	}
	rte_pktmbuf_free(frame);
}

/* Polls until all is read; what left is in w.got. */
static inline void world_poll(void)
{
	struct rte_mbuf *frame;

	memset(w.n_got, 0, sizeof(w.n_got));
	while (gate_poll(w.gate) > 0)
		for (unsigned int port = 0; port < WORLD_PORTS; port++)
			while (w.n_got[port] < WORLD_RING &&
			       rte_ring_dequeue(w.from[port], (void **)&frame) == 0)
				world_keep(port, frame);
}

/* ---------------------------------------------------------------- what may leave */

static inline bool world_is_prefix(const struct gate_rule *r, const uint8_t *address)
{
	for (unsigned int bit = 0; bit < r->length; bit++)
		if ((address[bit / 8] ^ r->prefix.a[bit / 8]) & (0x80 >> bit % 8))
			return false;
	return true;
}

/* port 0: any will do. */
static inline bool world_is_allowed(bool v6, uint8_t protocol, const uint8_t *address,
				    uint16_t port)
{
	for (unsigned int i = 0; i < WORLD_RULES; i++) {
		const struct gate_rule *r = &world_rules[i];

		if (r->prefix.family == (v6 ? 6 : 4) && r->protocol == protocol &&
		    (r->port == 0 || port == 0 || r->port == port) && world_is_prefix(r, address))
			return true;
	}
	return false;
}

static inline int world_session_of(bool v6, const uint8_t *address)
{
	for (unsigned int i = 0; i < WORLD_SESSIONS; i++) {
		uint8_t own[16];

		world_ue_address(i, v6, own);
		if (memcmp(own, address, v6 ? 8 : 4) == 0)
			return (int)i;
	}
	return -1;
}

static inline bool world_is_later(const uint8_t *ip)
{
	return ip[0] >> 4 == 4 ? (load_be16(ip + 6) & 0x1fff) != 0
			       : ip[6] == 44 && (load_be16(ip + 42) & 0xfff8) != 0;
}

/* What comes from the gate itself: answers and questions of a host, errors of a router. */
static inline bool world_is_own(unsigned int port, const uint8_t *ip)
{
	bool v6 = ip[0] >> 4 == 6;
	const uint8_t *own = port == N3 ? (v6 ? n3_ipv6 : n3_ipv4) : (v6 ? n6_ipv6 : n6_ipv4);

	return memcmp(ip + (v6 ? 8 : 12), own, v6 ? 16 : 4) == 0;
}

static inline void world_check_n6(const struct octets *frame)
{
	const uint8_t *ip = frame->p + ETHER;
	uint16_t type = load_be16(frame->p + 12);
	bool v6 = type == TYPE_IPV6;

	if (type == TYPE_ARP)
		return;
	world_check(frame->n >= ETHER + (v6 ? 40u : 20u), "N6: a short frame");
	world_check(v6 || type == TYPE_IPV4, "N6: another protocol");
	if (world_is_own(N6, ip)) {
		world_check(ip[v6 ? 6 : 9] == (v6 ? ICMPV6 : ICMP), "N6: not ICMP from us");
		return;
	}
	world_check(world_session_of(v6, ip + (v6 ? 8 : 12)) >= 0, "N6: a source that is no UE's");
	bool later = world_is_later(ip);

	world_check(v6 || (ip[0] & 15) == 5, "N6: IPv4 options");
	world_check(world_is_allowed(v6, ip[v6 ? 6 : 9], ip + (v6 ? 24 : 16),
				     later ? 0 : load_be16(ip + (v6 ? 42 : 22))),
		    "N6: a destination that is not allowed");
}

/* The packet in a G-PDU: of the session whose tunnel it is, and for its UE. */
static inline void world_check_g_pdu(const uint8_t *outer, const struct gtpu_header *h)
{
	const uint8_t *ip = h->payload.p, *to;
	bool v6 = ip[0] >> 4 == 6, outer_v6 = outer[0] >> 4 == 6;
	int i;

	world_check(h->payload.n >= (v6 ? 40u : 20u), "N3: a short packet");
	to = ip + (v6 ? 24 : 16);
	if (v6 && load_be16(to) == 0xfe80) {
		for (i = 0; i < WORLD_SESSIONS; i++)
			if (world_session((unsigned int)i).interface_id == load_be64(to + 8))
				break;
		world_check(ip[40] == 134, "N3: not an advertisement");
	} else {
		i = world_session_of(v6, to);
	}
	world_check(i >= 0 && i < WORLD_SESSIONS, "N3: a destination that is no UE's");
	struct gate_session s = world_session((unsigned int)i);

	world_check(h->teid == s.an_teid, "N3: another session's tunnel");
	world_check(s.an_addr.family == (outer_v6 ? 6 : 4) &&
			    memcmp(outer + (outer_v6 ? 24 : 16), s.an_addr.a, outer_v6 ? 16 : 4) ==
				    0,
		    "N3: another access node");
	uint8_t protocol = ip[v6 ? 6 : 9];

	if (protocol == (v6 ? ICMPV6 : ICMP))
		return;
	if (v6 && protocol == 44)
		protocol = ip[40];
	world_check(world_is_allowed(v6, protocol, ip + (v6 ? 8 : 12),
				     world_is_later(ip) ? 0
							: load_be16(ip + (v6 ? 40 : 20) +
								    (v6 && ip[6] == 44 ? 8 : 0))),
		    "N3: a source that is not allowed");
}

static inline void world_check_n3(const struct octets *frame)
{
	const uint8_t *ip = frame->p + ETHER;
	uint16_t type = load_be16(frame->p + 12);
	bool v6 = type == TYPE_IPV6;
	size_t udp = v6 ? 40 : 20;
	struct gtpu_header h;

	if (type == TYPE_ARP)
		return;
	world_check(v6 || type == TYPE_IPV4, "N3: another protocol");
	world_check(frame->n >= ETHER + udp + 8, "N3: a short frame");
	world_check(world_is_own(N3, ip), "N3: a source that is not ours");
	if (ip[v6 ? 6 : 9] != UDP)
		return; /* echo, neighbours */
	struct net_addr to = world_addr(v6, ip + (v6 ? 24 : 16));

	world_check(world_find_source(NULL, &to) >= 0, "N3: not to an access node");
	world_check(load_be16(ip + udp) == GTPU_PORT, "N3: not from the GTP-U port");
	world_check(gtpu_decode(&h, span_make(ip + udp + 8, frame->n - ETHER - udp - 8)) == GTPU_OK,
		    "N3: not GTP-U");
	if (h.type == GTPU_G_PDU)
		world_check_g_pdu(ip, &h);
}

static inline void world_check_all(void)
{
	for (unsigned int i = 0; i < w.n_got[N3]; i++)
		world_check_n3(&w.got[N3][i]);
	for (unsigned int i = 0; i < w.n_got[N6]; i++)
		world_check_n6(&w.got[N6][i]);
}

#endif
