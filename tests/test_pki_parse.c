/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The certificate decoder: agrees with OpenSSL on GSMA's own certificates (SGP.26, from
 * CPAU_TESTDATA), refuses what breaks one rule of DER or of the profile, and survives every
 * truncation and every changed octet. Certificates that break a rule are put together here, as no
 * library would write them; the decoder does not verify signatures, so theirs are made up.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "pki/trust.h"
#include "pki_openssl.h"

/* ---------------------------------------------------------------- GSMA's certificates */

static const char *const official[] = {
	"CertificateIssuer/CERT_CI_ECDSA_NIST.der",
	"CertificateIssuer/CERT_CI_ECDSA_BRP.der",
	"EUM/CERT_EUM_ECDSA_NIST.der",
	"EUM/CERT_EUM_ECDSA_BRP.der",
	"eUICC/CERT_EUICC_ECDSA_NIST.der",
	"eUICC/CERT_EUICC_ECDSA_BRP.der",
};
enum { OFFICIAL_N = sizeof(official) / sizeof(official[0]), EUM_NIST = 2, EUICC_NIST = 4 };

static struct span read_official(unsigned int i)
{
	const char *data = getenv("CPAU_TESTDATA");
	char path[512];
	size_t n;

	if (!data)
		cr_skip_test("CPAU_TESTDATA is not set: no SGP.26 certificates");
	snprintf(path, sizeof(path), "%s/sgp26/%s", data, official[i]);
	uint8_t *der = pki_file_read(path, &n);

	if (!der)
		cr_skip_test("%s cannot be read", path);
	return span_make(der, n);
}

static void span_free(struct span s)
{
	free((void *)(uintptr_t)s.p);
}

#define TEXT(literal) span_make(literal, sizeof(literal) - 1)

Test(sgp26, every_field_agrees_with_openssl)
{
	for (unsigned int i = 0; i < OFFICIAL_N; i++) {
		struct span der = read_official(i);
		struct pki_cert c;

		cr_assert_eq(pki_cert_parse(&c, der), PKI_OK, "%s", official[i]);
		const char *what = openssl_disagrees(&c, der);

		cr_expect_null(what, "%s: %s", official[i], what);
		span_free(der);
	}
}

Test(sgp26, eum_carries_its_name_constraint)
{
	struct span der = read_official(EUM_NIST);
	struct pki_cert c;

	cr_assert_eq(pki_cert_parse(&c, der), PKI_OK);
	cr_expect(c.has_name_constraint && !c.has_permitted_eins);
	cr_expect(span_equal(c.permitted_o, TEXT("RSP Test EUM")));
	cr_expect(span_equal(c.permitted_serial, TEXT("89049032")));
	cr_expect_eq(c.key_usage, PKI_USAGE_KEY_CERT_SIGN);
	cr_expect_eq(c.policies, PKI_POLICY_EUM_O);
	cr_expect(c.ca && c.path_length == 0);
	span_free(der);
}

Test(sgp26, euicc_lasts_to_the_year_7496_and_carries_its_eid)
{
	static const uint8_t eid[16] = {0x89, 0x04, 0x90, 0x32, 0x12, 0x34, 0x51, 0x23,
					0x45, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x35};
	struct span der = read_official(EUICC_NIST);
	struct pki_cert c;

	cr_assert_eq(pki_cert_parse(&c, der), PKI_OK);
	cr_expect(c.has_eid);
	cr_expect_arr_eq(c.eid, eid, 16);
	cr_expect_eq(c.not_after, INT64_C(174385734538)); /* 7496-01-24 09:48:58 UTC */
	cr_expect(!c.has_basic_constraints && !c.ca);
	cr_expect_eq(c.key_usage, PKI_USAGE_DIGITAL_SIGNATURE);
	span_free(der);
}

Test(sgp26, every_truncation_is_refused)
{
	for (unsigned int i = 0; i < OFFICIAL_N; i++) {
		struct span der = read_official(i);

		for (size_t n = 0; n < der.n; n++) {
			/* Of exactly this size, so that AddressSanitizer sees an octet too many. */
			uint8_t *copy = malloc(n ? n : 1);
			struct pki_cert c;

			memcpy(copy, der.p, n);
			cr_assert_eq(pki_cert_parse(&c, span_make(copy, n)), PKI_MALFORMED,
				     "%s cut to %zu", official[i], n);
			free(copy);
		}
		span_free(der);
	}
}

Test(sgp26, every_changed_octet_is_refused_or_read_as_openssl_reads_it, .timeout = 200)
{
	for (unsigned int i = 0; i < OFFICIAL_N; i++) {
		struct span der = read_official(i);
		uint8_t *copy = malloc(der.n);

		memcpy(copy, der.p, der.n);
		for (size_t at = 0; at < der.n; at++) {
			for (unsigned int bit = 0; bit < 10; bit++) {
				struct span changed = span_make(copy, der.n);
				struct pki_cert c;

				copy[at] = (uint8_t)(bit < 8	? der.p[at] ^ 1u << bit
						     : bit == 8 ? 0x00
								: 0xff);
				if (pki_cert_parse(&c, changed) != PKI_OK)
					continue;
				const char *what = openssl_disagrees(&c, changed);

				cr_assert_null(what, "%s, octet %zu = %02x: %s", official[i], at,
					       copy[at], what);
			}
			copy[at] = der.p[at];
		}
		free(copy);
		span_free(der);
	}
}

/* ---------------------------------------------------------------- put together */

/* The elements of a certificate in hex, in their order; spaces are for the reader. */
struct parts {
	const char *version, *serial, *tbs_algorithm, *issuer, *validity, *subject, *key,
		*extensions, *algorithm, *signature;
};

#define ECDSA_SHA256	   "300a 06082a8648ce3d040302"
#define NAME		   "300f 310d 300b 0603550403 0c0455534552" /* CN=USER */
#define EC_P256		   "06072a8648ce3d0201 06082a8648ce3d030107"
#define OCTETS_32	   "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
#define POINT		   "04" OCTETS_32 OCTETS_32
#define KEY_OF(algorithm_) "3059 3013" algorithm_ "0342 00" POINT
#define FROM		   "170d 3235303130313030303030305a"
#define UNTIL		   "170d 3335303130313030303030305a"
#define R		   "0220" OCTETS_32
#define SIGNATURE	   "0347 00 3044" R R
#define SKI		   "300a 0603551d0e 0403 040101"

static const struct parts good = {
	.version = "a003020102",
	.serial = "020101",
	.tbs_algorithm = ECDSA_SHA256,
	.issuer = NAME,
	.validity = "301e" FROM UNTIL,
	.subject = NAME,
	.key = KEY_OF(EC_P256),
	.extensions = SKI,
	.algorithm = ECDSA_SHA256,
	.signature = SIGNATURE,
};

struct buffer {
	size_t n;
	uint8_t octets[4096];
};

static void add_hex(struct buffer *b, const char *hex)
{
	for (; *hex; hex++) {
		unsigned int octet;

		if (*hex == ' ')
			continue;
		cr_assert_eq(sscanf(hex, "%2x", &octet), 1);
		b->octets[b->n++] = (uint8_t)octet;
		hex++;
	}
}

/* Wraps what b holds. */
static void wrap(struct buffer *b, uint8_t tag)
{
	uint8_t header[4] = {tag};
	size_t n = 2;

	if (b->n < 0x80) {
		header[1] = (uint8_t)b->n;
	} else if (b->n < 0x100) {
		header[1] = 0x81;
		header[n++] = (uint8_t)b->n;
	} else {
		header[1] = 0x82;
		store_be16(header + 2, (uint16_t)b->n);
		n = 4;
	}
	memmove(b->octets + n, b->octets, b->n);
	memcpy(b->octets, header, n);
	b->n += n;
}

static void add_buffer(struct buffer *b, const struct buffer *other)
{
	memcpy(b->octets + b->n, other->octets, other->n);
	b->n += other->n;
}

static void build(struct buffer *b, const struct parts *p)
{
	struct buffer extensions = {0};

	b->n = 0;
	add_hex(b, p->version);
	add_hex(b, p->serial);
	add_hex(b, p->tbs_algorithm);
	add_hex(b, p->issuer);
	add_hex(b, p->validity);
	add_hex(b, p->subject);
	add_hex(b, p->key);
	if (p->extensions) {
		add_hex(&extensions, p->extensions);
		wrap(&extensions, 0x30);
		wrap(&extensions, 0xa3);
		add_buffer(b, &extensions);
	}
	wrap(b, 0x30);
	add_hex(b, p->algorithm);
	add_hex(b, p->signature);
	wrap(b, 0x30);
}

/* Parses; what is accepted must agree with OpenSSL. */
static enum pki_error parse(struct pki_cert *c, struct buffer *b, const struct parts *p)
{
	build(b, p);
	enum pki_error e = pki_cert_parse(c, span_make(b->octets, b->n));

	if (e == PKI_OK) {
		const char *what = openssl_disagrees(c, c->der);

		cr_expect_null(what, "OpenSSL disagrees: %s", what);
	}
	return e;
}

/* Whether the elements nest, also within extensions and the signature: what a variation breaks is a
 * rule and not the sum of its lengths. */
static bool nests(const uint8_t *p, size_t n, bool within_octets)
{
	while (n > 0) {
		size_t length, header = 2;

		if (n < 2)
			return false;
		length = p[1];
		if (length > 0x80) {
			header += length & 0x7f;
			length = 0;
			for (size_t i = 2; i < header && i < n; i++)
				length = length << 8 | p[i];
		}
		if (header > n || length > n - header)
			return false;
		const uint8_t *v = p + header;

		if (p[0] & 0x20 && !nests(v, length, within_octets))
			return false;
		if (p[0] == 0x04 && !within_octets && !nests(v, length, true))
			return false;
		if (p[0] == 0x03 && length > 1 && v[1] == 0x30 && !nests(v + 1, length - 1, true))
			return false;
		p += header + length;
		n -= header + length;
	}
	return true;
}

static void expect(const struct parts *p, enum pki_error error, const char *what)
{
	struct buffer b;
	struct pki_cert c;
	enum pki_error e = parse(&c, &b, p);

	cr_expect(nests(b.octets, b.n, false), "%s: lengths", what);
	cr_expect_eq(e, error, "%s: %s", what, pki_error_name(e));
}

struct variation {
	const char *what, *hex;
	enum pki_error error;
};

/* Every variation of one element of the good certificate. */
#define EXPECT_EACH(member, table)                                              \
	for (size_t row = 0; row < sizeof(table) / sizeof((table)[0]); row++) { \
		struct parts p = good;                                          \
                                                                                \
		p.member = (table)[row].hex;                                    \
		expect(&p, (table)[row].error, (table)[row].what);              \
	}

Test(parse, certificate_that_the_others_vary_is_good)
{
	expect(&good, PKI_OK, "good");
}

Test(parse, version_is_3)
{
	static const struct variation table[] = {
		{"absent, which is version 1", "", PKI_MALFORMED},
		{"version 1, a default that is written", "a003020100", PKI_MALFORMED},
		{"version 2", "a003020101", PKI_MALFORMED},
		{"version 4", "a003020103", PKI_MALFORMED},
		{"two integers", "a006020102020102", PKI_MALFORMED},
	};

	EXPECT_EACH(version, table)
}

Test(parse, serial_number_is_positive_minimal_and_at_most_20_octets)
{
	static const struct variation table[] = {
		{"negative", "020180", PKI_MALFORMED},
		{"padded", "02020001", PKI_MALFORMED},
		{"empty", "0200", PKI_MALFORMED},
		{"21 octets", "0215 0102030405060708090a0b0c0d0e0f101112131415", PKI_MALFORMED},
		{"an octet string", "04020500", PKI_MALFORMED},
		{"16 octets", "0210 4142434445464748494a4b4c4d4e4f50", PKI_OK},
		{"20 octets and the zero that makes them positive",
		 "0215 00 ffeeddccbbaa99887766554433221100ffeeddcc", PKI_OK},
	};

	EXPECT_EACH(serial, table)
}

Test(parse, signature_algorithm_is_ecdsa_with_sha256_in_both_places)
{
	static const struct variation table[] = {
		{"ecdsa-with-SHA384", "300a 06082a8648ce3d040303", PKI_UNSUPPORTED},
		{"sha256WithRSAEncryption", "300d 06092a864886f70d01010b 0500", PKI_UNSUPPORTED},
		{"with parameters", "300c 06082a8648ce3d040302 0500", PKI_MALFORMED},
		{"OID not whole", "3003 0601ce", PKI_MALFORMED},
		{"no OID", "3000", PKI_MALFORMED},
	};

	EXPECT_EACH(tbs_algorithm, table)
	EXPECT_EACH(algorithm, table)
}

Test(parse, validity_is_utc_time_through_2049_and_generalized_time_after)
{
	static const struct variation table[] = {
		{"GeneralizedTime in 2050", "3020" FROM "180f 32303530303130313030303030305a",
		 PKI_OK},
		{"GeneralizedTime in 9999", "3020" FROM "180f 39393939313233313233353935395a",
		 PKI_OK},
		{"29 February 2400", "3020" FROM "180f 32343030303232393030303030305a", PKI_OK},
		{"29 February 2100", "3020" FROM "180f 32313030303232393030303030305a",
		 PKI_MALFORMED},
		{"GeneralizedTime in 2049", "3020" FROM "180f 32303439303130313030303030305a",
		 PKI_MALFORMED},
		{"year 0", "3020" FROM "180f 30303030303130313030303030305a", PKI_MALFORMED},
		{"month 13", "301e" FROM "170d 3335313330313030303030305a", PKI_MALFORMED},
		{"day 0", "301e" FROM "170d 3335303130303030303030305a", PKI_MALFORMED},
		{"hour 24", "301e" FROM "170d 3335303130313234303030305a", PKI_MALFORMED},
		{"second 60", "301e" FROM "170d 3335303130313030303036305a", PKI_MALFORMED},
		{"no seconds", "301c" FROM "170b 333530313031303030305a", PKI_MALFORMED},
		{"a time zone", "3022" FROM "1711 333530313031303030303030 2b30303030",
		 PKI_MALFORMED},
		{"fractions of a second", "3022" FROM "1811 32303530303130313030303030302e315a",
		 PKI_MALFORMED},
		{"not digits", "301e" FROM "170d 33352030313030303030305a5a", PKI_MALFORMED},
		{"one time", "300f" FROM, PKI_MALFORMED},
		{"three times", "302d" FROM UNTIL UNTIL, PKI_MALFORMED},
		{"1950", "301e 170d 3530303130313030303030305a" UNTIL, PKI_OK},
	};

	EXPECT_EACH(validity, table)
}

#define ATTRIBUTE_O	 "310b 3009 060355040a 0c024f50"
#define ATTRIBUTE_SERIAL "310b 3009 0603550405 13023132"
#define ATTRIBUTE_C	 "310b 3009 0603550406 13025553"

Test(parse, names_are_canonical_text)
{
	static const struct variation table[] = {
		{"O and serialNumber", "301a" ATTRIBUTE_O ATTRIBUTE_SERIAL, PKI_OK},
		{"empty", "3000", PKI_OK},
		{"O twice", "301a" ATTRIBUTE_O ATTRIBUTE_O, PKI_MALFORMED},
		{"serialNumber twice", "301a" ATTRIBUTE_SERIAL ATTRIBUTE_SERIAL, PKI_MALFORMED},
		{"an empty RDN", "3002 3100", PKI_MALFORMED},
		{"an empty value", "300d 310b 3009 0603550403 0c00 0c00", PKI_MALFORMED},
		{"BMPString", "300d 310b 3009 0603550403 1e020041", PKI_MALFORMED},
		{"PrintableString beyond ASCII", "300d 310b 3009 0603550403 130241e9",
		 PKI_MALFORMED},
		{"UTF8String with an accent", "300d 310b 3009 0603550403 0c02c3a9", PKI_OK},
		{"UTF8String, overlong", "300d 310b 3009 0603550403 0c02c0af", PKI_MALFORMED},
		{"UTF8String, cut", "300d 310b 3009 0603550403 0c0241c3", PKI_MALFORMED},
		{"UTF8String, a surrogate", "300e 310c 300a 0603550403 0c03eda080", PKI_MALFORMED},
		{"a constructed string", "300d 310b 3009 0603550403 2c020c00", PKI_MALFORMED},
		{"OID with a padded arc", "300d 310b 3009 0603558003 0c024f50", PKI_MALFORMED},
		{"13 attributes",
		 "3081a9" ATTRIBUTE_C ATTRIBUTE_C ATTRIBUTE_C ATTRIBUTE_C ATTRIBUTE_C ATTRIBUTE_C
			 ATTRIBUTE_C ATTRIBUTE_C ATTRIBUTE_C ATTRIBUTE_C ATTRIBUTE_C ATTRIBUTE_C
				 ATTRIBUTE_C,
		 PKI_MALFORMED},
	};

	EXPECT_EACH(subject, table)
	EXPECT_EACH(issuer, table)
}

#define NAME_WITH_SERIAL(digits32) "302b 3129 3027 0603550405 1320" digits32

Test(parse, eid_is_32_digits)
{
	struct parts p = good;
	struct pki_cert c;
	struct buffer b;

	p.subject = NAME_WITH_SERIAL(
		"3839303439303332313233343531323334353132333435363738393031323335");
	cr_assert_eq(parse(&c, &b, &p), PKI_OK);
	cr_expect(c.has_eid);
	cr_expect_eq(c.eid[15], 0x35);
	p.subject = NAME_WITH_SERIAL(
		"3839303439303332313233343531323334353132333435363738393031323341");
	cr_assert_eq(parse(&c, &b, &p), PKI_OK);
	cr_expect_not(c.has_eid, "a letter");
	p.subject = "301a" ATTRIBUTE_O ATTRIBUTE_SERIAL;
	cr_assert_eq(parse(&c, &b, &p), PKI_OK);
	cr_expect_not(c.has_eid, "two digits");
}

Test(parse, public_key_is_an_uncompressed_point_of_a_named_gsma_curve)
{
	static const struct variation table[] = {
		{"brainpoolP256r1",
		 "305a 3014 06072a8648ce3d0201 06092b2403030208010107 0342 00" POINT, PKI_OK},
		{"secp384r1", "3056 3010 06072a8648ce3d0201 06052b81040022 0342 00" POINT,
		 PKI_CURVE},
		{"RSA", "3053 300d 06092a864886f70d010101 0500 0342 00" POINT, PKI_CURVE},
		{"explicit parameters", "3054 300e 06072a8648ce3d0201 3003020101 0342 00" POINT,
		 PKI_CURVE},
		{"no parameters", "304f 3009 06072a8648ce3d0201 0342 00" POINT, PKI_CURVE},
		{"a compressed point", "3039 3013" EC_P256 "0322 00 02" OCTETS_32, PKI_KEY},
		{"a hybrid point", "3059 3013" EC_P256 "0342 00 06" OCTETS_32 OCTETS_32, PKI_KEY},
		{"infinity", "3019 3013" EC_P256 "0302 00 00", PKI_KEY},
		{"unused bits", "3059 3013" EC_P256 "0342 01" POINT, PKI_KEY},
		{"an element too many", "305b 3013" EC_P256 "0342 00" POINT "0500", PKI_MALFORMED},
		{"a parameter too many", "305b 3015" EC_P256 "0500 0342 00" POINT, PKI_MALFORMED},
	};

	EXPECT_EACH(key, table)
}

#define EXT(id, length, value_length, value) "30" length "0603551d" id "04" value_length value
#define CRITICAL(id, length, value_length, value) \
	"30" length "0603551d" id "0101ff 04" value_length value
#define UNKNOWN_EXT(arc) "3009 0603550e" arc "0402 0500"

Test(parse, extensions_are_canonical_understood_and_not_repeated)
{
	static const struct variation table[] = {
		{"an unknown one", UNKNOWN_EXT("01"), PKI_OK},
		{"an unknown critical one", "300c 0603550e01 0101ff 0402 0500", PKI_UNSUPPORTED},
		{"one twice", SKI SKI, PKI_MALFORMED},
		{"an unknown one twice", UNKNOWN_EXT("01") UNKNOWN_EXT("01"), PKI_MALFORMED},
		{"critical FALSE, a default that is written", "300c 0603550e01 010100 0402 0500",
		 PKI_MALFORMED},
		{"critical neither 00 nor ff", "300c 0603550e01 010101 0402 0500", PKI_MALFORMED},
		{"an element too many", "300b 0603550e01 0402 0500 0500", PKI_MALFORMED},
		{"none in the list", "", PKI_MALFORMED},
		{"20",
		 SKI UNKNOWN_EXT("01") UNKNOWN_EXT("02") UNKNOWN_EXT("03") UNKNOWN_EXT("04")
			 UNKNOWN_EXT("05") UNKNOWN_EXT("06") UNKNOWN_EXT("07") UNKNOWN_EXT("08")
				 UNKNOWN_EXT("09") UNKNOWN_EXT("0a") UNKNOWN_EXT("0b") UNKNOWN_EXT(
					 "0c") UNKNOWN_EXT("0d") UNKNOWN_EXT("0e") UNKNOWN_EXT("0f")
					 UNKNOWN_EXT("10") UNKNOWN_EXT("11") UNKNOWN_EXT("12")
						 UNKNOWN_EXT("13"),
		 PKI_OK},
		{"21",
		 SKI UNKNOWN_EXT("01") UNKNOWN_EXT("02") UNKNOWN_EXT("03") UNKNOWN_EXT("04")
			 UNKNOWN_EXT("05") UNKNOWN_EXT("06") UNKNOWN_EXT("07") UNKNOWN_EXT("08")
				 UNKNOWN_EXT("09") UNKNOWN_EXT("0a") UNKNOWN_EXT("0b") UNKNOWN_EXT(
					 "0c") UNKNOWN_EXT("0d") UNKNOWN_EXT("0e") UNKNOWN_EXT("0f")
					 UNKNOWN_EXT("10") UNKNOWN_EXT("11") UNKNOWN_EXT("12")
						 UNKNOWN_EXT("13") UNKNOWN_EXT("14"),
		 PKI_MALFORMED},
		{"absent", NULL, PKI_MALFORMED},
		{"extKeyUsage", EXT("25", "11", "0a", "3008 06062b0601050507"), PKI_OK},
		{"critical extKeyUsage", CRITICAL("25", "14", "0a", "3008 06062b0601050507"),
		 PKI_UNSUPPORTED},
		{"policyConstraints, critical", CRITICAL("24", "0f", "05", "3003 800100"),
		 PKI_UNSUPPORTED},
	};

	EXPECT_EACH(extensions, table)
}

Test(parse, key_usage_is_a_minimal_bit_string)
{
	static const struct variation table[] = {
		{"digitalSignature", EXT("0f", "0b", "04", "03020780"), PKI_OK},
		{"keyCertSign and cRLSign", EXT("0f", "0b", "04", "03020106"), PKI_OK},
		{"decipherOnly", EXT("0f", "0c", "05", "0303070880"), PKI_OK},
		{"a tenth bit", EXT("0f", "0c", "05", "0303060840"), PKI_MALFORMED},
		{"trailing zero bits", EXT("0f", "0b", "04", "03020080"), PKI_MALFORMED},
		{"unused bits that are set", EXT("0f", "0b", "04", "030207c0"), PKI_MALFORMED},
		{"no bits", EXT("0f", "0a", "03", "030100"), PKI_MALFORMED},
		{"an element too many", EXT("0f", "0d", "06", "03020780 0500"), PKI_MALFORMED},
	};

	EXPECT_EACH(extensions, table)
}

Test(parse, basic_constraints_write_no_default)
{
	static const struct variation table[] = {
		{"empty: no CA", EXT("13", "09", "02", "3000"), PKI_OK},
		{"CA", EXT("13", "0c", "05", "3003 0101ff"), PKI_OK},
		{"CA with a path length", EXT("13", "0f", "08", "3006 0101ff 020101"), PKI_OK},
		{"CA FALSE", EXT("13", "0c", "05", "3003 010100"), PKI_MALFORMED},
		{"a path length without CA", EXT("13", "0c", "05", "3003 020101"), PKI_MALFORMED},
		{"a negative path length", EXT("13", "0f", "08", "3006 0101ff 0201ff"),
		 PKI_MALFORMED},
		{"a path length of 256", EXT("13", "10", "09", "3007 0101ff 02020100"),
		 PKI_MALFORMED},
	};

	EXPECT_EACH(extensions, table)
}

Test(parse, key_identifiers_are_not_empty)
{
	static const struct variation table[] = {
		{"subject, empty", EXT("0e", "09", "02", "0400"), PKI_MALFORMED},
		{"authority", EXT("23", "0c", "05", "3003 800101"), PKI_OK},
		{"authority, none", EXT("23", "09", "02", "3000"), PKI_OK},
		{"authority, empty", EXT("23", "0b", "04", "3002 8000"), PKI_MALFORMED},
		{"authority, issuer and serial",
		 EXT("23", "18", "11", "300f 800101 a107 8205 612e622e63 820101"), PKI_OK},
		{"authority, issuer without serial",
		 EXT("23", "15", "0e", "300c 800101 a107 8205 612e622e63"), PKI_MALFORMED},
		{"authority, another element", EXT("23", "0e", "07", "3005 800101 0500"),
		 PKI_MALFORMED},
	};

	EXPECT_EACH(extensions, table)
}

#define POLICY(last) "3004 06022a" last

Test(parse, policies_are_bounded_and_not_repeated)
{
	static const struct variation table[] = {
		{"two", EXT("20", "15", "0e", "300c" POLICY("03") POLICY("04")), PKI_OK},
		{"the same twice", EXT("20", "15", "0e", "300c" POLICY("03") POLICY("03")),
		 PKI_MALFORMED},
		{"none", EXT("20", "09", "02", "3000"), PKI_MALFORMED},
		{"nine",
		 EXT("20", "3f", "38",
		     "3036" POLICY("01") POLICY("02") POLICY("03") POLICY("04") POLICY("05")
			     POLICY("06") POLICY("07") POLICY("08") POLICY("09")),
		 PKI_MALFORMED},
		{"an element after the qualifiers",
		 EXT("20", "11", "0a", "3008 3006 06022a03 0500"), PKI_MALFORMED},
	};

	EXPECT_EACH(extensions, table)
}

Test(parse, each_gsma_policy_is_its_tiers)
{
	static const struct {
		const char *hex;
		uint16_t policy;
	} table[] = {
		{EXT("20", "14", "0d", "300b 3009 0607 67811201020100"), PKI_POLICY_CI},
		{EXT("20", "14", "0d", "300b 3009 0607 67811201020101"), PKI_POLICY_EUICC_O},
		{EXT("20", "14", "0d", "300b 3009 0607 67811201020102"), PKI_POLICY_EUM_O},
		{EXT("20", "14", "0d", "300b 3009 0607 67811201020103"), PKI_POLICY_OTHER},
		{EXT("20", "15", "0e", "300c 300a 0608 6781120102010000"), PKI_POLICY_OTHER},
		{EXT("20", "16", "0f", "300d 300b 0609 678112010201000000"), PKI_POLICY_EUM_V3},
		{EXT("20", "17", "10", "300e 300c 060a 67811201020100000000"), PKI_POLICY_SUBCA_V3},
		{EXT("20", "18", "11", "300f 300d 060b 6781120102010000000000"),
		 PKI_POLICY_EUICC_V3},
		{EXT("20", "19", "12", "3010 300e 060c 678112010201000000000000"),
		 PKI_POLICY_OTHER},
		{EXT("20", "16", "0f", "300d 300b 0609 678112010201000001"), PKI_POLICY_OTHER},
		{EXT("20", "13", "0c", "300a 3008 0606 678112010201"), PKI_POLICY_OTHER},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct parts p = good;
		struct pki_cert c;
		struct buffer b;

		p.extensions = table[i].hex;
		cr_assert_eq(parse(&c, &b, &p), PKI_OK, "row %zu", i);
		cr_expect_eq(c.policies, table[i].policy, "row %zu: %x", i, c.policies);
	}
}

Test(parse, name_constraint_is_one_subtree_of_o_and_serial_number)
{
	static const struct variation table[] = {
		{"O and serialNumber",
		 EXT("1e", "2b", "24", "3022 a020 301e a41c 301a" ATTRIBUTE_O ATTRIBUTE_SERIAL),
		 PKI_OK},
		{"C, which would not be checked",
		 EXT("1e", "2b", "24", "3022 a020 301e a41c 301a" ATTRIBUTE_O ATTRIBUTE_C),
		 PKI_UNSUPPORTED},
		{"excluded subtrees", EXT("1e", "1e", "17", "3015 a113 3011 a40f 300d" ATTRIBUTE_O),
		 PKI_UNSUPPORTED},
		{"permitted and excluded",
		 EXT("1e", "33", "2c",
		     "302a a013 3011 a40f 300d" ATTRIBUTE_O "a113 3011 a40f 300d" ATTRIBUTE_O),
		 PKI_UNSUPPORTED},
		{"a DNS name", EXT("1e", "12", "0b", "3009 a007 3005 8203 612e62"),
		 PKI_UNSUPPORTED},
		{"two subtrees",
		 EXT("1e", "31", "2a",
		     "3028 a026 3011 a40f 300d" ATTRIBUTE_O "3011 a40f 300d" ATTRIBUTE_O),
		 PKI_UNSUPPORTED},
		{"a minimum, the default written",
		 EXT("1e", "21", "1a", "3018 a016 3014 a40f 300d" ATTRIBUTE_O "800100"),
		 PKI_MALFORMED},
		{"none", EXT("1e", "09", "02", "3000"), PKI_UNSUPPORTED},
	};

	EXPECT_EACH(extensions, table)
}

#define EINS(length, value_length, value) "30" length "0607 67811201020200 04" value_length value
#define DIGITS_8			  "3839303439303332"

Test(parse, permitted_eins_are_up_to_eight_prefixes_of_digits)
{
	static const struct variation table[] = {
		{"one", EINS("17", "0c", "300a 1308" DIGITS_8), PKI_OK},
		{"two, one in UTF8String", EINS("21", "16", "3014 1308" DIGITS_8 "0c08" DIGITS_8),
		 PKI_OK},
		{"none", EINS("0d", "02", "3000"), PKI_MALFORMED},
		{"empty", EINS("0f", "04", "3002 1300"), PKI_MALFORMED},
		{"a letter", EINS("11", "06", "3004 1302 3841"), PKI_MALFORMED},
		{"an integer", EINS("10", "05", "3003 020138"), PKI_MALFORMED},
		{"33 digits",
		 EINS("30", "25", "3023 1321" DIGITS_8 DIGITS_8 DIGITS_8 DIGITS_8 "38"),
		 PKI_MALFORMED},
		{"nine",
		 EINS("28", "1d",
		      "301b 130138 130138 130138 130138 130138 130138 130138 130138 130138"),
		 PKI_MALFORMED},
	};

	EXPECT_EACH(extensions, table)
}

Test(parse, signature_is_two_minimal_positive_integers_of_at_most_32_octets)
{
	static const struct variation table[] = {
		{"small ones", "0309 00 3006 020101 020102", PKI_OK},
		{"the zero of a high bit",
		 "0348 00 3045 0221 00 "
		 "ff17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" R,
		 PKI_OK},
		{"33 octets", "0348 00 3045 0221 01" OCTETS_32 R, PKI_MALFORMED},
		{"negative", "0309 00 3006 0201ff 020101", PKI_MALFORMED},
		{"padded", "030a 00 3007 02020001 020101", PKI_MALFORMED},
		{"one", "0306 00 3003 020101", PKI_MALFORMED},
		{"three", "030c 00 3009 020101 020101 020101", PKI_MALFORMED},
		{"an element behind them", "030b 00 3006 020101 020101 0500", PKI_MALFORMED},
		{"unused bits", "0309 01 3006 020101 020102", PKI_MALFORMED},
		{"an empty bit string", "0300", PKI_MALFORMED},
		{"an element behind it", "0309 00 3006 020101 020102 0500", PKI_MALFORMED},
	};

	EXPECT_EACH(signature, table)
}

Test(parse, lengths_are_definite_and_minimal)
{
	static const char *const table[] = {
		"3080 0000",	       /* indefinite */
		"3081 00",	       /* long form of a short length */
		"308201 00",	       /* cut within the length */
		"30820000",	       /* a leading zero */
		"3085 0000000000",     /* five octets of length */
		"30ff",		       /* reserved */
		"3084ffffffff 020101", /* far beyond the input */
		"1f8130 00",	       /* a high tag number */
		"31 00",	       /* a SET */
		"30 00",	       /* empty */
		"30",
		"",
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct buffer b = {0};
		struct pki_cert c;

		add_hex(&b, table[i]);
		cr_expect_eq(pki_cert_parse(&c, span_make(b.octets, b.n)), PKI_MALFORMED, "%s",
			     table[i]);
	}
}

Test(parse, octet_behind_the_certificate_is_refused)
{
	struct pki_cert c;
	struct buffer b;

	build(&b, &good);
	cr_assert_eq(pki_cert_parse(&c, span_make(b.octets, b.n)), PKI_OK);
	b.octets[b.n] = 0;
	cr_expect_eq(pki_cert_parse(&c, span_make(b.octets, b.n + 1)), PKI_MALFORMED);
}

Test(error, every_value_has_a_name_of_its_own_and_a_sentence)
{
	for (unsigned int i = 0; i < PKI_ERROR_N; i++) {
		cr_expect_gt(strlen(pki_error_text((enum pki_error)i)), 10u);
		for (unsigned int j = 0; j < i; j++)
			cr_expect_str_neq(pki_error_name((enum pki_error)i),
					  pki_error_name((enum pki_error)j));
	}
	cr_expect_str_eq(pki_error_name(PKI_ERROR_N), "?");
	cr_expect_str_eq(pki_error_text(PKI_ERROR_N), "?");
}
