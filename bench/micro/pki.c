/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Certificates, fingerprints aside: what the worker looks at in a Cert_eUICC, and revocation.
 */
#include <stdio.h>
#include <stdlib.h>

#include <rte_common.h>

#include "micro/micro.h"
#include "pki/lists.h"

enum { REVOKED = 1000000, LOOKUPS = MICRO_ITEMS, SERIAL = 9 };

static struct pki_cert *certs; /* MICRO_ITEMS, parsed */
static struct span *eums;      /* likewise: in AUTHENTICATION RESPONSE */
static struct crl *crl;
static uint8_t (*serials)[SERIAL]; /* LOOKUPS, to be looked up */

static void parse(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct pki_cert cert;

	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		pki_cert_parse(&cert, micro.items[items[i]].cert_euicc);
		micro_keep(&cert);
	}
}

static void prepare_certs(const struct micro_case *c)
{
	(void)c;
	if (!certs)
		certs = calloc(MICRO_ITEMS, sizeof(certs[0]));
	micro_check(certs != NULL, "no memory");
	for (unsigned int i = 0; i < MICRO_ITEMS; i++)
		micro_check(pki_cert_parse(&certs[i], micro.items[i].cert_euicc) == PKI_OK,
			    "a certificate does not parse");
}

static void check(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	unsigned int good = 0;

	(void)c;
	for (unsigned int i = 0; i < n; i++)
		good += pki_cert_check(&certs[items[i]], PKI_ROLE_EUICC, micro.now) == PKI_OK;
	micro_check(good == n, "a certificate is refused");
}

static void issued_by(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	unsigned int good = 0;

	(void)c;
	for (unsigned int i = 0; i < n; i++)
		good += pki_cert_issued_by(&certs[items[i]], &micro.eum) == PKI_OK;
	micro_check(good == n, "a certificate is refused");
}

static void prepare_eums(const struct micro_case *c)
{
	struct wire_message m;

	(void)c;
	if (!eums)
		eums = calloc(MICRO_ITEMS, sizeof(eums[0]));
	micro_check(eums != NULL, "no memory");
	for (unsigned int i = 0; i < MICRO_ITEMS; i++) {
		wire_nas_decode(&m, micro.items[i].message[MICRO_AUTHENTICATION_RESPONSE]);
		eums[i] = m.ie[WIRE_IE_CERT_EUM];
	}
}

/* Step 5: the Cert_EUM that comes is the known one, octet for octet. */
static void same_eum(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	unsigned int good = 0;

	(void)c;
	for (unsigned int i = 0; i < n; i++)
		good += span_equal(eums[items[i]], micro.cert_eum);
	micro_check(good == n, "a Cert_EUM has changed");
}

/* ---------------------------------------------------------------- revocation */

/* Serial numbers of nine octets, all of them different. */
static void serial_of(uint64_t counter, uint8_t serial[SERIAL])
{
	serial[0] = 0x40;
	store_be64(serial + 1, counter * UINT64_C(0x9e3779b97f4a7c15));
}

static void prepare_crl(const struct micro_case *c)
{
	const struct pki_cert *issuer = &micro.ci;
	uint8_t(*all)[SERIAL];
	struct span *spans;
	const char *why;
	size_t n;

	(void)c;
	if (crl)
		return;
	all = calloc(REVOKED, sizeof(all[0]));
	spans = calloc(REVOKED, sizeof(spans[0]));
	serials = calloc(LOOKUPS, sizeof(serials[0]));
	micro_check(all && spans && serials, "no memory");
	for (unsigned int i = 0; i < REVOKED; i++) {
		serial_of(i, all[i]);
		spans[i] = span_make(all[i], SERIAL);
	}
	uint8_t *der = issue_crl(micro.cert_ci, micro.ci_key, spans, REVOKED, 30, &n);

	micro_check(der != NULL, "a CRL could not be issued");
	crl = crl_load(der, n, &issuer, 1, micro.now, NULL, &why);
	micro_check(crl != NULL, why);
	free(all);
	free(spans);
}

static void prepare_hits(const struct micro_case *c)
{
	prepare_crl(c);
	for (unsigned int i = 0; i < LOOKUPS; i++)
		serial_of((uint64_t)i * (REVOKED / LOOKUPS), serials[i]);
}

static void prepare_misses(const struct micro_case *c)
{
	prepare_crl(c);
	for (unsigned int i = 0; i < LOOKUPS; i++)
		serial_of((uint64_t)REVOKED + i, serials[i]);
}

static void look_up(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < n; i++)
		found += crl_contains(crl, span_make(serials[items[i]], SERIAL));
	micro_check(found == (c->arg ? n : 0), "a CRL finds what is not in it, or not what is");
}

static const struct micro_case cases[] = {
	{"pki", "Cert_eUICC, parsed", "worker", 1, .run = parse},
	{"pki", "Cert_eUICC, profile checked", "worker", 1, .run = check, .prepare = prepare_certs},
	{"pki", "Cert_eUICC, its issuer's constraints", "worker", 1, .run = issued_by,
	 .prepare = prepare_certs},
	{"pki", "Cert_EUM, compared with the known one", "worker", 1, .run = same_eum,
	 .prepare = prepare_eums},
	{"pki", "CRL of 1,000,000, hit", NULL, 0, .arg = true, .run = look_up,
	 .prepare = prepare_hits},
	{"pki", "CRL of 1,000,000, miss", NULL, 0, .arg = false, .run = look_up,
	 .prepare = prepare_misses},
};

const struct micro_group micro_pki = {"pki", cases, RTE_DIM(cases)};
