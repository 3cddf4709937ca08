/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Step 8's second half: the PDU session, asked of the CP-CN, given to the AN and to the UE.
 */
#include "au/control.h"

enum {
	PAYLOAD_N1_SM = 1, /* TS 24.501 9.11.3.40 */
	SSC_MODE_1 = 1,
	QFI = 1,
	PCO_PPP = 0x80, /* TS 24.008 10.5.6.3: configuration protocol PPP, extension bit */
	PCO_DNS_IPV4 = 0x000d,
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

void control_session_release(struct au_control *c, const struct ue *ue)
{
	struct cn_release request = {.slot = ue_table_slot_of(c->table, ue)};

	c->cn->release(c->cn_arg, &request, 1);
}

static size_t put_option(uint8_t *p, uint16_t id, const void *content, size_t n)
{
	store_be16(p, id);
	p[2] = (uint8_t)n;
	memcpy(p + 3, content, n);
	return 3 + n;
}

/* DNS, and where the SM-DP+ is: its address, then its name. */
static void write_epco(struct au_control *c, uint32_t dns, uint32_t smdp)
{
	const struct config *config = c->shared->config;
	const char *mcc = config->mcc, *mnc = config->mnc;
	size_t name = strlen(config->session.smdp_fqdn), n = 1;
	uint8_t address[4], content[3 + 4 + 200];

	c->epco[0] = PCO_PPP;
	store_be32(address, dns);
	n += put_option(c->epco + n, PCO_DNS_IPV4, address, sizeof(address));
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

static void send_accept(struct au_control *c, struct ue *ue)
{
	struct wire_message m;
	uint8_t type = CN_PDU_TYPE_IPV4, ssc = SSC_MODE_1, address[5] = {CN_PDU_TYPE_IPV4};

	wire_message_init(&m, WIRE_EPD_5GSM, WIRE_NAS_SESSION_ESTABLISHMENT_ACCEPT);
	m.pdu_session_id = ue->secured.pdu_session_id;
	m.pti = ue->secured.pti;
	store_be32(address + 1, ue->secured.ipv4);
	wire_set(&m, WIRE_IE_PDU_SESSION_TYPE, &type, 1);
	wire_set(&m, WIRE_IE_SSC_MODE, &ssc, 1);
	wire_set(&m, WIRE_IE_QOS_RULES, QOS_RULES, sizeof(QOS_RULES));
	wire_set(&m, WIRE_IE_SESSION_AMBR, c->ambr, sizeof(c->ambr));
	wire_set(&m, WIRE_IE_PDU_ADDRESS, address, sizeof(address));
	wire_set(&m, WIRE_IE_DNN, c->dnn, c->dnn_len);
	wire_set(&m, WIRE_IE_EPCO, c->epco, c->epco_len);
	send_container(c, ue, &m);
}

static void send_session_setup_request(struct au_control *c, const struct ue *ue)
{
	struct wire_message m;
	uint8_t address[4], qfi = QFI;

	store_be32(address, ue->secured.ipv4);
	wire_message_init(&m, 0, WIRE_SESSION_SETUP_REQUEST);
	wire_set(&m, WIRE_IE_PDU_SESSION_ID, &ue->secured.pdu_session_id, 1);
	wire_set(&m, WIRE_IE_UE_IPV4, address, sizeof(address));
	wire_set(&m, WIRE_IE_QFI, &qfi, 1);
	wire_set(&m, WIRE_IE_DNN, c->dnn, c->dnn_len);
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
	ue->secured.pti = sm.pti;
	ue->secured.ipv4 = request.ipv4;
	if (ue->state == UE_ATTACHED) { /* the UE asks again: its ACCEPT was lost */
		send_accept(c, ue);
		return;
	}
	if (ue->state != UE_AN_SESSION)
		control_enter(c, ue, UE_AN_SESSION, c->shared->config->timers.tan_ms);
	control_session_retransmit(c, ue);
}
