/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The PDU session with a gate: tunnels and addresses, whose packets pass when, and how a session
 * ends.
 */
#include <criterion/criterion.h>

#include <rte_cycles.h>

#include "au_fixture.h"
#include "cn/cn.h"

enum { SECOND_MS = 1000 };

static void set_up(void)
{
	f.gate = true;
	fixture_setup();
}

static void set_up_short(void)
{
	f.gate = true;
	fixture_prepare();
	f.config.timers.lifetime_s = 2;
	f.config.timers.idle_s = 1;
	f.config.timers.t3522_ms = 100;
	fixture_start();
}

TestSuite(au_session, .init = set_up, .fini = fixture_teardown);
TestSuite(au_session_end, .init = set_up_short, .fini = fixture_teardown);

static uint64_t passed(enum gate_counter counter)
{
	return au_gate_counter(f.au, counter);
}

static struct test_ue *attached(void)
{
	struct test_ue *ue = fixture_ue();

	fixture_begin(ue);
	fixture_settle();
	cr_assert_eq(ue->device.state, DEVICE_ATTACHED);
	return ue;
}

/* Until it is answered: the gate asks for the next hop's MAC with the first one. */
static void send_up(const struct test_ue *ue)
{
	fixture_send_packet(ue, ue->uplink_teid, ue->device.ipv4);
	fixture_settle();
}

static void send_down(uint32_t ipv4)
{
	fixture_send_answer(ipv4);
	fixture_settle();
}

/* Both next hops are known after it. */
static void warm(const struct test_ue *ue)
{
	send_up(ue);
	send_down(ue->device.ipv4);
}

static void settle_for(unsigned int ms)
{
	uint64_t until = rte_rdtsc() + rte_get_tsc_hz() / 1000 * ms;

	while (rte_rdtsc() < until)
		fixture_settle();
}

/* Until the UE is in that state, for as long as a slow machine may take. */
static void settle_until(const struct test_ue *ue, enum device_state state)
{
	for (unsigned int i = 0; i < 200 && ue->device.state != state; i++)
		settle_for(50);
	cr_assert_eq(ue->device.state, state);
}

Test(au_session, packets_pass_through_the_tunnels_of_an_attached_ue)
{
	struct test_ue *ue = attached();

	cr_assert_neq(ue->uplink_teid, 0);
	cr_assert_neq(ue->device.mtu, 0);
	cr_expect_eq(au_sessions(f.au), 1);
	warm(ue);
	uint64_t up = passed(GATE_COUNT_UPLINK_PACKETS);
	unsigned int down = f.g_pdus;

	send_up(ue);
	cr_expect_eq(passed(GATE_COUNT_UPLINK_PACKETS), up + 1);
	send_down(ue->device.ipv4);
	cr_expect_eq(f.g_pdus, down + 1);
	cr_expect_eq(f.last_teid, fixture_teid(ue));
	/* They came through a port that a worker reads. */
	cr_expect_gt(passed(GATE_COUNT_HANDED_OVER), 0);
	cr_expect_gt(fixture_event(AU_COUNT_HANDED_OVER), 0);
}

Test(au_session, before_the_an_has_answered_packets_pass_from_the_ue_alone)
{
	struct test_ue *first = attached(), *ue = fixture_ue();

	warm(first);
	fixture_attach_until(ue, UE_AN_SESSION);
	const struct ue *context = fixture_context(ue);
	uint32_t ipv4 = context->secured.ipv4;
	uint64_t up = passed(GATE_COUNT_UPLINK_PACKETS);
	unsigned int down = f.g_pdus;

	/* The AN's answer is under way, and is lost. */
	fixture_lose(ue);
	fixture_send_packet(ue, ue->uplink_teid, ipv4);
	send_down(ipv4);
	cr_expect_eq(passed(GATE_COUNT_UPLINK_PACKETS), up + 1);
	cr_expect_eq(f.g_pdus, down);
	cr_expect_eq(passed(GATE_COUNT_NO_SESSION), 1);
}

Test(au_session, another_ues_address_and_another_ans_tunnel_are_refused)
{
	struct test_ue *ue = attached(), *other = attached();

	warm(ue);
	uint64_t up = passed(GATE_COUNT_UPLINK_PACKETS);

	fixture_send_packet(ue, ue->uplink_teid, other->device.ipv4);
	fixture_settle();
	cr_expect_eq(passed(GATE_COUNT_SPOOFED_SOURCE), 1);
	other->an = 1;
	fixture_send_packet(other, other->uplink_teid, other->device.ipv4);
	fixture_settle();
	cr_expect_eq(passed(GATE_COUNT_WRONG_AN), 1);
	other->an = 0;
	cr_expect_eq(passed(GATE_COUNT_UPLINK_PACKETS), up);
}

Test(au_session, after_its_release_nothing_passes)
{
	struct test_ue *ue = attached();
	uint32_t ipv4 = ue->device.ipv4;

	warm(ue);
	uint64_t up = passed(GATE_COUNT_UPLINK_PACKETS);
	unsigned int down = f.g_pdus;

	device_detach(&f.world, &ue->device);
	fixture_settle();
	cr_assert_eq(ue->device.state, DEVICE_DETACHED);
	fixture_send_packet(ue, ue->uplink_teid, ipv4);
	send_down(ipv4);
	cr_expect_eq(passed(GATE_COUNT_UPLINK_PACKETS), up);
	cr_expect_eq(f.g_pdus, down);
	cr_expect_eq(passed(GATE_COUNT_ENDED_TEID), 1);
	cr_expect_eq(passed(GATE_COUNT_NO_SESSION), 1);
	cr_expect_eq(au_sessions(f.au), 0);
	cr_expect_eq(fixture_contexts(), 0);
}

Test(au_session, a_ue_that_attaches_again_has_another_tunnel)
{
	struct test_ue *ue = attached();
	uint32_t old = ue->uplink_teid;

	warm(ue);
	fixture_begin(ue);
	fixture_settle();
	cr_assert_eq(ue->device.state, DEVICE_ATTACHED);
	cr_expect_neq(ue->uplink_teid, old);
	cr_expect_eq(au_sessions(f.au), 1);
	fixture_send_packet(ue, old, ue->device.ipv4);
	fixture_settle();
	cr_expect_eq(passed(GATE_COUNT_ENDED_TEID), 1);
}

/* What the AN may not answer: without its tunnel, a tunnel that is another's, or none at all. */
static void refuse_tunnel(const uint8_t *tunnel, size_t n, enum wire_cause cause)
{
	static const uint8_t session = 1;
	struct test_ue *ue = fixture_ue();

	wire_message_init(&f.tunnel, 0, WIRE_SESSION_SETUP_RESPONSE);
	wire_set(&f.tunnel, WIRE_IE_PDU_SESSION_ID, &session, 1);
	if (n > 0)
		wire_set(&f.tunnel, WIRE_IE_DOWNLINK_TUNNEL, tunnel, n);
	fixture_begin(ue);
	fixture_settle();
	cr_expect_neq(ue->device.state, DEVICE_ATTACHED);
	cr_expect_eq(fixture_cause(cause), 1, "%s", wire_cause_name(cause));
	cr_expect_eq(ue->released, cause);
	cr_expect_eq(au_sessions(f.au), 0);
	cr_expect_eq(fixture_contexts(), 0);
	f.tunnel.type = 0;
}

Test(au_session, an_answer_without_a_tunnel_ends_the_attach)
{
	refuse_tunnel(NULL, 0, WIRE_CAUSE_IE_MISSING);
	attached();
}

Test(au_session, a_tunnel_at_an_address_of_another_an_ends_the_attach)
{
	static const uint8_t other[] = {0, 0, 0, 9, 192, 0, 2, 101};

	refuse_tunnel(other, sizeof(other), WIRE_CAUSE_IE_BAD_VALUE);
	attached();
}

Test(au_session, a_tunnel_with_the_teid_of_nobody_ends_the_attach)
{
	static const uint8_t none[] = {0, 0, 0, 0, 192, 0, 2, 100};

	refuse_tunnel(none, sizeof(none), WIRE_CAUSE_IE_BAD_VALUE);
	attached();
}

static struct test_ue *attached_with(enum device_session_type type)
{
	f.world.session_type = (uint8_t)type;
	return attached();
}

Test(au_session, a_session_of_both_families_has_an_address_and_an_interface_identifier)
{
	struct test_ue *ue = attached_with(DEVICE_SESSION_IPV4V6);

	cr_expect_eq(ue->device.session_type, DEVICE_SESSION_IPV4V6);
	cr_expect_neq(ue->device.ipv4, 0);
	cr_expect_neq(ue->device.interface_id, 0);
	warm(ue);
	send_up(ue);
	cr_expect_gt(passed(GATE_COUNT_UPLINK_PACKETS), 0);
}

Test(au_session, a_session_of_ipv6_has_no_ipv4_address)
{
	struct test_ue *ue = attached_with(DEVICE_SESSION_IPV6);
	const struct ue *context = fixture_context(ue);

	cr_expect_eq(ue->device.ipv4, 0);
	cr_expect_neq(context->secured.ipv6_prefix, 0);
	cr_expect_eq(context->secured.ipv6_prefix >> 8, UINT64_C(0x20010db8004500));
}

static void set_up_ipv4(void)
{
	f.gate = true;
	fixture_prepare();
	f.config.session.pool_ipv6 = NULL;
	fixture_start();
}

Test(au_session_ipv4, who_asks_for_both_families_gets_one_with_a_cause, .init = set_up_ipv4,
     .fini = fixture_teardown)
{
	struct test_ue *ue = attached_with(DEVICE_SESSION_IPV4V6);

	cr_expect_eq(ue->device.session_type, DEVICE_SESSION_IPV4);
	cr_expect_eq(fixture_context(ue)->secured.note, CN_IPV4_ONLY);
}

Test(au_session, an_error_indication_of_its_an_ends_the_session)
{
	struct test_ue *ue = attached();

	warm(ue);
	fixture_send_error_indication(ue, fixture_teid(ue));
	fixture_settle();
	cr_expect_eq(fixture_event(AU_COUNT_SESSIONS_UNKNOWN), 1);
	cr_expect_eq(ue->device.state, DEVICE_DETACHED);
	cr_expect(ue->device.detached_by_network);
	cr_expect_eq(fixture_contexts(), 0);
	cr_expect_eq(au_sessions(f.au), 0);
}

Test(au_session, an_error_indication_for_another_ans_tunnel_ends_nothing)
{
	struct test_ue *ue = attached();

	warm(ue);
	ue->an = 1;
	fixture_send_error_indication(ue, fixture_teid(ue));
	ue->an = 0;
	fixture_send_error_indication(ue, 77);
	fixture_settle();
	cr_expect_eq(fixture_event(AU_COUNT_SESSIONS_UNKNOWN), 0);
	cr_expect_eq(au_sessions(f.au), 1);
}

/* ---------------------------------------------------------------- pools */

Test(au_pools, a_shard_has_room_for_twice_its_ues_where_the_pool_has_it)
{
	struct config config = {
		.n_lcores = 1,
		.lcores = {{.n_stages = 1, .stages = {CONFIG_STAGE_CONTROL}}},
		.ue = {.max = 4},
		.session = {.pool = "10.0.0.0/24", .pool_ipv6 = "2001:db8:45::/56"},
	};
	struct au_pools pools = au_pools_of(&config);

	cr_expect_eq(pools.first_ipv4, 0x0a000001);
	cr_expect_geq(pools.ipv4_share, 8);
	cr_expect_geq(pools.prefix_share, 8);
	config.session.pool_ipv6 = "2001::/16";
	cr_expect_geq(au_pools_of(&config).prefix_share, 8);
	/* Less where it has not, and never more than it has. */
	config.session.pool = "10.0.0.0/29";
	config.session.pool_ipv6 = "2001:db8:45::/62";
	config.lcores[0] = (struct config_lcore){
		.n_stages = 2, .stages = {CONFIG_STAGE_CONTROL, CONFIG_STAGE_CONTROL}};
	pools = au_pools_of(&config);
	cr_expect_eq(pools.ipv4_share, 3);
	cr_expect_eq(pools.prefix_share, 2);
}

static void set_up_small(void)
{
	f.gate = true;
	fixture_prepare();
	f.config.ue.max = f.config.ue.max_half_open = 4;
	fixture_start();
}

/* What is on its way to the UE that had it must not meet another. */
Test(au_session_small, an_address_rests_while_others_are_free, .init = set_up_small,
     .fini = fixture_teardown)
{
	uint32_t ipv4[4];

	for (unsigned int i = 0; i < 3; i++)
		attached_with(DEVICE_SESSION_IPV4V6);
	/* One more at a time: the table is full each time. */
	for (unsigned int i = 0; i < RTE_DIM(ipv4); i++) {
		struct test_ue *ue = attached_with(DEVICE_SESSION_IPV4V6);

		ipv4[i] = ue->device.ipv4;
		for (unsigned int j = 0; j < i; j++)
			cr_expect_neq(ipv4[i], ipv4[j], "%u, %u", i, j);
		device_detach(&f.world, &ue->device);
		fixture_settle();
	}
}

/* ---------------------------------------------------------------- its time is over */

Test(au_session_end, a_session_that_downloads_nothing_lives_as_long_as_it_may)
{
	struct test_ue *ue = attached();

	settle_until(ue, DEVICE_DETACHED);
	cr_expect(ue->device.detached_by_network);
	cr_expect_eq(ue->device.cause, WIRE_CAUSE_SESSION_EXPIRED);
	cr_expect_eq(ue->released, WIRE_CAUSE_SESSION_EXPIRED);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_SESSION_EXPIRED), 1);
	cr_expect_eq(fixture_contexts(), 0);
	cr_expect_eq(au_sessions(f.au), 0);
}

Test(au_session_end, a_session_whose_download_is_done_ends_when_it_is_idle)
{
	struct test_ue *ue = attached();

	warm(ue);
	send_down(ue->device.ipv4);
	cr_assert_gt(f.g_pdus, 0);
	settle_until(ue, DEVICE_DETACHED);
	cr_expect_eq(ue->device.cause, WIRE_CAUSE_SESSION_DONE);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_SESSION_DONE), 1);
	cr_expect_eq(au_sessions(f.au), 0);
}

Test(au_session_end, a_ue_that_does_not_answer_is_asked_again_and_then_gone)
{
	struct test_ue *ue = attached();

	ue->silent = true;
	for (unsigned int i = 0; i < 200 && fixture_contexts() > 0; i++)
		settle_for(50);
	cr_expect_eq(fixture_contexts(), 0);
	cr_expect_eq(fixture_event(AU_COUNT_RETRANSMISSIONS), f.config.timers.t3522_retries);
	cr_expect_eq(ue->released, WIRE_CAUSE_SESSION_EXPIRED);
	cr_expect_eq(au_sessions(f.au), 0);
}

Test(au_session_end, nothing_passes_while_the_ue_is_asked_to_detach)
{
	struct test_ue *ue = attached();
	uint32_t ipv4 = ue->device.ipv4;

	warm(ue);
	ue->silent = true;
	for (unsigned int i = 0; i < 200 && fixture_context(ue)->state != UE_DETACHING; i++)
		settle_for(10);
	uint64_t up = passed(GATE_COUNT_UPLINK_PACKETS);

	fixture_send_packet(ue, ue->uplink_teid, ipv4);
	fixture_settle();
	cr_expect_eq(passed(GATE_COUNT_UPLINK_PACKETS), up);
	cr_expect_eq(au_sessions(f.au), 0);
}
