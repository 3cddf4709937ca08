/* SPDX-License-Identifier: BSD-3-Clause
 *
 * link: datagrams between the access nodes of a storm and the authenticator: over a DPDK port, or
 * over the kernel's UDP sockets. Loss, duplication and reordering are made here, in both
 * directions, and captures are written here. One thread.
 */
#ifndef CPAU_STORM_LINK_H
#define CPAU_STORM_LINK_H

#include <stdio.h>

#include "net/net.h"
#include "wire/wire.h"

enum {
	LINK_PORTS = 16, /* UDP source ports an AN: entropy for RSS */
	LINK_FIRST_PORT = 49152,
	LINK_USER = LINK_PORTS, /* in place of one of them: GTP-U's */
};

struct link_config {
	bool socket;	     /* kernel sockets instead of a DPDK port */
	const char *file;    /* pcap file instead of both: what is sent is written there */
	uint8_t peer_mac[6]; /* in it; on a port, with has_mac, in place of ARP */
	bool has_mac;
	const char *device;    /* ethdev name */
	bool user_plane;       /* LINK_USER is wanted */
	struct net_addr local; /* of the first AN; the others follow */
	unsigned int n_ans;
	struct net_addr peer, gateway; /* gateway: family 0 when the peer is on the link */
	uint16_t peer_port;
	uint16_t vlan;
	uint16_t mtu;
	double loss, duplicate, reorder; /* shares of datagrams */
	uint64_t seed;
	const char *capture; /* pcap file, NULL: none */
};

/* What carries datagrams: struct link calls it. */
struct link_transport {
	bool (*send)(void *arg, unsigned int an, unsigned int port, const uint8_t *data, size_t n);
	/* From the AN's GTP-U port to that of another address, by way of the same next hop. */
	bool (*send_user)(void *arg, unsigned int an, const struct net_addr *to,
			  const uint8_t *data, size_t n);
	/* From an address that is no AN's. NULL: it cannot. */
	bool (*send_from)(void *arg, const struct net_addr *from, unsigned int port,
			  const uint8_t *data, size_t n);
	/* Calls receive for each datagram that came; returns how many. */
	unsigned int (*poll)(void *arg,
			     void (*receive)(void *to, unsigned int an, unsigned int port,
					     const uint8_t *data, size_t n),
			     void *to);
	void (*flush)(void *arg);
	/* When what is sent next is sent. NULL: when it is. */
	void (*set_time)(void *arg, uint64_t unix_ns);
	bool (*close)(void *arg); /* false: a file is not complete */
	const struct link_port *port;
	void *arg;
};

/* false: *why is a sentence. The DPDK one waits for link and for the peer's MAC. */
bool link_dpdk_open(const struct link_config *config, struct link_transport *t, const char **why);
bool link_file_open(const struct link_config *config, struct link_transport *t, const char **why);
bool link_socket_open(const struct link_config *config, struct link_transport *t, const char **why);

/* What lies under a link over a DPDK port, for who makes frames of his own. */
struct link_port {
	const struct net_if *nif;
	struct net_rx *rx;
	struct net_tx *tx;
	struct rte_mempool *pool;
	const struct net_peer *peer; /* whose MAC is the next hop's */
};

struct link;
typedef void (*link_receive)(void *arg, unsigned int an, unsigned int port, const uint8_t *data,
			     size_t n);
struct link *link_open(const struct link_config *config, const char **why);
/* False: a file that was to be written is not complete. */
bool link_close(struct link *l);
/* Of what is written to a file, the time. */
void link_set_time(struct link *l, uint64_t unix_ns);
uint64_t link_sent(const struct link *l); /* datagrams of access nodes */
/* From an address that is no AN's, unimpaired; only where link_can_forge. */
void link_send_from(struct link *l, const struct net_addr *from, unsigned int port,
		    const uint8_t *data, size_t n);
bool link_can_forge(const struct link *l);
/* A GTP-U message, unimpaired, to port 2152 of the address. */
void link_send_user(struct link *l, unsigned int an, const struct net_addr *to, const uint8_t *data,
		    size_t n);
/* Of an access node. */
void link_address(const struct link *l, unsigned int an, struct net_addr *out);
uint8_t link_family(const struct link *l);
void link_send(struct link *l, unsigned int an, unsigned int port, const uint8_t *data, size_t n);
/* now: nanoseconds. Returns the number of datagrams received. */
unsigned int link_poll(struct link *l, uint64_t now, link_receive receive, void *arg);
void link_flush(struct link *l);
/* NULL: it is not over a DPDK port. */
const struct link_port *link_port(const struct link *l);
/* Once a turn, for who calls neither link_poll nor link_flush: a driver may change its rings. */
void link_pause(void);

#endif
