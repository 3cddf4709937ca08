/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What tests of lib/p256's inner levels call, compiled for AVX-512 apart from the tests themselves,
 * which must be able to say that they are skipped. Numbers are five limbs of 52 bits, of eight
 * lanes: limb i of lane j is at [8 i + j].
 */
#ifndef CPAU_TEST_P256_LANES_H
#define CPAU_TEST_P256_LANES_H

#include <stdint.h>

typedef uint64_t lanes[40];
typedef uint64_t lane_points[3 * 40]; /* X, Y, Z */

void lanes_mul(const lanes a, const lanes b, lanes out);
void lanes_sqr(const lanes a, lanes out);
void lanes_mul_difference(const lanes a, const lanes b, const lanes c, const lanes d, lanes out);
void lanes_fold(const lanes a, lanes out);
void lanes_three_halves(const lanes a, lanes out);
void lanes_canonical(const lanes a, lanes out);
uint8_t lanes_is_zero(const lanes a);
void lanes_invert(const lanes a, lanes out);
void lanes_to_octets(const lanes a, uint8_t out[8][32]);
void lanes_from_octets(const uint8_t in[8][32], lanes out);

void lanes_scalar_mul(const lanes a, const lanes b, lanes out);
void lanes_scalar_invert(const lanes a, lanes out);
void lanes_scalar_canonical(const lanes a, lanes out);
/* Digit i of the odd one of k and n - k, and whether that is n - k. */
void lanes_scalar_digits(const lanes k, unsigned int w, unsigned int i, int digit[8],
			 uint8_t *negated);

void lanes_double(const lane_points a, lane_points out);
void lanes_add_affine(const lane_points a, const lane_points b, uint8_t negative, lane_points out);

#endif
