/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Causes: every way an attach can fail, once. The value goes on the wire (IE Cause of our own
 * messages, docs/protocol.md), the name is the counter's, the text is for people.
 */
#ifndef CPAU_WIRE_CAUSE_H
#define CPAU_WIRE_CAUSE_H

/* X(symbol, value, name, text) */
#define WIRE_CAUSES(X)                                                                            \
	/* the message itself */                                                                  \
	X(TRUNCATED, 0x01, "truncated", "the message ends before its mandatory part does")        \
	X(IE_TRUNCATED, 0x02, "ie-truncated", "an IE reaches past the end of the message")        \
	X(IE_TOO_SHORT, 0x03, "ie-too-short", "an IE is shorter than its definition allows")      \
	X(IE_TOO_LONG, 0x04, "ie-too-long", "an IE is longer than its definition allows")         \
	X(IE_DUPLICATED, 0x05, "ie-duplicated", "an IE occurs twice")                             \
	X(IE_UNKNOWN, 0x06, "ie-unknown", "an IE that this message does not have")                \
	X(IE_MISSING, 0x07, "ie-missing", "a mandatory IE is absent")                             \
	X(IE_BAD_VALUE, 0x08, "ie-bad-value", "an IE holds a value that is reserved")             \
	X(MESSAGE_UNKNOWN, 0x09, "message-unknown", "unknown message type")                       \
	X(BAD_HEADER, 0x0a, "bad-header",                                                         \
	  "unknown protocol discriminator or a security header type that does not belong here")   \
	X(RECORD_UNKNOWN, 0x0b, "record-unknown", "unknown record type")                          \
	X(DATAGRAM_MALFORMED, 0x0c, "datagram-malformed",                                         \
	  "bad link version, or a record reaches past the end of the datagram")                   \
	/* the access node */                                                                     \
	X(AN_UNKNOWN, 0x10, "an-unknown", "the access node is not configured")                    \
	X(AN_NOT_SET_UP, 0x11, "an-not-set-up", "the access node has not completed AN SETUP")     \
	X(AN_CONTEXT_REFUSED, 0x12, "an-context-refused",                                         \
	  "the access node refused the UE context")                                               \
	/* the order of things */                                                                 \
	X(OUT_OF_ORDER, 0x18, "out-of-order", "the message does not fit the state of the UE")     \
	X(UE_UNKNOWN, 0x19, "ue-unknown", "no UE context with this AU UE id")                     \
	X(REPLAYED_REQUEST, 0x1a, "replayed-request",                                             \
	  "an ATTACH REQUEST with this RAND_UE was already used by another connection")           \
	X(REPLAYED_RESPONSE, 0x1b, "replayed-response",                                           \
	  "an AUTHENTICATION RESPONSE for a run that is over or belongs to another UE")           \
	X(RAND_MISMATCH, 0x1c, "rand-mismatch", "the RAND returned is not the one that was sent") \
	X(NAS_MAC, 0x1d, "nas-mac", "wrong NAS message authentication code")                      \
	X(NAS_REPLAYED, 0x1e, "nas-replayed", "a NAS COUNT that was already used")                \
	X(NAS_UNPROTECTED, 0x1f, "nas-unprotected",                                               \
	  "a plain message where protection is required")                                         \
	/* certificates */                                                                        \
	X(CERT_MALFORMED, 0x20, "cert-malformed", "a certificate is not canonical DER")           \
	X(CERT_UNSUPPORTED, 0x21, "cert-unsupported",                                             \
	  "an algorithm, version or critical extension that is not understood")                   \
	X(CERT_EXPIRED, 0x22, "cert-expired", "a certificate has expired")                        \
	X(CERT_NOT_YET_VALID, 0x23, "cert-not-yet-valid", "a certificate is not valid yet")       \
	X(CERT_POLICY, 0x24, "cert-policy", "a certificate lacks the policy of its tier")         \
	X(CERT_USAGE, 0x25, "cert-usage", "key usage or basic constraints do not fit the tier")   \
	X(CERT_EID, 0x26, "cert-eid", "the subject's serialNumber is not an EID of 32 digits")    \
	X(CERT_EID_CHECK, 0x27, "cert-eid-check", "the EID fails its mod-97 check")               \
	X(CERT_NAME_CONSTRAINT, 0x28, "cert-name-constraint",                                     \
	  "the EUM may not issue this subject or EID")                                            \
	X(CERT_ISSUER_MISMATCH, 0x29, "cert-issuer-mismatch",                                     \
	  "issuer name or key identifier do not match the issuing certificate")                   \
	X(CERT_UNKNOWN_CI, 0x2a, "cert-unknown-ci", "the chain ends at a CI that is not trusted") \
	X(CERT_REVOKED, 0x2b, "cert-revoked", "a certificate is revoked")                         \
	X(CERT_EID_DENIED, 0x2c, "cert-eid-denied", "the EID is on the operator's deny list")     \
	X(CERT_CURVE, 0x2d, "cert-curve", "a curve that is not allowed, or two in one chain")     \
	X(CERT_KEY, 0x2e, "cert-key", "a public key is not a point of its curve")                 \
	X(CERT_CHANGED, 0x2f, "cert-changed", "Cert_eUICC is not the one of the ATTACH REQUEST")  \
	/* signatures and keys */                                                                 \
	X(SIGNATURE_UE1, 0x30, "signature-ue1", "UE_Signature1 is wrong")                         \
	X(SIGNATURE_UE2, 0x31, "signature-ue2", "UE_Signature2 is wrong")                         \
	X(SIGNATURE_EUICC, 0x32, "signature-cert-euicc",                                          \
	  "the EUM's signature in Cert_eUICC is wrong")                                           \
	X(SIGNATURE_EUM, 0x33, "signature-cert-eum", "the CI's signature in Cert_EUM is wrong")   \
	X(PK_UE, 0x34, "pk-ue", "PK_UE is not a point of the curve")                              \
	X(SIGNATURE_AU, 0x35, "signature-au", "AU_Signature is wrong")                            \
	X(CERT_AU, 0x36, "cert-au", "Cert_AU does not lead to a CI that the UE trusts")           \
	X(CERT_CROSS, 0x37, "cert-cross", "the cross-certificate is not usable")                  \
	X(CAPABILITY_MISMATCH, 0x38, "capability-mismatch",                                       \
	  "the replayed UE security capability is not what the UE sent")                          \
	X(NO_COMMON_ALGORITHM, 0x39, "no-common-algorithm",                                       \
	  "no NAS algorithm that both sides accept")                                              \
	/* resources */                                                                           \
	X(CONGESTION, 0x40, "congestion", "overloaded: come back after the back-off timer")       \
	X(UE_TABLE_FULL, 0x41, "ue-table-full", "no room for another UE")                         \
	X(TIMEOUT, 0x42, "timeout", "the peer did not answer in time")                            \
	X(SHUTTING_DOWN, 0x43, "shutting-down", "the authenticator is being stopped")             \
	X(SESSION_REFUSED, 0x44, "session-refused", "the PDU session was refused")                \
	X(SUPERSEDED, 0x45, "superseded", "a newer attach of the same eUICC took its place")      \
	X(RELEASED, 0x46, "released", "the UE or the access node released the connection")        \
	X(SMC_REJECTED, 0x47, "smc-rejected", "the UE rejected the SECURITY MODE COMMAND")        \
	X(NETWORK_REFUSED, 0x48, "network-refused", "the UE did not accept this network")         \
	X(SESSION_EXPIRED, 0x49, "session-expired",                                               \
	  "the session's time was over before its download")                                      \
	X(SESSION_DONE, 0x4a, "session-done", "the session has downloaded, or was not used")      \
	X(INTERNAL, 0x4f, "internal", "an internal failure of the authenticator")

enum wire_cause {
	WIRE_CAUSE_NONE = 0,
#define X(symbol, value, name, text) WIRE_CAUSE_##symbol = value,
	WIRE_CAUSES(X)
#undef X
		WIRE_CAUSE_LIMIT = 0x50, /* every value is below */
};

/* "cert-expired"; "none" for 0; "unassigned" for any other value. */
const char *wire_cause_name(unsigned int cause);
/* A sentence, as above. */
const char *wire_cause_text(unsigned int cause);
/* The cause with this name, or WIRE_CAUSE_NONE. */
enum wire_cause wire_cause_from_name(const char *name);

#endif
