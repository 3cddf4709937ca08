/* SPDX-License-Identifier: BSD-3-Clause
 *
 * trust_config: what the configuration tells the trust store; for serving and for --check alike.
 */
#ifndef CPAU_TRUST_CONFIG_H
#define CPAU_TRUST_CONFIG_H

#include "config/config.h"
#include "pki/trust.h"

/* Borrows the strings of config. now: unix time. */
static inline struct pki_trust_config trust_config(const struct config *config, int64_t now)
{
	const struct config_credentials *k = &config->credentials;

	return (struct pki_trust_config){
		.directory = k->directory,
		.operator_cas = k->operator_cas,
		.n_operator_cas = k->n_operator_cas,
		.cross_certificates = k->cross_certificates,
		.n_cross_certificates = k->n_cross_certificates,
		.cis = k->cis,
		.n_cis = k->n_cis,
		.au_certificates = k->au_certificates,
		.n_au_certificates = k->n_au_certificates,
		.au_keys = k->au_keys,
		.n_au_keys = k->n_au_keys,
		.crls = k->crls,
		.n_crls = k->n_crls,
		.eum_directory = k->eum_directory,
		.eid_deny_list = k->eid_deny_list,
		.max_learned_eums = k->max_learned_eums,
		.crypto_backend = config->crypto_backend,
		.key_table_octets = (size_t)config->key_table_kib << 10,
		.now = now,
	};
}

#endif
