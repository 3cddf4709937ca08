/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The worker stage: what it refuses, with which cause and in which order; what it lets through; and
 * that what it cannot take is counted and costs nobody else anything.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "au/worker.h"
#include "au_fixture.h"

static void set_up_gate(void)
{
	f.gate = true;
	fixture_setup();
}

TestSuite(au_worker, .init = fixture_setup, .fini = fixture_teardown);
TestSuite(au_order, .init = fixture_prepare, .fini = fixture_teardown);
TestSuite(au_hand_over, .init = set_up_gate, .fini = fixture_teardown);
TestSuite(au_steering, .init = fixture_prepare, .fini = fixture_teardown);

/* One turn of the worker, with what was sent to it. */
static void work(void)
{
	au_worker_poll(f.worker);
}

/* Worker, then control: refusals are sent. */
static void answer(void)
{
	work();
	au_crypto_poll(f.crypto, false);
	au_control_poll(f.control);
	fixture_downlink();
}

static unsigned int requests_waiting(void)
{
	return rte_ring_count(f.shared->request_rings[0]);
}

/* The cause with which the ATTACH REQUEST of this UE was refused; 0: it was not. */
static unsigned int refusal_of(const struct test_ue *ue)
{
	for (unsigned int i = 0; i < f.n_got; i++)
		if (f.got[i].record.an_ue_id == ue->an_ue_id &&
		    (f.got[i].m.type == WIRE_NAS_ATTACH_REJECT ||
		     f.got[i].m.type == WIRE_NAS_AUTHENTICATION_REJECT))
			return f.got[i].m.ie[WIRE_IE_CAUSE].p[0];
	return 0;
}

/* Takes jobs until so many are free. */
static unsigned int take_jobs(struct au_job **jobs, unsigned int leave)
{
	unsigned int n = 0;

	while (rte_mempool_avail_count(f.shared->jobs) > leave)
		cr_assert_eq(rte_mempool_get(f.shared->jobs, (void **)&jobs[n++]), 0);
	return n;
}

static void give_jobs(struct au_job **jobs, unsigned int n)
{
	rte_mempool_put_bulk(f.shared->jobs, (void **)jobs, n);
}

/* ---------------------------------------------------------------- order of refusal */

/* What is wrong with one and the same ATTACH REQUEST, the cheapest to find first. */
enum fault {
	FROM_UNKNOWN_SOURCE,
	BEFORE_AN_SETUP,
	CUT_SHORT,
	DURING_SHUTDOWN,
	CERT_NOT_DER,
	RAND_SEEN,
	WITHOUT_JOBS,
	TABLE_FULL,
	CERT_IS_EXPIRED,
	WRONGLY_SIGNED,
	FAULTS,
};

static const enum wire_cause cause_of_fault[FAULTS] = {
	WIRE_CAUSE_AN_UNKNOWN,	  WIRE_CAUSE_AN_NOT_SET_UP,  WIRE_CAUSE_IE_TRUNCATED,
	WIRE_CAUSE_SHUTTING_DOWN, WIRE_CAUSE_CERT_MALFORMED, WIRE_CAUSE_REPLAYED_REQUEST,
	WIRE_CAUSE_CONGESTION,	  WIRE_CAUSE_UE_TABLE_FULL,  WIRE_CAUSE_CERT_EXPIRED,
	WIRE_CAUSE_SIGNATURE_UE1,
};

/* One EID for both, so that the RAND_UE of the one is a replay from the other. */
static void certify_like(struct test_ue *ue, const struct test_ue *other, enum issue_fault fault)
{
	char eid[33];

	fixture_eid_text(other->eid, eid);
	fixture_issue(&ue->euicc, &f.eum,
		      (struct issue_request){.role = ISSUE_EUICC,
					     .fault = fault,
					     .country = "ES",
					     .organisation = "Maker",
					     .common_name = "eUICC",
					     .serial_number = eid});
	ue->device.cert_euicc = fixture_der(&ue->euicc);
}

/* The request with the faults from `first` on; those before it are mended. */
static void send_with_faults(struct test_ue *ue, struct test_ue *other, enum fault first)
{
	ue->an = first <= FROM_UNKNOWN_SOURCE ? FIXTURE_ANS : 1;
	atomic_store(&f.shared->an_ready[1], first > BEFORE_AN_SETUP);
	atomic_store(&f.shared->mode, first <= DURING_SHUTDOWN ? AU_DRAINING : AU_RUNNING);
	certify_like(ue, other, first <= CERT_IS_EXPIRED ? ISSUE_FAULT_EXPIRED : ISSUE_FAULT_NONE);
	if (first == TABLE_FULL + 1)
		fixture_send_cause(other, WIRE_RELEASE_REQUEST, WIRE_CAUSE_RELEASED);
	answer();
	fixture_begin(ue);
	if (first <= RAND_SEEN)
		memcpy(fixture_ie(ue, WIRE_IE_RAND_UE), other->device.rand_ue, 16);
	fixture_ie(ue, WIRE_IE_UE_SIGNATURE1)[40] ^= 1;
	if (first <= CERT_NOT_DER)
		fixture_ie(ue, WIRE_IE_CERT_EUICC)[0] ^= 1;
	if (first <= CUT_SHORT)
		ue->n -= 1;
	fixture_uplink(ue);
}

Test(au_order, refuses_by_the_reason_that_is_cheapest_to_find)
{
	struct test_ue *other, *ue;
	struct au_job *jobs[FIXTURE_JOBS];

	f.config.ue.max_half_open = 1;
	fixture_start();
	other = fixture_ue();
	ue = fixture_ue();
	fixture_attach_until(other, UE_AUTHENTICATION);
	for (enum fault first = 0; first < FAULTS; first++) {
		uint64_t before = fixture_cause(cause_of_fault[first]);
		uint64_t verifies = fixture_event(AU_COUNT_VERIFIES);

		send_with_faults(ue, other, first);
		unsigned int n = first <= WITHOUT_JOBS ? take_jobs(jobs, FIXTURE_RESERVE) : 0;

		answer();
		give_jobs(jobs, n);
		cr_expect_eq(fixture_cause(cause_of_fault[first]), before + 1, "%s",
			     wire_cause_name(cause_of_fault[first]));
		cr_expect_eq(fixture_event(AU_COUNT_VERIFIES) > verifies, first == WRONGLY_SIGNED);
	}
}

/* ---------------------------------------------------------------- sources and records */

Test(au_worker, datagram_from_an_unknown_source_takes_no_job)
{
	struct test_ue *ue = fixture_ue();
	uint64_t taken = au_worker_jobs_of_epoch(f.worker, 0);

	ue->an = FIXTURE_ANS;
	fixture_begin(ue);
	fixture_uplink(ue);
	work();
	cr_expect_eq(fixture_cause(WIRE_CAUSE_AN_UNKNOWN), 1);
	cr_expect_eq(au_net_counter(f.au, NET_COUNT_UNKNOWN_SOURCE), 1);
	cr_expect_eq(au_worker_jobs_of_epoch(f.worker, 0), taken);
	cr_expect_eq(fixture_event(AU_COUNT_ATTACH_REQUESTS), 0);
	cr_expect_eq(fixture_jobs_in_use(), 0);
}

Test(au_worker, record_that_nobody_knows_is_counted_and_those_after_it_are_read)
{
	struct test_ue *ue = fixture_ue();
	static const uint8_t nothing[3];

	fixture_send_record(0, ue->port, 0x7e, ue->an_ue_id, 0, span_make(nothing, 3));
	fixture_begin(ue);
	fixture_uplink(ue);
	work();
	cr_expect_eq(fixture_cause(WIRE_CAUSE_RECORD_UNKNOWN), 1);
	cr_expect_eq(requests_waiting(), 1);
}

Test(au_worker, payload_longer_than_any_message_is_refused)
{
	static const uint8_t long_payload[WIRE_NAS_MAX + 1] = {WIRE_EPD_5GMM, 2};
	struct test_ue *ue = fixture_ue();

	fixture_attach_until(ue, UE_ATTACHED);
	fixture_send_nas(ue, span_make(long_payload, sizeof(long_payload)));
	answer();
	cr_expect_eq(fixture_cause(WIRE_CAUSE_IE_TOO_LONG), 1);
	cr_expect_eq(f.n_got, 0);
	cr_expect_not_null(fixture_context(ue));
}

Test(au_worker, message_without_a_context_is_counted_by_what_is_wrong_with_it)
{
	static const uint8_t status[] = {WIRE_EPD_5GMM, 0, WIRE_NAS_5GMM_STATUS, 0x6f};
	static const uint8_t unknown[] = {WIRE_EPD_5GMM, 0, 0x7d, 0};
	struct test_ue *ue = fixture_ue();

	fixture_send_nas(ue, span_make(status, sizeof(status)));
	fixture_send_nas(ue, span_make(unknown, sizeof(unknown)));
	answer();
	cr_expect_eq(fixture_cause(WIRE_CAUSE_OUT_OF_ORDER), 1);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_MESSAGE_UNKNOWN), 1);
	cr_expect_eq(f.n_got, 0);
}

Test(au_worker, plain_message_with_a_spare_bit_in_its_header_is_dropped_as_bad_header)
{
	struct test_ue *ue = fixture_ue(), *begun = fixture_ue();

	fixture_attach_until(begun, UE_AUTHENTICATION);
	fixture_begin(ue);
	ue->nas[1] = begun->nas[1] = 0x10;
	fixture_uplink(ue);
	fixture_uplink(begun);
	answer();
	cr_expect_eq(fixture_cause(WIRE_CAUSE_BAD_HEADER), 2);
	cr_expect_eq(f.n_got, 0);
	cr_expect_eq(fixture_context(begun)->state, UE_AUTHENTICATION);
}

/* ---------------------------------------------------------------- before AN SETUP */

/* As after a restart, of which the access node knows nothing. */
static void forget_an(unsigned int an)
{
	atomic_store(&f.shared->an_ready[an], 0);
}

static unsigned int count_got(enum wire_record_type type, unsigned int an)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < f.n_got; i++)
		n += f.got[i].record.type == type && f.got[i].an == an;
	return n;
}

Test(au_worker, an_that_has_not_set_up_is_told_so)
{
	struct test_ue *ue = fixture_ue();

	fixture_attach_until(ue, UE_AUTHENTICATION);
	forget_an(0);
	fixture_uplink(ue);
	answer();
	cr_assert_eq(f.n_got, 1);
	cr_expect_eq(f.got[0].record.type, WIRE_ERROR_INDICATION);
	cr_expect_eq(f.got[0].an, 0);
	cr_expect_eq(f.got[0].port, ue->port);
	cr_expect_eq(f.got[0].record.an_ue_id, 0);
	cr_expect_eq(f.got[0].record.au_ue_id, 0);
	cr_expect_eq(f.got[0].m.ie[WIRE_IE_CAUSE].p[0], WIRE_CAUSE_AN_NOT_SET_UP);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_AN_NOT_SET_UP), 1);
	cr_expect_eq(fixture_event(AU_COUNT_ERROR_INDICATIONS), 1);
	cr_expect_eq(fixture_event(AU_COUNT_AUTH_RESPONSES), 0);
	cr_expect_eq(fixture_context(ue)->state, UE_AUTHENTICATION);
}

Test(au_worker, an_that_has_not_set_up_is_told_ten_times_a_second_at_most)
{
	struct test_ue *ue = fixture_ue(), *other = fixture_ue();
	uint64_t taken = au_worker_jobs_of_epoch(f.worker, 0);

	f.shared->tsc_hz *= 60; /* a tenth of a second is longer than this test */
	forget_an(0);
	forget_an(1);
	other->an = 1;
	for (unsigned int i = 0; i < FIXTURE_JOBS; i++)
		fixture_send_cause(ue, WIRE_RELEASE_REQUEST, WIRE_CAUSE_RELEASED);
	fixture_send_cause(other, WIRE_RELEASE_REQUEST, WIRE_CAUSE_RELEASED);
	for (unsigned int i = 0; i < 4; i++)
		work();
	cr_expect_eq(au_worker_jobs_of_epoch(f.worker, 0), taken + 2, "a flood takes one job");
	answer();
	cr_expect_eq(count_got(WIRE_ERROR_INDICATION, 0), 1);
	cr_expect_eq(count_got(WIRE_ERROR_INDICATION, 1), 1);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_AN_NOT_SET_UP), FIXTURE_JOBS + 1);
	f.worker->told_not_set_up[0] -= f.shared->tsc_hz / 10;
	fixture_send_cause(ue, WIRE_RELEASE_REQUEST, WIRE_CAUSE_RELEASED);
	fixture_send_cause(other, WIRE_RELEASE_REQUEST, WIRE_CAUSE_RELEASED);
	answer();
	cr_expect_eq(f.n_got, 1);
	cr_expect_eq(count_got(WIRE_ERROR_INDICATION, 0), 1);
}

Test(au_worker, telling_an_an_leaves_half_of_the_reserve)
{
	struct test_ue *ue = fixture_ue();
	struct au_job *jobs[FIXTURE_JOBS];
	unsigned int n = take_jobs(jobs, FIXTURE_RESERVE / 2);

	forget_an(0);
	fixture_send_cause(ue, WIRE_RELEASE_REQUEST, WIRE_CAUSE_RELEASED);
	answer();
	give_jobs(jobs, n);
	cr_expect_eq(f.n_got, 0);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_AN_NOT_SET_UP), 1);
	cr_expect_eq(fixture_event(AU_COUNT_JOBS_EXHAUSTED), 0);
	fixture_send_cause(ue, WIRE_RELEASE_REQUEST, WIRE_CAUSE_RELEASED);
	answer();
	cr_expect_eq(count_got(WIRE_ERROR_INDICATION, 0), 1, "the next record may ask again");
}

Test(au_worker, an_whose_setup_came_first_is_not_told_that_it_did_not)
{
	static const uint8_t name[] = {0x02, 0, 1, 'a'};
	struct test_ue *ue = fixture_ue();

	forget_an(0);
	fixture_send_record(0, ue->port, WIRE_AN_SETUP_REQUEST, 0, 0,
			    span_make(name, sizeof(name)));
	fixture_send_cause(ue, WIRE_RELEASE_REQUEST, WIRE_CAUSE_RELEASED);
	answer();
	cr_expect_eq(count_got(WIRE_AN_SETUP_RESPONSE, 0), 1);
	cr_expect_eq(f.n_got, 1);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_AN_NOT_SET_UP), 1);
}

Test(au_worker, error_indication_is_never_answered)
{
	struct test_ue *ue = fixture_ue();

	forget_an(0);
	fixture_send_cause(ue, WIRE_ERROR_INDICATION, WIRE_CAUSE_INTERNAL);
	answer();
	cr_expect_eq(f.n_got, 0);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_AN_NOT_SET_UP), 1);
}

/* ---------------------------------------------------------------- certificates of step 1 */

Test(au_worker, certificate_against_a_rule_is_refused_before_any_signature)
{
	static const struct {
		struct issue_request request;
		enum wire_cause cause;
	} bad[] = {
		{{.fault = ISSUE_FAULT_EXPIRED}, WIRE_CAUSE_CERT_EXPIRED},
		{{.fault = ISSUE_FAULT_NOT_YET_VALID}, WIRE_CAUSE_CERT_NOT_YET_VALID},
		{{.fault = ISSUE_FAULT_POLICY}, WIRE_CAUSE_CERT_POLICY},
		{{.fault = ISSUE_FAULT_USAGE}, WIRE_CAUSE_CERT_USAGE},
		{{.fault = ISSUE_FAULT_CRITICAL}, WIRE_CAUSE_CERT_UNSUPPORTED},
		{{.serial_number = "89049032000000000000000000000100"}, WIRE_CAUSE_CERT_EID_CHECK},
		{{.serial_number = "89049032"}, WIRE_CAUSE_CERT_EID},
		{{.organisation = "Another"}, WIRE_CAUSE_CERT_NAME_CONSTRAINT},
	};

	for (unsigned int i = 0; i < RTE_DIM(bad); i++) {
		struct test_ue *ue = fixture_ue_like(bad[i].request, &f.eum);

		fixture_begin(ue);
		fixture_uplink(ue);
		answer();
		cr_expect_eq(refusal_of(ue), bad[i].cause, "%u, not %s", refusal_of(ue),
			     wire_cause_name(bad[i].cause));
	}
	cr_expect_eq(fixture_event(AU_COUNT_CRYPTO_JOBS), 0);
}

/* In the snapshot in force, the CI above this UE ends. */
static void end_ci_of(const struct test_ue *ue)
{
	const struct au_trust *trust = atomic_load(&f.au->shared.trust);
	struct pki_cert cert;

	cr_assert_eq(pki_cert_parse(&cert, ue->device.cert_euicc), PKI_OK);
	const struct pki_issuer *eum = pki_trust_find_eum(trust->pki, cert.aki, cert.issuer);

	cr_assert(eum && eum->parent);
	((struct pki_issuer *)(uintptr_t)eum->parent)->cert.not_after = 1;
}

Test(au_worker, known_eum_is_good_for_as_long_as_its_ci)
{
	struct test_ue *ue = fixture_ue();

	end_ci_of(ue);
	fixture_begin(ue);
	fixture_uplink(ue);
	answer();
	cr_expect_eq(refusal_of(ue), WIRE_CAUSE_CERT_EXPIRED);
	cr_expect_eq(fixture_event(AU_COUNT_CRYPTO_JOBS), 0);
}

Test(au_worker, ue_that_names_no_ci_of_ours_gets_a_cross_certificate_all_the_same)
{
	struct test_ue *known = fixture_ue(), *unknown = fixture_ue();

	fixture_begin(known);
	fixture_ie(known, WIRE_IE_CI_PKID_LIST)[0] ^= 1;
	fixture_settle();
	cr_expect_eq(known->device.state, DEVICE_ATTACHED, "that of its EUM's CI");
	fixture_reload((struct fixture_trust){.unknown_eum = true});
	fixture_begin(unknown);
	fixture_ie(unknown, WIRE_IE_CI_PKID_LIST)[0] ^= 1;
	fixture_settle();
	cr_expect_eq(unknown->device.state, DEVICE_ATTACHED, "the one that there is");
	au_poll(f.au);
}

Test(au_worker, denied_eid_is_refused_from_the_next_snapshot_on)
{
	struct test_ue *ue = fixture_ue();
	char deny[40];

	fixture_eid_text(ue->eid, deny);
	strcat(deny, "\n");
	fixture_reload((struct fixture_trust){.deny = deny});
	fixture_begin(ue);
	fixture_uplink(ue);
	answer();
	cr_expect_eq(refusal_of(ue), WIRE_CAUSE_CERT_EID_DENIED);
}

Test(au_worker, ue_without_an_algorithm_of_ours_is_refused_before_any_signature)
{
	struct test_ue *ue = fixture_ue();

	f.world.capability[0] = f.world.capability[1] = 0x80; /* EA0, IA0 */
	fixture_begin(ue);
	fixture_uplink(ue);
	answer();
	cr_expect_eq(refusal_of(ue), WIRE_CAUSE_NO_COMMON_ALGORITHM);
	cr_expect_eq(fixture_event(AU_COUNT_CRYPTO_JOBS), 0);
}

Test(au_worker, curve_without_a_credential_of_ours_is_refused)
{
	struct authority ci = {.key = issue_key_generate(CRYPTO_BRAINPOOLP256R1)};
	struct authority eum = {.key = issue_key_generate(CRYPTO_BRAINPOOLP256R1)};
	struct test_ue *ue = fixture_ue();
	char eid[33];

	fixture_issue(&ci, NULL, (struct issue_request){.role = ISSUE_CI, .common_name = "Other"});
	fixture_issue(&eum, &ci,
		      (struct issue_request){.role = ISSUE_EUM,
					     .organisation = "Maker",
					     .common_name = "Other EUM",
					     .eid_prefix = "89049032"});
	issue_key_free(ue->euicc.key);
	ue->euicc.key = issue_key_generate(CRYPTO_BRAINPOOLP256R1);
	fixture_eid_text(ue->eid, eid);
	fixture_issue(&ue->euicc, &eum,
		      (struct issue_request){.role = ISSUE_EUICC,
					     .organisation = "Maker",
					     .common_name = "eUICC",
					     .serial_number = eid});
	ue->device.cert_euicc = fixture_der(&ue->euicc);
	fixture_begin(ue);
	fixture_uplink(ue);
	answer();
	cr_expect_eq(refusal_of(ue), WIRE_CAUSE_CERT_CURVE);
	issue_key_free(ci.key);
	issue_key_free(eum.key);
	free(ci.der);
	free(eum.der);
}

/* ---------------------------------------------------------------- want of room */

Test(au_worker, new_attaches_leave_the_reserve_to_those_begun)
{
	struct test_ue *begun = fixture_ue(), *late = fixture_ue();
	struct au_job *jobs[FIXTURE_JOBS];

	fixture_attach_until(begun, UE_AUTHENTICATION);
	fixture_begin(late);
	fixture_uplink(late);
	fixture_uplink(begun); /* AUTHENTICATION RESPONSE */
	unsigned int n = take_jobs(jobs, FIXTURE_RESERVE);

	answer();
	give_jobs(jobs, n);
	cr_expect_eq(refusal_of(late), WIRE_CAUSE_CONGESTION);
	cr_expect(wire_has(&fixture_got_nas(late, WIRE_NAS_ATTACH_REJECT)->m, WIRE_IE_BACK_OFF));
	cr_expect_eq(fixture_context(begun)->state, UE_SECURITY_MODE);
	cr_expect_eq(fixture_event(AU_COUNT_JOBS_EXHAUSTED), 0);
}

Test(au_worker, refusals_leave_half_of_the_reserve)
{
	struct test_ue *ue = fixture_ue();
	struct au_job *jobs[FIXTURE_JOBS];
	unsigned int n = take_jobs(jobs, FIXTURE_RESERVE / 2);

	static const uint8_t no_ies[] = {WIRE_EPD_5GMM, 0, WIRE_NAS_ATTACH_REQUEST};

	fixture_begin(ue);
	fixture_uplink(ue);
	fixture_send_nas(ue, span_make(no_ies, sizeof(no_ies)));
	answer();
	give_jobs(jobs, n);
	cr_expect_eq(f.n_got, 0, "an answer took a job that responses need");
	cr_expect_eq(fixture_cause(WIRE_CAUSE_CONGESTION), 1);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_IE_MISSING), 1);
}

Test(au_worker, without_any_job_messages_are_counted_and_attaches_go_on_afterwards)
{
	struct test_ue *ue = fixture_ue(), *attached = fixture_ue();
	struct au_job *jobs[FIXTURE_JOBS];
	static const uint8_t no_ies[] = {WIRE_EPD_5GMM, 0, WIRE_NAS_ATTACH_REQUEST};

	fixture_attach_until(ue, UE_AUTHENTICATION);
	fixture_attach_until(attached, UE_ATTACHED);
	unsigned int n = take_jobs(jobs, 0);

	fixture_uplink(ue);
	fixture_send_cause(attached, WIRE_ERROR_INDICATION, WIRE_CAUSE_INTERNAL);
	fixture_send_nas(ue, span_make(no_ies, sizeof(no_ies)));
	answer();
	give_jobs(jobs, n);
	cr_expect_eq(fixture_event(AU_COUNT_JOBS_EXHAUSTED), 2);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_IE_MISSING), 1, "that it is refused takes no job");
	cr_expect_eq(f.n_got, 0);
	cr_expect_eq(fixture_context(ue)->state, UE_AUTHENTICATION);
	/* Its second try comes when a second has passed, as a UE's does. */
	memset(f.worker->in_flight, 0, sizeof(f.worker->in_flight));
	fixture_send_nas(ue, span_make(ue->nas, ue->n));
	fixture_settle();
	cr_expect_eq(fixture_context(ue)->state, UE_ATTACHED);
	cr_expect_eq(fixture_context(attached)->state, UE_ATTACHED);
}

/* Fills a ring with what is no job, but for `leave` places. */
static unsigned int fill(struct rte_ring *ring, unsigned int leave)
{
	unsigned int n = 0;

	for (; rte_ring_free_count(ring) > leave; n++)
		cr_assert_eq(rte_ring_enqueue(ring, &n), 0);
	return n;
}

static void empty(struct rte_ring *ring, unsigned int n)
{
	void *object;

	while (n-- > 0)
		cr_assert_eq(rte_ring_dequeue(ring, &object), 0);
}

Test(au_worker, full_crypto_ring_costs_the_last_jobs_alone)
{
	struct rte_ring *ring = f.shared->request_rings[0];
	unsigned int n = fill(ring, 2);
	struct test_ue *ue[5];

	for (unsigned int i = 0; i < RTE_DIM(ue); i++) {
		ue[i] = fixture_ue();
		fixture_begin(ue[i]);
		fixture_uplink(ue[i]);
	}
	work();
	cr_expect_eq(fixture_event(AU_COUNT_CRYPTO_RING_FULL), 3);
	cr_expect_eq(fixture_jobs_in_use(), 2);
	cr_expect_eq(au_worker_jobs_of_epoch(f.worker, 0) - au_control_jobs_of_epoch(f.control, 0),
		     2);
	empty(ring, n);
	fixture_settle();
	for (unsigned int i = 0; i < RTE_DIM(ue); i++)
		cr_expect_eq(ue[i]->device.state, i < 2 ? DEVICE_ATTACHED : DEVICE_ATTACHING);
}

Test(au_worker, full_control_ring_costs_the_last_jobs_alone)
{
	struct rte_ring *ring = f.shared->control_rings[0];
	struct test_ue *ue = fixture_ue();
	unsigned int n;

	fixture_attach_until(ue, UE_ATTACHED);
	n = fill(ring, 1);
	fixture_send_cause(ue, WIRE_RELEASE_REQUEST, WIRE_CAUSE_RELEASED);
	fixture_send_cause(ue, WIRE_RELEASE_REQUEST, WIRE_CAUSE_RELEASED);
	work();
	cr_expect_eq(fixture_event(AU_COUNT_CONTROL_RING_FULL), 1);
	empty(ring, n);
	fixture_settle();
	cr_expect_null(fixture_context(ue));
}

Test(au_worker, without_room_for_multiples_the_attach_goes_on)
{
	struct test_ue *ue = fixture_ue();
	void *objects[64];
	unsigned int n = 0;

	if (!f.shared->multiples)
		cr_skip_test("this backend leaves no multiples");
	while (n < RTE_DIM(objects) && rte_mempool_get(f.shared->multiples, &objects[n]) == 0)
		n++;
	fixture_begin(ue);
	fixture_settle();
	rte_mempool_put_bulk(f.shared->multiples, objects, n);
	cr_expect_eq(fixture_event(AU_COUNT_MULTIPLES_EXHAUSTED), 1);
	cr_expect_eq(ue->device.state, DEVICE_ATTACHED);
}

Test(au_worker, request_that_would_wait_too_long_is_refused_unless_it_was_let_in_before)
{
	struct test_ue *known = fixture_ue(), *ue = fixture_ue();

	fixture_attach_until(known, UE_AUTHENTICATION);
	/* Somebody waits, for longer than anybody may. */
	struct test_ue *first = fixture_ue();

	fixture_begin(first);
	fixture_uplink(first);
	work();
	atomic_store(&f.shared->paces[0].cycles, 1000 * f.shared->tsc_hz);
	fixture_begin(ue);
	fixture_uplink(ue);
	device_start(&f.world, &known->device);
	memcpy(fixture_ie(known, WIRE_IE_RAND_UE),
	       ue_table_find(f.shared->tables[0], known->au_ue_id)->rand_ue, 16);
	fixture_uplink(known);
	answer();
	cr_expect_eq(refusal_of(ue), WIRE_CAUSE_CONGESTION);
	fixture_got_nas(known, WIRE_NAS_AUTHENTICATION_REQUEST);
	cr_expect_eq(fixture_event(AU_COUNT_RETRANSMITTED_REQUESTS), 1);
}

/* A UE whose EUM is not known. */
static struct test_ue *stranger(struct authority *eum)
{
	fixture_issue(eum, &f.ci,
		      (struct issue_request){.role = ISSUE_EUM,
					     .country = "ES",
					     .organisation = "Maker",
					     .common_name = "Somebody",
					     .eid_prefix = "89049032"});
	return fixture_ue_like((struct issue_request){0}, eum);
}

/* Requests wait for so many times the target. */
static void make_wait(double targets)
{
	struct test_ue *first = fixture_ue();

	fixture_begin(first);
	fixture_uplink(first);
	work();
	cr_assert_eq(requests_waiting(), 1);
	atomic_store(&f.shared->paces[0].cycles,
		     (uint64_t)(targets * (double)f.worker->admission.target));
}

Test(au_worker, stranger_is_let_in_while_nobody_is_refused)
{
	struct authority eum = {0};
	struct test_ue *ue = stranger(&eum);

	make_wait(0.9);
	fixture_begin(ue);
	fixture_uplink(ue);
	work();
	cr_expect_eq(requests_waiting(), 2);
	cr_expect_eq(f.shared->demand[0][ue->an].asked, 1, "strangers are nobody's demand");
	free(eum.der);
	issue_key_free(eum.key);
}

Test(au_worker, stranger_yields_the_room_beyond_the_target_to_those_that_are_known)
{
	struct authority eum = {0};
	struct test_ue *ue = stranger(&eum), *known = fixture_ue();

	make_wait(1.5);
	fixture_begin(ue);
	fixture_uplink(ue);
	fixture_begin(known);
	fixture_uplink(known);
	work();
	cr_expect_eq(requests_waiting(), 2);
	au_control_poll(f.control);
	fixture_downlink();
	cr_expect_eq(refusal_of(ue), WIRE_CAUSE_CONGESTION);
	cr_expect_eq(refusal_of(known), 0);
	cr_expect_not(au_admission_refuses(&f.worker->admission), "it is nobody's overload");
	free(eum.der);
	issue_key_free(eum.key);
}

/* Of the contexts that wait for step 5, half are not for those that need no more than a key to ask.
 */
Test(au_worker, strangers_take_half_of_the_half_open_contexts)
{
	struct authority eum = {0};
	struct test_ue *ue = stranger(&eum), *known = fixture_ue();

	for (unsigned int i = 0; i < f.config.ue.max_half_open / 2; i++)
		fixture_attach_until(fixture_ue(), UE_AUTHENTICATION);
	fixture_begin(ue);
	fixture_uplink(ue);
	fixture_begin(known);
	fixture_uplink(known);
	answer();
	cr_expect_eq(refusal_of(ue), WIRE_CAUSE_CONGESTION);
	fixture_got_nas(known, WIRE_NAS_AUTHENTICATION_REQUEST);
	free(eum.der);
	issue_key_free(eum.key);
}

Test(au_worker, replay_takes_no_turn_and_meets_its_cause_however_long_the_queue)
{
	struct test_ue *known = fixture_ue();
	struct au_demand *demand = &f.shared->demand[0][0];

	fixture_attach_until(known, UE_AUTHENTICATION);

	const struct ue *context = ue_table_find(f.shared->tables[0], known->au_ue_id);

	make_wait(100);

	uint32_t asked = demand->asked;

	device_start(&f.world, &known->device);
	memcpy(fixture_ie(known, WIRE_IE_RAND_UE), context->rand_ue, 16);
	known->an_ue_id += 1000; /* from another connection */
	fixture_uplink(known);
	work();
	au_control_poll(f.control);
	fixture_downlink();
	cr_expect_eq(refusal_of(known), WIRE_CAUSE_REPLAYED_REQUEST);
	cr_expect_eq(demand->asked, asked);
}

/* ---------------------------------------------------------------- duplicates */

Test(au_worker, request_that_is_being_worked_on_takes_no_second_job)
{
	struct test_ue *ue = fixture_ue();

	fixture_begin(ue);
	fixture_send_nas(ue, span_make(ue->nas, ue->n));
	fixture_uplink(ue);
	work();
	cr_expect_eq(requests_waiting(), 1);
	cr_expect_eq(fixture_event(AU_COUNT_IN_FLIGHT_DUPLICATES), 1);
	cr_expect_eq(fixture_jobs_in_use(), 1);
	fixture_settle();
	cr_expect_eq(ue->device.state, DEVICE_ATTACHED);
}

Test(au_worker, response_that_is_being_worked_on_takes_no_second_job)
{
	struct test_ue *ue = fixture_ue();

	fixture_attach_until(ue, UE_AUTHENTICATION);
	fixture_send_nas(ue, span_make(ue->nas, ue->n));
	fixture_uplink(ue);
	work();
	cr_expect_eq(rte_ring_count(f.shared->response_rings[0]), 1);
	cr_expect_eq(fixture_event(AU_COUNT_IN_FLIGHT_DUPLICATES), 1);
	fixture_settle();
	cr_expect_eq(ue->device.state, DEVICE_ATTACHED);
}

/* ---------------------------------------------------------------- step 5 */

Test(au_worker, response_that_does_not_belong_to_its_run_is_refused_and_ends_it)
{
	static const struct {
		enum wire_ie ie;
		unsigned int octet;
		enum wire_cause cause;
	} bad[] = {
		{WIRE_IE_RAND_AU, 3, WIRE_CAUSE_RAND_MISMATCH},
		{WIRE_IE_PK_UE, 0, WIRE_CAUSE_PK_UE},
		{WIRE_IE_CERT_EUICC, 70, WIRE_CAUSE_CERT_CHANGED},
		{WIRE_IE_UE_SIGNATURE2, 9, WIRE_CAUSE_SIGNATURE_UE2},
	};

	for (unsigned int i = 0; i < RTE_DIM(bad); i++) {
		struct test_ue *ue = fixture_ue();

		fixture_attach_until(ue, UE_AUTHENTICATION);
		fixture_ie(ue, bad[i].ie)[bad[i].octet] ^= 1;
		fixture_uplink(ue);
		answer();
		cr_expect_eq(refusal_of(ue), bad[i].cause, "%s", wire_cause_name(bad[i].cause));
		cr_expect_null(fixture_context(ue));
		cr_expect_eq(fixture_got_record(ue, WIRE_RELEASE_COMMAND)->m.ie[WIRE_IE_CAUSE].p[0],
			     bad[i].cause);
	}
}

Test(au_worker, response_that_cannot_be_read_is_refused_and_ends_its_run)
{
	struct test_ue *ue = fixture_ue();

	fixture_attach_until(ue, UE_AUTHENTICATION);
	ue->n -= 2;
	fixture_uplink(ue);
	answer();
	cr_expect_eq(refusal_of(ue), WIRE_CAUSE_IE_TRUNCATED);
	cr_expect_null(fixture_context(ue));
}

Test(au_worker, response_from_another_connection_touches_nobody)
{
	struct test_ue *ue = fixture_ue(), thief;

	fixture_attach_until(ue, UE_AUTHENTICATION);
	thief = *ue;
	thief.an_ue_id = 4711;
	fixture_send_nas(&thief, span_make(ue->nas, ue->n));
	thief = *ue;
	thief.an = 1;
	fixture_send_nas(&thief, span_make(ue->nas, ue->n));
	answer();
	cr_expect_eq(fixture_cause(WIRE_CAUSE_REPLAYED_RESPONSE), 2);
	cr_expect_eq(f.n_got, 0);
	fixture_settle();
	cr_expect_eq(ue->device.state, DEVICE_ATTACHED);
}

Test(au_worker, response_without_a_context_is_counted)
{
	struct test_ue *ue = fixture_ue();
	uint64_t id;

	fixture_attach_until(ue, UE_AUTHENTICATION);
	id = ue->au_ue_id;
	ue->au_ue_id = 0;
	fixture_send_nas(ue, span_make(ue->nas, ue->n));
	ue->au_ue_id = id ^ 1; /* another generation */
	fixture_send_nas(ue, span_make(ue->nas, ue->n));
	ue->au_ue_id = id | UINT64_C(9) << UE_ID_SHARD_SHIFT; /* no such shard */
	fixture_send_nas(ue, span_make(ue->nas, ue->n));
	ue->au_ue_id = id;
	answer();
	cr_expect_eq(fixture_cause(WIRE_CAUSE_OUT_OF_ORDER), 1);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_UE_UNKNOWN), 2);
	cr_expect_eq(f.n_got, 0);
	cr_expect_eq(fixture_context(ue)->state, UE_AUTHENTICATION);
}

/* ---------------------------------------------------------------- chains that are not known */

Test(au_worker, unknown_eum_is_verified_in_step_5_and_then_learned)
{
	struct test_ue *first = fixture_ue(), *second = fixture_ue();
	uint64_t verifies;

	fixture_reload((struct fixture_trust){.unknown_eum = true});
	fixture_begin(first);
	fixture_settle();
	cr_expect_eq(first->device.state, DEVICE_ATTACHED);
	cr_expect_eq(fixture_event(AU_COUNT_VERIFIES), 1 + 3,
		     "UE_Signature1; EUM, eUICC, UE_Signature2");
	cr_expect_eq(fixture_event(AU_COUNT_EUMS_LEARNED), 1);
	cr_expect_eq(fixture_jobs_in_use(), 1, "the main lcore has it");
	au_poll(f.au);
	cr_expect_eq(fixture_jobs_in_use(), 0);
	verifies = fixture_event(AU_COUNT_VERIFIES);
	fixture_begin(second);
	fixture_settle();
	cr_expect_eq(second->device.state, DEVICE_ATTACHED);
	cr_expect_eq(fixture_event(AU_COUNT_VERIFIES), verifies + 2 + 1);
}

Test(au_worker, eum_learned_between_steps_1_and_5_is_known_in_step_5)
{
	struct test_ue *ue = fixture_ue();

	fixture_reload((struct fixture_trust){.unknown_eum = true});
	fixture_attach_until(ue, UE_AUTHENTICATION);
	fixture_reload((struct fixture_trust){0});
	fixture_settle();
	cr_expect_eq(ue->device.state, DEVICE_ATTACHED);
	cr_expect_eq(fixture_event(AU_COUNT_VERIFIES), 1 + 2, "by the known issuer's key");
	cr_expect_eq(fixture_event(AU_COUNT_EUMS_LEARNED), 0);
}

Test(au_worker, unknown_eum_with_a_subca_is_verified_in_step_5)
{
	struct issue_request subca = {.role = ISSUE_EUM_SUBCA,
				      .variant = ISSUE_VARIANT_A,
				      .organisation = "Maker",
				      .common_name = "SubCA",
				      .eid_prefix = "89049032"};

	fixture_issue(&f.eum, &f.ci,
		      (struct issue_request){.role = ISSUE_EUM,
					     .variant = ISSUE_VARIANT_A,
					     .country = "ES",
					     .organisation = "Maker",
					     .common_name = "EUM",
					     .eid_prefix = "89049032"});
	fixture_issue(&f.subca, &f.eum, subca);
	f.world.cert_eum = fixture_der(&f.eum);
	f.world.cert_subca = fixture_der(&f.subca);
	fixture_reload((struct fixture_trust){.unknown_eum = true});

	struct test_ue *ue =
		fixture_ue_like((struct issue_request){.variant = ISSUE_VARIANT_A}, &f.subca);

	fixture_begin(ue);
	fixture_settle();
	cr_expect_eq(ue->device.state, DEVICE_ATTACHED);
	cr_expect_eq(fixture_event(AU_COUNT_VERIFIES), 1 + 4);
	au_poll(f.au);
}

/* The chain of step 5 is this one. */
static unsigned int refusal_of_chain(struct span cert_eum)
{
	struct test_ue *ue = fixture_ue();

	f.world.cert_eum = cert_eum;
	fixture_attach_until(ue, UE_AUTHENTICATION);
	fixture_uplink(ue);
	answer();
	return refusal_of(ue);
}

Test(au_worker, chain_that_does_not_lead_to_a_trusted_ci_is_refused_before_any_signature)
{
	struct authority other_ci = {0}, eum = {.key = f.eum.key};
	struct issue_request request = {.role = ISSUE_EUM,
					.country = "ES",
					.organisation = "Maker",
					.common_name = "EUM",
					.eid_prefix = "89049032"};
	static const uint8_t garbage[40];

	fixture_reload((struct fixture_trust){.unknown_eum = true});
	cr_expect_eq(refusal_of_chain(span_make(garbage, sizeof(garbage))),
		     WIRE_CAUSE_CERT_MALFORMED);
	fixture_issue(&other_ci, NULL,
		      (struct issue_request){.role = ISSUE_CI, .common_name = "Another"});
	fixture_issue(&eum, &other_ci, request);
	cr_expect_eq(refusal_of_chain(fixture_der(&eum)), WIRE_CAUSE_CERT_UNKNOWN_CI);
	request.fault = ISSUE_FAULT_EXPIRED;
	fixture_issue(&eum, &f.ci, request);
	cr_expect_eq(refusal_of_chain(fixture_der(&eum)), WIRE_CAUSE_CERT_EXPIRED);
	request.fault = ISSUE_FAULT_NONE;
	request.eid_prefix = "89049033";
	fixture_issue(&eum, &f.ci, request);
	cr_expect_eq(refusal_of_chain(fixture_der(&eum)), WIRE_CAUSE_CERT_NAME_CONSTRAINT);
	request.eid_prefix = "89049032";
	request.common_name = "Its rival";
	fixture_issue(&eum, &f.ci, request);
	cr_expect_eq(refusal_of_chain(fixture_der(&eum)), WIRE_CAUSE_CERT_ISSUER_MISMATCH);
	cr_expect_eq(fixture_event(AU_COUNT_VERIFIES), 5, "UE_Signature1 alone");
	free(other_ci.der);
	issue_key_free(other_ci.key);
	free(eum.der);
}

Test(au_worker, chain_through_a_revoked_eum_is_refused)
{
	struct pki_cert eum;

	cr_assert_eq(pki_cert_parse(&eum, fixture_der(&f.eum)), PKI_OK);
	fixture_reload((struct fixture_trust){
		.unknown_eum = true, .revoked = &eum.serial, .n_revoked = 1});
	cr_expect_eq(refusal_of_chain(fixture_der(&f.eum)), WIRE_CAUSE_CERT_REVOKED);
}

Test(au_worker, lists_that_changed_since_step_1_count_in_step_5)
{
	struct test_ue *ue = fixture_ue();
	char deny[40];

	fixture_attach_until(ue, UE_AUTHENTICATION);
	fixture_eid_text(ue->eid, deny);
	strcat(deny, "\n");
	fixture_reload((struct fixture_trust){.deny = deny});
	fixture_uplink(ue);
	answer();
	cr_expect_eq(refusal_of(ue), WIRE_CAUSE_CERT_EID_DENIED);
}

/* ---------------------------------------------------------------- answers of the port's own */

Test(au_worker, arp_is_answered_through_control)
{
	fixture_send_solicitation();
	work();
	cr_expect_eq(rte_ring_count(f.shared->answers), 1);
	au_control_poll(f.control);
	fixture_downlink();
	cr_expect(fixture_is_resolved());
}

Test(au_worker, full_ring_of_answers_costs_the_answer_alone)
{
	unsigned int n = fill(f.shared->answers, 0);

	fixture_send_solicitation();
	work();
	cr_expect_eq(fixture_event(AU_COUNT_TX_DROPPED), 1);
	empty(f.shared->answers, n);
}

/* Nothing comes after it that would make it give way. */
Test(au_worker, fragment_whose_others_do_not_come_is_freed)
{
	uint8_t frame[14 + 20 + 8] = {
		[12] = 0x08, /* IPv4 */
		[14] = 0x45, [17] = 28,	 [20] = 0x20 /* more */,
		[22] = 64,   [23] = 17,	 [26] = 192,
		[28] = 2,    [29] = 100, [30] = 192,
		[32] = 2,    [33] = 1,
	};
	uint16_t sum = (uint16_t)~net_ipv4_sum(frame + 14);
	struct rte_mbuf *m = rte_pktmbuf_alloc(rte_mempool_lookup("an"));

	cr_assert_not_null(m);
	memcpy(frame + 24, &sum, 2);
	memcpy(rte_pktmbuf_append(m, sizeof(frame)), frame, sizeof(frame));
	cr_assert_eq(rte_ring_enqueue(rte_ring_lookup("to_au"), m), 0);
	work();
	cr_expect_eq(au_worker_net_counter(f.worker, NET_COUNT_FRAGMENTS), 1);
	rte_delay_us_sleep(1100000);
	work();
	cr_expect_eq(au_worker_net_counter(f.worker, NET_COUNT_FRAGMENTS_LATE), 1);
}

/* ---------------------------------------------------------------- snapshots */

Test(au_worker, snapshot_goes_when_no_job_and_no_context_refers_to_it)
{
	struct test_ue *ue = fixture_ue();

	fixture_attach_until(ue, UE_AUTHENTICATION);
	fixture_reload((struct fixture_trust){0});
	for (unsigned int i = 0; i < 4; i++)
		work();
	f.au->next_housekeeping = 0;
	au_poll(f.au);
	cr_expect_not_null(f.shared->epochs[0], "a half-open context refers to it");
	fixture_settle();
	cr_expect_eq(ue->device.state, DEVICE_ATTACHED);
	f.au->next_housekeeping = 0;
	au_poll(f.au);
	cr_expect_null(f.shared->epochs[0]);
	cr_expect_not_null(f.shared->epochs[1]);
}

/* Polls until a snapshot that nobody refers to has gone. */
static void collect(void)
{
	for (unsigned int i = 0; i < 4; i++)
		work();
	f.au->next_housekeeping = 0;
	au_poll(f.au);
}

static unsigned int snapshots(void)
{
	unsigned int n = 0;

	for (unsigned int e = 0; e < AU_EPOCHS; e++)
		n += f.shared->epochs[e] != NULL;
	return n;
}

/* Of so many snapshots the older ones are held by a half-open context each, which loses all that
 * is sent to it. */
static void hold_snapshots(unsigned int n, struct fixture_trust trust)
{
	while (snapshots() < n) {
		struct test_ue *ue = fixture_ue();

		fixture_attach_until(ue, UE_AUTHENTICATION);
		fixture_lose(ue);
		fixture_reload(trust);
	}
	collect();
	cr_assert_eq(snapshots(), n);
}

Test(au_worker, reload_without_room_for_a_snapshot_is_in_force_when_a_context_has_ended)
{
	struct test_ue *first = fixture_ue(), *denied = fixture_ue();
	char deny[40];

	fixture_attach_until(first, UE_AUTHENTICATION);
	fixture_reload((struct fixture_trust){0});
	hold_snapshots(AU_EPOCHS, (struct fixture_trust){0});
	fixture_eid_text(denied->eid, deny);
	strcat(deny, "\n");

	struct pki_trust *trust = fixture_load((struct fixture_trust){.deny = deny});

	cr_expect_not(au_reload(f.au, trust), "every snapshot is held");
	cr_expect_not(au_reload(f.au, trust), "and it is still the caller's");
	fixture_settle();
	cr_assert_eq(first->device.state, DEVICE_ATTACHED);
	collect();
	cr_assert(au_reload(f.au, trust));
	fixture_begin(denied);
	fixture_uplink(denied);
	answer();
	cr_expect_eq(refusal_of(denied), WIRE_CAUSE_CERT_EID_DENIED);
}

Test(au_worker, learning_leaves_the_last_snapshot_to_a_reload)
{
	struct test_ue *ue = fixture_ue();

	fixture_reload((struct fixture_trust){.unknown_eum = true});
	collect();
	hold_snapshots(AU_EPOCHS - 1, (struct fixture_trust){.unknown_eum = true});
	fixture_begin(ue);
	fixture_settle();
	cr_expect_eq(ue->device.state, DEVICE_ATTACHED);
	cr_expect_eq(fixture_event(AU_COUNT_EUMS_LEARNED), 1);

	struct au_trust *current = atomic_load(&f.shared->trust);

	collect();
	cr_expect_eq(atomic_load(&f.shared->trust), current, "the EUM waits until it comes again");
	cr_expect_eq(fixture_jobs_in_use(), 0);
	fixture_reload((struct fixture_trust){0});
}

/* ---------------------------------------------------------------- steering */

Test(au_steering, flow_goes_to_one_worker_whichever_reads_it)
{
	f.config.lcores[0] =
		(struct config_lcore){.n_stages = 4,
				      .stages = {CONFIG_STAGE_WORKER, CONFIG_STAGE_WORKER,
						 CONFIG_STAGE_CRYPTO, CONFIG_STAGE_CONTROL}};
	fixture_start();

	struct test_ue *ue[16];
	uint64_t by[2];

	for (unsigned int i = 0; i < RTE_DIM(ue); i++) {
		ue[i] = fixture_ue();
		fixture_begin(ue[i]);
	}
	fixture_settle();
	for (unsigned int i = 0; i < 2; i++)
		by[i] = au_worker_counters(f.au->workers[i])->events[AU_COUNT_ATTACH_REQUESTS];
	cr_expect_eq(by[0] + by[1], RTE_DIM(ue));
	cr_expect(by[0] > 0 && by[1] > 0);
	cr_expect_gt(fixture_event(AU_COUNT_STEERED), 0);
	for (unsigned int i = 0; i < RTE_DIM(ue); i++)
		cr_expect_eq(ue[i]->device.state, DEVICE_ATTACHED);
}

Test(au_steering, full_steering_ring_is_counted)
{
	f.config.lcores[0] =
		(struct config_lcore){.n_stages = 4,
				      .stages = {CONFIG_STAGE_WORKER, CONFIG_STAGE_WORKER,
						 CONFIG_STAGE_CRYPTO, CONFIG_STAGE_CONTROL}};
	fixture_start();

	unsigned int n = fill(f.au->steering[1], 0);

	for (unsigned int i = 0; i < 8; i++) {
		struct test_ue *ue = fixture_ue();

		fixture_begin(ue);
		fixture_uplink(ue);
	}
	au_worker_poll(f.au->workers[0]);
	empty(f.au->steering[1], n);
	cr_expect_gt(fixture_event(AU_COUNT_STEER_DROPPED), 0);
	cr_expect_eq(
		fixture_event(AU_COUNT_STEER_DROPPED) + fixture_event(AU_COUNT_ATTACH_REQUESTS), 8);
}

/* ---------------------------------------------------------------- handing over */

Test(au_hand_over, a_full_ring_of_a_gate_costs_the_packet_alone)
{
	struct test_ue *ue = fixture_ue(), *other = fixture_ue();
	unsigned int n_gates;

	fixture_attach_until(ue, UE_ATTACHED);
	fixture_settle();
	/* The next hop is asked for with the first packet. */
	fixture_send_packet(ue, ue->uplink_teid, ue->device.ipv4);
	fixture_settle();
	uint64_t up = au_gate_counter(f.au, GATE_COUNT_UPLINK_PACKETS);
	struct rte_ring *ring = au_user_plane_rings(f.shared->user_plane, &n_gates)[0];
	uint64_t handed_over = fixture_event(AU_COUNT_HANDED_OVER);
	unsigned int n = fill(ring, 1);

	cr_assert_eq(n_gates, 1);
	for (unsigned int i = 0; i < 3; i++)
		fixture_send_packet(ue, ue->uplink_teid, ue->device.ipv4);
	fixture_begin(other);
	fixture_uplink(other);
	work();
	cr_expect_eq(fixture_event(AU_COUNT_HANDED_OVER), handed_over + 1);
	cr_expect_eq(fixture_event(AU_COUNT_HAND_OVER_DROPPED), 2);
	cr_expect_eq(requests_waiting(), 1);
	empty(ring, n);
	fixture_settle();
	cr_expect_eq(au_gate_counter(f.au, GATE_COUNT_UPLINK_PACKETS), up + 1);
	cr_expect_eq(other->device.state, DEVICE_ATTACHED);
}
