/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cpau: the certificate-based attach authenticator. Reads its configuration, loads its credentials,
 * starts EAL, ports and stages, and runs until SIGTERM or SIGINT. SIGHUP reloads the credentials.
 */
#include <argp.h>
#include <jansson.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_pdump.h>

#include "au/au.h"
#include "check.h"
#include "net/interlock.h"
#include "trust_config.h"

enum { EXIT_CHECK = 1, EXIT_USAGE = 2, EXIT_START = 3 };
enum { RELOAD_NICE = 5, WORK_NS = 300000 };
enum {
	ARGS_MAX = CONFIG_EAL_ARGS_MAX + CONFIG_PORTS_MAX + 8,
	OPT_CHECK = 1000,
	OPT_JSON,
	OPT_QUIET
};

struct options {
	const char *config;
	bool check, json, quiet;
};

static const struct argp_option argp_options[] = {
	{"config", 'c', "FILE", 0, "configuration, YAML (required); see the commented examples", 0},
	{"check", OPT_CHECK, NULL, 0,
	 "check configuration, credentials, ports, memory, CPUs and host settings without starting",
	 0},
	{"json", OPT_JSON, NULL, 0,
	 "one JSON object as the last line: findings of --check, or the counters at the end", 0},
	{"quiet", OPT_QUIET, NULL, 0, "do not list the credentials that were accepted", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'c':
		o->config = arg;
		return 0;
	case OPT_CHECK:
		o->check = true;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_QUIET:
		o->quiet = true;
		return 0;
	case ARGP_KEY_END:
		if (!o->config)
			argp_error(state, "--config is required");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---------------------------------------------------------------- credentials */

static void report_config(void *arg, const char *message)
{
	(void)arg;
	fprintf(stderr, "cpau: %s\n", message);
}

static void report_credential(void *arg, const char *file, bool accepted, const char *text)
{
	const bool *quiet = arg;

	if (!accepted || !*quiet)
		fprintf(stderr, "cpau: %s: %s: %s\n", file, accepted ? "accepted" : "REFUSED",
			text);
}

static struct pki_trust *load_trust(const struct config *config, bool quiet, void (*rest)(void))
{
	struct pki_trust_config c = trust_config(config, time(NULL));

	c.rest = rest;

	struct pki_trust *t = pki_trust_load(&c, report_credential, &quiet);

	if (t)
		pki_trust_summary(t, c.now, stderr);
	return t;
}

static uint64_t thread_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* The stages have stopped, and the end waits for the reloading thread. */
static _Atomic bool no_rests;

/* Of the reloading thread: a quarter of a CPU that it may share, and never for long at a time. */
static void rest(void)
{
	static _Thread_local uint64_t rested;
	uint64_t now;

	if (atomic_load_explicit(&no_rests, memory_order_relaxed))
		return;
	now = thread_ns();
	if (now - rested < WORK_NS)
		return;
	nanosleep(&(struct timespec){.tv_nsec = 3 * WORK_NS}, NULL);
	rested = now;
}

/* Reloading reads files and verifies signatures: a thread of its own does that beside the stages.
 * It has `loaded` until it is done, the main thread has all else.
 */
struct reload {
	const struct config *config;
	bool quiet;
	pthread_t thread;
	bool begun; /* the thread is there to be joined */
	_Atomic bool done;
	struct pki_trust *loaded; /* NULL: none that can serve */
	/* Loaded, and not yet in force: the snapshots before it are all in use. */
	struct pki_trust *waiting;
	bool wait_said;
};

static void *reload_thread(void *arg)
{
	struct reload *r = arg;

	/* Linux: of this thread alone. What it shares a CPU with comes first. */
	setpriority(PRIO_PROCESS, 0, RELOAD_NICE);
	r->loaded = load_trust(r->config, r->quiet, rest);
	if (!r->loaded)
		fprintf(stderr, "cpau: the credentials in use stay as they are\n");
	atomic_store(&r->done, true);
	return NULL;
}

static void reload_begin(struct reload *r)
{
	if (r->begun)
		return;
	atomic_store(&r->done, false);
	r->begun = rte_ctrl_thread_create(&r->thread, "cpau-reload", NULL, reload_thread, r) == 0;
}

/* What the thread has loaded waits from here on, instead of what waited before. */
static void reload_join(struct reload *r)
{
	pthread_join(r->thread, NULL);
	r->begun = false;
	if (!r->loaded)
		return;
	pki_trust_free(r->waiting);
	r->waiting = r->loaded;
	r->loaded = NULL;
	r->wait_said = false;
}

static void reload_finish(struct reload *r, struct au *au)
{
	if (r->begun && atomic_load(&r->done))
		reload_join(r);
	if (!r->waiting)
		return;
	if (au_reload(au, r->waiting)) {
		r->waiting = NULL;
		fprintf(stderr, "cpau: credentials reloaded\n");
	} else if (!r->wait_said) {
		r->wait_said = true;
		fprintf(stderr, "cpau: credentials loaded: not in force before attaches under way "
				"with earlier ones have ended\n");
	}
}

/* The thread uses the configuration, and what it loads holds a private key. */
static void reload_end(struct reload *r)
{
	atomic_store(&no_rests, true);
	if (r->begun)
		reload_join(r);
	pki_trust_free(r->waiting);
}

/* ---------------------------------------------------------------- EAL */

static bool names_lcores(const struct config *config)
{
	for (unsigned int i = 0; i < config->n_eal_args; i++)
		if (strcmp(config->eal_args[i], "-l") == 0 ||
		    strcmp(config->eal_args[i], "-c") == 0 ||
		    strncmp(config->eal_args[i], "--lcores", 8) == 0)
			return true;
	return false;
}

/* A memif server that was killed leaves its socket file behind, and the next one could not start: a
 * socket that nobody listens on is removed. */
static void remove_stale_socket(const char *vdev)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *p = strstr(vdev, "socket=/");
	int fd;

	if (!p || !strstr(vdev, "role=server"))
		return;
	p += strlen("socket=");
	snprintf(address.sun_path, sizeof(address.sun_path), "%.*s", (int)strcspn(p, ","), p);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 &&
	    errno == ECONNREFUSED)
		unlink(address.sun_path);
	if (fd >= 0)
		close(fd);
}

/* The configuration's `eal`, the lcores that it uses, and its virtual devices. */
static bool start_eal(const struct config *config)
{
	static char lcores[CONFIG_LCORES_MAX * 5];
	char *argv[ARGS_MAX] = {"cpau"};
	int argc = 1;

	for (unsigned int i = 0; i < config->n_eal_args; i++)
		argv[argc++] = config->eal_args[i];
	if (!names_lcores(config)) {
		for (unsigned int i = 0; i < config->n_lcores; i++)
			snprintf(lcores + strlen(lcores), sizeof(lcores) - strlen(lcores), "%s%u",
				 i ? "," : "", config->lcores[i].lcore);
		argv[argc++] = "-l";
		argv[argc++] = lcores;
	}
	for (unsigned int i = 0; i < config->n_ports; i++)
		if (config->ports[i].vdev) {
			remove_stale_socket(config->ports[i].vdev);
			argv[argc++] = "--vdev";
			argv[argc++] = config->ports[i].vdev;
		}
	if (rte_eal_init(argc, argv) >= 0)
		return true;
	fprintf(stderr, "cpau: EAL did not start (%s): see its lines above, and `cpau --check`\n",
		rte_strerror(rte_errno));
	return false;
}

/* ---------------------------------------------------------------- running */

static volatile sig_atomic_t stop_signal, reload_signal;

static void on_signal(int number)
{
	if (number == SIGHUP)
		reload_signal = 1;
	else
		stop_signal = 1;
}

static void run(struct au *au, struct reload *reload, const struct config *config)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	unsigned int main_lcore = rte_get_main_lcore();
	bool main_polls = false;

	for (unsigned int i = 0; i < config->n_lcores; i++)
		main_polls |= config->lcores[i].lcore == main_lcore;
	au_start(au);
	fprintf(stderr, "cpau: ready, crypto backend %s (%s)\n", au_backend(au),
		au_backend_reason(au));
	while (!stop_signal) {
		au_poll(au);
		if (reload_signal) {
			reload_signal = 0;
			reload_begin(reload);
		}
		reload_finish(reload, au);
		if (!main_polls)
			nanosleep(&pause, NULL);
	}
	fprintf(stderr, "cpau: stopping: no new attaches, those under way have %u ms\n",
		config->timers.shutdown_ms);
	uint64_t until =
		rte_get_tsc_cycles() + rte_get_tsc_hz() / 1000 * config->timers.shutdown_ms;

	au_drain(au);
	while (!au_idle(au) && rte_get_tsc_cycles() < until)
		au_poll(au);
	au_stop(au);
}

static void print_summary(const struct au *au)
{
	uint64_t busy, idle, n;
	unsigned int lcore;

	for (unsigned int i = 0; i < AU_COUNTER_N; i++) {
		n = au_event(au, (enum au_counter)i);
		if (n > 0)
			printf("%-26s %12llu  %s\n", au_counter_name(i), (unsigned long long)n,
			       au_counter_text(i));
	}
	for (unsigned int i = 1; i < WIRE_CAUSE_LIMIT; i++) {
		n = au_cause(au, (enum wire_cause)i);
		if (n > 0)
			printf("%-26s %12llu  %s\n", wire_cause_name(i), (unsigned long long)n,
			       wire_cause_text(i));
	}
	for (unsigned int i = 0; i < GATE_COUNTER_N; i++) {
		n = au_gate_counter(au, (enum gate_counter)i);
		if (n > 0)
			printf("gate: %-20s %12llu  %s\n", gate_counter_name(i),
			       (unsigned long long)n, gate_counter_text(i));
	}
	for (unsigned int i = 0; au_lcore(au, i, &lcore, &busy, &idle); i++)
		printf("lcore %-20u %11.1f%%  busy\n", lcore,
		       100.0 * (double)busy / (double)(busy + idle + 1));
}

static double seconds(uint64_t cycles)
{
	return (double)cycles / (double)rte_get_tsc_hz();
}

/* Counters that are not 0, and where the time went. */
static void print_json(const struct au *au)
{
	json_t *events = json_object(), *causes = json_object(), *net = json_object(),
	       *gate = json_object();
	json_t *j =
		json_pack("{s:s,s:{s:f,s:f,s:f,s:f,s:f}}", "backend", au_backend(au),
			  "busy_seconds", "worker", seconds(au_stage_busy(au, CONFIG_STAGE_WORKER)),
			  "crypto", seconds(au_stage_busy(au, CONFIG_STAGE_CRYPTO)), "public_key",
			  seconds(au_public_key_cycles(au)), "control",
			  seconds(au_stage_busy(au, CONFIG_STAGE_CONTROL)), "gate",
			  seconds(au_stage_busy(au, CONFIG_STAGE_GATE)));

	for (unsigned int i = 0; i < AU_COUNTER_N; i++)
		if (au_event(au, (enum au_counter)i) > 0)
			json_object_set_new(
				events, au_counter_name(i),
				json_integer((json_int_t)au_event(au, (enum au_counter)i)));
	for (unsigned int i = 1; i < WIRE_CAUSE_LIMIT; i++)
		if (au_cause(au, (enum wire_cause)i) > 0)
			json_object_set_new(
				causes, wire_cause_name(i),
				json_integer((json_int_t)au_cause(au, (enum wire_cause)i)));
	for (unsigned int i = 0; i < NET_COUNTER_N; i++)
		if (au_net_counter(au, (enum net_counter)i) > 0)
			json_object_set_new(
				net, net_counter_name(i),
				json_integer((json_int_t)au_net_counter(au, (enum net_counter)i)));
	for (unsigned int i = 0; i < GATE_COUNTER_N; i++)
		if (au_gate_counter(au, (enum gate_counter)i) > 0)
			json_object_set_new(gate, gate_counter_name(i),
					    json_integer((json_int_t)au_gate_counter(
						    au, (enum gate_counter)i)));
	json_object_set_new(j, "net", net);
	if (json_object_size(gate) > 0)
		json_object_set(j, "gate", gate);
	json_decref(gate);
	json_object_set_new(j, "events", events);
	json_object_set_new(j, "causes", causes);
	json_dumpf(j, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(j);
}

static int serve(const struct config *config, const struct options *o)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct reload reload = {.config = config, .quiet = o->quiet};
	struct pki_trust *trust = load_trust(config, o->quiet, NULL);
	char why[512];

	if (!trust) {
		fprintf(stderr,
			"cpau: no usable credentials: `cpau-pki init` makes them, `cpau-pki check` "
			"explains refusals\n");
		return EXIT_START;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	if (!start_eal(config)) {
		pki_trust_free(trust);
		return EXIT_START;
	}
	struct au *au = au_create(config, trust, why, sizeof(why));

	if (!au) {
		fprintf(stderr, "cpau: %s\n", why);
		net_eal_cleanup();
		return EXIT_START;
	}
	au_telemetry_register(au);
	if (rte_pdump_init() != 0)
		fprintf(stderr, "cpau: dpdk-dumpcap cannot attach: packet capture did not start\n");
	run(au, &reload, config);
	reload_end(&reload);
	if (o->json)
		print_json(au);
	else
		print_summary(au);
	au_destroy(au);
	net_eal_cleanup();
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		argp_options,
		parse,
		NULL,
		"Authenticates UEs that have an eUICC certificate chain and no subscription."
		"\vExit codes: 0 stopped in order, or --check found nothing wrong; 1 --check found "
		"faults; 2 "
		"usage or configuration; 3 could not start.",
		NULL,
		NULL,
		NULL};
	struct rlimit no_core = {0, 0};
	struct options o = {0};
	struct config *config;
	int code;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
		return EXIT_USAGE;
	/* Keys must not end in a core file. */
	setrlimit(RLIMIT_CORE, &no_core);
	if (!config_load(o.config, report_config, NULL, &config)) {
		config_free(config);
		return EXIT_USAGE;
	}
	code = o.check ? check_run(config, o.json, stdout) : serve(config, &o);
	config_free(config);
	return code;
}
