/* SPDX-License-Identifier: BSD-3-Clause */
#include <jansson.h>
#include <stdio.h>

#include "storm.h"

enum { BUSY_PERCENT = 95, LAG_MS = 50 };

static const char *const step_names[STEP_N] = {
	[STEP_AUTHENTICATION] = "authentication",
	[STEP_SECURITY_MODE] = "security_mode",
	[STEP_ACCEPT] = "accept",
	[STEP_ALL] = "session",
};

static const struct {
	const char *name;
	double share;
} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99_9", 0.999}};

static double busy_share(uint64_t busy_ns, uint64_t idle_ns)
{
	return (double)busy_ns / (double)(busy_ns + idle_ns + 1);
}

/* With a schedule, a generator that lags, or leaves messages waiting, made its own latency, unless
 * it was told to hold arrivals back; without one, a busy core is the limit. */
static bool is_late(uint64_t lag_ns, uint64_t behind_ns, uint64_t held_back)
{
	return behind_ns > LAG_MS * UINT64_C(1000000) ||
	       (held_back == 0 && lag_ns > LAG_MS * UINT64_C(1000000));
}

static bool generator_limits(const struct storm_config *c, const struct storm_result *r)
{
	if (c->rate <= 0 && c->n_phases == 0)
		return busy_share(r->busy_ns, r->idle_ns) * 100 > BUSY_PERCENT;
	return is_late(r->lag_max_ns, r->behind_max_ns, r->held_back);
}

static double per_second(const struct storm_result *r)
{
	return r->seconds > 0 ? (double)r->attaches / r->seconds : 0;
}

static json_t *latency(const struct hist *h)
{
	json_t *j = json_object();

	for (unsigned int i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		json_object_set_new(j, quantiles[i].name,
				    json_real((double)hist_quantile(h, quantiles[i].share) / 1000));
	json_object_set_new(j, "max", json_real((double)h->max / 1000));
	return j;
}

static void set_count(json_t *j, const char *name, uint64_t value)
{
	json_object_set_new(j, name, json_integer((json_int_t)value));
}

static void set_us(json_t *j, const char *name, const struct hist *h, double share)
{
	json_object_set_new(j, name, json_real((double)hist_quantile(h, share) / 1000));
}

static json_t *phase_json(const struct storm_config *c, unsigned int i,
			  const struct storm_phase_result *r)
{
	const struct storm_phase *p = &c->phases[i];
	json_t *j = json_object();
	char number[16];

	snprintf(number, sizeof(number), "%u", i + 1);
	json_object_set_new(j, "name", json_string(p->name ? p->name : number));
	json_object_set_new(j, "rate", json_real(p->rate));
	json_object_set_new(j, "seconds", json_real(p->seconds));
	set_count(j, "started", r->started);
	set_count(j, "attached", r->attached);
	json_object_set_new(j, "goodput", json_real((double)r->completed / p->seconds));
	set_count(j, "refused", r->refused);
	set_count(j, "shed_by_an", r->shed_by_an);
	set_count(j, "timed_out", r->timed_out);
	set_count(j, "failed", r->failed);
	set_us(j, "p50_us", &r->latency, 0.5);
	set_us(j, "p90_us", &r->latency, 0.9);
	set_us(j, "p99_us", &r->latency, 0.99);
	set_us(j, "p99_9_us", &r->latency, 0.999);
	set_us(j, "max_us", &r->latency, 1);
	if (c->retry)
		set_us(j, "p99_accepted_us", &r->accepted, 0.99);
	json_object_set_new(j, "generator_busy", json_real(busy_share(r->busy_ns, r->idle_ns)));
	json_object_set_new(j, "generator_was_bottleneck",
			    json_boolean(is_late(r->lag_max_ns, r->behind_max_ns, r->held_back)));
	return j;
}

static json_t *timeline_json(const struct timeline *t)
{
	static const char *const names[] = {"started",	  "attached", "refused",
					    "shed_by_an", "failed",   "packets",
					    "in_flight",  "p50_us",   "p99_us"};
	json_t *j = json_object(), *columns[sizeof(names) / sizeof(names[0])];

	json_object_set_new(j, "interval_s", json_real((double)t->interval_ns / 1e9));
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_object_set_new(j, names[i], columns[i] = json_array());
	for (unsigned int i = 0; i < t->n; i++) {
		const struct timeline_interval *v = &t->intervals[i];
		const uint64_t counts[] = {v->n.started,    v->n.attached, v->n.refused,
					   v->n.shed_by_an, v->n.failed,   v->n.packets,
					   v->in_flight};

		for (unsigned int k = 0; k < sizeof(counts) / sizeof(counts[0]); k++)
			json_array_append_new(columns[k], json_integer((json_int_t)counts[k]));
		json_array_append_new(columns[7], json_real(v->p50_us));
		json_array_append_new(columns[8], json_real(v->p99_us));
	}
	if (t->truncated)
		json_object_set_new(j, "truncated", json_true());
	return j;
}

static double mpps(const struct load_result *r)
{
	return r->seconds > 0 ? (double)r->received / r->seconds / 1e6 : 0;
}

static json_t *load_json(const struct storm_config *c, const struct load_result *r)
{
	json_t *j =
		json_pack("{s:i,s:I,s:I,s:I,s:f,s:f}", "octets", (int)c->load_octets, "sessions",
			  (json_int_t)r->sessions, "sent", (json_int_t)r->sent, "received",
			  (json_int_t)r->received, "seconds", r->seconds, "mpps", mpps(r));

	set_count(j, "hostile_sent", r->hostile_sent);
	set_count(j, "hostile_received", r->hostile_received);
	if (c->load_beside > 0 && r->seconds > 0)
		json_object_set_new(j, "attaches_per_second",
				    json_real((double)r->attaches / r->seconds));
	return j;
}

static json_t *sessions_json(const struct storm_config *c, const struct storm_result *r)
{
	json_t *j = json_object(), *causes = json_object(), *packets = json_object();

	set_count(j, "held", r->held);
	set_count(j, "ended_by_network", r->ended);
	for (unsigned int i = 0; i < WIRE_CAUSE_LIMIT; i++)
		if (r->ended_by_cause[i] > 0)
			set_count(causes, wire_cause_name(i), r->ended_by_cause[i]);
	json_object_set_new(j, "ended_by_cause", causes);
	set_count(j, "uplink_packets", r->uplink_packets);
	set_count(j, "downlink_packets", r->downlink_packets);
	set_count(j, "error_indications", r->error_indications);
	for (unsigned int i = 0; c->adversarial > 0 && i < PACKET_KINDS; i++)
		set_count(packets, storm_packet_names[i], r->packets_sent[i]);
	json_object_set_new(j, "packets_by_kind", packets);
	return j;
}

/* What is there only when it was asked for. */
static void report_extras(json_t *j, const struct storm_config *c, const struct storm_result *r)
{
	if (c->n_phases > 0) {
		json_t *phases = json_array();

		for (unsigned int i = 0; i < c->n_phases; i++)
			json_array_append_new(phases, phase_json(c, i, &r->phases[i]));
		json_object_set_new(j, "phases", phases);
	}
	if (r->timeline)
		json_object_set_new(j, "timeline", timeline_json(r->timeline));
	if (c->cycles > 1)
		json_object_set_new(j, "cycles",
				    json_pack("{s:I,s:I}", "attaches", (json_int_t)r->attaches,
					      "detaches", (json_int_t)r->detaches));
	if (c->junk_rate > 0)
		json_object_set_new(j, "junk",
				    json_pack("{s:I}", "sent", (json_int_t)r->junk_sent));
	if (storm_holds(c))
		json_object_set_new(j, "sessions", sessions_json(c, r));
	if (c->load_octets > 0)
		json_object_set_new(j, "load", load_json(c, &r->load));
	if (c->prepare)
		json_object_set_new(j, "prepare_s", json_real(r->prepare_s));
}

static json_t *faults_json(const struct storm_result *r)
{
	json_t *j = json_object();

	for (unsigned int f = 0; f < FAULT_N; f++)
		if (r->fault_sent[f] > 0)
			set_count(j, fault_definitions[f].name, r->fault_sent[f]);
	return j;
}

static void report_json(const struct storm_config *c, const struct storm_result *r)
{
	json_t *j = json_object(), *causes = json_object(), *steps = json_object();

	for (unsigned int i = 0; i < WIRE_CAUSE_LIMIT; i++)
		if (r->failed_by_cause[i] > 0)
			json_object_set_new(causes, wire_cause_name(i),
					    json_integer((json_int_t)r->failed_by_cause[i]));
	for (unsigned int i = 0; i < STEP_N; i++)
		json_object_set_new(steps, step_names[i], latency(&r->steps[i]));
	json_object_set_new(j, "started", json_integer((json_int_t)r->started));
	json_object_set_new(j, "attached", json_integer((json_int_t)r->attached));
	json_object_set_new(j, "failed", json_integer((json_int_t)r->failed));
	json_object_set_new(j, "failed_by_cause", causes);
	json_object_set_new(j, "refused_with_back_off",
			    json_integer((json_int_t)r->refused_with_back_off));
	json_object_set_new(j, "shed_by_an", json_integer((json_int_t)r->shed_by_an));
	json_object_set_new(j, "attempts",
			    json_pack("{s:f,s:I}", "mean",
				      (double)r->attempts / (double)(r->started + !r->started),
				      "max", (json_int_t)r->attempts_max));
	json_object_set_new(j, "attaches_per_second", json_real(per_second(r)));
	json_object_set_new(j, "seconds", json_real(r->seconds));
	json_object_set_new(j, "arrivals",
			    json_pack("{s:f,s:I}", "seconds", r->arrivals_s, "attached",
				      (json_int_t)r->attached_by_then));
	json_object_set_new(j, "latency_us", latency(&r->steps[STEP_ALL]));
	json_object_set_new(j, "steps", steps);
	json_object_set_new(j, "retransmissions", json_integer((json_int_t)r->retransmissions));
	json_object_set_new(j, "kgnb_mismatches", json_integer((json_int_t)r->kgnb_mismatches));
	json_object_set_new(
		j, "generator",
		json_pack("{s:f,s:f,s:f,s:I,s:b}", "busy", busy_share(r->busy_ns, r->idle_ns),
			  "lag_us_max", (double)r->lag_max_ns / 1000, "behind_us_max",
			  (double)r->behind_max_ns / 1000, "held_back", (json_int_t)r->held_back,
			  "bottleneck", generator_limits(c, r)));
	json_object_set_new(j, "faults",
			    json_pack("{s:I,s:I,s:o}", "sent", (json_int_t)r->faults_sent,
				      "as_expected", (json_int_t)r->faults_as_expected, "by_name",
				      faults_json(r)));
	json_object_set_new(j, "generator_backend", json_string(r->backend));
	report_extras(j, c, r);
	json_dumpf(j, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(j);
}

static void phases_text(const struct storm_config *c, const struct storm_result *r)
{
	printf("%-12s%9s%9s%10s%10s%9s%9s%9s%9s%9s\n", "phase", "rate", "s", "started", "goodput/s",
	       "refused", "shed", "failed", "p50 ms", "p99 ms");
	for (unsigned int i = 0; i < c->n_phases; i++) {
		const struct storm_phase *p = &c->phases[i];
		const struct storm_phase_result *v = &r->phases[i];
		char number[16];

		snprintf(number, sizeof(number), "%u", i + 1);
		printf("%-12s%9.0f%9.1f%10llu%10.0f%9llu%9llu%9llu%9.2f%9.2f%s\n",
		       p->name ? p->name : number, p->rate, p->seconds,
		       (unsigned long long)v->started, (double)v->completed / p->seconds,
		       (unsigned long long)v->refused, (unsigned long long)v->shed_by_an,
		       (unsigned long long)v->failed, (double)hist_quantile(&v->latency, 0.5) / 1e6,
		       (double)hist_quantile(&v->latency, 0.99) / 1e6,
		       is_late(v->lag_max_ns, v->behind_max_ns, v->held_back)
			       ? "  the generator was the bottleneck"
			       : "");
	}
}

static void faults_text(const struct storm_result *r)
{
	for (unsigned int f = 0; f < FAULT_N; f++)
		if (r->fault_sent[f] > 0)
			printf("fault %-20s %6llu sent, %6llu as expected  (%s)\n",
			       fault_definitions[f].name, (unsigned long long)r->fault_sent[f],
			       (unsigned long long)r->fault_as_expected[f],
			       fault_definitions[f].text);
}

static void load_text(const struct storm_config *c, const struct load_result *r)
{
	printf("load: packets of %u octets in %llu sessions for %.2f s: %llu sent, %llu came out: "
	       "%.3f "
	       "million a second\n",
	       c->load_octets, (unsigned long long)r->sessions, r->seconds,
	       (unsigned long long)r->sent, (unsigned long long)r->received, mpps(r));
	if (c->load_hostile > 0)
		printf("  of these hostile: %llu sent, %llu came out\n",
		       (unsigned long long)r->hostile_sent,
		       (unsigned long long)r->hostile_received);
	if (c->load_beside > 0 && r->seconds > 0)
		printf("beside it: %.0f attaches/s\n", (double)r->attaches / r->seconds);
}

static void sessions_text(const struct storm_config *c, const struct storm_result *r)
{
	printf("sessions: %llu held, %llu ended by the network; packets: %llu up, %llu down; ERROR "
	       "INDICATIONs: %llu\n",
	       (unsigned long long)r->held, (unsigned long long)r->ended,
	       (unsigned long long)r->uplink_packets, (unsigned long long)r->downlink_packets,
	       (unsigned long long)r->error_indications);
	for (unsigned int i = 0; i < WIRE_CAUSE_LIMIT; i++)
		if (r->ended_by_cause[i] > 0)
			printf("  ended: %-23s %8llu  %s\n", wire_cause_name(i),
			       (unsigned long long)r->ended_by_cause[i], wire_cause_text(i));
	if (c->load_octets > 0)
		load_text(c, &r->load);
	for (unsigned int i = 0; c->adversarial > 0 && i < PACKET_KINDS; i++)
		printf("  packets: %-21s %8llu\n", storm_packet_names[i],
		       (unsigned long long)r->packets_sent[i]);
}

static void report_text(const struct storm_config *c, const struct storm_result *r)
{
	printf("attached %llu of %llu UEs in %.2f s: %.0f attaches/s; %llu failed\n",
	       (unsigned long long)r->attached, (unsigned long long)(r->attached + r->failed),
	       r->seconds, per_second(r), (unsigned long long)r->failed);
	for (unsigned int i = 0; i < WIRE_CAUSE_LIMIT; i++)
		if (r->failed_by_cause[i] > 0)
			printf("  failed: %-22s %8llu  %s\n", wire_cause_name(i),
			       (unsigned long long)r->failed_by_cause[i], wire_cause_text(i));
	printf("latency from the intended send time, ms:\n  %-16s%9s%9s%9s%9s%9s\n", "until", "p50",
	       "p90", "p99", "p99.9", "max");
	for (unsigned int i = 0; i < STEP_N; i++) {
		printf("  %-16s", step_names[i]);
		for (unsigned int q = 0; q < sizeof(quantiles) / sizeof(quantiles[0]); q++)
			printf("%9.2f",
			       (double)hist_quantile(&r->steps[i], quantiles[q].share) / 1e6);
		printf("%9.2f\n", (double)r->steps[i].max / 1e6);
	}
	printf("retransmitted by UEs: %llu; refused with a back-off: %llu, by access nodes under "
	       "overload: %llu; K_gNB mismatches: %llu\n",
	       (unsigned long long)r->retransmissions, (unsigned long long)r->refused_with_back_off,
	       (unsigned long long)r->shed_by_an, (unsigned long long)r->kgnb_mismatches);
	if (r->attempts_max > 1)
		printf("attempts of a UE: %.2f on average, at most %llu\n",
		       (double)r->attempts / (double)r->started,
		       (unsigned long long)r->attempts_max);
	if (c->cycles > 1)
		printf("cycles: %llu attaches, %llu detaches\n", (unsigned long long)r->attaches,
		       (unsigned long long)r->detaches);
	if (c->junk_rate > 0)
		printf("junk: %llu datagrams\n", (unsigned long long)r->junk_sent);
	faults_text(r);
	if (storm_holds(c))
		sessions_text(c, r);
	if (c->n_phases > 0)
		phases_text(c, r);
	printf("generator: core %.0f%% busy, at most %.1f ms behind its schedule, %.1f ms behind "
	       "with answers%s\n",
	       100 * busy_share(r->busy_ns, r->idle_ns), (double)r->lag_max_ns / 1e6,
	       (double)r->behind_max_ns / 1e6,
	       generator_limits(c, r)
		       ? ": IT WAS THE BOTTLENECK, the authenticator may do better than this"
		       : "");
	if (r->held_back > 0)
		printf("%llu arrivals waited because --in-flight was reached: the load was not "
		       "open loop\n",
		       (unsigned long long)r->held_back);
}

static void report_written(const struct storm_config *c, const struct storm_result *r, bool json)
{
	json_t *j;

	if (!json) {
		printf("wrote %llu ATTACH REQUESTs of %u access nodes in %llu frames\n",
		       (unsigned long long)r->started, c->n_ans, (unsigned long long)r->written);
		for (unsigned int f = 0; f < FAULT_N; f++)
			if (r->fault_sent[f] > 0)
				printf("fault %-20s %6llu  (%s)\n", fault_definitions[f].name,
				       (unsigned long long)r->fault_sent[f],
				       fault_definitions[f].text);
		return;
	}
	j = json_pack("{s:I,s:I,s:I,s:o}", "requests", (json_int_t)r->started, "access_nodes",
		      (json_int_t)c->n_ans, "frames", (json_int_t)r->written, "faults",
		      faults_json(r));
	json_dumpf(j, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(j);
}

static void report_load(const struct storm_config *c, const struct load_result *r, bool json)
{
	if (!json) {
		load_text(c, r);
		return;
	}
	json_t *j = json_pack("{s:o}", "load", load_json(c, r));

	json_dumpf(j, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(j);
}

void storm_report(const struct storm_config *config, const struct storm_result *r, bool json)
{
	if (config->load_sessions > 0)
		report_load(config, &r->load, json);
	else if (config->write_only)
		report_written(config, r, json);
	else if (json)
		report_json(config, r);
	else
		report_text(config, r);
}
