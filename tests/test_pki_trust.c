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

Test(trust, cross_certificate_for_a_ca_that_did_not_issue_cert_au_is_not_given_to_ues)
{
	struct authority other = {0}, x = {0};

	issue(&other, NULL,
	      (struct issue_request){.role = ISSUE_OPERATOR_CA, .common_name = "Former CA"});
	cross(&x, &other, &w.ci, ISSUE_CROSS_OPERATOR);
	put_cert("operator-ca/former.crt", &other);
	put_cert("cross/a-former.crt", &x);
	struct pki_trust *t = load();

	cr_assert_not_null(t);
	expect_said("a-former.crt", false, "no Cert_AU");
	expect_said("ci-to-operator.crt", true, "given to UEs");
	int i = pki_trust_cross_for_ci(t, w.ci.cert.ski);

	cr_expect(span_equal(pki_trust_cross_der(t, i), der_of(&w.ci_to_operator)));
	cr_expect_eq(pki_trust_cross_default(t, CRYPTO_P256), i);
	pki_trust_free(t);
	authority_free(&other);
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

Test(revocation, expired_list_revokes_whom_it_names_and_future_one_is_refused)
{
	struct pki_trust *t;

	put_crl("crl/ci.crl", &w.ci, w.eum.cert.serial, 1);
	t = load_at(time(NULL) + 2 * DAY);
	cr_assert_not_null(t);
	expect_said("ci.crl", true, "nextUpdate has passed");
	cr_expect_not(knows_eum(t, &w.eum));
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
		cr_expect_null(crl_load(cut, at, issuers, 1, time(NULL), NULL, &why), "cut to %zu",
			       at);
		cr_expect_null(crl_load(changed, n, issuers, 1, time(NULL), NULL, &why),
			       "octet %zu", at);
		cr_expect_not_null(why);
		free(cut);
		free(changed);
	}
	free(der);
}

static unsigned int rests;

static void count_rest(void)
{
	rests++;
}

Test(revocation, long_list_is_read_with_rests_and_names_all_that_it_revokes)
{
	enum { N = 1000 };
	const struct pki_cert *issuers[] = {&w.ci.cert};
	static uint8_t numbers[N][4];
	static struct span serials[N];
	const char *why;
	size_t n;

	for (unsigned int i = 0; i < N; i++) {
		store_be32(numbers[i], 0x01000000 + i * 7919);
		serials[i] = span_make(numbers[i], sizeof(numbers[i]));
	}
	uint8_t *der = issue_crl(der_of(&w.ci), w.ci.key, serials, N, 30, &n);
	struct crl *c = crl_load(der, n, issuers, 1, time(NULL), count_rest, &why);

	cr_assert_not_null(c, "%s", why);
	cr_expect_eq(c->entries, N);
	cr_expect_geq(rests, N / 64);
	for (unsigned int i = 0; i < N; i++)
		cr_expect(crl_contains(c, serials[i]));
	store_be32(numbers[0], 0x01000001);
	cr_expect_not(crl_contains(c, serials[0]));
	crl_free(c);
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

Test(deny, list_that_is_named_adds_to_that_of_the_directory)
{
	char path[PATH_SIZE];

	put_text("deny.txt", "89049032123451234512345678901235\n");
	put_text("more.txt", "8903302*\n8904903212345123451234567890123*\n");
	path_of(path, "more.txt");

	struct pki_trust_config config = {.directory = w.dir,
					  .eid_deny_list = path,
					  .crypto_backend = "openssl",
					  .now = time(NULL)};

	said.n = 0;
	struct pki_trust *t = pki_trust_load(&config, report, NULL);

	cr_assert_not_null(t);
	expect_said("deny.txt", true, "1 ranges");
	expect_said("more.txt", true, "2 ranges");
	cr_expect(denied(t, EID));
	cr_expect(denied(t, "89049032123451234512345678901230"));
	cr_expect(denied(t, "89033020000000000000000000000000"));
	cr_expect_not(denied(t, "89049032123451234512345678901240"));
	pki_trust_free(t);

	put_text("deny.txt", "8904\n");
	cr_expect_null(pki_trust_load(&config, report, NULL), "either is needed whole");
	put_text("deny.txt", "");
	put_text("more.txt", "8904\n");
	cr_expect_null(pki_trust_load(&config, report, NULL), "either is needed whole");
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
