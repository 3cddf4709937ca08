/* SPDX-License-Identifier: BSD-3-Clause
 *
 * junk: datagrams that no access node would send, at a rate of their own, beside the UEs.
 */
#ifndef CPAU_STORM_JUNK_H
#define CPAU_STORM_JUNK_H

#include <stdint.h>

struct junk {
	uint64_t sent;
	unsigned int kind; /* of the next one */
};

struct storm;

/* Those that are due, of the kinds that are wanted in turn. */
void junk_send_due(struct storm *s);

#endif
