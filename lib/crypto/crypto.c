/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "crypto/backend.h"

/* Fastest first: "auto" takes the first that this machine can run. */
static const struct crypto_backend *const backends[] = {&crypto_backend_ifma,
							&crypto_backend_openssl};
enum { BACKENDS_N = sizeof(backends) / sizeof(backends[0]) };

struct crypto {
	const struct crypto_backend *backend;
	const char *reason;
	void *state;
};

const char *crypto_curve_name(enum crypto_curve curve)
{
	switch (curve) {
	case CRYPTO_P256:
		return "P-256";
	case CRYPTO_BRAINPOOLP256R1:
		return "brainpoolP256r1";
	default:
		return "?";
	}
}

const char *crypto_status_name(enum crypto_status status)
{
	static const char *const names[CRYPTO_STATUS_N] = {"ok", "bad-signature", "bad-key",
							   "failed"};

	return status < CRYPTO_STATUS_N ? names[status] : "?";
}

const char *crypto_status_text(enum crypto_status status)
{
	static const char *const texts[CRYPTO_STATUS_N] = {
		"the operation succeeded",
		"the signature is not one of this message under this key",
		"the key is not a point of the curve, or not a scalar below its order",
		"the backend could not do its work: no memory, or no entropy",
	};

	return status < CRYPTO_STATUS_N ? texts[status] : "?";
}

static const struct crypto_backend *backend_find(const char *name, const char **reason)
{
	bool automatic = !name || strcmp(name, "auto") == 0;
	const char *faster = NULL; /* why a faster one cannot run */

	for (unsigned int i = 0; i < BACKENDS_N; i++) {
		if (!automatic && strcmp(name, backends[i]->name) != 0)
			continue;
		const char *unavailable = backends[i]->unavailable();

		if (!unavailable) {
			*reason = !automatic ? "asked for"
				  : faster   ? faster
					     : "the fastest there is";
			return backends[i];
		}
		faster = unavailable;
		if (!automatic) {
			*reason = unavailable;
			return NULL;
		}
	}
	*reason = "unknown backend; there are: auto, ifma, openssl";
	return NULL;
}

struct crypto *crypto_create(const char *backend, int numa_node, const char **why)
{
	const struct crypto_backend *b = backend_find(backend, why);

	if (!b)
		return NULL;
	struct crypto *c = calloc(1, sizeof(*c));

	if (c)
		c->state = b->create(numa_node);
	if (!c || !c->state) {
		*why = "out of memory";
		free(c);
		return NULL;
	}
	c->backend = b;
	c->reason = *why;
	return c;
}

void crypto_destroy(struct crypto *c)
{
	if (!c)
		return;
	c->backend->destroy(c->state);
	free(c);
}

const char *crypto_backend_name(const struct crypto *c)
{
	return c->backend->name;
}

const char *crypto_backend_reason(const struct crypto *c)
{
	return c->reason;
}

bool crypto_leaves_multiples(const struct crypto *c, enum crypto_curve curve)
{
	return c->backend->leaves_multiples[curve];
}

unsigned int crypto_burst_hint(const struct crypto *c)
{
	return c->backend->burst_hint;
}

void crypto_hash_burst(struct crypto *c, struct crypto_hash *ops, unsigned int n)
{
	c->backend->hash(c->state, ops, n);
}

void crypto_verify_burst(struct crypto *c, struct crypto_verify *ops, unsigned int n)
{
	c->backend->verify(c->state, ops, n);
}

void crypto_keypair_burst(struct crypto *c, struct crypto_keypair *ops, unsigned int n)
{
	c->backend->keypair(c->state, ops, n);
}

void crypto_sign_burst(struct crypto *c, struct crypto_sign *ops, unsigned int n)
{
	c->backend->sign(c->state, ops, n);
}

void crypto_ecdh_burst(struct crypto *c, struct crypto_ecdh *ops, unsigned int n)
{
	c->backend->ecdh(c->state, ops, n);
}

const char *crypto_backend_at(unsigned int i)
{
	return i < BACKENDS_N ? backends[i]->name : NULL;
}

static struct crypto_key *key_create(const char *backend, enum crypto_curve curve)
{
	const char *why;
	const struct crypto_backend *b = backend_find(backend, &why);
	struct crypto_key *k = b ? calloc(1, sizeof(*k)) : NULL;

	if (k) {
		k->backend = b;
		k->curve = curve;
	}
	return k;
}

/* The key when its octets were good; else nothing is left of it. */
static enum crypto_status key_finish(struct crypto_key *k, enum crypto_status status,
				     struct crypto_key **key)
{
	*key = status == CRYPTO_OK ? k : NULL;
	if (status != CRYPTO_OK)
		free(k);
	return status;
}

enum crypto_status crypto_public_key_load(const char *backend, enum crypto_curve curve,
					  const uint8_t public_key[CRYPTO_POINT_SIZE],
					  size_t table_octets, struct crypto_key **key)
{
	struct crypto_key *k = key_create(backend, curve);

	return key_finish(
		k,
		k ? k->backend->public_key_load(curve, public_key, table_octets, &k->prepared)
		  : CRYPTO_FAILED,
		key);
}

enum crypto_status crypto_private_key_load(const char *backend, enum crypto_curve curve,
					   const uint8_t private_key[CRYPTO_SCALAR_SIZE],
					   struct crypto_key **key)
{
	struct crypto_key *k = key_create(backend, curve);

	return key_finish(k,
			  k ? k->backend->private_key_load(curve, private_key, &k->prepared)
			    : CRYPTO_FAILED,
			  key);
}

void crypto_key_free(struct crypto_key *key)
{
	if (!key)
		return;
	key->backend->prepared_free(key->prepared);
	free(key);
}
