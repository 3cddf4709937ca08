/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the operations of lib/p256 share: the context, tables, checked keys, multiples of a key.
 */
#ifndef CPAU_P256_INTERNAL_H
#define CPAU_P256_INTERNAL_H

#include "p256/p256.h"
#include "p256/p256_point.h"

enum {
	GENERATOR_WINDOW = 8, /* for verification: 32 additions */
	SECRET_WINDOW = 7,    /* for key pairs and signatures: 36 additions */
	SECRET_WINDOWS = 37,  /* ceil(256 / 7) */
	KEY_WINDOW = 5,	      /* for a key met for the first time: 51 additions */
	KEY_WINDOWS = 52,     /* ceil(256 / 5) */
	KEY_MULTIPLES = 16,   /* 1, 3, ... 31 */
	SPLIT_BASES = 4,      /* Q, 2^64 Q, 2^128 Q, 2^192 Q */
	SPLIT_WINDOW = 4,     /* for each: 16 additions, and 60 doublings for all */
	SPLIT_WINDOWS = 16,   /* 64 / 4 */
	SPLIT_MULTIPLES = 8,  /* 1, 3, ... 15 */
	VERIFY_CHUNK = 8,     /* groups whose multiples are made, and inverted, together */
	WINDOWS_MAX = SPLIT_BASES * SPLIT_WINDOWS,
};

/* entries[2^(window-1) i + j] = (2 j + 1) 2^(window i) Q */
struct p256_table {
	_Alignas(64) unsigned int window;
	unsigned int windows;
	struct p256_entry entries[];
};

/* One window of the generator's multiples, (2 j + 1) 2^(7 i) G for j in [0, 64), arranged for
 * selection in registers: word w of entry j is w[w][j]. */
struct p256_select_row {
	_Alignas(64) uint64_t w[8][64];
};

/* Q, 3 Q, ... 31 Q of eight lanes, as p256_odd_multiples makes them. */
struct p256_odd_multiples {
	struct p256_affine point[KEY_MULTIPLES];
	struct p256_fe h[KEY_MULTIPLES];
};

struct p256_verify_group;
union p256_verify_work;
struct p256_secret_group;

struct p256 {
	unsigned int groups_max;
	struct p256_table *generator;
	struct p256_select_row *select; /* SECRET_WINDOWS of them */
	/* Scratch, one for each group of eight operations: the same memory for both. */
	struct p256_verify_group *verify;
	struct p256_secret_group *secret;
	size_t scratch_size;
	union p256_verify_work *work; /* of the groups of one chunk; public */
};

size_t p256_verify_group_size(void);
size_t p256_verify_work_size(void);
size_t p256_secret_group_size(void);

extern const uint8_t p256_generator[P256_POINT_SIZE];

/* Reads eight public keys -> packed, Montgomery form, canonical; the lanes in which a coordinate is
 * >= p or the point is not on the curve are set in *bad and hold the generator. Constant time. */
struct p256_affine p256_keys_load(const uint8_t *const keys[P256_LANES], __mmask8 *bad);

/* The first n odd multiples of q (not infinity), X < 1.2 p, Y < 4.8 p, and what leads from one's Z
 * to the next one's, h < 3.3 p: Z[1] = Y Z h[1] with q's Y and Z, then Z[j] = Z[j-1] h[j]. Returns
 * the last one's Z. Exact for every point of the curve: its order is prime and above 2 n. 1
 * doubling (4 M + 5 S) and n - 1 co-Z additions (5 M + 2 S). Constant time. */
struct p256_fe p256_odd_multiples(struct p256_affine *point, struct p256_fe *h, unsigned int n,
				  struct p256_jacobian q);
/* Point j of them affine, X < 1.1 p, Y < 1.4 p, given 1 / Z of it, which becomes 1 / Z of point j
 * - 1. From the last to the first. 4 M + 1 S. */
P256_INLINE struct p256_affine p256_odd_multiple_affine(const struct p256_affine *point,
							const struct p256_fe *h, unsigned int j,
							struct p256_fe *z_inverse)
{
	struct p256_fe zz = p256_fe_sqr(*z_inverse);
	struct p256_fe_pair t = p256_wide_reduce_raw_pair(p256_wide_mul(zz, *z_inverse),
							  p256_wide_mul(point[j].x, zz));
	struct p256_fe x = p256_fe_carry(t.b);

	t = p256_wide_reduce_raw_pair(p256_wide_mul(point[j].y, p256_fe_carry(t.a)),
				      p256_wide_mul(*z_inverse, h[j]));
	*z_inverse = p256_fe_carry(t.b);
	/* The first sum's points had Z = Y Z of the start. */
	if (j == 1)
		*z_inverse = p256_fe_mul(*z_inverse, point[0].y);
	return (struct p256_affine){x, p256_fe_carry(t.a)};
}

/* X / Z^2, Y / Z^3 given 1 / Z. 3 M + 1 S. */
P256_INLINE struct p256_affine p256_point_affine(struct p256_jacobian a, struct p256_fe z_inverse)
{
	struct p256_fe zz = p256_fe_sqr(z_inverse);

	return (struct p256_affine){p256_fe_mul(a.x, zz),
				    p256_fe_mul(a.y, p256_fe_mul(zz, z_inverse))};
}

#endif
