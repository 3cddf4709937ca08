/* SPDX-License-Identifier: BSD-3-Clause
 *
 * smdp: where sessions may go: the SM-DP+, the DNS servers and `session.allow`, as a filter for the
 * gates. Names are resolved by the system's resolver, on a thread of its own that compiles a new
 * filter whenever their addresses have changed.
 *
 * All functions are for the main thread.
 */
#ifndef CPAU_AU_SMDP_H
#define CPAU_AU_SMDP_H

#include "config/config.h"
#include "gate/gate.h"

enum {
	AU_SMDP_TCP_PORT = 443, /* HTTPS, where the configuration says nothing else */
	AU_SMDP_DNS_PORT = 53,	/* UDP and TCP */
	/* Of one name, that are kept: a new one takes the place of the one that was not given for
	 * longest, but of one answer no more than these are taken. */
	AU_SMDP_NAME_ADDRESSES = 32,
	/* Refreshes for which an address is still allowed after the resolver has stopped giving it:
	 * UEs may ask another server, which knows it longer. */
	AU_SMDP_KEEP = 8,
};

struct au_smdp;

/* Resolves the names once, which may take as long as the resolver does, and then every
 * `timers.refresh` until it is destroyed. A name without an address is said on standard error and
 * tried again. NULL, with *why set: no memory. */
struct au_smdp *au_smdp_create(const struct config *config, int numa_node, const char **why);
/* The newest filter, once: NULL when it was given out already. The caller owns it. */
struct gate_filter *au_smdp_fresh(struct au_smdp *s);
/* Waits for nobody: a look-up under way is left to end by itself. */
void au_smdp_destroy(struct au_smdp *s);

#endif
