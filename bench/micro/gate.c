/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a gate takes for a packet of a session, from a port to a port: rings, which cost next to
 * nothing. Every packet is of a session of its own.
 */
#include <stdlib.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ip.h>

#include "gate/gate.h"
#include "gtpu/gtpu.h"
#include "micro/micro.h"

enum {
	N3,
	N6,
	PORTS,
	RING = 2 * MICRO_CHUNK,
	PACKET = 128, /* octets of an inner packet */
	FRAME = 14 + 20 + 8 + GTPU_CONTAINER_HEADER_SIZE + PACKET,
	IPV4 = 10 << 24,
	DOWNLINK = 1,
	V6 = 2,
};
#define PREFIX UINT64_C(0x20010db800000000)

static struct net_if nifs[PORTS] = {
	[N3] = {.gtpu_port = GTPU_PORT,
		.ipv4 = {.family = 4, .a = {192, 0, 2, 1}},
		.ipv4_length = 24,
		.addresses = 1},
	[N6] = {.transit = true,
		.ipv4 = {.family = 4, .a = {198, 51, 100, 1}},
		.ipv6 = {.family = 6, .a = {0xfd, [15] = 1}},
		.ipv4_length = 24,
		.ipv6_length = 64,
		.gateway_ipv4 = {.family = 4, .a = {198, 51, 100, 254}},
		.gateway_ipv6 = {.family = 6, .a = {0xfd, [15] = 254}},
		.addresses = 1},
};
static const struct net_addr an = {.family = 4, .a = {192, 0, 2, 100}};
static const uint8_t smdp_ipv4[4] = {203, 0, 113, 10}, smdp_ipv6[16] = {0x20, 0x01, [15] = 1};

static struct rte_mempool *pools[PORTS], *pool, *indirect;
static struct rte_ring *to[PORTS], *from[PORTS];
static struct gate_shared shared;
static struct gate *gate;
static struct rte_mbuf *frames[MICRO_ITEMS];
static uint8_t octets[MICRO_ITEMS][FRAME]; /* of the case at hand */
static uint16_t frame_len;

static int find_source(void *arg, const struct net_addr *source)
{
	(void)arg;
	return net_addr_equal(source, &an) ? 0 : -1;
}

/* ---------------------------------------------------------------- the gate */

static void make_port(unsigned int i, const char *name, const char *device)
{
	int code;

	to[i] = rte_ring_create(i == N3 ? "to_n3" : "to_n6", RING, SOCKET_ID_ANY, 0);
	from[i] = rte_ring_create(i == N3 ? "from_n3" : "from_n6", RING, SOCKET_ID_ANY, 0);
	micro_check(to[i] && from[i] && rte_eth_from_rings(name, &to[i], 1, &from[i], 1, 0) >= 0 &&
			    net_port_start(&(struct net_port_config){.device = device,
								     .rx_queues = 1,
								     .tx_queues = 1,
								     .rx_descriptors = 256,
								     .tx_descriptors = 256,
								     .mtu = 1500,
								     .mbufs = 1024},
					   &nifs[i], &pools[i], &code) == NET_PORT_OK,
		    "a ring port does not start");
}

static void learn(uint8_t nif, const struct net_addr *addr)
{
	static const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 9}};

	net_neighbours_learn(shared.neighbours, nif, addr, &mac, rte_rdtsc());
}

static void make_shared(void)
{
	static const struct gate_rule rules[] = {
		{{4, {203, 0, 113, 10}}, 32, 6, 443},
		{{4, {203, 0, 113, 53}}, 32, 17, 53},
		{{6, {0x20, 0x01, [15] = 1}}, 128, 6, 443},
		{{6, {0x20, 0x01, [15] = 53}}, 128, 17, 53},
	};

	shared = (struct gate_shared){
		.nifs = nifs,
		.n_nifs = PORTS,
		.n6_ipv4 = N6,
		.n6_ipv6 = N6,
		.table = gate_table_create(&(struct gate_table_config){.n_shards = 1,
								       .capacity = MICRO_ITEMS,
								       .first_ipv4 = IPV4,
								       .n_ipv4 = MICRO_ITEMS,
								       .first_prefix = PREFIX,
								       .n_prefixes = MICRO_ITEMS,
								       .numa_node = -1}),
		.neighbours = net_neighbours_create(64, SOCKET_ID_ANY),
		.packets_per_s = 1000000,
		.find_source = find_source,
		.tsc_hz = rte_get_tsc_hz(),
	};
	atomic_store(&shared.filter, gate_filter_create(rules, RTE_DIM(rules), SOCKET_ID_ANY));
	micro_check(shared.table && shared.neighbours && atomic_load(&shared.filter),
		    "no memory for a gate");
	for (uint32_t i = 0; i < MICRO_ITEMS; i++)
		micro_check(gate_table_open(shared.table, 0, i,
					    &(struct gate_session){.nif = N3,
								   .an_addr = an,
								   .an_teid = i + 1, /* 0: none */
								   .ipv4 = IPV4 + i,
								   .ipv6_prefix = PREFIX + i}),
			    "a session cannot be opened");
}

static void make_gate(void)
{
	if (gate)
		return;
	make_port(N3, "n3", "net_ring_n3");
	make_port(N6, "n6", "net_ring_n6");
	pool = rte_pktmbuf_pool_create("micro_gate", 2 * MICRO_ITEMS, 256, 0, NET_MBUF_DATA,
				       SOCKET_ID_ANY);
	indirect = rte_pktmbuf_pool_create("micro_gate_indirect", 1024, 64, 0, 0, SOCKET_ID_ANY);
	micro_check(pool && indirect && rte_pktmbuf_alloc_bulk(pool, frames, MICRO_ITEMS) == 0,
		    "no mbufs");
	make_shared();
	gate = gate_create(
		&shared,
		&(struct gate_config){.numa_node = -1, .pool = pool, .indirect_pool = indirect});
	micro_check(gate && gate_add_queue(gate, N3, 0, pools[N3]) &&
			    gate_add_queue(gate, N6, 0, pools[N6]),
		    "no gate");
}

/* ---------------------------------------------------------------- packets */

static void put_ipv4(uint8_t *p, size_t n, uint8_t protocol, const uint8_t *source,
		     const uint8_t *destination)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)p;

	*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
				    .total_length = rte_cpu_to_be_16((uint16_t)n),
				    .time_to_live = 64,
				    .next_proto_id = protocol};
	memcpy(&ip->src_addr, source, 4);
	memcpy(&ip->dst_addr, destination, 4);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

/* Between the UE of this item and the SM-DP+. */
static void put_packet(uint8_t *p, uint32_t item, int arg)
{
	bool downlink = arg & DOWNLINK, v6 = arg & V6;
	uint8_t *tcp = p + (v6 ? 40 : 20), ue[16] = {0};

	memset(p, 0, PACKET);
	if (v6) {
		store_be64(ue, PREFIX + item);
		p[0] = 0x60;
		store_be16(p + 4, PACKET - 40);
		p[6] = 6;
		p[7] = 64;
		memcpy(p + 8, downlink ? smdp_ipv6 : ue, 16);
		memcpy(p + 24, downlink ? ue : smdp_ipv6, 16);
	} else {
		store_be32(ue, IPV4 + item);
		put_ipv4(p, PACKET, 6, downlink ? smdp_ipv4 : ue, downlink ? ue : smdp_ipv4);
	}
	store_be16(tcp + (downlink ? 0 : 2), 443);
	tcp[12] = 0x50;
}

static void put_frame(uint8_t *p, uint32_t item, int arg)
{
	bool downlink = arg & DOWNLINK;

	memcpy(p, &nifs[downlink ? N6 : N3].mac, 6);
	store_be16(p + 12, downlink && arg & V6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	p += 14;
	if (!downlink) {
		size_t n = 8 + GTPU_CONTAINER_HEADER_SIZE + PACKET;

		put_ipv4(p, 20 + n, 17, an.a, nifs[N3].ipv4.a);
		store_be16(p + 20, GTPU_PORT);
		store_be16(p + 22, GTPU_PORT);
		store_be16(p + 24, (uint16_t)n);
		gtpu_write_container_header(p + 28, false, 1,
					    gate_table_teid(shared.table, 0, item), PACKET);
		p += 28 + GTPU_CONTAINER_HEADER_SIZE;
	}
	put_packet(p, item, arg);
}

static void prepare(const struct micro_case *c)
{
	make_gate();
	frame_len = c->arg & DOWNLINK ? 14 + PACKET : FRAME;
	for (uint32_t i = 0; i < MICRO_ITEMS; i++)
		put_frame(octets[i], i, c->arg);
}

static void fill(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct rte_ring *ring = to[c->arg & DOWNLINK ? N6 : N3];

	/* Next hops of items that are taken again and again must not grow old meanwhile. */
	learn(N3, &an);
	learn(N6, &nifs[N6].gateway_ipv4);
	learn(N6, &nifs[N6].gateway_ipv6);
	for (unsigned int i = 0; i < n; i++) {
		/* Of a few items each is in the burst several times. */
		struct rte_mbuf *m = frames[i];

		rte_pktmbuf_reset(m);
		memcpy(rte_pktmbuf_append(m, frame_len), octets[items[i]], frame_len);
		micro_check(rte_ring_enqueue(ring, m) == 0, "a ring is full");
	}
}

static void poll(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	(void)items;
	micro_check(gate_poll(gate) == n, "a packet is left");
}

static void empty(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	void *passed[MICRO_CHUNK];

	(void)items;
	micro_check(rte_ring_dequeue_bulk(from[c->arg & DOWNLINK ? N3 : N6], passed, n, NULL) == n,
		    "a packet is refused");
}

#define GATE(size, title, way)                                                                 \
	{                                                                                      \
		"gate", title, NULL, 0, .batch = size, .chunk = size, .arg = way, .run = poll, \
					.prepare = prepare, .before = fill, .after = empty     \
	}

static const struct micro_case cases[] = {
	MICRO_BATCHES(GATE, "IPv4 packet, to the data network", 0),
	MICRO_BATCHES(GATE, "IPv4 packet, to the access node", DOWNLINK),
	MICRO_BATCHES(GATE, "IPv6 packet, to the data network", V6),
	MICRO_BATCHES(GATE, "IPv6 packet, to the access node", V6 | DOWNLINK),
};

const struct micro_group micro_gate = {"gate", cases, RTE_DIM(cases)};
