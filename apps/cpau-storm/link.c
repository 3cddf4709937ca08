/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <time.h>

#include "link.h"

enum { HELD_MAX = 4096, HOLD_NS = 5000000 };

/* A datagram kept back, to arrive after later ones. */
struct held {
	bool outbound;
	unsigned int an, port;
	uint64_t due;
	size_t n;
	uint8_t data[WIRE_DATAGRAM_MAX];
};

struct link {
	struct link_config config;
	struct link_transport transport;
	uint64_t random, now;
	FILE *pcap;
	unsigned int n_held;
	struct held *held[HELD_MAX];
	link_receive receive;
	void *arg;
};

/* xorshift64*: impairment needs no more. */
static bool chance(struct link *l, double share)
{
	l->random ^= l->random >> 12;
	l->random ^= l->random << 25;
	l->random ^= l->random >> 27;
	return (double)((l->random * UINT64_C(0x2545f4914f6cdd1d)) >> 11) * 0x1p-53 < share;
}

/* ---------------------------------------------------------------- captures */

static void put16(FILE *f, unsigned int v)
{
	fputc((int)(v >> 8 & 0xff), f);
	fputc((int)(v & 0xff), f);
}

/* Classic pcap of raw IP packets (LINKTYPE_RAW): a datagram is written whole, not in fragments. */
static void capture_open(struct link *l)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, snap, network;
	} header = {0xa1b2c3d4, 2, 4, 0, 0, 65535, 101};

	fwrite(&header, sizeof(header), 1, l->pcap);
}

static void capture(struct link *l, bool outbound, unsigned int an, unsigned int port,
		    const uint8_t *data, size_t n)
{
	struct net_addr local;
	struct timespec ts;
	bool v6 = l->config.local.family == 6;
	size_t header = v6 ? 40 : 20;
	unsigned int ports[2] = {LINK_FIRST_PORT + port, l->config.peer_port};

	if (!l->pcap)
		return;
	net_addr_add(&l->config.local, an, &local);
	clock_gettime(CLOCK_REALTIME, &ts);
	uint32_t record[4] = {(uint32_t)ts.tv_sec, (uint32_t)(ts.tv_nsec / 1000),
			      (uint32_t)(header + 8 + n), (uint32_t)(header + 8 + n)};
	const uint8_t *from = outbound ? local.a : l->config.peer.a;
	const uint8_t *to = outbound ? l->config.peer.a : local.a;

	fwrite(record, sizeof(record), 1, l->pcap);
	if (v6) {
		put16(l->pcap, 0x6000);
		put16(l->pcap, 0);
		put16(l->pcap, (unsigned int)(8 + n));
		put16(l->pcap, 17 << 8 | 64);
		fwrite(from, 16, 1, l->pcap);
		fwrite(to, 16, 1, l->pcap);
	} else {
		put16(l->pcap, 0x4500);
		put16(l->pcap, (unsigned int)(header + 8 + n));
		put16(l->pcap, 0);
		put16(l->pcap, 0);
		put16(l->pcap, 64 << 8 | 17);
		put16(l->pcap, 0);
		fwrite(from, 4, 1, l->pcap);
		fwrite(to, 4, 1, l->pcap);
	}
	put16(l->pcap, ports[!outbound]);
	put16(l->pcap, ports[outbound]);
	put16(l->pcap, (unsigned int)(8 + n));
	put16(l->pcap, 0);
	fwrite(data, n, 1, l->pcap);
}

/* ---------------------------------------------------------------- both directions */

static void deliver(struct link *l, bool outbound, unsigned int an, unsigned int port,
		    const uint8_t *data, size_t n)
{
	capture(l, outbound, an, port, data, n);
	if (outbound)
		l->transport.send(l->transport.arg, an, port, data, n);
	else
		l->receive(l->arg, an, port, data, n);
}

static bool hold(struct link *l, bool outbound, unsigned int an, unsigned int port,
		 const uint8_t *data, size_t n)
{
	struct held *h = l->n_held < HELD_MAX ? malloc(sizeof(*h)) : NULL;

	if (!h || n > sizeof(h->data)) {
		free(h);
		return false;
	}
	*h = (struct held){
		.outbound = outbound, .an = an, .port = port, .due = l->now + HOLD_NS, .n = n};
	memcpy(h->data, data, n);
	l->held[l->n_held++] = h;
	return true;
}

static void impair(struct link *l, bool outbound, unsigned int an, unsigned int port,
		   const uint8_t *data, size_t n)
{
	if (l->config.loss > 0 && chance(l, l->config.loss))
		return;
	if (l->config.duplicate > 0 && chance(l, l->config.duplicate))
		deliver(l, outbound, an, port, data, n);
	if (l->config.reorder > 0 && chance(l, l->config.reorder) &&
	    hold(l, outbound, an, port, data, n))
		return;
	deliver(l, outbound, an, port, data, n);
}

static void release_held(struct link *l)
{
	for (unsigned int i = 0; i < l->n_held;) {
		struct held *h = l->held[i];

		if (h->due > l->now) {
			i++;
			continue;
		}
		l->held[i] = l->held[--l->n_held];
		deliver(l, h->outbound, h->an, h->port, h->data, h->n);
		free(h);
	}
}

static void on_received(void *to, unsigned int an, unsigned int port, const uint8_t *data, size_t n)
{
	impair(to, false, an, port, data, n);
}

void link_send(struct link *l, unsigned int an, unsigned int port, const uint8_t *data, size_t n)
{
	impair(l, true, an, port, data, n);
}

void link_send_from(struct link *l, const struct net_addr *from, unsigned int port,
		    const uint8_t *data, size_t n)
{
	l->transport.send_from(l->transport.arg, from, port, data, n);
}

bool link_can_forge(const struct link *l)
{
	return l->transport.send_from != NULL;
}

uint8_t link_family(const struct link *l)
{
	return l->config.local.family;
}

unsigned int link_poll(struct link *l, uint64_t now, link_receive receive, void *arg)
{
	l->now = now;
	l->receive = receive;
	l->arg = arg;
	if (l->n_held > 0)
		release_held(l);
	return l->transport.poll(l->transport.arg, on_received, l);
}

void link_flush(struct link *l)
{
	l->transport.flush(l->transport.arg);
}

struct link *link_open(const struct link_config *config, const char **why)
{
	struct link *l = calloc(1, sizeof(*l));

	*why = "out of memory";
	if (!l)
		return NULL;
	l->config = *config;
	l->random = config->seed * 2 + 1;
	if (config->capture) {
		*why = "the capture file cannot be written";
		l->pcap = fopen(config->capture, "wb");
		if (!l->pcap) {
			free(l);
			return NULL;
		}
		capture_open(l);
	}
	if (config->socket ? link_socket_open(config, &l->transport, why)
			   : link_dpdk_open(config, &l->transport, why))
		return l;
	if (l->pcap)
		fclose(l->pcap);
	free(l);
	return NULL;
}

void link_close(struct link *l)
{
	if (!l)
		return;
	l->transport.close(l->transport.arg);
	for (unsigned int i = 0; i < l->n_held; i++)
		free(l->held[i]);
	if (l->pcap)
		fclose(l->pcap);
	free(l);
}
