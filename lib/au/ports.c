/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The authenticator's ports: what each serves, who reads it, who sends over it.
 */
#include <stdio.h>

#include <rte_ethdev.h>

#include "au/instance.h"
#include "gtpu/gtpu.h"

static void describe_port(struct net_if *nif, const struct config *config,
			  const struct config_port *p)
{
	unsigned int length = 0;

	nif->vlan = (uint16_t)p->vlan;
	nif->udp_port = p->serves & CONFIG_SERVES_AN ? (uint16_t)config->udp_port : 0;
	nif->gtpu_port = p->serves & CONFIG_SERVES_N3 ? GTPU_PORT : 0;
	nif->transit = p->serves & CONFIG_SERVES_N6;
	nif->addresses = 1;
	if (p->ipv4)
		net_prefix_parse(p->ipv4, &nif->ipv4, &length);
	nif->ipv4_length = (uint8_t)length;
	if (p->ipv6)
		net_prefix_parse(p->ipv6, &nif->ipv6, &length);
	nif->ipv6_length = (uint8_t)length;
	if (p->gateway_ipv4)
		net_addr_parse(p->gateway_ipv4, &nif->gateway_ipv4);
	if (p->gateway_ipv6)
		net_addr_parse(p->gateway_ipv6, &nif->gateway_ipv6);
}

static bool make_port(struct au *au, unsigned int i)
{
	const struct config_port *p = &au->shared.config->ports[i];
	struct net_if *nif = &au->shared.nifs[i];
	struct rte_eth_dev_info info;
	struct net_port_config port = {
		.device = p->device,
		.rx_queues = config_rx_queues(au->shared.config, i),
		.tx_queues = config_tx_queues(au->shared.config, i),
		.rx_descriptors = p->rx_descriptors,
		.tx_descriptors = p->tx_descriptors,
		.mtu = p->mtu,
		.promiscuous = p->promiscuous,
		.mbufs = au->shared.config->mbufs,
	};
	uint16_t id;
	int code;

	describe_port(nif, au->shared.config, p);
	/* Virtual devices have few queues: stages then share one, each port's queues being as many
	 * as it has, and workers steer in software. */
	if (rte_eth_dev_get_port_by_name(p->device, &id) == 0 &&
	    rte_eth_dev_info_get(id, &info) == 0) {
		port.rx_queues = RTE_MIN(port.rx_queues, info.max_rx_queues);
		if (port.tx_queues > info.max_tx_queues)
			return au_fail(
				au,
				"port %s has %u transmit queues and %u lcores send over it: let "
				"fewer lcores run control stages and gates",
				p->device, info.max_tx_queues, port.tx_queues);
	}
	enum net_port_error e = net_port_start(&port, nif, &au->pools[i], &code);

	if (e != NET_PORT_OK)
		return au_fail(au, "port %s: %s (%s)", p->device, net_port_error_text(e),
			       strerror(-code));
	if (nif->mtu != p->mtu)
		fprintf(stderr, "cpau: port %s: the device takes packets of %u octets, not %u\n",
			p->device, nif->mtu, p->mtu);
	au->rx_queues[i] = port.rx_queues;
	return true;
}

bool au_ports_make(struct au *au)
{
	struct au_shared *s = &au->shared;

	s->n_nifs = s->config->n_ports;
	s->nifs = calloc(s->n_nifs, sizeof(*s->nifs));
	if (!s->nifs)
		return au_fail(au, "no memory for the ports");
	for (unsigned int i = 0; i < s->n_nifs; i++)
		if (!make_port(au, i))
			return false;
	return net_interlock_create(s->nifs, s->n_nifs, &au->interlock) ||
	       au_fail(au, "no memory for the interlock of the ports");
}

/* The transmit queue of each port for this lcore. */
void au_ports_tx_queues(const struct au *au, const struct au_lcore *l, uint16_t *queues)
{
	for (unsigned int i = 0; i < au->shared.n_nifs; i++)
		queues[i] = (uint16_t)config_tx_queue(au->shared.config, i,
						      (unsigned int)(l - au->lcores));
}
