/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sealing of K_gNB under an access node's key: AES-256-GCM (SP 800-38D).
 */
#include <stdlib.h>

#include "sec/internal.h"

struct sec_an_key {
	struct gcm_key_data gcm;
};

struct sec_an_key *sec_an_key_create(struct sec *s, const uint8_t key[SEC_AN_KEY_SIZE])
{
	struct sec_an_key *k = aligned_alloc(64, (sizeof(*k) + 63) & ~(size_t)63);

	if (k)
		IMB_AES256_GCM_PRE(s->mgr, key, &k->gcm);
	return k;
}

void sec_an_key_destroy(struct sec_an_key *k)
{
	if (!k)
		return;
	wipe(k, sizeof(*k));
	free(k);
}

void sec_seal_key(struct sec *s, const struct sec_an_key *k,
		  const uint8_t nonce[SEC_SEAL_NONCE_SIZE], struct span aad,
		  const uint8_t k_gnb[SEC_KEY_SIZE], uint8_t sealed[SEC_SEALED_KEY_SIZE])
{
	struct gcm_context_data context;

	memcpy(sealed, nonce, SEC_SEAL_NONCE_SIZE);
	IMB_AES256_GCM_ENC(s->mgr, &k->gcm, &context, sealed + SEC_SEAL_NONCE_SIZE, k_gnb,
			   SEC_KEY_SIZE, nonce, aad.p, aad.n,
			   sealed + SEC_SEAL_NONCE_SIZE + SEC_KEY_SIZE, SEC_SEAL_TAG_SIZE);
	wipe(&context, sizeof(context)); /* holds key stream */
}

enum sec_error sec_open_key(struct sec *s, const struct sec_an_key *k, struct span aad,
			    const uint8_t sealed[SEC_SEALED_KEY_SIZE], uint8_t k_gnb[SEC_KEY_SIZE])
{
	struct gcm_context_data context;
	uint8_t tag[SEC_SEAL_TAG_SIZE];

	IMB_AES256_GCM_DEC(s->mgr, &k->gcm, &context, k_gnb, sealed + SEC_SEAL_NONCE_SIZE,
			   SEC_KEY_SIZE, sealed, aad.p, aad.n, tag, SEC_SEAL_TAG_SIZE);
	wipe(&context, sizeof(context));
	if (equal_ct(tag, sealed + SEC_SEAL_NONCE_SIZE + SEC_KEY_SIZE, SEC_SEAL_TAG_SIZE))
		return SEC_OK;
	wipe(k_gnb, SEC_KEY_SIZE);
	return SEC_BAD_SEAL;
}
