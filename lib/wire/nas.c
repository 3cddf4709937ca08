/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Encoder and decoder of NAS messages and of the IEs of records, both driven by the table.
 */
#include "wire/table.h"

enum {
	HEADER_5GMM_SIZE = 3, /* EPD, security header type, message type */
	HEADER_5GSM_SIZE = 4, /* EPD, PDU session ID, PTI, message type */
	/* What the security-protected header adds must still fit in WIRE_NAS_MAX. */
	PLAIN_MAX = WIRE_NAS_MAX - 7,
	PDU_SESSION_ID_MAX = 15, /* TS 24.007 11.2.3.1b */
	QFI_MAX = 63,		 /* TS 24.501 9.11.4.12 */
	PERCENT_MAX = 100,
	PKID_SIZE = 20,
	ATTACH_TYPE_PROVISIONING = 1,
};

/* A half octet has no octet of its own in the message, so its span points here. */
static const uint8_t halves[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static struct span half_span(unsigned int half)
{
	return span_make(&halves[half & 0xf], 1);
}

static bool is_printable(struct span v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] < 0x20 || v.p[i] > 0x7e)
			return false;
	return true;
}

static bool is_value_ok(enum wire_ie ie, struct span v)
{
	char name[128];

	switch (ie) {
	case WIRE_IE_ATTACH_TYPE:
		return v.p[0] == ATTACH_TYPE_PROVISIONING;
	case WIRE_IE_CAUSE:
		return v.p[0] != WIRE_CAUSE_NONE;
	case WIRE_IE_CI_PKID_LIST:
		return v.n % PKID_SIZE == 0;
	case WIRE_IE_PDU_SESSION_ID:
		return v.p[0] >= 1 && v.p[0] <= PDU_SESSION_ID_MAX;
	case WIRE_IE_QFI:
		return v.p[0] >= 1 && v.p[0] <= QFI_MAX;
	case WIRE_IE_TRAFFIC_REDUCTION:
		return v.p[0] <= PERCENT_MAX;
	case WIRE_IE_DNN:
		return wire_dnn_decode(v, name, sizeof(name));
	case WIRE_IE_AN_NAME:
	case WIRE_IE_AU_NAME:
	case WIRE_IE_SERVING_NETWORK:
		return is_printable(v);
	default:
		return true;
	}
}

/* --- decoding --- */

static enum wire_cause take(struct wire_message *m, const struct wire_ie_definition *d,
			    struct span value)
{
	if (wire_has(m, d->ie))
		return WIRE_CAUSE_IE_DUPLICATED;
	if (value.n < d->min)
		return WIRE_CAUSE_IE_TOO_SHORT;
	if (value.n > d->max)
		return WIRE_CAUSE_IE_TOO_LONG;
	if (!is_value_ok(d->ie, value))
		return WIRE_CAUSE_IE_BAD_VALUE;
	m->ie[d->ie] = value;
	m->present |= UINT64_C(1) << d->ie;
	return WIRE_CAUSE_NONE;
}

/* Moves a value of n octets from the front of *rest to *value. */
static enum wire_cause cut(struct span *rest, size_t n, struct span *value)
{
	if (n > rest->n)
		return WIRE_CAUSE_IE_TRUNCATED;
	*value = span_make(rest->p, n);
	rest->p += n;
	rest->n -= n;
	return WIRE_CAUSE_NONE;
}

/* The same, for a value behind its length of one or two octets. */
static enum wire_cause cut_length_value(struct span *rest, size_t length_size, struct span *value)
{
	struct span length;

	if (cut(rest, length_size, &length) != WIRE_CAUSE_NONE)
		return WIRE_CAUSE_IE_TRUNCATED;
	return cut(rest, length_size == 2 ? load_be16(length.p) : length.p[0], value);
}

static bool is_tagged(const struct wire_ie_definition *d)
{
	return d->format >= WIRE_FORMAT_TV1;
}

/* The part without tags, in the order of the table. *used is the number of its IEs. */
static enum wire_cause decode_fixed(struct wire_message *m,
				    const struct wire_message_definition *def, struct span *rest,
				    unsigned int *used)
{
	unsigned int i = 0;

	while (i < def->n_ies && !is_tagged(&def->ies[i])) {
		const struct wire_ie_definition *d = &def->ies[i++];
		enum wire_cause cause = WIRE_CAUSE_NONE;
		struct span value;

		if (rest->n == 0)
			return WIRE_CAUSE_TRUNCATED;
		switch (d->format) {
		case WIRE_FORMAT_HALF:
			(void)cut(rest, 1, &value);
			if (i < def->n_ies && def->ies[i].format == WIRE_FORMAT_HALF) {
				cause = take(m, &def->ies[i++], half_span(value.p[0] >> 4));
				if (cause != WIRE_CAUSE_NONE)
					return cause;
			}
			value = half_span(value.p[0]);
			break;
		case WIRE_FORMAT_LV:
			cause = cut_length_value(rest, 1, &value);
			break;
		case WIRE_FORMAT_LV_E:
			cause = cut_length_value(rest, 2, &value);
			break;
		default:
			if (cut(rest, d->max, &value) != WIRE_CAUSE_NONE)
				return WIRE_CAUSE_TRUNCATED;
			break;
		}
		if (cause == WIRE_CAUSE_NONE)
			cause = take(m, d, value);
		if (cause != WIRE_CAUSE_NONE)
			return cause;
	}
	*used = i;
	return WIRE_CAUSE_NONE;
}

static bool tag_matches(const struct wire_ie_definition *d, uint8_t octet)
{
	return d->tag == (d->format == WIRE_FORMAT_TV1 ? octet & 0xf0 : octet);
}

/* An IE that the message does not have: TS 24.007 11.2.4 gives its length, TS 24.501 7.6.1 says
 * that it is ignored unless its comprehension is required (bits 8 to 5 zero). */
static enum wire_cause skip_unknown(struct span *rest)
{
	uint8_t tag = rest->p[0];
	struct span ignored;

	(void)cut(rest, 1, &ignored);
	if ((tag & 0x80) != 0)
		return WIRE_CAUSE_NONE;
	if ((tag & 0xf0) == 0)
		return WIRE_CAUSE_IE_UNKNOWN;
	return cut_length_value(rest, (tag & 0xf0) == 0x70 ? 2 : 1, &ignored);
}

static enum wire_cause decode_tagged(struct wire_message *m,
				     const struct wire_message_definition *def, struct span rest,
				     unsigned int first)
{
	unsigned int n = def->n_ies - first, expected = 0;

	while (rest.n != 0) {
		const struct wire_ie_definition *d = NULL;
		enum wire_cause cause = WIRE_CAUSE_NONE;
		uint8_t octet = rest.p[0];
		struct span value;

		/* Senders keep the order of the table, so the first look nearly always hits. */
		for (unsigned int i = 0; i < n && d == NULL; i++) {
			unsigned int at = expected + i < n ? expected + i : expected + i - n;

			if (tag_matches(&def->ies[first + at], octet)) {
				d = &def->ies[first + at];
				expected = at + 1 < n ? at + 1 : 0;
			}
		}
		if (d == NULL) {
			cause = def->strict ? WIRE_CAUSE_IE_UNKNOWN : skip_unknown(&rest);
			if (cause != WIRE_CAUSE_NONE)
				return cause;
			continue;
		}
		(void)cut(&rest, 1, &value);
		switch (d->format) {
		case WIRE_FORMAT_TV1:
			value = half_span(octet);
			break;
		case WIRE_FORMAT_TV:
			cause = cut(&rest, d->max, &value);
			break;
		case WIRE_FORMAT_TLV:
			cause = cut_length_value(&rest, 1, &value);
			break;
		default:
			cause = cut_length_value(&rest, 2, &value);
			break;
		}
		if (cause == WIRE_CAUSE_NONE)
			cause = take(m, d, value);
		if (cause != WIRE_CAUSE_NONE)
			return cause;
	}
	return WIRE_CAUSE_NONE;
}

static enum wire_cause decode_ies(struct wire_message *m, const struct wire_message_definition *def,
				  struct span rest)
{
	unsigned int tagged = 0;
	enum wire_cause cause = decode_fixed(m, def, &rest, &tagged);

	if (cause == WIRE_CAUSE_NONE)
		cause = decode_tagged(m, def, rest, tagged);
	if (cause != WIRE_CAUSE_NONE)
		return cause;
	for (unsigned int i = tagged; i < def->n_ies; i++)
		if (def->ies[i].presence == WIRE_MANDATORY && !wire_has(m, def->ies[i].ie))
			return WIRE_CAUSE_IE_MISSING;
	return WIRE_CAUSE_NONE;
}

enum wire_cause wire_nas_decode(struct wire_message *m, struct span message)
{
	const struct wire_message_definition *def;
	size_t header_size;

	wire_message_init(m, 0, 0);
	if (message.n == 0)
		return WIRE_CAUSE_TRUNCATED;
	m->epd = message.p[0];
	if (m->epd != WIRE_EPD_5GMM && m->epd != WIRE_EPD_5GSM)
		return WIRE_CAUSE_BAD_HEADER;
	header_size = m->epd == WIRE_EPD_5GMM ? HEADER_5GMM_SIZE : HEADER_5GSM_SIZE;
	if (message.n < header_size)
		return WIRE_CAUSE_TRUNCATED;
	if (message.n > PLAIN_MAX)
		return WIRE_CAUSE_IE_TOO_LONG;
	m->type = message.p[header_size - 1];
	if (m->epd == WIRE_EPD_5GSM) {
		m->pdu_session_id = message.p[1];
		m->pti = message.p[2];
		def = wire_definition(WIRE_CLASS_5GSM, m->type);
	} else {
		/* Bits 8 to 5 are spare (TS 24.501 9.3). */
		if ((message.p[1] & 0xf) != 0)
			return WIRE_CAUSE_BAD_HEADER;
		def = wire_definition(WIRE_CLASS_5GMM, m->type);
	}
	if (def == NULL)
		return WIRE_CAUSE_MESSAGE_UNKNOWN;
	return decode_ies(m, def, span_make(message.p + header_size, message.n - header_size));
}

static bool carries_nas(uint8_t record_type)
{
	return record_type == WIRE_UPLINK_NAS || record_type == WIRE_DOWNLINK_NAS;
}

enum wire_cause wire_record_decode(struct wire_message *m, uint8_t record_type, struct span payload)
{
	const struct wire_message_definition *def = wire_definition(WIRE_CLASS_RECORD, record_type);

	wire_message_init(m, 0, record_type);
	if (def == NULL || carries_nas(record_type))
		return WIRE_CAUSE_RECORD_UNKNOWN;
	return decode_ies(m, def, payload);
}

/* --- encoding --- */

struct output {
	uint8_t *p;
	size_t size;
	size_t n;
	bool failed;
};

static void put(struct output *o, const uint8_t *p, size_t n)
{
	if (o->failed || n > o->size - o->n) {
		o->failed = true;
		return;
	}
	if (n != 0)
		memcpy(o->p + o->n, p, n);
	o->n += n;
}

static void put_octet(struct output *o, unsigned int v)
{
	uint8_t octet = (uint8_t)v;

	put(o, &octet, 1);
}

static void put_length16(struct output *o, size_t n)
{
	uint8_t octets[2];

	store_be16(octets, (uint16_t)n);
	put(o, octets, sizeof(octets));
}

/* A half octet of the message, checked to be one. */
static unsigned int half_of(const struct wire_message *m, enum wire_ie ie, struct output *o)
{
	if (m->ie[ie].p[0] > 0xf)
		o->failed = true;
	return m->ie[ie].p[0];
}

static void encode_ie(const struct wire_message *m, const struct wire_ie_definition *d,
		      struct output *o)
{
	struct span value = m->ie[d->ie];

	switch (d->format) {
	case WIRE_FORMAT_HALF: /* the caller pairs them */
	case WIRE_FORMAT_V:
		break;
	case WIRE_FORMAT_TV1:
		put_octet(o, d->tag | half_of(m, d->ie, o));
		return;
	case WIRE_FORMAT_TV:
		put_octet(o, d->tag);
		break;
	case WIRE_FORMAT_TLV:
		put_octet(o, d->tag);
		put_octet(o, (unsigned int)value.n);
		break;
	case WIRE_FORMAT_LV:
		put_octet(o, (unsigned int)value.n);
		break;
	case WIRE_FORMAT_TLV_E:
		put_octet(o, d->tag);
		put_length16(o, value.n);
		break;
	case WIRE_FORMAT_LV_E:
		put_length16(o, value.n);
		break;
	}
	put(o, value.p, value.n);
}

static bool is_encodable(const struct wire_message *m, const struct wire_message_definition *def)
{
	uint64_t known = 0;

	for (unsigned int i = 0; i < def->n_ies; i++) {
		const struct wire_ie_definition *d = &def->ies[i];

		known |= UINT64_C(1) << d->ie;
		if (!wire_has(m, d->ie)) {
			if (d->presence == WIRE_MANDATORY)
				return false;
			continue;
		}
		if (m->ie[d->ie].n < d->min || m->ie[d->ie].n > d->max ||
		    !is_value_ok(d->ie, m->ie[d->ie]))
			return false;
	}
	return (m->present & ~known) == 0;
}

static void encode_ies(const struct wire_message *m, const struct wire_message_definition *def,
		       struct output *o)
{
	for (unsigned int i = 0; i < def->n_ies; i++) {
		const struct wire_ie_definition *d = &def->ies[i];

		if (d->format == WIRE_FORMAT_HALF) {
			unsigned int octet = half_of(m, d->ie, o);

			if (i + 1 < def->n_ies && d[1].format == WIRE_FORMAT_HALF) {
				octet |= half_of(m, d[1].ie, o) << 4;
				i++;
			}
			put_octet(o, octet);
		} else if (wire_has(m, d->ie)) {
			encode_ie(m, d, o);
		}
	}
}

size_t wire_encode(const struct wire_message *m, uint8_t *buffer, size_t size)
{
	const struct wire_message_definition *def = NULL;
	struct output o = {.p = buffer, .size = size < PLAIN_MAX ? size : PLAIN_MAX};

	if (m->epd == 0 && !carries_nas(m->type)) {
		def = wire_definition(WIRE_CLASS_RECORD, m->type);
	} else if (m->epd == WIRE_EPD_5GMM) {
		def = wire_definition(WIRE_CLASS_5GMM, m->type);
		put(&o, (const uint8_t[]){m->epd, 0, m->type}, HEADER_5GMM_SIZE);
	} else if (m->epd == WIRE_EPD_5GSM) {
		def = wire_definition(WIRE_CLASS_5GSM, m->type);
		put(&o, (const uint8_t[]){m->epd, m->pdu_session_id, m->pti, m->type},
		    HEADER_5GSM_SIZE);
	}
	if (def == NULL || !is_encodable(m, def))
		return 0;
	encode_ies(m, def, &o);
	return o.failed ? 0 : o.n;
}
