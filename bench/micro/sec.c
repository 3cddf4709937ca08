/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The key schedule, NAS security on the attach's own messages, sealing, fingerprints.
 */
#include <rte_common.h>

#include "micro/micro.h"

static uint8_t out[WIRE_NAS_MAX];

static void fingerprint(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	static struct sec_fingerprint_key *key;

	(void)c;
	if (!key)
		key = sec_fingerprint_key_create(micro.sec);
	micro_check(key != NULL, "no key for fingerprints");
	for (unsigned int i = 0; i < n; i++) {
		sec_fingerprint(micro.sec, key, micro.items[items[i]].cert_euicc, out);
		micro_keep(out);
	}
}

static void ksession(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		const struct micro_item *item = &micro.items[items[i]];

		sec_derive_ksession(&(struct sec_session_input){.z = item->z,
								.rand_ue = item->rand_ue,
								.rand_au = item->rand_au,
								.eid = item->eid,
								.pk_au = item->pk_au,
								.pk_ue = item->pk_ue,
								.cert_au_hash = micro.cert_au_hash},
				    out);
		micro_keep(out);
	}
}

static void kamf(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct span network = span_make(micro.serving_network, strlen(micro.serving_network));
	struct sec_keys keys;
	char supi[SEC_SUPI_MAX];

	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		const struct micro_item *item = &micro.items[items[i]];
		size_t length = sec_supi_from_eid(item->eid, micro.realm, supi);

		sec_derive_kamf(item->ksession, network, span_make(supi, length),
				(const uint8_t[2]){0, 0}, &keys);
		micro_keep(&keys);
	}
}

static void nas_keys(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		sec_derive_nas_keys(micro.items[items[i]].k_amf, SEC_NEA2, SEC_NIA2, out, out + 16);
		micro_keep(out);
	}
}

static void kgnb(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		sec_derive_kgnb(micro.items[items[i]].k_amf, 0, out);
		micro_keep(out);
	}
}

static void schedule(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	static struct sec_derivation d[MICRO_CHUNK];
	const struct sec_derive_config config = {
		.serving_network = span_make(micro.serving_network, strlen(micro.serving_network)),
		.realm = micro.realm,
	};

	for (unsigned int at = 0; at < n; at += c->batch) {
		for (unsigned int i = 0; i < c->batch; i++) {
			const struct micro_item *item = &micro.items[items[at + i]];

			d[i].in = (struct sec_session_input){
				item->z,     item->rand_ue, item->rand_au,	item->eid,
				item->pk_au, item->pk_ue,   micro.cert_au_hash,
			};
			d[i].nas = item->nas;
		}
		sec_derive_burst(micro.sec, &config, d, c->batch);
		micro_keep(d);
	}
}

static void seal(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	static uint64_t counter;
	uint8_t nonce[SEC_SEAL_NONCE_SIZE] = {0}, aad[12];

	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		const struct micro_item *item = &micro.items[items[i]];

		store_be64(nonce + 4, counter++);
		store_be32(aad, item->an_ue_id);
		store_be64(aad + 4, item->au_ue_id);
		sec_seal_key(micro.sec, micro.an_key, nonce, span_make(aad, sizeof(aad)),
			     item->k_gnb, out);
		micro_keep(out);
	}
}

static void open_sealed(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	uint8_t aad[12];
	unsigned int good = 0;

	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		const struct micro_item *item = &micro.items[items[i]];

		store_be32(aad, item->an_ue_id);
		store_be64(aad + 4, item->au_ue_id);
		good += sec_open_key(micro.sec, micro.an_key, span_make(aad, sizeof(aad)),
				     item->sealed, out) == SEC_OK;
	}
	micro_check(good == n, "a seal does not open");
}

static enum sec_header header_of(enum micro_message m)
{
	return m == MICRO_SECURITY_MODE_COMMAND	   ? SEC_HDR_INTEGRITY_NEW
	       : m == MICRO_SECURITY_MODE_COMPLETE ? SEC_HDR_INTEGRITY_CIPHERED_NEW
						   : SEC_HDR_INTEGRITY_CIPHERED;
}

static void protect(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	size_t length;

	for (unsigned int i = 0; i < n; i++) {
		const struct micro_item *item = &micro.items[items[i]];

		sec_nas_protect(micro.sec, &item->nas, SEC_DOWNLINK, 1, header_of(c->arg),
				item->message[c->arg], out, sizeof(out), &length);
		micro_keep(out);
	}
}

static void unprotect(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	enum sec_header header;
	unsigned int good = 0;
	size_t length;

	for (unsigned int i = 0; i < n; i++) {
		const struct micro_item *item = &micro.items[items[i]];
		uint32_t next = 0;

		good += sec_nas_unprotect(micro.sec, &item->nas, SEC_UPLINK, &next,
					  item->message[c->arg + 1], out, sizeof(out), &length,
					  &header, NULL) == SEC_OK;
	}
	micro_check(good == n, "a message has a wrong MAC");
}

#define PROTECT(title, n, kind)                                         \
	{                                                               \
		"sec", title, "control", n, .arg = kind, .run = protect \
	}
#define UNPROTECT(title, n, kind)                                         \
	{                                                                 \
		"sec", title, "control", n, .arg = kind, .run = unprotect \
	}

/* An attach has its keys derived with those of as many as a burst brings. */
#define SCHEDULE(size, title, what)                                                            \
	{                                                                                      \
		"sec", title, (size) == MICRO_CHUNK ? "control" : NULL, (size) == MICRO_CHUNK, \
			.batch = size, .run = what                                             \
	}
/* Of functions that take one at a time: so many calls in a row, between two looks at the clock,
 * which wait for what is under way. */
#define IN_A_ROW(size, title, function, kind)                                                     \
	{                                                                                         \
		"sec", title, NULL, 0, .batch = size, .chunk = size, .arg = kind, .run = function \
	}

static const struct micro_case cases[] = {
	{"sec", "fingerprint of Cert_eUICC", "worker", 2, .run = fingerprint},
	{"sec", "Ksession", NULL, 0, .run = ksession},
	{"sec", "K_SEAF and K_AMF, with the SUPI", NULL, 0, .run = kamf},
	{"sec", "K_NASint and K_NASenc", NULL, 0, .run = nas_keys},
	{"sec", "K_gNB", NULL, 0, .run = kgnb},
	MICRO_BATCHES(SCHEDULE, "key schedule", schedule),
	{"sec", "K_gNB sealed", "control", 1, .run = seal},
	{"sec", "K_gNB opened", NULL, 0, .run = open_sealed},
	PROTECT("SECURITY MODE COMMAND, protected", 1, MICRO_SECURITY_MODE_COMMAND),
	UNPROTECT("SECURITY MODE COMPLETE, unprotected", 1, MICRO_SECURITY_MODE_COMPLETE),
	PROTECT("ATTACH ACCEPT, protected", 1, MICRO_ATTACH_ACCEPT),
	UNPROTECT("ATTACH COMPLETE, unprotected", 1, MICRO_ATTACH_COMPLETE),
	UNPROTECT("UL NAS TRANSPORT, unprotected", 1, MICRO_UL_NAS_TRANSPORT),
	PROTECT("DL NAS TRANSPORT, protected", 1, MICRO_DL_NAS_TRANSPORT),
	MICRO_BATCHES(IN_A_ROW, "fingerprint of Cert_eUICC", fingerprint, 0),
	MICRO_BATCHES(IN_A_ROW, "ATTACH ACCEPT, protected", protect, MICRO_ATTACH_ACCEPT),
	MICRO_BATCHES(IN_A_ROW, "ATTACH COMPLETE, unprotected", unprotect, MICRO_ATTACH_COMPLETE),
};

const struct micro_group micro_sec = {"sec", cases, RTE_DIM(cases)};
