/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Files and signatures at configuration time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <openssl/crypto.h>
#include <openssl/pem.h>

#include "pki/trust.h"

enum {
	FILE_MAX = 256 << 20, /* a CRL of a million entries is about 40 MB */
	HUGE_PAGE = 2 << 20,
};

void *pki_large_alloc(size_t n)
{
	if (n < HUGE_PAGE)
		return malloc(n);
	n = (n + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	void *p = aligned_alloc(HUGE_PAGE, n);

	if (p)
		madvise(p, n, MADV_HUGEPAGE); /* advice: without it, ordinary pages do */
	return p;
}

uint8_t *pki_file_read(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL, *out = NULL;
	long length;

	if (!f)
		return NULL;
	if (fseek(f, 0, SEEK_END) == 0 && (length = ftell(f)) > 0 && length < FILE_MAX &&
	    (data = pki_large_alloc((size_t)length)) != NULL) {
		rewind(f);
		if (fread(data, (size_t)length, 1, f) == 1) {
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

enum pki_error pki_cert_verify(const struct pki_cert *cert, const struct pki_cert *issuer)
{
	uint8_t digest[CRYPTO_DIGEST_SIZE];
	const char *why;
	struct crypto *c = crypto_create("openssl", -1, &why);
	struct crypto_hash hash = {cert->tbs, digest};
	struct crypto_verify verify = {.curve = issuer->curve,
				       .public_key = issuer->public_key,
				       .digest = digest,
				       .signature = cert->signature};

	if (!c)
		return PKI_SIGNATURE;
	crypto_hash_burst(c, &hash, 1);
	crypto_verify_burst(c, &verify, 1);
	crypto_destroy(c);
	if (verify.status == CRYPTO_OK)
		return PKI_OK;
	return verify.status == CRYPTO_BAD_KEY ? PKI_KEY : PKI_SIGNATURE;
}
