/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lib/p256 behind lib/crypto: P-256 eight lanes at a time where the processor has AVX-512 IFMA.
 * What it does not do, it gives to the reference backend: other curves, and operations that come
 * too few at a time to fill the lanes.
 *
 * Nonces are hedged over a call: an AES-256-CTR stream whose key is SHA-256 of fresh random octets,
 * every private key and every digest of the call. Should the generator ever repeat itself, the
 * stream repeats only for the same keys and digests in the same places, and so the signatures do.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <numa.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "crypto/backend.h"
#include "crypto/hash_lanes.h"
#include "p256/p256.h"

enum {
	BATCH = 128,
	NODES_MAX = 16,
	DEFAULT_TABLE = 256 << 10,
	/* Below these many operations the reference is as fast (docs/performance.md). */
	VERIFY_MIN = 2,
	SIGN_MIN = 2,
	KEYPAIR_MIN = 2,
	ECDH_MIN = 2,
	HASH_MIN = 8,
	HASH_OCTETS_MIN = 200,
};

struct ifma_state {
	struct p256 *p256;
	void *reference;
	struct hash_lanes *hasher;
	EVP_CIPHER_CTX *stream;
	unsigned int node;
	/* work of one batch */
	unsigned int at[BATCH]; /* where in the caller's array */
	uint8_t random[BATCH][P256_RANDOM_SIZE];
	union {
		struct p256_verify verify[BATCH];
		struct p256_keypair keypair[BATCH];
		struct p256_sign sign[BATCH];
		struct p256_ecdh ecdh[BATCH];
	};
};

/* A prepared key: the reference's, and what the kernels take. */
struct ifma_key {
	struct crypto_key reference;
	size_t table_size; /* 0: no tables */
	/* One a NUMA node that has memory. */
	const struct p256_table *tables[NODES_MAX];
	uint8_t private_key[CRYPTO_SCALAR_SIZE]; /* secret */
	bool is_private;
};

static const struct crypto_backend *const reference = &crypto_backend_openssl;

static const char *ifma_unavailable(void)
{
	return p256_available() ? NULL : "this processor has no AVX-512 IFMA";
}

/* ---------------------------------------------------------------- NUMA */

static unsigned int node_count(void)
{
	int n = numa_available() < 0 ? 1 : numa_max_node() + 1;

	return n > NODES_MAX ? NODES_MAX : (unsigned int)n;
}

static bool node_has_memory(unsigned int node)
{
	return numa_available() < 0 || numa_bitmask_isbitset(numa_all_nodes_ptr, node);
}

static void *node_allocate(size_t size, unsigned int node)
{
	return numa_available() < 0 ? aligned_alloc(64, (size + 63) & ~(size_t)63)
				    : numa_alloc_onnode(size, (int)node);
}

static void node_free(void *memory, size_t size)
{
	if (numa_available() < 0)
		free(memory);
	else if (memory)
		numa_free(memory, size);
}

/* The wanted node, or the first that has memory. */
static unsigned int node_near(int wanted)
{
	unsigned int node = 0;

	if (wanted >= 0 && (unsigned int)wanted < node_count() &&
	    node_has_memory((unsigned int)wanted))
		return (unsigned int)wanted;
	while (node + 1 < node_count() && !node_has_memory(node))
		node++;
	return node;
}

/* ---------------------------------------------------------------- contexts */

static void ifma_destroy(void *state)
{
	struct ifma_state *s = state;

	if (s->reference)
		reference->destroy(s->reference);
	p256_destroy(s->p256);
	hash_lanes_destroy(s->hasher);
	EVP_CIPHER_CTX_free(s->stream);
	wipe(s, sizeof(*s));
	free(s);
}

static void *ifma_create(int numa_node)
{
	struct ifma_state *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->node = node_near(numa_node);
	s->reference = reference->create(numa_node);
	/* Pages come from where they are first written: by this thread, wherever it runs. */
	if (numa_available() >= 0)
		numa_set_preferred((int)s->node);
	s->p256 = p256_create(BATCH);
	if (numa_available() >= 0)
		numa_set_localalloc();
	s->hasher = hash_lanes_create();
	s->stream = EVP_CIPHER_CTX_new();
	if (!s->reference || !s->p256 || !s->stream || !s->hasher ||
	    EVP_EncryptInit_ex(s->stream, EVP_aes_256_ctr(), NULL, NULL, NULL) != 1) {
		ifma_destroy(s);
		return NULL;
	}
	return s;
}

static enum crypto_status status_of(enum p256_status status)
{
	switch (status) {
	case P256_OK:
		return CRYPTO_OK;
	case P256_BAD_SIGNATURE:
		return CRYPTO_BAD_SIGNATURE;
	case P256_BAD_KEY:
		return CRYPTO_BAD_KEY;
	default:
		return CRYPTO_FAILED;
	}
}

/* An array of operations in batches for the kernels, but for those of other curves. */
#define IN_BATCHES(kind, state, ops, n)                              \
	do {                                                         \
		struct ifma_state *s_ = (state);                     \
		unsigned int m_ = 0;                                 \
                                                                     \
		for (unsigned int i_ = 0; i_ < (n); i_++) {          \
			if ((ops)[i_].curve != CRYPTO_P256) {        \
				kind##_by_reference(s_, &(ops)[i_]); \
				continue;                            \
			}                                            \
			s_->at[m_++] = i_;                           \
			if (m_ == BATCH) {                           \
				kind##_batch(s_, ops, m_);           \
				m_ = 0;                              \
			}                                            \
		}                                                    \
		if (m_ > 0)                                          \
			kind##_batch(s_, ops, m_);                   \
	} while (0)

/* Many long messages go side by side; one after the other is faster for the rest. */
static void ifma_hash(void *state, struct crypto_hash *ops, unsigned int n)
{
	struct ifma_state *s = state;

	for (unsigned int i = 0; i < n; i++)
		if (n >= HASH_MIN && ops[i].message.n >= HASH_OCTETS_MIN)
			hash_lanes_add(s->hasher, &ops[i]);
		else
			reference->hash(s->reference, &ops[i], 1);
	hash_lanes_finish(s->hasher);
}

/* ---------------------------------------------------------------- verification */

static void verify_by_reference(struct ifma_state *s, struct crypto_verify *op)
{
	struct crypto_verify copy = *op;

	if (op->key)
		copy.key = &((const struct ifma_key *)op->key->prepared)->reference;
	reference->verify(s->reference, &copy, 1);
	op->status = copy.status;
	op->multiples_left = false;
}

_Static_assert(sizeof(struct crypto_multiples) == sizeof(struct p256_multiples) &&
		       _Alignof(struct crypto_multiples) == _Alignof(struct p256_multiples),
	       "one is the other");

static void verify_by_lanes(struct ifma_state *s, struct crypto_verify *ops, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct crypto_verify *op = &ops[s->at[i]];
		const struct ifma_key *key = op->key ? op->key->prepared : NULL;
		struct p256_verify *v = &s->verify[i];

		*v = (struct p256_verify){.table = key ? key->tables[s->node] : NULL,
					  .public_key = op->public_key,
					  .digest = op->digest,
					  .signature = op->signature};
		if (!key && op->multiples)
			v->multiples = (const struct p256_multiples *)(const void *)op->multiples;
		else if (!key)
			v->multiples_out = (struct p256_multiples *)(void *)op->multiples_out;
	}
	p256_verify_burst(s->p256, s->verify, n);
	for (unsigned int i = 0; i < n; i++) {
		struct crypto_verify *op = &ops[s->at[i]];

		op->status = status_of(s->verify[i].status);
		op->multiples_left = s->verify[i].multiples_out && op->status != CRYPTO_BAD_KEY;
	}
}

/* A signature by a prepared key or by one met before is cheaper on the lanes even alone; by a new
 * one it is not. */
static void verify_batch(struct ifma_state *s, struct crypto_verify *ops, unsigned int n)
{
	unsigned int new = 0, m = 0;

	for (unsigned int i = 0; i < n; i++)
		new += !ops[s->at[i]].key && !ops[s->at[i]].multiples;
	for (unsigned int i = 0; i < n; i++) {
		struct crypto_verify *op = &ops[s->at[i]];

		if (op->key || op->multiples || new >= VERIFY_MIN)
			s->at[m++] = s->at[i];
		else
			verify_by_reference(s, op);
	}
	verify_by_lanes(s, ops, m);
}

static void ifma_verify(void *state, struct crypto_verify *ops, unsigned int n)
{
	IN_BATCHES(verify, state, ops, n);
}

/* ---------------------------------------------------------------- key pairs */

static void keypair_by_reference(struct ifma_state *s, struct crypto_keypair *op)
{
	reference->keypair(s->reference, op, 1);
}

static void keypair_batch(struct ifma_state *s, struct crypto_keypair *ops, unsigned int n)
{
	if (n < KEYPAIR_MIN || RAND_priv_bytes(s->random[0], (int)(n * P256_RANDOM_SIZE)) != 1) {
		for (unsigned int i = 0; i < n; i++)
			keypair_by_reference(s, &ops[s->at[i]]);
		return;
	}
	for (unsigned int i = 0; i < n; i++)
		s->keypair[i] = (struct p256_keypair){.random = s->random[i],
						      .private_key = ops[s->at[i]].private_key,
						      .public_key = ops[s->at[i]].public_key};
	p256_keypair_burst(s->p256, s->keypair, n);
	for (unsigned int i = 0; i < n; i++)
		ops[s->at[i]].status = s->keypair[i].status == P256_OK ? CRYPTO_OK : CRYPTO_FAILED;
	wipe(s->random, n * P256_RANDOM_SIZE);
}

static void ifma_keypair(void *state, struct crypto_keypair *ops, unsigned int n)
{
	IN_BATCHES(keypair, state, ops, n);
}

/* ---------------------------------------------------------------- signatures */

static void sign_by_reference(struct ifma_state *s, struct crypto_sign *op)
{
	struct crypto_sign copy = *op;

	if (op->key)
		copy.key = &((const struct ifma_key *)op->key->prepared)->reference;
	reference->sign(s->reference, &copy, 1);
	op->status = copy.status;
}

/* s->random for the n signatures of s->sign. */
static bool draw_nonces(struct ifma_state *s, unsigned int n)
{
	static const uint8_t iv[16];
	uint8_t seed[32], key[32];
	SHA256_CTX sha;
	int length;
	bool ok = RAND_priv_bytes(seed, sizeof(seed)) == 1;

	SHA256_Init(&sha);
	SHA256_Update(&sha, seed, sizeof(seed));
	for (unsigned int i = 0; i < n; i++) {
		if (i == 0 || s->sign[i].private_key != s->sign[i - 1].private_key)
			SHA256_Update(&sha, s->sign[i].private_key, CRYPTO_SCALAR_SIZE);
		SHA256_Update(&sha, s->sign[i].digest, CRYPTO_DIGEST_SIZE);
	}
	SHA256_Final(key, &sha);
	memset(s->random, 0, n * P256_RANDOM_SIZE);
	ok = ok && EVP_EncryptInit_ex(s->stream, NULL, NULL, key, iv) == 1 &&
	     EVP_EncryptUpdate(s->stream, s->random[0], &length, s->random[0],
			       (int)(n * P256_RANDOM_SIZE)) == 1;
	wipe(seed, sizeof(seed));
	wipe(key, sizeof(key));
	wipe(&sha, sizeof(sha));
	return ok;
}

static void sign_batch(struct ifma_state *s, struct crypto_sign *ops, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct crypto_sign *op = &ops[s->at[i]];
		const struct ifma_key *key = op->key ? op->key->prepared : NULL;

		s->sign[i] =
			(struct p256_sign){.private_key = key ? key->private_key : op->private_key,
					   .digest = op->digest,
					   .random = s->random[i],
					   .signature = op->signature};
	}
	bool by_kernels = n >= SIGN_MIN && draw_nonces(s, n);

	if (by_kernels)
		p256_sign_burst(s->p256, s->sign, n);
	for (unsigned int i = 0; i < n; i++) {
		struct crypto_sign *op = &ops[s->at[i]];

		/* A nonce of 0 or the like happens once in 2^254; then the reference draws another.
		 */
		if (!by_kernels || s->sign[i].status == P256_BAD_SIGNATURE)
			sign_by_reference(s, op);
		else
			op->status = status_of(s->sign[i].status);
	}
	wipe(s->random, n * P256_RANDOM_SIZE);
}

static void ifma_sign(void *state, struct crypto_sign *ops, unsigned int n)
{
	IN_BATCHES(sign, state, ops, n);
}

/* ---------------------------------------------------------------- ECDH */

static void ecdh_by_reference(struct ifma_state *s, struct crypto_ecdh *op)
{
	reference->ecdh(s->reference, op, 1);
}

static void ecdh_batch(struct ifma_state *s, struct crypto_ecdh *ops, unsigned int n)
{
	if (n < ECDH_MIN) {
		for (unsigned int i = 0; i < n; i++)
			ecdh_by_reference(s, &ops[s->at[i]]);
		return;
	}
	for (unsigned int i = 0; i < n; i++) {
		const struct crypto_ecdh *op = &ops[s->at[i]];

		s->ecdh[i] = (struct p256_ecdh){
			.private_key = op->private_key, .public_key = op->public_key, .z = op->z};
	}
	p256_ecdh_burst(s->p256, s->ecdh, n);
	for (unsigned int i = 0; i < n; i++)
		ops[s->at[i]].status = status_of(s->ecdh[i].status);
}

static void ifma_ecdh(void *state, struct crypto_ecdh *ops, unsigned int n)
{
	IN_BATCHES(ecdh, state, ops, n);
}

/* ---------------------------------------------------------------- prepared keys */

static void ifma_prepared_free(void *prepared)
{
	struct ifma_key *k = prepared;

	for (unsigned int node = 0; node < NODES_MAX; node++)
		node_free((void *)(uintptr_t)k->tables[node], k->table_size);
	if (k->reference.prepared)
		reference->prepared_free(k->reference.prepared);
	wipe(k, sizeof(*k));
	free(k);
}

static struct ifma_key *key_create(enum crypto_curve curve)
{
	struct ifma_key *k = calloc(1, sizeof(*k));

	if (k) {
		k->reference.backend = reference;
		k->reference.curve = curve;
	}
	return k;
}

/* The widest window whose table fits; the narrowest one when none does. */
static unsigned int window_for(size_t octets)
{
	unsigned int window = P256_WINDOW_MAX;

	while (window > P256_WINDOW_MIN && p256_table_size(window) > octets + sizeof(uint64_t[8]))
		window--;
	return window;
}

/* Built once, copied to the other nodes. */
static enum crypto_status build_tables(struct ifma_key *k, const uint8_t *public_key, size_t octets)
{
	unsigned int window = window_for(octets ? octets : DEFAULT_TABLE);
	const struct p256_table *first = NULL;

	k->table_size = p256_table_size(window);
	for (unsigned int node = 0; node < node_count(); node++) {
		if (!node_has_memory(node))
			continue;
		void *memory = node_allocate(k->table_size, node);

		if (!memory)
			return CRYPTO_FAILED;
		if (first)
			k->tables[node] = memcpy(memory, first, k->table_size);
		else if (p256_table_build(window, public_key, memory, &k->tables[node]) !=
			 P256_OK) {
			node_free(memory, k->table_size);
			return CRYPTO_BAD_KEY;
		}
		first = k->tables[node];
	}
	return first ? CRYPTO_OK : CRYPTO_FAILED;
}

static enum crypto_status ifma_public_key_load(enum crypto_curve curve, const uint8_t *public_key,
					       size_t table_octets, void **prepared)
{
	struct ifma_key *k = key_create(curve);
	enum crypto_status status;

	if (!k)
		return CRYPTO_FAILED;
	status = reference->public_key_load(curve, public_key, 0, &k->reference.prepared);
	if (status == CRYPTO_OK && curve == CRYPTO_P256)
		status = build_tables(k, public_key, table_octets);
	if (status != CRYPTO_OK) {
		ifma_prepared_free(k);
		return status;
	}
	*prepared = k;
	return CRYPTO_OK;
}

static enum crypto_status ifma_private_key_load(enum crypto_curve curve, const uint8_t *private_key,
						void **prepared)
{
	struct ifma_key *k = key_create(curve);
	enum crypto_status status;

	if (!k)
		return CRYPTO_FAILED;
	status = reference->private_key_load(curve, private_key, &k->reference.prepared);
	if (status != CRYPTO_OK) {
		ifma_prepared_free(k);
		return status;
	}
	memcpy(k->private_key, private_key, sizeof(k->private_key));
	*prepared = k;
	return CRYPTO_OK;
}

const struct crypto_backend crypto_backend_ifma = {
	.name = "ifma",
	.burst_hint = BATCH,
	.leaves_multiples = {[CRYPTO_P256] = true},
	.unavailable = ifma_unavailable,
	.create = ifma_create,
	.destroy = ifma_destroy,
	.hash = ifma_hash,
	.verify = ifma_verify,
	.keypair = ifma_keypair,
	.sign = ifma_sign,
	.ecdh = ifma_ecdh,
	.public_key_load = ifma_public_key_load,
	.private_key_load = ifma_private_key_load,
	.prepared_free = ifma_prepared_free,
};
