/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Multiples of points: a key's tables for good, and the odd multiples of a key met once. The lanes
 * are windows here, eight at a time.
 */
#include <stdlib.h>

#include "p256/p256_internal.h"

enum { CHUNK = 16 }; /* points that share one inversion */

const uint8_t p256_generator[P256_POINT_SIZE] = {
	0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63,
	0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1,
	0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f,
	0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57,
	0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};

static const uint64_t p_limbs[5] = {0xfffffffffffff, 0x00fffffffffff, 0, 0x1000000000,
				    0xffffffff0000};
static const uint64_t b_montgomery[5] = {0xdf6229c4bddfd, 0xca8843090d89c, 0x212ed6acf005c,
					 0x83415a220abf7, 0xc30061dd4874};

struct p256_affine p256_keys_load(const uint8_t *const keys[P256_LANES], __mmask8 *bad)
{
	static const uint64_t g_x[5] = {0x30d418a9143c1, 0xc4fedb60179e7, 0x62251075ba95f,
					0x5c669fb732b77, 0x8905f76b5375},
			      g_y[5] = {0x5357ce95560a8, 0x43a19e45cddf2, 0x21f3258b4ab8e,
					0xd8552e88688dd, 0x571ff18a5885};
	const uint8_t *y_octets[P256_LANES];

	for (int lane = 0; lane < P256_LANES; lane++)
		y_octets[lane] = keys[lane] + 32;
	struct p256_fe x = p256_fe_from_words(p256_words_load(keys));
	struct p256_fe y = p256_fe_from_words(p256_words_load(y_octets));
	struct p256_fe p = p256_fe_broadcast(p_limbs);
	__mmask8 in_range = p256_limbs_are_below(x, p) & p256_limbs_are_below(y, p);

	x = p256_fe_to_montgomery(x);
	y = p256_fe_to_montgomery(y);
	/* x (x^2 - 3) + b - y^2; x^2 < 1.1 */
	struct p256_fe one = p256_fe_one();
	struct p256_fe slope = p256_fe_carry(
		p256_fe_add_p(p256_fe_sub_raw(p256_fe_sqr_raw(x),
					      p256_fe_add_raw(one, p256_fe_add_raw(one, one))),
			      3)); /* < 4.1 */
	struct p256_fe difference = p256_fe_sub_raw(
		p256_fe_add_raw(p256_fe_mul_raw(x, slope), p256_fe_broadcast(b_montgomery)),
		p256_fe_sqr_raw(y));

	*bad = (__mmask8) ~(in_range & p256_fe_is_zero(p256_fe_add_p(difference, 2)));
	return (struct p256_affine){
		p256_fe_select(*bad, p256_fe_canonical(x), p256_fe_broadcast(g_x)),
		p256_fe_select(*bad, p256_fe_canonical(y), p256_fe_broadcast(g_y))};
}

struct p256_fe p256_odd_multiples(struct p256_affine *point, struct p256_fe *h, unsigned int n,
				  struct p256_jacobian q)
{
	/* 2 Q as in p256_point_double, and Q with the same Z: (X Y^2, Y^4, Y Z). */
	struct p256_fe delta = p256_fe_sqr_raw(q.z); /* 1.11 */
	struct p256_fe gamma = p256_fe_sqr(q.y);     /* 1.64 */
	struct p256_fe minus =
		p256_fe_carry(p256_fe_add_p(p256_fe_sub_raw(q.x, delta), 2));	 /* 3.1 */
	struct p256_fe plus = p256_fe_three_halves(p256_fe_add_raw(q.x, delta)); /* 3.82 */
	struct p256_fe slope = p256_fe_mul(minus, plus);			 /* 1.75 */
	struct p256_fe beta = p256_fe_mul(q.x, gamma);				 /* 1.12 */
	struct p256_fe x1 = p256_fe_fold(p256_fe_add_p(
		p256_fe_sub_raw(p256_fe_sqr_raw(slope), p256_fe_add_raw(beta, beta)), 3));
	struct p256_fe y = p256_fe_sqr(gamma); /* 1.17 */
	struct p256_fe y1 = p256_fe_carry(p256_fe_add_p(
		p256_fe_sub_raw(p256_fe_mul_raw(slope, p256_fe_carry(p256_fe_add_p(
							       p256_fe_sub_raw(beta, x1), 2))),
				y),
		2)); /* 3.4 */
	struct p256_fe x = beta, z = p256_fe_mul(q.y, q.z);

	point[0] = (struct p256_affine){q.x, q.y};
	h[0] = p256_fe_one();
	/* (x, y) is the odd multiple at hand, (x1, y1) is 2 Q, both with the same Z: x, x1 < 1.2,
	 * y, y1 < 4.5. Each sum moves 2 Q to the sum's Z (Meloni's co-Z addition). */
	for (unsigned int j = 1; j < n; j++) {
		h[j] = p256_fe_carry(p256_fe_add_p(p256_fe_sub_raw(x1, x), 2)); /* 3.2 */
		struct p256_fe dy =
			p256_fe_carry(p256_fe_add_p(p256_fe_sub_raw(y1, y), 5)); /* 8.4, then 6.7 */
		struct p256_fe_pair t =
			p256_wide_reduce_raw_pair(p256_wide_sqr(h[j]), p256_wide_sqr(dy));
		struct p256_fe hh = p256_fe_carry(t.a), square = t.b; /* 1.7, 5.5 */

		t = p256_wide_reduce_raw_pair(p256_wide_mul(x1, hh), p256_wide_mul(x, hh));
		x1 = p256_fe_carry(t.a); /* 1.2 */
		x = p256_fe_carry(t.b);	 /* 1.2 */
		struct p256_fe hhh =
			p256_fe_carry(p256_fe_add_p(p256_fe_sub_raw(x1, x), 2)); /* 3.2 */
		struct p256_fe x3 = p256_fe_fold(
			p256_fe_add_p(p256_fe_sub_raw(square, p256_fe_add_raw(x1, x)), 3));

		t = p256_wide_reduce_raw_pair(p256_wide_mul(y1, hhh), p256_wide_mul(z, h[j]));
		y1 = p256_fe_carry(t.a); /* 1.9 */
		z = p256_fe_carry(t.b);
		y = p256_fe_carry(p256_fe_add_p(
			p256_fe_sub_raw(p256_fe_mul_raw(dy, p256_fe_carry(p256_fe_add_p(
								    p256_fe_sub_raw(x1, x3), 2))),
					y1),
			2)); /* 4.7, then 4.4 */
		x = x3;
		point[j] = (struct p256_affine){x, y};
	}
	return z;
}

size_t p256_table_size(unsigned int window)
{
	if (window < P256_WINDOW_MIN || window > P256_WINDOW_MAX)
		return 0;
	return sizeof(struct p256_table) +
	       p256_windows(window) * (sizeof(struct p256_entry) << (window - 1));
}

/* Lane by lane, one of windows' points: their starts. */
static struct p256_jacobian lanes_from(const struct p256_jacobian *points, unsigned int first,
				       unsigned int n)
{
	struct p256_jacobian out = points[first];

	for (unsigned int lane = 1; lane < P256_LANES && first + lane < n; lane++)
		out = p256_point_select((__mmask8)(1 << lane), out, points[first + lane]);
	return out;
}

/* The window's multiples of eight windows' starts: B, 3 B, 5 B, ... by adding 2 B. No sum is of
 * equal points, since no odd multiple below 2^window is 2 B or -2 B. */
static void build_windows(struct p256_table *table, struct p256_jacobian start, unsigned int first)
{
	struct p256_jacobian sum[CHUNK], twice = p256_point_double(start);
	struct p256_fe product[CHUNK];
	struct p256_entry dummy, *row[P256_LANES];
	struct p256_affine base = p256_point_affine(start, p256_fe_invert(start.z));
	struct p256_affine step = p256_point_affine(twice, p256_fe_invert(twice.z));
	unsigned int multiples = 1U << (table->window - 1);

	for (unsigned int j = 0; j < multiples; j += CHUNK) {
		struct p256_fe all = p256_fe_one();

		for (int i = 0; i < CHUNK; i++) {
			if (i == 0)
				sum[0] = (struct p256_jacobian){base.x, base.y, p256_fe_one()};
			else
				sum[i] = p256_point_add_affine(sum[i - 1], step, 0);
			product[i] = all;
			all = p256_fe_mul(all, sum[i].z);
		}
		struct p256_jacobian after = p256_point_add_affine(sum[CHUNK - 1], step, 0);

		all = p256_fe_invert(p256_fe_mul(all, after.z));
		base = p256_point_affine(
			after, p256_fe_mul(all, p256_fe_mul(product[CHUNK - 1], sum[CHUNK - 1].z)));
		all = p256_fe_mul(all, after.z);
		for (unsigned int i = CHUNK; i-- > 0;) {
			struct p256_affine affine =
				p256_point_affine(sum[i], p256_fe_mul(all, product[i]));

			all = p256_fe_mul(all, sum[i].z);
			for (unsigned int lane = 0; lane < P256_LANES; lane++)
				row[lane] = first + lane < table->windows
						    ? &table->entries[(first + lane) * multiples +
								      j + i]
						    : &dummy;
			p256_entries_store(row, affine);
		}
	}
}

enum p256_status p256_table_build(unsigned int window, const uint8_t public_key[P256_POINT_SIZE],
				  void *memory, const struct p256_table **table)
{
	struct p256_table *t = memory;
	const uint8_t *keys[P256_LANES] = {public_key, public_key, public_key, public_key,
					   public_key, public_key, public_key, public_key};
	struct p256_jacobian starts[WINDOWS_MAX];
	__mmask8 bad;
	struct p256_affine q = p256_keys_load(keys, &bad);

	*table = NULL;
	if (bad)
		return P256_BAD_KEY;
	t->window = window;
	t->windows = p256_windows(window);
	starts[0] = (struct p256_jacobian){q.x, q.y, p256_fe_one()};
	for (unsigned int i = 1; i < t->windows; i++) {
		starts[i] = starts[i - 1];
		for (unsigned int j = 0; j < window; j++)
			starts[i] = p256_point_double(starts[i]);
	}
	for (unsigned int i = 0; i < t->windows; i += P256_LANES)
		build_windows(t, lanes_from(starts, i, t->windows), i);
	*table = t;
	return P256_OK;
}

enum p256_status p256_table_create(unsigned int window, const uint8_t public_key[P256_POINT_SIZE],
				   struct p256_table **table)
{
	size_t size = p256_table_size(window);
	const struct p256_table *built;
	enum p256_status status;

	*table = size ? aligned_alloc(64, size) : NULL;
	if (!*table)
		return P256_OK;
	status = p256_table_build(window, public_key, *table, &built);
	if (status != P256_OK) {
		free(*table);
		*table = NULL;
	}
	return status;
}

void p256_table_destroy(struct p256_table *table)
{
	free(table);
}
