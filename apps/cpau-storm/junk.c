/* SPDX-License-Identifier: BSD-3-Clause */
#include "internal.h"

enum {
	JUNK_TURN = 512, /* in a turn of the loop */
	PAYLOAD_MAX = 600,
	BENCHMARK_4 = 198u << 24 | 18 << 16, /* 198.18.0.0/15, RFC 2544 */
};

static void fill(struct storm *s, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i += sizeof(s->random)) {
		random_share(s);
		memcpy(p + i, &s->random, n - i < sizeof(s->random) ? n - i : sizeof(s->random));
	}
}

static size_t random_length(struct storm *s)
{
	return 1 + (size_t)(random_share(s) * (PAYLOAD_MAX - 1));
}

/* A record of the right form whose payload ends before it does. */
static size_t truncated_record(struct storm *s, uint8_t *p)
{
	size_t n = WIRE_DATAGRAM_HEADER_SIZE + WIRE_RECORD_HEADER_SIZE + random_length(s);

	fill(s, p, n);
	p[0] = WIRE_LINK_VERSION;
	store_be16(p + 2, 1);
	p[WIRE_DATAGRAM_HEADER_SIZE] = WIRE_UPLINK_NAS;
	store_be16(p + WIRE_DATAGRAM_HEADER_SIZE + 2, (uint16_t)n);
	return n;
}

/* Another one each time, of networks that are for benchmarks. */
static struct net_addr stranger(struct storm *s, uint8_t family)
{
	struct net_addr a = {.family = family};
	uint32_t host = (uint32_t)(random_share(s) * (1 << 17));

	if (family == 4) {
		store_be32(a.a, BENCHMARK_4 | host);
	} else {
		memcpy(a.a, "\x20\x01\x00\x02", 4); /* 2001:2::/48, RFC 5180 */
		store_be32(a.a + 12, host);
	}
	return a;
}

static void send_one(struct storm *s)
{
	uint8_t data[PAYLOAD_MAX + WIRE_DATAGRAM_HEADER_SIZE + WIRE_RECORD_HEADER_SIZE];
	unsigned int port = (unsigned int)(random_share(s) * LINK_PORTS);
	bool truncated = s->junk.sent & 2;
	size_t n = random_length(s);

	if (truncated)
		n = truncated_record(s, data);
	else
		fill(s, data, n);
	do
		s->junk.kind = (s->junk.kind + 1) % JUNK_KINDS;
	while (!(s->config->junk_kinds & 1u << s->junk.kind));
	if (s->junk.kind == JUNK_UNKNOWN_AN) {
		struct net_addr from = stranger(s, link_family(s->link));

		link_send_from(s->link, &from, port, data, n);
	} else {
		link_send(s->link, (unsigned int)(random_share(s) * s->config->n_ans), port, data,
			  n);
	}
	s->result->junk_sent = ++s->junk.sent;
}

void junk_send_due(struct storm *s)
{
	uint64_t due = (uint64_t)((double)(s->now - s->start) * s->config->junk_rate / 1e9);

	for (unsigned int i = 0; i < JUNK_TURN && s->junk.sent < due; i++)
		send_one(s);
}
