/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ready: step 1 of all UEs of a storm, made before it begins, so that what the generator can offer
 * is not what it can sign.
 */
#ifndef CPAU_STORM_READY_H
#define CPAU_STORM_READY_H

#include "pki/fleet.h"
#include "ue/device.h"

struct ready;

/* RAND_UE and UE_Signature1 of the first n devices; says on standard error how far it is when it
 * takes long. NULL: out of memory, or stopped. */
struct ready *ready_make(struct device_world *w, const struct fleet *fleet, uint64_t n,
			 volatile int *stop, double *seconds);
/* Of device i. */
const struct device_ready *ready_get(const struct ready *r, uint64_t i);
void ready_free(struct ready *r);

#endif
