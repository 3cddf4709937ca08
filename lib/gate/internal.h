/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of lib/gate share: rows of the table, a packet on its way, the stage.
 */
#ifndef CPAU_GATE_INTERNAL_H
#define CPAU_GATE_INTERNAL_H

#include <netinet/in.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_prefetch.h>

#include "base/sequence.h"
#include "gate/gate.h"
#include "gtpu/gtpu.h"

enum {
	GATE_NIFS = 8,
	GATE_QUEUES = 64,
	GATE_READ_TRIES = 64, /* of a row that is being written */
	GATE_AN_BUCKETS = 256,

	IPV4_HEADER = 20,
	IPV6_HEADER = 40,
	IPV6_FRAGMENT_HEADER = 8,
};

/* ---------------------------------------------------------------- table */

struct gate_meter {
	_Atomic uint64_t uplink_packets, uplink_octets, downlink_packets, downlink_octets, dropped;
	_Atomic uint64_t last_tsc;
	_Atomic uint64_t uplink_bucket, downlink_bucket; /* see gate_bucket_take */
};

/* Two cache lines: what the session's shard writes, and what gates write. Numbers of the meter only
 * grow, over sessions too: what control reads is their growth since it opened the session. */
struct gate_row {
	_Alignas(RTE_CACHE_LINE_SIZE) struct sequence sequence;
	uint32_t teid; /* of the session, or of the next */
	struct gate_session session;
	bool open;
	_Alignas(RTE_CACHE_LINE_SIZE) struct gate_meter meter;
};

/* Of ICMP that a session's packets cause, by their direction: see gate_bucket_take. No row has room
 * for them, and they are seldom touched. */
struct gate_answers {
	_Atomic uint64_t uplink_bucket, downlink_bucket;
};

struct gate_table {
	struct gate_table_config config;
	uint32_t n_rows;
	struct gate_row *rows;
	struct gate_answers *answers; /* of each row; gates write them */
	/* Rows by UE address, counted from 1; 0: none. */
	_Atomic uint32_t *by_ipv4, *by_prefix;
	_Atomic unsigned int n_gates;
	/* Control's own from here on, but for heads and next, which gates read. */
	struct gate_usage *openings; /* what each row's meter showed when it was opened */
	_Atomic uint32_t *sessions;  /* open ones of each shard */
	/* Chains of a shard's rows by access node and its TEID; rows counted from 1. */
	_Atomic uint32_t *heads, *next;
	uint32_t *previous;
	unsigned int head_bits; /* of a shard */
	uint64_t hash_key;
};

enum { GATE_GENERATION_SHIFT = 24, GATE_GENERATIONS = 256 };

static inline uint32_t gate_row_of_teid(uint32_t teid)
{
	return teid & 0xffffff;
}

/* Generation 0 is left out: with row 0 it would be TEID 0. */
static inline uint32_t gate_teid_after(uint32_t teid)
{
	uint32_t generation = (teid >> GATE_GENERATION_SHIFT) % (GATE_GENERATIONS - 1) + 1;

	return gate_row_of_teid(teid) | generation << GATE_GENERATION_SHIFT;
}

/* A gate that counts in meters says so: with one alone no addition need be atomic. */
void gate_table_join(struct gate_table *t);
void gate_table_leave(struct gate_table *t);

enum gate_row_state {
	GATE_ROW_CLOSED,
	GATE_ROW_OPEN,
	GATE_ROW_BUSY /* it is being written, for long */
};
/* *teid and *session are the row's when it is open. */
static inline enum gate_row_state gate_row_read(const struct gate_row *row, uint32_t *teid,
						struct gate_session *session)
{
	for (unsigned int i = 0; i < GATE_READ_TRIES; i++) {
		uint32_t before;

		if (!sequence_read_begin(&row->sequence, &before))
			continue;
		bool open = row->open;

		*teid = row->teid;
		*session = row->session;
		if (sequence_read_end(&row->sequence, before))
			return open ? GATE_ROW_OPEN : GATE_ROW_CLOSED;
	}
	return GATE_ROW_BUSY;
}

/* The TEID of ours whose session the access node knows by its TEID; 0: none. A bounded look:
 * it may miss one that is being written, or one behind many others. */
uint32_t gate_table_find(const struct gate_table *t, uint16_t an, uint32_t an_teid);

/* ---------------------------------------------------------------- packets */

/* An IP packet as its headers have it. */
struct gate_inner {
	bool v6;
	bool fragment; /* any but a whole packet */
	bool later;    /* a fragment but the first: without ports */
	bool options;  /* IPv4 options, IPv6 extension headers other than a fragment's */
	bool dont_fragment;
	uint8_t protocol;
	uint16_t header_len; /* with an IPv6 fragment header */
	uint16_t total;	     /* octets of the packet */
};

enum gate_inner_error { GATE_INNER_OK, GATE_INNER_TRUNCATED, GATE_INNER_BAD };
/* Looks at IP headers; the packet may have octets behind it. Nothing is read past n. */
enum gate_inner_error gate_inner_parse(struct gate_inner *inner, const uint8_t *p, size_t n);
/* The checksum of an IPv4 header; IPv6 has none, and is right. */
bool gate_inner_checksum(const struct gate_inner *inner, const uint8_t *p);
/* The protocols that pass; all else is dropped whatever the filter says. */
static inline bool gate_inner_is_tcp_or_udp(const struct gate_inner *inner)
{
	return inner->protocol == IPPROTO_TCP || inner->protocol == IPPROTO_UDP;
}
/* Whether the packet holds a whole TCP or UDP header, of a length that fits. */
bool gate_inner_has_ports(const struct gate_inner *inner, const uint8_t *p);
void gate_inner_decrement_ttl(const struct gate_inner *inner, uint8_t *p);

/* Where source and destination stand. */
static inline const uint8_t *gate_inner_source(const struct gate_inner *inner, const uint8_t *p)
{
	return p + (inner->v6 ? 8 : 12);
}
static inline const uint8_t *gate_inner_destination(const struct gate_inner *inner,
						    const uint8_t *p)
{
	return p + (inner->v6 ? 24 : 16);
}

/* The end of a packet that the filter is asked about, in network order as rte_acl reads it. */
struct gate_key {
	uint8_t protocol; /* GATE_KEY_NO_PORT is added where the port is not known */
	uint8_t unused[3];
	union {
		struct {
			uint8_t address[4];
			uint16_t port, zero;
		} v4;
		struct {
			uint8_t address[16];
			uint16_t port, zero;
		} v6;
	};
};
enum {
	GATE_KEY_NO_PORT = 0x80, /* TCP is 6, UDP 17, and no key has another protocol */
	GATE_KEY_NOTHING = 0,	 /* a protocol that no rule has */
};

/* A packet between an access node and the data network. */
struct gate_packet {
	struct rte_mbuf *mbuf; /* data begins at the IP header and ends with the packet */
	struct gate_row *row;  /* NULL: no session, as yet */
	const struct net_datagram *datagram; /* that it came in; NULL: downlink */
	uint32_t teid;
	struct gate_session session; /* as it was when the burst began */
	struct gate_inner inner;
	struct gate_key key;
};

static inline bool gate_packet_is_uplink(const struct gate_packet *p)
{
	return p->datagram != NULL;
}

static inline uint8_t *gate_packet_ip(const struct gate_packet *p)
{
	return rte_pktmbuf_mtod(p->mbuf, uint8_t *);
}

/* ---------------------------------------------------------------- filter */

/* protocol: TCP or UDP; address: 4 or 16 octets; port in network order. */
void gate_key_set(struct gate_key *key, bool v6, uint8_t protocol, const uint8_t *address,
		  const uint8_t *port);
void gate_key_set_no_port(struct gate_key *key, bool v6, uint8_t protocol, const uint8_t *address);
/* Whose key is allowed, a bit a packet. No filter allows nothing. */
uint64_t gate_filter_classify(const struct gate_filter *f, const struct gate_packet *packets,
			      unsigned int n);

/* ---------------------------------------------------------------- the stage */

/* So many take it a second, the pace; so many at once, the depth; in ticks of the TSC. */
struct gate_pace {
	uint64_t interval, depth;
};
struct gate_pace gate_pace_make(uint64_t tsc_hz, uint32_t per_s);

/* A token bucket as the time at which it is full again. Where two gates share one, a token may be
 * taken twice. */
static inline bool gate_bucket_take(_Atomic uint64_t *bucket, const struct gate_pace *pace,
				    uint64_t tsc)
{
	uint64_t full_at = atomic_load_explicit(bucket, memory_order_relaxed);

	full_at = RTE_MAX(full_at, tsc) + pace->interval;
	if (full_at > tsc + pace->depth)
		return false;
	atomic_store_explicit(bucket, full_at, memory_order_relaxed);
	return true;
}

struct gate_queue {
	uint16_t port_id, queue;
	uint8_t nif;
	struct net_rx *rx;
};

/* The last next hop over a port, of this turn. */
struct gate_hop {
	bool valid, known;
	struct net_addr destination;
	struct rte_ether_addr mac;
};

/* Where an IP packet goes. */
struct gate_way {
	uint8_t nif;
	bool tunnel; /* to an access node, or as it is */
	uint32_t an_teid;
	struct net_peer peer; /* of the tunnel; the MAC is the next hop's either way */
};

struct gate {
	struct gate_shared *shared;
	struct gate_config config;
	_Atomic uint64_t polls;
	uint64_t tsc;			  /* of this turn */
	const struct gate_filter *filter; /* likewise */
	bool alone;			  /* likewise: no other gate counts in meters */
	uint16_t ip_id;
	struct gate_hop hops[GATE_NIFS];
	struct gate_pace session_pace, icmp_pace, signalling_pace;
	/* Of access nodes, by their index; beyond so many they share. */
	_Atomic uint64_t signalling_buckets[GATE_AN_BUCKETS];
	uint64_t counters[GATE_COUNTER_N];
	unsigned int n_queues;
	struct gate_queue queues[GATE_QUEUES];
	struct net_rx *handed_over[GATE_NIFS]; /* reads what workers hand over */
	struct net_tx tx[GATE_NIFS];
	struct net_datagram datagrams[NET_BURST];
	struct gate_packet packets[NET_BURST];
};

static inline void gate_count(struct gate *g, enum gate_counter counter, uint64_t n)
{
	__atomic_store_n(&g->counters[counter], g->counters[counter] + n, __ATOMIC_RELAXED);
}

static inline void gate_meter_add(const struct gate *g, _Atomic uint64_t *number, uint64_t n)
{
	if (likely(g->alone))
		atomic_store_explicit(number,
				      atomic_load_explicit(number, memory_order_relaxed) + n,
				      memory_order_relaxed);
	else
		atomic_fetch_add_explicit(number, n, memory_order_relaxed);
}

/* Every packet that goes no further ends here. False, for the caller to return. */
bool gate_refuse(struct gate *g, struct gate_packet *p, enum gate_counter why);
/* The burst's datagrams, and its packets for others. Both take the mbufs. */
void gate_uplink(struct gate *g, const struct net_datagram *datagrams, unsigned int n);
void gate_downlink(struct gate *g, struct rte_mbuf **mbufs, unsigned int n);
/* Of a burst, those that the filter lets through: pace, TTL, MTU, next hop. Takes the mbufs. */
void gate_forward(struct gate *g, struct gate_packet *packets, unsigned int n);

/* To the UE through its session's tunnel, or to the data network; destination is of 4 or 16 octets.
 * False: there is no port that way, or the next hop is not known yet. */
bool gate_find_way_to_ue(struct gate *g, const struct gate_session *s, struct gate_way *way);
bool gate_find_way_to_network(struct gate *g, bool v6, const uint8_t *destination,
			      struct gate_way *way);
/* Takes an mbuf whose data begins at the IP header. False: no headroom, counted. */
bool gate_send(struct gate *g, const struct gate_way *way, struct rte_mbuf *mbuf);
/* An mbuf of the gate's own; NULL: none, counted. */
struct rte_mbuf *gate_allocate(struct gate *g);

/* A message that is no G-PDU, or that cannot be one: counts and answers. The caller frees it. */
void gate_handle_signalling(struct gate *g, const struct net_datagram *d,
			    const struct gtpu_header *h);
void gate_send_error_indication(struct gate *g, const struct net_datagram *d, uint32_t teid);
void gate_send_supported_extensions(struct gate *g, const struct net_datagram *d);

/* ICMP errors, to whoever sent p. */
void gate_send_time_exceeded(struct gate *g, const struct gate_packet *p);
void gate_send_too_big(struct gate *g, const struct gate_packet *p, unsigned int mtu);
/* RFC 4861 4.1, as TS 23.501 5.8.2.2.3 wants it. */
bool gate_is_router_solicitation(const struct gate_packet *p);
void gate_send_router_advertisement(struct gate *g, const struct gate_packet *p);
/* Whether p is an ICMP error that quotes a packet. Its key is whereto that was sent, if p's UE sent
 * it; else nothing's. */
bool gate_read_quote(struct gate_packet *p);

#endif
