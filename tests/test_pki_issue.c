/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Issuing and fleet files: what is made keeps the rules of lib/pki and has signatures that OpenSSL
 * accepts; each deliberate fault breaks the one rule that it names; a damaged fleet file is refused
 * or read within its bounds. The SGP.26 certificates and keys come from CPAU_TESTDATA.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "pki/fleet.h"
#include "pki/issue.h"
#include "pki/issue_fleet.h"
#include "pki/trust.h"

enum { PATH_SIZE = 512, FLEET_N = 1000, HEADER_SIZE = 128, ENTRY_SIZE = 64 };

#define PREFIX "89049032"
static const char EID[] = "89049032123451234512345678901235"; /* SGP.26's, check digits included */

/* A key with its certificate. */
struct authority {
	struct issue_key *key;
	uint8_t *der;
	size_t n;
	struct pki_cert cert;
};

static struct span der_of(const struct authority *a)
{
	return span_make(a->der, a->n);
}

static void authority_free(struct authority *a)
{
	issue_key_free(a->key);
	free(a->der);
}

/* Issues and parses; issuer NULL: self-signed. The request's own keys are filled in here. */
static enum pki_error issue(struct authority *a, const struct authority *issuer,
			    enum crypto_curve curve, struct issue_request r)
{
	if (!a->key)
		a->key = issue_key_generate(curve);
	r.subject_key = a->key;
	r.issuer_key = issuer ? issuer->key : a->key;
	if (issuer)
		r.issuer_cert = der_of(issuer);
	if (r.days == 0)
		r.days = 30;
	a->der = issue_certificate(&r, &a->n);
	cr_assert_not_null(a->der);
	return pki_cert_parse(&a->cert, der_of(a));
}

/* CI, EUM, with variant A its SubCA, and one eUICC. */
struct chain {
	struct authority ci, eum, subca, euicc;
};

static const struct authority *issuer_of_euicc(const struct chain *c)
{
	return c->subca.der ? &c->subca : &c->eum;
}

static struct issue_request euicc_request(enum issue_variant variant, const char *eid)
{
	return (struct issue_request){.role = ISSUE_EUICC,
				      .variant = variant,
				      .country = "ES",
				      .organisation = "EUM Ltd",
				      .serial_number = eid,
				      .common_name = "eUICC"};
}

static void make_issuers(struct chain *c, enum crypto_curve curve, enum issue_variant variant)
{
	struct issue_request r = {.role = ISSUE_CI, .organisation = "GSMA", .common_name = "CI"};

	cr_assert_eq(issue(&c->ci, NULL, curve, r), PKI_OK);
	r = (struct issue_request){.role = ISSUE_EUM,
				   .variant = variant,
				   .country = "ES",
				   .organisation = "EUM Ltd",
				   .common_name = "EUM",
				   .eid_prefix = PREFIX};
	cr_assert_eq(issue(&c->eum, &c->ci, curve, r), PKI_OK);
	if (variant != ISSUE_VARIANT_A)
		return;
	r.role = ISSUE_EUM_SUBCA;
	r.common_name = "EUM SubCA";
	cr_assert_eq(issue(&c->subca, &c->eum, curve, r), PKI_OK);
}

static void chain_free(struct chain *c)
{
	authority_free(&c->ci);
	authority_free(&c->eum);
	authority_free(&c->subca);
	authority_free(&c->euicc);
}

/* Role, link and signature: the first rule that is broken. */
static enum pki_error check_link(const struct pki_cert *cert, enum pki_role role,
				 const struct pki_cert *issuer)
{
	enum pki_error e = pki_cert_check(cert, role, time(NULL));

	if (e == PKI_OK)
		e = pki_cert_issued_by(cert, issuer);
	return e == PKI_OK ? pki_cert_verify(cert, issuer) : e;
}

static bool openssl_verifies(struct span cert, struct span issuer)
{
	const uint8_t *p = cert.p, *q = issuer.p;
	X509 *x = d2i_X509(NULL, &p, (long)cert.n), *y = d2i_X509(NULL, &q, (long)issuer.n);
	bool ok = x && y && X509_verify(x, X509_get0_pubkey(y)) == 1;

	X509_free(x);
	X509_free(y);
	return ok;
}

static const char *temporary(char path[PATH_SIZE], const char *name)
{
	const char *dir = getenv("TMPDIR");

	snprintf(path, PATH_SIZE, "%s/cpau-issue-%d-%s", dir ? dir : "/tmp", (int)getpid(), name);
	return path;
}

/* ---------------------------------------------------------------- certificates */

Test(issue, chain_of_every_variant_and_curve_keeps_every_rule)
{
	for (int curve = 0; curve < CRYPTO_CURVE_N; curve++)
		for (int v = ISSUE_VARIANT_O; v <= ISSUE_VARIANT_C; v++) {
			struct chain c = {0};

			make_issuers(&c, (enum crypto_curve)curve, (enum issue_variant)v);
			const struct authority *last = issuer_of_euicc(&c);

			cr_assert_eq(issue(&c.euicc, last, (enum crypto_curve)curve,
					   euicc_request((enum issue_variant)v, EID)),
				     PKI_OK);
			cr_expect_eq(check_link(&c.ci.cert, PKI_ROLE_CI, &c.ci.cert),
				     PKI_ISSUER_MISMATCH, "a CI has no authority key identifier");
			cr_expect_eq(pki_cert_verify(&c.ci.cert, &c.ci.cert), PKI_OK);
			cr_expect_eq(check_link(&c.eum.cert, PKI_ROLE_EUM, &c.ci.cert), PKI_OK);
			if (c.subca.der)
				cr_expect_eq(
					check_link(&c.subca.cert, PKI_ROLE_EUM_SUBCA, &c.eum.cert),
					PKI_OK);
			enum pki_error e = check_link(&c.euicc.cert, PKI_ROLE_EUICC, &last->cert);

			cr_expect_eq(e, PKI_OK, "curve %d variant %d: %s", curve, v,
				     pki_error_name(e));
			cr_expect(openssl_verifies(der_of(&c.euicc), der_of(last)));
			cr_expect(openssl_verifies(der_of(&c.eum), der_of(&c.ci)));
			chain_free(&c);
		}
}

Test(issue, variant_o_eum_signs_certificates_alone_and_euicc_has_no_basic_constraints)
{
	struct chain c = {0};

	make_issuers(&c, CRYPTO_P256, ISSUE_VARIANT_O);
	cr_assert_eq(issue(&c.euicc, &c.eum, CRYPTO_P256, euicc_request(ISSUE_VARIANT_O, EID)),
		     PKI_OK);
	cr_expect_eq(c.eum.cert.key_usage, PKI_USAGE_KEY_CERT_SIGN);
	cr_expect_eq(c.eum.cert.path_length, 0);
	cr_expect_eq(c.euicc.cert.key_usage, PKI_USAGE_DIGITAL_SIGNATURE);
	cr_expect_not(c.euicc.cert.has_basic_constraints);
	chain_free(&c);
}

Test(issue, operator_side_passes_and_stays_small)
{
	struct authority ci = {0}, ca = {0}, au = {0}, to_ci = {0}, to_operator = {0};
	struct issue_request r = {.role = ISSUE_CI, .organisation = "GSMA", .common_name = "CI"};

	cr_assert_eq(issue(&ci, NULL, CRYPTO_P256, r), PKI_OK);
	r = (struct issue_request){
		.role = ISSUE_OPERATOR_CA, .organisation = "Example Operator", .common_name = "CA"};
	cr_assert_eq(issue(&ca, NULL, CRYPTO_P256, r), PKI_OK);
	r = (struct issue_request){
		.role = ISSUE_AU, .organisation = "Example Operator", .common_name = "CP-AU"};
	cr_assert_eq(issue(&au, &ca, CRYPTO_P256, r), PKI_OK);
	cr_expect_eq(check_link(&au.cert, PKI_ROLE_AU, &ca.cert), PKI_OK);
	cr_expect_lt(au.n, 450);

	to_ci.key = ci.key;
	r = (struct issue_request){.role = ISSUE_CROSS_CI, .subject_cert = der_of(&ci)};
	cr_assert_eq(issue(&to_ci, &ca, CRYPTO_P256, r), PKI_OK);
	to_operator.key = ca.key;
	r = (struct issue_request){.role = ISSUE_CROSS_OPERATOR, .subject_cert = der_of(&ca)};
	cr_assert_eq(issue(&to_operator, &ci, CRYPTO_P256, r), PKI_OK);
	cr_expect_eq(check_link(&to_ci.cert, PKI_ROLE_CROSS, &ca.cert), PKI_OK);
	cr_expect_eq(check_link(&to_operator.cert, PKI_ROLE_CROSS, &ci.cert), PKI_OK);
	/* The UE's path: CI -> cross-certificate -> Cert_AU. */
	cr_expect_eq(check_link(&au.cert, PKI_ROLE_AU, &to_operator.cert), PKI_OK);
	cr_expect(span_equal(to_ci.cert.subject, ci.cert.subject));
	cr_expect(span_equal(to_ci.cert.ski, ci.cert.ski));
	cr_expect_lt(to_operator.n, 520);
	free(to_ci.der);
	free(to_operator.der);
	authority_free(&ci);
	authority_free(&ca);
	authority_free(&au);
}

Test(issue, each_fault_breaks_the_rule_that_it_names)
{
	static const struct {
		enum issue_fault fault;
		enum pki_error expected;
	} rows[] = {
		{ISSUE_FAULT_NONE, PKI_OK},
		{ISSUE_FAULT_EXPIRED, PKI_EXPIRED},
		{ISSUE_FAULT_NOT_YET_VALID, PKI_NOT_YET_VALID},
		{ISSUE_FAULT_POLICY, PKI_POLICY},
		{ISSUE_FAULT_USAGE, PKI_USAGE},
		{ISSUE_FAULT_CRITICAL, PKI_UNSUPPORTED},
		{ISSUE_FAULT_SIGNATURE, PKI_SIGNATURE},
	};

	for (int v = ISSUE_VARIANT_O; v <= ISSUE_VARIANT_C; v++) {
		struct chain c = {0};

		make_issuers(&c, CRYPTO_P256, (enum issue_variant)v);
		const struct authority *last = issuer_of_euicc(&c);

		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct issue_request r = euicc_request((enum issue_variant)v, EID);
			struct authority euicc = {0};

			r.fault = rows[i].fault;
			enum pki_error e = issue(&euicc, last, CRYPTO_P256, r);

			if (e == PKI_OK)
				e = check_link(&euicc.cert, PKI_ROLE_EUICC, &last->cert);
			cr_expect_eq(e, rows[i].expected, "variant %d fault %d: %s", v,
				     rows[i].fault, pki_error_name(e));
			authority_free(&euicc);
		}
		chain_free(&c);
	}
}

Test(issue, eid_outside_the_constraint_of_its_issuer_is_refused)
{
	char eid[33] = "89049099000000000000000000000000";

	issue_eid_check_digits(eid);
	for (int v = ISSUE_VARIANT_O; v <= ISSUE_VARIANT_C; v++) {
		struct chain c = {0};

		make_issuers(&c, CRYPTO_P256, (enum issue_variant)v);
		const struct authority *last = issuer_of_euicc(&c);

		cr_assert_eq(issue(&c.euicc, last, CRYPTO_P256,
				   euicc_request((enum issue_variant)v, eid)),
			     PKI_OK);
		cr_expect_eq(check_link(&c.euicc.cert, PKI_ROLE_EUICC, &last->cert),
			     PKI_NAME_CONSTRAINT);
		chain_free(&c);
	}
}

Test(issue, organisation_outside_a_variant_o_constraint_is_refused)
{
	struct issue_request r = euicc_request(ISSUE_VARIANT_O, EID);
	struct chain c = {0};

	r.organisation = "Another EUM";
	make_issuers(&c, CRYPTO_P256, ISSUE_VARIANT_O);
	cr_assert_eq(issue(&c.euicc, &c.eum, CRYPTO_P256, r), PKI_OK);
	cr_expect_eq(check_link(&c.euicc.cert, PKI_ROLE_EUICC, &c.eum.cert), PKI_NAME_CONSTRAINT);
	chain_free(&c);
}

Test(issue, eid_with_broken_check_digits_is_refused)
{
	struct chain c = {0};
	char eid[33];

	memcpy(eid, EID, sizeof(eid));
	eid[31] = eid[31] == '9' ? '0' : (char)(eid[31] + 1);
	make_issuers(&c, CRYPTO_P256, ISSUE_VARIANT_O);
	cr_assert_eq(issue(&c.euicc, &c.eum, CRYPTO_P256, euicc_request(ISSUE_VARIANT_O, eid)),
		     PKI_OK);
	cr_expect_eq(check_link(&c.euicc.cert, PKI_ROLE_EUICC, &c.eum.cert), PKI_EID_CHECK);
	chain_free(&c);
}

Test(issue, ca_serial_numbers_are_sixteen_random_octets)
{
	struct issue_request r = {.role = ISSUE_CI, .organisation = "GSMA", .common_name = "CI"};
	struct authority a = {0}, b = {0};

	cr_assert_eq(issue(&a, NULL, CRYPTO_P256, r), PKI_OK);
	cr_assert_eq(issue(&b, NULL, CRYPTO_P256, r), PKI_OK);
	cr_expect_eq(a.cert.serial.n, 16);
	cr_expect_eq(b.cert.serial.n, 16);
	cr_expect_not(span_equal(a.cert.serial, b.cert.serial));
	authority_free(&a);
	authority_free(&b);
}

Test(issue, certificate_without_end_lasts_to_the_year_9999)
{
	struct issue_request r = {.role = ISSUE_CI, .organisation = "GSMA", .common_name = "CI"};
	struct authority ci = {.key = issue_key_generate(CRYPTO_P256)};

	r.subject_key = r.issuer_key = ci.key;
	ci.der = issue_certificate(&r, &ci.n);
	cr_assert_eq(pki_cert_parse(&ci.cert, der_of(&ci)), PKI_OK);
	cr_expect_eq(ci.cert.not_after, INT64_C(253402300799));
	authority_free(&ci);
}

Test(eid, check_digits_are_those_of_the_official_eid)
{
	char eid[33];

	memcpy(eid, EID, sizeof(eid));
	eid[30] = eid[31] = '9';
	issue_eid_check_digits(eid);
	cr_expect_str_eq(eid, EID);
}

Test(eid, every_remainder_gets_two_check_digits_that_make_it_one_modulo_97)
{
	for (unsigned int i = 0; i < 97; i++) {
		char eid[33];
		unsigned int remainder = 0;

		snprintf(eid, sizeof(eid), "89049032%022u00", i);
		issue_eid_check_digits(eid);
		for (unsigned int j = 0; j < 32; j++)
			remainder = (remainder * 10 + (unsigned int)(eid[j] - '0')) % 97;
		cr_expect_eq(remainder, 1, "%s", eid);
	}
}

/* ---------------------------------------------------------------- CRLs */

Test(crl, large_list_has_every_serial_and_the_issuers_signature)
{
	enum { ENTRIES = 20000 };
	struct issue_request r = {.role = ISSUE_CI, .organisation = "GSMA", .common_name = "CI"};
	uint8_t(*octets)[8] = calloc(ENTRIES, sizeof(*octets));
	struct span *serials = calloc(ENTRIES, sizeof(*serials));
	struct authority ci = {0};
	size_t n;

	for (uint64_t i = 0; i < ENTRIES; i++) {
		store_be64(octets[i], UINT64_C(0x9000000000000000) + i * 7919);
		serials[i] = span_make(octets[i], 8);
	}
	cr_assert_eq(issue(&ci, NULL, CRYPTO_P256, r), PKI_OK);
	uint8_t *der = issue_crl(der_of(&ci), ci.key, serials, ENTRIES, 30, &n);

	cr_assert_not_null(der);
	const uint8_t *p = der, *q = ci.der;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)n);
	X509 *issuer = d2i_X509(NULL, &q, (long)ci.n);

	cr_assert_not_null(crl);
	cr_expect_eq(X509_CRL_get_version(crl), X509_CRL_VERSION_2);
	cr_expect_eq(X509_CRL_verify(crl, X509_get0_pubkey(issuer)), 1);
	cr_expect_eq(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), ENTRIES);
	for (uint64_t i = 0; i < ENTRIES; i += 1111) {
		ASN1_INTEGER *number = ASN1_INTEGER_new();
		X509_REVOKED *found;

		ASN1_INTEGER_set_uint64(number, UINT64_C(0x9000000000000000) + i * 7919);
		cr_expect_eq(X509_CRL_get0_by_serial(crl, &found, number), 1);
		ASN1_INTEGER_free(number);
	}
	X509_free(issuer);
	X509_CRL_free(crl);
	free(der);
	free(octets);
	free(serials);
	authority_free(&ci);
}

/* ---------------------------------------------------------------- keys */

Test(key, written_key_is_private_to_its_owner_and_reads_back)
{
	char path[PATH_SIZE];
	uint8_t before[32], after[32];
	struct stat st;

	for (int curve = 0; curve < CRYPTO_CURVE_N; curve++) {
		struct issue_key *k = issue_key_generate((enum crypto_curve)curve);

		cr_assert(issue_key_write(k, temporary(path, "key")));
		cr_assert_eq(stat(path, &st), 0);
		cr_expect_eq(st.st_mode & 0777, 0600);
		struct issue_key *again = issue_key_read(path, CRYPTO_P256);

		cr_assert_not_null(again);
		issue_key_scalar(k, before);
		issue_key_scalar(again, after);
		cr_expect_arr_eq(before, after, 32);
		cr_expect_eq(issue_key_curve(again), (enum crypto_curve)curve);
		issue_key_free(k);
		issue_key_free(again);
		unlink(path);
	}
}

static struct issue_key *read_key_text(const char *text, enum crypto_curve curve)
{
	char path[PATH_SIZE];
	FILE *f = fopen(temporary(path, "text"), "w");

	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
	struct issue_key *k = issue_key_read(path, curve);

	unlink(path);
	return k;
}

Test(key, sixty_four_hex_digits_are_a_scalar_on_the_given_curve)
{
	/* CERT_CI_ECDSA_NIST's published key (SGP.26). */
	struct issue_key *k = read_key_text(
		"aae525060635a4bc32e9c4b9b4dd00c97ab7bdb9c622fd175cc728a2934d744e\n", CRYPTO_P256);
	uint8_t scalar[32];

	cr_assert_not_null(k);
	issue_key_scalar(k, scalar);
	cr_expect_eq(scalar[0], 0xaa);
	cr_expect_eq(scalar[31], 0x4e);
	issue_key_free(k);
}

Test(key, what_is_no_key_is_refused)
{
	static const char zero[] =
		"0000000000000000000000000000000000000000000000000000000000000000";
	static const char over[] =
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

	cr_expect_null(read_key_text("", CRYPTO_P256));
	cr_expect_null(read_key_text("not a key\n", CRYPTO_P256));
	cr_expect_null(read_key_text("aae525060635\n", CRYPTO_P256));
	cr_expect_null(read_key_text(zero, CRYPTO_P256));
	cr_expect_null(read_key_text(over, CRYPTO_BRAINPOOLP256R1));
	cr_expect_null(issue_key_read("/nonexistent/key", CRYPTO_P256));
}

Test(key, hex_digits_with_more_behind_them_are_refused)
{
	cr_expect_null(read_key_text(
		"aae525060635a4bc32e9c4b9b4dd00c97ab7bdb9c622fd175cc728a2934d744e00\n",
		CRYPTO_P256));
}

Test(key, key_of_another_curve_is_refused)
{
	EVP_PKEY *p384 = EVP_EC_gen("P-384");
	char path[PATH_SIZE];
	FILE *f = fopen(temporary(path, "p384"), "w");

	cr_assert_not_null(f);
	cr_assert_eq(PEM_write_PrivateKey(f, p384, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	cr_expect_null(issue_key_read(path, CRYPTO_P256));
	unlink(path);
	EVP_PKEY_free(p384);
}

/* ---------------------------------------------------------------- fleets */

static struct issue_fleet_request fleet_request(const struct chain *c, enum issue_variant variant,
						const char *path)
{
	return (struct issue_fleet_request){.path = path,
					    .count = 10,
					    .variant = variant,
					    .organisation = "EUM Ltd",
					    .eid_prefix = PREFIX,
					    .first = 1,
					    .cert_eum = der_of(&c->eum),
					    .cert_subca = der_of(&c->subca),
					    .cert_ci = der_of(&c->ci),
					    .issuer_key = issuer_of_euicc(c)->key};
}

static int compare_eids(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static int compare_scalars(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

static void expect_distinct(const void *items, size_t n, size_t size)
{
	const uint8_t *p = items;

	for (size_t i = 1; i < n; i++)
		cr_assert_neq(memcmp(p + (i - 1) * size, p + i * size, size), 0);
}

/* Each device's certificate against the issuer, its EID and its key. */
static void expect_good_devices(const struct fleet *f, const struct pki_cert *issuer)
{
	for (uint64_t i = 0; i < fleet_count(f); i++) {
		struct fleet_device d;
		struct pki_cert cert;
		uint8_t public_key[CRYPTO_POINT_SIZE];

		cr_assert(fleet_device_get(f, i, &d));
		cr_assert_eq(pki_cert_parse(&cert, d.cert_euicc), PKI_OK);
		enum pki_error e = check_link(&cert, PKI_ROLE_EUICC, issuer);

		cr_assert_eq(e, PKI_OK, "device %llu: %s", (unsigned long long)i,
			     pki_error_name(e));
		cr_assert_arr_eq(cert.eid, d.eid, 16);
		cr_assert_eq(crypto_public_from_private(cert.curve, d.private_key, public_key),
			     CRYPTO_OK);
		cr_assert_arr_eq(public_key, cert.public_key, sizeof(public_key));
	}
}

Test(fleet, thousand_devices_are_distinct_and_each_chain_verifies, .timeout = 120)
{
	uint8_t(*eids)[16] = calloc(FLEET_N, sizeof(*eids));
	uint8_t(*keys)[32] = calloc(FLEET_N, sizeof(*keys));
	char path[PATH_SIZE];
	struct chain c = {0};
	struct fleet_device d;
	const char *why;
	struct stat st;

	make_issuers(&c, CRYPTO_P256, ISSUE_VARIANT_O);
	struct issue_fleet_request r = fleet_request(&c, ISSUE_VARIANT_O, temporary(path, "fleet"));

	r.count = FLEET_N;
	cr_assert(issue_fleet(&r, &why), "%s", why);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600, "the file holds private keys");
	struct fleet *f = fleet_open(path, &why);

	cr_assert_not_null(f, "%s", why);
	cr_assert_eq(fleet_count(f), FLEET_N);
	cr_expect_eq(fleet_curve(f), CRYPTO_P256);
	cr_expect(span_equal(fleet_cert_eum(f), der_of(&c.eum)));
	cr_expect(span_equal(fleet_cert_ci(f), der_of(&c.ci)));
	cr_expect_eq(fleet_cert_subca(f).n, 0);
	cr_expect_not(fleet_device_get(f, FLEET_N, &d));
	cr_expect_not(fleet_device_get(f, UINT64_MAX, &d));
	expect_good_devices(f, &c.eum.cert);
	for (uint64_t i = 0; i < FLEET_N; i++) {
		cr_assert(fleet_device_get(f, i, &d));
		memcpy(eids[i], d.eid, 16);
		memcpy(keys[i], d.private_key, 32);
	}
	for (uint64_t i = 0; i < FLEET_N; i += 250) {
		cr_assert(fleet_device_get(f, i, &d));
		cr_expect(openssl_verifies(d.cert_euicc, der_of(&c.eum)));
	}
	qsort(eids, FLEET_N, sizeof(*eids), compare_eids);
	qsort(keys, FLEET_N, sizeof(*keys), compare_scalars);
	expect_distinct(eids, FLEET_N, sizeof(*eids));
	expect_distinct(keys, FLEET_N, sizeof(*keys));
	fleet_close(f);
	unlink(path);
	free(eids);
	free(keys);
	chain_free(&c);
}

Test(fleet, every_variant_and_curve_can_be_issued)
{
	char path[PATH_SIZE];
	const char *why;

	for (int curve = 0; curve < CRYPTO_CURVE_N; curve++)
		for (int v = ISSUE_VARIANT_O; v <= ISSUE_VARIANT_C; v++) {
			struct chain c = {0};

			make_issuers(&c, (enum crypto_curve)curve, (enum issue_variant)v);
			struct issue_fleet_request r = fleet_request(&c, (enum issue_variant)v,
								     temporary(path, "variant"));

			cr_assert(issue_fleet(&r, &why), "%s", why);
			struct fleet *f = fleet_open(path, &why);

			cr_assert_not_null(f, "%s", why);
			cr_expect_eq(fleet_curve(f), (enum crypto_curve)curve);
			cr_expect(span_equal(fleet_cert_subca(f), der_of(&c.subca)));
			expect_good_devices(f, &issuer_of_euicc(&c)->cert);
			fleet_close(f);
			unlink(path);
			chain_free(&c);
		}
}

Test(fleet, fleets_that_begin_at_other_counters_share_no_eid)
{
	char first[PATH_SIZE], second[PATH_SIZE];
	struct chain c = {0};
	const char *why;

	make_issuers(&c, CRYPTO_P256, ISSUE_VARIANT_O);
	struct issue_fleet_request r = fleet_request(&c, ISSUE_VARIANT_O, temporary(first, "one"));

	cr_assert(issue_fleet(&r, &why));
	r.path = temporary(second, "two");
	r.first = 11;
	cr_assert(issue_fleet(&r, &why));
	struct fleet *f = fleet_open(first, &why), *g = fleet_open(second, &why);
	struct fleet_device a, b;

	for (uint64_t i = 0; i < 10; i++)
		for (uint64_t j = 0; j < 10; j++) {
			cr_assert(fleet_device_get(f, i, &a) && fleet_device_get(g, j, &b));
			cr_expect_neq(memcmp(a.eid, b.eid, 16), 0);
		}
	fleet_close(f);
	fleet_close(g);
	unlink(first);
	unlink(second);
	chain_free(&c);
}

Test(fleet, fault_is_in_every_certificate)
{
	struct chain c = {0};
	char path[PATH_SIZE];
	const char *why;

	make_issuers(&c, CRYPTO_P256, ISSUE_VARIANT_O);
	struct issue_fleet_request r = fleet_request(&c, ISSUE_VARIANT_O, temporary(path, "fault"));

	r.fault = ISSUE_FAULT_SIGNATURE;
	cr_assert(issue_fleet(&r, &why), "%s", why);
	struct fleet *f = fleet_open(path, &why);

	for (uint64_t i = 0; i < fleet_count(f); i++) {
		struct fleet_device d;
		struct pki_cert cert;

		cr_assert(fleet_device_get(f, i, &d));
		cr_assert_eq(pki_cert_parse(&cert, d.cert_euicc), PKI_OK);
		cr_expect_eq(check_link(&cert, PKI_ROLE_EUICC, &c.eum.cert), PKI_SIGNATURE);
	}
	fleet_close(f);
	unlink(path);
	chain_free(&c);
}

/* Nothing may be left behind by a refusal. */
static void expect_no_fleet(struct issue_fleet_request *r)
{
	const char *why = NULL;

	cr_expect_not(issue_fleet(r, &why));
	cr_expect_not_null(why);
	cr_expect_neq(access(r->path, F_OK), 0, "a refused fleet leaves no file");
	unlink(r->path);
}

Test(fleet, key_that_is_not_the_issuers_is_refused)
{
	struct issue_key *other = issue_key_generate(CRYPTO_P256);
	struct chain c = {0};
	char path[PATH_SIZE];

	make_issuers(&c, CRYPTO_P256, ISSUE_VARIANT_O);
	struct issue_fleet_request r = fleet_request(&c, ISSUE_VARIANT_O, temporary(path, "other"));

	r.issuer_key = other;
	expect_no_fleet(&r);
	issue_key_free(other);
	chain_free(&c);
}

Test(fleet, prefix_that_is_not_digits_is_refused)
{
	struct chain c = {0};
	char path[PATH_SIZE];

	make_issuers(&c, CRYPTO_P256, ISSUE_VARIANT_O);
	struct issue_fleet_request r =
		fleet_request(&c, ISSUE_VARIANT_O, temporary(path, "letters"));

	r.eid_prefix = "8904x";
	expect_no_fleet(&r);
	chain_free(&c);
}

Test(fleet, prefix_longer_than_an_eid_is_refused)
{
	struct chain c = {0};
	char path[PATH_SIZE];

	make_issuers(&c, CRYPTO_P256, ISSUE_VARIANT_O);
	struct issue_fleet_request r = fleet_request(&c, ISSUE_VARIANT_O, temporary(path, "long"));

	r.eid_prefix = "8904903200000000000000000000000000000000000000000000000000000000";
	expect_no_fleet(&r);
	chain_free(&c);
}

Test(fleet, prefix_that_leaves_too_few_eids_is_refused)
{
	struct chain c = {0};
	char path[PATH_SIZE];

	make_issuers(&c, CRYPTO_P256, ISSUE_VARIANT_O);
	struct issue_fleet_request r = fleet_request(&c, ISSUE_VARIANT_O, temporary(path, "few"));

	r.eid_prefix = "89049032000000000000000000000"; /* one digit is left for the counter */
	expect_no_fleet(&r);
	chain_free(&c);
}

/* ---------------------------------------------------------------- fleet files, damaged */

/* Four devices, padded so that the file ends where a page does: a read past its end faults. */
static size_t small_fleet(uint8_t **image)
{
	static uint8_t octets[4096], scalar[32];
	char path[PATH_SIZE];
	uint8_t eid[16] = {0x89};
	size_t used = HEADER_SIZE + 4 * ENTRY_SIZE + 3 * 100 + 3 * 100;
	struct fleet_writer *w =
		fleet_writer_open(temporary(path, "small"), CRYPTO_P256, 4, span_make(octets, 100),
				  span_make(octets, 100), span_make(octets, 100));

	cr_assert_not_null(w);
	for (unsigned int i = 0; i < 4; i++)
		cr_assert(fleet_writer_add(w, eid, scalar,
					   span_make(octets, i < 3 ? 100 : 4096 - used)));
	cr_assert(fleet_writer_close(w));
	FILE *f = fopen(path, "rb");

	*image = malloc(4096);
	cr_assert_eq(fread(*image, 1, 4096, f), 4096);
	fclose(f);
	unlink(path);
	return 4096;
}

static void write_image(const char *path, const uint8_t *image, size_t n)
{
	FILE *f = fopen(path, "wb");

	cr_assert_not_null(f);
	cr_assert(n == 0 || fwrite(image, n, 1, f) == 1);
	fclose(f);
}

static unsigned int sum(struct span s)
{
	unsigned int total = 0;

	for (size_t i = 0; i < s.n; i++)
		total += s.p[i];
	return total;
}

/* Opens and reads everything that the file says it has; true if it opened. */
static bool read_all(const char *path)
{
	unsigned int total = 0;
	const char *why = NULL;
	struct fleet *f = fleet_open(path, &why);

	if (!f) {
		cr_assert_not_null(why);
		return false;
	}
	total += sum(fleet_cert_eum(f)) + sum(fleet_cert_subca(f)) + sum(fleet_cert_ci(f));
	for (uint64_t i = 0; i < fleet_count(f); i++) {
		struct fleet_device d;

		if (fleet_device_get(f, i, &d))
			total += sum(d.cert_euicc) + sum(span_make(d.eid, 16)) +
				 sum(span_make(d.private_key, 32));
	}
	__asm__ volatile("" : : "r"(total)); /* the reads are what counts */
	fleet_close(f);
	return true;
}

Test(fleet_file, any_octet_of_header_and_entries_changed_is_read_within_bounds)
{
	static const uint8_t changes[] = {0x01, 0x02, 0x40, 0x80, 0xff};
	char path[PATH_SIZE];
	uint8_t *image;
	size_t n = small_fleet(&image);

	temporary(path, "damaged");
	for (size_t at = 0; at < HEADER_SIZE + 4 * ENTRY_SIZE; at++)
		for (size_t j = 0; j < sizeof(changes); j++) {
			image[at] ^= changes[j];
			write_image(path, image, n);
			read_all(path);
			image[at] ^= changes[j];
		}
	write_image(path, image, n);
	cr_expect(read_all(path), "undamaged it opens");
	unlink(path);
	free(image);
}

Test(fleet_file, changed_magic_version_and_size_are_refused)
{
	static const size_t places[] = {0, 7, 8, 12, 32, 39};
	char path[PATH_SIZE];
	uint8_t *image;
	size_t n = small_fleet(&image);

	temporary(path, "refused");
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		image[places[i]] ^= 0x80;
		write_image(path, image, n);
		cr_expect_not(read_all(path), "octet %zu", places[i]);
		image[places[i]] ^= 0x80;
	}
	unlink(path);
	free(image);
}

Test(fleet_file, cut_short_is_refused)
{
	static const size_t sizes[] = {0, 1, 8, 127, 128, 129, 383, 384, 4095};
	char path[PATH_SIZE];
	uint8_t *image;

	small_fleet(&image);
	temporary(path, "short");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		write_image(path, image, sizes[i]);
		cr_expect_not(read_all(path), "%zu octets", sizes[i]);
	}
	unlink(path);
	free(image);
}

Test(fleet_file, certificate_outside_the_file_is_refused_alone)
{
	char path[PATH_SIZE];
	struct fleet_device d;
	const char *why;
	uint8_t *image;
	size_t n = small_fleet(&image);

	image[HEADER_SIZE + 48 + 6] = 0xff; /* the offset of device 0's certificate */
	write_image(temporary(path, "outside"), image, n);
	struct fleet *f = fleet_open(path, &why);

	cr_assert_not_null(f, "%s", why);
	cr_expect_not(fleet_device_get(f, 0, &d));
	cr_expect(fleet_device_get(f, 1, &d));
	fleet_close(f);
	unlink(path);
	free(image);
}

Test(fleet_file, what_is_absent_or_a_directory_is_refused)
{
	const char *why;

	cr_expect_null(fleet_open("/nonexistent/fleet", &why));
	cr_expect_null(fleet_open("/", &why));
}

Test(fleet_writer, more_devices_than_announced_are_refused)
{
	const uint8_t eid[16] = {0x89}, scalar[32] = {1};
	char path[PATH_SIZE];
	struct span cert = span_make("cert", 4);
	struct fleet_writer *w =
		fleet_writer_open(temporary(path, "more"), CRYPTO_P256, 1, cert, cert, cert);

	cr_assert_not_null(w);
	cr_expect(fleet_writer_add(w, eid, scalar, cert));
	cr_expect_not(fleet_writer_add(w, eid, scalar, cert));
	cr_expect(fleet_writer_close(w));
	unlink(path);
}

Test(fleet_writer, fewer_devices_than_announced_make_no_fleet)
{
	const uint8_t eid[16] = {0x89}, scalar[32] = {1};
	char path[PATH_SIZE];
	struct span cert = span_make("cert", 4);
	const char *why;
	struct fleet_writer *w =
		fleet_writer_open(temporary(path, "fewer"), CRYPTO_P256, 2, cert, cert, cert);

	cr_assert_not_null(w);
	cr_expect(fleet_writer_add(w, eid, scalar, cert));
	cr_expect_not(fleet_writer_close(w));
	cr_expect_null(fleet_open(path, &why));
	unlink(path);
}

/* ---------------------------------------------------------------- SGP.26 */

static const struct {
	enum crypto_curve curve;
	const char *suffix, *eum_key, *euicc_key;
} sgp26[] = {
	{CRYPTO_P256, "NIST", "25e6757728e1e95113519cdc34555c29baed23773ac5afdddcdad984898a52f0",
	 "11e15467dc194f337183e460c9f63260091e12e81026cd6561e17c6d8539cc9c"},
	{CRYPTO_BRAINPOOLP256R1, "BRP",
	 "129b0ab13f17e14a40b6fa4ed823e0cf465b7b3d732405e6295d3b23b045c99a",
	 "8dc347a76db7bdd6222dd75ea1a1688aca811e4cbc6a7f6aefa4b26419620b90"},
};
enum { SGP26_N = sizeof(sgp26) / sizeof(sgp26[0]) };

static void load(struct authority *a, const char *folder, const char *what, const char *suffix)
{
	const char *data = getenv("CPAU_TESTDATA");
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/sgp26/%s/CERT_%s_ECDSA_%s.der", data ? data : "", folder,
		 what, suffix);
	a->der = pki_file_read(path, &a->n);
	if (!a->der)
		cr_skip_test("no SGP.26 certificates: set CPAU_TESTDATA");
	cr_assert_eq(pki_cert_parse(&a->cert, der_of(a)), PKI_OK);
}

Test(sgp26, further_euiccs_under_the_official_eum_keep_every_rule)
{
	char path[PATH_SIZE];
	const char *why;

	for (unsigned int i = 0; i < SGP26_N; i++) {
		struct chain c = {0};

		load(&c.ci, "CertificateIssuer", "CI", sgp26[i].suffix);
		load(&c.eum, "EUM", "EUM", sgp26[i].suffix);
		c.eum.key = read_key_text(sgp26[i].eum_key, sgp26[i].curve);
		cr_assert_not_null(c.eum.key);
		struct issue_fleet_request r =
			fleet_request(&c, ISSUE_VARIANT_O, temporary(path, "official"));

		r.organisation = "RSP Test EUM";
		cr_assert(issue_fleet(&r, &why), "%s", why);
		struct fleet *f = fleet_open(path, &why);

		cr_assert_not_null(f, "%s", why);
		cr_expect_eq(check_link(&c.eum.cert, PKI_ROLE_EUM, &c.ci.cert), PKI_OK);
		expect_good_devices(f, &c.eum.cert);
		fleet_close(f);
		unlink(path);
		chain_free(&c);
	}
}

Test(sgp26, official_euicc_is_a_fleet_of_one)
{
	char path[PATH_SIZE];
	uint8_t scalar[32];
	const char *why;

	for (unsigned int i = 0; i < SGP26_N; i++) {
		struct chain c = {0};

		load(&c.ci, "CertificateIssuer", "CI", sgp26[i].suffix);
		load(&c.eum, "EUM", "EUM", sgp26[i].suffix);
		load(&c.euicc, "eUICC", "EUICC", sgp26[i].suffix);
		c.euicc.key = read_key_text(sgp26[i].euicc_key, sgp26[i].curve);
		cr_assert_not_null(c.euicc.key);
		issue_key_scalar(c.euicc.key, scalar);
		struct fleet_writer *w =
			fleet_writer_open(temporary(path, "import"), sgp26[i].curve, 1,
					  der_of(&c.eum), span_make(NULL, 0), der_of(&c.ci));

		cr_assert_not_null(w);
		cr_assert(fleet_writer_add(w, c.euicc.cert.eid, scalar, der_of(&c.euicc)));
		cr_assert(fleet_writer_close(w));
		struct fleet *f = fleet_open(path, &why);

		cr_assert_not_null(f, "%s", why);
		expect_good_devices(f, &c.eum.cert);
		fleet_close(f);
		unlink(path);
		chain_free(&c);
	}
}
