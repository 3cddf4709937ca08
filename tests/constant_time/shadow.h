/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What MemorySanitizer (clang 14) does not know about AVX-512, for tests/constant_time.c; put in
 * front of lib/p256's sources by -include. It keeps a shadow bit for every bit, set where the value
 * depends on a secret. For sums, and for intrinsics that it does not know but whose operands all
 * have the result's type, it takes the OR of the operands' shadows, bit by bit. So it would lose
 *
 *	add, sub	what a carry takes into higher bits
 *	madd52lo, hi	the same; and the high half's bits are not in the operands' places
 *	permutex2var	that the whole lane depends on the index, and which lane it came from
 *
 * and with it every leak that follows. These are replaced here by functions that compute value
 * and shadow: a bit of a sum or a product depends on all bits of its operands from there down. The
 * other intrinsics that lib/p256 uses are left to MemorySanitizer. leaks.c puts all of them to the
 * test, and intrinsics.sh fails if lib/p256 uses one that is not tested.
 */
#ifndef CPAU_TEST_SHADOW_H
#define CPAU_TEST_SHADOW_H

#include <immintrin.h>

/* shadow.c, which is not instrumented: writes *out and its shadow. */
void shadow_add(__m512i *out, const __m512i *a, const __m512i *b);
void shadow_sub(__m512i *out, const __m512i *a, const __m512i *b);
void shadow_madd52lo(__m512i *out, const __m512i *c, const __m512i *a, const __m512i *b);
void shadow_madd52hi(__m512i *out, const __m512i *c, const __m512i *a, const __m512i *b);
void shadow_permutex2var(__m512i *out, const __m512i *a, const __m512i *i, const __m512i *b);
void shadow_get(const void *p, void *shadow, size_t n);
void shadow_set(void *p, const void *shadow, size_t n);

/* noinline: the callers are large enough, and take minutes to compile otherwise. */
#define SHADOW_INTRINSIC(f, parameters, ...)                                             \
	static inline __attribute__((noinline, unused)) __m512i f##_intrinsic parameters \
	{                                                                                \
		__m512i out;                                                             \
                                                                                         \
		f(&out, __VA_ARGS__);                                                    \
		return out;                                                              \
	}
SHADOW_INTRINSIC(shadow_add, (__m512i a, __m512i b), &a, &b)
SHADOW_INTRINSIC(shadow_sub, (__m512i a, __m512i b), &a, &b)
SHADOW_INTRINSIC(shadow_madd52lo, (__m512i c, __m512i a, __m512i b), &c, &a, &b)
SHADOW_INTRINSIC(shadow_madd52hi, (__m512i c, __m512i a, __m512i b), &c, &a, &b)
SHADOW_INTRINSIC(shadow_permutex2var, (__m512i a, __m512i i, __m512i b), &a, &i, &b)
#undef SHADOW_INTRINSIC

#define _mm512_add_epi64		  shadow_add_intrinsic
#define _mm512_sub_epi64		  shadow_sub_intrinsic
#define _mm512_mask_add_epi64(v, k, a, b) _mm512_mask_mov_epi64(v, k, _mm512_add_epi64(a, b))
#define _mm512_mask_sub_epi64(v, k, a, b) _mm512_mask_mov_epi64(v, k, _mm512_sub_epi64(a, b))
#define _mm512_madd52lo_epu64		  shadow_madd52lo_intrinsic
#define _mm512_madd52hi_epu64		  shadow_madd52hi_intrinsic
#define _mm512_permutex2var_epi64	  shadow_permutex2var_intrinsic

#endif
