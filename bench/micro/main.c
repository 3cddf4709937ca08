/* SPDX-License-Identifier: BSD-3-Clause
 *
 * bench-micro: every part of an attach by itself, in ns and TSC cycles, hot and cold.
 */
#include <argp.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_eal.h>

#include "common/hardware.h"
#include "common/timing.h"
#include "micro/micro.h"

enum {
	ROUNDS_MAX = 1000,
	ROUND_US = 300,		 /* that a hot round is to take */
	SWEPT = 16 << 20,	 /* octets: some times of a second-level cache */
	N_MAX = 4 * MICRO_ITEMS, /* items a round */
};

static const struct micro_group *const groups[] = {&micro_wire,	  &micro_pki,	 &micro_sec,
						   &micro_net,	  &micro_port,	 &micro_gate,
						   &micro_stages, &micro_tables, &micro_crypto};

struct options {
	const char *backend, *only;
	unsigned int rounds;
	bool json;
};

struct counts {
	bool have;
	double ipc, misses; /* an item */
};

struct figures {
	double cycles, low, high; /* an item: median, 10th and 90th percentile */
	struct counts counts;
};

static uint32_t hot_order[N_MAX], cold_order[MICRO_ITEMS];
static uint8_t *swept;
static double cycles_per_ns;
static uint64_t clock_cycles; /* between two looks at the clock */
static struct hardware hardware;
static bool have_hardware;

/* ---------------------------------------------------------------- one case */

static void make_orders(void)
{
	uint32_t x = 1;

	for (unsigned int i = 0; i < N_MAX; i++)
		hot_order[i] = i % MICRO_HOT;
	for (unsigned int i = 0; i < MICRO_ITEMS; i++)
		cold_order[i] = i;
	for (unsigned int i = MICRO_ITEMS - 1; i > 0; i--) {
		x = x * 1664525 + 1013904223;
		uint32_t j = (x >> 8) % (i + 1), swap = cold_order[i];

		cold_order[i] = cold_order[j];
		cold_order[j] = swap;
	}
	swept = malloc(SWEPT);
	micro_check(swept != NULL, "no memory");
}

static void time_the_clock(void)
{
	clock_cycles = UINT64_MAX;
	for (unsigned int i = 0; i < 1000; i++) {
		uint64_t begun = rte_rdtsc_precise();

		clock_cycles = RTE_MIN(clock_cycles, rte_rdtsc_precise() - begun);
	}
}

void micro_sweep(size_t octets)
{
	for (size_t i = 0; i < RTE_MIN(octets, (size_t)SWEPT); i += 64)
		swept[i]++;
	micro_keep(swept);
}

/* TSC cycles that n items take. */
static uint64_t run(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	bool hooks = c->before || c->after;
	unsigned int chunk = c->chunk ? c->chunk : hooks ? MICRO_CHUNK : n;
	uint64_t total = 0;

	for (unsigned int at = 0; at < n; at += chunk) {
		unsigned int m = RTE_MIN(chunk, n - at);

		if (c->before)
			c->before(c, items + at, m);
		uint64_t begun = rte_rdtsc_precise();

		c->run(c, items + at, m);
		total += rte_rdtsc_precise() - begun - clock_cycles;
		if (c->after)
			c->after(c, items + at, m);
	}
	return total;
}

/* So many that a round takes long enough to be measured; a multiple of batch and chunk. */
static unsigned int items_a_round(const struct micro_case *c)
{
	unsigned int unit = RTE_MAX(RTE_MAX(c->batch, 1u), (unsigned int)MICRO_CHUNK);

	run(c, hot_order, unit); /* the first time fills caches and tables */
	double us = (double)run(c, hot_order, unit) / cycles_per_ns / 1e3;
	unsigned int units = us >= ROUND_US ? 1 : (unsigned int)(ROUND_US / RTE_MAX(us, 0.1)) + 1;

	return RTE_MIN(units * unit, N_MAX / unit * unit);
}

static void count(const struct micro_case *c, unsigned int n, struct counts *out)
{
	uint64_t v[HARDWARE_N];

	hardware_start(&hardware);
	run(c, hot_order, n);
	out->have = hardware_stop(&hardware, v) && v[HARDWARE_CYCLES] > 0;
	out->ipc = (double)v[HARDWARE_INSTRUCTIONS] / (double)v[HARDWARE_CYCLES];
	out->misses = (double)v[HARDWARE_CACHE_MISSES] / n;
}

static void measure(const struct micro_case *c, const uint32_t *order, unsigned int n, bool cold,
		    unsigned int rounds, struct figures *out)
{
	double values[ROUNDS_MAX];

	for (unsigned int r = 0; r < rounds; r++) {
		if (cold)
			micro_sweep(SWEPT);
		values[r] = (double)run(c, order, n) / n;
	}
	out->cycles = timing_median(values, rounds);
	out->low = timing_quantile(values, rounds, 0.1);
	out->high = timing_quantile(values, rounds, 0.9);
}

/* ---------------------------------------------------------------- in turn */

enum { TURNS_MAX = 128, PASSES = 16 };

static struct {
	unsigned int n;
	const struct micro_case *cases[TURNS_MAX];
	double cycles[TURNS_MAX];
} turns;

static bool takes_turns(const struct micro_case *c)
{
	return c->stage && !c->met_cold && c->batch <= 1 && !c->before && !c->after;
}

/* A look at the clock that waits for nothing: what is between two of them may overlap with what
 * follows, and all of them add up to the time that passed. */
static uint64_t cycles_of_a_look(void)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < 1000; i++) {
		uint64_t begun = rte_rdtsc();

		least = RTE_MIN(least, rte_rdtsc() - begun);
	}
	return least;
}

static void one_pass(uint64_t totals[TURNS_MAX])
{
	for (uint32_t item = 0; item < MICRO_TURN; item++) {
		uint64_t before = rte_rdtsc();

		for (unsigned int k = 0; k < turns.n; k++) {
			turns.cases[k]->run(turns.cases[k], &item, 1);
			uint64_t now = rte_rdtsc();

			totals[k] += now - before;
			before = now;
		}
	}
}

static void measure_in_turn(unsigned int rounds)
{
	static double values[TURNS_MAX][ROUNDS_MAX];
	double look = (double)cycles_of_a_look();

	for (unsigned int g = 0; g < RTE_DIM(groups); g++)
		for (unsigned int i = 0; i < groups[g]->n && turns.n < TURNS_MAX; i++)
			if (takes_turns(&groups[g]->cases[i]))
				turns.cases[turns.n++] = &groups[g]->cases[i];
	for (unsigned int k = 0; k < turns.n; k++)
		if (turns.cases[k]->prepare)
			turns.cases[k]->prepare(turns.cases[k]);
	for (unsigned int r = 0; r < rounds; r++) {
		uint64_t totals[TURNS_MAX] = {0};

		for (unsigned int pass = 0; pass < PASSES; pass++)
			one_pass(totals);
		for (unsigned int k = 0; k < turns.n; k++)
			values[k][r] =
				RTE_MAX((double)totals[k] / (PASSES * MICRO_TURN) - look, 0.0);
	}
	for (unsigned int k = 0; k < turns.n; k++)
		turns.cycles[k] = timing_median(values[k], rounds);
}

/* False: it was not measured. */
static bool in_turn(const struct micro_case *c, double *cycles)
{
	for (unsigned int k = 0; k < turns.n; k++)
		if (turns.cases[k] == c) {
			*cycles = turns.cycles[k];
			return true;
		}
	return false;
}

/* ---------------------------------------------------------------- what is said */

static double ns(double cycles)
{
	return cycles / cycles_per_ns;
}

/* As an attach meets it. */
static double ns_in_attach(const struct micro_case *c, const struct figures *hot,
			   const struct figures *cold)
{
	double cycles;

	if (c->met_cold && cold)
		return ns(cold->cycles);
	return in_turn(c, &cycles) ? ns(cycles) : ns(hot->cycles);
}

static void print_row(const struct micro_case *c, const struct figures *hot,
		      const struct figures *cold)
{
	char each[32] = "", all[32] = "", cold_text[64] = "";

	if (c->stage) {
		snprintf(each, sizeof(each), "%.4g", c->per_attach);
		snprintf(all, sizeof(all), "%.0f%s", ns_in_attach(c, hot, cold) * c->per_attach,
			 c->met_cold ? "*" : "");
	}
	if (cold)
		snprintf(cold_text, sizeof(cold_text), "%9.1f", ns(cold->cycles));
	printf("%-46s %9.1f %8.1f-%-8.1f %9.0f %9s  %-10s %4s %8s", c->name, ns(hot->cycles),
	       ns(hot->low), ns(hot->high), hot->cycles, cold_text, c->stage ? c->stage : "", each,
	       all);
	if (hot->counts.have)
		printf(" %6.2f %8.2f", hot->counts.ipc, hot->counts.misses);
	printf("\n");
}

static json_t *figures_json(const struct figures *f)
{
	json_t *j = json_pack("{s:f,s:[f,f],s:f}", "ns", ns(f->cycles), "ns_10_90", ns(f->low),
			      ns(f->high), "cycles", f->cycles);

	if (f->counts.have)
		json_object_update_new(j,
				       json_pack("{s:f,s:f}", "instructions_per_cycle",
						 f->counts.ipc, "cache_misses", f->counts.misses));
	return j;
}

static json_t *row_json(const struct micro_case *c, const struct figures *hot,
			const struct figures *cold)
{
	json_t *j = json_pack("{s:s,s:s,s:i,s:o}", "group", c->group, "name", c->name, "batch",
			      (int)RTE_MAX(c->batch, 1u), "hot", figures_json(hot));

	if (cold)
		json_object_set_new(j, "cold", figures_json(cold));
	if (c->stage)
		json_object_update_new(j, json_pack("{s:s,s:f,s:b,s:f}", "stage", c->stage,
						    "per_attach", c->per_attach, "met_cold",
						    c->met_cold, "ns_in_attach",
						    ns_in_attach(c, hot, cold)));
	if (c->per)
		json_object_set_new(j, "per", json_string(c->per));
	return j;
}

static bool wanted(const struct options *o, const struct micro_case *c)
{
	if (o->only && strcmp(o->only, "attach") == 0)
		return c->stage != NULL;
	for (unsigned int g = 0; o->only && g < RTE_DIM(groups); g++)
		if (strcmp(o->only, groups[g]->name) == 0)
			return strcmp(o->only, c->group) == 0;
	return !o->only || strstr(c->name, o->only);
}

static json_t *run_case(const struct options *o, const struct micro_case *c)
{
	struct figures hot = {0}, cold = {0};

	if (c->prepare)
		c->prepare(c);
	micro_cold = false;
	unsigned int n = items_a_round(c);

	measure(c, hot_order, n, false, o->rounds, &hot);
	if (have_hardware)
		count(c, n, &hot.counts);
	micro_cold = true;
	if (!c->no_cold)
		measure(c, cold_order, MICRO_ITEMS, true, RTE_MAX(o->rounds / 5, 1u), &cold);
	if (!o->json)
		print_row(c, &hot, c->no_cold ? NULL : &cold);
	return row_json(c, &hot, c->no_cold ? NULL : &cold);
}

/* ---------------------------------------------------------------- the program */

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'b':
		o->backend = arg;
		return 0;
	case 'o':
		o->only = arg;
		return 0;
	case 'r':
		o->rounds = (unsigned int)strtoul(arg, NULL, 10);
		if (o->rounds < 1 || o->rounds > ROUNDS_MAX)
			argp_error(state, "--rounds is 1 to %d", ROUNDS_MAX);
		return 0;
	case 'j':
		o->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* One lcore on the first CPU that this process may use: where it is pinned already. */
static void start_eal(void)
{
	char lcore[32];
	char *arguments[] = {"bench-micro", "--no-huge",      "-m",	     "768", "--no-pci",
			     "--no-shconf", "--no-telemetry", "--log-level", "4",   "--lcores",
			     lcore};
	cpu_set_t set;
	int cpu = 0;

	sched_getaffinity(0, sizeof(set), &set);
	while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &set))
		cpu++;
	snprintf(lcore, sizeof(lcore), "0@%d", cpu);
	micro_check(rte_eal_init(RTE_DIM(arguments), arguments) >= 0, "EAL does not start");
	cycles_per_ns = (double)rte_get_tsc_hz() / 1e9;
}

static void print_head(const struct options *o, const char *why)
{
	if (o->json)
		return;
	printf("backend %s; TSC %.0f MHz; %u rounds; %s\n", crypto_backend_name(micro.crypto),
	       cycles_per_ns * 1e3, o->rounds, why);
	printf("%-46s %9s %17s %9s %9s  %-10s %4s %8s%s\n", "", "ns", "10th to 90th", "cycles",
	       "cold ns", "stage", "each", "ns", have_hardware ? "    IPC   misses" : "");
}

int main(int argc, char **argv)
{
	static const struct argp_option list[] = {
		{"backend", 'b', "NAME", 0, "of lib/crypto: auto (default), ifma, openssl", 0},
		{"only", 'o', "NAME", 0,
		 "a group (wire, pki, sec, net, port, gate, stages, tables, crypto), attach for "
		 "all that an attach needs, or cases whose name has this",
		 0},
		{"rounds", 'r', "N", 0, "default 25", 0},
		{"json", 'j', NULL, 0, "the last line is one JSON object", 0},
		{0}};
	static const struct argp parser = {.options = list,
					   .parser = on_option,
					   .doc = "What each part of an attach costs by itself."};
	struct options o = {.backend = "auto", .rounds = 25};
	const char *why = "hardware counters read";
	json_t *rows = json_array();

	argp_parse(&parser, argc, argv, 0, NULL, &o);
	start_eal();
	micro_world_create(o.backend);
	make_orders();
	time_the_clock();
	have_hardware = hardware_open(&hardware, &why);
	print_head(&o, why);
	if (!o.only || strcmp(o.only, "attach") == 0)
		measure_in_turn(o.rounds);
	for (unsigned int g = 0; g < RTE_DIM(groups); g++)
		for (unsigned int i = 0; i < groups[g]->n; i++)
			if (wanted(&o, &groups[g]->cases[i]))
				json_array_append_new(rows, run_case(&o, &groups[g]->cases[i]));
	if (!o.json)
		printf("last column: as an attach meets it: *: cold; else in turn, or hot\n");
	micro_check(json_array_size(rows) > 0, "no case of that name");
	if (o.json) {
		json_t *all = json_pack(
			"{s:s,s:f,s:i,s:s,s:o}", "backend", crypto_backend_name(micro.crypto),
			"tsc_mhz", cycles_per_ns * 1e3, "rounds", (int)o.rounds,
			"hardware_counters", have_hardware ? "yes" : why, "cases", rows);

		json_dumpf(all, stdout, JSON_REAL_PRECISION(6));
		printf("\n");
		json_decref(all);
	}
	return 0;
}
