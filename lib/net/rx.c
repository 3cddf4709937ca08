/* SPDX-License-Identifier: BSD-3-Clause */
#define ALLOW_EXPERIMENTAL_API /* rte_ip_frag_table_del_expired_entries */
#include <rte_arp.h>
#include <rte_cycles.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_ip_frag.h>
#include <rte_malloc.h>
#include <rte_udp.h>

#include "net/internal.h"

enum {
	EXTENSIONS_MAX = 4, /* IPv6 extension headers that are walked */
	NEIGHBOURS = 16,
	ICMP6_ECHO_REQUEST = 128,
	ICMP6_ECHO_REPLY = 129,
	ICMP6_SOLICITATION = 135,
	ICMP6_ADVERTISEMENT = 136,
	FRAGMENT_BUCKET = 4,
	EXPIRY_PER_S = 100,
	PREFETCH = 4, /* packets ahead */
};
_Static_assert(NET_REASSEMBLY_MBUFS == RTE_LIBRTE_IP_FRAG_MAX_FRAG, "the library's bound");

/* What a NIC says of a frame. */
#define SAID_BY_NIC                                                                       \
	(RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_IP_CKSUM_MASK | \
	 RTE_MBUF_F_RX_L4_CKSUM_MASK)

struct neighbour {
	struct net_addr addr;
	struct rte_ether_addr mac;
};

struct net_rx {
	struct net_rx_config config;
	uint64_t counters[NET_COUNTER_N];
	struct rte_ip_frag_tbl *fragments;
	struct rte_ip_frag_death_row dead;
	uint64_t next_expiry, expiry_interval;
	unsigned int n_answers, n_transit;
	struct rte_mbuf *answers[NET_BURST], *transit[NET_BURST];
	struct neighbour neighbours[NEIGHBOURS];
	unsigned int next_neighbour;
};

/* A packet on its way through the layers. */
struct packet {
	struct rte_mbuf *mbuf;
	/* Whose peer and source are filled in on the way, whether or not a datagram comes of it. */
	struct net_datagram *out;
	uint64_t tsc;
	uint16_t l3; /* offset of the IP header */
	uint16_t l4; /* offset of what follows it and its extensions */
	size_t l4_len;
	uint8_t protocol;
	bool v6;
};

static const struct {
	const char *name, *text;
} counters[NET_COUNTER_N] = {
#define X(symbol, name, text) [NET_COUNT_##symbol] = {name, text},
	NET_COUNTERS(X)
#undef X
};

const char *net_counter_name(unsigned int counter)
{
	return counter < NET_COUNTER_N ? counters[counter].name : "?";
}

const char *net_counter_text(unsigned int counter)
{
	return counter < NET_COUNTER_N ? counters[counter].text : "?";
}

static bool serves_udp(const struct net_if *nif)
{
	return nif->any_port || nif->udp_port || nif->gtpu_port;
}

struct net_rx *net_rx_create(const struct net_rx_config *config)
{
	struct net_rx *rx =
		rte_zmalloc_socket("net_rx", sizeof(*rx), RTE_CACHE_LINE_SIZE, config->numa_node);

	if (!rx)
		return NULL;
	rx->config = *config;
	rx->expiry_interval = rte_get_tsc_hz() / EXPIRY_PER_S;
	if (config->max_fragments > 0 && serves_udp(config->nif)) {
		rx->fragments = rte_ip_frag_table_create(
			config->max_fragments, FRAGMENT_BUCKET, config->max_fragments,
			rte_get_tsc_hz() / 1000 * config->fragment_ms, config->numa_node);
		if (!rx->fragments) {
			rte_free(rx);
			return NULL;
		}
	}
	return rx;
}

void net_rx_destroy(struct net_rx *rx)
{
	if (!rx)
		return;
	rte_pktmbuf_free_bulk(rx->answers, rx->n_answers);
	rte_pktmbuf_free_bulk(rx->transit, rx->n_transit);
	if (rx->fragments)
		rte_ip_frag_table_destroy(rx->fragments);
	rte_free(rx);
}

const uint64_t *net_rx_counters(const struct net_rx *rx)
{
	return rx->counters;
}

static void count_n(struct net_rx *rx, enum net_counter counter, uint64_t n)
{
	__atomic_store_n(&rx->counters[counter], rx->counters[counter] + n, __ATOMIC_RELAXED);
}

static void count(struct net_rx *rx, enum net_counter counter)
{
	count_n(rx, counter, 1);
}

/* Every packet that goes no further ends here. */
static bool refuse(struct net_rx *rx, struct packet *p, enum net_counter why)
{
	count(rx, why);
	rte_pktmbuf_free(p->mbuf);
	return false;
}

static void answer(struct net_rx *rx, struct rte_mbuf *frame)
{
	if (rx->n_answers < NET_BURST)
		rx->answers[rx->n_answers++] = frame;
	else
		rte_pktmbuf_free(frame);
}

unsigned int net_rx_answers(struct net_rx *rx, struct rte_mbuf **out, unsigned int n)
{
	unsigned int given = RTE_MIN(n, rx->n_answers);

	memcpy(out, rx->answers, given * sizeof(*out));
	rx->n_answers -= given;
	memmove(rx->answers, rx->answers + given, rx->n_answers * sizeof(*out));
	return given;
}

unsigned int net_rx_transit(struct net_rx *rx, struct rte_mbuf **out)
{
	unsigned int given = rx->n_transit;

	memcpy(out, rx->transit, given * sizeof(*out));
	rx->n_transit = 0;
	return given;
}

/* ---------------------------------------------------------------- neighbours */

static void learn_alone(struct net_rx *rx, const struct net_addr *addr,
			const struct rte_ether_addr *mac)
{
	for (unsigned int i = 0; i < NEIGHBOURS; i++)
		if (net_addr_equal(&rx->neighbours[i].addr, addr)) {
			rx->neighbours[i].mac = *mac;
			return;
		}
	rx->neighbours[rx->next_neighbour] = (struct neighbour){*addr, *mac};
	rx->next_neighbour = (rx->next_neighbour + 1) % NEIGHBOURS;
}

static void learn(struct net_rx *rx, const struct packet *p, const struct net_addr *addr,
		  const struct rte_ether_addr *mac)
{
	const struct net_if *nif = rx->config.nif;

	if (!net_is_on_link(nif, addr) || net_is_ours(nif, addr) ||
	    rte_is_multicast_ether_addr(mac))
		return;
	if (!rx->config.neighbours)
		learn_alone(rx, addr, mac);
	else if (!net_neighbours_learn(rx->config.neighbours, rx->config.nif_index, addr, mac,
				       p->tsc))
		count(rx, NET_COUNT_NEIGHBOURS_FULL);
}

bool net_rx_neighbour(const struct net_rx *rx, const struct net_addr *addr,
		      struct rte_ether_addr *mac)
{
	for (unsigned int i = 0; i < NEIGHBOURS; i++)
		if (net_addr_equal(&rx->neighbours[i].addr, addr)) {
			*mac = rx->neighbours[i].mac;
			return true;
		}
	return false;
}

/* Turns the frame round: what came from p's MAC goes back there. */
static void answer_in_place(struct net_rx *rx, struct packet *p)
{
	struct rte_ether_hdr *ether = rte_pktmbuf_mtod(p->mbuf, struct rte_ether_hdr *);

	ether->dst_addr = p->out->from.mac;
	ether->src_addr = rx->config.nif->mac;
	p->mbuf->ol_flags &= ~(uint64_t)SAID_BY_NIC;
	answer(rx, p->mbuf);
}

/* RFC 826: answer requests for our address, learn from replies. */
static bool handle_arp(struct net_rx *rx, struct packet *p)
{
	struct rte_arp_hdr *arp = rte_pktmbuf_mtod_offset(p->mbuf, struct rte_arp_hdr *, p->l3);

	if (rte_pktmbuf_data_len(p->mbuf) < p->l3 + sizeof(*arp))
		return refuse(rx, p, NET_COUNT_TRUNCATED);
	if (arp->arp_hardware != RTE_BE16(RTE_ARP_HRD_ETHER) ||
	    arp->arp_protocol != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
	    arp->arp_hlen != RTE_ETHER_ADDR_LEN || arp->arp_plen != 4)
		return refuse(rx, p, NET_COUNT_BAD_ETHERTYPE);

	if (!net_is_our_ipv4(rx->config.nif, rte_be_to_cpu_32(arp->arp_data.arp_tip)))
		return refuse(rx, p, NET_COUNT_NOT_FOR_US);
	struct net_addr sender;

	net_addr_set_ipv4(&sender, &arp->arp_data.arp_sip);
	learn(rx, p, &sender, &arp->arp_data.arp_sha);
	if (arp->arp_opcode != RTE_BE16(RTE_ARP_OP_REQUEST))
		return refuse(rx, p, NET_COUNT_ARP);
	count(rx, NET_COUNT_ARP);
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY);
	arp->arp_data.arp_tha = arp->arp_data.arp_sha;
	arp->arp_data.arp_sha = rx->config.nif->mac;
	RTE_SWAP(arp->arp_data.arp_tip, arp->arp_data.arp_sip);
	answer_in_place(rx, p);
	return false;
}

/* ---------------------------------------------------------------- ICMP */

static bool handle_icmp4(struct net_rx *rx, struct packet *p)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(p->mbuf, struct rte_ipv4_hdr *, p->l3);
	struct rte_icmp_hdr *icmp = rte_pktmbuf_mtod_offset(p->mbuf, struct rte_icmp_hdr *, p->l4);

	if (p->l4_len < sizeof(*icmp))
		return refuse(rx, p, NET_COUNT_TRUNCATED);
	if (rte_raw_cksum(icmp, p->l4_len) != 0xffff)
		return refuse(rx, p, NET_COUNT_BAD_CHECKSUM);
	if (icmp->icmp_type != RTE_IP_ICMP_ECHO_REQUEST)
		return refuse(rx, p, NET_COUNT_BAD_PROTOCOL);
	count(rx, NET_COUNT_ECHO);
	icmp->icmp_type = RTE_IP_ICMP_ECHO_REPLY;
	icmp->icmp_cksum = 0;
	icmp->icmp_cksum = (uint16_t)~rte_raw_cksum(icmp, p->l4_len);
	RTE_SWAP(ip->src_addr, ip->dst_addr);
	ip->time_to_live = 64;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, (size_t)(p->l4 - p->l3));
	answer_in_place(rx, p);
	return false;
}

/* RFC 4861 7.1.1, 7.2.4: a solicitation of ours becomes an advertisement; an advertisement is
 * learned. The option that carries a MAC is the first, as all senders put it. Extension headers,
 * which none of them puts, would stay in the answer. */
static bool handle_nd(struct net_rx *rx, struct packet *p, uint8_t *icmp)
{
	struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod_offset(p->mbuf, struct rte_ipv6_hdr *, p->l3);
	struct net_addr target;

	if (p->l4_len < 24 || ip->hop_limits != 255 || icmp[1] != 0 || p->l4 != p->l3 + sizeof(*ip))
		return refuse(rx, p, NET_COUNT_BAD_ND);
	net_addr_set_ipv6(&target, icmp + 8);
	const struct rte_ether_addr *mac = (const struct rte_ether_addr *)(icmp + 26);
	bool has_mac = p->l4_len >= 32 && icmp[25] == 1 && !rte_is_multicast_ether_addr(mac);

	if (icmp[0] == ICMP6_ADVERTISEMENT) {
		if (has_mac && icmp[24] == 2)
			learn(rx, p, &target, mac);
		return refuse(rx, p, NET_COUNT_ND);
	}
	if (!net_is_ours(rx->config.nif, &target))
		return refuse(rx, p, NET_COUNT_NOT_FOR_US);
	/* Duplicate address detection (source ::) has no option and wants an answer to all nodes;
	 * the address is configured by hand here, so it is left alone. */
	if (!has_mac || icmp[24] != 1)
		return refuse(rx, p, NET_COUNT_ND);
	count(rx, NET_COUNT_ND);
	p->out->from.mac = *mac;
	learn(rx, p, &p->out->from.addr, mac);
	memcpy(ip->dst_addr, ip->src_addr, 16);
	memcpy(ip->src_addr, target.a, 16);
	ip->payload_len = RTE_BE16(32);
	rte_pktmbuf_trim(p->mbuf, (uint16_t)(p->l4_len - 32));
	icmp[0] = ICMP6_ADVERTISEMENT;
	memset(icmp + 2, 0, 6);
	icmp[4] = 0x60; /* solicited, override */
	icmp[24] = 2;	/* target link-layer address */
	memcpy(icmp + 26, &rx->config.nif->mac, RTE_ETHER_ADDR_LEN);
	uint16_t sum = net_checksum_upper(ip, true, IPPROTO_ICMPV6, icmp, 32);

	memcpy(icmp + 2, &sum, 2);
	answer_in_place(rx, p);
	return false;
}

static bool handle_icmp6(struct net_rx *rx, struct packet *p)
{
	struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod_offset(p->mbuf, struct rte_ipv6_hdr *, p->l3);
	uint8_t *icmp = rte_pktmbuf_mtod_offset(p->mbuf, uint8_t *, p->l4);
	uint8_t destination[16];

	if (p->l4_len < 8)
		return refuse(rx, p, NET_COUNT_TRUNCATED);
	if (net_checksum_upper(ip, true, IPPROTO_ICMPV6, icmp, p->l4_len) != 0)
		return refuse(rx, p, NET_COUNT_BAD_CHECKSUM);
	if (icmp[0] == ICMP6_SOLICITATION || icmp[0] == ICMP6_ADVERTISEMENT)
		return handle_nd(rx, p, icmp);
	if (icmp[0] != ICMP6_ECHO_REQUEST || !net_is_ours(rx->config.nif, &p->out->from.local))
		return refuse(rx, p, NET_COUNT_BAD_PROTOCOL);
	count(rx, NET_COUNT_ECHO);
	memcpy(destination, ip->dst_addr, 16);
	memcpy(ip->dst_addr, ip->src_addr, 16);
	memcpy(ip->src_addr, destination, 16);
	icmp[0] = ICMP6_ECHO_REPLY;
	memset(icmp + 2, 0, 2);
	uint16_t sum = net_checksum_upper(ip, true, IPPROTO_ICMPV6, icmp, p->l4_len);

	memcpy(icmp + 2, &sum, 2);
	answer_in_place(rx, p);
	return false;
}

/* ---------------------------------------------------------------- IP */

/* A reassembled datagram is a chain: the decoders want one piece. */
static bool linearise(struct net_rx *rx, struct packet *p)
{
	struct rte_mbuf *flat;

	if (p->mbuf->nb_segs == 1)
		return true;
	uint32_t n = rte_pktmbuf_pkt_len(p->mbuf);

	flat = rte_pktmbuf_alloc(rx->config.pool);
	if (!flat)
		return refuse(rx, p, NET_COUNT_NO_MBUF);
	if (n > rte_pktmbuf_tailroom(flat)) {
		rte_pktmbuf_free(flat);
		return refuse(rx, p, NET_COUNT_REASSEMBLY_FAILED);
	}
	uint8_t *to = (uint8_t *)rte_pktmbuf_append(flat, (uint16_t)n);

	for (const struct rte_mbuf *m = p->mbuf; m; m = m->next) {
		memcpy(to, rte_pktmbuf_mtod(m, void *), m->data_len);
		to += m->data_len;
	}
	rte_pktmbuf_free(p->mbuf);
	p->mbuf = flat;
	return true;
}

static bool source_known(const struct net_rx *rx, struct packet *p)
{
	int source = 0;

	if (rx->config.find_source)
		source = rx->config.find_source(rx->config.arg, &p->out->from.addr);
	p->out->source = source;
	return source >= 0;
}

/* Ethernet pads short frames: the packet ends where its header says. One segment. */
static void cut_padding(struct rte_mbuf *m, size_t excess)
{
	m->data_len = (uint16_t)(m->data_len - excess);
	m->pkt_len = m->data_len;
}

/* A packet of n octets for another address, which may go on there where passes says so. */
static bool handle_transit(struct net_rx *rx, struct packet *p, size_t n, bool passes)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(p->mbuf, struct rte_ether_hdr *);

	if (!rx->config.nif->transit || !passes ||
	    !rte_is_same_ether_addr(&ether->dst_addr, &rx->config.nif->mac))
		return refuse(rx, p, NET_COUNT_NOT_FOR_US);
	count(rx, NET_COUNT_TRANSIT);
	p->mbuf->data_off = (uint16_t)(p->mbuf->data_off + p->l3);
	p->mbuf->data_len = (uint16_t)n;
	p->mbuf->pkt_len = (uint32_t)n;
	p->mbuf->ol_flags &= ~(uint64_t)SAID_BY_NIC;
	rx->transit[rx->n_transit++] = p->mbuf;
	return false;
}

/* Hands a fragment to the table. True: the datagram is whole, and p->mbuf is it, in one segment;
 * the IP header is as that of an unfragmented packet. */
static bool reassemble(struct net_rx *rx, struct packet *p, struct rte_ipv6_fragment_ext *fragment)
{
	struct rte_mbuf *whole;

	count(rx, NET_COUNT_FRAGMENTS);
	if (!rx->fragments)
		return refuse(rx, p, NET_COUNT_REASSEMBLY_FAILED);
	p->mbuf->tx_offload = rte_mbuf_tx_offload(p->l3, p->l4 - p->l3, 0, 0, 0, 0, 0);
	if (p->v6)
		whole = rte_ipv6_frag_reassemble_packet(
			rx->fragments, &rx->dead, p->mbuf, p->tsc,
			rte_pktmbuf_mtod_offset(p->mbuf, struct rte_ipv6_hdr *, p->l3), fragment);
	else
		whole = rte_ipv4_frag_reassemble_packet(
			rx->fragments, &rx->dead, p->mbuf, p->tsc,
			rte_pktmbuf_mtod_offset(p->mbuf, struct rte_ipv4_hdr *, p->l3));
	/* At once: the library fills this list without looking at its length. */
	if (rx->dead.cnt > 0) {
		count(rx, NET_COUNT_REASSEMBLY_FAILED);
		rte_ip_frag_free_death_row(&rx->dead, 0);
	}
	if (!whole)
		return false;
	p->mbuf = whole;
	/* Its headers are the first fragment's, whose tags may be others than the last one's. */
	p->l3 = (uint16_t)whole->l2_len;
	if (!linearise(rx, p))
		return false;
	count(rx, NET_COUNT_REASSEMBLED);
	return true;
}

/* The library frees what is late when it needs the room, which is never where nothing comes. A call
 * takes no more than its list holds, so what is left is for the next turn. */
void net_rx_expire(struct net_rx *rx, uint64_t tsc)
{
	if (!rx->fragments || tsc < rx->next_expiry)
		return;
	rte_ip_frag_table_del_expired_entries(rx->fragments, &rx->dead, tsc);
	if (rx->dead.cnt == 0)
		rx->next_expiry = tsc + rx->expiry_interval;
	count_n(rx, NET_COUNT_FRAGMENTS_LATE, rx->dead.cnt);
	rte_ip_frag_free_death_row(&rx->dead, 0);
}

static bool ipv4_sum_is_right(const struct net_rx *rx, const struct packet *p,
			      const struct rte_ipv4_hdr *ip, size_t header)
{
	if (rx->config.nif->rx_checksum &&
	    (p->mbuf->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
		return true;
	return (header == sizeof(*ip) ? net_ipv4_sum(ip) : rte_raw_cksum(ip, header)) == 0xffff;
}

static bool parse_ipv4(struct net_rx *rx, struct packet *p)
{
	for (bool whole = false;; whole = true) {
		struct rte_ipv4_hdr *ip =
			rte_pktmbuf_mtod_offset(p->mbuf, struct rte_ipv4_hdr *, p->l3);
		size_t have = rte_pktmbuf_data_len(p->mbuf) - p->l3;

		if (rte_pktmbuf_data_len(p->mbuf) < p->l3 + sizeof(*ip))
			return refuse(rx, p, NET_COUNT_TRUNCATED);
		size_t header = (size_t)(ip->version_ihl & 0x0f) * 4;
		size_t total = rte_be_to_cpu_16(ip->total_length);

		if (ip->version_ihl >> 4 != 4 || header < sizeof(*ip) || total < header)
			return refuse(rx, p, NET_COUNT_BAD_IP);
		if (total > have)
			return refuse(rx, p, NET_COUNT_TRUNCATED);
		/* The reassembly leaves the checksum to us, and the header was checked before. */
		if (!whole && !ipv4_sum_is_right(rx, p, ip, header))
			return refuse(rx, p, NET_COUNT_BAD_IP);
		uint32_t destination = rte_be_to_cpu_32(ip->dst_addr);

		if (!net_is_our_ipv4(rx->config.nif, destination))
			return handle_transit(rx, p, total,
					      net_passes_ipv4(rx->config.nif, destination));
		p->v6 = false;
		net_addr_set_ipv4(&p->out->from.addr, &ip->src_addr);
		net_addr_set_ipv4(&p->out->from.local, &ip->dst_addr);
		p->protocol = ip->next_proto_id;
		p->l4 = (uint16_t)(p->l3 + header);
		p->l4_len = total - header;
		bool fragmented = rte_ipv4_frag_pkt_is_fragmented(ip);

		if ((fragmented || p->protocol == IPPROTO_UDP) && !source_known(rx, p))
			return refuse(rx, p, NET_COUNT_UNKNOWN_SOURCE);
		cut_padding(p->mbuf, have - total);
		if (whole || !fragmented)
			return true;
		if (!reassemble(rx, p, NULL))
			return false;
	}
}

/* RFC 8200 4.5: offset and "more" of a fragment header. */
static bool is_part(const uint8_t *fragment)
{
	return (load_be16(fragment + 2) & 0xfff9) != 0;
}

/* Walks the extension headers of an IPv6 packet of total octets, as far as a fragment header. One
 * that holds a whole packet is walked like the others (RFC 6946). False: refused. */
static bool walk_extensions(struct net_rx *rx, struct packet *p, const struct rte_ipv6_hdr *ip,
			    size_t total, struct rte_ipv6_fragment_ext **fragment)
{
	size_t offset = sizeof(*ip);

	*fragment = NULL;
	p->protocol = ip->proto;
	for (unsigned int i = 0; i < EXTENSIONS_MAX && !*fragment; i++) {
		const uint8_t *extension = (const uint8_t *)ip + offset;

		if (p->protocol != IPPROTO_HOPOPTS && p->protocol != IPPROTO_DSTOPTS &&
		    p->protocol != IPPROTO_FRAGMENT)
			break;
		if (offset + 8 > total)
			return refuse(rx, p, NET_COUNT_BAD_IP);
		size_t n = p->protocol == IPPROTO_FRAGMENT ? 8 : (size_t)(extension[1] + 1) * 8;

		if (offset + n > total)
			return refuse(rx, p, NET_COUNT_BAD_IP);
		if (p->protocol == IPPROTO_FRAGMENT && is_part(extension)) {
			/* librte_ip_frag wants the fragment header right behind the fixed one. */
			if (offset != sizeof(*ip))
				return refuse(rx, p, NET_COUNT_REASSEMBLY_FAILED);
			*fragment = (struct rte_ipv6_fragment_ext *)(uintptr_t)extension;
		}
		p->protocol = extension[0];
		offset += n;
	}
	p->l4 = (uint16_t)(p->l3 + offset);
	p->l4_len = total - offset;
	return true;
}

static bool parse_ipv6(struct net_rx *rx, struct packet *p)
{
	for (bool whole = false;; whole = true) {
		struct rte_ipv6_hdr *ip =
			rte_pktmbuf_mtod_offset(p->mbuf, struct rte_ipv6_hdr *, p->l3);
		size_t have = rte_pktmbuf_data_len(p->mbuf) - p->l3;
		struct rte_ipv6_fragment_ext *fragment;

		if (rte_pktmbuf_data_len(p->mbuf) < p->l3 + sizeof(*ip))
			return refuse(rx, p, NET_COUNT_TRUNCATED);
		size_t total = sizeof(*ip) + rte_be_to_cpu_16(ip->payload_len);

		if (rte_be_to_cpu_32(ip->vtc_flow) >> 28 != 6)
			return refuse(rx, p, NET_COUNT_BAD_IP);
		if (total > have)
			return refuse(rx, p, NET_COUNT_TRUNCATED);
		bool multicast = ip->dst_addr[0] == 0xff;

		if (!multicast && !net_is_our_ipv6(rx->config.nif, ip->dst_addr))
			return handle_transit(rx, p, total, net_passes_ipv6(ip->dst_addr));
		p->v6 = true;
		net_addr_set_ipv6(&p->out->from.addr, ip->src_addr);
		net_addr_set_ipv6(&p->out->from.local, ip->dst_addr);
		if (!walk_extensions(rx, p, ip, total, &fragment))
			return false;
		if (multicast && p->protocol != IPPROTO_ICMPV6)
			return refuse(rx, p, NET_COUNT_NOT_FOR_US);
		if ((fragment || p->protocol == IPPROTO_UDP) && !source_known(rx, p))
			return refuse(rx, p, NET_COUNT_UNKNOWN_SOURCE);
		cut_padding(p->mbuf, have - total);
		if (!fragment)
			return true;
		if (whole)
			return refuse(rx, p, NET_COUNT_REASSEMBLY_FAILED);
		if (!reassemble(rx, p, fragment))
			return false;
	}
}

/* ---------------------------------------------------------------- the layers in order */

/* True: *type is the protocol above, and p->l3 where it starts. */
static bool parse_ether(struct net_rx *rx, struct packet *p, uint16_t *type)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(p->mbuf, struct rte_ether_hdr *);
	size_t n = rte_pktmbuf_data_len(p->mbuf);
	uint16_t vlan = 0;

	if (n < sizeof(*ether))
		return refuse(rx, p, NET_COUNT_TRUNCATED);
	p->out->from.mac = ether->src_addr;
	p->l3 = sizeof(*ether);
	*type = rte_be_to_cpu_16(ether->ether_type);
	if (p->mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
		vlan = p->mbuf->vlan_tci & 0x0fff;
	/* With two tags the inner one is ours; the outer is the transport's. */
	for (unsigned int i = 0; i < 2 && (*type == RTE_ETHER_TYPE_VLAN || *type == NET_ETHER_QINQ);
	     i++) {
		const uint8_t *tag = rte_pktmbuf_mtod_offset(p->mbuf, const uint8_t *, p->l3);

		if (n < p->l3 + 4u)
			return refuse(rx, p, NET_COUNT_TRUNCATED);
		vlan = load_be16(tag) & 0x0fff;
		*type = load_be16(tag + 2);
		p->l3 = (uint16_t)(p->l3 + 4);
	}
	if (vlan != rx->config.nif->vlan)
		return refuse(rx, p, NET_COUNT_BAD_VLAN);
	return true;
}

static bool port_is_served(const struct net_if *nif, uint16_t port)
{
	return nif->any_port || (port != 0 && (port == nif->udp_port || port == nif->gtpu_port));
}

/* Over IPv4 the checksum may be absent; over IPv6 it may not (RFC 8200 8.1), but for tunnels (RFC
 * 6935). */
static bool udp_sum_is_right(const struct net_rx *rx, const struct packet *p,
			     const struct rte_udp_hdr *udp, size_t n, uint16_t port)
{
	const struct net_if *nif = rx->config.nif;

	if (udp->dgram_cksum == 0)
		return !p->v6 || (port != 0 && port == nif->gtpu_port);
	if (nif->rx_checksum &&
	    (p->mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return true;
	return net_checksum_upper(rte_pktmbuf_mtod_offset(p->mbuf, void *, p->l3), p->v6,
				  IPPROTO_UDP, udp, n) == 0;
}

static bool parse_udp(struct net_rx *rx, struct packet *p)
{
	const struct rte_udp_hdr *udp =
		rte_pktmbuf_mtod_offset(p->mbuf, struct rte_udp_hdr *, p->l4);

	if (p->l4_len < sizeof(*udp))
		return refuse(rx, p, NET_COUNT_BAD_UDP);
	size_t n = rte_be_to_cpu_16(udp->dgram_len);

	if (n < sizeof(*udp) || n > p->l4_len)
		return refuse(rx, p, NET_COUNT_BAD_UDP);
	uint16_t port = rte_be_to_cpu_16(udp->dst_port);

	if (!port_is_served(rx->config.nif, port))
		return refuse(rx, p, NET_COUNT_BAD_PORT);
	if (!udp_sum_is_right(rx, p, udp, n, port))
		return refuse(rx, p, NET_COUNT_BAD_CHECKSUM);
	count(rx, NET_COUNT_DATAGRAMS);
	p->out->mbuf = p->mbuf;
	p->out->payload = span_make(udp + 1, n - sizeof(*udp));
	p->out->from.nif = rx->config.nif_index;
	p->out->from.port = rte_be_to_cpu_16(udp->src_port);
	p->out->local_port = port;
	return true;
}

/* A frame of several segments in one, with what the NIC said of it. */
static bool flatten(struct net_rx *rx, struct packet *p)
{
	uint64_t said = p->mbuf->ol_flags & SAID_BY_NIC;
	uint16_t vlan = p->mbuf->vlan_tci;

	if (!linearise(rx, p))
		return false;
	p->mbuf->ol_flags |= said;
	p->mbuf->vlan_tci = vlan;
	return true;
}

static bool parse_packet(struct net_rx *rx, struct packet *p)
{
	uint16_t type;

	if (p->mbuf->nb_segs > 1 && !flatten(rx, p))
		return false;
	if (!parse_ether(rx, p, &type))
		return false;
	switch (type) {
	case RTE_ETHER_TYPE_IPV4:
		if (!parse_ipv4(rx, p))
			return false;
		break;
	case RTE_ETHER_TYPE_IPV6:
		if (!parse_ipv6(rx, p))
			return false;
		break;
	case RTE_ETHER_TYPE_ARP:
		return handle_arp(rx, p);
	default:
		return refuse(rx, p, NET_COUNT_BAD_ETHERTYPE);
	}
	if (p->protocol == IPPROTO_UDP)
		return parse_udp(rx, p);
	if (p->protocol == IPPROTO_ICMP && !p->v6)
		return handle_icmp4(rx, p);
	if (p->protocol == IPPROTO_ICMPV6 && p->v6)
		return handle_icmp6(rx, p);
	return refuse(rx, p, NET_COUNT_BAD_PROTOCOL);
}

unsigned int net_rx_burst(struct net_rx *rx, struct rte_mbuf **packets, unsigned int n,
			  uint64_t tsc, struct net_datagram *out)
{
	unsigned int given = 0;
	uint64_t octets = 0;

	rte_pktmbuf_free_bulk(rx->transit, rx->n_transit);
	rx->n_transit = 0;
	for (unsigned int i = 0; i < RTE_MIN(n, (unsigned int)PREFETCH); i++)
		rte_prefetch0(rte_pktmbuf_mtod(packets[i], void *));
	for (unsigned int i = 0; i < n; i++) {
		struct packet p = {.mbuf = packets[i], .out = &out[given], .tsc = tsc};

		if (i + PREFETCH < n)
			rte_prefetch0(rte_pktmbuf_mtod(packets[i + PREFETCH], void *));
		octets += rte_pktmbuf_pkt_len(packets[i]);
		if (parse_packet(rx, &p))
			given++;
	}
	count_n(rx, NET_COUNT_RX_PACKETS, n);
	count_n(rx, NET_COUNT_RX_OCTETS, octets);
	return given;
}
