/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Deliberate leaks, and a test of how shadow passes through the intrinsics that lib/p256 uses.
 */
#include <stdio.h>
#include <string.h>
#include <sanitizer/msan_interface.h>

#include "leaks.h"
#include "p256/p256_field.h"

static volatile unsigned int sink;

/* A branch, not a conditional move: the two sides do different things to memory. */
static void branch(uint64_t condition)
{
	if (condition)
		sink++;
}

static void branch_on_bit(const uint64_t *secret)
{
	branch(secret[0] >> 17 & 1);
}

static void table_by_secret_index(const uint64_t *secret)
{
	static volatile const uint8_t table[16] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3};

	sink = table[secret[0] & 15];
}

static void store_to_secret_index(const uint64_t *secret)
{
	static volatile uint8_t table[16];

	table[secret[0] & 15] = 1;
}

static void divide_by_secret(const uint64_t *secret)
{
	sink = (unsigned int)(1000000007 / (secret[0] | 1));
}

static void loop_to_secret_count(const uint64_t *secret)
{
	for (uint64_t i = 0; i < (secret[0] & 7); i++)
		sink++;
}

static void compare_by_memcmp(const uint64_t *secret)
{
	static const uint8_t other[32];

	sink = (unsigned int)memcmp(secret, other, sizeof(other));
}

/* Most of these MemorySanitizer would not see without shadow.h. */
static void branch_on_lane(__m512i v, int shift)
{
	_Alignas(64) uint64_t lanes[8];

	_mm512_store_si512(lanes, v);
	branch(lanes[3] >> shift & 1);
}

static void branch_on_carry(const uint64_t *secret)
{
	__m512i limb = _mm512_and_si512(_mm512_load_si512(secret), p256_mask52());

	branch_on_lane(p256_add64(limb, _mm512_set1_epi64(0x123456789abcd)), 52);
}

static void branch_on_borrow(const uint64_t *secret)
{
	__m512i limb = _mm512_and_si512(_mm512_load_si512(secret), p256_mask52());

	branch(_mm512_movepi64_mask(p256_sub64(limb, p256_mask52())));
}

static void branch_on_product(const uint64_t *secret)
{
	__m512i limb = _mm512_and_si512(_mm512_load_si512(secret), _mm512_set1_epi64(0xff));

	branch_on_lane(p256_madd_lo(_mm512_setzero_si512(), limb, _mm512_set1_epi64(0x1000001)),
		       30);
}

static void branch_on_high_product(const uint64_t *secret)
{
	__m512i limb = _mm512_and_si512(_mm512_load_si512(secret), _mm512_set1_epi64(1LL << 51));

	branch_on_lane(p256_madd_hi(_mm512_setzero_si512(), limb, p256_mask52()), 3);
}

static void branch_on_selected_word(const uint64_t *secret)
{
	__m512i index = _mm512_and_si512(_mm512_load_si512(secret), _mm512_set1_epi64(15));
	__m512i a = _mm512_set1_epi64(1LL << 40), b = _mm512_setzero_si512();

	branch_on_lane(_mm512_permutex2var_epi64(a, index, b), 40);
}

static void branch_in_lane_7_only(const uint64_t *secret)
{
	_Alignas(64) uint64_t lanes[8] = {0};

	lanes[7] = secret[7];
	branch(_mm512_testn_epi64_mask(_mm512_load_si512(lanes), _mm512_set1_epi64(1 << 5)) >> 7);
}

/* Not a leak: what lib/p256 does instead, and a branch on what is public beside a secret. */
static void select_by_mask(const uint64_t *secret)
{
	__m512i v = _mm512_load_si512(secret);
	__mmask8 odd = _mm512_test_epi64_mask(v, _mm512_set1_epi64(1));
	_Alignas(64) uint64_t out[8];

	_mm512_store_si512(out, _mm512_mask_sub_epi64(v, odd, _mm512_setzero_si512(), v));
	_mm512_store_si512(out, _mm512_and_si512(_mm512_load_si512(out), p256_mask52()));
	branch(out[0] >> 52);
}

const struct leak leaks[] = {
	{"branch on a bit", branch_on_bit, true},
	{"load by a secret index", table_by_secret_index, true},
	{"store by a secret index", store_to_secret_index, true},
	{"division by a secret", divide_by_secret, true},
	{"loop to a secret count", loop_to_secret_count, true},
	{"memcmp", compare_by_memcmp, true},
	{"branch on a carry", branch_on_carry, true},
	{"branch on a borrow", branch_on_borrow, true},
	{"branch on a product's low half", branch_on_product, true},
	{"branch on a product's high half", branch_on_high_product, true},
	{"branch on a word selected in registers", branch_on_selected_word, true},
	{"branch on one lane", branch_in_lane_7_only, true},
	{"selection by masks", select_by_mask, false},
};
const unsigned int leaks_n = sizeof(leaks) / sizeof(leaks[0]);

/* Every intrinsic of lib/p256 that computes, with operands v[0] to v[2] and mask k. */
#define INTRINSICS(VECTOR, MASK)                                    \
	VECTOR(_mm512_add_epi64, (v[0], v[1]))                      \
	VECTOR(_mm512_sub_epi64, (v[0], v[1]))                      \
	VECTOR(_mm512_mask_add_epi64, (v[0], k, v[1], v[2]))        \
	VECTOR(_mm512_mask_sub_epi64, (v[0], k, v[1], v[2]))        \
	VECTOR(_mm512_madd52lo_epu64, (v[0], v[1], v[2]))           \
	VECTOR(_mm512_madd52hi_epu64, (v[0], v[1], v[2]))           \
	VECTOR(_mm512_permutex2var_epi64, (v[0], v[1], v[2]))       \
	VECTOR(_mm512_and_si512, (v[0], v[1]))                      \
	VECTOR(_mm512_or_si512, (v[0], v[1]))                       \
	VECTOR(_mm512_mask_xor_epi64, (v[0], k, v[1], v[2]))        \
	VECTOR(_mm512_mask_mov_epi64, (v[0], k, v[1]))              \
	VECTOR(_mm512_maskz_mov_epi64, (k, v[0]))                   \
	VECTOR(_mm512_slli_epi64, (v[0], 13))                       \
	VECTOR(_mm512_srli_epi64, (v[0], 13))                       \
	VECTOR(_mm512_srai_epi64, (v[0], 13))                       \
	VECTOR(_mm512_sll_epi64, (v[0], _mm_cvtsi32_si128(k & 63))) \
	VECTOR(_mm512_srl_epi64, (v[0], _mm_cvtsi32_si128(k & 63))) \
	VECTOR(_mm512_unpacklo_epi64, (v[0], v[1]))                 \
	VECTOR(_mm512_unpackhi_epi64, (v[0], v[1]))                 \
	VECTOR(_mm512_shuffle_i64x2, (v[0], v[1], 0x88))            \
	VECTOR(_mm512_set1_epi64, ((long long)first_lane(v[0])))    \
	VECTOR(_mm512_setzero_si512, ())                            \
	MASK(_mm512_cmpeq_epi64_mask, (v[0], v[1]))                 \
	MASK(_mm512_test_epi64_mask, (v[0], v[1]))                  \
	MASK(_mm512_testn_epi64_mask, (v[0], v[1]))                 \
	MASK(_mm512_movepi64_mask, (v[0]))

static uint64_t first_lane(__m512i v)
{
	_Alignas(64) uint64_t lanes[8];

	_mm512_store_si512(lanes, v);
	return lanes[0];
}

/* -> w, 64 octets. noinline: so that nothing is computed before it is poisoned. */
#define VECTOR(f, arguments)                                                                \
	static __attribute__((noinline)) void run_vector##f(const __m512i v[3], __mmask8 k, \
							    uint64_t w[8])                  \
	{                                                                                   \
		(void)v;                                                                    \
		(void)k;                                                                    \
		_mm512_store_si512(w, f arguments);                                         \
	}
#define MASK(f, arguments)                                                                  \
	static __attribute__((noinline)) void run_vector##f(const __m512i v[3], __mmask8 k, \
							    uint64_t w[8])                  \
	{                                                                                   \
		(void)k;                                                                    \
		memset(w, 0, 64);                                                           \
		w[0] = f arguments;                                                         \
	}
INTRINSICS(VECTOR, MASK)
#undef VECTOR
#undef MASK

static uint64_t next(void)
{
	static uint64_t seed = 0x9e3779b97f4a7c15;

	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1d;
}

/* Zeros, ones, few bits, limbs, anything: a random number would meet few of the rare cases. */
static uint64_t next_pattern(void)
{
	switch (next() >> 61) {
	case 0:
	case 1:
		return 0;
	case 2:
		return ~0ULL;
	case 3:
		return 1ULL << (next() >> 58);
	case 4:
		return next() >> 12;
	case 5:
		return next() >> 60;
	default:
		return next();
	}
}

struct operands {
	_Alignas(64) uint64_t v[3][8];
	uint64_t k;
};

static bool propagates(const char *name, void (*run)(const __m512i *, __mmask8, uint64_t *))
{
	struct operands in, flipped, shadow, clean = {0};
	_Alignas(64) uint64_t out[8], out_shadow[8], again[8];

	for (int round = 0; round < 20000; round++) {
		for (size_t i = 0; i < sizeof(in) / 8; i++) {
			uint64_t s = next_pattern(), v = next_pattern(), flip = next_pattern() & s;

			memcpy((uint8_t *)&shadow + 8 * i, &s, 8);
			memcpy((uint8_t *)&in + 8 * i, &v, 8);
			v ^= flip;
			memcpy((uint8_t *)&flipped + 8 * i, &v, 8);
		}
		shadow_set(&in, &shadow, sizeof(in));
		run((const __m512i *)in.v, (__mmask8)in.k, out);
		shadow_get(out, out_shadow, sizeof(out));
		__msan_unpoison(out_shadow, sizeof(out_shadow));
		shadow_set(&in, &clean, sizeof(in));
		__msan_unpoison(out, sizeof(out));
		run((const __m512i *)flipped.v, (__mmask8)flipped.k, again);
		for (int i = 0; i < 8; i++)
			if ((out[i] ^ again[i]) & ~out_shadow[i]) {
				fprintf(stderr, "constant-time: shadow is lost in %s\n", name);
				return false;
			}
	}
	return true;
}

bool intrinsics_propagate(void)
{
	bool all = true;

#define RUN(f, arguments) all &= propagates(#f, run_vector##f);
	INTRINSICS(RUN, RUN)
#undef RUN
	return all;
}
