/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include <rte_common.h>

#include "au/stage.h"

struct au_an_index {
	const struct au_an *ans;
	uint32_t mask;
	int32_t slots[]; /* index of an AN, -1: free */
};

static bool has_address(const struct au_an *an, const struct net_addr *address)
{
	return net_addr_equal(&an->address, address) || net_addr_equal(&an->n3_address, address);
}

static void insert(struct au_an_index *index, const struct net_addr *address, int32_t an)
{
	uint32_t at = net_addr_hash(address) & index->mask;

	while (index->slots[at] >= 0)
		at = (at + 1) & index->mask;
	index->slots[at] = an;
}

struct au_an_index *au_an_index_create(const struct au_an *ans, unsigned int n)
{
	uint32_t slots = rte_align32pow2(RTE_MAX(n, 1u) * 8);
	struct au_an_index *index = malloc(sizeof(*index) + slots * sizeof(index->slots[0]));

	if (!index)
		return NULL;
	index->ans = ans;
	index->mask = slots - 1;
	for (uint32_t i = 0; i < slots; i++)
		index->slots[i] = -1;
	for (unsigned int i = 0; i < n; i++) {
		insert(index, &ans[i].address, (int32_t)i);
		if (!net_addr_equal(&ans[i].address, &ans[i].n3_address))
			insert(index, &ans[i].n3_address, (int32_t)i);
	}
	return index;
}

void au_an_index_destroy(struct au_an_index *index)
{
	free(index);
}

int au_an_find(const struct au_an_index *index, const struct net_addr *address)
{
	uint32_t at = net_addr_hash(address) & index->mask;

	while (index->slots[at] >= 0) {
		if (has_address(&index->ans[index->slots[at]], address))
			return index->slots[at];
		at = (at + 1) & index->mask;
	}
	return -1;
}

bool au_choose_algorithms(const struct config *config, const uint8_t *capability, size_t n,
			  uint8_t *nia, uint8_t *nea)
{
	unsigned int i, j;

	/* TS 24.501 9.11.3.54: octet 0 is 5G-EA0 in its top bit, and so on; octet 1 5G-IA. */
	for (i = 0; i < config->nas.n_nia; i++)
		if (n >= 2 && capability[1] & (0x80 >> config->nas.nia[i]))
			break;
	for (j = 0; j < config->nas.n_nea; j++)
		if (n >= 2 && capability[0] & (0x80 >> config->nas.nea[j]))
			break;
	if (i == config->nas.n_nia || j == config->nas.n_nea)
		return false;
	*nia = config->nas.nia[i];
	*nea = config->nas.nea[j];
	return true;
}

struct au_pools au_pools_of(const struct config *config)
{
	unsigned int shards = config_stage_count(config, CONFIG_STAGE_CONTROL), length;
	uint32_t wanted = AU_ADDRESSES_PER_UE * (config->ue.max / shards + 1);
	struct au_pools pools = {0};
	struct net_addr prefix;

	net_prefix_parse(config->session.pool, &prefix, &length);
	/* Network and broadcast address are not given out. */
	pools.first_ipv4 = load_be32(prefix.a) + 1;
	pools.ipv4_share = RTE_MIN((uint32_t)((UINT64_C(1) << (32 - length)) - 2) / shards, wanted);
	if (!config->session.pool_ipv6)
		return pools;
	net_prefix_parse(config->session.pool_ipv6, &prefix, &length);
	pools.first_prefix = load_be64(prefix.a);
	pools.prefix_share = length <= 32
				     ? wanted
				     : (uint32_t)RTE_MIN((UINT64_C(1) << (64 - length)) / shards,
							 (uint64_t)wanted);
	return pools;
}
