/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What lib/net does for the user plane: GTP-U's port, packets in transit, tunnels, fragments.
 * Every test counts the mbufs: none may be lost, whatever came in.
 */
#include <criterion/criterion.h>

#include <rte_cycles.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "start_eal.h"
#include "net/net.h"

enum { MBUFS = 1023, PORT = 5000, GTPU = 2152, OTHER_PORT = 7, PAYLOAD = 100 };

static struct rte_mempool *pool, *references;
static struct net_rx *rx;
static unsigned int sources_asked;
static struct net_datagram got[NET_BURST];
static struct rte_mbuf *passing[NET_BURST];

static struct net_if ours, theirs;

static void addresses(struct net_if *nif, uint8_t last)
{
	*nif = (struct net_if){.mtu = 1500,
			       .mac = {{0x02, 0, 0, 0, 0, last}},
			       .ipv4 = {.family = 4, .a = {192, 0, 2, last}},
			       .ipv6 = {.family = 6, .a = {0x20, 0x01, 0x0d, 0xb8, [15] = last}},
			       .ipv4_length = 24,
			       .ipv6_length = 64,
			       .addresses = 1};
}

static int find_source(void *arg, const struct net_addr *source)
{
	(void)arg;
	(void)source;
	sources_asked++;
	return 3;
}

static void setup(void)
{
	start_eal();
	addresses(&ours, 1);
	addresses(&theirs, 2);
	ours.udp_port = PORT;
	ours.gtpu_port = GTPU;
	ours.transit = true;
	pool = rte_pktmbuf_pool_create("pool", MBUFS, 0, 0, NET_MBUF_DATA, SOCKET_ID_ANY);
	references = rte_pktmbuf_pool_create("references", MBUFS, 0, 0, 0, SOCKET_ID_ANY);
	rx = net_rx_create(&(struct net_rx_config){.nif = &ours,
						   .pool = pool,
						   .max_fragments = 16,
						   .fragment_ms = 1000,
						   .numa_node = SOCKET_ID_ANY,
						   .find_source = find_source});
	cr_assert(pool && references && rx);
}

static void teardown(void)
{
	net_rx_destroy(rx);
	cr_expect_eq(rte_mempool_avail_count(pool), MBUFS, "an mbuf is lost or freed twice");
	cr_expect_eq(rte_mempool_avail_count(references), MBUFS);
	rte_eal_cleanup();
}

TestSuite(net_user_plane, .init = setup, .fini = teardown);

/* An mbuf with n octets, 0, 1, 2 and so on. */
static struct rte_mbuf *octets(unsigned int n)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)n);

	for (unsigned int i = 0; i < n; i++)
		p[i] = (uint8_t)i;
	return m;
}

static struct net_peer to_us(bool v6, uint16_t port)
{
	return (struct net_peer){.addr = v6 ? ours.ipv6 : ours.ipv4,
				 .local = v6 ? theirs.ipv6 : theirs.ipv4,
				 .mac = ours.mac,
				 .port = port};
}

static unsigned int receive(struct rte_mbuf *m)
{
	return net_rx_burst(rx, &m, 1, rte_rdtsc(), got);
}

static void free_got(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		rte_pktmbuf_free(got[i].mbuf);
}

static uint64_t counter(enum net_counter c)
{
	return net_rx_counters(rx)[c];
}

/* A tunnel's datagram, UDP checksum 0. */
static struct rte_mbuf *tunnelled(bool v6, uint16_t port)
{
	struct rte_mbuf *m = octets(PAYLOAD);
	struct net_peer to = to_us(v6, port);

	cr_assert(net_tunnel_finish(&theirs, m, &to, port, 9));
	return m;
}

/* ---------------------------------------------------------------- ports */

Test(net_user_plane, both_ports_are_served_and_said_apart)
{
	const uint16_t ports[] = {GTPU, PORT};

	for (unsigned int i = 0; i < 2; i++) {
		cr_assert_eq(receive(tunnelled(false, ports[i])), 1);
		cr_expect_eq(got[0].local_port, ports[i]);
		cr_expect_eq(got[0].payload.n, PAYLOAD);
		cr_expect_eq(got[0].payload.p[PAYLOAD - 1], PAYLOAD - 1);
		cr_expect_eq(got[0].source, 3);
		free_got(1);
	}
	cr_expect_eq(receive(tunnelled(false, OTHER_PORT)), 0);
	cr_expect_eq(counter(NET_COUNT_BAD_PORT), 1);
}

Test(net_user_plane, any_port_is_all_of_them)
{
	ours.any_port = true;
	cr_assert_eq(receive(tunnelled(false, OTHER_PORT)), 1);
	cr_expect_eq(got[0].local_port, OTHER_PORT);
	free_got(1);
}

Test(net_user_plane, ipv6_without_a_checksum_is_taken_by_gtpu_alone)
{
	cr_assert_eq(receive(tunnelled(true, GTPU)), 1);
	cr_expect_eq(got[0].payload.n, PAYLOAD);
	free_got(1);
	cr_expect_eq(receive(tunnelled(true, PORT)), 0);
	cr_expect_eq(counter(NET_COUNT_BAD_CHECKSUM), 1);
}

/* ---------------------------------------------------------------- transit */

/* An IPv4 packet of n octets to this address, as it lies in a frame for us, and octets behind it.
 */
static struct rte_mbuf *ipv4_frame(uint32_t destination, unsigned int n, unsigned int behind,
				   uint16_t fragment)
{
	struct rte_mbuf *m = octets(n + behind);
	struct rte_ipv4_hdr ip = {.version_ihl = RTE_IPV4_VHL_DEF,
				  .total_length = rte_cpu_to_be_16((uint16_t)n),
				  .fragment_offset = rte_cpu_to_be_16(fragment),
				  .time_to_live = 9,
				  .next_proto_id = IPPROTO_TCP,
				  .src_addr = RTE_BE32(0xcb007150),
				  .dst_addr = rte_cpu_to_be_32(destination)};

	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memcpy(rte_pktmbuf_mtod(m, void *), &ip, sizeof(ip));
	net_transit_finish(&theirs, m, &ours.mac);
	return m;
}

static struct rte_mbuf *ipv6_frame(const char *destination)
{
	struct rte_mbuf *m = octets(60);
	struct rte_ipv6_hdr ip = {.vtc_flow = RTE_BE32(6u << 28),
				  .payload_len = RTE_BE16(20),
				  .proto = IPPROTO_TCP,
				  .hop_limits = 9,
				  .src_addr = {0x20, 0x01, [15] = 7}};
	struct net_addr to;

	cr_assert(net_addr_parse(destination, &to));
	memcpy(ip.dst_addr, to.a, 16);
	memcpy(rte_pktmbuf_mtod(m, void *), &ip, sizeof(ip));
	net_transit_finish(&theirs, m, &ours.mac);
	return m;
}

/* Whether it is passed on; freed either way. */
static bool passes(struct rte_mbuf *m)
{
	cr_expect_eq(receive(m), 0);
	unsigned int n = net_rx_transit(rx, passing);

	if (n > 0)
		rte_pktmbuf_free(passing[0]);
	return n == 1;
}

Test(net_user_plane, packets_for_others_are_passed_on_as_long_as_they_say)
{
	cr_assert_eq(receive(ipv4_frame(0x0a000001, 60, 6, 0)), 0);
	cr_assert_eq(net_rx_transit(rx, passing), 1);
	cr_expect_eq(rte_pktmbuf_data_len(passing[0]), 60, "padding is cut off");
	cr_expect_eq(*rte_pktmbuf_mtod(passing[0], uint8_t *), 0x45);
	rte_pktmbuf_free(passing[0]);
	cr_expect_eq(net_rx_transit(rx, passing), 0, "once");
	cr_expect_eq(counter(NET_COUNT_TRANSIT), 1);
	cr_expect_eq(sources_asked, 0, "nothing is asked about their source");
	cr_expect(passes(ipv4_frame(0x0a000001, 60, 0, RTE_IPV4_HDR_MF_FLAG)), "a fragment");
	cr_expect(passes(ipv6_frame("2001:db8:45::7")));
}

Test(net_user_plane, what_is_for_no_host_beyond_is_not_passed_on)
{
	const char *const ipv6[] = {"ff02::1", "fe80::7", "::1", "::"};
	const uint32_t ipv4[] = {0x7f000001, 0xe0000001, 0xffffffff,
				 0xa9fe0001, 0x00000001, 0xc00002ff /* broadcast of the link */};

	for (unsigned int i = 0; i < RTE_DIM(ipv4); i++)
		cr_expect_not(passes(ipv4_frame(ipv4[i], 60, 0, 0)), "%08x", ipv4[i]);
	for (unsigned int i = 0; i < RTE_DIM(ipv6); i++)
		cr_expect_not(passes(ipv6_frame(ipv6[i])), "%s", ipv6[i]);
	cr_expect_eq(counter(NET_COUNT_TRANSIT), 0);
}

Test(net_user_plane, a_port_that_carries_no_transit_passes_nothing_on)
{
	ours.transit = false;
	cr_expect_not(passes(ipv4_frame(0x0a000001, 60, 0, 0)));
	cr_expect_eq(counter(NET_COUNT_NOT_FOR_US), 1);
}

Test(net_user_plane, a_packet_with_a_wrong_header_or_for_another_mac_is_not_passed_on)
{
	struct rte_mbuf *m = ipv4_frame(0x0a000001, 60, 0, 0);

	rte_pktmbuf_mtod(m, uint8_t *)[RTE_ETHER_HDR_LEN + 8]++;
	cr_expect_not(passes(m), "the checksum is wrong");
	m = ipv4_frame(0x0a000001, 60, 0, 0);
	rte_pktmbuf_trim(m, 1);
	cr_expect_not(passes(m), "shorter than it says");
	m = ipv4_frame(0x0a000001, 60, 0, 0);
	rte_pktmbuf_mtod(m, uint8_t *)[5]++;
	cr_expect_not(passes(m), "another MAC");
}

Test(net_user_plane, what_the_caller_leaves_is_freed)
{
	receive(ipv4_frame(0x0a000001, 60, 0, 0));
	receive(ipv4_frame(0x0a000002, 60, 0, 0));
	cr_assert_eq(net_rx_transit(rx, passing), 1);
	rte_pktmbuf_free(passing[0]);
	receive(ipv4_frame(0x0a000003, 60, 0, 0)); /* the end frees it */
}

/* ---------------------------------------------------------------- whose a frame is */

static bool is_user_plane(struct rte_mbuf *m)
{
	bool is = net_is_user_plane(&ours, m);

	rte_pktmbuf_free(m);
	return is;
}

Test(net_user_plane, gtpu_and_transit_are_the_user_planes)
{
	cr_expect(is_user_plane(tunnelled(false, GTPU)));
	cr_expect(is_user_plane(tunnelled(true, GTPU)));
	cr_expect_not(is_user_plane(tunnelled(false, PORT)));
	cr_expect_not(is_user_plane(tunnelled(true, PORT)));
	cr_expect(is_user_plane(ipv4_frame(0x0a000001, 60, 0, 0)));
	cr_expect(is_user_plane(ipv6_frame("2001:db8:45::7")));
	cr_expect_not(is_user_plane(ipv4_frame(0xe0000001, 60, 0, 0)));
	theirs.vlan = ours.vlan = 7;
	cr_expect(is_user_plane(tunnelled(false, GTPU)));
	cr_expect(is_user_plane(ipv4_frame(0x0a000001, 60, 0, 0)));
	ours.transit = false;
	cr_expect_not(is_user_plane(ipv4_frame(0x0a000001, 60, 0, 0)));
	ours.gtpu_port = 0;
	cr_expect_not(is_user_plane(tunnelled(false, GTPU)));
}

/* However short: a look reads nothing past the end. */
Test(net_user_plane, a_frame_that_ends_early_is_nobodys)
{
	for (unsigned int v6 = 0; v6 < 2; v6++) {
		struct rte_mbuf *m = tunnelled(v6, GTPU);
		unsigned int headers = RTE_ETHER_HDR_LEN + (v6 ? 40 : 20) + 4;

		rte_pktmbuf_trim(m, (uint16_t)(rte_pktmbuf_data_len(m) - headers));
		cr_expect(net_is_user_plane(&ours, m));
		for (unsigned int n = headers; n > 0; n--) {
			rte_pktmbuf_trim(m, 1);
			cr_expect_not(net_is_user_plane(&ours, m), "%u octets", n - 1);
		}
		rte_pktmbuf_free(m);
	}
}

/* ---------------------------------------------------------------- tunnels */

Test(net_user_plane, a_tunnels_datagram_has_lengths_and_no_checksum)
{
	struct rte_mbuf *m = tunnelled(false, GTPU);
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, RTE_ETHER_HDR_LEN);
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);

	cr_expect_eq(rte_pktmbuf_pkt_len(m), RTE_ETHER_HDR_LEN + 20 + 8 + PAYLOAD);
	cr_expect_eq(rte_be_to_cpu_16(ip->total_length), 20 + 8 + PAYLOAD);
	cr_expect_eq(net_ipv4_sum(ip), 0xffff);
	cr_expect_eq(rte_be_to_cpu_16(udp->dgram_len), 8 + PAYLOAD);
	cr_expect_eq(rte_be_to_cpu_16(udp->src_port), GTPU);
	cr_expect_eq(udp->dgram_cksum, 0);
	rte_pktmbuf_free(m);
}

Test(net_user_plane, a_tunnels_datagram_fits_the_mtu_and_the_headroom_or_is_left_alone)
{
	for (unsigned int v6 = 0; v6 < 2; v6++) {
		struct net_peer to = to_us(v6, GTPU);
		unsigned int largest = 1500 - 8 - (v6 ? 40 : 20);
		struct rte_mbuf *m = octets(largest + 1);

		cr_expect_not(net_tunnel_finish(&theirs, m, &to, GTPU, 0));
		cr_expect_eq(rte_pktmbuf_data_len(m), largest + 1);
		rte_pktmbuf_trim(m, 1);
		cr_expect(net_tunnel_finish(&theirs, m, &to, GTPU, 0));
		cr_expect_eq(rte_pktmbuf_data_len(m), 1500 + RTE_ETHER_HDR_LEN);
		rte_pktmbuf_free(m);
		m = octets(PAYLOAD);
		rte_pktmbuf_prepend(m, (uint16_t)(rte_pktmbuf_headroom(m) - NET_HEADROOM + 1));
		cr_expect_not(net_tunnel_finish(&theirs, m, &to, GTPU, 0));
		rte_pktmbuf_free(m);
	}
}

Test(net_user_plane, a_packet_on_its_way_gets_its_next_hop)
{
	const struct rte_ether_addr hop = {{0x02, 9, 9, 9, 9, 9}};
	struct rte_mbuf *m = ipv4_frame(0x0a000001, 60, 0, 0);
	const struct rte_ether_hdr *ether;

	rte_pktmbuf_adj(m, RTE_ETHER_HDR_LEN);
	ours.vlan = 7;
	net_transit_finish(&ours, m, &hop);
	ether = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	cr_expect(rte_is_same_ether_addr(&ether->dst_addr, &hop));
	cr_expect(rte_is_same_ether_addr(&ether->src_addr, &ours.mac));
	cr_expect_eq(ether->ether_type, RTE_BE16(RTE_ETHER_TYPE_VLAN));
	cr_expect_eq(rte_pktmbuf_data_len(m), 60 + RTE_ETHER_HDR_LEN + 4);
	rte_pktmbuf_free(m);
}

/* ---------------------------------------------------------------- fragments */

/* A packet of n octets, header included, for net_ipv4_fragment. */
static struct rte_mbuf *packet(unsigned int n, uint16_t flags)
{
	struct rte_mbuf *m = ipv4_frame(0x0a000001, n, 0, flags);

	rte_pktmbuf_adj(m, RTE_ETHER_HDR_LEN);
	return m;
}

Test(net_user_plane, fragments_hold_the_packet_and_have_headers_of_their_own)
{
	enum { N = 1480, MTU = 600, ELSEWHERE = 100 }; /* a fragment itself, 800 octets in */
	struct rte_mbuf *fragments[NET_FRAGMENTS_MAX];
	unsigned int n = net_ipv4_fragment(packet(N, ELSEWHERE | RTE_IPV4_HDR_MF_FLAG), MTU, pool,
					   references, fragments);
	unsigned int at = 0;

	cr_assert_eq(n, 3);
	for (unsigned int i = 0; i < n; i++) {
		uint8_t copy[2048];
		unsigned int length = rte_pktmbuf_pkt_len(fragments[i]);

		cr_assert_leq(length, MTU);
		memcpy(copy, rte_pktmbuf_read(fragments[i], 0, length, copy), length);
		const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)copy;
		uint16_t offset = rte_be_to_cpu_16(ip->fragment_offset);

		cr_expect_eq(rte_be_to_cpu_16(ip->total_length), length);
		cr_expect_eq(net_ipv4_sum(ip), 0xffff);
		cr_expect_eq(offset & 0x1fff, ELSEWHERE + at / 8);
		cr_expect(offset & RTE_IPV4_HDR_MF_FLAG, "more follow the packet, too");
		for (unsigned int k = 20; k < length; k++, at++)
			cr_assert_eq(copy[k], (uint8_t)(at + 20));
		rte_pktmbuf_free(fragments[i]);
	}
	cr_expect_eq(at, N - 20);
}

Test(net_user_plane, what_may_not_be_fragmented_is_freed)
{
	struct rte_mbuf *fragments[NET_FRAGMENTS_MAX], *all[MBUFS];

	cr_expect_eq(net_ipv4_fragment(packet(1480, RTE_IPV4_HDR_DF_FLAG), 600, pool, references,
				       fragments),
		     0);
	struct rte_mbuf *m = packet(1480, 0);

	cr_assert_eq(rte_pktmbuf_alloc_bulk(references, all, MBUFS), 0);
	cr_expect_eq(net_ipv4_fragment(m, 600, pool, references, fragments), 0, "no mbuf");
	rte_pktmbuf_free_bulk(all, MBUFS);
}

/* ---------------------------------------------------------------- prefixes */

Test(net_user_plane, a_prefix_has_what_agrees_in_its_bits)
{
	const unsigned int lengths[] = {1, 31, 32, 33, 63, 64, 65, 127, 128};
	struct net_addr prefix, other;

	net_addr_parse("2001:db8:1:2:8003:4:5:7", &prefix);
	for (unsigned int i = 0; i < RTE_DIM(lengths); i++) {
		unsigned int last = lengths[i] - 1;

		other = prefix;
		cr_expect(net_prefix_has(&prefix, lengths[i], &other));
		other.a[last / 8] ^= (uint8_t)(0x80 >> last % 8);
		cr_expect_not(net_prefix_has(&prefix, lengths[i], &other), "/%u", lengths[i]);
		cr_expect(net_prefix_has(&prefix, last, &other), "/%u", last);
	}
	net_addr_parse("192.0.2.1", &prefix);
	net_addr_parse("192.0.3.1", &other);
	cr_expect(net_prefix_has(&prefix, 23, &other));
	cr_expect_not(net_prefix_has(&prefix, 24, &other));
	cr_expect(net_prefix_has(&prefix, 0, &other));
	net_addr_parse("2001:db8::1", &other);
	cr_expect_not(net_prefix_has(&prefix, 0, &other), "another family");
}

Test(net_user_plane, on_the_link_is_what_needs_no_gateway)
{
	const struct {
		const char *address;
		bool is;
	} cases[] = {{"192.0.2.77", true},
		     {"192.0.3.1", false},
		     {"2001:db8::77", true},
		     {"2001:db8:0:1::77", false},
		     {"fe80::1", true}};
	struct net_addr a;

	for (unsigned int i = 0; i < RTE_DIM(cases); i++) {
		net_addr_parse(cases[i].address, &a);
		cr_expect_eq(net_is_on_link(&ours, &a), cases[i].is, "%s", cases[i].address);
	}
}
