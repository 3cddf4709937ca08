/* SPDX-License-Identifier: BSD-3-Clause
 *
 * der: reading DER one element at a time, for lib/pki only. Definite, minimal lengths; nothing
 * beyond the input is touched.
 */
#ifndef CPAU_PKI_DER_H
#define CPAU_PKI_DER_H

#include "base/base.h"

enum {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0a,
	DER_UTF8_STRING = 0x0c,
	DER_PRINTABLE_STRING = 0x13,
	DER_IA5_STRING = 0x16,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
};

/* Takes the next element off *rest. value: its content; whole (may be NULL): with its header. */
static inline bool der_next(struct span *rest, uint8_t *tag, struct span *value, struct span *whole)
{
	const uint8_t *p = rest->p;
	size_t n = rest->n, header = 2, length;

	if (n < 2 || (p[0] & 0x1f) == 0x1f)
		return false;
	length = p[1];
	if (length >= 0x80) {
		size_t octets = length & 0x7f;

		if (octets < 1 || octets > 4 || n < 2 + octets || p[2] == 0)
			return false;
		length = 0;
		for (size_t i = 0; i < octets; i++)
			length = length << 8 | p[2 + i];
		if (length < 0x80)
			return false;
		header += octets;
	}
	if (length > n - header)
		return false;
	*tag = p[0];
	*value = span_make(p + header, length);
	if (whole)
		*whole = span_make(p, header + length);
	*rest = span_make(p + header + length, n - header - length);
	return true;
}

/* The next element, which must have this tag. */
static inline bool der_expect(struct span *rest, uint8_t tag, struct span *value)
{
	uint8_t found;

	return der_next(rest, &found, value, NULL) && found == tag;
}

/* The next element if it has this tag; true with value->n = 0 and *present false otherwise. False:
 * malformed. */
static inline bool der_optional(struct span *rest, uint8_t tag, struct span *value, bool *present)
{
	*present = rest->n > 0 && rest->p[0] == tag;
	*value = span_make(NULL, 0);
	return !*present || der_expect(rest, tag, value);
}

/* An OBJECT IDENTIFIER; its subidentifiers are minimal and the last one is whole (X.690 8.19). */
static inline bool der_oid(struct span *rest, struct span *oid)
{
	bool more = false, padded = false; /* another octet follows; a subidentifier began with 0 */

	if (!der_expect(rest, DER_OID, oid) || oid->n == 0)
		return false;
	for (size_t i = 0; i < oid->n; i++) {
		padded |= !more & (oid->p[i] == 0x80);
		more = oid->p[i] >> 7;
	}
	return !padded && !more;
}

/* A positive INTEGER in minimal form; value loses a leading zero octet. */
static inline bool der_positive(struct span *rest, struct span *value)
{
	if (!der_expect(rest, DER_INTEGER, value) || value->n == 0 || value->p[0] & 0x80)
		return false;
	if (value->p[0] == 0 && value->n > 1) {
		if (!(value->p[1] & 0x80))
			return false;
		*value = span_make(value->p + 1, value->n - 1);
	}
	return true;
}

/* UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 has them, to unix time. */
bool der_time(struct span *rest, int64_t *seconds);
/* An Extension of a certificate or CRL: critical FALSE is not written (DER does not write
 * defaults). */
bool der_extension(struct span *rest, struct span *oid, bool *critical, struct span *value);
/* The value of a DirectoryString: PrintableString or IA5String in ASCII, or well-formed UTF8String;
 * not empty. BMPString, TeletexString and UniversalString, which RFC 5280 deprecates, are refused.
 */
bool der_text(struct span *rest, struct span *value);
/* SEQUENCE { INTEGER r, INTEGER s } of exactly these octets, to raw r || s. */
bool der_signature(struct span der, uint8_t raw[64]);

/* Whether the octets are those of a string literal. */
#define DER_IS(span_, literal) \
	((span_).n == sizeof(literal) - 1 && memcmp((span_).p, literal, sizeof(literal) - 1) == 0)

#define DER_OID_ECDSA_SHA256 "\x2a\x86\x48\xce\x3d\x04\x03\x02"

#endif
