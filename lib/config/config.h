/* SPDX-License-Identifier: BSD-3-Clause
 *
 * config: what `cpau` is told, from one YAML file (libcyaml) into one plain struct.
 *
 * Loading checks form and range: unknown keys, wrong types and values out of range are errors that
 * name the file and the line. Whether the machine can do what is asked (ports, CPUs, memory,
 * credentials) is `cpau --check`'s business, not this module's. Configuration time only; the struct
 * is constant afterwards and may be read by every thread.
 */
#ifndef CPAU_CONFIG_H
#define CPAU_CONFIG_H

#include "base/base.h"
#include "net/addr.h"

enum {
	CONFIG_LCORES_MAX = 128,
	CONFIG_PORTS_MAX = 8,
	CONFIG_ANS_MAX = 4096,
	CONFIG_EAL_ARGS_MAX = 64,
	CONFIG_SHARDS_MAX = 16, /* control stages */
	CONFIG_STAGES_MAX = 8,	/* stages of one lcore */
};

enum config_stage {
	CONFIG_STAGE_WORKER,
	CONFIG_STAGE_CRYPTO,
	CONFIG_STAGE_CONTROL,
	CONFIG_STAGE_GATE,
	CONFIG_STAGE_KINDS,
};

/* What a port is for; a port may serve several. */
enum config_serves {
	CONFIG_SERVES_AN = 1, /* the AN link */
	CONFIG_SERVES_N3 = 2, /* GTP-U, to and from access nodes */
	CONFIG_SERVES_N6 = 4, /* IP, to and from the data network */
};

/* The stages that one lcore runs, in turn. */
struct config_lcore {
	unsigned int lcore; /* lcore id, as in EAL's --lcores */
	unsigned int n_stages;
	enum config_stage stages[CONFIG_STAGES_MAX];
};

struct config_port {
	char *device; /* ethdev name after EAL start: PCI address or vdev name ("net_memif0") */
	char *vdev;   /* whole --vdev argument when the port is virtual, else NULL */
	char *ipv4;   /* "192.0.2.1/24", or NULL */
	char *ipv6;   /* "2001:db8::1/64", or NULL */
	unsigned int serves; /* bits of enum config_serves; CONFIG_SERVES_AN alone by default */
	char *gateway_ipv4;  /* next hop to what is not on the port's prefix, or NULL */
	char *gateway_ipv6;
	unsigned int vlan;	/* 0: untagged */
	unsigned int mtu;	/* octets */
	unsigned int rx_queues; /* 0: one a worker or gate, as far as the device has them */
	unsigned int rx_descriptors;
	unsigned int tx_descriptors;
	bool promiscuous;
};

/* Access nodes with consecutive addresses and names NAME-1..NAME-count. */
struct config_an {
	char *name;
	char *address; /* of the first */
	unsigned int count;
	char *key_file;	  /* 64 hex digits; shared by the whole range unless derived per AN */
	char *n3_address; /* of the first, for GTP-U; NULL: that of the AN link */
	/* filled by config_load */
	uint8_t key[32];
	struct net_addr first, n3_first;
};

struct config_credentials {
	char *directory; /* as `cpau-pki init` lays it out; each path below may override */
	char **operator_cas;
	unsigned int n_operator_cas;
	char **cross_certificates; /* both directions; files or directories */
	unsigned int n_cross_certificates;
	char **cis;
	unsigned int n_cis;
	char *eum_directory;
	char **au_certificates; /* Cert_AU, one a curve */
	unsigned int n_au_certificates;
	char **au_keys; /* in the order of au_certificates */
	unsigned int n_au_keys;
	char **crls; /* files or directories */
	unsigned int n_crls;
	char *eid_deny_list; /* NULL: none */
	unsigned int max_learned_eums;
};

struct config_nas {
	uint8_t nia[3]; /* enum sec_nia in order of preference */
	unsigned int n_nia;
	uint8_t nea[4];
	unsigned int n_nea;
};

struct config_ue {
	unsigned int max;	    /* UE contexts, over all shards */
	unsigned int max_half_open; /* of them not yet authenticated */
	unsigned int jobs;	    /* in flight between the stages */
	unsigned int key_multiples; /* half-open UEs for which step 6 is made cheaper */
};

/* Retries are retransmissions after the first sending. */
struct config_timers {
	unsigned int t3560_ms, t3560_retries; /* AUTHENTICATION REQUEST, SECURITY MODE COMMAND */
	unsigned int t3550_ms, t3550_retries; /* ATTACH ACCEPT */
	unsigned int tan_ms, tan_retries;     /* records that an AN must answer */
	unsigned int session_ms;	      /* from ATTACH COMPLETE to the session request */
	unsigned int attached_s;	      /* an attached UE is released after this; 0: never */
	unsigned int t3522_ms, t3522_retries; /* DETACH REQUEST of ours */
	unsigned int
		lifetime_s;  /* a session with a gate is released after this, whatever it does */
	unsigned int idle_s; /* one that has downloaded and then carries nothing so long is done */
	unsigned int refresh_s;	     /* of the names of session.allow */
	unsigned int queue_delay_ms; /* ATTACH REQUESTs that would wait longer are refused */
	unsigned int back_off_s;     /* T3346 given with a refusal; under overload, the longest */
	unsigned int replay_s;	     /* how long a RAND_UE is remembered after its run */
	unsigned int shutdown_ms;    /* how long in-flight attaches may take at SIGTERM */
};

/* A destination that sessions may reach over TCP. */
struct config_allow {
	char name[256]; /* to be resolved; "": the prefix */
	struct net_addr prefix;
	unsigned int length;
	uint16_t port;
};
/* "ADDRESS[/LENGTH][:PORT]", "[ADDRESS[/LENGTH]]:PORT" for IPv6, "NAME[:PORT]". False: it is none
 * of them. */
bool config_allow_parse(const char *text, struct config_allow *out);

struct config_session {
	char *dnn;
	char *pool;	 /* CIDR */
	char *pool_ipv6; /* CIDR of at most 64 bits, of which each UE gets a /64; NULL: IPv4 alone
			  */
	char *dns;	 /* IPv4 */
	char *dns_ipv6;	 /* or NULL */
	char *smdp_fqdn;
	char *smdp_address; /* IPv4; allowed on TCP port 443 */
	/* Further destinations that are allowed, "ADDRESS[/LENGTH]" or "NAME", then ":PORT" where
	 * it is not 443 ("[ADDRESS/LENGTH]:PORT" for IPv6). Names are resolved at start, and again
	 * every timers.refresh. */
	char **allow;
	unsigned int n_allow;
	struct config_allow *allowed; /* filled by config_load: one each */
	unsigned int ambr_kbps;
	unsigned int packets_per_s; /* of one session and direction; 0: no limit */
};

struct config {
	char *file; /* that it was loaded from */
	char *name; /* AU name, 1..64 printable */
	char *mcc;  /* 3 digits */
	char *mnc;  /* 2 or 3 digits */

	unsigned int n_eal_args;
	char *eal_args[CONFIG_EAL_ARGS_MAX];
	unsigned int n_lcores;
	struct config_lcore lcores[CONFIG_LCORES_MAX];
	unsigned int n_ports;
	struct config_port ports[CONFIG_PORTS_MAX];
	unsigned int udp_port;
	unsigned int n_ans; /* ranges */
	struct config_an *ans;
	unsigned int mbufs; /* per port pool */

	struct config_credentials credentials;

	char *crypto_backend;	    /* "auto", or a name of lib/crypto */
	unsigned int key_table_kib; /* for the tables of a CA's or EUM's key */

	struct config_nas nas;

	struct config_ue ue;

	struct config_timers timers;

	struct config_session session;
};

/* One message per problem: "FILE:LINE: what is wrong; what would be right". */
typedef void (*config_report)(void *arg, const char *message);

/* Fills *out from the file. Relative paths of credentials and key files are relative to the file's
 * directory and stand in *out with it in front; what is handed to EAL (`eal`, `vdev`) stays as it
 * is. Returns false after at least one report, with *out NULL; config_free afterwards in either
 * case is allowed. Form is checked first, by libcyaml, which stops at the first mistake; then all
 * mistakes of meaning are reported. */
bool config_load(const char *path, config_report report, void *arg, struct config **out);
/* Wipes the access nodes' keys. NULL is allowed. */
void config_free(struct config *c);

/* How many lcores run the stage, over all lcores. */
unsigned int config_stage_count(const struct config *c, enum config_stage stage);
/* Datagrams under reassembly at a time, of one worker or gate on one port. At most 1024, and so few
 * that what all of them hold while unfinished is a quarter of the port's mbufs. */
unsigned int config_max_fragments(const struct config *c);
/* The mbufs of a port that they can hold. */
unsigned int config_fragment_mbufs(const struct config *c);
/* Queues of the port: its readers' (workers where the AN link is, else gates; as far as nothing
 * else is said), and one for each lcore that sends over it (control where the AN link is, gates
 * where N3 or N6 is). */
unsigned int config_rx_queues(const struct config *c, unsigned int port);
unsigned int config_tx_queues(const struct config *c, unsigned int port);
/* The queue with which the n-th configured lcore sends over the port, if it does. */
unsigned int config_tx_queue(const struct config *c, unsigned int port, unsigned int n);
/* "worker", "crypto", "control", "gate" */
const char *config_stage_name(enum config_stage stage);
/* The value of an EAL argument: of "-m" in ["-m", "512"] or ["-m512"], of "--lcores" in
 * ["--lcores=0@0"] or ["--lcores", "0@0"]; "" when it is there without a value, NULL when it is not
 * there. */
const char *config_eal_value(const struct config *c, const char *argument);

#endif
