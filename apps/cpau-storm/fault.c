/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The ways in which a UE misbehaves, and what it must meet.
 */
#include "storm.h"

#define REJECTED(cause) FAULT_REJECTED, WIRE_CAUSE_##cause
#define RELEASED(cause) FAULT_RELEASED, WIRE_CAUSE_##cause

const struct fault_definition fault_definitions[FAULT_N] = {
	[FAULT_NONE] = {"none", "a well-behaved UE", FAULT_ATTACHES, WIRE_CAUSE_NONE},
	[FAULT_TRUNCATED] = {"truncated", "ATTACH REQUEST without its end", REJECTED(IE_TRUNCATED)},
	[FAULT_IE_TOO_SHORT] = {"ie-too-short", "RAND_UE of 15 octets", REJECTED(IE_TOO_SHORT)},
	[FAULT_IE_TOO_LONG] = {"ie-too-long", "RAND_UE of 17 octets", REJECTED(IE_TOO_LONG)},
	[FAULT_IE_DUPLICATED] = {"ie-duplicated", "attach type twice", REJECTED(IE_DUPLICATED)},
	[FAULT_IE_UNKNOWN] = {"ie-unknown", "an IE that is not of this message",
			      REJECTED(IE_UNKNOWN)},
	[FAULT_IE_MISSING] = {"ie-missing", "all mandatory IEs absent but one",
			      REJECTED(IE_MISSING)},
	[FAULT_IE_BAD_VALUE] = {"ie-bad-value", "attach type 2, which is reserved",
				REJECTED(IE_BAD_VALUE)},
	[FAULT_BAD_HEADER] = {"bad-header", "security header type 5 on a plain ATTACH REQUEST",
			      FAULT_SILENCE, WIRE_CAUSE_NONE},
	[FAULT_MESSAGE_UNKNOWN] = {"message-unknown", "NAS message type 7D", FAULT_SILENCE,
				   WIRE_CAUSE_NONE},
	[FAULT_RECORD_UNKNOWN] = {"record-unknown", "record type 7E, then an honest attach",
				  FAULT_ATTACHES, WIRE_CAUSE_NONE},
	[FAULT_CERT_MALFORMED] = {"cert-malformed", "Cert_eUICC is not DER",
				  REJECTED(CERT_MALFORMED)},
	[FAULT_CERT_TRUNCATED] = {"cert-truncated", "Cert_eUICC without its last 10 octets",
				  REJECTED(CERT_MALFORMED)},
	[FAULT_CERT_TRAILING] = {"cert-trailing", "an octet after Cert_eUICC, in its IE",
				 REJECTED(CERT_MALFORMED)},
	[FAULT_CERT_LENGTH] = {"cert-length", "Cert_eUICC says that it is one octet longer",
			       REJECTED(CERT_MALFORMED)},
	[FAULT_CERT_NOT_CANONICAL] = {"cert-not-canonical",
				      "Cert_eUICC's length in one octet more than DER has",
				      REJECTED(CERT_MALFORMED)},
	[FAULT_BAD_CERT_SIG] = {"bad-cert-sig", "Cert_eUICC not signed by the EUM",
				REJECTED(SIGNATURE_EUICC)},
	[FAULT_BAD_SIG1] = {"bad-sig1", "UE_Signature1 wrong", REJECTED(SIGNATURE_UE1)},
	[FAULT_NO_ALGORITHM] = {"no-common-algorithm", "capability of EA0 and IA0 alone",
				REJECTED(NO_COMMON_ALGORITHM)},
	[FAULT_REPLAYED_REQUEST] = {"replayed-request",
				    "the same ATTACH REQUEST from another connection too",
				    FAULT_ATTACHES, WIRE_CAUSE_NONE},
	[FAULT_OUT_OF_ORDER] = {"out-of-order", "step 5 without step 1", FAULT_SILENCE,
				WIRE_CAUSE_NONE},
	[FAULT_NETWORK_REFUSED] = {"network-refused",
				   "AUTHENTICATION FAILURE, and nothing was wrong",
				   RELEASED(NETWORK_REFUSED)},
	[FAULT_RAND_MISMATCH] = {"rand-mismatch", "another RAND_AU in step 5",
				 REJECTED(RAND_MISMATCH)},
	[FAULT_CERT_CHANGED] = {"cert-changed", "another device's Cert_eUICC in step 5",
				REJECTED(CERT_CHANGED)},
	[FAULT_BAD_SIG2] = {"bad-sig2", "UE_Signature2 wrong", REJECTED(SIGNATURE_UE2)},
	[FAULT_PK_UE] = {"pk-ue", "PK_UE off the curve, rightly signed", REJECTED(PK_UE)},
	[FAULT_STRANGER] = {"stranger", "a device of --hostile-fleet, of an unknown EUM and CI",
			    REJECTED(CERT_UNKNOWN_CI)},
	[FAULT_REPLAYED_RESPONSE] = {"replayed-response",
				     "the AUTHENTICATION RESPONSE from another connection too",
				     FAULT_ATTACHES, WIRE_CAUSE_NONE},
	[FAULT_SMC_REJECTED] = {"smc-rejected", "SECURITY MODE REJECT, and nothing was wrong",
				RELEASED(SMC_REJECTED)},
	[FAULT_SMC_COMPLETE_EARLY] = {"smc-complete-early", "SECURITY MODE COMPLETE before step 5",
				      FAULT_ATTACHES, WIRE_CAUSE_NONE},
	[FAULT_ATTACH_COMPLETE_EARLY] = {"attach-complete-early",
					 "ATTACH COMPLETE before ATTACH ACCEPT", FAULT_ATTACHES,
					 WIRE_CAUSE_NONE},
	[FAULT_NAS_MAC] = {"nas-mac", "SECURITY MODE COMPLETE with a wrong MAC, then the right one",
			   FAULT_ATTACHES, WIRE_CAUSE_NONE},
	[FAULT_NAS_REPLAYED] = {"nas-replayed", "every protected message twice", FAULT_ATTACHES,
				WIRE_CAUSE_NONE},
	[FAULT_NAS_UNPROTECTED] = {"nas-unprotected", "a plain message among protected ones",
				   FAULT_ATTACHES, WIRE_CAUSE_NONE},
	[FAULT_HALF_OPEN] = {"half-open", "never answers step 3", FAULT_SILENCE, WIRE_CAUSE_NONE},
};

/* The content of the first TLV(-E) with this tag in a message of ours; NULL: none. */
static uint8_t *find_ie(uint8_t *nas, size_t n, uint8_t wanted, size_t *length)
{
	size_t at = 3;

	while (at < n) {
		uint8_t tag = nas[at];
		size_t header = tag & 0x80 ? 1 : (tag & 0xf0) == 0x70 ? 3 : 2;

		if (at + header > n)
			return NULL;
		*length = header == 1 ? 0 : header == 2 ? nas[at + 1] : load_be16(nas + at + 1);
		if (tag == wanted)
			return nas + at + header;
		at += header + *length;
	}
	return NULL;
}

/* The tag of an IE in ATTACH REQUEST or AUTHENTICATION RESPONSE, from the message table. */
static uint8_t tag_of(uint8_t type, enum wire_ie ie)
{
	for (unsigned int i = 0; i < wire_messages_n; i++) {
		const struct wire_message_definition *m = &wire_messages[i];

		for (unsigned int j = 0; m->epd == WIRE_EPD_5GMM && m->type == type && j < m->n_ies;
		     j++)
			if (m->ies[j].ie == ie)
				return m->ies[j].tag;
	}
	return 0;
}

static uint8_t *ie_in(uint8_t *nas, size_t n, enum wire_ie ie, size_t *length)
{
	return find_ie(nas, n, tag_of(nas[2], ie), length);
}

/* Flips a bit of an IE's octet, counted from its end. */
static void flip(uint8_t *nas, size_t n, enum wire_ie ie, size_t from_end)
{
	size_t length;
	uint8_t *p = ie_in(nas, n, ie, &length);

	if (p && length >= from_end)
		p[length - from_end] ^= 1;
}

static size_t insert(uint8_t *nas, size_t n, size_t at, const void *what, size_t length,
		     size_t size)
{
	if (n + length > size)
		return n;
	memmove(nas + at + length, nas + at, n - at);
	memcpy(nas + at, what, length);
	return n + length;
}

/* Another length for an IE of the TLV-E format, from the octet at on; its length field says so. */
static size_t resize_ie(uint8_t *nas, size_t n, enum wire_ie ie, size_t from_end, int by,
			size_t size)
{
	size_t length;
	uint8_t *p = ie_in(nas, n, ie, &length);

	if (!p || length < from_end || (by < 0 && from_end < (size_t)-by))
		return n;
	size_t at = (size_t)(p - nas) + length - from_end;

	store_be16(p - 2, (uint16_t)(length + (size_t)by));
	if (by > 0)
		return insert(nas, n, at, "", 1, size);
	memmove(nas + at, nas + at - by, n - at + (size_t)by);
	return n + (size_t)by;
}

static size_t spoil_request(enum fault fault, uint8_t *nas, size_t n, size_t size)
{
	size_t length;
	uint8_t *p;

	switch (fault) {
	case FAULT_TRUNCATED:
		p = ie_in(nas, n, WIRE_IE_UE_SIGNATURE1, &length);
		return p ? (size_t)(p - nas) + length / 2 : n / 2;
	case FAULT_IE_TOO_SHORT:
		p = ie_in(nas, n, WIRE_IE_RAND_UE, &length);
		if (!p)
			return n;
		p[-1]--;
		memmove(p, p + 1, n - (size_t)(p + 1 - nas));
		return n - 1;
	case FAULT_IE_TOO_LONG:
		p = ie_in(nas, n, WIRE_IE_RAND_UE, &length);
		if (!p)
			return n;
		p[-1]++;
		return insert(nas, n, (size_t)(p - nas) + length, "", 1, size);
	case FAULT_IE_DUPLICATED:
		return insert(nas, n, 4, nas + 3, 1, size);
	case FAULT_IE_UNKNOWN:
		return insert(nas, n, n, "\x6f\x01\x00", 3, size);
	case FAULT_IE_MISSING:
		return 4;
	case FAULT_IE_BAD_VALUE: /* the attach type is the first IE, of one octet */
		nas[3] = (uint8_t)((nas[3] & 0xf0) | 2);
		return n;
	case FAULT_BAD_HEADER:
		nas[1] = 5;
		return n;
	case FAULT_CERT_MALFORMED:
		p = ie_in(nas, n, WIRE_IE_CERT_EUICC, &length);
		if (p)
			p[0] ^= 1;
		return n;
	case FAULT_CERT_TRUNCATED:
		return resize_ie(nas, n, WIRE_IE_CERT_EUICC, 10, -10, size);
	case FAULT_CERT_TRAILING:
		return resize_ie(nas, n, WIRE_IE_CERT_EUICC, 0, 1, size);
	case FAULT_CERT_LENGTH:
		p = ie_in(nas, n, WIRE_IE_CERT_EUICC, &length);
		if (p) /* 30 82 and two octets of length */
			p[3]++;
		return n;
	case FAULT_CERT_NOT_CANONICAL:
		/* 30 82 LL LL becomes 30 83 00 LL LL */
		p = ie_in(nas, n, WIRE_IE_CERT_EUICC, &length);
		if (!p)
			return n;
		p[1]++;
		return resize_ie(nas, n, WIRE_IE_CERT_EUICC, length - 2, 1, size);
	case FAULT_BAD_CERT_SIG:
		flip(nas, n, WIRE_IE_CERT_EUICC, 1);
		return n;
	case FAULT_BAD_SIG1:
		flip(nas, n, WIRE_IE_UE_SIGNATURE1, 1);
		return n;
	case FAULT_NO_ALGORITHM:
		p = ie_in(nas, n, WIRE_IE_UE_SECURITY_CAPABILITY, &length);
		if (p)
			p[0] = p[1] = 0x80;
		return n;
	case FAULT_MESSAGE_UNKNOWN:
		nas[2] = 0x7d;
		return n;
	default:
		return n;
	}
}

bool fault_is_of_step1(enum fault fault)
{
	return fault >= FAULT_TRUNCATED && fault <= FAULT_NO_ALGORITHM;
}

size_t fault_spoil(enum fault fault, uint8_t *nas, size_t n, size_t size)
{
	if (n < 4 || nas[1] != 0)
		return n;
	if (nas[2] == WIRE_NAS_ATTACH_REQUEST)
		return spoil_request(fault, nas, n, size);
	if (nas[2] != WIRE_NAS_AUTHENTICATION_RESPONSE)
		return n;
	if (fault == FAULT_RAND_MISMATCH)
		flip(nas, n, WIRE_IE_RAND_AU, 1);
	else if (fault == FAULT_BAD_SIG2)
		flip(nas, n, WIRE_IE_UE_SIGNATURE2, 1);
	return n;
}
