/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_icmp.h>
#include <rte_ip.h>

#include "net/internal.h"

/* RFC 1071, over the pseudo-header of RFC 8200 8.1 and the whole of the upper-layer packet. */
uint16_t net_checksum_upper(const void *ip, bool v6, uint8_t protocol, const void *upper, size_t n)
{
	uint32_t sum;

	if (v6) {
		const struct rte_ipv6_hdr *h = ip;

		sum = rte_raw_cksum(h->src_addr, 32);
	} else {
		const struct rte_ipv4_hdr *h = ip;

		sum = rte_raw_cksum(&h->src_addr, 8);
	}
	sum += rte_cpu_to_be_16((uint16_t)n);
	sum += rte_cpu_to_be_16(protocol);
	sum += rte_raw_cksum(upper, n);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}
