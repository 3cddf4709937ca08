/* SPDX-License-Identifier: BSD-3-Clause */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "pki/issue_fleet.h"
#include "pki/pki.h"

enum {
	BURST = 64,
	CERT_MAX = 1024,
	EID_DIGITS = 32,
	CHECK_DIGITS = 2,
	SERIAL_TAG = UINT8_C(0x5a), /* first octet of every serial: fixed length, positive */
};

/* Where the four variable fields are in the TBSCertificate. */
struct template
{
	uint8_t tbs[CERT_MAX];
	size_t tbs_len;
	uint8_t algorithm[16];
	size_t algorithm_len;
	size_t serial, eid, public_key, key_id;
};

struct device {
	char eid[EID_DIGITS + 1];
	uint8_t private_key[32], public_key[64], digest[32], signature[64];
	uint8_t tbs[CERT_MAX];
};

static size_t place_of(const struct template *t, const void *what, size_t n)
{
	const uint8_t *p = memmem(t->tbs, t->tbs_len, what, n);

	return p ? (size_t)(p - t->tbs) : 0;
}

/* Size of a TLV with its header, for the DER that OpenSSL has just made. */
static size_t tlv_size(const uint8_t *p)
{
	if (p[1] < 0x80)
		return 2u + p[1];
	return p[1] == 0x81 ? 3u + p[2] : 4u + load_be16(p + 2);
}

static void eid_of(const struct issue_fleet_request *r, uint64_t i, char eid[EID_DIGITS + 1])
{
	size_t prefix = strlen(r->eid_prefix);

	memset(eid, '0', EID_DIGITS);
	eid[EID_DIGITS] = '\0';
	memcpy(eid, r->eid_prefix, prefix);
	for (size_t at = EID_DIGITS - 3, n = r->first + i; n > 0 && at >= prefix; at--, n /= 10)
		eid[at] = (char)('0' + n % 10);
	issue_eid_check_digits(eid);
}

/* The key identifier of RFC 5280 4.2.1.2 (1). */
static void key_identifier(const uint8_t public_key[64], uint8_t id[20])
{
	SHA_CTX sha;

	SHA1_Init(&sha);
	SHA1_Update(&sha, "\x04", 1);
	SHA1_Update(&sha, public_key, 64);
	SHA1_Final(id, &sha);
}

/* NULL, or why this cannot be issued. */
static const char *check_request(const struct issue_fleet_request *r, const uint8_t scalar[32])
{
	enum crypto_curve curve = issue_key_curve(r->issuer_key);
	struct span der = r->cert_subca.n ? r->cert_subca : r->cert_eum;
	size_t prefix = strlen(r->eid_prefix);
	uint8_t public_key[CRYPTO_POINT_SIZE];
	uint64_t room = 1;
	struct pki_cert issuer;

	if (prefix != strspn(r->eid_prefix, "0123456789"))
		return "the EID prefix is not of digits";
	if (prefix >= EID_DIGITS - CHECK_DIGITS)
		return "the EID prefix leaves no digit for a counter";
	/* The serial number has 56 bits for the counter, which is 16 digits. */
	for (size_t i = prefix; i < EID_DIGITS - CHECK_DIGITS && i < prefix + 16; i++)
		room *= 10;
	if (r->first >= room || r->count > room - r->first)
		return "the EID prefix leaves too few EIDs from that first one";
	if (pki_cert_parse(&issuer, der) != PKI_OK)
		return "the EUM's certificate is not one that this program understands";
	if (issuer.curve != curve ||
	    crypto_public_from_private(curve, scalar, public_key) != CRYPTO_OK ||
	    memcmp(public_key, issuer.public_key, sizeof(public_key)) != 0)
		return "the private key is not that of the EUM's certificate";
	return NULL;
}

static bool make_template(const struct issue_fleet_request *r, struct template *t)
{
	enum crypto_curve curve = issue_key_curve(r->issuer_key);
	struct issue_key *key = issue_key_generate(curve);
	uint64_t serial = (uint64_t)SERIAL_TAG << 56 | 0x00c0ffee0badcafe;
	uint8_t scalar[32], public_key[64], id[20], serial_octets[8];
	char eid[EID_DIGITS + 1];
	size_t n = 0;
	bool ok = false;

	eid_of(r, 0, eid);
	struct issue_request request = {
		.role = ISSUE_EUICC,
		.variant = r->variant,
		.fault = r->fault < ISSUE_FAULT_SIGNATURE ? r->fault : ISSUE_FAULT_NONE,
		.country = "ES",
		.organisation = r->organisation,
		.serial_number = eid,
		.common_name = "eUICC",
		.subject_key = key,
		.issuer_cert = r->cert_subca.n ? r->cert_subca : r->cert_eum,
		.issuer_key = r->issuer_key,
		.serial = serial,
	};
	uint8_t *der = key ? issue_certificate(&request, &n) : NULL;

	if (der && n <= CERT_MAX) {
		const uint8_t *tbs = der + 4;

		issue_key_scalar(key, scalar);
		crypto_public_from_private(curve, scalar, public_key);
		key_identifier(public_key, id);
		store_be64(serial_octets, serial);
		t->tbs_len = tlv_size(tbs);
		memcpy(t->tbs, tbs, t->tbs_len);
		t->algorithm_len = tlv_size(tbs + t->tbs_len);
		if (t->algorithm_len <= sizeof(t->algorithm)) {
			memcpy(t->algorithm, tbs + t->tbs_len, t->algorithm_len);
			t->serial = place_of(t, serial_octets, 8);
			t->eid = place_of(t, eid, EID_DIGITS);
			t->public_key = place_of(t, public_key, 64);
			t->key_id = place_of(t, id, 20);
			ok = t->serial && t->eid && t->public_key && t->key_id;
		}
	}
	wipe(scalar, sizeof(scalar));
	free(der);
	issue_key_free(key);
	return ok;
}

/* A positive INTEGER without superfluous zeros. Returns its size. */
static size_t put_integer(uint8_t *p, const uint8_t value[32])
{
	size_t skip = 0;

	while (skip < 31 && value[skip] == 0)
		skip++;
	size_t pad = value[skip] & 0x80 ? 1 : 0, n = 32 - skip + pad;

	p[0] = 0x02;
	p[1] = (uint8_t)n;
	p[2] = 0;
	memcpy(p + 2 + pad, value + skip, 32 - skip);
	return 2 + n;
}

/* SEQUENCE { tbs, algorithm, BIT STRING { SEQUENCE { r, s } } }; returns its size. */
static size_t assemble(const struct template *t, const struct device *d,
		       uint8_t out[CERT_MAX + 128])
{
	uint8_t sig[80];
	size_t n = 5;

	n += put_integer(sig + n, d->signature);
	n += put_integer(sig + n, d->signature + 32);
	sig[0] = 0x03;
	sig[1] = (uint8_t)(n - 2);
	sig[2] = 0;
	sig[3] = 0x30;
	sig[4] = (uint8_t)(n - 5);
	size_t body = t->tbs_len + t->algorithm_len + n;

	out[0] = 0x30;
	out[1] = 0x82;
	store_be16(out + 2, (uint16_t)body);
	memcpy(out + 4, d->tbs, t->tbs_len);
	memcpy(out + 4 + t->tbs_len, t->algorithm, t->algorithm_len);
	memcpy(out + 4 + t->tbs_len + t->algorithm_len, sig, n);
	return 4 + body;
}

static void fill_device(const struct issue_fleet_request *r, const struct template *t, uint64_t i,
			struct device *d)
{
	uint8_t id[20];

	eid_of(r, i, d->eid);
	memcpy(d->tbs, t->tbs, t->tbs_len);
	store_be64(d->tbs + t->serial, (uint64_t)SERIAL_TAG << 56 | (r->first + i));
	memcpy(d->tbs + t->eid, d->eid, EID_DIGITS);
	memcpy(d->tbs + t->public_key, d->public_key, 64);
	key_identifier(d->public_key, id);
	memcpy(d->tbs + t->key_id, id, sizeof(id));
	/* What is spoiled here is signed like the rest. */
	switch (r->fault) {
	case ISSUE_FAULT_EID:
		d->tbs[t->eid + 20] = 'A';
		break;
	case ISSUE_FAULT_EID_CHECK:
		d->tbs[t->eid + EID_DIGITS - 1] =
			(uint8_t)('0' + (d->eid[EID_DIGITS - 1] - '0' + 1) % 10);
		break;
	case ISSUE_FAULT_KEY:
		d->tbs[t->public_key + CRYPTO_POINT_SIZE - 1] ^= 1;
		break;
	default:
		break;
	}
}

static bool issue_burst(const struct issue_fleet_request *r, const struct template *t,
			struct crypto *crypto, const struct crypto_key *key, uint64_t first,
			unsigned int n, struct device *devices, struct fleet_writer *w)
{
	enum crypto_curve curve = issue_key_curve(r->issuer_key);
	struct crypto_keypair pairs[BURST];
	struct crypto_hash hashes[BURST];
	struct crypto_sign signs[BURST];
	uint8_t out[CERT_MAX + 128], eid[16];

	for (unsigned int i = 0; i < n; i++)
		pairs[i] = (struct crypto_keypair){.curve = curve,
						   .private_key = devices[i].private_key,
						   .public_key = devices[i].public_key};
	crypto_keypair_burst(crypto, pairs, n);
	for (unsigned int i = 0; i < n; i++) {
		struct device *d = &devices[i];

		if (pairs[i].status != CRYPTO_OK)
			return false;
		fill_device(r, t, first + i, d);
		hashes[i] = (struct crypto_hash){span_make(d->tbs, t->tbs_len), d->digest};
		signs[i] = (struct crypto_sign){
			.curve = curve, .key = key, .digest = d->digest, .signature = d->signature};
	}
	crypto_hash_burst(crypto, hashes, n);
	crypto_sign_burst(crypto, signs, n);
	for (unsigned int i = 0; i < n; i++) {
		struct device *d = &devices[i];

		if (signs[i].status != CRYPTO_OK)
			return false;
		if (r->fault == ISSUE_FAULT_SIGNATURE)
			d->signature[63] ^= 1;
		for (unsigned int j = 0; j < 16; j++)
			eid[j] = (uint8_t)((d->eid[2 * j] - '0') << 4 | (d->eid[2 * j + 1] - '0'));
		if (!fleet_writer_add(w, eid, d->private_key, span_make(out, assemble(t, d, out))))
			return false;
	}
	return true;
}

bool issue_fleet(const struct issue_fleet_request *r, const char **why)
{
	enum crypto_curve curve = issue_key_curve(r->issuer_key);
	struct template *t = calloc(1, sizeof(*t));
	struct device *devices = calloc(BURST, sizeof(*devices));
	struct crypto *crypto = crypto_create(NULL, -1, why);
	struct crypto_key *key = NULL;
	struct fleet_writer *w = NULL;
	uint8_t scalar[32];
	bool ok = false;

	issue_key_scalar(r->issuer_key, scalar);
	*why = check_request(r, scalar);
	if (*why)
		goto end;
	*why = "out of memory";
	if (!t || !devices || !crypto ||
	    crypto_private_key_load(NULL, curve, scalar, &key) != CRYPTO_OK)
		goto end;
	*why = "OpenSSL could not issue a certificate under the EUM's";
	if (!make_template(r, t))
		goto end;
	*why = "the file cannot be written";
	w = fleet_writer_open(r->path, curve, r->count, r->cert_eum, r->cert_subca, r->cert_ci);
	if (!w)
		goto end;
	ok = true;
	for (uint64_t i = 0; ok && i < r->count; i += BURST) {
		unsigned int n = r->count - i < BURST ? (unsigned int)(r->count - i) : BURST;

		ok = issue_burst(r, t, crypto, key, i, n, devices, w);
		if (ok && r->progress)
			r->progress(r->arg, i + n);
	}
	ok = fleet_writer_close(w) && ok;
	/* Half a fleet is of no use, and it holds keys. */
	if (!ok)
		unlink(r->path);
end:
	wipe(scalar, sizeof(scalar));
	if (devices)
		wipe(devices, BURST * sizeof(*devices));
	crypto_key_free(key);
	crypto_destroy(crypto);
	free(devices);
	free(t);
	return ok;
}
