/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "sec/internal.h"

static void choose_key_expansion(struct sec *s)
{
	switch (s->mgr->used_arch) {
	case IMB_ARCH_AVX512:
		s->expand_key = aes_keyexp_128_enc_avx512;
		return;
	case IMB_ARCH_AVX2:
		s->expand_key = aes_keyexp_128_enc_avx2;
		return;
	case IMB_ARCH_AVX:
		s->expand_key = aes_keyexp_128_enc_avx;
		return;
	default:
		s->expand_key = aes_keyexp_128_enc_sse;
		return;
	}
}

struct sec *sec_create(const char **why)
{
	struct sec *s = calloc(1, sizeof(*s));

	*why = "out of memory";
	if (!s)
		return NULL;
	s->mgr = alloc_mb_mgr(0);
	if (!s->mgr) {
		free(s);
		return NULL;
	}
	IMB_ARCH arch;

	init_mb_mgr_auto(s->mgr, &arch);
	if (imb_get_errno(s->mgr) != 0 || !(s->mgr->features & IMB_FEATURE_AESNI)) {
		*why = "intel-ipsec-mb cannot run on this processor (it needs SSE4.2 and AES-NI)";
		free_mb_mgr(s->mgr);
		free(s);
		return NULL;
	}
	s->snow3g_schedule =
		aligned_alloc(64, (IMB_SNOW3G_KEY_SCHED_SIZE(s->mgr) + 63) & ~(size_t)63);
	if (!s->snow3g_schedule) {
		free_mb_mgr(s->mgr);
		free(s);
		return NULL;
	}
	choose_key_expansion(s);
	*why = NULL;
	return s;
}

void sec_destroy(struct sec *s)
{
	if (!s)
		return;
	wipe(s->snow3g_schedule, IMB_SNOW3G_KEY_SCHED_SIZE(s->mgr));
	free(s->snow3g_schedule);
	free_mb_mgr(s->mgr);
	free(s);
}

const char *sec_arch_name(const struct sec *s)
{
	switch (s->mgr->used_arch) {
	case IMB_ARCH_AVX512:
		return "avx512";
	case IMB_ARCH_AVX2:
		return "avx2";
	case IMB_ARCH_AVX:
		return "avx";
	case IMB_ARCH_SSE:
		return "sse";
	default:
		return "no-aesni";
	}
}

static const struct {
	const char *name, *text;
} errors[SEC_ERROR_N] = {
	[SEC_OK] = {"ok", "the message is good"},
	[SEC_TRUNCATED] = {"truncated", "the message is shorter than its security header"},
	[SEC_BAD_HEADER] = {"bad-header", "not 5GMM, or a reserved security header type"},
	[SEC_BAD_MAC] = {"bad-mac", "the message authentication code is wrong"},
	[SEC_REPLAYED] = {"replayed", "the NAS COUNT was already used"},
	[SEC_COUNT_EXHAUSTED] = {"count-exhausted", "the NAS COUNT would wrap"},
	[SEC_BAD_ALGORITHM] = {"bad-algorithm", "NIA0, or an algorithm that is not defined"},
	[SEC_NO_ROOM] = {"no-room", "the output buffer is too small"},
	[SEC_BAD_SEAL] = {"bad-seal", "the sealed key does not open under this access node's key"},
};

const char *sec_error_name(enum sec_error e)
{
	return e < SEC_ERROR_N ? errors[e].name : "?";
}

const char *sec_error_text(enum sec_error e)
{
	return e < SEC_ERROR_N ? errors[e].text : "?";
}
