/* SPDX-License-Identifier: BSD-3-Clause
 *
 * gtpu: the GTP-U header of TS 29.281, octet by octet. No state, no allocation; nothing is read
 * past the end. Every function may be called on any thread.
 */
#ifndef CPAU_GTPU_H
#define CPAU_GTPU_H

#include "base/base.h"

enum {
	GTPU_PORT = 2152, /* UDP, 4.4.2 */
	GTPU_HEADER_SIZE = 8,
	GTPU_OPTIONAL_SIZE = 4,	 /* sequence number, N-PDU number, next extension header type */
	GTPU_EXTENSIONS_MAX = 4, /* headers that are looked at in one message; more is malformed */
};

/* Message types, 6.1. */
enum gtpu_type {
	GTPU_ECHO_REQUEST = 1,
	GTPU_ECHO_RESPONSE = 2,
	GTPU_ERROR_INDICATION = 26,
	GTPU_SUPPORTED_EXTENSION_HEADERS = 31,
	GTPU_END_MARKER = 254,
	GTPU_G_PDU = 255,
};

enum gtpu_error {
	GTPU_OK = 0,
	GTPU_TRUNCATED,		/* shorter than its headers or its length field say */
	GTPU_VERSION,		/* not version 1, or protocol type GTP' */
	GTPU_EXTENSION,		/* an extension header of length 0, or too many of them */
	GTPU_EXTENSION_UNKNOWN, /* one whose type demands that it be understood (5.2.1, top two
				   bits) */
	GTPU_ERROR_N,
};
const char *gtpu_error_text(enum gtpu_error e);

struct gtpu_header {
	uint8_t type;	   /* enum gtpu_type; others are passed on */
	bool has_sequence; /* flag S */
	uint16_t sequence;
	uint32_t teid;
	uint8_t qfi;	     /* of a PDU Session Container (TS 38.415), or 0 */
	uint16_t header_len; /* octets before the payload */
	struct span payload; /* what follows all headers, by the length field; a G-PDU's T-PDU */
};

/* Reads the headers of a UDP payload. Octets after the message, as the length field has it, are
 * ignored. On an error *h is undefined but for teid and type where the fixed header could be read.
 */
enum gtpu_error gtpu_decode(struct gtpu_header *h, struct span message);

/* Writes the 8 octets in front of n octets of payload, no optional fields. */
void gtpu_write_header(uint8_t out[GTPU_HEADER_SIZE], uint8_t type, uint32_t teid, uint16_t n);
/* Likewise with a PDU SESSION CONTAINER (16 octets in all; TS 38.415 5.5.2): downlink or uplink. */
enum { GTPU_CONTAINER_HEADER_SIZE = 16 };
void gtpu_write_container_header(uint8_t out[GTPU_CONTAINER_HEADER_SIZE], bool downlink,
				 uint8_t qfi, uint32_t teid, uint16_t n);

/* Whole signalling messages. Each returns its octets, or 0 when size is too small. */
size_t gtpu_encode_echo_request(uint8_t *out, size_t size, uint16_t sequence);
size_t gtpu_encode_echo_response(uint8_t *out, size_t size, uint16_t sequence); /* Recovery 0 */
/* address: 4 or 16 octets, the GTP-U address at which teid is unknown (7.3.1). */
size_t gtpu_encode_error_indication(uint8_t *out, size_t size, uint32_t teid,
				    const uint8_t *address, size_t address_len);
size_t gtpu_encode_end_marker(uint8_t *out, size_t size, uint32_t teid);
size_t gtpu_encode_supported_extensions(uint8_t *out, size_t size, uint16_t sequence);

/* What an ERROR INDICATION says: the TEID Data I and GTP-U Peer Address IEs of its payload. False:
 * malformed. address holds 16 octets. */
bool gtpu_decode_error_indication(struct span payload, uint32_t *teid, uint8_t *address,
				  size_t *address_len);

#endif
