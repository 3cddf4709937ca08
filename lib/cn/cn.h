/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cn: the CP-CN, session management. It holds the PDU session of each authenticated UE, behind a
 * message interface (struct cn_ops), so that a remote one can take the place of the one in this
 * process.
 *
 * A session is granted on one DNN alone, and its addresses come from this instance's share of the
 * pools: an IPv4 address, a /64 of IPv6, or one of each. An instance belongs to one control shard
 * and one thread; everything is allocated at creation, every request is O(1).
 */
#ifndef CPAU_CN_H
#define CPAU_CN_H

#include "base/base.h"

/* 5GSM causes, TS 24.501 9.11.4.2. */
enum cn_cause {
	CN_OK = 0,
	CN_INSUFFICIENT_RESOURCES = 26,
	CN_UNKNOWN_DNN = 27,
	CN_UNKNOWN_PDU_SESSION_TYPE = 28,
	CN_INVALID_PDU_SESSION_ID = 43,
	CN_IPV4_ONLY = 50,
	CN_IPV6_ONLY = 51,
	CN_CONTEXT_UNKNOWN = 111, /* protocol error, unspecified: no such UE */
};
const char *cn_cause_text(enum cn_cause cause);

enum { CN_PDU_TYPE_IPV4 = 1, CN_PDU_TYPE_IPV6 = 2, CN_PDU_TYPE_IPV4V6 = 3 };

/* Create context: after step 6. slot is the UE's, below the instance's capacity. */
struct cn_create_context {
	uint32_t slot;
	uint8_t eid[16];
	enum cn_cause cause; /* out */
};

/* Create session: step 8. Asking again for the same session gives the same answer. Where both
 * families are asked for and one is configured, that one is granted, and the note says so
 * (TS 24.501 6.4.1.3). */
struct cn_create_session {
	uint32_t slot;
	uint8_t pdu_session_id;	  /* 1..15 */
	uint8_t pdu_session_type; /* asked for; out: granted */
	const char *dnn;	  /* "" for the default */
	/* out */
	enum cn_cause cause;
	enum cn_cause note;    /* CN_OK, CN_IPV4_ONLY or CN_IPV6_ONLY */
	uint32_t ipv4;	       /* host order; 0: none */
	uint64_t ipv6_prefix;  /* a /64, host order; 0: none */
	uint64_t interface_id; /* of the UE's link-local address; 0: no IPv6 */
};

/* Release: the context and its session. Unknown ones are no error. */
struct cn_release {
	uint32_t slot;
};

/* Bursts in, answers in place. arg is the implementation's. */
struct cn_ops {
	void (*create_context)(void *arg, struct cn_create_context *requests, unsigned int n);
	void (*create_session)(void *arg, struct cn_create_session *requests, unsigned int n);
	void (*release)(void *arg, const struct cn_release *requests, unsigned int n);
};

/* ---------------------------------------------------------------- in this process */

struct cn_local_config {
	const char *dnn;
	uint32_t first_address; /* host order */
	uint32_t addresses;	/* of this instance's share; 0: no IPv4 */
	uint64_t first_prefix;	/* the first /64, host order */
	uint32_t prefixes;	/* likewise; 0: no IPv6 */
	uint32_t capacity;	/* contexts */
};

struct cn_local;
/* NULL: out of memory, or no random numbers. dnn must outlive the instance. */
struct cn_local *cn_local_create(const struct cn_local_config *config);
void cn_local_destroy(struct cn_local *cn);
extern const struct cn_ops cn_local_ops; /* arg: struct cn_local */
uint32_t cn_local_free_addresses(const struct cn_local *cn);
uint32_t cn_local_free_prefixes(const struct cn_local *cn);

#endif
