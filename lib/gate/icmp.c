/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the gate says as a router: ICMP errors (RFC 792, RFC 4443) and router advertisements
 * (RFC 4861); and which ICMP errors of others are for a UE.
 */
#include <rte_ip.h>

#include "gate/internal.h"

enum {
	ICMP_HEADER = 8,
	QUOTED_PORTS = 8,     /* octets behind the quoted IP header that every error has */
	ERROR_MAX_IPV4 = 576, /* RFC 1812 4.3.2.3 */
	ERROR_MAX_IPV6 = 1280,
	HOP_LIMIT = 64,
	HOP_LIMIT_ND = 255,

	ICMP_UNREACHABLE = 3,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_FRAGMENTATION_NEEDED = 4, /* code of ICMP_UNREACHABLE */
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_PARAMETER_PROBLEM = 4,
	ICMP6_ROUTER_SOLICITATION = 133,
	ICMP6_ROUTER_ADVERTISEMENT = 134,
};

static const uint8_t all_routers[16] = {0xff, 0x02, [15] = 2};
static const uint8_t router[16] = {0xfe, 0x80, [15] = 1}; /* we, on the UE's link */

/* ---------------------------------------------------------------- writing */

static void write_ipv4(uint8_t *p, size_t n, const uint8_t *from, const uint8_t *to)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)p;

	*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
				    .total_length = rte_cpu_to_be_16((uint16_t)n),
				    .time_to_live = HOP_LIMIT,
				    .next_proto_id = IPPROTO_ICMP};
	memcpy(&ip->src_addr, from, 4);
	memcpy(&ip->dst_addr, to, 4);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static void write_ipv6(uint8_t *p, size_t n, uint8_t hop_limit, const uint8_t *from,
		       const uint8_t *to)
{
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)p;

	ip->vtc_flow = RTE_BE32(6u << 28);
	ip->payload_len = rte_cpu_to_be_16((uint16_t)(n - IPV6_HEADER));
	ip->proto = IPPROTO_ICMPV6;
	ip->hop_limits = hop_limit;
	memcpy(ip->src_addr, from, 16);
	memcpy(ip->dst_addr, to, 16);
}

/* Behind the IP header, which the checksum of ICMPv6 includes. */
static void write_checksum(uint8_t *ip, bool v6, size_t n)
{
	uint8_t *icmp = ip + (v6 ? IPV6_HEADER : IPV4_HEADER);
	uint16_t sum = v6 ? rte_ipv6_udptcp_cksum((const struct rte_ipv6_hdr *)ip, icmp)
			  : (uint16_t)~rte_raw_cksum(icmp, n - IPV4_HEADER);

	memcpy(icmp + 2, &sum, 2);
}

static uint8_t *append(struct gate *g, struct rte_mbuf *mbuf, size_t n)
{
	uint8_t *p = (uint8_t *)rte_pktmbuf_append(mbuf, (uint16_t)n);

	if (!p) { /* a pool of mbufs too small for it */
		gate_count(g, GATE_COUNT_NO_MBUF, 1);
		rte_pktmbuf_free(mbuf);
	}
	return p;
}

static void send_icmp(struct gate *g, const struct gate_way *way, struct rte_mbuf *mbuf)
{
	if (gate_send(g, way, mbuf))
		gate_count(g, GATE_COUNT_ICMP_SENT, 1);
}

/* ---------------------------------------------------------------- errors */

/* None about an ICMP error; nor, of IPv4 alone, about a later fragment (RFC 1122 3.2.2, RFC 4443
 * 2.4 (e)). */
static bool may_be_reported(const struct gate_packet *p)
{
	return gate_inner_is_tcp_or_udp(&p->inner) && (p->inner.v6 || !p->inner.later);
}

/* Each session by itself (RFC 1812 4.3.2.8, RFC 4443 2.4 (f)): what one UE does costs no other an
 * answer. */
static bool has_turn(const struct gate *g, const struct gate_packet *p)
{
	const struct gate_table *t = g->shared->table;
	struct gate_answers *a = &t->answers[p->row - t->rows];

	return gate_bucket_take(gate_packet_is_uplink(p) ? &a->uplink_bucket : &a->downlink_bucket,
				&g->icmp_pace, g->tsc);
}

static bool find_way_back(struct gate *g, const struct gate_packet *p, struct gate_way *way)
{
	if (gate_packet_is_uplink(p))
		return gate_find_way_to_ue(g, &p->session, way);
	return gate_find_way_to_network(g, p->inner.v6,
					gate_inner_source(&p->inner, gate_packet_ip(p)), way);
}

/* Our address towards the data network; NULL: no port has one of the family. */
static const struct net_addr *own_address(const struct gate *g, bool v6)
{
	unsigned int n6 = v6 ? g->shared->n6_ipv6 : g->shared->n6_ipv4;

	if (n6 >= g->shared->n_nifs)
		return NULL;
	return v6 ? &g->shared->nifs[n6].ipv6 : &g->shared->nifs[n6].ipv4;
}

/* rest: octets 4 to 7 of the message. */
static void send_error(struct gate *g, const struct gate_packet *p, uint8_t type, uint8_t code,
		       uint32_t rest)
{
	bool v6 = p->inner.v6;
	const struct net_addr *from = own_address(g, v6);
	size_t header = (v6 ? IPV6_HEADER : IPV4_HEADER) + ICMP_HEADER;
	size_t quoted = RTE_MIN(p->inner.total, (v6 ? ERROR_MAX_IPV6 : ERROR_MAX_IPV4) - header);
	const uint8_t *to = gate_inner_source(&p->inner, gate_packet_ip(p));
	struct gate_way way;
	struct rte_mbuf *mbuf;
	uint8_t *ip;

	if (!from || from->family == 0 || !may_be_reported(p) || !find_way_back(g, p, &way) ||
	    !has_turn(g, p))
		return;
	mbuf = gate_allocate(g);
	ip = mbuf ? append(g, mbuf, header + quoted) : NULL;
	if (!ip)
		return;
	if (v6)
		write_ipv6(ip, header + quoted, HOP_LIMIT, from->a, to);
	else
		write_ipv4(ip, header + quoted, from->a, to);
	uint8_t *icmp = ip + header - ICMP_HEADER;

	icmp[0] = type;
	icmp[1] = code;
	store_be16(icmp + 2, 0);
	store_be32(icmp + 4, rest);
	memcpy(icmp + ICMP_HEADER, gate_packet_ip(p), quoted);
	write_checksum(ip, v6, header + quoted);
	send_icmp(g, &way, mbuf);
}

void gate_send_time_exceeded(struct gate *g, const struct gate_packet *p)
{
	send_error(g, p, p->inner.v6 ? ICMP6_TIME_EXCEEDED : ICMP_TIME_EXCEEDED, 0, 0);
}

void gate_send_too_big(struct gate *g, const struct gate_packet *p, unsigned int mtu)
{
	if (p->inner.v6)
		send_error(g, p, ICMP6_TOO_BIG, 0, mtu);
	else
		send_error(g, p, ICMP_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, mtu);
}

/* ---------------------------------------------------------------- errors of others */

static bool is_error(const struct gate_packet *p, const uint8_t *icmp, size_t n)
{
	const struct rte_ipv6_hdr *ip = (const struct rte_ipv6_hdr *)gate_packet_ip(p);

	if (p->inner.v6)
		return icmp[0] >= ICMP6_UNREACHABLE && icmp[0] <= ICMP6_PARAMETER_PROBLEM &&
		       rte_ipv6_udptcp_cksum(ip, icmp) == 0;
	return (icmp[0] == ICMP_UNREACHABLE || icmp[0] == ICMP_TIME_EXCEEDED) &&
	       rte_raw_cksum(icmp, n) == 0xffff;
}

bool gate_read_quote(struct gate_packet *p)
{
	const uint8_t *ip = gate_packet_ip(p), *icmp = ip + p->inner.header_len;
	const uint8_t *quote = icmp + ICMP_HEADER;
	size_t n = (size_t)p->inner.total - p->inner.header_len;
	size_t least = (p->inner.v6 ? IPV6_HEADER : IPV4_HEADER) + QUOTED_PORTS;
	size_t address = p->inner.v6 ? 16 : 4;
	struct gate_inner quoted;

	if (n < ICMP_HEADER + least || !is_error(p, icmp, n))
		return false;
	/* What is quoted is cut off: its header alone is looked at, of which there is enough. */
	if (gate_inner_parse(&quoted, quote, UINT16_MAX) != GATE_INNER_OK ||
	    quoted.v6 != p->inner.v6 || quoted.fragment || quoted.options ||
	    !gate_inner_is_tcp_or_udp(&quoted))
		return false;
	if (memcmp(gate_inner_source(&quoted, quote), gate_inner_destination(&p->inner, ip),
		   address) != 0)
		p->key.protocol = GATE_KEY_NOTHING;
	else
		gate_key_set(&p->key, quoted.v6, quoted.protocol,
			     gate_inner_destination(&quoted, quote), quote + quoted.header_len + 2);
	return true;
}

/* ---------------------------------------------------------------- router */

bool gate_is_router_solicitation(const struct gate_packet *p)
{
	const uint8_t *ip = gate_packet_ip(p), *icmp = ip + IPV6_HEADER;
	const uint8_t *destination = gate_inner_destination(&p->inner, ip);

	if (!p->inner.v6 || p->inner.fragment || p->inner.protocol != IPPROTO_ICMPV6 ||
	    p->inner.total < IPV6_HEADER + ICMP_HEADER)
		return false;
	/* RFC 4861 6.1.1 */
	return icmp[0] == ICMP6_ROUTER_SOLICITATION && icmp[1] == 0 && ip[7] == HOP_LIMIT_ND &&
	       (memcmp(destination, all_routers, 16) == 0 ||
		memcmp(destination, router, 16) == 0) &&
	       rte_ipv6_udptcp_cksum((const struct rte_ipv6_hdr *)ip, icmp) == 0;
}

/* RFC 4861 4.2 */
static uint8_t *write_advertisement(uint8_t *p)
{
	enum { LIFETIME_S = 9000 }; /* the most that is allowed */

	memset(p, 0, 16);
	p[0] = ICMP6_ROUTER_ADVERTISEMENT;
	p[4] = HOP_LIMIT;
	store_be16(p + 6, LIFETIME_S);
	return p + 16;
}

/* 4.6.2: not on the link, for addresses (flag A) alone. */
static uint8_t *write_prefix(uint8_t *p, uint64_t prefix)
{
	memset(p, 0, 32);
	p[0] = 3;
	p[1] = 4; /* times 8 octets */
	p[2] = 64;
	p[3] = 0x40;
	store_be32(p + 4, UINT32_MAX); /* valid and preferred for ever */
	store_be32(p + 8, UINT32_MAX);
	store_be64(p + 16, prefix);
	return p + 32;
}

/* 4.6.4 */
static uint8_t *write_mtu(uint8_t *p, uint32_t mtu)
{
	p[0] = 5;
	p[1] = 1;
	store_be16(p + 2, 0);
	store_be32(p + 4, mtu);
	return p + 8;
}

/* RFC 8106 5.1 */
static uint8_t *write_dns(uint8_t *p, const uint8_t *address)
{
	p[0] = 25;
	p[1] = 3;
	store_be16(p + 2, 0);
	store_be32(p + 4, UINT32_MAX);
	memcpy(p + 8, address, 16);
	return p + 24;
}

void gate_send_router_advertisement(struct gate *g, const struct gate_packet *p)
{
	enum { OPTIONS = 32 + 8, DNS = 24 };
	const struct gate_session *s = &p->session;
	bool has_dns = g->shared->dns_ipv6.family == 6;
	size_t n = IPV6_HEADER + 16 + OPTIONS + (has_dns ? DNS : 0);
	struct gate_way way;
	struct rte_mbuf *mbuf;
	uint8_t *ip;

	if (!gate_find_way_to_ue(g, s, &way) || !has_turn(g, p))
		return;
	mbuf = gate_allocate(g);
	ip = mbuf ? append(g, mbuf, n) : NULL;
	if (!ip)
		return;
	write_ipv6(ip, n, HOP_LIMIT_ND, router, gate_inner_source(&p->inner, gate_packet_ip(p)));
	uint8_t *at = write_advertisement(ip + IPV6_HEADER);

	at = write_prefix(at, s->ipv6_prefix);
	at = write_mtu(at, gate_mtu(&g->shared->nifs[s->nif], s->an_addr.family));
	if (has_dns)
		write_dns(at, g->shared->dns_ipv6.a);
	write_checksum(ip, true, n);
	send_icmp(g, &way, mbuf);
}
