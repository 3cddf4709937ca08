/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Key pairs, signatures and ECDH: everything that sees a secret, in constant time. No branch and no
 * address depends on one; a table is read whole and selected from by masks or in registers.
 *
 * For a group of eight (M, S, N as in p256_verify.c), inversions apart:
 *
 *	k G		36 additions from the generator's table
 *	key pair	1 N for k; k G; 3 M for the inversion, 3 M + 1 S to make it affine
 *	signature	4 N for k, 3 N for its inversion, 4 N; k G; 3 M, 1 M + 1 S
 *	ECDH		5 M + 4 S to check the key, its 16 multiples as in p256_verify.c,
 *			255 doublings and 51 additions; 6 M, 1 M + 1 S
 *
 * and per call of max_batch operations: key pair 1 inversion mod p; signature 1 mod p and 1 mod n;
 * ECDH 2 mod p.
 *
 * Why no addition here meets equal or opposite points, or infinity (add_affine would not be right).
 * The scalar k is odd, in (0, n), and is added up from the highest window down: the sum before the
 * window i is A 2^w i, A > 0 even there (A = k's digits above, times 2^w), and d 2^(w i) is added,
 * d odd, |d| < 2^w. As integers A = d or A = -d cannot be, A being even. Modulo n:
 *  - opposite: the sum would be a multiple of n, but after window 0 it is k, and before, it is
 *    k less the lower digits, an even number below 2 n and not 0, so not n either.
 *  - equal: A 2^(w i) = d 2^(w i) + n (0 < A 2^(w i) < n + 2^w). With i > 0 that is
 *    even = even + odd. With i = 0, k = A + d = n + 2 d: d < 0, and d = (k mod 2^(w+1)) - 2^w
 *    gives |d| = n - 2^w mod 2^(w+1). The low octets of n are 25 51; for w = 5 that is 49 > 2^5
 *    and for w = 7 209 > 2^7: impossible. (It would be possible for w = 6 or 8.)
 */
#include "p256/p256_internal.h"

struct p256_secret_group {
	struct p256_fe k, k_montgomery; /* the scalar, canonical; 1 where it is bad */
	struct p256_fe product_k;	/* of the groups before this one: for the inversions */
	struct p256_fe d;		/* the signing key, canonical */
	struct p256_fe z, product_z;	/* of the odd multiples, then of the sum */
	struct p256_jacobian sum;
	__mmask8 negated; /* the sum is (n - k) times the point */
	__mmask8 bad_key, bad_nonce;
	struct p256_odd_multiples multiples; /* last: of a public key, and so public */
};

_Static_assert(SECRET_WINDOW == 7 && KEY_WINDOW == 5, "see why no addition meets equal points");

size_t p256_secret_group_size(void)
{
	return sizeof(struct p256_secret_group);
}

/* Registers and the stack keep copies of what was worked on; this overwrites the stack as deep as
 * the functions here go. The vector registers are cleared at the same time. */
static __attribute__((noinline)) void burn_stack(void)
{
	uint8_t stack[12288];

	wipe(stack, sizeof(stack));
	__asm__ volatile("vzeroall\n\t"
			 "vpxorq %%zmm16, %%zmm16, %%zmm16\n\tvpxorq %%zmm17, %%zmm17, %%zmm17\n\t"
			 "vpxorq %%zmm18, %%zmm18, %%zmm18\n\tvpxorq %%zmm19, %%zmm19, %%zmm19\n\t"
			 "vpxorq %%zmm20, %%zmm20, %%zmm20\n\tvpxorq %%zmm21, %%zmm21, %%zmm21\n\t"
			 "vpxorq %%zmm22, %%zmm22, %%zmm22\n\tvpxorq %%zmm23, %%zmm23, %%zmm23\n\t"
			 "vpxorq %%zmm24, %%zmm24, %%zmm24\n\tvpxorq %%zmm25, %%zmm25, %%zmm25\n\t"
			 "vpxorq %%zmm26, %%zmm26, %%zmm26\n\tvpxorq %%zmm27, %%zmm27, %%zmm27\n\t"
			 "vpxorq %%zmm28, %%zmm28, %%zmm28\n\tvpxorq %%zmm29, %%zmm29, %%zmm29\n\t"
			 "vpxorq %%zmm30, %%zmm30, %%zmm30\n\tvpxorq %%zmm31, %%zmm31, %%zmm31"
			 :
			 :
			 : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
			   "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
			   "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",
			   "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}

/* All but the multiples, which are most of it: wiping them too would sweep the tables out of the
 * cache. */
static void wipe_groups(struct p256_secret_group *groups, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		wipe(&groups[i], offsetof(struct p256_secret_group, multiples));
}

static struct p256_fe limbs_one(void)
{
	static const uint64_t one[5] = {1, 0, 0, 0, 0};

	return p256_fe_broadcast(one);
}

/* Selects a digit's point, in registers: the whole row is read, 16 entries a vpermi2q. */
static struct p256_affine select_generator(const struct p256_select_row *row, __m512i index)
{
	__mmask8 bit4 = _mm512_test_epi64_mask(index, _mm512_set1_epi64(16));
	__mmask8 bit5 = _mm512_test_epi64_mask(index, _mm512_set1_epi64(32));
	__m512i v[8];

	for (int w = 0; w < 8; w++) {
		const uint64_t *e = row->w[w];
		__m512i a = _mm512_permutex2var_epi64(_mm512_load_si512(e), index,
						      _mm512_load_si512(e + 8));
		__m512i b = _mm512_permutex2var_epi64(_mm512_load_si512(e + 16), index,
						      _mm512_load_si512(e + 24));
		__m512i c = _mm512_permutex2var_epi64(_mm512_load_si512(e + 32), index,
						      _mm512_load_si512(e + 40));
		__m512i d = _mm512_permutex2var_epi64(_mm512_load_si512(e + 48), index,
						      _mm512_load_si512(e + 56));

		v[w] = _mm512_mask_mov_epi64(_mm512_mask_mov_epi64(a, bit4, b), bit5,
					     _mm512_mask_mov_epi64(c, bit4, d));
	}
	return (struct p256_affine){
		p256_fe_from_words_packed((struct p256_words){{v[0], v[1], v[2], v[3]}}),
		p256_fe_from_words_packed((struct p256_words){{v[4], v[5], v[6], v[7]}})};
}

/* sum = k G or (n - k) G */
static void multiply_generator(const struct p256 *c, struct p256_secret_group *g)
{
	struct p256_odd_scalar k = p256_scalar_odd(g->k);
	struct p256_digits d = p256_scalar_digits(&k, SECRET_WINDOW, SECRET_WINDOWS - 1);
	struct p256_affine a = select_generator(&c->select[SECRET_WINDOWS - 1], d.index);
	struct p256_jacobian sum;

	for (int i = 0; i < 5; i++) {
		a.x.l[i] = _mm512_and_si512(a.x.l[i], p256_mask52());
		a.y.l[i] = _mm512_and_si512(a.y.l[i], p256_mask52());
	}
	sum = (struct p256_jacobian){a.x, a.y, p256_fe_one()};
	for (unsigned int i = SECRET_WINDOWS - 1; i-- > 0;) {
		d = p256_scalar_digits(&k, SECRET_WINDOW, i);
		sum = p256_point_add_affine(sum, select_generator(&c->select[i], d.index),
					    d.negative);
	}
	g->sum = sum;
	g->negated = k.negated;
	wipe(&k, sizeof(k));
}

/* 48 octets, big-endian, mod n -> k and its Montgomery form. 3 N. */
static void reduce_random(struct p256_secret_group *g, const uint8_t *const random[P256_LANES])
{
	const uint8_t *low[P256_LANES];
	_Alignas(64) uint64_t w[2][P256_LANES];

	for (int lane = 0; lane < P256_LANES; lane++) {
		low[lane] = random[lane] + 16;
		w[0][lane] = load_be64(random[lane] + 8);
		w[1][lane] = load_be64(random[lane]);
	}
	__m512i zero = _mm512_setzero_si512();
	struct p256_words high = {{_mm512_load_si512(w[0]), _mm512_load_si512(w[1]), zero, zero}};
	struct p256_fe a = p256_scalar_to_montgomery(p256_fe_from_words(p256_words_load(low)));
	struct p256_fe b =
		p256_scalar_mul(p256_fe_from_words(high), p256_fe_broadcast(p256_n_shift_256));

	a = p256_fe_carry(p256_fe_add_raw(a, b)); /* < 4 n */
	g->k = p256_scalar_from_montgomery(a);
	wipe(w, sizeof(w));
}

/* 1 / z of every group: one inversion, 3 M a group. No z is 0. */
static void invert_z(struct p256_secret_group *groups, unsigned int n)
{
	struct p256_fe all = p256_fe_one();

	for (unsigned int i = 0; i < n; i++) {
		groups[i].product_z = all;
		all = p256_fe_mul(all, groups[i].z);
	}
	all = p256_fe_invert(all);
	for (unsigned int i = n; i-- > 0;) {
		struct p256_fe inverse = p256_fe_mul(all, groups[i].product_z);

		all = p256_fe_mul(all, groups[i].z);
		groups[i].z = inverse;
	}
}

/* The octets in the lanes of good, zeros in the others. */
static struct p256_words keep(__mmask8 good, struct p256_fe a)
{
	struct p256_words w = p256_words_from_fe(a);

	for (int i = 0; i < 4; i++)
		w.w[i] = _mm512_maskz_mov_epi64(good, w.w[i]);
	return w;
}

static const uint8_t pad[64] = {[31] = 1, [63] = 1};

/* lanes first to first + 7 of n operations; those beyond get the padding. */
#define LANE(ops, n, first, lane, field, padding)                                           \
	((first) + (unsigned int)(lane) < (n) ? (ops)[(first) + (unsigned int)(lane)].field \
					      : (padding))

static void keypair_load(struct p256_secret_group *g, const struct p256_keypair *ops,
			 unsigned int n, unsigned int first)
{
	const uint8_t *random[P256_LANES], *given[P256_LANES];
	__mmask8 draw = 0;

	for (int lane = 0; lane < P256_LANES; lane++) {
		const uint8_t *octets = LANE(ops, n, first, lane, random, NULL);

		draw |= (__mmask8)((octets != NULL) << lane);
		random[lane] = octets ? octets : pad;
		given[lane] = octets ? pad : LANE(ops, n, first, lane, private_key, pad);
	}
	reduce_random(g, random);
	g->k = p256_fe_select(draw, p256_fe_from_words(p256_words_load(given)), g->k);
	g->bad_key = (__mmask8)~p256_scalar_is_valid(g->k);
	g->k = p256_fe_select(g->bad_key, g->k, limbs_one());
}

static void keypair_store(struct p256_secret_group *g, struct p256_keypair *ops, unsigned int n,
			  unsigned int first)
{
	uint8_t *private_key[P256_LANES], *x[P256_LANES], *y[P256_LANES];
	struct p256_affine a = p256_point_affine(g->sum, g->z);
	__mmask8 good = (__mmask8)~g->bad_key;

	a.y = p256_fe_select(g->negated, a.y,
			     p256_fe_carry(p256_fe_sub_raw(p256_fe_multiple_of_p(2), a.y)));
	for (int lane = 0; lane < P256_LANES; lane++) {
		uint8_t *public_key = LANE(ops, n, first, lane, public_key, NULL);

		x[lane] = public_key;
		y[lane] = public_key ? public_key + 32 : NULL;
		private_key[lane] = LANE(ops, n, first, lane, random, NULL)
					    ? ops[first + (unsigned int)lane].private_key
					    : NULL;
		if (public_key)
			ops[first + (unsigned int)lane].status =
				good >> lane & 1 ? P256_OK : P256_BAD_KEY;
	}
	p256_words_store(x, keep(good, p256_fe_from_montgomery(a.x)));
	p256_words_store(y, keep(good, p256_fe_from_montgomery(a.y)));
	p256_words_store(private_key, keep(good, g->k));
}

void p256_keypair_burst(struct p256 *c, struct p256_keypair *ops, unsigned int n)
{
	for (unsigned int first = 0; first < n; first += c->groups_max * P256_LANES) {
		unsigned int groups = 0;

		for (; groups < c->groups_max && first + groups * P256_LANES < n; groups++) {
			struct p256_secret_group *g = &c->secret[groups];

			keypair_load(g, ops, n, first + groups * P256_LANES);
			multiply_generator(c, g);
			g->z = g->sum.z;
		}
		invert_z(c->secret, groups);
		for (unsigned int i = 0; i < groups; i++)
			keypair_store(&c->secret[i], ops, n, first + i * P256_LANES);
		wipe_groups(c->secret, groups);
	}
	burn_stack();
}

static void sign_load(struct p256_secret_group *g, const struct p256_sign *ops, unsigned int n,
		      unsigned int first)
{
	const uint8_t *random[P256_LANES], *keys[P256_LANES];

	for (int lane = 0; lane < P256_LANES; lane++) {
		random[lane] = LANE(ops, n, first, lane, random, pad);
		keys[lane] = LANE(ops, n, first, lane, private_key, pad);
	}
	reduce_random(g, random);
	g->bad_nonce = p256_limbs_are_zero(g->k);
	g->k = p256_fe_select(g->bad_nonce, g->k, limbs_one());
	g->k_montgomery = p256_scalar_to_montgomery(g->k);
	g->d = p256_fe_from_words(p256_words_load(keys));
	g->bad_key = (__mmask8)~p256_scalar_is_valid(g->d);
}

/* 1 / k of every group, Montgomery form: one inversion, 3 N a group. */
static void invert_k(struct p256_secret_group *groups, unsigned int n)
{
	struct p256_fe all = p256_fe_broadcast(p256_n_one);

	for (unsigned int i = 0; i < n; i++) {
		groups[i].product_k = all;
		all = p256_scalar_mul(all, groups[i].k_montgomery);
	}
	all = p256_scalar_invert(all);
	for (unsigned int i = n; i-- > 0;) {
		struct p256_fe inverse = p256_scalar_mul(all, groups[i].product_k);

		all = p256_scalar_mul(all, groups[i].k_montgomery);
		groups[i].k_montgomery = inverse;
	}
}

/* r = x(k G) mod n, s = (e + r d) / k mod n. r does not depend on whether k or n - k was used. */
static void sign_store(struct p256_secret_group *g, struct p256_sign *ops, unsigned int n,
		       unsigned int first)
{
	const uint8_t *digest[P256_LANES];
	uint8_t *r_out[P256_LANES], *s_out[P256_LANES];

	for (int lane = 0; lane < P256_LANES; lane++) {
		digest[lane] = LANE(ops, n, first, lane, digest, pad);
		r_out[lane] = LANE(ops, n, first, lane, signature, NULL);
		s_out[lane] = r_out[lane] ? r_out[lane] + 32 : NULL;
	}
	struct p256_fe x = p256_fe_mul(g->sum.x, p256_fe_sqr(g->z));
	struct p256_fe r = p256_scalar_canonical(p256_fe_from_montgomery(x)); /* p < 2 n */
	struct p256_fe e = p256_fe_from_words(p256_words_load(digest));	      /* < 1.1 n */
	struct p256_fe rd = p256_scalar_mul(r, p256_scalar_to_montgomery(g->d));
	struct p256_fe s = p256_scalar_canonical(
		p256_scalar_mul(p256_fe_carry(p256_fe_add_raw(e, rd)), g->k_montgomery));
	__mmask8 bad = g->bad_nonce | p256_limbs_are_zero(r) | p256_limbs_are_zero(s);
	__mmask8 good = (__mmask8) ~(bad | g->bad_key);

	p256_words_store(r_out, keep(good, r));
	p256_words_store(s_out, keep(good, s));
	for (int lane = 0; lane < P256_LANES; lane++)
		if (r_out[lane])
			ops[first + (unsigned int)lane].status =
				g->bad_key >> lane & 1 ? P256_BAD_KEY
				: bad >> lane & 1      ? P256_BAD_SIGNATURE
						       : P256_OK;
}

void p256_sign_burst(struct p256 *c, struct p256_sign *ops, unsigned int n)
{
	for (unsigned int first = 0; first < n; first += c->groups_max * P256_LANES) {
		unsigned int groups = 0;

		for (; groups < c->groups_max && first + groups * P256_LANES < n; groups++) {
			struct p256_secret_group *g = &c->secret[groups];

			sign_load(g, ops, n, first + groups * P256_LANES);
			multiply_generator(c, g);
			g->z = g->sum.z;
		}
		invert_z(c->secret, groups);
		invert_k(c->secret, groups);
		for (unsigned int i = 0; i < groups; i++)
			sign_store(&c->secret[i], ops, n, first + i * P256_LANES);
		wipe_groups(c->secret, groups);
	}
	burn_stack();
}

static void ecdh_load(struct p256_secret_group *g, const struct p256_ecdh *ops, unsigned int n,
		      unsigned int first)
{
	const uint8_t *private_keys[P256_LANES], *public_keys[P256_LANES];
	struct p256_affine q;

	for (int lane = 0; lane < P256_LANES; lane++) {
		private_keys[lane] = LANE(ops, n, first, lane, private_key, pad);
		public_keys[lane] = LANE(ops, n, first, lane, public_key, p256_generator);
	}
	q = p256_keys_load(public_keys, &g->bad_key);
	g->k = p256_fe_from_words(p256_words_load(private_keys));
	g->bad_key |= (__mmask8)~p256_scalar_is_valid(g->k);
	g->k = p256_fe_select(g->bad_key, g->k, limbs_one());
	g->z = p256_odd_multiples(g->multiples.point, g->multiples.h, KEY_MULTIPLES,
				  (struct p256_jacobian){q.x, q.y, p256_fe_one()});
}

/* Selects a digit's point: all sixteen are read. */
static struct p256_affine select_multiple(const struct p256_odd_multiples *m, __m512i index)
{
	struct p256_affine out = m->point[0];

	for (int j = 1; j < KEY_MULTIPLES; j++) {
		__mmask8 here = _mm512_cmpeq_epi64_mask(index, _mm512_set1_epi64(j));

		out.x = p256_fe_select(here, out.x, m->point[j].x);
		out.y = p256_fe_select(here, out.y, m->point[j].y);
	}
	return out;
}

/* sum = k Q or (n - k) Q, of which x is the same. The highest digit is 1. */
static void multiply_point(struct p256_secret_group *g)
{
	struct p256_odd_scalar k = p256_scalar_odd(g->k);
	struct p256_jacobian sum = {g->multiples.point[0].x, g->multiples.point[0].y,
				    p256_fe_one()};

	for (unsigned int i = KEY_WINDOWS - 1; i-- > 0;) {
		for (int j = 0; j < KEY_WINDOW; j++)
			sum = p256_point_double(sum);
		struct p256_digits d = p256_scalar_digits(&k, KEY_WINDOW, i);

		sum = p256_point_add_affine(sum, select_multiple(&g->multiples, d.index),
					    d.negative);
	}
	g->sum = sum;
	wipe(&k, sizeof(k));
}

static void ecdh_store(struct p256_secret_group *g, struct p256_ecdh *ops, unsigned int n,
		       unsigned int first)
{
	struct p256_fe x = p256_fe_mul(g->sum.x, p256_fe_sqr(g->z));
	uint8_t *z[P256_LANES];

	for (int lane = 0; lane < P256_LANES; lane++) {
		z[lane] = LANE(ops, n, first, lane, z, NULL);
		if (z[lane])
			ops[first + (unsigned int)lane].status =
				g->bad_key >> lane & 1 ? P256_BAD_KEY : P256_OK;
	}
	p256_words_store(z, keep((__mmask8)~g->bad_key, p256_fe_from_montgomery(x)));
}

void p256_ecdh_burst(struct p256 *c, struct p256_ecdh *ops, unsigned int n)
{
	for (unsigned int first = 0; first < n; first += c->groups_max * P256_LANES) {
		unsigned int groups = 0;

		for (; groups < c->groups_max && first + groups * P256_LANES < n; groups++)
			ecdh_load(&c->secret[groups], ops, n, first + groups * P256_LANES);
		invert_z(c->secret, groups);
		for (unsigned int i = 0; i < groups; i++) {
			struct p256_secret_group *g = &c->secret[i];

			for (unsigned int j = KEY_MULTIPLES; j-- > 0;)
				g->multiples.point[j] = p256_odd_multiple_affine(
					g->multiples.point, g->multiples.h, j, &g->z);
			multiply_point(g);
			g->z = g->sum.z;
		}
		invert_z(c->secret, groups);
		for (unsigned int i = 0; i < groups; i++)
			ecdh_store(&c->secret[i], ops, n, first + i * P256_LANES);
		wipe_groups(c->secret, groups);
	}
	burn_stack();
}
