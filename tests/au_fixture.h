/* SPDX-License-Identifier: BSD-3-Clause
 *
 * au_fixture: an authenticator whose stages the test polls itself, one by one, with access nodes
 * and UEs at the other end of a net_ring port. What lies between two stages can so be looked at,
 * held back, changed or lost.
 *
 * One instance a process: Criterion forks each test. Credentials are issued at its start.
 */
#ifndef CPAU_TESTS_AU_FIXTURE_H
#define CPAU_TESTS_AU_FIXTURE_H

#include "au/instance.h"
#include "pki/issue.h"
#include "ue/device.h"

enum {
	FIXTURE_ANS = 2, /* that are configured; a higher one sends from an unknown address */
	FIXTURE_JOBS = 63,
	FIXTURE_RESERVE = 15, /* of them, for what was begun: a quarter */
	FIXTURE_GOT = 128,
	FIXTURE_UES = 64,
};

struct authority {
	struct issue_key *key;
	uint8_t *der;
	size_t n;
};

/* A record that control sent, and to whom. */
struct got {
	unsigned int an;
	uint16_t port;
	struct wire_record record;
	struct wire_message m; /* a plain NAS message, or the record's IEs; type 0: protected */
	uint8_t payload[WIRE_NAS_MAX];
};

/* A UE and its connection. */
struct test_ue {
	struct device device;
	struct authority euicc;
	uint8_t eid[16], private_key[32];
	unsigned int an;
	uint16_t port;
	uint32_t an_ue_id;
	uint64_t au_ue_id;
	/* Its last message, which fixture_uplink sends. */
	bool pending;
	size_t n;
	uint8_t nas[WIRE_NAS_MAX];
	uint32_t uplink_teid; /* of its session, where there is a gate */
	uint8_t released;     /* enum wire_cause of the RELEASE COMMAND; 0: none */
	bool silent;	      /* fixture_deliver loses what it sends */
};

extern struct fixture {
	/* Set before fixture_prepare: EAL with a telemetry socket; a gate, whose N3 and N6 are the
	 * AN link's port, and whose data network has one host, the second access node's. */
	bool telemetry, gate;
	struct config config;
	struct authority ci, operator_ca, eum, subca;
	struct au *au;
	struct au_shared *shared; /* of au, as is all below */
	struct au_worker *worker;
	struct au_crypto *crypto;
	struct au_control *control;
	struct device_world world;
	bool stopped;	    /* by au_stop: the port is gone */
	unsigned int n_got; /* by fixture_downlink */
	struct got got[FIXTURE_GOT];
	unsigned int g_pdus; /* of them, GTP-U messages that came with a packet */
	uint32_t last_teid;  /* of the last */
	struct wire_message
		tunnel; /* what SESSION SETUP RESPONSE has besides; type 0: as it is due */
} f;

/* EAL, credentials, and a configuration that may be changed before fixture_start. */
void fixture_prepare(void);
/* The authenticator, with an AN SETUP for each access node. */
void fixture_start(void);
/* Both. */
void fixture_setup(void);
/* Every job, frame and multiple must be back in its pool. */
void fixture_teardown(void);

/* A trust store of these credentials. known_eum: the EUM (and SubCA) of the UEs is in it. */
struct fixture_trust {
	bool unknown_eum;
	const char *deny;	    /* a line of the deny list, or NULL */
	const struct span *revoked; /* serial numbers that the EUM took back */
	unsigned int n_revoked;
};
struct pki_trust *fixture_load(struct fixture_trust trust); /* the caller's */
void fixture_reload(struct fixture_trust trust);

/* A UE behind access node 0. The second: with deviations from the profile, or of another issuer,
 * where the request has them. */
struct test_ue *fixture_ue(void);
struct test_ue *fixture_ue_like(struct issue_request request, const struct authority *issuer);
/* Certifies; the subject's key is a->key, made if there is none. issuer NULL: self-signed. */
void fixture_issue(struct authority *a, const struct authority *issuer,
		   struct issue_request request);
struct span fixture_der(const struct authority *a);
/* The EID's digits. */
void fixture_eid_text(const uint8_t eid[16], char text[33]);

/* ---- the access nodes' side ---- */

void fixture_send_record(unsigned int an, uint16_t port, enum wire_record_type type,
			 uint32_t an_ue_id, uint64_t au_ue_id, struct span payload);
/* A record of the UE's connection with these IEs. */
void fixture_send_ies(const struct test_ue *ue, const struct wire_message *m);
void fixture_send_cause(const struct test_ue *ue, enum wire_record_type type,
			enum wire_cause cause);
void fixture_send_nas(const struct test_ue *ue, struct span nas);
/* What the UE sends through its session, or through whatever tunnel: HTTPS to the data network's
 * host from an address (host order); and what that host sends to it. */
void fixture_send_packet(const struct test_ue *ue, uint32_t teid, uint32_t ipv4);
void fixture_send_answer(uint32_t ipv4);
/* An ERROR INDICATION for a tunnel of the access node's. */
void fixture_send_error_indication(const struct test_ue *ue, uint32_t teid);
/* The access node's end of the UE's tunnel. */
uint32_t fixture_teid(const struct test_ue *ue);
/* An ARP request for the authenticator's address, and whether it was answered. */
void fixture_send_solicitation(void);
bool fixture_is_resolved(void);
/* Step 1, until the ATTACH REQUEST is in ue->nas. */
void fixture_begin(struct test_ue *ue);
/* Sends what is pending. */
void fixture_uplink(struct test_ue *ue);
/* Takes what control sent, into f.got: what was there before is forgotten. */
unsigned int fixture_downlink(void);
/* Gives f.got to the UEs, and answers the records that an access node answers. */
void fixture_deliver(void);
/* Sends what is pending, polls all stages, takes and delivers: until nothing happens any more. */
void fixture_settle(void);
/* Loses what is on the way to the worker. */
void fixture_lose(struct test_ue *ue);
/* Turns until the UE has this state in the table: what it would send then is pending, or sent. */
void fixture_advance(struct test_ue *ue, enum ue_state state);
/* From step 1 until the UE has this state in the table: what it would send then is pending. */
void fixture_attach_until(struct test_ue *ue, enum ue_state state);

/* An IE in ue->nas, a plain message that was encoded here. */
uint8_t *fixture_ie(struct test_ue *ue, enum wire_ie ie);
/* The only record got of this type, to this UE; it must be there. NAS messages by their type. */
const struct got *fixture_got_nas(const struct test_ue *ue, enum wire_nas_type type);
const struct got *fixture_got_record(const struct test_ue *ue, enum wire_record_type type);
/* Polls control until this many milliseconds have passed. */
void fixture_control_for(unsigned int ms);

/* ---- what is left of it ---- */

uint64_t fixture_event(enum au_counter counter);
uint64_t fixture_cause(enum wire_cause cause);
struct ue *fixture_context(const struct test_ue *ue); /* NULL: none */
unsigned int fixture_jobs_in_use(void);
unsigned int fixture_contexts(void);

#endif
