/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From frames to datagrams and back. Frames are put together here, octet by octet and with a
 * checksum of their own; every test also counts the mbufs: none may be lost, whatever came in.
 * Under AddressSanitizer the octets behind a frame are poisoned.
 */
#include <criterion/criterion.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ip_frag.h>
#include <sanitizer/asan_interface.h>

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

static bool known_source(void *arg, const struct net_addr *source)
{
	(void)arg;
	(void)source;
	return source_is_known;
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
		.known_source = known_source,
	};

	net_rx_destroy(rx);
	rx = net_rx_create(&config);
	cr_assert_not_null(rx);
}

static void setup(void)
{
	static char arguments[][16] = {"test", "--no-huge",	"-m", "128", "--no-pci", "--no-shconf",
				       "-l",   "0", "--log-level", "4",	  "--no-telemetry"};
	enum { N = sizeof(arguments) / sizeof(arguments[0]) };
	char *argv[N + 1] = {NULL};

	for (int i = 0; i < N; i++)
		argv[i] = arguments[i];
	cr_assert_geq(rte_eal_init(N, argv), 0);
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
		cr_expect(span_equal(got[0].payload, span_make(PAYLOAD, PAYLOAD_N)), "%s", what);
	drop(n);
}

static void expect_refused(const struct frame *f, enum net_counter why, const char *what)
{
	uint64_t before = counter(why);
	unsigned int n = feed(f);

	cr_expect_eq(n, 0, "%s", what);
	cr_expect_eq(counter(why), before + 1, "%s: not counted as %s", what, net_counter_name(why));
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
		store_be16(good.octets + ETHER + 26, 0);	    /* no checksum */
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
