/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the authenticator says of itself: sums over its stages, and telemetry.
 */
#include <stdio.h>

#include <rte_telemetry.h>

#include "au/instance.h"

/* One 64-bit counter, at its offset in struct au_counters, over the stages of the kinds whose bits
 * are set. */
static uint64_t sum(const struct au *au, unsigned int kinds, size_t offset)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < au->n_lcores; i++)
		for (unsigned int j = 0; j < au->lcores[i].n_stages; j++) {
			const struct au_stage *s = &au->lcores[i].stages[j];
			const uint8_t *counters = (const uint8_t *)s->counters;

			if (kinds & (1u << s->kind))
				total += __atomic_load_n((const uint64_t *)(counters + offset),
							 __ATOMIC_RELAXED);
		}
	return total;
}

#define ALL_STAGES (~0u)

uint64_t au_event(const struct au *au, enum au_counter counter)
{
	return sum(au, ALL_STAGES, offsetof(struct au_counters, events[0]) + 8 * counter);
}

uint64_t au_cause(const struct au *au, enum wire_cause cause)
{
	return sum(au, ALL_STAGES, offsetof(struct au_counters, causes[0]) + 8 * cause);
}

uint64_t au_net_counter(const struct au *au, enum net_counter counter)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < au->n_workers; i++)
		total += au_worker_net_counter(au->workers[i], counter);
	return total + au_user_plane_net_counter(au->shared.user_plane, counter);
}

uint64_t au_gate_counter(const struct au *au, enum gate_counter counter)
{
	return au_user_plane_counter(au->shared.user_plane, counter);
}

uint64_t au_sessions(const struct au *au)
{
	return au_user_plane_sessions(au->shared.user_plane);
}

unsigned int au_ues(const struct au *au, enum ue_state state)
{
	unsigned int total = 0;

	for (unsigned int i = 0; i < au->n_controls; i++)
		total += ue_table_count(au->shared.tables[i], state);
	return total;
}

const char *au_backend(const struct au *au)
{
	return crypto_backend_name(au_crypto_backend(au->cryptos[0]));
}

const char *au_backend_reason(const struct au *au)
{
	return crypto_backend_reason(au_crypto_backend(au->cryptos[0]));
}

bool au_lcore(const struct au *au, unsigned int i, unsigned int *lcore, uint64_t *busy,
	      uint64_t *idle)
{
	if (i >= au->n_lcores)
		return false;
	*lcore = au->lcores[i].lcore;
	*busy = __atomic_load_n(&au->lcores[i].busy, __ATOMIC_RELAXED);
	*idle = __atomic_load_n(&au->lcores[i].idle, __ATOMIC_RELAXED);
	return true;
}

unsigned int au_ans_holding_back(const struct au *au)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < au->n_controls; i++)
		n += au_control_holding_back(au->controls[i]);
	return n;
}

uint64_t au_stage_busy(const struct au *au, enum config_stage stage)
{
	return sum(au, 1u << stage, offsetof(struct au_counters, busy));
}

uint64_t au_public_key_cycles(const struct au *au)
{
	return sum(au, ALL_STAGES, offsetof(struct au_counters, public_key));
}

/* ---------------------------------------------------------------- telemetry */

/* DPDK calls back without an argument of ours: one instance a process. */
static const struct au *telemetry_au;

/* Telemetry takes no '-' in a key, and drops what has one. */
static void add_u64(struct rte_tel_data *d, const char *name, uint64_t value)
{
	char key[RTE_TEL_MAX_STRING_LEN];
	size_t n = 0;

	for (; name[n] && n < sizeof(key) - 1; n++)
		key[n] = name[n] == '-' ? '_' : name[n];
	key[n] = '\0';
	rte_tel_data_add_dict_u64(d, key, value);
}

static int on_counters(const char *command, const char *parameters, struct rte_tel_data *d)
{
	(void)command;
	(void)parameters;
	rte_tel_data_start_dict(d);
	for (unsigned int i = 0; i < AU_COUNTER_N; i++)
		add_u64(d, au_counter_name(i), au_event(telemetry_au, (enum au_counter)i));
	return 0;
}

static int on_causes(const char *command, const char *parameters, struct rte_tel_data *d)
{
	(void)command;
	(void)parameters;
	rte_tel_data_start_dict(d);
	for (unsigned int i = 1; i < WIRE_CAUSE_LIMIT; i++)
		if (strcmp(wire_cause_name(i), "unassigned") != 0)
			add_u64(d, wire_cause_name(i), au_cause(telemetry_au, (enum wire_cause)i));
	return 0;
}

static int on_net(const char *command, const char *parameters, struct rte_tel_data *d)
{
	(void)command;
	(void)parameters;
	rte_tel_data_start_dict(d);
	for (unsigned int i = 0; i < NET_COUNTER_N; i++)
		add_u64(d, net_counter_name(i), au_net_counter(telemetry_au, (enum net_counter)i));
	return 0;
}

static int on_gate(const char *command, const char *parameters, struct rte_tel_data *d)
{
	(void)command;
	(void)parameters;
	rte_tel_data_start_dict(d);
	for (unsigned int i = 0; i < GATE_COUNTER_N; i++)
		add_u64(d, gate_counter_name(i),
			au_gate_counter(telemetry_au, (enum gate_counter)i));
	add_u64(d, "sessions", au_sessions(telemetry_au));
	add_u64(d, "octets-per-session", gate_table_octets_per_session());
	return 0;
}

static int on_ues(const char *command, const char *parameters, struct rte_tel_data *d)
{
	(void)command;
	(void)parameters;
	rte_tel_data_start_dict(d);
	for (unsigned int i = 0; i < UE_STATE_N; i++)
		add_u64(d, ue_state_name((enum ue_state)i), au_ues(telemetry_au, (enum ue_state)i));
	add_u64(d, "octets-per-ue", ue_table_octets_per_ue());
	return 0;
}

static int on_overload(const char *command, const char *parameters, struct rte_tel_data *d)
{
	const struct au_shared *s = &telemetry_au->shared;
	uint64_t pace = 0, delay = 0;
	double ns = 1e9 / (double)s->tsc_hz;

	(void)command;
	(void)parameters;
	for (unsigned int i = 0; i < s->n_crypto; i++) {
		uint64_t cycles = atomic_load_explicit(&s->paces[i].cycles, memory_order_relaxed);

		pace += cycles;
		delay += cycles * rte_ring_count(s->request_rings[i]);
	}
	rte_tel_data_start_dict(d);
	add_u64(d, "queue-delay-ns", (uint64_t)((double)delay / s->n_crypto * ns));
	add_u64(d, "request-ns", (uint64_t)((double)pace / s->n_crypto * ns));
	add_u64(d, "access-nodes-holding-back", au_ans_holding_back(telemetry_au));
	return 0;
}

static int on_lcores(const char *command, const char *parameters, struct rte_tel_data *d)
{
	unsigned int lcore;
	uint64_t busy, idle;
	char name[32];

	(void)command;
	(void)parameters;
	rte_tel_data_start_dict(d);
	for (unsigned int i = 0; au_lcore(telemetry_au, i, &lcore, &busy, &idle); i++) {
		snprintf(name, sizeof(name), "lcore-%u-busy-cycles", lcore);
		add_u64(d, name, busy);
		snprintf(name, sizeof(name), "lcore-%u-idle-cycles", lcore);
		add_u64(d, name, idle);
	}
	return 0;
}

static int on_info(const char *command, const char *parameters, struct rte_tel_data *d)
{
	(void)command;
	(void)parameters;
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "name", telemetry_au->shared.config->name);
	rte_tel_data_add_dict_string(d, "backend", au_backend(telemetry_au));
	rte_tel_data_add_dict_string(d, "backend_reason", au_backend_reason(telemetry_au));
	rte_tel_data_add_dict_string(d, "serving_network", telemetry_au->shared.serving_network);
	return 0;
}

void au_telemetry_register(struct au *au)
{
	telemetry_au = au;
	rte_telemetry_register_cmd("/cpau/info", on_info, "Name, crypto backend, serving network");
	rte_telemetry_register_cmd("/cpau/counters", on_counters, "Events, summed over the stages");
	rte_telemetry_register_cmd("/cpau/causes", on_causes, "Refusals and drops by cause");
	rte_telemetry_register_cmd("/cpau/net", on_net, "Packets by what became of them");
	rte_telemetry_register_cmd("/cpau/gate", on_gate,
				   "User plane: packets by what became of them, sessions");
	rte_telemetry_register_cmd("/cpau/ues", on_ues, "UE contexts by state");
	rte_telemetry_register_cmd("/cpau/overload", on_overload,
				   "Queue delay, pace, access nodes told to hold back");
	rte_telemetry_register_cmd("/cpau/lcores", on_lcores, "Busy and idle cycles of each lcore");
}
