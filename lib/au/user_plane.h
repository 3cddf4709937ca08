/* SPDX-License-Identifier: BSD-3-Clause
 *
 * user_plane: the gates of this authenticator, and what the control stages ask of them: tunnels,
 * sessions, what they have carried. It owns the gates, their table of sessions and their filter;
 * it is there only where the configuration has a gate stage.
 *
 * Making, destroying and au_user_plane_housekeep are the main thread's; the rest belongs to the
 * control stage of the shard that is asked about, and neither allocates nor blocks.
 */
#ifndef CPAU_AU_USER_PLANE_H
#define CPAU_AU_USER_PLANE_H

#include "gate/gate.h"
#include "wire/cause.h"

struct au_shared;
struct au_user_plane;

/* ---------------------------------------------------------------- for the control stages */

/* A UE's, and its access node. */
struct ue_place {
	unsigned int shard;
	uint32_t slot;
	uint16_t an;
};

/* Addresses that the CP-CN gave the UE; 0: none of that family. */
struct au_user_plane_session {
	uint32_t ipv4;	      /* host order */
	uint64_t ipv6_prefix; /* the /64, host order */
	uint64_t interface_id;
};

enum { AU_TUNNEL_SIZE_MAX = 20 };

/* The tunnel that the AN is told of: TEID, then our N3 address of the AN's family. Octets written,
 * 8 or 20; 0: no port has one. */
size_t au_user_plane_uplink_tunnel(const struct au_user_plane *u, const struct ue_place *place,
				   uint8_t out[AU_TUNNEL_SIZE_MAX]);
/* Lets the session's packets through, to and from the tunnel that the AN has named; before it has
 * (an empty span), from the UE alone. NONE, or the
 * cause for which it is refused: IE_BAD_VALUE for a tunnel that is not this AN's, INTERNAL for
 * addresses that are not free. */
enum wire_cause au_user_plane_open(struct au_user_plane *u, const struct ue_place *place,
				   const struct au_user_plane_session *session,
				   struct span downlink_tunnel);
/* A session that is not open is no error. */
void au_user_plane_close(struct au_user_plane *u, const struct ue_place *place);
/* False: it is not open. */
bool au_user_plane_usage(const struct au_user_plane *u, const struct ue_place *place,
			 struct gate_usage *usage);
/* Slots of the shard whose open sessions their access nodes do not know (GTP-U ERROR INDICATION);
 * at most n. */
unsigned int au_user_plane_events(struct au_user_plane *u, unsigned int shard, uint32_t *slots,
				  unsigned int n);
/* The largest packet that a UE of this access node may send, octets. */
unsigned int au_user_plane_mtu(const struct au_user_plane *u, uint16_t an);

/* ---------------------------------------------------------------- for the authenticator */

/* After the ports and the access nodes are made. NULL, with why (why_size octets) set. */
struct au_user_plane *au_user_plane_create(struct au_shared *shared, char *why, size_t why_size);
void au_user_plane_destroy(struct au_user_plane *u);
/* The next gate; tx_queues: its transmit queue of each port. NULL: no memory. */
struct gate *au_user_plane_add_gate(struct au_user_plane *u, int numa_node,
				    const uint16_t *tx_queues, struct rte_mempool *pool);
/* Gives the gates a filter with the names' addresses of today, when there is a newer one. */
void au_user_plane_housekeep(struct au_user_plane *u);
/* Where workers put frames that are for the gates, one ring a gate. */
struct rte_ring **au_user_plane_rings(struct au_user_plane *u, unsigned int *n);
/* Where workers put what ARP and ND say. */
struct net_neighbours *au_user_plane_neighbours(struct au_user_plane *u);

uint64_t au_user_plane_counter(const struct au_user_plane *u, enum gate_counter counter);
uint64_t au_user_plane_net_counter(const struct au_user_plane *u, enum net_counter counter);
uint64_t au_user_plane_sessions(const struct au_user_plane *u);

#endif
