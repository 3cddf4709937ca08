/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The trust store: what a directory of credentials makes trusted, what is refused and with which
 * words, look-ups, revocation at every tier, the deny list, and learning EUMs. Everything is issued
 * here.
 */
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "pki/issue.h"
#include "pki/lists.h"
#include "pki/trust.h"

enum { PATH_SIZE = 512, REPORTS_MAX = 64, DAYS = 400, DAY = 24 * 3600 };

#define PREFIX "89049032"
static const char EID[] = "89049032123451234512345678901235";

struct authority {
	struct issue_key *key;
	uint8_t *der;
	size_t n;
	struct pki_cert cert;
};

/* Two trust domains with one cross-certificate each way, an EUM of variant A with its SubCA. */
static struct world {
	char dir[64];
	struct authority operator_ca, ci, operator_to_ci, ci_to_operator, au, eum, subca, euicc;
} w;

/* What the loader said. */
static struct reported {
	unsigned int n;
	struct {
		char file[PATH_SIZE], text[256];
		bool accepted;
	} list[REPORTS_MAX];
} said;

static struct span der_of(const struct authority *a)
{
	return span_make(a->der, a->n);
}

static void issue(struct authority *a, const struct authority *issuer, struct issue_request r)
{
	free(a->der);
	if (!a->key)
		a->key = issue_key_generate(CRYPTO_P256);
	r.subject_key = a->key;
	r.issuer_key = issuer ? issuer->key : a->key;
	r.issuer_cert = issuer ? der_of(issuer) : span_make(NULL, 0);
	if (r.days == 0)
		r.days = DAYS;
	a->der = issue_certificate(&r, &a->n);
	cr_assert_not_null(a->der);
	cr_assert_eq(pki_cert_parse(&a->cert, der_of(a)), PKI_OK);
}

static void authority_free(struct authority *a)
{
	issue_key_free(a->key);
	free(a->der);
}

static void path_of(char path[PATH_SIZE], const char *name)
{
	snprintf(path, PATH_SIZE, "%s/%s", w.dir, name);
}

static void put(const char *name, const void *p, size_t n)
{
	char path[PATH_SIZE];

	path_of(path, name);
	FILE *f = fopen(path, "wb");

	cr_assert_not_null(f, "%s", path);
	cr_assert(n == 0 || fwrite(p, n, 1, f) == 1);
	fclose(f);
}

static void put_cert(const char *name, const struct authority *a)
{
	put(name, a->der, a->n);
}

static void take_away(const char *name)
{
	char path[PATH_SIZE];

	path_of(path, name);
	cr_assert_eq(unlink(path), 0, "%s", path);
}

/* A certificate for a CA of another domain: its key, subject and key identifier. */
static void cross(struct authority *a, const struct authority *subject,
		  const struct authority *issuer, enum issue_role role)
{
	struct issue_request r = {.role = role,
				  .subject_key = subject->key,
				  .subject_cert = der_of(subject),
				  .issuer_cert = der_of(issuer),
				  .issuer_key = issuer->key,
				  .days = DAYS};

	free(a->der);
	a->der = issue_certificate(&r, &a->n);
	cr_assert_not_null(a->der);
	cr_assert_eq(pki_cert_parse(&a->cert, der_of(a)), PKI_OK);
}

static void issue_world(void)
{
	struct issue_request r = {.role = ISSUE_OPERATOR_CA, .common_name = "Operator CA"};

	issue(&w.operator_ca, NULL, r);
	r = (struct issue_request){.role = ISSUE_CI, .common_name = "Test CI"};
	issue(&w.ci, NULL, r);
	cross(&w.operator_to_ci, &w.ci, &w.operator_ca, ISSUE_CROSS_CI);
	cross(&w.ci_to_operator, &w.operator_ca, &w.ci, ISSUE_CROSS_OPERATOR);
	r = (struct issue_request){.role = ISSUE_AU, .common_name = "CP-AU"};
	issue(&w.au, &w.operator_ca, r);
	r = (struct issue_request){.role = ISSUE_EUM,
				   .variant = ISSUE_VARIANT_A,
				   .organisation = "Maker",
				   .common_name = "EUM",
				   .eid_prefix = PREFIX};
	issue(&w.eum, &w.ci, r);
	r.role = ISSUE_EUM_SUBCA;
	r.common_name = "EUM SubCA";
	issue(&w.subca, &w.eum, r);
	r = (struct issue_request){.role = ISSUE_EUICC,
				   .variant = ISSUE_VARIANT_A,
				   .organisation = "Maker",
				   .common_name = "eUICC",
				   .serial_number = EID};
	issue(&w.euicc, &w.subca, r);
}

static void setup(void)
{
	static const char *const folders[] = {"operator-ca", "cross", "ci", "eum", "au", "crl"};
	char path[PATH_SIZE];

	memset(&w, 0, sizeof(w));
	strcpy(w.dir, "/tmp/cpau-trust-XXXXXX");
	cr_assert_not_null(mkdtemp(w.dir));
	for (unsigned int i = 0; i < 6; i++) {
		path_of(path, folders[i]);
		cr_assert_eq(mkdir(path, 0700), 0);
	}
	issue_world();
	put_cert("operator-ca/operator-ca.crt", &w.operator_ca);
	put_cert("ci/ci.crt", &w.ci);
	put_cert("cross/operator-to-ci.crt", &w.operator_to_ci);
	put_cert("cross/ci-to-operator.crt", &w.ci_to_operator);
	put_cert("au/au.crt", &w.au);
	path_of(path, "au/au.key");
	cr_assert(issue_key_write(w.au.key, path));
	put_cert("eum/eum.crt", &w.eum);
	put_cert("eum/subca.crt", &w.subca);
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void teardown(void)
{
	struct authority *const all[] = {&w.operator_ca,    &w.ci,   &w.operator_to_ci,
					 &w.ci_to_operator, &w.au,   &w.eum,
					 &w.subca,	    &w.euicc};

	for (unsigned int i = 0; i < 8; i++)
		authority_free(all[i]);
	nftw(w.dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(trust, .init = setup, .fini = teardown);
TestSuite(revocation, .init = setup, .fini = teardown);
TestSuite(deny, .init = setup, .fini = teardown);
TestSuite(learn, .init = setup, .fini = teardown);

static void report(void *arg, const char *file, bool accepted, const char *text)
{
	(void)arg;
	cr_assert_lt(said.n, (unsigned int)REPORTS_MAX);
	snprintf(said.list[said.n].file, PATH_SIZE, "%s", file);
	snprintf(said.list[said.n].text, sizeof(said.list[0].text), "%s", text);
	said.list[said.n++].accepted = accepted;
}

static struct pki_trust *load_at(int64_t now)
{
	struct pki_trust_config config = {
		.directory = w.dir, .max_learned_eums = 4, .crypto_backend = "openssl", .now = now};

	said.n = 0;
	return pki_trust_load(&config, report, NULL);
}

static struct pki_trust *load(void)
{
	return load_at(time(NULL));
}

/* That the one report about the file whose name ends so says this. */
static void expect_said(const char *suffix, bool accepted, const char *words)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < said.n; i++) {
		const char *file = said.list[i].file;

		if (strlen(file) < strlen(suffix) ||
		    strcmp(file + strlen(file) - strlen(suffix), suffix) != 0)
			continue;
		found++;
		cr_expect_eq(said.list[i].accepted, accepted, "%s: %s", file, said.list[i].text);
		cr_expect_not_null(strstr(said.list[i].text, words), "%s: %s", file,
				   said.list[i].text);
	}
	cr_expect_eq(found, 1u, "%u reports of %s", found, suffix);
}

static bool knows_eum(const struct pki_trust *t, const struct authority *a)
{
	return pki_trust_find_eum(t, a->cert.ski, a->cert.subject) != NULL;
}

/* ---------------------------------------------------------------- loading */

Test(trust, complete_directory_is_accepted_file_by_file)
{
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_said("operator-ca.crt", true, "operator CA");
	expect_said("/ci.crt", true, "GSMA CI");
	expect_said("ci-to-operator.crt", true, "given to UEs");
	expect_said("au.crt", true, "Cert_AU");
	expect_said("eum.crt", true, "EUM");
	expect_said("subca.crt", true, "SubCA");
	for (unsigned int i = 0; i < said.n; i++)
		cr_expect(said.list[i].accepted, "%s: %s", said.list[i].file, said.list[i].text);
	pki_trust_free(t);
}

Test(trust, issuers_are_found_by_key_identifier_and_name_with_their_parents)
{
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	const struct pki_issuer *ci = pki_trust_find_ci(t, w.eum.cert.aki, w.eum.cert.issuer);
	const struct pki_issuer *eum = pki_trust_find_eum(t, w.subca.cert.aki, w.subca.cert.issuer);
	const struct pki_issuer *subca =
		pki_trust_find_eum(t, w.euicc.cert.aki, w.euicc.cert.issuer);

	cr_assert(ci && eum && subca);
	cr_expect_null(ci->parent);
	cr_expect_eq(eum->parent, ci);
	cr_expect_eq(subca->parent, eum);
	cr_expect(ci->key && eum->key && subca->key);
	cr_expect(span_equal(eum->cert.der, der_of(&w.eum)));
	cr_expect_null(pki_trust_find_eum(t, w.eum.cert.ski, w.ci.cert.subject));
	cr_expect_null(pki_trust_find_eum(t, w.ci.cert.ski, w.ci.cert.subject));
	cr_expect_null(pki_trust_find_eum(t, span_make(NULL, 0), w.eum.cert.subject));
	cr_expect_null(pki_trust_find_ci(t, w.eum.cert.ski, w.eum.cert.subject));
	pki_trust_free(t);
}

Test(trust, au_credential_has_its_private_key_and_the_ue_gets_its_cross_certificate)
{
	uint8_t scalar[32];
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	const struct pki_au *au = pki_trust_au(t, CRYPTO_P256);

	cr_assert_not_null(au);
	issue_key_scalar(w.au.key, scalar);
	cr_expect_arr_eq(au->private_key, scalar, 32);
	cr_expect(span_equal(au->cert.der, der_of(&w.au)));
	cr_expect_null(pki_trust_au(t, CRYPTO_BRAINPOOLP256R1));
	int i = pki_trust_cross_for_ci(t, w.ci.cert.ski);

	cr_expect_geq(i, 0);
	cr_expect_eq(pki_trust_cross_default(t, CRYPTO_P256), i);
	cr_expect(span_equal(pki_trust_cross_der(t, i), der_of(&w.ci_to_operator)));
	cr_expect_eq(pki_trust_cross_for_ci(t, w.eum.cert.ski), -1);
	cr_expect_eq(pki_trust_cross_default(t, CRYPTO_BRAINPOOLP256R1), -1);
	cr_expect_eq(pki_trust_cross_der(t, -1).n, 0u);
	cr_expect_eq(pki_trust_cross_der(t, 1).n, 0u);
	pki_trust_free(t);
}

Test(trust, pem_files_are_read_too)
{
	char path[PATH_SIZE];
	const uint8_t *p = w.ci.der;
	X509 *x = d2i_X509(NULL, &p, (long)w.ci.n);

	path_of(path, "ci/ci.crt");
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	fputs("# a comment, as tools write them\n", f);
	cr_assert_eq(PEM_write_X509(f, x), 1);
	fclose(f);
	X509_free(x);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	cr_expect_not_null(pki_trust_find_ci(t, w.ci.cert.ski, w.ci.cert.subject));
	pki_trust_free(t);
}

Test(trust, files_can_be_named_one_by_one)
{
	static const char *const names[] = {"operator-ca/operator-ca.crt",
					    "cross",
					    "ci/ci.crt",
					    "au/au.crt",
					    "au/au.key",
					    "eum",
					    "nothing-here"};
	char paths[7][PATH_SIZE];
	char *each[7];

	for (unsigned int i = 0; i < 7; i++) {
		path_of(paths[i], names[i]);
		each[i] = paths[i];
	}
	struct pki_trust_config config = {.operator_cas = &each[0],
					  .n_operator_cas = 1,
					  .cross_certificates = &each[1],
					  .n_cross_certificates = 1,
					  .cis = &each[2],
					  .n_cis = 1,
					  .au_certificates = &each[3],
					  .n_au_certificates = 1,
					  .au_keys = &each[4],
					  .n_au_keys = 1,
					  .crls = &each[6],
					  .n_crls = 1,
					  .eum_directory = each[5],
					  .crypto_backend = "openssl",
					  .now = time(NULL)};

	said.n = 0;
	struct pki_trust *t = pki_trust_load(&config, report, NULL);

	cr_assert_not_null(t);
	cr_expect(knows_eum(t, &w.eum) && knows_eum(t, &w.subca));
	expect_said("nothing-here", false, "cannot be read");
	pki_trust_free(t);
}

/* ---------------------------------------------------------------- whom it refuses */

Test(trust, ci_that_the_operator_has_not_cross_certified_is_refused)
{
	take_away("cross/operator-to-ci.crt");
	cr_expect_null(load());
	expect_said("/ci.crt", false, "no operator CA has cross-certified this CI");
	expect_said(w.dir, false, "no trusted CI");
}

Test(trust, cross_certificate_for_the_name_with_another_key_does_not_count)
{
	struct authority impostor = {0}, x = {0};

	issue(&impostor, NULL, (struct issue_request){.role = ISSUE_CI, .common_name = "Test CI"});
	cross(&x, &impostor, &w.operator_ca, ISSUE_CROSS_CI);
	put_cert("cross/operator-to-ci.crt", &x);
	cr_expect_null(load());
	expect_said("/ci.crt", false, "no operator CA has cross-certified this CI");
	authority_free(&impostor);
	authority_free(&x);
}

Test(trust, ci_issued_again_with_the_same_key_is_trusted)
{
	struct authority again = {.key = w.ci.key};

	issue(&again, NULL,
	      (struct issue_request){.role = ISSUE_CI, .common_name = "Test CI", .days = 100});
	put_cert("ci/ci.crt", &again);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	cr_expect(knows_eum(t, &w.eum));
	pki_trust_free(t);
	free(again.der);
}

Test(trust, cross_certificate_from_a_stranger_is_refused)
{
	struct authority stranger = {0}, x = {0};

	issue(&stranger, NULL,
	      (struct issue_request){.role = ISSUE_OPERATOR_CA, .common_name = "Stranger"});
	cross(&x, &w.ci, &stranger, ISSUE_CROSS_CI);
	put_cert("cross/stranger.crt", &x);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_said("stranger.crt", false, "neither from a known operator CA");
	pki_trust_free(t);
	authority_free(&stranger);
	authority_free(&x);
}

Test(trust, wrong_signature_refuses_one_eum_and_leaves_the_rest)
{
	w.subca.der[w.subca.n - 1] ^= 1;
	put_cert("eum/subca.crt", &w.subca);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_said("subca.crt", false, "signature is wrong");
	cr_expect(knows_eum(t, &w.eum) && !knows_eum(t, &w.subca));
	pki_trust_free(t);
}

Test(trust, subca_of_a_refused_eum_is_refused)
{
	w.eum.der[w.eum.n - 1] ^= 1;
	put_cert("eum/eum.crt", &w.eum);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_said("subca.crt", false, "no trusted CI issued it");
	pki_trust_free(t);
}

Test(trust, expired_and_unreadable_files_are_refused_in_words)
{
	struct authority old = {0};

	issue(&old, &w.ci,
	      (struct issue_request){.role = ISSUE_EUM,
				     .fault = ISSUE_FAULT_EXPIRED,
				     .organisation = "Old",
				     .eid_prefix = PREFIX});
	put_cert("eum/old.crt", &old);
	put("eum/rubbish.crt", "0rubbish", 8);
	put("eum/text.crt", "text", 4);
	put("eum/empty.crt", "", 0);
	put("eum/notes.txt", "not a certificate", 17);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_said("old.crt", false, "notAfter has passed");
	expect_said("rubbish.crt", false, "not canonical DER");
	expect_said("text.crt", false, "neither DER nor PEM");
	expect_said("empty.crt", false, "cannot be read");
	cr_expect(knows_eum(t, &w.eum));
	pki_trust_free(t);
	authority_free(&old);
}

/* The same certificate with another octet in its public key, signed again. */
static void put_off_curve(const char *name, const struct authority *a,
			  const struct authority *issuer)
{
	char path[PATH_SIZE];
	uint8_t *der = malloc(a->n), signature[128], out[2048], *tbs;
	size_t n = sizeof(signature), at, tbs_n = a->cert.tbs.n;

	memcpy(der, a->der, a->n);
	der[a->cert.public_key - a->der + 63] ^= 1;
	tbs = der + (a->cert.tbs.p - a->der);
	path_of(path, "issuer.key");
	cr_assert(issue_key_write(issuer->key, path));
	FILE *f = fopen(path, "r");
	EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	fclose(f);
	cr_assert_eq(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	cr_assert_eq(EVP_DigestSign(ctx, signature, &n, tbs, tbs_n), 1);
	size_t content = tbs_n + 12 + 3 + n;

	out[0] = 0x30;
	out[1] = 0x82;
	store_be16(out + 2, (uint16_t)content);
	at = 4;
	memcpy(out + at, tbs, tbs_n + 12); /* signatureAlgorithm stands behind it */
	at += tbs_n + 12;
	out[at++] = 0x03;
	out[at++] = (uint8_t)(n + 1);
	out[at++] = 0;
	memcpy(out + at, signature, n);
	put(name, out, at + n);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	free(der);
}

Test(trust, key_off_its_curve_is_refused)
{
	put_off_curve("eum/eum.crt", &w.eum, &w.ci);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_said("eum.crt", false, "not a point of its curve");
	pki_trust_free(t);
}

Test(trust, cert_au_without_its_key_is_refused)
{
	char path[PATH_SIZE];

	path_of(path, "au/au.key");
	cr_assert(issue_key_write(w.eum.key, path));
	cr_expect_null(load());
	expect_said("au.crt", false, "no private key file belongs to it");
	expect_said(w.dir, false, "no usable Cert_AU");
}

Test(trust, second_cert_au_on_a_curve_is_refused)
{
	put_cert("au/second.crt", &w.au);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_said("second.crt", false, "one is used");
	pki_trust_free(t);
}

Test(trust, nothing_at_all_is_an_error)
{
	struct pki_trust_config config = {.now = time(NULL), .crypto_backend = "openssl"};

	said.n = 0;
	cr_expect_null(pki_trust_load(&config, report, NULL));
	cr_expect_eq(said.n, 1u);
}

/* ---------------------------------------------------------------- summary */

static void summarise(const struct pki_trust *t, int64_t now, char *text, size_t size)
{
	FILE *f = fmemopen(text, size, "w");

	pki_trust_summary(t, now, f);
	fclose(f);
}

Test(trust, summary_counts_and_warns_thirty_days_ahead)
{
	char text[2048];
	int64_t now = time(NULL);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	summarise(t, now, text, sizeof(text));
	cr_expect_not_null(strstr(text, "1 CIs, 2 EUMs (0 learned), 1 cross"), "%s", text);
	cr_expect_null(strstr(text, "warning"), "%s", text);
	summarise(t, now + (int64_t)(DAYS - 29) * DAY, text, sizeof(text));
	cr_expect_not_null(strstr(text, "warning: Cert_AU expires in 2"), "%s", text);
	pki_trust_free(t);
}

Test(trust, summary_warns_of_a_ci_whose_ues_cannot_verify_cert_au)
{
	char text[2048];

	take_away("cross/ci-to-operator.crt");
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	summarise(t, time(NULL), text, sizeof(text));
	cr_expect_not_null(strstr(text, "cannot verify Cert_AU"), "%s", text);
	pki_trust_free(t);
}

/* ---------------------------------------------------------------- revocation */

static void put_crl(const char *name, const struct authority *issuer, struct span serial,
		    unsigned int days)
{
	size_t n;
	uint8_t *der = issue_crl(der_of(issuer), issuer->key, &serial, serial.n ? 1 : 0, days, &n);

	cr_assert_not_null(der);
	put(name, der, n);
	free(der);
}

Test(revocation, ci_revokes_an_eum_and_with_it_its_subca)
{
	put_crl("crl/ci.crl", &w.ci, w.eum.cert.serial, 30);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_said("ci.crl", true, "CRL with 1 entries");
	expect_said("eum.crt", false, "revocation list");
	expect_said("subca.crt", false, "no trusted CI");
	pki_trust_free(t);
}

Test(revocation, eum_revokes_its_subca)
{
	put_crl("crl/a-eum.crl", &w.eum, w.subca.cert.serial, 30);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_said("a-eum.crl", true, "CRL with 1 entries");
	expect_said("subca.crt", false, "revocation list");
	cr_expect(knows_eum(t, &w.eum));
	pki_trust_free(t);
}

Test(revocation, operator_ca_revokes_its_trust_in_a_ci)
{
	put_crl("crl/operator.crl", &w.operator_ca, w.operator_to_ci.cert.serial, 30);
	cr_expect_null(load());
	expect_said("/ci.crt", false, "revocation list");
}

Test(revocation, operator_ca_revokes_cert_au)
{
	put_crl("crl/operator.crl", &w.operator_ca, w.au.cert.serial, 30);
	cr_expect_null(load());
	expect_said("au.crt", false, "revocation list");
}

Test(revocation, euicc_is_looked_up_by_issuer_and_serial)
{
	struct pki_trust *t;

	put_crl("crl/subca.crl", &w.subca, w.euicc.cert.serial, 30);
	t = load();
	cr_assert_not_null(t);
	cr_expect(pki_trust_is_revoked(t, w.subca.cert.ski, w.euicc.cert.serial));
	cr_expect_not(pki_trust_is_revoked(t, w.eum.cert.ski, w.euicc.cert.serial));
	cr_expect_not(pki_trust_is_revoked(t, w.subca.cert.ski, w.subca.cert.serial));
	cr_expect_not(pki_trust_is_revoked(t, w.subca.cert.ski, span_make(NULL, 0)));
	pki_trust_free(t);
}

Test(revocation, expired_and_future_lists_are_refused)
{
	struct pki_trust *t;

	put_crl("crl/ci.crl", &w.ci, w.eum.cert.serial, 1);
	t = load_at(time(NULL) + 2 * DAY);
	cr_assert_not_null(t);
	expect_said("ci.crl", false, "nextUpdate has passed");
	cr_expect(knows_eum(t, &w.eum));
	pki_trust_free(t);
	t = load_at(time(NULL) - 7200);
	cr_assert_not_null(t);
	expect_said("ci.crl", false, "thisUpdate is in the future");
	pki_trust_free(t);
}

Test(revocation, list_that_no_trusted_ca_has_signed_is_refused)
{
	struct authority stranger = {0};
	size_t n;

	issue(&stranger, NULL, (struct issue_request){.role = ISSUE_CI, .common_name = "Test CI"});
	put_crl("crl/stranger.crl", &stranger, w.eum.cert.serial, 30);
	uint8_t *der = issue_crl(der_of(&w.ci), w.ci.key, NULL, 0, 30, &n);

	der[n - 1] ^= 1;
	put("crl/tampered.crl", der, n);
	free(der);
	put("crl/rubbish.crl", "\x30\x03\x02\x01\x01", 5);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_said("stranger.crl", false, "no trusted CA");
	expect_said("tampered.crl", false, "no trusted CA");
	expect_said("rubbish.crl", false, "not a v2 CRL");
	cr_expect(knows_eum(t, &w.eum));
	pki_trust_free(t);
	authority_free(&stranger);
}

/* A CRL with one more extension, of the list or of its entry, signed again by the CI. */
static void put_extended_crl(const char *name, int nid, bool of_entry)
{
	char path[PATH_SIZE];
	size_t n;
	uint8_t *der = issue_crl(der_of(&w.ci), w.ci.key, &w.eum.cert.serial, 1, 30, &n),
		*out = NULL;
	const uint8_t *p = der;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)n);
	ASN1_INTEGER *one = ASN1_INTEGER_new();

	cr_assert(crl && one && ASN1_INTEGER_set(one, 1));
	/* The decoder looks at the identifier and at critical; the value may be anything. */
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();

	ASN1_OCTET_STRING_set(value, (const uint8_t *)"\x02\x01\x01", 3);
	X509_EXTENSION *e = X509_EXTENSION_create_by_NID(NULL, nid, 1, value);

	if (of_entry)
		cr_assert_eq(X509_REVOKED_add_ext(
				     sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 0), e, -1),
			     1);
	else
		cr_assert_eq(X509_CRL_add_ext(crl, e, -1), 1);
	path_of(path, "issuer.key");
	cr_assert(issue_key_write(w.ci.key, path));
	FILE *f = fopen(path, "r");
	EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);

	fclose(f);
	cr_assert_gt(X509_CRL_sign(crl, key, EVP_sha256()), 0);
	int length = i2d_X509_CRL(crl, &out);

	cr_assert_gt(length, 0);
	put(name, out, (size_t)length);
	OPENSSL_free(out);
	EVP_PKEY_free(key);
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(value);
	ASN1_INTEGER_free(one);
	X509_CRL_free(crl);
	free(der);
}

Test(revocation, delta_list_is_refused)
{
	put_extended_crl("crl/ci.crl", NID_delta_crl, false);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_said("ci.crl", false, "delta");
	pki_trust_free(t);
}

Test(revocation, list_for_a_part_revokes_what_it_names)
{
	put_extended_crl("crl/ci.crl", NID_issuing_distribution_point, false);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_said("ci.crl", true, "1 entries");
	expect_said("eum.crt", false, "revocation list");
	pki_trust_free(t);
}

Test(revocation, list_with_entries_of_another_issuer_is_refused)
{
	put_extended_crl("crl/ci.crl", NID_certificate_issuer, true);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_said("ci.crl", false, "of another issuer");
	pki_trust_free(t);
}

Test(revocation, large_list_finds_every_serial_and_no_other, .timeout = 120)
{
	enum { N = 20000 };
	static uint8_t numbers[N][8];
	static struct span serials[N];
	size_t n;

	for (unsigned int i = 0; i < N; i++) {
		store_be64(numbers[i], UINT64_C(0x4000000000000000) + 2 * i);
		serials[i] = span_make(numbers[i], 8);
	}
	uint8_t *der = issue_crl(der_of(&w.ci), w.ci.key, serials, N, 30, &n);

	put("crl/ci.crl", der, n);
	free(der);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_said("ci.crl", true, "CRL with 20000 entries");
	for (unsigned int i = 0; i < N; i++) {
		cr_assert(pki_trust_is_revoked(t, w.ci.cert.ski, serials[i]), "%u", i);
		numbers[i][7] |= 1;
		cr_assert_not(pki_trust_is_revoked(t, w.ci.cert.ski, serials[i]), "%u", i);
	}
	pki_trust_free(t);
}

/* Cut and changed lists, in buffers of their exact size for AddressSanitizer. */
Test(revocation, damaged_list_is_refused)
{
	const struct pki_cert *issuers[] = {&w.ci.cert};
	struct span serials[] = {w.eum.cert.serial, w.subca.cert.serial};
	const char *why;
	size_t n;
	uint8_t *der = issue_crl(der_of(&w.ci), w.ci.key, serials, 2, 30, &n);

	for (size_t at = 0; at < n; at++) {
		uint8_t *cut = malloc(at ? at : 1), *changed = malloc(n);

		memcpy(cut, der, at);
		memcpy(changed, der, n);
		changed[at] ^= 0x40;
		cr_expect_null(crl_load(cut, at, issuers, 1, time(NULL), &why), "cut to %zu", at);
		cr_expect_null(crl_load(changed, n, issuers, 1, time(NULL), &why), "octet %zu", at);
		cr_expect_not_null(why);
	}
	free(der);
}

/* ---------------------------------------------------------------- the deny list */

static void to_eid(uint8_t eid[16], const char *digits)
{
	for (unsigned int i = 0; i < 16; i++)
		eid[i] = (uint8_t)((digits[2 * i] - '0') << 4 | (digits[2 * i + 1] - '0'));
}

static bool denied(const struct pki_trust *t, const char *digits)
{
	uint8_t eid[16];

	to_eid(eid, digits);
	return pki_trust_is_denied(t, eid);
}

static void put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

Test(deny, without_a_list_nobody_is_denied)
{
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	cr_expect_not(denied(t, EID));
	pki_trust_free(t);
}

Test(deny, eids_prefixes_comments_and_white_space_are_read)
{
	put_text("deny.txt", "# stolen\n"
			     "  89049032123451234512345678901235   # a comment\r\n"
			     "\n"
			     "8903302*\n"
			     "89033020*\n"
			     "890330219*\n"
			     "00000000000000000000000000000000");
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_said("deny.txt", true, "3 ranges");
	cr_expect(denied(t, EID));
	cr_expect_not(denied(t, "89049032123451234512345678901234"));
	cr_expect_not(denied(t, "89049032123451234512345678901236"));
	cr_expect(denied(t, "89033020000000000000000000000000"));
	cr_expect(denied(t, "89033029999999999999999999999999"));
	cr_expect_not(denied(t, "89033030000000000000000000000000"));
	cr_expect_not(denied(t, "89033019999999999999999999999999"));
	cr_expect(denied(t, "00000000000000000000000000000000"));
	pki_trust_free(t);
}

Test(deny, line_of_any_length_is_one_line)
{
	char text[2048];

	memset(text, '1', sizeof(text));
	text[0] = '#';
	strcpy(text + 1500, "\n8904903212345123451234567890123x\n");
	put_text("deny.txt", text);
	cr_expect_null(load());
	expect_said("deny.txt", false, "line 2:");
}

Test(deny, list_with_an_error_names_the_line_and_refuses_the_whole)
{
	static const char *const wrong[] = {"8904903x", "890490321234512345123456789012351",
					    "8904",	"*",
					    "8904**",	"8904 9032*"};

	for (unsigned int i = 0; i < 6; i++) {
		char text[128];

		snprintf(text, sizeof(text), "# list\n%s\n%s\n", EID, wrong[i]);
		put_text("deny.txt", text);
		cr_expect_null(load(), "%s", wrong[i]);
		expect_said("deny.txt", false, "line 3:");
	}
}

Test(deny, list_that_is_named_and_absent_refuses_the_whole)
{
	struct pki_trust_config config = {.directory = w.dir,
					  .eid_deny_list = "/nonexistent/deny.txt",
					  .crypto_backend = "openssl",
					  .now = time(NULL)};

	said.n = 0;
	cr_expect_null(pki_trust_load(&config, report, NULL));
	expect_said("/nonexistent/deny.txt", false, "cannot be read");
}

/* ---------------------------------------------------------------- learning */

static void forget_eums(void)
{
	take_away("eum/eum.crt");
	take_away("eum/subca.crt");
}

static const struct span none = {NULL, 0};

Test(learn, eum_and_subca_are_in_the_next_snapshot_and_not_in_the_old)
{
	enum pki_error why;

	forget_eums();
	struct pki_trust *old = load();

	cr_assert_not_null(old);
	struct pki_trust *next =
		pki_trust_with_eum(old, der_of(&w.eum), der_of(&w.subca), time(NULL), &why);

	cr_assert_not_null(next, "%s", pki_error_text(why));
	cr_expect(!knows_eum(old, &w.eum) && !knows_eum(old, &w.subca));
	pki_trust_free(old);
	cr_expect(knows_eum(next, &w.eum) && knows_eum(next, &w.subca));
	const struct pki_issuer *subca =
		pki_trust_find_eum(next, w.subca.cert.ski, w.subca.cert.subject);

	cr_expect(span_equal(subca->parent->cert.der, der_of(&w.eum)));
	cr_expect_neq(subca->cert.der.p, w.subca.der, "a copy of its own");
	cr_expect_not_null(pki_trust_au(next, CRYPTO_P256));
	pki_trust_free(next);
}

Test(learn, subca_of_a_known_eum_is_learned_alone)
{
	enum pki_error why;

	take_away("eum/subca.crt");
	struct pki_trust *old = load();
	struct pki_trust *next =
		pki_trust_with_eum(old, der_of(&w.eum), der_of(&w.subca), time(NULL), &why);
	char text[1024];

	cr_assert_not_null(next, "%s", pki_error_text(why));
	summarise(next, time(NULL), text, sizeof(text));
	cr_expect_not_null(strstr(text, "2 EUMs (1 learned)"), "%s", text);
	pki_trust_free(next);
	pki_trust_free(old);
}

Test(learn, known_eum_makes_no_snapshot)
{
	enum pki_error why = PKI_MALFORMED;
	struct pki_trust *old = load();

	cr_expect_null(pki_trust_with_eum(old, der_of(&w.eum), none, time(NULL), &why));
	cr_expect_eq(why, PKI_OK);
	cr_expect_null(pki_trust_with_eum(old, der_of(&w.eum), der_of(&w.subca), time(NULL), &why));
	cr_expect_eq(why, PKI_OK);
	pki_trust_free(old);
}

Test(learn, number_of_learned_eums_is_bounded)
{
	struct pki_trust *t = load();
	enum pki_error why;

	for (unsigned int i = 0; i < 5; i++) {
		struct authority eum = {0};
		char name[16];

		snprintf(name, sizeof(name), "Maker %u", i);
		issue(&eum, &w.ci,
		      (struct issue_request){
			      .role = ISSUE_EUM, .organisation = name, .eid_prefix = PREFIX});
		struct pki_trust *next =
			pki_trust_with_eum(t, der_of(&eum), none, time(NULL), &why);

		cr_expect_eq(why, PKI_OK);
		cr_expect_eq(next != NULL, i < 4, "EUM %u", i);
		if (next) {
			pki_trust_free(t);
			t = next;
		}
		authority_free(&eum);
	}
	pki_trust_free(t);
}

Test(learn, eum_is_verified_again)
{
	enum pki_error why;
	uint8_t rubbish[64] = {0x30, 0x3e};

	forget_eums();
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	w.eum.der[w.eum.n - 1] ^= 1;
	cr_expect_null(pki_trust_with_eum(t, der_of(&w.eum), none, time(NULL), &why));
	cr_expect_eq(why, PKI_SIGNATURE);
	cr_expect_null(pki_trust_with_eum(t, der_of(&w.subca), none, time(NULL), &why));
	cr_expect_eq(why, PKI_UNKNOWN_CI);
	cr_expect_null(
		pki_trust_with_eum(t, span_make(rubbish, sizeof(rubbish)), none, time(NULL), &why));
	cr_expect_eq(why, PKI_MALFORMED);
	cr_expect_null(pki_trust_with_eum(t, none, none, time(NULL), &why));
	cr_expect_eq(why, PKI_MALFORMED);
	w.eum.der[w.eum.n - 1] ^= 1;
	cr_expect_null(
		pki_trust_with_eum(t, der_of(&w.eum), none, time(NULL) + (int64_t)500 * DAY, &why));
	cr_expect_eq(why, PKI_EXPIRED);
	w.subca.der[w.subca.n - 1] ^= 1;
	cr_expect_null(pki_trust_with_eum(t, der_of(&w.eum), der_of(&w.subca), time(NULL), &why));
	cr_expect_eq(why, PKI_SIGNATURE);
	pki_trust_free(t);
}

Test(learn, revoked_eum_is_not_learned)
{
	enum pki_error why;

	forget_eums();
	put_crl("crl/ci.crl", &w.ci, w.eum.cert.serial, 30);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	cr_expect_null(pki_trust_with_eum(t, der_of(&w.eum), none, time(NULL), &why));
	cr_expect_eq(why, PKI_REVOKED);
	pki_trust_free(t);
}

/* ---------------------------------------------------------------- loading, and what it says */

static struct {
	unsigned int n;
	struct {
		char file[PATH_SIZE], text[PATH_SIZE];
		bool accepted;
	} list[REPORTS_MAX];
} reports;

static void note(void *arg, const char *file, bool accepted, const char *text)
{
	cr_assert_eq(arg, &reports);
	cr_assert_lt(reports.n, (unsigned int)REPORTS_MAX);
	snprintf(reports.list[reports.n].file, PATH_SIZE, "%s", file);
	snprintf(reports.list[reports.n].text, PATH_SIZE, "%s", text);
	reports.list[reports.n++].accepted = accepted;
}

static void quiet(void *arg, const char *file, bool accepted, const char *text)
{
	(void)arg;
	(void)file;
	(void)accepted;
	(void)text;
}

static struct pki_trust_config config(void)
{
	return (struct pki_trust_config){.directory = root,
					 .crypto_backend = "openssl",
					 .max_learned_eums = 4,
					 .now = time(NULL)};
}

static struct pki_trust *load_with(const struct pki_trust_config *c)
{
	reports.n = 0;
	return pki_trust_load(c, note, &reports);
}

static struct pki_trust *load(void)
{
	struct pki_trust_config c = config();

	return load_with(&c);
}

/* One report of the file alone, with this outcome and with `text` in its words. */
static void expect_report(const char *name, bool accepted, const char *text)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < reports.n; i++) {
		if (strcmp(reports.list[i].file, in_root(name)) != 0)
			continue;
		found++;
		cr_expect_eq(reports.list[i].accepted, accepted, "%s: %s", name,
			     reports.list[i].text);
		cr_expect_not_null(strstr(reports.list[i].text, text), "%s: '%s' without '%s'",
				   name, reports.list[i].text, text);
	}
	cr_expect_eq(found, 1u, "%s: %u reports", name, found);
}

static void expect_refused(const char *name, enum pki_error e)
{
	expect_report(name, false, pki_error_text(e));
}

static const struct pki_issuer *find_eum(const struct pki_trust *t, const struct authority *a)
{
	return pki_trust_find_eum(t, a->cert.ski, a->cert.subject);
}

static const struct pki_issuer *find_ci(const struct pki_trust *t, const struct authority *a)
{
	return pki_trust_find_ci(t, a->cert.ski, a->cert.subject);
}

static void make_pem(const char *name, const char *label, const struct authority *a)
{
	FILE *f = fopen(in_root(name), "w");

	cr_assert_not_null(f);
	cr_assert_gt(PEM_write(f, label, "", a->der, (long)a->n), 0);
	fclose(f);
}

TestSuite(load, .init = setup, .fini = teardown);
TestSuite(ci, .init = setup, .fini = teardown);
TestSuite(cross, .init = setup, .fini = teardown);
TestSuite(au, .init = setup, .fini = teardown);
TestSuite(eum, .init = setup, .fini = teardown);
TestSuite(crl, .init = setup, .fini = teardown);
TestSuite(deny, .init = setup, .fini = teardown);
TestSuite(learn, .init = setup, .fini = teardown);
TestSuite(summary, .init = setup, .fini = teardown);

Test(load, directory_gives_everything_and_each_file_is_reported_once)
{
	uint8_t scalar[32];
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	cr_expect_eq(reports.n, 6u);
	expect_report("operator-ca/ca.crt", true, "operator CA");
	expect_report("ci/ci.crt", true, "CI");
	expect_report("cross/for-ci.crt", true, "cross-certificate");
	expect_report("cross/for-operator.crt", true, "given to UEs");
	expect_report("au/au.crt", true, "Cert_AU");
	expect_report("eum/eum.crt", true, "EUM");

	const struct pki_issuer *i = find_eum(t, &eum);

	cr_assert_not_null(i);
	cr_expect_not_null(i->key);
	cr_expect(span_equal(i->cert.der, der_of(&eum)));
	cr_expect_eq(i->parent, find_ci(t, &ci));
	cr_expect_null(i->parent->parent);
	cr_expect_not_null(i->parent->key);
	cr_assert_not_null(pki_trust_au(t, CRYPTO_P256));
	cr_expect_null(pki_trust_au(t, CRYPTO_BRAINPOOLP256R1));
	cr_expect(span_equal(pki_trust_au(t, CRYPTO_P256)->cert.der, der_of(&au)));
	issue_key_scalar(au.key, scalar);
	cr_expect_arr_eq(pki_trust_au(t, CRYPTO_P256)->private_key, scalar, 32);
	pki_trust_free(t);
}

Test(load, key_identifier_and_name_must_both_match)
{
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	cr_expect_null(pki_trust_find_eum(t, eum.cert.ski, ci.cert.subject));
	cr_expect_null(pki_trust_find_eum(t, ci.cert.ski, eum.cert.subject));
	cr_expect_null(pki_trust_find_eum(t, span_make(NULL, 0), eum.cert.subject));
	cr_expect_null(pki_trust_find_ci(t, ci.cert.ski, eum.cert.subject));
	cr_expect_null(pki_trust_find_ci(t, eum.cert.ski, ci.cert.subject));
	cr_expect_null(find_eum(t, &ci), "a CI is no EUM");
	pki_trust_free(t);
}

Test(load, pem_is_as_good_as_der)
{
	make_pem("ci/ci.crt", "CERTIFICATE", &ci);
	make_pem("eum/eum.crt", "CERTIFICATE", &eum);
	make_pem("au/au.crt", "CERTIFICATE", &au);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	cr_expect_not_null(find_eum(t, &eum));
	pki_trust_free(t);
}

Test(load, paths_are_added_to_what_the_directory_gives)
{
	struct authority other = {0};
	struct pki_trust_config c = config();
	char *paths[] = {(char *)(uintptr_t)in_root("other/ci.crt")};
	char *crosses[] = {(char *)(uintptr_t)in_root("other/cross.crt")};
	char *nothing[] = {(char *)(uintptr_t)in_root("other/absent.crl")};
	struct issue_request r = CI_REQUEST;

	r.common_name = "Another CI";
	issue(&other, NULL, CRYPTO_P256, r);
	write_certificate("other/ci.crt", &other);
	write_cross("other/cross.crt", ISSUE_CROSS_CI, &ca, &other);
	c.cis = paths;
	c.cross_certificates = crosses;
	c.crls = nothing;
	c.n_cis = c.n_cross_certificates = c.n_crls = 1;
	struct pki_trust *t = load_with(&c);

	cr_assert_not_null(t);
	cr_expect_not_null(find_ci(t, &ci));
	cr_expect_not_null(find_ci(t, &other));
	expect_report("other/absent.crl", false, "cannot be read");
	pki_trust_free(t);
	authority_free(&other);
}

Test(load, file_that_is_no_certificate_is_refused_alone)
{
	write_text("eum/a-text.crt", "not a certificate\n");
	write_text("eum/b-empty.crt", "");
	write_file("eum/c-cut.crt", eum.der, eum.n - 1);
	write_text("eum/readme.txt", "not looked at");
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_report("eum/a-text.crt", false, "neither DER nor PEM");
	expect_report("eum/b-empty.crt", false, "cannot be read");
	expect_refused("eum/c-cut.crt", PKI_MALFORMED);
	expect_report("eum/eum.crt", true, "EUM");
	cr_expect_not_null(find_eum(t, &eum));
	pki_trust_free(t);
}

Test(load, directory_that_does_not_exist_is_not_usable)
{
	struct pki_trust_config c = config();

	c.directory = in_root("absent");
	cr_expect_null(load_with(&c));
	expect_report("absent", false, "no trusted CI");
}

/* ---------------------------------------------------------------- CIs */

Test(ci, without_a_cross_certificate_of_the_operator_ca_is_not_trusted)
{
	unlink(in_root("cross/for-ci.crt"));
	cr_expect_null(load());
	expect_report("ci/ci.crt", false, "no operator CA has cross-certified");
	expect_refused("eum/eum.crt", PKI_UNKNOWN_CI);
}

Test(ci, cross_certificate_for_another_key_of_the_same_name_does_not_count)
{
	struct authority impostor = {0};

	issue(&impostor, NULL, CRYPTO_P256, CI_REQUEST);
	write_certificate("ci/ci.crt", &impostor);
	cr_expect_null(load());
	expect_report("ci/ci.crt", false, "no operator CA has cross-certified");
	authority_free(&impostor);
}

Test(ci, cross_certificate_of_an_operator_ca_that_is_not_ours_does_not_count)
{
	struct authority stranger = {0};

	issue(&stranger, NULL, CRYPTO_P256, CA_REQUEST);
	write_cross("cross/for-ci.crt", ISSUE_CROSS_CI, &stranger, &ci);
	cr_expect_null(load());
	expect_report("ci/ci.crt", false, "no operator CA has cross-certified");
	authority_free(&stranger);
}

Test(ci, reissued_with_the_same_key_is_the_same_ci)
{
	write_certificate("ci/old.crt", &ci);
	issue(&ci, NULL, CRYPTO_P256, CI_REQUEST);
	write_certificate("ci/ci.crt", &ci);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_report("ci/ci.crt", true, "CI");
	expect_report("ci/old.crt", true, "CI");
	cr_expect_not_null(find_eum(t, &eum));
	pki_trust_free(t);
}

Test(ci, bad_self_signature_is_refused)
{
	struct issue_request r = CI_REQUEST;

	r.fault = ISSUE_FAULT_SIGNATURE;
	issue(&ci, NULL, CRYPTO_P256, r);
	write_certificate("ci/ci.crt", &ci);
	cr_expect_null(load());
	expect_refused("ci/ci.crt", PKI_SIGNATURE);
}

/* ---------------------------------------------------------------- cross-certificates for UEs */

Test(cross, ue_gets_the_one_of_its_ci)
{
	struct pki_trust *t = load();
	struct pki_cert given;

	cr_assert_not_null(t);
	int index = pki_trust_cross_for_ci(t, ci.cert.ski);

	cr_assert_geq(index, 0);
	cr_assert_eq(pki_cert_parse(&given, pki_trust_cross_der(t, index)), PKI_OK);
	cr_expect(span_equal(given.issuer, ci.cert.subject));
	cr_expect_eq(pki_cert_issued_by(&au.cert, &given), PKI_OK);
	cr_expect_eq(pki_cert_verify(&au.cert, &given), PKI_OK);
	cr_expect_eq(pki_trust_cross_default(t, CRYPTO_P256), index);
	cr_expect_eq(pki_trust_cross_default(t, CRYPTO_BRAINPOOLP256R1), -1);
	cr_expect_eq(pki_trust_cross_for_ci(t, eum.cert.ski), -1);
	cr_expect_eq(pki_trust_cross_der(t, -1).n, 0u);
	cr_expect_eq(pki_trust_cross_der(t, 1).n, 0u);
	pki_trust_free(t);
}

Test(cross, for_an_operator_ca_that_did_not_issue_cert_au_is_not_given_to_ues)
{
	struct authority old_ca = {0};
	struct issue_request r = CA_REQUEST;

	r.common_name = "Old CA";
	issue(&old_ca, NULL, CRYPTO_P256, r);
	write_certificate("operator-ca/a-old.crt", &old_ca);
	write_cross("cross/a-for-old.crt", ISSUE_CROSS_OPERATOR, &ci, &old_ca);
	struct pki_trust *t = load();
	struct pki_cert given;

	cr_assert_not_null(t);
	expect_report("cross/a-for-old.crt", false, "Cert_AU");
	cr_assert_eq(pki_cert_parse(&given,
				    pki_trust_cross_der(t, pki_trust_cross_for_ci(t, ci.cert.ski))),
		     PKI_OK);
	cr_expect_eq(pki_cert_issued_by(&au.cert, &given), PKI_OK);
	pki_trust_free(t);
	authority_free(&old_ca);
}

Test(cross, of_a_stranger_is_refused)
{
	struct authority stranger = {0};

	issue(&stranger, NULL, CRYPTO_P256, CI_REQUEST);
	write_cross("cross/for-operator.crt", ISSUE_CROSS_OPERATOR, &stranger, &ca);
	struct pki_trust *t = load();

	cr_assert_not_null(t, "EUMs can still be verified");
	expect_report("cross/for-operator.crt", false, "neither from a known operator CA");
	cr_expect_eq(pki_trust_cross_default(t, CRYPTO_P256), -1);
	pki_trust_free(t);
	authority_free(&stranger);
}

/* ---------------------------------------------------------------- Cert_AU */

Test(au, without_a_private_key_is_not_usable)
{
	unlink(in_root("au/au.key"));
	cr_expect_null(load());
	expect_report("au/au.crt", false, "no private key file belongs to it");
}

Test(au, with_the_private_key_of_another_is_not_usable)
{
	unlink(in_root("au/au.key"));
	cr_assert(issue_key_write(eum.key, in_root("au/au.key")));
	cr_expect_null(load());
	expect_report("au/au.crt", false, "no private key file belongs to it");
}

Test(au, private_key_may_be_64_hex_digits)
{
	uint8_t scalar[32];
	char hex[66] = {0};

	issue_key_scalar(au.key, scalar);
	for (unsigned int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", scalar[i]);
	hex[64] = '\n';
	unlink(in_root("au/au.key"));
	write_text("au/au.key", hex);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	cr_expect_arr_eq(pki_trust_au(t, CRYPTO_P256)->private_key, scalar, 32);
	pki_trust_free(t);
}

Test(au, each_fault_is_refused_in_its_own_words)
{
	static const struct {
		enum issue_fault fault;
		enum pki_error expected;
	} rows[] = {
		{ISSUE_FAULT_EXPIRED, PKI_EXPIRED},
		{ISSUE_FAULT_NOT_YET_VALID, PKI_NOT_YET_VALID},
		{ISSUE_FAULT_USAGE, PKI_USAGE},
		{ISSUE_FAULT_CRITICAL, PKI_UNSUPPORTED},
		{ISSUE_FAULT_SIGNATURE, PKI_SIGNATURE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct issue_request r = AU_REQUEST;

		r.fault = rows[i].fault;
		issue(&au, &ca, CRYPTO_P256, r);
		write_certificate("au/au.crt", &au);
		cr_expect_null(load(), "fault %d", rows[i].fault);
		expect_refused("au/au.crt", rows[i].expected);
	}
}

Test(au, of_a_stranger_is_refused)
{
	struct authority stranger = {0};

	issue(&stranger, NULL, CRYPTO_P256, CA_REQUEST);
	issue(&au, &stranger, CRYPTO_P256, AU_REQUEST);
	write_certificate("au/au.crt", &au);
	cr_expect_null(load());
	expect_report("au/au.crt", false, "not issued by a known operator CA");
	authority_free(&stranger);
}

Test(au, successor_serves_when_the_first_has_expired)
{
	struct authority next = {0};
	struct issue_request r = AU_REQUEST;

	r.fault = ISSUE_FAULT_EXPIRED;
	issue(&au, &ca, CRYPTO_P256, r);
	write_certificate("au/au.crt", &au);
	issue(&next, &ca, CRYPTO_P256, AU_REQUEST);
	write_certificate("au/next.crt", &next);
	cr_assert(issue_key_write(next.key, in_root("au/next.key")));
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_refused("au/au.crt", PKI_EXPIRED);
	cr_expect(span_equal(pki_trust_au(t, CRYPTO_P256)->cert.der, der_of(&next)));
	pki_trust_free(t);
	authority_free(&next);
}

/* ---------------------------------------------------------------- EUMs */

Test(eum, each_fault_is_refused_in_its_own_words_and_the_rest_serves)
{
	static const struct {
		enum issue_fault fault;
		enum pki_error expected;
	} rows[] = {
		{ISSUE_FAULT_EXPIRED, PKI_EXPIRED},
		{ISSUE_FAULT_NOT_YET_VALID, PKI_NOT_YET_VALID},
		{ISSUE_FAULT_POLICY, PKI_POLICY},
		{ISSUE_FAULT_USAGE, PKI_USAGE},
		{ISSUE_FAULT_CRITICAL, PKI_UNSUPPORTED},
		{ISSUE_FAULT_SIGNATURE, PKI_SIGNATURE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct issue_request r = eum_request(ISSUE_VARIANT_O, "Faulty EUM");
		struct authority faulty = {0};

		r.fault = rows[i].fault;
		issue(&faulty, &ci, CRYPTO_P256, r);
		write_certificate("eum/faulty.crt", &faulty);
		struct pki_trust *t = load();

		cr_assert_not_null(t);
		expect_refused("eum/faulty.crt", rows[i].expected);
		expect_report("eum/eum.crt", true, "EUM");
		cr_expect_null(find_eum(t, &faulty));
		cr_expect_not_null(find_eum(t, &eum));
		pki_trust_free(t);
		authority_free(&faulty);
	}
}

Test(eum, of_a_ci_that_is_not_trusted_is_refused)
{
	struct authority stranger = {0}, other = {0};

	issue(&stranger, NULL, CRYPTO_P256, CI_REQUEST);
	issue(&other, &stranger, CRYPTO_P256, EUM_REQUEST);
	write_certificate("eum/other.crt", &other);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_refused("eum/other.crt", PKI_UNKNOWN_CI);
	pki_trust_free(t);
	authority_free(&stranger);
	authority_free(&other);
}

Test(eum, subca_hangs_below_its_eum_whatever_the_order_of_files)
{
	struct authority tier = {0}, subca = {0};
	struct issue_request r = eum_request(ISSUE_VARIANT_A, "EUM of variant A");

	issue(&tier, &ci, CRYPTO_P256, r);
	r.role = ISSUE_EUM_SUBCA;
	r.common_name = "EUM SubCA";
	issue(&subca, &tier, CRYPTO_P256, r);
	write_certificate("eum/a-subca.crt", &subca);
	write_certificate("eum/z-eum.crt", &tier);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_report("eum/a-subca.crt", true, "SubCA");
	cr_assert_not_null(find_eum(t, &subca));
	cr_expect_eq(find_eum(t, &subca)->parent, find_eum(t, &tier));
	pki_trust_free(t);

	unlink(in_root("eum/z-eum.crt"));
	t = load();
	cr_assert_not_null(t);
	expect_report("eum/a-subca.crt", false, "");
	cr_expect_null(find_eum(t, &subca));
	pki_trust_free(t);
	authority_free(&tier);
	authority_free(&subca);
}

Test(eum, hundreds_are_each_found)
{
	enum { N = 300 };
	static struct authority many[N];
	char name[64];

	for (unsigned int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "EUM %u", i);
		issue(&many[i], &ci, CRYPTO_P256, eum_request(ISSUE_VARIANT_O, name));
		snprintf(name, sizeof(name), "eum/%u.crt", i);
		write_certificate(name, &many[i]);
	}
	struct pki_trust_config c = config();
	struct pki_trust *t = pki_trust_load(&c, quiet, NULL);

	cr_assert_not_null(t);
	for (unsigned int i = 0; i < N; i++) {
		const struct pki_issuer *found = find_eum(t, &many[i]);

		cr_assert_not_null(found, "%u", i);
		cr_expect(span_equal(found->cert.der, der_of(&many[i])));
		authority_free(&many[i]);
	}
	pki_trust_free(t);
}

/* ---------------------------------------------------------------- revocation lists */

static struct span octets(uint8_t out[4], uint32_t serial)
{
	store_be32(out, serial);
	return span_make(out, 4);
}

Test(crl, revoked_eum_is_refused_at_load)
{
	write_crl("crl/ci.crl", &ci, &eum.cert.serial, 1, 30);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_report("crl/ci.crl", true, "1 entries");
	expect_refused("eum/eum.crt", PKI_REVOKED);
	cr_expect_null(find_eum(t, &eum));
	cr_expect(pki_trust_is_revoked(t, ci.cert.ski, eum.cert.serial));
	cr_expect_not(pki_trust_is_revoked(t, ca.cert.ski, eum.cert.serial),
		      "of this issuer alone");
	cr_expect_not(pki_trust_is_revoked(t, ci.cert.ski, au.cert.serial));
	pki_trust_free(t);
}

Test(crl, ci_whose_cross_certificate_is_revoked_is_not_trusted)
{
	struct pki_cert cross;
	size_t n;
	uint8_t *der = pki_file_read(in_root("cross/for-ci.crt"), &n);

	cr_assert_eq(pki_cert_parse(&cross, span_make(der, n)), PKI_OK);
	write_crl("crl/operator.crl", &ca, &cross.serial, 1, 30);
	cr_expect_null(load());
	expect_refused("ci/ci.crt", PKI_REVOKED);
	expect_refused("cross/for-ci.crt", PKI_REVOKED);
	free(der);
}

Test(crl, revoked_cert_au_is_not_used)
{
	write_crl("crl/operator.crl", &ca, &au.cert.serial, 1, 30);
	cr_expect_null(load());
	expect_refused("au/au.crt", PKI_REVOKED);
}

Test(crl, revoked_cross_certificate_is_not_given_to_ues)
{
	struct pki_cert cross;
	size_t n;
	uint8_t *der = pki_file_read(in_root("cross/for-operator.crt"), &n);

	cr_assert_eq(pki_cert_parse(&cross, span_make(der, n)), PKI_OK);
	write_crl("crl/ci.crl", &ci, &cross.serial, 1, 30);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_refused("cross/for-operator.crt", PKI_REVOKED);
	cr_expect_eq(pki_trust_cross_for_ci(t, ci.cert.ski), -1);
	pki_trust_free(t);
	free(der);
}

Test(crl, list_of_an_eum_counts_when_it_may_sign_lists)
{
	struct authority signer = {0};
	uint8_t octets4[4];
	struct span serial = octets(octets4, 0x01020304);

	issue(&signer, &ci, CRYPTO_P256, eum_request(ISSUE_VARIANT_B, "EUM that signs lists"));
	cr_assert(signer.cert.key_usage & PKI_USAGE_CRL_SIGN);
	write_certificate("eum/signer.crt", &signer);
	write_crl("crl/a-signer.crl", &signer, &serial, 1, 30);
	/* Variant O: keyCertSign alone. */
	write_crl("crl/b-variant-o.crl", &eum, &serial, 1, 30);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_report("crl/a-signer.crl", true, "1 entries");
	expect_report("crl/b-variant-o.crl", false, "may sign CRLs");
	cr_expect(pki_trust_is_revoked(t, signer.cert.ski, serial));
	cr_expect_not(pki_trust_is_revoked(t, eum.cert.ski, serial));
	pki_trust_free(t);
	authority_free(&signer);
}

Test(crl, list_of_a_stranger_with_a_known_name_is_refused)
{
	struct authority stranger = {0};

	issue(&stranger, NULL, CRYPTO_P256, CI_REQUEST);
	write_crl("crl/ci.crl", &stranger, &eum.cert.serial, 1, 30);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_report("crl/ci.crl", false, "no trusted CA");
	cr_expect_not_null(find_eum(t, &eum));
	pki_trust_free(t);
	authority_free(&stranger);
}

Test(crl, list_that_has_passed_its_next_update_is_refused)
{
	struct pki_trust_config c = config();

	write_crl("crl/ci.crl", &ci, &eum.cert.serial, 1, 1);
	c.now += 2 * DAY;
	struct pki_trust *t = load_with(&c);

	cr_assert_not_null(t);
	expect_report("crl/ci.crl", false, "nextUpdate has passed");
	cr_expect_not_null(find_eum(t, &eum));
	pki_trust_free(t);
}

Test(crl, list_of_the_future_is_refused)
{
	struct pki_trust_config c = config();

	write_crl("crl/ci.crl", &ci, &eum.cert.serial, 1, 30);
	c.now -= 7200;
	struct pki_trust *t = load_with(&c);

	cr_assert_not_null(t);
	expect_report("crl/ci.crl", false, "thisUpdate");
	pki_trust_free(t);
}

Test(crl, list_in_pem_is_as_good)
{
	struct authority list = {0};

	list.der = issue_crl(der_of(&ci), ci.key, &eum.cert.serial, 1, 30, &list.n);
	cr_assert_not_null(list.der);
	make_pem("crl/ci.crl", "X509 CRL", &list);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_report("crl/ci.crl", true, "1 entries");
	expect_refused("eum/eum.crt", PKI_REVOKED);
	pki_trust_free(t);
	authority_free(&list);
}

Test(crl, no_octet_of_a_list_can_be_changed)
{
	size_t n;
	uint8_t *der = issue_crl(der_of(&ci), ci.key, &eum.cert.serial, 1, 30, &n);

	cr_assert_not_null(der);
	for (size_t at = 0; at < n; at++) {
		der[at] ^= 1;
		write_file("crl/ci.crl", der, n);
		der[at] ^= 1;
		struct pki_trust *t = load();

		cr_assert_not_null(t);
		expect_report("crl/ci.crl", false, "");
		cr_expect_not_null(find_eum(t, &eum), "octet %zu", at);
		pki_trust_free(t);
	}
	for (size_t cut = 0; cut < n; cut += 7) {
		write_file("crl/ci.crl", der, cut);
		struct pki_trust *t = load();

		cr_assert_not_null(t);
		expect_report("crl/ci.crl", false, "");
		pki_trust_free(t);
	}
	free(der);
}

Test(crl, large_list_loads_at_once_and_has_every_serial, .timeout = 120)
{
	enum { N = 200000 };
	struct span *serials = calloc(N, sizeof(*serials));
	uint8_t *values = calloc(N, 4), other[4];
	struct timespec begin, end;

	for (uint32_t i = 0; i < N; i++)
		serials[i] = octets(values + 4 * i, 0x10000000 + 3 * i);
	write_crl("crl/ci.crl", &ci, serials, N, 30);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	struct pki_trust *t = load();

	clock_gettime(CLOCK_MONOTONIC, &end);
	cr_assert_not_null(t);
	expect_report("crl/ci.crl", true, "200000 entries");
	/* A bound far above what it takes, also with sanitizers: it catches quadratic work. */
	cr_expect_lt(end.tv_sec - begin.tv_sec, 20);
	for (uint32_t i = 0; i < N; i++) {
		cr_assert(pki_trust_is_revoked(t, ci.cert.ski, serials[i]), "%u", i);
		cr_assert_not(pki_trust_is_revoked(t, ci.cert.ski,
						   octets(other, 0x10000000 + 3 * i + 1)));
	}
	pki_trust_free(t);
	free(serials);
	free(values);
}

/* ---------------------------------------------------------------- the EID deny list */

static bool is_denied(const struct pki_trust *t, const char *digits)
{
	uint8_t eid[16];

	for (unsigned int i = 0; i < 16; i++)
		eid[i] = (uint8_t)((digits[2 * i] - '0') << 4 | (digits[2 * i + 1] - '0'));
	return pki_trust_is_denied(t, eid);
}

Test(deny, eids_and_prefixes_are_denied_and_nothing_else)
{
	write_text("deny.txt", "# stolen in transit\n"
			       "89049032123451234512345678901235\n"
			       "\n"
			       "  890490339*\t# a whole batch \r\n"
			       "8904903391*\n"
			       "89049032123451234512345678901235");
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_report("deny.txt", true, "2 ranges");
	cr_expect(is_denied(t, "89049032123451234512345678901235"));
	cr_expect_not(is_denied(t, "89049032123451234512345678901234"));
	cr_expect_not(is_denied(t, "89049032123451234512345678901236"));
	cr_expect(is_denied(t, "89049033900000000000000000000000"));
	cr_expect(is_denied(t, "89049033999999999999999999999999"));
	cr_expect(is_denied(t, "89049033920000000000000000000000"), "beyond the part of it");
	cr_expect_not(is_denied(t, "89049033899999999999999999999999"));
	cr_expect_not(is_denied(t, "89049034000000000000000000000000"));
	pki_trust_free(t);
}

Test(deny, without_a_list_nobody_is_denied)
{
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	cr_expect_not(is_denied(t, "89049032123451234512345678901235"));
	pki_trust_free(t);
}

Test(deny, list_with_an_error_stops_service_and_names_the_line)
{
	static const char *const wrong[] = {
		"8904903212345123451234567890123",   /* 31 digits */
		"890490321234512345123456789012351", /* 33 */
		"89049032*1",			     /* beyond the star */
		"8904903x*",			     /* a letter */
		"*",				     /* everybody */
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[128];

		snprintf(text, sizeof(text), "# first\n8904*\n%s\n", wrong[i]);
		write_text("deny.txt", text);
		cr_expect_null(load(), "%s", wrong[i]);
		expect_report("deny.txt", false, "line 3");
	}
}

Test(deny, configured_list_that_is_absent_stops_service)
{
	struct pki_trust_config c = config();

	c.eid_deny_list = in_root("other/deny.txt");
	cr_expect_null(load_with(&c));
	expect_report("other/deny.txt", false, "cannot be read");
}

/* ---------------------------------------------------------------- learning EUMs */

static const struct span NONE = {NULL, 0};

Test(learn, new_snapshot_has_the_eum_and_the_old_one_has_not)
{
	struct pki_trust *old, *t;
	enum pki_error why;

	unlink(in_root("eum/eum.crt"));
	old = load();
	cr_assert_not_null(old);
	t = pki_trust_with_eum(old, der_of(&eum), NONE, time(NULL), &why);
	cr_assert_not_null(t);
	cr_expect_eq(why, PKI_OK);
	cr_expect_null(find_eum(old, &eum));
	pki_trust_free(old);
	/* The new one stands without the old one, and without the octets that it was given. */
	const struct pki_issuer *i = find_eum(t, &eum);

	cr_assert_not_null(i);
	cr_expect_neq(i->cert.der.p, eum.der);
	cr_expect_not_null(i->key);
	cr_expect_eq(i->parent, find_ci(t, &ci));
	cr_expect_not_null(pki_trust_au(t, CRYPTO_P256));
	pki_trust_free(t);
}

Test(learn, old_snapshot_outlives_the_new_one)
{
	struct pki_trust *old = load(), *t;
	struct authority other = {0};
	enum pki_error why;

	issue(&other, &ci, CRYPTO_P256, eum_request(ISSUE_VARIANT_O, "Another EUM"));
	t = pki_trust_with_eum(old, der_of(&other), NONE, time(NULL), &why);
	cr_assert_not_null(t);
	cr_expect_eq(find_eum(t, &eum), find_eum(old, &eum), "shared");
	pki_trust_free(t);
	cr_expect_not_null(find_eum(old, &eum)->key);
	pki_trust_free(old);
	authority_free(&other);
}

Test(learn, subca_comes_with_its_eum_or_after_it)
{
	struct authority tier = {0}, first = {0}, second = {0};
	struct issue_request r = eum_request(ISSUE_VARIANT_A, "EUM of variant A");
	struct pki_trust *a = load(), *b, *c;
	enum pki_error why;

	issue(&tier, &ci, CRYPTO_P256, r);
	r.role = ISSUE_EUM_SUBCA;
	r.common_name = "First SubCA";
	issue(&first, &tier, CRYPTO_P256, r);
	r.common_name = "Second SubCA";
	issue(&second, &tier, CRYPTO_P256, r);
	b = pki_trust_with_eum(a, der_of(&tier), der_of(&first), time(NULL), &why);
	cr_assert_not_null(b, "%s", pki_error_name(why));
	c = pki_trust_with_eum(b, der_of(&tier), der_of(&second), time(NULL), &why);
	cr_assert_not_null(c, "%s", pki_error_name(why));
	pki_trust_free(a);
	pki_trust_free(b);
	cr_expect_eq(find_eum(c, &first)->parent, find_eum(c, &tier));
	cr_expect_eq(find_eum(c, &second)->parent, find_eum(c, &tier));
	pki_trust_free(c);
	authority_free(&tier);
	authority_free(&first);
	authority_free(&second);
}

Test(learn, known_eum_makes_no_new_snapshot)
{
	struct pki_trust *t = load();
	enum pki_error why = PKI_ERROR_N;

	cr_expect_null(pki_trust_with_eum(t, der_of(&eum), NONE, time(NULL), &why));
	cr_expect_eq(why, PKI_OK);
	pki_trust_free(t);
}

Test(learn, no_more_than_the_configured_number)
{
	struct pki_trust_config c = config();
	struct authority other = {0}, one_more = {0};
	enum pki_error why = PKI_ERROR_N;

	c.max_learned_eums = 1;
	struct pki_trust *t = load_with(&c), *full;

	issue(&other, &ci, CRYPTO_P256, eum_request(ISSUE_VARIANT_O, "Another EUM"));
	issue(&one_more, &ci, CRYPTO_P256, eum_request(ISSUE_VARIANT_O, "One EUM more"));
	full = pki_trust_with_eum(t, der_of(&other), NONE, time(NULL), &why);
	cr_assert_not_null(full);
	cr_expect_null(pki_trust_with_eum(full, der_of(&one_more), NONE, time(NULL), &why));
	cr_expect_eq(why, PKI_OK);
	pki_trust_free(t);
	pki_trust_free(full);
	authority_free(&other);
	authority_free(&one_more);
}

Test(learn, each_fault_is_refused_with_its_error)
{
	static const struct {
		enum issue_fault fault;
		enum pki_error expected;
	} rows[] = {
		{ISSUE_FAULT_EXPIRED, PKI_EXPIRED},
		{ISSUE_FAULT_NOT_YET_VALID, PKI_NOT_YET_VALID},
		{ISSUE_FAULT_POLICY, PKI_POLICY},
		{ISSUE_FAULT_USAGE, PKI_USAGE},
		{ISSUE_FAULT_CRITICAL, PKI_UNSUPPORTED},
		{ISSUE_FAULT_SIGNATURE, PKI_SIGNATURE},
	};
	struct pki_trust *t = load();
	enum pki_error why;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct issue_request r = eum_request(ISSUE_VARIANT_O, "Faulty EUM");
		struct authority faulty = {0};

		r.fault = rows[i].fault;
		issue(&faulty, &ci, CRYPTO_P256, r);
		cr_expect_null(pki_trust_with_eum(t, der_of(&faulty), NONE, time(NULL), &why));
		cr_expect_eq(why, rows[i].expected, "fault %d: %s", rows[i].fault,
			     pki_error_name(why));
		authority_free(&faulty);
	}
	cr_expect_null(pki_trust_with_eum(t, NONE, NONE, time(NULL), &why));
	cr_expect_eq(why, PKI_MALFORMED);
	pki_trust_free(t);
}

Test(learn, stranger_and_revoked_eum_are_refused)
{
	struct authority stranger = {0}, other = {0}, revoked = {0};
	enum pki_error why;

	issue(&stranger, NULL, CRYPTO_P256, CI_REQUEST);
	issue(&other, &stranger, CRYPTO_P256, eum_request(ISSUE_VARIANT_O, "Stranger's EUM"));
	issue(&revoked, &ci, CRYPTO_P256, eum_request(ISSUE_VARIANT_O, "Revoked EUM"));
	write_crl("crl/ci.crl", &ci, &revoked.cert.serial, 1, 30);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	cr_expect_null(pki_trust_with_eum(t, der_of(&other), NONE, time(NULL), &why));
	cr_expect_eq(why, PKI_UNKNOWN_CI);
	cr_expect_null(pki_trust_with_eum(t, der_of(&revoked), NONE, time(NULL), &why));
	cr_expect_eq(why, PKI_REVOKED);
	pki_trust_free(t);
	authority_free(&stranger);
	authority_free(&other);
	authority_free(&revoked);
}

Test(learn, bad_subca_leaves_its_eum_unlearned)
{
	struct authority tier = {0}, subca = {0};
	struct issue_request r = eum_request(ISSUE_VARIANT_A, "EUM of variant A");
	struct pki_trust *t = load();
	enum pki_error why;

	issue(&tier, &ci, CRYPTO_P256, r);
	r.role = ISSUE_EUM_SUBCA;
	r.fault = ISSUE_FAULT_SIGNATURE;
	issue(&subca, &tier, CRYPTO_P256, r);
	cr_expect_null(pki_trust_with_eum(t, der_of(&tier), der_of(&subca), time(NULL), &why));
	cr_expect_eq(why, PKI_SIGNATURE);
	pki_trust_free(t);
	authority_free(&tier);
	authority_free(&subca);
}

/* ---------------------------------------------------------------- the summary */

/* What the summary says at that time; to be freed. */
static char *summary_at(const struct pki_trust *t, int64_t now)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	cr_assert_not_null(f);
	pki_trust_summary(t, now, f);
	fclose(f);
	return text;
}

Test(summary, counts_and_warns_of_what_expires_within_30_days)
{
	struct pki_trust *t = load();
	int64_t now = time(NULL);
	char *text;

	cr_assert_not_null(t);
	text = summary_at(t, now);
	cr_expect_not_null(strstr(text, "1 CIs, 1 EUMs (0 learned), 1 cross-certificates"), "%s",
			   text);
	cr_expect_null(strstr(text, "warning"), "%s", text);
	free(text);
	text = summary_at(t, now + (int64_t)(DAYS - 10) * DAY);
	cr_expect_not_null(strstr(text, "warning: Cert_AU expires in"), "%s", text);
	free(text);
	pki_trust_free(t);
}

Test(summary, warns_of_a_ci_whose_ues_cannot_verify_cert_au)
{
	unlink(in_root("cross/for-operator.crt"));
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	char *text = summary_at(t, time(NULL));

	cr_expect_not_null(strstr(text, "no cross-certificate for the operator CA"), "%s", text);
	free(text);
	pki_trust_free(t);
}

/* ---------------------------------------------------------------- GSMA's certificates */

/* SGP.26's CI, key and all, in place of ours. */
static void read_official(struct authority *a, const char *name)
{
	const char *data = getenv("CPAU_TESTDATA");
	char path[PATH_SIZE];

	if (!data)
		cr_skip_test("CPAU_TESTDATA is not set: no SGP.26 certificates");
	snprintf(path, sizeof(path), "%s/sgp26/%s", data, name);
	a->der = pki_file_read(path, &a->n);
	if (!a->der)
		cr_skip_test("%s cannot be read", path);
	cr_assert_eq(pki_cert_parse(&a->cert, der_of(a)), PKI_OK);
}

static void official_chain_is_trusted(enum crypto_curve curve, const char *ci_name,
				      const char *eum_name)
{
	struct authority official_ci = {0}, official_eum = {0}, own_ca = {0}, own_au = {0};

	read_official(&official_ci, ci_name);
	read_official(&official_eum, eum_name);
	issue(&own_ca, NULL, curve, CA_REQUEST);
	issue(&own_au, &own_ca, curve, AU_REQUEST);
	write_certificate("operator-ca/own.crt", &own_ca);
	write_certificate("au/own.crt", &own_au);
	cr_assert(issue_key_write(own_au.key, in_root("au/own.key")));
	write_certificate("ci/official.crt", &official_ci);
	write_certificate("eum/official.crt", &official_eum);
	write_cross("cross/official.crt", ISSUE_CROSS_CI, &own_ca, &official_ci);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_report("ci/official.crt", true, "CI");
	expect_report("eum/official.crt", true, "EUM");
	cr_assert_not_null(find_eum(t, &official_eum));
	cr_expect_eq(find_eum(t, &official_eum)->parent, find_ci(t, &official_ci));
	pki_trust_free(t);
	authority_free(&official_ci);
	authority_free(&official_eum);
	authority_free(&own_ca);
	authority_free(&own_au);
}

Test(load, official_ci_and_eum_on_p256_are_trusted_once_cross_certified)
{
	official_chain_is_trusted(CRYPTO_P256, "CertificateIssuer/CERT_CI_ECDSA_NIST.der",
				  "EUM/CERT_EUM_ECDSA_NIST.der");
}

Test(load, official_ci_and_eum_on_brainpool_are_trusted_once_cross_certified)
{
	official_chain_is_trusted(CRYPTO_BRAINPOOLP256R1, "CertificateIssuer/CERT_CI_ECDSA_BRP.der",
				  "EUM/CERT_EUM_ECDSA_BRP.der");
}
