/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The next hops of all ports: which they are, when they are asked for, who gives way when the table
 * is full, and lcores that meet. Time is a number that tests choose.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <rte_cycles.h>

#include "start_eal.h"
#include "net/net.h"

enum { NIF = 3, CAPACITY = 64 };

static const struct net_if nif = {
	.ipv4 = {.family = 4, .a = {192, 0, 2, 1}},
	.ipv6 = {.family = 6, .a = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
	.ipv4_length = 24,
	.ipv6_length = 64,
	.gateway_ipv4 = {.family = 4, .a = {192, 0, 2, 254}},
	.gateway_ipv6 = {.family = 6, .a = {0xfe, 0x80, [15] = 254}},
	.addresses = 1,
};
static const struct rte_ether_addr mac_a = {{2, 0, 0, 0, 0, 0xa}}, mac_b = {{2, 0, 0, 0, 0, 0xb}};

static struct net_neighbours *table;
static uint64_t now, second;
static struct net_addr hop;
static struct rte_ether_addr mac;
static bool known;

static void setup(void)
{
	start_eal();
	table = net_neighbours_create(CAPACITY, SOCKET_ID_ANY);
	cr_assert_not_null(table);
	second = rte_get_tsc_hz();
	now = 5;
}

static void teardown(void)
{
	net_neighbours_destroy(table);
	rte_eal_cleanup();
}

TestSuite(neighbours, .init = setup, .fini = teardown);

static struct net_addr address(const char *text)
{
	struct net_addr a;

	cr_assert(net_addr_parse(text, &a), "%s", text);
	return a;
}

/* Of nif's IPv6 link, which has room for any number. */
static struct net_addr neighbour(unsigned int i)
{
	struct net_addr a = nif.ipv6;

	store_be32(a.a + 10, i);
	a.a[15] = 2;
	return a;
}

static enum net_hop ask(const struct net_if *port, const struct net_addr *destination)
{
	return net_next_hop(table, port, NIF, destination, now, &hop, &mac, &known);
}

static enum net_hop ask_text(const char *destination)
{
	struct net_addr a = address(destination);

	return ask(&nif, &a);
}

static void expect_hop(const char *destination, const char *wanted)
{
	struct net_addr a = address(wanted);

	cr_expect_neq(ask_text(destination), NET_HOP_NONE, "%s", destination);
	cr_expect(net_addr_equal(&hop, &a), "%s", destination);
}

static bool learn(const char *text, const struct rte_ether_addr *m)
{
	struct net_addr a = address(text);

	return net_neighbours_learn(table, NIF, &a, m, now);
}

/* ---------------------------------------------------------------- which hop */

Test(neighbours, what_is_on_the_link_is_its_own_hop_and_all_else_goes_to_the_gateway)
{
	expect_hop("192.0.2.7", "192.0.2.7");
	expect_hop("192.0.3.7", "192.0.2.254");
	expect_hop("198.51.100.1", "192.0.2.254");
	expect_hop("2001:db8::7", "2001:db8::7");
	expect_hop("2001:db8:0:1::7", "fe80::fe");
	expect_hop("fe80::1234", "fe80::1234");
}

Test(neighbours, prefix_of_every_length_is_compared_to_the_bit)
{
	for (unsigned int length = 1; length <= 128; length++)
		for (unsigned int bit = 0; bit < 128; bit++) {
			struct net_addr a = nif.ipv6;

			a.a[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
			cr_assert_eq(net_prefix_has(&nif.ipv6, length, &a), bit >= length,
				     "bit %u of /%u", bit, length);
		}
	cr_expect_not(net_prefix_has(&nif.ipv6, 0, &nif.ipv4), "another family");
}

Test(neighbours, without_a_gateway_or_an_address_there_is_no_route)
{
	struct net_addr v4 = address("198.51.100.1"), v6 = address("2001:db8:1::1");
	struct net_if port = nif;

	port.gateway_ipv4.family = 0;
	port.gateway_ipv6.family = 0;
	cr_expect_eq(ask(&port, &v4), NET_HOP_NONE);
	cr_expect_eq(ask(&port, &v6), NET_HOP_NONE);
	port.ipv4_length = 0;
	cr_expect_eq(ask(&port, &v4), NET_HOP_ASK, "all is on the link");
	port = (struct net_if){.addresses = 1};
	cr_expect_eq(ask(&port, &v4), NET_HOP_NONE, "no address");
	v6 = address("fe80::1");
	cr_expect_eq(ask(&port, &v6), NET_HOP_NONE, "no IPv6");
}

Test(neighbours, our_own_address_is_no_hop)
{
	cr_expect_eq(ask_text("192.0.2.1"), NET_HOP_NONE);
	cr_expect_eq(ask_text("2001:db8::1"), NET_HOP_NONE);
	cr_expect_not(known);
}

/* ---------------------------------------------------------------- asking */

Test(neighbours, unknown_hop_is_asked_for_once_a_second_until_it_answers)
{
	cr_expect_eq(ask_text("192.0.2.7"), NET_HOP_ASK);
	cr_expect_not(known);
	for (unsigned int i = 0; i < 5; i++) {
		cr_expect_eq(ask_text("192.0.2.7"), NET_HOP_WAIT);
		now += second;
		cr_expect_eq(ask_text("192.0.2.7"), NET_HOP_WAIT);
		now++;
		cr_expect_eq(ask_text("192.0.2.7"), NET_HOP_ASK);
		cr_expect_not(known);
	}
	cr_assert(learn("192.0.2.7", &mac_a));
	cr_expect_eq(ask_text("192.0.2.7"), NET_HOP_KNOWN);
	cr_expect(known);
	cr_expect(rte_is_same_ether_addr(&mac, &mac_a));
}

Test(neighbours, hop_that_is_used_is_asked_again_after_half_a_minute_and_stays_known)
{
	cr_assert(learn("192.0.2.254", &mac_a));
	for (unsigned int i = 0; i < 30; i++, now += second)
		cr_assert_eq(ask_text("198.51.100.1"), NET_HOP_KNOWN, "after %u s", i);
	now++;
	for (unsigned int i = 0; i < 100; i++, now += second + 1) {
		cr_assert_eq(ask_text("198.51.100.1"), NET_HOP_ASK, "unanswered, %u s", i);
		cr_assert(known);
		cr_assert(rte_is_same_ether_addr(&mac, &mac_a));
		cr_assert_eq(ask_text("198.51.100.1"), NET_HOP_KNOWN, "asked in this second");
		cr_assert(known);
	}
	cr_assert(learn("192.0.2.254", &mac_a));
	cr_expect_eq(ask_text("198.51.100.1"), NET_HOP_KNOWN, "confirmed");
}

Test(neighbours, mac_that_changes_is_taken)
{
	cr_assert(learn("192.0.2.7", &mac_a));
	cr_assert(learn("192.0.2.7", &mac_b));
	cr_expect_eq(ask_text("192.0.2.7"), NET_HOP_KNOWN);
	cr_expect(rte_is_same_ether_addr(&mac, &mac_b));
}

Test(neighbours, ports_and_families_do_not_mix)
{
	struct net_addr v4 = address("32.1.13.184"), v6 = address("2001:db8::");

	cr_assert(net_neighbours_learn(table, NIF, &v6, &mac_a, now));
	cr_assert(net_neighbours_learn(table, NIF + 1, &v4, &mac_a, now));
	struct net_if port = nif;

	port.ipv4_length = 0;
	cr_expect_eq(ask(&port, &v4), NET_HOP_ASK, "the same octets");
	cr_expect_eq(ask(&port, &v6), NET_HOP_KNOWN);
}

Test(neighbours, mac_of_all_zeros_is_one)
{
	const struct rte_ether_addr zero = {{0}};

	cr_assert(learn("192.0.2.7", &zero));
	cr_expect_eq(ask_text("192.0.2.7"), NET_HOP_KNOWN);
	cr_expect(rte_is_same_ether_addr(&mac, &zero));
}

/* ---------------------------------------------------------------- the full table */

/* Until nothing more fits: every window is full. Gives how many did. */
static unsigned int flood(unsigned int first)
{
	unsigned int taken = 0;

	for (unsigned int i = 0; i < 100 * CAPACITY; i++) {
		struct net_addr a = neighbour(first + i);

		taken += net_neighbours_learn(table, NIF, &a, &mac_b, now);
	}
	return taken;
}

Test(neighbours, as_many_as_were_asked_for_find_room)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < CAPACITY; i++) {
		struct net_addr a = neighbour(i);

		found += net_neighbours_learn(table, NIF, &a, &mac_a, now) &&
			 ask(&nif, &a) == NET_HOP_KNOWN;
	}
	cr_expect_geq(found, CAPACITY - 2, "but for a window that is crowded by chance");
}

Test(neighbours, flood_takes_what_is_free_and_nobody_else_s_place)
{
	cr_assert(learn("192.0.2.254", &mac_a));
	cr_assert_eq(ask_text("198.51.100.1"), NET_HOP_KNOWN);
	unsigned int taken = flood(1000);

	cr_expect_lt(taken, 3 * CAPACITY, "it is finite");
	cr_expect_eq(flood(100000), 0, "heard of within a minute");
	cr_expect_eq(ask_text("198.51.100.1"), NET_HOP_KNOWN);
	cr_expect(rte_is_same_ether_addr(&mac, &mac_a));
	now += 61 * second;
	cr_expect_gt(flood(200000), 0, "those of a minute ago give way");
}

Test(neighbours, hop_in_use_outlives_every_flood)
{
	cr_assert(learn("192.0.2.254", &mac_a));
	for (unsigned int minute = 0; minute < 10; minute++) {
		cr_assert_neq(ask_text("198.51.100.1"), NET_HOP_NONE);
		cr_assert(known, "minute %u", minute);
		flood(1000000 * minute);
		now += 59 * second;
	}
}

Test(neighbours, next_hop_takes_the_place_of_one_that_nobody_uses)
{
	flood(1000);
	for (unsigned int i = 0; i < 4; i++) {
		struct net_addr a = neighbour(500000 + i);

		cr_expect_eq(ask(&nif, &a), NET_HOP_ASK);
		cr_expect(net_neighbours_learn(table, NIF, &a, &mac_a, now));
		cr_expect_eq(ask(&nif, &a), NET_HOP_KNOWN);
	}
}

Test(neighbours, table_full_of_hops_in_use_refuses_and_those_without_an_answer_give_way)
{
	struct net_addr last = neighbour(999999);
	unsigned int asked = 0;

	for (unsigned int i = 0; i < 100 * CAPACITY; i++) {
		struct net_addr a = neighbour(i);

		asked += ask(&nif, &a) == NET_HOP_ASK;
	}
	cr_expect_lt(asked, 3 * CAPACITY);
	cr_expect_eq(ask(&nif, &last), NET_HOP_WAIT, "no room");
	cr_expect_not(known);
	cr_expect_not(net_neighbours_learn(table, NIF, &last, &mac_a, now), "no room");
	now += 3 * second + 1;
	cr_expect_eq(ask(&nif, &last), NET_HOP_ASK);
}

/* ---------------------------------------------------------------- lcores that meet */

enum { TURNS = 20000, SHARED = 4 };

static atomic_uint asked_by_all;

static struct rte_ether_addr mac_of(unsigned int address_number, unsigned int writer)
{
	return (struct rte_ether_addr){{2, (uint8_t)address_number, (uint8_t)writer,
					(uint8_t)writer, (uint8_t)writer, (uint8_t)writer}};
}

static void *learn_many(void *writer)
{
	for (unsigned int i = 0; i < TURNS; i++) {
		struct net_addr a = neighbour(i % SHARED);
		struct rte_ether_addr m = mac_of(i % SHARED, 1 + i % 2 + (writer ? 2 : 0));

		net_neighbours_learn(table, NIF, &a, &m, now);
		/* Others come and go in the same windows. */
		a = neighbour(1000 + i);
		m = mac_of(255, 0);
		net_neighbours_learn(table, NIF, &a, &m, now + i % 2 * 100 * second);
		if (i % 64 == 0)
			sched_yield();
	}
	return NULL;
}

Test(neighbours, mac_is_never_a_mix_of_two_nor_another_s)
{
	pthread_t writers[2];
	unsigned int found = 0;

	for (unsigned int i = 0; i < SHARED; i++) {
		struct net_addr a = neighbour(i);
		struct rte_ether_addr m = mac_of(i, 0);

		cr_assert(net_neighbours_learn(table, NIF, &a, &m, now));
		cr_assert_eq(ask(&nif, &a), NET_HOP_KNOWN);
	}
	for (unsigned int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&writers[i], NULL, learn_many, i ? &table : NULL), 0);
	for (unsigned int i = 0; i < 4 * TURNS; i++) {
		struct net_addr a = neighbour(i % SHARED);

		ask(&nif, &a);
		if (!known)
			continue;
		found++;
		cr_assert_eq(mac.addr_bytes[1], i % SHARED);
		for (unsigned int j = 3; j < 6; j++)
			cr_assert_eq(mac.addr_bytes[j], mac.addr_bytes[2]);
	}
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(writers[i], NULL);
	cr_expect_gt(found, 0u);
}

static void *ask_many(void *arg)
{
	struct net_addr a = neighbour(1), h;
	struct rte_ether_addr m;
	bool k;

	(void)arg;
	for (unsigned int i = 0; i < TURNS; i++)
		if (net_next_hop(table, &nif, NIF, &a, now, &h, &m, &k) == NET_HOP_ASK)
			atomic_fetch_add(&asked_by_all, 1);
	return NULL;
}

Test(neighbours, of_all_lcores_one_asks)
{
	for (unsigned int round = 0; round < 5; round++) {
		pthread_t askers[2];

		atomic_store(&asked_by_all, 0);
		for (unsigned int i = 0; i < 2; i++)
			cr_assert_eq(pthread_create(&askers[i], NULL, ask_many, NULL), 0);
		for (unsigned int i = 0; i < 2; i++)
			pthread_join(askers[i], NULL);
		cr_expect_eq(atomic_load(&asked_by_all), 1);
		now += second + 1;
	}
}
