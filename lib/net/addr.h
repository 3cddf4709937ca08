/* SPDX-License-Identifier: BSD-3-Clause
 *
 * addr: IPv4 and IPv6 addresses as text and as octets. No DPDK, no state.
 */
#ifndef CPAU_NET_ADDR_H
#define CPAU_NET_ADDR_H

#include "base/base.h"

/* family 4: the address is in the first 4 octets, the others are 0. family 6: all 16. */
struct net_addr {
	uint8_t family; /* 4 or 6; 0: none */
	uint8_t a[16];
};

enum { NET_ADDR_TEXT = 46 };

/* False when the text is not an address. */
bool net_addr_parse(const char *text, struct net_addr *out);
/* "ADDRESS/LENGTH"; without a length it is that of one host. */
bool net_prefix_parse(const char *text, struct net_addr *out, unsigned int *length);
const char *net_addr_format(const struct net_addr *addr, char text[NET_ADDR_TEXT]);
/* The n-th address after it; false when the family has no such address. */
bool net_addr_add(const struct net_addr *addr, uint32_t n, struct net_addr *out);

static inline bool net_addr_equal(const struct net_addr *a, const struct net_addr *b)
{
	return a->family == b->family && memcmp(a->a, b->a, 16) == 0;
}

/* Whether addr is of the prefix of that many bits, which is at most that of its family. */
static inline bool net_prefix_has(const struct net_addr *prefix, unsigned int length,
				  const struct net_addr *addr)
{
	unsigned int octets = length / 8, bits = length % 8;

	return prefix->family == addr->family && memcmp(prefix->a, addr->a, octets) == 0 &&
	       (bits == 0 || (prefix->a[octets] ^ addr->a[octets]) >> (8 - bits) == 0);
}

/* A mix of all bits, not keyed: for tables filled from configuration, and for spreading flows. */
static inline uint32_t net_addr_hash(const struct net_addr *addr)
{
	uint64_t h = load_be64(addr->a) * UINT64_C(0x9e3779b97f4a7c15);

	h = (h ^ (h >> 29) ^ load_be64(addr->a + 8) ^ addr->family) * UINT64_C(0xbf58476d1ce4e5b9);
	return (uint32_t)(h >> 32);
}

#endif
