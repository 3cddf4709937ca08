/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "hist/hist.h"

Test(hist, an_empty_histogram_has_no_quantiles)
{
	static struct hist h;

	cr_assert_eq(hist_quantile(&h, 0.5), 0);
	cr_assert_eq(hist_quantile(&h, 1), 0);
}

Test(hist, small_values_are_exact)
{
	static struct hist h;

	for (uint64_t v = 0; v < HIST_STEPS; v++)
		hist_add(&h, v);
	cr_assert_eq(hist_quantile(&h, 0), 0);
	cr_assert_eq(hist_quantile(&h, 0.5), HIST_STEPS / 2 - 1);
	cr_assert_eq(hist_quantile(&h, 1), HIST_STEPS - 1);
}

Test(hist, a_quantile_is_never_below_the_value_and_at_most_one_step_above)
{
	for (unsigned int bit = 6; bit < 64; bit++)
		for (int offset = -1; offset <= 1; offset++) {
			struct hist h = {0};
			uint64_t v = (UINT64_C(1) << bit) + (uint64_t)(int64_t)offset;

			hist_add(&h, v);
			hist_add(&h, UINT64_MAX);
			uint64_t q = hist_quantile(&h, 0.5);

			cr_assert_geq(q, v);
			cr_assert_leq(q - v, v / HIST_STEPS + 1, "2^%u%+d: %lu", bit, offset, q);
		}
}

Test(hist, a_share_of_few_values_is_covered_by_its_quantile)
{
	static struct hist h;

	for (uint64_t v = 1; v <= 10; v++)
		hist_add(&h, v);
	cr_assert_eq(hist_quantile(&h, 0.9), 9);
	cr_assert_eq(hist_quantile(&h, 0.99), 10);
	cr_assert_eq(hist_quantile(&h, 0.999), 10);
}

Test(hist, no_quantile_is_above_the_maximum)
{
	static struct hist h;

	hist_add(&h, 1000003);
	cr_assert_eq(hist_quantile(&h, 0.5), 1000003);
	cr_assert_eq(hist_quantile(&h, 1), 1000003);
}

Test(hist, quantiles_of_a_uniform_run_are_where_they_belong)
{
	static struct hist h;

	for (uint64_t v = 1; v <= 100000; v++)
		hist_add(&h, v);
	cr_assert_float_eq((double)hist_quantile(&h, 0.5), 50000, 50000.0 / HIST_STEPS + 1);
	cr_assert_float_eq((double)hist_quantile(&h, 0.99), 99000, 99000.0 / HIST_STEPS + 1);
	cr_assert_eq(hist_quantile(&h, 1), 100000);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

Test(hist, quantiles_of_random_values_are_within_one_percent_of_the_sorted_ones)
{
	enum { N = 20000 };
	static const double shares[] = {0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1};
	static uint64_t values[N];
	static struct hist h;
	uint64_t x = UINT64_C(0x2545f4914f6cdd1d);

	for (unsigned int i = 0; i < N; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		/* Every magnitude alike. */
		values[i] = x >> (x & 63);
		hist_add(&h, values[i]);
	}
	qsort(values, N, sizeof(values[0]), compare);
	for (unsigned int i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		uint64_t truth = values[(unsigned int)(shares[i] * N) - 1];
		uint64_t q = hist_quantile(&h, shares[i]);

		cr_expect_geq(q, truth, "share %g", shares[i]);
		cr_expect_leq(q - truth, truth / 100, "share %g: %lu for %lu", shares[i], q, truth);
	}
}

Test(hist, merging_is_adding)
{
	static struct hist a, b, both;

	for (uint64_t v = 0; v < 5000; v++) {
		hist_add(v % 3 ? &a : &b, v * v);
		hist_add(&both, v * v);
	}
	hist_merge(&a, &b);
	cr_assert_eq(memcmp(&a, &both, sizeof(a)), 0);
}
