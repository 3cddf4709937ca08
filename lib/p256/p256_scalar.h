/* SPDX-License-Identifier: BSD-3-Clause
 *
 * p256_scalar: arithmetic modulo the group's order n, eight independent scalars at a time, and
 * their digits; for the files of lib/p256 only. Constant time throughout.
 *
 * Numbers and classes are those of p256_field.h with n for p; Montgomery form with R = 2^260. A
 * multiplication costs 50 + 55 vpmadd52: n has no shape that would help.
 */
#ifndef CPAU_P256_SCALAR_H
#define CPAU_P256_SCALAR_H

#include "p256/p256_field.h"

/* n, R mod n, R^2 mod n, 2^256 R^2 mod n */
extern const uint64_t p256_n[5], p256_n_one[5], p256_n_r_squared[5], p256_n_shift_256[5];

/* a < k n, b < m n, k m <= 16 -> a b / R mod n, < (1 + k m / 16) n. */
P256_INLINE struct p256_fe p256_scalar_mul(struct p256_fe a, struct p256_fe b)
{
	const __m512i n0 = _mm512_set1_epi64(0x9cac2fc632551),
		      n1 = _mm512_set1_epi64(0xada7179e84f3b),
		      n2 = _mm512_set1_epi64(0xfffffffbce6fa), n3 = _mm512_set1_epi64(0xfffffffff),
		      n4 = _mm512_set1_epi64(0xffffffff0000),
		      minus_inverse = _mm512_set1_epi64(0x1c8aaee00bc4f); /* -1 / n mod 2^52 */
	struct p256_wide t = p256_wide_mul(a, b);

#define STEP(i, c0, c1, c2, c3, c4, c5)                                              \
	{                                                                            \
		__m512i m = p256_madd_lo(_mm512_setzero_si512(), c0, minus_inverse); \
		c0 = p256_madd_lo(c0, m, n0);                                        \
		c1 = p256_madd_lo(c1, m, n1);                                        \
		c2 = p256_madd_lo(c2, m, n2);                                        \
		c3 = p256_madd_lo(c3, m, n3);                                        \
		c4 = p256_madd_lo(c4, m, n4);                                        \
		c1 = p256_madd_hi(c1, m, n0);                                        \
		c2 = p256_madd_hi(c2, m, n1);                                        \
		c3 = p256_madd_hi(c3, m, n2);                                        \
		c4 = p256_madd_hi(c4, m, n3);                                        \
		c5 = p256_madd_hi(c5, m, n4);                                        \
		c1 = p256_add64(c1, _mm512_srli_epi64(c0, 52));                      \
	}
	STEP(0, t.c[0], t.c[1], t.c[2], t.c[3], t.c[4], t.c[5]);
	STEP(1, t.c[1], t.c[2], t.c[3], t.c[4], t.c[5], t.c[6]);
	STEP(2, t.c[2], t.c[3], t.c[4], t.c[5], t.c[6], t.c[7]);
	STEP(3, t.c[3], t.c[4], t.c[5], t.c[6], t.c[7], t.c[8]);
	STEP(4, t.c[4], t.c[5], t.c[6], t.c[7], t.c[8], t.c[9]);
#undef STEP
	return p256_fe_carry((struct p256_fe){{t.c[5], t.c[6], t.c[7], t.c[8], t.c[9]}});
}

/* a - n if that is not negative, else a. a < 2 n -> canonical. Where a is above 2 n, and n away
 * from a multiple of 2^208 n... it is not allowed: take it through p256_scalar_mul first. */
P256_INLINE struct p256_fe p256_scalar_canonical(struct p256_fe a)
{
	struct p256_fe less = p256_fe_carry(p256_fe_sub_raw(a, p256_fe_broadcast(p256_n)));

	return p256_fe_select(_mm512_movepi64_mask(less.l[4]), less, a);
}

/* a < 16 n -> a R mod n, < 2 n */
P256_INLINE struct p256_fe p256_scalar_to_montgomery(struct p256_fe a)
{
	return p256_scalar_mul(a, p256_fe_broadcast(p256_n_r_squared));
}

/* a < 16 n -> a / R mod n, canonical */
P256_INLINE struct p256_fe p256_scalar_from_montgomery(struct p256_fe a)
{
	static const uint64_t one[5] = {1, 0, 0, 0, 0};

	return p256_scalar_canonical(p256_scalar_mul(a, p256_fe_broadcast(one)));
}

/* limbs in [0, 2^52) -> the lanes in which the number is 0 (n does not count). */
P256_INLINE __mmask8 p256_limbs_are_zero(struct p256_fe a)
{
	__m512i any = _mm512_or_si512(
		_mm512_or_si512(_mm512_or_si512(a.l[0], a.l[1]), _mm512_or_si512(a.l[2], a.l[3])),
		a.l[4]);

	return _mm512_testn_epi64_mask(any, any);
}

/* limbs in [0, 2^52) -> the lanes in which the number is below bound. */
P256_INLINE __mmask8 p256_limbs_are_below(struct p256_fe a, struct p256_fe bound)
{
	return _mm512_movepi64_mask(p256_fe_carry(p256_fe_sub_raw(a, bound)).l[4]);
}

/* limbs in [0, 2^52) -> the lanes in which the number is in [1, n - 1]. */
P256_INLINE __mmask8 p256_scalar_is_valid(struct p256_fe a)
{
	return (__mmask8)(p256_limbs_are_below(a, p256_fe_broadcast(p256_n)) &
			  ~p256_limbs_are_zero(a));
}

/* 1 / a mod n by Fermat; 0 gives 0. a < 2 n -> < 2 n, Montgomery form in and out. 254 squarings
 * and 54 multiplications, one dependent chain. */
struct p256_fe p256_scalar_invert(struct p256_fe a);

/*
 * Digits. An odd k in (0, 2^256) is the sum of d[i] 2^(w i) for 0 <= i < m = ceil(256 / w), every
 * d[i] odd and |d[i]| < 2^w, and the highest one positive:
 *
 *	d[i] = ((k >> w i) | 1) mod 2^(w+1) - 2^w below the highest, (k >> w i) | 1 for it.
 *
 * No digit is 0, so every lane adds at every step, and no digit depends on another.
 */
struct p256_digits {
	__m512i index; /* (|d| - 1) / 2, in [0, 2^(w-1)) */
	__mmask8 negative;
};

enum { P256_WORDS_ODD = 5 };

/* k in words, of which the last is 0 (so that a window may reach beyond the end). */
struct p256_odd_scalar {
	__m512i w[P256_WORDS_ODD];
	__mmask8 negated; /* holds n - k */
};

P256_INLINE unsigned int p256_windows(unsigned int w)
{
	return (256 + w - 1) / w;
}

/* k canonical (0 allowed: it becomes n, whose multiples of a point are infinity all the same) ->
 * k or n - k, whichever is odd. */
P256_INLINE struct p256_odd_scalar p256_scalar_odd(struct p256_fe k)
{
	struct p256_fe other = p256_fe_carry(p256_fe_sub_raw(p256_fe_broadcast(p256_n), k));
	__mmask8 even = _mm512_testn_epi64_mask(k.l[0], _mm512_set1_epi64(1));
	struct p256_words words = p256_words_from_fe(p256_fe_select(even, k, other));

	return (struct p256_odd_scalar){
		{words.w[0], words.w[1], words.w[2], words.w[3], _mm512_setzero_si512()}, even};
}

/* Digit i of windows of w bits. i and w are public. */
P256_INLINE struct p256_digits p256_scalar_digits(const struct p256_odd_scalar *k, unsigned int w,
						  unsigned int i)
{
	unsigned int bit = w * i, word = bit / 64, shift = bit % 64;
	__m512i high_bit = _mm512_set1_epi64(1LL << w);
	__m512i v = _mm512_or_si512(
		_mm512_srl_epi64(k->w[word], _mm_cvtsi32_si128((int)shift)),
		_mm512_sll_epi64(k->w[word + 1], _mm_cvtsi32_si128((int)(64 - shift))));

	if (i == p256_windows(w) - 1)
		v = _mm512_or_si512(v, high_bit);
	__mmask8 negative = _mm512_testn_epi64_mask(v, high_bit);

	v = _mm512_mask_xor_epi64(v, negative, v, _mm512_set1_epi64(-1));
	v = _mm512_and_si512(v, _mm512_set1_epi64((1LL << w) - 1));
	return (struct p256_digits){_mm512_srli_epi64(v, 1), negative};
}

#endif
