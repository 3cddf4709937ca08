/* SPDX-License-Identifier: BSD-3-Clause
 *
 * crypto: bursts of public-key operations and hashes, behind one interface for every backend.
 *
 * An operation is self-contained: it points at its inputs and outputs, and its outcome is written
 * into it. A call takes an array of them and a count, so that a backend may work on many at once
 * (eight lanes and more); one bad operation never changes the outcome of its neighbours. The
 * module knows neither certificates nor messages.
 *
 * Points are 64 octets, X || Y, big-endian (SEC 1 uncompressed form without its leading 04).
 * Scalars, digests and x-coordinates are 32 octets, big-endian. Signatures are raw r || s, 64
 * octets (BSI TR-03111 clause 5.2.1). Digests are SHA-256 (FIPS 180-4).
 *
 * A struct crypto belongs to one thread; struct crypto_key is immutable once loaded and may be
 * read by every thread. No function on the burst path allocates through the caller's eyes; the
 * OpenSSL backend allocates inside OpenSSL, which is one of the reasons why it is the reference
 * and not the goal.
 */
#ifndef CPAU_CRYPTO_H
#define CPAU_CRYPTO_H

#include "base/base.h"

enum {
	CRYPTO_POINT_SIZE = 64,
	CRYPTO_SCALAR_SIZE = 32,
	CRYPTO_DIGEST_SIZE = 32,
	CRYPTO_SIGNATURE_SIZE = 64,
};

enum crypto_curve {
	CRYPTO_P256,		/* NIST P-256, FIPS 186-4 D.1.2.3 */
	CRYPTO_BRAINPOOLP256R1, /* RFC 5639 clause 3.4 */
	CRYPTO_CURVE_N,
};

enum crypto_status {
	CRYPTO_OK = 0,
	CRYPTO_BAD_SIGNATURE, /* r or s out of [1, n-1], or the equation does not hold */
	CRYPTO_BAD_KEY, /* coordinate >= p, point not on the curve, or scalar not in [1, n-1] */
	CRYPTO_FAILED,	/* the backend could not do its work (memory, entropy) */
	CRYPTO_STATUS_N,
};

const char *crypto_curve_name(enum crypto_curve curve);
const char *crypto_status_name(enum crypto_status status);
const char *crypto_status_text(enum crypto_status status);

/* A public key prepared once for many verifications (a CA's or an EUM's), or a private key
 * prepared for many signatures (Cert_AU's). */
struct crypto_key;

struct crypto_hash {
	struct span message;
	uint8_t *digest; /* out, 32 octets */
};

/* What the first verification with a key can leave for a second one with the same key, so that it
 * costs less: opaque, public, and as much to be trusted as the memory that it lies in, for the key
 * is not looked at again. Whatever is in it, nothing but the outcome depends on it. */
struct crypto_multiples {
	_Alignas(64) uint8_t octets[32 * CRYPTO_POINT_SIZE];
};

/* Verification is not constant time: everything that it sees is public. */
struct crypto_verify {
	enum crypto_curve curve;
	const struct crypto_key *key; /* prepared key, or NULL: use public_key */
	const uint8_t *public_key;    /* 64 octets, checked to be on the curve */
	/* With public_key; both may be NULL. */
	const struct crypto_multiples *multiples; /* of public_key, from before */
	struct crypto_multiples *multiples_out;	  /* out, if the backend left any */
	const uint8_t *digest;			  /* 32 octets */
	const uint8_t *signature;		  /* 64 octets */
	enum crypto_status status;		  /* out */
	bool multiples_left;			  /* out: in multiples_out */
};

/* A fresh key pair. Constant time. The caller wipes private_key after use. */
struct crypto_keypair {
	enum crypto_curve curve;
	uint8_t *private_key;	   /* out, 32 octets, in [1, n-1] */
	uint8_t *public_key;	   /* out, 64 octets */
	enum crypto_status status; /* out */
};

/* ECDSA signature, constant time in key and nonce. */
struct crypto_sign {
	enum crypto_curve curve;
	const struct crypto_key *key; /* prepared private key, or NULL: use private_key */
	const uint8_t *private_key;   /* 32 octets */
	const uint8_t *digest;	      /* 32 octets */
	uint8_t *signature;	      /* out, 64 octets */
	enum crypto_status status;    /* out */
};

/* ECDH: the x-coordinate of private_key * public_key (SP 800-56A 5.7.1.2), constant time in the
 * private key. The peer's point is checked to be on the curve first. The caller wipes z. */
struct crypto_ecdh {
	enum crypto_curve curve;
	const uint8_t *private_key; /* 32 octets */
	const uint8_t *public_key;  /* 64 octets, the peer's */
	uint8_t *z;		    /* out, 32 octets */
	enum crypto_status status;  /* out */
};

struct crypto;

/* Makes a context for one thread. backend: "ifma" (eight lanes of P-256, lib/p256), "openssl", or
 * NULL/"auto" for the fastest that this machine has. numa_node: whose memory its tables are to be
 * in; -1: any. *why is a constant sentence: why this backend; or, when NULL is returned, why the
 * name is unknown or cannot run here. */
struct crypto *crypto_create(const char *backend, int numa_node, const char **why);
void crypto_destroy(struct crypto *c);

/* The backend in use, and why that one. */
const char *crypto_backend_name(const struct crypto *c);
const char *crypto_backend_reason(const struct crypto *c);
/* Whether the backend ever leaves multiples of a key on this curve. */
bool crypto_leaves_multiples(const struct crypto *c, enum crypto_curve curve);
/* How many operations of one kind the backend likes to see in a burst (1 for OpenSSL). */
unsigned int crypto_burst_hint(const struct crypto *c);

void crypto_hash_burst(struct crypto *c, struct crypto_hash *ops, unsigned int n);
void crypto_verify_burst(struct crypto *c, struct crypto_verify *ops, unsigned int n);
void crypto_keypair_burst(struct crypto *c, struct crypto_keypair *ops, unsigned int n);
void crypto_sign_burst(struct crypto *c, struct crypto_sign *ops, unsigned int n);
void crypto_ecdh_burst(struct crypto *c, struct crypto_ecdh *ops, unsigned int n);

/* Names of the backends, the fastest first, whether they run here or not; NULL from the last on. */
const char *crypto_backend_at(unsigned int i);

/* Configuration time, any thread. A key is usable with every context of the same backend name.
 * table_octets: how much memory, and cache, a public key's tables may take, in each NUMA node; 0:
 * 256 KiB. CRYPTO_BAD_KEY as above; CRYPTO_FAILED for an unknown backend too; then *key is NULL. */
enum crypto_status crypto_public_key_load(const char *backend, enum crypto_curve curve,
					  const uint8_t public_key[CRYPTO_POINT_SIZE],
					  size_t table_octets, struct crypto_key **key);
enum crypto_status crypto_private_key_load(const char *backend, enum crypto_curve curve,
					   const uint8_t private_key[CRYPTO_SCALAR_SIZE],
					   struct crypto_key **key);
void crypto_key_free(struct crypto_key *key); /* wipes; NULL is allowed */

/* Public key of a private key (configuration time). */
enum crypto_status crypto_public_from_private(enum crypto_curve curve,
					      const uint8_t private_key[CRYPTO_SCALAR_SIZE],
					      uint8_t public_key[CRYPTO_POINT_SIZE]);

#endif
