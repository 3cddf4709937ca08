/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the authenticator says of itself, asked as dpdk-telemetry.py asks: every counter is there
 * under its name, and has the value that the stages' counters have.
 */
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "au_fixture.h"

enum { REPLY = 32 << 10 };

static int client;
static char reply[REPLY];

/* SOCK_SEQPACKET, a message a command (lib/telemetry/telemetry.c); it greets first. */
static void connect_client(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/dpdk_telemetry.v2",
			 rte_eal_get_runtime_dir());

	cr_assert_lt(n, (int)sizeof(address.sun_path));
	client = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	cr_assert_eq(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_gt(recv(client, reply, sizeof(reply) - 1, 0), 0);
}

static void setup(void)
{
	f.telemetry = true;
	fixture_setup();
	au_telemetry_register(f.au);
	connect_client();
}

static void set_up_gate(void)
{
	f.gate = true;
	setup();
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void teardown(void)
{
	char dir[256];

	close(client);
	snprintf(dir, sizeof(dir), "%s", rte_eal_get_runtime_dir());
	fixture_teardown();
	nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(au_report, .init = setup, .fini = teardown);
TestSuite(au_report_gate, .init = set_up_gate, .fini = teardown);

static void ask(const char *command)
{
	cr_assert_eq(send(client, command, strlen(command), 0), (ssize_t)strlen(command));
	ssize_t n = recv(client, reply, sizeof(reply) - 1, 0);

	cr_assert_gt(n, 0);
	reply[n] = '\0';
}

/* Telemetry takes no '-' in a name. */
static void key_of(const char *name, char key[64])
{
	unsigned int i = 0;

	for (; name[i]; i++)
		key[i] = (char)(name[i] == '-' ? '_' : name[i]);
	key[i] = '\0';
}

static uint64_t value_of(const char *name)
{
	char key[64], quoted[80];

	key_of(name, key);
	snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	const char *at = strstr(reply, quoted);

	cr_assert_not_null(at, "%s is not in %s", quoted, reply);
	return strtoull(at + strlen(quoted), NULL, 10);
}

static struct test_ue *attach_one(void)
{
	struct test_ue *ue = fixture_ue();

	fixture_begin(ue);
	fixture_settle();
	cr_assert_eq(ue->device.state, DEVICE_ATTACHED);
	return ue;
}

Test(au_report, every_event_is_there_with_its_sum_over_the_stages)
{
	attach_one();
	ask("/cpau/counters");
	for (unsigned int i = 0; i < AU_COUNTER_N; i++)
		cr_expect_eq(value_of(au_counter_name(i)), fixture_event((enum au_counter)i), "%s",
			     au_counter_name(i));
	cr_expect_eq(value_of("attached"), 1);
}

Test(au_report, every_cause_is_there)
{
	struct test_ue *ue = fixture_ue();

	ue->an = FIXTURE_ANS;
	fixture_begin(ue);
	fixture_settle();
	ask("/cpau/causes");
	for (unsigned int i = 1; i < WIRE_CAUSE_LIMIT; i++)
		if (strcmp(wire_cause_name(i), "unassigned") != 0)
			cr_expect_eq(value_of(wire_cause_name(i)),
				     fixture_cause((enum wire_cause)i), "%s", wire_cause_name(i));
	cr_expect_eq(value_of("an-unknown"), 1);
}

Test(au_report, every_counter_of_the_ports_is_there)
{
	attach_one();
	ask("/cpau/net");
	for (unsigned int i = 0; i < NET_COUNTER_N; i++)
		cr_expect_eq(value_of(net_counter_name(i)),
			     au_net_counter(f.au, (enum net_counter)i), "%s", net_counter_name(i));
	cr_expect_gt(value_of("datagrams"), 0);
}

static void expect_gate_counters(void)
{
	ask("/cpau/gate");
	for (unsigned int i = 0; i < GATE_COUNTER_N; i++)
		cr_expect_eq(value_of(gate_counter_name(i)),
			     au_gate_counter(f.au, (enum gate_counter)i), "%s",
			     gate_counter_name(i));
	cr_expect_eq(value_of("octets-per-session"), gate_table_octets_per_session());
}

Test(au_report_gate, every_counter_of_the_gates_is_there_and_what_is_open)
{
	struct test_ue *ue = attach_one();

	attach_one();
	/* The first of a direction makes its next hop known, the second passes in any case. */
	for (unsigned int i = 0; i < 2; i++) {
		fixture_send_packet(ue, ue->uplink_teid, ue->device.ipv4);
		fixture_send_answer(ue->device.ipv4);
		fixture_settle();
	}
	fixture_send_packet(ue, 0, ue->device.ipv4);
	fixture_settle();
	expect_gate_counters();
	cr_expect_geq(value_of("uplink-packets"), 1);
	cr_expect_geq(value_of("downlink-packets"), 1);
	cr_expect_gt(value_of("uplink-octets"), value_of("uplink-packets"));
	cr_expect_eq(value_of("unknown-teid"), 1);
	cr_expect_eq(value_of("sessions"), 2);
	device_detach(&f.world, &ue->device);
	fixture_settle();
	ask("/cpau/gate");
	cr_expect_eq(value_of("sessions"), 1);
}

Test(au_report, without_a_gate_its_counters_are_there_and_nothing_is_open)
{
	attach_one();
	expect_gate_counters();
	cr_expect_eq(value_of("sessions"), 0);
	cr_expect_eq(value_of("uplink-packets"), 0);
}

Test(au_report, contexts_are_counted_by_state)
{
	attach_one();
	fixture_attach_until(fixture_ue(), UE_AUTHENTICATION);
	ask("/cpau/ues");
	for (unsigned int i = 0; i < UE_STATE_N; i++)
		cr_expect_eq(value_of(ue_state_name((enum ue_state)i)),
			     au_ues(f.au, (enum ue_state)i));
	cr_expect_eq(value_of(ue_state_name(UE_ATTACHED)), 1);
	cr_expect_eq(value_of(ue_state_name(UE_AUTHENTICATION)), 1);
	cr_expect_eq(value_of("octets-per-ue"), ue_table_octets_per_ue());
}

Test(au_report, queue_delay_is_the_pace_times_what_waits)
{
	struct test_ue *ue[3];

	for (unsigned int i = 0; i < RTE_DIM(ue); i++) {
		ue[i] = fixture_ue();
		fixture_begin(ue[i]);
		fixture_uplink(ue[i]);
	}
	au_worker_poll(f.worker);
	atomic_store(&f.shared->paces[0].cycles, f.shared->tsc_hz / 1000);
	ask("/cpau/overload");
	cr_expect_leq(llabs((long long)value_of("request-ns") - 1000000), 1000);
	cr_expect_leq(llabs((long long)value_of("queue-delay-ns") - 3000000), 3000);
	cr_expect_eq(value_of("access-nodes-holding-back"), 0);
}

Test(au_report, info_says_what_runs)
{
	char expected[128];

	ask("/cpau/info");
	snprintf(expected, sizeof(expected), "\"backend\":\"%s\"", au_backend(f.au));
	cr_expect_not_null(strstr(reply, expected), "%s", reply);
	snprintf(expected, sizeof(expected), "\"serving_network\":\"%s\"",
		 f.shared->serving_network);
	cr_expect_not_null(strstr(reply, expected), "%s", reply);
	cr_expect_not_null(strstr(reply, "\"name\":\"cp-au\""), "%s", reply);
}

/* Here the main lcore runs the stages, as cpau does. */
Test(au_report, busy_and_idle_cycles_add_up_to_the_time_of_the_lcore)
{
	struct test_ue *ue = fixture_ue();
	uint64_t begun, took, busy, idle;
	unsigned int lcore;

	fixture_begin(ue);
	fixture_uplink(ue);
	begun = rte_rdtsc();
	au_start(f.au);
	for (unsigned int i = 0; i < 100; i++)
		au_poll(f.au);
	took = rte_rdtsc() - begun;
	cr_assert(au_lcore(f.au, 0, &lcore, &busy, &idle));
	cr_expect_eq(lcore, 0);
	cr_expect_gt(busy, 0);
	cr_expect_gt(idle, 0);
	cr_expect_leq(busy + idle, took);
	cr_expect_geq(busy + idle, took / 2);
	cr_expect_leq(au_stage_busy(f.au, CONFIG_STAGE_WORKER) +
			      au_stage_busy(f.au, CONFIG_STAGE_CRYPTO) +
			      au_stage_busy(f.au, CONFIG_STAGE_CONTROL),
		      busy);
	cr_expect_gt(au_public_key_cycles(f.au), 0);
	cr_expect_leq(au_public_key_cycles(f.au), au_stage_busy(f.au, CONFIG_STAGE_CRYPTO));
	cr_expect_not(au_lcore(f.au, 1, &lcore, &busy, &idle));
	ask("/cpau/lcores");
	cr_expect_gt(value_of("lcore-0-busy-cycles"), 0);
	cr_expect_gt(value_of("lcore-0-idle-cycles"), 0);
	fixture_downlink();
	fixture_got_nas(ue, WIRE_NAS_AUTHENTICATION_REQUEST);
}
