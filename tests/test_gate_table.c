/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sessions by TEID and by UE address, from their opening to their end, and read while they change.
 */
#include <criterion/criterion.h>
#include <pthread.h>

#include "start_eal.h"
#include "gate/internal.h"

enum {
	SHARDS = 2,
	CAPACITY = 16,
	FIRST_IPV4 = 0x0a000000,
	N_IPV4 = 20,
	N_PREFIXES = 10,
	ROUNDS = 200000,
};
#define FIRST_PREFIX UINT64_C(0x20010db800010000)

static struct gate_table *t;

static void setup(void)
{
	start_eal();
	t = gate_table_create(&(struct gate_table_config){.n_shards = SHARDS,
							  .capacity = CAPACITY,
							  .first_ipv4 = FIRST_IPV4,
							  .n_ipv4 = N_IPV4,
							  .first_prefix = FIRST_PREFIX,
							  .n_prefixes = N_PREFIXES,
							  .numa_node = SOCKET_ID_ANY});
	cr_assert_not_null(t);
}

static void teardown(void)
{
	gate_table_destroy(t);
	rte_eal_cleanup();
}

TestSuite(gate_table, .init = setup, .fini = teardown);

static struct gate_session session(uint32_t number)
{
	return (struct gate_session){.an = (uint16_t)(number % 3),
				     .an_addr = {.family = 4, .a = {192, 0, 2, 100}},
				     .an_teid = 1000 + number,
				     .ipv4 = FIRST_IPV4 + number};
}

static bool open_session(unsigned int shard, uint32_t slot, uint32_t number)
{
	struct gate_session s = session(number);

	return gate_table_open(t, shard, slot, &s);
}

/* As a gate looks it up; false: there is none. */
static bool by_teid(uint32_t teid, struct gate_session *s)
{
	uint32_t row = gate_row_of_teid(teid), has;

	return row < t->n_rows && gate_row_read(&t->rows[row], &has, s) == GATE_ROW_OPEN &&
	       has == teid;
}

static uint32_t row_at(const _Atomic uint32_t *places, uint32_t i)
{
	return atomic_load(&places[i]);
}

Test(gate_table, no_teid_is_zero_and_none_is_another_sessions)
{
	for (unsigned int shard = 0; shard < SHARDS; shard++)
		for (uint32_t slot = 0; slot < CAPACITY; slot++) {
			uint32_t teid = gate_table_teid(t, shard, slot);

			cr_expect_neq(teid, 0);
			cr_expect_eq(gate_row_of_teid(teid), shard * CAPACITY + slot);
		}
}

/* After a restart, a tunnel of the run before leads to another's session by a rare chance alone. */
Test(gate_table, a_table_begins_with_other_teids_than_the_one_before)
{
	struct gate_table *next = gate_table_create(&t->config);
	unsigned int same = 0;

	cr_assert_not_null(next);
	for (uint32_t i = 0; i < t->n_rows; i++)
		same += next->rows[i].teid == t->rows[i].teid;
	cr_expect_lt(same, t->n_rows / 2);
	gate_table_destroy(next);
}

Test(gate_table, the_teid_of_the_next_session_is_told_before)
{
	uint32_t teid = gate_table_teid(t, 1, 3);
	struct gate_session s;

	cr_expect_not(by_teid(teid, &s));
	cr_assert(open_session(1, 3, 5));
	cr_expect_eq(gate_table_teid(t, 1, 3), teid);
	cr_assert(by_teid(teid, &s));
	cr_expect_eq(s.ipv4, FIRST_IPV4 + 5);
	cr_expect_eq(row_at(t->by_ipv4, 5), CAPACITY + 3 + 1);
}

Test(gate_table, a_closed_session_is_gone_and_its_slot_has_another_teid)
{
	uint32_t teid = gate_table_teid(t, 0, 0);
	struct gate_session s;
	struct gate_usage usage;

	cr_assert(open_session(0, 0, 1));
	gate_table_close(t, 0, 0);
	cr_expect_not(by_teid(teid, &s));
	cr_expect_neq(gate_table_teid(t, 0, 0), teid);
	cr_expect_eq(row_at(t->by_ipv4, 1), 0);
	cr_expect_not(gate_table_usage(t, 0, 0, &usage));
	cr_assert(open_session(0, 0, 1));
	cr_expect_not(by_teid(teid, &s), "the old TEID is the new session's");
}

Test(gate_table, closing_what_is_closed_changes_nothing)
{
	uint32_t teid = gate_table_teid(t, 0, 0);

	gate_table_close(t, 0, 0);
	cr_expect_eq(gate_table_teid(t, 0, 0), teid);
	cr_expect_eq(gate_table_sessions(t), 0);
}

Test(gate_table, a_generation_that_wraps_gives_no_teid_zero)
{
	uint32_t first = gate_table_teid(t, 0, 0);

	for (unsigned int i = 0; i < 255; i++) {
		cr_assert_neq(gate_table_teid(t, 0, 0), 0);
		cr_assert(open_session(0, 0, 0));
		gate_table_close(t, 0, 0);
		cr_assert_eq(gate_table_teid(t, 0, 0) == first, i == 254, "%u", i);
	}
}

Test(gate_table, an_address_belongs_to_one_session)
{
	cr_assert(open_session(0, 0, 4));
	cr_expect_not(open_session(0, 1, 4));
	cr_expect_not(open_session(1, 0, 4));
	cr_expect_eq(gate_table_sessions(t), 1);
	gate_table_close(t, 0, 0);
	cr_expect(open_session(1, 0, 4));
}

Test(gate_table, an_address_beside_the_pools_is_refused)
{
	struct gate_session s = session(0);

	s.ipv4 = FIRST_IPV4 + N_IPV4;
	cr_expect_not(gate_table_open(t, 0, 0, &s));
	s.ipv4 = FIRST_IPV4 - 1;
	cr_expect_not(gate_table_open(t, 0, 0, &s));
	s.ipv4 = 0;
	cr_expect_not(gate_table_open(t, 0, 0, &s), "no address at all");
	s.ipv6_prefix = FIRST_PREFIX + N_PREFIXES;
	cr_expect_not(gate_table_open(t, 0, 0, &s));
	s.ipv6_prefix = FIRST_PREFIX + N_PREFIXES - 1;
	cr_expect(gate_table_open(t, 0, 0, &s));
}

Test(gate_table, a_refused_session_takes_no_address_with_it)
{
	struct gate_session s = session(2);

	s.ipv6_prefix = FIRST_PREFIX + N_PREFIXES;
	cr_expect_not(gate_table_open(t, 0, 0, &s));
	cr_expect_eq(row_at(t->by_ipv4, 2), 0);
	cr_expect(open_session(0, 1, 2));
}

Test(gate_table, an_open_session_may_change_all_but_its_teid)
{
	uint32_t teid = gate_table_teid(t, 0, 0);
	struct gate_session s = session(2);

	s.ipv6_prefix = FIRST_PREFIX;
	cr_assert(gate_table_open(t, 0, 0, &s));
	s = session(3);
	s.an_teid = 9;
	cr_assert(gate_table_open(t, 0, 0, &s));
	cr_assert(by_teid(teid, &s));
	cr_expect_eq(s.ipv4, FIRST_IPV4 + 3);
	cr_expect_eq(row_at(t->by_ipv4, 2), 0);
	cr_expect_eq(row_at(t->by_ipv4, 3), 1);
	cr_expect_eq(row_at(t->by_prefix, 0), 0);
	cr_expect_eq(gate_table_find(t, 0, 9), teid);
	cr_expect_eq(gate_table_find(t, 2, 1002), 0);
	cr_expect_eq(gate_table_sessions(t), 1);
}

Test(gate_table, a_change_that_is_refused_leaves_the_session_as_it_was)
{
	struct gate_session s = session(2);

	s.ipv6_prefix = FIRST_PREFIX;
	cr_assert(gate_table_open(t, 0, 0, &s));
	cr_assert(open_session(0, 1, 3));
	s.ipv4 = FIRST_IPV4 + 3;
	cr_expect_not(gate_table_open(t, 0, 0, &s));
	cr_expect_eq(row_at(t->by_ipv4, 2), 1);
	cr_expect_eq(row_at(t->by_ipv4, 3), 2);
	cr_expect_eq(row_at(t->by_prefix, 0), 1);
	cr_assert(by_teid(gate_table_teid(t, 0, 0), &s));
	cr_expect_eq(s.ipv4, FIRST_IPV4 + 2);
}

Test(gate_table, a_session_is_found_by_its_access_nodes_teid)
{
	for (uint32_t i = 0; i < CAPACITY; i++)
		cr_assert(open_session(i % SHARDS, i, i));
	for (uint32_t i = 0; i < CAPACITY; i++) {
		cr_expect_eq(gate_table_find(t, (uint16_t)(i % 3), 1000 + i),
			     gate_table_teid(t, i % SHARDS, i));
		cr_expect_eq(gate_table_find(t, (uint16_t)((i + 1) % 3), 1000 + i), 0,
			     "another access node's");
	}
	for (uint32_t i = 0; i < CAPACITY; i += 2)
		gate_table_close(t, i % SHARDS, i);
	for (uint32_t i = 0; i < CAPACITY; i++)
		cr_expect_eq(gate_table_find(t, (uint16_t)(i % 3), 1000 + i) != 0, i % 2 == 1);
}

/* It is what sessions have until their access node answers. */
Test(gate_table, teid_0_is_no_access_nodes)
{
	struct gate_session s = session(0);

	s.an_teid = 0;
	cr_assert(gate_table_open(t, 0, 0, &s));
	cr_expect_eq(gate_table_find(t, s.an, 0), 0);
}

/* An access node may give all its sessions one TEID: chains as long as there are sessions. */
Test(gate_table, one_teid_for_all_sessions_costs_only_the_look)
{
	struct gate_session s;

	for (uint32_t i = 0; i < CAPACITY; i++) {
		s = session(i);
		s.an = 1;
		s.an_teid = 7;
		cr_assert(gate_table_open(t, 0, i, &s));
	}
	cr_expect_neq(gate_table_find(t, 1, 7), 0);
	for (uint32_t i = 0; i < CAPACITY; i++)
		gate_table_close(t, 0, (i * 5) % CAPACITY);
	cr_expect_eq(gate_table_find(t, 1, 7), 0);
	cr_expect_eq(gate_table_sessions(t), 0);
}

Test(gate_table, usage_is_of_this_session_alone)
{
	struct gate_usage usage;

	cr_assert(open_session(0, 0, 0));
	atomic_store(&t->rows[0].meter.uplink_packets, 3);
	atomic_store(&t->rows[0].meter.downlink_octets, 500);
	atomic_store(&t->rows[0].meter.last_tsc, UINT64_MAX);
	cr_assert(gate_table_usage(t, 0, 0, &usage));
	cr_expect(usage.uplink_packets == 3 && usage.downlink_octets == 500);
	cr_expect_eq(usage.last_tsc, UINT64_MAX);
	atomic_store(&t->rows[0].meter.last_tsc, 1);
	gate_table_close(t, 0, 0);
	cr_assert(open_session(0, 0, 0));
	cr_assert(gate_table_usage(t, 0, 0, &usage));
	cr_expect(usage.uplink_packets == 0 && usage.downlink_octets == 0);
	cr_expect_eq(usage.last_tsc, 0, "that was the session before");
}

Test(gate_table, a_row_is_two_cache_lines)
{
	cr_expect_eq(sizeof(struct gate_row), 2 * RTE_CACHE_LINE_SIZE);
	cr_expect_geq(gate_table_octets_per_session(), sizeof(struct gate_row));
}

/* ---------------------------------------------------------------- readers beside the writer */

static atomic_bool finished;
static atomic_uint_fast64_t seen;

/* Every session that is ever opened here says the same number everywhere. */
static bool agrees(const struct gate_session *s)
{
	uint32_t number = s->ipv4 - FIRST_IPV4;

	return s->an_teid == 1000 + number && s->an == number % 3 && s->interface_id == number &&
	       s->an_addr.a[0] == 192;
}

static void *read_sessions(void *arg)
{
	uint64_t wrong = 0;

	(void)arg;
	while (!atomic_load(&finished)) {
		for (uint32_t i = 0; i < N_IPV4; i++) {
			uint32_t row = row_at(t->by_ipv4, i), teid;
			struct gate_session s;

			if (!row || gate_row_read(&t->rows[row - 1], &teid, &s) != GATE_ROW_OPEN)
				continue;
			wrong += !agrees(&s) || gate_row_of_teid(teid) != row - 1;
			atomic_fetch_add(&seen, 1);
		}
		wrong += gate_table_find(t, 0, 1) != 0;
		for (uint32_t i = 0; i < N_IPV4; i++)
			gate_table_find(t, (uint16_t)(i % 3), 1000 + i);
	}
	return (void *)(uintptr_t)wrong;
}

Test(gate_table, a_reader_never_sees_half_a_session)
{
	pthread_t reader;
	void *wrong;

	cr_assert_eq(pthread_create(&reader, NULL, read_sessions, NULL), 0);
	/* On one CPU the reader has its turns only now and then. */
	for (uint32_t i = 0; i < ROUNDS || atomic_load(&seen) < 1000; i++) {
		uint32_t slot = i % CAPACITY, number = (i * 7) % N_IPV4;
		struct gate_session s = session(number);

		s.interface_id = number;
		gate_table_open(t, 0, slot, &s);
		if (i % 3 == 0)
			gate_table_close(t, 0, (slot * 5) % CAPACITY);
	}
	atomic_store(&finished, true);
	cr_assert_eq(pthread_join(reader, &wrong), 0);
	cr_expect_eq((uintptr_t)wrong, 0);
}
