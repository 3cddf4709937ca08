/* SPDX-License-Identifier: BSD-3-Clause */
#include "hist/hist.h"

/* Values below HIST_STEPS have a bucket each; above, bucket = steps * (exponent - step bits + 1)
 * + leading bits. */
static unsigned int bucket_of(uint64_t value)
{
	if (value < HIST_STEPS)
		return (unsigned int)value;
	unsigned int shift = 63 - (unsigned int)__builtin_clzll(value) - HIST_STEP_BITS;
	unsigned int bucket =
		HIST_STEPS * (shift + 1) + (unsigned int)((value >> shift) - HIST_STEPS);

	return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
}

static uint64_t end_of(unsigned int bucket)
{
	if (bucket < HIST_STEPS)
		return bucket;
	unsigned int shift = bucket / HIST_STEPS - 1;

	return ((uint64_t)(bucket % HIST_STEPS + HIST_STEPS + 1) << shift) - 1;
}

void hist_add(struct hist *h, uint64_t value)
{
	h->buckets[bucket_of(value)]++;
	h->count++;
	if (value > h->max)
		h->max = value;
}

void hist_merge(struct hist *into, const struct hist *from)
{
	for (unsigned int i = 0; i < HIST_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
	into->count += from->count;
	if (from->max > into->max)
		into->max = from->max;
}

uint64_t hist_quantile(const struct hist *h, double share)
{
	double rank = share * (double)h->count;
	uint64_t wanted = (uint64_t)rank, seen = 0;

	/* A fraction of a value is one more, unless it is the rounding of the product. */
	if (rank - (double)wanted > rank * 1e-12)
		wanted++;
	if (wanted < 1)
		wanted = 1;
	for (unsigned int i = 0; i < HIST_BUCKETS && h->count > 0; i++) {
		seen += h->buckets[i];
		if (seen >= wanted)
			return end_of(i) < h->max ? end_of(i) : h->max;
	}
	return h->max;
}
