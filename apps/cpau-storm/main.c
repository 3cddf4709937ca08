/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cpau-storm: the other side of the authenticator. Access nodes, and UEs out of a fleet file.
 */
#include <argp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_eal.h>

#include "load.h"
#include "net/interlock.h"
#include "schedule.h"
#include "storm.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_START = 3, IN_FLIGHT_MAX = 1 << 20 };

struct options {
	const char *fleet, *hostile_fleet, *local, *peer, *gateway, *an_key;
	const char *n3_device, *n3_local, *n3_peer, *n6_device, *n6_local, *n6_peer;
	bool json, has_mac;
	double timeline_ms;
	int eal_argc; /* after "--" */
	char **eal_argv;
	struct storm_config storm;
	struct link_config link, n3, n6;
};

/* AN link, N3 (the same, or of its own), N6 (or NULL). */
struct links {
	struct link *an, *n3, *n6;
};

enum {
	OPT_RATE = 1000,
	OPT_BURST,
	OPT_DURATION,
	OPT_PHASE,
	OPT_TIMELINE,
	OPT_PREPARE,
	OPT_AN,
	OPT_AN_KEY,
	OPT_LOCAL,
	OPT_PEER,
	OPT_GATEWAY,
	OPT_VLAN,
	OPT_MTU,
	OPT_DEVICE,
	OPT_SOCKET,
	OPT_IN_FLIGHT,
	OPT_LOSS,
	OPT_DUPLICATE,
	OPT_REORDER,
	OPT_FAULT,
	OPT_HOSTILE_FLEET,
	OPT_JUNK,
	OPT_CYCLES,
	OPT_RETRY,
	OPT_T3511,
	OPT_AN_WAIT,
	OPT_DEAF,
	OPT_CAPTURE,
	OPT_WRITE_PCAP,
	OPT_PEER_MAC,
	OPT_BACKEND,
	OPT_NIA,
	OPT_NEA,
	OPT_T3510,
	OPT_TRIES,
	OPT_PATIENCE,
	OPT_SEED,
	OPT_NO_MEMO,
	OPT_NO_BATCH,
	OPT_SESSION,
	OPT_HOLD,
	OPT_TUN,
	OPT_ADVERSARIAL,
	OPT_N3_DEVICE,
	OPT_N3_LOCAL,
	OPT_N3_PEER,
	OPT_N6_DEVICE,
	OPT_N6_LOCAL,
	OPT_N6_PEER,
	OPT_LOAD,
	OPT_LOAD_ONLY,
	OPT_LOAD_HOSTILE,
	OPT_LOAD_BESIDE,
	OPT_JSON
};

static const struct argp_option argp_options[] = {
	{"fleet", 'f', "FILE", 0,
	 "devices, made by `cpau-pki fleet` (required, except with --load-only)", 1},
	{"ues", 'n', "N", 0, "UEs that attach (default: the whole fleet)", 1},
	{"rate", OPT_RATE, "R", 0,
	 "arrivals a second, whether or not answers come; 0 (default): as fast as --in-flight lets "
	 "them",
	 1},
	{"burst", OPT_BURST, "N", 0, "arrivals that come together (default: 1)", 1},
	{"duration", OPT_DURATION, "S", 0, "no UE starts after S seconds", 1},
	{"phase", OPT_PHASE, "RATE:SECONDS[:NAME]", 0,
	 "arrivals at this rate for so long, then the next --phase; instead of --rate and "
	 "--duration. RATE 0: nobody arrives",
	 1},
	{"prepare", OPT_PREPARE, NULL, 0,
	 "make RAND_UE and UE_Signature1 of all UEs before the storm begins", 1},
	{"in-flight", OPT_IN_FLIGHT, "N", 0,
	 "UEs under way at a time, at most (default: 65536; 256 without --rate; with --phase "
	 "all, up to 1048576)",
	 1},
	{"retry", OPT_RETRY, NULL, 0,
	 "a UE that is refused with a back-off comes back after it, one that its AN refuses after "
	 "--an-wait, one that gets no answer, or whose attach an authenticator that restarts has "
	 "forgotten, after --t3511, four times at most",
	 1},
	{"cycles", OPT_CYCLES, "N", 0,
	 "a UE that is attached detaches and attaches again, N attaches in all (default: 1)", 1},
	{"t3511", OPT_T3511, "S", 0,
	 "wait after an attempt that ended in silence, or by a restart of the authenticator: S to "
	 "2 S, at random (default: 10)",
	 1},
	{"an-wait", OPT_AN_WAIT, "S", 0,
	 "mean wait of a UE that its AN refuses because of OVERLOAD START (default: 4)", 1},
	{"ignore-overload", OPT_DEAF, NULL, 0, "ANs do not heed OVERLOAD START", 3},
	{"t3510", OPT_T3510, "S", 0, "before a UE repeats itself (default: 2)", 1},
	{"tries", OPT_TRIES, "N", 0, "how often it says the same (default: 5)", 1},
	{"patience", OPT_PATIENCE, "S", 0,
	 "a UE that gets no further for this long has failed (default: 30)", 1},
	{"nia", OPT_NIA, "LIST", 0, "integrity algorithms that UEs have (default: 1,2,3)", 1},
	{"nea", OPT_NEA, "LIST", 0, "ciphering algorithms that UEs have (default: 0,1,2,3)", 1},
	{"fault", OPT_FAULT, "NAME=P%,...", 0, "share of UEs that misbehave; `help` lists the ways",
	 2},
	{"hostile-fleet", OPT_HOSTILE_FLEET, "FILE", 0, "the devices of `--fault stranger=P%`", 2},
	{"junk", OPT_JUNK, "RATE[:KIND]", 0,
	 "datagrams a second that no access node would send, beside the UEs. KIND: unknown-an "
	 "(from an address that is none's), malformed (from an access node: random octets, "
	 "truncated records); default: both in turn",
	 2},
	{"loss", OPT_LOSS, "P%", 0, "share of datagrams lost, each way", 2},
	{"duplicate", OPT_DUPLICATE, "P%", 0, "share of datagrams that come twice", 2},
	{"reorder", OPT_REORDER, "P%", 0, "share of datagrams that come late", 2},
	{"an", OPT_AN, "N", 0, "access nodes, with consecutive addresses (default: 1)", 3},
	{"an-key", OPT_AN_KEY, "FILE", 0,
	 "their key, 64 hex digits (required, except with --load-only or --write-pcap)", 3},
	{"local", OPT_LOCAL, "ADDR", 0,
	 "address of the first access node (required, except with --load-only)", 3},
	{"peer", OPT_PEER, "ADDR", 0,
	 "address of the authenticator (required, except with --load-only)", 3},
	{"gateway", OPT_GATEWAY, "ADDR", 0, "when the authenticator is not on the link", 3},
	{"vlan", OPT_VLAN, "ID", 0, "VLAN tag", 3},
	{"mtu", OPT_MTU, "N", 0, "octets of an IP packet (default: 1500)", 3},
	{"device", OPT_DEVICE, "NAME", 0, "ethdev to use (default: net_memif0)", 3},
	{"socket", OPT_SOCKET, NULL, 0, "use the kernel's UDP sockets instead of a DPDK port", 3},
	{"no-batch", OPT_NO_BATCH, NULL, 0, "one record a datagram", 3},
	{"session", OPT_SESSION, "TYPE", 0,
	 "PDU session that UEs ask for: ipv4 (default), ipv6, ipv4v6", 5},
	{"hold", OPT_HOLD, "S", 0,
	 "attached UEs stay in their sessions for so long, and answer the network", 5},
	{"tun", OPT_TUN, "NAME", 0,
	 "attach one UE and be its link: a TUN device of this name has its addresses, and packets "
	 "go through its session until SIGTERM, or until the network ends it. Routes are yours",
	 5},
	{"adversarial", OPT_ADVERSARIAL, "N", 0,
	 "N packets of all kinds through the sessions, of which a gate is to forward one kind", 5},
	{"n3-device", OPT_N3_DEVICE, "NAME", 0,
	 "ethdev of the user plane; default: --device, or the kernel's sockets", 5},
	{"n3-local", OPT_N3_LOCAL, "ADDR", 0,
	 "N3 address of the first access node, with --n3-device", 5},
	{"n3-peer", OPT_N3_PEER, "ADDR", 0, "cpau's N3 address, with --n3-device", 5},
	{"load", OPT_LOAD, "OCTETS[:S]", 0,
	 "packets of so many octets through all sessions, from the UEs to the SM-DP+ at "
	 "--n6-local, "
	 "as fast as they are taken, for S seconds (default: 5)",
	 5},
	{"load-hostile", OPT_LOAD_HOSTILE, "PERCENT", 0,
	 "of --load's packets so many are none that a gate passes, in turn: an address beside the "
	 "SM-DP+'s, another port of it, a fragment, another UE's source address",
	 5},
	{"load-beside", OPT_LOAD_BESIDE, "N", 0,
	 "--load begins when N UEs are attached, in their sessions, and lasts until the others are "
	 "too",
	 5},
	{"load-only", OPT_LOAD_ONLY, "N", 0,
	 "nobody attaches: --load with N sessions that there are not, through whatever forwards "
	 "frames from --n3-device to --n6-device",
	 5},
	{"n6-device", OPT_N6_DEVICE, "NAME", 0, "ethdev of the data network, for --load", 5},
	{"n6-local", OPT_N6_LOCAL, "ADDR", 0, "the SM-DP+'s address, which is there", 5},
	{"n6-peer", OPT_N6_PEER, "ADDR", 0, "cpau's N6 address", 5},
	{"capture", OPT_CAPTURE, "FILE", 0, "write the link's datagrams to a pcap file", 4},
	{"write-pcap", OPT_WRITE_PCAP, "FILE", 0,
	 "no authenticator and no port: write AN SETUP REQUESTs and then ATTACH REQUESTs at their "
	 "times by --rate or --phase to a pcap file, one Ethernet frame a request, for tcpreplay "
	 "and the like. Of faults, those of step 1",
	 4},
	{"peer-mac", OPT_PEER_MAC, "MAC", 0, "of the authenticator, in --write-pcap's frames", 4},
	{"backend", OPT_BACKEND, "NAME", 0, "crypto backend (default: auto)", 4},
	{"no-chain-memo", OPT_NO_MEMO, NULL, 0,
	 "verify Cert_AU's chain for every UE, not once for all", 4},
	{"seed", OPT_SEED, "N", 0, "of faults and impairments (default: 1)", 4},
	{"timeline", OPT_TIMELINE, "MS", 0,
	 "with --json: what happened in each interval of MS milliseconds, of 6000 intervals at "
	 "most",
	 4},
	{"json", OPT_JSON, NULL, 0, "the report is one JSON object, the last line", 4},
	{0},
};

static double number(struct argp_state *state, const char *name, const char *text, double least,
		     double most)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || (*end != '\0' && strcmp(end, "%") != 0) || !(v >= least && v <= most))
		argp_error(state, "--%s %s: a number from %g to %g", name, text, least, most);
	return v;
}

static void list_faults(void)
{
	for (unsigned int f = FAULT_NONE + 1; f < FAULT_N; f++) {
		const struct fault_definition *d = &fault_definitions[f];

		printf("%-20s %-50s -> %s\n", d->name, d->text,
		       d->outcome == FAULT_SILENCE    ? "no answer"
		       : d->outcome == FAULT_ATTACHES ? "attaches all the same"
						      : wire_cause_name(d->cause));
	}
	exit(0);
}

static void parse_faults(struct argp_state *state, struct options *o, char *text)
{
	double all = 0;

	if (strcmp(text, "help") == 0)
		list_faults();
	for (char *item = strtok(text, ","); item; item = strtok(NULL, ",")) {
		char *equals = strchr(item, '=');
		unsigned int f = FAULT_NONE + 1;

		if (!equals) {
			argp_error(state, "--fault %s: NAME=SHARE%%, as in bad-sig1=1%%", item);
			return; /* not with argp's usual flags */
		}
		*equals = '\0';
		while (f < FAULT_N && strcmp(fault_definitions[f].name, item) != 0)
			f++;
		if (f == FAULT_N)
			argp_error(state, "--fault %s: unknown; `--fault help` lists them", item);
		o->storm.fault_share[f] = number(state, "fault", equals + 1, 0, 100) / 100;
		all += o->storm.fault_share[f];
	}
	if (all > 1 + 1e-9)
		argp_error(state, "--fault: the shares come to more than 100%%");
}

static void parse_phase(struct argp_state *state, struct storm_config *c, const char *text)
{
	char *end, *after_rate;
	struct storm_phase p = {.rate = strtod(text, &after_rate)};

	if (after_rate == text || *after_rate != ':' || !(p.rate >= 0 && p.rate <= 1e8))
		argp_error(state, "--phase %s: RATE:SECONDS[:NAME], RATE from 0 to 1e8", text);
	p.seconds = strtod(after_rate + 1, &end);
	if (end == after_rate + 1 || (*end != '\0' && *end != ':') ||
	    !(p.seconds >= 0.001 && p.seconds <= 1e6))
		argp_error(state, "--phase %s: RATE:SECONDS[:NAME], SECONDS from 0.001 to 1e6",
			   text);
	if (*end == ':' && end[1] != '\0')
		p.name = end + 1;
	if (c->n_phases == STORM_PHASES_MAX)
		argp_error(state, "--phase: at most %d", STORM_PHASES_MAX);
	c->phases[c->n_phases++] = p;
}

static void parse_junk(struct argp_state *state, struct storm_config *c, const char *text)
{
	static const char *const kinds[JUNK_KINDS] = {
		[JUNK_UNKNOWN_AN] = "unknown-an",
		[JUNK_MALFORMED] = "malformed",
	};
	char *end;

	c->junk_rate = strtod(text, &end);
	c->junk_kinds = *end == '\0' ? (1u << JUNK_KINDS) - 1 : 0;
	for (unsigned int i = 0; i < JUNK_KINDS; i++)
		if (*end == ':' && strcmp(end + 1, kinds[i]) == 0)
			c->junk_kinds = 1u << i;
	if (end == text || c->junk_kinds == 0 || !(c->junk_rate > 0 && c->junk_rate <= 1e8))
		argp_error(state, "--junk %s: RATE[:KIND], KIND unknown-an or malformed", text);
}

static void parse_mac(struct argp_state *state, const char *text, uint8_t mac[6])
{
	int n = 0;

	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2],
		   &mac[3], &mac[4], &mac[5], &n) != 6 ||
	    text[n] != '\0')
		argp_error(state, "--peer-mac %s: not six octets as in 02:00:00:00:00:01", text);
}

/* What --write-pcap goes with. */
static void check_write(struct argp_state *state, const struct options *o)
{
	const struct storm_config *c = &o->storm;

	if (!o->has_mac || (c->rate <= 0 && c->n_phases == 0))
		argp_error(state, "--write-pcap needs --peer-mac, and --rate or --phase");
	for (unsigned int f = FAULT_NONE + 1; f < FAULT_N; f++)
		if (c->fault_share[f] > 0 && !fault_is_of_step1((enum fault)f))
			argp_error(state, "--write-pcap: the fault %s is not of step 1 alone",
				   fault_definitions[f].name);
}

static uint8_t session_type(struct argp_state *state, const char *text)
{
	static const char *const types[] = {[DEVICE_SESSION_IPV4] = "ipv4",
					    [DEVICE_SESSION_IPV6] = "ipv6",
					    [DEVICE_SESSION_IPV4V6] = "ipv4v6"};

	for (unsigned int i = DEVICE_SESSION_IPV4; i <= DEVICE_SESSION_IPV4V6; i++)
		if (strcmp(text, types[i]) == 0)
			return (uint8_t)i;
	argp_error(state, "--session %s: ipv4, ipv6 or ipv4v6", text);
	return 0; /* not with argp's usual flags */
}

static void parse_load(struct argp_state *state, struct storm_config *c, const char *text)
{
	int n = 0;

	c->load_s = 5;
	if (sscanf(text, "%u%n:%lf%n", &c->load_octets, &n, &c->load_s, &n) < 1 ||
	    text[n] != '\0' || c->load_octets < LOAD_OCTETS_MIN ||
	    c->load_octets > LOAD_OCTETS_MAX || !(c->load_s > 0))
		argp_error(state, "--load %s: OCTETS[:S], OCTETS from %d to %d", text,
			   LOAD_OCTETS_MIN, LOAD_OCTETS_MAX);
}

static void check_user_plane(struct argp_state *state, struct options *o)
{
	struct storm_config *c = &o->storm;

	if (c->tun)
		c->ues = 1;
	if (storm_holds(c) && (c->write_only || c->cycles > 1))
		argp_error(state, "--hold, --tun and --adversarial go without --cycles and "
				  "--write-pcap");
	if (!o->n3_device != !o->n3_local || !o->n3_device != !o->n3_peer ||
	    (o->n3_device && o->link.socket))
		argp_error(state, "--n3-device, --n3-local and --n3-peer go together, without "
				  "--socket");
	if (!o->n6_device != !o->n6_local || !o->n6_device != !o->n6_peer)
		argp_error(state, "--n6-device, --n6-local and --n6-peer go together");
	if (c->load_octets > 0 && (!o->n3_device || !o->n6_device))
		argp_error(state, "--load takes --n3-device and --n6-device");
	if ((c->load_sessions > 0 || c->load_beside > 0 || c->load_hostile > 0) &&
	    c->load_octets == 0)
		argp_error(state, "--load-only, --load-beside and --load-hostile go with --load");
}

/* "1,2" -> bits 0x40 and 0x20: TS 24.501 9.11.3.54 */
static uint8_t algorithms(struct argp_state *state, const char *name, const char *text)
{
	uint8_t bits = 0;

	for (const char *p = text; *p; p++) {
		if (*p >= '0' && *p <= '3')
			bits |= (uint8_t)(0x80 >> (*p - '0'));
		else if (*p != ',')
			argp_error(state, "--%s %s: digits 0 to 3, with commas", name, text);
	}
	return bits;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	struct storm_config *s = &o->storm;
	struct link_config *l = &o->link;

	switch (key) {
	case 'f':
		o->fleet = arg;
		return 0;
	case 'n':
		s->ues = (uint64_t)number(state, "ues", arg, 1, 1e9);
		return 0;
	case OPT_RATE:
		s->rate = number(state, "rate", arg, 0, 1e8);
		return 0;
	case OPT_BURST:
		s->burst = (uint64_t)number(state, "burst", arg, 1, 1e6);
		return 0;
	case OPT_DURATION:
		s->duration_s = number(state, "duration", arg, 0, 1e6);
		return 0;
	case OPT_PHASE:
		parse_phase(state, s, arg);
		return 0;
	case OPT_PREPARE:
		s->prepare = true;
		return 0;
	case OPT_TIMELINE:
		o->timeline_ms = number(state, "timeline", arg, 1, 1e6);
		return 0;
	case OPT_IN_FLIGHT:
		s->max_in_flight = (unsigned int)number(state, "in-flight", arg, 1, IN_FLIGHT_MAX);
		return 0;
	case OPT_RETRY:
		s->retry = true;
		return 0;
	case OPT_T3511:
		s->t3511_s = number(state, "t3511", arg, 0.01, 10000);
		return 0;
	case OPT_AN_WAIT:
		s->an_wait_s = number(state, "an-wait", arg, 0.01, 1000);
		return 0;
	case OPT_DEAF:
		s->deaf = true;
		return 0;
	case OPT_T3510:
		s->t3510_s = number(state, "t3510", arg, 0.01, 1000);
		return 0;
	case OPT_TRIES:
		s->tries = (unsigned int)number(state, "tries", arg, 1, 100);
		return 0;
	case OPT_PATIENCE:
		s->patience_s = number(state, "patience", arg, 0.1, 10000);
		return 0;
	case OPT_NIA:
		s->capability[1] = algorithms(state, "nia", arg);
		return 0;
	case OPT_NEA:
		s->capability[0] = algorithms(state, "nea", arg);
		return 0;
	case OPT_FAULT:
		parse_faults(state, o, arg);
		return 0;
	case OPT_HOSTILE_FLEET:
		o->hostile_fleet = arg;
		return 0;
	case OPT_JUNK:
		parse_junk(state, s, arg);
		return 0;
	case OPT_CYCLES:
		s->cycles = (unsigned int)number(state, "cycles", arg, 1, 1e6);
		return 0;
	case OPT_LOSS:
		l->loss = number(state, "loss", arg, 0, 100) / 100;
		return 0;
	case OPT_DUPLICATE:
		l->duplicate = number(state, "duplicate", arg, 0, 100) / 100;
		return 0;
	case OPT_REORDER:
		l->reorder = number(state, "reorder", arg, 0, 100) / 100;
		return 0;
	case OPT_AN:
		s->n_ans = l->n_ans = (unsigned int)number(state, "an", arg, 1, 4096);
		return 0;
	case OPT_AN_KEY:
		o->an_key = arg;
		return 0;
	case OPT_LOCAL:
		o->local = arg;
		return 0;
	case OPT_PEER:
		o->peer = arg;
		return 0;
	case OPT_GATEWAY:
		o->gateway = arg;
		return 0;
	case OPT_VLAN:
		l->vlan = (uint16_t)number(state, "vlan", arg, 0, 4094);
		return 0;
	case OPT_MTU:
		l->mtu = (uint16_t)number(state, "mtu", arg, 576, NET_MTU_MAX);
		return 0;
	case OPT_DEVICE:
		l->device = arg;
		return 0;
	case OPT_SOCKET:
		l->socket = true;
		return 0;
	case OPT_CAPTURE:
		l->capture = arg;
		return 0;
	case OPT_WRITE_PCAP:
		l->file = arg;
		s->write_only = true;
		s->batch = false;
		return 0;
	case OPT_PEER_MAC:
		parse_mac(state, arg, l->peer_mac);
		o->has_mac = true;
		return 0;
	case OPT_BACKEND:
		s->backend = arg;
		return 0;
	case OPT_NO_MEMO:
		s->memo_off = true;
		return 0;
	case OPT_NO_BATCH:
		s->batch = false;
		return 0;
	case OPT_SEED:
		s->seed = l->seed = (uint64_t)number(state, "seed", arg, 0, 1e15);
		return 0;
	case OPT_SESSION:
		s->session_type = session_type(state, arg);
		return 0;
	case OPT_HOLD:
		s->hold_s = number(state, "hold", arg, 0.001, 1e6);
		return 0;
	case OPT_TUN:
		s->tun = arg;
		return 0;
	case OPT_ADVERSARIAL:
		s->adversarial = (uint64_t)number(state, "adversarial", arg, 1, 1e9);
		return 0;
	case OPT_N3_DEVICE:
		o->n3_device = arg;
		return 0;
	case OPT_N3_LOCAL:
		o->n3_local = arg;
		return 0;
	case OPT_N3_PEER:
		o->n3_peer = arg;
		return 0;
	case OPT_N6_DEVICE:
		o->n6_device = arg;
		return 0;
	case OPT_N6_LOCAL:
		o->n6_local = arg;
		return 0;
	case OPT_N6_PEER:
		o->n6_peer = arg;
		return 0;
	case OPT_LOAD:
		parse_load(state, s, arg);
		return 0;
	case OPT_LOAD_HOSTILE:
		s->load_hostile = number(state, "load-hostile", arg, 0, 100) / 100;
		return 0;
	case OPT_LOAD_BESIDE:
		s->load_beside = (uint64_t)number(state, "load-beside", arg, 1, IN_FLIGHT_MAX);
		return 0;
	case OPT_LOAD_ONLY:
		s->load_sessions = (unsigned int)number(state, "load-only", arg, 1, 1 << 24);
		return 0;
	case OPT_JSON:
		o->json = s->json = true;
		return 0;
	case ARGP_KEY_ARGS:
		o->eal_argc = state->argc - state->next;
		o->eal_argv = state->argv + state->next;
		return 0;
	case ARGP_KEY_END:
		if (s->load_sessions == 0 &&
		    (!o->fleet || !(o->an_key || l->file) || !o->local || !o->peer))
			argp_error(
				state,
				"--fleet, --an-key, --local and --peer are required (see --help)");
		if (l->file)
			check_write(state, o);
		check_user_plane(state, o);
		if (s->n_phases > 0 && (s->rate > 0 || s->duration_s > 0))
			argp_error(state, "--phase goes without --rate and --duration");
		if (!o->hostile_fleet != (s->fault_share[FAULT_STRANGER] <= 0))
			argp_error(state, "--fault stranger=P%% and --hostile-fleet go together");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static volatile int stop;

static void on_signal(int number_)
{
	(void)number_;
	stop = 1;
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "cpau-storm: %s: %s\n", what, why);
	return EXIT_START;
}

static bool read_key(const char *path, uint8_t key[32])
{
	FILE *f = fopen(path, "r");
	char hex[65] = "";
	bool ok = f && fscanf(f, "%64[0-9a-fA-F]", hex) == 1 && strlen(hex) == 64;

	for (unsigned int i = 0; ok && i < 32; i++)
		ok = sscanf(hex + 2 * i, "%2hhx", &key[i]) == 1;
	wipe(hex, sizeof(hex));
	if (f)
		fclose(f);
	return ok;
}

static bool start_eal(const struct options *o)
{
	char *argv[64] = {"cpau-storm"};
	int argc = 1;

	for (int i = 0; i < o->eal_argc && argc < 63; i++)
		argv[argc++] = o->eal_argv[i];
	return rte_eal_init(argc, argv) >= 0;
}

/* How many UEs there are, and how many at a time. False: the fleet has too few. */
static bool choose_ues(struct storm_config *c, uint64_t in_fleet)
{
	uint64_t wanted = schedule_arrivals(c);

	if (c->n_phases > 0) {
		if (c->ues == 0 || c->ues > wanted)
			c->ues = wanted;
		if (c->ues > in_fleet)
			return false;
	} else if (c->ues == 0 || c->ues > in_fleet) {
		c->ues = in_fleet;
	}
	if (c->write_only || (c->max_in_flight == 0 && c->n_phases > 0))
		c->max_in_flight =
			(unsigned int)(c->ues < IN_FLIGHT_MAX ? c->ues + !c->ues : IN_FLIGHT_MAX);
	if (c->max_in_flight == 0)
		c->max_in_flight = c->rate > 0 ? 65536 : 256;
	return true;
}

/* What the run is about: devices, keys, addresses. False: it has said why not. */
static bool open_inputs(struct options *o, struct fleet **fleet, struct fleet **hostile)
{
	struct storm_config *c = &o->storm;
	const char *why;

	c->fleet = *fleet = fleet_open(o->fleet, &why);
	if (!*fleet)
		return !fail(o->fleet, why);
	if (o->hostile_fleet) {
		c->hostile_fleet = *hostile = fleet_open(o->hostile_fleet, &why);
		if (!*hostile)
			return !fail(o->hostile_fleet, why);
		if (fleet_curve(*hostile) != fleet_curve(*fleet) || fleet_count(*hostile) == 0)
			return !fail(o->hostile_fleet, "not on the curve of --fleet, or empty");
	}
	if (!choose_ues(c, fleet_count(*fleet)))
		return !fail("--phase", "more UEs than the fleet has: `cpau-pki fleet --count` "
					"makes more, --ues lets fewer arrive");
	if (c->write_only && c->ues > IN_FLIGHT_MAX)
		return !fail("--write-pcap", "1048576 UEs at most; --ues lets fewer arrive");
	if (o->an_key && !read_key(o->an_key, c->an_key))
		return !fail(o->an_key, "cannot be read, or is not 64 hex digits");
	if (!net_addr_parse(o->local, &o->link.local) || !net_addr_parse(o->peer, &o->link.peer) ||
	    o->link.local.family != o->link.peer.family ||
	    (o->gateway && !net_addr_parse(o->gateway, &o->link.gateway)))
		return !fail("--local, --peer, --gateway", "not addresses of one family");
	o->link.user_plane = !o->n3_device;
	return true;
}

/* Those of the user plane, from --n3-... and --n6-.... False: it has said why not. */
static bool choose_links(struct options *o)
{
	const struct {
		const char *names, *device, *local, *peer;
		struct link_config *config;
	} links[] = {
		{"--n3-local, --n3-peer", o->n3_device, o->n3_local, o->n3_peer, &o->n3},
		{"--n6-local, --n6-peer", o->n6_device, o->n6_local, o->n6_peer, &o->n6},
	};

	for (unsigned int i = 0; i < 2; i++) {
		struct link_config *c = links[i].config;

		*c = (struct link_config){.device = links[i].device,
					  .mtu = o->link.mtu,
					  .vlan = o->link.vlan,
					  .n_ans = i == 0 ? o->link.n_ans : 1,
					  .user_plane = true,
					  .seed = o->link.seed,
					  /* Whatever forwards frames answers no ARP. */
					  .has_mac = o->storm.load_sessions > 0,
					  .peer_mac = {0x02, 0, 0, 0, 0, 1}};
		if (c->device &&
		    (!net_addr_parse(links[i].local, &c->local) ||
		     !net_addr_parse(links[i].peer, &c->peer) || c->local.family != c->peer.family))
			return !fail(links[i].names, "not addresses of one family");
	}
	return true;
}

/* The storm over an open link; its exit code. */
static int storm(struct options *o, const struct links *links)
{
	static struct storm_result result; /* large, and there is one */
	struct storm_result *r = &result;
	const char *why;

	if (o->timeline_ms > 0 &&
	    !(r->timeline = timeline_create((uint64_t)(o->timeline_ms * 1e6))))
		return fail("storm", "out of memory");
	if ((o->storm.junk_kinds & 1u << JUNK_UNKNOWN_AN) && !link_can_forge(links->an))
		return fail("--junk", "the kernel's sockets have no foreign addresses: "
				      "`RATE:malformed`, or a DPDK port");
	bool ok = o->storm.load_sessions > 0
			  ? load_run_only(&o->storm, links->n3, links->n6, &stop, &r->load, &why)
			  : storm_run(&o->storm, links->an, links->n3, links->n6, &stop, r, &why);

	if (ok)
		storm_report(&o->storm, r, o->json);
	else
		fail("storm", why);
	bool as_wanted =
		r->failed == 0 && (o->storm.write_only || r->faults_as_expected == r->faults_sent);
	int code = !ok ? EXIT_START : as_wanted ? 0 : EXIT_FAILED;

	free(r->timeline);
	return code;
}

static bool uses_eal(const struct options *o)
{
	return !o->link.socket && !o->link.file;
}

static bool open_link(struct link **out, const struct link_config *config, const char *name)
{
	const char *why;

	*out = link_open(config, &why);
	return *out || !fail(name, why);
}

static bool open_links(const struct options *o, struct links *l)
{
	bool ok = o->storm.load_sessions > 0 || open_link(&l->an, &o->link, "link");

	ok = ok && (!o->n3_device || open_link(&l->n3, &o->n3, "--n3-device"));
	ok = ok && (!o->n6_device || open_link(&l->n6, &o->n6, "--n6-device"));
	if (!l->n3)
		l->n3 = l->an;
	return ok;
}

/* False: a file is not complete. */
static bool close_links(const struct links *l)
{
	link_close(l->n6);
	if (l->n3 != l->an)
		link_close(l->n3);
	return link_close(l->an);
}

static int run(struct options *o)
{
	struct fleet *fleet = NULL, *hostile = NULL;
	struct links links = {0};
	int code = EXIT_START;

	if (!choose_links(o) || (o->storm.load_sessions == 0 && !open_inputs(o, &fleet, &hostile)))
		return EXIT_START;
	if (uses_eal(o) && !start_eal(o))
		return fail("EAL", "did not start: see its lines above; its arguments follow `--`");
	if (open_links(o, &links))
		code = storm(o, &links);
	if (!close_links(&links))
		code = fail(o->link.file ? o->link.file : o->link.capture,
			    "not written completely: is there room?");
	if (uses_eal(o))
		net_eal_cleanup();
	fleet_close(fleet);
	fleet_close(hostile);
	return code;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		argp_options,
		parse,
		"[-- EAL-ARGUMENTS]",
		"Runs access nodes and UEs against a cpau, and reports what came of them."
		"\vExit codes: 0 every well-behaved UE attached and every fault met what it must; "
		"1 not so; 2 "
		"usage; 3 could not start.",
		NULL,
		NULL,
		NULL};
	struct options o = {
		.storm = {.burst = 1,
			  .cycles = 1,
			  .n_ans = 1,
			  .t3510_s = 2,
			  .an_wait_s = 4,
			  .t3511_s = 10,
			  .tries = 5,
			  .patience_s = 30,
			  .capability = {0xf0, 0x70},
			  .batch = true,
			  .seed = 1,
			  .progress = true},
		.link = {.device = "net_memif0",
			 .peer_port = WIRE_UDP_PORT,
			 .mtu = 1500,
			 .n_ans = 1,
			 .seed = 1},
	};

	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &o) != 0)
		return EXIT_USAGE;
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	return run(&o);
}
