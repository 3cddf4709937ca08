/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <time.h>

#include "link.h"
#include "pcap.h"

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
	struct pcap *capture;
	uint64_t sent;
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

static void capture(struct link *l, bool outbound, unsigned int an, unsigned int port,
		    const uint8_t *data, size_t n)
{
	struct net_addr local;
	struct timespec ts;
	uint16_t local_port = (uint16_t)(LINK_FIRST_PORT + port);

	if (!l->capture)
		return;
	net_addr_add(&l->config.local, an, &local);
	clock_gettime(CLOCK_REALTIME, &ts);
	struct pcap_datagram d = {.unix_ns = (uint64_t)ts.tv_sec * UINT64_C(1000000000) +
					     (uint64_t)ts.tv_nsec,
				  .from = &local,
				  .to = &l->config.peer,
				  .from_port = local_port,
				  .to_port = l->config.peer_port,
				  .payload = span_make(data, n)};

	if (!outbound) {
		d.from = &l->config.peer;
		d.to = &local;
		d.from_port = l->config.peer_port;
		d.to_port = local_port;
	}
	pcap_write(l->capture, &d);
}

/* ---------------------------------------------------------------- both directions */

static void deliver(struct link *l, bool outbound, unsigned int an, unsigned int port,
		    const uint8_t *data, size_t n)
{
	capture(l, outbound, an, port, data, n);
	l->sent += outbound;
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
	struct link *l = to;

	if (port == LINK_USER)
		l->receive(l->arg, an, port, data, n);
	else
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

void link_send_user(struct link *l, unsigned int an, const struct net_addr *to, const uint8_t *data,
		    size_t n)
{
	if (l->transport.send_user)
		l->transport.send_user(l->transport.arg, an, to, data, n);
}

void link_address(const struct link *l, unsigned int an, struct net_addr *out)
{
	net_addr_add(&l->config.local, an, out);
}

void link_set_time(struct link *l, uint64_t unix_ns)
{
	if (l->transport.set_time)
		l->transport.set_time(l->transport.arg, unix_ns);
}

uint64_t link_sent(const struct link *l)
{
	return l->sent;
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

const struct link_port *link_port(const struct link *l)
{
	return l->transport.port;
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
		l->capture = pcap_create(config->capture, &(struct pcap_config){0});
		if (!l->capture) {
			free(l);
			return NULL;
		}
	}
	if (config->file     ? link_file_open(config, &l->transport, why)
	    : config->socket ? link_socket_open(config, &l->transport, why)
			     : link_dpdk_open(config, &l->transport, why))
		return l;
	pcap_close(l->capture);
	free(l);
	return NULL;
}

bool link_close(struct link *l)
{
	if (!l)
		return true;
	bool ok = l->transport.close(l->transport.arg);

	for (unsigned int i = 0; i < l->n_held; i++)
		free(l->held[i]);
	ok = pcap_close(l->capture) && ok;
	free(l);
	return ok;
}
