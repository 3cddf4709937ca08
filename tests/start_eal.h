/* SPDX-License-Identifier: BSD-3-Clause
 *
 * EAL for unit tests: one lcore, ordinary pages, no files that others see.
 */
#ifndef CPAU_TESTS_START_EAL_H
#define CPAU_TESTS_START_EAL_H

#include <criterion/criterion.h>

#include <rte_eal.h>

static inline void start_eal(void)
{
	static char arguments[][16] = {
		"test", "--no-huge", "-m",	    "128", "--no-pci",	    "--no-shconf",
		"-l",	"0",	     "--log-level", "4",   "--no-telemetry"};
	enum { N = sizeof(arguments) / sizeof(arguments[0]) };
	char *argv[N + 1] = {NULL};

	for (int i = 0; i < N; i++)
		argv[i] = arguments[i];
	cr_assert_geq(rte_eal_init(N, argv), 0);
}

#endif
