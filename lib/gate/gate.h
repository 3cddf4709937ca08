/* SPDX-License-Identifier: BSD-3-Clause
 *
 * gate: the user plane, a stage like the others. It carries packets between access nodes (N3,
 * GTP-U, TS 29.281) and the data network (N6, plain IP), and lets through only what a session is
 * for: the download of a subscription from an allowed SM-DP+, and DNS. All else is dropped and
 * counted by its reason.
 *
 * It owns the table of sessions, which control stages write and gates read without locks, and the
 * filter, which a background thread compiles and gates read. It knows neither NAS nor UE contexts.
 * On the packet path: no malloc, no lock, no syscall; bursts in, bursts out.
 */
#ifndef CPAU_GATE_H
#define CPAU_GATE_H

#include <stdatomic.h>

#include "net/net.h"

/* X(symbol, name, text): everything that can become of a packet. */
#define GATE_COUNTERS(X)                                                                         \
	X(UPLINK_PACKETS, "uplink-packets", "packets passed to the data network")                \
	X(UPLINK_OCTETS, "uplink-octets", "octets of them, from the inner IP header on")         \
	X(DOWNLINK_PACKETS, "downlink-packets", "packets passed to access nodes")                \
	X(DOWNLINK_OCTETS, "downlink-octets", "octets of them, from the inner IP header on")     \
	/* GTP-U */                                                                              \
	X(GTPU_TRUNCATED, "gtpu-truncated", "GTP-U messages shorter than they say")              \
	X(GTPU_VERSION, "gtpu-version", "not GTP-U version 1")                                   \
	X(GTPU_EXTENSION, "gtpu-extension", "malformed or unknown extension headers")            \
	X(GTPU_UNKNOWN, "gtpu-unknown", "GTP-U messages of an unknown type")                     \
	X(ECHO_REQUESTS, "gtpu-echo-requests", "GTP-U ECHO REQUESTs answered")                   \
	X(ECHO_RESPONSES, "gtpu-echo-responses", "GTP-U ECHO RESPONSEs received")                \
	X(END_MARKERS, "gtpu-end-markers", "END MARKERs received")                               \
	X(SUPPORTED_EXTENSIONS, "gtpu-supported-extensions",                                     \
	  "SUPPORTED EXTENSION HEADERS NOTIFICATIONs received")                                  \
	X(ERROR_INDICATIONS, "gtpu-error-indications", "ERROR INDICATIONs received")             \
	X(ERROR_INDICATIONS_SENT, "gtpu-error-indications-sent", "ERROR INDICATIONs sent")       \
	/* uplink */                                                                             \
	X(UNKNOWN_TEID, "unknown-teid", "no session has this TEID")                              \
	X(ENDED_TEID, "ended-teid", "the TEID that its slot had before: the session has ended")  \
	X(WRONG_AN, "wrong-an", "the TEID belongs to a session of another access node")          \
	X(INNER_TRUNCATED, "inner-truncated", "inner packets shorter than their headers say")    \
	X(INNER_BAD, "inner-bad", "inner packets with wrong version, header length or checksum") \
	X(SPOOFED_SOURCE, "spoofed-source", "inner source addresses that are not the UE's")      \
	X(UPLINK_FRAGMENT, "uplink-fragment", "inner fragments, whose ports cannot be checked")  \
	X(EXTENSION_HEADER, "extension-header", "IPv6 extension headers and IPv4 options")       \
	X(UPLINK_PROTOCOL, "uplink-protocol", "a protocol other than TCP, UDP or due ICMP")      \
	X(NESTED_TUNNEL, "nested-tunnel", "GTP-U to somebody who is not allowed")                \
	X(FOREIGN_DNS, "foreign-dns", "DNS to somebody who is not allowed")                      \
	X(NOT_ALLOWED, "not-allowed", "other destinations that are not allowed")                 \
	X(UPLINK_RATE, "uplink-rate", "packets beyond the session's rate")                       \
	X(TTL, "ttl-exceeded", "packets whose TTL or hop limit was used up")                     \
	/* downlink */                                                                           \
	X(NO_SESSION, "no-session", "downlink packets for an address without a session")         \
	X(DOWNLINK_NOT_ALLOWED, "downlink-not-allowed",                                          \
	  "downlink packets from a source that is not allowed")                                  \
	X(DOWNLINK_BAD, "downlink-bad",                                                          \
	  "downlink packets that are malformed or of another protocol")                          \
	X(DOWNLINK_RATE, "downlink-rate", "downlink packets beyond the session's rate")          \
	X(TOO_BIG, "too-big", "packets larger than the tunnel's MTU that may not be fragmented") \
	/* both */                                                                               \
	X(FRAGMENTED, "fragmented", "packets that were sent in fragments")                       \
	X(ICMP_SENT, "icmp-sent", "ICMP errors and router advertisements sent")                  \
	X(ROUTER_SOLICITATIONS, "router-solicitations", "router solicitations of UEs")           \
	X(NO_NEIGHBOUR, "no-neighbour", "packets whose next hop's MAC address is not known yet") \
	X(NO_MBUF, "no-mbuf", "packets given up because no mbuf was free")                       \
	X(TX_DROPPED, "tx-dropped", "frames that a port did not take in time")                   \
	X(HANDED_OVER, "handed-over", "packets that came through a port read by workers")        \
	X(EVENT_RING_FULL, "event-ring-full", "ERROR INDICATIONs that control had no room for")

enum gate_counter {
#define X(symbol, name, text) GATE_COUNT_##symbol,
	GATE_COUNTERS(X)
#undef X
		GATE_COUNTER_N,
};
const char *gate_counter_name(unsigned int counter);
const char *gate_counter_text(unsigned int counter);

/* ---------------------------------------------------------------- sessions */

struct gate_session {
	uint16_t an;		 /* index of the access node, as find_source gives it */
	uint8_t nif;		 /* the port towards it */
	struct net_addr an_addr; /* where G-PDUs go */
	uint32_t an_teid;	 /* 0: not known yet; nothing is sent to the UE */
	uint32_t ipv4;		 /* of the UE, host order; 0: none */
	uint64_t ipv6_prefix;	 /* of the UE's /64, host order; 0: none */
	uint64_t interface_id;	 /* that it was given */
};

/* What a session has carried. */
struct gate_usage {
	uint64_t uplink_packets, uplink_octets, downlink_packets, downlink_octets, dropped;
	uint64_t last_tsc; /* of the last packet that passed; 0: none did */
};

struct gate_table_config {
	unsigned int n_shards;
	uint32_t capacity;   /* sessions a shard; n_shards * capacity <= 1 << 24 */
	uint32_t first_ipv4; /* of the pool, host order */
	uint32_t n_ipv4;
	uint64_t first_prefix; /* of the IPv6 pool: the first /64, host order */
	uint32_t n_prefixes;   /* 0: no IPv6 */
	int numa_node;
};

/* Sessions by TEID and by UE address: both are an index, nothing is hashed. A TEID is a generation
 * (8 bits; of a new table, drawn) and the index of the session (24 bits); it is never 0. Written by
 * the control stage of the session's shard alone; read by every gate. */
struct gate_table;
struct gate_table *gate_table_create(const struct gate_table_config *config); /* NULL: no memory */
void gate_table_destroy(struct gate_table *t);
size_t gate_table_octets_per_session(void);
/* The TEID of the session of this slot: open, or as it will be when it is opened next, which is
 * told to the AN before. */
uint32_t gate_table_teid(const struct gate_table *t, unsigned int shard, uint32_t slot);
/* Opens the session, or changes an open one. False: its address is not of the pools, or
 * another session has it. */
bool gate_table_open(struct gate_table *t, unsigned int shard, uint32_t slot,
		     const struct gate_session *session);
/* Closes it: not a packet of it passes in any burst that a gate begins afterwards. A closed one is
 * no error. The next TEID of the slot is another. */
void gate_table_close(struct gate_table *t, unsigned int shard, uint32_t slot);
/* The slot of the shard's open session with this TEID; false: there is none. */
bool gate_table_slot(const struct gate_table *t, unsigned int shard, uint32_t teid, uint32_t *slot);
bool gate_table_usage(const struct gate_table *t, unsigned int shard, uint32_t slot,
		      struct gate_usage *usage);	  /* false: closed */
uint64_t gate_table_sessions(const struct gate_table *t); /* open now, of all shards; any thread */

/* ---------------------------------------------------------------- filter */

/* One destination that sessions may reach. */
struct gate_rule {
	struct net_addr prefix;
	uint8_t length;	  /* of the prefix, bits */
	uint8_t protocol; /* 6 TCP, 17 UDP */
	uint16_t port;	  /* host order; 0: any */
};

/* Compiled rules (rte_acl), immutable. Not on the packet path: it allocates. NULL: no memory. */
struct gate_filter;
struct gate_filter *gate_filter_create(const struct gate_rule *rules, unsigned int n,
				       int numa_node);
void gate_filter_destroy(struct gate_filter *f);

/* ---------------------------------------------------------------- the stage */

/* The session of this shard and slot is unknown to its access node (ERROR INDICATION). */
struct gate_event {
	unsigned int shard;
	uint32_t slot;
	uint32_t teid;
};

/* What all gates share; constant after start but for the atomic. */
struct gate_shared {
	const struct net_if *nifs;
	unsigned int n_nifs;
	unsigned int n6_ipv4, n6_ipv6; /* index of the port towards the data network, by family */
	struct gate_table *table;
	_Atomic(const struct gate_filter *)
		filter; /* replaced by the owner, freed when every gate has polled since */
	struct net_neighbours *neighbours; /* of all ports */
	struct net_addr dns_ipv6;	   /* for router advertisements; family 0: none */
	struct rte_ring **events; /* one a shard: teids, as pointers, of sessions that their ANs do
				     not know */
	unsigned int n_shards;
	/* Of one session and direction, beyond which they are dropped: an eighth of a second's, at
	 * least 32, may come at once. 0: no limit. */
	uint32_t packets_per_s;
	unsigned int max_fragments, fragment_ms; /* outer, of a queue: as in net_rx_config */
	int (*find_source)(void *arg, const struct net_addr *source); /* the AN of an N3 address */
	void *find_arg;
	uint64_t tsc_hz;
};

struct gate;
struct gate_config {
	unsigned int index; /* among gates */
	int numa_node;
	uint16_t tx_queue[8];	  /* of each port */
	struct rte_mempool *pool; /* mbufs of answers and fragments' headers */
	struct rte_mempool *indirect_pool;
	/* Frames that workers read and that are for a gate, each with the index of its port in
	 * rte_mbuf.port; NULL: none. */
	struct rte_ring *handed_over;
};

struct gate *gate_create(struct gate_shared *shared, const struct gate_config *config);
void gate_destroy(struct gate *g);
/* Adds a queue of a port that this gate reads. Before launch only. */
bool gate_add_queue(struct gate *g, unsigned int nif, uint16_t queue, struct rte_mempool *pool);
/* One burst of each queue. Returns the number of packets handled. */
unsigned int gate_poll(struct gate *g);
const uint64_t *
gate_counters(const struct gate *g); /* [GATE_COUNTER_N], written by the gate alone */
uint64_t gate_net_counter(const struct gate *g, enum net_counter counter);
uint64_t gate_polls(
	const struct gate *g); /* finished: a filter replaced before the last two is not in use */

/* The largest inner packet that fits the tunnel over this port to an AN of this family. */
unsigned int gate_mtu(const struct net_if *nif, uint8_t an_family);

#endif
