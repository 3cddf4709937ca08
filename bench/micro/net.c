/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From frames in mbufs to datagrams, and back: with real mbufs, but without a port.
 */
#include <stdlib.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_ip.h>

#include "au/stage.h"
#include "micro/micro.h"
#include "net/internal.h"

enum {
	ACCESS_NODES = 16,
	POOL_CACHE = 256,
	PORT = WIRE_UDP_PORT,
	GTPU = 2152,
	PACKET = 1280, /* octets of a packet of the user plane */
};

static const struct net_if au_side = {
	.mtu = 1500,
	.udp_port = PORT,
	.gtpu_port = GTPU,
	.transit = true,
	.mac = {{0x02, 0, 0, 0, 0, 1}},
	.ipv4 = {.family = 4, .a = {192, 0, 2, 1}},
	.ipv4_length = 24,
	.gateway_ipv4 = {.family = 4, .a = {192, 0, 2, 254}},
	.addresses = 1,
};
static struct net_if an_side = {.mtu = 1500, .mac = {{0x02, 0, 0, 0, 0, 2}}};

static struct rte_mempool *pool, *indirect;
static struct rte_mbuf *frames[MICRO_ITEMS]; /* of the case at hand */
static uint16_t payload_len;
static struct net_rx *rx;
static struct net_neighbours *neighbours;
static struct au_an ans[ACCESS_NODES];
static struct au_an_index *an_index;
static struct rte_mbuf *taken[MICRO_CHUNK];

static int find_an(void *arg, const struct net_addr *source)
{
	(void)arg;
	return au_an_find(an_index, source);
}

static struct net_addr an_address(unsigned int i)
{
	return (struct net_addr){.family = 4, .a = {192, 0, 2, (uint8_t)(100 + i % ACCESS_NODES)}};
}

static void make_pools(void)
{
	if (pool)
		return;
	pool = rte_pktmbuf_pool_create_by_ops("micro", 2 * MICRO_ITEMS, POOL_CACHE, 0,
					      NET_MBUF_DATA, SOCKET_ID_ANY, "lf_stack");
	indirect = rte_pktmbuf_pool_create("micro_indirect", 1024, 64, 0, 0, SOCKET_ID_ANY);
	micro_check(pool && indirect, "no memory for mbufs");
	for (unsigned int i = 0; i < ACCESS_NODES; i++)
		ans[i].address = an_address(i);
	an_index = au_an_index_create(ans, ACCESS_NODES);
	rx = net_rx_create(&(struct net_rx_config){
		.nif = &au_side, .pool = pool, .numa_node = SOCKET_ID_ANY, .find_source = find_an});
	neighbours = net_neighbours_create(1024, SOCKET_ID_ANY);
	micro_check(an_index && rx && neighbours, "no memory");
	micro_check(rte_pktmbuf_alloc_bulk(pool, frames, MICRO_ITEMS) == 0, "no mbufs");
}

/* The payload of a datagram that carries this message alone. */
static void put_payload(struct rte_mbuf *m, const struct micro_item *item, enum micro_message which)
{
	const struct wire_record record = {.type = WIRE_UPLINK_NAS,
					   .an_ue_id = item->an_ue_id,
					   .au_ue_id = item->au_ue_id,
					   .payload = item->message[which]};
	struct wire_writer w;

	rte_pktmbuf_reset(m);
	wire_writer_open(&w, rte_pktmbuf_mtod(m, uint8_t *), rte_pktmbuf_tailroom(m));
	micro_check(wire_writer_add(&w, &record), "a message that does not fit");
	payload_len = (uint16_t)w.length;
	m->data_len = payload_len;
	m->pkt_len = payload_len;
}

static struct net_peer to_au(unsigned int i)
{
	return (struct net_peer){
		.mac = au_side.mac, .port = PORT, .addr = au_side.ipv4, .local = an_address(i)};
}

static struct net_peer to_an(unsigned int i)
{
	return (struct net_peer){.mac = an_side.mac,
				 .port = (uint16_t)(40000 + i),
				 .addr = an_address(i),
				 .local = au_side.ipv4};
}

static void prepare_frames(const struct micro_case *c)
{
	struct rte_mbuf *out[NET_FRAGMENTS_MAX];

	make_pools();
	for (unsigned int i = 0; i < MICRO_ITEMS; i++) {
		struct net_peer peer = to_au(i);

		put_payload(frames[i], &micro.items[i], c->arg);
		micro_check(net_udp_finish(&an_side, frames[i], &peer, 40000, (uint16_t)i, pool,
					   indirect, out) == 1,
			    "a message of several fragments");
	}
}

static void receive(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct rte_mbuf *burst[NET_BURST];
	struct net_datagram datagrams[NET_BURST];
	unsigned int given = 0;

	(void)c;
	for (unsigned int at = 0; at < n; at += NET_BURST) {
		unsigned int m = RTE_MIN((unsigned int)NET_BURST, n - at);

		for (unsigned int i = 0; i < m; i++)
			burst[i] = frames[items[at + i]];
		given += net_rx_burst(rx, burst, m, rte_rdtsc(), datagrams);
	}
	micro_check(given == n, "a frame is refused");
}

static void prepare_payloads(const struct micro_case *c)
{
	make_pools();
	for (unsigned int i = 0; i < MICRO_ITEMS; i++)
		put_payload(frames[i], &micro.items[i], c->arg);
}

static void finish(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct rte_mbuf *out[NET_FRAGMENTS_MAX];
	unsigned int made = 0;

	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		struct net_peer peer = to_an(items[i]);

		made += net_udp_finish(&au_side, frames[items[i]], &peer, PORT, (uint16_t)i, pool,
				       indirect, out);
	}
	micro_check(made == n, "a datagram of several frames");
}

/* Without its headers again. */
static void strip(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		struct rte_mbuf *m = frames[items[i]];

		rte_pktmbuf_reset(m);
		m->data_len = payload_len;
		m->pkt_len = payload_len;
	}
}

static void checksum(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct rte_ipv4_hdr ip = {.src_addr = 1, .dst_addr = 2};
	uint32_t sum = 0;

	for (unsigned int i = 0; i < n; i++)
		sum += net_checksum_upper(&ip, false, 17, micro.items[items[i]].octets,
					  (size_t)c->arg);
	micro_keep(&sum);
}

static void prepare_pool(const struct micro_case *c)
{
	(void)c;
	make_pools();
}

static void allocate(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	(void)items;
	for (unsigned int i = 0; i < n; i++) {
		taken[i] = rte_pktmbuf_alloc(pool);
		micro_keep(taken[i]);
	}
}

static void take_all(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	allocate(c, items, n);
}

static void give_back(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	(void)items;
	for (unsigned int i = 0; i < n; i++)
		rte_pktmbuf_free(taken[i]);
}

static void flow(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	uint32_t sum = 0;

	(void)c;
	for (unsigned int i = 0; i < n; i++)
		sum += net_flow_hash(frames[items[i]]);
	micro_keep(&sum);
}

/* ---------------------------------------------------------------- the user plane */

/* A packet from a UE to a host far away; n octets with its header. */
static void put_packet(struct rte_mbuf *m, unsigned int number, uint16_t n)
{
	struct rte_ipv4_hdr ip = {.version_ihl = RTE_IPV4_VHL_DEF,
				  .total_length = rte_cpu_to_be_16(n),
				  .time_to_live = 64,
				  .next_proto_id = IPPROTO_TCP,
				  .src_addr = rte_cpu_to_be_32(0x0a000000 + number),
				  .dst_addr = RTE_BE32(0xc6336401)};

	ip.hdr_checksum = (uint16_t)~net_ipv4_sum(&ip);
	rte_pktmbuf_reset(m);
	m->data_len = n;
	m->pkt_len = n;
	memset(rte_pktmbuf_mtod(m, void *), 0, n);
	memcpy(rte_pktmbuf_mtod(m, void *), &ip, sizeof(ip));
}

static void put_packets(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	for (unsigned int i = 0; i < n; i++)
		put_packet(frames[items[i]], items[i], PACKET);
}

static void prepare_packets(const struct micro_case *c)
{
	make_pools();
	for (uint32_t i = 0; i < MICRO_ITEMS; i++)
		put_packets(c, &i, 1);
}

/* As a G-PDU, whose GTP-U header is the last thing that is looked at here. */
static void prepare_g_pdus(const struct micro_case *c)
{
	prepare_packets(c);
	for (unsigned int i = 0; i < MICRO_ITEMS; i++) {
		struct net_peer peer = to_au(i);

		peer.port = GTPU;
		micro_check(net_tunnel_finish(&an_side, frames[i], &peer, GTPU, (uint16_t)i),
			    "a packet larger than the MTU");
	}
}

static void put_transit(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		struct rte_mbuf *m = frames[items[i]];

		put_packet(m, items[i], PACKET);
		net_transit_finish(&an_side, m, &au_side.mac);
	}
}

static void prepare_transit(const struct micro_case *c)
{
	make_pools();
	for (uint32_t i = 0; i < MICRO_ITEMS; i++)
		put_transit(c, &i, 1);
}

static void receive_transit(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct rte_mbuf *burst[NET_BURST];
	struct net_datagram datagrams[NET_BURST];
	unsigned int given = 0;

	(void)c;
	for (unsigned int at = 0; at < n; at += NET_BURST) {
		unsigned int m = RTE_MIN((unsigned int)NET_BURST, n - at);

		for (unsigned int i = 0; i < m; i++)
			burst[i] = frames[items[at + i]];
		net_rx_burst(rx, burst, m, rte_rdtsc(), datagrams);
		given += net_rx_transit(rx, burst);
	}
	micro_check(given == n, "a packet is refused");
}

static void finish_tunnel(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct net_peer peer = to_an(0);
	bool fits = true;

	(void)c;
	for (unsigned int i = 0; i < n; i++)
		fits &= net_tunnel_finish(&au_side, frames[items[i]], &peer, GTPU, (uint16_t)i);
	micro_check(fits, "a packet larger than the MTU");
}

static void finish_transit(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	for (unsigned int i = 0; i < n; i++)
		net_transit_finish(&au_side, frames[items[i]], &an_side.mac);
}

static void find_hop(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct net_addr far = {.family = 4, .a = {198, 51, 100, 1}}, hop;
	struct rte_ether_addr mac;
	uint64_t tsc = rte_rdtsc();
	unsigned int found = 0;
	bool known;

	(void)c;
	if (net_next_hop(neighbours, &au_side, 0, &far, tsc, &hop, &mac, &known) != NET_HOP_KNOWN)
		net_neighbours_learn(neighbours, 0, &hop, &an_side.mac, tsc);
	for (unsigned int i = 0; i < n; i++) {
		far.a[3] = (uint8_t)items[i];
		net_next_hop(neighbours, &au_side, 0, &far, tsc, &hop, &mac, &known);
		found += known;
	}
	micro_check(found == n, "the gateway is not known");
}

static void classify(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	unsigned int found = 0;

	(void)c;
	for (unsigned int i = 0; i < n; i++)
		found += net_is_user_plane(&au_side, frames[items[i]]);
	micro_check(found == n, "a G-PDU that is none");
}

#define RECEIVE(title, n, group, kind)                                                  \
	{                                                                               \
		"net", title, "worker", n, .per = group, .met_cold = true, .arg = kind, \
					   .run = receive, .prepare = prepare_frames    \
	}
#define SEND(title, n, group, kind)                                                          \
	{                                                                                    \
		"net", title, "control", n, .per = group, .arg = kind, .run = finish,        \
					    .prepare = prepare_payloads, .chunk = MICRO_HOT, \
					    .after = strip                                   \
	}
#define CHECKSUM(n)                                                                        \
	{                                                                                  \
		"net", "UDP checksum of " #n " octets", NULL, 0, .arg = n, .run = checksum \
	}

static const struct micro_case cases[] = {
	RECEIVE("frame of ATTACH REQUEST, parsed", 1, NULL, MICRO_ATTACH_REQUEST),
	RECEIVE("frame of AUTHENTICATION RESPONSE, parsed", 1, NULL, MICRO_AUTHENTICATION_RESPONSE),
	RECEIVE("frame of a small message, parsed", 5, "received-small",
		MICRO_UL_NAS_TRANSPORT_SENT),
	{"net", "mbuf, given back", "worker", 7, "received", .run = give_back,
	 .prepare = prepare_pool, .before = take_all},
	{"net", "mbuf, allocated", "control", 6, "sent", .run = allocate, .prepare = prepare_pool,
	 .after = give_back},
	SEND("datagram of AUTHENTICATION REQUEST, finished", 1, NULL, MICRO_AUTHENTICATION_REQUEST),
	SEND("datagram of a small message, finished", 5, "sent-small", MICRO_CONTEXT_SETUP_REQUEST),
	CHECKSUM(64),
	CHECKSUM(256),
	CHECKSUM(640),
	CHECKSUM(1280),
	{"net", "frame of a G-PDU, parsed", NULL, 0, .run = receive, .prepare = prepare_g_pdus},
	{"net", "frame of a packet in transit, parsed", NULL, 0, .run = receive_transit,
	 .prepare = prepare_transit, .after = put_transit, .chunk = MICRO_HOT},
	{"net", "datagram of a tunnel, finished", NULL, 0, .run = finish_tunnel,
	 .prepare = prepare_packets, .after = put_packets, .chunk = MICRO_HOT},
	{"net", "packet in transit, finished", NULL, 0, .run = finish_transit,
	 .prepare = prepare_packets, .after = put_packets, .chunk = MICRO_HOT},
	{"net", "next hop, by the gateway", NULL, 0, .run = find_hop, .prepare = prepare_pool,
	 .no_cold = true},
	{"net", "whether a frame is the user plane's", NULL, 0, .run = classify,
	 .prepare = prepare_g_pdus},
	{"net", "flow hash of a frame", NULL, 0, .arg = MICRO_ATTACH_REQUEST, .run = flow,
	 .prepare = prepare_frames},
};

const struct micro_group micro_net = {"net", cases, RTE_DIM(cases)};
