/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Seeds of fuzz_gate: a frame of each kind, in the form that fuzz_gate.c says. No gate is started.
 */
#include "../gate_world.h"
#include "gate_seeds.h"

static const char *directory;
static unsigned int number;

/* As fuzz_gate sees to it. */
static uint32_t first_teid(unsigned int session)
{
	const struct world_session *s = &world_sessions[session];

	return UINT32_C(1) << 24 | (s->shard * WORLD_CAPACITY + s->slot);
}

static void put(unsigned int port, const struct octets *frame)
{
	uint8_t seed[3 + sizeof(frame->p)] = {port == N6 ? 1 : 0};

	store_be16(seed + 1, (uint16_t)frame->n);
	memcpy(seed + 3, frame->p, frame->n);
	seed_write(directory, number++, seed, 3 + frame->n);
}

static void put_message(const struct octets *message, int an)
{
	struct octets frame = world_n3_frame(message, an, GTPU_PORT);

	put(N3, &frame);
}

static void put_inner(const struct octets *inner, unsigned int session)
{
	struct octets message = world_g_pdu(inner, first_teid(session));

	put_message(&message, world_sessions[session].an);
}

static void put_from_network(const struct octets *packet)
{
	struct octets frame = world_n6_frame(packet);

	put(N6, &frame);
}

static void put_packets(unsigned int session, bool v6)
{
	struct packet request = world_request(session, v6), answer = world_answer(session, v6);
	struct octets o = world_packet(&request), error;

	put_inner(&o, session);
	error = world_icmp(&answer, v6 ? 1 : 3, 0, &o, o.n);
	put_from_network(&error);
	request.protocol = UDP;
	request.destination_port = 53;
	memcpy(request.destination, v6 ? dns_ipv6 : dns_ipv4, 16);
	o = world_packet(&request);
	put_inner(&o, session);
	o = world_packet(&answer);
	put_from_network(&o);
	answer.payload = 1480;
	o = world_packet(&answer);
	put_from_network(&o);
	answer.flags = 0x2000;
	o = world_packet(&answer);
	put_from_network(&o);
}

static void put_signalling(void)
{
	struct octets o;

	o.n = gtpu_encode_echo_request(o.p, sizeof(o.p), 1);
	put_message(&o, 0);
	o.n = gtpu_encode_end_marker(o.p, sizeof(o.p), first_teid(0));
	put_message(&o, 0);
	o.n = gtpu_encode_supported_extensions(o.p, sizeof(o.p), 0);
	put_message(&o, 0);
	o.n = gtpu_encode_error_indication(o.p, sizeof(o.p), world_session(0).an_teid, an_ipv4[0],
					   4);
	put_message(&o, 0);
}

void gate_seeds_write(const char *into)
{
	directory = into;
	for (unsigned int session = 0; session < WORLD_SESSIONS; session++) {
		struct octets o = world_solicitation(session);

		put_inner(&o, session);
		put_packets(session, false);
		put_packets(session, true);
	}
	put_signalling();
}
