/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a memif port takes for a frame: two of them in this process, linked to each other. Both ends
 * are on one CPU, so the lines of a frame need not come from another one's cache.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_common.h>
#include <rte_ethdev.h>

#include "micro/micro.h"
#include "net/net.h"

enum { MBUFS = 8192, WAIT_MS = 5000 };

static struct net_if nifs[2];
static struct rte_mempool *pool;
static struct rte_mbuf *sent[MICRO_CHUNK], *received[MICRO_CHUNK];
static char directory[] = "/tmp/bench-micro-XXXXXX", path[64];

static void make_port(unsigned int i, const char *role)
{
	char name[32], arguments[128];
	struct rte_mempool *own;
	int code;

	snprintf(name, sizeof(name), "net_memif%u", i);
	snprintf(arguments, sizeof(arguments),
		 "role=%s,socket=%s,socket-abstract=no,bsize=2048,rsize=11", role, path);
	micro_check(rte_eal_hotplug_add("vdev", name, arguments) == 0, "no memif");
	micro_check(net_port_start(&(struct net_port_config){.device = name,
							     .rx_queues = 1,
							     .tx_queues = 1,
							     .rx_descriptors = 1024,
							     .tx_descriptors = 1024,
							     .mtu = 1500,
							     .mbufs = MBUFS},
				   &nifs[i], &own, &code) == NET_PORT_OK,
		    "a memif port does not start");
	pool = own;
}

static void wait_for_link(const struct net_if *nif)
{
	struct rte_eth_link link = {0};

	for (unsigned int ms = 0; ms < WAIT_MS && link.link_status != RTE_ETH_LINK_UP; ms++) {
		usleep(1000);
		rte_eth_link_get_nowait(nif->port_id, &link);
	}
	micro_check(link.link_status == RTE_ETH_LINK_UP, "the memif ports do not connect");
}

static void prepare(const struct micro_case *c)
{
	(void)c;
	if (pool)
		return;
	micro_check(mkdtemp(directory) != NULL, "no directory for a socket");
	snprintf(path, sizeof(path), "%s/memif", directory);
	make_port(0, "server");
	make_port(1, "client");
	wait_for_link(&nifs[0]);
	wait_for_link(&nifs[1]);
	/* The client gives the server room to send with each look at its queue. */
	micro_check(rte_eth_rx_burst(nifs[1].port_id, 0, received, MICRO_CHUNK) == 0,
		    "frames out of nowhere");
	unlink(path);
	rmdir(directory);
}

/* Frames of c->arg octets, as a stage has them when it sends. */
static void make_frames(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)items;
	micro_check(rte_pktmbuf_alloc_bulk(pool, sent, n) == 0, "no mbufs");
	for (unsigned int i = 0; i < n; i++)
		memset(rte_pktmbuf_append(sent[i], (uint16_t)c->arg), 1, (size_t)c->arg);
}

static void transmit(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	(void)items;
	micro_check(rte_eth_tx_burst(nifs[0].port_id, 0, sent, (uint16_t)n) == n,
		    "a memif port is full");
}

static void receive(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	unsigned int got = 0;

	(void)c;
	(void)items;
	while (got < n)
		got += rte_eth_rx_burst(nifs[1].port_id, 0, received + got, (uint16_t)(n - got));
}

static void make_and_send(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	make_frames(c, items, n);
	transmit(c, items, n);
}

static void give_back(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	(void)items;
	rte_pktmbuf_free_bulk(received, n);
}

static void receive_and_give_back(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	receive(c, items, n);
	give_back(c, items, n);
}

#define RECEIVE(title, n, group, octets)                                                  \
	{                                                                                 \
		"port", title, "worker", n, .per = group, .no_cold = true, .arg = octets, \
					    .run = receive, .prepare = prepare,           \
					    .before = make_and_send, .after = give_back   \
	}
#define SEND(title, n, group, octets)                                                              \
	{                                                                                          \
		"port", title, "control", n, .per = group, .no_cold = true, .arg = octets,         \
					     .run = transmit, .prepare = prepare,                  \
					     .before = make_frames, .after = receive_and_give_back \
	}

static const struct micro_case cases[] = {
	RECEIVE("memif, ATTACH REQUEST received", 1, NULL, 700),
	RECEIVE("memif, AUTHENTICATION RESPONSE received", 1, NULL, 1300),
	RECEIVE("memif, a small message received", 5, "received-small", 128),
	SEND("memif, AUTHENTICATION REQUEST sent", 1, NULL, 1300),
	SEND("memif, a small message sent", 5, "sent-small", 128),
};

const struct micro_group micro_port = {"port", cases, RTE_DIM(cases)};
