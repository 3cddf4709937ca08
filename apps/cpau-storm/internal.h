/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of a storm share: its state, and what they ask of each other. One thread; every
 * message that arrives is handled before the next, but for the public-key arithmetic, which the
 * UEs of one turn of the loop do together.
 */
#ifndef CPAU_STORM_INTERNAL_H
#define CPAU_STORM_INTERNAL_H

#include <time.h>

#include "junk.h"
#include "ready.h"
#include "schedule.h"
#include "storm.h"

enum {
	SHADOW = UINT32_C(1) << 31, /* AN UE ids of replays: no UE of ours */
	SLOT_BITS = 20,
	SLOTS_MAX = 1 << SLOT_BITS,
	NONE = UINT32_MAX,
};
#define MS     UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

/* One UE in flight. */
struct attach {
	struct device device; /* first: the device's callbacks find the rest by it */
	enum device_state seen;
	bool used;
	bool held; /* attached, and kept in its session */
	uint8_t port, phase;
	uint16_t an;
	uint16_t generation;
	enum fault fault;
	unsigned int tries;    /* sendings of the message at hand */
	unsigned int attempts; /* to attach, in this cycle */
	unsigned int attaches; /* of its cycles */
	uint64_t number;       /* of its arrival */
	uint64_t au_ue_id;
	uint64_t intended, begun, deadline, timer; /* ns; begun: the attempt at hand */
	uint32_t next_free;
	/* The gate's end of its session's tunnel; family 0: there is none. */
	uint32_t uplink_teid;
	struct net_addr gate;
	uint64_t ipv6_prefix; /* by a ROUTER ADVERTISEMENT; 0: none yet */
};

/* What an AN knows of the authenticator. */
struct access_node {
	bool ready;
	uint8_t reduction; /* share of new attaches that it holds back, per cent */
	uint64_t until;	   /* when that ends, ns */
};

/* Datagrams that are being filled, one for each AN and port. */
struct outgoing {
	struct wire_writer writer;
	bool dirty;
	uint8_t data[1400];
};

/* What is kept for user.c. */
struct storm_user {
	struct tun *tun;
	struct net_addr gate; /* that was named last */
	uint8_t ipv6[16];     /* of the one UE, once it has its prefix */
	bool has_ipv6, announced;
	bool has_prefixes; /* of all sessions */
	unsigned int solicitations;
	uint64_t next_solicitation, adversarial_sent;
};

struct storm {
	const struct storm_config *config;
	struct storm_result *result;
	struct link *link, *n3, *n6;
	struct storm_user user;
	struct load *load; /* that goes on beside the storm */
	uint64_t turn;	   /* when this turn of the loop began */
	uint32_t held;
	struct device_world world;
	struct schedule schedule;
	struct junk junk;
	struct ready *ready; /* NULL: requests are made when they are due */
	struct sec_an_key *an_key;
	bool any_fault;
	struct attach *slots;
	uint32_t n_slots, n_touched; /* those beyond n_touched were never used */
	uint32_t free_head, in_flight, scan;
	uint64_t next_scan;
	uint64_t *wake; /* of each slot: nothing is due before */
	struct outgoing *outgoing;
	unsigned int *dirty, n_dirty; /* those of outgoing that hold something */
	struct access_node *ans;
	unsigned int ans_ready;
	uint64_t next_setup;	   /* of ANs that are not, when they were */
	uint64_t now, start, next; /* next: number of the next arrival */
	unsigned int tasks;	   /* public-key tasks done since this turn began */
	uint64_t caught_up;	   /* when the link last had nothing more for us */
	uint64_t full;		   /* when max_in_flight last held an arrival back */
	uint64_t random;
	uint64_t last_completion;
};

_Static_assert(STORM_PHASES_MAX <= UINT8_MAX, "attach.phase");

static inline uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

/* xorshift64*, in [0, 1) */
static inline double random_share(struct storm *s)
{
	s->random ^= s->random >> 12;
	s->random ^= s->random << 25;
	s->random ^= s->random >> 27;
	return (double)((s->random * UINT64_C(0x2545f4914f6cdd1d)) >> 11) * 0x1p-53;
}

static inline uint64_t after(const struct storm *s, double seconds)
{
	return s->now + (uint64_t)(seconds * 1e9);
}

/* ---- node.c: the access nodes ---- */

/* AN SETUP REQUESTs of those that have no answer yet. */
void node_send_setups(struct storm *s);
/* The same, as often as is due, after the authenticator has restarted. */
void node_repeat_setups(struct storm *s);
/* The same, repeated until every AN has its answer. */
bool node_set_up(struct storm *s, volatile int *stop);
void node_send_record(struct storm *s, unsigned int an, unsigned int port,
		      const struct wire_record *record);
void node_send_ies(struct storm *s, const struct attach *a, const struct wire_message *m);
void node_send_nas(struct storm *s, const struct attach *a, uint32_t an_ue_id, uint64_t au_ue_id,
		   const uint8_t *nas, size_t n);
uint32_t node_an_ue_id(const struct storm *s, const struct attach *a);
/* Sends the datagrams that are being filled. */
void node_flush(struct storm *s);
/* For link_poll. */
void node_on_datagram(void *arg, unsigned int an, unsigned int port, const uint8_t *data, size_t n);

/* ---- attach.c: UEs, from their arrival to their end ---- */

/* The next one of the schedule. False: no room. */
bool attach_arrive(struct storm *s);
/* After a message of the UE's, or its task: whether it has come a step further. */
void attach_look_at(struct storm *s, struct attach *a);
/* The UE is gone: its AN says so, and the authenticator need not wait for it. A UE that misbehaves
 * leaves without a word. */
void attach_give_up(struct storm *s, struct attach *a, enum wire_cause cause);
/* Its AN lets go of it, as the authenticator knows it no more. */
void attach_lose(struct storm *s, struct attach *a);
/* A UE that was held: the network has ended its session, or it has left. */
void attach_end_held(struct storm *s, struct attach *a);
/* DETACH ACCEPT, or the AN has released it: it begins again. */
void attach_on_detached(struct storm *s, struct attach *a);
void attach_scan_timers(struct storm *s);

/* ---- misbehave.c: faults on the way out ---- */

/* An uplink NAS message of a UE with a fault. */
void misbehave_send(struct storm *s, struct attach *a, const uint8_t *nas, size_t n);
/* The same request from another connection, once the first was answered. */
void misbehave_replay_request(struct storm *s, struct attach *a);

#endif
