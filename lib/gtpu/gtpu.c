/* SPDX-License-Identifier: BSD-3-Clause */
#include "gtpu/gtpu.h"

enum {
	FLAG_E = 0x04,
	FLAG_S = 0x02,
	FLAG_PN = 0x01,
	FLAGS_PLAIN = 0x30, /* version 1, protocol type GTP */

	EXTENSION_NONE = 0,
	EXTENSION_MUST_BE_KNOWN = 0x80, /* to the endpoint that receives it, 5.2.1 */
	EXTENSION_PDU_SESSION_CONTAINER = 0x85,

	IE_RECOVERY = 14,
	IE_TEID_DATA_I = 16,
	IE_TV_LAST = 127, /* above: type, length, value */
	IE_PEER_ADDRESS = 133,
	IE_EXTENSION_TYPES = 141,

	QFI_MASK = 0x3f,
};

const char *gtpu_error_text(enum gtpu_error e)
{
	static const char *const texts[GTPU_ERROR_N] = {
		[GTPU_OK] = "a GTP-U message",
		[GTPU_TRUNCATED] = "shorter than its headers or its length field say",
		[GTPU_VERSION] = "not version 1, or GTP'",
		[GTPU_EXTENSION] = "an extension header of length 0, or too many of them",
		[GTPU_EXTENSION_UNKNOWN] = "an unknown extension header that must be understood",
	};

	return e < GTPU_ERROR_N ? texts[e] : "?";
}

/* ---------------------------------------------------------------- reading */

/* 5.2: length in units of 4 octets, content, type of the next. *at is moved behind them all. */
static enum gtpu_error read_extensions(struct gtpu_header *h, struct span message, size_t *at,
				       uint8_t type)
{
	enum gtpu_error e = GTPU_OK;

	for (unsigned int i = 0; type != EXTENSION_NONE; i++) {
		if (i == GTPU_EXTENSIONS_MAX)
			return GTPU_EXTENSION;
		if (*at >= message.n)
			return GTPU_TRUNCATED;
		const uint8_t *extension = message.p + *at;
		size_t n = (size_t)extension[0] * 4;

		if (n == 0)
			return GTPU_EXTENSION;
		if (n > message.n - *at)
			return GTPU_TRUNCATED;
		/* TS 38.415 5.5.2: octet 2 ends with the QFI, uplink and downlink. */
		if (type == EXTENSION_PDU_SESSION_CONTAINER)
			h->qfi = extension[2] & QFI_MASK;
		else if (type & EXTENSION_MUST_BE_KNOWN)
			e = GTPU_EXTENSION_UNKNOWN;
		type = extension[n - 1];
		*at += n;
	}
	return e;
}

enum gtpu_error gtpu_decode(struct gtpu_header *h, struct span message)
{
	size_t at = GTPU_HEADER_SIZE;

	*h = (struct gtpu_header){0};
	if (message.n < GTPU_HEADER_SIZE)
		return GTPU_TRUNCATED;
	const uint8_t *p = message.p;

	h->type = p[1];
	h->teid = load_be32(p + 4);
	if ((p[0] & 0xf0) != FLAGS_PLAIN)
		return GTPU_VERSION;
	if (load_be16(p + 2) > message.n - GTPU_HEADER_SIZE)
		return GTPU_TRUNCATED;
	message.n = GTPU_HEADER_SIZE + (size_t)load_be16(p + 2);
	if (p[0] & (FLAG_E | FLAG_S | FLAG_PN)) {
		if (message.n < GTPU_HEADER_SIZE + GTPU_OPTIONAL_SIZE)
			return GTPU_TRUNCATED;
		at += GTPU_OPTIONAL_SIZE;
		h->has_sequence = p[0] & FLAG_S;
		h->sequence = h->has_sequence ? load_be16(p + 8) : 0;
	}
	if (p[0] & FLAG_E) {
		enum gtpu_error e = read_extensions(h, message, &at, p[11]);

		if (e != GTPU_OK)
			return e;
	}
	h->header_len = (uint16_t)at;
	h->payload = span_make(p + at, message.n - at);
	return GTPU_OK;
}

bool gtpu_decode_error_indication(struct span payload, uint32_t *teid, uint8_t *address,
				  size_t *address_len)
{
	const uint8_t *p = payload.p;
	size_t n = payload.n;

	/* IEs are in the order of their types (8.1): TEID Data I, a TV, is first. */
	if (n < 5 || p[0] != IE_TEID_DATA_I)
		return false;
	*teid = load_be32(p + 1);
	for (p += 5, n -= 5; n >= 3 && p[0] > IE_TV_LAST;) {
		size_t length = load_be16(p + 1);

		if (length > n - 3)
			return false;
		if (p[0] == IE_PEER_ADDRESS) {
			if (length != 4 && length != 16)
				return false;
			memcpy(address, p + 3, length);
			*address_len = length;
			return true;
		}
		p += 3 + length;
		n -= 3 + length;
	}
	return false;
}

/* ---------------------------------------------------------------- writing */

void gtpu_write_header(uint8_t out[GTPU_HEADER_SIZE], uint8_t type, uint32_t teid, uint16_t n)
{
	out[0] = FLAGS_PLAIN;
	out[1] = type;
	store_be16(out + 2, n);
	store_be32(out + 4, teid);
}

void gtpu_write_container_header(uint8_t out[GTPU_CONTAINER_HEADER_SIZE], bool downlink,
				 uint8_t qfi, uint32_t teid, uint16_t n)
{
	enum { BEHIND_FIXED = GTPU_CONTAINER_HEADER_SIZE - GTPU_HEADER_SIZE };

	gtpu_write_header(out, GTPU_G_PDU, teid, (uint16_t)(n + BEHIND_FIXED));
	out[0] |= FLAG_E;
	store_be32(out + 8, EXTENSION_PDU_SESSION_CONTAINER);
	out[12] = 1;		       /* times 4 octets */
	out[13] = downlink ? 0 : 0x10; /* PDU type */
	out[14] = qfi & QFI_MASK;
	out[15] = EXTENSION_NONE;
}

/* Signalling messages have TEID 0 and flag S (5.1), and n octets of IEs. */
static uint8_t *write_signalling(uint8_t *out, size_t size, uint8_t type, uint16_t sequence,
				 size_t n)
{
	if (size < GTPU_HEADER_SIZE + GTPU_OPTIONAL_SIZE + n)
		return NULL;
	gtpu_write_header(out, type, 0, (uint16_t)(GTPU_OPTIONAL_SIZE + n));
	out[0] |= FLAG_S;
	store_be16(out + 8, sequence);
	store_be16(out + 10, 0);
	return out + GTPU_HEADER_SIZE + GTPU_OPTIONAL_SIZE;
}

size_t gtpu_encode_echo_request(uint8_t *out, size_t size, uint16_t sequence)
{
	const uint8_t *end = write_signalling(out, size, GTPU_ECHO_REQUEST, sequence, 0);

	return end ? (size_t)(end - out) : 0;
}

size_t gtpu_encode_echo_response(uint8_t *out, size_t size, uint16_t sequence)
{
	uint8_t *ie = write_signalling(out, size, GTPU_ECHO_RESPONSE, sequence, 2);

	if (!ie)
		return 0;
	ie[0] = IE_RECOVERY;
	ie[1] = 0; /* 7.2.2: always */
	return (size_t)(ie + 2 - out);
}

size_t gtpu_encode_error_indication(uint8_t *out, size_t size, uint32_t teid,
				    const uint8_t *address, size_t address_len)
{
	uint8_t *ie = write_signalling(out, size, GTPU_ERROR_INDICATION, 0, 5 + 3 + address_len);

	if (!ie)
		return 0;
	ie[0] = IE_TEID_DATA_I;
	store_be32(ie + 1, teid);
	ie[5] = IE_PEER_ADDRESS;
	store_be16(ie + 6, (uint16_t)address_len);
	memcpy(ie + 8, address, address_len);
	return (size_t)(ie + 8 + address_len - out);
}

size_t gtpu_encode_end_marker(uint8_t *out, size_t size, uint32_t teid)
{
	if (size < GTPU_HEADER_SIZE)
		return 0;
	gtpu_write_header(out, GTPU_END_MARKER, teid, 0);
	return GTPU_HEADER_SIZE;
}

size_t gtpu_encode_supported_extensions(uint8_t *out, size_t size, uint16_t sequence)
{
	uint8_t *ie = write_signalling(out, size, GTPU_SUPPORTED_EXTENSION_HEADERS, sequence, 3);

	if (!ie)
		return 0;
	ie[0] = IE_EXTENSION_TYPES;
	ie[1] = 1; /* types that follow; one octet, unlike other lengths (8.5) */
	ie[2] = EXTENSION_PDU_SESSION_CONTAINER;
	return (size_t)(ie + 3 - out);
}
