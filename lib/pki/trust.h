/* SPDX-License-Identifier: BSD-3-Clause
 *
 * trust: whom the authenticator believes. An immutable snapshot of CAs, cross-certificates, GSMA
 * CIs, EUMs, Cert_AU with its key, revocation lists and the EID deny list.
 *
 * Every certificate is verified once, when it is loaded, and every CA key is prepared for the
 * crypto backend. Loading is configuration time. Look-ups allocate nothing, take no lock and may
 * run on any thread for as long as the snapshot lives.
 */
#ifndef CPAU_PKI_TRUST_H
#define CPAU_PKI_TRUST_H

#include <stdio.h>

#include "pki/pki.h"

struct pki_issuer {
	struct pki_cert cert;
	const struct pki_issuer *parent; /* CI of an EUM, EUM of a SubCA; NULL for a CI */
	struct crypto_key *key;		 /* prepared for crypto_backend */
};

/* Cert_AU and its private key. */
struct pki_au {
	struct pki_cert cert;
	uint8_t private_key[CRYPTO_SCALAR_SIZE]; /* secret */
};

/* At the end of what is said of a CRL that is taken though it has expired: it may lack somebody,
 * but whom it names is revoked all the same. */
#define PKI_CRL_IS_OLD "its nextUpdate has passed: get the current list"

struct pki_trust_config {
	/* As `cpau-pki init` makes it: operator-ca/, cross/, ci/, eum/, au/, crl/, deny.txt. NULL:
	 * none */
	const char *directory;
	/* Files or directories, besides what the directory gives. */
	char *const *operator_cas, *const *cross_certificates,
					   *const *cis, *const *au_certificates,
								*const *au_keys, *const *crls;
	unsigned int n_operator_cas, n_cross_certificates, n_cis, n_au_certificates, n_au_keys,
		n_crls;
	const char *eum_directory; /* NULL: none */
	const char *eid_deny_list; /* besides the directory's deny.txt; NULL: none */
	unsigned int max_learned_eums;
	const char *crypto_backend; /* that keys are prepared for */
	size_t key_table_octets;    /* what each may take for it (crypto_public_key_load) */
	int64_t now;
	/* Called every few hundred microseconds of work on a long list, so that who shares the CPU
	 * need not wait for the end of it; NULL: nobody does. */
	void (*rest)(void);
};

/* Told of every file: accepted or not, and why in words. */
typedef void (*pki_report)(void *arg, const char *file, bool accepted, const char *text);

struct pki_trust;

/* What is refused is reported and left out. NULL: what remains cannot serve (no trusted CI, no
 * usable Cert_AU, or a deny list with an error in it, which would let in whom it denies), which is
 * reported too. */
struct pki_trust *pki_trust_load(const struct pki_trust_config *config, pki_report report,
				 void *arg);
/* The snapshot with one more EUM (and SubCA, n = 0: none), verified here; shares all else with
 * `old`, which stays as it is. Snapshots that share are made and freed by one thread. NULL: *why,
 * or PKI_OK when there is no room or the EUM is known already. */
struct pki_trust *pki_trust_with_eum(const struct pki_trust *old, struct span cert_eum,
				     struct span cert_subca, int64_t now, enum pki_error *why);
void pki_trust_free(struct pki_trust *t);
/* Counts, the first expiry, and a warning for what expires within 30 days. */
void pki_trust_summary(const struct pki_trust *t, int64_t now, FILE *out);

/* ---- look-ups, on the packet path ---- */

/* An EUM or SubCA by its key identifier and subject. NULL: not known. */
const struct pki_issuer *pki_trust_find_eum(const struct pki_trust *t, struct span key_id,
					    struct span name);
/* A trusted CI, likewise: not by hash, as a CI may be issued again with the same key. */
const struct pki_issuer *pki_trust_find_ci(const struct pki_trust *t, struct span key_id,
					   struct span name);
bool pki_trust_is_revoked(const struct pki_trust *t, struct span issuer_key_id, struct span serial);
bool pki_trust_is_denied(const struct pki_trust *t, const uint8_t eid[16]);
const struct pki_au *pki_trust_au(const struct pki_trust *t, enum crypto_curve curve);
/* The cross-certificate in which this CI certifies the operator CA: an index, -1 when there is
 * none. */
int pki_trust_cross_for_ci(const struct pki_trust *t, struct span ci_key_id);
/* Any cross-certificate on that curve, for a UE whose CI is not known. */
int pki_trust_cross_default(const struct pki_trust *t, enum crypto_curve curve);
struct span pki_trust_cross_der(const struct pki_trust *t, int index); /* n = 0 for -1 */

/* ---- files, for tools ---- */

/* The first certificate (or CRL) of a file, DER or PEM, as DER to be freed; NULL: cannot be read.
 */
uint8_t *pki_file_read(const char *path, size_t *n);
/* The same, with rests (struct pki_trust_config). */
uint8_t *pki_file_read_with_rests(const char *path, size_t *n, void (*rest)(void));
/* The issuer's signature in a certificate, checked with lib/crypto at configuration time. */
enum pki_error pki_cert_verify(const struct pki_cert *cert, const struct pki_cert *issuer);
/* The same of anything whose digest is known. */
enum pki_error pki_digest_verify(const uint8_t digest[CRYPTO_DIGEST_SIZE],
				 const uint8_t signature[CRYPTO_SIGNATURE_SIZE],
				 const struct pki_cert *issuer);

#endif
