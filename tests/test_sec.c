/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The key schedule and NAS security. The references of this file form COUNT, BEARER and DIRECTION
 * by hand as TS 33.401 Annex B says and are themselves pinned to 3GPP's test sets; the module is
 * then compared with them over its whole range. Algorithm 2, HMAC and GCM are compared with
 * OpenSSL, an independent implementation.
 */
#include <criterion/criterion.h>
#include <intel-ipsec-mb.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "sec/internal.h"
#include "wycheproof.h"

enum { MESSAGE = 60, BEARER = 1, BUFFER = SEC_NAS_MESSAGE_MAX + SEC_NAS_HEADER_SIZE };

static struct sec *sec;
static IMB_MGR *mgr; /* of the references */

static const struct sec_nas_context all_algorithms[] = {
#define CONTEXT(a, b)                                                     \
	{                                                                 \
		{0x2b, 0xd6, 0x45, 0x9f, 0x82, 0xc5, 0xb3, 0x00,          \
		 0x95, 0x2c, 0x49, 0x10, 0x48, 0x81, 0xff, 0x48},         \
			{0xd3, 0xc5, 0xd5, 0x92, 0x32, 0x7f, 0xb1, 0x1c,  \
			 0x40, 0x35, 0xc6, 0x68, 0x0a, 0xf8, 0xc6, 0xd1}, \
			a, b                                              \
	}
	CONTEXT(0, 1), CONTEXT(1, 1), CONTEXT(2, 1), CONTEXT(3, 1), CONTEXT(0, 2), CONTEXT(1, 2),
	CONTEXT(2, 2), CONTEXT(3, 2), CONTEXT(0, 3), CONTEXT(1, 3), CONTEXT(2, 3), CONTEXT(3, 3),
};
enum { CONTEXTS = sizeof(all_algorithms) / sizeof(all_algorithms[0]) };

static void setup(void)
{
	const char *why;

	sec = sec_create(&why);
	cr_assert_not_null(sec, "%s", why);
	mgr = alloc_mb_mgr(0);
	cr_assert_not_null(mgr);
	init_mb_mgr_sse(mgr); /* not the code path that the module takes on a newer machine */
}

static void teardown(void)
{
	sec_destroy(sec);
	free_mb_mgr(mgr);
}

TestSuite(sec, .init = setup, .fini = teardown);

static size_t octets(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};

		out[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return n;
}

/* --- references --- */

struct parameters {
	uint32_t count;
	uint8_t bearer, direction;
};

static void *snow3g_schedule(const uint8_t *key)
{
	void *schedule = aligned_alloc(64, 4096);

	cr_assert(schedule && IMB_SNOW3G_KEY_SCHED_SIZE(mgr) <= 4096);
	IMB_SNOW3G_INIT_KEY_SCHED(mgr, key, schedule);
	return schedule;
}

static void aes_ctr_reference(const uint8_t *key, const uint8_t *block, const uint8_t *in,
			      uint8_t *out, size_t n)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int done;

	cr_assert(c && EVP_EncryptInit_ex(c, EVP_aes_128_ctr(), NULL, key, block) == 1 &&
		  EVP_EncryptUpdate(c, out, &done, in, (int)n) == 1);
	EVP_CIPHER_CTX_free(c);
}

static void aes_cmac_reference(const uint8_t *key, const uint8_t *message, size_t n, uint8_t *tag)
{
	size_t tag_n;
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	EVP_MAC_CTX *c = EVP_MAC_CTX_new(mac);
	char name[] = "AES-128-CBC";
	OSSL_PARAM params[] = {{"cipher", OSSL_PARAM_UTF8_STRING, name, sizeof(name) - 1, 0},
			       {NULL, 0, NULL, 0, 0}};

	cr_assert(c && EVP_MAC_init(c, key, 16, params) == 1 &&
		  EVP_MAC_update(c, message, n) == 1 && EVP_MAC_final(c, tag, &tag_n, 16) == 1);
	EVP_MAC_CTX_free(c);
	EVP_MAC_free(mac);
}

/* COUNT || BEARER || DIRECTION || 26 zero bits: TS 33.401 B.1.3 and B.2.3, TS 35.221 3.3. */
static void block8(uint8_t block[8], const struct parameters *a)
{
	memset(block, 0, 8);
	store_be32(block, a->count);
	block[4] = (uint8_t)(a->bearer << 3 | a->direction << 2);
}

static void cipher_reference(unsigned int nea, const uint8_t *key, const struct parameters *a,
			     const uint8_t *in, uint8_t *out, size_t n)
{
	uint8_t block[16] = {0};

	block8(block, a);
	if (nea == 0) {
		memcpy(out, in, n);
	} else if (nea == 2) {
		aes_ctr_reference(key, block, in, out, n);
	} else {
		memcpy(block + 8, block, 8); /* UEA2 (TS 35.215 3.4) and EEA3 (TS 35.221 3.3) */
		if (nea == 1) {
			void *schedule = snow3g_schedule(key);

			IMB_SNOW3G_F8_1_BUFFER(mgr, schedule, block, in, out, (uint32_t)n);
			free(schedule);
		} else {
			IMB_ZUC_EEA3_1_BUFFER(mgr, key, block, in, out, (uint32_t)n);
		}
	}
}

static void mac_reference(unsigned int nia, const uint8_t *key, const struct parameters *a,
			  const uint8_t *message, size_t bits, uint8_t mac[4])
{
	uint8_t iv[16] = {0}, work[BUFFER + 16] = {0}, tag[16];
	uint32_t tag32;

	if (nia == 1) {
		/* TS 35.215 4.4 with FRESH = BEARER || 27 zero bits (TS 33.401 B.2.2). */
		void *schedule = snow3g_schedule(key);

		store_be32(iv, a->count);
		iv[4] = (uint8_t)(a->bearer << 3);
		memcpy(iv + 8, iv, 8);
		iv[8] = (uint8_t)(iv[8] ^ a->direction << 7);
		iv[14] = (uint8_t)(iv[14] ^ a->direction << 7);
		memcpy(work, message, (bits + 7) / 8);
		IMB_SNOW3G_F9_1_BUFFER(mgr, schedule, iv, work, bits, mac);
		free(schedule);
	} else if (nia == 2) {
		cr_assert_eq(bits % 8, 0);
		block8(work, a);
		memcpy(work + 8, message, bits / 8);
		aes_cmac_reference(key, work, 8 + bits / 8, tag);
		memcpy(mac, tag, 4);
	} else {
		/* TS 35.221 4.3: DIRECTION is in the second half of the IV. */
		store_be32(iv, a->count);
		iv[4] = (uint8_t)(a->bearer << 3);
		memcpy(iv + 8, iv, 8);
		iv[8] = (uint8_t)(iv[8] ^ a->direction << 7);
		iv[14] = (uint8_t)(iv[14] ^ a->direction << 7);
		memcpy(work, message, (bits + 7) / 8);
		IMB_ZUC_EIA3_1_BUFFER(mgr, key, iv, work, (uint32_t)bits, &tag32);
		memcpy(mac, &tag32, 4);
	}
}

/* What sec_nas_protect should give. */
static size_t protect_reference(const struct sec_nas_context *c, enum sec_direction direction,
				uint32_t count, enum sec_header header, struct span plain,
				uint8_t *out)
{
	struct parameters a = {count, BEARER, (uint8_t)direction};
	bool ciphers =
		header == SEC_HDR_INTEGRITY_CIPHERED || header == SEC_HDR_INTEGRITY_CIPHERED_NEW;

	out[0] = 0x7e;
	out[1] = (uint8_t)header;
	out[6] = (uint8_t)count;
	cipher_reference(ciphers ? c->nea : 0, c->k_nas_enc, &a, plain.p, out + 7, plain.n);
	mac_reference(c->nia, c->k_nas_int, &a, out + 6, (plain.n + 1) * 8, out + 2);
	return plain.n + 7;
}

/* --- the references against 3GPP's test sets --- */

static void expect_ciphertext(unsigned int nea, const char *key_hex, struct parameters a,
			      const char *plain_hex, const char *cipher_hex)
{
	uint8_t key[16], plain[128], expected[128], out[128];
	size_t n = octets(plain_hex, plain);

	octets(key_hex, key);
	octets(cipher_hex, expected);
	cipher_reference(nea, key, &a, plain, out, n);
	cr_expect_arr_eq(out, expected, n);
}

static void expect_mac(unsigned int nia, const char *key_hex, struct parameters a,
		       const char *message_hex, size_t bits, const char *mac_hex)
{
	uint8_t key[16], message[128], expected[4], mac[4];

	octets(key_hex, key);
	octets(message_hex, message);
	octets(mac_hex, expected);
	mac_reference(nia, key, &a, message, bits, mac);
	cr_expect_arr_eq(mac, expected, 4);
}

/* TS 35.217 (UEA2 test set with COUNT 72A4F20F), whole octets of its 798 bits. */
Test(sec, reference_nea1_is_that_of_ts_35_217)
{
	expect_ciphertext(1, "2bd6459f82c5b300952c49104881ff48",
			  (struct parameters){0x72a4f20f, 0x0c, 1},
			  "7ec61272743bf1614726446a6c38ced166f6ca76eb5430044286346cef130f92"
			  "922b03450d3a9975e5bd2ea0eb55ad8e1b199e3ec4316020e9a1b285e7627953"
			  "59b7bdfd39bef4b2484583d5afe082aee638bf5fd5a606193901a08f4ab41aab"
			  "9b1348",
			  "8ceba62943dced3a0990b06ea1b0a2c4fb3cedc71b369f42ba64c1eb6665e72a"
			  "a1c9bb0deaa20fe86058b8baee2c2e7f0becce48b52932a53c9d5f931a3a7c53"
			  "2259af4325e2a65e3084ad5f6a513b7bddc1b65f0aa0d97a053db55a88c4c4f9"
			  "605e41");
}

/* TS 33.401 C.1.1 and TS 35.223 (EEA3 test set 1), whole octets. */
Test(sec, reference_nea2_and_nea3_are_those_of_3gpp)
{
	expect_ciphertext(2, "d3c5d592327fb11c4035c6680af8c6d1",
			  (struct parameters){0x398a59b4, 0x15, 1},
			  "981ba6824c1bfb1ab485472029b71d808ce33e2cc3c0b5fc1f3de8a6dc66b1",
			  "e9fed8a63d155304d71df20bf3e82214b20ed7dad2f233dc3c22d7bdeeed8e");
	expect_ciphertext(3, "173d14ba5003731d7a60049470f00a29",
			  (struct parameters){0x66035492, 0x0f, 0},
			  "6cf65340735552ab0c9752fa6f9025fe0bd675d9005875b2",
			  "a6c85fc66afb8533aafc2518dfe784940ee1e4b030238cc8");
}

/* TS 33.401 C.4.1, C.2.2 and TS 35.223 (EIA3 test sets 1 and 2). */
Test(sec, reference_macs_are_those_of_3gpp)
{
	expect_mac(1, "2bd6459f82c5b300952c49104881ff48", (struct parameters){0x38a6f056, 0x1f, 0},
		   "3332346263393861373479", 88, "731f1165");
	expect_mac(2, "d3c5d592327fb11c4035c6680af8c6d1", (struct parameters){0x398a59b4, 0x1a, 1},
		   "484583d5afe082ae", 64, "b93787e6");
	expect_mac(3, "00000000000000000000000000000000", (struct parameters){0, 0, 0}, "00000000",
		   1, "c8a9595e");
	expect_mac(3, "47054125561eb2dda94059da05097850", (struct parameters){0x561eb2dd, 0x14, 0},
		   "000000000000000000000000", 90, "6719a088");
}

/* The references take both directions into their IVs: with intel-ipsec-mb's own formation. */
Test(sec, reference_ivs_are_those_of_intel_ipsec_mb)
{
	for (uint8_t direction = 0; direction < 2; direction++) {
		struct parameters a = {0x00abcdef, BEARER, direction};
		uint8_t key[16] = {7}, message[16] = {1, 2, 3}, iv[16], mac[4], expected[4];
		void *schedule = snow3g_schedule(key);
		uint32_t tag;

		snow3g_f9_iv_gen(a.count, (uint32_t)a.bearer << 27, direction, iv);
		IMB_SNOW3G_F9_1_BUFFER(mgr, schedule, iv, message, 128, expected);
		mac_reference(1, key, &a, message, 128, mac);
		cr_expect_arr_eq(mac, expected, 4);
		zuc_eia3_iv_gen(a.count, a.bearer, direction, iv);
		IMB_ZUC_EIA3_1_BUFFER(mgr, key, iv, message, 128, &tag);
		mac_reference(3, key, &a, message, 128, mac);
		cr_expect_arr_eq(mac, (uint8_t *)&tag, 4);
		free(schedule);
	}
}

/* --- HMAC and the key schedule --- */

Test(sec, hmac_agrees_with_wycheproof)
{
	json_t *root = wycheproof_load("hmac_sha256_test.json"), *group, *test;
	unsigned int n = 0;

	wycheproof_for_each(root, group, test)
	{
		static uint8_t key[1024], message[2048];
		uint8_t tag[32], mac[32];
		size_t key_n = wycheproof_octets(test, "key", key, sizeof(key));
		size_t message_n = wycheproof_octets(test, "msg", message, sizeof(message));
		size_t tag_n = wycheproof_octets(test, "tag", tag, sizeof(tag));

		sec_hmac_sha256(span_make(key, key_n), span_make(message, message_n), mac);
		cr_expect_eq(equal_ct(mac, tag, tag_n), wycheproof_is(test, "valid"), "tcId %d",
			     wycheproof_id(test));
		n++;
	}
	json_decref(root);
	cr_expect_geq(n, 170);
}

static void hmac_reference(const uint8_t *key, size_t key_n, const uint8_t *s, size_t n,
			   uint8_t mac[32])
{
	cr_assert_not_null(HMAC(EVP_sha256(), key, (int)key_n, s, n, mac, NULL));
}

Test(sec, hmac_takes_every_length_of_key_and_message)
{
	static uint8_t data[2048];
	uint8_t mac[32], expected[32];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 11);
	for (size_t key_n = 0; key_n <= 200; key_n++) {
		size_t n = key_n * 3;

		sec_hmac_sha256(span_make(data, key_n), span_make(data, n), mac);
		hmac_reference(data, key_n, data, n, expected);
		cr_expect_arr_eq(mac, expected, 32);
	}
	sec_hmac_sha256(span_make(data, 32), span_make(data, sizeof(data)), mac);
	hmac_reference(data, 32, data, sizeof(data), expected);
	cr_expect_arr_eq(mac, expected, 32);
	sec_hmac_sha256(span_make(data, 32), span_make(NULL, 0), mac);
	hmac_reference(data, 32, data, 0, expected);
	cr_expect_arr_eq(mac, expected, 32);
}

/* Appends one parameter and its length, TS 33.220 B.2.1. */
static size_t add(uint8_t *s, size_t n, const void *parameter, size_t length)
{
	memcpy(s + n, parameter, length);
	s[n + length] = (uint8_t)(length >> 8);
	s[n + length + 1] = (uint8_t)length;
	return n + length + 2;
}

static void fill(uint8_t *p, size_t n, uint8_t from)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(from + i);
}

Test(sec, ksession_is_the_kdf_of_what_both_ends_saw)
{
	uint8_t z[32], rand_ue[16], rand_au[16], eid[16], pk_au[65], pk_ue[65], hash[32];
	uint8_t s[512] = {SEC_FC_KSESSION}, ksession[32], expected[32];
	struct sec_session_input in = {z, rand_ue, rand_au, eid, pk_au, pk_ue, hash};
	uint8_t *const inputs[] = {z, rand_ue, rand_au, eid, pk_au, pk_ue, hash};
	size_t n = 1;

	fill(z, 32, 1);
	fill(rand_ue, 16, 40);
	fill(rand_au, 16, 80);
	fill(eid, 16, 120);
	fill(pk_au, 65, 4);
	fill(pk_ue, 65, 160);
	fill(hash, 32, 200);
	n = add(s, n, rand_ue, 16);
	n = add(s, n, rand_au, 16);
	n = add(s, n, eid, 16);
	n = add(s, n, pk_au, 65);
	n = add(s, n, pk_ue, 65);
	n = add(s, n, hash, 32);
	hmac_reference(z, 32, s, n, expected);
	sec_derive_ksession(&in, ksession);
	cr_expect_arr_eq(ksession, expected, 32);

	/* Each input counts. */
	for (unsigned int i = 0; i < 7; i++) {
		inputs[i][15] ^= 1;
		sec_derive_ksession(&in, ksession);
		cr_expect_neq(memcmp(ksession, expected, 32), 0, "input %u", i);
		inputs[i][15] ^= 1;
	}
}

Test(sec, chain_from_ksession_is_that_of_ts_33_501_annex_a)
{
	static const char network[] = "5G:mnc001.mcc001.3gppnetwork.org";
	static const char supi[] = "89049032123451234512345678901235@rsp.5gc.mnc001.mcc001."
				   "3gppnetwork.org";
	uint8_t ksession[32], abba[2] = {0, 0}, s[256], expected[32], enc[16], integrity[16];
	uint8_t k_gnb[32], octet;
	struct sec_keys keys;
	size_t n;

	fill(ksession, 32, 9);
	sec_derive_kamf(ksession, span_make(network, strlen(network)),
			span_make(supi, strlen(supi)), abba, &keys);
	s[0] = 0x6c;
	n = add(s, 1, network, strlen(network));
	hmac_reference(ksession, 32, s, n, expected);
	cr_expect_arr_eq(keys.k_seaf, expected, 32, "A.6");
	s[0] = 0x6d;
	n = add(s, 1, supi, strlen(supi));
	n = add(s, n, abba, 2);
	hmac_reference(keys.k_seaf, 32, s, n, expected);
	cr_expect_arr_eq(keys.k_amf, expected, 32, "A.7");

	for (unsigned int nea = 0; nea < 4; nea++) {
		for (unsigned int nia = 1; nia < 4; nia++) {
			sec_derive_nas_keys(keys.k_amf, (enum sec_nea)nea, (enum sec_nia)nia, enc,
					    integrity);
			s[0] = 0x69;
			n = add(s, 1, "\x01", 1);
			octet = (uint8_t)nea;
			n = add(s, n, &octet, 1);
			hmac_reference(keys.k_amf, 32, s, n, expected);
			cr_expect_arr_eq(enc, expected + 16, 16, "A.8, N-NAS-enc-alg");
			n = add(s, 1, "\x02", 1);
			octet = (uint8_t)nia;
			n = add(s, n, &octet, 1);
			hmac_reference(keys.k_amf, 32, s, n, expected);
			cr_expect_arr_eq(integrity, expected + 16, 16, "A.8, N-NAS-int-alg");
		}
	}
	sec_derive_kgnb(keys.k_amf, 0x00a1b2c3, k_gnb);
	s[0] = 0x6e;
	n = add(s, 1, "\x00\xa1\xb2\xc3", 4);
	n = add(s, n, "\x01", 1);
	hmac_reference(keys.k_amf, 32, s, n, expected);
	cr_expect_arr_eq(k_gnb, expected, 32, "A.9");
}

/* What one UE's inputs and keys are, made of its number. */
struct one_ue {
	uint8_t z[32], rand_ue[16], rand_au[16], eid[16], pk_au[65], pk_ue[65], hash[32];
};

static void expect_as_one_by_one(const struct sec_derivation *d,
				 const struct sec_derive_config *config)
{
	uint8_t ksession[32], enc[16], integrity[16], k_gnb[32];
	char supi[SEC_SUPI_MAX];
	size_t n = sec_supi_from_eid(d->in.eid, config->realm, supi);
	struct sec_keys keys;

	sec_derive_ksession(&d->in, ksession);
	sec_derive_kamf(ksession, config->serving_network, span_make(supi, n), config->abba, &keys);
	sec_derive_nas_keys(keys.k_amf, d->nas.nea, d->nas.nia, enc, integrity);
	sec_derive_kgnb(keys.k_amf, 0, k_gnb);
	cr_expect_arr_eq(d->k_amf, keys.k_amf, 32);
	cr_expect_arr_eq(d->nas.k_nas_enc, enc, 16);
	cr_expect_arr_eq(d->nas.k_nas_int, integrity, 16);
	cr_expect_arr_eq(d->k_gnb, k_gnb, 32);
}

static void derive_and_compare(const struct sec *s, unsigned int n, const char *realm)
{
	static const char network[] = "5G:mnc001.mcc001.3gppnetwork.org";
	const struct sec_derive_config config = {
		span_make(network, strlen(network)), realm, {0, 0}};
	struct sec_derivation d[9] = {0};
	struct one_ue ues[9];

	for (unsigned int i = 0; i < n; i++) {
		struct one_ue *u = &ues[i];

		fill((uint8_t *)u, sizeof(*u), (uint8_t)(31 * i + n));
		d[i].in = (struct sec_session_input){u->z,     u->rand_ue, u->rand_au, u->eid,
						     u->pk_au, u->pk_ue,   u->hash};
		d[i].nas.nea = (uint8_t)(i % 4);
		d[i].nas.nia = (uint8_t)(1 + i % 3);
	}
	sec_derive_burst(s, &config, d, n);
	for (unsigned int i = 0; i < n; i++)
		expect_as_one_by_one(&d[i], &config);
}

/* Odd and even numbers, and SUPIs around the end of a block; with and without the processor's
 * instructions. */
Test(sec, keys_of_a_burst_are_those_of_one_ue_after_the_other)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz.org";
	const char *why;
	struct sec *s = sec_create(&why);

	cr_assert_not_null(s, "%s", why);
	if (!(s->mgr->features & IMB_FEATURE_SHANI))
		cr_log_warn("SKIPPED: SHA instructions, which this processor lacks");
	for (unsigned int pass = 0; pass < 2; pass++) {
		for (unsigned int n = 0; n <= 9; n++)
			derive_and_compare(s, n, "rsp.5gc.mnc001.mcc001.3gppnetwork.org");
		for (const char *realm = letters; *realm; realm++)
			derive_and_compare(s, 2, realm);
		s->mgr->features &= ~(uint64_t)IMB_FEATURE_SHANI;
	}
	sec_destroy(s);
}

Test(sec, supi_is_the_eid_at_the_realm)
{
	static const uint8_t eid[16] = {0x89, 0x04, 0x90, 0x32, 0x12, 0x34, 0x51, 0x23,
					0x45, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x35};
	char supi[SEC_SUPI_MAX], realm[SEC_SUPI_MAX + 1];

	cr_expect_eq(sec_supi_from_eid(eid, "a.org", supi), 38);
	cr_expect_str_eq(supi, "89049032123451234512345678901235@a.org");
	/* 32 digits, @ and the final NUL leave 62. */
	memset(realm, 'r', sizeof(realm));
	realm[62] = 0;
	cr_expect_eq(sec_supi_from_eid(eid, realm, supi), SEC_SUPI_MAX - 1);
	realm[62] = 'r';
	realm[63] = 0;
	cr_expect_eq(sec_supi_from_eid(eid, realm, supi), 0);
}

/* --- NAS security --- */

struct received {
	enum sec_error error;
	uint8_t plain[BUFFER];
	size_t n;
	enum sec_header header;
	uint32_t count;
};

/* Receives a copy of exactly that size, so that a sanitizer sees a read past the end. */
static struct received receive(const struct sec_nas_context *c, enum sec_direction direction,
			       uint32_t *next_count, const uint8_t *message, size_t n)
{
	struct received r = {.n = 0};
	uint8_t *copy = malloc(n ? n : 1);

	memcpy(copy, message, n);
	r.error = sec_nas_unprotect(sec, c, direction, next_count, span_make(copy, n), r.plain,
				    sizeof(r.plain), &r.n, &r.header, &r.count);
	free(copy);
	return r;
}

static size_t protect(const struct sec_nas_context *c, enum sec_direction direction, uint32_t count,
		      struct span plain, uint8_t *out)
{
	size_t n;

	cr_assert_eq(sec_nas_protect(sec, c, direction, count, SEC_HDR_INTEGRITY_CIPHERED, plain,
				     out, BUFFER, &n),
		     SEC_OK);
	return n;
}

static uint8_t plain_octets[SEC_NAS_MESSAGE_MAX + 1];
static const struct span plain60 = {plain_octets, MESSAGE};
static const struct sec_nas_context *const nas = &all_algorithms[6]; /* NEA2, NIA2 */

static void setup_nas(void)
{
	setup();
	fill(plain_octets, sizeof(plain_octets), 3);
}

TestSuite(nas, .init = setup_nas, .fini = teardown);

static void expect_as_reference(const struct sec_nas_context *c, enum sec_direction direction,
				uint32_t count, enum sec_header header, size_t n)
{
	static uint8_t expected[BUFFER], out[BUFFER];
	struct span plain = {plain_octets, n};
	size_t out_n = 0,
	       expected_n = protect_reference(c, direction, count, header, plain, expected);

	cr_assert_eq(sec_nas_protect(sec, c, direction, count, header, plain, out, n + 7, &out_n),
		     SEC_OK);
	cr_assert_eq(out_n, expected_n);
	cr_expect_arr_eq(out, expected, out_n, "nia %u nea %u, %zu octets, COUNT %x", c->nia,
			 c->nea, n, count);

	uint32_t next = count;
	struct received r = receive(c, direction, &next, out, out_n);

	cr_assert_eq(r.error, SEC_OK);
	cr_expect_eq(r.n, n);
	cr_expect_arr_eq(r.plain, plain_octets, n);
	cr_expect_eq(r.header, header);
	cr_expect_eq(r.count, count);
	cr_expect_eq(next, count + 1);
}

Test(nas, every_algorithm_is_that_of_the_standard_at_every_length)
{
	for (unsigned int i = 0; i < CONTEXTS; i++) {
		for (size_t n = 1; n <= 130; n++)
			expect_as_reference(&all_algorithms[i], (enum sec_direction)(n & 1),
					    (uint32_t)(n * 0x01f1f3 & 0xffffff),
					    SEC_HDR_INTEGRITY_CIPHERED, n);
		expect_as_reference(&all_algorithms[i], SEC_UPLINK, 0, SEC_HDR_INTEGRITY_CIPHERED,
				    SEC_NAS_MESSAGE_MAX);
	}
}

Test(nas, every_header_type_is_protected_as_it_says)
{
	for (unsigned int i = 0; i < CONTEXTS; i++)
		for (unsigned int h = SEC_HDR_INTEGRITY; h <= SEC_HDR_INTEGRITY_CIPHERED_NEW; h++)
			for (unsigned int direction = 0; direction < 2; direction++)
				expect_as_reference(&all_algorithms[i],
						    (enum sec_direction)direction, 0xfffffe,
						    (enum sec_header)h, MESSAGE);
}

Test(nas, contexts_may_alternate)
{
	for (unsigned int i = 0; i < 500; i++)
		expect_as_reference(&all_algorithms[(i * 5) % CONTEXTS],
				    (enum sec_direction)(i & 1), i, SEC_HDR_INTEGRITY_CIPHERED,
				    1 + i % 70);
}

Test(nas, a_message_of_the_other_direction_is_refused)
{
	uint8_t out[BUFFER];

	for (unsigned int i = 0; i < CONTEXTS; i++) {
		uint32_t next = 5;
		size_t n = protect(&all_algorithms[i], SEC_UPLINK, 5, plain60, out);

		cr_expect_eq(receive(&all_algorithms[i], SEC_DOWNLINK, &next, out, n).error,
			     SEC_BAD_MAC);
		cr_expect_eq(next, 5);
	}
}

Test(nas, a_message_under_another_key_is_refused)
{
	uint8_t out[BUFFER];

	for (unsigned int i = 0; i < CONTEXTS; i++) {
		struct sec_nas_context other = all_algorithms[i];
		uint32_t next = 0;
		size_t n = protect(&all_algorithms[i], SEC_UPLINK, 0, plain60, out);

		other.k_nas_int[15] ^= 1;
		cr_expect_eq(receive(&other, SEC_UPLINK, &next, out, n).error, SEC_BAD_MAC);
		cr_expect_eq(next, 0);
	}
}

Test(nas, every_flipped_bit_of_mac_sequence_and_message_is_refused)
{
	uint8_t out[BUFFER];

	for (unsigned int i = 0; i < CONTEXTS; i++) {
		size_t n = protect(&all_algorithms[i], SEC_UPLINK, 7, plain60, out);

		for (size_t bit = 16; bit < n * 8; bit++) {
			uint32_t next = 7;

			out[bit / 8] ^= (uint8_t)(1 << bit % 8);
			struct received r = receive(&all_algorithms[i], SEC_UPLINK, &next, out, n);

			cr_expect_eq(r.error, SEC_BAD_MAC, "bit %zu", bit);
			cr_expect_eq(next, 7, "next_count moved");
			cr_expect_eq(r.n, 0, "something was given out");
			out[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

Test(nas, every_truncation_is_refused)
{
	uint8_t out[BUFFER];

	for (unsigned int i = 0; i < CONTEXTS; i++) {
		size_t n = protect(&all_algorithms[i], SEC_UPLINK, 7, plain60, out);

		for (size_t cut = 0; cut < n; cut++) {
			uint32_t next = 7;
			enum sec_error e =
				receive(&all_algorithms[i], SEC_UPLINK, &next, out, cut).error;

			cr_expect_eq(e, cut <= SEC_NAS_HEADER_SIZE ? SEC_TRUNCATED : SEC_BAD_MAC,
				     "%zu octets: %s", cut, sec_error_name(e));
			cr_expect_eq(next, 7);
		}
	}
}

Test(nas, appended_octets_are_refused)
{
	uint8_t out[BUFFER] = {0};
	uint32_t next = 0;
	size_t n = protect(nas, SEC_UPLINK, 0, plain60, out);

	cr_expect_eq(receive(nas, SEC_UPLINK, &next, out, n + 1).error, SEC_BAD_MAC);
	cr_expect_eq(receive(nas, SEC_UPLINK, &next, out, n + 16).error, SEC_BAD_MAC);
}

Test(nas, bad_headers_are_refused)
{
	uint8_t out[BUFFER];
	uint32_t next = 0;
	size_t n = protect(nas, SEC_UPLINK, 0, plain60, out);

	for (unsigned int type = 0; type < 256; type++) {
		if (type >= SEC_HDR_INTEGRITY && type <= SEC_HDR_INTEGRITY_CIPHERED_NEW)
			continue;
		out[1] = (uint8_t)type;
		cr_expect_eq(receive(nas, SEC_UPLINK, &next, out, n).error, SEC_BAD_HEADER);
	}
	out[0] = 0x2e;
	out[1] = SEC_HDR_INTEGRITY_CIPHERED;
	cr_expect_eq(receive(nas, SEC_UPLINK, &next, out, n).error, SEC_BAD_HEADER);
	cr_expect_eq(next, 0);
}

/* TS 24.501 4.4.3.3: the MAC does not cover the header type, so whoever receives must look at the
 * type that it is told. */
Test(nas, the_header_type_received_is_told)
{
	uint8_t out[BUFFER];
	uint32_t next = 0;
	size_t n = protect(nas, SEC_UPLINK, 0, plain60, out);

	out[1] = SEC_HDR_INTEGRITY;
	struct received r = receive(nas, SEC_UPLINK, &next, out, n);

	cr_expect_eq(r.error, SEC_OK);
	cr_expect_eq(r.header, SEC_HDR_INTEGRITY);
	cr_expect_arr_eq(r.plain, out + 7, MESSAGE, "not deciphered");
}

Test(nas, peek_tells_the_type_and_reads_no_further)
{
	uint8_t message[8] = {0x7e, 0, 0x41};
	enum sec_header h;

	cr_expect_eq(sec_nas_peek(span_make(message, 3), &h), SEC_OK);
	cr_expect_eq(h, SEC_HDR_PLAIN);
	for (size_t n = 0; n < 3; n++)
		cr_expect_eq(sec_nas_peek(span_make(message, n), &h), SEC_TRUNCATED);
	message[1] = SEC_HDR_INTEGRITY_NEW;
	for (size_t n = 0; n < 8; n++)
		cr_expect_eq(sec_nas_peek(span_make(message, n), &h), SEC_TRUNCATED);
	cr_expect_eq(sec_nas_peek(span_make(message, 8), &h), SEC_OK);
	cr_expect_eq(h, SEC_HDR_INTEGRITY_NEW);
}

/* --- COUNT --- */

static enum sec_error receive_count(uint32_t *next, uint32_t count)
{
	uint8_t out[BUFFER];
	size_t n = protect(nas, SEC_UPLINK, count, plain60, out);

	return receive(nas, SEC_UPLINK, next, out, n).error;
}

Test(nas, a_replay_is_refused_and_called_so)
{
	uint32_t next = 0;

	cr_expect_eq(receive_count(&next, 0), SEC_OK);
	cr_expect_eq(receive_count(&next, 0), SEC_REPLAYED);
	cr_expect_eq(next, 1);
	cr_expect_eq(receive_count(&next, 1), SEC_OK);
	cr_expect_eq(receive_count(&next, 0), SEC_REPLAYED);
	cr_expect_eq(next, 2);
}

Test(nas, a_message_that_was_overtaken_is_refused)
{
	uint32_t next = 0;

	cr_expect_eq(receive_count(&next, 3), SEC_OK);
	cr_expect_eq(next, 4);
	for (uint32_t count = 0; count < 4; count++)
		cr_expect_eq(receive_count(&next, count), SEC_REPLAYED);
	cr_expect_eq(next, 4);
}

Test(nas, count_is_estimated_across_the_wrap_of_the_sequence_number)
{
	uint32_t next = 0xf0;

	for (uint32_t count = 0xf0; count < 0x230; count++)
		cr_assert_eq(receive_count(&next, count), SEC_OK, "COUNT %x", count);
	cr_expect_eq(next, 0x230);
}

Test(nas, up_to_255_lost_messages_are_bridged)
{
	for (uint32_t lost = 0; lost <= 255; lost++) {
		uint32_t next = 0x1234;

		cr_expect_eq(receive_count(&next, 0x1234 + lost), SEC_OK, "%u lost", lost);
		cr_expect_eq(next, 0x1235 + lost);
	}
	uint32_t next = 0x1234;

	cr_expect_eq(receive_count(&next, 0x1234 + 256), SEC_BAD_MAC);
	cr_expect_eq(next, 0x1234);
}

Test(nas, a_replay_from_before_the_wrap_is_refused)
{
	uint32_t next = 0xfe;

	cr_expect_eq(receive_count(&next, 0xff), SEC_OK);
	cr_expect_eq(receive_count(&next, 0x105), SEC_OK);
	for (uint32_t count = 0; count < 0x106; count++)
		cr_expect_neq(receive_count(&next, count), SEC_OK);
	cr_expect_eq(next, 0x106);
}

Test(nas, count_never_wraps)
{
	uint8_t out[BUFFER];
	size_t n;
	uint32_t next = 0xfffffe;

	cr_expect_eq(receive_count(&next, 0xffffff), SEC_OK);
	cr_expect_eq(next, 0x1000000);
	n = protect(nas, SEC_UPLINK, 0, plain60, out);
	for (unsigned int sequence = 0; sequence < 256; sequence++) {
		out[6] = (uint8_t)sequence;
		cr_expect_eq(receive(nas, SEC_UPLINK, &next, out, n).error, SEC_COUNT_EXHAUSTED);
	}
	next = 0xffffff;
	cr_expect_eq(receive_count(&next, 0), SEC_COUNT_EXHAUSTED);
	cr_expect_eq(next, 0xffffff);
	cr_expect_eq(sec_nas_protect(sec, nas, SEC_UPLINK, 0x1000000, SEC_HDR_INTEGRITY_CIPHERED,
				     plain60, out, BUFFER, &n),
		     SEC_COUNT_EXHAUSTED);
}

/* --- what must not be asked for --- */

Test(nas, null_integrity_and_unknown_algorithms_are_refused)
{
	static const struct {
		uint8_t nea, nia;
	} bad[] = {{0, 0}, {2, 0}, {2, 4}, {4, 2}, {255, 2}, {2, 255}};

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sec_nas_context c = *nas;
		uint8_t out[BUFFER];
		uint32_t next = 0;
		size_t n = protect(nas, SEC_UPLINK, 0, plain60, out);

		memset(out + 2, 0, 4); /* the MAC of NIA0 */
		c.nea = bad[i].nea;
		c.nia = bad[i].nia;
		cr_expect_eq(receive(&c, SEC_UPLINK, &next, out, n).error, SEC_BAD_ALGORITHM);
		cr_expect_eq(next, 0);
		cr_expect_eq(sec_nas_protect(sec, &c, SEC_UPLINK, 0, SEC_HDR_INTEGRITY, plain60,
					     out, BUFFER, &n),
			     SEC_BAD_ALGORITHM);
	}
}

Test(nas, an_empty_or_plain_message_is_not_protected)
{
	uint8_t out[BUFFER];
	size_t n;

	cr_expect_eq(sec_nas_protect(sec, nas, SEC_UPLINK, 0, SEC_HDR_INTEGRITY_CIPHERED,
				     span_make(NULL, 0), out, BUFFER, &n),
		     SEC_TRUNCATED);
	cr_expect_eq(
		sec_nas_protect(sec, nas, SEC_UPLINK, 0, SEC_HDR_PLAIN, plain60, out, BUFFER, &n),
		SEC_BAD_HEADER);
}

Test(nas, buffers_that_are_too_small_are_refused)
{
	uint8_t out[BUFFER], plain[MESSAGE];
	uint32_t next = 0;
	enum sec_header h;
	size_t n, plain_n;

	cr_expect_eq(sec_nas_protect(sec, nas, SEC_UPLINK, 0, SEC_HDR_INTEGRITY, plain60, out,
				     MESSAGE + 6, &n),
		     SEC_NO_ROOM);
	cr_expect_eq(sec_nas_protect(sec, nas, SEC_UPLINK, 0, SEC_HDR_INTEGRITY,
				     span_make(plain_octets, SEC_NAS_MESSAGE_MAX + 1), out,
				     SIZE_MAX, &n),
		     SEC_NO_ROOM);
	n = protect(nas, SEC_UPLINK, 0, plain60, out);
	cr_expect_eq(sec_nas_unprotect(sec, nas, SEC_UPLINK, &next, span_make(out, n), plain,
				       MESSAGE - 1, &plain_n, &h, NULL),
		     SEC_NO_ROOM);
	cr_expect_eq(next, 0);
	cr_expect_eq(sec_nas_unprotect(sec, nas, SEC_UPLINK, &next, span_make(out, n), plain,
				       MESSAGE, &plain_n, &h, NULL),
		     SEC_OK);
}

Test(nas, a_message_above_the_largest_is_refused)
{
	static uint8_t message[BUFFER + 1], plain[BUFFER + 1];
	uint32_t next = 0;
	enum sec_header h;
	size_t n;

	message[0] = 0x7e;
	message[1] = SEC_HDR_INTEGRITY_CIPHERED;
	cr_expect_eq(sec_nas_unprotect(sec, nas, SEC_UPLINK, &next,
				       span_make(message, sizeof(message)), plain, sizeof(plain),
				       &n, &h, NULL),
		     SEC_NO_ROOM);
}

/* --- sealing --- */

static struct sec_an_key *an_key;
static uint8_t an_key_octets[32], nonce[12], k_gnb[32], sealed[SEC_SEALED_KEY_SIZE];
static const uint8_t ids[8] = {0, 0, 0, 1, 0, 0, 0, 2};

static void setup_seal(void)
{
	setup();
	fill(an_key_octets, 32, 77);
	fill(nonce, 12, 5);
	fill(k_gnb, 32, 150);
	an_key = sec_an_key_create(sec, an_key_octets);
	cr_assert_not_null(an_key);
	sec_seal_key(sec, an_key, nonce, span_make(ids, 8), k_gnb, sealed);
}

static void teardown_seal(void)
{
	sec_an_key_destroy(an_key);
	teardown();
}

TestSuite(seal, .init = setup_seal, .fini = teardown_seal);

Test(seal, a_sealed_key_is_aes_256_gcm)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t expected[32 + 16];
	int n;

	cr_assert(c && EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, an_key_octets, nonce) == 1 &&
		  EVP_EncryptUpdate(c, NULL, &n, ids, 8) == 1 &&
		  EVP_EncryptUpdate(c, expected, &n, k_gnb, 32) == 1 &&
		  EVP_EncryptFinal_ex(c, expected + 32, &n) == 1 &&
		  EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, 16, expected + 32) == 1);
	EVP_CIPHER_CTX_free(c);
	cr_expect_arr_eq(sealed, nonce, 12);
	cr_expect_arr_eq(sealed + 12, expected, sizeof(expected));
}

Test(seal, a_sealed_key_opens)
{
	uint8_t opened[32];

	cr_expect_eq(sec_open_key(sec, an_key, span_make(ids, 8), sealed, opened), SEC_OK);
	cr_expect_arr_eq(opened, k_gnb, 32);
}

static void expect_closed(const struct sec_an_key *key, struct span aad, const uint8_t *from)
{
	static const uint8_t zeros[32];
	uint8_t opened[32];

	memset(opened, 0xee, 32);
	cr_expect_eq(sec_open_key(sec, key, aad, from, opened), SEC_BAD_SEAL);
	cr_expect_arr_eq(opened, zeros, 32, "what did not open is not given out");
}

Test(seal, another_ue_another_key_and_any_flipped_bit_are_refused)
{
	uint8_t other[32], bad[SEC_SEALED_KEY_SIZE], other_ids[8];

	memcpy(other, an_key_octets, 32);
	other[31] ^= 1;
	struct sec_an_key *other_key = sec_an_key_create(sec, other);

	expect_closed(other_key, span_make(ids, 8), sealed);
	sec_an_key_destroy(other_key);
	memcpy(other_ids, ids, 8);
	other_ids[7] ^= 1;
	expect_closed(an_key, span_make(other_ids, 8), sealed);
	expect_closed(an_key, span_make(ids, 7), sealed);
	expect_closed(an_key, span_make(NULL, 0), sealed);
	for (size_t bit = 0; bit < sizeof(bad) * 8; bit++) {
		memcpy(bad, sealed, sizeof(bad));
		bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		expect_closed(an_key, span_make(ids, 8), bad);
	}
}

/* --- fingerprints --- */

Test(sec, fingerprints_agree_for_the_same_octets_only)
{
	struct sec_fingerprint_key *key = sec_fingerprint_key_create(sec);
	uint8_t message[700], changed[700], a[SEC_FINGERPRINT_SIZE], b[SEC_FINGERPRINT_SIZE];

	cr_assert_not_null(key);
	fill(message, sizeof(message), 9);
	for (size_t n = 0; n <= sizeof(message); n += n < 40 ? 1 : 33) {
		sec_fingerprint(sec, key, span_make(message, n), a);
		memcpy(changed, message, n);
		sec_fingerprint(sec, key, span_make(changed, n), b);
		cr_expect_arr_eq(a, b, sizeof(a));
		for (size_t bit = 0; bit < 8 * n; bit += 7) {
			changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
			sec_fingerprint(sec, key, span_make(changed, n), b);
			cr_expect_arr_neq(a, b, sizeof(a), "%zu octets, bit %zu", n, bit);
			changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		/* GHASH alone takes an octet of zeros for the filling of its last block. */
		changed[n < sizeof(changed) ? n : 0] = 0;
		if (n < sizeof(changed)) {
			sec_fingerprint(sec, key, span_make(changed, n + 1), b);
			cr_expect_arr_neq(a, b, sizeof(a));
		}
	}
	sec_fingerprint_key_destroy(key);
}

Test(sec, fingerprints_of_two_keys_have_nothing_in_common)
{
	struct sec_fingerprint_key *one = sec_fingerprint_key_create(sec),
				   *two = sec_fingerprint_key_create(sec);
	uint8_t a[SEC_FINGERPRINT_SIZE], b[SEC_FINGERPRINT_SIZE];

	sec_fingerprint(sec, one, span_make("message", 7), a);
	sec_fingerprint(sec, two, span_make("message", 7), b);
	cr_expect_arr_neq(a, b, sizeof(a));
	sec_fingerprint_key_destroy(one);
	sec_fingerprint_key_destroy(two);
}

Test(seal, destroying_nothing_is_allowed)
{
	sec_an_key_destroy(NULL);
	sec_fingerprint_key_destroy(NULL);
	sec_destroy(NULL);
}

Test(sec, every_error_has_a_name_and_a_sentence)
{
	for (unsigned int i = 0; i < SEC_ERROR_N; i++) {
		cr_expect_str_neq(sec_error_name((enum sec_error)i), "?");
		cr_expect_str_neq(sec_error_text((enum sec_error)i), "?");
	}
	cr_expect_str_eq(sec_error_name(SEC_ERROR_N), "?");
	cr_expect_str_eq(sec_error_text(SEC_ERROR_N), "?");
	cr_expect_neq(strlen(sec_arch_name(sec)), 0);
}
