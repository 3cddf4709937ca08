/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The worked example of docs/protocol.md: one attach with every input, key and message in hex.
 *
 *	worked-example new          an example with fresh inputs, on standard output
 *	worked-example check FILE   recomputes the file's example from its inputs, verifies the
 * signatures, and compares every line
 *
 * What follows from the inputs is computed by the functions that cpau and the UE use.
 */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/rand.h>

#include "crypto/crypto.h"
#include "pki/issue.h"
#include "pki/pki.h"
#include "sec/sec.h"
#include "wire/wire.h"

enum { VALUE_MAX = 2048, LINE_OCTETS = 40, TEXT_MAX = 1 << 16 };

/* X(name, is an input) in the order of the page */
#define VALUES(X)                              \
	X(EID, true)                           \
	X(Cert_eUICC, true)                    \
	X(Cert_EUM, true)                      \
	X(Cert_AU, true)                       \
	X(Cert_cross, true)                    \
	X(UE_security_capability, true)        \
	X(RAND_UE, true)                       \
	X(UE_Signature1, true)                 \
	X(ATTACH_REQUEST, false)               \
	X(RAND_AU, true)                       \
	X(SK_AU, true)                         \
	X(PK_AU, false)                        \
	X(AU_Signature, true)                  \
	X(AUTHENTICATION_REQUEST, false)       \
	X(SK_UE, true)                         \
	X(PK_UE, false)                        \
	X(UE_Signature2, true)                 \
	X(AUTHENTICATION_RESPONSE, false)      \
	X(ECDH_x, false)                       \
	X(SHA256_Cert_AU, false)               \
	X(Ksession, false)                     \
	X(serving_network_name, true)          \
	X(K_SEAF, false)                       \
	X(SUPI, false)                         \
	X(K_AMF, false)                        \
	X(K_NASenc, false)                     \
	X(K_NASint, false)                     \
	X(SECURITY_MODE_COMMAND_plain, false)  \
	X(SECURITY_MODE_COMMAND, false)        \
	X(SECURITY_MODE_COMPLETE_plain, false) \
	X(SECURITY_MODE_COMPLETE, false)       \
	X(K_gNB, false)                        \
	X(AN_key, true)                        \
	X(AN_UE_id, true)                      \
	X(AU_UE_id, true)                      \
	X(seal_nonce, true)                    \
	X(sealed_K_gNB, false)                 \
	X(ATTACH_ACCEPT_plain, false)          \
	X(ATTACH_ACCEPT, false)

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

static void derive_keys(struct example *e, struct sec_nas_context *nas)
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
	*nas = (struct sec_nas_context){.nea = SEC_NEA2, .nia = SEC_NIA2};
	sec_derive_nas_keys(keys.k_amf, SEC_NEA2, SEC_NIA2, nas->k_nas_enc, nas->k_nas_int);
	set(e, V_K_NASenc, nas->k_nas_enc, 16);
	set(e, V_K_NASint, nas->k_nas_int, 16);
	sec_derive_kgnb(keys.k_amf, 0, k_gnb);
	set(e, V_K_gNB, k_gnb, 32);
}

static void protect(struct example *e, struct sec *sec, const struct sec_nas_context *nas,
		    enum sec_direction direction, uint32_t count, enum sec_header header,
		    enum value plain, enum value out)
{
	if (sec_nas_protect(sec, nas, direction, count, header, span_make(e->v[plain], e->n[plain]),
			    e->v[out], VALUE_MAX, &e->n[out]) != SEC_OK)
		die("a message cannot be protected");
}

static void derive_step_7(struct example *e, struct sec *sec, const struct sec_nas_context *nas)
{
	uint8_t algorithms = 2 << 4 | 2, ngksi = 0, guti[11], t3512 = wire_timer3_encode(0),
		aad[12];
	struct wire_message m;

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_SECURITY_MODE_COMMAND);
	wire_set(&m, WIRE_IE_NAS_ALGORITHMS, &algorithms, 1);
	wire_set(&m, WIRE_IE_NGKSI, &ngksi, 1);
	put(&m, e, WIRE_IE_UE_SECURITY_CAPABILITY, V_UE_security_capability);
	encode(e, V_SECURITY_MODE_COMMAND_plain, &m);
	protect(e, sec, nas, SEC_DOWNLINK, 0, SEC_HDR_INTEGRITY_NEW, V_SECURITY_MODE_COMMAND_plain,
		V_SECURITY_MODE_COMMAND);
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_SECURITY_MODE_COMPLETE);
	encode(e, V_SECURITY_MODE_COMPLETE_plain, &m);
	protect(e, sec, nas, SEC_UPLINK, 0, SEC_HDR_INTEGRITY_CIPHERED_NEW,
		V_SECURITY_MODE_COMPLETE_plain, V_SECURITY_MODE_COMPLETE);
	struct sec_an_key *key = sec_an_key_create(sec, e->v[V_AN_key]);

	memcpy(aad, e->v[V_AN_UE_id], 4);
	memcpy(aad + 4, e->v[V_AU_UE_id], 8);
	sec_seal_key(sec, key, e->v[V_seal_nonce], span_make(aad, sizeof(aad)), e->v[V_K_gNB],
		     e->v[V_sealed_K_gNB]);
	e->n[V_sealed_K_gNB] = SEC_SEALED_KEY_SIZE;
	sec_an_key_destroy(key);
	wire_guti_encode("001", "01", 1, 1, 0, 7, guti);
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_ATTACH_ACCEPT);
	wire_set(&m, WIRE_IE_GUTI, guti, sizeof(guti));
	wire_set(&m, WIRE_IE_T3512, &t3512, 1);
	encode(e, V_ATTACH_ACCEPT_plain, &m);
	protect(e, sec, nas, SEC_DOWNLINK, 1, SEC_HDR_INTEGRITY_CIPHERED, V_ATTACH_ACCEPT_plain,
		V_ATTACH_ACCEPT);
}

static void derive(struct example *e)
{
	struct sec_nas_context nas;
	const char *why;
	struct sec *sec = sec_create(&why);

	if (!sec)
		die(why);
	derive_steps_1_to_5(e);
	derive_keys(e, &nas);
	derive_step_7(e, sec, &nas);
	sec_destroy(sec);
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

static void make_new(struct example *e)
{
	static const struct {
		enum value v;
		size_t n;
	} randoms[] = {{V_RAND_UE, 16}, {V_RAND_AU, 16}, {V_AN_key, 32}, {V_seal_nonce, 12}};
	static const char network[] = "5G:mnc001.mcc001.3gppnetwork.org";
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
	set(e, V_UE_security_capability, "\xf0\x70", 2);
	set(e, V_serving_network_name, network, sizeof(network) - 1);
	set(e, V_AN_UE_id, "\0\0\0\x2a", 4);
	set(e, V_AU_UE_id, "\0\0\0\0\x07\0\0\x01", 8);
	sign(e, V_UE_Signature1, euicc);
	sign(e, V_AU_Signature, au);
	sign(e, V_UE_Signature2, euicc);
	issue_key_free(euicc);
	issue_key_free(au);
}

/* ---------------------------------------------------------------- text */

static size_t print(const struct example *e, char *text)
{
	size_t at = 0;

	for (unsigned int v = 0; v < V_N; v++) {
		at += (size_t)snprintf(text + at, TEXT_MAX - at, "%s%s =\n", values[v].name,
				       values[v].input ? " (input)" : "");
		for (size_t i = 0; i < e->n[v]; i++)
			at += (size_t)snprintf(
				text + at, TEXT_MAX - at, "%s%02x%s",
				i % LINE_OCTETS == 0 ? "    " : "", e->v[v][i],
				i % LINE_OCTETS == LINE_OCTETS - 1 || i + 1 == e->n[v] ? "\n" : "");
	}
	return at;
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (!f || !text || fread(text, 1, (1 << 20) - 1, f) == 0)
		die("the page cannot be read");
	fclose(f);
	return text;
}

/* The hex lines under "NAME (input) =". */
static void read_input(struct example *e, enum value v, const char *section)
{
	char head[64];
	unsigned int octet;

	snprintf(head, sizeof(head), "%s (input) =\n", values[v].name);
	const char *p = strstr(section, head);

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

static void check(struct example *e, const char *path)
{
	char *page = read_file(path), *text = calloc(1, TEXT_MAX);
	const char *section = strstr(page, "<!-- worked-example:begin -->");

	if (!section || !text)
		die("the page has no worked example");
	for (unsigned int v = 0; v < V_N; v++)
		if (values[v].input)
			read_input(e, (enum value)v, section);
	derive(e);
	print(e, text);
	if (!strstr(section, text))
		die("the page's example is not what its inputs give: make it again with `new`");
	free(page);
	free(text);
}

int main(int argc, char **argv)
{
	struct example *e = calloc(1, sizeof(*e));
	const char *why;
	char *text = calloc(1, TEXT_MAX);

	crypto = crypto_create(NULL, -1, &why);
	if (!crypto || !e || !text)
		die("out of memory");
	if (argc == 2 && strcmp(argv[1], "new") == 0) {
		make_new(e);
		derive(e);
		print(e, text);
		fputs(text, stdout);
	} else if (argc == 3 && strcmp(argv[1], "check") == 0) {
		check(e, argv[2]);
	} else {
		die("new, or check FILE");
	}
	crypto_destroy(crypto);
	free(text);
	free(e);
	return 0;
}
