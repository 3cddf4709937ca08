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

/* For config->load_s, or until *stop. False: *why is a sentence. */
bool load_run(const struct storm_config *config, const struct load_session *sessions,
	      unsigned int n, struct link *n3, struct link *n6, volatile int *stop,
	      struct load_result *result, const char **why);
/* Of config->load_sessions sessions that nobody has set up. */
bool load_run_only(const struct storm_config *config, struct link *n3, struct link *n6,
		   volatile int *stop, struct load_result *result, const char **why);

#endif
