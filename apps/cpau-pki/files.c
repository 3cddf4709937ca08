/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "pki_tool.h"

int tool_fail(int code, const char *file, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "cpau-pki: %s: ", file);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

const char *tool_path(char *path, const char *dir, const char *format, ...)
{
	va_list args;
	int n = snprintf(path, TOOL_PATH, "%s/", dir);

	va_start(args, format);
	vsnprintf(path + n, TOOL_PATH - (size_t)n, format, args);
	va_end(args);
	return path;
}

bool tool_make_dir(const char *path)
{
	char part[TOOL_PATH];

	snprintf(part, sizeof(part), "%s", path);
	for (char *p = part + 1; *p; p++)
		if (*p == '/') {
			*p = '\0';
			mkdir(part, 0755);
			*p = '/';
		}
	return mkdir(part, 0755) == 0 || errno == EEXIST;
}

bool tool_write(const char *path, const uint8_t *data, size_t n)
{
	FILE *f = fopen(path, "wb");

	if (!f)
		return false;
	bool ok = fwrite(data, n, 1, f) == 1;

	return fclose(f) == 0 && ok;
}

bool tool_write_certificate(const char *path, const uint8_t *der, size_t n)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return false;
	bool ok = PEM_write(f, "CERTIFICATE", "", der, (long)n) > 0;

	return fclose(f) == 0 && ok;
}

bool tool_key_is_of(const struct issue_key *key, const struct pki_cert *cert)
{
	uint8_t scalar[CRYPTO_SCALAR_SIZE], public_key[CRYPTO_POINT_SIZE];

	issue_key_scalar(key, scalar);
	bool same = issue_key_curve(key) == cert->curve &&
		    crypto_public_from_private(cert->curve, scalar, public_key) == CRYPTO_OK &&
		    memcmp(public_key, cert->public_key, sizeof(public_key)) == 0;

	wipe(scalar, sizeof(scalar));
	return same;
}

const char *tool_curve_name(enum crypto_curve curve)
{
	return curve == CRYPTO_P256 ? "p256" : "brainpool";
}

uint8_t *tool_issue(const struct issue_request *request, const char *path, size_t *n)
{
	uint8_t *der = issue_certificate(request, n);

	if (!der) {
		tool_fail(EXIT_FILE, path, "OpenSSL could not make it: %s",
			  ERR_reason_error_string(ERR_peek_last_error()));
		return NULL;
	}
	if (!tool_write_certificate(path, der, *n)) {
		tool_fail(EXIT_FILE, path, "cannot be written: %s", strerror(errno));
		free(der);
		return NULL;
	}
	printf("made %s (%zu octets)\n", path, *n);
	return der;
}
