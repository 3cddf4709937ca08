/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cpau-pki fleet: eUICC certificates and their keys, in one file for `cpau-storm`.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pki/issue_fleet.h"
#include "pki_tool.h"

struct fleet_options {
	const char *dir, *out, *eum, *eum_cert, *eum_key, *ci_cert, *subca_cert;
	const char *import, *key, *prefix, *fault;
	uint64_t count, first;
	enum crypto_curve curve;
	enum issue_variant variant;
};

enum {
	OPT_EUM = 1000,
	OPT_EUM_CERT,
	OPT_EUM_KEY,
	OPT_CI_CERT,
	OPT_SUBCA,
	OPT_IMPORT,
	OPT_KEY,
	OPT_PREFIX,
	OPT_FIRST,
	OPT_CURVE,
	OPT_FAULT
};

static const struct argp_option options[] = {
	{"out", 'o', "FILE", 0, "the fleet file (required); it holds private keys", 0},
	{"count", 'n', "N", 0, "how many devices (default: 1000)", 0},
	{"dir", 'd', "DIR", 0, "credentials made by `cpau-pki init`: CI and EUM are taken from it",
	 0},
	{"eum", OPT_EUM, "NAME", 0, "which EUM of --dir (default: test)", 0},
	{"curve", OPT_CURVE, "CURVE", 0, "which curve of --dir: p256 (default) or brainpool", 0},
	{"eum-cert", OPT_EUM_CERT, "FILE", 0, "the EUM, when not from --dir", 0},
	{"subca-cert", OPT_SUBCA, "FILE", 0, "the EUM SubCA that issues, v3 variant A", 0},
	{"eum-key", OPT_EUM_KEY, "FILE", 0, "the issuer's private key, PEM or 64 hex digits", 0},
	{"ci-cert", OPT_CI_CERT, "FILE", 0, "the CI, when not from --dir", 0},
	{"prefix", OPT_PREFIX, "DIGITS", 0, "what EIDs begin with (default: the EUM's constraint)",
	 0},
	{"first", OPT_FIRST, "N", 0, "counter of the first EID (default: 1)", 0},
	{"fault", OPT_FAULT, "NAME", 0,
	 "issue them all wrong, for tests: expired, not-yet-valid, policy, usage, critical, "
	 "signature, eid, eid-check, key",
	 0},
	{"import", OPT_IMPORT, "FILE", 0, "one device from this certificate, instead of issuing",
	 0},
	{"key", OPT_KEY, "FILE", 0, "the imported device's private key", 0},
	{0},
};

static const char *const fault_names[ISSUE_FAULT_N] = {
	"none",	    "expired",	 "not-yet-valid", "policy",    "usage",
	"critical", "signature", "eid",		  "eid-check", "key"};

static enum issue_fault fault_of(const char *name)
{
	for (unsigned int i = 0; i < ISSUE_FAULT_N; i++)
		if (strcmp(name, fault_names[i]) == 0)
			return (enum issue_fault)i;
	return ISSUE_FAULT_N;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct fleet_options *o = state->input;

	switch (key) {
	case 'o':
		o->out = arg;
		return 0;
	case 'n':
		o->count = strtoull(arg, NULL, 10);
		if (o->count == 0 || o->count > 100000000)
			argp_error(state, "--count %s: 1 to 100000000", arg);
		return 0;
	case 'd':
		o->dir = arg;
		return 0;
	case OPT_EUM:
		o->eum = arg;
		return 0;
	case OPT_CURVE:
		o->curve = strcmp(arg, "brainpool") == 0 ? CRYPTO_BRAINPOOLP256R1 : CRYPTO_P256;
		return 0;
	case OPT_EUM_CERT:
		o->eum_cert = arg;
		return 0;
	case OPT_SUBCA:
		o->subca_cert = arg;
		return 0;
	case OPT_EUM_KEY:
		o->eum_key = arg;
		return 0;
	case OPT_CI_CERT:
		o->ci_cert = arg;
		return 0;
	case OPT_PREFIX:
		if (strspn(arg, "0123456789") != strlen(arg) || strlen(arg) > 20)
			argp_error(state, "--prefix %s: up to 20 digits", arg);
		o->prefix = arg;
		return 0;
	case OPT_FIRST:
		o->first = strtoull(arg, NULL, 10);
		return 0;
	case OPT_FAULT:
		if (fault_of(arg) == ISSUE_FAULT_N)
			argp_error(state, "--fault %s: unknown", arg);
		o->fault = arg;
		return 0;
	case OPT_IMPORT:
		o->import = arg;
		return 0;
	case OPT_KEY:
		o->key = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->out)
			argp_error(state, "--out is required");
		if (o->import ? !o->key || !o->eum_cert || !o->ci_cert
			      : !o->dir && (!o->eum_cert || !o->eum_key || !o->ci_cert))
			argp_error(state,
				   o->import ? "--import needs --key, --eum-cert and --ci-cert"
					     : "--dir, or --eum-cert, --eum-key and --ci-cert");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

struct progress {
	struct timespec start, last;
	uint64_t count;
};

static double seconds_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

static void show_progress(void *arg, uint64_t done)
{
	struct progress *p = arg;

	if (seconds_since(&p->last) < 2)
		return;
	clock_gettime(CLOCK_MONOTONIC, &p->last);
	fprintf(stderr, "cpau-pki: %llu of %llu devices, %.0f s\n", (unsigned long long)done,
		(unsigned long long)p->count, seconds_since(&p->start));
}

/* A certificate of the chain, read and parsed. */
struct tier {
	uint8_t *der;
	struct pki_cert cert;
};

static bool read_tier(const char *path, struct tier *t)
{
	size_t n;

	t->der = pki_file_read(path, &n);
	enum pki_error e = t->der ? pki_cert_parse(&t->cert, span_make(t->der, n)) : PKI_MALFORMED;

	if (e != PKI_OK)
		tool_fail(EXIT_FILE, path, t->der ? "%s" : "cannot be read", pki_error_text(e));
	return e == PKI_OK;
}

static int import_one(const struct fleet_options *o, const struct tier *eum,
		      const struct tier *subca, const struct tier *ci)
{
	struct tier device = {0};
	uint8_t scalar[32];

	if (!read_tier(o->import, &device))
		return EXIT_FILE;
	struct issue_key *key = issue_key_read(o->key, device.cert.curve);

	if (!key)
		return tool_fail(EXIT_FILE, o->key, "neither a PEM key nor 64 hex digits");
	issue_key_scalar(key, scalar);
	bool same = tool_key_is_of(key, &device.cert);

	issue_key_free(key);
	if (!same)
		return tool_fail(EXIT_REFUSED, o->key, "is not the key of %s", o->import);
	struct fleet_writer *w = fleet_writer_open(o->out, device.cert.curve, 1, eum->cert.der,
						   subca->cert.der, ci->cert.der);

	if (!w || !fleet_writer_add(w, device.cert.eid, scalar, device.cert.der) ||
	    !fleet_writer_close(w))
		return tool_fail(EXIT_FILE, o->out, "cannot be written: %s", strerror(errno));
	wipe(scalar, sizeof(scalar));
	free(device.der);
	printf("made %s: 1 device, imported\n", o->out);
	return 0;
}

static int issue_many(const struct fleet_options *o, const struct tier *eum,
		      const struct tier *subca, const struct tier *ci)
{
	const struct pki_cert *issuer = subca->der ? &subca->cert : &eum->cert;
	char organisation[65] = "", prefix[33] = "";
	struct progress progress = {.count = o->count};
	struct issue_fleet_request r = {
		.path = o->out,
		.count = o->count,
		.first = o->first,
		.fault = o->fault ? fault_of(o->fault) : ISSUE_FAULT_NONE,
		.organisation = organisation,
		.eid_prefix = prefix,
		.cert_eum = eum->cert.der,
		.cert_subca = subca->cert.der,
		.cert_ci = ci->cert.der,
		.progress = show_progress,
		.arg = &progress,
	};
	struct span constraint =
		issuer->has_permitted_eins ? issuer->permitted_eins[0] : issuer->permitted_serial;
	const char *why;

	r.variant = issuer->policies & PKI_POLICY_EUM_O ? ISSUE_VARIANT_O : ISSUE_VARIANT_B;
	snprintf(organisation, sizeof(organisation), "%.*s", (int)issuer->subject_o.n,
		 (const char *)issuer->subject_o.p);
	if (o->prefix)
		snprintf(prefix, sizeof(prefix), "%s", o->prefix);
	else
		snprintf(prefix, sizeof(prefix), "%.*s", (int)constraint.n,
			 (const char *)constraint.p);
	struct issue_key *key = issue_key_read(o->eum_key, issuer->curve);

	r.issuer_key = key;
	if (!key)
		return tool_fail(EXIT_FILE, o->eum_key, "neither a PEM key nor 64 hex digits");
	clock_gettime(CLOCK_MONOTONIC, &progress.start);
	progress.last = progress.start;
	bool ok = issue_fleet(&r, &why);

	issue_key_free(key);
	if (!ok)
		return tool_fail(EXIT_FILE, o->out, "%s", why);
	printf("made %s: %llu devices in %.1f s\n", o->out, (unsigned long long)o->count,
	       seconds_since(&progress.start));
	return 0;
}

int tool_fleet(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse,
		NULL,	 "Issues eUICC certificates with distinct EIDs and keys into one file.",
		NULL,	 NULL,
		NULL};
	struct fleet_options o = {.count = 1000, .first = 1, .eum = "test"};
	char eum_path[TOOL_PATH], key_path[TOOL_PATH], ci_path[TOOL_PATH], subca_path[TOOL_PATH];
	struct tier eum = {0}, subca = {0}, ci = {0};

	if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
		return EXIT_USAGE;
	if (o.dir && !o.import) {
		const char *c = tool_curve_name(o.curve);

		tool_path(subca_path, o.dir, "eum/%s-%s-subca.crt", o.eum, c);
		FILE *f = o.subca_cert ? NULL : fopen(subca_path, "r");

		if (f) {
			fclose(f);
			o.subca_cert = subca_path;
		}
		if (!o.eum_cert)
			o.eum_cert = tool_path(eum_path, o.dir, "eum/%s-%s.crt", o.eum, c);
		if (!o.eum_key)
			o.eum_key = tool_path(key_path, o.dir, "private/eum-%s-%s%s.key", o.eum, c,
					      o.subca_cert ? "-subca" : "");
		if (!o.ci_cert)
			o.ci_cert = tool_path(ci_path, o.dir, "ci/ci-%s.crt", c);
	}
	if (!read_tier(o.eum_cert, &eum) || !read_tier(o.ci_cert, &ci) ||
	    (o.subca_cert && !read_tier(o.subca_cert, &subca)))
		return EXIT_FILE;
	int code = o.import ? import_one(&o, &eum, &subca, &ci) : issue_many(&o, &eum, &subca, &ci);

	free(eum.der);
	free(subca.der);
	free(ci.der);
	return code;
}
