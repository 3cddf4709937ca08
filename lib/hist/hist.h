/* SPDX-License-Identifier: BSD-3-Clause
 *
 * hist: a log-linear histogram of 64-bit values. 128 linear steps to each power of two: a
 * percentile is at most 0.8% above the true value. Fixed size, no allocation; one writer.
 */
#ifndef CPAU_HIST_H
#define CPAU_HIST_H

#include <stdint.h>

enum { HIST_STEP_BITS = 7, HIST_STEPS = 1 << HIST_STEP_BITS, HIST_BUCKETS = HIST_STEPS * 60 };

struct hist {
	uint64_t count, max;
	uint64_t buckets[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t value);
void hist_merge(struct hist *into, const struct hist *from);
/* The value that at least this share (0 to 1) of all values does not exceed, rounded up to its
 * bucket's end and never above the maximum; 0 when empty. */
uint64_t hist_quantile(const struct hist *h, double share);

#endif
