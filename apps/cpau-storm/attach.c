/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A UE of the storm: its arrival, its attempts, its timers, its end.
 */
#include "internal.h"

enum {
	SCAN_NS = 1000000, /* between looks at timers */
	SCAN_PARTS = 64,   /* of the slots, one a look */
	ATTEMPTS = 5,	   /* that end in silence, before a UE gives up (TS 24.501 5.5.1.2.7) */
};

static enum fault draw_fault(struct storm *s)
{
	if (!s->any_fault)
		return FAULT_NONE;
	double x = random_share(s);

	for (unsigned int f = FAULT_NONE + 1; f < FAULT_N; f++) {
		if (x < s->config->fault_share[f])
			return (enum fault)f;
		x -= s->config->fault_share[f];
	}
	return FAULT_NONE;
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

static struct storm_phase_result *phase_of(struct storm *s, const struct attach *a)
{
	return &s->result->phases[a->phase];
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
		phase_of(s, a)->shed_by_an++;
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
	a->begun = s->now;
	set_timer(s, a, after(s, s->config->t3510_s), s->now);
	/* Prepared is the first attempt of the fleet's own devices. */
	if (s->ready && a->attempts == 1 && a->attaches == 0 && a->fault != FAULT_STRANGER)
		device_start_ready(&s->world, &a->device, ready_get(s->ready, a->number));
	else
		device_start(&s->world, &a->device);
}

/* A slot whose device is all zeros. NULL: none is free. */
static struct attach *take_slot(struct storm *s)
{
	struct attach *a;

	if (s->free_head != NONE) {
		a = &s->slots[s->free_head];
		s->free_head = a->next_free;
	} else if (s->n_touched < s->n_slots) {
		a = &s->slots[s->n_touched++];
	} else {
		a = NULL;
	}
	return a;
}

static void count_arrival(struct storm *s, const struct attach *a)
{
	struct storm_result *r = s->result;
	struct storm_phase_result *p = phase_of(s, a);
	bool held_back = !s->schedule.closed && a->intended <= s->full;
	uint64_t lag = s->now - a->intended;

	r->started++;
	if (a->fault != FAULT_NONE) {
		r->faults_sent++;
		r->fault_sent[a->fault]++;
	} else {
		p->started++;
	}
	r->held_back += held_back;
	p->held_back += held_back;
	if (lag > r->lag_max_ns)
		r->lag_max_ns = lag;
	if (lag > p->lag_max_ns)
		p->lag_max_ns = lag;
	r->arrivals_s = (double)(s->now - s->start) / 1e9;
	r->attached_by_then = r->attached;
}

bool attach_arrive(struct storm *s)
{
	uint64_t i = s->next;
	struct fleet_device identity;

	if (s->in_flight >= s->config->max_in_flight ||
	    !fleet_device_get(s->config->fleet, i, &identity))
		return false;
	struct attach *a = take_slot(s);

	if (!a)
		return false;
	a->used = true;
	a->an = (uint16_t)(i % s->config->n_ans);
	a->port = (uint8_t)(i / s->config->n_ans % LINK_PORTS);
	a->fault = draw_fault(s);
	a->number = i;
	a->seen = DEVICE_IDLE;
	a->attempts = a->attaches = 0;
	a->au_ue_id = 0;
	a->held = false;
	a->gate.family = 0;
	a->intended = s->start + schedule_time(&s->schedule, i, s->now - s->start);
	a->phase = (uint8_t)s->schedule.arriving;
	if (a->fault == FAULT_STRANGER)
		fleet_device_get(s->config->hostile_fleet,
				 i % fleet_count(s->config->hostile_fleet), &identity);
	a->device.cert_euicc = identity.cert_euicc;
	a->device.eid = identity.eid;
	a->device.private_key = identity.private_key;
	a->device.curve = fleet_curve(s->config->fleet);
	s->next++;
	s->in_flight++;
	count_arrival(s, a);
	begin(s, a);
	return true;
}

static void count_end(struct storm *s, const struct attach *a, bool attached, enum wire_cause cause)
{
	struct storm_result *r = s->result;
	struct storm_phase_result *p = phase_of(s, a);

	if (!attached) {
		r->failed++;
		r->failed_by_cause[cause]++;
		p->failed++;
		p->timed_out += cause == WIRE_CAUSE_TIMEOUT;
		return;
	}
	r->attached++;
	p->attached++;
}

/* Steps 1 to 8 of a well-behaved UE, once. */
static void count_attach(struct storm *s, const struct attach *a)
{
	struct storm_result *r = s->result;
	struct storm_phase_result *p = phase_of(s, a);

	r->attaches++;
	schedule_advance(&s->schedule, s->now - s->start);
	if (s->schedule.running < s->schedule.n)
		r->phases[s->schedule.running].completed++;
	hist_add(&r->steps[STEP_ALL], s->now - a->intended);
	hist_add(&p->latency, s->now - a->intended);
	hist_add(&p->accepted, s->now - a->begun);
	if (r->timeline)
		timeline_attached(r->timeline, s->now - a->intended);
}

static void free_slot(struct storm *s, struct attach *a)
{
	wipe(&a->device, sizeof(a->device));
	a->used = false;
	a->next_free = s->free_head;
	s->free_head = (uint32_t)(a - s->slots);
}

/* It stays in its session, and nothing of it is due. */
static void hold(struct storm *s, struct attach *a)
{
	a->held = true;
	set_timer(s, a, UINT64_MAX, s->now);
	a->deadline = UINT64_MAX;
	s->held++;
	s->result->held++;
}

void attach_end_held(struct storm *s, struct attach *a)
{
	if (a->device.detached_by_network) {
		s->result->ended++;
		s->result->ended_by_cause[a->device.cause]++;
	}
	s->held--;
	free_slot(s, a);
}

static void finish(struct storm *s, struct attach *a, bool attached, enum wire_cause cause)
{
	const struct fault_definition *f = &fault_definitions[a->fault];
	struct storm_result *r = s->result;
	bool expected = f->outcome == FAULT_ATTACHES  ? attached
			: f->outcome == FAULT_SILENCE ? !attached && cause == WIRE_CAUSE_TIMEOUT
						      : !attached && cause == f->cause;

	s->last_completion = s->now;
	if (a->fault != FAULT_NONE) {
		r->faults_as_expected += expected;
		r->fault_as_expected[a->fault] += expected;
	} else {
		count_end(s, a, attached, cause);
	}
	s->in_flight--;
	if (attached && a->fault == FAULT_NONE && storm_holds(s->config))
		hold(s, a);
	else
		free_slot(s, a);
}

/* The UE is gone: its AN says so, and the authenticator need not wait for it. A UE that misbehaves
 * leaves without a word. */
void attach_give_up(struct storm *s, struct attach *a, enum wire_cause cause)
{
	struct wire_message m;
	uint8_t value = (uint8_t)cause;
	bool again = s->config->retry && a->fault == FAULT_NONE && a->attempts < ATTEMPTS &&
		     (cause == WIRE_CAUSE_TIMEOUT || cause == WIRE_CAUSE_AN_NOT_SET_UP);

	if (a->fault == FAULT_NONE && a->au_ue_id != 0) {
		wire_message_init(&m, 0, WIRE_RELEASE_REQUEST);
		wire_set(&m, WIRE_IE_CAUSE, &value, 1);
		node_send_ies(s, a, &m);
	}
	if (again)
		sleep_until(s, a, after(s, s->config->t3511_s * (1 + random_share(s))));
	else
		finish(s, a, false, cause);
}

/* Who is attached and stays has lost its session; who is under way fails, or begins again as after
 * silence; who waits to begin notices nothing. */
void attach_lose(struct storm *s, struct attach *a)
{
	const enum wire_cause cause = WIRE_CAUSE_AN_NOT_SET_UP;

	if (a->held) {
		s->result->ended++;
		s->result->ended_by_cause[cause]++;
		s->held--;
		free_slot(s, a);
	} else if (a->device.state == DEVICE_DETACHING) {
		attach_on_detached(s, a);
	} else if (a->device.state != DEVICE_IDLE) {
		a->au_ue_id = 0; /* nobody is to be told */
		attach_give_up(s, a, cause);
	}
}

/* A refusal with a back-off is obeyed, with jitter so that those refused together do not come back
 * together. */
static bool come_back(struct storm *s, struct attach *a)
{
	if (a->device.back_off_s == 0 || a->device.back_off_s == UINT32_MAX)
		return false;
	if (a->fault == FAULT_NONE) {
		s->result->refused_with_back_off++;
		phase_of(s, a)->refused++;
	}
	if (!s->config->retry)
		return false;
	sleep_until(s, a, after(s, a->device.back_off_s * (1 + random_share(s))));
	return true;
}

static void record_step(struct storm *s, struct attach *a, enum storm_step step)
{
	if (a->fault == FAULT_NONE)
		hist_add(&s->result->steps[step], s->now - a->intended);
}

/* After a message of the UE's, or its task: whether it has come a step further. */
static void on_attached(struct storm *s, struct attach *a)
{
	if (a->fault == FAULT_NONE) {
		count_attach(s, a);
		if (++a->attaches < s->config->cycles) {
			device_detach(&s->world, &a->device);
			a->seen = DEVICE_DETACHING;
			set_timer(s, a, after(s, s->config->t3510_s), s->now);
			return;
		}
	}
	finish(s, a, true, WIRE_CAUSE_NONE);
}

void attach_on_detached(struct storm *s, struct attach *a)
{
	s->result->detaches++;
	a->attempts = 0;
	a->intended = s->now;
	begin(s, a);
}

void attach_look_at(struct storm *s, struct attach *a)
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
			misbehave_replay_request(s, a);
		return;
	case DEVICE_SECURED:
		record_step(s, a, STEP_SECURITY_MODE);
		return;
	case DEVICE_REGISTERED:
		record_step(s, a, STEP_ACCEPT);
		return;
	case DEVICE_ATTACHED:
		on_attached(s, a);
		return;
	case DEVICE_DETACHED:
		if (a->held)
			attach_end_held(s, a);
		else
			attach_on_detached(s, a);
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

/* ---------------------------------------------------------------- timers */

static void on_timer(struct storm *s, struct attach *a)
{
	if (a->device.state == DEVICE_IDLE) { /* its back-off is over */
		begin(s, a);
		return;
	}
	if (a->tries >= s->config->tries) {
		a->timer = UINT64_MAX;
		if (a->device.state == DEVICE_DETACHING) /* TS 24.501 5.5.2.2.6 c */
			attach_on_detached(s, a);
		return;
	}
	a->tries++;
	s->result->retransmissions++;
	device_timer(&s->world, &a->device);
	a->timer = after(s, s->config->t3510_s);
}

void attach_scan_timers(struct storm *s)
{
	if (s->now < s->next_scan)
		return;
	s->next_scan = s->now + SCAN_NS;
	for (unsigned int i = 0; i < (s->n_touched + SCAN_PARTS - 1) / SCAN_PARTS; i++) {
		uint32_t slot = s->scan;
		struct attach *a = &s->slots[slot];

		s->scan = (s->scan + 1) % s->n_touched;
		if (s->now < s->wake[slot])
			continue;
		if (a->used && s->now >= a->deadline)
			attach_give_up(s, a, WIRE_CAUSE_TIMEOUT);
		else if (a->used && s->now >= a->timer)
			on_timer(s, a);
		s->wake[slot] = !a->used		 ? UINT64_MAX
				: a->timer < a->deadline ? a->timer
							 : a->deadline;
	}
}
