/* SPDX-License-Identifier: BSD-3-Clause
 *
 * timing: a clock, and what is said of the values that many rounds gave.
 */
#ifndef CPAU_BENCH_TIMING_H
#define CPAU_BENCH_TIMING_H

double timing_now_us(void);

/* The median; sorts the values. */
double timing_median(double *values, unsigned int n);
/* Of values that are sorted: the one below which this share of them lies. */
double timing_quantile(const double *sorted, unsigned int n, double share);

#endif
