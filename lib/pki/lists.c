/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "pki/der.h"
#include "pki/lists.h"
#include "pki/trust.h"

/* ---------------------------------------------------------------- CRLs (RFC 5280 clause 5) */

enum {
	ARRIVALS = 32,
	PIECE = 256 << 10, /* hashed between two rests */
};

static void no_rest(void)
{
}

static uint32_t serial_hash(struct span serial)
{
	uint64_t h = serial.n;

	for (size_t i = 0; i < serial.n; i++)
		h = (h ^ serial.p[i]) * UINT64_C(0x100000001b3);
	return (uint32_t)(h ^ h >> 32);
}

static struct span serial_at(const struct crl *c, uint32_t slot)
{
	struct span rest = span_make(c->der + c->slots[slot] - 1, c->der_len - c->slots[slot] + 1);
	struct span serial = {0};

	der_positive(&rest, &serial);
	return serial;
}

bool crl_contains(const struct crl *c, struct span serial)
{
	for (uint32_t at = serial_hash(serial) & c->mask; c->slots[at]; at = (at + 1) & c->mask)
		if (span_equal(serial_at(c, at), serial))
			return true;
	return false;
}

/* Entries on their way into the table, whose slots are on their way into the cache. */
struct arrivals {
	unsigned int n;
	struct {
		uint32_t at, offset;
	} entries[ARRIVALS];
};

static void insert(struct crl *c, struct arrivals *a)
{
	for (unsigned int i = 0; i < a->n; i++) {
		uint32_t at = a->entries[i].at;

		while (c->slots[at])
			at = (at + 1) & c->mask;
		c->slots[at] = a->entries[i].offset;
	}
	c->entries += a->n;
	a->n = 0;
}

static void arrive(struct crl *c, struct arrivals *a, const uint8_t *integer, struct span serial)
{
	uint32_t at = serial_hash(serial) & c->mask;

	__builtin_prefetch(&c->slots[at], 1);
	a->entries[a->n].at = at;
	a->entries[a->n++].offset = (uint32_t)(integer - c->der) + 1;
	if (a->n == ARRIVALS)
		insert(c, a);
}

/* RFC 5280 clause 5.2. A list for a part of what its issuer issued (issuingDistributionPoint)
 * revokes what it names; a delta list (deltaCRLIndicator, critical) makes sense beside its base
 * alone. */
static bool understands_extensions(struct span explicit)
{
	struct span list, oid, value;
	bool critical;

	if (explicit.n == 0)
		return true;
	if (!der_expect(&explicit, DER_SEQUENCE, &list) || explicit.n != 0)
		return false;
	while (list.n > 0)
		if (!der_extension(&list, &oid, &critical, &value) ||
		    (critical && !DER_IS(oid, "\x55\x1d\x1c") && !DER_IS(oid, "\x55\x1d\x14") &&
		     !DER_IS(oid, "\x55\x1d\x23")))
			return false;
	return true;
}

/* Extensions of an entry: the one that is critical in RFC 5280 5.3, certificateIssuer, gives the
 * serial number to another issuer. */
static bool entry_is_plain(struct span extensions)
{
	struct span oid, value;
	bool critical;

	while (extensions.n > 0)
		if (!der_extension(&extensions, &oid, &critical, &value) || critical)
			return false;
	return true;
}

static bool walk_revoked(struct crl *c, struct span list, void (*rest)(void))
{
	struct arrivals arrivals = {0};
	uint32_t slots = 64;

	/* The shortest entry takes 20 octets: never more than half full. */
	while (slots < list.n / 10)
		slots *= 2;
	c->mask = slots - 1;
	c->slots = calloc(slots, sizeof(*c->slots));
	if (!c->slots)
		return false;
	while (list.n > 0) {
		struct span entry, serial, extensions;
		int64_t when;
		bool present;

		if (!der_expect(&list, DER_SEQUENCE, &entry))
			return false;
		const uint8_t *integer = entry.p;

		if (!der_positive(&entry, &serial) || serial.n > 20 || !der_time(&entry, &when) ||
		    !der_optional(&entry, DER_SEQUENCE, &extensions, &present) || entry.n != 0 ||
		    !entry_is_plain(extensions))
			return false;
		arrive(c, &arrivals, integer, serial);
		if (arrivals.n == 0)
			rest();
	}
	insert(c, &arrivals);
	return true;
}

static bool digest_of(struct span tbs, void (*rest)(void), uint8_t digest[CRYPTO_DIGEST_SIZE])
{
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	bool ok = sha && EVP_DigestInit_ex(sha, EVP_sha256(), NULL) == 1;

	for (size_t at = 0, piece; ok && at < tbs.n; at += piece) {
		piece = tbs.n - at < PIECE ? tbs.n - at : PIECE;
		ok = EVP_DigestUpdate(sha, tbs.p + at, piece) == 1;
		rest();
	}
	ok = ok && EVP_DigestFinal_ex(sha, digest, NULL) == 1;
	EVP_MD_CTX_free(sha);
	return ok;
}

static bool find_signer(struct crl *c, struct span name, struct span tbs, struct span encoded,
			const struct pki_cert *const *issuers, unsigned int n, void (*rest)(void))
{
	uint8_t digest[CRYPTO_DIGEST_SIZE], signature[CRYPTO_SIGNATURE_SIZE];
	bool hashed = false;

	if (!der_signature(encoded, signature))
		return false;
	for (unsigned int i = 0; i < n; i++) {
		const struct pki_cert *issuer = issuers[i];

		if (!span_equal(issuer->subject, name) ||
		    !(issuer->key_usage & PKI_USAGE_CRL_SIGN) ||
		    issuer->ski.n > sizeof(c->issuer_key_id))
			continue;
		hashed = hashed || digest_of(tbs, rest, digest);
		if (!hashed || pki_digest_verify(digest, signature, issuer) != PKI_OK)
			continue;
		memcpy(c->issuer_key_id, issuer->ski.p, issuer->ski.n);
		c->issuer_key_id_len = issuer->ski.n;
		return true;
	}
	return false;
}

const char crl_no_signer[] = "no trusted CA that may sign CRLs has signed it";

static bool is_ecdsa_sha256(struct span *rest)
{
	struct span algorithm;

	return der_expect(rest, DER_SEQUENCE, &algorithm) &&
	       DER_IS(algorithm, "\x06\x08" DER_OID_ECDSA_SHA256);
}

static const char *parse_crl(struct crl *c, const struct pki_cert *const *issuers,
			     unsigned int n_issuers, int64_t now, void (*rest)(void))
{
	struct span der = span_make(c->der, c->der_len), list, tbs, whole, v, name, bits, revoked,
		    extensions;
	const char *const malformed =
		"not a v2 CRL with nextUpdate, signed with ecdsa-with-SHA256, in DER or PEM";
	int64_t this_update;
	uint8_t tag;
	bool present;

	if (!der_expect(&der, DER_SEQUENCE, &list) || der.n != 0 ||
	    !der_next(&list, &tag, &tbs, &whole) || tag != DER_SEQUENCE ||
	    !is_ecdsa_sha256(&list) || !der_expect(&list, DER_BIT_STRING, &bits) || list.n != 0 ||
	    bits.n < 1 || bits.p[0] != 0)
		return malformed;
	if (!der_positive(&tbs, &v) || v.n != 1 || v.p[0] != 1 || !is_ecdsa_sha256(&tbs) ||
	    !der_next(&tbs, &tag, &v, &name) || tag != DER_SEQUENCE ||
	    !der_time(&tbs, &this_update) || !der_time(&tbs, &c->next_update) ||
	    !der_optional(&tbs, DER_SEQUENCE, &revoked, &present) ||
	    !der_optional(&tbs, 0xa0, &extensions, &present) || tbs.n != 0)
		return malformed;
	if (!understands_extensions(extensions))
		return "a critical extension that is not understood: a delta list?";
	if (this_update > now)
		return "its thisUpdate is in the future";
	if (!find_signer(c, name, whole, span_make(bits.p + 1, bits.n - 1), issuers, n_issuers,
			 rest))
		return crl_no_signer;
	if (!walk_revoked(c, revoked, rest))
		return "an entry is malformed, or of another issuer";
	return NULL;
}

struct crl *crl_load(uint8_t *der, size_t n, const struct pki_cert *const *issuers,
		     unsigned int n_issuers, int64_t now, void (*rest)(void), const char **why)
{
	struct crl *c = calloc(1, sizeof(*c));

	*why = "out of memory";
	if (!c)
		return NULL;
	c->der = der;
	c->der_len = n;
	*why = n < UINT32_MAX ? parse_crl(c, issuers, n_issuers, now, rest ? rest : no_rest)
			      : "too large";
	if (!*why)
		return c;
	c->der = NULL; /* the caller's */
	crl_free(c);
	return NULL;
}

void crl_free(struct crl *c)
{
	if (!c)
		return;
	free(c->slots);
	free(c->der);
	free(c);
}

/* ---------------------------------------------------------------- the deny list */

static int compare_ranges(const void *a, const void *b)
{
	return memcmp(((const struct deny_range *)a)->first, ((const struct deny_range *)b)->first,
		      16);
}

/* "8904..." with 32 digits, or fewer and a star. */
static const char *parse_line(const char *text, struct deny_range *range)
{
	size_t n = strspn(text, "0123456789");
	bool star = text[n] == '*';

	if (text[n + star] != '\0')
		return "not an EID: digits, and a * after a prefix";
	if (n > 32 || (n < 32 && !star) || n == 0)
		return "an EID has 32 digits; a shorter one is a prefix and ends with *";
	for (size_t i = 0; i < 32; i++) {
		unsigned int shift = i & 1 ? 0 : 4;
		uint8_t low = (uint8_t)(i < n ? text[i] - '0' : 0);
		uint8_t high = (uint8_t)(i < n ? text[i] - '0' : 9);

		range->first[i / 2] = (uint8_t)(range->first[i / 2] | low << shift);
		range->last[i / 2] = (uint8_t)(range->last[i / 2] | high << shift);
	}
	return NULL;
}

/* Without the comment and the white space around what is left. */
static char *trim(char *text)
{
	text[strcspn(text, "#")] = '\0';
	for (size_t n = strlen(text); n > 0 && isspace((unsigned char)text[n - 1]); n--)
		text[n - 1] = '\0';
	return text + strspn(text, " \t");
}

static bool append_range(struct deny_list *d, const struct deny_range *range)
{
	if ((d->n & (d->n - 1)) == 0) { /* 0, or a power of two: full */
		struct deny_range *grown =
			realloc(d->ranges, (d->n ? 2 * d->n : 1) * sizeof(*grown));

		if (!grown)
			return false;
		d->ranges = grown;
	}
	d->ranges[d->n++] = *range;
	return true;
}

/* Sorted, and one range for those that overlap: a look-up is then a binary search. */
static void merge(struct deny_list *d)
{
	size_t kept = 0;

	if (d->n == 0)
		return;
	qsort(d->ranges, d->n, sizeof(*d->ranges), compare_ranges);
	for (size_t i = 1; i < d->n; i++) {
		struct deny_range *last = &d->ranges[kept];

		if (memcmp(d->ranges[i].first, last->last, 16) > 0)
			d->ranges[++kept] = d->ranges[i];
		else if (memcmp(d->ranges[i].last, last->last, 16) > 0)
			memcpy(last->last, d->ranges[i].last, 16);
	}
	d->n = kept + 1;
}

struct deny_list *deny_list_load(const char *path, unsigned int *line, const char **why)
{
	struct deny_list *d = calloc(1, sizeof(*d));
	FILE *f = fopen(path, "r");
	char *buffer = NULL;
	size_t size = 0;

	*line = 0;
	*why = !d ? "out of memory" : f ? NULL : "cannot be read";
	while (!*why && getline(&buffer, &size, f) > 0) {
		struct deny_range range = {0};
		char *text = trim(buffer);

		(*line)++;
		if (text[0] == '\0')
			continue;
		*why = parse_line(text, &range);
		if (!*why && !append_range(d, &range))
			*why = "out of memory";
	}
	if (!*why && ferror(f))
		*why = "cannot be read to its end";
	free(buffer);
	if (f)
		fclose(f);
	if (*why) {
		deny_list_free(d);
		return NULL;
	}
	merge(d);
	return d;
}

void deny_list_free(struct deny_list *d)
{
	if (!d)
		return;
	free(d->ranges);
	free(d);
}

bool deny_list_contains(const struct deny_list *d, const uint8_t eid[16])
{
	size_t low = 0, high = d->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (memcmp(eid, d->ranges[middle].first, 16) < 0)
			high = middle;
		else if (memcmp(eid, d->ranges[middle].last, 16) > 0)
			low = middle + 1;
		else
			return true;
	}
	return false;
}
