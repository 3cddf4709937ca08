/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_malloc.h>

#include "au/user_plane.h"
#include "au/worker.h"

static struct au_gather *make_gathers(struct rte_ring **rings, unsigned int n, int numa_node)
{
	struct au_gather *g =
		rte_zmalloc_socket("au_gather", n * sizeof(*g), RTE_CACHE_LINE_SIZE, numa_node);

	for (unsigned int i = 0; g && i < n; i++)
		g[i].ring = rings[i];
	return g;
}

struct au_worker *au_worker_create(struct au_shared *shared, const struct au_worker_config *config)
{
	struct au_worker *w =
		rte_zmalloc_socket("au_worker", sizeof(*w), RTE_CACHE_LINE_SIZE, config->numa_node);

	const char *why;

	if (!w)
		return NULL;
	w->shared = shared;
	w->config = *config;
	w->sec = sec_create(&why);
	w->to_control = make_gathers(shared->control_rings, shared->n_shards, config->numa_node);
	w->requests = make_gathers(shared->request_rings, shared->n_crypto, config->numa_node);
	w->responses = make_gathers(shared->response_rings, shared->n_crypto, config->numa_node);
	w->told_not_set_up =
		rte_zmalloc_socket("au_told", shared->n_ans * sizeof(*w->told_not_set_up),
				   RTE_CACHE_LINE_SIZE, config->numa_node);
	if (!w->sec || !w->to_control || !w->requests || !w->responses || !w->told_not_set_up) {
		au_worker_destroy(w);
		return NULL;
	}
	au_admission_init(&w->admission,
			  shared->tsc_hz / 1000 * shared->config->timers.queue_delay_ms,
			  shared->tsc_hz / 1000 * AU_WINDOW_MS, shared->demand[config->index]);
	return w;
}

bool au_worker_add_queue(struct au_worker *w, unsigned int nif, uint16_t queue,
			 struct rte_mempool *pool)
{
	struct worker_queue *q = &w->queues[w->n_queues];

	if (w->n_queues == WORKER_QUEUES_MAX)
		return false;
	q->nif = &w->shared->nifs[nif];
	q->port_id = q->nif->port_id;
	q->user_plane = w->config.n_gates > 0 && (q->nif->gtpu_port != 0 || q->nif->transit);
	q->queue = queue;
	q->rx = net_rx_create(&(struct net_rx_config){
		.nif = q->nif,
		.nif_index = (uint8_t)nif,
		.pool = pool,
		.max_fragments = config_max_fragments(w->shared->config),
		.fragment_ms = AU_FRAGMENT_MS,
		.numa_node = w->config.numa_node,
		.find_source = worker_find_source,
		.arg = w,
		.neighbours = w->shared->user_plane
				      ? au_user_plane_neighbours(w->shared->user_plane)
				      : NULL,
	});
	if (q->rx)
		w->n_queues++;
	return q->rx != NULL;
}

void au_worker_destroy(struct au_worker *w)
{
	if (!w)
		return;
	for (unsigned int i = 0; i < w->n_queues; i++)
		net_rx_destroy(w->queues[i].rx);
	sec_destroy(w->sec);
	rte_free(w->to_control);
	rte_free(w->requests);
	rte_free(w->responses);
	rte_free(w->told_not_set_up);
	rte_free(w);
}

struct au_counters *au_worker_counters(struct au_worker *w)
{
	return &w->counters;
}

uint64_t au_worker_net_counter(const struct au_worker *w, enum net_counter counter)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < w->n_queues; i++)
		sum += __atomic_load_n(&net_rx_counters(w->queues[i].rx)[counter],
				       __ATOMIC_RELAXED);
	return sum;
}

uint64_t au_worker_polls(const struct au_worker *w)
{
	return __atomic_load_n(&w->polls, __ATOMIC_ACQUIRE);
}

uint64_t au_worker_jobs_of_epoch(const struct au_worker *w, unsigned int epoch)
{
	return __atomic_load_n(&w->jobs_of_epoch[epoch], __ATOMIC_ACQUIRE);
}
