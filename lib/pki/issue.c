/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "pki/issue.h"

struct issue_key {
	EVP_PKEY *pkey;
	enum crypto_curve curve;
};

/* ---------------------------------------------------------------- keys */

static const char *group_name(enum crypto_curve curve)
{
	return curve == CRYPTO_P256 ? "prime256v1" : "brainpoolP256r1";
}

static struct issue_key *wrap(EVP_PKEY *pkey, enum crypto_curve curve)
{
	struct issue_key *k = pkey ? calloc(1, sizeof(*k)) : NULL;

	if (!k) {
		EVP_PKEY_free(pkey);
		return NULL;
	}
	k->pkey = pkey;
	k->curve = curve;
	return k;
}

struct issue_key *issue_key_generate(enum crypto_curve curve)
{
	return wrap(EVP_EC_gen(group_name(curve)), curve);
}

struct issue_key *issue_key_from_scalar(enum crypto_curve curve, const uint8_t private_key[32])
{
	uint8_t point[65] = {0x04};
	EVP_PKEY *pkey = NULL;

	if (crypto_public_from_private(curve, private_key, point + 1) != CRYPTO_OK)
		return NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *d = BN_bin2bn(private_key, 32, NULL);
	OSSL_PARAM *params = NULL;

	if (ctx && bld && d &&
	    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, group_name(curve),
					    0) &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, d) &&
	    (params = OSSL_PARAM_BLD_to_param(bld)) != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
		pkey = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	BN_clear_free(d);
	EVP_PKEY_CTX_free(ctx);
	return wrap(pkey, curve);
}

static bool hex_scalar(const char *text, uint8_t out[32])
{
	for (unsigned int i = 0; i < 32; i++) {
		unsigned int octet;

		if (sscanf(text + 2 * i, "%2x", &octet) != 1)
			return false;
		out[i] = (uint8_t)octet;
	}
	return true;
}

struct issue_key *issue_key_read(const char *path, enum crypto_curve curve)
{
	FILE *f = fopen(path, "r");
	struct issue_key *k = NULL;
	char text[66] = "", name[64];
	uint8_t scalar[32];

	if (!f)
		return NULL;
	/* One more than is wanted: what is longer is not a scalar. */
	if (fscanf(f, "%65[0-9a-fA-F]", text) == 1 && strlen(text) == 64 &&
	    hex_scalar(text, scalar)) {
		k = issue_key_from_scalar(curve, scalar);
	} else {
		rewind(f);
		EVP_PKEY *pkey = PEM_read_PrivateKey(f, NULL, NULL, NULL);

		if (!pkey || EVP_PKEY_get_group_name(pkey, name, sizeof(name), NULL) != 1)
			name[0] = '\0';
		if (strcmp(name, group_name(CRYPTO_P256)) == 0)
			k = wrap(pkey, CRYPTO_P256);
		else if (strcmp(name, group_name(CRYPTO_BRAINPOOLP256R1)) == 0)
			k = wrap(pkey, CRYPTO_BRAINPOOLP256R1);
		else
			EVP_PKEY_free(pkey);
	}
	wipe(text, sizeof(text));
	wipe(scalar, sizeof(scalar));
	fclose(f);
	return k;
}

bool issue_key_write(const struct issue_key *k, const char *path)
{
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (!f)
		return false;
	bool ok = PEM_write_PKCS8PrivateKey(f, k->pkey, NULL, NULL, 0, NULL, NULL) == 1;

	return fclose(f) == 0 && ok;
}

void issue_key_scalar(const struct issue_key *k, uint8_t private_key[32])
{
	BIGNUM *d = NULL;

	EVP_PKEY_get_bn_param(k->pkey, OSSL_PKEY_PARAM_PRIV_KEY, &d);
	BN_bn2binpad(d, private_key, 32);
	BN_clear_free(d);
}

enum crypto_curve issue_key_curve(const struct issue_key *k)
{
	return k->curve;
}

void issue_key_free(struct issue_key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->pkey);
	free(k);
}

/* ---------------------------------------------------------------- certificates */

static X509 *decode(struct span der)
{
	const uint8_t *p = der.p;

	return d2i_X509(NULL, &p, (long)der.n);
}

static bool add_name(X509_NAME *name, const char *field, const char *value)
{
	/* PrintableString, as GSMA's certificates have it: their names are compared octet by octet.
	 */
	return !value || X509_NAME_add_entry_by_txt(name, field, V_ASN1_PRINTABLESTRING,
						    (const uint8_t *)value, -1, -1, 0) == 1;
}

static bool set_subject(X509 *x, const struct issue_request *r)
{
	if (r->subject_cert.n > 0) {
		X509 *other = decode(r->subject_cert);
		bool ok = other && X509_set_subject_name(x, X509_get_subject_name(other)) == 1;

		X509_free(other);
		return ok;
	}
	X509_NAME *name = X509_NAME_new();
	bool ok = name && add_name(name, "C", r->country) && add_name(name, "O", r->organisation) &&
		  add_name(name, "serialNumber", r->serial_number) &&
		  add_name(name, "CN", r->common_name) && X509_set_subject_name(x, name) == 1;

	X509_NAME_free(name);
	return ok;
}

/* An extension whose value is DER already. */
static bool add_der(X509 *x, const char *oid, bool critical, const uint8_t *der, size_t n)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *e = NULL;
	bool ok = object && value && ASN1_OCTET_STRING_set(value, der, (int)n) == 1 &&
		  (e = X509_EXTENSION_create_by_OBJ(NULL, object, critical, value)) != NULL &&
		  X509_add_ext(x, e, -1) == 1;

	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(object);
	return ok;
}

static bool add_conf(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	if (!value)
		return true;
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&ctx);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = e && X509_add_ext(x, e, -1) == 1;

	X509_EXTENSION_free(e);
	return ok;
}

/* A cross-certificate keeps the key identifier that the subject's other certificates carry. */
static bool add_subject_key_id(X509 *x, const struct issue_request *r)
{
	if (r->subject_cert.n == 0)
		return add_conf(x, NULL, NID_subject_key_identifier, "hash");
	X509 *other = decode(r->subject_cert);
	const ASN1_OCTET_STRING *id = other ? X509_get0_subject_key_id(other) : NULL;
	bool ok = id && X509_add1_ext_i2d(x, NID_subject_key_identifier, (void *)(uintptr_t)id, 0,
					  X509V3_ADD_DEFAULT) == 1;

	X509_free(other);
	return ok;
}

static const char *policy_of(const struct issue_request *r)
{
	bool v3 = r->variant != ISSUE_VARIANT_O;
	enum issue_role role = r->role;

	if (r->fault == ISSUE_FAULT_POLICY)
		role = role == ISSUE_EUICC ? ISSUE_EUM : ISSUE_EUICC;
	switch (role) {
	case ISSUE_CI:
		return "2.23.146.1.2.1.0";
	case ISSUE_EUM:
		return v3 ? "2.23.146.1.2.1.0.0.0" : "2.23.146.1.2.1.2";
	case ISSUE_EUM_SUBCA:
		return "2.23.146.1.2.1.0.0.0.0";
	case ISSUE_EUICC:
		return v3 ? "2.23.146.1.2.1.0.0.0.0.0" : "2.23.146.1.2.1.1";
	default:
		return NULL;
	}
}

static bool is_ca(enum issue_role role)
{
	return role != ISSUE_AU && role != ISSUE_EUICC;
}

static bool add_constraints_of_role(X509 *x, const struct issue_request *r)
{
	const char *basic = "critical,CA:TRUE", *usage = "critical,keyCertSign,cRLSign";

	if (r->role == ISSUE_EUM_SUBCA || (r->role == ISSUE_EUM && r->variant != ISSUE_VARIANT_A))
		basic = "critical,CA:TRUE,pathlen:0";
	else if (r->role == ISSUE_EUM)
		basic = "critical,CA:TRUE,pathlen:1";
	if (r->role == ISSUE_EUM && r->variant == ISSUE_VARIANT_O)
		usage = "critical,keyCertSign";
	if (!is_ca(r->role)) {
		basic = NULL;
		usage = "critical,digitalSignature";
	}
	if (r->fault == ISSUE_FAULT_USAGE)
		usage = "critical,keyEncipherment";
	return add_conf(x, NULL, NID_key_usage, usage) &&
	       add_conf(x, NULL, NID_basic_constraints, basic);
}

/* Variant O: a permitted subtree of O and an EID prefix (SGP.22 v2 4.5.2.1.0.2). */
static bool add_name_constraint(X509 *x, const struct issue_request *r)
{
	NAME_CONSTRAINTS *nc = NAME_CONSTRAINTS_new();
	GENERAL_SUBTREE *subtree = GENERAL_SUBTREE_new();
	X509_NAME *name = X509_NAME_new();
	GENERAL_NAME *base = GENERAL_NAME_new();
	bool ok = nc && subtree && name && base && add_name(name, "O", r->organisation) &&
		  add_name(name, "serialNumber", r->eid_prefix);

	if (ok) {
		GENERAL_NAME_set0_value(base, GEN_DIRNAME, name);
		name = NULL;
		GENERAL_NAME_free(subtree->base);
		subtree->base = base;
		base = NULL;
		nc->permittedSubtrees = sk_GENERAL_SUBTREE_new_null();
		ok = nc->permittedSubtrees &&
		     sk_GENERAL_SUBTREE_push(nc->permittedSubtrees, subtree) > 0;
		if (ok)
			subtree = NULL;
		ok = ok &&
		     X509_add1_ext_i2d(x, NID_name_constraints, nc, 1, X509V3_ADD_DEFAULT) == 1;
	}
	GENERAL_NAME_free(base);
	X509_NAME_free(name);
	GENERAL_SUBTREE_free(subtree);
	NAME_CONSTRAINTS_free(nc);
	return ok;
}

/* v3: permittedEins, a SEQUENCE OF PrintableString. */
static bool add_permitted_eins(X509 *x, const char *prefix)
{
	uint8_t der[64];
	size_t n = strlen(prefix);

	if (n > 32)
		return false;
	der[0] = 0x30;
	der[1] = (uint8_t)(n + 2);
	der[2] = 0x13;
	der[3] = (uint8_t)n;
	memcpy(der + 4, prefix, n);
	return add_der(x, "2.23.146.1.2.2.0", true, der, n + 4);
}

static bool add_policy(X509 *x, const char *oid)
{
	CERTIFICATEPOLICIES *policies = CERTIFICATEPOLICIES_new();
	POLICYINFO *info = POLICYINFO_new();
	bool ok = policies && info;

	if (ok) {
		info->policyid = OBJ_txt2obj(oid, 1);
		ok = sk_POLICYINFO_push(policies, info) > 0;
		if (ok)
			info = NULL;
		ok = ok && X509_add1_ext_i2d(x, NID_certificate_policies, policies, 1,
					     X509V3_ADD_DEFAULT) == 1;
	}
	POLICYINFO_free(info);
	CERTIFICATEPOLICIES_free(policies);
	return ok;
}

static bool add_extensions(X509 *x, X509 *issuer, const struct issue_request *r)
{
	const char *policy = policy_of(r);
	bool eum = r->role == ISSUE_EUM || r->role == ISSUE_EUM_SUBCA;

	if (issuer && !add_conf(x, issuer, NID_authority_key_identifier, "keyid:always"))
		return false;
	if (!add_subject_key_id(x, r) || !add_constraints_of_role(x, r) ||
	    (policy && !add_policy(x, policy)))
		return false;
	if (eum && r->eid_prefix &&
	    !(r->variant == ISSUE_VARIANT_O ? add_name_constraint(x, r)
					    : add_permitted_eins(x, r->eid_prefix)))
		return false;
	return r->fault != ISSUE_FAULT_CRITICAL ||
	       add_der(x, "1.3.6.1.4.1.99999.1", true, (const uint8_t *)"\x05\x00", 2);
}

static bool set_validity(X509 *x, const struct issue_request *r)
{
	const long day = 24 * 3600;
	time_t now = time(NULL), from = now - day, to = now + (long)r->days * day;

	if (r->fault == ISSUE_FAULT_EXPIRED) {
		from = now - 10 * day;
		to = now - day;
	} else if (r->fault == ISSUE_FAULT_NOT_YET_VALID) {
		from = now + day;
		to = now + 10 * day;
	} else if (r->days == 0) {
		return ASN1_TIME_set(X509_getm_notBefore(x), from) &&
		       ASN1_TIME_set_string_X509(X509_getm_notAfter(x), "99991231235959Z") == 1;
	}
	return ASN1_TIME_set(X509_getm_notBefore(x), from) &&
	       ASN1_TIME_set(X509_getm_notAfter(x), to);
}

static bool set_serial(X509 *x, uint64_t serial)
{
	uint8_t octets[16];

	if (serial)
		return ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial) == 1;
	if (RAND_bytes(octets, sizeof(octets)) != 1)
		return false;
	octets[0] = (uint8_t)((octets[0] & 0x7f) | 0x40);
	BIGNUM *bn = BN_bin2bn(octets, sizeof(octets), NULL);
	bool ok = bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x));

	BN_free(bn);
	return ok;
}

uint8_t *issue_certificate(const struct issue_request *r, size_t *n)
{
	X509 *x = X509_new(), *issuer = r->issuer_cert.n ? decode(r->issuer_cert) : NULL;
	uint8_t *der = NULL, *copy = NULL;
	int length = -1;

	if (x && (issuer || r->issuer_cert.n == 0) && X509_set_version(x, X509_VERSION_3) == 1 &&
	    set_serial(x, r->serial) && set_subject(x, r) && set_validity(x, r) &&
	    X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x)) == 1 &&
	    X509_set_pubkey(x, r->subject_key->pkey) == 1 && add_extensions(x, issuer, r) &&
	    X509_sign(x, r->issuer_key->pkey, EVP_sha256()) > 0)
		length = i2d_X509(x, &der);
	if (length > 0 && (copy = malloc((size_t)length)) != NULL) {
		memcpy(copy, der, (size_t)length);
		*n = (size_t)length;
		if (r->fault == ISSUE_FAULT_SIGNATURE)
			copy[length - 1] ^= 1;
	}
	OPENSSL_free(der);
	X509_free(issuer);
	X509_free(x);
	return copy;
}

/* ---------------------------------------------------------------- CRLs, EIDs */

static bool add_revoked(X509_CRL *crl, struct span serial, const ASN1_TIME *when)
{
	X509_REVOKED *revoked = X509_REVOKED_new();
	BIGNUM *bn = BN_bin2bn(serial.p, (int)serial.n, NULL);
	ASN1_INTEGER *number = bn ? BN_to_ASN1_INTEGER(bn, NULL) : NULL;
	bool ok = revoked && number && X509_REVOKED_set_serialNumber(revoked, number) == 1 &&
		  X509_REVOKED_set_revocationDate(revoked, (ASN1_TIME *)(uintptr_t)when) == 1 &&
		  X509_CRL_add0_revoked(crl, revoked) == 1;

	if (!ok)
		X509_REVOKED_free(revoked);
	ASN1_INTEGER_free(number);
	BN_free(bn);
	return ok;
}

uint8_t *issue_crl(struct span issuer_cert, const struct issue_key *issuer_key,
		   const struct span *serials, size_t n_serials, unsigned int days, size_t *n)
{
	X509 *issuer = decode(issuer_cert);
	X509_CRL *crl = X509_CRL_new();
	time_t now = time(NULL);
	ASN1_TIME *last = ASN1_TIME_set(NULL, now - 3600);
	ASN1_TIME *next = ASN1_TIME_set(NULL, now + (time_t)days * 24 * 3600);
	uint8_t *der = NULL, *copy = NULL;
	int length = -1;
	X509V3_CTX ctx;
	bool ok = issuer && crl && last && next &&
		  X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
		  X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1 &&
		  X509_CRL_set1_lastUpdate(crl, last) == 1 &&
		  X509_CRL_set1_nextUpdate(crl, next) == 1;

	for (size_t i = 0; ok && i < n_serials; i++)
		ok = add_revoked(crl, serials[i], last);
	if (ok) {
		X509V3_set_ctx(&ctx, issuer, NULL, NULL, crl, 0);
		X509V3_set_ctx_nodb(&ctx);
		X509_EXTENSION *aki = X509V3_EXT_conf_nid(NULL, &ctx, NID_authority_key_identifier,
							  "keyid:always");
		ASN1_INTEGER *number = ASN1_INTEGER_new();

		ok = aki && number && X509_CRL_add_ext(crl, aki, -1) == 1 &&
		     ASN1_INTEGER_set_uint64(number, (uint64_t)now) == 1 &&
		     X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, X509V3_ADD_DEFAULT) ==
			     1 &&
		     X509_CRL_sign(crl, issuer_key->pkey, EVP_sha256()) > 0;
		X509_EXTENSION_free(aki);
		ASN1_INTEGER_free(number);
	}
	if (ok)
		length = i2d_X509_CRL(crl, &der);
	if (length > 0 && (copy = malloc((size_t)length)) != NULL) {
		memcpy(copy, der, (size_t)length);
		*n = (size_t)length;
	}
	OPENSSL_free(der);
	ASN1_TIME_free(last);
	ASN1_TIME_free(next);
	X509_CRL_free(crl);
	X509_free(issuer);
	return copy;
}

void issue_eid_check_digits(char eid[33])
{
	unsigned int remainder = 0;

	eid[30] = eid[31] = '0';
	for (unsigned int i = 0; i < 32; i++)
		remainder = (remainder * 10 + (unsigned int)(eid[i] - '0')) % 97;
	unsigned int check = 98 - remainder;

	eid[30] = (char)('0' + check / 10);
	eid[31] = (char)('0' + check % 10);
}
