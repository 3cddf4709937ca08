/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of lib/net share.
 */
#ifndef CPAU_NET_INTERNAL_H
#define CPAU_NET_INTERNAL_H

#include "net/net.h"

/* Checksum of an upper-layer packet of n octets whose checksum field takes part as it is: 0 when a
 * received packet is right, or, with the field 0, the value to put there. */
uint16_t net_checksum_upper(const void *ip, bool v6, uint8_t protocol, const void *upper, size_t n);

/* Prepends the Ethernet header, with the VLAN tag where the port has one. */
void net_ether_prepend(const struct net_if *nif, struct rte_mbuf *frame,
		       const struct rte_ether_addr *to, uint16_t ether_type);

#endif
