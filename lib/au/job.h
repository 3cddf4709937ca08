/* SPDX-License-Identifier: BSD-3-Clause
 *
 * job: what travels through the pipeline, worker -> crypto -> control. Self-contained: it owns a
 * copy of every octet that it refers to, but for keys and certificates of the trust snapshot, which
 * stays as long as a job of its epoch is on the way.
 *
 * Exactly one stage holds a job at a time. Workers take it from the mempool, control gives it back.
 */
#ifndef CPAU_AU_JOB_H
#define CPAU_AU_JOB_H

#include "base/base.h"
#include "crypto/crypto.h"
#include "net/net.h"
#include "pki/pki.h"
#include "pki/trust.h"
#include "wire/wire.h"
#include "au/ue_table.h"

enum {
	AU_JOB_BUFFER = WIRE_NAS_MAX,
	AU_JOB_VERIFIES = 5, /* SubCA chain: EUM, SubCA, eUICC, UE_Signature2; and one to spare */
};

enum au_job_kind {
	AU_JOB_ATTACH,	   /* step 2: through crypto, then AUTHENTICATION REQUEST */
	AU_JOB_RESPONSE,   /* step 6: through crypto, then SECURITY MODE COMMAND */
	AU_JOB_RETRY,	   /* an ATTACH REQUEST whose RAND_UE is known: straight to control */
	AU_JOB_NAS,	   /* any other NAS message: straight to control */
	AU_JOB_RECORD,	   /* a record of the AN itself: straight to control */
	AU_JOB_REFUSE,	   /* refused by the worker; control answers where an answer is safe */
	AU_JOB_NOT_SET_UP, /* a record of an AN that has not set up, which control tells it */
};

/* One signature to check. The message is hashed by the crypto stage. */
struct au_verify {
	enum crypto_curve curve;
	const struct crypto_key *key;	       /* prepared issuer key, or NULL */
	uint8_t public_key[CRYPTO_POINT_SIZE]; /* when key is NULL */
	/* Of public_key, or NULL: the job's own to be written, or the UE context's to be read. The
	 * context may end meanwhile; then what is read does not matter, for control drops the job.
	 */
	const struct crypto_multiples *multiples;
	struct crypto_multiples *multiples_out;
	uint8_t signature[CRYPTO_SIGNATURE_SIZE];
	struct span message;	       /* in the job's buffer */
	enum wire_cause bad_signature; /* cause when the signature is wrong */
	enum wire_cause bad_key;       /* cause when the key is not a point of the curve */
};

struct au_job {
	/* ---- routing: what every job has, zeroed when it is taken ---- */
	uint8_t kind;	     /* enum au_job_kind */
	uint8_t shard;	     /* control shard that it goes to */
	uint8_t epoch;	     /* of the trust snapshot it may point into */
	uint8_t record_type; /* enum wire_record_type */
	uint16_t an;	     /* index of the access node */
	uint8_t cause;	     /* enum wire_cause; the first failure found */
	uint8_t nas_type;    /* of a refused plain NAS message, 0: unknown */
	uint32_t an_ue_id;
	uint16_t buffer_len;
	uint8_t n_verifies;
	uint8_t eum_learnable; /* Cert_EUM came with the message and was not known */
	uint64_t au_ue_id;
	struct crypto_multiples *multiples; /* its own (AU_JOB_ATTACH), or NULL */
	struct net_peer peer;		    /* where answers go */

	/* ---- what it points to ---- */
	uint8_t buffer[AU_JOB_BUFFER];

	/* ---- who (AU_JOB_ATTACH, AU_JOB_RESPONSE): the rest is written by those that use it ----
	 */
	uint8_t curve; /* enum crypto_curve */
	uint8_t capability_len;
	uint8_t capability[UE_CAPABILITY_MAX];
	int16_t cross; /* index of the cross-certificate to send, -1: none known */
	uint8_t eid[16];
	uint8_t rand_ue[16];
	uint8_t device_key[CRYPTO_POINT_SIZE];
	uint8_t pk_ue[CRYPTO_POINT_SIZE];
	uint8_t fingerprint[SEC_FINGERPRINT_SIZE]; /* of Cert_eUICC */
	const struct pki_issuer *eum; /* known issuer of Cert_eUICC, or NULL; of the snapshot */
	struct span cert_eum;	      /* in buffer; for learning */
	struct span cert_subca;	      /* in buffer; for learning */

	/* ---- the cryptographic programme, in this order; the first failure ends it ---- */
	struct au_verify verifies[AU_JOB_VERIFIES];
	/* AU_JOB_ATTACH: key pair, then AU_Signature over RAND_UE || RAND_AU || PK_AU */
	const struct crypto_key *sign_key;
	/* AU_JOB_RESPONSE: ECDH of sk_au and PK_UE */

	/* ---- results ---- */
	uint8_t rand_au[16];
	uint8_t sk_au[CRYPTO_SCALAR_SIZE]; /* in: AU_JOB_RESPONSE; out: AU_JOB_ATTACH; secret */
	uint8_t pk_au[CRYPTO_POINT_SIZE];
	uint8_t au_signature[CRYPTO_SIGNATURE_SIZE];
	uint8_t z[CRYPTO_SCALAR_SIZE]; /* secret */
	/* What control derived from it, in control's own memory until the job is handled; or NULL
	 */
	struct sec_derivation *keys;
};

/* What must not outlive the job: all else in it came over the air. */
static inline void au_job_wipe(struct au_job *job)
{
	wipe(job->sk_au, sizeof(job->sk_au));
	wipe(job->z, sizeof(job->z));
}

/* Copies octets into the job; a span with n = 0 when they do not fit (they fit by the sizes that
 * lib/wire enforces). */
static inline struct span au_job_keep(struct au_job *job, struct span s)
{
	if (s.n > (size_t)AU_JOB_BUFFER - job->buffer_len)
		return span_make(NULL, 0);
	uint8_t *to = job->buffer + job->buffer_len;

	memcpy(to, s.p, s.n);
	job->buffer_len = (uint16_t)(job->buffer_len + s.n);
	return span_make(to, s.n);
}

#endif
