/* SPDX-License-Identifier: BSD-3-Clause
 *
 * user: the user plane of a storm. The access nodes' ends of the tunnels, and what the UEs send
 * through their sessions once all are attached: this host's packets (a TUN device), or packets that
 * try to get past the gate.
 */
#ifndef CPAU_STORM_USER_H
#define CPAU_STORM_USER_H

#include "internal.h"

enum { USER_TUNNEL_SIZE_MAX = 20, USER_PACKET_MAX = 9000 };

/* The AN's end of the session's tunnel: TEID, then its N3 address; octets written. */
size_t user_tunnel(const struct storm *s, unsigned int an, uint32_t an_ue_id,
		   uint8_t out[USER_TUNNEL_SIZE_MAX]);
/* The gate's end, of SESSION SETUP REQUEST. */
void user_take_tunnel(struct storm *s, struct attach *a, struct span tunnel);
/* A GTP-U message for an access node. */
void user_on_message(struct storm *s, unsigned int an, const uint8_t *data, size_t n);
/* The UE's packet, as a G-PDU. */
void user_send(struct storm *s, const struct attach *a, const uint8_t *packet, size_t n);

/* Solicits the prefixes of all sessions that are held. True: they are known, or nobody tells. */
bool user_take_prefixes(struct storm *s);

/* Between the last attach and the end: until *stop, no session is left, or the time is over. False:
 * *why is a sentence. */
bool user_run(struct storm *s, volatile int *stop, const char **why);

/* --load beside the storm: begins once there are sessions enough, and then takes a turn. False:
 * *why is a sentence. */
bool user_load_beside(struct storm *s, const char **why);

/* ---- adversary.c ---- */

/* Packets of all kinds through the sessions that are held, a turn's worth. False: all were sent. */
bool adversary_turn(struct storm *s);

#endif
