/* SPDX-License-Identifier: BSD-3-Clause
 *
 * sha256_pair: SHA-256 (FIPS 180-4) of two messages side by side, for the key schedule. A processor
 * with SHA instructions can begin a round every second cycle and has its result after four: two
 * chains take the time of one. Whole blocks only; padding is the caller's. Constant time.
 */
#ifndef CPAU_SEC_SHA256_PAIR_H
#define CPAU_SEC_SHA256_PAIR_H

#include "base/base.h"

enum { SHA256_BLOCK = 64, SHA256_WORDS = 8 };

/* The states of two messages. */
struct sha256_pair {
	uint32_t h[2][SHA256_WORDS];
};

void sha256_pair_init(struct sha256_pair *p);
/* One block more of each. */
void sha256_pair_add(struct sha256_pair *p, const uint8_t *first, const uint8_t *second,
		     bool sha_ni);
/* The digests of both. */
void sha256_pair_digests(const struct sha256_pair *p, uint8_t *first, uint8_t *second, bool sha_ni);

#endif
