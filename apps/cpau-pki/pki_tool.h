/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cpau-pki: one file a subcommand; what they share.
 */
#ifndef CPAU_PKI_TOOL_H
#define CPAU_PKI_TOOL_H

#include "pki/issue.h"
#include "pki/trust.h"

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_FILE = 3 };

/* Each parses its own arguments (argv[0] is the subcommand) and returns an exit code. */
int tool_init(int argc, char **argv);
int tool_eum(int argc, char **argv);
int tool_fleet(int argc, char **argv);
int tool_crl(int argc, char **argv);
int tool_check(int argc, char **argv);
int tool_show(int argc, char **argv);

/* ---- files.c ---- */

enum { TOOL_PATH = 4096 };

/* Prints "cpau-pki: FILE: what" to standard error and returns code. */
int tool_fail(int code, const char *file, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* "DIR/NAME", in a buffer of TOOL_PATH octets. */
const char *tool_path(char *path, const char *dir, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool tool_make_dir(const char *path); /* with its parents; true if it is there already */
bool tool_write_certificate(const char *path, const uint8_t *der, size_t n); /* PEM, 0644 */
bool tool_write(const char *path, const uint8_t *data, size_t n);
/* Whether the certificate certifies this key's public half. */
bool tool_key_is_of(const struct issue_key *key, const struct pki_cert *cert);
/* "p256" / "brainpool" */
const char *tool_curve_name(enum crypto_curve curve);
/* Issues, writes as PEM and says so; the DER is given back to be freed. NULL after an error line.
 */
uint8_t *tool_issue(const struct issue_request *request, const char *path, size_t *n);

#endif
