/* SPDX-License-Identifier: BSD-3-Clause
 *
 * device: a complete UE, from its factory credentials to its PDU session (docs/protocol.md).
 * Transport is its owner's: messages come in as octets and go out through a callback. Nothing is
 * allocated for a message. A struct device_world and its devices belong to one thread.
 *
 * What needs public-key arithmetic (steps 1 and 5) may wait until several devices need some, so
 * that a backend with eight lanes fills them: with batch above 1, device_start and device_handle
 * leave it as a task, and device_flush does the tasks of all devices at once.
 *
 * The UE trusts one GSMA CI. It takes a network whose Cert_AU leads there through the
 * cross-certificate, and refuses every other with AUTHENTICATION FAILURE.
 */
#ifndef CPAU_UE_DEVICE_H
#define CPAU_UE_DEVICE_H

#include "crypto/crypto.h"
#include "pki/pki.h"
#include "sec/sec.h"
#include "wire/wire.h"

/* States in the order of the procedure. */
enum device_state {
	DEVICE_IDLE,
	DEVICE_ATTACHING,      /* ATTACH REQUEST sent */
	DEVICE_AUTHENTICATING, /* AUTHENTICATION RESPONSE sent */
	DEVICE_SECURED,	       /* SECURITY MODE COMPLETE sent */
	DEVICE_REGISTERED,     /* ATTACH COMPLETE and the session request sent */
	DEVICE_ATTACHED,       /* the session is there: steps 1 to 8 done */
	DEVICE_DETACHING,      /* DETACH REQUEST sent */
	DEVICE_DETACHED,
	DEVICE_REJECTED,	/* by the network: device.cause, device.back_off_s */
	DEVICE_REFUSED_NETWORK, /* by the UE: device.cause */
	DEVICE_STATE_N,
};

/* TS 24.501 9.11.4.11 */
enum device_session_type {
	DEVICE_SESSION_IPV4 = 1,
	DEVICE_SESSION_IPV6 = 2,
	DEVICE_SESSION_IPV4V6 = 3,
};

enum { DEVICE_BATCH = 64, DEVICE_SMDP_NAME = 245 /* that an EPCO container has room for */ };

/* Public-key work of a device that waits for device_flush. */
struct device_task {
	struct device *device;
	bool is_start;	       /* step 1; else step 5 */
	enum wire_cause cause; /* why step 5 refuses the network */
	uint8_t digest[CRYPTO_DIGEST_SIZE];
	/* step 5: of the AUTHENTICATION REQUEST */
	uint8_t pk_au[65];
	uint8_t abba[2];
	uint8_t au_signature[CRYPTO_SIGNATURE_SIZE];
	uint8_t sk_ue[CRYPTO_SCALAR_SIZE]; /* secret */
	uint8_t z[CRYPTO_SCALAR_SIZE];	   /* secret */
};

/* What all devices of a fleet share. Zeroed, then filled in, then device_world_init. */
struct device_world {
	struct crypto *crypto;
	struct sec *sec;
	struct span cert_eum, cert_subca; /* subca: n = 0 without that tier */
	struct pki_cert ci;		  /* parsed; the trust anchor */
	char serving_network[64], realm[64];
	uint8_t capability[2]; /* 5G-EA, 5G-IA */
	int64_t now;	       /* unix time */
	bool memo_off;	       /* verify the chain of every AUTHENTICATION REQUEST anew */
	uint8_t session_type;  /* to ask for: enum device_session_type; 0: IPv4 */
	unsigned int
		batch; /* tasks that wait for each other, at most DEVICE_BATCH; 0, 1: none do */
	void (*send)(void *arg, struct device *d, const uint8_t *nas, size_t n);
	/* A task is done, and its message sent. May be NULL. */
	void (*done)(void *arg, struct device *d);
	void *arg;

	/* the rest is device.c's */
	struct {
		/* The chain that was found good last: a generator need not verify one and the same
		 * chain for every UE. Cert_AU and its key are of memory here. */
		bool valid;
		uint8_t octets[2 * WIRE_NAS_MAX];
		struct span cert_au, cert_cross;
		struct pki_cert au;
		uint8_t hash_of_au[CRYPTO_DIGEST_SIZE];
		struct crypto_key *key;
	} memo;
	/* The SM-DP+ of the session that was accepted last: one network has one for all, and it is
	 * not kept in every device. "" before. */
	char smdp_name[DEVICE_SMDP_NAME + 1];
	unsigned int n_tasks;
	struct device_task tasks[DEVICE_BATCH];
	uint8_t buffer[WIRE_NAS_MAX];
};

struct device {
	/* the credentials; set before device_start */
	struct span cert_euicc;
	const uint8_t *eid;	    /* 16 */
	const uint8_t *private_key; /* 32 */
	enum crypto_curve curve;
	/* the run */
	enum device_state state;
	bool waiting; /* for device_flush: messages that come meanwhile are dropped */
	enum wire_cause cause;
	uint32_t back_off_s;
	uint8_t rand_ue[16], rand_au[16];
	uint8_t ngksi; /* of the AUTHENTICATION REQUEST that was taken */
	uint8_t ue_signature1[64], ue_signature2[64];
	uint8_t pk_ue[65];
	struct sec_nas_context nas; /* secret, as is all below */
	uint8_t k_amf[SEC_KEY_SIZE];
	uint8_t k_gnb[SEC_KEY_SIZE];
	bool secured;
	uint32_t uplink_count, downlink_next;
	/* What the network gave with the session; 0 for what it did not. */
	uint8_t session_type;	  /* enum device_session_type */
	uint16_t mtu;		  /* of its link, for IPv4 */
	uint32_t ipv4, dns, smdp; /* host order */
	uint64_t interface_id;	  /* of fe80::/64, whence the prefix is solicited */
	uint8_t dns_ipv6[16];
	bool detached_by_network; /* with state DEVICE_DETACHED: device.cause says why */
};

/* Step 1 of a device, made in advance. */
struct device_ready {
	uint8_t rand_ue[16], ue_signature1[CRYPTO_SIGNATURE_SIZE];
};

const char *device_state_name(enum device_state state);

/* Parses the CI and fills in what follows from the serving network name. False: not a CI. */
bool device_world_init(struct device_world *w, struct span cert_ci);
/* Gives back what the world has come to own; crypto and sec stay the caller's. */
void device_world_fini(struct device_world *w);
bool device_world_serving_network(struct device_world *w, struct span name);

/* Step 1: a fresh RAND_UE, UE_Signature1, ATTACH REQUEST. */
void device_start(struct device_world *w, struct device *d);
/* Step 1 in advance, for n devices of which only the credentials are looked at, at most
 * DEVICE_BATCH. False: no randomness, or a key that cannot sign. */
bool device_make_ready(struct device_world *w, const struct device *devices,
		       struct device_ready *out, unsigned int n);
/* device_start with what was made in advance, once. Nothing waits: ATTACH REQUEST is sent. */
void device_start_ready(struct device_world *w, struct device *d, const struct device_ready *r);
/* One downlink NAS message. Answers go out through w->send; the state says what came of it. A
 * DETACH REQUEST of the network (TS 24.501 5.5.2.3) is accepted, each time that it comes. */
void device_handle(struct device_world *w, struct device *d, struct span nas);
/* Does the tasks that wait. A device must not go away before. */
void device_flush(struct device_world *w);
/* Sends DETACH REQUEST; DETACH ACCEPT ends it, and device_start begins anew. Attached devices only.
 */
void device_detach(struct device_world *w, struct device *d);
/* The timer of the state has expired: T3510 repeats the ATTACH REQUEST as it was, T3580 the session
 * request, T3521 the DETACH REQUEST. In other states it is the network that repeats. */
void device_timer(struct device_world *w, struct device *d);
/* Whether the AN was given this UE's K_gNB. */
bool device_check_kgnb(const struct device *d, const uint8_t k_gnb[SEC_KEY_SIZE]);

/* The pieces of steps 1 and 5, for those who need a message that is not quite right. */
size_t device_build_attach_request(struct device_world *w, const struct device *d, uint8_t *out,
				   size_t size);
size_t device_build_authentication_response(struct device_world *w, const struct device *d,
					    uint8_t *out, size_t size);

#endif
