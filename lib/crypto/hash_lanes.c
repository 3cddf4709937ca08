/* SPDX-License-Identifier: BSD-3-Clause */
#include <intel-ipsec-mb.h>
#include <stdlib.h>

#include "crypto/hash_lanes.h"

struct hash_lanes {
	IMB_MGR *mgr;
};

struct hash_lanes *hash_lanes_create(void)
{
	struct hash_lanes *h = calloc(1, sizeof(*h));

	if (h)
		h->mgr = alloc_mb_mgr(0);
	if (!h || !h->mgr) {
		free(h);
		return NULL;
	}
	init_mb_mgr_auto(h->mgr, NULL);
	if (imb_get_errno(h->mgr) != 0) {
		hash_lanes_destroy(h);
		return NULL;
	}
	return h;
}

void hash_lanes_destroy(struct hash_lanes *h)
{
	if (!h)
		return;
	free_mb_mgr(h->mgr);
	free(h);
}

void hash_lanes_add(struct hash_lanes *h, struct crypto_hash *op)
{
	IMB_JOB *job = IMB_GET_NEXT_JOB(h->mgr);

	memset(job, 0, sizeof(*job));
	job->cipher_mode = IMB_CIPHER_NULL;
	job->cipher_direction = IMB_DIR_ENCRYPT;
	job->chain_order = IMB_ORDER_HASH_CIPHER;
	job->hash_alg = IMB_AUTH_SHA_256;
	job->src = op->message.p;
	job->msg_len_to_hash_in_bytes = op->message.n;
	job->auth_tag_output = op->digest;
	job->auth_tag_output_len_in_bytes = CRYPTO_DIGEST_SIZE;
	/* What comes back are finished jobs, whose digests are written: no more is to be done. */
	for (job = IMB_SUBMIT_JOB_NOCHECK(h->mgr); job; job = IMB_GET_COMPLETED_JOB(h->mgr))
		;
}

void hash_lanes_finish(struct hash_lanes *h)
{
	while (IMB_FLUSH_JOB(h->mgr))
		;
}
