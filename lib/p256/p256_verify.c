/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ECDSA verification (FIPS 186-4 6.4.2), variable time. R = u1 G + u2 Q with u1 = e / s, u2 = r /
 * s, and the x-coordinate of R is to be r mod n.
 *
 * For a group of eight, in multiplications M, squarings S (M = 80, S = 60 vpmadd52) and modulo n N
 * (105), inversions apart:
 *
 *	scalars		7 N
 *	u1 G		32 additions from the generator's table
 *	u2 Q, table	256 / window additions less one
 *	u2 Q, key	5 M + 4 S to check it, 79 M + 35 S + 64 M + 16 S for its 16 multiples, then
 *			255 doublings and 51 additions
 *	u2 Q, first	the same check, 192 doublings and 156 M + 76 S + 128 M + 32 S for 8
 *			multiples of each of 4 points, then 60 doublings and 63 additions
 *	u2 Q, second	60 doublings and 63 additions
 *	comparison	3 M + 1 S
 *
 * and per call of max_batch operations one inversion mod n and, for keys, one mod p.
 */
#include "p256/p256_internal.h"

enum {
	CLASS_KEY,
	CLASS_FIRST,  /* leaves multiples */
	CLASS_SECOND, /* takes them */
	CLASS_TABLE,  /* + window: with tables of one width */
};

/* A key as four points, 2^64 apart. */
struct split {
	struct p256_fe z[SPLIT_BASES], product[SPLIT_BASES]; /* as in the group */
	struct p256_affine point[SPLIT_BASES][SPLIT_MULTIPLES];
	struct p256_fe h[SPLIT_BASES][SPLIT_MULTIPLES];
};

struct p256_verify_group {
	struct p256_verify *op[P256_LANES]; /* NULL: lane not in use */
	struct p256_fe e;		    /* digest, < 2^256 */
	struct p256_fe r;		    /* in [1, n-1]; 1 where it is bad */
	struct p256_fe s;		    /* the same, Montgomery form mod n */
	struct p256_fe product;		    /* of the groups before this one: for the inversions */
	struct p256_fe u1, u2;		    /* canonical */
	struct p256_affine q;		    /* canonical; the generator where it is bad */
	struct p256_fe z;		    /* of the last of the odd multiples */
	__mmask8 bad_key, bad_signature;
};

union p256_verify_work {
	struct p256_odd_multiples multiples;
	struct split split;
};

size_t p256_verify_group_size(void)
{
	return sizeof(struct p256_verify_group);
}

size_t p256_verify_work_size(void)
{
	return sizeof(union p256_verify_work);
}

/* The digits of one scalar, for addressing. */
struct digits {
	uint16_t index[WINDOWS_MAX][P256_LANES];
	__mmask8 negative[WINDOWS_MAX];
};

static void expand(struct digits *out, struct p256_fe k, unsigned int window)
{
	struct p256_odd_scalar odd = p256_scalar_odd(k);

	for (unsigned int i = 0; i < p256_windows(window); i++) {
		struct p256_digits d = p256_scalar_digits(&odd, window, i);

		_mm_storeu_si128((__m128i *)out->index[i], _mm512_cvtepi64_epi16(d.index));
		out->negative[i] = d.negative ^ odd.negated;
	}
}

/* r, s and digest. Lanes out of range get r = s = 1, so that they trouble no inversion. */
static void load(struct p256_verify_group *g)
{
	static const uint8_t one[64] = {[31] = 1, [63] = 1};
	static const uint64_t one_limbs[5] = {1, 0, 0, 0, 0};
	const uint8_t *r_octets[P256_LANES], *s_octets[P256_LANES], *e_octets[P256_LANES];

	for (int lane = 0; lane < P256_LANES; lane++) {
		const struct p256_verify *op = g->op[lane];

		r_octets[lane] = op ? op->signature : one;
		s_octets[lane] = r_octets[lane] + 32;
		e_octets[lane] = op ? op->digest : one;
	}
	struct p256_fe r = p256_fe_from_words(p256_words_load(r_octets));
	struct p256_fe s = p256_fe_from_words(p256_words_load(s_octets));

	g->bad_signature = (__mmask8) ~(p256_scalar_is_valid(r) & p256_scalar_is_valid(s));
	g->r = p256_fe_select(g->bad_signature, r, p256_fe_broadcast(one_limbs));
	g->s = p256_scalar_to_montgomery(
		p256_fe_select(g->bad_signature, s, p256_fe_broadcast(one_limbs)));
	g->e = p256_fe_from_words(p256_words_load(e_octets));
	g->bad_key = 0;
}

static void load_keys(struct p256_verify_group *g)
{
	const uint8_t *keys[P256_LANES];

	for (int lane = 0; lane < P256_LANES; lane++)
		keys[lane] = g->op[lane] ? g->op[lane]->public_key : p256_generator;
	g->q = p256_keys_load(keys, &g->bad_key);
}

/* u1 and u2 of n groups. 1 inversion, 3 N a group for it, 4 N for the rest. */
static void scalars(struct p256_verify_group *groups, unsigned int n)
{
	struct p256_fe all = p256_fe_broadcast(p256_n_one);

	for (unsigned int i = 0; i < n; i++) {
		groups[i].product = all;
		all = p256_scalar_mul(all, groups[i].s);
	}
	all = p256_scalar_invert(all);
	for (unsigned int i = n; i-- > 0;) {
		struct p256_verify_group *g = &groups[i];
		struct p256_fe inverse = p256_scalar_mul(all, g->product);

		all = p256_scalar_mul(all, g->s);
		g->u1 = p256_scalar_canonical(p256_scalar_mul(g->e, inverse));
		g->u2 = p256_scalar_canonical(p256_scalar_mul(g->r, inverse));
	}
}

/* packed -> < 1.1 p */
static struct p256_affine unpack(struct p256_affine a)
{
	__m512i mask = p256_mask52();

	for (int i = 0; i < 5; i++) {
		a.x.l[i] = _mm512_and_si512(a.x.l[i], mask);
		a.y.l[i] = _mm512_and_si512(a.y.l[i], mask);
	}
	return a;
}

/* The first window's points make a sum to start from. */
static struct p256_jacobian start_from(struct p256_affine a, __mmask8 negative)
{
	a = unpack(a);
	a.y = p256_fe_carry(
		p256_fe_select(negative, a.y, p256_fe_sub_raw(p256_fe_multiple_of_p(2), a.y)));
	return (struct p256_jacobian){a.x, a.y, p256_fe_one()};
}

/* Adds k times the tables' points to sum; tables of one width, one for each lane. No doublings:
 * every window has its own multiples. Starts the sum if there is none yet. */
static struct p256_jacobian add_from_tables(struct p256_jacobian sum, bool empty,
					    const struct p256_table *const tables[P256_LANES],
					    struct p256_fe k)
{
	struct digits d;
	unsigned int window = tables[0]->window, i = tables[0]->windows;
	const struct p256_entry *entry[P256_LANES], *ahead[P256_LANES];

	expand(&d, k, window);
	for (int lane = 0; lane < P256_LANES; lane++) {
		ahead[lane] =
			tables[lane]->entries + ((i - 1) << (window - 1)) + d.index[i - 1][lane];
		_mm_prefetch((const char *)ahead[lane], _MM_HINT_T0);
	}
	while (i-- > 0) {
		for (int lane = 0; lane < P256_LANES; lane++) {
			entry[lane] = ahead[lane];
			if (i > 0) {
				ahead[lane] = tables[lane]->entries + ((i - 1) << (window - 1)) +
					      d.index[i - 1][lane];
				_mm_prefetch((const char *)ahead[lane], _MM_HINT_T0);
			}
		}
		struct p256_affine a = p256_entries_load(entry);

		if (empty)
			sum = start_from(a, d.negative[i]);
		else
			sum = p256_point_add_affine(sum, a, d.negative[i]);
		empty = false;
	}
	return sum;
}

/* k Q, given 1 / Z of the last of its multiples: 255 doublings and 51 additions. The highest digit
 * is 1. */
static struct p256_jacobian multiply_key(const struct p256_verify_group *g,
					 const struct p256_odd_multiples *m,
					 struct p256_fe z_inverse)
{
	struct p256_entry entries[P256_LANES][KEY_MULTIPLES], *row[P256_LANES];
	const struct p256_entry *entry[P256_LANES];
	struct digits d;

	for (unsigned int j = KEY_MULTIPLES; j-- > 0;) {
		for (int lane = 0; lane < P256_LANES; lane++)
			row[lane] = &entries[lane][j];
		p256_entries_store(row, p256_odd_multiple_affine(m->point, m->h, j, &z_inverse));
	}
	expand(&d, g->u2, KEY_WINDOW);
	struct p256_jacobian sum = start_from(g->q, d.negative[KEY_WINDOWS - 1]);

	for (unsigned int i = KEY_WINDOWS - 1; i-- > 0;) {
		for (int j = 0; j < KEY_WINDOW; j++)
			sum = p256_point_double(sum);
		for (int lane = 0; lane < P256_LANES; lane++)
			entry[lane] = &entries[lane][d.index[i][lane]];
		sum = p256_point_add_affine(sum, p256_entries_load(entry), d.negative[i]);
	}
	return sum;
}

/* The lanes in which X / Z^2 mod p is r mod n, without dividing: X = r Z^2, or X = (r + n) Z^2 if
 * r + n < p, which is so once in 2^128 unless somebody made it so. Z is not 0. */
static __mmask8 matches(const struct p256_verify_group *g, struct p256_jacobian sum)
{
	static const uint64_t p_less_n[5] = {0x6353d039cdaae, 0x5358e8617b0c4, 0x431905, 0, 0};
	struct p256_fe zz = p256_fe_sqr(sum.z);
	struct p256_fe rzz = p256_fe_mul_raw(p256_fe_to_montgomery(g->r), zz);
	__mmask8 equal = p256_fe_is_zero(p256_fe_add_p(p256_fe_sub_raw(sum.x, rzz), 2));
	__mmask8 twice = p256_limbs_are_below(g->r, p256_fe_broadcast(p_less_n));

	if (twice) {
		struct p256_fe other = p256_fe_carry(
			p256_fe_add_raw(g->r, p256_fe_broadcast(p256_n))); /* < p where it counts */

		rzz = p256_fe_mul_raw(p256_fe_to_montgomery(other), zz);
		equal |= twice & p256_fe_is_zero(p256_fe_add_p(p256_fe_sub_raw(sum.x, rzz), 2));
	}
	return equal;
}

/* The lanes whose bit of k is set, k canonical. */
static __mmask8 bit_of(struct p256_fe k, unsigned int bit)
{
	return _mm512_test_epi64_mask(k.l[bit / 52], _mm512_set1_epi64(1LL << bit % 52));
}

/* u1 G + u2 Q by additions that are right for every pair of points, one bit at a time: for groups
 * in which a sum met a point equal to it, which takes a signer who knows the discrete logarithm of
 * Q and wishes it. Some three times as slow as an unknown key. */
static struct p256_jacobian add_completely(const struct p256_verify_group *g)
{
	const uint8_t *keys[P256_LANES] = {p256_generator, p256_generator, p256_generator,
					   p256_generator, p256_generator, p256_generator,
					   p256_generator, p256_generator};
	__mmask8 bad;
	struct p256_affine base = p256_keys_load(keys, &bad);
	struct p256_jacobian generator = {base.x, base.y, p256_fe_one()};
	struct p256_jacobian q = {g->q.x, g->q.y, p256_fe_one()};
	struct p256_jacobian both = p256_point_add_complete(generator, q);
	struct p256_jacobian infinity = {p256_fe_one(), p256_fe_one(), p256_fe_zero()};
	struct p256_jacobian sum = infinity;

	for (unsigned int bit = 256; bit-- > 0;) {
		__mmask8 in_u1 = bit_of(g->u1, bit), in_u2 = bit_of(g->u2, bit);
		struct p256_jacobian a = p256_point_select(in_u1, infinity, generator);

		a = p256_point_select(in_u2, a, q);
		a = p256_point_select(in_u1 & in_u2, a, both);
		sum = p256_point_add_complete(p256_point_double(sum), a);
	}
	return sum;
}

/* Decides and writes the outcomes. q of the group must be loaded only when Z came out as 0. */
static void conclude(struct p256_verify_group *g, struct p256_jacobian sum)
{
	__mmask8 zero = p256_fe_is_zero(sum.z), good;

	if (zero) {
		sum = p256_point_select(zero, sum, add_completely(g));
		zero = p256_fe_is_zero(sum.z); /* now it is infinity, which has no x-coordinate */
	}
	good = matches(g, sum) & ~zero & ~g->bad_signature;
	for (int lane = 0; lane < P256_LANES; lane++)
		if (g->op[lane])
			g->op[lane]->status = g->bad_key >> lane & 1 ? P256_BAD_KEY
					      : good >> lane & 1     ? P256_OK
								     : P256_BAD_SIGNATURE;
}

static void same_table(const struct p256_table *tables[P256_LANES], const struct p256_table *table)
{
	for (int lane = 0; lane < P256_LANES; lane++)
		tables[lane] = table;
}

static void verify_with_keys(struct p256 *c, struct p256_verify_group *groups, unsigned int n)
{
	const struct p256_table *generator[P256_LANES];
	struct p256_fe all = p256_fe_one();

	same_table(generator, c->generator);
	for (unsigned int i = 0; i < n; i++) {
		struct p256_verify_group *g = &groups[i];

		load_keys(g);
		g->z = p256_odd_multiples(c->work[i].multiples.point, c->work[i].multiples.h,
					  KEY_MULTIPLES,
					  (struct p256_jacobian){g->q.x, g->q.y, p256_fe_one()});
		g->product = all;
		all = p256_fe_mul(all, g->z);
	}
	all = p256_fe_invert(all);
	for (unsigned int i = n; i-- > 0;) {
		struct p256_verify_group *g = &groups[i];

		struct p256_fe z_inverse = p256_fe_mul(all, g->product);

		all = p256_fe_mul(all, g->z);
		conclude(g, add_from_tables(multiply_key(g, &c->work[i].multiples, z_inverse),
					    false, generator, g->u1));
	}
}

/* ---------------------------------------------------------------- a key that is met twice */

/* These two are out of line: in loops of a few turns each, one after the other, their bodies cost a
 * fifth more in line than they do here (measured, gcc 12, Zen 5). */
static __attribute__((noinline)) void double_times(struct p256_jacobian *sum, int n)
{
	for (int i = 0; i < n; i++)
		*sum = p256_point_double(*sum);
}

static __attribute__((noinline)) void add_entries(struct p256_jacobian *sum,
						  const struct p256_entry *const entry[P256_LANES],
						  __mmask8 negative)
{
	*sum = p256_point_add_affine(*sum, p256_entries_load(entry), negative);
}

/* Q, 2^64 Q, 2^128 Q, 2^192 Q. */
static void split_bases(const struct p256_verify_group *g, struct p256_jacobian base[SPLIT_BASES])
{
	base[0] = (struct p256_jacobian){g->q.x, g->q.y, p256_fe_one()};
	for (int j = 1; j < SPLIT_BASES; j++) {
		base[j] = base[j - 1];
		double_times(&base[j], SPLIT_WINDOW * SPLIT_WINDOWS);
	}
}

/* The lanes' multiples; those of the first operation where there is none. */
static void entries_of(const struct p256_verify_group *g, bool first,
		       const struct p256_entry *entries[P256_LANES])
{
	for (int lane = 0; lane < P256_LANES; lane++) {
		const struct p256_verify *op = g->op[lane] ? g->op[lane] : g->op[0];

		entries[lane] =
			(const struct p256_entry *)(first ? op->multiples_out : op->multiples)->w;
	}
}

/* k Q by the digits of k in four runs of 16: 60 doublings and 63 additions. */
static struct p256_jacobian multiply_split(struct p256_fe k,
					   const struct p256_entry *const entries[P256_LANES])
{
	const struct p256_entry *entry[P256_LANES];
	struct p256_jacobian sum = {p256_fe_one(), p256_fe_one(), p256_fe_zero()};
	struct digits d;

	expand(&d, k, SPLIT_WINDOW);
	for (int i = SPLIT_WINDOWS - 1; i >= 0; i--) {
		if (i < SPLIT_WINDOWS - 1)
			double_times(&sum, SPLIT_WINDOW);
		for (int j = SPLIT_BASES - 1; j >= 0; j--) {
			int digit = j * SPLIT_WINDOWS + i;

			for (int lane = 0; lane < P256_LANES; lane++)
				entry[lane] =
					entries[lane] + j * SPLIT_MULTIPLES + d.index[digit][lane];
			if (digit == SPLIT_BASES * SPLIT_WINDOWS - 1)
				sum = start_from(p256_entries_load(entry), d.negative[digit]);
			else
				add_entries(&sum, entry, d.negative[digit]);
		}
	}
	return sum;
}

/* The multiples of one of the four points, affine, to where the operations want them. */
static void store_multiples(const struct p256_verify_group *g, const struct split *s, int j,
			    struct p256_fe z_inverse)
{
	struct p256_entry nowhere, *row[P256_LANES];

	for (unsigned int k = SPLIT_MULTIPLES; k-- > 0;) {
		for (int lane = 0; lane < P256_LANES; lane++)
			row[lane] =
				g->op[lane]
					? (struct p256_entry *)g->op[lane]->multiples_out->w[j][k]
					: &nowhere;
		p256_entries_store(row,
				   p256_odd_multiple_affine(s->point[j], s->h[j], k, &z_inverse));
	}
}

static void verify_first(struct p256 *c, struct p256_verify_group *groups, unsigned int n)
{
	const struct p256_table *generator[P256_LANES];
	const struct p256_entry *entries[P256_LANES];
	struct p256_fe all = p256_fe_one();

	same_table(generator, c->generator);
	for (unsigned int i = 0; i < n; i++) {
		struct p256_verify_group *g = &groups[i];
		struct split *s = &c->work[i].split;
		struct p256_jacobian base[SPLIT_BASES];

		load_keys(g);
		split_bases(g, base);
		for (int j = 0; j < SPLIT_BASES; j++) {
			s->z[j] =
				p256_odd_multiples(s->point[j], s->h[j], SPLIT_MULTIPLES, base[j]);
			s->product[j] = all;
			all = p256_fe_mul(all, s->z[j]);
		}
	}
	all = p256_fe_invert(all);
	for (unsigned int i = n; i-- > 0;) {
		struct p256_verify_group *g = &groups[i];
		struct split *s = &c->work[i].split;

		for (int j = SPLIT_BASES - 1; j >= 0; j--) {
			struct p256_fe z_inverse = p256_fe_mul(all, s->product[j]);

			all = p256_fe_mul(all, s->z[j]);
			store_multiples(g, s, j, z_inverse);
		}
		entries_of(g, true, entries);
		conclude(g,
			 add_from_tables(multiply_split(g->u2, entries), false, generator, g->u1));
	}
}

static void verify_second(struct p256 *c, struct p256_verify_group *groups, unsigned int n)
{
	const struct p256_table *generator[P256_LANES];
	const struct p256_entry *entries[P256_LANES];

	same_table(generator, c->generator);
	for (unsigned int i = 0; i < n; i++) {
		struct p256_verify_group *g = &groups[i];

		entries_of(g, false, entries);
		g->q = unpack(p256_entries_load(entries));
		conclude(g,
			 add_from_tables(multiply_split(g->u2, entries), false, generator, g->u1));
	}
}

/* ---------------------------------------------------------------- prepared keys */

static void verify_with_tables(struct p256 *c, struct p256_verify_group *groups, unsigned int n)
{
	const struct p256_table *generator[P256_LANES], *tables[P256_LANES];
	const struct p256_entry *first[P256_LANES];

	same_table(generator, c->generator);
	for (unsigned int i = 0; i < n; i++) {
		struct p256_verify_group *g = &groups[i];
		struct p256_jacobian sum = {p256_fe_one(), p256_fe_one(), p256_fe_zero()};

		for (int lane = 0; lane < P256_LANES; lane++) {
			tables[lane] = g->op[lane] ? g->op[lane]->table : g->op[0]->table;
			first[lane] = tables[lane]->entries;
		}
		sum = add_from_tables(sum, true, tables, g->u2);
		sum = add_from_tables(sum, false, generator, g->u1);
		g->q = unpack(p256_entries_load(first));
		conclude(g, sum);
	}
}

static unsigned int class_of(const struct p256_verify *op)
{
	if (op->table)
		return CLASS_TABLE + op->table->window;
	return op->multiples ? CLASS_SECOND : op->multiples_out ? CLASS_FIRST : CLASS_KEY;
}

/* Fills groups with the next operations of one class from *next on; returns how many groups. */
static unsigned int fill(struct p256 *c, struct p256_verify *ops, unsigned int n,
			 unsigned int class, unsigned int *next)
{
	unsigned int taken = 0;

	for (; *next < n && taken < c->groups_max * P256_LANES; ++*next)
		if (class_of(&ops[*next]) == class) {
			c->verify[taken / P256_LANES].op[taken % P256_LANES] = &ops[*next];
			taken++;
		}
	for (unsigned int lane = taken; lane % P256_LANES; lane++)
		c->verify[lane / P256_LANES].op[lane % P256_LANES] = NULL;
	return (taken + P256_LANES - 1) / P256_LANES;
}

/* At most VERIFY_CHUNK groups. */
static void verify_chunk(struct p256 *c, unsigned int class, struct p256_verify_group *groups,
			 unsigned int n)
{
	if (class == CLASS_KEY)
		verify_with_keys(c, groups, n);
	else if (class == CLASS_FIRST)
		verify_first(c, groups, n);
	else if (class == CLASS_SECOND)
		verify_second(c, groups, n);
	else
		verify_with_tables(c, groups, n);
}

void p256_verify_burst(struct p256 *c, struct p256_verify *ops, unsigned int n)
{
	uint32_t classes = 0;

	for (unsigned int i = 0; i < n; i++)
		classes |= 1U << class_of(&ops[i]);
	for (; classes; classes &= classes - 1) {
		unsigned int class = (unsigned int)__builtin_ctz(classes), next = 0, groups;

		while ((groups = fill(c, ops, n, class, &next)) > 0) {
			for (unsigned int i = 0; i < groups; i++)
				load(&c->verify[i]);
			scalars(c->verify, groups);
			for (unsigned int i = 0; i < groups; i += VERIFY_CHUNK)
				verify_chunk(c, class, &c->verify[i],
					     groups - i < VERIFY_CHUNK ? groups - i : VERIFY_CHUNK);
		}
	}
}
