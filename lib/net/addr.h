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

/* From the octets of a packet. Stored in the eights that everybody reads it in: a processor waits
 * where a read needs two writes that are under way. */
static inline void net_addr_set_ipv4(struct net_addr *out, const void *octets)
{
	uint64_t first = 0, last = 0;

	memcpy(&first, octets, 4);
	out->family = 4;
	memcpy(out->a, &first, 8);
	memcpy(out->a + 8, &last, 8);
}

static inline void net_addr_set_ipv6(struct net_addr *out, const void *octets)
{
	uint64_t half[2];

	memcpy(half, octets, 16);
	out->family = 6;
	memcpy(out->a, &half[0], 8);
	memcpy(out->a + 8, &half[1], 8);
}

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
	uint64_t high = load_be64(prefix->a) ^ load_be64(addr->a);

	if (prefix->family != addr->family)
		return false;
	if (length <= 64)
		return length == 0 || high >> (64 - length) == 0;
	return high == 0 &&
	       (load_be64(prefix->a + 8) ^ load_be64(addr->a + 8)) >> (128 - length) == 0;
}

/* A mix of all bits, not keyed: for tables filled from configuration, and for spreading flows. */
static inline uint32_t net_addr_hash(const struct net_addr *addr)
{
	uint64_t h = load_be64(addr->a) * UINT64_C(0x9e3779b97f4a7c15);

	h = (h ^ (h >> 29) ^ load_be64(addr->a + 8) ^ addr->family) * UINT64_C(0xbf58476d1ce4e5b9);
	return (uint32_t)(h >> 32);
}

#endif
