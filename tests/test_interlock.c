/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Threads in the place of lcores, an alarm in the place of a driver's interrupt callback: the two
 * must never be seen at work at the same time, and both must get on.
 */
#include <criterion/criterion.h>
#include <pthread.h>

#include <rte_alarm.h>
#include <rte_cycles.h>
#include <rte_pause.h>

#include "start_eal.h"
#include "net/interlock.h"

enum { LCORES = 3, CALLBACKS = 40 };

static struct net_interlock *interlock;
static atomic_bool running;
static atomic_uint at_work; /* lcores between looking at the interlock and the end of their turn */
static atomic_uint callbacks, collisions;
static atomic_ullong turns[LCORES];

static void *lcore(void *arg)
{
	unsigned int i = (unsigned int)(uintptr_t)arg;

	net_interlock_enter(interlock, i);
	while (atomic_load(&running)) {
		if (!net_interlock_open(interlock, i)) {
			rte_pause();
			continue;
		}
		atomic_fetch_add(&at_work, 1);
		for (unsigned int k = 0; k < 200; k++)
			rte_pause();
		atomic_fetch_sub(&at_work, 1);
		atomic_fetch_add(&turns[i], 1);
	}
	net_interlock_leave(interlock, i);
	return NULL;
}

static void driver_callback(void *arg)
{
	(void)arg;
	for (unsigned int k = 0; k < 200; k++) {
		if (atomic_load(&at_work) > 0)
			atomic_fetch_add(&collisions, 1);
		rte_pause();
	}
	if (atomic_fetch_add(&callbacks, 1) + 1 < CALLBACKS)
		rte_eal_alarm_set(100, driver_callback, NULL);
}

Test(interlock, is_not_made_where_no_port_needs_it, .init = start_eal)
{
	const struct net_if nif = {.port_id = 0};

	cr_assert(net_interlock_create(&nif, 1, &interlock));
	cr_expect_null(interlock);
	cr_expect(net_interlock_open(interlock, 0));
	net_interlock_enter(interlock, 0);
	net_interlock_leave(interlock, 0);
	net_interlock_destroy(interlock);
}

Test(interlock, callbacks_and_turns_never_meet, .init = start_eal)
{
	/* There is no such port, so its link is not up, and the interlock closes every millisecond.
	 */
	const struct net_if nif = {.port_id = 0, .unmaps = true};
	pthread_t threads[LCORES];
	uint64_t until;

	cr_assert(net_interlock_create(&nif, 1, &interlock));
	cr_assert_not_null(interlock);
	atomic_store(&running, true);
	for (unsigned int i = 0; i < LCORES; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, lcore, (void *)(uintptr_t)i), 0);
	rte_eal_alarm_set(100, driver_callback, NULL);
	until = rte_rdtsc() + 60 * rte_get_tsc_hz();
	while (atomic_load(&callbacks) < CALLBACKS && rte_rdtsc() < until)
		rte_delay_us_sleep(1000);
	atomic_store(&running, false);
	for (unsigned int i = 0; i < LCORES; i++)
		pthread_join(threads[i], NULL);
	net_interlock_destroy(interlock);
	cr_expect_eq(atomic_load(&callbacks), CALLBACKS, "the driver's callbacks do not get on");
	cr_expect_eq(atomic_load(&collisions), 0, "a callback ran during a turn");
	for (unsigned int i = 0; i < LCORES; i++)
		cr_expect_gt(atomic_load(&turns[i]), 0, "lcore %u does not get on", i);
}
