/* SPDX-License-Identifier: BSD-3-Clause
 *
 * No peer: what would be sent is written to a file, one Ethernet frame a datagram.
 */
#include <stdlib.h>

#include "link.h"
#include "pcap.h"

struct link_file {
	struct net_addr local, peer;
	uint16_t peer_port;
	uint64_t unix_ns;
	struct pcap *pcap;
};

static bool file_send(void *arg, unsigned int an, unsigned int port, const uint8_t *data, size_t n)
{
	struct link_file *f = arg;
	struct net_addr from;

	net_addr_add(&f->local, an, &from);
	pcap_write(f->pcap, &(struct pcap_datagram){.unix_ns = f->unix_ns,
						    .from = &from,
						    .to = &f->peer,
						    .from_port = (uint16_t)(LINK_FIRST_PORT + port),
						    .to_port = f->peer_port,
						    .payload = span_make(data, n)});
	return true;
}

static unsigned int file_poll(void *arg,
			      void (*receive)(void *to, unsigned int an, unsigned int port,
					      const uint8_t *data, size_t n),
			      void *to)
{
	(void)arg;
	(void)receive;
	(void)to;
	return 0;
}

static void file_flush(void *arg)
{
	(void)arg;
}

static void file_set_time(void *arg, uint64_t unix_ns)
{
	struct link_file *f = arg;

	f->unix_ns = unix_ns;
}

static bool file_close(void *arg)
{
	struct link_file *f = arg;
	bool ok = pcap_close(f->pcap);

	free(f);
	return ok;
}

bool link_file_open(const struct link_config *config, struct link_transport *t, const char **why)
{
	struct pcap_config pcap = {
		.ethernet = true,
		.from_mac = {0x02, 0, 0, 0, 0, 1}, /* locally administered */
		.vlan = config->vlan,
	};
	struct link_file *f = calloc(1, sizeof(*f));

	*why = "out of memory";
	if (!f)
		return false;
	memcpy(pcap.to_mac, config->peer_mac, sizeof(pcap.to_mac));
	f->local = config->local;
	f->peer = config->peer;
	f->peer_port = config->peer_port;
	f->pcap = pcap_create(config->file, &pcap);
	*why = "the file cannot be written";
	if (!f->pcap) {
		free(f);
		return false;
	}
	*t = (struct link_transport){.send = file_send,
				     .poll = file_poll,
				     .flush = file_flush,
				     .set_time = file_set_time,
				     .close = file_close,
				     .arg = f};
	return true;
}
