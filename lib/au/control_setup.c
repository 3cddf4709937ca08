/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include <openssl/rand.h>
#include <rte_cycles.h>
#include <rte_malloc.h>

#include "au/control.h"

struct au_control *au_control_create(struct au_shared *shared,
				     const struct au_control_config *config, const char **why)
{
	struct au_control *c = rte_zmalloc_socket("au_control", sizeof(*c), RTE_CACHE_LINE_SIZE,
						  config->numa_node);

	*why = "no memory for the control stage";
	if (!c)
		return NULL;
	c->shared = shared;
	c->shard = config->shard;
	c->table = shared->tables[config->shard];
	c->in = shared->control_rings[config->shard];
	c->cn = config->cn;
	c->cn_arg = config->cn_arg;
	control_session_init(c);
	c->tick = au_tick(shared, rte_rdtsc());
	c->peers = rte_zmalloc_socket("au_peers", shared->n_ans * sizeof(*c->peers),
				      RTE_CACHE_LINE_SIZE, config->numa_node);
	c->out = c->peers && control_overload_init(c) ? au_out_create(shared, config, &c->counters)
						      : NULL;
	if (!c->out) {
		au_control_destroy(c);
		return NULL;
	}
	c->sec = sec_create(why);
	if (!c->sec) {
		au_control_destroy(c);
		return NULL;
	}
	if (RAND_bytes(c->seal_prefix, sizeof(c->seal_prefix)) != 1 ||
	    RAND_bytes((uint8_t *)&c->seal_counter, sizeof(c->seal_counter)) != 1) {
		*why = "no random numbers";
		au_control_destroy(c);
		return NULL;
	}
	return c;
}

void au_control_destroy(struct au_control *c)
{
	if (!c)
		return;
	sec_destroy(c->sec);
	au_out_destroy(c->out);
	rte_free(c->peers);
	free(c->overload);
	wipe(c, sizeof(*c));
	rte_free(c);
}

struct au_counters *au_control_counters(struct au_control *c)
{
	return &c->counters;
}

uint64_t au_control_jobs_of_epoch(const struct au_control *c, unsigned int epoch)
{
	return __atomic_load_n(&c->jobs_of_epoch[epoch], __ATOMIC_RELAXED) +
	       __atomic_load_n(&c->learned_of_epoch[epoch], __ATOMIC_RELAXED);
}

uint64_t au_control_held(const struct au_control *c, unsigned int epoch)
{
	return __atomic_load_n(&c->held[epoch], __ATOMIC_RELAXED);
}
