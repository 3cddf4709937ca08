/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Files and signatures at configuration time.
 */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/pem.h>

#include "pki/trust.h"

enum {
	FILE_MAX = 256 << 20, /* a CRL of a million entries is about 40 MB */
	PIECE = 64 << 10,     /* read between two rests */
};

static bool read_all(FILE *f, uint8_t *to, size_t n, void (*rest)(void))
{
	for (size_t at = 0, piece; at < n; at += piece) {
		piece = n - at < PIECE ? n - at : PIECE;
		if (fread(to + at, piece, 1, f) != 1)
			return false;
		if (rest)
			rest();
	}
	return true;
}

uint8_t *pki_file_read(const char *path, size_t *n)
{
	return pki_file_read_with_rests(path, n, NULL);
}

uint8_t *pki_file_read_with_rests(const char *path, size_t *n, void (*rest)(void))
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL, *out = NULL;
	long length;

	if (!f)
		return NULL;
	if (fseek(f, 0, SEEK_END) == 0 && (length = ftell(f)) > 0 && length < FILE_MAX &&
	    (data = malloc((size_t)length)) != NULL) {
		rewind(f);
		if (read_all(f, data, (size_t)length, rest)) {
			*n = (size_t)length;
			out = data;
		}
	}
	/* DER of anything here begins with a SEQUENCE; the rest must be PEM. */
	if (out && out[0] != 0x30) {
		char *name = NULL, *header = NULL;
		uint8_t *der = NULL;

		rewind(f);
		out = NULL;
		if (PEM_read(f, &name, &header, &der, &length) == 1 &&
		    (out = malloc((size_t)length)) != NULL) {
			memcpy(out, der, (size_t)length);
			*n = (size_t)length;
		}
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
		free(data);
		data = out;
	}
	if (!out)
		free(data);
	fclose(f);
	return out;
}

static enum pki_error verify(struct crypto *c, const uint8_t *digest, const uint8_t *signature,
			     const struct pki_cert *issuer)
{
	struct crypto_verify v = {.curve = issuer->curve,
				  .public_key = issuer->public_key,
				  .digest = digest,
				  .signature = signature};

	crypto_verify_burst(c, &v, 1);
	if (v.status == CRYPTO_OK)
		return PKI_OK;
	return v.status == CRYPTO_BAD_KEY ? PKI_KEY : PKI_SIGNATURE;
}

enum pki_error pki_digest_verify(const uint8_t digest[CRYPTO_DIGEST_SIZE],
				 const uint8_t signature[CRYPTO_SIGNATURE_SIZE],
				 const struct pki_cert *issuer)
{
	const char *why;
	struct crypto *c = crypto_create("openssl", -1, &why);
	enum pki_error e = c ? verify(c, digest, signature, issuer) : PKI_SIGNATURE;

	crypto_destroy(c);
	return e;
}

enum pki_error pki_cert_verify(const struct pki_cert *cert, const struct pki_cert *issuer)
{
	uint8_t digest[CRYPTO_DIGEST_SIZE];
	const char *why;
	struct crypto *c = crypto_create("openssl", -1, &why);

	if (!c)
		return PKI_SIGNATURE;
	crypto_hash_burst(c, &(struct crypto_hash){cert->tbs, digest}, 1);
	enum pki_error e = verify(c, digest, cert->signature, issuer);

	crypto_destroy(c);
	return e;
}
