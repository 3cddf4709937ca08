/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the stages keep and pass on: UE contexts and their indexes, jobs, rings, sessions. Hot in a
 * small table, cold in one of the size that is usual; contexts are taken anew in the order of the
 * free list, which is that of the slab.
 */
#include <stdlib.h>

#include <rte_common.h>
#include <rte_errno.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "au/stage.h"
#include "cn/cn.h"
#include "micro/micro.h"

enum {
	SMALL = 256,
	LARGE = 131072,
	JOBS = 8192,
	POOL_CACHE = 512,
	REPLAY_TICKS = 100 * AU_TICKS_PER_S,
	T3560_TICKS = 6 * AU_TICKS_PER_S,
};
#define NOW UINT64_C(1000000)

static struct ue_table *small, *large;
static struct ue *taken[MICRO_CHUNK];
static struct ue *standing[MICRO_ITEMS]; /* in the large table; the first are in the small one */
static struct ue *standing_small[MICRO_TURN];
static uint64_t ids[MICRO_ITEMS], ids_small[MICRO_TURN];
static struct rte_mempool *jobs;
static struct rte_ring *ring;
static void *in_hand[MICRO_CHUNK];
static struct au_job *every[JOBS]; /* of the pool, in the order of memory */
static struct cn_local *cn;

static struct ue_table *table(void)
{
	return micro_cold ? large : small;
}

static struct ue *context(uint32_t item)
{
	return micro_cold ? standing[item] : standing_small[item];
}

static uint64_t id_of(uint32_t item)
{
	return micro_cold ? ids[item] : ids_small[item];
}

/* ---------------------------------------------------------------- contexts */

static struct ue_table *create(unsigned int capacity)
{
	struct ue_table *t = ue_table_create(&(struct ue_table_config){.capacity = capacity,
								       .max_half_open = capacity,
								       .ticks_now = NOW,
								       .replay_ticks = REPLAY_TICKS,
								       .numa_node = -1});

	micro_check(t != NULL, "no memory for a UE table");
	return t;
}

static void set_state(struct ue_table *t, struct ue *ue, enum ue_state state)
{
	ue_table_write_begin(ue);
	ue_table_set_state(t, ue, state);
	ue_table_write_end(ue);
}

/* EIDs and RAND_UEs that differ, whatever the item was copied from. */
static void identify(struct ue *ue, uint32_t number)
{
	const struct micro_item *item = &micro.items[number % MICRO_ITEMS];

	memcpy(ue->eid, item->eid, sizeof(ue->eid));
	memcpy(ue->rand_ue, item->rand_ue, sizeof(ue->rand_ue));
	store_be32(ue->eid, number);
	store_be32(ue->rand_ue, number);
}

static struct ue *stand(struct ue_table *t, uint32_t item)
{
	struct ue *ue = ue_table_allocate(t);

	micro_check(ue != NULL, "a UE table is full");
	set_state(t, ue, UE_AUTHENTICATION);
	identify(ue, item);
	ue_table_remember_rand(t, ue, NOW);
	ue_table_index_eid(t, ue);
	ue_table_arm(t, ue, NOW + T3560_TICKS);
	return ue;
}

static void prepare_tables(const struct micro_case *c)
{
	(void)c;
	if (small)
		return;
	small = create(SMALL);
	large = create(LARGE);
	for (uint32_t i = 0; i < MICRO_TURN; i++) {
		standing_small[i] = stand(small, i);
		ids_small[i] = ue_table_id(small, standing_small[i]);
	}
	for (uint32_t i = 0; i < MICRO_ITEMS; i++) {
		standing[i] = stand(large, i);
		ids[i] = ue_table_id(large, standing[i]);
	}
}

static void allocate(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	(void)items;
	for (unsigned int i = 0; i < n; i++)
		taken[i] = ue_table_allocate(table());
}

static void release(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	(void)items;
	for (unsigned int i = 0; i < n; i++)
		ue_table_release(table(), taken[i]);
}

/* For what is done to a new context. */
static void take_new(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	allocate(c, items, n);
	for (unsigned int i = 0; i < n; i++) {
		set_state(table(), taken[i], UE_AUTHENTICATION);
		identify(taken[i], items[i] + MICRO_ITEMS * (1 + i));
	}
}

static void index_eid(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	(void)items;
	for (unsigned int i = 0; i < n; i++)
		ue_table_index_eid(table(), taken[i]);
}

static void arm_new(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	(void)items;
	for (unsigned int i = 0; i < n; i++)
		ue_table_arm(table(), taken[i], NOW + T3560_TICKS);
}

static void find(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	unsigned int found = 0;

	(void)c;
	for (unsigned int i = 0; i < n; i++)
		found += ue_table_find(table(), id_of(items[i])) != NULL;
	micro_check(found == n, "a context is lost");
}

static void read_half_open(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	unsigned int found = 0;
	struct ue_view view;

	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		found += ue_table_read(table(), id_of(items[i]), &view);
		wipe(&view, sizeof(view));
	}
	micro_check(found == n, "a context cannot be read");
}

static void arm_again(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	for (unsigned int i = 0; i < n; i++)
		ue_table_arm(table(), context(items[i]), NOW + T3560_TICKS + 1);
}

static void change_state(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	for (unsigned int i = 0; i < n; i++)
		set_state(table(), context(items[i]), UE_AUTHENTICATION);
}

static void remember_rand(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	for (unsigned int i = 0; i < n; i++)
		ue_table_remember_rand(table(), context(items[i]), NOW);
}

/* Step 2, of an attach that was hot: what is written is a new context. */
static void write_half_open(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		const struct micro_item *item = &micro.items[items[i] % MICRO_HOT];
		struct ue *ue = context(items[i]);
		struct ue_half_open *h = &ue->half_open;

		ue_table_write_begin(ue);
		memcpy(h->rand_au, item->rand_au, sizeof(h->rand_au));
		memcpy(h->sk_au, item->z, sizeof(h->sk_au));
		memcpy(h->pk_au, item->pk_au + 1, sizeof(h->pk_au));
		memcpy(h->au_signature, item->octets, sizeof(h->au_signature));
		memcpy(h->device_key, item->device_key, sizeof(h->device_key));
		memcpy(h->fingerprint, item->rand_ue, sizeof(h->fingerprint));
		ue_table_write_end(ue);
	}
}

/* Step 6: the half-open part is wiped, and the keys take its place. */
static void write_secured(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct ue_secured secured;

	(void)c;
	memset(&secured, 1, sizeof(secured));
	for (unsigned int i = 0; i < n; i++) {
		struct ue *ue = context(items[i]);

		ue_table_write_begin(ue);
		wipe(&ue->half_open, sizeof(ue->half_open));
		ue->secured = secured;
		ue_table_write_end(ue);
	}
}

/* One that was never seen. */
static void rand_seen(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	unsigned int seen = 0;

	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		const struct ue *ue = context(items[i]);

		seen += ue_table_rand_seen(table(), ue->eid, ue->rand_ue, NOW);
	}
	micro_check(seen == 0, "a RAND_UE is remembered that never came");
}

static void find_rand(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	unsigned int seen = 0;

	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		const struct ue *ue = context(items[i]);

		seen += ue_table_find_rand(table(), ue->eid, ue->rand_ue, NOW) != UE_NONE;
	}
	micro_check(seen == 0, "a RAND_UE is remembered that never came");
}

/* An EID that is not attached. */
static void find_eid(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	unsigned int found = 0;

	(void)c;
	for (unsigned int i = 0; i < n; i++)
		found += ue_table_find_eid(table(), context(items[i])->rand_ue) != NULL;
	micro_check(found == 0, "an EID is found that is not there");
}

/* ---------------------------------------------------------------- jobs and rings */

static void touch(struct rte_mempool *pool, void *arg, void *object, unsigned int i)
{
	(void)arg;
	memset(object, 0, pool->elt_size);
	every[i] = object;
}

static void prepare_jobs(const struct micro_case *c)
{
	(void)c;
	if (jobs)
		return;
	jobs = rte_mempool_create_empty("micro_jobs", JOBS, sizeof(struct au_job), POOL_CACHE, 0,
					SOCKET_ID_ANY, 0);
	ring = rte_ring_create("micro", 2 * JOBS, SOCKET_ID_ANY, RING_F_SC_DEQ);
	micro_check(jobs && ring && rte_mempool_set_ops_byname(jobs, "lf_stack", NULL) == 0 &&
			    rte_mempool_populate_default(jobs) > 0,
		    "no memory for jobs");
	rte_mempool_obj_iter(jobs, touch, NULL);
}

static void take_jobs(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	(void)items;
	for (unsigned int i = 0; i < n; i++) {
		micro_check(rte_mempool_get(jobs, &in_hand[i]) == 0, "no job is free");
	}
}

static void give_jobs(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	(void)items;
	for (unsigned int i = 0; i < n; i++)
		rte_mempool_put(jobs, in_hand[i]);
}

/* What a worker writes down for the crypto stage, without what it looks up for that: jobs go round
 * between more attaches than L2 has room for. */
static void fill_attach(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		const struct micro_item *item = &micro.items[items[i] % MICRO_HOT];
		struct au_job *job = every[items[i]];

		memset(job, 0, offsetof(struct au_job, buffer));
		memcpy(job->rand_ue, item->rand_ue, sizeof(job->rand_ue));
		memcpy(job->eid, item->eid, sizeof(job->eid));
		job->verifies[0].message = au_job_keep(job, item->cert_euicc);
		memcpy(job->verifies[0].signature, item->octets, CRYPTO_SIGNATURE_SIZE);
		memcpy(job->verifies[1].public_key, item->pk_ue + 1, CRYPTO_POINT_SIZE);
		memcpy(job->verifies[1].signature, item->octets, CRYPTO_SIGNATURE_SIZE);
		job->verifies[1].message = au_job_keep(job, span_make(item->octets, 32));
		memcpy(job->device_key, item->pk_ue + 1, CRYPTO_POINT_SIZE);
		micro_keep(job);
	}
}

static void fill_response(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		const struct micro_item *item = &micro.items[items[i] % MICRO_HOT];
		struct au_job *job = every[items[i]];

		memset(job, 0, offsetof(struct au_job, buffer));
		memcpy(job->eid, item->eid, sizeof(job->eid));
		memcpy(job->verifies[0].public_key, item->pk_ue + 1, CRYPTO_POINT_SIZE);
		memcpy(job->verifies[0].signature, item->octets, CRYPTO_SIGNATURE_SIZE);
		job->verifies[0].message = au_job_keep(job, span_make(item->octets, 16 + 65));
		memcpy(job->pk_ue, item->pk_ue + 1, CRYPTO_POINT_SIZE);
		memcpy(job->sk_au, item->z, sizeof(job->sk_au));
		micro_keep(job);
	}
}

static void fill_other(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		const struct micro_item *item = &micro.items[items[i] % MICRO_HOT];
		struct au_job *job = every[items[i]];

		memset(job, 0, offsetof(struct au_job, buffer));
		au_job_keep(job, item->message[MICRO_ATTACH_COMPLETE_SENT]);
		micro_keep(job);
	}
}

static void enqueue(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)items;
	for (unsigned int i = 0; i < n; i += c->batch)
		rte_ring_enqueue_burst(ring, in_hand + i, c->batch, NULL);
}

static void dequeue(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)items;
	for (unsigned int i = 0; i < n; i += c->batch)
		rte_ring_dequeue_burst(ring, in_hand + i, c->batch, NULL);
}

/* ---------------------------------------------------------------- the CP-CN */

static void prepare_cn(const struct micro_case *c)
{
	static const struct cn_local_config config = {
		.dnn = "rsp", .first_address = 10 << 24, .addresses = LARGE, .capacity = LARGE};

	(void)c;
	if (cn)
		return;
	cn = cn_local_create(&config);
	micro_check(cn != NULL, "no memory for sessions");
}

static void create_context(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		struct cn_create_context request = {.slot = items[i]};

		memcpy(request.eid, micro.items[items[i]].eid, sizeof(request.eid));
		cn_local_ops.create_context(cn, &request, 1);
	}
}

static void create_session(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		struct cn_create_session request = {.slot = items[i],
						    .pdu_session_id = 1,
						    .pdu_session_type = CN_PDU_TYPE_IPV4,
						    .dnn = ""};

		cn_local_ops.create_session(cn, &request, 1);
		micro_check(request.cause == CN_OK, "a session is refused");
	}
}

static void end_sessions(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		struct cn_release request = {.slot = items[i]};

		cn_local_ops.release(cn, &request, 1);
	}
}

#define TABLE(title, stage, n, fn)                                              \
	{                                                                       \
		"tables", title, stage, n, .run = fn, .prepare = prepare_tables \
	}
#define COLD(title, stage, n, fn)                                                                 \
	{                                                                                         \
		"tables", title, stage, n, .met_cold = true, .run = fn, .prepare = prepare_tables \
	}
#define JOB(title, stage, n, fn, ...)                                                           \
	{                                                                                       \
		"tables", title, stage, n, .no_cold = true, .run = fn, .prepare = prepare_jobs, \
					   __VA_ARGS__                                          \
	}
#define FILL(title, n, fn)                                                                         \
	{                                                                                          \
		"tables", title, "worker", n, .met_cold = true, .run = fn, .prepare = prepare_jobs \
	}
#define RING(size)                                                                            \
	JOB("ring, enqueued by " #size, NULL, 0, enqueue, .batch = size, .before = take_jobs, \
	    .after = empty_ring),                                                             \
		JOB("ring, dequeued by " #size, NULL, 0, dequeue, .batch = size,              \
		    .before = fill_ring, .after = give_jobs)

static void fill_ring(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	take_jobs(c, items, n);
	rte_ring_enqueue_burst(ring, in_hand, n, NULL);
}

static void empty_ring(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	rte_ring_dequeue_burst(ring, in_hand, n, NULL);
	give_jobs(c, items, n);
}

static const struct micro_case cases[] = {
	COLD("RAND_UE, looked for by a worker", "worker", 1, rand_seen),
	COLD("half-open context, read by a worker", "worker", 1, read_half_open),
	COLD("RAND_UE, looked for", "control", 1, find_rand),
	{"tables", "context, allocated", "control", 1, .met_cold = true, .run = allocate,
	 .prepare = prepare_tables, .after = release},
	COLD("RAND_UE, remembered", "control", 1, remember_rand),
	COLD("context, found by its id", "control", 6, find),
	TABLE("state, changed", "control", 7, change_state),
	{"tables", "timer, armed", "control", 1, .run = arm_new, .prepare = prepare_tables,
	 .before = take_new, .after = release},
	TABLE("timer, armed again", "control", 6, arm_again),
	COLD("EID, looked for", "control", 1, find_eid),
	{"tables", "EID, indexed", "control", 1, .run = index_eid, .prepare = prepare_tables,
	 .before = take_new, .after = release},
	COLD("half-open context, written", "control", 1, write_half_open),
	COLD("secured context, written", "control", 1, write_secured),
	FILL("job of ATTACH REQUEST, written", 1, fill_attach),
	FILL("job of AUTHENTICATION RESPONSE, written", 1, fill_response),
	FILL("job of another message, written", 5, fill_other),
	JOB("job, taken from the pool", "worker", 7, take_jobs, .after = give_jobs),
	JOB("job, given back", "control", 7, give_jobs, .before = take_jobs),
	RING(1),
	RING(2),
	RING(4),
	RING(8),
	RING(16),
	JOB("ring, worker's enqueued by 32", "worker", 7, enqueue, .batch = 32, .before = take_jobs,
	    .after = empty_ring),
	JOB("ring, crypto's dequeued by 32", "crypto", 2, dequeue, .batch = 32, .before = fill_ring,
	    .after = give_jobs),
	JOB("ring, crypto's enqueued by 32", "crypto", 2, enqueue, .batch = 32, .before = take_jobs,
	    .after = empty_ring),
	JOB("ring, control's dequeued by 32", "control", 7, dequeue, .batch = 32,
	    .before = fill_ring, .after = give_jobs),
	RING(64),
	{"tables", "session context, created", "control", 1, .met_cold = true,
	 .run = create_context, .prepare = prepare_cn, .chunk = MICRO_HOT, .after = end_sessions},
	{"tables", "session, created", "control", 1, .run = create_session, .prepare = prepare_cn,
	 .chunk = MICRO_HOT, .before = create_context, .after = end_sessions},
};

const struct micro_group micro_tables = {"tables", cases, RTE_DIM(cases)};
