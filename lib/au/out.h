/* SPDX-License-Identifier: BSD-3-Clause
 *
 * out: the answers of one control stage on their way to the ports. Records to the same access node
 * and UDP port share a datagram as long as they fit and the burst lasts; au_out_flush sends what
 * is open. Owned by one control stage; never blocks: without an mbuf, or with a full port, the
 * answer is dropped and counted, and retransmission repairs it.
 */
#ifndef CPAU_AU_OUT_H
#define CPAU_AU_OUT_H

#include "au/stage.h"

struct au_out;

struct au_out *au_out_create(struct au_shared *shared, const struct au_control_config *config,
			     struct au_counters *counters);
void au_out_destroy(struct au_out *o);

/* Room for the payload of one record (at most WIRE_NAS_MAX) to this peer; NULL: no mbuf (counted).
 * One record at a time: reserve, write, commit. */
uint8_t *au_out_reserve(struct au_out *o, const struct net_peer *peer, size_t payload_size);
void au_out_commit(struct au_out *o, enum wire_record_type type, uint32_t an_ue_id,
		   uint64_t au_ue_id, size_t payload_size);
/* Frames that are ready as they are, on the port that frame->port names. */
void au_out_frame(struct au_out *o, struct rte_mbuf *frame);
void au_out_flush(struct au_out *o);

#endif
