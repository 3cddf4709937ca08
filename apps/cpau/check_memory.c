/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Memory: what the configuration will take, against what EAL can get.
 */
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_mbuf.h>

#include "au/job.h"
#include "au/stage.h"
#include "check_internal.h"
#include "gate/gate.h"

enum {
	MIB = 1 << 20,
	OBJECT_OVERHEAD = 128, /* mempool header and alignment of one object */
	QUEUE_MIB = 3,	       /* a worker on a port: mostly its reassembly table */
	BASE_MIB = 64,	       /* EAL, ports, indirect pools */
	NODES_MAX = 8,
	EAL_NO_HUGE_MIB = 64, /* EAL's choice for --no-huge without -m */
};

struct estimate {
	uint64_t mbufs, ues, jobs, multiples, sessions, other, total; /* octets */
};

/* Its row with its indexes; of either family it has as many places as it may have addresses. */
static uint64_t octets_per_session(void)
{
	return gate_table_octets_per_session() + (AU_ADDRESSES_PER_UE - 1) * 2 * sizeof(uint32_t);
}

static uint64_t octets_per_multiples(void)
{
	return sizeof(struct crypto_multiples) + OBJECT_OVERHEAD;
}

/* With half on top: pools and tables are rounded up, and EAL's heap has gaps. */
static struct estimate estimate(const struct config *config)
{
	uint64_t workers = config_stage_count(config, CONFIG_STAGE_WORKER);
	uint64_t gates = config_stage_count(config, CONFIG_STAGE_GATE);
	/* A crypto stage has one for requests and one for responses. */
	uint64_t rings = 2 * config_stage_count(config, CONFIG_STAGE_CRYPTO) +
			 config_stage_count(config, CONFIG_STAGE_CONTROL);
	struct estimate e = {
		.mbufs = (uint64_t)config->n_ports * config->mbufs *
			 (sizeof(struct rte_mbuf) + NET_MBUF_DATA + OBJECT_OVERHEAD),
		.ues = (uint64_t)config->ue.max * ue_table_octets_per_ue(),
		.jobs = (uint64_t)config->ue.jobs * (sizeof(struct au_job) + OBJECT_OVERHEAD) +
			rings * rte_align32pow2(config->ue.jobs + 1) * sizeof(void *),
		.multiples = config->ue.key_multiples * octets_per_multiples(),
		.sessions = gates > 0 ? config->ue.max * octets_per_session() : 0,
		.other = (BASE_MIB + (workers + gates) * config->n_ports * QUEUE_MIB) *
			 (uint64_t)MIB,
	};

	e.total = (e.mbufs + e.ues + e.jobs + e.multiples + e.sessions + e.other) / 2 * 3;
	return e;
}

static unsigned long mib(uint64_t octets)
{
	return (unsigned long)((octets + MIB - 1) / MIB);
}

/* ---------------------------------------------------------------- ordinary pages */

static uint64_t available_memory(void)
{
	char line[128];
	unsigned long long kb = 0;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb * 1024;
}

static void check_ordinary_pages(struct check *c, const struct estimate *e)
{
	const char *m = config_eal_value(c->config, "-m");
	uint64_t asked = (m && *m ? strtoull(m, NULL, 10) : EAL_NO_HUGE_MIB) * MIB;
	uint64_t available = available_memory();
	char remedy[160];

	snprintf(remedy, sizeof(remedy),
		 "eal: [--no-huge, -m, \"%lu\"], or lower mbufs, ue.max, ue.jobs, ue.key-multiples",
		 mib(e->total));
	if (asked < e->total)
		check_fail(c, remedy, "EAL may take %lu MiB (%s), and %lu are needed", mib(asked),
			   m ? "-m" : "its default for --no-huge", mib(e->total));
	else if (available < asked)
		check_fail(c, "free memory, or lower -m and with it mbufs, ue.max, ue.jobs",
			   "EAL is to take %lu MiB, and %lu are available", mib(asked),
			   mib(available));
	else
		check_ok(c, "EAL takes %lu of %lu MiB available, %lu are needed", mib(asked),
			 mib(available), mib(e->total));
	check_warn(c, "for a server: scripts/host-setup apply --hugepages N, and no --no-huge",
		   "ordinary pages (--no-huge): a trial's choice, slower, and no NIC can use them");
	if (check_has_pci_ports(c->config))
		check_fail(c, "remove --no-huge and -m from eal", "a NIC needs hugepages");
}

/* ---------------------------------------------------------------- hugepages */

/* Free hugepages of all sizes on a node; -1: there is no such node. */
static int64_t node_free(int node)
{
	static const unsigned int kb[] = {2048, 1048576};
	char path[128];
	int64_t free_octets = 0;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", node);
	if (access(path, F_OK) != 0)
		return -1;
	for (unsigned int i = 0; i < sizeof(kb) / sizeof(kb[0]); i++) {
		long pages = check_read_number("%s/hugepages/hugepages-%ukB/free_hugepages", path,
					       kb[i]);

		if (pages > 0)
			free_octets += (int64_t)pages * kb[i] * 1024;
	}
	return free_octets;
}

/* --socket-mem "1024,512": MiB wanted on each node, all of which must be there. */
static void check_socket_mem(struct check *c, const char *text)
{
	for (int node = 0; *text && node < NODES_MAX; node++) {
		char *end;
		uint64_t wanted = strtoull(text, &end, 10) * MIB;
		int64_t there = node_free(node);

		if (end == text)
			return;
		if (wanted > 0 && there < (int64_t)wanted)
			check_fail(
				c,
				"scripts/host-setup apply --hugepages N (2 MiB each, on each node)",
				"--socket-mem asks for %lu MiB on NUMA node %d, which %s",
				mib(wanted), node,
				there < 0 ? "does not exist" : "has fewer free hugepages");
		text = end + (*end == ',');
	}
}

static bool hugetlbfs_mounted(void)
{
	char line[512];
	bool found = false;
	FILE *f = fopen("/proc/mounts", "r");

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, " hugetlbfs ") != NULL;
	if (f)
		fclose(f);
	return found;
}

static void check_hugepages(struct check *c, const struct estimate *e)
{
	const char *socket_mem = config_eal_value(c->config, "--socket-mem");
	int64_t total = 0, of_node;
	char remedy[160];

	for (int node = 0; node < NODES_MAX && (of_node = node_free(node)) >= 0; node++)
		total += of_node;
	snprintf(remedy, sizeof(remedy),
		 "scripts/host-setup apply --hugepages %lu, or lower mbufs, ue.max, ue.jobs, "
		 "ue.key-multiples",
		 (mib(e->total) + 1) / 2);
	if (total < (int64_t)e->total)
		check_fail(c, remedy, "%lu MiB of hugepages are free, and %lu are needed",
			   mib((uint64_t)total), mib(e->total));
	else
		check_ok(c, "%lu MiB of hugepages are free, %lu are needed", mib((uint64_t)total),
			 mib(e->total));
	if (socket_mem)
		check_socket_mem(c, socket_mem);
	if (!hugetlbfs_mounted() && !config_eal_value(c->config, "--in-memory"))
		check_fail(c,
			   "scripts/host-setup apply, or add --in-memory to eal (no second process "
			   "then)",
			   "no hugetlbfs is mounted");
}

/* ---------------------------------------------------------------- limits */

/* VFIO pins what the NIC may write to. */
static void check_memlock(struct check *c, const struct estimate *e)
{
	struct rlimit limit;

	if (!check_has_pci_ports(c->config) || geteuid() == 0 ||
	    getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
		return;
	if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < e->total)
		check_fail(c,
			   "scripts/host-setup apply --user NAME, then log in again (or "
			   "LimitMEMLOCK=infinity in the unit)",
			   "this user may lock %lu MiB, and VFIO locks up to %lu",
			   mib(limit.rlim_cur), mib(e->total));
	else
		check_ok(c, "this user may lock enough memory for VFIO");
}

/* A UE without an address is refused at its session request. */
static void check_pool(struct check *c)
{
	struct net_addr prefix;
	unsigned int length;

	net_prefix_parse(c->config->session.pool, &prefix, &length);
	uint64_t addresses = (UINT64_C(1) << (32 - length)) - 2;

	if (addresses < c->config->ue.max)
		check_warn(c, "give session.pool a shorter prefix, or lower ue.max",
			   "session.pool %s has %llu addresses for %u UEs", c->config->session.pool,
			   (unsigned long long)addresses, c->config->ue.max);
}

/* What one more UE takes while it is half-open, and what it takes from step 6 on. */
static void say_octets_per_ue(struct check *c)
{
	unsigned long context = ue_table_octets_per_ue(),
		      multiples = c->config->ue.key_multiples > 0 ? octets_per_multiples() : 0,
		      session = config_stage_count(c->config, CONFIG_STAGE_GATE) > 0
					? octets_per_session()
					: 0;

	check_ok(c,
		 "a half-open UE takes %lu octets (context %lu, multiples of its key %lu), an "
		 "attached one %lu (context %lu, session %lu)",
		 context + multiples, context, multiples, context + session, context, session);
}

void check_memory(struct check *c)
{
	struct estimate e = estimate(c->config);

	check_ok(c,
		 "estimate %lu MiB: packet buffers %lu, UE contexts %lu (%zu octets each), jobs "
		 "%lu, keys' multiples %lu, sessions of gates %lu, other %lu, half to spare",
		 mib(e.total), mib(e.mbufs), mib(e.ues), ue_table_octets_per_ue(), mib(e.jobs),
		 mib(e.multiples), mib(e.sessions), mib(e.other));
	say_octets_per_ue(c);
	if (config_eal_value(c->config, "--no-huge"))
		check_ordinary_pages(c, &e);
	else
		check_hugepages(c, &e);
	check_memlock(c, &e);
	check_pool(c);
}
