/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lists: revocation lists and the EID deny list, for lib/pki only. Built once, then constant.
 */
#ifndef CPAU_PKI_LISTS_H
#define CPAU_PKI_LISTS_H

#include "pki/pki.h"

/* Serial numbers that one issuer has revoked: a table of their hashes, each with its octets. */
struct crl {
	uint8_t issuer_key_id[64];
	size_t issuer_key_id_len;
	int64_t next_update;
	uint8_t *der; /* the list itself, its own: entries point into it */
	size_t der_len;
	uint32_t mask;	 /* slots - 1 */
	uint32_t *slots; /* 1 + offset of the serial's INTEGER in der; 0: free */
	size_t entries;
};

/* *why of a list that none of the issuers has signed: one that is learned later may have. */
extern const char crl_no_signer[];

/* Takes der over, but for a failure. issuers: the certificates one of which must have signed it. A
 * list from the future is refused, and so is a delta list, or one with entries of other issuers;
 * one that has expired is not. rest: as in struct pki_trust_config. NULL: *why is a constant
 * sentence. */
struct crl *crl_load(uint8_t *der, size_t n, const struct pki_cert *const *issuers,
		     unsigned int n_issuers, int64_t now, void (*rest)(void), const char **why);
void crl_free(struct crl *c);
bool crl_contains(const struct crl *c, struct span serial);

/* EIDs and prefixes that the operator denies, sorted ranges. */
struct deny_list {
	size_t n;
	struct deny_range {
		uint8_t first[16], last[16];
	} * ranges;
};

/* One EID of 32 digits a line, or a prefix with *; # begins a comment. NULL: *line is where. */
struct deny_list *deny_list_load(const char *path, unsigned int *line, const char **why);
void deny_list_free(struct deny_list *d);
bool deny_list_contains(const struct deny_list *d, const uint8_t eid[16]);

#endif
