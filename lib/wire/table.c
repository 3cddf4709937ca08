/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Every message and record, once. IEs without a tag come first, in the order of the message; tagged
 * ones are accepted in any order and written in this one.
 *
 * Tags follow TS 24.007 11.2.4: 0x8-..0xf- are a tag and a value in one octet, 0x7- have a length
 * of two octets, the others of one.
 */
#include "wire/table.h"

enum {
	CERT_MAX = 1024,
	/* The longest AUTHENTICATION RESPONSE, security-protected, fills WIRE_NAS_MAX. */
	SUBCA_MAX = 848,
	CONTAINER_MAX = 1024,
	NAME_MAX_SIZE = 64,
};

#define M(ie, format, tag, min, max)                                              \
	{                                                                         \
		WIRE_IE_##ie, WIRE_FORMAT_##format, WIRE_MANDATORY, tag, min, max \
	}
#define O(ie, format, tag, min, max)                                             \
	{                                                                        \
		WIRE_IE_##ie, WIRE_FORMAT_##format, WIRE_OPTIONAL, tag, min, max \
	}

/* IEs that look the same wherever they occur. */
#define RAND_UE_IE    M(RAND_UE, TLV, 0x40, 16, 16)
#define RAND_AU_IE    M(RAND_AU, TLV, 0x41, 16, 16)
#define CERT_EUICC_IE M(CERT_EUICC, TLV_E, 0x70, 1, CERT_MAX)
#define CAUSE_IE      M(CAUSE, TLV, 0x58, 1, 1)
#define BACK_OFF_IE   O(BACK_OFF, TLV, 0x5f, 1, 1)
#define EPCO_IE	      O(EPCO, TLV_E, 0x7b, 1, 512)
#define DNN_IE	      O(DNN, TLV, 0x25, 2, 100)

/* --- 5GMM messages of our own --- */

static const struct wire_ie_definition attach_request[] = {
	M(ATTACH_TYPE, TV1, 0x90, 1, 1),
	RAND_UE_IE,
	CERT_EUICC_IE,
	M(UE_SIGNATURE1, TLV, 0x42, 64, 64),
	M(UE_SECURITY_CAPABILITY, TLV, 0x2e, 2, 8),
	O(CI_PKID_LIST, TLV, 0x47, 20, 80),
};
static const struct wire_ie_definition attach_accept[] = {
	M(GUTI, TLV_E, 0x77, 11, 11),
	O(T3512, TLV, 0x5e, 1, 1),
};
static const struct wire_ie_definition attach_reject[] = {CAUSE_IE, BACK_OFF_IE};
static const struct wire_ie_definition authentication_request[] = {
	M(NGKSI, TV1, 0xb0, 1, 1),
	M(ABBA, TLV, 0x38, 2, 2),
	RAND_UE_IE,
	RAND_AU_IE,
	M(PK_AU, TLV, 0x45, 65, 65),
	M(AU_SIGNATURE, TLV, 0x44, 64, 64),
	M(CERT_AU, TLV_E, 0x73, 1, CERT_MAX),
	O(CERT_CROSS, TLV_E, 0x74, 1, CERT_MAX),
};
static const struct wire_ie_definition authentication_response[] = {
	RAND_AU_IE,
	M(CERT_EUM, TLV_E, 0x71, 1, CERT_MAX),
	CERT_EUICC_IE,
	M(UE_SIGNATURE2, TLV, 0x43, 64, 64),
	M(PK_UE, TLV, 0x46, 65, 65),
	O(CERT_EUM_SUBCA, TLV_E, 0x72, 1, SUBCA_MAX),
};
static const struct wire_ie_definition authentication_reject[] = {CAUSE_IE, BACK_OFF_IE};
static const struct wire_ie_definition authentication_failure[] = {CAUSE_IE};
static const struct wire_ie_definition detach_request[] = {O(CAUSE, TLV, 0x58, 1, 1)};

/* --- 5GMM messages of TS 24.501 8.2 --- */

static const struct wire_ie_definition security_mode_command[] = {
	M(NAS_ALGORITHMS, V, 0, 1, 1),
	M(NGKSI, HALF, 0, 1, 1),
	M(UE_SECURITY_CAPABILITY, LV, 0, 2, 8),
};
static const struct wire_ie_definition fivegmm_cause[] = {M(5GMM_CAUSE, V, 0, 1, 1)};
static const struct wire_ie_definition ul_nas_transport[] = {
	M(PAYLOAD_CONTAINER_TYPE, HALF, 0, 1, 1),
	M(PAYLOAD_CONTAINER, LV_E, 0, 1, CONTAINER_MAX),
	O(PDU_SESSION_ID, TV, 0x12, 1, 1),
	O(REQUEST_TYPE, TV1, 0x80, 1, 1),
	DNN_IE,
};
static const struct wire_ie_definition dl_nas_transport[] = {
	M(PAYLOAD_CONTAINER_TYPE, HALF, 0, 1, 1),
	M(PAYLOAD_CONTAINER, LV_E, 0, 1, CONTAINER_MAX),
	O(PDU_SESSION_ID, TV, 0x12, 1, 1),
	O(5GMM_CAUSE, TV, 0x58, 1, 1),
};

/* --- 5GSM messages of TS 24.501 8.3 --- */

static const struct wire_ie_definition session_establishment_request[] = {
	M(INTEGRITY_MAX_RATE, V, 0, 2, 2),
	O(PDU_SESSION_TYPE, TV1, 0x90, 1, 1),
	EPCO_IE,
};
static const struct wire_ie_definition session_establishment_accept[] = {
	M(PDU_SESSION_TYPE, HALF, 0, 1, 1),
	M(SSC_MODE, HALF, 0, 1, 1),
	M(QOS_RULES, LV_E, 0, 4, 256),
	M(SESSION_AMBR, LV, 0, 6, 6),
	O(5GSM_CAUSE, TV, 0x59, 1, 1),
	O(PDU_ADDRESS, TLV, 0x29, 5, 13),
	EPCO_IE,
	DNN_IE,
};
static const struct wire_ie_definition session_establishment_reject[] = {
	M(5GSM_CAUSE, V, 0, 1, 1),
};

/* --- records of the AN link --- */

#define RECORD_CAUSE_IE		 M(CAUSE, TLV_E, 0x01, 1, 1)
#define RECORD_PDU_SESSION_ID_IE M(PDU_SESSION_ID, TLV_E, 0x07, 1, 1)

static const struct wire_ie_definition an_setup_request[] = {
	M(AN_NAME, TLV_E, 0x02, 1, NAME_MAX_SIZE),
};
static const struct wire_ie_definition an_setup_response[] = {
	M(AU_NAME, TLV_E, 0x03, 1, NAME_MAX_SIZE),
	M(SERVING_NETWORK, TLV_E, 0x04, 1, NAME_MAX_SIZE),
};
static const struct wire_ie_definition context_setup_request[] = {
	M(SEALED_KGNB, TLV_E, 0x05, 60, 60),
	M(UE_SECURITY_CAPABILITY, TLV_E, 0x06, 2, 8),
};
static const struct wire_ie_definition session_setup_request[] = {
	RECORD_PDU_SESSION_ID_IE,
	O(UE_IPV4, TLV_E, 0x08, 4, 4),
	M(QFI, TLV_E, 0x09, 1, 1),
	O(DNN, TLV_E, 0x0a, 2, 100),
	O(UPLINK_TUNNEL, TLV_E, 0x0d, 8, 20),
	O(UE_IPV6_PREFIX, TLV_E, 0x0f, 8, 8),
};
static const struct wire_ie_definition session_setup_response[] = {
	RECORD_PDU_SESSION_ID_IE,
	O(DOWNLINK_TUNNEL, TLV_E, 0x0e, 8, 20),
};
static const struct wire_ie_definition session_setup_failure[] = {
	RECORD_PDU_SESSION_ID_IE,
	RECORD_CAUSE_IE,
};
static const struct wire_ie_definition record_cause[] = {RECORD_CAUSE_IE};
static const struct wire_ie_definition overload_start[] = {
	M(TRAFFIC_REDUCTION, TLV_E, 0x0b, 1, 1),
	O(BACK_OFF, TLV_E, 0x0c, 1, 1),
};

/* --- the messages --- */

#define COUNT(ies) (sizeof(ies) / sizeof((ies)[0]))

/* X(class, type, strict, name, ies, number of ies); class is enum wire_class. */
#define MESSAGES(X)                                                                                \
	X(5GMM, NAS_ATTACH_REQUEST, true, "ATTACH REQUEST", attach_request, COUNT(attach_request)) \
	X(5GMM, NAS_ATTACH_ACCEPT, true, "ATTACH ACCEPT", attach_accept, COUNT(attach_accept))     \
	X(5GMM, NAS_ATTACH_COMPLETE, true, "ATTACH COMPLETE", NULL, 0)                             \
	X(5GMM, NAS_ATTACH_REJECT, true, "ATTACH REJECT", attach_reject, COUNT(attach_reject))     \
	X(5GMM, NAS_AUTHENTICATION_REQUEST, true, "AUTHENTICATION REQUEST",                        \
	  authentication_request, COUNT(authentication_request))                                   \
	X(5GMM, NAS_AUTHENTICATION_RESPONSE, true, "AUTHENTICATION RESPONSE",                      \
	  authentication_response, COUNT(authentication_response))                                 \
	X(5GMM, NAS_AUTHENTICATION_REJECT, true, "AUTHENTICATION REJECT", authentication_reject,   \
	  COUNT(authentication_reject))                                                            \
	X(5GMM, NAS_AUTHENTICATION_FAILURE, true, "AUTHENTICATION FAILURE",                        \
	  authentication_failure, COUNT(authentication_failure))                                   \
	X(5GMM, NAS_DETACH_REQUEST, true, "DETACH REQUEST", detach_request, COUNT(detach_request)) \
	X(5GMM, NAS_DETACH_ACCEPT, true, "DETACH ACCEPT", NULL, 0)                                 \
	X(5GMM, NAS_SECURITY_MODE_COMMAND, false, "SECURITY MODE COMMAND", security_mode_command,  \
	  COUNT(security_mode_command))                                                            \
	X(5GMM, NAS_SECURITY_MODE_COMPLETE, false, "SECURITY MODE COMPLETE", NULL, 0)              \
	X(5GMM, NAS_SECURITY_MODE_REJECT, false, "SECURITY MODE REJECT", fivegmm_cause,            \
	  COUNT(fivegmm_cause))                                                                    \
	X(5GMM, NAS_5GMM_STATUS, false, "5GMM STATUS", fivegmm_cause, COUNT(fivegmm_cause))        \
	X(5GMM, NAS_UL_NAS_TRANSPORT, false, "UL NAS TRANSPORT", ul_nas_transport,                 \
	  COUNT(ul_nas_transport))                                                                 \
	X(5GMM, NAS_DL_NAS_TRANSPORT, false, "DL NAS TRANSPORT", dl_nas_transport,                 \
	  COUNT(dl_nas_transport))                                                                 \
	X(5GSM, NAS_SESSION_ESTABLISHMENT_REQUEST, false, "PDU SESSION ESTABLISHMENT REQUEST",     \
	  session_establishment_request, COUNT(session_establishment_request))                     \
	X(5GSM, NAS_SESSION_ESTABLISHMENT_ACCEPT, false, "PDU SESSION ESTABLISHMENT ACCEPT",       \
	  session_establishment_accept, COUNT(session_establishment_accept))                       \
	X(5GSM, NAS_SESSION_ESTABLISHMENT_REJECT, false, "PDU SESSION ESTABLISHMENT REJECT",       \
	  session_establishment_reject, COUNT(session_establishment_reject))                       \
	X(RECORD, AN_SETUP_REQUEST, true, "AN SETUP REQUEST", an_setup_request,                    \
	  COUNT(an_setup_request))                                                                 \
	X(RECORD, AN_SETUP_RESPONSE, true, "AN SETUP RESPONSE", an_setup_response,                 \
	  COUNT(an_setup_response))                                                                \
	X(RECORD, AN_SETUP_FAILURE, true, "AN SETUP FAILURE", record_cause, COUNT(record_cause))   \
	X(RECORD, UPLINK_NAS, true, "UPLINK NAS", NULL, 0)                                         \
	X(RECORD, DOWNLINK_NAS, true, "DOWNLINK NAS", NULL, 0)                                     \
	X(RECORD, CONTEXT_SETUP_REQUEST, true, "CONTEXT SETUP REQUEST", context_setup_request,     \
	  COUNT(context_setup_request))                                                            \
	X(RECORD, CONTEXT_SETUP_RESPONSE, true, "CONTEXT SETUP RESPONSE", NULL, 0)                 \
	X(RECORD, CONTEXT_SETUP_FAILURE, true, "CONTEXT SETUP FAILURE", record_cause,              \
	  COUNT(record_cause))                                                                     \
	X(RECORD, SESSION_SETUP_REQUEST, true, "SESSION SETUP REQUEST", session_setup_request,     \
	  COUNT(session_setup_request))                                                            \
	X(RECORD, SESSION_SETUP_RESPONSE, true, "SESSION SETUP RESPONSE", session_setup_response,  \
	  COUNT(session_setup_response))                                                           \
	X(RECORD, SESSION_SETUP_FAILURE, true, "SESSION SETUP FAILURE", session_setup_failure,     \
	  COUNT(session_setup_failure))                                                            \
	X(RECORD, RELEASE_REQUEST, true, "RELEASE REQUEST", record_cause, COUNT(record_cause))     \
	X(RECORD, RELEASE_COMMAND, true, "RELEASE COMMAND", record_cause, COUNT(record_cause))     \
	X(RECORD, RELEASE_COMPLETE, true, "RELEASE COMPLETE", NULL, 0)                             \
	X(RECORD, OVERLOAD_START, true, "OVERLOAD START", overload_start, COUNT(overload_start))   \
	X(RECORD, OVERLOAD_STOP, true, "OVERLOAD STOP", NULL, 0)                                   \
	X(RECORD, ERROR_INDICATION, true, "ERROR INDICATION", record_cause, COUNT(record_cause))

enum { EPD_5GMM = WIRE_EPD_5GMM, EPD_5GSM = WIRE_EPD_5GSM, EPD_RECORD = 0 };

enum row {
#define X(class, type, strict, name, ies, n) ROW_##type,
	MESSAGES(X)
#undef X
		ROW_N,
};

const struct wire_message_definition wire_messages[] = {
#define X(class, type, strict, name, ies, n) \
	[ROW_##type] = {EPD_##class, WIRE_##type, strict, name, ies, n},
	MESSAGES(X)
#undef X
};
const unsigned int wire_messages_n = ROW_N;

/* Row of each type, plus 1; 0 where there is none. */
static const uint8_t rows[WIRE_CLASS_N][256] = {
#define X(class, type, strict, name, ies, n) [WIRE_CLASS_##class][WIRE_##type] = ROW_##type + 1,
	MESSAGES(X)
#undef X
};

const struct wire_message_definition *wire_definition(enum wire_class class, uint8_t type)
{
	unsigned int row = rows[class][type];

	return row != 0 ? &wire_messages[row - 1] : NULL;
}

static const char *name_of(enum wire_class class, uint8_t type)
{
	const struct wire_message_definition *d = wire_definition(class, type);

	return d != NULL ? d->name : "unknown";
}

const char *wire_record_name(uint8_t type)
{
	return name_of(WIRE_CLASS_RECORD, type);
}

const char *wire_nas_name(uint8_t epd, uint8_t type)
{
	if (epd != WIRE_EPD_5GMM && epd != WIRE_EPD_5GSM)
		return "unknown";
	return name_of(epd == WIRE_EPD_5GMM ? WIRE_CLASS_5GMM : WIRE_CLASS_5GSM, type);
}

const char *wire_ie_name(enum wire_ie ie)
{
	static const char *const names[WIRE_IE_N] = {
		[WIRE_IE_ATTACH_TYPE] = "Attach type",
		[WIRE_IE_RAND_UE] = "RAND_UE",
		[WIRE_IE_RAND_AU] = "RAND_AU",
		[WIRE_IE_CERT_EUICC] = "Cert_eUICC",
		[WIRE_IE_CERT_EUM] = "Cert_EUM",
		[WIRE_IE_CERT_EUM_SUBCA] = "Cert_EUM_SubCA",
		[WIRE_IE_CERT_AU] = "Cert_AU",
		[WIRE_IE_CERT_CROSS] = "Cert_cross",
		[WIRE_IE_UE_SIGNATURE1] = "UE_Signature1",
		[WIRE_IE_UE_SIGNATURE2] = "UE_Signature2",
		[WIRE_IE_AU_SIGNATURE] = "AU_Signature",
		[WIRE_IE_PK_AU] = "PK_AU",
		[WIRE_IE_PK_UE] = "PK_UE",
		[WIRE_IE_CI_PKID_LIST] = "CI PKID list",
		[WIRE_IE_CAUSE] = "Cause",
		[WIRE_IE_BACK_OFF] = "Back-off timer",
		[WIRE_IE_GUTI] = "5G-GUTI",
		[WIRE_IE_T3512] = "T3512 value",
		[WIRE_IE_NGKSI] = "ngKSI",
		[WIRE_IE_ABBA] = "ABBA",
		[WIRE_IE_UE_SECURITY_CAPABILITY] = "UE security capability",
		[WIRE_IE_NAS_ALGORITHMS] = "Selected NAS security algorithms",
		[WIRE_IE_5GMM_CAUSE] = "5GMM cause",
		[WIRE_IE_PAYLOAD_CONTAINER_TYPE] = "Payload container type",
		[WIRE_IE_PAYLOAD_CONTAINER] = "Payload container",
		[WIRE_IE_PDU_SESSION_ID] = "PDU session ID",
		[WIRE_IE_REQUEST_TYPE] = "Request type",
		[WIRE_IE_DNN] = "DNN",
		[WIRE_IE_INTEGRITY_MAX_RATE] = "Integrity protection maximum data rate",
		[WIRE_IE_PDU_SESSION_TYPE] = "PDU session type",
		[WIRE_IE_SSC_MODE] = "SSC mode",
		[WIRE_IE_QOS_RULES] = "Authorized QoS rules",
		[WIRE_IE_SESSION_AMBR] = "Session AMBR",
		[WIRE_IE_PDU_ADDRESS] = "PDU address",
		[WIRE_IE_EPCO] = "Extended protocol configuration options",
		[WIRE_IE_5GSM_CAUSE] = "5GSM cause",
		[WIRE_IE_AN_NAME] = "AN name",
		[WIRE_IE_AU_NAME] = "AU name",
		[WIRE_IE_SERVING_NETWORK] = "Serving network name",
		[WIRE_IE_SEALED_KGNB] = "Sealed K_gNB",
		[WIRE_IE_UE_IPV4] = "UE IPv4 address",
		[WIRE_IE_UE_IPV6_PREFIX] = "UE IPv6 prefix",
		[WIRE_IE_UPLINK_TUNNEL] = "Uplink tunnel",
		[WIRE_IE_DOWNLINK_TUNNEL] = "Downlink tunnel",
		[WIRE_IE_QFI] = "QFI",
		[WIRE_IE_TRAFFIC_REDUCTION] = "Traffic reduction",
	};

	return (unsigned int)ie < WIRE_IE_N ? names[ie] : "unknown";
}
