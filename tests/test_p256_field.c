/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lib/p256's arithmetic, level by level, against OpenSSL's big numbers and points: every lane, edge
 * limbs, the loosest values that each function takes, and the ranges that it promises.
 */
#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include "p256/p256.h"
#include "test_p256_lanes.h"

enum { ROUNDS = 2000 };

static BN_CTX *ctx;
static BIGNUM *p, *n, *r, *r_inverse_p, *r_inverse_n;
static EC_GROUP *group;

static void setup(void)
{
	if (!p256_available())
		cr_skip_test("no AVX-512 IFMA here: lib/p256 is not tested");
	ctx = BN_CTX_new();
	group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	p = BN_new();
	EC_GROUP_get_curve(group, p, NULL, NULL, ctx);
	n = BN_dup(EC_GROUP_get0_order(group));
	r = BN_new();
	BN_set_bit(r, 260);
	r_inverse_p = BN_mod_inverse(NULL, r, p, ctx);
	r_inverse_n = BN_mod_inverse(NULL, r, n, ctx);
}

static void teardown(void)
{
	BN_free(p);
	BN_free(n);
	BN_free(r);
	BN_free(r_inverse_p);
	BN_free(r_inverse_n);
	EC_GROUP_free(group);
	BN_CTX_free(ctx);
}

TestSuite(p256_field, .init = setup, .fini = teardown);

/* A generator of its own, so that a failure can be had again (xorshift64*). */
static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t next(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1d;
}

static BIGNUM *lane_get(const uint64_t *a, int lane)
{
	BIGNUM *out = BN_new(), *limb = BN_new();

	for (int i = 4; i >= 0; i--) {
		int64_t v = (int64_t)a[8 * i + lane];

		BN_lshift(out, out, 52);
		BN_set_word(limb, (uint64_t)(v < 0 ? -v : v));
		if (v < 0)
			BN_sub(out, out, limb);
		else
			BN_add(out, out, limb);
	}
	BN_free(limb);
	return out;
}

static void lane_set(uint64_t *a, int lane, const BIGNUM *v)
{
	BIGNUM *rest = BN_dup(v), *limb = BN_new();

	for (int i = 0; i < 5; i++) {
		BN_copy(limb, rest);
		if (BN_num_bits(limb) > 52)
			BN_mask_bits(limb, 52);
		a[8 * i + lane] = BN_get_word(limb);
		BN_rshift(rest, rest, 52);
	}
	cr_assert(BN_is_zero(rest));
	BN_free(rest);
	BN_free(limb);
}

/* A number in [0, tenths / 10 * modulus): often 0, the modulus, its neighbours, the largest, or one
 * whose limbs are all zeros and ones. */
static void lane_draw(uint64_t *a, int lane, const BIGNUM *modulus, unsigned int tenths)
{
	BIGNUM *bound = BN_dup(modulus), *v = BN_new();
	uint64_t choice = next() % 16;

	BN_mul_word(bound, tenths);
	BN_div_word(bound, 10);
	for (int i = 0; i < 5; i++) {
		BN_lshift(v, v, 52);
		uint64_t limb = next() >> 12;

		if (choice < 4)
			limb = (next() & 1) ? 0xfffffffffffff : 0;
		BN_add_word(v, limb);
	}
	if (choice == 4)
		BN_zero(v);
	if (choice >= 5 && choice <= 7) {
		BN_copy(v, modulus);
		BN_mul_word(v, next() % (tenths / 10 + 1));
		if (choice == 6 && !BN_is_zero(v))
			BN_sub_word(v, 1 + next() % 3);
		if (choice == 7)
			BN_add_word(v, next() % 3);
	}
	if (choice == 8)
		BN_sub(v, bound, BN_value_one());
	BN_nnmod(v, v, bound, ctx);
	lane_set(a, lane, v);
	BN_free(bound);
	BN_free(v);
}

static void draw(lanes a, const BIGNUM *modulus, unsigned int tenths)
{
	for (int lane = 0; lane < 8; lane++)
		lane_draw(a, lane, modulus, tenths);
}

/* out = expected mod modulus, limbs in [0, 2^52), and the number below tenths / 10 * modulus. */
static void check(const lanes out, int lane, const BIGNUM *expected, const BIGNUM *modulus,
		  unsigned int tenths)
{
	BIGNUM *v = lane_get(out, lane), *bound = BN_dup(modulus), *rest = BN_new();

	BN_mul_word(bound, tenths);
	BN_div_word(bound, 10);
	for (int i = 0; i < 5; i++)
		cr_assert(out[8 * i + lane] < 1ULL << 52, "lane %d limb %d", lane, i);
	cr_assert(BN_cmp(v, bound) < 0, "lane %d is not below %u/10", lane, tenths);
	BN_sub(v, v, expected);
	BN_nnmod(rest, v, modulus, ctx);
	cr_assert(BN_is_zero(rest), "lane %d", lane);
	BN_free(v);
	BN_free(bound);
	BN_free(rest);
}

Test(p256_field, multiplies_in_every_lane)
{
	lanes a, b, out, square;

	for (int round = 0; round < ROUNDS; round++) {
		draw(a, p, 40);
		draw(b, p, 40);
		lanes_mul(a, b, out);
		lanes_sqr(a, square);
		for (int lane = 0; lane < 8; lane++) {
			BIGNUM *x = lane_get(a, lane), *y = lane_get(b, lane), *z = BN_new();

			BN_mod_mul(z, x, y, p, ctx);
			BN_mod_mul(z, z, r_inverse_p, p, ctx);
			check(out, lane, z, p, 20);
			BN_mod_mul(z, x, x, p, ctx);
			BN_mod_mul(z, z, r_inverse_p, p, ctx);
			check(square, lane, z, p, 20);
			BN_free(x);
			BN_free(y);
			BN_free(z);
		}
	}
}

Test(p256_field, multiplies_the_largest_factors_below_16_p)
{
	lanes a, b, out;

	for (int round = 0; round < ROUNDS; round++) {
		draw(a, p, 159);
		draw(b, p, 10);
		lanes_mul(a, b, out);
		for (int lane = 0; lane < 8; lane++) {
			BIGNUM *x = lane_get(a, lane), *y = lane_get(b, lane), *z = BN_new();

			BN_mod_mul(z, x, y, p, ctx);
			BN_mod_mul(z, z, r_inverse_p, p, ctx);
			check(out, lane, z, p, 20);
			BN_free(x);
			BN_free(y);
			BN_free(z);
		}
	}
}

/* The sum of products that doubling and addition reduce once; it may be negative. */
Test(p256_field, reduces_a_difference_of_products)
{
	lanes a, b, c, d, out;

	for (int round = 0; round < ROUNDS; round++) {
		draw(a, p, 61);
		draw(b, p, 32);
		draw(c, p, 35);
		draw(d, p, 35);
		lanes_mul_difference(a, b, c, d, out);
		for (int lane = 0; lane < 8; lane++) {
			BIGNUM *w = lane_get(a, lane), *x = lane_get(b, lane);
			BIGNUM *y = lane_get(c, lane), *z = lane_get(d, lane);

			BN_mod_mul(w, w, x, p, ctx);
			BN_mod_mul(y, y, z, p, ctx);
			BN_mod_sub(w, w, y, p, ctx);
			BN_mod_mul(w, w, r_inverse_p, p, ctx);
			check(out, lane, w, p, 43);
			BN_free(w);
			BN_free(x);
			BN_free(y);
			BN_free(z);
		}
	}
}

/* Limbs of any sign, as sums leave them; the number itself is not negative. */
Test(p256_field, folds_any_limbs)
{
	lanes a, out, small;
	BIGNUM *half = BN_new();

	BN_set_word(half, 2);
	BN_mod_inverse(half, half, p, ctx);
	for (int round = 0; round < ROUNDS; round++) {
		draw(a, p, 159);
		for (int i = 0; i < 40; i++)
			small[i] = a[i] & (i < 32 ? UINT64_MAX : 0x7ffffffffffff);
		for (int i = 0; i < 32; i++) {
			/* Carries from limb to limb, back and forth, keep the number. */
			uint64_t move = (next() >> 56) - 128;

			if (i >= 24 && a[i + 8] < 1000)
				continue;
			a[i] += move << 52;
			a[i + 8] -= move;
		}
		lanes_fold(a, out);
		for (int lane = 0; lane < 8; lane++) {
			BIGNUM *x = lane_get(a, lane);

			check(out, lane, x, p, 11);
			BN_free(x);
		}
		lanes_canonical(a, out);
		uint8_t zero = lanes_is_zero(a);

		for (int lane = 0; lane < 8; lane++) {
			BIGNUM *x = lane_get(a, lane), *rest = BN_new();

			check(out, lane, x, p, 10);
			BN_nnmod(rest, x, p, ctx);
			cr_assert_eq(zero >> lane & 1, BN_is_zero(rest));
			BN_free(x);
			BN_free(rest);
		}
		lanes_three_halves(small, out);
		for (int lane = 0; lane < 8; lane++) {
			BIGNUM *x = lane_get(small, lane);

			for (int i = 0; i < 5; i++)
				out[8 * i + lane] &= 0xfffffffffffff;
			BN_mul_word(x, 3);
			BN_mod_mul(x, x, half, p, ctx);
			check(out, lane, x, p, 159);
			BN_free(x);
		}
	}
	BN_free(half);
}

Test(p256_field, knows_every_zero)
{
	lanes a;
	BIGNUM *v = BN_new();

	for (unsigned int k = 0; k < 15; k++) {
		BN_copy(v, p);
		BN_mul_word(v, k);
		for (int lane = 0; lane < 8; lane++) {
			draw(a, p, 10);
			for (int other = 0; other < 8; other++)
				a[other] |= 1, a[8 + other] &= 0xfff;
			lane_set(a, lane, v);
			cr_assert_eq(lanes_is_zero(a), 1 << lane, "%u p in lane %d", k, lane);
		}
	}
	BN_free(v);
}

Test(p256_field, inverts)
{
	lanes a, out;

	for (int round = 0; round < 100; round++) {
		draw(a, p, 20);
		lanes_invert(a, out);
		for (int lane = 0; lane < 8; lane++) {
			BIGNUM *x = lane_get(a, lane), *z = BN_new();

			/* (x / R)^-1 R; 0 gives 0 */
			BN_mod_mul(z, x, r_inverse_p, p, ctx);
			if (!BN_is_zero(z))
				BN_mod_inverse(z, z, p, ctx);
			BN_mod_mul(z, z, r, p, ctx);
			check(out, lane, z, p, 20);
			BN_free(x);
			BN_free(z);
		}
	}
}

Test(p256_field, reads_and_writes_octets)
{
	uint8_t in[8][32], out[8][32];
	lanes a;

	for (int round = 0; round < ROUNDS; round++) {
		for (int lane = 0; lane < 8; lane++)
			for (int i = 0; i < 32; i++)
				in[lane][i] = round % 7 ? (uint8_t)next() : 0xff;
		lanes_from_octets(in, a);
		lanes_to_octets(a, out);
		for (int lane = 0; lane < 8; lane++) {
			BIGNUM *x = BN_bin2bn(in[lane], 32, NULL),
			       *y = BN_bin2bn(out[lane], 32, NULL);

			BN_nnmod(x, x, p, ctx);
			cr_assert_eq(BN_cmp(x, y), 0);
			BN_free(x);
			BN_free(y);
		}
	}
}

Test(p256_field, multiplies_and_inverts_modulo_n)
{
	lanes a, b, out, inverse, canonical;

	for (int round = 0; round < ROUNDS / 4; round++) {
		draw(a, n, 20);
		draw(b, n, 79);
		lanes_scalar_mul(a, b, out);
		lanes_scalar_invert(a, inverse);
		lanes_scalar_canonical(a, canonical);
		for (int lane = 0; lane < 8; lane++) {
			BIGNUM *x = lane_get(a, lane), *y = lane_get(b, lane), *z = BN_new();

			check(canonical, lane, x, n, 10);
			BN_mod_mul(z, x, y, n, ctx);
			BN_mod_mul(z, z, r_inverse_n, n, ctx);
			check(out, lane, z, n, 20);
			BN_mod_mul(z, x, r_inverse_n, n, ctx);
			if (!BN_is_zero(z))
				BN_mod_inverse(z, z, n, ctx);
			BN_mod_mul(z, z, r, n, ctx);
			check(inverse, lane, z, n, 20);
			BN_free(x);
			BN_free(y);
			BN_free(z);
		}
	}
}

Test(p256_field, digits_add_up_to_the_scalar)
{
	for (int round = 0; round < 60; round++) {
		lanes k;

		draw(k, n, 10);
		for (unsigned int w = 5; w <= 10; w++) {
			BIGNUM *sum[8];
			uint8_t negated;

			for (int lane = 0; lane < 8; lane++)
				sum[lane] = BN_new();
			for (unsigned int i = (256 + w - 1) / w; i-- > 0;) {
				int digit[8];

				lanes_scalar_digits(k, w, i, digit, &negated);
				for (int lane = 0; lane < 8; lane++) {
					cr_assert(digit[lane] % 2 && abs(digit[lane]) < 1 << w);
					BN_lshift(sum[lane], sum[lane], (int)w);
					if (digit[lane] < 0)
						BN_sub_word(sum[lane], (BN_ULONG)-digit[lane]);
					else
						BN_add_word(sum[lane], (BN_ULONG)digit[lane]);
				}
			}
			for (int lane = 0; lane < 8; lane++) {
				BIGNUM *x = lane_get(k, lane);

				if (negated >> lane & 1)
					BN_sub(x, n, x);
				cr_assert_eq(BN_cmp(x, sum[lane]), 0, "w %u lane %d", w, lane);
				BN_free(x);
				BN_free(sum[lane]);
			}
		}
	}
}

/* A multiple of G in Jacobian coordinates as loose as the class allows: Y + 0, p or 2 p. */
static EC_POINT *draw_point(lane_points a, int lane)
{
	EC_POINT *point = EC_POINT_new(group);
	BIGNUM *k = BN_new(), *x = BN_new(), *y = BN_new(), *z = BN_new(), *t = BN_new();

	BN_set_word(k, next() | 1);
	EC_POINT_mul(group, point, k, NULL, NULL, ctx);
	EC_POINT_get_affine_coordinates(group, point, x, y, ctx);
	BN_set_word(z, next() % 5 ? next() | 1 : 1);
	BN_mod_sqr(t, z, p, ctx);
	BN_mod_mul(x, x, t, p, ctx);
	BN_mod_mul(t, t, z, p, ctx);
	BN_mod_mul(y, y, t, p, ctx);
	BN_mod_mul(x, x, r, p, ctx);
	BN_mod_mul(y, y, r, p, ctx);
	BN_mod_mul(z, z, r, p, ctx);
	for (uint64_t i = next() % 3; i > 0; i--)
		BN_add(y, y, p);
	lane_set(a, lane, x);
	lane_set(a + 40, lane, y);
	lane_set(a + 80, lane, z);
	BN_free(k);
	BN_free(x);
	BN_free(y);
	BN_free(z);
	BN_free(t);
	return point;
}

/* The point in out, whose coordinates are checked to be in the class. */
static EC_POINT *lane_point(const lane_points out, int lane)
{
	EC_POINT *point = EC_POINT_new(group);
	BIGNUM *x = lane_get(out, lane), *y = lane_get(out + 40, lane),
	       *z = lane_get(out + 80, lane), *i = BN_new(), *t = BN_new();

	check(out, lane, x, p, 11);
	check(out + 40, lane, y, p, 32);
	check(out + 80, lane, z, p, 13);
	BN_mod_mul(x, x, r_inverse_p, p, ctx);
	BN_mod_mul(y, y, r_inverse_p, p, ctx);
	BN_mod_mul(z, z, r_inverse_p, p, ctx);
	if (BN_is_zero(z)) {
		EC_POINT_set_to_infinity(group, point);
	} else {
		BN_mod_inverse(i, z, p, ctx);
		BN_mod_sqr(t, i, p, ctx);
		BN_mod_mul(x, x, t, p, ctx);
		BN_mod_mul(t, t, i, p, ctx);
		BN_mod_mul(y, y, t, p, ctx);
		cr_assert_eq(EC_POINT_set_affine_coordinates(group, point, x, y, ctx), 1);
	}
	BN_free(x);
	BN_free(y);
	BN_free(z);
	BN_free(i);
	BN_free(t);
	return point;
}

Test(p256_field, doubles_points)
{
	for (int round = 0; round < 200; round++) {
		lane_points a, out;
		EC_POINT *point[8];

		for (int lane = 0; lane < 8; lane++)
			point[lane] = draw_point(a, lane);
		lanes_double(a, out);
		lanes_double(out, out);
		for (int lane = 0; lane < 8; lane++) {
			EC_POINT *got = lane_point(out, lane);

			EC_POINT_dbl(group, point[lane], point[lane], ctx);
			EC_POINT_dbl(group, point[lane], point[lane], ctx);
			cr_assert_eq(EC_POINT_cmp(group, point[lane], got, ctx), 0);
			EC_POINT_free(point[lane]);
			EC_POINT_free(got);
		}
	}
}

/* Equal points give Z = 0 here: the callers look for it. */
Test(p256_field, adds_points_and_marks_equal_ones)
{
	for (int round = 0; round < 200; round++) {
		lane_points a, b, out;
		EC_POINT *point[8];
		uint8_t negative = (uint8_t)next();
		int equal = (int)(next() % 8);

		for (int lane = 0; lane < 8; lane++) {
			EC_POINT *other = EC_POINT_new(group);
			BIGNUM *x = BN_new(), *y = BN_new();

			point[lane] = draw_point(a, lane);
			if (lane == equal)
				EC_POINT_copy(other, point[lane]);
			else
				EC_POINT_dbl(group, other, point[lane], ctx);
			EC_POINT_get_affine_coordinates(group, other, x, y, ctx);
			BN_mod_mul(x, x, r, p, ctx);
			BN_mod_mul(y, y, r, p, ctx);
			lane_set(b, lane, x);
			lane_set(b + 40, lane, y);
			/* What is above the limbs of a packed number does not count. */
			b[next() % 80] |= next() << 52;
			if (negative >> lane & 1)
				EC_POINT_invert(group, other, ctx);
			EC_POINT_add(group, point[lane], point[lane], other, ctx);
			if (lane == equal)
				EC_POINT_set_to_infinity(group, point[lane]);
			BN_free(x);
			BN_free(y);
			EC_POINT_free(other);
		}
		lanes_add_affine(a, b, negative, out);
		for (int lane = 0; lane < 8; lane++) {
			EC_POINT *got = lane_point(out, lane);

			cr_assert_eq(EC_POINT_cmp(group, point[lane], got, ctx), 0, "lane %d",
				     lane);
			EC_POINT_free(point[lane]);
			EC_POINT_free(got);
		}
	}
}
