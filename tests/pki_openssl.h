/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The certificate decoder against OpenSSL, field by field: for the tests and the fuzzer.
 */
#ifndef CPAU_TESTS_PKI_OPENSSL_H
#define CPAU_TESTS_PKI_OPENSSL_H

#include <time.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/x509v3.h>

#include "pki/pki.h"

#define OID_PERMITTED_EINS_TEXT "2.23.146.1.2.2.0"

static inline bool same_asn1_string(const ASN1_STRING *s, struct span ours)
{
	return s ? span_equal(ours,
			      span_make(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)))
		 : ours.n == 0;
}

static inline bool same_encoding(uint8_t *encoded, int n, struct span ours)
{
	bool same = n > 0 && span_equal(ours, span_make(encoded, (size_t)n));

	OPENSSL_free(encoded);
	return same;
}

static inline bool same_name(const X509_NAME *name, struct span ours)
{
	uint8_t *encoded = NULL;
	int n = i2d_X509_NAME(name, &encoded);

	return same_encoding(encoded, n, ours);
}

static inline bool same_attribute(const X509_NAME *name, int nid, struct span ours)
{
	int at = X509_NAME_get_index_by_NID(name, nid, -1);

	if (at < 0)
		return ours.n == 0;
	return X509_NAME_get_index_by_NID(name, nid, at) < 0 &&
	       same_asn1_string(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)), ours);
}

static inline bool same_time(const ASN1_TIME *theirs, int64_t ours)
{
	struct tm tm;

	return ASN1_TIME_to_tm(theirs, &tm) == 1 && timegm(&tm) == ours;
}

static inline bool same_object(const ASN1_OBJECT *o, const char *text)
{
	char buffer[128];

	OBJ_obj2txt(buffer, sizeof(buffer), o, 1);
	return strcmp(buffer, text) == 0;
}

static inline bool same_key(X509 *x, const struct pki_cert *c)
{
	const uint8_t *point;
	X509_ALGOR *algorithm;
	const ASN1_OBJECT *curve;
	const void *parameter;
	int n, type;

	if (X509_PUBKEY_get0_param(NULL, &point, &n, &algorithm, X509_get_X509_PUBKEY(x)) != 1)
		return false;
	X509_ALGOR_get0(NULL, &type, &parameter, algorithm);
	curve = parameter;
	return n == 65 && point[0] == 0x04 && memcmp(point + 1, c->public_key, 64) == 0 &&
	       type == V_ASN1_OBJECT &&
	       OBJ_obj2nid(curve) ==
		       (c->curve == CRYPTO_P256 ? NID_X9_62_prime256v1 : NID_brainpoolP256r1);
}

static inline bool same_signature(X509 *x, const struct pki_cert *c)
{
	const ASN1_BIT_STRING *bits;
	const X509_ALGOR *outer;
	uint8_t raw[64];

	X509_get0_signature(&bits, &outer, x);
	const uint8_t *p = ASN1_STRING_get0_data(bits);
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, ASN1_STRING_length(bits));
	bool same = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32) == 32 &&
		    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32) == 32 &&
		    memcmp(raw, c->signature, 64) == 0 &&
		    X509_ALGOR_cmp(outer, X509_get0_tbs_sigalg(x)) == 0 &&
		    X509_get_signature_nid(x) == NID_ecdsa_with_SHA256;

	ECDSA_SIG_free(sig);
	return same;
}

static inline bool same_serial(X509 *x, const struct pki_cert *c)
{
	BIGNUM *bn = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
	BIGNUM *ours = BN_bin2bn(c->serial.p, (int)c->serial.n, NULL);
	bool same = !BN_is_negative(bn) && BN_cmp(bn, ours) == 0 &&
		    (c->serial.n == 1 || c->serial.p[0] != 0);

	BN_free(bn);
	BN_free(ours);
	return same;
}

static inline bool same_key_usage(X509 *x, const struct pki_cert *c)
{
	ASN1_BIT_STRING *bits = X509_get_ext_d2i(x, NID_key_usage, NULL, NULL);
	bool same = c->has_key_usage == (bits != NULL);

	for (int i = 0; bits && i < 16; i++)
		same = same && ASN1_BIT_STRING_get_bit(bits, i) == (c->key_usage >> i & 1);
	ASN1_BIT_STRING_free(bits);
	return same;
}

static inline bool same_basic_constraints(X509 *x, const struct pki_cert *c)
{
	BASIC_CONSTRAINTS *bc = X509_get_ext_d2i(x, NID_basic_constraints, NULL, NULL);
	bool same = c->has_basic_constraints == (bc != NULL);

	if (bc)
		same = same && c->ca == (bc->ca != 0) &&
		       (bc->pathlen ? ASN1_INTEGER_get(bc->pathlen) == c->path_length
				    : c->path_length == PKI_PATHLEN_NONE);
	BASIC_CONSTRAINTS_free(bc);
	return same;
}

static inline bool same_key_ids(X509 *x, const struct pki_cert *c)
{
	ASN1_OCTET_STRING *ski = X509_get_ext_d2i(x, NID_subject_key_identifier, NULL, NULL);
	AUTHORITY_KEYID *aki = X509_get_ext_d2i(x, NID_authority_key_identifier, NULL, NULL);
	bool present = X509_get_ext_by_NID(x, NID_authority_key_identifier, -1) >= 0;
	/* The GeneralNames that may follow the key identifier are not read here. */
	bool same = same_asn1_string(ski, c->ski) &&
		    (present && !aki ? true : same_asn1_string(aki ? aki->keyid : NULL, c->aki));

	ASN1_OCTET_STRING_free(ski);
	AUTHORITY_KEYID_free(aki);
	return same;
}

static inline uint16_t policy_bit(const ASN1_OBJECT *o)
{
	static const struct {
		const char *text;
		uint16_t bit;
	} known[] = {
		{"2.23.146.1.2.1.0", PKI_POLICY_CI},
		{"2.23.146.1.2.1.1", PKI_POLICY_EUICC_O},
		{"2.23.146.1.2.1.2", PKI_POLICY_EUM_O},
		{"2.23.146.1.2.1.0.0.0", PKI_POLICY_EUM_V3},
		{"2.23.146.1.2.1.0.0.0.0", PKI_POLICY_SUBCA_V3},
		{"2.23.146.1.2.1.0.0.0.0.0", PKI_POLICY_EUICC_V3},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (same_object(o, known[i].text))
			return known[i].bit;
	return PKI_POLICY_OTHER;
}

static inline bool same_policies(X509 *x, const struct pki_cert *c)
{
	CERTIFICATEPOLICIES *policies = X509_get_ext_d2i(x, NID_certificate_policies, NULL, NULL);
	bool present = X509_get_ext_by_NID(x, NID_certificate_policies, -1) >= 0;
	uint16_t bits = 0;

	/* Qualifiers are not read here. */
	if (present && !policies)
		return true;
	for (int i = 0; i < sk_POLICYINFO_num(policies); i++)
		bits |= policy_bit(sk_POLICYINFO_value(policies, i)->policyid);
	CERTIFICATEPOLICIES_free(policies);
	return bits == c->policies;
}

static inline bool same_name_constraint(X509 *x, const struct pki_cert *c)
{
	NAME_CONSTRAINTS *nc = X509_get_ext_d2i(x, NID_name_constraints, NULL, NULL);
	bool same = c->has_name_constraint == (nc != NULL);

	if (same && nc) {
		const GENERAL_SUBTREE *s =
			sk_GENERAL_SUBTREE_num(nc->permittedSubtrees) == 1
				? sk_GENERAL_SUBTREE_value(nc->permittedSubtrees, 0)
				: NULL;

		same = s && !nc->excludedSubtrees && s->base->type == GEN_DIRNAME &&
		       same_attribute(s->base->d.directoryName, NID_organizationName,
				      c->permitted_o) &&
		       same_attribute(s->base->d.directoryName, NID_serialNumber,
				      c->permitted_serial);
	}
	NAME_CONSTRAINTS_free(nc);
	return same;
}

static inline bool same_permitted_eins(X509 *x, const struct pki_cert *c)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(OID_PERMITTED_EINS_TEXT, 1);
	int at = X509_get_ext_by_OBJ(x, oid, -1);
	bool same = c->has_permitted_eins == (at >= 0);

	ASN1_OBJECT_free(oid);
	if (same && at >= 0) {
		const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(x, at));
		const uint8_t *p = ASN1_STRING_get0_data(value);
		ASN1_SEQUENCE_ANY *list =
			d2i_ASN1_SEQUENCE_ANY(NULL, &p, ASN1_STRING_length(value));

		same = list && sk_ASN1_TYPE_num(list) == c->n_permitted_eins;
		for (int i = 0; same && i < c->n_permitted_eins; i++)
			same = same_asn1_string(sk_ASN1_TYPE_value(list, i)->value.asn1_string,
						c->permitted_eins[i]);
		sk_ASN1_TYPE_pop_free(list, ASN1_TYPE_free);
	}
	return same;
}

/* Every extension at most once, and the critical ones are among those that are understood. */
static inline bool extensions_allowed(X509 *x)
{
	for (int i = 0; i < X509_get_ext_count(x); i++) {
		X509_EXTENSION *e = X509_get_ext(x, i);
		ASN1_OBJECT *o = X509_EXTENSION_get_object(e);

		if (X509_get_ext_by_OBJ(x, o, i) >= 0)
			return false;
		if (!X509_EXTENSION_get_critical(e))
			continue;
		switch (OBJ_obj2nid(o)) {
		case NID_subject_key_identifier:
		case NID_key_usage:
		case NID_subject_alt_name:
		case NID_basic_constraints:
		case NID_name_constraints:
		case NID_crl_distribution_points:
		case NID_certificate_policies:
		case NID_authority_key_identifier:
			break;
		default:
			if (!same_object(o, OID_PERMITTED_EINS_TEXT))
				return false;
		}
	}
	return true;
}

static inline bool same_eid(X509 *x, const struct pki_cert *c)
{
	char digits[33];

	for (unsigned int i = 0; i < 32; i++)
		digits[i] = (char)('0' + (c->eid[i / 2] >> (i & 1 ? 0 : 4) & 0x0f));
	return !c->has_eid ||
	       same_attribute(X509_get_subject_name(x), NID_serialNumber, span_make(digits, 32));
}

/* What OpenSSL sees differently in a certificate that our decoder has accepted; NULL: nothing. */
static inline const char *openssl_disagrees(const struct pki_cert *c, struct span der)
{
	const uint8_t *p = der.p;
	X509 *x = d2i_X509(NULL, &p, (long)der.n);
	uint8_t *tbs = NULL;
	const char *what = NULL;

	if (!x)
		return "decoding";
	int n = i2d_re_X509_tbs(x, &tbs);

#define SAME(name, condition)      \
	if (!what && !(condition)) \
	what = name
	SAME("tbs", same_encoding(tbs, n, c->tbs));
	SAME("length", p == der.p + der.n && span_equal(c->der, der));
	SAME("version", X509_get_version(x) == X509_VERSION_3);
	SAME("serial", same_serial(x, c));
	SAME("issuer", same_name(X509_get_issuer_name(x), c->issuer));
	SAME("subject", same_name(X509_get_subject_name(x), c->subject));
	SAME("O", same_attribute(X509_get_subject_name(x), NID_organizationName, c->subject_o));
	SAME("serialNumber",
	     same_attribute(X509_get_subject_name(x), NID_serialNumber, c->subject_serial));
	SAME("EID", same_eid(x, c));
	SAME("notBefore", same_time(X509_get0_notBefore(x), c->not_before));
	SAME("notAfter", same_time(X509_get0_notAfter(x), c->not_after));
	SAME("public key", same_key(x, c));
	SAME("signature", same_signature(x, c));
	SAME("extensions", extensions_allowed(x));
	SAME("keyUsage", same_key_usage(x, c));
	SAME("basicConstraints", same_basic_constraints(x, c));
	SAME("key identifiers", same_key_ids(x, c));
	SAME("policies", same_policies(x, c));
	SAME("nameConstraints", same_name_constraint(x, c));
	SAME("permittedEins", same_permitted_eins(x, c));
#undef SAME
	X509_free(x);
	return what;
}

#endif
