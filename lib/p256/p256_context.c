/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The context: the generator's tables and the scratch memory of the operations.
 */
#include <stdlib.h>

#include "p256/p256_internal.h"

enum { BATCH_MAX = 1024 };

/* From 64 entries of 8 words to 8 rows of 64 words, window by window. */
static void fill_select(struct p256_select_row *rows, const struct p256_table *table)
{
	for (unsigned int i = 0; i < SECRET_WINDOWS; i++)
		for (unsigned int j = 0; j < 64; j++)
			for (unsigned int w = 0; w < 8; w++)
				rows[i].w[w][j] = table->entries[64 * i + j].w[w];
}

struct p256 *p256_create(unsigned int max_batch)
{
	struct p256_table *table = NULL;
	struct p256 *c;

	if (max_batch < 1 || max_batch > BATCH_MAX)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->groups_max = (max_batch + P256_LANES - 1) / P256_LANES;
	size_t each = p256_verify_group_size() > p256_secret_group_size()
			      ? p256_verify_group_size()
			      : p256_secret_group_size();

	c->scratch_size = each * c->groups_max;
	void *scratch = aligned_alloc(64, c->scratch_size);

	c->verify = scratch;
	c->secret = scratch;
	c->work = aligned_alloc(64, VERIFY_CHUNK * p256_verify_work_size());
	c->select = aligned_alloc(64, SECRET_WINDOWS * sizeof(*c->select));
	p256_table_create(GENERATOR_WINDOW, p256_generator, &c->generator);
	p256_table_create(SECRET_WINDOW, p256_generator, &table);
	if (!scratch || !c->work || !c->select || !c->generator || !table) {
		p256_table_destroy(table);
		p256_destroy(c);
		return NULL;
	}
	fill_select(c->select, table);
	p256_table_destroy(table);
	return c;
}

void p256_destroy(struct p256 *c)
{
	if (!c)
		return;
	if (c->verify)
		wipe(c->verify, c->scratch_size);
	free(c->verify);
	free(c->work);
	free(c->select);
	p256_table_destroy(c->generator);
	free(c);
}
