/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The storm: its loop, and what it needs for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "user.h"

enum {
	POLLS = 16, /* of the link a turn */
	/* A turn's work is bounded, so that a flood of messages does not keep arrivals waiting, nor
	 * the other way round: step 5 of so many UEs, and so many arrivals. */
	TASKS_TURN = 2 * DEVICE_BATCH,
	ARRIVALS_TURN = 1024,
	FEW = 32, /* datagrams of a poll: no more are waiting */
	WARM_SLOTS = 1 << 17,
};

static void on_done(void *arg, struct device *device)
{
	struct storm *s = arg;

	s->tasks++;
	attach_look_at(s, (struct attach *)device);
}

/* The device's send callback: every uplink NAS message passes here. */
static void on_uplink(void *arg, struct device *device, const uint8_t *nas, size_t n)
{
	struct storm *s = arg;
	struct attach *a = (struct attach *)device;

	if (a->fault == FAULT_NONE)
		node_send_nas(s, a, node_an_ue_id(s, a), a->au_ue_id, nas, n);
	else
		misbehave_send(s, a, nas, n);
}

static bool due(struct storm *s)
{
	uint64_t now = s->now - s->start;

	return s->next < s->schedule.total && !schedule_is_over(&s->schedule, s->next, now) &&
	       schedule_time(&s->schedule, s->next, now) <= now;
}

static bool over(const struct storm *s)
{
	return s->in_flight == 0 && schedule_is_over(&s->schedule, s->next, s->now - s->start);
}

static void show_progress(const struct storm *s)
{
	fprintf(stderr,
		"cpau-storm: %5.1f s: %llu started, %llu attached, %llu failed, %u in flight\n",
		(double)(s->now - s->start) / 1e9, (unsigned long long)s->result->started,
		(unsigned long long)s->result->attached, (unsigned long long)s->result->failed,
		s->in_flight);
}

static struct timeline_totals totals(const struct storm *s)
{
	const struct storm_result *r = s->result;

	return (struct timeline_totals){.started = r->started - r->faults_sent,
					.attached = r->attaches,
					.refused = r->refused_with_back_off,
					.shed_by_an = r->shed_by_an,
					.failed = r->failed,
					.packets = r->load.received};
}

/* What has come. True: something had. */
static bool receive(struct storm *s)
{
	unsigned int n = FEW, done = 0;

	s->tasks = 0;
	for (unsigned int i = 0; i < POLLS && n > 0 && s->tasks < TASKS_TURN; i++, done += n)
		n = link_poll(s->link, s->now, node_on_datagram, s);
	s->now = clock_ns();
	if (n < FEW)
		s->caught_up = s->now;
	return done > 0;
}

/* Those who are due. True: some were. */
static bool let_arrive(struct storm *s)
{
	unsigned int n = 0;

	while (n < ARRIVALS_TURN && due(s)) {
		if (!attach_arrive(s)) {
			s->full = s->now;
			break;
		}
		n++;
	}
	return n > 0;
}

/* The generator's own part in what is measured. */
static void count_turn(struct storm *s, bool busy, uint64_t ns)
{
	struct storm_result *r = s->result;
	uint64_t behind = s->now - s->caught_up;

	*(busy ? &r->busy_ns : &r->idle_ns) += ns;
	if (behind > r->behind_max_ns)
		r->behind_max_ns = behind;
	schedule_advance(&s->schedule, s->now - s->start);
	if (s->schedule.running == s->schedule.n)
		return;
	struct storm_phase_result *p = &r->phases[s->schedule.running];
	uint64_t in_phase = s->now - s->start - s->schedule.phases[s->schedule.running].begins;

	if (behind > in_phase) /* what it was late with before is said of that phase */
		behind = in_phase;
	*(busy ? &p->busy_ns : &p->idle_ns) += ns;
	if (behind > p->behind_max_ns)
		p->behind_max_ns = behind;
}

static void advance_timeline(struct storm *s)
{
	struct timeline *timeline = s->result->timeline;

	if (timeline && s->now >= timeline->ends) {
		struct timeline_totals t = totals(s);

		timeline_advance(timeline, s->now, &t, s->in_flight);
	}
}

static void finish_timeline(struct storm *s)
{
	if (s->result->timeline) {
		struct timeline_totals t = totals(s);

		timeline_finish(s->result->timeline, &t, s->in_flight);
	}
}

/* To the end, or until it was stopped. False: *why is a sentence. */
static bool loop(struct storm *s, volatile int *stop, const char **why)
{
	bool ok = true;
	uint64_t last, next_progress;

	s->now = s->start = s->caught_up = last = s->last_completion = clock_ns();
	next_progress = s->start + 2 * SECOND;
	if (s->result->timeline)
		timeline_start(s->result->timeline, s->start);
	while (ok && !*stop && !over(s)) {
		s->turn = last;
		/* What has come first: under a flood of arrivals the link would drop it. */
		bool busy = receive(s);

		busy |= let_arrive(s);
		junk_send_due(s);
		if (s->config->load_beside > 0)
			ok = user_load_beside(s, why);
		device_flush(&s->world);
		attach_scan_timers(s);
		device_flush(&s->world);
		node_repeat_setups(s);
		node_flush(s);
		s->now = clock_ns();
		count_turn(s, busy, s->now - last);
		last = s->now;
		advance_timeline(s);
		if (s->config->progress && s->now >= next_progress) {
			show_progress(s);
			next_progress += 2 * SECOND;
		}
	}
	for (uint32_t i = 0; i < s->n_touched && s->in_flight > 0; i++) /* stopped before its end */
		if (s->slots[i].used)
			attach_give_up(s, &s->slots[i], WIRE_CAUSE_RELEASED);
	finish_timeline(s);
	s->result->seconds = (double)(s->last_completion - s->start) / 1e9;
	return ok;
}

/* Nobody answers: each request is sent at its time, and the UE forgotten. */
static void on_written(void *arg, struct device *device, const uint8_t *nas, size_t n)
{
	struct storm *s = arg;

	link_set_time(s->link, ((struct attach *)device)->intended);
	on_uplink(arg, device, nas, n);
}

/* Step 1 of all UEs, by a clock that is the schedule's. */
static void write_requests(struct storm *s, volatile int *stop)
{
	uint64_t begins = (uint64_t)time(NULL) * SECOND;

	s->world.send = on_written;
	link_set_time(s->link, begins);
	node_send_setups(s);
	s->start = begins + SECOND; /* by then every AN has its answer */
	while (s->next < s->schedule.total && !*stop) {
		s->now = s->start + schedule_time(&s->schedule, s->next, 0);
		if (!attach_arrive(s))
			break;
	}
	device_flush(&s->world);
	node_flush(s);
	s->result->written = link_sent(s->link);
}

/* Answers that were still on the way: the authenticator is not left with contexts to time out. */
static void linger(struct storm *s)
{
	uint64_t until = clock_ns() + 100 * MS;

	while (clock_ns() < until) {
		link_poll(s->link, clock_ns(), node_on_datagram, s);
		node_flush(s);
	}
}

/* Slots have their pages before they have UEs, whose latency the pages would be. */
static void warm(volatile struct attach *slots, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		slots[i].used = false;
}

static bool prepare(struct storm *s, const char **why)
{
	const struct storm_config *c = s->config;
	struct device_world *w = &s->world;

	w->now = time(NULL);
	w->cert_eum = fleet_cert_eum(c->fleet);
	w->cert_subca = fleet_cert_subca(c->fleet);
	w->memo_off = c->memo_off;
	w->session_type = c->session_type;
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
	if (storm_holds(c) && s->n_slots < c->ues)
		s->n_slots = (uint32_t)(c->ues < SLOTS_MAX ? c->ues : SLOTS_MAX);
	s->free_head = NONE;
	s->slots = calloc(s->n_slots, sizeof(*s->slots));
	s->outgoing = calloc(c->n_ans * LINK_PORTS, sizeof(*s->outgoing));
	s->dirty = calloc(c->n_ans * LINK_PORTS, sizeof(*s->dirty));
	s->ans = calloc(c->n_ans, sizeof(*s->ans));
	s->wake = calloc(s->n_slots, sizeof(*s->wake));
	if (!s->an_key || !s->slots || !s->outgoing || !s->dirty || !s->ans || !s->wake)
		return false;
	warm(s->slots, s->n_slots < WARM_SLOTS ? s->n_slots : WARM_SLOTS);
	for (unsigned int f = FAULT_NONE + 1; f < FAULT_N; f++)
		s->any_fault |= c->fault_share[f] > 0;
	schedule_init(&s->schedule, c);
	for (unsigned int i = 0; i < c->n_ans * LINK_PORTS; i++)
		wire_writer_open(&s->outgoing[i].writer, s->outgoing[i].data,
				 sizeof(s->outgoing[i].data));
	s->random = c->seed * 2 + 1;
	s->result->backend = crypto_backend_name(w->crypto);
	return true;
}

bool storm_run(const struct storm_config *config, struct link *link, struct link *n3,
	       struct link *n6, volatile int *stop, struct storm_result *result, const char **why)
{
	struct storm s = {.config = config, .result = result, .link = link, .n3 = n3, .n6 = n6};
	bool ok = prepare(&s, why);

	if (ok && config->prepare) {
		s.ready = ready_make(&s.world, config->fleet, s.schedule.total, stop,
				     &result->prepare_s);
		*why = "requests could not be made beforehand: out of memory, or stopped";
		ok = s.ready != NULL;
	}
	if (ok && config->write_only) {
		write_requests(&s, stop);
	} else if (ok) {
		ok = node_set_up(&s, stop);
		*why = "AN SETUP is not answered: is this access node configured at the "
		       "authenticator?";
	}
	if (ok && !config->write_only) {
		ok = loop(&s, stop, why) && (!storm_holds(config) || user_run(&s, stop, why));
		linger(&s);
	}
	device_world_fini(&s.world);
	sec_an_key_destroy(s.an_key);
	sec_destroy(s.world.sec);
	crypto_destroy(s.world.crypto);
	ready_free(s.ready);
	free(s.slots);
	free(s.outgoing);
	free(s.dirty);
	free(s.ans);
	free(s.wake);
	return ok;
}
