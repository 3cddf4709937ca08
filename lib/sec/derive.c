/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The key schedule of many UEs, two at a time. Their strings are as long as each other, so that
 * both go through the same blocks.
 */
#include "sec/internal.h"
#include "sec/kdf.h"

enum { DIGEST = 32, LENGTH = 8 /* octets of a message's length in its padding */ };

/* HMAC keys of a pair (RFC 2104), each block hashed already. */
struct pair_key {
	struct sha256_pair inner, outer;
};

struct pair {
	bool sha_ni;
	struct sec_derivation *ue[2];
	struct pair_key key;
	struct kdf_text text[2];
	uint8_t out[2][DIGEST];
};

static void set_key(struct pair *p, const uint8_t first[SEC_KEY_SIZE],
		    const uint8_t second[SEC_KEY_SIZE])
{
	uint8_t block[2][SHA256_BLOCK];

	memset(block, 0x36, sizeof(block));
	for (unsigned int i = 0; i < SEC_KEY_SIZE; i++) {
		block[0][i] ^= first[i];
		block[1][i] ^= second[i];
	}
	sha256_pair_init(&p->key.inner);
	sha256_pair_add(&p->key.inner, block[0], block[1], p->sha_ni);
	for (unsigned int i = 0; i < SHA256_BLOCK; i++) {
		block[0][i] ^= 0x36 ^ 0x5c;
		block[1][i] ^= 0x36 ^ 0x5c;
	}
	sha256_pair_init(&p->key.outer);
	sha256_pair_add(&p->key.outer, block[0], block[1], p->sha_ni);
	wipe(block, sizeof(block));
}

/* FIPS 180-4 5.1.1, of a message whose first block was the key's: 1, zeros, its length in bits. */
static size_t pad(struct kdf_text *t)
{
	size_t whole = (t->n + LENGTH) / SHA256_BLOCK * SHA256_BLOCK + SHA256_BLOCK;

	memset(t->buffer + t->n, 0, whole - t->n);
	t->buffer[t->n] = 0x80;
	store_be64(t->buffer + whole - LENGTH, 8 * (uint64_t)(SHA256_BLOCK + t->n));
	return whole;
}

/* HMAC of both texts, into out. */
static void finish(struct pair *p)
{
	struct sha256_pair hash = p->key.inner;
	uint8_t block[2][SHA256_BLOCK] = {{0}};
	size_t n = pad(&p->text[0]);

	pad(&p->text[1]);
	for (size_t at = 0; at < n; at += SHA256_BLOCK)
		sha256_pair_add(&hash, p->text[0].buffer + at, p->text[1].buffer + at, p->sha_ni);
	for (unsigned int i = 0; i < 2; i++) {
		sha256_pair_digest(&hash, i, block[i]);
		block[i][DIGEST] = 0x80;
		store_be16(block[i] + SHA256_BLOCK - 2, 8 * (SHA256_BLOCK + DIGEST));
	}
	hash = p->key.outer;
	sha256_pair_add(&hash, block[0], block[1], p->sha_ni);
	sha256_pair_digest(&hash, 0, p->out[0]);
	sha256_pair_digest(&hash, 1, p->out[1]);
	wipe(block, sizeof(block));
	wipe(&hash, sizeof(hash));
}

static void derive_algorithm_keys(struct pair *p, uint8_t type)
{
	for (unsigned int i = 0; i < 2; i++) {
		const struct sec_nas_context *nas = &p->ue[i]->nas;

		kdf_text_algorithm_key(&p->text[i], type,
				       type == KDF_NAS_ENC ? nas->nea : nas->nia);
	}
	finish(p);
	for (unsigned int i = 0; i < 2; i++) {
		struct sec_nas_context *nas = &p->ue[i]->nas;

		memcpy(type == KDF_NAS_ENC ? nas->k_nas_enc : nas->k_nas_int,
		       p->out[i] + DIGEST - SEC_NAS_KEY_SIZE, SEC_NAS_KEY_SIZE);
	}
}

static void derive(struct pair *p, const struct sec_derive_config *config)
{
	char supi[SEC_SUPI_MAX];

	for (unsigned int i = 0; i < 2; i++)
		kdf_text_ksession(&p->text[i], &p->ue[i]->in);
	set_key(p, p->ue[0]->in.z, p->ue[1]->in.z);
	finish(p);
	for (unsigned int i = 0; i < 2; i++)
		kdf_text_kseaf(&p->text[i], config->serving_network);
	set_key(p, p->out[0], p->out[1]);
	finish(p);
	for (unsigned int i = 0; i < 2; i++) {
		size_t n = sec_supi_from_eid(p->ue[i]->in.eid, config->realm, supi);

		kdf_text_kamf(&p->text[i], span_make(supi, n), config->abba);
	}
	set_key(p, p->out[0], p->out[1]);
	finish(p);
	for (unsigned int i = 0; i < 2; i++)
		memcpy(p->ue[i]->k_amf, p->out[i], SEC_KEY_SIZE);
	set_key(p, p->out[0], p->out[1]);
	derive_algorithm_keys(p, KDF_NAS_ENC);
	derive_algorithm_keys(p, KDF_NAS_INT);
	for (unsigned int i = 0; i < 2; i++)
		kdf_text_kgnb(&p->text[i], 0);
	finish(p);
	for (unsigned int i = 0; i < 2; i++)
		memcpy(p->ue[i]->k_gnb, p->out[i], SEC_KEY_SIZE);
}

void sec_derive_burst(const struct sec *s, const struct sec_derive_config *config,
		      struct sec_derivation *ues, unsigned int n)
{
	struct pair p = {.sha_ni = s->mgr->features & IMB_FEATURE_SHANI};

	/* One that is left over is its own neighbour. */
	for (unsigned int i = 0; i < n; i += 2) {
		p.ue[0] = &ues[i];
		p.ue[1] = i + 1 < n ? &ues[i + 1] : &ues[i];
		derive(&p, config);
	}
	wipe(&p, sizeof(p));
}
