/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Ports: for a NIC its driver and its NUMA node, for a virtual device its driver and what it needs.
 */
#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_build_config.h>

#include "check_internal.h"

enum { PATH_SIZE = 512 };

/* ---------------------------------------------------------------- NICs */

static void check_pci_node(struct check *c, const char *address)
{
	long node = check_read_number("/sys/bus/pci/devices/%s/numa_node", address);
	unsigned int near = 0, far = 0;

	if (node < 0)
		return;
	for (unsigned int i = 0; i < c->config->n_lcores; i++) {
		const struct config_lcore *l = &c->config->lcores[i];
		bool serves = false;

		for (unsigned int j = 0; j < l->n_stages; j++)
			serves |= l->stages[j] != CONFIG_STAGE_CRYPTO;
		if (serves)
			*(check_node_of_cpu(check_cpu_of_lcore(c->config, l->lcore)) == node
				  ? &near
				  : &far) += 1;
	}
	if (far)
		check_warn(c,
			   "run worker, control and gate stages on CPUs of the NIC's node (lscpu "
			   "-e=CPU,NODE)",
			   "%s is on NUMA node %ld, and %u of %u lcores with worker, control or "
			   "gate stages are not",
			   address, node, far, near + far);
	else
		check_ok(c,
			 "%s is on NUMA node %ld, as the %u lcores with worker, control or gate "
			 "stages",
			 address, node, near);
}

static void check_pci(struct check *c, const struct config_port *p)
{
	char address[32], link[PATH_SIZE], target[PATH_SIZE], remedy[128];
	ssize_t n;

	snprintf(address, sizeof(address), "%s%s", strlen(p->device) < 12 ? "0000:" : "",
		 p->device);
	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s", address);
	if (access(link, F_OK) != 0) {
		check_fail(c,
			   "give an address that `dpdk-devbind.py --status-dev net` lists as "
			   "ports[].device",
			   "%s: no such PCI device", address);
		return;
	}
	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/driver", address);
	n = readlink(link, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	const char *slash = strrchr(target, '/'), *driver = slash ? slash + 1 : "none";

	snprintf(remedy, sizeof(remedy), "scripts/host-setup apply --nic %s", address);
	if (strcmp(driver, "vfio-pci") == 0 || strncmp(driver, "mlx", 3) == 0)
		check_ok(c, "%s: driver %s", address, driver);
	else if (strcmp(driver, "igb_uio") == 0 || strcmp(driver, "uio_pci_generic") == 0)
		check_warn(c, remedy, "%s: driver %s does not protect memory from the device",
			   address, driver);
	else
		check_fail(c, remedy, "%s: driver %s; DPDK needs vfio-pci (or an mlx5 NIC's own)",
			   address, driver);
	check_pci_node(c, address);
}

/* ---------------------------------------------------------------- virtual devices */

/* Names of devices whose driver file is called otherwise. */
static const char *const aliases[][2] = {
	{"net_bonding", "net_bond"},	    {"net_virtio_user", "net_virtio"},
	{"virtio_user", "net_virtio"},	    {"net_eth_ring", "net_ring"},
	{"eth_af_packet", "net_af_packet"},
};

static bool driver_exists(const char *device)
{
	char name[64], pattern[PATH_SIZE];
	size_t n = strlen(device);
	glob_t found;

	while (n > 0 && (isdigit((unsigned char)device[n - 1]) || device[n - 1] == '_'))
		n--;
	snprintf(name, sizeof(name), "%.*s", (int)n, device);
	for (unsigned int i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strcmp(name, aliases[i][0]) == 0)
			snprintf(name, sizeof(name), "%s", aliases[i][1]);
	snprintf(pattern, sizeof(pattern), "%s/librte_%s.so*", RTE_EAL_PMD_PATH, name);
	if (glob(pattern, 0, NULL, &found) != 0)
		return false;
	globfree(&found);
	return true;
}

/* The value of a device argument, "iface" in "net_af_packet0,iface=eth0". */
static bool argument(const char *vdev, const char *key, char *value, size_t size)
{
	size_t n = strlen(key);

	for (const char *p = strchr(vdev, ','); p; p = strchr(p, ','))
		if (strncmp(++p, key, n) == 0 && p[n] == '=') {
			snprintf(value, size, "%.*s", (int)strcspn(p + n + 1, ","), p + n + 1);
			return true;
		}
	return false;
}

static bool is_kind(const struct config_port *p, const char *kind)
{
	return strncmp(p->device, kind, strlen(kind)) == 0;
}

static void check_memif(struct check *c, const struct config_port *p)
{
	char socket[PATH_SIZE], text[16];
	bool abstract = !argument(p->vdev, "socket-abstract", text, sizeof(text)) ||
			strcmp(text, "yes") == 0;

	if (!argument(p->vdev, "socket", socket, sizeof(socket))) {
		if (!abstract)
			check_warn(c, "add socket=FILE to the vdev",
				   "%s: its socket is /run/memif.sock", p->device);
		return;
	}
	if (abstract) {
		check_warn(c, "add socket-abstract=no to the vdev",
			   "%s: any user of this host can connect to its abstract socket",
			   p->device);
		return;
	}
	if (socket[0] != '/') {
		check_fail(c,
			   "write socket=/DIRECTORY/NAME in the vdev: DPDK takes whole paths alone",
			   "%s: its socket %s is not a whole path", p->device, socket);
		return;
	}
	*strrchr(socket, '/') = '\0';
	if (access(socket[0] ? socket : "/", R_OK | W_OK) != 0)
		check_fail(c, "make that directory, or give another socket= in the vdev",
			   "%s: the socket's directory %s: %s", p->device, socket, strerror(errno));
}

static void check_interface(struct check *c, const struct config_port *p)
{
	char name[64], text[16];
	unsigned int senders = config_tx_queues(c->config, (unsigned int)(p - c->config->ports));
	const char *queues_key = is_kind(p, "net_af_packet") ? "qpairs" : "queue_count";

	if (!argument(p->vdev, "iface", name, sizeof(name)))
		check_fail(c, "add iface=NAME to the vdev", "%s: no interface is given", p->device);
	else if (if_nametoindex(name) == 0)
		check_fail(c, "give an interface that `ip link` lists", "%s: no interface %s",
			   p->device, name);
	unsigned long queues =
		argument(p->vdev, queues_key, text, sizeof(text)) ? strtoul(text, NULL, 10) : 1;

	if (queues < senders)
		check_fail(c, "raise it in the vdev: each lcore that sends has a transmit queue",
			   "%s: %s=%lu, and %u lcores send over it", p->device, queues_key, queues,
			   senders);
	if (geteuid() != 0)
		check_warn(c,
			   "start as root, or give the binary CAP_NET_RAW and CAP_NET_ADMIN (and "
			   "CAP_BPF for AF_XDP)",
			   "%s: sockets of its kind are not for every user", p->device);
}

static void check_virtual(struct check *c, const struct config_port *p)
{
	unsigned int before = c->warn + c->fail;

	if (access(RTE_EAL_PMD_PATH, R_OK) == 0 && !driver_exists(p->device)) {
		check_fail(c,
			   "name it after its driver: net_memif0, net_af_packet0, net_af_xdp0, "
			   "net_tap0, "
			   "net_ring0",
			   "%s: DPDK has no driver of this name in %s", p->device,
			   RTE_EAL_PMD_PATH);
		return;
	}
	if (!p->vdev)
		check_fail(c, "add its vdev: \"NAME,arguments\"",
			   "%s: a virtual device without 'vdev'", p->device);
	else if (is_kind(p, "net_memif"))
		check_memif(c, p);
	else if (is_kind(p, "net_af_packet") || is_kind(p, "net_af_xdp"))
		check_interface(c, p);
	if (c->warn + c->fail == before)
		check_ok(c, "%s: virtual, %s", p->device, p->vdev);
}

void check_ports(struct check *c)
{
	for (unsigned int i = 0; i < c->config->n_ports; i++)
		if (check_is_pci(c->config->ports[i].device))
			check_pci(c, &c->config->ports[i]);
		else
			check_virtual(c, &c->config->ports[i]);
}
