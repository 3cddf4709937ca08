/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ue_table: the UE contexts of one control shard, their indexes and their timers.
 *
 * A slab of fixed size, allocated at start. Written by the shard's control stage alone. Workers
 * read two things without locks: what step 5 needs of a context (ue_table_read_half_open), and
 * whether a RAND_UE has been seen (ue_table_rand_seen). Nothing here allocates after creation;
 * every operation is O(1) or bounded by a constant.
 */
#ifndef CPAU_AU_UE_TABLE_H
#define CPAU_AU_UE_TABLE_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/sequence.h"
#include "crypto/crypto.h"
#include "sec/sec.h"
#include "net/net.h"
#include "pki/trust.h"

/* The states of a UE context, in the order in which an attach passes through them. */
enum ue_state {
	UE_FREE,
	UE_AUTHENTICATION, /* AUTHENTICATION REQUEST sent, RESPONSE awaited (T3560) */
	UE_SECURITY_MODE,  /* SECURITY MODE COMMAND sent, COMPLETE awaited (T3560) */
	UE_AN_CONTEXT,	   /* CONTEXT SETUP REQUEST sent to the AN, RESPONSE awaited (TAN) */
	UE_ACCEPT,	   /* ATTACH ACCEPT sent, COMPLETE awaited (T3550) */
	UE_REGISTERED,	   /* ATTACH COMPLETE received, PDU session request awaited */
	UE_AN_SESSION,	   /* SESSION SETUP REQUEST sent to the AN, RESPONSE awaited (TAN) */
	UE_ATTACHED,	   /* steps 1 to 8 done */
	UE_DETACHING,	   /* DETACH REQUEST sent, ACCEPT awaited (T3522) */
	UE_STATE_N,
};
const char *ue_state_name(enum ue_state state);

enum { UE_CAPABILITY_MAX = 8, UE_NONE = UINT32_MAX };
#define UE_NEVER UINT64_MAX

/* AU UE id: shard, slot and generation, so that a lookup is an index and an old id is known. */
#define UE_ID_SHARD_SHIFT     56
#define UE_ID_SLOT_SHIFT      24
#define UE_ID_GENERATION_MASK UINT64_C(0xffffff)

static inline uint64_t ue_id_make(unsigned int shard, uint32_t slot, uint32_t generation)
{
	return (uint64_t)shard << UE_ID_SHARD_SHIFT | (uint64_t)slot << UE_ID_SLOT_SHIFT |
	       (generation & UE_ID_GENERATION_MASK);
}

static inline unsigned int ue_id_shard(uint64_t id)
{
	return (unsigned int)(id >> UE_ID_SHARD_SHIFT);
}

static inline uint32_t ue_id_slot(uint64_t id)
{
	return (uint32_t)(id >> UE_ID_SLOT_SHIFT);
}

/* What steps 2 to 6 need, and nothing after them: wiped when Ksession is made. */
struct ue_half_open {
	uint8_t rand_au[16];
	uint8_t sk_au[CRYPTO_SCALAR_SIZE]; /* secret */
	uint8_t pk_au[CRYPTO_POINT_SIZE];
	uint8_t au_signature[CRYPTO_SIGNATURE_SIZE];
	uint8_t device_key[CRYPTO_POINT_SIZE];	   /* of Cert_eUICC */
	uint8_t fingerprint[SEC_FINGERPRINT_SIZE]; /* of Cert_eUICC */
	/* Of device_key, with which step 6 verifies again, or NULL; from au_shared's pool */
	struct crypto_multiples *multiples;
	/* Cert_eUICC's issuer, when it was known in step 1 and had signed it; in the snapshot */
	const struct pki_issuer *eum;
	uint8_t curve; /* enum crypto_curve */
	uint8_t epoch; /* of the trust snapshot that Cert_AU and eum are of */
	int16_t cross; /* which cross-certificate the UE was given */
};

/* What lives from step 6 on. */
struct ue_secured {
	struct sec_nas_context nas;
	uint8_t k_amf[SEC_KEY_SIZE]; /* secret */
	uint8_t k_gnb[SEC_KEY_SIZE]; /* secret */
	uint32_t uplink_next;	     /* lowest uplink NAS COUNT still acceptable */
	uint32_t downlink_next;	     /* next downlink NAS COUNT */
	/* The PDU session; all 0 before there is one. */
	uint32_t ipv4;	       /* host order; 0: none */
	uint64_t ipv6_prefix;  /* likewise */
	uint64_t interface_id; /* of its link-local address, where it has a prefix */
	uint64_t lifetime_end; /* tick */
	uint8_t pdu_session_id;
	uint8_t pdu_session_type;
	uint8_t pti;
	uint8_t note;	   /* enum cn_cause: why it got less than it asked for; CN_OK: it did not */
	uint8_t end_cause; /* enum wire_cause, of UE_DETACHING */
};

struct ue {
	struct sequence sequence; /* workers read around a write (ue_table_read) */
	uint32_t generation;
	uint8_t state; /* enum ue_state */
	uint8_t retries;
	uint8_t capability_len;
	uint8_t nif;	   /* index of the port */
	uint16_t udp_port; /* the AN's, for this UE */
	uint16_t an;	   /* index of the AN */
	uint32_t an_ue_id;
	uint8_t capability[UE_CAPABILITY_MAX];
	uint8_t eid[16];
	uint8_t rand_ue[16];

	/* timer wheel */
	uint64_t expires;   /* tick; UE_NEVER: not armed */
	uint64_t timer_due; /* tick at which the wheel looks at it, at or before expires */
	uint32_t timer_next, timer_previous;
	bool timer_linked;
	uint32_t eid_next; /* chain of the EID index; free list when UE_FREE */
	bool eid_indexed;

	union {
		struct ue_half_open half_open; /* UE_AUTHENTICATION */
		struct ue_secured secured;     /* from UE_SECURITY_MODE on */
	};
};

struct ue_table;

struct ue_table_config {
	unsigned int shard;
	unsigned int capacity;	    /* contexts */
	unsigned int max_half_open; /* contexts in UE_AUTHENTICATION */
	uint64_t ticks_now;	    /* timer tick at creation */
	unsigned int replay_ticks;  /* how long a RAND_UE is remembered */
	int numa_node;		    /* of the memory; -1: any */
};

/* Configuration time. NULL when there is no memory for it. */
struct ue_table *ue_table_create(const struct ue_table_config *config);
void ue_table_destroy(struct ue_table *t); /* wipes */
/* Octets of memory that one context takes, indexes included. */
size_t ue_table_octets_per_ue(void);

/* ---- the shard's control stage only ---- */

/* A context in state UE_FREE, taken from the free list; NULL when the table is full. */
struct ue *ue_table_allocate(struct ue_table *t);
/* Back to the free list: timers off, indexes cleaned, secrets wiped, generation advanced. */
void ue_table_release(struct ue_table *t, struct ue *ue);
struct ue *ue_table_find(struct ue_table *t, uint64_t au_ue_id);
/* Brings the context that ue_table_find would give into the cache. */
void ue_table_prefetch(const struct ue_table *t, uint64_t au_ue_id);
uint64_t ue_table_id(const struct ue_table *t, const struct ue *ue);
/* The context in a slot whatever its generation; NULL when it is free. */
struct ue *ue_table_slot(struct ue_table *t, uint32_t slot);
uint32_t ue_table_slot_of(const struct ue_table *t, const struct ue *ue);
/* 5G-TMSI: slot and generation mixed, so that a temporary identity is not given twice in a row. */
uint32_t ue_table_tmsi(const struct ue_table *t, const struct ue *ue);

/* Between these two, workers do not see the context (they retry a bounded number of times). */
void ue_table_write_begin(struct ue *ue);
void ue_table_write_end(struct ue *ue);
/* Moves to another state and keeps the counts by state. Inside begin/end. */
void ue_table_set_state(struct ue_table *t, struct ue *ue, enum ue_state state);

/* Contexts by EID: only authenticated ones are in it, so a replay cannot displace anybody. */
struct ue *ue_table_find_eid(struct ue_table *t, const uint8_t eid[16]);
void ue_table_prefetch_eid(const struct ue_table *t, const uint8_t eid[16]);
void ue_table_index_eid(struct ue_table *t, struct ue *ue);

/* RAND_UE index: remembers (RAND_UE, EID) -> slot from step 2 until replay_ticks after. The oldest
 * of a bucket gives way when the bucket is full. */
void ue_table_remember_rand(struct ue_table *t, struct ue *ue, uint64_t tick);
/* The slot for which it was remembered, or UE_NONE. */
uint32_t ue_table_find_rand(struct ue_table *t, const uint8_t rand_ue[16], const uint8_t eid[16],
			    uint64_t tick);

void ue_table_arm(struct ue_table *t, struct ue *ue, uint64_t expires);
void ue_table_disarm(struct ue *ue);
/* Up to n contexts whose timers expired at or before tick; they are disarmed. Bounded work a call.
 */
unsigned int ue_table_expired(struct ue_table *t, uint64_t tick, struct ue **expired,
			      unsigned int n);

/* Walks the slab: the next context in use at or after *slot, NULL at the end. */
struct ue *ue_table_next(struct ue_table *t, uint32_t *slot);

/* ---- any thread, without locks ---- */

/* What a worker copies for step 5. */
struct ue_view {
	uint8_t state;
	uint16_t an;
	uint32_t an_ue_id;
	uint8_t eid[16];
	uint8_t rand_ue[16];
	struct ue_half_open half_open; /* meaningful in UE_AUTHENTICATION; the caller wipes it */
};
/* False: no such context (or it changed all the while); the view is wiped. */
bool ue_table_read(const struct ue_table *t, uint64_t au_ue_id, struct ue_view *view);
/* True when this RAND_UE with this EID was remembered; an answer for workers that the control stage
 * checks again. */
bool ue_table_rand_seen(const struct ue_table *t, const uint8_t rand_ue[16], const uint8_t eid[16],
			uint64_t tick);
/* Brings what it will look at into the cache. */
void ue_table_prefetch_rand(const struct ue_table *t, const uint8_t rand_ue[16],
			    const uint8_t eid[16]);
unsigned int ue_table_count(const struct ue_table *t, enum ue_state state);
/* Contexts that a new attach could take: bounded by free slots and by max_half_open. */
unsigned int ue_table_room(const struct ue_table *t);
/* Less than half of the half-open contexts that there may be are there: more are not for UEs whose
 * EUM is not known, who need no more than a key to ask. */
bool ue_table_has_room_for_strangers(const struct ue_table *t);
/* More than three quarters of the half-open contexts that there may be are there. */
bool ue_table_is_crowded(const struct ue_table *t);

#endif
