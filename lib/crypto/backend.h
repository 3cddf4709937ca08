/* SPDX-License-Identifier: BSD-3-Clause
 *
 * backend: what an implementation of lib/crypto provides. The functions have the contracts of
 * crypto/crypto.h; `state` is what create() returned. A new backend adds a file and a line to the
 * list in crypto.c.
 */
#ifndef CPAU_CRYPTO_BACKEND_H
#define CPAU_CRYPTO_BACKEND_H

#include "crypto/crypto.h"

struct crypto_backend {
	const char *name;
	unsigned int burst_hint;
	bool leaves_multiples[CRYPTO_CURVE_N];
	/* NULL when this machine can run it, else a constant sentence that says why not. */
	const char *(*unavailable)(void);
	void *(*create)(int numa_node); /* -1: any; NULL: out of memory */
	void (*destroy)(void *state);
	void (*hash)(void *state, struct crypto_hash *ops, unsigned int n);
	void (*verify)(void *state, struct crypto_verify *ops, unsigned int n);
	void (*keypair)(void *state, struct crypto_keypair *ops, unsigned int n);
	void (*sign)(void *state, struct crypto_sign *ops, unsigned int n);
	void (*ecdh)(void *state, struct crypto_ecdh *ops, unsigned int n);
	enum crypto_status (*public_key_load)(enum crypto_curve curve, const uint8_t *public_key,
					      size_t table_octets, void **prepared);
	enum crypto_status (*private_key_load)(enum crypto_curve curve, const uint8_t *private_key,
					       void **prepared);
	void (*prepared_free)(void *prepared);
};

struct crypto_key {
	const struct crypto_backend *backend;
	enum crypto_curve curve;
	void *prepared; /* the backend's own */
};

extern const struct crypto_backend crypto_backend_ifma, crypto_backend_openssl;

#endif
