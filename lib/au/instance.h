/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The authenticator's insides, for au.c and report.c.
 */
#ifndef CPAU_AU_INSTANCE_H
#define CPAU_AU_INSTANCE_H

#include "au/au.h"
#include "au/stage.h"
#include "net/interlock.h"

struct au_stage {
	enum config_stage kind;
	void *context; /* struct au_worker, au_crypto or au_control */
};

/* What one lcore runs; written by it alone while it runs. */
struct au_lcore {
	struct au *au;
	unsigned int lcore;
	unsigned int n_stages;
	struct au_stage stages[CONFIG_STAGES_MAX];
	uint64_t last, busy, idle; /* TSC */
} __attribute__((aligned(64)));

struct au {
	struct au_shared shared;
	_Atomic bool running;
	unsigned int n_workers, n_cryptos, n_controls;
	unsigned int made_workers, made_cryptos, made_controls;
	struct au_worker *workers[CONFIG_LCORES_MAX * CONFIG_STAGES_MAX];
	struct au_crypto *cryptos[CONFIG_LCORES_MAX * CONFIG_STAGES_MAX];
	struct au_control *controls[CONFIG_SHARDS_MAX];
	struct cn_local *cns[CONFIG_SHARDS_MAX];
	struct rte_mempool *pools[CONFIG_PORTS_MAX];
	unsigned int rx_queues[CONFIG_PORTS_MAX];
	struct rte_ring **steering;
	unsigned int n_lcores;
	struct au_lcore lcores[CONFIG_LCORES_MAX];
	struct au_lcore *main_lcore;
	struct net_interlock *interlock; /* NULL: no port needs one */
	uint64_t next_housekeeping;
	/* Polls of each worker at the time when the epoch was replaced. */
	uint64_t retired_polls[AU_EPOCHS][CONFIG_LCORES_MAX * CONFIG_STAGES_MAX];
	char *why; /* of au_create */
	size_t why_size;
};

struct au_counters *au_stage_counters(const struct au_stage *s);

#endif
