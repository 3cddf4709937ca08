/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The storm: a schedule of arrivals, a table of UEs in flight, and the access nodes that carry
 * their messages. One thread; every message that arrives is handled before the next, but for the
 * public-key arithmetic, which the UEs of one turn of the loop do together.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "storm.h"

enum {
	SHADOW = UINT32_C(1) << 31, /* AN UE ids of replays: no UE of ours */
	SLOT_BITS = 20,
	SLOTS_MAX = 1 << SLOT_BITS,
	SCAN_NS = 1000000, /* between looks at timers */
	SCAN_PARTS = 64,   /* of the slots, one a look */
	SETUP_MS = 500,
	SETUP_TRIES = 20,
	ATTEMPTS = 5, /* that end in silence, before a UE gives up (TS 24.501 5.5.1.2.7) */
	POLLS = 16,   /* of the link a turn */
	NONE = UINT32_MAX,
};
#define MS     UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

/* One UE in flight. */
struct attach {
	struct device device; /* first: the device's callbacks find the rest by it */
	enum device_state seen;
	bool used;
	uint8_t port;
	uint16_t an;
	uint16_t generation;
	enum fault fault;
	unsigned int tries;    /* sendings of the message at hand */
	unsigned int attempts; /* to attach */
	uint64_t au_ue_id;
	uint64_t intended, deadline, timer; /* ns */
	uint32_t next_free;
};

/* What an AN knows of the authenticator. */
struct access_node {
	bool ready;
	uint8_t reduction; /* share of new attaches that it holds back, per cent */
	uint64_t until;	   /* when that ends, ns */
};

/* Datagrams that are being filled, one for each AN and port. */
struct outgoing {
	struct wire_writer writer;
	bool dirty;
	uint8_t data[1400];
};

struct storm {
	const struct storm_config *config;
	struct storm_result *result;
	struct link *link;
	struct device_world world;
	struct sec_an_key *an_key;
	struct attach *slots;
	uint32_t n_slots, free_head, in_flight, scan;
	uint64_t next_scan;
	uint64_t *wake; /* of each slot: nothing is due before */
	struct outgoing *outgoing;
	unsigned int *dirty, n_dirty; /* those of outgoing that hold something */
	struct access_node *ans;
	unsigned int ans_ready;
	uint64_t now, start, next; /* next: number of the next arrival */
	uint64_t full;		   /* when max_in_flight last held an arrival back */
	uint64_t random;
	uint64_t last_completion;
};

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static double random_share(struct storm *s)
{
	s->random ^= s->random >> 12;
	s->random ^= s->random << 25;
	s->random ^= s->random >> 27;
	return (double)((s->random * UINT64_C(0x2545f4914f6cdd1d)) >> 11) * 0x1p-53;
}

/* ---------------------------------------------------------------- the AN: records out */

static void send_open(struct storm *s, unsigned int at)
{
	struct outgoing *o = &s->outgoing[at];

	if (o->writer.records > 0)
		link_send(s->link, at / LINK_PORTS, at % LINK_PORTS, o->data, o->writer.length);
	wire_writer_open(&o->writer, o->data, sizeof(o->data));
}

static void send_record(struct storm *s, unsigned int an, unsigned int port,
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

static void flush(struct storm *s)
{
	for (unsigned int i = 0; i < s->n_dirty; i++) {
		send_open(s, s->dirty[i]);
		s->outgoing[s->dirty[i]].dirty = false;
	}
	s->n_dirty = 0;
	link_flush(s->link);
}

static uint32_t an_ue_id_of(const struct storm *s, const struct attach *a)
{
	return ((uint32_t)(a->generation & 0x7ff) << SLOT_BITS) | (uint32_t)(a - s->slots);
}

static void send_nas_as(struct storm *s, const struct attach *a, uint32_t an_ue_id,
			uint64_t au_ue_id, const uint8_t *nas, size_t n)
{
	struct wire_record r = {.type = WIRE_UPLINK_NAS,
				.an_ue_id = an_ue_id,
				.au_ue_id = au_ue_id,
				.payload = span_make(nas, n)};

	send_record(s, a->an, a->port, &r);
}

static void send_ies(struct storm *s, const struct attach *a, const struct wire_message *m)
{
	uint8_t payload[256];
	size_t n = wire_encode(m, payload, sizeof(payload));
	struct wire_record r = {.type = m->type,
				.an_ue_id = an_ue_id_of(s, a),
				.au_ue_id = a->au_ue_id,
				.payload = span_make(payload, n)};

	send_record(s, a->an, a->port, &r);
}

/* ---------------------------------------------------------------- faults on the way out */

/* PK_UE off the curve, and signed as if it were right. */
static void spoil_pk_ue(struct storm *s, struct attach *a)
{
	struct device *d = &a->device;
	uint8_t signed_data[81], digest[32];

	d->pk_ue[64] ^= 1;
	memcpy(signed_data, d->rand_au, 16);
	memcpy(signed_data + 16, d->pk_ue, 65);
	crypto_hash_burst(
		s->world.crypto,
		&(struct crypto_hash){span_make(signed_data, sizeof(signed_data)), digest}, 1);
	crypto_sign_burst(s->world.crypto,
			  &(struct crypto_sign){.curve = d->curve,
						.private_key = d->private_key,
						.digest = digest,
						.signature = d->ue_signature2},
			  1);
}

/* Step 5 with the certificate of another device of the fleet, signed as if it were right. */
static size_t response_of_another(struct storm *s, struct attach *a, uint8_t *out, size_t size)
{
	struct span own = a->device.cert_euicc;
	struct fleet_device other;
	size_t n;

	for (uint64_t i = 0; i < 2; i++)
		if (fleet_device_get(s->config->fleet, i, &other) &&
		    !span_equal(other.cert_euicc, own))
			a->device.cert_euicc = other.cert_euicc;
	n = device_build_authentication_response(&s->world, &a->device, out, size);
	a->device.cert_euicc = own;
	return n;
}

/* Of the right form, under keys that are not there yet. */
static void send_early_smc_complete(struct storm *s, const struct attach *a)
{
	static const uint8_t complete[] = {WIRE_EPD_5GMM,
					   SEC_HDR_INTEGRITY_CIPHERED_NEW,
					   1,
					   2,
					   3,
					   4,
					   0,
					   WIRE_EPD_5GMM,
					   0,
					   WIRE_NAS_SECURITY_MODE_COMPLETE};

	send_nas_as(s, a, an_ue_id_of(s, a), a->au_ue_id, complete, sizeof(complete));
}

/* Rightly protected, under the next COUNT. */
static void send_early_attach_complete(struct storm *s, struct attach *a)
{
	static const uint8_t complete[] = {WIRE_EPD_5GMM, 0, WIRE_NAS_ATTACH_COMPLETE};
	uint8_t nas[sizeof(complete) + SEC_NAS_HEADER_SIZE];
	size_t n;

	if (sec_nas_protect(s->world.sec, &a->device.nas, SEC_UPLINK, a->device.uplink_count++,
			    SEC_HDR_INTEGRITY_CIPHERED, span_make(complete, sizeof(complete)), nas,
			    sizeof(nas), &n) == SEC_OK)
		send_nas_as(s, a, an_ue_id_of(s, a), a->au_ue_id, nas, n);
}

static void send_plain_detach(struct storm *s, const struct attach *a)
{
	static const uint8_t detach[] = {WIRE_EPD_5GMM, 0, WIRE_NAS_DETACH_REQUEST};

	send_nas_as(s, a, an_ue_id_of(s, a), a->au_ue_id, detach, sizeof(detach));
}

/* The device's send callback: every uplink NAS message passes here. */
static void on_uplink(void *arg, struct device *device, const uint8_t *nas, size_t n)
{
	struct storm *s = arg;
	struct attach *a = (struct attach *)device;
	uint8_t copy[WIRE_NAS_MAX];
	uint32_t id = an_ue_id_of(s, a);
	bool plain = n > 2 && nas[1] == 0;
	uint8_t type = plain ? nas[2] : 0;

	memcpy(copy, nas, n);
	if (a->fault == FAULT_NONE) {
		send_nas_as(s, a, id, a->au_ue_id, nas, n);
		return;
	}
	if (type == WIRE_NAS_AUTHENTICATION_RESPONSE) {
		if (a->fault == FAULT_HALF_OPEN)
			return;
		if (a->fault == FAULT_SMC_COMPLETE_EARLY)
			send_early_smc_complete(s, a);
		if (a->fault == FAULT_CERT_CHANGED)
			n = response_of_another(s, a, copy, sizeof(copy));
		if (a->fault == FAULT_PK_UE && a->device.cause == WIRE_CAUSE_NONE) {
			a->device.cause =
				WIRE_CAUSE_PK_UE; /* once: a repetition is the same octets */
			spoil_pk_ue(s, a);
			n = device_build_authentication_response(&s->world, &a->device, copy,
								 sizeof(copy));
		}
	}
	if (type == WIRE_NAS_ATTACH_REQUEST && a->fault == FAULT_OUT_OF_ORDER) {
		memset(a->device.rand_au, 1, sizeof(a->device.rand_au));
		memset(a->device.pk_ue, 4, sizeof(a->device.pk_ue));
		n = device_build_authentication_response(&s->world, &a->device, copy, sizeof(copy));
	}
	if (type == WIRE_NAS_ATTACH_REQUEST && a->fault == FAULT_RECORD_UNKNOWN)
		send_record(s, a->an, a->port,
			    &(struct wire_record){.type = 0x7e, .an_ue_id = id, .payload = {0}});
	if (a->fault == FAULT_NAS_MAC && nas[1] == SEC_HDR_INTEGRITY_CIPHERED_NEW) {
		copy[3] ^= 1;
		send_nas_as(s, a, id, a->au_ue_id, copy, n);
		copy[3] ^= 1;
	}
	if (a->fault == FAULT_NAS_REPLAYED && !plain)
		send_nas_as(s, a, id, a->au_ue_id, copy, n);
	if (a->fault == FAULT_NAS_UNPROTECTED && !plain)
		send_plain_detach(s, a);
	n = fault_spoil(a->fault, copy, n, sizeof(copy));
	send_nas_as(s, a, id, a->au_ue_id, copy, n);
	if (a->fault == FAULT_ATTACH_COMPLETE_EARLY && nas[1] == SEC_HDR_INTEGRITY_CIPHERED_NEW)
		send_early_attach_complete(s, a);
	if (a->fault == FAULT_REPLAYED_RESPONSE && type == WIRE_NAS_AUTHENTICATION_RESPONSE)
		send_nas_as(s, a, id | SHADOW, a->au_ue_id, copy, n);
}

/* The same request from another connection, once the first was answered. */
static void replay_request(struct storm *s, struct attach *a)
{
	uint8_t nas[WIRE_NAS_MAX];
	size_t n = device_build_attach_request(&s->world, &a->device, nas, sizeof(nas));

	send_nas_as(s, a, an_ue_id_of(s, a) | SHADOW, 0, nas, n);
}

/* ---------------------------------------------------------------- arrivals and ends */

static enum fault draw_fault(struct storm *s)
{
	double x = random_share(s);

	for (unsigned int f = FAULT_NONE + 1; f < FAULT_N; f++) {
		if (x < s->config->fault_share[f])
			return (enum fault)f;
		x -= s->config->fault_share[f];
	}
	return FAULT_NONE;
}

static uint64_t intended_time(const struct storm *s, uint64_t i)
{
	const struct storm_config *c = s->config;

	if (c->rate <= 0)
		return s->now;
	return s->start + (uint64_t)((double)(i - i % c->burst) / c->rate * 1e9);
}

static uint64_t after(const struct storm *s, double seconds)
{
	return s->now + (uint64_t)(seconds * 1e9);
}

/* When it does something by itself, and from when on its patience counts. */
static void set_timer(struct storm *s, struct attach *a, uint64_t timer, uint64_t from)
{
	a->timer = timer;
	a->deadline = from + (uint64_t)(s->config->patience_s * 1e9);
	s->wake[a - s->slots] = 0;
}

/* Until then it neither sends nor waits for anything. */
static void sleep_until(struct storm *s, struct attach *a, uint64_t timer)
{
	a->device.state = DEVICE_IDLE;
	set_timer(s, a, timer, timer);
}

static void finish(struct storm *s, struct attach *a, bool attached, enum wire_cause cause);

/* The AN holds it back, before it has sent anything (as RRC does, TS 38.331 5.3.15). Who
 * misbehaves does so in this too. */
static bool is_shed(struct storm *s, const struct attach *a)
{
	const struct access_node *an = &s->ans[a->an];

	return an->reduction > 0 && a->fault == FAULT_NONE && s->now < an->until &&
	       !s->config->deaf && random_share(s) * 100 < an->reduction;
}

static void begin(struct storm *s, struct attach *a)
{
	if (is_shed(s, a)) {
		s->result->shed_by_an++;
		if (!s->config->retry) {
			finish(s, a, false, WIRE_CAUSE_CONGESTION);
			return;
		}
		sleep_until(s, a, after(s, s->config->an_wait_s * (0.5 + random_share(s))));
		return;
	}
	a->seen = DEVICE_ATTACHING;
	a->tries = 1;
	a->generation++; /* a connection of its own: what was said in the last one is not for it */
	a->attempts++;
	s->result->attempts++;
	if (a->attempts > s->result->attempts_max)
		s->result->attempts_max = a->attempts;
	a->au_ue_id = 0;
	set_timer(s, a, after(s, s->config->t3510_s), s->now);
	device_start(&s->world, &a->device);
}

static bool arrive(struct storm *s)
{
	uint64_t i = s->next;
	struct fleet_device identity;
	struct attach *a = &s->slots[s->free_head];

	if (s->free_head == NONE || !fleet_device_get(s->config->fleet, i, &identity))
		return false;
	s->free_head = a->next_free;
	uint16_t generation = (uint16_t)(a->generation + 1);

	memset(a, 0, sizeof(*a));
	a->used = true;
	a->generation = generation;
	a->an = (uint16_t)(i % s->config->n_ans);
	a->port = (uint8_t)(i / s->config->n_ans % LINK_PORTS);
	a->fault = draw_fault(s);
	a->intended = intended_time(s, i);
	a->device.cert_euicc = identity.cert_euicc;
	a->device.eid = identity.eid;
	a->device.private_key = identity.private_key;
	a->device.curve = fleet_curve(s->config->fleet);
	s->next++;
	s->in_flight++;
	s->result->started++;
	if (a->fault != FAULT_NONE) {
		s->result->faults_sent++;
		s->result->fault_sent[a->fault]++;
	}
	s->result->held_back += s->config->rate > 0 && a->intended <= s->full;
	if (s->now - a->intended > s->result->lag_max_ns)
		s->result->lag_max_ns = s->now - a->intended;
	s->result->arrivals_s = (double)(s->now - s->start) / 1e9;
	s->result->attached_by_then = s->result->attached;
	begin(s, a);
	return true;
}

static void finish(struct storm *s, struct attach *a, bool attached, enum wire_cause cause)
{
	const struct fault_definition *f = &fault_definitions[a->fault];
	struct storm_result *r = s->result;
	bool expected = f->outcome == FAULT_ATTACHES   ? attached
			: f->outcome == FAULT_REJECTED ? !attached && cause == f->cause
						       : !attached && cause == WIRE_CAUSE_TIMEOUT;

	s->last_completion = s->now;
	if (a->fault != FAULT_NONE) {
		r->faults_as_expected += expected;
		r->fault_as_expected[a->fault] += expected;
	} else if (attached) {
		r->attached++;
		hist_add(&r->steps[STEP_ALL], s->now - a->intended);
	} else {
		r->failed++;
		r->failed_by_cause[cause]++;
	}
	wipe(&a->device, sizeof(a->device));
	a->used = false;
	a->next_free = s->free_head;
	s->free_head = (uint32_t)(a - s->slots);
	s->in_flight--;
}

/* The UE is gone: its AN says so, and the authenticator need not wait for it. A UE that misbehaves
 * leaves without a word. */
static void give_up(struct storm *s, struct attach *a, enum wire_cause cause)
{
	struct wire_message m;
	uint8_t value = (uint8_t)cause;
	bool again = s->config->retry && a->fault == FAULT_NONE && cause == WIRE_CAUSE_TIMEOUT &&
		     a->attempts < ATTEMPTS;

	if (a->fault == FAULT_NONE && a->au_ue_id != 0) {
		wire_message_init(&m, 0, WIRE_RELEASE_REQUEST);
		wire_set(&m, WIRE_IE_CAUSE, &value, 1);
		send_ies(s, a, &m);
	}
	if (again)
		sleep_until(s, a, after(s, s->config->t3511_s * (1 + random_share(s))));
	else
		finish(s, a, false, cause);
}

/* A refusal with a back-off is obeyed, with jitter so that those refused together do not come back
 * together. */
static bool come_back(struct storm *s, struct attach *a)
{
	if (a->device.back_off_s == 0 || a->device.back_off_s == UINT32_MAX)
		return false;
	s->result->refused_with_back_off++;
	if (!s->config->retry)
		return false;
	sleep_until(s, a, after(s, a->device.back_off_s * (1 + random_share(s))));
	return true;
}

/* ---------------------------------------------------------------- records in */

static void record_step(struct storm *s, struct attach *a, enum storm_step step)
{
	if (a->fault == FAULT_NONE)
		hist_add(&s->result->steps[step], s->now - a->intended);
}

/* After a message of the UE's, or its task: whether it has come a step further. */
static void look_at(struct storm *s, struct attach *a)
{
	enum device_state state = a->device.state;

	if (state == a->seen)
		return;
	a->seen = state;
	a->tries = 1; /* each timer has its own */
	set_timer(s, a, state == DEVICE_REGISTERED ? after(s, s->config->t3510_s) : UINT64_MAX,
		  s->now);
	switch (state) {
	case DEVICE_AUTHENTICATING:
		record_step(s, a, STEP_AUTHENTICATION);
		if (a->fault == FAULT_REPLAYED_REQUEST)
			replay_request(s, a);
		return;
	case DEVICE_SECURED:
		record_step(s, a, STEP_SECURITY_MODE);
		return;
	case DEVICE_REGISTERED:
		record_step(s, a, STEP_ACCEPT);
		return;
	case DEVICE_ATTACHED:
		finish(s, a, true, WIRE_CAUSE_NONE);
		return;
	case DEVICE_REJECTED:
		if (!come_back(s, a))
			finish(s, a, false, a->device.cause);
		return;
	case DEVICE_REFUSED_NETWORK:
		finish(s, a, false, a->device.cause);
		return;
	default:
		return;
	}
}

static void on_done(void *arg, struct device *device)
{
	look_at(arg, (struct attach *)device);
}

static void on_downlink_nas(struct storm *s, struct attach *a, const struct wire_record *r)
{
	if (r->au_ue_id != 0)
		a->au_ue_id = r->au_ue_id;
	device_handle(&s->world, &a->device, r->payload);
	/* A task may have been done on the way, and with it the UE. */
	if (a->used && !a->device.waiting)
		look_at(s, a);
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
	send_ies(s, a, &m);
}

static void on_session_setup(struct storm *s, struct attach *a, const struct wire_record *r)
{
	struct wire_message m, answer;

	if (wire_record_decode(&m, r->type, r->payload) != WIRE_CAUSE_NONE)
		return;
	wire_message_init(&answer, 0, WIRE_SESSION_SETUP_RESPONSE);
	wire_set(&answer, WIRE_IE_PDU_SESSION_ID, m.ie[WIRE_IE_PDU_SESSION_ID].p, 1);
	send_ies(s, a, &answer);
}

/* A UE that is done here may be asked again: its AN answers for it, as it would. */
static void answer_for_the_gone(struct storm *s, unsigned int an, unsigned int port,
				const struct wire_record *r)
{
	struct wire_record answer = {.an_ue_id = r->an_ue_id, .au_ue_id = r->au_ue_id};
	struct wire_message m, response;
	uint8_t payload[16];

	if (r->type == WIRE_RELEASE_COMMAND) {
		answer.type = WIRE_RELEASE_COMPLETE;
	} else if (r->type == WIRE_SESSION_SETUP_REQUEST &&
		   wire_record_decode(&m, r->type, r->payload) == WIRE_CAUSE_NONE) {
		wire_message_init(&response, 0, WIRE_SESSION_SETUP_RESPONSE);
		wire_set(&response, WIRE_IE_PDU_SESSION_ID, m.ie[WIRE_IE_PDU_SESSION_ID].p, 1);
		answer.type = WIRE_SESSION_SETUP_RESPONSE;
		answer.payload =
			span_make(payload, wire_encode(&response, payload, sizeof(payload)));
	} else {
		return;
	}
	send_record(s, an, port, &answer);
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
	struct attach *a = slot < s->n_slots ? &s->slots[slot] : NULL;

	if (!a || !a->used || an_ue_id_of(s, a) != r->an_ue_id) {
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
		return;
	default:
		return;
	}
}

static void on_datagram(void *arg, unsigned int an, unsigned int port, const uint8_t *data,
			size_t n)
{
	struct storm *s = arg;
	struct wire_reader reader;
	struct wire_record r;

	if (wire_reader_open(&reader, span_make(data, n)) != WIRE_CAUSE_NONE)
		return;
	s->now = clock_ns();
	while (wire_reader_next(&reader, &r))
		on_record(s, an, port, &r);
}

/* ---------------------------------------------------------------- timers */

static void on_timer(struct storm *s, struct attach *a)
{
	if (a->device.state == DEVICE_IDLE) { /* its back-off is over */
		begin(s, a);
		return;
	}
	if (a->tries >= s->config->tries) {
		a->timer = UINT64_MAX;
		return;
	}
	a->tries++;
	s->result->retransmissions++;
	device_timer(&s->world, &a->device);
	a->timer = after(s, s->config->t3510_s);
}

static void scan_timers(struct storm *s)
{
	if (s->now < s->next_scan)
		return;
	s->next_scan = s->now + SCAN_NS;
	for (unsigned int i = 0; i < (s->n_slots + SCAN_PARTS - 1) / SCAN_PARTS; i++) {
		uint32_t slot = s->scan;
		struct attach *a = &s->slots[slot];

		s->scan = (s->scan + 1) % s->n_slots;
		if (s->now < s->wake[slot])
			continue;
		if (a->used && s->now >= a->deadline)
			give_up(s, a, WIRE_CAUSE_TIMEOUT);
		else if (a->used && s->now >= a->timer)
			on_timer(s, a);
		s->wake[slot] = !a->used		 ? UINT64_MAX
				: a->timer < a->deadline ? a->timer
							 : a->deadline;
	}
}

/* ---------------------------------------------------------------- the run */

/* AN SETUP, repeated until every AN has its answer. */
static bool set_up_ans(struct storm *s, volatile int *stop)
{
	for (unsigned int try = 0; try < SETUP_TRIES && !*stop; try++) {
		for (unsigned int an = 0; an < s->config->n_ans; an++) {
			char name[32];
			uint8_t payload[64];
			struct wire_message m;

			if (s->ans[an].ready)
				continue;
			int n = snprintf(name, sizeof(name), "storm-%u", an + 1);

			wire_message_init(&m, 0, WIRE_AN_SETUP_REQUEST);
			wire_set(&m, WIRE_IE_AN_NAME, name, (size_t)n);
			send_record(s, an, 0,
				    &(struct wire_record){
					    .type = WIRE_AN_SETUP_REQUEST,
					    .payload = span_make(
						    payload,
						    wire_encode(&m, payload, sizeof(payload)))});
		}
		flush(s);
		uint64_t until = clock_ns() + SETUP_MS * MS;

		while (clock_ns() < until && s->ans_ready < s->config->n_ans && !*stop)
			link_poll(s->link, clock_ns(), on_datagram, s);
		if (s->ans_ready == s->config->n_ans)
			return true;
	}
	return false;
}

static bool due(const struct storm *s)
{
	const struct storm_config *c = s->config;

	return s->next < c->ues && intended_time(s, s->next) <= s->now &&
	       (c->duration_s <= 0 || s->now < s->start + (uint64_t)(c->duration_s * 1e9));
}

static bool over(const struct storm *s)
{
	const struct storm_config *c = s->config;
	bool no_more = s->next >= c->ues ||
		       (c->duration_s > 0 && s->now >= s->start + (uint64_t)(c->duration_s * 1e9));

	return no_more && s->in_flight == 0;
}

static void show_progress(const struct storm *s)
{
	fprintf(stderr,
		"cpau-storm: %5.1f s: %llu started, %llu attached, %llu failed, %u in flight\n",
		(double)(s->now - s->start) / 1e9, (unsigned long long)s->result->started,
		(unsigned long long)s->result->attached, (unsigned long long)s->result->failed,
		s->in_flight);
}

static void loop(struct storm *s, volatile int *stop)
{
	uint64_t busy = 0, idle = 0, last, next_progress;

	s->now = s->start = last = s->last_completion = clock_ns();
	next_progress = s->start + 2 * SECOND;
	while (!*stop && !over(s)) {
		unsigned int done = 0, n;

		/* What has come first: under a flood of arrivals the link would drop it. */
		for (unsigned int i = 0; i < POLLS; i++, done += n)
			if ((n = link_poll(s->link, s->now, on_datagram, s)) == 0)
				break;
		s->now = clock_ns();
		for (unsigned int i = 0; i < DEVICE_BATCH && due(s); i++, done++)
			if (s->in_flight >= s->config->max_in_flight || !arrive(s)) {
				s->full = s->now;
				break;
			}
		device_flush(&s->world);
		scan_timers(s);
		device_flush(&s->world);
		flush(s);
		uint64_t now = clock_ns();

		*(done ? &busy : &idle) += now - last;
		last = s->now = now;
		if (s->config->progress && now >= next_progress) {
			show_progress(s);
			next_progress += 2 * SECOND;
		}
	}
	for (uint32_t i = 0; i < s->n_slots && s->in_flight > 0; i++) /* stopped before its end */
		if (s->slots[i].used)
			give_up(s, &s->slots[i], WIRE_CAUSE_RELEASED);
	s->result->busy = (double)busy / (double)(busy + idle + 1);
	s->result->seconds = (double)(s->last_completion - s->start) / 1e9;
}

/* Answers that were still on the way: the authenticator is not left with contexts to time out. */
static void linger(struct storm *s)
{
	uint64_t until = clock_ns() + 100 * MS;

	while (clock_ns() < until) {
		link_poll(s->link, clock_ns(), on_datagram, s);
		flush(s);
	}
}

static bool prepare(struct storm *s, const char **why)
{
	const struct storm_config *c = s->config;
	struct device_world *w = &s->world;

	w->now = time(NULL);
	w->cert_eum = fleet_cert_eum(c->fleet);
	w->cert_subca = fleet_cert_subca(c->fleet);
	w->memo_off = c->memo_off;
	w->send = on_uplink;
	w->done = on_done;
	w->batch = DEVICE_BATCH;
	w->arg = s;
	memcpy(w->capability, c->capability, sizeof(w->capability));
	*why = "the fleet's CI certificate is not usable: has it expired?";
	if (!device_world_init(w, fleet_cert_ci(c->fleet)))
		return false;
	w->crypto = crypto_create(c->backend, -1, why);
	w->sec = w->crypto ? sec_create(why) : NULL;
	if (!w->sec)
		return false;
	*why = "out of memory";
	s->an_key = sec_an_key_create(w->sec, c->an_key);
	s->n_slots = c->max_in_flight;
	s->slots = calloc(s->n_slots, sizeof(*s->slots));
	s->outgoing = calloc(c->n_ans * LINK_PORTS, sizeof(*s->outgoing));
	s->dirty = calloc(c->n_ans * LINK_PORTS, sizeof(*s->dirty));
	s->ans = calloc(c->n_ans, sizeof(*s->ans));
	s->wake = calloc(s->n_slots, sizeof(*s->wake));
	if (!s->an_key || !s->slots || !s->outgoing || !s->dirty || !s->ans || !s->wake)
		return false;
	for (uint32_t i = 0; i < s->n_slots; i++)
		s->slots[i].next_free = i + 1 < s->n_slots ? i + 1 : NONE;
	for (unsigned int i = 0; i < c->n_ans * LINK_PORTS; i++)
		wire_writer_open(&s->outgoing[i].writer, s->outgoing[i].data,
				 sizeof(s->outgoing[i].data));
	s->random = c->seed * 2 + 1;
	s->result->backend = crypto_backend_name(w->crypto);
	return true;
}

bool storm_run(const struct storm_config *config, struct link *link, volatile int *stop,
	       struct storm_result *result, const char **why)
{
	struct storm s = {.config = config, .result = result, .link = link};
	bool ok = prepare(&s, why);

	if (ok) {
		ok = set_up_ans(&s, stop);
		*why = "AN SETUP is not answered: is this access node configured at the "
		       "authenticator?";
	}
	if (ok) {
		loop(&s, stop);
		linger(&s);
	}
	device_world_fini(&s.world);
	sec_an_key_destroy(s.an_key);
	sec_destroy(s.world.sec);
	crypto_destroy(s.world.crypto);
	free(s.slots);
	free(s.outgoing);
	free(s.dirty);
	free(s.ans);
	free(s.wake);
	return ok;
}
