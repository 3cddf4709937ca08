/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The contexts of one shard: slots and their ids, the EID and RAND_UE indexes, the timer wheel, and
 * what a worker sees of a context that is being written.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>

#include "start_eal.h"
#include "au/ue_table.h"

enum { SHARD = 3, CAPACITY = 64, HALF_OPEN = 16, REPLAY = 100, ROUND = 4096 };
#define START UINT64_C(1000000)

static struct ue_table *table;

static struct ue_table *create(unsigned int capacity)
{
	const struct ue_table_config config = {
		.shard = SHARD,
		.capacity = capacity,
		.max_half_open = HALF_OPEN,
		.ticks_now = START,
		.replay_ticks = REPLAY,
		.numa_node = -1,
	};
	struct ue_table *t = ue_table_create(&config);

	cr_assert_not_null(t);
	return t;
}

static void setup(void)
{
	start_eal();
	table = create(CAPACITY);
}

static void teardown(void)
{
	ue_table_destroy(table);
	rte_eal_cleanup();
}

TestSuite(ue_table, .init = setup, .fini = teardown);

static struct ue *take(struct ue_table *t, enum ue_state state)
{
	struct ue *ue = ue_table_allocate(t);

	cr_assert_not_null(ue);
	ue_table_write_begin(ue);
	ue_table_set_state(t, ue, state);
	ue_table_write_end(ue);
	return ue;
}

static struct ue *take_with_eid(struct ue_table *t, uint32_t number)
{
	struct ue *ue = take(t, UE_ATTACHED);

	memset(ue->eid, 0x89, sizeof(ue->eid));
	store_be32(ue->eid + 12, number);
	return ue;
}

/* ---------------------------------------------------------------- slots and ids */

Test(ue_table, full_table_gives_nothing_until_one_is_released)
{
	struct ue *all[CAPACITY];

	for (unsigned int i = 0; i < CAPACITY; i++)
		all[i] = take(table, UE_ATTACHED);
	cr_expect_eq(ue_table_count(table, UE_FREE), 0);
	cr_assert_null(ue_table_allocate(table));
	ue_table_release(table, all[17]);
	cr_expect_eq(ue_table_count(table, UE_FREE), 1);
	cr_expect_eq(ue_table_allocate(table), all[17]);
	cr_expect_null(ue_table_allocate(table));
}

Test(ue_table, id_leads_to_its_context_and_no_other)
{
	struct ue *ue = take(table, UE_AUTHENTICATION);
	uint64_t id = ue_table_id(table, ue);

	cr_expect_eq(ue_table_find(table, id), ue);
	cr_expect_eq(ue_id_shard(id), SHARD);
	cr_expect_eq(ue_id_slot(id), ue_table_slot_of(table, ue));
	cr_expect_null(ue_table_find(table, id ^ 1), "another generation");
	cr_expect_null(ue_table_find(table, id + (UINT64_C(1) << UE_ID_SLOT_SHIFT)), "a free slot");
	cr_expect_null(ue_table_find(table, id ^ UINT64_C(1) << UE_ID_SHARD_SHIFT),
		       "another shard");
	cr_expect_null(ue_table_find(table, ue_id_make(SHARD, CAPACITY, ue->generation)));
	cr_expect_null(ue_table_find(table, ue_id_make(SHARD, UINT32_MAX, ue->generation)));
}

Test(ue_table, released_id_is_dead_also_when_its_slot_lives_again)
{
	struct ue_table *one = create(1);
	struct ue *ue = take(one, UE_ATTACHED);
	uint64_t id = ue_table_id(one, ue);
	uint32_t tmsi = ue_table_tmsi(one, ue);
	struct ue_view view;

	ue_table_release(one, ue);
	cr_expect_null(ue_table_find(one, id));
	cr_expect_null(ue_table_slot(one, 0));
	memset(&view, 0xa5, sizeof(view));
	cr_expect_not(ue_table_read(one, id, &view));
	for (size_t i = 0; i < sizeof(view); i++)
		cr_assert_eq(((const uint8_t *)&view)[i], 0, "what another has, perhaps");
	cr_assert_eq(take(one, UE_ATTACHED), ue);
	cr_expect_neq(ue_table_id(one, ue), id);
	cr_expect_neq(ue_table_tmsi(one, ue), tmsi);
	cr_expect_null(ue_table_find(one, id));
	cr_expect_not(ue_table_read(one, id, &view));
	cr_expect_eq(ue_table_slot(one, 0), ue);
	ue_table_destroy(one);
}

Test(ue_table, slot_is_used_again_as_late_as_possible)
{
	struct ue *first = take(table, UE_ATTACHED);

	ue_table_release(table, first);
	for (unsigned int i = 1; i < CAPACITY; i++)
		cr_expect_neq(ue_table_allocate(table), first);
	cr_expect_eq(ue_table_allocate(table), first);
}

Test(ue_table, release_wipes_the_secrets)
{
	static const struct ue_half_open nothing;
	struct ue *ue = take(table, UE_AUTHENTICATION);

	memset(&ue->half_open, 0xa5, sizeof(ue->half_open));
	ue_table_release(table, ue);
	cr_expect_arr_eq(&ue->half_open, &nothing, sizeof(nothing));
	ue = take(table, UE_ATTACHED);
	memset(&ue->secured, 0xa5, sizeof(ue->secured));
	ue_table_release(table, ue);
	for (size_t i = 0; i < sizeof(ue->secured); i++)
		cr_assert_eq(((const uint8_t *)&ue->secured)[i], 0, "octet %zu", i);
}

Test(ue_table, states_are_counted_and_bound_the_room)
{
	struct ue *ue = NULL;

	cr_expect_eq(ue_table_room(table), HALF_OPEN);
	for (unsigned int i = 0; i < HALF_OPEN; i++)
		ue = take(table, UE_AUTHENTICATION);
	cr_expect_eq(ue_table_room(table), 0);
	ue_table_write_begin(ue);
	ue_table_set_state(table, ue, UE_SECURITY_MODE);
	ue_table_write_end(ue);
	cr_expect_eq(ue_table_room(table), 1);
	cr_expect_eq(ue_table_count(table, UE_AUTHENTICATION), HALF_OPEN - 1);
	cr_expect_eq(ue_table_count(table, UE_SECURITY_MODE), 1);
	while (ue_table_count(table, UE_FREE) > 0)
		take(table, UE_ATTACHED);
	cr_expect_eq(ue_table_room(table), 0);
}

Test(ue_table, walk_meets_every_context_in_use_once)
{
	bool met[CAPACITY] = {false};
	uint32_t slot = 0;
	unsigned int n = 0;

	for (unsigned int i = 0; i < CAPACITY; i++)
		take(table, UE_ATTACHED);
	for (uint32_t i = 0; i < CAPACITY; i += 3)
		ue_table_release(table, ue_table_slot(table, i));
	for (struct ue *ue; (ue = ue_table_next(table, &slot)); n++) {
		cr_expect_not(met[ue_table_slot_of(table, ue)]);
		met[ue_table_slot_of(table, ue)] = true;
	}
	cr_expect_eq(n, CAPACITY - (CAPACITY + 2) / 3);
	cr_expect_not(met[0]);
}

Test(ue_table, every_state_has_a_name)
{
	for (unsigned int i = 0; i < UE_STATE_N; i++)
		cr_expect_gt(strlen(ue_state_name((enum ue_state)i)), 3u);
	cr_expect_str_eq(ue_state_name(UE_STATE_N), "?");
}

/* ---------------------------------------------------------------- EID index */

/* As many EIDs as buckets: some chains are longer than one. */
Test(ue_table, eid_is_found_from_indexing_to_release)
{
	struct ue *all[CAPACITY];

	for (uint32_t i = 0; i < CAPACITY; i++) {
		all[i] = take_with_eid(table, i);
		cr_expect_null(ue_table_find_eid(table, all[i]->eid));
		ue_table_index_eid(table, all[i]);
	}
	for (uint32_t i = 0; i < CAPACITY; i++)
		cr_expect_eq(ue_table_find_eid(table, all[i]->eid), all[i]);
	for (uint32_t i = 0; i < CAPACITY; i += 2)
		ue_table_release(table, all[i]);
	for (uint32_t i = 0; i < CAPACITY; i++)
		cr_expect_eq(ue_table_find_eid(table, all[i]->eid), i % 2 ? all[i] : NULL, "%u", i);
	for (uint32_t i = 1; i < CAPACITY; i += 2)
		ue_table_release(table, all[i]);
	for (uint32_t i = 0; i < CAPACITY; i++) {
		cr_expect_null(ue_table_find_eid(table, all[i]->eid));
		cr_expect_not_null(ue_table_allocate(table), "the free list is whole");
	}
}

Test(ue_table, chain_of_one_bucket_loses_only_what_is_released)
{
	static const unsigned int order[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}};

	for (size_t o = 0; o < sizeof(order) / sizeof(order[0]); o++) {
		/* Three contexts in four buckets, each table with a hash of its own: all shapes of
		 * chain come up. */
		for (unsigned int round = 0; round < 32; round++) {
			struct ue_table *t = create(3);
			struct ue *ues[3];

			for (uint32_t i = 0; i < 3; i++) {
				ues[i] = take_with_eid(t, i);
				ue_table_index_eid(t, ues[i]);
			}
			for (unsigned int i = 0; i < 3; i++) {
				ue_table_release(t, ues[order[o][i]]);
				for (unsigned int j = 0; j < 3; j++)
					cr_assert_eq(ue_table_find_eid(t, ues[order[o][j]]->eid),
						     j > i ? ues[order[o][j]] : NULL);
			}
			ue_table_destroy(t);
		}
	}
}

/* ---------------------------------------------------------------- RAND_UE index */

static void set_rand(struct ue *ue, uint8_t value)
{
	memset(ue->rand_ue, value, sizeof(ue->rand_ue));
}

Test(ue_table, rand_ue_is_remembered_for_the_replay_time)
{
	struct ue *ue = take_with_eid(table, 1);
	uint32_t slot = ue_table_slot_of(table, ue);

	set_rand(ue, 0x11);
	cr_expect_not(ue_table_rand_seen(table, ue->rand_ue, ue->eid, START));
	ue_table_remember_rand(table, ue, START);
	cr_expect(ue_table_rand_seen(table, ue->rand_ue, ue->eid, START));
	cr_expect_eq(ue_table_find_rand(table, ue->rand_ue, ue->eid, START), slot);
	cr_expect_eq(ue_table_find_rand(table, ue->rand_ue, ue->eid, START + REPLAY - 1), slot);
	cr_expect(ue_table_rand_seen(table, ue->rand_ue, ue->eid, START + REPLAY - 1));
	cr_expect_eq(ue_table_find_rand(table, ue->rand_ue, ue->eid, START + REPLAY), UE_NONE);
	cr_expect_not(ue_table_rand_seen(table, ue->rand_ue, ue->eid, START + REPLAY));
}

Test(ue_table, rand_ue_is_remembered_beyond_the_release)
{
	struct ue *ue = take_with_eid(table, 1);
	uint8_t rand_ue[16], eid[16];

	set_rand(ue, 0x11);
	ue_table_remember_rand(table, ue, START);
	memcpy(rand_ue, ue->rand_ue, 16);
	memcpy(eid, ue->eid, 16);
	ue_table_release(table, ue);
	cr_expect(ue_table_rand_seen(table, rand_ue, eid, START + 1));
}

Test(ue_table, rand_ue_of_another_eid_is_another)
{
	struct ue *ue = take_with_eid(table, 1), *other = take_with_eid(table, 2);

	set_rand(ue, 0x11);
	ue_table_remember_rand(table, ue, START);
	cr_expect_not(ue_table_rand_seen(table, ue->rand_ue, other->eid, START));
	cr_expect_eq(ue_table_find_rand(table, ue->rand_ue, other->eid, START), UE_NONE);
}

Test(ue_table, replay_time_holds_where_32_bits_of_ticks_wrap)
{
	const uint64_t tick = UINT64_C(0x7ffffffff) - REPLAY / 2;
	struct ue *ue = take_with_eid(table, 1);

	set_rand(ue, 0x11);
	ue_table_remember_rand(table, ue, tick);
	cr_expect(ue_table_rand_seen(table, ue->rand_ue, ue->eid, tick));
	cr_expect(ue_table_rand_seen(table, ue->rand_ue, ue->eid, tick + REPLAY - 1));
	cr_expect_not(ue_table_rand_seen(table, ue->rand_ue, ue->eid, tick + REPLAY));
}

/* One bucket of four. */
Test(ue_table, oldest_rand_ue_gives_way_in_a_full_bucket)
{
	struct ue_table *one = create(1);
	struct ue *ue = take_with_eid(one, 1);

	for (uint8_t i = 0; i < 5; i++) {
		set_rand(ue, i);
		ue_table_remember_rand(one, ue, START + i);
	}
	for (uint8_t i = 0; i < 5; i++) {
		set_rand(ue, i);
		cr_expect_eq(ue_table_rand_seen(one, ue->rand_ue, ue->eid, START + 5), i > 0, "%u",
			     i);
	}
	ue_table_destroy(one);
}

/* Their 32 bits of ticks look as if they were ahead then. */
Test(ue_table, rand_ues_of_248_days_ago_are_gone)
{
	const uint64_t later = START + (UINT64_C(1) << 31) + REPLAY + 10;
	struct ue_table *one = create(1);
	struct ue *ue = take_with_eid(one, 1);

	for (uint8_t i = 0; i < 4; i++) {
		set_rand(ue, i);
		ue_table_remember_rand(one, ue, START);
	}
	cr_expect_not(ue_table_rand_seen(one, ue->rand_ue, ue->eid, later));
	for (uint8_t i = 4; i < 8; i++) {
		set_rand(ue, i);
		ue_table_remember_rand(one, ue, later);
	}
	for (uint8_t i = 4; i < 8; i++) {
		set_rand(ue, i);
		cr_expect(ue_table_rand_seen(one, ue->rand_ue, ue->eid, later), "%u", i);
	}
	ue_table_destroy(one);
}

/* ---------------------------------------------------------------- timers */

/* Ticks one by one from START until the context expires; 0: not within the limit. */
static uint64_t expiry_of(const struct ue *wanted, uint64_t limit)
{
	struct ue *expired[4];

	for (uint64_t tick = START; tick <= limit; tick++)
		if (ue_table_expired(table, tick, expired, 4) > 0) {
			cr_assert_eq(expired[0], wanted);
			return tick;
		}
	return 0;
}

Test(ue_table, timer_expires_at_its_tick)
{
	static const uint64_t after[] = {0, 1, 17, ROUND - 1};

	for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
		struct ue_table *outer = table;

		table = create(1);
		struct ue *ue = take(table, UE_AUTHENTICATION);

		ue_table_arm(table, ue, START + after[i]);
		cr_expect_eq(expiry_of(ue, START + 3 * ROUND), START + after[i]);
		ue_table_destroy(table);
		table = outer;
	}
}

Test(ue_table, timer_beyond_one_round_of_the_wheel_waits_for_its_round)
{
	struct ue *ue = take(table, UE_AUTHENTICATION);

	ue_table_arm(table, ue, START + 2 * ROUND + 5);
	cr_expect_eq(expiry_of(ue, START + 4 * ROUND), START + 2 * ROUND + 5);
	cr_expect_eq(expiry_of(ue, START + 8 * ROUND), 0, "once");
}

Test(ue_table, timers_of_one_slot_and_different_rounds_do_not_disturb_each_other)
{
	struct ue *near = take(table, UE_ATTACHED), *far = take(table, UE_ATTACHED);
	struct ue *expired[2];

	ue_table_arm(table, near, START + 5);
	ue_table_arm(table, far, START + 5 + ROUND);
	cr_assert_eq(ue_table_expired(table, START + 5, expired, 2), 1);
	cr_expect_eq(expired[0], near);
	cr_expect_eq(ue_table_expired(table, START + 4 + ROUND, expired, 2), 0);
	cr_assert_eq(ue_table_expired(table, START + 5 + ROUND, expired, 2), 1);
	cr_expect_eq(expired[0], far);
}

Test(ue_table, timer_of_the_past_expires_in_the_next_tick)
{
	struct ue *ue = take(table, UE_ATTACHED), *expired[1];

	cr_assert_eq(ue_table_expired(table, START + 50, expired, 1), 0);
	ue_table_arm(table, ue, START);
	cr_expect_eq(ue_table_expired(table, START + 51, expired, 1), 1);
}

Test(ue_table, arming_again_moves_the_timer)
{
	struct ue *ue = take(table, UE_ATTACHED);

	ue_table_arm(table, ue, START + 10);
	ue_table_arm(table, ue, START + 20);
	cr_expect_eq(expiry_of(ue, START + 2 * ROUND), START + 20);
	ue_table_arm(table, ue, START + 3 * ROUND);
	ue_table_arm(table, ue, START + 2 * ROUND + 5);
	cr_expect_eq(expiry_of(ue, START + 4 * ROUND), START + 2 * ROUND + 5);
}

Test(ue_table, timer_armed_at_every_step_expires_once_and_when_the_last_one_said)
{
	struct ue *ue = take(table, UE_ATTACHED), *expired[2];

	/* As an attach does: each step arms it later, over more rounds than one. */
	for (uint64_t tick = START; tick < START + 3 * ROUND; tick += 100) {
		ue_table_arm(table, ue, tick + 600);
		cr_assert_eq(ue_table_expired(table, tick, expired, 2), 0);
	}
	cr_expect_eq(expiry_of(ue, START + 5 * ROUND), START + (3 * ROUND - 1) / 100 * 100 + 600);
	cr_expect_eq(ue_table_expired(table, START + 9 * ROUND, expired, 2), 0);
}

Test(ue_table, timer_disarmed_and_armed_again_expires)
{
	struct ue *ue = take(table, UE_ATTACHED);

	ue_table_arm(table, ue, START + 10);
	ue_table_disarm(ue);
	ue_table_arm(table, ue, START + 5);
	cr_expect_eq(expiry_of(ue, START + ROUND), START + 5);
}

Test(ue_table, disarmed_or_released_context_does_not_expire)
{
	struct ue *ues[3], *expired[3];

	/* First, middle and last of a chain. */
	for (unsigned int out = 0; out < 3; out++) {
		struct ue_table *t = create(3);

		for (unsigned int i = 0; i < 3; i++) {
			ues[i] = take(t, UE_ATTACHED);
			ue_table_arm(t, ues[i], START + 7);
		}
		ue_table_disarm(ues[out]);
		ue_table_disarm(ues[out]);
		ue_table_release(t, ues[(out + 1) % 3]);
		cr_assert_eq(ue_table_expired(t, START + 7, expired, 3), 1);
		cr_expect_eq(expired[0], ues[(out + 2) % 3]);
		ue_table_destroy(t);
	}
}

Test(ue_table, no_call_gives_more_than_asked_and_none_is_lost)
{
	struct ue *expired[10];
	unsigned int total = 0, calls = 0;

	for (unsigned int i = 0; i < CAPACITY; i++)
		ue_table_arm(table, take(table, UE_ATTACHED), START + 3 + i / 32 * ROUND);
	while (total < CAPACITY && calls++ < 100) {
		unsigned int n = ue_table_expired(table, START + 2 * ROUND, expired, 10);

		cr_assert_leq(n, 10u);
		for (unsigned int i = 0; i < n; i++)
			ue_table_release(table, expired[i]);
		total += n;
	}
	cr_expect_eq(total, CAPACITY);
	cr_expect_eq(ue_table_count(table, UE_FREE), CAPACITY);
}

/* ---------------------------------------------------------------- workers */

Test(ue_table, worker_does_not_see_a_context_that_is_being_written)
{
	struct ue *ue = take(table, UE_AUTHENTICATION);
	uint64_t id = ue_table_id(table, ue);
	struct ue_view view;

	ue_table_write_begin(ue);
	cr_expect_not(ue_table_read(table, id, &view));
	ue->an_ue_id = 77;
	ue_table_write_end(ue);
	cr_assert(ue_table_read(table, id, &view));
	cr_expect_eq(view.an_ue_id, 77);
	cr_expect_eq(view.state, UE_AUTHENTICATION);
	cr_expect_not(ue_table_read(table, ue_id_make(SHARD, UINT32_MAX, 0), &view));
}

struct writer {
	struct ue *ue;
	_Atomic bool stop;
};

static void *write_on(void *arg)
{
	struct writer *w = arg;

	for (uint8_t i = 0; !atomic_load(&w->stop); i++) {
		ue_table_write_begin(w->ue);
		w->ue->an_ue_id = i;
		memset(w->ue->eid, i, sizeof(w->ue->eid));
		memset(&w->ue->half_open, i, sizeof(w->ue->half_open));
		ue_table_write_end(w->ue);
	}
	return NULL;
}

Test(ue_table, what_a_worker_reads_was_written_at_one_time)
{
	struct writer w = {.ue = take(table, UE_AUTHENTICATION)};
	uint64_t id = ue_table_id(table, w.ue);
	struct ue_view view;
	unsigned int read = 0;
	pthread_t thread;

	memset(w.ue->eid, 0, sizeof(w.ue->eid));
	memset(&w.ue->half_open, 0, sizeof(w.ue->half_open));
	w.ue->an_ue_id = 0;
	cr_assert_eq(pthread_create(&thread, NULL, write_on, &w), 0);
	while (read < 20000) {
		if (!ue_table_read(table, id, &view)) {
			/* The writer may be off its core in the middle of a write. */
			sched_yield();
			continue;
		}
		uint8_t value = (uint8_t)view.an_ue_id;

		read++;
		cr_assert_eq(view.eid[0], value);
		cr_assert_eq(view.eid[15], value);
		cr_assert_eq(view.half_open.rand_au[0], value);
		cr_assert_eq(view.half_open.fingerprint[15], value);
	}
	atomic_store(&w.stop, true);
	pthread_join(thread, NULL);
}
