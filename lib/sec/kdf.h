/* SPDX-License-Identifier: BSD-3-Clause
 *
 * kdf: the strings S of the key schedule (TS 33.220 Annex B.2: FC || P0 || L0 || P1 || L1 || ...),
 * for the files of this module only.
 */
#ifndef CPAU_SEC_KDF_H
#define CPAU_SEC_KDF_H

#include "sec/sec.h"
#include "sec/sha256_pair.h"

enum {
	KDF_TEXT_MAX = 384, /* Ksession's is the longest: 223 octets; whole blocks */
	/* Algorithm type distinguishers, TS 33.501 A.8 */
	KDF_NAS_ENC = 0x01,
	KDF_NAS_INT = 0x02,
};

struct kdf_text {
	size_t n;
	uint8_t buffer[KDF_TEXT_MAX];
};

static inline void kdf_begin(struct kdf_text *k, uint8_t fc)
{
	k->buffer[0] = fc;
	k->n = 1;
}

static inline void kdf_add(struct kdf_text *k, const void *parameter, size_t n)
{
	uint8_t *p = k->buffer + k->n;

	memcpy(p, parameter, n);
	store_be16(p + n, (uint16_t)n);
	k->n += n + 2;
}

static inline void kdf_text_ksession(struct kdf_text *k, const struct sec_session_input *in)
{
	kdf_begin(k, SEC_FC_KSESSION);
	kdf_add(k, in->rand_ue, SEC_RAND_SIZE);
	kdf_add(k, in->rand_au, SEC_RAND_SIZE);
	kdf_add(k, in->eid, SEC_EID_SIZE);
	kdf_add(k, in->pk_au, SEC_POINT65_SIZE);
	kdf_add(k, in->pk_ue, SEC_POINT65_SIZE);
	kdf_add(k, in->cert_au_hash, 32);
}

static inline void kdf_text_kseaf(struct kdf_text *k, struct span serving_network)
{
	kdf_begin(k, 0x6c); /* TS 33.501 A.6 */
	kdf_add(k, serving_network.p, serving_network.n);
}

static inline void kdf_text_kamf(struct kdf_text *k, struct span supi, const uint8_t abba[2])
{
	kdf_begin(k, 0x6d); /* TS 33.501 A.7 */
	kdf_add(k, supi.p, supi.n);
	kdf_add(k, abba, 2);
}

static inline void kdf_text_algorithm_key(struct kdf_text *k, uint8_t type, uint8_t identity)
{
	kdf_begin(k, 0x69); /* TS 33.501 A.8 */
	kdf_add(k, &type, 1);
	kdf_add(k, &identity, 1);
}

static inline void kdf_text_kgnb(struct kdf_text *k, uint32_t uplink_count)
{
	uint8_t count[4], access = 0x01; /* 3GPP access */

	store_be32(count, uplink_count);
	kdf_begin(k, 0x6e); /* TS 33.501 A.9 */
	kdf_add(k, count, sizeof(count));
	kdf_add(k, &access, 1);
}

#endif
