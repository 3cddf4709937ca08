/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lib/p256's operations: Wycheproof's vectors in every lane, OpenSSL's curve arithmetic on random
 * and on contrived inputs, and bursts in which one operation is bad.
 */
#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

#include "p256/p256.h"
#include "wycheproof.h"

enum { BATCH = 24, LANES = 8 };

static struct p256 *context;
static BN_CTX *ctx;
static BIGNUM *p, *n;
static EC_GROUP *group;

static void setup(void)
{
	if (!p256_available())
		cr_skip_test("no AVX-512 IFMA here: lib/p256 is not tested");
	context = p256_create(BATCH);
	cr_assert_not_null(context);
	ctx = BN_CTX_new();
	group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	p = BN_new();
	EC_GROUP_get_curve(group, p, NULL, NULL, ctx);
	n = BN_dup(EC_GROUP_get0_order(group));
}

static void teardown(void)
{
	p256_destroy(context);
	BN_free(p);
	BN_free(n);
	EC_GROUP_free(group);
	BN_CTX_free(ctx);
}

TestSuite(p256, .init = setup, .fini = teardown);

/* A generator of its own, so that a failure can be had again (xorshift64*). */
static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t next(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1d;
}

static void draw(uint8_t *out, size_t size)
{
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(next() >> 56);
}

static void to_octets(const BIGNUM *v, uint8_t out[32])
{
	cr_assert_eq(BN_bn2binpad(v, out, 32), 32);
}

static BIGNUM *from_octets(const uint8_t *in, int size)
{
	return BN_bin2bn(in, size, NULL);
}

static BIGNUM *from_hex(const char *hex)
{
	BIGNUM *v = NULL;

	BN_hex2bn(&v, hex);
	return v;
}

/* In [1, n-1]. */
static BIGNUM *draw_scalar(void)
{
	uint8_t octets[48];

	draw(octets, sizeof(octets));
	BIGNUM *v = from_octets(octets, sizeof(octets));

	BN_nnmod(v, v, n, ctx);
	if (BN_is_zero(v))
		BN_one(v);
	return v;
}

static void point_octets(const EC_POINT *point, uint8_t out[64])
{
	BIGNUM *x = BN_new(), *y = BN_new();

	cr_assert_eq(EC_POINT_get_affine_coordinates(group, point, x, y, ctx), 1);
	to_octets(x, out);
	to_octets(y, out + 32);
	BN_free(x);
	BN_free(y);
}

/* d G */
static void public_of(const BIGNUM *d, uint8_t out[64])
{
	EC_POINT *point = EC_POINT_new(group);

	EC_POINT_mul(group, point, d, NULL, NULL, ctx);
	point_octets(point, out);
	EC_POINT_free(point);
}

/* What sign does, with big numbers: r = x(k G) mod n, s = (e + r d) / k mod n. */
static void sign_slowly(const BIGNUM *d, const BIGNUM *k, const uint8_t digest[32],
			uint8_t signature[64])
{
	BIGNUM *r = BN_new(), *s = BN_new(), *e = from_octets(digest, 32);
	uint8_t point[64];

	public_of(k, point);
	BN_bin2bn(point, 32, r);
	BN_nnmod(r, r, n, ctx);
	BN_mod_mul(s, r, d, n, ctx);
	BN_mod_add(s, s, e, n, ctx);
	BN_mod_inverse(e, k, n, ctx);
	BN_mod_mul(s, s, e, n, ctx);
	to_octets(r, signature);
	to_octets(s, signature + 32);
	BN_free(r);
	BN_free(s);
	BN_free(e);
}

/* What verify does, by EC_POINT_mul, which is right for equal and opposite points. */
static enum p256_status verify_slowly(const uint8_t key[64], const uint8_t digest[32],
				      const uint8_t signature[64])
{
	BIGNUM *x = from_octets(key, 32), *y = from_octets(key + 32, 32);
	BIGNUM *r = from_octets(signature, 32), *s = from_octets(signature + 32, 32);
	BIGNUM *e = from_octets(digest, 32), *w = BN_new();
	EC_POINT *q = EC_POINT_new(group), *sum = EC_POINT_new(group);
	enum p256_status status = P256_BAD_SIGNATURE;

	if (BN_cmp(x, p) >= 0 || BN_cmp(y, p) >= 0 ||
	    EC_POINT_set_affine_coordinates(group, q, x, y, ctx) != 1) {
		status = P256_BAD_KEY;
	} else if (!BN_is_zero(r) && !BN_is_zero(s) && BN_cmp(r, n) < 0 && BN_cmp(s, n) < 0) {
		BN_mod_inverse(w, s, n, ctx);
		BN_mod_mul(e, e, w, n, ctx);
		BN_mod_mul(w, r, w, n, ctx);
		EC_POINT_mul(group, sum, e, q, w, ctx);
		if (!EC_POINT_is_at_infinity(group, sum)) {
			EC_POINT_get_affine_coordinates(group, sum, x, NULL, ctx);
			BN_nnmod(x, x, n, ctx);
			if (BN_cmp(x, r) == 0)
				status = P256_OK;
		}
	}
	BN_free(x);
	BN_free(y);
	BN_free(r);
	BN_free(s);
	BN_free(e);
	BN_free(w);
	EC_POINT_free(q);
	EC_POINT_free(sum);
	return status;
}

/* An operation on memory of its own. */
struct verify_case {
	uint8_t key[64], digest[32], signature[64];
	enum p256_status expected;
};

static void make_good(struct verify_case *v)
{
	BIGNUM *d = draw_scalar(), *k = draw_scalar();

	public_of(d, v->key);
	draw(v->digest, 32);
	sign_slowly(d, k, v->digest, v->signature);
	v->expected = P256_OK;
	BN_free(d);
	BN_free(k);
}

/* Verifies them in one burst, in four ways: leaving multiples, again with the multiples that the
 * first time left, as keys never seen nor seen again, and with tables. Every status must be the
 * expected one. */
static void check_burst(const struct verify_case *cases, unsigned int count, unsigned int window)
{
	struct p256_verify *ops = calloc(count, sizeof(*ops));
	struct p256_multiples *multiples = aligned_alloc(64, count * sizeof(*multiples));
	struct p256_table **tables = calloc(count, sizeof(struct p256_table *));

	for (int way = 0; way < 4; way++) {
		if (way == 3 && window == 0)
			continue;
		for (unsigned int i = 0; i < count; i++) {
			ops[i] = (struct p256_verify){
				.public_key = cases[i].key,
				.digest = cases[i].digest,
				.signature = cases[i].signature,
				.multiples_out = way == 0 ? &multiples[i] : NULL,
				.multiples = way == 1 && cases[i].expected != P256_BAD_KEY
						     ? &multiples[i]
						     : NULL,
				.status = P256_STATUS_N,
			};
			if (way < 3)
				continue;
			enum p256_status status =
				p256_table_create(window, cases[i].key, &tables[i]);

			cr_assert_eq(status == P256_BAD_KEY, cases[i].expected == P256_BAD_KEY);
			ops[i].table = tables[i]; /* NULL for a bad key: as a key never seen */
		}
		p256_verify_burst(context, ops, count);
		for (unsigned int i = 0; i < count; i++)
			cr_assert_eq(ops[i].status, cases[i].expected,
				     "way %d, %u of %u: %d not %d", way, i, count, ops[i].status,
				     cases[i].expected);
	}
	for (unsigned int i = 0; i < count; i++)
		p256_table_destroy(tables[i]);
	free(tables);
	free(multiples);
	free(ops);
}

/* In every lane, among good ones. */
static void check_in_every_lane(const struct verify_case *v, unsigned int window)
{
	static struct verify_case cases[LANES];

	if (cases[0].expected != P256_OK || cases[0].key[0] == 0)
		for (int lane = 0; lane < LANES; lane++)
			make_good(&cases[lane]);
	for (int lane = 0; lane < LANES; lane++) {
		struct verify_case good = cases[lane];

		cases[lane] = *v;
		check_burst(cases, LANES, lane == 3 ? window : 0);
		cases[lane] = good;
	}
}

Test(p256, verifies_wycheproof_in_every_lane)
{
	json_t *root = wycheproof_load("ecdsa_secp256r1_sha256_p1363_test.json"), *g, *test;
	unsigned int count = 0;

	wycheproof_for_each(root, g, test)
	{
		struct verify_case v;
		uint8_t point[65], message[4096], signature[256];

		cr_assert_eq(wycheproof_octets(json_object_get(g, "publicKey"), "uncompressed",
					       point, sizeof(point)),
			     65);
		size_t message_n = wycheproof_octets(test, "msg", message, sizeof(message));
		size_t signature_n = wycheproof_octets(test, "sig", signature, sizeof(signature));

		if (signature_n != 64) {
			cr_assert(!wycheproof_is(test, "valid"), "tcId %d", wycheproof_id(test));
			continue;
		}
		memcpy(v.key, point + 1, 64);
		memcpy(v.signature, signature, 64);
		EVP_Digest(message, message_n, v.digest, NULL, EVP_sha256(), NULL);
		v.expected = wycheproof_is(test, "valid") ? P256_OK : P256_BAD_SIGNATURE;
		cr_assert_eq(verify_slowly(v.key, v.digest, v.signature), v.expected);
		check_in_every_lane(&v, count % 50 ? 5 : 8);
		count++;
	}
	cr_assert(count > 100);
	json_decref(root);
}

Test(p256, verifies_as_openssl_does)
{
	for (int round = 0; round < 40; round++) {
		static struct verify_case cases[60];
		unsigned int count = 1 + (unsigned int)(next() % 60);

		for (unsigned int i = 0; i < count; i++) {
			struct verify_case *v = &cases[i];

			make_good(v);
			switch (next() % 8) {
			case 0:
				v->signature[next() % 64] ^= (uint8_t)(1 << next() % 8);
				break;
			case 1:
				v->digest[next() % 32] ^= (uint8_t)(1 << next() % 8);
				break;
			case 2:
				v->key[next() % 64] ^= (uint8_t)(1 << next() % 8);
				break;
			case 3: /* another point of the curve */
				v->key[63] = (uint8_t)(v->key[63] ^ 0);
				public_of(BN_value_one(), v->key);
				break;
			default:
				break;
			}
			v->expected = verify_slowly(v->key, v->digest, v->signature);
		}
		check_burst(cases, count, round % 5 ? 0 : 5 + (unsigned int)(round / 5) % 6);
	}
}

/* Key, digest and signature for which u1 and u2 are what they are said to be: with Q = d G and
 * r = x(R) mod n, s = r / u2, e = s u1. */
static void contrive(struct verify_case *v, const BIGNUM *d, const BIGNUM *u1, const BIGNUM *u2)
{
	BIGNUM *r = BN_new(), *s = BN_new(), *e = BN_new(), *k = BN_new();

	public_of(d, v->key);
	BN_mod_mul(k, u2, d, n, ctx);
	BN_mod_add(k, k, u1, n, ctx);
	if (BN_is_zero(k)) {
		BN_set_word(r, next() | 1);
	} else {
		uint8_t point[64];

		public_of(k, point);
		BN_bin2bn(point, 32, r);
		BN_nnmod(r, r, n, ctx);
	}
	BN_mod_inverse(s, u2, n, ctx);
	BN_mod_mul(s, s, r, n, ctx);
	BN_mod_mul(e, s, u1, n, ctx);
	to_octets(r, v->signature);
	to_octets(s, v->signature + 32);
	to_octets(e, v->digest);
	v->expected = BN_is_zero(k) ? P256_BAD_SIGNATURE : P256_OK;
	BN_free(r);
	BN_free(s);
	BN_free(e);
	BN_free(k);
}

/* u1 G = u2 Q: the sum is a doubling. u1 G = -u2 Q: the sum is infinity, which no r fits. */
Test(p256, verifies_sums_of_equal_and_of_opposite_points)
{
	for (int round = 0; round < 100; round++) {
		struct verify_case cases[40];

		for (int i = 0; i < 40; i++) {
			BIGNUM *d = draw_scalar(), *u2 = draw_scalar(), *u1 = BN_new();

			if (round % 4 == 0)
				BN_set_word(d, 1 + next() % 8);
			if (round % 4 == 1)
				BN_set_word(u2, 1 + next() % 300);
			BN_mod_mul(u1, u2, d, n, ctx);
			if (i % 2)
				BN_sub(u1, n, u1);
			if (i % 5 == 4)
				make_good(&cases[i]);
			else
				contrive(&cases[i], d, u1, u2);
			BN_free(d);
			BN_free(u1);
			BN_free(u2);
		}
		check_burst(cases, 40, round % 10 ? 0 : 6);
	}
}

/* A partial sum meets a table's point equal or opposite to it, before or at the very end: with Q =
 * G, -G, 2 G, ... and scalars that are small, near n, or a digit in one window. */
Test(p256, verifies_where_partial_sums_coincide)
{
	for (int round = 0; round < 120; round++) {
		struct verify_case cases[LANES];

		for (int i = 0; i < LANES; i++) {
			BIGNUM *d = BN_new(), *u[2];

			BN_set_word(d, 1 + next() % 40);
			for (int j = 0; j < 2; j++) {
				u[j] = BN_new();
				BN_set_word(u[j], 1 + next() % 1100);
				if (next() % 2)
					BN_lshift(u[j], u[j], (int)(next() % 245));
				if (next() % 3 == 0)
					BN_sub(u[j], n, u[j]);
				BN_nnmod(u[j], u[j], n, ctx);
			}
			if (next() % 3 == 0)
				BN_sub(d, n, d);
			if (next() % 3 == 0) {
				BN_lshift(d, d, (int)(next() % 250));
				BN_nnmod(d, d, n, ctx);
			}
			contrive(&cases[i], d, u[0], u[1]);
			cr_assert_eq(
				verify_slowly(cases[i].key, cases[i].digest, cases[i].signature),
				cases[i].expected);
			BN_free(d);
			BN_free(u[0]);
			BN_free(u[1]);
		}
		check_burst(cases, LANES, 5 + (unsigned int)round % 6);
	}
}

/* u1 = 0: a digest of 0, of n, and, e being below 2^256 only, others from n on. */
Test(p256, reduces_the_digest)
{
	struct verify_case v;
	BIGNUM *d = draw_scalar(), *k = draw_scalar(), *e = BN_new();

	public_of(d, v.key);
	v.expected = P256_OK;
	for (int i = 0; i < 4; i++) {
		if (i == 0)
			BN_zero(e);
		else
			BN_copy(e, n);
		if (i == 2)
			BN_add_word(e, 77);
		to_octets(e, v.digest);
		if (i == 3)
			memset(v.digest, 0xff, 32);
		sign_slowly(d, k, v.digest, v.signature);
		check_in_every_lane(&v, 7);
	}
	BN_free(d);
	BN_free(k);
	BN_free(e);
}

/* x(R) in [n, p): r = x(R) - n. R is found by its x; Q = (s R - e G) / r with any s and e. The
 * neighbour: r itself is the x-coordinate of no such R, and r just below p - n must not wrap. */
Test(p256, accepts_x_of_n_and_above)
{
	BIGNUM *x = BN_dup(n), *r = BN_new(), *s, *e = BN_new(), *t = BN_new();
	EC_POINT *big_r = EC_POINT_new(group), *q = EC_POINT_new(group);
	int found = 0;

	for (int step = 0; found < 12; step++) {
		struct verify_case v;

		BN_add_word(x, 1);
		if (step == 40) { /* the other end: x just below p */
			BN_copy(x, p);
			BN_sub_word(x, 100);
		}
		if (EC_POINT_set_compressed_coordinates(group, big_r, x, (int)(next() % 2), ctx) !=
		    1)
			continue;
		found++;
		s = draw_scalar();
		draw(v.digest, 32);
		BN_bin2bn(v.digest, 32, e);
		BN_nnmod(e, e, n, ctx);
		BN_sub(r, x, n);
		cr_assert(!BN_is_zero(r));
		to_octets(r, v.signature);
		to_octets(s, v.signature + 32);
		BN_mod_inverse(t, r, n, ctx);
		BN_mod_mul(s, s, t, n, ctx);
		BN_mod_mul(e, e, t, n, ctx);
		BN_sub(e, n, e);
		EC_POINT_mul(group, q, e, big_r, s, ctx);
		point_octets(q, v.key);
		v.expected = P256_OK;
		cr_assert_eq(verify_slowly(v.key, v.digest, v.signature), P256_OK);
		check_in_every_lane(&v, 8);
		v.signature[31] ^= 1;
		v.expected = verify_slowly(v.key, v.digest, v.signature);
		check_in_every_lane(&v, 8);
		BN_free(s);
	}
	BN_free(x);
	BN_free(r);
	BN_free(e);
	BN_free(t);
	EC_POINT_free(big_r);
	EC_POINT_free(q);
}

Test(p256, refuses_r_and_s_out_of_range)
{
	struct verify_case good, v;
	uint8_t edge[6][32] = {{0}};
	BIGNUM *t = BN_dup(n);

	make_good(&good);
	to_octets(n, edge[1]);
	BN_sub_word(t, 1);
	to_octets(t, edge[2]);
	memset(edge[3], 0xff, 32);
	edge[4][31] = 1;
	BN_add_word(t, 2);
	to_octets(t, edge[5]);
	for (int i = 0; i < 6; i++)
		for (int half = 0; half < 3; half++) {
			v = good;
			if (half != 1)
				memcpy(v.signature, edge[i], 32);
			if (half != 0)
				memcpy(v.signature + 32, edge[i], 32);
			v.expected = P256_BAD_SIGNATURE;
			check_in_every_lane(&v, 6);
		}
	/* r + n and s + n are congruent to good ones. */
	for (int half = 0; half < 2; half++) {
		v = good;
		BN_bin2bn(v.signature + 32 * half, 32, t);
		BN_add(t, t, n);
		if (BN_num_bits(t) > 256)
			continue;
		to_octets(t, v.signature + 32 * half);
		v.expected = P256_BAD_SIGNATURE;
		check_in_every_lane(&v, 6);
	}
	BN_free(t);
}

Test(p256, refuses_bad_keys)
{
	struct verify_case good, v;
	BIGNUM *x = BN_new();
	EC_POINT *point = EC_POINT_new(group);

	make_good(&good);
	v = good;
	v.expected = P256_BAD_KEY;
	memset(v.key, 0, 64);
	check_in_every_lane(&v, 6);
	memset(v.key, 0xff, 64);
	check_in_every_lane(&v, 6);
	memcpy(v.key, good.key, 64);
	v.key[63] ^= 1;
	check_in_every_lane(&v, 6);
	memcpy(v.key, good.key, 64);
	memcpy(v.key + 32, good.key, 32);
	check_in_every_lane(&v, 6);
	to_octets(p, v.key);
	check_in_every_lane(&v, 6);
	/* x + p is congruent to the x of a point. */
	for (BN_zero(x);; BN_add_word(x, 1))
		if (EC_POINT_set_compressed_coordinates(group, point, x, 0, ctx) == 1)
			break;
	point_octets(point, v.key);
	v.expected = P256_BAD_SIGNATURE;
	check_in_every_lane(&v, 6);
	BN_add(x, x, p);
	to_octets(x, v.key);
	v.expected = P256_BAD_KEY;
	check_in_every_lane(&v, 6);
	BN_free(x);
	EC_POINT_free(point);
}

Test(p256, mixes_keys_multiples_and_tables_in_one_burst)
{
	struct verify_case cases[70];
	struct p256_verify ops[70];
	struct p256_table *tables[70];

	for (unsigned int i = 0; i < 70; i++) {
		make_good(&cases[i]);
		if (i % 9 == 4) {
			cases[i].signature[40] ^= 1;
			cases[i].expected = P256_BAD_SIGNATURE;
		}
		ops[i] = (struct p256_verify){.public_key = cases[i].key,
					      .digest = cases[i].digest,
					      .signature = cases[i].signature,
					      .status = P256_STATUS_N};
		tables[i] = NULL;
		if (i % 3)
			p256_table_create(5 + i % 6, cases[i].key, &tables[i]);
		ops[i].table = tables[i];
	}
	p256_verify_burst(context, ops, 70);
	for (unsigned int i = 0; i < 70; i++) {
		cr_assert_eq(ops[i].status, cases[i].expected, "%u", i);
		p256_table_destroy(tables[i]);
	}
}

/* A UE context may end, and its multiples become another's, while they are being read. */
Test(p256, whatever_is_in_multiples_only_its_own_outcome_depends_on_it)
{
	enum { N = 24 };
	struct verify_case cases[N];
	struct p256_verify ops[N];
	struct p256_multiples *multiples = aligned_alloc(64, N * sizeof(*multiples));

	for (unsigned int i = 0; i < N; i++) {
		make_good(&cases[i]);
		ops[i] = (struct p256_verify){.public_key = cases[i].key,
					      .digest = cases[i].digest,
					      .signature = cases[i].signature,
					      .multiples_out = &multiples[i]};
	}
	p256_verify_burst(context, ops, N);
	for (unsigned int i = 0; i < N; i++) {
		ops[i].multiples_out = NULL;
		ops[i].multiples = &multiples[i];
		ops[i].status = P256_STATUS_N;
	}
	memset(&multiples[0], 0, sizeof(*multiples));
	memset(&multiples[9], 0xff, sizeof(*multiples));
	memset(&multiples[18], 0xa5, sizeof(*multiples));
	multiples[21] = multiples[22]; /* another key's */
	p256_verify_burst(context, ops, N);
	for (unsigned int i = 0; i < N; i++) {
		bool spoiled = i == 0 || i == 9 || i == 18 || i == 21;

		cr_assert_eq(ops[i].status, spoiled ? P256_BAD_SIGNATURE : P256_OK, "%u", i);
	}
	free(multiples);
}

Test(p256, builds_tables_in_memory_of_the_caller)
{
	struct verify_case v;
	const struct p256_table *table;

	make_good(&v);
	cr_assert_eq(p256_table_size(4), 0);
	cr_assert_eq(p256_table_size(11), 0);
	for (unsigned int window = P256_WINDOW_MIN; window <= P256_WINDOW_MAX; window++) {
		size_t size = p256_table_size(window);
		uint8_t *memory = aligned_alloc(64, size + 64);

		memset(memory + size, 0x5a, 64);
		cr_assert_eq(p256_table_build(window, v.key, memory, &table), P256_OK);
		for (int i = 0; i < 64; i++)
			cr_assert_eq(memory[size + i], 0x5a);
		struct p256_verify op = {
			.table = table, .digest = v.digest, .signature = v.signature};

		p256_verify_burst(context, &op, 1);
		cr_assert_eq(op.status, P256_OK);
		free(memory);
	}
}

/* Scalars at which the digits, or the sums of their points, are special. */
static unsigned int edge_scalars(BIGNUM *out[], unsigned int max)
{
	static const char *const hex[] = {
		"1",
		"2",
		"3",
		"5555555555555555555555555555555555555555555555555555555555555555",
		"7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"8000000000000000000000000000000000000000000000000000000000000000",
		"fffffffeffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550",
	};
	unsigned int count = 0;

	for (unsigned int i = 0; i < sizeof(hex) / sizeof(hex[0]); i++)
		out[count++] = from_hex(hex[i]);
	/* n - 1 .. n - 64 and around n / 2; powers of 2, and one less; small ones. */
	for (unsigned int i = 1; i <= 130; i++) {
		out[count] = BN_dup(n);
		BN_sub_word(out[count++], 2 * i);
		out[count] = BN_dup(n);
		BN_sub_word(out[count++], 2 * i + 1);
		out[count] = BN_new();
		BN_set_word(out[count++], i + 3);
	}
	for (int i = 2; i < 256; i++) {
		out[count] = BN_new();
		BN_set_bit(out[count++], i);
		out[count] = BN_dup(out[count - 1]);
		BN_sub_word(out[count++], 1);
	}
	/* Twice a highest digit's point, less n: equal points, were the windows added from below.
	 */
	for (unsigned int d = 1; d < 32; d += 2)
		for (int shift = 250; shift < 256; shift++) {
			BIGNUM *v = BN_new();

			BN_set_word(v, 2 * d);
			BN_lshift(v, v, shift);
			BN_nnmod(v, v, n, ctx);
			out[count++] = v;
			out[count] = BN_new();
			BN_sub(out[count++], n, v);
		}
	cr_assert(count <= max);
	return count;
}

Test(p256, makes_public_keys_as_openssl_does)
{
	enum { MAX = 1600 };
	static BIGNUM *d[MAX];
	static uint8_t private_key[MAX][32], public_key[MAX][64], expected[64];
	static struct p256_keypair ops[MAX];
	unsigned int count = edge_scalars(d, MAX);

	while (count < MAX)
		d[count++] = draw_scalar();
	for (unsigned int i = 0; i < count; i++) {
		to_octets(d[i], private_key[i]);
		ops[i] = (struct p256_keypair){.private_key = private_key[i],
					       .public_key = public_key[i],
					       .status = P256_STATUS_N};
	}
	p256_keypair_burst(context, ops, count);
	for (unsigned int i = 0; i < count; i++) {
		public_of(d[i], expected);
		cr_assert_eq(ops[i].status, P256_OK);
		cr_assert_arr_eq(public_key[i], expected, 64, "%s", BN_bn2hex(d[i]));
		BN_free(d[i]);
	}
}

Test(p256, draws_private_keys_as_random_mod_n)
{
	enum { MAX = 200 };
	static uint8_t random[MAX][48], private_key[MAX][32], public_key[MAX][64];
	static struct p256_keypair ops[MAX];

	for (unsigned int i = 0; i < MAX; i++) {
		draw(random[i], 48);
		if (i % 20 == 3)
			memset(random[i], 0xff, 48);
		if (i % 20 == 4) /* 0 */
			memset(random[i], 0, 48);
		if (i % 20 == 5) { /* n */
			memset(random[i], 0, 16);
			to_octets(n, random[i] + 16);
		}
		ops[i] = (struct p256_keypair){.random = random[i],
					       .private_key = private_key[i],
					       .public_key = public_key[i],
					       .status = P256_STATUS_N};
	}
	p256_keypair_burst(context, ops, MAX);
	for (unsigned int i = 0; i < MAX; i++) {
		BIGNUM *v = from_octets(random[i], 48);
		uint8_t expected[64] = {0};

		BN_nnmod(v, v, n, ctx);
		to_octets(v, expected);
		cr_assert_arr_eq(private_key[i], expected, 32);
		cr_assert_eq(ops[i].status, BN_is_zero(v) ? P256_BAD_KEY : P256_OK);
		memset(expected, 0, 64);
		if (!BN_is_zero(v))
			public_of(v, expected);
		cr_assert_arr_eq(public_key[i], expected, 64);
		BN_free(v);
	}
}

Test(p256, refuses_private_keys_out_of_range)
{
	uint8_t bad[3][32] = {{0}}, private_key[LANES][32], public_key[LANES][64], z[LANES][32];
	uint8_t random[LANES][48], signature[LANES][64], expected[64], zeros[64] = {0};
	uint8_t peer[64];
	BIGNUM *d[LANES];

	to_octets(n, bad[1]);
	memset(bad[2], 0xff, 32);
	public_of(BN_value_one(), peer);
	for (int lane = 0; lane < LANES; lane++)
		d[lane] = draw_scalar();
	for (int i = 0; i < 3; i++)
		for (int lane = 0; lane < LANES; lane++) {
			struct p256_keypair pairs[LANES];
			struct p256_sign signs[LANES];
			struct p256_ecdh ecdhs[LANES];

			for (int j = 0; j < LANES; j++) {
				to_octets(d[j], private_key[j]);
				if (j == lane)
					memcpy(private_key[j], bad[i], 32);
				draw(random[j], 48);
				pairs[j] = (struct p256_keypair){.private_key = private_key[j],
								 .public_key = public_key[j]};
				signs[j] = (struct p256_sign){.private_key = private_key[j],
							      .digest = peer,
							      .random = random[j],
							      .signature = signature[j]};
				ecdhs[j] = (struct p256_ecdh){.private_key = private_key[j],
							      .public_key = peer,
							      .z = z[j]};
			}
			memset(public_key, 0xaa, sizeof(public_key));
			memset(signature, 0xaa, sizeof(signature));
			memset(z, 0xaa, sizeof(z));
			p256_keypair_burst(context, pairs, LANES);
			p256_sign_burst(context, signs, LANES);
			p256_ecdh_burst(context, ecdhs, LANES);
			for (int j = 0; j < LANES; j++) {
				enum p256_status status = j == lane ? P256_BAD_KEY : P256_OK;

				cr_assert_eq(pairs[j].status, status);
				cr_assert_eq(signs[j].status, status);
				cr_assert_eq(ecdhs[j].status, status);
				if (j == lane) {
					cr_assert_arr_eq(public_key[j], zeros, 64);
					cr_assert_arr_eq(signature[j], zeros, 64);
					cr_assert_arr_eq(z[j], zeros, 32);
					continue;
				}
				public_of(d[j], expected);
				cr_assert_arr_eq(public_key[j], expected, 64);
				cr_assert_arr_eq(z[j], expected, 32);
				cr_assert_eq(verify_slowly(expected, peer, signature[j]), P256_OK);
			}
		}
	for (int lane = 0; lane < LANES; lane++)
		BN_free(d[lane]);
}

Test(p256, signs_as_the_standard_says)
{
	enum { MAX = 600 };
	static uint8_t random[MAX][48], private_key[MAX][32], digest[MAX][32], signature[MAX][64];
	static struct p256_sign ops[MAX];
	unsigned int size = 1;

	for (unsigned int done = 0; done + size <= MAX; done += size, size++) {
		for (unsigned int i = 0; i < size; i++) {
			BIGNUM *d = draw_scalar();

			if (i % 7 == 1)
				BN_one(d);
			if (i % 7 == 2)
				BN_sub(d, n, BN_value_one());
			to_octets(d, private_key[i]);
			BN_free(d);
			draw(random[i], 48);
			draw(digest[i], 32);
			if (i % 9 == 0)
				memset(digest[i], 0xff * (int)(next() % 2), 32);
			if (i % 11 == 5) /* k = 0 */
				memset(random[i], 0, 48);
			if (i % 11 == 6) /* k = 1 */
				memset(random[i], 0, 47), random[i][47] = 1;
			ops[i] = (struct p256_sign){.private_key = private_key[i],
						    .digest = digest[i],
						    .random = random[i],
						    .signature = signature[i],
						    .status = P256_STATUS_N};
		}
		p256_sign_burst(context, ops, size);
		for (unsigned int i = 0; i < size; i++) {
			BIGNUM *d = from_octets(private_key[i], 32),
			       *k = from_octets(random[i], 48);
			uint8_t expected[64] = {0};

			BN_nnmod(k, k, n, ctx);
			if (!BN_is_zero(k))
				sign_slowly(d, k, digest[i], expected);
			cr_assert_eq(ops[i].status, BN_is_zero(k) ? P256_BAD_SIGNATURE : P256_OK);
			cr_assert_arr_eq(signature[i], expected, 64);
			BN_free(d);
			BN_free(k);
		}
	}
}

/* s = 0: e = -r d. */
Test(p256, gives_no_signature_whose_s_is_0)
{
	uint8_t random[48] = {[47] = 9}, private_key[32], digest[32], signature[64], point[64];
	uint8_t zeros[64] = {0};
	BIGNUM *d = draw_scalar(), *r = BN_new();
	struct p256_sign op = {.private_key = private_key,
			       .digest = digest,
			       .random = random,
			       .signature = signature};

	BN_set_word(r, 9);
	public_of(r, point);
	BN_bin2bn(point, 32, r);
	BN_mod_mul(r, r, d, n, ctx);
	BN_sub(r, n, r);
	to_octets(r, digest);
	to_octets(d, private_key);
	p256_sign_burst(context, &op, 1);
	cr_assert_eq(op.status, P256_BAD_SIGNATURE);
	cr_assert_arr_eq(signature, zeros, 64);
	BN_free(d);
	BN_free(r);
}

Test(p256, agrees_with_wycheproof_ecdh_in_every_lane)
{
	json_t *root = wycheproof_load("ecdh_secp256r1_ecpoint_test.json"), *g, *test;
	unsigned int count = 0;
	uint8_t good_private[32], good_public[64], good_z[64];
	BIGNUM *d = draw_scalar(), *e = draw_scalar();

	to_octets(d, good_private);
	public_of(e, good_public);
	BN_mod_mul(d, d, e, n, ctx);
	public_of(d, good_z);
	BN_free(d);
	BN_free(e);
	wycheproof_for_each(root, g, test)
	{
		uint8_t point[256], scalar[64], private_key[32] = {0}, expected[32], z[LANES][32];
		size_t point_n = wycheproof_octets(test, "public", point, sizeof(point));
		size_t scalar_n = wycheproof_octets(test, "private", scalar, sizeof(scalar));
		bool valid = wycheproof_is(test, "valid");

		if (point_n != 65 || point[0] != 4)
			continue;
		while (scalar_n > 32 && scalar[0] == 0)
			memmove(scalar, scalar + 1, --scalar_n);
		cr_assert(scalar_n <= 32);
		memcpy(private_key + 32 - scalar_n, scalar, scalar_n);
		if (valid)
			cr_assert_eq(wycheproof_octets(test, "shared", expected, 32), 32);
		for (int lane = 0; lane < LANES; lane++) {
			struct p256_ecdh ops[LANES];

			for (int i = 0; i < LANES; i++)
				ops[i] = (struct p256_ecdh){
					.private_key = i == lane ? private_key : good_private,
					.public_key = i == lane ? point + 1 : good_public,
					.z = z[i],
					.status = P256_STATUS_N};
			p256_ecdh_burst(context, ops, LANES);
			for (int i = 0; i < LANES; i++) {
				bool bad = i == lane && !valid;

				cr_assert_eq(ops[i].status, bad ? P256_BAD_KEY : P256_OK,
					     "tcId %d lane %d", wycheproof_id(test), lane);
				if (!bad)
					cr_assert_arr_eq(z[i], i == lane ? expected : good_z, 32,
							 "tcId %d", wycheproof_id(test));
			}
		}
		count++;
	}
	cr_assert(count > 100);
	json_decref(root);
}

Test(p256, multiplies_any_point_by_any_scalar)
{
	enum { MAX = 1600 };
	static BIGNUM *d[MAX];
	static uint8_t private_key[MAX][32], public_key[MAX][64], z[MAX][32], expected[64];
	static struct p256_ecdh ops[MAX];
	static BIGNUM *e[MAX];
	unsigned int count = edge_scalars(d, MAX);

	while (count < MAX)
		d[count++] = draw_scalar();
	for (unsigned int i = 0; i < count; i++) {
		e[i] = draw_scalar();
		if (i % 3 == 0)
			BN_set_word(e[i], 1 + next() % 33);
		public_of(e[i], public_key[i]);
		to_octets(d[i], private_key[i]);
		ops[i] = (struct p256_ecdh){.private_key = private_key[i],
					    .public_key = public_key[i],
					    .z = z[i],
					    .status = P256_STATUS_N};
	}
	p256_ecdh_burst(context, ops, count);
	for (unsigned int i = 0; i < count; i++) {
		BN_mod_mul(d[i], d[i], e[i], n, ctx);
		public_of(d[i], expected);
		cr_assert_eq(ops[i].status, P256_OK);
		cr_assert_arr_eq(z[i], expected, 32);
		BN_free(d[i]);
		BN_free(e[i]);
	}
}

Test(p256, makes_contexts_of_any_batch)
{
	struct verify_case cases[20];

	cr_assert_null(p256_create(0));
	cr_assert_null(p256_create(1025));
	for (int i = 0; i < 20; i++)
		make_good(&cases[i]);
	for (unsigned int batch = 1; batch <= 17; batch += 8) {
		struct p256 *whole = context;

		context = p256_create(batch);
		cr_assert_not_null(context);
		check_burst(cases, 20, 5);
		p256_destroy(context);
		context = whole;
	}
	p256_destroy(NULL);
	p256_table_destroy(NULL);
	p256_verify_burst(context, NULL, 0);
	p256_sign_burst(context, NULL, 0);
}
