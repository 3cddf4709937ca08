/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The reference backend: OpenSSL's low-level EC functions, which skip the provider look-ups and
 * allocations of EVP and are its fastest way for single operations. Objects are made once a thread
 * and used again. Nonces are OpenSSL's: random, hedged with the private key and the digest.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "crypto/backend.h"

struct curve_state {
	EC_GROUP *group;
	EC_KEY *key; /* takes the key of the operation at hand */
	EC_POINT *point, *result;
	const BIGNUM *order;
	BIGNUM *field;
};

struct openssl_state {
	BN_CTX *bn;
	BIGNUM *x, *y, *scalar;
	struct curve_state curves[CRYPTO_CURVE_N];
};

static int curve_nid(enum crypto_curve curve)
{
	return curve == CRYPTO_P256 ? NID_X9_62_prime256v1 : NID_brainpoolP256r1;
}

static const char *openssl_unavailable(void)
{
	return NULL;
}

static void openssl_destroy(void *state)
{
	struct openssl_state *s = state;

	for (unsigned int i = 0; i < CRYPTO_CURVE_N; i++) {
		EC_POINT_free(s->curves[i].point);
		EC_POINT_clear_free(s->curves[i].result);
		EC_KEY_free(s->curves[i].key);
		EC_GROUP_free(s->curves[i].group);
		BN_free(s->curves[i].field);
	}
	BN_free(s->x);
	BN_free(s->y);
	BN_clear_free(s->scalar);
	BN_CTX_free(s->bn);
	free(s);
}

static bool curve_init(struct curve_state *c, enum crypto_curve curve, BN_CTX *bn)
{
	c->group = EC_GROUP_new_by_curve_name(curve_nid(curve));
	if (!c->group)
		return false;
	c->key = EC_KEY_new();
	c->point = EC_POINT_new(c->group);
	c->result = EC_POINT_new(c->group);
	c->field = BN_new();
	if (!c->key || !c->point || !c->result || !c->field)
		return false;
	c->order = EC_GROUP_get0_order(c->group);
	return EC_KEY_set_group(c->key, c->group) == 1 &&
	       EC_GROUP_get_curve(c->group, c->field, NULL, NULL, bn) == 1;
}

static void *openssl_create(int numa_node)
{
	struct openssl_state *s = calloc(1, sizeof(*s));

	(void)numa_node;
	if (!s)
		return NULL;
	s->bn = BN_CTX_secure_new();
	s->x = BN_new();
	s->y = BN_new();
	s->scalar = BN_new();
	bool ok = s->bn && s->x && s->y && s->scalar;

	for (unsigned int i = 0; ok && i < CRYPTO_CURVE_N; i++)
		ok = curve_init(&s->curves[i], (enum crypto_curve)i, s->bn);
	if (!ok) {
		openssl_destroy(s);
		return NULL;
	}
	BN_set_flags(s->scalar, BN_FLG_CONSTTIME);
	return s;
}

static void openssl_hash(void *state, struct crypto_hash *ops, unsigned int n)
{
	(void)state;
	for (unsigned int i = 0; i < n; i++) {
		SHA256_CTX sha;

		/* The one-shot SHA256() of OpenSSL 3 looks its algorithm up at every call. */
		SHA256_Init(&sha);
		SHA256_Update(&sha, ops[i].message.p, ops[i].message.n);
		SHA256_Final(ops[i].digest, &sha);
	}
}

/* Sets c->point. Refuses coordinates >= p and points off the curve. */
static bool set_point(struct openssl_state *s, struct curve_state *c, const uint8_t *public_key)
{
	if (!BN_bin2bn(public_key, 32, s->x) || !BN_bin2bn(public_key + 32, 32, s->y))
		return false;
	return BN_cmp(s->x, c->field) < 0 && BN_cmp(s->y, c->field) < 0 &&
	       EC_POINT_set_affine_coordinates(c->group, c->point, s->x, s->y, s->bn) == 1;
}

/* Sets s->scalar. Refuses 0 and anything from the order up. */
static bool set_scalar(struct openssl_state *s, const struct curve_state *c, const uint8_t *scalar)
{
	return BN_bin2bn(scalar, 32, s->scalar) && !BN_is_zero(s->scalar) &&
	       BN_cmp(s->scalar, c->order) < 0;
}

static enum crypto_status verify_one(struct openssl_state *s, const struct crypto_verify *op)
{
	struct curve_state *c = &s->curves[op->curve];
	EC_KEY *key = c->key;

	if (op->key) {
		key = op->key->prepared;
	} else if (!set_point(s, c, op->public_key) || EC_KEY_set_public_key(key, c->point) != 1) {
		return CRYPTO_BAD_KEY;
	}
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(op->signature, 32, NULL),
	       *v = BN_bin2bn(op->signature + 32, 32, NULL);

	if (!sig || !r || !v || ECDSA_SIG_set0(sig, r, v) != 1) {
		BN_free(r);
		BN_free(v);
		ECDSA_SIG_free(sig);
		return CRYPTO_FAILED;
	}
	int ok = ECDSA_do_verify(op->digest, CRYPTO_DIGEST_SIZE, sig, key);

	ECDSA_SIG_free(sig);
	return ok == 1 ? CRYPTO_OK : CRYPTO_BAD_SIGNATURE;
}

static void openssl_verify(void *state, struct crypto_verify *ops, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		ops[i].status = verify_one(state, &ops[i]);
		ops[i].multiples_left = false;
	}
}

/* The affine x (and y, unless NULL) of c->result. */
static bool get_affine(struct openssl_state *s, struct curve_state *c, uint8_t *x, uint8_t *y)
{
	return EC_POINT_get_affine_coordinates(c->group, c->result, s->x, y ? s->y : NULL, s->bn) ==
		       1 &&
	       BN_bn2binpad(s->x, x, 32) == 32 && (!y || BN_bn2binpad(s->y, y, 32) == 32);
}

static enum crypto_status keypair_one(struct openssl_state *s, struct crypto_keypair *op)
{
	struct curve_state *c = &s->curves[op->curve];

	/* Rejection sampling: both orders are above 2^255, so two tries are the mean at most, and
	 * 64 failures mean a broken generator. */
	for (unsigned int i = 0; i < 64; i++) {
		if (RAND_priv_bytes(op->private_key, CRYPTO_SCALAR_SIZE) != 1)
			return CRYPTO_FAILED;
		if (!set_scalar(s, c, op->private_key))
			continue;
		if (EC_POINT_mul(c->group, c->result, s->scalar, NULL, NULL, s->bn) != 1 ||
		    !get_affine(s, c, op->public_key, op->public_key + 32))
			return CRYPTO_FAILED;
		return CRYPTO_OK;
	}
	return CRYPTO_FAILED;
}

static void openssl_keypair(void *state, struct crypto_keypair *ops, unsigned int n)
{
	struct openssl_state *s = state;

	for (unsigned int i = 0; i < n; i++)
		ops[i].status = keypair_one(s, &ops[i]);
	BN_clear(s->scalar);
}

static enum crypto_status sign_one(struct openssl_state *s, const struct crypto_sign *op)
{
	struct curve_state *c = &s->curves[op->curve];
	EC_KEY *key = c->key;

	if (op->key)
		key = op->key->prepared;
	else if (!set_scalar(s, c, op->private_key) || EC_KEY_set_private_key(key, s->scalar) != 1)
		return CRYPTO_BAD_KEY;
	ECDSA_SIG *sig = ECDSA_do_sign(op->digest, CRYPTO_DIGEST_SIZE, key);

	if (!sig)
		return CRYPTO_FAILED;
	bool ok = BN_bn2binpad(ECDSA_SIG_get0_r(sig), op->signature, 32) == 32 &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(sig), op->signature + 32, 32) == 32;

	ECDSA_SIG_free(sig);
	return ok ? CRYPTO_OK : CRYPTO_FAILED;
}

static void openssl_sign(void *state, struct crypto_sign *ops, unsigned int n)
{
	struct openssl_state *s = state;

	for (unsigned int i = 0; i < n; i++)
		ops[i].status = sign_one(s, &ops[i]);
	BN_clear(s->scalar);
	/* Setting no key clears the last one; it answers 0 for that. */
	for (unsigned int i = 0; i < CRYPTO_CURVE_N; i++)
		EC_KEY_set_private_key(s->curves[i].key, NULL);
}

static enum crypto_status ecdh_one(struct openssl_state *s, struct crypto_ecdh *op)
{
	struct curve_state *c = &s->curves[op->curve];

	if (!set_point(s, c, op->public_key) || !set_scalar(s, c, op->private_key))
		return CRYPTO_BAD_KEY;
	/* The cofactor of both curves is 1: a point of the curve times a scalar below the order is
	 * never at infinity. */
	if (EC_POINT_mul(c->group, c->result, NULL, c->point, s->scalar, s->bn) != 1 ||
	    !get_affine(s, c, op->z, NULL))
		return CRYPTO_FAILED;
	return CRYPTO_OK;
}

static void openssl_ecdh(void *state, struct crypto_ecdh *ops, unsigned int n)
{
	struct openssl_state *s = state;

	for (unsigned int i = 0; i < n; i++)
		ops[i].status = ecdh_one(s, &ops[i]);
	BN_clear(s->scalar);
	BN_clear(s->x);
	BN_clear(s->y);
}

static enum crypto_status key_load(enum crypto_curve curve, const uint8_t *public_key,
				   const uint8_t *private_key, void **prepared)
{
	struct openssl_state *s = openssl_create(-1);
	enum crypto_status status = CRYPTO_FAILED;

	if (!s)
		return status;
	struct curve_state *c = &s->curves[curve];

	if ((public_key && !set_point(s, c, public_key)) ||
	    (private_key && !set_scalar(s, c, private_key)))
		status = CRYPTO_BAD_KEY;
	else if ((!public_key || EC_KEY_set_public_key(c->key, c->point) == 1) &&
		 (!private_key || EC_KEY_set_private_key(c->key, s->scalar) == 1)) {
		*prepared = c->key;
		c->key = NULL;
		status = CRYPTO_OK;
	}
	openssl_destroy(s);
	return status;
}

static enum crypto_status openssl_public_key_load(enum crypto_curve curve,
						  const uint8_t *public_key, size_t table_octets,
						  void **prepared)
{
	(void)table_octets;
	return key_load(curve, public_key, NULL, prepared);
}

static enum crypto_status openssl_private_key_load(enum crypto_curve curve,
						   const uint8_t *private_key, void **prepared)
{
	return key_load(curve, NULL, private_key, prepared);
}

static void openssl_prepared_free(void *prepared)
{
	EC_KEY_free(prepared);
}

enum crypto_status crypto_public_from_private(enum crypto_curve curve,
					      const uint8_t private_key[CRYPTO_SCALAR_SIZE],
					      uint8_t public_key[CRYPTO_POINT_SIZE])
{
	struct openssl_state *s = openssl_create(-1);
	enum crypto_status status = CRYPTO_FAILED;

	if (!s)
		return status;
	struct curve_state *c = &s->curves[curve];

	if (!set_scalar(s, c, private_key))
		status = CRYPTO_BAD_KEY;
	else if (EC_POINT_mul(c->group, c->result, s->scalar, NULL, NULL, s->bn) == 1 &&
		 get_affine(s, c, public_key, public_key + 32))
		status = CRYPTO_OK;
	openssl_destroy(s);
	return status;
}

const struct crypto_backend crypto_backend_openssl = {
	.name = "openssl",
	.burst_hint = 1,
	.unavailable = openssl_unavailable,
	.create = openssl_create,
	.destroy = openssl_destroy,
	.hash = openssl_hash,
	.verify = openssl_verify,
	.keypair = openssl_keypair,
	.sign = openssl_sign,
	.ecdh = openssl_ecdh,
	.public_key_load = openssl_public_key_load,
	.private_key_load = openssl_private_key_load,
	.prepared_free = openssl_prepared_free,
};
