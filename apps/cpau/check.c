/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the areas share: findings, and reading the machine's state.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "check_internal.h"

enum level { OK, WARN, FAIL };

enum { TEXT_SIZE = 1024, PATH_SIZE = 512 };

/* ---------------------------------------------------------------- findings */

static void finding(struct check *c, enum level level, const char *remedy, const char *format,
		    va_list args)
{
	static const char *const names[] = {"OK", "WARN", "FAIL"};
	static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};
	char text[TEXT_SIZE];

	vsnprintf(text, sizeof(text), format, args);
	*(level == OK ? &c->ok : level == WARN ? &c->warn : &c->fail) += 1;
	if (c->findings) {
		json_array_append_new(c->findings,
				      json_pack("{s:s, s:s, s:s, s:s*}", "level", names[level],
						"area", c->area, "text", text, "remedy", remedy));
		return;
	}
	fprintf(c->out, "%s%-4s%s  %-11s  %s\n", c->colour ? colours[level] : "", names[level],
		c->colour ? "\033[0m" : "", c->area, text);
	if (remedy)
		fprintf(c->out, "%-4s  %-11s  -> %s\n", "", "", remedy);
}

void check_ok(struct check *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	finding(c, OK, NULL, format, args);
	va_end(args);
}

void check_warn(struct check *c, const char *remedy, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	finding(c, WARN, remedy, format, args);
	va_end(args);
}

void check_fail(struct check *c, const char *remedy, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	finding(c, FAIL, remedy, format, args);
	va_end(args);
}

int check_run(const struct config *config, bool json, FILE *out)
{
	static const struct {
		const char *name;
		void (*run)(struct check *c);
	} areas[] = {
		{"credentials", check_credentials},
		{"ports", check_ports},
		{"memory", check_memory},
		{"cpus", check_cpus},
		{"host", check_host},
	};
	struct check c = {
		.config = config,
		.out = out,
		.colour = isatty(fileno(out)) && !getenv("NO_COLOR"),
		.findings = json ? json_array() : NULL,
		.area = "config",
	};

	check_ok(&c, "%s: lcores %u; stages: worker %u, crypto %u, control %u, gate %u",
		 config->file, config->n_lcores, config_stage_count(config, CONFIG_STAGE_WORKER),
		 config_stage_count(config, CONFIG_STAGE_CRYPTO),
		 config_stage_count(config, CONFIG_STAGE_CONTROL),
		 config_stage_count(config, CONFIG_STAGE_GATE));
	for (unsigned int i = 0; i < sizeof(areas) / sizeof(areas[0]); i++) {
		c.area = areas[i].name;
		areas[i].run(&c);
	}
	if (json) {
		json_t *all = json_pack("{s:i, s:i, s:i, s:o}", "ok", c.ok, "warn", c.warn, "fail",
					c.fail, "findings", c.findings);

		json_dumpf(all, out, JSON_COMPACT);
		fputc('\n', out);
		json_decref(all);
	} else {
		fprintf(out, "\n%u ok, %u to look at, %u to mend\n", c.ok, c.warn, c.fail);
	}
	return c.fail == 0 ? 0 : 1;
}

/* ---------------------------------------------------------------- the machine */

static bool read_line(char *text, size_t size, const char *path)
{
	FILE *f = fopen(path, "r");
	bool ok = f && fgets(text, (int)size, f);

	if (f)
		fclose(f);
	if (ok)
		text[strcspn(text, "\n")] = '\0';
	return ok;
}

bool check_read_line(char *text, size_t size, const char *format, ...)
{
	char path[PATH_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	return read_line(text, size, path);
}

long check_read_number(const char *format, ...)
{
	char path[PATH_SIZE], text[64], *end;
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	if (!read_line(text, sizeof(text), path))
		return -1;
	long value = strtol(text, &end, 10);

	return end == text ? -1 : value;
}

bool check_cpu_list(const char *list, cpu_set_t *set)
{
	CPU_ZERO(set);
	while (*list) {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = first;

		if (end == list)
			return false;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (unsigned long cpu = first; cpu <= last && cpu < CPU_SETSIZE; cpu++)
			CPU_SET(cpu, set);
		list = end + (*end == ',');
	}
	return true;
}

/* Whether an element of --lcores, "3" or "2-5" or "(1,2)", holds the number. */
static bool holds(const char *element, size_t n, unsigned int number, int *first)
{
	char list[256];
	cpu_set_t set;

	if (n >= sizeof(list))
		return false;
	memcpy(list, element, n);
	list[n] = '\0';
	char *start = list[0] == '(' ? list + 1 : list;

	start[strcspn(start, ")")] = '\0';
	if (!check_cpu_list(start, &set))
		return false;
	*first = (int)strtoul(start, NULL, 10);
	return number < CPU_SETSIZE && CPU_ISSET(number, &set);
}

/* Up to one of the ends. A group in parentheses may hold commas, and may not be closed. */
static size_t element_length(const char *text, const char *ends)
{
	size_t n = strcspn(text, text[0] == '(' ? ")" : ends);

	return n + (text[0] == '(' && text[n] == ')');
}

int check_cpu_of_lcore(const struct config *config, unsigned int lcore)
{
	const char *map = config_eal_value(config, "--lcores");

	if (!map || !*map)
		return (int)lcore;
	while (*map) {
		/* "lcores@cpus" */
		size_t left = element_length(map, "@,");
		int first, cpu = -1;

		if (map[left] != '@') {
			if (holds(map, left, lcore, &first))
				return (int)lcore;
			map += left;
		} else {
			const char *cpus = map + left + 1;
			size_t right = element_length(cpus, ",");

			if (holds(map, left, lcore, &first)) {
				holds(cpus, right, 0, &cpu);
				return cpu;
			}
			map = cpus + right;
		}
		map += *map == ',';
		if (map[0] == ')')
			break;
	}
	return -1;
}

int check_node_of_cpu(int cpu)
{
	char path[PATH_SIZE];

	for (int node = 0; node < 64; node++) {
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/node%d", cpu, node);
		if (access(path, F_OK) == 0)
			return node;
	}
	return 0;
}

/* "0000:17:00.0" or "17:00.0" */
bool check_is_pci(const char *device)
{
	unsigned int domain, bus, slot, function;
	int end = 0;

	if (sscanf(device, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &end) == 4 &&
	    device[end] == '\0')
		return true;
	end = 0;
	return sscanf(device, "%2x:%2x.%1x%n", &bus, &slot, &function, &end) == 3 &&
	       device[end] == '\0';
}

bool check_has_pci_ports(const struct config *config)
{
	for (unsigned int i = 0; i < config->n_ports; i++)
		if (check_is_pci(config->ports[i].device))
			return true;
	return false;
}
