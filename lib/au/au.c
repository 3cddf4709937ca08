/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_pause.h>

#include "au/instance.h"

enum {
	STEERING_RING = 1024,
	LEARN_RING = 64,
	POOL_CACHE = 512,
	HOUSEKEEPING_HZ = 100,
};

/* ---------------------------------------------------------------- trust snapshots */

static void trust_destroy(struct au_trust *t)
{
	if (!t)
		return;
	for (unsigned int i = 0; i < CRYPTO_CURVE_N; i++)
		crypto_key_free(t->au[i].sign_key);
	pki_trust_free(t->pki);
	free(t);
}

/* What the pipeline needs besides: Cert_AU's prepared key and its hash. NULL: no memory, and pki is
 * still the caller's. */
static struct au_trust *trust_wrap(struct au *au, struct pki_trust *pki, unsigned int epoch)
{
	struct au_trust *t = calloc(1, sizeof(*t));
	const char *why, *backend = au->shared.config->crypto_backend;
	struct crypto *c = crypto_create("openssl", -1, &why);

	if (!t || !c) {
		crypto_destroy(c);
		free(t);
		return NULL;
	}
	t->pki = pki;
	t->epoch = epoch;
	for (unsigned int i = 0; i < CRYPTO_CURVE_N; i++) {
		const struct pki_au *credential = pki_trust_au(pki, (enum crypto_curve)i);

		if (!credential ||
		    crypto_private_key_load(backend, (enum crypto_curve)i, credential->private_key,
					    &t->au[i].sign_key) != CRYPTO_OK)
			continue;
		t->au[i].present = true;
		t->au[i].cert = credential->cert.der;
		crypto_hash_burst(c, &(struct crypto_hash){t->au[i].cert, t->au[i].cert_hash}, 1);
	}
	crypto_destroy(c);
	return t;
}

/* An epoch may be used again when every job that was given it has come back and no half-open
 * context refers to it. All counts have one writer each; the snapshot was replaced at least one
 * poll of every worker ago, so that no worker gives it out any more. */
static bool epoch_unused(const struct au *au, unsigned int epoch)
{
	uint64_t taken = 0, returned = 0, held = 0;

	for (unsigned int i = 0; i < au->n_controls; i++) {
		returned += au_control_jobs_of_epoch(au->controls[i], epoch);
		held += au_control_held(au->controls[i], epoch);
	}
	for (unsigned int i = 0; i < au->n_workers; i++)
		taken += au_worker_jobs_of_epoch(au->workers[i], epoch);
	return taken == returned && held == 0;
}

static void collect_snapshots(struct au *au)
{
	struct au_trust *current = atomic_load(&au->shared.trust);

	for (unsigned int e = 0; e < AU_EPOCHS; e++) {
		if (!au->shared.epochs[e] || au->shared.epochs[e] == current)
			continue;
		bool passed = true;

		for (unsigned int i = 0; i < au->n_workers; i++)
			passed &= au_worker_polls(au->workers[i]) > au->retired_polls[e][i] + 1;
		if (passed && epoch_unused(au, e)) {
			trust_destroy(au->shared.epochs[e]);
			au->shared.epochs[e] = NULL;
		}
	}
}

bool au_reload(struct au *au, struct pki_trust *pki)
{
	struct au_trust *old = atomic_load(&au->shared.trust);
	unsigned int epoch = 0;

	while (epoch < AU_EPOCHS && au->shared.epochs[epoch])
		epoch++;
	if (epoch == AU_EPOCHS)
		return false;

	struct au_trust *t = trust_wrap(au, pki, epoch);

	if (!t)
		return false;
	au->shared.epochs[epoch] = t;
	atomic_store_explicit(&au->shared.trust, t, memory_order_release);
	if (old)
		for (unsigned int i = 0; i < au->n_workers; i++)
			au->retired_polls[old->epoch][i] = au_worker_polls(au->workers[i]);
	return true;
}

/* The last free epoch is a reload's: what it brings may revoke, what is learned comes again. */
static bool may_learn(const struct au *au)
{
	unsigned int free_epochs = 0;

	for (unsigned int e = 0; e < AU_EPOCHS; e++)
		free_epochs += !au->shared.epochs[e];
	return free_epochs > 1;
}

static void learn_eum(struct au *au, const struct au_job *job)
{
	struct au_trust *current = atomic_load(&au->shared.trust);
	enum pki_error why;
	struct pki_trust *more =
		pki_trust_with_eum(current->pki, job->cert_eum, job->cert_subca, time(NULL), &why);

	if (more && !au_reload(au, more))
		pki_trust_free(more);
}

/* EUMs that came with an AUTHENTICATION RESPONSE and were found good on the way. */
static void learn(struct au *au)
{
	struct au_job *job;

	while (rte_ring_dequeue(au->shared.learn, (void **)&job) == 0) {
		if (may_learn(au))
			learn_eum(au, job);
		au_control_job_done(au->controls[job->shard], job);
	}
}

/* ---------------------------------------------------------------- making */

bool au_fail(struct au *au, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(au->why, au->why_size, format, args);
	va_end(args);
	return false;
}

static bool make_ans(struct au *au)
{
	const struct config *config = au->shared.config;
	struct au_shared *s = &au->shared;
	const char *why;
	struct sec *sec = sec_create(&why);

	if (!sec)
		return au_fail(au, "%s", why);
	for (unsigned int i = 0; i < config->n_ans; i++)
		s->n_ans += config->ans[i].count;
	s->ans = calloc(s->n_ans, sizeof(*s->ans));
	s->an_ready = calloc(s->n_ans, sizeof(*s->an_ready));
	for (unsigned int i = 0, at = 0; s->ans && s->an_ready && i < config->n_ans; i++)
		for (unsigned int j = 0; j < config->ans[i].count; j++, at++) {
			net_addr_add(&config->ans[i].first, j, &s->ans[at].address);
			net_addr_add(&config->ans[i].n3_first, j, &s->ans[at].n3_address);
			snprintf(s->ans[at].name, sizeof(s->ans[at].name), "%s-%u",
				 config->ans[i].name, j + 1);
			s->ans[at].key = sec_an_key_create(sec, config->ans[i].key);
		}
	s->fingerprint_key = sec_fingerprint_key_create(sec);
	sec_destroy(sec);
	if (!s->fingerprint_key)
		return au_fail(au, "no memory or no entropy for the fingerprints' key");
	s->an_index = s->ans ? au_an_index_create(s->ans, s->n_ans) : NULL;
	return s->an_index && s->an_ready ? true : au_fail(au, "no memory for the access nodes");
}

static struct rte_ring *make_ring(const char *kind, unsigned int i, unsigned int size,
				  unsigned int flags)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "cpau_%s_%u", kind, i);
	return rte_ring_create(name, rte_align32pow2(size + 1), SOCKET_ID_ANY, flags);
}

static void touch(struct rte_mempool *pool, void *arg, void *object, unsigned int i)
{
	(void)arg;
	(void)i;
	memset(object, 0, pool->elt_size);
}

/* A pool whose objects are taken last in, first out: what is taken next is what was in use just
 * now, and in the cache. The default, a ring, would go round all of its memory. Of the objects, a
 * fifth at most lies in the lcores' own caches, out of the others' reach. */
static struct rte_mempool *make_pool(const struct au *au, const char *name, unsigned int n,
				     size_t size)
{
	unsigned int cache = n / (8 * au->shared.config->n_lcores);
	struct rte_mempool *pool =
		rte_mempool_create_empty(name, n, (unsigned int)size,
					 RTE_MIN(cache, (unsigned)POOL_CACHE), 0, SOCKET_ID_ANY, 0);

	if (!pool)
		return NULL;
	if (rte_mempool_set_ops_byname(pool, "lf_stack", NULL) != 0 ||
	    rte_mempool_populate_default(pool) < 0) {
		rte_mempool_free(pool);
		return NULL;
	}
	rte_mempool_obj_iter(pool, touch, NULL);
	return pool;
}

/* Rings hold as many as there are jobs, so that only the jobs run out. */
static bool make_rings(struct au *au)
{
	struct au_shared *s = &au->shared;
	unsigned int jobs = s->config->ue.jobs;
	bool ok = true;

	s->jobs = make_pool(au, "cpau_jobs", jobs, sizeof(struct au_job));
	if (!s->jobs)
		return au_fail(
			au, "no memory for %u jobs of %zu octets: lower ue.jobs, or give EAL more",
			jobs, sizeof(struct au_job));
	s->jobs_reserve = jobs / 4;
	s->jobs_plenty = s->jobs_reserve + AU_PLENTY_POLLS * NET_BURST * au->n_workers;
	s->request_rings = calloc(au->n_cryptos, sizeof(struct rte_ring *));
	s->response_rings = calloc(au->n_cryptos, sizeof(struct rte_ring *));
	s->control_rings = calloc(au->n_controls, sizeof(struct rte_ring *));
	au->steering = calloc(au->n_workers, sizeof(struct rte_ring *));
	ok = s->request_rings && s->response_rings && s->control_rings && au->steering;
	for (unsigned int i = 0; ok && i < au->n_cryptos; i++)
		ok = (s->request_rings[i] = make_ring("requests", i, jobs, RING_F_SC_DEQ)) &&
		     (s->response_rings[i] = make_ring("responses", i, jobs, RING_F_SC_DEQ));
	for (unsigned int i = 0; ok && i < au->n_controls; i++)
		ok = (s->control_rings[i] = make_ring("control", i, jobs, RING_F_SC_DEQ)) != NULL;
	for (unsigned int i = 0; ok && i < au->n_workers; i++)
		ok = (au->steering[i] = make_ring("steering", i, STEERING_RING, RING_F_SC_DEQ)) !=
		     NULL;
	s->answers = make_ring("answers", 0, STEERING_RING, RING_F_SC_DEQ);
	s->learn = make_ring("learn", 0, LEARN_RING, RING_F_SC_DEQ);
	return ok && s->learn && s->answers
		       ? true
		       : au_fail(au, "no memory for the rings between the stages");
}

/* What admission goes by. */
static bool make_demand(struct au *au)
{
	struct au_shared *s = &au->shared;

	s->paces = aligned_alloc(_Alignof(struct au_pace), au->n_cryptos * sizeof(*s->paces));
	s->demand = calloc(au->n_workers, sizeof(*s->demand));
	if (!s->paces || !s->demand)
		return au_fail(au, "no memory for admission control");
	for (unsigned int i = 0; i < au->n_cryptos; i++)
		atomic_init(&s->paces[i].cycles, s->tsc_hz / AU_FIRST_PACE_HZ);
	for (unsigned int i = 0; i < au->n_workers; i++)
		if (!(s->demand[i] = calloc(s->n_ans, sizeof(**s->demand))))
			return au_fail(au, "no memory for admission control");
	return true;
}

static bool make_tables(struct au *au)
{
	struct au_shared *s = &au->shared;

	s->tables = calloc(au->n_controls, sizeof(struct ue_table *));
	for (unsigned int i = 0; s->tables && i < au->n_controls; i++) {
		s->tables[i] = ue_table_create(&(struct ue_table_config){
			.shard = i,
			.capacity = RTE_MAX(1u, s->config->ue.max / au->n_controls),
			.max_half_open = RTE_MAX(1u, s->config->ue.max_half_open / au->n_controls),
			.ticks_now = au_tick(s, rte_rdtsc()),
			.replay_ticks = s->config->timers.replay_s * AU_TICKS_PER_S,
			.numa_node = -1,
		});
		if (!s->tables[i])
			return au_fail(
				au,
				"no memory for %u UE contexts of %zu octets: lower ue.max, or give "
				"EAL more",
				s->config->ue.max, ue_table_octets_per_ue());
	}
	return s->tables != NULL;
}

static struct cn_local *make_cn(struct au *au, unsigned int shard)
{
	const struct config *config = au->shared.config;
	struct au_pools pools = au_pools_of(config);

	return cn_local_create(&(struct cn_local_config){
		.dnn = config->session.dnn,
		.first_address = pools.first_ipv4 + shard * pools.ipv4_share,
		.addresses = pools.ipv4_share,
		.first_prefix = pools.first_prefix + shard * pools.prefix_share,
		.prefixes = pools.prefix_share,
		.capacity = RTE_MAX(1u, config->ue.max / au->n_controls),
	});
}

static bool make_user_plane(struct au *au)
{
	if (au->n_gates > 0)
		au->shared.user_plane = au_user_plane_create(&au->shared, au->why, au->why_size);
	return au->n_gates == 0 || au->shared.user_plane;
}

/* Whether each packet must be looked at to find its worker: some port does not spread by itself. */
static bool must_steer(const struct au *au)
{
	for (unsigned int i = 0; i < au->shared.n_nifs; i++)
		if (au->n_workers > 1 && !au->shared.nifs[i].rss &&
		    au->shared.config->ports[i].serves & CONFIG_SERVES_AN)
			return true;
	return false;
}

static bool make_worker(struct au *au, struct au_lcore *l)
{
	unsigned int index = au->made_workers++;
	bool steer = must_steer(au);
	struct au_worker_config config = {.index = index,
					  .n_workers = au->n_workers,
					  .numa_node = (int)rte_lcore_to_socket_id(l->lcore),
					  .steering = steer ? au->steering : NULL};

	if (au->shared.user_plane)
		config.gates = au_user_plane_rings(au->shared.user_plane, &config.n_gates);

	struct au_worker *w = au_worker_create(&au->shared, &config);

	au->workers[index] = w;
	if (!w)
		return au_fail(au, "no memory for a worker");
	for (unsigned int i = 0; i < au->shared.n_nifs; i++) {
		/* Queues go round the workers; a worker without one still needs the port's parser
		 * for what is steered to it. */
		bool any = false;

		if (!(au->shared.config->ports[i].serves & CONFIG_SERVES_AN))
			continue;
		for (unsigned int q = index; q < au->rx_queues[i]; q += au->n_workers, any = true)
			if (!au_worker_add_queue(w, i, (uint16_t)q, au->pools[i]))
				return au_fail(au, "no memory for a worker's queue");
		if (!any && !au_worker_add_queue(w, i, UINT16_MAX, au->pools[i]))
			return au_fail(au, "no memory for a worker's queue");
	}
	l->stages[l->n_stages++] = (struct au_stage){CONFIG_STAGE_WORKER, w, au_worker_counters(w)};
	return true;
}

static bool make_control(struct au *au, struct au_lcore *l)
{
	unsigned int shard = au->made_controls++;
	char name[RTE_MEMPOOL_NAMESIZE];
	const char *why = "no memory for the control stage";

	struct au_control_config config = {.shard = shard,
					   .numa_node = (int)rte_lcore_to_socket_id(l->lcore),
					   .tx_pool = au->pools[0],
					   .cn = &cn_local_ops};

	au_ports_tx_queues(au, l, config.tx_queues);
	au->cns[shard] = config.cn_arg = make_cn(au, shard);
	snprintf(name, sizeof(name), "cpau_indirect_%u", shard);
	config.indirect_pool = rte_pktmbuf_pool_create(name, 1024, 64, 0, 0, config.numa_node);
	if (au->cns[shard] && config.indirect_pool)
		au->controls[shard] = au_control_create(&au->shared, &config, &why);
	if (!au->controls[shard])
		return au_fail(au, "%s", why);
	l->stages[l->n_stages++] = (struct au_stage){CONFIG_STAGE_CONTROL, au->controls[shard],
						     au_control_counters(au->controls[shard])};
	return true;
}

static bool make_crypto(struct au *au, struct au_lcore *l)
{
	unsigned int index = au->made_cryptos++;
	const char *why;

	au->cryptos[index] =
		au_crypto_create(&au->shared, index, (int)rte_lcore_to_socket_id(l->lcore), &why);
	if (!au->cryptos[index])
		return au_fail(au, "crypto-backend: %s", why);
	l->stages[l->n_stages++] = (struct au_stage){CONFIG_STAGE_CRYPTO, au->cryptos[index],
						     au_crypto_counters(au->cryptos[index])};
	return true;
}

/* Ports that workers read hand it their frames; the queues of the others go round the gates. */
static bool make_gate(struct au *au, struct au_lcore *l)
{
	unsigned int index = au->made_gates++;
	uint16_t queues[CONFIG_PORTS_MAX];

	au_ports_tx_queues(au, l, queues);

	struct gate *g =
		au_user_plane_add_gate(au->shared.user_plane, (int)rte_lcore_to_socket_id(l->lcore),
				       queues, au->pools[au->shared.n_nifs - 1]);

	if (!g)
		return au_fail(au, "no memory for a gate");
	for (unsigned int i = 0; i < au->shared.n_nifs; i++)
		for (unsigned int q = index;
		     !(au->shared.config->ports[i].serves & CONFIG_SERVES_AN) &&
		     q < au->rx_queues[i];
		     q += au->n_gates)
			if (!gate_add_queue(g, i, (uint16_t)q, au->pools[i]))
				return au_fail(au, "no memory for a gate's queue");
	l->stages[l->n_stages++] = (struct au_stage){CONFIG_STAGE_GATE, g, &l->gate_counters};
	return true;
}

/* The stages of each lcore, in the order in which a job passes them. */
static bool make_stages(struct au *au)
{
	static bool (*const make[])(struct au *, struct au_lcore *) = {make_worker, make_crypto,
								       make_control, make_gate};
	const struct config *config = au->shared.config;

	for (unsigned int i = 0; i < config->n_lcores; i++) {
		struct au_lcore *l = &au->lcores[au->n_lcores++];

		l->au = au;
		l->lcore = config->lcores[i].lcore;
		if (!rte_lcore_is_enabled(l->lcore))
			return au_fail(
				au,
				"lcore %u is not among EAL's: add it to -l or --lcores in `eal`",
				l->lcore);
		for (unsigned int kind = 0; kind < RTE_DIM(make); kind++)
			for (unsigned int j = 0; j < config->lcores[i].n_stages; j++)
				if (config->lcores[i].stages[j] == kind && !make[kind](au, l))
					return false;
	}
	return true;
}

/* Where the crypto stages have a use for it. */
static bool make_multiples(struct au *au)
{
	struct au_shared *s = &au->shared;
	unsigned int n = s->config->ue.key_multiples;

	if (n == 0 || !crypto_leaves_multiples(au_crypto_backend(au->cryptos[0]), CRYPTO_P256))
		return true;
	s->multiples = make_pool(au, "cpau_multiples", n, sizeof(struct crypto_multiples));
	return s->multiples ||
	       au_fail(au,
		       "no memory for %u keys' multiples of %zu octets: lower ue.key-multiples, or "
		       "give EAL more",
		       n, sizeof(struct crypto_multiples));
}

static bool make_all(struct au *au, struct pki_trust *trust)
{
	const struct config *config = au->shared.config;
	struct au_shared *s = &au->shared;

	au->n_workers = s->n_workers = config_stage_count(config, CONFIG_STAGE_WORKER);
	au->n_cryptos = s->n_crypto = config_stage_count(config, CONFIG_STAGE_CRYPTO);
	au->n_controls = s->n_shards = config_stage_count(config, CONFIG_STAGE_CONTROL);
	au->n_gates = config_stage_count(config, CONFIG_STAGE_GATE);
	s->tsc_hz = rte_get_tsc_hz();
	s->tsc_per_tick = s->tsc_hz / AU_TICKS_PER_S;
	snprintf(s->realm, sizeof(s->realm), "rsp.5gc.mnc%s%s.mcc%s.3gppnetwork.org",
		 strlen(config->mnc) == 2 ? "0" : "", config->mnc, config->mcc);
	snprintf(s->serving_network, sizeof(s->serving_network), "5G:mnc%s%s.mcc%s.3gppnetwork.org",
		 strlen(config->mnc) == 2 ? "0" : "", config->mnc, config->mcc);
	if (!make_ans(au) || !make_rings(au) || !make_demand(au) || !make_tables(au) ||
	    !au_ports_make(au) || !make_user_plane(au) || !make_stages(au) || !make_multiples(au)) {
		pki_trust_free(trust);
		return false;
	}
	if (au_reload(au, trust))
		return true;
	pki_trust_free(trust);
	return au_fail(au, "no memory for the trust snapshot");
}

struct au *au_create(const struct config *config, struct pki_trust *trust, char *why,
		     size_t why_size)
{
	struct au *au = calloc(1, sizeof(*au));

	snprintf(why, why_size, "out of memory");
	if (!au)
		return NULL;
	au->shared.config = config;
	au->why = why;
	au->why_size = why_size;
	if (make_all(au, trust))
		return au;
	au_destroy(au);
	return NULL;
}

void au_destroy(struct au *au)
{
	if (!au)
		return;
	net_interlock_destroy(au->interlock);
	for (unsigned int i = 0; i < au->made_controls; i++) {
		au_control_destroy(au->controls[i]);
		cn_local_destroy(au->cns[i]);
	}
	au_user_plane_destroy(au->shared.user_plane);
	for (unsigned int i = 0; i < au->made_cryptos; i++)
		au_crypto_destroy(au->cryptos[i]);
	for (unsigned int i = 0; i < au->made_workers; i++)
		au_worker_destroy(au->workers[i]);
	for (unsigned int e = 0; e < AU_EPOCHS; e++)
		trust_destroy(au->shared.epochs[e]);
	for (unsigned int i = 0; au->shared.tables && i < au->n_controls; i++)
		ue_table_destroy(au->shared.tables[i]);
	for (unsigned int i = 0; au->shared.ans && i < au->shared.n_ans; i++)
		sec_an_key_destroy(au->shared.ans[i].key);
	sec_fingerprint_key_destroy(au->shared.fingerprint_key);
	au_an_index_destroy(au->shared.an_index);
	free(au->shared.ans);
	free((void *)(uintptr_t)au->shared.an_ready);
	free(au->shared.nifs);
	free(au->shared.tables);
	free(au->shared.request_rings);
	free(au->shared.response_rings);
	free(au->shared.paces);
	for (unsigned int i = 0; au->shared.demand && i < au->n_workers; i++)
		free(au->shared.demand[i]);
	free(au->shared.demand);
	free(au->shared.control_rings);
	free(au->steering);
	free(au);
}

/* ---------------------------------------------------------------- running */

/* A gate may take as much of a turn as the other stages of its lcore have taken, in bursts: so
 * traffic and attaches each get half of a core that has too little for both. */
static unsigned int poll_gate(struct au_lcore *l, struct gate *gate, uint64_t others)
{
	unsigned int n, done = 0;

	do {
		n = gate_poll(gate);
		done += n;
	} while (n >= NET_BURST && rte_rdtsc() - l->last < others);
	l->hurried = n >= NET_BURST;
	return done;
}

/* *more: a worker of this turn took as much as it can at a time, so that there may be more. begin:
 * of the turn. */
static unsigned int poll_stage(struct au_lcore *l, const struct au_stage *s, uint64_t begin,
			       bool *more)
{
	unsigned int done;

	switch (s->kind) {
	case CONFIG_STAGE_WORKER:
		done = au_worker_poll(s->context);
		*more |= done >= NET_BURST;
		return done;
	case CONFIG_STAGE_CRYPTO:
		au_crypto_hurry(s->context, l->hurried);
		return au_crypto_poll(s->context, *more);
	case CONFIG_STAGE_GATE:
		return poll_gate(l, s->context, l->last - begin);
	default:
		return au_control_poll(s->context);
	}
}

/* One turn of an lcore, and what it took. */
static bool poll_lcore(struct au_lcore *l)
{
	uint64_t begin = l->last, busy = 0;
	bool more = false;

	if (!net_interlock_open(l->au->interlock, l->lcore)) {
		l->last = rte_rdtsc();
		au_count(&l->idle, l->last - begin);
		return false;
	}
	for (unsigned int i = 0; i < l->n_stages; i++) {
		unsigned int done = poll_stage(l, &l->stages[i], begin, &more);
		uint64_t now = rte_rdtsc();

		if (done > 0) {
			au_count(&l->stages[i].counters->busy, now - l->last);
			busy += now - l->last;
		}
		l->last = now;
	}
	au_count(&l->busy, busy);
	au_count(&l->idle, l->last - begin - busy);
	return busy > 0;
}

static int run_lcore(void *arg)
{
	struct au_lcore *l = arg;

	l->last = rte_rdtsc();
	net_interlock_enter(l->au->interlock, l->lcore);
	while (atomic_load_explicit(&l->au->running, memory_order_relaxed))
		if (!poll_lcore(l))
			rte_pause();
	net_interlock_leave(l->au->interlock, l->lcore);
	return 0;
}

void au_start(struct au *au)
{
	atomic_store(&au->running, true);
	for (unsigned int i = 0; i < au->n_lcores; i++) {
		au->lcores[i].last = rte_rdtsc();
		if (au->lcores[i].lcore != rte_get_main_lcore()) {
			rte_eal_remote_launch(run_lcore, &au->lcores[i], au->lcores[i].lcore);
			continue;
		}
		au->main_lcore = &au->lcores[i];
		net_interlock_enter(au->interlock, au->lcores[i].lcore);
	}
}

bool au_poll(struct au *au)
{
	bool found = au->main_lcore && poll_lcore(au->main_lcore);
	uint64_t now = rte_rdtsc();

	if (now >= au->next_housekeeping) {
		au->next_housekeeping = now + au->shared.tsc_hz / HOUSEKEEPING_HZ;
		learn(au);
		collect_snapshots(au);
		if (au->shared.user_plane)
			au_user_plane_housekeep(au->shared.user_plane);
	}
	return found;
}

void au_drain(struct au *au)
{
	atomic_store(&au->shared.mode, AU_DRAINING);
}

bool au_idle(const struct au *au)
{
	for (unsigned int s = UE_AUTHENTICATION; s < UE_ATTACHED; s++)
		if (au_ues(au, (enum ue_state)s) > 0)
			return false;
	return rte_mempool_in_use_count(au->shared.jobs) == 0;
}

void au_stop(struct au *au)
{
	uint64_t until = rte_rdtsc() + au->shared.tsc_hz;

	atomic_store(&au->shared.mode, AU_STOPPING);
	while (!au_idle(au) && rte_rdtsc() < until)
		au_poll(au);
	/* Let the last answers leave. */
	until = rte_rdtsc() + au->shared.tsc_hz / 20;
	while (rte_rdtsc() < until)
		au_poll(au);
	atomic_store(&au->running, false);
	rte_eal_mp_wait_lcore();
	/* Stopping a port and a peer's leaving may not meet either: both free the same memory. */
	unsigned int lcore = rte_get_main_lcore();

	net_interlock_enter(au->interlock, lcore);
	net_interlock_wait(au->interlock, lcore);
	for (unsigned int i = 0; i < au->shared.n_nifs; i++)
		net_port_stop(&au->shared.nifs[i]);
	net_interlock_leave(au->interlock, lcore);
	net_interlock_destroy(au->interlock);
	au->interlock = NULL;
}
