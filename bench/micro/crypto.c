/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lib/crypto's bursts from one operation, as without load, to 128.
 */
#include <openssl/rand.h>
#include <stdlib.h>

#include <rte_common.h>

#include "micro/micro.h"

enum {
	INPUTS = 2048, /* multiples of their keys take twice a second-level cache */
	BURST = 128,
	OTHERS = 1 << 20, /* octets that the other stages touch between two bursts, about */
};

static struct {
	bool ready;
	uint8_t private_keys[INPUTS][CRYPTO_SCALAR_SIZE];
	uint8_t public_keys[INPUTS][CRYPTO_POINT_SIZE];
	uint8_t digests[INPUTS][CRYPTO_DIGEST_SIZE];
	uint8_t signatures[INPUTS][CRYPTO_SIGNATURE_SIZE];
	uint8_t issued[INPUTS][CRYPTO_SIGNATURE_SIZE]; /* by the first of them */
	struct crypto_multiples multiples[INPUTS];
	bool multiples_left;
	struct crypto_key *issuer, *signer; /* the first, prepared */
	uint8_t out[BURST][CRYPTO_POINT_SIZE], secrets[BURST][CRYPTO_SCALAR_SIZE];
} in;

enum meeting { NEW, FIRST, SECOND, PREPARED };

/* Hot: as many as the largest burst has, over and over. */
static unsigned int input_of(unsigned int at, uint32_t item)
{
	return micro_cold ? item % INPUTS : at % BURST;
}

static void verify(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct crypto_verify ops[BURST];
	unsigned int good = 0;

	for (unsigned int at = 0; at < n; at += c->batch) {
		for (unsigned int i = 0; i < c->batch; i++) {
			unsigned int k = input_of(at + i, items[at + i]);

			ops[i] = (struct crypto_verify){
				.curve = CRYPTO_P256,
				.key = c->arg == PREPARED ? in.issuer : NULL,
				.public_key = in.public_keys[k],
				.multiples = c->arg == SECOND && in.multiples_left
						     ? &in.multiples[k]
						     : NULL,
				.multiples_out = c->arg == FIRST ? &in.multiples[k] : NULL,
				.digest = in.digests[k],
				.signature = c->arg == PREPARED ? in.issued[k] : in.signatures[k]};
		}
		crypto_verify_burst(micro.crypto, ops, c->batch);
		for (unsigned int i = 0; i < c->batch; i++)
			good += ops[i].status == CRYPTO_OK;
	}
	micro_check(good == n, "a signature is wrong");
}

static void keypair(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct crypto_keypair ops[BURST];

	(void)items;
	for (unsigned int at = 0; at < n; at += c->batch) {
		for (unsigned int i = 0; i < c->batch; i++)
			ops[i] = (struct crypto_keypair){.curve = CRYPTO_P256,
							 .private_key = in.secrets[i],
							 .public_key = in.out[i]};
		crypto_keypair_burst(micro.crypto, ops, c->batch);
		micro_check(ops[0].status == CRYPTO_OK, "no key pair");
	}
}

static void sign(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct crypto_sign ops[BURST];

	for (unsigned int at = 0; at < n; at += c->batch) {
		for (unsigned int i = 0; i < c->batch; i++)
			ops[i] = (struct crypto_sign){
				.curve = CRYPTO_P256,
				.key = in.signer,
				.digest = in.digests[input_of(at + i, items[at + i])],
				.signature = in.out[i]};
		crypto_sign_burst(micro.crypto, ops, c->batch);
		micro_check(ops[0].status == CRYPTO_OK, "no signature");
	}
}

static void ecdh(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct crypto_ecdh ops[BURST];

	for (unsigned int at = 0; at < n; at += c->batch) {
		for (unsigned int i = 0; i < c->batch; i++) {
			unsigned int k = input_of(at + i, items[at + i]);

			ops[i] =
				(struct crypto_ecdh){.curve = CRYPTO_P256,
						     .private_key = in.private_keys[k],
						     .public_key = in.public_keys[(k + 1) % INPUTS],
						     .z = in.secrets[i]};
		}
		crypto_ecdh_burst(micro.crypto, ops, c->batch);
		micro_check(ops[0].status == CRYPTO_OK, "no shared point");
	}
}

static struct span hashed(const struct micro_item *item, int what)
{
	struct span whole = item->cert_euicc;

	switch (what) {
	case 0: /* the TBSCertificate, all but its first octets and the signature behind it */
		return span_make(whole.p + 4, whole.n - 4 - 84);
	default:
		return span_make(whole.p, (size_t)what);
	}
}

static void hash(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct crypto_hash ops[BURST];
	static uint8_t digests[BURST][CRYPTO_DIGEST_SIZE];

	for (unsigned int at = 0; at < n; at += c->batch) {
		for (unsigned int i = 0; i < c->batch; i++)
			ops[i] = (struct crypto_hash){hashed(&micro.items[items[at + i]], c->arg),
						      digests[i]};
		crypto_hash_burst(micro.crypto, ops, c->batch);
		micro_keep(digests);
	}
}

static void random_octets(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	static uint8_t rands[BURST][16];

	(void)items;
	for (unsigned int at = 0; at < n; at += c->batch)
		micro_check(RAND_bytes(rands[0], (int)(c->batch * 16)) == 1, "no entropy");
}

/* Between two bursts the other stages of the core use the second-level cache. */
static void others_turn(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	(void)items;
	(void)n;
	if (micro_cold)
		micro_sweep(OTHERS);
}

static void prepare(const struct micro_case *c)
{
	const char *backend = crypto_backend_name(micro.crypto);

	(void)c;
	if (in.ready)
		return;
	in.ready = true;
	for (unsigned int i = 0; i < INPUTS; i++) {
		struct crypto_keypair pair = {.curve = CRYPTO_P256,
					      .private_key = in.private_keys[i],
					      .public_key = in.public_keys[i]};
		struct crypto_sign own = {.curve = CRYPTO_P256,
					  .private_key = in.private_keys[i],
					  .digest = in.digests[i],
					  .signature = in.signatures[i]};
		struct crypto_sign issued = own;

		issued.private_key = in.private_keys[0];
		issued.signature = in.issued[i];
		crypto_keypair_burst(micro.crypto, &pair, 1);
		crypto_hash_burst(
			micro.crypto,
			&(struct crypto_hash){span_make(in.public_keys[i], 64), in.digests[i]}, 1);
		crypto_sign_burst(micro.crypto, &own, 1);
		crypto_sign_burst(micro.crypto, &issued, 1);
		micro_check(pair.status == CRYPTO_OK && own.status == CRYPTO_OK &&
				    issued.status == CRYPTO_OK,
			    "no signatures");
	}
	micro_check(crypto_public_key_load(backend, CRYPTO_P256, in.public_keys[0], 0,
					   &in.issuer) == CRYPTO_OK &&
			    crypto_private_key_load(backend, CRYPTO_P256, in.private_keys[0],
						    &in.signer) == CRYPTO_OK,
		    "no prepared keys");
	const struct micro_case meet = {.batch = BURST, .arg = FIRST};
	uint32_t all[INPUTS];

	for (unsigned int i = 0; i < INPUTS; i++)
		all[i] = i;
	in.multiples_left = crypto_leaves_multiples(micro.crypto, CRYPTO_P256);
	micro_cold = true;
	verify(&meet, all, INPUTS);
	micro_cold = false;
}

/* One row a batch. Of a full burst of 128 jobs half are of step 2 and half of step 6, so an attach
 * has its operations in batches of 64. */
#define AT(size, title, share, what, fn)                                                    \
	{                                                                                   \
		"crypto", title, (share) > 0 ? "public-key" : NULL, share,                  \
			.batch = size, .met_cold = (fn) == verify, .no_cold = (share) == 0, \
			.arg = what, .run = fn, .prepare = prepare, .before = others_turn,  \
			.chunk = size                                                       \
	}
#define BATCHES(title, what, fn, share)                                               \
	AT(1, title ", 1 at a time", 0, what, fn), AT(2, title ", 2", 0, what, fn),   \
		AT(4, title ", 4", 0, what, fn), AT(8, title ", 8", 0, what, fn),     \
		AT(16, title ", 16", 0, what, fn), AT(32, title ", 32", 0, what, fn), \
		AT(64, title ", 64", share, what, fn), AT(128, title ", 128", 0, what, fn)
#define HASHED(size, title, what, n)                                                             \
	{                                                                                        \
		"crypto", title, (size) == MICRO_CHUNK ? "crypto" : NULL,                        \
			(size) == MICRO_CHUNK ? (n) : 0, .batch = size, .arg = what, .run = hash \
	}

static const struct micro_case cases[] = {
	BATCHES("verify, unknown key", NEW, verify, 0),
	BATCHES("verify, unknown key, its multiples kept", FIRST, verify, 1),
	BATCHES("verify, prepared key", PREPARED, verify, 1),
	BATCHES("verify, key met before", SECOND, verify, 1),
	BATCHES("key pair", 0, keypair, 1),
	BATCHES("sign", 0, sign, 1),
	BATCHES("ECDH", 0, ecdh, 1),
	MICRO_BATCHES(HASHED, "SHA-256 of a TBSCertificate", 0, 1),
	MICRO_BATCHES(HASHED, "SHA-256 of RAND_UE and EID", 32, 1),
	MICRO_BATCHES(HASHED, "SHA-256 of what AU_Signature is over", 97, 1),
	MICRO_BATCHES(HASHED, "SHA-256 of what UE_Signature2 is over", 81, 1),
	{"crypto", "RAND_AU, 64", "crypto", 1, .batch = 64, .no_cold = true, .run = random_octets},
};

const struct micro_group micro_crypto = {"crypto", cases, RTE_DIM(cases)};
