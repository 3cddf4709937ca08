/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Step 8's second half: the PDU session, asked of the CP-CN, given to the AN, the UE and the gate;
 * and its end, when its time is over, its download is done, or its AN knows it no more.
 */
#include "au/control.h"
#include "au/user_plane.h"

enum {
	EVENTS_BURST = 32,
	PAYLOAD_N1_SM = 1, /* TS 24.501 9.11.3.40 */
	SSC_MODE_1 = 1,
	QFI = 1,
	PCO_PPP = 0x80, /* TS 24.008 10.5.6.3: configuration protocol PPP, extension bit */
	PCO_DNS_IPV6 = 0x0003,
	PCO_DNS_IPV4 = 0x000d,
	PCO_MTU = 0x0010,      /* of the UE's link, IPv4 */
	PCO_OPERATOR = 0xff00, /* operator specific use: MCC/MNC, then the SM-DP+ */
};

/* One rule: all of the session's traffic, both ways, in one QoS flow (TS 24.501 9.11.4.13). */
static const uint8_t QOS_RULES[] = {
	0x01, /* rule 1 */
	0x00,
	0x06,		 /* length */
	0x20 | 0x10 | 1, /* create, default rule, one packet filter */
	0x30 | 0x01,
	0x01,
	0x01, /* bidirectional filter 1: match-all, one octet */
	0xff, /* precedence 255, the last */
	QFI,
};

void control_session_context(struct au_control *c, const struct ue *ue)
{
	struct cn_create_context request = {.slot = ue_table_slot_of(c->table, ue)};

	memcpy(request.eid, ue->eid, sizeof(request.eid));
	c->cn->create_context(c->cn_arg, &request, 1);
}

static struct ue_place place_of(const struct au_control *c, const struct ue *ue)
{
	return (struct ue_place){c->shard, ue_table_slot_of(c->table, ue), ue->an};
}

/* The gate first: its address may be given to another from then on. */
void control_session_release(struct au_control *c, const struct ue *ue)
{
	struct cn_release request = {.slot = ue_table_slot_of(c->table, ue)};

	if (c->shared->user_plane) {
		struct ue_place place = place_of(c, ue);

		au_user_plane_close(c->shared->user_plane, &place);
	}
	c->cn->release(c->cn_arg, &request, 1);
}

static size_t put_option(uint8_t *p, uint16_t id, const void *content, size_t n)
{
	store_be16(p, id);
	p[2] = (uint8_t)n;
	memcpy(p + 3, content, n);
	return 3 + n;
}

/* DNS, the MTU where packets go through a gate, and where the SM-DP+ is: its address, then its
 * name.
 */
static void write_epco(struct au_control *c, uint32_t dns, uint32_t smdp)
{
	struct net_addr dns_ipv6;
	const struct config *config = c->shared->config;
	const char *mcc = config->mcc, *mnc = config->mnc;
	size_t name = strlen(config->session.smdp_fqdn), n = 1;
	uint8_t address[4], content[3 + 4 + 200];

	c->epco[0] = PCO_PPP;
	store_be32(address, dns);
	n += put_option(c->epco + n, PCO_DNS_IPV4, address, sizeof(address));
	if (config->session.dns_ipv6 && net_addr_parse(config->session.dns_ipv6, &dns_ipv6))
		n += put_option(c->epco + n, PCO_DNS_IPV6, dns_ipv6.a, sizeof(dns_ipv6.a));
	if (c->shared->user_plane) {
		n += put_option(c->epco + n, PCO_MTU, (const uint8_t[2]){0}, 2);
		c->epco_mtu = c->epco + n - 2;
	}
	content[0] = (uint8_t)((mcc[1] - '0') << 4 | (mcc[0] - '0'));
	content[1] = (uint8_t)((mnc[2] ? mnc[2] - '0' : 0x0f) << 4 | (mcc[2] - '0'));
	content[2] = (uint8_t)((mnc[1] - '0') << 4 | (mnc[0] - '0'));
	store_be32(content + 3, smdp);
	memcpy(content + 7, config->session.smdp_fqdn, name);
	c->epco_len = n + put_option(c->epco + n, PCO_OPERATOR, content, 7 + name);
}

/* TS 24.501 9.11.4.14: unit 1 is kbit/s, 6 Mbit/s. */
static void write_ambr(unsigned int kbps, uint8_t ambr[6])
{
	bool large = kbps > UINT16_MAX;
	uint16_t value = (uint16_t)(large ? kbps / 1000 : kbps);

	for (unsigned int i = 0; i < 2; i++) {
		ambr[3 * i] = large ? 6 : 1;
		store_be16(ambr + 3 * i + 1, value);
	}
}

static uint32_t ipv4_of(const char *text)
{
	struct net_addr a;

	return net_addr_parse(text, &a) && a.family == 4 ? load_be32(a.a) : 0;
}

void control_session_init(struct au_control *c)
{
	const struct config_session *session = &c->shared->config->session;

	c->dnn_len = wire_dnn_encode(session->dnn, c->dnn, sizeof(c->dnn));
	write_ambr(session->ambr_kbps, c->ambr);
	write_epco(c, ipv4_of(session->dns), ipv4_of(session->smdp_address));
}

static void send_container(struct au_control *c, struct ue *ue, const struct wire_message *sm)
{
	struct wire_message m;
	uint8_t container[768], type = PAYLOAD_N1_SM;
	size_t n = wire_encode(sm, container, sizeof(container));

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_DL_NAS_TRANSPORT);
	wire_set(&m, WIRE_IE_PAYLOAD_CONTAINER_TYPE, &type, 1);
	wire_set(&m, WIRE_IE_PAYLOAD_CONTAINER, container, n);
	wire_set(&m, WIRE_IE_PDU_SESSION_ID, &sm->pdu_session_id, 1);
	control_send_secured(c, ue, &m);
}

/* TS 24.501 9.11.4.10: the type, then an interface identifier, an IPv4 address, or both. */
static size_t write_address(const struct ue_secured *u, uint8_t out[13])
{
	size_t n = 1;

	out[0] = u->pdu_session_type;
	if (u->pdu_session_type & CN_PDU_TYPE_IPV6) {
		store_be64(out + n, u->interface_id);
		n += 8;
	}
	if (u->pdu_session_type & CN_PDU_TYPE_IPV4) {
		store_be32(out + n, u->ipv4);
		n += 4;
	}
	return n;
}

static void send_accept(struct au_control *c, struct ue *ue)
{
	const struct ue_secured *u = &ue->secured;
	struct wire_message m;
	uint8_t ssc = SSC_MODE_1, address[13];

	if (c->epco_mtu)
		store_be16(c->epco_mtu, (uint16_t)au_user_plane_mtu(c->shared->user_plane, ue->an));
	wire_message_init(&m, WIRE_EPD_5GSM, WIRE_NAS_SESSION_ESTABLISHMENT_ACCEPT);
	m.pdu_session_id = u->pdu_session_id;
	m.pti = u->pti;
	wire_set(&m, WIRE_IE_PDU_SESSION_TYPE, &u->pdu_session_type, 1);
	wire_set(&m, WIRE_IE_SSC_MODE, &ssc, 1);
	wire_set(&m, WIRE_IE_QOS_RULES, QOS_RULES, sizeof(QOS_RULES));
	wire_set(&m, WIRE_IE_SESSION_AMBR, c->ambr, sizeof(c->ambr));
	if (u->note != CN_OK)
		wire_set(&m, WIRE_IE_5GSM_CAUSE, &u->note, 1);
	wire_set(&m, WIRE_IE_PDU_ADDRESS, address, write_address(u, address));
	wire_set(&m, WIRE_IE_DNN, c->dnn, c->dnn_len);
	wire_set(&m, WIRE_IE_EPCO, c->epco, c->epco_len);
	send_container(c, ue, &m);
}

static void send_session_setup_request(struct au_control *c, const struct ue *ue)
{
	const struct ue_secured *u = &ue->secured;
	uint8_t ipv4[4], prefix[8], tunnel[AU_TUNNEL_SIZE_MAX], qfi = QFI;
	struct wire_message m;
	size_t n = 0;

	store_be32(ipv4, u->ipv4);
	store_be64(prefix, u->ipv6_prefix);
	if (c->shared->user_plane) {
		struct ue_place place = place_of(c, ue);

		n = au_user_plane_uplink_tunnel(c->shared->user_plane, &place, tunnel);
	}
	wire_message_init(&m, 0, WIRE_SESSION_SETUP_REQUEST);
	wire_set(&m, WIRE_IE_PDU_SESSION_ID, &u->pdu_session_id, 1);
	if (u->pdu_session_type & CN_PDU_TYPE_IPV4)
		wire_set(&m, WIRE_IE_UE_IPV4, ipv4, sizeof(ipv4));
	wire_set(&m, WIRE_IE_QFI, &qfi, 1);
	wire_set(&m, WIRE_IE_DNN, c->dnn, c->dnn_len);
	if (n > 0)
		wire_set(&m, WIRE_IE_UPLINK_TUNNEL, tunnel, n);
	if (u->pdu_session_type & CN_PDU_TYPE_IPV6)
		wire_set(&m, WIRE_IE_UE_IPV6_PREFIX, prefix, sizeof(prefix));
	control_send_record(c, ue, &m);
}

static void send_reject(struct au_control *c, struct ue *ue, const struct wire_message *request,
			enum cn_cause cause)
{
	struct wire_message m;
	uint8_t value = (uint8_t)cause;

	wire_message_init(&m, WIRE_EPD_5GSM, WIRE_NAS_SESSION_ESTABLISHMENT_REJECT);
	m.pdu_session_id = request->pdu_session_id;
	m.pti = request->pti;
	wire_set(&m, WIRE_IE_5GSM_CAUSE, &value, 1);
	send_container(c, ue, &m);
	control_count_cause(c, WIRE_CAUSE_SESSION_REFUSED);
}

void control_session_retransmit(struct au_control *c, struct ue *ue)
{
	send_session_setup_request(c, ue);
	send_accept(c, ue);
}

static enum wire_cause open_gate(struct au_control *c, const struct ue *ue, struct span tunnel)
{
	const struct ue_secured *u = &ue->secured;
	struct au_user_plane_session session = {u->ipv4, u->ipv6_prefix, u->interface_id};
	struct ue_place place = place_of(c, ue);

	if (!c->shared->user_plane)
		return WIRE_CAUSE_NONE;
	return au_user_plane_open(c->shared->user_plane, &place, &session, tunnel);
}

enum wire_cause control_session_open(struct au_control *c, struct ue *ue,
				     const struct wire_message *m)
{
	enum wire_cause cause;

	if (!c->shared->user_plane)
		return WIRE_CAUSE_NONE;
	if (!wire_has(m, WIRE_IE_DOWNLINK_TUNNEL))
		return WIRE_CAUSE_IE_MISSING;
	cause = open_gate(c, ue, m->ie[WIRE_IE_DOWNLINK_TUNNEL]);
	if (cause == WIRE_CAUSE_NONE)
		control_count(c, AU_COUNT_SESSIONS_OPENED);
	return cause;
}

void control_session_request(struct au_control *c, struct ue *ue, const struct wire_message *m)
{
	struct wire_message sm;
	char dnn[100] = "";

	/* The container lies in c->plain: nothing may be sent before it has been read. */
	enum wire_cause cause = wire_nas_decode(&sm, m->ie[WIRE_IE_PAYLOAD_CONTAINER]);

	if (cause == WIRE_CAUSE_NONE &&
	    (sm.epd != WIRE_EPD_5GSM || sm.type != WIRE_NAS_SESSION_ESTABLISHMENT_REQUEST))
		cause = WIRE_CAUSE_MESSAGE_UNKNOWN;
	if (cause == WIRE_CAUSE_NONE && wire_has(m, WIRE_IE_DNN) &&
	    !wire_dnn_decode(m->ie[WIRE_IE_DNN], dnn, sizeof(dnn)))
		cause = WIRE_CAUSE_IE_BAD_VALUE;
	if (cause != WIRE_CAUSE_NONE) {
		control_count_cause(c, cause);
		return;
	}
	struct cn_create_session request = {
		.slot = ue_table_slot_of(c->table, ue),
		.pdu_session_id = sm.pdu_session_id,
		.pdu_session_type = wire_has(&sm, WIRE_IE_PDU_SESSION_TYPE)
					    ? sm.ie[WIRE_IE_PDU_SESSION_TYPE].p[0]
					    : CN_PDU_TYPE_IPV4,
		.dnn = dnn,
	};

	c->cn->create_session(c->cn_arg, &request, 1);
	if (request.cause != CN_OK) {
		send_reject(c, ue, &sm, request.cause);
		return;
	}
	ue->secured.pdu_session_id = sm.pdu_session_id;
	ue->secured.pdu_session_type = request.pdu_session_type;
	ue->secured.pti = sm.pti;
	ue->secured.note = (uint8_t)request.note;
	ue->secured.ipv4 = request.ipv4;
	ue->secured.ipv6_prefix = request.ipv6_prefix;
	ue->secured.interface_id = request.interface_id;
	if (ue->state == UE_ATTACHED) { /* the UE asks again: its ACCEPT was lost */
		send_accept(c, ue);
		return;
	}
	if (ue->state != UE_AN_SESSION) {
		/* What the UE sends may overtake the AN's answer. */
		enum wire_cause refused = open_gate(c, ue, span_make(NULL, 0));

		if (refused != WIRE_CAUSE_NONE) {
			control_abort(c, ue, refused);
			return;
		}
		control_enter(c, ue, UE_AN_SESSION, c->shared->config->timers.tan_ms);
	}
	control_session_retransmit(c, ue);
}

/* ---------------------------------------------------------------- its end */

static uint64_t ticks_of(unsigned int seconds)
{
	return (uint64_t)seconds * AU_TICKS_PER_S;
}

unsigned int control_session_first_look(const struct au_control *c, struct ue *ue)
{
	const struct config_timers *t = &c->shared->config->timers;

	if (!c->shared->user_plane)
		return t->attached_s * 1000;
	ue->secured.lifetime_end = c->tick + ticks_of(t->lifetime_s);
	return RTE_MIN(t->lifetime_s, t->idle_s) * 1000;
}

/* A session that nothing has come down through is waited for, for as long as it may live. */
enum wire_cause control_session_look(struct au_control *c, struct ue *ue)
{
	uint64_t idle = ticks_of(c->shared->config->timers.idle_s), next = c->tick + idle;
	struct ue_place place = place_of(c, ue);
	struct gate_usage usage = {0};

	if (c->tick >= ue->secured.lifetime_end)
		return WIRE_CAUSE_SESSION_EXPIRED;
	if (au_user_plane_usage(c->shared->user_plane, &place, &usage) &&
	    usage.downlink_packets > 0) {
		next = au_tick(c->shared, usage.last_tsc) + idle;
		if (c->tick >= next)
			return WIRE_CAUSE_SESSION_DONE;
	}
	ue_table_arm(c->table, ue, RTE_MIN(next, ue->secured.lifetime_end));
	return WIRE_CAUSE_NONE;
}

void control_session_send_detach(struct au_control *c, struct ue *ue)
{
	struct wire_message m;

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_DETACH_REQUEST);
	wire_set(&m, WIRE_IE_CAUSE, &ue->secured.end_cause, 1);
	control_send_secured(c, ue, &m);
}

void control_session_end(struct au_control *c, struct ue *ue, enum wire_cause cause)
{
	struct ue_place place = place_of(c, ue);

	au_user_plane_close(c->shared->user_plane, &place);
	ue->secured.end_cause = (uint8_t)cause;
	control_enter(c, ue, UE_DETACHING, c->shared->config->timers.t3522_ms);
	control_session_send_detach(c, ue);
}

unsigned int control_session_events(struct au_control *c)
{
	uint32_t slots[EVENTS_BURST];
	unsigned int n = au_user_plane_events(c->shared->user_plane, c->shard, slots, EVENTS_BURST);

	for (unsigned int i = 0; i < n; i++) {
		struct ue *ue = ue_table_slot(c->table, slots[i]);

		if (!ue || ue->state != UE_ATTACHED)
			continue;
		control_count(c, AU_COUNT_SESSIONS_UNKNOWN);
		control_session_end(c, ue, WIRE_CAUSE_RELEASED);
	}
	return n;
}
