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

/* COUNT, BEARER, DIRECTION, zeros: the first 8 octets of the 128-EIA2 message and, before 8 zeros,
 * the 128-EEA2 counter block (TS 33.401 B.1.3, B.2.3). A word, as it is loaded as one: octets
 * written one by one could not be forwarded from the store. */
static uint64_t count_word(uint32_t count, enum sec_direction direction)
{
	uint64_t flags = (uint64_t)(BEARER_3GPP << 3 | direction << 2);

	return __builtin_bswap32(count) | flags << 32;
}

/* Both AES modes are chains of the library's single-block call, CFB of one block, out = in ^ E(iv):
 * its job manager is made for many messages at a time and takes twice as long for one, most of all
 * when its memory has left the cache (docs/performance.md). */
struct aes_key {
	DECLARE_ALIGNED(uint32_t enc[4 * 11], 16);
};

/* AES-CMAC (SP 800-38B) of 8 octets and n more; n is above 0. CFB of a block is the step of a
 * CBC-MAC: x is what the next block is added to, enciphered. */
static void aes_cmac(struct sec *s, const uint8_t *key, uint64_t head, const uint8_t *message,
		     size_t n, uint8_t mac[4])
{
	static const uint8_t zero[16];
	struct aes_key k;
	DECLARE_ALIGNED(uint8_t subkeys[2][16], 16);
	uint8_t last[16] = {0}, x[16];
	size_t at = 0, rest = 0;

	s->expand_key(key, k.enc);
	IMB_AES_CMAC_SUBKEY_GEN_128(s->mgr, k.enc, subkeys[0], subkeys[1]);
	if (n > 8) {
		memcpy(x, &head, 8);
		memcpy(x + 8, message, 8);
		for (at = 8; n - at > 16; at += 16)
			IMB_AES128_CFB_ONE(s->mgr, x, message + at, x, k.enc, 16);
	} else {
		memcpy(last, &head, 8);
		rest = 8;
	}
	memcpy(last + rest, message + at, n - at);
	rest += n - at;
	if (rest < 16)
		last[rest] = 0x80;
	for (unsigned int i = 0; i < 16; i++)
		last[i] ^= subkeys[rest < 16][i];
	if (n > 8)
		IMB_AES128_CFB_ONE(s->mgr, x, last, x, k.enc, 16);
	else
		memcpy(x, last, 16);
	IMB_AES128_CFB_ONE(s->mgr, x, zero, x, k.enc, 16);
	memcpy(mac, x, 4);
	wipe(&k, sizeof(k));
	wipe(subkeys, sizeof(subkeys));
}

/* AES-CTR (SP 800-38A 6.5) from the counter block of TS 33.401 B.1.3 on. */
static void aes_ctr(struct sec *s, const uint8_t *key, uint64_t head, const uint8_t *in,
		    uint8_t *out, size_t n)
{
	struct aes_key k;
	uint64_t counter[2] = {head, 0};

	s->expand_key(key, k.enc);
	for (size_t at = 0; at < n; at += 16) {
		counter[1] = __builtin_bswap64(at / 16);
		IMB_AES128_CFB_ONE(s->mgr, out + at, in + at, counter, k.enc,
				   n - at < 16 ? n - at : 16);
	}
	wipe(&k, sizeof(k));
}

/* The 32-bit MAC of n octets at message: sequence number and what follows. */
static void compute_mac(struct sec *s, const struct sec_nas_context *ctx, uint32_t count,
			enum sec_direction direction, const uint8_t *message, size_t n,
			uint8_t mac[4])
{
	uint8_t iv[16];
	uint32_t tag;

	switch (ctx->nia) {
	case SEC_NIA1:
		/* FRESH is BEARER in its top 5 bits: TS 33.401 B.2.2 */
		snow3g_f9_iv_gen(count, (uint32_t)BEARER_3GPP << 27, (uint8_t)direction, iv);
		IMB_SNOW3G_INIT_KEY_SCHED(s->mgr, ctx->k_nas_int, s->snow3g_schedule);
		IMB_SNOW3G_F9_1_BUFFER(s->mgr, s->snow3g_schedule, iv, message, n * 8, mac);
		return;
	case SEC_NIA2:
		aes_cmac(s, ctx->k_nas_int, count_word(count, direction), message, n, mac);
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
		aes_ctr(s, ctx->k_nas_enc, count_word(count, direction), in, out, n);
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
	out[0] = EPD_5GMM;
	out[OFFSET_HEADER] = (uint8_t)header;
	out[OFFSET_SEQUENCE] = (uint8_t)count;
	if (ciphered((uint8_t)header))
		apply_cipher(s, ctx, count, direction, plain.p, out + SEC_NAS_HEADER_SIZE, plain.n);
	else
		memcpy(out + SEC_NAS_HEADER_SIZE, plain.p, plain.n);
	compute_mac(s, ctx, count, direction, out + OFFSET_SEQUENCE, plain.n + 1, out + OFFSET_MAC);
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
	uint8_t mac[4];
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
	const uint8_t *covered = message.p + OFFSET_SEQUENCE;
	uint32_t count = (*next_count & ~UINT32_C(0xff)) | *covered;
	bool below = count < *next_count;

	if (count < COUNT_LIMIT) {
		compute_mac(s, ctx, count, direction, covered, n + 1, mac);
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
	compute_mac(s, ctx, count, direction, covered, n + 1, mac);
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
