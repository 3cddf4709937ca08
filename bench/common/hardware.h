/* SPDX-License-Identifier: BSD-3-Clause
 *
 * hardware: the processor's own counters of this thread (perf_event_open), where the machine lets
 * us have them; virtual ones seldom do.
 */
#ifndef CPAU_BENCH_HARDWARE_H
#define CPAU_BENCH_HARDWARE_H

#include <stdbool.h>
#include <stdint.h>

enum { HARDWARE_CYCLES, HARDWARE_INSTRUCTIONS, HARDWARE_CACHE_MISSES, HARDWARE_N };

struct hardware {
	int fds[HARDWARE_N];
};

/* False: this machine has none, or not for us; *why is a constant sentence. */
bool hardware_open(struct hardware *h, const char **why);
void hardware_close(struct hardware *h);
/* From zero on. */
void hardware_start(struct hardware *h);
/* What was counted since; in user space, on this thread. False: it could not be read. */
bool hardware_stop(struct hardware *h, uint64_t counts[HARDWARE_N]);

#endif
