/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The crypto stage: nothing but arithmetic. It takes bursts of jobs, runs each one's programme, and
 * passes them on. Operations of the same kind are gathered over the burst, so that a backend with
 * eight lanes fills them; the order within one job is kept, and its first failure ends it, so that
 * a forged message costs no more than the check that finds it out.
 */
#include <openssl/rand.h>
#include <rte_cycles.h>
#include <rte_malloc.h>

#include "au/gather.h"
#include "au/stage.h"

/* RAND_UE || RAND_AU || PK_AU (65 octets), what AU_Signature is over. */
enum { AU_SIGNED_SIZE = 16 + 16 + 65 };

/* Of a backend that works on one operation at a time: a burst saves it nothing and keeps the other
 * stages of its lcore waiting. */
enum { ONE_BY_ONE_BURST = 64 };

enum {
	PATIENCE = 8,		/* turns of the lcore, of a burst of packets each */
	LANES = 8,		/* of the backends that have any */
	PACE_BURST = 2 * LANES, /* requests from which on a burst is not small */
	HURRIED_BURST = 4 * LANES,
};

struct au_crypto {
	struct au_shared *shared;
	struct rte_ring *responses, *requests;
	unsigned int burst;  /* jobs a poll */
	unsigned int whole;  /* likewise, while nobody is pressed for time */
	unsigned int waited; /* turns, for a full burst */
	struct au_pace *pace;
	uint64_t polled;	 /* when it last looked for jobs, TSC */
	uint64_t last;		 /* when it last took requests */
	unsigned int last_taken; /* how many */
	uint64_t idle;		 /* cycles since then in which there was nothing to take */
	double spent, taken;	 /* cycles and requests, of late: their quotient is the pace */
	struct crypto *backend;
	struct au_counters counters;
	struct au_gather to_control[CONFIG_SHARDS_MAX];

	/* work of one burst */
	struct crypto_hash hashes[AU_BURST];
	struct crypto_verify verifies[AU_BURST];
	struct crypto_keypair keypairs[AU_BURST];
	struct crypto_sign signs[AU_BURST];
	struct crypto_ecdh ecdhs[AU_BURST];
	struct au_job *owners[AU_BURST];
	uint8_t digests[AU_BURST][CRYPTO_DIGEST_SIZE];
	uint8_t signed_data[AU_BURST][AU_SIGNED_SIZE];
	uint8_t rands[AU_BURST][16];
};

/* Public-key operations, and the time that they take. */
#define TIMED(c, call)                                                      \
	do {                                                                \
		uint64_t before_ = rte_rdtsc();                             \
		call;                                                       \
		au_count(&(c)->counters.public_key, rte_rdtsc() - before_); \
	} while (0)

static enum wire_cause cause_of(enum crypto_status status, enum wire_cause bad_signature,
				enum wire_cause bad_key)
{
	switch (status) {
	case CRYPTO_OK:
		return WIRE_CAUSE_NONE;
	case CRYPTO_BAD_SIGNATURE:
		return bad_signature;
	case CRYPTO_BAD_KEY:
		return bad_key;
	default:
		return WIRE_CAUSE_INTERNAL;
	}
}

/* The wave-th signature of every job that is still good. */
static unsigned int run_verify_wave(struct au_crypto *c, struct au_job **jobs, unsigned int n,
				    unsigned int wave)
{
	unsigned int m = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct au_job *job = jobs[i];

		if (job->cause != WIRE_CAUSE_NONE || wave >= job->n_verifies)
			continue;
		struct au_verify *v = &job->verifies[wave];

		c->owners[m] = job;
		c->hashes[m] = (struct crypto_hash){v->message, c->digests[m]};
		c->verifies[m] = (struct crypto_verify){.curve = v->curve,
							.key = v->key,
							.public_key = v->public_key,
							.multiples = v->multiples,
							.multiples_out = v->multiples_out,
							.digest = c->digests[m],
							.signature = v->signature};
		m++;
	}
	if (m == 0)
		return 0;
	crypto_hash_burst(c->backend, c->hashes, m);
	TIMED(c, crypto_verify_burst(c->backend, c->verifies, m));
	for (unsigned int i = 0; i < m; i++) {
		struct au_verify *v = &c->owners[i]->verifies[wave];

		c->owners[i]->cause =
			(uint8_t)cause_of(c->verifies[i].status, v->bad_signature, v->bad_key);
		if (v->multiples_out && !c->verifies[i].multiples_left)
			v->multiples_out = NULL;
	}
	au_count(&c->counters.events[AU_COUNT_VERIFIES], m);
	return m;
}

/* Step 2's second half: RAND_AU, an ephemeral key pair, AU_Signature. */
static void run_step2(struct au_crypto *c, struct au_job **jobs, unsigned int n)
{
	unsigned int m = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct au_job *job = jobs[i];

		if (job->kind != AU_JOB_ATTACH || job->cause != WIRE_CAUSE_NONE)
			continue;
		c->owners[m] = job;
		c->keypairs[m++] = (struct crypto_keypair){
			.curve = job->curve, .private_key = job->sk_au, .public_key = job->pk_au};
	}
	if (m == 0)
		return;
	bool random = RAND_bytes(c->rands[0], (int)(m * sizeof(c->rands[0]))) == 1;

	TIMED(c, crypto_keypair_burst(c->backend, c->keypairs, m));
	for (unsigned int i = 0; i < m; i++) {
		struct au_job *job = c->owners[i];
		uint8_t *p = c->signed_data[i];

		memcpy(job->rand_au, c->rands[i], 16);
		memcpy(p, job->rand_ue, 16);
		memcpy(p + 16, job->rand_au, 16);
		p[32] = 0x04;
		memcpy(p + 33, job->pk_au, CRYPTO_POINT_SIZE);
		c->hashes[i] = (struct crypto_hash){span_make(p, AU_SIGNED_SIZE), c->digests[i]};
		c->signs[i] = (struct crypto_sign){.curve = job->curve,
						   .key = job->sign_key,
						   .digest = c->digests[i],
						   .signature = job->au_signature};
	}
	crypto_hash_burst(c->backend, c->hashes, m);
	TIMED(c, crypto_sign_burst(c->backend, c->signs, m));
	for (unsigned int i = 0; i < m; i++)
		if (!random || c->keypairs[i].status != CRYPTO_OK ||
		    c->signs[i].status != CRYPTO_OK) {
			c->owners[i]->cause = WIRE_CAUSE_INTERNAL;
			wipe(c->owners[i]->sk_au, CRYPTO_SCALAR_SIZE);
		}
}

/* Step 6's second half: the x-coordinate that Ksession is made of. */
static void run_step6(struct au_crypto *c, struct au_job **jobs, unsigned int n)
{
	unsigned int m = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct au_job *job = jobs[i];

		if (job->kind != AU_JOB_RESPONSE)
			continue;
		if (job->cause == WIRE_CAUSE_NONE) {
			c->owners[m] = job;
			c->ecdhs[m++] = (struct crypto_ecdh){.curve = job->curve,
							     .private_key = job->sk_au,
							     .public_key = job->pk_ue,
							     .z = job->z};
		}
	}
	if (m > 0)
		TIMED(c, crypto_ecdh_burst(c->backend, c->ecdhs, m));
	for (unsigned int i = 0; i < m; i++)
		c->owners[i]->cause = (uint8_t)cause_of(c->ecdhs[i].status, WIRE_CAUSE_INTERNAL,
							WIRE_CAUSE_PK_UE);
	for (unsigned int i = 0; i < n; i++)
		if (jobs[i]->kind == AU_JOB_RESPONSE)
			wipe(jobs[i]->sk_au, CRYPTO_SCALAR_SIZE);
}

void au_crypto_run(struct au_crypto *c, struct au_job **jobs, unsigned int n)
{
	for (unsigned int wave = 0; wave < AU_JOB_VERIFIES; wave++)
		if (run_verify_wave(c, jobs, n, wave) == 0)
			break;
	run_step2(c, jobs, n);
	run_step6(c, jobs, n);
	au_count(&c->counters.events[AU_COUNT_CRYPTO_JOBS], n);
}

/* While more are coming, whole groups of lanes: what is left over fills a group of the next burst.
 */
static unsigned int take_from(struct rte_ring *ring, struct au_job **jobs, unsigned int room,
			      bool more_coming)
{
	unsigned int n = RTE_MIN(rte_ring_count(ring), room);

	if (more_coming && n >= LANES)
		n -= n % LANES;
	return rte_ring_dequeue_burst(ring, (void **)jobs, n, NULL);
}

/* Responses first: what was started is finished. Returns the number of jobs taken. */
static unsigned int take(struct au_crypto *c, struct au_job **jobs, bool more_coming,
			 unsigned int *requests)
{
	unsigned int n = take_from(c->responses, jobs, c->burst, more_coming);

	*requests = take_from(c->requests, jobs + n, c->burst - n, more_coming);
	return n + *requests;
}

/* What a request takes of this lcore, all that comes with it included: the time from one taking of
 * requests to the next, but for that in which there was nothing to take. Small bursts, which take
 * longer, count only where they show that it is faster than believed. */
static void measure_pace(struct au_crypto *c, unsigned int requests)
{
	if (requests == 0)
		return;
	double pace = (double)atomic_load_explicit(&c->pace->cycles, memory_order_relaxed);
	double spent = (double)(c->polled - c->last - c->idle);

	if (c->last_taken >= PACE_BURST || spent < pace * c->last_taken) {
		/* A pause of the machine's weighs little. The sums, not the quotients, are what is
		 * smoothed: bursts of many requests and few responses and the other way round take
		 * turns. */
		c->spent = c->spent * 7 / 8 + RTE_MIN(spent, 4 * pace * c->last_taken);
		c->taken = c->taken * 7 / 8 + c->last_taken;
		pace = RTE_MAX(c->spent / c->taken, (double)c->shared->tsc_hz / AU_FIRST_PACE_HZ);
		atomic_store_explicit(&c->pace->cycles, (uint64_t)pace, memory_order_relaxed);
	}
	c->last = c->polled;
	c->idle = 0;
	c->last_taken = requests;
}

/* A control ring holds as many as there are jobs: this cannot fail, and if it did, the job would be
 * lost, which the counter would say. */
static void flush(struct au_crypto *c, struct au_gather *g)
{
	unsigned int n = g->n;

	for (unsigned int left = au_gather_flush(g); left > 0; left--) {
		au_count(&c->counters.events[AU_COUNT_CONTROL_RING_FULL], 1);
		au_job_free(c->shared, g->jobs[n - left]);
	}
}

static void pass_on(struct au_crypto *c, struct au_job **jobs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (au_gather_add(&c->to_control[jobs[i]->shard], jobs[i]))
			flush(c, &c->to_control[jobs[i]->shard]);
	for (unsigned int i = 0; i < c->shared->n_shards; i++)
		flush(c, &c->to_control[i]);
}

void au_crypto_hurry(struct au_crypto *c, bool hurry)
{
	c->burst = hurry ? RTE_MIN(c->whole, (unsigned int)HURRIED_BURST) : c->whole;
}

unsigned int au_crypto_poll(struct au_crypto *c, bool more_coming)
{
	struct au_job *jobs[AU_BURST];
	uint64_t before = c->polled;

	c->polled = rte_rdtsc();
	/* The more operations at a time, the cheaper each. But a flood of messages that are no jobs
	 * must not hold up those that are. */
	if (more_coming && c->waited < PATIENCE && c->whole == AU_BURST &&
	    rte_ring_count(c->responses) + rte_ring_count(c->requests) < c->burst) {
		c->waited++;
		return 0;
	}
	c->waited = 0;

	unsigned int requests, n = take(c, jobs, more_coming, &requests);

	if (n == 0) {
		c->idle += c->polled - before;
		return 0;
	}
	measure_pace(c, requests);
	au_crypto_run(c, jobs, n);
	pass_on(c, jobs, n);
	return n;
}

struct au_crypto *au_crypto_create(struct au_shared *shared, unsigned int index, int numa_node,
				   const char **why)
{
	struct au_crypto *c =
		rte_zmalloc_socket("au_crypto", sizeof(*c), RTE_CACHE_LINE_SIZE, numa_node);

	*why = "no memory for the crypto stage";
	if (!c)
		return NULL;
	c->shared = shared;
	c->responses = shared->response_rings[index];
	c->requests = shared->request_rings[index];
	c->pace = &shared->paces[index];
	for (unsigned int i = 0; i < shared->n_shards; i++)
		c->to_control[i].ring = shared->control_rings[i];
	c->backend = crypto_create(shared->config->crypto_backend, numa_node, why);
	if (!c->backend) {
		rte_free(c);
		return NULL;
	}
	c->whole = crypto_burst_hint(c->backend) > 1 ? AU_BURST : ONE_BY_ONE_BURST;
	c->burst = c->whole;
	return c;
}

void au_crypto_destroy(struct au_crypto *c)
{
	if (!c)
		return;
	crypto_destroy(c->backend);
	wipe(c, sizeof(*c));
	rte_free(c);
}

struct au_counters *au_crypto_counters(struct au_crypto *c)
{
	return &c->counters;
}

const struct crypto *au_crypto_backend(const struct au_crypto *c)
{
	return c->backend;
}
