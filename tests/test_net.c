/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From frames to datagrams and back. Frames are put together here, octet by octet and with a
 * checksum of their own; every test also counts the mbufs: none may be lost, whatever came in.
 * Under AddressSanitizer the octets behind a frame are poisoned.
 */
#include <criterion/criterion.h>

#include <rte_cycles.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ip_frag.h>
#include <sanitizer/asan_interface.h>

#include "start_eal.h"
#include "net/net.h"

enum {
	MBUFS = 2047,
	PORT = 5000,
	PEER_PORT = 40000,
	ETHER = 14,
	TYPE_IPV4 = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_IPV6 = 0x86dd,
	ICMP = 1,
	UDP = 17,
	ICMPV6 = 58,
	FRAGMENT_MS = 100,
};

static struct rte_mempool *pool, *references;
static struct net_rx *rx;
static bool source_is_known;
static struct net_datagram got[NET_BURST];

static struct net_if ours = {
	.mtu = 1500,
	.udp_port = PORT,
	.mac = {{0x02, 0, 0, 0, 0, 1}},
	.ipv4 = {.family = 4, .a = {192, 0, 2, 1}},
	.ipv6 = {.family = 6, .a = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
	.addresses = 1,
};
static struct net_if theirs = {
	.mtu = 1500,
	.mac = {{0x02, 0, 0, 0, 0, 2}},
	.ipv4 = {.family = 4, .a = {192, 0, 2, 2}},
	.ipv6 = {.family = 6, .a = {0x20, 0x01, 0x0d, 0xb8, [15] = 2}},
	.addresses = 1,
};

static int find_source(void *arg, const struct net_addr *source)
{
	(void)arg;
	(void)source;
	return source_is_known ? 7 : -1;
}

static void start(unsigned int max_fragments)
{
	const struct net_rx_config config = {
		.nif = &ours,
		.nif_index = 7,
		.pool = pool,
		.max_fragments = max_fragments,
		.fragment_ms = FRAGMENT_MS,
		.numa_node = SOCKET_ID_ANY,
		.find_source = find_source,
	};

	net_rx_destroy(rx);
	rx = net_rx_create(&config);
	cr_assert_not_null(rx);
}

static void setup(void)
{
	start_eal();
	pool = rte_pktmbuf_pool_create("pool", MBUFS, 0, 0, NET_MBUF_DATA, SOCKET_ID_ANY);
	references = rte_pktmbuf_pool_create("references", MBUFS, 0, 0, 0, SOCKET_ID_ANY);
	cr_assert(pool && references);
	source_is_known = true;
	start(64);
}

static void teardown(void)
{
	net_rx_destroy(rx);
	cr_expect_eq(rte_mempool_avail_count(pool), MBUFS, "an mbuf is lost or freed twice");
	cr_expect_eq(rte_mempool_avail_count(references), MBUFS);
	rte_eal_cleanup();
}

TestSuite(net, .init = setup, .fini = teardown);

static uint64_t counter(enum net_counter c)
{
	return net_rx_counters(rx)[c];
}

/* ---------------------------------------------------------------- frames */

struct frame {
	size_t n;
	uint8_t octets[4096];
};

static void put(struct frame *f, const void *octets, size_t n)
{
	memcpy(f->octets + f->n, octets, n);
	f->n += n;
}

static void put16(struct frame *f, unsigned int v)
{
	store_be16(f->octets + f->n, (uint16_t)v);
	f->n += 2;
}

static void put8(struct frame *f, unsigned int v)
{
	f->octets[f->n++] = (uint8_t)v;
}

/* RFC 1071, 16 bits at a time. */
static uint32_t sum_octets(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static uint16_t checksum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Of the upper layer from `at` to the end, with the pseudo-header of the IP header at `l3`. */
static uint16_t upper_checksum(const struct frame *f, size_t l3, size_t at, uint8_t protocol)
{
	bool v6 = f->octets[l3] >> 4 == 6;
	uint32_t sum = protocol + (uint32_t)(f->n - at);

	sum = sum_octets(f->octets + l3 + (v6 ? 8 : 12), v6 ? 32 : 8, sum);
	return checksum(sum_octets(f->octets + at, f->n - at, sum));
}

static void put_ether(struct frame *f, unsigned int vlan, unsigned int type)
{
	put(f, &ours.mac, 6);
	put(f, &theirs.mac, 6);
	if (vlan) {
		put16(f, 0x8100);
		put16(f, vlan);
	}
	put16(f, type);
}

/* n: octets above. flags: with the fragment offset. */
static void put_ipv4(struct frame *f, uint8_t protocol, size_t n, unsigned int flags,
		     unsigned int id)
{
	size_t at = f->n;

	put16(f, 0x4500);
	put16(f, (unsigned int)(20 + n));
	put16(f, id);
	put16(f, flags);
	put8(f, 64);
	put8(f, protocol);
	put16(f, 0);
	put(f, theirs.ipv4.a, 4);
	put(f, ours.ipv4.a, 4);
	store_be16(f->octets + at + 10, checksum(sum_octets(f->octets + at, 20, 0)));
}

static void put_ipv6(struct frame *f, uint8_t protocol, size_t n, uint8_t hop_limit)
{
	put16(f, 0x6000);
	put16(f, 0);
	put16(f, (unsigned int)n);
	put8(f, protocol);
	put8(f, hop_limit);
	put(f, theirs.ipv6.a, 16);
	put(f, ours.ipv6.a, 16);
}

static void put_ip(struct frame *f, bool v6, uint8_t protocol, size_t n)
{
	if (v6)
		put_ipv6(f, protocol, n, 255);
	else
		put_ipv4(f, protocol, n, 0, 1);
}

#define PAYLOAD "an authenticator's datagram"
enum { PAYLOAD_N = sizeof(PAYLOAD) - 1 };

static struct frame udp_frame(bool v6, unsigned int vlan)
{
	struct frame f = {0};

	put_ether(&f, vlan, v6 ? TYPE_IPV6 : TYPE_IPV4);
	size_t l3 = f.n;

	put_ip(&f, v6, UDP, 8 + PAYLOAD_N);
	size_t l4 = f.n;

	put16(&f, PEER_PORT);
	put16(&f, PORT);
	put16(&f, 8 + PAYLOAD_N);
	put16(&f, 0);
	put(&f, PAYLOAD, PAYLOAD_N);
	store_be16(f.octets + l4 + 6, upper_checksum(&f, l3, l4, UDP));
	return f;
}

static struct rte_mbuf *to_mbuf(const struct frame *f)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	cr_assert_not_null(m);
	memcpy(rte_pktmbuf_append(m, (uint16_t)f->n), f->octets, f->n);
	return m;
}

/* The number of datagrams that come out, in got; the caller drops them. */
static unsigned int feed_mbuf(struct rte_mbuf *m)
{
	return net_rx_burst(rx, &m, 1, rte_rdtsc(), got);
}

static unsigned int feed(const struct frame *f)
{
	struct rte_mbuf *m = to_mbuf(f);
	uint8_t *behind = rte_pktmbuf_mtod_offset(m, uint8_t *, f->n);
	size_t room = rte_pktmbuf_tailroom(m);

	ASAN_POISON_MEMORY_REGION(behind, room);
	unsigned int n = feed_mbuf(m);

	ASAN_UNPOISON_MEMORY_REGION(behind, room);
	return n;
}

static void drop(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		rte_pktmbuf_free(got[i].mbuf);
}

static void expect_passed(const struct frame *f, const char *what)
{
	unsigned int n = feed(f);

	cr_expect_eq(n, 1, "%s", what);
	if (n)
		cr_expect_eq(got[0].source, 7, "%s", what);
	cr_expect(span_equal(got[0].payload, span_make(PAYLOAD, PAYLOAD_N)), "%s", what);
	drop(n);
}

static void expect_refused(const struct frame *f, enum net_counter why, const char *what)
{
	uint64_t before = counter(why);
	unsigned int n = feed(f);

	cr_expect_eq(n, 0, "%s", what);
	cr_expect_eq(counter(why), before + 1, "%s: not counted as %s", what,
		     net_counter_name(why));
	drop(n);
}

/* The one answer, copied and freed. */
static struct frame answer(void)
{
	struct rte_mbuf *m[2];
	struct frame f = {0};

	cr_assert_eq(net_rx_answers(rx, m, 2), 1);
	put(&f, rte_pktmbuf_mtod(m[0], void *), rte_pktmbuf_data_len(m[0]));
	rte_pktmbuf_free(m[0]);
	cr_expect_arr_eq(f.octets, &theirs.mac, 6);
	cr_expect_arr_eq(f.octets + 6, &ours.mac, 6);
	return f;
}

static void expect_no_answer(void)
{
	struct rte_mbuf *m;

	cr_expect_eq(net_rx_answers(rx, &m, 1), 0);
}

/* ---------------------------------------------------------------- datagrams */

Test(net, datagram_comes_with_its_peer)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct frame f = udp_frame(v6, 0);

		cr_assert_eq(feed(&f), 1);
		cr_expect_eq(got[0].source, 7);
		cr_expect(span_equal(got[0].payload, span_make(PAYLOAD, PAYLOAD_N)));
		cr_expect_eq(got[0].local_port, PORT);
		cr_expect_eq(got[0].from.nif, 7);
		cr_expect_eq(got[0].from.port, PEER_PORT);
		cr_expect_arr_eq(&got[0].from.mac, &theirs.mac, 6);
		cr_expect(net_addr_equal(&got[0].from.addr, v6 ? &theirs.ipv6 : &theirs.ipv4));
		cr_expect(net_addr_equal(&got[0].from.local, v6 ? &ours.ipv6 : &ours.ipv4));
		drop(1);
	}
	cr_expect_eq(counter(NET_COUNT_DATAGRAMS), 2);
}

Test(net, padding_of_a_short_frame_is_not_payload)
{
	struct frame f = udp_frame(false, 0);

	f.n += 18;
	expect_passed(&f, "IPv4");
	f = udp_frame(true, 0);
	f.n += 18;
	expect_passed(&f, "IPv6");
}

Test(net, burst_gives_the_datagrams_in_their_order)
{
	struct frame good = udp_frame(false, 0), bad = good;
	struct rte_mbuf *m[NET_BURST];

	bad.octets[ETHER + 25] ^= 1;
	for (unsigned int i = 0; i < NET_BURST; i++) {
		good.octets[ETHER + 20] = (uint8_t)(0x80 + i); /* source port */
		store_be16(good.octets + ETHER + 26, 0);       /* no checksum */
		m[i] = to_mbuf(i % 3 ? &good : &bad);
	}
	unsigned int n = net_rx_burst(rx, m, NET_BURST, rte_rdtsc(), got);

	cr_expect_eq(n, NET_BURST - (NET_BURST + 2) / 3);
	for (unsigned int i = 1; i < n; i++)
		cr_expect_lt(got[i - 1].from.port, got[i].from.port);
	drop(n);
}

Test(net, every_truncation_is_refused_and_counted_once)
{
	for (int v6 = 0; v6 < 2; v6++)
		for (unsigned int vlan = 0; vlan < 6; vlan += 5) {
			struct frame f = udp_frame(v6, vlan);

			ours.vlan = (uint16_t)vlan;
			for (size_t whole = f.n, n = 0; n < whole; n++) {
				const uint64_t before = counter(NET_COUNT_TRUNCATED);

				f.n = n;
				cr_assert_eq(feed(&f), 0, "%zu octets", n);
				cr_assert_eq(counter(NET_COUNT_TRUNCATED), before + 1, "%zu", n);
			}
		}
	ours.vlan = 0;
}

/* The lengths in the headers agree with the frame: what is short is the upper layer. */
Test(net, udp_header_cut_by_the_ip_length_is_refused)
{
	for (int v6 = 0; v6 < 2; v6++)
		for (size_t n = 0; n < 8; n++) {
			struct frame f = {0};

			put_ether(&f, 0, v6 ? TYPE_IPV6 : TYPE_IPV4);
			put_ip(&f, v6, UDP, n);
			put(&f, "\x9c\x40\x13\x88\0\x08\0\0", n);
			expect_refused(&f, NET_COUNT_BAD_UDP, v6 ? "IPv6" : "IPv4");
		}
}

Test(net, udp_length_fits_its_packet)
{
	struct frame f = udp_frame(false, 0);

	store_be16(f.octets + ETHER + 26, 0);
	store_be16(f.octets + ETHER + 24, 8 + PAYLOAD_N + 1);
	expect_refused(&f, NET_COUNT_BAD_UDP, "one too many");
	store_be16(f.octets + ETHER + 24, 7);
	expect_refused(&f, NET_COUNT_BAD_UDP, "less than its header");
	store_be16(f.octets + ETHER + 24, 8);
	cr_assert_eq(feed(&f), 1);
	cr_expect_eq(got[0].payload.n, 0);
	drop(1);
}

Test(net, no_changed_bit_of_an_ipv4_datagram_gets_through)
{
	struct frame f = udp_frame(false, 0);

	for (size_t at = ETHER; at < f.n; at++)
		for (unsigned int bit = 0; bit < 8; bit++) {
			f.octets[at] ^= (uint8_t)(1u << bit);
			cr_assert_eq(feed(&f), 0, "octet %zu, bit %u", at - ETHER, bit);
			f.octets[at] ^= (uint8_t)(1u << bit);
		}
	expect_passed(&f, "unchanged");
}

Test(net, wrong_checksum_is_refused)
{
	struct frame f = udp_frame(false, 0);

	f.octets[ETHER + 8]++; /* TTL */
	expect_refused(&f, NET_COUNT_BAD_IP, "IPv4 header");
	f = udp_frame(false, 0);
	f.octets[f.n - 1] ^= 0x10;
	expect_refused(&f, NET_COUNT_BAD_CHECKSUM, "UDP over IPv4");
	f = udp_frame(true, 0);
	f.octets[f.n - 1] ^= 0x10;
	expect_refused(&f, NET_COUNT_BAD_CHECKSUM, "UDP over IPv6");
}

Test(net, checksum_may_be_absent_over_ipv4_and_not_over_ipv6)
{
	struct frame f = udp_frame(false, 0);

	store_be16(f.octets + ETHER + 20 + 6, 0);
	expect_passed(&f, "IPv4");
	f = udp_frame(true, 0);
	store_be16(f.octets + ETHER + 40 + 6, 0);
	expect_refused(&f, NET_COUNT_BAD_CHECKSUM, "IPv6");
}

Test(net, ip_header_is_of_its_version_and_long_enough)
{
	struct frame f = udp_frame(false, 0);

	f.octets[ETHER] = 0x65;
	expect_refused(&f, NET_COUNT_BAD_IP, "version 6 as IPv4");
	f.octets[ETHER] = 0x44;
	expect_refused(&f, NET_COUNT_BAD_IP, "16 octets");
	f = udp_frame(false, 0);
	store_be16(f.octets + ETHER + 2, 19);
	expect_refused(&f, NET_COUNT_BAD_IP, "a total below the header");
	f = udp_frame(true, 0);
	f.octets[ETHER] = 0x40;
	expect_refused(&f, NET_COUNT_BAD_IP, "version 4 as IPv6");
}

Test(net, what_is_for_others_is_refused)
{
	struct frame f = udp_frame(false, 0);

	store_be16(f.octets + ETHER + 22, PORT + 1);
	expect_refused(&f, NET_COUNT_BAD_PORT, "another port");
	f = udp_frame(true, 0);
	f.octets[ETHER + 39]++;
	expect_refused(&f, NET_COUNT_NOT_FOR_US, "another IPv6 address");
	struct net_addr mine = ours.ipv4;

	ours.ipv4.a[3]++;
	f = udp_frame(false, 0);
	ours.ipv4 = mine;
	expect_refused(&f, NET_COUNT_NOT_FOR_US, "another IPv4 address");
	f.octets[ETHER - 2] = 0x88;
	expect_refused(&f, NET_COUNT_BAD_ETHERTYPE, "another protocol");
}

Test(net, generator_owns_a_range_of_addresses)
{
	struct net_addr first = ours.ipv4;
	struct frame f[3];

	for (unsigned int i = 0; i < 3; i++) {
		ours.ipv4.a[3] = (uint8_t)(first.a[3] + i);
		f[i] = udp_frame(false, 0);
	}
	ours.ipv4 = first;
	ours.addresses = 2;
	expect_passed(&f[0], "the first");
	expect_passed(&f[1], "the last");
	expect_refused(&f[2], NET_COUNT_NOT_FOR_US, "the one behind");
}

Test(net, unknown_source_is_refused_before_anything_is_checked)
{
	struct frame f = udp_frame(false, 0);

	source_is_known = false;
	f.octets[f.n - 1] ^= 1;
	store_be16(f.octets + ETHER + 22, PORT + 1);
	expect_refused(&f, NET_COUNT_UNKNOWN_SOURCE, "IPv4");
	f = udp_frame(true, 0);
	f.octets[f.n - 1] ^= 1;
	expect_refused(&f, NET_COUNT_UNKNOWN_SOURCE, "IPv6");
}

Test(net, checksum_that_the_nic_has_checked_is_believed)
{
	struct frame f = udp_frame(false, 0);
	struct rte_mbuf *m;

	f.octets[f.n - 1] ^= 1;
	m = to_mbuf(&f);
	m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	cr_expect_eq(feed_mbuf(m), 0, "of a port that does not check");
	ours.rx_checksum = true;
	m = to_mbuf(&f);
	m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	unsigned int n = feed_mbuf(m);

	cr_expect_eq(n, 1);
	drop(n);
	cr_expect_eq(feed(&f), 0, "the NIC says nothing of it");
}

/* ---------------------------------------------------------------- VLAN */

Test(net, packet_is_of_our_vlan)
{
	struct frame tagged = udp_frame(false, 5), untagged = udp_frame(false, 0);

	expect_refused(&tagged, NET_COUNT_BAD_VLAN, "tagged on an untagged port");
	ours.vlan = 5;
	expect_passed(&tagged, "ours");
	expect_refused(&untagged, NET_COUNT_BAD_VLAN, "untagged on a tagged port");
	ours.vlan = 6;
	expect_refused(&tagged, NET_COUNT_BAD_VLAN, "another");
}

Test(net, priority_in_the_tag_is_no_part_of_the_vlan)
{
	struct frame f = udp_frame(true, 5);

	ours.vlan = 5;
	f.octets[ETHER] |= 0xe0;
	expect_passed(&f, "priority 7");
}

Test(net, of_two_tags_the_inner_is_ours)
{
	struct frame f = {0}, inner = udp_frame(false, 5);

	ours.vlan = 5;
	put(&f, inner.octets, 12);
	put16(&f, 0x88a8);
	put16(&f, 100);
	put(&f, inner.octets + 12, inner.n - 12);
	expect_passed(&f, "QinQ");
	ours.vlan = 100;
	expect_refused(&f, NET_COUNT_BAD_VLAN, "the outer");
}

Test(net, tag_that_the_nic_took_off_counts)
{
	struct frame f = udp_frame(false, 0);
	struct rte_mbuf *m = to_mbuf(&f);

	ours.vlan = 5;
	m->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 0x2005;
	unsigned int n = feed_mbuf(m);

	cr_expect_eq(n, 1);
	drop(n);
}

/* ---------------------------------------------------------------- ARP, echo, ND */

static struct frame arp_frame(unsigned int operation, const struct net_addr *target)
{
	struct frame f = {0};

	put_ether(&f, 0, TYPE_ARP);
	put16(&f, 1);
	put16(&f, TYPE_IPV4);
	put8(&f, 6);
	put8(&f, 4);
	put16(&f, operation);
	put(&f, &theirs.mac, 6);
	put(&f, theirs.ipv4.a, 4);
	put(&f, "\0\0\0\0\0", 6);
	put(&f, target->a, 4);
	return f;
}

Test(net, arp_request_for_our_address_is_answered)
{
	struct frame f = arp_frame(1, &ours.ipv4);

	memset(f.octets, 0xff, 6);
	cr_assert_eq(feed(&f), 0);
	f = answer();
	cr_expect_eq(f.n, ETHER + 28);
	cr_expect_eq(load_be16(f.octets + ETHER + 6), 2, "a reply");
	cr_expect_arr_eq(f.octets + ETHER + 8, &ours.mac, 6);
	cr_expect_arr_eq(f.octets + ETHER + 14, ours.ipv4.a, 4);
	cr_expect_arr_eq(f.octets + ETHER + 18, &theirs.mac, 6);
	cr_expect_arr_eq(f.octets + ETHER + 24, theirs.ipv4.a, 4);
	cr_expect_eq(counter(NET_COUNT_ARP), 1);
}

Test(net, arp_request_for_another_address_is_not_answered)
{
	struct frame f = arp_frame(1, &theirs.ipv4);

	expect_refused(&f, NET_COUNT_NOT_FOR_US, "ARP");
	expect_no_answer();
}

Test(net, arp_reply_is_learned)
{
	struct frame f = arp_frame(2, &ours.ipv4);
	struct rte_ether_addr mac;

	cr_expect_not(net_rx_neighbour(rx, &theirs.ipv4, &mac));
	expect_refused(&f, NET_COUNT_ARP, "taken");
	expect_no_answer();
	cr_assert(net_rx_neighbour(rx, &theirs.ipv4, &mac));
	cr_expect_arr_eq(&mac, &theirs.mac, 6);
}

Test(net, arp_truncated_or_of_another_kind_is_refused)
{
	struct frame f = arp_frame(1, &ours.ipv4);

	for (size_t n = ETHER; n < ETHER + 28; n++) {
		f.n = n;
		expect_refused(&f, NET_COUNT_TRUNCATED, "ARP");
	}
	f = arp_frame(1, &ours.ipv4);
	f.octets[ETHER + 1] = 6;
	expect_refused(&f, NET_COUNT_BAD_ETHERTYPE, "IEEE 802");
	expect_no_answer();
}

/* Types 8 and 128; type: 0 for those. */
static struct frame echo_frame(bool v6, uint8_t type)
{
	struct frame f = {0};
	uint8_t protocol = v6 ? ICMPV6 : ICMP;

	put_ether(&f, 0, v6 ? TYPE_IPV6 : TYPE_IPV4);
	put_ip(&f, v6, protocol, 8 + PAYLOAD_N);
	size_t l4 = f.n;

	put8(&f, type ? type : v6 ? 128 : 8);
	put8(&f, 0);
	put16(&f, 0);
	put16(&f, 0x1234);
	put16(&f, 1);
	put(&f, PAYLOAD, PAYLOAD_N);
	store_be16(f.octets + l4 + 2, v6 ? upper_checksum(&f, ETHER, l4, ICMPV6)
					 : checksum(sum_octets(f.octets + l4, f.n - l4, 0)));
	return f;
}

Test(net, echo_request_is_answered_over_ipv4)
{
	struct frame f = echo_frame(false, 0), reply;
	size_t l4 = ETHER + 20;

	cr_assert_eq(feed(&f), 0);
	reply = answer();
	cr_assert_eq(reply.n, f.n);
	cr_expect_eq(reply.octets[l4], 0);
	cr_expect_arr_eq(reply.octets + l4 + 4, f.octets + l4 + 4, f.n - l4 - 4);
	cr_expect_arr_eq(reply.octets + ETHER + 12, ours.ipv4.a, 4);
	cr_expect_arr_eq(reply.octets + ETHER + 16, theirs.ipv4.a, 4);
	cr_expect_eq(checksum(sum_octets(reply.octets + ETHER, 20, 0)), 0);
	cr_expect_eq(checksum(sum_octets(reply.octets + l4, reply.n - l4, 0)), 0);
}

Test(net, echo_request_is_answered_over_ipv6)
{
	struct frame f = echo_frame(true, 0), reply;
	size_t l4 = ETHER + 40;

	cr_assert_eq(feed(&f), 0);
	reply = answer();
	cr_assert_eq(reply.n, f.n);
	cr_expect_eq(reply.octets[l4], 129);
	cr_expect_arr_eq(reply.octets + l4 + 4, f.octets + l4 + 4, f.n - l4 - 4);
	cr_expect_arr_eq(reply.octets + ETHER + 8, ours.ipv6.a, 16);
	cr_expect_arr_eq(reply.octets + ETHER + 24, theirs.ipv6.a, 16);
	cr_expect_eq(upper_checksum(&reply, ETHER, l4, ICMPV6), 0);
}

Test(net, other_icmp_is_not_answered)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct frame f = echo_frame(v6, v6 ? 129 : 13);

		expect_refused(&f, NET_COUNT_BAD_PROTOCOL, "type");
		f = echo_frame(v6, 0);
		f.octets[f.n - 1] ^= 1;
		expect_refused(&f, NET_COUNT_BAD_CHECKSUM, "checksum");
		f = (struct frame){0};
		put_ether(&f, 0, v6 ? TYPE_IPV6 : TYPE_IPV4);
		put_ip(&f, v6, v6 ? ICMPV6 : ICMP, 7);
		put(&f, "\x08\0\xf7\xff\0\0\0", 7);
		expect_refused(&f, NET_COUNT_TRUNCATED, "seven octets");
		f = (struct frame){0};
		put_ether(&f, 0, v6 ? TYPE_IPV6 : TYPE_IPV4);
		put_ip(&f, v6, 6, 20);
		put(&f, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
		expect_refused(&f, NET_COUNT_BAD_PROTOCOL, "TCP");
		expect_no_answer();
	}
}

Test(net, answers_beyond_a_burst_are_dropped_and_not_lost)
{
	struct frame f = echo_frame(false, 0);
	struct rte_mbuf *m[2 * NET_BURST];

	for (unsigned int i = 0; i < NET_BURST + 10; i++)
		cr_assert_eq(feed(&f), 0);
	unsigned int n = net_rx_answers(rx, m, 10);

	n += net_rx_answers(rx, m + n, 2 * NET_BURST - n);
	cr_expect_eq(n, NET_BURST);
	rte_pktmbuf_free_bulk(m, n);
}

static struct frame nd_frame(uint8_t type, uint8_t hop_limit, const struct net_addr *target,
			     bool with_mac)
{
	struct frame f = {0};

	put_ether(&f, 0, TYPE_IPV6);
	put_ipv6(&f, ICMPV6, with_mac ? 32 : 24, hop_limit);
	if (type == 135) /* solicited-node multicast */
		memcpy(f.octets + ETHER + 24, "\xff\x02\0\0\0\0\0\0\0\0\0\x01\xff\0\0\x01", 16);
	size_t l4 = f.n;

	put8(&f, type);
	put8(&f, 0);
	put16(&f, 0);
	put(&f, "\0\0\0", 4);
	put(&f, target->a, 16);
	if (with_mac) {
		put8(&f, type == 135 ? 1 : 2);
		put8(&f, 1);
		put(&f, &theirs.mac, 6);
	}
	store_be16(f.octets + l4 + 2, upper_checksum(&f, ETHER, l4, ICMPV6));
	return f;
}

Test(net, solicitation_of_our_address_is_answered)
{
	struct frame f = nd_frame(135, 255, &ours.ipv6, true);
	struct rte_ether_addr mac;
	size_t l4 = ETHER + 40;

	cr_assert_eq(feed(&f), 0);
	f = answer();
	cr_expect_eq(f.n, l4 + 32);
	cr_expect_eq(f.octets[l4], 136);
	cr_expect_eq(f.octets[l4 + 4], 0x60, "solicited, override");
	cr_expect_arr_eq(f.octets + l4 + 8, ours.ipv6.a, 16);
	cr_expect_eq(f.octets[l4 + 24], 2);
	cr_expect_arr_eq(f.octets + l4 + 26, &ours.mac, 6);
	cr_expect_arr_eq(f.octets + ETHER + 8, ours.ipv6.a, 16);
	cr_expect_arr_eq(f.octets + ETHER + 24, theirs.ipv6.a, 16);
	cr_expect_eq(f.octets[ETHER + 7], 255);
	cr_expect_eq(upper_checksum(&f, ETHER, l4, ICMPV6), 0);
	cr_expect(net_rx_neighbour(rx, &theirs.ipv6, &mac));
}

Test(net, solicitation_from_beyond_the_link_is_refused)
{
	struct frame f = nd_frame(135, 254, &ours.ipv6, true);

	expect_refused(&f, NET_COUNT_BAD_ND, "hop limit");
	expect_no_answer();
}

/* The answer would have to be without them. */
Test(net, solicitation_behind_extension_headers_is_refused)
{
	struct frame plain = nd_frame(135, 255, &ours.ipv6, true), f = {0};
	const size_t l4 = ETHER + 40;

	put(&f, plain.octets, l4);
	put(&f, "\x3a\0\x01\x04\0\0\0\0", 8);
	put(&f, plain.octets + l4, plain.n - l4);
	f.octets[ETHER + 6] = 0; /* hop-by-hop options */
	store_be16(f.octets + ETHER + 4, (uint16_t)(f.n - l4));
	expect_refused(&f, NET_COUNT_BAD_ND, "hop-by-hop");
	expect_no_answer();
}

Test(net, solicitation_of_another_address_is_not_answered)
{
	struct frame f = nd_frame(135, 255, &theirs.ipv6, true);

	expect_refused(&f, NET_COUNT_NOT_FOR_US, "target");
	f = nd_frame(135, 255, &ours.ipv6, false);
	expect_refused(&f, NET_COUNT_ND, "without a MAC to answer to");
	expect_no_answer();
}

Test(net, advertisement_is_learned)
{
	struct frame f = nd_frame(136, 255, &theirs.ipv6, true);
	struct rte_ether_addr mac;

	expect_refused(&f, NET_COUNT_ND, "taken");
	expect_no_answer();
	cr_assert(net_rx_neighbour(rx, &theirs.ipv6, &mac));
	cr_expect_arr_eq(&mac, &theirs.mac, 6);
}

Test(net, our_own_question_is_one_that_is_answered)
{
	struct rte_ether_addr mac;

	/* They ask as we would. */
	for (int v6 = 0; v6 < 2; v6++) {
		struct rte_mbuf *m = net_solicit(&theirs, v6 ? &theirs.ipv6 : &theirs.ipv4,
						 v6 ? &ours.ipv6 : &ours.ipv4, pool);

		cr_assert_not_null(m);
		cr_expect_eq(feed_mbuf(m), 0);
		(void)answer();
		cr_expect(net_rx_neighbour(rx, v6 ? &theirs.ipv6 : &theirs.ipv4, &mac));
	}
}

/* ---------------------------------------------------------------- sending, fragments */

static uint8_t octet_of(size_t i)
{
	return (uint8_t)(i * 7 + (i >> 8));
}

/* A datagram of theirs to us in frames. */
static unsigned int send_datagram(bool v6, size_t n, uint16_t id, struct rte_mbuf **out)
{
	const struct net_peer to = {
		.mac = ours.mac,
		.port = PORT,
		.addr = v6 ? ours.ipv6 : ours.ipv4,
		.local = v6 ? theirs.ipv6 : theirs.ipv4,
	};
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	cr_assert_not_null(m);
	uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)n);

	for (size_t i = 0; i < n; i++)
		p[i] = octet_of(i);
	return net_udp_finish(&theirs, m, &to, PEER_PORT, id, pool, references, out);
}

static void expect_whole(unsigned int datagrams, size_t n, const char *what)
{
	cr_assert_eq(datagrams, 1, "%s", what);
	cr_expect_eq(got[0].payload.n, n, "%s: %zu octets", what, got[0].payload.n);
	for (size_t i = 0; i < RTE_MIN(n, got[0].payload.n); i++)
		cr_assert_eq(got[0].payload.p[i], octet_of(i), "%s, octet %zu", what, i);
	cr_expect_eq(got[0].from.port, PEER_PORT);
	drop(1);
}

/* To a pool's mbuf of its own, as a port would give it. */
static struct rte_mbuf *received(struct rte_mbuf *sent)
{
	struct rte_mbuf *m = rte_pktmbuf_copy(sent, pool, 0, UINT32_MAX);

	cr_assert_not_null(m);
	rte_pktmbuf_free(sent);
	return m;
}

Test(net, datagram_that_is_sent_is_received)
{
	struct rte_mbuf *frames[NET_FRAGMENTS_MAX];

	for (unsigned int vlan = 0; vlan < 6; vlan += 5)
		for (int v6 = 0; v6 < 2; v6++)
			for (size_t n = 0; n <= 1452; n += n < 4 ? 1 : 362) {
				ours.vlan = theirs.vlan = (uint16_t)vlan;
				cr_assert_eq(send_datagram(v6, n, 1, frames), 1);
				expect_whole(feed_mbuf(received(frames[0])), n, "one frame");
			}
}

Test(net, fragments_are_put_together_in_every_order)
{
	static const uint16_t mtus[] = {576, 581, 1280, 1283, 1500};
	struct rte_mbuf *frames[NET_FRAGMENTS_MAX];
	uint16_t id = 1;

	for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++)
		for (int v6 = 0; v6 < 2; v6++)
			for (int backwards = 0; backwards < 2; backwards++) {
				if (v6 && mtus[i] < 1280)
					continue; /* RFC 8200 5: no link's */
				theirs.mtu = mtus[i];
				unsigned int n = send_datagram(v6, 1800, id++, frames), whole = 0;

				cr_assert_gt(n, 1u, "MTU %u, v6 %d", mtus[i], v6);
				for (unsigned int j = 0; j < n; j++) {
					unsigned int at = backwards ? n - 1 - j : j;

					cr_assert_leq(rte_pktmbuf_pkt_len(frames[at]),
						      mtus[i] + ETHER);
					cr_assert_eq(whole, 0, "before its last fragment");
					whole = feed_mbuf(received(frames[at]));
				}
				expect_whole(whole, 1800, v6 ? "IPv6" : "IPv4");
			}
	cr_expect_eq(counter(NET_COUNT_REASSEMBLED), id - 1);
	cr_expect_eq(counter(NET_COUNT_REASSEMBLY_FAILED), 0);
}

/* A datagram of the AN link has at most 4,096 octets. */
Test(net, longest_datagram_is_put_together)
{
	struct rte_mbuf *frames[NET_FRAGMENTS_MAX];

	theirs.mtu = 1500;
	for (unsigned int vlan = 0; vlan < 6; vlan += 5)
		for (int v6 = 0; v6 < 2; v6++) {
			unsigned int whole = 0;

			ours.vlan = theirs.vlan = (uint16_t)vlan;
			cr_assert_eq(send_datagram(v6, 4096, (uint16_t)(1 + vlan), frames), 3);
			for (unsigned int i = 0; i < 3; i++)
				whole = feed_mbuf(received(frames[i]));
			expect_whole(whole, 4096, v6 ? "IPv6" : "IPv4");
		}
}

/* A port may give the frames as the sender chained them. */
Test(net, frames_of_several_segments_are_read)
{
	struct rte_mbuf *frames[NET_FRAGMENTS_MAX];

	theirs.mtu = 1280;
	for (int v6 = 0; v6 < 2; v6++) {
		unsigned int n = send_datagram(v6, 2000, 1, frames);

		cr_assert_eq(n, 2);
		cr_expect_gt(frames[0]->nb_segs, 1);
		cr_expect_eq(feed_mbuf(frames[0]), 0);
		expect_whole(feed_mbuf(frames[1]), 2000, v6 ? "IPv6" : "IPv4");
	}
}

Test(net, fragments_of_two_datagrams_do_not_mix)
{
	struct rte_mbuf *a[NET_FRAGMENTS_MAX], *b[NET_FRAGMENTS_MAX];

	theirs.mtu = 1280;
	for (int v6 = 0; v6 < 2; v6++) {
		cr_assert_eq(send_datagram(v6, 1500, 1, a), 2);
		cr_assert_eq(send_datagram(v6, 2000, 2, b), 2);
		cr_expect_eq(feed_mbuf(received(a[0])), 0);
		cr_expect_eq(feed_mbuf(received(b[1])), 0);
		expect_whole(feed_mbuf(received(a[1])), 1500, "a");
		expect_whole(feed_mbuf(received(b[0])), 2000, "b");
	}
}

Test(net, duplicate_fragment_ends_its_datagram_and_nothing_else)
{
	struct rte_mbuf *frames[NET_FRAGMENTS_MAX];

	theirs.mtu = 1280;
	for (int v6 = 0; v6 < 2; v6++)
		for (unsigned int twice = 0; twice < 2; twice++) {
			uint64_t failed = counter(NET_COUNT_REASSEMBLY_FAILED);

			cr_assert_eq(send_datagram(v6, 1500, 1, frames), 2);
			struct rte_mbuf *again =
				rte_pktmbuf_copy(frames[twice], pool, 0, UINT32_MAX);

			cr_expect_eq(feed_mbuf(again), 0);
			cr_expect_eq(feed_mbuf(received(frames[twice])), 0);
			cr_expect_eq(counter(NET_COUNT_REASSEMBLY_FAILED), failed + 1);
			cr_expect_eq(feed_mbuf(received(frames[1 - twice])), 0);
			cr_assert_eq(send_datagram(v6, 1500, (uint16_t)(2 + twice), frames), 2);
			cr_expect_eq(feed_mbuf(received(frames[0])), 0);
			expect_whole(feed_mbuf(received(frames[1])), 1500, "the next");
			start(64);
		}
}

Test(net, fragments_are_refused_where_reassembly_is_off)
{
	struct rte_mbuf *frames[NET_FRAGMENTS_MAX];

	start(0);
	theirs.mtu = 1280;
	for (int v6 = 0; v6 < 2; v6++) {
		cr_assert_eq(send_datagram(v6, 1500, 1, frames), 2);
		cr_expect_eq(feed_mbuf(received(frames[0])), 0);
		cr_expect_eq(feed_mbuf(received(frames[1])), 0);
	}
	cr_expect_eq(counter(NET_COUNT_REASSEMBLY_FAILED), 4);
}

Test(net, datagram_whose_fragments_take_too_long_is_given_up)
{
	struct rte_mbuf *frames[NET_FRAGMENTS_MAX], *m;
	uint64_t now = rte_rdtsc();

	theirs.mtu = 1280;
	cr_assert_eq(send_datagram(false, 1500, 1, frames), 2);
	m = received(frames[0]);
	cr_expect_eq(net_rx_burst(rx, &m, 1, now, got), 0);
	m = received(frames[1]);
	now += rte_get_tsc_hz() / 1000 * (FRAGMENT_MS + 1);
	cr_expect_eq(net_rx_burst(rx, &m, 1, now, got), 0);
	cr_expect_eq(counter(NET_COUNT_REASSEMBLED), 0);
}

static struct frame ipv4_fragment(uint8_t protocol, unsigned int id, unsigned int offset, bool more)
{
	struct frame f = {0};

	put_ether(&f, 0, TYPE_IPV4);
	put_ipv4(&f, protocol, 8, (more ? 0x2000u : 0) | offset / 8, id);
	put(&f, "fragment", 8);
	return f;
}

Test(net, no_more_datagrams_than_asked_for_are_under_reassembly)
{
	enum { MOST = 16, IDS = 64 };

	start(MOST);
	for (unsigned int id = 0; id < IDS; id++) {
		struct frame f = ipv4_fragment(UDP, id, 0, true);

		cr_assert_eq(feed(&f), 0);
		cr_assert_eq(counter(NET_COUNT_REASSEMBLY_FAILED), id < MOST ? 0 : id + 1 - MOST,
			     "id %u", id);
	}
	cr_expect_eq(rte_mempool_avail_count(pool), MBUFS - MOST);
}

/* No packet comes that would make room. */
Test(net, unfinished_datagrams_are_given_up_when_nothing_comes)
{
	enum { IDS = 200, EACH = 3, TURNS = IDS };
	const uint64_t hz = rte_get_tsc_hz(), now = rte_rdtsc();

	start(IDS);
	for (unsigned int i = 0; i < IDS * EACH; i++) {
		struct frame f = ipv4_fragment(UDP, i / EACH, 8 * (i % EACH), true);
		struct rte_mbuf *m = to_mbuf(&f);

		cr_assert_eq(net_rx_burst(rx, &m, 1, now, got), 0);
	}
	cr_expect_eq(counter(NET_COUNT_REASSEMBLY_FAILED), 0);
	net_rx_expire(rx, now + hz / 1000 * (FRAGMENT_MS - 1));
	cr_expect_eq(rte_mempool_avail_count(pool), MBUFS - IDS * EACH, "in time");
	for (unsigned int i = 0; i < TURNS; i++)
		net_rx_expire(rx, now + hz / 1000 * (2 * FRAGMENT_MS) + i);
	cr_expect_eq(rte_mempool_avail_count(pool), MBUFS);
	cr_expect_eq(counter(NET_COUNT_FRAGMENTS_LATE), IDS * EACH);
	cr_expect_eq(counter(NET_COUNT_REASSEMBLY_FAILED), 0);
}

Test(net, fragments_for_a_port_without_udp_are_refused)
{
	struct frame f = ipv4_fragment(UDP, 1, 0, true);

	ours.udp_port = 0;
	ours.transit = true;
	start(64);
	expect_refused(&f, NET_COUNT_REASSEMBLY_FAILED, "N6 alone");
	cr_expect_eq(rte_mempool_avail_count(pool), MBUFS);
}

/* IPv6, with an extension header of 8 octets in front of UDP. */
static struct frame extended_frame(uint8_t type, const char *extension)
{
	struct frame plain = udp_frame(true, 0), f = {0};
	const size_t l4 = ETHER + 40;

	put(&f, plain.octets, l4);
	put(&f, extension, 8);
	put(&f, plain.octets + l4, plain.n - l4);
	f.octets[ETHER + 6] = type;
	store_be16(f.octets + ETHER + 4, (uint16_t)(f.n - l4));
	return f;
}

/* RFC 6946: a fragment header that says that this is all is no more than an extension header. */
Test(net, atomic_fragment_is_a_whole_packet)
{
	struct frame f = extended_frame(44, "\x11\0\0\0\0\0\0\x01");

	expect_passed(&f, "atomic");
	cr_expect_eq(counter(NET_COUNT_FRAGMENTS), 0);
}

/* The first fragment with an outer tag of the transport's, the second without. */
Test(net, fragments_may_differ_in_their_tags)
{
	struct rte_mbuf *frames[NET_FRAGMENTS_MAX];

	ours.vlan = theirs.vlan = 5;
	theirs.mtu = 1280;
	for (int v6 = 0; v6 < 2; v6++)
		for (unsigned int tagged = 0; tagged < 2; tagged++) {
			cr_assert_eq(send_datagram(v6, 1500, (uint16_t)(1 + tagged), frames), 2);
			struct rte_mbuf *m[2] = {received(frames[0]), received(frames[1])};

			cr_assert_not_null(rte_pktmbuf_prepend(m[tagged], 4));
			uint8_t *p = rte_pktmbuf_mtod(m[tagged], uint8_t *);

			memmove(p, p + 4, 12);
			store_be16(p + 12, 0x88a8);
			store_be16(p + 14, 100);
			cr_expect_eq(feed_mbuf(m[0]), 0);
			expect_whole(feed_mbuf(m[1]), 1500, v6 ? "IPv6" : "IPv4");
		}
}

Test(net, fragment_of_an_unknown_source_is_refused_whatever_it_carries)
{
	struct frame f = ipv4_fragment(UDP, 1, 0, true);

	source_is_known = false;
	expect_refused(&f, NET_COUNT_UNKNOWN_SOURCE, "UDP");
	f = ipv4_fragment(ICMP, 1, 0, true);
	expect_refused(&f, NET_COUNT_UNKNOWN_SOURCE, "ICMP");
	f = ipv4_fragment(200, 1, 0, true);
	expect_refused(&f, NET_COUNT_UNKNOWN_SOURCE, "neither");
	f = (struct frame){0};
	put_ether(&f, 0, TYPE_IPV6);
	put_ipv6(&f, 44, 16, 64);
	put(&f,
	    "\x3a\0\0\x01\0\0\0\x01"
	    "fragment",
	    16);
	expect_refused(&f, NET_COUNT_UNKNOWN_SOURCE, "ICMPv6");
	cr_expect_eq(counter(NET_COUNT_FRAGMENTS), 0);
}

/* Each of a burst's packets ends a datagram of as many fragments as are kept: more mbufs than the
 * library's list of those to be freed holds. */
Test(net, burst_that_ends_many_full_reassemblies_is_survived)
{
	enum { EACH = RTE_LIBRTE_IP_FRAG_MAX_FRAG };
	struct rte_mbuf *burst[NET_BURST];
	struct frame f;

	start(4 * NET_BURST);
	for (unsigned int id = 0; id < NET_BURST; id++)
		for (unsigned int i = 0; i < EACH; i++) {
			/* The second one's place stays empty. */
			f = ipv4_fragment(UDP, id, i == 0 ? 0 : 8 * (i + 1), i + 1 < EACH);
			cr_assert_eq(feed_mbuf(to_mbuf(&f)), 0);
		}
	cr_expect_eq(counter(NET_COUNT_REASSEMBLY_FAILED), 0);
	for (unsigned int id = 0; id < NET_BURST; id++) {
		f = ipv4_fragment(UDP, id, 0, true);
		burst[id] = to_mbuf(&f);
	}
	cr_expect_eq(net_rx_burst(rx, burst, NET_BURST, rte_rdtsc(), got), 0);
	cr_expect_eq(counter(NET_COUNT_REASSEMBLY_FAILED), NET_BURST);
	expect_no_answer();
	cr_expect_eq(rte_mempool_avail_count(pool), MBUFS, "all are free again");
}

Test(net, hostile_fragments_are_survived)
{
	static const unsigned int offsets[] = {0, 8, 16, 1480, 65528};
	uint32_t x = 12345;

	for (unsigned int i = 0; i < 20000; i++) {
		x = x * 1664525 + 1013904223;
		struct frame f = ipv4_fragment(UDP, x >> 30, offsets[(x >> 16) % 5], x >> 12 & 1);

		drop(feed_mbuf(to_mbuf(&f)));
	}
	cr_expect_gt(counter(NET_COUNT_FRAGMENTS), 10000u);
}

/* Also with a NIC that says that every checksum is good, so that changes get further. */
Test(net, no_change_of_any_frame_reads_beyond_it_or_loses_it)
{
	const struct frame kinds[] = {
		udp_frame(false, 0),
		udp_frame(true, 0),
		udp_frame(true, 5),
		arp_frame(1, &ours.ipv4),
		echo_frame(false, 0),
		echo_frame(true, 0),
		nd_frame(135, 255, &ours.ipv6, true),
		nd_frame(136, 255, &theirs.ipv6, true),
		ipv4_fragment(UDP, 1, 0, true),
		ipv4_fragment(UDP, 1, 8, false),
	};
	struct rte_mbuf *answers[NET_BURST];
	uint32_t x = 4711;

	ours.rx_checksum = true;
	for (unsigned int i = 0; i < 40000; i++) {
		struct frame f = kinds[i % (sizeof(kinds) / sizeof(kinds[0]))];
		unsigned int changes = 1 + i / 16 % 3;

		while (changes-- > 0) {
			x = x * 1664525 + 1013904223;
			f.octets[12 + (x >> 8) % (f.n - 12)] = (uint8_t)(x >> 24);
		}
		if (x & 0x10)
			f.n -= (x >> 5) % f.n;
		struct rte_mbuf *m = to_mbuf(&f);
		uint8_t *behind = rte_pktmbuf_mtod_offset(m, uint8_t *, f.n);
		size_t room = rte_pktmbuf_tailroom(m);

		if (x & 0x20)
			m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
		ASAN_POISON_MEMORY_REGION(behind, room);
		drop(feed_mbuf(m));
		ASAN_UNPOISON_MEMORY_REGION(behind, room);
		rte_pktmbuf_free_bulk(answers, net_rx_answers(rx, answers, NET_BURST));
	}
	cr_expect_gt(counter(NET_COUNT_DATAGRAMS), 0u);
	cr_expect_gt(counter(NET_COUNT_ECHO), 0u);
}

Test(net, ipv6_extension_headers_are_walked_within_the_packet)
{
	/* Destination options of 8 octets, padded. */
	struct frame f = extended_frame(60, "\x11\0\x01\x04\0\0\0\0");
	const size_t l4 = ETHER + 40;

	expect_passed(&f, "options");
	f.octets[l4 + 1] = 255;
	expect_refused(&f, NET_COUNT_BAD_IP, "longer than the packet");
	f.n = l4 + 7;
	store_be16(f.octets + ETHER + 4, 7);
	expect_refused(&f, NET_COUNT_BAD_IP, "cut");
}

Test(net, datagram_of_too_many_fragments_is_given_up)
{
	struct rte_mbuf *frames[NET_FRAGMENTS_MAX];

	theirs.mtu = 300;
	cr_expect_eq(send_datagram(false, 3000, 1, frames), 0);
	cr_expect_eq(send_datagram(true, 3000, 1, frames), 0, "below the MTU of any IPv6 link");
}

Test(net, without_mbufs_nothing_is_sent_and_nothing_lost)
{
	struct rte_mbuf *frames[NET_FRAGMENTS_MAX], *all[MBUFS];

	theirs.mtu = 1280;
	cr_assert_eq(rte_pktmbuf_alloc_bulk(references, all, MBUFS), 0);
	cr_expect_eq(send_datagram(false, 2000, 1, frames), 0);
	cr_expect_eq(send_datagram(true, 2000, 1, frames), 0);
	rte_pktmbuf_free_bulk(all, MBUFS);
	cr_assert_eq(rte_pktmbuf_alloc_bulk(pool, all, MBUFS), 0);
	cr_expect_null(net_solicit(&theirs, &theirs.ipv4, &ours.ipv4, pool));
	rte_pktmbuf_free_bulk(all, MBUFS);
}

/* ---------------------------------------------------------------- spreading */

Test(net, flow_is_spread_by_source_and_port_and_read_within_the_packet)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct frame f = udp_frame(v6, 0), other = f, tagged = udp_frame(v6, 5);
		struct rte_mbuf *a = to_mbuf(&f), *b, *c = to_mbuf(&tagged);

		other.octets[ETHER + (v6 ? 40 : 20)]++;
		b = to_mbuf(&other);
		cr_expect_neq(net_flow_hash(a), net_flow_hash(b));
		cr_expect_eq(net_flow_hash(a), net_flow_hash(c));
		rte_pktmbuf_free(b);
		rte_pktmbuf_free(c);
		for (size_t n = f.n; n-- > 0;) {
			uint8_t *end = rte_pktmbuf_mtod_offset(a, uint8_t *, n);

			rte_pktmbuf_trim(a, 1);
			ASAN_POISON_MEMORY_REGION(end, 1);
			(void)net_flow_hash(a);
		}
		ASAN_UNPOISON_MEMORY_REGION(rte_pktmbuf_mtod(a, void *), f.n);
		rte_pktmbuf_free(a);
	}
}

Test(net, fragments_of_one_datagram_take_one_way)
{
	struct frame first = ipv4_fragment(UDP, 1, 0, true), last = ipv4_fragment(UDP, 1, 8, false);
	struct rte_mbuf *a = to_mbuf(&first), *b = to_mbuf(&last);

	cr_expect_eq(net_flow_hash(a), net_flow_hash(b));
	rte_pktmbuf_free(a);
	rte_pktmbuf_free(b);
}

/* ---------------------------------------------------------------- ports */

/* A port whose frames come back, and which, as a NIC, takes no more than it is told to. */
static struct rte_mempool *start_port(const char *name, struct net_if *nif, unsigned int mtu)
{
	struct rte_ring *ring = rte_ring_create(name, 64, SOCKET_ID_ANY, 0);
	struct net_port_config config = {.rx_queues = 1,
					 .tx_queues = 1,
					 .rx_descriptors = 64,
					 .tx_descriptors = 64,
					 .mtu = mtu,
					 .mbufs = 1023};
	char device[64];
	struct rte_mempool *mbufs;
	int code, port;

	snprintf(device, sizeof(device), "net_ring_%s", name);
	config.device = device;
	cr_assert(ring);
	port = rte_eth_from_rings(name, &ring, 1, &ring, 1, 0);
	cr_assert_geq(port, 0);
	cr_assert_eq(rte_eth_promiscuous_disable((uint16_t)port), 0);
	cr_assert_eq(rte_eth_allmulticast_disable((uint16_t)port), 0);
	cr_assert_eq(net_port_start(&config, nif, &mbufs, &code), NET_PORT_OK);
	return mbufs;
}

/* Solicitations go to multicast addresses (RFC 4861 7.2.2), which a NIC leaves out by itself. */
Test(net, port_with_ipv6_hears_multicast)
{
	struct net_if with = {.ipv6 = ours.ipv6}, without = {.ipv4 = ours.ipv4};

	start_port("with", &with, 1500);
	start_port("without", &without, 1500);
	cr_expect_eq(rte_eth_allmulticast_get(with.port_id), 1);
	cr_expect_eq(rte_eth_allmulticast_get(without.port_id), 0);
	cr_expect_eq(rte_eth_promiscuous_get(with.port_id), 0);
	net_port_stop(&with);
	net_port_stop(&without);
}

Test(net, mbuf_holds_the_largest_frame_of_a_port)
{
	struct net_if nif = {.ipv4 = ours.ipv4};
	struct rte_mempool *mbufs = start_port("large", &nif, NET_MTU_MAX);

	cr_expect_eq(nif.mtu, NET_MTU_MAX);
	cr_expect_leq(NET_MTU_MAX + ETHER + 2 * 4 + 4,
		      rte_pktmbuf_data_room_size(mbufs) - RTE_PKTMBUF_HEADROOM, "two tags, CRC");
	net_port_stop(&nif);
}

Test(net, every_counter_has_a_name_of_its_own_and_a_text)
{
	for (unsigned int i = 0; i < NET_COUNTER_N; i++) {
		cr_expect_gt(strlen(net_counter_text(i)), 5u);
		for (unsigned int j = 0; j < i; j++)
			cr_expect_str_neq(net_counter_name(i), net_counter_name(j));
	}
	cr_expect_str_eq(net_counter_name(NET_COUNTER_N), "?");
}
