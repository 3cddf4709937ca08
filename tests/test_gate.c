/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The gate between two ports of rings. Each test says which counters count and what leaves by
 * which port; whatever leaves is held against tests/gate_world.h's own idea of what may.
 */
#include <criterion/criterion.h>

#include "start_eal.h"
#include "gate_world.h"

enum {
	RANDOM_PACKETS = 10000,
	TUNNEL_MTU = 1500 - 20 - 8 - 16,
};

static uint64_t before[GATE_COUNTER_N];

static void look(void)
{
	memcpy(before, gate_counters(w.gate), sizeof(before));
}

static void setup(void)
{
	start_eal();
	world_start(0);
	look();
}

static void teardown(void)
{
	cr_expect_eq(world_end(), 0, "an mbuf is lost");
	rte_eal_cleanup();
}

TestSuite(gate, .init = setup, .fini = teardown);

/* ---------------------------------------------------------------- helpers */

static uint64_t counted(enum gate_counter c)
{
	return gate_counters(w.gate)[c] - before[c];
}

/* These counters alone have counted since the last look, once each; octets aside. */
#define expect_counted(what, ...) \
	expect_counters(what, (const enum gate_counter[]){__VA_ARGS__, GATE_COUNTER_N})

static void expect_counters(const char *what, const enum gate_counter *which)
{
	for (unsigned int c = 0; c < GATE_COUNTER_N; c++) {
		uint64_t expected = 0;

		for (unsigned int i = 0; which[i] != GATE_COUNTER_N; i++)
			expected += which[i] == c;
		if (c != GATE_COUNT_UPLINK_OCTETS && c != GATE_COUNT_DOWNLINK_OCTETS)
			cr_expect_eq(counted(c), expected, "%s: %s is %lu", what,
				     gate_counter_name(c), (unsigned long)counted(c));
	}
	look();
}

static void expect_left(const char *what, unsigned int n3, unsigned int n6)
{
	world_check_all();
	cr_expect_eq(w.n_got[N3], n3, "%s: %u by N3", what, w.n_got[N3]);
	cr_expect_eq(w.n_got[N6], n6, "%s: %u by N6", what, w.n_got[N6]);
}

/* The message comes from the access node (of an index of gate_world.h) and the turn is over. */
static void receive(const struct octets *message, int an)
{
	struct octets frame = world_n3_frame(message, an, 40000);

	world_send(N3, &frame);
	world_poll();
}

static void receive_inner(const struct octets *inner, unsigned int session)
{
	struct octets message = world_g_pdu(inner, world_teid(session));

	receive(&message, world_sessions[session].an);
}

static void receive_packet(const struct packet *p, unsigned int session)
{
	struct octets inner = world_packet(p);

	receive_inner(&inner, session);
}

static void receive_n6(const struct octets *packet)
{
	struct octets frame = world_n6_frame(packet);

	world_send(N6, &frame);
	world_poll();
}

static void receive_n6_packet(const struct packet *p)
{
	struct octets o = world_packet(p);

	receive_n6(&o);
}

/* What left by N6 is this packet, a hop further. */
static void expect_forwarded(const struct octets *packet, const struct octets *frame, size_t at)
{
	struct octets expected = *packet;
	bool v6 = packet->p[0] >> 4 == 6;

	expected.p[v6 ? 7 : 8]--;
	if (!v6)
		world_fix_ipv4(expected.p);
	cr_assert_eq(frame->n, at + expected.n);
	cr_expect_arr_eq(frame->p + at, expected.p, expected.n);
}

/* The G-PDU that left by N3, as a decoder sees it. */
static struct gtpu_header sent_message(unsigned int i)
{
	const uint8_t *ip = w.got[N3][i].p + ETHER;
	size_t at = ETHER + (ip[0] >> 4 == 6 ? 48 : 28);
	struct gtpu_header h;

	cr_assert_lt(i, w.n_got[N3]);
	cr_assert_eq(gtpu_decode(&h, span_make(w.got[N3][i].p + at, w.got[N3][i].n - at)), GTPU_OK);
	return h;
}

/* ---------------------------------------------------------------- what passes */

Test(gate, an_allowed_request_goes_to_the_data_network)
{
	for (unsigned int session = 0; session < WORLD_SESSIONS; session++)
		for (unsigned int v6 = 0; v6 < 2; v6++) {
			struct packet p = world_request(session, v6);
			struct octets inner = world_packet(&p);
			struct gate_usage usage;

			receive_inner(&inner, session);
			expect_counted("request", GATE_COUNT_UPLINK_PACKETS);
			expect_left("request", 0, 1);
			expect_forwarded(&inner, &w.got[N6][0], ETHER);
			cr_expect_arr_eq(w.got[N6][0].p, gateway_mac, 6);
			cr_expect_arr_eq(w.got[N6][0].p + 6, &w.nifs[N6].mac, 6);
			cr_assert(gate_table_usage(w.shared.table, world_sessions[session].shard,
						   world_sessions[session].slot, &usage));
			cr_expect_eq(usage.uplink_packets, v6 + 1);
			cr_expect_neq(usage.last_tsc, 0);
		}
}

Test(gate, an_answer_goes_through_the_sessions_tunnel)
{
	for (unsigned int session = 0; session < WORLD_SESSIONS; session++)
		for (unsigned int v6 = 0; v6 < 2; v6++) {
			struct packet p = world_answer(session, v6);
			struct octets inner = world_packet(&p);
			struct gate_usage usage;

			receive_n6(&inner);
			expect_counted("answer", GATE_COUNT_DOWNLINK_PACKETS);
			expect_left("answer", 1, 0);
			struct gtpu_header h = sent_message(0);

			cr_expect_eq(h.type, GTPU_G_PDU);
			cr_expect_eq(h.teid, world_session(session).an_teid);
			cr_expect_eq(h.qfi, 1);
			expect_forwarded(&inner, &w.got[N3][0],
					 (size_t)(h.payload.p - w.got[N3][0].p));
			cr_expect_arr_eq(w.got[N3][0].p, an_mac, 6);
			cr_assert(gate_table_usage(w.shared.table, world_sessions[session].shard,
						   world_sessions[session].slot, &usage));
			cr_expect_eq(usage.downlink_octets, 51 + (v6 ? 20 : 0) + (v6 ? 51 : 0));
		}
}

Test(gate, every_rule_lets_its_own_through)
{
	enum {
		PASSES = GATE_COUNT_UPLINK_PACKETS,
		NOT_ALLOWED = GATE_COUNT_NOT_ALLOWED,
		FOREIGN_DNS = GATE_COUNT_FOREIGN_DNS,
		NESTED_TUNNEL = GATE_COUNT_NESTED_TUNNEL,
	};
	static const struct {
		uint8_t address[4], protocol;
		uint16_t port;
		unsigned int uplink;
	} cases[] = {
		{{203, 0, 113, 10}, TCP, 443, PASSES},
		{{203, 0, 113, 10}, TCP, 442, NOT_ALLOWED},
		{{203, 0, 113, 10}, UDP, 443, NOT_ALLOWED},
		{{203, 0, 113, 11}, TCP, 443, NOT_ALLOWED},
		{{203, 0, 113, 9}, TCP, 443, NOT_ALLOWED},
		{{203, 0, 113, 128}, TCP, 443, PASSES},
		{{203, 0, 113, 255}, TCP, 443, PASSES},
		{{203, 0, 113, 127}, TCP, 443, NOT_ALLOWED},
		{{203, 0, 114, 128}, TCP, 443, NOT_ALLOWED},
		{{203, 0, 113, 53}, UDP, 53, PASSES},
		{{203, 0, 113, 54}, UDP, 53, FOREIGN_DNS},
		{{203, 0, 113, 53}, UDP, 54, NOT_ALLOWED},
		{{203, 0, 113, 53}, TCP, 53, FOREIGN_DNS},
		{{203, 0, 113, 20}, TCP, 1, PASSES},
		{{203, 0, 113, 20}, TCP, 53, PASSES},
		{{203, 0, 113, 20}, TCP, 65535, PASSES},
		{{203, 0, 113, 20}, UDP, 443, NOT_ALLOWED},
		{{10, 0, 0, 9}, TCP, 443, NOT_ALLOWED},
		{{192, 0, 2, 1}, UDP, 2152, NESTED_TUNNEL},
		{{192, 0, 2, 1}, TCP, 2152, NOT_ALLOWED},
		{{255, 255, 255, 255}, UDP, 53, FOREIGN_DNS},
	};

	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		struct packet p = world_request(0, false);
		bool passes = cases[i].uplink == PASSES;
		char what[32];

		snprintf(what, sizeof(what), "case %zu", i);
		memcpy(p.destination, cases[i].address, 4);
		p.protocol = cases[i].protocol;
		p.destination_port = cases[i].port;
		receive_packet(&p, 0);
		expect_counted(what, (enum gate_counter)cases[i].uplink);
		expect_left(what, 0, passes);
		p = world_answer(0, false);
		memcpy(p.source, cases[i].address, 4);
		p.protocol = cases[i].protocol;
		p.source_port = cases[i].port;
		receive_n6_packet(&p);
		expect_counted(what, passes ? GATE_COUNT_DOWNLINK_PACKETS
					    : GATE_COUNT_DOWNLINK_NOT_ALLOWED);
		expect_left(what, passes, 0);
	}
}

Test(gate, ipv6_rules_hold_to_the_bit)
{
	struct packet p = world_request(0, true);

	memset(p.destination + 6, 0xff, 10);
	receive_packet(&p, 0);
	expect_counted("the last of the prefix", GATE_COUNT_UPLINK_PACKETS);
	p.destination[5] = 0x81;
	receive_packet(&p, 0);
	expect_counted("beside the prefix", GATE_COUNT_NOT_ALLOWED);
	p = world_request(0, true);
	memcpy(p.destination, dns_ipv6, 16);
	p.protocol = UDP;
	p.destination_port = 53;
	receive_packet(&p, 0);
	expect_counted("DNS", GATE_COUNT_UPLINK_PACKETS);
	p.destination[15]++;
	receive_packet(&p, 0);
	expect_counted("DNS to another server", GATE_COUNT_FOREIGN_DNS);
	expect_left("DNS to another server", 0, 0);
}

Test(gate, any_address_of_the_64_is_the_ues)
{
	struct packet p = world_request(0, true);

	memset(p.source + 8, 0x77, 8);
	receive_packet(&p, 0);
	expect_counted("another interface identifier", GATE_COUNT_UPLINK_PACKETS);
	p = world_answer(0, true);
	memset(p.destination + 8, 0x77, 8);
	receive_n6_packet(&p);
	expect_counted("and back", GATE_COUNT_DOWNLINK_PACKETS);
}

Test(gate, a_burst_of_all_kinds_is_sorted_out)
{
	for (unsigned int i = 0; i < NET_BURST; i++) {
		struct packet p = world_request(i % WORLD_SESSIONS, i % 2);
		struct octets inner, message, frame;

		if (i % 4 == 3)
			p.destination[3] ^= 1;
		inner = world_packet(&p);
		message = world_g_pdu(&inner, world_teid(i % WORLD_SESSIONS));
		frame = world_n3_frame(&message, world_sessions[i % WORLD_SESSIONS].an, 40000);
		world_send(N3, &frame);
	}
	world_poll();
	cr_expect_eq(counted(GATE_COUNT_UPLINK_PACKETS), 48);
	cr_expect_eq(counted(GATE_COUNT_NOT_ALLOWED), 16);
	expect_left("burst", 0, 48);
}

/* ---------------------------------------------------------------- GTP-U */

Test(gate, malformed_gtp_u_is_told_apart)
{
	struct packet p = world_request(0, false);
	struct octets inner = world_packet(&p), message = world_g_pdu(&inner, world_teid(0)), bad;

	bad = message;
	bad.n = 7;
	receive(&bad, 0);
	expect_counted("7 octets", GATE_COUNT_GTPU_TRUNCATED);
	bad = message;
	bad.n--;
	receive(&bad, 0);
	expect_counted("shorter than it says", GATE_COUNT_GTPU_TRUNCATED);
	bad = message;
	bad.p[0] = 0x54;
	receive(&bad, 0);
	expect_counted("version 2", GATE_COUNT_GTPU_VERSION);
	bad = message;
	bad.p[12] = 0;
	receive(&bad, 0);
	expect_counted("an extension header of length 0", GATE_COUNT_GTPU_EXTENSION);
	expect_left("an extension header of length 0", 0, 0);
	bad = message;
	bad.p[1] = 254 - 1;
	receive(&bad, 0);
	expect_counted("a type of nobody", GATE_COUNT_GTPU_UNKNOWN);
	expect_left("a type of nobody", 0, 0);
}

Test(gate, an_extension_header_that_must_be_understood_is_answered)
{
	struct packet p = world_request(0, false);
	struct octets inner = world_packet(&p), message = world_g_pdu(&inner, world_teid(0));

	message.p[11] = 0xc0;
	receive(&message, 0);
	expect_counted("PDCP number", GATE_COUNT_GTPU_EXTENSION);
	expect_left("PDCP number", 1, 0);
	cr_expect_eq(sent_message(0).type, GTPU_SUPPORTED_EXTENSION_HEADERS);
}

Test(gate, an_echo_request_is_answered_to_its_port)
{
	struct octets request, frame;

	request.n = gtpu_encode_echo_request(request.p, sizeof(request.p), 0x4321);
	for (int an = 0; an < 3; an += 2) {
		frame = world_n3_frame(&request, an, 33333);
		world_send(N3, &frame);
		world_poll();
		expect_counted("echo", GATE_COUNT_ECHO_REQUESTS);
		expect_left("echo", 1, 0);
		struct gtpu_header h = sent_message(0);

		cr_expect_eq(h.type, GTPU_ECHO_RESPONSE);
		cr_expect_eq(h.sequence, 0x4321);
		cr_expect_eq(load_be16(w.got[N3][0].p + ETHER + (an == 2 ? 40 : 20) + 2), 33333);
	}
}

Test(gate, signalling_without_an_answer_is_counted)
{
	struct octets m;

	m.n = gtpu_encode_echo_response(m.p, sizeof(m.p), 1);
	receive(&m, 0);
	expect_counted("echo response", GATE_COUNT_ECHO_RESPONSES);
	m.n = gtpu_encode_end_marker(m.p, sizeof(m.p), world_teid(0));
	receive(&m, 0);
	expect_counted("end marker", GATE_COUNT_END_MARKERS);
	m.n = gtpu_encode_supported_extensions(m.p, sizeof(m.p), 1);
	receive(&m, 0);
	expect_counted("supported extensions", GATE_COUNT_SUPPORTED_EXTENSIONS);
	expect_left("supported extensions", 0, 0);
}

static struct octets error_indication(uint32_t an_teid, int an)
{
	struct octets m;

	m.n = gtpu_encode_error_indication(m.p, sizeof(m.p), an_teid,
					   an == 2 ? an_ipv6 : an_ipv4[an], an == 2 ? 16 : 4);
	return m;
}

static uint32_t next_event(unsigned int shard)
{
	void *teid;

	return rte_ring_dequeue(w.events[shard], &teid) == 0 ? (uint32_t)(uintptr_t)teid : 0;
}

Test(gate, an_error_indication_is_told_to_the_sessions_shard)
{
	for (unsigned int i = 0; i < WORLD_SESSIONS; i++) {
		int an = world_sessions[i].an;
		struct octets m = error_indication(world_session(i).an_teid, an);

		receive(&m, an);
		expect_counted("error indication", GATE_COUNT_ERROR_INDICATIONS);
		cr_expect_eq(next_event(world_sessions[i].shard), world_teid(i));
		cr_expect_eq(next_event(!world_sessions[i].shard), 0);
	}
}

Test(gate, an_access_node_speaks_for_its_own_sessions_alone)
{
	struct octets m = error_indication(world_session(0).an_teid, 0);

	receive(&m, 1);
	expect_counted("another's TEID", GATE_COUNT_ERROR_INDICATIONS);
	cr_expect_eq(next_event(0), 0);
	m = error_indication(world_session(0).an_teid + 1, 0);
	receive(&m, 0);
	expect_counted("a TEID of nobody", GATE_COUNT_ERROR_INDICATIONS);
	cr_expect_eq(next_event(0), 0);
	world_close(0);
	m = error_indication(world_session(0).an_teid, 0);
	receive(&m, 0);
	expect_counted("a closed session's", GATE_COUNT_ERROR_INDICATIONS);
	cr_expect_eq(next_event(0), 0);
	m.n = 20;
	store_be16(m.p + 2, 12);
	receive(&m, 0);
	expect_counted("without an address", GATE_COUNT_GTPU_TRUNCATED);
	expect_left("without an address", 0, 0);
}

Test(gate, events_that_control_has_no_room_for_are_counted)
{
	struct octets m = error_indication(world_session(0).an_teid, 0);

	for (unsigned int i = 0; i < WORLD_EVENTS - 1; i++)
		receive(&m, 0);
	look();
	receive(&m, 0);
	expect_counted("full", GATE_COUNT_ERROR_INDICATIONS, GATE_COUNT_EVENT_RING_FULL);
}

/* ---------------------------------------------------------------- sessions */

static void expect_refused(const struct octets *message, enum gate_counter why, const char *what)
{
	receive(message, 0);
	expect_counted(what, why, GATE_COUNT_ERROR_INDICATIONS_SENT);
	expect_left(what, 1, 0);
	struct gtpu_header h = sent_message(0);

	cr_expect_eq(h.type, GTPU_ERROR_INDICATION);
	cr_expect_eq(load_be32(h.payload.p + 1), load_be32(message->p + 4));
	cr_expect_arr_eq(h.payload.p + 8, n3_ipv4, 4);
}

Test(gate, an_unknown_teid_gets_an_error_indication)
{
	struct packet p = world_request(0, false);
	struct octets inner = world_packet(&p), m;
	uint32_t teid = world_teid(0);

	m = world_g_pdu(&inner, UINT32_MAX);
	expect_refused(&m, GATE_COUNT_UNKNOWN_TEID, "beyond the table");
	m = world_g_pdu(&inner, teid + (1 << 24));
	expect_refused(&m, GATE_COUNT_UNKNOWN_TEID, "another generation");
	m = world_g_pdu(&inner, teid + 1);
	expect_refused(&m, GATE_COUNT_UNKNOWN_TEID, "a free slot");
}

/* TS 29.281 7.3.1: only about another. */
Test(gate, teid_0_gets_no_error_indication)
{
	struct packet p = world_request(0, false);
	struct octets inner = world_packet(&p), m = world_g_pdu(&inner, 0);

	receive(&m, 0);
	expect_counted("TEID 0", GATE_COUNT_UNKNOWN_TEID);
	expect_left("TEID 0", 0, 0);
}

Test(gate, an_error_indication_about_teid_0_ends_no_session)
{
	struct gate_session s = world_session(0);
	struct octets m = error_indication(0, 0);

	s.an_teid = 0; /* its access node has not answered */
	cr_assert(gate_table_open(w.shared.table, 0, 1, &s));
	receive(&m, 0);
	expect_counted("TEID 0", GATE_COUNT_ERROR_INDICATIONS);
	cr_expect_eq(next_event(0), 0);
}

Test(gate, error_indications_have_a_pace)
{
	struct packet p = world_request(0, false);
	struct octets inner = world_packet(&p), m = world_g_pdu(&inner, UINT32_MAX);

	for (unsigned int i = 0; i < 2000; i++)
		receive(&m, 0);
	cr_expect_eq(counted(GATE_COUNT_UNKNOWN_TEID), 2000);
	/* 125 at once, and 1,000 a second: it took less than a second, or the test says nothing. */
	cr_expect_geq(counted(GATE_COUNT_ERROR_INDICATIONS_SENT), 100);
	cr_expect_lt(counted(GATE_COUNT_ERROR_INDICATIONS_SENT), 2000);
}

Test(gate, an_access_nodes_junk_costs_no_other_an_error_indication)
{
	struct packet p = world_request(0, false);
	struct octets inner = world_packet(&p), m = world_g_pdu(&inner, UINT32_MAX), frame;

	/* In a few turns, in which there is hardly another token. */
	for (unsigned int i = 0; i < 200; i++) {
		frame = world_n3_frame(&m, i == 199 ? 1 : 0, 40000);
		world_send(N3, &frame);
	}
	world_poll();
	cr_assert_gt(w.n_got[N3], 0);
	cr_expect_arr_eq(w.got[N3][w.n_got[N3] - 1].p + ETHER + 16, an_ipv4[1], 4);
}

Test(gate, a_teid_of_another_access_node_is_dropped)
{
	struct packet p = world_request(0, false);
	struct octets inner = world_packet(&p), m = world_g_pdu(&inner, world_teid(0));

	receive(&m, 1);
	expect_counted("IPv4", GATE_COUNT_WRONG_AN);
	receive(&m, 2);
	expect_counted("IPv6", GATE_COUNT_WRONG_AN);
	expect_left("IPv6", 0, 0);
}

Test(gate, nothing_passes_before_and_after_a_session)
{
	struct packet up = world_request(0, false), down = world_answer(0, false);
	struct octets inner = world_packet(&up), m = world_g_pdu(&inner, world_teid(0));
	struct octets answer = world_packet(&down), fresh;

	world_close(0);
	expect_refused(&m, GATE_COUNT_ENDED_TEID, "after its end");
	receive_n6(&answer);
	expect_counted("after its end", GATE_COUNT_NO_SESSION);
	fresh = world_g_pdu(&inner, world_teid(0));
	expect_refused(&fresh, GATE_COUNT_UNKNOWN_TEID, "before the next");
	world_open(0);
	expect_refused(&m, GATE_COUNT_ENDED_TEID, "the TEID before");
	receive(&fresh, 0);
	expect_counted("the next", GATE_COUNT_UPLINK_PACKETS);
	receive_n6(&answer);
	expect_counted("the next", GATE_COUNT_DOWNLINK_PACKETS);
	world_close(0);
	expect_refused(&m, GATE_COUNT_UNKNOWN_TEID, "the TEID before that");
}

Test(gate, an_address_without_a_session_gets_nothing)
{
	struct packet p = world_answer(0, false);

	p.destination[3]++;
	receive_n6_packet(&p);
	expect_counted("free", GATE_COUNT_NO_SESSION);
	store_be32(p.destination, WORLD_IPV4 + 256);
	receive_n6_packet(&p);
	expect_counted("beside the pool", GATE_COUNT_NO_SESSION);
	p = world_answer(0, true);
	p.destination[7]++;
	receive_n6_packet(&p);
	expect_counted("free /64", GATE_COUNT_NO_SESSION);
	p.destination[0] = 0xfd;
	receive_n6_packet(&p);
	expect_counted("beside the pool of /64s", GATE_COUNT_NO_SESSION);
	expect_left("beside the pool of /64s", 0, 0);
}

/* ---------------------------------------------------------------- inner packets */

Test(gate, a_spoofed_source_is_dropped)
{
	struct packet p = world_request(0, false);

	world_ue_address(1, false, p.source);
	receive_packet(&p, 0);
	expect_counted("another UE's", GATE_COUNT_SPOOFED_SOURCE);
	memcpy(p.source, n6_ipv4, 4);
	receive_packet(&p, 0);
	expect_counted("ours", GATE_COUNT_SPOOFED_SOURCE);
	memset(p.source, 0, 4);
	receive_packet(&p, 0);
	expect_counted("none", GATE_COUNT_SPOOFED_SOURCE);
	p = world_request(0, true);
	world_ue_address(1, true, p.source);
	receive_packet(&p, 0);
	expect_counted("another UE's /64", GATE_COUNT_SPOOFED_SOURCE);
	memset(p.source, 0, 16);
	store_be16(p.source, 0xfe80);
	store_be64(p.source + 8, world_session(0).interface_id);
	receive_packet(&p, 0);
	expect_counted("the link-local one", GATE_COUNT_SPOOFED_SOURCE);
	expect_left("the link-local one", 0, 0);
}

Test(gate, a_session_without_a_family_sends_nothing_of_it)
{
	struct gate_session s = world_session(0);
	struct packet p4 = world_request(0, false), p6 = world_request(0, true);

	s.ipv4 = 0;
	cr_assert(gate_table_open(w.shared.table, 0, 1, &s));
	memset(p4.source, 0, 4);
	receive_packet(&p4, 0);
	expect_counted("without IPv4", GATE_COUNT_SPOOFED_SOURCE);
	s = world_session(0);
	s.ipv6_prefix = 0;
	cr_assert(gate_table_open(w.shared.table, 0, 1, &s));
	memset(p6.source, 0, 8);
	receive_packet(&p6, 0);
	expect_counted("without IPv6", GATE_COUNT_SPOOFED_SOURCE);
	expect_left("without IPv6", 0, 0);
}

Test(gate, a_truncated_inner_packet_is_dropped)
{
	for (unsigned int v6 = 0; v6 < 2; v6++) {
		struct packet p = world_request(0, v6);
		struct octets whole = world_packet(&p), cut;

		for (size_t n = 0; n < whole.n; n++) {
			char what[32];

			snprintf(what, sizeof(what), "%zu octets", n);
			cut = whole;
			cut.n = n;
			receive_inner(&cut, 0);
			expect_counted(what, GATE_COUNT_INNER_TRUNCATED);
			expect_left(what, 0, 0);
		}
	}
}

Test(gate, headers_that_lie_about_their_length_are_dropped)
{
	struct packet p = world_request(0, false);
	struct octets o = world_packet(&p);

	o.p[0] = 0x44;
	receive_inner(&o, 0);
	expect_counted("a header of 16 octets", GATE_COUNT_INNER_BAD);
	o = world_packet(&p);
	store_be16(o.p + 2, 19);
	world_fix_ipv4(o.p);
	receive_inner(&o, 0);
	expect_counted("shorter than its header", GATE_COUNT_INNER_BAD);
	o = world_packet(&p);
	o.p[10] ^= 1;
	receive_inner(&o, 0);
	expect_counted("checksum", GATE_COUNT_INNER_BAD);
	o = world_packet(&p);
	o.p[0] = 0x55;
	receive_inner(&o, 0);
	expect_counted("version 5", GATE_COUNT_INNER_BAD);
	o = world_packet(&p);
	o.p[20 + 12] = 0x40;
	receive_inner(&o, 0);
	expect_counted("a TCP header of 16 octets", GATE_COUNT_INNER_TRUNCATED);
	o.p[20 + 12] = 0xf0;
	receive_inner(&o, 0);
	expect_counted("a TCP header beyond the packet", GATE_COUNT_INNER_TRUNCATED);
	p.protocol = UDP;
	memcpy(p.destination, dns_ipv4, 4);
	p.destination_port = 53;
	o = world_packet(&p);
	store_be16(o.p + 24, 7);
	receive_inner(&o, 0);
	expect_counted("a UDP length of 7", GATE_COUNT_INNER_TRUNCATED);
	store_be16(o.p + 24, 20);
	receive_inner(&o, 0);
	expect_counted("a UDP length beyond the packet", GATE_COUNT_INNER_TRUNCATED);
	expect_left("a UDP length beyond the packet", 0, 0);
}

Test(gate, octets_behind_the_inner_packet_do_not_leave)
{
	struct packet p = world_request(0, false);
	struct octets inner = world_packet(&p), longer = inner;

	memset(longer.p + longer.n, 0xee, 100);
	longer.n += 100;
	receive_inner(&longer, 0);
	expect_counted("trailer", GATE_COUNT_UPLINK_PACKETS);
	expect_forwarded(&inner, &w.got[N6][0], ETHER);
}

Test(gate, uplink_fragments_are_dropped)
{
	static const uint16_t flags[] = {0x2000, 0x2001, 1, 0x1fff};

	for (size_t i = 0; i < RTE_DIM(flags); i++) {
		struct packet p = world_request(0, false);

		p.flags = flags[i];
		receive_packet(&p, 0);
		expect_counted("IPv4", GATE_COUNT_UPLINK_FRAGMENT);
	}
	struct packet p = world_request(0, true);
	struct octets o;

	world_put_ip(&o, &p, 8 + 20);
	o.p[6] = 44;
	memset(o.p + 40, 0, 28);
	o.p[40] = TCP;
	o.p[43] = 1;
	receive_inner(&o, 0);
	expect_counted("IPv6", GATE_COUNT_UPLINK_FRAGMENT);
	o.p[43] = 0;
	receive_inner(&o, 0);
	expect_counted("atomic", GATE_COUNT_UPLINK_FRAGMENT);
	expect_left("atomic", 0, 0);
}

Test(gate, options_and_extension_headers_are_dropped)
{
	static const uint8_t extensions[] = {0, 43, 50, 51, 59, 60, 135, 139, 140, 253, 254};
	struct packet p = world_request(0, false);
	struct octets o = world_packet(&p);

	memmove(o.p + 24, o.p + 20, o.n - 20);
	memcpy(o.p + 20, "\x83\x03\x04\0", 4); /* loose source route */
	o.n += 4;
	o.p[0] = 0x46;
	store_be16(o.p + 2, (uint16_t)o.n);
	world_fix_ipv4(o.p);
	receive_inner(&o, 0);
	expect_counted("source route", GATE_COUNT_EXTENSION_HEADER);
	p = world_request(0, true);
	for (size_t i = 0; i < RTE_DIM(extensions); i++) {
		o = world_packet(&p);
		o.p[6] = extensions[i];
		o.p[40] = TCP;
		o.p[41] = 0;
		receive_inner(&o, 0);
		expect_counted("extension header", GATE_COUNT_EXTENSION_HEADER);
	}
	expect_left("extension header", 0, 0);
}

Test(gate, other_protocols_are_dropped)
{
	struct packet p = world_request(0, false);
	struct octets o = world_packet(&p);

	for (unsigned int protocol = 0; protocol < 256; protocol++) {
		if (protocol == TCP || protocol == UDP)
			continue;
		o.p[9] = (uint8_t)protocol;
		world_fix_ipv4(o.p);
		receive_inner(&o, 0);
		expect_counted("IPv4", GATE_COUNT_UPLINK_PROTOCOL);
	}
	o = world_icmp(&p, 8, 0, NULL, 8);
	receive_inner(&o, 0);
	expect_counted("ICMP echo", GATE_COUNT_UPLINK_PROTOCOL);
	p = world_request(0, true);
	o = world_icmp(&p, 128, 0, NULL, 8);
	receive_inner(&o, 0);
	expect_counted("ICMPv6 echo", GATE_COUNT_UPLINK_PROTOCOL);
	expect_left("ICMPv6 echo", 0, 0);
}

Test(gate, a_tunnel_in_the_tunnel_is_dropped)
{
	struct packet p = world_request(1, false);
	struct octets innermost = world_packet(&p), nested = world_g_pdu(&innermost, world_teid(1));

	p = world_request(0, false);
	p.protocol = UDP;
	p.destination_port = GTPU_PORT;
	p.payload = nested.n;
	memcpy(p.destination, n3_ipv4, 4);
	struct octets inner = world_packet(&p);

	memcpy(inner.p + 28, nested.p, nested.n);
	receive_inner(&inner, 0);
	expect_counted("to us", GATE_COUNT_NESTED_TUNNEL);
	memcpy(inner.p + 16, smdp_ipv4, 4);
	world_fix_ipv4(inner.p);
	receive_inner(&inner, 0);
	expect_counted("to the SM-DP+", GATE_COUNT_NESTED_TUNNEL);
	expect_left("to the SM-DP+", 0, 0);
	p = world_request(0, true);
	p.protocol = UDP;
	p.destination_port = GTPU_PORT;
	receive_packet(&p, 0);
	expect_counted("over IPv6", GATE_COUNT_NESTED_TUNNEL);
}

/* ---------------------------------------------------------------- downlink */

Test(gate, downlink_of_another_form_is_dropped)
{
	struct packet p = world_answer(0, false);
	struct octets o = world_packet(&p);

	o.p[9] = 47;
	world_fix_ipv4(o.p);
	receive_n6(&o);
	expect_counted("GRE", GATE_COUNT_DOWNLINK_BAD);
	o = world_icmp(&p, 8, 0, NULL, 8);
	receive_n6(&o);
	expect_counted("ICMP echo", GATE_COUNT_DOWNLINK_BAD);
	o = world_packet(&p);
	o.p[20 + 12] = 0x10;
	receive_n6(&o);
	expect_counted("TCP", GATE_COUNT_DOWNLINK_BAD);
	o = world_packet(&p);
	memmove(o.p + 24, o.p + 20, o.n - 20);
	memcpy(o.p + 20, "\x01\x01\x01\0", 4);
	o.n += 4;
	o.p[0] = 0x46;
	store_be16(o.p + 2, (uint16_t)o.n);
	world_fix_ipv4(o.p);
	receive_n6(&o);
	expect_counted("options", GATE_COUNT_DOWNLINK_BAD);
	p = world_answer(0, true);
	o = world_packet(&p);
	o.p[6] = 60;
	receive_n6(&o);
	expect_counted("extension header", GATE_COUNT_DOWNLINK_BAD);
	expect_left("extension header", 0, 0);
}

Test(gate, downlink_fragments_are_judged_by_what_they_show)
{
	struct packet p = world_answer(0, false);

	p.flags = 0x2000;
	receive_n6_packet(&p);
	expect_counted("the first", GATE_COUNT_DOWNLINK_PACKETS);
	p.source_port = 80;
	receive_n6_packet(&p);
	expect_counted("the first, of another port", GATE_COUNT_DOWNLINK_NOT_ALLOWED);
	p.flags = 5;
	receive_n6_packet(&p);
	expect_counted("a later one", GATE_COUNT_DOWNLINK_PACKETS);
	p.source[3]++;
	receive_n6_packet(&p);
	expect_counted("a later one of somebody", GATE_COUNT_DOWNLINK_NOT_ALLOWED);
	p = world_answer(0, false);
	p.flags = 5;
	p.protocol = UDP;
	receive_n6_packet(&p);
	expect_counted("a later one, of another protocol", GATE_COUNT_DOWNLINK_NOT_ALLOWED);
	p = world_answer(0, false);
	struct octets o;

	/* TCP and UDP, if the uppermost bit is not looked at; and ICMP. */
	static const uint8_t protocols[] = {134, 145, ICMP};

	for (size_t i = 0; i < RTE_DIM(protocols); i++) {
		p.flags = 5;
		o = world_packet(&p);
		o.p[9] = protocols[i];
		world_fix_ipv4(o.p);
		receive_n6(&o);
		expect_counted("a later one, of no protocol that passes", GATE_COUNT_DOWNLINK_BAD);
	}
	p = world_answer(0, false);
	o = world_packet(&p);
	o.p[3] = 20 + 12; /* without the flags of TCP */
	o.n = 20 + 12;
	o.p[6] = 0x20;
	world_fix_ipv4(o.p);
	receive_n6(&o);
	expect_counted("a tiny first one", GATE_COUNT_DOWNLINK_BAD);
}

Test(gate, downlink_ipv6_fragments_are_judged_alike)
{
	struct packet p = world_answer(0, true);
	struct octets whole = world_packet(&p), o = whole;

	memmove(o.p + 48, whole.p + 40, whole.n - 40);
	memcpy(o.p + 40, "\x06\0\0\x01\0\0\0\x09", 8);
	o.p[6] = 44;
	o.n += 8;
	store_be16(o.p + 4, (uint16_t)(o.n - 40));
	receive_n6(&o);
	expect_counted("the first", GATE_COUNT_DOWNLINK_PACKETS);
	store_be16(o.p + 48, 80);
	receive_n6(&o);
	expect_counted("the first, of another port", GATE_COUNT_DOWNLINK_NOT_ALLOWED);
	store_be16(o.p + 42, 8 << 3);
	receive_n6(&o);
	expect_counted("a later one", GATE_COUNT_DOWNLINK_PACKETS);
	for (unsigned int i = 0; i < 2; i++) {
		o.p[40] = i ? 145 : 134;
		receive_n6(&o);
		expect_counted("a later one, of no protocol that passes", GATE_COUNT_DOWNLINK_BAD);
	}
	o.p[40] = TCP;
	o.p[8 + 5]++;
	receive_n6(&o);
	expect_counted("a later one of somebody", GATE_COUNT_DOWNLINK_NOT_ALLOWED);
	o.p[40] = 60;
	receive_n6(&o);
	expect_counted("with more extension headers", GATE_COUNT_DOWNLINK_BAD);
}

/* From a router on the way, about what the UE sent. */
static struct octets router_error(unsigned int session, bool v6, uint8_t type,
				  const struct packet *quoted, size_t n)
{
	struct packet p = world_answer(session, v6);
	struct octets q = world_packet(quoted);

	p.source[2] = 77;
	return world_icmp(&p, type, 0, &q, n);
}

Test(gate, icmp_errors_about_what_the_ue_sent_pass)
{
	static const uint8_t types[2][4] = {{3, 11}, {1, 2, 3, 4}};

	for (unsigned int v6 = 0; v6 < 2; v6++)
		for (unsigned int i = 0; i < 4 && types[v6][i]; i++) {
			struct packet quoted = world_request(0, v6);
			struct octets o = router_error(0, v6, types[v6][i], &quoted, v6 ? 48 : 28);

			receive_n6(&o);
			expect_counted("error", GATE_COUNT_DOWNLINK_PACKETS);
			expect_left("error", 1, 0);
		}
}

Test(gate, icmp_errors_about_anything_else_do_not)
{
	struct packet q = world_request(0, false);
	struct octets o = router_error(0, false, 5, &q, 28);

	receive_n6(&o);
	expect_counted("redirect", GATE_COUNT_DOWNLINK_BAD);
	o = router_error(0, false, 3, &q, 27);
	receive_n6(&o);
	expect_counted("without ports", GATE_COUNT_DOWNLINK_BAD);
	o = router_error(0, false, 3, &q, 28);
	o.p[22] ^= 1;
	receive_n6(&o);
	expect_counted("checksum", GATE_COUNT_DOWNLINK_BAD);
	q = world_request(1, false);
	o = router_error(0, false, 3, &q, 28);
	receive_n6(&o);
	expect_counted("of another UE's packet", GATE_COUNT_DOWNLINK_NOT_ALLOWED);
	q = world_request(0, false);
	q.destination_port = 80;
	o = router_error(0, false, 3, &q, 28);
	receive_n6(&o);
	expect_counted("of what was not allowed", GATE_COUNT_DOWNLINK_NOT_ALLOWED);
	q = world_request(0, false);
	q.flags = 1;
	o = router_error(0, false, 3, &q, 28);
	receive_n6(&o);
	expect_counted("of a fragment", GATE_COUNT_DOWNLINK_BAD);
	q = world_request(0, true);
	o = router_error(0, true, 5, &q, 48);
	receive_n6(&o);
	expect_counted("ICMPv6 of no error", GATE_COUNT_DOWNLINK_BAD);
	expect_left("ICMPv6 of no error", 0, 0);
}

/* 134 and 145 are TCP and UDP with the bit that stands for a port that is not known. */
Test(gate, icmp_errors_about_protocols_that_do_not_pass_do_not)
{
	static const uint8_t protocols[] = {134, 145, ICMP, ICMPV6};

	for (unsigned int v6 = 0; v6 < 2; v6++)
		for (size_t i = 0; i < RTE_DIM(protocols); i++) {
			struct packet quoted = world_request(0, v6);
			struct octets o;

			quoted.protocol = protocols[i];
			quoted.destination_port = 80;
			o = router_error(0, v6, 3, &quoted, v6 ? 48 : 28);
			receive_n6(&o);
			expect_counted("error", GATE_COUNT_DOWNLINK_BAD);
			expect_left("error", 0, 0);
		}
}

/* ---------------------------------------------------------------- TTL and MTU */

/* An ICMP error of ours, about this packet. */
static void expect_error(const uint8_t *ip, uint8_t type, uint8_t code, uint32_t rest,
			 const struct octets *about)
{
	bool v6 = ip[0] >> 4 == 6;
	struct octets copy = {.n = load_be16(ip + (v6 ? 4 : 2)) + (v6 ? 40u : 0u)};
	uint8_t *icmp = copy.p + (v6 ? 40 : 20);
	uint16_t sum;

	memcpy(copy.p, ip, copy.n);
	cr_expect_arr_eq(copy.p + (v6 ? 8 : 12), v6 ? n6_ipv6 : n6_ipv4, v6 ? 16 : 4);
	cr_expect_arr_eq(copy.p + (v6 ? 24 : 16), about->p + (v6 ? 8 : 12), v6 ? 16 : 4);
	cr_expect_eq(icmp[0], type);
	cr_expect_eq(icmp[1], code);
	cr_expect_eq(load_be32(icmp + 4), rest);
	size_t quoted = copy.n - (v6 ? 48 : 28);

	cr_expect_leq(copy.n, v6 ? 1280 : 576);
	cr_expect_arr_eq(icmp + 8, about->p, quoted);
	sum = load_be16(icmp + 2);
	world_fix_upper(copy.p, v6 ? ICMPV6 : ICMP, icmp, 8 + quoted, 2);
	cr_expect_eq(load_be16(icmp + 2), sum);
	if (!v6)
		cr_expect_eq(world_fold(world_sum(copy.p, 20, 0)), 0);
}

Test(gate, a_used_up_ttl_is_told_to_the_sender)
{
	for (unsigned int v6 = 0; v6 < 2; v6++)
		for (uint8_t ttl = 0; ttl < 2; ttl++) {
			struct packet p = world_request(0, v6);
			struct octets o;

			p.ttl = ttl;
			o = world_packet(&p);
			receive_inner(&o, 0);
			expect_counted("uplink", GATE_COUNT_TTL, GATE_COUNT_ICMP_SENT);
			expect_left("uplink", 1, 0);
			expect_error(sent_message(0).payload.p, v6 ? 3 : 11, 0, 0, &o);
			p = world_answer(0, v6);
			p.ttl = ttl;
			o = world_packet(&p);
			receive_n6(&o);
			expect_counted("downlink", GATE_COUNT_TTL, GATE_COUNT_ICMP_SENT);
			expect_left("downlink", 0, 1);
			expect_error(w.got[N6][0].p + ETHER, v6 ? 3 : 11, 0, 0, &o);
		}
}

Test(gate, no_icmp_is_sent_about_icmp_or_a_later_fragment)
{
	struct packet p = world_answer(0, false), q = world_request(0, false);
	struct octets o;

	p.ttl = 1;
	p.flags = 5;
	receive_n6_packet(&p);
	expect_counted("a later fragment", GATE_COUNT_TTL);
	o = router_error(0, false, 3, &q, 28);
	o.p[8] = 1;
	world_fix_ipv4(o.p);
	receive_n6(&o);
	expect_counted("an error", GATE_COUNT_TTL);
	expect_left("an error", 0, 0);
}

Test(gate, what_fills_the_tunnel_exactly_passes)
{
	struct packet p = world_answer(0, false);

	cr_expect_eq(gate_mtu(&w.nifs[N3], 4), TUNNEL_MTU);
	cr_expect_eq(gate_mtu(&w.nifs[N3], 6), TUNNEL_MTU - 20);
	p.flags = 0x4000;
	p.payload = TUNNEL_MTU - 40;
	receive_n6_packet(&p);
	expect_counted("the MTU", GATE_COUNT_DOWNLINK_PACKETS);
	cr_expect_eq(w.got[N3][0].n, ETHER + 1500);
	p.payload++;
	struct octets o = world_packet(&p);

	receive_n6(&o);
	expect_counted("an octet more", GATE_COUNT_TOO_BIG, GATE_COUNT_ICMP_SENT);
	expect_left("an octet more", 0, 1);
	expect_error(w.got[N6][0].p + ETHER, 3, 4, TUNNEL_MTU, &o);
}

Test(gate, ipv6_that_is_too_big_is_told_to_the_sender)
{
	struct packet p = world_answer(2, true);
	struct octets o;

	p.payload = TUNNEL_MTU - 20 - 60 + 1;
	o = world_packet(&p);
	receive_n6(&o);
	expect_counted("downlink", GATE_COUNT_TOO_BIG, GATE_COUNT_ICMP_SENT);
	expect_left("downlink", 0, 1);
	expect_error(w.got[N6][0].p + ETHER, 2, 0, TUNNEL_MTU - 20, &o);
	w.nifs[N6].mtu = 1280;
	p = world_request(2, true);
	p.payload = 1280 - 60 + 1;
	o = world_packet(&p);
	receive_inner(&o, 2);
	expect_counted("uplink", GATE_COUNT_TOO_BIG, GATE_COUNT_ICMP_SENT);
	expect_left("uplink", 1, 0);
	expect_error(sent_message(0).payload.p, 2, 0, 1280, &o);
}

/* RFC 4443 wants it of IPv6, RFC 1122 forbids it of IPv4. */
Test(gate, a_later_fragment_that_is_too_big_is_reported_in_ipv6_alone)
{
	struct packet p = world_answer(0, true);
	struct octets o;

	p.payload = 1500 - 60;
	o = world_packet(&p);
	o.p[6] = 44;
	memcpy(o.p + 40, "\x06\0\0\x08\0\0\0\x09", 8);
	receive_n6(&o);
	expect_counted("IPv6", GATE_COUNT_TOO_BIG, GATE_COUNT_ICMP_SENT);
	expect_left("IPv6", 0, 1);
	expect_error(w.got[N6][0].p + ETHER, 2, 0, TUNNEL_MTU, &o);
	p = world_answer(0, false);
	p.payload = 1500 - 40;
	p.flags = 0x4001;
	receive_n6_packet(&p);
	expect_counted("IPv4", GATE_COUNT_TOO_BIG);
	expect_left("IPv4", 0, 0);
}

/* Whatever the pieces, they make the packet again. */
static void expect_pieces(const struct octets *whole, const uint8_t *const *pieces, unsigned int n,
			  unsigned int mtu)
{
	struct octets got = {.n = 20};

	for (unsigned int i = 0; i < n; i++) {
		const uint8_t *ip = pieces[i];
		size_t at = (load_be16(ip + 6) & 0x1fff) * 8u, size = load_be16(ip + 2) - 20u;

		cr_expect_leq(size + 20, mtu);
		cr_expect_eq((load_be16(ip + 6) & 0x2000) != 0, i + 1 < n);
		cr_expect_eq(world_fold(world_sum(ip, 20, 0)), 0, "checksum");
		cr_expect_eq(ip[8], 63);
		memcpy(got.p + 20 + at, ip + 20, size);
		got.n += size;
	}
	cr_assert_eq(got.n, whole->n);
	cr_expect_arr_eq(got.p + 20, whole->p + 20, whole->n - 20);
}

Test(gate, ipv4_that_may_be_fragmented_is)
{
	struct packet p = world_answer(0, false);
	const uint8_t *pieces[2];
	struct octets o;

	p.payload = 1500 - 40;
	o = world_packet(&p);
	receive_n6(&o);
	expect_counted("downlink", GATE_COUNT_DOWNLINK_PACKETS, GATE_COUNT_FRAGMENTED);
	expect_left("downlink", 2, 0);
	for (unsigned int i = 0; i < 2; i++) {
		cr_expect_eq(sent_message(i).teid, world_session(0).an_teid);
		pieces[i] = sent_message(i).payload.p;
	}
	expect_pieces(&o, pieces, 2, TUNNEL_MTU);
	w.nifs[N6].mtu = 576;
	p = world_request(0, false);
	p.payload = 1000;
	o = world_packet(&p);
	receive_inner(&o, 0);
	expect_counted("uplink", GATE_COUNT_UPLINK_PACKETS, GATE_COUNT_FRAGMENTED);
	expect_left("uplink", 0, 2);
	for (unsigned int i = 0; i < 2; i++)
		pieces[i] = w.got[N6][i].p + ETHER;
	expect_pieces(&o, pieces, 2, 576);
}

/* The array of ports ends where the sanitizer sees it. */
Test(gate, without_a_port_of_the_family_nothing_is_said)
{
	struct net_if *nifs = malloc(sizeof(w.nifs));
	const struct net_if *all = w.shared.nifs;

	cr_assert_not_null(nifs);
	memcpy(nifs, w.nifs, sizeof(w.nifs));
	w.shared.nifs = nifs;
	w.shared.n6_ipv4 = w.shared.n6_ipv6 = w.shared.n_nifs;
	for (unsigned int v6 = 0; v6 < 2; v6++) {
		struct packet p = world_answer(0, v6);

		p.ttl = 1;
		receive_n6_packet(&p);
		expect_counted("TTL", GATE_COUNT_TTL);
		p = world_answer(0, v6);
		p.flags = 0x4000;
		p.payload = 1500 - 60;
		receive_n6_packet(&p);
		expect_counted("too big", GATE_COUNT_TOO_BIG);
		p = world_request(0, v6);
		receive_packet(&p, 0);
		expect_counted("uplink", GATE_COUNT_NO_NEIGHBOUR);
		expect_left("uplink", 0, 0);
	}
	w.shared.nifs = all;
	free(nifs);
}

/* 32 at once, and ten a second. */
Test(gate, icmp_has_a_pace)
{
	struct packet p = world_request(0, false);
	uint64_t begun = rte_rdtsc();

	p.ttl = 1;
	for (unsigned int i = 0; i < 2000; i++)
		receive_packet(&p, 0);
	uint64_t most = 32 + 1 + 10 * (rte_rdtsc() - begun) / rte_get_tsc_hz();

	cr_expect_eq(counted(GATE_COUNT_TTL), 2000);
	cr_expect_geq(counted(GATE_COUNT_ICMP_SENT), 32);
	cr_expect_leq(counted(GATE_COUNT_ICMP_SENT), most);
}

static void use_up_icmp(unsigned int session)
{
	struct packet p = world_request(session, false);

	p.ttl = 1;
	for (unsigned int i = 0; i < 2000; i++)
		receive_packet(&p, session);
	look();
}

Test(gate, the_icmp_of_one_session_is_no_other_ones)
{
	struct octets o = world_solicitation(2);
	struct packet p;

	use_up_icmp(0);
	receive_inner(&o, 2);
	expect_counted("solicitation", GATE_COUNT_ROUTER_SOLICITATIONS, GATE_COUNT_ICMP_SENT);
	p = world_request(1, false);
	p.ttl = 1;
	receive_packet(&p, 1);
	expect_counted("TTL", GATE_COUNT_TTL, GATE_COUNT_ICMP_SENT);
	for (unsigned int session = 0; session < 2; session++) {
		p = world_answer(session, true);
		p.payload = 1500 - 60;
		receive_n6_packet(&p);
		expect_counted("too big, the other way", GATE_COUNT_TOO_BIG, GATE_COUNT_ICMP_SENT);
	}
}

Test(gate, an_answer_that_has_no_way_costs_no_turn)
{
	struct packet p = world_request(0, false);
	struct gate_session s = world_session(0);

	s.an_addr.a[3] = 102; /* whose MAC nobody knows */
	cr_assert(gate_table_open(w.shared.table, 0, 1, &s));
	use_up_icmp(0);
	world_open(0);
	p.ttl = 1;
	receive_packet(&p, 0);
	expect_counted("with a way", GATE_COUNT_TTL, GATE_COUNT_ICMP_SENT);
}

/* ---------------------------------------------------------------- router */

Test(gate, a_router_solicitation_gets_the_prefix)
{
	struct octets o = world_solicitation(0), advertisement;
	uint8_t *icmp = advertisement.p + 40;

	receive_inner(&o, 0);
	expect_counted("solicitation", GATE_COUNT_ROUTER_SOLICITATIONS, GATE_COUNT_ICMP_SENT);
	expect_left("solicitation", 1, 0);
	struct span got = sent_message(0).payload;

	cr_assert_eq(got.n, 40 + 16 + 32 + 8 + 24);
	memcpy(advertisement.p, got.p, got.n);
	cr_expect_arr_eq(got.p + 24, o.p + 8, 16, "to the UE's link-local address");
	cr_expect_eq(load_be64(got.p + 8), UINT64_C(0xfe80) << 48);
	cr_expect_eq(load_be64(got.p + 16), 1);
	cr_expect_eq(got.p[7], 255);
	cr_expect_eq(icmp[0], 134);
	cr_expect_eq(load_be16(icmp + 6), 9000);
	/* Prefix information: /64, not on the link, for addresses. */
	cr_expect(icmp[16] == 3 && icmp[17] == 4 && icmp[18] == 64 && icmp[19] == 0x40);
	cr_expect_eq(load_be64(icmp + 32), world_session(0).ipv6_prefix);
	cr_expect_eq(load_be64(icmp + 40), 0);
	cr_expect(icmp[48] == 5 && load_be32(icmp + 52) == TUNNEL_MTU);
	cr_expect(icmp[56] == 25 && icmp[57] == 3);
	cr_expect_arr_eq(icmp + 64, dns_ipv6, 16);
	uint16_t sum = load_be16(icmp + 2);

	world_fix_upper(advertisement.p, ICMPV6, icmp, got.n - 40, 2);
	cr_expect_eq(load_be16(icmp + 2), sum);
}

Test(gate, without_a_dns_server_none_is_advertised)
{
	struct octets o = world_solicitation(2);

	w.shared.dns_ipv6.family = 0;
	receive_inner(&o, 2);
	expect_counted("solicitation", GATE_COUNT_ROUTER_SOLICITATIONS, GATE_COUNT_ICMP_SENT);
	cr_expect_eq(sent_message(0).payload.n, 40 + 16 + 32 + 8);
}

Test(gate, a_solicitation_that_breaks_the_rules_is_dropped)
{
	struct octets o = world_solicitation(1);

	receive_inner(&o, 0);
	expect_counted("of another UE", GATE_COUNT_SPOOFED_SOURCE);
	o = world_solicitation(0);
	o.p[7] = 254;
	receive_inner(&o, 0);
	expect_counted("from afar", GATE_COUNT_SPOOFED_SOURCE);
	o = world_solicitation(0);
	o.p[42] ^= 1;
	receive_inner(&o, 0);
	expect_counted("checksum", GATE_COUNT_SPOOFED_SOURCE);
	o = world_solicitation(0);
	o.p[39] = 1;
	world_fix_upper(o.p, ICMPV6, o.p + 40, 8, 2);
	receive_inner(&o, 0);
	expect_counted("to all nodes", GATE_COUNT_SPOOFED_SOURCE);
	expect_left("to all nodes", 0, 0);
}

/* ---------------------------------------------------------------- rates */

static void limited_setup(void)
{
	start_eal();
	world_start(1);
	look();
}

TestSuite(gate_rate, .init = limited_setup, .fini = teardown);

Test(gate_rate, a_session_has_a_pace_in_each_direction)
{
	struct packet up = world_request(0, false), down = world_answer(0, false);

	for (unsigned int i = 0; i < 64; i++)
		receive_packet(&up, 0);
	/* 32 at once, and one more each second: it takes far less than 32 s. */
	cr_expect_geq(counted(GATE_COUNT_UPLINK_PACKETS), 32);
	cr_expect_gt(counted(GATE_COUNT_UPLINK_RATE), 0);
	cr_expect_eq(counted(GATE_COUNT_UPLINK_PACKETS) + counted(GATE_COUNT_UPLINK_RATE), 64);
	for (unsigned int i = 0; i < 64; i++)
		receive_n6_packet(&down);
	cr_expect_geq(counted(GATE_COUNT_DOWNLINK_PACKETS), 32);
	cr_expect_gt(counted(GATE_COUNT_DOWNLINK_RATE), 0);
	look();
	up = world_request(1, false);
	receive_packet(&up, 1);
	expect_counted("another session", GATE_COUNT_UPLINK_PACKETS);
}

Test(gate_rate, solicitations_count_too)
{
	struct octets o = world_solicitation(0);

	for (unsigned int i = 0; i < 64; i++)
		receive_inner(&o, 0);
	cr_expect_geq(counted(GATE_COUNT_ROUTER_SOLICITATIONS), 32);
	cr_expect_gt(counted(GATE_COUNT_UPLINK_RATE), 0);
}

/* ---------------------------------------------------------------- resources */

Test(gate, an_unknown_next_hop_is_asked_for)
{
	struct gate_session s = world_session(0);
	struct packet down = world_answer(0, false);

	s.an_addr.a[3] = 102;
	cr_assert(gate_table_open(w.shared.table, 0, 1, &s));
	receive_n6_packet(&down);
	expect_counted("unknown", GATE_COUNT_NO_NEIGHBOUR);
	cr_assert_eq(w.n_got[N3], 1);
	cr_expect_eq(load_be16(w.got[N3][0].p + 12), TYPE_ARP);
	cr_expect_arr_eq(w.got[N3][0].p + ETHER + 24, s.an_addr.a, 4);
	receive_n6_packet(&down);
	expect_counted("asked already", GATE_COUNT_NO_NEIGHBOUR);
	cr_expect_eq(w.n_got[N3], 0);
	world_learn(N3, false, s.an_addr.a, an_mac);
	receive_n6_packet(&down);
	cr_expect_eq(counted(GATE_COUNT_DOWNLINK_PACKETS), 1);
}

Test(gate, a_data_network_without_a_route_gets_nothing)
{
	struct packet p = world_request(0, false);

	w.nifs[N6].gateway_ipv4.family = 0;
	receive_packet(&p, 0);
	expect_counted("no gateway", GATE_COUNT_NO_NEIGHBOUR);
	expect_left("no gateway", 0, 0);
}

/* Takes all mbufs of the gate's own pool. */
static unsigned int exhaust(struct rte_mbuf **taken)
{
	unsigned int n = 0;

	while (n < WORLD_MBUFS && (taken[n] = rte_pktmbuf_alloc(w.pool)) != NULL)
		n++;
	return n;
}

Test(gate, what_needs_an_mbuf_and_gets_none_is_counted)
{
	static struct rte_mbuf *taken[WORLD_MBUFS];
	unsigned int n = exhaust(taken);
	struct packet p = world_answer(0, false);
	struct octets o;

	p.payload = 1500 - 40;
	receive_n6_packet(&p);
	expect_counted("fragments", GATE_COUNT_NO_MBUF);
	p = world_request(0, false);
	p.ttl = 1;
	receive_packet(&p, 0);
	expect_counted("ICMP", GATE_COUNT_TTL, GATE_COUNT_NO_MBUF);
	o = world_solicitation(0);
	receive_inner(&o, 0);
	expect_counted("advertisement", GATE_COUNT_ROUTER_SOLICITATIONS, GATE_COUNT_NO_MBUF);
	o.n = gtpu_encode_echo_request(o.p, sizeof(o.p), 1);
	receive(&o, 0);
	expect_counted("echo", GATE_COUNT_NO_MBUF);
	struct octets inner = world_packet(&p);

	o = world_g_pdu(&inner, UINT32_MAX);
	receive(&o, 0);
	expect_counted("error indication", GATE_COUNT_UNKNOWN_TEID, GATE_COUNT_NO_MBUF);
	o = world_g_pdu(&inner, world_teid(0));
	o.p[11] = 0xc0;
	receive(&o, 0);
	expect_counted("supported extensions", GATE_COUNT_GTPU_EXTENSION, GATE_COUNT_NO_MBUF);
	expect_left("supported extensions", 0, 0);
	p = world_request(0, false);
	receive_packet(&p, 0);
	expect_counted("a packet needs none", GATE_COUNT_UPLINK_PACKETS);
	rte_pktmbuf_free_bulk(taken, n);
}

Test(gate, what_a_port_does_not_take_is_counted)
{
	struct packet p = world_request(0, false);
	struct octets inner = world_packet(&p), m = world_g_pdu(&inner, world_teid(0)), frame;
	struct rte_mbuf *mbuf;

	while ((mbuf = rte_pktmbuf_alloc(w.pools[N6])) != NULL &&
	       rte_ring_enqueue(w.from[N6], mbuf) == 0)
		;
	rte_pktmbuf_free(mbuf);
	frame = world_n3_frame(&m, 0, 40000);
	world_send(N3, &frame);
	cr_expect_eq(gate_poll(w.gate), 1);
	expect_counted("not taken", GATE_COUNT_UPLINK_PACKETS, GATE_COUNT_TX_DROPPED);
	while (rte_ring_dequeue(w.from[N6], (void **)&mbuf) == 0)
		rte_pktmbuf_free(mbuf);
}

/* ---------------------------------------------------------------- stage */

Test(gate, frames_that_workers_hand_over_are_handled_by_their_port)
{
	struct packet up = world_request(0, false), down = world_answer(0, false);
	struct octets inner = world_packet(&up), m = world_g_pdu(&inner, world_teid(0));
	struct octets frames[WORLD_PORTS] = {world_n3_frame(&m, 0, 40000)}, o = world_packet(&down);

	frames[N6] = world_n6_frame(&o);
	for (unsigned int i = 0; i < 6; i++) {
		unsigned int port = i < 4 ? i % 2 : N3;
		struct rte_mbuf *mbuf = world_mbuf(port, &frames[port]);

		mbuf->port = (uint16_t)port;
		cr_assert_eq(rte_ring_enqueue(w.handed_over, mbuf), 0);
	}
	world_poll();
	expect_left("handed over", 2, 4);
	cr_expect_eq(counted(GATE_COUNT_HANDED_OVER), 6);
	cr_expect_eq(counted(GATE_COUNT_UPLINK_PACKETS), 4);
	cr_expect_eq(counted(GATE_COUNT_DOWNLINK_PACKETS), 2);
	cr_expect_eq(gate_net_counter(w.gate, NET_COUNT_RX_PACKETS), 6);
}

/* Nothing comes after it that would make it give way. */
Test(gate, fragment_whose_others_do_not_come_is_freed)
{
	struct packet up = world_request(0, false);
	struct octets inner = world_packet(&up), m = world_g_pdu(&inner, world_teid(0));
	struct octets frame = world_n3_frame(&m, 0, 40000);
	uint8_t *ip = frame.p + ETHER;

	store_be16(ip + 6, RTE_IPV4_HDR_MF_FLAG);
	memset(ip + 10, 0, 2);
	uint16_t sum = (uint16_t)~net_ipv4_sum(ip);

	memcpy(ip + 10, &sum, 2);
	world_send(N3, &frame);
	world_poll();
	cr_expect_eq(gate_net_counter(w.gate, NET_COUNT_FRAGMENTS), 1);
	cr_expect_eq(gate_net_counter(w.gate, NET_COUNT_FRAGMENTS_LATE), 0);
	rte_delay_us_sleep(1000 * (w.shared.fragment_ms + 20));
	world_poll();
	cr_expect_eq(gate_net_counter(w.gate, NET_COUNT_FRAGMENTS_LATE), 1);
}

Test(gate, one_port_may_serve_access_nodes_and_data_network)
{
	static const uint8_t gateway[16] = {192, 0, 2, 254};
	struct packet up = world_request(0, false), down = world_answer(0, false);
	struct octets inner = world_packet(&up), answer = world_packet(&down), frame;

	w.nifs[N3].transit = true;
	w.nifs[N3].gateway_ipv4 = world_addr(false, gateway);
	w.shared.n6_ipv4 = N3;
	world_learn(N3, false, gateway, gateway_mac);
	receive_inner(&inner, 0);
	expect_counted("request", GATE_COUNT_UPLINK_PACKETS);
	cr_assert_eq(w.n_got[N3], 1);
	expect_forwarded(&inner, &w.got[N3][0], ETHER);
	frame = world_n6_frame(&answer);
	world_send(N3, &frame);
	world_poll();
	expect_counted("answer", GATE_COUNT_DOWNLINK_PACKETS);
	expect_left("answer", 1, 0);
}

Test(gate, the_filter_may_be_replaced_between_turns)
{
	static const struct gate_rule other[] = {{{4, {198, 18, 0, 0}}, 15, TCP, 8443}};
	struct gate_filter *f = gate_filter_create(other, 1, SOCKET_ID_ANY);
	struct gate_filter *none = gate_filter_create(NULL, 0, SOCKET_ID_ANY);
	struct packet p = world_request(0, false);
	uint64_t polls = gate_polls(w.gate);

	cr_assert(f && none);
	atomic_store(&w.shared.filter, f);
	receive_packet(&p, 0);
	expect_counted("another", GATE_COUNT_NOT_ALLOWED);
	cr_expect_gt(gate_polls(w.gate), polls);
	atomic_store(&w.shared.filter, none);
	receive_packet(&p, 0);
	expect_counted("without rules", GATE_COUNT_NOT_ALLOWED);
	atomic_store(&w.shared.filter, NULL);
	receive_packet(&p, 0);
	expect_counted("no filter", GATE_COUNT_NOT_ALLOWED);
	atomic_store(&w.shared.filter, w.filter);
	receive_packet(&p, 0);
	expect_counted("as before", GATE_COUNT_UPLINK_PACKETS);
	gate_filter_destroy(f);
	gate_filter_destroy(none);
}

Test(gate, two_gates_count_in_one_meter)
{
	struct gate *other =
		gate_create(&w.shared, &(struct gate_config){.index = 1,
							     .numa_node = SOCKET_ID_ANY,
							     .pool = w.pool,
							     .indirect_pool = w.indirect});
	struct packet p = world_request(0, false);
	struct gate_usage usage;

	cr_assert_not_null(other);
	receive_packet(&p, 0);
	expect_counted("with another gate", GATE_COUNT_UPLINK_PACKETS);
	cr_assert(gate_table_usage(w.shared.table, 0, 1, &usage));
	cr_expect_eq(usage.uplink_packets, 1);
	gate_destroy(other);
}

Test(gate, datagrams_for_other_ports_do_not_get_through)
{
	struct packet p = world_request(0, false);
	struct octets inner = world_packet(&p), m = world_g_pdu(&inner, world_teid(0)), frame;

	frame = world_n3_frame(&m, 0, 40000);
	store_be16(frame.p + ETHER + 22, GTPU_PORT + 1);
	store_be16(frame.p + ETHER + 26, 0);
	world_send(N3, &frame);
	world_poll();
	cr_expect_eq(counted(GATE_COUNT_UPLINK_PACKETS), 0);
	expect_left("another port", 0, 0);
}

Test(gate, strangers_do_not_get_through)
{
	struct packet p = world_request(0, false);
	struct octets inner = world_packet(&p), m = world_g_pdu(&inner, world_teid(0)), frame;

	frame = world_n3_frame(&m, 0, 40000);
	frame.p[ETHER + 15] = 200;
	world_fix_ipv4(frame.p + ETHER);
	store_be16(frame.p + ETHER + 26, 0);
	world_send(N3, &frame);
	world_poll();
	expect_counted("a stranger's", GATE_COUNTER_N);
	expect_left("a stranger's", 0, 0);
	cr_expect_eq(gate_net_counter(w.gate, NET_COUNT_UNKNOWN_SOURCE), 1);
}

Test(gate, every_counter_has_a_name_and_a_text)
{
	for (unsigned int c = 0; c < GATE_COUNTER_N; c++) {
		cr_expect_str_neq(gate_counter_name(c), "?");
		cr_expect_str_neq(gate_counter_text(c), "?");
	}
	cr_expect_str_eq(gate_counter_name(GATE_COUNTER_N), "?");
	cr_expect_str_eq(gate_counter_text(GATE_COUNTER_N), "?");
}

/* ---------------------------------------------------------------- adversaries */

/* xorshift: the same packets each time. */
static uint32_t random_next(void)
{
	static uint64_t state = 88172645463325252;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

/* A request with up to four octets of its headers changed, its checksum right half of the time. */
static struct octets random_inner(unsigned int session)
{
	struct packet p = world_request(session, random_next() % 2);
	struct octets o;

	if (random_next() % 4 == 0)
		p.destination[random_next() % 16] ^= (uint8_t)(1 << random_next() % 8);
	if (random_next() % 4 == 0)
		p.destination_port = (uint16_t)random_next();
	if (random_next() % 4 == 0)
		p.protocol = UDP;
	if (random_next() % 8 == 0)
		p.flags = (uint16_t)random_next();
	o = world_packet(&p);
	for (unsigned int i = random_next() % 5; i > 0; i--)
		o.p[random_next() % 60] = (uint8_t)random_next();
	if (random_next() % 8 == 0)
		o.n = random_next() % o.n;
	if (random_next() % 2 && o.p[0] >> 4 == 4 && o.n >= 60)
		world_fix_ipv4(o.p);
	return o;
}

Test(gate, of_random_packets_only_allowed_ones_reach_the_data_network)
{
	unsigned int left = 0, sent = 0;

	while (sent < RANDOM_PACKETS) {
		for (unsigned int i = 0; i < 32; i++, sent++) {
			unsigned int session = random_next() % WORLD_SESSIONS;
			struct octets inner = random_inner(session), m, frame;
			int an = random_next() % 8 ? world_sessions[session].an : 1;

			m = world_g_pdu(&inner, world_teid(session) ^ (random_next() % 8 == 0));
			if (random_next() % 16 == 0)
				m.p[random_next() % 16] = (uint8_t)random_next();
			frame = world_n3_frame(&m, an, 40000);
			world_send(N3, &frame);
		}
		world_poll();
		world_check_all();
		left += w.n_got[N6];
	}
	cr_expect_gt(left, RANDOM_PACKETS / 20, "%u", left);
	cr_expect_lt(left, RANDOM_PACKETS, "%u", left);
	cr_expect_eq(counted(GATE_COUNT_UPLINK_PACKETS), left);
}
