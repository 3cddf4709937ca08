/* SPDX-License-Identifier: BSD-3-Clause
 *
 * sec: the key schedule, and NAS security on intel-ipsec-mb.
 *
 * From the ECDH x-coordinate to K_gNB (TS 33.220 Annex B, TS 33.501 Annex A and D), integrity and
 * ciphering of NAS messages (TS 33.501 6.4, TS 24.501 4.4), and sealing of K_gNB for the access
 * node. Both sides, authenticator and UE, call the same functions.
 *
 * A struct sec belongs to one thread (it owns an IMB_MGR); the key schedule needs none and runs on
 * any thread. No function allocates after creation. Everything here is constant time in keys and
 * plaintext, as far as intel-ipsec-mb is.
 */
#ifndef CPAU_SEC_H
#define CPAU_SEC_H

#include "base/base.h"

enum {
	SEC_KEY_SIZE = 32,     /* Ksession, K_SEAF, K_AMF, K_gNB */
	SEC_NAS_KEY_SIZE = 16, /* K_NASint, K_NASenc */
	SEC_MAC_SIZE = 4,
	SEC_RAND_SIZE = 16,
	SEC_EID_SIZE = 16,
	SEC_POINT65_SIZE = 65, /* 04 || X || Y */
	SEC_SEAL_NONCE_SIZE = 12,
	SEC_SEAL_TAG_SIZE = 16,
	SEC_SEALED_KEY_SIZE = SEC_SEAL_NONCE_SIZE + SEC_KEY_SIZE + SEC_SEAL_TAG_SIZE,
	SEC_AN_KEY_SIZE = 32, /* AES-256-GCM */
};

/* NAS algorithm identities, TS 24.501 9.11.3.34. */
enum sec_nea { SEC_NEA0, SEC_NEA1, SEC_NEA2, SEC_NEA3 };
enum sec_nia { SEC_NIA0, SEC_NIA1, SEC_NIA2, SEC_NIA3 };

enum sec_direction { SEC_UPLINK = 0, SEC_DOWNLINK = 1 };

struct sec;

/* NULL, with *why a constant sentence, when intel-ipsec-mb cannot start here. */
struct sec *sec_create(const char **why);
void sec_destroy(struct sec *s);
/* Name of the intel-ipsec-mb architecture in use: "sse", "avx2", "avx512". */
const char *sec_arch_name(const struct sec *s);

/* HMAC-SHA-256 (FIPS 198-1). */
void sec_hmac_sha256(struct span key, struct span message, uint8_t mac[32]);

/* --- key schedule --- */

/* What Ksession is bound to (docs/protocol.md, key schedule). */
struct sec_session_input {
	const uint8_t *z;	     /* 32: x-coordinate of the ECDH shared point */
	const uint8_t *rand_ue;	     /* 16 */
	const uint8_t *rand_au;	     /* 16 */
	const uint8_t *eid;	     /* 16 */
	const uint8_t *pk_au;	     /* 65 */
	const uint8_t *pk_ue;	     /* 65 */
	const uint8_t *cert_au_hash; /* 32: SHA-256 of Cert_AU's DER */
};

/* Function code of Ksession: TS 33.220 B.2.2 assigns none to this procedure; 0xF0 and up are far
 * from those that 3GPP has given out. */
enum { SEC_FC_KSESSION = 0xfc };

/* Ksession = KDF(z, FC || RAND_UE || RAND_AU || EID || PK_AU || PK_UE || SHA-256(Cert_AU)). */
void sec_derive_ksession(const struct sec_session_input *in, uint8_t ksession[SEC_KEY_SIZE]);

/* What follows from Ksession; named as in TS 33.501. */
struct sec_keys {
	uint8_t k_seaf[SEC_KEY_SIZE];
	uint8_t k_amf[SEC_KEY_SIZE];
};

/* K_SEAF (FC 0x6C, serving network name) and K_AMF (FC 0x6D, SUPI, ABBA). The SUPI is the NAI made
 * of the EID; sec_supi_from_eid writes it. */
void sec_derive_kamf(const uint8_t ksession[SEC_KEY_SIZE], struct span serving_network,
		     struct span supi, const uint8_t abba[2], struct sec_keys *out);

enum { SEC_SUPI_MAX = 96 };
/* "<32 digits>@<realm>", NUL-terminated; returns its length. realm as in
 * "rsp.5gc.mnc001.mcc001.3gppnetwork.org". 0 if it does not fit. */
size_t sec_supi_from_eid(const uint8_t eid[SEC_EID_SIZE], const char *realm,
			 char supi[SEC_SUPI_MAX]);

/* K_NASenc and K_NASint (FC 0x69, algorithm type distinguisher, algorithm identity; the last 16
 * octets). */
void sec_derive_nas_keys(const uint8_t k_amf[SEC_KEY_SIZE], enum sec_nea nea, enum sec_nia nia,
			 uint8_t k_nas_enc[SEC_NAS_KEY_SIZE], uint8_t k_nas_int[SEC_NAS_KEY_SIZE]);

/* K_gNB (FC 0x6E, uplink NAS COUNT, access type 3GPP = 0x01). */
void sec_derive_kgnb(const uint8_t k_amf[SEC_KEY_SIZE], uint32_t uplink_count,
		     uint8_t k_gnb[SEC_KEY_SIZE]);

/* --- NAS security --- */

/* One direction-less NAS security context: small, copied freely, no pointers. */
struct sec_nas_context {
	uint8_t k_nas_enc[SEC_NAS_KEY_SIZE];
	uint8_t k_nas_int[SEC_NAS_KEY_SIZE];
	uint8_t nea; /* enum sec_nea */
	uint8_t nia; /* enum sec_nia; NIA0 is never accepted */
};

/* Security header types, TS 24.501 9.3. */
enum sec_header {
	SEC_HDR_PLAIN = 0,
	SEC_HDR_INTEGRITY = 1,
	SEC_HDR_INTEGRITY_CIPHERED = 2,
	SEC_HDR_INTEGRITY_NEW = 3,	    /* SECURITY MODE COMMAND */
	SEC_HDR_INTEGRITY_CIPHERED_NEW = 4, /* SECURITY MODE COMPLETE */
};

enum {
	SEC_NAS_HEADER_SIZE = 7,    /* EPD, header type, MAC (4), sequence number */
	SEC_NAS_MESSAGE_MAX = 3072, /* plain octets in one protected message */
};

enum sec_error {
	SEC_OK = 0,
	SEC_TRUNCATED,	     /* shorter than the security-protected header and one octet */
	SEC_BAD_HEADER,	     /* EPD not 7E, or a header type that this side does not take here */
	SEC_BAD_MAC,	     /* integrity check failed */
	SEC_REPLAYED,	     /* sequence number already received, or older */
	SEC_COUNT_EXHAUSTED, /* the 24-bit COUNT would wrap: the context must not be used further */
	SEC_BAD_ALGORITHM,   /* NIA0, or an identity above 3 */
	SEC_NO_ROOM,	     /* output buffer too small */
	SEC_BAD_SEAL,	     /* sealed key does not open under this AN's key */
	SEC_ERROR_N,
};
const char *sec_error_name(enum sec_error e);
const char *sec_error_text(enum sec_error e);

/* Protects one plain NAS message in place of a copy: out gets header, MAC, sequence number and the
 * (ciphered) message; *out_len is plain.n + 7. count is the COUNT to use (the caller increments its
 * own); bearer is 1 for 3GPP access. Errors: SEC_BAD_HEADER (plain, or reserved), SEC_TRUNCATED (an
 * empty message, which no receiver takes), SEC_NO_ROOM, SEC_BAD_ALGORITHM, SEC_COUNT_EXHAUSTED. */
enum sec_error sec_nas_protect(struct sec *s, const struct sec_nas_context *ctx,
			       enum sec_direction direction, uint32_t count, enum sec_header header,
			       struct span plain, uint8_t *out, size_t out_size, size_t *out_len);

/* Checks and deciphers one security-protected NAS message. *next_count is the lowest COUNT that is
 * still acceptable (0 at first); the COUNT of the message is estimated from its sequence number as
 * TS 33.501 6.4.3.1 says, and *next_count moves past it only when the MAC is right. plain gets
 * message.n - 7 octets. *count_used (may be NULL) gets the COUNT of the message.
 * The MAC does not cover the security header type (TS 24.501 4.4.3.3): a caller that needs the
 * message to have been ciphered, or to be of a new context, must look at *header itself.
 * Errors: SEC_TRUNCATED, SEC_BAD_HEADER, SEC_BAD_MAC, SEC_REPLAYED, SEC_NO_ROOM,
 * SEC_BAD_ALGORITHM, SEC_COUNT_EXHAUSTED. */
enum sec_error sec_nas_unprotect(struct sec *s, const struct sec_nas_context *ctx,
				 enum sec_direction direction, uint32_t *next_count,
				 struct span message, uint8_t *plain, size_t plain_size,
				 size_t *plain_len, enum sec_header *header, uint32_t *count_used);

/* Header type of a NAS message without checking anything; SEC_TRUNCATED or SEC_BAD_HEADER. */
enum sec_error sec_nas_peek(struct span message, enum sec_header *header);

/* --- the key schedule of many UEs --- */

/* What all UEs of a network have in common. */
struct sec_derive_config {
	struct span serving_network;
	const char *realm; /* of the SUPI; as sec_supi_from_eid takes it */
	uint8_t abba[2];
};

struct sec_derivation {
	struct sec_session_input in;
	/* In: the algorithms. Out: the keys. Secret. */
	struct sec_nas_context nas;
	uint8_t k_amf[SEC_KEY_SIZE]; /* secret */
	uint8_t k_gnb[SEC_KEY_SIZE]; /* secret; for uplink NAS COUNT 0 */
};

/* All of the above for each of n UEs, two at a time, with SHA instructions where the processor has
 * them: some 0.6 of the time of one after the other. The caller wipes ues. */
void sec_derive_burst(const struct sec *s, const struct sec_derive_config *config,
		      struct sec_derivation *ues, unsigned int n);

/* --- sealing K_gNB for the access node: AES-256-GCM, nonce || ciphertext || tag --- */

/* An AN's key, expanded once at configuration time. Aligned as intel-ipsec-mb asks. */
struct sec_an_key;
struct sec_an_key *sec_an_key_create(struct sec *s, const uint8_t key[SEC_AN_KEY_SIZE]);
void sec_an_key_destroy(struct sec_an_key *k); /* wipes; NULL is allowed */

/* nonce must never repeat under one key: the caller counts. aad: the record's
 * AN UE id || AU UE id, so that a sealed key cannot be moved to another UE. */
void sec_seal_key(struct sec *s, const struct sec_an_key *k,
		  const uint8_t nonce[SEC_SEAL_NONCE_SIZE], struct span aad,
		  const uint8_t k_gnb[SEC_KEY_SIZE], uint8_t sealed[SEC_SEALED_KEY_SIZE]);
enum sec_error sec_open_key(struct sec *s, const struct sec_an_key *k, struct span aad,
			    const uint8_t sealed[SEC_SEALED_KEY_SIZE], uint8_t k_gnb[SEC_KEY_SIZE]);

/* --- fingerprints: whether two messages are the same octets --- */

enum { SEC_FINGERPRINT_SIZE = 16 };

/* GHASH (SP 800-38D 6.4) of the message and its length, under a key drawn at random. Nothing that
 * depends on the key may leave the process, fingerprints included: to whom the key is unknown, two
 * different messages of n octets agree with probability n / 2^131 at most. Thirty times as fast as
 * SHA-256 on a message of a packet. */
struct sec_fingerprint_key;
/* NULL: no memory, or no entropy. */
struct sec_fingerprint_key *sec_fingerprint_key_create(struct sec *s);
void sec_fingerprint_key_destroy(struct sec_fingerprint_key *k); /* wipes; NULL is allowed */
void sec_fingerprint(struct sec *s, const struct sec_fingerprint_key *k, struct span message,
		     uint8_t fingerprint[SEC_FINGERPRINT_SIZE]);

#endif
