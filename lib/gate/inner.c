/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The headers of the packets between UEs and the data network, both directions alike.
 */
#include <rte_ip.h>

#include "gate/internal.h"

enum {
	TCP_HEADER = 20,
	UDP_HEADER = 8,
	DONT_FRAGMENT = 0x4000,
	MORE_FRAGMENTS = 0x2000,
	OFFSET_MASK = 0x1fff,
	IPPROTO_MOBILITY = 135,
	IPPROTO_HIP = 139,
	IPPROTO_SHIM6 = 140,
};

/* RFC 791 3.1 */
static enum gate_inner_error parse_ipv4(struct gate_inner *inner, const uint8_t *p, size_t n)
{
	if (n < IPV4_HEADER)
		return GATE_INNER_TRUNCATED;
	size_t header = (size_t)(p[0] & 0x0f) * 4;
	uint16_t total = load_be16(p + 2), flags = load_be16(p + 6);

	if (header < IPV4_HEADER || total < header)
		return GATE_INNER_BAD;
	if (total > n)
		return GATE_INNER_TRUNCATED;
	inner->protocol = p[9];
	inner->header_len = (uint16_t)header;
	inner->total = total;
	inner->options = header > IPV4_HEADER;
	inner->later = flags & OFFSET_MASK;
	inner->fragment = flags & (OFFSET_MASK | MORE_FRAGMENTS);
	inner->dont_fragment = flags & DONT_FRAGMENT;
	return GATE_INNER_OK;
}

/* All that RFC 8200 and its registry call extension headers, but for the fragment's. */
static bool is_extension(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT: /* a second one */
	case IPPROTO_ESP:
	case IPPROTO_AH:
	case IPPROTO_NONE:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MOBILITY:
	case IPPROTO_HIP:
	case IPPROTO_SHIM6:
	case 253: /* RFC 3692, for experiments */
	case 254:
		return true;
	default:
		return false;
	}
}

/* RFC 8200 3 and 4.5 */
static enum gate_inner_error parse_ipv6(struct gate_inner *inner, const uint8_t *p, size_t n)
{
	if (n < IPV6_HEADER)
		return GATE_INNER_TRUNCATED;
	size_t total = IPV6_HEADER + (size_t)load_be16(p + 4);

	if (total > n || total > UINT16_MAX)
		return GATE_INNER_TRUNCATED;
	inner->v6 = true;
	inner->protocol = p[6];
	inner->header_len = IPV6_HEADER;
	inner->total = (uint16_t)total;
	inner->dont_fragment = true; /* on the way, 4.5 */
	if (inner->protocol == IPPROTO_FRAGMENT) {
		const uint8_t *fragment = p + IPV6_HEADER;

		if (total < IPV6_HEADER + IPV6_FRAGMENT_HEADER)
			return GATE_INNER_TRUNCATED;
		inner->fragment = true;
		inner->later = load_be16(fragment + 2) & 0xfff8;
		inner->protocol = fragment[0];
		inner->header_len = IPV6_HEADER + IPV6_FRAGMENT_HEADER;
	}
	inner->options = is_extension(inner->protocol);
	return GATE_INNER_OK;
}

enum gate_inner_error gate_inner_parse(struct gate_inner *inner, const uint8_t *p, size_t n)
{
	*inner = (struct gate_inner){0};
	if (n == 0)
		return GATE_INNER_TRUNCATED;
	if (p[0] >> 4 == 4)
		return parse_ipv4(inner, p, n);
	if (p[0] >> 4 == 6)
		return parse_ipv6(inner, p, n);
	return GATE_INNER_BAD;
}

bool gate_inner_checksum(const struct gate_inner *inner, const uint8_t *p)
{
	if (inner->v6)
		return true;
	return (inner->header_len == IPV4_HEADER ? net_ipv4_sum(p)
						 : rte_raw_cksum(p, inner->header_len)) == 0xffff;
}

bool gate_inner_has_ports(const struct gate_inner *inner, const uint8_t *p)
{
	const uint8_t *l4 = p + inner->header_len;
	size_t n = (size_t)inner->total - inner->header_len;

	if (inner->protocol == IPPROTO_TCP) {
		size_t header = n >= TCP_HEADER ? (size_t)(l4[12] >> 4) * 4 : 0;

		return header >= TCP_HEADER && header <= n;
	}
	if (inner->protocol != IPPROTO_UDP || n < UDP_HEADER)
		return false;
	/* The first fragment has the length of the whole. */
	return load_be16(l4 + 4) >= UDP_HEADER && (inner->fragment || load_be16(l4 + 4) <= n);
}

void gate_inner_decrement_ttl(const struct gate_inner *inner, uint8_t *p)
{
	if (inner->v6) {
		p[7]--;
		return;
	}
	/* RFC 1624: TTL is the upper octet of its word, and the checksum rises as that falls. */
	uint32_t sum = (uint32_t)load_be16(p + 10) + 0x0100;

	p[8]--;
	store_be16(p + 10, (uint16_t)(sum + (sum >= 0xffff)));
}
