/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Any frames to both ports of a gate with three sessions. Whatever leaves by N6 has a UE's source
 * and an allowed destination, whatever leaves by N3 goes to its session's access node
 * (gate_world.h), and no mbuf is lost.
 *
 * An input is a row of frames, each behind three octets: flags, and its length. With flags,
 * checksums are made right, lest chance has to find them.
 */
#include "../gate_world.h"

#include <rte_eal.h>

enum {
	TO_N6 = 1,
	FIX_OUTER = 2,
	FIX_INNER = 4,
	FRAMES_MAX = 64,
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first generation of a slot is drawn: an input is to mean the same each time. */
static void begin_at_generation_1(void)
{
	for (unsigned int i = 0; i < WORLD_SESSIONS; i++)
		while (world_teid(i) >> 24 != 1) {
			world_close(i);
			world_open(i);
		}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char arguments[][24] = {
		"fuzz_gate", "--no-huge", "-m",		 "128", "--no-pci",	 "--no-shconf",
		"-l",	     "0",	  "--log-level", "4",	"--no-telemetry"};
	char *eal[RTE_DIM(arguments) + 1] = {NULL};

	(void)argc;
	(void)argv;
	for (size_t i = 0; i < RTE_DIM(arguments); i++)
		eal[i] = arguments[i];
	world_check(rte_eal_init(RTE_DIM(arguments), eal) >= 0, "no EAL");
	world_start(0);
	begin_at_generation_1();
	return 0;
}

/* Where the header of an IPv4 packet, if it is one, lies whole. */
static bool is_ipv4(const struct octets *o, size_t at)
{
	return o->n >= at + 20 && o->p[at] >> 4 == 4 && o->n >= at + (size_t)(o->p[at] & 15) * 4 &&
	       (o->p[at] & 15) >= 5;
}

/* Outer UDP goes without a checksum over IPv4. */
static void fix(struct octets *o, uint8_t flags)
{
	enum { INNER = ETHER + 20 + 8 + GTPU_CONTAINER_HEADER_SIZE };

	if (flags & FIX_INNER && is_ipv4(o, INNER))
		world_fix_ipv4(o->p + INNER);
	if (!(flags & FIX_OUTER) || !is_ipv4(o, ETHER))
		return;
	if (o->n >= ETHER + 28 && o->p[ETHER + 9] == UDP)
		store_be16(o->p + ETHER + 26, 0);
	world_fix_ipv4(o->p + ETHER);
}

/* False: the input has no more frames. */
static bool take_frame(const uint8_t **data, size_t *size)
{
	struct octets frame;

	if (*size < 4)
		return false;
	uint8_t flags = **data;

	frame.n = load_be16(*data + 1);
	*data += 3;
	*size -= 3;
	frame.n = RTE_MIN(RTE_MIN(frame.n, *size), sizeof(frame.p));
	memcpy(frame.p, *data, frame.n);
	*data += frame.n;
	*size -= frame.n;
	fix(&frame, flags);
	if (frame.n > 0)
		world_send(flags & TO_N6 ? N6 : N3, &frame);
	return true;
}

/* Neighbours are told again: a frame may have said that they live elsewhere. */
static void settle(void)
{
	void *event;

	for (unsigned int shard = 0; shard < WORLD_SHARDS; shard++)
		while (rte_ring_dequeue(w.events[shard], &event) == 0)
			;
	world_learn(N3, false, an_ipv4[0], an_mac);
	world_learn(N3, false, an_ipv4[1], an_mac);
	world_learn(N3, true, an_ipv6, an_mac);
	world_learn(N6, false, gateway_ipv4, gateway_mac);
	world_learn(N6, true, gateway_ipv6, gateway_mac);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (unsigned int i = 0; i < FRAMES_MAX && take_frame(&data, &size); i++)
		;
	world_poll();
	world_check_all();
	settle();
	/* Frames under reassembly are few, and time out. */
	world_check(rte_mempool_avail_count(w.pools[N3]) > WORLD_MBUFS / 2 &&
			    rte_mempool_avail_count(w.pools[N6]) > WORLD_MBUFS / 2 &&
			    rte_mempool_avail_count(w.pool) == WORLD_MBUFS,
		    "an mbuf is lost");
	return 0;
}
