/* SPDX-License-Identifier: BSD-3-Clause
 *
 * constant-time: do key pairs, signatures and ECDH of lib/p256 branch on a secret, use one as an
 * address, or divide by one? Built by clang with MemorySanitizer, which is told that private keys
 * and the random octets behind nonces and new keys are uninitialised. It follows every bit that
 * depends on them and ends the program where one decides a branch or an address. (Valgrind could
 * do the same if it knew AVX-512. What MemorySanitizer does not know of it, shadow.h adds.)
 *
 *	constant-time			every operation in batches of 1, 8, 20 and 64, all lanes
 *					secret, with good and bad keys and nonces
 *	constant-time --self-test	deliberate leaks, each of which must end a process by
 *					MemorySanitizer, and the propagation through every intrinsic
 *
 * Exit status: 0; 1 for a failure; 77 where lib/p256 cannot run; MSAN_EXIT for a leak.
 *
 * Declassified, that is, secret no more:
 *
 *	inside lib/p256		nothing. Statuses are selected without a branch, as all else is.
 *	when a call returned	public key and signature: that is what they are for.
 *				z: so that it can be compared here; it must be secret until then.
 *				status: p256.h hides from nobody that a key is bad, which is its
 *				owner's mistake; a bad nonce has chance 2^-254 and is not used.
 *
 * What this cannot tell: it sees what clang makes of the source at -O2, before instructions are
 * chosen, and nothing of gcc's. It takes every instruction to be as fast for all operands, as
 * vpmadd52 is, and would let a secret be divided by something public (lib/p256 does not divide).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sanitizer/msan_interface.h>

#include "constant_time/leaks.h"
#include "p256/p256.h"

enum { BATCH_MAX = 64, MSAN_EXIT = 86, SKIPPED = 77 };

/* MemorySanitizer's own exit status is 77, which meson would take for a skipped test. */
const char *__msan_default_options(void);
const char *__msan_default_options(void)
{
	return "exitcode=86";
}

/* What an operation is given. A bad one must have its status without anybody seeing why. */
enum { GOOD, KEY_ZERO, KEY_N, NONCE_ZERO, NONCE_N, KINDS };

static const uint8_t order[P256_SCALAR_SIZE] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
						0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
						0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
						0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

struct operation {
	int kind;
	uint8_t private_key[P256_SCALAR_SIZE], new_key[P256_SCALAR_SIZE];
	uint8_t random[P256_RANDOM_SIZE];
	uint8_t public_key[P256_POINT_SIZE], peer[P256_POINT_SIZE];
	uint8_t digest[P256_DIGEST_SIZE], signature[P256_SIGNATURE_SIZE];
	uint8_t z[P256_SCALAR_SIZE], z_of_peer[P256_SCALAR_SIZE];
};

static struct operation ops[BATCH_MAX];

static void check(bool ok, const char *what, unsigned int i)
{
	if (ok)
		return;
	fprintf(stderr, "constant-time: operation %u: %s\n", i, what);
	exit(EXIT_FAILURE);
}

/* Any octets will do (xorshift64*). */
static void draw(uint8_t *out, size_t size)
{
	static uint64_t seed = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < size; i++) {
		seed ^= seed >> 12;
		seed ^= seed << 25;
		seed ^= seed >> 27;
		out[i] = (uint8_t)((seed * 0x2545f4914f6cdd1d) >> 56);
	}
}

static void prepare(struct operation *o, int kind)
{
	o->kind = kind;
	draw(o->private_key, sizeof(o->private_key));
	draw(o->random, sizeof(o->random));
	draw(o->digest, sizeof(o->digest));
	o->private_key[0] &= 0x7f; /* below n */
	if (kind == KEY_ZERO)
		memset(o->private_key, 0, sizeof(o->private_key));
	if (kind == KEY_N)
		memcpy(o->private_key, order, sizeof(order));
	if (kind == NONCE_ZERO || kind == NONCE_N)
		memset(o->random, 0, sizeof(o->random));
	if (kind == NONCE_N)
		memcpy(o->random + 16, order, sizeof(order));
}

static bool is_bad_key(const struct operation *o)
{
	return o->kind == KEY_ZERO || o->kind == KEY_N;
}

static bool is_bad_nonce(const struct operation *o)
{
	return o->kind == NONCE_ZERO || o->kind == NONCE_N;
}

static void poison_secrets(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		__msan_poison(ops[i].private_key, sizeof(ops[i].private_key));
		__msan_poison(ops[i].random, sizeof(ops[i].random));
	}
}

/* An output must have come out secret, every octet: else MemorySanitizer lost the trail, and would
 * have seen nothing. From here on it is public. */
static void declassify(void *p, size_t size, unsigned int i)
{
	for (size_t j = 0; j < size; j++)
		check(__msan_test_shadow((uint8_t *)p + j, 1) == 0,
		      "an output does not depend on the secrets, says MemorySanitizer", i);
	__msan_unpoison(p, size);
}

static void declassify_status(enum p256_status *status, enum p256_status expected, unsigned int i)
{
	__msan_unpoison(status, sizeof(*status));
	check(*status == expected, "unexpected status", i);
}

/* Of the private keys, and of new ones drawn from random. */
static void key_pairs(struct p256 *c, unsigned int n, bool given)
{
	struct p256_keypair k[BATCH_MAX];

	for (unsigned int i = 0; i < n; i++)
		k[i] = (struct p256_keypair){.random = given ? NULL : ops[i].random,
					     .private_key =
						     given ? ops[i].private_key : ops[i].new_key,
					     .public_key = given ? ops[i].public_key : ops[i].peer};
	poison_secrets(n);
	p256_keypair_burst(c, k, n);
	for (unsigned int i = 0; i < n; i++) {
		bool bad = given ? is_bad_key(&ops[i]) : is_bad_nonce(&ops[i]);

		declassify(k[i].public_key, P256_POINT_SIZE, i);
		declassify_status(&k[i].status, bad ? P256_BAD_KEY : P256_OK, i);
		check(__msan_test_shadow(k[i].private_key, P256_SCALAR_SIZE) == 0,
		      "the private key came out public", i);
	}
}

static void signatures(struct p256 *c, unsigned int n)
{
	struct p256_sign s[BATCH_MAX];
	struct p256_verify v[BATCH_MAX];

	for (unsigned int i = 0; i < n; i++) {
		s[i] = (struct p256_sign){.private_key = ops[i].private_key,
					  .digest = ops[i].digest,
					  .random = ops[i].random,
					  .signature = ops[i].signature};
		v[i] = (struct p256_verify){.public_key = ops[i].public_key,
					    .digest = ops[i].digest,
					    .signature = ops[i].signature};
	}
	poison_secrets(n);
	p256_sign_burst(c, s, n);
	for (unsigned int i = 0; i < n; i++) {
		declassify(s[i].signature, P256_SIGNATURE_SIZE, i);
		declassify_status(&s[i].status,
				  is_bad_key(&ops[i])	  ? P256_BAD_KEY
				  : is_bad_nonce(&ops[i]) ? P256_BAD_SIGNATURE
							  : P256_OK,
				  i);
	}
	p256_verify_burst(c, v, n);
	for (unsigned int i = 0; i < n; i++)
		check((v[i].status == P256_OK) == (ops[i].kind == GOOD), "wrong signature", i);
}

/* Both sides'; at i, the peer's new key pair came from the operation's random octets. */
static void agreements(struct p256 *c, unsigned int n)
{
	static const uint8_t zeros[P256_POINT_SIZE];
	struct p256_ecdh ours[BATCH_MAX], peers[BATCH_MAX];

	for (unsigned int i = 0; i < n; i++) {
		ours[i] = (struct p256_ecdh){.private_key = ops[i].private_key,
					     .public_key = ops[i].peer,
					     .z = ops[i].z};
		peers[i] = (struct p256_ecdh){.private_key = ops[i].new_key,
					      .public_key = ops[i].public_key,
					      .z = ops[i].z_of_peer};
	}
	poison_secrets(n);
	p256_ecdh_burst(c, ours, n);
	p256_ecdh_burst(c, peers, n);
	for (unsigned int i = 0; i < n; i++) {
		/* A bad key pair's public key is zeros, which is no point. */
		bool bad = is_bad_key(&ops[i]) || is_bad_nonce(&ops[i]);

		/* For a public key that is no point, z is zeros whatever the private key is. */
		if (!is_bad_nonce(&ops[i]))
			declassify(ours[i].z, P256_SCALAR_SIZE, i);
		if (!is_bad_key(&ops[i]))
			declassify(peers[i].z, P256_SCALAR_SIZE, i);
		declassify_status(&ours[i].status, bad ? P256_BAD_KEY : P256_OK, i);
		declassify_status(&peers[i].status, bad ? P256_BAD_KEY : P256_OK, i);
		check(memcmp(ours[i].z, peers[i].z, P256_SCALAR_SIZE) == 0, "z differs", i);
		check((memcmp(ours[i].z, zeros, P256_SCALAR_SIZE) == 0) == bad, "wrong z", i);
	}
}

static int test_operations(void)
{
	static const unsigned int batches[] = {1, 8, 20, 64}, max_batches[] = {BATCH_MAX, 24};

	for (unsigned int m = 0; m < 2; m++) {
		struct p256 *c = p256_create(max_batches[m]);

		check(c != NULL, "no memory", 0);
		for (unsigned int b = 0; b < 4; b++)
			for (int first = GOOD; first < KINDS; first++) {
				for (unsigned int i = 0; i < batches[b]; i++)
					prepare(&ops[i], i % 3 ? GOOD : (first + (int)i) % KINDS);
				key_pairs(c, batches[b], true);
				key_pairs(c, batches[b], false);
				signatures(c, batches[b]);
				agreements(c, batches[b]);
				__msan_unpoison(ops, sizeof(ops));
			}
		p256_destroy(c);
	}
	return EXIT_SUCCESS;
}

/* True if MemorySanitizer ended it. */
static bool is_caught(const struct leak *leak)
{
	_Alignas(64) uint64_t secret[8];
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		/* The report is expected. */
		if (!freopen("/dev/null", "w", stderr))
			_exit(EXIT_FAILURE);
		draw((uint8_t *)secret, sizeof(secret));
		__msan_poison(secret, sizeof(secret));
		leak->run(secret);
		_exit(EXIT_SUCCESS);
	}
	check(child > 0 && waitpid(child, &status, 0) == child, "no child", 0);
	check(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == MSAN_EXIT),
	      "a child ended neither well nor by MemorySanitizer", (unsigned int)status);
	return WEXITSTATUS(status) == MSAN_EXIT;
}

static int test_ourselves(void)
{
	bool ok = intrinsics_propagate();

	for (unsigned int i = 0; i < leaks_n; i++) {
		bool caught = is_caught(&leaks[i]);

		printf("%s: %s\n", leaks[i].name, caught ? "reported" : "not reported");
		ok &= caught == leaks[i].leaks;
	}
	if (!ok)
		fprintf(stderr, "constant-time: this test would not notice every leak\n");
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	bool self_test = argc == 2 && strcmp(argv[1], "--self-test") == 0;

	if (argc > 1 && !self_test) {
		fprintf(stderr, "usage: constant-time [--self-test]\n");
		return 2;
	}
	if (!p256_available()) {
		fprintf(stderr,
			"constant-time: SKIPPED: no AVX-512 IFMA here, so lib/p256 cannot run and "
			"nothing was tested\n");
		return SKIPPED;
	}
	return self_test ? test_ourselves() : test_operations();
}
