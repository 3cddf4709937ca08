/* SPDX-License-Identifier: BSD-3-Clause
 *
 * p256_field: arithmetic modulo p = 2^256 - 2^224 + 2^192 + 2^96 - 1 (FIPS 186-4 D.1.2.3), eight
 * independent elements at a time, for the files of lib/p256 only. AVX-512 F, DQ, VL and IFMA.
 * Everything here is constant time: no branch and no address depends on a value.
 *
 * A struct p256_fe holds eight elements, one a 64-bit lane. In each lane the number represented is
 *
 *	l[0] + l[1] 2^52 + l[2] 2^104 + l[3] 2^156 + l[4] 2^208,	limbs signed, 64 bits.
 *
 * Classes, from the loosest:
 *
 *	raw	limbs of any sign, |limb| < 2^60. The number may be of any sign too.
 *	< k p	limbs in [0, 2^52), number in [0, k p), k <= 16 (2^260 is a little more than 16 p:
 *		beyond that the top limb overflows, and silently). Only these may be multiplied.
 *	packed	number in [0, 2^256), limbs right in their low 52 bits only, any bits above. The
 *		multiplier ignores what is above, so these may be multiplied, but not added.
 *	canonical	limbs in [0, 2^52), number in [0, p).
 *
 * Values are kept in Montgomery form (x is represented by x R mod p, R = 2^260). The product of
 * a < k p and b < m p is below (1 + k m / 16) p as long as k m <= 16 or so; every function below
 * and every formula of p256_point.h states its factors. p = -1 mod 2^96, so the multiplier of a
 * Montgomery step is the low limb itself, and the step costs six vpmadd52.
 *
 * Cost of a multiplication: 50 + 30 vpmadd52; of a squaring: 30 + 30. p256_wide_* splits product
 * and reduction so that a sum of products is reduced once.
 */
#ifndef CPAU_P256_FIELD_H
#define CPAU_P256_FIELD_H

#include <immintrin.h>

#include "base/base.h"

#define P256_INLINE static inline __attribute__((always_inline))

enum { P256_LANES = 8 };

struct p256_fe {
	__m512i l[5];
};

/* A number in ten limbs of 52 bits, |limb| < 2^58: a sum or difference of at most four products. */
struct p256_wide {
	__m512i c[10];
};

P256_INLINE __m512i p256_mask52(void)
{
	return _mm512_set1_epi64(0xfffffffffffff);
}

P256_INLINE __m512i p256_madd_lo(__m512i acc, __m512i a, __m512i b)
{
	return _mm512_madd52lo_epu64(acc, a, b);
}

P256_INLINE __m512i p256_madd_hi(__m512i acc, __m512i a, __m512i b)
{
	return _mm512_madd52hi_epu64(acc, a, b);
}

P256_INLINE __m512i p256_add64(__m512i a, __m512i b)
{
	return _mm512_add_epi64(a, b);
}

P256_INLINE __m512i p256_sub64(__m512i a, __m512i b)
{
	return _mm512_sub_epi64(a, b);
}

P256_INLINE struct p256_fe p256_fe_zero(void)
{
	__m512i zero = _mm512_setzero_si512();

	return (struct p256_fe){{zero, zero, zero, zero, zero}};
}

/* The same element in every lane. */
P256_INLINE struct p256_fe p256_fe_broadcast(const uint64_t l[5])
{
	return (struct p256_fe){
		{_mm512_set1_epi64((long long)l[0]), _mm512_set1_epi64((long long)l[1]),
		 _mm512_set1_epi64((long long)l[2]), _mm512_set1_epi64((long long)l[3]),
		 _mm512_set1_epi64((long long)l[4])}};
}

/* raw: k p, 0 <= k <= 64, as four signed limbs (limb 2 is 0). */
P256_INLINE struct p256_fe p256_fe_multiple_of_p(int k)
{
	return (struct p256_fe){{_mm512_set1_epi64(-(long long)k),
				 _mm512_set1_epi64((long long)k << 44), _mm512_setzero_si512(),
				 _mm512_set1_epi64((long long)k << 36),
				 _mm512_set1_epi64((long long)k * 0xffffffff0000)}};
}

/* raw + raw -> raw */
P256_INLINE struct p256_fe p256_fe_add_raw(struct p256_fe a, struct p256_fe b)
{
	return (struct p256_fe){{p256_add64(a.l[0], b.l[0]), p256_add64(a.l[1], b.l[1]),
				 p256_add64(a.l[2], b.l[2]), p256_add64(a.l[3], b.l[3]),
				 p256_add64(a.l[4], b.l[4])}};
}

/* raw - raw -> raw */
P256_INLINE struct p256_fe p256_fe_sub_raw(struct p256_fe a, struct p256_fe b)
{
	return (struct p256_fe){{p256_sub64(a.l[0], b.l[0]), p256_sub64(a.l[1], b.l[1]),
				 p256_sub64(a.l[2], b.l[2]), p256_sub64(a.l[3], b.l[3]),
				 p256_sub64(a.l[4], b.l[4])}};
}

/* raw + k p -> raw */
P256_INLINE struct p256_fe p256_fe_add_p(struct p256_fe a, int k)
{
	struct p256_fe kp = p256_fe_multiple_of_p(k);

	return (struct p256_fe){{p256_add64(a.l[0], kp.l[0]), p256_add64(a.l[1], kp.l[1]), a.l[2],
				 p256_add64(a.l[3], kp.l[3]), p256_add64(a.l[4], kp.l[4])}};
}

/* raw: -a in the lanes of mask, a in the others. */
P256_INLINE struct p256_fe p256_fe_negate_raw(struct p256_fe a, __mmask8 mask)
{
	__m512i zero = _mm512_setzero_si512();

	return (struct p256_fe){{_mm512_mask_sub_epi64(a.l[0], mask, zero, a.l[0]),
				 _mm512_mask_sub_epi64(a.l[1], mask, zero, a.l[1]),
				 _mm512_mask_sub_epi64(a.l[2], mask, zero, a.l[2]),
				 _mm512_mask_sub_epi64(a.l[3], mask, zero, a.l[3]),
				 _mm512_mask_sub_epi64(a.l[4], mask, zero, a.l[4])}};
}

/* b in the lanes of mask, a in the others; any class. */
P256_INLINE struct p256_fe p256_fe_select(__mmask8 mask, struct p256_fe a, struct p256_fe b)
{
	return (struct p256_fe){{_mm512_mask_mov_epi64(a.l[0], mask, b.l[0]),
				 _mm512_mask_mov_epi64(a.l[1], mask, b.l[1]),
				 _mm512_mask_mov_epi64(a.l[2], mask, b.l[2]),
				 _mm512_mask_mov_epi64(a.l[3], mask, b.l[3]),
				 _mm512_mask_mov_epi64(a.l[4], mask, b.l[4])}};
}

/* raw, number in [0, 16 p) -> < k p, the same number. */
P256_INLINE struct p256_fe p256_fe_carry(struct p256_fe a)
{
	__m512i mask = p256_mask52();

	a.l[1] = p256_add64(a.l[1], _mm512_srai_epi64(a.l[0], 52));
	a.l[2] = p256_add64(a.l[2], _mm512_srai_epi64(a.l[1], 52));
	a.l[3] = p256_add64(a.l[3], _mm512_srai_epi64(a.l[2], 52));
	a.l[4] = p256_add64(a.l[4], _mm512_srai_epi64(a.l[3], 52));
	a.l[0] = _mm512_and_si512(a.l[0], mask);
	a.l[1] = _mm512_and_si512(a.l[1], mask);
	a.l[2] = _mm512_and_si512(a.l[2], mask);
	a.l[3] = _mm512_and_si512(a.l[3], mask);
	return a;
}

/* raw, number in [0, 2^10 p) -> raw, number congruent and in [0, (1 + 2^-20) p), "< 1.1 p" below.
 * Takes off q p where q = floor(l[4] / 2^48) is the number divided by 2^256, wrong by the carries
 * yet to come from below only: more than -2^13 and less than 2^13 of l[4]'s units. Were q so much
 * as 1, then q (2^256 - p) > 2^223 outweighs them, so the result is never negative. */
P256_INLINE struct p256_fe p256_fe_fold_raw(struct p256_fe a)
{
	__m512i q = _mm512_srai_epi64(a.l[4], 48);

	a.l[0] = p256_add64(a.l[0], q);
	a.l[1] = p256_sub64(a.l[1], _mm512_slli_epi64(q, 44));
	a.l[3] = p256_sub64(a.l[3], _mm512_slli_epi64(q, 36));
	a.l[4] = p256_add64(_mm512_and_si512(a.l[4], _mm512_set1_epi64(0xffffffffffff)),
			    _mm512_slli_epi64(q, 16));
	return a;
}

/* raw as for fold_raw -> < 1.1 p */
P256_INLINE struct p256_fe p256_fe_fold(struct p256_fe a)
{
	return p256_fe_carry(p256_fe_fold_raw(a));
}

/* a, b: < k p or packed. The product; limbs < 2^56. 50 vpmadd52. Low and high halves in sums of
 * their own: one sum of nine would be a chain of nine times four cycles. */
P256_INLINE struct p256_wide p256_wide_mul(struct p256_fe a, struct p256_fe b)
{
	__m512i zero = _mm512_setzero_si512();
	__m512i c0 = zero, c1 = zero, c2 = zero, c3 = zero, c4 = zero;
	__m512i c5 = zero, c6 = zero, c7 = zero, c8 = zero, c9 = zero;
	__m512i h1 = zero, h2 = zero, h3 = zero, h4 = zero;
	__m512i h5 = zero, h6 = zero, h7 = zero, h8 = zero;

#define ROW(i, d0, d1, d2, d3, d4, e1, e2, e3, e4, e5) \
	d0 = p256_madd_lo(d0, a.l[i], b.l[0]);         \
	d1 = p256_madd_lo(d1, a.l[i], b.l[1]);         \
	d2 = p256_madd_lo(d2, a.l[i], b.l[2]);         \
	d3 = p256_madd_lo(d3, a.l[i], b.l[3]);         \
	d4 = p256_madd_lo(d4, a.l[i], b.l[4]);         \
	e1 = p256_madd_hi(e1, a.l[i], b.l[0]);         \
	e2 = p256_madd_hi(e2, a.l[i], b.l[1]);         \
	e3 = p256_madd_hi(e3, a.l[i], b.l[2]);         \
	e4 = p256_madd_hi(e4, a.l[i], b.l[3]);         \
	e5 = p256_madd_hi(e5, a.l[i], b.l[4])
	ROW(0, c0, c1, c2, c3, c4, h1, h2, h3, h4, h5);
	ROW(1, c1, c2, c3, c4, c5, h2, h3, h4, h5, h6);
	ROW(2, c2, c3, c4, c5, c6, h3, h4, h5, h6, h7);
	ROW(3, c3, c4, c5, c6, c7, h4, h5, h6, h7, h8);
	ROW(4, c4, c5, c6, c7, c8, h5, h6, h7, h8, c9);
#undef ROW
	return (struct p256_wide){{c0, p256_add64(c1, h1), p256_add64(c2, h2), p256_add64(c3, h3),
				   p256_add64(c4, h4), p256_add64(c5, h5), p256_add64(c6, h6),
				   p256_add64(c7, h7), p256_add64(c8, h8), c9}};
}

/* a: < k p or packed. Its square; limbs < 2^56. 30 vpmadd52. */
P256_INLINE struct p256_wide p256_wide_sqr(struct p256_fe a)
{
	__m512i zero = _mm512_setzero_si512();
	__m512i c0, c1, c2, c3, c4, c5, c6, c7, c8, c9;

	/* The products of different limbs, doubled as sums: a doubled limb would not fit 52 bits.
	 */
	c1 = p256_madd_lo(zero, a.l[0], a.l[1]);
	c2 = p256_madd_lo(zero, a.l[0], a.l[2]);
	c3 = p256_madd_lo(zero, a.l[0], a.l[3]);
	c4 = p256_madd_lo(zero, a.l[0], a.l[4]);
	c5 = p256_madd_lo(zero, a.l[1], a.l[4]);
	c6 = p256_madd_lo(zero, a.l[2], a.l[4]);
	c7 = p256_madd_lo(zero, a.l[3], a.l[4]);
	c8 = p256_madd_hi(zero, a.l[3], a.l[4]);
	c2 = p256_madd_hi(c2, a.l[0], a.l[1]);
	c3 = p256_madd_lo(c3, a.l[1], a.l[2]);
	c4 = p256_madd_lo(c4, a.l[1], a.l[3]);
	c5 = p256_madd_lo(c5, a.l[2], a.l[3]);
	c6 = p256_madd_hi(c6, a.l[1], a.l[4]);
	c7 = p256_madd_hi(c7, a.l[2], a.l[4]);
	c3 = p256_madd_hi(c3, a.l[0], a.l[2]);
	c4 = p256_madd_hi(c4, a.l[0], a.l[3]);
	c5 = p256_madd_hi(c5, a.l[0], a.l[4]);
	c6 = p256_madd_hi(c6, a.l[2], a.l[3]);
	c4 = p256_madd_hi(c4, a.l[1], a.l[2]);
	c5 = p256_madd_hi(c5, a.l[1], a.l[3]);
	c1 = p256_add64(c1, c1);
	c2 = p256_add64(c2, c2);
	c3 = p256_add64(c3, c3);
	c4 = p256_add64(c4, c4);
	c5 = p256_add64(c5, c5);
	c6 = p256_add64(c6, c6);
	c7 = p256_add64(c7, c7);
	c8 = p256_add64(c8, c8);
	c0 = p256_madd_lo(zero, a.l[0], a.l[0]);
	c1 = p256_madd_hi(c1, a.l[0], a.l[0]);
	c2 = p256_madd_lo(c2, a.l[1], a.l[1]);
	c3 = p256_madd_hi(c3, a.l[1], a.l[1]);
	c4 = p256_madd_lo(c4, a.l[2], a.l[2]);
	c5 = p256_madd_hi(c5, a.l[2], a.l[2]);
	c6 = p256_madd_lo(c6, a.l[3], a.l[3]);
	c7 = p256_madd_hi(c7, a.l[3], a.l[3]);
	c8 = p256_madd_lo(c8, a.l[4], a.l[4]);
	c9 = p256_madd_hi(zero, a.l[4], a.l[4]);
	return (struct p256_wide){{c0, c1, c2, c3, c4, c5, c6, c7, c8, c9}};
}

P256_INLINE struct p256_wide p256_wide_sub(struct p256_wide a, struct p256_wide b)
{
	return (struct p256_wide){{p256_sub64(a.c[0], b.c[0]), p256_sub64(a.c[1], b.c[1]),
				   p256_sub64(a.c[2], b.c[2]), p256_sub64(a.c[3], b.c[3]),
				   p256_sub64(a.c[4], b.c[4]), p256_sub64(a.c[5], b.c[5]),
				   p256_sub64(a.c[6], b.c[6]), p256_sub64(a.c[7], b.c[7]),
				   p256_sub64(a.c[8], b.c[8]), p256_sub64(a.c[9], b.c[9])}};
}

/* Montgomery: t / 2^260 mod p -> raw, |limb| < 2^59, number in (t / 2^260 , t / 2^260 + p). With
 * t = t' p^2 that is (t' / 16 p, (1 + t' / 16) p). Adds m p five times, m the low limb:
 * m p = -m + m 2^96 + m 2^192 + m (2^48 - 2^16) 2^208. 30 vpmadd52. */
P256_INLINE struct p256_fe p256_wide_reduce_raw(struct p256_wide t)
{
	const __m512i p1 = _mm512_set1_epi64(1LL << 44), p3 = _mm512_set1_epi64(1LL << 36),
		      p4 = _mm512_set1_epi64(0xffffffff0000);
	__m512i c0 = t.c[0], c1 = t.c[1], c2 = t.c[2], c3 = t.c[3], c4 = t.c[4];
	__m512i c5 = t.c[5], c6 = t.c[6], c7 = t.c[7], c8 = t.c[8], c9 = t.c[9];

#define STEP(d0, d1, d2, d3, d4, d5)   \
	d1 = p256_madd_lo(d1, d0, p1); \
	d2 = p256_madd_hi(d2, d0, p1); \
	d3 = p256_madd_lo(d3, d0, p3); \
	d4 = p256_madd_hi(d4, d0, p3); \
	d4 = p256_madd_lo(d4, d0, p4); \
	d5 = p256_madd_hi(d5, d0, p4); \
	d1 = p256_add64(d1, _mm512_srai_epi64(d0, 52))
	STEP(c0, c1, c2, c3, c4, c5);
	STEP(c1, c2, c3, c4, c5, c6);
	STEP(c2, c3, c4, c5, c6, c7);
	STEP(c3, c4, c5, c6, c7, c8);
	STEP(c4, c5, c6, c7, c8, c9);
#undef STEP
	return (struct p256_fe){{c5, c6, c7, c8, c9}};
}

/* Two reductions, step by step in turn: each is one long chain of dependent instructions, and the
 * core does not look far enough ahead to overlap them by itself. */
struct p256_fe_pair {
	struct p256_fe a, b;
};

P256_INLINE struct p256_fe_pair p256_wide_reduce_raw_pair(struct p256_wide t, struct p256_wide u)
{
	const __m512i p1 = _mm512_set1_epi64(1LL << 44), p3 = _mm512_set1_epi64(1LL << 36),
		      p4 = _mm512_set1_epi64(0xffffffff0000);

#define BOTH(i, j, madd, factor)                      \
	t.c[j] = p256_##madd(t.c[j], t.c[i], factor); \
	u.c[j] = p256_##madd(u.c[j], u.c[i], factor)
#define STEP(i)                                                             \
	BOTH(i, i + 1, madd_lo, p1);                                        \
	BOTH(i, i + 2, madd_hi, p1);                                        \
	t.c[i + 1] = p256_add64(t.c[i + 1], _mm512_srai_epi64(t.c[i], 52)); \
	u.c[i + 1] = p256_add64(u.c[i + 1], _mm512_srai_epi64(u.c[i], 52)); \
	BOTH(i, i + 3, madd_lo, p3);                                        \
	BOTH(i, i + 4, madd_hi, p3);                                        \
	BOTH(i, i + 4, madd_lo, p4);                                        \
	BOTH(i, i + 5, madd_hi, p4)
	STEP(0);
	STEP(1);
	STEP(2);
	STEP(3);
	STEP(4);
#undef STEP
#undef BOTH
	return (struct p256_fe_pair){{{t.c[5], t.c[6], t.c[7], t.c[8], t.c[9]}},
				     {{u.c[5], u.c[6], u.c[7], u.c[8], u.c[9]}}};
}

/* a < k p (or packed, k = 1.1), b < m p, k m <= 16: product -> raw, number in [0, (1 + k m / 16)
 * p), limbs in [0, 2^57). */
P256_INLINE struct p256_fe p256_fe_mul_raw(struct p256_fe a, struct p256_fe b)
{
	return p256_wide_reduce_raw(p256_wide_mul(a, b));
}

P256_INLINE struct p256_fe p256_fe_sqr_raw(struct p256_fe a)
{
	return p256_wide_reduce_raw(p256_wide_sqr(a));
}

/* a < k p, b < m p, k m <= 16 -> product < (1 + k m / 16) p */
P256_INLINE struct p256_fe p256_fe_mul(struct p256_fe a, struct p256_fe b)
{
	return p256_fe_carry(p256_fe_mul_raw(a, b));
}

/* a < k p, k <= 4 -> square < (1 + k k / 16) p */
P256_INLINE struct p256_fe p256_fe_sqr(struct p256_fe a)
{
	return p256_fe_carry(p256_fe_sqr_raw(a));
}

/* a raw, number in [0, 10 p) -> 3 a / 2 mod p, packed but below 1.5 a + p / 2. Adds p when 3 a is
 * odd, then shifts right. */
P256_INLINE struct p256_fe p256_fe_three_halves(struct p256_fe a)
{
	a = p256_fe_add_raw(a, p256_fe_add_raw(a, a));

	struct p256_fe p = p256_fe_multiple_of_p(1);
	__mmask8 odd = _mm512_test_epi64_mask(a.l[0], _mm512_set1_epi64(1));

	a.l[0] = _mm512_mask_add_epi64(a.l[0], odd, a.l[0], p.l[0]);
	a.l[1] = _mm512_mask_add_epi64(a.l[1], odd, a.l[1], p.l[1]);
	a.l[3] = _mm512_mask_add_epi64(a.l[3], odd, a.l[3], p.l[3]);
	a.l[4] = _mm512_mask_add_epi64(a.l[4], odd, a.l[4], p.l[4]);
	a = p256_fe_carry(a);
	return (struct p256_fe){
		{_mm512_or_si512(_mm512_srli_epi64(a.l[0], 1), _mm512_slli_epi64(a.l[1], 51)),
		 _mm512_or_si512(_mm512_srli_epi64(a.l[1], 1), _mm512_slli_epi64(a.l[2], 51)),
		 _mm512_or_si512(_mm512_srli_epi64(a.l[2], 1), _mm512_slli_epi64(a.l[3], 51)),
		 _mm512_or_si512(_mm512_srli_epi64(a.l[3], 1), _mm512_slli_epi64(a.l[4], 51)),
		 _mm512_srli_epi64(a.l[4], 1)}};
}

/* raw as for fold_raw -> canonical */
P256_INLINE struct p256_fe p256_fe_canonical(struct p256_fe a)
{
	a = p256_fe_fold(a);

	struct p256_fe p = p256_fe_multiple_of_p(1);
	struct p256_fe less = p256_fe_carry(p256_fe_sub_raw(a, p));

	return p256_fe_select(_mm512_movepi64_mask(less.l[4]), less, a);
}

/* The lanes in which a is 0 mod p. raw as for fold_raw: 0, p, 2 p, ... all count. */
P256_INLINE __mmask8 p256_fe_is_zero(struct p256_fe a)
{
	a = p256_fe_canonical(a);
	return _mm512_testn_epi64_mask(
		_mm512_or_si512(_mm512_or_si512(_mm512_or_si512(a.l[0], a.l[1]),
						_mm512_or_si512(a.l[2], a.l[3])),
				a.l[4]),
		_mm512_set1_epi64(-1));
}

/* 1 in Montgomery form (canonical), and R^2, which brings a number into it. */
P256_INLINE struct p256_fe p256_fe_one(void)
{
	static const uint64_t one[5] = {0x0000000000010, 0xf000000000000, 0xfffffffffffff,
					0xffeffffffffff, 0x00000000fffff};

	return p256_fe_broadcast(one);
}

P256_INLINE struct p256_fe p256_fe_r_squared(void)
{
	static const uint64_t r2[5] = {0x0000000000300, 0xffffffff00000, 0xffffefffffffb,
				       0xfdfffffffffff, 0x0000004ffffff};

	return p256_fe_broadcast(r2);
}

/* < 16 p or packed -> Montgomery form, < 2 p */
P256_INLINE struct p256_fe p256_fe_to_montgomery(struct p256_fe a)
{
	return p256_fe_mul(a, p256_fe_r_squared());
}

/* Montgomery form < 16 p -> the number itself, canonical */
P256_INLINE struct p256_fe p256_fe_from_montgomery(struct p256_fe a)
{
	__m512i zero = _mm512_setzero_si512();
	struct p256_wide t = {
		{a.l[0], a.l[1], a.l[2], a.l[3], a.l[4], zero, zero, zero, zero, zero}};

	return p256_fe_canonical(p256_wide_reduce_raw(t));
}

/* Eight 256-bit numbers as four vectors of 64-bit words, least significant first. */
struct p256_words {
	__m512i w[4];
};

/* number < 2^256 in words -> packed (limbs masked: also "< k p" with k = 1.1). */
P256_INLINE struct p256_fe p256_fe_from_words(struct p256_words a)
{
	__m512i mask = p256_mask52();

	return (struct p256_fe){{_mm512_and_si512(a.w[0], mask),
				 _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(a.w[0], 52),
								  _mm512_slli_epi64(a.w[1], 12)),
						  mask),
				 _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(a.w[1], 40),
								  _mm512_slli_epi64(a.w[2], 24)),
						  mask),
				 _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(a.w[2], 28),
								  _mm512_slli_epi64(a.w[3], 36)),
						  mask),
				 _mm512_srli_epi64(a.w[3], 16)}};
}

/* The same without masks -> packed: only for a multiplier. */
P256_INLINE struct p256_fe p256_fe_from_words_packed(struct p256_words a)
{
	return (struct p256_fe){
		{a.w[0],
		 _mm512_or_si512(_mm512_srli_epi64(a.w[0], 52), _mm512_slli_epi64(a.w[1], 12)),
		 _mm512_or_si512(_mm512_srli_epi64(a.w[1], 40), _mm512_slli_epi64(a.w[2], 24)),
		 _mm512_or_si512(_mm512_srli_epi64(a.w[2], 28), _mm512_slli_epi64(a.w[3], 36)),
		 _mm512_srli_epi64(a.w[3], 16)}};
}

/* limbs in [0, 2^52), number < 2^256 -> words */
P256_INLINE struct p256_words p256_words_from_fe(struct p256_fe a)
{
	return (struct p256_words){
		{_mm512_or_si512(a.l[0], _mm512_slli_epi64(a.l[1], 52)),
		 _mm512_or_si512(_mm512_srli_epi64(a.l[1], 12), _mm512_slli_epi64(a.l[2], 40)),
		 _mm512_or_si512(_mm512_srli_epi64(a.l[2], 24), _mm512_slli_epi64(a.l[3], 28)),
		 _mm512_or_si512(_mm512_srli_epi64(a.l[3], 36), _mm512_slli_epi64(a.l[4], 16))}};
}

/* Eight strings of 32 octets, big-endian, from wherever p points. */
P256_INLINE struct p256_words p256_words_load(const uint8_t *const p[P256_LANES])
{
	_Alignas(64) uint64_t w[4][P256_LANES];

	for (int lane = 0; lane < P256_LANES; lane++)
		for (int i = 0; i < 4; i++) {
			uint64_t v;

			memcpy(&v, p[lane] + 24 - 8 * i, 8);
			w[i][lane] = __builtin_bswap64(v);
		}
	return (struct p256_words){{_mm512_load_si512(w[0]), _mm512_load_si512(w[1]),
				    _mm512_load_si512(w[2]), _mm512_load_si512(w[3])}};
}

/* The reverse; where p is NULL the lane is dropped. The octets pass through the stack. */
P256_INLINE void p256_words_store(uint8_t *const p[P256_LANES], struct p256_words a)
{
	_Alignas(64) uint64_t w[4][P256_LANES];

	for (int i = 0; i < 4; i++)
		_mm512_store_si512(w[i], a.w[i]);
	for (int lane = 0; lane < P256_LANES; lane++)
		for (int i = 0; i < 4 && p[lane]; i++) {
			uint64_t v = __builtin_bswap64(w[i][lane]);

			memcpy(p[lane] + 24 - 8 * i, &v, 8);
		}
	wipe(w, sizeof(w));
}

/* Rows to columns: v[i] lane j <-> v[j] lane i. */
P256_INLINE void p256_transpose(__m512i v[8])
{
	__m512i a0 = _mm512_unpacklo_epi64(v[0], v[1]), a1 = _mm512_unpackhi_epi64(v[0], v[1]);
	__m512i a2 = _mm512_unpacklo_epi64(v[2], v[3]), a3 = _mm512_unpackhi_epi64(v[2], v[3]);
	__m512i a4 = _mm512_unpacklo_epi64(v[4], v[5]), a5 = _mm512_unpackhi_epi64(v[4], v[5]);
	__m512i a6 = _mm512_unpacklo_epi64(v[6], v[7]), a7 = _mm512_unpackhi_epi64(v[6], v[7]);
	__m512i b0 = _mm512_shuffle_i64x2(a0, a2, 0x88), b1 = _mm512_shuffle_i64x2(a0, a2, 0xdd);
	__m512i b2 = _mm512_shuffle_i64x2(a4, a6, 0x88), b3 = _mm512_shuffle_i64x2(a4, a6, 0xdd);
	__m512i b4 = _mm512_shuffle_i64x2(a1, a3, 0x88), b5 = _mm512_shuffle_i64x2(a1, a3, 0xdd);
	__m512i b6 = _mm512_shuffle_i64x2(a5, a7, 0x88), b7 = _mm512_shuffle_i64x2(a5, a7, 0xdd);

	v[0] = _mm512_shuffle_i64x2(b0, b2, 0x88);
	v[4] = _mm512_shuffle_i64x2(b0, b2, 0xdd);
	v[2] = _mm512_shuffle_i64x2(b1, b3, 0x88);
	v[6] = _mm512_shuffle_i64x2(b1, b3, 0xdd);
	v[1] = _mm512_shuffle_i64x2(b4, b6, 0x88);
	v[5] = _mm512_shuffle_i64x2(b4, b6, 0xdd);
	v[3] = _mm512_shuffle_i64x2(b5, b7, 0x88);
	v[7] = _mm512_shuffle_i64x2(b5, b7, 0xdd);
}

/* a^(2^n), n public. a < 2 p -> < 2 p */
P256_INLINE struct p256_fe p256_fe_sqr_n(struct p256_fe a, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		a = p256_fe_sqr(a);
	return a;
}

/* 1 / a mod p by Fermat, a^(p-2); 0 gives 0. a < 2 p -> < 2 p, Montgomery form in and out.
 * 255 squarings and 12 multiplications, one dependent chain. */
struct p256_fe p256_fe_invert(struct p256_fe a);

#endif
