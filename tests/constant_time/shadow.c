/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See shadow.h. Compiled without -fsanitize=memory: what it reads and writes is shadow memory
 * itself.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shadow.h"

/* The real ones. */
#undef _mm512_add_epi64
#undef _mm512_sub_epi64
#undef _mm512_madd52lo_epu64
#undef _mm512_madd52hi_epu64
#undef _mm512_permutex2var_epi64

/* MemorySanitizer's place for the shadow of p (Linux, x86-64). */
static void *shadow_of(const void *p)
{
	return (void *)((uintptr_t)p ^ 0x500000000000);
}

static __m512i load_shadow(const __m512i *p)
{
	return _mm512_load_si512(shadow_of(p));
}

static void store(__m512i *out, __m512i v, __m512i shadow)
{
	_mm512_store_si512(out, v);
	_mm512_store_si512(shadow_of(out), shadow);
}

/* All bits from the lowest one up. */
static __m512i up(__m512i s)
{
	return _mm512_or_si512(s, _mm512_sub_epi64(_mm512_setzero_si512(), s));
}

static __m512i low52(__m512i s)
{
	return _mm512_and_si512(s, _mm512_set1_epi64(0xfffffffffffff));
}

/* All bits of the lanes in which s is not 0. */
static __m512i whole(__m512i s)
{
	return _mm512_movm_epi64(_mm512_test_epi64_mask(s, s));
}

void shadow_add(__m512i *out, const __m512i *a, const __m512i *b)
{
	store(out, _mm512_add_epi64(*a, *b), up(_mm512_or_si512(load_shadow(a), load_shadow(b))));
}

void shadow_sub(__m512i *out, const __m512i *a, const __m512i *b)
{
	store(out, _mm512_sub_epi64(*a, *b), up(_mm512_or_si512(load_shadow(a), load_shadow(b))));
}

void shadow_madd52lo(__m512i *out, const __m512i *c, const __m512i *a, const __m512i *b)
{
	__m512i factors = low52(_mm512_or_si512(load_shadow(a), load_shadow(b)));

	store(out, _mm512_madd52lo_epu64(*c, *a, *b), up(_mm512_or_si512(load_shadow(c), factors)));
}

void shadow_madd52hi(__m512i *out, const __m512i *c, const __m512i *a, const __m512i *b)
{
	__m512i factors = low52(_mm512_or_si512(load_shadow(a), load_shadow(b)));

	store(out, _mm512_madd52hi_epu64(*c, *a, *b),
	      up(_mm512_or_si512(load_shadow(c), whole(factors))));
}

void shadow_permutex2var(__m512i *out, const __m512i *a, const __m512i *i, const __m512i *b)
{
	__m512i index = _mm512_and_si512(load_shadow(i), _mm512_set1_epi64(15));
	__m512i moved = _mm512_permutex2var_epi64(load_shadow(a), *i, load_shadow(b));

	store(out, _mm512_permutex2var_epi64(*a, *i, *b), _mm512_or_si512(moved, whole(index)));
}

void shadow_get(const void *p, void *shadow, size_t n)
{
	memcpy(shadow, shadow_of(p), n);
}

void shadow_set(void *p, const void *shadow, size_t n)
{
	memcpy(shadow_of(p), shadow, n);
}
