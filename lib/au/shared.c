/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include <rte_common.h>

#include "au/stage.h"

struct au_an_index {
	const struct au_an *ans;
	uint32_t mask;
	int32_t slots[]; /* index of an AN, -1: free */
};

struct au_an_index *au_an_index_create(const struct au_an *ans, unsigned int n)
{
	uint32_t slots = rte_align32pow2(RTE_MAX(n, 1u) * 4);
	struct au_an_index *index = malloc(sizeof(*index) + slots * sizeof(index->slots[0]));

	if (!index)
		return NULL;
	index->ans = ans;
	index->mask = slots - 1;
	for (uint32_t i = 0; i < slots; i++)
		index->slots[i] = -1;
	for (unsigned int i = 0; i < n; i++) {
		uint32_t at = net_addr_hash(&ans[i].address) & index->mask;

		while (index->slots[at] >= 0)
			at = (at + 1) & index->mask;
		index->slots[at] = (int32_t)i;
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
		if (net_addr_equal(&index->ans[index->slots[at]].address, address))
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
