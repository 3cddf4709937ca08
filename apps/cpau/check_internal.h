/* SPDX-License-Identifier: BSD-3-Clause
 *
 * check: one file an area; what they share.
 */
#ifndef CPAU_CHECK_INTERNAL_H
#define CPAU_CHECK_INTERNAL_H

#include <sched.h>

#include <jansson.h>

#include "check.h"

struct check {
	const struct config *config;
	FILE *out;
	bool colour;
	json_t *findings; /* NULL: text */
	const char *area;
	unsigned int ok, warn, fail;
};

/* remedy: what to do, a sentence without its full stop. */
void check_ok(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_warn(struct check *c, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void check_fail(struct check *c, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

void check_credentials(struct check *c);
void check_ports(struct check *c);
void check_memory(struct check *c);
void check_cpus(struct check *c);
void check_host(struct check *c);

/* ---- the machine, check.c ---- */

/* First line of a file, without its end; false: it cannot be read. */
bool check_read_line(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A number in a file; -1: there is none. */
long check_read_number(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "0-3,8" as the kernel writes it. */
bool check_cpu_list(const char *list, cpu_set_t *set);
/* The CPU that an lcore runs on: its own number, unless EAL's --lcores says otherwise; -1: --lcores
 * does not name it. */
int check_cpu_of_lcore(const struct config *config, unsigned int lcore);
/* NUMA node of a CPU; 0 when the kernel does not say. */
int check_node_of_cpu(int cpu);
bool check_has_pci_ports(const struct config *config);
bool check_is_pci(const char *device);

#endif
