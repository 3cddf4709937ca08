/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The control stage's context, for its files only: control.c has the procedure, control_session.c
 * the PDU session, control_overload.c what is said under overload, control_setup.c creation and
 * destruction.
 */
#ifndef CPAU_AU_CONTROL_H
#define CPAU_AU_CONTROL_H

#include "au/out.h"
#include "au/stage.h"

/* What is said to an access node about overload. */
struct control_an {
	uint32_t asked, let_in; /* the totals of struct au_demand, as last seen */
	double demand;		/* attaches a second that it would ask for, held back or not */
	double keep;		/* share of its new attaches that it is to let through */
	uint8_t told;		/* reduction that it was told last, per cent */
};

struct au_control {
	struct au_shared *shared;
	struct ue_table *table;
	struct rte_ring *in;
	struct sec *sec;
	struct au_out *out;
	const struct cn_ops *cn;
	void *cn_arg;
	unsigned int shard;
	uint64_t tsc, tick; /* of this poll */
	uint32_t stop_cursor;
	/* what every session is told, as it goes on the wire */
	uint8_t dnn[64];
	size_t dnn_len;
	uint8_t ambr[6];
	uint8_t epco[512];
	size_t epco_len;
	uint8_t *epco_mtu; /* in epco: of the access node at hand; NULL: there is no gate */
	/* The seal's next nonce, drawn at start and counted up: whatever the clock says, two of
	 * 2^40 nonces each have one in common with a chance below 2^-54. */
	uint8_t seal_prefix[4];
	uint64_t seal_counter;
	struct net_peer *peers;	     /* one an AN: whence it was last heard */
	struct control_an *overload; /* one an AN */
	uint64_t overload_tsc;	     /* when the last pass over the ANs began */
	unsigned int overload_next;  /* the AN at which it goes on; n_ans or more: it is done */
	bool sharing_out;	     /* ANs are held to their share of the room */
	unsigned int holding_back;   /* ANs whose last word was OVERLOAD START */
	unsigned int quick_looks;    /* passes that come soon */
	uint8_t back_off;	     /* T3346 of the refusal at hand */
	double next_turn;	     /* tick at which the next refused UE may come back */
	uint64_t jobs_of_epoch[AU_EPOCHS];
	uint64_t learned_of_epoch[AU_EPOCHS]; /* likewise, given back by the main lcore */
	uint64_t held[AU_EPOCHS];
	struct au_counters counters;
	uint8_t plain[WIRE_NAS_MAX]; /* the message at hand, decoded or to be protected */
	/* Of the responses of the burst at hand. */
	struct sec_derivation keys[AU_BURST];
	struct au_points {
		uint8_t pk_au[SEC_POINT65_SIZE], pk_ue[SEC_POINT65_SIZE];
	} points[AU_BURST];
};

void control_count(struct au_control *c, enum au_counter counter);
void control_count_cause(struct au_control *c, enum wire_cause cause);
void control_arm(struct au_control *c, struct ue *ue, unsigned int ms);
void control_enter(struct au_control *c, struct ue *ue, enum ue_state state, unsigned int timer_ms);
void control_send_record(struct au_control *c, const struct ue *ue, const struct wire_message *m);
/* False: it could not be protected. A message that found no mbuf is counted and counts as sent. */
bool control_send_secured(struct au_control *c, struct ue *ue, const struct wire_message *m);
void control_abort(struct au_control *c, struct ue *ue, enum wire_cause cause);

void control_send_to(struct au_control *c, const struct net_peer *peer, uint8_t record_type,
		     uint32_t an_ue_id, uint64_t au_ue_id, const struct wire_message *m);

/* control_overload.c */
bool control_overload_init(struct au_control *c);
void control_overload_poll(struct au_control *c);
/* T3346 for a UE refused because of congestion, as it goes on the wire. */
uint8_t control_back_off(struct au_control *c);

/* control_session.c */
void control_session_init(struct au_control *c);
void control_session_context(struct au_control *c, const struct ue *ue);
void control_session_request(struct au_control *c, struct ue *ue, const struct wire_message *m);
void control_session_retransmit(struct au_control *c, struct ue *ue);
void control_session_release(struct au_control *c, const struct ue *ue);
/* The AN's answer: lets the session's packets through. NONE, or why not. */
enum wire_cause control_session_open(struct au_control *c, struct ue *ue,
				     const struct wire_message *m);
/* How long until the session is looked at again, ms. */
unsigned int control_session_first_look(const struct au_control *c, struct ue *ue);
/* An attached UE's timer: NONE, and it was armed again, or why the session is over. */
enum wire_cause control_session_look(struct au_control *c, struct ue *ue);
/* Ends sessions that their access nodes do not know. How many. */
unsigned int control_session_events(struct au_control *c);
/* The UE is to detach (T3522), and nothing of its session passes any more. */
void control_session_end(struct au_control *c, struct ue *ue, enum wire_cause cause);
void control_session_send_detach(struct au_control *c, struct ue *ue);

#endif
