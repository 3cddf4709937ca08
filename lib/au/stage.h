/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stage: the boxes of the pipeline. Each is a context, one poll function that handles a burst
 * and says whether it found work, and a block of counters that it alone writes.
 *
 *	NIC RX -> worker -> crypto -> control -> NIC TX
 *
 * An lcore polls a list of stages in turn. A poll never blocks, allocates or logs.
 */
#ifndef CPAU_AU_STAGE_H
#define CPAU_AU_STAGE_H

#include <stdatomic.h>

#include <rte_mempool.h>
#include <rte_ring.h>

#include "au/admission.h"
#include "au/counters.h"
#include "au/job.h"
#include "config/config.h"
#include "cn/cn.h"

enum {
	AU_BURST = 128,	       /* packets or jobs a poll */
	AU_EPOCHS = 8,	       /* trust snapshots alive at once */
	AU_PLENTY_POLLS = 16,  /* of a worker, between counts of free jobs while there are plenty */
	AU_FRAGMENT_MS = 1000, /* for fragments of a datagram to come */
	AU_TICKS_PER_S = 100,  /* timer resolution 10 ms */
	AU_WINDOW_MS = 50,     /* of admission */
	/* ATTACH REQUESTs a second that a crypto stage is believed to serve until it is measured:
	 * more than any does, so that a queue forms and it can be. */
	AU_FIRST_PACE_HZ = 50000,
};

/* A trust snapshot as the pipeline sees it: what lib/pki loaded, and what follows from it. */
struct au_trust {
	struct pki_trust *pki;
	unsigned int epoch; /* < AU_EPOCHS */
	struct {
		bool present;
		struct crypto_key *sign_key;
		struct span cert; /* Cert_AU */
		uint8_t cert_hash[CRYPTO_DIGEST_SIZE];
	} au[CRYPTO_CURVE_N];
};

/* An access node: constant after start, but for what control learns of it. */
struct au_an {
	struct net_addr address;    /* of its AN link */
	struct net_addr n3_address; /* of its GTP-U; often the same */
	char name[65];
	struct sec_an_key *key; /* read-only: shared by all shards */
};

/* Finds ANs by either address: open addressing, filled at start, read by everybody. */
struct au_an_index;
struct au_an_index *au_an_index_create(const struct au_an *ans, unsigned int n);
void au_an_index_destroy(struct au_an_index *index);
/* The AN's index, or -1. */
int au_an_find(const struct au_an_index *index, const struct net_addr *address);

/* The first of the operator's algorithms that the UE has (TS 33.501 6.7.2). False: there is none.
 */
bool au_choose_algorithms(const struct config *config, const uint8_t *capability, size_t n,
			  uint8_t *nia, uint8_t *nea);

/* Addresses of a family for each UE, where the pool has them: with a session in every context as
 * many again are free, so that one that was given back is given again after ue.max others, when
 * nothing is on its way to its last UE any more. */
enum { AU_ADDRESSES_PER_UE = 2 };

/* What each shard may give to UEs: a share of the pools, one after the other. */
struct au_pools {
	uint32_t first_ipv4, ipv4_share; /* host order; addresses a shard */
	uint64_t first_prefix;		 /* host order, a /64 each */
	uint32_t prefix_share;		 /* 0: no IPv6 */
};
struct au_pools au_pools_of(const struct config *config);

/* What a crypto stage says of its speed, on a cache line of its own: TSC cycles between two ATTACH
 * REQUESTs that it takes up while more are waiting, whatever its lcore does in between. As of the
 * last time that there was a queue. */
struct au_pace {
	_Alignas(RTE_CACHE_LINE_SIZE) _Atomic uint64_t cycles;
};

enum au_mode { AU_RUNNING, AU_DRAINING, AU_STOPPING };

/* What all stages share: constant after start but for the atomics. */
struct au_shared {
	const struct config *config;
	struct net_if *nifs;
	unsigned int n_nifs;
	struct au_an *ans;
	unsigned int n_ans;
	struct au_an_index *an_index;
	/* one an AN: set by the control stage that answered its AN SETUP */
	_Atomic uint8_t *an_ready;
	struct sec_fingerprint_key *fingerprint_key; /* read-only: steps 1 and 5 may meet
							different workers */
	struct rte_mempool *jobs;
	struct rte_mempool *multiples; /* of device keys; NULL where the backend leaves none */
	unsigned int jobs_reserve;     /* ATTACH REQUESTs leave this many to later messages */
	unsigned int jobs_plenty; /* with so many free, AU_PLENTY_POLLS of all workers leave the
				     reserve */
	/* one a crypto stage each: ATTACH REQUESTs wait until AUTHENTICATION RESPONSEs are done */
	struct rte_ring **request_rings, **response_rings;
	struct au_pace *paces; /* one a crypto stage */
	unsigned int n_crypto;
	struct au_demand **demand; /* one a worker: one an AN */
	unsigned int n_workers;
	struct rte_ring **control_rings; /* one a shard */
	unsigned int n_shards;
	struct ue_table **tables;	  /* one a shard */
	struct au_user_plane *user_plane; /* NULL: no gate is configured */
	struct rte_ring *answers;	  /* frames of workers (ARP, ND, echo) -> control shard 0 */
	struct rte_ring *learn;		  /* jobs with an EUM to learn; control -> main */
	char serving_network[64];
	char realm[64];
	uint64_t tsc_hz;
	uint64_t tsc_per_tick;
	_Atomic(struct au_trust *) trust; /* written by main; workers pick it up at each poll */
	/* By epoch, written by main before it is published: who holds an epoch finds its snapshot.
	 */
	struct au_trust *epochs[AU_EPOCHS];
	_Atomic int mode; /* enum au_mode */
};

static inline uint64_t au_tick(const struct au_shared *shared, uint64_t tsc)
{
	return tsc / shared->tsc_per_tick;
}

/* Single-writer counters that others read: a plain add through a relaxed atomic. */
static inline void au_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* The end of a job, wherever it comes. */
static inline void au_job_free(struct au_shared *shared, struct au_job *job)
{
	if (job->multiples)
		rte_mempool_put(shared->multiples, job->multiples);
	if (job->kind == AU_JOB_ATTACH || job->kind == AU_JOB_RESPONSE)
		au_job_wipe(job);
	rte_mempool_put(shared->jobs, job);
}

/* ---------------------------------------------------------------- worker */

struct au_worker;

struct au_worker_config {
	unsigned int index; /* among workers */
	unsigned int n_workers;
	int numa_node;
	struct rte_ring **steering; /* one a worker, NULL when the ports spread by themselves */
	struct rte_ring **gates;    /* one a gate: frames for the user plane; NULL: none */
	unsigned int n_gates;
};

struct au_worker *au_worker_create(struct au_shared *shared, const struct au_worker_config *config);
void au_worker_destroy(struct au_worker *w);
/* Adds a queue of a port to those that this worker reads. Before launch only. False: no memory, or
 * too many queues. */
bool au_worker_add_queue(struct au_worker *w, unsigned int nif, uint16_t queue,
			 struct rte_mempool *pool);
/* Returns the number of packets handled. */
unsigned int au_worker_poll(struct au_worker *w);
struct au_counters *au_worker_counters(struct au_worker *w);
uint64_t au_worker_net_counter(const struct au_worker *w, enum net_counter counter);
/* Polls finished: a change says that the worker sees what was published before. */
uint64_t au_worker_polls(const struct au_worker *w);
/* Jobs that were given the snapshot of this epoch. */
uint64_t au_worker_jobs_of_epoch(const struct au_worker *w, unsigned int epoch);

/* ---------------------------------------------------------------- crypto */

struct au_crypto;

/* NULL, with *why set, when the backend cannot run. */
struct au_crypto *au_crypto_create(struct au_shared *shared, unsigned int index, int numa_node,
				   const char **why);
void au_crypto_destroy(struct au_crypto *c);
/* Returns the number of jobs handled. more_coming: a worker on the same lcore will bring more in
 * its next turn; then jobs wait, for a few turns at most, until they fill a burst. */
unsigned int au_crypto_poll(struct au_crypto *c, bool more_coming);
/* Whether others of its lcore are pressed for time: then its bursts are short. */
void au_crypto_hurry(struct au_crypto *c, bool hurry);
/* The arithmetic alone: runs the programmes of n jobs (n <= AU_BURST). */
void au_crypto_run(struct au_crypto *c, struct au_job **jobs, unsigned int n);
struct au_counters *au_crypto_counters(struct au_crypto *c);
const struct crypto *au_crypto_backend(const struct au_crypto *c);

/* ---------------------------------------------------------------- control */

struct au_control;

struct au_control_config {
	unsigned int shard;
	int numa_node;
	uint16_t tx_queues[CONFIG_PORTS_MAX];
	struct rte_mempool *tx_pool;	   /* mbufs of answers */
	struct rte_mempool *indirect_pool; /* for IP fragmentation */
	const struct cn_ops *cn;
	void *cn_arg;
};

struct au_control *au_control_create(struct au_shared *shared,
				     const struct au_control_config *config, const char **why);
void au_control_destroy(struct au_control *c);
/* Returns the number of jobs and timers handled. */
unsigned int au_control_poll(struct au_control *c);
struct au_counters *au_control_counters(struct au_control *c);
/* Access nodes that it told to hold back. */
unsigned int au_control_holding_back(const struct au_control *c);
/* The main lcore is done with a job that it got through the learn ring. */
void au_control_job_done(struct au_control *c, struct au_job *job);
/* Jobs of this epoch that were given back, and contexts that still refer to it. */
uint64_t au_control_jobs_of_epoch(const struct au_control *c, unsigned int epoch);
uint64_t au_control_held(const struct au_control *c, unsigned int epoch);

#endif
