/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lib/p256's inner levels as functions of arrays, for test_p256_field.c.
 */
#include "test_p256_lanes.h"

#include "p256/p256_point.h"

static struct p256_fe get(const uint64_t *a)
{
	return (struct p256_fe){{_mm512_loadu_si512(a), _mm512_loadu_si512(a + 8),
				 _mm512_loadu_si512(a + 16), _mm512_loadu_si512(a + 24),
				 _mm512_loadu_si512(a + 32)}};
}

static void put(struct p256_fe a, uint64_t *out)
{
	for (int i = 0; i < 5; i++)
		_mm512_storeu_si512(out + 8 * i, a.l[i]);
}

void lanes_mul(const lanes a, const lanes b, lanes out)
{
	put(p256_fe_mul(get(a), get(b)), out);
}

void lanes_sqr(const lanes a, lanes out)
{
	put(p256_fe_sqr(get(a)), out);
}

void lanes_mul_difference(const lanes a, const lanes b, const lanes c, const lanes d, lanes out)
{
	struct p256_wide t =
		p256_wide_sub(p256_wide_mul(get(a), get(b)), p256_wide_mul(get(c), get(d)));

	put(p256_fe_carry(p256_fe_add_p(p256_wide_reduce_raw(t), 2)), out);
}

void lanes_fold(const lanes a, lanes out)
{
	put(p256_fe_fold(get(a)), out);
}

void lanes_three_halves(const lanes a, lanes out)
{
	put(p256_fe_three_halves(get(a)), out);
}

void lanes_canonical(const lanes a, lanes out)
{
	put(p256_fe_canonical(get(a)), out);
}

uint8_t lanes_is_zero(const lanes a)
{
	return p256_fe_is_zero(get(a));
}

void lanes_invert(const lanes a, lanes out)
{
	put(p256_fe_invert(get(a)), out);
}

void lanes_to_octets(const lanes a, uint8_t out[8][32])
{
	uint8_t *p[8] = {out[0], out[1], out[2], out[3], out[4], out[5], out[6], out[7]};

	p256_words_store(p, p256_words_from_fe(p256_fe_from_montgomery(get(a))));
}

void lanes_from_octets(const uint8_t in[8][32], lanes out)
{
	const uint8_t *p[8] = {in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7]};

	put(p256_fe_to_montgomery(p256_fe_from_words(p256_words_load(p))), out);
}

void lanes_scalar_mul(const lanes a, const lanes b, lanes out)
{
	put(p256_scalar_mul(get(a), get(b)), out);
}

void lanes_scalar_invert(const lanes a, lanes out)
{
	put(p256_scalar_invert(get(a)), out);
}

void lanes_scalar_canonical(const lanes a, lanes out)
{
	put(p256_scalar_canonical(get(a)), out);
}

void lanes_scalar_digits(const lanes k, unsigned int w, unsigned int i, int digit[8],
			 uint8_t *negated)
{
	struct p256_odd_scalar odd = p256_scalar_odd(get(k));
	struct p256_digits d = p256_scalar_digits(&odd, w, i);
	uint64_t index[8];

	_mm512_storeu_si512(index, d.index);
	for (int lane = 0; lane < 8; lane++)
		digit[lane] = (int)(2 * index[lane] + 1) * (d.negative >> lane & 1 ? -1 : 1);
	*negated = odd.negated;
}

static struct p256_jacobian get_point(const uint64_t *a)
{
	return (struct p256_jacobian){get(a), get(a + 40), get(a + 80)};
}

static void put_point(struct p256_jacobian a, uint64_t *out)
{
	put(a.x, out);
	put(a.y, out + 40);
	put(a.z, out + 80);
}

void lanes_double(const lane_points a, lane_points out)
{
	put_point(p256_point_double(get_point(a)), out);
}

void lanes_add_affine(const lane_points a, const lane_points b, uint8_t negative, lane_points out)
{
	put_point(p256_point_add_affine(get_point(a), (struct p256_affine){get(b), get(b + 40)},
					negative),
		  out);
}
