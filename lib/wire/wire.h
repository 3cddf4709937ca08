/* SPDX-License-Identifier: BSD-3-Clause
 *
 * wire: the AN link and NAS, octet by octet (docs/protocol.md is this module in prose).
 *
 * One table (lib/wire/table.c) lists every message and record with its IEs: tag, format, size and
 * presence. Encoder, decoder, the dissector and the protocol page follow from it. A decoded message
 * is a set of spans into the caller's buffer: nothing is copied, nothing is allocated, nothing is
 * read past the end. No state; every function may be called on any thread.
 *
 * Causes are in wire/cause.h. A decoder returns WIRE_CAUSE_NONE or the cause for which the message
 * is refused.
 */
#ifndef CPAU_WIRE_H
#define CPAU_WIRE_H

#include "base/base.h"
#include "wire/cause.h"

/* ------------------------------------------------------------------ AN link: datagrams, records */

enum {
	WIRE_UDP_PORT = 38480,
	WIRE_LINK_VERSION = 1,
	WIRE_DATAGRAM_HEADER_SIZE = 4, /* version, 0, number of records (2) */
	WIRE_RECORD_HEADER_SIZE = 16,  /* type, 0, payload length (2), AN UE id (4), AU UE id (8) */
	WIRE_DATAGRAM_MAX = 4096,
	WIRE_NAS_MAX = 3072,
};

enum wire_record_type {
	WIRE_AN_SETUP_REQUEST = 0x01,	    /* AN -> AU */
	WIRE_AN_SETUP_RESPONSE = 0x02,	    /* AU -> AN */
	WIRE_AN_SETUP_FAILURE = 0x03,	    /* AU -> AN */
	WIRE_UPLINK_NAS = 0x10,		    /* AN -> AU, payload is one NAS message */
	WIRE_DOWNLINK_NAS = 0x11,	    /* AU -> AN, payload is one NAS message */
	WIRE_CONTEXT_SETUP_REQUEST = 0x20,  /* AU -> AN */
	WIRE_CONTEXT_SETUP_RESPONSE = 0x21, /* AN -> AU */
	WIRE_CONTEXT_SETUP_FAILURE = 0x22,  /* AN -> AU */
	WIRE_SESSION_SETUP_REQUEST = 0x28,  /* AU -> AN: PDU session resource */
	WIRE_SESSION_SETUP_RESPONSE = 0x29, /* AN -> AU */
	WIRE_SESSION_SETUP_FAILURE = 0x2a,  /* AN -> AU */
	WIRE_RELEASE_REQUEST = 0x30,	    /* AN -> AU: the UE is gone */
	WIRE_RELEASE_COMMAND = 0x31,	    /* AU -> AN */
	WIRE_RELEASE_COMPLETE = 0x32,	    /* AN -> AU */
	WIRE_OVERLOAD_START = 0x38,	    /* AU -> AN */
	WIRE_OVERLOAD_STOP = 0x39,	    /* AU -> AN */
	WIRE_ERROR_INDICATION = 0x3f,	    /* both */
};

struct wire_record {
	uint8_t type; /* enum wire_record_type; unknown values are passed on, the receiver counts
			 them */
	uint32_t an_ue_id; /* chosen by the AN */
	uint64_t au_ue_id; /* chosen by the AU; 0 while not known */
	struct span payload;
};

/* Walks the records of a datagram:
 *
 *	struct wire_reader r;
 *	if (wire_reader_open(&r, datagram) == WIRE_CAUSE_NONE)
 *		while (wire_reader_next(&r, &record)) ...
 *	r.cause says whether the walk ended well.
 *
 * Records before a malformed one are given out: each stands for itself. */
struct wire_reader {
	struct span rest;
	uint16_t left; /* records announced and not yet read */
	enum wire_cause cause;
};
enum wire_cause wire_reader_open(struct wire_reader *r, struct span datagram);
bool wire_reader_next(struct wire_reader *r, struct wire_record *record);

/* Packs records into a datagram in the caller's buffer. wire_writer_reserve gives room for the
 * payload of the next record, or NULL when it does not fit (send what there is, start anew);
 * wire_writer_commit closes it. */
struct wire_writer {
	uint8_t *buffer;
	size_t size;
	size_t length; /* octets written so far: what to send */
	uint16_t records;
};
void wire_writer_open(struct wire_writer *w, uint8_t *buffer, size_t size);
uint8_t *wire_writer_reserve(struct wire_writer *w, size_t payload_size);
void wire_writer_commit(struct wire_writer *w, enum wire_record_type type, uint32_t an_ue_id,
			uint64_t au_ue_id, size_t payload_size);
/* Both at once, for a payload that exists already. False when it does not fit. */
bool wire_writer_add(struct wire_writer *w, const struct wire_record *record);

/* ------------------------------------------------------------------ NAS: headers and types */

enum { WIRE_EPD_5GMM = 0x7e, WIRE_EPD_5GSM = 0x2e };

/* Message types. Those of TS 24.501 Table 9.7.1/9.7.2 keep their value and layout; 0x6e and up are
 * ours. 5GSM types are under EPD 0x2e. */
enum wire_nas_type {
	WIRE_NAS_SECURITY_MODE_COMMAND = 0x5d,
	WIRE_NAS_SECURITY_MODE_COMPLETE = 0x5e,
	WIRE_NAS_SECURITY_MODE_REJECT = 0x5f,
	WIRE_NAS_5GMM_STATUS = 0x64,
	WIRE_NAS_UL_NAS_TRANSPORT = 0x67,
	WIRE_NAS_DL_NAS_TRANSPORT = 0x68,
	WIRE_NAS_ATTACH_REQUEST = 0x6e,
	WIRE_NAS_ATTACH_ACCEPT = 0x6f,
	WIRE_NAS_ATTACH_COMPLETE = 0x70,
	WIRE_NAS_ATTACH_REJECT = 0x71,
	WIRE_NAS_AUTHENTICATION_REQUEST = 0x72,
	WIRE_NAS_AUTHENTICATION_RESPONSE = 0x73,
	WIRE_NAS_AUTHENTICATION_REJECT = 0x74,
	WIRE_NAS_AUTHENTICATION_FAILURE = 0x75, /* UE -> AU: the UE refuses this network */
	WIRE_NAS_DETACH_REQUEST = 0x76,
	WIRE_NAS_DETACH_ACCEPT = 0x77,
	WIRE_NAS_SESSION_ESTABLISHMENT_REQUEST = 0xc1,
	WIRE_NAS_SESSION_ESTABLISHMENT_ACCEPT = 0xc2,
	WIRE_NAS_SESSION_ESTABLISHMENT_REJECT = 0xc3,
};

/* ------------------------------------------------------------------ IEs */

/* Every IE of every message and record. The value of an IE is the span without tag and length; a
 * half octet (TV of one octet, or two V halves in one octet) is given in the low bits of one octet.
 */
enum wire_ie {
	/* ATTACH REQUEST and the AU's own messages (tags in lib/wire/table.c) */
	WIRE_IE_ATTACH_TYPE,	/* TV-1: 1 = credential provisioning without a subscription */
	WIRE_IE_RAND_UE,	/* 16 */
	WIRE_IE_RAND_AU,	/* 16 */
	WIRE_IE_CERT_EUICC,	/* DER */
	WIRE_IE_CERT_EUM,	/* DER */
	WIRE_IE_CERT_EUM_SUBCA, /* DER, v3 variant A only: the tier between EUM and eUICC */
	WIRE_IE_CERT_AU,	/* DER */
	WIRE_IE_CERT_CROSS,	/* DER: the CI's certificate for the operator CA */
	WIRE_IE_UE_SIGNATURE1,	/* 64, r || s */
	WIRE_IE_UE_SIGNATURE2,	/* 64 */
	WIRE_IE_AU_SIGNATURE,	/* 64 */
	WIRE_IE_PK_AU,		/* 65 */
	WIRE_IE_PK_UE,		/* 65 */
	WIRE_IE_CI_PKID_LIST,	/* 1 to 4 key identifiers of 20 octets that the UE trusts */
	WIRE_IE_CAUSE,		/* 1: enum wire_cause */
	WIRE_IE_BACK_OFF,	/* T3346, GPRS timer 2, 1 octet (TS 24.008 10.5.7.4) */
	WIRE_IE_GUTI,		/* 5GS mobile identity, 11 octets (TS 24.501 9.11.3.4) */
	WIRE_IE_T3512,		/* GPRS timer 3, 1 octet (TS 24.008 10.5.7.4a) */
	WIRE_IE_NGKSI,		/* half octet (TS 24.501 9.11.3.32) */
	WIRE_IE_ABBA,		/* 2 octets (TS 24.501 9.11.3.10) */
	/* standard 5GMM IEs */
	WIRE_IE_UE_SECURITY_CAPABILITY, /* 2 to 8 octets: 5G-EA, 5G-IA, ... (TS 24.501 9.11.3.54) */
	WIRE_IE_NAS_ALGORITHMS,		/* 1 octet: ciphering << 4 | integrity (9.11.3.34) */
	WIRE_IE_5GMM_CAUSE,		/* 1 octet */
	WIRE_IE_PAYLOAD_CONTAINER_TYPE, /* half octet: 1 = N1 SM information */
	WIRE_IE_PAYLOAD_CONTAINER,	/* LV-E */
	WIRE_IE_PDU_SESSION_ID,		/* 1 octet */
	WIRE_IE_REQUEST_TYPE,		/* half octet: 1 = initial request */
	WIRE_IE_DNN,			/* length-prefixed labels (TS 24.501 9.11.2.1B) */
	/* standard 5GSM IEs */
	WIRE_IE_INTEGRITY_MAX_RATE, /* 2 octets */
	WIRE_IE_PDU_SESSION_TYPE,   /* half octet: 1 = IPv4 */
	WIRE_IE_SSC_MODE,	    /* half octet: 1 */
	WIRE_IE_QOS_RULES,	    /* LV-E */
	WIRE_IE_SESSION_AMBR,	    /* 6 octets */
	/* type, then by type IPv4 (4), an interface identifier (8), or identifier and IPv4 (12);
	 * TS 24.501 9.11.4.10 */
	WIRE_IE_PDU_ADDRESS,
	WIRE_IE_EPCO,	    /* extended protocol configuration options */
	WIRE_IE_5GSM_CAUSE, /* 1 octet */
	/* AN link records */
	WIRE_IE_AN_NAME,	   /* 1 to 64 octets, printable */
	WIRE_IE_AU_NAME,	   /* 1 to 64 octets, printable */
	WIRE_IE_SERVING_NETWORK,   /* serving network name, e.g. 5G:mnc001.mcc001.3gppnetwork.org */
	WIRE_IE_SEALED_KGNB,	   /* 60: nonce (12), ciphertext (32), tag (16) */
	WIRE_IE_UE_IPV4,	   /* 4 */
	WIRE_IE_UE_IPV6_PREFIX,	   /* 8: the /64 of the session */
	WIRE_IE_UPLINK_TUNNEL,	   /* 8 or 20: TEID (4), address; where the AN sends G-PDUs */
	WIRE_IE_DOWNLINK_TUNNEL,   /* 8 or 20: likewise, where the AN wants them */
	WIRE_IE_QFI,		   /* 1 */
	WIRE_IE_TRAFFIC_REDUCTION, /* 1: percent of new attaches that the AN is to hold back */
	WIRE_IE_N,
};

/* A message in pieces: for decoding, spans into the message; for encoding, spans of the caller's.
 * ie[i] is meaningful only where bit i of present is set. pdu_session_id and pti are of 5GSM. */
struct wire_message {
	uint8_t epd;  /* WIRE_EPD_5GMM or WIRE_EPD_5GSM; 0 for a record's IEs */
	uint8_t type; /* enum wire_nas_type, or enum wire_record_type for a record's IEs */
	uint8_t pdu_session_id;
	uint8_t pti;
	uint64_t present;
	struct span ie[WIRE_IE_N];
};
_Static_assert(WIRE_IE_N <= 64, "present is one bit an IE");

static inline bool wire_has(const struct wire_message *m, enum wire_ie ie)
{
	return (m->present >> ie) & 1;
}

static inline void wire_set(struct wire_message *m, enum wire_ie ie, const void *p, size_t n)
{
	m->ie[ie] = span_make(p, n);
	m->present |= UINT64_C(1) << ie;
}

/* Starts a message to encode: no IE present. */
static inline void wire_message_init(struct wire_message *m, uint8_t epd, uint8_t type)
{
	m->epd = epd;
	m->type = type;
	m->pdu_session_id = 0;
	m->pti = 0;
	m->present = 0;
}

/* Decodes a plain NAS message (after deciphering, where it was protected). */
enum wire_cause wire_nas_decode(struct wire_message *m, struct span message);
/* Decodes the IEs of a record other than UPLINK/DOWNLINK NAS. */
enum wire_cause wire_record_decode(struct wire_message *m, uint8_t record_type,
				   struct span payload);
/* Encodes m (plain NAS, or a record's IEs when m->epd is 0). Returns the length, or 0 when the
 * buffer is too small or m breaks its own definition (a mandatory IE absent, a wrong size). A
 * record without IEs, such as CONTEXT SETUP RESPONSE, has 0 octets too; NAS messages never have. */
size_t wire_encode(const struct wire_message *m, uint8_t *buffer, size_t size);

const char *wire_record_name(uint8_t type);
const char *wire_nas_name(uint8_t epd, uint8_t type);
const char *wire_ie_name(enum wire_ie ie);

/* ------------------------------------------------------------------ the table itself */

enum wire_format {
	WIRE_FORMAT_V,	  /* mandatory, no tag, fixed size */
	WIRE_FORMAT_HALF, /* mandatory, low half of an octet; the high half is the next HALF entry,
			     or spare */
	WIRE_FORMAT_LV,
	WIRE_FORMAT_LV_E,
	WIRE_FORMAT_TV1, /* tag in the high half, value in the low half */
	WIRE_FORMAT_TV,
	WIRE_FORMAT_TLV,
	WIRE_FORMAT_TLV_E,
};
enum wire_presence { WIRE_MANDATORY, WIRE_OPTIONAL };

struct wire_ie_definition {
	enum wire_ie ie;
	enum wire_format format;
	enum wire_presence presence;
	uint8_t tag;	   /* 0 for formats without */
	uint16_t min, max; /* octets of the value */
};

struct wire_message_definition {
	uint8_t epd; /* 0: a record */
	uint8_t type;
	bool strict; /* ours: an unknown IE refuses; standard messages skip it (TS 24.501 7.6.1) */
	const char *name;
	const struct wire_ie_definition *ies;
	unsigned int n_ies;
};
extern const struct wire_message_definition wire_messages[];
extern const unsigned int wire_messages_n;

/* ------------------------------------------------------------------ small codecs */

/* GPRS timer 2 and 3 (TS 24.008 10.5.7.4, 10.5.7.4a), rounded up to what the format can say. */
uint8_t wire_timer2_encode(uint32_t seconds);
uint32_t wire_timer2_decode(uint8_t octet); /* UINT32_MAX: deactivated */
uint8_t wire_timer3_encode(uint32_t seconds);
uint32_t wire_timer3_decode(uint8_t octet);
/* DNN in labels (TS 23.003 9.1): "rsp.iot" <-> 3 rsp 3 iot. Returns octets / false if malformed. */
size_t wire_dnn_encode(const char *name, uint8_t *out, size_t size);
bool wire_dnn_decode(struct span dnn, char *name, size_t size);
/* 5G-GUTI (TS 24.501 Figure 9.11.3.4.1): mcc/mnc as digits ("001", "01"). */
void wire_guti_encode(const char *mcc, const char *mnc, uint8_t amf_region, uint16_t amf_set,
		      uint8_t amf_pointer, uint32_t tmsi, uint8_t out[11]);

#endif
