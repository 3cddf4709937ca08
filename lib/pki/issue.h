/* SPDX-License-Identifier: BSD-3-Clause
 *
 * issue: makes certificates and CRLs, with OpenSSL. For cpau-pki and tests; configuration time
 * only.
 *
 * A struct issue_key is a private key with its public half. A certificate comes out as DER in a
 * buffer that the caller frees with free().
 */
#ifndef CPAU_PKI_ISSUE_H
#define CPAU_PKI_ISSUE_H

#include "base/base.h"
#include "crypto/crypto.h"

struct issue_key; /* wraps an EVP_PKEY */
struct issue_key *issue_key_generate(enum crypto_curve curve);
struct issue_key *issue_key_from_scalar(enum crypto_curve curve, const uint8_t private_key[32]);
/* PEM (EC or PKCS#8), or 64 hex digits, in which case curve says on which curve. NULL: not a key.
 */
struct issue_key *issue_key_read(const char *path, enum crypto_curve curve);
bool issue_key_write(const struct issue_key *k, const char *path); /* PKCS#8 PEM, 0600 */
void issue_key_scalar(const struct issue_key *k, uint8_t private_key[32]);
enum crypto_curve issue_key_curve(const struct issue_key *k);
void issue_key_free(struct issue_key *k);

enum issue_role {
	ISSUE_CI,	      /* self-signed */
	ISSUE_OPERATOR_CA,    /* self-signed */
	ISSUE_CROSS_CI,	      /* the operator CA's certificate for a CI */
	ISSUE_CROSS_OPERATOR, /* a CI's certificate for the operator CA */
	ISSUE_AU,
	ISSUE_EUM,
	ISSUE_EUM_SUBCA,
	ISSUE_EUICC,
};

enum issue_variant { ISSUE_VARIANT_O, ISSUE_VARIANT_A, ISSUE_VARIANT_B, ISSUE_VARIANT_C };

/* Deviations from the profile, for tests of those who check it. */
enum issue_fault {
	ISSUE_FAULT_NONE,
	ISSUE_FAULT_EXPIRED,
	ISSUE_FAULT_NOT_YET_VALID,
	ISSUE_FAULT_POLICY,    /* the policy of another tier */
	ISSUE_FAULT_USAGE,     /* keyEncipherment alone */
	ISSUE_FAULT_CRITICAL,  /* an unknown critical extension */
	ISSUE_FAULT_SIGNATURE, /* a changed octet in the signature */
	/* of a fleet's devices only */
	ISSUE_FAULT_EID,       /* a letter among its digits */
	ISSUE_FAULT_EID_CHECK, /* not 1 modulo 97 */
	ISSUE_FAULT_KEY,       /* a public key that is no point of the curve */
	ISSUE_FAULT_N,
};

struct issue_request {
	enum issue_role role;
	enum issue_variant variant;
	enum issue_fault fault;
	const char *country, *organisation, *common_name; /* NULL: absent */
	const char *serial_number;	     /* of the subject: the EID for an eUICC; NULL: none */
	const char *eid_prefix;		     /* EUM: digits that its eUICCs' EIDs begin with */
	const struct issue_key *subject_key; /* its public half is certified */
	struct span subject_cert; /* cross: the certificate whose subject and key identifier are
				     taken */
	struct span issuer_cert;  /* n = 0: self-signed */
	const struct issue_key *issuer_key;
	uint64_t serial;   /* 0: 16 random octets */
	unsigned int days; /* of validity; 0: no end (year 9999) */
};

/* DER, to be freed; NULL: OpenSSL refused (its error queue says why). */
uint8_t *issue_certificate(const struct issue_request *request, size_t *n);

/* A v2 CRL of the issuer with these serial numbers (big-endian octets). */
uint8_t *issue_crl(struct span issuer_cert, const struct issue_key *issuer_key,
		   const struct span *serials, size_t n_serials, unsigned int days, size_t *n);

/* Writes the two check digits of an EID of 32 digits, so that it is 1 modulo 97 (SGP.29 4.2). */
void issue_eid_check_digits(char eid[33]);

#endif
