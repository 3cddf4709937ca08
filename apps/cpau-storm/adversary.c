/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Packets that a gate must not forward, and some that it must: each kind of the former breaks one
 * rule, and is right in all else. The allowed ones carry a mark, so that who looks at the data
 * network's side knows them.
 */
#include <arpa/inet.h>

#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "gtpu/gtpu.h"
#include "user.h"

enum {
	TURN = 4, /* packets a turn: no faster than a slow gate reads them */
	HTTPS = 443,
	DNS = 53,
	PAYLOAD = 24,
	PACKET_MAX = 512,
	TTL = 64,
};

const char *const storm_packet_names[PACKET_KINDS] = {
	[PACKET_ALLOWED] = "allowed",
	[PACKET_SPOOFED] = "spoofed-source",
	[PACKET_TEID] = "unknown-teid",
	[PACKET_ENDED] = "ended-teid",
	[PACKET_OTHER_AN] = "teid-of-another-an",
	[PACKET_GTPU_TYPE] = "unknown-message",
	[PACKET_GTPU_CUT] = "gtpu-truncated",
	[PACKET_NESTED] = "nested-tunnel",
	[PACKET_IP_CUT] = "ip-truncated",
	[PACKET_FRAGMENT] = "fragment",
	[PACKET_EXTENSION] = "ipv6-extension",
	[PACKET_IPV6_SPOOFED] = "ipv6-spoofed-source",
	[PACKET_IPV6_FRAGMENT] = "ipv6-fragment",
	[PACKET_IPV6_BESIDE] = "ipv6-beside-the-address",
	[PACKET_BESIDE] = "beside-the-address",
	[PACKET_DNS_ELSEWHERE] = "dns-elsewhere",
	[PACKET_PORT] = "another-port",
	[PACKET_PROTOCOL] = "another-protocol",
	[PACKET_RANDOM] = "random",
};

/* What a packet is made of. */
struct recipe {
	uint32_t source, destination;
	uint8_t protocol;
	uint16_t port, fragment;
	char mark;
};

static uint32_t draw(struct storm *s, uint32_t below)
{
	return (uint32_t)(random_share(s) * below);
}

static void fill(struct storm *s, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)draw(s, 256);
}

static size_t put_ports(uint8_t *p, const struct recipe *r, uint16_t source_port)
{
	if (r->protocol == IPPROTO_TCP) {
		struct rte_tcp_hdr tcp = {.src_port = htons(source_port),
					  .dst_port = htons(r->port),
					  .data_off = 5 << 4,
					  .tcp_flags = RTE_TCP_SYN_FLAG,
					  .rx_win = htons(1024)};

		memcpy(p, &tcp, sizeof(tcp));
		return sizeof(tcp);
	}
	struct rte_udp_hdr udp = {.src_port = htons(source_port),
				  .dst_port = htons(r->port),
				  .dgram_len = htons(sizeof(udp) + PAYLOAD)};

	memcpy(p, &udp, sizeof(udp));
	return sizeof(udp);
}

/* An IPv4 packet; its octets. */
static size_t put_ipv4(struct storm *s, uint8_t *out, const struct recipe *r)
{
	size_t n = sizeof(struct rte_ipv4_hdr);
	struct rte_ipv4_hdr ip = {.version_ihl = RTE_IPV4_VHL_DEF,
				  .packet_id = htons((uint16_t)draw(s, 1 << 16)),
				  .fragment_offset = htons(r->fragment),
				  .time_to_live = TTL,
				  .next_proto_id = r->protocol,
				  .src_addr = htonl(r->source),
				  .dst_addr = htonl(r->destination)};

	n += put_ports(out + n, r, (uint16_t)(1024 + draw(s, 60000)));
	memset(out + n, r->mark, PAYLOAD);
	n += PAYLOAD;
	ip.total_length = htons((uint16_t)n);
	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memcpy(out, &ip, sizeof(ip));
	return n;
}

/* In front of the UDP header: whatever it is, nobody is to look for ports behind it. */
static size_t put_extension(struct storm *s, uint8_t *packet, size_t n, bool fragment)
{
	static const uint8_t types[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS};
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)packet;
	uint8_t *extension = packet + sizeof(*ip);

	memmove(extension + 8, extension, n - sizeof(*ip));
	memset(extension, 0, 8);
	extension[0] = ip->proto;
	ip->proto = fragment ? IPPROTO_FRAGMENT : types[draw(s, sizeof(types))];
	if (fragment) /* whole, the first, or a later one */
		store_be16(extension + 2, (uint16_t[]){0, 1, 8 << 3}[draw(s, 3)]);
	ip->payload_len = htons((uint16_t)(n + 8 - sizeof(*ip)));
	return n + 8;
}

/* DNS over IPv6, from any address of the UE's /64: allowed but for what the kind says. A session
 * without IPv6 has none that is its own. */
static size_t put_ipv6(struct storm *s, const struct attach *a, enum storm_packet kind,
		       uint8_t *out)
{
	const struct recipe udp = {.protocol = IPPROTO_UDP, .port = DNS};
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)out;
	uint64_t prefix = a->ipv6_prefix ? a->ipv6_prefix : UINT64_C(0x20010db800000000);
	size_t n = sizeof(*ip);

	if (kind == PACKET_IPV6_SPOOFED)
		prefix ^= UINT64_C(1) << draw(s, 64);
	*ip = (struct rte_ipv6_hdr){
		.vtc_flow = htonl(6u << 28), .proto = IPPROTO_UDP, .hop_limits = TTL};
	store_be64(ip->src_addr, prefix);
	fill(s, ip->src_addr + 8, 8);
	memcpy(ip->dst_addr, a->device.dns_ipv6, 16);
	if (kind == PACKET_IPV6_BESIDE)
		ip->dst_addr[draw(s, 16)] ^= (uint8_t)(1 << draw(s, 8));
	n += put_ports(out + n, &udp, (uint16_t)(1024 + draw(s, 60000)));
	memset(out + n, kind == PACKET_ALLOWED ? 'A' : 'X', PAYLOAD);
	n += PAYLOAD;
	ip->payload_len = htons((uint16_t)(n - sizeof(*ip)));
	uint16_t sum = rte_ipv6_udptcp_cksum(ip, out + sizeof(*ip));

	memcpy(out + sizeof(*ip) + 6, &sum, sizeof(sum));
	if (kind == PACKET_EXTENSION || kind == PACKET_IPV6_FRAGMENT)
		n = put_extension(s, out, n, kind == PACKET_IPV6_FRAGMENT);
	return n;
}

/* As user_send does, with what is wrong in it. */
static void send_message(struct storm *s, const struct attach *a, uint32_t teid, uint8_t type,
			 const uint8_t *packet, size_t n, size_t cut)
{
	uint8_t message[GTPU_CONTAINER_HEADER_SIZE + PACKET_MAX];
	size_t length = GTPU_CONTAINER_HEADER_SIZE + n;

	gtpu_write_container_header(message, false, 1, teid, (uint16_t)n);
	message[1] = type;
	memcpy(message + GTPU_CONTAINER_HEADER_SIZE, packet, n);
	link_send_user(s->n3, a->an, &a->gate, message, length - (cut < length ? cut : length - 1));
}

/* What is wrong with the packet itself, by the kind; the rest is as an allowed one. */
static struct recipe recipe_of(struct storm *s, const struct attach *a, enum storm_packet kind)
{
	const struct device *d = &a->device;
	bool dns = draw(s, 4) == 0;
	struct recipe r = {.source = d->ipv4,
			   .destination = dns ? d->dns : d->smdp,
			   .protocol = dns ? IPPROTO_UDP : IPPROTO_TCP,
			   .port = dns ? DNS : HTTPS,
			   .mark = kind == PACKET_ALLOWED ? 'A' : 'X'};

	switch (kind) {
	case PACKET_SPOOFED:
		r.source += 1 + draw(s, 1 << 24);
		break;
	case PACKET_FRAGMENT: /* the first without the rest, or one that has no ports */
		r.fragment = draw(s, 2) ? RTE_IPV4_HDR_MF_FLAG : (uint16_t)(1 + draw(s, 1000));
		break;
	case PACKET_BESIDE: /* HTTPS, and to nobody who may be reached */
		r = (struct recipe){.source = d->ipv4,
				    .destination = draw(s, 2) ? d->smdp ^ 1u << draw(s, 32)
							      : draw(s, UINT32_MAX),
				    .protocol = IPPROTO_TCP,
				    .port = HTTPS,
				    .mark = 'X'};
		break;
	case PACKET_DNS_ELSEWHERE:
		r.protocol = IPPROTO_UDP;
		r.port = DNS;
		r.destination = d->dns ^ 1u << draw(s, 32);
		break;
	case PACKET_PORT:
		r.port = (uint16_t)(r.port ^ 1u << draw(s, 16));
		break;
	case PACKET_PROTOCOL:
		r.protocol = (uint8_t)(dns ? IPPROTO_SCTP : IPPROTO_GRE);
		break;
	default:
		break;
	}
	return r;
}

static size_t make_packet(struct storm *s, const struct attach *a, enum storm_packet kind,
			  uint8_t packet[PACKET_MAX])
{
	struct recipe r = recipe_of(s, a, kind);
	uint8_t inner[PACKET_MAX / 2];
	size_t n;

	switch (kind) {
	case PACKET_ALLOWED:
		return a->ipv6_prefix && draw(s, 2) ? put_ipv6(s, a, kind, packet)
						    : put_ipv4(s, packet, &r);
	case PACKET_EXTENSION:
	case PACKET_IPV6_SPOOFED:
	case PACKET_IPV6_FRAGMENT:
	case PACKET_IPV6_BESIDE:
		return put_ipv6(s, a, kind, packet);
	case PACKET_RANDOM:
		n = 1 + draw(s, PACKET_MAX - 1);
		fill(s, packet, n);
		return n;
	case PACKET_NESTED: /* in UDP to the gate's own port, as if it came from the AN */
		n = put_ipv4(s, inner, &r);
		r = (struct recipe){.source = a->device.ipv4,
				    .destination = a->gate.family == 4 ? load_be32(a->gate.a) : 1,
				    .protocol = IPPROTO_UDP,
				    .port = GTPU_PORT,
				    .mark = 'X'};
		put_ipv4(s, packet, &r);
		gtpu_write_container_header(packet + 28, false, 1, a->uplink_teid, (uint16_t)n);
		memcpy(packet + 28 + GTPU_CONTAINER_HEADER_SIZE, inner, n);
		store_be16(packet + 2, (uint16_t)(28 + GTPU_CONTAINER_HEADER_SIZE + n));
		store_be16(packet + 10, 0);
		store_be16(packet + 10, ntohs(rte_ipv4_cksum((const struct rte_ipv4_hdr *)packet)));
		return 28 + GTPU_CONTAINER_HEADER_SIZE + n;
	case PACKET_IP_CUT: /* its lengths and checksums as they were */
		n = put_ipv4(s, packet, &r);
		return 1 + draw(s, (uint32_t)n - 1);
	default:
		return put_ipv4(s, packet, &r);
	}
}

/* The generation before, of 1 to 255 in the uppermost octet. */
static uint32_t teid_before(uint32_t teid)
{
	uint32_t generation = teid >> 24;

	return (teid & 0xffffff) | (generation > 1 ? generation - 1 : 255) << 24;
}

/* A session of another access node; NULL: there is none. */
static const struct attach *of_another_an(struct storm *s, const struct attach *a)
{
	for (uint32_t i = 0; i < s->n_touched; i++) {
		const struct attach *other = &s->slots[i];

		if (other->used && other->held && other->an != a->an)
			return other;
	}
	return NULL;
}

static void send_one(struct storm *s, const struct attach *a, enum storm_packet kind)
{
	uint8_t packet[PACKET_MAX], type = GTPU_G_PDU;
	const struct attach *other = of_another_an(s, a);
	uint32_t teid = a->uplink_teid;
	size_t cut = 0, n;

	if (kind == PACKET_OTHER_AN && !other)
		kind = PACKET_TEID;
	n = make_packet(s, a, kind, packet);
	if (kind == PACKET_TEID)
		teid ^= 1u << draw(s, 32);
	else if (kind == PACKET_ENDED)
		teid = teid_before(teid);
	else if (kind == PACKET_OTHER_AN)
		teid = other->uplink_teid;
	else if (kind == PACKET_GTPU_TYPE)
		type = (uint8_t)(32 + draw(s, 200));
	else if (kind == PACKET_GTPU_CUT)
		cut = 1 + draw(s, (uint32_t)n + GTPU_CONTAINER_HEADER_SIZE - 1);
	send_message(s, a, teid, type, packet, n, cut);
	s->result->packets_sent[kind]++;
	s->result->uplink_packets++;
}

static const struct attach *draw_session(struct storm *s)
{
	uint32_t from = draw(s, s->n_touched);

	for (uint32_t i = 0; i < s->n_touched; i++) {
		const struct attach *a = &s->slots[(from + i) % s->n_touched];

		if (a->used && a->held)
			return a;
	}
	return NULL;
}

bool adversary_turn(struct storm *s)
{
	if (!user_take_prefixes(s))
		return true;
	for (unsigned int i = 0; i < TURN; i++) {
		const struct attach *a = draw_session(s);

		if (!a || s->user.adversarial_sent == s->config->adversarial)
			return false;
		send_one(s, a, (enum storm_packet)(s->user.adversarial_sent++ % PACKET_KINDS));
	}
	return true;
}
