/* SPDX-License-Identifier: BSD-3-Clause
 *
 * EAL for unit tests: one lcore, ordinary pages, no files that others see but a telemetry socket,
 * where a test asks for one.
 */
#ifndef CPAU_TESTS_START_EAL_H
#define CPAU_TESTS_START_EAL_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_eal.h>

static inline void start_eal_with(const char *last)
{
	static char arguments[][32] = {"test",	      "--no-huge",   "-m", "128",
				       "--no-pci",    "--no-shconf", "-l", "0",
				       "--log-level", "4",	     ""};
	enum { N = sizeof(arguments) / sizeof(arguments[0]) };
	char *argv[N + 1] = {NULL};

	for (int i = 0; i < N; i++)
		argv[i] = arguments[i];
	snprintf(arguments[N - 1], sizeof(arguments[0]), "%s", last);
	cr_assert_geq(rte_eal_init(N, argv), 0);
}

static inline void start_eal(void)
{
	start_eal_with("--no-telemetry");
}

/* In rte_eal_get_runtime_dir(), under a prefix of this process's own. */
static inline void start_eal_with_telemetry(void)
{
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "--file-prefix=test-%d", (int)getpid());
	start_eal_with(prefix);
}

#endif
