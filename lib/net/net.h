/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net: everything between an ethdev and the payload of a UDP datagram, for both ends of the AN
 * link and of N3; and between an ethdev and IP packets on their way, for N6.
 *
 * Receiving: Ethernet, VLAN, ARP, IPv4, IPv6, ICMP echo, neighbour discovery, reassembly
 * (librte_ip_frag), UDP with its checksum. What is neither a datagram for a port of ours nor, where
 * the port carries transit, a packet for another address is answered (ARP, ND, echo) or freed and
 * counted. Sending: the reverse, with fragmentation, and the MAC addresses of next hops. It routes
 * nothing: what may pass is for others to say. Nothing blocks; nothing allocates but mbufs.
 *
 * A struct net_if is constant after start. A struct net_rx and a struct net_tx belong to one lcore;
 * a struct net_neighbours to all.
 */
#ifndef CPAU_NET_H
#define CPAU_NET_H

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "net/addr.h"

/* X(symbol, name, text) */
#define NET_COUNTERS(X)                                                                           \
	X(RX_PACKETS, "rx-packets", "packets received")                                           \
	X(RX_OCTETS, "rx-octets", "octets received")                                              \
	X(TRUNCATED, "truncated", "packets shorter than their headers say")                       \
	X(BAD_VLAN, "bad-vlan", "packets of another VLAN")                                        \
	X(BAD_ETHERTYPE, "bad-ethertype", "packets of a protocol that is not spoken here")        \
	X(NOT_FOR_US, "not-for-us", "packets for another address")                                \
	X(TRANSIT, "transit", "packets for another address that were passed on")                  \
	X(BAD_IP, "bad-ip", "IP headers with wrong version, length or checksum")                  \
	X(BAD_PROTOCOL, "bad-protocol", "IP packets that are neither UDP nor an answerable ICMP") \
	X(UNKNOWN_SOURCE, "unknown-source", "packets from an address that is not configured")     \
	X(BAD_UDP, "bad-udp", "UDP lengths that do not fit")                                      \
	X(BAD_CHECKSUM, "bad-checksum", "UDP or ICMP checksums that are wrong")                   \
	X(BAD_PORT, "bad-port", "UDP datagrams for another port")                                 \
	X(FRAGMENTS, "fragments", "IP fragments received")                                        \
	X(REASSEMBLED, "reassembled", "datagrams put together again")                             \
	X(REASSEMBLY_FAILED, "reassembly-failed",                                                 \
	  "fragments given up: duplicate, too many, too large or no mbuf")                        \
	X(FRAGMENTS_LATE, "fragments-late",                                                       \
	  "fragments given up because others of their datagram did not come in time")             \
	X(ARP, "arp", "ARP packets for us")                                                       \
	X(ND, "nd", "neighbour discovery packets for us")                                         \
	X(BAD_ND, "bad-nd",                                                                       \
	  "neighbour discovery packets that break RFC 4861 7.1 or have extension headers")        \
	X(NEIGHBOURS_FULL, "neighbours-full", "neighbours that there was no room to learn")       \
	X(ECHO, "echo", "ICMP echo requests answered")                                            \
	X(DATAGRAMS, "datagrams", "datagrams passed on")                                          \
	X(NO_MBUF, "no-mbuf", "packets given up because no mbuf was free")

enum net_counter {
#define X(symbol, name, text) NET_COUNT_##symbol,
	NET_COUNTERS(X)
#undef X
		NET_COUNTER_N,
};
const char *net_counter_name(unsigned int counter);
const char *net_counter_text(unsigned int counter);

/* One port as the network sees it. */
struct net_if {
	uint16_t port_id;
	uint16_t mtu;  /* octets of an IP packet */
	uint16_t vlan; /* 0: untagged */
	/* UDP ports that we serve, host order: of the AN link and of the user plane (N3). 0: none.
	 */
	uint16_t udp_port, gtpu_port;
	bool any_port; /* datagrams for all other ports too: a generator's many source ports */
	bool transit;  /* N6: IP packets for other addresses than ours are passed on */
	struct rte_ether_addr mac;
	struct net_addr ipv4; /* family 0: none */
	struct net_addr ipv6;
	/* Of the prefixes of ipv4 and ipv6 on the link, bits; 0: all is on the link. */
	uint8_t ipv4_length, ipv6_length;
	struct net_addr gateway_ipv4, gateway_ipv6; /* next hop to what is not; family 0: none */
	/* A generator has many addresses: this many from ipv4 / ipv6 on are all ours. */
	uint32_t addresses;
	bool rx_checksum; /* the NIC checks IPv4 and UDP checksums */
	bool rss;	  /* the NIC spreads flows over its queues */
	bool unmaps;	  /* the driver unmaps its rings under us: see net/interlock.h */
};

/* The sum of five words, such as an IPv4 header without options, in 16 bits: 0xffff of a header
 * whose checksum is right, in whichever order the octets of all words stand. */
static inline uint16_t net_sum_words(const uint32_t w[5])
{
	uint64_t sum = (uint64_t)w[0] + w[1] + w[2] + w[3] + w[4];

	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static inline uint16_t net_ipv4_sum(const void *header)
{
	uint32_t w[5];

	memcpy(w, header, sizeof(w));
	return net_sum_words(w);
}

/* Our address of the family; its family is 0 where there is none. */
static inline const struct net_addr *net_if_address(const struct net_if *nif, uint8_t family)
{
	return family == 4 ? &nif->ipv4 : &nif->ipv6;
}

/* Whether the address needs no gateway: it is of a prefix on the link, or IPv6 link-local. */
static inline bool net_is_on_link(const struct net_if *nif, const struct net_addr *a)
{
	if (a->family == 4)
		return net_prefix_has(&nif->ipv4, nif->ipv4_length, a);
	return (nif->ipv6.family == 6 && a->a[0] == 0xfe && (a->a[1] & 0xc0) == 0x80) ||
	       net_prefix_has(&nif->ipv6, nif->ipv6_length, a);
}

/* Where a datagram goes, or whence an answer returns. */
struct net_peer {
	uint8_t nif; /* index of the port, as the owner numbers them */
	struct rte_ether_addr mac;
	uint16_t port;	       /* the peer's UDP port, host order */
	struct net_addr addr;  /* the peer's */
	struct net_addr local; /* ours */
};

struct net_datagram {
	struct rte_mbuf *mbuf; /* one segment; the receiver frees it */
	struct span payload;   /* in mbuf */
	struct net_peer from;
	uint16_t local_port; /* ours, host order: says whether it is for udp_port or gtpu_port */
	int source;	     /* what find_source said of from.addr */
};

/* ---------------------------------------------------------------- receiving */

struct net_rx;

struct net_rx_config {
	const struct net_if *nif;
	uint8_t nif_index;	  /* put into net_peer */
	struct rte_mempool *pool; /* for answers and for linearising reassembled datagrams */
	/* Datagrams under reassembly at a time, each of which may hold NET_REASSEMBLY_MBUFS of the
	 * port's mbufs; 0: refuse fragments. A port without UDP ports refuses them too. */
	unsigned int max_fragments;
	unsigned int fragment_ms; /* how long their fragments may take */
	int numa_node;
	/* Asked before reassembly and checksums, of packets for our address alone: below 0 drops
	 * the packet (UNKNOWN_SOURCE), all else goes with the datagram. NULL: everybody is 0. */
	int (*find_source)(void *arg, const struct net_addr *source);
	void *arg;
	/* Of several ports and lcores: what ARP and ND say is put there. NULL: kept in rx alone.
	 * Either way only addresses on the port's link are learned. */
	struct net_neighbours *neighbours;
};

enum {
	NET_BURST = 64,
	NET_REASSEMBLY_MBUFS = 8, /* fragments that a datagram may come in */
};

struct net_rx *net_rx_create(const struct net_rx_config *config);
void net_rx_destroy(struct net_rx *rx);
const uint64_t *net_rx_counters(const struct net_rx *rx);

/* Takes n <= NET_BURST packets; gives the datagrams among them (at most n). Answers of our own
 * (ARP, ND, echo) are gathered in rx and fetched with net_rx_answers. tsc is the time now.
 * out has room for n, whatever comes of them. */
unsigned int net_rx_burst(struct net_rx *rx, struct rte_mbuf **packets, unsigned int n,
			  uint64_t tsc, struct net_datagram *out);
/* Frees fragments whose time is over: some each turn, looking every 10 ms. For every turn, whether
 * or not packets came: where none come, nothing else gives these mbufs back. */
void net_rx_expire(struct net_rx *rx, uint64_t tsc);
/* Frames to send as they are; the caller owns them afterwards. */
unsigned int net_rx_answers(struct net_rx *rx, struct rte_mbuf **out, unsigned int n);
/* Packets of the last burst that are for others (net_if.transit), in the order of their arrival:
 * IPv4 or IPv6, whole or a fragment, in one segment, data begins at the IP header, which was
 * checked (version, lengths, IPv4 checksum), and ends where the IP header says. They came to our
 * MAC and go to a unicast address beyond the host; nothing was asked about their source. At most
 * NET_BURST; the caller owns them afterwards. What the caller leaves is freed by the next burst. */
unsigned int net_rx_transit(struct net_rx *rx, struct rte_mbuf **out);
/* The MAC that an address was last seen to have in ARP or ND, where rx keeps that alone; false:
 * not known. */
bool net_rx_neighbour(const struct net_rx *rx, const struct net_addr *addr,
		      struct rte_ether_addr *mac);

/* Spreads flows over workers where the ethdev does not: source address and source port of the IP
 * packet in the mbuf, or addresses alone for a fragment. 0 for what is not IP. */
uint32_t net_flow_hash(const struct rte_mbuf *packet);
/* Whether the frame is for the user plane of a port that serves it and the AN link too: UDP for
 * gtpu_port, or IP for another address where transit is set. Never for a fragment that is for us:
 * GTP-U in fragments wants a port of its own. A look at the headers of the first segment, no check:
 * whoever is handed the frame gives it to a net_rx. */
bool net_is_user_plane(const struct net_if *nif, const struct rte_mbuf *packet);

/* ---------------------------------------------------------------- sending */

enum {
	NET_HEADROOM = 18 + 40 + 8, /* Ethernet with VLAN, IPv6, UDP */
	NET_FRAGMENTS_MAX = 8,	    /* frames that one datagram may become */
};

/* Makes a datagram of an mbuf whose data is the payload and whose headroom is at least
 * NET_HEADROOM: prepends the headers, fragments when it is longer than the MTU. Gives the number of
 * frames in out[NET_FRAGMENTS_MAX]; 0: it could not be done (no mbuf, too long), and the mbuf is
 * freed. direct and indirect: pools for fragment headers and for references to the data. */
unsigned int net_udp_finish(const struct net_if *nif, struct rte_mbuf *mbuf,
			    const struct net_peer *to, uint16_t local_port, uint16_t ip_id,
			    struct rte_mempool *direct, struct rte_mempool *indirect,
			    struct rte_mbuf **out);

/* A tunnel's datagram: headers as net_udp_finish makes them, but UDP without a checksum (IPv4: RFC
 * 768; IPv6: RFC 6935, which GTP-U may use), for packets that fit the MTU. to->mac is the next
 * hop's. The payload may be in several segments. False: it does not fit the MTU, or its headroom is
 * less than NET_HEADROOM, and nothing was done. */
bool net_tunnel_finish(const struct net_if *nif, struct rte_mbuf *mbuf, const struct net_peer *to,
		       uint16_t local_port, uint16_t ip_id);
/* An IP packet on its way, its version by its first octet: prepends Ethernet (and VLAN) towards the
 * next hop. Needs 18 octets of headroom. */
void net_transit_finish(const struct net_if *nif, struct rte_mbuf *mbuf,
			const struct rte_ether_addr *next_hop);
/* An IPv4 packet (data at its IP header, no Ethernet), which may be a fragment itself, into
 * fragments of at most mtu octets with headers of their own, checksums right (RFC 791 3.2). Gives
 * their number; 0: it could not be done (DF is set, too many, no mbuf). The mbuf is freed either
 * way. direct and indirect as above. */
unsigned int net_ipv4_fragment(struct rte_mbuf *mbuf, unsigned int mtu, struct rte_mempool *direct,
			       struct rte_mempool *indirect,
			       struct rte_mbuf *out[NET_FRAGMENTS_MAX]);

/* An ARP request or a neighbour solicitation for the address; NULL: no mbuf. */
struct rte_mbuf *net_solicit(const struct net_if *nif, const struct net_addr *local,
			     const struct net_addr *wanted, struct rte_mempool *pool);

/* ---------------------------------------------------------------- next hops */

/* MAC addresses of neighbours of all ports: a table of fixed size, written by every lcore that
 * receives ARP and ND, read by every lcore that sends, without locks. A writer that meets another
 * at the same entry gives way: ARP comes again.
 *
 * An entry that packets went to within a minute is in use and stays, whatever ARP and ND bring. One
 * that nobody uses gives way to a next hop at once, and to a neighbour that nobody asked for after
 * a minute. A MAC that is not confirmed any more is used until another is told. */
struct net_neighbours;
/* For that many neighbours at least, beyond which some may find no room. NULL: no memory. */
struct net_neighbours *net_neighbours_create(unsigned int capacity, int numa_node);
void net_neighbours_destroy(struct net_neighbours *n);
/* That the address has this MAC on the port of this index. False: no room. Any lcore. */
bool net_neighbours_learn(struct net_neighbours *n, uint8_t nif, const struct net_addr *addr,
			  const struct rte_ether_addr *mac, uint64_t tsc);

enum net_hop {
	NET_HOP_KNOWN, /* *mac is set */
	NET_HOP_ASK,   /* not known, or to be refreshed: send net_solicit for *hop; at most once a
			  second and hop, of all lcores. *mac is set when it was known: *known
			  says so */
	NET_HOP_WAIT,  /* asked already, or no room to remember the answer */
	NET_HOP_NONE,  /* no route: not on the link and no gateway; or our own address */
};
/* The next hop to a unicast destination over the port, and its MAC: the destination itself where
 * it is on the link (its prefix, or IPv6 link-local), else the gateway of its family. *known says
 * whether *mac is set. Asks again every 30 s while it is used. Any lcore. */
enum net_hop net_next_hop(struct net_neighbours *n, const struct net_if *nif, uint8_t nif_index,
			  const struct net_addr *destination, uint64_t tsc, struct net_addr *hop,
			  struct rte_ether_addr *mac, bool *known);

/* Frames towards one queue of one port. */
struct net_tx {
	uint16_t port_id, queue;
	unsigned int n;
	uint64_t dropped, sent, octets; /* frames that the port did not take / took */
	struct rte_mbuf *frames[NET_BURST];
};
void net_tx_push(struct net_tx *tx, struct rte_mbuf *frame);
/* A bounded number of tries; what the port does not take then is dropped and counted. */
void net_tx_flush(struct net_tx *tx);

/* ---------------------------------------------------------------- ports */

struct net_port_config {
	const char *device; /* ethdev name */
	unsigned int rx_queues, tx_queues;
	unsigned int rx_descriptors, tx_descriptors;
	unsigned int mtu;
	bool promiscuous;
	unsigned int mbufs; /* of the port's pool */
};

enum net_port_error {
	NET_PORT_OK = 0,
	NET_PORT_UNKNOWN,   /* no ethdev of that name */
	NET_PORT_QUEUES,    /* the device has fewer queues than asked for */
	NET_PORT_POOL,	    /* no memory for the mbufs */
	NET_PORT_CONFIGURE, /* rte_eth_dev_configure failed */
	NET_PORT_QUEUE_SETUP,
	NET_PORT_START,
	NET_PORT_ERROR_N,
};
const char *net_port_error_text(enum net_port_error e);

/* A frame has one segment: mbufs hold the longest datagram of the AN link, 4,096 octets, with all
 * its headers, and a frame of the largest MTU with two tags and CRC. */
enum {
	NET_MBUF_FRAME = 4352,
	NET_MBUF_DATA = NET_MBUF_FRAME + RTE_PKTMBUF_HEADROOM,
	NET_MTU_MAX = 4200,
};
_Static_assert(NET_MTU_MAX + 14 + 2 * 4 + 4 <= NET_MBUF_FRAME, "a frame fits in one segment");

/* Configures and starts the port, makes its mbuf pool on its NUMA node, and fills in nif's port_id,
 * mac, rx_checksum, rss, and mtu, which is less than asked for where the device takes less. Where
 * nif has an IPv6 address, the port takes all multicast, if the driver can. On failure *code is the
 * errno of the call that failed. */
enum net_port_error net_port_start(const struct net_port_config *config, struct net_if *nif,
				   struct rte_mempool **pool, int *code);
void net_port_stop(const struct net_if *nif);

#endif
