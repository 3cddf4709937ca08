/* SPDX-License-Identifier: BSD-3-Clause
 *
 * p256_point: the group law, eight points at a time, for the files of lib/p256 only. Constant time.
 *
 * Jacobian coordinates: (X, Y, Z) is the affine point (X / Z^2, Y / Z^3), Z = 0 (mod p) is
 * infinity. Every function takes and gives the class
 *
 *	X < 1.1 p,  Y < 3.2 p,  Z < 1.3 p	(limbs in [0, 2^52))
 *
 * and says beside each line what bound, in units of p, the line's value has. Affine operands are
 * packed and below 1.3 p.
 *
 * Costs (M multiplication, S squaring, W a product without reduction):
 *	double		4 M + 3 S + (1 W + 1 W of a square + reduction)	530 vpmadd52
 *	add_affine	6 M + 3 S + (2 W + reduction)			790 vpmadd52
 *
 * Exceptions. double is right for every point (there is no point with Y = 0, and infinity stays
 * infinity: Z3 = Y Z). add_affine is right unless the points are equal or one is infinity; then,
 * and also when they are opposite (where that is right), it gives Z = 0, and every sum that follows
 * has Z = 0 too. So whoever cannot rule those cases out looks at Z once, at the end, and computes
 * anew with p256_point_add_complete what came out as 0.
 */
#ifndef CPAU_P256_POINT_H
#define CPAU_P256_POINT_H

#include "p256/p256_scalar.h"

struct p256_affine {
	struct p256_fe x, y;
};

struct p256_jacobian {
	struct p256_fe x, y, z;
};

/* X / Z in [0, 2^256): an affine point, canonical and in Montgomery form, in one cache line. */
struct p256_entry {
	_Alignas(64) uint64_t w[8]; /* x[0..3] then y[0..3], least significant word first */
};

P256_INLINE struct p256_jacobian p256_point_select(__mmask8 mask, struct p256_jacobian a,
						   struct p256_jacobian b)
{
	return (struct p256_jacobian){p256_fe_select(mask, a.x, b.x),
				      p256_fe_select(mask, a.y, b.y),
				      p256_fe_select(mask, a.z, b.z)};
}

/* Doubling with slope M / Z3, where M = 3 (X - Z^2)(X + Z^2) / 2 and Z3 = Y Z (a = -3):
 * X3 = M^2 - 2 b, Y3 = M (b - X3) - Y^4, b = X Y^2. */
P256_INLINE struct p256_jacobian p256_point_double(struct p256_jacobian a)
{
	struct p256_fe_pair squares =
		p256_wide_reduce_raw_pair(p256_wide_sqr(a.z), p256_wide_sqr(a.y));
	struct p256_fe delta = squares.a;		 /* 1.11 */
	struct p256_fe gamma = p256_fe_carry(squares.b); /* 1.64 */
	struct p256_fe minus =
		p256_fe_carry(p256_fe_add_p(p256_fe_sub_raw(a.x, delta), 2));	 /* 0.8..3.1 */
	struct p256_fe plus = p256_fe_three_halves(p256_fe_add_raw(a.x, delta)); /* 3.82 */
	struct p256_fe_pair products =
		p256_wide_reduce_raw_pair(p256_wide_mul(minus, plus), p256_wide_mul(a.x, gamma));
	struct p256_fe m = p256_fe_carry(products.a);	    /* 1.75 */
	struct p256_fe beta = p256_fe_carry(products.b);    /* 1.12 */
	struct p256_fe beta2 = p256_fe_add_raw(beta, beta); /* 2.24 */
	struct p256_fe_pair last =
		p256_wide_reduce_raw_pair(p256_wide_sqr(m), p256_wide_mul(a.y, a.z));
	struct p256_fe m2 = last.a; /* 1.20 */
	/* b - X3 is taken before X3 is brought below 1.1 p: no need to wait for it. */
	struct p256_fe difference = p256_fe_carry(
		p256_fe_add_p(p256_fe_sub_raw(p256_fe_add_raw(beta2, beta), m2), 2)); /* 0.8..5.4 */
	struct p256_fe x3 =
		p256_fe_fold(p256_fe_add_p(p256_fe_sub_raw(m2, beta2), 3)); /* 0.7..4.2 */
	struct p256_wide y3 =
		p256_wide_sub(p256_wide_mul(m, difference), p256_wide_sqr(gamma)); /* -0.17..1.6 */

	return (struct p256_jacobian){
		x3, p256_fe_carry(p256_fe_add_p(p256_wide_reduce_raw(y3), 1)), /* 0.8..2.6 */
		p256_fe_carry(last.b),					       /* 1.26 */
	};
}

/* a + b, or a - b in the lanes of negative. b packed. Not for a = b, a or b infinity: see above. */
P256_INLINE struct p256_jacobian p256_point_add_affine(struct p256_jacobian a, struct p256_affine b,
						       __mmask8 negative)
{
	struct p256_fe zz = p256_fe_sqr(a.z); /* 1.11 */
	struct p256_fe_pair t =
		p256_wide_reduce_raw_pair(p256_wide_mul(zz, a.z), p256_wide_mul(b.x, zz));
	struct p256_fe zzz = p256_fe_carry(t.a); /* 1.10 */
	struct p256_fe u2 = t.b;		 /* 1.07 */
	struct p256_fe h =
		p256_fe_carry(p256_fe_add_p(p256_fe_sub_raw(u2, a.x), 2)); /* 0.9..3.07 */

	t = p256_wide_reduce_raw_pair(p256_wide_mul(b.y, zzz), p256_wide_sqr(h));
	struct p256_fe s2 = t.a;		/* 1.07 */
	struct p256_fe hh = p256_fe_carry(t.b); /* 1.59 */
	struct p256_fe r = p256_fe_carry(
		p256_fe_sub_raw(p256_fe_negate_raw(s2, negative),
				p256_fe_sub_raw(a.y, p256_fe_multiple_of_p(5)))); /* 0.7..6.07 */

	t = p256_wide_reduce_raw_pair(p256_wide_mul(h, hh), p256_wide_mul(a.x, hh));
	struct p256_fe hhh = p256_fe_carry(t.a); /* 1.31 */
	struct p256_fe v = p256_fe_carry(t.b);	 /* 1.11 */

	t = p256_wide_reduce_raw_pair(p256_wide_sqr(r), p256_wide_mul(a.z, h));
	struct p256_fe r2 = t.a; /* 3.31 */
	struct p256_fe x3 = p256_fe_fold_raw(p256_fe_add_p(
		p256_fe_sub_raw(p256_fe_sub_raw(r2, hhh), p256_fe_add_raw(v, v)), 4)); /* 1.01 */
	struct p256_fe difference =
		p256_fe_carry(p256_fe_add_p(p256_fe_sub_raw(v, x3), 2)); /* 0.9..3.11 */
	struct p256_wide y3 = p256_wide_sub(p256_wide_mul(r, difference),
					    p256_wide_mul(a.y, hhh)); /* -0.27..1.18 */

	return (struct p256_jacobian){
		p256_fe_carry(x3),
		p256_fe_carry(p256_fe_add_p(p256_wide_reduce_raw(y3), 1)), /* 0.7..3.18 */
		p256_fe_carry(t.b),					   /* 1.25 */
	};
}

/* a + b for every a and b: equal, opposite, infinity. 12 M + 4 S and a doubling; for rare use. */
P256_INLINE struct p256_jacobian p256_point_add_complete(struct p256_jacobian a,
							 struct p256_jacobian b)
{
	struct p256_fe aa = p256_fe_sqr(a.z), bb = p256_fe_sqr(b.z);		     /* 1.2 */
	struct p256_fe u1 = p256_fe_mul(a.x, bb);				     /* 1.1 */
	struct p256_fe u2 = p256_fe_mul(b.x, aa);				     /* 1.1 */
	struct p256_fe s1 = p256_fe_mul(a.y, p256_fe_mul(bb, b.z));		     /* 1.3 */
	struct p256_fe s2 = p256_fe_mul(b.y, p256_fe_mul(aa, a.z));		     /* 1.3 */
	struct p256_fe h = p256_fe_carry(p256_fe_add_p(p256_fe_sub_raw(u2, u1), 2)); /* 3.1 */
	struct p256_fe r = p256_fe_carry(p256_fe_add_p(p256_fe_sub_raw(s2, s1), 2)); /* 3.3 */
	struct p256_fe hh = p256_fe_sqr(h);					     /* 1.6 */
	struct p256_fe hhh = p256_fe_mul(h, hh);				     /* 1.4 */
	struct p256_fe v = p256_fe_mul(u1, hh);					     /* 1.2 */
	struct p256_fe x = p256_fe_fold(p256_fe_add_p(
		p256_fe_sub_raw(p256_fe_sub_raw(p256_fe_sqr_raw(r), hhh), p256_fe_add_raw(v, v)),
		4));
	struct p256_fe difference =
		p256_fe_carry(p256_fe_add_p(p256_fe_sub_raw(v, x), 2)); /* 3.2 */
	struct p256_fe y = p256_fe_carry(
		p256_fe_add_p(p256_wide_reduce_raw(p256_wide_sub(p256_wide_mul(r, difference),
								 p256_wide_mul(s1, hhh))),
			      1)); /* 2.7 */
	struct p256_jacobian sum = {x, y, p256_fe_mul(p256_fe_mul(a.z, b.z), h)};
	__mmask8 a_infinite = p256_fe_is_zero(a.z), b_infinite = p256_fe_is_zero(b.z);
	__mmask8 equal = p256_fe_is_zero(h) & p256_fe_is_zero(r);

	sum = p256_point_select(equal, sum, p256_point_double(a));
	sum = p256_point_select(b_infinite, sum, a);
	return p256_point_select(a_infinite, sum, b);
}

/* Eight entries, one for each lane, from wherever they are (public addresses) -> packed. */
P256_INLINE struct p256_affine p256_entries_load(const struct p256_entry *const e[P256_LANES])
{
	__m512i v[8];

	for (int lane = 0; lane < P256_LANES; lane++)
		v[lane] = _mm512_load_si512(e[lane]);
	p256_transpose(v);
	return (struct p256_affine){
		p256_fe_from_words_packed((struct p256_words){{v[0], v[1], v[2], v[3]}}),
		p256_fe_from_words_packed((struct p256_words){{v[4], v[5], v[6], v[7]}}),
	};
}

/* raw as for fold_raw -> eight entries. */
P256_INLINE void p256_entries_store(struct p256_entry *const e[P256_LANES], struct p256_affine a)
{
	struct p256_words x = p256_words_from_fe(p256_fe_canonical(a.x));
	struct p256_words y = p256_words_from_fe(p256_fe_canonical(a.y));
	__m512i v[8] = {x.w[0], x.w[1], x.w[2], x.w[3], y.w[0], y.w[1], y.w[2], y.w[3]};

	p256_transpose(v);
	for (int lane = 0; lane < P256_LANES; lane++)
		_mm512_store_si512(e[lane], v[lane]);
}

#endif
