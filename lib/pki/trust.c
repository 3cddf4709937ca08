/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <time.h>

#include "pki/trust_internal.h"

enum { DAY = 24 * 3600, WARN_DAYS = 30 };

static uint32_t key_id_hash(struct span id)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < id.n; i++)
		h = (h ^ id.p[i]) * 16777619u;
	return h;
}

/* ---------------------------------------------------------------- making and freeing */

struct owned_issuer *owned_issuer_create(uint8_t *der, const struct pki_cert *cert,
					 const struct pki_issuer *parent,
					 const struct trust_base *base)
{
	struct owned_issuer *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	i->issuer.cert = *cert;
	i->issuer.parent = parent;
	if (crypto_public_key_load(base->crypto_backend, cert->curve, cert->public_key,
				   base->key_table_octets, &i->issuer.key) != CRYPTO_OK) {
		free(i);
		return NULL;
	}
	i->der = der;
	i->references = 1;
	return i;
}

void owned_issuer_release(struct owned_issuer *i)
{
	if (!i || --i->references > 0)
		return;
	crypto_key_free(i->issuer.key);
	free(i->der);
	free(i);
}

void trust_base_release(struct trust_base *base)
{
	if (!base || --base->references > 0)
		return;
	for (unsigned int i = 0; i < base->n_cis; i++)
		owned_issuer_release(base->cis[i]);
	for (unsigned int i = 0; i < base->n_crosses; i++)
		free(base->crosses[i].der);
	for (unsigned int i = 0; i < base->n_crls; i++)
		crl_free(base->crls[i]);
	for (unsigned int i = 0; i < CRYPTO_CURVE_N; i++)
		free(base->au_der[i]);
	wipe(base->au, sizeof(base->au));
	for (unsigned int i = 0; i < TRUST_DENY_LISTS; i++)
		deny_list_free(base->denied[i]);
	free(base->cis);
	free(base->crosses);
	free(base->crls);
	free(base->crypto_backend);
	free(base);
}

struct pki_trust *trust_create(struct trust_base *base, struct owned_issuer **eums,
			       unsigned int n_eums, unsigned int n_learned)
{
	struct pki_trust *t = calloc(1, sizeof(*t));
	uint32_t slots = 16;

	if (!t)
		return NULL;
	while (slots < 4 * n_eums)
		slots *= 2;
	t->mask = slots - 1;
	t->index = calloc(slots, sizeof(*t->index));
	t->eums = calloc(n_eums ? n_eums : 1, sizeof(struct owned_issuer *));
	if (!t->index || !t->eums) {
		free(t->index);
		free(t->eums);
		free(t);
		return NULL;
	}
	t->base = base;
	base->references++;
	t->n_eums = n_eums;
	t->n_learned = n_learned;
	for (unsigned int i = 0; i < n_eums; i++) {
		uint32_t at = key_id_hash(eums[i]->issuer.cert.ski) & t->mask;

		while (t->index[at])
			at = (at + 1) & t->mask;
		t->index[at] = i + 1;
		t->eums[i] = eums[i];
		eums[i]->references++;
	}
	return t;
}

void pki_trust_free(struct pki_trust *t)
{
	if (!t)
		return;
	for (unsigned int i = 0; i < t->n_eums; i++)
		owned_issuer_release(t->eums[i]);
	trust_base_release(t->base);
	free(t->eums);
	free(t->index);
	free(t);
}

/* ---------------------------------------------------------------- look-ups */

const struct pki_issuer *pki_trust_find_eum(const struct pki_trust *t, struct span key_id,
					    struct span name)
{
	for (uint32_t at = key_id_hash(key_id) & t->mask; t->index[at]; at = (at + 1) & t->mask) {
		const struct pki_issuer *i = &t->eums[t->index[at] - 1]->issuer;

		if (span_equal(i->cert.ski, key_id) && span_equal(i->cert.subject, name))
			return i;
	}
	return NULL;
}

const struct pki_issuer *trust_base_find_ci(const struct trust_base *base, struct span key_id,
					    struct span name)
{
	for (unsigned int i = 0; i < base->n_cis; i++) {
		const struct pki_issuer *ci = &base->cis[i]->issuer;

		if (span_equal(ci->cert.ski, key_id) && span_equal(ci->cert.subject, name))
			return ci;
	}
	return NULL;
}

const struct pki_issuer *pki_trust_find_ci(const struct pki_trust *t, struct span key_id,
					   struct span name)
{
	return trust_base_find_ci(t->base, key_id, name);
}

bool trust_base_is_revoked(const struct trust_base *base, struct span issuer_key_id,
			   struct span serial)
{
	for (unsigned int i = 0; i < base->n_crls; i++) {
		const struct crl *c = base->crls[i];

		if (span_equal(span_make(c->issuer_key_id, c->issuer_key_id_len), issuer_key_id) &&
		    crl_contains(c, serial))
			return true;
	}
	return false;
}

bool pki_trust_is_revoked(const struct pki_trust *t, struct span issuer_key_id, struct span serial)
{
	return trust_base_is_revoked(t->base, issuer_key_id, serial);
}

bool pki_trust_is_denied(const struct pki_trust *t, const uint8_t eid[16])
{
	for (unsigned int i = 0; i < TRUST_DENY_LISTS; i++)
		if (t->base->denied[i] && deny_list_contains(t->base->denied[i], eid))
			return true;
	return false;
}

const struct pki_au *pki_trust_au(const struct pki_trust *t, enum crypto_curve curve)
{
	return t->base->has_au[curve] ? &t->base->au[curve] : NULL;
}

int pki_trust_cross_for_ci(const struct pki_trust *t, struct span ci_key_id)
{
	for (unsigned int i = 0; i < t->base->n_crosses; i++)
		if (span_equal(t->base->crosses[i].cert.aki, ci_key_id))
			return (int)i;
	return -1;
}

int pki_trust_cross_default(const struct pki_trust *t, enum crypto_curve curve)
{
	for (unsigned int i = 0; i < t->base->n_crosses; i++)
		if (t->base->crosses[i].cert.curve == curve)
			return (int)i;
	return -1;
}

struct span pki_trust_cross_der(const struct pki_trust *t, int index)
{
	if (index < 0 || (unsigned int)index >= t->base->n_crosses)
		return span_make(NULL, 0);
	return t->base->crosses[index].cert.der;
}

/* ---------------------------------------------------------------- learning */

static struct owned_issuer *learn(const struct pki_trust *t, struct span der,
				  const struct pki_issuer *parent, enum pki_role role, int64_t now,
				  enum pki_error *why)
{
	struct pki_cert cert;
	uint8_t *copy = der.n ? malloc(der.n) : NULL;

	if (!copy) {
		*why = der.n ? PKI_OK : PKI_MALFORMED;
		return NULL;
	}
	memcpy(copy, der.p, der.n);
	*why = pki_cert_parse(&cert, span_make(copy, der.n));
	if (*why == PKI_OK && !parent) {
		parent = pki_trust_find_ci(t, cert.aki, cert.issuer);
		if (!parent)
			*why = PKI_UNKNOWN_CI;
	}
	if (*why == PKI_OK)
		*why = pki_cert_check(&cert, role, now);
	if (*why == PKI_OK)
		*why = pki_cert_issued_by(&cert, &parent->cert);
	if (*why == PKI_OK && pki_trust_is_revoked(t, parent->cert.ski, cert.serial))
		*why = PKI_REVOKED;
	if (*why == PKI_OK)
		*why = pki_cert_verify(&cert, &parent->cert);
	struct owned_issuer *i =
		*why == PKI_OK ? owned_issuer_create(copy, &cert, parent, t->base) : NULL;

	if (!i) {
		if (*why == PKI_OK)
			*why = PKI_KEY;
		free(copy);
	}
	return i;
}

static const struct pki_issuer *find_known(const struct pki_trust *t, struct span der)
{
	struct pki_cert cert;

	return pki_cert_parse(&cert, der) == PKI_OK ? pki_trust_find_eum(t, cert.ski, cert.subject)
						    : NULL;
}

struct pki_trust *pki_trust_with_eum(const struct pki_trust *old, struct span cert_eum,
				     struct span cert_subca, int64_t now, enum pki_error *why)
{
	const struct pki_issuer *parent = find_known(old, cert_eum);
	unsigned int added = (parent ? 0 : 1) + (cert_subca.n ? 1 : 0), n = old->n_eums;
	struct owned_issuer *eum = NULL, *subca = NULL, **all;
	struct pki_trust *t = NULL;

	*why = PKI_OK;
	if (added == 0 || old->n_learned + added > old->base->max_learned ||
	    (cert_subca.n && find_known(old, cert_subca)))
		return NULL;
	if (!parent) {
		eum = learn(old, cert_eum, NULL, PKI_ROLE_EUM, now, why);
		parent = eum ? &eum->issuer : NULL;
	}
	if (parent && cert_subca.n)
		subca = learn(old, cert_subca, parent, PKI_ROLE_EUM_SUBCA, now, why);
	all = calloc(old->n_eums + added, sizeof(struct owned_issuer *));
	if (all && parent && (subca || !cert_subca.n)) {
		memcpy(all, old->eums, old->n_eums * sizeof(struct owned_issuer *));
		if (eum)
			all[n++] = eum;
		if (subca)
			all[n++] = subca;
		t = trust_create(old->base, all, n, old->n_learned + added);
	}
	free(all);
	owned_issuer_release(subca);
	owned_issuer_release(eum);
	return t;
}

/* ---------------------------------------------------------------- for people */

static void warn_expiry(FILE *out, const char *what, const struct pki_cert *c, int64_t now,
			int64_t *first)
{
	if (c->not_after < *first)
		*first = c->not_after;
	if (c->not_after - now < (int64_t)WARN_DAYS * DAY)
		fprintf(out, "warning: %s expires in %lld days\n", what,
			(long long)((c->not_after - now) / DAY));
}

void pki_trust_summary(const struct pki_trust *t, int64_t now, FILE *out)
{
	const struct trust_base *b = t->base;
	int64_t first = INT64_MAX;
	size_t revoked = 0, denied = 0;
	char date[32];

	for (unsigned int i = 0; i < b->n_cis; i++) {
		const struct pki_cert *ci = &b->cis[i]->issuer.cert;

		warn_expiry(out, "a CI's certificate", ci, now, &first);
		if (pki_trust_cross_for_ci(t, ci->ski) < 0)
			fprintf(out, "warning: a CI has no cross-certificate for the operator CA: "
				     "UEs that trust only this CI cannot verify Cert_AU\n");
		if (!b->has_au[ci->curve])
			fprintf(out, "warning: a CI is on %s and no Cert_AU is\n",
				crypto_curve_name(ci->curve));
	}
	for (unsigned int i = 0; i < t->n_eums; i++)
		warn_expiry(out, "an EUM's certificate", &t->eums[i]->issuer.cert, now, &first);
	for (unsigned int i = 0; i < b->n_crosses; i++)
		warn_expiry(out, "a cross-certificate", &b->crosses[i].cert, now, &first);
	for (unsigned int i = 0; i < CRYPTO_CURVE_N; i++)
		if (b->has_au[i])
			warn_expiry(out, "Cert_AU", &b->au[i].cert, now, &first);
	for (unsigned int i = 0; i < b->n_crls; i++) {
		revoked += b->crls[i]->entries;
		if (b->crls[i]->next_update < now)
			fprintf(out, "warning: of a CRL with %zu entries, " PKI_CRL_IS_OLD "\n",
				b->crls[i]->entries);
	}
	for (unsigned int i = 0; i < TRUST_DENY_LISTS; i++)
		denied += b->denied[i] ? b->denied[i]->n : 0;
	time_t when = (time_t)first;
	struct tm tm;

	strftime(date, sizeof(date), "%Y-%m-%d", gmtime_r(&when, &tm));
	fprintf(out,
		"trust: %u CIs, %u EUMs (%u learned), %u cross-certificates for UEs, Cert_AU "
		"on%s%s; "
		"%u CRLs with %zu entries, %zu denied EID ranges; first expiry %s\n",
		b->n_cis, t->n_eums, t->n_learned, b->n_crosses,
		b->has_au[CRYPTO_P256] ? " P-256" : "",
		b->has_au[CRYPTO_BRAINPOOLP256R1] ? " brainpoolP256r1" : "", b->n_crls, revoked,
		denied, date);
}
