/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The trust snapshot's insides, for trust.c (look-ups, learning) and trust_load.c.
 */
#ifndef CPAU_PKI_TRUST_INTERNAL_H
#define CPAU_PKI_TRUST_INTERNAL_H

#include "pki/lists.h"
#include "pki/trust.h"

/* An issuer with the DER that its cert points into. */
struct owned_issuer {
	struct pki_issuer issuer;
	uint8_t *der;
	unsigned int references; /* of snapshots; touched by the thread that makes and frees them */
};

/* The CI's certificate for the operator CA that issued Cert_AU. */
struct cross {
	struct pki_cert cert;
	uint8_t *der;
};

/* Deny lists: the directory's, and that of eid_deny_list. */
enum { TRUST_DENIED_BY_DIRECTORY, TRUST_DENIED_BY_NAME, TRUST_DENY_LISTS };

/* What came from files: shared by all snapshots that were learned from it. */
struct trust_base {
	unsigned int references;
	char *crypto_backend;
	size_t key_table_octets;
	unsigned int max_learned;
	unsigned int n_cis, n_crosses, n_crls;
	struct owned_issuer **cis;
	struct cross *crosses;
	struct crl **crls;
	struct deny_list *denied[TRUST_DENY_LISTS]; /* NULL: there is none */
	struct pki_au au[CRYPTO_CURVE_N];
	bool has_au[CRYPTO_CURVE_N];
	uint8_t *au_der[CRYPTO_CURVE_N];
};

struct pki_trust {
	struct trust_base *base;
	unsigned int n_eums, n_learned; /* the learned ones are the last */
	struct owned_issuer **eums;
	uint32_t mask;	 /* of index */
	uint32_t *index; /* 1 + number of an EUM, by key identifier; 0: free */
};

/* Takes der over; base says what keys are prepared for. NULL when the key is not on its curve or
 * memory is short. */
struct owned_issuer *owned_issuer_create(uint8_t *der, const struct pki_cert *cert,
					 const struct pki_issuer *parent,
					 const struct trust_base *base);
void owned_issuer_release(struct owned_issuer *i);
/* Takes a reference of each EUM. NULL: out of memory. */
struct pki_trust *trust_create(struct trust_base *base, struct owned_issuer **eums,
			       unsigned int n_eums, unsigned int n_learned);
void trust_base_release(struct trust_base *base);
const struct pki_issuer *trust_base_find_ci(const struct trust_base *base, struct span key_id,
					    struct span name);
bool trust_base_is_revoked(const struct trust_base *base, struct span issuer_key_id,
			   struct span serial);

#endif
