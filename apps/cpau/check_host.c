/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Host settings that cost throughput or tail latency when they are wrong.
 */
#include <dirent.h>
#include <stdlib.h>

#include "check_internal.h"

static bool has_entries(const char *directory)
{
	DIR *d = opendir(directory);
	bool found = false;

	for (struct dirent *e = d ? readdir(d) : NULL; e && !found; e = readdir(d))
		found = e->d_name[0] != '.';
	if (d)
		closedir(d);
	return found;
}

static void check_iommu(struct check *c)
{
	char text[16];

	if (!check_has_pci_ports(c->config))
		return;
	if (has_entries("/sys/class/iommu"))
		check_ok(c, "the IOMMU is on: vfio-pci can confine the NIC");
	else if (check_read_line(text, sizeof(text),
				 "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode") &&
		 text[0] == 'Y')
		check_warn(c, "turn the IOMMU on: intel_iommu=on (or amd_iommu=on) iommu=pt",
			   "VFIO runs without an IOMMU: the NIC can write anywhere in memory");
	else
		check_fail(c,
			   "turn it on in the firmware, and on the kernel command line: "
			   "intel_iommu=on "
			   "iommu=pt",
			   "no IOMMU: vfio-pci cannot be used");
}

/* khugepaged moves pages under a busy process. */
static void check_transparent_hugepages(struct check *c)
{
	char text[128];

	if (!check_read_line(text, sizeof(text), "/sys/kernel/mm/transparent_hugepage/enabled"))
		return;
	if (strstr(text, "[always]"))
		check_warn(c, "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
			   "transparent hugepages are always on: moving pages makes pauses");
	else
		check_ok(c, "transparent hugepages: %s", text);
}

static void check_swap(struct check *c)
{
	char line[256];
	unsigned int n = 0;
	FILE *f = fopen("/proc/swaps", "r");

	while (f && fgets(line, sizeof(line), f))
		n++;
	if (f)
		fclose(f);
	if (n > 1 && config_eal_value(c->config, "--no-huge"))
		check_warn(c, "swapoff -a, or use hugepages, which are never swapped out",
			   "swap is on, and UE contexts are in ordinary pages");
	else
		check_ok(c, n > 1 ? "swap is on, and does not touch hugepages" : "swap is off");
}

/* DPDK measures with the TSC; the kernel takes another clock only when it mistrusts it. */
static void check_clock(struct check *c)
{
	char text[64];

	if (!check_read_line(text, sizeof(text),
			     "/sys/devices/system/clocksource/clocksource0/current_clocksource"))
		return;
	if (strcmp(text, "tsc") == 0)
		check_ok(c, "clock source tsc");
	else if (strcmp(text, "kvm-clock") == 0 || strncmp(text, "hyperv", 6) == 0)
		check_ok(c, "clock source %s, the TSC by way of the hypervisor", text);
	else
		check_warn(c,
			   "see `dmesg | grep -i tsc`; firmware updates cure most, tsc=reliable "
			   "only if it is",
			   "clock source %s: the kernel does not trust the TSC, which timers use",
			   text);
}

void check_host(struct check *c)
{
	check_iommu(c);
	check_transparent_hugepages(c);
	check_swap(c);
	check_clock(c);
}
