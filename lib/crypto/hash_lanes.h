/* SPDX-License-Identifier: BSD-3-Clause
 *
 * hash_lanes: SHA-256 (FIPS 180-4) of many messages side by side, by intel-ipsec-mb's job manager.
 * One thread; nothing is allocated after creation.
 */
#ifndef CPAU_CRYPTO_HASH_LANES_H
#define CPAU_CRYPTO_HASH_LANES_H

#include "crypto/crypto.h"

struct hash_lanes;
struct hash_lanes *hash_lanes_create(void);    /* NULL: out of memory, or not on this processor */
void hash_lanes_destroy(struct hash_lanes *h); /* NULL is allowed */
/* The digest is written by hash_lanes_finish at the latest. */
void hash_lanes_add(struct hash_lanes *h, struct crypto_hash *op);
void hash_lanes_finish(struct hash_lanes *h);

#endif
