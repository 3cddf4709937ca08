/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cpau-pki crl: a revocation list of a CA of --dir, or of any certificate with its key.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/rand.h>

#include "pki_tool.h"

enum { REVOKE_MAX = 1024, SERIAL = 16 };

struct crl_options {
	const char *issuer, *key, *out;
	unsigned int n_revoke, days;
	size_t random;
	const char *revoke[REVOKE_MAX];
};

enum { OPT_ISSUER = 1000, OPT_KEY, OPT_RANDOM, OPT_DAYS };

static const struct argp_option options[] = {
	{"issuer", OPT_ISSUER, "FILE", 0, "certificate of the CA (required)", 0},
	{"key", OPT_KEY, "FILE", 0, "its private key (required)", 0},
	{"out", 'o', "FILE", 0, "the list, DER (required)", 0},
	{"revoke", 'r', "FILE|HEX", 0, "a certificate, or a serial number; may be repeated", 0},
	{"random", OPT_RANDOM, "N", 0, "and N random serial numbers, to make a large list", 0},
	{"days", OPT_DAYS, "N", 0, "until nextUpdate (default: 30)", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct crl_options *o = state->input;

	switch (key) {
	case OPT_ISSUER:
		o->issuer = arg;
		return 0;
	case OPT_KEY:
		o->key = arg;
		return 0;
	case 'o':
		o->out = arg;
		return 0;
	case 'r':
		if (o->n_revoke == REVOKE_MAX)
			argp_error(state, "at most %d --revoke", REVOKE_MAX);
		o->revoke[o->n_revoke++] = arg;
		return 0;
	case OPT_RANDOM:
		o->random = strtoull(arg, NULL, 10);
		return 0;
	case OPT_DAYS:
		o->days = (unsigned int)strtoul(arg, NULL, 10);
		return 0;
	case ARGP_KEY_END:
		if (!o->issuer || !o->key || !o->out)
			argp_error(state, "--issuer, --key and --out are required");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* A serial number out of a certificate file, or from hex digits, into buffer. */
static size_t read_serial(const char *what, uint8_t buffer[20])
{
	size_t n = strlen(what);

	if (n > 0 && n <= 40 && n % 2 == 0 && strspn(what, "0123456789abcdefABCDEF") == n) {
		for (size_t i = 0; i < n / 2; i++)
			sscanf(what + 2 * i, "%2hhx", &buffer[i]);
		return n / 2;
	}
	struct pki_cert cert;
	uint8_t *der = pki_file_read(what, &n);

	if (!der || pki_cert_parse(&cert, span_make(der, n)) != PKI_OK) {
		free(der);
		return 0;
	}
	n = cert.serial.n;
	memcpy(buffer, cert.serial.p, n);
	free(der);
	return n;
}

/* The revocation list, with room for its entries given: n of them. */
static int make(const struct crl_options *o, struct span issuer, const struct issue_key *key,
		struct span *serials, uint8_t (*octets)[20], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t length = SERIAL;

		if (i < o->n_revoke)
			length = read_serial(o->revoke[i], octets[i]);
		else if (RAND_bytes(octets[i], SERIAL) == 1)
			octets[i][0] = (uint8_t)((octets[i][0] & 0x3f) | 0x40);
		if (length == 0)
			return tool_fail(EXIT_FILE, o->revoke[i],
					 "neither a certificate nor a serial number in hex");
		serials[i] = span_make(octets[i], length);
	}
	size_t size;
	uint8_t *crl = issue_crl(issuer, key, serials, n, o->days, &size);
	bool ok = crl && tool_write(o->out, crl, size);

	free(crl);
	if (!ok)
		return tool_fail(EXIT_FILE, o->out, "cannot be made: %s", strerror(errno));
	printf("made %s: %zu entries, %zu octets\n", o->out, n, size);
	return 0;
}

int tool_crl(int argc, char **argv)
{
	static const struct argp argp = {options, parse, NULL, "Makes a v2 revocation list.",
					 NULL,	  NULL,	 NULL};
	struct crl_options o = {.days = 30};
	struct pki_cert issuer;
	size_t n;

	if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
		return EXIT_USAGE;
	uint8_t *der = pki_file_read(o.issuer, &n);

	if (!der || pki_cert_parse(&issuer, span_make(der, n)) != PKI_OK)
		return tool_fail(EXIT_FILE, o.issuer, "not a certificate");
	struct issue_key *key = issue_key_read(o.key, issuer.curve);

	if (!key)
		return tool_fail(EXIT_FILE, o.key, "neither a PEM key nor 64 hex digits");
	size_t total = o.n_revoke + o.random;
	struct span *serials = calloc(total + 1, sizeof(*serials));
	uint8_t(*octets)[20] = calloc(total + 1, sizeof(*octets));
	int code = serials && octets ? make(&o, issuer.der, key, serials, octets, total)
				     : tool_fail(EXIT_FILE, o.out, "out of memory");

	free(serials);
	free(octets);
	issue_key_free(key);
	free(der);
	return code;
}
