/* SPDX-License-Identifier: BSD-3-Clause */
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/hardware.h"

static int open_counter(uint64_t event, int leader)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.type = PERF_TYPE_HARDWARE;
	attr.size = sizeof(attr);
	attr.config = event;
	attr.disabled = leader < 0;
	attr.exclude_kernel = 1;
	attr.exclude_hv = 1;
	attr.read_format = PERF_FORMAT_GROUP;
	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, leader, 0);
}

bool hardware_open(struct hardware *h, const char **why)
{
	static const uint64_t events[HARDWARE_N] = {
		[HARDWARE_CYCLES] = PERF_COUNT_HW_CPU_CYCLES,
		[HARDWARE_INSTRUCTIONS] = PERF_COUNT_HW_INSTRUCTIONS,
		[HARDWARE_CACHE_MISSES] = PERF_COUNT_HW_CACHE_MISSES,
	};

	for (unsigned int i = 0; i < HARDWARE_N; i++)
		h->fds[i] = -1;
	for (unsigned int i = 0; i < HARDWARE_N; i++) {
		h->fds[i] = open_counter(events[i], h->fds[0]);
		if (h->fds[i] < 0) {
			*why = "no hardware counters here (perf_event_open): no instructions a "
			       "cycle, no cache misses";
			hardware_close(h);
			return false;
		}
	}
	return true;
}

void hardware_close(struct hardware *h)
{
	for (unsigned int i = 0; i < HARDWARE_N; i++)
		if (h->fds[i] >= 0)
			close(h->fds[i]);
}

void hardware_start(struct hardware *h)
{
	ioctl(h->fds[0], PERF_EVENT_IOC_RESET, PERF_IOC_FLAG_GROUP);
	ioctl(h->fds[0], PERF_EVENT_IOC_ENABLE, PERF_IOC_FLAG_GROUP);
}

bool hardware_stop(struct hardware *h, uint64_t counts[HARDWARE_N])
{
	struct {
		uint64_t n, values[HARDWARE_N];
	} group;

	ioctl(h->fds[0], PERF_EVENT_IOC_DISABLE, PERF_IOC_FLAG_GROUP);
	if (read(h->fds[0], &group, sizeof(group)) != sizeof(group) || group.n != HARDWARE_N)
		return false;
	memcpy(counts, group.values, sizeof(group.values));
	return true;
}
