/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One DPDK port, on which all ANs live.
 */
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "gtpu/gtpu.h"
#include "link.h"
#include "net/interlock.h"

enum {
	MBUFS = 16384,
	DESCRIPTORS = 1024,
	WAIT_S = 10,
	SOLICIT_MS = 200,
	LINK_RETRY_MS = 100,
	LINK_TRIES = 150,
	LINKS_MAX = 3, /* AN link, N3, N6 */
};

struct link_dpdk {
	struct net_if nif;
	struct rte_mempool *pool, *indirect;
	struct net_rx *rx;
	struct net_tx tx;
	struct net_peer peer;
	struct net_addr local;
	struct link_port port; /* of the above */
	uint16_t ip_id;
};

/* Of all links of the process: EAL has one interrupt thread, and so it is one interlock. */
static struct {
	struct net_if nifs[LINKS_MAX];
	unsigned int n;
	struct net_interlock *interlock;
} all;

void link_pause(void)
{
	net_interlock_wait(all.interlock, rte_lcore_id());
}

/* False: no memory. */
static bool renew_interlock(void)
{
	net_interlock_leave(all.interlock, rte_lcore_id());
	net_interlock_destroy(all.interlock);
	if (!net_interlock_create(all.nifs, all.n, &all.interlock))
		return false;
	net_interlock_enter(all.interlock, rte_lcore_id());
	return true;
}

static bool join(const struct link_dpdk *d)
{
	if (all.n == LINKS_MAX)
		return false;
	all.nifs[all.n++] = d->nif;
	return renew_interlock();
}

static void leave(const struct link_dpdk *d)
{
	for (unsigned int i = 0; i < all.n; i++) {
		if (all.nifs[i].port_id == d->nif.port_id) {
			all.nifs[i] = all.nifs[--all.n];
			break;
		}
	}
	renew_interlock();
}

static bool dpdk_send_from(void *arg, const struct net_addr *from, unsigned int port,
			   const uint8_t *data, size_t n)
{
	struct link_dpdk *d = arg;
	struct rte_mbuf *frames[NET_FRAGMENTS_MAX], *m = rte_pktmbuf_alloc(d->pool);
	uint8_t *p = m ? (uint8_t *)rte_pktmbuf_append(m, (uint16_t)n) : NULL;

	if (!p) {
		rte_pktmbuf_free(m);
		return false;
	}
	memcpy(p, data, n);
	d->peer.local = *from;
	unsigned int frames_n =
		net_udp_finish(&d->nif, m, &d->peer, (uint16_t)(LINK_FIRST_PORT + port), d->ip_id++,
			       d->pool, d->indirect, frames);

	for (unsigned int i = 0; i < frames_n; i++)
		net_tx_push(&d->tx, frames[i]);
	return frames_n > 0;
}

static bool dpdk_send(void *arg, unsigned int an, unsigned int port, const uint8_t *data, size_t n)
{
	struct link_dpdk *d = arg;
	struct net_addr from;

	net_addr_add(&d->local, an, &from);
	return dpdk_send_from(d, &from, port, data, n);
}

static bool dpdk_send_user(void *arg, unsigned int an, const struct net_addr *to,
			   const uint8_t *data, size_t n)
{
	struct link_dpdk *d = arg;
	struct rte_mbuf *m = rte_pktmbuf_alloc(d->pool);
	struct net_peer peer = {.addr = *to, .port = GTPU_PORT, .mac = d->peer.mac};
	uint8_t *p = m ? (uint8_t *)rte_pktmbuf_append(m, (uint16_t)n) : NULL;

	if (p)
		memcpy(p, data, n);
	net_addr_add(&d->local, an, &peer.local);
	if (!p || !net_tunnel_finish(&d->nif, m, &peer, GTPU_PORT, d->ip_id++)) {
		rte_pktmbuf_free(m);
		return false;
	}
	net_tx_push(&d->tx, m);
	return true;
}

static uint32_t low32(const struct net_addr *a)
{
	return load_be32(a->family == 4 ? a->a : a->a + 12);
}

static unsigned int dpdk_poll(void *arg,
			      void (*receive)(void *to, unsigned int an, unsigned int port,
					      const uint8_t *data, size_t n),
			      void *to)
{
	struct link_dpdk *d = arg;
	struct rte_mbuf *packets[NET_BURST];
	struct net_datagram datagrams[NET_BURST];

	link_pause();
	unsigned int n = rte_eth_rx_burst(d->nif.port_id, 0, packets, NET_BURST);

	n = net_rx_burst(d->rx, packets, n, rte_rdtsc(), datagrams);
	for (unsigned int i = 0; i < n; i++) {
		const struct net_datagram *g = &datagrams[i];
		unsigned int an = low32(&g->from.local) - low32(&d->local);

		if (g->local_port == GTPU_PORT)
			receive(to, an, LINK_USER, g->payload.p, g->payload.n);
		else if (g->local_port >= LINK_FIRST_PORT &&
			 g->local_port < LINK_FIRST_PORT + LINK_PORTS)
			receive(to, an, g->local_port - LINK_FIRST_PORT, g->payload.p,
				g->payload.n);
		rte_pktmbuf_free(g->mbuf);
	}
	net_rx_expire(d->rx, rte_rdtsc());
	unsigned int answers = net_rx_answers(d->rx, packets, NET_BURST);

	for (unsigned int i = 0; i < answers; i++)
		net_tx_push(&d->tx, packets[i]);
	return n;
}

static void dpdk_flush(void *arg)
{
	struct link_dpdk *d = arg;

	if (d->tx.n > 0)
		net_tx_flush(&d->tx);
}

static bool dpdk_close(void *arg)
{
	struct link_dpdk *d = arg;

	dpdk_flush(d);
	net_rx_destroy(d->rx);
	link_pause();
	net_port_stop(&d->nif);
	leave(d);
	free(d);
	return true;
}

static void drop(void *to, unsigned int an, unsigned int port, const uint8_t *data, size_t n)
{
	(void)to;
	(void)an;
	(void)port;
	(void)data;
	(void)n;
}

/* A memif client's port cannot start before its server listens, and its link stays down when the
 * server was not ready yet: it is started again until the link is up. */
static bool wait_for_link(struct link_dpdk *d, bool started)
{
	uint16_t port = d->nif.port_id;
	struct rte_eth_link link = {0};

	for (unsigned int i = 0, up = 0; i < LINK_TRIES; i++) {
		if (!started && rte_eth_dev_start(port) == 0) {
			started = true;
			up = 0;
		}
		rte_delay_us_sleep(LINK_RETRY_MS * 1000);
		if (!started)
			continue;
		if (rte_eth_link_get_nowait(port, &link) == 0 && link.link_status)
			return true;
		if (++up < LINK_TRIES / 3) /* a NIC takes seconds to agree with its peer */
			continue;
		rte_eth_dev_stop(port);
		started = false;
	}
	return false;
}

/* The port, started, with its link up. NULL: no error. */
static const char *start_port(struct link_dpdk *d, const struct link_config *config)
{
	struct net_port_config port = {.device = config->device,
				       .rx_queues = 1,
				       .tx_queues = 1,
				       .rx_descriptors = DESCRIPTORS,
				       .tx_descriptors = DESCRIPTORS,
				       .mtu = config->mtu,
				       .mbufs = MBUFS};
	int code;
	enum net_port_error e = net_port_start(&port, &d->nif, &d->pool, &code);

	if (e == NET_PORT_START) { /* configured, with its queues: what is left is to start it */
		if (rte_eth_dev_get_port_by_name(config->device, &d->nif.port_id) != 0 ||
		    rte_eth_macaddr_get(d->nif.port_id, &d->nif.mac) != 0)
			return net_port_error_text(e);
		d->nif.mtu = config->mtu;
	} else if (e != NET_PORT_OK) {
		return net_port_error_text(e);
	}
	return wait_for_link(d, e == NET_PORT_OK)
		       ? NULL
		       : "the port's link does not come up: is the other end there?";
}

/* Asks for the peer's MAC until it is known. */
static bool resolve(struct link_dpdk *d, const struct link_config *config)
{
	const struct net_addr *wanted = config->gateway.family ? &config->gateway : &config->peer;
	uint64_t hz = rte_get_tsc_hz(), until = rte_rdtsc() + WAIT_S * hz, next = 0;

	while (rte_rdtsc() < until) {
		if (net_rx_neighbour(d->rx, wanted, &d->peer.mac))
			return true;
		if (rte_rdtsc() >= next) {
			struct rte_mbuf *m = net_solicit(&d->nif, &d->local, wanted, d->pool);

			if (m)
				net_tx_push(&d->tx, m);
			dpdk_flush(d);
			next = rte_rdtsc() + hz / 1000 * SOLICIT_MS;
		}
		dpdk_poll(d, drop, NULL);
		dpdk_flush(d);
	}
	return false;
}

bool link_dpdk_open(const struct link_config *config, struct link_transport *t, const char **why)
{
	struct link_dpdk *d = calloc(1, sizeof(*d));
	char name[RTE_MEMPOOL_NAMESIZE];

	*why = "out of memory";
	if (!d)
		return false;
	d->local = config->local;
	d->nif.any_port = true;
	d->nif.gtpu_port = config->user_plane ? GTPU_PORT : 0;
	d->nif.vlan = config->vlan;
	d->nif.addresses = config->n_ans;
	*(config->local.family == 4 ? &d->nif.ipv4 : &d->nif.ipv6) = config->local;
	/* Until it joins again this lcore touches no port: others' callbacks need not wait for it.
	 */
	net_interlock_leave(all.interlock, rte_lcore_id());
	*why = start_port(d, config);
	if (*why) {
		free(d);
		return false;
	}
	snprintf(name, sizeof(name), "storm_indirect_%u", d->nif.port_id);
	d->indirect = rte_pktmbuf_pool_create(name, 4096, 64, 0, 0, SOCKET_ID_ANY);
	d->rx = net_rx_create(&(struct net_rx_config){.nif = &d->nif,
						      .pool = d->pool,
						      .max_fragments = 1024,
						      .fragment_ms = 1000,
						      .numa_node = SOCKET_ID_ANY});
	d->tx = (struct net_tx){.port_id = d->nif.port_id};
	d->peer.addr = config->peer;
	d->peer.port = config->peer_port;
	d->peer.local = config->local;
	*why = "out of memory for packets: give EAL more with -m";
	if (!d->indirect || !d->rx || !join(d))
		return false;
	*why = "no answer to ARP or neighbour solicitation: is the authenticator up, and on this "
	       "link?";
	memcpy(&d->peer.mac, config->peer_mac, sizeof(d->peer.mac));
	if (!config->has_mac && !resolve(d, config)) {
		dpdk_close(d);
		return false;
	}
	d->port = (struct link_port){&d->nif, d->rx, &d->tx, d->pool, &d->peer};
	*t = (struct link_transport){.send = dpdk_send,
				     .port = &d->port,
				     .send_from = dpdk_send_from,
				     .send_user = dpdk_send_user,
				     .poll = dpdk_poll,
				     .flush = dpdk_flush,
				     .close = dpdk_close,
				     .arg = d};
	return true;
}
