/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pcap: capture files (classic pcap, microseconds) of UDP datagrams, as raw IP packets or as
 * Ethernet frames, with all checksums. A datagram is written whole, whatever its length.
 */
#ifndef CPAU_STORM_PCAP_H
#define CPAU_STORM_PCAP_H

#include "base/base.h"
#include "net/addr.h"

struct pcap;

struct pcap_config {
	bool ethernet; /* else raw IP (LINKTYPE_RAW), and the rest is not looked at */
	uint8_t from_mac[6], to_mac[6];
	uint16_t vlan; /* 0: untagged */
};

struct pcap_datagram {
	uint64_t unix_ns;
	const struct net_addr *from, *to; /* of one family */
	uint16_t from_port, to_port;
	struct span payload;
};

/* NULL: errno. */
struct pcap *pcap_create(const char *path, const struct pcap_config *config);
void pcap_write(struct pcap *p, const struct pcap_datagram *d);
/* False: the file is not complete. NULL is allowed. */
bool pcap_close(struct pcap *p);

#endif
