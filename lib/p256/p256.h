/* SPDX-License-Identifier: BSD-3-Clause
 *
 * p256: ECDSA, key pairs and ECDH on NIST P-256 (FIPS 186-4 D.1.2.3), eight operations at a time,
 * for machines with AVX-512 IFMA (p256_available). It owns the arithmetic and its tables; it draws
 * no random numbers, hashes nothing, and knows neither certificates nor messages.
 *
 * A call takes an array of operations and a count of any size. Work is done in groups of eight, and
 * inversions are shared by max_batch operations of one call, so bursts of 64 cost far less an
 * operation than single ones, and one operation costs as much as eight. Every operation has its own
 * status; a bad one never changes the outcome of its neighbours.
 *
 * Points are 64 octets, X || Y, big-endian. Scalars, digests and x-coordinates are 32 octets,
 * big-endian. Signatures are raw r || s (BSI TR-03111 clause 5.2.1).
 *
 * A struct p256 belongs to one thread at a time; struct p256_table is immutable once built and may
 * be read by every thread. Nothing is allocated after creation. Nothing here may be called where
 * p256_available() is false.
 */
#ifndef CPAU_P256_H
#define CPAU_P256_H

#include "base/base.h"

enum {
	P256_POINT_SIZE = 64,
	P256_SCALAR_SIZE = 32,
	P256_DIGEST_SIZE = 32,
	P256_SIGNATURE_SIZE = 64,
	P256_RANDOM_SIZE = 48, /* 384 bits: reduced mod n they are uniform but for 2^-128 */
	P256_WINDOW_MIN = 5,
	P256_WINDOW_MAX = 10,
};

enum p256_status {
	P256_OK = 0,
	P256_BAD_SIGNATURE, /* r or s out of [1, n-1], or the equation does not hold */
	P256_BAD_KEY,	    /* coordinate >= p, point not on the curve, or scalar not in [1, n-1] */
	P256_STATUS_N,
};

/* May this machine run the rest of this module? Any thread. */
bool p256_available(void);

/* The generator's tables (404 KiB) and the memory for max_batch operations at once (1 to 1024; 64
 * is good; about 2 KiB an operation, and 250 KiB). Takes half a millisecond. NULL: no memory, or
 * bad max_batch. */
struct p256;
struct p256 *p256_create(unsigned int max_batch);
void p256_destroy(struct p256 *c); /* NULL is allowed */

/*
 * A public key prepared once for many verifications: 2^(window-1) multiples for each of the
 * ceil(256 / window) windows, affine, 64 octets each. Wider windows mean fewer additions (64 in all
 * at 8 bits, the generator's 32 included) until the table leaves the cache:
 *
 *	window	5	6	7	8	9	10
 *	KiB	52	86	148	256	464	832
 *
 * Building takes about 0.1 ms at 6 bits, 0.3 ms at 8. Not constant time: public data only.
 */
struct p256_table;
size_t p256_table_size(unsigned int window); /* octets; 0 for a window out of [5, 10] */
/* In the caller's memory, p256_table_size octets, 64-byte aligned; then *table is memory itself. On
 * P256_BAD_KEY *table is NULL. window must be in [5, 10]. */
enum p256_status p256_table_build(unsigned int window, const uint8_t public_key[P256_POINT_SIZE],
				  void *memory, const struct p256_table **table);
/* In memory of its own. P256_OK with *table == NULL: no memory, or bad window. */
enum p256_status p256_table_create(unsigned int window, const uint8_t public_key[P256_POINT_SIZE],
				   struct p256_table **table);
void p256_table_destroy(struct p256_table *table); /* only of p256_table_create; NULL is allowed */

/* What a first verification can leave for a second one with the same key: 1, 3, ... 15 times Q,
 * 2^64 Q, 2^128 Q and 2^192 Q, 2 KiB, opaque. No more trusted than the memory that it lies in: the
 * key is not looked at again. Whatever is in it, nothing but the outcome depends on it. */
struct p256_multiples {
	_Alignas(64) uint64_t w[4][8][8];
};

/* ECDSA verification (FIPS 186-4 6.4.2). Not constant time: everything that it sees is public. */
struct p256_verify {
	const struct p256_table *table;		/* prepared key, or NULL: use public_key */
	const uint8_t *public_key;		/* 64 octets, checked to be on the curve */
	const struct p256_multiples *multiples; /* of public_key, or NULL; not with table */
	struct p256_multiples *multiples_out;	/* NULL, or written unless P256_BAD_KEY */
	const uint8_t *digest;			/* 32 octets, reduced mod n */
	const uint8_t *signature;		/* 64 octets */
	enum p256_status status;		/* out */
};

/* A key pair. Constant time. With random: the private key is random mod n, P256_BAD_KEY in the case
 * (2^-256) that this is 0. Without: private_key is given, P256_BAD_KEY unless it is in [1, n-1].
 * On P256_BAD_KEY the outputs are zeroed. The caller wipes what is secret. */
struct p256_keypair {
	const uint8_t *random;	 /* 48 octets, uniformly random, or NULL */
	uint8_t *private_key;	 /* 32 octets, out with random, in without */
	uint8_t *public_key;	 /* out, 64 octets */
	enum p256_status status; /* out */
};

/* ECDSA signature (FIPS 186-4 6.4.1), constant time in key and nonce. The nonce is k = random mod n
 * and nothing else: random must be uniform, secret and never used twice, for a repeated or biased k
 * gives the key away. A caller that wishes to survive a weak generator mixes private key and digest
 * into random first, by SHA-512 or the like (draft-irtf-cfrg-det-sigs-with-noise).
 * P256_BAD_KEY: private key not in [1, n-1]. P256_BAD_SIGNATURE: k, r or s came out 0 (2^-254): try
 * again with other octets. In both cases the signature is zeroed. The caller wipes random. */
struct p256_sign {
	const uint8_t *private_key; /* 32 octets */
	const uint8_t *digest;	    /* 32 octets */
	const uint8_t *random;	    /* 48 octets, uniformly random */
	uint8_t *signature;	    /* out, 64 octets */
	enum p256_status status;    /* out */
};

/* The x-coordinate of private_key * public_key (SP 800-56A 5.7.1.2), constant time in the private
 * key (that a key is bad is not hidden). The point is checked to be on the curve first. On
 * P256_BAD_KEY z is zeroed. The caller wipes z. */
struct p256_ecdh {
	const uint8_t *private_key; /* 32 octets */
	const uint8_t *public_key;  /* 64 octets */
	uint8_t *z;		    /* out, 32 octets */
	enum p256_status status;    /* out */
};

void p256_verify_burst(struct p256 *c, struct p256_verify *ops, unsigned int n);
void p256_keypair_burst(struct p256 *c, struct p256_keypair *ops, unsigned int n);
void p256_sign_burst(struct p256 *c, struct p256_sign *ops, unsigned int n);
void p256_ecdh_burst(struct p256 *c, struct p256_ecdh *ops, unsigned int n);

#endif
