/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ready.h"

enum { PAGE = 4096, PROGRESS_S = 2 };

struct ready {
	uint64_t n;
	struct device_ready requests[];
};

static double seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* The certificate's pages are in memory when it is sent. */
static void touch(struct span cert)
{
	for (size_t at = 0; at < cert.n; at += PAGE)
		(void)*(const volatile uint8_t *)(cert.p + at);
}

static bool make_batch(struct device_world *w, const struct fleet *fleet, struct ready *r,
		       uint64_t first, unsigned int n)
{
	struct device devices[DEVICE_BATCH];

	for (unsigned int i = 0; i < n; i++) {
		struct fleet_device identity;

		if (!fleet_device_get(fleet, first + i, &identity))
			return false;
		touch(identity.cert_euicc);
		devices[i].eid = identity.eid;
		devices[i].private_key = identity.private_key;
		devices[i].curve = fleet_curve(fleet);
	}
	return device_make_ready(w, devices, r->requests + first, n);
}

struct ready *ready_make(struct device_world *w, const struct fleet *fleet, uint64_t n,
			 volatile int *stop, double *seconds)
{
	struct ready *r = malloc(sizeof(*r) + n * sizeof(r->requests[0]));
	double begun = seconds_now(), told = begun;

	if (!r)
		return NULL;
	r->n = n;
	for (uint64_t i = 0; i < n; i += DEVICE_BATCH) {
		uint64_t left = n - i;

		if (*stop || !make_batch(w, fleet, r, i,
					 left < DEVICE_BATCH ? (unsigned int)left : DEVICE_BATCH)) {
			free(r);
			return NULL;
		}
		if (seconds_now() - told > PROGRESS_S) {
			told = seconds_now();
			fprintf(stderr, "cpau-storm: %llu of %llu requests made, %.0f s\n",
				(unsigned long long)i, (unsigned long long)n, told - begun);
		}
	}
	*seconds = seconds_now() - begun;
	fprintf(stderr, "cpau-storm: %llu requests made in %.1f s\n", (unsigned long long)n,
		*seconds);
	return r;
}

const struct device_ready *ready_get(const struct ready *r, uint64_t i)
{
	return &r->requests[i];
}

void ready_free(struct ready *r)
{
	free(r);
}
