/* SPDX-License-Identifier: BSD-3-Clause */
#include <openssl/rand.h>
#include <stdio.h>

#include "ue/device.h"

enum {
	ATTACH_TYPE_PROVISIONING = 1,
	PDU_SESSION_ID = 1,
	PTI = 1,
	REQUEST_INITIAL = 1,
	PAYLOAD_N1_SM = 1,
	PCO_DNS_IPV6 = 0x0003,
	PCO_DNS_IPV4 = 0x000d,
	PCO_IPV4_MTU = 0x0010,
	PCO_OPERATOR = 0xff00,
	CAUSE_5GMM_CAPABILITY = 23, /* UE security capabilities mismatch, TS 24.501 9.11.3.2 */
};

const char *device_state_name(enum device_state state)
{
	static const char *const names[DEVICE_STATE_N] = {
		"idle",	    "attaching", "authenticating", "secured",  "registered",
		"attached", "detaching", "detached",	   "rejected", "refused-network",
	};

	return state < DEVICE_STATE_N ? names[state] : "?";
}

bool device_world_init(struct device_world *w, struct span cert_ci)
{
	return pki_cert_parse(&w->ci, cert_ci) == PKI_OK &&
	       pki_cert_check(&w->ci, PKI_ROLE_CI, w->now) == PKI_OK;
}

bool device_world_serving_network(struct device_world *w, struct span name)
{
	/* "5G:mncXXX.mccYYY.3gppnetwork.org" -> "rsp.5gc.mncXXX.mccYYY.3gppnetwork.org" */
	if (name.n < 4 || name.n >= sizeof(w->serving_network) || memcmp(name.p, "5G:", 3) != 0)
		return false;
	memcpy(w->serving_network, name.p, name.n);
	w->serving_network[name.n] = '\0';
	snprintf(w->realm, sizeof(w->realm), "rsp.5gc.%s", w->serving_network + 3);
	return true;
}

void device_world_fini(struct device_world *w)
{
	crypto_key_free(w->memo.key);
	wipe(w->tasks, sizeof(w->tasks));
}

static void send(struct device_world *w, struct device *d, const struct wire_message *m)
{
	size_t n = wire_encode(m, w->buffer, sizeof(w->buffer));

	if (n > 0)
		w->send(w->arg, d, w->buffer, n);
}

static void send_secured_at(struct device_world *w, struct device *d, enum sec_header header,
			    uint32_t count, const struct wire_message *m)
{
	uint8_t plain[1024];
	size_t n = wire_encode(m, plain, sizeof(plain)), length;

	if (n > 0 &&
	    sec_nas_protect(w->sec, &d->nas, SEC_UPLINK, count, header, span_make(plain, n),
			    w->buffer, sizeof(w->buffer), &length) == SEC_OK)
		w->send(w->arg, d, w->buffer, length);
}

static void send_secured(struct device_world *w, struct device *d, const struct wire_message *m)
{
	send_secured_at(w, d, SEC_HDR_INTEGRITY_CIPHERED, d->uplink_count++, m);
}

static void hash(struct device_world *w, const void *p, size_t n, uint8_t digest[32])
{
	crypto_hash_burst(w->crypto, &(struct crypto_hash){span_make(p, n), digest}, 1);
}

/* Room for a task; the others are done when there is none left. */
static struct device_task *add_task(struct device_world *w, struct device *d)
{
	if (w->n_tasks == DEVICE_BATCH)
		device_flush(w);
	struct device_task *t = &w->tasks[w->n_tasks++];

	memset(t, 0, sizeof(*t));
	t->device = d;
	d->waiting = true;
	return t;
}

static void task_added(struct device_world *w)
{
	if (w->n_tasks >= w->batch)
		device_flush(w);
}

/* ---------------------------------------------------------------- step 1 */

/* RAND_UE || EID */
static void hash_for_signature1(struct device_world *w, const uint8_t rand_ue[16],
				const uint8_t eid[16], uint8_t digest[32])
{
	uint8_t signed_data[32];

	memcpy(signed_data, rand_ue, 16);
	memcpy(signed_data + 16, eid, 16);
	hash(w, signed_data, sizeof(signed_data), digest);
}

size_t device_build_attach_request(struct device_world *w, const struct device *d, uint8_t *out,
				   size_t size)
{
	struct wire_message m;
	uint8_t type = ATTACH_TYPE_PROVISIONING;

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_ATTACH_REQUEST);
	wire_set(&m, WIRE_IE_ATTACH_TYPE, &type, 1);
	wire_set(&m, WIRE_IE_RAND_UE, d->rand_ue, sizeof(d->rand_ue));
	wire_set(&m, WIRE_IE_CERT_EUICC, d->cert_euicc.p, d->cert_euicc.n);
	wire_set(&m, WIRE_IE_UE_SIGNATURE1, d->ue_signature1, sizeof(d->ue_signature1));
	wire_set(&m, WIRE_IE_UE_SECURITY_CAPABILITY, w->capability, sizeof(w->capability));
	if (w->ci.ski.n == 20)
		wire_set(&m, WIRE_IE_CI_PKID_LIST, w->ci.ski.p, w->ci.ski.n);
	return wire_encode(&m, out, size);
}

static void begin_run(struct device *d)
{
	d->state = DEVICE_ATTACHING;
	d->cause = WIRE_CAUSE_NONE;
	d->back_off_s = 0;
	d->secured = false;
	d->detached_by_network = false;
	d->uplink_count = d->downlink_next = 0;
}

void device_start(struct device_world *w, struct device *d)
{
	struct device_task *t = add_task(w, d);

	begin_run(d);
	RAND_bytes(d->rand_ue, sizeof(d->rand_ue));
	t->is_start = true;
	hash_for_signature1(w, d->rand_ue, d->eid, t->digest);
	task_added(w);
}

bool device_make_ready(struct device_world *w, const struct device *devices,
		       struct device_ready *out, unsigned int n)
{
	uint8_t digests[DEVICE_BATCH][CRYPTO_DIGEST_SIZE], rands[DEVICE_BATCH * 16];
	struct crypto_sign ops[DEVICE_BATCH];

	if (RAND_bytes(rands, (int)n * 16) != 1)
		return false;
	for (unsigned int i = 0; i < n; i++) {
		memcpy(out[i].rand_ue, rands + (size_t)i * 16, 16);
		hash_for_signature1(w, out[i].rand_ue, devices[i].eid, digests[i]);
		ops[i] = (struct crypto_sign){.curve = devices[i].curve,
					      .private_key = devices[i].private_key,
					      .digest = digests[i],
					      .signature = out[i].ue_signature1};
	}
	crypto_sign_burst(w->crypto, ops, n);
	for (unsigned int i = 0; i < n; i++)
		if (ops[i].status != CRYPTO_OK)
			return false;
	return true;
}

void device_start_ready(struct device_world *w, struct device *d, const struct device_ready *r)
{
	begin_run(d);
	memcpy(d->rand_ue, r->rand_ue, sizeof(d->rand_ue));
	memcpy(d->ue_signature1, r->ue_signature1, sizeof(d->ue_signature1));
	device_timer(w, d);
}

/* ---------------------------------------------------------------- steps 3 to 5 */

static bool verify(struct device_world *w, const struct pki_cert *issuer,
		   const struct pki_cert *cert)
{
	uint8_t digest[32];
	struct crypto_verify op = {.curve = issuer->curve,
				   .public_key = issuer->public_key,
				   .digest = digest,
				   .signature = cert->signature};

	hash(w, cert->tbs.p, cert->tbs.n, digest);
	crypto_verify_burst(w->crypto, &op, 1);
	return op.status == CRYPTO_OK;
}

/* Cert_AU up to the CI, through the cross-certificate in which the CI certifies the operator CA. */
static enum wire_cause check_chain(struct device_world *w, struct span cert_au,
				   struct span cert_cross, struct pki_cert *au)
{
	struct pki_cert cross;

	if (pki_cert_parse(&cross, cert_cross) != PKI_OK ||
	    pki_cert_check(&cross, PKI_ROLE_CROSS, w->now) != PKI_OK ||
	    pki_cert_issued_by(&cross, &w->ci) != PKI_OK || !verify(w, &w->ci, &cross))
		return WIRE_CAUSE_CERT_CROSS;
	if (pki_cert_parse(au, cert_au) != PKI_OK ||
	    pki_cert_check(au, PKI_ROLE_AU, w->now) != PKI_OK ||
	    pki_cert_issued_by(au, &cross) != PKI_OK || !verify(w, &cross, au))
		return WIRE_CAUSE_CERT_AU;
	return WIRE_CAUSE_NONE;
}

/* Makes this chain the one of w->memo, checked unless it is that already. */
static enum wire_cause take_chain(struct device_world *w, struct span cert_au,
				  struct span cert_cross)
{
	if (w->memo.valid && !w->memo_off && span_equal(cert_au, w->memo.cert_au) &&
	    span_equal(cert_cross, w->memo.cert_cross))
		return WIRE_CAUSE_NONE;
	/* Tasks that wait are of the chain before. */
	device_flush(w);
	w->memo.valid = false;
	memcpy(w->memo.octets, cert_au.p, cert_au.n);
	memcpy(w->memo.octets + WIRE_NAS_MAX, cert_cross.p, cert_cross.n);
	w->memo.cert_au = span_make(w->memo.octets, cert_au.n);
	w->memo.cert_cross = span_make(w->memo.octets + WIRE_NAS_MAX, cert_cross.n);
	enum wire_cause cause = check_chain(w, w->memo.cert_au, w->memo.cert_cross, &w->memo.au);

	if (cause != WIRE_CAUSE_NONE)
		return cause;
	hash(w, cert_au.p, cert_au.n, w->memo.hash_of_au);
	crypto_key_free(w->memo.key);
	w->memo.key = NULL;
	/* Tables pay for many UEs of one network, not for one. */
	if (!w->memo_off &&
	    crypto_public_key_load(crypto_backend_name(w->crypto), w->memo.au.curve,
				   w->memo.au.public_key, 0, &w->memo.key) != CRYPTO_OK)
		return WIRE_CAUSE_CERT_AU;
	w->memo.valid = true;
	return WIRE_CAUSE_NONE;
}

/* All of step 4 but AU_Signature's arithmetic. */
static enum wire_cause check_network(struct device_world *w, const struct device *d,
				     const struct wire_message *m)
{
	if (memcmp(m->ie[WIRE_IE_RAND_UE].p, d->rand_ue, sizeof(d->rand_ue)) != 0)
		return WIRE_CAUSE_RAND_MISMATCH;
	if (!wire_has(m, WIRE_IE_CERT_CROSS))
		return WIRE_CAUSE_CERT_CROSS;
	enum wire_cause cause = take_chain(w, m->ie[WIRE_IE_CERT_AU], m->ie[WIRE_IE_CERT_CROSS]);

	if (cause != WIRE_CAUSE_NONE)
		return cause;
	if (w->memo.au.curve != d->curve || m->ie[WIRE_IE_PK_AU].p[0] != 0x04)
		return WIRE_CAUSE_SIGNATURE_AU;
	return WIRE_CAUSE_NONE;
}

/* From the ECDH x-coordinate to K_AMF. */
static void derive_keys(struct device_world *w, const struct device_task *t)
{
	struct device *d = t->device;
	uint8_t ksession[SEC_KEY_SIZE];
	char supi[SEC_SUPI_MAX];
	struct sec_keys keys;

	sec_derive_ksession(&(struct sec_session_input){.z = t->z,
							.rand_ue = d->rand_ue,
							.rand_au = d->rand_au,
							.eid = d->eid,
							.pk_au = t->pk_au,
							.pk_ue = d->pk_ue,
							.cert_au_hash = w->memo.hash_of_au},
			    ksession);
	size_t n = sec_supi_from_eid(d->eid, w->realm, supi);

	sec_derive_kamf(ksession, span_make(w->serving_network, strlen(w->serving_network)),
			span_make(supi, n), t->abba, &keys);
	memcpy(d->k_amf, keys.k_amf, sizeof(d->k_amf));
	wipe(ksession, sizeof(ksession));
	wipe(&keys, sizeof(keys));
}

size_t device_build_authentication_response(struct device_world *w, const struct device *d,
					    uint8_t *out, size_t size)
{
	struct wire_message m;

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_AUTHENTICATION_RESPONSE);
	wire_set(&m, WIRE_IE_RAND_AU, d->rand_au, sizeof(d->rand_au));
	wire_set(&m, WIRE_IE_CERT_EUM, w->cert_eum.p, w->cert_eum.n);
	if (w->cert_subca.n > 0)
		wire_set(&m, WIRE_IE_CERT_EUM_SUBCA, w->cert_subca.p, w->cert_subca.n);
	wire_set(&m, WIRE_IE_CERT_EUICC, d->cert_euicc.p, d->cert_euicc.n);
	wire_set(&m, WIRE_IE_UE_SIGNATURE2, d->ue_signature2, sizeof(d->ue_signature2));
	wire_set(&m, WIRE_IE_PK_UE, d->pk_ue, sizeof(d->pk_ue));
	return wire_encode(&m, out, size);
}

static void send_authentication_response(struct device_world *w, struct device *d)
{
	size_t n = device_build_authentication_response(w, d, w->buffer, sizeof(w->buffer));

	w->send(w->arg, d, w->buffer, n);
}

static void refuse_network(struct device_world *w, struct device *d, enum wire_cause cause)
{
	struct wire_message m;
	uint8_t value = (uint8_t)cause;

	d->state = DEVICE_REFUSED_NETWORK;
	d->cause = cause;
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_AUTHENTICATION_FAILURE);
	wire_set(&m, WIRE_IE_CAUSE, &value, 1);
	send(w, d, &m);
}

static void on_authentication_request(struct device_world *w, struct device *d,
				      const struct wire_message *m)
{
	/* Sent again: the same answer again. */
	if (d->state == DEVICE_AUTHENTICATING &&
	    memcmp(m->ie[WIRE_IE_RAND_AU].p, d->rand_au, sizeof(d->rand_au)) == 0) {
		send_authentication_response(w, d);
		return;
	}
	if (d->state != DEVICE_ATTACHING)
		return;
	enum wire_cause cause = check_network(w, d, m);

	if (cause != WIRE_CAUSE_NONE) {
		refuse_network(w, d, cause);
		return;
	}
	struct device_task *t = add_task(w, d);

	memcpy(d->rand_au, m->ie[WIRE_IE_RAND_AU].p, sizeof(d->rand_au));
	d->ngksi = m->ie[WIRE_IE_NGKSI].p[0];
	memcpy(t->pk_au, m->ie[WIRE_IE_PK_AU].p, sizeof(t->pk_au));
	memcpy(t->abba, m->ie[WIRE_IE_ABBA].p, sizeof(t->abba));
	memcpy(t->au_signature, m->ie[WIRE_IE_AU_SIGNATURE].p, sizeof(t->au_signature));
	task_added(w);
}

/* ---------------------------------------------------------------- the tasks of steps 1 and 5 */

/* Step 4: AU_Signature over RAND_UE || RAND_AU || PK_AU. */
static void verify_networks(struct device_world *w)
{
	struct crypto_verify ops[DEVICE_BATCH];
	struct device_task *owners[DEVICE_BATCH];
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n_tasks; i++) {
		struct device_task *t = &w->tasks[i];
		uint8_t signed_data[16 + 16 + 65];

		if (t->is_start)
			continue;
		memcpy(signed_data, t->device->rand_ue, 16);
		memcpy(signed_data + 16, t->device->rand_au, 16);
		memcpy(signed_data + 32, t->pk_au, 65);
		hash(w, signed_data, sizeof(signed_data), t->digest);
		owners[n] = t;
		ops[n++] = (struct crypto_verify){.curve = w->memo.au.curve,
						  .key = w->memo.key,
						  .public_key = w->memo.au.public_key,
						  .digest = t->digest,
						  .signature = t->au_signature};
	}
	crypto_verify_burst(w->crypto, ops, n);
	for (unsigned int i = 0; i < n; i++)
		if (ops[i].status != CRYPTO_OK)
			owners[i]->cause = WIRE_CAUSE_SIGNATURE_AU;
}

/* The UEs' halves of the key agreement, and what UE_Signature2 is over: RAND_AU || PK_UE. */
static void agree(struct device_world *w)
{
	struct crypto_keypair pairs[DEVICE_BATCH];
	struct crypto_ecdh ecdhs[DEVICE_BATCH];
	struct device_task *owners[DEVICE_BATCH];
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n_tasks; i++) {
		struct device_task *t = &w->tasks[i];
		struct device *d = t->device;

		if (t->is_start || t->cause != WIRE_CAUSE_NONE)
			continue;
		d->pk_ue[0] = 0x04;
		owners[n] = t;
		pairs[n] = (struct crypto_keypair){
			.curve = d->curve, .private_key = t->sk_ue, .public_key = d->pk_ue + 1};
		ecdhs[n++] = (struct crypto_ecdh){.curve = d->curve,
						  .private_key = t->sk_ue,
						  .public_key = t->pk_au + 1,
						  .z = t->z};
	}
	crypto_keypair_burst(w->crypto, pairs, n);
	crypto_ecdh_burst(w->crypto, ecdhs, n);
	for (unsigned int i = 0; i < n; i++) {
		struct device_task *t = owners[i];
		uint8_t signed_data[16 + 65];

		if (pairs[i].status != CRYPTO_OK || ecdhs[i].status != CRYPTO_OK) {
			t->cause = WIRE_CAUSE_SIGNATURE_AU;
			continue;
		}
		derive_keys(w, t);
		memcpy(signed_data, t->device->rand_au, 16);
		memcpy(signed_data + 16, t->device->pk_ue, 65);
		hash(w, signed_data, sizeof(signed_data), t->digest);
	}
}

static void sign(struct device_world *w)
{
	struct crypto_sign ops[DEVICE_BATCH];
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n_tasks; i++) {
		struct device_task *t = &w->tasks[i];
		struct device *d = t->device;

		if (t->cause == WIRE_CAUSE_NONE)
			ops[n++] = (struct crypto_sign){
				.curve = d->curve,
				.private_key = d->private_key,
				.digest = t->digest,
				.signature = t->is_start ? d->ue_signature1 : d->ue_signature2};
	}
	crypto_sign_burst(w->crypto, ops, n);
}

void device_flush(struct device_world *w)
{
	unsigned int n = w->n_tasks;

	verify_networks(w);
	agree(w);
	sign(w);
	w->n_tasks = 0;
	for (unsigned int i = 0; i < n; i++) {
		struct device *d = w->tasks[i].device;

		d->waiting = false;
		if (w->tasks[i].is_start) {
			device_timer(w, d);
		} else if (w->tasks[i].cause != WIRE_CAUSE_NONE) {
			refuse_network(w, d, w->tasks[i].cause);
		} else {
			d->state = DEVICE_AUTHENTICATING;
			send_authentication_response(w, d);
		}
		if (w->done)
			w->done(w->arg, d);
	}
	wipe(w->tasks, n * sizeof(w->tasks[0]));
}

/* ---------------------------------------------------------------- step 7 */

static void reject_security_mode(struct device_world *w, struct device *d, enum wire_cause cause)
{
	struct wire_message m;
	uint8_t value = CAUSE_5GMM_CAPABILITY;

	d->state = DEVICE_REFUSED_NETWORK;
	d->cause = cause;
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_SECURITY_MODE_REJECT);
	wire_set(&m, WIRE_IE_5GMM_CAUSE, &value, 1);
	send(w, d, &m);
}

static void send_security_mode_complete(struct device_world *w, struct device *d)
{
	struct wire_message m;

	/* COUNT 0, always: a repetition is the same octets. */
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_SECURITY_MODE_COMPLETE);
	send_secured_at(w, d, SEC_HDR_INTEGRITY_CIPHERED_NEW, 0, &m);
}

/* SECURITY MODE COMMAND comes in clear, with a MAC under the keys that it names itself. */
static void on_security_mode_command(struct device_world *w, struct device *d, struct span nas)
{
	uint8_t plain[256];
	size_t n;
	uint32_t next = 0, count;
	enum sec_header header;
	struct wire_message m;

	if (d->state != DEVICE_AUTHENTICATING && d->state != DEVICE_SECURED)
		return;
	if (wire_nas_decode(&m, span_make(nas.p + SEC_NAS_HEADER_SIZE,
					  nas.n - SEC_NAS_HEADER_SIZE)) != WIRE_CAUSE_NONE ||
	    m.type != WIRE_NAS_SECURITY_MODE_COMMAND)
		return;
	uint8_t algorithms = m.ie[WIRE_IE_NAS_ALGORITHMS].p[0];
	struct sec_nas_context context = {.nea = algorithms >> 4, .nia = algorithms & 0x0f};
	struct span capability = m.ie[WIRE_IE_UE_SECURITY_CAPABILITY];

	if (m.ie[WIRE_IE_NGKSI].p[0] != d->ngksi) /* a key set that this run did not make */
		return;
	/* Nobody can vouch for the choice of NIA0: it is no more than a wrong MAC is. */
	if (context.nia == SEC_NIA0 || context.nia > SEC_NIA3 || context.nea > SEC_NEA3)
		return;
	sec_derive_nas_keys(d->k_amf, context.nea, context.nia, context.k_nas_enc,
			    context.k_nas_int);
	if (sec_nas_unprotect(w->sec, &context, SEC_DOWNLINK, &next, nas, plain, sizeof(plain), &n,
			      &header, &count) != SEC_OK ||
	    count != 0) {
		/* A wrong MAC is nobody's message: it is dropped, and the right one will come. */
		return;
	}
	if (!(w->capability[1] & (0x80 >> context.nia)) ||
	    !(w->capability[0] & (0x80 >> context.nea))) {
		reject_security_mode(w, d, WIRE_CAUSE_NO_COMMON_ALGORITHM);
		return;
	}
	if (!span_equal(capability, span_make(w->capability, sizeof(w->capability)))) {
		reject_security_mode(w, d, WIRE_CAUSE_CAPABILITY_MISMATCH);
		return;
	}
	if (d->state == DEVICE_AUTHENTICATING) {
		d->nas = context;
		d->secured = true;
		d->uplink_count = 1;
		d->downlink_next = 1;
		sec_derive_kgnb(d->k_amf, 0, d->k_gnb);
		d->state = DEVICE_SECURED;
	}
	send_security_mode_complete(w, d);
}

/* ---------------------------------------------------------------- step 8 */

static uint8_t wanted_type(const struct device_world *w)
{
	return w->session_type != 0 ? w->session_type : DEVICE_SESSION_IPV4;
}

static void send_session_request(struct device_world *w, struct device *d)
{
	/* Empty containers ask (TS 24.008 10.5.6.3). */
	static const uint8_t epco[] = {0x80, 0x00, PCO_DNS_IPV4, 0, 0x00, PCO_DNS_IPV6,
				       0,    0x00, PCO_IPV4_MTU, 0};
	struct wire_message sm, m;
	uint8_t rate[2] = {0xff, 0xff}, type = wanted_type(w), container[64];
	uint8_t container_type = PAYLOAD_N1_SM, request = REQUEST_INITIAL, id = PDU_SESSION_ID;

	wire_message_init(&sm, WIRE_EPD_5GSM, WIRE_NAS_SESSION_ESTABLISHMENT_REQUEST);
	sm.pdu_session_id = id;
	sm.pti = PTI;
	wire_set(&sm, WIRE_IE_INTEGRITY_MAX_RATE, rate, sizeof(rate));
	wire_set(&sm, WIRE_IE_PDU_SESSION_TYPE, &type, 1);
	wire_set(&sm, WIRE_IE_EPCO, epco, sizeof(epco));
	size_t n = wire_encode(&sm, container, sizeof(container));

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_UL_NAS_TRANSPORT);
	wire_set(&m, WIRE_IE_PAYLOAD_CONTAINER_TYPE, &container_type, 1);
	wire_set(&m, WIRE_IE_PAYLOAD_CONTAINER, container, n);
	wire_set(&m, WIRE_IE_PDU_SESSION_ID, &id, 1);
	wire_set(&m, WIRE_IE_REQUEST_TYPE, &request, 1);
	send_secured(w, d, &m);
}

static void on_attach_accept(struct device_world *w, struct device *d)
{
	struct wire_message m;

	if (d->state != DEVICE_SECURED && d->state != DEVICE_REGISTERED)
		return;
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_ATTACH_COMPLETE);
	send_secured(w, d, &m);
	if (d->state == DEVICE_SECURED)
		send_session_request(w, d);
	d->state = DEVICE_REGISTERED;
}

/* The content of an option of EPCO (TS 24.008 10.5.6.3), of at least this length; NULL: none. */
static const uint8_t *find_option(struct span epco, uint16_t id, size_t least)
{
	for (size_t at = 1; at + 3 <= epco.n; at += 3 + (size_t)epco.p[at + 2]) {
		size_t n = epco.p[at + 2];

		if (load_be16(epco.p + at) == id && n >= least && at + 3 + n <= epco.n)
			return epco.p + at + 3;
	}
	return NULL;
}

/* PDU address (TS 24.501 9.11.4.10): a type that was asked for, or one family of the two. */
static bool take_address(const struct device_world *w, struct device *d, struct span address)
{
	static const uint8_t sizes[] = {[DEVICE_SESSION_IPV4] = 1 + 4,
					[DEVICE_SESSION_IPV6] = 1 + 8,
					[DEVICE_SESSION_IPV4V6] = 1 + 8 + 4};
	uint8_t type = address.p[0] & 7;

	if (type < DEVICE_SESSION_IPV4 || type > DEVICE_SESSION_IPV4V6 ||
	    (type & wanted_type(w)) != type || address.n != sizes[type])
		return false;
	d->session_type = type;
	d->interface_id = type & DEVICE_SESSION_IPV6 ? load_be64(address.p + 1) : 0;
	d->ipv4 = type & DEVICE_SESSION_IPV4 ? load_be32(address.p + address.n - 4) : 0;
	return true;
}

/* MCC and MNC, the address, and the name in what is left (docs/protocol.md, section 11). */
static void take_smdp(struct device_world *w, struct device *d, const uint8_t *option)
{
	size_t n = option[-1] - 7u;

	d->smdp = load_be32(option + 3);
	memcpy(w->smdp_name, option + 7, n <= DEVICE_SMDP_NAME ? n : 0);
	w->smdp_name[n <= DEVICE_SMDP_NAME ? n : 0] = '\0';
}

/* A session without DNS and SM-DP+ is of no use to this UE: such an ACCEPT is not taken. */
static void on_session_accept(struct device_world *w, struct device *d,
			      const struct wire_message *sm)
{
	if (!wire_has(sm, WIRE_IE_PDU_ADDRESS) || !wire_has(sm, WIRE_IE_EPCO))
		return;
	struct span epco = sm->ie[WIRE_IE_EPCO];
	const uint8_t *dns = find_option(epco, PCO_DNS_IPV4, 4);
	const uint8_t *dns_ipv6 = find_option(epco, PCO_DNS_IPV6, sizeof(d->dns_ipv6));
	const uint8_t *mtu = find_option(epco, PCO_IPV4_MTU, 2);
	const uint8_t *operator_use = find_option(epco, PCO_OPERATOR, 7);

	if ((!dns && !dns_ipv6) || !operator_use ||
	    !take_address(w, d, sm->ie[WIRE_IE_PDU_ADDRESS]))
		return;
	d->dns = dns ? load_be32(dns) : 0;
	memset(d->dns_ipv6, 0, sizeof(d->dns_ipv6));
	if (dns_ipv6)
		memcpy(d->dns_ipv6, dns_ipv6, sizeof(d->dns_ipv6));
	d->mtu = mtu ? load_be16(mtu) : 0;
	take_smdp(w, d, operator_use);
	d->state = DEVICE_ATTACHED;
}

static void on_transport(struct device_world *w, struct device *d, const struct wire_message *m)
{
	struct wire_message sm;

	if (d->state != DEVICE_REGISTERED ||
	    wire_nas_decode(&sm, m->ie[WIRE_IE_PAYLOAD_CONTAINER]) != WIRE_CAUSE_NONE ||
	    sm.epd != WIRE_EPD_5GSM || sm.pdu_session_id != PDU_SESSION_ID || sm.pti != PTI)
		return;
	if (sm.type == WIRE_NAS_SESSION_ESTABLISHMENT_REJECT) {
		d->state = DEVICE_REJECTED;
		d->cause = WIRE_CAUSE_SESSION_REFUSED;
	} else if (sm.type == WIRE_NAS_SESSION_ESTABLISHMENT_ACCEPT) {
		on_session_accept(w, d, &sm);
	}
}

/* ---------------------------------------------------------------- the end */

static void send_detach_request(struct device_world *w, struct device *d)
{
	struct wire_message m;

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_DETACH_REQUEST);
	send_secured(w, d, &m);
}

void device_detach(struct device_world *w, struct device *d)
{
	if (d->state != DEVICE_ATTACHED)
		return;
	d->state = DEVICE_DETACHING;
	send_detach_request(w, d);
}

static uint8_t cause_of(const struct wire_message *m)
{
	uint8_t cause = m->ie[WIRE_IE_CAUSE].p[0];

	return cause > WIRE_CAUSE_NONE && cause < WIRE_CAUSE_LIMIT ? cause
								   : WIRE_CAUSE_IE_BAD_VALUE;
}

/* The network's own (TS 24.501 5.5.2.3.2). It repeats the request until it has an answer; where
 * both sides detach at a time, the UE's procedure is over too. */
static void on_detach_request(struct device_world *w, struct device *d,
			      const struct wire_message *request)
{
	struct wire_message m;

	if (d->state < DEVICE_SECURED || d->state > DEVICE_DETACHED)
		return;
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_DETACH_ACCEPT);
	send_secured(w, d, &m);
	if (d->state < DEVICE_DETACHING) {
		d->detached_by_network = true;
		d->cause =
			wire_has(request, WIRE_IE_CAUSE) ? cause_of(request) : WIRE_CAUSE_RELEASED;
	}
	d->state = DEVICE_DETACHED;
}

/* ---------------------------------------------------------------- dispatch */

static void on_reject(struct device *d, const struct wire_message *m)
{
	d->state = DEVICE_REJECTED;
	d->cause = cause_of(m);
	if (wire_has(m, WIRE_IE_BACK_OFF))
		d->back_off_s = wire_timer2_decode(m->ie[WIRE_IE_BACK_OFF].p[0]);
}

static void on_plain(struct device_world *w, struct device *d, struct span nas)
{
	struct wire_message m;

	/* After security is on, nothing plain is believed: anybody may have sent it. */
	if (d->secured || wire_nas_decode(&m, nas) != WIRE_CAUSE_NONE)
		return;
	switch (m.type) {
	case WIRE_NAS_AUTHENTICATION_REQUEST:
		on_authentication_request(w, d, &m);
		return;
	case WIRE_NAS_ATTACH_REJECT:
	case WIRE_NAS_AUTHENTICATION_REJECT:
		if (d->state == DEVICE_ATTACHING || d->state == DEVICE_AUTHENTICATING)
			on_reject(d, &m);
		return;
	default:
		return;
	}
}

static void on_secured(struct device_world *w, struct device *d, struct span nas)
{
	uint8_t plain[1024];
	enum sec_header header;
	struct wire_message m;
	size_t n;

	if (!d->secured ||
	    sec_nas_unprotect(w->sec, &d->nas, SEC_DOWNLINK, &d->downlink_next, nas, plain,
			      sizeof(plain), &n, &header, NULL) != SEC_OK ||
	    wire_nas_decode(&m, span_make(plain, n)) != WIRE_CAUSE_NONE)
		return;
	switch (m.type) {
	case WIRE_NAS_ATTACH_ACCEPT:
		on_attach_accept(w, d);
		return;
	case WIRE_NAS_DL_NAS_TRANSPORT:
		on_transport(w, d, &m);
		return;
	case WIRE_NAS_ATTACH_REJECT:
		on_reject(d, &m);
		return;
	case WIRE_NAS_DETACH_REQUEST:
		on_detach_request(w, d, &m);
		return;
	case WIRE_NAS_DETACH_ACCEPT:
		if (d->state == DEVICE_DETACHING)
			d->state = DEVICE_DETACHED;
		return;
	default:
		return;
	}
}

void device_handle(struct device_world *w, struct device *d, struct span nas)
{
	enum sec_header header;

	if (d->waiting || sec_nas_peek(nas, &header) != SEC_OK)
		return;
	if (header == SEC_HDR_PLAIN)
		on_plain(w, d, nas);
	else if (header == SEC_HDR_INTEGRITY_NEW)
		on_security_mode_command(w, d, nas);
	else if (header == SEC_HDR_INTEGRITY_CIPHERED)
		on_secured(w, d, nas);
}

void device_timer(struct device_world *w, struct device *d)
{
	size_t n;

	if (d->waiting)
		return;
	switch (d->state) {
	case DEVICE_ATTACHING:
		n = device_build_attach_request(w, d, w->buffer, sizeof(w->buffer));
		w->send(w->arg, d, w->buffer, n);
		return;
	case DEVICE_REGISTERED:
		send_session_request(w, d);
		return;
	case DEVICE_DETACHING:
		send_detach_request(w, d);
		return;
	default:
		return;
	}
}

bool device_check_kgnb(const struct device *d, const uint8_t k_gnb[SEC_KEY_SIZE])
{
	return d->secured && equal_ct(d->k_gnb, k_gnb, SEC_KEY_SIZE);
}
