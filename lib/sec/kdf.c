/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The key schedule: TS 33.220 Annex B.2, KDF(key, FC || P0 || L0 || P1 || L1 || ...).
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "sec/kdf.h"

/* HMAC-SHA-256 (RFC 2104) with a key whose two blocks are hashed already: several messages may
 * follow. Lone short messages: OpenSSL's low-level functions use SHA-NI, where intel-ipsec-mb 1.3
 * takes its portable code for all but many buffers at once (docs/performance.md, HMAC). */
struct hmac_key {
	SHA256_CTX inner, outer;
};

static void hmac_key_init(struct hmac_key *k, struct span key)
{
	uint8_t block[SHA256_BLOCK] = {0};

	if (key.n > SHA256_BLOCK) {
		SHA256_Init(&k->inner);
		SHA256_Update(&k->inner, key.p, key.n);
		SHA256_Final(block, &k->inner);
	} else if (key.n > 0) {
		memcpy(block, key.p, key.n);
	}
	for (unsigned int i = 0; i < SHA256_BLOCK; i++)
		block[i] ^= 0x36;
	SHA256_Init(&k->inner);
	SHA256_Update(&k->inner, block, SHA256_BLOCK);
	for (unsigned int i = 0; i < SHA256_BLOCK; i++)
		block[i] ^= 0x36 ^ 0x5c;
	SHA256_Init(&k->outer);
	SHA256_Update(&k->outer, block, SHA256_BLOCK);
	wipe(block, sizeof(block));
}

static void hmac(const struct hmac_key *k, const uint8_t *message, size_t n, uint8_t mac[32])
{
	SHA256_CTX context = k->inner;
	uint8_t hash[32];

	SHA256_Update(&context, message, n);
	SHA256_Final(hash, &context);
	context = k->outer;
	SHA256_Update(&context, hash, sizeof(hash));
	SHA256_Final(mac, &context);
	wipe(&context, sizeof(context));
	wipe(hash, sizeof(hash));
}

void sec_hmac_sha256(struct span key, struct span message, uint8_t mac[32])
{
	struct hmac_key k;

	hmac_key_init(&k, key);
	hmac(&k, message.p, message.n, mac);
	wipe(&k, sizeof(k));
}

static void kdf_end(struct kdf_text *k, const uint8_t key[SEC_KEY_SIZE], uint8_t out[32])
{
	sec_hmac_sha256(span_make(key, SEC_KEY_SIZE), span_make(k->buffer, k->n), out);
}

void sec_derive_ksession(const struct sec_session_input *in, uint8_t ksession[SEC_KEY_SIZE])
{
	struct kdf_text k;

	kdf_text_ksession(&k, in);
	kdf_end(&k, in->z, ksession);
}

void sec_derive_kamf(const uint8_t ksession[SEC_KEY_SIZE], struct span serving_network,
		     struct span supi, const uint8_t abba[2], struct sec_keys *out)
{
	struct kdf_text k;

	kdf_text_kseaf(&k, serving_network);
	kdf_end(&k, ksession, out->k_seaf);
	kdf_text_kamf(&k, supi, abba);
	kdf_end(&k, out->k_seaf, out->k_amf);
}

size_t sec_supi_from_eid(const uint8_t eid[SEC_EID_SIZE], const char *realm,
			 char supi[SEC_SUPI_MAX])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = strlen(realm);

	if (2 * SEC_EID_SIZE + 1 + n + 1 > SEC_SUPI_MAX)
		return 0;
	for (unsigned int i = 0; i < SEC_EID_SIZE; i++) {
		supi[2 * i] = digits[eid[i] >> 4];
		supi[2 * i + 1] = digits[eid[i] & 0x0f];
	}
	supi[2 * SEC_EID_SIZE] = '@';
	memcpy(supi + 2 * SEC_EID_SIZE + 1, realm, n + 1);
	return 2 * SEC_EID_SIZE + 1 + n;
}

/* TS 33.501 A.8: the last 16 octets of the KDF's output. */
static void derive_algorithm_key(const struct hmac_key *k_amf, uint8_t type, uint8_t identity,
				 uint8_t key[SEC_NAS_KEY_SIZE])
{
	struct kdf_text k;
	uint8_t out[32];

	kdf_text_algorithm_key(&k, type, identity);
	hmac(k_amf, k.buffer, k.n, out);
	memcpy(key, out + 16, SEC_NAS_KEY_SIZE);
	wipe(out, sizeof(out));
}

void sec_derive_nas_keys(const uint8_t k_amf[SEC_KEY_SIZE], enum sec_nea nea, enum sec_nia nia,
			 uint8_t k_nas_enc[SEC_NAS_KEY_SIZE], uint8_t k_nas_int[SEC_NAS_KEY_SIZE])
{
	struct hmac_key key;

	hmac_key_init(&key, span_make(k_amf, SEC_KEY_SIZE));
	derive_algorithm_key(&key, KDF_NAS_ENC, (uint8_t)nea, k_nas_enc);
	derive_algorithm_key(&key, KDF_NAS_INT, (uint8_t)nia, k_nas_int);
	wipe(&key, sizeof(key));
}

void sec_derive_kgnb(const uint8_t k_amf[SEC_KEY_SIZE], uint32_t uplink_count,
		     uint8_t k_gnb[SEC_KEY_SIZE])
{
	struct kdf_text k;

	kdf_text_kgnb(&k, uplink_count);
	kdf_end(&k, k_amf, k_gnb);
}
