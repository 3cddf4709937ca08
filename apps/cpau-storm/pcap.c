/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "pcap.h"

enum {
	LINKTYPE_ETHERNET = 1,
	LINKTYPE_RAW = 101,
	SNAP = 65535,
	HEADERS_MAX = 18 + 40 + 8,
	UDP = 17,
	TTL = 64,
};

struct pcap {
	struct pcap_config config;
	FILE *file;
};

struct pcap *pcap_create(const char *path, const struct pcap_config *config)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, snap, network;
	} header = {
		0xa1b2c3d4, 2, 4, 0, 0, SNAP, config->ethernet ? LINKTYPE_ETHERNET : LINKTYPE_RAW};
	struct pcap *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->config = *config;
	p->file = fopen(path, "wb");
	if (!p->file) {
		free(p);
		return NULL;
	}
	fwrite(&header, sizeof(header), 1, p->file);
	return p;
}

/* RFC 1071, not yet folded. */
static uint32_t sum(const uint8_t *p, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		s += load_be16(p + i);
	return n % 2 ? s + (uint32_t)(p[n - 1] << 8) : s;
}

static uint16_t fold(uint32_t s)
{
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static size_t put_ethernet(const struct pcap_config *c, bool v6, uint8_t *out)
{
	size_t n = 12;

	memcpy(out, c->to_mac, 6);
	memcpy(out + 6, c->from_mac, 6);
	if (c->vlan) {
		store_be16(out + n, 0x8100);
		store_be16(out + n + 2, c->vlan);
		n += 4;
	}
	store_be16(out + n, v6 ? 0x86dd : 0x0800);
	return n + 2;
}

/* The IP header for an UDP packet of n octets; *pseudo is what it adds to that one's checksum. */
static size_t put_ip(const struct pcap_datagram *d, size_t n, uint8_t *out, uint32_t *pseudo)
{
	bool v6 = d->from->family == 6;
	size_t size = v6 ? 16 : 4, header = v6 ? 40 : 20;

	memset(out, 0, header);
	if (v6) {
		out[0] = 0x60;
		store_be16(out + 4, (uint16_t)n);
		out[6] = UDP;
		out[7] = TTL;
	} else {
		out[0] = 0x45;
		store_be16(out + 2, (uint16_t)(header + n));
		out[8] = TTL;
		out[9] = UDP;
	}
	memcpy(out + header - 2 * size, d->from->a, size);
	memcpy(out + header - size, d->to->a, size);
	*pseudo = sum(out + header - 2 * size, 2 * size) + UDP + (uint32_t)n;
	if (!v6)
		store_be16(out + 10, fold(sum(out, header)));
	return header;
}

void pcap_write(struct pcap *p, const struct pcap_datagram *d)
{
	uint8_t headers[HEADERS_MAX];
	size_t udp_n = 8 + d->payload.n;
	uint32_t pseudo;
	size_t n = p->config.ethernet ? put_ethernet(&p->config, d->from->family == 6, headers) : 0;

	n += put_ip(d, udp_n, headers + n, &pseudo);
	uint8_t *udp = headers + n;

	store_be16(udp, d->from_port);
	store_be16(udp + 2, d->to_port);
	store_be16(udp + 4, (uint16_t)udp_n);
	store_be16(udp + 6, 0);
	uint16_t checksum = fold(pseudo + sum(udp, 8) + sum(d->payload.p, d->payload.n));

	store_be16(udp + 6, checksum ? checksum : 0xffff);
	n += 8;
	uint32_t length = (uint32_t)(n + d->payload.n);
	uint32_t record[4] = {(uint32_t)(d->unix_ns / 1000000000),
			      (uint32_t)(d->unix_ns / 1000 % 1000000), length, length};

	fwrite(record, sizeof(record), 1, p->file);
	fwrite(headers, n, 1, p->file);
	fwrite(d->payload.p, d->payload.n, 1, p->file);
}

bool pcap_close(struct pcap *p)
{
	if (!p)
		return true;
	bool ok = !ferror(p->file);

	ok = fclose(p->file) == 0 && ok;
	free(p);
	return ok;
}
