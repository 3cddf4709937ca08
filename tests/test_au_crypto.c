/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The crypto stage: a job's first failure ends its programme, with that failure's cause, and the
 * jobs beside it in the burst come out as if they were alone. Jobs are the worker's own, changed on
 * their way. Once for each backend of lib/crypto.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "au_fixture.h"

/* More than two groups of eight lanes. */
enum { BURST = 19, RESPONSE_VERIFIES = 3 };

static struct test_ue *ue[BURST];
static struct au_job *jobs[BURST], copies[BURST];

static void setup(void)
{
	const char *name = getenv("CPAU_TEST_BACKEND"), *why;
	struct crypto *c = crypto_create(name, -1, &why);

	if (!c)
		cr_skip_test("backend %s is not tested here: %s", name, why);
	crypto_destroy(c);
	fixture_setup();
}

TestSuite(au_crypto, .init = setup, .fini = fixture_teardown);

static unsigned int take(struct rte_ring *ring)
{
	unsigned int n = rte_ring_dequeue_burst(ring, (void **)jobs, BURST, NULL);

	cr_assert_eq(n, BURST);
	cr_assert_eq(rte_ring_count(ring), 0);
	return n;
}

/* A burst of step 2. */
static void take_requests(void)
{
	for (unsigned int i = 0; i < BURST; i++) {
		ue[i] = fixture_ue();
		fixture_begin(ue[i]);
		fixture_uplink(ue[i]);
	}
	au_worker_poll(f.worker);
	take(f.shared->request_rings[0]);
}

/* A burst of step 6. Without a known EUM: three signatures, then ECDH. */
static void take_responses(void)
{
	for (unsigned int i = 0; i < BURST; i++) {
		ue[i] = fixture_ue();
		fixture_attach_until(ue[i], UE_AUTHENTICATION);
	}
	for (unsigned int i = 0; i < BURST; i++)
		fixture_uplink(ue[i]);
	au_worker_poll(f.worker);
	take(f.shared->response_rings[0]);
}

/* To control, as the stage would, and what it answers. */
static void pass_on(void)
{
	cr_assert_eq(rte_ring_enqueue_bulk(f.shared->control_rings[0], (void **)jobs, BURST, NULL),
		     BURST);
	au_control_poll(f.control);
	fixture_downlink();
}

/* Runs copies of the jobs, one of which `spoil` changed: what they point to stays the originals'.
 */
static void run_with_one_spoilt(unsigned int at, void (*spoil)(struct au_job *job, unsigned int k),
				unsigned int k)
{
	struct au_job *pointers[BURST];

	for (unsigned int i = 0; i < BURST; i++) {
		copies[i] = *jobs[i];
		pointers[i] = &copies[i];
	}
	spoil(&copies[at], k);
	au_crypto_run(f.crypto, pointers, BURST);
}

static void expect_only(unsigned int at, enum wire_cause cause)
{
	for (unsigned int i = 0; i < BURST; i++)
		cr_expect_eq(copies[i].cause, i == at ? cause : WIRE_CAUSE_NONE,
			     "job %u, with job %u spoilt: %s", i, at,
			     wire_cause_name(copies[i].cause));
}

static void spoil_signature(struct au_job *job, unsigned int k)
{
	job->verifies[k].signature[45] ^= 1;
}

static void spoil_key(struct au_job *job, unsigned int k)
{
	memset(job->verifies[k].public_key, 1, CRYPTO_POINT_SIZE);
}

static void spoil_pk_ue(struct au_job *job, unsigned int k)
{
	(void)k;
	memset(job->pk_ue, 1, sizeof(job->pk_ue));
}

static bool is_zero(const uint8_t *p, size_t n)
{
	uint8_t all = 0;

	for (size_t i = 0; i < n; i++)
		all |= p[i];
	return all == 0;
}

/* ---------------------------------------------------------------- step 2 */

Test(au_crypto, bad_request_spoils_no_neighbour_at_any_place_of_the_burst)
{
	take_requests();
	for (unsigned int at = 0; at < BURST; at++)
		for (unsigned int k = 0; k < 2; k++) {
			run_with_one_spoilt(at, spoil_signature, k);
			expect_only(at,
				    k == 0 ? WIRE_CAUSE_SIGNATURE_EUICC : WIRE_CAUSE_SIGNATURE_UE1);
			cr_expect(is_zero(copies[at].au_signature, CRYPTO_SIGNATURE_SIZE) ||
					  memcmp(copies[at].au_signature, jobs[at]->au_signature,
						 CRYPTO_SIGNATURE_SIZE) == 0,
				  "a refused request is signed for");
		}
	pass_on();
}

Test(au_crypto, first_failure_of_a_request_ends_its_programme)
{
	uint64_t before;

	take_requests();
	before = fixture_event(AU_COUNT_VERIFIES);
	run_with_one_spoilt(3, spoil_signature, 0);
	cr_expect_eq(fixture_event(AU_COUNT_VERIFIES) - before, 2 * BURST - 1);
	before = fixture_event(AU_COUNT_VERIFIES);
	run_with_one_spoilt(3, spoil_signature, 1);
	cr_expect_eq(fixture_event(AU_COUNT_VERIFIES) - before, 2 * BURST);
	pass_on();
}

Test(au_crypto, both_signatures_wrong_is_the_issuers_fault)
{
	take_requests();
	spoil_signature(jobs[0], 1);
	run_with_one_spoilt(0, spoil_signature, 0);
	expect_only(0, WIRE_CAUSE_SIGNATURE_EUICC);
	pass_on();
}

Test(au_crypto, device_key_off_the_curve_has_its_own_cause)
{
	take_requests();
	run_with_one_spoilt(11, spoil_key, 1);
	expect_only(11, WIRE_CAUSE_CERT_KEY);
	pass_on();
}

Test(au_crypto, every_good_request_gets_an_answer_of_its_own)
{
	take_requests();
	for (unsigned int i = 0; i < BURST; i += 3)
		spoil_signature(jobs[i], 1);
	au_crypto_run(f.crypto, jobs, BURST);
	for (unsigned int i = 0; i < BURST; i++)
		for (unsigned int j = 0; j < i; j++) {
			if (i % 3 == 0 || j % 3 == 0)
				continue;
			cr_expect_arr_neq(jobs[i]->rand_au, jobs[j]->rand_au, 16);
			cr_expect_arr_neq(jobs[i]->pk_au, jobs[j]->pk_au, CRYPTO_POINT_SIZE);
		}
	pass_on();
	for (unsigned int i = 0; i < BURST; i++) {
		if (i % 3 == 0)
			cr_expect_eq(fixture_got_nas(ue[i], WIRE_NAS_ATTACH_REJECT)
					     ->m.ie[WIRE_IE_CAUSE]
					     .p[0],
				     WIRE_CAUSE_SIGNATURE_UE1);
		else
			fixture_got_nas(ue[i], WIRE_NAS_AUTHENTICATION_REQUEST);
	}
	/* Each AU_Signature is right to the UE that it is for. */
	fixture_deliver();
	fixture_settle();
	for (unsigned int i = 0; i < BURST; i++)
		cr_expect_eq(ue[i]->device.state, i % 3 == 0 ? DEVICE_REJECTED : DEVICE_ATTACHED);
}

/* ---------------------------------------------------------------- step 6 */

Test(au_crypto, bad_response_spoils_no_neighbour_at_any_place_of_the_burst)
{
	static const enum wire_cause cause[RESPONSE_VERIFIES] = {
		WIRE_CAUSE_SIGNATURE_EUM, WIRE_CAUSE_SIGNATURE_EUICC, WIRE_CAUSE_SIGNATURE_UE2};

	fixture_reload((struct fixture_trust){.unknown_eum = true});
	take_responses();
	for (unsigned int at = 0; at < BURST; at++) {
		for (unsigned int k = 0; k < RESPONSE_VERIFIES; k++) {
			uint64_t before = fixture_event(AU_COUNT_VERIFIES);

			run_with_one_spoilt(at, spoil_signature, k);
			expect_only(at, cause[k]);
			cr_expect_eq(fixture_event(AU_COUNT_VERIFIES) - before,
				     RESPONSE_VERIFIES * BURST - (RESPONSE_VERIFIES - 1 - k),
				     "what follows a failure is not computed");
			cr_expect(is_zero(copies[at].z, CRYPTO_SCALAR_SIZE) ||
				  memcmp(copies[at].z, jobs[at]->z, CRYPTO_SCALAR_SIZE) == 0);
		}
		run_with_one_spoilt(at, spoil_pk_ue, 0);
		expect_only(at, WIRE_CAUSE_PK_UE);
	}
	pass_on();
	au_poll(f.au);
}

Test(au_crypto, private_keys_do_not_outlive_step_6)
{
	take_responses();
	cr_expect_not(is_zero(jobs[0]->sk_au, CRYPTO_SCALAR_SIZE));
	spoil_signature(jobs[1], 0);
	au_crypto_run(f.crypto, jobs, BURST);
	for (unsigned int i = 0; i < BURST; i++)
		cr_expect(is_zero(jobs[i]->sk_au, CRYPTO_SCALAR_SIZE));
	cr_expect_eq(jobs[1]->cause, WIRE_CAUSE_SIGNATURE_UE2);
	pass_on();
}

/* ---------------------------------------------------------------- the stage */

Test(au_crypto, responses_are_taken_before_requests)
{
	struct test_ue *begun = fixture_ue();

	fixture_attach_until(begun, UE_AUTHENTICATION);
	for (unsigned int i = 0; i < BURST; i++) {
		ue[i] = fixture_ue();
		fixture_begin(ue[i]);
		fixture_uplink(ue[i]);
	}
	fixture_uplink(begun);
	au_worker_poll(f.worker);
	cr_expect_eq(au_crypto_poll(f.crypto, false), BURST + 1);

	struct au_job *first;

	cr_assert_eq(rte_ring_dequeue(f.shared->control_rings[0], (void **)&first), 0);
	cr_expect_eq(first->kind, AU_JOB_RESPONSE);
	cr_assert_eq(rte_ring_enqueue(f.shared->control_rings[0], first), 0);
}

Test(au_crypto, lone_job_waits_for_others_only_while_more_are_coming)
{
	unsigned int polls = 0;

	ue[0] = fixture_ue();
	fixture_begin(ue[0]);
	fixture_uplink(ue[0]);
	au_worker_poll(f.worker);
	while (au_crypto_poll(f.crypto, true) == 0)
		cr_assert_lt(polls++, 100, "it waits for ever");
	ue[1] = fixture_ue();
	fixture_begin(ue[1]);
	fixture_uplink(ue[1]);
	au_worker_poll(f.worker);
	cr_expect_eq(au_crypto_poll(f.crypto, false), 1);
}

Test(au_crypto, full_control_ring_costs_the_job_alone)
{
	struct rte_ring *ring = f.shared->control_rings[0];
	unsigned int n = 0;
	void *object;

	ue[0] = fixture_ue();
	fixture_begin(ue[0]);
	fixture_uplink(ue[0]);
	au_worker_poll(f.worker);
	for (; rte_ring_free_count(ring) > 0; n++)
		cr_assert_eq(rte_ring_enqueue(ring, &n), 0);
	au_crypto_poll(f.crypto, false);
	cr_expect_eq(au_crypto_counters(f.crypto)->events[AU_COUNT_CONTROL_RING_FULL], 1);
	cr_expect_eq(fixture_jobs_in_use(), 0);
	while (n-- > 0)
		cr_assert_eq(rte_ring_dequeue(ring, &object), 0);
}
