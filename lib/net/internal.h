/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of lib/net share.
 */
#ifndef CPAU_NET_INTERNAL_H
#define CPAU_NET_INTERNAL_H

#include "net/net.h"

enum { NET_ETHER_QINQ = 0x88a8 };

/* Checksum of an upper-layer packet of n octets whose checksum field takes part as it is: 0 when a
 * received packet is right, or, with the field 0, the value to put there. */
uint16_t net_checksum_upper(const void *ip, bool v6, uint8_t protocol, const void *upper, size_t n);

/* Host order. */
static inline bool net_is_our_ipv4(const struct net_if *nif, uint32_t address)
{
	return nif->ipv4.family == 4 && address - load_be32(nif->ipv4.a) < nif->addresses;
}

static inline bool net_is_our_ipv6(const struct net_if *nif, const uint8_t address[16])
{
	return nif->ipv6.family == 6 && memcmp(address, nif->ipv6.a, 12) == 0 &&
	       load_be32(address + 12) - load_be32(nif->ipv6.a + 12) < nif->addresses;
}

static inline bool net_is_ours(const struct net_if *nif, const struct net_addr *a)
{
	return a->family == 4 ? net_is_our_ipv4(nif, load_be32(a->a)) : net_is_our_ipv6(nif, a->a);
}

/* Whether a packet may go on to this destination, which is not ours: a host's or a router's, beyond
 * this host and this link's own broadcasts. */
bool net_passes_ipv4(const struct net_if *nif, uint32_t destination);
bool net_passes_ipv6(const uint8_t destination[16]);

#endif
