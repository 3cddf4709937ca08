/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The authenticator's insides, for au.c and report.c.
 */
#ifndef CPAU_AU_INSTANCE_H
#define CPAU_AU_INSTANCE_H

#include "au/au.h"
#include "au/stage.h"
#include "au/user_plane.h"
#include "net/interlock.h"

struct au_stage {
	enum config_stage kind;
	void *context; /* struct au_worker, au_crypto, au_control or gate */
	struct au_counters *counters;
};

/* What one lcore runs; written by it alone while it runs. */
struct au_lcore {
	struct au *au;
	unsigned int lcore;
	unsigned int n_stages;
	struct au_stage stages[CONFIG_STAGES_MAX];
	uint64_t last, busy, idle; /* TSC */
	bool hurried;		   /* the gate found a full burst in its last poll */
	/* Of its gate: only what every stage counts; the rest is in gate/gate.h. */
	struct au_counters gate_counters;
} __attribute__((aligned(64)));

struct au {
	struct au_shared shared;
	_Atomic bool running;
	unsigned int n_workers, n_cryptos, n_controls, n_gates;
	unsigned int made_workers, made_cryptos, made_controls, made_gates;
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

/* Says what failed and what would help; false. */
bool au_fail(struct au *au, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ports.c */
bool au_ports_make(struct au *au);
/* The transmit queue of each port for this lcore. */
void au_ports_tx_queues(const struct au *au, const struct au_lcore *l, uint16_t *queues);

#endif
