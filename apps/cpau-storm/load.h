/* SPDX-License-Identifier: BSD-3-Clause
 *
 * load: packets of the user plane, as many as are taken: from UEs into their tunnels on one port,
 * and what comes out at the data network's side on another is counted. One thread.
 */
#ifndef CPAU_STORM_LOAD_H
#define CPAU_STORM_LOAD_H

#include "storm.h"

enum { LOAD_OCTETS_MIN = 40, LOAD_OCTETS_MAX = 1400 /* of the inner IP packet */ };

struct load_session {
	uint32_t teid, ipv4; /* the gate's, the UE's (host order) */
	uint16_t an;
};

struct load;

/* The ports and what is sent, ready. Takes sessions (malloc'ed), whatever comes of it. NULL: *why
 * is a sentence. */
struct load *load_begin(const struct storm_config *config, struct load_session *sessions,
			unsigned int n, struct link *n3, struct link *n6,
			struct load_result *result, const char **why);
/* A burst out, where it is to send, and what has come. */
void load_turn(struct load *l, bool sends);
/* Waits for what is on its way. NULL is allowed. */
void load_end(struct load *l);
/* From begin to end, for config->load_s or until *stop. False: *why is a sentence. */
bool load_run(const struct storm_config *config, struct load_session *sessions, unsigned int n,
	      struct link *n3, struct link *n6, volatile int *stop, struct load_result *result,
	      const char **why);
/* Of config->load_sessions sessions that nobody has set up. */
bool load_run_only(const struct storm_config *config, struct link *n3, struct link *n6,
		   volatile int *stop, struct load_result *result, const char **why);

#endif
