/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CPUs: whether the configured ones are there and ours, and whether they are left in peace.
 */
#include <sched.h>
#include <stdlib.h>

#include "check_internal.h"

/* The CPUs of all lcores; false: some lcore has none of its own. */
static bool gather(struct check *c, cpu_set_t *used)
{
	bool ok = true;

	CPU_ZERO(used);
	for (unsigned int i = 0; i < c->config->n_lcores; i++) {
		unsigned int lcore = c->config->lcores[i].lcore;
		int cpu = check_cpu_of_lcore(c->config, lcore);

		if (cpu < 0) {
			check_fail(c, "name it there, as in --lcores=0@0,1@1",
				   "--lcores leaves out lcore %u", lcore);
			ok = false;
		} else if (CPU_ISSET(cpu, used)) {
			check_warn(c,
				   "give each lcore a CPU of its own, or one lcore all the stages",
				   "lcore %u shares CPU %d with another: they take turns of "
				   "milliseconds",
				   lcore, cpu);
		} else {
			CPU_SET(cpu, used);
		}
	}
	return ok;
}

static void format_set(const cpu_set_t *set, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (int cpu = 0; cpu < CPU_SETSIZE && n + 16 < size; cpu++) {
		int last = cpu;

		if (!CPU_ISSET(cpu, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		n += (size_t)snprintf(text + n, size - n, last > cpu ? "%s%d-%d" : "%s%d",
				      n ? "," : "", cpu, last);
		cpu = last;
	}
}

static void check_ours(struct check *c, const cpu_set_t *used)
{
	cpu_set_t online, allowed, missing, forbidden;
	char text[512], list[256];

	if (!check_read_line(list, sizeof(list), "/sys/devices/system/cpu/online") ||
	    !check_cpu_list(list, &online))
		online = *used;
	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		allowed = *used;
	CPU_AND(&missing, used, &online);
	CPU_XOR(&missing, &missing, used);
	CPU_AND(&forbidden, used, &allowed);
	CPU_XOR(&forbidden, &forbidden, used);
	format_set(&missing, text, sizeof(text));
	if (CPU_COUNT(&missing)) {
		check_fail(c, "list lcores that `lscpu -e=CPU,ONLINE` shows",
			   "CPUs %s are not online (%s are)", text, list);
		return;
	}
	format_set(&forbidden, text, sizeof(text));
	if (CPU_COUNT(&forbidden)) {
		check_fail(c,
			   "start with these CPUs allowed: taskset, AllowedCPUs= in the unit, the "
			   "container's CPU set",
			   "CPUs %s are not allowed to this process", text);
		return;
	}
	format_set(used, text, sizeof(text));
	check_ok(c, "CPUs %s are online and allowed", text);
}

static void check_siblings(struct check *c, const cpu_set_t *used)
{
	cpu_set_t siblings, both;
	char list[256], text[256];

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, used) ||
		    !check_read_line(list, sizeof(list),
				     "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
				     cpu) ||
		    !check_cpu_list(list, &siblings))
			continue;
		CPU_AND(&both, &siblings, used);
		format_set(&both, text, sizeof(text));
		/* Once a core, at its first thread in use. */
		if (CPU_COUNT(&both) > 1 && atoi(text) == cpu)
			check_warn(c,
				   "use one thread a core (lscpu -e=CPU,CORE): 512-bit arithmetic "
				   "gains "
				   "nothing from the second",
				   "CPUs %s are threads of one core", text);
	}
}

static void check_isolation(struct check *c, const cpu_set_t *used)
{
	cpu_set_t isolated, bare;
	char list[256] = "", text[512], remedy[1700];

	check_read_line(list, sizeof(list), "/sys/devices/system/cpu/isolated");
	check_cpu_list(list, &isolated);
	CPU_AND(&bare, used, &isolated);
	CPU_XOR(&bare, &bare, used);
	format_set(&bare, text, sizeof(text));
	/* The operating system needs a CPU too, and is always at home on the first. */
	if (CPU_ISSET(0, &bare))
		snprintf(
			remedy, sizeof(remedy),
			"leave CPU 0 to the operating system; use others, and isolate those on the "
			"kernel command line: isolcpus= nohz_full= rcu_nocbs=");
	else
		snprintf(remedy, sizeof(remedy),
			 "add to the kernel command line: isolcpus=%s nohz_full=%s rcu_nocbs=%s",
			 text, text, text);
	if (CPU_COUNT(&bare))
		check_warn(c, remedy,
			   "CPUs %s are not isolated: the kernel schedules others on them", text);
	else
		check_ok(c, "all CPUs in use are isolated");
}

static void check_governor(struct check *c, const cpu_set_t *used)
{
	unsigned int other = 0, known = 0;
	char text[64];

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, used) &&
		    check_read_line(text, sizeof(text),
				    "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor",
				    cpu)) {
			known++;
			other += strcmp(text, "performance") != 0;
		}
	if (other)
		check_warn(c, "scripts/host-setup apply",
			   "%u CPUs in use have a governor that slows them down", other);
	else
		check_ok(c, known ? "the governor is performance"
				  : "the kernel does not govern the frequency here");
}

void check_cpus(struct check *c)
{
	cpu_set_t used;

	if (!gather(c, &used))
		return;
	check_ours(c, &used);
	check_siblings(c, &used);
	check_isolation(c, &used);
	check_governor(c, &used);
}
