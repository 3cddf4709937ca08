/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_ether.h>
#include <rte_ip.h>

#include "net/internal.h"

enum { IPV4 = 20, IPV6 = 40, UDP_PORTS = 4 };

/* RFC 1122 3.2.1.3, RFC 1812 5.3.7 and 5.3.5: neither this network, the host itself, multicast,
 * reserved (limited broadcast is of those), link-local, nor a broadcast to our link. */
bool net_passes_ipv4(const struct net_if *nif, uint32_t destination)
{
	uint32_t net = destination >> 24;

	if (net == 0 || net == 127 || net >= 224 || destination >> 16 == 0xa9fe)
		return false;
	if (nif->ipv4.family != 4 || nif->ipv4_length == 0 || nif->ipv4_length >= 31)
		return true;
	uint32_t hosts = UINT32_MAX >> nif->ipv4_length;

	return (load_be32(nif->ipv4.a) | hosts) != destination;
}

/* RFC 4291 2.5, 2.7: neither unspecified, loopback, link-local nor multicast. */
bool net_passes_ipv6(const uint8_t destination[16])
{
	if (destination[0] == 0xff || (destination[0] == 0xfe && (destination[1] & 0xc0) == 0x80))
		return false;
	return load_be64(destination) != 0 || load_be64(destination + 8) > 1;
}

/* Where the IP header begins; 0: it does not. */
static size_t skip_ether(const uint8_t *data, size_t n, uint16_t *type)
{
	size_t at = sizeof(struct rte_ether_hdr);

	if (n < at)
		return 0;
	*type = load_be16(data + at - 2);
	for (unsigned int i = 0;
	     i < 2 && (*type == RTE_ETHER_TYPE_VLAN || *type == NET_ETHER_QINQ) && n >= at + 4;
	     i++) {
		*type = load_be16(data + at + 2);
		at += 4;
	}
	return at;
}

uint32_t net_flow_hash(const struct rte_mbuf *packet)
{
	const uint8_t *data = rte_pktmbuf_mtod(packet, const uint8_t *);
	uint16_t type = 0, port = 0;
	size_t n = rte_pktmbuf_data_len(packet), l3 = skip_ether(data, n, &type);
	const uint8_t *ip = data + l3;
	struct net_addr source = {0};

	if (type == RTE_ETHER_TYPE_IPV4 && n >= l3 + IPV4) {
		size_t l4 = l3 + (size_t)(ip[0] & 0x0f) * 4;

		source.family = 4;
		memcpy(source.a, ip + 12, 4);
		if (ip[9] == IPPROTO_UDP && (load_be16(ip + 6) & 0x3fff) == 0 && n >= l4 + 2)
			port = load_be16(data + l4);
	} else if (type == RTE_ETHER_TYPE_IPV6 && n >= l3 + IPV6) {
		source.family = 6;
		memcpy(source.a, ip + 8, 16);
		if (ip[6] == IPPROTO_UDP && n >= l3 + IPV6 + 2)
			port = load_be16(ip + IPV6);
	} else {
		return 0;
	}
	return (net_addr_hash(&source) ^ port) * UINT32_C(0x9e3779b1) >> 8;
}

static bool is_gtpu(const struct net_if *nif, const uint8_t *udp)
{
	return nif->gtpu_port != 0 && load_be16(udp + 2) == nif->gtpu_port;
}

bool net_is_user_plane(const struct net_if *nif, const struct rte_mbuf *frame)
{
	const uint8_t *data = rte_pktmbuf_mtod(frame, const uint8_t *);
	uint16_t type = 0;
	size_t n = rte_pktmbuf_data_len(frame), l3 = skip_ether(data, n, &type);
	const uint8_t *ip = data + l3;

	if (type == RTE_ETHER_TYPE_IPV4 && n >= l3 + IPV4) {
		uint32_t destination = load_be32(ip + 16);
		size_t l4 = l3 + (size_t)(ip[0] & 0x0f) * 4;

		if (!net_is_our_ipv4(nif, destination))
			return nif->transit && net_passes_ipv4(nif, destination);
		return ip[9] == IPPROTO_UDP && (load_be16(ip + 6) & 0x3fff) == 0 &&
		       n >= l4 + UDP_PORTS && is_gtpu(nif, data + l4);
	}
	if (type == RTE_ETHER_TYPE_IPV6 && n >= l3 + IPV6) {
		if (!net_is_our_ipv6(nif, ip + 24))
			return nif->transit && net_passes_ipv6(ip + 24);
		return ip[6] == IPPROTO_UDP && n >= l3 + IPV6 + UDP_PORTS &&
		       is_gtpu(nif, ip + IPV6);
	}
	return false;
}
