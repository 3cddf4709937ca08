/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The UE against a scripted authenticator made of the same libraries: what it sends, what it takes,
 * what it refuses, and that repetitions get the same answer again.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pki/issue.h"
#include "ue/device.h"

#define NETWORK	 "5G:mnc001.mcc001.3gppnetwork.org"
#define EID_TEXT "89049032123451234512345678901235"

enum { SENT_MAX = 8 };

struct authority {
	struct issue_key *key;
	uint8_t *der;
	size_t n;
};

/* The network's half: what it holds and what it knows of the run. */
static struct network {
	struct authority ci, operator_ca, cross, au, eum, euicc;
	uint8_t au_private[32], euicc_private[32], eid[16];
	uint8_t rand_ue[16], rand_au[16], pk_au[65], sk_au[32];
	struct sec_nas_context nas;
	uint8_t k_amf[SEC_KEY_SIZE];
	uint32_t downlink, uplink_next;
} net;
static struct device_world world;
static struct device ue;
static unsigned int sent_n;
static struct {
	size_t n;
	uint8_t nas[WIRE_NAS_MAX];
} sent[SENT_MAX];

static void on_sent(void *arg, struct device *d, const uint8_t *nas, size_t n)
{
	(void)arg;
	cr_assert_not(d->waiting);
	cr_assert_lt(sent_n, SENT_MAX);
	memcpy(sent[sent_n].nas, nas, n);
	sent[sent_n++].n = n;
}

static struct span last(void)
{
	cr_assert_gt(sent_n, 0);
	return span_make(sent[sent_n - 1].nas, sent[sent_n - 1].n);
}

static void issue(struct authority *a, const struct authority *issuer, struct issue_request r)
{
	if (!a->key)
		a->key = issue_key_generate(CRYPTO_P256);
	r.subject_key = a->key;
	r.issuer_key = issuer ? issuer->key : a->key;
	if (issuer)
		r.issuer_cert = span_make(issuer->der, issuer->n);
	r.days = 30;
	a->der = issue_certificate(&r, &a->n);
	cr_assert_not_null(a->der);
}

static void setup(void)
{
	const char *why = "";

	issue(&net.ci, NULL,
	      (struct issue_request){.role = ISSUE_CI, .organisation = "RSP", .common_name = "CI"});
	issue(&net.operator_ca, NULL,
	      (struct issue_request){
		      .role = ISSUE_OPERATOR_CA, .organisation = "Op", .common_name = "CA"});
	net.cross.key = net.operator_ca.key;
	issue(&net.cross, &net.ci,
	      (struct issue_request){.role = ISSUE_CROSS_OPERATOR,
				     .subject_cert =
					     span_make(net.operator_ca.der, net.operator_ca.n)});
	issue(&net.au, &net.operator_ca,
	      (struct issue_request){.role = ISSUE_AU, .organisation = "Op", .common_name = "AU"});
	issue(&net.eum, &net.ci,
	      (struct issue_request){.role = ISSUE_EUM,
				     .country = "ES",
				     .organisation = "EUM",
				     .common_name = "EUM",
				     .eid_prefix = "89049032"});
	issue(&net.euicc, &net.eum,
	      (struct issue_request){.role = ISSUE_EUICC,
				     .country = "ES",
				     .organisation = "EUM",
				     .common_name = "eUICC",
				     .serial_number = EID_TEXT});
	issue_key_scalar(net.au.key, net.au_private);
	issue_key_scalar(net.euicc.key, net.euicc_private);
	for (unsigned int i = 0; i < 16; i++)
		sscanf(&EID_TEXT[2 * i], "%2hhx", &net.eid[i]);
	world.crypto = crypto_create("openssl", -1, &why);
	world.sec = sec_create(&why);
	cr_assert(world.crypto && world.sec, "%s", why);
	world.now = time(NULL);
	world.capability[0] = world.capability[1] = 0x70; /* 1 to 3 of both */
	world.cert_eum = span_make(net.eum.der, net.eum.n);
	world.send = on_sent;
	cr_assert(device_world_init(&world, span_make(net.ci.der, net.ci.n)));
	cr_assert(device_world_serving_network(&world, span_make(NETWORK, strlen(NETWORK))));
	ue.cert_euicc = span_make(net.euicc.der, net.euicc.n);
	ue.eid = net.eid;
	ue.private_key = net.euicc_private;
	ue.curve = CRYPTO_P256;
}

static void teardown(void)
{
	struct authority *all[] = {&net.ci, &net.operator_ca, &net.au, &net.eum, &net.euicc};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		issue_key_free(all[i]->key);
		free(all[i]->der);
	}
	free(net.cross.der);
	device_world_fini(&world);
	sec_destroy(world.sec);
	crypto_destroy(world.crypto);
}

TestSuite(ue, .init = setup, .fini = teardown);

/* ---------------------------------------------------------------- the scripted authenticator */

static void sha256(const void *p, size_t n, uint8_t digest[32])
{
	crypto_hash_burst(world.crypto, &(struct crypto_hash){span_make(p, n), digest}, 1);
}

static bool signature_holds(const struct authority *signer, const void *p, size_t n,
			    const uint8_t *signature)
{
	struct pki_cert cert;
	uint8_t digest[32];

	cr_assert_eq(pki_cert_parse(&cert, span_make(signer->der, signer->n)), PKI_OK);
	sha256(p, n, digest);
	struct crypto_verify op = {.curve = CRYPTO_P256,
				   .public_key = cert.public_key,
				   .digest = digest,
				   .signature = signature};

	crypto_verify_burst(world.crypto, &op, 1);
	return op.status == CRYPTO_OK;
}

static void give(const uint8_t *nas, size_t n)
{
	device_handle(&world, &ue, span_make(nas, n));
}

/* Step 3 in out; every part may be spoiled by the caller before it is signed or after. */
struct request {
	struct wire_message m;
	uint8_t ngksi, abba[2], rand_ue[16], signature[64];
};

/* AU_Signature over what the network has now. */
static void sign_request(struct request *q)
{
	uint8_t data[97], digest[32];

	memcpy(data, net.rand_ue, 16);
	memcpy(data + 16, net.rand_au, 16);
	memcpy(data + 32, net.pk_au, 65);
	sha256(data, sizeof(data), digest);
	crypto_sign_burst(world.crypto,
			  &(struct crypto_sign){.curve = CRYPTO_P256,
						.private_key = net.au_private,
						.digest = digest,
						.signature = q->signature},
			  1);
}

static void make_request(struct request *q)
{
	struct crypto_keypair pair = {
		.curve = CRYPTO_P256, .private_key = net.sk_au, .public_key = net.pk_au + 1};

	memset(q, 0, sizeof(*q));
	memset(net.rand_au, 0xa5, sizeof(net.rand_au));
	memcpy(q->rand_ue, ue.rand_ue, 16);
	memcpy(net.rand_ue, ue.rand_ue, 16);
	net.pk_au[0] = 4;
	crypto_keypair_burst(world.crypto, &pair, 1);
	sign_request(q);
	wire_message_init(&q->m, WIRE_EPD_5GMM, WIRE_NAS_AUTHENTICATION_REQUEST);
	wire_set(&q->m, WIRE_IE_NGKSI, &q->ngksi, 1);
	wire_set(&q->m, WIRE_IE_ABBA, q->abba, 2);
	wire_set(&q->m, WIRE_IE_RAND_UE, q->rand_ue, 16);
	wire_set(&q->m, WIRE_IE_RAND_AU, net.rand_au, 16);
	wire_set(&q->m, WIRE_IE_PK_AU, net.pk_au, 65);
	wire_set(&q->m, WIRE_IE_AU_SIGNATURE, q->signature, 64);
	wire_set(&q->m, WIRE_IE_CERT_AU, net.au.der, net.au.n);
	wire_set(&q->m, WIRE_IE_CERT_CROSS, net.cross.der, net.cross.n);
}

static void give_request(const struct request *q)
{
	uint8_t nas[WIRE_NAS_MAX];
	size_t n = wire_encode(&q->m, nas, sizeof(nas));

	cr_assert_gt(n, 0);
	give(nas, n);
}

/* The network's half of step 6: keys from the RESPONSE that the UE sent last. */
static void agree(uint8_t nea, uint8_t nia)
{
	struct wire_message m;
	uint8_t z[32], hash_of_au[32], ksession[SEC_KEY_SIZE];
	char supi[SEC_SUPI_MAX];
	struct sec_keys keys;

	cr_assert_eq(wire_nas_decode(&m, last()), WIRE_CAUSE_NONE);
	cr_assert_eq(m.type, WIRE_NAS_AUTHENTICATION_RESPONSE);
	const uint8_t *pk_ue = m.ie[WIRE_IE_PK_UE].p;
	struct crypto_ecdh op = {
		.curve = CRYPTO_P256, .private_key = net.sk_au, .public_key = pk_ue + 1, .z = z};

	crypto_ecdh_burst(world.crypto, &op, 1);
	cr_assert_eq(op.status, CRYPTO_OK);
	sha256(net.au.der, net.au.n, hash_of_au);
	sec_derive_ksession(&(struct sec_session_input){.z = z,
							.rand_ue = net.rand_ue,
							.rand_au = net.rand_au,
							.eid = net.eid,
							.pk_au = net.pk_au,
							.pk_ue = pk_ue,
							.cert_au_hash = hash_of_au},
			    ksession);
	size_t n = sec_supi_from_eid(net.eid, "rsp.5gc.mnc001.mcc001.3gppnetwork.org", supi);

	sec_derive_kamf(ksession, span_make(NETWORK, strlen(NETWORK)), span_make(supi, n),
			(const uint8_t[]){0, 0}, &keys);
	memcpy(net.k_amf, keys.k_amf, sizeof(net.k_amf));
	net.nas.nea = nea;
	net.nas.nia = nia;
	sec_derive_nas_keys(net.k_amf, nea, nia, net.nas.k_nas_enc, net.nas.k_nas_int);
}

static size_t protect(enum sec_header header, const struct wire_message *m, uint8_t *nas,
		      size_t size)
{
	uint8_t plain[512];
	size_t length = 0, n = wire_encode(m, plain, sizeof(plain));

	cr_assert_gt(n, 0);
	cr_assert_eq(sec_nas_protect(world.sec, &net.nas, SEC_DOWNLINK, net.downlink++, header,
				     span_make(plain, n), nas, size, &length),
		     SEC_OK);
	return length;
}

static size_t make_command(uint8_t algorithms, const uint8_t capability[2], uint8_t *nas,
			   size_t size)
{
	struct wire_message m;
	uint8_t ngksi = 0;

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_SECURITY_MODE_COMMAND);
	wire_set(&m, WIRE_IE_NAS_ALGORITHMS, &algorithms, 1);
	wire_set(&m, WIRE_IE_NGKSI, &ngksi, 1);
	wire_set(&m, WIRE_IE_UE_SECURITY_CAPABILITY, capability, 2);
	return protect(SEC_HDR_INTEGRITY_NEW, &m, nas, size);
}

static void give_accept(void)
{
	struct wire_message m;
	uint8_t nas[256], guti[11];

	wire_guti_encode("001", "01", 1, 1, 1, 7, guti);
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_ATTACH_ACCEPT);
	wire_set(&m, WIRE_IE_GUTI, guti, sizeof(guti));
	give(nas, protect(SEC_HDR_INTEGRITY_CIPHERED, &m, nas, sizeof(nas)));
}

static void give_session_of(uint8_t pti, struct span address, struct span epco)
{
	static const uint8_t rules[9] = {1, 0, 6, 0x31, 0x31, 1, 1, 1, 9};
	static const uint8_t ambr[6] = {1, 0, 1, 1, 0, 1};
	struct wire_message sm, m;
	uint8_t one = 1, container[384], nas[512];

	wire_message_init(&sm, WIRE_EPD_5GSM, WIRE_NAS_SESSION_ESTABLISHMENT_ACCEPT);
	sm.pdu_session_id = 1;
	sm.pti = pti;
	wire_set(&sm, WIRE_IE_PDU_SESSION_TYPE, &one, 1);
	wire_set(&sm, WIRE_IE_SSC_MODE, &one, 1);
	wire_set(&sm, WIRE_IE_QOS_RULES, rules, sizeof(rules));
	wire_set(&sm, WIRE_IE_SESSION_AMBR, ambr, sizeof(ambr));
	wire_set(&sm, WIRE_IE_PDU_ADDRESS, address.p, address.n);
	wire_set(&sm, WIRE_IE_EPCO, epco.p, epco.n);
	size_t n = wire_encode(&sm, container, sizeof(container));

	cr_assert_gt(n, 0);
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_DL_NAS_TRANSPORT);
	wire_set(&m, WIRE_IE_PAYLOAD_CONTAINER_TYPE, &one, 1);
	wire_set(&m, WIRE_IE_PAYLOAD_CONTAINER, container, n);
	wire_set(&m, WIRE_IE_PDU_SESSION_ID, &one, 1);
	give(nas, protect(SEC_HDR_INTEGRITY_CIPHERED, &m, nas, sizeof(nas)));
}

static void give_session_with(uint8_t pti, struct span epco)
{
	static const uint8_t address[5] = {1, 10, 0, 0, 7};

	give_session_of(pti, span_make(address, sizeof(address)), epco);
}

/* DNS 10.0.0.1, and the SM-DP+ at 10.0.0.2 */
static const uint8_t whole_epco[] = {0x80, 0x00, 0x0d, 4,    10, 0, 0, 1, 0xff, 0x00,
				     9,	   0x00, 0xf1, 0x10, 10, 0, 0, 2, 'd',	'p'};

static void give_session(uint8_t pti)
{
	give_session_with(pti, span_make(whole_epco, sizeof(whole_epco)));
}

/* The uplink message that was sent as number `at`, as the network reads it. */
static uint8_t uplink_type(unsigned int at)
{
	static uint8_t plain[1024];
	struct wire_message m;
	enum sec_header header;
	size_t n;

	cr_assert_lt(at, sent_n);
	cr_assert_eq(sec_nas_unprotect(world.sec, &net.nas, SEC_UPLINK, &net.uplink_next,
				       span_make(sent[at].nas, sent[at].n), plain, sizeof(plain),
				       &n, &header, NULL),
		     SEC_OK);
	cr_assert_eq(wire_nas_decode(&m, span_make(plain, n)), WIRE_CAUSE_NONE);
	return m.type;
}

static void run_to_authenticating(void)
{
	struct request q;

	device_start(&world, &ue);
	make_request(&q);
	give_request(&q);
	cr_assert_eq(ue.state, DEVICE_AUTHENTICATING, "%s", wire_cause_name(ue.cause));
	agree(2, 2);
}

static void run_to_secured(void)
{
	uint8_t nas[256];

	run_to_authenticating();
	give(nas, make_command(0x22, world.capability, nas, sizeof(nas)));
	cr_assert_eq(ue.state, DEVICE_SECURED);
	cr_assert_eq(uplink_type(sent_n - 1), WIRE_NAS_SECURITY_MODE_COMPLETE);
}

/* ---------------------------------------------------------------- many at a time */

static unsigned int done_n;

static void on_done(void *arg, struct device *d)
{
	(void)arg;
	cr_assert_not(d->waiting);
	done_n++;
}

Test(ue, tasks_wait_for_the_flush_or_for_a_full_batch)
{
	struct device others[3];

	world.batch = 3;
	world.done = on_done;
	for (unsigned int i = 0; i < 3; i++)
		others[i] = ue;
	device_start(&world, &others[0]);
	device_start(&world, &others[1]);
	cr_expect_eq(sent_n, 0);
	cr_expect(others[0].waiting);
	device_flush(&world);
	cr_expect_eq(sent_n, 2);
	cr_expect_eq(done_n, 2);
	device_flush(&world);
	cr_expect_eq(done_n, 2, "nothing waits any more");
	for (unsigned int i = 0; i < 3; i++) {
		others[i] = ue;
		device_start(&world, &others[i]);
	}
	cr_expect_eq(sent_n, 5, "a full batch does not wait");
}

Test(ue, a_message_for_a_waiting_device_is_dropped)
{
	struct request q;

	device_start(&world, &ue);
	make_request(&q);
	world.batch = 2;
	give_request(&q);
	cr_expect(ue.waiting);
	give_request(&q);
	device_timer(&world, &ue);
	cr_expect_eq(sent_n, 1);
	device_flush(&world);
	cr_expect_eq(sent_n, 2);
	cr_expect_eq(ue.state, DEVICE_AUTHENTICATING);
	agree(2, 2);
}

Test(ue, a_false_network_does_not_spoil_the_batch)
{
	struct device before = ue, after = ue;
	struct request q;

	device_start(&world, &ue);
	make_request(&q);
	world.batch = DEVICE_BATCH;
	device_start(&world, &before);
	q.signature[40] ^= 1;
	give_request(&q);
	device_start(&world, &after);
	device_flush(&world);
	cr_expect_eq(ue.state, DEVICE_REFUSED_NETWORK);
	cr_expect_eq(ue.cause, WIRE_CAUSE_SIGNATURE_AU);
	cr_expect_eq(before.state, DEVICE_ATTACHING);
	cr_expect_eq(after.state, DEVICE_ATTACHING);
	cr_expect_eq(sent_n, 4);
}

Test(ue, another_chain_is_checked_after_the_tasks_of_the_one_before)
{
	struct request q;

	device_start(&world, &ue);
	make_request(&q);
	world.batch = DEVICE_BATCH;
	give_request(&q);
	cr_assert(ue.waiting);

	struct device other = {.cert_euicc = ue.cert_euicc,
			       .eid = ue.eid,
			       .private_key = ue.private_key,
			       .curve = ue.curve,
			       .state = DEVICE_ATTACHING};
	uint8_t nas[WIRE_NAS_MAX], spoiled[WIRE_NAS_MAX];

	/* Cert_AU with another signature: not the chain of the memory. */
	memcpy(spoiled, net.au.der, net.au.n);
	spoiled[net.au.n - 1] ^= 1;
	memcpy(other.rand_ue, ue.rand_ue, 16);
	wire_set(&q.m, WIRE_IE_CERT_AU, spoiled, net.au.n);
	device_handle(&world, &other, span_make(nas, wire_encode(&q.m, nas, sizeof(nas))));
	cr_expect_eq(ue.state, DEVICE_AUTHENTICATING);
	cr_expect_eq(other.state, DEVICE_REFUSED_NETWORK);
	cr_expect_eq(other.cause, WIRE_CAUSE_CERT_AU);
}

/* ---------------------------------------------------------------- what goes right */

Test(ue, the_attach_request_is_signed_over_rand_ue_and_eid)
{
	struct wire_message m;
	uint8_t data[32];

	device_start(&world, &ue);
	cr_assert_eq(sent_n, 1);
	cr_assert_eq(wire_nas_decode(&m, last()), WIRE_CAUSE_NONE);
	cr_assert_eq(m.type, WIRE_NAS_ATTACH_REQUEST);
	memcpy(data, m.ie[WIRE_IE_RAND_UE].p, 16);
	memcpy(data + 16, net.eid, 16);
	cr_assert(signature_holds(&net.euicc, data, 32, m.ie[WIRE_IE_UE_SIGNATURE1].p));
	cr_assert(span_equal(m.ie[WIRE_IE_CI_PKID_LIST], world.ci.ski));
}

Test(ue, requests_made_in_advance_are_fresh_signed_and_attach)
{
	struct device devices[3] = {ue, ue, ue};
	struct device_ready ready[3];
	struct wire_message m;
	struct request q;
	uint8_t data[32];

	world.batch = DEVICE_BATCH;
	cr_assert(device_make_ready(&world, devices, ready, 3));
	for (unsigned int i = 0; i < 3; i++) {
		memcpy(data, ready[i].rand_ue, 16);
		memcpy(data + 16, net.eid, 16);
		cr_expect(signature_holds(&net.euicc, data, 32, ready[i].ue_signature1));
		cr_expect_neq(memcmp(ready[i].rand_ue, ready[(i + 1) % 3].rand_ue, 16), 0);
	}
	device_start_ready(&world, &ue, &ready[1]);
	cr_assert_eq(sent_n, 1, "nothing waits for a flush");
	cr_assert_not(ue.waiting);
	cr_assert_eq(wire_nas_decode(&m, last()), WIRE_CAUSE_NONE);
	cr_expect_eq(memcmp(m.ie[WIRE_IE_RAND_UE].p, ready[1].rand_ue, 16), 0);
	cr_expect_eq(memcmp(m.ie[WIRE_IE_UE_SIGNATURE1].p, ready[1].ue_signature1, 64), 0);
	make_request(&q);
	give_request(&q);
	device_flush(&world);
	cr_expect_eq(ue.state, DEVICE_AUTHENTICATING);
}

Test(ue, the_response_is_signed_over_rand_au_and_pk_ue)
{
	struct wire_message m;
	uint8_t data[81];

	run_to_authenticating();
	cr_assert_eq(wire_nas_decode(&m, last()), WIRE_CAUSE_NONE);
	memcpy(data, net.rand_au, 16);
	memcpy(data + 16, m.ie[WIRE_IE_PK_UE].p, 65);
	cr_assert(signature_holds(&net.euicc, data, 81, m.ie[WIRE_IE_UE_SIGNATURE2].p));
}

Test(ue, a_whole_attach_ends_in_attached_with_the_kgnb_of_the_an)
{
	uint8_t k_gnb[SEC_KEY_SIZE];

	run_to_secured();
	sec_derive_kgnb(net.k_amf, 0, k_gnb);
	cr_assert(device_check_kgnb(&ue, k_gnb));
	k_gnb[0] ^= 1;
	cr_assert_not(device_check_kgnb(&ue, k_gnb));
	give_accept();
	cr_assert_eq(ue.state, DEVICE_REGISTERED);
	cr_assert_eq(uplink_type(sent_n - 2), WIRE_NAS_ATTACH_COMPLETE);
	cr_assert_eq(uplink_type(sent_n - 1), WIRE_NAS_UL_NAS_TRANSPORT);
	give_session(1);
	cr_assert_eq(ue.state, DEVICE_ATTACHED);
	cr_assert_eq(ue.ipv4, 0x0a000007);
	cr_assert_eq(ue.dns, 0x0a000001);
	cr_assert_eq(ue.smdp, 0x0a000002);
}

static void give_detach_accept(void)
{
	struct wire_message m;
	uint8_t nas[64];

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_DETACH_ACCEPT);
	give(nas, protect(SEC_HDR_INTEGRITY_CIPHERED, &m, nas, sizeof(nas)));
}

Test(ue, detach_is_repeated_until_it_is_accepted_and_a_new_run_is_fresh)
{
	uint8_t rand_ue[16];

	run_to_secured();
	give_accept();
	device_detach(&world, &ue);
	cr_assert_eq(ue.state, DEVICE_REGISTERED, "there is nothing to detach from yet");
	give_session(1);
	give_detach_accept();
	cr_assert_eq(ue.state, DEVICE_ATTACHED, "nobody asked for it");
	uplink_type(sent_n - 2);
	uplink_type(sent_n - 1);
	device_detach(&world, &ue);
	cr_assert_eq(ue.state, DEVICE_DETACHING);
	device_timer(&world, &ue);
	cr_assert_eq(uplink_type(sent_n - 2), WIRE_NAS_DETACH_REQUEST);
	cr_assert_eq(uplink_type(sent_n - 1), WIRE_NAS_DETACH_REQUEST);
	give_detach_accept();
	cr_assert_eq(ue.state, DEVICE_DETACHED);
	memcpy(rand_ue, ue.rand_ue, 16);
	sent_n = 0;
	net.downlink = net.uplink_next = 0;
	run_to_secured();
	cr_assert_neq(memcmp(rand_ue, ue.rand_ue, 16), 0);
}

/* The network's own: cause 0 for none. */
static void give_detach_request(uint8_t cause)
{
	struct wire_message m;
	uint8_t nas[64];

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_DETACH_REQUEST);
	if (cause != 0)
		wire_set(&m, WIRE_IE_CAUSE, &cause, 1);
	give(nas, protect(SEC_HDR_INTEGRITY_CIPHERED, &m, nas, sizeof(nas)));
}

static void run_to_attached(void)
{
	run_to_secured();
	give_accept();
	uplink_type(sent_n - 2);
	uplink_type(sent_n - 1);
	give_session(1);
	cr_assert_eq(ue.state, DEVICE_ATTACHED);
}

Test(ue, the_network_may_detach_it_and_every_repetition_is_accepted)
{
	run_to_attached();
	unsigned int before = sent_n;

	give_detach_request(WIRE_CAUSE_SESSION_EXPIRED);
	cr_assert_eq(ue.state, DEVICE_DETACHED);
	cr_assert(ue.detached_by_network);
	cr_assert_eq(ue.cause, WIRE_CAUSE_SESSION_EXPIRED);
	give_detach_request(WIRE_CAUSE_SESSION_EXPIRED);
	cr_assert_eq(sent_n, before + 2);
	cr_assert_eq(uplink_type(before), WIRE_NAS_DETACH_ACCEPT);
	cr_assert_eq(uplink_type(before + 1), WIRE_NAS_DETACH_ACCEPT);
	sent_n = 0;
	net.downlink = net.uplink_next = 0;
	run_to_secured();
	cr_assert_not(ue.detached_by_network);
	cr_assert_eq(ue.cause, WIRE_CAUSE_NONE);
}

Test(ue, a_detach_by_the_network_without_a_cause_or_with_one_of_no_table_has_one)
{
	run_to_attached();
	give_detach_request(0);
	cr_assert_eq(ue.cause, WIRE_CAUSE_RELEASED);
	sent_n = 0;
	net.downlink = net.uplink_next = 0;
	run_to_attached();
	give_detach_request(0xff);
	cr_assert_eq(ue.state, DEVICE_DETACHED);
	cr_assert_lt((unsigned int)ue.cause, WIRE_CAUSE_LIMIT);
}

Test(ue, when_both_detach_its_own_is_over_too)
{
	run_to_attached();
	device_detach(&world, &ue);
	uplink_type(sent_n - 1);
	give_detach_request(WIRE_CAUSE_SESSION_DONE);
	cr_assert_eq(uplink_type(sent_n - 1), WIRE_NAS_DETACH_ACCEPT);
	cr_assert_eq(ue.state, DEVICE_DETACHED);
	cr_assert_not(ue.detached_by_network);
}

Test(ue, a_plain_detach_request_is_nobodys)
{
	static const uint8_t plain[] = {0x7e, 0, WIRE_NAS_DETACH_REQUEST};

	run_to_attached();
	unsigned int before = sent_n;

	give(plain, sizeof(plain));
	cr_assert_eq(ue.state, DEVICE_ATTACHED);
	cr_assert_eq(sent_n, before);
}

Test(ue, every_algorithm_pair_that_was_offered_works)
{
	for (uint8_t algorithm = 1; algorithm <= 3; algorithm++) {
		struct request q;
		uint8_t nas[256];

		memset(&net.nas, 0, sizeof(net.nas));
		net.downlink = net.uplink_next = 0;
		sent_n = 0;
		device_start(&world, &ue);
		make_request(&q);
		give_request(&q);
		agree(algorithm, algorithm);
		give(nas, make_command((uint8_t)(algorithm << 4 | algorithm), world.capability, nas,
				       sizeof(nas)));
		cr_assert_eq(ue.state, DEVICE_SECURED, "algorithm %u", algorithm);
	}
}

Test(ue, rejects_carry_cause_and_back_off)
{
	struct wire_message m;
	uint8_t cause = WIRE_CAUSE_CONGESTION, back_off = wire_timer2_encode(10), nas[64];

	device_start(&world, &ue);
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_ATTACH_REJECT);
	wire_set(&m, WIRE_IE_CAUSE, &cause, 1);
	wire_set(&m, WIRE_IE_BACK_OFF, &back_off, 1);
	give(nas, wire_encode(&m, nas, sizeof(nas)));
	cr_assert_eq(ue.state, DEVICE_REJECTED);
	cr_assert_eq(ue.cause, WIRE_CAUSE_CONGESTION);
	cr_assert_eq(ue.back_off_s, 10);
}

Test(ue, a_cause_that_no_table_has_is_taken_as_one_that_it_has)
{
	static const uint8_t reject[] = {0x7e, 0, WIRE_NAS_ATTACH_REJECT, 0x58, 1, 0xff};

	device_start(&world, &ue);
	give(reject, sizeof(reject));
	cr_assert_eq(ue.state, DEVICE_REJECTED);
	cr_assert_lt((unsigned int)ue.cause, WIRE_CAUSE_LIMIT);
}

/* ---------------------------------------------------------------- what is refused */

static void expect_refusal(const struct request *q, enum wire_cause cause)
{
	struct wire_message m;

	give_request(q);
	cr_assert_eq(ue.state, DEVICE_REFUSED_NETWORK);
	cr_assert_eq(ue.cause, cause, "%s", wire_cause_name(ue.cause));
	cr_assert_eq(wire_nas_decode(&m, last()), WIRE_CAUSE_NONE);
	cr_assert_eq(m.type, WIRE_NAS_AUTHENTICATION_FAILURE);
	cr_assert_eq(m.ie[WIRE_IE_CAUSE].p[0], cause);
}

Test(ue, a_wrong_au_signature_is_refused)
{
	struct request q;

	device_start(&world, &ue);
	make_request(&q);
	q.signature[40] ^= 1;
	expect_refusal(&q, WIRE_CAUSE_SIGNATURE_AU);
}

/* All of them signed by the true network. */
static void refuse_pk_au(uint8_t form, const uint8_t point[64])
{
	struct request q;

	sent_n = 0;
	device_start(&world, &ue);
	make_request(&q);
	net.pk_au[0] = form;
	memcpy(net.pk_au + 1, point, 64);
	sign_request(&q);
	expect_refusal(&q, WIRE_CAUSE_SIGNATURE_AU);
	cr_expect_eq(sent_n, 2, "no AUTHENTICATION RESPONSE");
}

Test(ue, a_pk_au_that_is_no_point_of_the_curve_is_refused)
{
	/* FIPS 186-4 D.1.2.3 */
	static const uint8_t p[32] = {0xff, 0xff, 0xff, 0xff, 0,    0,	  0,	0,
				      0,    0,	  0,	0,    0,    0,	  0,	0,
				      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t point[64] = {0};
	struct request q;

	refuse_pk_au(4, point);
	device_start(&world, &ue);
	make_request(&q);
	memcpy(point, net.pk_au + 1, 64);
	refuse_pk_au(2, point);
	point[63] ^= 1;
	refuse_pk_au(4, point);
	/* x as no element of the field is written */
	point[63] ^= 1;
	memcpy(point, p, 32);
	refuse_pk_au(4, point);
	sent_n = 0;
	run_to_authenticating();
}

Test(ue, a_pk_au_off_the_curve_does_not_spoil_the_batch)
{
	struct device before = ue, after = ue;
	struct request q;

	device_start(&world, &ue);
	make_request(&q);
	net.pk_au[64] ^= 1;
	sign_request(&q);
	world.batch = DEVICE_BATCH;
	device_start(&world, &before);
	give_request(&q);
	device_start(&world, &after);
	device_flush(&world);
	cr_expect_eq(ue.state, DEVICE_REFUSED_NETWORK);
	cr_expect_eq(ue.cause, WIRE_CAUSE_SIGNATURE_AU);
	cr_expect_eq(before.state, DEVICE_ATTACHING);
	cr_expect_eq(after.state, DEVICE_ATTACHING);
}

Test(ue, a_rand_ue_that_is_not_its_own_is_refused)
{
	struct request q;

	device_start(&world, &ue);
	make_request(&q);
	q.rand_ue[0] ^= 1;
	expect_refusal(&q, WIRE_CAUSE_RAND_MISMATCH);
}

Test(ue, a_cross_certificate_with_a_wrong_signature_is_refused)
{
	struct request q;

	device_start(&world, &ue);
	make_request(&q);
	net.cross.der[net.cross.n - 1] ^= 1;
	expect_refusal(&q, WIRE_CAUSE_CERT_CROSS);
}

Test(ue, a_network_without_a_cross_certificate_is_refused)
{
	struct request q;

	device_start(&world, &ue);
	make_request(&q);
	q.m.present &= ~(UINT64_C(1) << WIRE_IE_CERT_CROSS);
	expect_refusal(&q, WIRE_CAUSE_CERT_CROSS);
}

Test(ue, a_cert_au_with_a_wrong_signature_is_refused)
{
	struct request q;

	device_start(&world, &ue);
	make_request(&q);
	net.au.der[net.au.n - 1] ^= 1;
	expect_refusal(&q, WIRE_CAUSE_CERT_AU);
}

static void refuse_cross(enum issue_fault fault)
{
	struct request q;

	sent_n = 0;
	free(net.cross.der);
	issue(&net.cross, &net.ci,
	      (struct issue_request){.role = ISSUE_CROSS_OPERATOR,
				     .fault = fault,
				     .subject_cert =
					     span_make(net.operator_ca.der, net.operator_ca.n)});
	device_start(&world, &ue);
	make_request(&q);
	expect_refusal(&q, WIRE_CAUSE_CERT_CROSS);
}

static void refuse_cert_au(enum issue_fault fault)
{
	struct request q;

	sent_n = 0;
	free(net.au.der);
	issue(&net.au, &net.operator_ca,
	      (struct issue_request){
		      .role = ISSUE_AU, .fault = fault, .organisation = "Op", .common_name = "AU"});
	device_start(&world, &ue);
	make_request(&q);
	expect_refusal(&q, WIRE_CAUSE_CERT_AU);
}

Test(ue, a_cross_certificate_whose_time_is_over_or_not_yet_come_is_refused)
{
	refuse_cross(ISSUE_FAULT_EXPIRED);
	refuse_cross(ISSUE_FAULT_NOT_YET_VALID);
}

Test(ue, a_cert_au_whose_time_is_over_or_not_yet_come_is_refused)
{
	refuse_cert_au(ISSUE_FAULT_EXPIRED);
	refuse_cert_au(ISSUE_FAULT_NOT_YET_VALID);
}

Test(ue, a_certificate_of_another_role_is_no_cert_au)
{
	struct request q;

	device_start(&world, &ue);
	make_request(&q);
	wire_set(&q.m, WIRE_IE_CERT_AU, net.eum.der, net.eum.n);
	expect_refusal(&q, WIRE_CAUSE_CERT_AU);
}

Test(ue, the_memo_of_a_good_chain_does_not_cover_another_one)
{
	struct request q;

	run_to_authenticating();
	device_start(&world, &ue);
	make_request(&q);
	net.au.der[net.au.n - 1] ^= 1;
	expect_refusal(&q, WIRE_CAUSE_CERT_AU);
}

Test(ue, a_security_mode_command_with_a_wrong_mac_is_dropped_and_the_right_one_is_taken)
{
	uint8_t nas[256];

	run_to_authenticating();
	unsigned int before = sent_n;
	size_t n = make_command(0x22, world.capability, nas, sizeof(nas));

	nas[3] ^= 1;
	give(nas, n);
	cr_assert_eq(ue.state, DEVICE_AUTHENTICATING);
	cr_assert_eq(sent_n, before);
	nas[3] ^= 1;
	give(nas, n);
	cr_assert_eq(ue.state, DEVICE_SECURED);
}

Test(ue, a_replayed_capability_that_differs_is_answered_with_security_mode_reject)
{
	struct wire_message m;
	uint8_t nas[256], weaker[2] = {0x70, 0x20};

	run_to_authenticating();
	give(nas, make_command(0x22, weaker, nas, sizeof(nas)));
	cr_assert_eq(ue.state, DEVICE_REFUSED_NETWORK);
	cr_assert_eq(ue.cause, WIRE_CAUSE_CAPABILITY_MISMATCH);
	cr_assert_eq(wire_nas_decode(&m, last()), WIRE_CAUSE_NONE);
	cr_assert_eq(m.type, WIRE_NAS_SECURITY_MODE_REJECT);
	cr_assert_eq(m.ie[WIRE_IE_5GMM_CAUSE].p[0], 23);
}

Test(ue, an_algorithm_that_was_not_offered_is_refused)
{
	uint8_t nas[256];

	world.capability[0] = world.capability[1] = 0x10; /* 3 alone */
	run_to_authenticating();
	give(nas, make_command(0x22, world.capability, nas, sizeof(nas)));
	cr_assert_eq(ue.state, DEVICE_REFUSED_NETWORK);
	cr_assert_eq(ue.cause, WIRE_CAUSE_NO_COMMON_ALGORITHM);
}

Test(ue, a_security_mode_command_for_another_key_set_is_dropped)
{
	uint8_t nas[256];
	struct wire_message m;
	uint8_t algorithms = 0x22, ngksi = 1;

	run_to_authenticating();
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_SECURITY_MODE_COMMAND);
	wire_set(&m, WIRE_IE_NAS_ALGORITHMS, &algorithms, 1);
	wire_set(&m, WIRE_IE_NGKSI, &ngksi, 1);
	wire_set(&m, WIRE_IE_UE_SECURITY_CAPABILITY, world.capability, 2);
	give(nas, protect(SEC_HDR_INTEGRITY_NEW, &m, nas, sizeof(nas)));
	cr_assert_eq(ue.state, DEVICE_AUTHENTICATING);
}

Test(ue, nia0_is_never_taken_and_cannot_end_the_attach)
{
	static const uint8_t command[] = {0x7e, 3,    0,    0, 0, 0,	0,   0x7e,
					  0,	0x5d, 0x00, 0, 2, 0x70, 0x70};
	uint8_t nas[256];

	run_to_authenticating();
	give(command, sizeof(command));
	cr_assert_eq(ue.state, DEVICE_AUTHENTICATING);
	give(nas, make_command(0x22, world.capability, nas, sizeof(nas)));
	cr_assert_eq(ue.state, DEVICE_SECURED);
}

Test(ue, a_forged_algorithm_choice_cannot_end_the_attach)
{
	uint8_t nas[256];

	world.capability[0] = world.capability[1] = 0x20;
	run_to_authenticating();
	size_t n = make_command(0x22, world.capability, nas, sizeof(nas));

	nas[SEC_NAS_HEADER_SIZE + 3] = 0x33;
	give(nas, n);
	cr_assert_eq(ue.state, DEVICE_AUTHENTICATING);
}

Test(ue, nothing_plain_is_believed_once_security_is_on)
{
	static const uint8_t reject[] = {0x7e, 0, WIRE_NAS_ATTACH_REJECT,
					 0x58, 1, WIRE_CAUSE_CONGESTION};

	run_to_secured();
	give(reject, sizeof(reject));
	cr_assert_eq(ue.state, DEVICE_SECURED);
}

Test(ue, octets_of_any_kind_do_no_harm)
{
	unsigned int seed = 1;
	uint8_t nas[400];

	run_to_secured();
	for (unsigned int i = 0; i < 20000; i++) {
		size_t n = (size_t)rand_r(&seed) % sizeof(nas);

		for (size_t j = 0; j < n; j++)
			nas[j] = (uint8_t)rand_r(&seed);
		if (n > 2 && i % 4) {
			nas[0] = 0x7e;
			nas[1] = (uint8_t)(i % 5);
		}
		sent_n = 0;
		uint8_t *exact = malloc(n > 0 ? n : 1);

		memcpy(exact, nas, n);
		give(exact, n);
		free(exact);
	}
	cr_assert_eq(ue.state, DEVICE_SECURED);
}

/* ---------------------------------------------------------------- repetitions */

static void expect_same(unsigned int a, unsigned int b)
{
	cr_assert_eq(sent[a].n, sent[b].n);
	cr_assert_eq(memcmp(sent[a].nas, sent[b].nas, sent[a].n), 0);
}

Test(ue, t3510_repeats_the_attach_request_octet_by_octet)
{
	device_start(&world, &ue);
	device_timer(&world, &ue);
	cr_assert_eq(sent_n, 2);
	expect_same(0, 1);
}

Test(ue, a_repeated_authentication_request_gets_the_same_response)
{
	struct request q;

	device_start(&world, &ue);
	make_request(&q);
	give_request(&q);
	give_request(&q);
	cr_assert_eq(sent_n, 3);
	expect_same(1, 2);
}

Test(ue, a_repeated_security_mode_command_gets_the_same_complete)
{
	uint8_t nas[256];

	run_to_authenticating();
	size_t n = make_command(0x22, world.capability, nas, sizeof(nas));

	give(nas, n);
	give(nas, n);
	expect_same(sent_n - 2, sent_n - 1);
	cr_assert_eq(ue.state, DEVICE_SECURED);
}

Test(ue, a_repeated_attach_accept_is_completed_again_with_the_next_count)
{
	run_to_secured();
	give_accept();
	give_accept();
	cr_assert_eq(uplink_type(2 + 1), WIRE_NAS_ATTACH_COMPLETE);
	cr_assert_eq(uplink_type(2 + 2), WIRE_NAS_UL_NAS_TRANSPORT);
	cr_assert_eq(uplink_type(2 + 3), WIRE_NAS_ATTACH_COMPLETE);
	cr_assert_eq(sent_n, 2 + 4);
}

Test(ue, t3580_repeats_the_session_request_with_the_next_count)
{
	run_to_secured();
	give_accept();
	device_timer(&world, &ue);
	cr_assert_eq(uplink_type(sent_n - 2), WIRE_NAS_UL_NAS_TRANSPORT);
	cr_assert_eq(uplink_type(sent_n - 1), WIRE_NAS_UL_NAS_TRANSPORT);
}

Test(ue, a_session_without_dns_or_smdp_is_not_taken)
{
	run_to_secured();
	give_accept();
	for (size_t n = 1; n < sizeof(whole_epco); n++) {
		uint8_t *exact = malloc(n);

		memcpy(exact, whole_epco, n);
		give_session_with(1, span_make(exact, n));
		free(exact);
		cr_assert_eq(ue.state, DEVICE_REGISTERED, "%zu octets", n);
	}
	give_session(1);
	cr_assert_eq(ue.state, DEVICE_ATTACHED);
}

/* DNS at 10.0.0.1 and 2001:db8::53, link MTU 1400, and the SM-DP+ at 10.0.0.2 */
static const uint8_t dual_epco[] = {
	0x80, 0x00, 0x03, 16,	0x20, 0x01, 0x0d, 0xb8, 0,  0, 0, 0, 0,	   0,	 0,
	0,    0,    0,	  0,	0x53, 0x00, 0x0d, 4,	10, 0, 0, 1, 0x00, 0x10, 2,
	0x05, 0x78, 0xff, 0x00, 10,   0x00, 0xf1, 0x10, 10, 0, 0, 2, 'd',  'p',	 '+',
};

#define IID 0x0000000000000007

static void give_address(const uint8_t *address, size_t n)
{
	uint8_t *exact = malloc(n);

	memcpy(exact, address, n);
	give_session_of(1, span_make(exact, n), span_make(dual_epco, sizeof(dual_epco)));
	free(exact);
}

static uint8_t asked_type(void)
{
	uint8_t plain[1024];
	struct wire_message m, sm;
	enum sec_header header;
	size_t n;

	cr_assert_eq(sec_nas_unprotect(world.sec, &net.nas, SEC_UPLINK, &net.uplink_next, last(),
				       plain, sizeof(plain), &n, &header, NULL),
		     SEC_OK);
	cr_assert_eq(wire_nas_decode(&m, span_make(plain, n)), WIRE_CAUSE_NONE);
	cr_assert_eq(wire_nas_decode(&sm, m.ie[WIRE_IE_PAYLOAD_CONTAINER]), WIRE_CAUSE_NONE);
	cr_assert(wire_has(&sm, WIRE_IE_EPCO));
	return sm.ie[WIRE_IE_PDU_SESSION_TYPE].p[0];
}

Test(ue, a_session_of_both_families_has_an_address_of_each)
{
	static const uint8_t address[] = {3, 0, 0, 0, 0, 0, 0, 0, 7, 10, 0, 0, 9};
	static const uint8_t dns[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x53};

	world.session_type = DEVICE_SESSION_IPV4V6;
	run_to_secured();
	give_accept();
	cr_assert_eq(asked_type(), DEVICE_SESSION_IPV4V6);
	give_address(address, sizeof(address));
	cr_assert_eq(ue.state, DEVICE_ATTACHED);
	cr_assert_eq(ue.session_type, DEVICE_SESSION_IPV4V6);
	cr_assert_eq(ue.interface_id, IID);
	cr_assert_eq(ue.ipv4, 0x0a000009);
	cr_assert_eq(ue.dns, 0x0a000001);
	cr_assert_eq(memcmp(ue.dns_ipv6, dns, 16), 0);
	cr_assert_eq(ue.mtu, 1400);
	cr_assert_eq(ue.smdp, 0x0a000002);
	cr_assert_str_eq(world.smdp_name, "dp+");
}

Test(ue, a_session_of_ipv6_has_an_interface_identifier_alone)
{
	static const uint8_t address[] = {2, 0, 0, 0, 0, 0, 0, 0, 7};

	world.session_type = DEVICE_SESSION_IPV6;
	run_to_secured();
	give_accept();
	cr_assert_eq(asked_type(), DEVICE_SESSION_IPV6);
	give_address(address, sizeof(address));
	cr_assert_eq(ue.state, DEVICE_ATTACHED);
	cr_assert_eq(ue.interface_id, IID);
	cr_assert_eq(ue.ipv4, 0);
}

Test(ue, the_network_may_give_one_family_where_both_were_asked_for)
{
	static const uint8_t address[] = {1, 10, 0, 0, 9};

	world.session_type = DEVICE_SESSION_IPV4V6;
	run_to_secured();
	give_accept();
	give_address(address, sizeof(address));
	cr_assert_eq(ue.state, DEVICE_ATTACHED);
	cr_assert_eq(ue.session_type, DEVICE_SESSION_IPV4);
	cr_assert_eq(ue.interface_id, 0);
}

Test(ue, an_address_of_a_type_that_was_not_asked_for_or_of_another_length_is_not_taken)
{
	static const uint8_t address[13] = {0};
	uint8_t wrong[13];

	run_to_secured();
	give_accept();
	for (unsigned int type = 0; type < 8; type++) {
		for (size_t n = 5; n <= sizeof(address); n++) {
			if (type == DEVICE_SESSION_IPV4 && n == 5)
				continue;
			memcpy(wrong, address, sizeof(wrong));
			wrong[0] = (uint8_t)type;
			give_address(wrong, n);
			cr_assert_eq(ue.state, DEVICE_REGISTERED, "type %u, %zu octets", type, n);
		}
	}
	give_session(1);
	cr_assert_eq(ue.state, DEVICE_ATTACHED);
	cr_assert_eq(ue.mtu, 0);
}

Test(ue, a_session_accept_of_another_transaction_is_ignored)
{
	run_to_secured();
	give_accept();
	give_session(99);
	cr_assert_eq(ue.state, DEVICE_REGISTERED);
	give_session(1);
	cr_assert_eq(ue.state, DEVICE_ATTACHED);
}

Test(ue, a_replayed_protected_message_is_ignored)
{
	struct wire_message m;
	uint8_t nas[256], guti[11];

	run_to_secured();
	wire_guti_encode("001", "01", 1, 1, 1, 7, guti);
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_ATTACH_ACCEPT);
	wire_set(&m, WIRE_IE_GUTI, guti, sizeof(guti));
	size_t n = protect(SEC_HDR_INTEGRITY_CIPHERED, &m, nas, sizeof(nas));

	give(nas, n);
	unsigned int before = sent_n;

	give(nas, n);
	cr_assert_eq(sent_n, before);
}
