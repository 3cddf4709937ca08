/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The rules of each tier and of each link. GSMA's certificates (SGP.26, from CPAU_TESTDATA) keep
 * them all; each test takes one away, in the decoded certificate, and expects that rule's error.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "pki/trust.h"

#define NOW	      INT64_C(1800000000) /* 2027-01-15 */
#define TEXT(literal) span_make(literal, sizeof(literal) - 1)

static struct pki_cert ci, eum, euicc;
static struct pki_cert other_ci, other_eum, other_euicc; /* the brainpool chain */

static void load(struct pki_cert *c, const char *name)
{
	const char *data = getenv("CPAU_TESTDATA");
	char path[512];
	size_t n;

	if (!data)
		cr_skip_test("CPAU_TESTDATA is not set: no SGP.26 certificates");
	snprintf(path, sizeof(path), "%s/sgp26/%s", data, name);
	uint8_t *der = pki_file_read(path, &n);

	if (!der)
		cr_skip_test("%s cannot be read", path);
	cr_assert_eq(pki_cert_parse(c, span_make(der, n)), PKI_OK);
}

static void setup(void)
{
	load(&ci, "CertificateIssuer/CERT_CI_ECDSA_NIST.der");
	load(&eum, "EUM/CERT_EUM_ECDSA_NIST.der");
	load(&euicc, "eUICC/CERT_EUICC_ECDSA_NIST.der");
	load(&other_ci, "CertificateIssuer/CERT_CI_ECDSA_BRP.der");
	load(&other_eum, "EUM/CERT_EUM_ECDSA_BRP.der");
	load(&other_euicc, "eUICC/CERT_EUICC_ECDSA_BRP.der");
}

static void teardown(void)
{
	struct pki_cert *const all[] = {&ci, &eum, &euicc, &other_ci, &other_eum, &other_euicc};

	for (unsigned int i = 0; i < 6; i++)
		free((void *)(uintptr_t)all[i]->der.p);
}

TestSuite(tier, .init = setup, .fini = teardown);
TestSuite(link, .init = setup, .fini = teardown);

/* The v3 shape of the EUM: permittedEins in place of the name constraint. */
static void make_v3(struct pki_cert *c, uint16_t policy)
{
	c->policies = policy;
	c->has_name_constraint = false;
	c->permitted_o = c->permitted_serial = span_make(NULL, 0);
	c->has_permitted_eins = true;
	c->n_permitted_eins = 2;
	c->permitted_eins[0] = TEXT("89033023");
	c->permitted_eins[1] = TEXT("89049032");
}

static void set_eid(struct pki_cert *c, const char *digits)
{
	c->subject_serial = span_make(digits, 32);
	for (unsigned int i = 0; i < 16; i++)
		c->eid[i] = (uint8_t)((digits[2 * i] - '0') << 4 | (digits[2 * i + 1] - '0'));
}

/* ---------------------------------------------------------------- tiers */

Test(tier, official_certificates_keep_the_rules_of_their_tier)
{
	cr_expect_eq(pki_cert_check(&ci, PKI_ROLE_CI, NOW), PKI_OK);
	cr_expect_eq(pki_cert_check(&eum, PKI_ROLE_EUM, NOW), PKI_OK);
	cr_expect_eq(pki_cert_check(&euicc, PKI_ROLE_EUICC, NOW), PKI_OK);
	cr_expect_eq(pki_cert_check(&other_ci, PKI_ROLE_CI, NOW), PKI_OK);
	cr_expect_eq(pki_cert_check(&other_eum, PKI_ROLE_EUM, NOW), PKI_OK);
	cr_expect_eq(pki_cert_check(&other_euicc, PKI_ROLE_EUICC, NOW), PKI_OK);
}

Test(tier, validity_includes_both_its_ends)
{
	cr_expect_eq(pki_cert_check(&eum, PKI_ROLE_EUM, eum.not_before), PKI_OK);
	cr_expect_eq(pki_cert_check(&eum, PKI_ROLE_EUM, eum.not_after), PKI_OK);
	cr_expect_eq(pki_cert_check(&eum, PKI_ROLE_EUM, eum.not_before - 1), PKI_NOT_YET_VALID);
	cr_expect_eq(pki_cert_check(&eum, PKI_ROLE_EUM, eum.not_after + 1), PKI_EXPIRED);
}

Test(tier, certificate_of_one_tier_does_not_pass_for_another)
{
	cr_expect_eq(pki_cert_check(&ci, PKI_ROLE_EUM, NOW), PKI_POLICY);
	cr_expect_eq(pki_cert_check(&eum, PKI_ROLE_CI, NOW), PKI_POLICY);
	cr_expect_eq(pki_cert_check(&eum, PKI_ROLE_EUICC, NOW), PKI_POLICY);
	cr_expect_eq(pki_cert_check(&eum, PKI_ROLE_EUM_SUBCA, NOW), PKI_POLICY);
	cr_expect_eq(pki_cert_check(&eum, PKI_ROLE_AU, NOW), PKI_USAGE);
	cr_expect_eq(pki_cert_check(&euicc, PKI_ROLE_EUM, NOW), PKI_POLICY);
	cr_expect_eq(pki_cert_check(&euicc, PKI_ROLE_CROSS, NOW), PKI_USAGE);
	cr_expect_eq(pki_cert_check(&euicc, PKI_ROLE_OPERATOR_CA, NOW), PKI_USAGE);
}

Test(tier, v3_policies_make_an_eum_a_subca_and_an_euicc)
{
	make_v3(&eum, PKI_POLICY_EUM_V3);
	cr_expect_eq(pki_cert_check(&eum, PKI_ROLE_EUM, NOW), PKI_OK);
	cr_expect_eq(pki_cert_check(&eum, PKI_ROLE_EUM_SUBCA, NOW), PKI_POLICY);
	make_v3(&eum, PKI_POLICY_SUBCA_V3);
	cr_expect_eq(pki_cert_check(&eum, PKI_ROLE_EUM_SUBCA, NOW), PKI_OK);
	cr_expect_eq(pki_cert_check(&eum, PKI_ROLE_EUM, NOW), PKI_POLICY);
	euicc.policies = PKI_POLICY_EUICC_V3;
	cr_expect_eq(pki_cert_check(&euicc, PKI_ROLE_EUICC, NOW), PKI_OK);
}

Test(tier, ca_that_may_not_sign_certificates_is_refused)
{
	eum.key_usage = PKI_USAGE_CRL_SIGN;
	cr_expect_eq(pki_cert_check(&eum, PKI_ROLE_EUM, NOW), PKI_USAGE);
	ci.has_key_usage = false;
	cr_expect_eq(pki_cert_check(&ci, PKI_ROLE_CI, NOW), PKI_USAGE);
	other_ci.ca = false;
	cr_expect_eq(pki_cert_check(&other_ci, PKI_ROLE_CI, NOW), PKI_USAGE);
}

Test(tier, ca_without_a_key_identifier_is_refused)
{
	ci.ski = span_make(NULL, 0);
	cr_expect_eq(pki_cert_check(&ci, PKI_ROLE_CI, NOW), PKI_USAGE);
}

Test(tier, eum_that_names_no_eids_is_refused)
{
	eum.permitted_serial = span_make(NULL, 0);
	cr_expect_eq(pki_cert_check(&eum, PKI_ROLE_EUM, NOW), PKI_NAME_CONSTRAINT);
}

Test(tier, euicc_signs_data_and_nothing_else)
{
	euicc.key_usage |= PKI_USAGE_KEY_CERT_SIGN;
	cr_expect_eq(pki_cert_check(&euicc, PKI_ROLE_EUICC, NOW), PKI_USAGE);
	euicc.key_usage = PKI_USAGE_DIGITAL_SIGNATURE;
	cr_expect_eq(pki_cert_check(&euicc, PKI_ROLE_EUICC, NOW), PKI_OK);
	euicc.has_basic_constraints = true;
	cr_expect_eq(pki_cert_check(&euicc, PKI_ROLE_EUICC, NOW), PKI_USAGE);
}

Test(tier, eid_is_there_and_is_one_modulo_97)
{
	set_eid(&euicc, "89049032123451234512345678901236");
	cr_expect_eq(pki_cert_check(&euicc, PKI_ROLE_EUICC, NOW), PKI_EID_CHECK);
	set_eid(&euicc, "89049032123451234512345678901253");
	cr_expect_eq(pki_cert_check(&euicc, PKI_ROLE_EUICC, NOW), PKI_EID_CHECK);
	euicc.has_eid = false;
	cr_expect_eq(pki_cert_check(&euicc, PKI_ROLE_EUICC, NOW), PKI_EID);
}

Test(tier, cert_au_needs_no_policy_and_may_say_that_it_is_no_ca)
{
	euicc.policies = 0;
	euicc.has_eid = false;
	euicc.has_basic_constraints = true;
	cr_expect_eq(pki_cert_check(&euicc, PKI_ROLE_AU, NOW), PKI_OK);
}

/* ---------------------------------------------------------------- links */

Test(link, official_chains_hold_together)
{
	cr_expect_eq(pki_cert_issued_by(&eum, &ci), PKI_OK);
	cr_expect_eq(pki_cert_issued_by(&euicc, &eum), PKI_OK);
	cr_expect_eq(pki_cert_issued_by(&other_eum, &other_ci), PKI_OK);
	cr_expect_eq(pki_cert_issued_by(&other_euicc, &other_eum), PKI_OK);
}

Test(link, issuer_is_known_by_name_and_key_identifier)
{
	cr_expect_eq(pki_cert_issued_by(&euicc, &ci), PKI_ISSUER_MISMATCH);
	cr_expect_eq(pki_cert_issued_by(&euicc, &other_eum), PKI_ISSUER_MISMATCH);
	struct pki_cert changed = eum;

	changed.subject = ci.subject;
	cr_expect_eq(pki_cert_issued_by(&euicc, &changed), PKI_ISSUER_MISMATCH);
	changed = eum;
	changed.ski = ci.ski;
	cr_expect_eq(pki_cert_issued_by(&euicc, &changed), PKI_ISSUER_MISMATCH);
	changed.ski = euicc.aki = span_make(NULL, 0);
	cr_expect_eq(pki_cert_issued_by(&euicc, &changed), PKI_ISSUER_MISMATCH);
}

Test(link, one_curve_a_chain)
{
	eum.curve = CRYPTO_BRAINPOOLP256R1;
	cr_expect_eq(pki_cert_issued_by(&euicc, &eum), PKI_CURVE);
}

Test(link, issuer_may_sign_certificates)
{
	struct pki_cert changed = eum;

	changed.ca = false;
	cr_expect_eq(pki_cert_issued_by(&euicc, &changed), PKI_USAGE);
	changed = eum;
	changed.key_usage = PKI_USAGE_DIGITAL_SIGNATURE;
	cr_expect_eq(pki_cert_issued_by(&euicc, &changed), PKI_USAGE);
}

Test(link, path_length_counts_the_cas_below)
{
	ci.path_length = 0;
	cr_expect_eq(pki_cert_issued_by(&eum, &ci), PKI_ISSUER_MISMATCH);
	ci.path_length = 1;
	cr_expect_eq(pki_cert_issued_by(&eum, &ci), PKI_OK);
	eum.path_length = 1;
	cr_expect_eq(pki_cert_issued_by(&eum, &ci), PKI_ISSUER_MISMATCH);
	eum.path_length = 0;
	cr_expect_eq(pki_cert_issued_by(&euicc, &eum), PKI_OK, "an end entity is not counted");
}

Test(link, variant_o_constrains_organisation_and_eid_prefix)
{
	struct pki_cert changed = euicc;

	changed.subject_o = TEXT("RSP Test EUM2");
	cr_expect_eq(pki_cert_issued_by(&changed, &eum), PKI_NAME_CONSTRAINT);
	changed = euicc;
	changed.subject_serial = TEXT("89049033123451234512345678901235");
	cr_expect_eq(pki_cert_issued_by(&changed, &eum), PKI_NAME_CONSTRAINT);
	changed.subject_serial = TEXT("8904903");
	cr_expect_eq(pki_cert_issued_by(&changed, &eum), PKI_NAME_CONSTRAINT, "shorter than it");
	changed.subject_serial = span_make(NULL, 0);
	cr_expect_eq(pki_cert_issued_by(&changed, &eum), PKI_NAME_CONSTRAINT, "absent");
}

Test(link, v3_constrains_the_eid_to_one_of_the_prefixes)
{
	make_v3(&eum, PKI_POLICY_EUM_V3);
	cr_expect_eq(pki_cert_issued_by(&euicc, &eum), PKI_OK, "the second prefix");
	eum.n_permitted_eins = 1;
	cr_expect_eq(pki_cert_issued_by(&euicc, &eum), PKI_NAME_CONSTRAINT);
}

Test(link, name_constraint_binds_those_below_a_subca)
{
	struct pki_cert subca = other_eum;

	make_v3(&subca, PKI_POLICY_SUBCA_V3);
	eum.path_length = 1;
	subca.curve = eum.curve;
	subca.issuer = eum.subject;
	subca.aki = eum.ski;
	subca.subject_o = eum.permitted_o;
	subca.subject_serial = eum.permitted_serial;
	subca.n_permitted_eins = 1;
	subca.permitted_eins[0] = eum.permitted_serial;
	cr_expect_eq(pki_cert_issued_by(&subca, &eum), PKI_OK);
	subca.permitted_eins[0] = TEXT("8");
	cr_expect_eq(pki_cert_issued_by(&subca, &eum), PKI_NAME_CONSTRAINT, "more");
	subca.has_permitted_eins = false;
	subca.n_permitted_eins = 0;
	cr_expect_eq(pki_cert_issued_by(&subca, &eum), PKI_NAME_CONSTRAINT, "unsaid");
	subca.has_name_constraint = true;
	subca.permitted_serial = TEXT("8");
	cr_expect_eq(pki_cert_issued_by(&subca, &eum), PKI_NAME_CONSTRAINT, "more, as a name");
	subca.permitted_serial = eum.permitted_serial;
	cr_expect_eq(pki_cert_issued_by(&subca, &eum), PKI_OK, "the same, as a name");
}

Test(link, subca_gets_no_more_eids_than_its_eum_has)
{
	struct pki_cert subca = other_eum;

	make_v3(&eum, PKI_POLICY_EUM_V3);
	make_v3(&subca, PKI_POLICY_SUBCA_V3);
	eum.path_length = 1;
	subca.curve = eum.curve;
	subca.issuer = eum.subject;
	subca.aki = eum.ski;
	cr_expect_eq(pki_cert_issued_by(&subca, &eum), PKI_OK);
	subca.permitted_eins[1] = TEXT("890490321");
	cr_expect_eq(pki_cert_issued_by(&subca, &eum), PKI_OK, "a part");
	subca.permitted_eins[1] = TEXT("8904903");
	cr_expect_eq(pki_cert_issued_by(&subca, &eum), PKI_NAME_CONSTRAINT, "more");
	subca.has_permitted_eins = false;
	subca.n_permitted_eins = 0;
	cr_expect_eq(pki_cert_issued_by(&subca, &eum), PKI_NAME_CONSTRAINT, "unsaid");
}
