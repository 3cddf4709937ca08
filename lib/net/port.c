/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include <rte_errno.h>
#include <rte_ethdev.h>

#include "net/net.h"

enum { POOL_CACHE = 256 };

const char *net_port_error_text(enum net_port_error e)
{
	static const char *const texts[NET_PORT_ERROR_N] = {
		[NET_PORT_OK] = "the port is up",
		[NET_PORT_UNKNOWN] =
			"no ethdev of this name: check `device`, `vdev`, and the driver that a "
			"PCI device is bound to",
		[NET_PORT_QUEUES] =
			"the device has fewer queues than the stages need: lower rx-queues, or "
			"the number of control stages",
		[NET_PORT_POOL] = "no memory for the mbufs: lower `mbufs`, or give EAL more memory",
		[NET_PORT_CONFIGURE] = "rte_eth_dev_configure refused the port's settings",
		[NET_PORT_QUEUE_SETUP] = "a receive or transmit queue could not be set up",
		[NET_PORT_START] = "rte_eth_dev_start failed",
	};

	return e < NET_PORT_ERROR_N ? texts[e] : "?";
}

/* Maps the pages of the mbufs now, not when the first packets use them. */
static void touch_mbuf(struct rte_mempool *pool, void *arg, void *object, unsigned int i)
{
	struct rte_mbuf *m = object;

	(void)pool;
	(void)arg;
	(void)i;
	memset(m->buf_addr, 0, m->buf_len);
}

static enum net_port_error setup_queues(const struct net_port_config *config, uint16_t port,
					int socket, struct rte_mempool *pool, int *code)
{
	uint16_t rx = (uint16_t)config->rx_descriptors, tx = (uint16_t)config->tx_descriptors;

	*code = rte_eth_dev_adjust_nb_rx_tx_desc(port, &rx, &tx);
	for (uint16_t q = 0; *code == 0 && q < config->rx_queues; q++)
		*code = rte_eth_rx_queue_setup(port, q, rx, (unsigned int)socket, NULL, pool);
	for (uint16_t q = 0; *code == 0 && q < config->tx_queues; q++)
		*code = rte_eth_tx_queue_setup(port, q, tx, (unsigned int)socket, NULL);
	return *code == 0 ? NET_PORT_OK : NET_PORT_QUEUE_SETUP;
}

enum net_port_error net_port_start(const struct net_port_config *config, struct net_if *nif,
				   struct rte_mempool **pool, int *code)
{
	const uint64_t checksums = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = {0};
	char name[RTE_MEMPOOL_NAMESIZE];
	uint16_t port;

	*code = rte_eth_dev_get_port_by_name(config->device, &port);
	if (*code != 0)
		return NET_PORT_UNKNOWN;
	*code = rte_eth_dev_info_get(port, &info);
	if (*code != 0)
		return NET_PORT_CONFIGURE;
	if (config->rx_queues > info.max_rx_queues || config->tx_queues > info.max_tx_queues)
		return NET_PORT_QUEUES;

	int socket = rte_eth_dev_socket_id(port);

	snprintf(name, sizeof(name), "mbuf_port_%u", port);
	/* Last in, first out: what is taken next is what was in use just now, and in the cache. */
	*pool = rte_pktmbuf_pool_create_by_ops(name, config->mbufs, POOL_CACHE, 0, NET_MBUF_DATA,
					       socket, "lf_stack");
	if (!*pool) {
		*code = -rte_errno;
		return NET_PORT_POOL;
	}
	rte_mempool_obj_iter(*pool, touch_mbuf, NULL);
	nif->rx_checksum = (info.rx_offload_capa & checksums) == checksums;
	if (nif->rx_checksum)
		conf.rxmode.offloads |= checksums;
	nif->unmaps = strcmp(info.driver_name, "net_memif") == 0;
	conf.rxmode.mtu = RTE_MIN(config->mtu, (unsigned int)info.max_mtu);
	uint64_t hash =
		info.flow_type_rss_offloads &
		(RTE_ETH_RSS_IP | RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP);

	nif->rss = hash != 0 && config->rx_queues > 1;
	if (nif->rss) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = hash;
	}
	*code = rte_eth_dev_configure(port, (uint16_t)config->rx_queues,
				      (uint16_t)config->tx_queues, &conf);
	if (*code != 0)
		return NET_PORT_CONFIGURE;
	enum net_port_error e = setup_queues(config, port, socket, *pool, code);

	if (e != NET_PORT_OK)
		return e;
	if (config->promiscuous)
		rte_eth_promiscuous_enable(port);
	/* For neighbour solicitations. A driver that cannot mostly hears everything anyway. */
	if (nif->ipv6.family == 6)
		rte_eth_allmulticast_enable(port);
	*code = rte_eth_dev_start(port);
	if (*code == 0)
		*code = rte_eth_macaddr_get(port, &nif->mac);
	if (*code == 0)
		*code = rte_eth_dev_get_mtu(port, &nif->mtu);
	if (*code != 0)
		return NET_PORT_START;
	nif->port_id = port;
	return NET_PORT_OK;
}

void net_port_stop(const struct net_if *nif)
{
	rte_eth_dev_stop(nif->port_id);
	rte_eth_dev_close(nif->port_id);
}
