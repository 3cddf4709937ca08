/* SPDX-License-Identifier: BSD-3-Clause */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <immintrin.h>
#include <openssl/sha.h>

#include "sec/sha256_pair.h"

#define SHA_NI __attribute__((target("sha,sse4.1,ssse3")))

static const uint32_t K[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2};

void sha256_pair_init(struct sha256_pair *p)
{
	static const uint32_t initial[SHA256_WORDS] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372,
						       0xa54ff53a, 0x510e527f, 0x9b05688c,
						       0x1f83d9ab, 0x5be0cd19};

	memcpy(p->h[0], initial, sizeof(initial));
	memcpy(p->h[1], initial, sizeof(initial));
}

/* The instructions' order of the state: ABEF and CDGH, and the last four words of the schedule. */
struct chain {
	__m128i abef, cdgh, w[4];
};

SHA_NI static inline __m128i big_endian(void)
{
	return _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
}

SHA_NI static inline void chain_load(struct chain *c, const uint32_t h[SHA256_WORDS],
				     const uint8_t *block)
{
	__m128i abcd = _mm_loadu_si128((const __m128i *)h);
	__m128i efgh = _mm_loadu_si128((const __m128i *)(h + 4));
	__m128i cdab = _mm_shuffle_epi32(abcd, 0xb1), hgfe = _mm_shuffle_epi32(efgh, 0x1b);

	c->abef = _mm_alignr_epi8(cdab, hgfe, 8);
	c->cdgh = _mm_blend_epi16(hgfe, cdab, 0xf0);
	for (unsigned int i = 0; i < 4; i++)
		c->w[i] =
			_mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)block + i), big_endian());
}

SHA_NI static inline void chain_add(const struct chain *c, uint32_t h[SHA256_WORDS])
{
	__m128i feba = _mm_shuffle_epi32(c->abef, 0x1b), dchg = _mm_shuffle_epi32(c->cdgh, 0xb1);
	__m128i abcd = _mm_blend_epi16(feba, dchg, 0xf0), efgh = _mm_alignr_epi8(dchg, feba, 8);

	_mm_storeu_si128((__m128i *)h, _mm_add_epi32(abcd, _mm_loadu_si128((const __m128i *)h)));
	_mm_storeu_si128((__m128i *)(h + 4),
			 _mm_add_epi32(efgh, _mm_loadu_si128((const __m128i *)(h + 4))));
}

/* Words 16 and on: the four that follow w, of which the oldest give way. */
SHA_NI static inline void schedule(__m128i w[4], unsigned int at)
{
	__m128i *oldest = &w[at % 4], next = w[(at + 1) % 4], last = w[(at + 3) % 4];
	__m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(*oldest, next),
				    _mm_alignr_epi8(last, w[(at + 2) % 4], 4));

	*oldest = _mm_sha256msg2_epu32(sum, last);
}

SHA_NI static inline void four_rounds(struct chain *c, unsigned int at)
{
	__m128i wk = _mm_add_epi32(c->w[at % 4], _mm_loadu_si128((const __m128i *)(K + 4 * at)));

	c->cdgh = _mm_sha256rnds2_epu32(c->cdgh, c->abef, wk);
	c->abef = _mm_sha256rnds2_epu32(c->abef, c->cdgh, _mm_shuffle_epi32(wk, 0x0e));
}

SHA_NI static void add_in_hardware(struct sha256_pair *p, const uint8_t *first,
				   const uint8_t *second)
{
	struct chain a, b;

	chain_load(&a, p->h[0], first);
	chain_load(&b, p->h[1], second);
#pragma GCC unroll 16
	for (unsigned int at = 0; at < 16; at++) {
		if (at >= 4) {
			schedule(a.w, at);
			schedule(b.w, at);
		}
		four_rounds(&a, at);
		four_rounds(&b, at);
	}
	chain_add(&a, p->h[0]);
	chain_add(&b, p->h[1]);
}

static void add_by_openssl(uint32_t h[SHA256_WORDS], const uint8_t *block)
{
	SHA256_CTX context;

	memcpy(context.h, h, sizeof(context.h));
	SHA256_Transform(&context, block);
	memcpy(h, context.h, sizeof(context.h));
	wipe(context.h, sizeof(context.h));
}

void sha256_pair_add(struct sha256_pair *p, const uint8_t *first, const uint8_t *second,
		     bool sha_ni)
{
	if (sha_ni) {
		add_in_hardware(p, first, second);
		return;
	}
	add_by_openssl(p->h[0], first);
	add_by_openssl(p->h[1], second);
}

/* In sixteens, as they will be loaded: octets written in smaller pieces could not be forwarded from
 * the store. */
SHA_NI static void digests_in_hardware(const struct sha256_pair *p, uint8_t *first, uint8_t *second)
{
	for (unsigned int i = 0; i < 4; i++) {
		__m128i words = _mm_loadu_si128((const __m128i *)p->h[i / 2] + i % 2);

		_mm_storeu_si128((__m128i *)(i < 2 ? first : second) + i % 2,
				 _mm_shuffle_epi8(words, big_endian()));
	}
}

void sha256_pair_digests(const struct sha256_pair *p, uint8_t *first, uint8_t *second, bool sha_ni)
{
	if (sha_ni) {
		digests_in_hardware(p, first, second);
		return;
	}
	for (unsigned int i = 0; i < SHA256_WORDS; i++) {
		store_be32(first + 4 * i, p->h[0][i]);
		store_be32(second + 4 * i, p->h[1][i]);
	}
}
