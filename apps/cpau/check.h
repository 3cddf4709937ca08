/* SPDX-License-Identifier: BSD-3-Clause
 *
 * check: `cpau --check`. Says, without starting anything, whether this machine can do what the
 * configuration asks: credentials, ports, memory, CPUs, host settings. It reads files and /sys, and
 * changes nothing. EAL is not needed. Configuration time, one thread.
 */
#ifndef CPAU_CHECK_H
#define CPAU_CHECK_H

#include <stdio.h>

#include "config/config.h"

/* One line a finding: OK, WARN or FAIL, the area, what was found, and for WARN and FAIL the remedy.
 * json: one object as the last line of out instead,
 *	{"ok": n, "warn": n, "fail": n, "findings": [{"level", "area", "text", "remedy"}]}
 * Returns 0 when nothing failed, else 1. */
int check_run(const struct config *config, bool json, FILE *out);

#endif
