/* SPDX-License-Identifier: BSD-3-Clause
 *
 * bench-raw: what OpenSSL alone takes for the public-key operations of one attach, by its fastest
 * calls and with every object made beforehand. One JSON line: microseconds, the median of several
 * rounds.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/objects.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/timing.h"

enum { ROUNDS = 15, OPERATIONS = 400 };

static EC_KEY *key;
static EC_POINT *result;
static ECDSA_SIG *signature;
static BIGNUM *x, *y, *scalar;
static BN_CTX *ctx;
static const uint8_t digest[32] = {1, 2, 3};

static void verify(void)
{
	if (ECDSA_do_verify(digest, sizeof(digest), signature, key) != 1)
		abort();
}

static void sign(void)
{
	ECDSA_SIG_free(ECDSA_do_sign(digest, sizeof(digest), key));
}

static void affine(void)
{
	EC_POINT_get_affine_coordinates(EC_KEY_get0_group(key), result, x, y, ctx);
}

static void keypair(void)
{
	BN_priv_rand_range(scalar, EC_GROUP_get0_order(EC_KEY_get0_group(key)));
	EC_POINT_mul(EC_KEY_get0_group(key), result, scalar, NULL, NULL, ctx);
	affine();
}

static void ecdh(void)
{
	EC_POINT_mul(EC_KEY_get0_group(key), result, NULL, EC_KEY_get0_public_key(key), scalar,
		     ctx);
	affine();
}

static json_t *median(void (*operation)(void))
{
	double rounds[ROUNDS];

	for (unsigned int r = 0; r < ROUNDS; r++) {
		double begun = timing_now_us();

		for (unsigned int i = 0; i < OPERATIONS; i++)
			operation();
		rounds[r] = (timing_now_us() - begun) / OPERATIONS;
	}
	return json_real(timing_median(rounds, ROUNDS));
}

int main(void)
{
	json_t *j = json_object();

	key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	ctx = BN_CTX_new();
	x = BN_new();
	y = BN_new();
	scalar = BN_new();
	if (!key || !ctx || !x || !y || !scalar || EC_KEY_generate_key(key) != 1)
		return EXIT_FAILURE;
	result = EC_POINT_new(EC_KEY_get0_group(key));
	signature = ECDSA_do_sign(digest, sizeof(digest), key);
	keypair();
	json_object_set_new(j, "verify", median(verify));
	json_object_set_new(j, "sign", median(sign));
	json_object_set_new(j, "keypair", median(keypair));
	json_object_set_new(j, "ecdh", median(ecdh));
	json_dumpf(j, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(j);
	return 0;
}
