/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The control stage: the procedure from step 2 to the PDU session, and what it does about messages
 * that come twice, late, from elsewhere, forged, or not at all.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "au/control.h"
#include "au_fixture.h"

enum { SOON_MS = 10 }; /* a timer that a test waits for */

TestSuite(au_control, .init = fixture_setup, .fini = fixture_teardown);
TestSuite(au_small, .init = fixture_prepare, .fini = fixture_teardown);

/* What was sent, through all stages, and the answers, which nobody gets yet. */
static unsigned int answer(void)
{
	au_worker_poll(f.worker);
	au_crypto_poll(f.crypto, false);
	au_control_poll(f.control);
	return fixture_downlink();
}

/* A UE in this state; what it would send next is pending. */
static struct test_ue *ue_in(enum ue_state state)
{
	struct test_ue *ue = fixture_ue();

	fixture_attach_until(ue, state);
	return ue;
}

static void send_again(const struct test_ue *ue)
{
	fixture_send_nas(ue, span_make(ue->nas, ue->n));
}

static unsigned int cause_in(const struct got *g)
{
	return g->m.ie[WIRE_IE_CAUSE].p[0];
}

static struct ue *context_in(const struct test_ue *ue, enum ue_state state)
{
	struct ue *context = fixture_context(ue);

	cr_assert_not_null(context);
	cr_expect_eq(context->state, state, "%s", ue_state_name(context->state));
	return context;
}

/* ---------------------------------------------------------------- the whole of it */

Test(au_control, ue_attaches_and_gets_its_session)
{
	struct test_ue *ue = fixture_ue();

	fixture_begin(ue);
	fixture_settle();
	cr_expect_eq(ue->device.state, DEVICE_ATTACHED);
	cr_expect_eq(ue->device.ipv4 >> 8, 0x0a0000);
	cr_expect_eq(ue->device.dns, 0xc0000235);
	cr_expect_eq(ue->device.smdp, 0xc0000250);
	cr_expect_eq(context_in(ue, UE_ATTACHED)->secured.ipv4, ue->device.ipv4);
	cr_expect_eq(fixture_event(AU_COUNT_ATTACHED), 1);
}

/* ---------------------------------------------------------------- repeated requests */

Test(au_control, retransmitted_request_gets_the_same_octets_without_cryptography)
{
	struct test_ue *ue = fixture_ue();
	uint8_t first[WIRE_NAS_MAX];
	const struct got *g;

	fixture_begin(ue);
	fixture_send_nas(ue, span_make(ue->nas, ue->n));
	answer();
	g = fixture_got_nas(ue, WIRE_NAS_AUTHENTICATION_REQUEST);
	struct span was =
		span_make(memcpy(first, g->payload, g->record.payload.n), g->record.payload.n);
	uint64_t id = g->record.au_ue_id, jobs = fixture_event(AU_COUNT_CRYPTO_JOBS);

	fixture_uplink(ue);
	answer();
	g = fixture_got_nas(ue, WIRE_NAS_AUTHENTICATION_REQUEST);
	cr_expect(span_equal(g->record.payload, was));
	cr_expect_eq(g->record.au_ue_id, id);
	cr_expect_eq(fixture_event(AU_COUNT_CRYPTO_JOBS), jobs);
	cr_expect_eq(fixture_event(AU_COUNT_RETRANSMITTED_REQUESTS), 1);
	cr_expect_eq(fixture_contexts(), 1);
}

Test(au_control, request_of_a_ue_that_is_further_on_is_not_answered_again)
{
	struct test_ue *ue = fixture_ue();
	uint8_t request[WIRE_NAS_MAX];
	size_t n;

	fixture_begin(ue);
	n = ue->n;
	memcpy(request, ue->nas, n);
	fixture_settle();
	fixture_send_nas(ue, span_make(request, n));
	cr_expect_eq(answer(), 0);
	cr_expect_eq(fixture_event(AU_COUNT_RETRANSMITTED_REQUESTS), 1);
	context_in(ue, UE_ATTACHED);
}

Test(au_control, replay_from_another_connection_is_refused_and_the_first_is_untouched)
{
	struct test_ue *ue = fixture_ue(), thief;

	fixture_begin(ue);
	thief = *ue;
	thief.an_ue_id = 4711;
	fixture_uplink(ue);
	answer();
	fixture_deliver();
	fixture_uplink(&thief);
	answer();
	cr_expect_eq(cause_in(fixture_got_nas(&thief, WIRE_NAS_ATTACH_REJECT)),
		     WIRE_CAUSE_REPLAYED_REQUEST);
	fixture_settle();
	cr_expect_eq(ue->device.state, DEVICE_ATTACHED);
}

/* Both are past the worker before either is known. */
Test(au_control, replay_that_overtakes_itself_in_the_pipeline_is_refused)
{
	struct test_ue *ue = fixture_ue(), thief;

	fixture_begin(ue);
	thief = *ue;
	thief.an_ue_id = 4711;
	fixture_uplink(ue);
	fixture_uplink(&thief);
	answer();
	fixture_got_nas(ue, WIRE_NAS_AUTHENTICATION_REQUEST);
	cr_expect_eq(cause_in(fixture_got_nas(&thief, WIRE_NAS_ATTACH_REJECT)),
		     WIRE_CAUSE_REPLAYED_REQUEST);
	cr_expect_eq(fixture_contexts(), 1);
}

Test(au_control, retry_of_what_is_remembered_no_more_is_late)
{
	struct test_ue *ue = fixture_ue();
	struct au_job *job;

	fixture_begin(ue);
	send_again(ue);
	answer();
	fixture_uplink(ue);
	au_worker_poll(f.worker);
	cr_assert_eq(rte_ring_dequeue(f.shared->control_rings[0], (void **)&job), 0);
	cr_assert_eq(job->kind, AU_JOB_RETRY);
	job->rand_ue[0] ^= 1;
	cr_assert_eq(rte_ring_enqueue(f.shared->control_rings[0], job), 0);
	au_control_poll(f.control);
	cr_expect_eq(fixture_downlink(), 0);
	cr_expect_eq(fixture_event(AU_COUNT_LATE), 1);
}

/* ---------------------------------------------------------------- late and stray messages */

Test(au_control, response_for_a_context_that_moved_on_is_late)
{
	struct test_ue *ue = ue_in(UE_AUTHENTICATION);
	struct au_job *job;

	fixture_uplink(ue);
	au_worker_poll(f.worker);
	au_crypto_poll(f.crypto, false);
	/* While the job is on the way the AN lets go of the UE. */
	cr_assert_eq(rte_ring_dequeue(f.shared->control_rings[0], (void **)&job), 0);
	fixture_send_cause(ue, WIRE_RELEASE_REQUEST, WIRE_CAUSE_RELEASED);
	answer();
	cr_assert_eq(rte_ring_enqueue(f.shared->control_rings[0], job), 0);
	au_control_poll(f.control);
	cr_expect_eq(fixture_downlink(), 0);
	cr_expect_eq(fixture_event(AU_COUNT_LATE), 1);
	cr_expect_eq(fixture_contexts(), 0);
}

Test(au_control, refused_response_of_a_run_that_is_over_is_counted_alone)
{
	struct test_ue *ue = ue_in(UE_AUTHENTICATION);
	struct au_job *job;

	fixture_ie(ue, WIRE_IE_RAND_AU)[0] ^= 1;
	fixture_uplink(ue);
	au_worker_poll(f.worker);
	cr_assert_eq(rte_ring_dequeue(f.shared->control_rings[0], (void **)&job), 0);
	fixture_send_cause(ue, WIRE_RELEASE_REQUEST, WIRE_CAUSE_RELEASED);
	answer();
	cr_assert_eq(rte_ring_enqueue(f.shared->control_rings[0], job), 0);
	au_control_poll(f.control);
	cr_expect_eq(fixture_downlink(), 0);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_RAND_MISMATCH), 1);
}

Test(au_control, answers_of_the_an_that_come_twice_are_late)
{
	struct test_ue *ue = ue_in(UE_ATTACHED);
	struct wire_message m;

	wire_message_init(&m, 0, WIRE_CONTEXT_SETUP_RESPONSE);
	fixture_send_ies(ue, &m);
	wire_message_init(&m, 0, WIRE_SESSION_SETUP_RESPONSE);
	wire_set(&m, WIRE_IE_PDU_SESSION_ID, &fixture_context(ue)->secured.pdu_session_id, 1);
	fixture_send_ies(ue, &m);
	cr_expect_eq(answer(), 0);
	cr_expect_eq(fixture_event(AU_COUNT_LATE), 2);
	context_in(ue, UE_ATTACHED);
}

Test(au_control, records_about_a_context_of_another_connection_touch_nobody)
{
	struct test_ue *ue = ue_in(UE_ATTACHED), other = *ue;

	other.an = 1;
	fixture_send_cause(&other, WIRE_RELEASE_REQUEST, WIRE_CAUSE_RELEASED);
	other = *ue;
	other.an_ue_id++;
	fixture_send_cause(&other, WIRE_RELEASE_REQUEST, WIRE_CAUSE_RELEASED);
	other.au_ue_id ^= 1;
	fixture_send_nas(&other, span_make("\x7e\x02\0\0\0\0\0\0", 8));
	cr_expect_eq(answer(), 0);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_UE_UNKNOWN), 3);
	context_in(ue, UE_ATTACHED);
}

Test(au_control, record_that_cannot_be_read_is_counted)
{
	struct test_ue *ue = ue_in(UE_ATTACHED);

	fixture_send_record(0, ue->port, WIRE_RELEASE_REQUEST, ue->an_ue_id, ue->au_ue_id,
			    span_make("\x07", 1));
	cr_expect_eq(answer(), 0);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_IE_TRUNCATED) + fixture_cause(WIRE_CAUSE_IE_UNKNOWN) +
			     fixture_cause(WIRE_CAUSE_TRUNCATED) +
			     fixture_cause(WIRE_CAUSE_IE_MISSING),
		     1);
	context_in(ue, UE_ATTACHED);
}

Test(au_control, error_indication_and_release_complete_change_nothing)
{
	struct test_ue *ue = ue_in(UE_ATTACHED);
	struct wire_message m;

	fixture_send_cause(ue, WIRE_ERROR_INDICATION, WIRE_CAUSE_INTERNAL);
	wire_message_init(&m, 0, WIRE_RELEASE_COMPLETE);
	fixture_send_ies(ue, &m);
	cr_expect_eq(answer(), 0);
	context_in(ue, UE_ATTACHED);
}

/* ---------------------------------------------------------------- forged NAS */

Test(au_control, security_mode_complete_with_a_wrong_mac_changes_nothing)
{
	struct test_ue *ue = ue_in(UE_SECURITY_MODE);
	struct ue before = *fixture_context(ue);

	ue->nas[3] ^= 1;
	send_again(ue);
	ue->nas[3] ^= 1;
	cr_expect_eq(answer(), 0);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_NAS_MAC), 1);
	cr_expect_eq(memcmp(&before, fixture_context(ue), sizeof(before)), 0);
	fixture_settle();
	cr_expect_eq(ue->device.state, DEVICE_ATTACHED);
}

/* A key that was sealed twice must not be under one nonce, nor the next of a run that began in the
 * same second be where this one was. */
Test(au_control, seals_have_nonces_that_count_up_from_anywhere)
{
	struct test_ue *ues[2] = {ue_in(UE_SECURITY_MODE), ue_in(UE_SECURITY_MODE)};
	uint8_t nonces[2][SEC_SEAL_NONCE_SIZE];

	for (unsigned int i = 0; i < 2; i++) {
		fixture_uplink(ues[i]);
		answer();
		const struct got *g = fixture_got_record(ues[i], WIRE_CONTEXT_SETUP_REQUEST);

		memcpy(nonces[i], g->m.ie[WIRE_IE_SEALED_KGNB].p, SEC_SEAL_NONCE_SIZE);
	}
	cr_expect_eq(memcmp(nonces[0], nonces[1], 4), 0);
	cr_expect_eq(load_be64(nonces[1] + 4), load_be64(nonces[0] + 4) + 1);
	cr_expect_neq(load_be64(nonces[0] + 4) & UINT64_C(0xffffffffffff), 0, "nobody drew it");
}

Test(au_control, protected_message_that_comes_again_is_a_replay)
{
	struct test_ue *ue = ue_in(UE_SECURITY_MODE);

	send_again(ue);
	fixture_uplink(ue);
	answer();
	fixture_got_record(ue, WIRE_CONTEXT_SETUP_REQUEST);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_NAS_REPLAYED), 1);
	context_in(ue, UE_AN_CONTEXT);
}

Test(au_control, message_in_the_wrong_protection_is_counted_and_dropped)
{
	static const uint8_t status[] = {WIRE_EPD_5GMM, 0, WIRE_NAS_5GMM_STATUS, 0x6f};
	static const uint8_t no_type[] = {WIRE_EPD_5GMM, 0, 0x7d, 0};
	uint8_t integrity_only[16] = {WIRE_EPD_5GMM, SEC_HDR_INTEGRITY},
		ciphered[16] = {WIRE_EPD_5GMM, SEC_HDR_INTEGRITY_CIPHERED};
	struct test_ue *half_open = ue_in(UE_AUTHENTICATION), *ue = ue_in(UE_ATTACHED);

	fixture_send_nas(ue, span_make(status, sizeof(status)));
	fixture_send_nas(ue, span_make(no_type, sizeof(no_type)));
	fixture_send_nas(ue, span_make(integrity_only, sizeof(integrity_only)));
	fixture_send_nas(ue, span_make("\x7f\x02\0\0\0\0\0\0", 8));
	fixture_send_nas(ue, span_make(ciphered, 5));
	fixture_send_nas(half_open, span_make(status, sizeof(status)));
	fixture_send_nas(half_open, span_make(ciphered, sizeof(ciphered)));
	cr_expect_eq(answer(), 0);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_NAS_UNPROTECTED), 1);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_MESSAGE_UNKNOWN), 1);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_BAD_HEADER), 2);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_TRUNCATED), 1);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_OUT_OF_ORDER), 2);
	context_in(ue, UE_ATTACHED);
	context_in(half_open, UE_AUTHENTICATION);
}

/* ---------------------------------------------------------------- protected NAS of our own */

/* As the UE would protect it. */
static void send_protected(struct test_ue *ue, enum sec_header header, struct span plain)
{
	uint8_t out[256];
	size_t n;

	cr_assert_eq(sec_nas_protect(f.world.sec, &ue->device.nas, SEC_UPLINK,
				     ue->device.uplink_count++, header, plain, out, sizeof(out),
				     &n),
		     SEC_OK);
	fixture_send_nas(ue, span_make(out, n));
}

static void send_protected_type(struct test_ue *ue, enum sec_header header, uint8_t type)
{
	const uint8_t plain[] = {WIRE_EPD_5GMM, 0, type};

	send_protected(ue, header, span_make(plain, sizeof(plain)));
}

Test(au_control, protected_message_that_does_not_fit_the_state_is_out_of_order)
{
	struct test_ue *early = ue_in(UE_SECURITY_MODE), *ue = ue_in(UE_ATTACHED);
	const enum sec_header ciphered = SEC_HDR_INTEGRITY_CIPHERED;

	send_protected_type(early, ciphered, WIRE_NAS_ATTACH_COMPLETE);
	send_protected_type(early, ciphered, WIRE_NAS_DETACH_REQUEST);
	send_protected_type(ue, SEC_HDR_INTEGRITY_CIPHERED_NEW, WIRE_NAS_SECURITY_MODE_COMPLETE);
	cr_expect_eq(answer(), 0);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_OUT_OF_ORDER), 3);
	send_protected_type(ue, SEC_HDR_INTEGRITY_CIPHERED_NEW, WIRE_NAS_ATTACH_COMPLETE);
	send_protected_type(ue, ciphered, WIRE_NAS_SECURITY_MODE_COMPLETE);
	cr_expect_eq(answer(), 0);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_BAD_HEADER), 2);
	send_protected_type(ue, ciphered, WIRE_NAS_ATTACH_COMPLETE);
	cr_expect_eq(answer(), 0);
	cr_expect_eq(fixture_event(AU_COUNT_LATE), 1, "an ATTACH COMPLETE that comes twice");
	context_in(early, UE_SECURITY_MODE);
	context_in(ue, UE_ATTACHED);
}

Test(au_control, protected_message_that_cannot_be_read_is_counted_by_its_cause)
{
	static const uint8_t status[] = {WIRE_EPD_5GMM, 0, WIRE_NAS_5GMM_STATUS, 0x6f};
	struct test_ue *ue = ue_in(UE_ATTACHED);

	send_protected_type(ue, SEC_HDR_INTEGRITY_CIPHERED, 0x7d);
	send_protected_type(ue, SEC_HDR_INTEGRITY_CIPHERED, WIRE_NAS_DETACH_ACCEPT);
	send_protected_type(ue, SEC_HDR_INTEGRITY_CIPHERED, WIRE_NAS_ATTACH_REQUEST);
	send_protected(ue, SEC_HDR_INTEGRITY_CIPHERED, span_make(status, sizeof(status)));
	cr_expect_eq(answer(), 0);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_MESSAGE_UNKNOWN), 1);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_OUT_OF_ORDER), 1, "an answer to nothing");
	cr_expect_eq(fixture_cause(WIRE_CAUSE_IE_MISSING), 1);
	context_in(ue, UE_ATTACHED);
}

Test(au_control, detached_ue_leaves_nothing)
{
	struct test_ue *ue = ue_in(UE_ATTACHED);

	send_protected_type(ue, SEC_HDR_INTEGRITY_CIPHERED, WIRE_NAS_DETACH_REQUEST);
	answer();
	cr_expect_eq(cause_in(fixture_got_record(ue, WIRE_RELEASE_COMMAND)), WIRE_CAUSE_RELEASED);
	cr_expect_eq(fixture_contexts(), 0);
	cr_expect_eq(fixture_event(AU_COUNT_RELEASED), 1);
}

/* ---------------------------------------------------------------- refusals of the UE and the AN */

static void send_plain_cause(const struct test_ue *ue, uint8_t type, enum wire_ie ie)
{
	uint8_t out[16], value = WIRE_CAUSE_CERT_AU;
	struct wire_message m;

	wire_message_init(&m, WIRE_EPD_5GMM, type);
	wire_set(&m, ie, &value, 1);
	fixture_send_nas(ue, span_make(out, wire_encode(&m, out, sizeof(out))));
}

Test(au_control, ue_that_refuses_the_network_leaves_nothing)
{
	struct test_ue *first = ue_in(UE_AUTHENTICATION), *second = ue_in(UE_SECURITY_MODE);

	first->pending = second->pending = false;
	send_plain_cause(first, WIRE_NAS_AUTHENTICATION_FAILURE, WIRE_IE_CAUSE);
	send_plain_cause(second, WIRE_NAS_SECURITY_MODE_REJECT, WIRE_IE_5GMM_CAUSE);
	answer();
	cr_expect_eq(cause_in(fixture_got_record(first, WIRE_RELEASE_COMMAND)),
		     WIRE_CAUSE_NETWORK_REFUSED);
	cr_expect_eq(cause_in(fixture_got_record(second, WIRE_RELEASE_COMMAND)),
		     WIRE_CAUSE_SMC_REJECTED);
	cr_expect_eq(fixture_contexts(), 0);
}

Test(au_control, an_that_refuses_the_context_ends_the_attach)
{
	struct test_ue *ue = ue_in(UE_SECURITY_MODE);

	ue->silent = true;
	fixture_uplink(ue);
	answer();
	fixture_deliver();
	context_in(ue, UE_AN_CONTEXT);
	fixture_send_cause(ue, WIRE_CONTEXT_SETUP_FAILURE, WIRE_CAUSE_INTERNAL);
	answer();
	cr_expect_eq(cause_in(fixture_got_record(ue, WIRE_RELEASE_COMMAND)),
		     WIRE_CAUSE_AN_CONTEXT_REFUSED);
	fixture_deliver();
	cr_expect_eq(ue->device.state, DEVICE_REJECTED, "in the protection that it has");
	cr_expect_eq(ue->device.cause, WIRE_CAUSE_AN_CONTEXT_REFUSED);
	cr_expect_eq(fixture_contexts(), 0);
}

Test(au_control, an_that_refuses_the_session_ends_the_attach)
{
	struct test_ue *ue = fixture_ue();
	uint8_t id = 1, cause = WIRE_CAUSE_INTERNAL;
	struct wire_message m;

	fixture_attach_until(ue, UE_ACCEPT);
	ue->silent = true;
	fixture_uplink(ue);
	for (unsigned int i = 0; i < 3 && fixture_context(ue)->state != UE_AN_SESSION; i++) {
		answer();
		device_timer(&f.world, &ue->device);
		fixture_uplink(ue);
	}
	answer();
	context_in(ue, UE_AN_SESSION);
	wire_message_init(&m, 0, WIRE_SESSION_SETUP_FAILURE);
	wire_set(&m, WIRE_IE_PDU_SESSION_ID, &id, 1);
	wire_set(&m, WIRE_IE_CAUSE, &cause, 1);
	fixture_send_ies(ue, &m);
	answer();
	cr_expect_eq(cause_in(fixture_got_record(ue, WIRE_RELEASE_COMMAND)),
		     WIRE_CAUSE_SESSION_REFUSED);
	cr_expect_eq(fixture_contexts(), 0);
}

/* ---------------------------------------------------------------- timers */

/* Its timer has run out. */
static void expire(const struct test_ue *ue)
{
	ue_table_arm(f.shared->tables[0], fixture_context(ue), f.control->tick);
}

/* Runs the context's timers out, with nobody answering; how often this record was sent. */
static unsigned int run_out(struct test_ue *ue, enum wire_record_type type)
{
	unsigned int n = 0;

	ue->silent = true;
	ue->pending = false;
	expire(ue);
	for (unsigned int i = 0; i < 100 && fixture_context(ue); i++) {
		fixture_control_for(SOON_MS / 2);
		fixture_downlink();
		for (unsigned int j = 0; j < f.n_got; j++)
			n += f.got[j].record.type == type;
		fixture_deliver();
	}
	return n;
}

static void make_timers_short(void)
{
	struct config_timers *t = &f.config.timers;

	t->t3560_ms = t->t3550_ms = t->tan_ms = t->session_ms = SOON_MS;
}

static void expect_retries_then_timeout(enum ue_state state, enum wire_record_type type,
					unsigned int wanted)
{
	struct test_ue *ue = ue_in(state);
	uint64_t timeouts = fixture_cause(WIRE_CAUSE_TIMEOUT);
	uint64_t before = fixture_event(AU_COUNT_RETRANSMISSIONS);

	make_timers_short();
	unsigned int sent = run_out(ue, type);

	cr_expect_eq(sent, wanted, "%s: sent %u times", ue_state_name(state), sent);
	cr_expect_eq(fixture_event(AU_COUNT_RETRANSMISSIONS) - before, 2);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_TIMEOUT) - timeouts, 1);
	cr_expect_eq(ue->released, WIRE_CAUSE_TIMEOUT);
	cr_expect_eq(fixture_contexts(), 0);
	/* Nothing plain is believed once security is on. */
	if (state != UE_SECURITY_MODE) {
		cr_expect_eq(ue->device.state, DEVICE_REJECTED, "%s", ue_state_name(state));
		cr_expect_eq(ue->device.cause, WIRE_CAUSE_TIMEOUT);
	}
}

Test(au_control, authentication_request_is_sent_again_and_in_the_end_given_up)
{
	expect_retries_then_timeout(UE_AUTHENTICATION, WIRE_DOWNLINK_NAS, 2 + 1);
}

Test(au_control, security_mode_command_is_sent_again_and_in_the_end_given_up)
{
	expect_retries_then_timeout(UE_SECURITY_MODE, WIRE_DOWNLINK_NAS, 2 + 1);
}

Test(au_control, context_setup_request_is_sent_again_and_in_the_end_given_up)
{
	expect_retries_then_timeout(UE_AN_CONTEXT, WIRE_CONTEXT_SETUP_REQUEST, 2);
}

Test(au_control, attach_accept_is_sent_again_and_in_the_end_given_up)
{
	expect_retries_then_timeout(UE_ACCEPT, WIRE_DOWNLINK_NAS, 2 + 1);
}

Test(au_control, session_setup_request_is_sent_again_and_in_the_end_given_up)
{
	expect_retries_then_timeout(UE_AN_SESSION, WIRE_SESSION_SETUP_REQUEST, 2);
}

Test(au_control, every_answer_may_be_lost_once)
{
	static const enum ue_state states[] = {UE_AUTHENTICATION, UE_SECURITY_MODE, UE_AN_CONTEXT,
					       UE_ACCEPT, UE_AN_SESSION};
	struct test_ue *ue = fixture_ue();

	fixture_begin(ue);
	for (unsigned int i = 0; i < RTE_DIM(states); i++) {
		fixture_advance(ue, states[i]);
		fixture_lose(ue);
		expire(ue);
		fixture_control_for(2 * SOON_MS);
		fixture_downlink();
		fixture_deliver();
		device_timer(&f.world, &ue->device);
	}
	fixture_settle();
	cr_expect_eq(ue->device.state, DEVICE_ATTACHED);
	context_in(ue, UE_ATTACHED);
	cr_expect_eq(fixture_event(AU_COUNT_RETRANSMISSIONS), RTE_DIM(states));
}

Test(au_small, half_open_ues_are_asked_once_when_room_becomes_scarce)
{
	enum { MOST = 8 };
	struct test_ue *ues[MOST];

	f.config.ue.max_half_open = MOST;
	fixture_start();
	for (unsigned int i = 0; i < MOST; i++) {
		ues[i] = fixture_ue();
		fixture_attach_until(ues[i], UE_AUTHENTICATION);
		fixture_lose(ues[i]);
	}
	/* Two of eight must go before there is a quarter of room again; the others are asked as
	 * often as ever. */
	for (unsigned int i = 0; i < MOST; i++) {
		expire(ues[i]);
		fixture_control_for(2 * SOON_MS);
		if (i < 2)
			cr_expect_null(fixture_context(ues[i]), "%u", i);
		else
			cr_expect_not_null(fixture_context(ues[i]), "%u", i);
	}
	cr_expect_eq(fixture_cause(WIRE_CAUSE_TIMEOUT), 2);
	fixture_downlink();
}

Test(au_control, ue_that_never_asks_for_its_session_is_given_up_at_once)
{
	struct test_ue *ue = ue_in(UE_ACCEPT);

	ue->pending = false;
	answer(); /* ATTACH COMPLETE */
	context_in(ue, UE_REGISTERED);
	run_out(ue, WIRE_DOWNLINK_NAS);
	cr_expect_eq(fixture_event(AU_COUNT_RETRANSMISSIONS), 0);
	cr_expect_eq(ue->released, WIRE_CAUSE_TIMEOUT);
	cr_expect_eq(fixture_contexts(), 0);
}

Test(au_control, attached_ue_is_let_go_when_its_time_is_over)
{
	struct test_ue *ue = ue_in(UE_ATTACHED);

	cr_expect_eq(run_out(ue, WIRE_DOWNLINK_NAS), 0);
	cr_expect_eq(ue->released, WIRE_CAUSE_TIMEOUT);
	cr_expect_eq(fixture_event(AU_COUNT_RELEASED), 1);
	cr_expect_eq(fixture_contexts(), 0);
}

/* ---------------------------------------------------------------- room, supersession, the end */

Test(au_small, full_table_refuses_with_a_back_off_and_loses_nobody)
{
	f.config.ue.max_half_open = 2;
	fixture_start();

	struct test_ue *first = ue_in(UE_AUTHENTICATION), *second = ue_in(UE_AUTHENTICATION);
	struct test_ue *late = fixture_ue();
	const struct got *g;

	fixture_begin(late);
	fixture_uplink(late);
	answer();
	g = fixture_got_nas(late, WIRE_NAS_ATTACH_REJECT);
	cr_expect_eq(cause_in(g), WIRE_CAUSE_UE_TABLE_FULL);
	cr_assert(wire_has(&g->m, WIRE_IE_BACK_OFF));
	cr_expect_eq(wire_timer2_decode(g->m.ie[WIRE_IE_BACK_OFF].p[0]),
		     f.config.timers.back_off_s);
	fixture_settle();
	cr_expect_eq(first->device.state, DEVICE_ATTACHED);
	cr_expect_eq(second->device.state, DEVICE_ATTACHED);
	fixture_begin(late);
	fixture_settle();
	cr_expect_eq(late->device.state, DEVICE_ATTACHED);
}

/* The worker saw room for each; the table has it for one. */
Test(au_small, table_that_fills_behind_the_worker_refuses_too)
{
	f.config.ue.max_half_open = 1;
	fixture_start();

	struct test_ue *first = fixture_ue(), *second = fixture_ue();

	fixture_begin(first);
	fixture_begin(second);
	fixture_uplink(first);
	fixture_uplink(second);
	answer();
	fixture_got_nas(first, WIRE_NAS_AUTHENTICATION_REQUEST);
	cr_expect_eq(cause_in(fixture_got_nas(second, WIRE_NAS_ATTACH_REJECT)),
		     WIRE_CAUSE_UE_TABLE_FULL);
	fixture_deliver();
	fixture_settle();
	cr_expect_eq(first->device.state, DEVICE_ATTACHED);
}

Test(au_control, authenticated_attach_takes_the_place_of_an_older_one_of_its_eid)
{
	struct test_ue *older = ue_in(UE_ATTACHED), *newer = fixture_ue();
	uint64_t id = older->au_ue_id;

	newer->device.cert_euicc = older->device.cert_euicc;
	newer->device.eid = older->device.eid;
	newer->device.private_key = older->device.private_key;
	fixture_attach_until(newer, UE_AUTHENTICATION);
	context_in(older, UE_ATTACHED);
	fixture_uplink(newer);
	answer();
	cr_expect_eq(cause_in(fixture_got_record(older, WIRE_RELEASE_COMMAND)),
		     WIRE_CAUSE_SUPERSEDED);
	fixture_deliver();
	fixture_settle();
	cr_expect_null(ue_table_find(f.shared->tables[0], id));
	cr_expect_eq(newer->device.state, DEVICE_ATTACHED);
	cr_expect_eq(fixture_contexts(), 1);
}

Test(au_control, draining_refuses_new_attaches_and_finishes_those_begun)
{
	struct test_ue *begun = ue_in(UE_AUTHENTICATION), *late = fixture_ue();
	const struct got *g;

	au_drain(f.au);
	cr_expect_not(au_idle(f.au));
	fixture_begin(late);
	fixture_uplink(late);
	answer();
	g = fixture_got_nas(late, WIRE_NAS_ATTACH_REJECT);
	cr_expect_eq(cause_in(g), WIRE_CAUSE_SHUTTING_DOWN);
	cr_expect(wire_has(&g->m, WIRE_IE_BACK_OFF));
	fixture_settle();
	cr_expect_eq(begun->device.state, DEVICE_ATTACHED);
	cr_expect(au_idle(f.au));
}

Test(au_control, stopping_refuses_whoever_is_on_the_way_and_keeps_the_attached)
{
	static const enum ue_state states[] = {UE_AUTHENTICATION, UE_SECURITY_MODE, UE_AN_CONTEXT,
					       UE_ACCEPT, UE_ATTACHED};
	struct test_ue *ue[RTE_DIM(states)];

	for (unsigned int i = 0; i < RTE_DIM(states); i++) {
		ue[i] = ue_in(states[i]);
		ue[i]->silent = true;
		ue[i]->pending = false;
	}
	atomic_store(&f.shared->mode, AU_STOPPING);
	au_control_poll(f.control);
	fixture_downlink();
	fixture_deliver();
	for (unsigned int i = 0; i < RTE_DIM(states); i++)
		cr_expect_eq(ue[i]->released,
			     states[i] == UE_ATTACHED ? WIRE_CAUSE_NONE : WIRE_CAUSE_SHUTTING_DOWN);
	cr_expect_eq(fixture_contexts(), 1);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_SHUTTING_DOWN), 4);
}

Test(au_control, stop_tells_whoever_is_on_the_way_before_the_port_goes)
{
	struct test_ue *ue = ue_in(UE_AUTHENTICATION);

	au_start(f.au);
	au_stop(f.au);
	f.stopped = true;
	fixture_downlink();
	cr_expect_eq(cause_in(fixture_got_nas(ue, WIRE_NAS_AUTHENTICATION_REJECT)),
		     WIRE_CAUSE_SHUTTING_DOWN);
	cr_expect_eq(fixture_contexts(), 0);
}

/* ---------------------------------------------------------------- multiples of the device key */

/* As many at once as fill the lanes: of a lone key none are left. */
Test(au_control, multiples_are_the_contexts_until_step_6)
{
	struct test_ue *ue[16];

	if (!f.shared->multiples)
		cr_skip_test("this backend leaves no multiples");
	for (unsigned int i = 0; i < RTE_DIM(ue); i++) {
		ue[i] = fixture_ue();
		fixture_begin(ue[i]);
		fixture_uplink(ue[i]);
	}
	answer();
	fixture_deliver();
	cr_expect_eq(rte_mempool_in_use_count(f.shared->multiples), RTE_DIM(ue));
	fixture_advance(ue[0], UE_SECURITY_MODE);
	cr_expect_eq(rte_mempool_in_use_count(f.shared->multiples), RTE_DIM(ue) - 1);
	fixture_send_cause(ue[1], WIRE_RELEASE_REQUEST, WIRE_CAUSE_RELEASED);
	answer();
	cr_expect_eq(rte_mempool_in_use_count(f.shared->multiples), RTE_DIM(ue) - 2);
	fixture_settle();
	for (unsigned int i = 2; i < RTE_DIM(ue); i++)
		cr_expect_eq(ue[i]->device.state, DEVICE_ATTACHED);
	cr_expect_eq(rte_mempool_in_use_count(f.shared->multiples), 0);
}

/* ---------------------------------------------------------------- the session */

/* UL NAS TRANSPORT of a session message. */
static size_t transport(const struct wire_message *sm, struct span dnn, uint8_t plain[256])
{
	uint8_t container[128], payload_type = 1, id = 1, request = 1;
	size_t n = wire_encode(sm, container, sizeof(container));
	struct wire_message m;

	cr_assert_gt(n, 0);
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_UL_NAS_TRANSPORT);
	wire_set(&m, WIRE_IE_PAYLOAD_CONTAINER_TYPE, &payload_type, 1);
	wire_set(&m, WIRE_IE_PAYLOAD_CONTAINER, container, n);
	wire_set(&m, WIRE_IE_PDU_SESSION_ID, &id, 1);
	wire_set(&m, WIRE_IE_REQUEST_TYPE, &request, 1);
	if (dnn.n > 0)
		wire_set(&m, WIRE_IE_DNN, dnn.p, dnn.n);
	n = wire_encode(&m, plain, 256);
	cr_assert_gt(n, 0);
	return n;
}

static void send_session_request(struct test_ue *ue, const struct wire_message *sm, struct span dnn)
{
	uint8_t plain[256];

	send_protected(ue, SEC_HDR_INTEGRITY_CIPHERED, span_make(plain, transport(sm, dnn, plain)));
}

static struct wire_message session_request(uint8_t type)
{
	static const uint8_t rate[2] = {0xff, 0xff}, ipv4 = 1, cause = 26;
	struct wire_message sm;

	wire_message_init(&sm, WIRE_EPD_5GSM, type);
	sm.pdu_session_id = 1;
	sm.pti = 1;
	if (type == WIRE_NAS_SESSION_ESTABLISHMENT_REQUEST) {
		wire_set(&sm, WIRE_IE_INTEGRITY_MAX_RATE, rate, sizeof(rate));
		wire_set(&sm, WIRE_IE_PDU_SESSION_TYPE, &ipv4, 1);
	} else {
		wire_set(&sm, WIRE_IE_5GSM_CAUSE, &cause, 1);
	}
	return sm;
}

Test(au_control, session_on_another_dnn_is_refused_and_the_attach_goes_on)
{
	struct test_ue *ue = ue_in(UE_ACCEPT);
	struct wire_message sm = session_request(WIRE_NAS_SESSION_ESTABLISHMENT_REQUEST);

	ue->pending = false;
	send_session_request(ue, &sm, span_make("\x08internet", 9));
	answer();
	cr_expect_eq(fixture_cause(WIRE_CAUSE_SESSION_REFUSED), 1);
	cr_expect_eq(f.n_got, 1, "PDU SESSION ESTABLISHMENT REJECT");
	context_in(ue, UE_REGISTERED);
	send_session_request(ue, &sm, span_make("\x03rsp", 4));
	fixture_settle();
	context_in(ue, UE_ATTACHED);
	cr_expect_eq(ue->device.state, DEVICE_ATTACHED);
}

/* The UE has its ATTACH ACCEPT, or it would not ask: it is not sent again, whatever comes of the
 * session. */
Test(au_control, session_refused_without_an_attach_complete_leaves_the_ue_registered)
{
	struct test_ue *ue = ue_in(UE_ACCEPT);
	struct wire_message sm = session_request(WIRE_NAS_SESSION_ESTABLISHMENT_REQUEST);

	fixture_lose(ue);
	send_session_request(ue, &sm, span_make("\x08internet", 9));
	answer();
	cr_expect_eq(fixture_cause(WIRE_CAUSE_SESSION_REFUSED), 1);
	cr_expect_eq(f.n_got, 1, "PDU SESSION ESTABLISHMENT REJECT");
	context_in(ue, UE_REGISTERED);
	run_out(ue, WIRE_DOWNLINK_NAS);
	cr_expect_eq(fixture_event(AU_COUNT_RETRANSMISSIONS), 0);
	cr_expect_eq(ue->released, WIRE_CAUSE_TIMEOUT);
}

Test(au_control, session_request_that_cannot_be_read_says_that_attach_accept_has_come)
{
	struct test_ue *ue = ue_in(UE_ACCEPT);
	struct wire_message reject = session_request(WIRE_NAS_SESSION_ESTABLISHMENT_REJECT);

	fixture_lose(ue);
	send_session_request(ue, &reject, span_make(NULL, 0));
	cr_expect_eq(answer(), 0);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_MESSAGE_UNKNOWN), 1);
	context_in(ue, UE_REGISTERED);
}

Test(au_control, session_asked_for_again_is_given_again)
{
	struct test_ue *ue = ue_in(UE_ATTACHED);
	struct wire_message sm = session_request(WIRE_NAS_SESSION_ESTABLISHMENT_REQUEST);
	uint32_t ipv4 = fixture_context(ue)->secured.ipv4;

	send_session_request(ue, &sm, span_make(NULL, 0));
	cr_expect_eq(answer(), 1, "the ACCEPT alone");
	context_in(ue, UE_ATTACHED);
	cr_expect_eq(fixture_context(ue)->secured.ipv4, ipv4);
}

Test(au_control, session_message_that_is_no_request_is_counted)
{
	struct test_ue *ue = ue_in(UE_ATTACHED);
	struct wire_message reject = session_request(WIRE_NAS_SESSION_ESTABLISHMENT_REJECT),
			    request = session_request(WIRE_NAS_SESSION_ESTABLISHMENT_REQUEST);
	struct span dnn = span_make("\x03rsp", 4);
	uint8_t plain[256], *at;
	size_t n;

	send_session_request(ue, &reject, span_make(NULL, 0));
	n = transport(&request, dnn, plain);
	at = memmem(plain, n, dnn.p, dnn.n);
	cr_assert_not_null(at);
	*at = 9; /* a label past the end */
	send_protected(ue, SEC_HDR_INTEGRITY_CIPHERED, span_make(plain, n));
	cr_expect_eq(answer(), 0);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_MESSAGE_UNKNOWN), 1);
	cr_expect_eq(fixture_cause(WIRE_CAUSE_IE_BAD_VALUE), 1);
	context_in(ue, UE_ATTACHED);
}

/* ---------------------------------------------------------------- overload */

enum { SERVED = 1000 /* attaches a second, by the crypto stage's own measure */ };

/* What admission counted of access nodes 0 and 1 within a tenth of a second, and that it refused so
 * many. */
static void demand(unsigned int asked0, unsigned int asked1, unsigned int refused1)
{
	atomic_store(&f.shared->paces[0].cycles, f.shared->tsc_hz / SERVED);
	f.shared->demand[0][0].asked += asked0;
	f.shared->demand[0][1].asked += asked1;
	f.shared->demand[0][0].let_in += asked0;
	f.shared->demand[0][1].let_in += asked1 - refused1;
	f.control->overload_tsc = rte_rdtsc() - f.shared->tsc_hz / 10;
	f.control->overload_next = f.shared->n_ans;
	au_control_poll(f.control);
	fixture_downlink();
}

static const struct got *told(enum wire_record_type type)
{
	for (unsigned int i = 0; i < f.n_got; i++)
		if (f.got[i].record.type == type) {
			cr_expect_eq(f.got[i].an, 1);
			return &f.got[i];
		}
	cr_assert_fail("no %s", wire_record_name((uint8_t)type));
	return NULL;
}

/* Of access node 1 alone; a tick more or less may have passed. */
static void expect_reduction(double keep)
{
	const struct got *g = told(WIRE_OVERLOAD_START);
	double reduction = 100 * (1 - keep);

	cr_expect_geq(g->m.ie[WIRE_IE_TRAFFIC_REDUCTION].p[0], reduction - 100 * keep / 8 - 1);
	cr_expect_leq(g->m.ie[WIRE_IE_TRAFFIC_REDUCTION].p[0], reduction + 1);
	cr_expect(wire_has(&g->m, WIRE_IE_BACK_OFF));
	cr_expect_eq(au_ans_holding_back(f.au), 1);
}

Test(au_control, access_node_that_asks_for_more_than_its_part_is_told_to_hold_back)
{
	demand(0, SERVED / 10, 0);
	cr_expect_eq(f.n_got, 0, "there is room for all");
	demand(0, SERVED / 5, 0);
	cr_expect_eq(f.n_got, 0, "the queue is not too long");
	demand(0, SERVED / 5, 1);
	expect_reduction(1.3 / 2);
	/* It does as it was told, and is told the same again. */
	demand(0, SERVED / 10 * 13 / 10, 0);
	expect_reduction(1.3 / 2);
	/* Another one that asks for little gets all of that. */
	demand(SERVED / 50, SERVED / 10 * 13 / 10, 9);
	expect_reduction(1.1 / 2);
}

Test(au_control, access_node_is_told_when_it_need_not_hold_back_any_more)
{
	demand(0, SERVED, SERVED);
	expect_reduction(0.13);
	for (unsigned int i = 0; i < 5 && au_ans_holding_back(f.au) > 0; i++)
		demand(0, 0, 0);
	told(WIRE_OVERLOAD_STOP);
	cr_expect_eq(au_ans_holding_back(f.au), 0);
	cr_expect_eq(fixture_event(AU_COUNT_OVERLOAD_STOPS), 1);
	demand(0, SERVED / 10, 0);
	cr_expect_eq(f.n_got, 0);
}

Test(au_control, those_refused_for_congestion_come_back_one_after_the_other)
{
	uint32_t last = 0, longest = 0;

	atomic_store(&f.shared->paces[0].cycles, f.shared->tsc_hz / 10); /* ten a second */
	for (unsigned int i = 0; i < 2000; i++) {
		uint32_t s = wire_timer2_decode(control_back_off(f.control));

		cr_assert_geq(s, 2);
		cr_assert_leq(s, f.config.timers.back_off_s);
		/* Turns are given in order until the longest is reached, then again from its half.
		 */
		cr_expect(s >= last || last >= f.config.timers.back_off_s - 6);
		last = s;
		longest = RTE_MAX(longest, s);
	}
	cr_expect_gt(longest, f.config.timers.back_off_s / 2);
}

/* ---------------------------------------------------------------- want of mbufs */

Test(au_control, answer_without_an_mbuf_is_counted_and_sent_by_the_timer)
{
	struct test_ue *ue = fixture_ue();
	struct rte_mempool *pool = f.au->pools[0];
	static struct rte_mbuf *all[2048];
	unsigned int n = 0;

	while (n < RTE_DIM(all) && (all[n] = rte_pktmbuf_alloc(pool)) != NULL)
		n++;
	fixture_begin(ue);
	fixture_uplink(ue);
	cr_expect_eq(answer(), 0);
	cr_expect_eq(fixture_event(AU_COUNT_TX_NO_MBUF), 1);
	rte_pktmbuf_free_bulk(all, n);
	ue->au_ue_id = ue_table_id(f.shared->tables[0], ue_table_slot(f.shared->tables[0], 0));
	expire(ue);
	fixture_control_for(2 * SOON_MS);
	fixture_downlink();
	fixture_deliver();
	fixture_settle();
	cr_expect_eq(ue->device.state, DEVICE_ATTACHED);
}

Test(au_control, many_answers_to_one_connection_share_datagrams)
{
	struct test_ue *ue = fixture_ue();
	uint64_t before = fixture_event(AU_COUNT_TX_DATAGRAMS);
	enum { N = 6 };

	fixture_begin(ue);
	for (unsigned int i = 0; i < N; i++) {
		ue->nas[1] = 0;
		ue->an_ue_id = 100 + i;
		fixture_send_nas(ue, span_make(ue->nas, ue->n - 1)); /* each is refused */
	}
	cr_expect_eq(answer(), N);
	cr_expect_eq(fixture_event(AU_COUNT_TX_DATAGRAMS) - before, 1);
	ue->pending = false;
}
