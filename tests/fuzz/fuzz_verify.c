/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bursts of ECDSA verifications on P-256: every backend that runs here must say what OpenSSL says,
 * of signatures that are right, spoiled a little, or any octets; with a key given, met before, or
 * prepared. An operation takes 8 octets of the input: how it is made, the private key (small, so
 * that keys and multiples meet), the digest, and where it is spoiled and how.
 */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPS_MAX = 24, RECIPE = 8, KEYS = 8 };

static struct crypto *reference, *lanes;
static struct {
	uint8_t private_key[32], public_key[64];
	struct crypto_key *prepared;
} keys[KEYS];

static void prepare(void)
{
	const char *why;

	reference = crypto_create("openssl", -1, &why);
	lanes = crypto_create("auto", -1, &why);
	for (unsigned int i = 0; i < KEYS; i++) {
		keys[i].private_key[31] = (uint8_t)(i + 1); /* G, 2 G, ... */
		crypto_public_from_private(CRYPTO_P256, keys[i].private_key, keys[i].public_key);
		crypto_public_key_load(crypto_backend_name(lanes), CRYPTO_P256, keys[i].public_key,
				       86 << 10, &keys[i].prepared);
	}
}

struct made {
	uint8_t public_key[64], digest[32], signature[64];
	struct crypto_multiples multiples;
	unsigned int key;
	bool own_key; /* the key was not spoiled */
};

static void make(struct made *m, const uint8_t *recipe)
{
	m->key = recipe[1] % KEYS;
	m->own_key = true;
	memcpy(m->public_key, keys[m->key].public_key, 64);
	/* 0: zeros; 1: all ones, above n; else something */
	memset(m->digest, recipe[2] == 1 ? 0xff : recipe[2] == 0 ? 0 : recipe[3], 32);
	crypto_sign_burst(reference,
			  &(struct crypto_sign){.curve = CRYPTO_P256,
						.private_key = keys[m->key].private_key,
						.digest = m->digest,
						.signature = m->signature},
			  1);
	switch (recipe[0] % 8) {
	case 0:
		m->signature[recipe[4] % 64] ^= recipe[5];
		break;
	case 1:
		m->digest[recipe[4] % 32] ^= recipe[5];
		break;
	case 2:
		m->public_key[recipe[4] % 64] ^= recipe[5];
		m->own_key = recipe[5] == 0;
		break;
	case 3: /* r or s of any octets, 0 and above n among them */
		memset(m->signature + (recipe[4] & 32), recipe[5], 32);
		break;
	default:
		break;
	}
}

static void expect(const struct crypto_verify *ops, const enum crypto_status *right, unsigned int n,
		   const char *what)
{
	for (unsigned int i = 0; i < n; i++)
		if (ops[i].status != right[i]) {
			fprintf(stderr, "%s, operation %u of %u: %s, not %s\n", what, i, n,
				crypto_status_name(ops[i].status), crypto_status_name(right[i]));
			abort();
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct made made[OPS_MAX];
	struct crypto_verify ops[OPS_MAX];
	enum crypto_status right[OPS_MAX];
	unsigned int n = 0;

	if (!reference)
		prepare();
	for (; n < OPS_MAX && (n + 1) * RECIPE <= size; n++) {
		make(&made[n], data + n * RECIPE);
		ops[n] = (struct crypto_verify){.curve = CRYPTO_P256,
						.public_key = made[n].public_key,
						.multiples_out = &made[n].multiples,
						.digest = made[n].digest,
						.signature = made[n].signature};
	}
	crypto_verify_burst(reference, ops, n);
	for (unsigned int i = 0; i < n; i++)
		right[i] = ops[i].status;
	crypto_verify_burst(lanes, ops, n);
	expect(ops, right, n, "leaving multiples");
	for (unsigned int i = 0; i < n; i++) {
		ops[i].multiples = data[i * RECIPE + 6] & 1 && ops[i].multiples_left
					   ? ops[i].multiples_out
					   : NULL;
		ops[i].multiples_out = NULL;
		ops[i].key = data[i * RECIPE + 6] & 2 && made[i].own_key
				     ? keys[made[i].key].prepared
				     : NULL;
	}
	crypto_verify_burst(lanes, ops, n);
	expect(ops, right, n, "taking multiples, prepared, or neither");
	return 0;
}
