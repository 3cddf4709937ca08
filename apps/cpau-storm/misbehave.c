/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Messages that are not as they ought to be, on their way out.
 */
#include "internal.h"

/* PK_UE off the curve, and signed as if it were right. */
static void spoil_pk_ue(struct storm *s, struct attach *a)
{
	struct device *d = &a->device;
	uint8_t signed_data[81], digest[32];

	d->pk_ue[64] ^= 1;
	memcpy(signed_data, d->rand_au, 16);
	memcpy(signed_data + 16, d->pk_ue, 65);
	crypto_hash_burst(
		s->world.crypto,
		&(struct crypto_hash){span_make(signed_data, sizeof(signed_data)), digest}, 1);
	crypto_sign_burst(s->world.crypto,
			  &(struct crypto_sign){.curve = d->curve,
						.private_key = d->private_key,
						.digest = digest,
						.signature = d->ue_signature2},
			  1);
}

/* Step 5 with the certificate of another device of the fleet, signed as if it were right. */
static size_t response_of_another(struct storm *s, struct attach *a, uint8_t *out, size_t size)
{
	struct span own = a->device.cert_euicc;
	struct fleet_device other;
	size_t n;

	for (uint64_t i = 0; i < 2; i++)
		if (fleet_device_get(s->config->fleet, i, &other) &&
		    !span_equal(other.cert_euicc, own))
			a->device.cert_euicc = other.cert_euicc;
	n = device_build_authentication_response(&s->world, &a->device, out, size);
	a->device.cert_euicc = own;
	return n;
}

/* Step 5 of a device whose EUM and CI nobody here knows, with its own chain. */
static size_t response_of_a_stranger(struct storm *s, const struct attach *a, uint8_t *out,
				     size_t size)
{
	struct span eum = s->world.cert_eum, subca = s->world.cert_subca;

	s->world.cert_eum = fleet_cert_eum(s->config->hostile_fleet);
	s->world.cert_subca = fleet_cert_subca(s->config->hostile_fleet);
	size_t n = device_build_authentication_response(&s->world, &a->device, out, size);

	s->world.cert_eum = eum;
	s->world.cert_subca = subca;
	return n;
}

/* Of the right form, under keys that are not there yet. */
static void send_early_smc_complete(struct storm *s, const struct attach *a)
{
	static const uint8_t complete[] = {WIRE_EPD_5GMM,
					   SEC_HDR_INTEGRITY_CIPHERED_NEW,
					   1,
					   2,
					   3,
					   4,
					   0,
					   WIRE_EPD_5GMM,
					   0,
					   WIRE_NAS_SECURITY_MODE_COMPLETE};

	node_send_nas(s, a, node_an_ue_id(s, a), a->au_ue_id, complete, sizeof(complete));
}

/* Rightly protected, under the next COUNT. */
static void send_early_attach_complete(struct storm *s, struct attach *a)
{
	static const uint8_t complete[] = {WIRE_EPD_5GMM, 0, WIRE_NAS_ATTACH_COMPLETE};
	uint8_t nas[sizeof(complete) + SEC_NAS_HEADER_SIZE];
	size_t n;

	if (sec_nas_protect(s->world.sec, &a->device.nas, SEC_UPLINK, a->device.uplink_count++,
			    SEC_HDR_INTEGRITY_CIPHERED, span_make(complete, sizeof(complete)), nas,
			    sizeof(nas), &n) == SEC_OK)
		node_send_nas(s, a, node_an_ue_id(s, a), a->au_ue_id, nas, n);
}

static void send_plain_detach(struct storm *s, const struct attach *a)
{
	static const uint8_t detach[] = {WIRE_EPD_5GMM, 0, WIRE_NAS_DETACH_REQUEST};

	node_send_nas(s, a, node_an_ue_id(s, a), a->au_ue_id, detach, sizeof(detach));
}

/* A UE that has nothing to complain of refuses the network in step 5. */
static size_t make_authentication_failure(uint8_t *out, size_t size)
{
	static const uint8_t cause = WIRE_CAUSE_CERT_AU;
	struct wire_message m;

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_AUTHENTICATION_FAILURE);
	wire_set(&m, WIRE_IE_CAUSE, &cause, 1);
	return wire_encode(&m, out, size);
}

/* Likewise in step 7. */
static size_t make_security_mode_reject(uint8_t *out, size_t size)
{
	static const uint8_t cause = 23; /* UE security capabilities mismatch */
	struct wire_message m;

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_SECURITY_MODE_REJECT);
	wire_set(&m, WIRE_IE_5GMM_CAUSE, &cause, 1);
	return wire_encode(&m, out, size);
}

void misbehave_send(struct storm *s, struct attach *a, const uint8_t *nas, size_t n)
{
	uint8_t copy[WIRE_NAS_MAX];
	uint32_t id = node_an_ue_id(s, a);
	bool plain = n > 2 && nas[1] == 0;
	uint8_t type = plain ? nas[2] : 0;

	memcpy(copy, nas, n);
	if (type == WIRE_NAS_AUTHENTICATION_RESPONSE) {
		if (a->fault == FAULT_HALF_OPEN)
			return;
		if (a->fault == FAULT_SMC_COMPLETE_EARLY)
			send_early_smc_complete(s, a);
		if (a->fault == FAULT_NETWORK_REFUSED)
			n = make_authentication_failure(copy, sizeof(copy));
		if (a->fault == FAULT_CERT_CHANGED)
			n = response_of_another(s, a, copy, sizeof(copy));
		if (a->fault == FAULT_STRANGER)
			n = response_of_a_stranger(s, a, copy, sizeof(copy));
		if (a->fault == FAULT_PK_UE && a->device.cause == WIRE_CAUSE_NONE) {
			a->device.cause =
				WIRE_CAUSE_PK_UE; /* once: a repetition is the same octets */
			spoil_pk_ue(s, a);
			n = device_build_authentication_response(&s->world, &a->device, copy,
								 sizeof(copy));
		}
	}
	if (type == WIRE_NAS_ATTACH_REQUEST && a->fault == FAULT_OUT_OF_ORDER) {
		memset(a->device.rand_au, 1, sizeof(a->device.rand_au));
		memset(a->device.pk_ue, 4, sizeof(a->device.pk_ue));
		n = device_build_authentication_response(&s->world, &a->device, copy, sizeof(copy));
	}
	if (type == WIRE_NAS_ATTACH_REQUEST && a->fault == FAULT_RECORD_UNKNOWN)
		node_send_record(
			s, a->an, a->port,
			&(struct wire_record){.type = 0x7e, .an_ue_id = id, .payload = {0}});
	if (a->fault == FAULT_SMC_REJECTED && nas[1] == SEC_HDR_INTEGRITY_CIPHERED_NEW)
		n = make_security_mode_reject(copy, sizeof(copy));
	if (a->fault == FAULT_NAS_MAC && nas[1] == SEC_HDR_INTEGRITY_CIPHERED_NEW) {
		copy[3] ^= 1;
		node_send_nas(s, a, id, a->au_ue_id, copy, n);
		copy[3] ^= 1;
	}
	if (a->fault == FAULT_NAS_REPLAYED && !plain)
		node_send_nas(s, a, id, a->au_ue_id, copy, n);
	if (a->fault == FAULT_NAS_UNPROTECTED && !plain)
		send_plain_detach(s, a);
	n = fault_spoil(a->fault, copy, n, sizeof(copy));
	node_send_nas(s, a, id, a->au_ue_id, copy, n);
	if (a->fault == FAULT_ATTACH_COMPLETE_EARLY && nas[1] == SEC_HDR_INTEGRITY_CIPHERED_NEW)
		send_early_attach_complete(s, a);
	if (a->fault == FAULT_REPLAYED_RESPONSE && type == WIRE_NAS_AUTHENTICATION_RESPONSE)
		node_send_nas(s, a, id | SHADOW, a->au_ue_id, copy, n);
}

/* The same request from another connection, once the first was answered. */
void misbehave_replay_request(struct storm *s, struct attach *a)
{
	uint8_t nas[WIRE_NAS_MAX];
	size_t n = device_build_attach_request(&s->world, &a->device, nas, sizeof(nas));

	node_send_nas(s, a, node_an_ue_id(s, a) | SHADOW, 0, nas, n);
}
