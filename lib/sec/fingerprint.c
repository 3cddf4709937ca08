/* SPDX-License-Identifier: BSD-3-Clause */
#include <openssl/rand.h>
#include <stdlib.h>

#include "sec/internal.h"

struct sec_fingerprint_key {
	struct gcm_key_data ghash;
};

struct sec_fingerprint_key *sec_fingerprint_key_create(struct sec *s)
{
	struct sec_fingerprint_key *k = aligned_alloc(64, (sizeof(*k) + 63) & ~(size_t)63);
	uint8_t h[16];

	if (k && RAND_priv_bytes(h, sizeof(h)) != 1) {
		free(k);
		return NULL;
	}
	if (k)
		IMB_GHASH_PRE(s->mgr, h, &k->ghash);
	wipe(h, sizeof(h));
	return k;
}

void sec_fingerprint_key_destroy(struct sec_fingerprint_key *k)
{
	if (!k)
		return;
	wipe(k, sizeof(*k));
	free(k);
}

void sec_fingerprint(struct sec *s, const struct sec_fingerprint_key *k, struct span message,
		     uint8_t fingerprint[SEC_FINGERPRINT_SIZE])
{
	uint8_t length[16] = {0};

	/* GHASH fills the last block with zeros: the length tells what was there. */
	store_be64(length, message.n);
	memset(fingerprint, 0, SEC_FINGERPRINT_SIZE);
	IMB_GHASH(s->mgr, &k->ghash, message.p, message.n, fingerprint, SEC_FINGERPRINT_SIZE);
	IMB_GHASH(s->mgr, &k->ghash, length, sizeof(length), fingerprint, SEC_FINGERPRINT_SIZE);
}
