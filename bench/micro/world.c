/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The attaches that cases run on: credentials as `cpau-pki init` makes them, UEs of lib/ue, and the
 * network's side of the procedure, message by message as lib/au/control.c sends them.
 */
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_common.h>

#include "micro/micro.h"
#include "ue/device.h"

#define SERVING_NETWORK "5G:mnc001.mcc001.3gppnetwork.org"
#define REALM		"rsp.5gc.mnc001.mcc001.3gppnetwork.org"
#define EUM_NAME	"RSP Test EUM"
#define EUM_PREFIX	"89049032"

struct micro_world micro;
bool micro_cold;

/* The network's secrets. */
static struct {
	struct issue_key *ci, *operator_ca, *eum;
	struct crypto_key *au_sign;
} keys;

/* What the UE said last, in the order in which it said it. */
static struct {
	uint8_t octets[2][WIRE_NAS_MAX];
	size_t n[2];
	unsigned int count;
} said;

void micro_check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench micro: %s\n", what);
	exit(1);
}

/* ---------------------------------------------------------------- credentials */

static struct span issue(enum issue_role role, const char *name, const struct issue_key *subject,
			 struct span subject_cert, struct span issuer_cert,
			 const struct issue_key *issuer)
{
	bool eum = role == ISSUE_EUM;
	const struct issue_request request = {
		.role = role,
		.country = "ES",
		.organisation = eum || role == ISSUE_EUICC ? EUM_NAME : "RSP Test",
		.common_name = role == ISSUE_EUICC ? "eUICC" : name,
		.serial_number = role == ISSUE_EUICC ? name : NULL,
		.eid_prefix = eum ? EUM_PREFIX : NULL,
		.subject_key = subject,
		.subject_cert = subject_cert,
		.issuer_cert = issuer_cert,
		.issuer_key = issuer,
		.days = role == ISSUE_EUICC ? 0 : 3650,
	};
	size_t n;
	uint8_t *der = issue_certificate(&request, &n);

	micro_check(der != NULL, "a certificate could not be issued");
	return span_make(der, n);
}

static void make_credentials(void)
{
	const struct span none = span_make(NULL, 0);

	keys.ci = issue_key_generate(CRYPTO_P256);
	keys.operator_ca = issue_key_generate(CRYPTO_P256);
	micro.au_key = issue_key_generate(CRYPTO_P256);
	keys.eum = issue_key_generate(CRYPTO_P256);
	micro_check(keys.ci && keys.operator_ca && micro.au_key && keys.eum, "no keys");
	micro.ci_key = keys.ci;
	micro.cert_ci = issue(ISSUE_CI, "Test CI", keys.ci, none, none, keys.ci);

	micro.cert_operator_ca = issue(ISSUE_OPERATOR_CA, "Operator CA", keys.operator_ca, none,
				       none, keys.operator_ca);
	micro.cert_cross = issue(ISSUE_CROSS_OPERATOR, NULL, keys.operator_ca,
				 micro.cert_operator_ca, micro.cert_ci, keys.ci);
	micro.cert_ci_cross = issue(ISSUE_CROSS_CI, NULL, keys.ci, micro.cert_ci,
				    micro.cert_operator_ca, keys.operator_ca);
	micro.cert_au = issue(ISSUE_AU, "cpau", micro.au_key, none, micro.cert_operator_ca,
			      keys.operator_ca);
	micro.cert_eum = issue(ISSUE_EUM, "EUM", keys.eum, none, micro.cert_ci, keys.ci);
	micro_check(pki_cert_parse(&micro.ci, micro.cert_ci) == PKI_OK &&
			    pki_cert_parse(&micro.eum, micro.cert_eum) == PKI_OK,
		    "credentials that do not parse");
	uint8_t scalar[32];

	issue_key_scalar(micro.au_key, scalar);
	micro_check(crypto_private_key_load(crypto_backend_name(micro.crypto), CRYPTO_P256, scalar,
					    &keys.au_sign) == CRYPTO_OK,
		    "no key to sign with");
	crypto_hash_burst(micro.crypto, &(struct crypto_hash){micro.cert_au, micro.cert_au_hash},
			  1);
}

static void make_device(struct device *d, unsigned int number)
{
	static uint8_t eids[MICRO_HOT][16], private_keys[MICRO_HOT][32];
	struct issue_key *key = issue_key_generate(CRYPTO_P256);
	struct pki_cert cert;
	char eid[33];

	micro_check(key != NULL, "no device key");
	snprintf(eid, sizeof(eid), EUM_PREFIX "%022u00", number);
	issue_eid_check_digits(eid);
	memset(d, 0, sizeof(*d));
	d->cert_euicc = issue(ISSUE_EUICC, eid, key, span_make(NULL, 0), micro.cert_eum, keys.eum);
	micro_check(pki_cert_parse(&cert, d->cert_euicc) == PKI_OK &&
			    pki_cert_check(&cert, PKI_ROLE_EUICC, micro.now) == PKI_OK &&
			    pki_cert_issued_by(&cert, &micro.eum) == PKI_OK,
		    "a Cert_eUICC that would be refused");
	memcpy(eids[number], cert.eid, 16);
	issue_key_scalar(key, private_keys[number]);
	d->eid = eids[number];
	d->private_key = private_keys[number];
	d->curve = CRYPTO_P256;
	issue_key_free(key);
}

/* ---------------------------------------------------------------- one attach */

static void put(struct micro_item *item, enum micro_message which, const void *octets, size_t n)
{
	micro_check(item->used + n <= sizeof(item->octets), "an attach of too many octets");
	memcpy(item->octets + item->used, octets, n);
	item->message[which] = span_make(item->octets + item->used, n);
	item->used += n;
}

static void put_encoded(struct micro_item *item, enum micro_message which,
			const struct wire_message *m)
{
	uint8_t octets[WIRE_NAS_MAX];

	put(item, which, octets, wire_encode(m, octets, sizeof(octets)));
}

/* Protects the message before it. */
static void put_protected(struct micro_item *item, enum micro_message which, enum sec_header header,
			  uint32_t count)
{
	uint8_t octets[WIRE_NAS_MAX];
	size_t n;

	micro_check(sec_nas_protect(micro.sec, &item->nas, SEC_DOWNLINK, count, header,
				    item->message[which - 1], octets, sizeof(octets), &n) == SEC_OK,
		    "a message could not be protected");
	put(item, which, octets, n);
}

/* A message of the UE's, and what is in it. */
static void take_protected(struct micro_item *item, enum micro_message which, unsigned int nth)
{
	uint8_t plain[WIRE_NAS_MAX];
	uint32_t next = 0;
	enum sec_header header;
	size_t n;

	micro_check(nth < said.count, "the UE kept silent");
	micro_check(sec_nas_unprotect(micro.sec, &item->nas, SEC_UPLINK, &next,
				      span_make(said.octets[nth], said.n[nth]), plain,
				      sizeof(plain), &n, &header, NULL) == SEC_OK,
		    "a message could not be unprotected");
	put(item, which, plain, n);
	put(item, which + 1, said.octets[nth], said.n[nth]);
}

static void hear(void *arg, struct device *d, const uint8_t *nas, size_t n)
{
	(void)arg;
	(void)d;
	micro_check(said.count < RTE_DIM(said.n), "the UE said too much");
	memcpy(said.octets[said.count], nas, n);
	said.n[said.count++] = n;
}

static void tell(struct device_world *w, struct device *d, struct span nas)
{
	said.count = 0;
	device_handle(w, d, nas);
}

static void authentication_request(struct micro_item *item, uint8_t sk_au[32])
{
	uint8_t signed_data[16 + 16 + 65], digest[32], signature[64], ngksi = 0;
	struct crypto_keypair pair = {
		.curve = CRYPTO_P256, .private_key = sk_au, .public_key = item->pk_au + 1};
	struct crypto_sign sign = {.curve = CRYPTO_P256,
				   .key = keys.au_sign,
				   .digest = digest,
				   .signature = signature};
	struct wire_message m;

	crypto_keypair_burst(micro.crypto, &pair, 1);
	item->pk_au[0] = 0x04;
	RAND_bytes(item->rand_au, sizeof(item->rand_au));
	memcpy(signed_data, item->rand_ue, 16);
	memcpy(signed_data + 16, item->rand_au, 16);
	memcpy(signed_data + 32, item->pk_au, 65);
	crypto_hash_burst(
		micro.crypto,
		&(struct crypto_hash){span_make(signed_data, sizeof(signed_data)), digest}, 1);
	crypto_sign_burst(micro.crypto, &sign, 1);
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_AUTHENTICATION_REQUEST);
	wire_set(&m, WIRE_IE_NGKSI, &ngksi, 1);
	wire_set(&m, WIRE_IE_ABBA, "\0\0", 2);
	wire_set(&m, WIRE_IE_RAND_UE, item->rand_ue, 16);
	wire_set(&m, WIRE_IE_RAND_AU, item->rand_au, 16);
	wire_set(&m, WIRE_IE_PK_AU, item->pk_au, 65);
	wire_set(&m, WIRE_IE_AU_SIGNATURE, signature, 64);
	wire_set(&m, WIRE_IE_CERT_AU, micro.cert_au.p, micro.cert_au.n);
	wire_set(&m, WIRE_IE_CERT_CROSS, micro.cert_cross.p, micro.cert_cross.n);
	put_encoded(item, MICRO_AUTHENTICATION_REQUEST, &m);
}

static void derive_keys(struct micro_item *item, const uint8_t sk_au[32])
{
	struct crypto_ecdh ecdh = {.curve = CRYPTO_P256,
				   .private_key = sk_au,
				   .public_key = item->pk_ue + 1,
				   .z = item->z};
	char supi[SEC_SUPI_MAX];
	struct sec_keys out;

	crypto_ecdh_burst(micro.crypto, &ecdh, 1);
	sec_derive_ksession(&(struct sec_session_input){.z = item->z,
							.rand_ue = item->rand_ue,
							.rand_au = item->rand_au,
							.eid = item->eid,
							.pk_au = item->pk_au,
							.pk_ue = item->pk_ue,
							.cert_au_hash = micro.cert_au_hash},
			    item->ksession);
	size_t n = sec_supi_from_eid(item->eid, micro.realm, supi);

	sec_derive_kamf(item->ksession,
			span_make(micro.serving_network, strlen(micro.serving_network)),
			span_make(supi, n), (const uint8_t[2]){0, 0}, &out);
	memcpy(item->k_amf, out.k_amf, sizeof(item->k_amf));
	item->nas.nia = SEC_NIA2;
	item->nas.nea = SEC_NEA2;
	sec_derive_nas_keys(item->k_amf, SEC_NEA2, SEC_NIA2, item->nas.k_nas_enc,
			    item->nas.k_nas_int);
	sec_derive_kgnb(item->k_amf, 0, item->k_gnb);
}

static void security_mode_command(struct micro_item *item, const uint8_t capability[2])
{
	uint8_t algorithms = SEC_NEA2 << 4 | SEC_NIA2, ngksi = 0;
	struct wire_message m;

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_SECURITY_MODE_COMMAND);
	wire_set(&m, WIRE_IE_NAS_ALGORITHMS, &algorithms, 1);
	wire_set(&m, WIRE_IE_NGKSI, &ngksi, 1);
	wire_set(&m, WIRE_IE_UE_SECURITY_CAPABILITY, capability, 2);
	put_encoded(item, MICRO_SECURITY_MODE_COMMAND, &m);
	put_protected(item, MICRO_SECURITY_MODE_COMMAND_SENT, SEC_HDR_INTEGRITY_NEW, 0);
}

static void context_setup(struct micro_item *item, const uint8_t capability[2])
{
	static const uint8_t nonce[SEC_SEAL_NONCE_SIZE];
	uint8_t aad[12];
	struct wire_message m;

	store_be32(aad, item->an_ue_id);
	store_be64(aad + 4, item->au_ue_id);
	sec_seal_key(micro.sec, micro.an_key, nonce, span_make(aad, sizeof(aad)), item->k_gnb,
		     item->sealed);
	wire_message_init(&m, 0, WIRE_CONTEXT_SETUP_REQUEST);
	wire_set(&m, WIRE_IE_SEALED_KGNB, item->sealed, sizeof(item->sealed));
	wire_set(&m, WIRE_IE_UE_SECURITY_CAPABILITY, capability, 2);
	put_encoded(item, MICRO_CONTEXT_SETUP_REQUEST, &m);
	put(item, MICRO_CONTEXT_SETUP_RESPONSE, "", 0);
}

static void attach_accept(struct micro_item *item)
{
	uint8_t guti[11], t3512 = wire_timer3_encode(0);
	struct wire_message m;

	wire_guti_encode("001", "01", 1, 1, 0, item->an_ue_id, guti);
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_ATTACH_ACCEPT);
	wire_set(&m, WIRE_IE_GUTI, guti, sizeof(guti));
	wire_set(&m, WIRE_IE_T3512, &t3512, 1);
	put_encoded(item, MICRO_ATTACH_ACCEPT, &m);
	put_protected(item, MICRO_ATTACH_ACCEPT_SENT, SEC_HDR_INTEGRITY_CIPHERED, 1);
}

static void session_setup(struct micro_item *item, struct span dnn)
{
	uint8_t id = 1, address[4] = {10, 0, 0, 1}, qfi = 1;
	struct wire_message m;

	wire_message_init(&m, 0, WIRE_SESSION_SETUP_REQUEST);
	wire_set(&m, WIRE_IE_PDU_SESSION_ID, &id, 1);
	wire_set(&m, WIRE_IE_UE_IPV4, address, sizeof(address));
	wire_set(&m, WIRE_IE_QFI, &qfi, 1);
	wire_set(&m, WIRE_IE_DNN, dnn.p, dnn.n);
	put_encoded(item, MICRO_SESSION_SETUP_REQUEST, &m);
	put(item, MICRO_SESSION_SETUP_RESPONSE, "", 0);
}

static void session_accept(struct micro_item *item, struct span dnn)
{
	static const uint8_t rules[] = {0x01, 0x00, 0x06, 0x31, 0x31, 0x01, 0x01, 0xff, 0x01},
			     ambr[] = {0x01, 0x03, 0xe8, 0x01, 0x03, 0xe8},
			     address[] = {1, 10, 0, 0, 1};
	/* DNS server, and the operator's option: MCC/MNC, the SM-DP+'s address and name. */
	static const char epco[] = "\x80\x00\x0d\x04\xc0\x00\x02\x35\xff\x00\x17\x00\xf1\x10"
				   "\xc0\x00\x02\x36smdp.example.com";
	uint8_t type = 1, ssc = 1, container_type = 1, id = 1;
	struct wire_message sm, m;
	struct span container;

	wire_message_init(&sm, WIRE_EPD_5GSM, WIRE_NAS_SESSION_ESTABLISHMENT_ACCEPT);
	sm.pdu_session_id = id;
	sm.pti = 1;
	wire_set(&sm, WIRE_IE_PDU_SESSION_TYPE, &type, 1);
	wire_set(&sm, WIRE_IE_SSC_MODE, &ssc, 1);
	wire_set(&sm, WIRE_IE_QOS_RULES, rules, sizeof(rules));
	wire_set(&sm, WIRE_IE_SESSION_AMBR, ambr, sizeof(ambr));
	wire_set(&sm, WIRE_IE_PDU_ADDRESS, address, sizeof(address));
	wire_set(&sm, WIRE_IE_DNN, dnn.p, dnn.n);
	wire_set(&sm, WIRE_IE_EPCO, epco, sizeof(epco) - 1);
	put_encoded(item, MICRO_SESSION_ACCEPT, &sm);
	container = item->message[MICRO_SESSION_ACCEPT];
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_DL_NAS_TRANSPORT);
	wire_set(&m, WIRE_IE_PAYLOAD_CONTAINER_TYPE, &container_type, 1);
	wire_set(&m, WIRE_IE_PAYLOAD_CONTAINER, container.p, container.n);
	wire_set(&m, WIRE_IE_PDU_SESSION_ID, &id, 1);
	put_encoded(item, MICRO_DL_NAS_TRANSPORT, &m);
	put_protected(item, MICRO_DL_NAS_TRANSPORT_SENT, SEC_HDR_INTEGRITY_CIPHERED, 2);
}

static void take_session_request(struct micro_item *item)
{
	struct wire_message m;

	/* ATTACH COMPLETE and the request come together. */
	take_protected(item, MICRO_UL_NAS_TRANSPORT, 1);
	micro_check(wire_nas_decode(&m, item->message[MICRO_UL_NAS_TRANSPORT]) == WIRE_CAUSE_NONE,
		    "UL NAS TRANSPORT does not decode");
	item->message[MICRO_SESSION_REQUEST] = m.ie[WIRE_IE_PAYLOAD_CONTAINER];
}

static void attach(struct device_world *w, struct device *d, struct micro_item *item)
{
	uint8_t sk_au[32], dnn[64];
	struct span dnn_span = span_make(dnn, wire_dnn_encode("rsp", dnn, sizeof(dnn)));
	struct wire_message m;

	memcpy(item->eid, d->eid, sizeof(item->eid));
	said.count = 0;
	device_start(w, d);
	memcpy(item->rand_ue, d->rand_ue, sizeof(item->rand_ue));
	put(item, MICRO_ATTACH_REQUEST, said.octets[0], said.n[0]);
	wire_nas_decode(&m, item->message[MICRO_ATTACH_REQUEST]);
	item->cert_euicc = m.ie[WIRE_IE_CERT_EUICC];
	authentication_request(item, sk_au);
	tell(w, d, item->message[MICRO_AUTHENTICATION_REQUEST]);
	micro_check(d->state == DEVICE_AUTHENTICATING, "the UE does not believe the network");
	put(item, MICRO_AUTHENTICATION_RESPONSE, said.octets[0], said.n[0]);
	memcpy(item->pk_ue, d->pk_ue, sizeof(item->pk_ue));
	derive_keys(item, sk_au);
	security_mode_command(item, w->capability);
	tell(w, d, item->message[MICRO_SECURITY_MODE_COMMAND_SENT]);
	take_protected(item, MICRO_SECURITY_MODE_COMPLETE, 0);
	context_setup(item, w->capability);
	attach_accept(item);
	tell(w, d, item->message[MICRO_ATTACH_ACCEPT_SENT]);
	take_protected(item, MICRO_ATTACH_COMPLETE, 0);
	take_session_request(item);
	session_setup(item, dnn_span);
	session_accept(item, dnn_span);
	tell(w, d, item->message[MICRO_DL_NAS_TRANSPORT_SENT]);
	micro_check(d->state == DEVICE_ATTACHED, "the UE did not attach");
	wipe(sk_au, sizeof(sk_au));
}

/* ---------------------------------------------------------------- many */

static struct span moved(struct span s, const struct micro_item *from, const struct micro_item *to)
{
	return s.p ? span_make(to->octets + (s.p - from->octets), s.n) : s;
}

static void copy_item(struct micro_item *to, const struct micro_item *from)
{
	memcpy(to, from, sizeof(*to));
	for (unsigned int i = 0; i < MICRO_MESSAGES; i++)
		to->message[i] = moved(from->message[i], from, to);
	to->cert_euicc = moved(from->cert_euicc, from, to);
}

static void make_items(void)
{
	struct device_world *w = calloc(1, sizeof(*w));
	struct device d;

	micro.items = calloc(MICRO_ITEMS, sizeof(micro.items[0]));
	micro_check(w && micro.items, "no memory");
	w->crypto = micro.crypto;
	w->sec = micro.sec;
	w->cert_eum = micro.cert_eum;
	w->capability[0] = 0xf0; /* 5G-EA0 to 3 */
	w->capability[1] = 0x70; /* 5G-IA1 to 3 */
	w->now = micro.now;
	w->send = hear;
	micro_check(device_world_init(w, micro.cert_ci) &&
			    device_world_serving_network(
				    w, span_make(SERVING_NETWORK, strlen(SERVING_NETWORK))),
		    "no UE");
	for (unsigned int i = 0; i < MICRO_HOT; i++) {
		micro.items[i].an_ue_id = i + 1;
		micro.items[i].au_ue_id = (uint64_t)(i + 1) << 24;
		make_device(&d, i);
		attach(w, &d, &micro.items[i]);
		free((void *)(uintptr_t)d.cert_euicc.p);
	}
	for (unsigned int i = MICRO_HOT; i < MICRO_ITEMS; i++)
		copy_item(&micro.items[i], &micro.items[i % MICRO_HOT]);
	device_world_fini(w);
	free(w);
}

void micro_world_create(const char *backend)
{
	uint8_t an_key[SEC_AN_KEY_SIZE];
	const char *why;

	micro.crypto = crypto_create(backend, -1, &why);
	micro_check(micro.crypto != NULL, why);
	micro.sec = sec_create(&why);
	micro_check(micro.sec != NULL, why);
	RAND_bytes(an_key, sizeof(an_key));
	micro.an_key = sec_an_key_create(micro.sec, an_key);
	micro_check(micro.an_key != NULL, "no memory");
	micro.serving_network = SERVING_NETWORK;
	micro.realm = REALM;
	micro.now = (int64_t)time(NULL);
	make_credentials();
	make_items();
}
