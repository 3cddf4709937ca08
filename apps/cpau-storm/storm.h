/* SPDX-License-Identifier: BSD-3-Clause
 *
 * storm: access nodes and UEs in numbers, open loop. What is asked of them, and what came of it.
 */
#ifndef CPAU_STORM_H
#define CPAU_STORM_H

#include "hist/hist.h"
#include "link.h"
#include "pki/fleet.h"
#include "timeline.h"
#include "ue/device.h"

/* What a faulty UE must meet. */
enum fault_outcome {
	FAULT_REJECTED, /* ATTACH or AUTHENTICATION REJECT with the cause */
	FAULT_RELEASED, /* the UE ends it, and its AN is told: RELEASE COMMAND with the cause */
	FAULT_SILENCE,	/* counted and dropped: no answer, no attach */
	FAULT_ATTACHES, /* the bad message is dropped, the UE attaches all the same */
};

enum fault {
	FAULT_NONE,
	FAULT_TRUNCATED,
	FAULT_IE_TOO_SHORT,
	FAULT_IE_TOO_LONG,
	FAULT_IE_DUPLICATED,
	FAULT_IE_UNKNOWN,
	FAULT_IE_MISSING,
	FAULT_IE_BAD_VALUE,
	FAULT_BAD_HEADER,
	FAULT_MESSAGE_UNKNOWN,
	FAULT_RECORD_UNKNOWN,
	FAULT_CERT_MALFORMED,
	FAULT_CERT_TRUNCATED,
	FAULT_CERT_TRAILING,
	FAULT_CERT_LENGTH,
	FAULT_CERT_NOT_CANONICAL,
	FAULT_BAD_CERT_SIG,
	FAULT_BAD_SIG1,
	FAULT_NO_ALGORITHM,
	FAULT_REPLAYED_REQUEST,
	FAULT_OUT_OF_ORDER,
	FAULT_NETWORK_REFUSED,
	FAULT_RAND_MISMATCH,
	FAULT_CERT_CHANGED,
	FAULT_BAD_SIG2,
	FAULT_PK_UE,
	FAULT_STRANGER,
	FAULT_REPLAYED_RESPONSE,
	FAULT_SMC_REJECTED,
	FAULT_SMC_COMPLETE_EARLY,
	FAULT_ATTACH_COMPLETE_EARLY,
	FAULT_NAS_MAC,
	FAULT_NAS_REPLAYED,
	FAULT_NAS_UNPROTECTED,
	FAULT_HALF_OPEN,
	FAULT_N,
};

struct fault_definition {
	const char *name, *text;
	enum fault_outcome outcome;
	enum wire_cause cause; /* FAULT_REJECTED, FAULT_RELEASED */
};
extern const struct fault_definition fault_definitions[FAULT_N];

/* What comes beside the UEs. */
enum junk_kind {
	JUNK_UNKNOWN_AN, /* from an address that is no access node's */
	JUNK_MALFORMED,	 /* from an access node: random octets, and records without their end */
	JUNK_KINDS,
};

/* The steps whose latency is reported, each from the intended send time of the ATTACH REQUEST. */
enum storm_step { STEP_AUTHENTICATION, STEP_SECURITY_MODE, STEP_ACCEPT, STEP_ALL, STEP_N };

/* So many arrivals a second for so long. */
struct storm_phase {
	double rate, seconds;
	const char *name; /* NULL: its number, from 1 on */
};

enum { STORM_PHASES_MAX = 32 };

struct storm_config {
	const struct fleet *fleet;
	const struct fleet *hostile_fleet; /* FAULT_STRANGER's devices; NULL: none */
	uint64_t ues;			   /* UEs that attach */
	double rate;			   /* per second; 0: as fast as max_in_flight lets them */
	struct storm_phase phases[STORM_PHASES_MAX];
	unsigned int n_phases; /* 0: rate and duration_s say it */
	uint64_t burst;	       /* arrivals that come together */
	bool prepare;	       /* step 1 of all UEs is made before the storm begins */
	double duration_s;     /* no UE starts after this; 0: no end */
	unsigned int cycles;   /* attaches of a UE, with detaches in between */
	double patience_s;     /* a UE that gets no further for this long has failed */
	unsigned int n_ans;
	uint8_t an_key[32];
	unsigned int max_in_flight;
	double t3510_s;
	unsigned int tries; /* sendings of an ATTACH REQUEST */
	bool retry;	    /* a UE that is refused with a back-off, or by its AN, comes back */
	double t3511_s;	    /* wait after an attempt that ended in silence, with retry */
	double an_wait_s;   /* mean wait of a UE that its AN refused */
	bool deaf;	    /* ANs do not heed OVERLOAD START */
	bool batch;
	bool memo_off;
	bool write_only; /* step 1 alone, to a file */
	uint8_t capability[2];
	const char *backend;
	double fault_share[FAULT_N];
	double junk_rate;	 /* datagrams a second that no access node would send */
	unsigned int junk_kinds; /* bits by enum junk_kind */
	uint64_t seed;
	bool progress, json;
	uint8_t session_type; /* enum device_session_type; 0: IPv4 */
	/* What follows the last attach; UEs stay in their sessions meanwhile. */
	double hold_s;	      /* for so long; 0: until the rest is done, or no session is left */
	const char *tun;      /* this host's packets go through the one UE's session */
	uint64_t adversarial; /* packets of all kinds, most of which nobody should forward */
	unsigned int load_octets; /* packets of this size through all sessions, as fast as it goes;
				     0: none */
	double load_s;
	double load_hostile;  /* the share of them that no gate passes */
	uint64_t load_beside; /* it begins with so many sessions, and the rest of the storm goes on;
				 0: after it */
	unsigned int load_sessions; /* as if there were so many, and nothing else; 0: those held */
};

/* Whether attached UEs are kept. */
static inline bool storm_holds(const struct storm_config *c)
{
	return c->hold_s > 0 || c->tun || c->adversarial > 0 || c->load_octets > 0;
}

/* Kinds of packets of --adversarial; the first is what a session is for. */
enum storm_packet {
	PACKET_ALLOWED,
	PACKET_SPOOFED,	      /* inner source is not the UE's */
	PACKET_TEID,	      /* of no session */
	PACKET_ENDED,	      /* TEID that the session's slot had before */
	PACKET_OTHER_AN,      /* TEID of a session of another access node */
	PACKET_GTPU_TYPE,     /* a message that GTP-U does not have */
	PACKET_GTPU_CUT,      /* headers of GTP-U that do not end */
	PACKET_NESTED,	      /* a G-PDU in a G-PDU */
	PACKET_IP_CUT,	      /* inner headers that do not end, or lie about it */
	PACKET_FRAGMENT,      /* an inner fragment, whose ports are elsewhere */
	PACKET_EXTENSION,     /* IPv6 extension headers */
	PACKET_IPV6_SPOOFED,  /* inner source is of another /64 */
	PACKET_IPV6_FRAGMENT, /* a fragment header, of a whole packet too */
	PACKET_IPV6_BESIDE,   /* an address beside the DNS server's */
	PACKET_BESIDE,	      /* an address beside what is allowed */
	PACKET_DNS_ELSEWHERE, /* DNS to another server */
	PACKET_PORT,	      /* another port of an allowed address */
	PACKET_PROTOCOL,      /* neither TCP nor UDP */
	PACKET_RANDOM,	      /* random octets */
	PACKET_KINDS,
};
extern const char *const storm_packet_names[PACKET_KINDS];

/* Of well-behaved UEs: of those that arrived in the phase, whenever the rest happened; but
 * completed and what is said of the generator is of the phase's time. */
struct storm_phase_result {
	uint64_t started, attached, refused, shed_by_an, timed_out, failed;
	uint64_t completed;   /* attaches, whoever began them */
	struct hist latency;  /* from the intended send time, nanoseconds */
	struct hist accepted; /* from the beginning of the attempt that succeeded */
	uint64_t busy_ns, idle_ns;
	uint64_t lag_max_ns, held_back; /* as in struct storm_result */
	uint64_t behind_max_ns;
};

/* Of --load: packets that left for the gate, and that came out at the other side; hostile ones are
 * among them, of which none should. */
struct load_result {
	uint64_t sessions, sent, received, hostile_sent, hostile_received;
	uint64_t attaches; /* meanwhile, with load_beside */
	double seconds;
};

struct storm_result {
	uint64_t started, attached, failed, refused_with_back_off, retransmissions;
	uint64_t shed_by_an;		 /* refused by the AN itself, because of OVERLOAD START */
	uint64_t attempts, attempts_max; /* ATTACH REQUESTs begun: in all, and by one UE */
	uint64_t attaches, detaches;	 /* of well-behaved UEs, over all cycles */
	uint64_t junk_sent;
	uint64_t written; /* datagrams, with write_only */
	uint64_t kgnb_mismatches;
	uint64_t failed_by_cause[WIRE_CAUSE_LIMIT];
	uint64_t faults_sent, faults_as_expected;
	uint64_t fault_sent[FAULT_N], fault_as_expected[FAULT_N];
	double seconds;		   /* first intended send to last completion */
	double arrivals_s;	   /* first to last arrival */
	uint64_t attached_by_then; /* before the last arrival */
	struct hist steps[STEP_N]; /* nanoseconds */
	uint64_t busy_ns, idle_ns; /* of the generator's core, in turns with and without work */
	uint64_t lag_max_ns;	   /* arrivals behind the schedule */
	uint64_t behind_max_ns;	   /* for so long messages waited for the generator */
	uint64_t held_back;	   /* arrivals that came due while max_in_flight was reached */
	double prepare_s;	   /* what it took to make the requests beforehand */
	/* Of UEs that were held in their sessions. */
	uint64_t held, ended, ended_by_cause[WIRE_CAUSE_LIMIT]; /* ended: by the network */
	uint64_t uplink_packets, downlink_packets, error_indications;
	uint64_t packets_sent[PACKET_KINDS];
	struct load_result load;
	struct storm_phase_result phases[STORM_PHASES_MAX];
	struct timeline *timeline; /* the caller's; NULL: none is wanted */
	const char *backend;
};

/* Runs to the end. False: *why is a sentence. stop may be set by a signal handler. n3: the link of
 * the user plane, which may be the same; n6: NULL, or the data network's, which --load takes. */
bool storm_run(const struct storm_config *config, struct link *link, struct link *n3,
	       struct link *n6, volatile int *stop, struct storm_result *result, const char **why);

/* Whether the fault is in step 1 alone. */
bool fault_is_of_step1(enum fault fault);
/* fault.c: makes the NAS message wrong in the way of the fault. in place; n may change. */
size_t fault_spoil(enum fault fault, uint8_t *nas, size_t n, size_t size);

void storm_report(const struct storm_config *config, const struct storm_result *r, bool json);

#endif
