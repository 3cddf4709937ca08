/* SPDX-License-Identifier: BSD-3-Clause *
 * Access nodes: records out, batched into datagrams, and records in.
 */
#include <stdio.h>

#include "user.h"

enum { SETUP_MS = 500, SETUP_TRIES = 20 };

/* ---------------------------------------------------------------- records out */

static void send_open(struct storm *s, unsigned int at)
{
	struct outgoing *o = &s->outgoing[at];

	if (o->writer.records > 0)
		link_send(s->link, at / LINK_PORTS, at % LINK_PORTS, o->data, o->writer.length);
	wire_writer_open(&o->writer, o->data, sizeof(o->data));
}

void node_send_record(struct storm *s, unsigned int an, unsigned int port,
		      const struct wire_record *record)
{
	unsigned int at = an * LINK_PORTS + port;
	struct outgoing *o = &s->outgoing[at];

	if (!wire_writer_add(&o->writer, record)) {
		send_open(s, at);
		if (!wire_writer_add(&o->writer, record)) {
			/* Larger than a packet: alone, and fragmented below. */
			uint8_t large[WIRE_DATAGRAM_MAX];
			struct wire_writer w;

			wire_writer_open(&w, large, sizeof(large));
			if (wire_writer_add(&w, record))
				link_send(s->link, an, port, large, w.length);
			return;
		}
	}
	if (!s->config->batch) {
		send_open(s, at);
	} else if (!o->dirty) {
		o->dirty = true;
		s->dirty[s->n_dirty++] = at;
	}
}

void node_flush(struct storm *s)
{
	for (unsigned int i = 0; i < s->n_dirty; i++) {
		send_open(s, s->dirty[i]);
		s->outgoing[s->dirty[i]].dirty = false;
	}
	s->n_dirty = 0;
	link_flush(s->link);
}

uint32_t node_an_ue_id(const struct storm *s, const struct attach *a)
{
	return ((uint32_t)(a->generation & 0x7ff) << SLOT_BITS) | (uint32_t)(a - s->slots);
}

void node_send_nas(struct storm *s, const struct attach *a, uint32_t an_ue_id, uint64_t au_ue_id,
		   const uint8_t *nas, size_t n)
{
	struct wire_record r = {.type = WIRE_UPLINK_NAS,
				.an_ue_id = an_ue_id,
				.au_ue_id = au_ue_id,
				.payload = span_make(nas, n)};

	node_send_record(s, a->an, a->port, &r);
}

void node_send_ies(struct storm *s, const struct attach *a, const struct wire_message *m)
{
	uint8_t payload[256];
	size_t n = wire_encode(m, payload, sizeof(payload));
	struct wire_record r = {.type = m->type,
				.an_ue_id = node_an_ue_id(s, a),
				.au_ue_id = a->au_ue_id,
				.payload = span_make(payload, n)};

	node_send_record(s, a->an, a->port, &r);
}

/* ---------------------------------------------------------------- records in */

static void on_downlink_nas(struct storm *s, struct attach *a, const struct wire_record *r)
{
	if (r->au_ue_id != 0)
		a->au_ue_id = r->au_ue_id;
	device_handle(&s->world, &a->device, r->payload);
	/* A task may have been done on the way, and with it the UE. */
	if (a->used && !a->device.waiting)
		attach_look_at(s, a);
}

static void on_context_setup(struct storm *s, struct attach *a, const struct wire_record *r)
{
	struct wire_message m;
	uint8_t aad[12], k_gnb[SEC_KEY_SIZE];

	if (wire_record_decode(&m, r->type, r->payload) != WIRE_CAUSE_NONE)
		return;
	store_be32(aad, r->an_ue_id);
	store_be64(aad + 4, r->au_ue_id);
	if (sec_open_key(s->world.sec, s->an_key, span_make(aad, sizeof(aad)),
			 m.ie[WIRE_IE_SEALED_KGNB].p, k_gnb) != SEC_OK ||
	    !device_check_kgnb(&a->device, k_gnb)) {
		uint8_t cause = WIRE_CAUSE_AN_CONTEXT_REFUSED;

		s->result->kgnb_mismatches++;
		wire_message_init(&m, 0, WIRE_CONTEXT_SETUP_FAILURE);
		wire_set(&m, WIRE_IE_CAUSE, &cause, 1);
	} else {
		wire_message_init(&m, 0, WIRE_CONTEXT_SETUP_RESPONSE);
	}
	wipe(k_gnb, sizeof(k_gnb));
	node_send_ies(s, a, &m);
}

/* SESSION SETUP RESPONSE; with the AN's end of the tunnel where the request had the gate's. */
static void answer_session_setup(struct storm *s, unsigned int an, unsigned int port,
				 const struct wire_record *r, const struct wire_message *request)
{
	struct wire_record answer = {.type = WIRE_SESSION_SETUP_RESPONSE,
				     .an_ue_id = r->an_ue_id,
				     .au_ue_id = r->au_ue_id};
	uint8_t tunnel[USER_TUNNEL_SIZE_MAX], payload[64];
	struct wire_message m;

	wire_message_init(&m, 0, WIRE_SESSION_SETUP_RESPONSE);
	wire_set(&m, WIRE_IE_PDU_SESSION_ID, request->ie[WIRE_IE_PDU_SESSION_ID].p, 1);
	if (wire_has(request, WIRE_IE_UPLINK_TUNNEL))
		wire_set(&m, WIRE_IE_DOWNLINK_TUNNEL, tunnel,
			 user_tunnel(s, an, r->an_ue_id, tunnel));
	answer.payload = span_make(payload, wire_encode(&m, payload, sizeof(payload)));
	node_send_record(s, an, port, &answer);
}

static void on_session_setup(struct storm *s, struct attach *a, const struct wire_record *r)
{
	struct wire_message m;

	if (wire_record_decode(&m, r->type, r->payload) != WIRE_CAUSE_NONE)
		return;
	if (wire_has(&m, WIRE_IE_UPLINK_TUNNEL))
		user_take_tunnel(s, a, m.ie[WIRE_IE_UPLINK_TUNNEL]);
	answer_session_setup(s, a->an, a->port, r, &m);
}

/* A UE that is done here may be asked again: its AN answers for it, as it would. */
static void answer_for_the_gone(struct storm *s, unsigned int an, unsigned int port,
				const struct wire_record *r)
{
	struct wire_record answer = {.an_ue_id = r->an_ue_id, .au_ue_id = r->au_ue_id};
	struct wire_message m;

	if (r->type == WIRE_RELEASE_COMMAND) {
		answer.type = WIRE_RELEASE_COMPLETE;
		node_send_record(s, an, port, &answer);
	} else if (r->type == WIRE_SESSION_SETUP_REQUEST &&
		   wire_record_decode(&m, r->type, r->payload) == WIRE_CAUSE_NONE) {
		answer_session_setup(s, an, port, r, &m);
	}
}

static void on_an_setup(struct storm *s, unsigned int an, const struct wire_record *r)
{
	struct wire_message m;

	if (s->ans[an].ready || wire_record_decode(&m, r->type, r->payload) != WIRE_CAUSE_NONE ||
	    !device_world_serving_network(&s->world, m.ie[WIRE_IE_SERVING_NETWORK]))
		return;
	s->ans[an].ready = true;
	s->ans_ready++;
}

static void send_setup(struct storm *s, unsigned int an)
{
	char name[32];
	uint8_t payload[64];
	struct wire_message m;
	int n = snprintf(name, sizeof(name), "storm-%u", an + 1);

	wire_message_init(&m, 0, WIRE_AN_SETUP_REQUEST);
	wire_set(&m, WIRE_IE_AN_NAME, name, (size_t)n);
	node_send_record(
		s, an, 0,
		&(struct wire_record){
			.type = WIRE_AN_SETUP_REQUEST,
			.payload = span_make(payload, wire_encode(&m, payload, sizeof(payload)))});
}

/* The authenticator has restarted: the AN sets up again, and lets go of its UEs, of which nobody
 * knows any more. */
static void on_error_indication(struct storm *s, unsigned int an, const struct wire_record *r)
{
	struct access_node *a = &s->ans[an];
	struct wire_message m;

	if (!a->ready || wire_record_decode(&m, r->type, r->payload) != WIRE_CAUSE_NONE ||
	    m.ie[WIRE_IE_CAUSE].p[0] != WIRE_CAUSE_AN_NOT_SET_UP)
		return;
	*a = (struct access_node){.ready = false};
	s->ans_ready--;
	s->next_setup = after(s, SETUP_MS / 1e3);
	send_setup(s, an);
	device_flush(&s->world); /* no UE goes while a task of its waits */
	for (uint32_t i = 0; i < s->n_touched; i++)
		if (s->slots[i].used && s->slots[i].an == an)
			attach_lose(s, &s->slots[i]);
}

static void on_overload(struct storm *s, unsigned int an, const struct wire_record *r)
{
	struct access_node *a = &s->ans[an];
	struct wire_message m;

	if (wire_record_decode(&m, r->type, r->payload) != WIRE_CAUSE_NONE)
		return;
	a->reduction = 0;
	if (r->type == WIRE_OVERLOAD_STOP)
		return;
	a->reduction = m.ie[WIRE_IE_TRAFFIC_REDUCTION].p[0];
	a->until = UINT64_MAX;
	if (wire_has(&m, WIRE_IE_BACK_OFF)) {
		uint32_t holds = wire_timer2_decode(m.ie[WIRE_IE_BACK_OFF].p[0]);

		if (holds != UINT32_MAX)
			a->until = after(s, holds);
	}
}

static void on_release_command(struct storm *s, struct attach *a, const struct wire_record *r)
{
	struct wire_message m;

	if (a->held) {
		attach_end_held(s, a);
	} else if (a->device.state == DEVICE_DETACHING) { /* DETACH ACCEPT was lost */
		attach_on_detached(s, a);
	} else if (fault_definitions[a->fault].outcome == FAULT_RELEASED && !a->device.waiting &&
		   wire_record_decode(&m, r->type, r->payload) == WIRE_CAUSE_NONE) {
		attach_give_up(s, a, (enum wire_cause)m.ie[WIRE_IE_CAUSE].p[0]);
	}
}

static void on_record(struct storm *s, unsigned int an, unsigned int port,
		      const struct wire_record *r)
{
	uint32_t slot = r->an_ue_id & (SLOTS_MAX - 1);

	if (r->type == WIRE_AN_SETUP_RESPONSE) {
		on_an_setup(s, an, r);
		return;
	}
	if (r->type == WIRE_OVERLOAD_START || r->type == WIRE_OVERLOAD_STOP) {
		on_overload(s, an, r);
		return;
	}
	if (r->type == WIRE_ERROR_INDICATION) {
		on_error_indication(s, an, r);
		return;
	}
	struct attach *a = slot < s->n_slots ? &s->slots[slot] : NULL;

	if (!a || !a->used || node_an_ue_id(s, a) != r->an_ue_id) {
		answer_for_the_gone(s, an, port, r);
		return;
	}
	switch (r->type) {
	case WIRE_DOWNLINK_NAS:
		on_downlink_nas(s, a, r);
		return;
	case WIRE_CONTEXT_SETUP_REQUEST:
		on_context_setup(s, a, r);
		return;
	case WIRE_SESSION_SETUP_REQUEST:
		on_session_setup(s, a, r);
		return;
	case WIRE_RELEASE_COMMAND:
		answer_for_the_gone(s, an, port, r);
		on_release_command(s, a, r);
		return;
	default:
		return;
	}
}

void node_on_datagram(void *arg, unsigned int an, unsigned int port, const uint8_t *data, size_t n)
{
	struct storm *s = arg;
	struct wire_reader reader;
	struct wire_record r;

	if (port == LINK_USER) {
		user_on_message(s, an, data, n);
		return;
	}
	if (wire_reader_open(&reader, span_make(data, n)) != WIRE_CAUSE_NONE)
		return;
	s->now = clock_ns();
	while (wire_reader_next(&reader, &r))
		on_record(s, an, port, &r);
}

/* ---------------------------------------------------------------- AN SETUP */

void node_send_setups(struct storm *s)
{
	for (unsigned int an = 0; an < s->config->n_ans; an++)
		if (!s->ans[an].ready)
			send_setup(s, an);
	node_flush(s);
}

void node_repeat_setups(struct storm *s)
{
	if (s->ans_ready == s->config->n_ans || s->now < s->next_setup)
		return;
	s->next_setup = after(s, SETUP_MS / 1e3);
	node_send_setups(s);
}

bool node_set_up(struct storm *s, volatile int *stop)
{
	for (unsigned int try = 0; try < SETUP_TRIES && !*stop; try++) {
		node_send_setups(s);
		uint64_t until = clock_ns() + SETUP_MS * MS;

		while (clock_ns() < until && s->ans_ready < s->config->n_ans && !*stop)
			link_poll(s->link, clock_ns(), node_on_datagram, s);
		if (s->ans_ready == s->config->n_ans)
			return true;
	}
	return false;
}
