/* SPDX-License-Identifier: BSD-3-Clause
 *
 * bench-p256: the backends of lib/crypto against each other, operation by operation, on P-256.
 * Rounds of the reference and of the backend follow each other, so that a machine that drifts
 * drifts for both; a round's ratio is of neighbours. Medians over the rounds.
 */
#include <argp.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/timing.h"
#include "crypto/crypto.h"

enum { BATCH_MAX = 128, REFERENCE_OPERATIONS = 64, ROUNDS_MAX = 1000 };

/* One operation on a batch of different inputs. */
struct inputs {
	uint8_t private_keys[BATCH_MAX][CRYPTO_SCALAR_SIZE];
	uint8_t public_keys[BATCH_MAX][CRYPTO_POINT_SIZE];
	uint8_t digests[BATCH_MAX][CRYPTO_DIGEST_SIZE];
	uint8_t signatures[BATCH_MAX][CRYPTO_SIGNATURE_SIZE];
	uint8_t issued[BATCH_MAX][CRYPTO_SIGNATURE_SIZE]; /* by private_keys[0] */
	struct crypto_multiples multiples[BATCH_MAX];
};

struct side {
	struct crypto *crypto;
	struct crypto_key *key; /* public_keys[0], prepared */
	struct crypto_key *signer;
};

static struct inputs in;
static unsigned int batch = BATCH_MAX;

static void check(enum crypto_status status)
{
	if (status != CRYPTO_OK) {
		fprintf(stderr, "bench p256: an operation failed: %s\n",
			crypto_status_text(status));
		exit(1);
	}
}

enum meeting { NEW, FIRST, SECOND, PREPARED };

static void run_verify(struct side *s, enum meeting meeting, unsigned int n)
{
	struct crypto_verify ops[BATCH_MAX];

	for (unsigned int i = 0; i < n; i++)
		ops[i] = (struct crypto_verify){
			.curve = CRYPTO_P256,
			.key = meeting == PREPARED ? s->key : NULL,
			.public_key = in.public_keys[i],
			.multiples = meeting == SECOND ? &in.multiples[i] : NULL,
			.multiples_out = meeting == FIRST ? &in.multiples[i] : NULL,
			.digest = in.digests[i],
			.signature = meeting == PREPARED ? in.issued[i] : in.signatures[i]};
	crypto_verify_burst(s->crypto, ops, n);
	for (unsigned int i = 0; i < n; i++)
		check(ops[i].status);
}

static void verify(struct side *s, unsigned int n)
{
	run_verify(s, NEW, n);
}

static void verify_first(struct side *s, unsigned int n)
{
	run_verify(s, FIRST, n);
}

static void verify_second(struct side *s, unsigned int n)
{
	run_verify(s, SECOND, n);
}

static void verify_precomputed(struct side *s, unsigned int n)
{
	run_verify(s, PREPARED, n);
}

static void keygen(struct side *s, unsigned int n)
{
	uint8_t private_keys[BATCH_MAX][CRYPTO_SCALAR_SIZE],
		public_keys[BATCH_MAX][CRYPTO_POINT_SIZE];
	struct crypto_keypair ops[BATCH_MAX];

	for (unsigned int i = 0; i < n; i++)
		ops[i] = (struct crypto_keypair){.curve = CRYPTO_P256,
						 .private_key = private_keys[i],
						 .public_key = public_keys[i]};
	crypto_keypair_burst(s->crypto, ops, n);
	check(ops[n - 1].status);
}

static void sign(struct side *s, unsigned int n)
{
	uint8_t signatures[BATCH_MAX][CRYPTO_SIGNATURE_SIZE];
	struct crypto_sign ops[BATCH_MAX];

	for (unsigned int i = 0; i < n; i++)
		ops[i] = (struct crypto_sign){.curve = CRYPTO_P256,
					      .key = s->signer,
					      .digest = in.digests[i],
					      .signature = signatures[i]};
	crypto_sign_burst(s->crypto, ops, n);
	check(ops[n - 1].status);
}

static void ecdh(struct side *s, unsigned int n)
{
	uint8_t z[BATCH_MAX][CRYPTO_SCALAR_SIZE];
	struct crypto_ecdh ops[BATCH_MAX];

	for (unsigned int i = 0; i < n; i++)
		ops[i] = (struct crypto_ecdh){.curve = CRYPTO_P256,
					      .private_key = in.private_keys[i],
					      .public_key = in.public_keys[(i + 1) % BATCH_MAX],
					      .z = z[i]};
	crypto_ecdh_burst(s->crypto, ops, n);
	check(ops[n - 1].status);
}

static const struct {
	const char *name, *title;
	void (*run)(struct side *s, unsigned int n);
} operations[] = {
	{"verify", "verify, unknown key", verify},
	{"verify_first", "the same, key to be met", verify_first},
	{"verify_precomputed", "verify, prepared key", verify_precomputed},
	{"verify_second", "verify, key met before", verify_second},
	{"ecdh", "ECDH", ecdh},
	{"sign", "sign", sign},
	{"keygen", "key pair, affine", keygen},
};
enum { OPERATIONS_N = sizeof(operations) / sizeof(operations[0]) };

/* us an operation, over at least `least` of them */
static double timed(struct side *s, unsigned int operation, unsigned int n, unsigned int least)
{
	unsigned int done = 0;
	double begun = timing_now_us();

	for (; done < least; done += n)
		operations[operation].run(s, n);
	return (timing_now_us() - begun) / done;
}

static bool open_side(struct side *s, const char *backend)
{
	const char *why;

	s->crypto = crypto_create(backend, -1, &why);
	if (!s->crypto) {
		fprintf(stderr, "bench p256: backend %s: %s\n", backend, why);
		return false;
	}
	backend = crypto_backend_name(s->crypto);
	return crypto_public_key_load(backend, CRYPTO_P256, in.public_keys[0], 0, &s->key) ==
		       CRYPTO_OK &&
	       crypto_private_key_load(backend, CRYPTO_P256, in.private_keys[0], &s->signer) ==
		       CRYPTO_OK;
}

static void close_side(struct side *s)
{
	crypto_key_free(s->key);
	crypto_key_free(s->signer);
	crypto_destroy(s->crypto);
}

static void make_inputs(void)
{
	const char *why;
	struct crypto *c = crypto_create("openssl", -1, &why);

	for (unsigned int i = 0; i < BATCH_MAX; i++) {
		struct crypto_keypair pair = {.curve = CRYPTO_P256,
					      .private_key = in.private_keys[i],
					      .public_key = in.public_keys[i]};
		struct crypto_sign own = {.curve = CRYPTO_P256,
					  .private_key = in.private_keys[i],
					  .digest = in.digests[i],
					  .signature = in.signatures[i]};
		struct crypto_sign issued = {.curve = CRYPTO_P256,
					     .private_key = in.private_keys[0],
					     .digest = in.digests[i],
					     .signature = in.issued[i]};

		crypto_keypair_burst(c, &pair, 1);
		crypto_hash_burst(
			c, &(struct crypto_hash){span_make(in.public_keys[i], 64), in.digests[i]},
			1);
		crypto_sign_burst(c, &own, 1);
		crypto_sign_burst(c, &issued, 1);
		check(pair.status);
		check(own.status);
		check(issued.status);
	}
	crypto_destroy(c);
}

struct options {
	const char *backend;
	unsigned int rounds;
	bool json;
};

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'b':
		o->backend = arg;
		return 0;
	case 'n':
		batch = (unsigned int)strtoul(arg, NULL, 10);
		if (batch < 1 || batch > BATCH_MAX)
			argp_error(state, "--batch is 1 to %d", BATCH_MAX);
		return 0;
	case 'r':
		o->rounds = (unsigned int)strtoul(arg, NULL, 10);
		if (o->rounds < 1 || o->rounds > ROUNDS_MAX)
			argp_error(state, "--rounds is 1 to %d", ROUNDS_MAX);
		return 0;
	case 'j':
		o->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp_option list[] = {
		{"backend", 'b', "NAME", 0, "against the reference: auto (default), ifma, openssl",
		 0},
		{"batch", 'n', "N", 0, "operations a call, 1 to 128 (default 128)", 0},
		{"rounds", 'r', "N", 0, "default 25", 0},
		{"json", 'j', NULL, 0, "the last line is one JSON object", 0},
		{0}};
	static const struct argp parser = {.options = list,
					   .parser = on_option,
					   .doc = "P-256 operations of a backend against OpenSSL's "
						  "low-level calls, interleaved."};
	struct options o = {.backend = "auto", .rounds = 25};
	struct side reference, fast;

	argp_parse(&parser, argc, argv, 0, NULL, &o);
	make_inputs();
	if (!open_side(&reference, "openssl") || !open_side(&fast, o.backend))
		return 1;
	run_verify(&fast, FIRST, BATCH_MAX);

	json_t *ratio = json_object(), *us = json_object(), *reference_us = json_object(),
	       *spread = json_object();

	if (!o.json)
		printf("%-24s %10s %10s %8s   %s (batches of %u; backend %s: %s)\n",
		       "us an operation", "OpenSSL", "here", "ratio", "spread", batch,
		       crypto_backend_name(fast.crypto), crypto_backend_reason(fast.crypto));
	for (unsigned int i = 0; i < OPERATIONS_N; i++) {
		double slow[ROUNDS_MAX], quick[ROUNDS_MAX], ratios[ROUNDS_MAX];

		for (unsigned int r = 0; r < o.rounds; r++) {
			slow[r] = timed(&reference, i, batch, REFERENCE_OPERATIONS);
			quick[r] = timed(&fast, i, batch, 8 * REFERENCE_OPERATIONS);
			ratios[r] = slow[r] / quick[r];
		}
		double middle = timing_median(ratios, o.rounds);

		json_object_set_new(ratio, operations[i].name, json_real(middle));
		json_object_set_new(us, operations[i].name,
				    json_real(timing_median(quick, o.rounds)));
		json_object_set_new(reference_us, operations[i].name,
				    json_real(timing_median(slow, o.rounds)));
		json_object_set_new(spread, operations[i].name,
				    json_pack("[f,f]", ratios[o.rounds / 10],
					      ratios[o.rounds - 1 - o.rounds / 10]));
		if (!o.json)
			printf("%-24s %10.2f %10.2f %8.1f   %.1f to %.1f\n", operations[i].title,
			       slow[o.rounds / 2], quick[o.rounds / 2], middle,
			       ratios[o.rounds / 10], ratios[o.rounds - 1 - o.rounds / 10]);
	}
	if (o.json) {
		json_t *all = json_pack("{s:s,s:s,s:i,s:o,s:o,s:o,s:o}", "backend",
					crypto_backend_name(fast.crypto), "reason",
					crypto_backend_reason(fast.crypto), "batch", (int)batch,
					"ratio", ratio, "ratio_spread_10_90", spread, "us", us,
					"openssl_us", reference_us);

		json_dumpf(all, stdout, JSON_REAL_PRECISION(5));
		printf("\n");
		json_decref(all);
	}
	close_side(&reference);
	close_side(&fast);
	return 0;
}
