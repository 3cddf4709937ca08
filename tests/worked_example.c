/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The worked example of docs/protocol.md: one attach with every input, key and message in hex.
 *
 *	worked-example check FILE    fails when a value of the page is not what its inputs give
 *	worked-example update FILE   the page with what its inputs give, on standard output
 *	worked-example new FILE      likewise with fresh inputs
 *
 * What follows from the inputs is computed by the functions that cpau and the UE use. From step 7
 * on a UE of lib/ue takes the downlink messages, and what it answers is the uplink ones. What keys,
 * MACs and ciphers are fed with is put together here as the page says it, and OpenSSL comes to the
 * same with it. The text around the values is the page's own.
 */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "crypto/crypto.h"
#include "pki/issue.h"
#include "pki/pki.h"
#include "sec/sec.h"
#include "ue/device.h"
#include "wire/wire.h"

enum { VALUE_MAX = 2048, LINE_OCTETS = 40, PAGE_MAX = 1 << 20, SENT_MAX = 4 };
enum { PDU_SESSION_ID = 1, PTI = 1, QFI = 1 };

/* A message under NAS security: four values. */
#define PROTECTED(X, name)     \
	X(name##_plain, false) \
	X(name##_COUNT, false) \
	X(name##_MAC, false)   \
	X(name, false)

/* X(name, is an input) in the order of the page. Records are with their header. */
#define VALUES(X)                               \
	X(AN_name, true)                        \
	X(AN_SETUP_REQUEST, false)              \
	X(AU_name, true)                        \
	X(serving_network_name, true)           \
	X(AN_SETUP_RESPONSE, false)             \
	X(EID, true)                            \
	X(Cert_eUICC, true)                     \
	X(Cert_EUM, true)                       \
	X(Cert_AU, true)                        \
	X(Cert_cross, true)                     \
	X(UE_security_capability, true)         \
	X(RAND_UE, true)                        \
	X(UE_Signature1, true)                  \
	X(ATTACH_REQUEST, false)                \
	X(RAND_AU, true)                        \
	X(SK_AU, true)                          \
	X(PK_AU, false)                         \
	X(AU_Signature, true)                   \
	X(AUTHENTICATION_REQUEST, false)        \
	X(SK_UE, true)                          \
	X(PK_UE, false)                         \
	X(UE_Signature2, true)                  \
	X(AUTHENTICATION_RESPONSE, false)       \
	X(ECDH_x, false)                        \
	X(SHA256_Cert_AU, false)                \
	X(Ksession_S, false)                    \
	X(Ksession, false)                      \
	X(K_SEAF_S, false)                      \
	X(K_SEAF, false)                        \
	X(SUPI, false)                          \
	X(K_AMF_S, false)                       \
	X(K_AMF, false)                         \
	X(K_NASenc_S, false)                    \
	X(K_NASenc, false)                      \
	X(K_NASint_S, false)                    \
	X(K_NASint, false)                      \
	PROTECTED(X, SECURITY_MODE_COMMAND)     \
	X(NIA2_input_downlink, false)           \
	PROTECTED(X, SECURITY_MODE_COMPLETE)    \
	X(NEA2_counter_uplink, false)           \
	X(NIA2_input_uplink, false)             \
	X(K_gNB_S, false)                       \
	X(K_gNB, false)                         \
	X(AN_key, true)                         \
	X(AN_UE_id, true)                       \
	X(AU_UE_id, true)                       \
	X(seal_nonce, true)                     \
	X(sealed_K_gNB, false)                  \
	X(CONTEXT_SETUP_REQUEST, false)         \
	X(CONTEXT_SETUP_RESPONSE, false)        \
	X(GUTI, true)                           \
	PROTECTED(X, ATTACH_ACCEPT)             \
	PROTECTED(X, ATTACH_COMPLETE)           \
	X(SESSION_ESTABLISHMENT_REQUEST, false) \
	PROTECTED(X, UL_NAS_TRANSPORT)          \
	X(uplink_datagram, false)               \
	X(UE_IPv4_address, true)                \
	X(DNN, true)                            \
	X(Uplink_tunnel, true)                  \
	X(SESSION_SETUP_REQUEST, false)         \
	X(QoS_rules, true)                      \
	X(Session_AMBR, true)                   \
	X(EPCO, true)                           \
	X(SESSION_ESTABLISHMENT_ACCEPT, false)  \
	PROTECTED(X, DL_NAS_TRANSPORT)          \
	X(downlink_datagram, false)             \
	X(Downlink_tunnel, true)                \
	X(SESSION_SETUP_RESPONSE, false)

enum value {
#define X(name, input) V_##name,
	VALUES(X)
#undef X
		V_N,
};

static const struct {
	const char *name;
	bool input;
} values[V_N] = {
#define X(name, input) [V_##name] = {#name, input},
	VALUES(X)
#undef X
};

struct example {
	size_t n[V_N];
	uint8_t v[V_N][VALUE_MAX];
};

/* Both ends of NAS security from step 7 on: the AU's, and a UE. */
struct ends {
	struct sec *sec;
	struct sec_nas_context nas;
	uint32_t uplink_next, downlink_next;
	struct device_world world;
	struct device ue;
	uint8_t sent[SENT_MAX][VALUE_MAX]; /* by the UE */
	size_t sent_n[SENT_MAX];
	unsigned int n_sent, n_received;
};

static struct crypto *crypto;

static void die(const char *what)
{
	fprintf(stderr, "worked-example: %s\n", what);
	exit(EXIT_FAILURE);
}

static void set(struct example *e, enum value v, const void *p, size_t n)
{
	if (n > VALUE_MAX)
		die("a value is too long");
	memcpy(e->v[v], p, n);
	e->n[v] = n;
}

static void put(struct wire_message *m, const struct example *e, enum wire_ie ie, enum value v)
{
	wire_set(m, ie, e->v[v], e->n[v]);
}

static void encode(struct example *e, enum value v, const struct wire_message *m)
{
	e->n[v] = wire_encode(m, e->v[v], VALUE_MAX);
	if (e->n[v] == 0)
		die("a message cannot be encoded");
}

/* What a signature is over: RAND_UE || EID, and so on. */
static size_t signed_data(const struct example *e, enum value signature, uint8_t out[128])
{
	static const enum value parts[3][3] = {{V_RAND_UE, V_EID, V_N},
					       {V_RAND_UE, V_RAND_AU, V_PK_AU},
					       {V_RAND_AU, V_PK_UE, V_N}};
	unsigned int which = signature == V_UE_Signature1 ? 0 : signature == V_AU_Signature ? 1 : 2;
	size_t n = 0;

	for (unsigned int i = 0; i < 3 && parts[which][i] != V_N; i++) {
		memcpy(out + n, e->v[parts[which][i]], e->n[parts[which][i]]);
		n += e->n[parts[which][i]];
	}
	return n;
}

static void digest_of(const void *p, size_t n, uint8_t digest[32])
{
	crypto_hash_burst(crypto, &(struct crypto_hash){span_make(p, n), digest}, 1);
}

static void public_key(struct example *e, enum value pk, enum value sk)
{
	e->v[pk][0] = 0x04;
	e->n[pk] = 65;
	if (crypto_public_from_private(CRYPTO_P256, e->v[sk], e->v[pk] + 1) != CRYPTO_OK)
		die("not a private key");
}

static void check_signature(const struct example *e, enum value signature, enum value certificate)
{
	uint8_t data[128], digest[32];
	struct pki_cert cert;
	struct crypto_verify op = {.digest = digest, .signature = e->v[signature]};

	digest_of(data, signed_data(e, signature, data), digest);
	if (pki_cert_parse(&cert, span_make(e->v[certificate], e->n[certificate])) != PKI_OK)
		die("a certificate is malformed");
	op.public_key = cert.public_key;
	crypto_verify_burst(crypto, &op, 1);
	if (op.status != CRYPTO_OK)
		die("a signature is wrong");
}

static void derive_steps_1_to_5(struct example *e)
{
	uint8_t type = 1, ngksi = 0, abba[2] = {0};
	struct wire_message m;

	public_key(e, V_PK_AU, V_SK_AU);
	public_key(e, V_PK_UE, V_SK_UE);
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_ATTACH_REQUEST);
	wire_set(&m, WIRE_IE_ATTACH_TYPE, &type, 1);
	put(&m, e, WIRE_IE_RAND_UE, V_RAND_UE);
	put(&m, e, WIRE_IE_CERT_EUICC, V_Cert_eUICC);
	put(&m, e, WIRE_IE_UE_SIGNATURE1, V_UE_Signature1);
	put(&m, e, WIRE_IE_UE_SECURITY_CAPABILITY, V_UE_security_capability);
	encode(e, V_ATTACH_REQUEST, &m);
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_AUTHENTICATION_REQUEST);
	wire_set(&m, WIRE_IE_NGKSI, &ngksi, 1);
	wire_set(&m, WIRE_IE_ABBA, abba, sizeof(abba));
	put(&m, e, WIRE_IE_RAND_UE, V_RAND_UE);
	put(&m, e, WIRE_IE_RAND_AU, V_RAND_AU);
	put(&m, e, WIRE_IE_PK_AU, V_PK_AU);
	put(&m, e, WIRE_IE_AU_SIGNATURE, V_AU_Signature);
	put(&m, e, WIRE_IE_CERT_AU, V_Cert_AU);
	put(&m, e, WIRE_IE_CERT_CROSS, V_Cert_cross);
	encode(e, V_AUTHENTICATION_REQUEST, &m);
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_AUTHENTICATION_RESPONSE);
	put(&m, e, WIRE_IE_RAND_AU, V_RAND_AU);
	put(&m, e, WIRE_IE_CERT_EUM, V_Cert_EUM);
	put(&m, e, WIRE_IE_CERT_EUICC, V_Cert_eUICC);
	put(&m, e, WIRE_IE_UE_SIGNATURE2, V_UE_Signature2);
	put(&m, e, WIRE_IE_PK_UE, V_PK_UE);
	encode(e, V_AUTHENTICATION_RESPONSE, &m);
	check_signature(e, V_UE_Signature1, V_Cert_eUICC);
	check_signature(e, V_AU_Signature, V_Cert_AU);
	check_signature(e, V_UE_Signature2, V_Cert_eUICC);
}

static void derive_keys(struct example *e, struct ends *ends)
{
	uint8_t z[32], z_ue[32], hash[32], ksession[32], abba[2] = {0}, k_gnb[32];
	struct crypto_ecdh au = {
		.private_key = e->v[V_SK_AU], .public_key = e->v[V_PK_UE] + 1, .z = z};
	struct crypto_ecdh ue = {
		.private_key = e->v[V_SK_UE], .public_key = e->v[V_PK_AU] + 1, .z = z_ue};
	char supi[SEC_SUPI_MAX], realm[VALUE_MAX + 16];
	struct sec_keys keys;

	crypto_ecdh_burst(crypto, &au, 1);
	crypto_ecdh_burst(crypto, &ue, 1);
	if (memcmp(z, z_ue, sizeof(z)) != 0)
		die("the two sides do not agree");
	set(e, V_ECDH_x, z, sizeof(z));
	digest_of(e->v[V_Cert_AU], e->n[V_Cert_AU], hash);
	set(e, V_SHA256_Cert_AU, hash, sizeof(hash));
	sec_derive_ksession(&(struct sec_session_input){.z = z,
							.rand_ue = e->v[V_RAND_UE],
							.rand_au = e->v[V_RAND_AU],
							.eid = e->v[V_EID],
							.pk_au = e->v[V_PK_AU],
							.pk_ue = e->v[V_PK_UE],
							.cert_au_hash = hash},
			    ksession);
	set(e, V_Ksession, ksession, sizeof(ksession));
	snprintf(realm, sizeof(realm), "rsp.5gc.%.*s", (int)e->n[V_serving_network_name] - 3,
		 (const char *)e->v[V_serving_network_name] + 3);
	size_t n = sec_supi_from_eid(e->v[V_EID], realm, supi);

	set(e, V_SUPI, supi, n);
	sec_derive_kamf(ksession,
			span_make(e->v[V_serving_network_name], e->n[V_serving_network_name]),
			span_make(supi, n), abba, &keys);
	set(e, V_K_SEAF, keys.k_seaf, 32);
	set(e, V_K_AMF, keys.k_amf, 32);
	struct sec_nas_context *nas = &ends->nas;

	*nas = (struct sec_nas_context){.nea = SEC_NEA2, .nia = SEC_NIA2};
	sec_derive_nas_keys(keys.k_amf, SEC_NEA2, SEC_NIA2, nas->k_nas_enc, nas->k_nas_int);
	set(e, V_K_NASenc, nas->k_nas_enc, 16);
	set(e, V_K_NASint, nas->k_nas_int, 16);
	sec_derive_kgnb(keys.k_amf, 0, k_gnb);
	set(e, V_K_gNB, k_gnb, 32);
}

/* ---------------------------------------------------------------- as the page has it */

static struct span span_of(const struct example *e, enum value v)
{
	return span_make(e->v[v], e->n[v]);
}

static void append(struct example *e, enum value v, const void *p, size_t n)
{
	if (e->n[v] + n > VALUE_MAX)
		die("a value is too long");
	memcpy(e->v[v] + e->n[v], p, n);
	e->n[v] += n;
}

static void expect_mac(const char *kind, const char *of, struct span key, struct span message,
		       struct span wanted, size_t from)
{
	uint8_t mac[32];
	size_t n;

	if (!EVP_Q_mac(NULL, kind, NULL, of, NULL, key.p, key.n, message.p, message.n, mac,
		       sizeof(mac), &n) ||
	    from + wanted.n > n || memcmp(mac + from, wanted.p, wanted.n) != 0)
		die("OpenSSL does not come to the same");
}

/* S of TS 33.220 B.2, and that the last octets of HMAC-SHA-256 over it are the key. */
static void check_kdf(struct example *e, enum value s, enum value from, uint8_t fc,
		      const struct span *p, unsigned int n)
{
	enum value result = s + 1;
	uint8_t length[2];

	set(e, s, &fc, 1);
	for (unsigned int i = 0; i < n; i++) {
		append(e, s, p[i].p, p[i].n);
		store_be16(length, (uint16_t)p[i].n);
		append(e, s, length, sizeof(length));
	}
	expect_mac("HMAC", "SHA256", span_of(e, from), span_of(e, s), span_of(e, result),
		   32 - e->n[result]);
}

static void check_keys(struct example *e)
{
	static const uint8_t abba[2], enc[] = {0x01}, integrity[] = {0x02}, algorithm[] = {2},
				      count[4], access[] = {0x01};
	const struct span session[] = {span_of(e, V_RAND_UE), span_of(e, V_RAND_AU),
				       span_of(e, V_EID),     span_of(e, V_PK_AU),
				       span_of(e, V_PK_UE),   span_of(e, V_SHA256_Cert_AU)};
	const struct span network[] = {span_of(e, V_serving_network_name)};
	const struct span supi[] = {span_of(e, V_SUPI), span_make(abba, 2)};
	const struct span nas_enc[] = {span_make(enc, 1), span_make(algorithm, 1)};
	const struct span nas_int[] = {span_make(integrity, 1), span_make(algorithm, 1)};
	const struct span gnb[] = {span_make(count, 4), span_make(access, 1)};

	check_kdf(e, V_Ksession_S, V_ECDH_x, 0xfc, session, 6);
	check_kdf(e, V_K_SEAF_S, V_Ksession, 0x6c, network, 1);
	check_kdf(e, V_K_AMF_S, V_K_SEAF, 0x6d, supi, 2);
	check_kdf(e, V_K_NASenc_S, V_K_AMF, 0x69, nas_enc, 2);
	check_kdf(e, V_K_NASint_S, V_K_AMF, 0x69, nas_int, 2);
	check_kdf(e, V_K_gNB_S, V_K_AMF, 0x6e, gnb, 2);
}

/* COUNT, BEARER 1 and DIRECTION, zeros: what NIA2 and NEA2 begin with. */
static void set_head(struct example *e, enum value v, enum value count, uint8_t direction,
		     size_t zeros)
{
	static const uint8_t zero[11];

	set(e, v, e->v[count], 4);
	append(e, v, &direction, 1);
	append(e, v, zero, zeros);
}

static void check_nia2(struct example *e, enum value input, enum value plain, uint8_t direction)
{
	enum value count = plain + 1, mac = plain + 2, message = plain + 3;

	set_head(e, input, count, direction, 3);
	append(e, input, e->v[message] + 6, e->n[message] - 6);
	expect_mac("CMAC", "AES-128-CBC", span_of(e, V_K_NASint), span_of(e, input),
		   span_of(e, mac), 0);
}

static void check_nea2(struct example *e, enum value counter, enum value plain, uint8_t direction)
{
	enum value count = plain + 1, message = plain + 3;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t out[VALUE_MAX];
	int n;

	set_head(e, counter, count, direction, 11);
	if (!ctx ||
	    !EVP_EncryptInit_ex(ctx, EVP_aes_128_ctr(), NULL, e->v[V_K_NASenc], e->v[counter]) ||
	    !EVP_EncryptUpdate(ctx, out, &n, e->v[plain], (int)e->n[plain]) ||
	    memcmp(out, e->v[message] + SEC_NAS_HEADER_SIZE, (size_t)n) != 0)
		die("OpenSSL does not come to the same");
	EVP_CIPHER_CTX_free(ctx);
}

static void check_nas_security(struct example *e)
{
	check_nia2(e, V_NIA2_input_downlink, V_SECURITY_MODE_COMMAND_plain, 0x0c);
	check_nea2(e, V_NEA2_counter_uplink, V_SECURITY_MODE_COMPLETE_plain, 0x08);
	check_nia2(e, V_NIA2_input_uplink, V_SECURITY_MODE_COMPLETE_plain, 0x08);
}

/* ---------------------------------------------------------------- AN link */

static void put_record(struct wire_writer *w, const struct example *e, uint8_t type,
		       struct span payload)
{
	bool of_a_ue = type != WIRE_AN_SETUP_REQUEST && type != WIRE_AN_SETUP_RESPONSE;
	struct wire_record r = {.type = type,
				.an_ue_id = of_a_ue ? load_be32(e->v[V_AN_UE_id]) : 0,
				.au_ue_id = of_a_ue ? load_be64(e->v[V_AU_UE_id]) : 0,
				.payload = payload};

	if (!wire_writer_add(w, &r))
		die("a record is too long");
}

/* The record alone, which is a datagram without its header. */
static void encode_record(struct example *e, enum value v, const struct wire_message *m)
{
	uint8_t payload[VALUE_MAX], datagram[VALUE_MAX];
	size_t n = wire_encode(m, payload, sizeof(payload));
	struct wire_writer w;

	if (n == 0 && m->present != 0)
		die("a record cannot be encoded");
	wire_writer_open(&w, datagram, sizeof(datagram));
	put_record(&w, e, m->type, span_make(payload, n));
	set(e, v, datagram + WIRE_DATAGRAM_HEADER_SIZE, w.length - WIRE_DATAGRAM_HEADER_SIZE);
}

static void derive_an_setup(struct example *e)
{
	struct wire_message m;

	wire_message_init(&m, 0, WIRE_AN_SETUP_REQUEST);
	put(&m, e, WIRE_IE_AN_NAME, V_AN_name);
	encode_record(e, V_AN_SETUP_REQUEST, &m);
	wire_message_init(&m, 0, WIRE_AN_SETUP_RESPONSE);
	put(&m, e, WIRE_IE_AU_NAME, V_AU_name);
	put(&m, e, WIRE_IE_SERVING_NETWORK, V_serving_network_name);
	encode_record(e, V_AN_SETUP_RESPONSE, &m);
}

/* ---------------------------------------------------------------- NAS security */

/* The four values of PROTECTED begin at plain. */
static void set_protected(struct example *e, enum value plain, uint32_t count, const uint8_t *nas,
			  size_t n)
{
	store_be32(e->v[plain + 1], count);
	e->n[plain + 1] = 4;
	set(e, plain + 2, nas + 2, 4);
	set(e, plain + 3, nas, n);
}

static void ue_sends(void *arg, struct device *d, const uint8_t *nas, size_t n)
{
	struct ends *ends = arg;

	(void)d;
	if (ends->n_sent == SENT_MAX || n > VALUE_MAX)
		die("the UE sends more than it should");
	memcpy(ends->sent[ends->n_sent], nas, n);
	ends->sent_n[ends->n_sent++] = n;
}

/* From the AU to the UE: the plain message is there, and its end is the state of the UE. */
static void send_downlink(struct example *e, struct ends *ends, enum sec_header header,
			  enum value plain, enum device_state state)
{
	uint32_t count = ends->downlink_next++;
	uint8_t nas[VALUE_MAX];
	size_t n;

	if (sec_nas_protect(ends->sec, &ends->nas, SEC_DOWNLINK, count, header,
			    span_make(e->v[plain], e->n[plain]), nas, sizeof(nas), &n) != SEC_OK)
		die("a message cannot be protected");
	set_protected(e, plain, count, nas, n);
	device_handle(&ends->world, &ends->ue, span_make(nas, n));
	if (ends->ue.state != state)
		die("the UE does not take a message");
}

/* The next message of the UE, as the AU takes it. */
static void receive_uplink(struct example *e, struct ends *ends, enum value plain)
{
	unsigned int i = ends->n_received++;
	enum sec_header header;
	uint32_t count;

	if (i >= ends->n_sent ||
	    sec_nas_unprotect(ends->sec, &ends->nas, SEC_UPLINK, &ends->uplink_next,
			      span_make(ends->sent[i], ends->sent_n[i]), e->v[plain], VALUE_MAX,
			      &e->n[plain], &header, &count) != SEC_OK)
		die("the AU does not take a message");
	set_protected(e, plain, count, ends->sent[i], ends->sent_n[i]);
}

/* A UE that has sent AUTHENTICATION RESPONSE. */
static void make_ue(const struct example *e, struct ends *ends)
{
	struct device_world *w = &ends->world;

	w->crypto = crypto;
	w->sec = ends->sec;
	w->send = ue_sends;
	w->arg = ends;
	memcpy(w->capability, e->v[V_UE_security_capability], sizeof(w->capability));
	memcpy(ends->ue.k_amf, e->v[V_K_AMF], sizeof(ends->ue.k_amf));
	ends->ue.state = DEVICE_AUTHENTICATING;
}

/* ---------------------------------------------------------------- step 7 */

static void derive_security_mode(struct example *e, struct ends *ends)
{
	uint8_t algorithms = 2 << 4 | 2, ngksi = 0;
	struct wire_message m;

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_SECURITY_MODE_COMMAND);
	wire_set(&m, WIRE_IE_NAS_ALGORITHMS, &algorithms, 1);
	wire_set(&m, WIRE_IE_NGKSI, &ngksi, 1);
	put(&m, e, WIRE_IE_UE_SECURITY_CAPABILITY, V_UE_security_capability);
	encode(e, V_SECURITY_MODE_COMMAND_plain, &m);
	send_downlink(e, ends, SEC_HDR_INTEGRITY_NEW, V_SECURITY_MODE_COMMAND_plain,
		      DEVICE_SECURED);
	receive_uplink(e, ends, V_SECURITY_MODE_COMPLETE_plain);
}

static void derive_context_setup(struct example *e, struct ends *ends)
{
	struct sec_an_key *key = sec_an_key_create(ends->sec, e->v[V_AN_key]);
	struct wire_message m;
	uint8_t aad[12], opened[SEC_KEY_SIZE];

	if (!device_check_kgnb(&ends->ue, e->v[V_K_gNB]))
		die("the UE has another K_gNB");
	memcpy(aad, e->v[V_AN_UE_id], 4);
	memcpy(aad + 4, e->v[V_AU_UE_id], 8);
	sec_seal_key(ends->sec, key, e->v[V_seal_nonce], span_make(aad, sizeof(aad)), e->v[V_K_gNB],
		     e->v[V_sealed_K_gNB]);
	e->n[V_sealed_K_gNB] = SEC_SEALED_KEY_SIZE;
	if (sec_open_key(ends->sec, key, span_make(aad, sizeof(aad)), e->v[V_sealed_K_gNB],
			 opened) != SEC_OK ||
	    memcmp(opened, e->v[V_K_gNB], sizeof(opened)) != 0)
		die("the AN cannot open K_gNB");
	sec_an_key_destroy(key);
	wire_message_init(&m, 0, WIRE_CONTEXT_SETUP_REQUEST);
	put(&m, e, WIRE_IE_SEALED_KGNB, V_sealed_K_gNB);
	put(&m, e, WIRE_IE_UE_SECURITY_CAPABILITY, V_UE_security_capability);
	encode_record(e, V_CONTEXT_SETUP_REQUEST, &m);
	wire_message_init(&m, 0, WIRE_CONTEXT_SETUP_RESPONSE);
	encode_record(e, V_CONTEXT_SETUP_RESPONSE, &m);
}

/* ---------------------------------------------------------------- step 8 */

/* ATTACH COMPLETE and the session request are one datagram, if the AN likes. */
static void derive_accept(struct example *e, struct ends *ends)
{
	uint8_t t3512 = wire_timer3_encode(0);
	struct wire_message m;
	struct wire_writer w;

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_ATTACH_ACCEPT);
	put(&m, e, WIRE_IE_GUTI, V_GUTI);
	wire_set(&m, WIRE_IE_T3512, &t3512, 1);
	encode(e, V_ATTACH_ACCEPT_plain, &m);
	send_downlink(e, ends, SEC_HDR_INTEGRITY_CIPHERED, V_ATTACH_ACCEPT_plain,
		      DEVICE_REGISTERED);
	receive_uplink(e, ends, V_ATTACH_COMPLETE_plain);
	receive_uplink(e, ends, V_UL_NAS_TRANSPORT_plain);
	if (wire_nas_decode(&m, span_make(e->v[V_UL_NAS_TRANSPORT_plain],
					  e->n[V_UL_NAS_TRANSPORT_plain])) != WIRE_CAUSE_NONE)
		die("UL NAS TRANSPORT is malformed");
	set(e, V_SESSION_ESTABLISHMENT_REQUEST, m.ie[WIRE_IE_PAYLOAD_CONTAINER].p,
	    m.ie[WIRE_IE_PAYLOAD_CONTAINER].n);
	wire_writer_open(&w, e->v[V_uplink_datagram], VALUE_MAX);
	put_record(&w, e, WIRE_UPLINK_NAS,
		   span_make(e->v[V_ATTACH_COMPLETE], e->n[V_ATTACH_COMPLETE]));
	put_record(&w, e, WIRE_UPLINK_NAS,
		   span_make(e->v[V_UL_NAS_TRANSPORT], e->n[V_UL_NAS_TRANSPORT]));
	e->n[V_uplink_datagram] = w.length;
}

static void encode_session_accept(struct example *e)
{
	uint8_t type = DEVICE_SESSION_IPV4, ssc = 1, address[5] = {DEVICE_SESSION_IPV4};
	struct wire_message m;

	memcpy(address + 1, e->v[V_UE_IPv4_address], 4);
	wire_message_init(&m, WIRE_EPD_5GSM, WIRE_NAS_SESSION_ESTABLISHMENT_ACCEPT);
	m.pdu_session_id = PDU_SESSION_ID;
	m.pti = PTI;
	wire_set(&m, WIRE_IE_PDU_SESSION_TYPE, &type, 1);
	wire_set(&m, WIRE_IE_SSC_MODE, &ssc, 1);
	put(&m, e, WIRE_IE_QOS_RULES, V_QoS_rules);
	put(&m, e, WIRE_IE_SESSION_AMBR, V_Session_AMBR);
	wire_set(&m, WIRE_IE_PDU_ADDRESS, address, sizeof(address));
	put(&m, e, WIRE_IE_EPCO, V_EPCO);
	put(&m, e, WIRE_IE_DNN, V_DNN);
	encode(e, V_SESSION_ESTABLISHMENT_ACCEPT, &m);
}

static void encode_session_records(struct example *e)
{
	uint8_t id = PDU_SESSION_ID, qfi = QFI;
	struct wire_message m;

	wire_message_init(&m, 0, WIRE_SESSION_SETUP_REQUEST);
	wire_set(&m, WIRE_IE_PDU_SESSION_ID, &id, 1);
	put(&m, e, WIRE_IE_UE_IPV4, V_UE_IPv4_address);
	wire_set(&m, WIRE_IE_QFI, &qfi, 1);
	put(&m, e, WIRE_IE_DNN, V_DNN);
	put(&m, e, WIRE_IE_UPLINK_TUNNEL, V_Uplink_tunnel);
	encode_record(e, V_SESSION_SETUP_REQUEST, &m);
	wire_message_init(&m, 0, WIRE_SESSION_SETUP_RESPONSE);
	wire_set(&m, WIRE_IE_PDU_SESSION_ID, &id, 1);
	put(&m, e, WIRE_IE_DOWNLINK_TUNNEL, V_Downlink_tunnel);
	encode_record(e, V_SESSION_SETUP_RESPONSE, &m);
}

static void derive_session(struct example *e, struct ends *ends)
{
	uint8_t type = 1, id = PDU_SESSION_ID;
	struct wire_message m;
	struct wire_writer w;

	encode_session_records(e);
	encode_session_accept(e);
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_DL_NAS_TRANSPORT);
	wire_set(&m, WIRE_IE_PAYLOAD_CONTAINER_TYPE, &type, 1);
	put(&m, e, WIRE_IE_PAYLOAD_CONTAINER, V_SESSION_ESTABLISHMENT_ACCEPT);
	wire_set(&m, WIRE_IE_PDU_SESSION_ID, &id, 1);
	encode(e, V_DL_NAS_TRANSPORT_plain, &m);
	send_downlink(e, ends, SEC_HDR_INTEGRITY_CIPHERED, V_DL_NAS_TRANSPORT_plain,
		      DEVICE_ATTACHED);
	wire_writer_open(&w, e->v[V_downlink_datagram], VALUE_MAX);
	put_record(&w, e, WIRE_SESSION_SETUP_REQUEST,
		   span_make(e->v[V_SESSION_SETUP_REQUEST] + WIRE_RECORD_HEADER_SIZE,
			     e->n[V_SESSION_SETUP_REQUEST] - WIRE_RECORD_HEADER_SIZE));
	put_record(&w, e, WIRE_DOWNLINK_NAS,
		   span_make(e->v[V_DL_NAS_TRANSPORT], e->n[V_DL_NAS_TRANSPORT]));
	e->n[V_downlink_datagram] = w.length;
}

static void derive(struct example *e)
{
	struct ends *ends = calloc(1, sizeof(*ends));
	const char *why = "out of memory";

	if (!ends || !(ends->sec = sec_create(&why)))
		die(why);
	derive_an_setup(e);
	derive_steps_1_to_5(e);
	derive_keys(e, ends);
	check_keys(e);
	make_ue(e, ends);
	derive_security_mode(e, ends);
	check_nas_security(e);
	derive_context_setup(e, ends);
	derive_accept(e, ends);
	derive_session(e, ends);
	sec_destroy(ends->sec);
	free(ends);
}

/* ---------------------------------------------------------------- a new one */

static void sign(struct example *e, enum value signature, const struct issue_key *key)
{
	uint8_t data[128], digest[32], scalar[32], raw[64];
	struct crypto_sign op = {.private_key = scalar, .digest = digest, .signature = raw};

	issue_key_scalar(key, scalar);
	digest_of(data, signed_data(e, signature, data), digest);
	crypto_sign_burst(crypto, &op, 1);
	set(e, signature, raw, sizeof(raw));
}

static uint8_t *issue(struct example *e, enum value v, struct issue_request r, size_t *n)
{
	uint8_t *der = issue_certificate(&r, n);

	if (!der)
		die("a certificate cannot be issued");
	if (v != V_N)
		set(e, v, der, *n);
	return der;
}

static void make_certificates(struct example *e, struct issue_key *euicc, struct issue_key *au)
{
	struct issue_key *ci = issue_key_generate(CRYPTO_P256),
			 *eum = issue_key_generate(CRYPTO_P256),
			 *ca = issue_key_generate(CRYPTO_P256);
	char eid[33] = "89049032000000000000000000000100";
	size_t n_ci, n_eum, n_ca, n;

	issue_eid_check_digits(eid);
	for (unsigned int i = 0; i < 16; i++)
		e->v[V_EID][i] = (uint8_t)((eid[2 * i] - '0') << 4 | (eid[2 * i + 1] - '0'));
	e->n[V_EID] = 16;
	uint8_t *ci_der = issue(e, V_N,
				(struct issue_request){.role = ISSUE_CI,
						       .organisation = "Example CI",
						       .common_name = "CI",
						       .subject_key = ci,
						       .issuer_key = ci},
				&n_ci);
	uint8_t *ca_der = issue(e, V_N,
				(struct issue_request){.role = ISSUE_OPERATOR_CA,
						       .organisation = "Example Operator",
						       .common_name = "CA",
						       .subject_key = ca,
						       .issuer_key = ca},
				&n_ca);
	uint8_t *eum_der = issue(e, V_Cert_EUM,
				 (struct issue_request){.role = ISSUE_EUM,
							.organisation = "Example EUM",
							.common_name = "EUM",
							.eid_prefix = "89049032",
							.subject_key = eum,
							.issuer_cert = span_make(ci_der, n_ci),
							.issuer_key = ci},
				 &n_eum);

	free(issue(e, V_Cert_eUICC,
		   (struct issue_request){.role = ISSUE_EUICC,
					  .organisation = "Example EUM",
					  .serial_number = eid,
					  .common_name = "eUICC",
					  .subject_key = euicc,
					  .issuer_cert = span_make(eum_der, n_eum),
					  .issuer_key = eum},
		   &n));
	free(issue(e, V_Cert_cross,
		   (struct issue_request){.role = ISSUE_CROSS_OPERATOR,
					  .subject_cert = span_make(ca_der, n_ca),
					  .subject_key = ca,
					  .issuer_cert = span_make(ci_der, n_ci),
					  .issuer_key = ci},
		   &n));
	free(issue(e, V_Cert_AU,
		   (struct issue_request){.role = ISSUE_AU,
					  .organisation = "Example Operator",
					  .common_name = "CP-AU",
					  .subject_key = au,
					  .issuer_cert = span_make(ca_der, n_ca),
					  .issuer_key = ca},
		   &n));
	free(ci_der);
	free(ca_der);
	free(eum_der);
	issue_key_free(ci);
	issue_key_free(eum);
	issue_key_free(ca);
}

#define SET(name, text) set(e, V_##name, text, sizeof(text) - 1)

/* Inputs that need not be drawn: PLMN 001/01, the first session of a network with a gate. */
static void set_constants(struct example *e)
{
	SET(AN_name, "an-1");
	SET(AU_name, "cpau-1");
	SET(serving_network_name, "5G:mnc001.mcc001.3gppnetwork.org");
	SET(UE_security_capability, "\xf0\x70");
	SET(AN_UE_id, "\0\0\0\x2a");
	SET(AU_UE_id, "\0\0\0\0\x07\0\0\x01");
	wire_guti_encode("001", "01", 1, 1, 0, 7, e->v[V_GUTI]);
	e->n[V_GUTI] = 11;
	SET(UE_IPv4_address, "\x64\x40\0\x01");
	SET(DNN, "\3rsp");
	SET(Uplink_tunnel, "\0\0\x12\x34\xc0\0\2\1");
	SET(Downlink_tunnel, "\0\0\0\x2a\xc0\0\2\x64");
	SET(QoS_rules, "\1\0\6\x31\x31\1\1\xff\1");
	SET(Session_AMBR, "\1\3\xe8\1\3\xe8");
	SET(EPCO, "\x80\0\x0d\4\xc0\0\2\x35\0\x10\2\5\xb0"
		  "\xff\0\x17\0\xf1\x10\xc0\0\2\x50smdp.example.org");
}

static void make_new(struct example *e)
{
	static const struct {
		enum value v;
		size_t n;
	} randoms[] = {{V_RAND_UE, 16}, {V_RAND_AU, 16}, {V_AN_key, 32}, {V_seal_nonce, 12}};
	struct issue_key *euicc = issue_key_generate(CRYPTO_P256),
			 *au = issue_key_generate(CRYPTO_P256);
	uint8_t public[64];
	struct crypto_keypair pair = {.public_key = public};

	make_certificates(e, euicc, au);
	for (unsigned int i = 0; i < sizeof(randoms) / sizeof(randoms[0]); i++) {
		e->n[randoms[i].v] = randoms[i].n;
		RAND_bytes(e->v[randoms[i].v], (int)randoms[i].n);
	}
	for (enum value v = V_SK_AU;; v = V_SK_UE) {
		pair.private_key = e->v[v];
		e->n[v] = 32;
		crypto_keypair_burst(crypto, &pair, 1);
		if (v == V_SK_UE)
			break;
	}
	public_key(e, V_PK_AU, V_SK_AU);
	public_key(e, V_PK_UE, V_SK_UE);
	set_constants(e);
	sign(e, V_UE_Signature1, euicc);
	sign(e, V_AU_Signature, au);
	sign(e, V_UE_Signature2, euicc);
	issue_key_free(euicc);
	issue_key_free(au);
}

/* ---------------------------------------------------------------- text */

static void put_value(const struct example *e, unsigned int v, FILE *out)
{
	fprintf(out, "%s%s =\n", values[v].name, values[v].input ? " (input)" : "");
	for (size_t i = 0; i < e->n[v]; i++)
		fprintf(out, "%s%02x%s", i % LINE_OCTETS == 0 ? "    " : "", e->v[v][i],
			i % LINE_OCTETS == LINE_OCTETS - 1 || i + 1 == e->n[v] ? "\n" : "");
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, PAGE_MAX);

	if (!f || !text || fread(text, 1, PAGE_MAX - 1, f) == 0)
		die("the page cannot be read");
	fclose(f);
	return text;
}

/* The hex lines under "NAME (input) =". */
static void read_input(struct example *e, enum value v, const char *page)
{
	char head[64];
	unsigned int octet;

	snprintf(head, sizeof(head), "\n%s (input) =\n", values[v].name);
	const char *p = strstr(page, head);

	if (!p)
		die("an input is missing on the page");
	p += strlen(head);
	while (strncmp(p, "    ", 4) == 0) {
		for (p += 4; *p && *p != '\n'; p += 2) {
			if (e->n[v] == VALUE_MAX || sscanf(p, "%2x", &octet) != 1)
				die("an input is not hex");
			e->v[v][e->n[v]++] = (uint8_t)octet;
		}
		p++;
	}
}

static void read_inputs(struct example *e, const char *page)
{
	for (unsigned int v = 0; v < V_N; v++)
		if (values[v].input)
			read_input(e, (enum value)v, page);
}

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : line + strlen(line);
}

/* "NAME =" and "NAME (input) =" are where a value stands. */
static bool is_head(const char *line, const char *end)
{
	return end - line > 3 && strncmp(end - 3, " =\n", 3) == 0 && strncmp(line, "    ", 4) != 0;
}

static void check_head(const char *line, unsigned int v)
{
	size_t n = v < V_N ? strlen(values[v].name) : 0;

	if (n == 0 || strncmp(line, values[v].name, n) != 0 || line[n] != ' ')
		die("the page's values are not those of this program, in this order");
}

/* The page with every value of the example in its place. The caller's to free. */
static char *with_values(const struct example *e, const char *page)
{
	const char *begin = strstr(page, "<!-- worked-example:begin -->");
	const char *end = strstr(page, "<!-- worked-example:end -->");
	unsigned int v = 0;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!begin || !end || !out)
		die("the page has no worked example");
	fwrite(page, 1, (size_t)(begin - page), out);
	for (const char *next, *line = begin; line < end; line = next) {
		next = next_line(line);
		if (!is_head(line, next)) {
			fwrite(line, 1, (size_t)(next - line), out);
			continue;
		}
		check_head(line, v);
		put_value(e, v++, out);
		while (strncmp(next, "    ", 4) == 0)
			next = next_line(next);
	}
	if (v != V_N)
		die("values are missing on the page");
	fputs(end, out);
	fclose(out);
	return text;
}

int main(int argc, char **argv)
{
	struct example *e = calloc(1, sizeof(*e));
	const char *why, *command = argc == 3 ? argv[1] : "";

	crypto = crypto_create(NULL, -1, &why);
	if (!crypto || !e)
		die("out of memory");
	if (strcmp(command, "new") != 0 && strcmp(command, "update") != 0 &&
	    strcmp(command, "check") != 0)
		die("check FILE, update FILE, or new FILE");
	char *page = read_file(argv[2]);

	if (strcmp(command, "new") == 0)
		make_new(e);
	else
		read_inputs(e, page);
	derive(e);
	char *text = with_values(e, page);

	if (strcmp(command, "check") != 0)
		fputs(text, stdout);
	else if (strcmp(text, page) != 0)
		die("the page's example is not what its inputs give: see `update`");
	crypto_destroy(crypto);
	free(text);
	free(page);
	free(e);
	return 0;
}
