/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_arp.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_ip_frag.h>
#include <rte_udp.h>

#include "net/internal.h"

enum { TX_TRIES = 64 };

static size_t ether_size(const struct net_if *nif)
{
	return sizeof(struct rte_ether_hdr) + (nif->vlan ? 4 : 0);
}

/* Gives what follows. */
static uint8_t *write_ether(const struct net_if *nif, uint8_t *p, const struct rte_ether_addr *to,
			    uint16_t ether_type)
{
	memcpy(p, to, RTE_ETHER_ADDR_LEN);
	memcpy(p + 6, &nif->mac, RTE_ETHER_ADDR_LEN);
	p += 12;
	if (nif->vlan) {
		store_be16(p, RTE_ETHER_TYPE_VLAN);
		store_be16(p + 2, nif->vlan);
		p += 4;
	}
	store_be16(p, ether_type);
	return p + 2;
}

static void prepend_ether(const struct net_if *nif, struct rte_mbuf *frame,
			  const struct rte_ether_addr *to, uint16_t ether_type)
{
	uint8_t *p = (uint8_t *)rte_pktmbuf_prepend(frame, (uint16_t)ether_size(nif));

	(void)write_ether(nif, p, to, ether_type);
}

static uint16_t ether_type_of(bool v6)
{
	return v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4;
}

static size_t udp_ip_size(const struct net_peer *to)
{
	return sizeof(struct rte_udp_hdr) +
	       (to->addr.family == 6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr));
}

static uint8_t *write_ipv4(uint8_t *p, const struct net_peer *to, uint16_t n, uint16_t ip_id)
{
	uint32_t w[5] = {
		RTE_IPV4_VHL_DEF << 24 | (uint32_t)(n + sizeof(struct rte_ipv4_hdr)),
		(uint32_t)ip_id << 16,
		64 << 24 | IPPROTO_UDP << 16,
		load_be32(to->local.a),
		load_be32(to->addr.a),
	};

	w[2] |= (uint16_t)~net_sum_words(w);
	for (unsigned int i = 0; i < RTE_DIM(w); i++)
		store_be32(p + 4 * i, w[i]);
	return p + sizeof(w);
}

static uint8_t *write_ipv6(uint8_t *p, const struct net_peer *to, uint16_t n)
{
	store_be64(p, UINT64_C(6) << 60 | (uint64_t)n << 16 | IPPROTO_UDP << 8 | 64);
	memcpy(p + 8, to->local.a, 16);
	memcpy(p + 24, to->addr.a, 16);
	return p + sizeof(struct rte_ipv6_hdr);
}

/* IP and UDP in front of so many octets of payload; the UDP checksum is 0. Gives the UDP header. */
static uint8_t *write_udp_ip(uint8_t *p, const struct net_peer *to, uint16_t local_port,
			     uint16_t ip_id, uint32_t payload)
{
	uint16_t n = (uint16_t)(payload + sizeof(struct rte_udp_hdr));

	p = to->addr.family == 6 ? write_ipv6(p, to, n) : write_ipv4(p, to, n, ip_id);
	store_be64(p, (uint64_t)local_port << 48 | (uint64_t)to->port << 32 | (uint64_t)n << 16);
	return p;
}

static void ipv4_checksum(struct rte_mbuf *frame)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(frame, struct rte_ipv4_hdr *);

	ip->hdr_checksum = 0;
	ip->hdr_checksum =
		(uint16_t) ~(ip->version_ihl == RTE_IPV4_VHL_DEF
				     ? net_ipv4_sum(ip)
				     : rte_raw_cksum(ip, (size_t)(ip->version_ihl & 0x0f) * 4));
}

/* RFC 791 3.1: options without the copied flag are in the first fragment alone. In the others
 * no-operation stands in their place, and in that of all from a malformed one on. */
static void strip_options(struct rte_mbuf *fragment)
{
	enum { NO_OPERATION = 1, COPIED = 0x80 };
	uint8_t *ip = rte_pktmbuf_mtod(fragment, uint8_t *);
	size_t left = (size_t)(ip[0] & 0x0f) * 4 - sizeof(struct rte_ipv4_hdr);

	for (uint8_t *o = ip + sizeof(struct rte_ipv4_hdr); left > 0;) {
		bool single = o[0] == NO_OPERATION;
		size_t n = single ? 1 : left >= 2 ? o[1] : 0;
		bool whole = single || (n >= 2 && n <= left && o[0] != 0);

		if (!whole)
			n = left;
		if (!whole || !(o[0] & COPIED))
			memset(o, NO_OPERATION, n);
		o += n;
		left -= n;
	}
}

unsigned int net_ipv4_fragment(struct rte_mbuf *mbuf, unsigned int mtu, struct rte_mempool *direct,
			       struct rte_mempool *indirect,
			       struct rte_mbuf *out[NET_FRAGMENTS_MAX])
{
	int32_t n = rte_ipv4_fragment_packet(mbuf, out, NET_FRAGMENTS_MAX, (uint16_t)mtu, direct,
					     indirect);

	rte_pktmbuf_free(mbuf);
	for (int32_t i = 0; i < n; i++) {
		if (i > 0)
			strip_options(out[i]);
		ipv4_checksum(out[i]);
		out[i]->ol_flags &= ~(RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_IPV4);
	}
	return n > 0 ? (unsigned int)n : 0;
}

static unsigned int fragment_ipv6(struct rte_mbuf *mbuf, unsigned int mtu,
				  struct rte_mempool *direct, struct rte_mempool *indirect,
				  uint16_t ip_id, struct rte_mbuf **out)
{
	int32_t n = rte_ipv6_fragment_packet(mbuf, out, NET_FRAGMENTS_MAX, (uint16_t)mtu, direct,
					     indirect);

	rte_pktmbuf_free(mbuf);
	/* 22.11 numbers all IPv6 fragments 0: the identification is the datagram's. */
	for (int32_t i = 0; i < n; i++)
		store_be32(rte_pktmbuf_mtod(out[i], uint8_t *) + sizeof(struct rte_ipv6_hdr) + 4,
			   ip_id);
	return n > 0 ? (unsigned int)n : 0;
}

unsigned int net_udp_finish(const struct net_if *nif, struct rte_mbuf *mbuf,
			    const struct net_peer *to, uint16_t local_port, uint16_t ip_id,
			    struct rte_mempool *direct, struct rte_mempool *indirect,
			    struct rte_mbuf **out)
{
	bool v6 = to->addr.family == 6;
	uint32_t payload = rte_pktmbuf_pkt_len(mbuf);
	uint8_t *ip = (uint8_t *)rte_pktmbuf_prepend(mbuf, (uint16_t)udp_ip_size(to));
	uint8_t *udp = write_udp_ip(ip, to, local_port, ip_id, payload);
	uint16_t sum =
		net_checksum_upper(ip, v6, IPPROTO_UDP, udp, payload + sizeof(struct rte_udp_hdr));
	unsigned int frames = 1;

	sum = sum ? sum : 0xffff;
	memcpy(udp + 6, &sum, 2);
	out[0] = mbuf;
	if (rte_pktmbuf_pkt_len(mbuf) > nif->mtu)
		frames = v6 ? fragment_ipv6(mbuf, nif->mtu, direct, indirect, ip_id, out)
			    : net_ipv4_fragment(mbuf, nif->mtu, direct, indirect, out);
	for (unsigned int i = 0; i < frames; i++)
		prepend_ether(nif, out[i], &to->mac, ether_type_of(v6));
	return frames;
}

bool net_tunnel_finish(const struct net_if *nif, struct rte_mbuf *mbuf, const struct net_peer *to,
		       uint16_t local_port, uint16_t ip_id)
{
	uint32_t payload = rte_pktmbuf_pkt_len(mbuf);
	size_t headers = udp_ip_size(to);

	if (payload + headers > nif->mtu || rte_pktmbuf_headroom(mbuf) < NET_HEADROOM)
		return false;
	uint8_t *p = (uint8_t *)rte_pktmbuf_prepend(mbuf, (uint16_t)(ether_size(nif) + headers));

	p = write_ether(nif, p, &to->mac, ether_type_of(to->addr.family == 6));
	(void)write_udp_ip(p, to, local_port, ip_id, payload);
	return true;
}

void net_transit_finish(const struct net_if *nif, struct rte_mbuf *mbuf,
			const struct rte_ether_addr *next_hop)
{
	bool v6 = *rte_pktmbuf_mtod(mbuf, const uint8_t *) >> 4 == 6;

	prepend_ether(nif, mbuf, next_hop, ether_type_of(v6));
}

/* ---------------------------------------------------------------- asking for neighbours */

static bool write_arp_request(const struct net_if *nif, const struct net_addr *local,
			      const struct net_addr *wanted, struct rte_mbuf *frame)
{
	static const struct rte_ether_addr broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	struct rte_arp_hdr *arp = (struct rte_arp_hdr *)rte_pktmbuf_append(frame, sizeof(*arp));

	if (!arp)
		return false;
	memset(arp, 0, sizeof(*arp));
	arp->arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER);
	arp->arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	arp->arp_hlen = RTE_ETHER_ADDR_LEN;
	arp->arp_plen = 4;
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REQUEST);
	arp->arp_data.arp_sha = nif->mac;
	memcpy(&arp->arp_data.arp_sip, local->a, 4);
	memcpy(&arp->arp_data.arp_tip, wanted->a, 4);
	prepend_ether(nif, frame, &broadcast, RTE_ETHER_TYPE_ARP);
	return true;
}

/* RFC 4861 4.3, to the solicited-node multicast address. */
static bool write_solicitation(const struct net_if *nif, const struct net_addr *local,
			       const struct net_addr *wanted, struct rte_mbuf *frame)
{
	enum { ICMP = 32 };
	struct rte_ether_addr mac = {
		{0x33, 0x33, 0xff, wanted->a[13], wanted->a[14], wanted->a[15]}};
	uint8_t *p = (uint8_t *)rte_pktmbuf_append(frame, sizeof(struct rte_ipv6_hdr) + ICMP);
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)p;
	uint8_t *icmp = p + sizeof(*ip);

	if (!p)
		return false;
	memset(p, 0, sizeof(*ip) + ICMP);
	ip->vtc_flow = RTE_BE32(6u << 28);
	ip->payload_len = RTE_BE16(ICMP);
	ip->proto = IPPROTO_ICMPV6;
	ip->hop_limits = 255;
	memcpy(ip->src_addr, local->a, 16);
	memcpy(ip->dst_addr, "\xff\x02\0\0\0\0\0\0\0\0\0\x01\xff", 13);
	memcpy(ip->dst_addr + 13, wanted->a + 13, 3);
	icmp[0] = 135;
	memcpy(icmp + 8, wanted->a, 16);
	icmp[24] = 1; /* source link-layer address */
	icmp[25] = 1;
	memcpy(icmp + 26, &nif->mac, RTE_ETHER_ADDR_LEN);
	uint16_t sum = net_checksum_upper(ip, true, IPPROTO_ICMPV6, icmp, ICMP);

	memcpy(icmp + 2, &sum, 2);
	prepend_ether(nif, frame, &mac, RTE_ETHER_TYPE_IPV6);
	return true;
}

struct rte_mbuf *net_solicit(const struct net_if *nif, const struct net_addr *local,
			     const struct net_addr *wanted, struct rte_mempool *pool)
{
	struct rte_mbuf *frame = rte_pktmbuf_alloc(pool);

	if (!frame)
		return NULL;
	if (wanted->family == 4 ? write_arp_request(nif, local, wanted, frame)
				: write_solicitation(nif, local, wanted, frame))
		return frame;
	rte_pktmbuf_free(frame); /* a pool of mbufs too small for any frame */
	return NULL;
}

/* ---------------------------------------------------------------- queues */

void net_tx_flush(struct net_tx *tx)
{
	unsigned int sent = 0;
	uint64_t octets = 0;

	for (unsigned int i = 0; i < tx->n; i++)
		octets += rte_pktmbuf_pkt_len(tx->frames[i]);
	for (unsigned int tries = 0; sent < tx->n && tries < TX_TRIES; tries++)
		sent += rte_eth_tx_burst(tx->port_id, tx->queue, tx->frames + sent,
					 (uint16_t)(tx->n - sent));
	for (unsigned int i = sent; i < tx->n; i++)
		octets -= rte_pktmbuf_pkt_len(tx->frames[i]);
	rte_pktmbuf_free_bulk(tx->frames + sent, tx->n - sent);
	tx->sent += sent;
	tx->octets += octets;
	tx->dropped += tx->n - sent;
	tx->n = 0;
}

void net_tx_push(struct net_tx *tx, struct rte_mbuf *frame)
{
	tx->frames[tx->n++] = frame;
	if (tx->n == NET_BURST)
		net_tx_flush(tx);
}
