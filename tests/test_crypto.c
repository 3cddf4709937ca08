/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The public-key operations: Wycheproof's vectors, edges of every input, and bursts in which one
 * operation is bad.
 */
#include <criterion/criterion.h>
#include <openssl/evp.h>

#include "crypto/crypto.h"
#include "wycheproof.h"

enum { BURST = 16, VECTORS_MAX = 512 };

struct curve_constants {
	uint8_t p[32], n[32], g[64];
};

/* FIPS 186-4 D.1.2.3 and RFC 5639 3.4. */
static const struct curve_constants curves[CRYPTO_CURVE_N] = {
	[CRYPTO_P256] = {{0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
			  0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff,
			  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
			 {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
			  0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
			  0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51},
			 {0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6,
			  0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb,
			  0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f,
			  0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a,
			  0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e,
			  0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5}},
	[CRYPTO_BRAINPOOLP256R1] =
		{{0xa9, 0xfb, 0x57, 0xdb, 0xa1, 0xee, 0xa9, 0xbc, 0x3e, 0x66, 0x0a,
		  0x90, 0x9d, 0x83, 0x8d, 0x72, 0x6e, 0x3b, 0xf6, 0x23, 0xd5, 0x26,
		  0x20, 0x28, 0x20, 0x13, 0x48, 0x1d, 0x1f, 0x6e, 0x53, 0x77},
		 {0xa9, 0xfb, 0x57, 0xdb, 0xa1, 0xee, 0xa9, 0xbc, 0x3e, 0x66, 0x0a,
		  0x90, 0x9d, 0x83, 0x8d, 0x71, 0x8c, 0x39, 0x7a, 0xa3, 0xb5, 0x61,
		  0xa6, 0xf7, 0x90, 0x1e, 0x0e, 0x82, 0x97, 0x48, 0x56, 0xa7},
		 {0x8b, 0xd2, 0xae, 0xb9, 0xcb, 0x7e, 0x57, 0xcb, 0x2c, 0x4b, 0x48, 0x2f, 0xfc,
		  0x81, 0xb7, 0xaf, 0xb9, 0xde, 0x27, 0xe1, 0xe3, 0xbd, 0x23, 0xc2, 0x3a, 0x44,
		  0x53, 0xbd, 0x9a, 0xce, 0x32, 0x62, 0x54, 0x7e, 0xf8, 0x35, 0xc3, 0xda, 0xc4,
		  0xfd, 0x97, 0xf8, 0x46, 0x1a, 0x14, 0x61, 0x1d, 0xc9, 0xc2, 0x77, 0x45, 0x13,
		  0x2d, 0xed, 0x8e, 0x54, 0x5c, 0x1d, 0x54, 0xc7, 0x2f, 0x04, 0x69, 0x97}},
};

static struct crypto *context;
static enum crypto_curve curve; /* of the test at hand: each runs on both */
static struct {
	uint8_t private_key[32], public_key[64], digest[32], signature[64];
} good;

static enum crypto_status verify(const uint8_t *public_key, const uint8_t *digest,
				 const uint8_t *signature)
{
	struct crypto_verify op = {.curve = curve,
				   .public_key = public_key,
				   .digest = digest,
				   .signature = signature,
				   .status = CRYPTO_STATUS_N};

	crypto_verify_burst(context, &op, 1);
	return op.status;
}

static enum crypto_status sign(const uint8_t *private_key, const uint8_t *digest,
			       uint8_t *signature)
{
	struct crypto_sign op = {.curve = curve,
				 .private_key = private_key,
				 .digest = digest,
				 .signature = signature,
				 .status = CRYPTO_STATUS_N};

	crypto_sign_burst(context, &op, 1);
	return op.status;
}

static enum crypto_status ecdh(const uint8_t *private_key, const uint8_t *public_key, uint8_t *z)
{
	struct crypto_ecdh op = {.curve = curve,
				 .private_key = private_key,
				 .public_key = public_key,
				 .z = z,
				 .status = CRYPTO_STATUS_N};

	crypto_ecdh_burst(context, &op, 1);
	return op.status;
}

static void keypair(uint8_t *private_key, uint8_t *public_key)
{
	struct crypto_keypair op = {.curve = curve,
				    .private_key = private_key,
				    .public_key = public_key,
				    .status = CRYPTO_STATUS_N};

	crypto_keypair_burst(context, &op, 1);
	cr_assert_eq(op.status, CRYPTO_OK);
}

/* a + b as 256-bit numbers; the carry out of the top. */
static unsigned int add256(uint8_t out[32], const uint8_t a[32], const uint8_t b[32])
{
	unsigned int carry = 0;

	for (int i = 31; i >= 0; i--) {
		carry += (unsigned int)a[i] + b[i];
		out[i] = (uint8_t)carry;
		carry >>= 8;
	}
	return carry;
}

/* Every test is of the backend that CPAU_TEST_BACKEND names. */
static const char *backend(void)
{
	const char *name = getenv("CPAU_TEST_BACKEND");

	return name ? name : "openssl";
}

static void setup(void)
{
	const char *why;

	context = crypto_create(backend(), -1, &why);
	if (!context && strcmp(backend(), "openssl") != 0)
		cr_skip_test("backend %s is not tested here: %s", backend(), why);
	cr_assert_not_null(context, "%s", why);
}

static void teardown(void)
{
	crypto_destroy(context);
}

static void use_curve(enum crypto_curve c)
{
	curve = c;
	keypair(good.private_key, good.public_key);
	memset(good.digest, 0x5a, sizeof(good.digest));
	cr_assert_eq(sign(good.private_key, good.digest, good.signature), CRYPTO_OK);
}

#define for_both_curves()                                                                          \
	for (unsigned int c_ = 0; c_ < CRYPTO_CURVE_N && (use_curve((enum crypto_curve)c_), true); \
	     c_++)

TestSuite(crypto, .init = setup, .fini = teardown);

/* --- vectors --- */

static struct verify_vector {
	uint8_t public_key[64], digest[32], signature[64];
	struct crypto_key *key;
	bool valid;
	int id;
} vectors[VECTORS_MAX];

static unsigned int load_verify_vectors(json_t *root)
{
	json_t *group, *test;
	unsigned int n = 0;

	wycheproof_for_each(root, group, test)
	{
		struct verify_vector *v = &vectors[n];
		uint8_t point[65], message[1024], signature[256];
		size_t point_n = wycheproof_octets(json_object_get(group, "publicKey"),
						   "uncompressed", point, sizeof(point));
		size_t message_n = wycheproof_octets(test, "msg", message, sizeof(message));
		size_t signature_n = wycheproof_octets(test, "sig", signature, sizeof(signature));

		v->valid = wycheproof_is(test, "valid");
		v->id = wycheproof_id(test);
		if (signature_n != 64) {
			/* The interface has no room for them: their length is refused before. */
			cr_assert(!v->valid);
			continue;
		}
		cr_assert_eq(point_n, 65);
		memcpy(v->public_key, point + 1, 64);
		memcpy(v->signature, signature, 64);
		struct crypto_hash hash = {span_make(message, message_n), v->digest};

		crypto_hash_burst(context, &hash, 1);
		cr_assert_lt(++n, VECTORS_MAX);
	}
	return n;
}

/* All vectors in one burst: with keys as octets, then with prepared keys. */
static void verify_vectors(const char *file, enum crypto_curve c, unsigned int least)
{
	static struct crypto_verify ops[VECTORS_MAX];
	json_t *root = wycheproof_load(file);
	unsigned int n = load_verify_vectors(root);

	json_decref(root);
	cr_assert_geq(n, least);
	for (unsigned int prepared = 0; prepared < 2; prepared++) {
		for (unsigned int i = 0; i < n; i++) {
			struct verify_vector *v = &vectors[i];

			ops[i] = (struct crypto_verify){.curve = c,
							.public_key = v->public_key,
							.digest = v->digest,
							.signature = v->signature,
							.status = CRYPTO_STATUS_N};
			if (!prepared)
				continue;
			cr_assert_eq(
				crypto_public_key_load(backend(), c, v->public_key, 0, &v->key),
				CRYPTO_OK);
			ops[i].key = v->key;
			ops[i].public_key = NULL;
		}
		crypto_verify_burst(context, ops, n);
		for (unsigned int i = 0; i < n; i++)
			cr_expect_eq(
				ops[i].status, vectors[i].valid ? CRYPTO_OK : CRYPTO_BAD_SIGNATURE,
				"tcId %d: %s", vectors[i].id, crypto_status_name(ops[i].status));
	}
	for (unsigned int i = 0; i < n; i++)
		crypto_key_free(vectors[i].key);
}

Test(crypto, verifies_wycheproof_p256)
{
	verify_vectors("ecdsa_secp256r1_sha256_p1363_test.json", CRYPTO_P256, 240);
}

Test(crypto, verifies_wycheproof_brainpoolp256r1)
{
	verify_vectors("ecdsa_brainpoolP256r1_sha256_p1363_test.json", CRYPTO_BRAINPOOLP256R1, 240);
}

Test(crypto, agrees_with_wycheproof_ecdh_p256)
{
	json_t *root = wycheproof_load("ecdh_secp256r1_ecpoint_test.json"), *group, *test;
	unsigned int n = 0;

	curve = CRYPTO_P256;
	wycheproof_for_each(root, group, test)
	{
		uint8_t point[256], scalar[64], padded[96] = {0}, expected[32], z[32];
		size_t point_n = wycheproof_octets(test, "public", point, sizeof(point));
		size_t scalar_n = wycheproof_octets(test, "private", scalar, sizeof(scalar));
		bool valid = wycheproof_is(test, "valid");

		if (point_n != 65 || point[0] != 4) {
			cr_assert(!valid, "tcId %d", wycheproof_id(test));
			continue;
		}
		/* A DER integer: without leading zeros, or with one for its sign. */
		memcpy(padded + 32, scalar, scalar_n);
		enum crypto_status status = ecdh(padded + scalar_n, point + 1, z);

		cr_expect_eq(status, valid ? CRYPTO_OK : CRYPTO_BAD_KEY, "tcId %d: %s",
			     wycheproof_id(test), crypto_status_name(status));
		if (!valid)
			continue;
		cr_assert_eq(wycheproof_octets(test, "shared", expected, 32), 32);
		cr_expect_arr_eq(z, expected, 32, "tcId %d", wycheproof_id(test));
		n++;
	}
	json_decref(root);
	cr_expect_geq(n, 300);
}

Test(crypto, hashes_as_fips_180_does)
{
	static const uint8_t abc[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
					0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
					0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
					0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
	uint8_t digest[32];
	struct crypto_hash op = {span_make("abc", 3), digest};

	crypto_hash_burst(context, &op, 1);
	cr_expect_arr_eq(digest, abc, 32);
}

Test(crypto, hashes_every_length_of_a_burst)
{
	enum { N = 300 };
	static uint8_t message[N], digests[N][32];
	struct crypto_hash ops[N];

	for (unsigned int i = 0; i < N; i++) {
		message[i] = (uint8_t)(i * 7);
		ops[i] = (struct crypto_hash){span_make(i ? message : NULL, i), digests[i]};
	}
	crypto_hash_burst(context, ops, N);
	for (unsigned int i = 0; i < N; i++) {
		uint8_t expected[32];

		cr_assert(EVP_Digest(message, i, expected, NULL, EVP_sha256(), NULL) == 1);
		cr_expect_arr_eq(digests[i], expected, 32, "%u octets", i);
	}
}

Test(crypto, public_key_of_one_is_the_generator)
{
	uint8_t one[32] = {[31] = 1}, public_key[64];

	for_both_curves()
	{
		cr_assert_eq(crypto_public_from_private(curve, one, public_key), CRYPTO_OK);
		cr_expect_arr_eq(public_key, curves[curve].g, 64);
	}
}

/* --- behaviour --- */

Test(crypto, key_pairs_are_fresh_and_match)
{
	for_both_curves()
	{
		uint8_t private_keys[BURST][32], public_keys[BURST][64], expected[64];
		struct crypto_keypair ops[BURST];

		for (unsigned int i = 0; i < BURST; i++)
			ops[i] = (struct crypto_keypair){.curve = curve,
							 .private_key = private_keys[i],
							 .public_key = public_keys[i],
							 .status = CRYPTO_STATUS_N};
		crypto_keypair_burst(context, ops, BURST);
		for (unsigned int i = 0; i < BURST; i++) {
			cr_assert_eq(ops[i].status, CRYPTO_OK);
			cr_assert_eq(crypto_public_from_private(curve, private_keys[i], expected),
				     CRYPTO_OK);
			cr_expect_arr_eq(public_keys[i], expected, 64);
			cr_expect_lt(memcmp(private_keys[i], curves[curve].n, 32), 0);
			for (unsigned int j = 0; j < i; j++)
				cr_expect_neq(memcmp(private_keys[i], private_keys[j], 32), 0);
		}
	}
}

Test(crypto, both_ends_of_ecdh_agree)
{
	for_both_curves()
	{
		uint8_t d[32], q[64], z1[32], z2[32];

		keypair(d, q);
		cr_assert_eq(ecdh(d, good.public_key, z1), CRYPTO_OK);
		cr_assert_eq(ecdh(good.private_key, q, z2), CRYPTO_OK);
		cr_expect_arr_eq(z1, z2, 32);
	}
}

Test(crypto, signature_verifies_under_its_key_and_digest_only)
{
	for_both_curves()
	{
		uint8_t d[32], q[64], digest[32];

		keypair(d, q);
		memcpy(digest, good.digest, 32);
		digest[31] ^= 1;
		cr_expect_eq(verify(good.public_key, good.digest, good.signature), CRYPTO_OK);
		cr_expect_eq(verify(q, good.digest, good.signature), CRYPTO_BAD_SIGNATURE);
		cr_expect_eq(verify(good.public_key, digest, good.signature), CRYPTO_BAD_SIGNATURE);
	}
}

Test(crypto, nonces_do_not_repeat)
{
	for_both_curves()
	{
		uint8_t again[64];

		cr_assert_eq(sign(good.private_key, good.digest, again), CRYPTO_OK);
		cr_expect_neq(memcmp(again, good.signature, 32), 0);
	}
}

Test(crypto, flipping_any_octet_of_a_signature_breaks_it)
{
	for_both_curves()
	{
		for (unsigned int i = 0; i < 64; i++) {
			uint8_t bad[64];

			memcpy(bad, good.signature, 64);
			bad[i] ^= 0x01;
			cr_expect_eq(verify(good.public_key, good.digest, bad),
				     CRYPTO_BAD_SIGNATURE);
		}
	}
}

Test(crypto, digests_of_zero_and_from_the_order_up_are_reduced)
{
	for_both_curves()
	{
		uint8_t zero[32] = {0}, one[32] = {[31] = 1}, above[32], top[32], signature[64];
		const uint8_t *n = curves[curve].n;

		cr_assert_eq(sign(good.private_key, zero, signature), CRYPTO_OK);
		cr_expect_eq(verify(good.public_key, zero, signature), CRYPTO_OK);
		cr_expect_eq(verify(good.public_key, n, signature), CRYPTO_OK, "n is 0 mod n");
		cr_expect_eq(verify(good.public_key, one, signature), CRYPTO_BAD_SIGNATURE);

		add256(above, n, one);
		cr_assert_eq(sign(good.private_key, above, signature), CRYPTO_OK);
		cr_expect_eq(verify(good.public_key, one, signature), CRYPTO_OK, "n + 1 is 1");

		memset(top, 0xff, sizeof(top));
		cr_assert_eq(sign(good.private_key, top, signature), CRYPTO_OK);
		cr_expect_eq(verify(good.public_key, top, signature), CRYPTO_OK);
	}
}

Test(crypto, r_and_s_out_of_range_are_refused)
{
	for_both_curves()
	{
		static const uint8_t zero[32];
		uint8_t top[32], above[32], one[32] = {[31] = 1};
		const uint8_t *n = curves[curve].n;

		memset(top, 0xff, sizeof(top));
		add256(above, n, one);
		const uint8_t *const out_of_range[] = {zero, n, above, top};

		for (unsigned int i = 0; i < 4; i++) {
			for (unsigned int half = 0; half < 2; half++) {
				uint8_t bad[64];

				memcpy(bad, good.signature, 64);
				memcpy(bad + 32 * half, out_of_range[i], 32);
				cr_expect_eq(verify(good.public_key, good.digest, bad),
					     CRYPTO_BAD_SIGNATURE, "%s %u", half ? "s" : "r", i);
			}
		}
		/* The same residue again must not pass where r + n or s + n fits. */
		for (unsigned int half = 0; half < 2; half++) {
			uint8_t bad[64];

			memcpy(bad, good.signature, 64);
			if (add256(bad + 32 * half, good.signature + 32 * half, n) == 0)
				cr_expect_eq(verify(good.public_key, good.digest, bad),
					     CRYPTO_BAD_SIGNATURE);
		}
		uint8_t zeros[64] = {0};

		cr_expect_eq(verify(good.public_key, good.digest, zeros), CRYPTO_BAD_SIGNATURE);
	}
}

static void expect_public_key_refused(const uint8_t *public_key, const char *what)
{
	struct crypto_key *key = (struct crypto_key *)1;
	uint8_t z[32];

	cr_expect_eq(verify(public_key, good.digest, good.signature), CRYPTO_BAD_KEY, "%s", what);
	cr_expect_eq(ecdh(good.private_key, public_key, z), CRYPTO_BAD_KEY, "%s", what);
	cr_expect_eq(crypto_public_key_load(backend(), curve, public_key, 0, &key), CRYPTO_BAD_KEY,
		     "%s", what);
	cr_expect_null(key);
}

Test(crypto, public_keys_that_are_no_points_are_refused)
{
	for_both_curves()
	{
		uint8_t bad[64] = {0};
		const struct curve_constants *other = &curves[curve ^ 1];

		expect_public_key_refused(bad, "zeros");
		memset(bad, 0xff, 64);
		expect_public_key_refused(bad, "ones");
		memcpy(bad, good.public_key, 64);
		bad[63] ^= 1;
		expect_public_key_refused(bad, "off the curve");
		memcpy(bad, good.public_key, 64);
		memcpy(bad, curves[curve].p, 32);
		expect_public_key_refused(bad, "x = p");
		memcpy(bad, good.public_key, 64);
		memcpy(bad + 32, curves[curve].p, 32);
		expect_public_key_refused(bad, "y = p");
		expect_public_key_refused(other->g, "of the other curve");
	}
}

Test(crypto, coordinate_p_is_not_taken_for_zero)
{
	/* (0, sqrt(b)) is a point of P-256. */
	static const uint8_t y[32] = {0x66, 0x48, 0x5c, 0x78, 0x0e, 0x2f, 0x83, 0xd7,
				      0x24, 0x33, 0xbd, 0x5d, 0x84, 0xa0, 0x6b, 0xb6,
				      0x54, 0x1c, 0x2a, 0xf3, 0x1d, 0xae, 0x87, 0x17,
				      0x28, 0xbf, 0x85, 0x6a, 0x17, 0x4f, 0x93, 0xf4};
	uint8_t point[64] = {0}, z[32];

	use_curve(CRYPTO_P256);
	memcpy(point + 32, y, 32);
	cr_expect_eq(verify(point, good.digest, good.signature), CRYPTO_BAD_SIGNATURE);
	cr_expect_eq(ecdh(good.private_key, point, z), CRYPTO_OK);
	memcpy(point, curves[CRYPTO_P256].p, 32);
	expect_public_key_refused(point, "x = p with the y of x = 0");
}

Test(crypto, private_keys_out_of_range_are_refused)
{
	for_both_curves()
	{
		static const uint8_t zero[32];
		uint8_t top[32], above[32], one[32] = {[31] = 1}, out[64];

		memset(top, 0xff, sizeof(top));
		add256(above, curves[curve].n, one);
		const uint8_t *const bad[] = {zero, curves[curve].n, above, top};

		for (unsigned int i = 0; i < 4; i++) {
			struct crypto_key *key = (struct crypto_key *)1;

			cr_expect_eq(sign(bad[i], good.digest, out), CRYPTO_BAD_KEY);
			cr_expect_eq(ecdh(bad[i], good.public_key, out), CRYPTO_BAD_KEY);
			cr_expect_eq(crypto_public_from_private(curve, bad[i], out),
				     CRYPTO_BAD_KEY);
			cr_expect_eq(crypto_private_key_load(backend(), curve, bad[i], &key),
				     CRYPTO_BAD_KEY);
			cr_expect_null(key);
		}
	}
}

Test(crypto, private_key_of_order_minus_one_works)
{
	for_both_curves()
	{
		uint8_t d[32], q[64], signature[64], z1[32], z2[32];

		memcpy(d, curves[curve].n, 32);
		d[31] = (uint8_t)(d[31] - 1); /* both orders are odd */
		cr_assert_eq(crypto_public_from_private(curve, d, q), CRYPTO_OK);
		cr_expect_arr_eq(q, curves[curve].g, 32, "-G has the x of G");
		cr_expect_neq(memcmp(q + 32, curves[curve].g + 32, 32), 0);
		cr_assert_eq(sign(d, good.digest, signature), CRYPTO_OK);
		cr_expect_eq(verify(q, good.digest, signature), CRYPTO_OK);
		cr_assert_eq(ecdh(d, good.public_key, z1), CRYPTO_OK);
		cr_assert_eq(ecdh(good.private_key, q, z2), CRYPTO_OK);
		cr_expect_arr_eq(z1, z2, 32);
		cr_expect_arr_eq(z1, good.public_key, 32);
	}
}

/* --- bursts --- */

Test(crypto, a_bad_verification_leaves_its_neighbours_alone)
{
	static const enum crypto_status expected[] = {CRYPTO_BAD_SIGNATURE, CRYPTO_BAD_SIGNATURE,
						      CRYPTO_BAD_KEY, CRYPTO_BAD_KEY};
	for_both_curves()
	{
		uint8_t bad_digest[32] = {1}, bad_r[64] = {0}, off_curve[64], ones[64];

		memcpy(off_curve, good.public_key, 64);
		off_curve[40] ^= 4;
		memset(ones, 0xff, 64);
		for (unsigned int kind = 0; kind < 4; kind++) {
			for (unsigned int at = 0; at < BURST; at++) {
				struct crypto_verify ops[BURST];

				for (unsigned int i = 0; i < BURST; i++)
					ops[i] = (struct crypto_verify){.curve = curve,
									.public_key =
										good.public_key,
									.digest = good.digest,
									.signature = good.signature,
									.status = CRYPTO_STATUS_N};
				if (kind == 0)
					ops[at].digest = bad_digest;
				else if (kind == 1)
					ops[at].signature = bad_r;
				else
					ops[at].public_key = kind == 2 ? off_curve : ones;
				crypto_verify_burst(context, ops, BURST);
				for (unsigned int i = 0; i < BURST; i++)
					cr_expect_eq(ops[i].status,
						     i == at ? expected[kind] : CRYPTO_OK);
			}
		}
	}
}

Test(crypto, a_bad_signing_or_ecdh_leaves_its_neighbours_alone)
{
	for_both_curves()
	{
		static const uint8_t zero[64];
		uint8_t z_expected[32];

		cr_assert_eq(ecdh(good.private_key, curves[curve].g, z_expected), CRYPTO_OK);
		for (unsigned int at = 0; at < BURST; at++) {
			struct crypto_sign signs[BURST];
			struct crypto_ecdh ecdhs[BURST];
			uint8_t signatures[BURST][64], z[BURST][32];

			for (unsigned int i = 0; i < BURST; i++) {
				signs[i] = (struct crypto_sign){
					.curve = curve,
					.private_key = i == at ? zero : good.private_key,
					.digest = good.digest,
					.signature = signatures[i],
					.status = CRYPTO_STATUS_N};
				ecdhs[i] = (struct crypto_ecdh){
					.curve = curve,
					.private_key = good.private_key,
					.public_key = i == at ? zero : curves[curve].g,
					.z = z[i],
					.status = CRYPTO_STATUS_N};
			}
			crypto_sign_burst(context, signs, BURST);
			crypto_ecdh_burst(context, ecdhs, BURST);
			for (unsigned int i = 0; i < BURST; i++) {
				enum crypto_status status = i == at ? CRYPTO_BAD_KEY : CRYPTO_OK;

				cr_expect_eq(signs[i].status, status);
				cr_expect_eq(ecdhs[i].status, status);
				if (i == at)
					continue;
				cr_expect_eq(verify(good.public_key, good.digest, signatures[i]),
					     CRYPTO_OK);
				cr_expect_arr_eq(z[i], z_expected, 32);
			}
		}
	}
}

Test(crypto, a_burst_may_mix_curves_and_kinds_of_key)
{
	uint8_t public_keys[2][64], signatures[2][64], digest[32];
	struct crypto_key *keys[2];
	struct crypto_verify ops[BURST];

	for (unsigned int c = 0; c < CRYPTO_CURVE_N; c++) {
		use_curve((enum crypto_curve)c);
		memcpy(public_keys[c], good.public_key, 64);
		memcpy(signatures[c], good.signature, 64);
		memcpy(digest, good.digest, 32);
		cr_assert_eq(crypto_public_key_load(backend(), (enum crypto_curve)c, public_keys[c],
						    0, &keys[c]),
			     CRYPTO_OK);
	}
	for (unsigned int i = 0; i < BURST; i++)
		ops[i] = (struct crypto_verify){.curve = (enum crypto_curve)(i & 1),
						.key = i & 2 ? keys[i & 1] : NULL,
						.public_key = i & 2 ? NULL : public_keys[i & 1],
						.digest = digest,
						.signature = signatures[(i & 1) ^ (i == 5)],
						.status = CRYPTO_STATUS_N};
	crypto_verify_burst(context, ops, BURST);
	for (unsigned int i = 0; i < BURST; i++)
		cr_expect_eq(ops[i].status, i == 5 ? CRYPTO_BAD_SIGNATURE : CRYPTO_OK);
	crypto_key_free(keys[0]);
	crypto_key_free(keys[1]);
}

/* A first verification may leave multiples, and says whether it did; a second one takes them. */
Test(crypto, a_key_may_be_met_twice)
{
	enum { N = 5, BAD_KEY = 1, BAD_SIGNATURE = 3 };
	static struct crypto_multiples multiples[N];
	uint8_t private_key[N][32], public_key[N][64], digest[N][32], signature[N][64];
	struct crypto_verify ops[N];

	curve = CRYPTO_P256;
	for (unsigned int i = 0; i < N; i++) {
		keypair(private_key[i], public_key[i]);
		memset(digest[i], (int)i + 1, 32);
		cr_assert_eq(sign(private_key[i], digest[i], signature[i]), CRYPTO_OK);
	}
	public_key[BAD_KEY][63] ^= 1;
	signature[BAD_SIGNATURE][63] ^= 1;
	for (unsigned int n = 1; n <= N; n += N - 1) {
		bool leaves = crypto_leaves_multiples(context, CRYPTO_P256) && n > 1;

		for (unsigned int i = 0; i < n; i++)
			ops[i] = (struct crypto_verify){.curve = CRYPTO_P256,
							.public_key = public_key[i],
							.multiples_out = &multiples[i],
							.digest = digest[i],
							.signature = signature[i]};
		for (unsigned int time = 0; time < 2; time++) {
			crypto_verify_burst(context, ops, n);
			for (unsigned int i = 0; i < n; i++) {
				cr_expect_eq(ops[i].status, i == BAD_KEY ? CRYPTO_BAD_KEY
							    : i == BAD_SIGNATURE
								    ? CRYPTO_BAD_SIGNATURE
								    : CRYPTO_OK);
				cr_expect_eq(ops[i].multiples_left,
					     time == 0 && leaves && i != BAD_KEY);
				ops[i].multiples = ops[i].multiples_left ? &multiples[i] : NULL;
				ops[i].multiples_out = NULL;
			}
		}
	}
	cr_expect_not(crypto_leaves_multiples(context, CRYPTO_BRAINPOOLP256R1));
}

Test(crypto, an_empty_burst_does_nothing)
{
	crypto_hash_burst(context, NULL, 0);
	crypto_verify_burst(context, NULL, 0);
	crypto_keypair_burst(context, NULL, 0);
	crypto_sign_burst(context, NULL, 0);
	crypto_ecdh_burst(context, NULL, 0);
}

/* --- keys and contexts --- */

Test(crypto, prepared_keys_serve_every_context)
{
	for_both_curves()
	{
		struct crypto_key *private_key, *public_key;
		const char *why;
		struct crypto *second = crypto_create(backend(), -1, &why);
		uint8_t signature[64];

		cr_assert_not_null(second, "%s", why);
		cr_assert_eq(
			crypto_private_key_load(backend(), curve, good.private_key, &private_key),
			CRYPTO_OK);
		cr_assert_eq(
			crypto_public_key_load(backend(), curve, good.public_key, 0, &public_key),
			CRYPTO_OK);
		struct crypto_sign s = {.curve = curve,
					.key = private_key,
					.digest = good.digest,
					.signature = signature,
					.status = CRYPTO_STATUS_N};
		struct crypto_verify v = {.curve = curve,
					  .key = public_key,
					  .digest = good.digest,
					  .signature = signature,
					  .status = CRYPTO_STATUS_N};

		crypto_sign_burst(second, &s, 1);
		cr_expect_eq(s.status, CRYPTO_OK);
		crypto_destroy(second);
		crypto_verify_burst(context, &v, 1);
		cr_expect_eq(v.status, CRYPTO_OK);
		signature[0] ^= 0x80;
		crypto_verify_burst(context, &v, 1);
		cr_expect_eq(v.status, CRYPTO_BAD_SIGNATURE);
		crypto_key_free(private_key);
		crypto_key_free(public_key);
	}
}

Test(crypto, freeing_nothing_is_allowed)
{
	crypto_key_free(NULL);
	crypto_destroy(NULL);
}

Test(crypto, an_unknown_backend_is_refused_with_a_reason)
{
	const char *why = NULL;
	struct crypto_key *key = (struct crypto_key *)1;

	cr_expect_null(crypto_create("abacus", -1, &why));
	cr_assert_not_null(why);
	cr_expect_neq(strlen(why), 0);
	cr_expect_eq(crypto_public_key_load("abacus", CRYPTO_P256, curves[CRYPTO_P256].g, 0, &key),
		     CRYPTO_FAILED);
	cr_expect_null(key);
	uint8_t one[32] = {[31] = 1};

	key = (struct crypto_key *)1;
	cr_expect_eq(crypto_private_key_load("abacus", CRYPTO_P256, one, &key), CRYPTO_FAILED);
	cr_expect_null(key);
}

Test(crypto, auto_names_the_backend_it_took)
{
	const char *why;
	struct crypto *c = crypto_create("auto", -1, &why);

	cr_assert_not_null(c, "%s", why);
	cr_expect_neq(strlen(crypto_backend_name(c)), 0);
	cr_expect_neq(strlen(crypto_backend_reason(c)), 0);
	cr_expect_geq(crypto_burst_hint(c), 1);
	crypto_destroy(c);
	cr_expect_str_eq(crypto_backend_name(context), backend());
	cr_expect_str_eq(crypto_backend_reason(context), "asked for");
}

Test(crypto, every_status_and_curve_has_a_name)
{
	for (unsigned int i = 0; i < CRYPTO_STATUS_N; i++) {
		cr_expect_str_neq(crypto_status_name((enum crypto_status)i), "?");
		cr_expect_str_neq(crypto_status_text((enum crypto_status)i), "?");
	}
	for (unsigned int i = 0; i < CRYPTO_CURVE_N; i++)
		cr_expect_str_neq(crypto_curve_name((enum crypto_curve)i), "?");
	cr_expect_str_eq(crypto_status_name(CRYPTO_STATUS_N), "?");
	cr_expect_str_eq(crypto_status_text(CRYPTO_STATUS_N), "?");
	cr_expect_str_eq(crypto_curve_name(CRYPTO_CURVE_N), "?");
}
