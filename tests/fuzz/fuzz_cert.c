/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Any octets as a certificate: OpenSSL must accept what the decoder accepts and see the same
 * fields. The rules of every tier run over it too, for the sake of the sanitizers. Seeds: the
 * certificates of SGP.26.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../pki_openssl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span der = span_make(data, size);
	struct pki_cert cert;

	if (pki_cert_parse(&cert, der) != PKI_OK)
		return 0;
	const char *what = openssl_disagrees(&cert, der);

	if (what) {
		fprintf(stderr, "OpenSSL disagrees: %s\n", what);
		abort();
	}
	for (int role = PKI_ROLE_CI; role <= PKI_ROLE_AU; role++)
		(void)pki_cert_check(&cert, (enum pki_role)role, 1800000000);
	(void)pki_cert_issued_by(&cert, &cert);
	return 0;
}
