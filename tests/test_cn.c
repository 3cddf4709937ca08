/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The CP-CN in this process, through its message interface: what a remote one must do too.
 */
#include <criterion/criterion.h>

#include "cn/cn.h"

enum { FIRST = 0x0a2d0001, ADDRESSES = 4, CAPACITY = 8, SESSION = 5 };

static struct cn_local *cn;

static void setup(void)
{
	const struct cn_local_config config = {
		.dnn = "provisioning",
		.first_address = FIRST,
		.addresses = ADDRESSES,
		.capacity = CAPACITY,
	};

	cn = cn_local_create(&config);
	cr_assert_not_null(cn);
}

static void teardown(void)
{
	cn_local_destroy(cn);
}

TestSuite(cn, .init = setup, .fini = teardown);

static enum cn_cause context(uint32_t slot)
{
	struct cn_create_context r = {.slot = slot, .eid = {0x89}};

	cn_local_ops.create_context(cn, &r, 1);
	return r.cause;
}

static struct cn_create_session request(uint32_t slot)
{
	return (struct cn_create_session){
		.slot = slot,
		.pdu_session_id = SESSION,
		.pdu_session_type = CN_PDU_TYPE_IPV4,
		.dnn = "provisioning",
	};
}

static enum cn_cause ask(struct cn_create_session *r)
{
	cn_local_ops.create_session(cn, r, 1);
	return r->cause;
}

static void release(uint32_t slot)
{
	const struct cn_release r = {slot};

	cn_local_ops.release(cn, &r, 1);
}

Test(cn, every_session_has_an_address_of_its_own_from_the_pool)
{
	struct cn_create_session r[ADDRESSES];

	for (uint32_t i = 0; i < ADDRESSES; i++) {
		cr_assert_eq(context(i), CN_OK);
		r[i] = request(i);
	}
	cn_local_ops.create_session(cn, r, ADDRESSES);
	for (uint32_t i = 0; i < ADDRESSES; i++) {
		cr_expect_eq(r[i].cause, CN_OK);
		cr_expect(r[i].ipv4 >= FIRST && r[i].ipv4 < FIRST + ADDRESSES);
		for (uint32_t j = 0; j < i; j++)
			cr_expect_neq(r[i].ipv4, r[j].ipv4);
	}
	cr_expect_eq(cn_local_free_addresses(cn), 0);
}

Test(cn, exhausted_pool_refuses_until_an_address_comes_back)
{
	struct cn_create_session r;

	for (uint32_t i = 0; i <= ADDRESSES; i++)
		cr_assert_eq(context(i), CN_OK);
	for (uint32_t i = 0; i < ADDRESSES; i++) {
		r = request(i);
		cr_assert_eq(ask(&r), CN_OK);
	}
	r = request(1);
	cr_assert_eq(ask(&r), CN_OK);
	uint32_t freed = r.ipv4;

	r = request(ADDRESSES);
	cr_expect_eq(ask(&r), CN_INSUFFICIENT_RESOURCES);
	release(1);
	cr_expect_eq(cn_local_free_addresses(cn), 1);
	cr_expect_eq(ask(&r), CN_OK);
	cr_expect_eq(r.ipv4, freed);
}

Test(cn, address_given_back_is_given_again_last)
{
	struct cn_create_session first = request(0), next = request(0);

	cr_assert_eq(context(0), CN_OK);
	cr_assert_eq(ask(&first), CN_OK);
	for (uint32_t i = 1; i < ADDRESSES; i++) {
		release(0);
		cr_assert_eq(context(0), CN_OK);
		cr_assert_eq(ask(&next), CN_OK);
		cr_expect_neq(next.ipv4, first.ipv4, "%u", i);
	}
	release(0);
	cr_assert_eq(context(0), CN_OK);
	cr_assert_eq(ask(&next), CN_OK);
	cr_expect_eq(next.ipv4, first.ipv4, "the ring is round");
}

Test(cn, only_the_provisioning_dnn_is_granted)
{
	struct cn_create_session r = request(0);

	cr_assert_eq(context(0), CN_OK);
	r.dnn = "internet";
	cr_expect_eq(ask(&r), CN_UNKNOWN_DNN);
	r.dnn = "provisioning.example";
	cr_expect_eq(ask(&r), CN_UNKNOWN_DNN);
	cr_expect_eq(cn_local_free_addresses(cn), ADDRESSES);
	r.dnn = "Provisioning";
	cr_expect_eq(ask(&r), CN_OK, "labels know no case");
}

Test(cn, no_dnn_is_the_default_one)
{
	struct cn_create_session r = request(0);

	cr_assert_eq(context(0), CN_OK);
	r.dnn = "";
	cr_expect_eq(ask(&r), CN_OK);
}

Test(cn, repeated_request_gets_the_same_session)
{
	struct cn_create_session r = request(3), again = request(3);

	cr_assert_eq(context(3), CN_OK);
	cr_assert_eq(ask(&r), CN_OK);
	cr_expect_eq(ask(&again), CN_OK);
	cr_expect_eq(again.ipv4, r.ipv4);
	cr_expect_eq(cn_local_free_addresses(cn), ADDRESSES - 1);
}

Test(cn, second_session_is_refused_and_the_first_stays)
{
	struct cn_create_session r = request(3), second = request(3), again = request(3);

	cr_assert_eq(context(3), CN_OK);
	cr_assert_eq(ask(&r), CN_OK);
	second.pdu_session_id = SESSION + 1;
	cr_expect_eq(ask(&second), CN_INVALID_PDU_SESSION_ID);
	cr_expect_eq(ask(&again), CN_OK);
	cr_expect_eq(again.ipv4, r.ipv4);
}

Test(cn, ipv6_alone_is_told_that_ipv4_is_what_there_is)
{
	struct cn_create_session r = request(0);

	cr_assert_eq(context(0), CN_OK);
	r.pdu_session_type = CN_PDU_TYPE_IPV6;
	cr_expect_eq(ask(&r), CN_IPV4_ONLY);
	cr_expect_eq((int)r.cause, 50, "TS 24.501 9.11.4.2");
	r.pdu_session_type = CN_PDU_TYPE_IPV4V6;
	cr_expect_eq(ask(&r), CN_OK, "its IPv4 half");
}

Test(cn, other_session_types_are_unknown)
{
	struct cn_create_session r = request(0);

	cr_assert_eq(context(0), CN_OK);
	for (unsigned int type = 0; type < 256; type++) {
		if (type >= CN_PDU_TYPE_IPV4 && type <= CN_PDU_TYPE_IPV4V6)
			continue;
		r.pdu_session_type = (uint8_t)type;
		cr_expect_eq(ask(&r), CN_UNKNOWN_PDU_SESSION_TYPE, "%u", type);
	}
}

Test(cn, session_identity_is_1_to_15)
{
	struct cn_create_session r = request(0);

	cr_assert_eq(context(0), CN_OK);
	for (unsigned int id = 0; id < 256; id++) {
		if (id >= 1 && id <= 15)
			continue;
		r.pdu_session_id = (uint8_t)id;
		cr_expect_eq(ask(&r), CN_INVALID_PDU_SESSION_ID, "%u", id);
	}
	cr_expect_eq(cn_local_free_addresses(cn), ADDRESSES);
}

Test(cn, session_without_a_context_is_refused)
{
	struct cn_create_session r = request(0);

	cr_expect_eq(ask(&r), CN_CONTEXT_UNKNOWN, "never made");
	cr_assert_eq(context(0), CN_OK);
	release(0);
	cr_expect_eq(ask(&r), CN_CONTEXT_UNKNOWN, "released");
	r.slot = CAPACITY;
	cr_expect_eq(ask(&r), CN_CONTEXT_UNKNOWN, "beyond the capacity");
	r.slot = UINT32_MAX;
	cr_expect_eq(ask(&r), CN_CONTEXT_UNKNOWN);
}

Test(cn, context_beyond_the_capacity_is_refused)
{
	cr_expect_eq(context(CAPACITY - 1), CN_OK);
	cr_expect_eq(context(CAPACITY), CN_INSUFFICIENT_RESOURCES);
	cr_expect_eq(context(UINT32_MAX), CN_INSUFFICIENT_RESOURCES);
}

Test(cn, releasing_twice_gives_one_address_back)
{
	struct cn_create_session r = request(0);

	cr_assert_eq(context(0), CN_OK);
	cr_assert_eq(ask(&r), CN_OK);
	release(0);
	release(0);
	release(CAPACITY);
	release(UINT32_MAX);
	cr_expect_eq(cn_local_free_addresses(cn), ADDRESSES);
}

Test(cn, new_context_in_a_slot_ends_the_session_of_the_old_one)
{
	struct cn_create_session r = request(0);

	cr_assert_eq(context(0), CN_OK);
	cr_assert_eq(ask(&r), CN_OK);
	cr_assert_eq(context(0), CN_OK);
	cr_expect_eq(cn_local_free_addresses(cn), ADDRESSES);
	r.pdu_session_id = SESSION + 1;
	cr_expect_eq(ask(&r), CN_OK);
}

/* ---------------------------------------------------------------- IPv6 */

#define FIRST_PREFIX UINT64_C(0x20010db800010000)

static void setup_both(void)
{
	cn = cn_local_create(&(struct cn_local_config){.dnn = "provisioning",
						       .first_address = FIRST,
						       .addresses = ADDRESSES,
						       .first_prefix = FIRST_PREFIX,
						       .prefixes = 2,
						       .capacity = CAPACITY});
	cr_assert_not_null(cn);
}

TestSuite(cn_ipv6, .init = setup_both, .fini = teardown);

static struct cn_create_session request_type(uint32_t slot, uint8_t type)
{
	struct cn_create_session r = request(slot);

	r.pdu_session_type = type;
	cr_assert_eq(context(slot), CN_OK);
	return r;
}

Test(cn_ipv6, both_families_are_granted_together)
{
	struct cn_create_session r = request_type(0, CN_PDU_TYPE_IPV4V6);

	cr_assert_eq(ask(&r), CN_OK);
	cr_expect_eq(r.note, CN_OK);
	cr_expect_eq(r.pdu_session_type, CN_PDU_TYPE_IPV4V6);
	cr_expect(r.ipv4 >= FIRST && r.ipv4 < FIRST + ADDRESSES);
	cr_expect(r.ipv6_prefix - FIRST_PREFIX < 2);
	cr_expect_neq(r.interface_id, 0);
}

Test(cn_ipv6, alone_takes_no_ipv4_address)
{
	struct cn_create_session r = request_type(0, CN_PDU_TYPE_IPV6);

	cr_assert_eq(ask(&r), CN_OK);
	cr_expect_eq(r.ipv4, 0);
	cr_expect_neq(r.ipv6_prefix, 0);
	cr_expect_eq(cn_local_free_addresses(cn), ADDRESSES);
	cr_expect_eq(cn_local_free_prefixes(cn), 1);
	release(0);
	cr_expect_eq(cn_local_free_prefixes(cn), 2);
}

Test(cn_ipv6, repeated_request_gets_the_same_prefix_and_identifier)
{
	struct cn_create_session a = request_type(0, CN_PDU_TYPE_IPV6), b = request(0);

	b.pdu_session_type = CN_PDU_TYPE_IPV6;
	cr_assert_eq(ask(&a), CN_OK);
	cr_assert_eq(ask(&b), CN_OK);
	cr_expect_eq(a.ipv6_prefix, b.ipv6_prefix);
	cr_expect_eq(a.interface_id, b.interface_id);
}

Test(cn_ipv6, exhausted_prefixes_keep_the_ipv4_address_free)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct cn_create_session r = request_type(i, CN_PDU_TYPE_IPV6);

		cr_assert_eq(ask(&r), CN_OK);
	}
	struct cn_create_session r = request_type(2, CN_PDU_TYPE_IPV4V6);

	cr_expect_eq(ask(&r), CN_INSUFFICIENT_RESOURCES);
	cr_expect_eq(cn_local_free_addresses(cn), ADDRESSES);
}

Test(cn, both_families_where_ipv4_is_what_there_is_get_ipv4_and_a_note)
{
	struct cn_create_session r = request_type(0, CN_PDU_TYPE_IPV4V6);

	cr_assert_eq(ask(&r), CN_OK);
	cr_expect_eq(r.pdu_session_type, CN_PDU_TYPE_IPV4);
	cr_expect_eq(r.note, CN_IPV4_ONLY);
	cr_expect_eq(r.ipv6_prefix, 0);
}

Test(cn, empty_pool_grants_nothing)
{
	const struct cn_local_config config = {.dnn = "provisioning", .capacity = 1};
	struct cn_local *empty = cn_local_create(&config);
	struct cn_create_context c = {0};
	struct cn_create_session r = request(0);

	cr_assert_not_null(empty);
	cn_local_ops.create_context(empty, &c, 1);
	cn_local_ops.create_session(empty, &r, 1);
	cr_expect_eq(r.cause, CN_INSUFFICIENT_RESOURCES);
	cn_local_destroy(empty);
}

Test(cn, every_cause_has_a_sentence)
{
	static const enum cn_cause causes[] = {
		CN_OK,
		CN_INSUFFICIENT_RESOURCES,
		CN_UNKNOWN_DNN,
		CN_UNKNOWN_PDU_SESSION_TYPE,
		CN_INVALID_PDU_SESSION_ID,
		CN_IPV4_ONLY,
		CN_CONTEXT_UNKNOWN,
	};

	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		cr_expect_gt(strlen(cn_cause_text(causes[i])), 5u);
	cr_expect_str_eq(cn_cause_text((enum cn_cause)1), "?");
}

/* Lest packets of the run before reach UEs of this one. */
Test(cn, a_run_does_not_begin_with_the_addresses_of_the_one_before)
{
	const struct cn_local_config config = {.dnn = "provisioning",
					       .first_address = FIRST,
					       .addresses = 1 << 16,
					       .first_prefix = FIRST_PREFIX,
					       .prefixes = 1 << 16,
					       .capacity = 1};
	struct cn_create_session r[4];

	for (unsigned int i = 0; i < 4; i++) {
		struct cn_local *one = cn_local_create(&config);
		struct cn_create_context c = {0};

		cr_assert_not_null(one);
		r[i] = request(0);
		r[i].pdu_session_type = CN_PDU_TYPE_IPV4V6;
		cn_local_ops.create_context(one, &c, 1);
		cn_local_ops.create_session(one, &r[i], 1);
		cr_assert_eq(r[i].cause, CN_OK);
		cn_local_destroy(one);
	}
	cr_expect(r[0].ipv4 != r[1].ipv4 || r[1].ipv4 != r[2].ipv4 || r[2].ipv4 != r[3].ipv4);
	cr_expect(r[0].ipv6_prefix != r[1].ipv6_prefix || r[1].ipv6_prefix != r[2].ipv6_prefix ||
		  r[2].ipv6_prefix != r[3].ipv6_prefix);
}
