/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The certificate decoder. One function an element of RFC 5280's Certificate, in its order.
 */
#include "pki/der.h"
#include "pki/pki.h"

enum {
	EXTENSIONS_MAX = 20,
	POLICIES_MAX = 8,
	NAME_ATTRIBUTES_MAX = 12,
	SUBTREES_MAX = 4,
	SERIAL_MAX = 20,
	TAG_VERSION = 0xa0,
	TAG_EXTENSIONS = 0xa3,
	TAG_KEY_ID = 0x80,
	TAG_AUTHORITY_ISSUER = 0xa1,
	TAG_AUTHORITY_SERIAL = 0x82,
	TAG_PERMITTED = 0xa0,
	TAG_DIRECTORY_NAME = 0xa4,
};

static const uint8_t GSMA_POLICY[] = {0x67, 0x81, 0x12, 0x01, 0x02, 0x01};
#define OID_EC_PUBLIC_KEY  "\x2a\x86\x48\xce\x3d\x02\x01"
#define OID_P256	   "\x2a\x86\x48\xce\x3d\x03\x01\x07"
#define OID_BRAINPOOL	   "\x2b\x24\x03\x03\x02\x08\x01\x01\x07"
#define OID_PERMITTED_EINS "\x67\x81\x12\x01\x02\x02\x00"
#define OID_ORGANISATION   "\x55\x04\x0a"
#define OID_SERIAL_NUMBER  "\x55\x04\x05"

static const struct {
	const char *name, *text;
} errors[PKI_ERROR_N] = {
#define X(symbol, name, text) [PKI_##symbol] = {name, text},
	PKI_ERRORS(X)
#undef X
};

const char *pki_error_name(enum pki_error e)
{
	return e < PKI_ERROR_N ? errors[e].name : "?";
}

const char *pki_error_text(enum pki_error e)
{
	return e < PKI_ERROR_N ? errors[e].text : "?";
}

/* AlgorithmIdentifier { ecdsa-with-SHA256 }, without parameters (RFC 5758 3.2). */
static enum pki_error parse_signature_algorithm(struct span *rest)
{
	struct span algorithm, oid;

	if (!der_expect(rest, DER_SEQUENCE, &algorithm) || !der_oid(&algorithm, &oid))
		return PKI_MALFORMED;
	if (!DER_IS(oid, DER_OID_ECDSA_SHA256))
		return PKI_UNSUPPORTED;
	return algorithm.n == 0 ? PKI_OK : PKI_MALFORMED;
}

static enum pki_error parse_public_key(struct pki_cert *c, struct span *rest)
{
	struct span info, algorithm, oid, curve, bits;

	if (!der_expect(rest, DER_SEQUENCE, &info) ||
	    !der_expect(&info, DER_SEQUENCE, &algorithm) || !der_oid(&algorithm, &oid))
		return PKI_MALFORMED;
	/* Another algorithm, or a curve given by its parameters instead of its name. */
	if (!DER_IS(oid, OID_EC_PUBLIC_KEY) || algorithm.n == 0 || algorithm.p[0] != DER_OID)
		return PKI_CURVE;
	if (!der_oid(&algorithm, &curve) || algorithm.n != 0)
		return PKI_MALFORMED;
	if (DER_IS(curve, OID_P256))
		c->curve = CRYPTO_P256;
	else if (DER_IS(curve, OID_BRAINPOOL))
		c->curve = CRYPTO_BRAINPOOLP256R1;
	else
		return PKI_CURVE;
	if (!der_expect(&info, DER_BIT_STRING, &bits) || info.n != 0)
		return PKI_MALFORMED;
	/* Uncompressed points alone: 00 (no unused bits), 04, X, Y. */
	if (bits.n != 66 || bits.p[0] != 0 || bits.p[1] != 0x04)
		return PKI_KEY;
	c->public_key = bits.p + 2;
	return PKI_OK;
}

/* What counts of a Name. n = 0: absent. */
struct name {
	struct span organisation, serial_number;
	bool others; /* has further attributes */
};

/* False: malformed, or O or serialNumber twice. */
static bool parse_name(struct span value, struct name *out)
{
	unsigned int n = 0;

	memset(out, 0, sizeof(*out));
	while (value.n > 0) {
		struct span set, attribute, oid, text, *wanted;

		if (!der_expect(&value, DER_SET, &set) || set.n == 0)
			return false;
		while (set.n > 0) {
			if (++n > NAME_ATTRIBUTES_MAX ||
			    !der_expect(&set, DER_SEQUENCE, &attribute) ||
			    !der_oid(&attribute, &oid) || !der_text(&attribute, &text) ||
			    attribute.n != 0)
				return false;
			if (DER_IS(oid, OID_ORGANISATION))
				wanted = &out->organisation;
			else if (DER_IS(oid, OID_SERIAL_NUMBER))
				wanted = &out->serial_number;
			else
				wanted = NULL;
			if (wanted && wanted->n != 0)
				return false;
			if (wanted)
				*wanted = text;
			else
				out->others = true;
		}
	}
	return true;
}

static void parse_eid(struct pki_cert *c)
{
	c->has_eid = c->subject_serial.n == 32;
	for (unsigned int i = 0; c->has_eid && i < 32; i++) {
		uint8_t digit = (uint8_t)(c->subject_serial.p[i] - '0');

		c->has_eid = digit <= 9;
		c->eid[i / 2] = (uint8_t)(c->eid[i / 2] << 4 | digit);
	}
}

/* ---------------------------------------------------------------- extensions */

static bool parse_key_usage(struct pki_cert *c, struct span v)
{
	struct span bits;

	if (!der_expect(&v, DER_BIT_STRING, &bits) || v.n != 0 || bits.n < 2 || bits.n > 3 ||
	    bits.p[0] > 7)
		return false;
	/* DER: no trailing zero bits, and the unused ones are zero. The ninth bit is the last. */
	uint8_t last = bits.p[bits.n - 1];

	if (last == 0 || (last & ((1u << bits.p[0]) - 1)) != 0 || !(last & (1u << bits.p[0])))
		return false;
	if (bits.n == 3 && last != 0x80)
		return false;
	for (unsigned int i = 0; i < 8; i++)
		if (bits.p[1] & (0x80 >> i))
			c->key_usage |= (uint16_t)(1u << i);
	if (bits.n == 3)
		c->key_usage |= 1u << 8;
	c->has_key_usage = true;
	return true;
}

static bool parse_basic_constraints(struct pki_cert *c, struct span v)
{
	struct span sequence, value;
	bool present;

	if (!der_expect(&v, DER_SEQUENCE, &sequence) || v.n != 0 ||
	    !der_optional(&sequence, DER_BOOLEAN, &value, &present))
		return false;
	/* DER does not write a default: cA FALSE is not there at all. */
	if (present && (value.n != 1 || value.p[0] != 0xff))
		return false;
	c->ca = present;
	c->path_length = PKI_PATHLEN_NONE;
	if (sequence.n > 0) {
		if (!c->ca || !der_positive(&sequence, &value) || value.n != 1 || sequence.n != 0 ||
		    value.p[0] == PKI_PATHLEN_NONE)
			return false;
		c->path_length = value.p[0];
	}
	c->has_basic_constraints = true;
	return true;
}

static uint16_t policy_of(struct span oid)
{
	static const uint8_t zeros[5];

	if (oid.n <= sizeof(GSMA_POLICY) || memcmp(oid.p, GSMA_POLICY, sizeof(GSMA_POLICY)) != 0)
		return PKI_POLICY_OTHER;
	const uint8_t *arcs = oid.p + sizeof(GSMA_POLICY);
	size_t n = oid.n - sizeof(GSMA_POLICY);

	if (n == 1)
		return arcs[0] == 0   ? PKI_POLICY_CI
		       : arcs[0] == 1 ? PKI_POLICY_EUICC_O
		       : arcs[0] == 2 ? PKI_POLICY_EUM_O
				      : PKI_POLICY_OTHER;
	if (n > 5 || memcmp(arcs, zeros, n) != 0)
		return PKI_POLICY_OTHER;
	return n == 3	? PKI_POLICY_EUM_V3
	       : n == 4 ? PKI_POLICY_SUBCA_V3
	       : n == 5 ? PKI_POLICY_EUICC_V3
			: PKI_POLICY_OTHER;
}

/* Qualifiers (a CPS pointer, a notice to users) are for people: they are skipped. */
static bool parse_policies(struct pki_cert *c, struct span v)
{
	struct span sequence, information, qualifiers, seen[POLICIES_MAX];
	bool present;

	if (!der_expect(&v, DER_SEQUENCE, &sequence) || v.n != 0 || sequence.n == 0)
		return false;
	for (unsigned int n = 0; sequence.n > 0; n++) {
		if (n == POLICIES_MAX || !der_expect(&sequence, DER_SEQUENCE, &information) ||
		    !der_oid(&information, &seen[n]) ||
		    !der_optional(&information, DER_SEQUENCE, &qualifiers, &present) ||
		    information.n != 0)
			return false;
		for (unsigned int i = 0; i < n; i++)
			if (span_equal(seen[i], seen[n]))
				return false;
		c->policies |= policy_of(seen[n]);
	}
	return true;
}

/* permittedSubtrees with one directoryName of O and serialNumber is what GSMA uses; excluded
 * subtrees, other name forms and other attributes are refused, as ignoring them would widen what
 * the issuer may do. */
static enum pki_error parse_name_constraints(struct pki_cert *c, struct span v)
{
	struct span sequence, subtrees, subtree, directory, value;
	struct name name;

	if (!der_expect(&v, DER_SEQUENCE, &sequence) || v.n != 0)
		return PKI_MALFORMED;
	if (sequence.n == 0 || sequence.p[0] != TAG_PERMITTED)
		return PKI_UNSUPPORTED;
	if (!der_expect(&sequence, TAG_PERMITTED, &subtrees))
		return PKI_MALFORMED;
	if (sequence.n != 0)
		return PKI_UNSUPPORTED;
	if (!der_expect(&subtrees, DER_SEQUENCE, &subtree))
		return PKI_MALFORMED;
	if (subtrees.n != 0 || subtree.n == 0 || subtree.p[0] != TAG_DIRECTORY_NAME)
		return PKI_UNSUPPORTED;
	if (!der_expect(&subtree, TAG_DIRECTORY_NAME, &directory) || subtree.n != 0 ||
	    !der_expect(&directory, DER_SEQUENCE, &value) || directory.n != 0 ||
	    !parse_name(value, &name))
		return PKI_MALFORMED;
	if (name.others)
		return PKI_UNSUPPORTED;
	c->permitted_o = name.organisation;
	c->permitted_serial = name.serial_number;
	c->has_name_constraint = true;
	return PKI_OK;
}

/* PermittedEins ::= SEQUENCE OF PrintableString (UTF8String and IA5String are taken too): at most
 * PKI_EINS_MAX prefixes of 1 to 32 digits. */
static bool parse_permitted_eins(struct pki_cert *c, struct span v)
{
	struct span sequence;

	if (!der_expect(&v, DER_SEQUENCE, &sequence) || v.n != 0 || sequence.n == 0)
		return false;
	while (sequence.n > 0) {
		struct span ein;

		if (c->n_permitted_eins == PKI_EINS_MAX || !der_text(&sequence, &ein) || ein.n > 32)
			return false;
		for (size_t i = 0; i < ein.n; i++)
			if (ein.p[i] < '0' || ein.p[i] > '9')
				return false;
		c->permitted_eins[c->n_permitted_eins++] = ein;
	}
	c->has_permitted_eins = true;
	return true;
}

static bool parse_authority_key_id(struct pki_cert *c, struct span v)
{
	struct span sequence, unused;
	bool present, has_issuer, has_serial;

	/* authorityCertIssuer and its serial number may follow, both or none; the key identifier is
	 * what counts. */
	return der_expect(&v, DER_SEQUENCE, &sequence) && v.n == 0 &&
	       der_optional(&sequence, TAG_KEY_ID, &c->aki, &present) &&
	       present == (c->aki.n > 0) &&
	       der_optional(&sequence, TAG_AUTHORITY_ISSUER, &unused, &has_issuer) &&
	       der_optional(&sequence, TAG_AUTHORITY_SERIAL, &unused, &has_serial) &&
	       has_issuer == has_serial && sequence.n == 0;
}

enum extension {
	EXT_SKI,
	EXT_KEY_USAGE,
	EXT_SAN,
	EXT_BASIC_CONSTRAINTS,
	EXT_NAME_CONSTRAINTS,
	EXT_CRL_POINTS,
	EXT_POLICIES,
	EXT_AKI,
	EXT_EXTENDED_KEY_USAGE,
	EXT_PERMITTED_EINS,
	EXT_UNKNOWN,
};

static enum extension extension_of(struct span oid)
{
	if (DER_IS(oid, OID_PERMITTED_EINS))
		return EXT_PERMITTED_EINS;
	if (oid.n != 3 || oid.p[0] != 0x55 || oid.p[1] != 0x1d)
		return EXT_UNKNOWN;
	switch (oid.p[2]) {
	case 14:
		return EXT_SKI;
	case 15:
		return EXT_KEY_USAGE;
	case 17:
		return EXT_SAN;
	case 19:
		return EXT_BASIC_CONSTRAINTS;
	case 30:
		return EXT_NAME_CONSTRAINTS;
	case 31:
		return EXT_CRL_POINTS;
	case 32:
		return EXT_POLICIES;
	case 35:
		return EXT_AKI;
	case 37:
		return EXT_EXTENDED_KEY_USAGE;
	default:
		return EXT_UNKNOWN;
	}
}

static enum pki_error parse_extension_value(struct pki_cert *c, enum extension extension,
					    bool critical, struct span v)
{
	switch (extension) {
	case EXT_SKI:
		return der_expect(&v, DER_OCTET_STRING, &c->ski) && c->ski.n > 0 && v.n == 0
			       ? PKI_OK
			       : PKI_MALFORMED;
	case EXT_KEY_USAGE:
		return parse_key_usage(c, v) ? PKI_OK : PKI_MALFORMED;
	case EXT_BASIC_CONSTRAINTS:
		return parse_basic_constraints(c, v) ? PKI_OK : PKI_MALFORMED;
	case EXT_NAME_CONSTRAINTS:
		return parse_name_constraints(c, v);
	case EXT_POLICIES:
		return parse_policies(c, v) ? PKI_OK : PKI_MALFORMED;
	case EXT_AKI:
		return parse_authority_key_id(c, v) ? PKI_OK : PKI_MALFORMED;
	case EXT_PERMITTED_EINS:
		return parse_permitted_eins(c, v) ? PKI_OK : PKI_MALFORMED;
	case EXT_SAN:
	case EXT_CRL_POINTS:
		/* Nothing here depends on them; GSMA's SAN is a registered ID. */
		return PKI_OK;
	default:
		return critical ? PKI_UNSUPPORTED : PKI_OK;
	}
}

static enum pki_error parse_extensions(struct pki_cert *c, struct span *rest)
{
	struct span outer, list, seen[EXTENSIONS_MAX];

	if (!der_expect(rest, TAG_EXTENSIONS, &outer) || !der_expect(&outer, DER_SEQUENCE, &list) ||
	    outer.n != 0 || list.n == 0)
		return PKI_MALFORMED;
	for (unsigned int n = 0; list.n > 0; n++) {
		struct span oid, value;
		bool critical;

		if (n == EXTENSIONS_MAX || !der_extension(&list, &oid, &critical, &value))
			return PKI_MALFORMED;
		for (unsigned int i = 0; i < n; i++)
			if (span_equal(seen[i], oid))
				return PKI_MALFORMED;
		seen[n] = oid;
		enum pki_error e = parse_extension_value(c, extension_of(oid), critical, value);

		if (e != PKI_OK)
			return e;
	}
	return PKI_OK;
}

/* ---------------------------------------------------------------- the whole */

static enum pki_error parse_tbs(struct pki_cert *c, struct span tbs)
{
	struct span version, number, issuer, validity, subject;
	struct name name;
	uint8_t tag;

	if (!der_expect(&tbs, TAG_VERSION, &version) ||
	    !der_expect(&version, DER_INTEGER, &number) || version.n != 0 || number.n != 1 ||
	    number.p[0] != 2)
		return PKI_MALFORMED;
	if (!der_positive(&tbs, &c->serial) || c->serial.n > SERIAL_MAX)
		return PKI_MALFORMED;
	enum pki_error e = parse_signature_algorithm(&tbs);

	if (e != PKI_OK)
		return e;
	if (!der_next(&tbs, &tag, &issuer, &c->issuer) || tag != DER_SEQUENCE ||
	    !parse_name(issuer, &name))
		return PKI_MALFORMED;
	if (!der_expect(&tbs, DER_SEQUENCE, &validity) || !der_time(&validity, &c->not_before) ||
	    !der_time(&validity, &c->not_after) || validity.n != 0)
		return PKI_MALFORMED;
	if (!der_next(&tbs, &tag, &subject, &c->subject) || tag != DER_SEQUENCE ||
	    !parse_name(subject, &name))
		return PKI_MALFORMED;
	c->subject_o = name.organisation;
	c->subject_serial = name.serial_number;
	parse_eid(c);
	e = parse_public_key(c, &tbs);
	if (e != PKI_OK)
		return e;
	e = parse_extensions(c, &tbs);
	if (e != PKI_OK)
		return e;
	return tbs.n == 0 ? PKI_OK : PKI_MALFORMED;
}

enum pki_error pki_cert_parse(struct pki_cert *out, struct span der)
{
	struct span whole = der, certificate, tbs, bits;
	uint8_t tag;

	memset(out, 0, sizeof(*out));
	out->der = der;
	if (!der_expect(&whole, DER_SEQUENCE, &certificate) || whole.n != 0 ||
	    !der_next(&certificate, &tag, &tbs, &out->tbs) || tag != DER_SEQUENCE)
		return PKI_MALFORMED;
	enum pki_error e = parse_tbs(out, tbs);

	if (e == PKI_OK)
		e = parse_signature_algorithm(&certificate);
	if (e != PKI_OK)
		return e;
	if (!der_expect(&certificate, DER_BIT_STRING, &bits) || certificate.n != 0 || bits.n < 1 ||
	    bits.p[0] != 0 || !der_signature(span_make(bits.p + 1, bits.n - 1), out->signature))
		return PKI_MALFORMED;
	return PKI_OK;
}
