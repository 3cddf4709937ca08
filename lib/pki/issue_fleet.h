/* SPDX-License-Identifier: BSD-3-Clause
 *
 * issue_fleet: eUICC certificates by the hundred thousand. One is made by OpenSSL and serves as a
 * template: serial number, EID, public key and key identifier have fixed places in it, so the
 * others are a copy, four patches and a signature. Configuration time only.
 */
#ifndef CPAU_PKI_ISSUE_FLEET_H
#define CPAU_PKI_ISSUE_FLEET_H

#include "pki/fleet.h"
#include "pki/issue.h"

struct issue_fleet_request {
	const char *path;
	uint64_t count;
	enum issue_variant variant;
	enum issue_fault fault;	  /* the same in every certificate */
	const char *organisation; /* the EUM's O, which its name constraint asks for */
	const char *eid_prefix;	  /* digits; the rest is a counter and the check digits */
	uint64_t first;		  /* counter of the first EID */
	struct span cert_eum, cert_subca, cert_ci;  /* subca: n = 0 without that tier */
	const struct issue_key *issuer_key;	    /* of the SubCA, or else of the EUM */
	void (*progress)(void *arg, uint64_t done); /* now and then; NULL: none */
	void *arg;
};

/* False: *why is a constant sentence. */
bool issue_fleet(const struct issue_fleet_request *request, const char **why);

#endif
