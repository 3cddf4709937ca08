/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The key schedule of many UEs, two at a time. Their strings are as long as each other, so that
 * both go through the same blocks.
 */
#include "sec/internal.h"
#include "sec/kdf.h"

enum { DIGEST = 32, LENGTH = 8 /* octets of a message's length in its padding */ };

/* A string with its padding: whole blocks. */
struct padded {
	struct kdf_text text;
	size_t n;
};

struct derivation {
	bool sha_ni;
	struct padded kseaf, kgnb; /* the same for all UEs */
	struct sec_derivation *ue[2];
	/* HMAC keys of the two (RFC 2104), each block hashed already. */
	struct sha256_pair inner, outer, state; /* state: of the hash at hand */
	uint8_t key[2][SHA256_BLOCK];		/* exclusive-ored with one of the pads */
	uint8_t hash[2][SHA256_BLOCK];		/* what the outer hash is of, padded */
	uint8_t out[2][DIGEST];
	struct padded own[2];
};

/* FIPS 180-4 5.1.1, of a message whose first block was the key's: 1, zeros, its length in bits. */
static void pad(struct padded *p)
{
	struct kdf_text *t = &p->text;

	p->n = (t->n + LENGTH) / SHA256_BLOCK * SHA256_BLOCK + SHA256_BLOCK;
	memset(t->buffer + t->n, 0, p->n - t->n);
	t->buffer[t->n] = 0x80;
	store_be64(t->buffer + p->n - LENGTH, 8 * (uint64_t)(SHA256_BLOCK + t->n));
}

static void prepare(struct derivation *d, const struct sec *s,
		    const struct sec_derive_config *config)
{
	d->sha_ni = s->mgr->features & IMB_FEATURE_SHANI;
	kdf_text_kseaf(&d->kseaf.text, config->serving_network);
	pad(&d->kseaf);
	kdf_text_kgnb(&d->kgnb.text, 0);
	pad(&d->kgnb);
	memset(d->hash, 0, sizeof(d->hash));
	for (unsigned int i = 0; i < 2; i++) {
		d->hash[i][DIGEST] = 0x80;
		store_be16(d->hash[i] + SHA256_BLOCK - 2, 8 * (SHA256_BLOCK + DIGEST));
	}
}

static void set_key(struct derivation *d, const uint8_t *first, const uint8_t *second)
{
	for (unsigned int i = 0; i < SEC_KEY_SIZE; i++) {
		d->key[0][i] = first[i] ^ 0x36;
		d->key[1][i] = second[i] ^ 0x36;
	}
	memset(d->key[0] + SEC_KEY_SIZE, 0x36, SHA256_BLOCK - SEC_KEY_SIZE);
	memset(d->key[1] + SEC_KEY_SIZE, 0x36, SHA256_BLOCK - SEC_KEY_SIZE);
	sha256_pair_init(&d->inner);
	sha256_pair_add(&d->inner, d->key[0], d->key[1], d->sha_ni);
	for (unsigned int i = 0; i < SHA256_BLOCK; i++) {
		d->key[0][i] ^= 0x36 ^ 0x5c;
		d->key[1][i] ^= 0x36 ^ 0x5c;
	}
	sha256_pair_init(&d->outer);
	sha256_pair_add(&d->outer, d->key[0], d->key[1], d->sha_ni);
}

/* HMAC of both strings, which are as long as each other, into out. */
static void hmac(struct derivation *d, const struct padded *first, const struct padded *second)
{
	d->state = d->inner;
	for (size_t at = 0; at < first->n; at += SHA256_BLOCK)
		sha256_pair_add(&d->state, first->text.buffer + at, second->text.buffer + at,
				d->sha_ni);
	sha256_pair_digests(&d->state, d->hash[0], d->hash[1], d->sha_ni);
	d->state = d->outer;
	sha256_pair_add(&d->state, d->hash[0], d->hash[1], d->sha_ni);
	sha256_pair_digests(&d->state, d->out[0], d->out[1], d->sha_ni);
}

static void hmac_own(struct derivation *d)
{
	pad(&d->own[0]);
	pad(&d->own[1]);
	hmac(d, &d->own[0], &d->own[1]);
}

static void derive_algorithm_keys(struct derivation *d, uint8_t type)
{
	for (unsigned int i = 0; i < 2; i++) {
		const struct sec_nas_context *nas = &d->ue[i]->nas;

		kdf_text_algorithm_key(&d->own[i].text, type,
				       type == KDF_NAS_ENC ? nas->nea : nas->nia);
	}
	hmac_own(d);
	for (unsigned int i = 0; i < 2; i++) {
		struct sec_nas_context *nas = &d->ue[i]->nas;

		memcpy(type == KDF_NAS_ENC ? nas->k_nas_enc : nas->k_nas_int,
		       d->out[i] + DIGEST - SEC_NAS_KEY_SIZE, SEC_NAS_KEY_SIZE);
	}
}

static void derive_pair(struct derivation *d, const struct sec_derive_config *config)
{
	char supi[SEC_SUPI_MAX];

	for (unsigned int i = 0; i < 2; i++)
		kdf_text_ksession(&d->own[i].text, &d->ue[i]->in);
	set_key(d, d->ue[0]->in.z, d->ue[1]->in.z);
	hmac_own(d);
	set_key(d, d->out[0], d->out[1]);
	hmac(d, &d->kseaf, &d->kseaf);
	for (unsigned int i = 0; i < 2; i++) {
		size_t n = sec_supi_from_eid(d->ue[i]->in.eid, config->realm, supi);

		kdf_text_kamf(&d->own[i].text, span_make(supi, n), config->abba);
	}
	set_key(d, d->out[0], d->out[1]);
	hmac_own(d);
	set_key(d, d->out[0], d->out[1]);
	for (unsigned int i = 0; i < 2; i++)
		memcpy(d->ue[i]->k_amf, d->out[i], SEC_KEY_SIZE);
	derive_algorithm_keys(d, KDF_NAS_ENC);
	derive_algorithm_keys(d, KDF_NAS_INT);
	hmac(d, &d->kgnb, &d->kgnb);
	for (unsigned int i = 0; i < 2; i++)
		memcpy(d->ue[i]->k_gnb, d->out[i], SEC_KEY_SIZE);
}

void sec_derive_burst(const struct sec *s, const struct sec_derive_config *config,
		      struct sec_derivation *ues, unsigned int n)
{
	struct derivation d;

	if (n == 0)
		return;
	prepare(&d, s, config);
	/* One that is left over is its own neighbour. */
	for (unsigned int i = 0; i < n; i += 2) {
		d.ue[0] = &ues[i];
		d.ue[1] = i + 1 < n ? &ues[i + 1] : &ues[i];
		derive_pair(&d, config);
	}
	wipe(&d, sizeof(d));
}
