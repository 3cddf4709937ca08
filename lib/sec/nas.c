/* SPDX-License-Identifier: BSD-3-Clause
 *
 * NAS security: TS 33.501 6.4 and Annex D, whose algorithms are those of TS 33.401 Annex B.
 *
 *	octet 0 EPD (7E), 1 security header type, 2..5 MAC, 6 sequence number, 7.. message
 *
 * The MAC covers the sequence number and the message as it is sent, that is, ciphered.
 */
#include "sec/internal.h"

enum {
	EPD_5GMM = 0x7e,
	OFFSET_HEADER = 1,
	OFFSET_MAC = 2,
	OFFSET_SEQUENCE = 6,
	BEARER_3GPP = 1, /* TS 33.501 6.4.3.1: NAS connection identifier of 3GPP access */
	COUNT_LIMIT = 1 << 24,
};

static IMB_JOB *run_job(struct sec *s)
{
	IMB_JOB *job = IMB_SUBMIT_JOB_NOCHECK(s->mgr);

	return job ? job : IMB_FLUSH_JOB(s->mgr);
}

/* COUNT, BEARER, DIRECTION, zeros: the first 8 octets of the 128-EIA2 message and, before 8 zeros,
 * the 128-EEA2 counter block (TS 33.401 B.1.3, B.2.3). A word, as it is loaded as one: octets
 * written one by one could not be forwarded from the store. */
static uint64_t count_word(uint32_t count, enum sec_direction direction)
{
	uint64_t flags = (uint64_t)(BEARER_3GPP << 3 | direction << 2);

	return __builtin_bswap32(count) | flags << 32;
}

/* AES-CMAC (SP 800-38B) of one message. The library's CMAC is made for many at a time and takes
 * twice as long for one as this chain of its single-block calls (docs/performance.md): CFB of a
 * block is m ^ E(x), the step of a CBC-MAC. n is above 0. */
static void aes_cmac(struct sec *s, const uint8_t *key, const uint8_t *message, size_t n,
		     uint8_t mac[4])
{
	static const uint8_t zero[16];
	DECLARE_ALIGNED(uint32_t enc[4 * 15], 16);
	DECLARE_ALIGNED(uint32_t dec[4 * 15], 16);
	DECLARE_ALIGNED(uint8_t subkeys[2][16], 16);
	uint8_t last[16] = {0}, x[16];
	size_t whole = (n - 1) / 16 * 16, rest = n - whole;

	IMB_AES_KEYEXP_128(s->mgr, key, enc, dec);
	IMB_AES_CMAC_SUBKEY_GEN_128(s->mgr, enc, subkeys[0], subkeys[1]);
	memcpy(last, message + whole, rest);
	if (rest < 16)
		last[rest] = 0x80;
	for (unsigned int i = 0; i < 16; i++)
		last[i] ^= subkeys[rest < 16][i];
	memcpy(x, whole ? message : last, 16);
	for (size_t at = 16; at < whole; at += 16)
		IMB_AES128_CFB_ONE(s->mgr, x, message + at, x, enc, 16);
	if (whole)
		IMB_AES128_CFB_ONE(s->mgr, x, last, x, enc, 16);
	IMB_AES128_CFB_ONE(s->mgr, x, zero, x, enc, 16);
	memcpy(mac, x, 4);
	wipe(enc, sizeof(enc));
	wipe(dec, sizeof(dec));
	wipe(subkeys, sizeof(subkeys));
}

static void aes_ctr(struct sec *s, const uint8_t *key, uint32_t count, enum sec_direction direction,
		    const uint8_t *in, uint8_t *out, size_t n)
{
	DECLARE_ALIGNED(uint32_t enc[4 * 15], 16);
	DECLARE_ALIGNED(uint32_t dec[4 * 15], 16);
	uint64_t iv[2] = {count_word(count, direction), 0};

	IMB_AES_KEYEXP_128(s->mgr, key, enc, dec);

	IMB_JOB *job = IMB_GET_NEXT_JOB(s->mgr);

	memset(job, 0, sizeof(*job));
	job->chain_order = IMB_ORDER_CIPHER_HASH;
	job->cipher_mode = IMB_CIPHER_CNTR;
	job->cipher_direction = IMB_DIR_ENCRYPT;
	job->hash_alg = IMB_AUTH_NULL;
	job->enc_keys = enc;
	job->dec_keys = enc;
	job->key_len_in_bytes = IMB_KEY_128_BYTES;
	job->iv = (const uint8_t *)iv;
	job->iv_len_in_bytes = sizeof(iv);
	job->src = in;
	job->dst = out;
	job->msg_len_to_cipher_in_bytes = n;
	run_job(s);
	wipe(enc, sizeof(enc));
	wipe(dec, sizeof(dec));
}

/* The 32-bit MAC of n octets at message (sequence number and what follows), before which are 8
 * octets of scratch. */
static void compute_mac(struct sec *s, const struct sec_nas_context *ctx, uint32_t count,
			enum sec_direction direction, uint8_t *message, size_t n, uint8_t mac[4])
{
	uint8_t iv[16];
	uint64_t word;
	uint32_t tag;

	switch (ctx->nia) {
	case SEC_NIA1:
		/* FRESH is BEARER in its top 5 bits: TS 33.401 B.2.2 */
		snow3g_f9_iv_gen(count, (uint32_t)BEARER_3GPP << 27, (uint8_t)direction, iv);
		IMB_SNOW3G_INIT_KEY_SCHED(s->mgr, ctx->k_nas_int, s->snow3g_schedule);
		IMB_SNOW3G_F9_1_BUFFER(s->mgr, s->snow3g_schedule, iv, message, n * 8, mac);
		return;
	case SEC_NIA2:
		word = count_word(count, direction);
		memcpy(message - 8, &word, sizeof(word));
		aes_cmac(s, ctx->k_nas_int, message - 8, n + 8, mac);
		return;
	default:
		zuc_eia3_iv_gen(count, BEARER_3GPP, (uint8_t)direction, iv);
		IMB_ZUC_EIA3_1_BUFFER(s->mgr, ctx->k_nas_int, iv, message, (uint32_t)n * 8, &tag);
		memcpy(mac, &tag, 4);
		return;
	}
}

static void apply_cipher(struct sec *s, const struct sec_nas_context *ctx, uint32_t count,
			 enum sec_direction direction, const uint8_t *in, uint8_t *out, size_t n)
{
	uint8_t iv[16];

	switch (ctx->nea) {
	case SEC_NEA0:
		memmove(out, in, n);
		return;
	case SEC_NEA1:
		snow3g_f8_iv_gen(count, BEARER_3GPP, (uint8_t)direction, iv);
		IMB_SNOW3G_INIT_KEY_SCHED(s->mgr, ctx->k_nas_enc, s->snow3g_schedule);
		IMB_SNOW3G_F8_1_BUFFER(s->mgr, s->snow3g_schedule, iv, in, out, (uint32_t)n);
		return;
	case SEC_NEA2:
		aes_ctr(s, ctx->k_nas_enc, count, direction, in, out, n);
		return;
	default:
		zuc_eea3_iv_gen(count, BEARER_3GPP, (uint8_t)direction, iv);
		IMB_ZUC_EEA3_1_BUFFER(s->mgr, ctx->k_nas_enc, iv, in, out, (uint32_t)n);
		return;
	}
}

static bool ciphered(uint8_t header)
{
	return header == SEC_HDR_INTEGRITY_CIPHERED || header == SEC_HDR_INTEGRITY_CIPHERED_NEW;
}

static bool algorithms_valid(const struct sec_nas_context *ctx)
{
	return ctx->nia >= SEC_NIA1 && ctx->nia <= SEC_NIA3 && ctx->nea <= SEC_NEA3;
}

enum sec_error sec_nas_protect(struct sec *s, const struct sec_nas_context *ctx,
			       enum sec_direction direction, uint32_t count, enum sec_header header,
			       struct span plain, uint8_t *out, size_t out_size, size_t *out_len)
{
	/* Eight octets before the sequence number, for 128-EIA2's COUNT block. */
	uint8_t work[8 + 1 + SEC_NAS_MESSAGE_MAX], *body = work + 9;

	if (header < SEC_HDR_INTEGRITY || header > SEC_HDR_INTEGRITY_CIPHERED_NEW)
		return SEC_BAD_HEADER;
	if (plain.n == 0)
		return SEC_TRUNCATED;
	if (plain.n > SEC_NAS_MESSAGE_MAX || out_size < plain.n + SEC_NAS_HEADER_SIZE)
		return SEC_NO_ROOM;
	if (!algorithms_valid(ctx))
		return SEC_BAD_ALGORITHM;
	if (count >= COUNT_LIMIT)
		return SEC_COUNT_EXHAUSTED;
	work[8] = (uint8_t)count;
	if (ciphered((uint8_t)header))
		apply_cipher(s, ctx, count, direction, plain.p, body, plain.n);
	else
		memcpy(body, plain.p, plain.n);
	out[0] = EPD_5GMM;
	out[OFFSET_HEADER] = (uint8_t)header;
	compute_mac(s, ctx, count, direction, body - 1, plain.n + 1, out + OFFSET_MAC);
	memcpy(out + OFFSET_SEQUENCE, body - 1, plain.n + 1);
	*out_len = plain.n + SEC_NAS_HEADER_SIZE;
	return SEC_OK;
}

enum sec_error sec_nas_peek(struct span message, enum sec_header *header)
{
	if (message.n < 3)
		return SEC_TRUNCATED;
	uint8_t type = message.p[OFFSET_HEADER];

	if (message.p[0] != EPD_5GMM || type > SEC_HDR_INTEGRITY_CIPHERED_NEW)
		return SEC_BAD_HEADER;
	if (type != SEC_HDR_PLAIN && message.n <= SEC_NAS_HEADER_SIZE)
		return SEC_TRUNCATED;
	*header = (enum sec_header)type;
	return SEC_OK;
}

enum sec_error sec_nas_unprotect(struct sec *s, const struct sec_nas_context *ctx,
				 enum sec_direction direction, uint32_t *next_count,
				 struct span message, uint8_t *plain, size_t plain_size,
				 size_t *plain_len, enum sec_header *header, uint32_t *count_used)
{
	uint8_t work[8 + 1 + SEC_NAS_MESSAGE_MAX], mac[4];
	enum sec_error e = sec_nas_peek(message, header);

	if (e != SEC_OK)
		return e;
	if (*header == SEC_HDR_PLAIN)
		return SEC_BAD_HEADER;
	size_t n = message.n - SEC_NAS_HEADER_SIZE;

	if (n > SEC_NAS_MESSAGE_MAX || plain_size < n)
		return SEC_NO_ROOM;
	if (!algorithms_valid(ctx))
		return SEC_BAD_ALGORITHM;

	/* The COUNT nearest above what was used (TS 24.501 4.4.3.1): a sequence number below the
	 * next expected one is of the next overflow, or a replay; its MAC tells. A replay is
	 * checked against its own COUNT first, so that it is called what it is. */
	uint8_t sequence = message.p[OFFSET_SEQUENCE];
	uint32_t count = (*next_count & ~UINT32_C(0xff)) | sequence;
	bool below = count < *next_count;

	memcpy(work + 8, message.p + OFFSET_SEQUENCE, n + 1);
	if (count < COUNT_LIMIT) {
		compute_mac(s, ctx, count, direction, work + 8, n + 1, mac);
		if (equal_ct(mac, message.p + OFFSET_MAC, 4)) {
			if (below)
				return SEC_REPLAYED;
			goto good;
		}
	}
	if (!below)
		return count < COUNT_LIMIT ? SEC_BAD_MAC : SEC_COUNT_EXHAUSTED;
	count += 0x100;
	if (count >= COUNT_LIMIT)
		return SEC_COUNT_EXHAUSTED;
	compute_mac(s, ctx, count, direction, work + 8, n + 1, mac);
	if (!equal_ct(mac, message.p + OFFSET_MAC, 4))
		return SEC_BAD_MAC;
good:
	if (ciphered((uint8_t)*header))
		apply_cipher(s, ctx, count, direction, message.p + SEC_NAS_HEADER_SIZE, plain, n);
	else
		memcpy(plain, message.p + SEC_NAS_HEADER_SIZE, n);
	*plain_len = n;
	*next_count = count + 1;
	if (count_used)
		*count_used = count;
	return SEC_OK;
}
