/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pki: certificates of the attach, parsed at line rate. A strict DER decoder for the profiles of
 * SGP.22 (variant O and v3 variants A, B, C) and of the operator's CA (TS 33.310), and the rules
 * that each tier must keep, but for the signatures, which belong to lib/crypto.
 *
 * A struct pki_cert is a view: its spans point into the DER that it was parsed from. Nothing is
 * allocated, copied or read beyond the input; loops are bounded. No state; any thread.
 */
#ifndef CPAU_PKI_H
#define CPAU_PKI_H

#include "base/base.h"
#include "crypto/crypto.h"

/* X(symbol, name, text) */
#define PKI_ERRORS(X)                                                                              \
	X(OK, "ok", "the certificate is good")                                                     \
	X(MALFORMED, "malformed", "not canonical DER of an X.509 v3 certificate")                  \
	X(UNSUPPORTED, "unsupported", "an algorithm or critical extension that is not understood") \
	X(EXPIRED, "expired", "notAfter has passed")                                               \
	X(NOT_YET_VALID, "not-yet-valid", "notBefore is in the future")                            \
	X(POLICY, "policy", "the certificate policy of its tier is missing")                       \
	X(USAGE, "usage", "keyUsage or basicConstraints are not those of its tier")                \
	X(EID, "eid", "the subject's serialNumber is not 32 digits")                               \
	X(EID_CHECK, "eid-check", "the EID is not 1 modulo 97")                                    \
	X(NAME_CONSTRAINT, "name-constraint",                                                      \
	  "the issuer may not issue this subject or EID, or an EUM does not say which EIDs it "    \
	  "may")                                                                                   \
	X(ISSUER_MISMATCH, "issuer-mismatch",                                                      \
	  "issuer name, key identifier or path length do not match the issuing certificate")       \
	X(UNKNOWN_CI, "unknown-ci", "no trusted CI issued it")                                     \
	X(REVOKED, "revoked", "it is on a revocation list")                                        \
	X(EID_DENIED, "eid-denied", "the EID is on the operator's deny list")                      \
	X(CURVE, "curve", "neither P-256 nor brainpoolP256r1, or not its issuer's curve")          \
	X(KEY, "key", "the public key is not a point of its curve")                                \
	X(SIGNATURE, "signature", "the issuer's signature is wrong")

enum pki_error {
#define X(symbol, name, text) PKI_##symbol,
	PKI_ERRORS(X)
#undef X
		PKI_ERROR_N,
};
const char *pki_error_name(enum pki_error e);
const char *pki_error_text(enum pki_error e);

enum pki_key_usage { /* bits of the KeyUsage BIT STRING, RFC 5280 4.2.1.3 */
		     PKI_USAGE_DIGITAL_SIGNATURE = 1 << 0,
		     PKI_USAGE_KEY_CERT_SIGN = 1 << 5,
		     PKI_USAGE_CRL_SIGN = 1 << 6,
};

enum pki_policy {			  /* SGP.22 Annex and SGP.26: arcs under 2.23.146.1.2.1 */
		  PKI_POLICY_CI = 1 << 0, /* 0 */
		  PKI_POLICY_EUICC_O = 1 << 1,	/* 1 */
		  PKI_POLICY_EUM_O = 1 << 2,	/* 2 */
		  PKI_POLICY_EUM_V3 = 1 << 3,	/* 0.0.0 */
		  PKI_POLICY_SUBCA_V3 = 1 << 4, /* 0.0.0.0 */
		  PKI_POLICY_EUICC_V3 = 1 << 5, /* 0.0.0.0.0 */
		  PKI_POLICY_OTHER = 1 << 15,
};

enum { PKI_EINS_MAX = 8, PKI_PATHLEN_NONE = 0xff };

struct pki_cert {
	struct span der;
	struct span tbs;    /* the TBSCertificate, header included: what is signed */
	struct span serial; /* 1 to 20 octets, without the leading zero that DER may need */
	struct span issuer, subject; /* whole Name TLVs */
	struct span ski, aki;	     /* key identifiers; n = 0: absent */
	enum crypto_curve curve;
	const uint8_t *public_key; /* 64 octets, X || Y, not checked to be on the curve */
	uint8_t signature[CRYPTO_SIGNATURE_SIZE]; /* raw r || s */
	int64_t not_before, not_after;		  /* unix time, seconds */
	uint16_t key_usage;			  /* enum pki_key_usage */
	uint16_t policies;			  /* enum pki_policy */
	bool has_key_usage, has_basic_constraints, ca;
	uint8_t path_length; /* PKI_PATHLEN_NONE: no limit */
	bool has_eid;
	uint8_t eid[16];	    /* two digits an octet */
	struct span subject_o;	    /* value of the subject's O; n = 0: absent */
	struct span subject_serial; /* of its serialNumber */
	/* who may be issued below it */
	bool has_name_constraint;		   /* variant O */
	struct span permitted_o, permitted_serial; /* n = 0: not constrained */
	bool has_permitted_eins;		   /* v3, extension 2.23.146.1.2.2.0 */
	uint8_t n_permitted_eins;
	struct span permitted_eins[PKI_EINS_MAX];
};

/* Strict: definite, minimal lengths, no defaults written, nothing twice, nothing left over; every
 * critical extension is understood. PKI_MALFORMED, PKI_UNSUPPORTED, PKI_CURVE or PKI_KEY (a
 * compressed point); *out is then of no use. */
enum pki_error pki_cert_parse(struct pki_cert *out, struct span der);

enum pki_role {
	PKI_ROLE_CI,
	PKI_ROLE_OPERATOR_CA,
	PKI_ROLE_CROSS, /* between CI and operator CA, either way */
	PKI_ROLE_EUM,
	PKI_ROLE_EUM_SUBCA,
	PKI_ROLE_EUICC,
	PKI_ROLE_AU,
};

/* What a certificate says of itself: validity, policies, usage, EID. now: unix time. */
enum pki_error pki_cert_check(const struct pki_cert *cert, enum pki_role role, int64_t now);

/* Whether issuer may have issued cert: names, key identifiers, curve, CA, path length, GSMA's name
 * constraint (a prefix of the EID, not a match of RDNs: SGP.22 4.5.2.1.0.2). Not the signature.
 * PKI_ISSUER_MISMATCH, PKI_CURVE, PKI_USAGE or PKI_NAME_CONSTRAINT. */
enum pki_error pki_cert_issued_by(const struct pki_cert *cert, const struct pki_cert *issuer);

#endif
