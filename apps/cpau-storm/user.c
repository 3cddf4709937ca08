/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>

#include <rte_ip.h>

#include "gtpu/gtpu.h"
#include "load.h"
#include "tun.h"
#include "user.h"

enum {
	QFI = 1,
	TUN_TURN = 32, /* packets of the TUN device a turn */
	NAP_NS = 100000,
	SOLICITATIONS = 4, /* RFC 4861 has 3, 4 s apart; here they are a second apart */
	ICMP6_ROUTER_SOLICITATION = 133,
	ICMP6_ROUTER_ADVERTISEMENT = 134,
	ICMP6_OPTION_PREFIX = 3,
	RA_SIZE = 16,
	PREFIX_OPTION_SIZE = 32,
};

/* ---------------------------------------------------------------- tunnels */

/* Never 0, and another one for each connection of a UE. */
static uint32_t teid_of(uint32_t an_ue_id)
{
	return an_ue_id + 1;
}

size_t user_tunnel(const struct storm *s, unsigned int an, uint32_t an_ue_id,
		   uint8_t out[USER_TUNNEL_SIZE_MAX])
{
	struct net_addr address;
	size_t n;

	link_address(s->n3, an, &address);
	n = address.family == 4 ? 4 : 16;
	store_be32(out, teid_of(an_ue_id));
	memcpy(out + 4, address.a, n);
	return 4 + n;
}

void user_take_tunnel(struct storm *s, struct attach *a, struct span tunnel)
{
	a->uplink_teid = load_be32(tunnel.p);
	a->gate = (struct net_addr){.family = tunnel.n == 8 ? 4 : 6};
	memcpy(a->gate.a, tunnel.p + 4, tunnel.n - 4);
	a->ipv6_prefix = 0;
	s->user.gate = a->gate;
}

void user_send(struct storm *s, const struct attach *a, const uint8_t *packet, size_t n)
{
	uint8_t message[GTPU_CONTAINER_HEADER_SIZE + USER_PACKET_MAX];

	if (n > USER_PACKET_MAX || a->gate.family == 0)
		return;
	gtpu_write_container_header(message, false, QFI, a->uplink_teid, (uint16_t)n);
	memcpy(message + GTPU_CONTAINER_HEADER_SIZE, packet, n);
	link_send_user(s->n3, a->an, &a->gate, message, GTPU_CONTAINER_HEADER_SIZE + n);
	s->result->uplink_packets++;
}

static struct attach *find(struct storm *s, unsigned int an, uint32_t teid)
{
	uint32_t slot = (teid - 1) & (SLOTS_MAX - 1);
	struct attach *a = slot < s->n_slots ? &s->slots[slot] : NULL;

	return a && a->used && a->an == an && teid_of(node_an_ue_id(s, a)) == teid ? a : NULL;
}

/* ---------------------------------------------------------------- the UE's addresses */

static bool announce(struct storm *s, const struct attach *a)
{
	const struct device *d = &a->device;
	char ipv4[INET_ADDRSTRLEN] = "", dns[INET_ADDRSTRLEN] = "", smdp[INET_ADDRSTRLEN] = "";
	char ipv6[INET6_ADDRSTRLEN] = "", dns_ipv6[INET6_ADDRSTRLEN] = "";
	uint32_t words[3] = {htonl(d->ipv4), htonl(d->dns), htonl(d->smdp)};

	if (d->ipv4 != 0)
		inet_ntop(AF_INET, &words[0], ipv4, sizeof(ipv4));
	inet_ntop(AF_INET, &words[1], dns, sizeof(dns));
	inet_ntop(AF_INET, &words[2], smdp, sizeof(smdp));
	if (s->user.has_ipv6)
		inet_ntop(AF_INET6, s->user.ipv6, ipv6, sizeof(ipv6));
	if (load_be64(d->dns_ipv6) != 0)
		inet_ntop(AF_INET6, d->dns_ipv6, dns_ipv6, sizeof(dns_ipv6));
	if (s->config->json) {
		json_t *j = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i}", "event", "session",
				      "ipv4", ipv4, "ipv6", ipv6, "dns", dns, "dns_ipv6", dns_ipv6,
				      "smdp", smdp, "smdp_name", s->world.smdp_name, "mtu", d->mtu);

		json_dumpf(j, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
		json_decref(j);
	} else {
		printf("session: address %s%s%s, DNS %s%s%s, SM-DP+ %s (%s), MTU %u\n", ipv4,
		       *ipv4 && *ipv6 ? " " : "", ipv6, dns, *dns_ipv6 ? " " : "", dns_ipv6,
		       s->world.smdp_name, smdp, d->mtu);
	}
	s->user.announced = true;
	return fflush(stdout) == 0;
}

/* From fe80:: and the interface identifier that the network gave, to all routers (RFC 4861 4.1). */
static void solicit(struct storm *s, const struct attach *a)
{
	struct {
		struct rte_ipv6_hdr ip;
		uint8_t icmp[8];
	} p = {.ip = {.vtc_flow = htonl(6u << 28),
		      .payload_len = htons(8),
		      .proto = IPPROTO_ICMPV6,
		      .hop_limits = 255},
	       .icmp = {ICMP6_ROUTER_SOLICITATION}};
	uint16_t sum;

	p.ip.src_addr[0] = 0xfe;
	p.ip.src_addr[1] = 0x80;
	store_be64(p.ip.src_addr + 8, a->device.interface_id);
	p.ip.dst_addr[0] = 0xff;
	p.ip.dst_addr[1] = 0x02;
	p.ip.dst_addr[15] = 0x02;
	sum = rte_ipv6_udptcp_cksum(&p.ip, p.icmp);
	memcpy(p.icmp + 2, &sum, sizeof(sum));
	user_send(s, a, (const uint8_t *)&p, sizeof(p));
}

/* The prefix of a ROUTER ADVERTISEMENT; false: it is none, or has none. */
static bool read_prefix(const uint8_t *packet, size_t n, uint8_t prefix[8])
{
	size_t at = sizeof(struct rte_ipv6_hdr);

	if (n < at + RA_SIZE || packet[0] >> 4 != 6 || packet[6] != IPPROTO_ICMPV6 ||
	    packet[7] != 255 || packet[at] != ICMP6_ROUTER_ADVERTISEMENT)
		return false;
	for (at += RA_SIZE; n - at >= 8 && packet[at + 1] > 0; at += 8u * packet[at + 1]) {
		if (8u * packet[at + 1] > n - at)
			return false;
		if (packet[at] == ICMP6_OPTION_PREFIX && packet[at + 1] * 8 == PREFIX_OPTION_SIZE &&
		    packet[at + 2] == 64) {
			memcpy(prefix, packet + at + 16, 8);
			return true;
		}
	}
	return false;
}

static void on_advertisement(struct storm *s, struct attach *a, const uint8_t *packet, size_t n)
{
	uint8_t prefix[8];

	if (a->ipv6_prefix != 0 || !read_prefix(packet, n, prefix))
		return;
	a->ipv6_prefix = load_be64(prefix);
	if (s->user.has_ipv6)
		return;
	memcpy(s->user.ipv6, prefix, sizeof(prefix));
	store_be64(s->user.ipv6 + 8, a->device.interface_id);
	s->user.has_ipv6 = true;
}

bool user_take_prefixes(struct storm *s)
{
	struct storm_user *u = &s->user;
	bool due = s->now >= u->next_solicitation;
	uint32_t missing = 0;

	for (uint32_t i = 0; !u->has_prefixes && i < s->n_touched; i++) {
		const struct attach *a = &s->slots[i];

		if (!a->used || !a->held || a->device.interface_id == 0 || a->ipv6_prefix != 0)
			continue;
		missing++;
		if (due && u->solicitations < SOLICITATIONS)
			solicit(s, a);
	}
	if (missing > 0 && due) {
		u->next_solicitation = s->now + SECOND;
		if (u->solicitations++ < SOLICITATIONS)
			return false;
		fprintf(stderr, "cpau-storm: no ROUTER ADVERTISEMENT for %u sessions\n", missing);
		missing = 0;
	}
	u->has_prefixes = missing == 0;
	return u->has_prefixes;
}

/* ---------------------------------------------------------------- what comes */

static void on_packet(struct storm *s, struct attach *a, struct span packet)
{
	s->result->downlink_packets++;
	on_advertisement(s, a, packet.p, packet.n);
	if (s->user.tun)
		tun_write(s->user.tun, packet.p, packet.n);
}

static void answer(struct storm *s, unsigned int an, const uint8_t *message, size_t n)
{
	if (n > 0)
		link_send_user(s->n3, an, &s->user.gate, message, n);
}

/* A G-PDU of a session that the AN does not know (TS 29.281 7.3.1). */
static void refuse(struct storm *s, unsigned int an, uint32_t teid)
{
	struct net_addr own;
	uint8_t out[64];

	link_address(s->n3, an, &own);
	answer(s, an, out,
	       gtpu_encode_error_indication(out, sizeof(out), teid, own.a,
					    own.family == 4 ? 4 : 16));
}

void user_on_message(struct storm *s, unsigned int an, const uint8_t *data, size_t n)
{
	struct gtpu_header h;
	uint8_t out[16];

	if (gtpu_decode(&h, span_make(data, n)) != GTPU_OK)
		return;
	if (h.type == GTPU_ECHO_REQUEST) {
		answer(s, an, out, gtpu_encode_echo_response(out, sizeof(out), h.sequence));
	} else if (h.type == GTPU_ERROR_INDICATION) {
		s->result->error_indications++;
	} else if (h.type == GTPU_G_PDU) {
		struct attach *a = find(s, an, h.teid);

		if (a)
			on_packet(s, a, h.payload);
		else
			refuse(s, an, h.teid);
	}
}

/* ---------------------------------------------------------------- the time after the attach */

static struct attach *first_held(struct storm *s)
{
	for (uint32_t i = 0; i < s->n_touched; i++)
		if (s->slots[i].used && s->slots[i].held)
			return &s->slots[i];
	return NULL;
}

static bool open_tun(struct storm *s, const struct attach *a, const char **why)
{
	s->user.tun = tun_open(s->config->tun, why);
	if (!s->user.tun)
		return false;
	*why = "the TUN device does not take the UE's address or its MTU";
	return (a->device.mtu == 0 || tun_set_mtu(s->user.tun, a->device.mtu)) &&
	       (a->device.ipv4 == 0 || tun_set_ipv4(s->user.tun, a->device.ipv4));
}

/* IPv6 sessions have their prefix by a ROUTER ADVERTISEMENT. True: something was done. */
static bool take_prefix(struct storm *s, const struct attach *a)
{
	struct storm_user *u = &s->user;

	if (u->announced)
		return false;
	if (a->device.interface_id == 0)
		return announce(s, a);
	if (u->has_ipv6) {
		if (u->tun && !tun_set_ipv6(u->tun, u->ipv6))
			fprintf(stderr,
				"cpau-storm: the TUN device does not take the IPv6 address\n");
		return announce(s, a);
	}
	if (s->now < u->next_solicitation)
		return false;
	if (u->solicitations++ == SOLICITATIONS) {
		fprintf(stderr, "cpau-storm: no ROUTER ADVERTISEMENT\n");
		return announce(s, a);
	}
	u->next_solicitation = s->now + SECOND;
	solicit(s, a);
	return true;
}

static bool move_tun(struct storm *s, const struct attach *a)
{
	uint8_t packet[USER_PACKET_MAX];
	unsigned int n = 0;
	size_t length;

	while (s->user.tun && n < TUN_TURN &&
	       (length = tun_read(s->user.tun, packet, sizeof(packet))) > 0) {
		user_send(s, a, packet, length);
		n++;
	}
	return n > 0;
}

static bool receive(struct storm *s)
{
	unsigned int n = link_poll(s->link, s->now, node_on_datagram, s);

	if (s->n3 != s->link)
		n += link_poll(s->n3, s->now, node_on_datagram, s);
	return n > 0;
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
}

/* False: there is no more to do. */
static bool turn(struct storm *s)
{
	struct attach *a = first_held(s);
	bool busy = receive(s);

	if (a && a->used && s->config->tun) {
		busy |= take_prefix(s, a);
		busy |= move_tun(s, a);
	}
	bool more = !s->config->adversarial || adversary_turn(s);

	device_flush(&s->world);
	node_repeat_setups(s);
	node_flush(s);
	link_flush(s->n3);
	s->now = clock_ns();
	if (!busy)
		nap();
	return more;
}

/* Those that are held. NULL: no memory. */
static struct load_session *list_sessions(struct storm *s)
{
	struct load_session *sessions = calloc(s->held, sizeof(*sessions));
	unsigned int n = 0;

	for (uint32_t i = 0; sessions && i < s->n_touched; i++) {
		const struct attach *a = &s->slots[i];

		if (a->used && a->held)
			sessions[n++] = (struct load_session){
				.teid = a->uplink_teid, .ipv4 = a->device.ipv4, .an = a->an};
	}
	return sessions;
}

static bool run_load(struct storm *s, volatile int *stop, const char **why)
{
	struct load_session *sessions = list_sessions(s);

	*why = "out of memory";
	return sessions &&
	       load_run(s->config, sessions, s->held, s->n3, s->n6, stop, &s->result->load, why);
}

bool user_load_beside(struct storm *s, const char **why)
{
	struct load_result *r = &s->result->load;

	if (s->load) {
		uint64_t begun = clock_ns(), share = begun - s->turn;

		do /* for as long as UEs and access nodes took of this turn */
			load_turn(s->load, true);
		while (clock_ns() - begun < share);
		r->attaches = s->result->attaches - r->sessions;
		return true;
	}
	if (s->held < s->config->load_beside)
		return true;
	struct load_session *sessions = list_sessions(s);

	*why = "out of memory";
	s->load = sessions ? load_begin(s->config, sessions, s->held, s->n3, s->n6, r, why) : NULL;
	return s->load != NULL;
}

/* The UE is switched off: it detaches (TS 24.501 5.5.2.2). */
static void switch_off(struct storm *s)
{
	struct attach *a = first_held(s);
	uint64_t until = clock_ns() + SECOND;

	if (!a)
		return;
	device_detach(&s->world, &a->device);
	while (s->held > 0 && clock_ns() < until) {
		node_flush(s);
		receive(s);
		nap();
	}
}

bool user_run(struct storm *s, volatile int *stop, const char **why)
{
	const struct storm_config *c = s->config;
	struct attach *a = first_held(s);
	uint64_t until;

	s->now = clock_ns();
	until = c->hold_s > 0 ? after(s, c->hold_s) : UINT64_MAX;
	if (a && a->gate.family == 0 && (c->tun || c->adversarial > 0 || c->load_octets > 0)) {
		*why = "the session has no tunnel: cpau's configuration has no gate stage";
		return false;
	}
	if (a && c->tun && !open_tun(s, a, why)) {
		tun_close(s->user.tun);
		return false;
	}
	if (c->load_beside > 0) {
		load_end(s->load);
		return true;
	}
	if (a && c->load_octets > 0)
		return run_load(s, stop, why);
	while (!*stop && s->held > 0 && s->now < until)
		if (!turn(s))
			break;
	if (c->tun)
		switch_off(s);
	tun_close(s->user.tun);
	return true;
}
